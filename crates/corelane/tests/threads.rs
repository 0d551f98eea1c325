//! The engine on threads of its own: every idle strategy, full rings, stop and drain.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::*;
use corelane::engine::link::{Link, LinkError, Queues, RxQueue, RxStatus};
use corelane::engine::{
    BuildError, Builder, CoreError, Engine, EngineReport, Idle, NicConfig, Running, Warning,
    WhenFull, allowed_cores,
};
use corelane::frame::{Burst, Pool, PoolCache, PoolConfig};
use corelane::io::memory::{MemoryConfig, MemoryPeer, memory_link};
use corelane::stack::{Event, Handler, NicId, Packet, Sink};

struct Threads {
    running: Running,
    peer: MemoryPeer,
    cache: PoolCache,
    /// Frames that went into the link.
    sent: u64,
}

fn start(queues: usize, configure: impl FnOnce(&mut Builder)) -> Threads {
    let (link, peer) = memory_link(MemoryConfig {
        queues,
        ring: 512,
        ..MemoryConfig::default()
    })
    .unwrap();
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
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
        sent: 0,
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
        self.sent += sent as u64;
        sent as u64
    }

    /// Waits until the engine has taken everything that was sent: it does not know of frames that
    /// are still in the link.
    fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let report = self.running.report();
            let taken: u64 = match &report.distributors[..] {
                [] => report.nics[0].totals.received,
                distributors => distributors.iter().map(|d| d.taken).sum(),
            };
            if taken >= self.sent {
                break;
            }
            assert!(Instant::now() < deadline, "frames are taken up");
            std::thread::yield_now();
        }
        assert!(self.running.drain(Duration::from_secs(30)), "it settles");
    }

    /// Drains and stops; asserts that everything is accounted for and back in the pool.
    fn finish(self) -> EngineReport {
        self.settle();
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
        for (workers, queues, alone) in [
            (1, 1, false),
            (1, 1, true),
            (2, 1, true),
            (2, 2, false),
            (3, 1, false),
        ] {
            let mut t = start(queues, |b| {
                b.workers(workers)
                    .idle(idle)
                    .run_to_completion(alone)
                    .when_full(WhenFull::Wait)
                    .ring_capacity(128);
            });
            let sent = t.send(5_000);
            // Asleep in between, where the strategy sleeps.
            std::thread::sleep(Duration::from_millis(5));
            let sent = sent + t.send(100);
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
            let themselves = queues > 1 || (alone && workers == 1);
            assert_eq!(report.distributors.len(), usize::from(!themselves));
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
        for _ in 0..rounds {
            t.send(1);
            t.settle();
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

/// Takes packets once it is let go.
struct Held(Arc<AtomicBool>);

impl Handler for Held {
    fn packet(&mut self, _packet: &mut Packet<'_>) {
        while !self.0.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_workers_have_not_done_yet_is_the_backlog() {
    let let_go = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&let_go);
    let mut t = start(1, move |b| {
        b.workers(2).when_full(WhenFull::Drop).ring_capacity(64);
        b.handler(move |_| Held(Arc::clone(&gate)));
    });
    let id = t.running.report().nics[0].id;
    let monitor = t.running.monitor();
    assert!(monitor.backlog(NicId(id.0 + 1)).is_none());
    let backlog = monitor.backlog(id).unwrap();
    assert_eq!(backlog.frames(), 0);
    let sent = t.send(400);
    let deadline = Instant::now() + Duration::from_secs(60);
    let dropped = loop {
        let distributor = &t.running.report().distributors[0];
        if distributor.handed_over + distributor.ring_full == sent {
            break distributor.ring_full;
        }
        assert!(Instant::now() < deadline, "all is taken");
        std::thread::yield_now();
    };
    // Two rings, and what the workers have in hand.
    assert!(dropped >= 400 - 2 * (64 + 64), "{dropped}");
    assert_eq!(backlog.frames(), sent - dropped);
    let_go.store(true, Ordering::Release);
    t.settle();
    assert_eq!(backlog.frames(), 0);
    t.finish();
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
        ..
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
            ..
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
        builder.handler(|_| Sink);
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

/// A link that always has frames, on as many queues as asked for.
struct Endless(usize);

impl Link for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        let rx = (0..self.0)
            .map(|_| Box::new(Endless(1)) as Box<dyn RxQueue>)
            .collect();
        Ok(Queues { rx, tx: Vec::new() })
    }
}

impl RxQueue for Endless {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        cache.alloc_burst(out, 32);
        let bytes = udp("192.0.2.9", "192.0.2.1", (1, 2), b"endless");
        for frame in out.iter_mut() {
            frame
                .set_data(&bytes)
                .map_err(|error| LinkError::new("endless", error))?;
        }
        Ok(RxStatus::Ready)
    }
}

#[test]
fn an_engine_stops_though_its_links_never_end() {
    for queues in [1, 2, 3] {
        for when_full in [WhenFull::Drop, WhenFull::Wait] {
            let mut builder = Engine::builder();
            builder.handler(|_| Sink);
            builder.workers(2).when_full(when_full).idle(Idle::BusyPoll);
            builder.nic(NicConfig::new("endless"), Box::new(Endless(queues)));
            let running = builder.build().unwrap().start().unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while running.report().nics[0].totals.received < 1000 {
                assert!(Instant::now() < deadline);
                std::thread::yield_now();
            }
            assert!(!running.finished(), "no link is at its end");
            let report = running.stop();
            assert_eq!(report.nics[0].totals.balance(), 0);
            assert_eq!((report.in_flight, report.pool.out), (0, 0));
        }
    }
}

#[test]
fn m5_every_receive_queue_has_its_turn() {
    // Three queues for two workers: one thread polls them all, and is held back by full rings.
    let (link, peer) = memory_link(MemoryConfig {
        queues: 3,
        ..MemoryConfig::default()
    })
    .unwrap();
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder
        .workers(2)
        .ring_capacity(16)
        .when_full(WhenFull::Wait);
    builder.pool(PoolConfig {
        slots: 8192,
        ..PoolConfig::default()
    });
    builder.nic(NicConfig::new("turns"), Box::new(link));
    let engine = builder.build().unwrap();
    let mut cache = engine.pool().cache();
    let mut parts = engine.into_workers();
    let (mut senders, _receivers) = peer.split();
    let mut burst = Burst::new();
    let bytes = flows();
    let mut left = [1000, 1000, 1000];
    let mut rounds = 0;
    while left.iter().any(|left| *left > 0) {
        rounds += 1;
        assert!(rounds < 10_000, "left: {left:?}");
        // The first queue is always full.
        for (sender, left) in senders.iter_mut().zip(&mut left) {
            let n = cache.alloc_burst(&mut burst, 32.min(*left));
            for (frame, bytes) in burst
                .iter_mut()
                .zip(bytes.iter().cycle().skip(rounds))
                .take(n)
            {
                frame.set_data(bytes).unwrap();
            }
            *left -= sender.send(&mut burst);
            cache.recycle_burst(&mut burst);
        }
        parts.distributors[0].poll();
        for worker in &mut parts.workers {
            worker.poll();
        }
        let taken = parts.monitor.report().distributors[0].taken;
        let fair = left.iter().max().unwrap() - left.iter().min().unwrap();
        assert!(taken < 500 || fair < 1000, "{left:?}");
    }
}

#[test]
fn a_small_pool_under_busy_polling_goes_on() {
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder
        .idle(Idle::BusyPoll)
        .when_full(WhenFull::Wait)
        .pool(PoolConfig {
            slots: 128,
            ..PoolConfig::default()
        });
    builder.nic(NicConfig::new("small"), Box::new(Endless(1)));
    let engine = builder.build().unwrap();
    assert!(
        engine
            .warnings()
            .iter()
            .any(|w| matches!(w, Warning::SmallPool { slots: 128, .. })),
        "{:?}",
        engine.warnings()
    );
    let running = engine.start().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while running.report().nics[0].totals.received < 20_000 {
        assert!(Instant::now() < deadline, "{:?}", running.report().pool);
        std::thread::yield_now();
    }
    assert!(running.drain(Duration::ZERO) || !running.finished());
    running.stop();
}

#[test]
fn a_worker_without_traffic_holds_up_nothing() {
    let (link, _peer) = memory_link(MemoryConfig::default()).unwrap();
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder.nic(NicConfig::new("quiet"), Box::new(link));
    let engine = builder.build().unwrap();
    let nic = engine.nics()[0].clone();
    let mut parts = engine.into_workers();
    parts.workers[0].poll();
    nic.add_address(ip("192.0.2.1")).unwrap();
    nic.remove_address(ip("192.0.2.1")).unwrap();
    let bytes = nic.endpoint_bytes();
    // More than it has room for at first.
    for _ in 0..20_000 {
        nic.add_address(ip("192.0.2.1")).unwrap();
        nic.remove_address(ip("192.0.2.1")).unwrap();
        parts.workers[0].poll();
    }
    assert_eq!(nic.reclaim(), 0);
    assert_eq!(nic.endpoint_bytes(), bytes);
    // Not polled any more: it has to say so.
    parts.workers[0].quiesce();
    nic.add_address(ip("192.0.2.1")).unwrap();
    nic.remove_address(ip("192.0.2.1")).unwrap();
    assert_eq!(nic.reclaim(), 0);
}

#[test]
fn limits_of_arguments_are_errors_and_not_panics() {
    let t = start(1, |_| {});
    assert!(t.running.drain(Duration::MAX));
    t.finish();
    let (link, _peer) = memory_link(MemoryConfig::default()).unwrap();
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder.ring_capacity(usize::MAX);
    builder.nic(NicConfig::new("huge"), Box::new(link));
    assert!(matches!(
        builder.build(),
        Err(BuildError::Ring(_) | BuildError::Pool(_))
    ));
}

/// What it throws panics again when dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("again");
        }
    }
}

/// Panics with a bomb, and once more when it is dropped itself.
struct Bomber;

impl Handler for Bomber {
    fn packet(&mut self, _packet: &mut Packet<'_>) {
        std::panic::panic_any(Bomb);
    }
}

impl Drop for Bomber {
    fn drop(&mut self) {
        panic!("even at the end");
    }
}

#[test]
fn the_worst_handler_costs_its_packets_only() {
    let mut t = start(1, |b| {
        b.when_full(WhenFull::Wait).handler(|_| Bomber);
    });
    t.send(10);
    let events = t.running.events().clone();
    let report = t.finish();
    assert_eq!(report.nics[0].totals.received, 10);
    assert_eq!(report.workers[0].handler_panics, 10);
    let last = std::iter::from_fn(|| events.try_next()).last();
    assert_eq!(
        last,
        Some(Event::HandlerPanicked {
            worker: 0,
            message: "even at the end".to_owned()
        }),
        "events can be read after the end"
    );
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
            let went = t.peer.send(0, &mut burst);
            t.sent += went as u64;
            if went == 0 {
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
