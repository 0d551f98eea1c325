//! The receive queue.

use corelane::engine::link::{LinkError, RxQueue, RxStatus};
use corelane::frame::{BURST, Burst, PoolCache};
use hdrhistogram::Histogram;

use super::control::{QueueEnd, Request};
use super::overdue::Overdue;
use super::{Emission, Gone, Lateness, Pace, Source, Stage, StreamTotals, Totals, Window};
use crate::clock::Clock;
use crate::latency;

/// How long after the end of a window frames that were due in it are still emitted, in nanoseconds:
/// a poll comes when it comes. What is later than this counts as not sent.
pub const GRACE: u64 = 1_000_000;

/// How many of the frames of a burst stand for all: each for itself and as many younger ones.
const LATENESSES: usize = 8;

/// A generator's receive queue: emits in windows that its handle starts, and nothing between them.
pub struct GeneratorQueue<S> {
    source: S,
    clock: Clock,
    control: QueueEnd,
    stage: Stage,
    run: Run,
    /// Of each stream, in the window that runs; what was intended and numbered is found out at its end.
    streams: Box<[StreamTotals]>,
    lateness: Histogram<u64>,
    /// Of frames that came due while the queue was polled.
    lateness_polled: Histogram<u64>,
}

/// How far the window is that runs, or ran last.
#[derive(Default)]
struct Run {
    pace: Pace,
    /// By the clock.
    start: u64,
    /// How long it is to be; all ones if only frames end it.
    duration: u64,
    /// How many frames it has at most.
    limit: u64,
    /// The number of the next frame.
    next: u64,
    emitted: u64,
    pool_empty: u64,
    polls: Emission,
    /// When it was polled last, and since when it has been without a gap.
    polled: u64,
    polled_since: u64,
    gone: Gone,
    overdue: Overdue,
}

impl Run {
    /// It is polled now.
    #[inline]
    fn note_poll(&mut self, now: u64) {
        let before = std::mem::replace(&mut self.polled, now);
        if now.saturating_sub(before) > Gone::LEAST_NS {
            self.note_gap(before, now);
        }
    }

    #[cold]
    fn note_gap(&mut self, from: u64, to: u64) {
        self.polled_since = to;
        self.gone.times += 1;
        self.gone.ns += to - from;
        if self.overdue.is_patient() {
            let due = |time: u64| self.due_by(time.saturating_sub(self.start));
            self.overdue.add(due(to) - due(from));
        }
    }

    /// Frames of the plan that are due by so many nanoseconds after the start.
    fn due_by(&self, elapsed: u64) -> u64 {
        let until = elapsed.saturating_add(1).min(self.duration);
        match &self.pace {
            Pace::Planned(plan) => plan.due_before(until, self.limit),
            Pace::Max => 0,
        }
    }

    /// How many of the frames that are due then are sent, at most `most`, where some may wait.
    fn sent_by(&mut self, elapsed: u64, most: u64) -> u64 {
        if elapsed >= self.duration.saturating_add(self.patience()) {
            self.overdue.end();
        }
        if self.overdue.is_spent() {
            let due = self.due_by(elapsed).saturating_sub(self.next);
            self.overdue.allow(due);
        }
        self.overdue.take(most)
    }

    /// How long after the end of the window frames may wait: for as long as it was gone, in which as many came due.
    fn patience(&self) -> u64 {
        if self.overdue.is_patient() {
            self.gone.ns
        } else {
            0
        }
    }
}

impl<S: Source> GeneratorQueue<S> {
    pub(super) fn new(source: S, clock: Clock, control: QueueEnd) -> Self {
        Self {
            streams: vec![StreamTotals::default(); source.streams()].into(),
            source,
            clock,
            control,
            stage: Stage::Holding,
            run: Run::default(),
            lateness: latency::histogram(),
            lateness_polled: latency::histogram(),
        }
    }

    #[cold]
    fn obey(&mut self, request: Request) {
        match request {
            Request::Run(window) => self.begin(window),
            Request::Stop if self.stage == Stage::Running => self.conclude(self.elapsed()),
            Request::Stop => {}
            Request::Finish => {
                if self.stage == Stage::Running {
                    self.conclude(self.elapsed());
                }
                self.stage = Stage::Finished;
            }
        }
    }

    fn begin(&mut self, window: Window) {
        self.source.rewind();
        self.streams.fill(StreamTotals::default());
        self.lateness.reset();
        self.lateness_polled.reset();
        let duration = window
            .duration
            .map(|d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
        let start = self.clock.now();
        self.run = Run {
            pace: window.pace,
            start,
            polled: start,
            duration: duration.unwrap_or(u64::MAX),
            limit: window.frames.unwrap_or(u64::MAX),
            overdue: Overdue::new(window.room),
            ..Run::default()
        };
        self.stage = Stage::Running;
    }

    fn elapsed(&self) -> u64 {
        self.clock.now().saturating_sub(self.run.start)
    }

    /// Ends the window, `elapsed` nanoseconds after its start.
    #[cold]
    fn conclude(&mut self, elapsed: u64) {
        self.stage = Stage::Holding;
        let run = &self.run;
        let (elapsed_ns, intended) = match &run.pace {
            Pace::Planned(plan) => {
                let end = elapsed.min(run.duration);
                (end, plan.due_before(end, run.limit))
            }
            Pace::Max => (elapsed, run.emitted),
        };
        // Beyond a limit of frames nothing is due.
        let is_full = run.next >= run.limit;
        let streams = self.streams.iter().enumerate().map(|(stream, totals)| {
            let due = match &run.pace {
                Pace::Planned(plan) if !is_full => {
                    plan.due_of_stream(stream, elapsed_ns).min(run.limit)
                }
                _ => 0,
            };
            StreamTotals {
                // A stop can come before the time of frames that were emitted in the same nanosecond.
                intended: due.max(totals.sent()),
                numbered: self.source.numbered(stream),
                ..*totals
            }
        });
        let totals = Totals {
            elapsed_ns,
            // Likewise.
            intended: intended.max(run.next),
            emitted: run.emitted,
            numbered: streams.clone().map(|stream| stream.numbered).sum(),
            pool_empty: run.pool_empty,
            late: intended.saturating_sub(run.next),
            polls: run.polls,
            lateness: Lateness::of(&self.lateness),
            lateness_polled: Lateness::of(&self.lateness_polled),
            gone: run.gone,
        };
        self.control.ended(totals, streams);
    }

    #[inline]
    fn emit_max(&mut self, cache: &mut PoolCache, out: &mut Burst) -> RxStatus {
        let now = self.clock.now();
        let elapsed = now.saturating_sub(self.run.start);
        let left = self.run.limit - self.run.next;
        if elapsed >= self.run.duration || left == 0 {
            self.conclude(elapsed);
            return RxStatus::Idle;
        }
        let first = out.len();
        let want = left.min(out.remaining_capacity() as u64) as usize;
        let got = cache.alloc_burst(out, want);
        if got == 0 {
            // No frame is due at a time of its own: it waits for a buffer.
            self.run.polls.starved += 1;
            return RxStatus::Idle;
        }
        let frames = out.get_mut(first..).unwrap_or_default();
        self.source.fill(0, frames);
        for frame in frames {
            frame.set_rx_time(now);
        }
        self.count(got);
        self.count_stream(0, got);
        self.run.next += got as u64;
        RxStatus::Ready
    }

    #[inline]
    fn emit_due(&mut self, cache: &mut PoolCache, out: &mut Burst) -> RxStatus {
        let now = self.clock.now();
        self.run.note_poll(now);
        let run = &mut self.run;
        let elapsed = now.saturating_sub(run.start);
        // What then may not wait any more is sent at once, and takes no longer.
        let end = run.duration.saturating_add(2 * run.patience());
        if elapsed >= end.saturating_add(GRACE) {
            self.conclude(elapsed);
            return RxStatus::Idle;
        }
        let mut room = run
            .limit
            .saturating_sub(run.next)
            .min(out.remaining_capacity() as u64);
        let is_overdue = run.overdue.is_any();
        if is_overdue {
            room = run.sent_by(elapsed, room);
            if room == 0 && run.overdue.is_any() {
                run.polls.waiting += 1;
                return RxStatus::Idle;
            }
        }
        let Pace::Planned(plan) = &mut run.pace else {
            return RxStatus::Idle;
        };
        let until = elapsed.saturating_add(1).min(run.duration);

        let mut times = [0; BURST];
        let mut streams = [0; BURST];
        let mut due = 0;
        for (time, stream) in times.iter_mut().zip(&mut streams).take(room as usize) {
            let Some(next) = plan.next_before(until) else {
                break;
            };
            (*time, *stream) = (run.start + next.0, next.1);
            due += 1;
        }
        if due == 0 {
            if elapsed >= run.duration || run.next >= run.limit {
                self.conclude(elapsed);
                return RxStatus::Idle;
            }
            run.polls.idle += 1;
            return RxStatus::Idle;
        }
        let first = out.len();
        let got = cache.alloc_burst(out, due);
        // A frame that finds no buffer when it is due is lost, as in a NIC: its time goes by.
        run.pool_empty += (due - got) as u64;
        run.next += due as u64;
        // To record each frame of a long burst would cost as much as to make some.
        let due_times = times.get(..due).unwrap_or_default();
        for part in due_times.chunks(due.div_ceil(LATENESSES)) {
            let (Some(oldest), frames) = (part.first(), part.len() as u64) else {
                continue;
            };
            let late = (run.start + elapsed).saturating_sub(*oldest);
            self.lateness.saturating_record_n(late, frames);
            if *oldest >= run.polled_since && !is_overdue {
                self.lateness_polled.saturating_record_n(late, frames);
            }
        }
        let streams = streams.get(..due).unwrap_or_default();
        let (sent, lost) = streams.split_at_checked(got).unwrap_or((streams, &[]));
        let mut at = first;
        for of_one in sent.chunk_by(|a, b| a == b) {
            let end = at + of_one.len();
            if let (Some(stream), Some(frames)) = (of_one.first(), out.get_mut(at..end)) {
                self.source.fill(*stream, frames);
                self.count_stream(*stream, of_one.len());
            }
            at = end;
        }
        for stream in lost {
            self.source.skip(*stream, 1);
            if let Some(totals) = self.streams.get_mut(*stream) {
                totals.pool_empty += 1;
            }
        }
        let frames = out.get_mut(first..).unwrap_or_default();
        for (frame, time) in frames.iter_mut().zip(times) {
            frame.set_rx_time(time);
        }
        if got == 0 {
            self.run.polls.starved += 1;
        } else {
            self.count(got);
        }
        RxStatus::Ready
    }

    #[inline]
    fn count(&mut self, got: usize) {
        self.run.emitted += got as u64;
        self.run.polls.productive += 1;
        self.control.emitted(got as u64);
    }

    #[inline]
    fn count_stream(&mut self, stream: usize, got: usize) {
        if let Some(totals) = self.streams.get_mut(stream) {
            totals.emitted += got as u64;
        }
    }
}

impl<S: Source> RxQueue for GeneratorQueue<S> {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        if let Some(request) = self.control.next() {
            self.obey(request);
        }
        Ok(match self.stage {
            Stage::Holding => RxStatus::Idle,
            Stage::Finished => RxStatus::Finished,
            Stage::Running if matches!(self.run.pace, Pace::Max) => self.emit_max(cache, out),
            Stage::Running => self.emit_due(cache, out),
        })
    }
}
