//! What a run of `up` came to, as JSON and as text.
//!
//! # The JSON, version 1
//!
//! | field | what |
//! |---|---|
//! | `schema` | 1 |
//! | `verb` | `up` |
//! | `seconds` | how long it was up |
//! | `nics.NAME`, `stack`, `services[]` | as [`sim`](crate::sim::report) has them, and the sums of `stack` are also over NICs that were removed; but `link` has what the link counted by itself, the kernel's drops (`kernel_dropped`) among it |
//! | `removed.NAME` | `counters`, `drops` and `icmp` of the NICs of that name that were removed, if they counted anything |
//! | `threads[]` | workers and distributors: `thread`, `core`, `packets`, `polls`, `empty_polls`, what else they count |
//! | `accounting` | `holds`; `identities[]` of `nic`, `claim`, `left`, `right`, `holds` |
//! | `captures[]` | what came of each capture to a file, in words |
//! | `errors[]` | what the configuration asked for and was not done, as [`sim`](crate::sim::report) has them |
//! | `drained` | whether what was in flight at the end came to its end in time |

use std::fmt::Write;
use std::time::Duration;

use corelane::stack::Nic;
use serde_json::{Map, Value, json};

use super::host::Host;
use super::show::{distributor_row, worker_row};
use crate::config::seconds;
use crate::device::LinkCounters;
use crate::host::{
    Identity, NicState, StackState, TimedError, accounting_json, section, service_json,
    write_identities,
};

/// What it came to.
pub struct UpReport {
    up: Duration,
    nics: Vec<NicState>,
    removed: Vec<NicState>,
    /// What links counted by themselves, for people.
    links: Vec<String>,
    stack: StackState,
    services: Vec<Value>,
    threads: Vec<Value>,
    identities: Vec<Identity>,
    /// What came of captures to files.
    captures: Vec<String>,
    /// What was asked for and not done.
    errors: Vec<TimedError>,
    drained: bool,
}

impl UpReport {
    /// Of a host whose engine has ended, if it was in time. What the host holds goes back to its pool.
    pub(super) fn of(
        host: &mut Host,
        up: Duration,
        drained: bool,
        captures: Vec<String>,
        errors: Vec<TimedError>,
    ) -> Self {
        let state = |nic: &Nic| {
            let link = host.link(nic).map_or(Value::Null, LinkCounters::json);
            NicState::of(nic).with("link", link)
        };
        let states = host.nics().iter().map(state).collect();
        let links = host.nics().iter().filter_map(|nic| link_line(host, nic));
        let links = links.collect();
        let stack = StackState::of(host.stack(), host.nics());
        host.let_go();
        let nics = host.nics();
        let now = host.monitor().report();
        let name = |id| nics.iter().find(|nic| nic.id() == id).map(Nic::name);
        let distributors = now.distributors.iter();
        let services = host.services().list();
        let mut identities = Vec::new();
        if drained {
            let all = nics.iter().chain(host.removed().open());
            identities.extend(all.map(Identity::of_received));
            identities.push(Identity::of_pool(now.pool.out));
        }
        Self {
            up,
            nics: states,
            removed: host.removed().states(),
            links,
            stack,
            services: services.iter().map(|it| service_json(it)).collect(),
            threads: now
                .workers
                .iter()
                .map(worker_row)
                .chain(distributors.map(|it| distributor_row(it, name(it.nic))))
                .collect(),
            identities,
            captures,
            errors,
            drained,
        }
    }

    /// Whether every identity holds.
    pub fn balances(&self) -> bool {
        self.identities.iter().all(Identity::holds)
    }

    /// Whether it ended in time.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// The JSON; its keys are in alphabetical order.
    pub fn json(&self) -> Value {
        let by_name = |nics: &[NicState]| -> Map<String, Value> {
            let nics = nics.iter();
            nics.map(|nic| (nic.name().to_owned(), nic.json()))
                .collect()
        };
        json!({
            "schema": 1,
            "verb": "up",
            "seconds": self.up.as_secs_f64(),
            "nics": by_name(&self.nics),
            "removed": by_name(&self.removed),
            "stack": self.stack.json(self.nics.iter().chain(&self.removed)),
            "services": self.services,
            "threads": self.threads,
            "accounting": accounting_json(&self.identities),
            "captures": self.captures,
            "errors": self.errors.iter().map(TimedError::json).collect::<Vec<_>>(),
            "drained": self.drained,
        })
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        let up = Duration::from_millis(self.up.as_millis() as u64);
        writeln!(text, "up: ended after {}", seconds(up))?;
        let mut nics = self.nics.iter().chain(&self.removed);
        nics.try_for_each(|nic| nic.write(text))?;
        section(text, "Links", &self.links, Clone::clone)?;
        section(text, "Captures", &self.captures, Clone::clone)?;
        section(text, "Errors", &self.errors, TimedError::line)?;
        section(text, "Services", &self.services, |service| {
            let field = |key: &str| service[key].as_str().unwrap_or_default();
            let number = |key: &str| service[key].as_u64().unwrap_or_default();
            format!(
                "{} on {}: {} packets, {} bytes, {} answered",
                field("kind"),
                field("bind"),
                number("received"),
                number("bytes"),
                number("answered")
            )
        })?;
        section(text, "Threads", &self.threads, |thread| {
            let number = |key: &str| thread[key].as_u64().unwrap_or_default();
            let dropped = match number("ring_full") {
                0 => String::new(),
                full => format!(", {full} dropped since a worker's ring was full"),
            };
            format!(
                "{}: {} packets, {} polls, {} of them empty{dropped}",
                thread["thread"].as_str().unwrap_or_default(),
                number("packets"),
                number("polls"),
                number("empty_polls")
            )
        })?;
        if !self.drained {
            return writeln!(
                text,
                "\nIt did not end in time: the counters are those of a moment."
            );
        }
        write_identities(text, &self.identities)
    }
}

/// What the link of a NIC counted, if it did.
fn link_line(host: &Host, nic: &Nic) -> Option<String> {
    let counters = host.link(nic)?.read().into_iter();
    let counted: Vec<_> = counters
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    (!counted.is_empty()).then(|| format!("{}: {}", nic.name(), counted.join(", ")))
}
