//! Where frames come from.

use std::net::{Ipv4Addr, Ipv6Addr};

use rand::{Rng, RngExt};

use super::Networks;

/// The part of a five-tuple that its sender chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The source of IPv4 frames.
    pub source_v4: Ipv4Addr,
    /// The source of IPv6 frames.
    pub source_v6: Ipv6Addr,
    /// The source port: 1024 to 65535.
    pub source_port: u16,
    /// The destination port: 1 to 49151.
    pub destination_port: u16,
}

/// Draws `n` flows: pseudorandom addresses of these networks and ports in the ranges of RFC 4814, so that what
/// is hashed by them spreads as real traffic does. Counting them up, in step with destinations even,
/// leaves some RSS keys with a single worker.
pub fn draw_flows(n: usize, sources: Networks, random: &mut impl Rng) -> Vec<Flow> {
    (0..n)
        .map(|_| Flow {
            source_v4: sources.any_v4(random),
            source_v6: sources.any_v6(random),
            source_port: random.random_range(1024..=u16::MAX),
            destination_port: random.random_range(1..=49_151),
        })
        .collect()
}
