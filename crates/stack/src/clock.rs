//! Time, as the control plane's timers see it: real, or set by hand.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A point in time: nanoseconds since the clock's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The clock's start.
    pub const ZERO: Self = Self(0);

    /// So many nanoseconds after the start.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is before.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates at the end of time, 584 years after the start.
    fn add(self, duration: Duration) -> Self {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanoseconds))
    }
}

/// What tells the time. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's monotonic clock; it starts now.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until it is set: for simulations and tests.
    pub fn manual() -> (Self, ManualClock) {
        let now = Arc::<AtomicU64>::default();
        (Self(Source::Manual(Arc::clone(&now))), ManualClock { now })
    }

    /// Whether it is set by hand: nobody can sleep until it says something.
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        match &self.0 {
            Source::System(start) => Time::ZERO + start.elapsed(),
            Source::Manual(now) => Time(now.load(Ordering::Acquire)),
        }
    }
}

/// Sets a manual [`Clock`].
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<AtomicU64>,
}

impl ManualClock {
    /// Makes it `time`. A clock does not go back: an earlier time changes nothing.
    pub fn set(&self, time: Time) {
        self.now.fetch_max(time.0, Ordering::AcqRel);
    }

    /// Lets `duration` pass.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now() + duration);
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        Time(self.now.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_goes_forward_only() {
        let (clock, hand) = Clock::manual();
        assert_eq!(clock.now(), Time::ZERO);
        hand.advance(Duration::from_secs(2));
        assert_eq!(clock.now(), Time::from_nanos(2_000_000_000));
        hand.set(Time::from_nanos(5));
        assert_eq!(clock.clone().now(), Time::from_nanos(2_000_000_000));
    }

    #[test]
    fn times_saturate() {
        let end = Time::from_nanos(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Time::ZERO + Duration::MAX, end);
        assert_eq!(Time::ZERO.saturating_since(end), Duration::ZERO);
        assert_eq!(
            Time::from_nanos(7).saturating_since(Time::from_nanos(3)),
            Duration::from_nanos(4)
        );
    }

    #[test]
    fn the_system_clock_runs() {
        let clock = Clock::system();
        let before = clock.now();
        while clock.now() == before {}
        assert!(clock.now() > before);
    }
}
