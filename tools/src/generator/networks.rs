//! The networks that frames come from, and go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use corelane::stack::Prefix;
use rand::{Rng, RngExt};

use crate::unit::Family;

/// A network of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Networks {
    v4: (u32, u8),
    v6: (u128, u8),
}

impl Networks {
    /// Where frames go where nothing is said: 10.0.0.0/8 and fd00::/64.
    pub const DESTINATIONS: Self = Self {
        v4: (0x0a00_0000, 8),
        v6: (0xfd00 << 112, 64),
    };

    /// Where they come from where nothing is said: 198.18.0.0/15 (RFC 2544) and 2001:2::/48 (RFC 5180).
    pub const SOURCES: Self = Self {
        v4: (0xc612_0000, 15),
        v6: (0x2001_0002 << 96, 48),
    };

    /// With `networks` in place of these.
    pub fn with(mut self, networks: &[Prefix]) -> Self {
        for network in networks {
            let network = network.network();
            match network.address() {
                IpAddr::V4(address) => self.v4 = (address.to_bits(), network.len()),
                IpAddr::V6(address) => self.v6 = (address.to_bits(), network.len()),
            }
        }
        self
    }

    /// How many addresses there are for hosts, of a mixed family by turns.
    pub fn room(self, family: Family) -> u32 {
        let ((_, v4), (_, v6)) = (self.hosts_v4(), self.hosts_v6());
        let room = match family {
            Family::V4 => v4,
            Family::V6 => v6,
            Family::Mixed => v4.min(v6).saturating_mul(2),
        };
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// The `index`th host's address of IPv4; from the beginning again behind the last one.
    pub fn host_v4(self, index: u32) -> Ipv4Addr {
        let (first, hosts) = self.hosts_v4();
        Ipv4Addr::from_bits(first + (u64::from(index) % hosts) as u32)
    }

    /// The `index`th host's address of IPv6, likewise.
    pub fn host_v6(self, index: u32) -> Ipv6Addr {
        let (first, hosts) = self.hosts_v6();
        Ipv6Addr::from_bits(first + u128::from(u64::from(index) % hosts))
    }

    /// Any host's address of IPv4.
    pub fn any_v4(self, random: &mut impl Rng) -> Ipv4Addr {
        let (first, hosts) = self.hosts_v4();
        let last = first + (hosts - 1) as u32;
        Ipv4Addr::from_bits(random.random_range(first..=last))
    }

    /// Any address of IPv6.
    pub fn any_v6(self, random: &mut impl Rng) -> Ipv6Addr {
        let (network, len) = self.v6;
        Ipv6Addr::from_bits(network | random.random::<u128>().unbounded_shr(len.into()))
    }

    /// Whether an address of a family, or of any if it is mixed, is in both.
    pub fn overlap(self, other: Self, family: Family) -> bool {
        let bits = |(a, a_len): (u128, u8), (b, b_len): (u128, u8)| {
            (a ^ b).leading_zeros() >= u32::from(a_len.min(b_len))
        };
        let wide = |(network, len): (u32, u8)| (u128::from(network) << 96, len);
        let v4 = family != Family::V6 && bits(wide(self.v4), wide(other.v4));
        let v6 = family != Family::V4 && bits(self.v6, other.v6);
        v4 || v6
    }

    /// The first host's address, and how many there are: neither the network's own address nor its broadcast,
    /// which the smallest have none of (RFC 3021).
    fn hosts_v4(self) -> (u32, u64) {
        let (network, len) = self.v4;
        let own = u32::from(len < 31);
        let all = u64::from(u32::MAX.unbounded_shr(len.into())) + 1;
        (network + own, all - 2 * u64::from(own))
    }

    /// Likewise: the network's own address is that of its routers (RFC 4291 section 2.6.1), but in the smallest
    /// (RFC 6164).
    fn hosts_v6(self) -> (u128, u64) {
        let (network, len) = self.v6;
        let own = u128::from(len < 127);
        let last = u128::MAX.unbounded_shr(len.into());
        let hosts =
            u64::try_from(last).map_or(u64::MAX, |last| last.saturating_add(1) - own as u64);
        (network + own, hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::stream;

    fn networks(texts: &[&str]) -> Networks {
        let networks: Vec<Prefix> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Networks::DESTINATIONS.with(&networks)
    }

    #[test]
    fn hosts_are_in_the_network_and_each_once() {
        for (v4, v6, first, last, room) in [
            (
                "192.0.2.0/24",
                "2001:db8::/120",
                "192.0.2.1 2001:db8::1",
                "192.0.2.254 2001:db8::fe",
                508,
            ),
            (
                "192.0.2.4/31",
                "2001:db8::2/127",
                "192.0.2.4 2001:db8::2",
                "192.0.2.5 2001:db8::3",
                4,
            ),
            (
                "192.0.2.4/32",
                "2001:db8::/64",
                "192.0.2.4 2001:db8::1",
                "192.0.2.4 2001:db8::1",
                2,
            ),
            (
                "0.0.0.0/0",
                "::/0",
                "0.0.0.1 ::1",
                "255.255.255.254 ::ffff:fffe",
                u32::MAX,
            ),
            (
                "192.0.2.9/32",
                "2001:db8::7/128",
                "192.0.2.9 2001:db8::7",
                "192.0.2.9 2001:db8::7",
                2,
            ),
        ] {
            let networks = networks(&[v4, v6]);
            assert_eq!(networks.room(Family::Mixed), room, "{v4} {v6}");
            let of = |index| format!("{} {}", networks.host_v4(index), networks.host_v6(index));
            assert_eq!(of(0), first);
            let hosts_v4 = networks.room(Family::V4);
            let index = hosts_v4.min(networks.room(Family::V6)) - 1;
            let index = index.min(u32::MAX - 2);
            assert_eq!(of(index), last, "{v4} {v6}");
            let random = &mut stream(1, "test");
            for _ in 0..200 {
                let [a, b] = [v4, v6].map(|text| text.parse::<Prefix>().unwrap());
                assert!(a.contains(networks.any_v4(random).into()));
                assert!(b.contains(networks.any_v6(random).into()));
            }
        }
    }

    #[test]
    fn networks_meet_where_one_is_in_the_other() {
        let all = Networks::SOURCES;
        assert!(!all.overlap(Networks::DESTINATIONS, Family::Mixed));
        let v4 = networks(&["198.19.0.0/16"]);
        assert!(all.overlap(v4, Family::V4) && v4.overlap(all, Family::Mixed));
        assert!(!all.overlap(v4, Family::V6));
        assert!(networks(&["::/0"]).overlap(all, Family::V6));
        assert!(!networks(&["2001:2:1::/48"]).overlap(all, Family::Mixed));
    }
}
