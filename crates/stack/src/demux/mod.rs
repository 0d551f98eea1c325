//! Which socket a packet is for (netstack's transport demuxer, BEHAVIOURS section K).
//!
//! Sockets are found by what they are bound to: protocol, local address and port, remote address and
//! port, with or without the addresses. A packet is looked up four times at most, the most specific
//! way first; a way that no socket is bound in costs nothing.
//!
//! | way | local address | local port | remote address and port |
//! |---|---|---|---|
//! | exact | × | × | × |
//! | any local address | | × | × |
//! | any remote | × | × | |
//! | port only | | × | |
//!
//! What stands under one identity is a *group*: one socket, or several that share it, some bound to a
//! NIC. Those bound to the NIC that the packet arrived on come before those bound to none; among
//! several, each flow sticks to one.
//!
//! The table is copy-on-write, as that of endpoints, and published in snapshots: binding and closing
//! copies a page, and what a worker finds is there until the worker has passed its next burst. A
//! socket is freed by the control plane, never by a worker.
#![expect(
    clippy::disallowed_types,
    reason = "serialises the control plane; no worker takes this lock"
)]

mod datapath;
mod group;
mod identity;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_sync::snapshot::{Handle, Publisher};
use corelane_wire::IpProtocol;

use crate::address::{Family, Key};
use crate::socket::{BindError, Socket};
use crate::table::Table;
use group::{Group, Groups};

pub use datapath::DemuxDatapath;
pub use identity::{Flow, Identity};
pub(crate) use identity::{WAYS, Way};

/// The ports that are chosen from where none is named (RFC 6335 section 6).
const DYNAMIC: std::ops::RangeInclusive<u16> = 49152..=65535;

/// What a socket is to be bound to, but for the port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) protocol: IpProtocol,
    pub(crate) family: Family,
    pub(crate) local: Option<IpAddr>,
    pub(crate) remote: Option<SocketAddr>,
}

/// All sockets of a stack.
pub struct Demux {
    control: Mutex<Control>,
    snapshots: Handle<Snapshot>,
}

/// The sockets as workers see them.
pub(crate) struct Snapshot {
    table: Table<Identity>,
    groups: Groups,
    /// How many groups there are of each way.
    ways: [u32; WAYS],
    raw: Arc<[Raw]>,
}

/// A raw socket.
#[derive(Clone)]
struct Raw {
    family: Family,
    protocol: IpProtocol,
    socket: Arc<Socket>,
}

/// What stands behind the lock.
struct Control {
    table: Table<Identity>,
    groups: Groups,
    /// Numbers of groups that are not in use.
    free: Vec<u32>,
    ways: [u32; WAYS],
    raw: Vec<Raw>,
    publisher: Publisher<Snapshot>,
    rng: fastrand::Rng,
}

impl Demux {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let table = Table::new(rng.u64(..));
        let groups = Groups::default();
        let first = Snapshot {
            table: table.clone(),
            groups: groups.clone(),
            ways: [0; WAYS],
            raw: Arc::from([]),
        };
        let publisher = Publisher::new(first);
        Self {
            snapshots: publisher.handle(),
            control: Mutex::new(Control {
                table,
                groups,
                free: Vec::new(),
                ways: [0; WAYS],
                raw: Vec::new(),
                publisher,
                rng,
            }),
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // A change is whole or was not begun.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker's view.
    pub(crate) fn datapath(&self) -> DemuxDatapath {
        DemuxDatapath::new(self.snapshots.reader())
    }

    /// Binds a socket to `port` in all these ways, or in none; to one that is free if it is 0.
    pub(crate) fn bind(
        &self,
        bindings: &[Binding],
        port: u16,
        socket: &Arc<Socket>,
    ) -> Result<Vec<Identity>, BindError> {
        for binding in bindings {
            if !matches!(binding.protocol, IpProtocol::UDP | IpProtocol::TCP) {
                return Err(BindError::UnknownProtocol(binding.protocol));
            }
        }
        let mut control = self.control();
        let port = match port {
            0 => control.free_port(bindings, socket)?,
            port => port,
        };
        let identities: Vec<_> = bindings.iter().map(|it| Identity::of(it, port)).collect();
        control.check(&identities, socket)?;
        for (done, identity) in identities.iter().enumerate() {
            if let Err(error) = control.add(*identity, socket) {
                for identity in &identities[..done] {
                    control.remove(*identity, socket);
                }
                control.publish();
                return Err(error);
            }
        }
        control.publish();
        Ok(identities)
    }

    /// Takes a socket out again.
    pub(crate) fn unbind(&self, identities: &[Identity], socket: &Arc<Socket>) {
        let mut control = self.control();
        for identity in identities {
            control.remove(*identity, socket);
        }
        control.publish();
    }

    /// Has a socket shown all packets of a protocol.
    pub(crate) fn add_raw(&self, family: Family, protocol: IpProtocol, socket: &Arc<Socket>) {
        let mut control = self.control();
        control.raw.push(Raw {
            family,
            protocol,
            socket: Arc::clone(socket),
        });
        control.publish();
    }

    /// No longer.
    pub(crate) fn remove_raw(&self, socket: &Arc<Socket>) {
        let mut control = self.control();
        control.raw.retain(|raw| !Arc::ptr_eq(&raw.socket, socket));
        control.publish();
    }

    /// The socket that a packet was sent from, of which `flow` is the way back (BEHAVIOURS L2, L3).
    pub(crate) fn find_for_error(&self, flow: &Flow) -> Option<Arc<Socket>> {
        let snapshot = self.snapshots.load();
        let found = snapshot.find(flow)?;
        Some(Arc::clone(found))
    }

    /// How many identities sockets are bound to.
    pub fn len(&self) -> usize {
        self.control().table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees what no worker can see any more; returns how many versions wait for a worker.
    pub(crate) fn reclaim(&self) -> usize {
        let mut control = self.control();
        control.publisher.collect(&mut Vec::new());
        control.publisher.pending()
    }
}

impl Control {
    fn find(&self, identity: Identity) -> Option<u32> {
        self.table.find(&self.groups, identity)
    }

    /// Whether a socket may be added to all these (BEHAVIOURS K14): those that are there share, and
    /// it does, or they are bound to other NICs.
    fn check(&self, identities: &[Identity], socket: &Socket) -> Result<(), BindError> {
        let clashes = |identity: &Identity| {
            let group = self.find(*identity).and_then(|at| self.groups.get(at));
            group.is_some_and(|group| group.clashes(socket))
        };
        match identities.iter().find(|it| clashes(it)) {
            Some(identity) => Err(BindError::PortInUse(identity.local_port())),
            None => Ok(()),
        }
    }

    /// A port that nobody has in any of these ways, chosen at random (RFC 6056 section 3.3.1).
    fn free_port(&mut self, bindings: &[Binding], socket: &Socket) -> Result<u16, BindError> {
        let count = u32::from(*DYNAMIC.end() - *DYNAMIC.start()) + 1;
        let first = self.rng.u32(..count);
        let ports = (0..count).map(|n| *DYNAMIC.start() + ((first + n) % count) as u16);
        let is_free = |port: &u16| {
            let identities = bindings.iter().map(|it| Identity::of(it, *port));
            let identities: Vec<_> = identities.collect();
            // One that is shared is not what was asked for.
            identities.iter().all(|it| self.find(*it).is_none())
                && self.check(&identities, socket).is_ok()
        };
        ports.into_iter().find(is_free).ok_or(BindError::NoPortLeft)
    }

    fn add(&mut self, identity: Identity, socket: &Arc<Socket>) -> Result<(), BindError> {
        if let Some(at) = self.find(identity) {
            if let Some(group) = self.groups.get(at) {
                let with = group.with(socket);
                self.groups.set(at, Some(Arc::new(with)));
            }
            return Ok(());
        }
        let full = |_| BindError::TableFull;
        self.table.reserve(&self.groups, identity).map_err(full)?;
        let group = Group::new(identity, self.rng.u64(..), socket);
        let at = self.groups.insert(&mut self.free, Arc::new(group));
        let at = at.ok_or(BindError::TableFull)?;
        self.table
            .insert(&self.groups, identity, at)
            .map_err(full)?;
        self.ways[identity.way() as usize] += 1;
        Ok(())
    }

    fn remove(&mut self, identity: Identity, socket: &Arc<Socket>) {
        let Some(at) = self.find(identity) else {
            return;
        };
        let Some(group) = self.groups.get(at) else {
            return;
        };
        match group.without(socket) {
            Some(group) => self.groups.set(at, Some(Arc::new(group))),
            None => {
                self.table.remove(&self.groups, identity);
                self.groups.set(at, None);
                self.free.push(at);
                self.ways[identity.way() as usize] -= 1;
            }
        }
    }

    fn publish(&mut self) {
        let next = Snapshot {
            table: self.table.clone(),
            groups: self.groups.clone(),
            ways: self.ways,
            raw: self.raw.as_slice().into(),
        };
        self.publisher.publish(next, []);
        self.publisher.collect(&mut Vec::new());
    }
}

impl Snapshot {
    /// The one socket that a packet of this flow is for, if there is one.
    fn find(&self, flow: &Flow) -> Option<&Arc<Socket>> {
        Way::ALL
            .into_iter()
            .filter(|way| self.ways[*way as usize] > 0)
            .find_map(|way| self.group(flow.identity(way))?.choose(flow))
    }

    fn group(&self, identity: Identity) -> Option<&Group> {
        let at = self.table.find(&self.groups, identity)?;
        self.groups.get(at).map(|group| &**group)
    }
}

/// The key of an address, or of any.
fn key_or_any(address: Option<IpAddr>) -> Key {
    address.map_or(Key { high: 0, low: 0 }, Key::from)
}
