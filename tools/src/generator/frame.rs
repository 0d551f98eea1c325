//! What is in a frame, laid out before the run.

use rand::{Rng, RngExt};

use super::size::CHECK_SEQUENCE;
use crate::unit::MAX_FRAME;

/// Bytes of a frame that are laid out one by one: in nearly all frames, all headers are in them.
pub const LINE: usize = 64;

/// The first bytes of a frame, on a cache line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Line(pub [u8; LINE]);

/// What else there is to a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bytes in memory. A line is longer than the smallest frames: its bytes beyond the length are not
    /// part of them.
    pub len: u16,
    /// Where its signature goes; 0 if it has none.
    pub signature: u16,
    /// The receive side scaling hash.
    pub hash: u32,
    /// Whether it is IPv6.
    pub is_v6: bool,
    /// Which second line it has, where its headers are longer than one (IPv6 with a TCP, fragment or VLAN
    /// header): 1 for the first of them, 0 for none.
    pub second: u32,
}

/// A frame: its line, and its shape; the rest is the [`Tail`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaidOut {
    /// Its first bytes.
    pub line: Line,
    /// Those behind, where they are not the tail's.
    pub second: Option<Line>,
    /// What else there is to it.
    pub shape: Shape,
}

pub(super) const LONGEST: usize = (MAX_FRAME - CHECK_SEQUENCE) as usize;

/// The payload of all frames by its place in the frame: frames of any size and family share it.
pub struct Tail(Box<[u8]>);

impl Tail {
    /// Draws it.
    pub fn draw(random: &mut impl Rng) -> Self {
        Self((0..LONGEST).map(|_| random.random()).collect())
    }

    /// The bytes of a frame from `start` to `end`.
    #[inline]
    pub fn between(&self, start: usize, end: usize) -> &[u8] {
        self.0.get(start..end).unwrap_or_default()
    }
}
