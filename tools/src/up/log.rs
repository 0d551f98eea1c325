//! Structured logs, to standard error.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corelane::engine::Lifecycle;
use corelane::stack::Events;
use serde_json::Value;
use tracing::field::display;
use tracing::level_filters::LevelFilter;

use crate::config::Change;
use crate::host::{ActionError, TimedEvent};
use crate::unit::{ValueError, nearest};

/// The longest sleep of the log while nothing happens: a bound on how late the end is noticed.
const NAP: Duration = Duration::from_millis(250);

/// How long the last of it may take.
const LAST: Duration = Duration::from_secs(2);

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
            .with_writer(io::stderr);
        // It fails if there is one already, which is as good.
        let _ = if self.json {
            logs.json().flatten_event(true).try_init()
        } else {
            let is_terminal = io::stderr().is_terminal();
            logs.with_ansi(is_terminal).try_init()
        };
    }
}

/// Logs what happens in the engine.
pub(super) struct LogThread {
    end: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl LogThread {
    /// From now on; `lifecycle` knows the NICs that it happens to.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn start(events: Events, lifecycle: Lifecycle) -> io::Result<Self> {
        let end = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&end);
        let since = Instant::now();
        let run = move || {
            let mut lost = 0;
            // Those that are gone have a name still.
            let mut names = BTreeMap::new();
            loop {
                // Asked before: what came until then is still logged.
                let is_last = ended.load(Ordering::Relaxed);
                while let Some(event) =
                    events.next_within(if is_last { Duration::ZERO } else { NAP })
                {
                    for nic in lifecycle.nics() {
                        names.insert(nic.id(), nic.name().to_owned());
                    }
                    let name = |id| names.get(&id).cloned().unwrap_or_else(|| format!("{id}"));
                    let at = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    log_event(&TimedEvent::new(at, &event, name));
                }
                let now_lost = events.lost();
                if now_lost > lost {
                    tracing::warn!(
                        events = now_lost - lost,
                        "events were lost: too many at once"
                    );
                    lost = now_lost;
                }
                if is_last {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("log".to_owned());
        let thread = thread.spawn(run)?;
        Ok(Self { end, thread })
    }

    /// Logs what is left, and ends.
    pub(super) fn end(self) {
        self.end.store(true, Ordering::Relaxed);
        // Who does not read the log must not keep the process.
        let since = Instant::now();
        while !self.thread.is_finished() && since.elapsed() < LAST {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Who wants a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A client of the control socket, who is told himself how it went.
    Control,
    /// The configuration, at a time.
    Timeline,
    /// The configuration, read again.
    Reload,
}

impl Origin {
    fn label(self) -> &'static str {
        match self {
            Self::Control => "ctl",
            Self::Timeline => "timeline",
            Self::Reload => "SIGHUP",
        }
    }
}

/// Logs a change with its keys, and how it went.
pub(super) fn log_change(origin: Origin, change: &Change, outcome: Result<(), &ActionError>) {
    let fields = change.fields();
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let plain = |key: &str| text(key).map(display);
    let on = fields.get("on").and_then(Value::as_bool);
    let (who, label) = (origin.label(), change.action.label());
    macro_rules! log {
        ($level:ident, $error:expr, $how:literal) => {
            tracing::$level!(
                nic = text("nic"),
                name = text("name"),
                address = plain("address"),
                // Every address has a place, which is this one unless it is said.
                primary = text("primary").filter(|place| *place != "can").map(display),
                mac = plain("mac"),
                range = plain("range"),
                group = plain("group"),
                to = plain("to"),
                via = plain("via"),
                local = plain("local"),
                remote = plain("remote"),
                on,
                error = $error.map(display),
                "{who}: {label}{}",
                $how
            )
        };
    }
    match (outcome, origin) {
        (Ok(()), _) => log!(info, None::<&ActionError>, ""),
        (Err(error), Origin::Control) => log!(warn, Some(error), " failed"),
        (Err(error), Origin::Timeline | Origin::Reload) => log!(error, Some(error), " failed"),
    }
}

/// Logs what happened in the engine.
fn log_event(event: &TimedEvent) {
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
