//! What does a worker need to put a datagram into a socket's queue, and how many times what a bare
//! handler needs is that? What does finding the socket cost with a thousand and with a hundred thousand
//! of them, and binding another?
//!
//! The queues are read by the same thread, between rounds: within the measured time in the cases that
//! say so. The rival has a map of channels behind a lock.

use std::process::ExitCode;

use corelane_benches::bare::Return;
use corelane_benches::bed::{Bed, BedConfig, Receiver};
use corelane_benches::harness::{Bench, Bound, Budget, Size};
use corelane_benches::traffic::{Mix, Population};

fn main() -> ExitCode {
    Bench::main("sockets", |bench| {
        delivery(bench);
    })
}

fn delivery(bench: &mut Bench) {
    let population = |size: Size| Population {
        mix: Mix::Mixed,
        len: size.pick(1_000, 500),
    };
    let sockets = move |size, read| {
        let mut bed = Bed::new(BedConfig {
            receiver: Receiver::Sockets,
            ..BedConfig::alone(population(size))
        });
        move |budget: Budget| bed.sample_sockets(budget, read)
    };
    let measured = bench
        .group("sockets-delivery")
        .case("handler", move |size| {
            let mut bed = Bed::new(BedConfig::alone(population(size)));
            move |budget: Budget| bed.sample_alone(budget, |totals| totals.delivered)
        })
        .case("sockets", move |size| sockets(size, Return::Afterwards))
        .case("sockets-and-read", move |size| {
            sockets(size, Return::Measured)
        })
        .run();
    bench.figure(
        "UDP delivery to a socket's queue, 1,000 sockets",
        &[(
            "times the bare handler",
            measured.ratio("sockets", "handler"),
            Bound::AtMost(2.0),
        )],
    );
}
