//! Ringing who sleeps when frames arrive.
//!
//! The engine's threads sleep until a bell is rung; the kernel tells of frames through descriptors.
//! One thread per link stands between them: it waits in the kernel, and rings.
//!
//! ```text
//!   worker                                       watch
//!     about to sleep: has_frames? ── arms ──►     waits in epoll
//!     sleeps                                      descriptor readable: rings
//!     awake: polls, and the watch sleeps on
//! ```
//!
//! A descriptor is armed for one event by whoever is about to sleep. So the watch is woken once per
//! sleep, and not while the worker is busy; and what arrived before it was armed is told at once.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use corelane_sync::doorbell::Doorbell;
use corelane_sys::epoll::{Epoll, Signal};

/// The token of the signal to stop: beyond any queue's number.
const STOP: u64 = u64::MAX;

/// The thread that waits for the descriptors of a link. It ends when this is dropped.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    stop: Signal,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    epoll: Epoll,
    queues: Vec<Queue>,
}

#[derive(Default)]
struct Queue {
    doorbell: OnceLock<Doorbell>,
    failed: AtomicBool,
}

impl Watch {
    /// Watches these descriptors, none of them armed.
    pub(crate) fn new<'a>(
        link: &str,
        queues: impl ExactSizeIterator<Item = BorrowedFd<'a>>,
    ) -> io::Result<Self> {
        let (epoll, stop) = (Epoll::new()?, Signal::new()?);
        epoll.add(stop.as_fd(), STOP)?;
        let shared = Arc::new(Shared {
            epoll,
            queues: (0..queues.len()).map(|_| Queue::default()).collect(),
        });
        for (number, fd) in queues.enumerate() {
            shared.epoll.add_disarmed(fd, number as u64)?;
        }
        let watching = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(format!("watch-{link}"))
            .spawn(move || watching.run())?;
        Ok(Self {
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// What the queue of this number arms.
    pub(crate) fn waker(&self, number: usize) -> Waker {
        Waker {
            shared: Arc::clone(&self.shared),
            number,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // If it cannot be told, it is left to itself rather than waited for.
        if self.stop.give().is_ok()
            && let Some(thread) = self.thread.take()
        {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("queues", &self.shared.queues.len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn run(&self) {
        let mut stopped = false;
        while !stopped {
            let waited = self.epoll.wait(|ready| {
                stopped |= ready.token == STOP;
                if let Some(queue) = self.queues.get(ready.token as usize) {
                    if ready.failed {
                        queue.failed.store(true, Ordering::Relaxed);
                    }
                    if let Some(doorbell) = queue.doorbell.get() {
                        doorbell.ring();
                    }
                }
            });
            // It is of no more use; whoever sleeps looks every now and then all the same.
            stopped |= waited.is_err();
        }
    }
}

/// One queue's end of a [`Watch`].
pub(crate) struct Waker {
    shared: Arc<Shared>,
    number: usize,
}

impl Waker {
    /// Has this bell rung. Whether there was none before.
    pub(crate) fn hang(&self, doorbell: Doorbell) -> bool {
        let queue = self.shared.queues.get(self.number);
        queue.is_some_and(|queue| queue.doorbell.set(doorbell).is_ok())
    }

    /// Rings once when there is something to read from the queue's descriptor. Whether it will: if
    /// not, the thread must not sleep.
    pub(crate) fn arm(&self, fd: BorrowedFd<'_>) -> bool {
        self.shared.epoll.arm(fd, self.number as u64).is_ok()
    }

    /// Whether the descriptor had an error to be fetched since this was last asked.
    #[inline]
    pub(crate) fn take_failure(&self) -> bool {
        let queue = self.shared.queues.get(self.number);
        queue.is_some_and(|queue| {
            queue.failed.load(Ordering::Relaxed) && queue.failed.swap(false, Ordering::Relaxed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_sync::doorbell::{Woken, doorbell};
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn what_arrives_ends_the_sleep_of_who_armed() -> Result<(), Box<dyn std::error::Error>> {
        let (ours, mut theirs) = UnixStream::pair()?;
        let watch = Watch::new("test", [ours.as_fd()].into_iter())?;
        let waker = watch.waker(0);
        let (bell, mut sleeper) = doorbell();
        assert!(waker.hang(bell.clone()));
        assert!(!waker.hang(bell));
        let mut sleep = || sleeper.sleep(LONG, || !waker.arm(ours.as_fd()));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                theirs.write_all(b"x")
            });
            assert_eq!(sleep(), Woken::Rung);
        });
        // Still readable: what was there before it slept counts.
        assert_eq!(sleep(), Woken::Rung);
        assert!(!waker.take_failure());
        drop(theirs);
        assert_eq!(sleep(), Woken::Rung);
        assert!(waker.take_failure() && !waker.take_failure());
        drop(ours);
        Ok(())
    }
}
