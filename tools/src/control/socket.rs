//! The socket in the file system: where it is, who may use it, and that it goes.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use nix::unistd::chown;

use crate::up::User;

/// The place of the control socket unless said: of a user's session, or of the system.
pub fn default_path() -> PathBuf {
    let session = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let dir = session.map_or_else(|| PathBuf::from("/run"), PathBuf::from);
    dir.join("corelane/control.sock")
}

/// A socket that listens, and is removed when this goes.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Which file it is: another may have taken its place.
    inode: u64,
    /// The directory, if it was made for it.
    made: Option<PathBuf>,
}

impl ControlSocket {
    /// Listens at `path`, in a directory that is made if it is missing. What a process left there that
    /// is gone is removed.
    ///
    /// # Errors
    /// What is in the way, in words.
    pub(crate) fn bind(path: &Path, mode: u32) -> Result<Self, String> {
        let name = path.display();
        let made = make_directory(path).map_err(|error| {
            format!("cannot make the directory of {name}: {error}; --socket names another place")
        })?;
        remove_stale(path)?;
        // Nobody else may connect before the permissions are what they are to be.
        let before = umask(Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(path);
        umask(before);
        let listener = listener.map_err(|error| {
            format!("cannot listen at {name}: {error}; --socket names another place")
        })?;
        let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
        let inode = set.and_then(|()| fs::metadata(path)).map(|it| it.ino());
        let inode =
            inode.map_err(|error| format!("cannot set the permissions of {name}: {error}"))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            inode,
            made,
        })
    }

    /// Gives it to a user, with the directory that was made for it: it is his to remove.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn give_to(&self, user: &User) -> io::Result<()> {
        let ours = [Some(&self.path), self.made.as_ref()];
        for path in ours.into_iter().flatten() {
            chown(path, Some(user.uid), Some(user.gid))?;
        }
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether clients find it: who was started at the same moment may have taken its place, as that of one that was
    /// left behind.
    fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|it| it.ino() == self.inode)
    }

    /// Likewise, for who is up from now on.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn check_in_place(&self) -> Result<(), String> {
        if self.is_in_place() {
            return Ok(());
        }
        let name = self.path.display();
        Err(format!(
            "{name} was removed, or another corelane listens there by now: --socket names another place"
        ))
    }

    /// What listens.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if self.is_in_place()
            && let Err(error) = fs::remove_file(&self.path)
        {
            let path = self.path.display().to_string();
            tracing::warn!(path, %error, "the control socket stays behind");
        }
        if let Some(dir) = &self.made {
            // It may hold another's by now, or not be this user's to remove.
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Makes the directory of a socket. Returns it if it was not there.
fn make_directory(socket: &Path) -> io::Result<Option<PathBuf>> {
    let Some(dir) = socket.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(None);
    };
    match fs::create_dir(dir) {
        Ok(()) => Ok(Some(dir.to_owned())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a socket that nobody listens at.
fn remove_stale(path: &Path) -> Result<(), String> {
    let name = path.display();
    let Ok(there) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !there.file_type().is_socket() {
        return Err(format!(
            "{name} is there and no socket; --socket names another place"
        ));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| format!("cannot remove {name}, which nobody listens at: {error}")),
        Ok(_) => Err(format!(
            "somebody listens at {name} already: end that corelane, or name another place by --socket"
        )),
        Err(error) => Err(format!(
            "cannot tell whether somebody listens at {name}: {error}; --socket names another place"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("corelane-{}-{name}", std::process::id()));
        // Of an earlier run, or nothing.
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn a_socket_has_its_permissions_and_goes() {
        let dir = scratch("socket");
        let path = dir.join("control.sock");
        for mode in [0o600, 0o660] {
            let socket = ControlSocket::bind(&path, mode).unwrap();
            let there = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
            assert_eq!(there, mode);
            drop(socket);
            assert!(
                !dir.exists(),
                "nor does the directory that was made for it stay"
            );
        }
    }

    #[test]
    fn what_is_left_behind_is_replaced_and_nothing_else() {
        let dir = scratch("stale");
        fs::create_dir(&dir).unwrap();
        let path = dir.join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves it");
        let socket = ControlSocket::bind(&path, 0o600).unwrap();
        let refused = ControlSocket::bind(&path, 0o600).err().unwrap();
        assert!(refused.contains("somebody listens"), "{refused}");
        assert!(path.exists(), "the one in use stays");
        // Another in its place is not removed with it.
        assert_eq!(socket.check_in_place(), Ok(()));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert!(socket.check_in_place().is_err());
        drop(socket);
        let refused = ControlSocket::bind(&path, 0o600).err().unwrap();
        assert!(refused.contains("no socket"), "{refused}");
        fs::remove_dir_all(dir).unwrap();
    }
}
