//! Append-only storage whose elements never move, readable without a lock while it grows.
//!
//! Elements lie in chunks. The first has 1024, each following one twice as many as the one before,
//! so the chunk of an index and the place in it come from the position of its highest bit, and 21
//! chunks are enough for every index. A chunk once published stays where it is until the slab is
//! dropped.
//!
//! ```text
//!  grow_to (any thread, under a lock)        get (any thread, no lock)
//!  map zeroed pages
//!  store the chunk's pointer, Release  --->  load the chunk's pointer, Acquire
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
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use memmap2::{MmapMut, MmapOptions};
use zerocopy::FromZeros;

use crate::prefetch::prefetch_read;

#[cfg(test)]
mod tests;

/// Elements in the first chunk.
const FIRST_CHUNK: u32 = 1 << FIRST_BITS;
const FIRST_BITS: u32 = 10;
const CHUNKS: usize = 21;

/// Chunks of this size and more are aligned to it and asked to be in huge pages.
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
    chunks: [AtomicPtr<T>; CHUNKS],
    /// Owns the memory the pointers lead to, in the order of the chunks; locked to grow.
    maps: Mutex<Vec<MmapMut>>,
    /// Shared between threads as the `T`s in it are.
    elements: PhantomData<T>,
}

impl<T: FromZeros + Sync> Slab<T> {
    /// The most elements a slab can have: 1024 less than 2³¹.
    pub const MAX: u32 = chunk_start(CHUNKS);

    /// An empty slab, without memory.
    ///
    /// It does not compile for a `T` that has no size, is aligned to more than a page of 4 KiB, or
    /// has something to drop.
    pub fn new() -> Self {
        const {
            assert!(size_of::<T>() > 0, "elements have a size");
            assert!(align_of::<T>() <= 4096, "pages align the elements");
            assert!(!std::mem::needs_drop::<T>(), "elements are never dropped");
        }
        Self {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
            maps: Mutex::new(Vec::new()),
            elements: PhantomData,
        }
    }

    /// The element at `index`, or None beyond the [capacity](Self::capacity).
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        let (chunk, offset) = place(index);
        let base = self.chunks.get(chunk)?.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        // SAFETY: a pointer that is not null leads to memory for all elements of its chunk,
        // aligned to a page (`grow_to`, `map_zeroed`), `place` returns an offset within the chunk, and the memory stays mapped for
        // as long as `self` is borrowed. It began as zeros, which are a valid `T` (`FromZeros`),
        // and only shared references to it are ever made, so it always holds a valid `T`.
        Some(unsafe { &*base.add(offset) })
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
        while chunk_start(maps.len()) < n {
            let bytes = chunk_bytes::<T>(maps.len()).ok_or_else(too_large)?;
            let Some(chunk) = self.chunks.get(maps.len()) else {
                return Err(too_large());
            };
            let (mut map, offset) =
                map_zeroed(bytes).map_err(|source| SlabError::OutOfMemory { bytes, source })?;
            let base = map.as_mut_ptr().wrapping_add(offset);
            maps.push(map);
            chunk.store(base.cast(), Ordering::Release);
        }
        Ok(())
    }

    /// Elements there is room for: at least what [`grow_to`](Self::grow_to) was asked for.
    pub fn capacity(&self) -> u32 {
        let chunks = self
            .chunks
            .iter()
            .take_while(|chunk| !chunk.load(Ordering::Acquire).is_null())
            .count();
        chunk_start(chunks)
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

/// The index of the first element of `chunk`: 1024 · (2^chunk − 1).
const fn chunk_start(chunk: usize) -> u32 {
    (FIRST_CHUNK << chunk) - FIRST_CHUNK
}

/// The bytes of `chunk`, a multiple of 1024 times the size of an element.
fn chunk_bytes<T>(chunk: usize) -> Option<usize> {
    size_of::<T>().checked_mul((FIRST_CHUNK as usize).checked_shl(u32::try_from(chunk).ok()?)?)
}

/// The chunk of an index, and the offset in it, which is less than the chunk's length.
#[inline]
fn place(index: u32) -> (usize, usize) {
    // Counted from 1024, a chunk begins at each power of two. In 64 bits, since the sum may not fit
    // in 32: such an index is beyond the last chunk.
    let shifted = u64::from(index) + u64::from(FIRST_CHUNK);
    let top = shifted.ilog2();
    ((top - FIRST_BITS) as usize, (shifted ^ (1 << top)) as usize)
}

/// Maps at least `bytes` bytes of zeros, and returns where in the mapping they begin: at a page's
/// beginning, for large ones at a huge page's.
fn map_zeroed(bytes: usize) -> std::io::Result<(MmapMut, usize)> {
    let slack = if bytes >= HUGE_PAGE { HUGE_PAGE } else { 0 };
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
