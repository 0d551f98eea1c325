//! A worker: the object that polls its inputs and takes each burst through the stages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::{Event, EventSender, Handler, NicDatapath, PacketBurst};
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::Sleeper;
use corelane_sync::ring::Consumer;

use crate::allocations::Allocations;
use crate::cores;
use crate::idle::{self, Idle, Idler, Next};
use crate::link::{LinkError, RxQueue, RxStatus};
use crate::node::{self, LinkOutput, Outlet};

/// The number of a worker in its engine, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub usize);

/// What a worker counts for itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WorkerCounter {
    Packets,
    Bytes,
    Polls,
    EmptyPolls,
    BusyNs,
    IdleNs,
    HandlerPanics,
    Allocations,
    Frees,
}

impl CounterKey for WorkerCounter {
    const COUNT: usize = 9;

    #[inline]
    fn index(self) -> usize {
        self as usize
    }
}

/// Where a worker's frames come from.
pub(crate) enum Source {
    /// From a distributor.
    Ring(Consumer<Frame>),
    /// From a receive queue of the worker's own.
    Queue {
        queue: Box<dyn RxQueue>,
        /// Whether it rings the worker when frames arrive.
        rings: bool,
    },
    /// At its end.
    Ended,
}

/// One NIC as one worker serves it.
pub(crate) struct Port {
    source: Source,
    nic: NicDatapath,
    output: LinkOutput,
}

impl Port {
    pub(crate) fn new(source: Source, nic: NicDatapath, outlet: Outlet) -> Self {
        Self {
            source,
            nic,
            output: LinkOutput::new(outlet),
        }
    }

    /// Takes what there is, up to a burst.
    fn receive(&mut self, cache: &mut PoolCache, burst: &mut Burst) -> Result<(), LinkError> {
        match &mut self.source {
            Source::Ring(ring) => {
                if ring.pop_burst(burst) == 0 && ring.is_closed() && ring.is_empty() {
                    self.source = Source::Ended;
                }
                Ok(())
            }
            Source::Queue { queue, .. } => {
                let status = queue.rx_burst(cache, burst);
                let nic = self.nic.id();
                burst.iter_mut().for_each(|frame| frame.set_nic(nic.0));
                if status
                    .as_ref()
                    .map_or(true, |status| *status == RxStatus::Finished)
                {
                    self.source = Source::Ended;
                }
                status.map(drop)
            }
            Source::Ended => Ok(()),
        }
    }
}

/// Everything a worker is made from.
pub(crate) struct WorkerParts {
    pub(crate) id: WorkerId,
    pub(crate) core: Option<usize>,
    pub(crate) ports: Vec<Port>,
    pub(crate) cache: PoolCache,
    pub(crate) handler: Box<dyn Handler>,
    pub(crate) sleeper: Sleeper,
    pub(crate) idle: Idle,
    pub(crate) crowded: bool,
    pub(crate) events: EventSender,
    pub(crate) status: Arc<WorkerStatus>,
}

/// A worker: it owns its end of the rings, its handler and its counters, and shares nothing that
/// it writes.
///
/// [`Engine::start`](crate::Engine::start) runs workers on threads of their own. An embedder that
/// has threads takes them by [`Engine::into_workers`](crate::Engine::into_workers) and calls
/// [`poll`](Self::poll) from a thread each.
pub struct Worker {
    id: WorkerId,
    core: Option<usize>,
    ports: Vec<Port>,
    cache: PoolCache,
    handler: Box<dyn Handler>,
    sleeper: Sleeper,
    idler: Idler,
    events: EventSender,
    counters: CounterWriter<WorkerCounter>,
    /// The burst in work, kept between polls so that it need not be made anew.
    burst: Burst,
    packets: Box<PacketBurst>,
    panics: Vec<node::HandlerPanic>,
    times: Times,
    started: bool,
    /// Polls without work since the last one with.
    empty: u32,
    status: Arc<WorkerStatus>,
}

/// What others may know of a worker.
#[derive(Default)]
pub(crate) struct WorkerStatus {
    /// It has no receive queue of its own that is not at its end.
    pub(crate) queues_ended: AtomicBool,
}

/// Empty polls after which a worker keeps no free slots.
const FLUSH_AFTER: u32 = 64;

impl Worker {
    pub(crate) fn new(parts: WorkerParts) -> (Self, CounterReader<WorkerCounter>) {
        let (writer, reader) = counters();
        let has_queue = parts
            .ports
            .iter()
            .any(|p| matches!(p.source, Source::Queue { .. }));
        parts
            .status
            .queues_ended
            .store(!has_queue, Ordering::Release);
        let worker = Self {
            id: parts.id,
            core: parts.core,
            ports: parts.ports,
            cache: parts.cache,
            handler: parts.handler,
            sleeper: parts.sleeper,
            idler: Idler::new(parts.idle, parts.crowded),
            events: parts.events,
            counters: writer,
            burst: Burst::new(),
            packets: Box::default(),
            panics: Vec::new(),
            times: Times::default(),
            started: false,
            empty: 0,
            status: parts.status,
        };
        (worker, reader)
    }

    /// The number.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// The core it is to run on, if any.
    pub fn core(&self) -> Option<usize> {
        self.core
    }

    /// Takes one burst from each input through all stages. Returns how many frames that were; 0
    /// means there was nothing to do.
    ///
    /// It does not block, lock or allocate, whatever the handler does aside.
    #[inline(never)]
    pub fn poll(&mut self) -> usize {
        if !self.started {
            self.start();
        }
        self.times.begin_poll(&mut self.counters);
        let allocations = Allocations::begin();
        let mut frames = 0;
        for port in 0..self.ports.len() {
            frames += self.poll_port(port);
        }
        self.counters.add(WorkerCounter::Polls, 1);
        if frames == 0 {
            self.counters.add(WorkerCounter::EmptyPolls, 1);
            self.found_nothing();
        } else {
            self.empty = 0;
        }
        allocations.end(
            &mut self.counters,
            WorkerCounter::Allocations,
            WorkerCounter::Frees,
        );
        self.times.end_poll(frames > 0, &mut self.counters);
        frames
    }

    fn poll_port(&mut self, index: usize) -> usize {
        let Some(port) = self.ports.get_mut(index) else {
            return 0;
        };
        let received = port.receive(&mut self.cache, &mut self.burst);
        let frames = self.burst.len();
        let mut sent = Ok(());
        if frames > 0 {
            let bytes = node::deliver_network_packets(
                &mut self.burst,
                &mut self.packets,
                &mut port.nic,
                &mut *self.handler,
                &mut port.output,
                &mut self.panics,
            );
            sent = port.output.flush(&mut self.cache, &mut port.nic.counters);
            self.cache.recycle_burst(&mut self.burst);
            self.counters.add(WorkerCounter::Packets, frames as u64);
            self.counters.add(WorkerCounter::Bytes, bytes);
        }
        if frames == 0 {
            port.nic.refresh();
        }
        let nic = port.nic.id();
        for error in [received.err(), sent.err()].into_iter().flatten() {
            self.events.send(Event::LinkFailed {
                nic,
                error: error.to_string(),
            });
        }
        for message in self.panics.drain(..) {
            self.counters.add(WorkerCounter::HandlerPanics, 1);
            self.events.send(Event::HandlerPanicked {
                worker: self.id.0,
                message,
            });
        }
        frames
    }

    /// After many polls without work the worker gives its free slots back to the pool, so that a
    /// link that waits for them gets them.
    fn found_nothing(&mut self) {
        self.empty = self.empty.saturating_add(1);
        if self.empty == FLUSH_AFTER {
            self.cache.flush();
        }
        if !self.status.queues_ended.load(Ordering::Relaxed) {
            let any = self
                .ports
                .iter()
                .any(|p| matches!(p.source, Source::Queue { .. }));
            self.status.queues_ended.store(!any, Ordering::Release);
        }
    }

    /// Whether every input is at its end: nothing will come any more.
    pub fn is_finished(&self) -> bool {
        self.ports
            .iter()
            .all(|port| matches!(port.source, Source::Ended))
    }

    /// Whether frames wait in a ring.
    pub fn has_work(&mut self) -> bool {
        has_work(&mut self.ports)
    }

    /// Holds no snapshot and no free slots until the next poll. To be called before the polling
    /// thread sleeps or does something else for long: what the control plane retires meanwhile is
    /// then not kept for this worker.
    pub fn quiesce(&mut self) {
        self.ports.iter_mut().for_each(|port| port.nic.quiesce());
        self.cache.flush();
    }

    /// Polls until all inputs are at their end or, once `stop` is set, until the rings are empty
    /// and closed.
    pub(crate) fn run(mut self, stop: &Arc<AtomicBool>) {
        let name = format!("worker-{}", self.id.0);
        cores::pin(name, self.core, &self.events);
        let mut stopping = false;
        loop {
            if !stopping && stop.load(Ordering::Acquire) {
                stopping = true;
                self.end_queues();
            }
            if self.poll() > 0 {
                self.idler.worked();
            } else if self.is_finished() {
                break;
            } else if self.idler.wait() == Next::Sleep {
                self.quiesce();
                let rung = self.ports.iter().all(Port::rings);
                let Self { sleeper, ports, .. } = &mut self;
                idle::sleep(sleeper, rung, || has_work(ports));
            }
        }
        self.quiesce();
        self.times.settle(&mut self.counters);
        let Self {
            id,
            handler,
            events,
            ..
        } = self;
        if let Err(message) = node::catch_panic(|| drop(handler)) {
            events.send(Event::HandlerPanicked {
                worker: id.0,
                message,
            });
        }
    }

    /// Polls no receive queue of its own any more; rings end when their distributor lets go.
    fn end_queues(&mut self) {
        for port in &mut self.ports {
            if matches!(port.source, Source::Queue { .. }) {
                port.source = Source::Ended;
            }
        }
    }

    /// The first poll, on the thread that polls: whatever a thread's first use of a part allocates
    /// is allocated here, before the first packet.
    #[cold]
    fn start(&mut self) {
        self.started = true;
        for port in &mut self.ports {
            port.nic.load();
        }
    }
}

/// How long a worker was busy and how long idle.
///
/// The clock is read at the start of polls while it is idle and at the end of the busy time, so
/// that a worker that is busy throughout reads it next to never.
#[derive(Default)]
struct Times {
    /// The end of what is counted; None before the first poll.
    counted_to: Option<Instant>,
    busy: bool,
    polls_until_settled: u32,
}

/// Busy polls after which the counter is brought up to date, for who watches it.
const SETTLE_EVERY: u32 = 4096;

impl Times {
    #[inline]
    fn begin_poll(&mut self, counters: &mut CounterWriter<WorkerCounter>) {
        if !self.busy {
            self.settle(counters);
        }
    }

    #[inline]
    fn end_poll(&mut self, worked: bool, counters: &mut CounterWriter<WorkerCounter>) {
        if !self.busy {
            // Busy since the poll began.
            self.busy = worked;
            self.polls_until_settled = SETTLE_EVERY;
            return;
        }
        self.polls_until_settled -= 1;
        if !worked || self.polls_until_settled == 0 {
            self.settle(counters);
            self.busy = worked;
            self.polls_until_settled = SETTLE_EVERY;
        }
    }

    /// Counts the time since the last call as what the worker was during it.
    fn settle(&mut self, counters: &mut CounterWriter<WorkerCounter>) {
        let now = Instant::now();
        let counter = if self.busy {
            WorkerCounter::BusyNs
        } else {
            WorkerCounter::IdleNs
        };
        if let Some(before) = self.counted_to.replace(now) {
            counters.add(counter, now.duration_since(before).as_nanos() as u64);
        }
    }
}

fn has_work(ports: &mut [Port]) -> bool {
    ports.iter_mut().any(|port| match &mut port.source {
        Source::Ring(ring) => !ring.is_empty() || ring.is_closed(),
        Source::Queue { queue, .. } => queue.has_frames(),
        Source::Ended => false,
    })
}

impl Port {
    /// Whether the worker is rung when there is work.
    fn rings(&self) -> bool {
        match self.source {
            Source::Ring(_) | Source::Ended => true,
            Source::Queue { rings, .. } => rings,
        }
    }
}
