//! Ctrl-C and its like.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::exit::Exit;
use crate::run::say;

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
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    raised: AtomicBool,
    /// Whether there is nothing yet that a report could be of.
    preparing: AtomicBool,
    /// The group of processes that ends with this one; 0 if there is none.
    group: AtomicI32,
}

impl Interrupt {
    /// One that the signals of the process raise: the first ends the run in order, with its report, or at once while
    /// it [prepares](Self::prepare); the second ends the process at once.
    ///
    /// # Errors
    /// The handler cannot be installed, for instance because there is one.
    pub fn of_process() -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        let state = Arc::clone(&interrupt.state);
        let mut wishes = Wishes::default();
        ctrlc::set_handler(move || match wishes.came(Instant::now()) {
            Wish::Order if state.preparing.load(Ordering::Relaxed) => {
                if std::io::stderr().is_terminal() {
                    // Below the line that says what goes on.
                    say("");
                }
                say("corelane: interrupted before there was anything to report");
                state.end();
            }
            Wish::Order | Wish::Same => state.raised.store(true, Ordering::Relaxed),
            Wish::Now => state.end(),
        })?;
        Ok(interrupt)
    }

    /// There is nothing to report until something [begins](Self::begin): what large tables and captures take may be long,
    /// and nobody who wants it to end has to wait for it.
    pub fn prepare(&self) {
        self.state.preparing.store(true, Ordering::Relaxed);
    }

    /// From now on there is something to report.
    pub fn begin(&self) {
        self.state.preparing.store(false, Ordering::Relaxed);
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.state.raised.load(Ordering::Relaxed)
    }

    /// Raises it.
    pub fn raise(&self) {
        self.state.raised.store(true, Ordering::Relaxed);
    }

    /// Has a group of processes, which somebody waits for, end with this one, until what is returned is dropped.
    pub(crate) fn tie(&self, group: Pid) -> Tie<'_> {
        self.state.group.store(group.as_raw(), Ordering::Relaxed);
        Tie(&self.state)
    }
}

impl State {
    /// Ends the process at once, and who is tied to it.
    fn end(&self) -> ! {
        let group = self.group.load(Ordering::Relaxed);
        if group > 0 {
            // Gone already, if not.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        std::process::exit(Exit::Interrupted.code().into());
    }
}

/// What ties a group of processes to this one.
pub(crate) struct Tie<'a>(&'a State);

impl Drop for Tie<'_> {
    fn drop(&mut self) {
        self.0.group.store(0, Ordering::Relaxed);
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
