//! From layers to text.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use corelane::wire::MacAddr;

use super::layer::{
    IcmpBody, Ip4, Layer, Membership, NONCE, NS, RECORDS, ROUTER_ALERT, ROUTING_DATA, SOURCE_LINK,
    TARGET_LINK, TCP_FLAGS, Tcp,
};

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eth {
                source,
                destination,
                ethertype,
                pad,
            } => {
                write!(f, "eth {source} > {destination}")?;
                if let Some(ethertype) = ethertype {
                    write!(f, " type={ethertype:#06x}")?;
                }
                unless(f, "pad", *pad, 0)
            }
            Self::Ip4(ip) => fmt_ip4(f, ip),
            Self::Ip6 {
                source,
                destination,
                hop,
                class,
                flow,
                length,
                next,
            } => {
                write!(f, "ip6 {source} > {destination}")?;
                unless(f, "hop", *hop, 64)?;
                unless(f, "class", *class, 0)?;
                unless(f, "flow", *flow, 0)?;
                given(f, "length", length)?;
                given(f, "next", next)
            }
            Self::Alert { value, next } => {
                f.write_str("alert")?;
                unless(f, "value", *value, 0)?;
                given(f, "next", next)
            }
            Self::Options {
                is_hop_by_hop,
                options,
                length,
                next,
            } => {
                f.write_str(if *is_hop_by_hop { "hopopts" } else { "dstopts" })?;
                options
                    .iter()
                    .try_for_each(|option| write!(f, " option={}", hex(option)))?;
                given(f, "length", length)?;
                given(f, "next", next)
            }
            Self::Routing {
                kind,
                left,
                data,
                length,
                next,
            } => {
                write!(f, "routing {kind}")?;
                unless(f, "left", *left, 0)?;
                if *data != ROUTING_DATA {
                    write!(f, " data={}", hex(data))?;
                }
                given(f, "length", length)?;
                given(f, "next", next)
            }
            Self::Fragment {
                id,
                offset,
                mf,
                next,
            } => {
                f.write_str("fragment")?;
                unless(f, "id", *id, 0)?;
                if *mf {
                    f.write_str(" mf")?;
                }
                unless(f, "offset", *offset, 0)?;
                given(f, "next", next)
            }
            Self::Udp {
                source,
                destination,
                length,
                checksum,
            } => {
                write!(f, "udp {source} > {destination}")?;
                given(f, "length", length)?;
                fmt_checksum(f, *checksum)
            }
            Self::Tcp(tcp) => fmt_tcp(f, tcp),
            Self::Icmp {
                kind,
                code,
                checksum,
                body,
            } => {
                fmt_icmp(f, *kind, *code, body)?;
                if !matches!(body, IcmpBody::Error { what, .. } if what.has_code_word()) {
                    unless(f, "code", *code, 0)?;
                }
                fmt_checksum(f, *checksum)
            }
            Self::Igmp { checksum, body } => {
                fmt_membership(f, "igmp", 0, body, Ipv4Addr::UNSPECIFIED)?;
                fmt_checksum(f, *checksum)
            }
            Self::Mld {
                code,
                checksum,
                body,
            } => {
                fmt_membership(f, "mld", 1, body, Ipv6Addr::UNSPECIFIED)?;
                unless(f, "code", *code, 0)?;
                fmt_checksum(f, *checksum)
            }
            Self::Arp {
                operation,
                sender,
                target,
            } => {
                let what = if *operation == 1 { "request" } else { "reply" };
                write!(f, "arp {what} {} {}", sender.0, sender.1)?;
                write!(f, " > {} {}", target.0, target.1)
            }
            Self::Fill { len, from, step } => {
                write!(f, "fill {len}")?;
                unless(f, "from", *from, 0)?;
                unless(f, "step", *step, 1)
            }
            Self::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes).ok();
                let readable = |c: char| c == ' ' || c.is_ascii_graphic();
                match text.filter(|text| !text.is_empty() && text.chars().all(readable)) {
                    Some(text) => write!(f, "{text:?}"),
                    None => f.write_str(&hex(bytes)),
                }
            }
        }
    }
}

fn unless<T: Copy + PartialEq + fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    value: T,
    default: T,
) -> fmt::Result {
    if value == default {
        return Ok(());
    }
    write!(f, " {key}={value}")
}

fn given<T: fmt::Display>(f: &mut fmt::Formatter<'_>, key: &str, value: &Option<T>) -> fmt::Result {
    match value {
        None => Ok(()),
        Some(value) => write!(f, " {key}={value}"),
    }
}

fn fmt_checksum(f: &mut fmt::Formatter<'_>, checksum: Option<u16>) -> fmt::Result {
    match checksum {
        None => Ok(()),
        Some(checksum) => write!(f, " checksum={checksum:#06x}"),
    }
}

fn fmt_ip4(f: &mut fmt::Formatter<'_>, ip: &Ip4) -> fmt::Result {
    write!(f, "ip4 {} > {}", ip.source, ip.destination)?;
    unless(f, "ttl", ip.ttl, 64)?;
    unless(f, "tos", ip.tos, 0)?;
    unless(f, "id", ip.id, 0)?;
    for (flag, set) in [("df", ip.df), ("mf", ip.mf)] {
        if set {
            write!(f, " {flag}")?;
        }
    }
    unless(f, "offset", ip.offset, 0)?;
    if ip.options == ROUTER_ALERT {
        f.write_str(" alert")?;
    } else if !ip.options.is_empty() {
        write!(f, " options={}", hex(&ip.options))?;
    }
    given(f, "proto", &ip.proto)?;
    given(f, "total", &ip.total)?;
    fmt_checksum(f, ip.checksum)
}

fn fmt_tcp(f: &mut fmt::Formatter<'_>, tcp: &Tcp) -> fmt::Result {
    write!(f, "tcp {} > {}", tcp.source, tcp.destination)?;
    if tcp.flags != 0 {
        let flags = TCP_FLAGS.iter().enumerate();
        let set = flags.filter(|(bit, _)| tcp.flags >> bit & 1 == 1);
        write!(
            f,
            " flags={}",
            set.map(|(_, flag)| flag).collect::<String>()
        )?;
    }
    unless(f, "seq", tcp.seq, 0)?;
    unless(f, "ack", tcp.ack, 0)?;
    unless(f, "window", tcp.window, 0)?;
    unless(f, "urgent", tcp.urgent, 0)?;
    unless(f, "reserved", tcp.reserved, 0)?;
    if !tcp.options.is_empty() {
        write!(f, " options={}", hex(&tcp.options))?;
    }
    fmt_checksum(f, tcp.checksum)
}

fn fmt_icmp(f: &mut fmt::Formatter<'_>, kind: u8, code: u8, body: &IcmpBody) -> fmt::Result {
    match body {
        IcmpBody::Plain => write!(f, "icmp {kind}"),
        IcmpBody::Echo { id, seq } => {
            let what = if kind == 8 || kind == 128 {
                "request"
            } else {
                "reply"
            };
            write!(f, "echo {what}")?;
            unless(f, "id", *id, 0)?;
            unless(f, "seq", *seq, 0)
        }
        IcmpBody::Error { what, v6, value } => {
            f.write_str(what.name())?;
            if what.has_code_word() {
                let codes = what.codes(*v6);
                match codes.iter().find(|(number, _)| *number == code) {
                    Some((_, name)) => write!(f, " {name}")?,
                    None => write!(f, " {code}")?,
                }
            }
            match what.value(*v6, code) {
                Some((name, _)) => write!(f, " {name}={value}"),
                None => Ok(()),
            }
        }
        IcmpBody::Neighbor {
            flags,
            target,
            options,
        } => {
            write!(f, "{} {target}", if kind == NS { "ns" } else { "na" })?;
            if *flags != 0 {
                let name = |(bit, name)| if flags & bit == 0 { "" } else { name };
                let flags = [(0x80, "R"), (0x40, "S"), (0x20, "O")].map(name).concat();
                write!(f, " flags={flags}")?;
            }
            for option in options {
                match option[..] {
                    [SOURCE_LINK, 1, a, b, c, d, e, g] => {
                        write!(f, " slla={}", MacAddr([a, b, c, d, e, g]))?;
                    }
                    [TARGET_LINK, 1, a, b, c, d, e, g] => {
                        write!(f, " tlla={}", MacAddr([a, b, c, d, e, g]))?;
                    }
                    [NONCE, 1, ref nonce @ ..] if nonce.len() == 6 => {
                        write!(f, " nonce={}", hex(nonce))?;
                    }
                    _ => write!(f, " option={}", hex(option))?,
                }
            }
            Ok(())
        }
    }
}

fn fmt_membership<A: Copy + fmt::Display + PartialEq>(
    f: &mut fmt::Formatter<'_>,
    protocol: &str,
    behind: u8,
    body: &Membership<A>,
    any: A,
) -> fmt::Result {
    let group_or_any = |group: &A| {
        if *group == any {
            "any".to_owned()
        } else {
            group.to_string()
        }
    };
    match body {
        Membership::Simple {
            version,
            what,
            group,
            max,
        } => {
            write!(
                f,
                "{protocol}{} {what} {}",
                version - behind,
                group_or_any(group)
            )?;
            unless(f, "max", *max, 0)
        }
        Membership::Query {
            group,
            max,
            suppress,
            qrv,
            qqic,
            sources,
        } => {
            write!(f, "{protocol}{} query {}", 3 - behind, group_or_any(group))?;
            if *suppress {
                f.write_str(" s")?;
            }
            unless(f, "max", *max, 0)?;
            unless(f, "qrv", *qrv, 2)?;
            unless(f, "qqic", *qqic, 125)?;
            sources
                .iter()
                .try_for_each(|source| write!(f, " source={source}"))
        }
        Membership::Report(records) => {
            write!(f, "{protocol}{} report", 3 - behind)?;
            for (kind, group, sources) in records {
                let name = RECORDS
                    .get(usize::from(*kind).wrapping_sub(1))
                    .unwrap_or(&"record");
                write!(f, " {name}={group}")?;
                sources
                    .iter()
                    .try_for_each(|source| write!(f, ",{source}"))?;
            }
            Ok(())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
