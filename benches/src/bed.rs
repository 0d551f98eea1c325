//! An engine taken apart: its distributor and its worker, to be fed and polled by hand.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use corelane::engine::{Distributor, Engine, Idle, Monitor, NicConfig, Polled, WhenFull, Worker};
use corelane::frame::{PoolCache, PoolConfig};
use corelane::stack::{
    DatagramBurst, Handler, Nic, NicTotals, Packet, SocketQueue, Stack, UdpBind, UdpSocket,
};

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
}

/// Datagrams that a socket's queue holds: with as many sockets as the ring has frames, far more than
/// come in a round.
const QUEUE: usize = 16;

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
fn socket(stack: &Stack, address: IpAddr) -> (UdpSocket, SocketQueue) {
    let bind = UdpBind::new(PORT).local(address).queue(QUEUE);
    let (socket, mut queues) = stack.udp_socket(bind).expect("a socket");
    (socket, queues.pop().expect("a queue for the worker"))
}

/// The engine under test.
pub struct Bed {
    /// Its NIC.
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
        let BedConfig {
            population, hit, ..
        } = config;
        let draw = Draw {
            population,
            hit,
            random: Random::new(0x7_1e57),
        };
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
        let mut builder = Engine::builder();
        builder
            .pool(pool)
            .ring_capacity(config.ring)
            .idle(Idle::BusyPoll)
            .when_full(WhenFull::Wait)
            .handler(|_| Adds::default());
        let id = builder.nic(
            NicConfig::new("bench").seed(1),
            Box::new(FeedLink::from(feed)),
        );
        let engine = builder.build().expect("an engine");
        let nic = engine.nic(id).expect("its NIC").clone();
        nic.transaction(|tx| {
            for address in population.addresses() {
                tx.add_address(address).expect("an address");
            }
            tx.set_promiscuous(config.promiscuous);
        })
        .expect("a NIC");
        let sockets = match config.receiver {
            Receiver::Handler => Vec::new(),
            Receiver::Sockets => population
                .addresses()
                .map(|address| socket(nic.stack(), address))
                .collect(),
        };
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
            ring: config.ring,
        }
    }

    /// What the NIC counted.
    ///
    /// # Panics
    /// If it did not account for every frame: with nothing in flight that is an error.
    pub fn totals(&self) -> NicTotals {
        let report = self.monitor.report();
        let totals = report.nics[0].totals.clone();
        assert_eq!(totals.balance(), 0, "{totals:?}");
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
