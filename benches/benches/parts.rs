//! What does each part cost per packet beside what would stand in its place: the read of a
//! snapshot, a reference, a counter, a frame's buffer, a lookup? Alone on one core and, where
//! threads share something, with a second one doing the same.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use corelane::frame::{BURST, Burst, Pool, PoolConfig};
use corelane::stack::{Found, Inbound, Key, NicId, PacketBurst, PacketFlags};
use corelane::sync::counters::{CounterKey, counters};
use corelane::sync::refs::{AddressKind, Refs};
use corelane::sync::snapshot::Publisher;
use corelane::wire::IpProtocol;
use corelane_benches::bed;
use corelane_benches::harness::{Bench, Budget, Group, Sample, beside, in_rounds};
use corelane_benches::random::Random;
use corelane_benches::traffic::{Mix, Population, frame_to};
use crossbeam::utils::CachePadded;
use dashmap::DashMap;
use foldhash::fast::RandomState;

/// As in the binaries: the rivals get the same good allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bursts between two looks at the clock.
const BURSTS: usize = 64;

fn main() -> ExitCode {
    Bench::main("parts", |bench| {
        for shared in [false, true] {
            snapshot(bench, shared);
            reference(bench, shared);
            counter(bench, shared);
        }
        pool(bench);
        for (name, full, tiny) in [
            ("1k", 1_000, 100),
            ("100k", 100_000, 300),
            ("1m", 1_000_000, 500),
        ] {
            lookup(bench, name, full, tiny);
        }
    })
}

/// A group of cases that run alone, or beside a second thread that does the same.
fn group<'b>(bench: &'b mut Bench, part: &str, shared: bool) -> Group<'b, 'static> {
    if shared {
        bench.group(format!("parts-{part}-two-threads")).two_cores()
    } else {
        bench.group(format!("parts-{part}"))
    }
}

/// Measures what does one burst per call; `make` is called for each thread.
fn per_packet<F: FnMut() + Send>(
    shared: bool,
    make: impl Fn() -> F,
) -> impl FnMut(Budget) -> Sample {
    let mut main = make();
    let mut other = make();
    move |budget| {
        let mut measure = || {
            in_rounds(budget, || {
                let start = Instant::now();
                for _ in 0..BURSTS {
                    main();
                }
                ((BURSTS * BURST) as u64, start.elapsed())
            })
        };
        if !shared {
            return measure();
        }
        let run = |stop: &mut corelane_benches::harness::Stop<'_>| {
            while !stop.requested() {
                other();
            }
        };
        beside(run, measure).1
    }
}

/// Does `packet` for each packet of a burst. What it returns counts as used.
#[inline]
fn burst(mut packet: impl FnMut() -> u64) {
    for _ in 0..BURST {
        black_box(packet());
    }
}

fn snapshot(bench: &mut Bench, shared: bool) {
    group(bench, "snapshot", shared)
        .case("reader-per-burst", move |_| {
            let publisher: Publisher<u64> = Publisher::new(7);
            let handle = publisher.handle();
            let body = per_packet(shared, move || {
                let mut reader = handle.reader();
                move || {
                    let snapshot = reader.load();
                    burst(|| *black_box(snapshot));
                }
            });
            keeping(publisher, body)
        })
        .case("arc-swap-load-per-packet", move |_| {
            let swap = Arc::new(ArcSwap::from_pointee(7_u64));
            per_packet(shared, move || {
                let swap = Arc::clone(&swap);
                move || burst(|| **swap.load())
            })
        })
        .case("arc-swap-load-full-per-packet", move |_| {
            let swap = Arc::new(ArcSwap::from_pointee(7_u64));
            per_packet(shared, move || {
                let swap = Arc::clone(&swap);
                move || burst(|| *swap.load_full())
            })
        })
        .case("rwlock-per-packet", move |_| {
            let lock = Arc::new(RwLock::new(7_u64));
            per_packet(shared, move || {
                let lock = Arc::clone(&lock);
                move || burst(|| *lock.read().unwrap_or_else(PoisonError::into_inner))
            })
        })
        .run();
}

/// The body, with something that has to live as long.
fn keeping<K>(keep: K, mut body: impl FnMut(Budget) -> Sample) -> impl FnMut(Budget) -> Sample {
    move |budget| {
        let _keep = &keep;
        body(budget)
    }
}

/// All packets of a burst, of both threads, are for one endpoint.
fn reference(bench: &mut Bench, shared: bool) {
    let endpoint = || {
        let refs = Arc::new(CachePadded::new(Refs::zeroed()));
        refs.reset(AddressKind::Permanent);
        refs
    };
    group(bench, "reference", shared)
        .case("looked-at-per-packet", move |_| {
            let refs = endpoint();
            per_packet(shared, move || {
                let refs = Arc::clone(&refs);
                move || burst(|| u64::from(refs.load().is_assigned()))
            })
        })
        .case("taken-per-burst", move |_| {
            let refs = endpoint();
            per_packet(shared, move || {
                let refs = Arc::clone(&refs);
                move || {
                    assert!(refs.try_acquire_many(BURST as u32));
                    burst(|| u64::from(refs.load().is_assigned()));
                    let _ = refs.release_many(BURST as u32);
                }
            })
        })
        .case("taken-per-packet", move |_| {
            let refs = endpoint();
            per_packet(shared, move || {
                let refs = Arc::clone(&refs);
                move || {
                    burst(|| {
                        let taken = refs.try_acquire();
                        let _ = refs.release();
                        u64::from(taken)
                    });
                }
            })
        })
        .case("arc-per-packet", move |_| {
            let endpoint = Arc::new(CachePadded::new(7_u64));
            per_packet(shared, move || {
                let endpoint = Arc::clone(&endpoint);
                move || burst(|| **black_box(Arc::clone(&endpoint)))
            })
        })
        .run();
}

#[derive(Clone, Copy)]
struct Packets;

impl CounterKey for Packets {
    const COUNT: usize = 1;

    fn index(self) -> usize {
        0
    }
}

fn counter(bench: &mut Bench, shared: bool) {
    group(bench, "counter", shared)
        .case("own-line", move |_| {
            per_packet(shared, || {
                let (mut writer, _reader) = counters::<Packets>();
                move || {
                    burst(|| {
                        writer.add(Packets, 1);
                        0
                    });
                }
            })
        })
        .case("shared-fetch-add", move |_| {
            let counter = Arc::new(CachePadded::new(AtomicU64::new(0)));
            per_packet(shared, move || {
                let counter = Arc::clone(&counter);
                move || burst(|| counter.fetch_add(1, Ordering::Relaxed))
            })
        })
        .run();
}

/// A buffer taken, one line of it written, and given back.
fn pool(bench: &mut Bench) {
    let line = frame_to(
        Population {
            mix: Mix::V4,
            len: 1,
        }
        .address(0),
    )
    .0;
    let pool = || {
        let slots = PoolConfig::slots_for(1024, 1);
        Pool::new(PoolConfig {
            slots,
            ..PoolConfig::default()
        })
        .expect("a pool")
    };
    bench
        .group("parts-buffer")
        .case("pool-burst", move |_| {
            let mut cache = pool().cache();
            per_burst(move |bursts| {
                let mut frames = Burst::new();
                for _ in 0..bursts {
                    assert_eq!(cache.alloc_burst(&mut frames, BURST), BURST);
                    frames
                        .iter_mut()
                        .for_each(|frame| assert!(frame.set_data(&line).is_ok()));
                    cache.recycle_burst(&mut frames);
                }
            })
        })
        .case("pool-one-by-one", move |_| {
            let mut cache = pool().cache();
            per_burst(move |bursts| {
                let mut frames = Burst::new();
                for _ in 0..bursts {
                    while let (false, Some(mut frame)) = (frames.is_full(), cache.alloc()) {
                        assert!(frame.set_data(&line).is_ok());
                        frames.push(frame);
                    }
                    frames.drain(..).for_each(|frame| cache.recycle(frame));
                }
            })
        })
        .case("vec-2048", move |_| vectors(2048, line))
        .case("vec-64", move |_| vectors(64, line))
        .run();
}

/// Measures what does as many bursts as it is told.
fn per_burst(mut body: impl FnMut(usize)) -> impl FnMut(Budget) -> Sample {
    move |budget| {
        in_rounds(budget, || {
            let start = Instant::now();
            body(BURSTS);
            ((BURSTS * BURST) as u64, start.elapsed())
        })
    }
}

fn vectors(capacity: usize, line: [u8; 64]) -> impl FnMut(Budget) -> Sample {
    let mut vectors: Vec<Vec<u8>> = Vec::with_capacity(BURST);
    per_burst(move |bursts| {
        for _ in 0..bursts {
            for _ in 0..BURST {
                let mut vector = Vec::with_capacity(capacity);
                vector.extend_from_slice(&line);
                vectors.push(black_box(vector));
            }
            vectors.clear();
        }
    })
}

/// Addresses at random among those present: what finding the endpoint of each costs.
fn lookup(bench: &mut Bench, name: &str, full: u32, tiny: u32) {
    let population = Population {
        mix: Mix::Mixed,
        len: bench.size().pick(full, tiny),
    };
    bench
        .group(format!("parts-lookup-{name}"))
        .case("ours-by-burst", move |_| ours(population))
        .case("std-hashmap-siphash", move |_| {
            let map: HashMap<IpAddr, u32> = population.addresses().zip(0..).collect();
            map_lookup(
                population,
                |address| address,
                move |key| map.get(key).copied(),
            )
        })
        .case("std-hashmap-foldhash", move |_| {
            let map: HashMap<u128, u32, RandomState> = population
                .addresses()
                .map(|a| Key::from(a).bits())
                .zip(0..)
                .collect();
            map_lookup(
                population,
                |a| Key::from(a).bits(),
                move |key| map.get(key).copied(),
            )
        })
        .case("dashmap-foldhash", move |_| {
            let map: DashMap<u128, u32, RandomState> = population
                .addresses()
                .map(|a| Key::from(a).bits())
                .zip(0..)
                .collect();
            map_lookup(
                population,
                |a| Key::from(a).bits(),
                move |key| map.get(key).map(|v| *v),
            )
        })
        .run();
}

/// Lookups of one round.
const LOOKUPS: usize = 16 * BURST;

fn map_lookup<K>(
    population: Population,
    key: impl Fn(IpAddr) -> K,
    find: impl Fn(&K) -> Option<u32>,
) -> impl FnMut(Budget) -> Sample {
    let mut random = Random::new(3);
    let mut keys = Vec::with_capacity(LOOKUPS);
    move |budget| {
        in_rounds(budget, || {
            keys.clear();
            let mut draw = || key(population.address(random.below(population.len)));
            keys.extend((0..LOOKUPS).map(|_| draw()));
            let start = Instant::now();
            let found = keys
                .iter()
                .filter(|key| black_box(find(key)).is_some())
                .count();
            let time = start.elapsed();
            assert_eq!(found, LOOKUPS);
            (LOOKUPS as u64, time)
        })
    }
}

/// The NIC's own lookup, which checks the endpoint's kind and count as well.
fn ours(population: Population) -> impl FnMut(Budget) -> Sample {
    let nic = bed::bare_nic(population, NicId(0));
    let mut datapath = nic.datapath();
    let mut random = Random::new(3);
    let mut bursts = vec![PacketBurst::default(); LOOKUPS / BURST];
    let packet = Inbound {
        frame: 0,
        ports: [0; 4],
        protocol: IpProtocol::UDP,
        flags: PacketFlags::V4,
        network: 14,
        transport: 34,
        end: 64,
    };
    let body = move |budget| {
        in_rounds(budget, || {
            for burst in &mut bursts {
                burst.clear();
                for _ in 0..BURST {
                    let address = population.address(random.below(population.len));
                    burst.push(Key::from(address), packet);
                }
            }
            let start = Instant::now();
            for burst in &mut bursts {
                datapath.load().0.lookup(burst);
            }
            let time = start.elapsed();
            for burst in &mut bursts {
                burst.retain(|_, found| found != Found::NOTHING);
                assert_eq!(burst.len(), BURST);
            }
            (LOOKUPS as u64, time)
        })
    };
    keeping(nic, body)
}
