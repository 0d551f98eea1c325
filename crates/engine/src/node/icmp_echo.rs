//! Answers echo requests (RFC 792, RFC 1122 section 3.2.2.6, RFC 4443 section 4.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use corelane_frame::Frame;
use corelane_stack::{DropReason, Inbound, NicView, PacketFlags};
use corelane_wire::ethernet::ethernet_header_mut;
use corelane_wire::icmpv4::{self, parse_icmpv4};
use corelane_wire::icmpv6::{self, parse_icmpv6};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::ipv6::ipv6_header_mut;
use corelane_wire::{EchoKind, Icmpv4Error, Icmpv6Error};

/// The hop limit of replies.
const HOP_LIMIT: u8 = 64;

/// What an ICMP packet came to.
pub(super) enum Echoed {
    /// The frame is the reply now.
    Reply,
    /// Some other message, or one that is not to be answered: for the handler.
    NotARequest,
    /// Malformed.
    Dropped(DropReason),
}

/// Turns an echo request into its reply, in place.
///
/// Only a request from one host to one host is answered, by link address too: a reply to a group or
/// a broadcast would come from an address that is nobody's, and one to such a source would reach
/// many.
pub(super) fn icmp_echo(view: &NicView<'_>, frame: &mut Frame, inbound: &Inbound) -> Echoed {
    let to_one = ethernet_header_mut(frame.data_mut())
        .is_some_and(|header| !header.destination.is_multicast() && !header.source.is_multicast());
    if !to_one {
        return Echoed::NotARequest;
    }
    let network = usize::from(inbound.network);
    let transport = usize::from(inbound.transport);
    let end = inbound.end as usize;
    if inbound.flags.has(PacketFlags::V4) {
        echo_v4(view, frame, network, transport, end)
    } else {
        echo_v6(frame, network, transport, end)
    }
}

fn echo_v4(
    view: &NicView<'_>,
    frame: &mut Frame,
    network: usize,
    transport: usize,
    end: usize,
) -> Echoed {
    let data = frame.data_mut();
    match parse_icmpv4(&data[transport..end]) {
        Ok(message)
            if message
                .echo()
                .is_some_and(|echo| echo.kind == EchoKind::Request) => {}
        Ok(_) => return Echoed::NotARequest,
        Err(Icmpv4Error::Checksum) => return Echoed::Dropped(DropReason::IcmpChecksum),
        Err(_) => return Echoed::Dropped(DropReason::IcmpTruncated),
    }
    let Some(header) = ipv4_header_mut(&mut data[network..]) else {
        return Echoed::NotARequest;
    };
    // The broadcast of a subnet looks like a host's address.
    let is_one = |address| is_host_v4(address) && !view.is_directed_broadcast(address);
    if !is_one(header.source()) || !is_one(header.destination()) {
        return Echoed::NotARequest;
    }
    header.swap_addresses();
    header.set_ttl(HOP_LIMIT);
    finish(
        frame,
        end,
        |message| icmpv4::make_echo_reply_in_place(message).is_ok(),
        transport,
    )
}

fn echo_v6(frame: &mut Frame, network: usize, transport: usize, end: usize) -> Echoed {
    let data = frame.data_mut();
    let Some(header) = ipv6_header_mut(&mut data[network..]) else {
        return Echoed::NotARequest;
    };
    let (source, destination) = (header.source(), header.destination());
    match parse_icmpv6(&data[transport..end], source, destination) {
        Ok(message)
            if message
                .echo()
                .is_some_and(|echo| echo.kind == EchoKind::Request) => {}
        Ok(_) => return Echoed::NotARequest,
        Err(Icmpv6Error::Checksum) => return Echoed::Dropped(DropReason::IcmpChecksum),
        Err(_) => return Echoed::Dropped(DropReason::IcmpTruncated),
    }
    if !is_host_v6(source) || !is_host_v6(destination) {
        return Echoed::NotARequest;
    }
    if let Some(header) = ipv6_header_mut(&mut data[network..]) {
        header.swap_addresses();
        header.hop_limit = HOP_LIMIT;
    }
    finish(
        frame,
        end,
        |message| icmpv6::make_echo_reply_in_place(message).is_ok(),
        transport,
    )
}

/// What both families' replies have in common: the message itself, the link header, no padding.
fn finish(
    frame: &mut Frame,
    end: usize,
    reply: impl Fn(&mut [u8]) -> bool,
    transport: usize,
) -> Echoed {
    let data = frame.data_mut();
    if !reply(&mut data[transport..end]) {
        return Echoed::NotARequest;
    }
    if let Some(header) = ethernet_header_mut(data) {
        header.swap_addresses();
    }
    frame.truncate(end);
    Echoed::Reply
}

/// Whether the address can be one host's.
fn is_host_v4(address: Ipv4Addr) -> bool {
    !(address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_loopback())
}

/// Whether the address can be one host's.
fn is_host_v6(address: Ipv6Addr) -> bool {
    !(address.is_unspecified() || address.is_multicast() || address.is_loopback())
}
