//! What happened, as JSON and as a line.

use std::time::Duration;

use corelane::stack::{AbortReason, Event, NeighborChange, NicId};
use serde_json::{Map, Value, json};

use crate::config::seconds;

/// An event and its time.
pub(crate) struct TimedEvent {
    /// The time, in nanoseconds.
    pub(crate) at_ns: u64,
    /// Its fields: `event`, and what belongs to it.
    pub(crate) fields: Map<String, Value>,
}

impl TimedEvent {
    /// An event that happened at `at_ns`; `name` tells the names of NICs.
    pub(crate) fn new(at_ns: u64, event: &Event, name: impl Fn(NicId) -> String) -> Self {
        let (label, nic, rest) = match event {
            Event::EndpointClosed { nic, address } => (
                "endpoint_closed",
                Some(nic),
                json!({ "address": address.to_string() }),
            ),
            Event::AddressAssigned { nic, address } => (
                "address_assigned",
                Some(nic),
                json!({ "address": address.to_string() }),
            ),
            Event::DuplicateAddress {
                nic,
                address,
                offender,
            } => (
                "duplicate_address",
                Some(nic),
                json!({
                    "address": address.to_string(),
                    "offender": offender.map(|mac| mac.to_string()),
                }),
            ),
            Event::DadAborted {
                nic,
                address,
                reason,
            } => (
                "dad_aborted",
                Some(nic),
                json!({
                    "address": address.to_string(),
                    "reason": match reason {
                        AbortReason::AddressRemoved => "address_removed",
                        AbortReason::NicDisabled => "nic_disabled",
                    },
                }),
            ),
            Event::AddressConflict {
                nic,
                address,
                offender,
            } => (
                "address_conflict",
                Some(nic),
                json!({ "address": address.to_string(), "offender": offender.to_string() }),
            ),
            Event::NeighborChanged {
                nic,
                address,
                mac,
                change,
            } => (
                "neighbor_changed",
                Some(nic),
                json!({
                    "address": address.to_string(),
                    "change": match change {
                        NeighborChange::Reachable => "reachable",
                        NeighborChange::LinkAddress => "link_address",
                        NeighborChange::Unreachable => "unreachable",
                        NeighborChange::NoLongerRouter => "no_longer_router",
                        NeighborChange::Removed => "removed",
                    },
                    "mac": mac.map(|mac| mac.to_string()),
                }),
            ),
            Event::NicEnabled { nic } => ("nic_enabled", Some(nic), json!({})),
            Event::NicDisabled { nic } => ("nic_disabled", Some(nic), json!({})),
            Event::NicRemoved { nic } => ("nic_removed", Some(nic), json!({})),
            Event::HandlerPanicked { message, .. } => {
                ("handler_panicked", None, json!({ "message": message }))
            }
            Event::LinkFailed { nic, error } => {
                ("link_failed", Some(nic), json!({ "error": error }))
            }
            other => ("other", None, json!({ "what": format!("{other:?}") })),
        };
        let mut fields = match rest {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.insert("event".to_owned(), json!(label));
        if let Some(nic) = nic {
            fields.insert("nic".to_owned(), json!(name(*nic)));
        }
        Self { at_ns, fields }
    }

    /// What a link said that broke.
    pub(crate) fn link_failure(&self) -> Option<&str> {
        (self.fields.get("event")? == "link_failed")
            .then(|| self.fields.get("error")?.as_str())
            .flatten()
    }

    /// The fields with the time.
    pub(crate) fn json(&self) -> Value {
        let mut fields = self.fields.clone();
        fields.insert("at_ns".to_owned(), json!(self.at_ns));
        Value::Object(fields)
    }

    /// On a line: time, NIC, event, the rest.
    pub(crate) fn line(&self) -> String {
        let text = |key: &str| {
            self.fields
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let rest: Vec<_> = self
            .fields
            .iter()
            .filter(|(key, _)| !["event", "nic"].contains(&key.as_str()))
            .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
            .collect();
        let time = seconds(Duration::from_nanos(self.at_ns));
        let line = format!(
            "{time} {} {} {}",
            text("nic"),
            text("event"),
            rest.join(" ")
        );
        line.trim_end().to_owned()
    }
}
