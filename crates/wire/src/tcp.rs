//! TCP headers: RFC 9293.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::build::{
    FrameSpec, IPV4_TRANSPORT_OFFSET, IPV6_TRANSPORT_OFFSET, assemble, ipv4_headers, ipv6_headers,
};
use crate::checksum::{self, Sum};
use crate::ethertype::EtherType;
use crate::protocol::IpProtocol;
use crate::room::{NoRoom, take};

/// Bytes of a TCP header without options.
pub const TCP_HEADER_LEN: usize = 20;

/// The control bits of a TCP header.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(transparent)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// Congestion was seen.
    pub const ECE: Self = Self(0x40);
    /// The congestion window was reduced.
    pub const CWR: Self = Self(0x80);

    /// Whether all bits of `other` are set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(TcpFlags, &str); 8] = [
            (TcpFlags::FIN, "FIN"),
            (TcpFlags::SYN, "SYN"),
            (TcpFlags::RST, "RST"),
            (TcpFlags::PSH, "PSH"),
            (TcpFlags::ACK, "ACK"),
            (TcpFlags::URG, "URG"),
            (TcpFlags::ECE, "ECE"),
            (TcpFlags::CWR, "CWR"),
        ];
        f.write_str("TcpFlags(")?;
        let mut between = "";
        for (_, name) in NAMES.into_iter().filter(|(flag, _)| self.contains(*flag)) {
            write!(f, "{between}{name}")?;
            between = "|";
        }
        f.write_str(")")
    }
}

/// The fixed part of a TCP header.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct TcpHeader {
    /// From which port.
    pub source_port: U16,
    /// To which port.
    pub destination_port: U16,
    /// The sequence number of the first byte.
    pub sequence: U32,
    /// The next sequence number that is expected.
    pub acknowledgement: U32,
    /// Header length in words of four bytes in the high four bits, the rest reserved.
    pub data_offset: u8,
    /// Control bits.
    pub flags: TcpFlags,
    /// Bytes that may be sent, unscaled.
    pub window: U16,
    /// The checksum over pseudo header, header and payload.
    pub checksum: U16,
    /// Where urgent data ends.
    pub urgent: U16,
}

/// A TCP segment whose header length is right; its checksum is looked at on request only.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// The fixed part of the header.
    pub header: &'a TcpHeader,
    /// The options, 0 to 40 bytes, not looked into.
    pub options: &'a [u8],
    /// The data.
    pub payload: &'a [u8],
}

/// Why bytes are not a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TcpError {
    /// Shorter than a header without options.
    #[error("shorter than a TCP header")]
    Truncated,
    /// The header length is less than 20 bytes or beyond the end.
    #[error("bad TCP header length")]
    DataOffset,
    /// The checksum is wrong.
    #[error("wrong TCP checksum")]
    Checksum,
}

/// Splits a segment into header, options and data.
///
/// # Errors
/// [`TcpError::Truncated`] or [`TcpError::DataOffset`].
#[inline]
pub fn parse_tcp(bytes: &[u8]) -> Result<TcpSegment<'_>, TcpError> {
    let Ok((header, rest)) = TcpHeader::ref_from_prefix(bytes) else {
        return Err(TcpError::Truncated);
    };
    let (options, payload) = (usize::from(header.data_offset >> 4) * 4)
        .checked_sub(TCP_HEADER_LEN)
        .and_then(|len| rest.split_at_checked(len))
        .ok_or(TcpError::DataOffset)?;
    Ok(TcpSegment {
        header,
        options,
        payload,
    })
}

impl TcpSegment<'_> {
    /// From which port.
    #[inline]
    pub fn source_port(&self) -> u16 {
        self.header.source_port.get()
    }

    /// To which port.
    #[inline]
    pub fn destination_port(&self) -> u16 {
        self.header.destination_port.get()
    }

    /// The control bits.
    #[inline]
    pub const fn flags(&self) -> TcpFlags {
        self.header.flags
    }

    /// Verifies the checksum of a segment in IPv4.
    ///
    /// # Errors
    /// [`TcpError::Checksum`], for a segment longer than any IPv4 packet too.
    pub fn verify_checksum_ipv4(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
    ) -> Result<(), TcpError> {
        let len = u16::try_from(self.len()).map_err(|_| TcpError::Checksum)?;
        self.verify(checksum::pseudo_header_ipv4(
            source,
            destination,
            IpProtocol::TCP,
            len,
        ))
    }

    /// Verifies the checksum of a segment in IPv6.
    ///
    /// # Errors
    /// [`TcpError::Checksum`], for a segment longer than any IPv6 packet too.
    pub fn verify_checksum_ipv6(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> Result<(), TcpError> {
        let len = u32::try_from(self.len()).map_err(|_| TcpError::Checksum)?;
        self.verify(checksum::pseudo_header_ipv6(
            source,
            destination,
            IpProtocol::TCP,
            len,
        ))
    }

    /// How far it moves the sequence number: its data, and one each for SYN and FIN.
    pub fn sequence_len(&self) -> u32 {
        let flag = |flag| u32::from(self.flags().contains(flag));
        // A segment is shorter than 64 KiB.
        self.payload.len() as u32 + flag(TcpFlags::SYN) + flag(TcpFlags::FIN)
    }

    /// The header that refuses the segment where there is no connection (RFC 9293 section 3.10.7.1),
    /// without its checksum; `None` for a reset, which nothing answers.
    pub fn reset(&self) -> Option<TcpHeader> {
        if self.flags().contains(TcpFlags::RST) {
            return None;
        }
        let (sequence, acknowledgement, flags) = if self.flags().contains(TcpFlags::ACK) {
            (self.header.acknowledgement, U32::ZERO, TcpFlags::RST)
        } else {
            let next = self.header.sequence.get().wrapping_add(self.sequence_len());
            let flags = TcpFlags::RST.union(TcpFlags::ACK);
            (U32::ZERO, U32::new(next), flags)
        };
        Some(TcpHeader {
            source_port: self.header.destination_port,
            destination_port: self.header.source_port,
            sequence,
            acknowledgement,
            data_offset: (TCP_HEADER_LEN as u8 / 4) << 4,
            flags,
            window: U16::ZERO,
            checksum: U16::ZERO,
            urgent: U16::ZERO,
        })
    }

    fn len(&self) -> usize {
        TCP_HEADER_LEN + self.options.len() + self.payload.len()
    }

    fn verify(&self, pseudo_header: Sum) -> Result<(), TcpError> {
        let total = pseudo_header
            + checksum::sum(self.header.as_bytes())
            + checksum::sum(self.options)
            + checksum::sum(self.payload);
        if total.is_valid() {
            Ok(())
        } else {
            Err(TcpError::Checksum)
        }
    }
}

/// Builds a frame with the reset that refuses `segment` in IPv4 at the front of `buffer` and returns
/// its length, 54; `None` if the segment is a reset itself, which nothing answers. `spec` is the
/// reset's: from whom the segment was sent to.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn build_reset_ipv4(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv4Addr>,
    segment: &TcpSegment<'_>,
) -> Result<Option<usize>, NoRoom> {
    let Some(header) = segment.reset() else {
        return Ok(None);
    };
    let (source, destination) = (spec.source, spec.destination);
    let len = TCP_HEADER_LEN as u16;
    let pseudo_header = checksum::pseudo_header_ipv4(source, destination, IpProtocol::TCP, len);
    assemble(
        buffer,
        IPV4_TRANSPORT_OFFSET,
        |behind| write_header(behind, header, pseudo_header),
        |front, len| {
            let fields = spec.ipv4(IpProtocol::TCP);
            ipv4_headers(front, &spec.ethernet(EtherType::IPV4), &fields, len)
        },
    )
    .map(Some)
}

/// Builds a frame with the reset that refuses `segment` in IPv6 at the front of `buffer` and returns
/// its length, 74; as [`build_reset_ipv4`].
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn build_reset_ipv6(
    buffer: &mut [u8],
    spec: &FrameSpec<Ipv6Addr>,
    segment: &TcpSegment<'_>,
) -> Result<Option<usize>, NoRoom> {
    let Some(header) = segment.reset() else {
        return Ok(None);
    };
    let (source, destination) = (spec.source, spec.destination);
    let len = TCP_HEADER_LEN as u32;
    let pseudo_header = checksum::pseudo_header_ipv6(source, destination, IpProtocol::TCP, len);
    assemble(
        buffer,
        IPV6_TRANSPORT_OFFSET,
        |behind| write_header(behind, header, pseudo_header),
        |front, len| {
            let fields = spec.ipv6(IpProtocol::TCP);
            ipv6_headers(front, &spec.ethernet(EtherType::IPV6), &fields, len)
        },
    )
    .map(Some)
}

fn write_header(
    buffer: &mut [u8],
    mut header: TcpHeader,
    pseudo_header: Sum,
) -> Result<usize, NoRoom> {
    let checksum = (pseudo_header + checksum::sum(header.as_bytes())).checksum();
    header.checksum.set(checksum);
    take(buffer, TCP_HEADER_LEN, usize::MAX)?.copy_from_slice(header.as_bytes());
    Ok(TCP_HEADER_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: [u8; 24] = [
        0x30, 0x39, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff, 0, 0, 0, 0, 2, 4,
        5, 0xb4,
    ];

    #[test]
    fn splits_header_options_and_data() {
        let bytes = [&SYN[..], b"data"].concat();
        let segment = parse_tcp(&bytes).unwrap();
        assert_eq!(
            (segment.source_port(), segment.destination_port()),
            (12345, 80)
        );
        assert_eq!(segment.flags(), TcpFlags::SYN);
        assert_eq!(segment.options, [2, 4, 5, 0xb4]);
        assert_eq!(segment.payload, b"data");
    }

    #[test]
    fn rejects_bad_lengths() {
        assert_eq!(parse_tcp(&SYN[..19]).unwrap_err(), TcpError::Truncated);
        assert_eq!(parse_tcp(&SYN[..23]).unwrap_err(), TcpError::DataOffset);
        let mut bytes = SYN;
        bytes[12] = 0x4f;
        assert_eq!(parse_tcp(&bytes).unwrap_err(), TcpError::DataOffset);
    }

    /// The answer to the SYN with these flags instead, an acknowledgement number of 7 and this data.
    fn answer(flags: TcpFlags, data: &[u8]) -> Option<(u32, u32, TcpFlags)> {
        let mut bytes = [&SYN[..], data].concat();
        bytes[11] = 7;
        bytes[13] = flags.0;
        let reset = parse_tcp(&bytes).unwrap().reset()?;
        let ports = (reset.source_port.get(), reset.destination_port.get());
        assert_eq!(ports, (80, 12345));
        Some((
            reset.sequence.get(),
            reset.acknowledgement.get(),
            reset.flags,
        ))
    }

    #[test]
    fn resets_answer_as_closed_does() {
        use TcpFlags as F;
        let rst_ack = F::RST.union(F::ACK);
        let all = F::SYN.union(F::FIN);
        assert_eq!(answer(F::SYN, b""), Some((0, 2, rst_ack)));
        assert_eq!(answer(F::SYN, b"data"), Some((0, 6, rst_ack)));
        assert_eq!(answer(F::FIN, b"data"), Some((0, 6, rst_ack)));
        assert_eq!(answer(all, b"data"), Some((0, 7, rst_ack)));
        assert_eq!(answer(F::default(), b""), Some((0, 1, rst_ack)));
        assert_eq!(answer(F::ACK, b"data"), Some((7, 0, F::RST)));
        assert_eq!(answer(F::ACK.union(all), b""), Some((7, 0, F::RST)));
        assert_eq!(answer(F::RST, b""), None);
        assert_eq!(answer(rst_ack, b""), None);
        // Sequence numbers go around.
        let mut bytes = SYN;
        bytes[4..8].fill(0xff);
        let reset = parse_tcp(&bytes).unwrap().reset().unwrap();
        assert_eq!(reset.acknowledgement.get(), 0);
    }

    #[test]
    fn flags_name_themselves() {
        let flags = TcpFlags::SYN.union(TcpFlags::ACK);
        assert!(flags.contains(TcpFlags::ACK) && !flags.contains(TcpFlags::FIN));
        assert_eq!(format!("{flags:?}"), "TcpFlags(SYN|ACK)");
    }
}
