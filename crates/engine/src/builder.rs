//! Building an engine: NICs and their links, workers, handlers.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::Arc;

use corelane_frame::{BURST, Frame, Pool, PoolConfig, PoolError};
use corelane_stack::{Handler, Nic, NicCounter, NicId, Packet, events};
use corelane_sync::counters::{CounterReader, CounterWriter};
use corelane_sync::doorbell::{Doorbell, Sleeper, doorbell};
use corelane_sync::ring::{Consumer, Producer, RingError, ring};
use thiserror::Error;

use crate::control::Control;
use crate::cores::{self, CoreError, Placement};
use crate::distributor::{Distributor, DistributorParts, DistributorStatus, Lane, WhenFull};
use crate::engine::{Engine, Warning};
use crate::idle::Idle;
use crate::link::{Link, LinkError, Queues};
use crate::node::Outlet;
use crate::report::{DistributorMonitor, Monitor, WorkerMonitor};
use crate::rss::{IndirectionError, IndirectionTable, RssKey, Toeplitz};
use crate::worker::{Port, Source, Worker, WorkerId, WorkerParts, WorkerStatus};

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
}

/// What a NIC is made from.
#[derive(Clone, Debug)]
pub struct NicConfig {
    name: String,
    seed: Option<u64>,
}

impl NicConfig {
    /// A NIC of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            seed: None,
        }
    }

    /// Fixes the seed of the endpoint table's hash, so that runs repeat exactly. Without it, it is
    /// random: nobody can then aim traffic at one bucket.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

type Handlers = Box<dyn FnMut(WorkerId) -> Box<dyn Handler>>;

/// Builds an [`Engine`].
pub struct Builder {
    workers: usize,
    worker_cores: Option<Vec<usize>>,
    distributor_cores: Option<Vec<usize>>,
    pool: Option<PoolConfig>,
    ring_capacity: usize,
    idle: Idle,
    when_full: WhenFull,
    rss_key: RssKey,
    nics: Vec<(NicConfig, Box<dyn Link>)>,
    handlers: Handlers,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            workers: 1,
            worker_cores: None,
            distributor_cores: None,
            pool: None,
            ring_capacity: 256,
            idle: Idle::ADAPTIVE,
            when_full: WhenFull::default(),
            rss_key: RssKey::MICROSOFT,
            nics: Vec::new(),
            handlers: Box::new(|_| Box::new(Sink)),
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

    /// The frame pool. Unless said, it is as large as what rings and caches can hold.
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

    /// The key of the RSS hash: [`RssKey::MICROSOFT`] unless said.
    pub fn rss_key(&mut self, key: RssKey) -> &mut Self {
        self.rss_key = key;
        self
    }

    /// Adds a NIC and its link. The numbers of NICs are given in this order, from 0.
    pub fn nic(&mut self, config: NicConfig, link: Box<dyn Link>) -> NicId {
        let id = NicId(self.nics.len() as u16);
        self.nics.push((config, link));
        id
    }

    /// Makes the handler of each worker; called once per worker. Without it, packets are counted
    /// as delivered and forgotten.
    pub fn handler<H: Handler + 'static>(
        &mut self,
        mut make: impl FnMut(WorkerId) -> H + 'static,
    ) -> &mut Self {
        self.handlers = Box::new(move |worker| Box::new(make(worker)));
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
        let in_flight = lanes.saturating_mul(per_lane);
        let pool = Pool::new(self.pool.clone().unwrap_or_else(|| PoolConfig {
            slots: PoolConfig::slots_for(in_flight, caches),
            ..PoolConfig::default()
        }))?;
        let (event_sender, events) = events(EVENTS);
        let mut assembly = Assembly {
            nics: Vec::new(),
            ports: (0..self.workers).map(|_| Vec::new()).collect(),
            distributors: Vec::new(),
            sleepers: Vec::new(),
            doorbells: Vec::new(),
        };
        for _ in 0..self.workers {
            let (bell, sleeper) = doorbell();
            assembly.doorbells.push(bell);
            assembly.sleepers.push(sleeper);
        }
        for (number, (config, link)) in self.nics.into_iter().enumerate() {
            let seed = config.seed.unwrap_or_else(random_seed);
            let nic = Nic::new(
                NicId(number as u16),
                config.name,
                seed,
                event_sender.clone(),
            );
            let queues = link.open(&pool).map_err(|error| BuildError::Link {
                nic: nic.name().to_owned(),
                error,
            })?;
            assembly.connect(&nic, queues, self.ring_capacity, self.idle.sleeps())?;
            assembly.nics.push(nic);
        }
        let placement = cores::place(
            self.workers,
            self.worker_cores.as_deref(),
            assembly.distributors.len(),
            self.distributor_cores.as_deref(),
            &cores::allowed_cores(),
        )?;
        let mut monitor = Monitor::new(assembly.nics.clone(), pool.clone());
        let distributors = assembly
            .distributors
            .into_iter()
            .zip(&placement.distributors)
            .map(|(half, core)| {
                let status = Arc::<DistributorStatus>::default();
                let (nic, (sent, sent_reader)) = (half.nic, half.sent);
                let (distributor, counters) = Distributor::new(DistributorParts {
                    nic,
                    core: *core,
                    rx: half.queues.rx,
                    tx: half.queues.tx.into_iter().next(),
                    lanes: half.lanes,
                    outgoing: half.outgoing,
                    toeplitz: Toeplitz::new(&self.rss_key),
                    indirection: indirection.clone(),
                    cache: pool.cache(),
                    when_full: self.when_full,
                    sleeper: half.sleeper,
                    rings: half.rings,
                    idle: self.idle,
                    crowded: placement.crowded,
                    events: event_sender.clone(),
                    status: Arc::clone(&status),
                    sent,
                });
                monitor.distributors.push(DistributorMonitor {
                    nic,
                    core: *core,
                    counters,
                    sent: sent_reader,
                    status,
                });
                distributor
            })
            .collect();
        let mut handlers = self.handlers;
        let workers = assembly
            .ports
            .into_iter()
            .zip(assembly.sleepers)
            .zip(&placement.workers)
            .enumerate()
            .map(|(number, ((ports, sleeper), core))| {
                let id = WorkerId(number);
                let status = Arc::<WorkerStatus>::default();
                let (worker, counters) = Worker::new(WorkerParts {
                    id,
                    core: *core,
                    ports,
                    cache: pool.cache(),
                    handler: handlers(id),
                    sleeper,
                    idle: self.idle,
                    crowded: placement.crowded,
                    events: event_sender.clone(),
                    status: Arc::clone(&status),
                });
                monitor.workers.push(WorkerMonitor {
                    id,
                    core: *core,
                    counters,
                    status,
                });
                worker
            })
            .collect();
        Ok(Engine {
            control: Control::new(assembly.nics),
            workers,
            distributors,
            doorbells: assembly.doorbells,
            monitor,
            events,
            warnings: warnings(&placement, &pool, caches),
        })
    }
}

/// The parts of an engine while its links are being connected.
struct Assembly {
    nics: Vec<Nic>,
    /// Of each worker.
    ports: Vec<Vec<Port>>,
    distributors: Vec<DistributorHalf>,
    sleepers: Vec<Sleeper>,
    doorbells: Vec<Doorbell>,
}

/// A distributor that has no core yet.
struct DistributorHalf {
    nic: NicId,
    queues: Queues,
    lanes: Vec<Lane>,
    outgoing: Vec<Consumer<Frame>>,
    sleeper: Sleeper,
    rings: bool,
    sent: (CounterWriter<NicCounter>, CounterReader<NicCounter>),
}

impl Assembly {
    /// Connects a NIC's queues to the workers: one to one if there is a receive and a transmit
    /// queue for each worker (or no transmit queue at all), otherwise through a distributor.
    fn connect(
        &mut self,
        nic: &Nic,
        mut queues: Queues,
        ring_capacity: usize,
        sleeps: bool,
    ) -> Result<(), RingError> {
        let workers = self.ports.len();
        let of_their_own = queues.rx.len() == workers
            && workers > 1
            && (queues.tx.is_empty() || queues.tx.len() == workers);
        if of_their_own {
            let mut tx = queues.tx.into_iter();
            for ((ports, bell), mut queue) in
                self.ports.iter_mut().zip(&self.doorbells).zip(queues.rx)
            {
                let rings = queue.ring_on_arrival(bell.clone());
                let outlet = tx.next().map_or(Outlet::None, Outlet::Queue);
                ports.push(Port::new(
                    Source::Queue { queue, rings },
                    nic.datapath(),
                    outlet,
                ));
            }
            return Ok(());
        }
        let (bell, sleeper) = doorbell();
        let mut rings = true;
        for queue in &mut queues.rx {
            rings &= queue.ring_on_arrival(bell.clone());
        }
        let can_send = !queues.tx.is_empty();
        let mut lanes = Vec::new();
        let mut outgoing = Vec::new();
        for (ports, worker_bell) in self.ports.iter_mut().zip(&self.doorbells) {
            let (producer, consumer): (Producer<Frame>, _) = ring(ring_capacity)?;
            lanes.push(Lane::new(producer, sleeps.then(|| worker_bell.clone())));
            let outlet = if can_send {
                let (producer, consumer) = ring(ring_capacity)?;
                outgoing.push(consumer);
                Outlet::Ring(producer, sleeps.then(|| bell.clone()))
            } else {
                Outlet::None
            };
            ports.push(Port::new(Source::Ring(consumer), nic.datapath(), outlet));
        }
        self.distributors.push(DistributorHalf {
            nic: nic.id(),
            queues,
            lanes,
            outgoing,
            sleeper,
            rings,
            sent: nic.sender_counters(),
        });
        Ok(())
    }
}

fn warnings(placement: &Placement, pool: &Pool, caches: usize) -> Vec<Warning> {
    let threads = placement.workers.len() + placement.distributors.len();
    let crowded = placement.crowded.then(|| Warning::Crowded {
        threads,
        cores: cores::allowed_cores().len(),
    });
    let (slots, enough) = (pool.config().slots, PoolConfig::slots_for(BURST, caches));
    let small = (slots < enough).then_some(Warning::SmallPool { slots, enough });
    crowded.into_iter().chain(small).collect()
}

/// A seed nobody can guess, from the standard library's source of hash seeds.
fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// The handler without which nothing was asked for: takes packets and forgets them.
struct Sink;

impl Handler for Sink {
    fn packet(&mut self, _packet: &mut Packet<'_>) {}

    fn burst(&mut self, _delivery: &mut corelane_stack::Delivery<'_>) {}
}
