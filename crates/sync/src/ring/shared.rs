//! What the two ends of a ring share.

use super::slots::{Slot, Slots};
use crate::prefetch::prefetch_write;
use crate::primitive::{
    UnsafeCell,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};
use crossbeam::utils::CachePadded;
use std::{collections::TryReserveError, mem::MaybeUninit};

/// One end's index. Written by that end only.
pub(super) struct Index(AtomicUsize);

impl Index {
    fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// The end's index, and with it everything the end did to the slots before.
    #[inline]
    pub(super) fn load(&self) -> usize {
        self.0.load(Acquire)
    }

    /// Moves the index, giving the slots passed over to the other end. Only this end's owner calls
    /// it.
    #[inline]
    pub(super) fn store(&self, index: usize) {
        self.0.store(index, Release);
    }
}

/// Whether an end is gone. Written once.
pub(super) struct Gone(AtomicBool);

impl Gone {
    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether the end is gone; if so, the last index it stored is visible too.
    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        self.0.load(Acquire)
    }

    /// Marks the end as gone.
    pub(super) fn leave(&self) {
        self.0.store(true, Release);
    }
}

/// The line that the producer writes with each push. Whether an end is gone stands here too: who asks
/// has the line at hand, the producer as its own, the consumer because it has just looked at the tail.
pub(super) struct Tail {
    /// The producer's index.
    pub(super) index: Index,
    pub(super) consumer: Gone,
    pub(super) producer: Gone,
}

/// Indices and slots.
pub(super) struct Shared<T> {
    /// The consumer's index, on a line of its own.
    pub(super) head: CachePadded<Index>,
    pub(super) tail: CachePadded<Tail>,
    /// A power of two of them. Those of the indices from head to tail are initialised.
    slots: Box<[Slot<T>]>,
}

// SAFETY: a slot is touched by one end at a time, handed over through the indices (module docs), so
// that sharing the ring between two threads only ever sends items from one to the other: `T: Send`
// is enough.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: the ring owns its items, and nothing else in it is bound to a thread.
unsafe impl<T: Send> Send for Shared<T> {}

impl<T> Shared<T> {
    /// An empty ring of `capacity` slots, a power of two.
    pub(super) fn new(capacity: usize) -> Result<Self, TryReserveError> {
        debug_assert!(capacity.is_power_of_two());
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity)?;
        slots.resize_with(capacity, || UnsafeCell::new(MaybeUninit::uninit()));
        Ok(Self {
            head: CachePadded::new(Index::new()),
            tail: CachePadded::new(Tail {
                index: Index::new(),
                consumer: Gone::new(),
                producer: Gone::new(),
            }),
            slots: slots.into_boxed_slice(),
        })
    }

    /// Where the slots are, for an end.
    ///
    /// # Safety
    ///
    /// It is used only as long as this is alive and where it is.
    pub(super) unsafe fn slots(&self) -> Slots<T> {
        // SAFETY: the box neither moves nor drops them before; the rest is the caller's.
        unsafe { Slots::new(&self.slots) }
    }

    /// Asks for the line that a push writes beside its slot.
    #[inline]
    pub(super) fn prefetch_tail(&self) {
        prefetch_write(&self.tail);
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Both ends are gone, and the `Arc` they shared has ordered all they did before this.
        let tail = self.tail.index.0.load(Relaxed);
        let mut head = self.head.0.load(Relaxed);
        // SAFETY: for this function only.
        let slots = unsafe { self.slots() };
        while head != tail {
            // SAFETY: slots from head to tail are initialised, nobody else is left to touch them,
            // and the index moves on before the item is dropped, so that each is read once. Should
            // an item's drop panic, the rest leak.
            let item = unsafe { slots.read_one(head) };
            head = head.wrapping_add(1);
            drop(item);
        }
    }
}
