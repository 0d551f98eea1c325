//! Cells that belong to one thread each, reached through a shared reference without a lock.
//!
//! A socket's rings, say, are reached by every worker through a snapshot, which is shared, and each
//! worker pushes into its own. What tells the workers apart is a [`Seat`]: a plan mints so many, each
//! exists once, and whoever has one has the cell of its number in every [`PerSeat`] of that plan.
//!
//! ```text
//!   SeatPlan::mint(3) ─► Seat 0   Seat 1   Seat 2        each moved to a thread
//!                          │        │        │
//!   PerSeat<T>           cell 0   cell 1   cell 2        shared by all
//! ```
//!
//! # Why a reference is the only one
//!
//! [`PerSeat::get`] borrows the seat mutably for as long as the reference to the cell lives, and there
//! is one seat of that plan and number: nobody can ask for the same cell meanwhile, nor for another
//! cell with the same seat. A seat of another plan has no cell.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::prefetch;

/// Tells plans apart.
static NEXT_PLAN: AtomicU64 = AtomicU64::new(1);

/// How many seats there are, and which plan they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatPlan {
    plan: u64,
    len: usize,
}

impl SeatPlan {
    /// A plan of `len` seats, and the seats, in their order: the only ones it will ever have.
    pub fn mint(len: usize) -> (Self, Vec<Seat>) {
        // No two plans have a number in common: it would take centuries to count through.
        let plan = NEXT_PLAN.fetch_add(1, Ordering::Relaxed);
        let seats = (0..len).map(|number| Seat { plan, number }).collect();
        (Self { plan, len }, seats)
    }

    /// How many seats it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The right to one cell of each [`PerSeat`] of a plan. It can be moved to another thread, and not
/// copied.
#[derive(Debug)]
pub struct Seat {
    plan: u64,
    number: usize,
}

impl Seat {
    /// Its number in the plan, from 0.
    pub fn number(&self) -> usize {
        self.number
    }
}

/// A value for each seat of a plan, each on cache lines of its own.
pub struct PerSeat<T> {
    plan: u64,
    cells: Box<[CachePadded<UnsafeCell<T>>]>,
}

// SAFETY: a shared reference gives out references to a `T` only to whoever holds the seat of its cell,
// and mutable ones only, one at a time (see the module): the `T`s are moved between threads, as it
// were, and never shared.
unsafe impl<T: Send> Sync for PerSeat<T> {}

impl<T> PerSeat<T> {
    /// Cells with these values, in the order of the seats. Seats behind the last value have none.
    ///
    /// # Panics
    /// If there are more values than seats.
    pub fn new(plan: &SeatPlan, values: Vec<T>) -> Self {
        assert!(values.len() <= plan.len, "a seat for each value");
        let cells = values.into_iter().map(UnsafeCell::new);
        Self {
            plan: plan.plan,
            cells: cells.map(CachePadded::new).collect(),
        }
    }

    /// The value of a seat; None if it has none, or is of another plan.
    ///
    /// The seat is at one value at a time:
    ///
    /// ```compile_fail,E0499
    /// use corelane_sync::seat::{PerSeat, SeatPlan};
    /// let (plan, mut seats) = SeatPlan::mint(1);
    /// let cells = PerSeat::new(&plan, vec![0]);
    /// let a = cells.get(&mut seats[0]);
    /// let b = cells.get(&mut seats[0]);
    /// drop((a, b));
    /// ```
    #[inline]
    pub fn get<'a>(&'a self, seat: &'a mut Seat) -> Option<&'a mut T> {
        if seat.plan != self.plan {
            return None;
        }
        let cell = self.cells.get(seat.number)?;
        // SAFETY: there is one seat of this plan and number (seats are minted once, by a number that no
        // other plan has, and cannot be copied), and it is borrowed for as long as the reference
        // lives: no other reference to this cell exists meanwhile.
        Some(unsafe { &mut *cell.get() })
    }
}

impl<T> PerSeat<T> {
    /// Where the cells are, to be kept where it is at hand sooner than this.
    pub fn hint(&self) -> SeatHint<T> {
        SeatHint {
            first: self.cells.as_ptr().addr(),
            cells: PhantomData,
        }
    }
}

/// Where the cells of a [`PerSeat`] are: to ask for one while the `PerSeat` itself is still on its way.
/// Nothing is looked at through it, so that it does not matter whether they are still there.
pub struct SeatHint<T> {
    first: usize,
    cells: PhantomData<fn() -> T>,
}

impl<T> SeatHint<T> {
    /// Asks for the first line of a seat's cell, to be written.
    #[inline]
    pub fn prefetch_write(&self, seat: &Seat) {
        let stride = size_of::<CachePadded<UnsafeCell<T>>>();
        let cell = self.first.wrapping_add(seat.number.wrapping_mul(stride));
        prefetch::write(std::ptr::without_provenance(cell));
    }
}

impl<T> Clone for SeatHint<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SeatHint<T> {}

impl<T> fmt::Debug for SeatHint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeatHint").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for PerSeat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerSeat")
            .field("seats", &self.cells.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn each_thread_has_its_own_cell() {
        let (plan, seats) = SeatPlan::mint(4);
        let cells = Arc::new(PerSeat::new(&plan, vec![0_u64; 4]));
        let threads: Vec<_> = seats
            .into_iter()
            .map(|mut seat| {
                let cells = Arc::clone(&cells);
                std::thread::spawn(move || {
                    for _ in 0..10_000 {
                        *cells.get(&mut seat).unwrap() += 1 + seat.number() as u64;
                    }
                    seat
                })
            })
            .collect();
        for thread in threads {
            let mut seat = thread.join().unwrap();
            let counted = *cells.get(&mut seat).unwrap();
            assert_eq!(counted, 10_000 * (1 + seat.number() as u64));
        }
    }

    #[test]
    fn a_seat_of_another_plan_has_no_cell() {
        let (plan, _) = SeatPlan::mint(2);
        let (_, mut others) = SeatPlan::mint(2);
        let cells = PerSeat::new(&plan, vec!["a", "b"]);
        assert!(cells.get(&mut others[0]).is_none());
    }

    #[test]
    fn a_seat_behind_the_last_value_has_none() {
        let (plan, mut seats) = SeatPlan::mint(2);
        let cells = PerSeat::new(&plan, vec!["a"]);
        assert_eq!(cells.get(&mut seats[0]), Some(&mut "a"));
        assert!(cells.get(&mut seats[1]).is_none());
    }

    #[test]
    fn a_hint_outlives_the_cells() {
        let (plan, mut seats) = SeatPlan::mint(2);
        let cells = PerSeat::new(&plan, vec![7]);
        let hint = cells.hint();
        // Of a seat that has a cell, of one that has none, and of cells that are gone.
        seats.iter().for_each(|seat| hint.prefetch_write(seat));
        assert_eq!(cells.get(&mut seats[0]), Some(&mut 7));
        drop(cells);
        hint.prefetch_write(&seats[0]);
    }

    #[test]
    #[should_panic(expected = "a seat for each value")]
    fn there_is_a_seat_for_each_value() {
        let (plan, _) = SeatPlan::mint(2);
        let _ = PerSeat::new(&plan, vec![1, 2, 3]);
    }
}
