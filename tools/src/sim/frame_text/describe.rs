//! From a frame to its layers.

use std::net::{Ipv4Addr, Ipv6Addr};

use corelane::wire::MacAddr;

use super::build::{ethertype_of, is_neighbor, protocol_of};
use super::layer::{
    DESTINATION_OPTIONS, ERRORS, FRAGMENT, HOP_BY_HOP, IcmpBody, Ip4, Layer, Membership, ROUTING,
    Tcp, padding,
};

/// The layers, as far as they are known; what is not is [`Layer::Bytes`]. What the rules would
/// compute otherwise is written out.
pub(super) fn layers(frame: &[u8]) -> Vec<Layer> {
    let Some((header, rest)) = frame.split_first_chunk::<14>() else {
        return vec![Layer::Bytes(frame.to_vec())];
    };
    let mac = |at: usize| MacAddr([0, 1, 2, 3, 4, 5].map(|n| header[at + n]));
    let ethertype = u16::from_be_bytes([header[12], header[13]]);
    let inner: Option<(Vec<Layer>, usize)> = match ethertype {
        0x0800 => ip4(rest, false),
        0x86dd => ip6(rest, false),
        0x0806 => arp(rest),
        _ => None,
    };
    let (inner, used) = inner.unwrap_or_else(|| (tail(rest), rest.len()));
    let eth = Layer::Eth {
        source: mac(6),
        destination: mac(0),
        ethertype: (ethertype_of(&inner) != ethertype).then_some(ethertype),
        pad: if used < rest.len() { frame.len() } else { 0 },
    };
    [vec![eth], inner].concat()
}

fn arp(bytes: &[u8]) -> Option<(Vec<Layer>, usize)> {
    let packet = bytes.first_chunk::<28>()?;
    let operation = be16(packet, 6);
    if packet[..6] != [0, 1, 8, 0, 6, 4] || !(1..=2).contains(&operation) {
        return None;
    }
    let party = |at: usize| {
        let mac = MacAddr([0, 1, 2, 3, 4, 5].map(|n| packet[at + n]));
        Some((mac, v4(packet, at + 6)?))
    };
    let arp = Layer::Arp {
        operation,
        sender: party(8)?,
        target: party(18)?,
    };
    Some((vec![arp], packet.len()))
}

/// Bytes, those at the end that count as such if there are many.
fn tail(bytes: &[u8]) -> Vec<Layer> {
    const MANY: usize = 32;
    let step = |pair: &[u8]| pair[1].wrapping_sub(pair[0]);
    let last = bytes.windows(2).next_back().map_or(0, step);
    let steps = bytes.windows(2).rev().take_while(|pair| step(pair) == last);
    let run = steps.count() + 1;
    let (front, fill) = if run >= MANY {
        bytes.split_at(bytes.len() - run)
    } else {
        (bytes, &[][..])
    };
    let front = (!front.is_empty()).then(|| Layer::Bytes(front.to_vec()));
    let fill = fill.first().map(|from| Layer::Fill {
        len: run,
        from: *from,
        step: last,
    });
    front.into_iter().chain(fill).collect()
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    let get = |at: usize| bytes.get(at).copied().unwrap_or(0);
    u16::from_be_bytes([get(at), get(at + 1)])
}

fn v4(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some((*bytes.get(at..)?.first_chunk::<4>()?).into())
}

fn v6(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    Some((*bytes.get(at..)?.first_chunk::<16>()?).into())
}

/// `layers` with `set` given the value that is in the frame, if without it the rules compute
/// another. `at` is where it stands.
fn checked(
    layers: Vec<Layer>,
    build: impl Fn(&[Layer]) -> Vec<u8>,
    bytes: &[u8],
    at: usize,
    set: impl Fn(&mut Layer, u16),
) -> Vec<Layer> {
    let mut layers = layers;
    if be16(&build(&layers), at) != be16(bytes, at)
        && let Some(first) = layers.first_mut()
    {
        set(first, be16(bytes, at));
    }
    layers
}

fn built(layers: &[Layer]) -> Vec<u8> {
    super::build::build(layers).unwrap_or_default()
}

/// The layers of an IPv4 packet, and how many bytes they are. In a packet that is quoted, an error's
/// own quote is left as bytes.
fn ip4(bytes: &[u8], is_quoted: bool) -> Option<(Vec<Layer>, usize)> {
    let header_len = usize::from(bytes.first()? & 15) * 4;
    if bytes.first()? >> 4 != 4 || header_len < 20 {
        return None;
    }
    let total = be16(bytes, 2);
    let options = bytes.get(20..header_len)?.to_vec();
    let end = if usize::from(total) < header_len || usize::from(total) > bytes.len() {
        bytes.len()
    } else {
        usize::from(total)
    };
    let payload = bytes.get(header_len..end)?;
    let (source, destination) = (v4(bytes, 12)?, v4(bytes, 16)?);
    let fragment = be16(bytes, 6);
    let proto = *bytes.get(9)?;
    let fragmented = fragment & 0x3fff != 0;
    let network = Layer::Ip4(Ip4 {
        source,
        destination,
        ttl: *bytes.get(8)?,
        tos: *bytes.get(1)?,
        id: be16(bytes, 4),
        df: fragment & 0x4000 != 0,
        mf: fragment & 0x2000 != 0,
        offset: fragment & 0x1fff,
        options,
        proto: None,
        total: None,
        checksum: None,
    });
    let inner = match proto {
        _ if fragmented => None,
        1 => icmp(payload, &network, false, is_quoted),
        2 => igmp(payload),
        6 => tcp(payload, &network),
        17 => udp(payload, &network),
        _ => None,
    };
    let inner = inner.unwrap_or_else(|| tail(payload));
    let mut layers = [vec![network], inner].concat();
    if let Some((Layer::Ip4(ip), rest)) = layers.split_first_mut() {
        ip.proto = (protocol_of(rest, false) != proto).then_some(proto);
        ip.total = (header_len + payload.len() != usize::from(total)).then_some(total);
    }
    let layers = checked(layers, built, bytes, 10, |layer, value| {
        if let Layer::Ip4(ip) = layer {
            ip.checksum = Some(value);
        }
    });
    Some((layers, end))
}

/// As [`ip4`].
fn ip6(bytes: &[u8], is_quoted: bool) -> Option<(Vec<Layer>, usize)> {
    let word = u32::from_be_bytes(*bytes.first_chunk::<4>()?);
    if word >> 28 != 6 {
        return None;
    }
    let length = be16(bytes, 4);
    let end = Some(40 + usize::from(length)).filter(|end| *end <= bytes.len());
    let end = end.unwrap_or(bytes.len());
    let mut payload = bytes.get(40..end)?;
    let next = *bytes.get(6)?;
    let network = Layer::Ip6 {
        source: v6(bytes, 8)?,
        destination: v6(bytes, 24)?,
        hop: *bytes.get(7)?,
        class: (word >> 20) as u8,
        flow: word & 0xf_ffff,
        length: (payload.len() != usize::from(length)).then_some(length),
        next: None,
    };
    let mut layers = Vec::new();
    let (mut protocol, mut is_part) = (next, false);
    while let Some((layer, after, rest)) = extension(protocol, payload) {
        // What follows is a part of something.
        is_part = matches!(layer, Layer::Fragment { offset, mf, .. } if mf || offset != 0);
        layers.push(layer);
        (protocol, payload) = (after, rest);
        if is_part {
            break;
        }
    }
    let inner = match protocol {
        _ if is_part => None,
        6 => tcp(payload, &network),
        17 => udp(payload, &network),
        58 => icmp(payload, &network, true, is_quoted),
        _ => None,
    };
    layers.extend(inner.unwrap_or_else(|| tail(payload)));
    for at in 0..layers.len() {
        if let Some((
            Layer::Alert { next, .. }
            | Layer::Options { next, .. }
            | Layer::Routing { next, .. }
            | Layer::Fragment { next, .. },
            rest,
        )) = layers.get_mut(at..).and_then(<[_]>::split_first_mut)
            && *next == Some(protocol_of(rest, true))
        {
            *next = None;
        }
    }
    let computed = protocol_of(&layers, true);
    let mut network = network;
    if let Layer::Ip6 { next: written, .. } = &mut network {
        *written = (computed != next).then_some(next);
    }
    layers.insert(0, network);
    Some((layers, end))
}

/// The extension header of this number at the front, what it says that follows, and what does.
fn extension(protocol: u8, bytes: &[u8]) -> Option<(Layer, u8, &[u8])> {
    let &[after, units, ..] = bytes else {
        return None;
    };
    let next = Some(after);
    if protocol == HOP_BY_HOP
        && let Some(([_, 0, 5, 2, high, low, 1, 0], rest)) = bytes.split_first_chunk::<8>()
    {
        let value = u16::from_be_bytes([*high, *low]);
        return Some((Layer::Alert { value, next }, after, rest));
    }
    if protocol == FRAGMENT {
        let ([_, 0, high, low, id @ ..], rest) = bytes.split_first_chunk::<8>()? else {
            return None;
        };
        let word = u16::from_be_bytes([*high, *low]);
        if word & 6 != 0 {
            return None;
        }
        let layer = Layer::Fragment {
            id: u32::from_be_bytes(*id),
            offset: word >> 3,
            mf: word & 1 != 0,
            next,
        };
        return Some((layer, after, rest));
    }
    if ![HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING].contains(&protocol) {
        return None;
    }
    let (header, rest) = bytes.split_at_checked((usize::from(units) + 1) * 8)?;
    let layer = if protocol == ROUTING {
        Layer::Routing {
            kind: *header.get(2)?,
            left: *header.get(3)?,
            data: header.get(4..)?.to_vec(),
            length: None,
            next,
        }
    } else {
        Layer::Options {
            is_hop_by_hop: protocol == HOP_BY_HOP,
            options: options(header.get(2..)?),
            length: None,
            next,
        }
    };
    Some((layer, after, rest))
}

/// Options, each whole, without the padding at the end if it is the one that the rules compute.
fn options(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut options: Vec<Vec<u8>> = Vec::new();
    let mut left = bytes;
    while let Some(&kind) = left.first() {
        let len = match (kind, left.get(1)) {
            (0, _) => 1,
            (_, Some(len)) => usize::from(*len) + 2,
            (_, None) => left.len(),
        };
        // Beyond the end: the rest is one option.
        let (option, behind) = left.split_at_checked(len).unwrap_or((left, &[]));
        options.push(option.to_vec());
        left = behind;
    }
    if let Some((last, front)) = options.split_last()
        && *last == padding(front.iter().map(Vec::len).sum())
    {
        options.pop();
    }
    options
}

/// What the rules make of a transport in its network header, the network header cut off.
fn within(network: &Layer) -> impl Fn(&[Layer]) -> Vec<u8> {
    let network = network.clone();
    move |layers| {
        let header = built(std::slice::from_ref(&network)).len();
        let whole = built(&[std::slice::from_ref(&network), layers].concat());
        whole.get(header..).unwrap_or_default().to_vec()
    }
}

fn udp(bytes: &[u8], network: &Layer) -> Option<Vec<Layer>> {
    let payload = bytes.get(8..)?;
    let length = be16(bytes, 4);
    let udp = Layer::Udp {
        source: be16(bytes, 0),
        destination: be16(bytes, 2),
        length: (usize::from(length) != bytes.len()).then_some(length),
        checksum: None,
    };
    let layers = [vec![udp], tail(payload)].concat();
    Some(checked(
        layers,
        within(network),
        bytes,
        6,
        |layer, value| {
            if let Layer::Udp { checksum, .. } = layer {
                *checksum = Some(value);
            }
        },
    ))
}

fn tcp(bytes: &[u8], network: &Layer) -> Option<Vec<Layer>> {
    let be32 = |at: usize| u32::from(be16(bytes, at)) << 16 | u32::from(be16(bytes, at + 2));
    let offset = *bytes.get(12)?;
    let header_len = usize::from(offset >> 4) * 4;
    let options = bytes.get(20..header_len)?;
    let tcp = Layer::Tcp(Tcp {
        source: be16(bytes, 0),
        destination: be16(bytes, 2),
        seq: be32(4),
        ack: be32(8),
        flags: *bytes.get(13)?,
        reserved: offset & 15,
        window: be16(bytes, 14),
        urgent: be16(bytes, 18),
        options: options.to_vec(),
        checksum: None,
    });
    let layers = [vec![tcp], tail(bytes.get(header_len..)?)].concat();
    Some(checked(
        layers,
        within(network),
        bytes,
        16,
        |layer, value| {
            if let Layer::Tcp(tcp) = layer {
                tcp.checksum = Some(value);
            }
        },
    ))
}

fn icmp(bytes: &[u8], network: &Layer, is_v6: bool, is_quoted: bool) -> Option<Vec<Layer>> {
    let (&kind, &code) = (bytes.first()?, bytes.get(1)?);
    let rest = bytes.get(4..)?;
    let mut layers = match kind {
        130..=132 | 143 if is_v6 => mld(bytes, code),
        135 | 136 if is_v6 => neighbor(kind, code, rest),
        _ if is_quoted => None,
        _ => icmp_error(kind, code, rest, is_v6),
    }
    .unwrap_or_else(|| {
        let echo = if is_v6 {
            matches!(kind, 128 | 129)
        } else {
            matches!(kind, 0 | 8)
        };
        let (body, behind) = if echo && rest.len() >= 4 {
            let (id, seq) = (be16(rest, 0), be16(rest, 2));
            (
                IcmpBody::Echo { id, seq },
                rest.get(4..).unwrap_or_default(),
            )
        } else {
            (IcmpBody::Plain, rest)
        };
        let icmp = Layer::Icmp {
            kind,
            code,
            checksum: None,
            body,
        };
        [vec![icmp], tail(behind)].concat()
    });
    layers = checked(
        layers,
        within(network),
        bytes,
        2,
        |layer, value| match layer {
            Layer::Icmp { checksum, .. } | Layer::Mld { checksum, .. } => *checksum = Some(value),
            _ => {}
        },
    );
    Some(layers)
}

/// An error and the packet it quotes, if that is all there is behind it.
fn icmp_error(kind: u8, code: u8, rest: &[u8], v6: bool) -> Option<Vec<Layer>> {
    let (word, quote) = rest.split_first_chunk::<4>()?;
    let word = u32::from_be_bytes(*word);
    let is_kind = |kind4, kind6| kind == if v6 { kind6 } else { kind4 };
    let (what, ..) = ERRORS
        .into_iter()
        .find(|(_, kind4, kind6)| kind != 0 && is_kind(*kind4, *kind6))?;
    let value = match what.value(v6, code) {
        Some((_, shift)) => word >> shift,
        None => 0,
    };
    let most = if v6 { u32::MAX } else { u16::MAX.into() };
    let error = Layer::Icmp {
        kind,
        code,
        checksum: None,
        body: IcmpBody::Error { what, v6, value },
    };
    // Bits that no value tells.
    if value > most || built(std::slice::from_ref(&error)).get(4..) != rest.get(..4) {
        return None;
    }
    let quoted = if v6 {
        ip6(quote, true)
    } else {
        ip4(quote, true)
    };
    let quoted = match quoted {
        Some((layers, used)) if used == quote.len() => layers,
        _ => tail(quote),
    };
    Some([vec![error], quoted].concat())
}

fn neighbor(kind: u8, code: u8, rest: &[u8]) -> Option<Vec<Layer>> {
    debug_assert!(is_neighbor(kind));
    let flags = *rest.first()?;
    if flags & 0x1f != 0 || rest.get(1..4)? != [0, 0, 0] {
        return None;
    }
    let target = v6(rest, 4)?;
    let mut options = Vec::new();
    let mut left = rest.get(20..)?;
    while !left.is_empty() {
        // Of length 0, or beyond the end: the rest is one option.
        let len = left.get(1).map_or(0, |units| usize::from(*units) * 8);
        let len = if len == 0 || len > left.len() {
            left.len()
        } else {
            len
        };
        let (option, behind) = left.split_at(len);
        options.push(option.to_vec());
        left = behind;
    }
    Some(vec![Layer::Icmp {
        kind,
        code,
        checksum: None,
        body: IcmpBody::Neighbor {
            flags,
            target,
            options,
        },
    }])
}

fn igmp(bytes: &[u8]) -> Option<Vec<Layer>> {
    let (&kind, &max) = (bytes.first()?, bytes.get(1)?);
    let group = v4(bytes, 4)?;
    let simple = |version, what| {
        (bytes.len() == 8).then_some(Membership::Simple {
            version,
            what,
            group,
            max: max.into(),
        })
    };
    let body = match kind {
        0x11 if bytes.len() == 8 && max == 0 => simple(1, "query"),
        0x11 if bytes.len() == 8 => simple(2, "query"),
        0x11 => query(bytes, 8, group, max.into(), v4, 4),
        0x12 => simple(1, "report"),
        0x16 => simple(2, "report"),
        0x17 => simple(2, "leave"),
        0x22 => report(bytes, v4, 4),
        _ => None,
    }?;
    let layers = vec![Layer::Igmp {
        checksum: None,
        body,
    }];
    Some(checked(layers, built, bytes, 2, |layer, value| {
        if let Layer::Igmp { checksum, .. } = layer {
            *checksum = Some(value);
        }
    }))
}

fn mld(bytes: &[u8], code: u8) -> Option<Vec<Layer>> {
    let max = be16(bytes, 4);
    let simple = |what| {
        (bytes.len() == 24).then_some(Membership::Simple {
            version: 2,
            what,
            group: v6(bytes, 8)?,
            max,
        })
    };
    let body = match bytes.first()? {
        130 if bytes.len() == 24 => simple("query"),
        130 => query(bytes, 24, v6(bytes, 8)?, max, v6, 16),
        131 => simple("report"),
        132 => simple("done"),
        _ => report(bytes, v6, 16),
    }?;
    Some(vec![Layer::Mld {
        code,
        checksum: None,
        body,
    }])
}

type Address<A> = fn(&[u8], usize) -> Option<A>;

fn query<A>(
    bytes: &[u8],
    at: usize,
    group: A,
    max: u16,
    address: Address<A>,
    len: usize,
) -> Option<Membership<A>> {
    let flags = *bytes.get(at)?;
    let sources = addresses(bytes, at + 4, be16(bytes, at + 2).into(), address, len)?;
    Some(Membership::Query {
        group,
        max,
        suppress: flags & 8 != 0,
        qrv: flags & 7,
        qqic: *bytes.get(at + 1)?,
        sources,
    })
}

fn report<A>(bytes: &[u8], address: Address<A>, len: usize) -> Option<Membership<A>> {
    let mut records = Vec::new();
    let mut at = 8;
    for _ in 0..be16(bytes, 6) {
        let kind = *bytes.get(at)?;
        if !(1..=6).contains(&kind) {
            return None;
        }
        let count = usize::from(be16(bytes, at + 2));
        let group = address(bytes, at + 4)?;
        let sources = addresses(bytes, at + 4 + len, count, address, len)?;
        records.push((kind, group, sources));
        at += 4 + len * (count + 1);
    }
    Some(Membership::Report(records))
}

fn addresses<A>(
    bytes: &[u8],
    at: usize,
    count: usize,
    address: Address<A>,
    len: usize,
) -> Option<Vec<A>> {
    (0..count)
        .map(|number| address(bytes, at + number * len))
        .collect()
}
