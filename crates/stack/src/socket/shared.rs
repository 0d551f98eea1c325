//! What handle, snapshots and workers share of a socket.
#![expect(
    clippy::disallowed_types,
    reason = "errors go from the control plane to the handle; no worker takes this lock"
)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use corelane_frame::Frame;
use corelane_sync::counters::{self, CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{RingError, SeatConsumer, SeatRing, SeatRings};
use corelane_sync::seat::{Seat, SeatPlan};

use super::datagram::Datagram;
use super::error::{SocketDrop, SocketError, SocketStats};
use super::queue::SocketQueue;
use crate::datapath::Inbound;
use crate::nic::NicId;

/// Errors that a socket keeps for a reader that is slow.
const ERRORS: usize = 16;

/// Datagrams that came in fragments and wait in slots of reassembly, in one queue: few enough that some
/// sockets whose readers are slow leave the others their part.
pub(super) const LARGE: usize = 16;

/// What was dropped. What was received, the rings count.
#[derive(Clone, Copy)]
enum Counted {
    Overflow,
    Closed,
    Checksum,
}

impl CounterKey for Counted {
    const COUNT: usize = 3;

    #[inline]
    fn index(self) -> usize {
        self as usize
    }
}

/// A socket: its queues, each filled by whoever has the seat, and what is known of it. Clones are of the
/// same one.
#[derive(Clone)]
pub struct Socket {
    rings: SeatRings<Datagram, AtSeat, About>,
}

/// What is known of a socket; workers do not look at it.
pub(crate) struct About {
    /// Its own, of all in its stack: what the flows that sockets share are divided by.
    number: u64,
    reuse: bool,
    nic: Option<NicId>,
    counters: Vec<CounterReader<Counted>>,
    errors: Mutex<Errors>,
}

/// What a socket is made from.
pub(super) struct SocketParts<'p> {
    /// How many wait for the reader, of each worker.
    pub(super) queue: usize,
    pub(super) nic: Option<NicId>,
    pub(super) reuse: bool,
    /// Rung when something came.
    pub(super) bell: Option<&'p Doorbell>,
}

/// What a worker has beside its ring.
// What each packet asks for comes first: it ends the line that the ring begins with.
#[repr(C)]
pub(crate) struct AtSeat {
    bell: Bell,
    doorbell: Option<Doorbell>,
    counters: CounterWriter<Counted>,
    /// The places in the ring of what was queued in slots of reassembly, the oldest first. Those that
    /// were read since go when the next one comes.
    large: VecDeque<usize>,
}

/// What there is to ring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bell {
    /// There is none.
    None,
    /// Nothing came since it rang.
    Silent,
    /// Something did.
    Due,
}

#[derive(Default)]
struct Errors {
    unread: VecDeque<SocketError>,
    lost: u64,
}

/// The reader's end of a queue.
pub(super) type QueueRing = SeatConsumer<Datagram, AtSeat, About>;

/// A packet was put into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Whether [`Socket::ring_bell`] is to be called when the burst is done: it is the first since.
    pub bell: bool,
}

impl Socket {
    /// A socket with a queue for each seat but the last, which is no worker's.
    #[expect(clippy::needless_pass_by_value, reason = "made for this call")]
    pub(super) fn new(
        seats: &SeatPlan,
        number: u64,
        parts: SocketParts<'_>,
    ) -> Result<(Self, Vec<SocketQueue>), RingError> {
        let SocketParts {
            queue,
            nic,
            reuse,
            bell,
        } = parts;
        let (writers, readers): (Vec<_>, Vec<_>) = (1..seats.len()).map(|_| counters()).unzip();
        let ends = writers.into_iter().map(|counters| AtSeat {
            bell: bell.map_or(Bell::None, |_| Bell::Silent),
            doorbell: bell.cloned(),
            counters,
            large: VecDeque::with_capacity(LARGE),
        });
        let about = About {
            number,
            reuse,
            nic,
            counters: readers,
            errors: Mutex::default(),
        };
        let (rings, consumers) = SeatRings::new(seats, queue, ends.collect(), about)?;
        let queues = consumers.into_iter().map(SocketQueue::new).collect();
        Ok((Self { rings }, queues))
    }

    fn about(&self) -> &About {
        self.rings.about()
    }

    /// Its number: no other in its stack has it.
    pub(crate) fn number(&self) -> u64 {
        self.about().number
    }

    /// Whether it shares its addresses and ports with others that do.
    pub(crate) fn reuse(&self) -> bool {
        self.about().reuse
    }

    /// The NIC it is bound to: only what arrives there is for it.
    pub(crate) fn nic(&self) -> Option<NicId> {
        self.about().nic
    }

    /// Whether this is the same one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.rings.is(&other.rings)
    }

    /// Asks for what [`deliver`](Self::deliver) looks at: a burst of packets for as many sockets misses
    /// the caches once, not once for each.
    #[inline]
    pub(crate) fn prefetch(&self, seat: &Seat) {
        self.rings.prefetch(seat);
    }

    /// Puts a packet into the queue of this seat.
    ///
    /// # Errors
    /// Why it was not; the frame is where it was.
    #[inline(always)]
    pub fn deliver(
        &self,
        seat: &mut Seat,
        frame: &mut Frame,
        packet: &Inbound,
    ) -> Result<Queued, SocketDrop> {
        let mut ring = self.rings.get(seat).ok_or(SocketDrop::Closed)?;
        Self::queue(&mut ring, frame, packet)
    }

    #[inline(always)]
    fn queue(
        ring: &mut SeatRing<'_, Datagram, AtSeat>,
        frame: &mut Frame,
        packet: &Inbound,
    ) -> Result<Queued, SocketDrop> {
        if ring.is_closed() {
            ring.extra().counters.add(Counted::Closed, 1);
            return Err(SocketDrop::Closed);
        }
        if !ring.push_with(|| Datagram::new(frame.take(), packet)) {
            ring.extra().counters.add(Counted::Overflow, 1);
            return Err(SocketDrop::Overflow);
        }
        let bell = &mut ring.extra().bell;
        let is_first = *bell == Bell::Silent;
        if is_first {
            *bell = Bell::Due;
        }
        Ok(Queued { bell: is_first })
    }

    /// As [`deliver`](Self::deliver), of a frame that has a slot of reassembly, which all sockets share:
    /// only so many of them wait in a queue, however much room there is.
    ///
    /// # Errors
    /// As `deliver`.
    #[cold]
    pub fn deliver_large(
        &self,
        seat: &mut Seat,
        frame: &mut Frame,
        packet: &Inbound,
    ) -> Result<Queued, SocketDrop> {
        let mut ring = self.rings.get(seat).ok_or(SocketDrop::Closed)?;
        let (place, waiting) = (ring.position(), ring.waiting());
        let is_closed = ring.is_closed();
        let AtSeat {
            large, counters, ..
        } = ring.extra();
        let is_read = |at: &mut usize| place.wrapping_sub(*at) > waiting;
        while large.pop_front_if(is_read).is_some() {}
        if large.len() >= LARGE && !is_closed {
            counters.add(Counted::Overflow, 1);
            return Err(SocketDrop::Overflow);
        }
        let queued = Self::queue(&mut ring, frame, packet)?;
        ring.extra().large.push_back(place);
        Ok(queued)
    }

    /// Tells the reader what came, once for all that came since the last time (BEHAVIOURS K16).
    pub fn ring_bell(&self, seat: &mut Seat) {
        let Some(mut ring) = self.rings.get(seat) else {
            return;
        };
        let AtSeat { bell, doorbell, .. } = ring.extra();
        if *bell == Bell::Due
            && let Some(doorbell) = doorbell
        {
            *bell = Bell::Silent;
            doorbell.ring();
        }
    }

    /// Counts a packet for it that was dropped for its checksum.
    pub fn count_checksum_error(&self, seat: &mut Seat) {
        self.count(seat, Counted::Checksum);
    }

    /// Counts a packet for it that was dropped because there was no frame for a copy.
    pub fn count_overflow(&self, seat: &mut Seat) {
        self.count(seat, Counted::Overflow);
    }

    fn count(&self, seat: &mut Seat, counted: Counted) {
        if let Some(mut ring) = self.rings.get(seat) {
            ring.extra().counters.add(counted, 1);
        }
    }

    /// Takes nothing more, from this moment on.
    pub(crate) fn close(&self) {
        self.rings.close();
    }

    fn errors(&self) -> MutexGuard<'_, Errors> {
        // Nothing is called under it that could panic half-way.
        self.about()
            .errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it what became of a packet that it sent. Of many, the first are kept.
    pub(crate) fn push_error(&self, error: SocketError) {
        let mut errors = self.errors();
        if errors.unread.len() < ERRORS {
            errors.unread.push_back(error);
        } else {
            errors.lost += 1;
        }
    }

    pub(super) fn take_error(&self) -> Option<SocketError> {
        self.errors().unread.pop_front()
    }

    pub(super) fn stats(&self) -> SocketStats {
        let sum = |counter| counters::sum(&self.about().counters, counter);
        SocketStats {
            received: self.rings.pushed() as u64,
            overflow: sum(Counted::Overflow),
            closed: sum(Counted::Closed),
            checksum_errors: sum(Counted::Checksum),
            errors_lost: self.errors().lost,
        }
    }

    /// Whether it may take what arrives on a NIC.
    #[inline]
    pub(crate) fn is_on(&self, nic: NicId) -> bool {
        self.nic().is_none_or(|own| own == nic)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("nic", &self.nic())
            .field("reuse", &self.reuse())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Socket {
    /// A socket that nobody reads.
    pub(crate) fn bare(number: u64, nic: Option<NicId>, reuse: bool) -> Self {
        Self::bare_with_queues(number, nic, reuse).0
    }

    /// One with these queues.
    pub(crate) fn bare_with_queues(
        number: u64,
        nic: Option<NicId>,
        reuse: bool,
    ) -> (Self, Vec<SocketQueue>) {
        let (seats, _) = SeatPlan::mint(2);
        let parts = SocketParts {
            queue: 1,
            nic,
            reuse,
            bell: None,
        };
        Self::new(&seats, number, parts).expect("a queue of one")
    }

    /// How many there are of it.
    pub(crate) fn clones(&self) -> usize {
        self.rings.handles()
    }
}
