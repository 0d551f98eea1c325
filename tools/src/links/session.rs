//! Threads that send to a device under test and receive from it, and windows of load.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use corelane::engine::link::LinkError;
use corelane::sync::counters::{CounterReader, counters};
use crossbeam::channel::{Receiver as Inbox, Sender as Outbox, bounded};

use super::flight::Flight;
use super::identity::{Land, Launch};
use super::measured::{LinkMeasured, Seen};
use super::order::FlowOrder;
use super::ports::{Ports, ReceiveHalf, SendHalf};
use super::receiver::{Received, Receiver, Shared};
use super::sender::{Sender, Sent};
use super::stamps::Stamps;
use super::streams::{LinkStream, NotTaken};
use crate::clock::Clock;
use crate::generator::{GeneratorHandle, GeneratorLink, Pace, Source, Window};
use crate::interrupt::Interrupt;
use crate::latency::{self, LatencyReader, Snapshot};
use crate::progress::Progress;
use crate::run::{Counts, Failure, Setting, TrialResult, Watch, Watchable, until_the_end};
use crate::sink::{StreamMark, StreamReaders, stream_counts};

/// How long frames may be on their way when all were sent: until nothing has come for a while, and at most
/// so long (RFC 2544 section 23 waits two seconds in any case).
const DRAIN: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(200);

/// How long a duplicate may come behind the last frame that was missing.
const DUPLICATES: Duration = Duration::from_millis(5);

/// How a session measures.
#[derive(Clone, Debug)]
pub(super) struct LinkSetting {
    /// Whether latency is measured.
    pub(super) latency: bool,
    /// Whether the latencies of each interval are kept.
    pub(super) log: bool,
    /// Streams of a profile, which are counted apart; 0 without one.
    pub(super) streams: usize,
    /// The cores of the receiver and of the sender, if said.
    pub(super) cores: Vec<usize>,
}

impl LinkSetting {
    /// What of an engine's setting is a session's too.
    pub(super) fn of(setting: &Setting) -> Self {
        Self {
            latency: setting.latency,
            log: setting.log,
            streams: setting.streams,
            cores: setting.cores.clone().unwrap_or_default(),
        }
    }
}

/// A device under test on real links, and threads that send to it and receive from it.
pub(super) struct LinkSession<'a> {
    ports: &'a mut Ports,
    log: bool,
    threads: Option<Threads>,
    generator: GeneratorHandle,
    clock: Clock,
    shared: Arc<Shared>,
    sent: CounterReader<Sent>,
    received: CounterReader<Received>,
    latency: Option<LatencyReader>,
    streams: StreamReaders,
    not_taken: NotTaken,
    broken: Inbox<String>,
}

struct Threads {
    sender: JoinHandle<Option<SendHalf>>,
    receiver: JoinHandle<Option<ReceiveHalf>>,
}

impl<'a> LinkSession<'a> {
    /// Starts the threads; nothing is sent until a window. The links are there again when the session is gone.
    ///
    /// # Errors
    /// There is no thread, or a link is not open any more.
    pub(super) fn start(
        ports: &'a mut Ports,
        setting: &LinkSetting,
        frames: impl Source,
        flight: Flight,
        (launch, land): (impl Launch, impl Land),
    ) -> Result<Self, Failure> {
        let clock = Clock::start();
        let flight = Arc::new(flight);
        let (link, generator) = GeneratorLink::new(frames, clock);
        let (sent_writer, sent) = counters();
        let (received_writer, received) = counters();
        let (writer, reader) = setting.latency.then(latency::shared).unzip();
        let (stream_counts, streams) = stream_counts(setting.streams, setting.latency);
        let not_taken = NotTaken::new(setting.streams);
        let shared = Arc::new(Shared::default());
        // None is of a window yet.
        shared.since.store(u64::MAX, Ordering::Release);
        let (tell, broken) = bounded(2);
        let (names, pool) = (
            (ports.tx().name().to_string(), ports.rx().name().to_string()),
            ports.pool(),
        );
        let (send_cache, receive_cache) = (pool.cache(), pool.cache());
        let (stamps, answerer) = (ports.has_stamps(), ports.answerer());
        let (send, receive) = ports.take()?;
        let sender = Sender {
            queue: link.into_queue(),
            launch,
            half: send,
            cache: send_cache,
            flight: Arc::clone(&flight),
            counts: sent_writer,
            not_taken: not_taken.clone(),
            clock,
        };
        let receiver = Receiver {
            land,
            half: receive,
            cache: receive_cache,
            flight,
            counts: received_writer,
            latency: writer,
            streams: stream_counts,
            clock,
            stamps: stamps.then(|| Stamps::new(clock)),
            answerer,
            shared: Arc::clone(&shared),
            order: FlowOrder::default(),
        };
        let mut cores = setting.cores.iter().copied();
        let receiver = spawn("receiver", cores.next(), names.1, tell.clone(), || {
            receiver.run()
        })?;
        let sender = spawn("sender", cores.next(), names.0, tell, || sender.run())?;
        Ok(Self {
            ports,
            log: setting.log,
            threads: Some(Threads { sender, receiver }),
            generator,
            clock,
            shared,
            sent,
            received,
            latency: reader,
            streams,
            not_taken,
            broken,
        })
    }

    /// Runs a window: from when nothing comes any more to when nothing comes any more. It prints nothing.
    ///
    /// # Errors
    /// A link broke, or the window does not end. That frames were lost is no error, but a result.
    pub(super) fn window(
        &mut self,
        window: Window,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<TrialResult<LinkMeasured>, Failure> {
        let before = self.seen();
        self.shared.longest_gap.store(0, Ordering::Relaxed);
        if let Some(latency) = &self.latency {
            latency.forget_extremes();
        }
        let latency_before = self.snapshot();
        let streams_before = self.streams.mark();
        let not_taken_before = self.not_taken.counts();
        let watched = Watched { session: self };
        let mut watch = Watch::start(&watched, self.log);
        self.shared
            .since
            .store(self.clock.now().max(1), Ordering::Release);
        let at_max = matches!(window.pace, Pace::Max);
        let duration = window.duration;
        self.generator.run(window);
        let totals = until_the_end(
            &self.generator,
            duration,
            &mut watch,
            progress,
            interrupt,
            || self.failure(),
        )?;
        let after = self.settle(&before)?;
        let intervals = watch.finish(progress);
        let latency = self.latency.as_ref().map(|it| it.since(&latency_before));
        let measured = LinkMeasured {
            at_max,
            totals,
            seen: after.since(&before),
            longest_gap_ns: self.shared.longest_gap.load(Ordering::Relaxed),
            latency,
            intervals,
            streams: self.streams_since(&streams_before, &not_taken_before),
        };
        Ok(measured.result())
    }

    /// What was counted of each stream of a profile.
    fn streams_since(&self, before: &StreamMark, not_taken_before: &[u64]) -> Vec<LinkStream> {
        let not_taken = self.not_taken.counts().into_iter().zip(not_taken_before);
        let counted = self.streams.since(before).into_iter().zip(not_taken);
        let totals = self.generator.streams().into_iter();
        totals
            .zip(counted)
            .map(|(totals, (seen, (now, before)))| LinkStream {
                totals,
                not_taken: now - before,
                seen,
            })
            .collect()
    }

    /// Stops the threads; the links stay open.
    ///
    /// # Errors
    /// A link broke.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.stop();
        self.failure().map_or(Ok(()), Err)
    }

    /// Waits until all has come, or nothing more comes.
    fn settle(&self, before: &Seen) -> Result<Seen, Failure> {
        let start = Instant::now();
        let mut last = self.seen();
        let mut since = Instant::now();
        loop {
            sleep(Duration::from_micros(500));
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            let now = self.seen();
            if now.of_trial() != last.of_trial() {
                since = Instant::now();
            }
            last = now;
            let counted = last.since(before);
            let quiet = if counted.order.unique() >= counted.sent {
                DUPLICATES + self.ports.waits()
            } else {
                QUIET
            };
            if since.elapsed() >= quiet || start.elapsed() >= DRAIN {
                return Ok(last);
            }
        }
    }

    fn seen(&self) -> Seen {
        Seen::read(
            &self.sent,
            &self.received,
            self.ports.tx().counters(),
            self.ports.rx().counters(),
        )
    }

    fn snapshot(&self) -> Snapshot {
        let snapshot = self.latency.as_ref().map(LatencyReader::snapshot);
        snapshot.unwrap_or_default()
    }

    fn failure(&self) -> Option<Failure> {
        self.broken.try_recv().ok().map(Failure::Run)
    }

    fn stop(&mut self) {
        let Some(Threads { sender, receiver }) = self.threads.take() else {
            return;
        };
        self.generator.finish();
        self.shared.stop.store(true, Ordering::Relaxed);
        // One that panicked has said so.
        let sender = sender.join().ok().flatten();
        let receiver = receiver.join().ok().flatten();
        if let (Some(sender), Some(receiver)) = (sender, receiver) {
            self.ports.put_back((sender, receiver));
        }
    }
}

impl Drop for LinkSession<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What goes on, for who looks at it meanwhile.
struct Watched<'a, 'b> {
    session: &'a LinkSession<'b>,
}

impl Watchable for Watched<'_, '_> {
    fn counts(&self) -> Counts {
        let received = self.session.received.value(Received::InOrder)
            + self.session.received.value(Received::Reordered);
        Counts {
            at: Instant::now(),
            emitted: self.session.generator.emitted(),
            received,
            by_worker: vec![received],
            drops: vec![("not_taken", self.session.sent.value(Sent::NotTaken))],
            latency: self
                .session
                .latency
                .iter()
                .map(LatencyReader::snapshot)
                .collect(),
        }
    }
}

/// Starts a thread that has a half of the links until it ends, on a core of its own if one is said, and tells
/// if its link breaks.
fn spawn<T: Send + 'static>(
    name: &str,
    core: Option<usize>,
    link: String,
    tell: Outbox<String>,
    run: impl FnOnce() -> Result<T, LinkError> + Send + 'static,
) -> Result<JoinHandle<Option<T>>, Failure> {
    let body = move || {
        if let Some(id) = core
            && !core_affinity::set_for_current(core_affinity::CoreId { id })
        {
            let _ = tell.try_send(format!("--cores: core {id} is not to be had"));
        }
        match run() {
            Ok(half) => Some(half),
            Err(error) => {
                // There is room for one of each thread.
                let _ = tell.try_send(format!("{link}: {error}"));
                None
            }
        }
    };
    let thread = Builder::new().name(name.to_owned()).spawn(body);
    thread.map_err(|error| Failure::Run(format!("no thread for the {name}: {error}")))
}
