//! Comparing two results: is the difference real?
//!
//! | module | holds |
//! |---|---|
//! | `side`, `fields` | what a result of `bench`, `replay` or `search` has to be compared: figures, and the conditions under which they were measured |
//! | `conditions` | what differs between two sides beside what is compared |
//! | `verdict`, `permutation` | the ratio, and whether it is chance: no test here takes a distribution for granted |
//! | `rounds`, `child` | A and B run in turns (A B, B A, A B ...), so that a machine that grows slower does so to both; each run is a process, which ends with this one |
//! | `report` | for people and for machines |
//!
//! Two runs one after the other differ by what the machine did meanwhile, on a virtual machine by half.
//! Samples within a run do not know of that: what is said of two files is said of those two runs. Rounds
//! are what tells two versions apart.

mod child;
mod conditions;
mod fields;
mod permutation;
mod report;
mod rounds;
mod side;
mod verdict;

pub use conditions::Difference;
pub use report::Comparison;
pub use rounds::{Rounds, Turns};
pub use side::{Better, Figure, NotAResult, Side};
pub use verdict::{Compared, Judge, Summary, Verdict};

#[cfg(test)]
mod tests;
