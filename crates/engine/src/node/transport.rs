//! A first look at the transport header, while its cache line is at hand.

use corelane_stack::PacketFlags;
use corelane_wire::IpProtocol;

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
