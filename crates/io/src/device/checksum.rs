//! Doing what the kernel left to the hardware.

use corelane_sys::vnet::PartialChecksum;
use corelane_wire::checksum;

/// Completes a partial checksum. Whether it could: its place has to be in the frame.
pub(crate) fn complete(frame: &mut [u8], partial: PartialChecksum) -> bool {
    let PartialChecksum { start, offset } = partial;
    let Some(covered) = frame.get_mut(start..) else {
        return false;
    };
    // The sum of the pseudo header is in the field already, and is added with the rest.
    let sum = checksum::sum(covered).checksum();
    let Some(field) = covered.get_mut(offset..).and_then(<[u8]>::first_chunk_mut) else {
        return false;
    };
    // Zero would say that there is none (RFC 768), and is the same number.
    let sum = if sum == 0 { 0xffff } else { sum };
    *field = u16::to_be_bytes(sum);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_wire::build::{FrameSpec, Ports, build_udp_ipv4};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn completed_checksums_are_those_of_whole_datagrams(payload: Vec<u8>, source: u16) {
            let spec = FrameSpec {
                source_mac: corelane_wire::MacAddr([2, 0, 0, 0, 0, 9]),
                destination_mac: corelane_wire::MacAddr([2, 0, 0, 0, 0, 1]),
                source: "192.0.2.9".parse().expect("an address"),
                destination: "192.0.2.1".parse().expect("an address"),
                ttl: 64,
            };
            let ports = Ports { source, destination: 7 };
            let mut frame = vec![0; 42 + payload.len()];
            let len = build_udp_ipv4(&mut frame, &spec, ports, &payload).expect("a frame");
            frame.truncate(len);
            let whole = frame.clone();
            let datagram = u16::try_from(len - 34).expect("a length");
            let pseudo = checksum::pseudo_header_ipv4(
                "192.0.2.9".parse().expect("an address"),
                "192.0.2.1".parse().expect("an address"),
                corelane_wire::IpProtocol::UDP,
                datagram,
            );
            frame[40..42].copy_from_slice(&pseudo.fold().to_be_bytes());
            let partial = PartialChecksum { start: 34, offset: 6 };
            prop_assert!(complete(&mut frame, partial));
            prop_assert_eq!(frame, whole);
        }
    }

    #[test]
    fn places_outside_the_frame_change_nothing() {
        for (start, offset) in [(8, 0), (7, 0), (0, 7), (9, 0), (0, 9)] {
            let mut frame = [1; 8];
            assert!(!complete(&mut frame, PartialChecksum { start, offset }));
            assert_eq!(frame, [1; 8]);
        }
    }
}
