//! Looking destinations up in one version.

use std::sync::atomic::AtomicU32;

use arrayvec::ArrayVec;
use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;

use super::entry::Entry;
use super::hop::Hop;
use super::line::{RouteLine, Sparse};
use super::path::{MAX_DEPTH, Path, V6, trie};
use super::store::LpmStore;
use crate::address::Key;
use crate::places::Places;

/// One version of the tries. It is good as long as what it leads to is not
/// [given back](super::LpmEditor::reuse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lpm {
    /// By family: see [`trie`]. Nodes at level 0, or nothing.
    roots: [Entry; 2],
    /// There is no sparse node, and no hop in a slot.
    plain: bool,
}

impl Lpm {
    /// The version without routes.
    pub const EMPTY: Self = Self {
        roots: [Entry::EMPTY; 2],
        plain: true,
    };

    pub(super) const fn of(roots: [Entry; 2], plain: bool) -> Self {
        Self { roots, plain }
    }

    #[inline]
    fn root(&self, key: Key) -> Entry {
        self.roots[trie(key.family())]
    }

    /// The route with the longest prefix that `key` is in.
    pub fn lookup(&self, store: &LpmStore, key: Key) -> Option<Hop> {
        let path = Path::of(key);
        let mut covered = ArrayVec::<Entry, MAX_DEPTH>::new();
        let mut entry = self.root(key);
        while entry.is_node() {
            let next = store.next(entry, path);
            if next.is_covered() {
                covered.push(entry);
            }
            entry = next;
        }
        let cover = |node| Entry::route(store.cover(node, path));
        std::iter::once(entry)
            .chain(covered.into_iter().rev().map(cover))
            .find_map(|entry| store.leaf(entry, path).found())
    }

    /// Looks up each of `keys` and puts the result, [`Hop::NOWHERE`] if there is none, into `out` at
    /// the same place; the shorter of the two tells how many. Returns whether there is a route for
    /// each.
    ///
    /// Level by level, so that the misses of a burst overlap: each pass asks for the lines that
    /// the next one reads. Without branches on what is found, which nobody could predict: what is still on
    /// its way is a set of places.
    pub fn lookup_burst(&self, store: &LpmStore, keys: &[Key], out: &mut [Hop]) -> bool {
        let mut all = true;
        for (keys, out) in keys.chunks(BURST).zip(out.chunks_mut(BURST)) {
            let len = keys.len().min(out.len());
            let (keys, out) = (&keys[..len], &mut out[..len]);
            all &= if self.plain {
                self.lookup_chunk::<true>(store, keys, out)
            } else {
                self.lookup_chunk::<false>(store, keys, out)
            };
        }
        all
    }

    #[inline(never)]
    fn lookup_chunk<const PLAIN: bool>(
        &self,
        store: &LpmStore,
        keys: &[Key],
        out: &mut [Hop],
    ) -> bool {
        let roots = self.roots.map(|root| store.root(root));
        let mut paths = [Path::ZERO; BURST];
        let mut slots = [LpmStore::NO_SLOT; BURST];
        let mut v6 = Places::default();
        let len = keys.len().min(out.len()).min(BURST);
        for at in 0..len {
            let (path, trie) = (Path::of(keys[at]), trie(keys[at].family()));
            let slot = store.dense_step(&roots[trie][path.wide_slot(0)], path, 8);
            prefetch_read(slot);
            (paths[at], slots[at]) = (path, slot);
            if !PLAIN {
                v6.add_if(at, trie == V6);
            }
        }
        // The last ones first: the engine's bursts have IPv6 behind IPv4, and its searches are longer.
        for at in (0..len).rev() {
            let slot = store.dense_step(slots[at], paths[at], 16);
            prefetch_read(slot);
            slots[at] = slot;
        }
        let (paths, slots) = (&paths, &mut slots);
        let out = &mut out[..len];
        let found = if PLAIN {
            plain_rest(store, paths, slots, out)
        } else {
            for at in v6 {
                let slot = store.dense_step(slots[at], paths[at], 24);
                prefetch_read(slot);
                slots[at] = slot;
            }
            rest(store, paths, slots, out)
        };
        found || self.lookup_covers(store, keys, out)
    }

    /// The searches that ended at nothing, or at a route of another path: the deepest own route on
    /// their way is almost always the one. Without one there is no route at all.
    ///
    /// They go the way again, whose lines are in the cache by now, so that the others need not note what
    /// they come by.
    #[inline(never)]
    fn lookup_covers(&self, store: &LpmStore, keys: &[Key], out: &mut [Hop]) -> bool {
        let mut others = Places::default();
        for (at, hop) in out.iter().enumerate().take(BURST) {
            others.add_if(at, hop.is_nowhere());
        }
        let mut routes = [None; BURST];
        for at in others {
            let Some(key) = keys.get(at) else {
                continue;
            };
            let cover = self.deepest_cover(store, *key);
            routes[at] = cover.and_then(|number| store.routes.get(number));
            routes[at].inspect(|route| prefetch_read(*route));
        }
        for at in others {
            let (Some(key), Some(out), Some(route)) = (keys.get(at), out.get_mut(at), routes[at])
            else {
                continue;
            };
            let deepest = route.hop_of(Path::of(*key)).found();
            let hop = deepest.or_else(|| self.lookup(store, *key));
            *out = hop.unwrap_or(Hop::NOWHERE);
        }
        out.iter().all(|hop| !hop.is_nowhere())
    }

    /// The number of the deepest own route that the way of `key` comes by.
    #[inline]
    fn deepest_cover(&self, store: &LpmStore, key: Key) -> Option<u32> {
        let path = Path::of(key);
        let mut covered = None;
        let mut entry = self.root(key);
        while entry.is_node() {
            let next = store.next(entry, path);
            if next.is_covered() {
                covered = Some(entry);
            }
            entry = next;
        }
        covered.map(|node| store.cover(node, path))
    }
}

/// The rest of searches that came as far as these slots, where there are no sparse nodes and no hops in slots.
#[inline]
fn plain_rest<'s>(
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

/// The rest of searches that came as far as these slots.
#[inline]
fn rest<'s>(
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
