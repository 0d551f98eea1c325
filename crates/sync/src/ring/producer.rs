//! The end that pushes.

use super::{Full, shared::Shared, slots::Slots};
use crate::primitive::Arc;
use arrayvec::ArrayVec;
use std::{cell::Cell, fmt, marker::PhantomData, ptr};

/// The pushing end of a [`ring`](super::ring()): for one thread at a time.
///
/// It can be sent to another thread, but not shared with one:
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
/// let (producer, _consumer) = corelane_sync::ring::ring::<u8>(8).unwrap();
/// shared(producer);
/// ```
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    /// Those of `shared`.
    slots: Slots<T>,
    /// The tail, which only this end moves.
    tail: usize,
    /// The head as last seen; the real one may have moved on since, never back.
    head: usize,
    /// Sent, not shared.
    _not_sync: PhantomData<Cell<()>>,
}

impl<T> Producer<T> {
    /// The end of an empty ring.
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        let tail = shared.tail.index.load();
        // SAFETY: this end keeps the ring alive, and where it is.
        let slots = unsafe { shared.slots() };
        Self {
            shared,
            slots,
            tail,
            head: tail,
            _not_sync: PhantomData,
        }
    }

    /// How many items the ring holds when full.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Free slots now: that many items can be pushed.
    ///
    /// Looks at the consumer's index only if less than half of the ring was free when it last did:
    /// the answer is exact when it is less than half the capacity, and otherwise may be less than
    /// what is free by now.
    #[inline]
    pub fn free(&mut self) -> usize {
        self.free_for(self.capacity() / 2)
    }

    /// Free slots as last seen if that is at least `wanted`, otherwise as they are now.
    #[inline]
    fn free_for(&mut self, wanted: usize) -> usize {
        let free = self.capacity() - self.tail.wrapping_sub(self.head);
        if free >= wanted {
            return free;
        }
        self.head = self.shared.head.load();
        self.capacity() - self.tail.wrapping_sub(self.head)
    }

    /// Pushes one item. Prefer [`push_burst`](Self::push_burst) where there are several.
    ///
    /// If the consumer is gone, what still fits is accepted, and dropped with the ring: see
    /// [`is_closed`](Self::is_closed).
    ///
    /// # Errors
    ///
    /// [`Full`], with the item, if there is no free slot.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        if self.free_for(1) == 0 {
            return Err(Full(item));
        }
        // SAFETY: one slot is free, so that of the tail is ours and empty.
        unsafe { self.slots.write_one(self.tail, item) };
        self.publish(1);
        Ok(())
    }

    /// As [`push`](Self::push), of an item that is made only if there is a free slot; says whether
    /// there was.
    #[inline]
    pub fn push_with(&mut self, make: impl FnOnce() -> T) -> bool {
        if self.free_for(1) == 0 {
            return false;
        }
        // SAFETY: as in `push`. What `make` does, it does to neither end.
        unsafe { self.slots.write_one_with(self.tail, make) };
        self.publish(1);
        true
    }

    /// Asks for the lines that the next [`push`](Self::push) writes: where rings are many and each is
    /// pushed to now and then.
    #[inline]
    pub fn prefetch_push(&self) {
        self.shared.prefetch_tail();
        self.slots.prefetch_push(self.tail);
    }

    /// Reads how much is pushed from now on, from any thread.
    pub fn gauge(&self) -> Gauge<T> {
        Gauge {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Moves as many items as fit from the front of `from` and returns how many; the rest stay, in
    /// order.
    ///
    /// At most one look at the consumer's index, and one publication for all.
    #[inline]
    pub fn push_burst<const N: usize>(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        let len = from.len();
        let n = self.free_for(len).min(len);
        if n == 0 {
            return 0;
        }
        // SAFETY: `n` slots from the tail on are free, so ours and empty, and `from` begins with at
        // least `n` items. Those are moved out by sliding the rest over them and cutting the
        // length; no code of `T` runs meanwhile.
        unsafe {
            self.slots.write(self.tail, from.as_ptr(), n);
            let items = from.as_mut_ptr();
            ptr::copy(items.add(n), items, len - n);
            from.set_len(len - n);
        }
        self.publish(n);
        n
    }

    /// Whether the consumer is gone: nobody will pop what is pushed from now on.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.shared.tail.consumer.is_gone()
    }

    /// Hands the `n` slots written at the tail to the consumer.
    #[inline]
    fn publish(&mut self, n: usize) {
        self.tail = self.tail.wrapping_add(n);
        self.shared.tail.index.store(self.tail);
    }
}

/// Reads how many items a [`Producer`] has pushed.
pub struct Gauge<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Gauge<T> {
    /// How many items there were since the ring was made, those popped since included; wrapping.
    pub fn pushed(&self) -> usize {
        self.shared.tail.index.load()
    }
}

impl<T> Clone for Gauge<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for Gauge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge")
            .field("pushed", &self.pushed())
            .finish()
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.shared.tail.producer.leave();
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("capacity", &self.capacity())
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}
