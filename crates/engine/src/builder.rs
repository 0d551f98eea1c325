//! Building an engine: NICs and their links, workers, handlers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use corelane_frame::{BURST, Pool, PoolConfig, PoolError};
use corelane_stack::{
    Clock, EnableError, Handler, NicConfig, NicId, Stack, StackConfig, StackError, StackParts,
    events,
};
use corelane_sync::doorbell::doorbell;
use corelane_sync::ring::{RingError, ring};
use thiserror::Error;

use crate::command::commands;
use crate::control::{Control, FromWorker};
use crate::cores::{self, CoreError, Placement};
use crate::distributor::WhenFull;
use crate::engine::{Engine, Warning};
use crate::idle::Idle;
use crate::lifecycle::{Entry, Lifecycle, Roster, Shared, Tracers};
use crate::link::{Link, LinkError};
use crate::node::{Stages, StagesParts};
use crate::punt::{PUNT_RING, Punt};
use crate::report::{Monitor, WorkerMonitor};
use crate::rss::{IndirectionError, IndirectionTable, RssKey};
use crate::trace::{Actor, Tracer};
use crate::wiring::{Placed, Wiring};
use crate::worker::{Worker, WorkerId, WorkerParts};

/// Events an engine keeps for a reader that is slow.
const EVENTS: usize = 4096;

/// Why an engine could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no NIC.
    #[error("an engine needs a NIC: there is none")]
    NoNic,
    /// There are more NICs than numbers for them.
    #[error("an engine has at most 65,536 NICs")]
    TooManyNics,
    /// Two NICs have one name.
    #[error("there are two NICs '{0}'")]
    DuplicateName(String),
    /// No worker.
    #[error("an engine needs a worker: 0 were asked for")]
    NoWorker,
    /// A core cannot be had.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The frame pool cannot be had.
    #[error("the frame pool: {0}")]
    Pool(#[from] PoolError),
    /// A ring cannot be had.
    #[error("the rings: {0}")]
    Ring(#[from] RingError),
    /// What the NICs share cannot be had.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The workers do not fit the RSS indirection table.
    #[error(transparent)]
    Indirection(#[from] IndirectionError),
    /// A link did not open.
    #[error("the link of NIC '{nic}': {error}")]
    Link {
        /// The NIC's name.
        nic: String,
        /// What the link said.
        error: LinkError,
    },
    /// A NIC refused to be enabled.
    #[error("NIC '{nic}': {error}")]
    Enable {
        /// Its name.
        nic: String,
        /// What it said.
        error: EnableError,
    },
}

type Handlers = Option<Box<dyn FnMut(WorkerId) -> Box<dyn Handler>>>;

/// Builds an [`Engine`].
pub struct Builder {
    workers: usize,
    worker_cores: Option<Vec<usize>>,
    distributor_cores: Option<Vec<usize>>,
    pool: Option<PoolConfig>,
    ring_capacity: usize,
    event_capacity: usize,
    idle: Idle,
    when_full: WhenFull,
    run_to_completion: bool,
    rss_key: RssKey,
    clock: Clock,
    nics: Vec<(NicConfig, Box<dyn Link>)>,
    handlers: Handlers,
    tracers: Option<Tracers>,
    stack: StackConfig,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            workers: 1,
            worker_cores: None,
            distributor_cores: None,
            pool: None,
            ring_capacity: 256,
            event_capacity: EVENTS,
            idle: Idle::ADAPTIVE,
            when_full: WhenFull::default(),
            run_to_completion: false,
            rss_key: RssKey::MICROSOFT,
            clock: Clock::system(),
            nics: Vec::new(),
            handlers: None,
            tracers: None,
            stack: StackConfig::default(),
        }
    }
}

impl Builder {
    /// How many workers: 1 unless said.
    pub fn workers(&mut self, workers: usize) -> &mut Self {
        self.workers = workers;
        self
    }

    /// The core of each worker. Unless said, each thread gets one of its own as far as they go.
    pub fn worker_cores(&mut self, cores: Vec<usize>) -> &mut Self {
        self.worker_cores = Some(cores);
        self
    }

    /// The core of each distributor, in the order of the NICs that have one.
    pub fn distributor_cores(&mut self, cores: Vec<usize>) -> &mut Self {
        self.distributor_cores = Some(cores);
        self
    }

    /// The frame pool. Unless said, it is as large as what rings and caches can hold, and its slots as
    /// large as the links [ask for](Link::longest_frame): 64 KiB where they take super-frames.
    pub fn pool(&mut self, config: PoolConfig) -> &mut Self {
        self.pool = Some(config);
        self
    }

    /// Frames in each ring between a distributor and a worker: 256 unless said; rounded up to a
    /// power of two.
    pub fn ring_capacity(&mut self, frames: usize) -> &mut Self {
        self.ring_capacity = frames;
        self
    }

    /// Events kept for a reader that is slow: 4,096 unless said, of normal life, and as many that
    /// tell of something wrong.
    pub fn event_capacity(&mut self, events: usize) -> &mut Self {
        self.event_capacity = events;
        self
    }

    /// How threads wait for work: [`Idle::ADAPTIVE`] unless said.
    pub fn idle(&mut self, idle: Idle) -> &mut Self {
        self.idle = idle;
        self
    }

    /// What a distributor does when a worker's ring is full: [`WhenFull::Drop`] unless said.
    pub fn when_full(&mut self, when_full: WhenFull) -> &mut Self {
        self.when_full = when_full;
        self
    }

    /// Whether an only worker polls a link of one queue itself, as each of several workers polls a queue
    /// of its own: one thread does it all, and a core is enough. Unless said, a distributor polls it,
    /// and the two share the work.
    pub fn run_to_completion(&mut self, on: bool) -> &mut Self {
        self.run_to_completion = on;
        self
    }

    /// The key of the RSS hash: [`RssKey::MICROSOFT`] unless said.
    pub fn rss_key(&mut self, key: RssKey) -> &mut Self {
        self.rss_key = key;
        self
    }

    /// The clock of the control plane's timers: the system's unless said.
    pub fn clock(&mut self, clock: Clock) -> &mut Self {
        self.clock = clock;
        self
    }

    /// Makes the tracer of each thread: of the workers, of the control plane, and of each
    /// distributor when its NIC is first enabled. Without it nobody watches, at no cost.
    pub fn tracer<T: Tracer + 'static>(
        &mut self,
        mut make: impl FnMut(Actor) -> T + Send + 'static,
    ) -> &mut Self {
        self.tracers = Some(Box::new(move |actor| Box::new(make(actor))));
        self
    }

    /// Adds a NIC and its link. The link is opened, and the NIC enabled, when the engine is built,
    /// unless the configuration says otherwise. The numbers of NICs are given in this order, from 0.
    pub fn nic(&mut self, config: NicConfig, link: Box<dyn Link>) -> NicId {
        let id = NicId(self.nics.len() as u16);
        self.nics.push((config, link));
        id
    }

    /// What all NICs share: the bounds of reassembly, the rate of ICMP errors.
    pub fn stack(&mut self, config: StackConfig) -> &mut Self {
        self.stack = config;
        self
    }

    /// Makes the handler of each worker, which is given the packets that no socket has; called once per
    /// worker. Without it, nobody takes those: their senders are told so.
    pub fn handler<H: Handler + 'static>(
        &mut self,
        mut make: impl FnMut(WorkerId) -> H + 'static,
    ) -> &mut Self {
        self.handlers = Some(Box::new(move |worker| Box::new(make(worker))));
        self
    }

    /// Opens the links and puts everything together. Nothing runs yet.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self) -> Result<Engine, BuildError> {
        if self.nics.is_empty() {
            return Err(BuildError::NoNic);
        }
        if self.nics.len() > usize::from(u16::MAX) + 1 {
            return Err(BuildError::TooManyNics);
        }
        let workers = NonZeroUsize::new(self.workers).ok_or(BuildError::NoWorker)?;
        let indirection = IndirectionTable::even(workers)?;
        // The pool has to be there before the links open, and how many distributors there will be
        // is known only after: so it is made for as many as there can be.
        let caches = self.workers + self.nics.len();
        let per_lane = self.ring_capacity.saturating_mul(2).saturating_add(256);
        let lanes = self.nics.len().saturating_mul(self.workers + 1);
        let held: usize = self.nics.iter().map(|(_, link)| link.holds()).sum();
        let in_flight = lanes.saturating_mul(per_lane).saturating_add(held);
        let longest = self.nics.iter().map(|(_, link)| link.longest_frame()).max();
        let pool = Pool::new(self.pool.clone().unwrap_or_else(|| PoolConfig {
            slots: PoolConfig::slots_for(in_flight, caches),
            ..PoolConfig::for_frames(longest.unwrap_or(0))
        }))?;
        let (event_sender, events) = events(self.event_capacity);
        let stack = Stack::new(StackParts {
            config: self.stack,
            workers: self.workers,
            clock: self.clock,
            events: event_sender.clone(),
            pool: pool.clone(),
        })?;
        let (control_bell, control_sleeper) = doorbell();
        stack.ring_control(control_bell.clone());
        let (bells, sleepers): (Vec<_>, Vec<_>) = (0..self.workers).map(|_| doorbell()).unzip();
        let wiring = Wiring {
            pool: pool.clone(),
            stack: stack.clone(),
            events: event_sender.clone(),
            bells: bells.clone(),
            ring_capacity: self.ring_capacity,
            idle: self.idle,
            when_full: self.when_full,
            run_to_completion: self.run_to_completion,
            rss_key: self.rss_key,
            indirection,
        };
        let mut tracers = self.tracers;
        let mut make_tracer = |actor| tracers.as_mut().map(|make| make(actor));

        let mut entries: Vec<Entry> = Vec::new();
        for (number, (config, link)) in self.nics.into_iter().enumerate() {
            let name = config.name().to_owned();
            if entries.iter().any(|entry| entry.nic.name() == name) {
                return Err(BuildError::DuplicateName(name));
            }
            let enabled = config.is_enabled();
            let nic = wiring.nic(NicId(number as u16), config, &*link);
            let mut entry = Entry::new(nic, link);
            if enabled {
                entry.open(&pool)?;
            }
            entries.push(entry);
        }
        let spread = |entry: &&Entry| entry.queues().is_some_and(|q| wiring.needs_distributor(q));
        let distributors = entries.iter().filter(spread).count();
        let allowed = cores::allowed_cores();
        let placement = cores::place(
            self.workers,
            self.worker_cores.as_deref(),
            distributors,
            self.distributor_cores.as_deref(),
            &allowed,
        )?;

        let mut ports: Vec<Vec<_>> = bells.iter().map(|_| Vec::new()).collect();
        let mut distributors = Vec::new();
        for entry in &mut entries {
            let Some(queues) = entry.take_queues() else {
                continue;
            };
            let nic = entry.nic.clone();
            nic.enable().map_err(|error| BuildError::Enable {
                nic: nic.name().to_owned(),
                error,
            })?;
            let has_distributor = wiring.needs_distributor(&queues);
            let next = placement.distributors.get(distributors.len()).copied();
            let placed = Placed {
                core: next.filter(|_| has_distributor).flatten(),
                crowded: placement.crowded,
                tracer: has_distributor
                    .then(|| make_tracer(Actor::Distributor(nic.id())))
                    .flatten(),
            };
            let connection = wiring
                .connect(&nic, queues, placed)
                .map_err(|(error, _)| error)?;
            for (ports, port) in ports.iter_mut().zip(connection.ports) {
                ports.push(port);
            }
            distributors.extend(connection.distributor);
            entry.connected(connection.handle, connection.tracers, connection.ends);
        }

        let mut handlers = self.handlers;
        let mut lanes = Vec::new();
        let mut from_workers = Vec::new();
        let mut workers = Vec::new();
        let mut worker_monitors = Vec::new();
        let threads = ports.into_iter().zip(bells.iter().zip(sleepers));
        for (number, ((ports, (bell, sleeper)), core)) in
            threads.zip(&placement.workers).enumerate()
        {
            let id = WorkerId(number);
            let (lane, command_end, returned) =
                commands(ports.len(), bell.clone(), control_bell.clone())?;
            let (messages, punted) = ring(PUNT_RING)?;
            let (neighbors, unresolved) = ring(PUNT_RING)?;
            let (worker, counters) = Worker::new(WorkerParts {
                id,
                core: *core,
                ports,
                commands: command_end,
                cache: pool.cache(),
                stages: Stages::new(StagesParts {
                    handler: handlers.as_mut().map(|make| make(id)),
                    punt: Punt::new(messages, neighbors, control_bell.clone()),
                    stack: stack.datapath(number)?,
                }),
                tracer: make_tracer(Actor::Worker(id)),
                sleeper,
                idle: self.idle,
                crowded: placement.crowded,
                events: event_sender.clone(),
            });
            lanes.push(lane);
            from_workers.push(FromWorker {
                punted,
                unresolved,
                returned,
            });
            workers.push(worker);
            worker_monitors.push(WorkerMonitor {
                id,
                core: *core,
                counters,
            });
        }
        let control_tracer = make_tracer(Actor::Control);

        let mut roster = Roster::new(lanes);
        for entry in entries {
            roster.begin_with(entry);
        }
        let shared = Arc::new(Shared::new(
            wiring,
            allowed.len(),
            placement.crowded,
            tracers,
            roster,
        ));
        Ok(Engine {
            control: Control::new(
                Arc::clone(&shared),
                from_workers,
                control_sleeper,
                control_tracer,
            ),
            workers,
            distributors,
            monitor: Monitor::new(Arc::clone(&shared), worker_monitors),
            lifecycle: Lifecycle::new(shared),
            events,
            warnings: warnings(&placement, &pool, caches, held),
        })
    }
}

fn warnings(placement: &Placement, pool: &Pool, caches: usize, held: usize) -> Vec<Warning> {
    let threads = placement.workers.len() + placement.distributors.len();
    let crowded = placement.crowded.then(|| Warning::Crowded {
        threads,
        cores: cores::allowed_cores().len(),
    });
    let enough = PoolConfig::slots_for(held.saturating_add(BURST), caches);
    let slots = pool.config().slots;
    let small = (slots < enough).then_some(Warning::SmallPool { slots, enough });
    crowded.into_iter().chain(small).collect()
}
