//! A first look at the transport header, while its cache line is at hand.

use std::net::IpAddr;

use corelane_frame::Frame;
use corelane_stack::{Inbound, PacketFlags};
use corelane_wire::checksum::{self, Sum};
use corelane_wire::{IpProtocol, parse_tcp};

use super::extension::is_extension;

/// Whether the transport header of an IPv4 packet is there whole, with a length that fits (BEHAVIOURS
/// K3).
#[inline]
pub(super) fn check_v4(protocol: IpProtocol, payload: &[u8]) -> PacketFlags {
    check(protocol, payload).unwrap_or_else(|| other_v4(protocol))
}

/// As [`check_v4`], of an IPv6 packet; and whether there are extension headers in front of it.
#[inline]
pub(super) fn check_v6(protocol: IpProtocol, payload: &[u8]) -> PacketFlags {
    check(protocol, payload).unwrap_or_else(|| other_v6(protocol))
}

/// Of the two protocols that most packets are of. None of another.
#[inline]
fn check(protocol: IpProtocol, payload: &[u8]) -> Option<PacketFlags> {
    let fits = if protocol == IpProtocol::UDP {
        payload.first_chunk::<8>().is_some_and(|header| {
            // What the length says beyond the header, and what there is: one comparison, because
            // a length below the header's wraps around.
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            length.wrapping_sub(8) <= payload.len() - 8
        })
    } else if protocol == IpProtocol::TCP {
        payload.first_chunk::<20>().is_some_and(|header| {
            let length = usize::from(header[12] >> 4) * 4;
            length.wrapping_sub(20) <= payload.len() - 20
        })
    } else {
        return None;
    };
    Some(PacketFlags::default().with(PacketFlags::TRUNCATED, !fits))
}

// These are not inlined: the loops over packets have two comparisons in place of a jump by a table.

#[inline(never)]
fn other_v4(protocol: IpProtocol) -> PacketFlags {
    match protocol {
        IpProtocol::ICMPV4 => PacketFlags::ICMP,
        IpProtocol::IGMP => PacketFlags::CONTROL,
        _ => PacketFlags::default(),
    }
}

#[inline(never)]
fn other_v6(protocol: IpProtocol) -> PacketFlags {
    if protocol == IpProtocol::ICMPV6 {
        return PacketFlags::ICMP;
    }
    PacketFlags::default().with(PacketFlags::EXTENDED, is_extension(protocol))
}

/// Whether the checksum of a UDP or TCP packet is right; it is not verified on input, but where the
/// payload is touched next.
pub(super) fn is_checksum_right(frame: &Frame, packet: &Inbound) -> bool {
    if frame.offload().is_some_and(|it| it.checksum.is_some()) {
        // A super-frame: its sender never computed one.
        return true;
    }
    if packet.protocol == IpProtocol::UDP {
        return is_udp_checksum_right(frame.data(), packet).unwrap_or(false);
    }
    let range = usize::from(packet.transport)..packet.end as usize;
    let segment = frame.data().get(range).unwrap_or_default();
    let addresses = (
        packet.source(frame.data()),
        packet.destination(frame.data()),
    );
    match addresses {
        (Some(IpAddr::V4(source)), Some(IpAddr::V4(destination))) => parse_tcp(segment)
            .is_ok_and(|segment| segment.verify_checksum_ipv4(source, destination).is_ok()),
        (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => parse_tcp(segment)
            .is_ok_and(|segment| segment.verify_checksum_ipv6(source, destination).is_ok()),
        _ => false,
    }
}

/// As [`is_checksum_right`], of UDP. None if parts are not there.
#[inline(always)]
pub(super) fn is_udp_checksum_right(data: &[u8], packet: &Inbound) -> Option<bool> {
    // Where the addresses begin in the header, and how long they are together.
    if packet.flags.has(PacketFlags::V4) {
        is_udp_right::<12, 8>(data, packet, true)
    } else {
        is_udp_right::<8, 32>(data, packet, false)
    }
}

#[inline(always)]
fn is_udp_right<const OFFSET: usize, const ADDRESSES: usize>(
    data: &[u8],
    packet: &Inbound,
    may_be_absent: bool,
) -> Option<bool> {
    let start = usize::from(packet.network) + OFFSET;
    let transport = usize::from(packet.transport);
    // Mostly the addresses stand right in front of the transport header: one sum, then.
    let is_adjacent = transport == start + ADDRESSES;
    let addresses = data.get(start..)?;
    let datagram = if is_adjacent {
        addresses.get(ADDRESSES..)?
    } else {
        data.get(transport..)?
    };
    let header = u64::from_be_bytes(*datagram.first_chunk()?);
    let (length, checksum) = ((header >> 16) as u16, header as u16);
    if checksum == 0 {
        // In IPv4 it may be absent (RFC 768), in IPv6 not (RFC 8200 section 8.1).
        return Some(may_be_absent);
    }
    let sum = if is_adjacent {
        checksum::sum(addresses.get(..ADDRESSES + usize::from(length))?)
    } else {
        let datagram = datagram.get(..usize::from(length))?;
        checksum::sum(addresses.get(..ADDRESSES)?) + checksum::sum(datagram)
    };
    let rest = Sum::word(length) + Sum::word(IpProtocol::UDP.0.into());
    Some((sum + rest).is_valid())
}
