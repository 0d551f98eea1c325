//! What does a worker need to put a datagram into a socket's queue, and how many times what a bare
//! handler needs is that? What does finding the socket cost with a thousand and with a hundred thousand
//! of them, and binding another?
//!
//! The queues are read by the same thread, between rounds: within the measured time in the cases that
//! say so. The rival has a map of channels behind a lock.

use std::process::ExitCode;
use std::time::Instant;

use corelane::frame::BURST;
use corelane::stack::{Flow, Key, Nic, NicId, SocketQueue, SocketWriter, Stack, UdpSocket};
use corelane_benches::bare::Return;
use corelane_benches::bed::{self, Bed, BedConfig, Receiver};
use corelane_benches::harness::{Average, Bench, Bound, Budget, Sample, Size, in_rounds};
use corelane_benches::naive_sockets::NaiveSockets;
use corelane_benches::random::Random;
use corelane_benches::traffic::{Frames, Mix, PORT, Population};

/// As in the binaries: the rival gets the same good allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many sockets there are, and how many at a tiny size.
const POINTS: [(&str, u32, u32); 2] = [("1k", 1_000, 100), ("100k", 100_000, 300)];

/// Lookups of one round.
const LOOKUPS: usize = 16 * BURST;

/// Sockets that are closed and bound again in one round.
const CHANGES: usize = 64;

const NIC: NicId = NicId(1);

fn main() -> ExitCode {
    Bench::main("sockets", |bench| {
        delivery(bench);
        rival(bench);
        lookup(bench);
        change_one(bench);
    })
}

/// Those of delivery.
fn population(size: Size) -> Population {
    Population {
        mix: Mix::Mixed,
        len: size.pick(1_000, 500),
    }
}

fn ours(size: Size, read: Return) -> impl FnMut(Budget) -> Sample {
    let mut bed = Bed::new(BedConfig {
        receiver: Receiver::Sockets,
        ..BedConfig::alone(population(size))
    });
    move |budget| bed.sample_sockets(budget, read)
}

fn delivery(bench: &mut Bench) {
    let measured = bench
        .group("sockets-delivery")
        .case("handler", |size| {
            let mut bed = Bed::new(BedConfig::alone(population(size)));
            move |budget: Budget| bed.sample_alone(budget, |totals| totals.delivered)
        })
        .case("sockets", |size| ours(size, Return::Afterwards))
        .case("sockets-and-read", |size| ours(size, Return::Measured))
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

/// The same frames; both assert that each of them came out of a queue.
fn rival(bench: &mut Bench) {
    for (name, read) in [
        ("sockets-naive", Return::Afterwards),
        ("sockets-naive-and-read", Return::Measured),
    ] {
        bench
            .group(name)
            .case("ours", move |size| ours(size, read))
            .case("naive", move |size| {
                let config = BedConfig::alone(population(size));
                let frames = Frames::Drawn(config.draw());
                let mut naive = NaiveSockets::new(frames, config.population, config.ring);
                move |budget: Budget| naive.sample_alone(budget, read)
            })
            .run();
    }
}

fn lookup(bench: &mut Bench) {
    let mut cases = bench.group("sockets-lookup");
    for (name, full, tiny) in POINTS {
        cases = cases.case(name, move |size| {
            looked_up(Sockets::new(size.pick(full, tiny)))
        });
    }
    let measured = cases.run();
    // The steps are the same; what 4 leaves room for is cache misses. A datagram asks for three lines
    // (bucket, entry, socket): among 1,000 they fit into the second-level cache, and it takes some 12 ns;
    // among 100,000 they do not. At an estimated 100 ns for each, and ten on their way at once, that is
    // 30 ns more, so 3.5 times.
    bench.figure(
        "finding a datagram's socket among 100,000",
        &[(
            "times among 1,000",
            measured.ratio("100k", "1k"),
            Bound::AtMost(4.0),
        )],
    );
}

/// Measures lookups by burst, as a worker makes them, of datagrams to random sockets.
fn looked_up(sockets: Sockets) -> impl FnMut(Budget) -> Sample {
    let mut datapath = sockets.stack().datapath(0).expect("a worker's part");
    let mut random = Random::new(3);
    let mut flows = Vec::with_capacity(LOOKUPS);
    move |budget| {
        datapath.refresh();
        let SocketWriter { demux, seat, .. } = datapath.sockets();
        in_rounds(budget, || {
            flows.clear();
            flows.extend((0..LOOKUPS).map(|_| sockets.flow(&mut random)));
            let mut count = 0;
            let start = Instant::now();
            for flows in flows.chunks(BURST) {
                let found = demux.lookup(seat, flows);
                count += found.iter().flatten().count();
            }
            let time = start.elapsed();
            assert_eq!(count, LOOKUPS);
            (LOOKUPS as u64, time)
        })
    }
}

/// Closes a socket or binds it again, and publishes, every single time.
fn change_one(bench: &mut Bench) {
    let mut cases = bench.group("sockets-change-one");
    for (change, what) in [(Change::Bind, "bind"), (Change::Close, "close")] {
        for (name, full, tiny) in POINTS {
            cases = cases.case(format!("{what}-{name}"), move |size| {
                let mut sockets = Sockets::new(size.pick(full, tiny));
                let mut random = Random::new(5);
                move |budget: Budget| sockets.sample(budget, &mut random, change)
            });
        }
    }
    let measured = cases.run();
    // 50,000 changes in a second: far more than a server opens.
    for (what, case) in [
        ("binding a socket, 100,000 present", "bind-100k"),
        ("closing a socket, 100,000 present", "close-100k"),
    ] {
        bench.figure(
            what,
            &[(
                "µs, median",
                measured.ns(case).map(|ns| ns / 1e3),
                Bound::AtMost(20.0),
            )],
        );
    }
}

/// What of a change is measured.
#[derive(Clone, Copy)]
enum Change {
    Bind,
    Close,
}

/// A stack with a socket at each address of its NIC. No worker holds a version of them, unless one takes its
/// part: what a change replaces is freed with it.
struct Sockets {
    population: Population,
    nic: Nic,
    bound: Vec<(UdpSocket, SocketQueue)>,
}

impl Sockets {
    fn new(len: u32) -> Self {
        let population = Population {
            mix: Mix::Mixed,
            len,
        };
        let nic = bed::bare_nic(population, NIC);
        let addresses = population.addresses();
        let bound = addresses.map(|address| bed::socket(nic.stack(), address));
        Self {
            population,
            bound: bound.collect(),
            nic,
        }
    }

    fn stack(&self) -> &Stack {
        self.nic.stack()
    }

    /// Of a datagram to a random socket.
    fn flow(&self, random: &mut Random) -> Flow {
        let number = random.below(self.population.len);
        let local = Key::from(self.population.address(number));
        // Whoever it is from: the sockets are bound to no remote address.
        Flow::udp(local.family(), (local, PORT), (local, 1024), NIC)
    }

    fn sample(&mut self, budget: Budget, random: &mut Random, change: Change) -> Sample {
        let len = self.bound.len();
        in_rounds(budget.by(Average::Median), || {
            let closed: Vec<_> = (0..CHANGES)
                .map(|_| {
                    let at = random.below(self.bound.len() as u32);
                    self.bound.swap_remove(at as usize)
                })
                .collect();
            let addresses: Vec<_> = closed.iter().filter_map(|(it, _)| it.local()).collect();
            let start = Instant::now();
            drop(closed);
            let closing = start.elapsed();
            assert_eq!(self.stack().demux().len(), len - CHANGES);
            let start = Instant::now();
            for address in addresses {
                self.bound.push(bed::socket(self.nic.stack(), address));
            }
            let binding = start.elapsed();
            assert_eq!(self.stack().demux().len(), len);
            let time = match change {
                Change::Bind => binding,
                Change::Close => closing,
            };
            (CHANGES as u64, time)
        })
    }
}
