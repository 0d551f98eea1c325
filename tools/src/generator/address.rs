//! Which addresses the endpoints have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::RngExt;

use crate::unit::Family;

/// The most endpoints of a run.
pub const MAX_ENDPOINTS: u32 = 10_000_000;

/// The addresses of endpoints by their index: IPv4 from 10.0.0.1 up, IPv6 from fd00::1 up; of a
/// mixed family even indices are IPv4 and odd ones IPv6.
///
/// Whoever sets up the NIC and whoever draws destinations agree by this.
#[derive(Clone, Copy, Debug)]
pub struct AddressPlan {
    family: Family,
    endpoints: u32,
}

impl AddressPlan {
    /// A plan for so many endpoints, at most [`MAX_ENDPOINTS`].
    pub fn new(family: Family, endpoints: u32) -> Self {
        Self {
            family,
            endpoints: endpoints.min(MAX_ENDPOINTS),
        }
    }

    /// How many endpoints there are.
    pub fn len(&self) -> u32 {
        self.endpoints
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.endpoints == 0
    }

    /// The address of an endpoint; indices beyond the endpoints have addresses too, which are no
    /// endpoint's.
    pub fn endpoint(&self, index: u32) -> IpAddr {
        match self.family {
            Family::V4 => v4(index),
            Family::V6 => v6(index),
            Family::Mixed if index.is_multiple_of(2) => v4(index / 2),
            Family::Mixed => v6(index / 2),
        }
    }

    /// All endpoints' addresses.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = IpAddr> + '_ {
        (0..self.endpoints).map(|index| self.endpoint(index))
    }

    /// A random address that is no endpoint's: in 48.0.0.0/8, or in 2001:2:0:48::/64 (of the
    /// network that RFC 5180 sets aside for benchmarks).
    pub fn miss(&self, random: &mut impl rand::Rng) -> IpAddr {
        let v4 = match self.family {
            Family::V4 => true,
            Family::V6 => false,
            Family::Mixed => random.random(),
        };
        if v4 {
            Ipv4Addr::from_bits(0x3000_0000 | random.random::<u32>() >> 8).into()
        } else {
            let low: u64 = random.random();
            Ipv6Addr::from_bits(0x2001_0002_0000_0048_u128 << 64 | u128::from(low)).into()
        }
    }

    /// The `index`th of the addresses that `--churn` adds and removes: in 172.16.0.0/12 or
    /// fd00:0:0:1::/64, so no endpoint's.
    pub fn churned(&self, index: u32) -> IpAddr {
        let offset = index & 0x000f_ffff;
        let v4 = match self.family {
            Family::V4 => true,
            Family::V6 => false,
            Family::Mixed => index.is_multiple_of(2),
        };
        if v4 {
            Ipv4Addr::from_bits(0xac10_0000 | offset).into()
        } else {
            Ipv6Addr::from_bits(0xfd00_0000_0000_0001_u128 << 64 | u128::from(offset)).into()
        }
    }
}

/// From 10.0.0.1: all of [`MAX_ENDPOINTS`] and the indices behind fit the 2^24 of the network.
fn v4(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 | (index.wrapping_add(1) & 0x00ff_ffff)).into()
}

fn v6(index: u32) -> IpAddr {
    Ipv6Addr::from_bits(0xfd00_u128 << 112 | (u128::from(index) + 1)).into()
}
