//! What does changing addresses cost, with a million of them present: to whoever changes them
//! (time to publish one more, time and memory for adding all of them one by one, time to remove
//! any), and to a worker while another core makes 100,000 changes per second?

use std::cell::{Cell, RefCell};
use std::fs;
use std::hint;
use std::net::IpAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use cap::Cap;
use corelane_benches::bed::{Bed, BedConfig};
use corelane_benches::harness::{
    Average, Bench, Bound, Budget, Sample, Size, Stop, beside, have_two_cores, median,
    of_this_thread, quantile,
};
use corelane_benches::naive::{Naive, NaiveNic};
use corelane_benches::random::Random;
use corelane_benches::traffic::{Draw, Frames, Mix, Population};
use mimalloc::MiMalloc;

/// As in the binaries, and counting bytes.
#[global_allocator]
static ALLOCATOR: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

/// The changes of one sample.
const CHANGES: u32 = 1_000;

/// Addresses that come and go beside those that stay.
const COMERS: u32 = 10_000;

/// Changes per second.
const RATE: f64 = 100_000.0;

fn main() -> ExitCode {
    Bench::main("churn", |bench| {
        // First, while the allocator holds no memory of others.
        one_by_one(bench);
        single_changes(bench);
        for (name, full, tiny) in [
            ("1k", 1_000, 100),
            ("100k", 100_000, 300),
            ("1m", 1_000_000, 500),
        ] {
            beside_a_worker(bench, name, full, tiny);
        }
    })
}

const fn million(size: Size) -> Population {
    Population {
        mix: Mix::Mixed,
        len: size.pick(1_000_000, 500),
    }
}

/// What can have its addresses changed.
trait Addresses {
    fn add(&self, address: IpAddr) -> bool;
    fn remove(&self, address: IpAddr) -> bool;
}

impl Addresses for Bed {
    fn add(&self, address: IpAddr) -> bool {
        self.nic.add_address(address).is_ok()
    }

    fn remove(&self, address: IpAddr) -> bool {
        self.nic.remove_address(address).is_ok()
    }
}

impl Addresses for NaiveNic {
    fn add(&self, address: IpAddr) -> bool {
        self.add_address(address)
    }

    fn remove(&self, address: IpAddr) -> bool {
        self.remove_address(address)
    }
}

/// Every latency of a case, for the quantiles that medians of samples do not tell.
type Latencies = Rc<RefCell<Vec<f64>>>;

/// The median of single changes, each timed on its own, with a million addresses present.
fn single_changes(bench: &mut Bench) {
    let (ours, naive) = (Latencies::default(), Latencies::default());
    let (to_ours, to_naive) = (Rc::clone(&ours), Rc::clone(&naive));
    let measured = bench
        .group("churn-add-one")
        .case("ours", |size| {
            adds(Bed::new(BedConfig::alone(million(size))), size, to_ours)
        })
        .case("naive", |size| {
            adds(NaiveNic::with(million(size)), size, to_naive)
        })
        .run();
    percentiles(bench, "churn-add-one/ours", &ours);
    percentiles(bench, "churn-add-one/naive", &naive);
    bench.figure(
        "publishing one added address, 1,000,000 present",
        &[(
            "µs, median",
            measured.ns("ours").map(|ns| ns / 1e3),
            Bound::AtMost(5.0),
        )],
    );

    let (ours, naive) = (Latencies::default(), Latencies::default());
    let (to_ours, to_naive) = (Rc::clone(&ours), Rc::clone(&naive));
    let measured = bench
        .group("churn-remove-one")
        .case("ours", |size| {
            removes(Bed::new(BedConfig::alone(million(size))), size, to_ours)
        })
        .case("naive", |size| {
            removes(NaiveNic::with(million(size)), size, to_naive)
        })
        .run();
    percentiles(bench, "churn-remove-one/ours", &ours);
    percentiles(bench, "churn-remove-one/naive", &naive);
    bench.figure(
        "removing any of 1,000,000 addresses",
        &[(
            "µs, median",
            measured.ns("ours").map(|ns| ns / 1e3),
            Bound::AtMost(5.0),
        )],
    );
}

fn percentiles(bench: &mut Bench, name: &str, latencies: &Latencies) {
    let mut latencies = latencies.borrow_mut();
    if !latencies.is_empty() {
        bench.value(
            format!("{name} p99"),
            quantile(&mut latencies, 0.99) / 1e3,
            "µs",
        );
        bench.value(
            format!("{name} p99.9"),
            quantile(&mut latencies, 0.999) / 1e3,
            "µs",
        );
    }
}

/// Times `change` alone.
fn timed(change: impl FnOnce() -> bool) -> f64 {
    let start = Instant::now();
    let changed = change();
    let time = start.elapsed();
    assert!(changed);
    time.as_nanos() as f64
}

fn sample_of(mut times: Vec<f64>, all: &Latencies) -> Sample {
    all.borrow_mut().extend(&times);
    Sample {
        operations: times.len() as u64,
        ns_per_op: median(&mut times),
    }
}

/// Adds addresses that are not there; takes them away again when nothing is measured.
fn adds(to: impl Addresses, size: Size, all: Latencies) -> impl FnMut(Budget) -> Sample {
    let population = million(size);
    let news = population.len..population.len + size.pick(CHANGES, 50);
    move |_| {
        let address = |number| population.address(number);
        let times = news
            .clone()
            .map(|new| timed(|| to.add(address(new))))
            .collect();
        news.clone()
            .for_each(|new| assert!(to.remove(address(new))));
        sample_of(times, &all)
    }
}

/// Removes addresses at random; adds them again when nothing is measured.
fn removes(from: impl Addresses, size: Size, all: Latencies) -> impl FnMut(Budget) -> Sample {
    let population = million(size);
    let mut random = Random::new(11);
    move |_| {
        let mut numbers: Vec<u32> = (0..population.len).collect();
        random.shuffle(&mut numbers);
        numbers.truncate(size.pick(CHANGES, 50) as usize);
        let address = |number: &u32| population.address(*number);
        let times = numbers
            .iter()
            .map(|number| timed(|| from.remove(address(number))))
            .collect();
        numbers
            .iter()
            .for_each(|number| assert!(from.add(address(number))));
        sample_of(times, &all)
    }
}

/// Adds a million addresses to an empty NIC, each with a publish of its own.
fn one_by_one(bench: &mut Bench) {
    let population = million(bench.size());
    let each = |bytes: f64| bytes / f64::from(population.len);
    if bench.wants("churn-add-all/ours") {
        let mut seconds = Vec::new();
        let mut bytes = Vec::new();
        let mut resident = Vec::new();
        let mut processor = Vec::new();
        for _ in 0..bench.rounds().min(3) {
            let bed = Bed::new(BedConfig::alone(Population {
                len: 0,
                ..population
            }));
            let before = Footprint::now();
            let ran = of_this_thread().ran_ns;
            seconds.push(add_all(&bed, population));
            processor.push((of_this_thread().ran_ns - ran) as f64 / 1e9);
            let after = Footprint::now();
            assert_eq!(bed.nic.endpoint_count(), population.len as usize);
            let heap = after.heap - before.heap;
            let mapped = bed.nic.endpoint_bytes() as f64;
            bytes.push((each(heap + mapped), each(heap), each(mapped)));
            resident.push(each(after.resident - before.resident));
        }
        let seconds = median(&mut seconds);
        let mut sums: Vec<f64> = bytes.iter().map(|(sum, ..)| *sum).collect();
        let sum = median(&mut sums);
        let processor = median(&mut processor);
        bench.value("churn-add-all/ours", seconds, "s");
        bench.value("churn-add-all/ours processor time", processor, "s");
        for (what, value) in [
            ("bytes each", sum),
            // Table pages, directory and snapshots; the allocator rounds up what it is asked for.
            ("bytes each on the heap", bytes[0].1),
            // Endpoints live in mappings of their own, which grow by doubling.
            ("bytes each mapped for endpoints", bytes[0].2),
            // What the process grew by, and kept: touched pages only, with what the allocator
            // holds of freed pages.
            ("bytes each by resident pages, first run", resident[0]),
        ] {
            bench.value(format!("churn-add-all/ours {what}"), value, "B");
        }
        bench.figure(
            "adding 1,000,000 addresses one by one",
            &[
                ("s", Some(seconds), Bound::AtMost(3.0)),
                // The same where nobody else wants the core; 0 where it is not known.
                (
                    "s of the processor",
                    Some(processor).filter(|s| *s > 0.0),
                    Bound::AtMost(3.0),
                ),
            ],
        );
        bench.figure(
            "memory of an address",
            &[("B each", Some(sum), Bound::AtMost(128.0))],
        );
    }
    if bench.wants("churn-add-all/naive") {
        let nic = NaiveNic::default();
        let before = Footprint::now();
        let seconds = add_all(&nic, population);
        let after = Footprint::now();
        bench.value("churn-add-all/naive", seconds, "s");
        bench.value(
            "churn-add-all/naive bytes each",
            each(after.heap - before.heap),
            "B",
        );
        drop(nic);
    }
}

/// Seconds for adding all addresses.
fn add_all(to: &impl Addresses, population: Population) -> f64 {
    let start = Instant::now();
    population
        .addresses()
        .for_each(|address| assert!(to.add(address)));
    start.elapsed().as_secs_f64()
}

/// What the process has of memory, in bytes.
struct Footprint {
    heap: f64,
    resident: f64,
}

impl Footprint {
    fn now() -> Self {
        // In pages of 4 KiB; 0 where there is no such file.
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: f64 = statm
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse().ok())
            .unwrap_or_default();
        Self {
            heap: ALLOCATOR.allocated() as f64,
            resident: pages * 4096.0,
        }
    }
}

/// The rate of a worker alone while the other core changes addresses, and while it does not.
///
/// The ring is filled on the worker's core while nothing is measured, and changes go on meanwhile:
/// per packet there are more changes than the rate says, so the cost is told somewhat too high.
fn beside_a_worker(bench: &mut Bench, name: &str, full: u32, tiny: u32) {
    let population = Population {
        mix: Mix::Mixed,
        len: bench.size().pick(full, tiny),
    };
    let laid_out = bench
        .size()
        .pick((full as usize).next_power_of_two().max(1 << 16), 1 << 10);
    let group = format!("churn-worker-{name}");
    let config = BedConfig {
        laid_out,
        ..BedConfig::alone(population)
    };
    // Both cases measure the same objects; made when the first of them is asked for.
    let bed: Rc<RefCell<Option<Bed>>> = Rc::default();
    let naive: Rc<RefCell<Option<Naive>>> = Rc::default();
    let achieved: Rc<Cell<(u64, f64)>> = Rc::default();
    let ours = |rate: f64| {
        let (bed, achieved) = (Rc::clone(&bed), Rc::clone(&achieved));
        move |_: Size| {
            bed.borrow_mut().get_or_insert_with(|| Bed::new(config));
            move |budget: Budget| {
                // A change hits few rounds, and those count in full.
                let budget = budget.by(Average::Mean);
                let mut bed = bed.borrow_mut();
                let bed = bed.as_mut().expect("made by the set-up");
                let nic = bed.nic.clone();
                let churner = Churner::new(population, rate);
                let change = |add, address: IpAddr| {
                    if add {
                        nic.add_address(address).is_ok()
                    } else {
                        nic.remove_address(address).is_ok()
                    }
                };
                let (changes, sample) = beside(
                    |stop| churner.run(stop, change),
                    || bed.sample_alone(budget, |totals| totals.delivered),
                );
                if rate > 0.0 {
                    let (n, seconds) = achieved.get();
                    achieved.set((n + changes.0, seconds + changes.1.as_secs_f64()));
                }
                sample
            }
        }
    };
    let rival = |rate: f64| {
        let naive = Rc::clone(&naive);
        move |_: Size| {
            naive.borrow_mut().get_or_insert_with(|| {
                let draw = Draw {
                    population,
                    hit: true,
                    random: Random::new(7),
                };
                Naive::new(Frames::lay_out(draw, laid_out), population, 1024)
            });
            move |budget: Budget| {
                // A change hits few rounds, and those count in full.
                let budget = budget.by(Average::Mean);
                let mut naive = naive.borrow_mut();
                let naive = naive.as_mut().expect("made by the set-up");
                let nic = naive.nic();
                let churner = Churner::new(population, rate);
                let change = |add, address| {
                    if add {
                        nic.add_address(address)
                    } else {
                        nic.remove_address(address)
                    }
                };
                beside(
                    |stop| churner.run(stop, change),
                    || naive.sample_alone(budget),
                )
                .1
            }
        }
    };
    let measured = bench
        .group(group.clone())
        .two_cores()
        .case("ours-no-changes", ours(0.0))
        .case("ours-100k-changes", ours(RATE))
        .case("naive-no-changes", rival(0.0))
        .case("naive-100k-changes", rival(RATE))
        .run();
    let (changes, seconds) = achieved.get();
    if changes > 0 {
        bench.value(
            format!("{group}/ours changes made"),
            changes as f64 / seconds,
            "per second",
        );
    }
    for who in ["ours", "naive"] {
        let (with, without) = (format!("{who}-100k-changes"), format!("{who}-no-changes"));
        if let Some(percent) = measured.percent(&with, &without) {
            bench.value(format!("{group}/{who} rate under changes"), percent, "%");
        }
    }
    bench.figure(
        &format!("worker beside 100,000 changes per second, {name} endpoints"),
        &[(
            "% of its rate without",
            measured.percent("ours-100k-changes", "ours-no-changes"),
            Bound::AtLeast(90.0),
        )],
    );
}

/// Adds and removes addresses that get no traffic, at a steady rate.
struct Churner {
    population: Population,
    rate: f64,
}

impl Churner {
    fn new(population: Population, rate: f64) -> Self {
        Self { population, rate }
    }

    /// Changes made, and the time it took. Whatever was added is removed again.
    fn run(&self, stop: &mut Stop<'_>, change: impl Fn(bool, IpAddr) -> bool) -> (u64, Duration) {
        let start = Instant::now();
        let mut there = vec![false; COMERS as usize];
        let mut made = 0_u64;
        let mut random = Random::new(5);
        let toggle = |there: &mut bool, number: u32| {
            *there = !*there;
            assert!(change(
                *there,
                self.population.address(self.population.len + number)
            ));
        };
        while !stop.requested() {
            let due = (start.elapsed().as_secs_f64() * self.rate) as u64;
            if made >= due {
                hint::spin_loop();
                if !have_two_cores() {
                    std::thread::yield_now();
                }
                continue;
            }
            let number = random.below(COMERS);
            toggle(&mut there[number as usize], number);
            made += 1;
        }
        let time = start.elapsed();
        for (there, number) in there.iter_mut().zip(0..) {
            if *there {
                toggle(there, number);
            }
        }
        (made, time)
    }
}
