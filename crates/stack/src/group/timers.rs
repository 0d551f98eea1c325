//! One deadline per group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::address::Key;
use crate::clock::Time;

/// A group in the order of its address: what is sent for several at once is sorted, whatever the
/// order of the joins and the seed of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group(u128);

impl Group {
    pub(super) fn address(self) -> IpAddr {
        Key::v6(self.0).address()
    }
}

impl From<Key> for Group {
    fn from(key: Key) -> Self {
        Self(key.bits())
    }
}

/// A deadline and a value per group. All calls are O(log n); nothing stays behind of a cancelled
/// one, however often it is set again.
#[derive(Debug)]
pub(super) struct Timers<T> {
    by_group: BTreeMap<Group, (Time, T)>,
    by_time: BTreeSet<(Time, Group)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            by_group: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<T> Timers<T> {
    pub(super) fn set(&mut self, group: Group, at: Time, value: T) {
        self.cancel(group);
        self.by_group.insert(group, (at, value));
        self.by_time.insert((at, group));
    }

    /// The value, if the timer was running.
    pub(super) fn cancel(&mut self, group: Group) -> Option<T> {
        let (at, value) = self.by_group.remove(&group)?;
        self.by_time.remove(&(at, group));
        Some(value)
    }

    pub(super) fn deadline(&self, group: Group) -> Option<Time> {
        self.by_group.get(&group).map(|&(at, _)| at)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// Stops the first timer whose deadline is `now` or before.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Group, T)> {
        let &(_, group) = self.by_time.first().filter(|&&(at, _)| at <= now)?;
        self.cancel(group).map(|value| (group, value))
    }

    pub(super) fn clear(&mut self) {
        self.by_group.clear();
        self.by_time.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.by_group.len(), self.by_time.len());
        self.by_group.len()
    }
}
