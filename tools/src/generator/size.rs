//! Frame sizes, one after the other.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::unit::{Family, FrameSize, IMIX};

/// Bytes of the frame check sequence, which no frame in memory has.
pub(super) const CHECK_SEQUENCE: u16 = 4;

/// The smallest UDP frames, check sequence included: IPv4's headers leave room in Ethernet's
/// minimum of 64, IPv6's need 66.
const SMALLEST_V4: u16 = 64;
const SMALLEST_V6: u16 = 66;

/// The size of a frame for which `requested` bytes were asked: the smallest valid one that is not
/// smaller, check sequence included.
pub fn size_on_wire(requested: u16, v6: bool) -> u16 {
    requested.max(if v6 { SMALLEST_V6 } else { SMALLEST_V4 })
}

/// The mean size of frames, check sequence included.
pub fn mean_size(size: FrameSize, family: Family) -> f64 {
    let mean = |v6| match size {
        FrameSize::Fixed(size) => f64::from(size_on_wire(size, v6)),
        FrameSize::Imix => {
            let (mut bytes, mut frames) = (0.0, 0.0);
            for (size, n) in IMIX {
                bytes += f64::from(size_on_wire(size, v6)) * f64::from(n);
                frames += f64::from(n);
            }
            bytes / frames
        }
    };
    match family {
        Family::V4 => mean(false),
        Family::V6 => mean(true),
        Family::Mixed => (mean(false) + mean(true)) / 2.0,
    }
}

/// Deals sizes: a mix comes in shuffled decks, so that each deck holds the exact proportions.
pub struct SizeDeck {
    deck: Vec<u16>,
    dealt: usize,
}

impl SizeDeck {
    /// A deck of this size or mix.
    pub fn new(size: FrameSize) -> Self {
        let deck = match size {
            FrameSize::Fixed(size) => vec![size],
            FrameSize::Imix => IMIX
                .iter()
                .flat_map(|&(size, n)| std::iter::repeat_n(size, n.into()))
                .collect(),
        };
        let dealt = deck.len();
        Self { deck, dealt }
    }

    /// The next requested size.
    pub fn deal(&mut self, random: &mut impl Rng) -> u16 {
        if self.dealt >= self.deck.len() {
            if self.deck.len() > 1 {
                self.deck.shuffle(random);
            }
            self.dealt = 0;
        }
        let size = self.deck.get(self.dealt).copied().unwrap_or(SMALLEST_V4);
        self.dealt += 1;
        size
    }
}
