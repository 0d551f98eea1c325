//! What the two ends of a ring share.

use crate::prefetch::{prefetch_read, prefetch_write, prefetch_write_end};
use crate::primitive::{
    UnsafeCell,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    copy_into_cells, copy_out_of_cells,
};
use crossbeam::utils::CachePadded;
use std::{
    collections::TryReserveError,
    mem::{ManuallyDrop, MaybeUninit},
};

/// Bytes of a cache line.
const LINE: usize = 64;

/// One end's index, on a line of its own. Written by that end only.
pub(super) struct Index(CachePadded<AtomicUsize>);

impl Index {
    fn new() -> Self {
        Self(CachePadded::new(AtomicUsize::new(0)))
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

/// Whether an end is gone. Written once: beside what is only read, so that asking costs nothing while
/// the end is there.
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

/// Indices and slots.
pub(super) struct Shared<T> {
    /// The consumer's index.
    pub(super) head: Index,
    /// The producer's index.
    pub(super) tail: Index,
    pub(super) consumer: Gone,
    pub(super) producer: Gone,
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
            head: Index::new(),
            tail: Index::new(),
            consumer: Gone::new(),
            producer: Gone::new(),
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

    /// The slot of an index.
    #[inline]
    fn slot(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[index & (self.slots.len() - 1)]
    }

    /// Asks for the lines that a push at `tail` writes.
    #[inline]
    pub(super) fn prefetch_push(&self, tail: usize) {
        prefetch_write(&self.tail);
        let slot = self.slot(tail);
        prefetch_write(slot);
        if size_of::<T>() > 1 && !LINE.is_multiple_of(size_of::<T>()) {
            // It may begin on one line and end on the next.
            prefetch_write_end(slot);
        }
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

    /// Moves an item into the slot of an index: without the loops that several need.
    ///
    /// # Safety
    ///
    /// The slot is the caller's to write, as the producer, and empty.
    #[inline]
    pub(super) unsafe fn write_one(&self, index: usize, item: T) {
        // SAFETY: as the caller's.
        unsafe { self.write_one_with(index, || item) }
    }

    /// Moves the item that `make` returns into the slot of an index. If it panics, the slot stays empty.
    ///
    /// # Safety
    ///
    /// As [`write_one`](Self::write_one).
    #[inline]
    pub(super) unsafe fn write_one_with(&self, index: usize, make: impl FnOnce() -> T) {
        // Found before the item is made, which can then go there without a stop on the way.
        let slot = std::slice::from_ref(self.slot(index));
        let item = ManuallyDrop::new(make());
        // SAFETY: the caller owns the slot; the item is moved, its copy here forgotten.
        unsafe { copy_into_cells(slot, std::ptr::from_ref(&*item)) };
    }

    /// Moves the item out of the slot of an index.
    ///
    /// # Safety
    ///
    /// The slot is the caller's to read, as the consumer, and initialised; the caller treats it as
    /// empty afterwards.
    #[inline]
    pub(super) unsafe fn read_one(&self, index: usize) -> T {
        let mut item = MaybeUninit::<T>::uninit();
        let slot = std::slice::from_ref(self.slot(index));
        // SAFETY: the caller owns the slot, which holds an item.
        unsafe {
            copy_out_of_cells(slot, item.as_mut_ptr());
            item.assume_init()
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
        let tail = self.tail.0.load(Relaxed);
        let mut head = self.head.0.load(Relaxed);
        while head != tail {
            // SAFETY: slots from head to tail are initialised, nobody else is left to touch them,
            // and the index moves on before the item is dropped, so that each is read once. Should
            // an item's drop panic, the rest leak.
            let item = unsafe { self.read_one(head) };
            head = head.wrapping_add(1);
            drop(item);
        }
    }
}
