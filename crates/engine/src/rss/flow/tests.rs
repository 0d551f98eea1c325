use super::*;

use std::net::{Ipv4Addr, Ipv6Addr};

use corelane_frame::{Burst, Pool, PoolConfig};
use corelane_wire::build::{
    FrameSpec, Ports, build_arp, build_echo_ipv4, build_echo_ipv6, build_ipv4, build_ipv6,
    build_udp_ipv4, build_udp_ipv6,
};
use corelane_wire::ipv4::{Fragmentation, Ipv4Fields};
use corelane_wire::ipv6::{Ipv6Fields, write_ipv6_fragment};
use corelane_wire::{ArpOperation, ArpPacket, Echo, EchoKind, MacAddr};
use proptest::prelude::*;

const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const S4: Ipv4Addr = Ipv4Addr::new(66, 9, 149, 187);
const D4: Ipv4Addr = Ipv4Addr::new(161, 142, 100, 80);
const S6: Ipv6Addr = Ipv6Addr::new(0x3ffe, 0x2501, 0x200, 0x1fff, 0, 0, 0, 7);
const D6: Ipv6Addr = Ipv6Addr::new(0x3ffe, 0x2501, 0x200, 3, 0, 0, 0, 1);
const PORTS: Ports = Ports {
    source: 2794,
    destination: 1766,
};

// From the published vectors.
const V4_ADDRS: u32 = 0x323e_8fc2;
const V4_PORTS: u32 = 0x51cc_c178;
const V6_ADDRS: u32 = 0x2cc1_8cd5;
const V6_PORTS: u32 = 0x4020_7d3d;

/// The hash of a frame, alone and in a burst.
fn hash(frame: &[u8]) -> u32 {
    thread_local! {
        static TOEPLITZ: Toeplitz = Toeplitz::default();
        static POOL: Pool = Pool::new(PoolConfig::default()).unwrap();
    }
    TOEPLITZ.with(|toeplitz| {
        let alone = flow_hash(toeplitz, frame);
        let mut cache = POOL.with(Pool::cache);
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, 3);
        burst[0].set_data(frame).unwrap();
        burst[1].set_data(frame).unwrap();
        burst[1].set_rss_hash(7);
        burst[2].set_data(frame).unwrap();
        hash_frames(toeplitz, &mut burst);
        assert_eq!(burst[0].rss_hash(), alone);
        assert_eq!(burst[1].rss_hash(), 7, "the link's hash stays");
        assert_eq!(burst[2].rss_hash(), alone);
        alone
    })
}

fn spec4() -> FrameSpec<Ipv4Addr> {
    FrameSpec {
        source_mac: A,
        destination_mac: B,
        source: S4,
        destination: D4,
        ttl: 64,
    }
}

fn spec6() -> FrameSpec<Ipv6Addr> {
    FrameSpec {
        source_mac: A,
        destination_mac: B,
        source: S6,
        destination: D6,
        ttl: 64,
    }
}

fn built<E: std::fmt::Debug>(build: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Vec<u8> {
    let mut buffer = vec![0; 2048];
    let len = build(&mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}

fn udp4(payload: &[u8]) -> Vec<u8> {
    built(|buffer| build_udp_ipv4(buffer, &spec4(), PORTS, payload))
}

fn udp6(payload: &[u8]) -> Vec<u8> {
    built(|buffer| build_udp_ipv6(buffer, &spec6(), PORTS, payload))
}

fn ip4(protocol: IpProtocol, fragmentation: Fragmentation, payload: &[u8]) -> Vec<u8> {
    let fields = Ipv4Fields {
        fragmentation,
        ..Ipv4Fields::new(S4, D4, protocol, 64)
    };
    built(|buffer| build_ipv4(buffer, A, B, &fields, payload))
}

fn ip6(next_header: IpProtocol, payload: &[u8]) -> Vec<u8> {
    built(|buffer| {
        build_ipv6(
            buffer,
            A,
            B,
            &Ipv6Fields::new(S6, D6, next_header, 64),
            payload,
        )
    })
}

fn ports() -> Vec<u8> {
    [
        &PORTS.source.to_be_bytes()[..],
        &PORTS.destination.to_be_bytes(),
        &[0; 20],
    ]
    .concat()
}

/// The frame with these tags, outermost first, each a type and a VLAN.
fn tagged(frame: &[u8], tags: &[(EtherType, u16)]) -> Vec<u8> {
    let mut out = frame[..12].to_vec();
    for (kind, vlan) in tags {
        out.extend(kind.0.to_be_bytes());
        out.extend(vlan.to_be_bytes());
    }
    out.extend(&frame[12..]);
    out
}

#[test]
fn plain_packets_hash_as_the_published_vectors() {
    assert_eq!(hash(&udp4(b"payload")), V4_PORTS);
    assert_eq!(hash(&udp6(b"payload")), V6_PORTS);
    // No payload: the ports are the last thing but four bytes.
    assert_eq!(hash(&udp4(b"")), V4_PORTS);
    assert_eq!(hash(&udp6(b"")), V6_PORTS);
    for protocol in [IpProtocol::TCP, IpProtocol::SCTP] {
        assert_eq!(
            hash(&ip4(protocol, Fragmentation::Allowed, &ports())),
            V4_PORTS
        );
        assert_eq!(hash(&ip6(protocol, &ports())), V6_PORTS);
    }
}

#[test]
fn fast_and_general_way_agree() {
    let toeplitz = Toeplitz::default();
    for frame in [udp4(b"x"), udp6(b"x")] {
        assert_eq!(general(&toeplitz, &frame), flow_hash(&toeplitz, &frame));
    }
}

#[test]
fn other_protocols_hash_by_addresses() {
    let echo = Echo {
        kind: EchoKind::Request,
        identifier: 1,
        sequence: 2,
        data: b"data",
    };
    assert_eq!(
        hash(&built(|buffer| build_echo_ipv4(buffer, &spec4(), &echo))),
        V4_ADDRS
    );
    assert_eq!(
        hash(&built(|buffer| build_echo_ipv6(buffer, &spec6(), &echo))),
        V6_ADDRS
    );
    assert_eq!(
        hash(&ip4(IpProtocol::ESP, Fragmentation::Forbidden, &ports())),
        V4_ADDRS
    );
    assert_eq!(hash(&ip6(IpProtocol::IPV6_NO_NEXT, &[])), V6_ADDRS);
}

#[test]
fn what_is_not_ip_hashes_to_zero() {
    let packet = ArpPacket::new(ArpOperation::REQUEST, (A, S4), (B, D4));
    let arp = built(|buffer| build_arp(buffer, MacAddr::BROADCAST, &packet));
    assert_eq!(hash(&arp), 0);
    assert_eq!(hash(&tagged(&arp, &[(EtherType::VLAN, 7)])), 0);
    // An IEEE 802.3 length, and the version of the other protocol.
    let mut frame = udp4(b"payload");
    frame[12..14].copy_from_slice(&[0, 46]);
    assert_eq!(hash(&frame), 0);
    frame[12..14].copy_from_slice(&EtherType::IPV6.0.to_be_bytes());
    assert_eq!(hash(&frame), 0);
    let mut frame = udp6(b"payload");
    frame[12..14].copy_from_slice(&EtherType::IPV4.0.to_be_bytes());
    assert_eq!(hash(&frame), 0);
}

#[test]
fn skips_up_to_two_tags() {
    for (frame, want) in [(udp4(b"payload"), V4_PORTS), (udp6(b"payload"), V6_PORTS)] {
        let (inner, outer) = ((EtherType::VLAN, 7), (EtherType::SERVICE_VLAN, 9));
        assert_eq!(hash(&tagged(&frame, &[inner])), want);
        assert_eq!(hash(&tagged(&frame, &[outer, inner])), want);
        assert_eq!(hash(&tagged(&frame, &[inner, inner])), want);
        assert_eq!(hash(&tagged(&frame, &[outer, inner, inner])), 0);
    }
}

#[test]
fn fragments_of_a_datagram_meet_v4() {
    let datagram = [ports(), vec![0x11; 1400]].concat();
    let chunks: Vec<_> = datagram.chunks(512).collect();
    assert_eq!(chunks.len(), 3);
    for (i, chunk) in chunks.iter().enumerate() {
        let more = i + 1 < chunks.len();
        let part = Fragmentation::Fragment {
            offset: (i * 64) as u16,
            more,
        };
        for protocol in [IpProtocol::UDP, IpProtocol::TCP] {
            let frame = ip4(protocol, part, chunk);
            assert_eq!(hash(&frame), V4_ADDRS, "fragment {i}");
            assert_eq!(hash(&tagged(&frame, &[(EtherType::VLAN, 1)])), V4_ADDRS);
        }
    }
}

#[test]
fn fragments_of_a_datagram_meet_v6() {
    let datagram = [ports(), vec![0x11; 1400]].concat();
    let chunks: Vec<_> = datagram.chunks(512).collect();
    let hop_by_hop = [IpProtocol::IPV6_FRAGMENT.0, 0, 1, 4, 0, 0, 0, 0];
    for (i, chunk) in chunks.iter().enumerate() {
        let mut header = [0; 8];
        let more = i + 1 < chunks.len();
        write_ipv6_fragment(&mut header, IpProtocol::UDP, (i * 64) as u16, more, 99).unwrap();
        let direct = [&header[..], chunk].concat();
        assert_eq!(
            hash(&ip6(IpProtocol::IPV6_FRAGMENT, &direct)),
            V6_ADDRS,
            "fragment {i}"
        );
        let behind = [&hop_by_hop[..], &direct].concat();
        assert_eq!(
            hash(&ip6(IpProtocol::HOP_BY_HOP, &behind)),
            V6_ADDRS,
            "fragment {i}"
        );
    }
    // An atomic fragment is a fragment too.
    let mut header = [0; 8];
    write_ipv6_fragment(&mut header, IpProtocol::UDP, 0, false, 99).unwrap();
    let atomic = [&header[..], &ports()].concat();
    assert_eq!(hash(&ip6(IpProtocol::IPV6_FRAGMENT, &atomic)), V6_ADDRS);
}

#[test]
fn finds_the_ports_behind_options_v4() {
    let mut frame = udp4(b"payload");
    frame[14] = 0x47;
    frame[16..18].copy_from_slice(&43_u16.to_be_bytes());
    frame.splice(34..34, [1; 8]);
    assert_eq!(hash(&frame), V4_PORTS);
    // A header length below the least, and one beyond the end.
    frame[14] = 0x44;
    assert_eq!(hash(&frame), V4_ADDRS);
    frame[14] = 0x4f;
    assert_eq!(hash(&frame), V4_ADDRS);
}

#[test]
fn finds_the_ports_behind_extension_headers_v6() {
    let chain = [
        (IpProtocol::HOP_BY_HOP, 0),
        (IpProtocol::IPV6_DESTINATION_OPTIONS, 2),
        (IpProtocol::IPV6_ROUTING, 1),
        (IpProtocol::IPV6_DESTINATION_OPTIONS, 0),
    ];
    let mut payload = Vec::new();
    for (i, (_, eights)) in chain.iter().enumerate() {
        let behind = chain.get(i + 1).map_or(IpProtocol::UDP, |next| next.0);
        payload.extend([behind.0, *eights]);
        payload.extend(vec![0xab; 6 + usize::from(*eights) * 8]);
    }
    let cut = payload.len();
    payload.extend(ports());
    assert_eq!(hash(&ip6(chain[0].0, &payload)), V6_PORTS);
    // Cut anywhere before the end of the ports: addresses.
    for len in 0..cut + 4 {
        assert_eq!(hash(&ip6(chain[0].0, &payload[..len])), V6_ADDRS, "{len}");
    }
    assert_eq!(hash(&ip6(chain[0].0, &payload[..cut + 4])), V6_PORTS);
}

#[test]
fn a_long_chain_ends() {
    let chain = |headers: usize| {
        let mut payload =
            vec![[IpProtocol::IPV6_DESTINATION_OPTIONS.0, 0, 1, 4, 0, 0, 0, 0]; headers];
        payload[headers - 1][0] = IpProtocol::UDP.0;
        ip6(
            IpProtocol::IPV6_DESTINATION_OPTIONS,
            &[payload.concat(), ports()].concat(),
        )
    };
    assert_eq!(hash(&chain(MAX_EXTENSIONS)), V6_PORTS);
    assert_eq!(hash(&chain(MAX_EXTENSIONS + 1)), V6_ADDRS);
    assert_eq!(hash(&chain(150)), V6_ADDRS);
}

#[test]
fn padding_is_not_hashed() {
    // A datagram without room for ports, and a link that pads to 60 bytes with what it has.
    let mut v4 = ip4(
        IpProtocol::UDP,
        Fragmentation::Forbidden,
        &[0x0a, 0xea, 0x06],
    );
    v4.resize(60, 0xee);
    assert_eq!(hash(&v4), V4_ADDRS);
    let mut v6 = ip6(IpProtocol::UDP, &[0x0a, 0xea, 0x06]);
    v6.resize(80, 0xee);
    assert_eq!(hash(&v6), V6_ADDRS);
}

#[test]
fn cut_frames_hash_what_is_there() {
    for (frame, addresses, ports, end, addrs_hash, ports_hash) in [
        (udp4(b"payload"), 34, 38, 49, V4_ADDRS, V4_PORTS),
        (udp6(b"payload"), 54, 58, 69, V6_ADDRS, V6_PORTS),
    ] {
        assert_eq!(frame.len(), end);
        for len in 0..=end {
            let want = match len {
                _ if len < addresses => 0,
                _ if len < ports => addrs_hash,
                _ => ports_hash,
            };
            assert_eq!(hash(&frame[..len]), want, "{len}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_have_a_hash(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        hash(&bytes);
    }

    /// Random changes to a real frame get further than random bytes. The fast way must say what
    /// the general way says.
    #[test]
    fn broken_frames_hash_alike_both_ways(
        v6: bool,
        tags in 0usize..4,
        changes in proptest::collection::vec((12usize..90, any::<u8>()), 0..6),
        cut in 0usize..120,
    ) {
        let frame = if v6 { udp6(&[0; 40]) } else { udp4(&[0; 40]) };
        let mut frame = tagged(&frame, &vec![(EtherType::VLAN, 1); tags]);
        for (at, value) in changes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        frame.truncate(cut.max(14));
        let toeplitz = Toeplitz::default();
        prop_assert_eq!(flow_hash(&toeplitz, &frame), general(&toeplitz, &frame));
    }

    /// Frames of a flow hash alike whatever else differs.
    #[test]
    fn only_the_flow_counts(payload in proptest::collection::vec(any::<u8>(), 0..100), ttl: u8) {
        let v4 = FrameSpec { ttl, ..spec4() };
        let v6 = FrameSpec { ttl, ..spec6() };
        prop_assert_eq!(hash(&built(|b| build_udp_ipv4(b, &v4, PORTS, &payload))), V4_PORTS);
        prop_assert_eq!(hash(&built(|b| build_udp_ipv6(b, &v6, PORTS, &payload))), V6_PORTS);
    }
}

#[test]
fn more_frames_than_a_burst_are_all_hashed() {
    let toeplitz = Toeplitz::default();
    let pool = Pool::new(PoolConfig::default()).unwrap();
    let mut cache = pool.cache();
    let mut bytes = [0; 128];
    let len = build_udp_ipv4(&mut bytes, &spec4(), PORTS, &[]).unwrap();
    let mut frames: Vec<_> = (0..150).map(|_| cache.alloc().unwrap()).collect();
    frames
        .iter_mut()
        .for_each(|frame| frame.set_data(&bytes[..len]).unwrap());
    hash_frames(&toeplitz, &mut frames);
    assert!(frames.iter().all(|frame| frame.rss_hash() == V4_PORTS));
}
