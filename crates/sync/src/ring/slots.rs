//! Where the items of a ring are.

use crate::prefetch::prefetch_read;
use crate::primitive::{UnsafeCell, copy_into_cells, copy_out_of_cells};
use std::{marker::PhantomData, mem::MaybeUninit, ptr::NonNull, slice};

/// Bytes of a cache line.
const LINE: usize = 64;

/// A slot: empty, or with an item.
pub(super) type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// The slots of a ring, as both ends have them at hand: to move an item touches its slot's line and no
/// line of the ring's own to find it.
pub(super) struct Slots<T> {
    /// The first of them.
    first: NonNull<Slot<T>>,
    /// How many there are, a power of two, less one.
    mask: usize,
    /// Items go in and out.
    _items: PhantomData<T>,
}

// SAFETY: a slot is touched by one end at a time, handed over through the indices (module docs), so
// that this only ever takes items from one thread to another.
unsafe impl<T: Send> Send for Slots<T> {}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slots<T> {}

impl<T> Slots<T> {
    /// These slots, a power of two of them.
    ///
    /// # Safety
    ///
    /// They stay where they are for as long as this is used.
    pub(super) unsafe fn new(slots: &[Slot<T>]) -> Self {
        debug_assert!(slots.len().is_power_of_two());
        Self {
            first: NonNull::from(slots).cast(),
            mask: slots.len() - 1,
            _items: PhantomData,
        }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// The slots of the `n` indices from `index` on: one run, and the rest from the front of the
    /// array if it wraps.
    ///
    /// `n` is at most the capacity.
    #[inline]
    fn runs(&self, index: usize, n: usize) -> [&[Slot<T>]; 2] {
        // SAFETY: there are so many of them, and they are still there (`new`).
        let slots = unsafe { slice::from_raw_parts(self.first.as_ptr(), self.capacity()) };
        let start = index & self.mask;
        let first = n.min(slots.len() - start);
        [&slots[start..start + first], &slots[..n - first]]
    }

    /// The slot of an index.
    #[inline]
    fn slot(&self, index: usize) -> &Slot<T> {
        // SAFETY: the number is less than how many there are, and they are still there (`new`).
        unsafe { self.first.add(index & self.mask).as_ref() }
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
        let slot = self.slot(index);
        let item = make();
        // SAFETY: the caller owns the slot, which holds nothing that were to be dropped.
        slot.with_mut(|slot| unsafe { slot.cast::<T>().write(item) });
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
        let slot = slice::from_ref(self.slot(index));
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
