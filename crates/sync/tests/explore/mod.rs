//! Runs a loom model, and sees to it that the model reaches what it is about.
//!
//! loom looks for other orders where two accesses collide, but remembers only the last access to
//! each atomic: a thread's own load hides another's load from the write that follows it. An
//! operation that only looks, and is the first to run, would never be tried after a compare-and-swap
//! of another thread. So the models [`pass`] a common gate before each of their operations, whose
//! collisions loom does not miss. The gate is relaxed and orders nothing by itself.

#![expect(
    clippy::disallowed_types,
    reason = "what the executions tell is collected outside of them"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use loom::sync::atomic::{AtomicUsize, Ordering};

loom::lazy_static! {
    /// One for each execution, made before its threads are.
    static ref GATE: AtomicUsize = AtomicUsize::new(0);
}

/// Lets any other thread go first.
pub(crate) fn pass() {
    GATE.fetch_add(1, Ordering::Relaxed);
}

/// Explores `model` with at most `preemptions` involuntary switches per execution; nearly all
/// ordering bugs need one or two. Each execution tells how it went, and each of `outcomes` must
/// come about in some execution: a model that never gets to the race proves nothing.
pub(crate) fn explore(
    preemptions: usize,
    outcomes: impl IntoIterator<Item = &'static str>,
    model: impl Fn() -> &'static str + Send + Sync + 'static,
) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check({
        let seen = Arc::clone(&seen);
        move || {
            pass();
            let outcome = model();
            seen.lock().unwrap().insert(outcome);
        }
    });
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen, outcomes.into_iter().collect());
}
