//! Packets of other links as Ethernet frames, and link types that are refused.

use super::super::fixture::{MICROSECONDS, ORDERS, Order, PcapFile};
use super::super::{CaptureCounts, LinkKind, LinkType, PcapError};
use super::{frame, frames};

fn with(link_type: u32, packets: &[&[u8]]) -> PcapFile {
    let file = PcapFile::new(Order::Little, MICROSECONDS, link_type);
    packets
        .iter()
        .fold(file, |file, packet| file.packet(1, 0, packet))
}

/// What a substituted header must look like.
fn expected(source: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[0; 6][..], &source, &ethertype.to_be_bytes(), payload].concat()
}

const V4: &[u8] = &[0x45, 1, 2, 3, 4, 5, 6, 7];
const V6: &[u8] = &[0x60, 1, 2, 3, 4, 5, 6, 7];

#[test]
fn raw_ip() {
    for number in [12, 14, 101] {
        let capture = with(number, &[V4, V6, &[0x50, 0], &[]]).open();
        assert_eq!(
            frames(&capture),
            [expected([0; 6], 0x0800, V4), expected([0; 6], 0x86dd, V6)]
        );
        let counts = capture.counts();
        assert_eq!(
            (counts.packets, counts.unknown_protocol, counts.zero_length),
            (2, 1, 1)
        );
    }
    // These say the version themselves; what the packet says is its receiver's to judge.
    assert_eq!(
        frames(&with(228, &[V6]).open()),
        [expected([0; 6], 0x0800, V6)]
    );
    assert_eq!(
        frames(&with(229, &[V4]).open()),
        [expected([0; 6], 0x86dd, V4)]
    );
}

#[test]
fn loopback_of_both_orders() {
    for number in [0, 108] {
        for order in ORDERS {
            let packet = |family: u32, payload: &[u8]| [&order.u32(family)[..], payload].concat();
            let mut packets = vec![packet(2, V4)];
            packets.extend([10, 24, 28, 30].map(|family| packet(family, V6)));
            packets.extend([packet(16, V4), packet(0x0202, V4), packet(2, &[])]);
            packets.push(vec![2, 0, 0]);
            let packets: Vec<_> = packets.iter().map(Vec::as_slice).collect();
            let capture = with(number, &packets).open();
            let mut wanted = vec![expected([0; 6], 0x0800, V4)];
            wanted.resize(5, expected([0; 6], 0x86dd, V6));
            wanted.push(expected([0; 6], 0x0800, &[]));
            assert_eq!(frames(&capture), wanted);
            let counts = capture.counts();
            assert_eq!((counts.unknown_protocol, counts.header_too_short), (2, 1));
        }
    }
}

/// Version 1: packet type, hardware type, address length, address, protocol.
fn sll(address_len: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 1];
    packet.extend(address_len.to_be_bytes());
    packet.extend([0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x77, 0x77]);
    packet.extend(protocol.to_be_bytes());
    packet.extend(payload);
    packet
}

/// Version 2: protocol, reserved, interface, hardware type, packet type, address length, address.
fn sll2(address_len: u8, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = protocol.to_be_bytes().to_vec();
    packet.extend([0, 0, 0, 0, 0, 3, 0, 1, 4, address_len]);
    packet.extend([0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x77, 0x77]);
    packet.extend(payload);
    packet
}

#[test]
fn linux_cooked() {
    const MAC: [u8; 6] = [0xa, 0xb, 0xc, 0xd, 0xe, 0xf];
    let wanted = [
        expected(MAC, 0x0800, V4),
        expected([0; 6], 0x86dd, V6),
        expected([0; 6], 0x0806, V4),
        // 802.3 with LLC, and without: a length. Any other small number stays.
        expected(MAC, 8, V4),
        expected(MAC, 8, V4),
        expected(MAC, 0x000c, V4),
        expected(MAC, 0x0800, &[]),
    ];
    let cases: [(u8, u16, &[u8]); 7] = [
        (6, 0x0800, V4),
        (0, 0x86dd, V6),
        (8, 0x0806, V4),
        (6, 4, V4),
        (6, 1, V4),
        (6, 0x000c, V4),
        (6, 0x0800, &[]),
    ];
    let v1: Vec<_> = cases
        .iter()
        .map(|&(len, p, data)| sll(len.into(), p, data))
        .collect();
    let v2: Vec<_> = cases
        .iter()
        .map(|&(len, p, data)| sll2(len, p, data))
        .collect();
    for (number, kind, mut packets) in [
        (113, LinkKind::LinuxSll, v1),
        (276, LinkKind::LinuxSll2, v2),
    ] {
        let header = packets[6].len();
        packets.push(packets[6][..header - 1].to_vec());
        let packets: Vec<_> = packets.iter().map(Vec::as_slice).collect();
        let capture = with(number, &packets).open();
        assert_eq!(frames(&capture), wanted);
        assert_eq!(capture.counts().header_too_short, 1);
        assert!(capture.packets().all(|packet| packet.link() == kind));
    }
}

#[test]
fn a_long_802_3_payload_gets_the_largest_length() {
    let payload = vec![7; 3000];
    let capture = with(113, &[&sll(6, 4, &payload)]).open();
    let bytes = frame(&capture.get(0).expect("a packet"));
    assert_eq!(bytes[12..14], 1500u16.to_be_bytes());
}

#[test]
fn lengths_are_those_of_the_frame() {
    let packet = sll(6, 0x0800, V4);
    let len = packet.len() as u32;
    let capture = PcapFile::new(Order::Big, MICROSECONDS, 113)
        .record(1, 0, len, len + 100, &packet)
        .record(1, 0, len, len, &packet)
        .open();
    let lengths: Vec<_> = capture
        .packets()
        .map(|p| (p.len(), p.original_len()))
        .collect();
    assert_eq!(lengths, [(22, 122), (22, 22)]);
    assert_eq!(capture.counts().snap_truncated, 1);
}

#[test]
fn the_bits_above_a_link_type_do_not_count() {
    // A frame check sequence of 2 * 16 bits, said with and without the bit that says so.
    for number in [0x2400_0001, 0x3000_0001, 0xf000_0001, 0x0400_0001] {
        let capture = with(number, &[&[1; 20]]).open();
        assert_eq!(
            capture.counts(),
            CaptureCounts {
                packets: 1,
                ..CaptureCounts::default()
            }
        );
    }
    // A reserved bit may mean anything.
    let error = with(0x0001_0001, &[]).refuse();
    assert!(matches!(
        error,
        PcapError::LinkType {
            link_type: LinkType(0x1_0001),
            ..
        }
    ));
}

#[test]
fn other_link_types_are_refused_by_number_and_name() {
    for (number, words) in [
        (9, "9 (PPP)"),
        (50, "50 (PPP in HDLC framing)"),
        (104, "104 (Cisco HDLC)"),
        (105, "105 (IEEE 802.11)"),
        (107, "107 (Frame Relay)"),
        (119, "119 (802.11 with Prism header)"),
        (127, "127 (802.11 with radiotap header)"),
        (147, "147 (USER0)"),
        (162, "162 (USER15)"),
        (189, "189 (USB of Linux)"),
        (192, "192 (PPI)"),
        (195, "195 (IEEE 802.15.4)"),
        (60_000, "60000 (unknown)"),
    ] {
        let error = with(number, &[V4]).refuse();
        assert!(
            matches!(error, PcapError::LinkType { link_type: LinkType(n), interface: None, .. } if n == number)
        );
        let message = error.to_string();
        assert!(
            message.contains("test.pcap: link type ") && message.contains(words),
            "{message}"
        );
    }
}

#[test]
fn every_supported_link_type_has_a_name() {
    for number in (0..=0xffff).filter(|&n| LinkKind::of(LinkType(n)).is_some()) {
        assert!(LinkType(number).name().is_some(), "{number}");
    }
}
