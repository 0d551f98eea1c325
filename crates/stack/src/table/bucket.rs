//! A bucket: eight entries in one cache line, their tags matched all at once.

/// Entries in a bucket.
pub(super) const SLOTS: usize = 8;

/// The tag of a slot that holds nothing.
const EMPTY: u8 = 0;

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// All but the highest bit of each byte.
const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// Eight entries: a one-byte tag each, which tells most of the others apart without touching their
/// endpoints, and the endpoint's index.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    /// Tag of slot i in byte i; 0 is an empty slot.
    tags: u64,
    indices: [u32; SLOTS],
    /// Entries that passed this bucket because it was full: while there are any, a search goes on.
    passed: u32,
}

/// A set of slots: bit 7 of byte i stands for slot i.
#[derive(Clone, Copy)]
pub(super) struct Slots(u64);

impl Iterator for Slots {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = (self.0.trailing_zeros() / 8) as usize;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

/// The tag of a hash: never [`EMPTY`].
#[inline]
pub(super) fn tag_of(hash: u64) -> u8 {
    ((hash >> 32) as u8).max(1)
}

impl Bucket {
    /// Without entries.
    pub(super) const EMPTY: Self = Self {
        tags: 0,
        indices: [0; SLOTS],
        passed: 0,
    };

    /// The slots whose tag is `tag`, in order. The caller compares the key.
    #[inline]
    pub(super) fn candidates(&self, tag: u8) -> Slots {
        let difference = self.tags ^ (u64::from(tag) * ONES);
        // A byte is zero if neither its low bits carry into the highest nor that one is set. The
        // sum cannot carry into the next byte, so that, unlike with the shorter test by
        // subtraction, an empty slot is never taken for one with tag 1.
        let low = (difference & LOW_BITS) + LOW_BITS;
        Slots(!(low | difference | LOW_BITS))
    }

    /// The index in a slot.
    #[inline]
    pub(super) fn index(&self, slot: usize) -> u32 {
        self.indices[slot % SLOTS]
    }

    /// The index of the first candidate for `tag`.
    #[inline]
    pub(super) fn first_candidate(&self, tag: u8) -> Option<u32> {
        self.candidates(tag).next().map(|slot| self.index(slot))
    }

    /// Whether a search that found nothing here has to go on.
    #[inline]
    pub(super) fn was_passed(&self) -> bool {
        self.passed != 0
    }

    /// The first empty slot.
    pub(super) fn vacancy(&self) -> Option<usize> {
        self.candidates(EMPTY).next()
    }

    pub(super) fn fill(&mut self, slot: usize, tag: u8, index: u32) {
        self.set_tag(slot, tag);
        self.indices[slot % SLOTS] = index;
    }

    pub(super) fn replace(&mut self, slot: usize, index: u32) {
        self.indices[slot % SLOTS] = index;
    }

    pub(super) fn clear(&mut self, slot: usize) {
        self.set_tag(slot, EMPTY);
    }

    pub(super) fn pass(&mut self) {
        self.passed += 1;
    }

    pub(super) fn unpass(&mut self) {
        self.passed -= 1;
    }

    /// The slots that hold something.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, u32)> {
        (0..SLOTS)
            .filter(|slot| self.tags.to_le_bytes()[*slot] != EMPTY)
            .map(|slot| (slot, self.indices[slot]))
    }

    fn set_tag(&mut self, slot: usize, tag: u8) {
        let mut tags = self.tags.to_le_bytes();
        tags[slot % SLOTS] = tag;
        self.tags = u64::from_le_bytes(tags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn candidates_are_the_matches(tags in proptest::array::uniform8(0u8..4), tag in 0u8..4) {
            let mut bucket = Bucket::EMPTY;
            for (slot, tag) in tags.iter().enumerate() {
                bucket.fill(slot, *tag, slot as u32);
            }
            let found: Vec<_> = bucket.candidates(tag).collect();
            let matching: Vec<_> = (0..8).filter(|s| tags[*s] == tag).collect();
            prop_assert_eq!(found, matching);
            prop_assert_eq!(bucket.vacancy(), tags.iter().position(|t| *t == EMPTY));
        }
    }

    #[test]
    fn is_one_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }
}
