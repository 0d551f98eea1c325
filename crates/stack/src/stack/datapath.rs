//! What a worker has of a stack.

use std::hash::BuildHasher;

use corelane_frame::{BURST, PoolCache};
use corelane_sync::seat::Seat;
use corelane_sync::snapshot::Reader;
use corelane_wire::MacAddr;

use crate::address::Key;
use crate::clock::{Clock, Time};
use crate::demux::DemuxDatapath;
use crate::fib::{Hop, NO_NEIGHBOR};
use crate::icmp_limit::IcmpLimiter;
use crate::neighbor::{NeighborLine, NeighborView};
use crate::nic::NicId;
use crate::packet_endpoint::TapWriter;
use crate::reassembly::Reassembly;
use crate::table::Home;

use super::Stack;
use super::config::StackError;
use super::fib::{FibSnapshot, InterfaceView};

/// A neighbor, as a worker names it to the control plane: a line, and which of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborId {
    pub(crate) nic: NicId,
    pub(crate) line: u32,
    pub(crate) life: u32,
}

/// What there is to know of a packet's next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjacency {
    /// Its link address.
    Usable(MacAddr),
    /// Its link address, and the control plane is to be told that it was used: it is asked soon whether
    /// it is still there.
    Stale(MacAddr, NeighborId),
    /// It has none yet: the control plane is to look for it, with the packet.
    Unresolved,
    /// It has none yet, and as many packets wait as may.
    Full,
    /// It does not answer.
    Unreachable,
}

/// One worker's part of a stack.
pub struct StackDatapath {
    /// Routes and neighbors.
    pub fib: FibDatapath,
    /// Sockets.
    pub demux: DemuxDatapath,
    /// Fragments of datagrams to this host.
    pub reassembly: Reassembly,
    /// How many errors may be sent.
    pub limiter: IcmpLimiter,
    seat: Seat,
    clock: Clock,
    /// When the first datagram's time is over; None if there is none in progress.
    deadline: Option<Time>,
    stack: Stack,
}

impl StackDatapath {
    pub(super) fn new(stack: Stack, seat: Seat, worker: usize) -> Result<Self, StackError> {
        let shared = stack.shared();
        let config = &shared.config;
        let seed = config.seed.unwrap_or_else(crate::nic::random_seed);
        let mut this = Self {
            fib: FibDatapath {
                fibs: shared.fibs.reader(),
            },
            demux: shared.demux.datapath(),
            reassembly: Reassembly::new(&config.reassembly, &shared.jumbo)?,
            limiter: IcmpLimiter::new(
                config.icmp_rate,
                config.icmp_burst,
                shared.workers,
                seed.wrapping_add(worker as u64),
            ),
            seat,
            clock: shared.clock.clone(),
            deadline: None,
            stack: stack.clone(),
        };
        this.quiesce();
        Ok(this)
    }

    /// Takes the newest versions: once per poll. Comparisons, as long as nothing changed.
    #[inline]
    pub fn refresh(&mut self) {
        self.fib.fibs.load();
        self.demux.load();
    }

    /// Holds no version until the next [`refresh`](Self::refresh): before the worker sleeps.
    pub fn quiesce(&mut self) {
        self.fib.fibs.quiesce();
        self.demux.quiesce();
    }

    /// What time it is. Read where it is needed, which is rare: for errors and fragments.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The worker's seat, and the sockets that it delivers to.
    #[inline]
    pub fn sockets(&mut self) -> (&DemuxDatapath, &mut Seat) {
        (&self.demux, &mut self.seat)
    }

    /// What packet endpoints are shown frames with.
    #[inline]
    pub fn taps<'w>(&'w mut self, cache: &'w mut PoolCache) -> TapWriter<'w> {
        TapWriter {
            seat: &mut self.seat,
            cache,
        }
    }

    /// Reassembly, and the limit on what is told of it.
    pub fn reassembly_and_limiter(&mut self) -> (&mut Reassembly, &mut IcmpLimiter) {
        (&mut self.reassembly, &mut self.limiter)
    }

    /// To be called after reassembly took something in, or ended something.
    pub fn note_deadline(&mut self) {
        self.deadline = self.reassembly.next_deadline();
    }

    /// When a datagram's time is over next.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// Whether the time of a datagram is over. Reads the clock only while there is one in progress.
    #[inline]
    pub fn has_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= self.now())
    }

    /// Forgets what came by a NIC that is removed.
    pub fn forget_nic(&mut self, nic: NicId) {
        self.reassembly.clear_nic(nic.0);
        self.note_deadline();
    }

    /// What the fragments of a packet that is sent from here are known by: as good as random to whoever
    /// does not know the seed (RFC 7739), and the same on every worker.
    pub fn identification(&self, packet: &[u8]) -> u32 {
        (self.stack.shared().identifications.hash_one(packet) >> 32) as u32
    }

    /// The stack.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }
}

/// Routes and neighbors as one worker sees them.
pub struct FibDatapath {
    fibs: Reader<FibSnapshot>,
}

impl FibDatapath {
    #[inline]
    fn snapshot(&self) -> Option<&FibSnapshot> {
        self.fibs.current()
    }

    #[inline]
    fn interface(&self, nic: NicId) -> Option<&InterfaceView> {
        self.snapshot()?.interface(nic)
    }

    /// Looks routes up for a burst of destinations.
    #[inline(never)]
    pub fn lookup(&self, destinations: &[Key], hops: &mut [Option<Hop>]) {
        match self.snapshot() {
            Some(fib) => fib.lpm.lookup_burst(&fib.store, destinations, hops),
            None => hops.fill(None),
        }
    }

    /// Looks up the next hops of packets that leave by one NIC: their destinations, and the hops that
    /// routes gave them.
    ///
    /// Three passes, so that the misses of a burst overlap: hash and ask for the bucket; match the tag
    /// and ask for the neighbor; read it.
    #[inline(never)]
    pub fn adjacencies(
        &self,
        nic: NicId,
        destinations: &[Key],
        hops: &[Hop],
        out: &mut [Adjacency; BURST],
    ) {
        let Some(interface) = self.interface(nic) else {
            return;
        };
        let lines = &*interface.lines;
        let mut homes = [Home::NOWHERE; BURST];
        for ((destination, hop), home) in destinations.iter().zip(hops).zip(&mut homes) {
            if hop.neighbor == NO_NEIGHBOR {
                *home = interface.table.home(*destination);
                home.prefetch();
            } else {
                lines.prefetch(hop.neighbor);
            }
        }
        let mut candidates = [NO_NEIGHBOR; BURST];
        for ((hop, home), candidate) in hops.iter().zip(&homes).zip(&mut candidates) {
            *candidate = hop.neighbor;
            if hop.neighbor == NO_NEIGHBOR
                && let Some(line) = home.candidate()
            {
                lines.prefetch(line);
                *candidate = line;
            }
        }
        let packets = destinations.iter().zip(hops).zip(candidates);
        for (((destination, hop), candidate), out) in packets.zip(out) {
            let line = if hop.neighbor != NO_NEIGHBOR {
                Some(hop.neighbor)
            } else if candidate != NO_NEIGHBOR && lines.at(candidate).key() == *destination {
                Some(candidate)
            } else {
                interface.table.find(lines, *destination)
            };
            *out = line.map_or(Adjacency::Unresolved, |line| {
                adjacency(nic, line, lines.at(line))
            });
        }
    }

    /// The address of a packet's next hop.
    pub fn next_hop(&self, hop: Hop, destination: Key) -> Key {
        match self.interface(hop.nic) {
            Some(interface) if hop.neighbor != NO_NEIGHBOR => {
                interface.lines.at(hop.neighbor).key()
            }
            _ => destination,
        }
    }

    /// Takes back that a neighbor was marked as used: the control plane could not be told.
    #[cold]
    pub fn unmark(&self, neighbor: NeighborId) {
        if let Some(interface) = self.interface(neighbor.nic) {
            interface.lines.at(neighbor.line).unmark_used();
        }
    }
}

#[inline]
fn adjacency(nic: NicId, number: u32, line: &NeighborLine) -> Adjacency {
    let id = || NeighborId {
        nic,
        line: number,
        life: line.life(),
    };
    match line.read() {
        NeighborView::Usable(mac) => Adjacency::Usable(mac),
        NeighborView::Stale(mac) if line.mark_used() => Adjacency::Stale(mac, id()),
        NeighborView::Stale(mac) => Adjacency::Usable(mac),
        NeighborView::Incomplete => Adjacency::Unresolved,
        NeighborView::Full => Adjacency::Full,
        // Now and then it is asked again, while there is traffic for it: by the packet that is told.
        NeighborView::Unreachable if line.mark_used() => Adjacency::Unresolved,
        NeighborView::Unreachable => Adjacency::Unreachable,
    }
}
