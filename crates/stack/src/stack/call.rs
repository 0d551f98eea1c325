//! Calling the control plane: something has changed that its thread has to look at.
//!
//! Its rounds and its sleep are those of [`calls`](corelane_sync::calls).

use std::sync::OnceLock;

use corelane_sync::calls::Calls;
use corelane_sync::doorbell::Doorbell;

use super::Stack;

#[derive(Default)]
pub(crate) struct ControlCall {
    calls: Calls,
    bell: OnceLock<Doorbell>,
}

impl ControlCall {
    /// There is something to look at.
    pub(crate) fn call(&self) {
        self.calls.note();
        if let Some(bell) = self.bell.get() {
            bell.ring();
        }
    }
}

impl Stack {
    /// Has `bell` rung when there is something for the control plane to look at: a timer may be due
    /// earlier, or something was let go of. The first bell stays.
    pub fn ring_control(&self, bell: Doorbell) {
        // A second one could only be another engine's, which a stack does not have.
        let _ = self.shared.call.bell.set(bell);
    }

    /// Rings it.
    pub fn call_control(&self) {
        self.shared.call.call();
    }

    /// How often it was called. Whoever sleeps until the bell rings remembers this before a round, and
    /// does not sleep if it is another after.
    pub fn control_calls(&self) -> u64 {
        self.shared.call.calls.count()
    }
}
