//! From layers to a frame.

use std::net::IpAddr;

use super::FrameTextError;
use super::layer::{
    DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, IcmpBody, Ip4, Layer, Membership, NA, NS, ROUTING,
    fill, octets, padding,
};

type Result<T> = std::result::Result<T, FrameTextError>;

/// The network header that a transport stands in.
type Network = Option<(IpAddr, IpAddr)>;

const ICMP6: u8 = 58;
const TCP: u8 = 6;

pub(super) fn build(layers: &[Layer]) -> Result<Vec<u8>> {
    build_in(layers, None)
}

fn build_in(layers: &[Layer], network: Network) -> Result<Vec<u8>> {
    let Some((layer, rest)) = layers.split_first() else {
        return Ok(Vec::new());
    };
    Ok(match layer {
        Layer::Eth {
            source,
            destination,
            ethertype,
            pad,
        } => {
            let ethertype = ethertype.unwrap_or(ethertype_of(rest));
            let mut frame = [&destination.octets()[..], &source.octets()].concat();
            frame.extend(ethertype.to_be_bytes());
            frame.extend(build_in(rest, None)?);
            frame.resize(frame.len().max(*pad), 0);
            frame
        }
        Layer::Ip4(ip) => build_ip4(ip, rest)?,
        Layer::Ip6 {
            source,
            destination,
            hop,
            class,
            flow,
            length,
            next,
        } => {
            let network = Some(((*source).into(), (*destination).into()));
            let payload = build_in(rest, network)?;
            let word = 6 << 28 | u32::from(*class) << 20 | (flow & 0xf_ffff);
            let mut packet = word.to_be_bytes().to_vec();
            packet.extend(length.unwrap_or(len(payload.len())?).to_be_bytes());
            packet.push(next.unwrap_or(protocol_of(rest, true)));
            packet.push(*hop);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(payload);
            packet
        }
        Layer::Alert { value, next } => {
            let [high, low] = value.to_be_bytes();
            let next = next.unwrap_or(protocol_of(rest, true));
            let mut header = vec![next, 0, 5, 2, high, low, 1, 0];
            header.extend(build_in(rest, network)?);
            header
        }
        Layer::Options {
            options,
            length,
            next,
            ..
        } => {
            let mut behind = options.concat();
            behind.extend(padding(behind.len()));
            extension(*next, *length, &behind, rest, network)?
        }
        Layer::Routing {
            kind,
            left,
            data,
            length,
            next,
        } => {
            let behind = [&[*kind, *left], &data[..]].concat();
            extension(*next, *length, &behind, rest, network)?
        }
        Layer::Fragment {
            id,
            offset,
            mf,
            next,
        } => {
            let mut header = vec![next.unwrap_or(protocol_of(rest, true)), 0];
            header.extend((offset << 3 | u16::from(*mf)).to_be_bytes());
            header.extend(id.to_be_bytes());
            header.extend(build_in(rest, network)?);
            header
        }
        Layer::Udp {
            source,
            destination,
            length,
            checksum,
        } => {
            let payload = build_in(rest, network)?;
            let length = length.unwrap_or(len(payload.len() + 8)?);
            let mut datagram = [source, destination, &length, &0]
                .map(|n| n.to_be_bytes())
                .concat();
            datagram.extend(payload);
            // A computed zero is sent as its other form: zero says that there is none.
            let computed = match transport_checksum(&datagram, network, 17) {
                0 => 0xffff,
                sum => sum,
            };
            put_checksum(&mut datagram, 6, checksum.unwrap_or(computed));
            datagram
        }
        Layer::Tcp(tcp) => {
            let words = u8::try_from((20 + tcp.options.len()) / 4).unwrap_or(u8::MAX);
            if words > 15 {
                return Err(FrameTextError::new("a TCP header is too long"));
            }
            let mut segment = [tcp.source, tcp.destination].map(u16::to_be_bytes).concat();
            segment.extend([tcp.seq, tcp.ack].map(u32::to_be_bytes).concat());
            segment.extend([words << 4 | tcp.reserved & 15, tcp.flags]);
            segment.extend([tcp.window, 0, tcp.urgent].map(u16::to_be_bytes).concat());
            segment.extend(&tcp.options);
            segment.extend(build_in(rest, network)?);
            let computed = transport_checksum(&segment, network, TCP);
            put_checksum(&mut segment, 16, tcp.checksum.unwrap_or(computed));
            segment
        }
        Layer::Icmp {
            kind,
            code,
            checksum,
            body,
        } => {
            let mut message = vec![*kind, *code, 0, 0];
            match body {
                IcmpBody::Plain => {}
                IcmpBody::Echo { id, seq } => {
                    message.extend([id, seq].map(|n| n.to_be_bytes()).concat());
                }
                IcmpBody::Error { what, v6, value } => {
                    let shift = what.value(*v6, *code).map_or(0, |(_, shift)| shift);
                    message.extend((value << shift).to_be_bytes());
                }
                IcmpBody::Neighbor {
                    flags,
                    target,
                    options,
                } => {
                    message.extend([*flags, 0, 0, 0]);
                    message.extend(target.octets());
                    message.extend(options.concat());
                }
            }
            message.extend(build_in(rest, network)?);
            let computed = icmp_checksum(&message, network);
            put_checksum(&mut message, 2, checksum.unwrap_or(computed));
            message
        }
        Layer::Igmp { checksum, body } => {
            let mut message = igmp(body)?;
            message.extend(build_in(rest, network)?);
            let computed = sum(&message);
            put_checksum(&mut message, 2, checksum.unwrap_or(computed));
            message
        }
        Layer::Mld {
            code,
            checksum,
            body,
        } => {
            let mut message = mld(body, *code)?;
            message.extend(build_in(rest, network)?);
            let computed = icmp_checksum(&message, network);
            put_checksum(&mut message, 2, checksum.unwrap_or(computed));
            message
        }
        Layer::Arp {
            operation,
            sender,
            target,
        } => {
            let mut packet = vec![0, 1, 8, 0, 6, 4];
            packet.extend(operation.to_be_bytes());
            for (mac, ip) in [sender, target] {
                packet.extend(mac.octets());
                packet.extend(ip.octets());
            }
            packet.extend(build_in(rest, None)?);
            packet
        }
        Layer::Bytes(bytes) => [&bytes[..], &build_in(rest, network)?].concat(),
        Layer::Fill { len, from, step } => {
            let mut bytes = fill(*len, *from, *step);
            bytes.extend(build_in(rest, network)?);
            bytes
        }
    })
}

/// An extension header with these bytes behind its length, and what follows it.
fn extension(
    next: Option<u8>,
    length: Option<u8>,
    behind: &[u8],
    rest: &[Layer],
    network: Network,
) -> Result<Vec<u8>> {
    let units = ((behind.len() + 2) / 8).saturating_sub(1);
    let units = match length {
        Some(length) => length,
        None => u8::try_from(units)
            .map_err(|_| FrameTextError::new("an extension header is too long"))?,
    };
    let mut header = vec![next.unwrap_or(protocol_of(rest, true)), units];
    header.extend(behind);
    header.extend(build_in(rest, network)?);
    Ok(header)
}

fn build_ip4(ip: &Ip4, rest: &[Layer]) -> Result<Vec<u8>> {
    let network = Some((ip.source.into(), ip.destination.into()));
    let payload = build_in(rest, network)?;
    let header = 20 + ip.options.len();
    let words = u8::try_from(header / 4).unwrap_or(u8::MAX).min(15);
    let total = ip.total.unwrap_or(len(header + payload.len())?);
    let fragment = u16::from(ip.df) << 14 | u16::from(ip.mf) << 13 | (ip.offset & 0x1fff);
    let mut packet = vec![0x40 | words, ip.tos];
    packet.extend([total, ip.id, fragment].map(u16::to_be_bytes).concat());
    packet.extend([ip.ttl, ip.proto.unwrap_or(protocol_of(rest, false)), 0, 0]);
    packet.extend(ip.source.octets());
    packet.extend(ip.destination.octets());
    packet.extend(&ip.options);
    let computed = sum(&packet);
    put_checksum(&mut packet, 10, ip.checksum.unwrap_or(computed));
    packet.extend(payload);
    Ok(packet)
}

/// The EtherType of what follows.
pub(super) fn ethertype_of(rest: &[Layer]) -> u16 {
    match rest.first() {
        Some(Layer::Ip4(_)) => 0x0800,
        Some(Layer::Ip6 { .. }) => 0x86dd,
        Some(Layer::Arp { .. }) => 0x0806,
        // IEEE 802: for local experiments.
        _ => 0x88b5,
    }
}

/// The protocol number of what follows.
pub(super) fn protocol_of(rest: &[Layer], v6: bool) -> u8 {
    match rest.first() {
        Some(Layer::Alert { .. }) => HOP_BY_HOP,
        Some(Layer::Options { is_hop_by_hop, .. }) => {
            if *is_hop_by_hop {
                HOP_BY_HOP
            } else {
                DESTINATION_OPTIONS
            }
        }
        Some(Layer::Routing { .. }) => ROUTING,
        Some(Layer::Fragment { .. }) => FRAGMENT,
        Some(Layer::Icmp { .. }) if v6 => ICMP6,
        Some(Layer::Icmp { .. }) => 1,
        Some(Layer::Igmp { .. }) => 2,
        Some(Layer::Mld { .. }) => ICMP6,
        Some(Layer::Udp { .. }) => 17,
        Some(Layer::Tcp(_)) => TCP,
        // RFC 3692: for experiments.
        _ => 253,
    }
}

fn igmp(body: &Membership<std::net::Ipv4Addr>) -> Result<Vec<u8>> {
    Ok(match body {
        Membership::Simple {
            version,
            what,
            group,
            max,
        } => {
            let kind = match (*what, version) {
                ("query", _) => 0x11,
                ("report", 1) => 0x12,
                ("report", _) => 0x16,
                _ => 0x17,
            };
            let mut message = vec![kind, max.to_le_bytes()[0], 0, 0];
            message.extend(group.octets());
            message
        }
        Membership::Query { group, max, .. } => {
            let mut message = vec![0x11, max.to_le_bytes()[0], 0, 0];
            message.extend(group.octets());
            message.extend(query_tail(body)?);
            message
        }
        Membership::Report(records) => {
            let mut message = vec![0x22, 0, 0, 0, 0, 0];
            message.extend(len(records.len())?.to_be_bytes());
            message.extend(report_records(records)?);
            message
        }
    })
}

fn mld(body: &Membership<std::net::Ipv6Addr>, code: u8) -> Result<Vec<u8>> {
    Ok(match body {
        Membership::Simple {
            what, group, max, ..
        } => {
            let kind = match *what {
                "query" => 130,
                "report" => 131,
                _ => 132,
            };
            let mut message = vec![kind, code, 0, 0];
            message.extend(max.to_be_bytes());
            message.extend([0, 0]);
            message.extend(group.octets());
            message
        }
        Membership::Query { group, max, .. } => {
            let mut message = vec![130, code, 0, 0];
            message.extend(max.to_be_bytes());
            message.extend([0, 0]);
            message.extend(group.octets());
            message.extend(query_tail(body)?);
            message
        }
        Membership::Report(records) => {
            let mut message = vec![143, code, 0, 0, 0, 0];
            message.extend(len(records.len())?.to_be_bytes());
            message.extend(report_records(records)?);
            message
        }
    })
}

fn query_tail<A: Copy + Into<IpAddr>>(body: &Membership<A>) -> Result<Vec<u8>> {
    let Membership::Query {
        suppress,
        qrv,
        qqic,
        sources,
        ..
    } = body
    else {
        return Ok(Vec::new());
    };
    let mut tail = vec![u8::from(*suppress) << 3 | (qrv & 7), *qqic];
    tail.extend(len(sources.len())?.to_be_bytes());
    tail.extend(sources.iter().flat_map(|source| octets(*source)));
    Ok(tail)
}

fn report_records<A: Copy + Into<IpAddr>>(records: &[(u8, A, Vec<A>)]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (kind, group, sources) in records {
        bytes.extend([*kind, 0]);
        bytes.extend(len(sources.len())?.to_be_bytes());
        bytes.extend(octets(*group));
        bytes.extend(sources.iter().flat_map(|source| octets(*source)));
    }
    Ok(bytes)
}

pub(super) fn is_neighbor(kind: u8) -> bool {
    kind == NS || kind == NA
}

fn len(len: usize) -> Result<u16> {
    u16::try_from(len).map_err(|_| FrameTextError::new(format!("{len} bytes are too many")))
}

fn put_checksum(bytes: &mut [u8], at: usize, checksum: u16) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}

fn icmp_checksum(message: &[u8], network: Network) -> u16 {
    match network {
        Some((IpAddr::V6(_), _)) => transport_checksum(message, network, ICMP6),
        _ => sum(message),
    }
}

/// With the pseudo header of the network the transport is in.
fn transport_checksum(bytes: &[u8], network: Network, protocol: u8) -> u16 {
    let Some((source, destination)) = network else {
        return sum(bytes);
    };
    let mut pseudo = [octets(source), octets(destination)].concat();
    pseudo.extend((bytes.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo.extend(bytes);
    sum(&pseudo)
}

/// The internet checksum (RFC 1071), written out here so that the frames of tests do not depend on
/// what they test.
fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0u32;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        total += u32::from(word);
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}
