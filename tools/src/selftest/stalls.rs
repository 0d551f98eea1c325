//! How long cores are gone, with nothing of ours on them that could be the reason.

use std::time::{Duration, Instant};

use serde::Serialize;

/// What was found of one core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CoreStalls {
    /// Its number.
    pub core: usize,
    /// How long it was looked at, in seconds.
    pub seconds: f64,
    /// Times that a thread which does nothing but read the clock was stopped there for [`LEAST`] at least, by
    /// another thread, an interrupt or a hypervisor.
    pub stalls: u64,
    /// All of them together, in nanoseconds.
    pub stalled_ns: u64,
    /// The longest, in nanoseconds.
    pub longest_ns: u64,
}

/// Stops that are shorter are not counted: a timer's interrupt is one.
pub const LEAST: Duration = Duration::from_micros(50);

/// Looks at all cores that this process may run on, at once and for so long. A core that its thread could not be
/// bound to is left out.
pub fn check_cores(duration: Duration) -> Vec<CoreStalls> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    std::thread::scope(|scope| {
        let watch = |core: core_affinity::CoreId| {
            scope.spawn(move || {
                let is_bound = core_affinity::set_for_current(core);
                is_bound.then(|| watch(core.id, duration))
            })
        };
        let threads: Vec<_> = cores.into_iter().map(watch).collect();
        let found = threads.into_iter().map(|thread| thread.join().ok()?);
        found.flatten().collect()
    })
}

fn watch(core: usize, duration: Duration) -> CoreStalls {
    let start = Instant::now();
    let mut found = CoreStalls {
        core,
        seconds: 0.0,
        stalls: 0,
        stalled_ns: 0,
        longest_ns: 0,
    };
    let mut last = start;
    while last - start < duration {
        let now = Instant::now();
        found.note(now - last);
        last = now;
    }
    found.seconds = (last - start).as_secs_f64();
    found
}

impl CoreStalls {
    fn note(&mut self, gap: Duration) {
        if gap >= LEAST {
            let ns = gap.as_nanos() as u64;
            self.stalls += 1;
            self.stalled_ns += ns;
            self.longest_ns = self.longest_ns.max(ns);
        }
    }

    /// How often it is stopped, in a second.
    pub fn per_second(&self) -> f64 {
        self.stalls as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_is_looked_at_as_long_as_asked() {
        let found = check_cores(Duration::from_millis(20));
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        assert_eq!(found.len(), cores.len());
        for core in found {
            assert!(core.seconds >= 0.02);
            assert!(core.longest_ns <= core.stalled_ns);
            assert_eq!(core.stalls == 0, core.stalled_ns == 0);
        }
    }

    #[test]
    fn what_is_longer_than_an_interrupt_is_a_stall() {
        let mut found = watch(0, Duration::ZERO);
        for us in [1, 49, 50, 900, 2] {
            found.note(Duration::from_micros(us));
        }
        assert_eq!(
            (found.stalls, found.stalled_ns, found.longest_ns),
            (2, 950_000, 900_000)
        );
    }
}
