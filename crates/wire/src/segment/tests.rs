use super::*;
use crate::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};
use crate::ipv4::{Fragmentation, Ipv4Fields, write_ipv4};
use crate::ipv6::{Ipv6Fields, write_ipv6};
use crate::tcp::TcpHeader;
use crate::{MacAddr, parse_udp};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};
use zerocopy::IntoBytes;
use zerocopy::network_endian::{U16, U32};

const V4: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
const V6: (Ipv6Addr, Ipv6Addr) = (
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2),
);
const ALL_FLAGS: TcpFlags = TcpFlags(!(TcpFlags::SYN.0 | TcpFlags::RST.0));

/// What is in front of a TCP header, without a checksum.
fn ethernet(ethertype: EtherType, tags: usize) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9];
    for _ in 0..tags {
        bytes.extend([0x81, 0, 0, 5]);
    }
    bytes.extend(ethertype.0.to_be_bytes());
    bytes
}

fn tcp(sequence: u32, options: usize, payload: &[u8]) -> Vec<u8> {
    let header = TcpHeader {
        source_port: U16::new(4000),
        destination_port: U16::new(80),
        sequence: U32::new(sequence),
        acknowledgement: U32::new(77),
        data_offset: (((20 + options * 4) / 4) << 4) as u8,
        flags: ALL_FLAGS,
        window: U16::new(500),
        checksum: U16::new(0xbeef),
        urgent: U16::ZERO,
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend((0..options * 4).map(|_| 1));
    bytes.extend(payload);
    bytes
}

fn tcp_v4(tags: usize, sequence: u32, options: usize, payload: &[u8]) -> Vec<u8> {
    let segment = tcp(sequence, options, payload);
    let mut bytes = ethernet(EtherType::IPV4, tags);
    let fields = Ipv4Fields {
        identification: 0xffff,
        fragmentation: Fragmentation::Forbidden,
        ..Ipv4Fields::new(V4.0, V4.1, IpProtocol::TCP, 64)
    };
    let mut header = [0; 20];
    write_ipv4(&mut header, &fields, segment.len()).unwrap();
    bytes.extend(header);
    bytes.extend(segment);
    bytes
}

/// `extended`: with a destination options header.
fn tcp_v6(sequence: u32, options: usize, payload: &[u8], extended: bool) -> Vec<u8> {
    let segment = tcp(sequence, options, payload);
    let mut bytes = ethernet(EtherType::IPV6, 0);
    let next = if extended {
        IpProtocol::IPV6_DESTINATION_OPTIONS
    } else {
        IpProtocol::TCP
    };
    let extension: &[u8] = if extended {
        &[6, 0, 1, 4, 0, 0, 0, 0]
    } else {
        &[]
    };
    let fields = Ipv6Fields::new(V6.0, V6.1, next, 64);
    let mut header = [0; 40];
    write_ipv6(&mut header, &fields, extension.len() + segment.len()).unwrap();
    bytes.extend(header);
    bytes.extend(extension);
    bytes.extend(segment);
    bytes
}

fn cut(frame: &[u8], kind: SegmentKind, size: u16) -> Vec<Vec<u8>> {
    let whole = SuperFrame::parse(frame, kind, size.try_into().unwrap()).unwrap();
    let write = |index| {
        let mut buffer = vec![0xaa; 1 << 16];
        let len = whole.write(index, &mut buffer).unwrap();
        let short = whole.write(index, &mut vec![0; len - 1]);
        assert!(short.is_err(), "into less than it needs");
        buffer.truncate(len);
        buffer
    };
    (0..whole.count()).map(write).collect()
}

/// Whether lengths and checksums are what another library makes of the segment, and its payload.
fn check(segment: &[u8]) -> Vec<u8> {
    let sliced = SlicedPacket::from_ethernet(segment).unwrap();
    let net = sliced.net.unwrap();
    match (&net, sliced.transport.unwrap()) {
        (NetSlice::Ipv4(ip), TransportSlice::Tcp(tcp)) => {
            let header = ip.header().to_header();
            assert_eq!(header.calc_header_checksum(), header.header_checksum);
            let sum = tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination());
            assert_eq!(sum, Ok(tcp.checksum()));
            tcp.payload().to_vec()
        }
        (NetSlice::Ipv6(ip), TransportSlice::Tcp(tcp)) => {
            let (from, to) = (ip.header().source(), ip.header().destination());
            assert_eq!(tcp.calc_checksum_ipv6(from, to), Ok(tcp.checksum()));
            tcp.payload().to_vec()
        }
        (NetSlice::Ipv4(ip), TransportSlice::Udp(udp)) => {
            let (header, payload) = (udp.to_header(), udp.payload());
            let ip = ip.header().to_header();
            assert_eq!(ip.calc_header_checksum(), ip.header_checksum);
            let sum = header.calc_checksum_ipv4(&ip, payload);
            assert_eq!(sum, Ok(header.checksum));
            payload.to_vec()
        }
        (NetSlice::Ipv6(ip), TransportSlice::Udp(udp)) => {
            let (header, payload) = (udp.to_header(), udp.payload());
            let sum = header.calc_checksum_ipv6(&ip.header().to_header(), payload);
            assert_eq!(sum, Ok(header.checksum));
            payload.to_vec()
        }
        _ => panic!("neither"),
    }
}

fn check_tcp(frame: &[u8], kind: SegmentKind, size: u16, sequence: u32, payload: &[u8]) {
    let segments = cut(frame, kind, size);
    assert_eq!(segments.len(), payload.len().div_ceil(size.into()).max(1));
    let (mut joined, last) = (Vec::new(), segments.len() - 1);
    for (index, segment) in segments.iter().enumerate() {
        let part = check(segment);
        assert!(index == last || part.len() == usize::from(size));
        let sliced = SlicedPacket::from_ethernet(segment).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else {
            panic!("no TCP");
        };
        let moved = sequence.wrapping_add(joined.len() as u32);
        assert_eq!(tcp.sequence_number(), moved);
        assert_eq!((tcp.fin(), tcp.psh()), (index == last, index == last));
        assert_eq!(tcp.cwr(), index == 0);
        assert!(tcp.ack() && tcp.ece() && tcp.urg());
        if let Some(NetSlice::Ipv4(ip)) = sliced.net {
            let id = 0xffff_u16.wrapping_add(index as u16);
            assert_eq!(ip.header().identification(), id);
            assert!(ip.header().dont_fragment());
        }
        joined.extend(part);
    }
    assert_eq!(joined, payload);
}

proptest! {
    #[test]
    fn tcp_segments_are_the_whole(
        payload in vec(any::<u8>(), 0..5000),
        size in 1u16..2000,
        sequence: u32,
        options in 0usize..=10,
        tags in 0usize..=2,
        extended: bool,
    ) {
        // So that it wraps around now and then.
        let sequence = sequence | 0xffff_f000;
        let v4 = tcp_v4(tags, sequence, options, &payload);
        check_tcp(&v4, SegmentKind::TcpV4, size, sequence, &payload);
        let v6 = tcp_v6(sequence, options, &payload, extended);
        check_tcp(&v6, SegmentKind::TcpV6, size, sequence, &payload);
    }

    #[test]
    fn udp_datagrams_are_the_whole(payload in vec(any::<u8>(), 0..5000), size in 1u16..2000) {
        let spec = |source, destination| FrameSpec {
            source_mac: MacAddr([2, 0, 0, 0, 0, 9]),
            destination_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            source,
            destination,
            ttl: 64,
        };
        let ports = Ports { source: 4000, destination: 7 };
        let mut v4 = vec![0; 42 + payload.len()];
        build_udp_ipv4(&mut v4, &spec(V4.0, V4.1), ports, &payload).unwrap();
        let mut v6 = vec![0; 62 + payload.len()];
        let spec = FrameSpec {
            source_mac: MacAddr([2, 0, 0, 0, 0, 9]),
            destination_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            source: V6.0,
            destination: V6.1,
            ttl: 64,
        };
        build_udp_ipv6(&mut v6, &spec, ports, &payload).unwrap();
        for (frame, transport) in [(v4, 34), (v6, 54)] {
            let datagrams = cut(&frame, SegmentKind::Udp, size);
            let mut joined = Vec::new();
            for datagram in &datagrams {
                joined.extend(check(datagram));
                let udp = parse_udp(&datagram[transport..]).unwrap();
                prop_assert_eq!((udp.source_port(), udp.destination_port()), (4000, 7));
            }
            prop_assert_eq!(&joined, &payload);
            prop_assert_eq!(datagrams.len(), payload.len().div_ceil(size.into()).max(1));
        }
    }

    /// Whatever is broken, what comes out is refused or as long as it says.
    #[test]
    fn anything_may_be_said_to_be_a_super_frame(
        payload in vec(any::<u8>(), 0..200),
        kind in 0usize..3,
        size in 1u16..,
        broken in vec((any::<usize>(), any::<u8>()), 0..6),
        len: usize,
        v6: bool,
    ) {
        let mut frame = if v6 { tcp_v6(1, 3, &payload, true) } else { tcp_v4(1, 1, 3, &payload) };
        for (at, byte) in broken {
            let at = at % frame.len();
            frame[at] = byte;
        }
        frame.truncate(len % (frame.len() + 1));
        let kinds = [SegmentKind::TcpV4, SegmentKind::TcpV6, SegmentKind::Udp];
        if let Ok(whole) = SuperFrame::parse(&frame, kinds[kind], size.try_into().unwrap()) {
            prop_assert!(whole.header_len() + whole.payload().len() <= frame.len());
            for index in [0, whole.count() - 1, whole.count(), usize::MAX] {
                let mut buffer = vec![0; 1 << 16];
                let len = whole.write(index, &mut buffer).unwrap();
                prop_assert!(len <= whole.segmentation().longest_segment());
            }
        }
    }
}

#[test]
fn what_is_not_of_the_kind_is_refused() {
    let size = NonZeroU16::new(100).unwrap();
    let parse = |frame: &[u8], kind| SuperFrame::parse(frame, kind, size).map(|it| it.count());
    let (v4, v6) = (tcp_v4(0, 1, 0, &[1; 250]), tcp_v6(1, 0, &[1; 250], false));
    assert_eq!(parse(&v4, SegmentKind::TcpV4), Ok(3));
    assert_eq!(parse(&v6, SegmentKind::TcpV6), Ok(3));
    assert_eq!(parse(&v4, SegmentKind::TcpV6), Err(SegmentError::Network));
    assert_eq!(parse(&v6, SegmentKind::TcpV4), Err(SegmentError::Network));
    assert_eq!(parse(&v4, SegmentKind::Udp), Err(SegmentError::Transport));
    assert_eq!(
        parse(&v4[..50], SegmentKind::TcpV4),
        Err(SegmentError::Network)
    );
    assert_eq!(parse(&[], SegmentKind::TcpV4), Err(SegmentError::Network));
    let mut long_header = v4.clone();
    long_header.truncate(14 + 20 + 20);
    // The whole length is the header's, which says that it has options.
    long_header[16..18].copy_from_slice(&40u16.to_be_bytes());
    long_header[24..26].fill(0);
    let sum = checksum::sum(&long_header[14..34]).checksum();
    long_header[24..26].copy_from_slice(&sum.to_be_bytes());
    long_header[46] = 0xf0;
    let refused = parse(&long_header, SegmentKind::TcpV4);
    assert_eq!(refused, Err(SegmentError::Transport));
    let mut fragment = v4;
    fragment[20] = 0x20;
    fragment[24..26].fill(0);
    let sum = checksum::sum(&fragment[14..34]).checksum();
    fragment[24..26].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(
        parse(&fragment, SegmentKind::TcpV4),
        Err(SegmentError::Network)
    );
}

#[test]
fn a_super_frame_tells_how_it_is_cut() {
    let size = NonZeroU16::new(1448).unwrap();
    let frame = tcp_v4(0, 1, 3, &[1; 3000]);
    let whole = SuperFrame::parse(&frame, SegmentKind::TcpV4, size).unwrap();
    assert_eq!((whole.header_len(), whole.transport()), (66, 34));
    let segmentation = Segmentation {
        kind: SegmentKind::TcpV4,
        segment_size: size,
        header_len: 66,
        has_cwr: true,
    };
    assert_eq!(whole.segmentation(), segmentation);
    assert_eq!(segmentation.longest_segment(), 1514);
}
