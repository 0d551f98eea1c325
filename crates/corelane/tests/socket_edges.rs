//! What is seldom tried of sockets: addresses and lengths at their limits, NICs that go while sockets are
//! bound to them, what is left in queues.

mod common;

use common::net::prefix;
use common::packets::{fragments, with_options};
use common::sockets::{Open, open, remote};
use common::*;
use corelane::engine::Builder;
use corelane::frame::{Burst, PoolConfig};
use corelane::io::memory::MemoryPeer;
use corelane::stack::{
    BadAddress, BindError, DropReason, Family, Nic, PacketEndpointConfig, PacketProtocol,
    PacketQueue, RawBind, RouteError, RouteSpec, SendError, SendOptions, SocketErrorKind,
    SourceFragmentation, UdpBind, UdpSendError,
};
use corelane::wire::IpProtocol;
use corelane::wire::icmp_error::{Icmpv4Problem, Icmpv4Unreachable, build_icmp_error_ipv4};

fn furnish(bench: &Bench) {
    let neighbors = ["192.0.2.9", "2001:db8::9"];
    sockets::furnish(bench, ["0.0.0.0/0", "::/0"], &neighbors);
}

fn bench_with(configure: impl FnOnce(&mut Builder)) -> Bench {
    let bench = Bench::refusing(configure);
    furnish(&bench);
    bench
}

fn bench() -> Bench {
    bench_with(|_| {})
}

fn two_nics() -> (Bench, Nic, MemoryPeer) {
    sockets::two_nics(furnish)
}

/// What the NIC has sent.
fn sent(bench: &mut Bench) -> Vec<Vec<u8>> {
    bench.poll();
    let mut sent = Vec::new();
    let mut burst = Burst::new();
    while bench.peer.recv(&mut burst) > 0 {
        sent.extend(burst.drain(..).map(|frame| frame.data().to_vec()));
    }
    sent
}

fn to_all(mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].fill(0xff);
    frame
}

#[test]
fn k5_a_sender_without_an_address_and_a_port_is_not_any_sender() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let group = ip("ff02::77");
    bench.nic.join_group(group).unwrap();
    let from = remote("[2001:db8::9]:1000");
    let mut connected = open(&stack, UdpBind::new(7).local(group).remote(from));
    let mut half = open(&stack, UdpBind::new(7).remote(from));
    let mut member = open(&stack, UdpBind::new(7).local(group));
    let mut any = open(&stack, UdpBind::new(7));
    let frame = udp("::", "ff02::77", (0, 7), b"nobody");
    assert_eq!(bench.run(&[frame]).0.delivered, 1);
    assert_eq!(member.payloads(), [b"nobody"]);
    assert_eq!(any.payloads(), [b"nobody"]);
    assert!(connected.payloads().is_empty() && half.payloads().is_empty());
    // To one host: the order is that of any other sender.
    let mut host = open(&stack, UdpBind::new(7).local(ip("2001:db8::1")));
    let frame = udp("::", "2001:db8::1", (0, 7), b"one");
    drop(connected);
    assert_eq!(bench.run(&[frame]).0.delivered, 1);
    assert_eq!(host.payloads(), [b"one"]);
    assert!(any.payloads().is_empty());
}

#[test]
fn k16_what_udp_says_of_its_length_counts_and_not_what_the_packet_has() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut socket = open(&stack, UdpBind::new(7));
    for (from, to, at) in [
        ("192.0.2.9", "192.0.2.1", 34_usize),
        ("2001:db8::9", "2001:db8::1", 54),
    ] {
        let short = udp(from, to, (1, 7), b"abc");
        let mut long = udp(from, to, (1, 7), b"abcdefgh");
        // The UDP header of the short one in the packet of the long one.
        long[at..at + 8].copy_from_slice(&short[at..at + 8]);
        assert_eq!(bench.run(&[long.clone()]).0.delivered, 1);
        assert_eq!(socket.payloads(), [b"abc"]);
        // In fragments too.
        let frames = fragments(
            &udp(from, to, (1, 7), &[5; 1400]),
            if at == 34 { 68 } else { 1280 },
            9,
        );
        assert_eq!(bench.run(&frames).0.delivered, 1);
        assert_eq!(socket.payloads(), [[5; 1400]]);
        let mut length = long.clone();
        length[at + 4..at + 6].copy_from_slice(&7_u16.to_be_bytes());
        assert_eq!(
            only_drop(&bench.run(&[length]).0, DropReason::TransportTruncated),
            1
        );
        let mut length = long.clone();
        length[at + 4..at + 6].copy_from_slice(&17_u16.to_be_bytes());
        assert_eq!(
            only_drop(&bench.run(&[length]).0, DropReason::TransportTruncated),
            1
        );
        let empty = udp(from, to, (1, 7), b"");
        assert_eq!(bench.run(&[empty]).0.delivered, 1);
        assert_eq!(socket.payloads(), [b""]);
    }
    let v4 = with_options(udp("192.0.2.9", "192.0.2.1", (1, 7), b"o"), &[1, 1, 1, 0]);
    assert_eq!(bench.run(&[v4]).0.delivered, 1);
    assert_eq!(socket.payloads(), [b"o"]);
    bench.assert_no_leak();
}

#[test]
fn k14_when_all_ports_of_an_address_are_in_use_none_is_chosen() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let host = ip("192.0.2.1");
    let bind = || UdpBind::new(0).local(host).queue(1);
    let mut sockets: Vec<_> = (0..16_384).map(|_| open(&stack, bind())).collect();
    assert!(matches!(
        stack.udp_socket(bind()),
        Err(BindError::NoPortLeft)
    ));
    assert!(matches!(
        stack.udp_socket(UdpBind::new(0)),
        Err(BindError::NoPortLeft)
    ));
    let _six = open(&stack, UdpBind::new(0).family(Family::V6));
    bench.nic.add_address(ip("192.0.2.2")).unwrap();
    let _other = open(&stack, UdpBind::new(0).local(ip("192.0.2.2")));
    let free = sockets.swap_remove(77).socket.port();
    let again = open(&stack, bind());
    assert_eq!(again.socket.port(), free);
    let frame = udp("192.0.2.9", "192.0.2.1", (1, free), b"x");
    assert_eq!(bench.run(&[frame]).0.delivered, 1);
    drop((sockets, again));
    bench.assert_no_leak();
}

#[test]
fn k16_a_reader_that_goes_gives_back_what_was_not_read() {
    let mut bench = bench_with(|b| {
        b.pool(PoolConfig {
            slots: 2048,
            ..PoolConfig::default()
        });
    });
    let stack = bench.nic.stack().clone();
    let mut socket = open(&stack, UdpBind::new(7).queue(16));
    let (raw, raws) = stack
        .raw_socket(RawBind::new(Family::V4, IpProtocol::UDP))
        .unwrap();
    let frames = vec![udp("192.0.2.9", "192.0.2.1", (1, 7), b"x"); 40];
    assert_eq!(bench.run(&frames).0.delivered, 16);
    drop(raws);
    drop(std::mem::replace(&mut socket.queue, {
        let other = open(&stack, UdpBind::new(8));
        other.queue
    }));
    bench.assert_no_leak();
    let totals = bench.run(&frames).0;
    assert_eq!(only_drop(&totals, DropReason::SocketClosed), 40);
    assert_eq!(raw.stats().closed, 40);
    drop((raw, socket));
    let totals = bench.run(&frames).0;
    assert_eq!(only_drop(&totals, DropReason::UnknownPort), 40);
    bench.assert_no_leak();
}

#[test]
fn k4_mapped_addresses_are_not_those_of_ipv4() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut any = open(&stack, UdpBind::new(7));
    for (from, to) in [
        ("2001:db8::9", "::ffff:192.0.2.1"),
        ("::ffff:192.0.2.9", "2001:db8::1"),
        ("2001:db8::9", "::ffff:192.0.2.255"),
        ("2001:db8::9", "::ffff:224.0.0.1"),
        ("2001:db8::9", "::"),
    ] {
        let totals = bench.run(&[udp(from, to, (1, 7), b"m")]).0;
        assert_eq!(totals.delivered, 0, "{from} {to}");
    }
    assert!(any.payloads().is_empty());
    assert!(matches!(
        any.socket.send_to(b"x", remote("[::ffff:192.0.2.9]:9")),
        Err(UdpSendError::BadRemote(_))
    ));
    assert!(matches!(
        stack.udp_socket(UdpBind::new(9).local(ip("::ffff:192.0.2.1"))),
        Err(BindError::BadLocalAddress(_))
    ));
}

#[test]
fn k7_k12_a_promiscuous_nic_knows_what_is_for_many() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    bench.nic.set_promiscuous(true).unwrap();
    for to in [
        "224.9.9.9",
        "192.0.2.255",
        "255.255.255.255",
        "ff02::99",
        "ff0e::99",
    ] {
        let from = if to.contains(':') {
            "2001:db8::9"
        } else {
            "192.0.2.9"
        };
        // In frames for this host alone.
        let (totals, out) = bench.run(&[udp(from, to, (1, 7), b"g"), packets::syn(from, to, 80)]);
        assert!(out.is_empty(), "{to} {totals:?} {out:?}");
        let mut one = open(&stack, UdpBind::new(7).reuse());
        let mut two = open(&stack, UdpBind::new(7).reuse());
        assert_eq!(bench.run(&[udp(from, to, (1, 7), b"g")]).0.delivered, 1);
        assert_eq!((one.payloads().len(), two.payloads().len()), (1, 1), "{to}");
    }
    for (from, to) in [("192.0.2.9", "10.9.9.255"), ("2001:db8::9", "2001:db9::1")] {
        let mut one = open(&stack, UdpBind::new(7).reuse());
        let mut two = open(&stack, UdpBind::new(7).reuse());
        assert_eq!(bench.run(&[udp(from, to, (1, 7), b"g")]).0.delivered, 1);
        assert_eq!(one.payloads().len() + two.payloads().len(), 1, "{to}");
    }
}

#[test]
fn k12_nobody_is_told_of_what_nobody_sent() {
    let mut bench = bench();
    for (from, to) in [
        ("0.0.0.0", "192.0.2.1"),
        ("::", "2001:db8::1"),
        ("192.0.2.255", "192.0.2.1"),
        ("0.0.0.0", "255.255.255.255"),
    ] {
        let (totals, out) = bench.run(&[udp(from, to, (1, 7), b"g"), packets::syn(from, to, 80)]);
        assert!(out.is_empty(), "{from} {to} {totals:?} {out:?}");
    }
}

#[test]
fn k14_a_failure_leaves_nothing_bound() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let six = open(&stack, UdpBind::new(7).family(Family::V6));
    assert!(matches!(
        stack.udp_socket(UdpBind::new(7)),
        Err(BindError::PortInUse(7))
    ));
    let mut four = open(&stack, UdpBind::new(7).family(Family::V4));
    drop(six);
    let mut six = open(&stack, UdpBind::new(7).family(Family::V6));
    assert_eq!(
        bench
            .run(&[
                udp("192.0.2.9", "192.0.2.1", (1, 7), b"4"),
                udp("2001:db8::9", "2001:db8::1", (1, 7), b"6")
            ])
            .0
            .delivered,
        2
    );
    assert_eq!(four.payloads(), [b"4"]);
    assert_eq!(six.payloads(), [b"6"]);
}

#[test]
fn j13_loopback_addresses_and_groups_of_the_interface_are_on_no_link() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut any = open(&stack, UdpBind::new(7));
    for to in ["127.0.0.1:7", "127.9.9.9:7", "[::1]:7"] {
        let sent = any.socket.send_to(b"x", remote(to));
        let Err(UdpSendError::Route(RouteError::BadRemoteAddress { reason, .. })) = sent else {
            panic!("{to}: {sent:?}");
        };
        assert_eq!(reason, BadAddress::Loopback);
    }
    bench.nic.join_group(ip("ff01::77")).unwrap();
    any.socket.send_to(b"here", remote("[ff01::77]:7")).unwrap();
    assert!(sent(&mut bench).is_empty());
    assert_eq!(any.payloads(), [b"here"]);
    // An address that the NIC has is its own.
    bench.nic.add_address(ip("127.0.0.1")).unwrap();
    any.socket.send_to(b"own", remote("127.0.0.1:7")).unwrap();
    assert!(sent(&mut bench).is_empty());
    assert_eq!(any.payloads(), [b"own"]);
    bench.assert_no_leak();
}

#[test]
fn j17_a_packet_without_a_hop_stays_in_this_host() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut any = open(&stack, UdpBind::new(7));
    let options = SendOptions {
        hop_limit: Some(0),
        ..SendOptions::default()
    };
    for to in ["192.0.2.9:9", "[2001:db8::9]:9", "224.0.0.5:9"] {
        let sent = any.socket.send_with(b"x", remote(to), options);
        assert!(
            matches!(sent, Err(UdpSendError::Send(SendError::NoHops))),
            "{to}: {sent:?}"
        );
    }
    for to in ["192.0.2.1:7", "[2001:db8::1]:7", "192.0.2.255:7"] {
        any.socket.send_with(b"here", remote(to), options).unwrap();
        assert!(sent(&mut bench).is_empty(), "{to}");
        assert_eq!(any.payloads(), [b"here"]);
    }
    assert!(sent(&mut bench).is_empty());
    bench.assert_no_leak();
}

#[test]
fn j15_l2_what_a_nic_answers_to_itself_is_on_no_link() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let (tap, mut shown) = stack
        .packet_endpoint(PacketEndpointConfig {
            outbound: true,
            ..PacketEndpointConfig::default()
        })
        .unwrap();
    bench
        .nic
        .register_packet_endpoint(PacketProtocol::All, &tap)
        .unwrap();
    let echo_v4: &[u8] = &[8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    for to in ["192.0.2.1:99", "[2001:db8::1]:99"] {
        let to = remote(to);
        let socket = open(&stack, UdpBind::new(0)).socket;
        socket.send_to(b"x", to).unwrap();
        assert!(sent(&mut bench).is_empty());
        // The error came to whoever sent it.
        let told = socket.take_error().expect("an error");
        assert_eq!(
            (told.kind, told.remote),
            (SocketErrorKind::PortUnreachable, to)
        );
        let route = stack.find_route(None, None, to.ip()).unwrap();
        route.write_packet(IpProtocol(200), &[0; 8], None).unwrap();
        let syn = packets::syn(&to.ip().to_string(), &to.ip().to_string(), 80);
        let tcp = if to.is_ipv4() { 34 } else { 54 };
        route
            .write_packet(IpProtocol::TCP, &syn[tcp..], None)
            .unwrap();
        assert!(sent(&mut bench).is_empty());
    }
    assert_eq!(bench.nic.counters().resets_sent, 2);
    // An echo, and one that comes in fragments and goes so.
    let (raw, mut replies) = stack
        .raw_socket(RawBind::new(Family::V4, IpProtocol::ICMPV4))
        .unwrap();
    let route = stack.find_route(None, None, ip("192.0.2.1")).unwrap();
    let long = &ping("192.0.2.1", "192.0.2.1", &[7; 60_000])[34..];
    for request in [echo_v4, long] {
        route
            .write_packet(IpProtocol::ICMPV4, request, None)
            .unwrap();
        assert!(sent(&mut bench).is_empty());
        let types: Vec<_> = std::iter::from_fn(|| replies[0].recv())
            .map(|it| (it.payload()[0], it.payload().len()))
            .collect();
        assert_eq!(types, [(8, request.len()), (0, request.len())]);
    }
    assert_eq!(bench.nic.counters().sent, 0);
    assert!(shown.iter_mut().all(PacketQueue::is_empty));
    drop((raw, replies));
    bench.assert_no_leak();
}

#[test]
fn j18_datagrams_of_the_greatest_length_come_back_whole() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut here = open(&stack, UdpBind::new(7));
    let requested = SendOptions {
        fragmentation: SourceFragmentation::Requested,
        ..SendOptions::default()
    };
    for (to, longest) in [("192.0.2.1:7", 65_507), ("[2001:db8::1]:7", 65_527)] {
        for len in [0, 1, 1231, 1232, 1233, 1452, 1453, 1472, 1473, longest] {
            let payload = vec![3; len];
            here.socket
                .send_with(&payload, remote(to), requested)
                .unwrap();
            bench.poll();
            assert_eq!(here.payloads(), [payload], "{to} {len}");
        }
        let over = here
            .socket
            .send_with(&vec![3; longest + 1], remote(to), requested);
        assert!(matches!(over, Err(UdpSendError::TooLong(len)) if len == longest + 1));
    }
    assert!(sent(&mut bench).is_empty());
    bench.assert_no_leak();
}

#[test]
fn k14b_sockets_of_a_nic_that_goes_keep_what_they_have_and_send_no_more() {
    let (mut bench, second, mut peer) = two_nics();
    let stack = bench.nic.stack().clone();
    let mut bound = open(&stack, UdpBind::new(7).nic(second.id()));
    let mut local = open(&stack, UdpBind::new(8).local(ip("198.51.100.1")));
    let raw_bind = RawBind {
        nic: Some(second.id()),
        ..RawBind::new(Family::V4, IpProtocol::UDP)
    };
    let (raw, mut raws) = stack.raw_socket(raw_bind.clone()).unwrap();
    stack
        .add_route(RouteSpec {
            to: prefix("198.51.100.0/24"),
            via: None,
            nic: second.id(),
            metric: 0,
        })
        .unwrap();
    // These wait for the neighbor, and are never sent.
    let to = remote("198.51.100.9:9");
    bound.socket.send_to(b"waits", to).unwrap();
    local.socket.send_to(b"waits", to).unwrap();
    let frames = [
        udp("198.51.100.9", "198.51.100.1", (1, 7), b"seven"),
        udp("198.51.100.9", "198.51.100.1", (1, 8), b"eight"),
    ];
    let mut burst: Burst = frames.iter().map(|it| bench.frame(it)).collect();
    peer.send(0, &mut burst);
    bench.poll();
    let lifecycle = bench.parts.lifecycle.clone();
    lifecycle.disable_nic(second.id()).unwrap();
    assert!(bound.socket.send_to(b"x", to).is_err());
    assert!(local.socket.send_to(b"x", to).is_err());
    lifecycle.enable_nic(second.id()).unwrap();
    lifecycle.remove_nic(second.id()).unwrap();
    bench.poll();
    for to in [to, remote("224.0.0.5:7"), remote("255.255.255.255:7")] {
        assert!(bound.socket.send_to(b"x", to).is_err(), "{to}");
    }
    assert!(matches!(
        stack.udp_socket(UdpBind::new(9).nic(second.id())),
        Err(BindError::UnknownNic(_))
    ));
    assert!(matches!(
        stack.raw_socket(raw_bind),
        Err(BindError::UnknownNic(_))
    ));
    assert_eq!(bound.payloads(), [b"seven"]);
    assert_eq!(local.payloads(), [b"eight"]);
    assert_eq!(std::iter::from_fn(|| raws[0].recv()).count(), 2);
    drop((bound, local, raw, raws, peer));
    bench.assert_no_leak();
}

#[test]
fn k2_k8_a_datagram_in_fragments_reaches_all_whoever_is_full() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut sockets: Vec<_> = (0..5)
        .map(|_| open(&stack, UdpBind::new(7).reuse().queue(2)))
        .collect();
    let (raw, mut raws) = stack
        .raw_socket(RawBind::new(Family::V4, IpProtocol::UDP))
        .unwrap();
    for round in 0..40_u8 {
        let whole = to_all(udp("192.0.2.9", "192.0.2.255", (1, 7), &[round; 8000]));
        bench.run(&fragments(&whole, 1500, u16::from(round) + 1));
        let shown = raws[0].recv().expect("a copy");
        assert!(shown.payload() == [round; 8000]);
    }
    for it in &mut sockets {
        let stats = it.socket.stats();
        assert_eq!((stats.received, stats.overflow), (2, 38));
        assert_eq!(it.payloads(), [vec![0; 8000], vec![1; 8000]]);
    }
    assert_eq!(raw.stats().received, 40);
    drop((sockets, raw, raws));
    bench.assert_no_leak();
}

/// Datagrams to this port, each in fragments.
fn in_fragments(port: u16, payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let datagrams = payloads.iter().zip(1..).flat_map(|(payload, id)| {
        let whole = udp("192.0.2.9", "192.0.2.1", (1, port), payload);
        fragments(&whole, 1000, id)
    });
    datagrams.collect()
}

#[test]
fn i12_k16_a_socket_that_does_not_read_leaves_reassembly_to_others() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut slow = open(&stack, UdpBind::new(7).queue(512));
    let mut other = open(&stack, UdpBind::new(8));
    let large: Vec<_> = (0..200).map(|n| vec![n; 4000]).collect();
    // Of those that need a slot of reassembly few wait, whatever room the queue has.
    let (totals, _) = bench.run(&in_fragments(7, &large));
    assert_eq!(only_drop(&totals, DropReason::SocketFull), 184);
    assert_eq!(totals.delivered, 16);
    let stats = slow.socket.stats();
    assert_eq!((stats.received, stats.overflow), (16, 184));
    // What came whole, and what fits into an ordinary frame, has the room of the queue.
    let small: Vec<_> = (0..100).map(|n| vec![n; 1500]).collect();
    assert_eq!(bench.run(&in_fragments(7, &small)).0.delivered, 100);
    let whole = udp("192.0.2.9", "192.0.2.1", (1, 7), b"whole");
    assert_eq!(bench.run(&vec![whole; 100]).0.delivered, 100);
    assert_eq!(bench.run(&in_fragments(8, &large[..16])).0.delivered, 16);
    assert_eq!(other.payloads(), large[..16]);
    // Each that is read makes room for one, in their order.
    for first in &large[..3] {
        assert_eq!(slow.queue.recv().unwrap().payload(), first);
    }
    assert_eq!(bench.run(&in_fragments(7, &large[100..120])).0.delivered, 3);
    let read = slow.payloads();
    assert_eq!(read[..13], large[3..16]);
    assert_eq!(read[13..113], small);
    assert!(read[113..213].iter().all(|it| it == b"whole"));
    assert_eq!(read[213..], large[100..103]);
    assert_eq!(bench.run(&in_fragments(7, &large[..20])).0.delivered, 16);
    drop((slow, other));
    bench.assert_no_leak();
}

#[test]
fn i12_k16_sockets_that_do_not_read_do_not_end_reassembly_however_many() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let large: Vec<_> = (0..16).map(|n| vec![n; 4000]).collect();
    let mut slow: Vec<_> = (0..40)
        .map(|n| open(&stack, UdpBind::new(100 + n)))
        .collect();
    for n in 0..40 {
        let (totals, _) = bench.run(&in_fragments(100 + n, &large));
        only_drop(&totals, DropReason::SocketFull);
    }
    let held: usize = slow.iter_mut().map(Open::count).sum();
    for n in 0..40 {
        bench.run(&in_fragments(100 + n, &large));
    }
    // They have all slots that they may: what needs one only while it is put together goes on.
    let mut other = open(&stack, UdpBind::new(8));
    let small: Vec<_> = (0..10).map(|n| vec![n; 1500]).collect();
    assert_eq!(bench.run(&in_fragments(8, &small)).0.delivered, 10);
    assert_eq!(other.payloads(), small);
    let (totals, _) = bench.run(&in_fragments(8, &large));
    assert_eq!(only_drop(&totals, DropReason::SocketFull), 16);
    let ping = ping("192.0.2.9", "192.0.2.1", &[1; 4000]);
    let (_, replies) = bench.run(&fragments(&ping, 1000, 99));
    assert_eq!(replies.len(), 3);
    // One that reads makes room for others.
    assert_eq!(slow[0].count(), 16);
    assert_eq!(bench.run(&in_fragments(8, &large)).0.delivered, 16);
    assert_eq!(other.payloads(), large);
    assert_eq!(
        slow.iter_mut().map(Open::count).sum::<usize>(),
        held - 16,
        "as many slots as before"
    );
    drop((slow, other));
    bench.assert_no_leak();
}

#[test]
fn i12_k7_copies_of_what_came_in_fragments_are_bounded_too() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut slow = open(&stack, UdpBind::new(7).reuse());
    let mut reads = open(&stack, UdpBind::new(7).reuse());
    let (raw, mut raws) = stack
        .raw_socket(RawBind::new(Family::V4, IpProtocol::UDP))
        .unwrap();
    for round in 0..40_u8 {
        let whole = to_all(udp("192.0.2.9", "192.0.2.255", (1, 7), &[round; 8000]));
        let (totals, _) = bench.run(&fragments(&whole, 1500, u16::from(round) + 1));
        assert_eq!(totals.delivered, 1);
        assert_eq!(reads.payloads(), [[round; 8000]]);
    }
    for stats in [slow.socket.stats(), raw.stats()] {
        assert_eq!((stats.received, stats.overflow), (16, 24));
    }
    assert_eq!(slow.count(), 16);
    assert_eq!(std::iter::from_fn(|| raws[0].recv()).count(), 16);
    drop((slow, reads, raw, raws));
    bench.assert_no_leak();
}

#[test]
fn f3_what_is_sent_to_all_reaches_each_socket_of_this_host_once() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let mut one = open(&stack, UdpBind::new(7).reuse());
    let mut two = open(&stack, UdpBind::new(7).reuse());
    let sender = open(&stack, UdpBind::new(0).nic(bench.nic.id())).socket;
    for to in ["192.0.2.255:7", "255.255.255.255:7"] {
        for (len, frames) in [(3, 1), (3000, 3)] {
            sender.send_to(&vec![9; len], remote(to)).unwrap();
            let sent = sent(&mut bench);
            assert_eq!(sent.len(), frames);
            assert!(sent.iter().all(|it| it[..6] == [0xff; 6]));
            assert_eq!(one.payloads(), [vec![9; len]]);
            assert_eq!(two.payloads(), [vec![9; len]]);
        }
    }
    drop((one, two));
    bench.assert_no_leak();
}

#[test]
fn l4_a_socket_that_is_bound_to_a_group_goes_by_the_mtu_of_the_path() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let group = ip("224.1.2.3");
    bench.nic.join_group(group).unwrap();
    let member = open(&stack, UdpBind::new(7).local(group)).socket;
    let to = remote("192.0.2.9:9");
    member.send_to(&[0; 1400], to).unwrap();
    let packet = sent(&mut bench).remove(0);
    let problem = Icmpv4Problem::Unreachable(Icmpv4Unreachable::FragmentationNeeded { mtu: 1000 });
    let (router, own) = (packets::v4("192.0.2.254"), packets::v4("192.0.2.1"));
    let mut buffer = vec![0; 1500];
    let len = build_icmp_error_ipv4(&mut buffer, PEER, HOST, router, own, problem, &packet[14..]);
    buffer.truncate(len.unwrap());
    bench.run(&[buffer.clone()]);
    assert_eq!(stack.path_mtu(to.ip()), Some(1000));
    member.send_to(&[0; 1400], to).unwrap();
    assert_eq!(sent(&mut bench).len(), 2);
}
