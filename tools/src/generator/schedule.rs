//! When frames are due.

use rand_distr::{Distribution, Exp1};
use std::sync::Arc;

use super::stream;
use crate::unit::Arrival;

/// The planned times of frames by their number: a function of the number alone, that never falls.
#[derive(Clone, Debug)]
pub struct Schedule {
    law: Law,
}

#[derive(Clone, Debug)]
enum Law {
    Constant {
        gap: f64,
    },
    /// Sums of gaps whose mean is one: of frame `i` of a round, from the start of the round.
    Poisson {
        gap: f64,
        sums: Arc<[f64]>,
    },
    Trains {
        gap: f64,
        train: u64,
    },
    /// At constant gaps for a time, then nothing for another.
    OnOff {
        gap: f64,
        on: f64,
        off: f64,
    },
    /// Times of the frames of one round, and the time from round to round.
    Recorded {
        times: Arc<[u64]>,
        period: u64,
    },
}

/// Exponential gaps that are drawn; then they repeat.
const GAPS: usize = 1 << 15;

impl Schedule {
    /// Arrivals at `pps` frames per second in the mean (more than 0).
    pub fn new(arrival: Arrival, pps: f64, seed: u64) -> Self {
        let gap = 1e9 / pps.max(f64::MIN_POSITIVE);
        let law = match arrival {
            Arrival::Cbr => Law::Constant { gap },
            Arrival::Burst(n) => Law::Trains {
                gap,
                train: u64::from(n.max(1)),
            },
            Arrival::OnOff { on, off } => {
                let (on, off) = (on.as_nanos().max(1) as f64, off.as_nanos() as f64);
                Law::OnOff {
                    // So that the mean over both is the one asked for.
                    gap: gap * on / (on + off),
                    on,
                    off,
                }
            }
            Arrival::Poisson => Law::Poisson {
                gap,
                sums: exponential_sums(seed),
            },
        };
        Self { law }
    }

    /// The times of a recording in nanoseconds, one for each frame, gone through again every
    /// `period` nanoseconds. A time that is less than one before it counts as that.
    pub fn recorded(times: impl IntoIterator<Item = u64>, period: u64) -> Self {
        let mut latest = 0;
        let times: Arc<[u64]> = times
            .into_iter()
            .map(|time| {
                latest = time.max(latest);
                latest
            })
            .collect();
        Self {
            law: Law::Recorded {
                times,
                period: period.max(latest),
            },
        }
    }

    /// When frame `n` is due, in nanoseconds from the start.
    #[inline]
    pub fn at(&self, n: u64) -> u64 {
        match &self.law {
            Law::Constant { gap } => (n as f64 * gap) as u64,
            Law::Trains { gap, train } => ((n / train * train) as f64 * gap) as u64,
            Law::Poisson { gap, sums } => {
                let round = n / GAPS as u64 * GAPS as u64;
                let sum = sums.get((n % GAPS as u64) as usize).copied().unwrap_or(0.0);
                ((round as f64 + sum) * gap) as u64
            }
            Law::OnOff { gap, on, off } => {
                // The time spent sending, and the pauses in between.
                let sending = n as f64 * gap;
                (sending + (sending / on).floor() * off) as u64
            }
            Law::Recorded { times, period } => {
                let Some(last) = times.len().checked_sub(1) else {
                    return 0;
                };
                let len = last as u64 + 1;
                let time = times.get((n % len) as usize).copied().unwrap_or(0);
                (n / len).saturating_mul(*period).saturating_add(time)
            }
        }
    }

    /// How many frames are due before `end` nanoseconds, at most `limit`.
    pub fn due_before(&self, end: u64, limit: u64) -> u64 {
        // Between `low`, which are due, and `high`: the times never fall.
        let (mut low, mut high) = (0, limit);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle) < end {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Sums of [`GAPS`] exponential gaps, scaled so that the whole round is exactly as long as the mean
/// says.
fn exponential_sums(seed: u64) -> Arc<[f64]> {
    let mut random = stream(seed, "arrivals");
    let mut sum = 0.0;
    let sums: Vec<f64> = (0..GAPS)
        .map(|_| {
            let gap: f64 = Exp1.sample(&mut random);
            sum += gap;
            sum
        })
        .collect();
    let scale = if sum > 0.0 { GAPS as f64 / sum } else { 1.0 };
    sums.into_iter().map(|sum| sum * scale).collect()
}
