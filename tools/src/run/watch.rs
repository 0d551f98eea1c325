//! Looking at a window while it lasts.

use std::time::{Duration, Instant};

use corelane::engine::{EngineReport, Running};
use corelane::stack::NicTotals;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::Failure;
use crate::generator::{GeneratorHandle, Totals};
use crate::interrupt::Interrupt;
use crate::latency::{self, Snapshot};
use crate::progress::{Progress, View};
use crate::sink::{Seen, Sinks};
use crate::sockets::SocketReader;

/// How often a window is looked at.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// The most intervals of a window that are kept: an hour.
const MOST: usize = 36_000;

/// What happened in a stretch of a window, as far as it was known at its end: frames that were in flight
/// then are in the next one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// When it ended, in milliseconds from the start of the window.
    pub at_ms: u64,
    /// Frames sent.
    pub sent: u64,
    /// Frames received: given to handlers, read from sockets or taken by the peer of the second NIC.
    pub received: u64,
    /// Frames dropped, before the NIC and by it.
    pub dropped: u64,
    /// The median latency in nanoseconds, if there was one.
    pub p50_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// When it began, and all latencies; only where a log is asked for.
    #[serde(skip)]
    pub logged: Option<(Duration, Histogram<u64>)>,
}

/// What can be looked at while a window lasts.
pub trait Watchable {
    /// What has been counted by now.
    fn counts(&self) -> Counts;
}

/// An engine under a generator.
pub(super) struct Watched<'a> {
    pub(super) running: &'a Running,
    pub(super) generator: &'a GeneratorHandle,
    pub(super) handlers: &'a Sinks,
    pub(super) peers: &'a Sinks,
    pub(super) sockets: Option<&'a SocketReader>,
}

/// What had been counted at some moment.
pub struct Counts {
    /// When.
    pub at: Instant,
    /// Frames emitted.
    pub emitted: u64,
    /// Frames received.
    pub received: u64,
    /// Of these, by worker.
    pub by_worker: Vec<u64>,
    /// Frames dropped, by reason: always the same reasons.
    pub drops: Vec<(&'static str, u64)>,
    /// Latencies, of each that measures them.
    pub latency: Vec<Snapshot>,
}

impl Counts {
    /// Whether anything was counted since.
    fn has_more_than(&self, last: &Self) -> bool {
        (self.emitted, self.received) != (last.emitted, last.received) || self.drops != last.drops
    }
}

impl Watchable for Watched<'_> {
    fn counts(&self) -> Counts {
        let ends = self.handlers.seen().into_iter().chain(self.peers.seen());
        let (seen, latency): (Vec<Seen>, Vec<Snapshot>) = ends.unzip();
        let read = self.sockets.map_or(0, SocketReader::read_so_far);
        let report = self.running.report();
        Counts {
            at: Instant::now(),
            emitted: self.generator.emitted(),
            received: seen.iter().map(|seen| seen.packets).sum::<u64>() + read,
            by_worker: report.workers.iter().map(|worker| worker.packets).collect(),
            drops: drops(&report),
            latency,
        }
    }
}

/// How long after its planned end a window may take to end: the generator's thread may have lost
/// its core, but not for ever.
const OVERDUE: Duration = Duration::from_secs(30);

/// Waits for the end of a window that lasts as `planned`; `failed` says whether something has ended that is
/// needed for it.
///
/// # Errors
/// Something has, or the window does not end.
pub fn until_the_end(
    generator: &GeneratorHandle,
    planned: Option<Duration>,
    watch: &mut Watch<'_>,
    progress: &Progress,
    interrupt: &Interrupt,
    failed: impl Fn() -> Option<Failure>,
) -> Result<Totals, Failure> {
    // Often enough for short windows, seldom enough to disturb nothing.
    let nap = planned.map_or(Duration::from_millis(5), |duration| {
        (duration / 20).clamp(Duration::from_millis(1), Duration::from_millis(50))
    });
    let mut stopped = false;
    loop {
        if let Some(totals) = generator.ended() {
            return Ok(totals);
        }
        std::thread::sleep(nap.min(watch.due_in()));
        if let Some(failure) = failed() {
            return Err(failure);
        }
        if interrupt.is_raised() && !stopped {
            generator.stop();
            stopped = true;
        }
        if planned.is_some_and(|duration| watch.elapsed() > duration + OVERDUE) {
            return Err(Failure::Run(
                "the generator does not end its window".to_owned(),
            ));
        }
        watch.look(progress);
    }
}

/// All there are, by reason.
fn drops(report: &EngineReport) -> Vec<(&'static str, u64)> {
    let before = report.distributors.iter().map(|it| it.ring_full).sum();
    let mut all = vec![("ring_full", before)];
    for NicTotals { send_dropped, .. } in report.nics.iter().map(|nic| &nic.totals) {
        all.push(("send_dropped", *send_dropped));
    }
    let nics = report.nics.iter().flat_map(|nic| nic.totals.drops());
    all.extend(nics.map(|(reason, count)| (reason.label(), count)));
    all
}

/// The intervals of a window.
pub struct Watch<'a> {
    watched: &'a dyn Watchable,
    /// Whether intervals keep their histograms.
    log: bool,
    start: Instant,
    last: Counts,
    /// Those of a stretch, if any are measured.
    latencies: Option<Histogram<u64>>,
    intervals: Vec<Interval>,
}

impl<'a> Watch<'a> {
    /// From now on.
    pub fn start(watched: &'a dyn Watchable, log: bool) -> Self {
        let last = watched.counts();
        Self {
            start: Instant::now(),
            last,
            watched,
            log,
            latencies: None,
            intervals: Vec::new(),
        }
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// How long until the next look.
    pub fn due_in(&self) -> Duration {
        INTERVAL.saturating_sub(self.last.at.elapsed())
    }

    /// Looks, if it is time to.
    pub fn look(&mut self, progress: &Progress) {
        if self.due_in().is_zero() {
            self.note(progress);
        }
    }

    /// The last stretch, and all of them.
    pub fn finish(mut self, progress: &Progress) -> Vec<Interval> {
        let now = self.watched.counts();
        // A look that was at the end has seen it all.
        if self.intervals.is_empty() || now.has_more_than(&self.last) {
            self.add(now, progress);
        }
        self.intervals
    }

    fn note(&mut self, progress: &Progress) {
        let now = self.watched.counts();
        self.add(now, progress);
    }

    /// The stretch until these counts.
    fn add(&mut self, now: Counts, progress: &Progress) {
        let last = std::mem::replace(&mut self.last, now);
        let now = &self.last;
        // Whoever looks has the core of somebody who is measured: a histogram is made once, and only where
        // there is something to put into it.
        if now.latency.iter().any(|it| !it.is_empty()) {
            let latencies = self.latencies.get_or_insert_with(latency::histogram);
            latencies.reset();
            for (now, last) in now.latency.iter().zip(&last.latency) {
                now.add_since(last, latencies);
            }
        }
        let known = self.latencies.as_ref().filter(|it| !it.is_empty());
        let quantile = |q| known.map(|it| it.value_at_quantile(q));
        let since = |now: u64, last: u64| now.saturating_sub(last);
        let drops: Vec<(&'static str, u64)> = now
            .drops
            .iter()
            .zip(&last.drops)
            .map(|((reason, now), (_, last))| (*reason, since(*now, *last)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let began = last.at.saturating_duration_since(self.start);
        let ended = now.at.saturating_duration_since(self.start);
        let interval = Interval {
            at_ms: ended.as_millis() as u64,
            sent: since(now.emitted, last.emitted),
            received: since(now.received, last.received),
            dropped: drops.iter().map(|(_, count)| count).sum(),
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            logged: None,
        };
        progress.update(&View {
            elapsed: ended,
            seconds: (now.at - last.at).as_secs_f64(),
            interval: &interval,
            p999_ns: quantile(0.999),
            drops: &drops,
            workers: now
                .by_worker
                .iter()
                .zip(&last.by_worker)
                .map(|(now, last)| since(*now, *last)),
        });
        if self.intervals.len() < MOST {
            self.intervals.push(Interval {
                logged: known.filter(|_| self.log).map(|it| (began, it.clone())),
                ..interval
            });
        }
    }
}
