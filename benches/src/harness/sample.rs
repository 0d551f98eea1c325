//! One turn of one case.

use std::time::{Duration, Instant};

use super::stats::{median, quantile};

/// How long a sample is to measure.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Time to be measured; zero for the least there can be.
    pub measure: Duration,
    /// What stands for all rounds of a sample.
    pub average: Average,
}

/// What stands for all rounds of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The round that a tenth are no slower than: one from which nothing was taken, as long as there are
    /// any. Under a hypervisor that takes the core for 2 µs in every 55, it was taken in a third of rounds of
    /// 16 µs and in half of those of 25 µs, so that of their medians one is undisturbed and the other not,
    /// and the ratio of the two is nobody's.
    Undisturbed,
    /// The median round, for where rounds differ by what they do, and not by what was taken from them.
    Median,
    /// All of them together, for where some rounds cost more and that is the question; but for
    /// those of ten times the median, in which the core was taken away.
    Mean,
}

impl Budget {
    /// Time to spend before measuring, so that caches and predictors have seen this case again
    /// after the other cases had their turns.
    pub fn warm_up(self) -> Duration {
        self.measure / 3
    }

    /// The same with another average.
    pub fn by(self, average: Average) -> Self {
        Self { average, ..self }
    }
}

/// How large things are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As the name of the case says.
    Full,
    /// As small as still does everything: for tests.
    Tiny,
}

impl Size {
    /// `full`, or `tiny`.
    pub const fn pick<T: Copy>(self, full: T, tiny: T) -> T {
        match self {
            Self::Full => full,
            Self::Tiny => tiny,
        }
    }
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Operations measured.
    pub operations: u64,
    /// Nanoseconds per operation.
    pub ns_per_op: f64,
}

/// A sample of many short rounds, each of which measures itself: the operations it made and the
/// time they took. What a round prepares or cleans up in between does not count.
pub fn in_rounds(budget: Budget, mut round: impl FnMut() -> (u64, Duration)) -> Sample {
    let mut warm = Duration::ZERO;
    while warm < budget.warm_up() {
        warm += round().1;
    }
    let mut measured = Duration::ZERO;
    let mut operations = 0;
    let mut rounds = Vec::new();
    loop {
        let (n, time) = round();
        assert!(n > 0, "a round that did nothing");
        operations += n;
        measured += time;
        rounds.push(time.as_nanos() as f64 / n as f64);
        if measured >= budget.measure {
            break;
        }
    }
    let ns_per_op = match budget.average {
        Average::Undisturbed => quantile(&mut rounds, 0.1),
        Average::Median => median(&mut rounds),
        Average::Mean => {
            let most = 10.0 * median(&mut rounds);
            rounds.retain(|ns| *ns <= most);
            rounds.iter().sum::<f64>() / rounds.len() as f64
        }
    };
    Sample {
        operations,
        ns_per_op,
    }
}

/// The window of [`in_windows`].
const WINDOW: Duration = Duration::from_micros(500);

/// The least operations of a window: what even the smallest sample waits for.
const LEAST: u64 = 2048;

/// A sample of work that runs on beside another thread: `step` does some and returns how much. The
/// sample is the median window of half a millisecond, long enough that what is taken from a core often
/// is taken from all alike; one from which more was taken counts for no more than the others.
pub fn in_windows(budget: Budget, mut step: impl FnMut() -> u64) -> Sample {
    let begin = Instant::now();
    while begin.elapsed() < budget.warm_up() {
        // The clock is read too seldom to show in the windows, and often enough to end on time.
        for _ in 0..16 {
            step();
        }
    }
    let mut operations = 0;
    let mut windows = Vec::new();
    let begin = Instant::now();
    loop {
        let start = Instant::now();
        let mut n = 0;
        let mut idle = 0_u32;
        let time = loop {
            for _ in 0..16 {
                let done = step();
                n += done;
                idle = if done == 0 { idle.saturating_add(1) } else { 0 };
            }
            if idle > 1 << 14 {
                // Nothing comes: the other thread may be waiting for this core.
                std::thread::yield_now();
            }
            let time = start.elapsed();
            if n >= LEAST && time >= WINDOW.min(budget.measure) {
                break time;
            }
        };
        operations += n;
        windows.push(time.as_nanos() as f64 / n as f64);
        if begin.elapsed() >= budget.measure {
            break;
        }
    }
    Sample {
        operations,
        ns_per_op: median(&mut windows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_round_from_which_nothing_was_taken() {
        // From four rounds of five something was, and from one much.
        let mut times = [50, 30, 50, 50, 1_000_000_u64].into_iter().cycle();
        let budget = Budget {
            measure: Duration::from_millis(3),
            average: Average::Undisturbed,
        };
        let sample = in_rounds(budget, || (10, Duration::from_nanos(times.next().unwrap())));
        assert_eq!(sample.ns_per_op, 3.0);
        assert!(sample.operations >= 80);
    }

    #[test]
    fn a_mean_leaves_out_what_is_not_the_cases() {
        let mut times = [10, 10, 40, 1_000_000_u64].into_iter().cycle();
        let budget = Budget {
            measure: Duration::from_millis(3),
            average: Average::Mean,
        };
        let sample = in_rounds(budget, || (10, Duration::from_nanos(times.next().unwrap())));
        assert_eq!(sample.ns_per_op, 2.0);
    }

    #[test]
    fn the_smallest_sample_does_something() {
        let budget = Budget {
            measure: Duration::ZERO,
            average: Average::Mean,
        };
        let mut rounds = 0;
        in_rounds(budget, || {
            rounds += 1;
            (1, Duration::from_nanos(1))
        });
        assert_eq!(rounds, 1);
        assert!(in_windows(budget, || 1).operations >= LEAST);
    }
}
