//! Validates IPv4 headers (RFC 791, RFC 1122 section 3.2.1).

use corelane_frame::Frame;
use corelane_stack::{DropReason, Inbound, Key, PacketBurst, PacketFlags};
use corelane_wire::{ETHERNET_HEADER_LEN, IPV4_HEADER_LEN, Ipv4Error, parse_ipv4};

use super::martian::Sources;
use super::observer::Observer;
use super::tally::Tally;
use super::transport;
use crate::trace::{self, Outcome};

/// Appends the valid packets among these to `parsed` and drops the others.
#[inline(never)]
pub(super) fn ip4_input<'f, O: Observer>(
    sources: Sources<'_>,
    frames: &[Frame],
    packets: impl Iterator<Item = (u8, &'f [u8])>,
    parsed: &mut PacketBurst,
    tally: &mut Tally<'_>,
    observer: &mut O,
) {
    let mut observe = |place: u8, outcome| {
        if O::WATCHES
            && let Some(frame) = frames.get(usize::from(place))
        {
            observer.step(frame, Outcome::Ip4Input(outcome));
        }
    };
    for (place, data) in packets {
        let packet = match parse_ipv4(data) {
            Ok(packet) => packet,
            Err(error) => {
                let reason = reason(error);
                tally.dropped(reason, 1);
                observe(place, trace::Ip4Input::Dropped(reason));
                continue;
            }
        };
        let (source, destination) = (packet.source(), packet.destination());
        if sources.is_martian_v4(source, destination) {
            tally.dropped(DropReason::Martian, 1);
            observe(place, trace::Ip4Input::Dropped(DropReason::Martian));
            continue;
        }
        let transport = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN + packet.options.len();
        let protocol = packet.protocol();
        let seen = transport::check_v4(protocol, packet.payload);
        parsed.push(
            Key::v4(destination.to_bits()),
            Inbound {
                frame: place,
                protocol,
                ports: seen.ports,
                flags: seen
                    .flags
                    .with(PacketFlags::V4, true)
                    .with(PacketFlags::FRAGMENT, packet.is_fragment())
                    .with(PacketFlags::EXTENDED, !packet.options.is_empty()),
                network: ETHERNET_HEADER_LEN as u8,
                transport: transport as u16,
                end: (transport + packet.payload.len()) as u32,
            },
        );
        observe(place, trace::Ip4Input::Valid);
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
