//! Nodes and routes as the workers read them: lines of the cache.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use zerocopy::FromZeros;

use super::entry::Entry;
use super::hop::Hop;
use super::path::{Path, Span};
use crate::nic::NicId;

/// The slots of a wide node, one by one.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Dense(pub(super) [AtomicU32; 256]);

/// The slots of a narrow node.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Narrow(pub(super) [AtomicU32; 16]);

/// Runs there can be in a sparse node.
pub(super) const RUNS: usize = 12;

/// The slots of a wide node in which few things are: runs of equal ones. All in one line.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Sparse {
    /// Byte by byte from the lowest, the last slot before each run but the first; 255 where there is no
    /// run any more. So a slot is in the run whose number is that of the bytes below the slot.
    ends: [AtomicU64; 2],
    entries: [AtomicU32; RUNS],
}

/// A number for each run of a sparse node: what is rarely asked for.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Covers(pub(super) [AtomicU32; RUNS]);

/// A route. All zeros, it is nobody's and covers nothing.
#[derive(FromZeros)]
#[repr(C, align(32))]
pub(super) struct RouteLine {
    network: [AtomicU64; 2],
    /// The bits of the prefix in the word that it ends in: the second one if it is longer than 64 bits.
    mask: AtomicU64,
    /// A [`Hop`].
    hop: AtomicU64,
}

impl Sparse {
    /// The run that a slot is in.
    #[inline]
    pub(super) fn run(&self, slot: u8) -> usize {
        /// One in each lane of 16 bits.
        const ONES: u64 = 0x0001_0001_0001_0001;
        let limit = (u64::from(slot) + 255) * ONES;
        // Bit 8 of each lane: whether its byte is below the slot.
        let below = |bytes: u64| (limit - (bytes & (255 * ONES))) >> 8 & ONES;
        let [first, second] = &self.ends;
        let first = first.load(Ordering::Relaxed);
        let second = second.load(Ordering::Relaxed);
        let lanes = below(first) + below(first >> 8) + below(second) + below(second >> 8);
        (lanes.wrapping_mul(ONES) >> 48) as usize
    }

    /// What a slot leads to.
    #[inline]
    pub(super) fn entry(&self, slot: u8) -> Entry {
        self.entries
            .get(self.run(slot))
            .map_or(Entry::EMPTY, Entry::load)
    }

    /// Writes runs, at most [`RUNS`]: the slot that each begins with, and what it leads to.
    pub(super) fn write(&self, runs: impl IntoIterator<Item = (u8, Entry)>) {
        let mut ends = [255; 16];
        for (at, (start, entry)) in runs.into_iter().take(RUNS).enumerate() {
            entry.store(&self.entries[at]);
            if at > 0 {
                ends[at - 1] = start.wrapping_sub(1);
            }
        }
        let words = ends.as_chunks::<8>().0;
        for (word, bytes) in self.ends.iter().zip(words) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
    }
}

impl RouteLine {
    /// Nobody's.
    pub(super) const NOBODYS: &Self = {
        static NOBODYS: RouteLine = RouteLine {
            network: [const { AtomicU64::new(0) }; 2],
            mask: AtomicU64::new(0),
            hop: AtomicU64::new(0),
        };
        &NOBODYS
    };

    pub(super) fn write(&self, span: Span, nic: NicId, neighbor: u32) {
        let Path { high, low } = span.path;
        self.network[0].store(high, Ordering::Relaxed);
        self.network[1].store(low, Ordering::Relaxed);
        let hop = Hop::new(neighbor, nic, span.len);
        let bits = u32::from(span.len) - if hop.long() == 0 { 0 } else { 64 };
        self.mask
            .store(!u64::MAX.unbounded_shr(bits), Ordering::Relaxed);
        self.hop.store(hop.0, Ordering::Relaxed);
    }

    #[inline]
    fn path(&self) -> Path {
        let [high, low] = &self.network;
        Path {
            high: high.load(Ordering::Relaxed),
            low: low.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub(super) fn hop(&self) -> Hop {
        Hop(self.hop.load(Ordering::Relaxed))
    }

    pub(super) fn span(&self) -> Span {
        Span {
            path: self.path(),
            len: self.hop().prefix_len(),
        }
    }

    /// The hop if the route covers `path`, or else [`Hop::NOWHERE`].
    #[inline]
    pub(super) fn hop_of(&self, path: Path) -> Hop {
        let (network, hop) = (self.path(), self.hop());
        let (mask, long) = (self.mask.load(Ordering::Relaxed), hop.long());
        let high = (network.high ^ path.high) & (mask | long);
        let low = (network.low ^ path.low) & (mask & long);
        if high | low == 0 && !hop.is_nowhere() {
            hop
        } else {
            Hop::NOWHERE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines() {
        assert_eq!(size_of::<Narrow>(), 64);
        assert_eq!(size_of::<Dense>(), 1024);
        assert_eq!((size_of::<Sparse>(), size_of::<Covers>()), (64, 64));
        assert_eq!(size_of::<RouteLine>(), 32);
    }

    #[test]
    fn a_line_of_zeros_covers_nothing() {
        assert!(RouteLine::new_zeroed().hop_of(Path::ZERO).is_nowhere());
    }

    #[test]
    fn each_slot_is_in_its_run() {
        for starts in [
            &[0][..],
            &[0, 1],
            &[0, 255],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
            &[0, 1, 2, 127, 128, 129, 130, 200, 252, 253, 254, 255],
        ] {
            let node = Sparse::new_zeroed();
            node.write(starts.iter().zip(1..).map(|(s, n)| (*s, Entry::route(n))));
            for slot in 0..=255 {
                let run = starts.iter().filter(|start| **start <= slot).count();
                assert_eq!(node.entry(slot), Entry::route(run as u32), "{slot}");
            }
        }
    }
}
