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

    /// Looks up each of `keys` and puts the result into `out` at the same place; the shorter of
    /// the two tells how many.
    ///
    /// Level by level, so that the misses of a burst overlap: each pass asks for the lines that
    /// the next one reads. Without branches on what is found, which nobody could predict.
    pub fn lookup_burst(&self, store: &LpmStore, keys: &[Key], out: &mut [Option<Hop>]) {
        for (keys, out) in keys.chunks(BURST).zip(out.chunks_mut(BURST)) {
            let len = keys.len().min(out.len());
            self.lookup_chunk(store, &keys[..len], &mut out[..len]);
        }
    }

    #[inline(never)]
    fn lookup_chunk(&self, store: &LpmStore, keys: &[Key], out: &mut [Option<Hop>]) {
        let mut searches = [Search::NONE; BURST];
        let mut descending = List::default();
        let mut ended = List::default();
        for (at, (key, search)) in keys.iter().zip(&mut searches).enumerate() {
            search.path = Path::of(*key);
            search.entry = self.root(*key);
            descending.push_if(at, search.entry.is_node());
            ended.push_if(at, !search.entry.is_node());
        }
        loop {
            // Not read before all paths have come to their ends.
            for at in ended.iter() {
                let search = &mut searches[at];
                search.route = store.routes.get(search.entry.route_number());
                if let Some(route) = search.route {
                    prefetch_read(route);
                }
            }
            if descending.is_empty() {
                break;
            }
            for at in descending.iter() {
                let search = &mut searches[at];
                search.slot = store.slot(search.entry, search.path);
                prefetch_read(search.slot);
            }
            ended = List::default();
            let mut deeper = List::default();
            for at in descending.iter() {
                let search = &mut searches[at];
                let next = Entry::load(search.slot);
                if next.is_covered() {
                    search.cover = search.entry;
                }
                search.entry = next;
                deeper.push_if(at, next.is_node());
                ended.push_if(at, !next.is_node());
            }
            descending = deeper;
        }
        let mut others = List::default();
        for (at, (search, out)) in searches.iter().zip(out.iter_mut()).enumerate() {
            let route = search.route.filter(|route| route.covers(search.path));
            *out = route.map(RouteLine::hop);
            // Without a cover there is no route at all.
            let other = route.is_none() & !search.cover.is_empty();
            others.push_if(at, other);
        }
        if !others.is_empty() {
            self.lookup_covers(store, &mut searches, &others, (keys, out));
        }
    }

    /// The searches that ended at nothing, or at a route of another path, and came by own routes:
    /// almost always the deepest of those is the one.
    #[inline(never)]
    fn lookup_covers<'s>(
        &self,
        store: &'s LpmStore,
        searches: &mut [Search<'s>; BURST],
        others: &List,
        (keys, out): (&[Key], &mut [Option<Hop>]),
    ) {
        for at in others.iter() {
            let search = &searches[at];
            let slot = search.path.slot(search.cover.level());
            let own = store.node(search.cover).own;
            // The deepest of the places that are asked.
            if let Some(deepest) = own.get((own.len() | slot) >> 1) {
                prefetch_read(deepest);
            }
        }
        for at in others.iter() {
            let search = &mut searches[at];
            let slot = search.path.slot(search.cover.level());
            search.route = store.routes.get(store.node(search.cover).cover(slot));
            if let Some(route) = search.route {
                prefetch_read(route);
            }
        }
        for at in others.iter() {
            let search = &searches[at];
            let (Some(key), Some(out)) = (keys.get(at), out.get_mut(at)) else {
                continue;
            };
            *out = match search.route {
                Some(route) if route.covers(search.path) => Some(route.hop()),
                _ => self.lookup(store, *key),
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

/// The search for one of a burst's destinations.
#[derive(Clone, Copy)]
struct Search<'s> {
    path: Path,
    /// Its slot in the node that `entry` leads to.
    slot: &'s AtomicU32,
    /// How far it came.
    entry: Entry,
    /// The deepest node it came by that has an own route over the path.
    cover: Entry,
    /// Where it ended.
    route: Option<&'s RouteLine>,
}

impl Search<'_> {
    const NONE: Self = Self {
        path: Path([0, 0]),
        slot: &NOWHERE,
        entry: Entry::EMPTY,
        cover: Entry::EMPTY,
        route: None,
    };
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

    #[inline]
    fn is_empty(&self) -> bool {
        self.len == 0
    }
}
