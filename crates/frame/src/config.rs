//! The shape of a pool, and what can be wrong with it.

use std::io;

use crate::cache::PoolCache;

/// The most slots a pool has: a slot index is 24 bits wide.
pub const MAX_SLOTS: usize = (1 << 24) - 1;

/// The largest slot, in bytes: room for a 64 KiB datagram with its headers and headroom.
pub const MAX_SLOT_SIZE: usize = 128 * 1024;

/// The largest headroom, in bytes.
pub const MAX_HEADROOM: usize = 32 * 1024;

/// The bytes of a cache line; sizes in a [`PoolConfig`] are multiples of it.
pub const LINE: usize = 64;

/// How many slots a pool has and what each looks like.
///
/// ```text
/// slot i at i * stride
/// ├── headroom ──┬──────────── data ────────────┬─ pad ─┤
/// │              │                              │       │
/// 0           headroom                      slot_size  stride
/// ```
///
/// The default is 512 slots of 2,048 bytes with 128 bytes of headroom: an arena of about 1 MiB,
/// which stays in a core's second-level cache. More slots cost little as long as they are not out:
/// a pool hands out the most recently returned slots first, so that the memory in use is that of
/// the frames in flight. Fewer slots than what the pipeline and the caches hold starve it:
/// [`slots_for`](PoolConfig::slots_for) gives a count that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// How many slots, 1 to [`MAX_SLOTS`].
    pub slots: usize,
    /// Bytes of a slot, headroom included: a multiple of [`LINE`], more than `headroom`, at most
    /// [`MAX_SLOT_SIZE`].
    pub slot_size: usize,
    /// Bytes in front of the data of a new frame: a multiple of [`LINE`], at most
    /// [`MAX_HEADROOM`].
    pub headroom: usize,
    /// The distance from slot to slot.
    pub stride: Stride,
    /// Whether to ask for huge pages.
    pub huge_pages: HugePages,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            slots: 512,
            slot_size: 2048,
            headroom: 128,
            stride: Stride::Spread,
            huge_pages: HugePages::Try,
        }
    }
}

impl PoolConfig {
    /// The default, with slots that have room for frames of so many bytes behind the headroom, as far as
    /// slots [may be](MAX_SLOT_SIZE) that large. Of slots larger than a page most is rarely touched, and
    /// huge pages would make all of it there: they are not asked for then.
    pub fn for_frames(longest: usize) -> Self {
        const PAGE: usize = 4096;
        let default = Self::default();
        let wanted = default.headroom.saturating_add(longest);
        let slot_size = wanted
            .clamp(default.slot_size, MAX_SLOT_SIZE)
            .next_multiple_of(LINE);
        Self {
            slot_size,
            huge_pages: if slot_size > PAGE {
                HugePages::Off
            } else {
                default.huge_pages
            },
            ..default
        }
    }

    /// The slots of a pool that can have `in_flight` frames out while `caches` caches are in use,
    /// whatever those caches hold; at most [`MAX_SLOTS`].
    pub const fn slots_for(in_flight: usize, caches: usize) -> usize {
        let slots = in_flight.saturating_add(caches.saturating_mul(PoolCache::HOLDS));
        if slots > MAX_SLOTS { MAX_SLOTS } else { slots }
    }

    /// Bytes from the start of a slot to the start of the next.
    pub const fn stride(&self) -> usize {
        match self.stride {
            Stride::Packed => self.slot_size,
            // An odd number of lines is prime to the number of cache sets, a power of two: then
            // the first lines of neighbouring slots visit every set before they repeat.
            Stride::Spread if (self.slot_size / LINE).is_multiple_of(2) => {
                self.slot_size.saturating_add(LINE)
            }
            Stride::Spread => self.slot_size,
        }
    }

    /// Checks every field and returns the bytes of the arena.
    pub(crate) fn arena_bytes(&self) -> Result<usize, PoolError> {
        let &Self {
            slots,
            slot_size,
            headroom,
            ..
        } = self;
        if !(1..=MAX_SLOTS).contains(&slots) {
            return Err(PoolError::Slots { slots });
        }
        if !headroom.is_multiple_of(LINE) || headroom > MAX_HEADROOM {
            return Err(PoolError::Headroom { headroom });
        }
        if !slot_size.is_multiple_of(LINE) || slot_size <= headroom || slot_size > MAX_SLOT_SIZE {
            return Err(PoolError::SlotSize {
                slot_size,
                headroom,
            });
        }
        slots
            .checked_mul(self.stride())
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or(PoolError::TooLarge {
                slots,
                stride: self.stride(),
            })
    }
}

/// The distance from slot to slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stride {
    /// `slot_size`, and one cache line more if it is an even number of lines: the first lines of
    /// the slots then fall into different cache sets. At 2,048 bytes they would share two sets of
    /// a 64-set cache, and a pool larger than the cache's associativity would evict itself.
    #[default]
    Spread,
    /// `slot_size` exactly, as an AF_XDP UMEM with aligned chunks needs it.
    Packed,
}

/// Whether to ask the kernel for huge pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HugePages {
    /// Ask for transparent huge pages, and go on without if there are none.
    #[default]
    Try,
    /// Do not ask.
    Off,
}

/// Why a pool could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The number of slots is out of range.
    #[error("a pool has 1 to {MAX_SLOTS} slots, not {slots}")]
    Slots {
        /// The number asked for.
        slots: usize,
    },
    /// The slot size is not a multiple of [`LINE`], not more than the headroom, or too large.
    #[error(
        "a slot of {slot_size} bytes: the size must be a multiple of {LINE}, more than the \
         headroom ({headroom}) and at most {MAX_SLOT_SIZE}"
    )]
    SlotSize {
        /// The bytes asked for.
        slot_size: usize,
        /// The headroom asked for.
        headroom: usize,
    },
    /// The headroom is not a multiple of [`LINE`] or too large.
    #[error(
        "a headroom of {headroom} bytes: it must be a multiple of {LINE} and at most {MAX_HEADROOM}"
    )]
    Headroom {
        /// The bytes asked for.
        headroom: usize,
    },
    /// The arena does not fit the address space.
    #[error("{slots} slots of {stride} bytes do not fit the address space")]
    TooLarge {
        /// The number of slots asked for.
        slots: usize,
        /// The distance from slot to slot.
        stride: usize,
    },
    /// The system gave no memory for the arena.
    #[error("cannot map {bytes} bytes for the frame pool: {source}")]
    Map {
        /// The bytes asked for.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
}
