//! A first look at the transport header, while its cache line is at hand.

use std::net::IpAddr;

use corelane_frame::Frame;
use corelane_stack::{Inbound, PacketFlags};
use corelane_wire::checksum::{self, Sum};
use corelane_wire::{IpProtocol, UDP_HEADER_LEN, parse_tcp};

use super::extension::is_extension;

/// What a first look at a transport tells.
pub(super) struct Transport {
    /// Whether its header is there whole, with a length that fits (BEHAVIOURS K3), and what it is for.
    pub(super) flags: PacketFlags,
    /// As [`Inbound::ports`].
    pub(super) ports: [u8; 4],
}

/// That of an IPv4 packet.
#[inline]
pub(super) fn check_v4(protocol: IpProtocol, payload: &[u8]) -> Transport {
    check(protocol, payload).unwrap_or_else(|| without_ports(other_v4(protocol)))
}

/// As [`check_v4`], of an IPv6 packet; and whether there are extension headers in front of it.
#[inline]
pub(super) fn check_v6(protocol: IpProtocol, payload: &[u8]) -> Transport {
    check(protocol, payload).unwrap_or_else(|| without_ports(other_v6(protocol)))
}

fn without_ports(flags: PacketFlags) -> Transport {
    let ports = [0; 4];
    Transport { flags, ports }
}

/// Of the two protocols that most packets are of. None of another.
#[inline]
fn check(protocol: IpProtocol, payload: &[u8]) -> Option<Transport> {
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
    Some(Transport {
        flags: PacketFlags::default().with(PacketFlags::TRUNCATED, !fits),
        ports: payload.first_chunk().copied().unwrap_or_default(),
    })
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
        return is_udp_checksum_right(frame.data(), packet);
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

/// As [`is_checksum_right`], of UDP. It is not right if parts are not there.
#[inline(always)]
pub(super) fn is_udp_checksum_right(data: &[u8], packet: &Inbound) -> bool {
    // Where the addresses begin in the header, how long they are together, and with UDP's header.
    if packet.flags.has(PacketFlags::V4) {
        is_udp_right::<12, 8, 16>(data, packet, true)
    } else {
        is_udp_right::<8, 32, 40>(data, packet, false)
    }
}

// Not inlined: the loop over packets has no registers left for it.
#[inline(never)]
fn is_udp_right<const OFFSET: usize, const ADDRESSES: usize, const FRONT: usize>(
    data: &[u8],
    packet: &Inbound,
    may_be_absent: bool,
) -> bool {
    let start = usize::from(packet.network) + OFFSET;
    let Some(addresses) = data.get(start..) else {
        return false;
    };
    if usize::from(packet.transport) != start + ADDRESSES {
        let addresses = addresses.get(..ADDRESSES).unwrap_or_default();
        return is_udp_right_apart(data, packet, addresses, may_be_absent);
    }
    // Mostly the addresses stand right in front of the transport header: one sum, then.
    let Some(front) = addresses.first_chunk::<FRONT>() else {
        return false;
    };
    let header = UdpSums::of(front);
    if header.is_absent() {
        return may_be_absent;
    }
    let beyond = header.length().wrapping_sub(UDP_HEADER_LEN);
    let sum = checksum::sum_front::<FRONT>(addresses, beyond);
    sum.is_some_and(|sum| (sum + header.pseudo()).is_valid())
}

/// Where there are options or extension headers between the addresses and the transport.
#[cold]
#[inline(never)]
fn is_udp_right_apart(
    data: &[u8],
    packet: &Inbound,
    addresses: &[u8],
    may_be_absent: bool,
) -> bool {
    let datagram = data
        .get(usize::from(packet.transport)..)
        .unwrap_or_default();
    let Some(header) = datagram.first_chunk::<UDP_HEADER_LEN>() else {
        return false;
    };
    let header = UdpSums::of(header);
    if header.is_absent() {
        return may_be_absent;
    }
    let Some(datagram) = datagram.get(..header.length()) else {
        return false;
    };
    let sum = checksum::sum(addresses) + checksum::sum(datagram);
    (sum + header.pseudo()).is_valid()
}

/// What of a UDP header its checksum is about.
#[derive(Clone, Copy)]
struct UdpSums {
    length: u16,
    checksum: u16,
}

impl UdpSums {
    /// Of the header that these end with.
    #[inline(always)]
    fn of<const LEN: usize>(front: &[u8; LEN]) -> Self {
        const { assert!(LEN >= UDP_HEADER_LEN) };
        let [high, low, checksum @ ..] = front.last_chunk::<4>().copied().unwrap_or_default();
        Self {
            length: u16::from_be_bytes([high, low]),
            checksum: u16::from_ne_bytes(checksum),
        }
    }

    /// Whether the sender computed none: in IPv4 it may be absent (RFC 768), in IPv6 not (RFC 8200
    /// section 8.1).
    #[inline(always)]
    fn is_absent(self) -> bool {
        self.checksum == 0
    }

    #[inline(always)]
    fn length(self) -> usize {
        self.length.into()
    }

    /// What is summed beside addresses and datagram.
    #[inline(always)]
    fn pseudo(self) -> Sum {
        Sum::word(self.length) + Sum::word(IpProtocol::UDP.0.into())
    }
}
