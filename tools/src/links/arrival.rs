//! What a frame says of itself when it comes from a device under test.

use corelane::frame::Frame;
use corelane::wire::{
    EtherType, IpProtocol, UDP_HEADER_LEN, parse_icmpv4, parse_icmpv6, parse_ipv4, parse_ipv6,
    parse_tcp, parse_udp,
};
use std::net::IpAddr;

use super::identity::FrameId;
use super::order::FlowId;
use crate::generator::{Signature, class, network_packet};

/// Bytes of an ICMP echo in front of its data.
const ICMP_ECHO: usize = 8;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A generator's.
    Numbered(FrameId),
    /// A generator's, but not as it was sent.
    Corrupt,
    /// Nobody's that is of interest.
    Foreign,
}

impl Arrival {
    /// Looks at a frame, whatever tags it has; the checksum of its transport protocol too, unless that is left to
    /// be done.
    #[inline]
    pub(super) fn of(frame: &Frame) -> Self {
        let undone = frame.has_offload() && frame.offload().is_some_and(|it| it.checksum.is_some());
        Self::of_bytes(frame.data(), !undone)
    }

    fn of_bytes(frame: &[u8], verify: bool) -> Self {
        let Some((ethertype, packet)) = network_packet(frame) else {
            return Self::Foreign;
        };
        let (protocol, datagram, addresses): (_, _, (IpAddr, IpAddr)) = match ethertype {
            EtherType::IPV4 => match parse_ipv4(packet) {
                Ok(ip) if !ip.header.is_fragment() => (
                    ip.header.protocol,
                    ip.payload,
                    (ip.source().into(), ip.destination().into()),
                ),
                _ => return Self::Foreign,
            },
            EtherType::IPV6 => match parse_ipv6(packet) {
                Ok(ip) => (
                    ip.header.next_header,
                    ip.payload,
                    (ip.source().into(), ip.destination().into()),
                ),
                Err(_) => return Self::Foreign,
            },
            _ => return Self::Foreign,
        };
        let said = header_len(protocol, datagram)
            .and_then(|header| datagram.get(header..))
            .and_then(Signature::read);
        let Some(said) = said else {
            return Self::Foreign;
        };
        match said {
            Ok(said) if !verify || is_right(protocol, datagram, addresses) => {
                Self::Numbered(FrameId {
                    class: class(said.hash, addresses.0.is_ipv6()),
                    flow: FlowId::new(said.hash, addresses.0.is_ipv6()),
                    number: said.number,
                    stream: said.stream,
                })
            }
            _ => Self::Corrupt,
        }
    }

    /// As [`of`](Self::of), of a frame that is about to be sent: it is known to be right.
    #[inline]
    pub(super) fn of_own(frame: &Frame) -> Self {
        Self::of_bytes(frame.data(), false)
    }
}

/// Bytes in front of what a datagram or a segment carries; none of what the generator sends none of.
fn header_len(protocol: IpProtocol, datagram: &[u8]) -> Option<usize> {
    match protocol {
        IpProtocol::UDP => Some(UDP_HEADER_LEN),
        IpProtocol::TCP => Some(usize::from(datagram.get(12)? >> 4) * 4),
        IpProtocol::ICMPV4 | IpProtocol::ICMPV6 => Some(ICMP_ECHO),
        _ => None,
    }
}

/// Whether lengths and the checksum of a datagram, a segment or a message are right.
fn is_right(protocol: IpProtocol, bytes: &[u8], addresses: (IpAddr, IpAddr)) -> bool {
    match (protocol, addresses) {
        (IpProtocol::UDP, (IpAddr::V4(from), IpAddr::V4(to))) => {
            parse_udp(bytes).is_ok_and(|it| it.verify_checksum_ipv4(from, to).is_ok())
        }
        (IpProtocol::UDP, (IpAddr::V6(from), IpAddr::V6(to))) => {
            parse_udp(bytes).is_ok_and(|it| it.verify_checksum_ipv6(from, to).is_ok())
        }
        (IpProtocol::TCP, (IpAddr::V4(from), IpAddr::V4(to))) => {
            parse_tcp(bytes).is_ok_and(|it| it.verify_checksum_ipv4(from, to).is_ok())
        }
        (IpProtocol::TCP, (IpAddr::V6(from), IpAddr::V6(to))) => {
            parse_tcp(bytes).is_ok_and(|it| it.verify_checksum_ipv6(from, to).is_ok())
        }
        (IpProtocol::ICMPV4, _) => parse_icmpv4(bytes).is_ok(),
        (IpProtocol::ICMPV6, (IpAddr::V6(from), IpAddr::V6(to))) => {
            parse_icmpv6(bytes, from, to).is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{CLASSES, Sequence, Source, Traffic};
    use crate::unit::{Family, FrameSize};
    use corelane::frame::{Burst, Pool, PoolConfig};
    use corelane::wire::MacAddr;

    fn frames(traffic: &Traffic, n: usize) -> Vec<Vec<u8>> {
        let pool = Pool::new(PoolConfig::for_frames(2000)).unwrap();
        let mut cache = pool.cache();
        let mut source = Sequence::draw_frames(traffic, n);
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, n);
        source.fill(0, &mut burst);
        let frames = burst.iter().map(|frame| frame.data().to_vec()).collect();
        cache.recycle_burst(&mut burst);
        frames
    }

    fn carrying(protocols: &str, family: Family) -> Traffic {
        Traffic {
            protocols: protocols.parse().unwrap(),
            ..traffic(family, vec![])
        }
    }

    fn traffic(family: Family, vlan: Vec<u16>) -> Traffic {
        Traffic {
            family,
            population_family: family,
            frame_size: FrameSize::Fixed(64),
            vlan,
            device: Some(MacAddr([2, 0, 0, 0, 0, 9])),
            ..Traffic::new(10)
        }
    }

    #[test]
    fn frames_of_all_kinds_are_known_by_their_numbers() {
        for family in [Family::V4, Family::V6] {
            for vlan in [vec![], vec![7], vec![7, 8]] {
                for frame in frames(&traffic(family, vlan), 20) {
                    let found = Arrival::of_bytes(&frame, true);
                    assert!(matches!(found, Arrival::Numbered(_)), "{frame:02x?}");
                    assert_eq!(&frame[..6], &[2, 0, 0, 0, 0, 9]);
                }
            }
        }
        for (protocols, v4, v6) in [("udp", 64, 82), ("icmp-echo", 64, 82), ("tcp-syn", 74, 94)] {
            for (family, smallest) in [(Family::V4, v4), (Family::V6, v6)] {
                let traffic = carrying(protocols, family);
                assert_eq!(frames(&traffic, 1)[0].len() + 4, smallest, "{protocols}");
                for frame in frames(&traffic, 20) {
                    let found = Arrival::of_bytes(&frame, true);
                    assert!(matches!(found, Arrival::Numbered(_)), "{frame:02x?}");
                    assert_eq!(&frame[..6], &[2, 0, 0, 0, 0, 9]);
                }
            }
        }
    }

    /// Each of a class has the number behind the last one's, whatever it carries.
    #[test]
    fn numbers_count_up_in_each_class() {
        let mut next = [0; CLASSES];
        let traffic = carrying("udp:2,tcp-syn:1,icmp-echo:1", Family::Mixed);
        for frame in frames(&traffic, 64) {
            let Arrival::Numbered(FrameId { class, number, .. }) = Arrival::of_bytes(&frame, true)
            else {
                panic!("{frame:02x?}");
            };
            assert_eq!(number, next[class]);
            next[class] += 1;
        }
    }

    /// What a router does to a packet, and a NAT that knows its trade.
    #[test]
    fn what_a_router_changes_is_not_corrupt() {
        for mut frame in frames(&traffic(Family::V4, vec![]), 20) {
            let before = Arrival::of_bytes(&frame, true);
            frame[..12].copy_from_slice(&[4; 12]);
            frame[22] -= 1;
            // RFC 1624: the hop limit is the high byte of its word.
            let sum = u16::from_be_bytes([frame[24], frame[25]]);
            let sum = sum.checked_add(0x0100).unwrap_or(sum.wrapping_add(0x0101));
            frame[24..26].copy_from_slice(&sum.to_be_bytes());
            assert_eq!(Arrival::of_bytes(&frame, true), before);
        }
    }

    #[test]
    fn every_changed_byte_of_the_datagram_is_found() {
        for protocols in ["udp", "tcp-syn", "icmp-echo"] {
            let frame = &frames(&carrying(protocols, Family::V4), 1)[0];
            for at in 34..frame.len() {
                let mut frame = frame.clone();
                frame[at] ^= 0x10;
                let found = Arrival::of_bytes(&frame, true);
                // The length of the header says that the number is elsewhere.
                let elsewhere = protocols == "tcp-syn" && at == 46;
                let expected = if elsewhere {
                    Arrival::Foreign
                } else {
                    Arrival::Corrupt
                };
                assert_eq!(found, expected, "{protocols} {at}");
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_foreign() {
        for frame in [&[][..], &[0; 14], &[0xff; 60], &[0x81, 0].repeat(40)] {
            assert_eq!(Arrival::of_bytes(frame, true), Arrival::Foreign);
        }
        let mut frame = frames(&traffic(Family::V4, vec![]), 1)[0].clone();
        // Another protocol; then another magic and complement.
        frame[23] = 6;
        assert_eq!(Arrival::of_bytes(&frame, true), Arrival::Foreign);
    }
}
