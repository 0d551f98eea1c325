//! Validates IPv4 headers (RFC 791, RFC 1122 section 3.2.1).

use corelane_frame::Frame;
use corelane_stack::{DropReason, Inbound, Key};
use corelane_wire::{ETHERNET_HEADER_LEN, IPV4_HEADER_LEN, Ipv4Error, parse_ipv4};

use super::Parsed;
use super::tally::Tally;

/// Appends the valid packets among the frames at `places` to `parsed` and drops the others.
pub(super) fn ip4_input(
    frames: &[Frame],
    places: &[u8],
    parsed: &mut Parsed,
    tally: &mut Tally<'_>,
) {
    for place in places {
        let data = frames[usize::from(*place)].data();
        let packet = match parse_ipv4(&data[ETHERNET_HEADER_LEN..]) {
            Ok(packet) => packet,
            Err(error) => {
                tally.dropped(reason(error));
                continue;
            }
        };
        let transport = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN + packet.options.len();
        parsed.packets.push(Inbound {
            frame: *place,
            protocol: packet.protocol(),
            is_v4: true,
            is_fragment: packet.is_fragment(),
            network: ETHERNET_HEADER_LEN as u16,
            transport: transport as u16,
            end: (transport + packet.payload.len()) as u32,
        });
        parsed
            .destinations
            .push(Key::v4(packet.destination().to_bits()));
    }
}

fn reason(error: Ipv4Error) -> DropReason {
    match error {
        Ipv4Error::Truncated => DropReason::Ip4Truncated,
        Ipv4Error::Version => DropReason::Ip4Version,
        Ipv4Error::HeaderLength => DropReason::Ip4HeaderLength,
        Ipv4Error::TotalLength => DropReason::Ip4TotalLength,
        Ipv4Error::Checksum => DropReason::Ip4Checksum,
    }
}
