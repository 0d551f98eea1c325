//! Runs what is to be compared in turns and reports it.
//!
//! Why not a ready-made harness: on a virtual machine the same code runs a third slower a minute
//! later, so cases measured one after the other cannot be compared. Here each *round* takes one
//! short sample of every case of a group, and a ratio is that of two samples of the same round.
//!
//! And why not a median of what a sample measured: a hypervisor takes the core for some 2 µs, here 8,000 to 20,000 times
//! a second (each bench prints how often it was at its start), and what is measured at a time is about as long as lies
//! between. A sample stands for what the code takes where nothing was taken from it: see [`Average`].
//!
//! | module | holds |
//! |---|---|
//! | `options` | the command line |
//! | `suite` | [`Bench`], [`Group`]: what is measured |
//! | `sample` | [`Budget`], [`Sample`]: one turn of one case |
//! | `cores` | pinning, a second thread beside the measured one |
//! | `probe` | what a hypervisor does to the cores at the moment |
//! | `stats` | medians and spreads |
//! | `machine` | where this was measured |
//! | `report` | the table and the JSON |

mod cores;
mod machine;
mod options;
mod probe;
mod report;
mod sample;
mod stats;
mod suite;

pub use cores::{Scheduled, Stop, beside, have_two_cores, of_this_thread};
pub use machine::Machine;
pub use options::Options;
pub use probe::{Distance, Taken};
pub use sample::{Average, Budget, Sample, Size, in_rounds, in_windows};
pub use stats::{Spread, median, quantile};
pub use suite::{Bench, Bound, Group, Measured};
