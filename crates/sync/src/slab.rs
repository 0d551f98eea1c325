//! Append-only storage whose elements never move, readable without a lock while it grows.
//!
//! Elements lie in blocks of 16,384, and a table has the address of each block, so the way to an element
//! is a shift, a load and an addition. (Chunks of growing sizes alone need the position of the index's
//! highest bit, which baseline x86-64 finds in eight micro-operations.) Blocks are mapped in chunks, each as
//! large as all before it, for the sake of huge pages. A block once in the table stays where it is until
//! the slab is dropped.
//!
//! ```text
//!  grow_to (any thread, under a lock)        get (any thread, no lock)
//!  map a chunk of zeroed pages
//!  store its blocks' pointers, Release  ---> load the block's pointer, Acquire
//!                                            null: not there (yet)
//! ```
//!
//! Elements begin as zeros and are never dropped; what they mean beyond that is between their
//! users, who have only shared references and so write through atomics.

#![expect(
    clippy::disallowed_types,
    reason = "the lock is taken to grow, never to read"
)]

use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use memmap2::{MmapMut, MmapOptions};
use zerocopy::FromZeros;

use crate::prefetch::prefetch_read;

#[cfg(test)]
mod tests;

/// Elements in a block.
const BLOCK: u32 = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 14;

/// As many blocks as any index can ask for: no check is needed. Most of this is never touched, and so
/// takes no memory.
type Table<T> = [AtomicPtr<T>; 1 << (u32::BITS - BLOCK_BITS)];

/// Chunks there can be: with one block, one, two, four and so on.
const CHUNKS: usize = 18;

/// Chunks as large as this, or half as large if that is [wanted](Slab::in_huge_pages), are rounded up and aligned to it,
/// and asked to be in huge pages.
const HUGE_PAGE: usize = 2 << 20;

/// Why a [`Slab`] did not grow.
#[derive(Debug, thiserror::Error)]
pub enum SlabError {
    /// More elements than a slab can have, or than can be addressed.
    #[error("a slab of {asked} elements is too large, the limit is {limit}")]
    TooLarge {
        /// Elements asked for.
        asked: u32,
        /// The most there can be.
        limit: u32,
    },
    /// The operating system has no memory for the next chunk.
    #[error("no memory for a chunk of {bytes} bytes")]
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Append-only storage of `T`, addressed by index, at stable addresses.
pub struct Slab<T> {
    blocks: Box<Table<T>>,
    /// Owns the memory the pointers lead to, in the order of the chunks; locked to grow.
    maps: Mutex<Vec<MmapMut>>,
    /// Bytes of a chunk from which on it is to be in huge pages.
    huge_from: usize,
    /// Shared between threads as the `T`s in it are.
    elements: PhantomData<T>,
}

impl<T: FromZeros + Sync> Slab<T> {
    /// The most elements a slab can have: 2³¹.
    pub const MAX: u32 = block_of_chunk(CHUNKS) << BLOCK_BITS;

    /// An empty slab, with no more memory than its table takes.
    ///
    /// It does not compile for a `T` that has no size, is aligned to more than a page of 4 KiB, or
    /// has something to drop.
    ///
    /// # Panics
    ///
    /// If there are not 2 MiB of address space for that.
    pub fn new() -> Self {
        Self::huge_from(HUGE_PAGE)
    }

    /// As [`new`](Self::new), for one that is read all over and of which there are few: smaller chunks are in huge pages
    /// too, down to 1 MiB, so that a reader seldom comes to a page whose place it has to find out.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn in_huge_pages() -> Self {
        Self::huge_from(HUGE_PAGE / 2)
    }

    fn huge_from(huge_from: usize) -> Self {
        const {
            assert!(size_of::<T>() > 0, "elements have a size");
            assert!(align_of::<T>() <= 4096, "pages align the elements");
            assert!(!std::mem::needs_drop::<T>(), "elements are never dropped");
        }
        Self {
            blocks: Table::new_box_zeroed().expect("address space for a table"),
            maps: Mutex::new(Vec::new()),
            huge_from,
            elements: PhantomData,
        }
    }

    /// The element at `index`, or None beyond the [capacity](Self::capacity).
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        let block = self.blocks.get((index >> BLOCK_BITS) as usize)?;
        let base = block.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        // SAFETY: a pointer that is not null leads to memory for all elements of its block,
        // aligned to a page (`grow_to`, `map_zeroed`), the offset is less than those, and the memory stays
        // mapped for as long as `self` is borrowed. It began as zeros, which are a valid `T`
        // (`FromZeros`), and only shared references to it are ever made, so it always holds a valid `T`.
        Some(unsafe { &*base.add((index % BLOCK) as usize) })
    }

    /// Begins to bring the element at `index` into the cache, if there is one.
    #[inline]
    pub fn prefetch(&self, index: u32) {
        if let Some(element) = self.get(index) {
            prefetch_read(element);
        }
    }

    /// Grows to at least `n` elements, by whole chunks. On an error it keeps what it got so far.
    ///
    /// # Errors
    ///
    /// [`SlabError::TooLarge`] beyond [`MAX`](Self::MAX); [`SlabError::OutOfMemory`] if a chunk
    /// cannot be mapped.
    pub fn grow_to(&self, n: u32) -> Result<(), SlabError> {
        let too_large = || SlabError::TooLarge {
            asked: n,
            limit: Self::MAX,
        };
        if n > Self::MAX {
            return Err(too_large());
        }
        // The list is as good after a panic as before: it is changed by one push.
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        while block_of_chunk(maps.len()) << BLOCK_BITS < n {
            let first = block_of_chunk(maps.len()) as usize;
            let blocks = block_of_chunk(maps.len() + 1) as usize - first;
            let size = size_of::<T>().checked_mul(BLOCK as usize);
            let size = size.ok_or_else(too_large)?;
            let bytes = size.checked_mul(blocks).ok_or_else(too_large)?;
            let (mut map, offset) = map_zeroed(bytes, bytes >= self.huge_from)
                .map_err(|source| SlabError::OutOfMemory { bytes, source })?;
            let base = map.as_mut_ptr().wrapping_add(offset);
            maps.push(map);
            for (at, block) in self.blocks.iter().skip(first).take(blocks).enumerate() {
                block.store(base.wrapping_add(at * size).cast(), Ordering::Release);
            }
        }
        Ok(())
    }

    /// Elements there is room for: at least what [`grow_to`](Self::grow_to) was asked for.
    pub fn capacity(&self) -> u32 {
        let chunks = (1..=CHUNKS).take_while(|chunk| {
            // The last block of a chunk is stored last.
            let last = self.blocks.get(block_of_chunk(*chunk) as usize - 1);
            last.is_some_and(|block| !block.load(Ordering::Acquire).is_null())
        });
        block_of_chunk(chunks.count()) << BLOCK_BITS
    }

    /// Bytes of address space the elements take; pages never touched take no memory.
    pub fn bytes(&self) -> usize {
        self.capacity() as usize * size_of::<T>()
    }
}

impl<T: FromZeros + Sync> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slab").finish_non_exhaustive()
    }
}

/// The first block of a chunk: 0, 1, 2, 4 and so on.
const fn block_of_chunk(chunk: usize) -> u32 {
    1 << chunk >> 1
}

/// Maps at least `bytes` bytes of zeros, and returns where in the mapping they begin: at a page's
/// beginning, or at a huge page's.
fn map_zeroed(bytes: usize, huge: bool) -> std::io::Result<(MmapMut, usize)> {
    let (bytes, slack) = if huge {
        let rounded = bytes.checked_next_multiple_of(HUGE_PAGE);
        (rounded.ok_or(std::io::ErrorKind::OutOfMemory)?, HUGE_PAGE)
    } else {
        (bytes, 0)
    };
    let length = bytes
        .checked_add(slack)
        .ok_or(std::io::ErrorKind::OutOfMemory)?;
    // Elements are touched long after they are mapped, and most of the last chunk perhaps never.
    let map = MmapOptions::new()
        .len(length)
        .no_reserve_swap()
        .map_anon()?;
    if slack == 0 {
        return Ok((map, 0));
    }
    let offset = map.as_ptr().align_offset(HUGE_PAGE);
    if offset > slack {
        // Cannot be of a byte pointer; the pages are as good unaligned.
        return Ok((map, 0));
    }
    #[cfg(target_os = "linux")]
    {
        // Only advice: a kernel without huge pages serves the same memory by small ones.
        let _ = map.advise_range(memmap2::Advice::HugePage, offset, bytes);
    }
    Ok((map, offset))
}
