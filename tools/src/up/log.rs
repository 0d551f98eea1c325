//! Structured logs, to standard error.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corelane::engine::Lifecycle;
use corelane::stack::{Event, Events, NicId};
use serde_json::Value;
use tracing::field::display;
use tracing::level_filters::LevelFilter;

use super::link_state::{FailedLinks, LinkState};
use super::log_lines::LogLines;
use crate::config::{Change, LinkSetting, seconds};
use crate::device::{self, XdpWork};
use crate::host::{ActionError, TimedEvent};
use crate::unit::{ValueError, nearest};

/// The longest sleep of the log while nothing happens: a bound on how late the end is noticed.
const NAP: Duration = Duration::from_millis(250);

/// How long a NIC may take from its first event until it is among the others.
const MAKING: Duration = Duration::from_secs(1);

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
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn start(self) -> io::Result<LogLines> {
        let lines = LogLines::to(io::stderr())?;
        let writer = lines.clone();
        let logs = tracing_subscriber::fmt()
            .with_max_level(self.level.0)
            .with_target(false)
            // It would say so on standard error, and panic if that is what is wrong.
            .log_internal_errors(false)
            .with_writer(move || writer.clone());
        // It fails if there is one already, which is as good.
        let _ = if self.json {
            logs.json().flatten_event(true).try_init()
        } else {
            let is_terminal = io::stderr().is_terminal();
            logs.with_ansi(is_terminal).try_init()
        };
        Ok(lines)
    }
}

/// Logs what happens in the engine.
pub(super) struct LogThread {
    end: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl LogThread {
    /// From now on; `lifecycle` knows the NICs that it happens to, `failed` is told what fails, and what the log has
    /// lost of `lines` is told in it.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn start(
        events: Events,
        lifecycle: Lifecycle,
        failed: FailedLinks,
        lines: LogLines,
    ) -> io::Result<Self> {
        let end = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&end);
        let since = Instant::now();
        let run = move || {
            let mut lost = 0;
            let mut names = Names::new(lifecycle);
            loop {
                // Asked before: what came until then is still logged.
                let is_last = ended.load(Ordering::Relaxed);
                while let Some(event) =
                    events.next_within(if is_last { Duration::ZERO } else { NAP })
                {
                    failed.learn(&event);
                    names.learn(&event);
                    let at = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    log_event(&TimedEvent::new(at, &event, |id| names.of(id)));
                }
                let now_lost = events.lost();
                if now_lost > lost {
                    tracing::warn!(
                        events = now_lost - lost,
                        "events were lost: too many at once"
                    );
                    lost = now_lost;
                }
                let lines = lines.take_lost();
                if lines > 0 {
                    tracing::warn!(lines, "lines of the log were lost: nobody read it");
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

/// The names of NICs by number, which a later one may have again.
struct Names {
    lifecycle: Lifecycle,
    known: BTreeMap<NicId, String>,
    /// What is told of these still comes.
    gone: BTreeMap<NicId, String>,
}

impl Names {
    fn new(lifecycle: Lifecycle) -> Self {
        let nics = lifecycle.nics().into_iter();
        let known = nics.map(|nic| (nic.id(), nic.name().to_owned())).collect();
        Self {
            lifecycle,
            known,
            gone: BTreeMap::new(),
        }
    }

    /// Before an event is told.
    fn learn(&mut self, event: &Event) {
        match *event {
            Event::NicEnabled { nic } => self.enabled(nic),
            Event::NicRemoved { nic } => {
                if let Some(name) = self.known.remove(&nic) {
                    self.gone.insert(nic, name);
                }
            }
            _ => {}
        }
    }

    fn enabled(&mut self, id: NicId) {
        let since = Instant::now();
        // The event comes while the NIC is made, and before it is among the others.
        let found = loop {
            match self.lifecycle.nic(id) {
                None if since.elapsed() < MAKING => thread::sleep(Duration::from_millis(1)),
                found => break found,
            }
        };
        if let Some(nic) = found {
            self.known.insert(id, nic.name().to_owned());
            self.gone.remove(&id);
        }
    }

    fn of(&self, id: NicId) -> String {
        let of = |names: &BTreeMap<NicId, String>| names.get(&id).cloned();
        let found = of(&self.known).or_else(|| of(&self.gone));
        // One that was never enabled is known to the engine alone.
        let present = || self.lifecycle.nic(id).map(|nic| nic.name().to_owned());
        found.or_else(present).unwrap_or_else(|| id.to_string())
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

/// Logs how the link of a NIC works, and how it is.
pub(super) fn log_link(
    nic: &str,
    link: &LinkSetting,
    xdp: Option<&XdpWork>,
    state: Option<LinkState>,
) {
    tracing::info!(
        nic,
        kind = link.kind.label(),
        device = link.name,
        queues = link.queues,
        mode = device::mode(link, xdp),
        zero_copy = xdp.and_then(XdpWork::is_zero_copy),
        state = state.map(LinkState::label),
        "link"
    );
}

/// Logs that the link of a NIC is another way than it was.
pub(super) fn log_state(nic: &str, device: &str, state: LinkState) {
    let label = state.label();
    if state == LinkState::Up {
        tracing::info!(nic, device, state = label, "link_state");
    } else {
        tracing::warn!(nic, device, state = label, "link_state");
    }
}

/// Logs that the device of a NIC takes less than the NIC gives it.
pub(super) fn log_narrow(nic: &str, device: &str, mtu: usize, takes: Option<usize>) {
    tracing::warn!(
        nic,
        device,
        mtu,
        takes,
        "the MTU of the device is less by now than that of the NIC: longer packets are dropped (send_dropped). Raise it, or \
         end and begin again: the NIC has that of its device then"
    );
}

/// What became of a change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome<'a> {
    /// It was made.
    Done,
    /// It was not.
    Failed(&'a ActionError),
    /// It was to be made so long after the beginning, which has passed.
    TooLate(Duration),
}

impl<'a> Outcome<'a> {
    /// Of one that was tried.
    pub(super) fn of(result: &'a Result<(), ActionError>) -> Self {
        result.as_ref().map_or_else(Self::Failed, |()| Self::Done)
    }
}

/// Logs a change with its keys, and what became of it.
pub(super) fn log_change(origin: Origin, change: &Change, outcome: Outcome<'_>) {
    let fields = change.fields();
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let plain = |key: &str| text(key).map(display);
    let on = fields.get("on").and_then(Value::as_bool);
    let (who, label) = (origin.label(), change.action.label());
    let (error, at, how) = match outcome {
        Outcome::Done => (None, None, ""),
        Outcome::Failed(error) => (Some(error), None, " failed"),
        Outcome::TooLate(at) => (None, Some(seconds(at)), " is skipped: its time has passed"),
    };
    macro_rules! log {
        ($level:ident) => {
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
                at = at.map(display),
                error = error.map(display),
                "{who}: {label}{how}"
            )
        };
    }
    match (outcome, origin) {
        (Outcome::Done, _) => log!(info),
        (Outcome::TooLate(_), _) | (Outcome::Failed(_), Origin::Control) => log!(warn),
        (Outcome::Failed(_), Origin::Timeline | Origin::Reload) => log!(error),
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
