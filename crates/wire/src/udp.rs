//! UDP: RFC 768, RFC 8200 section 8.1.

use std::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{self, Sum};
use crate::protocol::IpProtocol;
use crate::room::{NoRoom, take};

/// Bytes of a UDP header.
pub const UDP_HEADER_LEN: usize = 8;

/// A UDP header.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct UdpHeader {
    /// From which port; 0 if none.
    pub source_port: U16,
    /// To which port.
    pub destination_port: U16,
    /// Bytes of header and payload.
    pub length: U16,
    /// The checksum over pseudo header, header and payload; 0 if there is none.
    pub checksum: U16,
}

/// A UDP datagram whose lengths are right; its checksum is looked at on request only.
#[derive(Clone, Copy, Debug)]
pub struct UdpDatagram<'a> {
    /// The header.
    pub header: &'a UdpHeader,
    /// What the header's length covers.
    pub payload: &'a [u8],
}

/// Why bytes are not a UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UdpError {
    /// Shorter than a header.
    #[error("shorter than a UDP header")]
    Truncated,
    /// The length is less than 8 or beyond the end.
    #[error("bad UDP length")]
    Length,
    /// The checksum is wrong.
    #[error("wrong UDP checksum")]
    Checksum,
    /// There is no checksum, but IPv6 asks for one.
    #[error("no UDP checksum, which IPv6 asks for")]
    NoChecksum,
}

/// Splits a datagram into header and payload. Bytes beyond its length are left out.
///
/// # Errors
/// [`UdpError::Truncated`] or [`UdpError::Length`].
#[inline]
pub fn parse_udp(bytes: &[u8]) -> Result<UdpDatagram<'_>, UdpError> {
    let Ok((header, rest)) = UdpHeader::ref_from_prefix(bytes) else {
        return Err(UdpError::Truncated);
    };
    let payload = usize::from(header.length.get())
        .checked_sub(UDP_HEADER_LEN)
        .and_then(|len| rest.get(..len))
        .ok_or(UdpError::Length)?;
    Ok(UdpDatagram { header, payload })
}

impl UdpDatagram<'_> {
    /// From which port; 0 if none.
    #[inline]
    pub fn source_port(&self) -> u16 {
        self.header.source_port.get()
    }

    /// To which port.
    #[inline]
    pub fn destination_port(&self) -> u16 {
        self.header.destination_port.get()
    }

    /// Verifies the checksum of a datagram in IPv4, where it may be absent.
    ///
    /// # Errors
    /// [`UdpError::Checksum`].
    #[inline]
    pub fn verify_checksum_ipv4(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
    ) -> Result<(), UdpError> {
        if self.header.checksum.get() == 0 {
            return Ok(());
        }
        let len = self.header.length.get();
        self.verify(checksum::pseudo_header_ipv4(
            source,
            destination,
            IpProtocol::UDP,
            len,
        ))
    }

    /// Verifies the checksum of a datagram in IPv6, where it must be present.
    ///
    /// # Errors
    /// [`UdpError::Checksum`] or [`UdpError::NoChecksum`].
    #[inline]
    pub fn verify_checksum_ipv6(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> Result<(), UdpError> {
        if self.header.checksum.get() == 0 {
            return Err(UdpError::NoChecksum);
        }
        let len = u32::from(self.header.length.get());
        self.verify(checksum::pseudo_header_ipv6(
            source,
            destination,
            IpProtocol::UDP,
            len,
        ))
    }

    #[inline]
    fn verify(&self, pseudo_header: Sum) -> Result<(), UdpError> {
        let total =
            pseudo_header + checksum::sum(self.header.as_bytes()) + checksum::sum(self.payload);
        if total.is_valid() {
            Ok(())
        } else {
            Err(UdpError::Checksum)
        }
    }
}

/// A pair of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// From which port.
    pub source: u16,
    /// To which port.
    pub destination: u16,
}

/// Writes a datagram for IPv4 at the front of `buffer`, with its checksum, and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the datagram longer than 65,515 bytes.
#[inline]
pub fn write_udp_ipv4(
    buffer: &mut [u8],
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ports: Ports,
    payload: &[u8],
) -> Result<usize, NoRoom> {
    let fill = |room: &mut [u8]| room.copy_from_slice(payload);
    write_udp_ipv4_with(buffer, source, destination, ports, payload.len(), fill)
}

/// As [`write_udp_ipv4`], with a payload of `len` bytes written in place by `fill`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the datagram longer than 65,515 bytes.
#[inline]
pub fn write_udp_ipv4_with(
    buffer: &mut [u8],
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ports: Ports,
    len: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Result<usize, NoRoom> {
    let limit = usize::from(u16::MAX) - crate::ipv4::IPV4_HEADER_LEN;
    write(buffer, limit, ports, len, fill, |len| {
        checksum::pseudo_header_ipv4(source, destination, IpProtocol::UDP, len)
    })
}

/// Writes a datagram for IPv6 at the front of `buffer`, with its checksum, and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the datagram longer than 65,535 bytes.
#[inline]
pub fn write_udp_ipv6(
    buffer: &mut [u8],
    source: Ipv6Addr,
    destination: Ipv6Addr,
    ports: Ports,
    payload: &[u8],
) -> Result<usize, NoRoom> {
    let fill = |room: &mut [u8]| room.copy_from_slice(payload);
    write_udp_ipv6_with(buffer, source, destination, ports, payload.len(), fill)
}

/// As [`write_udp_ipv6`], with a payload of `len` bytes written in place by `fill`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the datagram longer than 65,535 bytes.
#[inline]
pub fn write_udp_ipv6_with(
    buffer: &mut [u8],
    source: Ipv6Addr,
    destination: Ipv6Addr,
    ports: Ports,
    len: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Result<usize, NoRoom> {
    write(buffer, usize::from(u16::MAX), ports, len, fill, |len| {
        checksum::pseudo_header_ipv6(source, destination, IpProtocol::UDP, u32::from(len))
    })
}

#[inline]
fn write(
    buffer: &mut [u8],
    limit: usize,
    ports: Ports,
    len: usize,
    fill: impl FnOnce(&mut [u8]),
    pseudo_header: impl FnOnce(u16) -> Sum,
) -> Result<usize, NoRoom> {
    let needed = len.saturating_add(UDP_HEADER_LEN);
    let datagram = take(buffer, needed, limit)?;
    let room = datagram.len();
    let length = u16::try_from(needed).map_err(|_| NoRoom { needed, room })?;
    let Ok((header, payload)) = UdpHeader::mut_from_prefix(datagram) else {
        return Err(NoRoom { needed, room });
    };
    fill(payload);
    header.source_port.set(ports.source);
    header.destination_port.set(ports.destination);
    header.length.set(length);
    header.checksum.set(0);
    let total = pseudo_header(length) + checksum::sum(header.as_bytes()) + checksum::sum(payload);
    // A computed zero is sent as its other form: zero says that there is none.
    header.checksum.set(match total.checksum() {
        0 => 0xffff,
        checksum => checksum,
    });
    Ok(needed)
}

#[cfg(test)]
mod tests;
