//! Taking packets apart: RFC 791 section 3.2 and RFC 8200 section 4.5.
//!
//! A plan is an iterator of fragments; for each, the function beside it writes what goes in front of
//! the fragment's part of the packet's payload.

use std::iter::FusedIterator;
use std::ops::Range;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

use crate::checksum;
use crate::cursor::Cursor;
use crate::ipv4::{IPV4_HEADER_LEN, Ipv4Header, Ipv4Packet};
use crate::ipv4_options::{Ipv4OptionKind, Ipv4Options};
use crate::ipv6::{
    IPV6_FRAGMENT_HEADER_LEN, IPV6_HEADER_LEN, Ipv6Header, Ipv6Packet, write_ipv6_fragment,
};
use crate::protocol::IpProtocol;
use crate::room::{NoRoom, take};

/// The least MTU of an IPv4 link: any header and eight bytes (RFC 791 section 3.2).
pub const IPV4_LEAST_MTU: usize = 68;
/// The least MTU of an IPv6 link (RFC 8200 section 5).
pub const IPV6_LEAST_MTU: usize = 1280;

/// A fragment of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it belongs, in bytes: a multiple of 8. A fragment's fragment counts from the start of
    /// the whole datagram.
    pub offset: usize,
    /// Which bytes of the packet's payload it carries.
    pub range: Range<usize>,
    /// Whether fragments behind it exist.
    pub more: bool,
}

/// Why a packet is not fragmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FragmentError {
    /// The MTU is less than a link of that version has, or than the headers and eight bytes.
    #[error("an MTU of {mtu} bytes, where fragments need {least}")]
    Mtu {
        /// The MTU, in bytes.
        mtu: usize,
        /// The least that would do.
        least: usize,
    },
    /// An IPv4 packet that must not be fragmented, or an IPv6 packet that is a fragment.
    #[error("the packet must not be fragmented")]
    Forbidden,
    /// It is a fragment that reaches beyond the longest datagram.
    #[error("a fragment beyond the end of the longest datagram")]
    TooLong,
    /// An extension header ends beyond the IPv6 packet.
    #[error("an extension header beyond the end of the packet")]
    Truncated,
}

/// What fragments share: the payload from `at` to `len` is left.
#[derive(Clone, Debug)]
struct Cut {
    at: usize,
    len: usize,
}

impl Cut {
    /// The next part, of at most `room` bytes, and whether it is the last.
    fn next(&mut self, room: usize) -> Option<(Range<usize>, bool)> {
        let left = self.len.checked_sub(self.at)?;
        let (take, is_last) = if left <= room {
            (left, true)
        } else {
            (room / 8 * 8, false)
        };
        let range = self.at..self.at + take;
        // One behind the end says that the last part was given, which may be empty.
        self.at = if is_last { self.len + 1 } else { range.end };
        Some((range, is_last))
    }
}

/// The fragments of an IPv4 packet, in order.
#[derive(Clone, Debug)]
pub struct Ipv4FragmentPlan {
    cut: Cut,
    /// Of the packet itself.
    offset: usize,
    more: bool,
    first_room: usize,
    later_room: usize,
}

/// Plans the fragments of a packet for a link whose MTU, IP header included, is `mtu` bytes. A
/// packet that fits is one fragment, the packet itself.
///
/// # Errors
/// [`FragmentError::Mtu`] under 68 bytes, which hold any header and eight bytes;
/// [`FragmentError::Forbidden`] or [`FragmentError::TooLong`].
pub fn plan_ipv4_fragments(
    packet: &Ipv4Packet<'_>,
    mtu: usize,
) -> Result<Ipv4FragmentPlan, FragmentError> {
    if mtu < IPV4_LEAST_MTU {
        let least = IPV4_LEAST_MTU;
        return Err(FragmentError::Mtu { mtu, least });
    }
    if packet.header.dont_fragment() {
        return Err(FragmentError::Forbidden);
    }
    let offset = packet.fragment_offset();
    if offset + packet.payload.len() > usize::from(u16::MAX) {
        return Err(FragmentError::TooLong);
    }
    Ok(Ipv4FragmentPlan {
        cut: Cut {
            at: 0,
            len: packet.payload.len(),
        },
        offset,
        more: packet.more_fragments(),
        first_room: mtu.saturating_sub(IPV4_HEADER_LEN + packet.options.len()),
        later_room: mtu.saturating_sub(IPV4_HEADER_LEN + copied_options(packet.options).1),
    })
}

impl Iterator for Ipv4FragmentPlan {
    type Item = Fragment;

    fn next(&mut self) -> Option<Fragment> {
        let is_first = self.offset + self.cut.at == 0;
        let room = if is_first {
            self.first_room
        } else {
            self.later_room
        };
        let (range, is_last) = self.cut.next(room)?;
        Some(Fragment {
            offset: self.offset + range.start,
            range,
            more: self.more || !is_last,
        })
    }
}

impl FusedIterator for Ipv4FragmentPlan {}

/// The options that go into fragments other than the first, padded to words, and their length.
/// Behind a malformed one none is copied.
fn copied_options(options: &[u8]) -> ([u8; 40], usize) {
    let mut copied = [Ipv4OptionKind::END.0; 40];
    let mut len = 0;
    let is_copied = Ipv4Options::new(options)
        .map_while(Result::ok)
        .filter(|option| option.kind.is_copied());
    for option in is_copied {
        let end = len + option.bytes.len();
        if let Some(slot) = copied.get_mut(len..end) {
            slot.copy_from_slice(option.bytes);
            len = end;
        }
    }
    (copied, len.next_multiple_of(4))
}

/// Writes the header of a fragment of `packet` at the front of `buffer` and returns its length, 20
/// to 60: the packet's own with all its options if the fragment is the first of its datagram, with
/// those that are copied if not. `fragment` is one of the packet's plan.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or header and fragment longer than 65,535 bytes.
pub fn write_ipv4_fragment_header(
    buffer: &mut [u8],
    packet: &Ipv4Packet<'_>,
    fragment: &Fragment,
) -> Result<usize, NoRoom> {
    const RESERVED: u16 = 0x8000;
    const MORE_FRAGMENTS: u16 = 0x2000;
    let (copied, copied_len) = copied_options(packet.options);
    let options = if fragment.offset == 0 {
        packet.options
    } else {
        copied.get(..copied_len).unwrap_or_default()
    };
    let header_len = IPV4_HEADER_LEN + options.len();
    let too_long = NoRoom {
        needed: header_len + fragment.range.len(),
        room: usize::from(u16::MAX),
    };
    let total_length = u16::try_from(too_long.needed).map_err(|_| too_long)?;
    // 13 bits: a plan ends at 65,535 bytes.
    let units = (fragment.offset / 8) as u16 & 0x1fff;
    let more = if fragment.more { MORE_FRAGMENTS } else { 0 };
    let reserved = packet.header.flags_offset.get() & RESERVED;
    let header = Ipv4Header {
        // 15 words at most.
        version_ihl: 0x40 | (header_len / 4) as u8,
        total_length: U16::new(total_length),
        flags_offset: U16::new(reserved | more | units),
        checksum: U16::ZERO,
        ..*packet.header
    };
    let mut cursor = Cursor::new(buffer);
    cursor.put(header.as_bytes());
    cursor.put(options);
    let written = cursor.finish(usize::MAX)?;
    let checksum = checksum::sum(written).checksum();
    if let Ok((header, _)) = Ipv4Header::mut_from_prefix(written) {
        header.checksum.set(checksum);
    }
    Ok(header_len)
}

/// The fragments of an IPv6 packet, in order.
#[derive(Clone, Debug)]
pub struct Ipv6FragmentPlan {
    cut: Cut,
    /// Bytes of the payload that every fragment carries.
    unfragmentable: usize,
    /// Where the next header field is that leads from the unfragmentable part to the rest; in the
    /// payload, or `None` for the one of the IPv6 header.
    named_at: Option<usize>,
    next_header: IpProtocol,
    room: usize,
}

/// Plans the fragments of a packet that its source sends over a link, or a path, whose MTU is `mtu`
/// bytes. Hop-by-hop options, a routing header and destination options in front of one are in every
/// fragment; the rest is cut. A packet that fits is one fragment, with a fragment header.
///
/// # Errors
/// [`FragmentError::Mtu`] under 1,280 bytes, or if the part in every fragment leaves no room for
/// eight bytes; [`FragmentError::Forbidden`] or [`FragmentError::Truncated`].
pub fn plan_ipv6_fragments(
    packet: &Ipv6Packet<'_>,
    mtu: usize,
) -> Result<Ipv6FragmentPlan, FragmentError> {
    if mtu < IPV6_LEAST_MTU {
        let least = IPV6_LEAST_MTU;
        return Err(FragmentError::Mtu { mtu, least });
    }
    let (mut unfragmentable, mut named_at, mut next_header) = (0, None, packet.next_header());
    let (mut at, mut kind) = (0, next_header);
    while matches!(
        kind,
        IpProtocol::HOP_BY_HOP | IpProtocol::IPV6_DESTINATION_OPTIONS | IpProtocol::IPV6_ROUTING
    ) {
        let Some(&[behind, words, ..]) = packet.payload.get(at..) else {
            return Err(FragmentError::Truncated);
        };
        let end = at + (usize::from(words) + 1) * 8;
        if end > packet.payload.len() {
            return Err(FragmentError::Truncated);
        }
        let is_for_destination = kind == IpProtocol::IPV6_DESTINATION_OPTIONS;
        kind = IpProtocol(behind);
        // Destination options count only if a routing header follows.
        if !is_for_destination {
            (unfragmentable, named_at, next_header) = (end, Some(at), kind);
        }
        at = end;
    }
    if kind == IpProtocol::IPV6_FRAGMENT {
        return Err(FragmentError::Forbidden);
    }
    let headers = IPV6_HEADER_LEN + unfragmentable + IPV6_FRAGMENT_HEADER_LEN;
    let room = mtu.saturating_sub(headers);
    if room < 8 {
        let least = headers + 8;
        return Err(FragmentError::Mtu { mtu, least });
    }
    Ok(Ipv6FragmentPlan {
        cut: Cut {
            at: 0,
            len: packet.payload.len().saturating_sub(unfragmentable),
        },
        unfragmentable,
        named_at,
        next_header,
        room,
    })
}

impl Ipv6FragmentPlan {
    /// Bytes of the headers in front of each fragment's part of the payload, the IPv6 header
    /// included.
    pub const fn headers_len(&self) -> usize {
        IPV6_HEADER_LEN + self.unfragmentable + IPV6_FRAGMENT_HEADER_LEN
    }
}

impl Iterator for Ipv6FragmentPlan {
    type Item = Fragment;

    fn next(&mut self) -> Option<Fragment> {
        let (range, is_last) = self.cut.next(self.room)?;
        Some(Fragment {
            offset: range.start,
            range: range.start + self.unfragmentable..range.end + self.unfragmentable,
            more: !is_last,
        })
    }
}

impl FusedIterator for Ipv6FragmentPlan {}

/// Writes what is in front of a fragment's part of the payload, from the IPv6 header to the fragment
/// header, at the front of `buffer` and returns its length, [`Ipv6FragmentPlan::headers_len`]. `plan`
/// is the packet's and `fragment` one of it; `identification` is the same for all fragments of a
/// packet.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the fragment's payload longer than 65,535 bytes.
pub fn write_ipv6_fragment_headers(
    buffer: &mut [u8],
    packet: &Ipv6Packet<'_>,
    plan: &Ipv6FragmentPlan,
    fragment: &Fragment,
    identification: u32,
) -> Result<usize, NoRoom> {
    let payload_len = plan.headers_len() - IPV6_HEADER_LEN + fragment.range.len();
    let payload_length = u16::try_from(payload_len).map_err(|_| NoRoom {
        needed: payload_len,
        room: usize::from(u16::MAX),
    })?;
    let front = take(buffer, plan.headers_len(), usize::MAX)?;
    let mut header = Ipv6Header {
        payload_length: U16::new(payload_length),
        ..*packet.header
    };
    let unfragmentable = packet
        .payload
        .get(..plan.unfragmentable)
        .unwrap_or_default();
    let extensions_end = IPV6_HEADER_LEN + unfragmentable.len();
    if plan.named_at.is_none() {
        header.next_header = IpProtocol::IPV6_FRAGMENT;
    }
    let mut cursor = Cursor::new(&mut *front);
    cursor.put(header.as_bytes());
    cursor.put(unfragmentable);
    cursor.finish(usize::MAX)?;
    if let Some(field) = plan
        .named_at
        .and_then(|at| front.get_mut(IPV6_HEADER_LEN + at))
    {
        *field = IpProtocol::IPV6_FRAGMENT.0;
    }
    // 13 bits: the payload is of 65,535 bytes at most.
    let units = (fragment.offset / 8) as u16;
    write_ipv6_fragment(
        front.get_mut(extensions_end..).unwrap_or_default(),
        plan.next_header,
        units,
        fragment.more,
        identification,
    )?;
    Ok(plan.headers_len())
}

#[cfg(test)]
mod tests;
