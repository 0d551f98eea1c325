//! The timeline of a configuration.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Source, printable};
use super::fields::{Field, Fields};
use super::model::{Action, AddressSetting, Change, EventSetting, NicSetting};
use super::nic;
use super::parse::{Warnings, example, known_nic, neighbor_address, route_of};

/// Every key of an event, whatever it does.
const KEYS: &[&str] = &[
    "at", "nic", "do", "address", "primary", "range", "group", "on", "state", "to", "via", "local",
    "remote", "name", "mac",
];

/// What can be done, as it is written.
pub fn change_words() -> impl Iterator<Item = &'static str> {
    DOS.iter().map(|(word, _)| *word)
}

/// The keys that belong to something to do beside `nic`; none if there is no such thing to do.
pub fn change_keys(what: &str) -> &'static [&'static str] {
    let found = DOS.iter().find(|(word, _)| *word == what);
    found.map_or(&[], |(_, (_, keys))| keys)
}

impl Change {
    /// Reads one from what is not a file: the keys of an event but `at`, with texts, flags and tables.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(fields: &Map<String, Value>, nics: &[NicSetting]) -> Result<Self, String> {
        let message = |error: ConfigError| match error.field.as_str() {
            "" => error.what,
            field => format!("{field}: {}", error.what),
        };
        let source = Source {
            file: "",
            text: "",
            lines: &[0],
        };
        let known = KEYS.strip_prefix(&["at"]).unwrap_or(KEYS);
        let table = table(fields)?;
        let fields = Fields::new(source, String::new(), 0..0, &table, known).map_err(message)?;
        // What has no effect is not refused in a file either.
        let mut warnings = Warnings::new("");
        change(&fields, nics, &mut warnings).map_err(message)
    }
}

/// The fields as a file would have them.
fn table(fields: &Map<String, Value>) -> Result<DeTable<'_>, String> {
    let mut table = DeTable::new();
    for (key, value) in fields {
        let value = match value {
            Value::String(text) => DeValue::String(text.as_str().into()),
            Value::Bool(flag) => DeValue::Boolean(*flag),
            Value::Object(fields) => DeValue::Table(self::table(fields)?),
            Value::Null | Value::Number(_) | Value::Array(_) => {
                let key = printable(key);
                return Err(format!("{key}: a text, true or false is wanted"));
            }
        };
        table.insert(
            Spanned::new(0..0, key.as_str().into()),
            Spanned::new(0..0, value),
        );
    }
    Ok(table)
}

/// What can be done, and the keys that belong to it beside `at`, `nic` and `do`.
const DOS: &[(&str, (Do, &[&str]))] = &[
    ("add_address", (Do::AddAddress, &["address", "primary"])),
    ("remove_address", (Do::RemoveAddress, &["address"])),
    ("add_range", (Do::AddRange, &["range"])),
    ("remove_range", (Do::RemoveRange, &["range"])),
    ("join_group", (Do::JoinGroup, &["group"])),
    ("leave_group", (Do::LeaveGroup, &["group"])),
    ("set_promiscuous", (Do::SetPromiscuous, &["on"])),
    ("set_spoofing", (Do::SetSpoofing, &["on"])),
    ("set_forwarding", (Do::SetForwarding, &["on"])),
    ("add_route", (Do::AddRoute, &["to", "via"])),
    ("remove_route", (Do::RemoveRoute, &["to", "via"])),
    ("add_neighbor", (Do::AddNeighbor, &["address", "mac"])),
    ("remove_neighbor", (Do::RemoveNeighbor, &["address"])),
    ("set_link", (Do::SetLink, &["on", "state"])),
    ("hold_route", (Do::HoldRoute, &["local", "remote", "name"])),
    ("release_route", (Do::ReleaseRoute, &["name"])),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Do {
    AddAddress,
    RemoveAddress,
    AddRange,
    RemoveRange,
    JoinGroup,
    LeaveGroup,
    SetPromiscuous,
    SetSpoofing,
    SetForwarding,
    AddRoute,
    RemoveRoute,
    AddNeighbor,
    RemoveNeighbor,
    SetLink,
    HoldRoute,
    ReleaseRoute,
}

/// A year: beyond it is a mistake.
const LATEST: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) fn events(
    top: &Fields<'_>,
    nics: &[NicSetting],
    warnings: &mut Warnings<'_>,
) -> Result<Vec<EventSetting>, ConfigError> {
    let mut events = top
        .items("event", "an array of tables, [[event]],")?
        .iter()
        .map(|item| event(item, nics, warnings))
        .collect::<Result<Vec<_>, _>>()?;
    check_names(top, &events)?;
    events.sort_by_key(|event| event.at);
    Ok(events)
}

fn event(
    item: &Field<'_>,
    nics: &[NicSetting],
    warnings: &mut Warnings<'_>,
) -> Result<EventSetting, ConfigError> {
    let fields = item.table("a table, [[event]],", KEYS)?;
    let at = fields
        .need("at", "\"1.5s\"")?
        .duration(Duration::ZERO..=LATEST)?;
    let change = change(&fields, nics, warnings)?;
    Ok(EventSetting { at, change })
}

/// What is to be done, and on which NIC.
fn change(
    fields: &Fields<'_>,
    nics: &[NicSetting],
    warnings: &mut Warnings<'_>,
) -> Result<Change, ConfigError> {
    let what = fields.need("do", "\"add_address\"")?;
    let (what, own) = what.word("something to do", DOS)?;
    let label = DOS
        .iter()
        .find(|(_, (of, _))| *of == what)
        .map_or("", |(label, _)| label);
    for key in fields.present() {
        if !["at", "nic", "do"].contains(&key) && !own.contains(&key) {
            let field = fields.need(key, "")?;
            return Err(field.error(format!(
                "it does not belong to {label}, which has: {}",
                own.join(", ")
            )));
        }
    }
    let nic = match fields.get("nic") {
        Some(field) => Some(known_nic(&field, nics)?),
        None if matches!(what, Do::SetForwarding | Do::HoldRoute | Do::ReleaseRoute) => None,
        None => return Err(missing(fields, "nic", label, &example(nics))),
    };
    let need = |key, example: &str| {
        fields
            .get(key)
            .ok_or_else(|| missing(fields, key, label, &format!("\"{example}\"")))
    };
    let on = || {
        let field = fields
            .get("on")
            .ok_or_else(|| missing(fields, "on", label, "true"))?;
        field.flag()
    };
    let range = |warnings: &mut Warnings<'_>| {
        let field = need("range", "198.51.100.0/24")?;
        let range = nic::subnet(&field)?;
        nic::warn_of_range(&field, range, warnings);
        Ok(range)
    };
    let action = match what {
        Do::AddAddress => Action::AddAddress(added(fields, &need("address", "192.0.2.7/24")?)?),
        Do::RemoveAddress => {
            let prefix = nic::prefix(&need("address", "192.0.2.7")?)?;
            Action::RemoveAddress(prefix.address())
        }
        Do::AddRange => Action::AddRange(range(warnings)?),
        Do::RemoveRange => Action::RemoveRange(range(warnings)?),
        Do::JoinGroup => Action::JoinGroup(nic::address(&need("group", "239.1.2.3")?)?),
        Do::LeaveGroup => Action::LeaveGroup(nic::address(&need("group", "239.1.2.3")?)?),
        Do::SetPromiscuous => Action::SetPromiscuous(on()?),
        Do::SetSpoofing => Action::SetSpoofing(on()?),
        Do::SetForwarding => Action::SetForwarding(on()?),
        Do::AddRoute | Do::RemoveRoute => {
            need("to", "0.0.0.0/0")?;
            let route = route_of(fields, nics)?;
            if what == Do::AddRoute {
                Action::AddRoute(route)
            } else {
                Action::RemoveRoute(route)
            }
        }
        Do::AddNeighbor => Action::AddNeighbor {
            address: neighbor_address(&need("address", "192.0.2.254")?)?,
            mac: nic::mac(&need("mac", "02:00:00:00:00:fe")?)?,
        },
        Do::RemoveNeighbor => {
            Action::RemoveNeighbor(neighbor_address(&need("address", "192.0.2.254")?)?)
        }
        Do::SetLink => Action::SetLink(up(fields, label)?),
        Do::HoldRoute => hold_route(fields, label)?,
        Do::ReleaseRoute => Action::ReleaseRoute {
            name: route_name(&need("name", "r1")?)?,
        },
    };
    Ok(Change { action, nic })
}

fn missing(fields: &Fields<'_>, key: &str, label: &str, example: &str) -> ConfigError {
    let example = fields.written(key, example);
    let mut error = fields.error(format!(
        "missing, {label} needs it; write for example: {example}"
    ));
    error.field = fields.path_of(key);
    error
}

/// An address, with its place among the source addresses inside or beside it.
fn added(fields: &Fields<'_>, address: &Field<'_>) -> Result<AddressSetting, ConfigError> {
    let mut setting = nic::address_setting(address)?;
    if let Some(field) = fields.get("primary") {
        if !address.is_text() {
            return Err(field.error("address says it already"));
        }
        setting.primary = nic::primary(&field)?;
    }
    Ok(setting)
}

fn up(fields: &Fields<'_>, label: &str) -> Result<bool, ConfigError> {
    match (fields.get("on"), fields.get("state")) {
        (Some(on), None) => on.flag(),
        (None, Some(state)) => state.word("a state of a link", &[("up", true), ("down", false)]),
        (Some(_), Some(state)) => Err(state.error("on says it already")),
        (None, None) => Err(missing(fields, "on", label, "false")),
    }
}

fn hold_route(fields: &Fields<'_>, label: &str) -> Result<Action, ConfigError> {
    let name = fields
        .get("name")
        .ok_or_else(|| missing(fields, "name", label, "\"r1\""))?;
    let name = route_name(&name)?;
    let address = |key| {
        let field = fields.get(key);
        field
            .map(|field| nic::address(&field).map(|address| (field, address)))
            .transpose()
    };
    let (local, remote) = (address("local")?, address("remote")?);
    if let (Some((_, local)), Some((field, remote))) = (&local, &remote)
        && local.is_ipv4() != remote.is_ipv4()
    {
        return Err(field.error(format!(
            "there is no route from {local} to {remote}: one is IPv4, the other IPv6"
        )));
    }
    let local: Option<IpAddr> = local.map(|(_, local)| local);
    // BEHAVIOURS J14.
    let remote = remote.map(|(_, remote)| remote).or(local);
    let remote = remote.ok_or_else(|| missing(fields, "local", label, "\"192.0.2.1\""))?;
    Ok(Action::HoldRoute {
        name,
        local,
        remote,
    })
}

fn route_name(field: &Field<'_>) -> Result<String, ConfigError> {
    let name = field.text("a name as a text")?;
    if name.is_empty() {
        return Err(field.error("a name has at least one character"));
    }
    Ok(name.to_owned())
}

/// A route that is never held cannot be released. (Whether it is at that time, the run shows.)
fn check_names(top: &Fields<'_>, events: &[EventSetting]) -> Result<(), ConfigError> {
    let held: HashSet<&str> = events
        .iter()
        .filter_map(|event| match &event.change.action {
            Action::HoldRoute { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let items = top.items("event", "")?;
    for (event, item) in events.iter().zip(&items) {
        let Action::ReleaseRoute { name } = &event.change.action else {
            continue;
        };
        if held.contains(name.as_str()) {
            continue;
        }
        let meant = crate::unit::nearest(name, held.iter().copied())
            .map(|meant| format!("; did you mean '{meant}'?"))
            .unwrap_or_default();
        let field = item.table("", KEYS)?.need("name", "")?;
        return Err(field.error(format!("no hold_route has the name '{name}'{meant}")));
    }
    Ok(())
}
