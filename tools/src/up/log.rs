//! Structured logs, to standard error.

use std::str::FromStr;

use serde_json::Value;
use tracing::level_filters::LevelFilter;

use crate::host::TimedEvent;
use crate::unit::{ValueError, nearest};

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(LevelFilter);

/// The levels as they are written.
const WORDS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

impl FromStr for Level {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let found = WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, level)| Self(*level)).ok_or_else(|| {
            let meant = nearest(text, WORDS.map(|(word, _)| word)).unwrap_or("info");
            ValueError::new(
                text,
                "is no level: off, error, warn, info, debug, trace",
                meant,
            )
        })
    }
}

/// How it is logged.
#[derive(Clone, Copy, Debug)]
pub struct Logs {
    /// How much.
    pub level: Level,
    /// Whether as a JSON object on each line.
    pub json: bool,
}

impl Logs {
    /// Logs from now on.
    pub(super) fn start(self) {
        let logs = tracing_subscriber::fmt()
            .with_max_level(self.level.0)
            .with_target(false)
            .with_writer(std::io::stderr);
        // It fails if there is one already, which is as good.
        let _ = if self.json {
            logs.json().flatten_event(true).try_init()
        } else {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            logs.with_ansi(is_terminal).try_init()
        };
    }
}

/// Logs what happened in the engine.
pub(super) fn log_event(event: &TimedEvent) {
    let text = |key: &str| event.fields.get(key).and_then(Value::as_str);
    let name = text("event").unwrap_or_default();
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                nic = text("nic"),
                address = text("address"),
                mac = text("mac"),
                change = text("change"),
                offender = text("offender"),
                reason = text("reason"),
                error = text("error"),
                said = text("message").or(text("what")),
                "{name}"
            )
        };
    }
    match (name, text("change")) {
        ("link_failed", _) => log!(error),
        ("duplicate_address" | "address_conflict" | "handler_panicked" | "other", _)
        | ("neighbor_changed", Some("unreachable")) => log!(warn),
        // As many as there are packets' ends and hosts on the link.
        ("endpoint_closed" | "neighbor_changed", _) => log!(debug),
        _ => log!(info),
    }
}
