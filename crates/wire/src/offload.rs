//! What is left to do with a frame before it is on a wire: a checksum, and to be cut into segments.
//!
//! Hardware does that for a sender; on links within a machine nobody has to. What is left goes with the
//! frame, beside its bytes: as in the header of virtio-net (OASIS virtio 1.2, section 5.1.6).

use std::num::NonZeroU16;

use crate::checksum;

/// What is left to do with a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offload {
    /// The transport checksum. None: it is complete, or for the peer to verify.
    pub checksum: Option<PartialChecksum>,
    /// How it is cut. None: it is one segment.
    pub segmentation: Option<Segmentation>,
}

/// A checksum that is not done: the sum of the pseudo header stands in its place, and what it covers,
/// to the end of the packet, has to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialChecksum {
    /// Where what it covers starts, in bytes from the start of the frame.
    pub start: u16,
    /// Where the checksum is, in bytes from `start`.
    pub offset: u16,
}

/// How a super-frame is cut: a frame that stands for several with the same headers, and may be longer
/// than any link takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segmentation {
    /// What it carries.
    pub kind: SegmentKind,
    /// Bytes of payload of each segment but the last, which may have less.
    pub segment_size: NonZeroU16,
    /// Bytes of all headers in front of the payload, the Ethernet header included.
    pub header_len: u16,
    /// Whether the first segment is to say that the congestion window was reduced (TCP's CWR), and no
    /// other (RFC 3168 section 6.1.2).
    pub has_cwr: bool,
}

/// What a super-frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SegmentKind {
    /// A run of TCP segments over IPv4.
    TcpV4,
    /// A run of TCP segments over IPv6.
    TcpV6,
    /// UDP datagrams of one flow, over IPv4 or IPv6.
    Udp,
}

impl Segmentation {
    /// The longest frame that it is cut into, in bytes, the Ethernet header included.
    #[inline]
    pub fn longest_segment(self) -> usize {
        usize::from(self.header_len) + usize::from(self.segment_size.get())
    }
}

/// What a link takes undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offloads {
    /// Partial checksums. Without, nothing is left to it.
    pub checksum: bool,
    /// Super-frames of TCP over IPv4.
    pub tcp_v4: bool,
    /// Super-frames of TCP over IPv6.
    pub tcp_v6: bool,
    /// Super-frames of UDP.
    pub udp: bool,
}

impl Offloads {
    /// Frames have to be whole and done.
    pub const NONE: Self = Self {
        checksum: false,
        tcp_v4: false,
        tcp_v6: false,
        udp: false,
    };

    /// Whether this may be left to the link.
    #[inline]
    pub fn take(self, offload: &Offload) -> bool {
        let takes_kind = match offload.segmentation.map(|it| it.kind) {
            None => true,
            Some(SegmentKind::TcpV4) => self.tcp_v4,
            Some(SegmentKind::TcpV6) => self.tcp_v6,
            Some(SegmentKind::Udp) => self.udp,
        };
        self.checksum && takes_kind
    }
}

/// The place of a partial checksum is not in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the place of the checksum is beyond the end")]
pub struct OutOfPlace;

impl PartialChecksum {
    /// Where the checksum is, if it is in a frame of so many bytes.
    #[inline]
    pub fn place(self, len: usize) -> Option<usize> {
        let place = usize::from(self.start) + usize::from(self.offset);
        (place + 2 <= len).then_some(place)
    }

    /// Completes it, in a frame without padding.
    ///
    /// # Errors
    /// Its place is not in the frame, which is as it was.
    pub fn complete(self, frame: &mut [u8]) -> Result<(), OutOfPlace> {
        let place = self.place(frame.len()).ok_or(OutOfPlace)?;
        let covered = frame.get(usize::from(self.start)..).ok_or(OutOfPlace)?;
        // The sum of the pseudo header is in the field already, and is added with the rest.
        let sum = checksum::sum(covered).checksum();
        let field = frame
            .get_mut(place..)
            .and_then(<[u8]>::first_chunk_mut)
            .ok_or(OutOfPlace)?;
        // Zero would say that there is none (RFC 768), and is the same number.
        let sum = if sum == 0 { 0xffff } else { sum };
        *field = u16::to_be_bytes(sum);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{FrameSpec, Ports, build_udp_ipv4};
    use crate::protocol::IpProtocol;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn completed_checksums_are_those_of_whole_datagrams(payload: Vec<u8>, source: u16) {
            let spec = FrameSpec {
                source_mac: crate::MacAddr([2, 0, 0, 0, 0, 9]),
                destination_mac: crate::MacAddr([2, 0, 0, 0, 0, 1]),
                source: "192.0.2.9".parse().unwrap(),
                destination: "192.0.2.1".parse().unwrap(),
                ttl: 64,
            };
            let ports = Ports { source, destination: 7 };
            let mut frame = vec![0; 42 + payload.len()];
            let len = build_udp_ipv4(&mut frame, &spec, ports, &payload).unwrap();
            frame.truncate(len);
            let whole = frame.clone();
            let datagram = u16::try_from(len - 34).unwrap();
            let pseudo = checksum::pseudo_header_ipv4(
                spec.source,
                spec.destination,
                IpProtocol::UDP,
                datagram,
            );
            frame[40..42].copy_from_slice(&pseudo.fold().to_be_bytes());
            let partial = PartialChecksum { start: 34, offset: 6 };
            prop_assert_eq!(partial.complete(&mut frame), Ok(()));
            prop_assert_eq!(frame, whole);
        }

        #[test]
        fn any_place_is_completed_or_refused(mut frame: Vec<u8>, start: u16, offset: u16) {
            let before = frame.clone();
            let partial = PartialChecksum { start, offset };
            let fits = usize::from(start) + usize::from(offset) + 2 <= frame.len();
            prop_assert_eq!(partial.complete(&mut frame).is_ok(), fits);
            prop_assert!(fits || frame == before);
        }
    }

    #[test]
    fn places_outside_the_frame_change_nothing() {
        for (start, offset) in [(8, 0), (7, 0), (0, 7), (9, 0), (0, 9)] {
            let mut frame = [1; 8];
            let partial = PartialChecksum { start, offset };
            assert_eq!(partial.complete(&mut frame), Err(OutOfPlace));
            assert_eq!(frame, [1; 8]);
        }
    }

    #[test]
    fn links_take_what_they_say() {
        let segmentation = |kind| Segmentation {
            kind,
            segment_size: NonZeroU16::MIN,
            header_len: 54,
            has_cwr: false,
        };
        let offload = |kind: Option<SegmentKind>| Offload {
            checksum: None,
            segmentation: kind.map(segmentation),
        };
        let tcp = Offloads {
            checksum: true,
            tcp_v4: true,
            ..Offloads::NONE
        };
        assert!(tcp.take(&offload(None)));
        assert!(tcp.take(&offload(Some(SegmentKind::TcpV4))));
        assert!(!tcp.take(&offload(Some(SegmentKind::TcpV6))));
        assert!(!tcp.take(&offload(Some(SegmentKind::Udp))));
        assert!(!Offloads::NONE.take(&offload(None)));
        let unsummed = Offloads {
            checksum: false,
            ..tcp
        };
        assert!(!unsummed.take(&offload(Some(SegmentKind::TcpV4))));
    }
}
