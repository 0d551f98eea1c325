//! ICMP for IPv6: RFC 4443.

use std::net::Ipv6Addr;

use zerocopy::FromBytes;

use crate::checksum;
use crate::icmp_echo::{self, Echo, EchoKind, IcmpHeader};
use crate::protocol::IpProtocol;
use crate::room::NoRoom;

/// The type of an echo request.
pub const ECHO_REQUEST: u8 = 128;
/// The type of an echo reply.
pub const ECHO_REPLY: u8 = 129;

/// An ICMPv6 message whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv6Message<'a> {
    /// The header.
    pub header: &'a IcmpHeader,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Why bytes are not an ICMPv6 message, or not the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Icmpv6Error {
    /// Shorter than a header.
    #[error("shorter than an ICMPv6 header")]
    Truncated,
    /// The checksum is wrong.
    #[error("wrong ICMPv6 checksum")]
    Checksum,
    /// Not an echo request.
    #[error("not an echo request")]
    NotEchoRequest,
}

/// Verifies the checksum of a message between these addresses and splits it.
///
/// # Errors
/// [`Icmpv6Error::Truncated`] or [`Icmpv6Error::Checksum`].
#[inline]
pub fn parse_icmpv6(
    bytes: &[u8],
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> Result<Icmpv6Message<'_>, Icmpv6Error> {
    let Ok((header, payload)) = IcmpHeader::ref_from_prefix(bytes) else {
        return Err(Icmpv6Error::Truncated);
    };
    let len = u32::try_from(bytes.len()).map_err(|_| Icmpv6Error::Checksum)?;
    let pseudo_header = checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, len);
    if !(pseudo_header + checksum::sum(bytes)).is_valid() {
        return Err(Icmpv6Error::Checksum);
    }
    Ok(Icmpv6Message { header, payload })
}

impl<'a> Icmpv6Message<'a> {
    /// The echo, if it is one (type 128 or 129 with code 0).
    #[inline]
    pub fn echo(&self) -> Option<Echo<'a>> {
        let kind = match (self.header.kind, self.header.code) {
            (ECHO_REQUEST, 0) => EchoKind::Request,
            (ECHO_REPLY, 0) => EchoKind::Reply,
            _ => return None,
        };
        Some(icmp_echo::echo(self.header, kind, self.payload))
    }
}

/// Turns an echo request into its reply: type and checksum change, the rest stays. The checksum is
/// updated, not computed anew, so that a wrong one stays wrong.
///
/// It is right for a reply whose addresses are the request's exchanged: the sum of the pseudo
/// header does not depend on their order. A reply from another address than the request was sent
/// to (a group's) needs [`checksum::update_u32`] for the difference.
///
/// # Errors
/// [`Icmpv6Error::Truncated`], or [`Icmpv6Error::NotEchoRequest`]: then nothing was changed.
#[inline]
pub fn make_echo_reply_in_place(message: &mut [u8]) -> Result<(), Icmpv6Error> {
    let Ok((header, _)) = IcmpHeader::mut_from_prefix(message) else {
        return Err(Icmpv6Error::Truncated);
    };
    if (header.kind, header.code) != (ECHO_REQUEST, 0) {
        return Err(Icmpv6Error::NotEchoRequest);
    }
    header.kind = ECHO_REPLY;
    let old = u16::from_be_bytes([ECHO_REQUEST, 0]);
    let new = u16::from_be_bytes([ECHO_REPLY, 0]);
    header
        .checksum
        .set(checksum::update_u16(header.checksum.get(), old, new));
    Ok(())
}

/// Writes an echo at the front of `buffer`, with its checksum, and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the message longer than 65,535 bytes.
#[inline]
pub fn write_icmpv6_echo(
    buffer: &mut [u8],
    source: Ipv6Addr,
    destination: Ipv6Addr,
    echo: &Echo<'_>,
) -> Result<usize, NoRoom> {
    let kind = match echo.kind {
        EchoKind::Request => ECHO_REQUEST,
        EchoKind::Reply => ECHO_REPLY,
    };
    icmp_echo::write_echo(buffer, kind, echo, usize::from(u16::MAX), |len| {
        checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, len)
    })
}

#[cfg(test)]
mod tests;
