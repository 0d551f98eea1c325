//! The load generator, the simulator and the host of corelane and the verbs of its command line, as a
//! library.
//!
//! | module | holds |
//! |---|---|
//! | [`generator`] | the link whose frames are made up or replayed, due at planned times |
//! | [`sink`], [`latency`] | what takes the packets, counts them and measures their latency |
//! | [`churn`] | addresses that come and go while traffic flows |
//! | [`run`] | an engine under a generator: set-up, windows, from counters to a report |
//! | [`links`] | a device under test on real links under a generator |
//! | [`selftest`] | what the tester finds out about itself |
//! | [`report`] | the report, its books, its JSON layout ([`report::schema`]) |
//! | [`profile`] | where the time of a run goes: samplers, stages, flame graphs |
//! | [`page`] | results as an HTML page |
//! | [`threads`] | how long threads are on a core, and wait for one |
//! | [`config`] | the configuration files of `sim` and `up` |
//! | [`sim`] | the simulator: the engine over captures, in virtual time |
//! | [`up`] | a host or router on real links |
//! | [`control`] | the control socket of `up`, and asking it |
//! | [`cli`], [`mod@unit`] | the command line, and values as people write them |
//! | [`verb`] | what each verb does |
//!
//! # A run
//!
//! ```text
//!   set up ──► warm-up ──► nothing in flight ──► window ──► nothing in flight ──► stop
//!                                          │                                 │
//!                                    counters before                  counters after
//! ```
//!
//! The books are those between the two readings of the counters. Because nothing is in flight at
//! either, they have to balance to the frame, and a run whose books do not ends with its own exit
//! status.

#![forbid(unsafe_code)]

pub mod churn;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod config;
pub mod control;
mod device;
pub mod doctor;
pub mod exit;
mod figures;
pub mod first_frames;
pub mod generator;
#[cfg(test)]
mod honesty;
mod host;
pub mod interrupt;
pub mod latency;
pub mod links;
pub mod machine;
pub mod page;
pub mod profile;
pub mod progress;
pub mod report;
pub mod run;
pub mod search;
pub mod selftest;
pub mod sim;
pub mod sink;
pub mod sockets;
pub mod threads;
pub mod top;
pub mod unit;
pub mod up;
pub mod verb;
