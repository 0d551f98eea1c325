//! Searching for the highest load that a system takes: MLRsearch (RFC 9971).
//!
//! | module | holds |
//! |---|---|
//! | `goal`, `trial` | what is asked, what is measured, and the trait of who measures ([`Measurer`]) |
//! | `classify` | is a load a lower bound? The RFC's logic, to the letter |
//! | `evidence` | how sure a bound is |
//! | `target`, `pursuit` | coarse steps to a goal, and which load to measure next for it |
//! | `record`, `controller` | the trials and the bounds they make; the search for all goals at once |
//! | `on_bed`, `burst` | trials on the engine in this process or on real links, and what is lost there; back-to-back frames |
//! | `suite`, `forecast` | sizes, repeats and what follows from a result; how long it is going to take |
//! | `ledger` | what became of the frames of all trials |
//! | `slo` | whether what was found is what was asked for |
//! | `report`, `text` | the report ([`SearchReport`]) |
//!
//! ```text
//!   warm-up ──► largest load ──► what came through ──► what came through of that
//!                                                              │
//!        ┌── the smallest load that a goal asks for ◄──────────┘
//!        ▼                                         ▲
//!      trial ──► record ──► bounds of each goal ───┘ until all are narrow enough
//! ```
//!
//! What is this implementation's choice, where the RFC leaves it open: the order of loads, the steps to
//! a goal (each with a quarter of the time and twice the width of the next), and that the width is a
//! difference relative to the upper bound.
//!
//! # Where a machine is noisy
//!
//! A trial whose loss something else than the system may have caused (its cores were taken away) is set aside
//! and done again, for twice the time that decides; what is there even then is no chance, and counts from then on.
//! Where the tester did not send what was due that is so after three trials: a search whose limit is the tester
//! ends, and says so. A search has a time ([`Goal::patience`]) after which it ends with the bounds that it has: for each of them
//! the report says in how many trials the goal was met, and how probable that makes it ([`Evidence`]).

mod burst;
mod classify;
mod controller;
mod evidence;
mod forecast;
mod goal;
mod goal_text;
mod ledger;
mod on_bed;
mod pursuit;
mod record;
mod report;
mod slo;
mod suite;
mod target;
mod text;
mod trial;

pub use burst::BackToBack;
pub use controller::{Ended, Found, GoalResult, Irregular, Limits, SearchError, search};
pub use evidence::Evidence;
pub use goal::{Attributes, Goal, GoalError};
pub use goal_text::GoalText;
pub use ledger::{Books, Lost};
pub use report::{
    GoalReport, RepeatReport, ScalingPoint, SearchReport, Searched, SizeReport, StreamUnderLoad,
    TrialReport, UnderLoad,
};
pub use slo::{check_targets, reached, under_most};
pub use suite::{Results, Suite};
pub use trial::{Load, Measurer, Spoiler, Trial, TrialInput};

#[cfg(test)]
mod tests;
