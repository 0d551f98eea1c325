//! Frame sizes, one after the other.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::unit::FrameSize;

/// Bytes of the frame check sequence, which no frame in memory has.
pub const CHECK_SEQUENCE: u16 = 4;

/// The smallest UDP frames, check sequence included: IPv4's headers leave room in Ethernet's
/// minimum of 64, IPv6's need 66.
const SMALLEST_V4: u16 = 64;
const SMALLEST_V6: u16 = 66;

/// The size of a UDP frame for which `requested` bytes were asked: the smallest valid one that is not
/// smaller, check sequence included.
pub fn size_on_wire(requested: u16, v6: bool) -> u16 {
    requested.max(if v6 { SMALLEST_V6 } else { SMALLEST_V4 })
}

/// Deals from cards of which each comes as often as there are of it: each deck holds the exact
/// proportions, shuffled, or in order.
pub struct Deck<T> {
    cards: Vec<T>,
    shuffled: bool,
    dealt: usize,
}

impl<T: Copy> Deck<T> {
    /// A deck of these cards and how many there are of each.
    pub fn new(parts: impl IntoIterator<Item = (T, u16)>, shuffled: bool) -> Self {
        let cards = parts.into_iter();
        let cards: Vec<T> = cards
            .flat_map(|(card, n)| std::iter::repeat_n(card, n.into()))
            .collect();
        Self {
            dealt: cards.len(),
            shuffled: shuffled && cards.len() > 1,
            cards,
        }
    }

    /// The next card; none if there is none at all.
    pub fn deal(&mut self, random: &mut impl Rng) -> Option<T> {
        if self.dealt >= self.cards.len() {
            if self.shuffled {
                self.cards.shuffle(random);
            }
            self.dealt = 0;
        }
        let card = self.cards.get(self.dealt).copied();
        self.dealt += 1;
        card
    }
}

/// A deck of frame sizes, check sequence included.
pub fn size_deck(size: FrameSize) -> Deck<u16> {
    let in_order = matches!(size, FrameSize::Mix(mix) if mix.is_ordered());
    Deck::new(size.parts(), !in_order)
}
