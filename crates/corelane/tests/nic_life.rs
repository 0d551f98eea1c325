//! NICs that come and go while the engine runs (BEHAVIOURS M), what goes to the control plane and
//! what comes from it.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::*;
use corelane::engine::trace::{Outcome, Step, Tracer};
use corelane::engine::{
    Actor, CreateNicError, EnableNicError, Engine, Idle, Lifecycle, NicConfig, Parts, Polled,
    Running, WhenFull,
};
use corelane::frame::{Burst, Frame, Pool, PoolCache, PoolConfig};
use corelane::io::loopback::{LoopbackConfig, loopback_link};
use corelane::io::memory::{MemoryConfig, MemoryLink, MemoryPeer, memory_link};
use corelane::stack::{
    AddAddressError, AddressKind, Clock, DropReason, Event, Events, IgmpVersion, NdpConfig, Nic,
    NicId, Protocols, SendError, Sink, Time,
};
use corelane::wire::igmp::{ALL_SYSTEMS, IgmpQuerySpec, IgmpQueryVersion, build_igmp_query};
use corelane::wire::ndp::{SolicitationSpec, build_neighbor_solicitation};
use corelane::wire::{MacAddr, NdpMessage, parse_ethernet, parse_ipv6, parse_ndp};

const LONG: Duration = Duration::from_secs(30);

fn link(queues: usize) -> (Box<MemoryLink>, MemoryPeer) {
    let (link, peer) = memory_link(MemoryConfig {
        queues,
        ring: 512,
        ..MemoryConfig::default()
    })
    .unwrap();
    (Box::new(link), peer)
}

/// A running engine with one NIC that nothing is sent to.
fn running(workers: usize, idle: Idle) -> (Running, Pool, MemoryPeer) {
    let (link, peer) = link(1);
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder
        .workers(workers)
        .idle(idle)
        .when_full(WhenFull::Wait)
        .pool(PoolConfig {
            slots: 8192,
            ..PoolConfig::default()
        });
    builder.nic(NicConfig::new("first"), link);
    let engine = builder.build().unwrap();
    let pool = engine.pool().clone();
    (engine.start().unwrap(), pool, peer)
}

fn datagram() -> Vec<u8> {
    udp("192.0.2.9", "192.0.2.1", (1000, 7), b"hello")
}

/// Sends datagrams, waiting where there is no room.
fn send(peer: &mut MemoryPeer, cache: &mut PoolCache, count: usize) {
    let deadline = Instant::now() + LONG;
    let bytes = datagram();
    let mut burst = Burst::new();
    let mut sent = 0;
    while sent < count {
        if burst.is_empty() {
            cache.alloc_burst(&mut burst, 32.min(count - sent));
            for frame in &mut burst {
                frame.set_data(&bytes).unwrap();
            }
        }
        for queue in 0..peer.queues() {
            sent += peer.send(queue, &mut burst);
        }
        assert!(Instant::now() < deadline, "{sent} of {count} taken");
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// Waits for the event, whatever else comes before it.
fn wait_for(events: &Events, event: &Event) {
    let deadline = Instant::now() + LONG;
    while events.next_within(Duration::from_millis(100)).as_ref() != Some(event) {
        assert!(Instant::now() < deadline, "{event:?}");
    }
}

fn no_frame_is_out(pool: &Pool) {
    let deadline = Instant::now() + LONG;
    while pool.out() > 0 {
        assert!(Instant::now() < deadline, "not back: {:?}", pool.stats());
        std::thread::yield_now();
    }
}

#[test]
fn m3_a_nic_created_disabled_opens_its_link_when_it_is_enabled() {
    let mut bench = Bench::new(|_| {});
    let (link, mut peer) = link(1);
    let lifecycle = bench.parts.lifecycle.clone();
    let nic = lifecycle
        .create_nic(NicConfig::new("later").disabled(), link)
        .unwrap();
    assert!(!nic.is_enabled());
    nic.add_address(ip("192.0.2.1")).unwrap();
    send(&mut peer, &mut bench.cache, 3);
    bench.poll();
    assert_eq!(nic.counters().received, 0, "the link is closed");
    lifecycle.enable_nic(nic.id()).unwrap();
    bench
        .parts
        .distributors
        .extend(lifecycle.take_distributors());
    bench.poll();
    assert_eq!(nic.counters().delivered, 3);
    assert!(bench.parts.monitor.report().nics.len() == 2);
    bench.assert_no_leak();
}

#[test]
fn m3_a_nic_built_disabled_is_one_too() {
    let (link, mut peer) = link(1);
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    let id = builder.nic(NicConfig::new("later").disabled(), link);
    let engine = builder.build().unwrap();
    let pool = engine.pool().clone();
    let running = engine.start().unwrap();
    assert!(running.finished(), "no link is open");
    let nic = running.nic(id).unwrap();
    nic.add_address(ip("192.0.2.1")).unwrap();
    running.lifecycle().enable_nic(id).unwrap();
    assert!(!running.finished());
    send(&mut peer, &mut pool.cache(), 100);
    wait_until("they arrive", || nic.counters().delivered == 100);
    let report = running.stop();
    assert_eq!((report.pool.out, report.in_flight), (0, 0));
}

#[test]
fn m4_bug27_enabling_is_idempotent() {
    let bench = Bench::new(|_| {});
    let lifecycle = &bench.parts.lifecycle;
    let before = bench.nic.endpoints().len();
    let groups = bench.nic.groups().len();
    for _ in 0..3 {
        lifecycle.enable_nic(bench.nic.id()).unwrap();
    }
    assert_eq!(bench.nic.endpoints().len(), before);
    assert_eq!(bench.nic.groups().len(), groups);
    lifecycle.disable_nic(bench.nic.id()).unwrap();
    lifecycle.disable_nic(bench.nic.id()).unwrap();
    lifecycle.enable_nic(bench.nic.id()).unwrap();
    assert_eq!(bench.nic.groups().len(), groups);
    let unknown = lifecycle.enable_nic(NicId(77));
    assert!(matches!(unknown, Err(EnableNicError::UnknownNic(_))));
}

#[test]
fn m6_a_disabled_nic_drops_what_arrives_and_counts_it() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let lifecycle = bench.parts.lifecycle.clone();
    let id = bench.nic.id();
    assert_eq!(bench.run(&[datagram()]).0.delivered, 1);
    lifecycle.disable_nic(id).unwrap();
    let (totals, replies) = bench.run(&[
        datagram(),
        ping("192.0.2.9", "192.0.2.1", b"echo"),
        vec![0; 9],
    ]);
    assert_eq!(only_drop(&totals, DropReason::NicDisabled), 3);
    assert!(totals.received_bytes > 9 && replies.is_empty());
    lifecycle.enable_nic(id).unwrap();
    assert_eq!(
        bench.run(&[datagram()]).0.delivered,
        1,
        "the address stayed"
    );
    bench.assert_no_leak();
}

#[test]
fn m6_a_protocol_the_nic_does_not_speak_is_unknown() {
    let mut bench = Bench::new(|_| {});
    let (link, mut peer) = link(1);
    let config = NicConfig::new("v6").protocols(Protocols::V6);
    let nic = bench.parts.lifecycle.create_nic(config, link).unwrap();
    let distributors = bench.parts.lifecycle.take_distributors();
    bench.parts.distributors.extend(distributors);
    nic.add_address(ip("2001:db8::1")).unwrap();
    send(&mut peer, &mut bench.cache, 2);
    let six = bench.frame(&udp("2001:db8::9", "2001:db8::1", (1, 2), b"six"));
    let mut burst: Burst = [six].into_iter().collect();
    peer.send(0, &mut burst);
    bench.poll();
    let totals = nic.counters();
    assert_eq!(only_drop(&totals, DropReason::UnknownProtocol), 2);
    assert_eq!(totals.delivered, 1);
}

#[test]
fn m6_removal_under_a_flood_leaks_nothing() {
    for (idle, queues) in [
        (Idle::ADAPTIVE, 1),
        (Idle::Interrupt, 2),
        (Idle::BusyPoll, 1),
    ] {
        let (running, pool, _first) = running(2, idle);
        let lifecycle = running.lifecycle().clone();
        let (link, mut peer) = link(queues);
        let nic = lifecycle
            .create_nic(NicConfig::new("flooded"), link)
            .unwrap();
        nic.add_address(ip("192.0.2.1")).unwrap();
        let held = nic.hold(ip("192.0.2.1")).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let flood = {
            let (stop, pool) = (Arc::clone(&stop), pool.clone());
            std::thread::spawn(move || {
                let (bytes, mut cache) = (datagram(), pool.cache());
                let mut burst = Burst::new();
                while !stop.load(Ordering::Relaxed) {
                    let room = 64 - burst.len();
                    cache.alloc_burst(&mut burst, room);
                    for frame in &mut burst {
                        frame.set_data(&bytes).unwrap();
                    }
                    for queue in 0..peer.queues() {
                        peer.send(queue, &mut burst);
                    }
                }
            })
        };
        wait_until("traffic", || nic.counters().delivered > 1000);
        lifecycle.remove_nic(nic.id()).unwrap();
        assert!(nic.is_gone() && lifecycle.nic(nic.id()).is_none());
        assert!(matches!(
            nic.add_address(ip("192.0.2.2")),
            Err(AddAddressError::NicGone(_))
        ));
        wait_for(running.events(), &Event::NicRemoved { nic: nic.id() });
        assert_eq!(nic.counters().balance(), 0, "{idle:?}");
        assert_eq!(held.address(), ip("192.0.2.1"), "what is held stays valid");
        stop.store(true, Ordering::Relaxed);
        flood.join().unwrap();
        no_frame_is_out(&pool);
        let report = running.stop();
        assert_eq!((report.nics.len(), report.distributors.len()), (1, 1));
    }
}

#[test]
fn m6_removed_and_created_a_thousand_times() {
    let (running, pool, _first) = running(2, Idle::ADAPTIVE);
    let lifecycle = running.lifecycle();
    let mut cache = pool.cache();
    let mut removed = 0;
    for round in 0..1000usize {
        let (link, mut peer) = link(1 + round % 2);
        let nic = lifecycle.create_nic(NicConfig::new("again"), link).unwrap();
        nic.add_address(ip("192.0.2.1")).unwrap();
        send(&mut peer, &mut cache, 5);
        if round % 3 == 0 {
            wait_until("they arrive", || nic.counters().delivered == 5);
        }
        lifecycle.remove_nic(nic.id()).unwrap();
        assert_eq!(lifecycle.nics().len(), 1);
        // What the link has not delivered goes with its other end.
        drop(peer);
        if round % 20 == 19 {
            wait_until("the removals end", || {
                while let Some(event) = running.events().try_next() {
                    removed += usize::from(matches!(event, Event::NicRemoved { .. }));
                }
                removed == round + 1
            });
            cache.flush();
            no_frame_is_out(&pool);
        }
    }
    let report = running.stop();
    assert_eq!((report.nics.len(), report.pool.out), (1, 0));
}

#[test]
fn p1_lifecycle_calls_from_many_threads_disturb_no_other_nic() {
    let (running, pool, mut first) = running(2, Idle::ADAPTIVE);
    let steady = running.nic(NicId(0)).unwrap();
    steady.add_address(ip("192.0.2.1")).unwrap();
    let stop = AtomicBool::new(false);
    let lifecycle = running.lifecycle();
    let lives: usize = std::thread::scope(|scope| {
        let changers: Vec<_> = (0..3)
            .map(|thread| {
                let (stop, pool) = (&stop, &pool);
                scope.spawn(move || {
                    let name = format!("of {thread}");
                    let mut cache = pool.cache();
                    let mut lives = 0;
                    while !stop.load(Ordering::Relaxed) || lives < 50 {
                        let (link, mut peer) = link(1 + lives % 2);
                        let config = NicConfig::new(&name).disabled();
                        let nic = lifecycle.create_nic(config, link).unwrap();
                        lifecycle.enable_nic(nic.id()).unwrap();
                        send(&mut peer, &mut cache, 3);
                        lifecycle.disable_nic(nic.id()).unwrap();
                        lifecycle.remove_nic(nic.id()).unwrap();
                        lives += 1;
                        // Nobody waits for removals: not too many at a time.
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    lives
                })
            })
            .collect();
        send(&mut first, &mut pool.cache(), 20_000);
        stop.store(true, Ordering::Relaxed);
        changers.into_iter().map(|t| t.join().unwrap()).sum()
    });
    wait_until("all of the steady NIC", || {
        steady.counters().delivered == 20_000
    });
    // Of so many events some may be lost: the last NIC's is waited for.
    let (link, _peer) = link(1);
    let last = lifecycle.create_nic(NicConfig::new("last"), link).unwrap();
    while running.events().try_next().is_some() {}
    lifecycle.remove_nic(last.id()).unwrap();
    wait_for(running.events(), &Event::NicRemoved { nic: last.id() });
    assert!(lives >= 150 && lifecycle.nics().len() == 1);
    no_frame_is_out(&pool);
    running.stop();
}

#[test]
fn m6_workers_whose_links_have_ended_serve_new_ones() {
    for idle in [Idle::BusyPoll, Idle::Interrupt] {
        let (running, pool, first) = running(1, idle);
        drop(first);
        wait_until("the link's end is noticed", || running.finished());
        let (link, mut peer) = link(1);
        let config = NicConfig::new("second");
        let nic = running.lifecycle().create_nic(config, link).unwrap();
        assert!(!running.finished());
        nic.add_address(ip("192.0.2.1")).unwrap();
        send(&mut peer, &mut pool.cache(), 50);
        wait_until("they arrive", || nic.counters().delivered == 50);
        running.stop();
    }
}

#[test]
fn m6_an_engine_stops_in_the_middle_of_it_all() {
    for removed in [false, true] {
        let (running, pool, _first) = running(2, Idle::Interrupt);
        let lifecycle: Lifecycle = running.lifecycle().clone();
        let (link_one, mut peer) = link(1);
        let nic = lifecycle
            .create_nic(NicConfig::new("one"), link_one)
            .unwrap();
        send(&mut peer, &mut pool.cache(), 100);
        if removed {
            lifecycle.remove_nic(nic.id()).unwrap();
        }
        let events = running.events().clone();
        let report = running.stop();
        assert_eq!(nic.counters().balance(), 0);
        assert_eq!(report.in_flight, 0);
        let told = std::iter::from_fn(|| events.try_next())
            .any(|event| event == Event::NicRemoved { nic: nic.id() });
        assert_eq!(told, removed);
        drop(peer);
        let (link_two, _peer) = link(1);
        let late = lifecycle.create_nic(NicConfig::new("two"), link_two);
        assert!(matches!(late, Err(CreateNicError::Stopped)));
        for nic in lifecycle.nics() {
            lifecycle.remove_nic(nic.id()).unwrap();
            assert_eq!(
                events.try_next(),
                Some(Event::NicDisabled { nic: nic.id() })
            );
            assert_eq!(events.try_next(), Some(Event::NicRemoved { nic: nic.id() }));
        }
        no_frame_is_out(&pool);
    }
}

#[test]
fn m6_own_threads_take_distributors_and_are_told_when_to_let_go() {
    let mut bench = Bench::new(|b| {
        b.workers(2);
    });
    let lifecycle = bench.parts.lifecycle.clone();
    let (one_link, mut peer) = link(1);
    let nic = lifecycle
        .create_nic(NicConfig::new("one"), one_link)
        .unwrap();
    nic.add_address(ip("192.0.2.1")).unwrap();
    let mut distributor = lifecycle.take_distributors().pop().unwrap();
    assert_eq!(distributor.nic(), nic.id());
    assert!(lifecycle.take_distributors().is_empty());
    send(&mut peer, &mut bench.cache, 100);
    while distributor.poll() == Polled::Worked {}
    // In the rings: what no worker has taken is dropped and counted.
    lifecycle.remove_nic(nic.id()).unwrap();
    let Parts {
        workers, control, ..
    } = &mut bench.parts;
    workers
        .iter_mut()
        .for_each(|worker| assert_eq!(worker.poll(), 0));
    control.poll();
    assert_eq!(distributor.poll(), Polled::Finished);
    control.poll();
    let totals = nic.counters();
    assert_eq!((totals.received, totals.balance()), (100, 0));
    assert_eq!(only_drop(&totals, DropReason::NicDisabled), 100);
    let events = &bench.parts.events;
    wait_for(events, &Event::NicRemoved { nic: nic.id() });
    drop(distributor);
    drop(peer);
    bench.assert_no_leak();
}

#[test]
fn m6_a_worker_that_is_gone_holds_up_no_link() {
    let mut bench = Bench::new(|b| {
        b.workers(2).when_full(WhenFull::Wait).ring_capacity(16);
    });
    let lifecycle = bench.parts.lifecycle.clone();
    let (one_link, mut peer) = link(1);
    let nic = lifecycle
        .create_nic(NicConfig::new("one"), one_link)
        .unwrap();
    nic.add_address(ip("192.0.2.1")).unwrap();
    bench
        .parts
        .distributors
        .extend(lifecycle.take_distributors());
    // Both workers go, one without having taken up its port.
    bench.parts.workers[0].poll();
    bench.parts.workers.clear();
    send(&mut peer, &mut bench.cache, 200);
    bench.poll();
    bench.poll();
    let report = bench.parts.monitor.report();
    let distributor = report.distributors.last().unwrap();
    assert_eq!((distributor.taken, distributor.nic), (200, nic.id()));
    assert_eq!(distributor.ring_full + distributor.handed_over, 200);
    drop(peer);
    bench.assert_no_leak();
}

#[test]
fn m6_what_a_nic_says_as_it_goes_is_sent() {
    // Leave messages, here through a distributor and through a worker.
    for queues in [1, 2] {
        let (running, pool, _first) = running(2, Idle::ADAPTIVE);
        let (link, mut peer) = link(queues);
        let config = NicConfig::new("member").igmp(Some(IgmpVersion::V2));
        let nic = running.lifecycle().create_nic(config, link).unwrap();
        nic.add_address(ip("192.0.2.1")).unwrap();
        nic.join_group(ip("224.0.0.251")).unwrap();
        running.lifecycle().remove_nic(nic.id()).unwrap();
        wait_for(running.events(), &Event::NicRemoved { nic: nic.id() });
        let mut burst = Burst::new();
        let mut kinds = Vec::new();
        while peer.recv(&mut burst) > 0 {
            // Behind 24 bytes of IPv4 header.
            kinds.extend(burst.drain(..).map(|frame| frame.data()[14 + 24]));
        }
        assert_eq!(kinds, [0x16, 0x17], "a report and a leave message");
        no_frame_is_out(&pool);
        running.stop();
    }
}

/// A solicitation for `target` from somebody who wants to know.
fn solicitation(target: &str, hop_limit: u8) -> Vec<u8> {
    let std::net::IpAddr::V6(target) = ip(target) else {
        panic!("an IPv6 address");
    };
    let destination = corelane::wire::solicited_node(target);
    let mut frame = vec![0; 128];
    let spec = SolicitationSpec {
        source_mac: PEER,
        source: "fe80::9".parse().unwrap(),
        destination,
        destination_mac: MacAddr::from_ipv6_multicast(destination),
        target,
        source_link: Some(PEER),
        nonce: None,
    };
    let len = build_neighbor_solicitation(&mut frame, &spec).unwrap();
    frame.truncate(len);
    frame[14 + 7] = hop_limit;
    frame
}

#[test]
fn g10_a_solicitation_is_punted_and_the_answer_injected() {
    for queues in [1, 2] {
        let (running, pool, _first) = running(2, Idle::Interrupt);
        let (link, mut peer) = link(queues);
        let nic = running
            .lifecycle()
            .create_nic(NicConfig::new("n"), link)
            .unwrap();
        nic.add_address(ip("2001:db8::1")).unwrap();
        let mut frame = pool.cache().alloc().unwrap();
        frame.set_data(&solicitation("2001:db8::1", 255)).unwrap();
        let mut burst: Burst = [frame].into_iter().collect();
        peer.send(queues - 1, &mut burst);
        wait_until("an answer", || peer.recv(&mut burst) > 0);
        let answer = burst.pop().unwrap();
        let packet = parse_ipv6(parse_ethernet(answer.data()).unwrap().payload).unwrap();
        let (source, destination) = (packet.source(), packet.destination());
        match parse_ndp(source, destination, packet.header.hop_limit, packet.payload) {
            Ok(NdpMessage::NeighborAdvertisement(message)) => {
                assert_eq!(message.target, ip("2001:db8::1"));
                assert!(message.solicited);
            }
            other => panic!("{other:?}"),
        }
        drop(answer);
        wait_until("both are counted", || {
            (nic.counters().consumed, nic.counters().sent) == (1, 1)
        });
        no_frame_is_out(&pool);
        running.stop();
    }
}

#[test]
fn g12_control_packets_that_are_invalid_are_dropped_by_reason() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    let (totals, replies) = bench.run(&[
        solicitation("2001:db8::1", 64),
        // Not to a group of the NIC: not looked at.
        solicitation("2001:db8::2", 64),
    ]);
    assert_eq!(totals.dropped_for(DropReason::NdpInvalid), 1);
    assert_eq!(totals.dropped_for(DropReason::InvalidAddress), 1);
    let mut query = vec![0; 64];
    let spec = IgmpQuerySpec {
        version: IgmpQueryVersion::V2,
        group: None,
        max_response: Duration::from_secs(1),
        suppress: false,
        robustness: 2,
        interval: Duration::from_secs(125),
        sources: &[],
    };
    let router = "192.0.2.254".parse().unwrap();
    let len = build_igmp_query(&mut query, PEER, router, ALL_SYSTEMS, &spec).unwrap();
    query.truncate(len);
    let mut broken = query.clone();
    *broken.last_mut().unwrap() ^= 1;
    let (totals, _) = bench.run(&[query, broken]);
    assert_eq!(totals.consumed, 1);
    assert_eq!(only_drop(&totals, DropReason::IgmpInvalid), 1);
    assert!(replies.is_empty());
    bench.assert_no_leak();
}

#[test]
fn a_full_punt_ring_is_a_counted_drop() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    let frames = vec![solicitation("2001:db8::1", 255); 300];
    bench.send(&frames);
    // Everybody but the control plane.
    for _ in 0..100 {
        bench.parts.distributors[0].poll();
        bench.parts.workers[0].poll();
    }
    let totals = bench.nic.counters();
    assert_eq!((totals.received, totals.balance()), (300, 0));
    assert_eq!(totals.consumed, 256);
    assert_eq!(only_drop(&totals, DropReason::PuntFull), 44);
    bench.poll();
    bench.poll();
    assert!(
        bench.nic.counters().sent > 0,
        "those that went through are answered"
    );
}

#[test]
fn g2_timers_run_by_the_engines_clock() {
    let (clock, hand) = Clock::manual();
    let (link, mut peer) = link(1);
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder.clock(clock);
    let config = NicConfig::new("probing").seed(3).ndp(NdpConfig::default());
    let id = builder.nic(config, link);
    let engine = builder.build().unwrap();
    let nic = engine.nic(id).unwrap();
    let mut parts = engine.into_workers();
    nic.add_address(ip("2001:db8::1")).unwrap();
    parts.control.poll();
    let mut frames = Burst::new();
    let mut rounds = 0;
    while let Some(due) = parts.control.next_deadline() {
        hand.set(due);
        assert!(parts.control.poll() <= Duration::from_millis(10));
        parts.distributors[0].poll();
        peer.recv(&mut frames);
        rounds += 1;
        assert!(rounds < 100, "{due:?}");
    }
    assert!(
        hand.now() >= Time::from_nanos(1_000_000_000),
        "{:?}",
        hand.now()
    );
    assert_eq!(nic.addresses().len(), 1, "assigned");
    let assigned = std::iter::from_fn(|| parts.events.try_next())
        .any(|event| matches!(event, Event::AddressAssigned { .. }));
    assert!(assigned && !frames.is_empty());
}

#[test]
fn m7_writing_to_a_nic_that_is_gone_or_down_fails_and_counts_nothing() {
    let mut bench = Bench::new(|_| {});
    let lifecycle = bench.parts.lifecycle.clone();
    let id = bench.nic.id();
    let frame = |bench: &mut Bench| {
        let mut frame = bench.cache.alloc().unwrap();
        frame.set_data(&datagram()).unwrap();
        frame
    };
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let route = bench.nic.route(None, ip("224.0.0.251")).unwrap();
    let protocol = corelane::wire::IpProtocol(253);
    lifecycle.disable_nic(id).unwrap();
    let it = frame(&mut bench);
    assert!(matches!(bench.nic.send(it), Err(SendError::NicDisabled)));
    assert!(matches!(
        route.write_packet(protocol, b"x", None),
        Err(SendError::NicDisabled)
    ));
    lifecycle.enable_nic(id).unwrap();
    let mut short = frame(&mut bench);
    short.truncate(13);
    assert!(matches!(
        bench.nic.send(short),
        Err(SendError::NotAFrame(13))
    ));
    assert!(matches!(
        bench.nic.send(Frame::default()),
        Err(SendError::NotAFrame(0))
    ));
    assert!(matches!(
        route.write_packet(protocol, &vec![0; 65_536], None),
        Err(SendError::MessageTooLong { .. })
    ));
    bench.poll();
    assert_eq!(bench.nic.counters().sent, 0, "none of them");
    let it = frame(&mut bench);
    bench.nic.send(it).unwrap();
    route.write_packet(protocol, b"x", None).unwrap();
    bench.poll();
    assert_eq!(bench.nic.counters().sent, 2);
    lifecycle.remove_nic(id).unwrap();
    let it = frame(&mut bench);
    assert!(matches!(bench.nic.send(it), Err(SendError::NicGone(_))));
    assert!(matches!(
        route.write_packet(protocol, b"x", None),
        Err(SendError::NicGone(_))
    ));
    assert_eq!(route.endpoint().kind(), AddressKind::PermanentExpired);
    bench.poll();
    assert_eq!(bench.nic.counters().sent, 2);
}

#[test]
fn b3_m6_what_is_held_when_a_nic_goes_is_closed_when_it_is_let_go() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    bench.nic.set_spoofing(true).unwrap();
    let held = bench.nic.hold(ip("192.0.2.1")).unwrap();
    let temporary = bench.nic.hold(ip("198.51.100.7")).unwrap();
    bench.parts.lifecycle.remove_nic(bench.nic.id()).unwrap();
    for _ in 0..10 {
        bench.poll();
    }
    let closed = |bench: &Bench| {
        std::iter::from_fn(|| bench.parts.events.try_next())
            .filter_map(|event| match event {
                Event::EndpointClosed { address, .. } => Some(address),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(closed(&bench), [] as [std::net::IpAddr; 0], "still held");
    assert_eq!(held.address(), ip("192.0.2.1"), "and valid");
    drop(held);
    bench.poll();
    assert_eq!(closed(&bench), [ip("192.0.2.1")]);
    drop(temporary);
    bench.poll();
    assert_eq!(closed(&bench), [ip("198.51.100.7")]);
}

#[test]
fn m8_a_loopback_nic_receives_what_it_sends() {
    let link = loopback_link(LoopbackConfig::default()).unwrap();
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder.idle(Idle::Interrupt);
    let id = builder.nic(NicConfig::new("lo"), Box::new(link));
    let engine = builder.build().unwrap();
    let pool = engine.pool().clone();
    let running = engine.start().unwrap();
    let nic: Nic = running.nic(id).unwrap();
    assert!(nic.is_loopback());
    nic.add_address(ip("192.0.2.1")).unwrap();
    for _ in 0..10 {
        let mut frame = pool.cache().alloc().unwrap();
        frame.set_data(&datagram()).unwrap();
        nic.send(frame).unwrap();
    }
    wait_until("they come back", || nic.counters().delivered == 10);
    assert_eq!(nic.counters().sent, 10);
    let report = running.stop();
    assert_eq!((report.pool.out, report.in_flight), (0, 0));
}

#[test]
fn f3_what_a_nic_sends_to_all_comes_back_to_it_too() {
    for queues in [1, 2] {
        let (running, pool, _first) = running(2, Idle::Interrupt);
        let (link, mut peer) = link(queues);
        let nic = running
            .lifecycle()
            .create_nic(NicConfig::new("n"), link)
            .unwrap();
        nic.add_address(ip("192.0.2.1")).unwrap();
        let route = nic.route(None, ip("255.255.255.255")).unwrap();
        assert!(route.loops());
        route
            .write_packet(corelane::wire::IpProtocol(253), b"to all", None)
            .unwrap();
        wait_until("it comes back", || nic.counters().delivered == 1);
        let mut burst = Burst::new();
        wait_until("it goes out", || peer.recv(&mut burst) > 0);
        wait_until("all of it is counted", || {
            let totals = nic.counters();
            (totals.received, totals.looped, totals.sent) == (1, 1, 1)
        });
        assert!(running.drain(LONG), "nothing is in flight");
        assert_eq!(running.report().in_flight, 0);
        drop(burst);
        no_frame_is_out(&pool);
        running.stop();
    }
}

/// Writes down each step.
struct Notes(Actor, Arc<Mutex<Vec<String>>>);

impl Tracer for Notes {
    fn step(&mut self, step: &Step<'_>) {
        assert_eq!(step.actor, self.0);
        assert_eq!(step.outcome.stage(), step.stage);
        let (actor, stage, outcome) = (step.actor, step.stage.label(), step.outcome.label());
        if !matches!(step.outcome, Outcome::Control(_)) || !step.data.is_empty() {
            let note = format!("{actor} {stage} {outcome}");
            self.1.lock().unwrap().push(note);
        }
    }
}

#[test]
fn a_tracer_is_told_what_each_stage_made_of_a_frame() {
    let notes = Arc::<Mutex<Vec<String>>>::default();
    let taken = Arc::clone(&notes);
    let mut bench = Bench::new(move |b| {
        b.tracer(move |actor| Notes(actor, Arc::clone(&notes)));
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    let mut trace = |frame: Vec<u8>| {
        bench.run(&[frame]);
        std::mem::take(&mut *taken.lock().unwrap()).join(", ")
    };
    assert_eq!(
        trace(datagram()),
        "worker-0 ethernet_input ip4, worker-0 ip4_input valid, worker-0 lookup permanent, \
         worker-0 local_deliver transport, worker-0 handler delivered"
    );
    assert_eq!(
        trace(udp("192.0.2.9", "192.0.2.77", (1, 2), b"")),
        "worker-0 ethernet_input ip4, worker-0 ip4_input valid, worker-0 lookup nothing, \
         worker-0 local_deliver invalid_address"
    );
    assert_eq!(
        trace(ping("192.0.2.9", "192.0.2.1", b"echo")),
        "worker-0 ethernet_input ip4, worker-0 ip4_input valid, worker-0 lookup permanent, \
         worker-0 local_deliver icmp_input, worker-0 icmp_input replied, \
         worker-0 link_output queued, distributor-0 link_output sent"
    );
    assert_eq!(
        trace(solicitation("2001:db8::1", 255)),
        "worker-0 ethernet_input ip6, worker-0 ip6_input valid, worker-0 lookup group, \
         worker-0 local_deliver icmp_input, worker-0 icmp_input control_input, \
         worker-0 control_input punted, control control answered"
    );
    // The answer is sent at the next poll.
    assert_eq!(
        trace(vec![0; 5]),
        "distributor-0 link_output sent, worker-0 ethernet_input ethernet_truncated"
    );
    let mut broken = datagram();
    broken[14 + 10] ^= 1;
    assert_eq!(
        trace(broken),
        "worker-0 ethernet_input ip4, worker-0 ip4_input ip4_checksum"
    );
    bench.parts.lifecycle.disable_nic(bench.nic.id()).unwrap();
    bench.run(&[datagram()]);
    let last = taken.lock().unwrap().last().cloned();
    assert_eq!(
        last.as_deref(),
        Some("worker-0 ethernet_input nic_disabled")
    );
}
