//! Duplicate address detection: which addresses are being probed, and when what is due
//! (RFC 4862 section 5.4, RFC 7527).
//!
//! Nothing here sends or knows the time: [`Dads::next_due`] says what the next step of an address is,
//! and the NIC takes it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::address::Key;
use crate::clock::Time;

/// What a solicitation carries so that it is recognized when it comes back.
pub(crate) type Nonce = [u8; 6];

/// Solicitations more after one of ours came back: MAX_MULTICAST_SOLICIT (RFC 4861 section 10) as
/// RFC 7527 section 4.1 has it.
const EXTENSION: u32 = 3;

/// One address that is being probed.
struct Dad {
    /// Its endpoint.
    index: u32,
    sent: u32,
    wanted: u32,
    /// One of ours came back, and `wanted` was raised for it: once.
    extended: bool,
    /// When the next step is due.
    due: Time,
    /// Of the solicitations sent.
    nonces: Vec<Nonce>,
}

/// What is due for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send a solicitation.
    Solicit,
    /// Nobody objected: the endpoint at this index can be used.
    Assign(u32),
}

/// The addresses of a NIC that are being probed.
#[derive(Default)]
pub(crate) struct Dads {
    running: HashMap<Key, Dad, foldhash::fast::RandomState>,
    timers: BTreeSet<(Time, Key)>,
}

impl Dads {
    /// Begins to probe an address: its first step is due at once.
    pub(crate) fn start(&mut self, key: Key, index: u32, transmits: u8, now: Time) {
        self.stop(key);
        let dad = Dad {
            index,
            sent: 0,
            wanted: u32::from(transmits),
            extended: false,
            due: now,
            nonces: Vec::new(),
        };
        self.timers.insert((now, key));
        self.running.insert(key, dad);
    }

    /// Gives up probing an address; false if it was not being probed.
    pub(crate) fn stop(&mut self, key: Key) -> bool {
        let Some(dad) = self.running.remove(&key) else {
            return false;
        };
        self.timers.remove(&(dad.due, key));
        true
    }

    /// Gives up probing; returns what was being probed.
    pub(crate) fn stop_all(&mut self) -> Vec<Key> {
        self.timers.clear();
        let mut keys: Vec<Key> = self.running.drain().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys
    }

    /// When the next step of any address is due.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The address whose step is due first, by `now`.
    pub(crate) fn next_due(&self, now: Time) -> Option<(Key, Step)> {
        let (due, key) = *self.timers.first()?;
        if due > now {
            return None;
        }
        let dad = self.running.get(&key)?;
        Some((
            key,
            if dad.sent < dad.wanted {
                Step::Solicit
            } else {
                Step::Assign(dad.index)
            },
        ))
    }

    /// A solicitation is on its way: the next step is due after `timer`.
    pub(crate) fn solicited(&mut self, key: Key, nonce: Option<Nonce>, timer: Duration, now: Time) {
        let Some(dad) = self.running.get_mut(&key) else {
            return;
        };
        dad.sent += 1;
        dad.nonces.extend(nonce);
        reschedule(&mut self.timers, key, dad, now + timer);
    }

    /// The solicitation with this nonce was not sent after all: there was no room. It is tried again
    /// at `when`, as if it had never been.
    pub(crate) fn unsent(&mut self, key: Key, nonce: Option<Nonce>, when: Time) {
        let Some(dad) = self.running.get_mut(&key) else {
            return;
        };
        if let Some(nonce) = nonce {
            let Some(at) = dad.nonces.iter().rposition(|sent| *sent == nonce) else {
                return; // of an attempt that was given up since
            };
            dad.nonces.remove(at);
        }
        dad.sent = dad.sent.saturating_sub(1);
        reschedule(&mut self.timers, key, dad, when);
    }

    /// Whether a solicitation for an address that is being probed is one of ours that came back.
    /// The first time, more are sent: a loop may hide a duplicate behind it.
    pub(crate) fn is_looped_back(&mut self, key: Key, nonce: &[u8]) -> bool {
        let Some(dad) = self.running.get_mut(&key) else {
            return false;
        };
        let ours = dad.nonces.iter().any(|sent| sent == nonce);
        if ours && !dad.extended {
            dad.extended = true;
            dad.wanted += EXTENSION;
        }
        ours
    }

    /// How many addresses are being probed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.running.len(), self.timers.len());
        self.running.len()
    }
}

fn reschedule(timers: &mut BTreeSet<(Time, Key)>, key: Key, dad: &mut Dad, due: Time) {
    timers.remove(&(dad.due, key));
    dad.due = due;
    timers.insert((due, key));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMER: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Time {
        Time::ZERO + Duration::from_millis(milliseconds)
    }

    #[test]
    fn an_address_is_assigned_a_timer_after_its_last_solicitation() {
        let key = Key::v6(1);
        let mut dads = Dads::default();
        dads.start(key, 7, 2, at(0));
        for round in [0, 1000] {
            assert_eq!(dads.next_deadline(), Some(at(round)));
            assert_eq!(dads.next_due(at(round)), Some((key, Step::Solicit)));
            dads.solicited(key, Some([round as u8; 6]), TIMER, at(round));
            assert_eq!(dads.next_due(at(round)), None);
        }
        assert_eq!(dads.next_due(at(1999)), None);
        assert_eq!(dads.next_due(at(2000)), Some((key, Step::Assign(7))));
        assert!(dads.stop(key));
        assert!(!dads.stop(key));
        assert_eq!((dads.len(), dads.next_deadline()), (0, None));
    }

    #[test]
    fn a_solicitation_without_room_is_tried_again_and_not_counted() {
        let key = Key::v6(1);
        let mut dads = Dads::default();
        dads.start(key, 7, 1, at(0));
        dads.solicited(key, Some([1; 6]), TIMER, at(0));
        dads.unsent(key, Some([1; 6]), at(1));
        assert!(!dads.is_looped_back(key, &[1; 6]), "it was never sent");
        assert_eq!(dads.next_due(at(0)), None);
        assert_eq!(dads.next_due(at(1)), Some((key, Step::Solicit)));
        dads.solicited(key, Some([2; 6]), TIMER, at(1));
        assert_eq!(dads.next_due(at(1001)), Some((key, Step::Assign(7))));
    }

    #[test]
    fn a_solicitation_without_room_is_not_taken_for_one_of_a_later_attempt() {
        let key = Key::v6(1);
        let mut dads = Dads::default();
        dads.start(key, 7, 1, at(0));
        dads.solicited(key, Some([1; 6]), TIMER, at(0));
        // Removed and added again, before the first attempt's sender tells that it had no room.
        dads.start(key, 8, 1, at(0));
        dads.solicited(key, Some([2; 6]), TIMER, at(0));
        dads.unsent(key, Some([1; 6]), at(1));
        assert_eq!(dads.next_due(at(999)), None);
        assert_eq!(dads.next_due(at(1000)), Some((key, Step::Assign(8))));
        assert!(dads.is_looped_back(key, &[2; 6]), "that one was sent");
    }

    #[test]
    fn one_that_comes_back_makes_it_send_three_more_once() {
        let key = Key::v6(1);
        let mut dads = Dads::default();
        dads.start(key, 7, 1, at(0));
        dads.solicited(key, Some([1; 6]), TIMER, at(0));
        assert!(!dads.is_looped_back(key, &[9; 6]), "somebody else's");
        assert!(!dads.is_looped_back(key, &[]), "without a nonce");
        assert!(dads.is_looped_back(key, &[1; 6]));
        let mut sent = 1;
        let mut now = at(0);
        let assigned = loop {
            now = now + TIMER;
            match dads.next_due(now) {
                Some((_, Step::Solicit)) => {
                    sent += 1;
                    dads.solicited(key, Some([sent; 6]), TIMER, now);
                    assert!(dads.is_looped_back(key, &[sent; 6]), "again");
                }
                step => break step,
            }
        };
        assert_eq!((sent, assigned), (4, Some((key, Step::Assign(7)))));
    }

    #[test]
    fn stopping_all_leaves_nothing() {
        let mut dads = Dads::default();
        for n in 0..10 {
            dads.start(Key::v6(n), n as u32, 1, at(5));
            dads.start(Key::v6(n), n as u32, 1, at(6));
        }
        assert_eq!(dads.len(), 10);
        assert_eq!(dads.next_due(at(5)), None, "started anew");
        assert_eq!(dads.stop_all().len(), 10);
        assert_eq!((dads.len(), dads.next_deadline()), (0, None));
    }
}
