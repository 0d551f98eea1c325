//! The engine on threads of its own: every idle strategy, full rings, stop and drain.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::*;
use corelane::engine::{
    BuildError, Builder, CoreError, Engine, EngineReport, Idle, NicConfig, Running, Warning,
    WhenFull, allowed_cores,
};
use corelane::frame::{Burst, PoolCache, PoolConfig};
use corelane::io::memory::{MemoryConfig, MemoryPeer, memory_link};
use corelane::stack::{Event, Handler, NicId, Packet};

struct Threads {
    running: Running,
    peer: MemoryPeer,
    cache: PoolCache,
}

fn start(queues: usize, configure: impl FnOnce(&mut Builder)) -> Threads {
    let (link, peer) = memory_link(MemoryConfig {
        queues,
        ring: 512,
        ..MemoryConfig::default()
    })
    .unwrap();
    let mut builder = Engine::builder();
    builder.pool(PoolConfig {
        slots: 8192,
        ..PoolConfig::default()
    });
    configure(&mut builder);
    let id = builder.nic(NicConfig::new("threads"), Box::new(link));
    let engine = builder.build().unwrap();
    engine
        .nic(id)
        .unwrap()
        .add_address(ip("192.0.2.1"))
        .unwrap();
    let cache = engine.pool().cache();
    Threads {
        running: engine.start().unwrap(),
        peer,
        cache,
    }
}

/// A datagram of each of many flows.
fn flows() -> Vec<Vec<u8>> {
    (0..64u16)
        .map(|n| udp("192.0.2.9", "192.0.2.1", (1000 + n, 7), &n.to_be_bytes()))
        .collect()
}

impl Threads {
    /// Sends `count` frames, waiting where there is no room; returns how many went in.
    fn send(&mut self, count: usize) -> u64 {
        let flows = flows();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut sent = 0;
        let mut burst = Burst::new();
        while sent < count {
            assert!(
                Instant::now() < deadline,
                "the engine takes nothing any more"
            );
            if burst.is_empty() {
                let n = self.cache.alloc_burst(&mut burst, 32.min(count - sent));
                for (frame, flow) in burst.iter_mut().zip(sent..sent + n) {
                    frame.set_data(&flows[flow % flows.len()]).unwrap();
                }
            }
            let queue = sent / 32 % self.peer.queues();
            let went = self.peer.send(queue, &mut burst);
            sent += went;
            if went == 0 {
                std::thread::yield_now();
            }
        }
        sent as u64
    }

    /// Waits until the workers took up this many frames: a link with a queue for each worker holds
    /// frames that no part of the engine knows of yet.
    fn wait_for(&self, received: u64) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.running.report().nics[0].totals.received < received {
            assert!(Instant::now() < deadline, "frames are taken up");
            std::thread::yield_now();
        }
    }

    /// Drains and stops; asserts that everything is accounted for and back in the pool.
    fn finish(self) -> EngineReport {
        assert!(self.running.drain(Duration::from_secs(30)), "it settles");
        let report = self.running.stop();
        drop((self.peer, self.cache));
        for nic in &report.nics {
            assert_eq!(nic.totals.balance(), 0);
        }
        assert_eq!(report.in_flight, 0);
        assert_eq!(report.pool.out, 0, "frames that nobody returned");
        report
    }
}

#[test]
fn every_idle_strategy_delivers_everything() {
    for idle in [Idle::BusyPoll, Idle::ADAPTIVE, Idle::Interrupt] {
        for (workers, queues) in [(1, 1), (2, 1), (2, 2), (3, 1)] {
            let mut t = start(queues, |b| {
                b.workers(workers)
                    .idle(idle)
                    .when_full(WhenFull::Wait)
                    .ring_capacity(128);
            });
            let sent = t.send(5_000);
            // Asleep in between, where the strategy sleeps.
            std::thread::sleep(Duration::from_millis(5));
            let sent = sent + t.send(100);
            t.wait_for(sent);
            let report = t.finish();
            let totals = &report.nics[0].totals;
            assert_eq!(
                (totals.received, totals.delivered),
                (sent, sent),
                "{idle:?} {workers}"
            );
            let by_worker: u64 = report.workers.iter().map(|w| w.packets).sum();
            assert_eq!(by_worker, sent);
            assert!(
                report.workers.iter().all(|w| w.packets > 0),
                "all workers have a share"
            );
            assert_eq!(report.distributors.len(), usize::from(queues == 1));
        }
    }
}

#[test]
fn frames_wake_a_sleeping_worker_soon() {
    // A missed bell would cost the nap of 20 ms each time.
    for queues in [1, 2] {
        let mut t = start(queues, |b| {
            b.workers(queues)
                .idle(Idle::Interrupt)
                .when_full(WhenFull::Wait);
        });
        let begin = Instant::now();
        let rounds = 200;
        let mut sent = 0;
        for _ in 0..rounds {
            t.send(1);
            sent += 1;
            t.wait_for(sent);
        }
        let each = begin.elapsed() / rounds;
        assert!(each < Duration::from_millis(15), "{each:?} per frame");
        assert_eq!(t.finish().nics[0].totals.delivered, u64::from(rounds));
    }
}

/// Takes its time.
struct Slow;

impl Handler for Slow {
    fn packet(&mut self, _packet: &mut Packet<'_>) {
        std::thread::sleep(Duration::from_micros(300));
    }
}

#[test]
fn a_full_ring_is_a_counted_drop_or_back_pressure_as_chosen() {
    for when_full in [WhenFull::Drop, WhenFull::Wait] {
        let mut t = start(1, |b| {
            b.ring_capacity(16).when_full(when_full).handler(|_| Slow);
        });
        let sent = t.send(600);
        let report = t.finish();
        let distributor = &report.distributors[0];
        let received = report.nics[0].totals.received;
        assert_eq!(distributor.taken, sent);
        assert_eq!(received + distributor.ring_full, sent);
        assert_eq!(distributor.handed_over, received);
        assert_eq!(distributor.ring_full > 0, when_full == WhenFull::Drop);
        assert_eq!(distributor.wait_polls > 0, when_full == WhenFull::Wait);
    }
}

#[test]
fn the_end_of_the_link_is_the_end_of_the_work() {
    let mut t = start(1, |b| {
        b.when_full(WhenFull::Wait);
    });
    let sent = t.send(1000);
    let Threads {
        running,
        peer,
        cache,
    } = t;
    drop((peer, cache));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !running.finished() {
        assert!(Instant::now() < deadline, "the link's end is noticed");
        std::thread::yield_now();
    }
    assert!(running.drain(Duration::from_secs(10)));
    assert_eq!(running.stop().nics[0].totals.delivered, sent);
}

#[test]
fn stopping_in_mid_traffic_loses_nothing_it_took() {
    for idle in [Idle::BusyPoll, Idle::Interrupt] {
        let mut t = start(1, |b| {
            b.workers(2)
                .idle(idle)
                .when_full(WhenFull::Wait)
                .ring_capacity(64);
        });
        t.send(3000);
        // Not drained.
        let Threads {
            running,
            peer,
            cache,
        } = t;
        let report = running.stop();
        let totals = &report.nics[0].totals;
        assert_eq!(totals.balance(), 0);
        assert_eq!(totals.received, report.distributors[0].taken);
        assert_eq!(report.in_flight, 0);
        let pool = report.pool;
        drop((peer, cache));
        // What was not taken lies in the link, whose ends are gone now.
        assert!(pool.out as u64 <= 3000 - totals.received);
    }
}

#[test]
fn dropping_a_running_engine_stops_it() {
    let t = start(1, |b| {
        b.workers(2).idle(Idle::Interrupt);
    });
    drop(t.running);
}

#[test]
fn cores_outside_the_mask_are_an_error_and_too_many_workers_a_warning() {
    let build = |configure: &dyn Fn(&mut Builder)| {
        let (link, _peer) = memory_link(MemoryConfig::default()).unwrap();
        let mut builder = Engine::builder();
        configure(&mut builder);
        builder.nic(NicConfig::new("cores"), Box::new(link));
        builder.build()
    };
    let allowed = allowed_cores();
    match build(&|b| {
        b.worker_cores(vec![4095]);
    }) {
        Err(BuildError::Core(CoreError::NotAllowed {
            core: 4095,
            allowed: listed,
        })) => {
            assert_eq!(listed, allowed);
        }
        other => panic!("{:?}", other.err()),
    }
    let workers = allowed.len() + 1;
    let engine = build(&|b| {
        b.workers(workers).idle(Idle::BusyPoll);
    })
    .unwrap();
    assert_eq!(
        engine.warnings(),
        [Warning::Crowded {
            threads: workers + 1,
            cores: allowed.len()
        }]
    );
    engine.start().unwrap().stop();
    assert!(matches!(
        build(&|b| {
            b.workers(0);
        }),
        Err(BuildError::NoWorker)
    ));
    assert!(matches!(
        build(&|b| {
            b.workers(129);
        }),
        Err(BuildError::Indirection(_))
    ));
    assert!(matches!(
        build(&|b| {
            b.ring_capacity(0);
        }),
        Err(BuildError::Ring(_))
    ));
    assert!(matches!(Engine::builder().build(), Err(BuildError::NoNic)));
}

/// Checks that each flow's numbers only grow.
struct Ordered {
    last: Vec<u64>,
    wrong: Arc<AtomicU64>,
}

impl Handler for Ordered {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let datagram = packet.udp().unwrap();
        let flow = usize::from(datagram.source_port() - 1000);
        let number = u64::from_be_bytes(*datagram.payload.first_chunk().unwrap());
        if number <= self.last[flow] {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
        self.last[flow] = number;
    }
}

#[test]
fn a_flow_keeps_its_order_across_workers() {
    let wrong = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&wrong);
    let mut t = start(1, |b| {
        b.workers(3)
            .ring_capacity(32)
            .when_full(WhenFull::Wait)
            .handler(move |_| Ordered {
                last: vec![0; 64],
                wrong: Arc::clone(&counter),
            });
    });
    let mut number = 0u64;
    let mut burst = Burst::new();
    for _ in 0..200 {
        let n = t.cache.alloc_burst(&mut burst, 48);
        for frame in burst.iter_mut().take(n) {
            number += 1;
            let flow = (number * 7 % 64) as u16;
            let bytes = udp(
                "192.0.2.9",
                "192.0.2.1",
                (1000 + flow, 7),
                &number.to_be_bytes(),
            );
            frame.set_data(&bytes).unwrap();
        }
        while !burst.is_empty() {
            if t.peer.send(0, &mut burst) == 0 {
                std::thread::yield_now();
            }
        }
    }
    assert_eq!(t.finish().nics[0].totals.delivered, number);
    assert_eq!(wrong.load(Ordering::Relaxed), 0);
}

#[test]
fn addresses_change_under_traffic_and_every_endpoint_is_closed_once() {
    let mut t = start(1, |b| {
        b.workers(2).when_full(WhenFull::Wait);
    });
    let nic = t.running.nic(NicId(0)).unwrap().clone();
    let stop = Arc::new(AtomicU64::new(0));
    let lives: u64 = std::thread::scope(|scope| {
        let changers: Vec<_> = (0..2u8)
            .map(|thread| {
                let (nic, stop) = (nic.clone(), Arc::clone(&stop));
                scope.spawn(move || {
                    let mut lives = 0;
                    let mut held = Vec::new();
                    while stop.load(Ordering::Relaxed) == 0 {
                        for n in 0..20u8 {
                            let address = std::net::IpAddr::from([10, thread, 0, n]);
                            nic.add_address(address).unwrap();
                            lives += 1;
                            if n % 3 == 0 {
                                held.push(nic.hold(address).unwrap());
                            }
                            nic.remove_address(address).unwrap();
                        }
                        // Released before the addresses come again, so that each is a new life.
                        held.clear();
                    }
                    lives
                })
            })
            .collect();
        t.send(30_000);
        stop.store(1, Ordering::Relaxed);
        changers.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert!(t.running.drain(Duration::from_secs(10)));
    let deadline = Instant::now() + Duration::from_secs(10);
    while nic.reclaim() > 0 {
        assert!(Instant::now() < deadline, "workers go on and let go");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(nic.endpoint_count(), 1, "the address that stayed");
    let events = t.running.events();
    let seen = std::iter::from_fn(|| events.try_next())
        .filter(|event| matches!(event, Event::EndpointClosed { .. }))
        .count() as u64;
    // An address that is added again while its last holder is letting go is revived: then two
    // adds are one life.
    let closed = seen + events.lost();
    assert!(
        closed <= lives && closed >= lives * 6 / 10,
        "{closed} of {lives}"
    );
    let report = t.finish();
    assert_eq!(
        report.nics[0].totals.delivered, 30_000,
        "no packet of the stable address lost"
    );
}
