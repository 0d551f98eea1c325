//! The load generator of corelane and the verbs of its command line, as a library.

#![forbid(unsafe_code)]

pub mod clock;
pub mod generator;
pub mod latency;
pub mod unit;
