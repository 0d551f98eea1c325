//! Slots that a device has.

use crate::config::{LINE, MAX_SLOT_SIZE, MAX_SLOTS};
use crate::frame::Frame;
use crate::pool::Pool;

/// The slots of a pool that were given to a device, which reads or writes them as it likes.
///
/// ```text
///   Frame ── lend ──► Lent ── the device has it ── take_back ──► Frame
/// ```
///
/// A slot in here is in no other place: no frame reaches its bytes until it is taken back. It counts
/// as [out](crate::PoolStats::out), as the frame did that it was. All that are still lent when this
/// is dropped come back to the pool: so drop it when the device cannot reach them any more. If that
/// cannot be known, forget it ([`std::mem::forget`]): the slots and the pool's memory then stay as
/// they are for good.
pub struct Lent {
    pool: Pool,
    /// A bit for each slot.
    bits: Box<[u64]>,
    len: usize,
    /// What to multiply by instead of dividing by the stride: 2⁶⁴ / stride, rounded up.
    reciprocal: u64,
}

impl Lent {
    /// None lent yet.
    pub fn new(pool: &Pool) -> Self {
        Self {
            bits: vec![0; pool.config().slots.div_ceil(64)].into(),
            pool: pool.clone(),
            len: 0,
            reciprocal: u64::MAX / pool.stride() as u64 + 1,
        }
    }

    /// How many are lent.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a frame is of the pool.
    #[inline]
    pub fn is_ours(&self, frame: &Frame) -> bool {
        frame.pool() == self.pool.inner_ptr()
    }

    /// Gives up a frame, and tells where its slot starts in the pool's [arena](Pool::arena).
    ///
    /// # Errors
    /// The frame itself, if it is of another pool.
    #[inline]
    pub fn lend(&mut self, frame: Frame) -> Result<usize, Frame> {
        if !self.is_ours(&frame) {
            return Err(frame);
        }
        let slot = frame.into_slot();
        if let Some(word) = self.bits.get_mut(slot as usize / 64) {
            *word |= 1 << (slot % 64);
        }
        self.len += 1;
        Ok(slot as usize * self.pool.stride())
    }

    /// The slot that a byte of an arena is in, if any arena reaches so far.
    #[inline]
    fn slot_of(&self, at: usize) -> Option<usize> {
        // Rounding up adds less than `at` / 2⁶⁴ to the quotient, whose fraction ends at least one
        // stride-th below the next number: right as long as `at` times the stride is below 2⁶⁴.
        // Slots are fewer than 2²⁴ and strides below 2¹⁸.
        const END: usize = 1 << 42;
        const _: () = assert!((MAX_SLOTS + 1) * (MAX_SLOT_SIZE + LINE) <= END);
        const _: () = assert!((END as u128) * ((MAX_SLOT_SIZE + LINE) as u128) < 1 << 64);
        let slot = (at as u128 * u128::from(self.reciprocal)) >> 64;
        (at < END).then_some(slot as usize)
    }

    /// Takes back the slot that this byte of the arena is in, as a frame of `len` bytes from there,
    /// its metadata zero. It is an empty one if they are not in one slot. None if the slot is not
    /// lent.
    #[inline]
    pub fn take_back(&mut self, at: usize, len: usize) -> Option<Frame> {
        let slot = self.slot_of(at)?;
        let offset = at - slot * self.pool.stride();
        let word = self.bits.get_mut(slot / 64)?;
        let bit = 1 << (slot % 64);
        if *word & bit == 0 {
            return None;
        }
        *word &= !bit;
        self.len -= 1;
        // SAFETY: the pool's handle is alive. The slot is one of the pool's, since a frame was made
        // of it (`lend`), has been counted as allocated since then, and was in no place but here.
        let mut frame = unsafe { Frame::from_slot(self.pool.inner_ptr(), slot as u32) };
        frame.move_to(offset, len);
        Some(frame)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let stride = self.pool.stride();
        for word in 0..self.bits.len() {
            while let Some(&bits) = self.bits.get(word)
                && bits != 0
            {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                drop(self.take_back(slot * stride, 0));
            }
        }
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lent")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::PoolConfig;

    fn pool() -> Pool {
        Pool::new(PoolConfig {
            slots: 130,
            ..PoolConfig::default()
        })
        .unwrap()
    }

    #[test]
    fn what_is_lent_comes_back_as_it_was_written() {
        let pool = pool();
        let mut cache = pool.cache();
        let mut lent = Lent::new(&pool);
        let mut starts = Vec::new();
        for at in 0..130u32 {
            let mut frame = cache.alloc().unwrap();
            frame.set_data(&at.to_be_bytes()).unwrap();
            frame.set_trace(true);
            frame.set_nic(9);
            starts.push(lent.lend(frame).unwrap());
        }
        assert_eq!((lent.len(), pool.out()), (130, 130));
        assert!(cache.alloc().is_none());
        for (at, &start) in (0..130u32).zip(&starts) {
            let frame = lent.take_back(start + 128, 4).unwrap();
            assert_eq!(frame.data(), at.to_be_bytes());
            assert_eq!((frame.headroom(), frame.nic()), (128, 0));
            assert!(!frame.trace());
            assert!(lent.take_back(start, 4).is_none(), "it is back already");
            cache.recycle(frame);
        }
        assert!(lent.is_empty());
        assert_eq!(pool.out(), 0);
    }

    #[test]
    fn places_that_are_none_reach_nothing() {
        let pool = pool();
        let mut cache = pool.cache();
        let mut lent = Lent::new(&pool);
        let start = lent.lend(cache.alloc().unwrap()).unwrap();
        for at in [start + pool.config().stride(), usize::MAX, 1 << 40] {
            assert!(lent.take_back(at, 1).is_none());
        }
        // Beyond the end of the slot, or in the pad behind it.
        for (offset, len) in [(0, 2049), (2048, 1), (2100, 4), (1, usize::MAX)] {
            let frame = lent.take_back(start + offset, len).unwrap();
            assert!(frame.is_empty() && frame.headroom() == 128);
            assert_eq!(lent.lend(frame).unwrap(), start);
        }
        assert_eq!(lent.take_back(start, 2048).unwrap().len(), 2048);
    }

    #[test]
    fn slots_are_found_without_a_division() {
        for (slot_size, stride) in [(128, 128), (2048, 2112), (1920, 1984), (131_072, 131_136)] {
            let pool = Pool::new(PoolConfig {
                slots: 1,
                slot_size,
                headroom: 64,
                ..PoolConfig::default()
            })
            .unwrap();
            let lent = Lent::new(&pool);
            for slot in (0..MAX_SLOTS).step_by(997).chain([MAX_SLOTS]) {
                let start = slot * pool.stride();
                for at in [start, start + 1, start + pool.stride() - 1] {
                    assert_eq!(lent.slot_of(at), Some(at / pool.stride()), "{stride}");
                }
            }
        }
    }

    #[test]
    fn what_is_still_lent_at_the_end_goes_home() {
        let pool = pool();
        let mut lent = Lent::new(&pool);
        let mut cache = pool.cache();
        for _ in 0..100 {
            lent.lend(cache.alloc().unwrap()).unwrap();
        }
        drop(lent);
        assert_eq!(pool.out(), 0);
        drop(cache);
        let mut cache = pool.cache();
        let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
        assert_eq!(all.len(), 130);
    }

    #[test]
    fn frames_of_other_pools_are_not_taken() {
        let (pool, other) = (pool(), pool());
        let mut lent = Lent::new(&pool);
        let frame = lent.lend(other.cache().alloc().unwrap()).unwrap_err();
        assert!(!frame.is_vacant());
        drop(frame);
        assert!(lent.lend(Frame::default()).unwrap_err().is_vacant());
        assert!(lent.is_empty());
    }
}
