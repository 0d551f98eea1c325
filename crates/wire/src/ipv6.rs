//! IPv6 headers: RFC 8200.

use std::net::Ipv6Addr;

use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::protocol::IpProtocol;
use crate::room::{NoRoom, take};

/// Bytes of an IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;
/// Bytes of a fragment header.
pub const IPV6_FRAGMENT_HEADER_LEN: usize = 8;

/// An IPv6 header.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv6Header {
    /// Version (4 bits), traffic class (8 bits), flow label (20 bits).
    pub version_class_flow: U32,
    /// Bytes that follow the header, extension headers included.
    pub payload_length: U16,
    /// What follows the header.
    pub next_header: IpProtocol,
    /// Hops left.
    pub hop_limit: u8,
    /// From whom.
    pub source: [u8; 16],
    /// To whom.
    pub destination: [u8; 16],
}

impl Ipv6Header {
    /// The version field, 6 in every header that was parsed.
    #[inline]
    pub fn version(&self) -> u8 {
        (self.version_class_flow.get() >> 28) as u8
    }

    /// Differentiated services (6 bits) and explicit congestion notification (2 bits).
    #[inline]
    pub fn traffic_class(&self) -> u8 {
        (self.version_class_flow.get() >> 20) as u8
    }

    /// The flow label, 20 bits.
    #[inline]
    pub fn flow_label(&self) -> u32 {
        self.version_class_flow.get() & 0x000f_ffff
    }

    /// From whom.
    #[inline]
    pub const fn source(&self) -> Ipv6Addr {
        Ipv6Addr::from_octets(self.source)
    }

    /// To whom.
    #[inline]
    pub const fn destination(&self) -> Ipv6Addr {
        Ipv6Addr::from_octets(self.destination)
    }

    /// Exchanges source and destination, as for a reply.
    #[inline]
    pub fn swap_addresses(&mut self) {
        std::mem::swap(&mut self.source, &mut self.destination);
    }

    /// Takes one hop off for a packet that is forwarded. Returns whether the packet may go on:
    /// with one hop left or none it may not (RFC 8200 section 3), and is left as it came, as an
    /// error message quotes it.
    #[inline]
    #[must_use]
    pub fn decrement_hop_limit(&mut self) -> bool {
        if self.hop_limit <= 1 {
            return false;
        }
        self.hop_limit -= 1;
        true
    }
}

/// A fragment header (RFC 8200 section 4.5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv6FragmentHeader {
    /// The first header of the fragmented part.
    pub next_header: IpProtocol,
    /// Zero when sent, not looked at.
    pub reserved: u8,
    /// Fragment offset in units of eight bytes (13 bits), two reserved bits, more-fragments flag.
    pub offset_more: U16,
    /// The same for all fragments of a packet.
    pub identification: U32,
}

impl Ipv6FragmentHeader {
    /// Where the fragment belongs in the fragmentable part, in bytes: a multiple of 8, at most
    /// 65,528.
    #[inline]
    pub fn fragment_offset(&self) -> usize {
        usize::from(self.offset_more.get() & 0xfff8)
    }

    /// Whether fragments behind this one exist.
    #[inline]
    pub fn more_fragments(&self) -> bool {
        self.offset_more.get() & 1 != 0
    }
}

/// A valid IPv6 packet; its extension headers are not looked into.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Packet<'a> {
    /// The header.
    pub header: &'a Ipv6Header,
    /// What the payload length covers, extension headers included: bytes beyond it are padding of
    /// the link.
    pub payload: &'a [u8],
}

impl<'a> Ipv6Packet<'a> {
    /// From whom.
    #[inline]
    pub const fn source(&self) -> Ipv6Addr {
        self.header.source()
    }

    /// To whom.
    #[inline]
    pub const fn destination(&self) -> Ipv6Addr {
        self.header.destination()
    }

    /// What the payload starts with: an extension header or an upper-layer protocol.
    #[inline]
    pub const fn next_header(&self) -> IpProtocol {
        self.header.next_header
    }

    /// The fragment header and what follows it, if the payload starts with a whole one.
    #[inline]
    pub fn fragment(&self) -> Option<(&'a Ipv6FragmentHeader, &'a [u8])> {
        if self.header.next_header != IpProtocol::IPV6_FRAGMENT {
            return None;
        }
        Ipv6FragmentHeader::ref_from_prefix(self.payload).ok()
    }
}

/// Why bytes are not an IPv6 packet: the first rule they break, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Ipv6Error {
    /// Shorter than a header.
    #[error("shorter than an IPv6 header")]
    Truncated,
    /// The version field is not 6.
    #[error("the version is not 6")]
    Version,
    /// The payload length is beyond the end.
    #[error("bad IPv6 payload length")]
    PayloadLength,
}

/// Validates an IPv6 header and splits the packet. Bytes beyond its payload length are left out; a
/// jumbogram (RFC 2675), whose payload length is zero, thus has an empty payload.
///
/// # Errors
/// The first rule the bytes break, see [`Ipv6Error`].
#[inline]
pub fn parse_ipv6(bytes: &[u8]) -> Result<Ipv6Packet<'_>, Ipv6Error> {
    let Ok((header, rest)) = Ipv6Header::ref_from_prefix(bytes) else {
        return Err(Ipv6Error::Truncated);
    };
    if header.version() != 6 {
        return Err(Ipv6Error::Version);
    }
    let payload = rest
        .get(..usize::from(header.payload_length.get()))
        .ok_or(Ipv6Error::PayloadLength)?;
    Ok(Ipv6Packet { header, payload })
}

/// The header at the front of a packet, to be changed in place; `None` for less than 40 bytes.
#[inline]
pub fn ipv6_header_mut(bytes: &mut [u8]) -> Option<&mut Ipv6Header> {
    Ipv6Header::mut_from_prefix(bytes)
        .ok()
        .map(|(header, _)| header)
}

/// The fields of an IPv6 header that a sender chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Fields {
    /// From whom.
    pub source: Ipv6Addr,
    /// To whom.
    pub destination: Ipv6Addr,
    /// What follows the header.
    pub next_header: IpProtocol,
    /// Hops left.
    pub hop_limit: u8,
    /// Differentiated services and explicit congestion notification.
    pub traffic_class: u8,
    /// The flow label; the low 20 bits count.
    pub flow_label: u32,
}

impl Ipv6Fields {
    /// A packet of the default class and no flow.
    pub const fn new(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        next_header: IpProtocol,
        hop_limit: u8,
    ) -> Self {
        Self {
            source,
            destination,
            next_header,
            hop_limit,
            traffic_class: 0,
            flow_label: 0,
        }
    }
}

/// Writes a header at the front of `buffer`, for `payload_len` bytes that follow it, and returns
/// its length, 40. The payload itself need not be in `buffer`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter than 40 bytes, or the payload longer than 65,535.
#[inline]
pub fn write_ipv6(
    buffer: &mut [u8],
    fields: &Ipv6Fields,
    payload_len: usize,
) -> Result<usize, NoRoom> {
    let payload_length = u16::try_from(payload_len).map_err(|_| NoRoom {
        needed: payload_len,
        room: usize::from(u16::MAX),
    })?;
    let header = Ipv6Header {
        version_class_flow: U32::new(
            6 << 28 | u32::from(fields.traffic_class) << 20 | (fields.flow_label & 0x000f_ffff),
        ),
        payload_length: U16::new(payload_length),
        next_header: fields.next_header,
        hop_limit: fields.hop_limit,
        source: fields.source.octets(),
        destination: fields.destination.octets(),
    };
    take(buffer, IPV6_HEADER_LEN, usize::MAX)?.copy_from_slice(header.as_bytes());
    Ok(IPV6_HEADER_LEN)
}

/// Writes a fragment header at the front of `buffer` and returns its length, 8. `offset` is in
/// units of eight bytes; its low 13 bits count.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn write_ipv6_fragment(
    buffer: &mut [u8],
    next_header: IpProtocol,
    offset: u16,
    more: bool,
    identification: u32,
) -> Result<usize, NoRoom> {
    let header = Ipv6FragmentHeader {
        next_header,
        reserved: 0,
        offset_more: U16::new(offset << 3 | u16::from(more)),
        identification: U32::new(identification),
    };
    take(buffer, IPV6_FRAGMENT_HEADER_LEN, usize::MAX)?.copy_from_slice(header.as_bytes());
    Ok(IPV6_FRAGMENT_HEADER_LEN)
}

#[cfg(test)]
mod tests;
