//! How many of something may happen in a second.

use std::time::Duration;

use crate::clock::Time;

/// Lets so many pass in a second, and as many at once after a pause of a second.
#[derive(Debug)]
pub(super) struct Rate {
    interval: Duration,
    /// When all that passed would have, had they come one after another.
    paid_until: Time,
}

/// What may come at once is what may come in this time.
const BURST: Duration = Duration::from_secs(1);

impl Rate {
    pub(super) fn per_second(n: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / n.max(1),
            paid_until: Time::ZERO,
        }
    }

    /// Whether one more may pass.
    pub(super) fn take(&mut self, now: Time) -> bool {
        let paid_until = self.paid_until.max(now) + self.interval;
        let may = paid_until <= now + BURST;
        if may {
            self.paid_until = paid_until;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_at_once_and_then_one_at_a_time() {
        let mut rate = Rate::per_second(10);
        let at = |milliseconds| Time::ZERO + Duration::from_millis(milliseconds);
        let mut passed = |now| (0..1000).filter(|_| rate.take(now)).count();
        assert_eq!(passed(at(0)), 10);
        assert_eq!(passed(at(99)), 0);
        assert_eq!(passed(at(100)), 1);
        assert_eq!(passed(at(350)), 2);
        assert_eq!(passed(at(60_000)), 10);
    }
}
