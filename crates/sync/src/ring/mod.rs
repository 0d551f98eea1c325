//! A bounded ring between one producing and one consuming thread, moved through by bursts.
//!
//! ```text
//!       head, on the consumer's line       tail, on the producer's line
//!         │ the next to pop                  │ the next to push
//!         ▼                                  ▼
//!  ┌────┬────┬────┬────┬────┬────┬────┬────┬────┬────┐
//!  │free│item│item│item│item│item│item│item│free│free│  slot of index i: i & (capacity - 1)
//!  └────┴────┴────┴────┴────┴────┴────┴────┴────┴────┘
//!       └───────── the consumer's ────────┘└ the producer's, wrapping
//! ```
//!
//! **Ownership.** Head and tail run freely (they wrap only with `usize`); `tail - head` is the
//! number of items. Slots from head to tail are the consumer's, the others the producer's. Only the
//! producer stores the tail, only the consumer stores the head, so neither needs a
//! read-modify-write.
//!
//! **Ordering.** The producer writes slots, then stores the tail with `Release`; the consumer loads
//! the tail with `Acquire`, then reads those slots: the items have arrived. The consumer reads
//! slots, then stores the head with `Release`; the producer loads the head with `Acquire`, then
//! overwrites those slots: the reads are over. Nothing else is shared.
//!
//! **Cost.** Each end remembers the other's index as it last saw it and looks again only when that
//! is not enough for what it was asked to move. Moving by bursts, a cache line of indices crosses
//! between the cores once per burst, and the items are copied in at most two pieces. Where rings are
//! many and each is pushed to now and then, what counts is how many lines a push touches: [`SeatRings`].
//!
//! Full is an outcome, not a wait: what does not fit stays with the caller.

mod consumer;
mod producer;
mod pusher;
mod seats;
mod shared;
mod slots;
#[cfg(all(test, not(loom)))]
mod tests;

pub use consumer::Consumer;
pub use producer::Producer;
pub use seats::{SeatConsumer, SeatRing, SeatRings};

use crate::primitive::Arc;
use shared::Shared;

/// The least number of slots; smaller requests are rounded up to it.
pub const MIN_CAPACITY: usize = 2;

/// The most slots a ring can have: 2³¹.
pub const MAX_CAPACITY: usize = 1 << 31;

/// Why a ring could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// A ring of no slots was asked for.
    #[error("a ring needs at least one slot")]
    Zero,
    /// More slots were asked for than [`MAX_CAPACITY`], or than memory can hold.
    #[error("a ring has at most {MAX_CAPACITY} slots, and no more than memory can hold")]
    TooLarge,
}

/// The ring was full; here is the item back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ring is full")]
pub struct Full<T>(pub T);

/// Makes a ring of at least `capacity` items, rounded up to a power of two, and gives out its two
/// ends.
///
/// Each end is for one thread at a time, by type: it can be sent to another thread, but not shared.
/// Items still inside when the second end is dropped are dropped with it, each once.
///
/// # Errors
///
/// [`RingError::Zero`] if `capacity` is 0; [`RingError::TooLarge`] if it is over [`MAX_CAPACITY`]
/// or the slots cannot be allocated.
pub fn ring<T: Send>(capacity: usize) -> Result<(Producer<T>, Consumer<T>), RingError> {
    let shared = Arc::new(Shared::new(capacity)?);
    Ok((Producer::new(Arc::clone(&shared)), Consumer::new(shared)))
}
