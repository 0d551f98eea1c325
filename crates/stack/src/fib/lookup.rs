//! Looking destinations up in one version.

use std::sync::atomic::AtomicU32;

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
    /// By family: see [`trie`].
    roots: [Entry; 2],
}

/// Where no slot is to be looked at.
static NOWHERE: AtomicU32 = AtomicU32::new(0);

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
            .find(|route| route.covers(path))
            .map(RouteLine::hop)
    }

    /// Looks up each of `keys` and puts the result, [`Hop::NOWHERE`] if there is none, into `out` at
    /// the same place; the shorter of the two tells how many.
    ///
    /// Level by level, so that the misses of a burst overlap: each pass asks for the lines that
    /// the next one reads. Behind the roots, without branches on what is found, which nobody could
    /// predict.
    pub fn lookup_burst(&self, store: &LpmStore, keys: &[Key], out: &mut [Hop]) {
        for (keys, out) in keys.chunks(BURST).zip(out.chunks_mut(BURST)) {
            let len = keys.len().min(out.len());
            self.lookup_chunk(store, &keys[..len], &mut out[..len]);
        }
    }

    #[inline(never)]
    fn lookup_chunk(&self, store: &LpmStore, keys: &[Key], out: &mut [Hop]) {
        let mut paths = [Path::ZERO; BURST];
        // How far each came, the slot to go on by, and the deepest node on its way with an own route
        // over it.
        let mut entries = [Entry::EMPTY; BURST];
        let mut slots = [&NOWHERE; BURST];
        let mut covers = [Entry::EMPTY; BURST];
        let mut descending = List::default();
        for (at, key) in keys.iter().enumerate().take(BURST) {
            let path = Path::of(*key);
            let root = self.root(*key);
            paths[at] = path;
            entries[at] = root;
            if root.is_node() {
                // The root is in the cache.
                slots[at] = store.slot(root, path);
            }
            descending.push_if(at, root.is_node());
        }
        while !descending.is_empty() {
            descending.retain(|at| {
                let next = Entry::load(slots[at]);
                covers[at] = next.covered_in(entries[at], covers[at]);
                entries[at] = next;
                if next.is_node() {
                    slots[at] = store.slot(next, paths[at]);
                    prefetch_read(slots[at]);
                }
                next.is_node()
            });
        }
        let mut routes = [RouteLine::NOBODYS; BURST];
        for (entry, route) in entries.iter().zip(&mut routes).take(keys.len()) {
            if let Some(line) = store.routes.get(entry.route_number()) {
                *route = line;
                prefetch_read(line);
            }
        }
        let mut others = List::default();
        for (at, (route, out)) in routes.iter().zip(out.iter_mut()).enumerate() {
            let hop = route.hop();
            let covers_it = route.covers(paths[at]);
            *out = if covers_it { hop } else { Hop::NOWHERE };
            // Without a cover there is no route at all.
            others.push_if(at, !covers_it & !covers[at].is_empty());
        }
        if !others.is_empty() {
            self.lookup_covers(store, &others, (&paths, &covers), (keys, out));
        }
    }

    /// The searches that ended at nothing, or at a route of another path, and came by own routes:
    /// almost always the deepest of those is the one.
    #[inline(never)]
    fn lookup_covers(
        &self,
        store: &LpmStore,
        others: &List,
        (paths, covers): (&[Path; BURST], &[Entry; BURST]),
        (keys, out): (&[Key], &mut [Hop]),
    ) {
        let slot = |at: usize| paths[at].slot(covers[at].level());
        for at in others.iter() {
            let own = store.node(covers[at]).own;
            // The deepest of the places that are asked.
            if let Some(deepest) = own.get((own.len() | slot(at)) >> 1) {
                prefetch_read(deepest);
            }
        }
        let mut routes = [None; BURST];
        for at in others.iter() {
            routes[at] = store.routes.get(store.node(covers[at]).cover(slot(at)));
            routes[at].inspect(|route| prefetch_read(*route));
        }
        for at in others.iter() {
            let (Some(key), Some(out)) = (keys.get(at), out.get_mut(at)) else {
                continue;
            };
            *out = match routes[at] {
                Some(route) if route.covers(paths[at]) => route.hop(),
                _ => self.lookup(store, *key).unwrap_or(Hop::NOWHERE),
            };
        }
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

/// Some of a burst, by number.
struct List {
    members: [u8; BURST],
    len: usize,
}

impl Default for List {
    #[inline]
    fn default() -> Self {
        Self {
            members: [0; BURST],
            len: 0,
        }
    }
}

impl List {
    /// Adds a member or not, without a branch. There is room for each number once.
    #[inline]
    fn push_if(&mut self, at: usize, wanted: bool) {
        self.members[self.len % BURST] = at as u8;
        self.len += usize::from(wanted);
    }

    #[inline]
    fn iter(&self) -> impl Iterator<Item = usize> {
        self.members
            .iter()
            .take(self.len)
            .map(|at| usize::from(*at) % BURST)
    }

    /// Takes out those that `keep` is false for, without a branch.
    #[inline]
    fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut kept = 0;
        for read in 0..self.len.min(BURST) {
            let at = self.members[read];
            self.members[kept % BURST] = at;
            kept += usize::from(keep(usize::from(at) % BURST));
        }
        self.len = kept;
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.len == 0
    }
}
