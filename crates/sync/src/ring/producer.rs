//! The end that pushes.

use super::{Full, shared::Shared};
use crate::primitive::Arc;
use arrayvec::ArrayVec;
use std::{cell::Cell, fmt, marker::PhantomData, mem::ManuallyDrop, ptr};

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
        let tail = shared.tail.load();
        Self {
            shared,
            tail,
            head: tail,
            _not_sync: PhantomData,
        }
    }

    /// How many items the ring holds when full.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.shared.capacity()
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
        let item = ManuallyDrop::new(item);
        // SAFETY: one slot is free, so that of the tail is ours and empty; the item is moved, its
        // copy here forgotten.
        unsafe { self.shared.write(self.tail, ptr::from_ref(&*item), 1) };
        self.publish(1);
        Ok(())
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
            self.shared.write(self.tail, from.as_ptr(), n);
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
        self.shared.head.is_gone()
    }

    /// Hands the `n` slots written at the tail to the consumer.
    #[inline]
    fn publish(&mut self, n: usize) {
        self.tail = self.tail.wrapping_add(n);
        self.shared.tail.store(self.tail);
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.shared.tail.leave();
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
