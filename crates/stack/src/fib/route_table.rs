//! The table of routes as the control plane keeps it: rows, and which of them stands in the trie.
//!
//! There may be several rows for one destination, by NIC and gateway. They are in order of their
//! metrics, and of equal ones in the order in which they were added; the first whose NIC can be
//! used is where the destination's packets go. (BEHAVIOURS J13, by longest prefix where netstack
//! takes the first row that fits: the order of rows counts within a destination.)

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use thiserror::Error;

use super::editor::{LpmEditor, LpmError};
use crate::address::{Family, Key, Prefix, check_local};
use crate::error::BadAddress;
use crate::nic::NicId;

/// Why a row was not added or removed. Nothing changed.
#[derive(Debug, Error)]
pub enum RouteTableError {
    /// There is a row with this destination, NIC and gateway.
    #[error("there is a route to {0} by this NIC and gateway already")]
    DuplicateRoute(Prefix),
    /// There is no row with this destination, NIC and gateway.
    #[error("there is no route to {0} by this NIC and gateway")]
    NoSuchRoute(Prefix),
    /// Routes are for one receiver's packets; those to groups follow memberships.
    #[error("{0} is a network of groups, which are not routed")]
    MulticastDestination(Prefix),
    /// A gateway is a neighbour that speaks the destination's family.
    #[error("the gateway {gateway} is not an {family} address")]
    GatewayFamily {
        /// What was given.
        gateway: IpAddr,
        /// The destination's family.
        family: Family,
    },
    /// No router can have this address.
    #[error("{gateway} cannot be a gateway: {reason}")]
    BadGateway {
        /// What was given.
        gateway: IpAddr,
        /// What is wrong with it.
        reason: BadAddress,
    },
    /// Packets would come back at once.
    #[error("the gateway {0} is an address of this host")]
    OwnGateway(IpAddr),
    /// The trie has no room.
    #[error(transparent)]
    Lpm(#[from] LpmError),
}

/// A row: a destination and a way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The network, its host part cleared.
    pub destination: Prefix,
    /// The way there.
    pub via: Via,
}

/// A way to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via {
    /// The NIC that packets leave by.
    pub nic: NicId,
    /// The router they go to; None if the destination is on the NIC's link.
    pub gateway: Option<IpAddr>,
    /// The smaller, the better.
    pub metric: u32,
    /// The gateway's adjacency, [`NO_NEIGHBOR`](super::NO_NEIGHBOR) without a gateway: what a
    /// lookup returns, and nothing more to the table.
    pub neighbor: u32,
}

impl Via {
    fn is(&self, nic: NicId, gateway: Option<IpAddr>) -> bool {
        self.nic == nic && self.gateway == gateway
    }
}

/// The rows, and the trie with the best usable one of each destination.
#[derive(Default)]
pub struct RouteTable {
    rows: BTreeMap<Destination, Ways>,
    /// The destinations that have a row of the NIC.
    by_nic: BTreeMap<NicId, BTreeSet<Destination>>,
    usable: BTreeSet<NicId>,
    len: usize,
    trie: LpmEditor,
}

impl RouteTable {
    /// A table without rows, where no NIC can be used.
    pub fn new() -> Self {
        Self::default()
    }

    /// The trie, to take versions and garbage from and to give garbage back to.
    pub fn trie(&self) -> &LpmEditor {
        &self.trie
    }

    /// Takes what there is to publish: see [`LpmEditor`]. What changes the routes themselves is
    /// for the table to call.
    pub fn version(&mut self) -> super::Lpm {
        self.trie.version()
    }

    /// As [`LpmEditor::take_garbage`].
    pub fn take_garbage(&mut self) -> Vec<super::Garbage> {
        self.trie.take_garbage()
    }

    /// As [`LpmEditor::reuse`].
    pub fn reuse(&mut self, garbage: super::Garbage) {
        self.trie.reuse(garbage);
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a row; of `destination`, the network counts. `is_own` tells whether an address is one
    /// of this host's.
    ///
    /// # Errors
    /// Any of [`RouteTableError`] but `NoSuchRoute`.
    pub fn add(
        &mut self,
        destination: Prefix,
        via: Via,
        is_own: impl FnOnce(IpAddr) -> bool,
    ) -> Result<(), RouteTableError> {
        let destination = destination.network();
        check_destination(destination)?;
        if let Some(gateway) = via.gateway {
            check_gateway(destination, gateway)?;
            if is_own(gateway) {
                return Err(RouteTableError::OwnGateway(gateway));
            }
        }
        let key = Destination::of(destination);
        let ways = self.rows.get(&key).map_or(&[][..], Ways::as_slice);
        if ways.iter().any(|it| it.is(via.nic, via.gateway)) {
            return Err(RouteTableError::DuplicateRoute(destination));
        }
        let at = ways.partition_point(|it| it.metric <= via.metric);
        let is_first = !ways.iter().take(at).any(|it| self.usable.contains(&it.nic));
        if is_first && self.usable.contains(&via.nic) {
            self.trie.insert(destination, via.nic, via.neighbor)?;
        }
        match self.rows.get_mut(&key) {
            Some(ways) => ways.insert(at, via),
            None => {
                self.rows.insert(key, Ways::One(via));
            }
        }
        self.by_nic.entry(via.nic).or_default().insert(key);
        self.len += 1;
        Ok(())
    }

    /// Removes a row and returns its way.
    ///
    /// # Errors
    /// [`RouteTableError::NoSuchRoute`], [`RouteTableError::Lpm`].
    pub fn remove(
        &mut self,
        destination: Prefix,
        nic: NicId,
        gateway: Option<IpAddr>,
    ) -> Result<Via, RouteTableError> {
        let destination = destination.network();
        let key = Destination::of(destination);
        let none = || RouteTableError::NoSuchRoute(destination);
        let ways = self.rows.get_mut(&key).ok_or_else(none)?;
        let rows = ways.as_slice();
        let at = rows.iter().position(|it| it.is(nic, gateway));
        let at = at.ok_or_else(none)?;
        let mut usable = (0..rows.len()).filter(|at| self.usable.contains(&rows[*at].nic));
        if usable.next() == Some(at) {
            match usable.next().map(|next| rows[next]) {
                Some(next) => self.trie.insert(destination, next.nic, next.neighbor)?,
                None => self.trie.remove(destination)?,
            };
        }
        let via = ways.remove(at);
        let others = ways.as_slice();
        if !others.iter().any(|it| it.nic == nic)
            && let Some(destinations) = self.by_nic.get_mut(&nic)
        {
            destinations.remove(&key);
            if destinations.is_empty() {
                self.by_nic.remove(&nic);
            }
        }
        if others.is_empty() {
            self.rows.remove(&key);
        }
        self.len -= 1;
        Ok(via)
    }

    /// Tells whether rows of `nic` can be used: whether the NIC is there and enabled. Destinations
    /// that have a row of it go over to what is now the best; that costs their number.
    ///
    /// # Errors
    /// [`LpmError::NoRoom`]; nothing changed then.
    pub fn set_nic_usable(&mut self, nic: NicId, usable: bool) -> Result<(), LpmError> {
        if self.usable.contains(&nic) == usable {
            return Ok(());
        }
        let destinations = self.by_nic.get(&nic);
        let count = destinations.map_or(0, BTreeSet::len);
        self.trie
            .reserve(u32::try_from(count).unwrap_or(u32::MAX))?;
        if usable {
            self.usable.insert(nic);
        } else {
            self.usable.remove(&nic);
        }
        for destination in destinations.into_iter().flatten() {
            let ways = self.rows.get(destination).map_or(&[][..], Ways::as_slice);
            let at = ways.iter().position(|it| self.usable.contains(&it.nic));
            // Before and after, the first usable row is this NIC's or one that did not change.
            let Some(prefix) = destination.prefix() else {
                continue;
            };
            match at.and_then(|at| ways.get(at)) {
                Some(best) if usable && best.nic != nic => {}
                Some(best) => {
                    let standing = self.trie.exact(prefix);
                    if standing
                        .is_none_or(|it| (it.nic(), it.neighbor()) != (best.nic, best.neighbor))
                    {
                        self.trie.insert_reserved(prefix, best.nic, best.neighbor);
                    }
                }
                None => {
                    self.trie.remove_reserved(prefix);
                }
            }
        }
        Ok(())
    }

    /// Whether rows of `nic` can be used.
    pub fn is_nic_usable(&self, nic: NicId) -> bool {
        self.usable.contains(&nic)
    }

    /// All rows: by family, network and length of their destinations, those of one in order.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows
            .iter()
            .filter_map(|(destination, ways)| Some((destination.prefix()?, ways)))
            .flat_map(|(destination, ways)| {
                let ways = ways.as_slice().iter();
                ways.map(move |via| Row {
                    destination,
                    via: *via,
                })
            })
    }

    /// The rows of one NIC.
    pub fn rows_of(&self, nic: NicId) -> Vec<Row> {
        let destinations = self.by_nic.get(&nic).into_iter().flatten();
        let rows = destinations.filter_map(|it| Some((it.prefix()?, self.rows.get(it)?)));
        rows.flat_map(|(destination, ways)| {
            let of_nic = ways.as_slice().iter().filter(|via| via.nic == nic);
            of_nic.map(move |via| Row {
                destination,
                via: *via,
            })
        })
        .collect()
    }

    /// The usable rows whose destination `address` is in, longest prefix first, those of one
    /// destination in order: where the caller has more conditions than the datapath.
    pub fn lookup_candidates(&self, address: IpAddr) -> impl Iterator<Item = Row> {
        let key = Key::from(address);
        self.trie
            .matches(key)
            .into_iter()
            .filter_map(move |(len, _)| Prefix::new(address, len).ok())
            .map(Prefix::network)
            .flat_map(|destination| {
                let ways = self.rows.get(&Destination::of(destination));
                let ways = ways.map_or(&[][..], Ways::as_slice).iter();
                ways.filter(|via| self.usable.contains(&via.nic))
                    .map(move |via| Row {
                        destination,
                        via: *via,
                    })
            })
    }
}

/// A destination as the table's key: 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Destination {
    family: Family,
    network: Key,
    len: u8,
}

impl Destination {
    /// Of a prefix without a host part.
    fn of(prefix: Prefix) -> Self {
        Self {
            family: Family::of(prefix.address()),
            network: prefix.address().into(),
            len: prefix.len(),
        }
    }

    /// There is one: it was made of it.
    fn prefix(self) -> Option<Prefix> {
        Prefix::new(self.network.address(), self.len).ok()
    }
}

/// The ways to one destination, in order: almost always one.
enum Ways {
    One(Via),
    /// None, or several.
    Many(Vec<Via>),
}

impl Ways {
    fn as_slice(&self) -> &[Via] {
        match self {
            Self::One(via) => std::slice::from_ref(via),
            Self::Many(ways) => ways,
        }
    }

    fn insert(&mut self, at: usize, via: Via) {
        match self {
            Self::One(one) => {
                let mut ways = Vec::with_capacity(2);
                ways.push(*one);
                ways.insert(at, via);
                *self = Self::Many(ways);
            }
            Self::Many(ways) => ways.insert(at, via),
        }
    }

    fn remove(&mut self, at: usize) -> Via {
        match self {
            Self::One(one) => {
                let one = *one;
                *self = Self::Many(Vec::new());
                one
            }
            Self::Many(ways) => {
                let via = ways.remove(at);
                if let [one] = ways[..] {
                    *self = Self::One(one);
                }
                via
            }
        }
    }
}

/// Refuses networks that are groups' altogether; one that is more than that is for what is not.
fn check_destination(destination: Prefix) -> Result<(), RouteTableError> {
    let groups = match destination.address() {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 8,
    };
    if destination.address().is_multicast() && destination.len() >= groups {
        return Err(RouteTableError::MulticastDestination(destination));
    }
    Ok(())
}

fn check_gateway(destination: Prefix, gateway: IpAddr) -> Result<(), RouteTableError> {
    // Before the family: a mapped address is neither's.
    let bad = |reason| RouteTableError::BadGateway { gateway, reason };
    check_local(gateway).map_err(bad)?;
    if gateway.is_loopback() {
        return Err(bad(BadAddress::Loopback));
    }
    let family = Family::of(destination.address());
    if Family::of(gateway) != family {
        return Err(RouteTableError::GatewayFamily { gateway, family });
    }
    Ok(())
}
