//! The thread that receives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use corelane::engine::link::LinkError;
use corelane::frame::{Burst, Frame, PoolCache};
use corelane::sync::counters::{CounterKey, CounterWriter};
use crossbeam::utils::CachePadded;

use super::flight::Flight;
use super::identity::{Land, Landed, Launched};
use super::neighbor::Answerer;
use super::order::FlowOrder;
use super::ports::{ReceiveHalf, Reply};
use super::stamps::Stamps;
use crate::clock::Clock;
use crate::latency::LatencyWriter;
use crate::sink::{Arrival, StreamCounts};

/// What it counts, of frames.
#[derive(Clone, Copy, Debug)]
pub(super) enum Received {
    /// All that came.
    Frames,
    /// Bytes of those of the trial.
    Bytes,
    /// Higher numbers than all before in their flow.
    InOrder,
    /// Lower ones, each for the first time.
    Reordered,
    /// Numbers that there had been.
    Duplicates,
    /// Numbers or checksums that are wrong.
    Corrupt,
    /// Numbers that are none of the trial's.
    Strays,
    /// Not a generator's.
    Foreign,
    /// Of these, questions that were answered.
    Answered,
}

impl CounterKey for Received {
    const COUNT: usize = 9;

    fn index(self) -> usize {
        self as usize
    }
}

/// What the main thread tells the receiver, and is told beside its counters.
#[derive(Default)]
pub(super) struct Shared {
    /// When the trial began whose frames are looked for, by the clock.
    pub(super) since: CachePadded<AtomicU64>,
    /// The longest time from one poll to the next, in nanoseconds, since somebody set it to 0.
    pub(super) longest_gap: CachePadded<AtomicU64>,
    /// Whether to stop.
    pub(super) stop: AtomicBool,
}

/// Takes what comes from the device, and keeps the books of it.
pub(super) struct Receiver<L> {
    pub(super) land: L,
    pub(super) half: ReceiveHalf,
    pub(super) cache: PoolCache,
    pub(super) flight: Arc<Flight>,
    pub(super) counts: CounterWriter<Received>,
    pub(super) latency: Option<LatencyWriter>,
    pub(super) streams: StreamCounts,
    pub(super) clock: Clock,
    /// If the link says when frames came.
    pub(super) stamps: Option<Stamps>,
    pub(super) answerer: Answerer,
    pub(super) shared: Arc<Shared>,
    pub(super) order: FlowOrder,
}

impl<L: Land> Receiver<L> {
    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// The link broke.
    pub(super) fn run(mut self) -> Result<ReceiveHalf, LinkError> {
        let mut burst = Burst::new();
        let mut polled = self.clock.now();
        while !self.shared.stop.load(Ordering::Relaxed) {
            let mut is_idle = true;
            for queue in 0..self.half.rx.len() {
                self.half.rx[queue].rx_burst(&mut self.cache, &mut burst)?;
                let now = self.clock.now();
                if queue == 0 {
                    let gap = now.saturating_sub(std::mem::replace(&mut polled, now));
                    if gap > self.shared.longest_gap.load(Ordering::Relaxed) {
                        self.shared.longest_gap.store(gap, Ordering::Relaxed);
                    }
                }
                if burst.is_empty() {
                    continue;
                }
                is_idle = false;
                let since = self.shared.since.load(Ordering::Acquire);
                for frame in &burst {
                    self.take(queue, frame, now, since)?;
                }
                self.cache.recycle_burst(&mut burst);
            }
            if is_idle {
                // Where there is a core for each thread, nobody takes it.
                std::thread::yield_now();
            }
        }
        Ok(self.half)
    }

    fn take(&mut self, queue: usize, frame: &Frame, now: u64, since: u64) -> Result<(), LinkError> {
        let found = match self.land.land(frame, &self.flight, since) {
            Landed::First(Launched { planned, id }) => {
                if let Some(latency) = &mut self.latency {
                    let came = match &mut self.stamps {
                        Some(stamps) => stamps.on_clock(frame.rx_time(), now),
                        None => now,
                    };
                    let ns = came.saturating_sub(planned);
                    latency.record(ns, 1);
                    self.streams.record(id.stream, ns);
                }
                let arrival = self.order.note(queue, id);
                self.streams.note(id.stream, arrival, frame.len());
                match arrival {
                    Arrival::InOrder => Received::InOrder,
                    _ => Received::Reordered,
                }
            }
            Landed::OneOfMany => Received::InOrder,
            Landed::Again(id) => {
                let again = Arrival::Duplicate;
                self.streams.note(id.stream, again, frame.len());
                Received::Duplicates
            }
            Landed::Stray => Received::Strays,
            Landed::Corrupt => Received::Corrupt,
            Landed::Foreign => {
                self.reply(frame)?;
                Received::Foreign
            }
        };
        if matches!(
            found,
            Received::InOrder | Received::Reordered | Received::Duplicates
        ) {
            self.counts.add(Received::Bytes, frame.len() as u64);
        }
        self.counts.add(found, 1);
        self.counts.add(Received::Frames, 1);
        Ok(())
    }

    /// Answers a question for a neighbor, if it is one.
    fn reply(&mut self, asked: &Frame) -> Result<(), LinkError> {
        if self.answerer.addresses.is_empty() {
            return Ok(());
        }
        let Some(mut frame) = self.cache.alloc() else {
            return Ok(());
        };
        let answer = self.answerer.answer(asked.data(), frame.spare_mut());
        let Some(Ok(())) = answer.map(|len| frame.set_len(len)) else {
            self.cache.recycle(frame);
            return Ok(());
        };
        match &mut self.half.reply {
            Reply::Own(tx) => {
                let mut burst = Burst::new();
                burst.push(frame);
                let sent = tx.tx_burst(&mut self.cache, &mut burst)?;
                self.cache.recycle_burst(&mut burst);
                self.counts.add(Received::Answered, sent as u64);
            }
            Reply::Nowhere => self.cache.recycle(frame),
            // If there are that many, who asks will ask again.
            Reply::BySender(answers) => match answers.push(frame) {
                Ok(()) => self.counts.add(Received::Answered, 1),
                Err(frame) => self.cache.recycle(frame),
            },
        }
        Ok(())
    }
}
