//! Ctrl-C and its like.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Exit;

/// Whether somebody wants the run to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
}

impl Interrupt {
    /// One that the signals of the process raise: the first ends the run in order, with its report;
    /// the second ends the process at once.
    ///
    /// # Errors
    /// The handler cannot be installed, for instance because there is one.
    pub fn of_process() -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        let raised = Arc::clone(&interrupt.raised);
        ctrlc::set_handler(move || {
            if raised.swap(true, Ordering::Relaxed) {
                std::process::exit(Exit::Interrupted.code().into());
            }
        })?;
        Ok(interrupt)
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// Raises it.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }
}
