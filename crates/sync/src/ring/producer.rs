//! The end that pushes.

use super::pusher::Pusher;
use super::{Full, shared::Shared};
use crate::primitive::Arc;
use arrayvec::ArrayVec;
use std::{cell::Cell, fmt, marker::PhantomData};

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
    pusher: Pusher<T>,
    /// Sent, not shared.
    _not_sync: PhantomData<Cell<()>>,
}

impl<T> Producer<T> {
    /// The end of an empty ring.
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        // SAFETY: there is one producer, which keeps the ring alive.
        let pusher = unsafe { Pusher::new(&shared) };
        Self {
            shared,
            pusher,
            _not_sync: PhantomData,
        }
    }

    /// How many items the ring holds when full.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.pusher.capacity()
    }

    /// Free slots now: that many items can be pushed.
    ///
    /// Looks at the consumer's index only if less than half of the ring was free when it last did:
    /// the answer is exact when it is less than half the capacity, and otherwise may be less than
    /// what is free by now.
    #[inline]
    pub fn free(&mut self) -> usize {
        let wanted = self.capacity() / 2;
        self.pusher.free_for(wanted, &self.shared)
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
        // SAFETY: it is the ring of this end.
        unsafe { self.pusher.push(&self.shared, item) }
    }

    /// Moves as many items as fit from the front of `from` and returns how many; the rest stay, in
    /// order.
    ///
    /// At most one look at the consumer's index, and one publication for all.
    #[inline]
    pub fn push_burst<const N: usize>(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        // SAFETY: it is the ring of this end.
        unsafe { self.pusher.push_burst(&self.shared, from) }
    }

    /// Whether the consumer is gone: nobody will pop what is pushed from now on.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.shared.tail.consumer.is_gone()
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
            .field("tail", &self.pusher.tail())
            .finish_non_exhaustive()
    }
}
