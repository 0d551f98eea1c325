//! Whether the clock can be trusted, and what it costs.

use std::time::Instant;

use serde::Serialize;

/// What was found of the clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClockCheck {
    /// Nanoseconds of a read, in the mean.
    pub read_ns: f64,
    /// The smallest step seen, in nanoseconds.
    pub step_ns: u64,
    /// The longest time between two reads in a row, in nanoseconds: this thread was interrupted that long.
    pub longest_gap_ns: u64,
    /// Whether it never went back.
    pub monotonic: bool,
    /// What the kernel reads (`tsc`, `kvm-clock`, ...); empty if unknown.
    pub source: String,
    /// Whether the processor says that its time stamp counter runs at one speed, in sleep too; null where
    /// there is none.
    pub invariant_tsc: Option<bool>,
}

/// Reads the clock so many times.
pub fn check_clock(reads: u32) -> ClockCheck {
    let start = Instant::now();
    let mut last = start;
    let (mut step, mut gap, mut monotonic) = (u64::MAX, 0, true);
    for _ in 0..reads {
        let now = Instant::now();
        match now.checked_duration_since(last) {
            None => monotonic = false,
            Some(passed) => {
                let passed = passed.as_nanos() as u64;
                gap = gap.max(passed);
                if passed > 0 {
                    step = step.min(passed);
                }
            }
        }
        last = now;
    }
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    ClockCheck {
        read_ns: (last - start).as_nanos() as f64 / f64::from(reads.max(1)),
        step_ns: if step == u64::MAX { 0 } else { step },
        longest_gap_ns: gap,
        monotonic,
        source: read(source).trim().to_owned(),
        invariant_tsc: invariant_tsc(&read("/proc/cpuinfo")),
    }
}

fn invariant_tsc(cpuinfo: &str) -> Option<bool> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    let has = |flag| flags.split_whitespace().any(|word| word == flag);
    has("tsc").then(|| has("constant_tsc") && has("nonstop_tsc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_whether_the_counter_is_steady() {
        let line = |flags| format!("processor : 0\nflags\t\t: fpu {flags} sse\n");
        assert_eq!(
            invariant_tsc(&line("tsc constant_tsc nonstop_tsc")),
            Some(true)
        );
        assert_eq!(invariant_tsc(&line("tsc constant_tsc")), Some(false));
        assert_eq!(invariant_tsc(&line("")), None);
        assert_eq!(invariant_tsc("CPU part : 0xd40"), None);
    }

    #[test]
    fn this_clock_goes_on() {
        let check = check_clock(10_000);
        assert!(
            check.monotonic && check.read_ns > 0.0 && check.step_ns > 0,
            "{check:?}"
        );
        assert!(check.longest_gap_ns >= check.step_ns);
    }
}
