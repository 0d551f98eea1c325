//! Validates IPv6 headers (RFC 8200 section 3).

use corelane_frame::Frame;
use corelane_stack::{DropReason, Inbound, Key};
use corelane_wire::{ETHERNET_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol, Ipv6Error, parse_ipv6};

use super::Parsed;
use super::tally::Tally;

/// Appends the valid packets among the frames at `places` to `parsed` and drops the others.
///
/// Extension headers are not looked into yet: the first one stands as the transport protocol.
pub(super) fn ip6_input(
    frames: &[Frame],
    places: &[u8],
    parsed: &mut Parsed,
    tally: &mut Tally<'_>,
) {
    for place in places {
        let data = frames[usize::from(*place)].data();
        let packet = match parse_ipv6(&data[ETHERNET_HEADER_LEN..]) {
            Ok(packet) => packet,
            Err(error) => {
                tally.dropped(reason(error));
                continue;
            }
        };
        let destination = Key::v6(packet.destination().to_bits());
        if destination.is_v4() {
            // Mapped addresses are not for the wire (RFC 4291 section 2.5.5.2); and in the table
            // this one would be an IPv4 address.
            tally.dropped(DropReason::Martian);
            continue;
        }
        let transport = ETHERNET_HEADER_LEN + IPV6_HEADER_LEN;
        let protocol = packet.next_header();
        parsed.packets.push(Inbound {
            frame: *place,
            protocol,
            is_v4: false,
            is_fragment: protocol == IpProtocol::IPV6_FRAGMENT,
            network: ETHERNET_HEADER_LEN as u16,
            transport: transport as u16,
            end: (transport + packet.payload.len()) as u32,
        });
        parsed.destinations.push(destination);
    }
}

fn reason(error: Ipv6Error) -> DropReason {
    match error {
        Ipv6Error::Truncated => DropReason::Ip6Truncated,
        Ipv6Error::Version => DropReason::Ip6Version,
        Ipv6Error::PayloadLength => DropReason::Ip6PayloadLength,
    }
}
