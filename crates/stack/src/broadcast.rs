//! Directed broadcasts: the address of a subnet that reaches all its hosts (RFC 919, RFC 1122
//! section 3.2.1.3), accepted while the NIC has an address in that subnet.

use rpds::HashTrieMapSync;

use crate::address::Prefix;

/// The directed broadcasts of a NIC, as a lookup sees them. A clone shares everything.
#[derive(Clone)]
pub(crate) struct BroadcastSet {
    /// How many addresses of the NIC have it as the broadcast of their subnet.
    counts: HashTrieMapSync<u32, u32>,
    /// How many addresses there are of each prefix length.
    lengths: [u32; 33],
    /// The host bits that all of them have set.
    ones: u32,
}

impl Default for BroadcastSet {
    fn default() -> Self {
        Self {
            counts: HashTrieMapSync::new_sync(),
            lengths: [0; 33],
            ones: u32::MAX,
        }
    }
}

impl BroadcastSet {
    /// The broadcast of the subnet of an address that was added. Returns whether it is new.
    pub(crate) fn insert(&mut self, prefix: Prefix) -> bool {
        let Some(broadcast) = prefix.broadcast() else {
            return false;
        };
        let broadcast = broadcast.to_bits();
        let before = self.counts.get(&broadcast).copied().unwrap_or(0);
        self.counts.insert_mut(broadcast, before + 1);
        self.lengths[usize::from(prefix.len())] += 1;
        self.find_ones();
        before == 0
    }

    /// Takes back one [`insert`](Self::insert). Returns whether it was the last one.
    pub(crate) fn remove(&mut self, prefix: Prefix) -> bool {
        let Some(broadcast) = prefix.broadcast() else {
            return false;
        };
        let broadcast = broadcast.to_bits();
        let Some(count) = self.counts.get(&broadcast).copied() else {
            return false;
        };
        self.lengths[usize::from(prefix.len())] -= 1;
        self.find_ones();
        if count > 1 {
            self.counts.insert_mut(broadcast, count - 1);
            return false;
        }
        self.counts.remove_mut(&broadcast);
        true
    }

    fn find_ones(&mut self) {
        let longest = self.lengths.iter().rposition(|count| *count > 0);
        self.ones = longest.map_or(u32::MAX, |len| u32::MAX >> len);
    }

    /// Whether `address` ends as one of them does: one comparison, and no for nearly every address
    /// that is none.
    #[inline]
    pub(crate) fn may_contain(&self, address: u32) -> bool {
        address & self.ones == self.ones
    }

    /// Whether `address` is one of them.
    pub(crate) fn contains(&self, address: u32) -> bool {
        self.may_contain(address) && self.counts.contains_key(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    impl BroadcastSet {
        fn has(&self, address: Ipv4Addr) -> bool {
            self.contains(address.to_bits())
        }
    }

    #[test]
    fn a_broadcast_is_there_until_its_last_address_goes() {
        let prefix = |text: &str| text.parse::<Prefix>().unwrap();
        let mut set = BroadcastSet::default();
        assert!(!set.has(Ipv4Addr::BROADCAST), "that is another rule's");
        assert!(set.insert(prefix("192.0.2.1/24")));
        assert!(!set.insert(prefix("192.0.2.2/24")));
        assert!(set.insert(prefix("10.0.0.1/30")));
        assert!(!set.insert(prefix("10.0.0.1/32")), "has none");
        let snapshot = set.clone();
        assert!(set.has(Ipv4Addr::new(192, 0, 2, 255)));
        assert!(set.has(Ipv4Addr::new(10, 0, 0, 3)));
        assert!(!set.has(Ipv4Addr::new(10, 0, 0, 255)));
        assert!(!set.remove(prefix("192.0.2.2/24")));
        assert!(set.has(Ipv4Addr::new(192, 0, 2, 255)));
        assert!(set.remove(prefix("192.0.2.1/24")));
        assert!(!set.has(Ipv4Addr::new(192, 0, 2, 255)));
        assert!(!set.remove(prefix("192.0.2.1/24")), "none left");
        assert!(set.remove(prefix("10.0.0.1/30")));
        assert!(!set.has(Ipv4Addr::BROADCAST));
        assert!(snapshot.has(Ipv4Addr::new(192, 0, 2, 255)), "its own life");
    }
}
