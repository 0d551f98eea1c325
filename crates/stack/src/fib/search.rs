//! The end of a burst's searches: what comes behind the steps that all of them take.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;

use super::entry::Entry;
use super::hop::Hop;
use super::leaf::{LongLeaf, SparseLeaf};
use super::line::{RouteLine, Sparse};
use super::path::{DENSE_LEAVES, Path};
use super::store::LpmStore;
use crate::places::Places;

/// Finishes the searches that came as far as these slots, at level 8 or above, where there are no sparse nodes, no
/// leaves and no hops in slots. Returns whether there is a route for each.
#[inline]
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
/// have come to a dense leaf, which is read while IPv6's lines come.
#[inline]
pub(super) fn finish<'s>(
    store: &'s LpmStore,
    paths: &[Path; BURST],
    slots: &mut [&'s AtomicU32; BURST],
    v6: Places,
    out: &mut [Hop],
) -> bool {
    static NO_LEAF: AtomicU8 = AtomicU8::new(0);
    let mut leaf_slots = [&NO_LEAF; BURST];
    let all = Places::first(out.len());
    let mut leaves = Places::default();
    for at in all.without(v6) {
        let entry = Entry::load(slots[at]);
        leaves.add_if(at, entry.is_dense_leaf_at(DENSE_LEAVES));
    }
    let searches = all.without(leaves);
    for at in searches {
        slots[at] = store.dense_step(slots[at], paths[at], 16);
        prefetch_read(slots[at]);
    }
    for at in leaves {
        leaf_slots[at] = store.dense_leaf_slot(Entry::load(slots[at]), paths[at]);
        prefetch_read(leaf_slots[at]);
    }
    for at in v6 {
        slots[at] = store.dense_step(slots[at], paths[at], 24);
        prefetch_read(slots[at]);
    }
    let mut results = Results { out, found: true };
    for at in leaves {
        let number = leaf_slots[at].load(Ordering::Relaxed);
        results.put(at, store.hop_at(number.into()));
    }
    finish_others(store, paths, slots, searches, &mut results);
    results.found
}

/// Finishes those that have not come to a dense leaf, wherever they are.
#[inline]
fn finish_others<'s>(
    store: &'s LpmStore,
    paths: &[Path; BURST],
    slots: &mut [&'s AtomicU32; BURST],
    mut searches: Places,
    results: &mut Results<'_>,
) {
    let mut entries = [Entry::EMPTY; BURST];
    let mut nodes = [Sparse::NOTHING; BURST];
    let mut leaves = [SparseLeaf::NOTHING; BURST];
    let mut long_leaves = [LongLeaf::NOTHING; BURST];
    let mut routes = [RouteLine::NOBODYS; BURST];
    let mut at_routes = Places::default();
    while !searches.is_empty() {
        let mut reached = Reached::default();
        for at in searches {
            let entry = Entry::load(slots[at]);
            entries[at] = entry;
            reached.add(at, entry);
        }
        let (mut at_leaves, mut long) = (Places::default(), Places::default());
        for at in reached.sparse() {
            at_leaves.add_if(at, entries[at].is_leaf());
            long.add_if(at, entries[at].is_long());
        }
        let sparse = reached.sparse().without(at_leaves);
        for at in long {
            long_leaves[at] = store.long_leaf(entries[at]);
            long_leaves[at].prefetch();
        }
        for at in at_leaves.without(long) {
            leaves[at] = store.sparse_leaf(entries[at]);
            leaves[at].prefetch();
        }
        for at in sparse {
            nodes[at] = store.sparse_node(entries[at]);
            nodes[at].prefetch();
        }
        for at in reached.slots() {
            slots[at] = store.slot(entries[at], paths[at]);
            prefetch_read(slots[at]);
        }
        let ended = reached.others(searches);
        for at in ended {
            store.ask_for_route(entries[at], &mut routes[at]);
        }
        at_routes = at_routes.and(ended);
        // While those lines come.
        for at in reached.hops() {
            results.put(at, store.hop(entries[at]));
        }
        for at in sparse {
            slots[at] = nodes[at].entry(paths[at].sparse_slot(entries[at].level()));
            prefetch_read(slots[at]);
        }
        for at in long {
            leaves[at] = long_leaves[at].line(paths[at].sparse_slot(entries[at].wide_level()));
        }
        for at in at_leaves {
            let slot = paths[at].sparse_slot(entries[at].wide_level());
            results.put(at, store.hop_at(leaves[at].hop_number(slot)));
        }
        searches = reached.nodes.without(at_leaves);
    }
    for at in at_routes {
        results.put(at, routes[at].hop_of(paths[at]));
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
