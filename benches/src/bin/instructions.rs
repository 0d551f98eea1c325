//! A fixed amount of work for `ci/instructions`, which counts what `Worker::poll` and
//! `Distributor::poll` execute for it. Prints how many packets that was. With `sockets` as argument,
//! they go to UDP sockets.
#![forbid(unsafe_code)]

use corelane_benches::bare::Return;
use corelane_benches::bed::{Bed, BedConfig, Receiver};
use corelane_benches::traffic::{Mix, Population};

fn main() {
    let receiver = match std::env::args().nth(1).as_deref() {
        Some("sockets") => Receiver::Sockets,
        _ => Receiver::Handler,
    };
    let mut bed = Bed::new(BedConfig {
        hashed: false,
        laid_out: 1 << 14,
        receiver,
        ..BedConfig::alone(Population {
            mix: Mix::Mixed,
            len: 1000,
        })
    });
    let packets: u64 = (0..16)
        .map(|_| match receiver {
            Receiver::Handler => bed.round().0,
            Receiver::Sockets => bed.socket_round(Return::Afterwards).0,
        })
        .sum();
    assert_eq!(bed.totals().delivered, packets);
    println!("{packets}");
}
