//! Tells the packets that are for the control plane, and validates them: neighbor discovery
//! (RFC 4861 section 7.1), multicast listener discovery (RFC 3810 section 6.2) and IGMP (RFC 3376).
//!
//! Only what needs no state is checked here, on every worker at once. What a message means is for
//! the control plane.

use corelane_stack::{DropReason, Inbound, PacketFlags};
use corelane_wire::igmp::IGMP_TTL;
use corelane_wire::mld::{is_mld, verify_mld_header};
use corelane_wire::ndp::is_ndp;
use corelane_wire::{
    IgmpMessage, IpProtocol, NdpMessage, parse_hop_by_hop, parse_igmp, parse_ipv4, parse_ipv6,
    parse_mld, parse_ndp,
};

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

/// Looks at a whole packet to this host that is ICMP, IGMP or has hop-by-hop options; `data` is its
/// frame's.
pub(super) fn control_input(data: &[u8], inbound: &Inbound) -> Examined {
    let range = usize::from(inbound.network)..inbound.end as usize;
    let packet = data.get(range).unwrap_or_default();
    if !inbound.flags.has(PacketFlags::V4) {
        examine_v6(packet)
    } else if inbound.protocol == IpProtocol::IGMP {
        examine_igmp(packet)
    } else {
        Examined::PassOn
    }
}

fn examine_igmp(packet: &[u8]) -> Examined {
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

fn examine_v6(packet: &[u8]) -> Examined {
    let Ok(packet) = parse_ipv6(packet) else {
        return Examined::PassOn;
    };
    let mut protocol = packet.next_header();
    let mut message = packet.payload;
    let mut router_alert = None;
    if protocol == IpProtocol::HOP_BY_HOP {
        let Ok(options) = parse_hop_by_hop(message) else {
            return Examined::PassOn;
        };
        protocol = options.next_header;
        message = options.rest;
        router_alert = options.router_alert;
    }
    let kind = match message {
        [kind, ..] if protocol == IpProtocol::ICMPV6 => *kind,
        _ => return Examined::PassOn,
    };
    let (source, destination) = (packet.source(), packet.destination());
    let hop_limit = packet.header.hop_limit;
    if is_ndp(kind) {
        match parse_ndp(source, destination, hop_limit, message) {
            // What routers say is the handler's.
            Ok(NdpMessage::Other(_)) => Examined::PassOn,
            Ok(_) => Examined::Punt,
            Err(_) => Examined::Dropped(DropReason::NdpInvalid),
        }
    } else if is_mld(kind) {
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
