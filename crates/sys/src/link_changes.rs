//! Word that something changed of network devices: rtnetlink's group of links.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::{io, mem, ptr};

use crate::call::{check, check_size, owned};

/// Tells when a network device of its namespace was made, changed or removed; not which, and not what.
#[derive(Debug)]
pub struct LinkChanges(OwnedFd);

impl LinkChanges {
    /// Of what happens from now on. Needs no privilege.
    ///
    /// # Errors
    /// No socket of this kind is to be had.
    pub fn new() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: a call without pointers.
        let socket = owned(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
        // SAFETY: numbers: zeros are valid, and leave the choice of an address to the kernel.
        let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = libc::RTMGRP_LINK as u32;
        let len = mem::size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the kernel reads the address during the call.
        check(unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), len) })?;
        Ok(Self(socket))
    }

    /// Waits until something changed since this was last asked.
    ///
    /// # Errors
    /// None that a socket of this kind can have.
    pub fn wait(&self) -> io::Result<()> {
        self.next(0)?;
        // What came together is told once.
        self.take().map(drop)
    }

    /// Whether something changed since this was last asked.
    ///
    /// # Errors
    /// As of [`wait`](Self::wait).
    pub fn take(&self) -> io::Result<bool> {
        let mut some = false;
        while self.next(libc::MSG_DONTWAIT)? {
            some = true;
        }
        Ok(some)
    }

    /// Takes the next message, if there is one.
    fn next(&self, flags: i32) -> io::Result<bool> {
        // The rest of the message is cut off: nobody reads it.
        let mut front = [0u8; 16];
        let buffer = front.as_mut_ptr().cast();
        // SAFETY: the kernel writes at most as many bytes as there is room for.
        let got = unsafe { libc::recv(self.0.as_raw_fd(), buffer, front.len(), flags) };
        match check_size(got) {
            Ok(_) => Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => Ok(false),
                // There were more than it has room for; or a signal came: who looks once too often sees no harm.
                Some(libc::ENOBUFS | libc::EINTR) => Ok(true),
                _ => Err(error),
            },
        }
    }
}

/// Readable when something changed.
impl AsFd for LinkChanges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
