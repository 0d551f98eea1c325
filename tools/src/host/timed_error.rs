//! What a configuration asked for and was not done.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ActionError, Unset};
use crate::config::{Change, seconds};

/// Something of the set-up or of the timeline that was not done.
pub(crate) struct TimedError {
    /// The time, in nanoseconds.
    at_ns: u64,
    /// What was to be done.
    action: &'static str,
    /// On which NIC.
    nic: Option<String>,
    /// Why not.
    error: ActionError,
}

impl TimedError {
    /// Of a change at a time.
    pub(crate) fn of(at_ns: u64, change: &Change, error: ActionError) -> Self {
        Self {
            at_ns,
            action: change.action.label(),
            nic: change.nic.clone(),
            error,
        }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        json!({
            "at_ns": self.at_ns,
            "do": self.action,
            "nic": self.nic,
            "error": self.error.name,
            "message": self.error.message,
        })
    }

    /// As a line.
    pub(crate) fn line(&self) -> String {
        let at = seconds(Duration::from_nanos(self.at_ns));
        let nic = self.nic.as_deref().unwrap_or("-");
        let ActionError { name, message } = &self.error;
        format!("{at} {nic} {}: {name}: {message}", self.action)
    }
}

/// Of what NICs are given to begin with.
impl From<Unset> for TimedError {
    fn from(unset: Unset) -> Self {
        Self {
            at_ns: 0,
            action: unset.label(),
            nic: Some(unset.nic),
            error: unset.error,
        }
    }
}
