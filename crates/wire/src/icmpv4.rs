//! ICMP for IPv4: RFC 792.

use zerocopy::FromBytes;

use crate::checksum::{self, Sum};
use crate::icmp_echo::{self, Echo, EchoKind, IcmpHeader};
use crate::ipv4::IPV4_HEADER_LEN;
use crate::room::NoRoom;

/// The type of an echo reply.
pub const ECHO_REPLY: u8 = 0;
/// The type of an echo request.
pub const ECHO_REQUEST: u8 = 8;

/// An ICMP message whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv4Message<'a> {
    /// The header.
    pub header: &'a IcmpHeader,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Why bytes are not an ICMP message, or not the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Icmpv4Error {
    /// Shorter than a header.
    #[error("shorter than an ICMP header")]
    Truncated,
    /// The checksum is wrong.
    #[error("wrong ICMP checksum")]
    Checksum,
    /// Not an echo request.
    #[error("not an echo request")]
    NotEchoRequest,
}

/// Verifies the checksum of a message and splits it.
///
/// # Errors
/// [`Icmpv4Error::Truncated`] or [`Icmpv4Error::Checksum`].
#[inline]
pub fn parse_icmpv4(bytes: &[u8]) -> Result<Icmpv4Message<'_>, Icmpv4Error> {
    let Ok((header, payload)) = IcmpHeader::ref_from_prefix(bytes) else {
        return Err(Icmpv4Error::Truncated);
    };
    if !checksum::sum(bytes).is_valid() {
        return Err(Icmpv4Error::Checksum);
    }
    Ok(Icmpv4Message { header, payload })
}

impl<'a> Icmpv4Message<'a> {
    /// The echo, if it is one (type 8 or 0 with code 0).
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
/// # Errors
/// [`Icmpv4Error::Truncated`], or [`Icmpv4Error::NotEchoRequest`]: then nothing was changed.
#[inline]
pub fn make_echo_reply_in_place(message: &mut [u8]) -> Result<(), Icmpv4Error> {
    let Ok((header, payload)) = IcmpHeader::mut_from_prefix(message) else {
        return Err(Icmpv4Error::Truncated);
    };
    if (header.kind, header.code) != (ECHO_REQUEST, 0) {
        return Err(Icmpv4Error::NotEchoRequest);
    }
    header.kind = ECHO_REPLY;
    let old = u16::from_be_bytes([ECHO_REQUEST, 0]);
    let new = u16::from_be_bytes([ECHO_REPLY, 0]);
    let mut updated = checksum::update_u16(header.checksum.get(), old, new);
    // A reply may consist of zeros only, and then its checksum is ffff, which the update cannot
    // tell from 0 (see update_u16). Only that case costs a look at the payload.
    if updated == 0 && header.rest == [0; 4] && payload.iter().all(|&byte| byte == 0) {
        updated = 0xffff;
    }
    header.checksum.set(updated);
    Ok(())
}

/// Writes an echo at the front of `buffer`, with its checksum, and returns its length.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the message longer than 65,515 bytes.
#[inline]
pub fn write_icmpv4_echo(buffer: &mut [u8], echo: &Echo<'_>) -> Result<usize, NoRoom> {
    let kind = match echo.kind {
        EchoKind::Request => ECHO_REQUEST,
        EchoKind::Reply => ECHO_REPLY,
    };
    let limit = usize::from(u16::MAX) - IPV4_HEADER_LEN;
    icmp_echo::write_echo(buffer, kind, echo, limit, |_| Sum::ZERO)
}

#[cfg(test)]
mod tests;
