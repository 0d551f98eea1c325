//! What a hypervisor does to the cores at the moment: how far apart the two are, and what it takes of one.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

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

/// What was taken of a core, by whatever is above this thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Taken {
    /// Times per second.
    pub per_second: f64,
    /// How long it was gone each time: the median, in nanoseconds; 0 if it never was.
    pub median_ns: f64,
}

/// From here on a core was gone: the clock is read in less.
const GONE: Duration = Duration::from_nanos(500);

/// Watches the clock on this core for some 50 ms.
pub(super) fn taken() -> Taken {
    const WATCH: Duration = Duration::from_millis(50);
    let mut gaps = Vec::new();
    let start = Instant::now();
    let mut last = start;
    while last - start < WATCH {
        let now = Instant::now();
        let gap = now - last;
        if gap >= GONE {
            gaps.push(gap.as_nanos() as f64);
        }
        last = now;
    }
    Taken {
        per_second: gaps.len() as f64 / (last - start).as_secs_f64(),
        median_ns: if gaps.is_empty() {
            0.0
        } else {
            median(&mut gaps)
        },
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            per_second,
            median_ns,
        } = self;
        write!(
            f,
            "core taken away {per_second:.0} times a second for {:.1} µs",
            median_ns / 1e3
        )
    }
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

    #[test]
    fn what_is_taken_is_counted() {
        let Taken {
            per_second,
            median_ns,
        } = taken();
        assert!((0.0..=2e6).contains(&per_second));
        assert_eq!(per_second > 0.0, median_ns >= GONE.as_nanos() as f64);
    }
}
