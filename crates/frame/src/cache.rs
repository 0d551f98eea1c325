//! A thread's own stock of free slots.

use std::mem;
use std::sync::Arc;

use corelane_sync::depot::MAGAZINE;
use crossbeam::utils::CachePadded;

use crate::burst::{BURST, Burst};
use crate::frame::Frame;
use crate::pool::{Handle, Inner};
use crate::stats::Counts;

/// One thread's way into a [`Pool`](crate::Pool): takes and returns frames without a lock and, but
/// for one exchange with the depot in 64 frames, without touching memory that others write.
///
/// It holds two magazines of 64 slots (Bonwick and Adams, "Magazines and Vmem", 2001): takes come
/// from the loaded one and returns go to it, last in, first out; the spare is empty or full, so
/// that a thread that takes and returns in turn around a magazine's edge does not go to the depot
/// each time. Dropping the cache returns what it holds.
pub struct PoolCache {
    loaded: Magazine,
    /// Empty or full.
    spare: Magazine,
    counts: Arc<CachePadded<Counts>>,
    handle: Arc<Handle>,
}

impl PoolCache {
    /// The most free slots a cache holds, out of reach of other caches.
    pub const HOLDS: usize = 2 * MAGAZINE;

    pub(crate) fn new(handle: Arc<Handle>, counts: Arc<CachePadded<Counts>>) -> Self {
        Self {
            loaded: Magazine::new(),
            spare: Magazine::new(),
            counts,
            handle,
        }
    }

    /// Takes a frame: empty, with the pool's headroom and its metadata zero. None, counted, if no
    /// slot is free.
    #[inline]
    pub fn alloc(&mut self) -> Option<Frame> {
        if self.loaded.is_empty() && !self.refill() {
            self.counts.add_exhausted(1);
            return None;
        }
        let slot = self.loaded.pop()?;
        self.counts.add_allocated(1);
        // SAFETY: the slot has just left the magazine, the only place it was in.
        Some(unsafe { Frame::from_slot(self.handle.inner_ptr(), slot) })
    }

    /// Appends up to `n` new frames to `out`, as many as have room there, and returns how many.
    /// What is missing because no slot was free is counted.
    ///
    /// The first line of each frame's data is on its way into the cache, for writing, when this
    /// returns.
    pub fn alloc_burst(&mut self, out: &mut Burst, n: usize) -> usize {
        let want = n.min(out.remaining_capacity());
        let inner = self.handle.inner_ptr();
        let mut got = 0;
        while got < want {
            if self.loaded.is_empty() && !self.refill() {
                self.counts.add_exhausted(want - got);
                break;
            }
            let slots = self.loaded.pop_burst(want - got);
            got += slots.len();
            for &slot in slots.iter().rev() {
                // SAFETY: the slot has just left the magazine, the only place it was in.
                let frame = unsafe { Frame::from_slot(inner, slot) };
                frame.prefetch_new();
                // SAFETY: `got` counts these, and is not more than what `out` had room for.
                unsafe { out.push_unchecked(frame) };
            }
        }
        self.counts.add_allocated(got);
        got
    }

    /// Takes back a frame, the fast way. A frame of another pool goes the slow way to its own.
    #[inline]
    pub fn recycle(&mut self, frame: Frame) {
        if frame.pool() != self.handle.inner_ptr() {
            drop(frame);
            return;
        }
        if self.loaded.is_full() {
            self.make_room();
        }
        let put = self.loaded.push(frame.into_slot());
        debug_assert!(put, "room was made");
        self.counts.add_recycled(1);
    }

    /// Takes back all frames of a burst and leaves it empty.
    pub fn recycle_burst(&mut self, frames: &mut Burst) {
        if frames.first().is_some_and(Frame::is_vacant) && frames.iter().all(Frame::is_vacant) {
            // All were given away.
            frames.clear();
            return;
        }
        let inner = self.handle.inner_ptr();
        let mut slots = [0; BURST];
        let mut own = true;
        for (slot, frame) in slots.iter_mut().zip(frames.iter()) {
            own &= frame.pool() == inner;
            *slot = frame.slot();
        }
        if !own {
            for frame in frames.drain(..) {
                self.recycle(frame);
            }
            return;
        }
        let mut rest = slots.get(..frames.len()).unwrap_or(&[]);
        // SAFETY: this forgets the frames, all initialised; `rest` is now the only place of their
        // slots, and all of them go into the magazines below.
        unsafe { frames.set_len(0) };
        self.counts.add_recycled(rest.len());
        while !rest.is_empty() {
            if self.loaded.is_full() {
                self.make_room();
            }
            rest = self.loaded.push_burst(rest);
        }
    }

    /// Whether this is a frame of the cache's pool.
    pub fn owns(&self, frame: &Frame) -> bool {
        frame.pool() == self.handle.inner_ptr()
    }

    /// Free slots in this cache now.
    pub fn len(&self) -> usize {
        self.loaded.len + self.spare.len
    }

    /// Whether the cache holds no free slot; the pool may still have some.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all free slots of this cache to the pool, for other caches to take: for a thread
    /// that goes idle.
    pub fn flush(&mut self) {
        let inner = self.handle.inner();
        // The colder first: the depot hands out the last returned first.
        for magazine in [&mut self.spare, &mut self.loaded] {
            inner.put(magazine.as_slice());
            magazine.len = 0;
        }
    }

    /// After this, the loaded magazine is empty.
    #[cold]
    fn make_room(&mut self) {
        if !self.spare.is_empty() {
            self.handle.inner().put(self.spare.as_slice());
            self.spare.len = 0;
        }
        mem::swap(&mut self.loaded, &mut self.spare);
    }

    /// Puts slots into the loaded magazine, which is empty. False if there are none.
    #[cold]
    fn refill(&mut self) -> bool {
        if !self.spare.is_empty() {
            mem::swap(&mut self.loaded, &mut self.spare);
            return true;
        }
        let inner: &Inner = self.handle.inner();
        if inner.depot.pop(&mut self.loaded.slots) {
            self.loaded.len = MAGAZINE;
            return true;
        }
        while !self.loaded.is_full()
            && let Some(slot) = inner.strays.pop()
        {
            self.loaded.push(slot);
        }
        !self.loaded.is_empty()
    }
}

impl Drop for PoolCache {
    fn drop(&mut self) {
        self.flush();
        self.handle
            .inner()
            .registry(|registry| registry.retire(&self.counts));
    }
}

impl std::fmt::Debug for PoolCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolCache")
            .field("free", &self.len())
            .finish_non_exhaustive()
    }
}

/// Up to 64 slots, last in, first out.
struct Magazine {
    slots: [u32; MAGAZINE],
    len: usize,
}

impl Magazine {
    const fn new() -> Self {
        Self {
            slots: [0; MAGAZINE],
            len: 0,
        }
    }

    const fn is_empty(&self) -> bool {
        self.len == 0
    }

    const fn is_full(&self) -> bool {
        self.len >= MAGAZINE
    }

    #[inline]
    fn push(&mut self, slot: u32) -> bool {
        let Some(place) = self.slots.get_mut(self.len) else {
            return false;
        };
        *place = slot;
        self.len += 1;
        true
    }

    #[inline]
    fn pop(&mut self) -> Option<u32> {
        let last = self.len.checked_sub(1)?;
        let slot = *self.slots.get(last)?;
        self.len = last;
        Some(slot)
    }

    /// Pushes what fits from the front of `slots` and returns the rest.
    #[inline]
    fn push_burst<'a>(&mut self, slots: &'a [u32]) -> &'a [u32] {
        let free = self.slots.get_mut(self.len..).unwrap_or_default();
        let (fit, rest) = slots.split_at(free.len().min(slots.len()));
        for (place, &slot) in free.iter_mut().zip(fit) {
            *place = slot;
        }
        self.len += fit.len();
        rest
    }

    /// Pops up to `n` slots: the last of what is returned is the warmest.
    #[inline]
    fn pop_burst(&mut self, n: usize) -> &[u32] {
        let end = self.len;
        self.len = end.saturating_sub(n);
        self.slots.get(self.len..end).unwrap_or_default()
    }

    fn as_slice(&self) -> &[u32] {
        self.slots.get(..self.len).unwrap_or(&[])
    }
}
