//! What NICs, and what they share, are like: as JSON and as text.

use std::fmt::Write;

use corelane::stack::{
    AddressInfo, AddressKind, Family, Forwarding, GroupInfo, NeighborInfo, Nic, NicTotals, Prefix,
    ProtocolCounter, Route, RouteSpec, Stack,
};
use serde_json::{Map, Value, json};

use super::action::Routes;
use super::service::Service;
use crate::config::primary_label;

/// Addresses, groups, events and errors that the text lists; the JSON has all.
const LISTED: usize = 100;

/// What a NIC is like.
pub(crate) struct NicState {
    name: String,
    totals: NicTotals,
    fields: Map<String, Value>,
}

impl NicState {
    /// What `nic` is like now.
    pub(crate) fn of(nic: &Nic) -> Self {
        let totals = nic.counters();
        let primary: Vec<_> = [Family::V4, Family::V6]
            .into_iter()
            .flat_map(|family| nic.primary_addresses(family))
            .map(|info| info.prefix.address().to_string())
            .collect();
        let ranges: Vec<_> = nic.ranges().iter().map(ToString::to_string).collect();
        let fields = [
            ("addresses", json!(addresses_json(nic))),
            ("counters", counters_json(&totals)),
            ("drops", drops_json(&totals)),
            ("enabled", json!(nic.is_enabled())),
            ("forwarding", json!(nic.forwarding() != Forwarding::OFF)),
            ("groups", json!(groups_json(nic))),
            ("mac", json!(nic.mac().to_string())),
            ("icmp", icmp_json(&totals)),
            ("neighbors", json!(neighbors_json(nic))),
            ("primary", json!(primary)),
            ("promiscuous", json!(nic.is_promiscuous())),
            ("protocols", protocols_json(nic)),
            ("ranges", json!(ranges)),
            ("spoofing", json!(nic.is_spoofing())),
        ];
        Self {
            name: nic.name().to_owned(),
            totals,
            fields: fields
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect(),
        }
    }

    /// Of one that is no more: what it counted.
    pub(crate) fn of_removed(name: &str, totals: NicTotals) -> Self {
        let fields = [
            ("counters", counters_json(&totals)),
            ("drops", drops_json(&totals)),
            ("icmp", icmp_json(&totals)),
            ("removed", json!(true)),
        ];
        Self {
            name: name.to_owned(),
            totals,
            fields: fields
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect(),
        }
    }

    /// With a field more.
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.fields.insert(key.to_owned(), value);
        self
    }

    /// The NIC's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// What its own protocols counted.
    fn protocols(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let counts = self.fields.get("protocols");
        let counter = move |counter: &ProtocolCounter| {
            let count = counts.and_then(|counts| counts.get(counter.label())?.as_u64());
            (
                counter.label(),
                counter.description(),
                count.unwrap_or_default(),
            )
        };
        ProtocolCounter::ALL.iter().map(counter)
    }

    /// Writes it for people.
    pub(crate) fn write(&self, text: &mut String) -> std::fmt::Result {
        let NicState {
            name,
            totals,
            fields,
        } = self;
        let removed = if fields.contains_key("removed") {
            ", removed"
        } else {
            ""
        };
        writeln!(text, "\nNIC {name}{removed}")?;
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
        if totals.send_dropped > 0 {
            let count = totals.send_dropped;
            writeln!(
                text,
                "  {count} to be sent that the link had no room for, or sends none of"
            )?;
        }
        let drops = totals.drops();
        let drops = drops.map(|(reason, count)| (reason.label(), reason.description(), count));
        write_counted(text, "Dropped", drops)?;
        let icmp = totals.icmp();
        let icmp = icmp.map(|(counter, count)| (counter.label(), counter.description(), count));
        write_counted(text, "ICMP", icmp)?;
        write_counted(text, "Protocols", self.protocols())?;
        let of = |key: &str| {
            fields
                .get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
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

/// What the NICs share.
#[derive(Default)]
pub(crate) struct StackState {
    routes: Vec<Value>,
    path_mtus: Vec<Value>,
}

impl StackState {
    /// What these NICs share now.
    pub(crate) fn of(stack: &Stack, nics: &[Nic]) -> Self {
        let path_mtus = stack.path_mtus();
        let path_mtus = path_mtus.iter().map(|it| {
            json!({
                "remote": it.remote.to_string(),
                "mtu": it.mtu,
                "since_ns": it.since.as_nanos(),
            })
        });
        Self {
            routes: routes_json(stack, nics),
            path_mtus: path_mtus.collect(),
        }
    }

    /// As JSON, with the sums over all NICs.
    pub(crate) fn json<'a>(&self, nics: impl IntoIterator<Item = &'a NicState>) -> Value {
        let totals = nics
            .into_iter()
            .fold(NicTotals::default(), |sum, nic| sum.plus(&nic.totals));
        json!({
            "counters": counters_json(&totals),
            "drops": drops_json(&totals),
            "icmp": icmp_json(&totals),
            "routes": self.routes,
            "path_mtus": self.path_mtus,
        })
    }
}

/// The endpoints of a NIC, by address.
pub(crate) fn addresses_json(nic: &Nic) -> Vec<Value> {
    let mut endpoints = nic.endpoints();
    endpoints.sort_unstable_by_key(|info| (info.prefix.address(), info.prefix.len()));
    endpoints.iter().map(address_json).collect()
}

/// The groups that a NIC is in.
pub(crate) fn groups_json(nic: &Nic) -> Vec<Value> {
    let group = |info: &GroupInfo| json!({ "group": info.group.to_string(), "joins": info.joins, "own": info.own });
    nic.groups().iter().map(group).collect()
}

/// The ranges of a NIC.
pub(crate) fn ranges_json(nic: &Nic) -> Vec<Value> {
    let range = |range: &Prefix| json!({ "range": range.to_string() });
    nic.ranges().iter().map(range).collect()
}

/// The neighbors of a NIC, by address.
pub(crate) fn neighbors_json(nic: &Nic) -> Vec<Value> {
    let neighbors = nic.stack().neighbors(nic.id());
    neighbors.iter().map(neighbor_json).collect()
}

/// What a NIC's own protocols counted.
pub(crate) fn protocols_json(nic: &Nic) -> Value {
    let counters = ProtocolCounter::ALL.iter();
    let counter = |counter: &ProtocolCounter| {
        (
            counter.label().to_owned(),
            json!(nic.protocol_counter(*counter)),
        )
    };
    Value::Object(counters.map(counter).collect())
}

/// The route table.
pub(crate) fn routes_json(stack: &Stack, nics: &[Nic]) -> Vec<Value> {
    let route = |route: &RouteSpec| {
        let nic = nics.iter().find(|nic| nic.id() == route.nic);
        json!({
            "to": route.to.to_string(),
            "via": route.via.map(|via| via.to_string()),
            "nic": nic.map(Nic::name),
        })
    };
    stack.routes().iter().map(route).collect()
}

/// The routes that are kept, by name.
pub(crate) fn holds_json(held: &Routes, nics: &[Nic]) -> Vec<Value> {
    let row = |(name, route): (&String, &Route)| {
        let nic = nics.iter().find(|nic| nic.id() == route.nic());
        json!({
            "name": name,
            "nic": nic.map(Nic::name),
            "local": route.local().to_string(),
            "remote": route.remote().to_string(),
            "next_hop": route.next_hop().to_string(),
        })
    };
    held.iter().map(row).collect()
}

/// A service as JSON.
pub(crate) fn service_json(service: &Service) -> Value {
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
pub(crate) fn icmp_json(totals: &NicTotals) -> Value {
    let counted = totals.icmp().filter(|(_, count)| *count > 0);
    Value::Object(
        counted
            .map(|(counter, count)| (counter.label().to_owned(), json!(count)))
            .collect(),
    )
}

pub(crate) fn counters_json(totals: &NicTotals) -> Value {
    json!({
        "received": totals.received,
        "received_bytes": totals.received_bytes,
        "delivered": totals.delivered,
        "forwarded": totals.forwarded,
        "consumed": totals.consumed,
        "looped": totals.looped,
        "unpacked": totals.unpacked,
        "sent": totals.sent,
        "sent_bytes": totals.sent_bytes,
        "send_dropped": totals.send_dropped,
        "segmented": totals.segmented,
        "segments": totals.segments,
        "checksums_completed": totals.checksums_completed,
        "resets_sent": totals.resets_sent,
    })
}

pub(crate) fn drops_json(totals: &NicTotals) -> Value {
    let drops = totals.drops();
    Value::Object(
        drops
            .map(|(reason, count)| (reason.label().to_owned(), json!(count)))
            .collect(),
    )
}

/// Counters that are not 0, with label and description, under a title of their own.
fn write_counted<'a>(
    text: &mut String,
    title: &str,
    counters: impl Iterator<Item = (&'a str, &'a str, u64)>,
) -> std::fmt::Result {
    let mut counted = counters.filter(|(.., count)| *count > 0).peekable();
    if counted.peek().is_some() {
        writeln!(text, "  {title}:")?;
    }
    counted.try_for_each(|(label, description, count)| {
        writeln!(text, "    {count:>8} {label}: {description}")
    })
}

/// A title and a line for each item, if there are any.
pub(crate) fn section<T>(
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
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_under_titles_of_its_kind() {
        let text = |totals| {
            let mut text = String::new();
            let state = NicState::of_removed("wan", totals);
            state.write(&mut text).unwrap();
            text
        };
        let all = text(NicTotals::read(|_| 1));
        let (drops, icmp) = all.split_once("  ICMP:\n").unwrap();
        let (_, drops) = drops.split_once("  Dropped:\n").unwrap();
        let totals = NicTotals::read(|_| 1);
        assert_eq!(drops.lines().count(), totals.drops().count(), "{all}");
        assert_eq!(icmp.lines().count(), totals.icmp().count(), "{all}");
        let none = text(NicTotals::default());
        assert_eq!(none.lines().count(), 3, "{none}");
        assert!(none.starts_with("\nNIC wan, removed\n"), "{none}");
    }
}
