//! Whole Ethernet frames in one call: for load generators and tests.
//!
//! The frames are as long as their contents: a link that asks for a least length pads.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::arp::{ArpPacket, write_arp};
use crate::ethernet::{ETHERNET_HEADER_LEN, EthernetHeader, write_ethernet};
use crate::ethertype::EtherType;
use crate::icmp_echo::Echo;
use crate::icmpv4::write_icmpv4_echo;
use crate::icmpv6::write_icmpv6_echo;
use crate::ipv4::{IPV4_HEADER_LEN, Ipv4Fields, write_ipv4};
use crate::ipv6::{IPV6_HEADER_LEN, Ipv6Fields, write_ipv6};
use crate::mac::MacAddr;
use crate::protocol::IpProtocol;
use crate::room::NoRoom;
use crate::udp::{write_udp_ipv4_with, write_udp_ipv6_with};

pub use crate::udp::Ports;

/// Bytes before the transport header in a frame built for IPv4.
pub const IPV4_TRANSPORT_OFFSET: usize = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN;
/// Bytes before the transport header in a frame built for IPv6.
pub const IPV6_TRANSPORT_OFFSET: usize = ETHERNET_HEADER_LEN + IPV6_HEADER_LEN;

/// Who sends a frame to whom: `A` is [`Ipv4Addr`] or [`Ipv6Addr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSpec<A> {
    /// From which link address.
    pub source_mac: MacAddr,
    /// To which link address.
    pub destination_mac: MacAddr,
    /// From which IP address.
    pub source: A,
    /// To which IP address.
    pub destination: A,
    /// Hops left: time to live or hop limit.
    pub ttl: u8,
}

impl<A> FrameSpec<A> {
    pub(crate) fn ethernet(&self, ethertype: EtherType) -> EthernetHeader {
        EthernetHeader::new(self.destination_mac, self.source_mac, ethertype)
    }
}

impl FrameSpec<Ipv4Addr> {
    pub(crate) fn ipv4(&self, protocol: IpProtocol) -> Ipv4Fields {
        Ipv4Fields::new(self.source, self.destination, protocol, self.ttl)
    }
}

impl FrameSpec<Ipv6Addr> {
    pub(crate) fn ipv6(&self, next_header: IpProtocol) -> Ipv6Fields {
        Ipv6Fields::new(self.source, self.destination, next_header, self.ttl)
    }
}

/// Puts a frame together: `content` writes behind the headers, whose length is `offset`, and says
/// how long it is; then `headers` writes them.
#[inline]
pub(crate) fn assemble(
    buffer: &mut [u8],
    offset: usize,
    content: impl FnOnce(&mut [u8]) -> Result<usize, NoRoom>,
    headers: impl FnOnce(&mut [u8], usize) -> Result<(), NoRoom>,
) -> Result<usize, NoRoom> {
    let room = buffer.len();
    let whole = |error: NoRoom| NoRoom {
        needed: error.needed.saturating_add(offset),
        room: error.room.saturating_add(offset),
    };
    let Some((front, behind)) = buffer.split_at_mut_checked(offset) else {
        // Without room for the headers the content only tells how long it is.
        let needed = content(&mut []).unwrap_or_else(|error| error.needed);
        return Err(NoRoom {
            needed: needed.saturating_add(offset),
            room,
        });
    };
    let len = content(behind).map_err(whole)?;
    headers(front, len)?;
    Ok(offset + len)
}

pub(crate) fn ipv4_headers(
    front: &mut [u8],
    ethernet: &EthernetHeader,
    fields: &Ipv4Fields,
    len: usize,
) -> Result<(), NoRoom> {
    let at = write_ethernet(front, ethernet)?;
    write_ipv4(front.get_mut(at..).unwrap_or_default(), fields, len)
        .map(|_| ())
        .map_err(|error| NoRoom {
            needed: error.needed + at,
            room: error.room + at,
        })
}

pub(crate) fn ipv6_headers(
    front: &mut [u8],
    ethernet: &EthernetHeader,
    fields: &Ipv6Fields,
    len: usize,
) -> Result<(), NoRoom> {
    let at = write_ethernet(front, ethernet)?;
    let offset = at + IPV6_HEADER_LEN;
    write_ipv6(front.get_mut(at..).unwrap_or_default(), fields, len)
        .map(|_| ())
        .map_err(|error| NoRoom {
            needed: error.needed + offset,
            room: error.room + offset,
        })
}

fn copy(behind: &mut [u8], bytes: &[u8]) -> Result<usize, NoRoom> {
    let room = behind.len();
    behind
        .get_mut(..bytes.len())
        .ok_or(NoRoom {
            needed: bytes.len(),
            room,
        })?
        .copy_from_slice(bytes);
    Ok(bytes.len())
}

/// Builds a frame with a UDP datagram in IPv4 at the front of `buffer` and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or the payload longer than 65,507 bytes.
pub fn build_udp_ipv4(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv4Addr>,
    ports: Ports,
    payload: &[u8],
) -> Result<usize, NoRoom> {
    let fill = |room: &mut [u8]| room.copy_from_slice(payload);
    build_udp_ipv4_with(buffer, spec, ports, payload.len(), fill)
}

/// As [`build_udp_ipv4`], with a payload of `len` bytes written in place by `fill`. The bytes
/// `fill` is given are those that were in `buffer`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or `len` more than 65,507.
pub fn build_udp_ipv4_with(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv4Addr>,
    ports: Ports,
    len: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        IPV4_TRANSPORT_OFFSET,
        |behind| write_udp_ipv4_with(behind, spec.source, spec.destination, ports, len, fill),
        |front, len| {
            let ethernet = spec.ethernet(EtherType::IPV4);
            ipv4_headers(front, &ethernet, &spec.ipv4(IpProtocol::UDP), len)
        },
    )
}

/// Builds a frame with a UDP datagram in IPv6 at the front of `buffer` and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or the payload longer than 65,527 bytes.
pub fn build_udp_ipv6(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv6Addr>,
    ports: Ports,
    payload: &[u8],
) -> Result<usize, NoRoom> {
    let fill = |room: &mut [u8]| room.copy_from_slice(payload);
    build_udp_ipv6_with(buffer, spec, ports, payload.len(), fill)
}

/// As [`build_udp_ipv6`], with a payload of `len` bytes written in place by `fill`. The bytes
/// `fill` is given are those that were in `buffer`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or `len` more than 65,527.
pub fn build_udp_ipv6_with(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv6Addr>,
    ports: Ports,
    len: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        IPV6_TRANSPORT_OFFSET,
        |behind| write_udp_ipv6_with(behind, spec.source, spec.destination, ports, len, fill),
        |front, len| {
            let ethernet = spec.ethernet(EtherType::IPV6);
            ipv6_headers(front, &ethernet, &spec.ipv6(IpProtocol::UDP), len)
        },
    )
}

/// Builds a frame with an ICMP echo in IPv4 at the front of `buffer` and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or the data longer than 65,507 bytes.
pub fn build_echo_ipv4(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv4Addr>,
    echo: &Echo<'_>,
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        IPV4_TRANSPORT_OFFSET,
        |behind| write_icmpv4_echo(behind, echo),
        |front, len| {
            let ethernet = spec.ethernet(EtherType::IPV4);
            ipv4_headers(front, &ethernet, &spec.ipv4(IpProtocol::ICMPV4), len)
        },
    )
}

/// Builds a frame with an ICMPv6 echo in IPv6 at the front of `buffer` and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or the data longer than 65,527 bytes.
pub fn build_echo_ipv6(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv6Addr>,
    echo: &Echo<'_>,
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        IPV6_TRANSPORT_OFFSET,
        |behind| write_icmpv6_echo(behind, spec.source, spec.destination, echo),
        |front, len| {
            let ethernet = spec.ethernet(EtherType::IPV6);
            ipv6_headers(front, &ethernet, &spec.ipv6(IpProtocol::ICMPV6), len)
        },
    )
}

/// Builds a frame with an IPv4 packet of any protocol, whose addresses and time to live are those
/// of `fields`, at the front of `buffer` and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or the payload longer than 65,515 bytes.
pub fn build_ipv4(
    buffer: &mut [u8],
    source_mac: MacAddr,
    destination_mac: MacAddr,
    fields: &Ipv4Fields,
    payload: &[u8],
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        IPV4_TRANSPORT_OFFSET,
        |behind| copy(behind, payload),
        |front, len| {
            let ethernet = EthernetHeader::new(destination_mac, source_mac, EtherType::IPV4);
            ipv4_headers(front, &ethernet, fields, len)
        },
    )
}

/// Builds a frame with an IPv6 packet of any next header, whose addresses and hop limit are those
/// of `fields`, at the front of `buffer` and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is too short or the payload longer than 65,535 bytes.
pub fn build_ipv6(
    buffer: &mut [u8],
    source_mac: MacAddr,
    destination_mac: MacAddr,
    fields: &Ipv6Fields,
    payload: &[u8],
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        IPV6_TRANSPORT_OFFSET,
        |behind| copy(behind, payload),
        |front, len| {
            let ethernet = EthernetHeader::new(destination_mac, source_mac, EtherType::IPV6);
            ipv6_headers(front, &ethernet, fields, len)
        },
    )
}

/// Builds a frame with an ARP packet at the front of `buffer`, from the packet's sender to
/// `destination_mac`, and returns its length, 42.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn build_arp(
    buffer: &mut [u8],
    destination_mac: MacAddr,
    packet: &ArpPacket,
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        ETHERNET_HEADER_LEN,
        |behind| write_arp(behind, packet),
        |front, _| {
            let header = EthernetHeader::new(destination_mac, packet.sender_mac, EtherType::ARP);
            write_ethernet(front, &header).map(|_| ())
        },
    )
}

#[cfg(test)]
mod tests;
