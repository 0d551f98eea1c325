//! What workers read of a neighbor: one cache line.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use corelane_sync::slab::{Slab, SlabError};
use corelane_wire::MacAddr;
use zerocopy::FromZeros;

use crate::address::Key;
use crate::table::Keys;

/// What a worker does with a packet for a neighbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeighborView {
    /// Send it there.
    Usable(MacAddr),
    /// Send it there, and tell the control plane once ([`NeighborLine::mark_used`]): whether anybody
    /// still answers is to be found out.
    Stale(MacAddr),
    /// Hand it to the control plane: there is no link address yet.
    Incomplete,
    /// Drop it: there is no link address yet, and as many as may wait do.
    Full,
    /// Nobody answers: drop it, tell its sender, and tell the control plane once
    /// ([`NeighborLine::mark_used`]): it asks again now and then while there is traffic.
    Unreachable,
}

/// A neighbor as workers see it.
///
/// All fields are atomics because a worker may look at one through an old snapshot while the
/// control plane changes it. None orders anything: the key is written before the line can be found
/// and not again until nobody can find it any more, and link address and state are one word.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(crate) struct NeighborLine {
    key_high: AtomicU64,
    key_low: AtomicU64,
    /// The link address in the lower 48 bits, above them a byte for what to do with it.
    link: AtomicU64,
    /// 1 once a worker has told, or is about to tell, that the neighbor was used.
    used: AtomicU32,
    /// Counts the lives of this slot, so that word of one is not taken for word of a later one.
    life: AtomicU32,
}

/// Link address and state of a neighbor, as one word that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkWord(u64);

impl LinkWord {
    /// Of nobody: not known.
    pub const UNKNOWN: Self = Self(INCOMPLETE);

    /// The link address, if packets go there and nobody need be told.
    #[inline]
    pub fn usable(self) -> Option<MacAddr> {
        (self.0 >> MAC_BITS == USABLE).then_some(mac_of(self.0))
    }
}

/// The first is what a slot begins with.
const INCOMPLETE: u64 = 0;
const FULL: u64 = 1;
const UNREACHABLE: u64 = 2;
const USABLE: u64 = 3;
const STALE: u64 = 4;

/// The low ones, the first byte in the lowest: so a link address is written to a frame as it lies here.
const MAC_BITS: u32 = 48;

#[inline]
const fn mac_of(link: u64) -> MacAddr {
    let [a, b, c, d, e, g, _, _] = link.to_le_bytes();
    MacAddr([a, b, c, d, e, g])
}

impl NeighborLine {
    /// What to do with a packet for this neighbor, in one load.
    #[inline]
    pub(crate) fn read(&self) -> NeighborView {
        let link = self.link.load(Ordering::Relaxed);
        let mac = mac_of(link);
        match link >> MAC_BITS {
            USABLE => NeighborView::Usable(mac),
            STALE => NeighborView::Stale(mac),
            FULL => NeighborView::Full,
            UNREACHABLE => NeighborView::Unreachable,
            _ => NeighborView::Incomplete,
        }
    }

    /// The same, not looked into yet.
    #[inline]
    pub(crate) fn word(&self) -> LinkWord {
        LinkWord(self.link.load(Ordering::Relaxed))
    }

    /// Marks a neighbor that is stale or unreachable as used; true for the one that is to tell the
    /// control plane. Writes nothing if it is marked already, as it is for all packets but the first.
    #[inline]
    pub(crate) fn mark_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) == 0 && self.used.swap(1, Ordering::Relaxed) == 0
    }

    /// Takes the mark back: there was no room to tell the control plane, and somebody else is to.
    pub(crate) fn unmark_used(&self) {
        self.used.store(0, Ordering::Relaxed);
    }

    /// Whether it is marked as used.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) != 0
    }

    /// Which life of the slot this is: what the control plane is told with the index.
    #[inline]
    pub(crate) fn life(&self) -> u32 {
        self.life.load(Ordering::Relaxed)
    }

    /// The address.
    #[inline]
    pub(crate) fn key(&self) -> Key {
        Key {
            high: self.key_high.load(Ordering::Relaxed),
            low: self.key_low.load(Ordering::Relaxed),
        }
    }

    /// Says what workers are to do from now on. Only the control plane calls it.
    pub(super) fn show(&self, view: NeighborView) {
        let word = |state: u64, mac: MacAddr| {
            let [a, b, c, d, e, g] = mac.octets();
            state << MAC_BITS | u64::from_le_bytes([a, b, c, d, e, g, 0, 0])
        };
        let none = MacAddr::UNSPECIFIED;
        let link = match view {
            NeighborView::Usable(mac) => word(USABLE, mac),
            NeighborView::Stale(mac) => word(STALE, mac),
            NeighborView::Incomplete => word(INCOMPLETE, none),
            NeighborView::Full => word(FULL, none),
            NeighborView::Unreachable => word(UNREACHABLE, none),
        };
        if self.link.load(Ordering::Relaxed) != link {
            self.link.store(link, Ordering::Relaxed);
        }
    }
}

/// A NIC's neighbor lines, at indices that the table leads to.
#[derive(Default)]
pub(crate) struct NeighborLines {
    slab: Slab<NeighborLine>,
}

impl NeighborLines {
    /// The line at an index that a table or a pin holds.
    ///
    /// # Panics
    /// If there never was a neighbor: such an index exists nowhere.
    #[inline]
    pub(crate) fn at(&self, index: u32) -> &NeighborLine {
        self.slab
            .get(index)
            .expect("an index in use is in the slab")
    }

    /// The line at an index, if there ever was one.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&NeighborLine> {
        self.slab.get(index)
    }

    /// Makes room for the line at `index`.
    pub(super) fn reserve(&self, index: u32) -> Result<(), SlabError> {
        self.slab.grow_to(index.saturating_add(1))
    }

    /// Begins a life. Nobody can find the line yet.
    pub(super) fn begin(&self, index: u32, key: Key) {
        let line = self.at(index);
        line.key_high.store(key.high, Ordering::Relaxed);
        line.key_low.store(key.low, Ordering::Relaxed);
        line.unmark_used();
        line.show(NeighborView::Incomplete);
    }

    /// Ends a life. Nobody can find the line any more.
    pub(super) fn end(&self, index: u32) {
        self.at(index).life.fetch_add(1, Ordering::Relaxed);
    }
}

impl Keys for NeighborLines {
    #[inline]
    fn key(&self, index: u32) -> Key {
        self.at(index).key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbor_is_one_cache_line() {
        assert_eq!(size_of::<NeighborLine>(), 64);
        assert_eq!(align_of::<NeighborLine>(), 64);
    }

    #[test]
    fn what_is_shown_is_read() {
        let lines = NeighborLines::default();
        lines.reserve(0).unwrap();
        let line = lines.at(0);
        assert_eq!(line.read(), NeighborView::Incomplete, "of zeros");
        for mac in [MacAddr([2, 3, 4, 5, 6, 7]), MacAddr::BROADCAST] {
            for view in [
                NeighborView::Usable(mac),
                NeighborView::Stale(mac),
                NeighborView::Incomplete,
                NeighborView::Full,
                NeighborView::Unreachable,
            ] {
                line.show(view);
                assert_eq!(line.read(), view);
            }
        }
    }

    #[test]
    fn one_of_many_tells() {
        let lines = NeighborLines::default();
        lines.reserve(0).unwrap();
        let line = lines.at(0);
        let told = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| line.mark_used()).count()))
                .collect();
            workers
                .into_iter()
                .map(|w| w.join().unwrap())
                .sum::<usize>()
        });
        assert_eq!(told, 1);
        line.unmark_used();
        assert!(line.mark_used(), "again, if it could not be told");
    }
}
