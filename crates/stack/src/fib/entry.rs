//! What a slot leads to.

use std::sync::atomic::{AtomicU32, Ordering};

use super::path::{LEAVES, is_wide};

/// ```text
///  31  30       29      28 … 24    23 … 0
///  1   covered  sparse  level / 4  number of a node, not 0; of a leaf bit 24 is set beside its level, of a long leaf
///                                  bit 28 too; of short nodes it is 10, and of pairs of them 12, of both leaves one more
///  0   covered  0       number of a route, not 0
///  0   0        1       number of a hop, not 0
///  0   0        0       nothing
/// ```
///
/// A route still has to be compared with the address that is looked up; a hop has not. Leaves are wide nodes, whose
/// levels leave bits 24 and 28 zero. Short nodes and leaves stand at one level each, and no sparse node as far down as
/// what they have in place of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

const NODE: u32 = 1 << 31;
const COVERED: u32 = 1 << 30;
const SPARSE: u32 = 1 << 29;
const HOP: u32 = SPARSE;
const LEVEL: u32 = 24;
const LEAF: u32 = 1 << LEVEL;
const LONG: u32 = 16 << LEVEL;
const SHORT: u32 = SPARSE | 10 << LEVEL;
const PAIR: u32 = SPARSE | 12 << LEVEL;

/// How a node's slots are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// 256 slots.
    Dense,
    /// 256 slots, of hops alone.
    DenseLeaf,
    /// A few runs of equal slots out of 256.
    Short,
    /// A few in each half.
    Pair,
    /// Runs of hops alone, out of 256.
    ShortLeaf,
    /// As many in each half.
    PairLeaf,
    /// A few runs of equal slots out of 65,536.
    Sparse,
    /// Runs of hops alone.
    SparseLeaf,
    /// More runs of hops alone.
    LongLeaf,
    /// 16 slots.
    Narrow,
}

impl Shape {
    /// All, in the order of their declaration.
    pub(super) const ALL: [Self; 10] = [
        Self::Dense,
        Self::DenseLeaf,
        Self::Short,
        Self::Pair,
        Self::ShortLeaf,
        Self::PairLeaf,
        Self::Sparse,
        Self::SparseLeaf,
        Self::LongLeaf,
        Self::Narrow,
    ];
}

#[cfg(test)]
impl Shape {
    /// Whether all searches end in it.
    pub(super) const fn is_leaf(self) -> bool {
        matches!(
            self,
            Self::DenseLeaf | Self::ShortLeaf | Self::PairLeaf | Self::SparseLeaf | Self::LongLeaf
        )
    }
}

impl Entry {
    pub(super) const EMPTY: Self = Self(0);
    /// Nodes of one shape have numbers below this.
    pub(super) const MAX_NODES: u32 = 1 << LEVEL;
    /// Routes, and hops, have numbers below this.
    pub(super) const MAX_ROUTES: u32 = SPARSE;

    /// A node at a level: narrow where nodes are, or else of any other shape.
    pub(super) const fn node(number: u32, level: u8, shape: Shape) -> Self {
        let at_level = (level as u32 / 4) << LEVEL;
        let marks = match shape {
            Shape::Dense | Shape::Narrow => at_level,
            Shape::DenseLeaf => LEAF | at_level,
            Shape::Short => SHORT,
            Shape::Pair => PAIR,
            Shape::ShortLeaf => SHORT | LEAF,
            Shape::PairLeaf => PAIR | LEAF,
            Shape::Sparse => SPARSE | at_level,
            Shape::SparseLeaf => SPARSE | LEAF | at_level,
            Shape::LongLeaf => SPARSE | LEAF | LONG | at_level,
        };
        Self(NODE | marks | number)
    }

    pub(super) const fn route(number: u32) -> Self {
        Self(number)
    }

    pub(super) const fn hop(number: u32) -> Self {
        Self(HOP | number)
    }

    #[inline]
    pub(super) fn load(slot: &AtomicU32) -> Self {
        Self(slot.load(Ordering::Relaxed))
    }

    pub(super) fn store(self, slot: &AtomicU32) {
        slot.store(self.0, Ordering::Relaxed);
    }

    #[inline]
    pub(super) const fn is_node(self) -> bool {
        self.0 & NODE != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// The number of a node.
    #[inline]
    pub(super) const fn number(self) -> u32 {
        self.0 & (Self::MAX_NODES - 1)
    }

    /// The level of a node that is no leaf, and not short.
    #[inline]
    pub(super) const fn level(self) -> u8 {
        (self.0 >> LEVEL & 31) as u8 * 4
    }

    /// The level of a wide node that is not short.
    #[inline]
    pub(super) const fn wide_level(self) -> u8 {
        (self.0 >> LEVEL & 14) as u8 * 4
    }

    /// How a node is written down.
    #[inline]
    pub(super) const fn shape(self) -> Shape {
        // A leaf's level looks greater, by less than a wide node takes.
        match (self.is_sparse(), self.is_leaf()) {
            (false, _) if !is_wide(self.level()) => Shape::Narrow,
            (false, false) => Shape::Dense,
            (false, true) => Shape::DenseLeaf,
            (true, false) if self.is(Shape::Short) => Shape::Short,
            (true, false) if self.is(Shape::Pair) => Shape::Pair,
            (true, false) => Shape::Sparse,
            (true, true) if self.is(Shape::ShortLeaf) => Shape::ShortLeaf,
            (true, true) if self.is(Shape::PairLeaf) => Shape::PairLeaf,
            (true, true) if self.is_long() => Shape::LongLeaf,
            (true, true) => Shape::SparseLeaf,
        }
    }

    /// Whether a wide node is a leaf.
    #[inline]
    pub(super) const fn is_leaf(self) -> bool {
        self.0 & LEAF != 0
    }

    /// Whether a node is sparse.
    #[inline]
    pub(super) const fn is_sparse(self) -> bool {
        self.0 & SPARSE != 0
    }

    /// Whether a sparse leaf is a long one.
    #[inline]
    pub(super) const fn is_long(self) -> bool {
        self.0 & LONG != 0
    }

    /// Whether it is a dense node at `level`.
    #[inline]
    pub(super) const fn is_dense_at(self, level: u8) -> bool {
        (self.0 & !COVERED) >> LEVEL == Self::node(0, level, Shape::Dense).0 >> LEVEL
    }

    /// Whether it is a node of a shape that stands at one level alone: dense leaves, and all short ones.
    #[inline]
    pub(super) const fn is(self, shape: Shape) -> bool {
        (self.0 & !COVERED) >> LEVEL == Self::node(0, LEAVES, shape).0 >> LEVEL
    }

    /// The number of the route; 0 if there is nothing. Not for a node or hop.
    #[inline]
    pub(super) const fn route_number(self) -> u32 {
        self.0 & (Self::MAX_ROUTES - 1)
    }

    /// The number of a hop.
    #[inline]
    pub(super) const fn hop_number(self) -> u32 {
        self.0 & (Self::MAX_ROUTES - 1)
    }

    /// Whether it is a hop. Not for a node.
    #[inline]
    pub(super) const fn is_hop(self) -> bool {
        self.0 & HOP != 0
    }

    /// Whether whoever comes here is done.
    pub(super) const fn is_final(self) -> bool {
        !self.is_node() && self.is_hop()
    }

    /// Whether a route that ends in the node's bits covers the slot beside what the slot leads to.
    #[inline]
    pub(super) const fn is_covered(self) -> bool {
        self.0 & COVERED != 0
    }

    /// The same, of a slot that is covered or not.
    pub(super) const fn with_covered(self, covered: bool) -> Self {
        Self(self.0 & !COVERED | if covered { COVERED } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: [Shape; 5] = [
        Shape::Dense,
        Shape::DenseLeaf,
        Shape::Sparse,
        Shape::SparseLeaf,
        Shape::LongLeaf,
    ];

    const SHORT: [Shape; 4] = [Shape::Short, Shape::Pair, Shape::ShortLeaf, Shape::PairLeaf];

    #[test]
    fn entries_tell_themselves_apart() {
        assert!(!Entry::EMPTY.is_node() && !Entry::EMPTY.is_hop());
        assert_eq!(Entry::EMPTY.route_number(), 0);
        for covered in [false, true] {
            for number in [1, Entry::MAX_NODES - 1] {
                let levels = (0..=124).step_by(4).filter(|l| !is_wide(*l) || l % 8 == 0);
                let nodes = levels.flat_map(|level| {
                    let shapes: &[Shape] = match is_wide(level) {
                        true => &WIDE,
                        false => &[Shape::Narrow],
                    };
                    shapes.iter().map(move |shape| (level, *shape))
                });
                let short = SHORT.map(|shape| (LEAVES, shape));
                for (level, shape) in nodes.chain(short) {
                    let entry = Entry::node(number, level, shape).with_covered(covered);
                    assert!(entry.is_node() && entry.is_covered() == covered);
                    assert_eq!((entry.number(), entry.shape()), (number, shape));
                    assert_eq!(entry.is_leaf() && is_wide(level), shape.is_leaf());
                    match shape {
                        Shape::Dense | Shape::Sparse | Shape::Narrow => {
                            assert_eq!(entry.level(), level);
                        }
                        Shape::DenseLeaf | Shape::SparseLeaf | Shape::LongLeaf => {
                            assert_eq!(entry.wide_level(), level);
                        }
                        Shape::Short | Shape::Pair | Shape::ShortLeaf | Shape::PairLeaf => {}
                    }
                    if is_wide(level) {
                        assert_eq!(entry.is_dense_at(level), shape == Shape::Dense);
                    }
                    for other in SHORT.into_iter().chain([Shape::DenseLeaf]) {
                        let same = shape == other && level == LEAVES;
                        assert_eq!(entry.is(other), same, "{shape:?} at {level}");
                    }
                }
            }
            for number in [1, Entry::MAX_ROUTES - 1] {
                let entry = Entry::route(number).with_covered(covered);
                assert!(!entry.is_node() && !entry.is_hop() && entry.is_covered() == covered);
                assert_eq!(entry.route_number(), number);
            }
        }
        for number in [1, Entry::MAX_ROUTES - 1] {
            let entry = Entry::hop(number);
            assert!(!entry.is_node() && entry.is_hop() && !entry.is_covered());
            assert_eq!(entry.hop_number(), number);
        }
    }
}
