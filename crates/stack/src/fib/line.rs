//! Nodes and routes as the workers read them: lines of the cache.

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use corelane_sync::prefetch::prefetch_read;
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
pub(super) const RUNS: usize = 32;

/// The next 16 bits from a wide node on, with little in them: runs of equal slots. Three lines, of which a
/// lookup reads two.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Sparse {
    /// In order, 16 bits each, the last slot of each run; all ones where there is no run behind it any more.
    /// So a slot is in the run whose number is that of the ends below the slot.
    ends: [AtomicU16; RUNS],
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
    /// The bits of the prefix in the word that it ends in: the second one if it is [`LONG`].
    mask: AtomicU64,
    /// A [`Hop`], and [`LONG`] or not.
    way: AtomicU64,
}

/// A route's prefix is longer than 64 bits. No hop has this bit.
const LONG: u64 = 1 << 15;

impl Sparse {
    /// No node's.
    pub(super) const NOTHING: &Self = {
        static NOTHING: Sparse = Sparse {
            ends: [const { AtomicU16::new(0) }; RUNS],
            entries: [const { AtomicU32::new(0) }; RUNS],
        };
        &NOTHING
    };

    /// The run that a slot is in: below [`RUNS`].
    #[inline]
    pub(super) fn run(&self, slot: u16) -> usize {
        // Out of four, out of four, out of two, without branches, which nobody could predict: as few comparisons as
        // that take, of which three at a time do not wait for each other. The last end is all ones.
        let is_behind = |run: usize| {
            let end = &self.ends[run % RUNS];
            usize::from(end.load(Ordering::Relaxed) < slot)
        };
        let run = 8 * (is_behind(7) + is_behind(15) + is_behind(23));
        let run = run + 2 * (is_behind(run + 1) + is_behind(run + 3) + is_behind(run + 5));
        run + is_behind(run)
    }

    /// Where what a slot leads to stands.
    #[inline]
    pub(super) fn entry(&self, slot: u16) -> &AtomicU32 {
        &self.entries[self.run(slot) % RUNS]
    }

    /// Begins to bring the line into the cache by which an entry is found; of the two others, the one that
    /// has it is asked for when it is known.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_read(&self.ends);
    }

    /// Writes runs, at most [`RUNS`]: the slot that each begins with, and what it leads to.
    pub(super) fn write(&self, runs: impl Iterator<Item = (u16, Entry)> + Clone) {
        write_ends(&self.ends, runs.clone().map(|(start, _)| start));
        for (word, (_, entry)) in self.entries.iter().zip(runs) {
            entry.store(word);
        }
    }
}

/// Writes the last slot of each run, of which the slots that they begin with are told; all ones behind the last run.
pub(super) fn write_ends<'a>(
    ends: impl IntoIterator<Item = &'a AtomicU16>,
    starts: impl Iterator<Item = u16>,
) {
    let lasts = starts.skip(1).map(|start| start.wrapping_sub(1));
    for (end, last) in ends
        .into_iter()
        .zip(lasts.chain(std::iter::repeat(u16::MAX)))
    {
        end.store(last, Ordering::Relaxed);
    }
}

impl RouteLine {
    /// Nobody's.
    pub(super) const NOBODYS: &Self = {
        static NOBODYS: RouteLine = RouteLine {
            network: [const { AtomicU64::new(0) }; 2],
            mask: AtomicU64::new(0),
            way: AtomicU64::new(0),
        };
        &NOBODYS
    };

    pub(super) fn write(&self, span: Span, nic: NicId, neighbor: u32) {
        let Path { high, low } = span.path;
        self.network[0].store(high, Ordering::Relaxed);
        self.network[1].store(low, Ordering::Relaxed);
        let (bits, long) = match span.len.checked_sub(64) {
            None | Some(0) => (span.len, 0),
            Some(bits) => (bits, LONG),
        };
        let mask = !u64::MAX.unbounded_shr(bits.into());
        self.mask.store(mask, Ordering::Relaxed);
        let way = Hop::new(neighbor, nic).0 | long;
        self.way.store(way, Ordering::Relaxed);
    }

    #[inline]
    fn path(&self) -> Path {
        let [high, low] = &self.network;
        Path {
            high: high.load(Ordering::Relaxed),
            low: low.load(Ordering::Relaxed),
        }
    }

    pub(super) fn hop(&self) -> Hop {
        Hop(self.way.load(Ordering::Relaxed) & !LONG)
    }

    pub(super) fn span(&self) -> Span {
        let bits = self.mask.load(Ordering::Relaxed).count_ones() as u8;
        let long = self.way.load(Ordering::Relaxed) & LONG != 0;
        Span {
            path: self.path(),
            len: bits + if long { 64 } else { 0 },
        }
    }

    /// The hop if the route covers `path`, or else [`Hop::NOWHERE`].
    #[inline]
    pub(super) fn hop_of(&self, path: Path) -> Hop {
        let (network, way) = (self.path(), self.way.load(Ordering::Relaxed));
        let mask = self.mask.load(Ordering::Relaxed);
        // All ones if the prefix is long, or else nothing: a sign that is spread, and no branch on the family.
        let long = (way as i16 >> 15) as i64 as u64;
        let high = (network.high ^ path.high) & (mask | long);
        let low = (network.low ^ path.low) & (mask & long);
        select_unpredictable(high | low == 0, Hop(way & !LONG), Hop::NOWHERE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines() {
        assert_eq!(size_of::<Narrow>(), 64);
        assert_eq!(size_of::<Dense>(), 1024);
        assert_eq!((size_of::<Sparse>(), size_of::<Covers>()), (192, 128));
        assert_eq!(size_of::<RouteLine>(), 32);
    }

    #[test]
    fn a_line_of_zeros_covers_nothing() {
        assert!(RouteLine::new_zeroed().hop_of(Path::ZERO).is_nowhere());
    }

    #[test]
    fn each_slot_is_in_its_run() {
        let every_other: Vec<u16> = (0..RUNS as u16).map(|n| 2 * n).collect();
        let last_ones: Vec<u16> = std::iter::once(0)
            .chain((1..RUNS as u16).rev().map(|n| 0_u16.wrapping_sub(n)))
            .collect();
        for starts in [
            &[0][..],
            &[0, 1],
            &[0, 65_535],
            &[
                0, 1, 2, 255, 256, 257, 32_767, 32_768, 32_769, 65_534, 65_535,
            ],
            &every_other,
            &last_ones,
        ] {
            let node = Sparse::new_zeroed();
            node.write(starts.iter().zip(1..).map(|(s, n)| (*s, Entry::route(n))));
            for slot in 0..=u16::MAX {
                let run = starts.iter().filter(|start| **start <= slot).count();
                assert_eq!(
                    Entry::load(node.entry(slot)),
                    Entry::route(run as u32),
                    "{slot}"
                );
            }
        }
    }
}
