//! A first look at the transport header, while its cache line is at hand.

use std::net::IpAddr;

use corelane_frame::Frame;
use corelane_stack::{Inbound, PacketFlags};
use corelane_wire::{IpProtocol, parse_tcp, parse_udp};

/// Whether the transport header of an IPv4 packet is there whole, with a length that fits (BEHAVIOURS
/// K3).
#[inline]
pub(super) fn check_v4(protocol: IpProtocol, payload: &[u8]) -> PacketFlags {
    match protocol {
        IpProtocol::ICMPV4 => PacketFlags::ICMP,
        IpProtocol::IGMP => PacketFlags::CONTROL,
        _ => check(protocol, payload),
    }
}

/// As [`check_v4`], of an IPv6 packet.
#[inline]
pub(super) fn check_v6(protocol: IpProtocol, payload: &[u8]) -> PacketFlags {
    match protocol {
        IpProtocol::ICMPV6 => PacketFlags::ICMP,
        _ => check(protocol, payload),
    }
}

#[inline]
fn check(protocol: IpProtocol, payload: &[u8]) -> PacketFlags {
    let fits = match protocol {
        IpProtocol::UDP => payload.first_chunk::<8>().is_some_and(|header| {
            // What the length says beyond the header, and what there is: one comparison, because
            // a length below the header's wraps around.
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            length.wrapping_sub(8) <= payload.len() - 8
        }),
        IpProtocol::TCP => payload.first_chunk::<20>().is_some_and(|header| {
            let length = usize::from(header[12] >> 4) * 4;
            length.wrapping_sub(20) <= payload.len() - 20
        }),
        _ => true,
    };
    PacketFlags::default().with(PacketFlags::TRUNCATED, !fits)
}

/// Whether the checksum of a UDP or TCP packet is right; it is not verified on input, but where the
/// payload is touched next.
pub(super) fn is_checksum_right(frame: &Frame, packet: &Inbound) -> bool {
    let range = usize::from(packet.transport)..packet.end as usize;
    let payload = frame.data().get(range).unwrap_or_default();
    let addresses = (
        packet.source(frame.data()),
        packet.destination(frame.data()),
    );
    let is_udp = packet.protocol == IpProtocol::UDP;
    match addresses {
        (Some(IpAddr::V4(source)), Some(IpAddr::V4(destination))) if is_udp => parse_udp(payload)
            .is_ok_and(|datagram| datagram.verify_checksum_ipv4(source, destination).is_ok()),
        (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) if is_udp => parse_udp(payload)
            .is_ok_and(|datagram| datagram.verify_checksum_ipv6(source, destination).is_ok()),
        (Some(IpAddr::V4(source)), Some(IpAddr::V4(destination))) => parse_tcp(payload)
            .is_ok_and(|segment| segment.verify_checksum_ipv4(source, destination).is_ok()),
        (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => parse_tcp(payload)
            .is_ok_and(|segment| segment.verify_checksum_ipv6(source, destination).is_ok()),
        _ => false,
    }
}
