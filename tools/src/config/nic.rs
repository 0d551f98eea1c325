//! The NICs of a configuration, and addresses as they are written everywhere in it.

use std::collections::HashMap;
use std::net::IpAddr;

use corelane::io::af_xdp::XdpMode;
use corelane::stack::{Prefix, PrimaryEndpointBehavior};
use corelane::wire::MacAddr;

use super::error::ConfigError;
use super::fields::{Field, Fields};
use super::middleware;
use super::model::{
    AddressSetting, IgmpSetting, LinkKind, LinkSetting, MODE_WORDS, MldSetting, NicSetting,
    PRIMARY_WORDS,
};
use super::parse::Warnings;
use crate::unit::{DEVICE_NAMES, is_device_name};

const KEYS: &[&str] = &[
    "name",
    "link",
    "mac",
    "mtu",
    "promiscuous",
    "spoofing",
    "forwarding",
    "enabled",
    "addresses",
    "ranges",
    "groups",
    "igmp",
    "mld",
    "faults",
    "capture",
];

/// NICs have 16-bit numbers, and their default link addresses end in one more.
const MAX_NICS: usize = 65_535;

/// RFC 791: every link carries packets of 68 bytes.
const LEAST_MTU: u64 = 68;

/// RFC 8200 section 5.
const LEAST_MTU_V6: usize = 1280;

const NAME_LIMIT: usize = 64;

pub(super) fn nics(
    top: &Fields<'_>,
    forwarding: bool,
    seed: u64,
    warnings: &mut Warnings<'_>,
) -> Result<Vec<NicSetting>, ConfigError> {
    let items = top.items("nic", "an array of tables, [[nic]],")?;
    if items.is_empty() {
        let what = "missing; there has to be a NIC: [[nic]] with a name";
        return Err(top.get("nic").map_or_else(
            || {
                let mut error = top.error(what);
                "nic".clone_into(&mut error.field);
                error
            },
            |field| field.error(what),
        ));
    }
    if let Some(item) = items.get(MAX_NICS) {
        return Err(item.error(format!("there are at most {MAX_NICS} NICs")));
    }
    let (mut names, mut files) = (HashMap::new(), HashMap::new());
    let mut devices = HashMap::<_, String>::new();
    let mut nics = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let fields = item.table("a table, [[nic]],", KEYS)?;
        let nic = nic(&fields, number, forwarding, seed, warnings)?;
        if let Some(before) = names.insert(nic.name.clone(), item.path().to_owned()) {
            let field = fields.need("name", "\"wan\"")?;
            return Err(field.error(format!("{before} has the name '{}' already", nic.name)));
        }
        let LinkSetting {
            kind, name: device, ..
        } = &nic.link;
        // A device has several sockets of AF_PACKET, and one may be to listen only.
        if matches!(kind, LinkKind::Tap | LinkKind::AfXdp)
            && let Some(before) = devices.insert((kind.label(), device.clone()), nic.name.clone())
        {
            let field = fields.need("link", "{ kind = \"tap\", name = \"tap0\" }")?;
            return Err(field.error(format!(
                "nic '{}' and nic '{before}' are on one device, '{device}': each {} link needs its own",
                nic.name,
                kind.label()
            )));
        }
        if let Some(capture) = &nic.capture
            && let Some(before) = files.insert(capture.file.clone(), item.path().to_owned())
        {
            let field = fields.need("capture", "{ file = \"wan.pcapng\" }")?;
            let file = capture.file.display();
            return Err(field.error(format!("{before} writes to '{file}' already")));
        }
        nics.push(nic);
    }
    Ok(nics)
}

fn nic(
    fields: &Fields<'_>,
    number: usize,
    forwarding: bool,
    seed: u64,
    warnings: &mut Warnings<'_>,
) -> Result<NicSetting, ConfigError> {
    let name = name(&fields.need("name", "\"wan\"")?)?;
    let link = match fields.get("link") {
        Some(field) => link(&field)?,
        None => LinkSetting {
            kind: LinkKind::Pcap,
            name: String::new(),
            queues: 1,
            super_frames: false,
            receive_only: false,
            mode: XdpMode::Auto,
        },
    };
    let given = fields.get("mac").map(|field| mac(&field)).transpose()?;
    let mtu = fields.get("mtu").map_or(Ok(1500), |field| {
        field.integer("an MTU", LEAST_MTU..=u16::MAX.into())
    })? as usize;
    let addresses = addresses(fields)?;
    if let Some(field) = fields.get("mtu")
        && mtu < LEAST_MTU_V6
    {
        warnings.of(&field, "IPv6 wants 1280 bytes on every link");
    }
    for key in ["addresses", "ranges", "groups"] {
        if let Some(field) = fields.get(key).filter(|_| link.receive_only)
            && field.items(key).is_ok_and(|items| !items.is_empty())
        {
            let what = "the link is to receive only: who asks for these, or sends to them, is not answered";
            warnings.of(&field, what);
        }
    }
    let mut ranges = Vec::new();
    for item in fields.items(
        "ranges",
        "an array of subnets, such as [\"198.51.100.0/24\"],",
    )? {
        let range = subnet(&item)?;
        warn_of_range(&item, range, warnings);
        ranges.push(range);
    }
    let mut groups = Vec::new();
    for item in fields.items("groups", "an array of groups, such as [\"239.1.2.3\"],")? {
        let group = address(&item)?;
        if !group.is_multicast() {
            return Err(item.error(format!(
                "'{group}' is not a group: those are in 224.0.0.0/4 and ff00::/8"
            )));
        }
        groups.push(group);
    }
    Ok(NicSetting {
        name,
        link,
        mac: given.unwrap_or_else(|| default_mac(number)),
        mac_given: given.is_some(),
        mtu,
        promiscuous: fields.flag("promiscuous")?,
        spoofing: fields.flag("spoofing")?,
        forwarding: fields.flag_or("forwarding", forwarding)?,
        enabled: fields.flag_or("enabled", true)?,
        addresses,
        ranges,
        groups,
        igmp: fields.get("igmp").map_or(Ok(IgmpSetting::V3), |field| {
            field.word("a version of IGMP", IgmpSetting::WORDS)
        })?,
        mld: fields.get("mld").map_or(Ok(MldSetting::V2), |field| {
            field.word("a version of MLD", MldSetting::WORDS)
        })?,
        // Each draws its own.
        faults: middleware::faults(fields, seed.wrapping_add(number as u64), warnings)?,
        capture: middleware::capture(fields)?,
    })
}

/// A locally administered address that ends in the NIC's number from 1.
fn default_mac(number: usize) -> MacAddr {
    let [.., high, low] = (number + 1).to_be_bytes();
    MacAddr([2, 0, 0, 0, high, low])
}

/// Names stand for files and in `NIC=FILE`.
fn name(field: &Field<'_>) -> Result<String, ConfigError> {
    let name = field.text("a name as a text")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty()
        || name.len() > NAME_LIMIT
        || name.starts_with('.')
        || !name.chars().all(fits)
    {
        return Err(field.error(format!(
            "'{name}' is not a name of a NIC: 1 to {NAME_LIMIT} letters, digits, '-', '_' and '.', \
             no '.' in front"
        )));
    }
    Ok(name.to_owned())
}

fn link(field: &Field<'_>) -> Result<LinkSetting, ConfigError> {
    let fields = field.table(
        "a table, such as { kind = \"pcap\" },",
        &[
            "kind",
            "name",
            "queues",
            "super_frames",
            "receive_only",
            "mode",
        ],
    )?;
    let kind = fields
        .need("kind", "\"pcap\"")?
        .word("a kind of link", LinkKind::WORDS)?;
    if kind == LinkKind::Pcap {
        for key in ["name", "queues", "super_frames", "receive_only", "mode"] {
            if let Some(field) = fields.get(key) {
                return Err(field.error("a pcap link has no device: it has nothing but a kind"));
            }
        }
        return Ok(LinkSetting {
            kind,
            name: String::new(),
            queues: 1,
            super_frames: false,
            receive_only: false,
            mode: XdpMode::Auto,
        });
    }
    let name = fields.need("name", "\"veth0\"")?;
    let device = name.text("the name of a device as a text")?;
    if !is_device_name(device) {
        return Err(name.error(format!(
            "'{device}' is not the name of a device: {DEVICE_NAMES}"
        )));
    }
    if kind == LinkKind::Tap && device.contains('%') {
        return Err(name.error(format!(
            "'{device}' is a pattern to the kernel, which would make a device of another name: a TAP has no '%'"
        )));
    }
    let queues = fields
        .get("queues")
        .map_or(Ok(1), |field| field.integer("a number of queues", 1..=128))?;
    let can = kind != LinkKind::AfXdp;
    let super_frames = fields.flag_or("super_frames", can)?;
    if let Some(field) = fields.get("super_frames")
        && super_frames
        && !can
    {
        return Err(field.error("an af_xdp link has no super-frames: they are cut in software"));
    }
    let receive_only = fields.flag("receive_only")?;
    if let Some(field) = fields.get("receive_only")
        && receive_only
        && kind != LinkKind::AfPacket
    {
        return Err(field.error("only an af_packet link can be there to receive only"));
    }
    let mode = match fields.get("mode") {
        Some(field) if kind != LinkKind::AfXdp => {
            return Err(field.error("only an af_xdp link has a mode"));
        }
        Some(field) => field.word("where the XDP program runs", MODE_WORDS)?,
        None => XdpMode::Auto,
    };
    Ok(LinkSetting {
        kind,
        name: device.to_owned(),
        queues: queues as usize,
        super_frames,
        receive_only,
        mode,
    })
}

/// The static addresses: what no host can have, or has already, is refused here.
fn addresses(fields: &Fields<'_>) -> Result<Vec<AddressSetting>, ConfigError> {
    let what = "an array of addresses, such as [\"192.0.2.1/24\"],";
    let mut seen = HashMap::new();
    let mut addresses = Vec::new();
    for item in fields.items("addresses", what)? {
        let setting = address_setting(&item)?;
        let address = setting.prefix.address();
        let wrong = match address {
            _ if address.is_unspecified() => Some("is the unspecified address"),
            _ if address.is_multicast() => Some("is a group: write it under groups"),
            IpAddr::V4(v4) if v4.is_broadcast() => Some("is the limited broadcast address"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(item.error(format!(
                "'{address}' cannot be an address of a NIC: it {wrong}"
            )));
        }
        if let Some(before) = seen.insert(address, item.path().to_owned()) {
            return Err(item.error(format!("{before} is {address} already")));
        }
        addresses.push(setting);
    }
    Ok(addresses)
}

/// An address with or without its place among the source addresses.
pub(super) fn address_setting(field: &Field<'_>) -> Result<AddressSetting, ConfigError> {
    if field.is_text() {
        return Ok(AddressSetting {
            prefix: prefix(field)?,
            primary: PrimaryEndpointBehavior::default(),
        });
    }
    let what = "an address, such as \"192.0.2.1/24\" or { address = \"192.0.2.1/24\", primary = \
                \"first\" },";
    let fields = field.table(what, &["address", "primary"])?;
    Ok(AddressSetting {
        prefix: prefix(&fields.need("address", "\"192.0.2.1/24\"")?)?,
        primary: fields
            .get("primary")
            .map_or(Ok(PrimaryEndpointBehavior::default()), |field| {
                primary(&field)
            })?,
    })
}

/// A place among the source addresses.
pub(super) fn primary(field: &Field<'_>) -> Result<PrimaryEndpointBehavior, ConfigError> {
    field.word("a place among source addresses", PRIMARY_WORDS)
}

/// An address with the length of its subnet.
pub(super) fn prefix(field: &Field<'_>) -> Result<Prefix, ConfigError> {
    field.parse("an address with its prefix length", "192.0.2.1/24")
}

/// A subnet: no bits behind its length.
pub(super) fn subnet(field: &Field<'_>) -> Result<Prefix, ConfigError> {
    let subnet: Prefix = field.parse("a subnet", "198.51.100.0/24")?;
    if subnet != subnet.network() {
        return Err(field.error(format!(
            "'{subnet}' is an address in a subnet; did you mean '{}'?",
            subnet.network()
        )));
    }
    Ok(subnet)
}

/// An address alone.
pub(super) fn address(field: &Field<'_>) -> Result<IpAddr, ConfigError> {
    let address: IpAddr = field.parse("an address", "192.0.2.1")?;
    // The two families would meet under one key.
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Err(field.error(format!(
            "'{address}' is an IPv4-mapped IPv6 address; did you mean '{v4}'?"
        )));
    }
    Ok(address)
}

/// The link address of one station.
pub(super) fn mac(field: &Field<'_>) -> Result<MacAddr, ConfigError> {
    let mac: MacAddr = field.parse("a link address", "02:00:00:00:00:01")?;
    if !mac.is_unicast() {
        let why = if mac.is_multicast() {
            "a group's"
        } else {
            "nobody's"
        };
        return Err(field.error(format!(
            "'{mac}' cannot be a station's link address: it is {why}"
        )));
    }
    Ok(mac)
}

/// BEHAVIOURS D4: what is excluded from a range leaves nothing of the smallest ones.
pub(super) fn warn_of_range(field: &Field<'_>, range: Prefix, warnings: &mut Warnings<'_>) {
    let bits: u8 = if range.address().is_ipv4() { 32 } else { 128 };
    if range.len() + 1 >= bits {
        warnings.of(
            field,
            "its first and its last address are not taken: nothing is left of it",
        );
    }
}
