//! Where the time of a run goes: a bench under a sampler.
//!
//! ```text
//!   bench ─ window begins ─► sampler on ─► window ends ─► sampler off ─► folded stacks
//!                                                                          ├─► flame graph
//!                                                                          └─► table of stages
//! ```
//!
//! A sampler interrupts the threads of this process again and again and notes what they were in.
//! [`perf`](Sampler::Perf) attaches from outside; where it is missing or the kernel refuses it, a timer's signal
//! does it [from inside](Sampler::InProcess). Either needs no special build: stacks are unwound by the tables that
//! every build has (DWARF), or, by perf and in a build that keeps them, by frame pointers.
//!
//! # Stages
//!
//! A sample belongs to the innermost function of its stack that is part of a stage: of the engine's nodes by their
//! names (they are not inlined, for that), and of the parts around them ([`stage`]). What is in none is shown as
//! such.
//!
//! The nanoseconds that a stage takes of each packet are its share of the samples of its threads, of the time that
//! these threads were on a core (as the kernel counts it), by the packets they had. Threads that poll are always
//! on a core: what a worker that waits does is in the figures, as part of the stages that look for work.
//!
//! # The JSON layout, version 1
//!
//! | field | what |
//! |---|---|
//! | `schema`, `kind` | 1, `profile` |
//! | `versions`, `machine`, `warnings` | as in [`report::schema`](crate::report::schema) |
//! | `sampler` | `name` (`perf`, `in-process`), `event`, `unwinding`, `frequency_hz` that was asked for |
//! | `samples`, `lost` | taken, and taken but lost (null if that is not known) |
//! | `threads[]` | `group`, `threads`, `samples`, `cpu_ns` on a core in the window (null if not known), `packets` (null where it has no meaning) |
//! | `stages[]` | `group`, `stage`, `samples`, `share` of all samples, `share_of_group`, `ns_per_packet` and `packets_per_call` (null if not known) |
//! | `difference` | null without `--diff`; `against`, `stages[]` of `group`, `stage`, `before`, `after` (shares of the group; null if there are no samples of it) |
//! | `folded`, `flamegraph`, `difference_flamegraph` | files that were written |
//! | `bench` | the result of the run, as `bench --json` has it |

mod difference;
mod figures;
mod flamegraph;
mod folded;
#[cfg(feature = "in-process-sampler")]
mod in_process;
mod perf;
mod result;
mod sampler;
pub mod stage;
#[cfg(test)]
mod tests;
mod text;

pub use difference::{Difference, StageDifference};
pub use figures::{GroupFigures, Load, StageFigures};
pub use flamegraph::{draw, draw_difference};
pub use folded::{Folded, FoldedError};
pub use result::{Files, Profile};
pub use sampler::{Choice, Recording, Sampled, Sampler, SamplerShare, Unavailable};
