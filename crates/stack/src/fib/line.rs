//! Nodes and routes as the workers read them: lines of the cache.

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

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

/// Runs there can be in a short node.
pub(super) const SHORT_RUNS: usize = 12;

/// The slots of a wide node with little in it: runs of equal ones. One line.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Short {
    /// As a [`Sparse`] node's.
    ends: [AtomicU8; SHORT_RUNS],
    entries: [AtomicU32; SHORT_RUNS],
}

/// A number for each run of a short node: what is rarely asked for.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct ShortCovers(pub(super) [AtomicU32; SHORT_RUNS]);

/// A short node for each half of the slots, of which a lookup reads one.
#[derive(FromZeros)]
#[repr(C, align(128))]
pub(super) struct Pair(pub(super) [Short; 2]);

/// As [`ShortCovers`], of both halves.
#[derive(FromZeros)]
#[repr(C, align(128))]
pub(super) struct PairCovers(pub(super) [ShortCovers; 2]);

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
        run_of_32(|run| self.ends[run].load(Ordering::Relaxed) < slot)
    }

    /// Where what a slot leads to stands.
    #[inline]
    pub(super) fn entry(&self, slot: u16) -> &AtomicU32 {
        &self.entries[self.run(slot) % RUNS]
    }

    /// Begins to bring it into the cache, all of it: few searches come here, for which nobody would wait twice.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_read(&self.ends);
        prefetch_read(&self.entries[0]);
        prefetch_read(&self.entries[RUNS / 2]);
    }

    /// Writes runs, at most [`RUNS`]: the slot that each begins with, and what it leads to.
    pub(super) fn write(&self, runs: impl Iterator<Item = (u16, Entry)> + Clone) {
        let starts = runs.clone().map(|(start, _)| start);
        for (end, last) in self.ends.iter().zip(lasts(starts)) {
            end.store(last, Ordering::Relaxed);
        }
        for (word, (_, entry)) in self.entries.iter().zip(runs) {
            entry.store(word);
        }
    }
}

impl Short {
    /// No node's.
    pub(super) const NOTHING: &Self = {
        static NOTHING: Short = Short {
            ends: [const { AtomicU8::new(0) }; SHORT_RUNS],
            entries: [const { AtomicU32::new(0) }; SHORT_RUNS],
        };
        &NOTHING
    };

    /// The run that a slot is in: below [`SHORT_RUNS`].
    #[inline]
    pub(super) fn run(&self, slot: u8) -> usize {
        // Out of three, out of four, as `run_of_32`. No slot is behind the last end.
        let is_behind = |run: usize| {
            let end = &self.ends[run % SHORT_RUNS];
            usize::from(end.load(Ordering::Relaxed) < slot)
        };
        let run = 4 * (is_behind(3) + is_behind(7));
        run + is_behind(run) + is_behind(run + 1) + is_behind(run + 2)
    }

    /// Where what a slot leads to stands.
    #[inline]
    pub(super) fn entry(&self, slot: u8) -> &AtomicU32 {
        &self.entries[self.run(slot) % SHORT_RUNS]
    }

    /// Begins to bring it into the cache.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_read(self);
    }

    /// Writes runs, at most [`SHORT_RUNS`]: the slot that each begins with, and what it leads to.
    pub(super) fn write(&self, runs: impl Iterator<Item = (u8, Entry)> + Clone) {
        let starts = runs.clone().map(|(start, _)| start.into());
        for (end, last) in self.ends.iter().zip(lasts(starts)) {
            end.store(last as u8, Ordering::Relaxed);
        }
        for (word, (_, entry)) in self.entries.iter().zip(runs) {
            entry.store(word);
        }
    }
}

impl Pair {
    /// The half that a slot is in.
    #[inline]
    pub(super) fn half(&self, slot: u8) -> &Short {
        &self.0[half_of(slot)]
    }
}

/// The half of a wide node's slots that a slot is in: 0 or 1.
#[inline]
pub(super) const fn half_of(slot: u8) -> usize {
    (slot >> 7) as usize
}

/// The run out of 32 that a slot is in, whose end it is not behind; it is behind all before that, and never behind the
/// last.
#[inline]
pub(super) fn run_of_32(is_behind: impl Fn(usize) -> bool) -> usize {
    // Out of four, out of four, out of two, without branches, which nobody could predict: as few comparisons as that
    // take, of which three at a time do not wait for each other.
    let is_behind = |run: usize| usize::from(is_behind(run % 32));
    let run = 8 * (is_behind(7) + is_behind(15) + is_behind(23));
    let run = run + 2 * (is_behind(run + 1) + is_behind(run + 3) + is_behind(run + 5));
    run + is_behind(run)
}

/// The last slot of each run, of which the slots that they begin with are told; all ones, of 16 bits or of 8, behind the
/// last run.
pub(super) fn lasts(starts: impl Iterator<Item = u16>) -> impl Iterator<Item = u16> {
    let lasts = starts.skip(1).map(|start| start.wrapping_sub(1));
    lasts.chain(std::iter::repeat(u16::MAX))
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
        assert_eq!((size_of::<Short>(), size_of::<ShortCovers>()), (64, 64));
        assert_eq!((size_of::<Pair>(), size_of::<PairCovers>()), (128, 128));
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
