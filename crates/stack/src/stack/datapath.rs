//! What a worker has of a stack.

use std::hash::BuildHasher;
use std::time::Duration;

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;
use corelane_sync::seat::Seat;
use corelane_sync::snapshot::Reader;
use corelane_wire::MacAddr;

use crate::address::Key;
use crate::clock::{Clock, Time};
use crate::datapath::ErrorSources;
use crate::demux::DemuxDatapath;
use crate::fib::{Hop, NO_NEIGHBOR};
use crate::icmp_limit::IcmpLimiter;
use crate::neighbor::{LinkWord, NeighborLine, NeighborView};
use crate::nic::NicId;
use crate::reassembly::Reassembly;
use crate::table::Home;

use super::Stack;
use super::config::StackError;
use super::fib::{FibSnapshot, InterfaceView};

/// How often a clock that is set by hand is looked at.
const MANUAL_NAP: Duration = Duration::from_millis(1);

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
    /// Its link address, and the control plane is to be told that it was used, by whoever
    /// [marks](FibDatapath::mark_used) it: it is asked soon whether it is still there.
    Stale(MacAddr, NeighborId),
    /// It has none yet: the control plane is to look for it, with the packet.
    Unresolved,
    /// It has none yet, and as many packets wait as may.
    Full,
    /// It does not answer.
    Unreachable,
    /// It did not answer when it was asked last, and the control plane is to be told that it is wanted,
    /// by whoever [marks](FibDatapath::mark_used) it: it is asked again.
    Retry(NeighborId),
}

/// What a worker puts packets into the queues of sockets with.
pub struct SocketWriter<'w> {
    /// The sockets.
    pub demux: &'w DemuxDatapath,
    /// The worker's seat.
    pub seat: &'w mut Seat,
    /// Where frames are that any datagram fits into.
    pub reassembly: &'w mut Reassembly,
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
    #[expect(clippy::needless_pass_by_value, reason = "a worker keeps it")]
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
            limiter: shared
                .icmp_limit
                .of_worker(worker, seed.wrapping_add(worker as u64)),
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

    /// What packets are put into the queues of sockets with.
    #[inline]
    pub fn sockets(&mut self) -> SocketWriter<'_> {
        SocketWriter {
            demux: &self.demux,
            seat: &mut self.seat,
            reassembly: &mut self.reassembly,
        }
    }

    /// The worker's seat.
    #[inline]
    pub fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// Reassembly, the limit on what is told of it, and the worker's seat.
    pub fn reassembly_parts(&mut self) -> (&mut Reassembly, &mut IcmpLimiter, &mut Seat) {
        (&mut self.reassembly, &mut self.limiter, &mut self.seat)
    }

    /// To be called after reassembly took something in, or ended something.
    pub fn note_deadline(&mut self) {
        self.deadline = self.reassembly.next_deadline();
    }

    /// When a datagram's time is over next.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// How long a thread can sleep until then; none of it with a clock that is set by hand, whose next
    /// time nobody knows.
    pub fn due_in(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        if self.stack.has_manual_clock() {
            return Some(MANUAL_NAP);
        }
        Some(deadline.saturating_since(self.now()))
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

    /// What errors are sent from on a NIC that has no address for it.
    pub fn error_sources(&self) -> ErrorSources {
        self.snapshot()
            .map(|fib| fib.error_sources)
            .unwrap_or_default()
    }

    /// Looks routes up for a burst of destinations; [`Hop::NOWHERE`] stands where there is none. Returns
    /// whether there is one for each.
    #[inline(never)]
    pub fn lookup(&self, destinations: &[Key], hops: &mut [Hop]) -> bool {
        let Some(fib) = self.snapshot() else {
            hops.fill(Hop::NOWHERE);
            return false;
        };
        fib.lpm.lookup_burst(&fib.store, destinations, hops)
    }

    /// Looks up the next hops of packets that leave by one NIC: their destinations, and the hops that
    /// routes gave them. [`adjacency`](Self::adjacency) tells of those that are not simply usable.
    ///
    /// A gateway's neighbor is known to the route: it is read, and since none is waited for, the misses
    /// of a burst overlap.
    #[inline(never)]
    pub fn links(
        &self,
        nic: NicId,
        destinations: &[Key],
        hops: &[Hop; BURST],
        out: &mut [LinkWord; BURST],
    ) {
        let Some(interface) = self.interface(nic) else {
            return;
        };
        let lines = &*interface.lines;
        let mut on_link = false;
        for ((_, hop), out) in destinations.iter().zip(hops).zip(out.iter_mut()) {
            match lines.get(hop.neighbor()) {
                Some(line) => *out = line.word(),
                // There is no line with the number of none.
                None => on_link = true,
            }
        }
        if on_link {
            interface.on_link(destinations, hops, out);
        }
    }

    /// What there is to know of one next hop: of the packets of [`links`](Self::links) whose link
    /// address is not simply usable.
    #[inline(never)]
    pub fn adjacency(&self, hop: Hop, destination: Key) -> Adjacency {
        let Some(interface) = self.interface(hop.nic()) else {
            return Adjacency::Unresolved;
        };
        let line = match hop.neighbor() {
            NO_NEIGHBOR => interface.table.find(&*interface.lines, destination),
            neighbor => Some(neighbor),
        };
        // A NIC may have the number of one that is gone, and not its neighbors.
        let found = line.and_then(|line| Some((line, interface.lines.get(line)?)));
        found.map_or(Adjacency::Unresolved, |(number, line)| {
            adjacency(hop.nic(), number, line)
        })
    }

    /// The address of a packet's next hop.
    pub fn next_hop(&self, hop: Hop, destination: Key) -> Key {
        // None has the number of none.
        let interface = self.interface(hop.nic());
        let line = interface.and_then(|it| it.lines.get(hop.neighbor()));
        line.map_or(destination, NeighborLine::key)
    }

    /// Marks a neighbor as used; true for the one that is to tell the control plane.
    #[cold]
    pub fn mark_used(&self, neighbor: NeighborId) -> bool {
        self.interface(neighbor.nic)
            .is_some_and(|interface| interface.lines.at(neighbor.line).mark_used())
    }

    /// Takes the mark back: the control plane could not be told, and the next one is to.
    #[cold]
    pub fn unmark_used(&self, neighbor: NeighborId) {
        if let Some(interface) = self.interface(neighbor.nic) {
            interface.lines.at(neighbor.line).unmark_used();
        }
    }
}

impl InterfaceView {
    /// Reads the neighbors that are destinations themselves.
    ///
    /// Three passes: hash and ask for the bucket; match the tag and ask for the neighbor; compare its
    /// address.
    #[inline(never)]
    fn on_link(&self, destinations: &[Key], hops: &[Hop; BURST], out: &mut [LinkWord; BURST]) {
        let mut homes = [Home::NOWHERE; BURST];
        let mut lines = [None; BURST];
        for ((destination, hop), home) in destinations.iter().zip(hops).zip(&mut homes) {
            if hop.neighbor() == NO_NEIGHBOR {
                *home = self.table.home(*destination);
                home.prefetch();
            }
        }
        for ((hop, home), line) in hops.iter().zip(&homes).zip(&mut lines) {
            if hop.neighbor() == NO_NEIGHBOR {
                *line = home.candidate().map(|candidate| self.lines.at(candidate));
                line.inspect(|line| prefetch_read(*line));
            }
        }
        let of_destination = destinations.iter().zip(hops).zip(lines).zip(out);
        for (((destination, hop), line), out) in of_destination {
            if hop.neighbor() != NO_NEIGHBOR {
                continue;
            }
            let line = line.filter(|line| line.key() == *destination).or_else(|| {
                let found = self.table.find(&*self.lines, *destination);
                found.map(|found| self.lines.at(found))
            });
            *out = line.map_or(LinkWord::UNKNOWN, NeighborLine::word);
        }
    }
}

fn adjacency(nic: NicId, number: u32, line: &NeighborLine) -> Adjacency {
    let id = || NeighborId {
        nic,
        line: number,
        life: line.life(),
    };
    match line.read() {
        NeighborView::Usable(mac) => Adjacency::Usable(mac),
        // Not marked before it is told: the packet may yet turn out to be one that is not sent.
        NeighborView::Stale(mac) if !line.is_used() => Adjacency::Stale(mac, id()),
        NeighborView::Stale(mac) => Adjacency::Usable(mac),
        NeighborView::Incomplete => Adjacency::Unresolved,
        NeighborView::Full => Adjacency::Full,
        // Now and then it is asked again, while there is traffic for it.
        NeighborView::Unreachable if !line.is_used() => Adjacency::Retry(id()),
        NeighborView::Unreachable => Adjacency::Unreachable,
    }
}
