//! The pool: what its handles, caches and frames share.

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};

use corelane_sync::depot::{Depot, MAGAZINE};
use corelane_wire::Offload;
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;

use crate::arena::Arena;
use crate::cache::PoolCache;
use crate::config::{PoolConfig, PoolError};
use crate::orphans::Orphans;
use crate::stats::{PoolStats, Registry};

#[allow(
    clippy::disallowed_types,
    reason = "control plane: a cache opens or closes, a report"
)]
type Mutex<T> = std::sync::Mutex<T>;

#[cfg(all(test, not(loom)))]
mod tests;

/// A pool of frames: one arena of slots of one size. A handle; clones are the same pool.
///
/// The arena lives until the last handle, the last cache and the last frame are gone, whichever
/// goes last.
#[derive(Clone)]
pub struct Pool {
    handle: Arc<Handle>,
}

impl Pool {
    /// Maps an arena and puts every slot of it into the depot.
    ///
    /// # Errors
    /// A field of `config` out of range, or no memory.
    pub fn new(config: PoolConfig) -> Result<Self, PoolError> {
        let arena = Arena::new(&config)?;
        let offloads = Offloads::new(config.slots);
        let geometry = CachePadded::new(Geometry {
            base: arena.base(),
            stride: config.stride(),
            slot_size: config.slot_size,
            headroom: config.headroom,
            offloads: offloads.base(),
        });
        let depot = Depot::new((config.slots / MAGAZINE).max(1));
        let inner = Inner {
            geometry,
            depot,
            strays: ArrayQueue::new(config.slots),
            registry: Mutex::default(),
            orphans: CachePadded::new(Orphans::new()),
            arena,
            _offloads: offloads,
            config,
        };
        inner.fill();
        let inner = NonNull::from(Box::leak(Box::new(inner)));
        Ok(Self {
            handle: Arc::new(Handle { inner }),
        })
    }

    /// A cache for one thread. Makes a heap allocation and takes a lock: not for the datapath.
    pub fn cache(&self) -> PoolCache {
        let counts = self.inner().registry(Registry::register);
        PoolCache::new(Arc::clone(&self.handle), counts)
    }

    /// What the pool was made with.
    pub fn config(&self) -> &PoolConfig {
        &self.inner().config
    }

    /// Slots that are frames now, wherever they are: exact when no frame is being taken or
    /// returned, within what moves during the call otherwise.
    pub fn out(&self) -> usize {
        self.stats().out
    }

    /// Where the slots are and what was counted.
    pub fn stats(&self) -> PoolStats {
        let inner = self.inner();
        let slots = inner.config.slots;
        // Strays before allocations, for the reason given at `Totals::add`.
        let strays = inner.orphans.strays();
        let totals = inner.registry(|registry| registry.totals());
        let out = totals.unrecycled().saturating_sub_unsigned(strays);
        let out = usize::try_from(out).unwrap_or(0).min(slots);
        let in_depot = inner.depot.len().saturating_mul(MAGAZINE).min(slots);
        let in_strays = inner.strays.len();
        PoolStats {
            slots,
            out,
            in_caches: slots
                .saturating_sub(out)
                .saturating_sub(in_depot + in_strays),
            in_depot,
            in_strays,
            allocated: totals.allocated,
            recycled: totals.recycled,
            strays,
            exhausted: totals.exhausted,
            huge_pages: inner.arena.huge_pages(),
        }
    }

    /// The addresses of the slots: slot `i` starts `i * stride` bytes in. For registering the
    /// memory with a device; the bytes belong to the frames.
    pub fn arena(&self) -> NonNull<[u8]> {
        self.inner().arena.range()
    }

    fn inner(&self) -> &Inner {
        self.handle.inner()
    }

    #[inline]
    pub(crate) fn inner_ptr(&self) -> NonNull<Inner> {
        self.handle.inner_ptr()
    }

    #[inline]
    pub(crate) fn stride(&self) -> usize {
        self.inner().geometry.stride
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("config", self.config())
            .field("stats", &self.stats())
            .finish()
    }
}

/// What finding a frame's bytes takes: read per frame, never written.
pub(crate) struct Geometry {
    pub(crate) base: NonNull<u8>,
    pub(crate) stride: usize,
    pub(crate) slot_size: usize,
    pub(crate) headroom: usize,
    /// What is left to do with the frame in each slot, if its handle says that something is.
    pub(crate) offloads: NonNull<MaybeUninit<Offload>>,
}

/// A place for each slot's [`Offload`], not touched as long as no frame has any. It is reached through
/// the geometry alone.
struct Offloads(NonNull<[MaybeUninit<Offload>]>);

impl Offloads {
    fn new(slots: usize) -> Self {
        Self(NonNull::from(Box::leak(Box::new_uninit_slice(slots))))
    }

    fn base(&self) -> NonNull<MaybeUninit<Offload>> {
        self.0.cast()
    }
}

impl Drop for Offloads {
    fn drop(&mut self) {
        // SAFETY: it came from a box (`new`), and goes with its pool, which no frame is left of.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The geometry that frames without a slot point at: no byte is in reach.
pub(crate) static NOWHERE: Nowhere = Nowhere(Geometry {
    base: NonNull::dangling(),
    stride: 0,
    slot_size: 0,
    headroom: 0,
    offloads: NonNull::dangling(),
});

/// A geometry that can be a static.
pub(crate) struct Nowhere(pub(crate) Geometry);

// SAFETY: it is never written, and nothing is read through its address.
unsafe impl Sync for Nowhere {}

/// A pool's memory and books. Shared by handles (by count) and by frames (by [`Orphans`]).
///
/// The geometry is at the front: that is what frames point at.
#[repr(C)]
pub(crate) struct Inner {
    pub(crate) geometry: CachePadded<Geometry>,
    /// Full magazines, the last returned first.
    pub(crate) depot: Depot,
    /// Slots that come back one by one. As large as the pool, so that it never fills.
    pub(crate) strays: ArrayQueue<u32>,
    registry: Mutex<Registry>,
    orphans: CachePadded<Orphans>,
    arena: Arena,
    _offloads: Offloads,
    config: PoolConfig,
}

// SAFETY: the addresses in `geometry` and `_offloads` are of memory that belongs to no thread, and
// goes with this; all other fields are `Send`.
unsafe impl Send for Inner {}
// SAFETY: `geometry` and `_offloads` are never written after `Pool::new`, and what is behind their
// addresses is touched by the owner of a slot alone, in that slot's part. All other fields are `Sync`.
unsafe impl Sync for Inner {}

impl Inner {
    /// Puts every slot into the depot (and what is no full magazine into the strays), so that
    /// slot 0 comes out first.
    fn fill(&self) {
        let mut left = self.config.slots as u32;
        let mut rest = left % MAGAZINE as u32;
        while rest > 0 {
            rest -= 1;
            left -= 1;
            self.put_stray(left);
        }
        let mut magazine = [0; MAGAZINE];
        while left > 0 {
            for slot in &mut magazine {
                left -= 1;
                *slot = left;
            }
            self.put(&magazine);
        }
    }

    /// Makes slots free for any cache: by the magazine if they are one.
    pub(crate) fn put(&self, slots: &[u32]) {
        if let Ok(magazine) = slots.try_into()
            && self.depot.push(magazine)
        {
            return;
        }
        for &slot in slots {
            self.put_stray(slot);
        }
    }

    fn put_stray(&self, slot: u32) {
        // There are as many places as slots and each slot is in one place at most.
        let put = self.strays.push(slot);
        debug_assert!(put.is_ok(), "slot {slot} is twice in its pool");
    }

    pub(crate) fn registry<R>(&self, f: impl FnOnce(&mut Registry) -> R) -> R {
        // A panic cannot leave the sums half done: they are plain additions.
        f(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The slow way home of a frame: its slot to the strays, and if it was the last frame of a pool
    /// without handles, the end of the pool.
    ///
    /// # Safety
    /// The caller gives up a frame of this pool: `slot` is in no other place, and was counted as
    /// allocated. The pool may be gone when this returns.
    #[cold]
    pub(crate) unsafe fn take_back(inner: NonNull<Inner>, slot: u32) {
        // SAFETY: the frame that is given up has not been counted as returned yet, and a pool with
        // such a frame is not freed.
        unsafe { inner.as_ref() }.put_stray(slot);
        // No reference to the whole of `Inner` may live across the count: another thread can free
        // it as soon as the count is done. `Orphans` is nothing but an atomic, for which that is
        // allowed.
        // SAFETY: as above, up to the count itself.
        let orphans: &Orphans = unsafe { &(*inner.as_ptr()).orphans };
        if orphans.stray() {
            // SAFETY: `stray` says so to one caller, after all others had their last access.
            drop(unsafe { Box::from_raw(inner.as_ptr()) });
        }
    }
}

/// What handles and caches share by count; the last of them ends the pool or leaves it to the
/// frames that are out.
pub(crate) struct Handle {
    inner: NonNull<Inner>,
}

// SAFETY: a handle is a shared reference to `Inner`, which is `Send` and `Sync`.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(crate) fn inner(&self) -> &Inner {
        // SAFETY: `Inner` is freed after `Handle::drop` has counted, at the earliest.
        unsafe { self.inner.as_ref() }
    }

    pub(crate) fn inner_ptr(&self) -> NonNull<Inner> {
        self.inner
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Every cache held this handle and has retired its counts: the sum is final.
        let unrecycled = self
            .inner()
            .registry(|registry| registry.totals())
            .unrecycled();
        // SAFETY: not freed before the count; no reference to the whole lives across it (see
        // `take_back`).
        let orphans: &Orphans = unsafe { &(*self.inner.as_ptr()).orphans };
        if orphans.orphan(unrecycled) {
            // SAFETY: `orphan` says so if no frame is out, and then nobody else has the address.
            drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
        }
    }
}
