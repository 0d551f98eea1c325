//! The live line on a terminal.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::scaled;

/// A line that says what goes on, on standard error if that is a terminal; nothing otherwise.
pub struct Progress {
    bar: ProgressBar,
    whole: Cell<Option<Duration>>,
}

impl Progress {
    /// A line, or none if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant: if it did not parse there would be the default style.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            whole: Cell::new(None),
        }
    }

    /// What goes on now, and how long it is to take, if that is known.
    pub fn stage(&self, what: &'static str, whole: Option<Duration>) {
        self.whole.set(whole);
        self.bar.set_prefix(what);
        self.bar.set_message("");
        self.bar.tick();
    }

    /// How far it is, at so many frames per second.
    pub fn update(&self, elapsed: Duration, pps: f64) {
        let elapsed = elapsed.as_secs_f64();
        let rate = scaled(pps, "pps");
        self.bar.set_message(match self.whole.get() {
            Some(whole) => format!("{elapsed:.1} of {:.1} s, {rate}", whole.as_secs_f64()),
            None => format!("{elapsed:.1} s, {rate}"),
        });
        self.bar.tick();
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
