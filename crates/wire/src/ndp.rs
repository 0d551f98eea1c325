//! Neighbor discovery: RFC 4861, with the nonce of RFC 7527.

use std::net::Ipv6Addr;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::build::{IPV6_TRANSPORT_OFFSET, assemble, ipv6_headers};
use crate::checksum;
use crate::cursor::{Cursor, set_checksum};
use crate::ethernet::EthernetHeader;
use crate::ethertype::EtherType;
use crate::icmpv6::{Icmpv6Error, parse_icmpv6};
use crate::ipv6::Ipv6Fields;
use crate::mac::MacAddr;
use crate::protocol::IpProtocol;
use crate::room::NoRoom;

/// The ICMPv6 type of a router solicitation.
pub const ROUTER_SOLICITATION: u8 = 133;
/// The ICMPv6 type of a router advertisement.
pub const ROUTER_ADVERTISEMENT: u8 = 134;
/// The ICMPv6 type of a neighbor solicitation.
pub const NEIGHBOR_SOLICITATION: u8 = 135;
/// The ICMPv6 type of a neighbor advertisement.
pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
/// The ICMPv6 type of a redirect.
pub const REDIRECT: u8 = 137;

/// The hop limit of every neighbor discovery message: it was not forwarded by any router.
pub const NDP_HOP_LIMIT: u8 = 255;

/// All nodes of the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of the link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// The number of the source link-layer address option.
pub const OPTION_SOURCE_LINK_ADDRESS: u8 = 1;
/// The number of the target link-layer address option.
pub const OPTION_TARGET_LINK_ADDRESS: u8 = 2;
/// The number of the nonce option (RFC 3971 section 5.3.2).
pub const OPTION_NONCE: u8 = 14;

const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// Whether an ICMPv6 type is one of neighbor discovery, 133 to 137: [`parse_ndp`] reads it.
#[inline]
pub const fn is_ndp(kind: u8) -> bool {
    matches!(kind, ROUTER_SOLICITATION..=REDIRECT)
}

/// The solicited-node group of a unicast address (RFC 4291 section 2.7.1): its low 24 bits below
/// `ff02::1:ff00:0`.
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u16::from_be_bytes([b, c]);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a as u16, low)
}

/// The fixed part of a neighbor solicitation and of a neighbor advertisement.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct NeighborHeader {
    kind: u8,
    code: u8,
    checksum: U16,
    /// The flags of an advertisement; all else is reserved.
    flags: u8,
    reserved: [u8; 3],
    target: [u8; 16],
}

/// A neighbor discovery message that passed every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NdpMessage<'a> {
    /// Who has this address, or: may I have it?
    NeighborSolicitation(NeighborSolicitation<'a>),
    /// This address is mine.
    NeighborAdvertisement(NeighborAdvertisement<'a>),
    /// A message between hosts and routers, of this ICMPv6 type: its contents were not looked at.
    Other(u8),
}

/// A valid neighbor solicitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborSolicitation<'a> {
    /// The address it is about; not a group's.
    pub target: Ipv6Addr,
    /// The options.
    pub options: NdpOptions<'a>,
}

impl<'a> NeighborSolicitation<'a> {
    /// The sender's link address, if it told one of six bytes.
    pub fn source_link_address(&self) -> Option<MacAddr> {
        self.options.source_link_address()
    }

    /// The target's link address, which no solicitation needs to tell.
    pub fn target_link_address(&self) -> Option<MacAddr> {
        self.options.target_link_address()
    }

    /// The nonce by which a sender knows its own solicitation: six bytes, or as many as fill up a
    /// multiple of eight with the two of the option's header.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.options.nonce()
    }
}

/// A valid neighbor advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborAdvertisement<'a> {
    /// The address it is about; not a group's.
    pub target: Ipv6Addr,
    /// The sender is a router.
    pub router: bool,
    /// It answers a solicitation; then it was not sent to a group.
    pub solicited: bool,
    /// It replaces what is known of the target.
    pub override_: bool,
    /// The options.
    pub options: NdpOptions<'a>,
}

impl NeighborAdvertisement<'_> {
    /// The target's link address, if it was told and is of six bytes.
    pub fn target_link_address(&self) -> Option<MacAddr> {
        self.options.target_link_address()
    }
}

/// The options of a message: each of a length above zero, none beyond the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NdpOptions<'a> {
    bytes: &'a [u8],
}

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NdpOption<'a> {
    /// Its number.
    pub kind: u8,
    /// What follows its number and its length: six bytes, or as many more as a multiple of eight.
    pub data: &'a [u8],
}

fn split_option(bytes: &[u8]) -> Result<(NdpOption<'_>, &[u8]), NdpError> {
    let &[kind, units, ..] = bytes else {
        return Err(NdpError::OptionOverrun);
    };
    if units == 0 {
        return Err(NdpError::OptionLength);
    }
    let (option, rest) = bytes
        .split_at_checked(usize::from(units) * 8)
        .ok_or(NdpError::OptionOverrun)?;
    let data = option.get(2..).unwrap_or_default();
    Ok((NdpOption { kind, data }, rest))
}

impl<'a> NdpOptions<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, NdpError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, rest) = split_option(rest)?;
        }
        Ok(Self { bytes })
    }

    /// The options in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = NdpOption<'a>> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (option, behind) = split_option(rest).ok()?;
            rest = behind;
            Some(option)
        })
    }

    /// The data of the first option of this number.
    pub fn first(&self, kind: u8) -> Option<&'a [u8]> {
        self.iter()
            .find(|option| option.kind == kind)
            .map(|option| option.data)
    }

    /// The first source link-layer address, if it is of six bytes.
    pub fn source_link_address(&self) -> Option<MacAddr> {
        self.link_address(OPTION_SOURCE_LINK_ADDRESS)
    }

    /// The first target link-layer address, if it is of six bytes.
    pub fn target_link_address(&self) -> Option<MacAddr> {
        self.link_address(OPTION_TARGET_LINK_ADDRESS)
    }

    /// The first nonce.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.first(OPTION_NONCE)
    }

    fn link_address(&self, kind: u8) -> Option<MacAddr> {
        self.first(kind)?.try_into().ok().map(MacAddr)
    }
}

/// Why a message is not a valid one of neighbor discovery (RFC 4861 sections 6.1, 7.1 and 8.1):
/// the first rule it breaks, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NdpError {
    /// Not of neighbor discovery, but of this type.
    #[error("ICMPv6 type {0} is not of neighbor discovery")]
    NotNdp(u8),
    /// Shorter than an ICMPv6 header, or than its type asks.
    #[error("shorter than a neighbor discovery message of its type")]
    Truncated,
    /// The hop limit is not 255: it may come from another link.
    #[error("the hop limit is not 255")]
    HopLimit,
    /// The checksum is wrong.
    #[error("wrong ICMPv6 checksum")]
    Checksum,
    /// The code is not zero.
    #[error("the code is not 0")]
    Code,
    /// The target is a group.
    #[error("the target is a multicast address")]
    MulticastTarget,
    /// An option's length is zero.
    #[error("an option of length 0")]
    OptionLength,
    /// An option ends beyond the message.
    #[error("an option beyond the end of the message")]
    OptionOverrun,
    /// A solicitation from the unspecified address goes elsewhere than to the solicited-node group
    /// of its target.
    #[error("duplicate address detection not sent to the target's solicited-node group")]
    Destination,
    /// A solicitation from the unspecified address tells a source link-layer address.
    #[error("duplicate address detection with a source link-layer address")]
    SourceLinkAddress,
    /// An advertisement to a group claims that it was solicited.
    #[error("a solicited advertisement to a multicast address")]
    SolicitedMulticast,
}

/// Validates a neighbor discovery message, a whole ICMPv6 message of the types 133 to 137, that
/// came from `source` to `destination` with `hop_limit` in its IPv6 header.
///
/// Of the messages between hosts and routers the hop limit, checksum, code and least length are
/// checked; nothing else, as no contents of them are used.
///
/// # Errors
/// The first rule the message breaks, see [`NdpError`]: it is to be dropped in silence.
pub fn parse_ndp(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    message: &[u8],
) -> Result<NdpMessage<'_>, NdpError> {
    let kind = *message.first().ok_or(NdpError::Truncated)?;
    let least_len = match kind {
        ROUTER_SOLICITATION => 8,
        ROUTER_ADVERTISEMENT => 16,
        NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT => size_of::<NeighborHeader>(),
        REDIRECT => 40,
        other => return Err(NdpError::NotNdp(other)),
    };
    if message.len() < least_len {
        return Err(NdpError::Truncated);
    }
    if hop_limit != NDP_HOP_LIMIT {
        return Err(NdpError::HopLimit);
    }
    let icmp = parse_icmpv6(message, source, destination).map_err(|error| match error {
        Icmpv6Error::Truncated => NdpError::Truncated,
        _ => NdpError::Checksum,
    })?;
    if icmp.header.code != 0 {
        return Err(NdpError::Code);
    }
    if !matches!(kind, NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT) {
        return Ok(NdpMessage::Other(kind));
    }
    let Ok((header, options)) = NeighborHeader::ref_from_prefix(message) else {
        return Err(NdpError::Truncated);
    };
    let target = Ipv6Addr::from_octets(header.target);
    if target.is_multicast() {
        return Err(NdpError::MulticastTarget);
    }
    let options = NdpOptions::parse(options)?;
    if kind == NEIGHBOR_SOLICITATION {
        if source.is_unspecified() {
            if destination != solicited_node(target) {
                return Err(NdpError::Destination);
            }
            // Of whatever length: the option as such must not be there.
            if options.first(OPTION_SOURCE_LINK_ADDRESS).is_some() {
                return Err(NdpError::SourceLinkAddress);
            }
        }
        let solicitation = NeighborSolicitation { target, options };
        return Ok(NdpMessage::NeighborSolicitation(solicitation));
    }
    let flag = |flag| header.flags & flag != 0;
    if destination.is_multicast() && flag(SOLICITED) {
        return Err(NdpError::SolicitedMulticast);
    }
    Ok(NdpMessage::NeighborAdvertisement(NeighborAdvertisement {
        target,
        router: flag(ROUTER),
        solicited: flag(SOLICITED),
        override_: flag(OVERRIDE),
        options,
    }))
}

/// What to put into a neighbor solicitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SolicitationSpec {
    /// From which link address.
    pub source_mac: MacAddr,
    /// From which address: the unspecified one for duplicate address detection.
    pub source: Ipv6Addr,
    /// To which address: the solicited-node group of the target, or the target.
    pub destination: Ipv6Addr,
    /// To which link address.
    pub destination_mac: MacAddr,
    /// The address it is about.
    pub target: Ipv6Addr,
    /// The source link-layer address option.
    pub source_link: Option<MacAddr>,
    /// The nonce option.
    pub nonce: Option<[u8; 6]>,
}

impl SolicitationSpec {
    /// A probe of duplicate address detection: from the unspecified address to the solicited-node
    /// group of `target`, without a source link-layer address.
    pub const fn probe(source_mac: MacAddr, target: Ipv6Addr, nonce: Option<[u8; 6]>) -> Self {
        let destination = solicited_node(target);
        Self {
            source_mac,
            source: Ipv6Addr::UNSPECIFIED,
            destination,
            destination_mac: MacAddr::from_ipv6_multicast(destination),
            target,
            source_link: None,
            nonce,
        }
    }

    /// Asks for the link address of `target` (RFC 4861 section 7.2.2): from `source` to the
    /// solicited-node group of `target`, with the sender's link address.
    pub const fn resolution(source_mac: MacAddr, source: Ipv6Addr, target: Ipv6Addr) -> Self {
        let destination = solicited_node(target);
        Self {
            source_mac,
            source,
            destination,
            destination_mac: MacAddr::from_ipv6_multicast(destination),
            target,
            source_link: Some(source_mac),
            nonce: None,
        }
    }

    /// Asks `target` whether it still has the link address `target_mac` (RFC 4861 section 7.3.3):
    /// from `source` to `target`, with the sender's link address, which it need not have any more.
    pub const fn reachability(
        source_mac: MacAddr,
        source: Ipv6Addr,
        target_mac: MacAddr,
        target: Ipv6Addr,
    ) -> Self {
        Self {
            source_mac,
            source,
            destination: target,
            destination_mac: target_mac,
            target,
            source_link: Some(source_mac),
            nonce: None,
        }
    }
}

/// What to put into a neighbor advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvertisementSpec {
    /// From which link address.
    pub source_mac: MacAddr,
    /// From which address.
    pub source: Ipv6Addr,
    /// To which address: who solicited it, or all nodes.
    pub destination: Ipv6Addr,
    /// To which link address.
    pub destination_mac: MacAddr,
    /// The address it is about.
    pub target: Ipv6Addr,
    /// The sender is a router.
    pub router: bool,
    /// It answers a solicitation.
    pub solicited: bool,
    /// It replaces what is known of the target.
    pub override_: bool,
    /// The target link-layer address option.
    pub target_link: Option<MacAddr>,
}

/// Builds a frame with a neighbor solicitation at the front of `buffer` and returns its length, 78
/// to 94.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn build_neighbor_solicitation(
    buffer: &mut [u8],
    spec: &SolicitationSpec,
) -> Result<usize, NoRoom> {
    let header = NeighborHeader {
        kind: NEIGHBOR_SOLICITATION,
        code: 0,
        checksum: U16::ZERO,
        flags: 0,
        reserved: [0; 3],
        target: spec.target.octets(),
    };
    let options = [
        (
            OPTION_SOURCE_LINK_ADDRESS,
            spec.source_link.map(MacAddr::octets),
        ),
        (OPTION_NONCE, spec.nonce),
    ];
    let ethernet = EthernetHeader::new(spec.destination_mac, spec.source_mac, EtherType::IPV6);
    build(
        buffer,
        &ethernet,
        spec.source,
        spec.destination,
        &header,
        &options,
    )
}

/// Builds a frame with a neighbor advertisement at the front of `buffer` and returns its length, 78
/// or 86.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn build_neighbor_advertisement(
    buffer: &mut [u8],
    spec: &AdvertisementSpec,
) -> Result<usize, NoRoom> {
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let header = NeighborHeader {
        kind: NEIGHBOR_ADVERTISEMENT,
        code: 0,
        checksum: U16::ZERO,
        flags: flag(spec.router, ROUTER)
            | flag(spec.solicited, SOLICITED)
            | flag(spec.override_, OVERRIDE),
        reserved: [0; 3],
        target: spec.target.octets(),
    };
    let options = [(
        OPTION_TARGET_LINK_ADDRESS,
        spec.target_link.map(MacAddr::octets),
    )];
    let ethernet = EthernetHeader::new(spec.destination_mac, spec.source_mac, EtherType::IPV6);
    build(
        buffer,
        &ethernet,
        spec.source,
        spec.destination,
        &header,
        &options,
    )
}

/// Each option has six bytes of data: one unit.
fn build(
    buffer: &mut [u8],
    ethernet: &EthernetHeader,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    header: &NeighborHeader,
    options: &[(u8, Option<[u8; 6]>)],
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        IPV6_TRANSPORT_OFFSET,
        |behind| {
            let mut cursor = Cursor::new(behind);
            cursor.put(header.as_bytes());
            for (kind, data) in options {
                if let Some(data) = data {
                    cursor.put(&[*kind, 1]);
                    cursor.put(data);
                }
            }
            let message = cursor.finish(usize::MAX)?;
            let len = message.len();
            let pseudo_header = checksum::pseudo_header_ipv6(
                source,
                destination,
                IpProtocol::ICMPV6,
                // 40 bytes at most.
                len as u32,
            );
            set_checksum(message, pseudo_header);
            Ok(len)
        },
        |front, len| {
            let fields = Ipv6Fields::new(source, destination, IpProtocol::ICMPV6, NDP_HOP_LIMIT);
            ipv6_headers(front, ethernet, &fields, len)
        },
    )
}

#[cfg(test)]
mod tests;
