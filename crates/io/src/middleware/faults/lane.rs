//! The way of the frames of one queue in one direction.
//!
//! ```text
//!   drop ─► corrupt ─► duplicate ─► held back to be overtaken ─► line, by the time to go ─► on
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::{Clock, Time};
use corelane_sync::counters::CounterWriter;
use fastrand::Rng;

use super::counts::{Fault, LaneShared};
use super::plan::{FaultPlan, Share, Stall};

/// Decides frame by frame.
struct Chance {
    share: Share,
    /// Frames until the one that is it.
    left: u64,
    rng: Rng,
}

impl Chance {
    fn new(share: Share, seed: u64) -> Self {
        let left = match share {
            Share::OneIn(n) => n,
            Share::None | Share::Ratio(_) => 0,
        };
        let rng = Rng::with_seed(seed);
        Self { share, left, rng }
    }

    fn is_it(&mut self) -> bool {
        match self.share {
            Share::None | Share::OneIn(0) => false,
            Share::OneIn(n) => {
                self.left -= 1;
                let is_it = self.left == 0;
                if is_it {
                    self.left = n;
                }
                is_it
            }
            Share::Ratio(ratio) => self.rng.f64() < ratio,
        }
    }
}

/// A frame that is to be overtaken.
struct Overtaken {
    frame: Frame,
    /// By so many more.
    by: usize,
    /// It waits no longer than this.
    until: Time,
}

pub(super) struct Lane {
    drop: Chance,
    corrupt: Chance,
    corrupt_bits: u32,
    duplicate: Chance,
    reorder: Chance,
    reorder_by: usize,
    reorder_wait: Duration,
    delay: Duration,
    jitter: Duration,
    jitters: Rng,
    stall: Option<Stall>,
    room: usize,
    overtaken: VecDeque<Overtaken>,
    /// Times do not go down.
    line: VecDeque<(Time, Frame)>,
    clock: Clock,
    counters: CounterWriter<Fault>,
    shared: Arc<LaneShared>,
}

impl Lane {
    pub(super) fn new(
        plan: &FaultPlan,
        seed: u64,
        clock: Clock,
        counters: CounterWriter<Fault>,
        shared: Arc<LaneShared>,
    ) -> Self {
        // Each draws for itself: what else goes wrong changes nothing for it.
        let mut seeds = Rng::with_seed(seed);
        let mut chance = |share| Chance::new(share, seeds.u64(..));
        Self {
            drop: chance(plan.drop),
            corrupt: chance(plan.corrupt),
            corrupt_bits: plan.corrupt_bits,
            duplicate: chance(plan.duplicate),
            reorder: chance(plan.reorder),
            reorder_by: plan.reorder_by,
            reorder_wait: plan.reorder_wait,
            delay: plan.delay,
            jitter: plan.jitter,
            jitters: Rng::with_seed(seeds.u64(..)),
            stall: plan.stall.filter(|stall| !stall.lasts.is_zero()),
            room: plan.queue,
            overtaken: VecDeque::with_capacity(plan.queue),
            line: VecDeque::with_capacity(plan.queue),
            clock,
            counters,
            shared,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Takes frames that come now.
    pub(super) fn admit(&mut self, frames: &mut Burst, now: Time, cache: &mut PoolCache) {
        for frame in frames.drain(..) {
            self.admit_one(frame, now, cache);
        }
    }

    fn admit_one(&mut self, mut frame: Frame, now: Time, cache: &mut PoolCache) {
        self.counters.add(Fault::Seen, 1);
        if self.drop.is_it() {
            self.counters.add(Fault::Dropped, 1);
            cache.recycle(frame);
            return;
        }
        if self.corrupt.is_it() && !frame.is_empty() {
            self.flip_bits(frame.data_mut());
            self.counters.add(Fault::Corrupted, 1);
        }
        let second = self.duplicate.is_it().then(|| copy(&frame, cache));
        if self.reorder.is_it() {
            if !self.has_room() {
                self.overflow(frame, cache);
            } else {
                self.overtaken.push_back(Overtaken {
                    frame,
                    by: self.reorder_by,
                    until: now + self.reorder_wait,
                });
            }
        } else {
            self.line_up(frame, now, cache);
            self.overtake(now, cache);
        }
        match second {
            None => {}
            Some(None) => self.counters.add(Fault::NoBuffer, 1),
            Some(Some(copy)) => {
                self.counters.add(Fault::Duplicated, 1);
                self.line_up(copy, now, cache);
            }
        }
    }

    fn flip_bits(&mut self, data: &mut [u8]) {
        for _ in 0..self.corrupt_bits {
            let bit = self.corrupt.rng.usize(..data.len() * 8);
            if let Some(byte) = data.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    fn has_room(&self) -> bool {
        self.line.len() + self.overtaken.len() < self.room
    }

    fn overflow(&mut self, frame: Frame, cache: &mut PoolCache) {
        self.counters.add(Fault::Overflow, 1);
        cache.recycle(frame);
    }

    /// Puts a frame in line, to go at its time.
    fn line_up(&mut self, frame: Frame, now: Time, cache: &mut PoolCache) {
        if !self.has_room() {
            return self.overflow(frame, cache);
        }
        let mut wait = self.delay;
        if !self.jitter.is_zero() {
            let most = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
            wait += Duration::from_nanos(self.jitters.u64(..=most));
        }
        if !wait.is_zero() {
            self.counters.add(Fault::Delayed, 1);
        }
        let due = now + wait;
        let end = self.end_of_stall(due);
        if end > due {
            self.counters.add(Fault::Stalled, 1);
        }
        let before = self.line.back().map_or(end, |(due, _)| *due);
        self.line.push_back((end.max(before), frame));
    }

    /// The end of the stall that `at` is in; `at` itself if it is in none.
    fn end_of_stall(&self, at: Time) -> Time {
        let Some(Stall { lasts, every }) = self.stall else {
            return at;
        };
        let nanos = |time: Duration| time.as_nanos().min(u64::MAX.into()) as u64;
        let into = at.as_nanos() % nanos(every).max(1);
        let left = nanos(lasts).saturating_sub(into);
        at + Duration::from_nanos(left)
    }

    /// A frame has gone by those that are to be overtaken.
    fn overtake(&mut self, now: Time, cache: &mut PoolCache) {
        if self.overtaken.is_empty() {
            return;
        }
        self.overtaken.iter_mut().for_each(|it| it.by -= 1);
        // All wait for as many: the first one is done first.
        while let Some(first) = self.overtaken.pop_front_if(|it| it.by == 0) {
            self.counters.add(Fault::Reordered, 1);
            self.line_up(first.frame, now, cache);
        }
    }

    /// Moves what is due to the end of `out`, as far as it has room.
    pub(super) fn release(&mut self, now: Time, cache: &mut PoolCache, out: &mut Burst) {
        while let Some(first) = self.overtaken.pop_front_if(|it| it.until <= now) {
            self.line_up(first.frame, now, cache);
        }
        let before = out.len();
        while !out.is_full()
            && let Some((_, frame)) = self.line.pop_front_if(|(due, _)| *due <= now)
        {
            out.push(frame);
        }
        self.counters
            .add(Fault::Passed, (out.len() - before) as u64);
        self.shared.set_due(self.next_due());
    }

    /// When something is to be done next.
    pub(super) fn next_due(&self) -> Option<Time> {
        let line = self.line.front().map(|(due, _)| *due);
        let overtaken = self.overtaken.front().map(|it| it.until);
        line.into_iter().chain(overtaken).min()
    }

    pub(super) fn is_due(&self) -> bool {
        self.next_due().is_some_and(|due| due <= self.now())
    }

    /// How long until then.
    pub(super) fn due_in(&self) -> Option<Duration> {
        self.next_due().map(|due| super::until(&self.clock, due))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty() && self.overtaken.is_empty()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.set_due(None);
    }
}

/// The same frame once more; None if there is no buffer.
fn copy(frame: &Frame, cache: &mut PoolCache) -> Option<Frame> {
    let mut copy = cache.alloc()?;
    if copy.set_data(frame.data()).is_err() {
        cache.recycle(copy);
        return None;
    }
    copy.set_nic(frame.nic());
    copy.set_rx_time(frame.rx_time());
    copy.set_rss_hash(frame.rss_hash());
    copy.set_offload(frame.offload());
    Some(copy)
}
