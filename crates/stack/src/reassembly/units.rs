//! Which parts of a datagram have come, in units of eight bytes.
//!
//! RFC 815 keeps a list of holes. A bit per unit says the same in a fixed kilobyte, whatever the
//! order and number of fragments: every fragment but the last one is whole units, so that no two
//! can meet inside of one.

use std::ops::Range;

/// Units of the longest datagram.
pub(super) const UNITS: usize = 8192;
const WORDS: usize = UNITS / u64::BITS as usize;

/// A set of units.
#[derive(Debug)]
pub(super) struct Units([u64; WORDS]);

impl Default for Units {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl Units {
    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(super) fn insert(&mut self, range: Range<usize>) {
        for (word, mask) in masks(range) {
            if let Some(word) = self.0.get_mut(word) {
                *word |= mask;
            }
        }
    }

    pub(super) fn contains(&self, unit: usize) -> bool {
        self.0
            .get(unit / 64)
            .is_some_and(|word| word >> (unit % 64) & 1 != 0)
    }

    /// Whether any of these is in the set.
    pub(super) fn has_any(&self, range: Range<usize>) -> bool {
        masks(range).any(|(word, mask)| self.0.get(word).is_some_and(|word| word & mask != 0))
    }

    /// Whether all of these are in the set.
    pub(super) fn has_all(&self, range: Range<usize>) -> bool {
        masks(range).all(|(word, mask)| self.0.get(word).is_some_and(|word| word & mask == mask))
    }
}

/// The words that a range of units touches, and which of their bits.
fn masks(range: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let Range { start, end } = range;
    let words = if start < end {
        start / 64..end.div_ceil(64)
    } else {
        0..0
    };
    words.map(move |word| {
        let from = start.saturating_sub(word * 64);
        let to = (end - word * 64).min(64);
        (word, u64::MAX << from & u64::MAX >> (64 - to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(
            ranges in proptest::collection::vec((0..UNITS, 0..300usize), 1..20),
            asked in proptest::collection::vec((0..UNITS, 0..300usize), 1..20),
        ) {
            let range = |(start, len): (usize, usize)| start..(start + len).min(UNITS);
            let mut units = Units::default();
            let mut model = BTreeSet::new();
            for &inserted in &ranges {
                units.insert(range(inserted));
                model.extend(range(inserted));
            }
            for &asked in ranges.iter().chain(&asked) {
                let asked = range(asked);
                prop_assert_eq!(units.has_any(asked.clone()), asked.clone().any(|unit| model.contains(&unit)));
                prop_assert_eq!(units.has_all(asked.clone()), asked.clone().all(|unit| model.contains(&unit)));
                prop_assert_eq!(units.contains(asked.start), model.contains(&asked.start));
            }
            units.clear();
            prop_assert!(!units.has_any(0..UNITS));
        }
    }
}
