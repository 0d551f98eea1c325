//! IPv4 headers: RFC 791, RFC 1122 section 3.2.1.

use std::net::Ipv4Addr;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute_ref};

use crate::checksum;
use crate::protocol::IpProtocol;
use crate::room::{NoRoom, take};

/// Bytes of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// The fixed part of an IPv4 header.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv4Header {
    /// Version in the high four bits, header length in words of four bytes in the low.
    pub version_ihl: u8,
    /// Differentiated services (6 bits) and explicit congestion notification (2 bits).
    pub traffic_class: u8,
    /// Bytes of header and payload.
    pub total_length: U16,
    /// The same for all fragments of a datagram.
    pub identification: U16,
    /// Three flag bits and the fragment offset in units of eight bytes.
    pub flags_offset: U16,
    /// Hops left.
    pub ttl: u8,
    /// What the payload is.
    pub protocol: IpProtocol,
    /// The checksum of the header, options included.
    pub checksum: U16,
    /// From whom.
    pub source: [u8; 4],
    /// To whom.
    pub destination: [u8; 4],
}

impl Ipv4Header {
    /// The version field, 4 in every header that was parsed.
    #[inline]
    pub const fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Bytes of the header, options included, as its length field says: 0 to 60.
    #[inline]
    pub const fn header_len(&self) -> usize {
        (self.version_ihl & 0x0f) as usize * 4
    }

    /// From whom.
    #[inline]
    pub const fn source(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.source)
    }

    /// To whom.
    #[inline]
    pub const fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.destination)
    }

    /// Where the payload belongs in its datagram, in bytes: a multiple of 8, at most 65,528.
    #[inline]
    pub fn fragment_offset(&self) -> usize {
        usize::from(self.flags_offset.get() & OFFSET_MASK) * 8
    }

    /// Whether fragments behind this one exist.
    #[inline]
    pub fn more_fragments(&self) -> bool {
        self.flags_offset.get() & MORE_FRAGMENTS != 0
    }

    /// Whether routers must not fragment the packet.
    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.flags_offset.get() & DONT_FRAGMENT != 0
    }

    /// Whether the packet is a part of a datagram, the first one included.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.flags_offset.get() & (MORE_FRAGMENTS | OFFSET_MASK) != 0
    }

    /// Exchanges source and destination, as for a reply. The checksum stays right.
    #[inline]
    pub fn swap_addresses(&mut self) {
        std::mem::swap(&mut self.source, &mut self.destination);
    }

    /// Sets the hops left and updates the checksum.
    #[inline]
    pub fn set_ttl(&mut self, ttl: u8) {
        let word = |ttl| u16::from_be_bytes([ttl, self.protocol.0]);
        let updated = checksum::update_u16(self.checksum.get(), word(self.ttl), word(ttl));
        self.ttl = ttl;
        self.checksum.set(updated);
    }

    /// Lets the packet be cut into fragments and updates the checksum.
    #[inline]
    pub fn allow_fragments(&mut self) {
        let before = self.flags_offset.get();
        let after = before & !DONT_FRAGMENT;
        let updated = checksum::update_u16(self.checksum.get(), before, after);
        self.flags_offset.set(after);
        self.checksum.set(updated);
    }

    /// Sets what the fragments of a datagram are known by and updates the checksum.
    #[inline]
    pub fn set_identification(&mut self, identification: u16) {
        let (before, checksum) = (self.identification.get(), self.checksum.get());
        let updated = checksum::update_u16(checksum, before, identification);
        self.identification.set(identification);
        self.checksum.set(updated);
    }

    /// Makes it the header of a packet of so many bytes, header included, that has no options, and
    /// computes the checksum anew.
    pub fn drop_options(&mut self, total_length: u16) {
        self.version_ihl = 4 << 4 | (IPV4_HEADER_LEN / 4) as u8;
        self.total_length.set(total_length);
        self.checksum.set(0);
        let checksum = checksum::sum(self.as_bytes()).checksum();
        self.checksum.set(checksum);
    }

    /// Takes one hop off for a packet that is forwarded, and updates the checksum (RFC 1624
    /// equation 3). Returns whether the packet may go on: with one hop left or none it may not
    /// (RFC 1812 section 5.3.1), and is left as it came, as an error message quotes it.
    ///
    /// A right checksum becomes the one that computing it anew gives, a wrong one stays wrong.
    #[inline]
    #[must_use]
    pub fn decrement_ttl(&mut self) -> bool {
        if self.ttl <= 1 {
            return false;
        }
        self.ttl -= 1;
        // The equation for one less in the upper byte of a word comes to adding that to the checksum, in
        // whatever byte order.
        let one_hop = u16::from_ne_bytes([1, 0]);
        let sum = u32::from(u16::from_ne_bytes(self.checksum.to_bytes())) + u32::from(one_hop);
        let folded = (sum + u32::from(sum >= 0xffff)) as u16;
        self.checksum = folded.to_ne_bytes().into();
        true
    }
}

/// A valid IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Packet<'a> {
    /// The fixed part of the header.
    pub header: &'a Ipv4Header,
    /// The options, 0 to 40 bytes, not looked into.
    pub options: &'a [u8],
    /// What the header's total length covers: bytes beyond it are padding of the link.
    pub payload: &'a [u8],
}

impl Ipv4Packet<'_> {
    /// From whom.
    #[inline]
    pub const fn source(&self) -> Ipv4Addr {
        self.header.source()
    }

    /// To whom.
    #[inline]
    pub const fn destination(&self) -> Ipv4Addr {
        self.header.destination()
    }

    /// What the payload is.
    #[inline]
    pub const fn protocol(&self) -> IpProtocol {
        self.header.protocol
    }

    /// Whether the packet is a part of a datagram, the first one included.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.header.is_fragment()
    }

    /// Where the payload belongs in its datagram, in bytes.
    #[inline]
    pub fn fragment_offset(&self) -> usize {
        self.header.fragment_offset()
    }

    /// Whether fragments behind this one exist.
    #[inline]
    pub fn more_fragments(&self) -> bool {
        self.header.more_fragments()
    }
}

/// Why bytes are not an IPv4 packet: the first rule they break, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Ipv4Error {
    /// Shorter than a header without options.
    #[error("shorter than an IPv4 header")]
    Truncated,
    /// The version field is not 4.
    #[error("the version is not 4")]
    Version,
    /// The header length is less than 20 bytes or beyond the end.
    #[error("bad IPv4 header length")]
    HeaderLength,
    /// The total length is less than the header's or beyond the end.
    #[error("bad IPv4 total length")]
    TotalLength,
    /// The header checksum is wrong.
    #[error("wrong IPv4 header checksum")]
    Checksum,
}

/// Validates an IPv4 header and splits the packet. Bytes beyond its total length are left out.
///
/// # Errors
/// The first rule the bytes break, see [`Ipv4Error`].
#[inline]
pub fn parse_ipv4(bytes: &[u8]) -> Result<Ipv4Packet<'_>, Ipv4Error> {
    let Ok((header, rest)) = Ipv4Header::ref_from_prefix(bytes) else {
        return Err(Ipv4Error::Truncated);
    };
    let total_length = usize::from(header.total_length.get());
    // Version 4 and no options: nearly every packet.
    if header.version_ihl == 0x45 {
        // Checked differences, so that the lengths are compared once and the slice is known good.
        let payload = total_length
            .checked_sub(IPV4_HEADER_LEN)
            .and_then(|len| rest.get(..len))
            .ok_or(Ipv4Error::TotalLength)?;
        let fixed: &[u8; IPV4_HEADER_LEN] = transmute_ref!(header);
        if !checksum::sum_20(fixed).is_valid() {
            return Err(Ipv4Error::Checksum);
        }
        return Ok(Ipv4Packet {
            header,
            options: &[],
            payload,
        });
    }
    parse_with_options(bytes, header, rest, total_length)
}

#[cold]
fn parse_with_options<'a>(
    bytes: &'a [u8],
    header: &'a Ipv4Header,
    rest: &'a [u8],
    total_length: usize,
) -> Result<Ipv4Packet<'a>, Ipv4Error> {
    if header.version() != 4 {
        return Err(Ipv4Error::Version);
    }
    let header_len = header.header_len();
    let (options, behind) = header_len
        .checked_sub(IPV4_HEADER_LEN)
        .and_then(|len| rest.split_at_checked(len))
        .ok_or(Ipv4Error::HeaderLength)?;
    let payload = total_length
        .checked_sub(header_len)
        .and_then(|len| behind.get(..len))
        .ok_or(Ipv4Error::TotalLength)?;
    if !bytes
        .get(..header_len)
        .is_some_and(|header| checksum::sum(header).is_valid())
    {
        return Err(Ipv4Error::Checksum);
    }
    Ok(Ipv4Packet {
        header,
        options,
        payload,
    })
}

/// The fixed part of the header at the front of a packet, to be changed in place; `None` for less
/// than 20 bytes.
#[inline]
pub fn ipv4_header_mut(bytes: &mut [u8]) -> Option<&mut Ipv4Header> {
    Ipv4Header::mut_from_prefix(bytes)
        .ok()
        .map(|(header, _)| header)
}

/// The fields of an IPv4 header that a sender chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Fields {
    /// From whom.
    pub source: Ipv4Addr,
    /// To whom.
    pub destination: Ipv4Addr,
    /// What the payload is.
    pub protocol: IpProtocol,
    /// Hops left.
    pub ttl: u8,
    /// Differentiated services and explicit congestion notification.
    pub traffic_class: u8,
    /// The same for all fragments of a datagram.
    pub identification: u16,
    /// Whether and how the datagram is fragmented.
    pub fragmentation: Fragmentation,
}

/// The part of an IPv4 header that is about fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmentation {
    /// A whole datagram that routers must not fragment.
    Forbidden,
    /// A whole datagram that routers may fragment.
    Allowed,
    /// A part of a datagram.
    Fragment {
        /// Where its payload belongs, in units of eight bytes; the low 13 bits count.
        offset: u16,
        /// Whether parts behind this one exist.
        more: bool,
    },
}

impl Ipv4Fields {
    /// A whole datagram that routers must not fragment (RFC 6864 then allows an identification of
    /// zero), of the default class.
    pub const fn new(
        source: Ipv4Addr,
        destination: Ipv4Addr,
        protocol: IpProtocol,
        ttl: u8,
    ) -> Self {
        Self {
            source,
            destination,
            protocol,
            ttl,
            traffic_class: 0,
            identification: 0,
            fragmentation: Fragmentation::Forbidden,
        }
    }
}

/// Writes a header without options at the front of `buffer`, for `payload_len` bytes that follow
/// it, and returns its length, 20. The payload itself need not be in `buffer`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter than 20 bytes, or header and payload longer than 65,535.
#[inline]
pub fn write_ipv4(
    buffer: &mut [u8],
    fields: &Ipv4Fields,
    payload_len: usize,
) -> Result<usize, NoRoom> {
    let too_long = NoRoom {
        needed: payload_len.saturating_add(IPV4_HEADER_LEN),
        room: usize::from(u16::MAX),
    };
    let total_length = u16::try_from(too_long.needed).map_err(|_| too_long)?;
    let flags_offset = match fields.fragmentation {
        Fragmentation::Forbidden => DONT_FRAGMENT,
        Fragmentation::Allowed => 0,
        Fragmentation::Fragment { offset, more } => {
            (offset & OFFSET_MASK) | if more { MORE_FRAGMENTS } else { 0 }
        }
    };
    let mut header = Ipv4Header {
        version_ihl: 0x45,
        traffic_class: fields.traffic_class,
        total_length: U16::new(total_length),
        identification: U16::new(fields.identification),
        flags_offset: U16::new(flags_offset),
        ttl: fields.ttl,
        protocol: fields.protocol,
        checksum: U16::ZERO,
        source: fields.source.octets(),
        destination: fields.destination.octets(),
    };
    let fixed: &[u8; IPV4_HEADER_LEN] = transmute_ref!(&header);
    header.checksum.set(checksum::sum_20(fixed).checksum());
    take(buffer, IPV4_HEADER_LEN, usize::MAX)?.copy_from_slice(header.as_bytes());
    Ok(IPV4_HEADER_LEN)
}

#[cfg(test)]
mod tests;
