//! What does a worker alone need per packet, with a few addresses and with many, and how many
//! times what its ring alone needs is that? A ring of 1,024 64-byte frames is filled while nothing
//! is measured, and then emptied through parse, lookup, reference rule, counters and recycling.

use std::process::ExitCode;

use corelane::stack::{DropReason, NicTotals};
use corelane_benches::bare::{Bare, Return};
use corelane_benches::bed::{Bed, BedConfig};
use corelane_benches::harness::{Bench, Bound, Budget, Sample, Size};
use corelane_benches::random::Random;
use corelane_benches::traffic::{Draw, Frames, Mix, POINTS, Population};

const RING: usize = 1024;

fn main() -> ExitCode {
    Bench::main("worker", |bench| {
        families(bench);
        modes(bench);
    })
}

fn families(bench: &mut Bench) {
    for (group, mix) in [
        ("worker-mixed", Mix::Mixed),
        ("worker-v4", Mix::V4),
        ("worker-v6", Mix::V6),
    ] {
        let mut cases = bench
            .group(group)
            .case("floor", move |_| floor(mix, Return::Afterwards))
            .case("floor-and-recycle", move |_| floor(mix, Return::Measured));
        for (name, full, tiny) in POINTS {
            cases = cases.case(name, move |size| {
                let population = Population {
                    mix,
                    len: size.pick(full, tiny),
                };
                alone(BedConfig::alone(population), |totals| totals.delivered)
            });
        }
        let measured = cases.run();
        if mix == Mix::Mixed {
            bench.figure(
                "worker alone, mixed, 1,000 endpoints",
                &[
                    ("ns per packet", measured.ns("1k"), Bound::AtMost(22.0)),
                    (
                        "times the floor",
                        measured.ratio("1k", "floor"),
                        Bound::AtMost(8.5),
                    ),
                ],
            );
            bench.figure(
                "worker alone, mixed, 1,000,000 endpoints",
                &[
                    (
                        "times 1,000",
                        measured.ratio("1m", "1k"),
                        Bound::AtMost(2.2),
                    ),
                    (
                        "times the floor",
                        measured.ratio("1m", "floor"),
                        Bound::AtMost(19.0),
                    ),
                ],
            );
        }
    }
}

/// Hits beside what nobody's addresses cost: accepted by a promiscuous NIC, or dropped.
fn modes(bench: &mut Bench) {
    let population = |size: Size| Population {
        mix: Mix::Mixed,
        len: size.pick(1_000, 100),
    };
    let measured = bench
        .group("worker-modes")
        .case("hit", move |size| {
            alone(BedConfig::alone(population(size)), |t| t.delivered)
        })
        .case("promiscuous-hit", move |size| {
            let config = BedConfig {
                promiscuous: true,
                ..BedConfig::alone(population(size))
            };
            alone(config, |totals| totals.delivered)
        })
        .case("promiscuous-nobodys", move |size| {
            let config = BedConfig {
                promiscuous: true,
                hit: false,
                ..BedConfig::alone(population(size))
            };
            alone(config, |totals| totals.delivered)
        })
        .case("miss", move |size| {
            let config = BedConfig {
                hit: false,
                ..BedConfig::alone(population(size))
            };
            alone(config, |totals| {
                totals.drops[DropReason::InvalidAddress as usize]
            })
        })
        .run();
    bench.figure(
        "promiscuous, random destinations",
        &[(
            "% of the hit rate",
            measured.percent("promiscuous-nobodys", "hit"),
            Bound::AtLeast(60.0),
        )],
    );
}

fn floor(mix: Mix, returned: Return) -> impl FnMut(Budget) -> Sample {
    let draw = Draw {
        population: Population { mix, len: 1_000 },
        hit: true,
        random: Random::new(1),
    };
    let mut bare = Bare::ours(Frames::Drawn(draw), RING);
    move |budget| bare.sample_alone(budget, returned)
}

/// The worker alone; `expect` takes out of the totals what every packet is to come to.
fn alone(config: BedConfig, expect: fn(&NicTotals) -> u64) -> impl FnMut(Budget) -> Sample {
    let mut bed = Bed::new(config);
    move |budget| bed.sample_alone(budget, expect)
}
