//! What counts frames at the end of their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corelane::stack::{Delivery, Handler, Packet};
use crossbeam::utils::CachePadded;

use super::{
    Arrival, Arrived, Ends, Handled, OrderCheck, OrderShare, StreamCounts, StreamMark,
    StreamReaders, stream_counts,
};
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
    streams: StreamCounts,
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

/// What a recorder had counted when a window began.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    seen: Seen,
    latency: Snapshot,
    streams: StreamMark,
}

/// Reads what a recorder counted.
#[derive(Clone)]
pub struct RecorderReader {
    worker: usize,
    tally: Arc<CachePadded<Tally>>,
    latency: Option<LatencyReader>,
    streams: StreamReaders,
}

impl Recorder {
    pub(super) fn new(worker: usize, ends: Ends) -> (Self, RecorderReader) {
        let tally = Arc::default();
        let (writer, reader) = ends.latency.then(latency::shared).unzip();
        let (streams, stream_readers) = stream_counts(ends.streams, ends.latency);
        let recorder = Self {
            clock: ends.clock,
            check: ends.check,
            tally: Arc::clone(&tally),
            order: OrderCheck::default(),
            latency: writer,
            streams,
        };
        let reader = RecorderReader {
            worker,
            tally,
            latency: reader,
            streams: stream_readers,
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
                    let class = class(signature.hash, frame.is_v6);
                    let arrival = self.order.note(class, signature.number);
                    if !self.streams.is_empty() {
                        let stream = signature.stream;
                        self.streams.note(stream, arrival, frame.len);
                        let ns = now.saturating_sub(frame.planned);
                        self.streams.record(stream, ns);
                    }
                    match arrival {
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

    /// Begins a window, with extremes of its own.
    pub(super) fn mark(&self) -> Mark {
        if let Some(latency) = &self.latency {
            latency.forget_extremes();
        }
        Mark {
            seen: self.seen(),
            latency: self.latency(),
            streams: self.streams.mark(),
        }
    }

    pub(super) fn since(&self, mark: &Mark) -> Handled {
        let Seen {
            packets,
            bytes,
            order,
        } = self.seen();
        Handled {
            worker: self.worker,
            packets: packets - mark.seen.packets,
            bytes: bytes - mark.seen.bytes,
            order: order.since(&mark.seen.order),
            latency: self
                .latency
                .as_ref()
                .map(|reader| reader.since(&mark.latency)),
            streams: self.streams.since(&mark.streams),
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
