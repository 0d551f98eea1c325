//! What a thread does while it has nothing to do.

use std::time::Duration;

use corelane_sync::doorbell::Sleeper;

/// How a worker (or a distributor) waits for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Never: polls on. Lowest latency, a core for each thread.
    BusyPoll,
    /// Polls on for a while, then yields the core between polls, then sleeps until it is rung.
    Adaptive {
        /// Empty polls before it begins to yield.
        spins: u32,
        /// Empty polls with a yield before it sleeps.
        yields: u32,
    },
    /// Sleeps as soon as there is nothing to do.
    Interrupt,
}

impl Idle {
    /// Some microseconds of polling, some of yielding, then sleep.
    pub const ADAPTIVE: Self = Self::Adaptive {
        spins: 1000,
        yields: 100,
    };

    /// Whether threads that wait like this ever sleep, so that they have to be rung.
    pub(crate) fn sleeps(self) -> bool {
        self != Self::BusyPoll
    }
}

/// What to do after an empty poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Poll,
    Sleep,
}

/// A thread's way through its idle strategy.
pub(crate) struct Idler {
    idle: Idle,
    /// Whether another busy thread needs this core: then even a busy poll yields.
    crowded: bool,
    empty: u32,
}

/// Empty polls of a crowded busy-polling thread before it yields, again and again.
const CROWDED_SPINS: u32 = 32;

impl Idler {
    pub(crate) fn new(idle: Idle, crowded: bool) -> Self {
        Self {
            idle,
            crowded,
            empty: 0,
        }
    }

    /// There was work.
    #[inline]
    pub(crate) fn worked(&mut self) {
        self.empty = 0;
    }

    /// There was none: spins or yields as the strategy says, or tells that it is time to sleep.
    pub(crate) fn wait(&mut self) -> Next {
        self.empty = self.empty.saturating_add(1);
        let (spins, yields) = match self.idle {
            Idle::BusyPoll => (u32::MAX, 0),
            Idle::Adaptive { spins, yields } => (spins, yields),
            Idle::Interrupt => (0, 0),
        };
        let spins = if self.crowded {
            spins.min(CROWDED_SPINS)
        } else {
            spins
        };
        if self.empty <= spins {
            std::hint::spin_loop();
            Next::Poll
        } else if self.idle == Idle::BusyPoll || self.empty <= spins.saturating_add(yields) {
            std::thread::yield_now();
            Next::Poll
        } else {
            Next::Sleep
        }
    }
}

/// The longest sleep of a thread that is rung for everything: it has nothing to look for.
const NAP: Duration = Duration::from_secs(1);

/// The sleep of a thread with a source that cannot ring.
const BLIND_NAP: Duration = Duration::from_micros(100);

/// Sleeps until rung; `rung` says whether every source of work rings, `due` how long it is until one
/// has work though nothing arrives.
pub(crate) fn sleep(
    sleeper: &mut Sleeper,
    rung: bool,
    due: Option<Duration>,
    has_work: impl FnMut() -> bool,
) {
    let nap = if rung { NAP } else { BLIND_NAP };
    let nap = due.map_or(nap, |due| nap.min(due));
    sleeper.sleep(Some(nap), has_work);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adaptive_goes_from_polling_to_sleep_and_back() {
        let mut idler = Idler::new(
            Idle::Adaptive {
                spins: 2,
                yields: 1,
            },
            false,
        );
        let waits: Vec<_> = (0..4).map(|_| idler.wait()).collect();
        assert_eq!(waits, [Next::Poll, Next::Poll, Next::Poll, Next::Sleep]);
        idler.worked();
        assert_eq!(idler.wait(), Next::Poll);
    }

    #[test]
    fn busy_polling_never_sleeps_and_interrupt_always_does() {
        let mut idler = Idler::new(Idle::BusyPoll, true);
        assert!((0..1000).all(|_| idler.wait() == Next::Poll));
        assert_eq!(Idler::new(Idle::Interrupt, false).wait(), Next::Sleep);
    }
}
