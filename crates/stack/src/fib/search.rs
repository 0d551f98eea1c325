//! The end of a burst's searches: what comes behind the steps that all of them take.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;

use super::entry::{Entry, Shape};
use super::hop::Hop;
use super::leaf::{LongLeaf, ShortLeaf, SparseLeaf};
use super::line::{RouteLine, Short, Sparse};
use super::path::{Path, SHORT_NODES};
use super::store::LpmStore;
use crate::places::Places;

/// Finishes the searches that came as far as these slots, at level 8 or above, where there are no sparse nodes, no
/// leaves and no hops in slots. Returns whether there is a route for each.
#[inline(always)]
pub(super) fn finish_plain<'s>(
    store: &'s LpmStore,
    paths: &[Path; BURST],
    slots: &mut [&'s AtomicU32; BURST],
    out: &mut [Hop],
) -> bool {
    let len = out.len().min(BURST);
    for at in (0..len).rev() {
        slots[at] = store.dense_step(slots[at], paths[at], 16);
        prefetch_read(slots[at]);
    }
    let mut routes = [RouteLine::NOBODYS; BURST];
    let mut on_way = Places::default();
    for at in 0..len {
        let entry = Entry::load(slots[at]);
        on_way.add_if(at, entry.is_node());
        // Of a node this is any route, or none: it is asked for again.
        store.ask_for_route(entry, &mut routes[at]);
    }
    while !on_way.is_empty() {
        for at in on_way {
            slots[at] = store.slot(Entry::load(slots[at]), paths[at]);
            prefetch_read(slots[at]);
        }
        for at in std::mem::take(&mut on_way) {
            let entry = Entry::load(slots[at]);
            on_way.add_if(at, entry.is_node());
            store.ask_for_route(entry, &mut routes[at]);
        }
    }
    let mut found = true;
    for ((route, path), out) in routes.iter().zip(paths).zip(out) {
        *out = route.hop_of(*path);
        found &= !out.is_nowhere();
    }
    found
}

/// Finishes the searches that came as far as these slots, at level 8 or above; returns whether there is a route for
/// each.
///
/// One step more, and of IPv6 another: of a large table almost all searches take these. Behind them almost all of IPv4
/// have come to a dense leaf or a short one, which are read while the lines of IPv6's last two steps come.
#[inline(always)]
pub(super) fn finish<'s>(
    store: &'s LpmStore,
    paths: &[Path; BURST],
    slots: &mut [&'s AtomicU32; BURST],
    v6: Places,
    out: &mut [Hop],
) -> bool {
    static NO_LEAF: AtomicU8 = AtomicU8::new(0);
    let mut leaf_slots = [&NO_LEAF; BURST];
    let mut short_leaves = [ShortLeaf::NOTHING; BURST];
    let mut short_nodes = [Short::NOTHING; BURST];
    let all = Places::first(out.len());
    let mut at_leaves = Places::default();
    let (mut at_short_leaves, mut at_pair_leaves) = (Places::default(), Places::default());
    for at in all.without(v6) {
        let entry = Entry::load(slots[at]);
        at_leaves.add_if(at, entry.is(Shape::DenseLeaf));
        at_short_leaves.add_if(at, entry.is(Shape::ShortLeaf));
        at_pair_leaves.add_if(at, entry.is(Shape::PairLeaf));
    }
    let at_halves = at_short_leaves.and(at_pair_leaves);
    let searches = all.without(at_leaves).without(at_halves);
    for at in searches {
        slots[at] = store.dense_step(slots[at], paths[at], 16);
        prefetch_read(slots[at]);
    }
    for at in at_leaves {
        leaf_slots[at] = store.dense_leaf_slot(Entry::load(slots[at]), paths[at]);
        prefetch_read(leaf_slots[at]);
    }
    for at in at_short_leaves {
        short_leaves[at] = store.short_leaf(Entry::load(slots[at]));
        short_leaves[at].prefetch();
    }
    for at in at_pair_leaves {
        short_leaves[at] = store.pair_leaf_half(Entry::load(slots[at]), paths[at]);
        short_leaves[at].prefetch();
    }
    let (mut at_short, mut at_pairs) = (Places::default(), Places::default());
    for at in v6 {
        let entry = Entry::load(slots[at]);
        at_short.add_if(at, entry.is(Shape::Short));
        at_pairs.add_if(at, entry.is(Shape::Pair));
    }
    for at in at_short {
        short_nodes[at] = store.short_node(Entry::load(slots[at]));
        short_nodes[at].prefetch();
    }
    for at in at_pairs {
        short_nodes[at] = store.pair_half(Entry::load(slots[at]), paths[at]);
        short_nodes[at].prefetch();
    }
    let at_short = at_short.and(at_pairs);
    for at in v6.without(at_short) {
        slots[at] = store.dense_step(slots[at], paths[at], SHORT_NODES);
        prefetch_read(slots[at]);
    }
    let mut results = Results { out, found: true };
    for at in at_leaves {
        let number = leaf_slots[at].load(Ordering::Relaxed);
        results.put(at, store.hop_at(number.into()));
    }
    for at in at_short {
        slots[at] = short_nodes[at].entry(paths[at].short_slot());
    }
    let mut others = Others::new(store, paths, slots);
    let mut nodes = others.ask(searches, &mut results);
    for at in at_halves {
        let number = short_leaves[at].hop_number(paths[at].leaf_slot());
        results.put(at, store.hop_at(number));
    }
    loop {
        let searches = others.step(nodes);
        if searches.is_empty() {
            break;
        }
        let leaves = nodes.leaves;
        nodes = others.ask(searches, &mut results);
        others.read_leaves(leaves, &mut results);
    }
    others.read_leaves(nodes.leaves, &mut results);
    others.read_routes(&mut results);
    results.found
}

/// The searches that have not come to a dense or short leaf, wherever they are. What a step asks for is read
/// behind what the step after it asks for, so that neither waits.
struct Others<'s, 'a> {
    store: &'s LpmStore,
    paths: &'a [Path; BURST],
    /// Where each search is.
    slots: &'a mut [&'s AtomicU32; BURST],
    entries: [Entry; BURST],
    nodes: [&'s Sparse; BURST],
    leaves: [&'s SparseLeaf; BURST],
    long_leaves: [&'s LongLeaf; BURST],
    routes: [&'s RouteLine; BURST],
    /// Those that ended at a route.
    at_routes: Places,
}

/// Nodes that a step's searches came to, and were asked for.
#[derive(Clone, Copy)]
struct AtNodes {
    /// All that lead further.
    inner: Places,
    sparse: Places,
    leaves: AtLeaves,
}

/// Leaves that a step's searches came to.
#[derive(Clone, Copy)]
struct AtLeaves {
    all: Places,
    long: Places,
}

impl<'s, 'a> Others<'s, 'a> {
    #[inline]
    fn new(
        store: &'s LpmStore,
        paths: &'a [Path; BURST],
        slots: &'a mut [&'s AtomicU32; BURST],
    ) -> Self {
        Self {
            store,
            paths,
            slots,
            entries: [Entry::EMPTY; BURST],
            nodes: [Sparse::NOTHING; BURST],
            leaves: [SparseLeaf::NOTHING; BURST],
            long_leaves: [LongLeaf::NOTHING; BURST],
            routes: [RouteLine::NOBODYS; BURST],
            at_routes: Places::default(),
        }
    }

    /// Reads the slots that searches are at, and asks for what they lead to; hops are results.
    #[inline(always)]
    fn ask(&mut self, searches: Places, results: &mut Results<'_>) -> AtNodes {
        let store = self.store;
        let mut reached = Reached::default();
        for at in searches {
            let entry = Entry::load(self.slots[at]);
            self.entries[at] = entry;
            reached.add(at, entry);
        }
        let (mut leaves, mut long) = (Places::default(), Places::default());
        for at in reached.sparse() {
            leaves.add_if(at, self.entries[at].is_leaf());
            long.add_if(at, self.entries[at].is_long());
        }
        let sparse = reached.sparse().without(leaves);
        for at in sparse {
            self.nodes[at] = store.sparse_node(self.entries[at]);
            self.nodes[at].prefetch();
        }
        for at in long {
            self.long_leaves[at] = store.long_leaf(self.entries[at]);
            self.long_leaves[at].prefetch();
        }
        for at in leaves.without(long) {
            self.leaves[at] = store.sparse_leaf(self.entries[at]);
            self.leaves[at].prefetch();
        }
        for at in reached.slots() {
            self.slots[at] = store.slot(self.entries[at], self.paths[at]);
            prefetch_read(self.slots[at]);
        }
        let ended = reached.others(searches);
        for at in ended {
            store.ask_for_route(self.entries[at], &mut self.routes[at]);
        }
        self.at_routes = self.at_routes.and(ended);
        for at in reached.hops() {
            results.put(at, store.hop(self.entries[at]));
        }
        AtNodes {
            inner: reached.nodes.without(leaves),
            sparse,
            leaves: AtLeaves { all: leaves, long },
        }
    }

    /// Goes on from nodes that were asked for, and returns what did.
    #[inline(always)]
    fn step(&mut self, nodes: AtNodes) -> Places {
        for at in nodes.sparse {
            let slot = self.paths[at].sparse_slot(self.entries[at].level());
            self.slots[at] = self.nodes[at].entry(slot);
        }
        nodes.inner
    }

    /// Reads leaves that were asked for: results.
    #[inline(always)]
    fn read_leaves(&mut self, leaves: AtLeaves, results: &mut Results<'_>) {
        let slot = |at: usize| self.paths[at].sparse_slot(self.entries[at].wide_level());
        for at in leaves.long {
            self.leaves[at] = self.long_leaves[at].line(slot(at));
        }
        for at in leaves.all {
            let number = self.leaves[at].hop_number(slot(at));
            results.put(at, self.store.hop_at(number));
        }
    }

    /// Compares the routes that searches ended at: results.
    #[inline(always)]
    fn read_routes(&self, results: &mut Results<'_>) {
        for at in self.at_routes {
            results.put(at, self.routes[at].hop_of(self.paths[at]));
        }
    }
}

/// Where results go.
struct Results<'o> {
    out: &'o mut [Hop],
    /// Whether each so far is a route's.
    found: bool,
}

impl Results<'_> {
    #[inline]
    fn put(&mut self, at: usize, hop: Hop) {
        self.found &= !hop.is_nowhere();
        if let Some(out) = self.out.get_mut(at) {
            *out = hop;
        }
    }
}

/// Where searches came to, by what is done next: so no branch has to guess it.
#[derive(Default)]
struct Reached {
    /// At a node.
    nodes: Places,
    /// At a node of runs, or at a hop.
    marked: Places,
}

impl Reached {
    #[inline]
    fn add(&mut self, at: usize, entry: Entry) {
        self.nodes.add_if(at, entry.is_node());
        self.marked.add_if(at, entry.is_sparse());
    }

    /// At a node that is read by runs.
    #[inline]
    fn sparse(&self) -> Places {
        self.nodes.within(self.marked)
    }

    /// At a node that is read by slots.
    #[inline]
    fn slots(&self) -> Places {
        self.nodes.without(self.marked)
    }

    /// At a hop.
    #[inline]
    fn hops(&self) -> Places {
        self.marked.without(self.nodes)
    }

    /// At a route, or at nothing.
    #[inline]
    fn others(&self, searches: Places) -> Places {
        searches.without(self.nodes).without(self.marked)
    }
}
