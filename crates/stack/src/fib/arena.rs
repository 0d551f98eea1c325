//! Which numbers of a slab are in use. The editor's.

use std::ops::Range;

use corelane_sync::slab::SlabError;

use super::store::Numbers;

/// The numbers of one slab, from 1 on.
pub(super) struct Arena {
    /// Numbers from here on were never used.
    fresh: u32,
    /// Numbers up to here are in the slab.
    end: u32,
    free: Vec<u32>,
}

impl Default for Arena {
    fn default() -> Self {
        Self {
            fresh: 1,
            end: 0,
            free: Vec::new(),
        }
    }
}

impl Arena {
    /// Makes sure of the next `count` numbers, all below `max`. On an error there may be fewer.
    pub(super) fn reserve(
        &mut self,
        slab: &dyn Numbers,
        count: u32,
        max: u32,
    ) -> Result<(), SlabError> {
        let more = (count as usize).saturating_sub(self.free.len());
        let needed = self.fresh.saturating_add(more as u32);
        grow(&mut self.end, slab, needed, max)
    }

    /// A number that nobody uses, out of those reserved.
    pub(super) fn allocate(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            debug_assert!(self.fresh < self.end, "reserved before");
            self.fresh += 1;
            self.fresh - 1
        })
    }

    pub(super) fn free(&mut self, number: u32) {
        self.free.push(number);
    }

    /// Numbers in use, garbage included.
    pub(super) fn used(&self) -> usize {
        self.fresh as usize - 1 - self.free.len()
    }
}

/// Numbers in a lot.
const LOT: u32 = 1024;

/// The numbers of one slab, from 1 on, of two kinds that each lie close together: in lots of their own.
#[derive(Default)]
pub(super) struct Lots {
    /// By kind.
    parts: [Part; 2],
    /// The kind of each lot.
    kinds: Vec<bool>,
    /// Numbers up to here are in the slab.
    end: u32,
    used: usize,
}

#[derive(Default)]
struct Part {
    /// Of the last lot, what was never used.
    fresh: Range<u32>,
    free: Vec<u32>,
}

impl Lots {
    /// As [`Arena::reserve`], of whatever kind each is.
    pub(super) fn reserve(
        &mut self,
        slab: &dyn Numbers,
        count: u32,
        max: u32,
    ) -> Result<(), SlabError> {
        // Of either kind the last lot may be begun only.
        let begun = (self.kinds.len() as u32 + 2).saturating_mul(LOT);
        grow(&mut self.end, slab, begun.saturating_add(count), max)
    }

    /// A number of a kind that nobody uses, out of those reserved.
    pub(super) fn allocate(&mut self, kind: bool) -> u32 {
        self.used += 1;
        let part = &mut self.parts[usize::from(kind)];
        if let Some(number) = part.free.pop() {
            return number;
        }
        if part.fresh.is_empty() {
            let first = self.kinds.len() as u32 * LOT;
            self.kinds.push(kind);
            part.fresh = first.max(1)..first + LOT;
        }
        debug_assert!(part.fresh.start < self.end, "reserved before");
        part.fresh.start += 1;
        part.fresh.start - 1
    }

    pub(super) fn free(&mut self, number: u32) {
        let kind = self.kinds[(number / LOT) as usize];
        self.parts[usize::from(kind)].free.push(number);
        self.used -= 1;
    }

    /// Numbers in use, garbage included.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

/// Makes sure that numbers up to `needed`, below `max`, are in a slab, as those up to `end` are.
fn grow(end: &mut u32, slab: &dyn Numbers, needed: u32, max: u32) -> Result<(), SlabError> {
    if needed <= *end {
        return Ok(());
    }
    if needed > max {
        return Err(SlabError::TooLarge {
            asked: needed,
            limit: max,
        });
    }
    slab.grow_to(needed)?;
    *end = slab.capacity().min(max);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use corelane_sync::slab::Slab;

    use super::*;

    #[test]
    fn kinds_have_lots_of_their_own_and_no_number_is_given_twice() {
        let (slab, mut lots) = (Slab::<u64>::new(), Lots::default());
        let mut given = HashSet::new();
        for at in 0..5 * LOT {
            lots.reserve(&slab, 1, u32::MAX).unwrap();
            let number = lots.allocate(at % 3 == 0);
            assert!(number > 0 && slab.get(number).is_some());
            assert!(given.insert(number));
        }
        assert_eq!(lots.used(), given.len());
        let of = |kind: bool| lots.kinds.iter().filter(|lot| **lot == kind).count();
        assert_eq!((of(true), of(false)), (2, 4));
        for number in &given {
            lots.free(*number);
        }
        assert_eq!(lots.used(), 0);
        for at in 0..5 * LOT {
            assert!(
                given.remove(&lots.allocate(at % 3 == 0)),
                "one that came back"
            );
        }
    }
}
