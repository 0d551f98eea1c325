//! Sockets over a whole engine: who gets a packet, in what state, and what its sender is told
//! (BEHAVIOURS section K).

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use common::net::prefix;
use common::sockets::{Open, open, remote};
use common::*;
use corelane::engine::Builder;
use corelane::io::memory::MemoryPeer;
use corelane::stack::{
    AddressConfig, BindError, DatagramBurst, DropReason, Family, Forwarding, Handler, IcmpCounter,
    Nic, NicId, Packet, RawBind, RouteSpec, SendError, SendOptions, SourceFragmentation,
    StackConfig, UdpBind, UdpSendError,
};
use corelane::sync::doorbell::{Woken, doorbell};
use corelane::wire::build::{build_ipv4, build_ipv6};
use corelane::wire::icmp_error::{
    Icmpv4Problem, Icmpv4Unreachable, Icmpv6Problem, Icmpv6Unreachable, parse_icmp_error_ipv4,
    parse_icmp_error_ipv6,
};
use corelane::wire::ipv4::{Fragmentation, Ipv4Fields};
use corelane::wire::ipv6::Ipv6Fields;
use corelane::wire::udp::{Ports, write_udp_ipv4};
use corelane::wire::{
    EtherType, IpProtocol, parse_ethernet, parse_icmpv4, parse_icmpv6, parse_ipv4, parse_ipv6,
    parse_tcp, parse_udp,
};

const V4: &str = "192.0.2.1";
const V6: &str = "2001:db8::1";
const PEER_V4: &str = "192.0.2.9";
const PEER_V6: &str = "2001:db8::9";

/// A NIC with an address of each family, and no handler.
fn bench() -> Bench {
    bench_with(|_| {})
}

fn bench_with(configure: impl FnOnce(&mut Builder)) -> Bench {
    let bench = Bench::refusing(configure);
    sockets::add_addresses(&bench);
    bench
}

/// Puts another checksum into a UDP frame without options or extension headers.
fn with_checksum(mut frame: Vec<u8>, checksum: u16) -> Vec<u8> {
    let at = if frame[14] >> 4 == 4 { 40 } else { 60 };
    frame[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    frame
}

fn corrupt(mut frame: Vec<u8>) -> Vec<u8> {
    let last = frame.len() - 1;
    frame[last] ^= 0x55;
    frame
}

/// The network packet of a frame.
fn packet_of(frame: &[u8]) -> Vec<u8> {
    parse_ethernet(frame).expect("a frame").payload.to_vec()
}

/// A packet of any protocol; both addresses of one family.
fn ip_frame(source: &str, destination: &str, protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 128 + payload.len()];
    let len = match (ip(source), ip(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let fields = Ipv4Fields::new(source, destination, protocol, 9);
            build_ipv4(&mut buffer, PEER, HOST, &fields, payload)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let fields = Ipv6Fields::new(source, destination, protocol, 9);
            build_ipv6(&mut buffer, PEER, HOST, &fields, payload)
        }
        _ => panic!("one family"),
    };
    buffer.truncate(len.expect("room"));
    buffer
}

/// The ICMP error in a frame: what it says, and its own and the quoted packet's bytes.
#[derive(Debug, PartialEq)]
enum Told {
    V4(Icmpv4Problem),
    V6(Icmpv6Problem),
}

struct IcmpFrame {
    told: Told,
    /// Bytes of IP.
    len: usize,
    quoted: Vec<u8>,
}

fn icmp(frame: &[u8]) -> IcmpFrame {
    let ethernet = parse_ethernet(frame).expect("a frame");
    assert_eq!(ethernet.header.destination, PEER);
    match ethernet.header.ethertype() {
        EtherType::IPV4 => {
            let packet = parse_ipv4(ethernet.payload).expect("a packet");
            let message = parse_icmpv4(packet.payload).expect("ICMP, its checksum right");
            let (problem, _) = parse_icmp_error_ipv4(&message).expect("an error");
            IcmpFrame {
                told: Told::V4(problem),
                len: 20 + packet.payload.len(),
                quoted: packet.payload[8..].to_vec(),
            }
        }
        _ => {
            let packet = parse_ipv6(ethernet.payload).expect("a packet");
            let message = parse_icmpv6(packet.payload, packet.source(), packet.destination());
            let message = message.expect("ICMPv6, its checksum right");
            let (problem, _) = parse_icmp_error_ipv6(&message).expect("an error");
            IcmpFrame {
                told: Told::V6(problem),
                len: 40 + packet.payload.len(),
                quoted: packet.payload[8..].to_vec(),
            }
        }
    }
}

const PORT_V4: Told = Told::V4(Icmpv4Problem::Unreachable(Icmpv4Unreachable::Port));
const PORT_V6: Told = Told::V6(Icmpv6Problem::Unreachable(Icmpv6Unreachable::Port));

// K1 to K3: raw sockets, and what is malformed.

#[test]
fn k1_a_protocol_that_nobody_has_is_unreachable_unless_a_raw_socket_has_it() {
    let mut bench = bench();
    let frames = [
        ip_frame(PEER_V4, V4, IpProtocol(200), b"unknown"),
        ip_frame(PEER_V6, V6, IpProtocol(200), b"unknown"),
    ];
    let (totals, replies) = bench.run(&frames);
    assert_eq!(only_drop(&totals, DropReason::UnknownTransport), 2);
    let told: Vec<_> = replies.iter().map(|it| icmp(it).told).collect();
    let problem = Icmpv6Problem::ParameterProblem {
        code: 1,
        pointer: 6,
    };
    let protocol = Icmpv4Problem::Unreachable(Icmpv4Unreachable::Protocol);
    assert_eq!(told, [Told::V4(protocol), Told::V6(problem)]);

    let stack = bench.nic.stack().clone();
    let bind = RawBind::new(Family::V4, IpProtocol(200));
    let (raw, mut queues) = stack.raw_socket(bind).unwrap();
    let (totals, replies) = bench.run(&frames);
    assert_eq!(totals.delivered, 1);
    assert_eq!(only_drop(&totals, DropReason::UnknownTransport), 1);
    assert_eq!(replies.len(), 1, "the other family's is unknown still");
    let datagram = queues[0].recv().expect("a copy");
    assert_eq!(
        (datagram.payload(), raw.stats().received),
        (&b"unknown"[..], 1)
    );
    assert_eq!(datagram.source(), remote("192.0.2.9:0"));
    drop(datagram);
    drop(raw);
    assert_eq!(bench.run(&frames).1.len(), 2, "unknown again");
    drop(queues);
    bench.assert_no_leak();
}

#[test]
fn k2_k13_bug21_raw_sockets_are_first_and_see_whole_packets_once() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let raws: Vec<_> = [
        (Family::V4, IpProtocol::UDP),
        (Family::V4, IpProtocol::UDP),
        (Family::V6, IpProtocol::UDP),
        (Family::V4, IpProtocol::ICMPV4),
        (Family::V4, IpProtocol::TCP),
    ]
    .into_iter()
    .map(|(family, protocol)| stack.raw_socket(RawBind::new(family, protocol)).unwrap())
    .collect();
    let (handles, mut queues): (Vec<_>, Vec<_>) = raws.into_iter().unzip();
    let mut socket = open(&stack, UdpBind::new(7));
    let good = udp(PEER_V4, V4, (1000, 7), b"good");
    let wrong = corrupt(udp(PEER_V4, V4, (1000, 7), b"wrong"));
    let unknown = udp(PEER_V4, V4, (1000, 8), b"nobody's");
    let truncated = ip_frame(PEER_V4, V4, IpProtocol::UDP, &[1, 2, 3]);
    let mut padded = udp(PEER_V4, V4, (1000, 7), b"x");
    padded.resize(60, 0xaa);
    let v6 = udp(PEER_V6, V6, (1000, 7), b"six");
    let echo = ping(PEER_V4, V4, b"echo");
    let tcp = ip_frame(PEER_V4, V4, IpProtocol::TCP, b"short");
    let frames = [
        good.clone(),
        wrong.clone(),
        unknown.clone(),
        truncated.clone(),
        padded.clone(),
        v6.clone(),
        echo.clone(),
        tcp.clone(),
    ];
    let (totals, replies) = bench.run(&frames);
    // What follows is as if there were none (BEHAVIOURS K2).
    assert_eq!((totals.delivered, totals.consumed), (3, 1));
    for (reason, count) in [
        (DropReason::TransportChecksum, 1),
        (DropReason::UnknownPort, 1),
        (DropReason::TransportTruncated, 2),
    ] {
        assert_eq!(totals.dropped_for(reason), count, "{reason:?}");
    }
    assert_eq!(replies.len(), 2, "an echo reply, a port unreachable");
    assert_eq!(socket.payloads(), [&b"good"[..], b"x", b"six"]);

    // The packet, its network header first, and nothing twice.
    let mut seen = |at: usize| {
        let datagrams: Vec<_> = std::iter::from_fn(|| queues[at][0].recv()).collect();
        let packets = datagrams.iter().map(|it| it.packet().to_vec());
        packets.collect::<Vec<_>>()
    };
    padded.truncate(43);
    let udp_v4 = [good, wrong, unknown, truncated, padded].map(|it| packet_of(&it));
    assert_eq!(seen(0), udp_v4);
    assert_eq!(seen(1), udp_v4, "each its own copies");
    assert_eq!(seen(2), [packet_of(&v6)]);
    assert_eq!(
        seen(3),
        [packet_of(&echo)],
        "as it came, not as it is answered"
    );
    assert_eq!(seen(4), [packet_of(&tcp)]);
    assert_eq!(handles[0].stats().received, 5);
    drop((handles, queues));
    bench.assert_no_leak();
}

#[test]
fn k2_k15_a_raw_socket_whose_queue_is_full_costs_nobody_else_anything() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let bind = RawBind {
        queue: 2,
        ..RawBind::new(Family::V4, IpProtocol::UDP)
    };
    let (raw, queues) = stack.raw_socket(bind).unwrap();
    let mut socket = open(&stack, UdpBind::new(7));
    let frames: Vec<_> = (0..5).map(|n| udp(PEER_V4, V4, (1, 7), &[n])).collect();
    assert_eq!(bench.run(&frames).0.delivered, 5);
    assert_eq!((raw.stats().received, raw.stats().overflow), (2, 3));
    assert_eq!(socket.count(), 5);
    // Of any protocol, on a NIC that is there.
    let elsewhere = RawBind {
        nic: Some(NicId(77)),
        ..RawBind::new(Family::V6, IpProtocol(123))
    };
    let error = stack.raw_socket(elsewhere);
    assert!(matches!(error, Err(BindError::UnknownNic(NicId(77)))));
    drop((raw, queues));
    bench.assert_no_leak();
}

#[test]
fn k3_a_transport_header_that_does_not_fit_is_dropped_before_the_sockets() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut socket = open(&stack, UdpBind::new(7));
    let mut long = udp(PEER_V4, V4, (1, 7), b"four");
    long[38..40].copy_from_slice(&13u16.to_be_bytes());
    let mut short = udp(PEER_V6, V6, (1, 7), b"four");
    short[58..60].copy_from_slice(&7u16.to_be_bytes());
    let frames = [
        ip_frame(PEER_V4, V4, IpProtocol::UDP, &[0, 1, 0, 7, 0, 7, 0]),
        ip_frame(PEER_V6, V6, IpProtocol::UDP, b""),
        ip_frame(PEER_V4, V4, IpProtocol::TCP, &[0; 19]),
        long,
        short,
    ];
    let (totals, replies) = bench.run(&frames);
    assert_eq!(only_drop(&totals, DropReason::TransportTruncated), 5);
    assert_eq!((replies.len(), socket.count()), (0, 0));
    assert_eq!(socket.socket.stats(), Default::default());
}

// K4 to K8: who gets a packet.

#[test]
fn k4_k5_the_most_specific_socket_has_a_packet() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    for (own, peer, other) in [(V4, PEER_V4, "192.0.2.8"), (V6, PEER_V6, "2001:db8::8")] {
        let second = if own == V4 {
            "192.0.2.2"
        } else {
            "2001:db8::2"
        };
        bench.nic.add_address(ip(second)).unwrap();
        let from = SocketAddr::new(ip(peer), 1000);
        let mut exact = open(&stack, UdpBind::new(7).local(ip(own)).remote(from));
        let mut any_local = open(&stack, UdpBind::new(7).remote(from));
        let mut any_remote = open(&stack, UdpBind::new(7).local(ip(own)));
        let family = Family::of(ip(own));
        let mut port_only = open(&stack, UdpBind::new(7).family(family));
        let (totals, replies) = bench.run(&[
            udp(peer, own, (1000, 7), b"exact"),
            udp(peer, second, (1000, 7), b"any local"),
            udp(peer, own, (1001, 7), b"any remote"),
            udp(other, own, (1000, 7), b"any remote too"),
            udp(other, second, (1000, 7), b"port only"),
            udp(peer, own, (1000, 9), b"another port"),
        ]);
        assert_eq!((totals.delivered, replies.len()), (5, 1));
        assert_eq!(exact.payloads(), [b"exact"]);
        assert_eq!(any_local.payloads(), [b"any local"]);
        assert_eq!(
            any_remote.payloads(),
            [&b"any remote"[..], b"any remote too"]
        );
        let read = port_only.read();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].payload(), b"port only");
        assert_eq!(read[0].source(), SocketAddr::new(ip(other), 1000));
        assert_eq!(read[0].destination(), SocketAddr::new(ip(second), 7));
        assert_eq!(
            (read[0].nic(), read[0].protocol()),
            (bench.nic.id(), IpProtocol::UDP)
        );
        // Each that is closed leaves its packets to the next.
        drop(exact);
        bench.run(&[udp(peer, own, (1000, 7), b"now any local")]);
        assert_eq!(any_local.payloads(), [b"now any local"]);
        drop(any_local);
        bench.run(&[udp(peer, own, (1000, 7), b"now any remote")]);
        assert_eq!(any_remote.payloads(), [b"now any remote"]);
        drop(any_remote);
        bench.run(&[udp(peer, own, (1000, 7), b"now port only")]);
        assert_eq!(port_only.payloads(), [b"now port only"]);
    }
    bench.assert_no_leak();
}

fn two_nics() -> (Bench, Nic, MemoryPeer) {
    sockets::two_nics(sockets::add_addresses)
}

#[test]
fn k6_bug19_a_socket_of_another_nic_does_not_swallow_a_packet() {
    let (mut bench, second, _peer) = two_nics();
    let stack = bench.nic.stack().clone();
    let (here, there) = (bench.nic.id(), second.id());
    let bind = || UdpBind::new(7).local(ip(V4));
    let mut bound_there = open(&stack, bind().nic(bench.nic.id()));
    drop(std::mem::replace(
        &mut bound_there,
        // The address is of the first NIC; packets that arrive on the second are what it wants.
        open(&stack, UdpBind::new(7).nic(there)),
    ));
    let frame = || udp(PEER_V4, V4, (1000, 7), b"x");
    // Bound to another NIC, and nobody else: nobody's port.
    let (totals, replies) = bench.run(&[frame()]);
    assert_eq!(only_drop(&totals, DropReason::UnknownPort), 1);
    assert_eq!(icmp(&replies[0]).told, PORT_V4);
    // One bound to no NIC, under the same identity.
    let mut unbound = open(&stack, UdpBind::new(7));
    assert_eq!(bench.run(&[frame()]).0.delivered, 1);
    assert_eq!((unbound.count(), bound_there.count()), (1, 0));
    // One bound to this NIC comes before it, exclusively.
    let mut bound_here = open(&stack, UdpBind::new(7).nic(here));
    assert_eq!(bench.run(&[frame()]).0.delivered, 1);
    assert_eq!((bound_here.count(), unbound.count()), (1, 0));
    // A more specific one that is bound to another NIC: the search goes on to less specific ones.
    let from = remote("192.0.2.9:1000");
    let mut specific = open(&stack, UdpBind::new(7).remote(from).nic(there));
    assert_eq!(bench.run(&[frame()]).0.delivered, 1);
    assert_eq!((bound_here.count(), specific.count()), (1, 0));
    drop(bound_here);
    assert_eq!(bench.run(&[frame()]).0.delivered, 1);
    assert_eq!(unbound.count(), 1);
    bench.assert_no_leak();
}

#[test]
fn k7_flows_stick_to_a_socket_and_closing_one_moves_only_its_own() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut group: Vec<_> = (0..4)
        .map(|_| Some(open(&stack, UdpBind::new(7).reuse().queue(1024))))
        .collect();
    let flows: Vec<_> = (1..=400u16)
        .map(|port| udp(PEER_V4, V4, (port, 7), b"x"))
        .collect();
    let owners = |bench: &mut Bench, group: &mut [Option<Open>]| {
        assert_eq!(bench.run(&flows).0.delivered, 400);
        let mut owners = BTreeMap::new();
        for (number, open) in group.iter_mut().enumerate() {
            for datagram in open.iter_mut().flat_map(Open::read) {
                let before = owners.insert(datagram.source().port(), number);
                assert_eq!(before, None, "one has it");
            }
        }
        owners
    };
    let first = owners(&mut bench, &mut group);
    assert_eq!(owners(&mut bench, &mut group), first, "they stick");
    for number in 0..4 {
        let share = first.values().filter(|it| **it == number).count();
        assert!(
            (50..150).contains(&share),
            "{share} of 400 are a fair share"
        );
    }
    group[2] = None;
    let second = owners(&mut bench, &mut group);
    for (port, owner) in &first {
        if *owner != 2 {
            assert_eq!(second[port], *owner, "port {port} was not the closed one's");
        }
    }
    group[2] = Some(open(&stack, UdpBind::new(7).reuse().queue(1024)));
    let third = owners(&mut bench, &mut group);
    for (port, owner) in &third {
        assert!(
            *owner == 2 || second[port] == *owner,
            "one that comes takes its share"
        );
    }
    assert!(third.values().any(|owner| *owner == 2));
    drop(group);
    bench.assert_no_leak();
}

#[test]
fn k7_k8_bug20_what_is_for_many_goes_to_all_each_with_a_copy_of_its_own() {
    let (mut bench, second, _peer) = two_nics();
    let stack = bench.nic.stack().clone();
    let group = ip("224.1.2.3");
    bench.nic.join_group(group).unwrap();
    let from = remote("192.0.2.9:1000");
    let mut all = [
        open(&stack, UdpBind::new(7)),
        open(&stack, UdpBind::new(7).local(group).reuse()),
        open(&stack, UdpBind::new(7).local(group).reuse()),
        open(&stack, UdpBind::new(7).remote(from)),
        open(&stack, UdpBind::new(7).local(group).remote(from)),
        // Those of this NIC come before those of none, under one identity.
        open(&stack, UdpBind::new(8)),
        open(&stack, UdpBind::new(8).nic(bench.nic.id())),
        open(&stack, UdpBind::new(8).nic(second.id())),
    ];
    let mut multicast = udp(PEER_V4, "224.1.2.3", (1000, 7), b"to many");
    multicast[..6].copy_from_slice(&[1, 0, 0x5e, 1, 2, 3]);
    let mut other_port = udp(PEER_V4, "224.1.2.3", (1000, 8), b"to one");
    other_port[..6].copy_from_slice(&[1, 0, 0x5e, 1, 2, 3]);
    let (totals, _) = bench.run(&[multicast.clone(), other_port]);
    assert_eq!(totals.delivered, 2, "each counts once");
    let read = all.each_mut().map(Open::payloads);
    for (number, payloads) in read.iter().enumerate() {
        match number {
            0..=4 => assert_eq!(*payloads, [b"to many"], "socket {number}"),
            6 => assert_eq!(*payloads, [b"to one"]),
            _ => assert!(payloads.is_empty(), "socket {number}"),
        }
    }
    // A wrong checksum is counted by each that would have got it.
    let wrong = corrupt(multicast.clone());
    assert_eq!(
        only_drop(&bench.run(&[wrong]).0, DropReason::TransportChecksum),
        1
    );
    let counted = |open: &Open| open.socket.stats().checksum_errors;
    assert_eq!(all.each_ref().map(counted), [1, 1, 1, 1, 1, 0, 0, 0]);
    // Nobody's port: silence (BEHAVIOURS K12).
    let mut nobodys = udp(PEER_V4, "224.1.2.3", (1000, 9), b"x");
    nobodys[..6].copy_from_slice(&[1, 0, 0x5e, 1, 2, 3]);
    let (totals, replies) = bench.run(&[nobodys]);
    assert_eq!(only_drop(&totals, DropReason::UnknownPort), 1);
    assert!(replies.is_empty());
    // Broadcasts likewise, limited and of the subnet.
    for to in ["255.255.255.255", "192.0.2.255"] {
        let mut frame = udp(PEER_V4, to, (1000, 7), b"broadcast");
        frame[..6].fill(0xff);
        assert_eq!(bench.run(&[frame]).0.delivered, 1);
        assert_eq!(all[0].payloads(), [b"broadcast"]);
        assert_eq!(all[3].payloads(), [b"broadcast"]);
        assert_eq!(all[1].count(), 0);
    }
    // IPv6.
    bench.nic.join_group(ip("ff02::77")).unwrap();
    let mut frame = udp(PEER_V6, "ff02::77", (1000, 7), b"six");
    frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 0x77]);
    assert_eq!(bench.run(&[frame]).0.delivered, 1);
    assert_eq!(all[0].payloads(), [b"six"]);
    drop(all);
    bench.assert_no_leak();
}

#[test]
fn k7_one_of_many_whose_queue_is_full_loses_its_copy_alone() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut small = open(&stack, UdpBind::new(7).reuse().queue(2));
    let mut large = open(&stack, UdpBind::new(7).reuse());
    let frames: Vec<_> = (0..4)
        .map(|n| {
            let mut frame = udp(PEER_V4, "255.255.255.255", (1000, 7), &[n]);
            frame[..6].fill(0xff);
            frame
        })
        .collect();
    assert_eq!(bench.run(&frames).0.delivered, 4);
    assert_eq!((small.count(), large.count()), (2, 4));
    let stats = small.socket.stats();
    assert_eq!((stats.received, stats.overflow), (2, 2));
    drop((small, large));
    bench.assert_no_leak();
}

// K9 to K13: nobody has it.

#[test]
fn k9_k12_bug21_a_port_that_nobody_has_is_unreachable_and_the_packet_quoted_once() {
    let mut bench = bench();
    for (peer, own, told) in [(PEER_V4, V4, PORT_V4), (PEER_V6, V6, PORT_V6)] {
        for len in [0, 5, 1400] {
            let frame = udp(peer, own, (1000, 7), &vec![0x5a; len]);
            let (totals, replies) = bench.run(std::slice::from_ref(&frame));
            assert_eq!(only_drop(&totals, DropReason::UnknownPort), 1);
            let [reply] = &replies[..] else {
                panic!("{} replies", replies.len());
            };
            let error = icmp(reply);
            assert_eq!(error.told, told);
            let packet = packet_of(&frame);
            let (headers, limit) = if own == V4 { (28, 576) } else { (48, 1280) };
            let room = limit - headers;
            assert_eq!(error.quoted, packet[..packet.len().min(room)], "once");
            assert!(error.len <= limit, "{} bytes", error.len);
        }
    }
    // A wrong checksum is nobody's port to tell of.
    let wrong = corrupt(udp(PEER_V4, V4, (1000, 7), b"x"));
    let (totals, replies) = bench.run(&[wrong]);
    assert_eq!(only_drop(&totals, DropReason::TransportChecksum), 1);
    assert!(replies.is_empty());
    // Nor is a sender that is not one host: the unspecified address.
    let frames = [
        udp("0.0.0.0", V4, (1000, 7), b"x"),
        udp("::", V6, (1000, 7), b"x"),
        // The broadcast of the subnet as source.
        udp("192.0.2.255", V4, (1000, 7), b"x"),
    ];
    assert!(bench.run(&frames).1.is_empty());
    // A frame to all, with a packet to one.
    let mut to_all = udp(PEER_V4, V4, (1000, 7), b"x");
    to_all[..6].fill(0xff);
    assert!(bench.run(&[to_all]).1.is_empty());
    bench.assert_no_leak();
}

/// Takes what has an odd destination port.
struct Odd;

impl Handler for Odd {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let port = packet.udp().map(|datagram| datagram.destination_port());
        if port.is_none_or(|port| port.is_multiple_of(2)) {
            packet.refuse();
        }
    }
}

/// Refuses, and then keeps the packet nevertheless.
struct Fickle;

impl Handler for Fickle {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        packet.refuse();
        drop(packet.take());
        packet.refuse();
    }
}

#[test]
fn k10_k11_the_handler_comes_after_the_sockets_and_may_refuse() {
    let mut bench = bench_with(|b| {
        b.handler(|_| Odd);
    });
    let stack = bench.nic.stack().clone();
    let mut socket = open(&stack, UdpBind::new(8));
    let (totals, replies) = bench.run(&[
        udp(PEER_V4, V4, (1000, 7), b"the handler's"),
        udp(PEER_V4, V4, (1000, 8), b"the socket's"),
        udp(PEER_V4, V4, (1000, 10), b"nobody's"),
        ip_frame(PEER_V4, V4, IpProtocol(99), b"nobody's"),
    ]);
    assert_eq!(totals.delivered, 2);
    assert_eq!(totals.dropped_for(DropReason::UnknownPort), 1);
    assert_eq!(totals.dropped_for(DropReason::UnknownTransport), 1);
    assert_eq!(socket.payloads(), [b"the socket's"]);
    assert_eq!(icmp(&replies[0]).told, PORT_V4);
    let protocol = Icmpv4Problem::Unreachable(Icmpv4Unreachable::Protocol);
    assert_eq!(icmp(&replies[1]).told, Told::V4(protocol));

    let mut fickle = bench_with(|b| {
        b.handler(|_| Fickle);
    });
    let (totals, replies) = fickle.run(&[udp(PEER_V4, V4, (1000, 7), b"x")]);
    assert_eq!((totals.delivered, replies.len()), (1, 0), "taken after all");
    fickle.assert_no_leak();
}

#[test]
fn k11_a_tcp_port_that_nobody_has_is_reset() {
    let mut bench = bench();
    let segment = |flags: u8, sequence: u32, acknowledgment: u32, payload: &[u8]| {
        let mut bytes = vec![0; 20];
        bytes[..4].copy_from_slice(&[0x03, 0xe8, 0, 80]);
        bytes[4..8].copy_from_slice(&sequence.to_be_bytes());
        bytes[8..12].copy_from_slice(&acknowledgment.to_be_bytes());
        bytes[12] = 5 << 4;
        bytes[13] = flags;
        bytes.extend_from_slice(payload);
        bytes
    };
    let frame = |peer: &str, own: &str, mut bytes: Vec<u8>| {
        let sum = tcp_checksum(ip(peer), ip(own), &bytes);
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        ip_frame(peer, own, IpProtocol::TCP, &bytes)
    };
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;
    for (peer, own) in [(PEER_V4, V4), (PEER_V6, V6)] {
        // RFC 9293 section 3.10.7.1.
        for (bytes, sequence, acknowledgment) in [
            (segment(SYN, 1000, 0, b""), 0, Some(1001)),
            (segment(SYN | FIN, 1000, 0, b"abc"), 0, Some(1005)),
            (segment(ACK, 1000, 77, b"abc"), 77, None),
        ] {
            let (totals, replies) = bench.run(&[frame(peer, own, bytes)]);
            assert_eq!(only_drop(&totals, DropReason::UnknownPort), 1);
            assert_eq!(totals.resets_sent, 1);
            let packet = packet_of(&replies[0]);
            let (source, destination, payload) = match ip(own) {
                IpAddr::V4(_) => {
                    let packet = parse_ipv4(&packet).expect("a packet");
                    let ends = (packet.source().into(), packet.destination().into());
                    (ends.0, ends.1, packet.payload.to_vec())
                }
                IpAddr::V6(_) => {
                    let packet = parse_ipv6(&packet).expect("a packet");
                    let ends = (packet.source().into(), packet.destination().into());
                    (ends.0, ends.1, packet.payload.to_vec())
                }
            };
            assert_eq!((source, destination), (ip(own), ip(peer)));
            let reset = parse_tcp(&payload).expect("a segment");
            assert_eq!((reset.source_port(), reset.destination_port()), (80, 1000));
            assert_eq!(
                u32::from_be_bytes(payload[4..8].try_into().unwrap()),
                sequence
            );
            let acks = acknowledgment.is_some();
            assert_eq!(payload[13], RST | if acks { ACK } else { 0 });
            if let Some(acknowledgment) = acknowledgment {
                let bytes = payload[8..12].try_into().unwrap();
                assert_eq!(u32::from_be_bytes(bytes), acknowledgment);
            }
            assert_eq!(
                tcp_checksum(source, destination, &payload),
                0,
                "its checksum is right"
            );
        }
        let quiet = [
            frame(peer, own, segment(RST, 1, 1, b"")),
            corrupt(frame(peer, own, segment(SYN, 1, 1, b"x"))),
        ];
        assert!(bench.run(&quiet).1.is_empty());
    }
    let from_all = frame("192.0.2.255", V4, segment(SYN, 1, 1, b""));
    assert!(bench.run(&[from_all]).1.is_empty(), "not to a whole subnet");
    bench.assert_no_leak();
}

/// The checksum of a TCP segment, its own field included; 0 if that is right.
fn tcp_checksum(source: IpAddr, destination: IpAddr, segment: &[u8]) -> u16 {
    use corelane::wire::checksum;
    let pseudo = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let len = segment.len() as u16;
            checksum::pseudo_header_ipv4(source, destination, IpProtocol::TCP, len)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let len = segment.len() as u32;
            checksum::pseudo_header_ipv6(source, destination, IpProtocol::TCP, len)
        }
        _ => panic!("one family"),
    };
    (pseudo + checksum::sum(segment)).checksum()
}

#[test]
fn k12_errors_are_limited_and_those_not_sent_are_counted() {
    let mut bench = bench_with(|b| {
        b.stack(StackConfig {
            icmp_rate: Some(1),
            icmp_burst: 50,
            seed: Some(1),
            ..StackConfig::default()
        });
    });
    let frames: Vec<_> = (0..200u16)
        .map(|n| match n % 2 {
            0 => udp(PEER_V4, V4, (1000, 2000 + n), b"x"),
            _ => udp(PEER_V6, V6, (1000, 2000 + n), b"x"),
        })
        .collect();
    let (totals, replies) = bench.run(&frames);
    assert_eq!(only_drop(&totals, DropReason::UnknownPort), 200);
    let of = |counter| totals.icmp_of(counter);
    let sent = of(IcmpCounter::V4DestinationUnreachableSent)
        + of(IcmpCounter::V6DestinationUnreachableSent);
    let limited = of(IcmpCounter::V4RateLimited) + of(IcmpCounter::V6RateLimited);
    assert_eq!((sent, sent + limited), (replies.len() as u64, 200));
    // Some jitter, so that nobody learns of others from what is left (RFC 4443 section 2.4): a quarter of a token or seven,
    // so that a burst of 50 comes to 50 with a standard deviation of 5: with this seed, to no more than 60.
    assert!((1..=60).contains(&sent), "{sent}");
    assert!(of(IcmpCounter::V4RateLimited) > 0 && of(IcmpCounter::V6RateLimited) > 0);
}

// K14 to K17: binding, and what a queue does.

#[test]
fn k14_who_may_bind_what() {
    let (bench, second, _peer) = two_nics();
    let stack = bench.nic.stack().clone();
    let bind = |it: UdpBind| stack.udp_socket(it);
    let in_use = |it: UdpBind| matches!(bind(it), Err(BindError::PortInUse(7)));
    let from = remote("192.0.2.9:1000");
    {
        let _wildcard = bind(UdpBind::new(7)).unwrap();
        assert!(in_use(UdpBind::new(7)), "taken");
        assert!(in_use(UdpBind::new(7).reuse()), "the other does not share");
        assert!(
            in_use(UdpBind::new(7).family(Family::V6)),
            "of both families"
        );
        // Another identity is no clash: the more specific one has its packets.
        bind(UdpBind::new(7).local(ip(V4))).unwrap();
        bind(UdpBind::new(7).remote(from)).unwrap();
        bind(UdpBind::new(7).nic(second.id())).unwrap();
        bind(UdpBind::new(8)).unwrap();
    }
    {
        let _v6 = bind(UdpBind::new(7).family(Family::V6)).unwrap();
        assert!(in_use(UdpBind::new(7)), "a clash of one family");
        bind(UdpBind::new(7).family(Family::V4)).unwrap();
    }
    {
        let _shared = bind(UdpBind::new(7).reuse()).unwrap();
        let _too = bind(UdpBind::new(7).reuse()).unwrap();
        assert!(in_use(UdpBind::new(7)), "this one does not share");
    }
    {
        let _connected = bind(UdpBind::new(7).remote(from).reuse()).unwrap();
        assert!(
            in_use(UdpBind::new(7).remote(from).reuse()),
            "no sharing with a remote"
        );
    }
    bind(UdpBind::new(7)).unwrap();
    assert!(stack.demux().is_empty(), "all of it is undone");
    // What cannot be.
    let mixed = UdpBind::new(7)
        .local(ip(V4))
        .remote(remote("[2001:db8::9]:1"));
    assert!(matches!(bind(mixed), Err(BindError::FamilyMismatch { .. })));
    for nowhere in ["0.0.0.0:1", "192.0.2.9:0", "[::]:5", "[::ffff:192.0.2.9]:5"] {
        let error = bind(UdpBind::new(7).remote(remote(nowhere)));
        assert!(matches!(error, Err(BindError::BadRemote(_))), "{nowhere}");
    }
    let nowhere = bind(UdpBind::new(7).nic(NicId(9)));
    assert!(matches!(nowhere, Err(BindError::UnknownNic(NicId(9)))));
    assert!(matches!(
        bind(UdpBind::new(7).queue(0)),
        Err(BindError::Queue(_))
    ));
    assert!(stack.demux().is_empty());
}

#[test]
fn k14b_an_address_of_one_nic_is_found_by_what_arrives_on_another() {
    let (mut bench, second, _peer) = two_nics();
    let stack = bench.nic.stack().clone();
    // So that packets for the other NIC's address are taken at all.
    bench
        .nic
        .set_forwarding(Forwarding { v4: true, v6: true })
        .unwrap();
    let direct = RouteSpec {
        to: prefix("198.51.100.0/24"),
        via: None,
        nic: second.id(),
        metric: 0,
    };
    stack.add_route(direct).unwrap();
    let mut there = open(&stack, UdpBind::new(7).local(ip("198.51.100.1")));
    let frame = udp(PEER_V4, "198.51.100.1", (1000, 7), b"x");
    assert_eq!(bench.run(std::slice::from_ref(&frame)).0.delivered, 1);
    let read = there.read();
    assert_eq!((read.len(), read[0].nic()), (1, bench.nic.id()));
    // Only a binding to a NIC restricts.
    let mut bound = open(
        &stack,
        UdpBind::new(7).local(ip("198.51.100.1")).nic(second.id()),
    );
    bench.run(&[frame]);
    assert_eq!((there.count(), bound.count()), (1, 0));
}

#[test]
fn k16_checksums_are_verified() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut socket = open(&stack, UdpBind::new(7));
    let (v4, v6) = (
        udp(PEER_V4, V4, (1000, 7), b"four"),
        udp(PEER_V6, V6, (1000, 7), b"six"),
    );
    let long: Vec<_> = (0..1400).map(|n| n as u8).collect();
    let (totals, replies) = bench.run(&[
        v4.clone(),
        v6.clone(),
        with_checksum(v4.clone(), 0),
        with_checksum(v6.clone(), 0),
        corrupt(v4.clone()),
        corrupt(v6.clone()),
        udp(PEER_V4, V4, (1000, 7), &long),
        corrupt(udp(PEER_V6, V6, (1000, 7), &long)),
    ]);
    assert_eq!((totals.delivered, replies.len()), (4, 0));
    assert_eq!(only_drop(&totals, DropReason::TransportChecksum), 4);
    // A burst is sorted by family first.
    let expected = [&b"four"[..], b"four", &long, b"six"];
    assert!(socket.payloads() == expected, "the right ones");
    let stats = socket.socket.stats();
    assert_eq!((stats.received, stats.checksum_errors), (4, 4));
    // Every bit counts, wherever it is: addresses, ports, length, payload.
    for frame in [
        udp(PEER_V4, V4, (1000, 7), b"odd"),
        udp(PEER_V6, V6, (1000, 7), b"odd"),
    ] {
        let payload = frame.len() - 3;
        for at in payload..frame.len() {
            for bit in 0..8 {
                let mut broken = frame.clone();
                broken[at] ^= 1 << bit;
                bench.run(&[broken]);
            }
        }
    }
    assert_eq!(socket.count(), 0);
    bench.assert_no_leak();
}

#[test]
fn k16_checksums_are_found_behind_options_and_extension_headers() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut socket = open(&stack, UdpBind::new(7));
    // Four bytes of no-operation behind the IPv4 header.
    let plain = packet_of(&udp(PEER_V4, V4, (1000, 7), b"options"));
    let mut packet = plain[..20].to_vec();
    packet.extend([1; 4]);
    packet.extend(&plain[20..]);
    packet[0] = 0x46;
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[10..12].fill(0);
    let sum = corelane::wire::checksum::sum(&packet[..24]).checksum();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut options = udp(PEER_V4, V4, (1000, 7), b"options")[..14].to_vec();
    options.extend(packet);
    // A destination options header of padding in front of UDP.
    let plain = udp(PEER_V6, V6, (1000, 7), b"extended");
    let mut extended = plain[..54].to_vec();
    extended.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    extended.extend(&plain[54..]);
    extended[20] = 60;
    let len = (extended.len() - 54) as u16;
    extended[18..20].copy_from_slice(&len.to_be_bytes());
    let frames = [
        options.clone(),
        extended.clone(),
        corrupt(options),
        corrupt(extended),
    ];
    let (totals, _) = bench.run(&frames);
    assert_eq!(
        (
            totals.delivered,
            totals.dropped_for(DropReason::TransportChecksum)
        ),
        (2, 2)
    );
    let read = socket.read();
    assert_eq!(
        (read[0].payload(), read[1].payload()),
        (&b"options"[..], &b"extended"[..])
    );
    assert_eq!(read[1].source(), remote("[2001:db8::9]:1000"));
}

#[test]
fn k16_full_and_closed_are_told_apart() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut socket = open(&stack, UdpBind::new(7).queue(4));
    let frames: Vec<_> = (0..7u8)
        .map(|n| udp(PEER_V4, V4, (1000, 7), &[n]))
        .collect();
    let (totals, replies) = bench.run(&frames);
    assert_eq!(only_drop(&totals, DropReason::SocketFull), 3);
    assert_eq!(replies.len(), 0, "somebody has the port");
    let stats = socket.socket.stats();
    assert_eq!((stats.received, stats.overflow), (4, 3));
    assert_eq!(
        socket.payloads(),
        [[0], [1], [2], [3]],
        "the oldest are kept"
    );
    assert_eq!(
        bench.run(&frames[..2]).0.delivered,
        2,
        "there is room again"
    );
    // Nobody reads any more.
    let Open { socket, queue } = socket;
    drop(queue);
    // What waited in it is back, although the socket is there.
    bench.assert_no_leak();
    let (totals, replies) = bench.run(&frames);
    assert_eq!(only_drop(&totals, DropReason::SocketClosed), 7);
    assert_eq!((socket.stats().closed, replies.len()), (7, 0));
    // No socket: nobody's port.
    drop(socket);
    let (totals, replies) = bench.run(&frames[..1]);
    assert_eq!(only_drop(&totals, DropReason::UnknownPort), 1);
    assert_eq!(replies.len(), 1);
    bench.assert_no_leak();
}

#[test]
fn k16_a_queue_outlives_its_socket_and_then_is_closed() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let Open { socket, mut queue } = open(&stack, UdpBind::new(7));
    bench.run(&[udp(PEER_V4, V4, (1000, 7), b"left")]);
    assert!(!queue.is_closed());
    drop(socket);
    bench.poll();
    bench.poll();
    assert!(queue.is_closed(), "no worker can find it any more");
    assert_eq!(queue.recv().expect("it was there").payload(), b"left");
    assert!(queue.recv().is_none() && queue.is_empty());
    bench.assert_no_leak();
}

#[test]
fn k16_the_bell_wakes_a_reader() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let (bell, mut sleeper) = doorbell();
    let (_socket, mut queues) = stack.udp_socket(UdpBind::new(7).bell(bell)).unwrap();
    let mut queue = queues.remove(0);
    let reader = std::thread::spawn(move || {
        let woken = sleeper.sleep(Some(Duration::from_secs(60)), || !queue.is_empty());
        (woken, queue.recv().is_some())
    });
    // Until it sleeps, a ring is for nobody.
    let mut sent = 0;
    while !reader.is_finished() {
        bench.run(&[udp(PEER_V4, V4, (1000, 7), b"x")]);
        sent += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    let (woken, got) = reader.join().unwrap();
    assert!(got && woken != Woken::TimedOut, "{woken:?} after {sent}");
}

#[test]
fn k17_what_a_socket_may_be_bound_to() {
    let (bench, second, _peer) = two_nics();
    let stack = bench.nic.stack().clone();
    let bind = |address: &str| stack.udp_socket(UdpBind::new(7).local(ip(address)));
    for own in [
        V4,
        V6,
        "198.51.100.1",
        "224.1.2.3",
        "ff02::1",
        "255.255.255.255",
        "192.0.2.255",
        "0.0.0.0",
        "::",
    ] {
        bind(own).expect(own);
    }
    for foreign in [
        "192.0.2.77",
        "2001:db8::77",
        "::ffff:192.0.2.1",
        "203.0.113.255",
    ] {
        let error = bind(foreign);
        assert!(
            matches!(error, Err(BindError::BadLocalAddress(_))),
            "{foreign}"
        );
    }
    // On a NIC that is named it has to be that one's.
    let on_second = |address: &str| {
        let bind = UdpBind::new(7).local(ip(address)).nic(second.id());
        stack.udp_socket(bind)
    };
    on_second("198.51.100.1").unwrap();
    assert!(matches!(on_second(V4), Err(BindError::BadLocalAddress(_))));
    // As CheckLocalAddress has it (BEHAVIOURS D11): any, on one that spoofs.
    second.set_spoofing(true).unwrap();
    on_second(V4).unwrap();
    // The unspecified one stands for all of its family, and no other's.
    let (socket, _queues) = bind("0.0.0.0").unwrap();
    assert_eq!(socket.local(), None);
    stack
        .udp_socket(UdpBind::new(7).family(Family::V6))
        .unwrap();
}

#[test]
fn ephemeral_ports_are_unique_among_live_sockets() {
    let bench = bench();
    let stack = bench.nic.stack().clone();
    let mut ports = BTreeSet::new();
    let mut live = Vec::new();
    for n in 0..500 {
        let bind = UdpBind::new(0).queue(1);
        let bind = match n % 3 {
            0 => bind,
            1 => bind.local(ip(V4)),
            _ => bind.remote(remote("[2001:db8::9]:53")),
        };
        let (socket, queues) = stack.udp_socket(bind).unwrap();
        assert!(socket.port() >= 49152);
        if n % 3 != 2 {
            assert!(ports.insert(socket.port()), "{} twice", socket.port());
        }
        live.push((socket, queues));
    }
}

// Whole datagrams, several workers.

/// The fragments of a UDP datagram in IPv4.
fn fragments(destination: &str, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (ip(PEER_V4), ip(destination)) else {
        panic!("IPv4");
    };
    let ports = Ports {
        source: 1000,
        destination: 7,
    };
    let mut datagram = vec![0; 8 + payload.len()];
    write_udp_ipv4(&mut datagram, source, destination, ports, payload).unwrap();
    let mut frames = Vec::new();
    for (at, chunk) in datagram.chunks(size).enumerate() {
        let mut fields = Ipv4Fields::new(source, destination, IpProtocol::UDP, 9);
        fields.identification = 77;
        fields.fragmentation = Fragmentation::Allowed;
        let mut buffer = vec![0; 64 + chunk.len()];
        let len = build_ipv4(&mut buffer, PEER, HOST, &fields, chunk).unwrap();
        buffer.truncate(len);
        let more = if (at + 1) * size < datagram.len() {
            0x2000
        } else {
            0
        };
        let field = (at * size / 8) as u16 | more;
        buffer[20..22].copy_from_slice(&field.to_be_bytes());
        buffer[24..26].fill(0);
        let sum = corelane::wire::checksum::sum(&buffer[14..34]).checksum();
        buffer[24..26].copy_from_slice(&sum.to_be_bytes());
        frames.push(buffer);
    }
    frames
}

#[test]
fn datagrams_that_came_in_fragments_are_whole_also_as_copies() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut sockets = [
        open(&stack, UdpBind::new(7).reuse()),
        open(&stack, UdpBind::new(7).reuse()),
    ];
    let bind = RawBind::new(Family::V4, IpProtocol::UDP);
    let (raw, mut raw_queues) = stack.raw_socket(bind).unwrap();
    let payload: Vec<_> = (0..20_000_u32).map(|n| (n * 7) as u8).collect();
    let frames = fragments(V4, &payload, 1400);
    let (totals, _) = bench.run(&frames);
    assert_eq!((totals.delivered, totals.dropped()), (1, 0));
    let read: Vec<_> = sockets.iter_mut().flat_map(Open::payloads).collect();
    assert_eq!(read, [&payload[..]], "one of the two");
    let whole = raw_queues[0].recv().expect("the raw socket's copy");
    assert_eq!(
        whole.packet().len(),
        20 + 8 + payload.len(),
        "and no fragments"
    );
    assert_eq!(whole.payload(), payload);
    drop(whole);
    // To all: larger than a frame of the pool, and each has one.
    let mut frames = fragments("255.255.255.255", &payload, 1400);
    frames.iter_mut().for_each(|frame| frame[..6].fill(0xff));
    assert_eq!(bench.run(&frames).0.delivered, 1);
    for socket in &mut sockets {
        assert_eq!(socket.payloads(), [&payload[..]]);
    }
    drop((raw, raw_queues, sockets));
    bench.assert_no_leak();
}

#[test]
fn each_worker_has_a_queue_and_flows_keep_their_order() {
    let mut bench = bench_with(|b| {
        b.workers(3);
    });
    let stack = bench.nic.stack().clone();
    let (socket, mut queues) = stack.udp_socket(UdpBind::new(7).queue(1024)).unwrap();
    assert_eq!(queues.len(), 3, "one for each worker");
    let frames: Vec<_> = (0..10u8)
        .flat_map(|n| (1..=50u16).map(move |port| udp(PEER_V4, V4, (port, 7), &[n])))
        .collect();
    assert_eq!(bench.run(&frames).0.delivered, 500);
    let mut by_flow: BTreeMap<u16, (usize, Vec<u8>)> = BTreeMap::new();
    let mut burst = DatagramBurst::new();
    let mut shares = [0; 3];
    for (worker, queue) in queues.iter_mut().enumerate() {
        while queue.recv_burst(&mut burst) > 0 {
            for datagram in burst.drain(..) {
                let flow = by_flow.entry(datagram.source().port()).or_default();
                assert!(
                    flow.1.is_empty() || flow.0 == worker,
                    "a flow has one worker"
                );
                *flow = (worker, [&flow.1[..], datagram.payload()].concat());
                shares[worker] += 1;
            }
        }
    }
    assert_eq!(by_flow.len(), 50);
    assert!(
        by_flow
            .values()
            .all(|(_, payloads)| payloads.iter().copied().eq(0..10))
    );
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    assert_eq!(socket.stats().received, 500);
    drop(queues);
    bench.assert_no_leak();
}

// Sending.

/// Rows for the networks on the link.
fn on_link(bench: &Bench) {
    for to in ["192.0.2.0/24", "2001:db8::/64"] {
        let route = RouteSpec {
            to: prefix(to),
            via: None,
            nic: bench.nic.id(),
            metric: 0,
        };
        bench.nic.stack().add_route(route).unwrap();
    }
}

fn neighbors(bench: &Bench) {
    for address in [PEER_V4, PEER_V6] {
        let stack = bench.nic.stack();
        stack
            .add_neighbor(bench.nic.id(), ip(address), PEER)
            .unwrap();
    }
}

/// The UDP datagram in a frame: addresses, ports, hop limit and payload.
fn sent_udp(frame: &[u8]) -> (SocketAddr, SocketAddr, u8, Vec<u8>) {
    let ethernet = parse_ethernet(frame).expect("a frame");
    let (source, destination, ttl, payload) = match ethernet.header.ethertype() {
        EtherType::IPV4 => {
            let packet = parse_ipv4(ethernet.payload).expect("a packet");
            let udp = parse_udp(packet.payload).expect("UDP");
            udp.verify_checksum_ipv4(packet.source(), packet.destination())
                .expect("its checksum");
            (
                IpAddr::V4(packet.source()),
                IpAddr::V4(packet.destination()),
                ethernet.payload[8],
                packet.payload,
            )
        }
        _ => {
            let packet = parse_ipv6(ethernet.payload).expect("a packet");
            let udp = parse_udp(packet.payload).expect("UDP");
            udp.verify_checksum_ipv6(packet.source(), packet.destination())
                .expect("its checksum");
            (
                IpAddr::V6(packet.source()),
                IpAddr::V6(packet.destination()),
                packet.header.hop_limit,
                packet.payload,
            )
        }
    };
    let udp = parse_udp(payload).expect("UDP");
    (
        SocketAddr::new(source, udp.source_port()),
        SocketAddr::new(destination, udp.destination_port()),
        ttl,
        udp.payload.to_vec(),
    )
}

#[test]
fn a_socket_sends_from_where_it_is_bound_or_from_the_best_address() {
    let mut bench = bench();
    on_link(&bench);
    neighbors(&bench);
    let stack = bench.nic.stack().clone();
    bench.nic.add_address(ip("192.0.2.2")).unwrap();
    let any = open(&stack, UdpBind::new(7));
    let bound = open(&stack, UdpBind::new(8).local(ip("192.0.2.2")));
    let connected = open(&stack, UdpBind::new(0).remote(remote("[2001:db8::9]:53")));
    any.socket.send_to(b"four", remote("192.0.2.9:9")).unwrap();
    any.socket
        .send_to(b"six", remote("[2001:db8::9]:9"))
        .unwrap();
    bound.socket.send_to(b"", remote("192.0.2.9:9")).unwrap();
    let hops = SendOptions {
        hop_limit: Some(3),
        ..SendOptions::default()
    };
    connected
        .socket
        .send_with(b"query", remote("[2001:db8::9]:53"), hops)
        .unwrap();
    let sent: Vec<_> = bench.run(&[]).1.iter().map(|it| sent_udp(it)).collect();
    let port = connected.socket.port();
    let of = |from: &str, to: &str, hops, payload: &[u8]| {
        (remote(from), remote(to), hops, payload.to_vec())
    };
    assert_eq!(
        sent,
        [
            of("192.0.2.1:7", "192.0.2.9:9", 64, b"four"),
            of("[2001:db8::1]:7", "[2001:db8::9]:9", 64, b"six"),
            of("192.0.2.2:8", "192.0.2.9:9", 64, b""),
            of(
                &format!("[2001:db8::1]:{port}"),
                "[2001:db8::9]:53",
                3,
                b"query"
            ),
        ]
    );
    // What comes back is whose it is.
    let answer = udp(PEER_V6, V6, (53, port), b"answer");
    let mut connected = connected;
    bench.run(&[answer]);
    assert_eq!(connected.payloads(), [b"answer"]);
    // Where it does not send.
    for (open, to) in [
        (&bound, "[2001:db8::9]:9"),
        (&connected, "[2001:db8::9]:54"),
        (&any, "192.0.2.9:0"),
        (&any, "0.0.0.0:9"),
    ] {
        let error = open.socket.send_to(b"x", remote(to));
        assert!(matches!(error, Err(UdpSendError::BadRemote(_))), "{to}");
    }
    let error = any.socket.send_to(b"x", remote("203.0.113.9:9"));
    assert!(
        matches!(error, Err(UdpSendError::Route(_))),
        "no route leads there"
    );
    let error = any.socket.send_to(&vec![0; 70_000], remote("192.0.2.9:9"));
    assert!(error.is_err(), "more than a datagram has");
    assert!(bench.run(&[]).1.is_empty());
    bench.assert_no_leak();
}

#[test]
fn what_goes_to_many_leaves_by_the_nic_that_is_named_takes_one_hop_and_loops() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let group = ip("224.1.2.3");
    bench.nic.join_group(group).unwrap();
    let id = bench.nic.id();
    // From a group nothing is sent: from the best address.
    let mut member = open(&stack, UdpBind::new(7).local(group).nic(id));
    member
        .socket
        .send_to(b"hello", remote("224.1.2.3:7"))
        .unwrap();
    bench.poll();
    let mut burst = corelane::frame::Burst::new();
    assert_eq!(bench.peer.recv(&mut burst), 1);
    let frame = burst.pop().expect("a frame").data().to_vec();
    assert_eq!(frame[..6], [1, 0, 0x5e, 1, 2, 3]);
    assert_eq!(
        sent_udp(&frame),
        (
            remote("192.0.2.1:7"),
            remote("224.1.2.3:7"),
            1,
            b"hello".to_vec()
        )
    );
    // The NIC does not loop what goes to groups unless it is told to (BEHAVIOURS F3).
    assert_eq!((member.count(), bench.nic.counters().looped), (0, 0));
}

#[test]
fn a_datagram_waits_for_its_neighbor_and_goes_by_its_gateway() {
    let mut bench = bench();
    on_link(&bench);
    let stack = bench.nic.stack().clone();
    stack
        .add_route(RouteSpec {
            to: prefix("0.0.0.0/0"),
            via: Some(ip("192.0.2.254")),
            nic: bench.nic.id(),
            metric: 0,
        })
        .unwrap();
    let socket = open(&stack, UdpBind::new(7));
    socket
        .socket
        .send_to(b"far", remote("203.0.113.9:9"))
        .unwrap();
    let (_, sent) = bench.run(&[]);
    let [question] = &sent[..] else {
        panic!("{} frames", sent.len());
    };
    let ethernet = parse_ethernet(question).unwrap();
    assert_eq!(ethernet.header.ethertype(), EtherType::ARP);
    assert_eq!(question[38..42], [192, 0, 2, 254], "for the gateway");
    // Its answer lets the datagram go.
    let mut answer = question.clone();
    let router = [2, 0, 0, 0, 0, 0xfe];
    answer[..6].copy_from_slice(&HOST.0);
    answer[6..12].copy_from_slice(&router);
    answer[21] = 2;
    answer[22..28].copy_from_slice(&router);
    answer[28..32].copy_from_slice(&[192, 0, 2, 254]);
    answer[32..38].copy_from_slice(&HOST.0);
    answer[38..42].copy_from_slice(&[192, 0, 2, 1]);
    let (_, mut sent) = bench.run(&[answer]);
    if sent.is_empty() {
        sent = bench.run(&[]).1;
    }
    let [datagram] = &sent[..] else {
        panic!("{} frames", sent.len());
    };
    assert_eq!(datagram[..6], router);
    assert_eq!(sent_udp(datagram).3, b"far");
    bench.assert_no_leak();
}

#[test]
fn a_datagram_over_the_mtu_goes_in_fragments_or_not_at_all() {
    let mut bench = bench();
    on_link(&bench);
    neighbors(&bench);
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7)).socket;
    let payload = vec![7; 4000];
    socket.send_to(&payload, remote("192.0.2.9:9")).unwrap();
    let (_, sent) = bench.run(&[]);
    assert_eq!(sent.len(), 3);
    let mut data = Vec::new();
    for frame in &sent {
        let packet = packet_of(frame);
        assert!(packet.len() <= 1500);
        let packet = parse_ipv4(&packet).unwrap();
        assert_eq!(packet.fragment_offset() as usize, data.len());
        data.extend_from_slice(packet.payload);
    }
    assert_eq!(data[8..], payload);
    let too_long = |result| {
        let error = SendError::MessageTooLong {
            len: 4048,
            mtu: 1500,
        };
        assert!(
            matches!(&result, Err(UdpSendError::Send(it)) if it.to_string() == error.to_string()),
            "{result:?}"
        );
    };
    too_long(socket.send_to(&payload, remote("[2001:db8::9]:9")));
    let requested = SendOptions {
        fragmentation: SourceFragmentation::Requested,
        ..SendOptions::default()
    };
    socket
        .send_with(&payload, remote("[2001:db8::9]:9"), requested)
        .unwrap();
    assert_eq!(bench.run(&[]).1.len(), 3);
    let forbidden = SendOptions {
        fragmentation: SourceFragmentation::Forbidden,
        ..SendOptions::default()
    };
    let error = socket.send_with(&payload, remote("192.0.2.9:9"), forbidden);
    assert!(matches!(
        error,
        Err(UdpSendError::Send(SendError::MessageTooLong { .. }))
    ));
    assert!(bench.run(&[]).1.is_empty());
    bench.assert_no_leak();
}

#[test]
fn a_burst_is_sent_up_to_what_cannot_be() {
    let mut bench = bench();
    on_link(&bench);
    neighbors(&bench);
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7)).socket;
    let (four, six) = (remote("192.0.2.9:9"), remote("[2001:db8::9]:9"));
    let burst: [(SocketAddr, &[u8]); 5] = [
        (four, b"1"),
        (four, b"2"),
        (six, b"3"),
        (remote("203.0.113.1:9"), b"nowhere"),
        (four, b"not reached"),
    ];
    let (sent, error) = socket.send_burst(&burst);
    assert_eq!(sent, 3);
    assert!(matches!(error, Some(UdpSendError::Route(_))));
    let payloads: Vec<_> = bench.run(&[]).1.iter().map(|it| sent_udp(it).3).collect();
    assert_eq!(payloads, [b"1", b"2", b"3"]);
    let (sent, error) = socket.send_burst(&burst[..3]);
    assert!(sent == 3 && error.is_none());
    assert_eq!(bench.run(&[]).1.len(), 3);
    bench.assert_no_leak();
}

#[test]
fn a_packet_for_an_address_of_ones_own_comes_back_to_a_socket() {
    let mut bench = bench();
    on_link(&bench);
    let stack = bench.nic.stack().clone();
    let mut server = open(&stack, UdpBind::new(7));
    let client = open(&stack, UdpBind::new(0)).socket;
    client.send_to(b"to myself", remote("192.0.2.1:7")).unwrap();
    bench.poll();
    let read = server.read();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].payload(), b"to myself");
    assert_eq!(read[0].source(), SocketAddr::new(ip(V4), client.port()));
    drop(read);
    // Of an address that is removed nothing is sent.
    let bound = open(&stack, UdpBind::new(8).local(ip(V4))).socket;
    bench.nic.remove_address(ip(V4)).unwrap();
    bench
        .nic
        .add_address(AddressConfig::from(prefix("192.0.2.3/24")))
        .unwrap();
    assert!(bound.send_to(b"x", remote("192.0.2.9:9")).is_err());
    bench.assert_no_leak();
}

#[test]
fn two_families_do_not_meet() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut six = open(&stack, UdpBind::new(7).family(Family::V6));
    assert_eq!(
        only_drop(
            &bench.run(&[udp(PEER_V4, V4, (1, 7), b"4")]).0,
            DropReason::UnknownPort
        ),
        1
    );
    assert_eq!(bench.run(&[udp(PEER_V6, V6, (1, 7), b"6")]).0.delivered, 1);
    assert_eq!(six.payloads(), [b"6"]);
    let (unspecified_v4, unspecified_v6) = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    let mut four = open(&stack, UdpBind::new(7).local(unspecified_v4.into()));
    assert!(matches!(
        stack.udp_socket(UdpBind::new(7).local(unspecified_v6.into())),
        Err(BindError::PortInUse(7))
    ));
    assert_eq!(bench.run(&[udp(PEER_V4, V4, (1, 7), b"4")]).0.delivered, 1);
    assert_eq!(four.payloads(), [b"4"]);
}
