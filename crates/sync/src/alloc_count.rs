//! An allocator that counts, thread by thread, so that 'no allocation on the datapath' is a figure
//! and not a belief.
//!
//! A binary or a test installs it around its allocator:
//!
//! ```
//! use std::alloc::System;
//! use corelane_sync::alloc_count::{self, CountingAllocator};
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);
//!
//! assert!(alloc_count::installed());
//! let before = alloc_count::this_thread();
//! drop(std::hint::black_box(Box::new(1)));
//! let since = alloc_count::this_thread().since(before);
//! assert_eq!((since.allocations, since.frees), (1, 1));
//! ```

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

/// What a thread asked of the allocator since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocCounts {
    /// Blocks allocated or grown.
    pub allocations: u64,
    /// Blocks freed.
    pub frees: u64,
}

impl AllocCounts {
    /// What was counted since `earlier`.
    #[inline]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            allocations: self.allocations - earlier.allocations,
            frees: self.frees - earlier.frees,
        }
    }
}

thread_local! {
    // Constant and without a destructor: reading it allocates nothing.
    static COUNTS: Cell<AllocCounts> = const { Cell::new(AllocCounts { allocations: 0, frees: 0 }) };
}

/// What the calling thread counted. All zeros unless a [`CountingAllocator`] is
/// [`installed`].
#[inline]
pub fn this_thread() -> AllocCounts {
    COUNTS.get()
}

/// Whether this program's global allocator counts: found out by an allocation.
pub fn installed() -> bool {
    let before = this_thread();
    drop(std::hint::black_box(Box::new(0_u64)));
    this_thread() != before
}

/// Counts for the calling thread. During a thread's last moments there is nothing to count with.
#[inline]
fn count(change: impl FnOnce(&mut AllocCounts)) {
    let _ = COUNTS.try_with(|cell| {
        let mut counts = cell.get();
        change(&mut counts);
        cell.set(counts);
    });
}

/// Counts what passes through to the allocator inside.
pub struct CountingAllocator<A>(A);

impl<A> CountingAllocator<A> {
    /// Counts around `inner`.
    pub const fn new(inner: A) -> Self {
        Self(inner)
    }
}

// SAFETY: every call goes to the allocator inside with its arguments unchanged, so what that one
// guarantees holds; counting neither allocates nor panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|c| c.allocations += 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(|c| c.allocations += 1);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(|c| c.allocations += 1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { self.0.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(|c| c.frees += 1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { self.0.dealloc(block, layout) }
    }
}
