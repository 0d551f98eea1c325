//! What `--trace` prints: the way of each frame, stage by stage.

use std::sync::{Arc, Mutex, PoisonError};

use corelane::engine::trace::{Step, Tracer};

use crate::host::step_line;

/// Lines on their way to a terminal; off, nothing.
#[derive(Clone, Default)]
pub(super) struct Trace {
    lines: Option<Arc<Mutex<String>>>,
}

impl Trace {
    /// One that takes lines, if `on`.
    pub(super) fn new(on: bool) -> Self {
        Self {
            lines: on.then(Arc::default),
        }
    }

    /// Whether it takes lines.
    pub(super) fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Adds a line, if it takes any.
    pub(super) fn line(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let line = line();
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_str(&line);
            lines.push('\n');
        }
    }

    /// Takes the lines out.
    pub(super) fn take(&self) -> String {
        let Some(lines) = &self.lines else {
            return String::new();
        };
        std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes a line for each step of a frame. Workers are not told apart: how many there are changes
/// nothing.
pub(super) struct FrameTracer {
    /// Where to.
    pub(super) trace: Trace,
}

impl Tracer for FrameTracer {
    fn step(&mut self, step: &Step<'_>) {
        if let Some(line) = step_line(step.outcome) {
            self.trace.line(|| line);
        }
    }
}
