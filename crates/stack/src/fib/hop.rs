//! Where a packet goes.

use std::fmt;

use crate::nic::NicId;

/// Where a packet goes: one word, so that it is moved and chosen as one.
///
/// ```text
///  63 … 32          31 … 16  15    7 … 0
///  neighbor, NOTed  NIC      long  one more than the prefix's length; 0: of no route
/// ```
///
/// So a word of zeros is that of no route, and has no neighbor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hop(pub(super) u64);

/// The prefix is longer than 64 bits.
const LONG: u64 = 1 << 15;

impl Hop {
    /// Of no route.
    pub const NOWHERE: Self = Self((!super::NO_NEIGHBOR as u64) << 32);

    /// That of a route to a prefix of this length, at most 128 bits.
    pub(super) const fn new(neighbor: u32, nic: NicId, prefix_len: u8) -> Self {
        let long = if prefix_len > 64 { LONG } else { 0 };
        let (neighbor, nic) = ((!neighbor as u64) << 32, (nic.0 as u64) << 16);
        Self(neighbor | nic | long | (prefix_len as u64 + 1))
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

    /// The length of the route's prefix, in bits of its family; 255 if there is no route.
    #[inline]
    pub const fn prefix_len(self) -> u8 {
        (self.0 as u8).wrapping_sub(1)
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

    /// All ones if the prefix is long, or else nothing.
    #[inline]
    pub(super) const fn long(self) -> u64 {
        // A sign that is spread: no branch on the family.
        (self.0 as i16 >> 15) as i64 as u64
    }
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("neighbor", &self.neighbor())
            .field("nic", &self.nic())
            .field("prefix_len", &self.prefix_len())
            .finish()
    }
}
