//! A filter for source addresses that may be the NIC's own, or a broadcast of its subnets: nobody on
//! the link may send from those (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7).
//!
//! To look every packet's source up as its destination is would cost as much again. So a packet is
//! asked twice before: whether its source lies between the first and the last address of interest,
//! which nearly none from beyond the link does; and, by a bit in a page that stays in the first-level
//! cache, whether one of the block of 256 neighbouring addresses is of interest. What neither clears is
//! looked up.

use std::sync::Arc;

use crate::address::Key;

/// Bits of the filter: 4 KiB.
const BITS: usize = 1 << 15;

const WORDS: usize = BITS / 64;

/// The filter as workers read it. A clone shares the bits.
#[derive(Clone)]
pub(crate) struct SourceFilter {
    spans: Spans,
    blocks: Arc<[u64; WORDS]>,
}

impl Default for SourceFilter {
    fn default() -> Self {
        Self {
            spans: Spans::default(),
            blocks: Arc::new([0; WORDS]),
        }
    }
}

impl SourceFilter {
    /// Whether `key` may be of interest.
    pub(crate) fn may_contain(&self, key: Key) -> bool {
        let bit = bit(key);
        let spans = self.spans;
        let is_within = if key.is_v4() {
            spans.may_contain_v4(key.low as u32)
        } else {
            spans.may_contain_v6(key)
        };
        is_within && self.blocks[bit / 64] >> (bit % 64) & 1 == 1
    }

    pub(crate) fn spans(&self) -> Spans {
        self.spans
    }
}

/// Where the addresses of interest lie: for the loops over packets.
#[derive(Clone, Copy, Default)]
pub struct Spans {
    v4: Span,
    /// Of the upper halves.
    v6: Span,
}

impl Spans {
    /// Whether an IPv4 address, in host order, may be of interest.
    #[inline]
    pub fn may_contain_v4(&self, address: u32) -> bool {
        self.v4.contains(address.into())
    }

    /// Whether an IPv6 address may be.
    #[inline]
    pub fn may_contain_v6(&self, key: Key) -> bool {
        self.v6.contains(key.high)
    }

    /// Whether an address of either family may be. No branch.
    #[inline]
    pub fn may_contain(&self, key: Key) -> bool {
        // Hardly an IPv6 address has a lower half that is an IPv4 key's: no need to ask which it is.
        self.v4.contains(key.low ^ Key::v4(0).low) | self.may_contain_v6(key)
    }

    fn add(&mut self, key: Key) {
        if key.is_v4() {
            self.v4.add(u64::from(key.low as u32));
        } else {
            self.v6.add(key.high);
        }
    }
}

/// Numbers from `first` on, `len` of them.
#[derive(Clone, Copy, Default)]
struct Span {
    first: u64,
    len: u64,
}

impl Span {
    #[inline]
    fn contains(self, number: u64) -> bool {
        number.wrapping_sub(self.first) < self.len
    }

    fn add(&mut self, number: u64) {
        if self.len == 0 {
            (self.first, self.len) = (number, 1);
            return;
        }
        let last = (self.first + (self.len - 1)).max(number);
        self.first = self.first.min(number);
        // No address is beyond all groups: this does not saturate.
        self.len = (last - self.first).saturating_add(1);
    }
}

/// The bit of the block of `key`.
#[inline]
fn bit(key: Key) -> usize {
    // Multiplication carries each bit upwards; the rotation brings the upper half into play too.
    let block = key.low >> 8 ^ key.high.rotate_left(29);
    (block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize
}

/// The filter as the control plane changes it: it knows how often each bit was set. The spans do not
/// shrink before nothing is left: the bits behind them tell what they do not.
pub(crate) struct SourceFilterEditor {
    counts: Box<[u32]>,
    len: usize,
    filter: SourceFilter,
}

impl SourceFilterEditor {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BITS].into_boxed_slice(),
            len: 0,
            filter: SourceFilter::default(),
        }
    }

    pub(crate) fn filter(&self) -> &SourceFilter {
        &self.filter
    }

    /// `key` is of interest, once more.
    pub(crate) fn insert(&mut self, key: Key) {
        let bit = bit(key);
        self.filter.spans.add(key);
        self.len += 1;
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
        self.len = self.len.saturating_sub(1);
        if self.len == 0 {
            self.filter.spans = Spans::default();
        }
        if self.counts[bit] == 0 {
            self.flip(bit);
        }
    }

    /// Copies the filter if a snapshot shares it.
    fn flip(&mut self, bit: usize) {
        Arc::make_mut(&mut self.filter.blocks)[bit / 64] ^= 1 << (bit % 64);
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
