//! How long it is going to take.

use std::time::Duration;

use super::goal::Goal;
use super::suite::{FRACTIONS, Suite, powers_below};
use crate::run::Setting;

impl Suite {
    /// A line that says it, before it begins.
    pub(super) fn forecast(&self) -> String {
        let fewer = if self.scale_workers {
            let workers = Setting::of_load(&self.engine, &self.load).workers;
            powers_below(workers).count()
        } else {
            0
        };
        let searches = (self.sizes.len() + fewer) * self.repeat;
        let latency = if self.latency {
            self.latency_trial() * (FRACTIONS.len() * self.sizes.len()) as u32
        } else {
            Duration::ZERO
        };
        let all = |search: Duration| (self.warmup + search) * searches as u32 + latency;
        let expected = Goal::expectation(&self.goals).min(self.time_limit);
        let mut line = format!(
            "{} of {}: about {} each, {} at most (--time-limit); {} to {} in all",
            counted(searches, "search", "searches"),
            counted(self.goals.len(), "goal", "goals"),
            roughly(expected),
            roughly(self.time_limit),
            roughly(all(expected)),
            roughly(all(self.time_limit)),
        );
        if let Some(repeats) = self.bursts {
            line += &format!("; then {repeats} searches for the longest burst of each size");
        }
        line
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Two digits are enough.
fn roughly(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 9.5 => format!("{s:.1} s"),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_long_as_they_are_read() {
        for (seconds, text) in [
            (5.2, "5.2 s"),
            (52.0, "52 s"),
            (156.0, "3 min"),
            (5_399.0, "90 min"),
            (9_000.0, "2.5 h"),
        ] {
            assert_eq!(roughly(Duration::from_secs_f64(seconds)), text);
        }
    }
}
