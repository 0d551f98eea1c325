//! Whether frames come in order, once each, as they were sent.

use serde::Serialize;

use crate::generator::CLASSES;

/// Numbers that are remembered of each class, a power of two.
const WINDOW: u32 = 256;
const WORDS: usize = WINDOW as usize / 64;

/// What the numbers of a class of flows say so far.
#[derive(Clone, Copy, Default)]
struct Class {
    /// The number behind the highest there was.
    next: u32,
    /// Which of the last [`WINDOW`] numbers there were, a bit each, by the number's low bits.
    seen: [u64; WORDS],
}

/// What a number says of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Higher than all before it.
    InOrder,
    /// Lower than one before it, and the first with this number (RFC 4737 section 4.2).
    Reordered,
    /// There was one with this number.
    Duplicate,
    /// So much lower that it is not known whether there was one with this number.
    TooLate,
}

/// Checks the numbers of the frames that one worker is given: 10 KB.
pub struct OrderCheck(Box<[Class; CLASSES]>);

impl Default for OrderCheck {
    fn default() -> Self {
        Self(Box::new([Class::default(); CLASSES]))
    }
}

impl OrderCheck {
    /// Takes note of a frame's number in its class. What is missing between numbers is not counted here: it may still
    /// come.
    #[inline]
    pub fn note(&mut self, class: usize, number: u32) -> Arrival {
        let Class { next, seen } = &mut self.0[class % CLASSES];
        let (word, bit) = place(number);
        let ahead = number.wrapping_sub(*next);
        if ahead == 0 {
            *next = number.wrapping_add(1);
            seen[word] |= bit;
            return Arrival::InOrder;
        }
        if ahead < 1 << 31 {
            // What is left out was not seen; the whole window at most.
            let from = next.wrapping_add(ahead.saturating_sub(WINDOW));
            (0..ahead.min(WINDOW)).for_each(|i| {
                let (word, bit) = place(from.wrapping_add(i));
                seen[word] &= !bit;
            });
            *next = number.wrapping_add(1);
            seen[word] |= bit;
            return Arrival::InOrder;
        }
        if next.wrapping_sub(number) > WINDOW {
            Arrival::TooLate
        } else if seen[word] & bit != 0 {
            Arrival::Duplicate
        } else {
            seen[word] |= bit;
            Arrival::Reordered
        }
    }
}

#[inline]
fn place(number: u32) -> (usize, u64) {
    let at = number % WINDOW;
    (at as usize / 64, 1 << (at % 64))
}

/// Frames by what was found of them at the end of their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OrderShare {
    /// Higher numbers than all before in their class of flows.
    pub in_order: u64,
    /// Lower numbers than one before, each for the first time.
    pub reordered: u64,
    /// Numbers that had been there.
    pub duplicates: u64,
    /// So far behind that it is not known whether they had been there.
    pub too_late: u64,
    /// Signatures, or addresses and ports, that are not what was sent; with full checks, checksums too.
    pub corrupt: u64,
    /// Frames without a signature, of which nothing of this is known.
    pub unchecked: u64,
}

impl OrderShare {
    /// Frames of which all is known to be right but perhaps their order.
    pub fn unique(&self) -> u64 {
        self.in_order + self.reordered
    }

    /// All frames.
    pub fn all(&self) -> u64 {
        self.unique() + self.duplicates + self.too_late + self.corrupt + self.unchecked
    }

    /// Whether nothing was found that should not be.
    pub fn is_clean(&self) -> bool {
        self.reordered + self.duplicates + self.too_late + self.corrupt == 0
    }

    /// Both together.
    pub fn and(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a + b)
    }

    /// What was found since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        self.combined(earlier, |now, before| now - before)
    }

    fn combined(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            in_order: with(self.in_order, other.in_order),
            reordered: with(self.reordered, other.reordered),
            duplicates: with(self.duplicates, other.duplicates),
            too_late: with(self.too_late, other.too_late),
            corrupt: with(self.corrupt, other.corrupt),
            unchecked: with(self.unchecked, other.unchecked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arrival::{Duplicate, InOrder, Reordered, TooLate};

    fn arrivals(start: u32, numbers: &[u32]) -> Vec<Arrival> {
        let mut check = OrderCheck::default();
        // The class is made to begin near a place.
        check.0[5].next = start;
        let number = |number: &u32| check.note(5, start.wrapping_add(*number));
        numbers.iter().map(number).collect()
    }

    #[test]
    fn numbers_in_order_with_gaps_late_and_twice() {
        for start in [0, 1000, u32::MAX - 3] {
            assert_eq!(
                arrivals(start, &[0, 1, 4, 2, 2, 3, 3, 5, 4]),
                [
                    InOrder, InOrder, InOrder, Reordered, Duplicate, Reordered, Duplicate, InOrder,
                    Duplicate
                ]
            );
        }
    }

    #[test]
    fn a_window_is_remembered_and_no_more() {
        assert_eq!(
            arrivals(9, &[0, 300, 45, 44, 300]),
            [InOrder, InOrder, Reordered, TooLate, Duplicate]
        );
        // A jump beyond the window forgets what was there before.
        assert_eq!(
            arrivals(0, &[0, 1, 2, 100_000, 99_900, 99_900]),
            [InOrder, InOrder, InOrder, InOrder, Reordered, Duplicate]
        );
    }

    #[test]
    fn as_a_set_of_all_numbers_says() {
        // A random walk with repeats, against the plain truth.
        let mut state = 7u64;
        let (mut check, mut all, mut highest) = (
            OrderCheck::default(),
            std::collections::HashSet::new(),
            None,
        );
        for _ in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            let back = (state >> 40) as u32 % 200;
            let number = highest.map_or(0, |highest: u32| (highest + 20).saturating_sub(back));
            let want = match highest {
                Some(highest) if number <= highest => {
                    if all.contains(&number) {
                        Duplicate
                    } else {
                        Reordered
                    }
                }
                _ => InOrder,
            };
            assert_eq!(check.note(0, number), want);
            all.insert(number);
            highest = highest.max(Some(number));
        }
    }

    #[test]
    fn classes_have_numbers_of_their_own() {
        let mut check = OrderCheck::default();
        assert_eq!(check.note(3, 0), InOrder);
        assert_eq!(check.note(4, 0), InOrder);
        assert_eq!(check.note(3 + CLASSES, 0), Duplicate);
    }
}
