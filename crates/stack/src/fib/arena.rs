//! Which numbers of a slab are in use. The editor's.

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
        if needed <= self.end {
            return Ok(());
        }
        if needed > max {
            return Err(SlabError::TooLarge {
                asked: needed,
                limit: max,
            });
        }
        slab.grow_to(needed)?;
        self.end = slab.capacity().min(max);
        Ok(())
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
