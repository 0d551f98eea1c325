//! Solicited-node groups, compactly: one for each IPv6 address, so there may be as many.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corelane_wire::solicited_node;

use crate::address::Key;

/// `ff02::1:ff00:0/104`, in the 128 bits of a key.
const PREFIX: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;

/// The part of a group that tells it from the others: the low 24 bits of the addresses that have it.
const ID_MASK: u128 = 0x00ff_ffff;

/// Set in a slot that was ever used.
const USED: u64 = 1 << 63;

/// Who is in a group: in the low bits how many addresses (fewer than 2³¹, as there are endpoints),
/// and [`BY_USERS`]. One word for both, so that a group which one joins before the other leaves is
/// never seen without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Members(u32);

const BY_USERS: u32 = 1 << 31;

impl Members {
    pub(super) fn new(addresses: u32, by_users: bool) -> Self {
        debug_assert!(addresses < BY_USERS);
        Self(addresses | if by_users { BY_USERS } else { 0 })
    }

    pub(super) fn addresses(self) -> u32 {
        self.0 & !BY_USERS
    }

    #[inline]
    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Slots of the smallest table.
const SMALLEST: usize = 64;

/// Who is in each solicited-node group: how many addresses of a NIC, and whether users.
///
/// A hash table of one word per group, linearly probed: [`USED`], the group, its [`Members`]. The
/// control plane alone writes it, in place; a slot never becomes another group's, so that a worker
/// which reads it meanwhile sees the members from before or after a change and nothing else. When it
/// is full, a larger one takes its place, which workers get with their next snapshot.
#[derive(Clone, Debug)]
pub(super) struct Solicited {
    slots: Arc<[AtomicU64]>,
    /// Slots that were ever used, and groups that have a member.
    used: usize,
    groups: usize,
    seed: u64,
}

impl Solicited {
    /// No groups; `seed` keys the hash.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            slots: Arc::default(),
            used: 0,
            groups: 0,
            // Odd, so that the multiplication loses nothing.
            seed: seed | 1,
        }
    }

    /// The number by which a solicited-node group is known here; None for other groups.
    #[inline]
    pub(super) fn id(group: Key) -> Option<u32> {
        let bits = group.bits();
        (bits & !ID_MASK == PREFIX).then_some((bits & ID_MASK) as u32)
    }

    /// Who is in the group. No allocation, no write.
    #[inline]
    pub(super) fn members(&self, id: u32) -> Members {
        self.find(id).map_or(Members::default(), |slot| {
            parts(self.slots[slot].load(Ordering::Relaxed)).1
        })
    }

    /// How many groups there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.groups
    }

    /// Sets who is in a group.
    pub(super) fn set(&mut self, id: u32, members: Members) {
        let slot = match self.find(id) {
            Some(slot) => slot,
            None if members.is_none() => return,
            None => self.claim(id),
        };
        let word = &self.slots[slot];
        let before = parts(word.load(Ordering::Relaxed)).1;
        self.groups += usize::from(!members.is_none());
        self.groups -= usize::from(!before.is_none());
        word.store(word_of(id, members), Ordering::Relaxed);
        if self.groups == 0 {
            // Gives the memory back, and the slots of groups that were.
            self.slots = Arc::default();
            self.used = 0;
        }
    }

    /// The groups that have a member, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Key> {
        self.slots.iter().filter_map(|slot| {
            let (id, members) = parts(slot.load(Ordering::Relaxed));
            let address = Ipv6Addr::from_bits(u128::from(id));
            (!members.is_none()).then(|| Key::v6(solicited_node(address).to_bits()))
        })
    }

    /// Where the search for a group begins.
    #[inline]
    fn home(&self, id: u32) -> usize {
        let hash = (u64::from(id) + 1).wrapping_mul(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    /// The slot of a group, if it ever had one.
    #[inline]
    fn find(&self, id: u32) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let home = self.home(id);
        // A quarter of the slots at least were never used: the search ends at one of them.
        (0..self.slots.len())
            .map(|step| (home + step) & (self.slots.len() - 1))
            .map(|slot| (slot, self.slots[slot].load(Ordering::Relaxed)))
            .take_while(|(_, word)| *word != 0)
            .find(|(_, word)| parts(*word).0 == id)
            .map(|(slot, _)| slot)
    }

    /// A slot for a group that has none.
    fn claim(&mut self, id: u32) -> usize {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.rebuild();
        }
        self.used += 1;
        self.free_slot(id)
    }

    /// The first slot on a group's way that was never used.
    fn free_slot(&self, id: u32) -> usize {
        let (home, mask) = (self.home(id), self.slots.len() - 1);
        let mut slot = home;
        while self.slots[slot].load(Ordering::Relaxed) != 0 {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// Puts the groups that have a member into a table with room for as many again.
    fn rebuild(&mut self) {
        let len = (self.groups * 2 + 1).next_power_of_two().max(SMALLEST);
        let empty = std::iter::repeat_with(|| AtomicU64::new(0)).take(len);
        let old = std::mem::replace(&mut self.slots, empty.collect());
        self.used = self.groups;
        for slot in old.iter() {
            let (id, members) = parts(slot.load(Ordering::Relaxed));
            if !members.is_none() {
                let slot = self.free_slot(id);
                self.slots[slot].store(word_of(id, members), Ordering::Relaxed);
            }
        }
    }
}

fn word_of(id: u32, members: Members) -> u64 {
    USED | u64::from(id) << 32 | u64::from(members.0)
}

/// The group of a slot, and who is in it.
#[inline]
fn parts(word: u64) -> (u32, Members) {
    ((word >> 32) as u32 & ID_MASK as u32, Members(word as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn groups_are_known_by_their_low_bits() {
        let key = |text: &str| Key::from(text.parse::<std::net::IpAddr>().unwrap());
        assert_eq!(Solicited::id(key("ff02::1:ff12:3456")), Some(0x12_3456));
        assert_eq!(Solicited::id(key("ff02::1:ff00:0")), Some(0));
        for text in [
            "ff02::1",
            "ff02::1:fe12:3456",
            "ff05::1:ff12:3456",
            "224.0.0.1",
        ] {
            assert_eq!(Solicited::id(key(text)), None, "{text}");
        }
    }

    fn addresses(count: u32) -> Members {
        Members::new(count, false)
    }

    #[test]
    fn a_snapshot_finds_what_was_there_when_the_table_was_replaced() {
        let mut groups = Solicited::new(9);
        groups.set(0, addresses(1));
        let snapshot = groups.clone();
        for id in 1..1000 {
            groups.set(id, addresses(id));
        }
        assert_eq!(groups.len(), 1000);
        assert_eq!(snapshot.members(0), addresses(1));
        assert!(snapshot.members(999).is_none());
        assert!((0..1000).all(|id| groups.members(id) == addresses(id.max(1))));
        assert!(groups.slots.len() <= 4096, "{}", groups.slots.len());
        for id in 0..1000 {
            groups.set(id, Members::default());
        }
        assert_eq!((groups.len(), groups.slots.len()), (0, 0), "memory is back");
    }

    #[test]
    fn one_who_joins_before_the_other_leaves_keeps_the_group() {
        let mut groups = Solicited::new(9);
        groups.set(7, addresses(1));
        let snapshot = groups.clone();
        groups.set(7, Members::new(1, true));
        groups.set(7, Members::new(0, true));
        assert!(
            !snapshot.members(7).is_none(),
            "also for who has an older one"
        );
        assert_eq!(groups.members(7).addresses(), 0);
    }

    proptest! {
        #[test]
        fn it_counts_as_a_map_does(
            seed: u64,
            ops in proptest::collection::vec((0u32..200, 0u32..3, any::<bool>()), 0..2000),
        ) {
            let mut groups = Solicited::new(seed);
            let mut model = BTreeMap::new();
            for (id, count, by_users) in ops {
                let members = Members::new(count, by_users);
                groups.set(id << 12, members);
                if members.is_none() {
                    model.remove(&(id << 12));
                } else {
                    model.insert(id << 12, members);
                }
                prop_assert_eq!(groups.len(), model.len());
            }
            for id in 0..200 {
                let expected = model.get(&(id << 12)).copied().unwrap_or_default();
                prop_assert_eq!(groups.members(id << 12), expected);
            }
            let mut listed: Vec<_> = groups
                .iter()
                .map(|group| Solicited::id(group).unwrap())
                .collect();
            listed.sort_unstable();
            prop_assert_eq!(listed, model.into_keys().collect::<Vec<_>>());
        }
    }
}
