//! Where nodes and routes are.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use corelane_sync::slab::Slab;
use zerocopy::FromZeros;

use super::path::{Path, Span, is_wide, stride};
use crate::nic::NicId;

/// The nodes and routes of all versions, shared by the editor and the workers.
#[derive(Default)]
pub struct LpmStore {
    pub(super) wide: Slab<Node<256>>,
    pub(super) narrow: Slab<Node<16>>,
    pub(super) routes: Slab<RouteLine>,
}

/// Where a packet goes: one word, so that it is moved and chosen as one.
///
/// ```text
///  63 … 32   31 … 16  15         7 … 0
///  neighbor  NIC      long       one more than the prefix's length; 0: of no route
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hop(u64);

/// The prefix is longer than 64 bits.
const LONG: u64 = 1 << 15;

impl Hop {
    /// Of no route.
    pub const NOWHERE: Self = Self((super::NO_NEIGHBOR as u64) << 32);

    /// That of a route to a prefix of this length, at most 128 bits.
    pub(super) const fn new(neighbor: u32, nic: NicId, prefix_len: u8) -> Self {
        let long = if prefix_len > 64 { LONG } else { 0 };
        let (neighbor, nic) = ((neighbor as u64) << 32, (nic.0 as u64) << 16);
        Self(neighbor | nic | long | (prefix_len as u64 + 1))
    }

    /// The adjacency of the gateway, as it was inserted; [`NO_NEIGHBOR`](super::NO_NEIGHBOR) for a
    /// route that is on-link, and for none.
    #[inline]
    pub const fn neighbor(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The NIC it leaves by.
    #[inline]
    pub const fn nic(self) -> NicId {
        NicId((self.0 >> 16) as u16)
    }

    /// The length of the route's prefix, in bits of its family; 255 if there is no route.
    #[inline]
    pub const fn prefix_len(self) -> u8 {
        (self.0 as u8).wrapping_sub(1)
    }

    /// Whether there is no route.
    #[inline]
    pub const fn is_nowhere(self) -> bool {
        self.0 as u8 == 0
    }

    /// The hop of a route; None if there is no route.
    pub fn found(self) -> Option<Self> {
        (!self.is_nowhere()).then_some(self)
    }

    /// All ones if the prefix is long, or else nothing.
    #[inline]
    const fn long(self) -> u64 {
        // A sign that is spread: no branch on the family.
        (self.0 as i16 >> 15) as i64 as u64
    }
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("neighbor", &self.neighbor())
            .field("nic", &self.nic())
            .field("prefix_len", &self.prefix_len())
            .finish()
    }
}

/// A node of `N` slots: see the [module](super).
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Node<const N: usize> {
    /// [`Entry`]s by the value of the node's bits.
    slots: [AtomicU32; N],
    /// The numbers of the routes that end in the node's bits, by length and value; none at 0.
    own: [AtomicU32; N],
}

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

/// What a slot leads to.
///
/// ```text
///  31  30       29 … 25      24 … 0
///  1   covered  level / 4    number of a node, not 0
///  0   covered  number of a route, not 0
///  0   0        0            nothing
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

const NODE: u32 = 1 << 31;
const COVERED: u32 = 1 << 30;
const LEVEL: u32 = 25;

impl Entry {
    pub(super) const EMPTY: Self = Self(0);
    /// Nodes of one width, and routes, have numbers below these.
    pub(super) const MAX_NODES: u32 = 1 << LEVEL;
    pub(super) const MAX_ROUTES: u32 = COVERED;

    pub(super) const fn node(number: u32, level: u8) -> Self {
        Self(NODE | (level as u32 / 4) << LEVEL | number)
    }

    pub(super) const fn route(number: u32) -> Self {
        Self(number)
    }

    #[inline]
    pub(super) fn load(slot: &AtomicU32) -> Self {
        Self(slot.load(Ordering::Relaxed))
    }

    pub(super) fn store(self, slot: &AtomicU32) {
        slot.store(self.0, Ordering::Relaxed);
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    #[inline]
    pub(super) const fn is_node(self) -> bool {
        self.0 & NODE != 0
    }

    /// The number of a node.
    #[inline]
    pub(super) const fn number(self) -> u32 {
        self.0 & (Self::MAX_NODES - 1)
    }

    /// The level of a node.
    #[inline]
    pub(super) const fn level(self) -> u8 {
        (self.0 >> LEVEL & 31) as u8 * 4
    }

    /// The number of the route; 0 if there is nothing. Not for a node.
    #[inline]
    pub(super) const fn route_number(self) -> u32 {
        self.0 & (COVERED - 1)
    }

    /// Whether a route that is the node's own covers the slot beside what the slot leads to.
    #[inline]
    pub(super) const fn is_covered(self) -> bool {
        self.0 & COVERED != 0
    }

    /// The same, covered or not.
    pub(super) const fn with_covered(self, covered: bool) -> Self {
        Self(self.0 & !COVERED | if covered { COVERED } else { 0 })
    }
}

/// A node of either width.
#[derive(Clone, Copy)]
pub(super) struct NodeRef<'s> {
    pub(super) slots: &'s [AtomicU32],
    pub(super) own: &'s [AtomicU32],
    stride: u8,
}

impl NodeRef<'_> {
    /// The number of the longest own route that covers a slot; 0 if none does.
    #[inline]
    pub(super) fn cover(self, slot: usize) -> u32 {
        let mut covers = self.covers(slot);
        covers.next().unwrap_or(0)
    }

    /// The numbers of the own routes that cover a slot, longest first.
    #[inline]
    pub(super) fn covers(self, slot: usize) -> impl Iterator<Item = u32> {
        let bottom = 1 << self.stride | slot;
        let places = (1..=self.stride).map(move |up| bottom >> up);
        places
            .filter_map(move |place| self.own.get(place))
            .map(|route| route.load(Ordering::Relaxed))
            .filter(|route| *route != 0)
    }

    /// The slots that the own route at `place` covers.
    pub(super) fn covered_by(self, place: usize) -> std::ops::Range<usize> {
        let up = u32::from(self.stride) - place.ilog2();
        let slots = 1 << self.stride;
        (place << up) - slots..((place + 1) << up) - slots
    }
}

impl LpmStore {
    /// A slot with nothing in it, of no node.
    pub(super) const NO_SLOT: &AtomicU32 = {
        static NO_SLOT: AtomicU32 = AtomicU32::new(0);
        &NO_SLOT
    };

    /// An empty store, without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The node that an entry leads to.
    ///
    /// # Panics
    /// If no such node was ever made: such an entry exists nowhere. So do the two below.
    #[inline]
    pub(super) fn node(&self, entry: Entry) -> NodeRef<'_> {
        let stride = stride(entry.level());
        let (slots, own): (&[AtomicU32], &[AtomicU32]) = if is_wide(entry.level()) {
            let node = self.wide.get(entry.number()).expect("a node that was made");
            (&node.slots, &node.own)
        } else {
            let node = self.narrow.get(entry.number());
            let node = node.expect("a node that was made");
            (&node.slots, &node.own)
        };
        NodeRef { slots, own, stride }
    }

    /// The slot of `path` in the node that an entry leads to.
    #[inline]
    pub(super) fn slot(&self, entry: Entry, path: Path) -> &AtomicU32 {
        let level = entry.level();
        if is_wide(level) {
            let node = self.wide.get(entry.number()).expect("a node that was made");
            &node.slots[path.wide_slot(level)]
        } else {
            let node = self.narrow.get(entry.number());
            &node.expect("a node that was made").slots[path.narrow_slot(level)]
        }
    }

    /// The slots of a trie's root: none has anything in it if there is no root.
    #[inline]
    pub(super) fn root(&self, root: Entry) -> &[AtomicU32; 256] {
        static NOTHING: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];
        let node = self.wide.get(root.number()).filter(|_| root.is_node());
        node.map_or(&NOTHING, |node| &node.slots)
    }

    /// A route that was made.
    pub(super) fn route(&self, number: u32) -> &RouteLine {
        self.routes.get(number).expect("a route that was made")
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

    /// Whether it covers `path`.
    #[inline]
    pub(super) fn covers(&self, path: Path) -> bool {
        !self.hop_of(path).is_nowhere()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines() {
        assert_eq!(size_of::<Node<16>>(), 128);
        assert_eq!(size_of::<Node<256>>(), 2048);
        assert_eq!(size_of::<RouteLine>(), 32);
    }

    #[test]
    fn entries_tell_themselves_apart() {
        assert!(!Entry::EMPTY.is_node());
        assert_eq!(Entry::EMPTY.route_number(), 0);
        for covered in [false, true] {
            for level in (0..=124).step_by(4) {
                for number in [1, Entry::MAX_NODES - 1] {
                    let entry = Entry::node(number, level).with_covered(covered);
                    assert!(entry.is_node() && entry.is_covered() == covered);
                    assert_eq!((entry.number(), entry.level()), (number, level));
                }
            }
            for number in [1, Entry::MAX_ROUTES - 1] {
                let entry = Entry::route(number).with_covered(covered);
                assert!(!entry.is_node() && entry.is_covered() == covered);
                assert_eq!(entry.route_number(), number);
            }
        }
    }

    #[test]
    fn a_line_of_zeros_covers_nothing() {
        let line = RouteLine::new_zeroed();
        assert!(!line.covers(Path::ZERO));
    }
}
