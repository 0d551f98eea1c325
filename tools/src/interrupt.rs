//! Ctrl-C and its like.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::exit::Exit;

/// Signals that are no further apart are one: `timeout` sends its own to the process, and then to the group that the
/// process is in.
const ONE: Duration = Duration::from_millis(300);

/// Tells a wish from its repetition.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    first: Option<Instant>,
}

/// What somebody wants who sends a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// An end in order.
    Order,
    /// The same: it is the same signal.
    Same,
    /// An end at once.
    Now,
}

impl Wishes {
    /// A signal came.
    pub(crate) fn came(&mut self, now: Instant) -> Wish {
        match self.first {
            None => {
                self.first = Some(now);
                Wish::Order
            }
            Some(first) if now.saturating_duration_since(first) < ONE => Wish::Same,
            Some(_) => Wish::Now,
        }
    }
}

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
        let mut wishes = Wishes::default();
        ctrlc::set_handler(move || match wishes.came(Instant::now()) {
            Wish::Order | Wish::Same => raised.store(true, Ordering::Relaxed),
            Wish::Now => std::process::exit(Exit::Interrupted.code().into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_twice_at_once_is_one() {
        let (mut wishes, start) = (Wishes::default(), Instant::now());
        let mut after = |ms| wishes.came(start + Duration::from_millis(ms));
        assert_eq!(after(0), Wish::Order);
        assert_eq!((after(1), after(299)), (Wish::Same, Wish::Same));
        assert_eq!(after(300), Wish::Now);
    }
}
