use super::*;
use crate::build::{FrameSpec, build_udp_ipv4, build_udp_ipv6};
use crate::icmpv4::parse_icmpv4;
use crate::icmpv6::parse_icmpv6;
use crate::ipv4::{parse_ipv4, write_ipv4};
use crate::ipv6::{parse_ipv6, write_ipv6, write_ipv6_fragment};
use crate::{parse_ethernet, udp};
use proptest::prelude::*;

const MACS: (MacAddr, MacAddr) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 9]));
const V4: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 9));
const V6: (Ipv6Addr, Ipv6Addr) = (
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9),
);
const PORTS: Ports = Ports {
    source: 4000,
    destination: 7,
};

/// A packet to us with this many bytes of data.
fn udp_v4(len: usize) -> Vec<u8> {
    let spec = FrameSpec {
        source_mac: MACS.1,
        destination_mac: MACS.0,
        source: V4.1,
        destination: V4.0,
        ttl: 64,
    };
    let mut frame = vec![0; 42 + len];
    build_udp_ipv4(&mut frame, &spec, PORTS, &vec![b'x'; len]).unwrap();
    frame.split_off(14)
}

fn udp_v6(len: usize) -> Vec<u8> {
    let spec = FrameSpec {
        source_mac: MACS.1,
        destination_mac: MACS.0,
        source: V6.1,
        destination: V6.0,
        ttl: 64,
    };
    let mut frame = vec![0; 62 + len];
    build_udp_ipv6(&mut frame, &spec, PORTS, &vec![b'x'; len]).unwrap();
    frame.split_off(14)
}

fn error_v4(room: usize, problem: Icmpv4Problem, packet: &[u8]) -> Result<Vec<u8>, NoRoom> {
    let mut buffer = vec![0xee; room];
    let len = build_icmp_error_ipv4(&mut buffer, MACS.0, MACS.1, V4.0, V4.1, problem, packet)?;
    buffer.truncate(len);
    Ok(buffer)
}

fn error_v6(room: usize, problem: Icmpv6Problem, packet: &[u8]) -> Result<Vec<u8>, NoRoom> {
    let mut buffer = vec![0xee; room];
    let len = build_icmp_error_ipv6(&mut buffer, MACS.0, MACS.1, V6.0, V6.1, problem, packet)?;
    buffer.truncate(len);
    Ok(buffer)
}

const PORT_V4: Icmpv4Problem = Icmpv4Problem::Unreachable(Icmpv4Unreachable::Port);
const PORT_V6: Icmpv6Problem = Icmpv6Problem::Unreachable(Icmpv6Unreachable::Port);

#[test]
fn as_much_as_has_room_is_quoted_in_ipv4() {
    let quoted = |room, len| error_v4(room, PORT_V4, &udp_v4(len)).map(|frame| frame.len() - 42);
    assert_eq!(quoted(2000, 0), Ok(28));
    assert_eq!(quoted(2000, 520), Ok(548));
    // 576 bytes of IPv4.
    assert_eq!(quoted(2000, 521), Ok(548));
    assert_eq!(quoted(2000, 1400), Ok(548));
    assert_eq!(quoted(200, 1400), Ok(158));
    assert_eq!(quoted(42 + 28, 1400), Ok(28));
    let needed = NoRoom {
        needed: 70,
        room: 69,
    };
    assert_eq!(quoted(69, 1400), Err(needed));
    assert!(quoted(0, 0).is_err());
    let frame = error_v4(2000, PORT_V4, &udp_v4(1400)).unwrap();
    let ethernet = parse_ethernet(&frame).unwrap();
    assert_eq!((ethernet.header.source, ethernet.header.destination), MACS);
    let packet = parse_ipv4(ethernet.payload).unwrap();
    assert_eq!((packet.source(), packet.destination()), V4);
    assert_eq!((packet.header.ttl, packet.header.traffic_class), (64, 0xc0));
    assert!(!packet.header.dont_fragment() && !packet.is_fragment());
}

#[test]
fn as_much_as_has_room_is_quoted_in_ipv6() {
    let quoted = |room, len| error_v6(room, PORT_V6, &udp_v6(len)).map(|frame| frame.len() - 62);
    assert_eq!(quoted(2000, 0), Ok(48));
    assert_eq!(quoted(2000, 1184), Ok(1232));
    assert_eq!(quoted(2000, 1185), Ok(1232));
    assert_eq!(quoted(200, 1400), Ok(138));
    let needed = NoRoom {
        needed: 110,
        room: 109,
    };
    assert_eq!(quoted(109, 1400), Err(needed));
    let frame = error_v6(2000, PORT_V6, &udp_v6(1400)).unwrap();
    let packet = parse_ipv6(parse_ethernet(&frame).unwrap().payload).unwrap();
    assert_eq!((packet.source(), packet.destination()), V6);
    assert_eq!(packet.header.hop_limit, 64);
}

#[test]
fn padding_of_the_link_is_not_quoted() {
    let mut packet = udp_v4(0);
    packet.extend([0; 18]);
    assert_eq!(error_v4(2000, PORT_V4, &packet).unwrap().len(), 42 + 28);
    let mut packet = udp_v6(0);
    packet.extend([0; 18]);
    assert_eq!(error_v6(2000, PORT_V6, &packet).unwrap().len(), 62 + 48);
    // Options count as header, and what is no packet is quoted as it is.
    let mut packet = vec![0; 20];
    let fields = Ipv4Fields::new(V4.1, V4.0, IpProtocol::UDP, 1);
    write_ipv4(&mut packet, &fields, 140).unwrap();
    packet[0] = 0x4f;
    packet.resize(160, 1);
    assert!(error_v4(42 + 67, PORT_V4, &packet).is_err());
    assert_eq!(error_v4(42 + 68, PORT_V4, &packet).unwrap().len(), 42 + 68);
    assert_eq!(error_v4(200, PORT_V4, &[1, 2, 3]).unwrap()[42..], [1, 2, 3]);
    assert_eq!(error_v6(200, PORT_V6, &[1, 2, 3]).unwrap()[62..], [1, 2, 3]);
}

fn read_v4(frame: &[u8]) -> Result<(Icmpv4Problem, QuotedPacket<'_, Ipv4Addr>), QuoteError> {
    let packet = parse_ipv4(parse_ethernet(frame).unwrap().payload).unwrap();
    parse_icmp_error_ipv4(&parse_icmpv4(packet.payload).unwrap())
}

fn read_v6(frame: &[u8]) -> Result<(Icmpv6Problem, QuotedPacket<'_, Ipv6Addr>), QuoteError> {
    let packet = parse_ipv6(parse_ethernet(frame).unwrap().payload).unwrap();
    parse_icmp_error_ipv6(&parse_icmpv6(packet.payload, V6.0, V6.1).unwrap())
}

#[test]
fn every_problem_is_read_as_it_was_written() {
    use Icmpv4Unreachable as U4;
    use Icmpv6Unreachable as U6;
    let times = [
        TimeExceeded::HopLimit,
        TimeExceeded::Reassembly,
        TimeExceeded::Other(9),
    ];
    // Problem, type, code, the four bytes behind.
    let of_v4 = [
        (Icmpv4Problem::Unreachable(U4::Net), 3, 0, [0; 4]),
        (Icmpv4Problem::Unreachable(U4::Host), 3, 1, [0; 4]),
        (Icmpv4Problem::Unreachable(U4::Protocol), 3, 2, [0; 4]),
        (PORT_V4, 3, 3, [0; 4]),
        (
            Icmpv4Problem::Unreachable(U4::FragmentationNeeded { mtu: 1400 }),
            3,
            4,
            [0, 0, 5, 0x78],
        ),
        (Icmpv4Problem::Unreachable(U4::Other(5)), 3, 5, [0; 4]),
        (Icmpv4Problem::Unreachable(U4::Prohibited), 3, 13, [0; 4]),
        (Icmpv4Problem::TimeExceeded(times[0]), 11, 0, [0; 4]),
        (Icmpv4Problem::TimeExceeded(times[1]), 11, 1, [0; 4]),
        (Icmpv4Problem::TimeExceeded(times[2]), 11, 9, [0; 4]),
        (
            Icmpv4Problem::ParameterProblem {
                code: 0,
                pointer: 22,
            },
            12,
            0,
            [22, 0, 0, 0],
        ),
    ];
    for (problem, kind, code, rest) in of_v4 {
        let frame = error_v4(200, problem, &udp_v4(4)).unwrap();
        assert_eq!(
            (frame[34], frame[35], &frame[38..42]),
            (kind, code, &rest[..])
        );
        assert_eq!(read_v4(&frame).unwrap().0, problem);
    }
    let of_v6 = [
        (Icmpv6Problem::Unreachable(U6::NoRoute), 1, 0, [0; 4]),
        (Icmpv6Problem::Unreachable(U6::Prohibited), 1, 1, [0; 4]),
        (Icmpv6Problem::Unreachable(U6::BeyondScope), 1, 2, [0; 4]),
        (Icmpv6Problem::Unreachable(U6::Address), 1, 3, [0; 4]),
        (PORT_V6, 1, 4, [0; 4]),
        (
            Icmpv6Problem::PacketTooBig { mtu: 1400 },
            2,
            0,
            [0, 0, 5, 0x78],
        ),
        (Icmpv6Problem::TimeExceeded(times[0]), 3, 0, [0; 4]),
        (Icmpv6Problem::TimeExceeded(times[1]), 3, 1, [0; 4]),
        (Icmpv6Problem::TimeExceeded(times[2]), 3, 9, [0; 4]),
        (
            Icmpv6Problem::ParameterProblem {
                code: 2,
                pointer: 0x10203,
            },
            4,
            2,
            [0, 1, 2, 3],
        ),
    ];
    for (problem, kind, code, rest) in of_v6 {
        let frame = error_v6(200, problem, &udp_v6(4)).unwrap();
        assert_eq!(
            (frame[54], frame[55], &frame[58..62]),
            (kind, code, &rest[..])
        );
        assert_eq!(read_v6(&frame).unwrap().0, problem);
    }
}

#[test]
fn the_quoted_packet_is_read() {
    let packet = udp_v4(100);
    let frame = error_v4(42 + 40, PORT_V4, &packet).unwrap();
    let want = QuotedPacket {
        source: V4.1,
        destination: V4.0,
        protocol: IpProtocol::UDP,
        is_first_fragment: true,
        ports: Some(PORTS),
        length: 128,
        transport: &packet[20..40],
    };
    assert_eq!(read_v4(&frame).unwrap().1, want);
    let packet = udp_v6(100);
    let frame = error_v6(62 + 60, PORT_V6, &packet).unwrap();
    let want = QuotedPacket {
        source: V6.1,
        destination: V6.0,
        protocol: IpProtocol::UDP,
        is_first_fragment: true,
        ports: Some(PORTS),
        length: 108,
        transport: &packet[40..60],
    };
    assert_eq!(read_v6(&frame).unwrap().1, want);
}

/// The message that quotes these bytes.
fn quoting_v4(rest: [u8; 4], quote: &[u8]) -> Vec<u8> {
    let mut message = [&[3, 3, 0, 0][..], &rest, quote].concat();
    set_checksum(&mut message, Sum::ZERO);
    message
}

#[test]
fn malformed_quotes_are_refused() {
    let read = |quote: &[u8]| {
        let message = quoting_v4([0; 4], quote);
        let message = parse_icmpv4(&message).unwrap();
        parse_icmp_error_ipv4(&message).map(|(_, quoted)| (quoted.transport.len(), quoted.ports))
    };
    let packet = udp_v4(4);
    assert_eq!(read(&packet), Ok((12, Some(PORTS))));
    assert_eq!(read(&packet[..24]), Ok((4, Some(PORTS))));
    assert_eq!(read(&packet[..23]), Ok((3, None)));
    assert_eq!(read(&packet[..20]), Ok((0, None)));
    assert_eq!(read(&packet[..19]), Err(QuoteError::Truncated));
    let with = |at: usize, value| {
        let mut packet = packet.clone();
        packet[at] = value;
        packet
    };
    assert_eq!(read(&with(0, 0x65)), Err(QuoteError::Header));
    assert_eq!(read(&with(0, 0x44)), Err(QuoteError::Header));
    assert_eq!(read(&with(0, 0x4f)), Err(QuoteError::Header));
    assert_eq!(read(&with(3, 19)), Err(QuoteError::Header));
    // What follows the packet does not belong to it; options do, and a checksum may be any.
    assert_eq!(read(&with(3, 22)), Ok((2, None)));
    assert_eq!(
        read(&with(0, 0x46)),
        Ok((
            8,
            Some(Ports {
                source: 12,
                destination: u16::from_be_bytes([packet[26], packet[27]])
            })
        ))
    );
    assert_eq!(read(&with(10, 0)), Ok((12, Some(PORTS))));
    let options = [&with(0, 0x4f)[..], &[0; 10]].concat();
    let mut options = options;
    options[3] = 90;
    assert_eq!(read(&options), Err(QuoteError::Truncated));
    // Of another fragment there are no ports.
    assert_eq!(read(&with(7, 1)), Ok((12, None)));
    assert_eq!(read(&with(6, 0x20)), Ok((12, Some(PORTS))));
    assert_eq!(read(&with(9, 1)), Ok((12, None)));

    let other = |kind: u8| {
        let mut message = quoting_v4([0; 4], &packet);
        message[0] = kind;
        message[2..4].fill(0);
        set_checksum(&mut message, Sum::ZERO);
        parse_icmp_error_ipv4(&parse_icmpv4(&message).unwrap()).err()
    };
    for kind in [0, 4, 5, 8, 13] {
        assert_eq!(other(kind), Some(QuoteError::Kind(kind)));
    }
}

#[test]
fn extensions_behind_the_quoted_packet_are_left_out() {
    // RFC 4884: the packet is padded to 128 bytes, and an extension follows.
    let mut quote = udp_v4(400);
    quote.truncate(128);
    quote.extend([0x20, 0, 0, 0, 0, 8, 1, 1, 1, 2, 3, 4]);
    let message = quoting_v4([0, 32, 0, 0], &quote);
    let message = parse_icmpv4(&message).unwrap();
    let (_, quoted) = parse_icmp_error_ipv4(&message).unwrap();
    assert_eq!(quoted.transport, &quote[20..128]);
    let mut quote = udp_v6(400);
    quote.truncate(128);
    quote.extend([0x20; 12]);
    for (kind, rest, len) in [(1, [16, 0, 0, 0], 128), (2, [0, 0, 5, 0], 140)] {
        let header = IcmpHeader {
            kind,
            code: 0,
            checksum: U16::ZERO,
            rest,
        };
        let message = Icmpv6Message {
            header: &header,
            payload: &quote,
        };
        let (_, quoted) = parse_icmp_error_ipv6(&message).unwrap();
        assert_eq!(quoted.transport, &quote[40..len]);
    }
}

/// What is quoted of a packet with this next header and payload.
fn quoted_v6(next_header: u8, payload: &[u8]) -> (u8, bool, Option<Ports>, usize) {
    let mut packet = vec![0; 40];
    let fields = Ipv6Fields::new(V6.0, V6.1, IpProtocol(next_header), 64);
    write_ipv6(&mut packet, &fields, 1000).unwrap();
    packet.extend(payload);
    let frame = error_v6(2000, PORT_V6, &packet).unwrap();
    let (_, quoted) = read_v6(&frame).unwrap();
    (
        quoted.protocol.0,
        quoted.is_first_fragment,
        quoted.ports,
        quoted.transport.len(),
    )
}

#[test]
fn ports_are_found_behind_extension_headers() {
    let mut udp = vec![0; 8];
    udp::write_udp_ipv6(&mut udp, V6.0, V6.1, PORTS, &[]).unwrap();
    let fragment = |offset, more| {
        let mut header = [0; 8];
        write_ipv6_fragment(&mut header, IpProtocol::UDP, offset, more, 1).unwrap();
        header
    };
    let options = [44, 0, 1, 4, 0, 0, 0, 0];
    let first = [&options[..], &fragment(0, true), &udp].concat();
    assert_eq!(quoted_v6(60, &first), (17, true, Some(PORTS), 8));
    let other = [&options[..], &fragment(3, true), &udp].concat();
    assert_eq!(quoted_v6(60, &other), (17, false, None, 8));
    assert_eq!(quoted_v6(60, &options), (44, true, None, 0));
    assert_eq!(quoted_v6(60, &options[..3]), (60, true, None, 3));
    assert_eq!(quoted_v6(17, &udp[..3]), (17, true, None, 3));
    let mut bytes = udp_v6(0);
    bytes[0] = 0x40;
    let frame = error_v6(2000, PORT_V6, &bytes).unwrap();
    assert_eq!(read_v6(&frame), Err(QuoteError::Header));
    let frame = error_v6(2000, PORT_V6, &[0x60; 39]).unwrap();
    assert_eq!(read_v6(&frame), Err(QuoteError::Truncated));
}

fn may_v4(change: impl FnOnce(&mut Vec<u8>), is_to_group: bool) -> bool {
    let mut packet = udp_v4(4);
    change(&mut packet);
    packet[10..12].fill(0);
    let checksum = checksum::sum(&packet[..20]).checksum();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    may_answer_with_error_ipv4(&parse_ipv4(&packet).unwrap(), is_to_group)
}

#[test]
fn ipv4_errors_are_about_what_one_host_sent_to_one_host() {
    assert!(may_v4(|_| {}, false));
    assert!(!may_v4(|_| {}, true));
    let from = |address: [u8; 4]| may_v4(|packet| packet[12..16].copy_from_slice(&address), false);
    for address in [[1, 2, 3, 4], [10, 0, 0, 1], [223, 255, 255, 255]] {
        assert!(from(address), "{address:?}");
    }
    for address in [
        [0; 4],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255; 4],
    ] {
        assert!(!from(address), "{address:?}");
    }
    let to = |address: [u8; 4]| may_v4(|packet| packet[16..20].copy_from_slice(&address), false);
    assert!(!to([224, 0, 0, 1]) && !to([239, 1, 2, 3]) && !to([255; 4]));
    let part = |word: u16| {
        may_v4(
            |packet| packet[6..8].copy_from_slice(&word.to_be_bytes()),
            false,
        )
    };
    assert!(part(0x2000) && part(0x4000) && !part(0x0001) && !part(0x2001));
    let icmp = |kind| {
        let change = |packet: &mut Vec<u8>| {
            packet[9] = 1;
            packet[20] = kind;
        };
        may_v4(change, false)
    };
    let queries = [0, 8, 9, 10, 13, 14, 15, 16, 17, 18];
    for kind in 0..=255 {
        assert_eq!(icmp(kind), queries.contains(&kind), "{kind}");
    }
    // Without a type nobody knows.
    let empty = |packet: &mut Vec<u8>| {
        packet[9] = 1;
        packet[3] = 20;
    };
    assert!(!may_v4(empty, false));
}

fn may_v6(
    (source, destination): (Ipv6Addr, Ipv6Addr),
    (next_header, payload): (u8, &[u8]),
    problem: Icmpv6Problem,
    is_to_group: bool,
) -> bool {
    let mut packet = vec![0; 40];
    let fields = Ipv6Fields::new(source, destination, IpProtocol(next_header), 64);
    write_ipv6(&mut packet, &fields, payload.len()).unwrap();
    packet.extend(payload);
    may_answer_with_error_ipv6(&parse_ipv6(&packet).unwrap(), problem, is_to_group)
}

#[test]
fn ipv6_errors_are_about_what_one_host_sent_to_one_host_but_for_two() {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let parameter = |code| Icmpv6Problem::ParameterProblem { code, pointer: 42 };
    let too_big = Icmpv6Problem::PacketTooBig { mtu: 1280 };
    let udp = (17, &[0; 8][..]);
    for (problem, is_for_groups) in [
        (PORT_V6, false),
        (too_big, true),
        (parameter(0), false),
        (parameter(1), false),
        (parameter(2), true),
        (Icmpv6Problem::TimeExceeded(TimeExceeded::HopLimit), false),
    ] {
        assert!(may_v6(V6, udp, problem, false));
        assert_eq!(may_v6((V6.0, group), udp, problem, false), is_for_groups);
        assert_eq!(may_v6(V6, udp, problem, true), is_for_groups);
        for source in [Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST, group] {
            assert!(!may_v6((source, V6.1), udp, problem, false));
        }
    }
    for kind in 0..=255 {
        let want = kind >= 128 && kind != 137;
        assert_eq!(may_v6(V6, (58, &[kind]), PORT_V6, false), want, "{kind}");
        // Behind options, and in the first fragment.
        let options = [44, 0, 1, 4, 0, 0, 0, 0];
        let fragment = [58, 0, 0, 1, 0, 0, 0, 1];
        let behind = [&options[..], &fragment, &[kind; 8]].concat();
        assert_eq!(may_v6(V6, (60, &behind), too_big, false), want, "{kind}");
    }
    assert!(!may_v6(V6, (58, &[]), PORT_V6, false));
    // Another fragment: of UDP, and of ICMPv6, whose type is not there.
    let fragment = |next| [next, 0, 0, 8, 0, 0, 0, 1, 200];
    assert!(may_v6(V6, (44, &fragment(17)), too_big, false));
    assert!(!may_v6(V6, (44, &fragment(58)), too_big, false));
}

proptest! {
    #[test]
    fn quotes_round_trip_at_any_length(len in 0usize..1400, room in 70usize..700) {
        let packet = udp_v4(len);
        let frame = error_v4(room, PORT_V4, &packet).unwrap();
        prop_assert!(frame.len() <= room.min(14 + 576));
        let (problem, quoted) = read_v4(&frame).unwrap();
        prop_assert_eq!((problem, quoted.ports), (PORT_V4, Some(PORTS)));
        prop_assert_eq!(usize::from(quoted.length), packet.len());
        prop_assert!(packet[20..].starts_with(quoted.transport));
        let packet = udp_v6(len);
        let frame = error_v6(room + 40, PORT_V6, &packet).unwrap();
        prop_assert!(frame.len() <= (room + 40).min(14 + 1280));
        let (problem, quoted) = read_v6(&frame).unwrap();
        prop_assert_eq!((problem, quoted.ports), (PORT_V6, Some(PORTS)));
        prop_assert!(packet[40..].starts_with(quoted.transport));
    }
}
