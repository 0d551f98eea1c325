//! Pinning, a second thread beside the measured one, and whether both had their cores.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use core_affinity::CoreId;

/// The cores that this process may use. Looked up once, before any thread is pinned: a pinned
/// thread and its children see only their own core.
fn allowed() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let mut cores: Vec<usize> = cores.into_iter().map(|core| core.id).collect();
        cores.sort_unstable();
        cores
    })
}

/// How many cores this process may use; 0 if the system does not say.
pub(super) fn count() -> usize {
    allowed().len()
}

/// The cores of the measured thread and of the one beside it: the last two, since interrupts
/// prefer the first. None if there are not two.
fn pair() -> Option<(usize, usize)> {
    match *allowed() {
        [.., beside, main] => Some((main, beside)),
        _ => None,
    }
}

/// Whether two threads can run at the same time.
pub fn have_two_cores() -> bool {
    pair().is_some()
}

/// Pins the measured thread. Where there are not two cores it is left as it is.
pub(super) fn pin_main() -> Option<usize> {
    let (main, _) = pair()?;
    core_affinity::set_for_current(CoreId { id: main }).then_some(main)
}

/// What the scheduler says of a thread; zeros where it says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scheduled {
    /// Nanoseconds it ran.
    pub ran_ns: u64,
    /// Nanoseconds it could have run and waited for its core.
    pub waited_ns: u64,
}

/// Of the calling thread, so far.
pub fn of_this_thread() -> Scheduled {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut numbers = text
        .split_whitespace()
        .map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Scheduled {
        ran_ns: next(),
        waited_ns: next(),
    }
}

/// What the threads beside waited, all together.
static OTHERS_WAITED: AtomicU64 = AtomicU64::new(0);

/// Nanoseconds that this thread and those beside it have waited for their cores so far: what was
/// measured meanwhile was disturbed.
pub(super) fn waited_ns() -> u64 {
    of_this_thread().waited_ns + OTHERS_WAITED.load(Ordering::Relaxed)
}

/// Tells the thread beside that it is over.
pub struct Stop<'a> {
    stop: &'a AtomicBool,
    turns: u32,
}

impl Stop<'_> {
    /// Whether it is over: to be asked in every turn of the loop.
    ///
    /// Without a second core it gives up the only one now and then.
    #[inline]
    pub fn requested(&mut self) -> bool {
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(4096) && !have_two_cores() {
            thread::yield_now();
        }
        self.stop.load(Ordering::Relaxed)
    }
}

/// Runs `main` on this thread while `other` runs on another core; `other` ends when
/// [`Stop::requested`] says so, and the call when both did. Returns what both returned.
pub fn beside<O: Send, M>(
    other: impl FnOnce(&mut Stop<'_>) -> O + Send,
    main: impl FnOnce() -> M,
) -> (O, M) {
    let stop = AtomicBool::new(false);
    let ready = AtomicBool::new(false);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Some((_, beside)) = pair() {
                core_affinity::set_for_current(CoreId { id: beside });
            }
            ready.store(true, Ordering::Release);
            other(&mut Stop {
                stop: &stop,
                turns: 0,
            })
        });
        while !ready.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // Set when `main` unwinds too, or the scope would wait for ever.
        let end = EndOnDrop(&stop);
        let result = main();
        drop(end);
        match thread.join() {
            Ok(other) => (other, result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_thread_runs_until_the_main_one_is_done() {
        let started = AtomicBool::new(false);
        let (turns, main) = beside(
            |stop| {
                let mut turns = 0_u64;
                while !stop.requested() {
                    turns += 1;
                    started.store(true, Ordering::Relaxed);
                }
                turns
            },
            || {
                while !started.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                7
            },
        );
        assert!(turns > 0 && main == 7);
    }
}
