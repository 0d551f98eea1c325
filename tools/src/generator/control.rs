//! How the main thread tells the generator what to do, and what it says back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use crossbeam::utils::CachePadded;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::{Plan, Room};
use crate::latency::Percentiles;

/// When a generator emits.
#[derive(Clone, Default)]
pub enum Pace {
    /// As fast as it is polled and gets buffers.
    #[default]
    Max,
    /// At planned times, counted from the start of the window.
    Planned(Plan),
}

/// A stretch of sending: at which pace, and how long, whichever limit comes first.
#[derive(Clone, Default)]
pub struct Window {
    /// When frames are due, counted from the start of the window.
    pub pace: Pace,
    /// So much time.
    pub duration: Option<Duration>,
    /// So many frames.
    pub frames: Option<u64>,
    /// Where there is room, if frames that came due while nobody polled are to wait for it. Without, they are all sent
    /// at once.
    pub room: Option<Room>,
}

/// What happened in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The length of the window in nanoseconds: as planned, or until it was ended early.
    pub elapsed_ns: u64,
    /// Frames that were planned in the window; at the rate `max`, those emitted.
    pub intended: u64,
    /// Frames that were emitted.
    pub emitted: u64,
    /// Of these, those that have a number.
    pub numbered: u64,
    /// Frames that were due and for which there was no buffer.
    pub pool_empty: u64,
    /// Frames that were due and not emitted before the window ended.
    pub late: u64,
    /// What polls came to.
    pub polls: Emission,
    /// How late frames were emitted; all zero at the rate `max`.
    pub lateness: Lateness,
    /// How late those were that came due while it was polled: what is left is its own.
    pub lateness_polled: Lateness,
    /// When it was not polled at a rate other than `max`.
    pub gone: Gone,
}

/// What happened to the frames of one stream in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTotals {
    /// Frames that were planned in the window.
    pub intended: u64,
    /// Frames that were emitted.
    pub emitted: u64,
    /// Of these, those that have a number.
    pub numbered: u64,
    /// Frames that were due and for which there was no buffer.
    pub pool_empty: u64,
}

impl StreamTotals {
    /// Frames whose time has gone by: emitted, or lost for want of a buffer.
    pub fn sent(&self) -> u64 {
        self.emitted + self.pool_empty
    }

    /// Frames that were due and not emitted before the window ended.
    pub fn late(&self) -> u64 {
        self.intended.saturating_sub(self.sent())
    }
}

/// When the generator was not polled: its core was taken, or the thread had something else to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// How often, for more than 20 us.
    pub times: u64,
    /// For how long, all together, in nanoseconds.
    pub ns: u64,
}

impl Gone {
    /// The least that counts, in nanoseconds: more than any poll takes, with all frames of a burst in it.
    pub const LEAST_NS: u64 = 20_000;
}

/// What polls of the generator came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emission {
    /// Polls that gave frames.
    pub productive: u64,
    /// Polls when no frame was due.
    pub idle: u64,
    /// Polls that gave nothing because there was no buffer.
    pub starved: u64,
    /// Polls that gave nothing because there was no room.
    pub waiting: u64,
}

/// From planned time to emission, in nanoseconds: in bursts of more than eight frames the oldest of each eighth stands
/// for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// The median.
    pub p50: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The 99.9th percentile.
    pub p999: u64,
    /// The largest.
    pub max: u64,
}

impl Lateness {
    /// Of a histogram of nanoseconds.
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }

    /// Whether latencies measured meanwhile may be the generator's own lateness: only a generator that is
    /// on time tells something about who receives.
    pub fn spoils(&self, latency: &Percentiles) -> bool {
        /// Lateness that no latency of interest is about.
        const NEGLIGIBLE_NS: u64 = 10_000;
        let longest = latency.p999.unwrap_or(latency.max);
        self.p999 > NEGLIGIBLE_NS.max(longest / 100)
    }
}

/// What a generator is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Emits nothing and waits for the next window.
    Holding,
    /// In a window.
    Running,
    /// Emits nothing any more.
    Finished,
}

/// What is asked of a generator.
pub(super) enum Request {
    Run(Window),
    Stop,
    Finish,
}

/// Requests, and windows, that nobody has looked at yet: a handle that is ahead by more waits.
const REQUESTS: usize = 16;

/// The two ends of a generator's control, of so many streams: for the main thread, and for the queue.
pub(super) fn ends(streams: usize) -> (GeneratorHandle, QueueEnd) {
    let shared = Arc::new(Shared {
        streams: (0..streams).map(|_| StreamCells::default()).collect(),
        ..Shared::default()
    });
    // With room from the start: the queue's thread allocates nothing, not even between windows.
    let (requests, to_obey) = bounded(REQUESTS);
    let (report, reports) = bounded(REQUESTS);
    let end = QueueEnd {
        shared: Arc::clone(&shared),
        seen: 0,
        to_obey,
        report,
    };
    (
        GeneratorHandle {
            shared,
            requests,
            reports,
        },
        end,
    )
}

#[derive(Default)]
struct Shared {
    /// How many requests there were: what the queue looks at in each poll, a line that changes only
    /// with a request.
    asked: CachePadded<AtomicU64>,
    /// Frames emitted in all, stored once per burst: for the progress line.
    emitted: CachePadded<AtomicU64>,
    /// What happened in the window that ended last, written before it is reported.
    streams: Box<[StreamCells]>,
}

/// [`StreamTotals`], written by the queue.
#[derive(Default)]
struct StreamCells {
    intended: AtomicU64,
    emitted: AtomicU64,
    numbered: AtomicU64,
    pool_empty: AtomicU64,
}

/// The main thread's end.
pub struct GeneratorHandle {
    shared: Arc<Shared>,
    requests: Sender<Request>,
    reports: Receiver<Totals>,
}

impl GeneratorHandle {
    /// Starts a window at the next poll; only after the one before has ended.
    pub fn run(&self, window: Window) {
        self.ask(Request::Run(window));
    }

    /// Ends the window at the next poll, if there is one.
    pub fn stop(&self) {
        self.ask(Request::Stop);
    }

    /// Makes the queue say that it is finished, from the next poll on.
    pub fn finish(&self) {
        self.ask(Request::Finish);
    }

    /// What happened in the window, once: when it has ended.
    pub fn ended(&self) -> Option<Totals> {
        self.reports.try_recv().ok()
    }

    /// What happened to each stream in the window that [ended](Self::ended) last, before another is run.
    pub fn streams(&self) -> Vec<StreamTotals> {
        let read = |cells: &StreamCells| StreamTotals {
            intended: cells.intended.load(Ordering::Relaxed),
            emitted: cells.emitted.load(Ordering::Relaxed),
            numbered: cells.numbered.load(Ordering::Relaxed),
            pool_empty: cells.pool_empty.load(Ordering::Relaxed),
        };
        self.shared.streams.iter().map(read).collect()
    }

    /// Frames emitted so far, in all windows; to show, not to count by.
    pub fn emitted(&self) -> u64 {
        self.shared.emitted.load(Ordering::Relaxed)
    }

    fn ask(&self, request: Request) {
        // A queue that is gone obeys nothing: the caller sees that no window ends.
        if self.requests.send(request).is_ok() {
            self.shared.asked.fetch_add(1, Ordering::Release);
        }
    }
}

/// The queue's end.
pub(super) struct QueueEnd {
    shared: Arc<Shared>,
    seen: u64,
    to_obey: Receiver<Request>,
    report: Sender<Totals>,
}

impl QueueEnd {
    /// The next request, if there is one: a load of an unshared line otherwise.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Request> {
        if self.shared.asked.load(Ordering::Acquire) == self.seen {
            return None;
        }
        self.take()
    }

    #[cold]
    fn take(&mut self) -> Option<Request> {
        self.seen += 1;
        self.to_obey.try_recv().ok()
    }

    #[inline]
    pub(super) fn emitted(&self, n: u64) {
        let sum = self.shared.emitted.load(Ordering::Relaxed).wrapping_add(n);
        self.shared.emitted.store(sum, Ordering::Relaxed);
    }

    /// Reports a window, and what happened to each stream.
    pub(super) fn ended(&self, totals: Totals, streams: impl Iterator<Item = StreamTotals>) {
        for (cells, stream) in self.shared.streams.iter().zip(streams) {
            let StreamTotals {
                intended,
                emitted,
                numbered,
                pool_empty,
            } = stream;
            cells.intended.store(intended, Ordering::Relaxed);
            cells.emitted.store(emitted, Ordering::Relaxed);
            cells.numbered.store(numbered, Ordering::Relaxed);
            cells.pool_empty.store(pool_empty, Ordering::Relaxed);
        }
        // Nobody listens when the run was given up, and nobody may wait here.
        let _ = self.report.try_send(totals);
    }
}
