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
//!
//! It may hear of the device too: who sends reads its MTU without a system call then, and who sleeps is rung when it
//! is gone. A socket tells once only that it went down, which comes before.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use corelane_sync::doorbell::Doorbell;
use corelane_sys::epoll::{Epoll, Signal};

use super::changes::{Change, Changes};

/// The token of the signal to stop: beyond any queue's number.
const STOP: u64 = u64::MAX;

/// Likewise, of word of the device.
const WORD: u64 = STOP - 1;

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

/// Word of a device, and who is to know its MTU.
pub(crate) struct Word {
    pub(crate) changes: Changes,
    pub(crate) mtu: Box<dyn Fn(usize) + Send>,
}

impl Watch {
    /// Watches these descriptors, none of them armed, and hears what becomes of a device.
    pub(crate) fn new<'a>(
        link: &str,
        queues: impl ExactSizeIterator<Item = BorrowedFd<'a>>,
        word: Option<Word>,
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
        if let Some(word) = &word {
            shared.epoll.add(word.changes.as_fd(), WORD)?;
        }
        let watching = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(format!("watch-{link}"))
            .spawn(move || watching.run(word))?;
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
    fn run(&self, mut word: Option<Word>) {
        let (mut stopped, mut told) = (false, false);
        while !stopped {
            let waited = self.epoll.wait(|ready| {
                stopped |= ready.token == STOP;
                told |= ready.token == WORD;
                if let Some(queue) = self.queues.get(ready.token as usize) {
                    queue.ring(ready.failed);
                }
            });
            let heard = match &mut word {
                Some(word) if std::mem::take(&mut told) => self.hear(word),
                _ => Ok(()),
            };
            // It is of no more use; whoever sleeps looks every now and then all the same.
            stopped |= waited.and(heard).is_err();
        }
    }

    fn hear(&self, Word { changes, mtu: tell }: &mut Word) -> io::Result<()> {
        match changes.next()? {
            Some(Change::Here { mtu }) => tell(mtu),
            Some(Change::Gone) => self.queues.iter().for_each(|queue| queue.ring(true)),
            None => {}
        }
        Ok(())
    }
}

impl Queue {
    /// Rings; whether there is an error to be fetched.
    fn ring(&self, failed: bool) {
        if failed {
            self.failed.store(true, Ordering::Relaxed);
        }
        if let Some(doorbell) = self.doorbell.get() {
            doorbell.ring();
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

    /// Whether the descriptor had an error to be fetched, or the device was gone, since this was last asked.
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
        let watch = Watch::new("test", [ours.as_fd()].into_iter(), None)?;
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
