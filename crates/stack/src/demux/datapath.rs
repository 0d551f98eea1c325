//! Looking packets up, by burst.

use std::sync::Arc;

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;
use corelane_sync::snapshot::Reader;
use corelane_wire::IpProtocol;

use super::identity::{Flow, Way};
use super::{Entry, Snapshot};
use crate::address::Family;
use crate::nic::NicId;
use crate::socket::Socket;
use crate::table::Home;

/// The sockets as one worker sees them.
pub struct DemuxDatapath {
    snapshots: Reader<Snapshot>,
}

impl DemuxDatapath {
    pub(super) fn new(snapshots: Reader<Snapshot>) -> Self {
        Self { snapshots }
    }

    /// Takes the newest version.
    #[inline]
    pub(crate) fn load(&mut self) {
        self.snapshots.load();
    }

    /// Holds no version until the next load.
    pub(crate) fn quiesce(&mut self) {
        self.snapshots.quiesce();
    }

    /// Whether any socket is bound.
    #[inline]
    pub fn has_sockets(&self) -> bool {
        let snapshot = self.snapshots.current();
        snapshot.is_some_and(|snapshot| snapshot.table.len() > 0)
    }

    /// Whether any raw socket is open.
    #[inline]
    pub fn has_raw(&self) -> bool {
        let snapshot = self.snapshots.current();
        snapshot.is_some_and(|snapshot| !snapshot.raw.is_empty())
    }

    /// Finds the socket of each flow, None where there is none (BEHAVIOURS K5 to K7).
    ///
    /// For each way that sockets are bound in, three passes, so that the misses of a burst overlap: hash
    /// and ask for the bucket; match the tag and ask for the entry; compare, choose and ask for the
    /// socket.
    #[inline(never)]
    pub fn lookup<'d>(&'d self, flows: &[Flow], out: &mut [Option<&'d Socket>; BURST]) {
        out.fill(None);
        let Some(snapshot) = self.snapshots.current() else {
            return;
        };
        for way in snapshot.ways() {
            // Compiled for each, so that what it looks at is known.
            match way {
                Way::Exact => lookup_way::<{ Way::Exact as u8 }>(snapshot, flows, out),
                Way::AnyLocal => lookup_way::<{ Way::AnyLocal as u8 }>(snapshot, flows, out),
                Way::AnyRemote => lookup_way::<{ Way::AnyRemote as u8 }>(snapshot, flows, out),
                Way::PortOnly => lookup_way::<{ Way::PortOnly as u8 }>(snapshot, flows, out),
            }
        }
    }

    /// Calls `each` with every socket that a packet for many is for: all that are bound to its NIC, or to
    /// none where none is, in every way (BEHAVIOURS K5, K7).
    #[cold]
    pub fn for_each<'d>(&'d self, flow: &Flow, mut each: impl FnMut(&'d Socket)) {
        let Some(snapshot) = self.snapshots.current() else {
            return;
        };
        for way in snapshot.ways() {
            if let Some(entry) = snapshot.entry(flow.identity(way)) {
                entry.all(flow.nic()).for_each(|socket| each(socket));
            }
        }
    }

    /// Whether there is a raw socket of a family and protocol that is on a NIC.
    #[cold]
    pub fn has_raw_for(&self, family: Family, protocol: IpProtocol, nic: NicId) -> bool {
        let snapshot = self.snapshots.current();
        snapshot.is_some_and(|it| it.raw(family, protocol, nic).next().is_some())
    }

    /// Calls `each` with every raw socket of a family and protocol that is on a NIC.
    #[cold]
    pub fn for_each_raw<'d>(
        &'d self,
        family: Family,
        protocol: IpProtocol,
        nic: NicId,
        mut each: impl FnMut(&'d Socket),
    ) {
        if let Some(snapshot) = self.snapshots.current() {
            let raw = snapshot.raw(family, protocol, nic);
            raw.for_each(|socket| each(socket));
        }
    }
}

#[inline(always)]
fn lookup_way<'d, const WAY: u8>(
    snapshot: &'d Snapshot,
    flows: &[Flow],
    out: &mut [Option<&'d Socket>; BURST],
) {
    let way = Way::ALL[usize::from(WAY)];
    let mut homes = [Home::NOWHERE; BURST];
    for ((flow, home), out) in flows.iter().zip(&mut homes).zip(out.iter()) {
        if out.is_none() && flow.is_some() {
            *home = snapshot.table.home(flow.identity(way));
            home.prefetch();
        }
    }
    let mut candidates: [Option<&Entry>; BURST] = [None; BURST];
    for (home, candidate) in homes.iter().zip(&mut candidates).take(flows.len()) {
        *candidate = home.candidate().and_then(|at| snapshot.entries.get(at));
        if let Some(entry) = *candidate {
            prefetch_read(entry);
        }
    }
    let found = flows.iter().zip(&candidates).zip(&homes).zip(out);
    for (((flow, candidate), home), out) in found {
        let socket = match *candidate {
            None if home.ends_here() => continue,
            Some(entry) if entry.identity().is(flow.identity(way)) => {
                entry.choose(flow, snapshot.seed)
            }
            _ => search(snapshot, flow, way),
        };
        if let Some(socket) = socket {
            prefetch_read::<Socket>(socket);
            *out = Some(socket);
        }
    }
}

/// Finds a socket where another one has the same tag, or the bucket had no room.
#[cold]
#[inline(never)]
fn search<'d>(snapshot: &'d Snapshot, flow: &Flow, way: Way) -> Option<&'d Arc<Socket>> {
    let entry = snapshot.entry(flow.identity(way))?;
    entry.choose(flow, snapshot.seed)
}
