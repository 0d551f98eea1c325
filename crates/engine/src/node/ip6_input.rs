//! Validates IPv6 headers (RFC 8200 section 3).

use corelane_frame::Frame;
use corelane_stack::{DropReason, Inbound, Key, PacketBurst};
use corelane_wire::{ETHERNET_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol, Ipv6Error, ndp, parse_ipv6};

use super::martian::Sources;
use super::observer::Observer;
use super::tally::Tally;
use super::transport;
use crate::trace::{self, Outcome};

/// Appends the valid packets among these to `parsed` and drops the others.
///
/// Extension headers are looked into only where the packet is for this host (RFC 8200 section 4): until
/// then the first one stands as the transport protocol.
#[inline(never)]
pub(super) fn ip6_input<'f, O: Observer>(
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
            observer.step(frame, Outcome::Ip6Input(outcome));
        }
    };
    for (place, data) in packets {
        let packet = match parse_ipv6(data) {
            Ok(packet) => packet,
            Err(error) => {
                let reason = reason(error);
                tally.dropped(reason, 1);
                observe(place, trace::Ip6Input::Dropped(reason));
                continue;
            }
        };
        let source = Key::v6(packet.source().to_bits());
        let destination = Key::v6(packet.destination().to_bits());
        let is_ndp = || {
            let kind = packet.payload.first();
            packet.next_header() == IpProtocol::ICMPV6
                && kind.is_some_and(|kind| ndp::is_ndp(*kind))
        };
        if sources.is_martian_v6(source, destination, is_ndp) {
            tally.dropped(DropReason::Martian, 1);
            observe(place, trace::Ip6Input::Dropped(DropReason::Martian));
            continue;
        }
        let transport = ETHERNET_HEADER_LEN + IPV6_HEADER_LEN;
        let protocol = packet.next_header();
        let seen = transport::check_v6(protocol, packet.payload);
        parsed.push(
            destination,
            Inbound {
                frame: place,
                protocol,
                ports: seen.ports,
                flags: seen.flags,
                network: ETHERNET_HEADER_LEN as u8,
                transport: transport as u16,
                end: (transport + packet.payload.len()) as u32,
            },
        );
        observe(place, trace::Ip6Input::Valid);
    }
}

fn reason(error: Ipv6Error) -> DropReason {
    match error {
        Ipv6Error::Truncated => DropReason::Ip6Truncated,
        Ipv6Error::Version => DropReason::Ip6Version,
        Ipv6Error::PayloadLength => DropReason::Ip6PayloadLength,
    }
}
