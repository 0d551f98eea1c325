//! From the file to a checked configuration.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use corelane::stack::IcmpLimiter;
use toml::Spanned;
use toml::de::DeTable;

use super::error::{ConfigError, Place, Source};
use super::fields::{Field, Fields};
use super::model::{CaseSetting, Config, LinkKind, NeighborSetting, NicSetting, RouteSetting};
use super::{event, nic, service};
use crate::unit::nearest;

const KEYS: &[&str] = &[
    "workers",
    "forwarding",
    "icmp_rate",
    "icmp_burst",
    "seed",
    "dad_transmits",
    "dad_retransmit_timer",
    "auto_link_local",
    "stable_secret",
    "multicast_loop",
    "spare_nics",
    "user",
    "socket",
    "socket_mode",
    "nic",
    "route",
    "neighbor",
    "service",
    "event",
    "case",
];

const NEIGHBOR_KEYS: &[&str] = &["nic", "address", "mac"];

/// RSS spreads over 128 entries: more workers would have none.
const MAX_WORKERS: u64 = 128;

/// Frames are kept for so many NICs that come later.
const SPARE_NICS: u64 = 1;
const MAX_SPARE_NICS: u64 = 256;

/// The control socket is its owner's.
const SOCKET_MODE: u32 = 0o600;

/// sun_path with its NUL.
const MAX_SOCKET_PATH: usize = 107;

/// A retransmission timer under this becomes [`TIMER`] (BEHAVIOURS G1).
const LEAST_TIMER: Duration = Duration::from_millis(1);
const TIMER: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Collects what is odd but not wrong.
pub(super) struct Warnings<'a> {
    file: &'a str,
    list: Vec<(Place, String)>,
}

impl<'a> Warnings<'a> {
    /// None yet, of this file.
    pub(super) fn new(file: &'a str) -> Self {
        let list = Vec::new();
        Self { file, list }
    }

    pub(super) fn add(&mut self, place: Place, field: &str, what: &str) {
        let Place { line, column } = place;
        let text = format!("{}:{line}:{column}: {field}: {what}", self.file);
        self.list.push((place, text));
    }

    pub(super) fn of(&mut self, field: &Field<'_>, what: &str) {
        self.add(field.place(), field.path(), what);
    }
}

/// The tables of a text.
pub(super) fn document(source: Source<'_>) -> Result<Spanned<DeTable<'_>>, ConfigError> {
    DeTable::parse(source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim().replace('\n', ", ");
        source.error(&span, "", format!("this is not TOML: {message}"))
    })
}

pub(super) fn parse(source: Source<'_>) -> Result<Config, ConfigError> {
    let document = document(source)?;
    let top = Fields::new(source, String::new(), 0..0, document.get_ref(), KEYS)?;
    let mut warnings = Warnings::new(source.file);

    let workers = top
        .get("workers")
        .map(|field| field.integer("a number of workers", 1..=MAX_WORKERS))
        .transpose()?
        .map(|workers| workers as usize);
    let seed = top
        .get("seed")
        .map_or(Ok(1), |field| field.integer("a seed", 0..=i64::MAX as u64))?;
    let forwarding = top.flag("forwarding")?;
    let icmp = |key, what, default: u32| {
        top.get(key).map_or(Ok(default), |field| {
            field
                .integer(what, 0..=u32::MAX.into())
                .map(|number| number as u32)
        })
    };
    let icmp_rate = icmp("icmp_rate", "a number of errors", IcmpLimiter::RATE)?;
    let icmp_burst = icmp("icmp_burst", "a number of errors", IcmpLimiter::BURST)?;
    let dad_transmits = top.get("dad_transmits").map_or(Ok(1), |field| {
        field.integer("a number of solicitations", 0..=u8::MAX.into())
    })? as u8;
    let dad_retransmit_timer = retransmit_timer(&top, &mut warnings)?;
    let auto_link_local = top.flag("auto_link_local")?;
    let stable_secret = top
        .get("stable_secret")
        .map(|field| secret(&field))
        .transpose()?;
    if let Some(field) = top.get("stable_secret").filter(|_| !auto_link_local) {
        warnings.of(&field, "without auto_link_local = true it has no effect");
    }
    let multicast_loop = top.flag("multicast_loop")?;
    let user = top.get("user").map(|field| user(&field)).transpose()?;
    let socket = top.get("socket").map(|field| socket(&field)).transpose()?;
    let socket_mode = top
        .get("socket_mode")
        .map_or(Ok(SOCKET_MODE), |field| mode(&field))?;

    let nics = nic::nics(&top, forwarding, seed, &mut warnings)?;
    // What AF_XDP has of the pool is locked memory, all of it.
    let is_locked = nics.iter().any(|nic| nic.link.kind == LinkKind::AfXdp);
    let spare_nics = if is_locked { 0 } else { SPARE_NICS };
    let given = top.get("spare_nics");
    let spare_nics_given = given.is_some();
    let spare_nics = given.map_or(Ok(spare_nics), |field| {
        field.integer("a number of NICs", 0..=MAX_SPARE_NICS)
    })? as usize;
    let routes = top
        .items("route", "an array of tables, [[route]],")?
        .iter()
        .map(|item| route(item, &nics, &mut warnings))
        .collect::<Result<_, _>>()?;
    let neighbors = neighbors(&top, &nics)?;
    let services = service::services(&top, &nics)?;
    let events = event::events(&top, &nics, &mut warnings)?;
    let case = top.get("case").map(|field| case(&field)).transpose()?;

    warnings.list.sort_by_key(|(place, _)| *place);
    Ok(Config {
        file: source.file.to_owned(),
        workers,
        forwarding,
        icmp_rate,
        icmp_burst,
        seed,
        dad_transmits,
        dad_retransmit_timer,
        auto_link_local,
        stable_secret,
        multicast_loop,
        spare_nics,
        spare_nics_given,
        user,
        socket,
        socket_mode,
        nics,
        routes,
        neighbors,
        services,
        events,
        case,
        warnings: warnings.list.into_iter().map(|(_, text)| text).collect(),
    })
}

fn retransmit_timer(
    top: &Fields<'_>,
    warnings: &mut Warnings<'_>,
) -> Result<Duration, ConfigError> {
    let Some(field) = top.get("dad_retransmit_timer") else {
        return Ok(TIMER);
    };
    let timer = field.duration(Duration::ZERO..=HOUR)?;
    if timer < LEAST_TIMER {
        warnings.of(&field, "a time under 1ms becomes 1s");
        return Ok(TIMER);
    }
    Ok(timer)
}

/// 16 bytes in hexadecimal digits.
fn secret(field: &Field<'_>) -> Result<[u8; 16], ConfigError> {
    let text = field.text("a secret as a text of 32 hexadecimal digits")?;
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u128::from_str_radix(text, 16) {
        Ok(secret) if digits && text.len() == 32 => Ok(secret.to_be_bytes()),
        // The secret itself is not repeated: messages end up in logs.
        _ => Err(field.error(format!(
            "a secret is 32 hexadecimal digits; this has {} characters{}",
            text.chars().count(),
            if digits {
                ""
            } else {
                ", and others among them"
            },
        ))),
    }
}

fn user(field: &Field<'_>) -> Result<String, ConfigError> {
    let user = field.text("the name of a user as a text")?;
    if user.is_empty() || user.contains('\0') {
        return Err(field.error("this is not the name of a user"));
    }
    Ok(user.to_owned())
}

fn socket(field: &Field<'_>) -> Result<PathBuf, ConfigError> {
    let path = field.text("the path of a socket as a text")?;
    if path.is_empty() || path.len() > MAX_SOCKET_PATH || path.contains('\0') {
        return Err(field.error(format!(
            "the path of a socket has 1 to {MAX_SOCKET_PATH} bytes"
        )));
    }
    Ok(path.into())
}

/// Permissions as chmod takes them.
fn mode(field: &Field<'_>) -> Result<u32, ConfigError> {
    let text = field.text("permissions as a text, such as \"0660\",")?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match u32::from_str_radix(text, 8) {
        Ok(mode) if digits && mode <= 0o777 => Ok(mode),
        _ => Err(field.error(format!(
            "'{text}' are no permissions: three octal digits; did you mean '0660'?"
        ))),
    }
}

/// The NIC that a field names.
pub(super) fn known_nic(field: &Field<'_>, nics: &[NicSetting]) -> Result<String, ConfigError> {
    let name = field.text("the name of a NIC as a text")?;
    if nics.iter().any(|nic| nic.name == name) {
        return Ok(name.to_owned());
    }
    let names = || nics.iter().map(|nic| nic.name.as_str());
    Err(field.error(match nearest(name, names()) {
        Some(meant) => format!("there is no NIC '{name}'; did you mean '{meant}'?"),
        None => format!(
            "there is no NIC '{name}'; there are: {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    }))
}

/// The fields of a route: `to`, `via` and the NIC.
pub(super) fn route_of(
    fields: &Fields<'_>,
    nics: &[NicSetting],
) -> Result<RouteSetting, ConfigError> {
    let nic = known_nic(&fields.need("nic", &example(nics))?, nics)?;
    let to = nic::subnet(&fields.need("to", "\"0.0.0.0/0\"")?)?;
    let via = fields
        .get("via")
        .map(|field| nic::address(&field).map(|via| (field, via)));
    let via = via.transpose()?;
    if let Some((field, via)) = &via {
        if via.is_ipv4() != to.address().is_ipv4() {
            return Err(field.error(format!(
                "{via} cannot be the gateway to {to}: one is IPv4, the other IPv6"
            )));
        }
        if via.is_multicast() || via.is_unspecified() {
            return Err(field.error(format!(
                "{via} cannot be a gateway: it is no host's address"
            )));
        }
    }
    Ok(RouteSetting {
        to,
        via: via.map(|(_, via)| via),
        nic,
    })
}

fn route(
    item: &Field<'_>,
    nics: &[NicSetting],
    warnings: &mut Warnings<'_>,
) -> Result<RouteSetting, ConfigError> {
    let fields = item.table("a table, [[route]],", &["to", "via", "nic"])?;
    let route = route_of(&fields, nics)?;
    let by = nics.iter().find(|nic| nic.name == route.nic);
    if let Some(field) = fields.get("nic")
        && by.is_some_and(|nic| nic.link.receive_only)
    {
        let what = "the link is to receive only: what the route takes is counted, and not sent";
        warnings.of(&field, what);
    }
    Ok(route)
}

fn neighbors(top: &Fields<'_>, nics: &[NicSetting]) -> Result<Vec<NeighborSetting>, ConfigError> {
    let mut seen = HashMap::new();
    let mut neighbors = Vec::new();
    for item in top.items("neighbor", "an array of tables, [[neighbor]],")? {
        let neighbor = neighbor(&item, nics)?;
        let key = (neighbor.nic.clone(), neighbor.address);
        if let Some(before) = seen.insert(key, item.path().to_owned()) {
            let field = item.table("", NEIGHBOR_KEYS)?.need("address", "")?;
            return Err(field.error(format!(
                "{before} is {} on {} already",
                neighbor.address, neighbor.nic
            )));
        }
        neighbors.push(neighbor);
    }
    Ok(neighbors)
}

fn neighbor(item: &Field<'_>, nics: &[NicSetting]) -> Result<NeighborSetting, ConfigError> {
    let fields = item.table("a table, [[neighbor]],", NEIGHBOR_KEYS)?;
    let nic = known_nic(&fields.need("nic", &example(nics))?, nics)?;
    let address = neighbor_address(&fields.need("address", "\"192.0.2.254\"")?)?;
    let mac = nic::mac(&fields.need("mac", "\"02:00:00:00:00:fe\"")?)?;
    Ok(NeighborSetting { nic, address, mac })
}

/// The address of a host.
pub(super) fn neighbor_address(field: &Field<'_>) -> Result<IpAddr, ConfigError> {
    let address = nic::address(field)?;
    if address.is_multicast() || address.is_unspecified() {
        return Err(field.error(format!(
            "{address} cannot be a neighbor: it is no host's address"
        )));
    }
    Ok(address)
}

fn case(field: &Field<'_>) -> Result<CaseSetting, ConfigError> {
    let fields = field.table("a table, [case],", &["description", "arguments"])?;
    let description = fields.get("description");
    let arguments = fields.items("arguments", "an array of texts")?;
    Ok(CaseSetting {
        description: description
            .map_or(Ok(""), |field| field.text("a text"))?
            .trim()
            .to_owned(),
        arguments: arguments
            .iter()
            .map(|field| field.text("an argument as a text").map(str::to_owned))
            .collect::<Result<_, _>>()?,
    })
}

/// How the name of a NIC is written here.
pub(super) fn example(nics: &[NicSetting]) -> String {
    format!(
        "\"{}\"",
        nics.first().map_or("wan", |nic| nic.name.as_str())
    )
}
