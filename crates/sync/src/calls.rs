//! Counting that something was changed, for a thread that looks at changes in rounds.
//!
//! ```text
//!   any thread                    the thread that looks
//!     a change is made              remembers the count
//!     count + 1                     one round: sees the changes up to there, and maybe more
//!     rings                         about to sleep: has the count changed? then not
//! ```
//!
//! A bell that rings while its thread is awake rings for nothing; the count is what the thread sees instead
//! before it [sleeps](crate::doorbell::Sleeper::sleep).

use crate::primitive::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

/// How often something was changed.
#[derive(Default)]
pub struct Calls(AtomicU64);

impl Calls {
    /// Counts a change that was made: whoever sees the [count](Self::count) sees the change. The bell is to be rung
    /// after this.
    pub fn note(&self) {
        self.0.fetch_add(1, Release);
    }

    /// Changes so far. The thread that looks remembers this before a round, and does not sleep if it is another
    /// after.
    pub fn count(&self) -> u64 {
        self.0.load(Acquire)
    }
}
