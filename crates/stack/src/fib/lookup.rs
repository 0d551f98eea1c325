//! Looking destinations up in one version.

use arrayvec::ArrayVec;
use corelane_frame::BURST;
use corelane_sync::isa::{self, Work};
use corelane_sync::prefetch::prefetch_read;

use super::entry::Entry;
use super::hop::Hop;
use super::path::{MAX_DEPTH, Path, V6, trie};
use super::search;
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
            let found = if self.plain {
                isa::run(Chunk::<true>::of(self, store, keys, out))
            } else {
                isa::run(Chunk::<false>::of(self, store, keys, out))
            };
            all &= found || self.lookup_covers(store, keys, out);
        }
        all
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

/// A burst's searches, at most.
struct Chunk<'a, const PLAIN: bool> {
    lpm: &'a Lpm,
    store: &'a LpmStore,
    keys: &'a [Key],
    out: &'a mut [Hop],
}

impl<'a, const PLAIN: bool> Chunk<'a, PLAIN> {
    #[inline]
    fn of(lpm: &'a Lpm, store: &'a LpmStore, keys: &'a [Key], out: &'a mut [Hop]) -> Self {
        Self {
            lpm,
            store,
            keys,
            out,
        }
    }
}

impl<const PLAIN: bool> Work for Chunk<'_, PLAIN> {
    /// Whether each search found a route, so that no cover is asked for.
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self {
            lpm,
            store,
            keys,
            out,
        } = self;
        let roots = lpm.roots.map(|root| store.root(root));
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
        let (paths, slots) = (&paths, &mut slots);
        let out = &mut out[..len];
        if PLAIN {
            search::finish_plain(store, paths, slots, out)
        } else {
            search::finish(store, paths, slots, v6, out)
        }
    }
}
