//! A first look at the transport header, while its cache line is at hand.

use corelane_stack::PacketFlags;
use corelane_wire::IpProtocol;

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
