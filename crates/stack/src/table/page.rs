//! A page: 62 buckets that split, copy and probe together.

use super::bucket::{Bucket, SLOTS};

/// Buckets in a page: with its own line and the reference counts' line in front, 4 KiB exactly.
pub(super) const BUCKETS: usize = 62;

/// A page splits when it holds more than this: three slots in four. Beyond that the searches
/// grow long; a bucket may be full much earlier, its entries then stand in the next ones.
pub(super) const SPLIT_ABOVE: usize = BUCKETS * SLOTS * 3 / 4;

/// Where a search starts: a bucket of the page and the tag to look for.
#[derive(Clone, Copy)]
pub(super) struct Home {
    pub(super) bucket: usize,
    pub(super) tag: u8,
}

impl Home {
    #[inline]
    pub(super) fn of(hash: u64) -> Self {
        // The low half of the hash picks the bucket, the byte above it the tag, the top the page.
        let bucket = ((hash & 0xffff_ffff) * BUCKETS as u64) >> 32;
        Self {
            bucket: bucket as usize,
            tag: super::bucket::tag_of(hash),
        }
    }
}

/// A bucket and a slot in it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    bucket: usize,
    slot: usize,
}

#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Page {
    buckets: [Bucket; BUCKETS],
    /// How many leading bits of the hash all entries share.
    depth: u32,
    len: u32,
}

impl Page {
    pub(super) fn new(depth: u32) -> Self {
        Self {
            buckets: [const { Bucket::EMPTY }; BUCKETS],
            depth,
            len: 0,
        }
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn bucket(&self, home: Home) -> &Bucket {
        &self.buckets[home.bucket]
    }

    /// The index and place of the entry for which `is_it` says so.
    #[inline]
    pub(super) fn find(&self, home: Home, is_it: impl Fn(u32) -> bool) -> Option<(u32, Place)> {
        let mut bucket = home.bucket;
        for _ in 0..BUCKETS {
            let here = &self.buckets[bucket];
            for slot in here.candidates(home.tag) {
                let index = here.index(slot);
                if is_it(index) {
                    return Some((index, Place { bucket, slot }));
                }
            }
            if !here.was_passed() {
                return None;
            }
            bucket = next(bucket);
        }
        None
    }

    /// Puts an entry in; false if the page is full.
    pub(super) fn insert(&mut self, home: Home, index: u32) -> bool {
        if self.len() == BUCKETS * SLOTS {
            return false;
        }
        let mut bucket = home.bucket;
        let slot = loop {
            match self.buckets[bucket].vacancy() {
                Some(slot) => break slot,
                None => {
                    self.buckets[bucket].pass();
                    bucket = next(bucket);
                }
            }
        };
        self.buckets[bucket].fill(slot, home.tag, index);
        self.len += 1;
        true
    }

    /// Takes the entry at `place`, whose search starts at `home`, out.
    pub(super) fn remove(&mut self, home: Home, place: Place) {
        self.buckets[place.bucket].clear(place.slot);
        let mut bucket = home.bucket;
        while bucket != place.bucket {
            self.buckets[bucket].unpass();
            bucket = next(bucket);
        }
        self.len -= 1;
    }

    pub(super) fn replace(&mut self, place: Place, index: u32) {
        self.buckets[place.bucket].replace(place.slot, index);
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = u32> {
        self.buckets
            .iter()
            .flat_map(|b| b.entries().map(|(_, index)| index))
    }
}

#[inline]
fn next(bucket: usize) -> usize {
    if bucket + 1 == BUCKETS { 0 } else { bucket + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_a_page_of_memory_with_its_counts() {
        // Behind the two reference counts, at the next cache line.
        assert_eq!(64 + size_of::<Page>(), 4096);
    }

    #[test]
    fn a_page_takes_as_many_as_it_has_slots_and_gives_them_back() {
        let mut page = Page::new(0);
        // All at home in one bucket: the worst case for the probing.
        let home = Home { bucket: 60, tag: 9 };
        for index in 0..(BUCKETS * SLOTS) as u32 {
            assert!(page.insert(home, index));
        }
        assert!(!page.insert(home, 7_000));
        for index in 0..(BUCKETS * SLOTS) as u32 {
            let (found, place) = page
                .find(home, |i| i == index)
                .expect("every entry is found");
            assert_eq!(found, index);
            page.remove(home, place);
            assert!(page.find(home, |i| i == index).is_none());
        }
        assert_eq!(page.len(), 0);
        assert!(
            page.buckets.iter().all(|b| !b.was_passed()),
            "nothing passes an empty page"
        );
    }
}
