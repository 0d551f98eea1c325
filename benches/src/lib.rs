//! Ours and the rival side by side.
//!
//! Each file in `benches/` is a program that measures one part of the project beside what it
//! stands against, in turns (A B A B ...), and prints medians, spreads and the ratios of
//! neighbouring samples:
//!
//! ```text
//! cargo bench -p corelane-benches --bench worker
//! cargo bench -p corelane-benches --bench worker -- worker-mixed/1m --rounds 40 --json worker.json
//! ```
//!
//! `cargo test -p corelane-benches` runs every body of every bench once at a tiny size; the bodies
//! assert that they did their work, never how long it took.
//!
//! | module | holds |
//! |---|---|
//! | [`harness`] | samples in turns, statistics, tables, the machine's conditions |
//! | [`random`] | the random numbers of all draws |
//! | [`traffic`] | addresses, frames and the link that feeds them to an engine |
//! | [`bed`] | an engine taken apart, to be fed and polled by hand |
//! | [`bare`] | the floors: what a ring alone costs |
//! | [`rings`] | our ring and its rivals behind one interface
//! | [`channel`] | how frames come to the rivals |
//! | [`naive`] | the rival: channel, `Vec`, `HashMap`, `RwLock`, a reference per packet |
//! | [`naive_router`] | the rival that forwards |
//! | [`naive_sockets`] | the rival with sockets |
#![forbid(unsafe_code)]

pub mod bare;
pub mod bed;
pub mod channel;
pub mod harness;
pub mod naive;
pub mod naive_router;
pub mod naive_sockets;
pub mod random;
pub mod rings;
pub mod traffic;
