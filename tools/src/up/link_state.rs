//! What is known of links while they are used.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane::stack::{Event, NicId};
use corelane_sys::interface::Interface;

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    /// Its device is up.
    Up,
    /// Its device is down.
    Down,
    /// A queue of it ended with an error. It stays so until the NIC is removed.
    Failed,
}

impl LinkState {
    /// That of a link on this device; None where the system does not know the device.
    pub(super) fn of(device: &str, has_failed: bool) -> Option<Self> {
        if has_failed {
            return Some(Self::Failed);
        }
        let interface = Interface::new(device.parse().ok()?).ok()?;
        let is_up = interface.is_up().ok()?;
        Some(if is_up { Self::Up } else { Self::Down })
    }

    /// As it is written.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Failed => "failed",
        }
    }
}

/// The NICs whose links have failed. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct FailedLinks(Arc<Mutex<BTreeSet<NicId>>>);

impl FailedLinks {
    fn set(&self) -> MutexGuard<'_, BTreeSet<NicId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what an event tells.
    pub(super) fn learn(&self, event: &Event) {
        match event {
            Event::LinkFailed { nic, .. } => drop(self.set().insert(*nic)),
            // Its number may be another's soon.
            Event::NicRemoved { nic } => drop(self.set().remove(nic)),
            _ => {}
        }
    }

    /// Whether the link of this NIC is one of them.
    pub(super) fn has(&self, nic: NicId) -> bool {
        self.set().contains(&nic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_failed_until_its_nic_is_removed() {
        let (failed, nic) = (FailedLinks::default(), NicId(3));
        let error = "unplugged".to_owned();
        failed.clone().learn(&Event::LinkFailed { nic, error });
        assert!(failed.has(nic) && !failed.has(NicId(4)));
        failed.learn(&Event::NicDisabled { nic });
        assert!(failed.has(nic));
        failed.learn(&Event::NicRemoved { nic });
        assert!(!failed.has(nic));
    }

    #[test]
    fn what_the_system_does_not_know_has_no_state() {
        assert_eq!(LinkState::of("no-such-dev", false), None);
        assert_eq!(LinkState::of("a name that is none", false), None);
        assert_eq!(LinkState::of("no-such-dev", true), Some(LinkState::Failed));
    }
}
