//! Which addresses the endpoints have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::RngExt;

use super::Networks;
use crate::unit::Family;

/// The most endpoints of a run.
pub const MAX_ENDPOINTS: u32 = 10_000_000;

/// The addresses of endpoints by their index: IPv4 from 10.0.0.1 up, IPv6 from fd00::1 up, or of other
/// networks; of a mixed family even indices are IPv4 and odd ones IPv6.
///
/// Whoever sets up the NIC and whoever draws destinations agree by this.
#[derive(Clone, Copy, Debug)]
pub struct AddressPlan {
    family: Family,
    endpoints: u32,
    networks: Networks,
}

impl AddressPlan {
    /// A plan for so many endpoints, at most [`MAX_ENDPOINTS`].
    pub fn new(family: Family, endpoints: u32) -> Self {
        Self {
            family,
            endpoints: endpoints.min(MAX_ENDPOINTS),
            networks: Networks::DESTINATIONS,
        }
    }

    /// With the endpoints in these networks.
    pub fn within(mut self, networks: Networks) -> Self {
        self.networks = networks;
        self
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
        let networks = self.networks;
        match self.family {
            Family::V4 => networks.host_v4(index).into(),
            Family::V6 => networks.host_v6(index).into(),
            Family::Mixed if index.is_multiple_of(2) => networks.host_v4(index / 2).into(),
            Family::Mixed => networks.host_v6(index / 2).into(),
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
