//! What was left to the hardware, where nobody says so.

use corelane_frame::Frame;
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType, IpProtocol, checksum};

/// Looks for frames whose checksum was left to hardware: at one of each burst of which it can be told, and at
/// all of them for as long as there are any.
#[derive(Default)]
pub(crate) struct PartialWatch {
    /// There were some.
    suspicious: bool,
    /// Bursts so far: whose turn it is.
    bursts: usize,
}

impl PartialWatch {
    /// How many of a burst are such frames, as far as it looks.
    #[inline]
    pub(crate) fn count(&mut self, burst: &[Frame]) -> usize {
        if !self.suspicious {
            self.bursts = self.bursts.wrapping_add(1);
            let turn = self.bursts.checked_rem(burst.len()).unwrap_or(0);
            let (before, from) = burst.split_at_checked(turn).unwrap_or_default();
            let mut told = from
                .iter()
                .chain(before)
                .filter_map(|it| partial(it.data()));
            if told.next() != Some(true) {
                return 0;
            }
        }
        let count = burst.iter().filter(|it| is_partial(it.data())).count();
        // A burst of none says nothing.
        self.suspicious = count > 0 || (self.suspicious && burst.is_empty());
        count
    }
}

/// Whether all that is in the checksum's place of a TCP segment or UDP datagram is the sum of its
/// pseudo header, and it is wrong: the sender left the rest to hardware.
#[inline]
fn is_partial(frame: &[u8]) -> bool {
    // What cannot be told (a fragment, a header in between) is not.
    partial(frame).unwrap_or(false)
}

/// None of a frame that has no such checksum, or not where it is looked for.
#[inline]
fn partial(frame: &[u8]) -> Option<bool> {
    let (ethernet, mut packet) = frame.split_first_chunk::<ETHERNET_HEADER_LEN>()?;
    let &[.., e0, e1] = ethernet;
    let mut kind = EtherType(u16::from_be_bytes([e0, e1]));
    if kind.is_vlan() {
        let (&[_, _, e0, e1], behind) = packet.split_first_chunk()?;
        (kind, packet) = (EtherType(u16::from_be_bytes([e0, e1])), behind);
    }
    let (protocol, segment, pseudo) = match kind {
        EtherType::IPV4 => {
            let &[
                first,
                _,
                l0,
                l1,
                _,
                _,
                f0,
                f1,
                _,
                protocol,
                _,
                _,
                s0,
                s1,
                s2,
                s3,
                d0,
                d1,
                d2,
                d3,
            ] = packet.first_chunk()?;
            if u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
                return None;
            }
            let (header, len) = (usize::from(first & 15) * 4, u16::from_be_bytes([l0, l1]));
            let segment = packet.get(header..usize::from(len))?;
            let protocol = IpProtocol(protocol);
            let (source, destination) = ([s0, s1, s2, s3].into(), [d0, d1, d2, d3].into());
            let len = segment.len() as u16;
            let pseudo = checksum::pseudo_header_ipv4(source, destination, protocol, len);
            (protocol, segment, pseudo)
        }
        EtherType::IPV6 => {
            let (&[_, _, _, _, l0, l1, protocol, _], rest) = packet.split_first_chunk()?;
            let (source, rest) = rest.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            let len = u16::from_be_bytes([l0, l1]);
            let segment = rest.get(..usize::from(len))?;
            let protocol = IpProtocol(protocol);
            let (source, destination) = ((*source).into(), (*destination).into());
            let pseudo = checksum::pseudo_header_ipv6(source, destination, protocol, len.into());
            (protocol, segment, pseudo)
        }
        _ => return None,
    };
    let place = match protocol {
        IpProtocol::TCP => 16,
        IpProtocol::UDP => 6,
        _ => return None,
    };
    // One right checksum in 65,536 looks like it.
    let field = u16::from_be_bytes(*segment.get(place..)?.first_chunk()?);
    let looks = field == pseudo.fold();
    Some(looks && !(pseudo + checksum::sum(segment)).is_valid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_frame::{Pool, PoolConfig};
    use corelane_wire::build::{FrameSpec, Ports, build_udp_ipv4};
    use proptest::prelude::*;

    /// A datagram without options; its checksum, if it is left to hardware, is that of its pseudo header.
    fn datagram(payload: &[u8], source: u16, left_to_hardware: bool) -> Vec<u8> {
        let spec = FrameSpec {
            source_mac: corelane_wire::MacAddr([2, 0, 0, 0, 0, 9]),
            destination_mac: corelane_wire::MacAddr([2, 0, 0, 0, 0, 1]),
            source: "192.0.2.9".parse().expect("an address"),
            destination: "192.0.2.1".parse().expect("an address"),
            ttl: 64,
        };
        let ports = Ports {
            source,
            destination: 7,
        };
        let mut frame = vec![0; 42 + payload.len()];
        let len = build_udp_ipv4(&mut frame, &spec, ports, payload).expect("a frame");
        frame.truncate(len);
        if left_to_hardware {
            let pseudo = checksum::pseudo_header_ipv4(
                [192, 0, 2, 9].into(),
                [192, 0, 2, 1].into(),
                IpProtocol::UDP,
                u16::try_from(len - 34).expect("a length"),
            );
            frame[40..42].copy_from_slice(&pseudo.fold().to_be_bytes());
        }
        frame
    }

    #[test]
    fn one_of_each_burst_is_looked_at_and_all_while_there_are_any() {
        let pool = Pool::new(PoolConfig::default()).expect("a pool");
        let mut cache = pool.cache();
        let mut burst = |partial: &[usize]| -> Vec<Frame> {
            let frame = |at| {
                let mut frame = cache.alloc().expect("a frame");
                let data = datagram(b"12345678", 5, partial.contains(&at));
                frame.set_data(&data).expect("room");
                frame
            };
            (0..4).map(frame).collect()
        };
        let mut watch = PartialWatch::default();
        assert_eq!(watch.count(&[]), 0);
        assert_eq!(watch.count(&burst(&[])), 0);
        // Its turn comes within as many bursts as frames are in one.
        let turns = (0..4)
            .take_while(|_| watch.count(&burst(&[1])) == 0)
            .count();
        assert!(turns < 4);
        assert_eq!(watch.count(&burst(&[0, 2, 3])), 3, "it looks at all now");
        assert_eq!(watch.count(&[]), 0);
        assert_eq!(watch.count(&burst(&[3])), 1, "still");
        assert_eq!(watch.count(&burst(&[])), 0);
        let all = [0, 1, 2, 3];
        assert_eq!(watch.count(&burst(&all)), 4, "whichever it looks at");
        assert_eq!(watch.count(&burst(&[])), 0);
        // What has no such checksum has no turn.
        for _ in 0..4 {
            let mut mixed = burst(&[3]);
            for other in &mut mixed[..3] {
                other.data_mut()[12..14].copy_from_slice(&[8, 6]);
            }
            assert_eq!(watch.count(&mixed), 1);
            assert_eq!(watch.count(&burst(&[])), 0);
        }
    }

    proptest! {
        #[test]
        fn datagrams_with_the_sum_of_the_pseudo_header_are_partial(payload: Vec<u8>, source: u16) {
            let mut frame = datagram(&payload, source, true);
            let whole = datagram(&payload, source, false);
            prop_assert!(is_partial(&frame) && !is_partial(&whole));
            frame.splice(12..12, [0x81, 0, 0, 5]);
            prop_assert!(is_partial(&frame));
        }

        #[test]
        fn anything_may_be_asked_whether_it_is_partial(mut frame: Vec<u8>, v6: bool) {
            if let Some(kind) = frame.get_mut(12..14) {
                kind.copy_from_slice(if v6 { &[0x86, 0xdd] } else { &[8, 0] });
            }
            is_partial(&frame);
        }
    }

    #[test]
    fn a_segment_over_ipv6_can_be_partial() {
        let mut frame = vec![0; 14 + 40 + 20];
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        frame[14..22].copy_from_slice(&[0x60, 0, 0, 0, 0, 20, 6, 64]);
        frame[22..54].fill(0x11);
        frame[54] = 9;
        // 16 words of 0x1111, TCP, 20 bytes.
        frame[70..72].copy_from_slice(&[0x11, 0x2b]);
        assert!(is_partial(&frame));
        frame[54] = 0xee;
        assert!(is_partial(&frame));
        frame[71] ^= 1;
        assert!(!is_partial(&frame));
    }
}
