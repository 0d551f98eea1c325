//! How frames spread over workers.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroUsize;

use corelane::engine::rss::IndirectionTable;
use serde::Serialize;

use super::Shape;

/// What share of the frames of a round each worker gets, by the engine's own hash, known before the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// By worker, from 0 to 1.
    pub shares: Vec<f64>,
    /// Different hashes.
    pub hashes: u64,
    /// The standard deviation that the share of a worker has if as many random hashes come equally often.
    pub expected_deviation: f64,
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More than these are told by the least and the most.
        const SHOWN: usize = 8;
        let even = 100.0 / self.shares.len().max(1) as f64;
        f.write_str("spread over workers")?;
        if self.shares.len() <= SHOWN {
            for share in &self.shares {
                write!(f, " {:.1}%", 100.0 * share)?;
            }
        } else {
            let least = self.shares.iter().copied().fold(1.0, f64::min);
            let most = self.busiest() * even;
            write!(f, " {:.1}% to {most:.1}%", 100.0 * least)?;
        }
        let deviation = 100.0 * self.expected_deviation;
        write!(f, " ({even:.1}% each, ±{deviation:.1}% at random)")
    }
}

impl Spread {
    /// Over so many workers, by the table that engines start with; of the frames of streams, each with its
    /// rate. None if there cannot be so many.
    pub fn of(streams: &[(&[Shape], f64)], workers: usize) -> Option<Self> {
        let table = IndirectionTable::even(NonZeroUsize::new(workers)?).ok()?;
        let mut shares = vec![0.0; workers];
        let mut hashes = HashSet::new();
        let whole: f64 = streams.iter().map(|(_, rate)| rate).sum();
        for (shapes, rate) in streams {
            let each = rate / whole.max(f64::MIN_POSITIVE) / shapes.len().max(1) as f64;
            for shape in *shapes {
                hashes.insert(shape.hash);
                if let Some(share) = shares.get_mut(table.worker(shape.hash)) {
                    *share += each;
                }
            }
        }
        let p = 1.0 / workers as f64;
        let hashes = hashes.len() as u64;
        Some(Self {
            shares,
            hashes,
            expected_deviation: (p * (1.0 - p) / hashes.max(1) as f64).sqrt(),
        })
    }

    /// Workers that get nothing at all.
    pub fn idle(&self) -> usize {
        self.shares.iter().filter(|share| **share == 0.0).count()
    }

    /// The share of the busiest worker, in terms of an even share.
    pub fn busiest(&self) -> f64 {
        let most = self.shares.iter().copied().fold(0.0, f64::max);
        most * self.shares.len() as f64
    }

    /// What is to be said of it to people who look at a result.
    pub fn warning(&self) -> Option<String> {
        /// One worker with half as much again as its share is the limit for all.
        const TOO_MUCH: f64 = 1.5;
        let workers = self.shares.len();
        if self.idle() > 0 {
            let (idle, hashes) = (self.idle(), self.hashes);
            return Some(format!(
                "{idle} of {workers} workers get no frame: the addresses and ports have {hashes} different \
                 hashes under the engine's RSS key; more flows or destinations spread them"
            ));
        }
        (self.busiest() > TOO_MUCH).then(|| {
            format!(
                "one of {workers} workers gets {:.1} times its share of the frames",
                self.busiest()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{Sequence, Traffic};
    use crate::unit::Destinations;

    #[test]
    fn pseudorandom_tuples_spread_as_random_hashes_do() {
        let sequence = Sequence::draw_frames(&Traffic::new(1000), 1 << 14);
        let spread = Spread::of(&[(sequence.shapes(0), 1.0)], 4).unwrap();
        assert_eq!((spread.idle(), spread.warning()), (0, None));
        for share in &spread.shares {
            let off = (share - 0.25).abs();
            assert!(off < 5.0 * spread.expected_deviation, "{spread:?}");
        }
        assert!(Spread::of(&[(sequence.shapes(0), 1.0)], 129).is_none());
    }

    #[test]
    fn a_single_flow_leaves_workers_idle_and_is_warned_about() {
        let traffic = Traffic {
            flows: 1,
            destinations: Destinations::One,
            ..Traffic::new(1)
        };
        let sequence = Sequence::draw_frames(&traffic, 64);
        let spread = Spread::of(&[(sequence.shapes(0), 1.0)], 2).unwrap();
        assert_eq!((spread.idle(), spread.hashes), (1, 1));
        assert!(
            spread
                .warning()
                .unwrap()
                .contains("1 of 2 workers get no frame")
        );
    }
}
