//! Looking packets up, by burst.

use std::sync::Arc;

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;
use corelane_sync::snapshot::Reader;
use corelane_wire::IpProtocol;

use super::Snapshot;
use super::identity::{Flow, Way};
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
    /// For each way that sockets are bound in, four passes, so that the misses of a burst overlap: hash and
    /// ask for the bucket; match the tag and ask for the group; compare, choose and ask for the socket.
    #[inline(never)]
    pub fn lookup<'d>(&'d self, flows: &[Flow], out: &mut [Option<&'d Socket>; BURST]) {
        out.fill(None);
        let Some(snapshot) = self.snapshots.current() else {
            return;
        };
        for way in Way::ALL {
            if snapshot.ways[way as usize] > 0 {
                lookup_way(snapshot, way, flows, out);
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
        for way in Way::ALL {
            if let Some(group) = snapshot.group(flow.identity(way)) {
                group
                    .eligible(flow.nic)
                    .for_each(|(_, socket)| each(socket));
            }
        }
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
        let raw = self.snapshots.current().map(|snapshot| &snapshot.raw);
        for raw in raw.into_iter().flat_map(|raw| raw.iter()) {
            if raw.family == family && raw.protocol == protocol && raw.socket.is_on(nic) {
                each(&raw.socket);
            }
        }
    }
}

fn lookup_way<'d>(
    snapshot: &'d Snapshot,
    way: Way,
    flows: &[Flow],
    out: &mut [Option<&'d Socket>; BURST],
) {
    let mut homes = [Home::NOWHERE; BURST];
    for ((flow, home), out) in flows.iter().zip(&mut homes).zip(out.iter()) {
        if out.is_none() {
            *home = snapshot.table.home(flow.identity(way));
            home.prefetch();
        }
    }
    let mut candidates = [None; BURST];
    for (home, candidate) in homes.iter().zip(&mut candidates).take(flows.len()) {
        *candidate = home.candidate().and_then(|at| snapshot.groups.get(at));
        if let Some(group) = candidate {
            prefetch_read::<super::Group>(group);
        }
    }
    let found = flows.iter().zip(candidates).zip(&homes).zip(out);
    for (((flow, candidate), home), out) in found {
        if out.is_some() {
            continue;
        }
        let identity = flow.identity(way);
        let group = match candidate {
            Some(group) if group.identity() == identity => Some(&**group),
            None if home.ends_here() => None,
            _ => snapshot.group(identity),
        };
        let socket: Option<&'d Arc<Socket>> = group.and_then(|group| group.choose(flow));
        *out = socket.map(|socket| &**socket);
        if let Some(socket) = *out {
            prefetch_read(socket);
        }
    }
}
