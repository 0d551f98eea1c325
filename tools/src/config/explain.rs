//! A configuration in plain words, and as JSON.

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use corelane::io::af_xdp::XdpMode;
use corelane::io::middleware::FaultPlan;
use corelane::stack::{Prefix, PrimaryEndpointBehavior};
use corelane::wire::PacketFilter;
use serde_json::{Map, Value, json};

use super::middleware::{plan_words, share_words};
use super::model::{
    Action, AddressSetting, CaptureSetting, Change, Config, EventSetting, IgmpSetting, LinkKind,
    LinkSetting, MldSetting, NicSetting, RouteSetting, mode_label, primary_label,
};

/// The configuration in plain words, defaults and all.
pub fn explain(config: &Config) -> String {
    let mut text = Text::default();
    let odd = match config.warnings.len() {
        0 => "nothing is wrong with it".to_owned(),
        1 => "there is a warning below".to_owned(),
        n => format!("there are {n} warnings below"),
    };
    text.line(format_args!("{}: a configuration, {odd}", config.file));
    if let Some(case) = &config.case {
        text.title("Case");
        case.description.lines().for_each(|line| text.item(line));
        if !case.arguments.is_empty() {
            text.pair("arguments", case.arguments.join(" "));
        }
    }
    engine(&mut text, config);
    config
        .nics
        .iter()
        .for_each(|nic| explain_nic(&mut text, config, nic));
    list(&mut text, "Routes", &config.routes, route_words);
    list(&mut text, "Neighbors", &config.neighbors, |neighbor| {
        format!(
            "{} on {} has the link address {}, and is not asked",
            neighbor.address, neighbor.nic, neighbor.mac
        )
    });
    list(&mut text, "Services", &config.services, |service| {
        format!(
            "{} on {}, {}{}{}",
            service.kind.label(),
            service.bind,
            match &service.nic {
                Some(nic) => format!("packets from {nic} only"),
                None => "packets from any NIC".to_owned(),
            },
            if service.reuse_port {
                ", shares its port"
            } else {
                ""
            },
            match service.kind {
                super::ServiceKind::UdpEcho => ": sends datagrams back to where they came from",
                super::ServiceKind::UdpSink => ": takes datagrams and counts them",
                super::ServiceKind::RawSink =>
                    ": counts packets of every protocol, beside whoever takes them",
            }
        )
    });
    list(&mut text, "Timeline", &config.events, |event| {
        format!("{:>10}  {}", seconds(event.at), event_words(config, event))
    });
    list(&mut text, "Warnings", &config.warnings, Clone::clone);
    text.0
}

/// Lines under titles.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: impl std::fmt::Display) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn title(&mut self, title: &str) {
        self.line(format_args!("\n{title}"));
    }

    fn item(&mut self, item: impl std::fmt::Display) {
        self.line(format_args!("  {item}"));
    }

    fn pair(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line(format_args!("  {name:<22} {value}"));
    }
}

fn list<T>(text: &mut Text, title: &str, items: &[T], line: impl Fn(&T) -> String) {
    if !items.is_empty() {
        text.title(title);
        items.iter().for_each(|item| text.item(line(item)));
    }
}

fn engine(text: &mut Text, config: &Config) {
    text.title("Engine");
    match config.workers {
        Some(workers) => text.pair("workers", workers),
        None => text.pair("workers", "one per core that the process may use"),
    }
    text.pair("seed", config.seed);
    text.pair(
        "forwarding",
        if config.forwarding {
            "on: packets for others are sent on by the routes"
        } else {
            "off: packets for others are dropped"
        },
    );
    text.pair(
        "ICMP errors",
        format_args!(
            "{} a second, {} in a burst",
            config.icmp_rate, config.icmp_burst
        ),
    );
    text.pair("duplicate detection", detection(config));
    text.pair(
        "link-local addresses",
        match (config.auto_link_local, config.stable_secret) {
            (false, _) => "none but those listed",
            (true, None) => "one for each NIC, made of its link address (EUI-64)",
            (true, Some(_)) => "one for each NIC, stable and opaque (RFC 7217)",
        },
    );
    text.pair(
        "multicast loop",
        if config.multicast_loop {
            "on: multicast packets sent come back to this host too"
        } else {
            "off"
        },
    );
    text.pair(
        "spare NICs",
        format_args!("frames for {} that SIGHUP may add (up)", config.spare_nics),
    );
    text.pair("control socket", socket_words(config));
    if let Some(user) = &config.user {
        text.pair("user", format_args!("{user}, once the links are open (up)"));
    }
}

fn socket_words(config: &Config) -> String {
    let place = match &config.socket {
        Some(path) => path.display().to_string(),
        None => "in the usual place".to_owned(),
    };
    format!("{place}, permissions {:04o} (up)", config.socket_mode)
}

fn detection(config: &Config) -> String {
    let timer = seconds(config.dad_retransmit_timer);
    match config.dad_transmits {
        0 => "off: IPv6 addresses are in use at once".to_owned(),
        1 => format!("1 solicitation for each IPv6 address, in use {timer} later if unanswered"),
        n => format!(
            "{n} solicitations for each IPv6 address, {timer} apart, in use {} after the first if \
             unanswered",
            seconds(config.dad_retransmit_timer * u32::from(n))
        ),
    }
}

fn explain_nic(text: &mut Text, config: &Config, nic: &NicSetting) {
    text.title(&format!("NIC {}", nic.name));
    text.pair("link", link_words(&nic.link));
    text.pair(
        "mac",
        format_args!(
            "{}{}",
            nic.mac,
            if nic.mac_given { "" } else { " (made up)" }
        ),
    );
    text.pair("mtu", format_args!("{} bytes", nic.mtu));
    text.pair(
        "enabled",
        if nic.enabled {
            "yes, from the start"
        } else {
            "no: drops what it receives until set_link"
        },
    );
    text.pair(
        "promiscuous",
        if nic.promiscuous {
            "on: takes packets for every address"
        } else {
            "off: takes packets for its own addresses, ranges and groups"
        },
    );
    text.pair(
        "spoofing",
        if nic.spoofing {
            "on: routes may begin at every address"
        } else {
            "off: routes begin at its own addresses"
        },
    );
    if nic.forwarding != config.forwarding {
        text.pair(
            "forwarding",
            if nic.forwarding {
                "on, for what it receives"
            } else {
                "off, for what it receives"
            },
        );
    }
    text.pair(
        "tells of IPv4 groups",
        match nic.igmp {
            IgmpSetting::V3 => "by IGMPv3",
            IgmpSetting::V2 => "by IGMPv2",
            IgmpSetting::Off => "never",
        },
    );
    text.pair(
        "tells of IPv6 groups",
        match nic.mld {
            MldSetting::V2 => "by MLDv2",
            MldSetting::V1 => "by MLDv1",
            MldSetting::Off => "never",
        },
    );
    for address in &nic.addresses {
        text.pair(
            "address",
            format_args!("{}: {}", address.prefix, address_words(config, address)),
        );
    }
    for range in &nic.ranges {
        text.pair("range", format_args!("{range}: {}", range_words(*range)));
    }
    for group in &nic.groups {
        text.pair("group", format_args!("{group}: joined"));
    }
    if let Some(faults) = &nic.faults {
        text.pair("faults, received", plan_words(&faults.rx));
        text.pair("faults, sent", plan_words(&faults.tx));
        text.pair("faults, seed", faults.seed);
    }
    if let Some(capture) = &nic.capture {
        text.pair("capture", capture_words(capture));
    }
}

fn capture_words(capture: &CaptureSetting) -> String {
    let PacketFilter { address, port } = capture.filter;
    let snap_len = capture.snap_len;
    let parts = [
        Some(format!("{} (up)", capture.file.display())),
        address.map(|address| format!("of {address}")),
        port.map(|port| format!("of port {port}")),
        snap_len.map(|len| format!("{len} bytes of each frame")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn link_words(link: &LinkSetting) -> String {
    let device = match link.kind {
        LinkKind::Pcap => return "capture files (sim)".to_owned(),
        LinkKind::Tap => "TAP device",
        LinkKind::AfPacket if link.receive_only => {
            "device through AF_PACKET, to receive only (what it is to send is dropped),"
        }
        LinkKind::AfPacket => "device through AF_PACKET",
        LinkKind::AfXdp => match link.mode {
            XdpMode::Auto => {
                "device through AF_XDP (native where its driver can, otherwise generic)"
            }
            XdpMode::Native => "device through native AF_XDP",
            XdpMode::Generic => "device through generic AF_XDP",
        },
    };
    let plural = if link.queues == 1 { "" } else { "s" };
    let super_frames = if link.super_frames {
        ", with super-frames"
    } else {
        ""
    };
    format!(
        "{device} '{}', {} queue{plural}{super_frames}; sim plays capture files in its place",
        link.name, link.queues
    )
}

fn address_words(config: &Config, address: &AddressSetting) -> String {
    let mut words = Vec::new();
    match address.prefix.address() {
        IpAddr::V6(v6) => {
            words.push(format!("joins {}", solicited_node(v6)));
            words.push(match config.dad_transmits {
                0 => "in use at once".to_owned(),
                n => format!(
                    "in use after {} if nobody has it",
                    seconds(config.dad_retransmit_timer * u32::from(n))
                ),
            });
        }
        IpAddr::V4(_) => words.push("in use at once".to_owned()),
    }
    words.push(
        match address.primary {
            PrimaryEndpointBehavior::CanBePrimary => "a source address behind those before it",
            PrimaryEndpointBehavior::FirstPrimary => "the first choice as a source address",
            PrimaryEndpointBehavior::NeverPrimary => "never a source address unless named",
        }
        .to_owned(),
    );
    words.join("; ")
}

/// RFC 4291 section 2.7.1.
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let base: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0);
    Ipv6Addr::from_bits(base.to_bits() | (address.to_bits() & 0xff_ffff))
}

fn range_words(range: Prefix) -> String {
    let (host, all) = match range.address() {
        IpAddr::V4(v4) => (u32::from(32 - range.len()), u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (u32::from(128 - range.len()), v6.to_bits()),
    };
    if host < 2 {
        return "nothing is left of it without its first and last address".to_owned();
    }
    // 2^128 addresses less one.
    let last = all | u128::MAX.checked_shr(128 - host).unwrap_or(0);
    let address = |bits: u128| match range.address() {
        IpAddr::V4(_) => IpAddr::V4((bits as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    };
    format!(
        "packets for {} to {} are taken, though it does not own them",
        address(all + 1),
        address(last - 1)
    )
}

fn route_words(route: &RouteSetting) -> String {
    match route.via {
        Some(via) => format!("{} through {via} on {}", route.to, route.nic),
        None => format!("{} on {} itself", route.to, route.nic),
    }
}

fn event_words(config: &Config, event: &EventSetting) -> String {
    let Change { action, nic: named } = &event.change;
    let nic = named.as_deref().unwrap_or_default();
    let on = |on: &bool| if *on { "on" } else { "off" };
    match action {
        Action::AddAddress(address) => {
            format!(
                "{nic} adds {}: {}",
                address.prefix,
                address_words(config, address)
            )
        }
        Action::RemoveAddress(address) => format!("{nic} removes {address}"),
        Action::AddRange(range) => format!("{nic} adds the range {range}: {}", range_words(*range)),
        Action::RemoveRange(range) => format!("{nic} removes the range {range}"),
        Action::JoinGroup(group) => format!("{nic} joins {group}"),
        Action::LeaveGroup(group) => format!("{nic} leaves {group}"),
        Action::SetPromiscuous(flag) => format!("{nic} turns promiscuous mode {}", on(flag)),
        Action::SetSpoofing(flag) => format!("{nic} turns spoofing {}", on(flag)),
        Action::SetForwarding(flag) => {
            let on_all = named.is_none();
            let nic = if on_all { "every NIC" } else { nic };
            format!("{nic} turns forwarding {}", on(flag))
        }
        Action::AddRoute(route) => format!("adds the route {}", route_words(route)),
        Action::RemoveRoute(route) => format!("removes the route {}", route_words(route)),
        Action::AddNeighbor { address, mac } => {
            format!("{address} on {nic} has the link address {mac}")
        }
        Action::RemoveNeighbor(address) => format!("{nic} forgets its neighbor {address}"),
        Action::SetLink(true) => format!("{nic} is enabled"),
        Action::SetLink(false) => format!("{nic} is disabled"),
        Action::HoldRoute {
            name,
            local,
            remote,
        } => {
            let local = local.map_or("an address of its choice".to_owned(), |a| a.to_string());
            let by = match named {
                Some(nic) => format!("{nic} takes and keeps a route"),
                None => "a route is found among the routes and kept".to_owned(),
            };
            format!("{by} from {local} to {remote}, as '{name}'")
        }
        Action::ReleaseRoute { name } => format!("the route '{name}' is let go"),
    }
}

/// Seconds with as many digits as it takes: `1.5s`.
pub(crate) fn seconds(time: Duration) -> String {
    let nanoseconds = time.subsec_nanos();
    if nanoseconds == 0 {
        return format!("{}s", time.as_secs());
    }
    let fraction = format!("{nanoseconds:09}");
    format!("{}.{}s", time.as_secs(), fraction.trim_end_matches('0'))
}

impl Config {
    /// The configuration as JSON, every default filled in: `schema` 1.
    pub fn json(&self) -> Value {
        let texts = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>();
        let nics = self.nics.iter().map(|nic| {
            json!({
                "name": nic.name,
                "link": {
                    "kind": nic.link.kind.label(),
                    "name": nic.link.name,
                    "queues": nic.link.queues,
                    "super_frames": nic.link.super_frames,
                    "receive_only": nic.link.receive_only,
                    "mode": mode_label(nic.link.mode),
                },
                "mac": nic.mac.to_string(),
                "mtu": nic.mtu,
                "promiscuous": nic.promiscuous,
                "spoofing": nic.spoofing,
                "forwarding": nic.forwarding,
                "enabled": nic.enabled,
                "igmp": nic.igmp.label(),
                "mld": nic.mld.label(),
                "addresses": nic.addresses.iter().map(address_json).collect::<Vec<_>>(),
                "ranges": texts(&mut nic.ranges.iter().map(ToString::to_string)),
                "groups": texts(&mut nic.groups.iter().map(ToString::to_string)),
                "faults": nic.faults.as_ref().map(|faults| json!({
                    "seed": faults.seed,
                    "rx": plan_json(&faults.rx),
                    "tx": plan_json(&faults.tx),
                })),
                "capture": nic.capture.as_ref().map(|capture| json!({
                    "file": capture.file,
                    "snap_len": capture.snap_len,
                    "address": capture.filter.address.map(|it| it.to_string()),
                    "port": capture.filter.port,
                })),
            })
        });
        let neighbors = self.neighbors.iter().map(|neighbor| {
            json!({
                "nic": neighbor.nic,
                "address": neighbor.address.to_string(),
                "mac": neighbor.mac.to_string(),
            })
        });
        let services = self.services.iter().map(|service| {
            json!({
                "kind": service.kind.label(),
                "bind": service.bind.to_string(),
                "nic": service.nic,
                "reuse_port": service.reuse_port,
            })
        });
        json!({
            "schema": 1,
            "verb": "check-config",
            "file": self.file,
            "workers": self.workers,
            "forwarding": self.forwarding,
            "icmp_rate": self.icmp_rate,
            "icmp_burst": self.icmp_burst,
            "seed": self.seed,
            "dad_transmits": self.dad_transmits,
            "dad_retransmit_timer": seconds(self.dad_retransmit_timer),
            "auto_link_local": self.auto_link_local,
            "stable_secret": self.stable_secret.is_some(),
            "multicast_loop": self.multicast_loop,
            "spare_nics": self.spare_nics,
            "user": self.user,
            "socket": self.socket,
            "socket_mode": format!("{:04o}", self.socket_mode),
            "nics": nics.collect::<Vec<_>>(),
            "routes": self.routes.iter().map(route_json).collect::<Vec<_>>(),
            "neighbors": neighbors.collect::<Vec<_>>(),
            "services": services.collect::<Vec<_>>(),
            "events": self.events.iter().map(event_json).collect::<Vec<_>>(),
            "warnings": self.warnings,
        })
    }
}

fn plan_json(plan: &FaultPlan) -> Value {
    json!({
        "drop": share_words(plan.drop),
        "corrupt": share_words(plan.corrupt),
        "corrupt_bits": plan.corrupt_bits,
        "duplicate": share_words(plan.duplicate),
        "reorder": share_words(plan.reorder),
        "reorder_by": plan.reorder_by,
        "reorder_wait": seconds(plan.reorder_wait),
        "delay": seconds(plan.delay),
        "jitter": seconds(plan.jitter),
        "stall": plan.stall.map(|stall| json!({
            "lasts": seconds(stall.lasts),
            "every": seconds(stall.every),
        })),
        "queue": plan.queue,
    })
}

fn address_json(address: &AddressSetting) -> Value {
    json!({
        "address": address.prefix.to_string(),
        "primary": primary_label(address.primary),
    })
}

fn route_json(route: &RouteSetting) -> Value {
    json!({
        "to": route.to.to_string(),
        "via": route.via.map(|via| via.to_string()),
        "nic": route.nic,
    })
}

fn event_json(event: &EventSetting) -> Value {
    let mut fields = event.change.fields();
    let at = u64::try_from(event.at.as_nanos()).unwrap_or(u64::MAX);
    fields.insert("at_ns".to_owned(), json!(at));
    Value::Object(fields)
}

impl Change {
    /// As JSON: `do`, `nic`, and the keys that belong to it.
    pub fn fields(&self) -> Map<String, Value> {
        let Self { action, nic } = self;
        let own = match action {
            Action::AddAddress(address) => address_json(address),
            Action::RemoveAddress(address) | Action::RemoveNeighbor(address) => {
                json!({ "address": address.to_string() })
            }
            Action::AddNeighbor { address, mac } => {
                json!({ "address": address.to_string(), "mac": mac.to_string() })
            }
            Action::AddRange(range) | Action::RemoveRange(range) => {
                json!({ "range": range.to_string() })
            }
            Action::JoinGroup(group) | Action::LeaveGroup(group) => {
                json!({ "group": group.to_string() })
            }
            Action::SetPromiscuous(on)
            | Action::SetSpoofing(on)
            | Action::SetForwarding(on)
            | Action::SetLink(on) => json!({ "on": on }),
            Action::AddRoute(route) | Action::RemoveRoute(route) => route_json(route),
            Action::HoldRoute {
                name,
                local,
                remote,
            } => json!({
                "name": name,
                "local": local.map(|local| local.to_string()),
                "remote": remote.to_string(),
            }),
            Action::ReleaseRoute { name } => json!({ "name": name }),
        };
        let mut fields = match own {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.insert("do".to_owned(), json!(action.label()));
        fields.insert("nic".to_owned(), json!(nic));
        fields
    }
}
