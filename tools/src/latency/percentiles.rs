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
    /// The 99.999th; none of fewer than 100,000 values.
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
        let value = match millionths {
            500_000 => self.p50,
            900_000 => self.p90,
            990_000 => self.p99,
            999_000 => self.p999,
            999_900 => self.p9999,
            999_990 => self.p99999?,
            1_000_000 => self.max,
            _ => return None,
        };
        let beyond = u128::from(self.count) * u128::from(1_000_000 - millionths);
        (self.count > 0 && (millionths == 1_000_000 || beyond >= 1_000_000)).then_some(value)
    }

    fn within(histogram: &Histogram<u64>, min: u64, max: u64) -> Self {
        // A bucket may reach beyond what was in it.
        let at = |quantile| histogram.value_at_quantile(quantile).min(max).max(min);
        Self {
            min,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            p99999: (histogram.len() >= 100_000).then(|| at(0.999_99)),
            max,
            count: histogram.len(),
        }
    }
}
