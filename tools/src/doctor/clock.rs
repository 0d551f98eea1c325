//! The clock.

use std::time::Instant;

use super::{Finding, System};

/// A reading that takes longer than this came by a system call, or by a device.
const SLOW_NS: f64 = 150.0;

/// Where time comes from, and what asking for it costs.
pub(super) fn clock(system: &System) -> Finding {
    let source = system
        .read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .filter(|source| !source.is_empty());
    let flags = system.field("/proc/cpuinfo", "flags").unwrap_or_default();
    let has = |name| flags.split_whitespace().any(|flag| flag == name);
    let steady = has("constant_tsc") && has("nonstop_tsc");
    let cost = reading_ns();
    let name = source.as_deref().unwrap_or("unknown");
    let mut found = format!("clock source {name}, {cost:.0} ns a reading");
    if cfg!(target_arch = "x86_64") {
        found += if steady {
            ", TSC constant and nonstop"
        } else {
            ", TSC not said to be constant and nonstop"
        };
    }
    if cost > SLOW_NS {
        let tsc = "a clock source that is read without a system call: echo tsc > \
                   /sys/devices/system/clocksource/clocksource0/current_clocksource, where the TSC is \
                   steady";
        return Finding::limited("clock", found).advise(tsc);
    }
    if source.is_none() || (cfg!(target_arch = "x86_64") && !steady) {
        return Finding::limited("clock", found);
    }
    Finding::ok("clock", found)
}

/// Nanoseconds of one reading: the least of some rounds, the others having been disturbed.
fn reading_ns() -> f64 {
    const ROUNDS: usize = 20;
    const READINGS: u32 = 2_000;
    let round = || {
        let start = Instant::now();
        for _ in 0..READINGS {
            std::hint::black_box(Instant::now());
        }
        start.elapsed().as_nanos() as f64 / f64::from(READINGS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
