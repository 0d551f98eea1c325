//! Waking a sleeping worker, at next to no cost while it is awake.
//!
//! The worker is about to sleep while another thread is about to give it work. Each writes, then
//! reads what the other writes:
//!
//! ```text
//!  worker                              giver
//!    state = sleeping                    work is published
//!    fence(SeqCst)                       fence(SeqCst)
//!    is there work? then do not sleep    is it sleeping? then wake it
//! ```
//!
//! The two fences are in one total order. If the worker's is first, the giver reads `sleeping` and
//! wakes it; if the giver's is first, the worker finds the work. Without the fences both could read
//! old values, and the work would lie there until the next ring. Once woken, or not gone to sleep
//! at all, the worker is awake and polls.
//!
//! The wake-up itself is a token: it is kept if it arrives before the worker has really parked. A
//! token that comes late, from a ring that found the worker's previous sleep, is taken by the next
//! sleep, which finds itself not rung and goes on sleeping.

use crate::primitive::{
    Arc, Parker, Unparker,
    atomic::{
        AtomicU8,
        Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    has_passed,
};
use crossbeam::utils::CachePadded;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// The worker polls: nobody needs to wake it.
const AWAKE: u8 = 0;
/// The worker sleeps or is about to.
const SLEEPING: u8 = 1;
/// As sleeping, and somebody has rung since.
const RUNG: u8 = 2;

/// Makes a doorbell: the end that rings, and the end that sleeps.
pub fn doorbell() -> (Doorbell, Sleeper) {
    let state = Arc::new(CachePadded::new(AtomicU8::new(AWAKE)));
    let parker = Parker::new();
    let bell = Doorbell {
        state: Arc::clone(&state),
        unparker: parker.unparker().clone(),
    };
    (bell, Sleeper { state, parker })
}

/// Why a sleep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The bell was rung.
    Rung,
    /// The timeout passed.
    TimedOut,
    /// There was work already: the worker did not sleep.
    HadWork,
}

/// Rings for one worker, from any thread.
#[derive(Clone)]
pub struct Doorbell {
    state: Arc<CachePadded<AtomicU8>>,
    unparker: Unparker,
}

impl Doorbell {
    /// Wakes the worker if it sleeps. What this thread published before is visible to it then.
    ///
    /// While the worker is awake this is a fence and a load of a line that nobody writes: some
    /// nanoseconds, so ring once per burst handed over, not per packet. While it sleeps, a system
    /// call may be needed to wake it.
    #[inline]
    pub fn ring(&self) {
        fence(SeqCst);
        if self.state.load(Relaxed) != AWAKE {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // Tells the worker that the token is not a late one. It may be awake by now, or rung for by
        // another thread: then nothing is to be changed, but the token is still sent, so that
        // nobody relies on another thread that may have been stopped before sending its own.
        let _ = self
            .state
            .compare_exchange(SLEEPING, RUNG, Release, Relaxed);
        self.unparker.unpark();
    }
}

/// Sleeps until its [`Doorbell`] rings: the worker's end.
pub struct Sleeper {
    state: Arc<CachePadded<AtomicU8>>,
    parker: Parker,
}

impl Sleeper {
    /// Sleeps until the bell rings, or for `timeout` at most (`None`: for as long as it takes),
    /// unless `has_work` finds work first.
    ///
    /// `has_work` is asked once, after every later ring is bound to be noticed: it must look at
    /// everything that another thread publishes before it rings. No ring is lost: after one, either
    /// `has_work` sees what was published before it, or the sleep ends.
    pub fn sleep(
        &mut self,
        timeout: Option<Duration>,
        mut has_work: impl FnMut() -> bool,
    ) -> Woken {
        // A timeout beyond what the clock can tell is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        // Exchanges, here and below, where stores would do: nothing next to a sleep, and with them
        // every change of the state reads the one before, a chain whose order loom tracks exactly.
        self.state.swap(SLEEPING, Relaxed);
        fence(SeqCst);
        // Should this panic, the bell thinks that the worker sleeps: rings cost more until the next
        // sleep, no harm else.
        if has_work() {
            self.state.swap(AWAKE, Relaxed);
            return Woken::HadWork;
        }
        loop {
            match deadline {
                Some(deadline) => self.parker.park_deadline(deadline),
                None => self.parker.park(),
            }
            // A token without a ring is one left from an earlier sleep: go on.
            let rung = self.state.load(Acquire) == RUNG;
            if rung || deadline.is_some_and(has_passed) {
                break;
            }
        }
        match self.state.swap(AWAKE, AcqRel) {
            RUNG => Woken::Rung,
            _ => Woken::TimedOut,
        }
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell")
            .field("awake", &(self.state.load(Relaxed) == AWAKE))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleeper").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::{sync::atomic::AtomicU64, thread};

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn ends_can_be_sent_and_the_bell_shared() {
        fn sent<T: Send>(_: &T) {}
        fn shared<T: Sync>(_: &T) {}
        let (bell, sleeper) = doorbell();
        sent(&bell);
        shared(&bell);
        sent(&sleeper);
    }

    #[test]
    fn work_at_hand_keeps_the_worker_up() {
        let (_bell, mut sleeper) = doorbell();
        assert_eq!(sleeper.sleep(None, || true), Woken::HadWork);
        assert_eq!(sleeper.sleep(LONG, || true), Woken::HadWork);
    }

    #[test]
    fn time_passes() {
        let (_bell, mut sleeper) = doorbell();
        for timeout in [Duration::ZERO, Duration::from_millis(20)] {
            let start = Instant::now();
            assert_eq!(sleeper.sleep(Some(timeout), || false), Woken::TimedOut);
            assert!(start.elapsed() >= timeout);
        }
    }

    #[test]
    fn rings_while_awake_are_no_reason_to_wake() {
        let (bell, mut sleeper) = doorbell();
        bell.ring();
        bell.clone().ring();
        assert_eq!(
            sleeper.sleep(Some(Duration::from_millis(1)), || false),
            Woken::TimedOut
        );
    }

    #[test]
    fn a_ring_between_the_check_and_the_sleep_counts() {
        let (bell, mut sleeper) = doorbell();
        // The ring comes after the worker has looked and found nothing.
        let found_nothing = || {
            bell.ring();
            false
        };
        assert_eq!(sleeper.sleep(None, found_nothing), Woken::Rung);
    }

    #[test]
    fn a_token_left_over_does_not_end_the_next_sleep() {
        let (bell, mut sleeper) = doorbell();
        let found_work = || {
            bell.ring();
            true
        };
        assert_eq!(sleeper.sleep(None, found_work), Woken::HadWork);
        let start = Instant::now();
        assert_eq!(
            sleeper.sleep(Some(Duration::from_millis(20)), || false),
            Woken::TimedOut
        );
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_timeout_beyond_the_clock_is_none() {
        let (bell, mut sleeper) = doorbell();
        let ringing = thread::spawn(move || {
            while bell.state.load(Relaxed) == AWAKE {
                thread::yield_now();
            }
            bell.ring();
        });
        assert_eq!(sleeper.sleep(Some(Duration::MAX), || false), Woken::Rung);
        ringing.join().unwrap();
    }

    #[test]
    fn a_panicking_check_leaves_the_bell_working() {
        let (bell, mut sleeper) = doorbell();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            sleeper.sleep(None, || std::panic::resume_unwind(Box::new("has_work")));
        }));
        assert!(panicked.is_err());
        bell.ring();
        assert_eq!(
            sleeper.sleep(Some(Duration::from_millis(1)), || false),
            Woken::TimedOut
        );
        let found_nothing = || {
            bell.ring();
            false
        };
        assert_eq!(sleeper.sleep(None, found_nothing), Woken::Rung);
    }

    /// The worker sleeps whenever it has nothing left, without a timeout: a lost wake-up hangs this
    /// test.
    #[test]
    fn no_work_is_slept_through() {
        const GIVERS: u64 = 3;
        const EACH: u64 = 20_000;
        let (bell, mut sleeper) = doorbell();
        let given = AtomicU64::new(0);
        let mut taken = 0;
        thread::scope(|scope| {
            for _ in 0..GIVERS {
                let bell = bell.clone();
                scope.spawn(|| {
                    let bell = bell;
                    for _ in 0..EACH {
                        given.fetch_add(1, Relaxed);
                        bell.ring();
                    }
                });
            }
            while taken < GIVERS * EACH {
                let now = given.load(Relaxed);
                if now == taken {
                    sleeper.sleep(None, || given.load(Relaxed) != taken);
                }
                taken = now;
            }
        });
        assert_eq!(given.load(Relaxed), GIVERS * EACH);
    }
}
