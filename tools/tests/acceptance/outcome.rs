//! What came of a case.

use std::env;
use std::time::Duration;

use anyhow::Result;

/// What came of a case that did not fail.
pub(crate) enum Outcome {
    /// It holds; with a few words on how well.
    Pass(String),
    /// It cannot be had here, and why.
    Cannot(String),
}

impl Outcome {
    /// It holds.
    pub(crate) fn pass() -> Result<Self> {
        Self::pass_with(String::new())
    }

    /// It holds, and how well.
    pub(crate) fn pass_with(note: impl Into<String>) -> Result<Self> {
        Ok(Self::Pass(note.into()))
    }
}

/// Seconds that traffic flows where a case is about that: for minutes where somebody has them.
const SECONDS: &str = "CORELANE_ACCEPTANCE_SECONDS";

/// How long traffic flows where a case is about that.
pub(crate) fn duration() -> Duration {
    let seconds = env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3).max(1))
}

/// Whether somebody has minutes.
pub(crate) fn is_long() -> bool {
    duration() >= Duration::from_secs(60)
}
