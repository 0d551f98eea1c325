//! Looking destinations up in one version.

use arrayvec::ArrayVec;
use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;

use super::path::{MAX_DEPTH, Path, trie};
use super::store::{Entry, Hop, LpmStore, RouteLine};
use crate::address::Key;

/// One version of the tries. It is good as long as what it leads to is not
/// [given back](super::LpmEditor::reuse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lpm {
    /// By family: see [`trie`]. Nodes at level 0, or nothing.
    roots: [Entry; 2],
}

impl Lpm {
    /// The version without routes.
    pub const EMPTY: Self = Self {
        roots: [Entry::EMPTY; 2],
    };

    pub(super) const fn of(roots: [Entry; 2]) -> Self {
        Self { roots }
    }

    #[inline]
    fn root(&self, key: Key) -> Entry {
        self.roots[trie(key.family())]
    }

    /// The route with the longest prefix that `key` is in.
    pub fn lookup(&self, store: &LpmStore, key: Key) -> Option<Hop> {
        let path = Path::of(key);
        let mut covers = ArrayVec::<Entry, MAX_DEPTH>::new();
        let mut entry = self.root(key);
        while entry.is_node() {
            let next = Entry::load(store.slot(entry, path));
            if next.is_covered() {
                covers.push(entry);
            }
            entry = next;
        }
        let own = |node: Entry| store.node(node).cover(path.slot(node.level()));
        std::iter::once(entry.route_number())
            .chain(covers.into_iter().rev().map(own))
            .filter_map(|number| store.routes.get(number))
            .find_map(|route| route.hop_of(path).found())
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
            all &= self.lookup_chunk(store, &keys[..len], &mut out[..len]);
        }
        all
    }

    #[inline(never)]
    fn lookup_chunk(&self, store: &LpmStore, keys: &[Key], out: &mut [Hop]) -> bool {
        let roots = self.roots.map(|root| store.root(root));
        let mut paths = [Path::ZERO; BURST];
        let mut entries = [Entry::EMPTY; BURST];
        let mut slots = [LpmStore::NO_SLOT; BURST];
        let mut descending = Places::default();
        for (at, key) in keys.iter().enumerate().take(BURST) {
            let path = Path::of(*key);
            // It is in the cache.
            let root = roots[trie(key.family())];
            let next = Entry::load(&root[path.wide_slot(0)]);
            paths[at] = path;
            entries[at] = next;
            descending.add_if(at, next.is_node());
        }
        while !descending.is_empty() {
            for at in descending {
                slots[at] = store.slot(entries[at], paths[at]);
                prefetch_read(slots[at]);
            }
            for at in std::mem::take(&mut descending) {
                let next = Entry::load(slots[at]);
                entries[at] = next;
                descending.add_if(at, next.is_node());
            }
        }
        let mut routes = [RouteLine::NOBODYS; BURST];
        for (entry, route) in entries.iter().zip(&mut routes).take(keys.len()) {
            if let Some(line) = store.routes.get(entry.route_number()) {
                *route = line;
                prefetch_read(line);
            }
        }
        let mut all = true;
        for ((route, path), out) in routes.iter().zip(&paths).zip(out.iter_mut()) {
            *out = route.hop_of(*path);
            all &= !out.is_nowhere();
        }
        all || self.lookup_covers(store, keys, out)
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
        let mut cover = None;
        let mut entry = self.root(key);
        while entry.is_node() {
            let next = Entry::load(store.slot(entry, path));
            if next.is_covered() {
                cover = Some(entry);
            }
            entry = next;
        }
        cover.map(|node| store.node(node).cover(path.slot(node.level())))
    }

    /// All routes whose prefix `key` is in, longest first.
    pub fn matches(&self, store: &LpmStore, key: Key) -> ArrayVec<Hop, 129> {
        let path = Path::of(key);
        let mut nodes = ArrayVec::<Entry, MAX_DEPTH>::new();
        let mut entry = self.root(key);
        while entry.is_node() {
            nodes.push(entry);
            entry = Entry::load(store.slot(entry, path));
        }
        let own = nodes.into_iter().rev().flat_map(|node| {
            let slot = path.slot(node.level());
            store.node(node).covers(slot)
        });
        let mut found = ArrayVec::<Hop, 129>::new();
        for number in std::iter::once(entry.route_number()).chain(own) {
            let Some(route) = store.routes.get(number).filter(|it| it.covers(path)) else {
                continue;
            };
            // A slot may repeat an own route.
            let hop = route.hop();
            if found.last() != Some(&hop) {
                found.push(hop);
            }
        }
        found
    }
}

/// Some of a burst: the first is the lowest bit.
#[derive(Clone, Copy, Default)]
struct Places(u64);

const _: () = assert!(BURST <= u64::BITS as usize);

impl Places {
    /// Adds a place or not, without a branch.
    #[inline]
    fn add_if(&mut self, at: usize, wanted: bool) {
        self.0 |= u64::from(wanted) << (at % BURST);
    }

    #[inline]
    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let at = self.0.trailing_zeros() as usize % BURST;
        self.0 &= self.0 - 1;
        Some(at)
    }
}
