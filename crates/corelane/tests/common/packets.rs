//! Frames for the tests of delivery and forwarding, made from those that the builders make.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use corelane::wire::build::{build_ipv4, build_ipv6};
use corelane::wire::fragment::{
    plan_ipv4_fragments, plan_ipv6_fragments, write_ipv4_fragment_header,
    write_ipv6_fragment_headers,
};
use corelane::wire::ipv4::Ipv4Fields;
use corelane::wire::ipv6::Ipv6Fields;
use corelane::wire::{IpProtocol, MacAddr, checksum, parse_ethernet, parse_ipv4, parse_ipv6};

use super::{HOST, PEER, ip};

/// Where the network header begins.
pub const NETWORK: usize = 14;

/// An Ethernet frame with a packet of any protocol; both addresses of one family, hop limit 3.
pub fn packet(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 128 + payload.len()];
    let protocol = IpProtocol(protocol);
    let len = match (ip(source), ip(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let fields = Ipv4Fields::new(source, destination, protocol, 3);
            build_ipv4(&mut buffer, PEER, HOST, &fields, payload)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let fields = Ipv6Fields::new(source, destination, protocol, 3);
            build_ipv6(&mut buffer, PEER, HOST, &fields, payload)
        }
        _ => panic!("one family"),
    };
    buffer.truncate(len.expect("room"));
    buffer
}

/// The frame with these link addresses.
pub fn between(mut frame: Vec<u8>, source: MacAddr, destination: MacAddr) -> Vec<u8> {
    frame[..6].copy_from_slice(&destination.octets());
    frame[6..12].copy_from_slice(&source.octets());
    frame
}

/// The frame with one byte set.
pub fn set(mut frame: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    frame[at] = value;
    frame
}

/// The frame cut off.
pub fn cut(mut frame: Vec<u8>, len: usize) -> Vec<u8> {
    frame.truncate(len);
    frame
}

/// The IPv4 frame after `change` of its network packet, with the header checksum right again.
pub fn patched(mut frame: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let header = &mut frame[NETWORK..];
    change(header);
    header[10..12].fill(0);
    let len = usize::from(header[0] & 15) * 4;
    let sum = checksum::sum(&header[..len]).checksum();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// The IPv4 frame with another TTL.
pub fn ttl(frame: Vec<u8>, ttl: u8) -> Vec<u8> {
    patched(frame, |header| header[8] = ttl)
}

/// The IPv6 frame with another hop limit.
pub fn hop_limit(frame: Vec<u8>, hop_limit: u8) -> Vec<u8> {
    set(frame, NETWORK + 7, hop_limit)
}

/// The IPv4 frame as one that routers may cut.
pub fn may_be_cut(frame: Vec<u8>) -> Vec<u8> {
    patched(frame, |header| header[6] = 0)
}

/// The IPv4 frame with these options, a multiple of four bytes of them.
pub fn with_options(mut frame: Vec<u8>, options: &[u8]) -> Vec<u8> {
    let at = NETWORK + 20;
    frame.splice(at..at, options.iter().copied());
    let len = (frame.len() - NETWORK) as u16;
    patched(frame, |header| {
        header[0] = 0x45 + (options.len() / 4) as u8;
        header[2..4].copy_from_slice(&len.to_be_bytes());
    })
}

/// The IPv6 frame with these extension headers, the first of this number. The last one's next header
/// is set to what the frame had.
pub fn extended(mut frame: Vec<u8>, first: u8, headers: &[&[u8]]) -> Vec<u8> {
    let at = NETWORK + 40;
    let mut bytes: Vec<u8> = headers.concat();
    let last = bytes.len() - headers.last().expect("a header").len();
    bytes[last] = frame[NETWORK + 6];
    frame[NETWORK + 6] = first;
    frame.splice(at..at, bytes);
    let len = (frame.len() - at) as u16;
    frame[NETWORK + 4..NETWORK + 6].copy_from_slice(&len.to_be_bytes());
    frame
}

/// The fragments of a frame for a link with this MTU.
pub fn fragments(frame: &[u8], mtu: usize, identification: u16) -> Vec<Vec<u8>> {
    let (ethernet, bytes) = frame.split_at(NETWORK);
    let mut headers = [0; 128];
    let made = |headers: &[u8], payload: &[u8]| [ethernet, headers, payload].concat();
    if bytes[0] >> 4 == 4 {
        let whole = patched(frame.to_vec(), |header| {
            header[4..6].copy_from_slice(&identification.to_be_bytes());
            header[6] = 0;
        });
        let packet = parse_ipv4(&whole[NETWORK..]).expect("a packet");
        return plan_ipv4_fragments(&packet, mtu)
            .expect("it can be cut")
            .map(|fragment| {
                let len = write_ipv4_fragment_header(&mut headers, &packet, &fragment);
                made(&headers[..len.unwrap()], &packet.payload[fragment.range])
            })
            .collect();
    }
    let packet = parse_ipv6(bytes).expect("a packet");
    let plan = plan_ipv6_fragments(&packet, mtu).expect("it can be cut");
    plan.clone()
        .map(|fragment| {
            let id = identification.into();
            let len = write_ipv6_fragment_headers(&mut headers, &packet, &plan, &fragment, id);
            made(&headers[..len.unwrap()], &packet.payload[fragment.range])
        })
        .collect()
}

/// An IPv4 frame with a fragment at this offset in bytes.
pub fn fragment_v4(
    source: &str,
    destination: &str,
    offset: u16,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    patched(packet(source, destination, 17, payload), |header| {
        let field = (offset / 8) | if more { 0x2000 } else { 0 };
        header[6..8].copy_from_slice(&field.to_be_bytes());
        header[4..6].copy_from_slice(&[1, 2]);
    })
}

/// A TCP SYN to a port.
pub fn syn(source: &str, destination: &str, port: u16) -> Vec<u8> {
    let mut segment = [0; 20];
    segment[..2].copy_from_slice(&1000u16.to_be_bytes());
    segment[2..4].copy_from_slice(&port.to_be_bytes());
    segment[12] = 5 << 4;
    segment[13] = 2;
    let pseudo = match (ip(source), ip(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            checksum::pseudo_header_ipv4(source, destination, IpProtocol::TCP, 20)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            checksum::pseudo_header_ipv6(source, destination, IpProtocol::TCP, 20)
        }
        _ => panic!("one family"),
    };
    let sum = (pseudo + checksum::sum(&segment)).checksum();
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    packet(source, destination, 6, &segment)
}

/// Where a frame goes, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub source_mac: MacAddr,
    pub destination_mac: MacAddr,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub ttl: u8,
    pub payload: Vec<u8>,
}

/// Reads a frame with a valid IP packet, the IPv4 header checksum right.
pub fn read(frame: &[u8]) -> Sent {
    let ethernet = parse_ethernet(frame).expect("a frame");
    let header = ethernet.header;
    let (source, destination, protocol, ttl, payload) = match ethernet.payload[0] >> 4 {
        4 => {
            let packet = parse_ipv4(ethernet.payload).expect("a packet");
            (
                IpAddr::V4(packet.source()),
                IpAddr::V4(packet.destination()),
                packet.protocol().0,
                packet.header.ttl,
                packet.payload.to_vec(),
            )
        }
        _ => {
            let packet = parse_ipv6(ethernet.payload).expect("a packet");
            (
                IpAddr::V6(packet.source()),
                IpAddr::V6(packet.destination()),
                packet.next_header().0,
                packet.header.hop_limit,
                packet.payload.to_vec(),
            )
        }
    };
    Sent {
        source_mac: header.source,
        destination_mac: header.destination,
        source,
        destination,
        protocol,
        ttl,
        payload,
    }
}

/// An ICMP error as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub from: IpAddr,
    pub to: IpAddr,
    pub mac: MacAddr,
    pub kind: u8,
    pub code: u8,
    /// The four bytes behind the checksum.
    pub rest: u32,
    /// The packet it is about, as far as it is quoted.
    pub quoted: Vec<u8>,
}

/// Reads an ICMP error, with its checksums.
pub fn problem(frame: &[u8]) -> Problem {
    let sent = read(frame);
    let message = &sent.payload;
    match (sent.source, sent.destination) {
        (IpAddr::V4(_), _) => {
            assert_eq!(sent.protocol, 1);
            corelane::wire::parse_icmpv4(message).expect("a right checksum");
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            assert_eq!(sent.protocol, 58);
            corelane::wire::parse_icmpv6(message, source, destination).expect("a right checksum");
        }
        _ => panic!("one family"),
    }
    Problem {
        from: sent.source,
        to: sent.destination,
        mac: sent.destination_mac,
        kind: message[0],
        code: message[1],
        rest: u32::from_be_bytes([message[4], message[5], message[6], message[7]]),
        quoted: message[8..].to_vec(),
    }
}

/// An ICMPv4 or ICMPv6 message of this type and code, with its checksum, 0 in the rest of its header.
pub fn icmp(source: &str, destination: &str, kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(body);
    let protocol = match (ip(source), ip(destination)) {
        (IpAddr::V4(_), IpAddr::V4(_)) => {
            let sum = checksum::sum(&message).checksum();
            message[2..4].copy_from_slice(&sum.to_be_bytes());
            1
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let len = message.len() as u32;
            let pseudo = checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, len);
            let sum = (pseudo + checksum::sum(&message)).checksum();
            message[2..4].copy_from_slice(&sum.to_be_bytes());
            58
        }
        _ => panic!("one family"),
    };
    packet(source, destination, protocol, &message)
}

/// An IPv4 address as text.
pub fn v4(text: &str) -> Ipv4Addr {
    text.parse().expect("an IPv4 address")
}

/// An IPv6 address as text.
pub fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an IPv6 address")
}
