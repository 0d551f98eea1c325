//! The rows of the route table, and routes for what this host sends.

use std::net::IpAddr;

use thiserror::Error;

use crate::address::{Family, Key, Prefix};
use crate::error::RouteError;
use crate::fib::{NO_NEIGHBOR, RouteTableError, Row, Via};
use crate::neighbor::NeighborError;
use crate::nic::{Nic, NicId};
use crate::route::Route;

use super::fib::Fib;
use super::{Stack, StackShared};
use crate::clock::Time;

/// A row of the route table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// The network it leads to; the host part counts for nothing.
    pub to: Prefix,
    /// The router that packets go to; None if the network is on the NIC's link.
    pub via: Option<IpAddr>,
    /// The NIC that they leave by.
    pub nic: NicId,
    /// Of several rows for one network, the one with the least is used, of those whose NIC is enabled;
    /// the one added first among equals.
    pub metric: u32,
}

impl RouteSpec {
    fn of(row: Row) -> Self {
        Self {
            to: row.destination,
            via: row.via.gateway,
            nic: row.via.nic,
            metric: row.via.metric,
        }
    }
}

/// Why the route table was not changed.
#[derive(Debug, Error)]
pub enum RoutesError {
    /// The row cannot be, is there already, or is not there.
    #[error(transparent)]
    Table(#[from] RouteTableError),
    /// There is no such NIC.
    #[error("there is no NIC {0}")]
    UnknownNic(NicId),
    /// The gateway has no place among the NIC's neighbors.
    #[error(transparent)]
    Gateway(#[from] NeighborError),
}

/// Changes to the route table that workers see together.
pub struct RoutesTransaction<'f> {
    fib: &'f mut Fib,
    stack: &'f StackShared,
    now: Time,
}

impl RoutesTransaction<'_> {
    /// As [`Stack::add_route`].
    ///
    /// # Errors
    /// [`RoutesError`].
    pub fn add(&mut self, route: RouteSpec) -> Result<(), RoutesError> {
        let RouteSpec {
            to,
            via,
            nic,
            metric,
        } = route;
        if !self.fib.has_interface(nic) {
            return Err(RoutesError::UnknownNic(nic));
        }
        let mut way = Via {
            nic,
            gateway: via,
            metric,
            neighbor: NO_NEIGHBOR,
        };
        // What cannot be pinned is not a gateway that the table takes either, and its reason counts.
        let pinned = via
            .filter(|gateway| crate::address::check_local(*gateway).is_ok())
            .map(|gateway| self.pin(nic, gateway))
            .transpose()?;
        way.neighbor = pinned.unwrap_or(NO_NEIGHBOR);
        let stack = self.stack;
        let added = self
            .fib
            .routes
            .add(to, way, |address| stack.is_own(address));
        match added {
            Ok(()) => {
                self.fib.mark_changed();
                Ok(())
            }
            Err(error) => {
                if let Some(line) = pinned {
                    self.unpin(nic, line);
                }
                Err(error.into())
            }
        }
    }

    /// As [`Stack::remove_route`].
    ///
    /// # Errors
    /// [`RoutesError`].
    pub fn remove(
        &mut self,
        to: Prefix,
        via: Option<IpAddr>,
        nic: NicId,
    ) -> Result<(), RoutesError> {
        let way = self.fib.routes.remove(to, nic, via)?;
        self.fib.mark_changed();
        if way.neighbor != NO_NEIGHBOR {
            self.unpin(nic, way.neighbor);
        }
        Ok(())
    }

    fn pin(&mut self, nic: NicId, gateway: IpAddr) -> Result<u32, RoutesError> {
        let pin = self
            .fib
            .on_neighbors(nic, self.now, |cache, turn| cache.pin(gateway.into(), turn));
        Ok(pin.ok_or(RoutesError::UnknownNic(nic))??)
    }

    fn unpin(&mut self, nic: NicId, line: u32) {
        self.fib
            .on_neighbors(nic, self.now, |cache, turn| cache.unpin(line, turn));
    }
}

impl Stack {
    /// Adds a row to the route table, which NICs that forward go by, and what this host sends. It is in
    /// effect when this returns; workers go by it from their next burst.
    ///
    /// # Errors
    /// [`RoutesError`]; nothing was changed.
    pub fn add_route(&self, route: RouteSpec) -> Result<(), RoutesError> {
        self.change_routes(|routes| routes.add(route))
    }

    /// Takes a row out.
    ///
    /// # Errors
    /// [`RoutesError`]; nothing was changed.
    pub fn remove_route(
        &self,
        to: Prefix,
        via: Option<IpAddr>,
        nic: NicId,
    ) -> Result<(), RoutesError> {
        self.change_routes(|routes| routes.remove(to, via, nic))
    }

    /// Makes several changes with one publish. `change` must not make another call on the stack.
    pub fn change_routes<R>(&self, change: impl FnOnce(&mut RoutesTransaction<'_>) -> R) -> R {
        let stack = &**self.shared();
        stack.with_fib(|fib, now| change(&mut RoutesTransaction { fib, stack, now }))
    }

    /// The rows: by family, network and length, those of one network in the order of use.
    pub fn routes(&self) -> Vec<RouteSpec> {
        self.shared()
            .with_fib(|fib, _| fib.routes.rows().map(RouteSpec::of).collect())
    }

    /// How many rows there are.
    pub fn route_count(&self) -> usize {
        self.shared().with_fib(|fib, _| fib.routes.len())
    }

    /// A route to `remote` (netstack's `FindRoute`), on `nic` or on the first that one of the rows
    /// leads out of, the longest prefix first; from `local` or, if none is named, from the best source
    /// address of that NIC (BEHAVIOURS J12, J13).
    ///
    /// A group, a broadcast or a link-local address is on every link: on a NIC that is named, there is
    /// no need for a row.
    ///
    /// # Errors
    /// [`RouteError`]: of the row that came nearest, [`RouteError::NoRoute`] if there is none.
    pub fn find_route(
        &self,
        nic: Option<NicId>,
        local: Option<IpAddr>,
        remote: IpAddr,
    ) -> Result<Route, RouteError> {
        if let Some(nic) = nic.filter(|_| is_on_every_link(remote)) {
            let nic = self.shared().nic(nic).ok_or(RouteError::NoRoute(remote))?;
            return Nic::from_shared(nic).route(local, remote);
        }
        let rows: Vec<_> = self
            .shared()
            .with_fib(|fib, _| fib.routes.lookup_candidates(remote).collect());
        let mut nearest = RouteError::NoRoute(remote);
        for row in rows {
            if nic.is_some_and(|nic| nic != row.via.nic) {
                continue;
            }
            let Some(egress) = self.shared().nic(row.via.nic) else {
                continue;
            };
            // What is on every link is on this one (BEHAVIOURS J14).
            let gateway = row.via.gateway.filter(|_| !is_on_every_link(remote));
            match Nic::from_shared(egress).route_via(local, remote, gateway) {
                Ok(route) => return Ok(route),
                Err(error) => nearest = error,
            }
        }
        Err(nearest)
    }
}

/// Whether an address is one of the link of whatever NIC it is used on.
fn is_on_every_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_broadcast() || address.is_multicast() || address.is_link_local()
        }
        IpAddr::V6(address) => address.is_multicast() || address.is_unicast_link_local(),
    }
}

impl StackShared {
    /// A NIC is there: it has neighbors from now on, and shows frames to the packet endpoints that are
    /// registered with all NICs.
    pub(crate) fn nic_created(&self, nic: &Nic) {
        let shared = nic.shared();
        self.with_fib(|fib, _| fib.add_interface(&shared.settings));
        // Held throughout, as where endpoints are registered.
        let taps = super::lock(&self.taps);
        super::lock(&self.nics).insert(nic.id(), std::sync::Arc::downgrade(shared));
        for (protocol, endpoint) in &*taps {
            // Just made, it is not gone, and they are of this stack.
            let _ = nic.register_packet_endpoint(*protocol, endpoint);
        }
    }

    /// A NIC was enabled, disabled or removed: routes by it are used, or not, as it is now.
    pub(crate) fn nic_changed(&self, nic: &crate::nic::NicShared) {
        let id = nic.id();
        self.with_fib(|fib, now| {
            // Under the lock: of two who tell of changes, the last tells what came last.
            let enabled = !nic.is_gone() && nic.snapshots.load().enabled;
            // Without memory for it, routes stay as they are: packets by a NIC that is down are
            // dropped as `egress_down`.
            let _ = fib.routes.set_nic_usable(id, enabled);
            fib.mark_changed();
            if !enabled {
                fib.on_neighbors(id, now, crate::neighbor::NeighborCache::clear);
            }
        });
    }

    /// A NIC was removed: its rows and neighbors go.
    pub(crate) fn nic_removed(&self, nic: &crate::nic::NicShared) {
        // Its neighbors are forgotten, and nobody is looked for from now on.
        self.nic_changed(nic);
        let id = nic.id();
        super::lock(&self.nics).remove(&id);
        self.with_fib(|fib, _| {
            let rows: Vec<_> = fib.routes.rows_of(id);
            for row in rows {
                // Without memory for it the row stays, unused.
                let _ = fib.routes.remove(row.destination, id, row.via.gateway);
            }
            fib.remove_interface(id);
        });
    }

    /// The router that packets to `remote` go to from a NIC, if a row says so.
    pub(crate) fn gateway(&self, nic: NicId, remote: IpAddr) -> Option<IpAddr> {
        if is_on_every_link(remote) {
            return None;
        }
        let snapshot = self.fib_snapshot();
        let hop = snapshot.lpm.lookup(&snapshot.store, Key::from(remote))?;
        if hop.nic() == nic {
            let lines = &snapshot.interface(nic)?.lines;
            return (hop.neighbor() != NO_NEIGHBOR)
                .then(|| lines.at(hop.neighbor()).key().address());
        }
        drop(snapshot);
        self.with_fib(|fib, _| {
            let mut rows = fib.routes.lookup_candidates(remote);
            rows.find(|row| row.via.nic == nic)?.via.gateway
        })
    }
}

/// Whether a family's packets of this size can be.
pub(crate) const fn longest_packet(family: Family) -> usize {
    match family {
        Family::V4 => u16::MAX as usize,
        Family::V6 => 40 + u16::MAX as usize,
    }
}
