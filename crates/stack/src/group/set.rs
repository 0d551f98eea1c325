//! The groups of a NIC and how often each was joined.

use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use rpds::HashTrieMapSync;

use crate::address::Key;

/// Who joins or leaves a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joiner {
    /// Whoever called `join_group`.
    User,
    /// The NIC itself, for its addresses and its protocols.
    Nic,
}

/// How often a group is joined. The NIC is a member while either count is above 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Joins {
    /// By users, not yet left.
    pub(crate) by_user: u32,
    /// By the NIC, not yet left.
    pub(crate) by_nic: u32,
}

impl Joins {
    pub(super) fn count(self, joiner: Joiner) -> u32 {
        match joiner {
            Joiner::User => self.by_user,
            Joiner::Nic => self.by_nic,
        }
    }

    pub(super) fn with(mut self, joiner: Joiner, count: u32) -> Self {
        match joiner {
            Joiner::User => self.by_user = count,
            Joiner::Nic => self.by_nic = count,
        }
        self
    }

    /// Whether the NIC is no member.
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// The second seed of the hash, process-wide: the secret is each set's own.
static SHARED_SEED: SharedSeed = SharedSeed::from_u64(0x636f_7265_6c61_6e65);

/// The groups a NIC is a member of. A clone is O(1) and stays as it is: what a snapshot carries.
#[derive(Clone, Debug)]
pub(crate) struct GroupSet(HashTrieMapSync<Key, Joins, SeedableRandomState>);

impl GroupSet {
    /// An empty set; `seed` keys its hash.
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, &SHARED_SEED);
        Self(HashTrieMapSync::new_with_hasher_and_ptr_kind(hasher))
    }

    /// Whether the NIC is a member. No allocation.
    #[inline]
    pub(crate) fn contains(&self, group: Key) -> bool {
        !self.0.is_empty() && self.0.contains_key(&group)
    }

    /// How often a group is joined.
    pub(crate) fn joins(&self, group: Key) -> Joins {
        self.0.get(&group).copied().unwrap_or_default()
    }

    /// How many groups there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.size()
    }

    /// Sets a group's counts; without any, the group is gone.
    pub(super) fn set(&mut self, group: Key, joins: Joins) {
        if joins.is_none() {
            self.0.remove_mut(&group);
        } else {
            self.0.insert_mut(group, joins);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.keys().copied()
    }

    /// The groups and their counts, in no order (the same order for the same seed and calls).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpAddr, Joins)> {
        self.0.iter().map(|(key, joins)| (key.address(), *joins))
    }
}
