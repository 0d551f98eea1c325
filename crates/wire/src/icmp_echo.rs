//! What ICMP for IPv4 and for IPv6 share: the echo message and the shape of its header.

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{self, Sum};
use crate::room::{NoRoom, take};

/// Bytes of an ICMP header.
pub const ICMP_HEADER_LEN: usize = 8;

/// An ICMP header, of either IP version.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct IcmpHeader {
    /// What the message is.
    pub kind: u8,
    /// What it is more precisely.
    pub code: u8,
    /// The checksum over the message, in IPv6 over the pseudo header too.
    pub checksum: U16,
    /// Four bytes that depend on the kind: in an echo, identifier and sequence number.
    pub rest: [u8; 4],
}

/// The direction of an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EchoKind {
    /// Please send it back.
    Request,
    /// It was sent back.
    Reply,
}

/// An echo message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Request or reply.
    pub kind: EchoKind,
    /// Tells the sender's sessions apart.
    pub identifier: u16,
    /// Counts within a session.
    pub sequence: u16,
    /// Comes back as it was sent.
    pub data: &'a [u8],
}

pub(crate) fn echo<'a>(header: &IcmpHeader, kind: EchoKind, data: &'a [u8]) -> Echo<'a> {
    let [a, b, c, d] = header.rest;
    Echo {
        kind,
        identifier: u16::from_be_bytes([a, b]),
        sequence: u16::from_be_bytes([c, d]),
        data,
    }
}

/// Writes an echo with its checksum: `kind` is the number, `limit` the most bytes.
#[inline]
pub(crate) fn write_echo(
    buffer: &mut [u8],
    kind: u8,
    echo: &Echo<'_>,
    limit: usize,
    pseudo_header: impl FnOnce(u32) -> Sum,
) -> Result<usize, NoRoom> {
    let needed = echo.data.len().saturating_add(ICMP_HEADER_LEN);
    let message = take(buffer, needed, limit)?;
    let room = message.len();
    let len = u32::try_from(needed).map_err(|_| NoRoom { needed, room })?;
    let Ok((header, data)) = IcmpHeader::mut_from_prefix(message) else {
        return Err(NoRoom { needed, room });
    };
    let [a, b] = echo.identifier.to_be_bytes();
    let [c, d] = echo.sequence.to_be_bytes();
    *header = IcmpHeader {
        kind,
        code: 0,
        checksum: U16::ZERO,
        rest: [a, b, c, d],
    };
    data.copy_from_slice(echo.data);
    let total = pseudo_header(len) + checksum::sum(header.as_bytes()) + checksum::sum(data);
    header.checksum.set(total.checksum());
    Ok(needed)
}
