//! Who frees a pool whose handles are all gone.
//!
//! Frames outlive the handles of their pool: a frame in a queue somewhere keeps its slot's memory
//! alive, though it holds no counted reference (that would be a write to a shared line for each
//! frame). So the last handle, when it goes, must know whether frames are still out; and if so, the
//! last of them frees the pool.
//!
//! Frames in flight are counted nowhere. What is counted: allocations and recyclings, by each cache
//! for itself, and returns by drop ("strays"), in the one word here. Out is
//! `allocated − recycled − strays`.
//!
//! The word starts at 0, and each stray takes 1 from it: it is `−strays`, never above 0. When the
//! last handle goes all caches are gone with it (each holds a handle), so `allocated − recycled` is
//! final. The last handle adds it: the word is now the number of frames still out, whatever strays
//! returned before. From here the word only falls.
//!
//! ```text
//!            last handle: + (allocated − recycled)
//!  −strays ────────────────────────────────────────► frames out ──── stray: −1 ───► ... ──► 0
//!  (≤ 0, live)                                       0? free now                1 → 0? free now
//! ```
//!
//! Exactly one frees. The word reaches 0 after the addition exactly once: by the addition itself
//! (then no frame is out and no stray follows), or by the stray that takes it from 1 to 0. A stray
//! before the addition sees at most 0 and never 1. A stray after the addition sees at least 1.
//!
//! Nobody touches the pool after the one who frees: a stray's change of the word is its last
//! access, so is the last handle's addition unless it frees. Every change is a release and an
//! acquire, so the one who frees sees all that the others did before theirs.

#[cfg(loom)]
use loom::sync::atomic::{AtomicI64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicI64, Ordering};

/// The word. It has no bytes outside the atomic: a reference to it may dangle while a call on it
/// returns, which is what freeing by another thread amounts to.
#[repr(transparent)]
pub(crate) struct Orphans(AtomicI64);

impl Orphans {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    /// A frame came back by drop. True: the caller is the last and must free the pool. False: the
    /// pool may be gone already.
    #[must_use]
    pub(crate) fn stray(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The last handle goes; `unrecycled` is `allocated − recycled`. True: nothing is out and the
    /// caller must free the pool. False: the pool may be gone already.
    #[must_use]
    pub(crate) fn orphan(&self, unrecycled: i64) -> bool {
        self.0
            .fetch_add(unrecycled, Ordering::AcqRel)
            .wrapping_add(unrecycled)
            == 0
    }

    /// The strays so far. Only while a handle lives.
    pub(crate) fn strays(&self) -> u64 {
        self.0.load(Ordering::Acquire).min(0).unsigned_abs()
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    use super::Orphans;

    /// What a pool is to this race: memory that each party uses before its last step, and that
    /// the one who frees must have for itself.
    struct Pool {
        orphans: Orphans,
        slots: [UnsafeCell<u32>; 2],
        handle: UnsafeCell<u32>,
        freed: AtomicUsize,
    }

    impl Pool {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                orphans: Orphans::new(),
                slots: [UnsafeCell::new(0), UnsafeCell::new(0)],
                handle: UnsafeCell::new(0),
                freed: AtomicUsize::new(0),
            })
        }

        fn drop_frame(&self, slot: usize) {
            // SAFETY: each slot is used by one thread, and freed after it: loom checks.
            self.slots[slot].with_mut(|p| unsafe { *p += 1 });
            if self.orphans.stray() {
                self.free();
            }
        }

        fn drop_handle(&self, unrecycled: i64) {
            // SAFETY: used by this thread, and freed after it: loom checks.
            self.handle.with_mut(|p| unsafe { *p += 1 });
            if self.orphans.orphan(unrecycled) {
                self.free();
            }
        }

        fn free(&self) {
            for slot in &self.slots {
                // SAFETY: the one who frees is alone: loom fails the model otherwise.
                slot.with_mut(|p| unsafe { *p = u32::MAX });
            }
            // SAFETY: as above.
            self.handle.with_mut(|p| unsafe { *p = u32::MAX });
            self.freed.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn two_frames_race_the_last_handle() {
        loom::model(|| {
            let pool = Pool::new();
            let threads: Vec<_> = (0..2)
                .map(|slot| {
                    let pool = pool.clone();
                    thread::spawn(move || pool.drop_frame(slot))
                })
                .collect();
            pool.drop_handle(2);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(pool.freed.load(Ordering::Relaxed), 1);
        });
    }

    #[test]
    fn a_frame_that_stays_out_keeps_the_pool() {
        loom::model(|| {
            let pool = Pool::new();
            let other = pool.clone();
            let thread = thread::spawn(move || other.drop_frame(0));
            pool.drop_handle(2);
            thread.join().unwrap();
            assert_eq!(pool.freed.load(Ordering::Relaxed), 0);
            pool.drop_frame(1);
            assert_eq!(pool.freed.load(Ordering::Relaxed), 1);
        });
    }

    #[test]
    fn strays_that_were_handed_out_again_count_anew() {
        loom::model(|| {
            let pool = Pool::new();
            // Allocated, dropped, allocated again: two allocations, one stray so far.
            assert!(!pool.orphans.stray());
            assert_eq!(pool.orphans.strays(), 1);
            let other = pool.clone();
            let thread = thread::spawn(move || other.drop_frame(0));
            pool.drop_handle(2);
            thread.join().unwrap();
            assert_eq!(pool.freed.load(Ordering::Relaxed), 1);
        });
    }
}
