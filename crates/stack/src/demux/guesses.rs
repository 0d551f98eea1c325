//! Where one worker found what it looked for last.
//!
//! Sockets bound to no sender are found by destination and port, and most packets are for a destination
//! and port that had one before. So a worker keeps, under a number of the destination and the port, the
//! number of the entry that it found: the hash and the bucket can be left out where that is right.
//!
//! A guess is never believed: the entry is compared with the identity that is looked for, in the version
//! of now, in which each identity has one entry. So nothing here need be told of a change, and a wrong
//! guess costs a look at somebody else's entry.

use std::cell::Cell;

use zerocopy::FromZeros;

use super::identity::FlowWord;

/// How many are kept: an endpoint's number is less than that of most hosts, so that nothing is kept
/// twice in one place where one port is in use; what is not used is not touched.
const LEN: usize = 1 << 17;

/// One worker's.
pub(super) struct Guesses(Box<[Cell<u32>; LEN]>);

impl Guesses {
    /// # Panics
    /// If there is no memory.
    pub(super) fn new() -> Self {
        Self(FromZeros::new_box_zeroed().expect("half a megabyte"))
    }

    #[inline]
    fn cell(&self, hint: u32, word: FlowWord) -> &Cell<u32> {
        &self.0[(hint.wrapping_add(word.spread()) as usize) % LEN]
    }

    /// The number of the entry that may be the one; of none if none is to be expected.
    #[inline]
    pub(super) fn get(&self, hint: u32, word: FlowWord) -> u32 {
        self.cell(hint, word).get().wrapping_sub(1)
    }

    /// Keeps the number of an entry that was found, or that there was none.
    pub(super) fn set(&self, hint: u32, word: FlowWord, found: Option<u32>) {
        // Zero is none, so that what is not used is not touched.
        self.cell(hint, word)
            .set(found.map_or(0, |found| found.wrapping_add(1)));
    }
}
