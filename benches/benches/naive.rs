//! How many times what ours needs does the design need that one would write first (a bounded
//! channel, a `Vec<u8>` per frame, a `HashMap` behind an `RwLock`, a reference per packet)? The
//! same traffic, alone on one core and from a generator to a worker across two.

use std::process::ExitCode;

use corelane_benches::bed::{Bed, BedConfig};
use corelane_benches::harness::{Bench, Budget, Sample, Size};
use corelane_benches::naive::Naive;
use corelane_benches::random::Random;
use corelane_benches::traffic::{Draw, Frames, Mix, POINTS, Population};

/// As in the binaries: the rival gets the same good allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RING: usize = 1024;

fn main() -> ExitCode {
    Bench::main("naive", |bench| {
        for (name, full, tiny) in POINTS {
            let population = move |size: Size| Population {
                mix: Mix::Mixed,
                len: size.pick(full, tiny),
            };
            bench
                .group(format!("naive-worker-{name}"))
                .case("ours", move |size| {
                    let mut bed = Bed::new(BedConfig::alone(population(size)));
                    move |budget: Budget| bed.sample_alone(budget, |totals| totals.delivered)
                })
                .case("naive", move |size| {
                    let draw = Draw {
                        population: population(size),
                        hit: true,
                        random: Random::new(7),
                    };
                    let mut naive = Naive::new(Frames::Drawn(draw), population(size), RING);
                    move |budget: Budget| naive.sample_alone(budget)
                })
                .run();
        }
        for (name, full, tiny) in [POINTS[0], POINTS[2]] {
            let population = move |size: Size| Population {
                mix: Mix::Mixed,
                len: size.pick(full, tiny),
            };
            let laid_out = move |size: Size| {
                size.pick((full as usize).next_power_of_two().max(1 << 16), 1 << 10)
            };
            bench
                .group(format!("naive-handover-{name}"))
                .two_cores()
                .case("ours", move |size| {
                    let config = BedConfig {
                        laid_out: laid_out(size),
                        hashed: false,
                        ..BedConfig::alone(population(size))
                    };
                    let mut bed = Bed::new(config);
                    move |budget: Budget| bed.sample_handover(budget)
                })
                .case("naive", move |size| -> Box<dyn FnMut(Budget) -> Sample> {
                    let draw = Draw {
                        population: population(size),
                        hit: true,
                        random: Random::new(7),
                    };
                    let frames = Frames::lay_out(draw, laid_out(size));
                    let mut naive = Naive::new(frames, population(size), RING);
                    Box::new(move |budget| naive.sample_handover(budget))
                })
                .run();
        }
    })
}
