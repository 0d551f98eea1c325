//! What a pool counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

/// Where a pool's slots are, and what it counted.
///
/// Read while frames move, the fields are each right at some moment of the call; when nothing
/// moves they agree: `slots = out + in_caches + in_depot + in_strays` and
/// `out = allocated − recycled − strays`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Slots of the pool.
    pub slots: usize,
    /// Slots that are frames now.
    pub out: usize,
    /// Free slots held by caches.
    pub in_caches: usize,
    /// Free slots in the depot, for any cache to take by the magazine.
    pub in_depot: usize,
    /// Free slots that came back by drop or from a closed cache and were not taken yet.
    pub in_strays: usize,
    /// Frames handed out.
    pub allocated: u64,
    /// Frames that came back through a cache.
    pub recycled: u64,
    /// Frames that came back by drop.
    pub strays: u64,
    /// Frames asked for and not given because no slot was free.
    pub exhausted: u64,
    /// Whether the kernel accepted the advice to use huge pages.
    pub huge_pages: bool,
}

/// Sums over caches.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) allocated: u64,
    pub(crate) recycled: u64,
    pub(crate) exhausted: u64,
}

impl Totals {
    fn add(&mut self, counts: &Counts) {
        // Recycled first: a frame counted as recycled was counted as allocated before, so that a
        // sum read while frames move does not fall below zero by much.
        self.recycled = self
            .recycled
            .wrapping_add(counts.recycled.load(Ordering::Acquire));
        self.allocated = self
            .allocated
            .wrapping_add(counts.allocated.load(Ordering::Acquire));
        self.exhausted = self
            .exhausted
            .wrapping_add(counts.exhausted.load(Ordering::Relaxed));
    }

    /// Frames handed out and not come back through a cache.
    pub(crate) fn unrecycled(&self) -> i64 {
        self.allocated.wrapping_sub(self.recycled).cast_signed()
    }
}

/// The counts of one cache: written by its owner alone, read by any.
#[derive(Default)]
pub(crate) struct Counts {
    allocated: AtomicU64,
    recycled: AtomicU64,
    exhausted: AtomicU64,
}

impl Counts {
    pub(crate) fn add_allocated(&self, n: usize) {
        add(&self.allocated, n);
    }

    pub(crate) fn add_recycled(&self, n: usize) {
        add(&self.recycled, n);
    }

    pub(crate) fn add_exhausted(&self, n: usize) {
        add(&self.exhausted, n);
    }
}

/// A load and a store: there is one writer.
fn add(count: &AtomicU64, n: usize) {
    let sum = count.load(Ordering::Relaxed).wrapping_add(n as u64);
    count.store(sum, Ordering::Release);
}

/// The counts of all caches of a pool, those that are gone included.
#[derive(Default)]
pub(crate) struct Registry {
    live: Vec<Arc<CachePadded<Counts>>>,
    retired: Totals,
}

impl Registry {
    pub(crate) fn register(&mut self) -> Arc<CachePadded<Counts>> {
        let counts = Arc::<CachePadded<Counts>>::default();
        self.live.push(Arc::clone(&counts));
        counts
    }

    /// Folds the counts of a cache that goes into the sum.
    pub(crate) fn retire(&mut self, counts: &Arc<CachePadded<Counts>>) {
        if let Some(at) = self.live.iter().position(|live| Arc::ptr_eq(live, counts)) {
            self.live.swap_remove(at);
            self.retired.add(counts);
        }
    }

    /// Caches in use.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn live(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = self.retired;
        for counts in &self.live {
            totals.add(counts);
        }
        totals
    }
}
