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
//! Beside it, control packets go to the control thread and come back as frames to send:
//!
//! ```text
//!   worker ──punt──► SPSC ring ─► control ─► the NIC's queue ──inject──► distributor (or worker)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `link` | what the engine asks of a link |
//! | `rss` | hash, key, indirection table |
//! | `distributor` | from one receive queue to the workers' rings, and back |
//! | `worker`, `port` | polls its inputs, runs the stages; one NIC as one worker serves it |
//! | `node` | the stages, one file each |
//! | `punt` | control packets on their way to the control thread |
//! | `trace` | watching frames on their way |
//! | `control` | the control thread |
//! | `lifecycle` | NICs that come and go while the engine runs |
//! | `command` | what the control plane asks of a running worker |
//! | `wiring` | connecting a NIC's link to the workers |
//! | `builder`, `engine` | putting it together, running it |
//! | `cores`, `idle` | where threads run, and what they do when there is nothing to do |
//! | `report` | what was counted |
#![forbid(unsafe_code)]

mod allocations;
mod builder;
mod command;
mod control;
mod cores;
mod distributor;
mod engine;
mod idle;
mod lifecycle;
pub mod link;
mod node;
mod places;
mod port;
mod punt;
mod report;
pub mod rss;
pub mod trace;
mod wiring;
mod worker;

pub use builder::{BuildError, Builder};
pub use control::Control;
pub use corelane_stack::NicConfig;
pub use cores::{CoreError, allowed_cores};
pub use distributor::{Distributor, Polled, WhenFull};
pub use engine::{Engine, Parts, Running, StartError, Warning};
pub use idle::Idle;
pub use lifecycle::{CreateNicError, EnableNicError, Lifecycle, UnknownNic};
pub use report::{Backlog, DistributorReport, EngineReport, Monitor, NicReport, WorkerReport};
pub use trace::{Actor, Tracer};
pub use worker::{Worker, WorkerId};
