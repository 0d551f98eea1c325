//! The endpoint table: addresses to endpoint indices, copy-on-write by page. Neighbors and sockets are
//! found by tables of the same kind, the latter by another key.
//!
//! Extendible hashing over shared pages. The top bits of a hash pick a page through a two-level
//! directory, the low bits a bucket in it:
//!
//! ```text
//!   Table ─► [ leaf | leaf | … ] ─► [ page | page | … ] ─► 62 buckets of 8 entries ─► endpoint
//!             Arc, 64 pages each      Arc, 4 KiB each        one cache line each        (slab)
//! ```
//!
//! Every arrow up to the page is an `Arc`. A change copies what it touches and nothing else: the
//! page (4 KiB), its leaf and the root (some hundred bytes to a few KiB), each only if a published
//! snapshot shares it; later changes of the same transaction find them unshared and edit in place.
//! Cloning a table is one `Arc` clone. A full page splits alone, so that growing costs one page
//! too and never the table.
//!
//! A lookup is two dependent loads in the small, cached directory and then at most two misses: the
//! bucket and, if a tag matches, the endpoint, which holds the key to compare. [`Table::home`] and
//! [`Home::candidate`] take the two apart, so that a burst can prefetch both.

mod bucket;
mod page;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::sync::Arc;

use corelane_sync::prefetch::prefetch_read;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use thiserror::Error;

use crate::address::Key;
use bucket::Bucket;
use page::{Page, SPLIT_ABOVE};

/// Pages in a leaf, as a power of two: root and leaves grow alike at a million addresses, and
/// what a change copies is the sum of the two.
const LEAF_BITS: u32 = 6;
const LEAF: usize = 1 << LEAF_BITS;

/// The directory may tell this many bits of the hash apart: far beyond what any number of
/// addresses needs, and a bound should the hash ever be broken.
const MAX_BITS: u32 = 22;

/// What a table is looked up by.
pub(crate) trait TableKey: Copy + Eq {
    /// What is hashed: a few words, so that hashing is a few multiplications.
    fn words(self) -> impl Hash;
}

impl TableKey for Key {
    #[inline]
    fn words(self) -> impl Hash {
        self.bits()
    }
}

/// Where the table finds the key of an index.
pub(crate) trait Keys<K = Key> {
    /// The key of the endpoint at `index`.
    fn key(&self, index: u32) -> K;
}

/// The table cannot take another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the endpoint table is full")]
pub(crate) struct TableFull;

type Leaf = Arc<[Arc<Page>; LEAF]>;

/// A version of the table. Clones share all pages.
pub(crate) struct Table<K = Key> {
    root: Arc<[Leaf]>,
    /// The directory tells this many leading bits of the hash apart: [`LEAF_BITS`] or more.
    bits: u32,
    len: usize,
    hasher: SeedableRandomState,
    keys: PhantomData<fn(K)>,
}

impl<K> Clone for Table<K> {
    fn clone(&self) -> Self {
        Self {
            root: Arc::clone(&self.root),
            bits: self.bits,
            len: self.len,
            hasher: self.hasher.clone(),
            keys: PhantomData,
        }
    }
}

/// Where a key's search starts.
#[derive(Clone, Copy)]
pub(crate) struct Home<'t> {
    bucket: &'t Bucket,
    tag: u8,
}

impl Home<'_> {
    /// Of no key: its search finds nothing.
    pub(crate) const NOWHERE: Home<'static> = {
        static NOTHING: Bucket = Bucket::EMPTY;
        Home {
            bucket: &NOTHING,
            tag: 1,
        }
    };

    /// Asks the processor for the bucket.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch_read(self.bucket);
    }

    /// The endpoint that probably has the key, if any: with a tag that matches in the first
    /// bucket.
    #[inline]
    pub(crate) fn candidate(&self) -> Option<u32> {
        self.bucket.first_candidate(self.tag)
    }

    /// Whether the table does not have the key if there is no candidate.
    #[inline]
    pub(crate) fn ends_here(&self) -> bool {
        !self.bucket.was_passed()
    }
}

impl<K: TableKey> Table<K> {
    /// An empty table whose hash is seeded by `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let page = Arc::new(Page::new(0));
        Self {
            root: Arc::new([Arc::new(std::array::from_fn(|_| Arc::clone(&page)))]),
            bits: LEAF_BITS,
            len: 0,
            hasher: SeedableRandomState::with_seed(seed, &SHARED_SEED),
            keys: PhantomData,
        }
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn hash(&self, key: K) -> u64 {
        self.hasher.hash_one(key.words())
    }

    /// The directory entry of a hash.
    #[inline]
    fn entry(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.bits)) as usize
    }

    #[inline]
    fn page(&self, hash: u64) -> &Arc<Page> {
        let entry = self.entry(hash);
        &self.root[entry >> LEAF_BITS][entry % LEAF]
    }

    /// Where the search for `key` starts.
    #[inline]
    pub(crate) fn home(&self, key: K) -> Home<'_> {
        let hash = self.hash(key);
        let home = page::Home::of(hash);
        Home {
            bucket: self.page(hash).bucket(home),
            tag: home.tag,
        }
    }

    /// The endpoint that has `key`.
    pub(crate) fn find(&self, keys: &impl Keys<K>, key: K) -> Option<u32> {
        let hash = self.hash(key);
        let found = self
            .page(hash)
            .find(page::Home::of(hash), |i| keys.key(i) == key);
        found.map(|(index, _)| index)
    }

    /// Every entry, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = u32> {
        let pages = self.root.iter().flat_map(|leaf| leaf.iter());
        let mut before: Option<&Arc<Page>> = None;
        // A page of less depth than the directory stands in it several times in a row.
        pages
            .filter(move |page| !before.replace(page).is_some_and(|b| Arc::ptr_eq(b, page)))
            .flat_map(|page| page.entries())
    }

    /// Makes room for an entry of `key`, so that adding it next cannot fail.
    pub(crate) fn reserve(&mut self, keys: &impl Keys<K>, key: K) -> Result<(), TableFull> {
        let hash = self.hash(key);
        while self.page(hash).len() > SPLIT_ABOVE {
            self.split(keys, hash)?;
        }
        Ok(())
    }

    /// Adds an entry. The caller has made sure that `key` is not there, and that `keys` knows it.
    pub(crate) fn insert(
        &mut self,
        keys: &impl Keys<K>,
        key: K,
        index: u32,
    ) -> Result<(), TableFull> {
        self.reserve(keys, key)?;
        let hash = self.hash(key);
        self.edit(hash, |page| page.insert(page::Home::of(hash), index));
        self.len += 1;
        Ok(())
    }

    /// Takes the entry of `key` out and returns its index.
    pub(crate) fn remove(&mut self, keys: &impl Keys<K>, key: K) -> Option<u32> {
        let hash = self.hash(key);
        let home = page::Home::of(hash);
        let (index, place) = self.page(hash).find(home, |i| keys.key(i) == key)?;
        self.edit(hash, |page| page.remove(home, place));
        self.len -= 1;
        Some(index)
    }

    /// Points the entry of `key` at another index; false if there is none.
    pub(crate) fn replace(&mut self, keys: &impl Keys<K>, key: K, index: u32) -> bool {
        let hash = self.hash(key);
        let found = self
            .page(hash)
            .find(page::Home::of(hash), |i| keys.key(i) == key);
        let Some((_, place)) = found else {
            return false;
        };
        self.edit(hash, |page| page.replace(place, index));
        true
    }

    /// Changes the page of `hash`, after copying what is shared.
    fn edit<R>(&mut self, hash: u64, change: impl FnOnce(&mut Page) -> R) -> R {
        let depth = self.page(hash).depth();
        if depth == self.bits {
            let entry = self.entry(hash);
            let leaf = Arc::make_mut(&mut Arc::make_mut(&mut self.root)[entry >> LEAF_BITS]);
            return change(Arc::make_mut(&mut leaf[entry % LEAF]));
        }
        // The page stands in several entries: take it out of all, so that it counts as unshared
        // if only this version has it.
        let mut page = Arc::clone(self.page(hash));
        self.fill(hash, depth, &Arc::new(Page::new(depth)));
        let result = change(Arc::make_mut(&mut page));
        self.fill(hash, depth, &page);
        result
    }

    /// Puts `page` into every entry that shares the first `depth` bits of `hash`.
    fn fill(&mut self, hash: u64, depth: u32, page: &Arc<Page>) {
        let span = 1usize << (self.bits - depth);
        let first = self.entry(hash) & !(span - 1);
        let root = Arc::make_mut(&mut self.root);
        for entry in first..first + span {
            let leaf = Arc::make_mut(&mut root[entry >> LEAF_BITS]);
            leaf[entry % LEAF] = Arc::clone(page);
        }
    }

    /// Splits the page of `hash` in two by the next bit.
    fn split(&mut self, keys: &impl Keys<K>, hash: u64) -> Result<(), TableFull> {
        let old = Arc::clone(self.page(hash));
        let depth = old.depth();
        if depth == self.bits {
            self.grow()?;
        }
        let bit = 1u64 << (u64::BITS - 1 - depth);
        let mut halves = [Page::new(depth + 1), Page::new(depth + 1)];
        for index in old.entries() {
            let hash = self.hash(keys.key(index));
            halves[usize::from(hash & bit != 0)].insert(page::Home::of(hash), index);
        }
        let [low, high] = halves;
        self.fill(hash & !bit, depth + 1, &Arc::new(low));
        self.fill(hash | bit, depth + 1, &Arc::new(high));
        Ok(())
    }

    /// Doubles the directory: each page stands twice as often in it.
    fn grow(&mut self) -> Result<(), TableFull> {
        if self.bits == MAX_BITS {
            return Err(TableFull);
        }
        self.bits += 1;
        self.root = (0..2 * self.root.len())
            .map(|leaf| {
                let old = &self.root[leaf / 2];
                let from = leaf % 2 * (LEAF / 2);
                Leaf::new(std::array::from_fn(|page| {
                    Arc::clone(&old[from + page / 2])
                }))
            })
            .collect();
        Ok(())
    }
}

#[cfg(test)]
impl Table {
    /// A table without room for any key: all that it has is entries of `index`.
    pub(crate) fn full(seed: u64, index: u32) -> Self {
        let mut page = Page::new(MAX_BITS);
        for n in 0..=SPLIT_ABOVE as u64 {
            let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            page.insert(page::Home::of(hash), index);
        }
        let page = Arc::new(page);
        let leaf = Leaf::new(std::array::from_fn(|_| Arc::clone(&page)));
        Self {
            root: std::iter::repeat_n(leaf, 1 << (MAX_BITS - LEAF_BITS)).collect(),
            bits: MAX_BITS,
            len: 0,
            hasher: SeedableRandomState::with_seed(seed, &SHARED_SEED),
            keys: PhantomData,
        }
    }
}

/// foldhash wants a second, process-wide seed. Ours is fixed: the secret is each table's own.
static SHARED_SEED: SharedSeed = SharedSeed::from_u64(0x636f_7265_6c61_6e65);
