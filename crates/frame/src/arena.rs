//! The memory of a pool: one mapping, slots side by side.

use std::ptr::NonNull;

use memmap2::MmapMut;

use crate::config::{HugePages, PoolConfig, PoolError};

/// The huge page of x86-64 and of AArch64 with 4 KiB pages.
const HUGE: usize = 2 << 20;

/// An anonymous mapping: zeroed, and so always initialised, in whole huge pages where it pays.
pub(crate) struct Arena {
    /// Slot 0, aligned to [`HUGE`].
    base: NonNull<u8>,
    /// Bytes from slot 0 to the end of the last slot.
    len: usize,
    /// Whether the kernel accepted the advice to use huge pages.
    huge_pages: bool,
    /// Unmaps when dropped. Nothing reaches the memory through it: only through `base`.
    _map: MmapMut,
}

// SAFETY: the arena gives out no access to its bytes, only their address; who may touch which slot
// is the pool's business. The mapping belongs to the process, not to a thread.
unsafe impl Send for Arena {}
// SAFETY: as above; every method reads plain fields that never change.
unsafe impl Sync for Arena {}

impl Arena {
    pub(crate) fn new(config: &PoolConfig) -> Result<Self, PoolError> {
        let len = config.arena_bytes()?;
        let want_huge = config.huge_pages == HugePages::Try;
        let too_large = PoolError::TooLarge {
            slots: config.slots,
            stride: config.stride(),
        };
        // A huge page must lie in the mapping as a whole: round up where less than half a page is
        // given away. The kernel hands out no memory before it is touched.
        let whole = if want_huge && len % HUGE >= HUGE / 2 {
            len.checked_next_multiple_of(HUGE)
        } else {
            Some(len)
        };
        // Aligned by mapping one huge page too many: anonymous memory is aligned to 4 KiB only.
        let Some(mapped) = whole.and_then(|bytes| bytes.checked_add(HUGE)) else {
            return Err(too_large);
        };
        let mut map = MmapMut::map_anon(mapped).map_err(|source| PoolError::Map {
            bytes: mapped,
            source,
        })?;
        let huge_pages = want_huge && advise_huge(&map);
        let start = map.as_mut_ptr();
        let skip = start.align_offset(HUGE);
        if skip > mapped - len {
            return Err(too_large);
        }
        // SAFETY: `skip` is less than or equal to `mapped - len`, so the result and the `len` bytes
        // after it lie in the mapping.
        let base = unsafe { start.add(skip) };
        let Some(base) = NonNull::new(base) else {
            return Err(too_large);
        };
        Ok(Self {
            base,
            len,
            huge_pages,
            _map: map,
        })
    }

    /// Slot 0.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// All slots, as an address range.
    pub(crate) fn range(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.len)
    }

    pub(crate) fn huge_pages(&self) -> bool {
        self.huge_pages
    }
}

#[cfg(target_os = "linux")]
fn advise_huge(map: &MmapMut) -> bool {
    map.advise(memmap2::Advice::HugePage).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn advise_huge(_map: &MmapMut) -> bool {
    false
}
