//! Looking packets up, by burst.

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;
use corelane_sync::seat::Seat;
use corelane_sync::snapshot::Reader;
use corelane_wire::IpProtocol;

use super::group::Member;
use super::identity::{Flow, Flows, Way, identity};
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
    /// socket and its end at `seat`. A pass looks at nothing that the one before has not asked for.
    #[inline(never)]
    pub fn lookup<'d, F: Flows + ?Sized>(
        &'d self,
        seat: &Seat,
        flows: &F,
        out: &mut [Option<&'d Socket>; BURST],
    ) {
        out.fill(None);
        let Some(snapshot) = self.snapshots.current() else {
            return;
        };
        for way in snapshot.ways() {
            // Compiled for each, so that what it looks at is known.
            match way {
                Way::Exact => lookup_way::<{ Way::Exact as u8 }, F>(snapshot, seat, flows, out),
                Way::AnyLocal => {
                    lookup_way::<{ Way::AnyLocal as u8 }, F>(snapshot, seat, flows, out);
                }
                Way::AnyRemote => {
                    lookup_way::<{ Way::AnyRemote as u8 }, F>(snapshot, seat, flows, out);
                }
                Way::PortOnly => {
                    lookup_way::<{ Way::PortOnly as u8 }, F>(snapshot, seat, flows, out);
                }
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
fn lookup_way<'d, const WAY: u8, F: Flows + ?Sized>(
    snapshot: &'d Snapshot,
    seat: &Seat,
    flows: &F,
    out: &mut [Option<&'d Socket>; BURST],
) {
    let way = Way::ALL[usize::from(WAY)];
    let len = flows.len().min(BURST);
    let mut homes = [Home::NOWHERE; BURST];
    for at in 0..len {
        if out[at].is_none() && flows.word(at).is_some() {
            homes[at] = snapshot.table.home(identity(flows, at, way));
            homes[at].prefetch();
        }
    }
    let mut candidates: [Option<&Option<Entry>>; BURST] = [None; BURST];
    for at in 0..len {
        if let Some(place) = homes[at]
            .candidate()
            .and_then(|it| snapshot.entries.place(it))
        {
            prefetch_read(place);
            candidates[at] = Some(place);
        }
    }
    for at in 0..len {
        let member = match candidates[at] {
            None if homes[at].ends_here() => continue,
            Some(Some(entry)) if entry.identity().is(identity(flows, at, way)) => {
                entry.choose(flows.word(at).nic(), || flows.flow(at), snapshot.seed)
            }
            _ => search(snapshot, &flows.flow(at), way),
        };
        if let Some(member) = member {
            member.prefetch(seat);
            out[at] = Some(member.socket());
        }
    }
}

/// Finds a socket where another one has the same tag, or the bucket had no room.
#[cold]
#[inline(never)]
fn search<'d>(snapshot: &'d Snapshot, flow: &Flow, way: Way) -> Option<&'d Member> {
    snapshot.choose(flow, way)
}
