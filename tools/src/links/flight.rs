//! Which numbered frames are out.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::generator::CLASSES;

/// Frames that are remembered in all.
const CELLS: usize = 1 << 21;

/// A cell: which round of its number it is of, whether it came back, when it was due.
const TIME_BITS: u32 = 48;
const TIME: u64 = (1 << TIME_BITS) - 1;
const BACK: u64 = 1 << TIME_BITS;
const ROUND_SHIFT: u32 = TIME_BITS + 1;

/// The last frames sent, two million of them, by class and number: the thread that sends writes when each was
/// due, and the one that receives takes it from there, once. So nothing but the number need be in the frame,
/// and a duplicate is one however late it comes.
///
/// Everything there is to know of a frame is in one word: who reads a word with the right round has the right
/// time, and no order between words is needed. Times are nanoseconds, below 2^48 (78 hours).
pub struct Flight {
    cells: Box<[AtomicU64]>,
    /// Where the cell of a class is in its row; classes that are not there share the first.
    places: Box<[usize; CLASSES]>,
    /// Cells in a row: classes that there are.
    width: usize,
    /// Rows, a power of two: numbers of a class that are remembered.
    rows: u32,
}

/// What came of a frame that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// It is the first of its number, and was due then.
    First(u64),
    /// There was one of its number.
    Again,
    /// It is none of this trial: of an earlier one, forgotten, or somebody else's.
    Stray,
}

impl Flight {
    /// With room for frames of these classes.
    pub fn new(classes: impl IntoIterator<Item = usize>) -> Self {
        let mut places = Box::new([0; CLASSES]);
        let mut width = 0;
        for class in classes {
            places[class % CLASSES] = width;
            width += 1;
        }
        let width = width.max(1);
        // At least one; at most all, which fits the type.
        let rows = 1u32 << (CELLS / width).max(1).ilog2();
        let cells = (0..width * rows as usize).map(|_| AtomicU64::new(0));
        Self {
            cells: cells.collect(),
            places,
            width,
            rows,
        }
    }

    fn cell(&self, class: usize, number: u32) -> Option<&AtomicU64> {
        // Rows of all classes: what is out at a time is close together.
        let row = (number & (self.rows - 1)) as usize;
        self.cells
            .get(row * self.width + self.places[class % CLASSES])
    }

    /// What is left of a number beyond its row, as far as there is room for it.
    fn round(&self, number: u32) -> u64 {
        u64::from(number >> self.rows.ilog2()) << ROUND_SHIFT
    }

    /// A frame is about to be sent; only by the thread that sends.
    #[inline]
    pub fn launch(&self, class: usize, number: u32, planned: u64) {
        if let Some(cell) = self.cell(class, number) {
            cell.store(self.round(number) | planned & TIME, Ordering::Relaxed);
        }
    }

    /// It was not sent after all.
    pub fn recall(&self, class: usize, number: u32) {
        self.launch(class, number, 0);
    }

    /// A frame came back, in a trial whose frames were due from `since` on (more than 0); only by the thread
    /// that receives.
    #[inline]
    pub fn land(&self, class: usize, number: u32, since: u64) -> Landing {
        let Some(cell) = self.cell(class, number) else {
            return Landing::Stray;
        };
        let word = cell.load(Ordering::Relaxed);
        let planned = word & TIME;
        if word & !(TIME | BACK) != self.round(number) || planned < since {
            return Landing::Stray;
        }
        if word & BACK != 0 {
            return Landing::Again;
        }
        // Unless the sender has come round to the cell meanwhile.
        let back = cell.compare_exchange(word, word | BACK, Ordering::Relaxed, Ordering::Relaxed);
        match back {
            Ok(_) => Landing::First(planned),
            Err(_) => Landing::Stray,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Landing::{Again, First, Stray};

    #[test]
    fn a_frame_lands_once_and_with_its_time() {
        let flight = Flight::new([3, 200]);
        flight.launch(3, 0, 1000);
        flight.launch(200, 0, 1001);
        assert_eq!(flight.land(3, 0, 1000), First(1000));
        assert_eq!(flight.land(3, 0, 1000), Again);
        assert_eq!(flight.land(200, 0, 1000), First(1001));
        assert_eq!(flight.land(3, 1, 1000), Stray, "not sent");
    }

    #[test]
    fn what_is_of_an_earlier_trial_or_was_not_sent_is_a_stray() {
        let flight = Flight::new(0..CLASSES);
        flight.launch(7, 41, 500);
        assert_eq!(flight.land(7, 41, 501), Stray);
        flight.launch(7, 42, 600);
        flight.recall(7, 42);
        assert_eq!(flight.land(7, 42, 501), Stray);
    }

    #[test]
    fn a_number_that_comes_round_is_another() {
        let flight = Flight::new(0..CLASSES);
        let rows = flight.rows;
        assert_eq!(rows as usize * CLASSES, CELLS);
        flight.launch(9, u32::MAX, 10);
        assert_eq!(flight.land(9, u32::MAX, 1), First(10));
        flight.launch(9, 5, 20);
        flight.launch(9, 5 + rows, 30);
        assert_eq!(flight.land(9, 5, 1), Stray, "forgotten");
        assert_eq!(flight.land(9, 5 + rows, 1), First(30));
    }

    #[test]
    fn one_class_is_remembered_as_long_as_all() {
        assert_eq!(Flight::new([1]).rows as usize, CELLS);
        assert_eq!(Flight::new([]).rows as usize, CELLS);
    }
}
