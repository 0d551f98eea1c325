use super::*;
use crate::{ArpOperation, EchoKind, parse_arp, parse_ethernet, parse_ipv4, parse_ipv6, parse_udp};

const PORTS: Ports = Ports {
    source: 1,
    destination: 2,
};

fn spec4() -> FrameSpec<Ipv4Addr> {
    FrameSpec {
        source_mac: MacAddr([2, 0, 0, 0, 0, 1]),
        destination_mac: MacAddr([2, 0, 0, 0, 0, 2]),
        source: Ipv4Addr::new(198, 18, 0, 1),
        destination: Ipv4Addr::new(198, 19, 0, 1),
        ttl: 9,
    }
}

fn spec6() -> FrameSpec<Ipv6Addr> {
    let FrameSpec {
        source_mac,
        destination_mac,
        ttl,
        ..
    } = spec4();
    FrameSpec {
        source_mac,
        destination_mac,
        source: "2001:db8::1".parse().unwrap(),
        destination: "2001:db8::2".parse().unwrap(),
        ttl,
    }
}

/// Every length of buffer that is too short says what is needed, and the right one is enough.
fn fits_exactly(len: usize, build: impl Fn(&mut [u8]) -> Result<usize, NoRoom>) {
    let mut buffer = [0xee; 256];
    for room in 0..len {
        assert_eq!(
            build(&mut buffer[..room]),
            Err(NoRoom { needed: len, room })
        );
    }
    assert_eq!(build(&mut buffer[..len]), Ok(len));
    buffer = [0xee; 256];
    assert_eq!(build(&mut buffer), Ok(len));
    assert!(buffer[len..].iter().all(|&byte| byte == 0xee));
}

#[test]
fn frames_fit_exactly() {
    let echo = Echo {
        kind: EchoKind::Request,
        identifier: 1,
        sequence: 2,
        data: b"data",
    };
    fits_exactly(60, |buffer| {
        build_udp_ipv4(buffer, &spec4(), PORTS, &[0; 18])
    });
    fits_exactly(80, |buffer| {
        build_udp_ipv6(buffer, &spec6(), PORTS, &[0; 18])
    });
    fits_exactly(46, |buffer| build_echo_ipv4(buffer, &spec4(), &echo));
    fits_exactly(66, |buffer| build_echo_ipv6(buffer, &spec6(), &echo));
    let (a, b) = (spec4().source_mac, spec4().destination_mac);
    let fields = spec4().ipv4(IpProtocol::TCP);
    fits_exactly(39, |buffer| build_ipv4(buffer, a, b, &fields, b"bytes"));
    let fields = spec6().ipv6(IpProtocol::TCP);
    fits_exactly(59, |buffer| build_ipv6(buffer, a, b, &fields, b"bytes"));
    let packet = ArpPacket::new(
        ArpOperation::REPLY,
        (a, spec4().source),
        (b, spec4().destination),
    );
    fits_exactly(42, |buffer| build_arp(buffer, b, &packet));
}

#[test]
fn lengths_end_at_what_the_headers_can_tell() {
    let mut buffer = vec![0; 70_000];
    let long = vec![0; 65_536];
    let v4 = |buffer: &mut [u8], len| build_udp_ipv4(buffer, &spec4(), PORTS, &long[..len]);
    assert_eq!(v4(&mut buffer, 65_507), Ok(65_549));
    let packet = parse_ipv4(&buffer[14..]).unwrap();
    assert_eq!(parse_udp(packet.payload).unwrap().payload.len(), 65_507);
    assert_eq!(
        v4(&mut buffer, 65_508),
        Err(NoRoom {
            needed: 65_550,
            room: 65_549
        })
    );

    let v6 = |buffer: &mut [u8], len| build_udp_ipv6(buffer, &spec6(), PORTS, &long[..len]);
    assert_eq!(v6(&mut buffer, 65_527), Ok(65_589));
    let packet = parse_ipv6(&buffer[14..]).unwrap();
    assert_eq!(parse_udp(packet.payload).unwrap().payload.len(), 65_527);
    assert_eq!(
        v6(&mut buffer, 65_528),
        Err(NoRoom {
            needed: 65_590,
            room: 65_589
        })
    );

    let (a, b) = (spec4().source_mac, spec4().destination_mac);
    let fields = spec4().ipv4(IpProtocol::TCP);
    assert_eq!(
        build_ipv4(&mut buffer, a, b, &fields, &long),
        Err(NoRoom {
            needed: 65_570,
            room: 65_549
        })
    );
    let fields = spec6().ipv6(IpProtocol::TCP);
    assert_eq!(
        build_ipv6(&mut buffer, a, b, &fields, &long),
        Err(NoRoom {
            needed: 65_590,
            room: 65_589
        })
    );
}

#[test]
fn a_payload_may_be_filled_in_place() {
    let mut buffer = [0; 64];
    let fill = |room: &mut [u8]| room.copy_from_slice(b"four");
    let len = build_udp_ipv4_with(&mut buffer, &spec4(), PORTS, 4, fill).unwrap();
    let mut whole = [0; 64];
    assert_eq!(
        build_udp_ipv4(&mut whole, &spec4(), PORTS, b"four"),
        Ok(len)
    );
    assert_eq!(buffer, whole);

    let mut buffer = [0; 80];
    let len = build_udp_ipv6_with(&mut buffer, &spec6(), PORTS, 4, fill).unwrap();
    let mut whole = [0; 80];
    assert_eq!(
        build_udp_ipv6(&mut whole, &spec6(), PORTS, b"four"),
        Ok(len)
    );
    assert_eq!(buffer, whole);
}

#[test]
fn arp_comes_from_its_sender() {
    let (a, b) = (spec4().source_mac, MacAddr::BROADCAST);
    let packet = ArpPacket::new(
        ArpOperation::REQUEST,
        (a, spec4().source),
        (MacAddr::UNSPECIFIED, spec4().destination),
    );
    let mut buffer = [0; 42];
    build_arp(&mut buffer, b, &packet).unwrap();
    let frame = parse_ethernet(&buffer).unwrap();
    assert_eq!((frame.header.source, frame.header.destination), (a, b));
    assert_eq!(frame.header.ethertype(), EtherType::ARP);
    assert_eq!(parse_arp(frame.payload), Ok(&packet));
}
