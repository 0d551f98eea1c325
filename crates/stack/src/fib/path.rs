//! Addresses and prefixes as the tries see them, and the levels at which nodes can stand.

use crate::address::{Family, Key, Prefix};

/// Nodes at lower levels take 8 bits, the others 4: all of IPv4's, and those of IPv6 where the networks
/// of the Internet lie closely. A step less on the way there is worth the memory; further down, where
/// few routes have a node to themselves, it is not.
const WIDE_END: u8 = 40;

/// The highest level at which two routes can differ.
pub(super) const MAX_LEVEL: u8 = 124;

/// Nodes that can be above one another: one for each level.
pub(super) const MAX_DEPTH: usize = (WIDE_END / 8 + (MAX_LEVEL - WIDE_END) / 4 + 1) as usize;

/// The bits of an address from the left: those of IPv4 are the first 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) high: u64,
    pub(super) low: u64,
}

impl Path {
    pub(super) const ZERO: Self = Self { high: 0, low: 0 };

    #[inline]
    pub(super) const fn of(key: Key) -> Self {
        if key.is_v4() {
            Self {
                high: key.low << 32,
                low: 0,
            }
        } else {
            Self {
                high: key.high,
                low: key.low,
            }
        }
    }

    /// The bits that two have in common from the first on.
    #[inline]
    pub(super) const fn common(self, other: Self) -> u8 {
        let high = (self.high ^ other.high).leading_zeros();
        let low = (self.low ^ other.low).leading_zeros();
        (if high < 64 { high } else { 64 + low }) as u8
    }

    /// The bits from `level` on, to the left of a word.
    #[inline]
    const fn from(self, level: u8) -> u64 {
        let word = if level & 64 == 0 { self.high } else { self.low };
        word << (level & 63)
    }

    /// The slot in a narrow node at `level`: below 16.
    #[inline]
    pub(super) const fn narrow_slot(self, level: u8) -> usize {
        (self.from(level) >> 60) as usize
    }

    /// The slot in a wide node at `level`: below 256.
    #[inline]
    pub(super) const fn wide_slot(self, level: u8) -> usize {
        (self.from(level) >> 56) as usize
    }

    /// The slot in a leaf at [`LEAVES`].
    #[inline]
    pub(super) const fn leaf_slot(self) -> u8 {
        self.wide_slot(LEAVES) as u8
    }

    /// The slot in a short node, at [`SHORT_NODES`].
    #[inline]
    pub(super) const fn short_slot(self) -> u8 {
        self.wide_slot(SHORT_NODES) as u8
    }

    /// The slot in a sparse node at `level`, which is a wide one's: of 16 bits.
    #[inline]
    pub(super) const fn sparse_slot(self, level: u8) -> u16 {
        const {
            assert!(
                WIDE_END - 8 + SPARSE_STRIDE <= 64,
                "they are in the first word"
            );
        };
        (self.high << (level & 63) >> 48) as u16
    }

    /// The slot in the node at `level`.
    #[inline]
    pub(super) const fn slot(self, level: u8) -> usize {
        if is_wide(level) {
            self.wide_slot(level)
        } else {
            self.narrow_slot(level)
        }
    }
}

/// A prefix: the first `len` bits of a path, the others being zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) path: Path,
    pub(super) len: u8,
}

impl Span {
    pub(super) fn of(prefix: Prefix) -> Self {
        Self {
            path: Path::of(Key::from(prefix.network().address())),
            len: prefix.len(),
        }
    }

    /// Whether a path begins with it.
    pub(super) const fn covers(self, path: Path) -> bool {
        self.path.common(path) >= self.len
    }

    /// The level of the node that has this as its own.
    pub(super) const fn home(self) -> u8 {
        level_of(self.len)
    }

    /// Where it stands among its home's own: by length and then by value, from 1 on.
    pub(super) const fn place_at_home(self) -> usize {
        let level = self.home();
        let len = self.len - level;
        if len == 0 {
            return 1;
        }
        1 << len | (self.path.from(level) >> (64 - len)) as usize
    }
}

/// The level of the node in whose bits the bit behind the first `len` is.
pub(super) const fn level_of(len: u8) -> u8 {
    if is_wide(len) { len & !7 } else { len & !3 }
}

/// Whether a node at `level` takes 8 bits.
#[inline]
pub(super) const fn is_wide(level: u8) -> bool {
    level < WIDE_END
}

/// The bits a node at `level` takes.
pub(super) const fn stride(level: u8) -> u8 {
    if is_wide(level) { 8 } else { 4 }
}

/// The bits that a sparse node takes.
pub(super) const SPARSE_STRIDE: u8 = 16;

/// Whether a node at `level` may be sparse: further up there are few, and most lookups come by.
pub(super) const fn may_be_sparse(level: u8) -> bool {
    is_wide(level) && level >= 24
}

/// Whether a node at `level` may be a dense or a short leaf: there, and hardly anywhere else, IPv4 ends, and its
/// searches ask for it there alone.
pub(super) const fn may_be_leaf(trie: usize, level: u8) -> bool {
    trie == V4 && level == LEAVES
}

/// The level of dense and short leaves.
pub(super) const LEAVES: u8 = 16;

/// Whether a node at `level` may be short: there IPv6 has most of its nodes above the last ones, and its searches ask for
/// them there alone.
pub(super) const fn may_be_short(trie: usize, level: u8) -> bool {
    trie == V6 && level == SHORT_NODES
}

/// Whether a route is longer than leaves go: most searches that end at a route, and not at a hop before, end at such a
/// one. There are few, and they lie close together.
pub(super) const fn is_behind_leaves(trie: usize, len: u8) -> bool {
    let end = if trie == V4 {
        LEAVES + 8
    } else {
        SHORT_NODES + 8 + SPARSE_STRIDE
    };
    len > end
}

/// The level of short nodes.
pub(super) const SHORT_NODES: u8 = 24;

/// Whether a node at [`SHORT_NODES`] is made between two at these levels, though nothing branches there: it is one line,
/// and with nothing left out a search ends at a hop below it and not at a route.
pub(super) const fn keeps_level_between(trie: usize, above: u8, below: u8) -> bool {
    trie == V6 && above < SHORT_NODES && below == SHORT_NODES + 8
}

/// The index of IPv4's trie.
const V4: usize = 0;

/// The index of IPv6's trie.
pub(super) const V6: usize = 1;

/// The trie of a family, as an index.
#[inline]
pub(super) const fn trie(family: Family) -> usize {
    match family {
        Family::V4 => V4,
        Family::V6 => V6,
    }
}
