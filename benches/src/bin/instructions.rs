//! A fixed amount of work for `ci/instructions`, which counts what `Worker::poll` and
//! `Distributor::poll` execute for it. Prints how many packets that was.
#![forbid(unsafe_code)]

use corelane_benches::bed::{Bed, BedConfig};
use corelane_benches::traffic::{Mix, Population};

fn main() {
    let mut bed = Bed::new(BedConfig {
        hashed: false,
        laid_out: 1 << 14,
        ..BedConfig::alone(Population {
            mix: Mix::Mixed,
            len: 1000,
        })
    });
    let packets: u64 = (0..16).map(|_| bed.round().0).sum();
    assert_eq!(bed.totals().delivered, packets);
    println!("{packets}");
}
