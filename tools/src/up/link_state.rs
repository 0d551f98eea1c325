//! What is known of links while they are used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane::stack::{Event, NicId};
use corelane_sys::interface::Interface;

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    /// Its device is up, and has a carrier.
    Up,
    /// Its device is up, and has none: the other end of its wire is down, or not there.
    NoCarrier,
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
        let is_up = || interface.is_up().ok();
        Some(if !is_up()? {
            Self::Down
        } else if interface.has_carrier().ok()? {
            Self::Up
        } else if is_up()? {
            Self::NoCarrier
        } else {
            // It went down meanwhile, and its carrier with it.
            Self::Down
        })
    }

    /// As it is written.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::NoCarrier => "no-carrier",
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

/// The states of links as they were last seen.
#[derive(Default)]
pub(super) struct SeenStates(BTreeMap<NicId, Option<LinkState>>);

impl SeenStates {
    /// Takes in how the link of a NIC is; whether its device is another way than when it was last seen. That a link
    /// failed is told by its own event.
    pub(super) fn see(&mut self, nic: NicId, state: Option<LinkState>) -> bool {
        let before = self.0.insert(nic, state).flatten();
        let is_of_device = |state: LinkState| state != LinkState::Failed;
        before.is_some_and(is_of_device) && state.is_some_and(is_of_device) && before != state
    }

    /// Its number may be another's soon.
    pub(super) fn forget(&mut self, nic: NicId) {
        self.0.remove(&nic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_told_when_it_is_another() {
        use LinkState::{Down, Failed, NoCarrier, Up};
        let (mut seen, nic) = (SeenStates::default(), NicId(3));
        for (state, is_told) in [
            (Some(NoCarrier), false),
            (Some(NoCarrier), false),
            (Some(Up), true),
            (Some(Down), true),
            (Some(Failed), false),
            (Some(Up), false),
            (None, false),
            (Some(Down), false),
        ] {
            assert_eq!(seen.see(nic, state), is_told, "{state:?}");
        }
        seen.forget(nic);
        assert!(!seen.see(nic, Some(Up)));
    }

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
