use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corelane::engine::link::{Link, RxQueue, RxStatus};
use corelane::engine::rss::{RssKey, Toeplitz, flow_hash};
use corelane::frame::{Burst, Frame, Pool, PoolCache, PoolConfig};
use corelane::io::pcap::PcapWriter;
use corelane::stack::Prefix;
use corelane::wire::{
    EtherType, IpProtocol, parse_ethernet, parse_icmpv4, parse_icmpv6, parse_ipv4, parse_ipv6,
    parse_tcp, parse_udp,
};

use super::*;
use crate::clock::Clock;
use crate::interrupt::Interrupt;
use crate::sink::{Ends, Sinks};
use crate::unit::{Arrival, Check, Destinations, Family, FrameSize};

fn traffic() -> Traffic {
    Traffic {
        flows: 256,
        signed: false,
        seed: 7,
        ..Traffic::new(1000)
    }
}

fn pool(slots: usize) -> Pool {
    let slot_size = 9472;
    Pool::new(PoolConfig {
        slots,
        slot_size,
        ..PoolConfig::default()
    })
    .unwrap()
}

/// The bytes of the first `n` frames of a source.
fn frames(source: &mut impl Source, n: usize) -> Vec<Vec<u8>> {
    let pool = pool(256);
    let mut cache = pool.cache();
    let mut all = Vec::new();
    while all.len() < n {
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, 64.min(n - all.len()));
        source.fill(0, &mut burst);
        all.extend(burst.iter().map(|frame| frame.data().to_vec()));
        cache.recycle_burst(&mut burst);
    }
    all
}

/// Parses a frame fully, checksums included: source, destination, ports.
fn parse(frame: &[u8]) -> (IpAddr, IpAddr, u16, u16) {
    let ethernet = parse_ethernet(frame).unwrap();
    match ethernet.header.ethertype() {
        EtherType::IPV4 => {
            let ip = parse_ipv4(ethernet.payload).unwrap();
            assert_eq!(
                ip.payload.len() + 34,
                frame.len(),
                "no byte of the frame is padding"
            );
            let udp = parse_udp(ip.payload).unwrap();
            udp.verify_checksum_ipv4(ip.source(), ip.destination())
                .unwrap();
            let (from, to) = (
                udp.header.source_port.get(),
                udp.header.destination_port.get(),
            );
            (ip.source().into(), ip.destination().into(), from, to)
        }
        EtherType::IPV6 => {
            let ip = parse_ipv6(ethernet.payload).unwrap();
            assert_eq!(
                ip.payload.len() + 54,
                frame.len(),
                "no byte of the frame is padding"
            );
            let udp = parse_udp(ip.payload).unwrap();
            udp.verify_checksum_ipv6(ip.source(), ip.destination())
                .unwrap();
            let (from, to) = (
                udp.header.source_port.get(),
                udp.header.destination_port.get(),
            );
            (ip.source().into(), ip.destination().into(), from, to)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    let draw = |seed| {
        let traffic = Traffic {
            seed,
            frame_size: "imix".parse().unwrap(),
            hit_ratio: 0.5,
            ..traffic()
        };
        frames(&mut Sequence::draw_frames(&traffic, 500), 600)
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn a_round_repeats_and_rewinds_and_skips() {
    let mut sequence = Sequence::draw_frames(&traffic(), 100);
    let first = frames(&mut sequence, 250);
    assert_eq!(first[..100], first[100..200]);
    sequence.rewind();
    sequence.skip(0, 230);
    assert_eq!(frames(&mut sequence, 20), first[230..250]);
}

#[test]
fn frames_are_valid_and_of_the_size_asked_for() {
    for requested in [64, 65, 66, 67, 68, 69, 128, 571, 1518, 9218] {
        let traffic = Traffic {
            frame_size: FrameSize::Fixed(requested),
            ..traffic()
        };
        for frame in frames(&mut Sequence::draw_frames(&traffic, 200), 200) {
            let (_, destination, ..) = parse(&frame);
            let with_check_sequence = frame.len() as u16 + 4;
            assert_eq!(
                with_check_sequence,
                size_on_wire(requested, destination.is_ipv6())
            );
            assert!(with_check_sequence >= requested);
        }
    }
    assert_eq!((size_on_wire(64, false), size_on_wire(64, true)), (64, 66));
}

#[test]
fn imix_keeps_its_proportions() {
    let traffic = Traffic {
        frame_size: "imix".parse().unwrap(),
        family: Family::V4,
        ..traffic()
    };
    let mut by_size = HashMap::new();
    for frame in frames(&mut Sequence::draw_frames(&traffic, 1200), 1200) {
        parse(&frame);
        *by_size.entry(frame.len() + 4).or_insert(0) += 1;
    }
    assert_eq!(by_size, HashMap::from([(64, 700), (570, 400), (1518, 100)]));
    let mean = Sequence::draw_frames(&traffic, 1200).mean_size(0);
    assert!((mean - (64.0 * 7.0 + 570.0 * 4.0 + 1518.0) / 12.0).abs() < 1e-9);
}

#[test]
fn hits_go_to_endpoints_and_misses_do_not() {
    for family in [Family::V4, Family::V6, Family::Mixed] {
        let plan = AddressPlan::new(family, 1000);
        let endpoints: HashSet<IpAddr> = plan.iter().collect();
        assert_eq!(endpoints.len(), 1000);
        for (hit_ratio, least, most) in [(0.0, 0, 0), (0.5, 1800, 2200), (1.0, 4000, 4000)] {
            let traffic = Traffic {
                family,
                hit_ratio,
                ..traffic()
            };
            let mut hits = 0;
            for frame in frames(&mut Sequence::draw_frames(&traffic, 4000), 4000) {
                let (source, destination, ..) = parse(&frame);
                hits += usize::from(endpoints.contains(&destination));
                assert_eq!(source.is_ipv4(), destination.is_ipv4());
                assert!(!endpoints.contains(&source));
            }
            assert!(
                (least..=most).contains(&hits),
                "{family} {hit_ratio}: {hits}"
            );
        }
    }
}

#[test]
fn families_are_what_was_asked_for() {
    for (family, least, most) in [
        (Family::V4, 2000, 2000),
        (Family::V6, 0, 0),
        (Family::Mixed, 850, 1150),
    ] {
        for hit_ratio in [0.0, 1.0] {
            let traffic = Traffic {
                family,
                hit_ratio,
                ..traffic()
            };
            let v4 = frames(&mut Sequence::draw_frames(&traffic, 2000), 2000)
                .iter()
                .filter(|frame| parse(frame).1.is_ipv4())
                .count();
            assert!((least..=most).contains(&v4), "{family}: {v4}");
        }
    }
}

#[test]
fn no_churned_address_is_an_endpoint() {
    for family in [Family::V4, Family::V6, Family::Mixed] {
        let plan = AddressPlan::new(family, MAX_ENDPOINTS);
        let churned: HashSet<IpAddr> = (0..4096).map(|i| plan.churned(i)).collect();
        assert_eq!(churned.len(), 4096);
        assert!(plan.iter().all(|endpoint| !churned.contains(&endpoint)));
    }
}

#[test]
fn ten_million_endpoints_have_as_many_addresses() {
    let plan = AddressPlan::new(Family::V4, u32::MAX);
    assert_eq!(plan.len(), MAX_ENDPOINTS);
    assert_eq!(plan.endpoint(0), IpAddr::from([10, 0, 0, 1]));
    let distinct: HashSet<IpAddr> = plan.iter().collect();
    assert_eq!(distinct.len(), MAX_ENDPOINTS as usize);
}

#[test]
fn routes_are_distinct_and_those_that_churn_are_others() {
    for (family, v4) in [(Family::V4, 5000), (Family::V6, 0), (Family::Mixed, 2500)] {
        let plan = RoutePlan::draw(family, 5000, 7, 1);
        let networks: HashSet<Prefix> = plan.iter().map(|(network, _)| network).collect();
        assert_eq!((plan.len(), networks.len()), (5000, 5000));
        let is_v4 = |network: &&Prefix| network.address().is_ipv4();
        assert_eq!(networks.iter().filter(is_v4).count(), v4);
        assert!(plan.iter().eq(RoutePlan::draw(family, 5000, 7, 1).iter()));

        let churned: HashSet<_> = (0..2048).filter_map(|n| plan.churned(n)).collect();
        assert_eq!(churned.len(), 2048);
        let neighbors: HashMap<_, _> = plan.neighbors().collect();
        for (network, router) in churned {
            assert!(!networks.contains(&network), "{network}");
            assert_eq!(network.address().is_ipv4(), router.is_ipv4());
            assert!(neighbors.contains_key(&router), "{router}");
        }
    }
}

#[test]
fn frames_follow_routes_to_neighbors_that_are_known() {
    let plan = Arc::new(RoutePlan::draw(Family::Mixed, 100, 5, 3));
    let routes: Vec<_> = plan.iter().collect();
    let neighbors: HashMap<_, _> = plan.neighbors().collect();
    assert_eq!(neighbors.len(), 10, "an address of each family");
    let macs: HashSet<_> = neighbors.values().collect();
    assert_eq!(macs.len(), 5);
    let used: HashSet<_> = routes.iter().map(|(_, router)| *router).collect();
    assert!(used.iter().all(|router| neighbors.contains_key(router)));
    assert_eq!(used.len(), 10, "all are used");
    for (network, _) in &routes {
        assert!(neighbors.keys().all(|router| !network.contains(*router)));
    }
    for (own, len) in RoutePlan::own_addresses() {
        let link = Prefix::new(own, len).unwrap();
        assert!(!neighbors.contains_key(&own));
        let mut of_family = neighbors.keys().filter(|it| it.is_ipv4() == own.is_ipv4());
        assert!(of_family.all(|neighbor| link.contains(*neighbor)));
        assert!(routes.iter().all(|(network, _)| !network.contains(own)));
    }

    let traffic = Traffic {
        routes: Some(Arc::clone(&plan)),
        ..traffic()
    };
    let endpoints: HashSet<IpAddr> = AddressPlan::new(Family::Mixed, 1000).iter().collect();
    let mut reached = HashSet::new();
    for frame in frames(&mut Sequence::draw_frames(&traffic, 3000), 3000) {
        let (source, destination, ..) = parse(&frame);
        let network = routes.iter().find(|(it, _)| it.contains(destination));
        assert!(network.is_some(), "{destination} is in no route");
        reached.insert(network);
        assert!(!endpoints.contains(&destination));
        assert!(routes.iter().all(|(network, _)| !network.contains(source)));
    }
    assert!(reached.len() > 90, "{} of 100 routes", reached.len());
}

#[test]
fn a_single_route_and_the_most_neighbors() {
    let plan = RoutePlan::draw(Family::V6, 0, u32::MAX, 9);
    assert_eq!((plan.len(), plan.is_empty()), (1, false));
    let macs: HashSet<_> = plan.neighbors().map(|(_, mac)| mac).collect();
    assert_eq!(macs.len(), MAX_NEIGHBORS as usize);
    let network = plan.iter().next().unwrap().0;
    let mut random = stream(1, "hosts");
    assert!((0..100).all(|_| network.contains(plan.destination(0, &mut random))));
}

#[test]
fn a_drain_takes_everything_and_says_so() {
    let clock = Clock::told();
    let mut peers = Sinks::new(Ends {
        clock,
        latency: true,
        check: Check::Order,
        streams: 0,
    });
    let mut link = DrainLink::recorded(9014, [peers.maker().recorder(0)]);
    assert_eq!(link.mtu(), 9000);
    let pool = pool(64);
    let mut queues = link.open(&pool).unwrap();
    assert!(link.open(&pool).is_err(), "once");
    assert_eq!((queues.rx.len(), queues.tx.len()), (0, 1));

    let mut cache = pool.cache();
    let mut send = |n: usize| {
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, n);
        burst.iter_mut().for_each(|frame| {
            frame.set_len(60).unwrap();
            frame.set_rx_time(clock.now());
        });
        clock.advance(100);
        let sent = queues.tx[0].tx_burst(&mut cache, &mut burst).unwrap();
        assert_eq!((sent, burst.len()), (n, 0));
    };
    send(5);
    peers.start_window();
    send(7);
    let taken = peers.handled();
    drop((queues, cache));
    assert_eq!((taken.len(), taken[0].packets, taken[0].bytes), (1, 7, 420));
    let latency = taken[0].latency.as_ref().unwrap();
    assert_eq!(
        (latency.histogram.len(), latency.min, latency.max),
        (7, 100, 100)
    );
    assert_eq!(pool.out(), 0);
}

#[test]
fn flows_are_pseudorandom_and_as_many_as_asked_for() {
    let traffic = Traffic {
        family: Family::V4,
        ..traffic()
    };
    let mut flows = HashSet::new();
    for frame in frames(&mut Sequence::draw_frames(&traffic, 8000), 8000) {
        let (source, _, from, to) = parse(&frame);
        assert!(from >= 1024 && (1..=49_151).contains(&to));
        flows.insert((source, from, to));
    }
    assert_eq!(flows.len(), 256);
}

#[test]
fn destinations_follow_their_law() {
    let draw = |law, endpoints| {
        let mut random = stream(3, "test");
        let mut picker = DestinationPicker::new(law, endpoints, &mut random);
        let mut counts = vec![0u32; endpoints as usize];
        for _ in 0..100_000 {
            counts[picker.draw(&mut random) as usize] += 1;
        }
        counts
    };
    assert_eq!(draw(Destinations::One, 10)[0], 100_000);
    for count in draw(Destinations::Uniform, 10) {
        assert!((9_000..=11_000).contains(&count), "{count}");
    }
    let mut zipf = draw(Destinations::Zipf(1.0), 1000);
    let top = zipf
        .iter()
        .position(|n| n == zipf.iter().max().unwrap())
        .unwrap();
    assert_ne!(top, 0, "the hottest endpoint is anywhere");
    zipf.sort_unstable_by(|a, b| b.cmp(a));
    // The harmonic number of 1000 is 7.485: rank 1 has 13.4 % of the draws, rank 2 half of that.
    assert!((12_900..=13_900).contains(&zipf[0]), "{}", zipf[0]);
    assert!((6_300..=7_100).contains(&zipf[1]), "{}", zipf[1]);
}

#[test]
fn planned_times_keep_the_mean_rate() {
    const PPS: f64 = 3e6;
    const SECOND: u64 = 1_000_000_000;
    for (arrival, tolerance) in [
        (Arrival::Cbr, 1),
        (Arrival::Burst(64), 64),
        (Arrival::Poisson, 15_000),
    ] {
        let schedule = Schedule::new(arrival, PPS, 1);
        let due = schedule.due_before(SECOND, u64::MAX);
        assert!(due.abs_diff(PPS as u64) <= tolerance, "{arrival}: {due}");
        let mut before = 0;
        for n in 0..200_000 {
            let time = schedule.at(n);
            assert!(time >= before);
            before = time;
        }
        for end in [0, 1, 1000, 12_345, 777_777] {
            let due = schedule.due_before(end, u64::MAX);
            assert!(due == 0 || schedule.at(due - 1) < end);
            assert!(schedule.at(due) >= end);
        }
        assert_eq!(schedule.due_before(SECOND, 10), 10);
    }
}

#[test]
fn arrivals_are_of_their_kind() {
    let cbr = Schedule::new(Arrival::Cbr, 1e6, 1);
    assert_eq!(
        [cbr.at(0), cbr.at(1), cbr.at(1_000_000)],
        [0, 1000, 1_000_000_000]
    );
    let third = Schedule::new(Arrival::Cbr, 3.0, 1);
    assert_eq!(
        third.at(3_000_000_000),
        1_000_000_000_000_000_000,
        "no drift"
    );

    let trains = Schedule::new(Arrival::Burst(4), 1e6, 1);
    let times: Vec<u64> = (0..9).map(|n| trains.at(n)).collect();
    assert_eq!(times, [0, 0, 0, 0, 4000, 4000, 4000, 4000, 8000]);

    let poisson = Schedule::new(Arrival::Poisson, 1e6, 1);
    let gaps: Vec<f64> = (0..30_000)
        .map(|n| (poisson.at(n + 1) - poisson.at(n)) as f64)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    // Of an exponential distribution the standard deviation is the mean.
    assert!((mean / 1000.0 - 1.0).abs() < 0.05, "{mean}");
    assert!(
        (variance.sqrt() / mean - 1.0).abs() < 0.05,
        "{}",
        variance.sqrt()
    );
    let other_seed = Schedule::new(Arrival::Poisson, 1e6, 2);
    assert_ne!(poisson.at(100), other_seed.at(100));
    assert_eq!(
        poisson.at(100),
        Schedule::new(Arrival::Poisson, 1e6, 1).at(100)
    );
}

#[test]
fn recorded_times_repeat_and_never_fall() {
    let schedule = Schedule::recorded([0, 10, 5, 30], 40);
    let times: Vec<u64> = (0..9).map(|n| schedule.at(n)).collect();
    assert_eq!(times, [0, 10, 10, 30, 40, 50, 50, 70, 80]);
    assert_eq!(schedule.due_before(u64::MAX, 8), 8);
    assert_eq!(Schedule::recorded([], 0).at(5), 0);
}

/// Polls every `step` nanoseconds until the window ends; what came out.
fn poll_window(
    queue: &mut impl RxQueue,
    handle: &GeneratorHandle,
    (cache, clock, step): (&mut PoolCache, Clock, u64),
    mut each: impl FnMut(&mut Burst),
) -> Totals {
    loop {
        let mut burst = Burst::new();
        queue.rx_burst(cache, &mut burst).unwrap();
        each(&mut burst);
        cache.recycle_burst(&mut burst);
        if let Some(totals) = handle.ended() {
            return totals;
        }
        clock.advance(step);
    }
}

/// A clock that is told, a pace of a frame each microsecond, and a queue with its handle and a cache.
fn at_1_mpps() -> (Clock, Pace, impl RxQueue, GeneratorHandle, PoolCache) {
    let clock = Clock::told();
    let pace = Pace::Planned(Schedule::new(Arrival::Cbr, 1e6, 1).into());
    let (link, handle) = GeneratorLink::new(Sequence::draw_frames(&traffic(), 64), clock);
    (clock, pace, link.into_queue(), handle, pool(512).cache())
}

fn window(pace: &Pace, ms: u64) -> Window {
    Window {
        pace: pace.clone(),
        duration: Some(Duration::from_millis(ms)),
        ..Window::default()
    }
}

#[test]
fn windows_start_and_end_when_told() {
    let clock = Clock::told();
    let sequence = Sequence::draw_frames(&traffic(), 1000);
    let (link, handle) = GeneratorLink::new(sequence, clock);
    let mut queue = link.into_queue();
    let pool = pool(512);
    let mut cache = pool.cache();
    let mut burst = Burst::new();
    assert_eq!(
        queue.rx_burst(&mut cache, &mut burst).unwrap(),
        RxStatus::Idle
    );
    assert!(burst.is_empty());

    handle.run(Window {
        frames: Some(100),
        ..Window::default()
    });
    let mut received = 0;
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 1), |burst| {
        received += burst.len();
    });
    assert_eq!((received, totals.emitted, totals.intended), (100, 100, 100));
    assert_eq!((totals.late, totals.pool_empty), (0, 0));
    assert_eq!(handle.emitted(), 100);

    // A window without an end, until it is stopped.
    handle.run(Window::default());
    queue.rx_burst(&mut cache, &mut burst).unwrap();
    assert_eq!(burst.len(), 64);
    cache.recycle_burst(&mut burst);
    handle.stop();
    queue.rx_burst(&mut cache, &mut burst).unwrap();
    assert!(burst.is_empty());
    assert_eq!(handle.ended().unwrap().emitted, 64);
    assert_eq!(handle.ended(), None);

    handle.finish();
    assert_eq!(
        queue.rx_burst(&mut cache, &mut burst).unwrap(),
        RxStatus::Finished
    );
    assert_eq!(pool.out(), 0);
}

#[test]
fn every_planned_frame_is_emitted_at_or_after_its_time() {
    for arrival in [Arrival::Cbr, Arrival::Poisson, Arrival::Burst(16)] {
        let clock = Clock::told();
        let schedule = Schedule::new(arrival, 500_000.0, 1);
        let pace = Pace::Planned(schedule.clone().into());
        let (link, handle) = GeneratorLink::new(Sequence::draw_frames(&traffic(), 64), clock);
        let (mut queue, pool) = (link.into_queue(), pool(512));
        let mut cache = pool.cache();
        handle.run(window(&pace, 20));
        let mut times = Vec::new();
        let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 700), |burst| {
            for frame in burst {
                assert!(frame.rx_time() <= clock.now(), "sent before its time");
                assert!(
                    clock.now() - frame.rx_time() <= 700,
                    "sent at the next poll"
                );
                times.push(frame.rx_time());
            }
        });
        assert_eq!(totals.emitted, times.len() as u64);
        assert_eq!((totals.intended, totals.late), (totals.emitted, 0));
        assert_eq!(totals.intended, schedule.due_before(20_000_000, u64::MAX));
        assert_eq!((totals.pool_empty, totals.elapsed_ns), (0, 20_000_000));
        assert!(
            (1..=700).contains(&totals.lateness.max),
            "{:?}",
            totals.lateness
        );
        // The stamps are the plan, whatever the poll's own time was.
        for (n, time) in times.iter().enumerate() {
            assert_eq!(*time, schedule.at(n as u64));
        }
    }
}

#[test]
fn frames_of_a_burst_are_late_each_by_its_own_time() {
    let (clock, pace, mut queue, handle, mut cache) = at_1_mpps();
    handle.run(window(&pace, 20));
    // Sixteen frames in a poll, which came due in these 16 us: two of each eighth count as late as the older one.
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 16_000), |_| {});
    let Lateness { p50, p99, max, .. } = totals.lateness;
    assert!((7_000..=9_000).contains(&p50), "{:?}", totals.lateness);
    assert!((15_000..=16_200).contains(&p99) && max <= 16_200);
    assert_eq!(totals.lateness, totals.lateness_polled);
}

#[test]
fn a_stopped_window_has_intended_what_was_due_until_then() {
    let (clock, pace, mut queue, handle, mut cache) = at_1_mpps();
    handle.run(window(&pace, 20));
    let mut burst = Burst::new();
    queue.rx_burst(&mut cache, &mut burst).unwrap();
    // 500 frames become due; a poll takes 64 of them.
    clock.advance(500_000);
    cache.recycle_burst(&mut burst);
    queue.rx_burst(&mut cache, &mut burst).unwrap();
    handle.stop();
    cache.recycle_burst(&mut burst);
    queue.rx_burst(&mut cache, &mut burst).unwrap();
    let totals = handle.ended().unwrap();
    assert_eq!(
        (totals.emitted, totals.late, totals.intended),
        (65, 435, 500)
    );
    assert_eq!(totals.elapsed_ns, 500_000);
}

#[test]
fn without_a_pace_frames_go_poll_by_poll() {
    let clock = Clock::told();
    let (link, handle) = GeneratorLink::new(Sequence::draw_frames(&traffic(), 64), clock);
    let (mut queue, pool) = (link.into_queue(), pool(512));
    let mut cache = pool.cache();
    handle.run(Window {
        frames: Some(1000),
        ..Window::default()
    });
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 100), |_| {});
    assert_eq!((totals.emitted, totals.intended), (1000, 1000));
    assert_eq!(totals.elapsed_ns, 1600, "16 bursts");
}

#[test]
fn what_came_due_while_nobody_polled_is_told_apart() {
    let (clock, pace, mut queue, handle, mut cache) = at_1_mpps();
    handle.run(window(&pace, 20));
    let mut polls = 0;
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 1_000), |_| {
        polls += 1;
        if polls == 5_000 {
            clock.advance(1_000_000);
        }
    });
    let gone = Gone {
        times: 1,
        ns: 1_001_000,
    };
    assert_eq!((totals.gone, totals.emitted), (gone, 20_000));
    assert!(totals.lateness.max >= 990_000, "{totals:?}");
    // A thousand frames were waiting by then, 64 of which go in a poll.
    assert!(totals.lateness_polled.max <= 20_000, "{totals:?}");
    assert!(totals.lateness_polled.p50 <= totals.lateness.p50);
}

/// What a window at 1 Mpps and 20 ms came to when the generator was gone for so many microseconds every 5 ms, before a
/// ring of 256 frames out of which a receiver takes one each `ns` nanoseconds: what was counted, and how many frames
/// ran over.
fn into_a_ring(gone_us: u64, ns: u64, is_patient: bool) -> (Totals, u64) {
    const RING: u64 = 256;
    let (clock, pace, mut queue, handle, mut cache) = at_1_mpps();
    let in_ring = Arc::new(AtomicU64::new(0));
    let room = Arc::clone(&in_ring);
    let room = Room::new(RING / 2, move || room.load(Ordering::Relaxed));
    handle.run(Window {
        room: is_patient.then_some(room),
        ..window(&pace, 20)
    });
    let (mut ran_over, mut taken, mut at, mut gone) = (0, 0, 0, 0);
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 1_000), |burst| {
        // A ring that was empty meanwhile is no credit.
        let until = clock.now() / ns;
        let left = in_ring.load(Ordering::Relaxed).saturating_sub(until - at);
        taken += in_ring.load(Ordering::Relaxed) - left;
        at = until;
        let came = (left + burst.len() as u64).min(RING);
        ran_over += left + burst.len() as u64 - came;
        in_ring.store(came, Ordering::Relaxed);
        if clock.now() / 5_000_000 > gone {
            gone += 1;
            clock.advance(gone_us * 1_000);
        }
    });
    let left = in_ring.load(Ordering::Relaxed);
    assert_eq!(totals.emitted, taken + ran_over + left);
    (totals, ran_over)
}

#[test]
fn what_came_due_while_nobody_polled_waits_for_room() {
    // A receiver that is a fifth faster than the load: what runs over is the generator's fault.
    let (totals, ran_over) = into_a_ring(1_000, 800, false);
    assert_eq!(totals.late, 0, "{totals:?}");
    assert!(ran_over > 2_000, "{ran_over}");
    let (totals, ran_over) = into_a_ring(1_000, 800, true);
    assert_eq!((totals.emitted, totals.late, ran_over), (20_000, 0, 0));
    assert!(totals.lateness.max >= 900_000, "{totals:?}");
    assert!(totals.lateness_polled.max <= 20_000, "{totals:?}");
    // Nothing waits that nobody was gone for.
    let (totals, ran_over) = into_a_ring(0, 800, true);
    assert_eq!((totals.late, ran_over), (0, 0));
    assert!(totals.lateness.max <= 1_000, "{totals:?}");
}

#[test]
fn a_receiver_that_is_too_slow_loses_what_it_would_have_lost() {
    // It takes 10,000 of 20,000, or 19,608; but for the time when nothing comes, and what the ring holds.
    for (ns, taken) in [(2_000, 10_000), (1_020, 19_608)] {
        let (_, without) = into_a_ring(0, ns, true);
        assert!((20_000 - taken - 256..=20_000 - taken).contains(&without));
        for gone_us in [50, 200, 1_000] {
            let (totals, ran_over) = into_a_ring(gone_us, ns, true);
            assert_eq!(totals.late, 0, "{totals:?}");
            // Of the time when it was gone, as much as the load is beyond what the receiver takes.
            let gone_ns = totals.gone.ns;
            let less = gone_ns / 1_000 - gone_ns / ns;
            let least = without.saturating_sub(less + 256);
            assert!(
                (least..=without + 256).contains(&ran_over),
                "{gone_us} us: {ran_over} for {without}, {less} less at most"
            );
        }
    }
}

#[test]
fn a_receiver_that_stands_still_ends_the_wait() {
    let (totals, ran_over) = into_a_ring(1_000, u64::MAX, true);
    assert_eq!((totals.emitted, totals.late), (20_000, 0), "{totals:?}");
    assert_eq!(ran_over, 20_000 - 256);
}

#[test]
fn what_cannot_be_sent_in_time_is_not_sent() {
    let (clock, pace, mut queue, handle, mut cache) = at_1_mpps();
    handle.run(window(&pace, 20));
    // A receiver that polls once in a millisecond takes 64,000 frames a second.
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 1_000_000), |_| {});
    // One at the start, and a burst each millisecond up to the end; the grace ends with the next.
    assert_eq!((totals.intended, totals.emitted), (20_000, 1 + 20 * 64));
    assert_eq!(totals.late, totals.intended - totals.emitted);
    assert!(totals.lateness.p50 >= 1_000_000, "{totals:?}");
}

#[test]
fn a_frame_without_a_buffer_is_lost_at_its_time() {
    let clock = Clock::told();
    let pace = Pace::Planned(Schedule::new(Arrival::Cbr, 100_000.0, 1).into());
    let sequence = Sequence::draw_frames(&traffic(), 64);
    let want = frames(&mut Sequence::draw_frames(&traffic(), 64), 64);
    let (link, handle) = GeneratorLink::new(sequence, clock);
    let (mut queue, pool) = (link.into_queue(), pool(8));
    let mut cache = pool.cache();
    handle.run(window(&pace, 10));
    let mut kept: Vec<Frame> = Vec::new();
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 10_000), |burst| {
        kept.extend(burst.drain(..));
    });
    assert_eq!((totals.emitted, totals.intended), (8, 1000));
    assert_eq!(
        (totals.pool_empty, totals.late, totals.polls.starved),
        (992, 0, 992)
    );
    for (frame, want) in kept.iter().zip(&want) {
        assert_eq!(frame.data(), want);
    }

    // A new window starts at the first frame of the sequence again; what is lost is passed over.
    drop(kept.split_off(6));
    handle.run(window(&pace, 10));
    let mut polls = 0;
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 10_000), |burst| {
        polls += 1;
        kept.extend(burst.drain(..));
        if polls == 50 {
            kept.remove(0);
        }
    });
    assert_eq!(totals.emitted, 3);
    let data: Vec<&[u8]> = kept[5..].iter().map(Frame::data).collect();
    assert_eq!(data, [&want[0][..], &want[1], &want[50]]);
}

#[test]
fn at_the_maximum_a_frame_waits_for_its_buffer() {
    let clock = Clock::told();
    let sequence = Sequence::draw_frames(&traffic(), 64);
    let (link, handle) = GeneratorLink::new(sequence, clock);
    let (mut queue, pool) = (link.into_queue(), pool(8));
    let mut cache = pool.cache();
    handle.run(window(&Pace::Max, 5));
    let mut kept: Vec<Frame> = Vec::new();
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 1_000), |burst| {
        kept.extend(burst.drain(..));
    });
    assert_eq!((totals.intended, totals.emitted), (8, 8));
    assert_eq!((totals.late, totals.pool_empty), (0, 0));
    assert_eq!((totals.polls.productive, totals.polls.starved), (1, 4_999));
    assert_eq!(totals.elapsed_ns, 5_000_000);
}

#[test]
fn a_pool_of_small_slots_is_refused() {
    let traffic = Traffic {
        frame_size: FrameSize::Fixed(9218),
        ..traffic()
    };
    let sequence = Sequence::draw_frames(&traffic, 8);
    let (mut link, _handle) = GeneratorLink::new(sequence, Clock::start());
    let pool = Pool::new(PoolConfig::default()).unwrap();
    let refused = link.open(&pool).err().unwrap();
    assert_eq!(
        refused.to_string(),
        "generator: frames of 9214 bytes do not fit the pool's 1920-byte slots"
    );
}

mod capture {
    use std::sync::Arc;

    use corelane::io::pcap::{Capture, PcapWriter};

    use super::*;

    fn capture(packets: &[(u64, &[u8])]) -> Capture {
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        for (time, bytes) in packets {
            writer.write(*time, bytes).unwrap();
        }
        Capture::from_bytes("test", writer.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn files_follow_each_other_and_rounds_repeat() {
        let one = capture(&[
            (1000, b"one of the first file"),
            (1100, b"two"),
            (1050, b"three"),
        ]);
        let two = capture(&[(9_000_000, b"one of the second")]);
        let set = CaptureSet::new(vec![one, two], 128);
        assert_eq!((set.len(), set.too_large(), set.longest()), (4, 0, 21));
        let (times, period) = set.times();
        // The mean gap of the first file is (1100 - 1000) / 2.
        assert_eq!((times, period), (vec![0, 100, 100, 150], 150));
        let mut source = CaptureFrames::new(Arc::new(set));
        let sent = frames(&mut source, 6);
        assert_eq!(sent[3], b"one of the second");
        assert_eq!(sent[4..], sent[..2]);
        source.rewind();
        source.skip(0, 5);
        assert_eq!(frames(&mut source, 1)[0], sent[1]);
    }

    #[test]
    fn unicast_destinations_of_well_formed_packets() {
        let sequence = &mut Sequence::draw_frames(&traffic(), 100);
        let sent = frames(sequence, 100);
        let mut broken = sent[0].clone();
        broken.truncate(30);
        let mut packets: Vec<(u64, &[u8])> = sent.iter().map(|frame| (0, &frame[..])).collect();
        packets.push((0, &broken));
        packets.push((0, b"no header"));
        let set = CaptureSet::new(vec![capture(&packets)], 128);
        let want = sent.iter().map(|frame| parse(frame).1).collect();
        assert_eq!(set.destinations(), want);
    }

    #[test]
    fn a_capture_without_packets() {
        let set = CaptureSet::new(vec![capture(&[])], 128);
        assert!(set.is_empty() && set.destinations().is_empty());
        assert_eq!(
            (set.times(), set.mean_len(), set.longest()),
            ((vec![], 0), 0.0, 0)
        );
    }
}

/// The frames of this traffic, and what the stack makes of each: protocol and destination, checksums
/// verified.
fn described(traffic: &Traffic, n: usize) -> Vec<Vec<u8>> {
    frames(&mut Sequence::draw_frames(traffic, n), n)
}

#[test]
fn signatures_are_in_the_payload_and_checksums_stay_right() {
    for (family, size, signed) in [
        (Family::V4, 64, true),
        (Family::V6, 66, false),
        (Family::V6, 81, false),
        (Family::V6, 82, true),
        (Family::Mixed, 1518, true),
    ] {
        let traffic = Traffic {
            family,
            population_family: family,
            frame_size: FrameSize::Fixed(size),
            signed: true,
            ..traffic()
        };
        let mut numbers = HashMap::new();
        // Twice round: numbers go on.
        let mut sequence = Sequence::draw_frames(&traffic, 300);
        for frame in frames(&mut sequence, 600) {
            let (_, destination, ..) = parse(&frame);
            let payload = &frame[if destination.is_ipv6() { 62 } else { 42 }..];
            match Signature::read(payload) {
                Some(signature) if signed => {
                    let Signature {
                        number,
                        hash,
                        stream,
                    } = signature.unwrap();
                    assert_eq!(stream, 0);
                    let next = numbers
                        .entry(class(hash, destination.is_ipv6()))
                        .or_insert(0);
                    assert_eq!(number, *next, "in its class");
                    *next += 1;
                    let toeplitz = Toeplitz::new(&RssKey::default());
                    assert_eq!(hash, flow_hash(&toeplitz, &frame));
                }
                said => assert!(said.is_none() && !signed, "{said:?} {family} {size}"),
            }
        }
        assert_eq!(sequence.numbered(0), if signed { 600 } else { 0 });
        assert!(!signed || numbers.len() > 100, "{} classes", numbers.len());
    }
}

#[test]
fn what_frames_carry_is_valid_and_in_proportion() {
    for family in [Family::V4, Family::V6] {
        for size in [64, 128, 1518] {
            let traffic = Traffic {
                family,
                population_family: family,
                frame_size: FrameSize::Fixed(size),
                protocols: "udp:2,tcp-syn:1,icmp-echo:1".parse().unwrap(),
                ..traffic()
            };
            let mut counts = HashMap::new();
            for frame in described(&traffic, 400) {
                let ethernet = parse_ethernet(&frame).unwrap();
                assert!(frame.len() + 4 >= usize::from(size));
                let protocol = if family == Family::V4 {
                    let ip = parse_ipv4(ethernet.payload).unwrap();
                    assert_eq!(ip.payload.len() + 34, frame.len());
                    match ip.header.protocol {
                        IpProtocol::TCP => parse_tcp(ip.payload)
                            .unwrap()
                            .verify_checksum_ipv4(ip.source(), ip.destination())
                            .unwrap(),
                        IpProtocol::ICMPV4 => assert!(parse_icmpv4(ip.payload).is_ok()),
                        _ => drop(parse(&frame)),
                    }
                    ip.header.protocol
                } else {
                    let ip = parse_ipv6(ethernet.payload).unwrap();
                    assert_eq!(ip.payload.len() + 54, frame.len());
                    match ip.header.next_header {
                        IpProtocol::TCP => parse_tcp(ip.payload)
                            .unwrap()
                            .verify_checksum_ipv6(ip.source(), ip.destination())
                            .unwrap(),
                        IpProtocol::ICMPV6 => {
                            assert!(
                                parse_icmpv6(ip.payload, ip.source(), ip.destination()).is_ok()
                            );
                        }
                        _ => drop(parse(&frame)),
                    }
                    ip.header.next_header
                };
                *counts.entry(protocol).or_insert(0) += 1;
            }
            let icmp = if family == Family::V4 {
                IpProtocol::ICMPV4
            } else {
                IpProtocol::ICMPV6
            };
            let want = [(IpProtocol::UDP, 200), (IpProtocol::TCP, 100), (icmp, 100)];
            assert_eq!(counts, HashMap::from(want), "{family} {size}");
        }
    }
}

#[test]
fn two_fragments_are_a_datagram() {
    for (family, size) in [
        (Family::V4, 64),
        (Family::V4, 1500),
        (Family::V6, 64),
        (Family::V6, 1501),
    ] {
        let traffic = Traffic {
            family,
            population_family: family,
            frame_size: FrameSize::Fixed(size),
            protocols: "fragments".parse().unwrap(),
            ..traffic()
        };
        for pair in described(&traffic, 20).chunks_exact(2) {
            let [first, last] = pair else { unreachable!() };
            // Each of the size that was asked for, or of the least there is room in.
            let least = if family == Family::V4 { 64 } else { 82 };
            for frame in [first, last] {
                assert_eq!(frame.len() + 4, usize::from(size).max(least));
            }
            let offset = if family == Family::V4 { 34 } else { 62 };
            let end = 14
                + if family == Family::V4 {
                    parse_ipv4(&first[14..]).unwrap().header.total_length.get()
                } else {
                    40 + parse_ipv6(&first[14..])
                        .unwrap()
                        .header
                        .payload_length
                        .get()
                };
            let mut datagram = first[offset..end.into()].to_vec();
            datagram.extend_from_slice(&last[offset..]);
            let udp = parse_udp(&datagram).unwrap();
            assert_eq!(usize::from(udp.header.length.get()), datagram.len());
            if family == Family::V4 {
                let [a, b] = [first, last].map(|frame| parse_ipv4(&frame[14..]).unwrap());
                assert!(a.more_fragments() && !b.more_fragments());
                assert_eq!(
                    (a.fragment_offset(), b.fragment_offset()),
                    (0, a.payload.len())
                );
                assert_eq!(a.header.identification, b.header.identification);
                udp.verify_checksum_ipv4(a.source(), a.destination())
                    .unwrap();
            } else {
                let [a, b] = [first, last].map(|frame| parse_ipv6(&frame[14..]).unwrap());
                // RFC 8200 section 4.5: next header, reserved, offset and more, identification.
                let (a_header, b_header) = (&a.payload[..8], &b.payload[..8]);
                assert_eq!((a_header[0], a_header[3] & 1, b_header[3] & 1), (17, 1, 0));
                let at = u16::from_be_bytes([b_header[2], b_header[3]]) & 0xfff8;
                assert_eq!(usize::from(at), a.payload.len() - 8);
                assert_eq!(a_header[4..], b_header[4..]);
                udp.verify_checksum_ipv6(a.source(), a.destination())
                    .unwrap();
            }
        }
    }
}

#[test]
fn malformed_frames_are_malformed_and_others_are_not() {
    let traffic = Traffic {
        malformed: 0.25,
        signed: true,
        ..traffic()
    };
    let mut wrong = 0;
    for frame in described(&traffic, 4000) {
        let ethernet = parse_ethernet(&frame).unwrap();
        let right = match ethernet.header.ethertype() {
            EtherType::IPV4 => parse_ipv4(ethernet.payload).is_ok(),
            _ => parse_ipv6(ethernet.payload).is_ok(),
        };
        wrong += u32::from(!right);
    }
    assert!((900..1100).contains(&wrong), "{wrong}");
}

#[test]
fn tags_are_between_addresses_and_type() {
    let tagged = Traffic {
        vlan: vec![10, 100],
        frame_size: FrameSize::Fixed(128),
        signed: true,
        ..traffic()
    };
    let mut sequence = Sequence::draw_frames(&tagged, 50);
    for frame in frames(&mut sequence, 50) {
        assert_eq!(frame.len(), 124);
        assert_eq!(frame[12..20], [0x81, 0, 0, 10, 0x81, 0, 0, 100]);
        let untagged = [&frame[..12], &frame[20..]].concat();
        parse(&untagged);
    }
    assert_eq!(sequence.numbered(0), 50);
}

#[test]
fn a_hot_set_moves_and_a_sequence_goes_round() {
    let mut random = stream(1, "picks");
    let hot = Destinations::Hot { set: 4, frames: 50 };
    let mut picker = DestinationPicker::new(hot, 10, &mut random);
    for round in 0..5u32 {
        let drawn: HashSet<u32> = (0..50).map(|_| picker.draw(&mut random)).collect();
        let want: HashSet<u32> = (0..4).map(|i| (round * 4 + i) % 10).collect();
        assert_eq!(drawn, want);
    }
    let mut picker = DestinationPicker::new(Destinations::Sequential, 3, &mut random);
    let drawn: Vec<u32> = (0..7).map(|_| picker.draw(&mut random)).collect();
    assert_eq!(drawn, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn a_genome_keeps_its_order() {
    let traffic = Traffic {
        family: Family::V4,
        population_family: Family::V4,
        frame_size: "genome:2abg".parse().unwrap(),
        ..traffic()
    };
    let sizes: Vec<usize> = described(&traffic, 9)
        .iter()
        .map(|frame| frame.len() + 4)
        .collect();
    assert_eq!(sizes, [64, 64, 128, 1518, 64, 64, 128, 1518, 64]);
}

#[test]
fn streams_come_in_the_order_of_their_times() {
    let ms = |ms: u64| ms * 1_000_000;
    let cbr = |pps| Schedule::new(Arrival::Cbr, pps, 1);
    let plan = Plan::new([(cbr(1000.0), ms(2)..u64::MAX), (cbr(2000.0), 0..ms(4))]);
    let mut taken = plan.clone();
    let mut all = Vec::new();
    while let Some((time, stream)) = taken.next_before(ms(6)) {
        all.push((time / 100_000, stream));
    }
    assert_eq!(
        all,
        [
            (0, 1),
            (5, 1),
            (10, 1),
            (15, 1),
            (20, 0),
            (20, 1),
            (25, 1),
            (30, 0),
            (30, 1),
            (35, 1),
            (40, 0),
            (50, 0)
        ]
    );
    assert_eq!(
        (plan.due_before(ms(6), u64::MAX), plan.due_before(ms(6), 5)),
        (12, 5)
    );
    let of_each = [0, 1, 2].map(|stream| plan.due_of_stream(stream, ms(6)));
    assert_eq!(of_each, [4, 8, 0]);
    assert_eq!(taken.next_before(ms(6)), None);
    assert_eq!(
        taken.due_before(ms(6), u64::MAX),
        12,
        "however many were taken"
    );
}

#[test]
fn on_and_off() {
    let arrival: Arrival = "onoff:1ms:3ms".parse().unwrap();
    let schedule = Schedule::new(arrival, 1000.0, 1);
    // Four a period of 4 ms, all in its first.
    let times: Vec<u64> = (0..9).map(|n| schedule.at(n) / 1000).collect();
    assert_eq!(times, [0, 250, 500, 750, 4000, 4250, 4500, 4750, 8000]);
    assert_eq!(schedule.due_before(1_000_000_000, u64::MAX), 1000);
}

#[test]
fn a_stream_has_endpoints_of_its_own_family_only() {
    let traffic = |family| Traffic {
        family,
        ..traffic()
    };
    let endpoints: HashSet<IpAddr> = AddressPlan::new(Family::Mixed, 1000).iter().collect();
    let v4 = described(&traffic(Family::V4), 300);
    let mut sequence = Sequence::draw_streams(&[traffic(Family::V4), traffic(Family::V6)]);
    let pool = pool(64);
    let mut cache = pool.cache();
    for (stream, is_v6) in [(0, false), (1, true)] {
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, 64);
        sequence.fill(stream, &mut burst);
        for frame in &burst {
            let (_, destination, ..) = parse(frame.data());
            assert_eq!(destination.is_ipv6(), is_v6);
            assert!(endpoints.contains(&destination));
        }
        cache.recycle_burst(&mut burst);
    }
    assert!(v4.iter().all(|frame| endpoints.contains(&parse(frame).1)));
}

#[test]
fn a_capture_of_what_would_be_sent_is_what_is_sent() {
    let traffic = Traffic {
        signed: true,
        ..traffic()
    };
    let sequence = Sequence::draw_frames(&traffic, 100);
    let plan = || Plan::from(Schedule::new(Arrival::Poisson, 100_000.0, 3));
    let interrupt = Interrupt::default();
    let write = |most| {
        let mut out = PcapWriter::new(Vec::new()).unwrap();
        let source = &mut sequence.clone();
        let written = write_capture(source, plan(), 5_000_000, most, &interrupt, &mut out).unwrap();
        (written, out.into_inner().unwrap())
    };
    let (written, bytes) = write(u64::MAX);
    let (few, front) = write(7);
    assert!(few == 7 && written > 7 && bytes.starts_with(&front));
    interrupt.raise();
    assert_eq!(write(u64::MAX).0, 0, "nobody waits for the rest");
    let capture = corelane::io::pcap::Capture::from_bytes("out", bytes).unwrap();

    let clock = Clock::told();
    let (link, handle) = GeneratorLink::new(sequence, clock);
    let (mut queue, pool) = (link.into_queue(), pool(512));
    let mut cache = pool.cache();
    handle.run(window(&Pace::Planned(plan()), 5));
    let mut sent = Vec::new();
    let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 700), |burst| {
        let frames = burst.iter();
        sent.extend(frames.map(|frame| (frame.rx_time() as i64, frame.data().to_vec())));
    });
    assert_eq!((written, totals.emitted), (totals.intended, written));
    let captured: Vec<_> = capture
        .packets()
        .map(|packet| (packet.time_ns(), packet.payload().to_vec()))
        .collect();
    assert_eq!(captured.len(), sent.len());
    for (captured, sent) in captured.iter().zip(&sent) {
        assert_eq!(captured.0, sent.0);
        assert_eq!(captured.1, sent.1);
    }
}

#[test]
fn each_stream_is_counted_apart_and_known_by_its_frames() {
    let traffic = |family| Traffic {
        family,
        population_family: family,
        signed: true,
        ..traffic()
    };
    // IPv6 frames of 64 bytes have no numbers.
    let sequence = Sequence::draw_streams(&[traffic(Family::V4), traffic(Family::V6)]);
    let clock = Clock::told();
    let (link, handle) = GeneratorLink::new(sequence, clock);
    let (mut queue, pool) = (link.into_queue(), pool(512));
    let mut cache = pool.cache();
    let cbr = |pps| Schedule::new(Arrival::Cbr, pps, 1);
    let pace = Pace::Planned(Plan::new([
        (cbr(10_000.0), 0..u64::MAX),
        (cbr(20_000.0), 2_000_000..u64::MAX),
    ]));
    for _ in 0..2 {
        handle.run(window(&pace, 5));
        let mut v4 = 0;
        let totals = poll_window(&mut queue, &handle, (&mut cache, clock, 700), |burst| {
            for frame in burst.iter().filter(|frame| !is_v6(frame.data())) {
                let signature = Signature::read(&frame.data()[42..]).unwrap().unwrap();
                assert_eq!(signature.stream, 0);
                v4 += 1;
            }
        });
        let stream = |frames, numbered| StreamTotals {
            intended: frames,
            emitted: frames,
            numbered,
            pool_empty: 0,
        };
        assert_eq!(handle.streams(), [stream(50, 50), stream(60, 0)]);
        assert_eq!((totals.emitted, totals.numbered, v4), (110, 50, 50));
    }
    // None is polled in time: all are late.
    handle.run(window(&pace, 5));
    queue.rx_burst(&mut cache, &mut Burst::new()).unwrap();
    clock.advance(1_000_000_000);
    queue.rx_burst(&mut cache, &mut Burst::new()).unwrap();
    assert!(handle.ended().is_some());
    let late: Vec<u64> = handle.streams().iter().map(StreamTotals::late).collect();
    // The first one was due at once.
    assert_eq!(late, [49, 60]);
}

#[test]
fn a_signature_says_its_stream_or_that_it_was_changed() {
    for stream in 0..STREAMS as u8 {
        let signature = Signature {
            number: 7,
            hash: 9,
            stream,
        };
        let bytes = signature.bytes();
        assert_eq!(Signature::read(&bytes), Some(Ok(signature)));
        for at in 12..16 {
            for bit in 0..8 {
                let mut bytes = bytes;
                bytes[at] ^= 1 << bit;
                assert_eq!(
                    Signature::read(&bytes),
                    Some(Err(Corrupt)),
                    "{stream} {at} {bit}"
                );
            }
        }
    }
    let unknown = Signature {
        number: 7,
        hash: 9,
        stream: STREAMS as u8,
    };
    assert_eq!(Signature::read(&unknown.bytes()), Some(Err(Corrupt)));
}

#[test]
fn links_are_given_what_has_a_header_and_fits_them() {
    let mut out = PcapWriter::new(Vec::new()).unwrap();
    for len in [1, 13, 14, 60, 100, 101] {
        out.write(0, &vec![7; len]).unwrap();
    }
    let bytes = out.into_inner().unwrap();
    let capture = || corelane::io::pcap::Capture::from_bytes("all", bytes.clone()).unwrap();
    let set = CaptureSet::of_links(vec![capture()], 100);
    assert_eq!((set.len(), set.too_short(), set.too_large()), (3, 2, 1));
    let set = CaptureSet::new(vec![capture()], 0);
    assert_eq!((set.len(), set.too_short(), set.too_large()), (6, 0, 0));
}
