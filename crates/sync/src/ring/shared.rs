//! What the two ends of a ring share, and what has it.

use super::slots::{Slot, Slots};
use super::{MAX_CAPACITY, MIN_CAPACITY, RingError};
use crate::primitive::{
    Arc, UnsafeCell,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Acquire, Release},
    },
};
use crossbeam::utils::CachePadded;
use std::mem::MaybeUninit;

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

/// What the producer writes with each push. Whether an end is gone stands here too: who asks has the
/// line at hand, the producer as its own, the consumer because it has just looked at the tail.
pub struct Tail {
    /// The producer's index.
    pub(super) index: Index,
    pub(super) consumer: Gone,
    pub(super) producer: Gone,
}

impl Tail {
    pub(super) fn new() -> Self {
        Self {
            index: Index::new(),
            consumer: Gone::new(),
            producer: Gone::new(),
        }
    }
}

/// What the consumer writes, and the items.
pub struct Body<T> {
    /// The consumer's index, on a line of its own.
    pub(super) head: CachePadded<Index>,
    /// A power of two of them. Those of the indices from head to tail are initialised.
    slots: Box<[Slot<T>]>,
}

/// Indices and slots of a ring that is alone.
pub struct Shared<T> {
    pub(super) tail: CachePadded<Tail>,
    pub(super) body: Body<T>,
}

/// What has a ring, and keeps it where it is.
pub trait Home<T> {
    /// The producer's part.
    fn tail(&self) -> &Tail;
    /// The consumer's part.
    fn body(&self) -> &Body<T>;
}

impl<T> Home<T> for Arc<Shared<T>> {
    #[inline]
    fn tail(&self) -> &Tail {
        &self.tail
    }

    #[inline]
    fn body(&self) -> &Body<T> {
        &self.body
    }
}

// SAFETY: a slot is touched by one end at a time, handed over through the indices (module docs), so
// that sharing the ring between two threads only ever sends items from one to the other: `T: Send`
// is enough.
unsafe impl<T: Send> Sync for Body<T> {}
// SAFETY: the ring owns its items, and nothing else in it is bound to a thread.
unsafe impl<T: Send> Send for Body<T> {}

impl<T> Body<T> {
    /// That of an empty ring of at least `capacity` slots.
    pub(super) fn new(capacity: usize) -> Result<Self, RingError> {
        let capacity = match capacity {
            0 => return Err(RingError::Zero),
            1..=MAX_CAPACITY => capacity.next_power_of_two().max(MIN_CAPACITY),
            _ => return Err(RingError::TooLarge),
        };
        let mut slots = Vec::new();
        let room = slots.try_reserve_exact(capacity);
        room.map_err(|_| RingError::TooLarge)?;
        slots.resize_with(capacity, || UnsafeCell::new(MaybeUninit::uninit()));
        Ok(Self {
            head: CachePadded::new(Index::new()),
            slots: slots.into_boxed_slice(),
        })
    }

    /// Where the slots are, for an end.
    ///
    /// # Safety
    ///
    /// It is used only as long as this is alive. (It may be moved: the slots stay where they are.)
    pub(super) unsafe fn slots(&self) -> Slots<T> {
        // SAFETY: the box neither moves nor drops them before; the rest is the caller's.
        unsafe { Slots::new(&self.slots) }
    }

    /// Drops what is between the consumer's index and `tail`.
    ///
    /// # Safety
    ///
    /// `tail` is the producer's index, both ends are gone, and what they did is ordered before this.
    /// Nobody looks at the slots afterwards.
    pub(super) unsafe fn drop_items(&self, tail: usize) {
        let mut head = self.head.load();
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

impl<T> Shared<T> {
    /// An empty ring of at least `capacity` slots.
    pub(super) fn new(capacity: usize) -> Result<Self, RingError> {
        Ok(Self {
            tail: CachePadded::new(Tail::new()),
            body: Body::new(capacity)?,
        })
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: both ends are gone, and the `Arc` they shared has ordered all they did before this.
        unsafe { self.body.drop_items(self.tail.index.load()) };
    }
}
