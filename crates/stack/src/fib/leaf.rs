//! Nodes in which every search ends: their slots have the numbers of hops, of 8 bits each.
//!
//! So they are a quarter as large as the others, and a million routes hardly more than the caches hold. A router
//! has few hops, far fewer than routes; a node with a hop of a larger number is written as if it were none of these.

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use corelane_sync::prefetch::prefetch_read;
use zerocopy::FromZeros;

use super::entry::Entry;
use super::line::{half_of, lasts, run_of_32};

/// The slots of a wide node, one by one. Four lines, of which a lookup reads one.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct DenseLeaf(pub(super) [AtomicU8; 256]);

/// Runs there can be in a short leaf.
pub(super) const SHORT_LEAF_RUNS: usize = 32;

/// The slots of a wide node as runs of equal ones, if there are not too many. One line.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct ShortLeaf {
    /// In order, the last slot of each run; all ones where there is no run behind it any more.
    ends: [AtomicU8; SHORT_LEAF_RUNS],
    hops: [AtomicU8; SHORT_LEAF_RUNS],
}

/// A short leaf for each half of the slots, of which a lookup reads one.
#[derive(FromZeros)]
#[repr(C, align(128))]
pub(super) struct PairLeaf(pub(super) [ShortLeaf; 2]);

/// Runs there can be in a sparse leaf.
pub(super) const LEAF_RUNS: usize = 21;

/// Runs there can be in a long leaf.
pub(super) const LONG_RUNS: usize = 2 * LEAF_RUNS;

/// The next 16 bits from a wide node on: runs of equal slots. One line.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct SparseLeaf {
    /// As a [`Sparse`](super::line::Sparse) node's: in order, the last slot of each run; all ones where there is no run
    /// behind it any more.
    ends: [AtomicU16; LEAF_RUNS],
    hops: [AtomicU8; LEAF_RUNS],
}

/// A sparse leaf with more runs: two lines, the second of the runs behind those of the first.
#[derive(FromZeros)]
#[repr(C, align(128))]
pub(super) struct LongLeaf([SparseLeaf; 2]);

/// The number of a slot's hop, 0 if nothing is there; None if the slot leads further, or to a hop with a larger number.
pub(super) fn number(entry: Entry) -> Option<u8> {
    match entry.is_empty() {
        true => Some(0),
        false if entry.is_final() => entry.hop_number().try_into().ok(),
        false => None,
    }
}

impl DenseLeaf {
    /// Writes all slots.
    pub(super) fn write(&self, numbers: impl IntoIterator<Item = u8>) {
        for (slot, number) in self.0.iter().zip(numbers) {
            slot.store(number, Ordering::Relaxed);
        }
    }
}

impl ShortLeaf {
    /// No node's.
    pub(super) const NOTHING: &Self = {
        static NOTHING: ShortLeaf = ShortLeaf {
            ends: [const { AtomicU8::new(u8::MAX) }; SHORT_LEAF_RUNS],
            hops: [const { AtomicU8::new(0) }; SHORT_LEAF_RUNS],
        };
        &NOTHING
    };

    /// The number of the hop of a slot; 0 if nothing is there.
    #[inline]
    pub(super) fn hop_number(&self, slot: u8) -> u32 {
        let run = run_of_32(|run| self.ends[run].load(Ordering::Relaxed) < slot);
        self.hops[run].load(Ordering::Relaxed).into()
    }

    /// Begins to bring it into the cache.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_read(self);
    }

    /// Writes runs, at most [`SHORT_LEAF_RUNS`]: the slot that each begins with, and the number of its hop.
    pub(super) fn write(&self, runs: impl Iterator<Item = (u8, u8)> + Clone) {
        let starts = runs.clone().map(|(start, _)| start.into());
        for (end, last) in self.ends.iter().zip(lasts(starts)) {
            end.store(last as u8, Ordering::Relaxed);
        }
        for (hop, (_, number)) in self.hops.iter().zip(runs) {
            hop.store(number, Ordering::Relaxed);
        }
    }
}

impl PairLeaf {
    /// The half that a slot is in.
    #[inline]
    pub(super) fn half(&self, slot: u8) -> &ShortLeaf {
        &self.0[half_of(slot)]
    }
}

impl SparseLeaf {
    /// No node's.
    pub(super) const NOTHING: &Self = {
        static NOTHING: SparseLeaf = SparseLeaf::empty();
        &NOTHING
    };

    /// With nothing in it.
    const fn empty() -> Self {
        Self {
            ends: [const { AtomicU16::new(u16::MAX) }; LEAF_RUNS],
            hops: [const { AtomicU8::new(0) }; LEAF_RUNS],
        }
    }

    /// The number of the hop of a slot; 0 if nothing is there.
    #[inline]
    pub(super) fn hop_number(&self, slot: u16) -> u32 {
        // Out of three, out of four, out of two, without branches, which nobody could predict. No slot that is asked
        // for here is behind the last end.
        let is_behind = |run: usize| {
            let end = &self.ends[run % LEAF_RUNS];
            usize::from(end.load(Ordering::Relaxed) < slot)
        };
        let run = 7 * (is_behind(6) + is_behind(13));
        let run = run + 2 * (is_behind(run + 1) + is_behind(run + 3) + is_behind(run + 5));
        let run = run + is_behind(run);
        self.hops[run % LEAF_RUNS].load(Ordering::Relaxed).into()
    }

    /// Begins to bring it into the cache.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_read(self);
    }

    /// Writes runs, at most [`LEAF_RUNS`]: the slot that each begins with, and the number of its hop.
    pub(super) fn write(&self, runs: impl Iterator<Item = (u16, u8)> + Clone) {
        write(std::slice::from_ref(self), runs);
    }
}

impl LongLeaf {
    /// No node's.
    pub(super) const NOTHING: &Self = {
        static NOTHING: LongLeaf = LongLeaf([const { SparseLeaf::empty() }; 2]);
        &NOTHING
    };

    /// The line that a slot's run is in.
    #[inline]
    pub(super) fn line(&self, slot: u16) -> &SparseLeaf {
        let [first, second] = &self.0;
        let end = first.ends[LEAF_RUNS - 1].load(Ordering::Relaxed);
        select_unpredictable(end < slot, second, first)
    }

    /// Begins to bring it into the cache.
    #[inline]
    pub(super) fn prefetch(&self) {
        self.0.iter().for_each(SparseLeaf::prefetch);
    }

    /// Writes runs, at most [`LONG_RUNS`]: the slot that each begins with, and the number of its hop.
    pub(super) fn write(&self, runs: impl Iterator<Item = (u16, u8)> + Clone) {
        write(&self.0, runs);
    }
}

/// Writes runs into the lines of a leaf, as many as they have room for.
fn write(lines: &[SparseLeaf], runs: impl Iterator<Item = (u16, u8)> + Clone) {
    let ends = lines.iter().flat_map(|line| &line.ends);
    let starts = runs.clone().map(|(start, _)| start);
    for (end, last) in ends.zip(lasts(starts)) {
        end.store(last, Ordering::Relaxed);
    }
    let hops = lines.iter().flat_map(|line| &line.hops);
    for (hop, (_, number)) in hops.zip(runs) {
        hop.store(number, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_lines() {
        assert_eq!((size_of::<DenseLeaf>(), size_of::<PairLeaf>()), (256, 128));
        assert_eq!((size_of::<SparseLeaf>(), size_of::<LongLeaf>()), (64, 128));
    }

    #[test]
    fn what_ends_with_a_small_number_is_in_a_leaf() {
        assert_eq!(number(Entry::EMPTY), Some(0));
        assert_eq!(number(Entry::hop(1)), Some(1));
        assert_eq!(number(Entry::hop(255)), Some(255));
        assert_eq!(number(Entry::hop(256)), None);
        assert_eq!(number(Entry::route(1)), None);
        assert_eq!(number(Entry::EMPTY.with_covered(true)), None);
    }

    /// Starts of so many runs: apart, and all beside each other at either end.
    fn starts(runs: u16) -> [Vec<u16>; 3] {
        let behind = (1..runs).rev().map(|n| 0_u16.wrapping_sub(n));
        [
            (0..runs).map(|n| n * 1501).collect(),
            (0..runs).collect(),
            std::iter::once(0).chain(behind).collect(),
        ]
    }

    fn check(starts: &[u16], hop_number: impl Fn(u16) -> u32) {
        for slot in 0..=u16::MAX {
            let run = starts.iter().filter(|start| **start <= slot).count();
            assert_eq!(hop_number(slot), run as u32, "{slot} of {starts:?}");
        }
    }

    #[test]
    fn each_slot_of_a_short_leaf_is_in_its_run() {
        for runs in 1..=SHORT_LEAF_RUNS as u8 {
            let apart: Vec<u8> = (0..runs).map(|n| n * 7).collect();
            let first: Vec<u8> = (0..runs).collect();
            let last = (1..runs).rev().map(|n| 0_u8.wrapping_sub(n));
            let last: Vec<u8> = std::iter::once(0).chain(last).collect();
            for starts in [apart, first, last] {
                let leaf = ShortLeaf::new_zeroed();
                leaf.write(starts.iter().copied().zip(1..));
                for slot in 0..=u8::MAX {
                    let run = starts.iter().filter(|start| **start <= slot).count();
                    assert_eq!(leaf.hop_number(slot), run as u32, "{slot} of {starts:?}");
                }
            }
        }
    }

    #[test]
    fn each_slot_is_in_its_run() {
        for starts in (1..=LEAF_RUNS as u16).flat_map(starts) {
            let leaf = SparseLeaf::new_zeroed();
            leaf.write(starts.iter().copied().zip(1..));
            check(&starts, |slot| leaf.hop_number(slot));
        }
        for starts in (1..=LONG_RUNS as u16).flat_map(starts) {
            let leaf = LongLeaf::new_zeroed();
            leaf.write(starts.iter().copied().zip(1..));
            check(&starts, |slot| leaf.line(slot).hop_number(slot));
        }
    }
}
