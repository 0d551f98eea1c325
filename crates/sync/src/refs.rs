//! Kind and reference count of an endpoint in one atomic word.
//!
//! An endpoint is in one of four kinds and is held by any number of references. Both must change
//! together: an address removed while its last route is released must end either dead or alive,
//! and every thread must agree on which. So both live in one `u32`, and every transition is one
//! compare-and-swap of the whole word:
//!
//! ```text
//!  31                                             2 1    0
//! +------------------------------------------------+------+
//! |                     count                      | kind |      count == 0: dead, whatever the kind
//! +------------------------------------------------+------+
//! ```
//!
//! # The life of a word
//!
//! ```text
//!            reset(PermanentTentative)      reset(Permanent)           reset(Temporary)
//!                        |                         |                          |
//!                        v          settle         v                          v
//!               PermanentTentative ---------> Permanent <---- promote --- Temporary
//!                        |  ^      <---------   |   ^                         |
//!                        |  |       unsettle    |   |                         |
//!                 expire |  | promote    expire |   | promote                 | last release
//!                 (-1)   v  | (+1)       (-1)   v   | (+1)                    |
//!                       PermanentExpired     PermanentExpired                 |
//!                        |                         |                          |
//!                        +------ last release -----+--------------------------+--> dead --reset--> ...
//! ```
//!
//! * A permanent kind (tentative or settled) counts one reference more than it was asked for: the
//!   *bias*, which belongs to the address table. It keeps the count above zero for as long as the
//!   address is configured. [`Refs::expire`] gives it back, [`Refs::promote`] takes it again.
//! * [`Refs::settle`] and [`Refs::unsettle`] change the kind and leave the count alone: whoever holds
//!   an address that is to be checked anew goes on holding it.
//! * A temporary endpoint has no bias: the first reference is its creator's.
//! * **Zero is final.** Nothing counts up from it but [`Refs::reset`], which only the owner of the
//!   storage calls, once no other thread can reach the word any more.
//! * The step that reaches zero, and only that step, reports it ([`Release::Last`],
//!   [`Expire::Last`]): once per life. Whoever is told must see to it that the endpoint leaves the
//!   table and is closed.
//! * A count that cannot be held is refused, never wrapped. One place is kept for the bias, so that
//!   [`Refs::promote`] always has room.
//!
//! # Who writes, who reads, which edge orders what
//!
//! ```text
//!  owner            fill the endpoint -> reset (Release) -+
//!                                                         |  what the owner wrote is visible to
//!                                                         v  whoever took a reference
//!  worker / route            try_acquire (Acquire) -> use -> release (Release) -+
//!                                                                               |  every use is
//!                                                                               v  before the end
//!  the one told Last                                        release or expire (Acquire) -> unlink, close
//! ```
//!
//! Every transition reads and writes the word, so all of them form one release sequence that starts
//! at `reset`: an acquire at any later point of it sees what the owner wrote before, and the step
//! that reaches zero sees what every holder did before it let go. Steps that may end a life are
//! both acquire and release; taking a reference needs acquire only, since it publishes nothing.
//!
//! What the word does *not* give: permission to look at it. A thread that found the endpoint in a
//! snapshot may read it for as long as it holds that snapshot (see [`crate::snapshot`]); for longer
//! than that it needs a reference.

use crate::primitive::atomic::{AtomicU32, Ordering};

#[cfg(all(test, not(loom)))]
mod tests;

const KIND_MASK: u32 = 0b11;
const COUNT_SHIFT: u32 = 2;

/// The largest count a word holds.
const MAX_COUNT: u32 = u32::MAX >> COUNT_SHIFT;

/// What an endpoint of the address table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AddressKind {
    /// Configured, and still being checked for a duplicate: not to be used yet.
    PermanentTentative = 0,
    /// Configured and in use.
    Permanent = 1,
    /// Removed by configuration, but still held by someone.
    PermanentExpired = 2,
    /// Never configured: made for a packet or a route, gone with its last reference.
    Temporary = 3,
}

impl AddressKind {
    /// Whether the address is configured, settled or not: the kinds that carry the table's bias.
    #[inline]
    pub const fn is_permanent(self) -> bool {
        matches!(self, Self::PermanentTentative | Self::Permanent)
    }

    #[inline]
    const fn from_bits(bits: u32) -> Self {
        match bits & KIND_MASK {
            0 => Self::PermanentTentative,
            1 => Self::Permanent,
            2 => Self::PermanentExpired,
            _ => Self::Temporary,
        }
    }
}

/// Kind and count as they were at one instant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefState(u32);

impl RefState {
    #[inline]
    const fn new(kind: AddressKind, count: u32) -> Self {
        debug_assert!(count <= MAX_COUNT);
        Self(count << COUNT_SHIFT | kind as u32)
    }

    /// The kind. Meaningless when [dead](Self::is_dead).
    #[inline]
    pub const fn kind(self) -> AddressKind {
        AddressKind::from_bits(self.0)
    }

    /// The references, the table's bias included.
    #[inline]
    pub const fn count(self) -> u32 {
        self.0 >> COUNT_SHIFT
    }

    /// Whether nobody holds it, and nobody ever will again in this life.
    #[inline]
    pub const fn is_dead(self) -> bool {
        self.count() == 0
    }

    /// Whether the address is configured and settled, so that packets for it are taken.
    #[inline]
    pub const fn is_assigned(self) -> bool {
        matches!(self.kind(), AddressKind::Permanent) && !self.is_dead()
    }
}

impl std::fmt::Debug for RefState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefState")
            .field("kind", &self.kind())
            .field("count", &self.count())
            .finish()
    }
}

/// What giving references back came to.
#[must_use = "whoever gives the last reference back must have the endpoint unlinked and closed"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Others still hold it.
    Held,
    /// That was the last one: the endpoint is dead, and the caller is the only one who is told.
    Last,
}

/// What [`Refs::expire`] came to.
#[must_use = "whoever gives the last reference back must have the endpoint unlinked and closed"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// Removed; others still hold it.
    Held,
    /// Removed, and nobody held it: the endpoint is dead, and the caller is the only one told.
    Last,
    /// Not a configured address (any more): nothing changed.
    NotPermanent,
}

/// What [`Refs::promote`] came to.
#[must_use = "a dead endpoint must be replaced by a new one"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promote {
    /// The same endpoint is configured (again), and the table's bias is taken.
    Done,
    /// Too late, its last reference is gone: the caller needs a new endpoint.
    Dead,
    /// It is configured already: nothing changed.
    AlreadyPermanent,
}

/// Kind and count of one endpoint. A word of zeros is a dead one.
#[repr(transparent)]
#[cfg_attr(not(loom), derive(zerocopy::FromZeros))]
pub struct Refs(AtomicU32);

impl Refs {
    /// The most references that can be held beside the table's bias.
    pub const MAX: u32 = MAX_COUNT - 1;

    /// A dead word: count 0.
    #[cfg(not(loom))]
    pub const fn zeroed() -> Self {
        Self(AtomicU32::new(0))
    }

    /// A dead word: count 0.
    #[cfg(loom)]
    pub fn zeroed() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Begins a life with count 1: the table's bias for a permanent kind, the creator's reference
    /// for a temporary one. What was written to the endpoint before is visible to whoever takes a
    /// reference.
    ///
    /// Only the owner of the storage may call this, after the previous life is over and no thread
    /// is left that could still find the word.
    ///
    /// # Panics
    ///
    /// If `kind` is [`AddressKind::PermanentExpired`], in which nothing begins. In debug builds also
    /// if the word is not dead; without them a live word is left as it is, which leaks an endpoint
    /// but frees nothing that is in use.
    pub fn reset(&self, kind: AddressKind) {
        assert!(
            kind != AddressKind::PermanentExpired,
            "no endpoint begins its life expired"
        );
        let begun = self.update(Ordering::AcqRel, |state| {
            if state.is_dead() {
                Ok((RefState::new(kind, 1), true))
            } else {
                Err(false)
            }
        });
        debug_assert!(begun, "reset of an endpoint that is alive");
    }

    /// Kind and count as one view.
    #[inline]
    pub fn load(&self) -> RefState {
        RefState(self.0.load(Ordering::Acquire))
    }

    /// Takes a reference: `n` becomes `n + 1`, only if `n > 0`. Returns false if it is dead, or if
    /// the count is at its [limit](Self::MAX).
    #[inline]
    pub fn try_acquire(&self) -> bool {
        self.try_acquire_many(1)
    }

    /// Takes `n` references or none. Returns false if it is dead, or if the count would pass its
    /// [limit](Self::MAX).
    #[inline]
    pub fn try_acquire_many(&self, n: u32) -> bool {
        self.update(Ordering::Acquire, |state| {
            let count = state.count();
            if count == 0 {
                return Err(false);
            }
            match count.checked_add(n) {
                Some(more) if more <= Self::MAX => Ok((RefState::new(state.kind(), more), true)),
                _ => Err(false),
            }
        })
    }

    /// Gives one reference back. See [`release_many`](Self::release_many).
    #[inline]
    pub fn release(&self) -> Release {
        self.release_many(1)
    }

    /// Gives `n` references back. [`Release::Last`] is reported exactly once per life.
    ///
    /// # Panics
    ///
    /// In debug builds, if more is given back than was taken: the table's bias is given back by
    /// [`expire`](Self::expire) only. Without them the count stops there, and never wraps.
    #[inline]
    pub fn release_many(&self, n: u32) -> Release {
        let (outcome, exact) = self.update(Ordering::AcqRel, |state| {
            let floor = u32::from(state.kind().is_permanent());
            let held = state.count().saturating_sub(floor);
            let exact = n <= held;
            let gone = n.min(held);
            if gone == 0 {
                return Err((Release::Held, exact));
            }
            let left = state.count() - gone;
            let outcome = if left == 0 {
                Release::Last
            } else {
                Release::Held
            };
            Ok((RefState::new(state.kind(), left), (outcome, exact)))
        });
        debug_assert!(exact, "more references given back than were taken");
        outcome
    }

    /// A tentative address is found to be no duplicate: [`AddressKind::PermanentTentative`] becomes
    /// [`AddressKind::Permanent`]. Returns false, and changes nothing, if it was anything else.
    pub fn settle(&self) -> bool {
        self.update(Ordering::AcqRel, |state| {
            if state.kind() == AddressKind::PermanentTentative && !state.is_dead() {
                Ok((RefState::new(AddressKind::Permanent, state.count()), true))
            } else {
                Err(false)
            }
        })
    }

    /// A settled address is to be checked for a duplicate again, as on an interface that comes back
    /// up (RFC 4862 section 5.4): [`AddressKind::Permanent`] becomes
    /// [`AddressKind::PermanentTentative`], and the count stays. Returns false, and changes nothing,
    /// if it was anything else.
    pub fn unsettle(&self) -> bool {
        self.update(Ordering::AcqRel, |state| {
            if state.is_assigned() {
                let tentative = AddressKind::PermanentTentative;
                Ok((RefState::new(tentative, state.count()), true))
            } else {
                Err(false)
            }
        })
    }

    /// Removes the address: a permanent kind becomes [`AddressKind::PermanentExpired`] and the
    /// table's bias is given back, in one step. Of two removals at once, one succeeds.
    pub fn expire(&self) -> Expire {
        self.update(Ordering::AcqRel, |state| {
            if !state.kind().is_permanent() || state.is_dead() {
                return Err(Expire::NotPermanent);
            }
            let left = state.count() - 1;
            let outcome = if left == 0 {
                Expire::Last
            } else {
                Expire::Held
            };
            Ok((RefState::new(AddressKind::PermanentExpired, left), outcome))
        })
    }

    /// Configures an address whose endpoint is expired or temporary and still held: the kind
    /// becomes `to` and the table's bias is taken, in one step.
    ///
    /// # Panics
    ///
    /// If `to` is not a permanent kind.
    pub fn promote(&self, to: AddressKind) -> Promote {
        assert!(to.is_permanent(), "promotion is to a permanent kind");
        self.update(Ordering::AcqRel, |state| {
            if state.is_dead() {
                Err(Promote::Dead)
            } else if state.kind().is_permanent() {
                Err(Promote::AlreadyPermanent)
            } else {
                // No overflow: without the bias the count is at most `Self::MAX`.
                Ok((RefState::new(to, state.count() + 1), Promote::Done))
            }
        })
    }

    /// Replaces the word by what `step` makes of it, however often others get in between, or leaves
    /// it when `step` refuses. `order` is that of a replacement; a refusal acquires too, since the
    /// caller acts upon what it was told.
    #[inline]
    fn update<R>(&self, order: Ordering, step: impl Fn(RefState) -> Result<(RefState, R), R>) -> R {
        let mut state = self.load();
        loop {
            match step(state) {
                Err(refused) => return refused,
                Ok((next, done)) => {
                    match self
                        .0
                        .compare_exchange_weak(state.0, next.0, order, Ordering::Acquire)
                    {
                        Ok(_) => return done,
                        Err(seen) => state = RefState(seen),
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Refs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.load();
        f.debug_struct("Refs")
            .field("kind", &state.kind())
            .field("count", &state.count())
            .finish()
    }
}
