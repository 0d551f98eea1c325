//! A filter for source addresses that may be the NIC's own, or a broadcast of its subnets: nobody on
//! the link may send from those (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7).
//!
//! To look every packet's source up as its destination is would cost as much again. Addresses come in
//! runs, so the filter knows only which blocks of 256 neighbouring addresses have any of interest, by
//! a bit each: nearly every packet is told to be harmless by one bit of one page that stays in the
//! first-level cache. What it cannot clear is looked up.

use std::sync::Arc;

use crate::address::Key;

/// Bits of the filter: 4 KiB.
const BITS: usize = 1 << 15;

const WORDS: usize = BITS / 64;

/// The filter as workers read it. A clone shares it.
#[derive(Clone)]
pub(crate) struct SourceFilter(Arc<[u64; WORDS]>);

impl Default for SourceFilter {
    fn default() -> Self {
        Self(Arc::new([0; WORDS]))
    }
}

impl SourceFilter {
    /// Whether `key` may be of interest. No branch.
    #[inline]
    pub(crate) fn may_contain(&self, key: Key) -> bool {
        let bit = bit(key);
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// The bit of the block of `key`.
#[inline]
fn bit(key: Key) -> usize {
    // Multiplication carries each bit upwards; the rotation brings the upper half into play too.
    let block = key.low >> 8 ^ key.high.rotate_left(29);
    (block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize
}

/// The filter as the control plane changes it: it knows how often each bit was set.
pub(crate) struct SourceFilterEditor {
    counts: Box<[u32]>,
    filter: SourceFilter,
}

impl SourceFilterEditor {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BITS].into_boxed_slice(),
            filter: SourceFilter::default(),
        }
    }

    pub(crate) fn filter(&self) -> &SourceFilter {
        &self.filter
    }

    /// `key` is of interest, once more.
    pub(crate) fn insert(&mut self, key: Key) {
        let bit = bit(key);
        self.counts[bit] += 1;
        if self.counts[bit] == 1 {
            self.flip(bit);
        }
    }

    /// Takes one [`insert`](Self::insert) back.
    pub(crate) fn remove(&mut self, key: Key) {
        let bit = bit(key);
        debug_assert!(self.counts[bit] > 0, "inserted before");
        self.counts[bit] = self.counts[bit].saturating_sub(1);
        if self.counts[bit] == 0 {
            self.flip(bit);
        }
    }

    /// Copies the filter if a snapshot shares it.
    fn flip(&mut self, bit: usize) {
        Arc::make_mut(&mut self.filter.0)[bit / 64] ^= 1 << (bit % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clears_no_address_of_interest(keys in proptest::collection::vec((any::<u64>(), any::<u64>()), 1..200), gone in 0..200_usize) {
            let keys: Vec<_> = keys.into_iter().map(|(high, low)| Key { high, low }).collect();
            let mut editor = SourceFilterEditor::new();
            keys.iter().for_each(|key| editor.insert(*key));
            let before = editor.filter().clone();
            let gone = gone.min(keys.len());
            keys[..gone].iter().for_each(|key| editor.remove(*key));
            prop_assert!(keys[gone..].iter().all(|key| editor.filter().may_contain(*key)));
            prop_assert!(keys.iter().all(|key| before.may_contain(*key)), "a version does not change");
            keys[gone..].iter().for_each(|key| editor.remove(*key));
            prop_assert!(keys.iter().all(|key| !editor.filter().may_contain(*key)));
        }
    }

    #[test]
    fn clears_nearly_all_others() {
        let mut editor = SourceFilterEditor::new();
        let own = |n: u32| Key::v4(0xc612_0000 + n);
        (0..1000).for_each(|n| editor.insert(own(n)));
        let random = (0..10_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let doubtful = random
            .filter(|n| editor.filter().may_contain(Key::v4((n >> 32) as u32)))
            .count();
        assert!(doubtful < 100, "{doubtful} of 10,000");
    }
}
