//! A NIC under threads that do everything at once (BEHAVIOURS P), checked against a sequential
//! model.
//!
//! A round is a new NIC, a few threads with a few operations each, and few addresses, so that they
//! meet. Each thread writes down what it called, what it got, and when it began and was done, by
//! stamps of one counter. Then [`check`] searches for an order of steps in which the [`model`] does
//! the same; there is none if something was lost, done twice, or seen that was over. What the model
//! allows to be seen in between is said there.
//!
//! The plan of a round (who does what, with which pauses) is a function of its seed; which thread
//! is how fast is the machine's. So a plan that failed may have to run often to fail again. A seed
//! and a number of rounds make a run; with a round's number too, all rounds have its plan:
//!
//! ```text
//! CORELANE_STRESS_SEED=1 CORELANE_STRESS_ROUNDS=100000 cargo test -p corelane --test stress mixes
//! CORELANE_STRESS_ROUND=67 CORELANE_STRESS_ROUNDS=100000 cargo test -p corelane --test stress p4_add
//! ```
//!
//! The number of rounds is fixed, not their time. Every failure prints the seed, the round and the
//! history.

#![allow(unreachable_pub, reason = "one test, of several files")]

mod check;
mod check_tests;
#[path = "../common/mod.rs"]
mod common;
mod engine;
mod mixes;
mod model;
mod one_endpoint;
mod plan;
mod races;
mod routers;
mod run;
mod step;
