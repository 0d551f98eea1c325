//! Tells the packets that are for the control plane, and validates them: neighbor discovery
//! (RFC 4861 section 7.1), multicast listener discovery (RFC 3810 section 6.2) and IGMP (RFC 3376).
//!
//! Only what needs no state is checked here, on every worker at once. What a message means is for
//! the control plane.

use corelane_frame::Frame;
use corelane_stack::{DropReason, Inbound};
use corelane_wire::extension::{Extension, ExtensionWalk};
use corelane_wire::igmp::IGMP_TTL;
use corelane_wire::mld::{is_mld, verify_mld_header};
use corelane_wire::ndp::is_ndp;
use corelane_wire::{
    IgmpMessage, IpProtocol, Ipv6Packet, NdpMessage, parse_hop_by_hop, parse_igmp, parse_ipv4,
    parse_ipv6, parse_mld, parse_ndp,
};

use super::context::Context;
use super::observer::Observer;
use crate::trace::{self, Outcome};

/// What a packet is to the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Examined {
    /// For it.
    Punt,
    /// Not for it.
    PassOn,
    /// It would be, but is not valid.
    Dropped(DropReason),
}

/// Hands a frame over to the control plane.
pub(super) fn punt<O: Observer>(context: &mut Context<'_, O>, frame: &mut Frame) {
    let sights = context.observer.look(std::slice::from_ref(frame));
    let outcome = match context.hand_to_control(frame) {
        Ok(()) => trace::ControlInput::Punted,
        Err(reason) => trace::ControlInput::Dropped(reason),
    };
    for sight in &sights {
        context
            .observer
            .step_of(sight, Outcome::ControlInput(outcome));
    }
}

/// Deals with a whole IGMP packet to this host; returns whether it is for whoever listens.
pub(super) fn igmp_input<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packet: &Inbound,
) -> bool {
    let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
        return false;
    };
    let range = usize::from(packet.network)..packet.end as usize;
    match examine_igmp(frame.data().get(range).unwrap_or_default()) {
        Examined::Punt => {
            punt(context, frame);
            false
        }
        Examined::Dropped(reason) => {
            context.tally.dropped(reason, 1);
            let outcome = trace::ControlInput::Dropped(reason);
            context.observer.step(frame, Outcome::ControlInput(outcome));
            false
        }
        Examined::PassOn => {
            let outcome = trace::ControlInput::PassedOn;
            context.observer.step(frame, Outcome::ControlInput(outcome));
            true
        }
    }
}

pub(super) fn examine_igmp(packet: &[u8]) -> Examined {
    let Ok(packet) = parse_ipv4(packet) else {
        return Examined::PassOn;
    };
    match parse_igmp(packet.payload) {
        // Other protocols share the number, mtrace and DVMRP among them.
        Ok(IgmpMessage::Other(_)) => Examined::PassOn,
        // Every version sends all messages with this (RFC 2236 section 2): another one has come
        // through a router.
        Ok(_) if packet.header.ttl == IGMP_TTL => Examined::Punt,
        _ => Examined::Dropped(DropReason::IgmpInvalid),
    }
}

/// Looks at an ICMPv6 message to this host; `data` is its frame's. `reassembled` tells that it came in
/// fragments: neighbor discovery may not, nor in a packet of one fragment (RFC 6980 section 5).
pub(super) fn examine_v6(data: &[u8], inbound: &Inbound, reassembled: bool) -> Examined {
    let range = usize::from(inbound.network)..inbound.end as usize;
    let Ok(packet) = parse_ipv6(data.get(range).unwrap_or_default()) else {
        return Examined::PassOn;
    };
    let message = data
        .get(usize::from(inbound.transport)..inbound.end as usize)
        .unwrap_or_default();
    let Some(kind) = message.first().copied() else {
        return Examined::PassOn;
    };
    let (source, destination) = (packet.source(), packet.destination());
    let hop_limit = packet.header.hop_limit;
    if is_ndp(kind) {
        match parse_ndp(source, destination, hop_limit, message) {
            Ok(_) if reassembled || has_fragment_header(&packet) => {
                Examined::Dropped(DropReason::NdpInvalid)
            }
            // What routers say is the handler's.
            Ok(NdpMessage::Other(_)) => Examined::PassOn,
            Ok(_) => Examined::Punt,
            Err(_) => Examined::Dropped(DropReason::NdpInvalid),
        }
    } else if is_mld(kind) {
        let options = (packet.next_header() == IpProtocol::HOP_BY_HOP)
            .then(|| parse_hop_by_hop(packet.payload).ok())
            .flatten();
        let router_alert = options.and_then(|options| options.router_alert);
        let valid = verify_mld_header(hop_limit, router_alert)
            .and_then(|()| parse_mld(source, destination, message));
        match valid {
            Ok(_) => Examined::Punt,
            Err(_) => Examined::Dropped(DropReason::MldInvalid),
        }
    } else {
        Examined::PassOn
    }
}

/// Whether a packet that is whole says that it is a fragment (RFC 6946).
fn has_fragment_header(packet: &Ipv6Packet<'_>) -> bool {
    ExtensionWalk::new(packet)
        .map_while(Result::ok)
        .any(|header| matches!(header.extension, Extension::Fragment(_)))
}
