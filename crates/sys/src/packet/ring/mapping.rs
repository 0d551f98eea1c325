//! The memory of a ring.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::{io, ptr};

/// Memory shared with the kernel, as long as this is there.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, and only who has this knows of it on the user's side.
unsafe impl Send for Mapping {}

impl Mapping {
    /// The first `len` bytes of what a descriptor stands for.
    pub(super) fn of(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        Self::map(len, libc::MAP_SHARED, fd.as_raw_fd())
    }

    /// Memory of nobody else's, for who plays the kernel.
    #[cfg(test)]
    pub(super) fn private(len: usize) -> io::Result<Self> {
        Self::map(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    fn map(len: usize, flags: i32, fd: i32) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses where; nobody else knows of the mapping.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, len })
    }

    /// Where it begins; aligned to a page.
    #[inline]
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping of `map`, of which no reference is left: frames borrow the ring that has it.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
