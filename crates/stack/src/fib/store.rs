//! Where nodes, routes and hops are.

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use corelane_sync::prefetch::prefetch_read;
use corelane_sync::slab::{Slab, SlabError};
use zerocopy::FromZeros;

use super::entry::{Entry, Shape};
use super::hop::Hop;
use super::leaf::{DenseLeaf, LongLeaf, PairLeaf, ShortLeaf, SparseLeaf};
use super::line::{
    Covers, Dense, Narrow, Pair, PairCovers, RouteLine, Short, ShortCovers, Sparse, half_of,
};
use super::path::{Path, is_wide};

/// The nodes, routes and hops of all versions, shared by the editor and the workers.
///
/// In huge pages: with many routes a lookup goes from one end of them to the other.
pub struct LpmStore {
    pub(super) dense: Nodes<Dense, Dense>,
    pub(super) short: Nodes<Short, ShortCovers>,
    pub(super) pairs: Nodes<Pair, PairCovers>,
    pub(super) sparse: Nodes<Sparse, Covers>,
    pub(super) narrow: Nodes<Narrow, Narrow>,
    pub(super) dense_leaves: Slab<DenseLeaf>,
    pub(super) short_leaves: Slab<ShortLeaf>,
    pub(super) pair_leaves: Slab<PairLeaf>,
    pub(super) sparse_leaves: Slab<SparseLeaf>,
    pub(super) long_leaves: Slab<LongLeaf>,
    pub(super) routes: Slab<RouteLine>,
    /// [`Hop`]s, each once.
    pub(super) hops: Slab<AtomicU64>,
}

impl Default for LpmStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The nodes of one shape: what every lookup reads, and apart from it, so that it lies close, what few do.
pub(super) struct Nodes<S, C> {
    pub(super) slots: Slab<S>,
    /// For each slot or run the number of the longest route that ends in the node's bits and covers it; 0
    /// if none does.
    pub(super) covers: Slab<C>,
}

impl<S: FromZeros + Sync, C: FromZeros + Sync> Default for Nodes<S, C> {
    fn default() -> Self {
        Self {
            slots: Slab::in_huge_pages(),
            covers: Slab::in_huge_pages(),
        }
    }
}

impl<S: FromZeros + Sync, C: FromZeros + Sync> Nodes<S, C> {
    /// The lines of a number.
    pub(super) fn lines(&self, number: u32) -> Option<(&S, &C)> {
        self.slots.get(number).zip(self.covers.get(number))
    }
}

/// What has numbers.
pub(super) trait Numbers {
    /// As [`Slab::grow_to`].
    fn grow_to(&self, n: u32) -> Result<(), SlabError>;
    /// As [`Slab::capacity`].
    fn capacity(&self) -> u32;
}

impl<T: FromZeros + Sync> Numbers for Slab<T> {
    fn grow_to(&self, n: u32) -> Result<(), SlabError> {
        self.grow_to(n)
    }

    fn capacity(&self) -> u32 {
        self.capacity()
    }
}

impl<S: FromZeros + Sync, C: FromZeros + Sync> Numbers for Nodes<S, C> {
    fn grow_to(&self, n: u32) -> Result<(), SlabError> {
        self.slots.grow_to(n)?;
        self.covers.grow_to(n)
    }

    fn capacity(&self) -> u32 {
        self.slots.capacity().min(self.covers.capacity())
    }
}

/// Of a number that was made: such entries alone exist.
const MADE: &str = "a number that was made";

impl LpmStore {
    /// A slot with nothing in it, of no node.
    pub(super) const NO_SLOT: &AtomicU32 = {
        static NO_SLOT: AtomicU32 = AtomicU32::new(0);
        &NO_SLOT
    };

    /// An empty store, without memory.
    pub fn new() -> Self {
        Self {
            dense: Nodes::default(),
            short: Nodes::default(),
            pairs: Nodes::default(),
            sparse: Nodes::default(),
            narrow: Nodes::default(),
            dense_leaves: Slab::in_huge_pages(),
            short_leaves: Slab::in_huge_pages(),
            pair_leaves: Slab::in_huge_pages(),
            sparse_leaves: Slab::in_huge_pages(),
            long_leaves: Slab::in_huge_pages(),
            routes: Slab::in_huge_pages(),
            hops: Slab::in_huge_pages(),
        }
    }

    /// The nodes of a shape, as what has numbers.
    pub(super) fn nodes(&self, shape: Shape) -> &dyn Numbers {
        match shape {
            Shape::Dense => &self.dense,
            Shape::DenseLeaf => &self.dense_leaves,
            Shape::Short => &self.short,
            Shape::Pair => &self.pairs,
            Shape::ShortLeaf => &self.short_leaves,
            Shape::PairLeaf => &self.pair_leaves,
            Shape::Sparse => &self.sparse,
            Shape::SparseLeaf => &self.sparse_leaves,
            Shape::LongLeaf => &self.long_leaves,
            Shape::Narrow => &self.narrow,
        }
    }

    /// The slot of `path` in a dense or narrow node.
    ///
    /// # Panics
    /// If no such node was ever made: such an entry exists nowhere. So do those below.
    #[inline]
    pub(super) fn slot(&self, node: Entry, path: Path) -> &AtomicU32 {
        let (number, level) = (node.number(), node.level());
        if is_wide(level) {
            let node = self.dense.slots.get(number).expect(MADE);
            &node.0[path.wide_slot(level)]
        } else {
            let node = self.narrow.slots.get(number).expect(MADE);
            &node.0[path.narrow_slot(level)]
        }
    }

    /// A sparse node.
    #[inline]
    pub(super) fn sparse_node(&self, node: Entry) -> &Sparse {
        self.sparse.slots.get(node.number()).expect(MADE)
    }

    /// The slot of `path` in a dense leaf: the number of a hop, or 0.
    #[inline]
    pub(super) fn dense_leaf_slot(&self, leaf: Entry, path: Path) -> &AtomicU8 {
        let node = self.dense_leaves.get(leaf.number()).expect(MADE);
        &node.0[usize::from(path.leaf_slot())]
    }

    /// A short node.
    #[inline]
    pub(super) fn short_node(&self, node: Entry) -> &Short {
        self.short.slots.get(node.number()).expect(MADE)
    }

    /// The half of `path` in a pair.
    #[inline]
    pub(super) fn pair_half(&self, node: Entry, path: Path) -> &Short {
        let pair = self.pairs.slots.get(node.number()).expect(MADE);
        pair.half(path.short_slot())
    }

    /// A short leaf.
    #[inline]
    pub(super) fn short_leaf(&self, leaf: Entry) -> &ShortLeaf {
        self.short_leaves.get(leaf.number()).expect(MADE)
    }

    /// The half of `path` in a pair of leaves.
    #[inline]
    pub(super) fn pair_leaf_half(&self, leaf: Entry, path: Path) -> &ShortLeaf {
        let pair = self.pair_leaves.get(leaf.number()).expect(MADE);
        pair.half(path.leaf_slot())
    }

    /// A sparse leaf.
    #[inline]
    pub(super) fn sparse_leaf(&self, leaf: Entry) -> &SparseLeaf {
        self.sparse_leaves.get(leaf.number()).expect(MADE)
    }

    /// A long leaf.
    #[inline]
    pub(super) fn long_leaf(&self, leaf: Entry) -> &LongLeaf {
        self.long_leaves.get(leaf.number()).expect(MADE)
    }

    /// Where `path` leads from a node.
    #[inline]
    pub(super) fn next(&self, node: Entry, path: Path) -> Entry {
        let hop = |number| match number {
            0 => Entry::EMPTY,
            number => Entry::hop(number),
        };
        match node.shape() {
            Shape::Dense | Shape::Narrow => Entry::load(self.slot(node, path)),
            Shape::Sparse => {
                let slot = path.sparse_slot(node.level());
                Entry::load(self.sparse_node(node).entry(slot))
            }
            Shape::Short => Entry::load(self.short_node(node).entry(path.short_slot())),
            Shape::Pair => Entry::load(self.pair_half(node, path).entry(path.short_slot())),
            Shape::ShortLeaf => hop(self.short_leaf(node).hop_number(path.leaf_slot())),
            Shape::PairLeaf => {
                let half = self.pair_leaf_half(node, path);
                hop(half.hop_number(path.leaf_slot()))
            }
            Shape::DenseLeaf => {
                let number = self.dense_leaf_slot(node, path).load(Ordering::Relaxed);
                hop(number.into())
            }
            Shape::SparseLeaf => {
                let slot = path.sparse_slot(node.wide_level());
                hop(self.sparse_leaf(node).hop_number(slot))
            }
            Shape::LongLeaf => {
                let slot = path.sparse_slot(node.wide_level());
                hop(self.long_leaf(node).line(slot).hop_number(slot))
            }
        }
    }

    /// The number of the longest route that ends in a node's bits and covers the slot of `path`; 0 if
    /// none does.
    pub(super) fn cover(&self, node: Entry, path: Path) -> u32 {
        let (number, level) = (node.number(), node.level());
        let cover = match node.shape() {
            // Where it leads, it ends.
            Shape::DenseLeaf
            | Shape::ShortLeaf
            | Shape::PairLeaf
            | Shape::SparseLeaf
            | Shape::LongLeaf => return 0,
            Shape::Short => {
                let covers = self.short.covers.get(number).expect(MADE);
                &covers.0[self.short_node(node).run(path.short_slot())]
            }
            Shape::Pair => {
                let covers = self.pairs.covers.get(number).expect(MADE);
                let (slot, half) = (path.short_slot(), self.pair_half(node, path));
                &covers.0[half_of(slot)].0[half.run(slot)]
            }
            Shape::Dense => {
                let node = self.dense.covers.get(number).expect(MADE);
                &node.0[path.wide_slot(level)]
            }
            Shape::Sparse => {
                let covers = self.sparse.covers.get(number).expect(MADE);
                let run = self.sparse_node(node).run(path.sparse_slot(level));
                &covers.0[run]
            }
            Shape::Narrow => {
                let node = self.narrow.covers.get(number).expect(MADE);
                &node.0[path.narrow_slot(level)]
            }
        };
        cover.load(Ordering::Relaxed)
    }

    /// The slots of a trie's root: none has anything in it if there is no root.
    #[inline]
    pub(super) fn root(&self, root: Entry) -> &[AtomicU32; 256] {
        static NOTHING: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];
        let node = self.dense.slots.get(root.number());
        let node = node.filter(|_| root.is_node());
        node.map_or(&NOTHING, |node| &node.0)
    }

    /// The slot that `path` leads to from one whose entry is a dense node at `level`, and the same one again
    /// where it is anything else: so each step of a search is one load, whatever there was to do, and without a
    /// branch that depends on it.
    #[inline]
    pub(super) fn dense_step<'a>(
        &'a self,
        slot: &'a AtomicU32,
        path: Path,
        level: u8,
    ) -> &'a AtomicU32 {
        let entry = Entry::load(slot);
        // Of another entry that may be a node that is dense elsewhere: its slot is not looked at.
        let node = self.dense.slots.get(entry.number());
        let below = node.map_or(slot, |node| &node.0[path.wide_slot(level)]);
        select_unpredictable(entry.is_dense_at(level), below, slot)
    }

    /// A route that was made.
    pub(super) fn route(&self, number: u32) -> &RouteLine {
        self.routes.get(number).expect(MADE)
    }

    /// The line of a route, if the entry is one, and begins to bring it into the cache; of any other entry some
    /// other route's, or `route` stays.
    #[inline]
    pub(super) fn ask_for_route<'a>(&'a self, entry: Entry, route: &mut &'a RouteLine) {
        if let Some(line) = self.routes.get(entry.route_number()) {
            prefetch_read(line);
            *route = line;
        }
    }

    /// The hop of an entry that is one; nowhere for any other, without a branch.
    #[inline]
    pub(super) fn hop(&self, entry: Entry) -> Hop {
        self.hop_at(select_unpredictable(entry.is_hop(), entry.hop_number(), 0))
    }

    /// The hop with a number; nowhere with 0, which is nobody's.
    #[inline]
    pub(super) fn hop_at(&self, number: u32) -> Hop {
        let hop = self.hops.get(number);
        hop.map_or(Hop::NOWHERE, |hop| Hop(hop.load(Ordering::Relaxed)))
    }

    /// The hop of an entry that is a hop, or a route that covers `path`; nowhere for any other.
    pub(super) fn leaf(&self, entry: Entry, path: Path) -> Hop {
        if entry.is_hop() {
            return self.hop(entry);
        }
        let route = self.routes.get(entry.route_number());
        route.map_or(Hop::NOWHERE, |route| route.hop_of(path))
    }
}
