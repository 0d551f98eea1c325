//! Receive times of the kernel's, on the clock of a run.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::clock::Clock;

/// How long an offset holds, in nanoseconds: a clock that is being corrected drifts less than half a
/// microsecond in it.
const HOLDS: u64 = 1_000_000;

/// A comparison of clocks that took longer than this was interrupted.
const TIGHT: u64 = 1_000;

/// Compares the system's clock, by which the kernel stamps frames, with that of the run, again and again.
pub(super) struct Stamps {
    clock: Clock,
    /// What to take from the system's time.
    offset: u64,
    /// When to look again.
    due: u64,
}

impl Stamps {
    /// Compares them now.
    pub(super) fn new(clock: Clock) -> Self {
        let mut stamps = Self {
            clock,
            offset: 0,
            due: 0,
        };
        // The tightest of some: the first look must be a good one.
        let looks = (0..100).filter_map(|_| stamps.look());
        if let Some((_, offset)) = looks.min_by_key(|(took, _)| *took) {
            stamps.offset = offset;
        }
        stamps
    }

    /// How long a look took, and the offset it found.
    fn look(&self) -> Option<(u64, u64)> {
        let before = self.clock.now();
        let system = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let after = self.clock.now();
        let system = u64::try_from(system.as_nanos()).ok()?;
        let took = after.saturating_sub(before);
        Some((took, system.wrapping_sub(before + took / 2)))
    }

    /// A system's time as one of the run. `now` is the run's time: what came cannot have come later.
    #[inline]
    pub(super) fn on_clock(&mut self, system_ns: u64, now: u64) -> u64 {
        if now >= self.due {
            self.look_again(now);
        }
        // One that is a little before the start of the clock is at it.
        let time = system_ns.wrapping_sub(self.offset);
        if time > u64::MAX / 2 {
            0
        } else {
            time.min(now)
        }
    }

    #[cold]
    fn look_again(&mut self, now: u64) {
        if let Some((_, offset)) = self.look().filter(|(took, _)| *took <= TIGHT) {
            self.offset = offset;
            self.due = now + HOLDS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_system_is_found_on_the_clock() {
        let clock = Clock::start();
        let mut stamps = Stamps::new(clock);
        std::thread::sleep(std::time::Duration::from_millis(2));
        let mut off = u64::MAX;
        // The best of some: a thread may lose its core in between.
        for _ in 0..100 {
            let before = clock.now();
            let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let time = stamps.on_clock(system.as_nanos() as u64, clock.now());
            off = off.min(time.abs_diff(before));
        }
        assert!(off < 20_000, "{off} ns");
        assert!(stamps.on_clock(u64::MAX / 4, 77) <= 77);
    }
}
