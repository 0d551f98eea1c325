//! Packets that nobody here takes (BEHAVIOURS K9 to K12): the sender is told.

use std::net::IpAddr;

use corelane_frame::Frame;
use corelane_stack::{DropReason, Found, Inbound, NicCounter, NicView, PacketBurst, PacketFlags};
use corelane_wire::build::FrameSpec;
use corelane_wire::tcp::{build_reset_ipv4, build_reset_ipv6};
use corelane_wire::{IpProtocol, parse_ethernet, parse_tcp};

use super::context::Context;
use super::icmp_error::Error;
use super::observer::Observer;
use super::{extension, transport, transport_demux};
use crate::trace::{self, Outcome};

/// The hop limit of resets.
const HOP_LIMIT: u8 = 64;

/// Drops the packets that the handler refused.
#[inline(never)]
pub(super) fn unknown_destination<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
) {
    packets.retain_refused();
    for (packet, found) in packets.inbound().iter().zip(packets.found()) {
        let Some(frame) = frames.get(usize::from(packet.frame)) else {
            continue;
        };
        let has_sockets = matches!(packet.protocol, IpProtocol::UDP | IpProtocol::TCP);
        if !has_sockets && transport_demux::has_raw(context, frame, packet) {
            // A protocol that a raw socket has is not unknown: its copy was all there is to it.
            context.tally.delivered(1);
            context.observe(frames, packet, || {
                Outcome::UnknownDestination(trace::UnknownDestination::Raw)
            });
            continue;
        }
        let (reason, error) = judge(frame, packet, *found);
        match error {
            Some(Answer::Error(error)) => context.answer(view, frames, packet, error),
            Some(Answer::Reset) => reset(context, frame, packet),
            None => {}
        }
        context.drop(frames, packet, reason, |reason| {
            Outcome::UnknownDestination(trace::UnknownDestination::Dropped(reason))
        });
    }
}

enum Answer {
    Error(Error),
    Reset,
}

fn judge(frame: &Frame, packet: &Inbound, found: Found) -> (DropReason, Option<Answer>) {
    let to_one = !found.is_for_many();
    match packet.protocol {
        IpProtocol::UDP if !transport::is_checksum_right(frame, packet) => {
            (DropReason::TransportChecksum, None)
        }
        IpProtocol::UDP => (
            DropReason::UnknownPort,
            to_one.then_some(Answer::Error(Error::PortUnreachable)),
        ),
        IpProtocol::TCP if !transport::is_checksum_right(frame, packet) => {
            (DropReason::TransportChecksum, None)
        }
        IpProtocol::TCP => (DropReason::UnknownPort, to_one.then_some(Answer::Reset)),
        IpProtocol::ICMPV4 | IpProtocol::ICMPV6 if packet.flags.has(PacketFlags::ICMP) => {
            (DropReason::IcmpUnwanted, None)
        }
        _ => {
            let pointer = extension::next_header_field(frame);
            let error = Error::ProtocolUnreachable { pointer };
            let answer = to_one.then_some(Answer::Error(error));
            (DropReason::UnknownTransport, answer)
        }
    }
}

/// Refuses a TCP segment (RFC 9293 section 3.10.7.1), if its sender is one host.
#[cold]
fn reset<O: Observer>(context: &mut Context<'_, O>, frame: &Frame, packet: &Inbound) {
    let Ok(ethernet) = parse_ethernet(frame.data()) else {
        return;
    };
    let link = ethernet.header;
    let range = usize::from(packet.transport)..packet.end as usize;
    let segment = frame.data().get(range).map(parse_tcp);
    let addresses = (
        packet.source(frame.data()),
        packet.destination(frame.data()),
    );
    let (Some(Ok(segment)), (Some(from), Some(to))) = (segment, addresses) else {
        return;
    };
    let is_one = match from {
        IpAddr::V4(from) if context.arrival.is_directed_broadcast(from) => false,
        from => !(from.is_unspecified() || from.is_multicast() || from.is_loopback()),
    };
    if !is_one || link.source.is_multicast() || link.destination.is_multicast() {
        return;
    }
    let Some(mut made) = context.cache.alloc() else {
        return;
    };
    let mac = context.arrival.mac();
    let written = match (to, from) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let spec = FrameSpec {
                source_mac: mac,
                destination_mac: link.source,
                source,
                destination,
                ttl: HOP_LIMIT,
            };
            build_reset_ipv4(made.spare_mut(), &spec, &segment)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let spec = FrameSpec {
                source_mac: mac,
                destination_mac: link.source,
                source,
                destination,
                ttl: HOP_LIMIT,
            };
            build_reset_ipv6(made.spare_mut(), &spec, &segment)
        }
        _ => return,
    };
    let Ok(Some(len)) = written else {
        return context.cache.recycle(made);
    };
    if made.set_len(len).is_err() {
        return context.cache.recycle(made);
    }
    made.set_nic(context.arrival.id().0);
    made.set_rx_time(frame.rx_time());
    context.tally.counters().add(NicCounter::ResetsSent, 1);
    context.reply(made);
}
