//! ICMP messages to this host: echo requests are answered (RFC 792, RFC 1122 section 3.2.2.6, RFC
//! 4443 section 4.2), neighbor discovery, listener discovery and errors go to the control plane, the
//! rest to whoever listens.

use std::net::{Ipv4Addr, Ipv6Addr};

use corelane_frame::Frame;
use corelane_stack::{DropReason, IcmpCounter, Inbound, NicView, PacketFlags};
use corelane_wire::ethernet::ethernet_header_mut;
use corelane_wire::icmp_error::{is_icmpv4_error, is_icmpv6_error};
use corelane_wire::icmpv4::{self, parse_icmpv4};
use corelane_wire::icmpv6::{self, parse_icmpv6};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::ipv6::ipv6_header_mut;
use corelane_wire::{
    Echo, EchoKind, IPV4_HEADER_LEN, IPV6_HEADER_LEN, Icmpv4Error, Icmpv6Error, IpProtocol, MacAddr,
};

use super::context::Context;
use super::control_input::{self, Examined};
use super::ip_lookup::NETWORK;
use super::observer::Observer;
use crate::trace::{self, Outcome};

/// The hop limit of replies.
const HOP_LIMIT: u8 = 64;

/// What an ICMP message is to this stage.
enum Kind {
    EchoRequest,
    /// For the control plane.
    Control,
    /// For whoever listens.
    Other,
    Dropped(DropReason),
}

impl Kind {
    /// That of a message that is in order.
    fn of(echo: Option<Echo<'_>>, is_error: bool) -> Self {
        match echo {
            Some(echo) if echo.kind == EchoKind::Request => Self::EchoRequest,
            _ if is_error => Self::Control,
            _ => Self::Other,
        }
    }
}

/// Deals with a whole ICMP message; returns whether it is for whoever listens. `reassembled` tells that
/// it came in fragments.
pub(super) fn icmp_input<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packet: &Inbound,
    reassembled: bool,
) -> bool {
    let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
        return false;
    };
    let (kind, counter) = examine(frame.data(), packet, reassembled);
    context.tally.icmp(counter);
    let outcome = match kind {
        Kind::Other => trace::IcmpInput::PassedOn,
        Kind::Control => trace::IcmpInput::ControlInput,
        Kind::Dropped(reason) => trace::IcmpInput::Dropped(reason),
        Kind::EchoRequest if echo(context.arrival.mac(), view, frame, packet) => {
            trace::IcmpInput::Replied
        }
        Kind::EchoRequest => trace::IcmpInput::PassedOn,
    };
    context.observer.step(frame, Outcome::IcmpInput(outcome));
    match outcome {
        trace::IcmpInput::PassedOn => true,
        trace::IcmpInput::ControlInput => {
            control_input::punt(context, frame);
            false
        }
        trace::IcmpInput::Dropped(reason) => {
            context.tally.dropped(reason, 1);
            false
        }
        trace::IcmpInput::Replied => {
            let reply = std::mem::take(frame);
            send(context, reply, packet.flags.has(PacketFlags::V4));
            false
        }
    }
}

/// Sends an echo reply, in fragments if it has to be, and counts it if all of it can be sent.
fn send<O: Observer>(context: &mut Context<'_, O>, mut reply: Frame, is_v4: bool) {
    context.tally.consumed();
    if is_v4 && reply.len() > NETWORK + context.arrival.mtu() {
        // Its request came in fragments (RFC 1122 section 3.2.2.6).
        allow_fragments(&mut reply);
    }
    if context.reply(reply) {
        context.tally.icmp(if is_v4 {
            IcmpCounter::V4EchoReplySent
        } else {
            IcmpCounter::V6EchoReplySent
        });
    }
}

/// Lets an IPv4 reply be cut, whatever its request asked for.
#[cold]
fn allow_fragments(reply: &mut Frame) {
    let packet = reply.data_mut().get_mut(NETWORK..);
    if let Some(header) = packet.and_then(ipv4_header_mut) {
        header.allow_fragments();
    }
}

fn examine(data: &[u8], packet: &Inbound, reassembled: bool) -> (Kind, IcmpCounter) {
    let range = usize::from(packet.transport)..packet.end as usize;
    let message = data.get(range).unwrap_or_default();
    let kind = message.first().copied().unwrap_or(u8::MAX);
    if packet.flags.has(PacketFlags::V4) {
        let invalid = IcmpCounter::V4InvalidReceived;
        return match parse_icmpv4(message) {
            Err(Icmpv4Error::Checksum) => (Kind::Dropped(DropReason::IcmpChecksum), invalid),
            Err(_) => (Kind::Dropped(DropReason::IcmpTruncated), invalid),
            Ok(message) => {
                let kind_of = Kind::of(message.echo(), is_icmpv4_error(kind));
                (kind_of, IcmpCounter::received_v4(kind))
            }
        };
    }
    let counter = IcmpCounter::received_v6(kind);
    let invalid = IcmpCounter::V6InvalidReceived;
    match control_input::examine_v6(data, packet, reassembled) {
        // With a hop limit of 255 it is not counted as what it says it is (BEHAVIOURS G12).
        Examined::Dropped(reason) => return (Kind::Dropped(reason), invalid),
        Examined::Punt => return (Kind::Control, counter),
        Examined::PassOn => {}
    }
    let addresses = (packet.source(data), packet.destination(data));
    let (Some(source), Some(destination)) = addresses else {
        return (Kind::Dropped(DropReason::IcmpTruncated), invalid);
    };
    match parse_icmpv6(message, v6(source), v6(destination)) {
        Err(Icmpv6Error::Checksum) => (Kind::Dropped(DropReason::IcmpChecksum), invalid),
        Err(_) => (Kind::Dropped(DropReason::IcmpTruncated), invalid),
        Ok(message) => (Kind::of(message.echo(), is_icmpv6_error(kind)), counter),
    }
}

fn v6(address: std::net::IpAddr) -> Ipv6Addr {
    match address {
        std::net::IpAddr::V6(address) => address,
        std::net::IpAddr::V4(address) => address.to_ipv6_mapped(),
    }
}

/// Turns an echo request into its reply, in place; false if it is not to be answered.
///
/// Only a request from one host to one host is answered, by link address too: a reply to a group or
/// a broadcast would come from an address that is nobody's, and one to such a source would reach
/// many. `mac` is the link address that it leaves from, whatever the request was sent to.
fn echo(mac: MacAddr, view: &NicView<'_>, frame: &mut Frame, packet: &Inbound) -> bool {
    let to_one = ethernet_header_mut(frame.data_mut())
        .is_some_and(|header| !header.destination.is_multicast() && !header.source.is_multicast());
    let network = usize::from(packet.network);
    let data = frame.data_mut();
    let Some(headers) = data.get_mut(network..).filter(|_| to_one) else {
        return false;
    };
    let swapped = if packet.flags.has(PacketFlags::V4) {
        turn_v4(view, headers)
    } else {
        turn_v6(headers)
    };
    swapped && finish(mac, frame, packet)
}

fn turn_v4(view: &NicView<'_>, headers: &mut [u8]) -> bool {
    // The broadcast of a subnet looks like a host's address.
    let is_one = |address| is_host_v4(address) && !view.is_directed_broadcast(address);
    let Some(header) = ipv4_header_mut(headers) else {
        return false;
    };
    if !is_one(header.source()) || !is_one(header.destination()) {
        return false;
    }
    header.swap_addresses();
    header.set_ttl(HOP_LIMIT);
    true
}

fn turn_v6(headers: &mut [u8]) -> bool {
    let Some(header) = ipv6_header_mut(headers) else {
        return false;
    };
    if !is_host_v6(header.source()) || !is_host_v6(header.destination()) {
        return false;
    }
    header.swap_addresses();
    header.hop_limit = HOP_LIMIT;
    true
}

/// What both families' replies have in common: the message itself, the link header, nothing beside.
fn finish(mac: MacAddr, frame: &mut Frame, packet: &Inbound) -> bool {
    let (transport, end) = (usize::from(packet.transport), packet.end as usize);
    let is_v4 = packet.flags.has(PacketFlags::V4);
    let data = frame.data_mut();
    let Some(message) = data.get_mut(transport..end) else {
        return false;
    };
    let made = if is_v4 {
        icmpv4::make_echo_reply_in_place(message).is_ok()
    } else {
        icmpv6::make_echo_reply_in_place(message).is_ok()
    };
    if !made {
        return false;
    }
    if let Some(header) = ethernet_header_mut(data) {
        header.destination = header.source;
        header.source = mac;
    }
    frame.truncate(end);
    let header_len = if is_v4 {
        IPV4_HEADER_LEN
    } else {
        IPV6_HEADER_LEN
    };
    let bare = usize::from(packet.network) + header_len;
    transport == bare || strip(frame, packet, bare).is_some()
}

/// Takes out what stands between the IP header, which ends at `bare`, and the message. What a request asked
/// of its way is not for the way back: nothing of it is reversed (RFC 8200 section 8.4), and no reply that
/// is in one piece says that it is a fragment (RFC 8021).
#[cold]
fn strip(frame: &mut Frame, packet: &Inbound, bare: usize) -> Option<()> {
    let taken = usize::from(packet.transport).checked_sub(bare)?;
    if taken + bare > frame.len() {
        return None;
    }
    frame.data_mut().copy_within(..bare, taken);
    frame.pull_front(taken).ok()?;
    let message = u16::try_from(frame.len() - bare).ok()?;
    let headers = frame.data_mut().get_mut(usize::from(packet.network)..)?;
    if packet.flags.has(PacketFlags::V4) {
        let total_length = message.checked_add(IPV4_HEADER_LEN as u16)?;
        ipv4_header_mut(headers)?.drop_options(total_length);
    } else {
        let header = ipv6_header_mut(headers)?;
        header.payload_length.set(message);
        header.next_header = IpProtocol::ICMPV6;
    }
    Some(())
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
