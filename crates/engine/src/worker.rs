//! A worker: the object that polls its inputs and takes each burst through the stages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use corelane_frame::{Burst, PoolCache};
use corelane_stack::{Event, EventSender, NicId, Time};
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::Sleeper;

use crate::allocations::Allocations;
use crate::command::{Command, CommandEnd, Returned};
use crate::cores;
use crate::idle::{self, Idle, Idler, Next};
use crate::link::LinkError;
use crate::node::{self, Origin, Quiet, Stages, Traced};
use crate::port::{Port, Ports};
use crate::trace::{Actor, Tracer};

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

/// Everything a worker is made from.
pub(crate) struct WorkerParts {
    pub(crate) id: WorkerId,
    pub(crate) core: Option<usize>,
    pub(crate) ports: Ports,
    pub(crate) commands: CommandEnd,
    pub(crate) cache: PoolCache,
    pub(crate) stages: Stages,
    pub(crate) tracer: Option<Box<dyn Tracer>>,
    pub(crate) sleeper: Sleeper,
    pub(crate) idle: Idle,
    pub(crate) crowded: bool,
    pub(crate) events: EventSender,
}

/// A worker: it owns its end of the rings, its handler and its counters, and shares nothing that
/// it writes.
///
/// [`Engine::start`](crate::Engine::start) runs workers on threads of their own. An embedder that
/// has threads takes them by [`Engine::into_workers`](crate::Engine::into_workers) and calls
/// [`poll`](Self::poll) from a thread each.
pub struct Worker {
    core: Option<usize>,
    ports: Ports,
    commands: CommandEnd,
    context: Context,
    sleeper: Sleeper,
    idler: Idler,
    times: Times,
    started: bool,
    /// Whether receive queues of its own are to be polled no more.
    stopping: bool,
    /// Polls without work since the last one with.
    empty: u32,
}

/// What a worker has for all its ports.
struct Context {
    id: WorkerId,
    cache: PoolCache,
    /// The burst in work, kept between polls so that it need not be made anew.
    burst: Box<Burst>,
    stages: Stages,
    tracer: Option<Box<dyn Tracer>>,
    counters: CounterWriter<WorkerCounter>,
    events: EventSender,
}

/// Empty polls after which a worker keeps no free slots.
const FLUSH_AFTER: u32 = 64;

impl Context {
    /// Takes a burst from the link of the port at `at` through the stages, and what its NIC has queued
    /// itself. Returns how many frames there were.
    #[inline]
    fn poll(&mut self, ports: &mut [Box<Port>], at: usize) -> usize {
        let Some(port) = ports.get_mut(at) else {
            return 0;
        };
        let received = port.receive(&mut self.cache, &mut self.burst);
        let mut frames = self.burst.len();
        if frames > 0 {
            self.deliver(ports, at, Origin::Link);
        } else {
            port.nic.refresh();
        }
        let Some(port) = ports.get_mut(at) else {
            return frames;
        };
        if let Err(error) = received {
            port.report(&error, &self.events);
        }
        if port.wants_poll() {
            frames += self.poll_queued(ports, at);
        }
        if let Some(port) = ports.get(at) {
            port.settle();
        }
        frames
    }

    /// The frames that the NIC has queued itself, and those that its transmit queue held back.
    #[inline(never)]
    fn poll_queued(&mut self, ports: &mut [Box<Port>], at: usize) -> usize {
        let Some(port) = ports.get_mut(at) else {
            return 0;
        };
        if let Err(error) = port.send_held_back(&mut self.cache) {
            port.report(&error, &self.events);
        }
        let mut frames = port.take_outbound();
        if frames > 0 {
            self.send(port);
        }
        port.take_looped(&mut self.burst);
        frames += self.burst.len();
        if !self.burst.is_empty() {
            self.deliver(ports, at, Origin::Looped);
        }
        frames
    }

    /// Takes the burst in work, of the port at `at`, through the stages.
    #[inline]
    fn deliver(&mut self, ports: &mut [Box<Port>], at: usize, origin: Origin) {
        let Self {
            id,
            burst,
            cache,
            stages,
            tracer,
            counters,
            ..
        } = self;
        let frames = burst.len();
        let bytes = match tracer {
            None => {
                node::deliver_network_packets(burst, stages, cache, ports, at, origin, &mut Quiet)
            }
            Some(tracer) => {
                let nic = ports.get(at).map_or(NicId(0), |port| port.id());
                let mut traced = Traced::new(&mut **tracer, Actor::Worker(*id), nic);
                if origin == Origin::Link {
                    traced.choose(burst);
                }
                node::deliver_network_packets(burst, stages, cache, ports, at, origin, &mut traced)
            }
        };
        counters.add(WorkerCounter::Packets, frames as u64);
        counters.add(WorkerCounter::Bytes, bytes);
        if let Some(port) = ports.get_mut(at) {
            if origin == Origin::Looped {
                port.loop_answers(&mut self.cache);
            }
            self.send(port);
        }
        self.send_touched(ports);
        self.cache.recycle_burst(&mut self.burst);
        for message in self.stages.panics.drain(..) {
            self.counters.add(WorkerCounter::HandlerPanics, 1);
            self.events.send(Event::HandlerPanicked {
                worker: self.id.0,
                message,
            });
        }
    }

    /// Ends datagrams whose fragments did not all come in time.
    #[inline]
    fn tick(&mut self, ports: &mut [Box<Port>]) -> usize {
        if !self.stages.stack.has_overdue() {
            return 0;
        }
        let Self {
            id,
            cache,
            stages,
            tracer,
            ..
        } = self;
        let ended = match tracer {
            None => node::expire(stages, ports, cache, &mut Quiet),
            Some(tracer) => {
                // Of no NIC until there is a frame.
                let mut traced = Traced::new(&mut **tracer, Actor::Worker(*id), NicId(0));
                node::expire(stages, ports, cache, &mut traced)
            }
        };
        self.send_touched(ports);
        ended
    }

    fn send_touched(&mut self, ports: &mut [Box<Port>]) {
        while let Some(other) = self.stages.touched.pop() {
            if let Some(port) = ports.get_mut(other) {
                self.send(port);
            }
        }
    }

    /// Sends what is in line on a port.
    #[inline]
    fn send(&mut self, port: &mut Port) {
        if port.output.is_empty() {
            return;
        }
        let sent = match &mut self.tracer {
            None => port.flush(&mut self.cache, &mut self.stages.stack, &mut Quiet),
            Some(tracer) => {
                let actor = Actor::Worker(self.id);
                let mut traced = Traced::new(&mut **tracer, actor, port.id());
                port.flush(&mut self.cache, &mut self.stages.stack, &mut traced)
            }
        };
        if let Err(error) = sent {
            port.report(&error, &self.events);
        }
    }
}

impl Port {
    #[cold]
    fn report(&self, error: &LinkError, events: &EventSender) {
        events.send(Event::LinkFailed {
            nic: self.id(),
            error: error.to_string(),
        });
    }
}

impl Worker {
    pub(crate) fn new(parts: WorkerParts) -> (Self, CounterReader<WorkerCounter>) {
        let (writer, reader) = counters();
        let worker = Self {
            core: parts.core,
            ports: parts.ports,
            commands: parts.commands,
            context: Context {
                id: parts.id,
                cache: parts.cache,
                burst: Box::default(),
                stages: parts.stages,
                tracer: parts.tracer,
                counters: writer,
                events: parts.events,
            },
            sleeper: parts.sleeper,
            idler: Idler::new(parts.idle, parts.crowded),
            times: Times::default(),
            started: false,
            stopping: false,
            empty: 0,
        };
        (worker, reader)
    }

    /// The number.
    pub fn id(&self) -> WorkerId {
        self.context.id
    }

    /// The core it is to run on, if any.
    pub fn core(&self) -> Option<usize> {
        self.core
    }

    /// Takes one burst from each input through all stages. Returns how many frames that were; 0
    /// means there was nothing to do.
    ///
    /// It does not block, lock or allocate, whatever the handler does aside. Where NICs were
    /// created or removed since the last poll, it begins or ceases to serve them first.
    #[inline(never)]
    pub fn poll(&mut self) -> usize {
        if !self.started {
            self.start();
        }
        if !self.commands.is_empty() {
            self.obey();
        }
        let counters = &mut self.context.counters;
        self.times.begin_poll(counters);
        let allocations = Allocations::begin();
        self.context.stages.stack.refresh();
        let mut frames = 0;
        for at in 0..self.ports.len() {
            frames += self.context.poll(&mut self.ports, at);
        }
        frames += self.context.tick(&mut self.ports);
        let counters = &mut self.context.counters;
        counters.add(WorkerCounter::Polls, 1);
        if frames == 0 {
            counters.add(WorkerCounter::EmptyPolls, 1);
            // After many polls without work the worker gives its free slots back to the pool, so
            // that a link that waits for them gets them.
            self.empty = self.empty.saturating_add(1);
            if self.empty == FLUSH_AFTER {
                self.context.cache.flush();
            }
        } else {
            self.empty = 0;
        }
        let counters = &mut self.context.counters;
        allocations.end(counters, WorkerCounter::Allocations, WorkerCounter::Frees);
        self.times.end_poll(frames > 0, counters);
        frames
    }

    /// Begins to serve NICs, and ceases to.
    #[cold]
    fn obey(&mut self) {
        while let Some(command) = self.commands.next() {
            match command {
                Command::AddPort { mut port, mut room } => {
                    if self.stopping {
                        port.end_queue();
                    }
                    // What the thread's first use of it allocates is allocated here.
                    port.nic.load();
                    room.append(&mut self.ports);
                    room.push(port);
                    let before = std::mem::replace(&mut self.ports, room);
                    self.commands.give_up(Returned::Room(before));
                }
                Command::RemovePort(nic) => {
                    let at = self.ports.iter().position(|port| port.id() == nic);
                    if let Some(at) = at {
                        let mut port = self.ports.remove(at);
                        // What the NIC had to say at the end.
                        while port.take_outbound() > 0 {
                            self.context.send(&mut port);
                        }
                        self.context.stages.stack.forget_nic(nic);
                        port.nic.quiesce();
                        self.commands.give_up(Returned::Port(port));
                    }
                }
                Command::SetTracer(tracer) => {
                    let before = std::mem::replace(&mut self.context.tracer, tracer);
                    if let Some(before) = before {
                        self.commands.give_up(Returned::Tracer(before));
                    }
                }
            }
        }
    }

    /// Whether every input it has is at its end: nothing will come any more, unless a NIC is
    /// created.
    pub fn is_finished(&self) -> bool {
        self.ports.iter().all(|port| port.is_ended())
    }

    /// Whether there is something to do.
    pub fn has_work(&mut self) -> bool {
        has_work(&mut self.commands, &mut self.ports)
    }

    /// When it has to be polled though nothing arrives, by the engine's clock: fragments wait for the
    /// rest of their datagrams until then. None if there is no such time.
    pub fn next_deadline(&self) -> Option<Time> {
        self.context.stages.stack.next_deadline()
    }

    /// Holds no snapshot and no free slots until the next poll. To be called before the polling
    /// thread sleeps or does something else for long: what the control plane retires meanwhile is
    /// then not kept for this worker.
    pub fn quiesce(&mut self) {
        self.ports.iter_mut().for_each(|port| port.nic.quiesce());
        self.context.stages.stack.quiesce();
        self.context.cache.flush();
    }

    /// Polls until `stop` is set and the rings are empty and closed.
    pub(crate) fn run(mut self, stop: &Arc<AtomicBool>) {
        let name = format!("worker-{}", self.id().0);
        cores::pin(name, self.core, &self.context.events);
        loop {
            if !self.stopping && stop.load(Ordering::Acquire) {
                self.stopping = true;
                self.ports.iter_mut().for_each(|port| port.end_queue());
            }
            if self.poll() > 0 {
                self.idler.worked();
                continue;
            }
            let finished = self.is_finished();
            if finished && self.stopping {
                break;
            }
            // Without an input there is nothing to poll for, however busy it is to be otherwise.
            if self.idler.wait() == Next::Sleep || finished {
                self.quiesce();
                let rung = self.ports.iter().all(|port| port.rings());
                let fragments = self.context.stages.stack.due_in();
                let Self {
                    sleeper,
                    commands,
                    ports,
                    stopping,
                    ..
                } = &mut self;
                let due = ports.iter_mut().filter_map(|port| port.due_in());
                let due = due.chain(fragments).min();
                let told = || !*stopping && stop.load(Ordering::Acquire);
                let awake = || has_work(commands, ports) || told();
                idle::sleep(sleeper, rung, due, awake);
            }
        }
        self.quiesce();
        self.times.settle(&mut self.context.counters);
        let Context {
            id, stages, events, ..
        } = self.context;
        if let Err(message) = node::catch_panic(|| drop(stages.handler)) {
            events.send(Event::HandlerPanicked {
                worker: id.0,
                message,
            });
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
        self.context.stages.stack.refresh();
    }
}

fn has_work(commands: &mut CommandEnd, ports: &mut [Box<Port>]) -> bool {
    commands.is_ready() || ports.iter_mut().any(|port| port.has_work())
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
