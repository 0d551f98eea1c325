//! The frame handle.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::BitOr;
use std::ptr::NonNull;
use std::{fmt, slice};

use corelane_sync::prefetch;
use corelane_wire::Offload;

use crate::config::{MAX_SLOT_SIZE, MAX_SLOTS};
use crate::pool::{Geometry, Inner, NOWHERE};

/// A frame: the only handle to a slot of a pool, with what was learnt on receipt.
///
/// ```text
/// ├── headroom() ──┬─── data(), len() ───┬─── tailroom() ───┤
/// 0                                                     slot_size
/// ```
///
/// It is owned, moved and not cloned. [`PoolCache::recycle`](crate::PoolCache::recycle) is the fast
/// way to return it; dropping it anywhere, on any thread, is the slow one. A frame that is
/// forgotten (`mem::forget`) keeps its slot and its pool's memory for good. The default is an
/// empty handle without a slot, so that [`std::mem::take`] moves a frame out of a burst.
///
/// The bytes are always initialised: zeros, or what an earlier frame left in the slot.
#[repr(C)]
pub struct Frame {
    /// The front of the pool's [`Inner`], or [`NOWHERE`].
    pool: NonNull<Geometry>,
    rx_time: u64,
    /// Where the data is, and the NIC: offset in the slot (24 bits), length (24), NIC (16).
    span: u64,
    rss_hash: u32,
    /// Index in the pool (24 bits) and flags (8).
    slot: u32,
}

const _: () = assert!(size_of::<Frame>() == 32);
const _: () = assert!(size_of::<Option<Frame>>() == 32);
const _: () = assert!(MAX_SLOT_SIZE < 1 << 24);
const _: () = assert!(MAX_SLOTS < 1 << 24);

const LOW_24: u64 = (1 << 24) - 1;
const LEN_SHIFT: u32 = 24;
const NIC_SHIFT: u32 = 48;
const SLOT_MASK: u32 = (1 << 24) - 1;
const TRACE: u32 = 1 << 24;
const OFFLOAD: u32 = 1 << 25;

// SAFETY: a frame owns its slot's bytes alone, and what it reads of its pool is `Sync`.
unsafe impl Send for Frame {}
// SAFETY: `&Frame` only reads.
unsafe impl Sync for Frame {}

impl Frame {
    /// A new frame in `slot`.
    ///
    /// # Safety
    /// `pool` is a pool with a live handle, `slot` is one of its slots and in no other place from
    /// now on, and the caller counts it as allocated.
    #[inline]
    pub(crate) unsafe fn from_slot(pool: NonNull<Inner>, slot: u32) -> Self {
        // SAFETY: a handle of the pool is alive.
        let headroom = unsafe { pool.as_ref() }.geometry.headroom;
        Self {
            pool: pool.cast(),
            rx_time: 0,
            span: headroom as u64,
            rss_hash: 0,
            slot: slot & SLOT_MASK,
        }
    }

    /// Moves the frame out, as [`std::mem::take`] does, field by field: a burst's frames go somewhere else
    /// one by one, and this needs no place between.
    #[inline]
    pub fn take(&mut self) -> Self {
        let Self {
            pool,
            rx_time,
            span,
            rss_hash,
            slot,
        } = *self;
        // An empty handle; of what is learnt on receipt nothing is asked there.
        self.pool = NonNull::from(&NOWHERE.0);
        (self.span, self.slot) = (0, 0);
        Self {
            pool,
            rx_time,
            span,
            rss_hash,
            slot,
        }
    }

    /// Takes the handle apart: the caller now owns the slot.
    #[inline]
    pub(crate) fn into_slot(self) -> u32 {
        ManuallyDrop::new(self).slot()
    }

    /// The pool, to compare; to be followed only if the frame has a slot.
    #[inline]
    pub(crate) fn pool(&self) -> NonNull<Inner> {
        self.pool.cast()
    }

    /// Whether this is an empty handle, which owns no slot: no data, no headroom, no tailroom.
    #[inline]
    pub fn is_vacant(&self) -> bool {
        self.pool == NonNull::from(&NOWHERE.0)
    }

    #[inline]
    fn geometry(&self) -> &Geometry {
        // SAFETY: a pool lives as long as a frame of it is out, and `NOWHERE` for ever.
        unsafe { self.pool.as_ref() }
    }

    #[inline]
    fn offset(&self) -> usize {
        (self.span & LOW_24) as usize
    }

    /// Bytes from the start of the slot to the end of the data.
    #[inline]
    fn end(&self) -> usize {
        self.offset() + self.len()
    }

    /// Sets where the data is. Callers keep `offset + len <= slot_size`, the invariant that every
    /// access to the bytes rests on.
    #[inline]
    fn place(&mut self, offset: usize, len: usize) {
        debug_assert!(offset + len <= self.geometry().slot_size);
        let nic = self.span >> NIC_SHIFT << NIC_SHIFT;
        self.span = nic | (len as u64) << LEN_SHIFT | offset as u64;
    }

    /// Sets where the data is, if it is in the slot.
    #[inline]
    pub(crate) fn move_to(&mut self, offset: usize, len: usize) {
        let end = offset.checked_add(len);
        if end.is_some_and(|end| end <= self.geometry().slot_size) {
            self.place(offset, len);
        }
    }

    /// The address of a byte of the slot; `at` is at most `slot_size`.
    #[inline]
    fn byte(&self, at: usize) -> *mut u8 {
        let geometry = self.geometry();
        debug_assert!(at <= geometry.slot_size);
        // SAFETY: slot indices are less than the number of slots, so that the slot lies in the
        // arena; `at` is at most its size.
        unsafe {
            geometry
                .base
                .as_ptr()
                .add(self.slot() as usize * geometry.stride + at)
        }
    }

    /// The data.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: the data lies in the slot (`place`), and the slot is this frame's alone: a slot
        // index is in a frame, in a cache's magazine, in the depot or in the strays, and moves
        // between them. The memory was zeroed by the kernel, so it is initialised.
        unsafe { slice::from_raw_parts(self.byte(self.offset()), self.len()) }
    }

    /// The data, to change.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`; `&mut self` makes it the only reference.
        unsafe { slice::from_raw_parts_mut(self.byte(self.offset()), self.len()) }
    }

    /// Bytes of data.
    #[inline]
    pub fn len(&self) -> usize {
        (self.span >> LEN_SHIFT & LOW_24) as usize
    }

    /// Whether there is no data.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes free in front of the data.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.offset()
    }

    /// Bytes free behind the data.
    #[inline]
    pub fn tailroom(&self) -> usize {
        self.geometry().slot_size.saturating_sub(self.end())
    }

    /// Grows the data by `n` bytes to the front and returns the new bytes, which hold whatever the
    /// slot held there.
    ///
    /// # Errors
    /// Less headroom than `n`; the frame is as it was.
    #[inline]
    pub fn push_front(&mut self, n: usize) -> Result<&mut [u8], NoRoom> {
        let offset = self.offset();
        if n > offset {
            return Err(NoRoom {
                needed: n,
                available: offset,
            });
        }
        self.place(offset - n, self.len() + n);
        // SAFETY: as in `data_mut`; the data is at least `n` bytes long.
        Ok(unsafe { slice::from_raw_parts_mut(self.byte(self.offset()), n) })
    }

    /// Takes `n` bytes off the front of the data; they become headroom and keep their values.
    ///
    /// # Errors
    /// Less data than `n`; the frame is as it was.
    #[inline]
    pub fn pull_front(&mut self, n: usize) -> Result<(), TooShort> {
        let len = self.len();
        if n > len {
            return Err(TooShort { needed: n, len });
        }
        self.place(self.offset() + n, len - n);
        Ok(())
    }

    /// Cuts the data to at most `len` bytes; no effect if it is no longer than that.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.place(self.offset(), len);
        }
    }

    /// Copies `bytes` behind the data.
    ///
    /// # Errors
    /// Less tailroom than that; the frame is as it was.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.extend_len(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Replaces the data by a copy of `bytes`, behind the headroom of a new frame. The metadata
    /// stays, what is left to do ([`offload`](Self::offload)) too.
    ///
    /// # Errors
    /// `bytes` are more than a slot without its headroom; the frame is as it was.
    #[inline]
    pub fn set_data(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let &Geometry {
            slot_size,
            headroom,
            ..
        } = self.geometry();
        let available = slot_size.saturating_sub(headroom);
        if bytes.len() > available {
            return Err(NoRoom {
                needed: bytes.len(),
                available,
            });
        }
        self.place(headroom, bytes.len());
        self.data_mut().copy_from_slice(bytes);
        Ok(())
    }

    /// The tailroom, to fill: its bytes become data by [`extend_len`](Frame::extend_len) or
    /// [`set_len`](Frame::set_len).
    #[inline]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data_mut`; the tailroom ends where the slot ends.
        unsafe { slice::from_raw_parts_mut(self.byte(self.end()), self.tailroom()) }
    }

    /// Makes the first `n` bytes of the tailroom data and returns them. They hold what was written
    /// through [`spare_mut`](Frame::spare_mut), or whatever the slot held: initialised memory, but
    /// perhaps an earlier frame's.
    ///
    /// # Errors
    /// Less tailroom than `n`; the frame is as it was.
    #[inline]
    pub fn extend_len(&mut self, n: usize) -> Result<&mut [u8], NoRoom> {
        let available = self.tailroom();
        if n > available {
            return Err(NoRoom {
                needed: n,
                available,
            });
        }
        let end = self.end();
        self.place(self.offset(), self.len() + n);
        // SAFETY: as in `data_mut`; the data ends `n` bytes behind `end`.
        Ok(unsafe { slice::from_raw_parts_mut(self.byte(end), n) })
    }

    /// Sets the length of the data: cut, or grown into the tailroom as by
    /// [`extend_len`](Frame::extend_len).
    ///
    /// # Errors
    /// More than data and tailroom together; the frame is as it was.
    #[inline]
    pub fn set_len(&mut self, len: usize) -> Result<(), NoRoom> {
        let available = self.len() + self.tailroom();
        if len > available {
            return Err(NoRoom {
                needed: len,
                available,
            });
        }
        self.place(self.offset(), len);
        Ok(())
    }

    /// Starts to bring the first line of the data into the cache, to be read.
    #[inline]
    pub fn prefetch_read(&self) {
        if let Some(byte) = self.rest().first() {
            prefetch::prefetch_read(byte);
        }
    }

    /// Starts to bring the first line of the data into the cache, to be written.
    #[inline]
    pub fn prefetch_write(&self) {
        if let Some(byte) = self.rest().first() {
            prefetch::prefetch_write(byte);
        }
    }

    /// As `prefetch_write`, for a frame that is new: it has tailroom, so nothing is to be checked.
    #[inline]
    pub(crate) fn prefetch_new(&self) {
        debug_assert!(self.is_empty() && self.tailroom() > 0);
        // SAFETY: the headroom is less than the slot size (`PoolConfig::arena_bytes`), so there is
        // a byte, and it is this frame's.
        prefetch::prefetch_write(unsafe { &*self.byte(self.geometry().headroom) });
    }

    /// Data and tailroom.
    #[inline]
    fn rest(&self) -> &[u8] {
        // SAFETY: as in `data`; this ends where the slot ends.
        unsafe { slice::from_raw_parts(self.byte(self.offset()), self.len() + self.tailroom()) }
    }

    /// The NIC that the frame came in by.
    #[inline]
    pub fn nic(&self) -> u16 {
        (self.span >> NIC_SHIFT) as u16
    }

    /// Sets the NIC.
    #[inline]
    pub fn set_nic(&mut self, nic: u16) {
        self.span = u64::from(nic) << NIC_SHIFT | self.span & ((1 << NIC_SHIFT) - 1);
    }

    /// When the frame came in, in nanoseconds on the clock of whoever set it: a link says which, if it has
    /// one; 0 if nobody did.
    #[inline]
    pub fn rx_time(&self) -> u64 {
        self.rx_time
    }

    /// Sets the receive time, in nanoseconds.
    #[inline]
    pub fn set_rx_time(&mut self, nanoseconds: u64) {
        self.rx_time = nanoseconds;
    }

    /// The hash that chose the worker.
    #[inline]
    pub fn rss_hash(&self) -> u32 {
        self.rss_hash
    }

    /// Sets the hash that chooses the worker.
    #[inline]
    pub fn set_rss_hash(&mut self, hash: u32) {
        self.rss_hash = hash;
    }

    /// Whether the way of this frame is to be traced.
    #[inline]
    pub fn trace(&self) -> bool {
        self.slot & TRACE != 0
    }

    /// Says whether the way of this frame is to be traced.
    #[inline]
    pub fn set_trace(&mut self, trace: bool) {
        self.slot = if trace {
            self.slot | TRACE
        } else {
            self.slot & !TRACE
        };
    }

    /// What the frame is marked with: asked of all frames of a burst together, it costs next to nothing.
    #[inline]
    pub fn marks(&self) -> Marks {
        Marks(self.slot)
    }

    /// Whether something is left to do with this frame: see [`offload`](Self::offload).
    #[inline]
    pub fn has_offload(&self) -> bool {
        self.marks().has_offload()
    }

    /// What is left to do with this frame, a checksum or to be cut into segments. It describes the
    /// data as it is: whoever changes that, beyond what a router does, sets it anew.
    #[inline]
    pub fn offload(&self) -> Option<Offload> {
        // Frames that nothing is left to do with, nearly all, have no place that is read.
        self.has_offload().then(|| {
            // SAFETY: the handle says so since `set_offload` wrote the place, and as long as it owns
            // the slot, which it does until it is taken apart.
            unsafe { self.offload_place().as_ref().assume_init_read() }
        })
    }

    /// Says what is left to do with this frame. An empty handle has nothing to do.
    #[inline]
    pub fn set_offload(&mut self, offload: Option<Offload>) {
        self.slot &= !OFFLOAD;
        if let Some(offload) = offload
            && !self.is_vacant()
        {
            // SAFETY: the place is the slot's, which is this frame's alone.
            unsafe { self.offload_place().as_mut().write(offload) };
            self.slot |= OFFLOAD;
        }
    }

    /// Where the pool keeps what is left to do with the frame in this slot. Only for a frame with a
    /// slot.
    #[inline]
    fn offload_place(&self) -> NonNull<MaybeUninit<Offload>> {
        debug_assert!(!self.is_vacant());
        // SAFETY: there is a place for each slot of the pool.
        unsafe { self.geometry().offloads.add(self.slot() as usize) }
    }

    /// The index of the frame's slot in its pool: the same as long as the frame lives, and no other
    /// frame's of the pool meanwhile.
    #[inline]
    pub fn slot(&self) -> u32 {
        self.slot & SLOT_MASK
    }
}

impl Default for Frame {
    /// An empty handle.
    #[inline]
    fn default() -> Self {
        Self {
            pool: NonNull::from(&NOWHERE.0),
            rx_time: 0,
            span: 0,
            rss_hash: 0,
            slot: 0,
        }
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        if !self.is_vacant() {
            // SAFETY: the frame is given up here and its slot is in no other place.
            unsafe { Inner::take_back(self.pool(), self.slot()) }
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("slot", &self.slot())
            .field("nic", &self.nic())
            .field("rx_time", &self.rx_time)
            .field("rss_hash", &self.rss_hash)
            .field("trace", &self.trace())
            .field("offload", &self.offload())
            .field("headroom", &self.headroom())
            .field("len", &self.len())
            .finish()
    }
}

/// What frames are marked with: one, or (by `|`) any of several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks(u32);

impl Marks {
    /// Whether something is left to do with a frame.
    #[inline]
    pub const fn has_offload(self) -> bool {
        self.0 & OFFLOAD != 0
    }
}

impl BitOr for Marks {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        // The numbers of slots are of no meaning then, and masked out when they are asked.
        Self(self.0 | other.0)
    }
}

/// A frame has less room than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{needed} bytes do not fit: the frame has room for {available}")]
pub struct NoRoom {
    /// Bytes asked for.
    pub needed: usize,
    /// Bytes there are.
    pub available: usize,
}

/// A frame has less data than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{needed} bytes asked of a frame of {len}")]
pub struct TooShort {
    /// Bytes asked for.
    pub needed: usize,
    /// Bytes there are.
    pub len: usize,
}
