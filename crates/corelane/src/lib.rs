//! A lock-free sharded dataplane engine: it takes bursts of Ethernet frames from links, spreads
//! them over workers by flow, looks up whom they are for, and gives them to handlers.
//!
//! ```text
//! link ──► RSS ──► SPSC ring ──► worker: one snapshot per burst ──► parse ──► lookup ──► handler
//! ```
//!
//! Each worker has its own handler, counters and buffers. Between a link and a handler there is no
//! lock (but for one [named exception](docs::architecture#control-plane-and-datapath)), no
//! allocation and no line that two cores write per packet; addresses are added and removed from any
//! thread meanwhile. It is a library to be embedded: it needs no privilege, no device and no huge
//! pages, and its threads can be yours.
//!
//! # Example
//!
//! ```
#![doc = include_str!("../examples/echo.rs")]
//! ```
//!
//! # Where to look
//!
//! | module | crate | holds |
//! |---|---|---|
//! | [`prelude`] | | what an embedder uses |
//! | [`engine`] | `corelane-engine` | builder, workers, RSS, the stages, reports |
//! | [`stack`] | `corelane-stack` | NICs, addresses, delivery, drop reasons, events |
//! | [`io`] | `corelane-io` | links: memory, capture files, TAP, AF_PACKET, AF_XDP |
//! | [`frame`] | `corelane-frame` | frame pool, frame handle, burst |
//! | [`sync`] | `corelane-sync` | ring, snapshot, references, counters, depot, doorbell |
//! | [`wire`] | `corelane-wire` | header views, builders, checksums |
//! | [`docs`] | | how it works and why, and what it does not do |
//!
//! What it does not do yet is listed in [`docs::limits`].
#![forbid(unsafe_code)]

pub mod docs;
pub mod prelude;

pub use corelane_engine as engine;
pub use corelane_frame as frame;
pub use corelane_io as io;
pub use corelane_stack as stack;
pub use corelane_sync as sync;
pub use corelane_wire as wire;
