//! Where frames come from.

use std::net::{Ipv4Addr, Ipv6Addr};

use rand::{Rng, RngExt};

/// The part of a five-tuple that its sender chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The source of IPv4 frames: in 198.18.0.0/15.
    pub source_v4: Ipv4Addr,
    /// The source of IPv6 frames: in 2001:2::/48.
    pub source_v6: Ipv6Addr,
    /// The source port: 1024 to 65535.
    pub source_port: u16,
    /// The destination port: 1 to 49151.
    pub destination_port: u16,
}

/// Draws `n` flows: pseudorandom addresses and ports in the ranges of RFC 4814, so that what is
/// hashed by them spreads as real traffic does. Counting them up, in step with destinations even,
/// leaves some RSS keys with a single worker.
pub fn draw_flows(n: usize, random: &mut impl Rng) -> Vec<Flow> {
    // One past 198.18.0.0 and one before 198.19.255.255: neither network nor broadcast address.
    let host = 1..=0x0001_fffe_u32;
    (0..n)
        .map(|_| Flow {
            source_v4: Ipv4Addr::from_bits(0xc612_0000 | random.random_range(host.clone())),
            source_v6: Ipv6Addr::from_bits(
                0x2001_0002_0000_u128 << 80 | random.random::<u128>() >> 48,
            ),
            source_port: random.random_range(1024..=u16::MAX),
            destination_port: random.random_range(1..=49_151),
        })
        .collect()
}
