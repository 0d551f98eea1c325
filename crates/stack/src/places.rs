//! Some of the places of a burst, as a set.

use corelane_frame::BURST;

/// Some of a burst: the first is the lowest bit.
#[derive(Clone, Copy, Default)]
pub(crate) struct Places(u64);

const _: () = assert!(BURST <= u64::BITS as usize);

impl Places {
    /// Adds a place or not, without a branch.
    #[inline]
    pub(crate) fn add_if(&mut self, at: usize, wanted: bool) {
        self.0 |= u64::from(wanted) << (at % BURST);
    }

    /// The first `len` places, or all.
    #[inline]
    pub(crate) fn first(len: usize) -> Self {
        Self(!u64::MAX.unbounded_shl(len.min(BURST) as u32))
    }

    /// Those of these that are others too.
    #[inline]
    pub(crate) fn within(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// These less others.
    #[inline]
    pub(crate) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// These and others.
    #[inline]
    pub(crate) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let at = self.0.trailing_zeros() as usize % BURST;
        self.0 &= self.0 - 1;
        Some(at)
    }
}
