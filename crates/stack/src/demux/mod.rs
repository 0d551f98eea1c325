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
//! What stands under one identity is one socket, or a *group* of several that share it, some bound to
//! a NIC. Those bound to the NIC that the packet arrived on come before those bound to none; among
//! several, each flow sticks to one. Where all are bound to other NICs, the search goes on.
//!
//! Table and entries are copy-on-write and published in snapshots: binding and closing copies a page
//! and a few nodes, however many sockets there are, and what a worker finds is there until the worker
//! has passed its next burst. A socket is freed by the control plane, never by a worker.
//!
//! | file | holds |
//! |---|---|
//! | `identity` | what sockets are found by, and packets |
//! | `entries`, `group` | what stands under an identity |
//! | `ports` | which ports are in use, to choose another |
//! | `datapath` | a worker's view: lookup by burst |
//! | `guesses` | where a worker found what it looked for last |
#![expect(
    clippy::disallowed_types,
    reason = "serialises the control plane; no worker takes this lock"
)]

mod datapath;
mod entries;
mod group;
mod guesses;
mod identity;
mod ports;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_sync::snapshot::{Handle, Publisher};
use corelane_wire::IpProtocol;

use crate::address::{Family, Key};
use crate::nic::NicId;
use crate::socket::{BindError, Socket};
use crate::table::{Table, TableFull};
use entries::{Entries, Entry};
use group::Member;
use ports::Ports;

pub use datapath::{DemuxDatapath, Sockets};
pub use identity::{Flow, FlowWord, Flows, Identity};
pub(crate) use identity::{WAYS, Way};

/// What a UDP socket is to be bound to, but for the port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) family: Family,
    pub(crate) local: Option<IpAddr>,
    pub(crate) remote: Option<SocketAddr>,
}

/// All sockets of a stack.
pub struct Demux {
    control: Mutex<Control>,
    snapshots: Handle<Snapshot>,
    /// How many sockets there were.
    made: AtomicU64,
}

/// The sockets as workers see them.
pub(crate) struct Snapshot {
    table: Table<Identity>,
    entries: Entries,
    /// How many entries there are of each way.
    ways: [u32; WAYS],
    raw: Arc<[Raw]>,
    /// Of the choice among several sockets: nobody can tell beforehand where a flow goes.
    seed: u64,
}

/// A raw socket.
#[derive(Clone)]
struct Raw {
    family: Family,
    protocol: IpProtocol,
    socket: Socket,
}

/// What stands behind the lock.
struct Control {
    table: Table<Identity>,
    entries: Entries,
    /// Numbers of entries that are not in use.
    free: Vec<u32>,
    ways: [u32; WAYS],
    ports: Ports,
    raw: Arc<[Raw]>,
    publisher: Publisher<Snapshot>,
    seed: u64,
    rng: fastrand::Rng,
}

impl Demux {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let table = Table::new(rng.u64(..));
        let seed = rng.u64(..);
        let first = Snapshot {
            table: table.clone(),
            entries: Entries::default(),
            ways: [0; WAYS],
            raw: Arc::from([]),
            seed,
        };
        let publisher = Publisher::new(first);
        Self {
            snapshots: publisher.handle(),
            made: AtomicU64::new(0),
            control: Mutex::new(Control {
                table,
                entries: Entries::default(),
                free: Vec::new(),
                ways: [0; WAYS],
                ports: Ports::default(),
                raw: Arc::from([]),
                publisher,
                seed,
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

    /// The number of a socket that is to be.
    pub(crate) fn next_number(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Binds a socket to `port` in all these ways, or in none; to one that is free if it is 0.
    pub(crate) fn bind(
        &self,
        bindings: &[Binding],
        port: u16,
        socket: &Socket,
    ) -> Result<Vec<Identity>, BindError> {
        let mut control = self.control();
        let Control { ports, rng, .. } = &mut *control;
        let port = match port {
            0 => ports.choose(bindings, rng).ok_or(BindError::NoPortLeft)?,
            port => port,
        };
        let identities: Vec<_> = bindings.iter().map(|it| Identity::of(it, port)).collect();
        if identities.iter().any(|it| control.clashes(*it, socket)) {
            return Err(BindError::PortInUse(port));
        }
        for (done, identity) in identities.iter().enumerate() {
            if control.add(*identity, socket).is_err() {
                for identity in &identities[..done] {
                    control.remove(*identity, socket);
                }
                return Err(BindError::TableFull);
            }
        }
        control.publish();
        Ok(identities)
    }

    /// Takes a socket out again.
    pub(crate) fn unbind(&self, identities: &[Identity], socket: &Socket) {
        let mut control = self.control();
        for identity in identities {
            control.remove(*identity, socket);
        }
        control.publish();
    }

    /// Has a socket shown all packets of a protocol.
    pub(crate) fn add_raw(&self, family: Family, protocol: IpProtocol, socket: &Socket) {
        let mut control = self.control();
        let added = Raw {
            family,
            protocol,
            socket: socket.clone(),
        };
        control.raw = control.raw.iter().cloned().chain([added]).collect();
        control.publish();
    }

    /// No longer.
    pub(crate) fn remove_raw(&self, socket: &Socket) {
        let mut control = self.control();
        let left = control.raw.iter();
        let left = left.filter(|raw| !raw.socket.is(socket));
        control.raw = left.cloned().collect();
        control.publish();
    }

    /// The socket that a packet was sent from, of which `flow` is the way back (BEHAVIOURS L2, L3).
    pub(crate) fn find_for_error(&self, flow: &Flow) -> Option<Socket> {
        self.snapshots.load().find(flow).cloned()
    }

    /// Whether some socket has a port of a family, however it is bound.
    pub(crate) fn has_port(&self, family: Family, port: u16) -> bool {
        self.control().ports.is_taken(family, port)
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
    fn find(&self, identity: Identity) -> Option<(u32, &Entry)> {
        let at = self.table.find(&self.entries, identity)?;
        Some((at, self.entries.get(at)?))
    }

    /// Whether a socket may not be bound to an identity (BEHAVIOURS K14): there is one that is bound to
    /// the same NIC, or to none as it is, and one of the two does not share.
    fn clashes(&self, identity: Identity, socket: &Socket) -> bool {
        let entry = self.find(identity);
        entry.is_some_and(|(_, entry)| entry.clashes(socket))
    }

    fn add(&mut self, identity: Identity, socket: &Socket) -> Result<(), TableFull> {
        if let Some((at, entry)) = self.find(identity) {
            let entry = entry.with(socket);
            self.entries.set(at, Some(entry));
        } else {
            self.table.reserve(&self.entries, identity)?;
            let entry = Entry::new(identity, socket);
            let at = self.entries.insert(&mut self.free, entry);
            let at = at.ok_or(TableFull)?;
            self.table.insert(&self.entries, identity, at)?;
            self.ways[identity.way() as usize] += 1;
        }
        self.ports.take(identity);
        Ok(())
    }

    fn remove(&mut self, identity: Identity, socket: &Socket) {
        let Some((at, entry)) = self.find(identity) else {
            return;
        };
        let left = entry.without(socket);
        if left.is_none() {
            self.table.remove(&self.entries, identity);
            self.free.push(at);
            self.ways[identity.way() as usize] -= 1;
        }
        self.entries.set(at, left);
        self.ports.give_back(identity);
    }

    fn publish(&mut self) {
        let next = Snapshot {
            table: self.table.clone(),
            entries: self.entries.clone(),
            ways: self.ways,
            raw: Arc::clone(&self.raw),
            seed: self.seed,
        };
        self.publisher.publish(next, []);
        self.publisher.collect(&mut Vec::new());
    }
}

impl Snapshot {
    /// The one socket that a packet of this flow is for, if there is one.
    fn find(&self, flow: &Flow) -> Option<&Socket> {
        self.ways()
            .find_map(|way| {
                let entry = self.entry(flow.identity(way))?;
                entry.choose(flow.nic(), || *flow, self.seed)
            })
            .map(Member::socket)
    }

    /// The ways that sockets are bound in, in the order of the search.
    fn ways(&self) -> impl Iterator<Item = Way> {
        Way::ALL
            .into_iter()
            .filter(|way| self.ways[*way as usize] > 0)
    }

    fn entry(&self, identity: Identity) -> Option<&Entry> {
        let at = self.table.find(&self.entries, identity)?;
        self.entries.get(at)
    }

    /// The raw sockets that a packet is to be shown.
    fn raw(
        &self,
        family: Family,
        protocol: IpProtocol,
        nic: NicId,
    ) -> impl Iterator<Item = &Socket> {
        let raw = self.raw.iter();
        raw.filter(move |raw| {
            raw.family == family && raw.protocol == protocol && raw.socket.is_on(nic)
        })
        .map(|raw| &raw.socket)
    }
}

/// What stands for any address.
const ANY: Key = Key { high: 0, low: 0 };

/// The key of an address, or of any.
fn key_or_any(address: Option<IpAddr>) -> Key {
    address.map_or(ANY, Key::from)
}
