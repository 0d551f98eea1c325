//! crossbeam's parker, as far as the doorbell uses it, over loom's `Notify`.

use loom::sync::{Arc, Notify};
use std::time::Instant;

/// Waits for a token; made for one thread.
pub(crate) struct Parker {
    unparker: Unparker,
}

/// Hands the token over.
#[derive(Clone)]
pub(crate) struct Unparker {
    token: Arc<Notify>,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self {
            unparker: Unparker {
                token: Arc::new(Notify::new()),
            },
        }
    }

    pub(crate) fn unparker(&self) -> &Unparker {
        &self.unparker
    }

    /// Returns with the token taken, or now and then without (loom explores one spurious return).
    pub(crate) fn park(&self) {
        self.unparker.token.wait();
    }

    /// Does not wait: see [`has_passed`].
    pub(crate) fn park_deadline(&self, _deadline: Instant) {
        loom::thread::yield_now();
    }
}

impl Unparker {
    pub(crate) fn unpark(&self) {
        self.token.notify();
    }
}

/// loom has no clock, so every deadline has passed.
pub(crate) fn has_passed(_deadline: Instant) -> bool {
    true
}
