//! What counts frames at the end of their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corelane::stack::{Delivery, Handler, Packet};
use crossbeam::utils::CachePadded;

use super::{Arrival, Arrived, Ends, Handled, OrderCheck, OrderShare};
use crate::clock::Clock;
use crate::generator::class;
use crate::latency::{self, LatencyReader, LatencyWriter, Snapshot};
use crate::unit::Check;

/// Counts packets and bytes, burst by burst, checks their order and, if asked to, measures their latency.
/// The clock is read once per burst, before its first packet.
pub struct Recorder {
    clock: Clock,
    check: Check,
    tally: Arc<CachePadded<Tally>>,
    order: OrderCheck,
    latency: Option<LatencyWriter>,
}

/// One thread writes it.
#[derive(Default)]
struct Tally {
    bytes: AtomicU64,
    in_order: AtomicU64,
    reordered: AtomicU64,
    duplicates: AtomicU64,
    too_late: AtomicU64,
    corrupt: AtomicU64,
    unchecked: AtomicU64,
    /// Stored last: who sees it sees what belongs to it.
    packets: AtomicU64,
}

/// Only its thread counts: no read-modify-write.
fn add(counter: &AtomicU64, n: u64) {
    if n > 0 {
        let sum = counter.load(Ordering::Relaxed) + n;
        counter.store(sum, Ordering::Relaxed);
    }
}

/// What a recorder was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Packets.
    pub packets: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// What was found of them.
    pub order: OrderShare,
}

/// Reads what a recorder counted.
#[derive(Clone)]
pub struct RecorderReader {
    worker: usize,
    tally: Arc<CachePadded<Tally>>,
    latency: Option<LatencyReader>,
}

impl Recorder {
    pub(super) fn new(worker: usize, ends: Ends) -> (Self, RecorderReader) {
        let tally = Arc::default();
        let (writer, reader) = match ends.latency.then(latency::shared) {
            Some((writer, reader)) => (Some(writer), Some(reader)),
            None => (None, None),
        };
        let recorder = Self {
            clock: ends.clock,
            check: ends.check,
            tally: Arc::clone(&tally),
            order: OrderCheck::default(),
            latency: writer,
        };
        let reader = RecorderReader {
            worker,
            tally,
            latency: reader,
        };
        (recorder, reader)
    }

    /// What is checked of each frame.
    pub fn check(&self) -> Check {
        self.check
    }

    /// Records a burst: `next` gives what there is to know of the next frame.
    #[inline]
    pub fn record(&mut self, mut next: impl FnMut() -> Option<Arrived>) {
        let mut packets = 0;
        let mut bytes = 0;
        let mut found = OrderShare::default();
        let now = self.latency.as_ref().map_or(0, |_| self.clock.now());
        // Frames that were due at once are recorded at once: at full speed, whole bursts.
        let (mut due, mut alike) = (0, 0);
        while let Some(frame) = next() {
            packets += 1;
            bytes += frame.len as u64;
            match frame.said {
                None => found.unchecked += 1,
                Some(Ok(signature)) if signature.hash == frame.hash => {
                    match self
                        .order
                        .note(class(signature.hash, frame.is_v6), signature.number)
                    {
                        Arrival::InOrder => found.in_order += 1,
                        Arrival::Reordered => found.reordered += 1,
                        Arrival::Duplicate => found.duplicates += 1,
                        Arrival::TooLate => found.too_late += 1,
                    }
                }
                Some(_) => found.corrupt += 1,
            }
            if let Some(latency) = &mut self.latency {
                if frame.planned != due && alike > 0 {
                    latency.record(now.saturating_sub(due), alike);
                    alike = 0;
                }
                due = frame.planned;
                alike += 1;
            }
        }
        if let Some(latency) = &mut self.latency
            && alike > 0
        {
            latency.record(now.saturating_sub(due), alike);
        }
        let tally = &**self.tally;
        add(&tally.bytes, bytes);
        add(&tally.in_order, found.in_order);
        add(&tally.reordered, found.reordered);
        add(&tally.duplicates, found.duplicates);
        add(&tally.too_late, found.too_late);
        add(&tally.corrupt, found.corrupt);
        add(&tally.unchecked, found.unchecked);
        let all = tally.packets.load(Ordering::Relaxed) + packets;
        tally.packets.store(all, Ordering::Release);
    }
}

impl RecorderReader {
    /// What it was given so far.
    pub fn seen(&self) -> Seen {
        let packets = self.tally.packets.load(Ordering::Acquire);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &**self.tally;
        Seen {
            packets,
            bytes: count(&tally.bytes),
            order: OrderShare {
                in_order: count(&tally.in_order),
                reordered: count(&tally.reordered),
                duplicates: count(&tally.duplicates),
                too_late: count(&tally.too_late),
                corrupt: count(&tally.corrupt),
                unchecked: count(&tally.unchecked),
            },
        }
    }

    /// The latencies so far; nothing if they are not measured.
    pub fn latency(&self) -> Snapshot {
        let snapshot = self.latency.as_ref().map(LatencyReader::snapshot);
        snapshot.unwrap_or_default()
    }

    pub(super) fn forget_extremes(&self) {
        if let Some(latency) = &self.latency {
            latency.forget_extremes();
        }
    }

    pub(super) fn since(&self, before: &Seen, latency: &Snapshot) -> Handled {
        let Seen {
            packets,
            bytes,
            order,
        } = self.seen();
        Handled {
            worker: self.worker,
            packets: packets - before.packets,
            bytes: bytes - before.bytes,
            order: order.since(&before.order),
            latency: self.latency.as_ref().map(|reader| reader.since(latency)),
        }
    }
}

/// Counts what is delivered.
pub struct CountingHandler(Recorder);

impl CountingHandler {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self(recorder)
    }
}

impl Handler for CountingHandler {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let mut packet = Some(Arrived::packet(packet, self.0.check()));
        self.0.record(|| packet.take());
    }

    fn burst(&mut self, delivery: &mut Delivery<'_>) {
        let check = self.0.check();
        self.0.record(|| {
            let packet = delivery.next()?;
            Some(Arrived::packet(&packet, check))
        });
    }
}
