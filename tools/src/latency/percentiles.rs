//! Percentiles.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Latencies;

/// Percentiles in nanoseconds. One is known from as many values as put one beyond it: p99.999 from
/// 100,000 on; the largest stands for what is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// The least.
    pub min: u64,
    /// The median.
    pub p50: u64,
    /// The 90th; this and those behind it are none of so few values that none is beyond it.
    pub p90: Option<u64>,
    /// The 99th.
    pub p99: Option<u64>,
    /// The 99.9th.
    #[serde(rename = "p99.9")]
    pub p999: Option<u64>,
    /// The 99.99th.
    #[serde(rename = "p99.99")]
    pub p9999: Option<u64>,
    /// The 99.999th.
    #[serde(rename = "p99.999")]
    pub p99999: Option<u64>,
    /// The largest.
    pub max: u64,
    /// How many were measured.
    pub count: u64,
}

impl Percentiles {
    /// Those of a histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self::within(histogram, histogram.min(), histogram.max())
    }

    /// Those of latencies, of which least and largest are exact.
    pub fn of_latencies(latencies: &Latencies) -> Self {
        Self::within(&latencies.histogram, latencies.min, latencies.max)
    }

    /// The latency at a quantile in millionths, if it is one of these, in nanoseconds; none if there are too few values
    /// to have one beyond it.
    pub fn at(&self, millionths: u32) -> Option<u64> {
        match millionths {
            500_000 => (self.count > 0).then_some(self.p50),
            900_000 => self.p90,
            990_000 => self.p99,
            999_000 => self.p999,
            999_900 => self.p9999,
            999_990 => self.p99999,
            1_000_000 => (self.count > 0).then_some(self.max),
            _ => None,
        }
    }

    fn within(histogram: &Histogram<u64>, min: u64, max: u64) -> Self {
        // A bucket may reach beyond what was in it.
        let at = |quantile| histogram.value_at_quantile(quantile).min(max).max(min);
        let beyond = |one_of, quantile| (histogram.len() >= one_of).then(|| at(quantile));
        Self {
            min,
            p50: at(0.5),
            p90: beyond(10, 0.9),
            p99: beyond(100, 0.99),
            p999: beyond(1_000, 0.999),
            p9999: beyond(10_000, 0.9999),
            p99999: beyond(100_000, 0.999_99),
            max,
            count: histogram.len(),
        }
    }
}
