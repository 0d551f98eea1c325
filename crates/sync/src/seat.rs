//! Cells that belong to one thread each, reached through a shared reference without a lock.
//!
//! A packet endpoint, say, is reached by every worker through a snapshot, which is shared, and each
//! worker pushes into its own ring. What tells the workers apart is a [`Seat`]: a plan mints so many, each
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
use std::sync::atomic::{AtomicU64, Ordering};

use crate::prefetch;
use crate::primitive::SliceArc;

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
///
/// Beside the value that only the seat has (`T`), each cell may have a part that everybody sees (`S`),
/// on the same lines; and there may be something about all of them (`A`). Clones are of the same cells.
///
/// All is in one allocation, and whoever has this has the address of each cell.
pub struct PerSeat<T, S = (), A = ()> {
    cells: SliceArc<A, Cell<T, S>>,
}

// What is looked at first stands first. Lines of other seats are two lines away: processors fetch them by
// pairs.
#[repr(C, align(128))]
struct Cell<T, S> {
    plan: u64,
    shared: S,
    own: UnsafeCell<T>,
}

// SAFETY: a shared reference gives out references to the `T` only to whoever holds the seat of its cell,
// and mutable ones only, one at a time (see the module): the `T`s are moved between threads, as it
// were, and never shared.
unsafe impl<T: Send, S: Sync> Sync for Cell<T, S> {}

impl<T> PerSeat<T> {
    /// Cells with these values, in the order of the seats. Seats behind the last value have none.
    ///
    /// # Panics
    /// If there are more values than seats.
    pub fn new(plan: &SeatPlan, values: Vec<T>) -> Self {
        let cells = values.into_iter().map(|own| ((), own));
        Self::with_shared(plan, (), cells.collect())
    }
}

impl<T, S, A> PerSeat<T, S, A> {
    /// As [`new`](PerSeat::new), with what everybody sees of each cell, and of all.
    ///
    /// # Panics
    /// As `new`.
    pub fn with_shared(plan: &SeatPlan, about: A, values: Vec<(S, T)>) -> Self {
        assert!(values.len() <= plan.len, "a seat for each value");
        let cells = values.into_iter().map(|(shared, own)| Cell {
            plan: plan.plan,
            shared,
            own: UnsafeCell::new(own),
        });
        Self {
            cells: SliceArc::new(about, cells.collect()),
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
        self.get_with_shared(seat).map(|(_, own)| own)
    }

    /// As [`get`](Self::get), with what everybody sees of the cell.
    #[inline]
    pub fn get_with_shared<'a>(&'a self, seat: &'a mut Seat) -> Option<(&'a S, &'a mut T)> {
        let cell = self.cells.slice().get(seat.number)?;
        if seat.plan != cell.plan {
            return None;
        }
        // SAFETY: there is one seat of this plan and number (seats are minted once, by a number that no
        // other plan has, and cannot be copied), and it is borrowed for as long as the reference
        // lives: no other reference to this value exists meanwhile.
        Some((&cell.shared, unsafe { &mut *cell.own.get() }))
    }

    /// What everybody sees of the cells, in the order of the seats.
    pub fn shared(&self) -> impl Iterator<Item = &S> {
        self.cells.slice().iter().map(|cell| &cell.shared)
    }

    /// That of the seat of this number.
    ///
    /// # Panics
    /// If it has no cell.
    #[inline]
    pub fn shared_of(&self, number: usize) -> &S {
        &self.cells.slice()[number].shared
    }

    /// What there is about all of them.
    #[inline]
    pub fn about(&self) -> &A {
        self.cells.header()
    }

    /// Whether these are the same cells.
    pub fn is(&self, other: &Self) -> bool {
        self.cells.is(&other.cells)
    }

    /// Asks for the first line of a seat's cell, to be written.
    #[inline]
    pub fn prefetch_write(&self, seat: &Seat) {
        // Of one that it does not have, there is nothing to be read either.
        let cell = self.cells.slice().as_ptr().wrapping_add(seat.number);
        prefetch::write(cell.cast());
    }
}

impl<T, S, A> Clone for PerSeat<T, S, A> {
    fn clone(&self) -> Self {
        Self {
            cells: self.cells.clone(),
        }
    }
}

impl<T, S, A> fmt::Debug for PerSeat<T, S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerSeat")
            .field("seats", &self.cells.slice().len())
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
    fn any_seat_may_ask_for_a_cell() {
        let (plan, mut seats) = SeatPlan::mint(2);
        let cells = PerSeat::new(&plan, vec![7]);
        // Of a seat that has a cell, and of one that has none.
        seats.iter().for_each(|seat| cells.prefetch_write(seat));
        assert_eq!(cells.get(&mut seats[0]), Some(&mut 7));
    }

    #[test]
    fn all_see_the_shared_part_and_what_it_is_about() {
        let (plan, mut seats) = SeatPlan::mint(2);
        let cells = PerSeat::with_shared(&plan, "both", vec![('a', 1), ('b', 2)]);
        let clone = cells.clone();
        assert_eq!(cells.get_with_shared(&mut seats[1]), Some((&'b', &mut 2)));
        assert!(clone.shared().eq(&['a', 'b']));
        assert_eq!((clone.shared_of(0), *clone.about()), (&'a', "both"));
        *clone.get(&mut seats[0]).unwrap() = 5;
        assert_eq!(cells.get(&mut seats[0]), Some(&mut 5));
        let others = PerSeat::with_shared(&plan, "both", vec![('a', 1), ('b', 2)]);
        assert!(cells.is(&clone) && !cells.is(&others));
    }

    #[test]
    fn the_last_clone_drops_the_values() {
        let (plan, _) = SeatPlan::mint(2);
        let value = Arc::new(());
        let cells = PerSeat::new(&plan, vec![Arc::clone(&value), Arc::clone(&value)]);
        let clone = cells.clone();
        drop(cells);
        assert_eq!(Arc::strong_count(&value), 3);
        drop(clone);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    #[should_panic(expected = "a seat for each value")]
    fn there_is_a_seat_for_each_value() {
        let (plan, _) = SeatPlan::mint(2);
        let _ = PerSeat::new(&plan, vec![1, 2, 3]);
    }
}
