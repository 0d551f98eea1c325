//! What handle, snapshots and workers share of a socket.
#![expect(
    clippy::disallowed_types,
    reason = "errors go from the control plane to the handle; no worker takes this lock"
)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use corelane_frame::Frame;
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Gauge, Producer, RingError, ring};
use corelane_sync::seat::{PerSeat, Seat, SeatHint, SeatPlan};

use super::datagram::Datagram;
use super::error::{SocketDrop, SocketError, SocketStats};
use super::queue::SocketQueue;
use crate::datapath::Inbound;
use crate::nic::NicId;

/// Errors that a socket keeps for a reader that is slow.
const ERRORS: usize = 16;

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

/// A socket as workers find it. Its queues are filled by whoever has the seat.
// What workers look at comes first, on a line that is written once in its life.
#[repr(C, align(64))]
pub struct Socket {
    seats: PerSeat<AtSeat>,
    /// Its own, of all in its stack: what the flows that sockets share are divided by.
    pub(crate) number: u64,
    closed: AtomicBool,
    /// Whether it shares its addresses and ports with others that do.
    pub(crate) reuse: bool,
    /// The NIC it is bound to: only what arrives there is for it.
    pub(crate) nic: Option<NicId>,
    readers: Box<[Reader]>,
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

/// Where the workers' ends of a socket are.
pub(crate) type Ends = SeatHint<AtSeat>;

/// One worker's end: what a packet is put into a queue with on its first line.
#[repr(C)]
pub(crate) struct AtSeat {
    ring: Producer<Datagram>,
    bell: Option<Doorbell>,
    /// Whether something came since it rang.
    owes_ring: bool,
    counters: CounterWriter<Counted>,
}

/// What one worker counts.
struct Reader {
    ring: Gauge<Datagram>,
    counters: CounterReader<Counted>,
}

#[derive(Default)]
struct Errors {
    unread: VecDeque<SocketError>,
    lost: u64,
}

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
        let mut ends = Vec::new();
        let mut queues = Vec::new();
        let mut readers = Vec::new();
        for _ in 1..seats.len() {
            let (producer, consumer) = ring(queue)?;
            let (writer, reader) = counters();
            readers.push(Reader {
                ring: producer.gauge(),
                counters: reader,
            });
            ends.push(AtSeat {
                ring: producer,
                bell: bell.cloned(),
                owes_ring: false,
                counters: writer,
            });
            queues.push(SocketQueue::new(consumer));
        }
        let socket = Self {
            seats: PerSeat::new(seats, ends),
            number,
            closed: AtomicBool::new(false),
            reuse,
            nic,
            readers: readers.into(),
            errors: Mutex::default(),
        };
        Ok((socket, queues))
    }

    /// Where its workers' ends are, to ask for one.
    pub(crate) fn ends(&self) -> Ends {
        self.seats.hint()
    }

    /// Asks for what [`deliver`](Self::deliver) touches: a burst of packets for as many sockets misses
    /// the caches once, not once for each.
    #[inline]
    pub fn prefetch_queue(&self, seat: &mut Seat) {
        if let Some(end) = self.seats.get(seat) {
            end.ring.prefetch_push();
        }
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
        let Some(end) = self.seats.get(seat) else {
            return Err(SocketDrop::Closed);
        };
        if self.closed.load(Ordering::Acquire) || end.ring.is_closed() {
            end.counters.add(Counted::Closed, 1);
            return Err(SocketDrop::Closed);
        }
        let datagram = || Datagram::new(std::mem::take(frame), packet);
        if !end.ring.push_with(datagram) {
            end.counters.add(Counted::Overflow, 1);
            return Err(SocketDrop::Overflow);
        }
        let bell = end.bell.is_some() && !std::mem::replace(&mut end.owes_ring, true);
        Ok(Queued { bell })
    }

    /// Tells the reader what came, once for all that came since the last time (BEHAVIOURS K16).
    pub fn ring_bell(&self, seat: &mut Seat) {
        let Some(end) = self.seats.get(seat) else {
            return;
        };
        if std::mem::take(&mut end.owes_ring)
            && let Some(bell) = &end.bell
        {
            bell.ring();
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
        if let Some(end) = self.seats.get(seat) {
            end.counters.add(counted, 1);
        }
    }

    /// Takes nothing more, from this moment on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn errors(&self) -> MutexGuard<'_, Errors> {
        // Nothing is called under it that could panic half-way.
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
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
        let readers = || self.readers.iter();
        let sum = |counter| readers().map(|it| it.counters.value(counter)).sum();
        SocketStats {
            received: readers().map(|it| it.ring.pushed() as u64).sum(),
            overflow: sum(Counted::Overflow),
            closed: sum(Counted::Closed),
            checksum_errors: sum(Counted::Checksum),
            errors_lost: self.errors().lost,
        }
    }

    /// Whether it may take what arrives on a NIC.
    #[inline]
    pub(crate) fn is_on(&self, nic: NicId) -> bool {
        self.nic.is_none_or(|own| own == nic)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("nic", &self.nic)
            .field("reuse", &self.reuse)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Socket {
    /// A socket that nobody reads.
    pub(crate) fn bare(number: u64, nic: Option<NicId>, reuse: bool) -> std::sync::Arc<Self> {
        let (seats, _) = SeatPlan::mint(1);
        let parts = SocketParts {
            queue: 1,
            nic,
            reuse,
            bell: None,
        };
        let (socket, _) = Self::new(&seats, number, parts).expect("no queue to fail");
        std::sync::Arc::new(socket)
    }
}
