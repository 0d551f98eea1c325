//! A ring for each seat, their pushing ends side by side.

use super::consumer::Consumer;
use super::pusher::Pusher;
use super::shared::{Body, Home, Tail};
use super::{Full, RingError};
use crate::primitive::{
    Arc,
    atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Relaxed},
    },
};
use crate::seat::{PerSeat, Seat, SeatPlan};
use std::fmt;

/// Rings of which each is pushed to by whoever has its seat: one allocation, shared by all of them.
///
/// Where such sets of rings are many and each is pushed to now and then, what counts is how many lines a
/// push touches. Here they are two: a seat's, with the producer's end and its index, is found from this
/// handle without a look at anything else, and the slot's.
///
/// `X` is a value for each seat, which the seat has beside its ring; `A` is about all of it. Clones are of
/// the same rings. When the last is gone, the consumers find their rings closed.
pub struct SeatRings<T, X, A> {
    cells: Cells<T, X, A>,
}

type Cells<T, X, A> = PerSeat<Lane<T, X>, Tail, About<A>>;

struct About<A> {
    /// How many clones there are.
    handles: AtomicUsize,
    about: A,
}

/// What the seat has of its ring.
// The first line of a seat's cell ends in `extra`: with the plan, the tail and the producer's end.
#[repr(C)]
struct Lane<T, X> {
    pusher: Pusher<T>,
    extra: X,
    body: Arc<Body<T>>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<u64>() + size_of::<Tail>() + size_of::<Pusher<u8>>() < 64);

impl<T, X> Drop for Lane<T, X> {
    fn drop(&mut self) {
        // SAFETY: the consumer keeps the cells alive, so that it is gone, and what it did is ordered
        // before this by the count of the cells. Nobody else has the slots.
        unsafe { self.body.drop_items(self.pusher.tail()) };
    }
}

/// A ring as its seat has it.
pub struct SeatRing<'a, T, X> {
    tail: &'a Tail,
    lane: &'a mut Lane<T, X>,
}

/// Where a ring is, for its producer.
struct At<'a, T> {
    tail: &'a Tail,
    body: &'a Arc<Body<T>>,
}

impl<T> Home<T> for At<'_, T> {
    #[inline]
    fn tail(&self) -> &Tail {
        self.tail
    }

    #[inline]
    fn body(&self) -> &Body<T> {
        self.body
    }
}

/// Where a ring is, for its consumer.
pub struct SeatHome<T, X, A> {
    cells: Cells<T, X, A>,
    number: usize,
    body: Arc<Body<T>>,
}

impl<T, X, A> Home<T> for SeatHome<T, X, A> {
    #[inline]
    fn tail(&self) -> &Tail {
        self.cells.shared_of(self.number)
    }

    #[inline]
    fn body(&self) -> &Body<T> {
        &self.body
    }
}

/// The popping end of one of [`SeatRings`].
pub type SeatConsumer<T, X, A> = Consumer<T, SeatHome<T, X, A>>;

impl<T: Send, X: Send, A: Send + Sync> SeatRings<T, X, A> {
    /// Rings of at least `capacity` items each for the first seats of a plan, with a value for each of
    /// these, and the consumers in the order of the seats.
    ///
    /// # Errors
    ///
    /// As [`ring`](super::ring()).
    ///
    /// # Panics
    ///
    /// If there are more values than seats.
    #[expect(clippy::type_complexity, reason = "a pair")]
    pub fn new(
        plan: &SeatPlan,
        capacity: usize,
        values: Vec<X>,
        about: A,
    ) -> Result<(Self, Vec<SeatConsumer<T, X, A>>), RingError> {
        let mut bodies = Vec::new();
        let mut lanes = Vec::new();
        for extra in values {
            let (tail, body) = (Tail::new(), Arc::new(Body::new(capacity)?));
            let at = At {
                tail: &tail,
                body: &body,
            };
            // SAFETY: it is the only one, and has the ring beside it.
            let pusher = unsafe { Pusher::new(&at) };
            bodies.push(Arc::clone(&body));
            let lane = Lane {
                pusher,
                extra,
                body,
            };
            lanes.push((tail, lane));
        }
        let about = About {
            handles: AtomicUsize::new(1),
            about,
        };
        let cells = PerSeat::with_shared(plan, about, lanes);
        let consumer = |(number, body)| {
            Consumer::new(SeatHome {
                cells: cells.clone(),
                number,
                body,
            })
        };
        let consumers = bodies.into_iter().enumerate().map(consumer).collect();
        Ok((Self { cells }, consumers))
    }
}

impl<T, X, A> SeatRings<T, X, A> {
    /// What it is about.
    #[inline]
    pub fn about(&self) -> &A {
        &self.cells.about().about
    }

    /// Whether these are the same rings.
    pub fn is(&self, other: &Self) -> bool {
        self.cells.is(&other.cells)
    }

    /// How many handles there are, at some moment during the call.
    pub fn handles(&self) -> usize {
        self.cells.about().handles.load(Relaxed)
    }

    /// From now on the rings take nothing, as if their consumers were gone: [`SeatRing::is_closed`].
    pub fn close(&self) {
        self.cells.shared().for_each(|tail| tail.consumer.leave());
    }

    /// How many items were pushed to all of them since they were made, those popped since included;
    /// wrapping.
    pub fn pushed(&self) -> usize {
        let tails = self.cells.shared();
        tails.fold(0, |sum, tail| sum.wrapping_add(tail.index.load()))
    }

    /// Asks for the line that a seat's ring begins with.
    #[inline]
    pub fn prefetch(&self, seat: &Seat) {
        self.cells.prefetch_write(seat);
    }

    /// A seat's ring; None if it has none, or is of another plan.
    #[inline]
    pub fn get<'a>(&'a self, seat: &'a mut Seat) -> Option<SeatRing<'a, T, X>> {
        let (tail, lane) = self.cells.get_with_shared(seat)?;
        Some(SeatRing { tail, lane })
    }
}

impl<T, X> SeatRing<'_, T, X> {
    /// The seat's value.
    #[inline]
    pub fn extra(&mut self) -> &mut X {
        &mut self.lane.extra
    }

    /// Pushes one item.
    ///
    /// # Errors
    ///
    /// [`Full`], with the item, if there is no free slot.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        let Self { tail, lane } = self;
        let Lane { pusher, body, .. } = &mut **lane;
        // SAFETY: it is the ring of this end.
        unsafe { pusher.push(&At { tail, body }, item) }
    }

    /// As [`push`](Self::push), of an item that is made only if there is a free slot; says whether
    /// there was.
    #[inline]
    pub fn push_with(&mut self, make: impl FnOnce() -> T) -> bool {
        let Self { tail, lane } = self;
        let Lane { pusher, body, .. } = &mut **lane;
        // SAFETY: it is the ring of this end.
        unsafe { pusher.push_with(&At { tail, body }, make) }
    }

    /// The number of the item that is pushed next, counted from the first one; wrapping.
    pub fn position(&self) -> usize {
        self.lane.pusher.tail()
    }

    /// How many items wait, those that are being popped included.
    pub fn waiting(&mut self) -> usize {
        let Self { tail, lane } = self;
        let Lane { pusher, body, .. } = &mut **lane;
        let capacity = pusher.capacity();
        capacity - pusher.free_for(capacity, &At { tail, body })
    }

    /// Whether nobody will pop what is pushed from now on: the consumer is gone, or the rings are
    /// [closed](SeatRings::close).
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.tail.consumer.is_gone()
    }
}

impl<T, X, A> Clone for SeatRings<T, X, A> {
    fn clone(&self) -> Self {
        // One that is cloned cannot be the last meanwhile.
        self.cells.about().handles.fetch_add(1, Relaxed);
        Self {
            cells: self.cells.clone(),
        }
    }
}

impl<T, X, A> Drop for SeatRings<T, X, A> {
    fn drop(&mut self) {
        // What was pushed through the other handles is ordered before the mark.
        if self.cells.about().handles.fetch_sub(1, AcqRel) == 1 {
            self.cells.shared().for_each(|tail| tail.producer.leave());
        }
    }
}

impl<T, X, A: fmt::Debug> fmt::Debug for SeatRings<T, X, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeatRings")
            .field("about", self.about())
            .field("pushed", &self.pushed())
            .finish_non_exhaustive()
    }
}
