//! Choosing frames by address and port: for captures and traces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    ETHERNET_HEADER_LEN, EtherType, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol, parse_arp,
    skip_extensions,
};

/// VLAN tags that are looked behind.
const MAX_TAGS: usize = 2;

/// Which frames somebody wants to see: those that have all that it names.
///
/// It looks behind up to two VLAN tags and behind IPv6 extension headers, validates nothing, and
/// takes cut frames as far as they go: a broken packet is what one may be looking for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PacketFilter {
    /// The source or the destination of an IP packet, or the sender or target of an ARP packet.
    pub address: Option<IpAddr>,
    /// The source or destination port of TCP, UDP or SCTP. Of a fragmented datagram the first
    /// fragment alone has them.
    pub port: Option<u16>,
}

impl PacketFilter {
    /// Every frame.
    pub const ALL: Self = Self {
        address: None,
        port: None,
    };

    /// Whether this Ethernet frame has all that the filter names.
    pub fn matches(&self, frame: &[u8]) -> bool {
        if *self == Self::ALL {
            return true;
        }
        let Some((kind, packet)) = network_packet(frame) else {
            return false;
        };
        match kind {
            EtherType::IPV4 => self.matches_ipv4(packet).unwrap_or(false),
            EtherType::IPV6 => self.matches_ipv6(packet).unwrap_or(false),
            EtherType::ARP => self.matches_arp(packet),
            _ => false,
        }
    }

    fn matches_ipv4(&self, packet: &[u8]) -> Option<bool> {
        let header = packet.first_chunk::<IPV4_HEADER_LEN>()?;
        let address =
            |at: usize| field::<4>(packet, at).map(|octets| Ipv4Addr::from(octets).into());
        let ports = || {
            let is_first = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
            if !is_first || !IpProtocol(header[9]).has_ports() {
                return None;
            }
            field(packet, usize::from(header[0] & 0x0f) * 4)
        };
        Some(self.is_of(address(12)?, address(16)?) && self.has_port(ports))
    }

    fn matches_ipv6(&self, packet: &[u8]) -> Option<bool> {
        let header = packet.first_chunk::<IPV6_HEADER_LEN>()?;
        let address =
            |at: usize| field::<16>(packet, at).map(|octets| Ipv6Addr::from(octets).into());
        let ports = || {
            let payload = packet.get(IPV6_HEADER_LEN..)?;
            let (protocol, at) = skip_extensions(IpProtocol(header[6]), payload).upper_layer()?;
            protocol.has_ports().then(|| field(packet, at))?
        };
        Some(self.is_of(address(8)?, address(24)?) && self.has_port(ports))
    }

    fn matches_arp(&self, packet: &[u8]) -> bool {
        // It has no ports.
        self.port.is_none()
            && parse_arp(packet)
                .is_ok_and(|arp| self.is_of(arp.sender_ip().into(), arp.target_ip().into()))
    }

    fn is_of(&self, source: IpAddr, destination: IpAddr) -> bool {
        self.address
            .is_none_or(|wanted| wanted == source || wanted == destination)
    }

    fn has_port(&self, ports: impl FnOnce() -> Option<[u8; 4]>) -> bool {
        let Some(wanted) = self.port else { return true };
        ports().is_some_and(|[a, b, c, d]| {
            wanted == u16::from_be_bytes([a, b]) || wanted == u16::from_be_bytes([c, d])
        })
    }
}

/// What a frame carries, behind its tags.
fn network_packet(frame: &[u8]) -> Option<(EtherType, &[u8])> {
    let mut at = ETHERNET_HEADER_LEN;
    for _ in 0..=MAX_TAGS {
        let kind = EtherType(u16::from_be_bytes(field(frame, at - 2)?));
        if !kind.is_vlan() {
            return Some((kind, frame.get(at..)?));
        }
        at += 4;
    }
    None
}

/// `N` bytes at `at`.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MacAddr;
    use crate::arp::{ArpPacket, write_arp};
    use crate::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};
    use crate::ethernet::{EthernetHeader, write_ethernet};

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn spec<A>(source: A, destination: A) -> FrameSpec<A> {
        FrameSpec {
            source_mac: MAC,
            destination_mac: MAC,
            source,
            destination,
            ttl: 64,
        }
    }

    fn udp(source: &str, destination: &str) -> Vec<u8> {
        let ports = Ports {
            source: 4000,
            destination: 7,
        };
        let mut buffer = vec![0; 200];
        let addresses = (source.parse().unwrap(), destination.parse().unwrap());
        let len = match addresses {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                build_udp_ipv4(&mut buffer, &spec(from, to), ports, b"hello")
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                build_udp_ipv6(&mut buffer, &spec(from, to), ports, b"hello")
            }
            other => panic!("{other:?}"),
        };
        buffer.truncate(len.unwrap());
        buffer
    }

    fn filter(address: Option<&str>, port: Option<u16>) -> PacketFilter {
        let address = address.map(|text| text.parse().unwrap());
        PacketFilter { address, port }
    }

    #[test]
    fn all_that_is_named_has_to_be_there() {
        for (source, destination, other) in [
            ("192.0.2.9", "192.0.2.1", "192.0.2.2"),
            ("2001:db8::9", "2001:db8::1", "2001:db8::2"),
        ] {
            let frame = udp(source, destination);
            let matches = |address, port| filter(address, port).matches(&frame);
            assert!(matches(None, None));
            for (address, port) in [
                (Some(source), None),
                (Some(destination), None),
                (None, Some(4000)),
                (None, Some(7)),
                (Some(source), Some(7)),
            ] {
                assert!(matches(address, port), "{address:?} {port:?}");
            }
            for (address, port) in [
                (Some(other), None),
                (None, Some(8)),
                (Some(other), Some(7)),
                (Some(source), Some(8)),
                (Some("198.51.100.1"), None),
            ] {
                assert!(!matches(address, port), "{address:?} {port:?}");
            }
            // Behind two tags, and not behind three.
            let tag = [0x81, 0, 0, 5];
            let tagged = |tags: usize| [&frame[..12], &tag.repeat(tags), &frame[12..]].concat();
            assert!(filter(Some(source), Some(7)).matches(&tagged(2)));
            assert!(!filter(Some(source), Some(7)).matches(&tagged(3)));
        }
    }

    #[test]
    fn arp_has_addresses_and_no_ports() {
        let (us, them) = ([192, 0, 2, 1].into(), [192, 0, 2, 9].into());
        let mut frame = vec![0; 60];
        let header = EthernetHeader::new(MacAddr::BROADCAST, MAC, EtherType::ARP);
        let at = write_ethernet(&mut frame, &header).unwrap();
        write_arp(&mut frame[at..], &ArpPacket::request((MAC, us), them)).unwrap();
        assert!(filter(Some("192.0.2.1"), None).matches(&frame));
        assert!(filter(Some("192.0.2.9"), None).matches(&frame));
        assert!(!filter(Some("192.0.2.2"), None).matches(&frame));
        assert!(!filter(Some("192.0.2.1"), Some(7)).matches(&frame));
    }

    #[test]
    fn later_fragments_have_no_ports_and_cut_frames_no_more_than_is_there() {
        let mut frame = udp("192.0.2.9", "192.0.2.1");
        frame[20..22].copy_from_slice(&[0, 1]);
        assert!(filter(Some("192.0.2.9"), None).matches(&frame));
        assert!(!filter(None, Some(7)).matches(&frame));
        for frame in [udp("192.0.2.9", "192.0.2.1"), udp("::9", "::1")] {
            for len in 0..frame.len() {
                // Neither panics nor finds what is not there.
                let found = filter(None, Some(7)).matches(&frame[..len]);
                assert_eq!(found, len >= frame.len() - 5 - 4, "{len}");
            }
        }
        assert!(!filter(None, Some(7)).matches(&[0xff; 100]));
    }
}
