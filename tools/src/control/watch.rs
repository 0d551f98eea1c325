//! Asking to see frames: copies of them, or their way.

use std::net::IpAddr;
use std::time::Duration;

use corelane::wire::PacketFilter;
use serde_json::{Map, Value, json};

use super::protocol::Problem;

/// The most bytes of a frame that are asked for.
pub const MAX_SNAP_LEN: u64 = 262_144;

/// The longest that may be asked for, in milliseconds: a day.
const MAX_DURATION: u64 = 86_400_000;

/// What of frames is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// The frames, as pcapng.
    Capture,
    /// The way of each, as text.
    Trace,
}

impl WatchKind {
    /// As they are written.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("capture", Self::Capture), ("trace", Self::Trace)];

    /// As it is written.
    pub fn label(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Trace => "trace",
        }
    }
}

/// Frames that somebody wants to see, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// What of them.
    pub kind: WatchKind,
    /// The NIC's name; a capture has one, a trace may.
    pub nic: Option<String>,
    /// Which of them.
    pub filter: PacketFilter,
    /// How many.
    pub count: Option<u64>,
    /// For how long.
    pub duration: Option<Duration>,
    /// Bytes of each frame, of a capture: all of it unless said.
    pub snap_len: Option<usize>,
}

impl Watch {
    /// Reads the fields of a request.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn parse(kind: WatchKind, fields: &Map<String, Value>) -> Result<Self, Problem> {
        let known: &[&str] = match kind {
            WatchKind::Capture => &["nic", "address", "port", "count", "duration_ms", "snap_len"],
            WatchKind::Trace => &["nic", "address", "port", "count", "duration_ms"],
        };
        if let Some(key) = fields
            .keys()
            .find(|key| *key != "do" && !known.contains(&key.as_str()))
        {
            return Err(Problem::request(format!(
                "{}: {} has nothing but {}",
                key.escape_debug(),
                kind.label(),
                known.join(", ")
            )));
        }
        let text = |key: &str| {
            let field = fields.get(key);
            let wrong = || Problem::request(format!("{key}: a text is wanted"));
            field
                .map(|value| value.as_str().ok_or_else(wrong))
                .transpose()
        };
        let number = |key: &str, low: u64, high: u64| {
            let fits = |number: &u64| (low..=high).contains(number);
            let wrong = || {
                Problem::request(format!(
                    "{key}: a whole number from {low} to {high} is wanted"
                ))
            };
            let field = fields.get(key);
            field
                .map(|value| value.as_u64().filter(fits).ok_or_else(wrong))
                .transpose()
        };
        let nic = text("nic")?.map(str::to_owned);
        if kind == WatchKind::Capture && nic.is_none() {
            return Err(Problem::request("nic: missing, capture needs it"));
        }
        let address = text("address")?.map(|text| {
            text.parse::<IpAddr>().map_err(|_| {
                let text = text.escape_debug();
                Problem::request(format!("address: '{text}' is no address"))
            })
        });
        Ok(Self {
            kind,
            nic,
            filter: PacketFilter {
                address: address.transpose()?,
                port: number("port", 0, u16::MAX.into())?.map(|port| port as u16),
            },
            count: number("count", 1, u64::MAX)?,
            duration: number("duration_ms", 1, MAX_DURATION)?.map(Duration::from_millis),
            snap_len: number("snap_len", 14, MAX_SNAP_LEN)?.map(|len| len as usize),
        })
    }

    /// As the fields of a request.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let PacketFilter { address, port } = self.filter;
        let fields = [
            ("do", Some(json!(self.kind.label()))),
            ("nic", self.nic.as_ref().map(|nic| json!(nic))),
            ("address", address.map(|it| json!(it.to_string()))),
            ("port", port.map(|it| json!(it))),
            ("count", self.count.map(|it| json!(it))),
            (
                "duration_ms",
                self.duration.map(|it| json!(it.as_millis() as u64)),
            ),
            ("snap_len", self.snap_len.map(|it| json!(it))),
        ];
        let there = |(key, value): (&str, Option<Value>)| Some((key.to_owned(), value?));
        fields.into_iter().filter_map(there).collect()
    }
}

/// How watching came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// There were as many frames as were asked for.
    Count,
    /// The time was over.
    Duration,
    /// The client had enough.
    Client,
    /// The NIC was removed.
    NicRemoved,
}

impl WatchEnd {
    const WORDS: [(&'static str, Self); 4] = [
        ("count", Self::Count),
        ("duration", Self::Duration),
        ("client", Self::Client),
        ("nic_removed", Self::NicRemoved),
    ];

    fn label(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, end)| *end == self);
        found.map_or("", |(word, _)| word)
    }
}

/// What came of watching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// How it ended.
    pub end: WatchEnd,
    /// Frames shown.
    pub shown: u64,
    /// Frames, or steps of them, that were lost on their way to the client.
    pub lost: u64,
}

impl Watched {
    pub(super) fn json(self) -> Value {
        json!({ "reason": self.end.label(), "shown": self.shown, "lost": self.lost })
    }

    pub(super) fn parse(value: &Value) -> Option<Self> {
        let reason = value.get("reason")?.as_str()?;
        let end = WatchEnd::WORDS.iter().find(|(word, _)| *word == reason)?.1;
        Some(Self {
            end,
            shown: value.get("shown")?.as_u64()?,
            lost: value.get("lost")?.as_u64()?,
        })
    }
}
