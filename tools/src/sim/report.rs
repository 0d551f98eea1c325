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
//! | `nics.NAME.counters` | `received` `received_bytes` `delivered` `forwarded` `consumed` `looped` `sent` `sent_bytes` `send_dropped` `resets_sent`; frames, and bytes with the Ethernet header |
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

use corelane::stack::{
    AddressInfo, AddressKind, DropReason, Family, Forwarding, NeighborInfo, Nic, NicTotals,
    ProtocolCounter, RouteSpec, Stack,
};
use serde_json::{Map, Value, json};

use super::action::ActionError;
use super::event::TimedEvent;
use super::link::LinkCounts;
use super::service::Service;
use crate::config::{Config, primary_label, seconds};

/// Addresses, groups, events and errors that the text lists; the JSON has all.
const LISTED: usize = 100;

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

/// Something of the timeline that was not done.
pub(super) struct TimedError {
    /// The time, in nanoseconds.
    pub(super) at_ns: u64,
    /// What was to be done.
    pub(super) action: &'static str,
    /// On which NIC.
    pub(super) nic: Option<String>,
    /// Why not.
    pub(super) error: ActionError,
}

/// Two figures that have to be the same.
pub(super) struct Identity {
    /// Of which NIC; None of the engine.
    pub(super) nic: Option<String>,
    /// What is claimed.
    pub(super) claim: &'static str,
    /// The left side.
    pub(super) left: u64,
    /// The right side.
    pub(super) right: u64,
}

impl Identity {
    /// Whether they are the same.
    pub(super) fn holds(&self) -> bool {
        self.left == self.right
    }
}

/// What a NIC was like at the end.
pub(super) struct NicState {
    name: String,
    totals: NicTotals,
    fields: Value,
}

/// What the NICs shared at the end.
#[derive(Default)]
pub(super) struct StackState {
    routes: Vec<Value>,
    path_mtus: Vec<Value>,
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

impl NicState {
    /// What `nic` is like now.
    pub(super) fn of(nic: &Nic, link: &LinkCounts) -> Self {
        let totals = nic.counters();
        let mut endpoints = nic.endpoints();
        endpoints.sort_unstable_by_key(|info| (info.prefix.address(), info.prefix.len()));
        let primary: Vec<_> = [Family::V4, Family::V6]
            .into_iter()
            .flat_map(|family| nic.primary_addresses(family))
            .map(|info| info.prefix.address().to_string())
            .collect();
        let groups = nic.groups();
        let groups = groups.iter().map(
            |info| json!({ "group": info.group.to_string(), "joins": info.joins, "own": info.own }),
        );
        let protocols: Map<String, Value> = ProtocolCounter::ALL
            .iter()
            .map(|counter| {
                let value = nic.protocol_counter(*counter);
                (counter.label().to_owned(), json!(value))
            })
            .collect();
        let ranges: Vec<_> = nic.ranges().iter().map(ToString::to_string).collect();
        let neighbors = nic.stack().neighbors(nic.id());
        let fields = json!({
            "addresses": endpoints.iter().map(address_json).collect::<Vec<_>>(),
            "counters": counters_json(&totals),
            "drops": drops_json(&totals),
            "enabled": nic.is_enabled(),
            "forwarding": nic.forwarding() != Forwarding::OFF,
            "groups": groups.collect::<Vec<_>>(),
            "link": {
                "arrived": link.arrived,
                "closed": link.closed,
                "received": link.received,
                "sent": link.sent,
                "too_large": link.too_large,
            },
            "mac": nic.mac().to_string(),
            "icmp": icmp_json(&totals),
            "neighbors": neighbors.iter().map(neighbor_json).collect::<Vec<_>>(),
            "primary": primary,
            "promiscuous": nic.is_promiscuous(),
            "protocols": protocols,
            "ranges": ranges,
            "spoofing": nic.is_spoofing(),
        });
        Self {
            name: nic.name().to_owned(),
            totals,
            fields,
        }
    }
}

impl StackState {
    /// What the NICs of `config` share now.
    pub(super) fn of(stack: &Stack, config: &Config) -> Self {
        let route = |route: &RouteSpec| {
            let nic = config.nics.get(usize::from(route.nic.0));
            json!({
                "to": route.to.to_string(),
                "via": route.via.map(|via| via.to_string()),
                "nic": nic.map(|nic| nic.name.as_str()),
            })
        };
        let path_mtus = stack.path_mtus();
        let path_mtus = path_mtus.iter().map(|it| {
            json!({
                "remote": it.remote.to_string(),
                "mtu": it.mtu,
                "since_ns": it.since.as_nanos(),
            })
        });
        Self {
            routes: stack.routes().iter().map(route).collect(),
            path_mtus: path_mtus.collect(),
        }
    }
}

/// A service as JSON.
pub(super) fn service_json(service: &Service) -> Value {
    json!({
        "answered": service.answered(),
        "bind": service.setting.bind.to_string(),
        "bytes": service.bytes(),
        "checksum_errors": service.checksum_errors(),
        "kind": service.setting.kind.label(),
        "nic": service.setting.nic,
        "received": service.received(),
    })
}

fn address_json(info: &AddressInfo) -> Value {
    json!({
        "address": info.prefix.address().to_string(),
        "prefix_len": info.prefix.len(),
        "kind": match info.kind {
            AddressKind::Permanent => "permanent",
            AddressKind::PermanentTentative => "permanent_tentative",
            AddressKind::PermanentExpired => "permanent_expired",
            AddressKind::Temporary => "temporary",
        },
        "primary": primary_label(info.primary),
    })
}

fn neighbor_json(info: &NeighborInfo) -> Value {
    json!({
        "address": info.address.to_string(),
        "mac": info.mac.map(|mac| mac.to_string()),
        "state": info.state.label(),
        "since_ns": info.since.as_nanos(),
        "router": info.is_router,
        "gateway": info.pinned,
    })
}

/// Those that are not 0: most are.
fn icmp_json(totals: &NicTotals) -> Value {
    let counted = totals.icmp().filter(|(_, count)| *count > 0);
    Value::Object(
        counted
            .map(|(counter, count)| (counter.label().to_owned(), json!(count)))
            .collect(),
    )
}

fn counters_json(totals: &NicTotals) -> Value {
    json!({
        "received": totals.received,
        "received_bytes": totals.received_bytes,
        "delivered": totals.delivered,
        "forwarded": totals.forwarded,
        "consumed": totals.consumed,
        "looped": totals.looped,
        "sent": totals.sent,
        "sent_bytes": totals.sent_bytes,
        "send_dropped": totals.send_dropped,
        "resets_sent": totals.resets_sent,
    })
}

fn drops_json(totals: &NicTotals) -> Value {
    let drops = totals.drops();
    Value::Object(
        drops
            .map(|(reason, count)| (reason.label().to_owned(), json!(count)))
            .collect(),
    )
}

impl SimReport {
    /// Whether every identity holds.
    pub fn balances(&self) -> bool {
        self.identities.iter().all(Identity::holds)
    }

    fn totals(&self) -> NicTotals {
        self.nics
            .iter()
            .fold(NicTotals::default(), |sum, nic| sum.plus(&nic.totals))
    }

    /// The JSON; its keys are in alphabetical order.
    pub fn json(&self) -> Value {
        let nics: Map<String, Value> = self
            .nics
            .iter()
            .map(|nic| (nic.name.clone(), nic.fields.clone()))
            .collect();
        let errors = self.errors.iter().map(|error| {
            json!({
                "at_ns": error.at_ns,
                "do": error.action,
                "nic": error.nic,
                "error": error.error.name,
                "message": error.error.message,
            })
        });
        let identities = self.identities.iter().map(|identity| {
            json!({
                "nic": identity.nic,
                "claim": identity.claim,
                "left": identity.left,
                "right": identity.right,
                "holds": identity.holds(),
            })
        });
        let totals = self.totals();
        json!({
            "schema": 1,
            "verb": "sim",
            "seed": self.seed,
            "end": self.end.label(),
            "ended_at_ns": self.ended_at_ns,
            "nics": nics,
            "stack": {
                "counters": counters_json(&totals),
                "drops": drops_json(&totals),
                "icmp": icmp_json(&totals),
                "routes": self.stack.routes,
                "path_mtus": self.stack.path_mtus,
            },
            "services": self.services,
            "events": self.events.iter().map(TimedEvent::json).collect::<Vec<_>>(),
            "errors": errors.collect::<Vec<_>>(),
            "routes": self.routes,
            "warnings": self.warnings,
            "accounting": {
                "holds": self.balances(),
                "identities": identities.collect::<Vec<_>>(),
            },
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
            self.write_nic(text, nic)?;
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
        section(text, "Errors", &self.errors, |error| {
            let at = seconds(Duration::from_nanos(error.at_ns));
            let nic = error.nic.as_deref().unwrap_or("-");
            let ActionError { name, message } = &error.error;
            format!("{at} {nic} {}: {name}: {message}", error.action)
        })?;
        section(text, "Warnings", &self.warnings, Clone::clone)?;
        for identity in self.identities.iter().filter(|identity| !identity.holds()) {
            writeln!(
                text,
                "\nACCOUNTING VIOLATED: {}: {}: {} is not {}",
                identity.nic.as_deref().unwrap_or("engine"),
                identity.claim,
                identity.left,
                identity.right
            )?;
        }
        if self.balances() {
            writeln!(text, "\nAccounting: every frame is accounted for.")?;
        }
        Ok(())
    }

    fn write_nic(&self, text: &mut String, nic: &NicState) -> std::fmt::Result {
        let NicState {
            name,
            totals,
            fields,
        } = nic;
        writeln!(text, "\nNIC {name}")?;
        writeln!(
            text,
            "  received {} = delivered {} + consumed {} + forwarded {} + dropped {}; sent {}",
            totals.received,
            totals.delivered,
            totals.consumed,
            totals.forwarded,
            totals.dropped(),
            totals.sent
        )?;
        for (reason, count) in totals.drops().filter(|(_, count)| *count > 0) {
            let reason: DropReason = reason;
            writeln!(
                text,
                "    {count:>8} {}: {}",
                reason.label(),
                reason.description()
            )?;
        }
        for (counter, count) in totals.icmp().filter(|(_, count)| *count > 0) {
            let (label, description) = (counter.label(), counter.description());
            writeln!(text, "    {count:>8} {label}: {description}")?;
        }
        let of = |key: &str| fields[key].as_array().cloned().unwrap_or_default();
        let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let addresses = of("addresses");
        for address in addresses.iter().take(LISTED) {
            let (prefix_len, kind) = (&address["prefix_len"], word(address, "kind"));
            let address = word(address, "address");
            writeln!(text, "  address {address}/{prefix_len} {kind}")?;
        }
        let groups = of("groups");
        for group in groups.iter().take(LISTED) {
            writeln!(text, "  group {}", word(group, "group"))?;
        }
        let neighbors = of("neighbors");
        for neighbor in neighbors.iter().take(LISTED) {
            let (address, state) = (word(neighbor, "address"), word(neighbor, "state"));
            let mac = neighbor["mac"].as_str().unwrap_or("-");
            writeln!(text, "  neighbor {address} {mac} {state}")?;
        }
        for (what, count) in [
            ("addresses", addresses.len()),
            ("groups", groups.len()),
            ("neighbors", neighbors.len()),
        ] {
            if count > LISTED {
                writeln!(text, "  and {} {what} more", count - LISTED)?;
            }
        }
        Ok(())
    }
}

fn section<T>(
    text: &mut String,
    title: &str,
    items: &[T],
    line: impl Fn(&T) -> String,
) -> std::fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n{title}")?;
    for item in items.iter().take(LISTED) {
        writeln!(text, "  {}", line(item))?;
    }
    if items.len() > LISTED {
        writeln!(text, "  and {} more", items.len() - LISTED)?;
    }
    Ok(())
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
