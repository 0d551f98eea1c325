//! What is to go wrong, and how often.

use std::time::Duration;

use corelane_frame::BURST;
use corelane_stack::Clock;
use thiserror::Error;

/// The least frames that a direction can be allowed to hold back.
pub(super) const LEAST_QUEUE: usize = 4 * BURST;

/// The most.
const MOST_QUEUE: usize = 1 << 20;

/// The longest delay, jitter, stall and time between stalls.
const LONGEST: Duration = Duration::from_secs(3600);

/// What goes wrong on a link.
#[derive(Clone, Debug)]
pub struct FaultsConfig {
    /// What random draws begin with.
    pub seed: u64,
    /// What the times of delays and stalls are told by; stalls count from its start.
    pub clock: Clock,
    /// What happens to frames on their way to the engine.
    pub rx: FaultPlan,
    /// What happens to frames that the engine sends.
    pub tx: FaultPlan,
}

impl Default for FaultsConfig {
    /// Seed 1, the system's clock, and nothing that goes wrong.
    fn default() -> Self {
        Self {
            seed: 1,
            clock: Clock::system(),
            rx: FaultPlan::default(),
            tx: FaultPlan::default(),
        }
    }
}

/// How many of the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Share {
    /// None.
    #[default]
    None,
    /// Exactly one in so many: of each queue the `n`th, the `2n`th, and so on.
    OneIn(u64),
    /// Each with this probability, 0 to 1.
    Ratio(f64),
}

impl Share {
    /// Exactly one in `n`; none if `n` is 0.
    pub const fn one_in(n: u64) -> Self {
        if n == 0 { Self::None } else { Self::OneIn(n) }
    }

    fn is_none(self) -> bool {
        matches!(self, Self::None | Self::OneIn(0)) || self == Self::Ratio(0.0)
    }

    fn is_valid(self) -> bool {
        match self {
            Self::None | Self::OneIn(_) => true,
            Self::Ratio(ratio) => (0.0..=1.0).contains(&ratio),
        }
    }
}

/// A standstill, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How long nothing moves.
    pub lasts: Duration,
    /// From the beginning of one to that of the next; the first begins with the clock.
    pub every: Duration,
}

/// What happens to the frames of one direction. All of it may go together; a frame meets it in the
/// order of the fields.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// Frames that vanish.
    pub drop: Share,
    /// Frames, of those left, in which bits are flipped.
    pub corrupt: Share,
    /// How many bits of such a frame, each somewhere in it.
    pub corrupt_bits: u32,
    /// Frames that come twice, the second right behind the first.
    pub duplicate: Share,
    /// Frames that are overtaken.
    pub reorder: Share,
    /// How many frames overtake one.
    pub reorder_by: usize,
    /// How long a frame waits for those to overtake it.
    pub reorder_wait: Duration,
    /// What is added to each frame's way.
    pub delay: Duration,
    /// And beyond that, from nothing to this, drawn evenly. It does not reorder: who has less to wait
    /// waits for who is in front.
    pub jitter: Duration,
    /// Nothing moves for a while, again and again.
    pub stall: Option<Stall>,
    /// Frames held back at most, of each queue; what comes when they are so many is dropped, and
    /// counted as `overflow`. They are frames of the engine's pool: 256 or more.
    pub queue: usize,
}

impl Default for FaultPlan {
    /// Nothing; but where something is said, one bit, one frame, 10 ms, and 4096 frames.
    fn default() -> Self {
        Self {
            drop: Share::None,
            corrupt: Share::None,
            corrupt_bits: 1,
            duplicate: Share::None,
            reorder: Share::None,
            reorder_by: 1,
            reorder_wait: Duration::from_millis(10),
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            stall: None,
            queue: 4096,
        }
    }
}

/// A plan that cannot be followed.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum FaultsError {
    /// A probability that is none.
    #[error("{direction}: {what}: {ratio} is no share: it is 0 to 1")]
    Ratio {
        /// `rx` or `tx`.
        direction: &'static str,
        /// Of what.
        what: &'static str,
        /// What was asked for.
        ratio: f64,
    },
    /// A time beyond an hour.
    #[error("{direction}: {what}: a time is 1 hour at most")]
    TooLong {
        /// `rx` or `tx`.
        direction: &'static str,
        /// Of what.
        what: &'static str,
    },
    /// A stall that never ends.
    #[error("{direction}: stall: one that lasts as long as it is to the next never ends")]
    NeverEnds {
        /// `rx` or `tx`.
        direction: &'static str,
    },
    /// Too few or too many frames to hold back.
    #[error("{direction}: queue: {frames} frames, and {LEAST_QUEUE} to {MOST_QUEUE} can be")]
    Queue {
        /// `rx` or `tx`.
        direction: &'static str,
        /// What was asked for.
        frames: usize,
    },
    /// Overtaken by nobody, or by more than can be held back.
    #[error("{direction}: reorder_by: {frames} frames, and 1 to the queue's can be")]
    ReorderBy {
        /// `rx` or `tx`.
        direction: &'static str,
        /// What was asked for.
        frames: usize,
    },
}

impl FaultPlan {
    /// Whether nothing goes wrong.
    pub fn is_empty(&self) -> bool {
        let shares = [self.drop, self.corrupt, self.duplicate, self.reorder];
        shares.into_iter().all(Share::is_none)
            && (self.delay, self.jitter) == (Duration::ZERO, Duration::ZERO)
            && self.stall.is_none_or(|stall| stall.lasts.is_zero())
    }

    pub(super) fn check(&self, direction: &'static str) -> Result<(), FaultsError> {
        for (what, share) in [
            ("drop", self.drop),
            ("corrupt", self.corrupt),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
        ] {
            if let Share::Ratio(ratio) = share
                && !share.is_valid()
            {
                return Err(FaultsError::Ratio {
                    direction,
                    what,
                    ratio,
                });
            }
        }
        let stall = self.stall.map_or(Duration::ZERO, |stall| stall.every);
        for (what, time) in [
            ("delay", self.delay),
            ("jitter", self.jitter),
            ("reorder_wait", self.reorder_wait),
            ("stall", stall),
        ] {
            if time > LONGEST {
                return Err(FaultsError::TooLong { direction, what });
            }
        }
        if self
            .stall
            .is_some_and(|stall| !stall.lasts.is_zero() && stall.lasts >= stall.every)
        {
            return Err(FaultsError::NeverEnds { direction });
        }
        let frames = self.queue;
        if !(LEAST_QUEUE..=MOST_QUEUE).contains(&frames) {
            return Err(FaultsError::Queue { direction, frames });
        }
        let frames = self.reorder_by;
        if !(1..=self.queue).contains(&frames) {
            return Err(FaultsError::ReorderBy { direction, frames });
        }
        Ok(())
    }
}
