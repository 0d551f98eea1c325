//! Whom it runs as.

use std::borrow::Cow;
use std::ffi::CString;

use nix::unistd::{Gid, Uid, geteuid, initgroups, setresgid, setresuid};

/// What there is to do about it.
pub(super) const ONLY_ROOT: &str =
    "only root can, where it has a number for that user (unshare -rn has none but root's)";

/// A user of this machine.
#[derive(Clone, Debug)]
pub(crate) struct User {
    name: CString,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
}

impl User {
    /// The user of this name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let found = match name.parse() {
            Ok(number) => nix::unistd::User::from_uid(Uid::from_raw(number)),
            Err(_) => nix::unistd::User::from_name(name),
        };
        let found = found.map_err(|error| format!("user: cannot look up '{name}': {error}"))?;
        let found = found.ok_or_else(|| {
            format!("user: there is no user '{name}' on this machine; getent passwd lists them")
        })?;
        let name = CString::new(found.name)
            .map_err(|_| format!("user: '{name}' has a NUL in its name"))?;
        Ok(Self {
            name,
            uid: found.uid,
            gid: found.gid,
        })
    }

    /// As it is called.
    pub(super) fn name(&self) -> Cow<'_, str> {
        self.name.to_string_lossy()
    }

    /// Whether the process runs as this user already.
    pub(super) fn is_current(&self) -> bool {
        geteuid() == self.uid
    }

    /// Becomes this user, on all threads and for good.
    ///
    /// # Errors
    /// The process may not.
    pub(super) fn become_it(&self) -> Result<(), String> {
        let name = self.name();
        let fail = |what: &str, error: nix::Error| {
            format!("user: cannot become '{name}': {what}: {error}; {ONLY_ROOT}")
        };
        // Groups first: afterwards it is too late.
        initgroups(&self.name, self.gid).map_err(|error| fail("its groups", error))?;
        setresgid(self.gid, self.gid, self.gid).map_err(|error| fail("its group", error))?;
        setresuid(self.uid, self.uid, self.uid).map_err(|error| fail("its number", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_of_that_name_is_an_error_that_says_so() {
        let error = User::named("no-such-user").unwrap_err();
        assert!(error.contains("no user 'no-such-user'"), "{error}");
        assert!(User::named("root").unwrap().uid.is_root());
    }
}
