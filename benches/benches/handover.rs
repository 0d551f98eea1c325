//! Which share of the rate of a bare ring between two cores, one line of each frame written and
//! read, is left when a generator, the engine's distributor and a worker with its lookup stand at
//! its ends? 64-byte frames, IPv4 and IPv6 mixed at random, laid out beforehand.

use std::process::ExitCode;

use corelane_benches::bare::Bare;
use corelane_benches::bed::{Bed, BedConfig};
use corelane_benches::harness::{Bench, Bound, Budget, Sample};
use corelane_benches::random::Random;
use corelane_benches::traffic::{Draw, Frames, Mix, Population};

const RING: usize = 1024;

fn main() -> ExitCode {
    Bench::main("handover", |bench| {
        let measured = bench
            .group("handover")
            .two_cores()
            .case("bare-ring", |_| bare(1 << 10))
            .case("engine-1k", |size| {
                engine(size.pick(1_000, 100), size.pick(1 << 16, 1 << 10), false)
            })
            .case("engine-1k-hashed-by-link", |size| {
                engine(size.pick(1_000, 100), size.pick(1 << 16, 1 << 10), true)
            })
            .case("engine-1m", |size| {
                engine(
                    size.pick(1_000_000, 500),
                    size.pick(1 << 20, 1 << 10),
                    false,
                )
            })
            .run();
        bench.figure(
            "generator to worker across two cores, 1,000 endpoints",
            &[(
                "% of the bare ring's rate",
                measured.percent("engine-1k", "bare-ring"),
                Bound::AtLeast(60.0),
            )],
        );
        bench.figure(
            "the same, hashed by the link",
            &[(
                "% of the bare ring's rate",
                measured.percent("engine-1k-hashed-by-link", "bare-ring"),
                Bound::AtLeast(60.0),
            )],
        );
    })
}

fn bare(laid_out: usize) -> impl FnMut(Budget) -> Sample {
    let population = Population {
        mix: Mix::Mixed,
        len: 1_000,
    };
    let draw = Draw {
        population,
        hit: true,
        random: Random::new(1),
    };
    let mut bare = Bare::ours(Frames::lay_out(draw, laid_out), RING);
    move |budget| bare.sample_handover(budget)
}

fn engine(endpoints: u32, laid_out: usize, hashed: bool) -> impl FnMut(Budget) -> Sample {
    let population = Population {
        mix: Mix::Mixed,
        len: endpoints,
    };
    let config = BedConfig {
        laid_out,
        hashed,
        ..BedConfig::alone(population)
    };
    let mut bed = Bed::new(config);
    move |budget| bed.sample_handover(budget)
}
