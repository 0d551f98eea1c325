//! What does it cost to send a packet on, beside delivering it, and beside the design that one would
//! write first? A ring of 1,024 64-byte frames, IPv4 and IPv6 mixed, is filled while nothing is
//! measured, and then emptied: through parse, lookup of the NIC's addresses, of the route, of the
//! neighbor, TTL, link addresses and out of a second NIC, whose link returns the frames at once; or,
//! for local delivery, as `worker` does. The destinations are drawn before: to draw one out of a
//! million routes between the measurements would throw out of the cache what a router has there.

use std::process::ExitCode;
use std::sync::Arc;

use corelane::stack::{PacketEndpointConfig, PacketProtocol};
use corelane::wire::EtherType;
use corelane_benches::bed::{Bed, BedConfig, ForwardConfig};
use corelane_benches::harness::{Bench, Bound, Budget, Sample, Size};
use corelane_benches::naive_router::NaiveRouter;
use corelane_benches::traffic::{Mix, Population};

/// As in the binaries: the rival gets the same good allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Routes, and how many at a tiny size.
const POINTS: [(&str, u32, u32); 3] = [
    ("1k-routes", 1_000, 100),
    ("100k-routes", 100_000, 300),
    ("1m-routes", 1_000_000, 500),
];

const NEIGHBORS: u32 = 64;

fn main() -> ExitCode {
    Bench::main("forward", |bench| {
        forwarding(bench);
        beside_packet_endpoint(bench);
        rival(bench);
    })
}

fn local(size: Size) -> Bed {
    let population = Population {
        mix: Mix::Mixed,
        len: size.pick(1_000, 100),
    };
    Bed::new(BedConfig::alone(population))
}

fn forwarding(bench: &mut Bench) {
    let mut cases = bench.group("forward").case("local-1k-endpoints", |size| {
        let mut bed = local(size);
        move |budget: Budget| bed.sample_alone(budget, |totals| totals.delivered)
    });
    for (name, full, tiny) in POINTS {
        cases = cases.case(name, move |size| ours(size, full, tiny));
    }
    let measured = cases.run();
    for (what, case, most) in [
        ("forwarding, 1,000 routes", "1k-routes", 1.6),
        ("forwarding, 1,000,000 routes", "1m-routes", 2.5),
    ] {
        bench.figure(
            what,
            &[(
                "times local delivery, 1,000 endpoints",
                measured.ratio(case, "local-1k-endpoints"),
                Bound::AtMost(most),
            )],
        );
    }
}

fn config(size: Size, routes: u32, tiny: u32) -> ForwardConfig {
    // The lines of the tables that they need are far more than a core's caches hold.
    let drawn = size.pick(1 << 18, 1 << 10);
    ForwardConfig::alone(size.pick(routes, tiny), NEIGHBORS, drawn)
}

fn ours(size: Size, routes: u32, tiny: u32) -> impl FnMut(Budget) -> Sample {
    let mut bed = Bed::forwarding(&config(size, routes, tiny));
    move |budget| bed.sample_alone(budget, |totals| totals.forwarded)
}

/// A packet endpoint that is for other frames than those that come.
fn beside_packet_endpoint(bench: &mut Bench) {
    bench
        .group("packet-endpoint")
        .case("none", |size| {
            let mut bed = local(size);
            move |budget: Budget| bed.sample_alone(budget, |totals| totals.delivered)
        })
        .case("another-protocol", |size| {
            let mut bed = local(size);
            let lldp = PacketProtocol::One(EtherType(0x88cc));
            let queues = bed.show(lldp, PacketEndpointConfig::default());
            move |budget: Budget| {
                let sample = bed.sample_alone(budget, |totals| totals.delivered);
                assert_eq!(queues.len(), 2, "of the worker, and of other threads");
                sample
            }
        })
        .run();
}

fn rival(bench: &mut Bench) {
    for (name, full, tiny) in [POINTS[0], POINTS[2]] {
        bench
            .group(format!("forward-naive-{name}"))
            .case("ours", move |size| ours(size, full, tiny))
            .case("naive", move |size| {
                let config = config(size, full, tiny);
                let plan = Arc::clone(&config.plan);
                let mut router = NaiveRouter::new(config.frames(), &plan, config.ring);
                move |budget: Budget| router.sample_alone(budget)
            })
            .run();
    }
}
