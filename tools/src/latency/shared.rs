//! A histogram that one thread records into while others read it.
//!
//! The recording thread does a plain load and a plain store per record, as with the engine's counters;
//! nothing is ever handed over or reset, so that who reads can do so at any time, and takes the
//! difference of two readings. Buckets are those of [`hdrhistogram`] at the same precision, into which a
//! difference is turned; that crate's own recorder allocates where it records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;
use hdrhistogram::Histogram;

use super::{LONGEST_NS, histogram};

/// Values below this have a bucket each; from there on each power of two has half as many.
const LINEAR: u64 = 256;
const HALF: usize = LINEAR as usize / 2;

/// The bucket of a value.
#[inline]
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - LINEAR.trailing_zeros()).saturating_sub(value.leading_zeros());
    shift as usize * HALF + (value >> shift) as usize
}

/// The least value of a bucket.
fn least_of(bucket: usize) -> u64 {
    let shift = (bucket / HALF).saturating_sub(1);
    ((bucket - shift * HALF) as u64) << shift
}

struct Cells {
    counts: Box<[AtomicU64]>,
    extremes: CachePadded<Extremes>,
}

struct Extremes {
    min: AtomicU64,
    max: AtomicU64,
}

/// Makes a histogram: the end that records and the end that reads.
pub fn shared() -> (LatencyWriter, LatencyReader) {
    let cells = Arc::new(Cells {
        counts: (0..=bucket(LONGEST_NS))
            .map(|_| AtomicU64::new(0))
            .collect(),
        extremes: CachePadded::new(Extremes {
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
        }),
    });
    (LatencyWriter(Arc::clone(&cells)), LatencyReader(cells))
}

/// The end that records: one, used by one thread at a time.
pub struct LatencyWriter(Arc<Cells>);

impl LatencyWriter {
    /// Records `n` values of so many nanoseconds; what is over 100 s counts as that.
    #[inline]
    pub fn record(&mut self, ns: u64, n: u64) {
        let cells = &*self.0;
        if let Some(count) = cells.counts.get(bucket(ns.min(LONGEST_NS))) {
            count.store(count.load(Relaxed) + n, Relaxed);
        }
        let Extremes { min, max } = &*cells.extremes;
        if ns < min.load(Relaxed) {
            min.store(ns, Relaxed);
        }
        if ns > max.load(Relaxed) {
            max.store(ns, Relaxed);
        }
    }
}

/// The end that reads.
#[derive(Clone)]
pub struct LatencyReader(Arc<Cells>);

impl LatencyReader {
    /// What was recorded so far.
    pub fn snapshot(&self) -> Snapshot {
        let counts = self.0.counts.iter();
        Snapshot(counts.map(|count| count.load(Relaxed)).collect())
    }

    /// Forgets the least and the largest value. Only while nothing is recorded: one that is, may be
    /// forgotten or not.
    pub fn forget_extremes(&self) {
        self.0.extremes.min.store(u64::MAX, Relaxed);
        self.0.extremes.max.store(0, Relaxed);
    }

    /// What was recorded since `earlier`, when the extremes were forgotten.
    pub fn since(&self, earlier: &Snapshot) -> Latencies {
        let histogram = self.snapshot().since(earlier);
        let Extremes { min, max } = &*self.0.extremes;
        let (min, max) = (min.load(Relaxed), max.load(Relaxed));
        let min = if histogram.is_empty() { 0 } else { min };
        Latencies {
            histogram,
            min,
            max,
        }
    }
}

/// The counts of a histogram at some moment, by bucket.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(Vec<u64>);

impl Snapshot {
    /// What was recorded since `earlier`; all of it if that is the default.
    pub fn since(&self, earlier: &Self) -> Histogram<u64> {
        let mut all = histogram();
        self.add_since(earlier, &mut all);
        all
    }

    /// Whether there is nothing that records.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what was recorded since `earlier` to a [`histogram`].
    pub fn add_since(&self, earlier: &Self, all: &mut Histogram<u64>) {
        let before = earlier.0.iter().copied().chain(std::iter::repeat(0));
        for (bucket, (now, before)) in self.0.iter().zip(before).enumerate() {
            let n = now.saturating_sub(before);
            if n > 0 {
                // Every bucket is within the bounds.
                let recorded = all.record_n(least_of(bucket), n);
                debug_assert!(recorded.is_ok());
            }
        }
    }
}

/// What was recorded in a window.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// By bucket.
    pub histogram: Histogram<u64>,
    /// The least value, exactly; 0 if there is none.
    pub min: u64,
    /// The largest, exactly; 0 if there is none.
    pub max: u64,
}

impl Latencies {
    /// The latency at a quantile, in nanoseconds; none if there are too few values to have one beyond it.
    pub fn at(&self, quantile: f64) -> Option<f64> {
        let beyond = self.histogram.len() as f64 * (1.0 - quantile);
        if self.histogram.is_empty() || (quantile < 1.0 && beyond < 0.999_999) {
            return None;
        }
        let value = if quantile < 1.0 {
            self.histogram
                .value_at_quantile(quantile)
                .clamp(self.min, self.max)
        } else {
            self.max
        };
        Some(value as f64)
    }

    /// Adds those of another recorder.
    pub fn add(&mut self, other: &Self) {
        if other.histogram.is_empty() {
            return;
        }
        self.min = match self.histogram.is_empty() {
            true => other.min,
            false => self.min.min(other.min),
        };
        self.max = self.max.max(other.max);
        // They have the same bounds: adding one to the other does not fail.
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_crate_that_reads_them() {
        let crates = histogram();
        let mut value = 0u64;
        while value <= LONGEST_NS {
            for value in [value, value + 1, value.saturating_sub(1)] {
                let least = least_of(bucket(value));
                assert_eq!(least, crates.lowest_equivalent(value), "{value}");
            }
            value += value / 61 + 1;
        }
        let buckets: Vec<usize> = (0..4096).map(bucket).collect();
        assert!(buckets.windows(2).all(|two| two[1] - two[0] <= 1));
    }

    #[test]
    fn a_window_is_what_was_recorded_in_it() {
        let (mut writer, reader) = shared();
        writer.record(7, 3);
        let before = reader.snapshot();
        reader.forget_extremes();
        let nothing = reader.since(&before);
        assert_eq!(
            (nothing.histogram.len(), nothing.min, nothing.max),
            (0, 0, 0)
        );
        writer.record(1_234_567, 2);
        writer.record(u64::MAX, 1);
        let window = reader.since(&before);
        assert_eq!(window.histogram.len(), 3);
        assert_eq!((window.min, window.max), (1_234_567, u64::MAX));
        let median = window.histogram.value_at_quantile(0.5);
        assert!(median.abs_diff(1_234_567) < 12_345, "{median}");
        assert_eq!(reader.since(&Snapshot::default()).histogram.len(), 6);
    }

    #[test]
    fn latencies_of_two_recorders_are_merged() {
        let of = |values: &[u64]| {
            let (mut writer, reader) = shared();
            values.iter().for_each(|&value| writer.record(value, 1));
            reader.since(&Snapshot::default())
        };
        let mut all = of(&[]);
        all.add(&of(&[50, 60]));
        all.add(&of(&[]));
        all.add(&of(&[10, 2000]));
        assert_eq!((all.histogram.len(), all.min, all.max), (4, 10, 2000));
    }
}
