//! Who may be evicted for whom.
//!
//! A neighbor that answered once is *proven*. The rest - looked for, failed, or only heard of from
//! himself - is *unproven*, has its own small part of the cache, and competes there among itself:
//! so neither a scan of an on-link prefix nor a flood of solicitations with made-up sources can push
//! out a neighbor that exists (RFC 6583 section 7.1). Static entries and pinned ones are exempt, and
//! do not count.

use std::collections::BTreeSet;

/// Among the unproven, the less it is worth the sooner it goes; of equals, the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Unreachable: what is lost is that it failed.
    Failed,
    /// Nobody used it.
    Heard,
    /// Somebody waits for it, or uses it.
    Wanted,
}

/// What a neighbor counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Static or pinned.
    Exempt,
    Unproven(Worth),
    /// Proven, and in use or checked a short while ago: never evicted.
    Fresh,
    /// Proven, and not used since its answer ceased to count.
    Stale,
}

impl Standing {
    pub(super) fn is_proven(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }

    /// Whether changing to `other` needs no room.
    fn shares_room(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Exempt) | (Self::Unproven(_), Self::Unproven(_)) => true,
            _ => self.is_proven() && other.is_proven(),
        }
    }
}

/// A standing and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    standing: Standing,
    since: u64,
}

impl Place {
    pub(super) const EXEMPT: Self = Self {
        standing: Standing::Exempt,
        since: 0,
    };
}

/// What a neighbor that wants a standing finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// There is room.
    Free,
    /// There is room if this one goes.
    InsteadOf(u32),
    /// There is none.
    Refused,
}

/// Who counts as what.
#[derive(Debug)]
pub(super) struct Room {
    unproven: BTreeSet<(Worth, u64, u32)>,
    unproven_capacity: usize,
    /// Those of the proven that may be evicted; the first has not been used for the longest time.
    stale: BTreeSet<(u64, u32)>,
    proven: usize,
    proven_capacity: usize,
    /// Counts changes of standing.
    clock: u64,
}

impl Room {
    pub(super) fn new(unproven_capacity: usize, proven_capacity: usize) -> Self {
        Self {
            unproven: BTreeSet::new(),
            unproven_capacity,
            stale: BTreeSet::new(),
            proven: 0,
            proven_capacity,
            clock: 0,
        }
    }

    /// Whether somebody who has `place` can have `standing`.
    pub(super) fn admission(&self, place: Place, standing: Standing) -> Admission {
        if place.standing.shares_room(standing) {
            return Admission::Free;
        }
        match standing {
            Standing::Unproven(_) if self.unproven.len() < self.unproven_capacity => {
                Admission::Free
            }
            Standing::Unproven(worth) => match self.unproven.first() {
                Some(&(least, _, index)) if least <= worth => Admission::InsteadOf(index),
                _ => Admission::Refused,
            },
            _ if self.proven < self.proven_capacity => Admission::Free,
            _ => match self.stale.first() {
                Some(&(_, index)) => Admission::InsteadOf(index),
                None => Admission::Refused,
            },
        }
    }

    /// Gives the neighbor at `index` another place. Whether there is room has been made sure of.
    pub(super) fn place(&mut self, index: u32, place: Place, standing: Standing) -> Place {
        if place.standing == standing {
            return place;
        }
        self.leave(index, place);
        self.clock += 1;
        let since = self.clock;
        match standing {
            Standing::Exempt => {}
            Standing::Unproven(worth) => {
                self.unproven.insert((worth, since, index));
            }
            Standing::Fresh => self.proven += 1,
            Standing::Stale => {
                self.proven += 1;
                self.stale.insert((since, index));
            }
        }
        Place { standing, since }
    }

    /// The neighbor at `index` is gone.
    pub(super) fn leave(&mut self, index: u32, place: Place) {
        match place.standing {
            Standing::Exempt => {}
            Standing::Unproven(worth) => {
                self.unproven.remove(&(worth, place.since, index));
            }
            Standing::Fresh => self.proven -= 1,
            Standing::Stale => {
                self.proven -= 1;
                self.stale.remove(&(place.since, index));
            }
        }
    }

    /// Unproven and proven ones.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.unproven.len(), self.proven)
    }

    /// The next of the proven to be evicted.
    #[cfg(test)]
    pub(super) fn stalest(&self) -> Option<u32> {
        self.stale.first().map(|&(_, index)| index)
    }
}
