//! The header by which kernel and user say what is left to the hardware: `struct virtio_net_hdr`.

use std::num::NonZeroU16;

use corelane_wire::{Offload, PartialChecksum, SegmentKind, Segmentation};

/// The length of the header in front of a frame, in bytes.
pub const VNET_HEADER_LEN: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
const GSO_UDP: u8 = 5;
/// Beside the kind: the window was reduced.
const GSO_ECN: u8 = 0x80;

/// What a header says: what is still to be done with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VnetHeader {
    /// Nothing.
    Done,
    /// This. The length of the headers is no more than a hint.
    Left(Offload),
    /// To be cut in a way that is not known, or into segments of nothing.
    Unknown,
}

impl VnetHeader {
    /// A header as the kernel wrote it.
    #[inline]
    pub fn parse(bytes: &[u8; VNET_HEADER_LEN]) -> Self {
        let &[flags, gso_type, _, _, _, _, s0, s1, o0, o1] = bytes;
        // The kernel writes it in the order of the machine.
        let checksum = (flags & NEEDS_CHECKSUM != 0).then(|| PartialChecksum {
            start: u16::from_ne_bytes([s0, s1]),
            offset: u16::from_ne_bytes([o0, o1]),
        });
        match (checksum, gso_type) {
            (None, GSO_NONE) => Self::Done,
            (_, GSO_NONE) => Self::Left(Offload {
                checksum,
                segmentation: None,
            }),
            _ => Self::parse_super_frame(bytes, checksum),
        }
    }

    fn parse_super_frame(bytes: &[u8; VNET_HEADER_LEN], checksum: Option<PartialChecksum>) -> Self {
        let &[_, gso_type, h0, h1, g0, g1, ..] = bytes;
        let kind = match gso_type & !GSO_ECN {
            GSO_TCP_V4 => SegmentKind::TcpV4,
            GSO_TCP_V6 => SegmentKind::TcpV6,
            GSO_UDP => SegmentKind::Udp,
            _ => return Self::Unknown,
        };
        let Some(segment_size) = NonZeroU16::new(u16::from_ne_bytes([g0, g1])) else {
            return Self::Unknown;
        };
        Self::Left(Offload {
            checksum,
            segmentation: Some(Segmentation {
                kind,
                segment_size,
                header_len: u16::from_ne_bytes([h0, h1]),
                has_cwr: gso_type & GSO_ECN != 0,
            }),
        })
    }

    /// The header that says what is left to do.
    #[inline]
    pub fn write(left: Option<Offload>) -> [u8; VNET_HEADER_LEN] {
        left.map_or([0; VNET_HEADER_LEN], |it| Self::write_left(&it))
    }

    fn write_left(left: &Offload) -> [u8; VNET_HEADER_LEN] {
        let (mut flags, mut gso_type) = (0, GSO_NONE);
        let (mut header_len, mut segment_size) = (0, 0);
        let (mut start, mut offset) = (0, 0);
        if let Some(partial) = left.checksum {
            flags = NEEDS_CHECKSUM;
            (start, offset) = (partial.start, partial.offset);
        }
        if let Some(segmentation) = left.segmentation {
            gso_type = match segmentation.kind {
                SegmentKind::TcpV4 => GSO_TCP_V4,
                SegmentKind::TcpV6 => GSO_TCP_V6,
                SegmentKind::Udp => GSO_UDP,
            };
            if segmentation.has_cwr {
                gso_type |= GSO_ECN;
            }
            header_len = segmentation.header_len;
            segment_size = segmentation.segment_size.get();
        }
        let [h0, h1] = u16::to_ne_bytes(header_len);
        let [g0, g1] = u16::to_ne_bytes(segment_size);
        let [s0, s1] = u16::to_ne_bytes(start);
        let [o0, o1] = u16::to_ne_bytes(offset);
        [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_is_left_to_do() {
        let mut bytes = [0; VNET_HEADER_LEN];
        assert_eq!(VnetHeader::parse(&bytes), VnetHeader::Done);
        // Flags that say nothing of what is to be done, as that a checksum was verified.
        bytes[0] = 2;
        bytes[6..8].copy_from_slice(&34u16.to_ne_bytes());
        bytes[8..10].copy_from_slice(&6u16.to_ne_bytes());
        assert_eq!(VnetHeader::parse(&bytes), VnetHeader::Done);
        bytes[0] = NEEDS_CHECKSUM;
        let mut left = Offload {
            checksum: Some(PartialChecksum {
                start: 34,
                offset: 6,
            }),
            segmentation: None,
        };
        assert_eq!(VnetHeader::parse(&bytes), VnetHeader::Left(left));
        assert_eq!(VnetHeader::write(Some(left)), bytes);
        bytes[2..4].copy_from_slice(&66u16.to_ne_bytes());
        bytes[4..6].copy_from_slice(&1448u16.to_ne_bytes());
        for (gso_type, kind, has_cwr) in [
            (1, SegmentKind::TcpV4, false),
            (4, SegmentKind::TcpV6, false),
            (5, SegmentKind::Udp, false),
            (0x81, SegmentKind::TcpV4, true),
        ] {
            bytes[1] = gso_type;
            left.segmentation = Some(Segmentation {
                kind,
                segment_size: NonZeroU16::new(1448).expect("not zero"),
                header_len: 66,
                has_cwr,
            });
            assert_eq!(VnetHeader::parse(&bytes), VnetHeader::Left(left));
            assert_eq!(VnetHeader::write(Some(left)), bytes);
        }
        assert_eq!(VnetHeader::write(None), [0; VNET_HEADER_LEN]);
    }

    #[test]
    fn what_cannot_be_cut_is_unknown() {
        let mut bytes = [NEEDS_CHECKSUM, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(VnetHeader::parse(&bytes), VnetHeader::Unknown);
        bytes[4..6].copy_from_slice(&1u16.to_ne_bytes());
        for gso_type in [2, 3, 6, 0x7f, 0x80, 0x82] {
            bytes[1] = gso_type;
            assert_eq!(VnetHeader::parse(&bytes), VnetHeader::Unknown);
        }
    }
}
