//! ICMP error messages of both IP versions: RFC 792, RFC 1191, RFC 1812 section 4.3, RFC 4443.
//!
//! A message says what was wrong, and quotes the packet that was: [`parse_icmp_error_ipv4`] and
//! [`parse_icmp_error_ipv6`] read it, [`build_icmp_error_ipv4`] and [`build_icmp_error_ipv6`] make a
//! frame of it, and [`may_answer_with_error_ipv4`] and [`may_answer_with_error_ipv6`] tell whether
//! one may be sent at all. How often is the caller's.

use std::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

use crate::build::{
    IPV4_TRANSPORT_OFFSET, IPV6_TRANSPORT_OFFSET, assemble, ipv4_headers, ipv6_headers,
};
use crate::checksum::{self, Sum};
use crate::cursor::{Cursor, set_checksum};
use crate::ethernet::EthernetHeader;
use crate::ethertype::EtherType;
use crate::extension::{UNRECOGNIZED_OPTION, skip_extensions};
use crate::icmp_echo::{ICMP_HEADER_LEN, IcmpHeader};
use crate::icmpv4::Icmpv4Message;
use crate::icmpv6::Icmpv6Message;
use crate::ipv4::{Fragmentation, IPV4_HEADER_LEN, Ipv4Fields, Ipv4Header, Ipv4Packet};
use crate::ipv6::{IPV6_HEADER_LEN, Ipv6Fields, Ipv6Header, Ipv6Packet};
use crate::mac::MacAddr;
use crate::ndp;
use crate::protocol::IpProtocol;
use crate::room::NoRoom;
use crate::udp::Ports;

/// Most bytes of an IPv4 packet with an error message (RFC 1812 section 4.3.2.3).
pub const ICMPV4_ERROR_MAX_LEN: usize = 576;
/// Most bytes of an IPv6 packet with an error message (RFC 4443 section 2.4 (c)).
pub const ICMPV6_ERROR_MAX_LEN: usize = 1280;

/// Hops left of an error message that is sent.
const TTL: u8 = 64;
/// Precedence 6, internetwork control (RFC 1812 section 4.3.2.5).
const INTERNETWORK_CONTROL: u8 = 0xc0;
/// The least of the quoted packet behind its IP header: the ports are in it.
const QUOTED_TRANSPORT: usize = 8;

/// What an ICMP error message of IPv4 reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv4Problem {
    /// The packet did not reach its destination.
    Unreachable(Icmpv4Unreachable),
    /// The packet was too long on its way.
    TimeExceeded(TimeExceeded),
    /// The header is wrong.
    ParameterProblem {
        /// 0: the pointer tells where; 1: an option is missing (RFC 1108); 2: bad length.
        code: u8,
        /// The byte that is wrong, from the start of the IPv4 header.
        pointer: u8,
    },
}

/// Why an IPv4 packet did not reach its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv4Unreachable {
    /// Code 0: no route.
    Net,
    /// Code 1: the host does not answer.
    Host,
    /// Code 2: the host does not know the protocol.
    Protocol,
    /// Code 3: nobody listens to the port.
    Port,
    /// Code 4: longer than the next link takes, and not to be fragmented.
    FragmentationNeeded {
        /// The MTU of the next link in bytes; 0 if it was not told (RFC 1191 section 4).
        mtu: u16,
    },
    /// Code 13: a filter refused it.
    Prohibited,
    /// Another code.
    Other(u8),
}

/// Why a packet was too long on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeExceeded {
    /// Code 0: no hop was left.
    HopLimit,
    /// Code 1: not all of its fragments arrived.
    Reassembly,
    /// Another code.
    Other(u8),
}

/// What an ICMPv6 error message reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv6Problem {
    /// The packet did not reach its destination.
    Unreachable(Icmpv6Unreachable),
    /// The packet is longer than the next link takes.
    PacketTooBig {
        /// The MTU of the next link, in bytes.
        mtu: u32,
    },
    /// The packet was too long on its way.
    TimeExceeded(TimeExceeded),
    /// A header is wrong.
    ParameterProblem {
        /// What about it: one of the codes of [`extension`](crate::extension), or another.
        code: u8,
        /// The byte that is wrong, from the start of the IPv6 header.
        pointer: u32,
    },
}

/// Why an IPv6 packet did not reach its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv6Unreachable {
    /// Code 0: no route.
    NoRoute,
    /// Code 1: a filter refused it.
    Prohibited,
    /// Code 2: its source has no meaning where it would have to go.
    BeyondScope,
    /// Code 3: the host does not answer.
    Address,
    /// Code 4: nobody listens to the port.
    Port,
    /// Another code.
    Other(u8),
}

mod kind {
    pub(super) const V4_UNREACHABLE: u8 = 3;
    pub(super) const V4_TIME_EXCEEDED: u8 = 11;
    pub(super) const V4_PARAMETER_PROBLEM: u8 = 12;
    pub(super) const V6_UNREACHABLE: u8 = 1;
    pub(super) const V6_PACKET_TOO_BIG: u8 = 2;
    pub(super) const V6_TIME_EXCEEDED: u8 = 3;
    pub(super) const V6_PARAMETER_PROBLEM: u8 = 4;
    /// The first ICMPv6 type that is not an error.
    pub(super) const V6_FIRST_INFORMATION: u8 = 128;
}

/// Whether an ICMPv4 message of this type is an error that [`parse_icmp_error_ipv4`] reads.
pub const fn is_icmpv4_error(kind: u8) -> bool {
    matches!(
        kind,
        kind::V4_UNREACHABLE | kind::V4_TIME_EXCEEDED | kind::V4_PARAMETER_PROBLEM
    )
}

/// Whether an ICMPv6 message of this type is an error that [`parse_icmp_error_ipv6`] reads.
pub const fn is_icmpv6_error(kind: u8) -> bool {
    matches!(
        kind,
        kind::V6_UNREACHABLE
            | kind::V6_PACKET_TOO_BIG
            | kind::V6_TIME_EXCEEDED
            | kind::V6_PARAMETER_PROBLEM
    )
}

impl TimeExceeded {
    const fn new(code: u8) -> Self {
        match code {
            0 => Self::HopLimit,
            1 => Self::Reassembly,
            other => Self::Other(other),
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::HopLimit => 0,
            Self::Reassembly => 1,
            Self::Other(other) => other,
        }
    }
}

impl Icmpv4Problem {
    fn new(header: &IcmpHeader) -> Option<Self> {
        use Icmpv4Unreachable as U;
        let [pointer, _, high, low] = header.rest;
        Some(match header.kind {
            kind::V4_UNREACHABLE => Self::Unreachable(match header.code {
                0 => U::Net,
                1 => U::Host,
                2 => U::Protocol,
                3 => U::Port,
                4 => U::FragmentationNeeded {
                    mtu: u16::from_be_bytes([high, low]),
                },
                13 => U::Prohibited,
                other => U::Other(other),
            }),
            kind::V4_TIME_EXCEEDED => Self::TimeExceeded(TimeExceeded::new(header.code)),
            kind::V4_PARAMETER_PROBLEM => Self::ParameterProblem {
                code: header.code,
                pointer,
            },
            _ => return None,
        })
    }

    /// The header, without its checksum.
    fn header(self) -> IcmpHeader {
        use Icmpv4Unreachable as U;
        let (kind, code, rest) = match self {
            Self::Unreachable(why) => {
                let (code, mtu) = match why {
                    U::Net => (0, 0),
                    U::Host => (1, 0),
                    U::Protocol => (2, 0),
                    U::Port => (3, 0),
                    U::FragmentationNeeded { mtu } => (4, mtu),
                    U::Prohibited => (13, 0),
                    U::Other(other) => (other, 0),
                };
                let [high, low] = mtu.to_be_bytes();
                (kind::V4_UNREACHABLE, code, [0, 0, high, low])
            }
            Self::TimeExceeded(why) => (kind::V4_TIME_EXCEEDED, why.code(), [0; 4]),
            Self::ParameterProblem { code, pointer } => {
                (kind::V4_PARAMETER_PROBLEM, code, [pointer, 0, 0, 0])
            }
        };
        IcmpHeader {
            kind,
            code,
            checksum: U16::ZERO,
            rest,
        }
    }
}

impl Icmpv6Problem {
    fn new(header: &IcmpHeader) -> Option<Self> {
        use Icmpv6Unreachable as U;
        let value = u32::from_be_bytes(header.rest);
        Some(match header.kind {
            kind::V6_UNREACHABLE => Self::Unreachable(match header.code {
                0 => U::NoRoute,
                1 => U::Prohibited,
                2 => U::BeyondScope,
                3 => U::Address,
                4 => U::Port,
                other => U::Other(other),
            }),
            kind::V6_PACKET_TOO_BIG => Self::PacketTooBig { mtu: value },
            kind::V6_TIME_EXCEEDED => Self::TimeExceeded(TimeExceeded::new(header.code)),
            kind::V6_PARAMETER_PROBLEM => Self::ParameterProblem {
                code: header.code,
                pointer: value,
            },
            _ => return None,
        })
    }

    /// The header, without its checksum.
    fn header(self) -> IcmpHeader {
        use Icmpv6Unreachable as U;
        let (kind, code, value) = match self {
            Self::Unreachable(why) => {
                let code = match why {
                    U::NoRoute => 0,
                    U::Prohibited => 1,
                    U::BeyondScope => 2,
                    U::Address => 3,
                    U::Port => 4,
                    U::Other(other) => other,
                };
                (kind::V6_UNREACHABLE, code, 0)
            }
            Self::PacketTooBig { mtu } => (kind::V6_PACKET_TOO_BIG, 0, mtu),
            Self::TimeExceeded(why) => (kind::V6_TIME_EXCEEDED, why.code(), 0),
            Self::ParameterProblem { code, pointer } => (kind::V6_PARAMETER_PROBLEM, code, pointer),
        };
        IcmpHeader {
            kind,
            code,
            checksum: U16::ZERO,
            rest: value.to_be_bytes(),
        }
    }

    /// Whether it is told also to the sender of a packet to a group (RFC 4443 section 2.4 (e.3)).
    const fn is_for_groups(self) -> bool {
        matches!(
            self,
            Self::PacketTooBig { .. }
                | Self::ParameterProblem {
                    code: UNRECOGNIZED_OPTION,
                    ..
                }
        )
    }
}

/// Whether an error message may be sent about an IPv4 packet (RFC 1122 section 3.2.2, RFC 1812
/// section 4.3.2.7). `is_to_group` says what the packet does not: it came in a frame to a group or to
/// all, or its destination is the broadcast address of a subnet.
///
/// Never about an ICMP message that is not a query or its answer, a fragment other than the first, a
/// packet to a group or to all, or from what is not one host: net 0, loopback, groups, 240.0.0.0/4.
pub fn may_answer_with_error_ipv4(packet: &Ipv4Packet<'_>, is_to_group: bool) -> bool {
    let destination = packet.destination();
    let is_one_host = !matches!(packet.source().octets(), [0 | 127 | 224.., ..]);
    let is_to_group = is_to_group || destination.is_multicast() || destination.is_broadcast();
    if !is_one_host || is_to_group || packet.fragment_offset() != 0 {
        return false;
    }
    packet.protocol() != IpProtocol::ICMPV4
        || packet.payload.first().is_some_and(|kind| {
            // Echo, router discovery, time stamp, information, address mask.
            matches!(kind, 0 | 8..=10 | 13..=18)
        })
}

/// Whether an error message that reports `problem` may be sent about an IPv6 packet (RFC 4443 section
/// 2.4 (e)). `is_to_group` says that it came in a frame to a group or to all.
///
/// Never about an ICMPv6 error message or a redirect, or a packet from what is not one host; about a
/// packet to a group only that it is too big, or has an unknown option that asks for it. About any
/// fragment, as RFC 8200 section 4.5 asks, unless it is of an ICMPv6 message whose type it does not
/// tell.
pub fn may_answer_with_error_ipv6(
    packet: &Ipv6Packet<'_>,
    problem: Icmpv6Problem,
    is_to_group: bool,
) -> bool {
    let source = packet.source();
    if source.is_unspecified() || source.is_multicast() || source.is_loopback() {
        return false;
    }
    let is_to_group = is_to_group || packet.destination().is_multicast();
    if is_to_group && !problem.is_for_groups() {
        return false;
    }
    let chain = skip_extensions(packet.next_header(), packet.payload);
    if chain.next_header != IpProtocol::ICMPV6 {
        return true;
    }
    let kind = chain
        .upper_layer()
        .and_then(|(_, offset)| packet.payload.get(offset - IPV6_HEADER_LEN));
    kind.is_some_and(|&kind| kind >= kind::V6_FIRST_INFORMATION && kind != ndp::REDIRECT)
}

/// A packet as an error message quotes it, cut off anywhere behind its IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotedPacket<'a, A> {
    /// From whom.
    pub source: A,
    /// To whom.
    pub destination: A,
    /// What it carries: in IPv6 the upper layer, or the first header that is cut off or in another
    /// fragment.
    pub protocol: IpProtocol,
    /// Whether the transport begins in it: it is no fragment, or the first.
    pub is_first_fragment: bool,
    /// The ports, if its protocol has some and they are there.
    pub ports: Option<Ports>,
    /// Bytes that its length field told: in IPv4 header and payload, in IPv6 what follows the
    /// header.
    pub length: u16,
    /// What is there of its transport, or of its part of it.
    pub transport: &'a [u8],
}

/// Why a message is not an error message that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum QuoteError {
    /// Not an error message that is known, but of this type.
    #[error("ICMP type {0} is not a known error message")]
    Kind(u8),
    /// Less of the packet is quoted than its IP header.
    #[error("the quoted packet is shorter than its IP header")]
    Truncated,
    /// The quoted IP header has another version, or lengths that cannot be.
    #[error("the quoted IP header is malformed")]
    Header,
}

/// Reads an ICMP error message of IPv4.
///
/// Nothing proves that the quoted packet was ever sent: its checksum is not verified, as routers
/// change headers. Extensions behind it (RFC 4884) are left out.
///
/// # Errors
/// The first rule the message breaks, see [`QuoteError`].
pub fn parse_icmp_error_ipv4<'a>(
    message: &Icmpv4Message<'a>,
) -> Result<(Icmpv4Problem, QuotedPacket<'a, Ipv4Addr>), QuoteError> {
    let header = message.header;
    let problem = Icmpv4Problem::new(header).ok_or(QuoteError::Kind(header.kind))?;
    let [_, words, ..] = header.rest;
    let quote = without_extensions(message.payload, usize::from(words) * 4);
    let Ok((header, _)) = Ipv4Header::ref_from_prefix(quote) else {
        return Err(QuoteError::Truncated);
    };
    let header_len = header.header_len();
    let total_length = usize::from(header.total_length.get());
    if header.version() != 4 || header_len < IPV4_HEADER_LEN || total_length < header_len {
        return Err(QuoteError::Header);
    }
    let transport = quote
        .get(..total_length)
        .unwrap_or(quote)
        .get(header_len..)
        .ok_or(QuoteError::Truncated)?;
    let is_first_fragment = header.fragment_offset() == 0;
    let quoted = QuotedPacket {
        source: header.source(),
        destination: header.destination(),
        protocol: header.protocol,
        is_first_fragment,
        ports: ports(header.protocol, is_first_fragment, transport),
        length: header.total_length.get(),
        transport,
    };
    Ok((problem, quoted))
}

/// Reads an ICMPv6 error message. As [`parse_icmp_error_ipv4`]; what the packet carries is looked for
/// behind its extension headers.
///
/// # Errors
/// The first rule the message breaks, see [`QuoteError`].
pub fn parse_icmp_error_ipv6<'a>(
    message: &Icmpv6Message<'a>,
) -> Result<(Icmpv6Problem, QuotedPacket<'a, Ipv6Addr>), QuoteError> {
    let header = message.header;
    let problem = Icmpv6Problem::new(header).ok_or(QuoteError::Kind(header.kind))?;
    let words = match problem {
        // The others have all four bytes for themselves.
        Icmpv6Problem::Unreachable(_) | Icmpv6Problem::TimeExceeded(_) => header.rest[0],
        _ => 0,
    };
    let quote = without_extensions(message.payload, usize::from(words) * 8);
    let Ok((header, rest)) = Ipv6Header::ref_from_prefix(quote) else {
        return Err(QuoteError::Truncated);
    };
    if header.version() != 6 {
        return Err(QuoteError::Header);
    }
    let length = header.payload_length.get();
    let payload = rest.get(..usize::from(length)).unwrap_or(rest);
    let chain = skip_extensions(header.next_header, payload);
    let is_first_fragment = chain.has_start();
    let transport = payload
        .get(chain.offset - IPV6_HEADER_LEN..)
        .unwrap_or_default();
    let quoted = QuotedPacket {
        source: header.source(),
        destination: header.destination(),
        protocol: chain.next_header,
        is_first_fragment,
        ports: ports(chain.next_header, is_first_fragment, transport),
        length,
        transport,
    };
    Ok((problem, quoted))
}

/// The quoted packet alone: RFC 4884 section 4 tells its padded length if something follows it.
fn without_extensions(payload: &[u8], len: usize) -> &[u8] {
    match len {
        0 => payload,
        _ => payload.get(..len).unwrap_or(payload),
    }
}

fn ports(protocol: IpProtocol, is_first_fragment: bool, transport: &[u8]) -> Option<Ports> {
    let &[a, b, c, d, ..] = transport else {
        return None;
    };
    (protocol.has_ports() && is_first_fragment).then_some(Ports {
        source: u16::from_be_bytes([a, b]),
        destination: u16::from_be_bytes([c, d]),
    })
}

/// Builds a frame with an ICMP error message in IPv4 about `original_packet`, a packet from its IPv4
/// header on, at the front of `buffer` and returns its length.
///
/// It quotes as much of the packet as 576 bytes of IPv4 and the buffer have room for, and nothing
/// that may follow the packet in its frame.
///
/// # Errors
/// [`NoRoom`] if `buffer` has no room for the packet's header and eight bytes, or all of a shorter
/// packet.
pub fn build_icmp_error_ipv4(
    buffer: &mut [u8],
    source_mac: MacAddr,
    destination_mac: MacAddr,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    problem: Icmpv4Problem,
    original_packet: &[u8],
) -> Result<usize, NoRoom> {
    let mut fields = Ipv4Fields::new(source, destination, IpProtocol::ICMPV4, TTL);
    fields.traffic_class = INTERNETWORK_CONTROL;
    fields.fragmentation = Fragmentation::Allowed;
    let (mut packet, mut header_len) = (original_packet, IPV4_HEADER_LEN);
    if let Ok((header, _)) = Ipv4Header::ref_from_prefix(original_packet) {
        // It may be fragmented, so that it needs a number (RFC 6864), and nothing here counts: its
        // cause has one.
        fields.identification = header.identification.get();
        header_len = header.header_len();
        packet = within(original_packet, header_len, header.total_length.get());
    }
    let quote = Quote {
        packet,
        least: header_len + QUOTED_TRANSPORT,
        most: ICMPV4_ERROR_MAX_LEN - IPV4_HEADER_LEN - ICMP_HEADER_LEN,
    };
    let quote = quote.cut(buffer.len(), IPV4_TRANSPORT_OFFSET + ICMP_HEADER_LEN);
    assemble(
        buffer,
        IPV4_TRANSPORT_OFFSET,
        |behind| write_message(behind, &problem.header(), quote, |_| Sum::ZERO),
        |front, len| {
            let ethernet = EthernetHeader::new(destination_mac, source_mac, EtherType::IPV4);
            ipv4_headers(front, &ethernet, &fields, len)
        },
    )
}

/// Builds a frame with an ICMPv6 error message about `original_packet`, a packet from its IPv6 header
/// on, at the front of `buffer` and returns its length.
///
/// It quotes as much of the packet as 1,280 bytes of IPv6 and the buffer have room for, and nothing
/// that may follow the packet in its frame.
///
/// # Errors
/// [`NoRoom`] if `buffer` has no room for the packet's header and eight bytes, or all of a shorter
/// packet.
pub fn build_icmp_error_ipv6(
    buffer: &mut [u8],
    source_mac: MacAddr,
    destination_mac: MacAddr,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    problem: Icmpv6Problem,
    original_packet: &[u8],
) -> Result<usize, NoRoom> {
    let packet = match Ipv6Header::ref_from_prefix(original_packet) {
        Ok((header, rest)) => {
            let payload_len = usize::from(header.payload_length.get()).min(rest.len());
            original_packet
                .get(..IPV6_HEADER_LEN + payload_len)
                .unwrap_or(original_packet)
        }
        Err(_) => original_packet,
    };
    let quote = Quote {
        packet,
        least: IPV6_HEADER_LEN + QUOTED_TRANSPORT,
        most: ICMPV6_ERROR_MAX_LEN - IPV6_HEADER_LEN - ICMP_HEADER_LEN,
    };
    let quote = quote.cut(buffer.len(), IPV6_TRANSPORT_OFFSET + ICMP_HEADER_LEN);
    assemble(
        buffer,
        IPV6_TRANSPORT_OFFSET,
        |behind| {
            write_message(behind, &problem.header(), quote, |len| {
                checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, len)
            })
        },
        |front, len| {
            let ethernet = EthernetHeader::new(destination_mac, source_mac, EtherType::IPV6);
            let fields = Ipv6Fields::new(source, destination, IpProtocol::ICMPV6, TTL);
            ipv6_headers(front, &ethernet, &fields, len)
        },
    )
}

/// An IPv4 packet without what follows it; all of it if its length cannot be.
fn within(packet: &[u8], header_len: usize, total_length: u16) -> &[u8] {
    let total_length = usize::from(total_length);
    if total_length < header_len {
        return packet;
    }
    packet.get(..total_length).unwrap_or(packet)
}

/// What may be quoted.
struct Quote<'a> {
    packet: &'a [u8],
    least: usize,
    most: usize,
}

impl<'a> Quote<'a> {
    /// What is quoted in a buffer of `room` bytes that begins with `offset` bytes of headers.
    fn cut(&self, room: usize, offset: usize) -> &'a [u8] {
        let room = room.saturating_sub(offset).max(self.least);
        self.packet
            .get(..room.min(self.most))
            .unwrap_or(self.packet)
    }
}

fn write_message(
    buffer: &mut [u8],
    header: &IcmpHeader,
    quote: &[u8],
    pseudo_header: impl FnOnce(u32) -> Sum,
) -> Result<usize, NoRoom> {
    let mut cursor = Cursor::new(buffer);
    cursor.put(header.as_bytes());
    cursor.put(quote);
    let message = cursor.finish(usize::MAX)?;
    let len = message.len();
    // 1,240 bytes at most.
    set_checksum(message, pseudo_header(len as u32));
    Ok(len)
}

#[cfg(test)]
mod tests;
