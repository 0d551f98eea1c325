//! Where a packet goes.

use std::fmt;

use crate::nic::NicId;

/// Where a packet goes: one word, so that it is moved and chosen as one.
///
/// ```text
///  63 … 32          31 … 16  15 … 1  0
///  neighbor, NOTed  NIC      0       of a route
/// ```
///
/// So a word of zeros is that of no route, and has no neighbor. What routes share is one hop, so that there are
/// few: the prefix is not in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hop(pub(super) u64);

impl Hop {
    /// Of no route.
    pub const NOWHERE: Self = Self((!super::NO_NEIGHBOR as u64) << 32);

    /// That of a route.
    pub(super) const fn new(neighbor: u32, nic: NicId) -> Self {
        Self((!neighbor as u64) << 32 | (nic.0 as u64) << 16 | 1)
    }

    /// The adjacency of the gateway, as it was inserted; [`NO_NEIGHBOR`](super::NO_NEIGHBOR) for a
    /// route that is on-link, and for none.
    #[inline]
    pub const fn neighbor(self) -> u32 {
        !(self.0 >> 32) as u32
    }

    /// The NIC it leaves by.
    #[inline]
    pub const fn nic(self) -> NicId {
        NicId((self.0 >> 16) as u16)
    }

    /// Whether there is no route.
    #[inline]
    pub const fn is_nowhere(self) -> bool {
        self.0 == Self::NOWHERE.0
    }

    /// The hop of a route; None if there is no route.
    pub fn found(self) -> Option<Self> {
        (!self.is_nowhere()).then_some(self)
    }
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("neighbor", &self.neighbor())
            .field("nic", &self.nic())
            .finish()
    }
}
