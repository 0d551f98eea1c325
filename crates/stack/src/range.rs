//! Address ranges: subnets a NIC accepts packets for without owning their addresses.

use std::collections::HashSet;
use std::sync::Arc;

use crate::address::{Key, Prefix, host_mask, mask};

/// The ranges of a NIC as a lookup sees them: a set of subnets for each prefix length in use, so
/// that a lookup costs one probe for each *length*, however many ranges there are.
#[derive(Clone, Default)]
pub(crate) struct RangeSet {
    /// Longest prefix first; lengths in the 128-bit key.
    by_length: Vec<(u8, Arc<HashSet<Key, foldhash::fast::RandomState>>)>,
}

impl RangeSet {
    /// Adds a range; one that is there already changes nothing.
    pub(crate) fn insert(&mut self, range: Prefix) {
        let len = range.mapped_len();
        let network = Key::from(range.network().address());
        let at = self.by_length.partition_point(|(l, _)| *l > len);
        if self.by_length.get(at).is_none_or(|(l, _)| *l != len) {
            self.by_length.insert(at, (len, Arc::default()));
        }
        Arc::make_mut(&mut self.by_length[at].1).insert(network);
    }

    /// Takes a range out; one that is not there changes nothing.
    pub(crate) fn remove(&mut self, range: Prefix) {
        let len = range.mapped_len();
        let Some(at) = self.by_length.iter().position(|(l, _)| *l == len) else {
            return;
        };
        let set = Arc::make_mut(&mut self.by_length[at].1);
        set.remove(&Key::from(range.network().address()));
        if set.is_empty() {
            self.by_length.remove(at);
        }
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_length.is_empty()
    }

    /// Whether a range has this address: inside, and neither its subnet address (all zeros) nor
    /// its last one (all ones). A full-length range therefore has none. (BEHAVIOURS D2, D4)
    #[inline]
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.by_length.iter().any(|(len, networks)| {
            let host = key.bits() & host_mask(*len);
            // An IPv6 range shorter than 96 bits does not reach into the mapped IPv4 addresses.
            let same_family = *len >= 96 || !key.is_v4();
            same_family
                && host != 0
                && host != host_mask(*len)
                && networks.contains(&mask(key, *len))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Key {
        Key::from(text.parse::<std::net::IpAddr>().unwrap())
    }

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_has_its_hosts_but_not_its_ends() {
        let mut ranges = RangeSet::default();
        ranges.insert(prefix("192.0.2.0/24"));
        ranges.insert(prefix("2001:db8::/64"));
        assert!(ranges.contains(key("192.0.2.1")));
        assert!(ranges.contains(key("192.0.2.254")));
        assert!(!ranges.contains(key("192.0.2.0")));
        assert!(!ranges.contains(key("192.0.2.255")));
        assert!(!ranges.contains(key("192.0.3.1")));
        assert!(ranges.contains(key("2001:db8::1")));
        assert!(!ranges.contains(key("2001:db8::")));
        assert!(!ranges.contains(key("2001:db8::ffff:ffff:ffff:ffff")));
        assert!(!ranges.contains(key("2001:db8:0:1::1")));
    }

    #[test]
    fn full_length_ranges_never_match() {
        let mut ranges = RangeSet::default();
        ranges.insert(prefix("192.0.2.7/32"));
        ranges.insert(prefix("2001:db8::7/128"));
        assert!(!ranges.contains(key("192.0.2.7")));
        assert!(!ranges.contains(key("2001:db8::7")));
    }

    #[test]
    fn the_families_do_not_meet() {
        let mut ranges = RangeSet::default();
        ranges.insert(prefix("::/0"));
        assert!(!ranges.contains(key("192.0.2.7")));
        assert!(ranges.contains(key("2001:db8::7")));
        ranges.insert(prefix("0.0.0.0/0"));
        assert!(ranges.contains(key("192.0.2.7")));
        ranges.remove(prefix("::/0"));
        assert!(!ranges.contains(key("2001:db8::7")));
        assert!(ranges.contains(key("192.0.2.7")));
    }

    proptest! {
        #[test]
        fn agrees_with_a_linear_search(
            ranges in proptest::collection::vec((any::<u32>(), 0u8..=32), 0..40),
            removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
            address: u32,
        ) {
            let ranges: Vec<Prefix> = ranges
                .into_iter()
                // Few distinct addresses, so that some contain others and the probed one.
                .map(|(a, len)| Prefix::new((a & 0x3f00_000f).to_be_bytes().into(), len).unwrap())
                .collect();
            let mut set = RangeSet::default();
            ranges.iter().for_each(|r| set.insert(*r));
            let mut left = ranges.clone();
            for index in removed.iter().filter(|_| !ranges.is_empty()) {
                let gone = *index.get(&ranges);
                set.remove(gone);
                left.retain(|r| r.network() != gone.network());
            }
            let address = address & 0x3f00_000f;
            let expected = left.iter().any(|r| {
                let hosts = if r.len() == 0 { u32::MAX } else { (1u64 << (32 - r.len())) as u32 - 1 };
                let host = address & hosts;
                r.contains(std::net::Ipv4Addr::from(address).into()) && host != 0 && host != hosts
            });
            prop_assert_eq!(set.contains(Key::v4(address)), expected);
        }
    }
}
