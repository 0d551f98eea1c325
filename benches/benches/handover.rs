//! Which share of the rate of a bare ring between two cores, one line of each frame written and
//! read, is left when a generator, the engine's distributor and a worker with its lookup stand at
//! its ends? 64-byte frames, IPv4 and IPv6 mixed at random, laid out beforehand.

use std::hint::black_box;
use std::process::ExitCode;

use corelane_benches::bare::Bare;
use corelane_benches::bed::{Bed, BedConfig};
use corelane_benches::harness::{Bench, Bound, Budget, Sample, Stop, beside};
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
                let laid_out = size.pick(1 << 16, 1 << 10);
                engine(size.pick(1_000, 100), laid_out, false)
            })
            .case("engine-1k-hashed-by-link", |size| {
                let laid_out = size.pick(1 << 16, 1 << 10);
                engine(size.pick(1_000, 100), laid_out, true)
            })
            .case("engine-1m", |size| {
                let laid_out = size.pick(1 << 20, 1 << 10);
                engine(size.pick(1_000_000, 500), laid_out, false)
            })
            // What the worker needs of that, with the ring filled beforehand: while the other core
            // rests, and while it computes (two cores may be one to the hypervisor).
            .case("worker-alone", |size| alone(size.pick(1_000, 100), false))
            .case("worker-alone-beside-load", |size| {
                alone(size.pick(1_000, 100), true)
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

fn alone(endpoints: u32, load: bool) -> impl FnMut(Budget) -> Sample {
    let mut bed = Bed::new(BedConfig::alone(Population {
        mix: Mix::Mixed,
        len: endpoints,
    }));
    move |budget| {
        if !load {
            return bed.sample_alone(budget, |totals| totals.delivered);
        }
        let compute = |stop: &mut Stop<'_>| {
            let mut random = Random::new(1);
            let mut sum = 0_u64;
            while !stop.requested() {
                sum = (0..256).fold(sum, |sum, _| sum.wrapping_add(random.bits()));
            }
            black_box(sum);
        };
        beside(compute, || {
            bed.sample_alone(budget, |totals| totals.delivered)
        })
        .1
    }
}
