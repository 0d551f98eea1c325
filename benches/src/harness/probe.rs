//! How far apart the two cores are at the moment: a hypervisor moves them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crossbeam::utils::CachePadded;
use serde::Serialize;

use super::cores;
use super::stats::median;

/// The round trip of a cache line between two cores, by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Up to 130 ns: the same part of the chip.
    Near,
    /// Up to 350 ns.
    Mid,
    /// More: another chip, or a busy core.
    Far,
    /// It changed while the round ran.
    Changing,
}

impl Distance {
    /// The class of a round trip.
    pub fn of(round_trip_ns: f64) -> Self {
        match round_trip_ns {
            ns if ns <= 130.0 => Self::Near,
            ns if ns <= 350.0 => Self::Mid,
            _ => Self::Far,
        }
    }

    /// Of a round that began at `self` and ended at `other`.
    pub fn until(self, other: Self) -> Self {
        if self == other { self } else { Self::Changing }
    }
}

/// Round trips of a block, and blocks: the median block is the answer, in some 100 µs.
const TRIPS: u32 = 64;
const BLOCKS: usize = 9;

/// The round trip of a line to the other core and back, in nanoseconds.
pub(super) fn round_trip() -> f64 {
    let ball = CachePadded::new(AtomicU32::new(0));
    let (_, ns) = cores::beside(
        |stop| {
            let mut last = 0;
            while !stop.requested() {
                let now = ball.load(Ordering::Acquire);
                if now != last && now % 2 == 1 {
                    last = now.wrapping_add(1);
                    ball.store(last, Ordering::Release);
                }
            }
        },
        || {
            let mut at = 0_u32;
            let mut blocks: Vec<f64> = (0..BLOCKS)
                .map(|_| {
                    let start = Instant::now();
                    for _ in 0..TRIPS {
                        ball.store(at + 1, Ordering::Release);
                        at += 2;
                        let mut spins = 0_u32;
                        while ball.load(Ordering::Acquire) != at {
                            spins += 1;
                            if spins.is_multiple_of(4096) {
                                std::thread::yield_now();
                            }
                        }
                    }
                    start.elapsed().as_nanos() as f64 / f64::from(TRIPS)
                })
                .collect();
            median(&mut blocks)
        },
    );
    ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        assert_eq!(Distance::of(90.0), Distance::Near);
        assert_eq!(Distance::of(200.0), Distance::Mid);
        assert_eq!(Distance::of(600.0), Distance::Far);
        assert_eq!(Distance::Near.until(Distance::Near), Distance::Near);
        assert_eq!(Distance::Near.until(Distance::Far), Distance::Changing);
    }

    #[test]
    fn a_line_goes_there_and_back() {
        assert!(round_trip() > 0.0);
    }
}
