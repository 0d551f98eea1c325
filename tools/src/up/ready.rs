//! Telling a service manager how it stands (sd_notify).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells the service manager, if `NOTIFY_SOCKET` names one.
pub(super) fn notify(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(socket = %socket.display(), %error, "NOTIFY_SOCKET: cannot tell '{state}'");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(state.as_bytes(), &address)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_told_by_path_and_by_abstract_name() {
        let name = format!("corelane-{}-notify", std::process::id());
        let path = std::env::temp_dir().join(&name);
        // Of an earlier run, or nothing.
        let _ = std::fs::remove_file(&path);
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let (by_path, by_name) = (
            UnixDatagram::bind(&path).unwrap(),
            UnixDatagram::bind_addr(&address).unwrap(),
        );
        let abstract_name = format!("@{name}");
        for (manager, socket) in [
            (by_path, path.as_os_str()),
            (by_name, OsStr::new(&abstract_name)),
        ] {
            send(socket, "READY=1").unwrap();
            let mut told = [0; 32];
            let len = manager.recv(&mut told).unwrap();
            assert_eq!(&told[..len], b"READY=1");
        }
        std::fs::remove_file(path).unwrap();
    }
}
