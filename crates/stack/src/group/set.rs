//! The groups of a NIC and how often each was joined.

use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use rpds::HashTrieMapSync;

use super::solicited::{Members, Solicited};
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

/// The groups a NIC is a member of: what a snapshot carries, and what the control plane changes.
///
/// Counts stand in a persistent map: a clone is O(1) and stays as it is. But the NIC's joins of
/// solicited-node groups, as many as it has IPv6 addresses, stand in a table that clones share, and
/// with them whether users have joined such a group too: who is in one is in effect at once.
#[derive(Clone, Debug)]
pub(crate) struct GroupSet {
    joins: HashTrieMapSync<Key, Joins, SeedableRandomState>,
    solicited: Solicited,
}

impl GroupSet {
    /// An empty set; `seed` keys its hash.
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, &SHARED_SEED);
        Self {
            joins: HashTrieMapSync::new_with_hasher_and_ptr_kind(hasher),
            solicited: Solicited::new(seed),
        }
    }

    /// Whether the NIC is a member. No allocation.
    #[inline]
    pub(crate) fn contains(&self, group: Key) -> bool {
        match Solicited::id(group) {
            Some(id) => !self.solicited.members(id).is_none(),
            None => !self.joins.is_empty() && self.joins.contains_key(&group),
        }
    }

    /// How often a group is joined.
    pub(crate) fn joins(&self, group: Key) -> Joins {
        let mut joins = self.joins.get(&group).copied().unwrap_or_default();
        if let Some(id) = Solicited::id(group) {
            joins.by_nic = self.solicited.members(id).addresses();
        }
        joins
    }

    /// How many groups there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    /// Sets a group's counts; without any, the group is gone.
    pub(super) fn set(&mut self, group: Key, mut joins: Joins) {
        if let Some(id) = Solicited::id(group) {
            let members = Members::new(joins.by_nic, joins.by_user > 0);
            self.solicited.set(id, members);
            joins.by_nic = 0;
        }
        if joins.is_none() {
            // Without a look, removing would copy what leads to nothing.
            if self.joins.contains_key(&group) {
                self.joins.remove_mut(&group);
            }
        } else {
            self.joins.insert_mut(group, joins);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        let others = self.joins.keys().copied();
        let others = others.filter(|group| Solicited::id(*group).is_none());
        others.chain(self.solicited.iter())
    }

    /// The groups and their counts, in no order (the same order for the same seed and calls).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpAddr, Joins)> {
        self.keys()
            .map(|group| (group.address(), self.joins(group)))
    }
}
