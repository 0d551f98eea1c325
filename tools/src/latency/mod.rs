//! Latency: recorded by the datapath, read by anybody, summed up as percentiles.

mod files;
mod percentiles;
mod shared;

use hdrhistogram::Histogram;

pub use files::{write_hgrm, write_hlog};
pub use percentiles::Percentiles;
pub use shared::{Latencies, LatencyReader, LatencyWriter, Snapshot, shared};

/// Two significant digits: an error of at most one percent, in 31 KiB.
const DIGITS: u8 = 2;

/// What is longer counts as this: 100 s.
const LONGEST_NS: u64 = 100_000_000_000;

/// An empty histogram of nanoseconds. It never grows: what is recorded with `saturating_record`
/// beyond its end is recorded at its end.
pub fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
        .unwrap_or_else(|_| unreachable!("the bounds are constants that the crate accepts"));
    histogram.auto(false);
    // Touch the memory now: a page fault would land in the first measurement.
    histogram.reset();
    histogram
}
