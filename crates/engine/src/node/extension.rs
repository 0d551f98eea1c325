//! What stands between network header and transport in a packet for this host: IPv6 extension headers
//! (RFC 8200 section 4) and IPv4 options (RFC 1122 section 3.2.1.8, RFC 7126).

use corelane_frame::Frame;
use corelane_stack::{DropReason, FragmentPlace, Inbound, NicView, PacketFlags};
use corelane_wire::extension::{ExtensionEnd, ExtensionError, ExtensionWalk};
use corelane_wire::ipv4_options::{self, Ipv4OptionPolicy};
use corelane_wire::{ETHERNET_HEADER_LEN, IpProtocol, parse_ipv4, parse_ipv6};

use super::context::Context;
use super::icmp_error::Error;
use super::observer::Observer;
use super::transport;
use crate::trace::{self, Outcome};

/// Whether an IPv6 next header is that of an extension, or of nothing, and not of a transport.
#[inline]
pub(super) fn is_extension(next_header: IpProtocol) -> bool {
    // One bit for each of the few numbers there are, all under 64.
    const EXTENSIONS: u64 = 1 << IpProtocol::HOP_BY_HOP.0
        | 1 << IpProtocol::IPV6_ROUTING.0
        | 1 << IpProtocol::IPV6_FRAGMENT.0
        | 1 << IpProtocol::IPV6_NO_NEXT.0
        | 1 << IpProtocol::IPV6_DESTINATION_OPTIONS.0;
    next_header.0 < 64 && EXTENSIONS >> next_header.0 & 1 == 1
}

/// What is behind the headers of a packet.
pub(super) enum Behind {
    /// The transport, of which the packet now knows.
    Transport,
    /// A part of a datagram.
    Fragment(FragmentPlace),
}

/// Walks the headers of a packet that has some; None if the packet ends here.
pub(super) fn extension<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &[Frame],
    packet: &mut Inbound,
) -> Option<Behind> {
    let frame = frames.get(usize::from(packet.frame))?;
    let walked = if packet.flags.has(PacketFlags::V4) {
        options(frame, packet)
    } else {
        walk(frame, packet)
    };
    match walked {
        Ok(behind) => {
            context.observe(frames, packet, || {
                Outcome::Extension(trace::Extension::Walked)
            });
            Some(behind)
        }
        Err((reason, error)) => {
            if let Some(error) = error {
                context.answer(view, frames, packet, error);
            }
            context.drop(frames, packet, reason, |reason| {
                Outcome::Extension(trace::Extension::Dropped(reason))
            });
            None
        }
    }
}

type Refused = (DropReason, Option<Error>);

fn options(frame: &Frame, packet: &Inbound) -> Result<Behind, Refused> {
    let network = usize::from(packet.network);
    let refused = |error| Err((DropReason::Ip4Options, error));
    let header = frame.data().get(network..).map(parse_ipv4);
    let Some(Ok(header)) = header else {
        return refused(None);
    };
    match ipv4_options::policy(header.options) {
        Ipv4OptionPolicy::Accept if header.is_fragment() => {
            Ok(Behind::Fragment(FragmentPlace::V4 { network }))
        }
        Ipv4OptionPolicy::Accept => Ok(Behind::Transport),
        Ipv4OptionPolicy::Drop(_) => refused(None),
        Ipv4OptionPolicy::Malformed { pointer } => refused(Some(Error::ParameterProblem {
            code: 0,
            pointer: pointer.into(),
        })),
    }
}

fn walk(frame: &Frame, packet: &mut Inbound) -> Result<Behind, Refused> {
    let network = usize::from(packet.network);
    let refused = |error| Err((DropReason::Ip6Extension, error));
    let header = frame.data().get(network..).map(parse_ipv6);
    let Some(Ok(header)) = header else {
        return refused(None);
    };
    match ExtensionWalk::new(&header).end() {
        Ok(ExtensionEnd::UpperLayer(upper)) => {
            if upper.protocol == IpProtocol::IPV6_NO_NEXT {
                return Err((DropReason::Ip6NoNextHeader, None));
            }
            let transport = network + upper.offset;
            packet.transport = u16::try_from(transport).unwrap_or(u16::MAX);
            packet.protocol = upper.protocol;
            let seen = transport::check_v6(upper.protocol, upper.payload);
            (packet.flags, packet.ports) = (seen.flags, seen.ports);
            Ok(Behind::Transport)
        }
        Ok(ExtensionEnd::Fragment(fragment)) => Ok(Behind::Fragment(FragmentPlace::V6 {
            network,
            header: network + fragment.offset,
            announced: network + fragment.next_header_offset,
        })),
        Err(ExtensionError::Discard(_)) => refused(None),
        Err(ExtensionError::ParameterProblem { code, pointer }) => {
            refused(Some(Error::ParameterProblem { code, pointer }))
        }
    }
}

/// Where the field is that names the transport of an IPv6 packet, in bytes from the start of its
/// header: what the parameter problem about a transport that nobody takes points at.
pub(super) fn next_header_field(frame: &Frame) -> u32 {
    let packet = frame.data().get(ETHERNET_HEADER_LEN..).map(parse_ipv6);
    let end = match packet {
        Some(Ok(packet)) => ExtensionWalk::new(&packet).end(),
        _ => return NEXT_HEADER,
    };
    match end {
        Ok(ExtensionEnd::UpperLayer(upper)) => upper.next_header_offset as u32,
        _ => NEXT_HEADER,
    }
}

/// Where the next-header field of an IPv6 header is.
const NEXT_HEADER: u32 = 6;
