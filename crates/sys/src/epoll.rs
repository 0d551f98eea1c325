//! Waiting for many descriptors, and waking who waits.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::{io, ptr};

use crate::call::{check, check_size, owned};

/// The most events of one wait.
const EVENTS: usize = 64;

/// A set of descriptors to wait for.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// A descriptor that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What it was added as.
    pub token: u64,
    /// Whether it has an error to be fetched, or its other end is gone.
    pub failed: bool,
}

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a call without pointers.
        owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(Self)
    }

    fn control(&self, what: i32, fd: BorrowedFd<'_>, events: i32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: token,
        };
        // SAFETY: the kernel reads the event during the call.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), what, fd.as_raw_fd(), &raw mut event) })
            .map(drop)
    }

    /// Adds a descriptor that is told each time it is readable. It leaves the set when it is closed.
    ///
    /// # Errors
    /// The descriptor is in the set, or cannot be waited for.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN, token)
    }

    /// Adds a descriptor that is told when it is readable, once after each [`arm`](Self::arm).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_disarmed(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLONESHOT, token)
    }

    /// Tells once that the descriptor is readable: at once if it is.
    ///
    /// # Errors
    /// The descriptor is not in the set.
    pub fn arm(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let once = libc::EPOLLIN | libc::EPOLLONESHOT;
        self.control(libc::EPOLL_CTL_MOD, fd, once, token)
    }

    /// Waits until descriptors are ready and tells which.
    ///
    /// # Errors
    /// None that a set in use can have.
    pub fn wait(&self, mut ready: impl FnMut(Ready)) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        // SAFETY: the kernel writes as many events as there is room for.
        let count = check(unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), EVENTS as i32, -1)
        });
        let count = match count {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count? as usize,
        };
        for event in events.iter().take(count) {
            let trouble = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
            ready(Ready {
                token: event.u64,
                failed: event.events & trouble != 0,
            });
        }
        Ok(())
    }
}

/// Wakes who waits in an [`Epoll`] that it was added to, for good.
#[derive(Debug)]
pub struct Signal(OwnedFd);

impl Signal {
    /// A signal not given.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a call without pointers.
        owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(Self)
    }

    /// Gives it.
    ///
    /// # Errors
    /// None that a descriptor of this kind can have.
    pub fn give(&self) -> io::Result<()> {
        let one = 1u64;
        // SAFETY: the kernel reads eight bytes during the call.
        let written = unsafe { libc::write(self.0.as_raw_fd(), ptr::from_ref(&one).cast(), 8) };
        check_size(written).map(drop)
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn waited(epoll: &Epoll) -> Vec<Ready> {
        let mut all = Vec::new();
        epoll.wait(|ready| all.push(ready)).expect("a wait");
        all
    }

    #[test]
    fn armed_descriptors_are_told_once() -> io::Result<()> {
        let (epoll, signal) = (Epoll::new()?, Signal::new()?);
        epoll.add(signal.as_fd(), 9)?;
        let (ours, mut theirs) = UnixStream::pair()?;
        epoll.add_disarmed(ours.as_fd(), 1)?;
        theirs.write_all(b"x")?;
        let readable = Ready {
            token: 1,
            failed: false,
        };
        for _ in 0..2 {
            epoll.arm(ours.as_fd(), 1)?;
            assert_eq!(waited(&epoll), [readable]);
        }
        // Not armed: only the signal is told, again and again.
        signal.give()?;
        for _ in 0..2 {
            assert_eq!(waited(&epoll).first().map(|ready| ready.token), Some(9));
        }
        drop(theirs);
        epoll.arm(ours.as_fd(), 1)?;
        let failed = Ready {
            token: 1,
            failed: true,
        };
        assert!(waited(&epoll).contains(&failed));
        Ok(())
    }
}
