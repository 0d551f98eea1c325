//! What was counted at a moment.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use crate::control::{Answer, Client, Listing, Request};

/// The counters of a host at a moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) nics: Vec<NicSample>,
    pub(super) threads: Vec<ThreadSample>,
}

/// Those of a NIC.
#[derive(Clone, Debug, Default)]
pub(super) struct NicSample {
    pub(super) name: String,
    pub(super) enabled: bool,
    /// Of its link; None where the host does not know.
    pub(super) state: Option<String>,
    pub(super) addresses: u64,
    pub(super) neighbors: u64,
    pub(super) frames: BTreeMap<String, u64>,
    /// By reason: of packets, and `send_dropped` and what the link lost.
    pub(super) drops: BTreeMap<String, u64>,
}

/// Those of a worker or a distributor.
#[derive(Clone, Debug, Default)]
pub(super) struct ThreadSample {
    pub(super) name: String,
    pub(super) core: Option<u64>,
    pub(super) packets: u64,
    /// Nanoseconds busy, and all; None of what does not count them.
    pub(super) busy: Option<(u64, u64)>,
}

/// What links count as lost.
const LOST: [&str; 2] = ["kernel_dropped", "too_long"];

impl Sample {
    /// As it is now.
    ///
    /// # Errors
    /// The host does not answer any more, in words.
    pub(super) fn take(client: &mut Client) -> Result<Self, String> {
        let mut rows = |listing| match client.ask(&Request::Show(listing))? {
            Answer::Rows(rows) => Ok(rows),
            Answer::Problem(problem) => Err(problem.to_string()),
            Answer::Done | Answer::Stream(_) => Err("that is no answer to this".to_owned()),
        };
        let (nics, counters) = (rows(Listing::Nics)?, rows(Listing::Counters)?);
        let threads = rows(Listing::Workers)?;
        Ok(Self::of(Instant::now(), &nics, &counters, &threads))
    }

    pub(super) fn of(at: Instant, nics: &[Value], counters: &[Value], threads: &[Value]) -> Self {
        let nics = nics.iter().map(|row| NicSample::of(row, counters));
        Self {
            at,
            nics: nics.collect(),
            threads: threads.iter().map(ThreadSample::of).collect(),
        }
    }
}

/// Nothing that a terminal would obey.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or("?");
    text.replace(char::is_control, "?")
}

impl NicSample {
    fn of(row: &Value, counters: &[Value]) -> Self {
        let mut sample = Self {
            name: text(&row["nic"]),
            enabled: row["enabled"] == true,
            state: row["state"].is_string().then(|| text(&row["state"])),
            addresses: row["addresses"].as_u64().unwrap_or(0),
            neighbors: row["neighbors"].as_u64().unwrap_or(0),
            ..Self::default()
        };
        for counter in counters.iter().filter(|it| it["nic"] == row["nic"]) {
            let (name, value) = (text(&counter["counter"]), counter["value"].as_u64());
            let value = value.unwrap_or(0);
            match counter["kind"].as_str() {
                Some("drop") => drop(sample.drops.insert(name, value)),
                Some("frames") if name == "send_dropped" => {
                    sample.drops.insert(name, value);
                }
                Some("frames") => drop(sample.frames.insert(name, value)),
                Some("link") if LOST.contains(&&*name) => {
                    sample.drops.insert(format!("link: {name}"), value);
                }
                _ => {}
            }
        }
        sample
    }
}

impl ThreadSample {
    fn of(row: &Value) -> Self {
        let number = |key: &str| row[key].as_u64();
        Self {
            name: text(&row["thread"]),
            core: number("core"),
            packets: number("packets").unwrap_or(0),
            busy: number("busy_ns")
                .zip(number("idle_ns"))
                .map(|(busy, idle)| (busy, busy + idle)),
        }
    }
}
