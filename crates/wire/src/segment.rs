//! Cutting super-frames into the segments that they stand for, as hardware does.
//!
//! ```text
//!   headers │ payload                      headers │ payload  headers │ payload   headers │ rest
//!   super-frame, up to 64 KiB        ──►   segment 0          segment 1           the last
//! ```
//!
//! The segments have the headers of the whole, but for what tells them apart: lengths and checksums;
//! IPv4's identification, one more each; TCP's sequence number; its FIN and PSH, which the last alone
//! has, and its CWR, which the first alone has (RFC 3168 section 6.1.2).

use std::num::NonZeroU16;

use crate::checksum::{self, Sum};
use crate::ethernet::ETHERNET_HEADER_LEN;
use crate::ethertype::EtherType;
use crate::extension::skip_extensions;
use crate::ipv4::{IPV4_HEADER_LEN, ipv4_header_mut, parse_ipv4};
use crate::ipv6::{IPV6_HEADER_LEN, ipv6_header_mut, parse_ipv6};
use crate::offload::{SegmentKind, Segmentation};
use crate::protocol::IpProtocol;
use crate::room::{NoRoom, take};
use crate::tcp::{TCP_HEADER_LEN, TcpFlags, TcpHeader, parse_tcp};
use crate::udp::{UDP_HEADER_LEN, UdpHeader};
use zerocopy::FromBytes;

/// Most tags of virtual networks that are looked behind.
const MAX_TAGS: usize = 2;
/// The bytes of a tag.
const TAG_LEN: usize = 4;

/// Why a frame is none of the super-frames that it is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SegmentError {
    /// It has no whole Ethernet and network header of the kind, or is a fragment.
    #[error("no network header of that kind")]
    Network,
    /// What it carries is not of the kind, or its header is not whole.
    #[error("no transport header of that kind")]
    Transport,
}

/// A super-frame, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct SuperFrame<'a> {
    /// All of its headers.
    headers: &'a [u8],
    payload: &'a [u8],
    /// Where the network header starts.
    network: usize,
    /// Where the transport header starts.
    transport: usize,
    kind: SegmentKind,
    is_v4: bool,
    segment_size: NonZeroU16,
    /// The sum of the pseudo header, without the length.
    pseudo: Sum,
}

impl<'a> SuperFrame<'a> {
    /// Looks for the headers of a frame that is said to be of this kind. What follows the network packet
    /// is left out.
    ///
    /// # Errors
    /// It is not: [`SegmentError`].
    pub fn parse(
        frame: &'a [u8],
        kind: SegmentKind,
        segment_size: NonZeroU16,
    ) -> Result<Self, SegmentError> {
        let (network, ethertype) = network_of(frame).ok_or(SegmentError::Network)?;
        let bytes = frame.get(network..).ok_or(SegmentError::Network)?;
        let is_v4 = ethertype == EtherType::IPV4;
        if (kind == SegmentKind::TcpV4 && !is_v4) || (kind == SegmentKind::TcpV6 && is_v4) {
            return Err(SegmentError::Network);
        }
        let wanted = match kind {
            SegmentKind::TcpV4 | SegmentKind::TcpV6 => IpProtocol::TCP,
            SegmentKind::Udp => IpProtocol::UDP,
        };
        let (offset, protocol, packet_len, pseudo) = if is_v4 {
            let packet = parse_ipv4(bytes).map_err(|_| SegmentError::Network)?;
            if packet.is_fragment() {
                return Err(SegmentError::Network);
            }
            let offset = IPV4_HEADER_LEN + packet.options.len();
            let (from, to) = (packet.source(), packet.destination());
            let pseudo = checksum::pseudo_header_ipv4(from, to, wanted, 0);
            (
                offset,
                packet.protocol(),
                offset + packet.payload.len(),
                pseudo,
            )
        } else if ethertype == EtherType::IPV6 {
            let packet = parse_ipv6(bytes).map_err(|_| SegmentError::Network)?;
            let chain = skip_extensions(packet.next_header(), packet.payload);
            if chain.fragment.is_some() {
                return Err(SegmentError::Network);
            }
            let (from, to) = (packet.source(), packet.destination());
            let pseudo = checksum::pseudo_header_ipv6(from, to, wanted, 0);
            let len = IPV6_HEADER_LEN + packet.payload.len();
            (chain.offset, chain.next_header, len, pseudo)
        } else {
            return Err(SegmentError::Network);
        };
        let behind = bytes
            .get(offset..packet_len)
            .filter(|_| protocol == wanted)
            .ok_or(SegmentError::Transport)?;
        let transport_len = match kind {
            SegmentKind::Udp => UDP_HEADER_LEN,
            SegmentKind::TcpV4 | SegmentKind::TcpV6 => {
                let segment = parse_tcp(behind).map_err(|_| SegmentError::Transport)?;
                TCP_HEADER_LEN + segment.options.len()
            }
        };
        let transport = network + offset;
        let (headers, rest) = frame
            .split_at_checked(transport + transport_len)
            .ok_or(SegmentError::Transport)?;
        let payload = rest
            .get(..behind.len().wrapping_sub(transport_len))
            .ok_or(SegmentError::Transport)?;
        Ok(Self {
            headers,
            payload,
            network,
            transport,
            kind,
            is_v4,
            segment_size,
            pseudo,
        })
    }

    /// Bytes of all headers, the Ethernet header included.
    pub fn header_len(&self) -> usize {
        self.headers.len()
    }

    /// Where the transport header starts, in bytes from the start of the frame.
    pub fn transport(&self) -> usize {
        self.transport
    }

    /// What is in all segments together.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// How it is cut.
    pub fn segmentation(&self) -> Segmentation {
        Segmentation {
            kind: self.kind,
            segment_size: self.segment_size,
            // Less than 64 KiB: as many extension headers as are walked are 16 KiB.
            header_len: self.headers.len() as u16,
            has_cwr: self.tcp_flags().contains(TcpFlags::CWR),
        }
    }

    /// Bytes of payload of a segment.
    fn size(&self) -> usize {
        usize::from(self.segment_size.get())
    }

    /// How many segments it stands for: at least one.
    pub fn count(&self) -> usize {
        self.payload.len().div_ceil(self.size()).max(1)
    }

    /// The flags of the TCP header; none in UDP.
    fn tcp_flags(&self) -> TcpFlags {
        match self.kind {
            SegmentKind::Udp => TcpFlags::default(),
            SegmentKind::TcpV4 | SegmentKind::TcpV6 => {
                let header = self.headers.get(self.transport..);
                let header = header.and_then(|bytes| TcpHeader::ref_from_prefix(bytes).ok());
                header.map_or(TcpFlags::default(), |(header, _)| header.flags)
            }
        }
    }

    /// Writes a segment to the front of `buffer`, whole: its length. Beyond the [last](Self::count) it
    /// has no payload.
    ///
    /// # Errors
    /// It does not fit.
    pub fn write(&self, index: usize, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        let begin = index.saturating_mul(self.size()).min(self.payload.len());
        let end = (begin + self.size()).min(self.payload.len());
        let payload = self.payload.get(begin..end).unwrap_or_default();
        let header_len = self.headers.len();
        let buffer = take(buffer, header_len + payload.len(), usize::MAX)?;
        let (headers, rest) = buffer.split_at_mut(header_len);
        headers.copy_from_slice(self.headers);
        rest.copy_from_slice(payload);
        let (in_front, transport) = headers.split_at_mut(self.transport);
        let transport_len = transport.len() + payload.len();
        // No more than the length of the whole, which is a field of 16 bits.
        let length = |len: usize| len as u16;
        let network = in_front.get_mut(self.network..).unwrap_or_default();
        let network_len = network.len();
        if self.is_v4 {
            if let Some(header) = ipv4_header_mut(network) {
                header.total_length.set(length(network_len + transport_len));
                let first = header.identification.get();
                header.identification.set(first.wrapping_add(index as u16));
                header.checksum.set(0);
                let sum = checksum::sum(network).checksum();
                if let Some(header) = ipv4_header_mut(network) {
                    header.checksum.set(sum);
                }
            }
        } else if let Some(header) = ipv6_header_mut(network) {
            let behind = network_len - IPV6_HEADER_LEN + transport_len;
            header.payload_length.set(length(behind));
        }
        let is_last = end == self.payload.len();
        let place =
            self.set_transport(transport, index == 0, is_last, begin, length(transport_len));
        let sum = self.pseudo
            + Sum::word(length(transport_len))
            + checksum::sum(transport)
            // A TCP header has whole words, and so has UDP's.
            + checksum::sum(payload);
        let sum = match sum.checksum() {
            // Zero would say that there is none (RFC 768), and is the same number.
            0 if self.kind == SegmentKind::Udp => 0xffff,
            sum => sum,
        };
        if let Some(field) = transport.get_mut(place..).and_then(<[u8]>::first_chunk_mut) {
            *field = sum.to_be_bytes();
        }
        Ok(buffer.len())
    }

    /// Sets what tells the segment apart, and its checksum to zero: where that is.
    fn set_transport(
        &self,
        transport: &mut [u8],
        is_first: bool,
        is_last: bool,
        begin: usize,
        len: u16,
    ) -> usize {
        const TCP_CHECKSUM: usize = 16;
        const UDP_CHECKSUM: usize = 6;
        if self.kind == SegmentKind::Udp {
            if let Ok((header, _)) = UdpHeader::mut_from_prefix(transport) {
                header.length.set(len);
                header.checksum.set(0);
            }
            return UDP_CHECKSUM;
        }
        if let Ok((header, _)) = TcpHeader::mut_from_prefix(transport) {
            let sequence = header.sequence.get().wrapping_add(begin as u32);
            header.sequence.set(sequence);
            let mut flags = header.flags;
            if !is_last {
                flags.0 &= !TcpFlags::FIN.union(TcpFlags::PSH).0;
            }
            if !is_first {
                flags.0 &= !TcpFlags::CWR.0;
            }
            header.flags = flags;
            header.checksum.set(0);
        }
        TCP_CHECKSUM
    }
}

/// Where the network header starts, and which it is.
fn network_of(frame: &[u8]) -> Option<(usize, EtherType)> {
    let mut network = ETHERNET_HEADER_LEN;
    for _ in 0..=MAX_TAGS {
        let field = frame.get(network - 2..)?.first_chunk()?;
        let ethertype = EtherType(u16::from_be_bytes(*field));
        if !ethertype.is_vlan() {
            return Some((network, ethertype));
        }
        network += TAG_LEN;
    }
    None
}

#[cfg(test)]
mod tests;
