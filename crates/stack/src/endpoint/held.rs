//! Temporary endpoints that somebody holds, by key: visible to all workers at once, without a
//! publish, because they may come and go with every flow.
#![expect(
    clippy::disallowed_types,
    reason = "a worker asks the map only while it is not empty, for addresses that are not in the table"
)]

use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::{DashMap, Entry};

use crate::address::Key;

/// The map, and its size beside it.
#[derive(Default)]
pub(super) struct Held {
    map: DashMap<Key, u32, foldhash::fast::RandomState>,
    /// Written after the map grew and before it is seen to have shrunk: while it is 0, whoever
    /// made the map grow has not gone on to look for what a publish made visible.
    len: AtomicUsize,
}

impl Held {
    /// What stands under `key`.
    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<u32> {
        if self.len.load(Ordering::SeqCst) == 0 {
            return None;
        }
        self.find_in_map(key)
    }

    #[cold]
    fn find_in_map(&self, key: Key) -> Option<u32> {
        self.map.get(&key).map(|index| *index)
    }

    /// What stands under `key`, if `acquire` gets a reference to it; otherwise what `create` makes,
    /// which stands there from now on.
    pub(super) fn find_or_insert<E>(
        &self,
        key: Key,
        acquire: impl FnOnce(u32) -> bool,
        create: impl FnOnce() -> Result<u32, E>,
    ) -> Result<u32, E> {
        match self.map.entry(key) {
            Entry::Occupied(entry) if acquire(*entry.get()) => Ok(*entry.get()),
            // Dead, and its death reported: the control plane will find another under the key and
            // take nothing out.
            Entry::Occupied(mut entry) => {
                let index = create()?;
                entry.insert(index);
                Ok(index)
            }
            Entry::Vacant(entry) => {
                let index = create()?;
                entry.insert(index);
                self.len.fetch_add(1, Ordering::SeqCst);
                Ok(index)
            }
        }
    }

    /// Takes `index` out if it is what stands under `key`.
    pub(super) fn remove(&self, key: Key, index: u32) {
        if self.map.remove_if(&key, |_, held| *held == index).is_some() {
            self.len.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// All that stand there, in no order.
    pub(super) fn all(&self) -> Vec<u32> {
        self.map.iter().map(|entry| *entry.value()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }
}
