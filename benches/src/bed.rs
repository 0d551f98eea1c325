//! An engine taken apart: its distributor and its worker, to be fed and polled by hand.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corelane::engine::{Distributor, Engine, Idle, Monitor, NicConfig, Polled, WhenFull, Worker};
use corelane::frame::{Pool, PoolCache, PoolConfig};
use corelane::stack::{
    Clock, DatagramBurst, Forwarding, Handler, LinkInfo, Nic, NicId, NicParts, NicTotals, Packet,
    PacketEndpointConfig, PacketProtocol, PacketQueue, SocketQueue, Stack, StackConfig, StackParts,
    UdpBind, UdpSocket, events,
};
use corelane_tools::generator::{DrainLink, RoutePlan, stream};
use corelane_tools::unit::Family;

use crate::bare::Return;
use crate::harness::{Budget, Sample, Stop, beside, in_rounds, in_windows};
use crate::random::Random;
use crate::traffic::{Allowance, Draw, Feed, FeedLink, Frames, PORT, Population};

/// What an engine under test is to be like.
#[derive(Clone, Copy, Debug)]
pub struct BedConfig {
    /// The addresses of its NIC.
    pub population: Population,
    /// Whether the traffic goes to them; otherwise to nobody's.
    pub hit: bool,
    /// Whether the NIC takes packets for every address.
    pub promiscuous: bool,
    /// Frames of the ring between distributor and worker.
    pub ring: usize,
    /// Frames laid out before; 0: each is drawn when it is sent.
    pub laid_out: usize,
    /// Whether the frames come with an RSS hash; otherwise the distributor computes it.
    pub hashed: bool,
    /// What takes the packets.
    pub receiver: Receiver,
}

/// What takes packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A handler.
    Handler,
    /// A UDP socket for each address of the population, bound to it.
    Sockets,
}

impl BedConfig {
    /// Traffic to the addresses of `population`, for a worker alone: a ring of 1,024 frames,
    /// filled while nothing is measured.
    pub const fn alone(population: Population) -> Self {
        Self {
            population,
            hit: true,
            promiscuous: false,
            ring: 1024,
            laid_out: 0,
            hashed: true,
            receiver: Receiver::Handler,
        }
    }

    /// Where its frames go: for a rival to get the same.
    pub const fn draw(&self) -> Draw {
        Draw {
            population: self.population,
            hit: self.hit,
            random: Random::new(0x7_1e57),
        }
    }
}

/// Datagrams that a socket's queue holds: with as many sockets as the ring has frames, far more than
/// come in a round.
pub const QUEUE: usize = 16;

/// The pool of every bench that has one: what the ring holds, two bursts on their way, and what
/// two caches can keep to themselves. Its frames' lines stay in the second-level cache.
pub fn pool_for(ring: usize) -> PoolConfig {
    PoolConfig {
        slots: PoolConfig::slots_for(ring + 256, 2),
        ..PoolConfig::default()
    }
}

/// Takes packets one by one, as a user's handler does, and adds up their lengths.
#[derive(Default)]
struct Adds {
    bytes: u64,
}

impl Handler for Adds {
    #[inline]
    fn packet(&mut self, packet: &mut Packet<'_>) {
        self.bytes += packet.len() as u64;
    }
}

/// A socket at an address, and the port that all frames go to.
///
/// # Panics
/// If it cannot be made.
pub fn socket(stack: &Stack, address: IpAddr) -> (UdpSocket, SocketQueue) {
    let bind = UdpBind::new(PORT).local(address).queue(QUEUE);
    let (socket, mut queues) = stack.udp_socket(bind).expect("a socket");
    (socket, queues.pop().expect("a queue for the worker"))
}

/// A NIC with the addresses of `population`, and a stack of its own: without an engine.
///
/// # Panics
/// If it cannot be made.
pub fn bare_nic(population: Population, id: NicId) -> Nic {
    let (sender, _) = events(16);
    let pool = Pool::new(PoolConfig {
        slots: 64,
        ..PoolConfig::default()
    });
    let stack = Stack::new(StackParts {
        config: StackConfig::default(),
        workers: 1,
        clock: Clock::system(),
        events: sender,
        pool: pool.expect("a pool"),
    })
    .expect("a stack");
    let nic = Nic::new(NicParts {
        id,
        config: NicConfig::new("bench").seed(1),
        link: LinkInfo {
            mac: None,
            mtu: 1500,
            is_loopback: false,
        },
        stack,
    });
    nic.enable().expect("a NIC");
    nic.transaction(|tx| {
        for address in population.addresses() {
            tx.add_address(address).expect("an address");
        }
    })
    .expect("a NIC");
    nic
}

/// What an engine that forwards is to be like: 64-byte frames from one NIC to another.
#[derive(Clone, Debug)]
pub struct ForwardConfig {
    /// Its routes, and its neighbors, whose link addresses it knows.
    pub plan: Arc<RoutePlan>,
    /// Frames of the ring between distributor and worker.
    pub ring: usize,
    /// Destinations drawn before, and sent to round and round: at least one.
    ///
    /// Drawing one reads the whole plan, which throws out of the cache what a router has there. So would frames that
    /// were laid out before: a router's come into the few slots of its ring.
    pub drawn: usize,
    /// Whether the frames come with an RSS hash.
    pub hashed: bool,
}

impl ForwardConfig {
    /// So many routes of both families to `neighbors` neighbors, and destinations `drawn` before, for a worker
    /// alone, as [`BedConfig::alone`].
    pub fn alone(routes: u32, neighbors: u32, drawn: usize) -> Self {
        Self {
            plan: Arc::new(RoutePlan::draw(Family::Mixed, routes, neighbors, 1)),
            ring: 1024,
            drawn,
            hashed: true,
        }
    }

    /// Frames to random destinations of random routes.
    pub fn frames(&self) -> Frames {
        let plan = Arc::clone(&self.plan);
        let mut random = stream(0x7_1e57, "destinations");
        let mut picks = Random::new(0x7_1e57);
        let mut draw = move || plan.destination(picks.below(plan.len()), &mut random);
        let drawn: Vec<IpAddr> = (0..self.drawn).map(|_| draw()).collect();
        let mut next = 0;
        Frames::To(Box::new(move || {
            let destination = drawn[next];
            next = (next + 1) % drawn.len();
            destination
        }))
    }
}

/// The engine under test.
pub struct Bed {
    /// Its NIC, the first one if it forwards.
    pub nic: Nic,
    /// Its one worker.
    pub worker: Worker,
    /// The distributor of its NIC.
    pub distributor: Distributor,
    monitor: Monitor,
    allowance: Allowance,
    ring: usize,
    sockets: Vec<(UdpSocket, SocketQueue)>,
    /// Of whoever reads the sockets.
    cache: PoolCache,
}

impl Bed {
    /// Makes it, addresses and all.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new(config: BedConfig) -> Self {
        let population = config.population;
        let draw = config.draw();
        let frames = match config.laid_out {
            0 => Frames::Drawn(draw),
            count => Frames::lay_out(draw, count),
        };
        let allowance = Allowance::default();
        let feed = Feed {
            frames,
            allowance: allowance.clone(),
            hashed: config.hashed,
        };
        let mut pool = pool_for(config.ring);
        if config.receiver == Receiver::Sockets {
            // Whoever reads them has a cache too.
            pool.slots = PoolConfig::slots_for(config.ring + 256, 3);
        }
        Self::with(feed, config.ring, pool, None, |nic, _| {
            nic.transaction(|tx| {
                for address in population.addresses() {
                    tx.add_address(address).expect("an address");
                }
                tx.set_promiscuous(config.promiscuous);
            })
            .expect("a NIC");
            match config.receiver {
                Receiver::Handler => Vec::new(),
                Receiver::Sockets => population
                    .addresses()
                    .map(|address| socket(nic.stack(), address))
                    .collect(),
            }
        })
    }

    /// Makes one that forwards.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn forwarding(config: &ForwardConfig) -> Self {
        let allowance = Allowance::default();
        let feed = Feed {
            frames: config.frames(),
            allowance: allowance.clone(),
            hashed: config.hashed,
        };
        let out = NicConfig::new("out").seed(2);
        Self::with(
            feed,
            config.ring,
            pool_for(config.ring),
            Some(out),
            |nic, out| {
                let out = out.expect("the second NIC");
                for address in ["198.18.255.1", "2001:db8:ffff::1"] {
                    let address: IpAddr = address.parse().expect("an address");
                    nic.add_address(address).expect("an address");
                }
                config.plan.install(out).expect("routes");
                Vec::new()
            },
        )
    }

    /// An engine on this feed; if there is a second NIC, the first one forwards to it. `set_up` returns
    /// the sockets.
    fn with(
        feed: Feed,
        ring: usize,
        pool: PoolConfig,
        out: Option<NicConfig>,
        set_up: impl FnOnce(&Nic, Option<&Nic>) -> Vec<(UdpSocket, SocketQueue)>,
    ) -> Self {
        let allowance = feed.allowance.clone();
        let mut builder = Engine::builder();
        builder
            .pool(pool)
            .ring_capacity(ring)
            .idle(Idle::BusyPoll)
            .when_full(WhenFull::Wait)
            .handler(|_| Adds::default());
        let mut config = NicConfig::new("bench").seed(1);
        if out.is_some() {
            config = config.forwarding(Forwarding::ON);
        }
        let id = builder.nic(config, Box::new(FeedLink::from(feed)));
        let out = out.map(|config| builder.nic(config, Box::new(DrainLink::new(1))));
        let engine = builder.build().expect("an engine");
        let nic = engine.nic(id).expect("its NIC").clone();
        let out = out.map(|id| engine.nic(id).expect("its second NIC"));
        let sockets = set_up(&nic, out.as_ref());
        let cache = engine.pool().cache();
        let mut parts = engine.into_workers();
        Self {
            sockets,
            cache,
            nic,
            worker: parts.workers.pop().expect("one worker"),
            distributor: parts.distributors.pop().expect("one distributor"),
            monitor: parts.monitor,
            allowance,
            ring,
        }
    }

    /// Registers a packet endpoint with the (first) NIC; returns its queues.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn show(&self, protocol: PacketProtocol, config: PacketEndpointConfig) -> Vec<PacketQueue> {
        let stack = self.nic.stack();
        let (endpoint, queues) = stack.packet_endpoint(config).expect("a packet endpoint");
        let registered = self.nic.register_packet_endpoint(protocol, &endpoint);
        registered.expect("a NIC");
        queues
    }

    /// What the NIC counted.
    ///
    /// # Panics
    /// If it did not account for every frame: with nothing in flight that is an error.
    pub fn totals(&self) -> NicTotals {
        let report = self.monitor.report();
        let totals = report.nics[0].totals.clone();
        assert_eq!(totals.balance(), 0, "{totals:?}");
        let sent = report
            .nics
            .get(1)
            .map_or(0, |out| out.totals.sent + out.totals.send_dropped);
        assert_eq!(totals.forwarded, sent);
        totals
    }

    /// Fills the ring.
    fn fill(&mut self) {
        self.allowance.set(self.ring as u64);
        while self.distributor.poll() != Polled::Idle {}
    }

    /// Polls the worker until the ring is empty.
    #[inline]
    fn drain(&mut self) -> u64 {
        let mut frames = 0;
        loop {
            match self.worker.poll() {
                0 => return frames,
                n => frames += n as u64,
            }
        }
    }

    /// One round of the worker alone: fills the ring, and then takes the time it needs to empty
    /// it.
    pub fn round(&mut self) -> (u64, Duration) {
        self.fill();
        let start = Instant::now();
        let frames = self.drain();
        let time = start.elapsed();
        assert_eq!(frames, self.ring as u64);
        (frames, time)
    }

    /// Reads the queues of all sockets, as an embedder would in between, on the same thread; returns how
    /// many datagrams there were.
    pub fn read(&mut self) -> u64 {
        let mut datagrams = DatagramBurst::new();
        let mut read = 0;
        for (_, queue) in &mut self.sockets {
            while queue.recv_burst(&mut datagrams) > 0 {
                read += datagrams.len() as u64;
                for datagram in datagrams.drain(..) {
                    self.cache.recycle(datagram.into_frame());
                }
            }
        }
        read
    }

    /// As [`round`](Self::round), with the queues of the sockets read: within the time, or afterwards.
    pub fn socket_round(&mut self, read: Return) -> (u64, Duration) {
        self.fill();
        let start = Instant::now();
        let frames = self.drain();
        let mut time = start.elapsed();
        let datagrams = self.read();
        if read == Return::Measured {
            time = start.elapsed();
        }
        assert_eq!((frames, datagrams), (self.ring as u64, self.ring as u64));
        (frames, time)
    }

    /// A sample of delivery to sockets.
    pub fn sample_sockets(&mut self, budget: Budget, read: Return) -> Sample {
        let before = self.totals();
        let sample = in_rounds(budget, || self.socket_round(read));
        let done = self.totals().since(&before);
        assert!(done.received >= sample.operations);
        assert_eq!(done.delivered, done.received, "{done:?}");
        sample
    }

    /// A sample of the worker alone. Asserts that every packet came to what `expect` takes out of
    /// the totals.
    pub fn sample_alone(&mut self, budget: Budget, expect: fn(&NicTotals) -> u64) -> Sample {
        let before = self.totals();
        let sample = in_rounds(budget, || self.round());
        let done = self.totals().since(&before);
        assert!(done.received >= sample.operations);
        assert_eq!(expect(&done), done.received, "{done:?}");
        sample
    }

    /// A sample of distributor and worker on two cores: the worker's rate while the distributor
    /// sends what it can.
    pub fn sample_handover(&mut self, budget: Budget) -> Sample {
        let before = self.totals();
        self.allowance.set(Allowance::UNLIMITED);
        let Self {
            distributor,
            worker,
            ..
        } = self;
        let send = |stop: &mut Stop<'_>| {
            while !stop.requested() {
                distributor.poll();
            }
        };
        let (_, sample) = beside(send, || in_windows(budget, || worker.poll() as u64));
        // What is left, so that the next sample begins as this one did.
        self.allowance.set(0);
        loop {
            let polled = self.distributor.poll();
            if self.drain() == 0 && polled == Polled::Idle {
                break;
            }
        }
        let done = self.totals().since(&before);
        assert!(done.received >= sample.operations);
        assert_eq!(done.delivered, done.received, "{done:?}");
        sample
    }
}
