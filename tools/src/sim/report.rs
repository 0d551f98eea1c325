//! What a run came to, as JSON and as text.
//!
//! # The JSON, version 1
//!
//! Keys are in alphabetical order. The same input and seed give the same bytes. Fields may be added
//! without a new version; a reader ignores what it does not know.
//!
//! | field | what |
//! |---|---|
//! | `schema` | 1 |
//! | `verb` | `sim` |
//! | `seed` | what random draws started from |
//! | `ended_at_ns` | the virtual time of the end, in nanoseconds |
//! | `end` | `complete`: nothing was left to happen; `until`, `limit` (1 h) or `interrupted`: something was |
//! | `nics.NAME.counters` | `received` `received_bytes` `delivered` `forwarded` `consumed` `looped` `unpacked` `sent` `sent_bytes` `send_dropped` `segmented` `segments` `checksums_completed` `resets_sent`; frames, and bytes with the Ethernet header |
//! | `nics.NAME.drops` | frames dropped, by reason; every reason is there |
//! | `nics.NAME.icmp` | ICMP messages received and sent, by type; those that are not 0 |
//! | `nics.NAME.protocols` | what the NIC's own protocols counted: ARP, neighbor discovery, IGMP, MLD, ICMP errors received |
//! | `nics.NAME.addresses[]` | every endpoint: `address`, `prefix_len`, `kind` (`permanent`, `permanent_tentative`, `permanent_expired`, `temporary`), `primary` (`can`, `first`, `never`) |
//! | `nics.NAME.primary[]` | the addresses that can be a source, best first, IPv4 before IPv6 |
//! | `nics.NAME.groups[]` | `group`, `joins` by the configuration, `own` by the NIC for itself |
//! | `nics.NAME.neighbors[]` | by address: `address`, `mac` (null if none is known), `state` (`idle`, `incomplete`, `reachable`, `stale`, `delay`, `probe`, `unreachable`, `static`), `since_ns` when it began, `router` whether it says that it is one, `gateway` whether a route leads through it |
//! | `nics.NAME.link` | frames that `arrived` from the captures, were `received`, came while the link was `closed` (its NIC had never been enabled), were `too_large` for any buffer; were `sent` |
//! | `nics.NAME` | `enabled`, `forwarding`, `mac`, `promiscuous`, `ranges[]`, `spoofing` |
//! | `stack.counters`, `stack.drops`, `stack.icmp` | the sums over all NICs |
//! | `stack.routes[]` | the route table: `to`, `via` (null if the network is on the link), `nic` |
//! | `stack.path_mtus[]` | what routers reported: `remote`, `mtu`, `since_ns` |
//! | `services[]` | as in the configuration: `bind`, `kind`, `nic` (null for any), `received`, `bytes` (carried by UDP; for `raw_sink`, behind the network header), `answered`, `checksum_errors` |
//! | `events[]` | `at_ns`, `event`, `nic`, and what belongs to it: `address`, `change`, `error`, `mac`, `offender`, `reason` |
//! | `errors[]` | what the timeline could not do: `at_ns`, `do`, `nic`, `error` (the name of the typed error), `message` |
//! | `routes[]` | the names of the routes that were still kept |
//! | `warnings[]` | texts |
//! | `accounting` | `holds`; `identities[]` of `nic`, `claim`, `left`, `right`, `holds` |
//!
//! Of events, `event` is `address_assigned`, `duplicate_address`, `dad_aborted`, `address_conflict`,
//! `endpoint_closed`, `neighbor_changed` (`change`: `reachable`, `link_address`, `unreachable`,
//! `no_longer_router`, `removed`), `nic_enabled`, `nic_disabled`, `nic_removed`, `link_failed` or
//! `handler_panicked`.
//!
//! The identities, each of which has to hold (exit status 3 otherwise):
//!
//! - link.arrived = link.received + link.closed + link.too_large
//! - received = link.received + looped
//! - received = delivered + forwarded + consumed + Σ drops
//! - sent = link.sent, the frames written to `NIC.pcap`
//! - every frame is back in its pool

use std::fmt::Write;
use std::time::Duration;

use corelane::stack::Nic;
use serde_json::{Map, Value, json};

use super::link::LinkCounts;
use crate::config::seconds;
use crate::host::{
    Identity, NicState, StackState, TimedError, TimedEvent, accounting_json, section,
    write_identities,
};

/// What `nic` is like now, and what came and went through its link.
pub(super) fn nic_state(nic: &Nic, link: &LinkCounts) -> NicState {
    let link = json!({
        "arrived": link.arrived,
        "closed": link.closed,
        "received": link.received,
        "sent": link.sent,
        "too_large": link.too_large,
    });
    NicState::of(nic).with("link", link)
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was left to happen.
    Complete,
    /// `--until` said so.
    Until,
    /// It was at its limit.
    Limit,
    /// A signal.
    Interrupted,
}

impl End {
    /// As in the JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Until => "until",
            Self::Limit => "limit",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a run came to.
pub struct SimReport {
    /// What random draws started from.
    pub seed: u64,
    /// Why it ended.
    pub end: End,
    /// The virtual time of the end, in nanoseconds.
    pub ended_at_ns: u64,
    /// The NICs.
    pub(super) nics: Vec<NicState>,
    /// The services.
    pub(super) services: Vec<Value>,
    /// What happened.
    pub(super) events: Vec<TimedEvent>,
    /// What could not be done.
    pub(super) errors: Vec<TimedError>,
    /// The routes that were still kept.
    pub(super) routes: Vec<String>,
    /// What the NICs shared.
    pub(super) stack: StackState,
    /// What may make the result mean less.
    pub warnings: Vec<String>,
    /// Whether the books balance.
    pub(super) identities: Vec<Identity>,
}

impl SimReport {
    /// Whether every identity holds.
    pub fn balances(&self) -> bool {
        self.identities.iter().all(Identity::holds)
    }

    /// The JSON; its keys are in alphabetical order.
    pub fn json(&self) -> Value {
        let nics: Map<String, Value> = self
            .nics
            .iter()
            .map(|nic| (nic.name().to_owned(), nic.json()))
            .collect();
        json!({
            "schema": 1,
            "verb": "sim",
            "seed": self.seed,
            "end": self.end.label(),
            "ended_at_ns": self.ended_at_ns,
            "nics": nics,
            "stack": self.stack.json(&self.nics),
            "services": self.services,
            "events": self.events.iter().map(TimedEvent::json).collect::<Vec<_>>(),
            "errors": self.errors.iter().map(TimedError::json).collect::<Vec<_>>(),
            "routes": self.routes,
            "warnings": self.warnings,
            "accounting": accounting_json(&self.identities),
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
        let end = match self.end {
            End::Complete => "nothing was left to happen",
            End::Until => "as asked by --until",
            End::Limit => "the most there is without --until",
            End::Interrupted => "interrupted",
        };
        let at = seconds(Duration::from_nanos(self.ended_at_ns));
        writeln!(text, "sim: {at} of virtual time, {end}")?;
        for nic in &self.nics {
            nic.write(text)?;
        }
        section(text, "Services", &self.services, |service| {
            let field = |key: &str| match &service[key] {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            format!(
                "{} on {}: {} packets, {} bytes, {} answered",
                field("kind"),
                field("bind"),
                field("received"),
                field("bytes"),
                field("answered")
            )
        })?;
        section(text, "Events", &self.events, TimedEvent::line)?;
        section(text, "Errors", &self.errors, TimedError::line)?;
        section(text, "Warnings", &self.warnings, Clone::clone)?;
        write_identities(text, &self.identities)
    }
}

#[cfg(test)]
impl SimReport {
    /// One that lost a frame, if `lost`.
    pub(crate) fn of_nothing(end: End, lost: bool) -> Self {
        Self {
            seed: 1,
            end,
            ended_at_ns: 0,
            nics: Vec::new(),
            services: Vec::new(),
            events: Vec::new(),
            errors: Vec::new(),
            routes: Vec::new(),
            stack: StackState::default(),
            warnings: Vec::new(),
            identities: vec![Identity {
                nic: Some("wan".to_owned()),
                claim: "received = sent",
                left: 1,
                right: u64::from(!lost),
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_frame_is_told() {
        let report = SimReport::of_nothing(End::Complete, true);
        assert!(!report.balances());
        let text = report.text();
        assert!(
            text.contains("VIOLATED: wan: received = sent: 1 is not 0"),
            "{text}"
        );
        assert_eq!(report.json()["accounting"]["holds"], false);
        let report = SimReport::of_nothing(End::Complete, false);
        assert!(report.text().contains("every frame is accounted for"));
        assert_eq!(report.json()["accounting"]["identities"][0]["nic"], "wan");
    }
}
