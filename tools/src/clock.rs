//! The one clock of a run.

use std::time::Instant;

/// Monotonic nanoseconds since the clock was made; copies share the origin. The generator stamps
/// frames by it and handlers read it: once per burst each.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    /// In tests, time can be what the test says.
    #[cfg(test)]
    told: Option<&'static std::sync::atomic::AtomicU64>,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
            #[cfg(test)]
            told: None,
        }
    }

    /// Nanoseconds since the start.
    #[inline]
    pub fn now(&self) -> u64 {
        #[cfg(test)]
        if let Some(told) = self.told {
            return told.load(std::sync::atomic::Ordering::Relaxed);
        }
        // 2^64 ns are 584 years.
        self.origin.elapsed().as_nanos() as u64
    }

    /// A clock that stands still until it is told to go on.
    #[cfg(test)]
    pub(crate) fn told() -> Self {
        Self {
            told: Some(Box::leak(Box::default())),
            ..Self::start()
        }
    }

    /// Lets a clock that is told the time go on.
    #[cfg(test)]
    pub(crate) fn advance(&self, ns: u64) {
        if let Some(told) = self.told {
            told.fetch_add(ns, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
