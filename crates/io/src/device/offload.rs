//! What the kernel says is left to do with a frame, checked before anybody relies on it.

use corelane_sys::vnet::VnetHeader;
use corelane_wire::{
    ETHERNET_HEADER_LEN, Offload, PartialChecksum, SegmentKind, Segmentation, SuperFrame,
};

use super::VLAN_TAG_LEN;

/// The longest super-frame that the kernel makes for links of Ethernet, in bytes: an IP packet of 64 KiB,
/// with two VLAN tags.
pub(crate) const SUPER_FRAME: usize = 65_535 + ETHERNET_HEADER_LEN + 2 * VLAN_TAG_LEN;

/// The frame is not what the kernel says of it, or says nothing that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// What is left to do with a frame, in which places are further back than the kernel says, by `moved`
/// bytes.
#[inline]
pub(crate) fn left_to_do(
    frame: &[u8],
    header: VnetHeader,
    moved: u16,
) -> Result<Option<Offload>, Invalid> {
    match header {
        VnetHeader::Done => Ok(None),
        VnetHeader::Unknown => Err(Invalid),
        VnetHeader::Left(said) => check(frame, said, moved).map(Some),
    }
}

#[inline]
fn check(frame: &[u8], said: Offload, moved: u16) -> Result<Offload, Invalid> {
    let partial = |it: PartialChecksum| {
        let start = it.start.checked_add(moved)?;
        let moved = PartialChecksum { start, ..it };
        moved.place(frame.len()).map(|_| moved)
    };
    let checksum = match said.checksum {
        Some(it) => Some(partial(it).ok_or(Invalid)?),
        None => None,
    };
    let segmentation = match said.segmentation {
        Some(it) => segmentation(frame, it, checksum)?,
        None => None,
    };
    Ok(Offload {
        checksum,
        segmentation,
    })
}

/// How a frame is cut; None if it is one segment. Out of line: most frames are not to be cut.
#[inline(never)]
fn segmentation(
    frame: &[u8],
    said: Segmentation,
    checksum: Option<PartialChecksum>,
) -> Result<Option<Segmentation>, Invalid> {
    if usize::from(said.header_len) > frame.len() {
        return Err(Invalid);
    }
    let whole = SuperFrame::parse(frame, said.kind, said.segment_size).map_err(|_| Invalid)?;
    let offset = match said.kind {
        SegmentKind::TcpV4 | SegmentKind::TcpV6 => 16,
        SegmentKind::Udp => 6,
    };
    let is_its_own =
        |it: PartialChecksum| usize::from(it.start) == whole.transport() && it.offset == offset;
    if !checksum.is_none_or(is_its_own) {
        return Err(Invalid);
    }
    Ok((whole.count() > 1).then(|| Segmentation {
        has_cwr: said.has_cwr,
        ..whole.segmentation()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    use corelane_wire::MacAddr;
    use corelane_wire::build::{FrameSpec, Ports, build_udp_ipv4};
    use proptest::prelude::*;

    const LEFT: Offload = Offload {
        checksum: Some(PartialChecksum {
            start: 34,
            offset: 6,
        }),
        segmentation: Some(Segmentation {
            kind: SegmentKind::Udp,
            segment_size: NonZeroU16::new(100).expect("not zero"),
            header_len: 42,
            has_cwr: false,
        }),
    };

    fn datagrams(payload: usize) -> Vec<u8> {
        let spec = FrameSpec {
            source_mac: MacAddr([2, 0, 0, 0, 0, 9]),
            destination_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            source: "192.0.2.9".parse().expect("an address"),
            destination: "192.0.2.1".parse().expect("an address"),
            ttl: 64,
        };
        let ports = Ports {
            source: 1,
            destination: 7,
        };
        let mut frame = vec![0; 42 + payload];
        build_udp_ipv4(&mut frame, &spec, ports, &vec![1; payload]).expect("a frame");
        frame
    }

    fn with(change: impl FnOnce(&mut PartialChecksum, &mut Segmentation)) -> VnetHeader {
        let (mut checksum, mut segmentation) = (LEFT.checksum, LEFT.segmentation);
        if let (Some(checksum), Some(segmentation)) = (&mut checksum, &mut segmentation) {
            change(checksum, segmentation);
        }
        VnetHeader::Left(Offload {
            checksum,
            segmentation,
        })
    }

    #[test]
    fn what_is_right_is_taken_and_the_header_length_found() {
        let frame = datagrams(250);
        assert_eq!(left_to_do(&frame, VnetHeader::Done, 0), Ok(None));
        let said = with(|_, segmentation| segmentation.header_len = 292);
        assert_eq!(left_to_do(&frame, said, 0), Ok(Some(LEFT)));
        // With the tag that the kernel took off.
        let mut tagged = frame;
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        let left = left_to_do(&tagged, said, 4).expect("right").expect("left");
        assert_eq!(left.checksum.map(|it| it.start), Some(38));
        assert_eq!(left.segmentation.map(|it| it.header_len), Some(46));
        assert_eq!(left_to_do(&tagged, said, 0), Err(Invalid));
        // One segment is no super-frame.
        let left = left_to_do(&datagrams(100), with(|_, _| {}), 0);
        let checksum = LEFT.checksum;
        assert_eq!(
            left,
            Ok(Some(Offload {
                checksum,
                segmentation: None
            }))
        );
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let frame = datagrams(250);
        assert_eq!(left_to_do(&frame, VnetHeader::Unknown, 0), Err(Invalid));
        for wrong in [
            with(|_, segmentation| segmentation.header_len = 293),
            with(|_, segmentation| segmentation.kind = SegmentKind::TcpV4),
            with(|_, segmentation| segmentation.kind = SegmentKind::TcpV6),
            with(|checksum, _| checksum.start = 33),
            with(|checksum, _| checksum.offset = 16),
            with(|checksum, _| checksum.start = 287),
            with(|checksum, _| checksum.offset = u16::MAX),
        ] {
            assert_eq!(left_to_do(&frame, wrong, 0), Err(Invalid), "{wrong:?}");
        }
        let right = with(|_, _| {});
        assert_eq!(left_to_do(&frame, right, u16::MAX), Err(Invalid));
        for len in 0..frame.len() {
            assert_eq!(left_to_do(&frame[..len], right, 0), Err(Invalid));
        }
    }

    proptest! {
        #[test]
        fn anything_may_be_said(frame: Vec<u8>, header: [u8; 10], moved: u16) {
            if let Ok(Some(left)) = left_to_do(&frame, VnetHeader::parse(&header), moved) {
                let place = left.checksum.map(|it| it.place(frame.len()));
                prop_assert_ne!(place, Some(None));
            }
        }
    }
}
