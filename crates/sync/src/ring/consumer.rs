//! The end that pops.

use super::shared::{Home, Shared};
use super::slots::Slots;
use crate::primitive::Arc;
use arrayvec::ArrayVec;
use std::{cell::Cell, fmt, marker::PhantomData};

/// The popping end of a [`ring`](super::ring()): for one thread at a time.
///
/// It can be sent to another thread, but not shared with one:
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
/// let (_producer, consumer) = corelane_sync::ring::ring::<u8>(8).unwrap();
/// shared(consumer);
/// ```
pub struct Consumer<T, H: Home<T> = Arc<Shared<T>>> {
    home: H,
    /// Those of `home`.
    slots: Slots<T>,
    /// The head, which only this end moves.
    head: usize,
    /// The tail as last seen; the real one may have moved on since, never back.
    tail: usize,
    /// Sent, not shared.
    _not_sync: PhantomData<Cell<()>>,
}

impl<T, H: Home<T>> Consumer<T, H> {
    /// The end of an empty ring.
    pub(super) fn new(home: H) -> Self {
        let head = home.body().head.load();
        // SAFETY: this end keeps the ring alive.
        let slots = unsafe { home.body().slots() };
        Self {
            home,
            slots,
            head,
            tail: head,
            _not_sync: PhantomData,
        }
    }

    /// How many items the ring holds when full.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Pops the oldest item. Prefer [`pop_burst`](Self::pop_burst) where there may be several.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.ready_for(1) == 0 {
            return None;
        }
        // SAFETY: one item is ready, so the slot of the head is ours and initialised; releasing it
        // gives it up.
        let item = unsafe { self.slots.read_one(self.head) };
        self.release(1);
        Some(item)
    }

    /// Appends the oldest items to `into`, as many as it has room for, and returns how many.
    ///
    /// At most one look at the producer's index, and one release of the slots for all.
    #[inline]
    pub fn pop_burst<const N: usize>(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        let len = into.len();
        let room = into.remaining_capacity();
        let n = self.ready_for(room).min(room);
        if n == 0 {
            return 0;
        }
        // SAFETY: `n` items from the head on are ready, so their slots are ours and initialised;
        // releasing them gives them up. `into` has room for `n` more behind its length. No code of
        // `T` runs meanwhile.
        unsafe {
            self.slots.read(self.head, into.as_mut_ptr().add(len), n);
            into.set_len(len + n);
        }
        self.release(n);
        // What comes next is written already: its lines can travel while this burst is in work.
        let next = self.tail.wrapping_sub(self.head).min(N);
        self.slots.prefetch(self.head, next);
        n
    }

    /// Items that can be popped now.
    #[inline]
    pub fn len(&mut self) -> usize {
        self.ready_for(usize::MAX)
    }

    /// Whether there is nothing to pop now.
    #[inline]
    pub fn is_empty(&mut self) -> bool {
        self.ready_for(1) == 0
    }

    /// Whether the producer is gone: what is inside is all there will be. Items may remain, so ask
    /// this first and then pop until nothing is left.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.home.tail().producer.is_gone()
    }

    /// Items ready as last seen if that is at least `wanted`, otherwise as they are now.
    #[inline]
    fn ready_for(&mut self, wanted: usize) -> usize {
        let ready = self.tail.wrapping_sub(self.head);
        if ready >= wanted {
            return ready;
        }
        self.tail = self.home.tail().index.load();
        self.tail.wrapping_sub(self.head)
    }

    /// Gives the `n` slots read at the head back to the producer.
    #[inline]
    fn release(&mut self, n: usize) {
        self.head = self.head.wrapping_add(n);
        self.home.body().head.store(self.head);
    }
}

impl<T, H: Home<T>> Drop for Consumer<T, H> {
    fn drop(&mut self) {
        self.home.tail().consumer.leave();
    }
}

impl<T, H: Home<T>> fmt::Debug for Consumer<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("capacity", &self.capacity())
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}
