//! The thread that sends.

use arrayvec::ArrayVec;
use corelane::engine::link::{LinkError, RxQueue, RxStatus};
use corelane::frame::{BURST, Burst, PoolCache};
use corelane::sync::counters::{CounterKey, CounterWriter};
use std::sync::Arc;

use super::flight::Flight;
use super::identity::{FrameId, Launch};
use super::ports::SendHalf;
use super::streams::NotTaken;
use crate::clock::Clock;
use crate::generator::{GRACE, GeneratorQueue, Source};

/// What it counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    /// Frames that the link took.
    Taken,
    /// Frames that it did not take in time.
    NotTaken,
}

impl CounterKey for Sent {
    const COUNT: usize = 2;

    fn index(self) -> usize {
        self as usize
    }
}

/// Idle polls from one look at what comes in by the sending link to the next.
const LOOK: u32 = 256;

/// Sends what the generator has due.
pub(super) struct Sender<S, L> {
    pub(super) queue: GeneratorQueue<S>,
    pub(super) launch: L,
    pub(super) half: SendHalf,
    pub(super) cache: PoolCache,
    pub(super) flight: Arc<Flight>,
    pub(super) counts: CounterWriter<Sent>,
    /// Of each stream of a profile.
    pub(super) not_taken: NotTaken,
    pub(super) clock: Clock,
}

impl<S: Source, L: Launch> Sender<S, L> {
    /// Runs until the generator is told to finish.
    ///
    /// # Errors
    /// The link broke.
    pub(super) fn run(mut self) -> Result<SendHalf, LinkError> {
        let mut burst = Burst::new();
        let mut idle = 0u32;
        loop {
            let status = self.queue.rx_burst(&mut self.cache, &mut burst)?;
            if burst.is_empty() {
                if status == RxStatus::Finished {
                    return Ok(self.half);
                }
                idle = idle.wrapping_add(1);
                self.idle(idle)?;
                continue;
            }
            let mut ids = ArrayVec::new();
            for frame in &burst {
                let id = self.launch.identify(frame);
                if let Some(FrameId { class, number, .. }) = id {
                    self.flight.launch(class, number, frame.rx_time());
                }
                ids.push(id);
            }
            self.send(&mut burst, &ids)?;
        }
    }

    /// Sends a burst of these frames. What the link has no room for is tried again for a little while: it is late then, and
    /// what comes behind it may be.
    fn send(
        &mut self,
        burst: &mut Burst,
        ids: &ArrayVec<Option<FrameId>, BURST>,
    ) -> Result<(), LinkError> {
        let mut taken = self.half.tx.tx_burst(&mut self.cache, burst)?;
        if !burst.is_empty() {
            let deadline = self.clock.now().saturating_add(GRACE);
            while !burst.is_empty() && self.clock.now() < deadline {
                taken += self.half.tx.tx_burst(&mut self.cache, burst)?;
                self.look_around()?;
            }
            self.counts.add(Sent::NotTaken, burst.len() as u64);
            // The last ones.
            for id in ids.iter().rev().take(burst.len()).flatten() {
                self.flight.recall(id.class, id.number);
                self.not_taken.note(id.stream);
            }
            self.cache.recycle_burst(burst);
        }
        self.counts.add(Sent::Taken, taken as u64);
        Ok(())
    }

    /// Nothing is due.
    fn idle(&mut self, polls: u32) -> Result<(), LinkError> {
        if let Some(answer) = self.half.answers.as_ref().and_then(|answers| answers.pop()) {
            let mut burst = Burst::new();
            burst.push(answer);
            self.half.tx.tx_burst(&mut self.cache, &mut burst)?;
            self.cache.recycle_burst(&mut burst);
        }
        if polls.is_multiple_of(LOOK) {
            self.look_around()?;
        }
        // Where there is a core for each thread, nobody takes it.
        std::thread::yield_now();
        Ok(())
    }

    /// Throws away what came in by the sending link, so that its rings do not overflow, and its queue sees to
    /// what has to be seen to.
    fn look_around(&mut self) -> Result<(), LinkError> {
        let mut burst = Burst::new();
        for other in &mut self.half.other {
            other.rx_burst(&mut self.cache, &mut burst)?;
            self.cache.recycle_burst(&mut burst);
        }
        Ok(())
    }
}
