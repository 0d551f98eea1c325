//! An engine that runs under a generator.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corelane::engine::link::Link;
use corelane::engine::{Engine, EngineReport, Idle, NicConfig, Running, WhenFull, allowed_cores};
use corelane::frame::{LINE, PoolConfig};
use corelane::stack::{Event, Forwarding, Nic, NicId, NicTotals};
use serde_json::{Value, json};

use super::watch::{Watch, Watched, until_the_end};
use super::{Failure, Measured};
use crate::cli::{EngineArgs, LoadArgs};
use crate::clock::Clock;
use crate::generator::{DrainLink, GeneratorHandle, Pace, Room, Window};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::sink::{Ends, Sinks};
use crate::sockets::{QUEUE, SocketReader, Sockets};
use crate::threads::{Group, Threads};
use crate::unit::Check;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Worker threads.
    pub workers: usize,
    /// Their cores, if said.
    pub cores: Option<Vec<usize>>,
    /// Frames in a ring, a power of two.
    pub ring: usize,
    /// Slots of the pool.
    pub pool_slots: usize,
    /// Whether nobody said how many: they follow from workers, rings and sockets.
    pub has_derived_pool: bool,
    /// What a full ring means: back-pressure or drops.
    pub when_full: WhenFull,
    /// Whether the NIC takes packets for any address.
    pub promiscuous: bool,
    /// Whether handlers measure latency.
    pub latency: bool,
    /// Whether the latencies of each interval are kept.
    pub log: bool,
    /// What is checked of each frame.
    pub check: Check,
    /// Streams of a profile, which are counted apart; 0 without one.
    pub streams: usize,
    /// Whether there is a second NIC that the first one forwards to.
    pub forward: bool,
    /// The seed of the endpoint table's hash.
    pub seed: u64,
}

impl Setting {
    /// The one that the options ask for.
    pub fn new(args: &EngineArgs, when_full: WhenFull, seed: u64) -> Self {
        let cores = args.cores.as_ref().map(|list| list.cores().to_vec());
        // The generator keeps a core of its own if there is more than one.
        let default_workers = match &cores {
            Some(cores) => cores.len(),
            None => allowed_cores().len().saturating_sub(1).max(1),
        };
        let workers = args.workers.unwrap_or(default_workers);
        let ring = args.ring.next_power_of_two();
        // What a worker can have before and behind it: its ring, replies on their way back as many,
        // a burst in hand at each end and one waiting for company.
        let in_flight = workers * (2 * ring + 4 * corelane::frame::BURST) + corelane::frame::BURST;
        let enough = PoolConfig::slots_for(in_flight, workers + 1);
        Self {
            workers,
            cores,
            ring,
            pool_slots: args.pool_slots.unwrap_or(enough),
            has_derived_pool: args.pool_slots.is_none(),
            when_full,
            promiscuous: args.promiscuous,
            latency: args.measures_latency(),
            log: args.hlog.is_some(),
            check: Check::Off,
            streams: 0,
            forward: false,
            seed,
        }
    }

    /// The one for a synthetic load: with a second NIC to forward to, or with room for what waits in
    /// sockets.
    pub fn of_load(engine: &EngineArgs, load: &LoadArgs) -> Self {
        let setting = Self {
            check: load.check,
            ..Self::new(engine, WhenFull::Drop, load.seed)
        };
        match load.sockets {
            Some(sockets) => setting.with_sockets(sockets),
            None => Self {
                forward: load.forward,
                ..setting
            },
        }
    }

    /// As it is, with room for what waits in so many sockets, and for who reads them.
    fn with_sockets(mut self, sockets: u32) -> Self {
        // More than this, nobody lets wait who reads at all.
        let waiting = (sockets as usize * self.workers * QUEUE).min(1 << 15);
        if self.has_derived_pool {
            self.pool_slots += PoolConfig::slots_for(waiting, 1);
        }
        self
    }

    /// What was decided, by the names of the options.
    pub fn flags(&self) -> BTreeMap<&'static str, Value> {
        BTreeMap::from([
            ("workers", json!(self.workers)),
            ("cores", json!(self.cores)),
            ("ring", json!(self.ring)),
            ("pool_slots", json!(self.pool_slots)),
            ("promiscuous", json!(self.promiscuous)),
            ("latency", json!(self.latency)),
            ("check", json!(self.check.to_string())),
        ])
    }

    /// Those of the [`flags`](Self::flags) that nobody said and that follow from others.
    pub fn derived(&self) -> Vec<&'static str> {
        self.has_derived_pool
            .then_some("pool_slots")
            .into_iter()
            .collect()
    }

    /// Frames that all rings together hold.
    pub fn room(&self) -> u64 {
        (self.workers * self.ring) as u64
    }

    /// In a few words, for people.
    pub fn describe(&self) -> String {
        let plural = if self.workers == 1 { "" } else { "s" };
        format!("{} worker{plural}, rings of {}", self.workers, self.ring)
    }

    /// A pool whose slots have room for frames of `longest` bytes.
    fn pool(&self, longest: usize) -> PoolConfig {
        let default = PoolConfig::default();
        let needed = (default.headroom + longest).next_multiple_of(LINE);
        PoolConfig {
            slots: self.pool_slots,
            slot_size: default.slot_size.max(needed),
            ..default
        }
    }
}

/// The NICs of a run.
pub struct Nics {
    /// The generator's.
    pub ingress: Nic,
    /// The one that packets leave by, if they are forwarded.
    pub egress: Option<Nic>,
}

/// An engine that runs, its generator, and what counts.
pub struct Session {
    running: Running,
    nics: Nics,
    generator: GeneratorHandle,
    /// In the ring of one worker, at least half of it left for what comes in time: so none runs over, whatever worker
    /// the frames are for.
    room: Room,
    handlers: Sinks,
    /// What counts at the peer of the second NIC.
    peers: Sinks,
    sockets: Option<SocketReader>,
    /// Whether the histogram of each interval is kept.
    log: bool,
    /// Streams that are counted apart; 0 if they are not.
    streams: usize,
    warnings: Vec<String>,
}

/// What is known when an engine has stopped.
pub struct Outcome {
    /// The last counters.
    pub last: EngineReport,
    /// What may make the result mean less.
    pub warnings: Vec<String>,
}

/// How long frames have to get through the engine after the generator stopped.
const DRAIN: Duration = Duration::from_secs(10);

/// Frames on their way that keep workers busy: of those that can wait for room, no more go at once.
const KEEPS_BUSY: u64 = 1024;

/// How long a count may take to be seen by another thread, by far.
const VISIBLE: Duration = Duration::from_millis(100);

impl Session {
    /// Builds and starts an engine on a generator's link, or on what stands between the two; the
    /// generator holds. `clock` is the one of the link. What sockets `set_up` returns are read from here
    /// on.
    ///
    /// # Errors
    /// The engine cannot be built or started.
    pub fn start(
        setting: &Setting,
        (link, generator): (Box<dyn Link>, GeneratorHandle),
        longest: usize,
        clock: Clock,
        set_up: impl FnOnce(&Nics) -> Result<Option<Sockets>, Failure>,
    ) -> Result<Self, Failure> {
        let ends = Ends {
            clock,
            latency: setting.latency,
            check: setting.check,
            streams: setting.streams,
        };
        let handlers = Sinks::new(ends);
        let peers = Sinks::new(ends);
        let mut builder = Engine::builder();
        builder
            .workers(setting.workers)
            .ring_capacity(setting.ring)
            .pool(setting.pool(longest))
            .idle(Idle::BusyPoll)
            .when_full(setting.when_full);
        if let Some(cores) = &setting.cores {
            builder.worker_cores(cores.clone());
        }
        let mut config = NicConfig::new("generator").seed(setting.seed);
        if setting.forward {
            config = config.forwarding(Forwarding::ON);
        }
        let ingress = builder.nic(config, link);
        let egress = setting.forward.then(|| {
            let maker = peers.maker();
            let recorders = (0..setting.workers).map(|worker| maker.recorder(worker));
            let link = DrainLink::recorded(longest, recorders);
            let config = NicConfig::new("egress").seed(setting.seed.wrapping_add(1));
            builder.nic(config, Box::new(link))
        });
        let maker = handlers.maker();
        builder.handler(move |worker| maker.handler(worker.0));
        let engine = builder.build()?;
        let warnings = engine.warnings().iter().map(ToString::to_string).collect();
        let nic = |id: NicId| {
            let missing = || Failure::Run(format!("the engine has no NIC {id}"));
            engine.nic(id).ok_or_else(missing)
        };
        let nics = Nics {
            ingress: nic(ingress)?,
            egress: egress.map(nic).transpose()?,
        };
        let sockets = set_up(&nics)?;
        if setting.promiscuous {
            nics.ingress
                .set_promiscuous(true)
                .map_err(|error| Failure::Run(error.to_string()))?;
        }
        let reader = sockets.map(|sockets| sockets.read(engine.pool().cache()));
        let sockets = reader
            .transpose()
            .map_err(|error| Failure::Run(format!("no thread that reads the sockets: {error}")))?;
        let running = engine.start()?;
        let backlog = running.monitor().backlog(ingress);
        let backlog = backlog.ok_or_else(|| Failure::Run("the link is not open".to_owned()))?;
        let most = (setting.ring as u64 / 2).min(KEEPS_BUSY);
        let room = Room::new(most, move || backlog.frames());
        Ok(Self {
            running,
            nics,
            generator,
            room,
            handlers,
            peers,
            sockets,
            log: setting.log,
            streams: setting.streams,
            warnings,
        })
    }

    /// The NICs.
    pub fn nics(&self) -> &Nics {
        &self.nics
    }

    /// Where there is room for frames that can wait.
    pub fn room(&self) -> Room {
        self.room.clone()
    }

    /// Runs a window from start to the last frame's end, and says what was counted in it.
    ///
    /// # Errors
    /// The generator's link failed, or the window does not end.
    pub fn window(
        &mut self,
        window: Window,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Measured, Failure> {
        let before = self.settle();
        self.handlers.start_window();
        self.peers.start_window();
        if let Some(sockets) = &mut self.sockets {
            sockets.start_window();
        }
        let at_max = matches!(window.pace, Pace::Max);
        let duration = window.duration;
        let watched = Watched {
            running: &self.running,
            generator: &self.generator,
            handlers: &self.handlers,
            peers: &self.peers,
            sockets: self.sockets.as_ref(),
        };
        let mut watch = Watch::start(&watched, self.log);
        let threads = Threads::now();
        self.generator.run(window);
        let failed = || self.link_failure();
        let totals = until_the_end(
            &self.generator,
            duration,
            &mut watch,
            progress,
            interrupt,
            failed,
        )?;
        let waited = Threads::now().waited_since(&threads, Group::Worker);
        let after = self.settle();
        let intervals = watch.finish(progress);
        Ok(Measured {
            at_max,
            totals,
            before,
            after,
            handled: self.handlers.handled(),
            sockets: self.sockets.as_ref().map(SocketReader::counted),
            taken: self.peers.handled(),
            intervals,
            waited,
            streams: if self.streams > 0 {
                self.generator.streams()
            } else {
                Vec::new()
            },
        })
    }

    /// Waits until nothing is in flight, and all has reached who takes it, and says what was counted.
    fn settle(&self) -> EngineReport {
        self.running.drain(DRAIN);
        let report = self.sent_on();
        let delivered = report.nics.iter().map(|nic| nic.totals.delivered).sum();
        let sent = report.nics.get(1).map_or(0, |egress| egress.totals.sent);
        let taken = || {
            let read = self.sockets.as_ref().map_or(0, SocketReader::read_so_far);
            self.handlers.packets() + read >= delivered && self.peers.packets() >= sent
        };
        // Datagrams wait for who reads them; and the NIC's counts may be seen before those of who takes the packets.
        // What is missing after that, the accounting shows.
        let patience = self.sockets.as_ref().map_or(VISIBLE, |_| DRAIN);
        let start = Instant::now();
        while !taken() && start.elapsed() < patience {
            std::thread::sleep(Duration::from_micros(100));
        }
        report
    }

    /// Waits until what was forwarded is sent: a worker counts a burst as forwarded before it sends it.
    fn sent_on(&self) -> EngineReport {
        let start = Instant::now();
        loop {
            let report = self.running.report();
            let is_sent = match &report.nics[..] {
                [ingress, egress] => {
                    let NicTotals {
                        sent, send_dropped, ..
                    } = egress.totals;
                    ingress.totals.forwarded <= sent + send_dropped
                }
                _ => true,
            };
            // What is missing after that, the accounting shows.
            if is_sent || start.elapsed() > DRAIN {
                return report;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn link_failure(&self) -> Option<Failure> {
        while let Some(event) = self.running.events().try_next() {
            if let Event::LinkFailed { error, .. } = event {
                return Some(Failure::Run(error));
            }
        }
        None
    }

    /// Ends the generator and stops the engine.
    pub fn finish(self) -> Outcome {
        let Self {
            running,
            nics,
            generator,
            sockets,
            warnings,
            ..
        } = self;
        generator.finish();
        if let Some(sockets) = sockets {
            sockets.finish();
        }
        let last = running.stop();
        drop(nics);
        Outcome { last, warnings }
    }
}
