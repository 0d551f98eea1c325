//! ICMP errors, fragments and resets: two independent parsers read what this crate builds.

use std::net::{Ipv4Addr, Ipv6Addr};

use corelane_wire::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};
use corelane_wire::fragment::{
    plan_ipv4_fragments, plan_ipv6_fragments, write_ipv4_fragment_header,
    write_ipv6_fragment_headers,
};
use corelane_wire::icmp_error::{
    Icmpv4Unreachable, Icmpv6Unreachable, TimeExceeded, build_icmp_error_ipv4,
    build_icmp_error_ipv6,
};
use corelane_wire::tcp::{build_reset_ipv4, build_reset_ipv6};
use corelane_wire::{
    Icmpv4Problem, Icmpv6Problem, MacAddr, TcpFlags, parse_ipv4, parse_ipv6, parse_tcp,
};
use etherparse::icmpv4::{DestUnreachableHeader, ParameterProblemHeader as Parameter4};
use etherparse::icmpv6::{
    DestUnreachableCode, ParameterProblemCode, ParameterProblemHeader as Parameter6,
};
use etherparse::{
    Icmpv4Type, Icmpv6Type, NetSlice, PacketBuilder, SlicedPacket, TcpHeader, TransportSlice,
};
use proptest::prelude::*;
use smoltcp::wire as smol;

const MACS: (MacAddr, MacAddr) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 9]));
const V4: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 9));
const V6: (Ipv6Addr, Ipv6Addr) = (
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9),
);

fn spec<A>((source, destination): (A, A)) -> FrameSpec<A> {
    FrameSpec {
        source_mac: MACS.0,
        destination_mac: MACS.1,
        source,
        destination,
        ttl: 64,
    }
}

const PORTS: Ports = Ports {
    source: 4000,
    destination: 7,
};

/// A packet from the second address to the first.
fn udp_v4(len: usize) -> Vec<u8> {
    let mut frame = vec![0; 42 + len];
    build_udp_ipv4(&mut frame, &spec((V4.1, V4.0)), PORTS, &vec![b'x'; len]).unwrap();
    frame.split_off(14)
}

fn udp_v6(len: usize) -> Vec<u8> {
    let mut frame = vec![0; 62 + len];
    build_udp_ipv6(&mut frame, &spec((V6.1, V6.0)), PORTS, &vec![b'x'; len]).unwrap();
    frame.split_off(14)
}

fn caps() -> smoltcp::phy::ChecksumCapabilities {
    smoltcp::phy::ChecksumCapabilities::default()
}

/// A problem of IPv4, and what etherparse makes of it.
fn problem_v4(mtu: u16, pointer: u8) -> Vec<(Icmpv4Problem, Icmpv4Type)> {
    use DestUnreachableHeader as D;
    use Icmpv4Unreachable as U;
    use etherparse::icmpv4::TimeExceededCode as T;
    let next_hop_mtu = mtu;
    let unreachable = [
        (U::Net, D::Network),
        (U::Host, D::Host),
        (U::Protocol, D::Protocol),
        (U::Port, D::Port),
        (
            U::FragmentationNeeded { mtu },
            D::FragmentationNeeded { next_hop_mtu },
        ),
        (U::Other(5), D::SourceRouteFailed),
        (U::Prohibited, D::FilterProhibited),
    ]
    .map(|(ours, theirs)| {
        (
            Icmpv4Problem::Unreachable(ours),
            Icmpv4Type::DestinationUnreachable(theirs),
        )
    });
    let times = [
        (TimeExceeded::HopLimit, T::TtlExceededInTransit),
        (TimeExceeded::Reassembly, T::FragmentReassemblyTimeExceeded),
    ]
    .map(|(ours, theirs)| {
        (
            Icmpv4Problem::TimeExceeded(ours),
            Icmpv4Type::TimeExceeded(theirs),
        )
    });
    let parameter = (
        Icmpv4Problem::ParameterProblem { code: 0, pointer },
        Icmpv4Type::ParameterProblem(Parameter4::PointerIndicatesError(pointer)),
    );
    unreachable
        .into_iter()
        .chain(times)
        .chain([parameter])
        .collect()
}

fn problem_v6(mtu: u32, pointer: u32) -> Vec<(Icmpv6Problem, Icmpv6Type)> {
    use DestUnreachableCode as D;
    use Icmpv6Unreachable as U;
    use ParameterProblemCode as P;
    use etherparse::icmpv6::TimeExceededCode as T;
    let unreachable = [
        (U::NoRoute, D::NoRoute),
        (U::Prohibited, D::Prohibited),
        (U::BeyondScope, D::BeyondScope),
        (U::Address, D::Address),
        (U::Port, D::Port),
    ]
    .map(|(ours, theirs)| {
        (
            Icmpv6Problem::Unreachable(ours),
            Icmpv6Type::DestinationUnreachable(theirs),
        )
    });
    let times = [
        (TimeExceeded::HopLimit, T::HopLimitExceeded),
        (TimeExceeded::Reassembly, T::FragmentReassemblyTimeExceeded),
    ]
    .map(|(ours, theirs)| {
        (
            Icmpv6Problem::TimeExceeded(ours),
            Icmpv6Type::TimeExceeded(theirs),
        )
    });
    let parameters = [
        P::ErroneousHeaderField,
        P::UnrecognizedNextHeader,
        P::UnrecognizedIpv6Option,
    ];
    let parameters = (0u8..).zip(parameters).map(|(number, code)| {
        (
            Icmpv6Problem::ParameterProblem {
                code: number,
                pointer,
            },
            Icmpv6Type::ParameterProblem(Parameter6 { code, pointer }),
        )
    });
    let too_big = (
        Icmpv6Problem::PacketTooBig { mtu },
        Icmpv6Type::PacketTooBig { mtu },
    );
    unreachable
        .into_iter()
        .chain(times)
        .chain(parameters)
        .chain([too_big])
        .collect()
}

proptest! {
    #[test]
    fn ipv4_errors(mtu: u16, pointer: u8, len in 0usize..900, room in 100usize..700) {
        for (ours, theirs) in problem_v4(mtu, pointer) {
            let packet = udp_v4(len);
            let mut buffer = vec![0; room];
            let n = build_icmp_error_ipv4(&mut buffer, MACS.0, MACS.1, V4.0, V4.1, ours, &packet);
            let frame = &buffer[..n.unwrap()];
            let sliced = SlicedPacket::from_ethernet(frame).unwrap();
            let (Some(NetSlice::Ipv4(net)), Some(TransportSlice::Icmpv4(icmp))) =
                (sliced.net, sliced.transport)
            else {
                panic!("no ICMP in IPv4");
            };
            let header = net.header().to_header();
            prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
            prop_assert_eq!((header.time_to_live, header.dont_fragment), (64, false));
            prop_assert_eq!(header.dscp.value() << 2, 0xc0);
            prop_assert!(header.total_len <= 576);
            prop_assert_eq!(icmp.icmp_type(), theirs);
            prop_assert!(packet.starts_with(icmp.payload()));
            // Smoltcp verifies the checksum.
            let theirs = smol::Ipv4Packet::new_checked(&frame[14..]).unwrap();
            let message = smol::Icmpv4Packet::new_checked(theirs.payload()).unwrap();
            prop_assert!(message.verify_checksum());
            // It reads a quoted packet only if all of it is there.
            let is_whole = icmp.payload() == packet;
            let is_port = ours == Icmpv4Problem::Unreachable(Icmpv4Unreachable::Port);
            if is_port && is_whole {
                let repr = smol::Icmpv4Repr::parse(&message, &caps()).unwrap();
                let smol::Icmpv4Repr::DstUnreachable { reason, header, .. } = repr else {
                    panic!("{repr:?}");
                };
                prop_assert_eq!(reason, smol::Icmpv4DstUnreachable::PortUnreachable);
                prop_assert_eq!((header.src_addr, header.dst_addr), (V4.1, V4.0));
            }
        }
    }

    #[test]
    fn ipv6_errors(mtu: u32, pointer: u32, len in 0usize..1500, room in 120usize..1400) {
        for (ours, theirs) in problem_v6(mtu, pointer) {
            let packet = udp_v6(len);
            let mut buffer = vec![0; room];
            let n = build_icmp_error_ipv6(&mut buffer, MACS.0, MACS.1, V6.0, V6.1, ours, &packet);
            let frame = &buffer[..n.unwrap()];
            let sliced = SlicedPacket::from_ethernet(frame).unwrap();
            let (Some(NetSlice::Ipv6(net)), Some(TransportSlice::Icmpv6(icmp))) =
                (sliced.net, sliced.transport)
            else {
                panic!("no ICMPv6 in IPv6");
            };
            let header = net.header();
            prop_assert!(icmp.is_checksum_valid(header.source(), header.destination()));
            prop_assert_eq!(header.hop_limit(), 64);
            prop_assert!(header.payload_length() <= 1240);
            prop_assert_eq!(icmp.icmp_type(), theirs);
            prop_assert!(packet.starts_with(icmp.payload()));
            if let Icmpv6Problem::PacketTooBig { mtu } = ours {
                let message = smol::Icmpv6Packet::new_checked(&frame[54..]).unwrap();
                let repr = smol::Icmpv6Repr::parse(&V6.0, &V6.1, &message, &caps()).unwrap();
                let smol::Icmpv6Repr::PktTooBig { mtu: read, header, .. } = repr else {
                    panic!("{repr:?}");
                };
                prop_assert_eq!((read, header.src_addr), (mtu, V6.1));
            }
        }
    }

    #[test]
    fn ipv4_fragments(len in 0usize..3000, mtu in 68usize..600) {
        let mut bytes = udp_v4(len);
        // May be fragmented; no router has done so yet.
        bytes[6] = 0;
        bytes[10..12].fill(0);
        let checksum = corelane_wire::checksum::sum(&bytes[..20]).checksum();
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        let packet = parse_ipv4(&bytes).unwrap();
        let mut payload: Vec<u8> = Vec::new();
        for fragment in plan_ipv4_fragments(&packet, mtu).unwrap() {
            let mut whole = vec![0; 20];
            write_ipv4_fragment_header(&mut whole, &packet, &fragment).unwrap();
            whole.extend(&packet.payload[fragment.range]);
            let theirs = smol::Ipv4Packet::new_checked(&whole[..]).unwrap();
            prop_assert!(theirs.verify_checksum() && whole.len() <= mtu);
            prop_assert_eq!(usize::from(theirs.frag_offset()), payload.len());
            payload.extend(theirs.payload());
            prop_assert_eq!(theirs.more_frags(), payload.len() < packet.payload.len());
            let slice = etherparse::Ipv4Slice::from_slice(&whole).unwrap();
            prop_assert_eq!(slice.header().source_addr(), V4.1);
        }
        prop_assert_eq!(payload, packet.payload);
    }

    #[test]
    fn ipv6_fragments(len in 1300usize..5000, mtu in 1280usize..1600, identification: u32) {
        let bytes = udp_v6(len);
        let packet = parse_ipv6(&bytes).unwrap();
        let plan = plan_ipv6_fragments(&packet, mtu).unwrap();
        let mut payload: Vec<u8> = Vec::new();
        for fragment in plan.clone() {
            let mut whole = vec![0; 48];
            let id = identification;
            write_ipv6_fragment_headers(&mut whole, &packet, &plan, &fragment, id).unwrap();
            whole.extend(&packet.payload[fragment.range]);
            prop_assert!(whole.len() <= mtu);
            let slice = etherparse::Ipv6Slice::from_slice(&whole).unwrap();
            prop_assert_eq!(slice.payload().ip_number, etherparse::ip_number::UDP);
            let theirs = smol::Ipv6Packet::new_checked(&whole[..]).unwrap();
            prop_assert_eq!(theirs.next_header(), smol::IpProtocol::Ipv6Frag);
            let extension = smol::Ipv6ExtHeader::new_checked(theirs.payload()).unwrap();
            prop_assert_eq!(extension.next_header(), smol::IpProtocol::Udp);
            let theirs = smol::Ipv6FragmentHeader::new_checked(extension.payload()).unwrap();
            prop_assert_eq!(usize::from(theirs.frag_offset()) * 8, payload.len());
            prop_assert_eq!(theirs.ident(), identification);
            payload.extend(slice.payload().payload);
            prop_assert_eq!(theirs.more_frags(), payload.len() < packet.payload.len());
        }
        prop_assert_eq!(payload, packet.payload);
    }

    #[test]
    fn resets(
        sequence: u32,
        acknowledgement: u32,
        flags in any::<[bool; 4]>(),
        data in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let [syn, ack, fin, rst] = flags;
        let mut header = TcpHeader::new(4000, 80, sequence, 1000);
        (header.syn, header.ack, header.fin, header.rst) = (syn, ack, fin, rst);
        header.acknowledgment_number = acknowledgement;
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(V4.1.octets(), V4.0.octets(), 64);
        builder.tcp_header(header).write(&mut packet, &data).unwrap();
        let segment = parse_tcp(&packet[20..]).unwrap();
        let mut buffers = ([0; 60], [0; 80]);
        let v4 = build_reset_ipv4(&mut buffers.0, &spec(V4), &segment).unwrap();
        let v6 = build_reset_ipv6(&mut buffers.1, &spec(V6), &segment).unwrap();
        if rst {
            prop_assert_eq!((v4, v6), (None, None));
            return Ok(());
        }
        prop_assert_eq!((v4, v6), (Some(54), Some(74)));
        prop_assert!(build_reset_ipv4(&mut [0; 53], &spec(V4), &segment).is_err());
        let next = sequence.wrapping_add(data.len() as u32 + u32::from(syn) + u32::from(fin));
        let frames = [
            (&buffers.0[..54], smol::IpAddress::from(V4.0), V4.1.into()),
            (&buffers.1[..74], V6.0.into(), V6.1.into()),
        ];
        for (frame, source, destination) in frames {
            let sliced = SlicedPacket::from_ethernet(frame).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else {
                panic!("no TCP");
            };
            prop_assert_eq!((tcp.source_port(), tcp.destination_port()), (80, 4000));
            prop_assert!(tcp.rst() && !tcp.syn() && !tcp.fin());
            prop_assert_eq!(tcp.ack(), !ack);
            let want = if ack { (acknowledgement, 0) } else { (0, next) };
            prop_assert_eq!((tcp.sequence_number(), tcp.acknowledgment_number()), want);
            let theirs = smol::TcpPacket::new_checked(tcp.slice()).unwrap();
            prop_assert!(theirs.verify_checksum(&source, &destination));
        }
        let flags = parse_tcp(&buffers.0[34..54]).unwrap().flags();
        prop_assert!(flags.contains(TcpFlags::RST));
    }
}
