//! What was sent lately, as far as a router can have found it too big: a report about anything else is
//! forged (RFC 8201 section 4, RFC 5927 section 7).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use corelane_wire::IpProtocol;

use crate::clock::Time;
use crate::path_mtu::PathMtuCache;

/// What packets of one kind to one destination have in common, and an error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SentKind {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: IpProtocol,
    /// Source and destination port, if the protocol has some.
    pub(crate) ports: Option<(u16, u16)>,
}

/// The packets sent in the last [`LIFETIME`](Self::LIFETIME), by kind: the longest of each.
///
/// Bounded: kinds are kept in two generations, and the older one goes when the younger is full or half
/// a lifetime old. So a kind that is as young as the last `capacity` others is known. Allocates: for the
/// control plane.
#[derive(Debug)]
pub(crate) struct SentPackets {
    capacity: usize,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// By kind, the length of the longest.
    longest: HashMap<SentKind, usize, foldhash::fast::RandomState>,
    /// When the first of them was sent.
    since: Time,
}

impl SentPackets {
    /// How long a report is taken for one about what was sent: many times what a packet and the answer
    /// to it take.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(60);

    /// Of none yet. At least one kind is kept.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            young: Generation::default(),
            old: Generation::default(),
        }
    }

    /// A packet of so many bytes, IP header included, is sent at `now`.
    pub(crate) fn add(&mut self, kind: SentKind, len: usize, now: Time) {
        if len <= least_mtu(kind.destination) {
            return;
        }
        let is_full =
            || self.young.longest.len() >= self.capacity && !self.young.longest.contains_key(&kind);
        if now.saturating_since(self.young.since) >= Self::LIFETIME / 2 || is_full() {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.longest.clear();
            self.young.since = now;
        }
        let longest = self.young.longest.entry(kind).or_default();
        *longest = len.max(*longest);
    }

    /// Whether a packet of this kind, and no shorter than `len`, was sent lately.
    pub(crate) fn has(&self, kind: &SentKind, len: usize, now: Time) -> bool {
        [&self.young, &self.old].into_iter().any(|generation| {
            now.saturating_since(generation.since) < Self::LIFETIME
                && generation.longest.get(kind).is_some_and(|it| *it >= len)
        })
    }
}

/// What every link takes (RFC 791 section 3.2, RFC 8200 section 5).
fn least_mtu(destination: IpAddr) -> usize {
    match destination {
        IpAddr::V4(_) => 68,
        IpAddr::V6(_) => PathMtuCache::MIN_IPV6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn to(n: u32) -> SentKind {
        SentKind {
            source: Ipv4Addr::new(192, 0, 2, 1).into(),
            destination: Ipv4Addr::from_bits(0x0a00_0000 + n).into(),
            protocol: IpProtocol::UDP,
            ports: Some((7, 53)),
        }
    }

    fn seconds(n: u64) -> Time {
        Time::ZERO + Duration::from_secs(n)
    }

    #[test]
    fn l4_what_was_sent_is_known_by_all_that_an_error_quotes() {
        let mut sent = SentPackets::new(8);
        sent.add(to(1), 1500, seconds(0));
        sent.add(to(1), 100, seconds(1));
        let has = |kind: SentKind| sent.has(&kind, 1500, seconds(2));
        assert!(has(to(1)));
        assert!(!has(to(2)));
        let source = Ipv4Addr::new(192, 0, 2, 2).into();
        assert!(!has(SentKind { source, ..to(1) }));
        let protocol = IpProtocol::TCP;
        assert!(!has(SentKind { protocol, ..to(1) }));
        for ports in [None, Some((7, 54)), Some((8, 53))] {
            assert!(!has(SentKind { ports, ..to(1) }));
        }
        // Not longer than the longest.
        assert!(sent.has(&to(1), 68, seconds(2)));
        assert!(!sent.has(&to(1), 1501, seconds(2)));
    }

    #[test]
    fn l4_what_every_link_takes_cannot_be_too_big() {
        let mut sent = SentPackets::new(8);
        let v6 = SentKind {
            source: Ipv6Addr::LOCALHOST.into(),
            destination: Ipv6Addr::LOCALHOST.into(),
            ..to(0)
        };
        for (kind, least) in [(to(1), 68), (v6, 1280)] {
            sent.add(kind, least, seconds(0));
            assert!(!sent.has(&kind, 0, seconds(0)));
            sent.add(kind, least + 1, seconds(0));
            assert!(sent.has(&kind, least + 1, seconds(0)));
        }
    }

    #[test]
    fn l4_what_was_sent_is_forgotten_after_a_minute_at_most_and_half_of_one_at_least() {
        for start in [0, 7, 100] {
            let mut sent = SentPackets::new(8);
            sent.add(to(1), 1500, seconds(start));
            sent.add(to(2), 1500, seconds(start + 29));
            for at in 30..60 {
                sent.add(to(3), 1500, seconds(start + at));
                assert!(sent.has(&to(2), 1500, seconds(start + at)), "{at}");
            }
            assert!(!sent.has(&to(1), 1500, seconds(start + 60)));
            sent.add(to(3), 1500, seconds(start + 90));
            assert!(!sent.has(&to(2), 1500, seconds(start + 90)));
        }
    }

    #[test]
    fn the_last_kinds_are_known_however_many_there_are() {
        let mut sent = SentPackets::new(4);
        for n in 0..100 {
            sent.add(to(n), 1500, seconds(0));
            assert!(sent.young.longest.len() <= 4 && sent.old.longest.len() <= 4);
            for known in n.saturating_sub(3)..=n {
                assert!(sent.has(&to(known), 1500, seconds(0)), "{known} of {n}");
            }
        }
        assert!(!sent.has(&to(90), 1500, seconds(0)));
    }
}
