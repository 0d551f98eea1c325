//! What the tester can do, found out before it says something of others.
//!
//! The JSON of the verb has `schema`, `verb`, `versions` and `machine`, and `clock` and `rss` as in `self_check`, as
//! [`report::schema`](crate::report::schema) has them, and:
//!
//! | field | what |
//! |---|---|
//! | `ceilings[]` | what the generator makes alone: `frames`, `pace`, `sink`, `pps`, `ns` (of each frame) |
//! | `ledger` | a run, and its books with one count changed: `frames`, `balances`, `spoiled` (changed counts), `found` (of these); null if it was interrupted before |
//! | `interrupted` | whether it was ended early by a signal |
//! | `passed` | whether all was tried, and is as it should be |

mod ceiling;
mod clock;
mod rss;
mod stalls;

use std::time::Duration;

use serde::Serialize;

pub use ceiling::{Ceiling, ceiling, ceiling_with_sink};
pub use clock::{ClockCheck, check_clock};
pub use rss::{RssCheck, check_rss};
pub use stalls::{CoreStalls, LEAST, check_cores};

use crate::generator::{Pace, Source};
use crate::interrupt::Interrupt;
use crate::run::Failure;

/// How long the generator is tried before each run.
const SHORT: Duration = Duration::from_millis(50);

/// Reads of the clock before each run.
const READS: u32 = 100_000;

/// What is found out before a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelfCheck {
    /// What the generator makes alone, in frames per second: its frames go nowhere.
    pub ceiling_pps: f64,
    /// The share of it that the run used; above 1 the machine was faster during the run than before it.
    pub ceiling_used: f64,
    /// The clock.
    pub clock: ClockCheck,
    /// Receive side scaling.
    pub rss: RssCheck,
}

impl SelfCheck {
    /// Tries the generator with the frames and the pace of the run.
    ///
    /// # Errors
    /// There is no memory for its frames, or it does not run.
    pub fn run(source: impl Source, pace: Pace) -> Result<Self, Failure> {
        // Too short to be interrupted.
        let interrupt = &Interrupt::default();
        Ok(Self {
            ceiling_pps: ceiling(source, pace, SHORT, interrupt)?.pps,
            ceiling_used: 0.0,
            clock: check_clock(READS),
            rss: check_rss(),
        })
    }

    /// With the share of a run that sent so many frames per second.
    pub fn used(mut self, pps: f64) -> Self {
        self.ceiling_used = pps / self.ceiling_pps.max(f64::MIN_POSITIVE);
        self
    }

    /// What is to be said of it to people who look at a result.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.clock.monotonic {
            warnings.push("the clock goes back: times mean nothing".to_owned());
        }
        if self.rss.wrong > 0 {
            let RssCheck { right, wrong } = self.rss;
            let all = right + wrong;
            warnings.push(format!(
                "{wrong} of {all} published RSS hashes are not ours"
            ));
        }
        warnings
    }
}
