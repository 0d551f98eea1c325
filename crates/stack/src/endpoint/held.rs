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
    /// Permanent endpoints that are not published yet: for whoever holds an address meanwhile. Written
    /// and asked for a new endpoint's sake while the key's part of `map` is locked, so that of two
    /// that want one under a key the second finds the first's. Workers do not ask: they see what is
    /// published.
    claims: DashMap<Key, u32, foldhash::fast::RandomState>,
    /// Never less than the map has: written before it grows, while the key's part is locked, and after
    /// it shrank. So whoever found something in the map sees that it is not empty, and while it is 0
    /// nobody who made the map grow has gone on to look for what a publish made visible.
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
        acquire: impl Fn(u32) -> bool,
        create: impl FnOnce() -> Result<u32, E>,
    ) -> Result<u32, E> {
        let entry = self.map.entry(key);
        if let Entry::Occupied(held) = &entry
            && acquire(*held.get())
        {
            return Ok(*held.get());
        }
        let claimed = self.claims.get(&key).map(|index| *index);
        if let Some(index) = claimed.filter(|index| acquire(*index)) {
            return Ok(index);
        }
        let index = create()?;
        match entry {
            // Dead, and its death reported: the control plane will find another under the key and
            // take nothing out.
            Entry::Occupied(mut entry) => {
                entry.insert(index);
            }
            Entry::Vacant(entry) => {
                // Once it is in, an add may promote it, and has to take it out again: it would not look
                // into a map that seems empty.
                self.len.fetch_add(1, Ordering::SeqCst);
                entry.insert(index);
            }
        }
        Ok(index)
    }

    /// What stands under `key`, if `promote` makes it permanent; otherwise what `create` makes, which
    /// whoever wants to hold the key finds until [`unclaim`](Self::unclaim).
    pub(super) fn claim<E>(
        &self,
        key: Key,
        promote: impl FnOnce(u32) -> bool,
        create: impl FnOnce() -> Result<u32, E>,
    ) -> Result<u32, E> {
        let entry = self.map.entry(key);
        if let Entry::Occupied(held) = &entry
            && promote(*held.get())
        {
            return Ok(*held.get());
        }
        let index = create()?;
        self.claims.insert(key, index);
        Ok(index)
    }

    /// Forgets a claim, if there is one.
    pub(super) fn unclaim(&self, key: Key) {
        self.claims.remove(&key);
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
