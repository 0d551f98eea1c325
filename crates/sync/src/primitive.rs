//! The primitives every other module is written against: the standard ones, or loom's when built
//! with `--cfg loom`.
//!
//! The code that runs in production is the code that loom explores; only this file knows the
//! difference. Public so that a crate above with its own lock-free part can be modelled the same
//! way.

use std::mem::MaybeUninit;

#[cfg(not(loom))]
pub use std::{
    hint,
    sync::{Arc, atomic},
    thread,
};

#[cfg(loom)]
pub use loom::{
    hint,
    sync::{Arc, atomic},
    thread,
};

#[cfg(loom)]
pub use loom::cell::UnsafeCell;

/// [`std::cell::UnsafeCell`] behind the closures of loom's cell, which is how loom sees each access
/// begin and end.
#[cfg(not(loom))]
#[derive(Debug)]
#[repr(transparent)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    /// A cell holding `value`.
    pub const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Runs `f` with a pointer to read through. The caller of an unsafe operation on it proves that
    /// nobody writes.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Runs `f` with a pointer to write through. The caller of an unsafe operation on it proves
    /// that nobody else reads or writes.
    #[inline(always)]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Moves `cells.len()` items from `from` into `cells`.
///
/// # Safety
///
/// Nobody else touches `cells` meanwhile, `from` points at that many items outside of them, and the
/// caller treats those as moved out afterwards. An item that a cell held before is forgotten.
#[inline(always)]
pub(crate) unsafe fn copy_into_cells<T>(cells: &[UnsafeCell<MaybeUninit<T>>], from: *const T) {
    #[cfg(not(loom))]
    // SAFETY: the cells are laid out as the items they hold, and are ours to write; the rest is the
    // caller's promise.
    unsafe {
        // The pointer comes from the whole slice of cells, so that it may reach and write all of
        // them.
        let into = cells.as_ptr().cast::<T>().cast_mut();
        std::ptr::copy_nonoverlapping(from, into, cells.len());
    }
    // loom's cells carry their own bookkeeping and are passed one by one.
    #[cfg(loom)]
    for (i, cell) in cells.iter().enumerate() {
        // SAFETY: as above, for one cell and one item.
        cell.with_mut(|into| unsafe {
            std::ptr::copy_nonoverlapping(from.add(i), into.cast::<T>(), 1);
        });
    }
}

/// Moves the items of `cells` to `into`.
///
/// # Safety
///
/// Nobody writes `cells` meanwhile, all of them hold an item, and the caller treats these as moved
/// out afterwards. `into` points at room for `cells.len()` items outside of them.
#[inline(always)]
pub(crate) unsafe fn copy_out_of_cells<T>(cells: &[UnsafeCell<MaybeUninit<T>>], into: *mut T) {
    #[cfg(not(loom))]
    // SAFETY: the cells are laid out as the items they hold, and are ours to read; the rest is the
    // caller's promise.
    unsafe {
        std::ptr::copy_nonoverlapping(cells.as_ptr().cast::<T>(), into, cells.len());
    }
    #[cfg(loom)]
    for (i, cell) in cells.iter().enumerate() {
        // SAFETY: as above, for one cell and one item.
        cell.with(|from| unsafe {
            std::ptr::copy_nonoverlapping(from.cast::<T>(), into.add(i), 1);
        });
    }
}

/// A header and a slice in one allocation, shared and counted: what has it, has the address of each
/// element and how many there are.
#[cfg(not(loom))]
pub(crate) struct SliceArc<H, T>(triomphe::Arc<triomphe::HeaderSlice<H, [T]>>);

#[cfg(not(loom))]
impl<H, T> SliceArc<H, T> {
    pub(crate) fn new(header: H, elements: Vec<T>) -> Self {
        Self(triomphe::Arc::from_header_and_vec(header, elements))
    }

    #[inline]
    pub(crate) fn header(&self) -> &H {
        &self.0.header
    }

    #[inline]
    pub(crate) fn slice(&self) -> &[T] {
        &self.0.slice
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        triomphe::Arc::ptr_eq(&self.0, &other.0)
    }
}

/// loom's count cannot have a slice behind it in the same allocation.
#[cfg(loom)]
pub(crate) struct SliceArc<H, T>(Arc<(H, Box<[T]>)>);

#[cfg(loom)]
impl<H, T> SliceArc<H, T> {
    pub(crate) fn new(header: H, elements: Vec<T>) -> Self {
        Self(Arc::new((header, elements.into_boxed_slice())))
    }

    pub(crate) fn header(&self) -> &H {
        &self.0.0
    }

    pub(crate) fn slice(&self) -> &[T] {
        &self.0.1
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<H, T> Clone for SliceArc<H, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(not(loom))]
pub(crate) use crossbeam::sync::{Parker, Unparker};

/// Whether `deadline` has passed.
#[cfg(not(loom))]
pub(crate) fn has_passed(deadline: std::time::Instant) -> bool {
    std::time::Instant::now() >= deadline
}

#[cfg(loom)]
pub(crate) use loom_parker::{Parker, Unparker, has_passed};

#[cfg(loom)]
mod loom_parker;
