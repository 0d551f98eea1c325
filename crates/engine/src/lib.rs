//! Workers, RSS, the stages of a frame's way, and the control thread.
//!
//! ```text
//!   link rx_burst ─► distributor: RSS ─► SPSC ring ─► worker: one snapshot per burst, the stages
//!                                                        │
//!   link tx_burst ◄─ distributor ◄────── SPSC ring ◄─────┴─► handler
//! ```
//!
//! A link with a queue for each worker is polled by the workers themselves, without a distributor.
//!
//! | module | holds |
//! |---|---|
//! | `link` | what the engine asks of a link |
//! | `rss` | hash, key, indirection table |
//! | `distributor` | from one receive queue to the workers' rings, and back |
//! | `worker` | polls its inputs, runs the stages |
//! | `node` | the stages, one file each |
//! | `control` | the control thread |
//! | `builder`, `engine` | putting it together, running it |
//! | `cores`, `idle` | where threads run, and what they do when there is nothing to do |
//! | `report` | what was counted |
#![forbid(unsafe_code)]

mod allocations;
mod builder;
mod control;
mod cores;
mod distributor;
mod engine;
mod idle;
pub mod link;
mod node;
mod places;
mod report;
pub mod rss;
mod worker;

pub use builder::{BuildError, Builder, NicConfig};
pub use control::Control;
pub use cores::{CoreError, allowed_cores};
pub use distributor::{Distributor, Polled, WhenFull};
pub use engine::{Engine, Parts, Running, StartError, Warning};
pub use idle::Idle;
pub use report::{DistributorReport, EngineReport, Monitor, NicReport, WorkerReport};
pub use worker::{Worker, WorkerId};
