//! ARP announcements: which addresses are to be announced when (RFC 5227 sections 2.3 and 3).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::address::Key;
use crate::clock::Time;

/// Announcements of an address that comes into use: ANNOUNCE_NUM.
const COUNT: u8 = 2;

/// Between two of them: ANNOUNCE_INTERVAL.
const INTERVAL: Duration = Duration::from_secs(2);

/// The addresses of a NIC that are being announced.
#[derive(Default)]
pub(crate) struct Announcements {
    /// When the next one is due, and how many are left.
    running: HashMap<Key, (Time, u8), foldhash::fast::RandomState>,
    timers: BTreeSet<(Time, Key)>,
}

impl Announcements {
    /// Begins to announce an address: the first time at once.
    pub(crate) fn start(&mut self, key: Key, now: Time) {
        self.schedule(key, now, COUNT);
    }

    /// Announces an address no more.
    pub(crate) fn stop(&mut self, key: Key) {
        if let Some((due, _)) = self.running.remove(&key) {
            self.timers.remove(&(due, key));
        }
    }

    /// Announces none any more.
    pub(crate) fn stop_all(&mut self) {
        self.running.clear();
        self.timers.clear();
    }

    /// When something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The address to be announced now, if there is one.
    pub(crate) fn next_due(&self, now: Time) -> Option<Key> {
        let (due, key) = *self.timers.first()?;
        (due <= now).then_some(key)
    }

    /// An announcement is on its way.
    pub(crate) fn announced(&mut self, key: Key, now: Time) {
        let left = self.running.get(&key).map_or(0, |(_, left)| *left);
        match left.checked_sub(1) {
            None | Some(0) => self.stop(key),
            Some(left) => self.schedule(key, now + INTERVAL, left),
        }
    }

    /// One was not sent after all: it is tried again at `when`, but for the last one, which only repeats
    /// what was said.
    pub(crate) fn unsent(&mut self, key: Key, when: Time) {
        if let Some((_, left)) = self.running.get(&key) {
            self.schedule(key, when, (left + 1).min(COUNT));
        }
    }

    fn schedule(&mut self, key: Key, due: Time, left: u8) {
        self.stop(key);
        self.running.insert(key, (due, left));
        self.timers.insert((due, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::ZERO + Duration::from_millis(milliseconds)
    }

    #[test]
    fn an_address_is_announced_twice() {
        let key = Key::v4(7);
        let mut all = Announcements::default();
        all.start(key, at(0));
        assert_eq!(all.next_due(at(0)), Some(key));
        all.announced(key, at(0));
        assert_eq!(all.next_due(at(1999)), None);
        assert_eq!(all.next_deadline(), Some(at(2000)));
        all.announced(key, at(2000));
        assert_eq!((all.next_deadline(), all.running.len()), (None, 0));
    }

    #[test]
    fn one_that_found_no_room_is_not_counted() {
        let key = Key::v4(7);
        let mut all = Announcements::default();
        all.start(key, at(0));
        all.announced(key, at(0));
        all.unsent(key, at(1));
        assert_eq!(all.next_due(at(0)), None);
        assert_eq!(all.next_due(at(1)), Some(key));
        all.announced(key, at(1));
        assert_eq!(all.next_deadline(), Some(at(2001)));
        all.announced(key, at(2001));
        all.unsent(key, at(2002));
        assert_eq!(
            all.next_deadline(),
            None,
            "the last one, or the address is gone"
        );
        all.start(key, at(0));
        all.start(Key::v4(8), at(0));
        all.stop(key);
        assert_eq!(all.next_due(at(0)), Some(Key::v4(8)));
        all.stop_all();
        assert_eq!(all.next_deadline(), None);
    }
}
