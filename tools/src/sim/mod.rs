//! The simulator: the engine over captures, in virtual time.
//!
//! ```text
//! captures ──┐                ┌─ distributor ─ worker ─ control ─┐
//! timeline ──┼─► next time ──►│      until all are at rest       │──► NIC.pcap, report
//! timers ────┘                └──────────────────────────────────┘
//! ```
//!
//! It is the engine that runs on real links, with its distributors, rings, workers and control
//! plane, but one thread polls them all, and time is what it says. At each time something happens
//! come the events of the configuration's timeline, then timers, then frames; each frame has run its
//! course before the next one comes. So the same input and seed give the same bytes, however many
//! workers there are.
//!
//! | module | holds |
//! |---|---|
//! | `inputs` | the captures as one sequence of frames |
//! | `link` | a NIC's link: gives frames at their time, writes down what is sent |
//! | `setup`, `run` | what a run is made from, and the loop |
//! | [`report`] | the report, and its JSON layout |
//! | `trace` | the way of each frame |
//! | [`frame_text`] | frames as text |
//!
//! What the timeline does and what takes packets is in `host`, which `up` has too.

pub mod frame_text;
mod inputs;
mod link;
pub mod report;
mod run;
mod setup;
mod trace;

pub use report::{End, SimReport};
pub use run::Simulation;
pub use setup::Files;
