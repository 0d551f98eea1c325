//! Which routes there are, and where they lead.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use corelane::stack::{
    AddAddressError, AddNeighborError, Nic, Prefix, PrefixError, RouteSpec, RoutesError,
};
use corelane::wire::MacAddr;
use rand::{Rng, RngExt};
use thiserror::Error;

use super::stream;
use crate::unit::Family;

/// The most routes of a run.
pub const MAX_ROUTES: u32 = 1_000_000;

/// The most neighbors of a run.
pub const MAX_NEIGHBORS: u32 = 65_536;

/// How many routes of a plan are set aside to come and go.
const CHURNED: usize = 2048;

/// Why a plan cannot be put into effect.
#[derive(Debug, Error)]
pub enum InstallError {
    /// An address of the NIC is none.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// The NIC does not take an address.
    #[error(transparent)]
    Address(#[from] AddAddressError),
    /// The NIC does not take a neighbor.
    #[error(transparent)]
    Neighbor(#[from] AddNeighborError),
    /// The stack does not take a route.
    #[error(transparent)]
    Route(#[from] RoutesError),
}

/// Routes, each to a network of its own, and the neighbors that they lead to.
///
/// Lengths are distributed like the Internet's, and networks lie within larger ones as providers have
/// them, so that routes cover one another. All networks are unicast ones, and no endpoint, neighbor or
/// source of a run is in one. Of a mixed family even indices are IPv4 and odd ones IPv6.
///
/// Whoever sets up the routes and whoever draws destinations agree by this.
#[derive(Clone, Debug)]
pub struct RoutePlan {
    routes: Vec<Prefix>,
    churned: Vec<Prefix>,
    neighbors: u32,
    family: Family,
}

impl RoutePlan {
    /// Draws `routes` routes, at most [`MAX_ROUTES`], to `neighbors` neighbors, at most
    /// [`MAX_NEIGHBORS`]; at least one of each.
    pub fn draw(family: Family, routes: u32, neighbors: u32, seed: u64) -> Self {
        let routes = routes.clamp(1, MAX_ROUTES) as usize;
        let mut random = stream(seed, "routes");
        let providers = Providers::draw(&mut random);
        let mut seen = HashSet::new();
        let mut all = Vec::with_capacity(routes + CHURNED);
        while all.len() < routes + CHURNED {
            let is_v4 = match family {
                Family::V4 => true,
                Family::V6 => false,
                Family::Mixed => all.len().is_multiple_of(2),
            };
            let network = providers.network(is_v4, &mut random);
            if let Some(network) = network.filter(|network| seen.insert(*network)) {
                all.push(network);
            }
        }
        let churned = all.split_off(routes);
        Self {
            routes: all,
            churned,
            neighbors: neighbors.clamp(1, MAX_NEIGHBORS),
            family,
        }
    }

    /// A default route of each family to one neighbor, and others to come and go.
    pub fn defaults(seed: u64) -> Self {
        let defaults = [
            Prefix::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 0),
        ];
        Self {
            routes: defaults.into_iter().flatten().collect(),
            ..Self::draw(Family::Mixed, 1, 1, seed)
        }
    }

    /// How many routes there are.
    pub fn len(&self) -> u32 {
        self.routes.len() as u32
    }

    /// Whether there is none. Never.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// All routes: the network, and the router that its packets go to.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, IpAddr)> + '_ {
        let numbered = self.routes.iter().zip(0..);
        numbered.map(|(network, index)| (*network, self.router(*network, index)))
    }

    /// The `index`th of the routes that `--churn` adds and removes; none of them is among the others, and
    /// 2048 in a row are distinct.
    pub fn churned(&self, index: u32) -> Option<(Prefix, IpAddr)> {
        let network = *self.churned.get(index as usize % CHURNED)?;
        Some((network, self.router(network, index)))
    }

    /// A random address of the network of the `index`th route; it may well be in that of another too.
    pub fn destination(&self, index: u32, random: &mut impl Rng) -> IpAddr {
        let index = index as usize % self.routes.len().max(1);
        let Some(network) = self.routes.get(index) else {
            return Ipv4Addr::UNSPECIFIED.into();
        };
        let bits: u128 = random.random();
        let hosts = |width: u8| u128::MAX.unbounded_shl(u32::from(width - network.len()));
        match network.address() {
            IpAddr::V4(address) => {
                Ipv4Addr::from_bits(address.to_bits() | bits as u32 & !hosts(32) as u32).into()
            }
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() | bits & !hosts(128)).into()
            }
        }
    }

    /// The addresses of the neighbors, one for each family there is, and their link addresses.
    pub fn neighbors(&self) -> impl Iterator<Item = (IpAddr, MacAddr)> + '_ {
        (0..self.neighbors).flat_map(|index| {
            let v4 = (self.family != Family::V6).then(|| router_v4(index));
            let v6 = (self.family != Family::V4).then(|| router_v6(index));
            let [_, _, a, b] = index.to_be_bytes();
            let mac = MacAddr([0x02, 0, 0, 1, a, b]);
            v4.into_iter().chain(v6).map(move |address| (address, mac))
        })
    }

    /// The addresses of the NIC that the neighbors are on: 172.16.0.1/12 and fd00:0:0:2::1/64.
    pub fn own_addresses() -> [(IpAddr, u8); 2] {
        [
            (Ipv4Addr::from_bits(ROUTERS_V4 | 1).into(), 12),
            (Ipv6Addr::from_bits(ROUTERS_V6 | 1).into(), 64),
        ]
    }

    /// Gives `out`, the NIC that the neighbors are on, its addresses, and its stack the neighbors and all
    /// routes.
    ///
    /// # Errors
    /// What an address, a neighbor or a route was refused for.
    pub fn install(&self, out: &Nic) -> Result<(), InstallError> {
        self.install_until(out, || false)
    }

    /// Likewise, but no more routes once it `is_enough`.
    ///
    /// # Errors
    /// As [`install`](Self::install).
    pub fn install_until(
        &self,
        out: &Nic,
        is_enough: impl Fn() -> bool,
    ) -> Result<(), InstallError> {
        for (address, prefix_len) in Self::own_addresses() {
            out.add_address(Prefix::new(address, prefix_len)?)?;
        }
        let stack = out.stack();
        for (address, mac) in self.neighbors() {
            stack.add_neighbor(out.id(), address, mac)?;
        }
        let mut wanted = self.iter().take_while(|_| !is_enough());
        stack.change_routes(|routes| {
            wanted.try_for_each(|(to, router)| routes.add(route(to, router, out)))
        })?;
        Ok(())
    }

    fn router(&self, network: Prefix, index: u32) -> IpAddr {
        // By a multiplication, so that neighbouring routes lead to different ones.
        let index = index.wrapping_mul(0x9e37_79b1) % self.neighbors;
        match network.address() {
            IpAddr::V4(_) => router_v4(index),
            IpAddr::V6(_) => router_v6(index),
        }
    }
}

/// A route to this network by a router on the link of `out`.
pub(crate) fn route(to: Prefix, router: IpAddr, out: &Nic) -> RouteSpec {
    RouteSpec {
        to,
        via: Some(router),
        nic: out.id(),
        metric: 0,
    }
}

const ROUTERS_V4: u32 = 0xac10_0000;
const ROUTERS_V6: u128 = 0xfd00_0000_0000_0002 << 64;

fn router_v4(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(ROUTERS_V4 + 2 + index).into()
}

fn router_v6(index: u32) -> IpAddr {
    Ipv6Addr::from_bits(ROUTERS_V6 + 2 + u128::from(index)).into()
}

/// Lengths and how many of a thousand routes have them.
type Lengths = &'static [(u8, u32)];

const V4: Lengths = &[
    (24, 610),
    (23, 100),
    (22, 115),
    (21, 50),
    (20, 45),
    (19, 30),
    (18, 15),
    (17, 10),
    (16, 15),
    (14, 3),
    (12, 1),
    (28, 2),
    (30, 2),
    (32, 2),
];

const V6: Lengths = &[
    (48, 480),
    (44, 105),
    (40, 95),
    (32, 125),
    (36, 50),
    (46, 35),
    (47, 30),
    (29, 40),
    (33, 20),
    (64, 10),
    (56, 8),
    (128, 2),
];

fn draw_length(lengths: Lengths, random: &mut impl Rng) -> u8 {
    let all = lengths.iter().map(|(_, share)| share).sum();
    let mut at = random.random_range(0..all);
    for (len, share) in lengths {
        if at < *share {
            return *len;
        }
        at -= share;
    }
    unreachable!("less than all")
}

/// What providers have: networks of 16 and 32 bits, which their routes are in.
struct Providers {
    v4: Vec<u32>,
    v6: Vec<u128>,
}

/// The blocks out of which registries give networks, of 16 bits each.
const BLOCKS: [u128; 5] = [0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00];

/// First bytes of IPv4 addresses that are no provider's here: of private, loopback and link-local
/// networks, and those that tests send from.
const TAKEN: [u32; 6] = [10, 127, 169, 172, 192, 198];

impl Providers {
    fn draw(random: &mut impl Rng) -> Self {
        let mut v4 = Vec::new();
        while v4.len() < 45_000 {
            let network = random.random_range(0x0100..0xe000_u32) << 16;
            if !TAKEN.contains(&(network >> 24)) {
                v4.push(network);
            }
        }
        let v6 = (0..60_000)
            .map(|_| {
                let block = BLOCKS[random.random_range(0..BLOCKS.len())];
                block << 112 | random.random_range(0..1_u128 << 20) << 96
            })
            .collect();
        Self { v4, v6 }
    }

    /// A network of a provider; None if it is not one (which never happens).
    fn network(&self, is_v4: bool, random: &mut impl Rng) -> Option<Prefix> {
        let prefix = if is_v4 {
            let provider = self.v4[random.random_range(0..self.v4.len())];
            let address = provider | u32::from(random.random::<u16>());
            Prefix::new(Ipv4Addr::from_bits(address).into(), draw_length(V4, random))
        } else {
            let provider = self.v6[random.random_range(0..self.v6.len())];
            let address = provider | u128::from(random.random::<u64>()) << 32;
            Prefix::new(Ipv6Addr::from_bits(address).into(), draw_length(V6, random))
        };
        prefix.ok().map(corelane::prelude::Prefix::network)
    }
}
