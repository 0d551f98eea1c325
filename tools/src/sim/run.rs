//! A run: the engine's own objects, polled by one thread in virtual time.

use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use corelane::engine::link::Link;
use corelane::engine::{
    BuildError, Control, Distributor, Engine, Idle, Lifecycle, Monitor, Parts, Polled, WhenFull,
    Worker,
};
use corelane::io::middleware::{Faults, FaultsConfig, FaultsCounters, Layered};
use corelane::stack::{Clock, Events, ManualClock, NeighborState, Nic, NicId, Stack, Time};

use super::frame_text;
use super::inputs::Arrival;
use super::link::{LinkCounts, SimLink, SimPort};
use super::report::{End, SimReport, nic_state};
use super::setup::{Files, pool, replaced_links};
use super::trace::{FrameTracer, Trace};
use crate::cli::{SimArgs, Usage};
use crate::config::{Change, Config, EventSetting, FaultsSetting, seconds};
use crate::host::{
    Identity, Routes, Scene, Services, StackState, TimedError, TimedEvent, act, nic_config,
    service_json, set_up, stack_config,
};
use crate::interrupt::Interrupt;
use crate::run::Failure;

/// The longest run without `--until`.
const LIMIT: Duration = Duration::from_secs(3600);

const RING: usize = 256;

/// Events between two times that they are read: as many as thousands of NICs and addresses bring.
const EVENTS: usize = 1 << 16;

/// Rounds in which an engine comes to rest after one frame, or never does.
const ROUNDS: u32 = 1 << 20;

/// Steps at one instant, of timers alone, after which time does not go on any more.
const STEPS: u32 = 1 << 16;

/// What goes wrong on a link: on its way in, and on its way out.
struct SimFaults {
    counters: FaultsCounters,
    on_rx: bool,
    on_tx: bool,
}

/// An engine and what will happen to it.
pub struct Simulation {
    clock: ManualClock,
    workers: Vec<Worker>,
    distributors: Vec<Distributor>,
    control: Control,
    lifecycle: Lifecycle,
    monitor: Monitor,
    events: Events,
    stack: Stack,
    nics: Vec<(Nic, SimPort)>,
    services: Arc<Services>,
    routes: Routes,
    trace: Trace,
    /// By NIC.
    faults: Vec<Option<SimFaults>>,
    config: Config,
    timeline: Peekable<std::vec::IntoIter<EventSetting>>,
    arrivals: Peekable<std::vec::IntoIter<Arrival>>,
    happened: Vec<TimedEvent>,
    errors: Vec<TimedError>,
    warnings: Vec<String>,
}

impl Simulation {
    /// Builds the engine; nothing has happened yet.
    ///
    /// # Errors
    /// A file cannot be written, or the engine cannot be built.
    pub fn new(args: &SimArgs, config: Config, files: Files) -> Result<Self, Failure> {
        let Files { inputs, outputs } = files;
        let (clock, hand) = Clock::manual();
        let trace = Trace::new(args.trace);

        let workers = config.workers.unwrap_or_else(|| {
            std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(128)
        });
        let mut builder = Engine::builder();
        builder
            .workers(workers)
            .clock(clock.clone())
            // Nobody sleeps here, so that nobody is to be rung.
            .idle(Idle::BusyPoll)
            .ring_capacity(RING)
            .when_full(WhenFull::Wait)
            .event_capacity(EVENTS)
            .stack(stack_config(&config));
        let services = Arc::new(Services::default());
        let for_handlers = Arc::clone(&services);
        builder.handler(move |_| for_handlers.handler());
        if trace.is_on() {
            let trace = trace.clone();
            builder.tracer(move |_| FrameTracer {
                trace: trace.clone(),
            });
        }
        let (mut ports, mut faults, mut held) = (Vec::new(), Vec::new(), 0);
        for ((number, nic), file) in config.nics.iter().enumerate().zip(&outputs) {
            let (link, port) = SimLink::create(
                &nic.name,
                nic.mac,
                nic.mtu,
                file,
                clock.clone(),
                trace.clone(),
            )
            .map_err(|error| Usage::new(format!("--out: {}: {error}", file.display())))?;
            let mut link: Box<dyn Link> = Box::new(link);
            let mut of_nic = None;
            if let Some(FaultsSetting { seed, rx, tx }) = nic.faults.clone() {
                let (on_rx, on_tx) = (!rx.is_empty(), !tx.is_empty());
                let config = FaultsConfig {
                    seed,
                    clock: clock.clone(),
                    rx,
                    tx,
                };
                let layer = Faults::new(config)
                    .map_err(|error| Usage::new(format!("nic '{}': {error}", nic.name)))?;
                of_nic = Some(SimFaults {
                    counters: layer.counters(),
                    on_rx,
                    on_tx,
                });
                link = Box::new(Layered::new(link, layer));
            }
            faults.push(of_nic);
            held += link.holds();
            builder.nic(nic_config(&config, nic, number, Some(nic.mac)), link);
            ports.push(port);
        }
        builder.pool(pool(&config, &inputs, workers, held));
        let engine = builder.build()?;
        services.set(&config, &engine.nics());
        let nics: Vec<_> = engine.nics().iter().cloned().zip(ports).collect();
        let (first, _) = nics.first().ok_or(BuildError::NoNic)?;
        let stack = first.stack().clone();
        let Parts {
            workers,
            distributors,
            control,
            lifecycle,
            monitor,
            events,
            ..
        } = engine.into_workers();
        let mut warnings = config.warnings.clone();
        warnings.extend(inputs.warnings);
        warnings.extend(replaced_links(&config));
        Ok(Self {
            clock: hand,
            workers,
            distributors,
            control,
            lifecycle,
            monitor,
            events,
            stack,
            nics,
            services,
            routes: Routes::new(),
            trace,
            faults,
            timeline: config.events.clone().into_iter().peekable(),
            arrivals: inputs.arrivals.into_iter().peekable(),
            config,
            happened: Vec::new(),
            errors: Vec::new(),
            warnings,
        })
    }

    /// Runs to the end. `trace` gets what is to be printed, now and then.
    ///
    /// # Errors
    /// The engine does not come to rest, or a file cannot be written.
    pub fn run(
        mut self,
        until: Option<Duration>,
        interrupt: &Interrupt,
        mut trace: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<SimReport, Failure> {
        let last = nanoseconds(until.unwrap_or(LIMIT));
        self.set_up();
        self.pump()?;
        let mut steps = 0;
        let end = loop {
            trace(&self.trace.take())?;
            if interrupt.is_raised() {
                break End::Interrupted;
            }
            let Some(next) = self.next(until.is_some()) else {
                break End::Complete;
            };
            if next > last {
                break if until.is_some() {
                    End::Until
                } else {
                    End::Limit
                };
            }
            steps = if next > self.now() { 0 } else { steps + 1 };
            if steps > STEPS {
                return Err(Failure::Run(format!(
                    "time does not go on: a timer of {} is due again and again",
                    seconds(Duration::from_nanos(next))
                )));
            }
            self.instant(next, interrupt)?;
        };
        if matches!(end, End::Until | End::Limit) {
            self.clock.set(Time::from_nanos(last));
        }
        if end == End::Limit {
            self.warnings.push(format!(
                "cut at {} of virtual time, and there was more to come; --until sets another end",
                seconds(LIMIT)
            ));
        }
        self.report(end)
    }

    /// The virtual time, in nanoseconds.
    fn now(&self) -> u64 {
        self.clock.now().as_nanos()
    }

    /// When something happens next. None if nothing does any more, but that neighbors age: that goes
    /// on for 20 minutes and more, sends nothing, and is waited for only to an end that is set.
    fn next(&mut self, ages: bool) -> Option<u64> {
        let event = self.timeline.peek().map(|event| nanoseconds(event.at));
        let arrival = self.arrivals.peek().map(|arrival| arrival.at_ns);
        // Datagrams of which fragments are missing.
        let workers = self.workers.iter().filter_map(Worker::next_deadline).min();
        let workers = workers.map(Time::as_nanos);
        // Frames that are held back on purpose.
        let faults = self.faults.iter().flatten();
        let held = faults.filter_map(|it| it.counters.next_due()).min();
        let held = held.map(Time::as_nanos);
        let is_more = event.or(arrival).or(workers).or(held).is_some();
        if !(ages || is_more || self.has_protocol_timers()) {
            return None;
        }
        let control = self.control.next_deadline().map(Time::as_nanos);
        // What is overdue is due now.
        let now = self.now();
        [event, arrival, workers, held, control]
            .into_iter()
            .flatten()
            .min()
            .map(|next| next.max(now))
    }

    /// Whether a NIC has something to send in time, or to decide: probes for its addresses, reports
    /// of groups, questions for neighbors.
    fn has_protocol_timers(&self) -> bool {
        let is_asked_for = |state| {
            matches!(
                state,
                NeighborState::Incomplete | NeighborState::Delay | NeighborState::Probe
            )
        };
        self.nics.iter().any(|(nic, _)| {
            let mut neighbors = self.stack.neighbors(nic.id()).into_iter();
            nic.poll().is_some() || neighbors.any(|neighbor| is_asked_for(neighbor.state))
        })
    }

    /// What happens at one time: the timeline, then timers, then frames, one after the other.
    ///
    /// Each frame has run its course before the next one comes, so that how many workers there are
    /// makes no difference.
    fn instant(&mut self, now: u64, interrupt: &Interrupt) -> Result<(), Failure> {
        self.clock.set(Time::from_nanos(now));
        let deadlines = self.workers.iter().filter_map(Worker::next_deadline);
        if deadlines.min().is_some_and(|due| due.as_nanos() <= now) {
            self.trace.line(|| {
                let time = seconds(Duration::from_nanos(now));
                format!("{time} the time of a datagram is over, fragments of which are missing")
            });
        }
        while let Some(event) = self.timeline.next_if(|event| nanoseconds(event.at) <= now) {
            self.act(&event);
        }
        self.pump()?;
        while let Some(arrival) = self.arrivals.next_if(|arrival| arrival.at_ns <= now) {
            self.deliver(arrival)?;
            if interrupt.is_raised() {
                break;
            }
        }
        Ok(())
    }

    fn set_up(&mut self) {
        let nics: Vec<_> = self.nics.iter().map(|(nic, _)| nic).collect();
        let unset = set_up(&self.config, &nics, &self.stack, &self.lifecycle);
        self.errors.extend(unset.into_iter().map(TimedError::from));
    }

    fn act(&mut self, event: &EventSetting) {
        let at_ns = self.now();
        let Change { action, nic: name } = &event.change;
        let named = |name: &str| self.nics.iter().find(|(nic, _)| nic.name() == name);
        let scene = Scene {
            stack: &self.stack,
            lifecycle: &self.lifecycle,
            nics: self.nics.iter().map(|(nic, _)| nic).collect(),
            nic: name.as_deref().and_then(named).map(|(nic, _)| nic),
        };
        let result = act(action, &scene, &mut self.routes);
        self.trace.line(|| {
            let time = seconds(Duration::from_nanos(at_ns));
            let (nic, action) = (name.as_deref().unwrap_or("-"), action.label());
            match &result {
                Ok(()) => format!("{time} {nic} {action}: done"),
                Err(error) => format!("{time} {nic} {action}: {}: {}", error.name, error.message),
            }
        });
        if let Err(error) = result {
            let failed = TimedError::of(at_ns, &event.change, error);
            self.errors.push(failed);
        }
        // The stream of events holds so many.
        self.collect_events();
    }

    fn deliver(&mut self, arrival: Arrival) -> Result<(), Failure> {
        let number = arrival.nic;
        let Some((nic, port)) = self.nics.get(number) else {
            return Ok(());
        };
        self.trace.line(|| {
            let time = seconds(Duration::from_nanos(arrival.at_ns));
            let frame = arrival.packet().map(|packet| {
                let header = packet.substitute_header();
                [
                    header.as_ref().map_or(&[][..], |h| &h[..]),
                    packet.payload(),
                ]
                .concat()
            });
            let frame = frame_text::describe(&frame.unwrap_or_default());
            format!("{time} {} receives {frame}", nic.name())
        });
        let port = port.clone();
        if !port.deliver(arrival) {
            self.trace
                .line(|| "    link: closed, the NIC has never been enabled".to_owned());
        }
        self.pump()?;
        if port.is_waiting() {
            return Err(Failure::Run("there is no buffer for a frame".to_owned()));
        }
        Ok(())
    }

    /// Polls everything until there is nothing to do at this time.
    fn pump(&mut self) -> Result<(), Failure> {
        let mut quiet = 0;
        self.distributors.extend(self.lifecycle.take_distributors());
        for _ in 0..ROUNDS {
            let mut worked = false;
            for distributor in &mut self.distributors {
                worked |= distributor.poll() == Polled::Worked;
            }
            for worker in &mut self.workers {
                worked |= worker.poll() > 0;
            }
            self.control.poll();
            // What the control plane did last, a quiet round shows.
            quiet = if worked { 0 } else { quiet + 1 };
            if quiet == 2 {
                self.collect_events();
                return Ok(());
            }
        }
        Err(Failure::Run(format!(
            "the engine does not come to rest at {}",
            seconds(Duration::from_nanos(self.now()))
        )))
    }

    fn collect_events(&mut self) {
        let at_ns = self.now();
        let name = |id: NicId| {
            let nic = self.nics.iter().find(|(nic, _)| nic.id() == id);
            nic.map_or_else(|| id.to_string(), |(nic, _)| nic.name().to_owned())
        };
        while let Some(event) = self.events.try_next() {
            let event = TimedEvent::new(at_ns, &event, name);
            self.trace.line(|| event.line());
            self.happened.push(event);
        }
    }

    /// Ends everything and puts the report together.
    fn report(mut self, end: End) -> Result<SimReport, Failure> {
        let ended_at_ns = self.now();
        let state = |(nic, port): &(Nic, SimPort)| nic_state(nic, &port.counts());
        let nics: Vec<_> = self.nics.iter().map(state).collect();
        let routes = self.routes.keys().cloned().collect();
        let stack = StackState::of(&self.stack, &self.lifecycle.nics());
        // What waits for a neighbor goes back to its pool.
        for (nic, _) in &self.nics {
            self.stack.flush_neighbors(nic.id());
        }
        if self.events.lost() > 0 {
            let lost = self.events.lost();
            self.warnings
                .push(format!("{lost} events were lost: too many at one time"));
        }
        self.workers.iter_mut().for_each(Worker::quiesce);
        drop((self.workers, self.distributors));
        let frames_out = self.monitor.report().pool.out;
        let mut identities = Vec::new();
        for ((nic, port), faults) in self.nics.iter().zip(&self.faults) {
            port.flush().map_err(|error| {
                Failure::Run(format!("cannot write {}.pcap: {error}", nic.name()))
            })?;
            let (name, counts) = (nic.name(), port.counts());
            if counts.too_large > 0 {
                let count = counts.too_large;
                self.warnings.push(format!(
                    "{name}: {count} frames are larger than a buffer can be"
                ));
            }
            if counts.closed > 0 {
                let count = counts.closed;
                self.warnings
                    .push(format!("{name}: {count} frames came before it was enabled"));
            }
            identities.extend(nic_identities(nic, &counts, faults.as_ref()));
        }
        let broken = self.happened.iter().find_map(TimedEvent::link_failure);
        if let Some(failure) = broken {
            return Err(Failure::Run(format!(
                "cannot write what was sent: {failure}"
            )));
        }
        identities.push(Identity::of_pool(frames_out));
        Ok(SimReport {
            seed: self.config.seed,
            end,
            ended_at_ns,
            nics,
            services: self
                .services
                .list()
                .iter()
                .map(|service| service_json(service))
                .collect(),
            events: self.happened,
            errors: self.errors,
            routes,
            stack,
            warnings: self.warnings,
            identities,
        })
    }
}

fn nic_identities(nic: &Nic, link: &LinkCounts, faults: Option<&SimFaults>) -> Vec<Identity> {
    let totals = nic.counters();
    let identity = |claim, left, right| Identity {
        nic: Some(nic.name().to_owned()),
        claim,
        left,
        right,
    };
    let mut identities = vec![
        identity(
            "link.arrived = link.received + link.closed + link.too_large",
            link.arrived,
            link.received + link.closed + link.too_large,
        ),
        Identity::of_received(nic),
    ];
    match faults.filter(|it| it.on_rx).map(|it| it.counters.rx()) {
        None => identities.push(identity(
            "received = link.received + looped",
            totals.received,
            link.received + totals.looped,
        )),
        Some(rx) => identities.extend([
            identity("faults.rx.seen = link.received", rx.seen, link.received),
            identity(
                "received = faults.rx.passed + looped",
                totals.received,
                rx.passed + totals.looped,
            ),
        ]),
    }
    match faults.filter(|it| it.on_tx).map(|it| it.counters.tx()) {
        None => identities.push(identity("sent = link.sent", totals.sent, link.sent)),
        Some(tx) => identities.extend([
            identity("sent = faults.tx.seen", totals.sent, tx.seen),
            identity("faults.tx.passed = link.sent", tx.passed, link.sent),
        ]),
    }
    identities
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
