//! Sockets that are bound and closed by several threads while workers deliver to them (BEHAVIOURS
//! K14, K16).
//!
//! What a round does is a function of its seed, which every failure prints; which thread is how fast
//! is the machine's. `SEED=n cargo test --test sockets_stress` runs one of them.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::*;
use corelane::engine::{Engine, Idle, Monitor, NicConfig, Running, WhenFull};
use corelane::frame::{Burst, PoolConfig};
use corelane::io::memory::{MemoryConfig, memory_link};
use corelane::stack::{
    BindError, DatagramBurst, Family, Prefix, RawBind, RawSocket, SocketQueue, Stack, UdpBind,
    UdpSocket,
};
use corelane::wire::IpProtocol;

const WORKERS: usize = 2;
const FRAMES: u64 = 12_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ word >> 31) % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What all threads of a round share.
struct Round {
    seed: u64,
    stack: Stack,
    monitor: Monitor,
    /// Whether every worker polls all the time: then its polls tell how far it is.
    is_busy: bool,
    stop: AtomicBool,
    ephemeral: Mutex<BTreeSet<u16>>,
}

/// A handle; dropping it closes the socket.
enum Handle {
    Udp(UdpSocket),
    Raw(RawSocket),
}

struct Live {
    handle: Handle,
    queues: Vec<SocketQueue>,
    is_ephemeral: bool,
}

/// What is left of one that was closed.
struct Closed {
    queues: Vec<SocketQueue>,
    is_raw: bool,
    /// How often each worker had polled.
    polls: Vec<u64>,
    /// Whether each has begun a newer burst: nothing may come any more.
    is_settled: bool,
}

/// One thread that binds, reads and closes.
struct Churner<'r> {
    round: &'r Round,
    random: Random,
    live: Vec<Live>,
    closed: Vec<Closed>,
    /// The numbers of the datagrams that were read.
    read: Vec<u64>,
    burst: DatagramBurst,
    bound: u64,
}

impl<'r> Churner<'r> {
    fn new(round: &'r Round, number: u64) -> Self {
        Self {
            round,
            random: Random(round.seed.wrapping_mul(1000) + number),
            live: Vec::new(),
            closed: Vec::new(),
            read: Vec::new(),
            burst: DatagramBurst::new(),
            bound: 0,
        }
    }

    fn run(mut self) -> (Vec<u64>, u64) {
        while !self.round.stop.load(Ordering::Relaxed) {
            match self.random.below(10) {
                0..4 => self.bind(),
                4..7 => self.close(),
                _ => self.read_some(),
            }
            if self.live.len() > 40 {
                self.close();
            }
        }
        while !self.live.is_empty() {
            self.close();
        }
        // No worker can find them any more, nor can anybody: they are gone.
        let deadline = Instant::now() + PATIENCE;
        while !self.closed.is_empty() {
            self.look_at_closed();
            assert!(
                Instant::now() < deadline,
                "seed {}: {} sockets are not freed",
                self.round.seed,
                self.closed.len()
            );
            std::thread::yield_now();
        }
        (self.read, self.bound)
    }

    fn bind(&mut self) {
        let random = &mut self.random;
        if random.chance(5) {
            let bind = RawBind::new(Family::V4, IpProtocol::UDP);
            let (handle, queues) = self.round.stack.raw_socket(bind).expect("a raw socket");
            return self.live.push(Live {
                handle: Handle::Raw(handle),
                queues,
                is_ephemeral: false,
            });
        }
        let is_ephemeral = random.chance(20);
        let port = if is_ephemeral {
            0
        } else {
            1 + random.below(6) as u16
        };
        let mut bind = UdpBind::new(port).queue(1 << random.below(8));
        if random.chance(50) {
            bind = bind.reuse();
        }
        if !is_ephemeral && random.chance(40) {
            bind = bind.local(ip(["192.0.2.1", "2001:db8::1"][random.below(2) as usize]));
        } else if !is_ephemeral && random.chance(40) {
            bind = bind.remote(SocketAddr::new(ip("192.0.2.9"), 1 + random.below(8) as u16));
        }
        match self.round.stack.udp_socket(bind) {
            Ok((socket, queues)) => {
                if is_ephemeral {
                    let mut ports = self.round.ephemeral.lock().unwrap();
                    let is_new = ports.insert(socket.port());
                    assert!(is_new, "seed {}: {socket:?} twice", self.round.seed);
                }
                self.bound += 1;
                self.live.push(Live {
                    handle: Handle::Udp(socket),
                    queues,
                    is_ephemeral,
                });
            }
            Err(BindError::PortInUse(_)) => {}
            Err(error) => panic!("seed {}: {error}", self.round.seed),
        }
    }

    fn close(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let at = self.random.below(self.live.len() as u64) as usize;
        let Live {
            handle,
            queues,
            is_ephemeral,
        } = self.live.swap_remove(at);
        let is_raw = matches!(handle, Handle::Raw(_));
        match handle {
            Handle::Udp(socket) => {
                if is_ephemeral {
                    self.round.ephemeral.lock().unwrap().remove(&socket.port());
                }
                drop(socket);
            }
            Handle::Raw(socket) => drop(socket),
        }
        self.closed.push(Closed {
            queues,
            is_raw,
            polls: self.polls(),
            is_settled: false,
        });
        self.look_at_closed();
    }

    fn polls(&self) -> Vec<u64> {
        let report = self.round.monitor.report();
        report.workers.iter().map(|worker| worker.polls).collect()
    }

    fn read_some(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let at = self.random.below(self.live.len() as u64) as usize;
        let Live { handle, queues, .. } = &mut self.live[at];
        let is_raw = matches!(handle, Handle::Raw(_));
        for queue in queues {
            take(queue, &mut self.burst, &mut self.read, is_raw);
        }
    }

    /// Reads what is left in those that were closed, and lets go of those that are gone.
    fn look_at_closed(&mut self) {
        let polls = self.polls();
        for closed in &mut self.closed {
            let mut left = 0;
            for queue in &mut closed.queues {
                left += take(queue, &mut self.burst, &mut self.read, closed.is_raw);
            }
            assert!(
                left == 0 || !closed.is_settled,
                "seed {}: {left} came after a newer burst had begun",
                self.round.seed
            );
            let has_polled = || {
                polls
                    .iter()
                    .zip(&closed.polls)
                    .all(|(now, then)| *now >= then + 4)
            };
            if self.round.is_busy && !closed.is_settled && has_polled() {
                // What came before that is read now.
                for queue in &mut closed.queues {
                    take(queue, &mut self.burst, &mut self.read, closed.is_raw);
                }
                closed.is_settled = true;
            }
        }
        self.closed.retain_mut(|closed| {
            let are_gone = closed.queues.iter().all(SocketQueue::is_closed);
            // Closed first, then empty: nothing can have come in between.
            let is_empty = closed.queues.iter_mut().all(SocketQueue::is_empty);
            !(are_gone && is_empty)
        });
    }
}

/// Reads a queue; returns how many there were.
fn take(
    queue: &mut SocketQueue,
    burst: &mut DatagramBurst,
    read: &mut Vec<u64>,
    is_raw: bool,
) -> usize {
    let mut count = 0;
    while queue.recv_burst(burst) > 0 {
        count += burst.len();
        for datagram in burst.drain(..) {
            let number = datagram.payload().try_into().map(u64::from_be_bytes);
            let number = number.expect("a whole datagram");
            if !is_raw {
                read.push(number);
            }
        }
    }
    count
}

/// Numbers of datagrams to all sockets have this bit.
const TO_ALL: u64 = 1 << 63;

fn frame(random: &mut Random, number: u64) -> Vec<u8> {
    let port = 1 + random.below(8) as u16;
    let from = 1 + random.below(8) as u16;
    if random.chance(5) {
        let number = (number | TO_ALL).to_be_bytes();
        let mut frame = udp("192.0.2.9", "255.255.255.255", (from, port), &number);
        frame[..6].fill(0xff);
        frame
    } else if random.chance(50) {
        udp(
            "192.0.2.9",
            "192.0.2.1",
            (from, port),
            &number.to_be_bytes(),
        )
    } else {
        let number = number.to_be_bytes();
        udp("2001:db8::9", "2001:db8::1", (from, port), &number)
    }
}

fn round(seed: u64) {
    let (link, mut peer) = memory_link(MemoryConfig {
        ring: 512,
        ..MemoryConfig::default()
    })
    .unwrap();
    let is_busy = seed.is_multiple_of(2);
    let mut builder = Engine::builder();
    builder
        .pool(PoolConfig {
            slots: 16_384,
            ..PoolConfig::default()
        })
        .workers(WORKERS)
        .idle(if is_busy {
            Idle::BusyPoll
        } else {
            Idle::ADAPTIVE
        })
        .when_full(WhenFull::Wait);
    let id = builder.nic(NicConfig::new("stress").seed(seed), Box::new(link));
    let engine = builder.build().unwrap();
    let nic = engine.nic(id).unwrap().clone();
    for address in ["192.0.2.1/24", "2001:db8::1/64"] {
        nic.add_address(address.parse::<Prefix>().unwrap()).unwrap();
    }
    let pool = engine.pool().clone();
    let running = engine.start().unwrap();
    let round = Round {
        seed,
        stack: nic.stack().clone(),
        monitor: running.monitor(),
        is_busy,
        stop: AtomicBool::new(false),
        ephemeral: Mutex::default(),
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let churners: Vec<_> = (0..2)
            .map(|number| {
                let round = &round;
                scope.spawn(move || Churner::new(round, number).run())
            })
            .collect();
        let mut random = Random(seed);
        let mut cache = pool.cache();
        let mut burst = Burst::new();
        let deadline = Instant::now() + PATIENCE;
        for number in 0..FRAMES {
            let bytes = frame(&mut random, number);
            let mut frame = loop {
                // Frames that wait in queues are not free.
                if let Some(frame) = cache.alloc() {
                    break frame;
                }
                assert!(
                    Instant::now() < deadline,
                    "seed {seed}: no frame comes back"
                );
                std::thread::yield_now();
            };
            frame.set_data(&bytes).unwrap();
            burst.push(frame);
            while burst.is_full() || number == FRAMES - 1 && !burst.is_empty() {
                if peer.send(0, &mut burst) == 0 {
                    assert!(Instant::now() < deadline, "seed {seed}: nothing moves");
                    std::thread::yield_now();
                }
            }
            discard(&mut peer);
        }
        settle(&running, &mut peer, seed);
        round.stop.store(true, Ordering::Relaxed);
        let results = churners
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join);
        results
            .map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let Round { stack, monitor, .. } = round;
    assert!(stack.demux().is_empty(), "seed {seed}: sockets are left");
    drop(monitor);
    let report = running.stop();
    let totals = &report.nics[0].totals;
    assert_eq!((totals.balance(), report.in_flight), (0, 0), "seed {seed}");
    assert_eq!(totals.received, FRAMES, "seed {seed}");
    // Each datagram that counts as delivered was read: once, or by all that it was for.
    let mut times: BTreeMap<u64, u64> = BTreeMap::new();
    for number in results.iter().flat_map(|(read, _)| read) {
        *times.entry(*number).or_default() += 1;
    }
    for (number, times) in &times {
        assert!(
            *times == 1 || number & TO_ALL != 0,
            "seed {seed}: {number} {times} times"
        );
    }
    assert_eq!(times.len() as u64, totals.delivered, "seed {seed}");
    assert!(
        results.iter().all(|(_, bound)| *bound > 20),
        "seed {seed}: they were at it"
    );
    assert!(totals.delivered > FRAMES / 20, "seed {seed}: {totals:?}");
    discard(&mut peer);
    drop((peer, nic, stack));
    assert_eq!(pool.out(), 0, "seed {seed}: frames that nobody returned");
}

/// Takes what the engine has sent: errors about ports that nobody has.
fn discard(peer: &mut corelane::io::memory::MemoryPeer) {
    let mut burst = Burst::new();
    while peer.recv(&mut burst) > 0 {
        burst.clear();
    }
}

fn settle(running: &Running, peer: &mut corelane::io::memory::MemoryPeer, seed: u64) {
    let deadline = Instant::now() + PATIENCE;
    while running.report().nics[0].totals.received < FRAMES {
        assert!(Instant::now() < deadline, "seed {seed}: it does not settle");
        discard(peer);
        std::thread::yield_now();
    }
    assert!(running.drain(PATIENCE), "seed {seed}: it does not settle");
}

#[test]
fn k14_k16_binding_and_closing_beside_delivery() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (0..6).collect(),
    };
    for seed in seeds {
        println!("seed {seed}");
        round(seed);
    }
}
