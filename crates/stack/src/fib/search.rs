//! The end of a burst's searches: what comes behind the steps that all of them take.

use std::sync::atomic::AtomicU32;

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;

use super::entry::Entry;
use super::hop::Hop;
use super::line::{RouteLine, Sparse};
use super::path::Path;
use super::store::LpmStore;
use crate::places::Places;

/// Finishes the searches that came as far as these slots, where there are no sparse nodes and no hops in slots.
/// Returns whether there is a route for each.
#[inline]
pub(super) fn finish_plain<'s>(
    store: &'s LpmStore,
    paths: &[Path; BURST],
    slots: &mut [&'s AtomicU32; BURST],
    out: &mut [Hop],
) -> bool {
    let mut routes = [RouteLine::NOBODYS; BURST];
    let mut on_way = Places::default();
    for at in 0..out.len().min(BURST) {
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

/// Finishes the searches that came as far as these slots; returns whether there is a route for each.
#[inline]
pub(super) fn finish<'s>(
    store: &'s LpmStore,
    paths: &[Path; BURST],
    slots: &mut [&'s AtomicU32; BURST],
    out: &mut [Hop],
) -> bool {
    let mut entries = [Entry::EMPTY; BURST];
    let mut nodes = [Sparse::NOTHING; BURST];
    let mut routes = [RouteLine::NOBODYS; BURST];
    let mut reached = Reached::default();
    for at in 0..out.len().min(BURST) {
        let entry = Entry::load(slots[at]);
        entries[at] = entry;
        reached.add(at, entry);
    }
    // Those that ended at a route, or at nothing.
    let mut others = Places::default();
    let mut searches = Places::first(out.len());
    loop {
        for at in reached.sparse() {
            nodes[at] = store.sparse_node(entries[at]);
            nodes[at].prefetch();
        }
        for at in reached.slots() {
            slots[at] = store.slot(entries[at], paths[at]);
            prefetch_read(slots[at]);
        }
        // While those lines come.
        let on_way = reached.nodes;
        for at in searches.without(on_way) {
            if let Some(out) = out.get_mut(at) {
                *out = store.hop(entries[at]);
            }
        }
        others = others.and(reached.others(searches));
        if on_way.is_empty() {
            break;
        }
        for at in reached.sparse() {
            slots[at] = nodes[at].entry(paths[at].sparse_slot(entries[at].level()));
            prefetch_read(slots[at]);
        }
        (searches, reached) = (on_way, Reached::default());
        for at in on_way {
            let entry = Entry::load(slots[at]);
            entries[at] = entry;
            reached.add(at, entry);
        }
    }
    for at in others {
        store.ask_for_route(entries[at], &mut routes[at]);
    }
    let mut found = true;
    for at in others {
        let hop = routes[at].hop_of(paths[at]);
        found &= !hop.is_nowhere();
        if let Some(out) = out.get_mut(at) {
            *out = hop;
        }
    }
    found
}

/// Where searches came to, by what is done next: so no branch has to guess it.
#[derive(Default)]
struct Reached {
    /// At a node.
    nodes: Places,
    /// At a sparse node, or at a hop.
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

    /// At a route, or at nothing.
    #[inline]
    fn others(&self, searches: Places) -> Places {
        searches.without(self.nodes).without(self.marked)
    }
}
