//! Latency histograms.

use hdrhistogram::Histogram;

/// Two significant digits: an error of at most one percent, in 30 KiB.
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

/// Percentiles in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: u64,
    /// The 90th.
    pub p90: u64,
    /// The 99th.
    pub p99: u64,
    /// The 99.9th.
    #[serde(rename = "p99.9")]
    pub p999: u64,
    /// The 99.99th.
    #[serde(rename = "p99.99")]
    pub p9999: u64,
    /// The largest.
    pub max: u64,
    /// How many were measured.
    pub count: u64,
}

impl Percentiles {
    /// Those of a histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: histogram.max(),
            count: histogram.len(),
        }
    }
}
