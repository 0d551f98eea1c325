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
    /// That of a link on the device of this number, whatever its name is by now; None where the system does not know
    /// it, as one that is in another namespace.
    pub(super) fn of(device: Option<i32>, has_failed: bool) -> Option<Self> {
        if has_failed {
            return Some(Self::Failed);
        }
        let interface = device_of(device)?;
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

fn device_of(number: Option<i32>) -> Option<Interface> {
    Interface::of_index(number?).ok()?
}

/// The largest packet that the device of this number takes, in bytes without the link header.
pub(super) fn mtu_of(device: Option<i32>) -> Option<usize> {
    device_of(device)?.mtu().ok()
}

/// How many queues the device of this number receives by, as far as its driver tells.
pub(super) fn queues_of(device: Option<i32>) -> Option<usize> {
    let queues = device_of(device)?.receive_queues().ok()??;
    usize::try_from(queues).ok()
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
pub(super) struct SeenStates {
    states: BTreeMap<NicId, Option<LinkState>>,
    /// Of those that take less than their NIC's MTU: what they take.
    narrow: Wrong,
    /// Of those whose devices have other queues than they: how many.
    spread: Wrong,
}

/// What is wrong with links, as it was last told.
#[derive(Default)]
struct Wrong(BTreeMap<NicId, usize>);

impl Wrong {
    /// Takes in what is wrong now, if something is; whether that is news.
    fn see(&mut self, nic: NicId, wrong: Option<usize>) -> bool {
        match wrong {
            Some(wrong) => self.0.insert(nic, wrong) != Some(wrong),
            None => {
                self.0.remove(&nic);
                false
            }
        }
    }
}

impl SeenStates {
    /// Takes in how the link of a NIC is; whether its device is another way than when it was last seen. That a link
    /// failed is told by its own event.
    pub(super) fn see(&mut self, nic: NicId, state: Option<LinkState>) -> bool {
        let before = self.states.insert(nic, state).flatten();
        let is_of_device = |state: LinkState| state != LinkState::Failed;
        before.is_some_and(is_of_device) && state.is_some_and(is_of_device) && before != state
    }

    /// Takes in the MTU of a link; whether that is less than the NIC's, and another than when it was last seen.
    pub(super) fn narrows(&mut self, nic: NicId, of_nic: usize, of_link: Option<usize>) -> bool {
        self.narrow.see(nic, of_link.filter(|mtu| *mtu < of_nic))
    }

    /// Takes in the queues of a device; whether they are not as many as the link's, and others than when they were
    /// last seen.
    pub(super) fn spreads(&mut self, nic: NicId, of_link: usize, of_device: Option<usize>) -> bool {
        let other = of_device.filter(|queues| *queues != of_link);
        self.spread.see(nic, other)
    }

    /// Its number may be another's soon.
    pub(super) fn forget(&mut self, nic: NicId) {
        self.states.remove(&nic);
        self.narrow.see(nic, None);
        self.spread.see(nic, None);
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
    fn an_mtu_that_is_too_small_is_told_once() {
        let (mut seen, nic) = (SeenStates::default(), NicId(3));
        for (mtu, is_told) in [
            (Some(1500), false),
            (Some(1400), true),
            (Some(1400), false),
            (Some(1300), true),
            (Some(9000), false),
            (Some(1300), true),
            (None, false),
        ] {
            assert_eq!(seen.narrows(nic, 1500, mtu), is_told, "{mtu:?}");
        }
    }

    #[test]
    fn queues_that_are_others_are_told_once() {
        let (mut seen, nic) = (SeenStates::default(), NicId(3));
        for (queues, is_told) in [
            (Some(2), false),
            (Some(4), true),
            (Some(4), false),
            (Some(1), true),
            (None, false),
            (Some(1), true),
            (Some(2), false),
        ] {
            assert_eq!(seen.spreads(nic, 2, queues), is_told, "{queues:?}");
        }
        assert_eq!(queues_of(Some(i32::MAX)), None);
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
        assert_eq!(LinkState::of(None, false), None);
        assert_eq!(LinkState::of(Some(i32::MAX), false), None);
        assert_eq!(LinkState::of(None, true), Some(LinkState::Failed));
        assert_eq!(mtu_of(Some(i32::MAX)), None);
    }
}
