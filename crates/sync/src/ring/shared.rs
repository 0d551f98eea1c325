//! What the two ends of a ring share.

use crate::prefetch::prefetch_read;
use crate::primitive::{
    UnsafeCell,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    copy_into_cells, copy_out_of_cells,
};
use crossbeam::utils::CachePadded;
use std::{collections::TryReserveError, mem::MaybeUninit};

/// Bytes of a cache line.
const LINE: usize = 64;

/// One end's index, and whether that end is gone. Written by that end only.
pub(super) struct End {
    index: AtomicUsize,
    gone: AtomicBool,
}

impl End {
    fn new() -> CachePadded<Self> {
        CachePadded::new(Self {
            index: AtomicUsize::new(0),
            gone: AtomicBool::new(false),
        })
    }

    /// The end's index, and with it everything the end did to the slots before.
    #[inline]
    pub(super) fn load(&self) -> usize {
        self.index.load(Acquire)
    }

    /// Moves the index, giving the slots passed over to the other end. Only this end's owner calls
    /// it.
    #[inline]
    pub(super) fn store(&self, index: usize) {
        self.index.store(index, Release);
    }

    /// Whether the end is gone; if so, the last index it stored is visible too.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Acquire)
    }

    /// Marks the end as gone.
    pub(super) fn leave(&self) {
        self.gone.store(true, Release);
    }
}

/// Indices and slots.
pub(super) struct Shared<T> {
    /// The consumer's end.
    pub(super) head: CachePadded<End>,
    /// The producer's end.
    pub(super) tail: CachePadded<End>,
    /// A power of two of them. Those of the indices from head to tail are initialised.
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
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
            head: End::new(),
            tail: End::new(),
            slots: slots.into_boxed_slice(),
        })
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The slots of the `n` indices from `index` on: one run, and the rest from the front of the
    /// array if it wraps.
    ///
    /// `n` is at most the capacity.
    #[inline]
    fn runs(&self, index: usize, n: usize) -> [&[UnsafeCell<MaybeUninit<T>>]; 2] {
        let start = index & (self.slots.len() - 1);
        let first = n.min(self.slots.len() - start);
        [&self.slots[start..start + first], &self.slots[..n - first]]
    }

    /// Asks for the lines of the `n` slots from `index` on, to be read. `n` is at most the capacity.
    #[inline]
    pub(super) fn prefetch(&self, index: usize, n: usize) {
        let per_line = const {
            match size_of::<T>() {
                0 => LINE,
                size if size >= LINE => 1,
                size => LINE / size,
            }
        };
        for run in self.runs(index, n) {
            run.iter().step_by(per_line).for_each(prefetch_read);
        }
    }

    /// Moves `n` items from `from` into the slots of the indices from `index` on.
    ///
    /// # Safety
    ///
    /// These slots are the caller's to write, as the producer, and empty. `from` points at `n`
    /// items, which the caller treats as moved out afterwards.
    #[inline]
    pub(super) unsafe fn write(&self, index: usize, from: *const T, n: usize) {
        let [first, second] = self.runs(index, n);
        // SAFETY: the caller owns the slots of both runs, and `from` has as many items as the two
        // have slots.
        unsafe {
            copy_into_cells(first, from);
            copy_into_cells(second, from.add(first.len()));
        }
    }

    /// Moves `n` items out of the slots of the indices from `index` on, to `into`.
    ///
    /// # Safety
    ///
    /// These slots are the caller's to read, as the consumer, and initialised; the caller treats
    /// them as empty afterwards. `into` points at room for `n` items.
    #[inline]
    pub(super) unsafe fn read(&self, index: usize, into: *mut T, n: usize) {
        let [first, second] = self.runs(index, n);
        // SAFETY: the caller owns the slots of both runs, and `into` has as much room as the two
        // have slots.
        unsafe {
            copy_out_of_cells(first, into);
            copy_out_of_cells(second, into.add(first.len()));
        }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Both ends are gone, and the `Arc` they shared has ordered all they did before this.
        let tail = self.tail.index.load(Relaxed);
        let mut head = self.head.index.load(Relaxed);
        while head != tail {
            let mut item = MaybeUninit::<T>::uninit();
            // SAFETY: slots from head to tail are initialised, nobody else is left to touch them,
            // and the index moves on before the item is dropped, so that each is read once. Should
            // an item's drop panic, the rest leak.
            let item = unsafe {
                self.read(head, item.as_mut_ptr(), 1);
                item.assume_init()
            };
            head = head.wrapping_add(1);
            drop(item);
        }
    }
}
