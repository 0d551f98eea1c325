//! Rings shared with the kernel: one side puts in, the other takes out.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::{io, mem, ptr};

/// The user's end of a ring of `T`.
///
/// The words and the entries lie in a mapping of its own. Who puts in owns the entries from
/// `producer` on, as many as there is room; who takes out those from `consumer` to `producer`.
#[derive(Debug)]
pub(super) struct Ring<T> {
    map: NonNull<u8>,
    len: usize,
    producer: NonNull<u32>,
    consumer: NonNull<u32>,
    flags: NonNull<u32>,
    entries: NonNull<T>,
    mask: u32,
    /// Where this end is; the kernel is told by `publish` or `release`.
    next: u32,
}

// SAFETY: the mapping belongs to the process, and this is the only end on the user's side.
unsafe impl<T: Send> Send for Ring<T> {}

/// What a ring can hold: numbers, in which all bits are valid.
pub(super) trait Entry: Copy {}
impl Entry for u64 {}
impl Entry for libc::xdp_desc {}

impl<T: Entry> Ring<T> {
    /// Maps the ring of a socket that the kernel has at this place of its file. `size` is a power of
    /// two, and what the socket was told.
    pub(super) fn map(
        socket: BorrowedFd<'_>,
        place: i64,
        size: u32,
        offsets: &libc::xdp_ring_offset,
    ) -> io::Result<Self> {
        let end = |offset: u64, bytes: usize| {
            let start = usize::try_from(offset).ok()?;
            start.checked_add(bytes)
        };
        let entries = (size as usize).saturating_mul(mem::size_of::<T>());
        let ends = [
            end(offsets.desc, entries),
            end(offsets.producer, 4),
            end(offsets.consumer, 4),
            end(offsets.flags, 4),
        ];
        let len = ends
            .into_iter()
            .try_fold(0, |most, end| end.map(|end| most.max(end)));
        let len = len.ok_or(io::ErrorKind::InvalidData)?;
        // SAFETY: the kernel chooses where; nobody else knows of the mapping.
        let map = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                socket.as_raw_fd(),
                place as libc::off_t,
            )
        };
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let map: NonNull<u8> = NonNull::new(map.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: `len` reaches beyond each of these, so that they lie in the mapping. The kernel
        // has aligned them for what they are.
        let at = |offset: u64| unsafe { map.add(offset as usize) };
        Ok(Self {
            map,
            len,
            producer: at(offsets.producer).cast(),
            consumer: at(offsets.consumer).cast(),
            flags: at(offsets.flags).cast(),
            entries: at(offsets.desc).cast(),
            mask: size.wrapping_sub(1),
            next: 0,
        })
    }

    #[inline]
    fn word(&self, word: NonNull<u32>) -> &AtomicU32 {
        // SAFETY: it lies in the mapping, aligned, and both sides access it atomically.
        unsafe { AtomicU32::from_ptr(word.as_ptr()) }
    }

    #[inline]
    fn entry(&self, at: u32) -> NonNull<T> {
        // SAFETY: the masked index is less than the entries, all of which lie in the mapping.
        unsafe { self.entries.add((at & self.mask) as usize) }
    }

    /// Its entries.
    #[inline]
    pub(super) fn size(&self) -> u32 {
        self.mask + 1
    }

    /// Who puts in: for how many more there is room.
    #[inline]
    pub(super) fn room(&self) -> u32 {
        // Acquire: the kernel has read what it took before its entry is written again.
        let consumer = self.word(self.consumer).load(Ordering::Acquire);
        self.size().saturating_sub(self.next.wrapping_sub(consumer))
    }

    /// Who puts in: how many the kernel has not taken yet.
    #[inline]
    pub(super) fn untaken(&self) -> u32 {
        self.next
            .wrapping_sub(self.word(self.consumer).load(Ordering::Acquire))
    }

    /// Puts an entry in, for which there is room. The kernel sees it once it is published.
    #[inline]
    pub(super) fn put(&mut self, entry: T) {
        debug_assert!(self.room() > 0);
        // SAFETY: the entry is in the mapping, and this end's until it is published.
        unsafe { self.entry(self.next).write(entry) };
        self.next = self.next.wrapping_add(1);
    }

    /// Shows the kernel all that was put in.
    #[inline]
    pub(super) fn publish(&mut self) {
        // Release: the entries were written before.
        self.word(self.producer).store(self.next, Ordering::Release);
    }

    /// Who takes out: how many there are.
    #[inline]
    pub(super) fn filled(&self) -> u32 {
        // Acquire: the entries are seen as the kernel wrote them.
        let producer = self.word(self.producer).load(Ordering::Acquire);
        producer.wrapping_sub(self.next).min(self.size())
    }

    /// Takes out an entry, which there is. The kernel gets its place once it is released.
    #[inline]
    pub(super) fn take(&mut self) -> T {
        debug_assert!(self.filled() > 0);
        // SAFETY: the entry is in the mapping, and this end's until it is released. All bits are
        // valid (`Entry`).
        let entry = unsafe { self.entry(self.next).read() };
        self.next = self.next.wrapping_add(1);
        entry
    }

    /// Gives the kernel the places of all that was taken.
    #[inline]
    pub(super) fn release(&mut self) {
        // Release: the entries were read before.
        self.word(self.consumer).store(self.next, Ordering::Release);
    }

    /// Who puts in: whether the kernel looks only if it is called.
    #[inline]
    pub(super) fn needs_wakeup(&self) -> bool {
        // The kernel sets the flag and looks once more; what was published is seen by that look, or
        // the flag here.
        fence(Ordering::SeqCst);
        self.word(self.flags).load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `map`, of which no reference is left: all borrow the ring.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.len) };
    }
}
