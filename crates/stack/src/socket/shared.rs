//! What handle, snapshots and workers share of a socket.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Producer, RingError, ring};
use corelane_sync::seat::{PerSeat, Seat, SeatPlan};
use crossbeam::queue::ArrayQueue;

use super::datagram::Datagram;
use super::error::{SocketDrop, SocketError, SocketStats};
use super::queue::SocketQueue;
use crate::nic::NicId;

/// Errors that a socket keeps for a reader that is slow.
const ERRORS: usize = 16;

#[derive(Clone, Copy)]
enum Counted {
    Received,
    Overflow,
    Closed,
    Checksum,
}

impl CounterKey for Counted {
    const COUNT: usize = 4;

    #[inline]
    fn index(self) -> usize {
        self as usize
    }
}

/// A socket as workers find it. Its queues are filled by whoever has the seat.
pub struct Socket {
    /// The NIC it is bound to: only what arrives there is for it.
    pub(crate) nic: Option<NicId>,
    /// Whether it shares its addresses and ports with others that do.
    pub(crate) reuse: bool,
    seats: PerSeat<AtSeat>,
    counters: Vec<CounterReader<Counted>>,
    closed: AtomicBool,
    errors: ArrayQueue<SocketError>,
    errors_lost: AtomicU64,
}

/// One worker's end.
struct AtSeat {
    ring: Producer<Datagram>,
    counters: CounterWriter<Counted>,
    bell: Option<Doorbell>,
}

impl Socket {
    /// A socket with a queue of `capacity` for each seat but the last, which is no worker's. `bell` is
    /// rung when a queue that was empty is not any more.
    pub(crate) fn new(
        seats: &SeatPlan,
        capacity: usize,
        nic: Option<NicId>,
        reuse: bool,
        bell: Option<&Doorbell>,
    ) -> Result<(Self, Vec<SocketQueue>), RingError> {
        let mut ends = Vec::new();
        let mut queues = Vec::new();
        let mut readers = Vec::new();
        for number in 0..seats.len() {
            let is_worker = number + 1 < seats.len();
            let (producer, consumer) = ring(if is_worker { capacity } else { 1 })?;
            let (writer, reader) = counters();
            ends.push(AtSeat {
                ring: producer,
                counters: writer,
                bell: bell.cloned(),
            });
            readers.push(reader);
            if is_worker {
                queues.push(SocketQueue::new(consumer));
            }
        }
        let socket = Self {
            nic,
            reuse,
            seats: PerSeat::new(seats, ends),
            counters: readers,
            closed: AtomicBool::new(false),
            errors: ArrayQueue::new(ERRORS),
            errors_lost: AtomicU64::new(0),
        };
        Ok((socket, queues))
    }

    /// Puts a packet into the queue of this seat, or gives it back.
    ///
    /// # Errors
    /// Why it was not, with the packet.
    #[inline]
    pub fn deliver(
        &self,
        seat: &mut Seat,
        datagram: Datagram,
    ) -> Result<(), (SocketDrop, Datagram)> {
        let Some(end) = self.seats.get(seat) else {
            return Err((SocketDrop::Closed, datagram));
        };
        if self.closed.load(Ordering::Acquire) || end.ring.is_closed() {
            end.counters.add(Counted::Closed, 1);
            return Err((SocketDrop::Closed, datagram));
        }
        match end.ring.push(datagram) {
            Ok(()) => {
                end.counters.add(Counted::Received, 1);
                if let Some(bell) = &end.bell {
                    bell.ring();
                }
                Ok(())
            }
            Err(full) => {
                end.counters.add(Counted::Overflow, 1);
                Err((SocketDrop::Overflow, full.0))
            }
        }
    }

    /// Counts a packet for it that was dropped for its checksum.
    pub fn count_checksum_error(&self, seat: &mut Seat) {
        if let Some(end) = self.seats.get(seat) {
            end.counters.add(Counted::Checksum, 1);
        }
    }

    /// Takes nothing more, from this moment on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Tells it what became of a packet that it sent. Of many, the first are kept.
    pub(crate) fn push_error(&self, error: SocketError) {
        if self.errors.push(error).is_err() {
            self.errors_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn take_error(&self) -> Option<SocketError> {
        self.errors.pop()
    }

    pub(super) fn stats(&self) -> SocketStats {
        let sum = |counter| self.counters.iter().map(|it| it.value(counter)).sum();
        SocketStats {
            received: sum(Counted::Received),
            overflow: sum(Counted::Overflow),
            closed: sum(Counted::Closed),
            checksum_errors: sum(Counted::Checksum),
            errors_lost: self.errors_lost.load(Ordering::Relaxed),
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
