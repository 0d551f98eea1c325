//! What this crate builds, two independent parsers read with the same fields.

use std::net::{Ipv4Addr, Ipv6Addr};

use corelane_wire::build::{
    FrameSpec, Ports, build_arp, build_echo_ipv4, build_echo_ipv6, build_ipv4, build_udp_ipv4,
    build_udp_ipv6,
};
use corelane_wire::ipv4::{Fragmentation, Ipv4Fields};
use corelane_wire::{ArpOperation, ArpPacket, Echo, EchoKind, IpProtocol, MacAddr};
use etherparse::{Icmpv4Type, Icmpv6Type, LinkSlice, NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;
use smoltcp::wire as smol;

fn spec<A, const N: usize>() -> impl Strategy<Value = FrameSpec<A>>
where
    A: From<[u8; N]> + std::fmt::Debug,
    [u8; N]: Arbitrary,
{
    any::<([u8; 6], [u8; 6], [u8; N], [u8; N], u8)>().prop_map(
        |(a, b, source, destination, ttl)| FrameSpec {
            source_mac: MacAddr(a),
            destination_mac: MacAddr(b),
            source: source.into(),
            destination: destination.into(),
            ttl,
        },
    )
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

fn caps() -> smoltcp::phy::ChecksumCapabilities {
    smoltcp::phy::ChecksumCapabilities::default()
}

/// Reads the Ethernet header with both and returns its payload.
fn ethernet(frame: &[u8], source: MacAddr, destination: MacAddr, kind: u16) -> &[u8] {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(LinkSlice::Ethernet2(link)) = sliced.link else {
        panic!("no Ethernet header")
    };
    assert_eq!(
        (link.source(), link.destination()),
        (source.0, destination.0)
    );
    assert_eq!(link.ether_type().0, kind);
    let smol = smol::EthernetFrame::new_checked(frame).unwrap();
    assert_eq!(smol.src_addr().0, source.0);
    assert_eq!(smol.dst_addr().0, destination.0);
    assert_eq!(u16::from(smol.ethertype()), kind);
    smol.payload()
}

/// Reads headers up to IPv4 with both and returns the payload.
fn ipv4<'a>(frame: &'a [u8], spec: &FrameSpec<Ipv4Addr>, protocol: IpProtocol) -> &'a [u8] {
    let packet = ethernet(frame, spec.source_mac, spec.destination_mac, 0x0800);
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(NetSlice::Ipv4(net)) = sliced.net else {
        panic!("no IPv4 header")
    };
    let header = net.header();
    assert_eq!(header.source_addr(), spec.source);
    assert_eq!(header.destination_addr(), spec.destination);
    assert_eq!((header.ttl(), header.protocol().0), (spec.ttl, protocol.0));
    assert_eq!(
        header.header_checksum(),
        header.to_header().calc_header_checksum()
    );
    let smol = smol::Ipv4Packet::new_checked(packet).unwrap();
    let repr = smol::Ipv4Repr::parse(&smol, &caps());
    assert!(smol.verify_checksum());
    assert_eq!(smol.version(), 4);
    assert_eq!(
        (smol.src_addr(), smol.dst_addr()),
        (spec.source, spec.destination)
    );
    assert_eq!(
        (smol.hop_limit(), u8::from(smol.next_header())),
        (spec.ttl, protocol.0)
    );
    assert!(repr.is_ok() && smol.dont_frag());
    smol.payload()
}

/// Reads headers up to IPv6 with both and returns the payload.
fn ipv6<'a>(frame: &'a [u8], spec: &FrameSpec<Ipv6Addr>, next_header: IpProtocol) -> &'a [u8] {
    let packet = ethernet(frame, spec.source_mac, spec.destination_mac, 0x86dd);
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(NetSlice::Ipv6(net)) = sliced.net else {
        panic!("no IPv6 header")
    };
    let header = net.header();
    assert_eq!(header.source_addr(), spec.source);
    assert_eq!(header.destination_addr(), spec.destination);
    assert_eq!(
        (header.hop_limit(), header.next_header().0),
        (spec.ttl, next_header.0)
    );
    let smol = smol::Ipv6Packet::new_checked(packet).unwrap();
    assert_eq!(smol.version(), 6);
    assert_eq!(
        (smol.src_addr(), smol.dst_addr()),
        (spec.source, spec.destination)
    );
    assert_eq!(
        (smol.hop_limit(), u8::from(smol.next_header())),
        (spec.ttl, next_header.0)
    );
    assert_eq!((smol.traffic_class(), smol.flow_label()), (0, 0));
    smol.payload()
}

fn udp(
    frame: &[u8],
    transport: &[u8],
    addresses: (smol::IpAddress, smol::IpAddress),
    ports: Ports,
    payload: &[u8],
) {
    let smol = smol::UdpPacket::new_checked(transport).unwrap();
    assert!(smol.checksum() != 0 && smol.verify_checksum(&addresses.0, &addresses.1));
    assert_eq!(
        (smol.src_port(), smol.dst_port()),
        (ports.source, ports.destination)
    );
    assert_eq!(smol.payload(), payload);
    let Some(TransportSlice::Udp(udp)) = SlicedPacket::from_ethernet(frame).unwrap().transport
    else {
        panic!("no UDP header")
    };
    assert_eq!(
        (udp.source_port(), udp.destination_port()),
        (ports.source, ports.destination)
    );
    assert_eq!(udp.payload(), payload);
    let header = udp.to_header();
    let checksum = match (addresses.0, addresses.1) {
        (smol::IpAddress::Ipv4(a), smol::IpAddress::Ipv4(b)) => {
            header.calc_checksum_ipv4_raw(a.octets(), b.octets(), payload)
        }
        (smol::IpAddress::Ipv6(a), smol::IpAddress::Ipv6(b)) => {
            header.calc_checksum_ipv6_raw(a.octets(), b.octets(), payload)
        }
        _ => panic!("addresses of two kinds"),
    };
    assert_eq!(Ok(udp.checksum()), checksum);
}

fn kind(reply: bool) -> EchoKind {
    if reply {
        EchoKind::Reply
    } else {
        EchoKind::Request
    }
}

proptest! {
    #[test]
    fn udp_in_ipv4(spec in spec::<Ipv4Addr, 4>(), source: u16, destination: u16, payload in bytes()) {
        let ports = Ports { source, destination };
        let mut buffer = [0xee; 700];
        let len = build_udp_ipv4(&mut buffer, &spec, ports, &payload).unwrap();
        let frame = &buffer[..len];
        let transport = ipv4(frame, &spec, IpProtocol::UDP);
        udp(frame, transport, (spec.source.into(), spec.destination.into()), ports, &payload);
    }

    #[test]
    fn udp_in_ipv6(spec in spec::<Ipv6Addr, 16>(), source: u16, destination: u16, payload in bytes()) {
        let ports = Ports { source, destination };
        let mut buffer = [0xee; 700];
        let len = build_udp_ipv6(&mut buffer, &spec, ports, &payload).unwrap();
        let frame = &buffer[..len];
        let transport = ipv6(frame, &spec, IpProtocol::UDP);
        udp(frame, transport, (spec.source.into(), spec.destination.into()), ports, &payload);
    }

    #[test]
    fn echo_in_ipv4(
        spec in spec::<Ipv4Addr, 4>(),
        reply: bool,
        identifier: u16,
        sequence: u16,
        data in bytes(),
    ) {
        let echo = Echo { kind: kind(reply), identifier, sequence, data: &data };
        let mut buffer = [0xee; 700];
        let len = build_echo_ipv4(&mut buffer, &spec, &echo).unwrap();
        let frame = &buffer[..len];
        let message = smol::Icmpv4Packet::new_checked(ipv4(frame, &spec, IpProtocol::ICMPV4)).unwrap();
        let (ident, seq_no) = (identifier, sequence);
        let want = match echo.kind {
            EchoKind::Request => smol::Icmpv4Repr::EchoRequest { ident, seq_no, data: &data },
            EchoKind::Reply => smol::Icmpv4Repr::EchoReply { ident, seq_no, data: &data },
        };
        prop_assert_eq!(smol::Icmpv4Repr::parse(&message, &caps()), Ok(want));

        let sliced = SlicedPacket::from_ethernet(frame).unwrap();
        let Some(TransportSlice::Icmpv4(icmp)) = sliced.transport else { panic!("no ICMP") };
        let header = etherparse::IcmpEchoHeader { id: identifier, seq: sequence };
        let want = match echo.kind {
            EchoKind::Request => Icmpv4Type::EchoRequest(header),
            EchoKind::Reply => Icmpv4Type::EchoReply(header),
        };
        prop_assert_eq!(icmp.checksum(), want.calc_checksum(&data));
        prop_assert_eq!(icmp.icmp_type(), want);
        prop_assert_eq!(icmp.payload(), &data[..]);
    }

    #[test]
    fn echo_in_ipv6(
        spec in spec::<Ipv6Addr, 16>(),
        reply: bool,
        identifier: u16,
        sequence: u16,
        data in bytes(),
    ) {
        let echo = Echo { kind: kind(reply), identifier, sequence, data: &data };
        let mut buffer = [0xee; 700];
        let len = build_echo_ipv6(&mut buffer, &spec, &echo).unwrap();
        let frame = &buffer[..len];
        let message = smol::Icmpv6Packet::new_checked(ipv6(frame, &spec, IpProtocol::ICMPV6)).unwrap();
        let (ident, seq_no) = (identifier, sequence);
        let want = match echo.kind {
            EchoKind::Request => smol::Icmpv6Repr::EchoRequest { ident, seq_no, data: &data },
            EchoKind::Reply => smol::Icmpv6Repr::EchoReply { ident, seq_no, data: &data },
        };
        let parsed = smol::Icmpv6Repr::parse(&spec.source, &spec.destination, &message, &caps());
        prop_assert_eq!(parsed, Ok(want));

        let sliced = SlicedPacket::from_ethernet(frame).unwrap();
        let Some(TransportSlice::Icmpv6(icmp)) = sliced.transport else { panic!("no ICMPv6") };
        let header = etherparse::IcmpEchoHeader { id: identifier, seq: sequence };
        let want = match echo.kind {
            EchoKind::Request => Icmpv6Type::EchoRequest(header),
            EchoKind::Reply => Icmpv6Type::EchoReply(header),
        };
        prop_assert!(icmp.is_checksum_valid(spec.source.octets(), spec.destination.octets()));
        prop_assert_eq!(icmp.icmp_type(), want);
        prop_assert_eq!(icmp.payload(), &data[..]);
    }

    #[test]
    fn ipv4_with_all_fields(
        addresses: ([u8; 4], [u8; 4]),
        traffic_class: u8,
        identification: u16,
        offset in 0u16..0x2000,
        kind in 0..4,
        payload in bytes(),
    ) {
        let more = kind == 3;
        let fragmentation = match kind {
            0 => Fragmentation::Forbidden,
            1 => Fragmentation::Allowed,
            _ => Fragmentation::Fragment { offset, more },
        };
        let (source, destination) = (addresses.0.into(), addresses.1.into());
        let fields = Ipv4Fields {
            traffic_class,
            identification,
            fragmentation,
            ..Ipv4Fields::new(source, destination, IpProtocol::ESP, 1)
        };
        let mut buffer = [0xee; 700];
        let mac = MacAddr([2; 6]);
        let len = build_ipv4(&mut buffer, mac, mac, &fields, &payload).unwrap();
        let smol = smol::Ipv4Packet::new_checked(&buffer[14..len]).unwrap();
        prop_assert!(smol.verify_checksum());
        prop_assert_eq!((smol.dscp(), smol.ecn()), (traffic_class >> 2, traffic_class & 3));
        prop_assert_eq!(smol.ident(), identification);
        prop_assert_eq!(smol.dont_frag(), kind == 0);
        prop_assert_eq!(smol.more_frags(), more);
        prop_assert_eq!(smol.frag_offset(), if kind < 2 { 0 } else { offset * 8 });
        prop_assert_eq!(smol.payload(), &payload[..]);
        let slice = etherparse::Ipv4Slice::from_slice(&buffer[14..len]).unwrap();
        let header = slice.header();
        prop_assert_eq!(header.identification(), identification);
        prop_assert_eq!(header.fragments_offset().value(), if kind < 2 { 0 } else { offset });
        prop_assert_eq!((header.dont_fragment(), header.more_fragments()), (kind == 0, more));
        prop_assert_eq!(slice.payload().payload, &payload[..]);
    }

    #[test]
    fn arp(
        reply: bool,
        sender: ([u8; 6], [u8; 4]),
        target: ([u8; 6], [u8; 4]),
        to: [u8; 6],
    ) {
        let operation = if reply { ArpOperation::REPLY } else { ArpOperation::REQUEST };
        let packet = ArpPacket::new(
            operation,
            (MacAddr(sender.0), sender.1.into()),
            (MacAddr(target.0), target.1.into()),
        );
        let mut buffer = [0xee; 60];
        let len = build_arp(&mut buffer, MacAddr(to), &packet).unwrap();
        let payload = ethernet(&buffer[..len], MacAddr(sender.0), MacAddr(to), 0x0806);
        let smol = smol::ArpPacket::new_checked(payload).unwrap();
        let repr = smol::ArpRepr::EthernetIpv4 {
            operation: if reply { smol::ArpOperation::Reply } else { smol::ArpOperation::Request },
            source_hardware_addr: smol::EthernetAddress(sender.0),
            source_protocol_addr: sender.1.into(),
            target_hardware_addr: smol::EthernetAddress(target.0),
            target_protocol_addr: target.1.into(),
        };
        prop_assert_eq!(smol::ArpRepr::parse(&smol), Ok(repr));
        let sliced = SlicedPacket::from_ethernet(&buffer[..len]).unwrap();
        let Some(NetSlice::Arp(arp)) = sliced.net else { panic!("no ARP") };
        prop_assert_eq!(arp.operation().0, operation.0);
        prop_assert_eq!(arp.sender_hw_addr(), &sender.0);
        prop_assert_eq!(arp.sender_protocol_addr(), &sender.1);
        prop_assert_eq!(arp.target_hw_addr(), &target.0);
        prop_assert_eq!(arp.target_protocol_addr(), &target.1);
    }
}
