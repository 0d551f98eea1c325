//! What counts frames at the end of their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corelane::stack::{Delivery, Handler, Packet};
use crossbeam::utils::CachePadded;

use super::Handled;
use crate::clock::Clock;
use crate::latency::{self, LatencyReader, LatencyWriter, Snapshot};

/// Counts packets and bytes, burst by burst, and, if asked to, measures their latency. The clock is
/// read once per burst, before its first packet.
pub struct Recorder {
    clock: Clock,
    tally: Arc<CachePadded<Tally>>,
    latency: Option<LatencyWriter>,
}

/// One thread writes it.
#[derive(Default)]
struct Tally {
    bytes: AtomicU64,
    /// Stored last: who sees it sees what belongs to it.
    packets: AtomicU64,
}

/// What a recorder was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Packets.
    pub packets: u64,
    /// Bytes of their frames.
    pub bytes: u64,
}

/// Reads what a recorder counted.
#[derive(Clone)]
pub struct RecorderReader {
    worker: usize,
    tally: Arc<CachePadded<Tally>>,
    latency: Option<LatencyReader>,
}

impl Recorder {
    pub(super) fn new(worker: usize, clock: Clock, latency: bool) -> (Self, RecorderReader) {
        let tally = Arc::default();
        let (writer, reader) = match latency.then(latency::shared) {
            Some((writer, reader)) => (Some(writer), Some(reader)),
            None => (None, None),
        };
        let recorder = Self {
            clock,
            tally: Arc::clone(&tally),
            latency: writer,
        };
        let reader = RecorderReader {
            worker,
            tally,
            latency: reader,
        };
        (recorder, reader)
    }

    /// Records a burst: `next` gives the length of the next frame, in bytes, and its planned time.
    #[inline]
    pub fn record(&mut self, mut next: impl FnMut() -> Option<(usize, u64)>) {
        let mut packets = 0;
        let mut bytes = 0;
        match &mut self.latency {
            None => {
                while let Some((len, _)) = next() {
                    packets += 1;
                    bytes += len as u64;
                }
            }
            Some(latency) => {
                let now = self.clock.now();
                // Frames that were due at once are recorded at once: at full speed, whole bursts.
                let (mut due, mut alike) = (0, 0);
                while let Some((len, planned)) = next() {
                    packets += 1;
                    bytes += len as u64;
                    if planned != due && alike > 0 {
                        latency.record(now.saturating_sub(due), alike);
                        alike = 0;
                    }
                    due = planned;
                    alike += 1;
                }
                if alike > 0 {
                    latency.record(now.saturating_sub(due), alike);
                }
            }
        }
        let Tally {
            packets: all,
            bytes: all_bytes,
        } = &**self.tally;
        all_bytes.store(all_bytes.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
        all.store(all.load(Ordering::Relaxed) + packets, Ordering::Release);
    }
}

impl RecorderReader {
    /// What it was given so far.
    pub fn seen(&self) -> Seen {
        let packets = self.tally.packets.load(Ordering::Acquire);
        Seen {
            packets,
            bytes: self.tally.bytes.load(Ordering::Relaxed),
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
        let Seen { packets, bytes } = self.seen();
        Handled {
            worker: self.worker,
            packets: packets - before.packets,
            bytes: bytes - before.bytes,
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
        let mut packet = Some((packet.len(), packet.rx_time()));
        self.0.record(|| packet.take());
    }

    fn burst(&mut self, delivery: &mut Delivery<'_>) {
        self.0.record(|| {
            let packet = delivery.next()?;
            Some((packet.len(), packet.rx_time()))
        });
    }
}
