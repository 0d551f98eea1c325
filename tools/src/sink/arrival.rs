//! What a frame says of itself at the end of its way.

use corelane::frame::Frame;
use corelane::stack::Packet;
use corelane::wire::{
    EtherType, IpProtocol, UDP_HEADER_LEN, parse_ethernet, parse_ipv4, parse_ipv6, parse_udp,
};
use std::net::IpAddr;

use crate::generator::{Corrupt, Signature, is_v6};
use crate::unit::Check;

/// What is recorded of a frame.
pub struct Arrived {
    /// Its length in bytes.
    pub len: usize,
    /// When it was planned to be sent, in nanoseconds.
    pub planned: u64,
    /// The hash that chose its worker: of the addresses and ports that arrived.
    pub hash: u32,
    /// Whether it is IPv6.
    pub is_v6: bool,
    /// Its signature, if it has one and it was looked for; an error if it cannot be what was sent.
    pub said: Option<Result<Signature, Corrupt>>,
}

impl Arrived {
    /// A packet on its way to a handler.
    #[inline]
    pub fn packet(packet: &Packet<'_>, check: Check) -> Self {
        let said = match check {
            Check::Off => None,
            Check::Order => said(packet.protocol(), packet.payload()),
            Check::Full => {
                let addresses = (packet.source(), packet.destination());
                verified(packet.protocol(), packet.payload(), addresses)
            }
        };
        Self {
            len: packet.len(),
            planned: packet.rx_time(),
            hash: packet.frame().rss_hash(),
            is_v6: is_v6(packet.frame().data()),
            said,
        }
    }

    /// A frame that was sent on.
    #[inline]
    pub fn frame(frame: &Frame, check: Check) -> Self {
        Self {
            len: frame.len(),
            planned: frame.rx_time(),
            hash: frame.rss_hash(),
            is_v6: is_v6(frame.data()),
            said: if check == Check::Off {
                None
            } else {
                said_by_frame(frame.data(), check)
            },
        }
    }
}

/// The signature of a UDP datagram.
#[inline]
fn said(protocol: IpProtocol, payload: &[u8]) -> Option<Result<Signature, Corrupt>> {
    if protocol != IpProtocol::UDP {
        return None;
    }
    Signature::read(payload.get(UDP_HEADER_LEN..)?)
}

/// As [`said`], if the checksum is right.
fn verified(
    protocol: IpProtocol,
    payload: &[u8],
    addresses: (IpAddr, IpAddr),
) -> Option<Result<Signature, Corrupt>> {
    if protocol != IpProtocol::UDP {
        return None;
    }
    let right = parse_udp(payload).is_ok_and(|datagram| match addresses {
        (IpAddr::V4(from), IpAddr::V4(to)) => datagram.verify_checksum_ipv4(from, to).is_ok(),
        (IpAddr::V6(from), IpAddr::V6(to)) => datagram.verify_checksum_ipv6(from, to).is_ok(),
        _ => false,
    });
    if right {
        said(protocol, payload)
    } else {
        Some(Err(Corrupt))
    }
}

fn said_by_frame(frame: &[u8], check: Check) -> Option<Result<Signature, Corrupt>> {
    let ethernet = parse_ethernet(frame).ok()?;
    let (protocol, payload, addresses): (_, _, (IpAddr, IpAddr)) = match ethernet.header.ethertype()
    {
        EtherType::IPV4 => {
            let ip = parse_ipv4(ethernet.payload).ok()?;
            let addresses = (ip.source().into(), ip.destination().into());
            // A part of a datagram has no checksum of its own.
            let whole = !ip.header.is_fragment();
            (ip.header.protocol, whole.then_some(ip.payload)?, addresses)
        }
        EtherType::IPV6 => {
            let ip = parse_ipv6(ethernet.payload).ok()?;
            let addresses = (ip.source().into(), ip.destination().into());
            (ip.header.next_header, ip.payload, addresses)
        }
        _ => return None,
    };
    match check {
        Check::Full => verified(protocol, payload, addresses),
        _ => said(protocol, payload),
    }
}
