//! ICMP to this host: errors about what it sent, and what is counted (BEHAVIOURS section L).

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::sockets::remote;
use common::*;
use corelane::engine::Builder;
use corelane::stack::{
    Clock, DropReason, Family, IcmpCounter, ProtocolCounter, RawBind, SendError, SendOptions,
    SocketError, SocketErrorKind, SourceFragmentation, Stack, UdpBind, UdpSendError, UdpSocket,
};
use corelane::wire::build::{build_ipv4, build_ipv6};
use corelane::wire::icmp_error::{
    Icmpv4Problem, Icmpv4Unreachable, Icmpv6Problem, Icmpv6Unreachable, TimeExceeded,
    build_icmp_error_ipv4, build_icmp_error_ipv6,
};
use corelane::wire::ipv4::Ipv4Fields;
use corelane::wire::ipv6::Ipv6Fields;
use corelane::wire::{IpProtocol, checksum};

const V4: &str = "192.0.2.1";
const V6: &str = "2001:db8::1";
const PEER_V4: &str = "192.0.2.9";
const PEER_V6: &str = "2001:db8::9";
/// Whoever tells of errors.
const ROUTER_V4: &str = "192.0.2.254";
const ROUTER_V6: &str = "2001:db8::254";

fn bench() -> Bench {
    bench_with(|_| {})
}

/// A NIC with an address of each family, and two neighbors.
fn bench_with(configure: impl FnOnce(&mut Builder)) -> Bench {
    let bench = Bench::refusing(configure);
    let networks = ["192.0.2.0/24", "2001:db8::/64"];
    sockets::furnish(&bench, networks, &[PEER_V4, PEER_V6, "192.0.2.8"]);
    bench
}

fn open(stack: &Stack, bind: UdpBind) -> UdpSocket {
    stack.udp_socket(bind).expect("a socket").0
}

/// The packets that the engine has sent, network header first.
fn sent(bench: &mut Bench) -> Vec<Vec<u8>> {
    let frames = bench.run(&[]).1;
    frames
        .into_iter()
        .map(|frame| frame[14..].to_vec())
        .collect()
}

/// Sends a datagram and returns its packet.
fn send(bench: &mut Bench, socket: &UdpSocket, to: &str, len: usize) -> Vec<u8> {
    socket.send_to(&vec![0x5a; len], remote(to)).unwrap();
    let mut sent = sent(bench);
    assert_eq!(sent.len(), 1);
    sent.remove(0)
}

/// An error about an IPv4 packet, from the router to `to`.
fn error_v4(to: &str, problem: Icmpv4Problem, packet: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (ip(ROUTER_V4), ip(to)) else {
        panic!("IPv4");
    };
    let mut buffer = vec![0; 1500];
    let len = build_icmp_error_ipv4(&mut buffer, PEER, HOST, from, to, problem, packet);
    buffer.truncate(len.expect("room"));
    buffer
}

/// As [`error_v4`], in IPv6.
fn error_v6(to: &str, problem: Icmpv6Problem, packet: &[u8]) -> Vec<u8> {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (ip(ROUTER_V6), ip(to)) else {
        panic!("IPv6");
    };
    let mut buffer = vec![0; 1500];
    let len = build_icmp_error_ipv6(&mut buffer, PEER, HOST, from, to, problem, packet);
    buffer.truncate(len.expect("room"));
    buffer
}

const PORT_V4: Icmpv4Problem = Icmpv4Problem::Unreachable(Icmpv4Unreachable::Port);
const PORT_V6: Icmpv6Problem = Icmpv6Problem::Unreachable(Icmpv6Unreachable::Port);

fn frag_needed(mtu: u16) -> Icmpv4Problem {
    Icmpv4Problem::Unreachable(Icmpv4Unreachable::FragmentationNeeded { mtu })
}

fn too_big(mtu: u32) -> Icmpv6Problem {
    Icmpv6Problem::PacketTooBig { mtu }
}

/// How many errors were received, and how many of them came to nothing.
fn counts(bench: &Bench) -> (u64, u64) {
    let of = |counter| bench.nic.protocol_counter(counter);
    (
        of(ProtocolCounter::ErrorsReceived),
        of(ProtocolCounter::ErrorsIgnored),
    )
}

/// Feeds an error, and says whether it was taken.
fn is_taken(bench: &mut Bench, frame: Vec<u8>) -> bool {
    let before = counts(bench);
    assert_eq!(
        bench.run(&[frame]).0.consumed,
        1,
        "it goes to the control plane"
    );
    let after = counts(bench);
    assert_eq!(after.0 + after.1, before.0 + before.1 + 1);
    after.0 > before.0
}

#[test]
fn l2_l4_an_error_is_told_to_the_socket_that_sent() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7));
    let (four, six) = ("192.0.2.9:53", "[2001:db8::9]:53");
    let v4 = send(&mut bench, &socket, four, 10);
    let v6 = send(&mut bench, &socket, six, 10);
    assert_eq!(socket.take_error(), None);
    let error = |kind, to| {
        let remote = remote(to);
        Some(SocketError { kind, remote })
    };
    for (problem, kind) in [
        (Icmpv4Unreachable::Port, SocketErrorKind::PortUnreachable),
        (Icmpv4Unreachable::Host, SocketErrorKind::HostUnreachable),
        (Icmpv4Unreachable::Net, SocketErrorKind::NetworkUnreachable),
    ] {
        let problem = Icmpv4Problem::Unreachable(problem);
        assert!(is_taken(&mut bench, error_v4(V4, problem, &v4)));
        assert_eq!(socket.take_error(), error(kind, four));
    }
    for (problem, kind) in [
        (Icmpv6Unreachable::Port, SocketErrorKind::PortUnreachable),
        (Icmpv6Unreachable::Address, SocketErrorKind::HostUnreachable),
        (
            Icmpv6Unreachable::NoRoute,
            SocketErrorKind::NetworkUnreachable,
        ),
    ] {
        let problem = Icmpv6Problem::Unreachable(problem);
        assert!(is_taken(&mut bench, error_v6(V6, problem, &v6)));
        assert_eq!(socket.take_error(), error(kind, six));
    }
    // What says nothing that a socket could go by.
    for problem in [
        Icmpv4Problem::TimeExceeded(TimeExceeded::HopLimit),
        Icmpv4Problem::Unreachable(Icmpv4Unreachable::Protocol),
    ] {
        assert!(is_taken(&mut bench, error_v4(V4, problem, &v4)));
        assert_eq!(socket.take_error(), None);
    }
    bench.assert_no_leak();
}

#[test]
fn l1_l2_an_error_about_nothing_that_was_sent_is_ignored() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    bench.nic.add_address(ip("192.0.2.2")).unwrap();
    let socket = open(&stack, UdpBind::new(7).local(ip(V4)));
    let packet = send(&mut bench, &socket, "192.0.2.9:53", 10);
    let quoting = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = packet.clone();
        change(&mut packet);
        packet
    };
    let ignored = [
        // From an address of another host.
        quoting(&|it| it[15] = 77),
        // From another address of this host, where the socket is not.
        quoting(&|it| it[15] = 2),
        // From a port that nobody has.
        quoting(&|it| it[21] = 8),
        // Not UDP: nobody here sends TCP by sockets.
        quoting(&|it| it[9] = 6),
        // A later fragment, which has no ports.
        quoting(&|it| it[7] = 1),
    ];
    for (number, packet) in ignored.iter().enumerate() {
        assert!(
            !is_taken(&mut bench, error_v4(V4, PORT_V4, packet)),
            "{number}"
        );
        assert_eq!(socket.take_error(), None, "{number}");
    }
    // It came to another address than the packet was from.
    assert!(!is_taken(
        &mut bench,
        error_v4("192.0.2.2", PORT_V4, &packet)
    ));
    // Less is quoted than the ports.
    let short = error_v4(V4, PORT_V4, &packet);
    let cut = icmp_v4(&short[34..34 + 8 + 20 + 3], 64);
    assert!(!is_taken(&mut bench, cut));
    let header = icmp_v4(&short[34..34 + 8 + 12], 64);
    assert!(!is_taken(&mut bench, header));
    assert_eq!(socket.take_error(), None);
    // As it was sent, it is told.
    assert!(is_taken(&mut bench, error_v4(V4, PORT_V4, &packet)));
    assert!(socket.take_error().is_some());
    // No socket any more.
    drop(socket);
    assert!(!is_taken(&mut bench, error_v4(V4, PORT_V4, &packet)));
    bench.assert_no_leak();
}

#[test]
fn l3_the_best_hit_is_told_and_nobody_else() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let peer = remote("192.0.2.9:53");
    let id = bench.nic.id();
    let exact = open(&stack, UdpBind::new(7).local(ip(V4)).remote(peer));
    let any_local = open(&stack, UdpBind::new(7).remote(peer));
    let any_remote = open(&stack, UdpBind::new(7).local(ip(V4)));
    let bound = open(&stack, UdpBind::new(7).nic(id));
    let unbound = open(&stack, UdpBind::new(7));
    let packet = send(&mut bench, &unbound, "192.0.2.9:53", 10);
    let mut sockets = vec![
        ("exact", exact),
        ("any local", any_local),
        ("any remote", any_remote),
        ("bound to the NIC", bound),
        ("unbound", unbound),
    ];
    while !sockets.is_empty() {
        assert!(is_taken(&mut bench, error_v4(V4, PORT_V4, &packet)));
        let told: Vec<_> = sockets
            .iter()
            .filter(|(_, socket)| socket.take_error().is_some())
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(told, [sockets.remove(0).0]);
    }
    // A connected socket is not told of what was sent to others.
    let connected = open(&stack, UdpBind::new(7).remote(remote("192.0.2.8:53")));
    assert!(!is_taken(&mut bench, error_v4(V4, PORT_V4, &packet)));
    assert_eq!(connected.take_error(), None);
}

#[test]
fn l3_of_those_that_share_the_one_whose_flow_it_is_is_told() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let group: Vec<_> = (0..3)
        .map(|_| stack.udp_socket(UdpBind::new(7).reuse()).unwrap())
        .collect();
    let (sockets, mut queues): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    let mut told = [0; 3];
    for port in 1..=60 {
        let to = format!("192.0.2.9:{port}");
        let packet = send(&mut bench, &sockets[0], &to, 1);
        assert!(is_taken(&mut bench, error_v4(V4, PORT_V4, &packet)));
        bench.run(&[udp(PEER_V4, V4, (port, 7), b"answer")]);
        for (number, queue) in queues.iter_mut().enumerate() {
            let answers = queue[0].recv().is_some();
            let error = sockets[number].take_error();
            assert_eq!(error.is_some(), answers, "who gets the answers");
            told[number] += usize::from(answers);
        }
    }
    assert_eq!(told.iter().sum::<usize>(), 60);
    assert!(told.iter().all(|told| *told > 0), "{told:?}");
}

#[test]
fn l4_a_socket_keeps_the_first_errors_and_counts_the_rest() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7));
    let packet = send(&mut bench, &socket, "192.0.2.9:53", 10);
    for _ in 0..20 {
        bench.run(&[error_v4(V4, PORT_V4, &packet)]);
    }
    let errors = std::iter::from_fn(|| socket.take_error()).count();
    assert_eq!((errors, socket.stats().errors_lost), (16, 4));
}

#[test]
fn l4_a_path_mtu_lowers_what_is_sent_and_ages() {
    let (clock, hand) = Clock::manual();
    let mut bench = bench_with(|b| {
        b.clock(clock);
    });
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7));
    let route = stack.find_route(None, None, ip(PEER_V4)).unwrap();
    assert_eq!(route.path_mtu(), 1500);
    let packet = send(&mut bench, &socket, "192.0.2.9:53", 1472);
    assert_eq!(packet.len(), 1500);
    assert!(is_taken(
        &mut bench,
        error_v4(V4, frag_needed(1300), &packet)
    ));
    let kind = SocketErrorKind::MessageTooBig { mtu: 1300 };
    let told = SocketError {
        kind,
        remote: remote("192.0.2.9:53"),
    };
    assert_eq!(socket.take_error(), Some(told));
    assert_eq!(
        (stack.path_mtu(ip(PEER_V4)), route.path_mtu()),
        (Some(1300), 1300)
    );
    assert_eq!(
        bench.nic.protocol_counter(ProtocolCounter::PathMtuReports),
        1
    );
    // In fragments from now on, to there alone.
    socket
        .send_to(&vec![1; 1472], remote("192.0.2.9:53"))
        .unwrap();
    let packets = sent(&mut bench);
    assert_eq!(packets.len(), 2);
    assert!(packets.iter().all(|packet| packet.len() <= 1300));
    let forbidden = SendOptions {
        fragmentation: SourceFragmentation::Forbidden,
        ..SendOptions::default()
    };
    let error = socket.send_with(&vec![1; 1472], remote("192.0.2.9:53"), forbidden);
    let mtu = match error {
        Err(UdpSendError::Send(SendError::MessageTooLong { mtu, .. })) => mtu,
        other => panic!("{other:?}"),
    };
    assert_eq!(mtu, 1300);
    assert_eq!(send(&mut bench, &socket, "192.0.2.8:53", 1472).len(), 1500);
    // Not raised by another report, and forgotten after ten minutes.
    let packet = packets[0].clone();
    bench.run(&[error_v4(V4, frag_needed(1299), &packet)]);
    assert_eq!(stack.path_mtu(ip(PEER_V4)), Some(1299));
    hand.advance(Duration::from_secs(599));
    assert_eq!(route.path_mtu(), 1299);
    hand.advance(Duration::from_secs(1));
    assert_eq!(
        (stack.path_mtu(ip(PEER_V4)), route.path_mtu()),
        (None, 1500)
    );
    assert_eq!(send(&mut bench, &socket, "192.0.2.9:53", 1472).len(), 1500);
    bench.assert_no_leak();
}

#[test]
fn l4_ipv6_packets_that_were_too_big_are_refused_until_they_fit() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7));
    let to = "[2001:db8::9]:53";
    let packet = send(&mut bench, &socket, to, 1452);
    // Less than every link has is no report (RFC 8201 section 4), nor is none.
    for mtu in [0, 68, 1279] {
        assert!(
            !is_taken(&mut bench, error_v6(V6, too_big(mtu), &packet)),
            "{mtu}"
        );
    }
    assert_eq!(
        (stack.path_mtu(ip(PEER_V6)), socket.take_error()),
        (None, None)
    );
    assert!(is_taken(&mut bench, error_v6(V6, too_big(1280), &packet)));
    let kind = SocketErrorKind::MessageTooBig { mtu: 1280 };
    assert_eq!(socket.take_error().map(|it| it.kind), Some(kind));
    let error = socket.send_to(&vec![0; 1452], remote(to));
    let refused = SendError::MessageTooLong {
        len: 1500,
        mtu: 1280,
    };
    assert_eq!(error.unwrap_err().to_string(), refused.to_string());
    assert_eq!(send(&mut bench, &socket, to, 1232).len(), 1280);
    let requested = SendOptions {
        fragmentation: SourceFragmentation::Requested,
        ..SendOptions::default()
    };
    socket
        .send_with(&vec![0; 1452], remote(to), requested)
        .unwrap();
    let packets = sent(&mut bench);
    assert_eq!(packets.len(), 2);
    // An error about the first fragment, which has the ports behind its fragment header.
    assert!(is_taken(&mut bench, error_v6(V6, PORT_V6, &packets[0])));
    assert!(socket.take_error().is_some());
    assert!(
        !is_taken(&mut bench, error_v6(V6, PORT_V6, &packets[1])),
        "no ports"
    );
}

#[test]
fn l4_a_report_has_to_be_of_less_than_what_was_sent() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7));
    let to = "192.0.2.9:53";
    let packet = send(&mut bench, &socket, to, 972);
    assert_eq!(packet.len(), 1000);
    for mtu in [1000, 1001, 1400, u16::MAX] {
        assert!(
            !is_taken(&mut bench, error_v4(V4, frag_needed(mtu), &packet)),
            "{mtu}"
        );
    }
    let nobodys = {
        let mut packet = packet.clone();
        packet[21] = 8;
        packet
    };
    assert!(!is_taken(
        &mut bench,
        error_v4(V4, frag_needed(600), &nobodys)
    ));
    assert_eq!(
        (stack.path_mtu(ip(PEER_V4)), socket.take_error()),
        (None, None)
    );
    // A router older than RFC 1191 says zero: the next plateau below.
    let packet = send(&mut bench, &socket, to, 1472);
    assert!(is_taken(&mut bench, error_v4(V4, frag_needed(0), &packet)));
    assert_eq!(stack.path_mtu(ip(PEER_V4)), Some(1492));
    // As little as a forger would like is not believed.
    let packet = send(&mut bench, &socket, to, 1464);
    assert!(is_taken(&mut bench, error_v4(V4, frag_needed(68), &packet)));
    assert_eq!(stack.path_mtu(ip(PEER_V4)), Some(552));
}

/// A socket that sends to anybody vouches only for what it did send; nobody does for what workers send.
#[test]
fn l4_a_report_has_to_be_about_what_was_sent_lately() {
    let (clock, hand) = Clock::manual();
    let mut bench = bench_with(|b| {
        b.clock(clock);
    });
    let stack = bench.nic.stack().clone();
    let socket = open(&stack, UdpBind::new(7));
    let v4 = send(&mut bench, &socket, "192.0.2.9:53", 1472);
    let v6 = send(&mut bench, &socket, "[2001:db8::9]:53", 1452);
    let changed = |packet: &[u8], at: usize, value: u8| {
        let mut packet = packet.to_vec();
        packet[at] = value;
        packet
    };
    // Another destination, port, protocol: TCP, GRE, ICMP.
    for packet in [
        changed(&v4, 19, 8),
        changed(&v4, 23, 54),
        changed(&v4, 9, 6),
        changed(&v4, 9, 47),
        changed(&v4, 9, 1),
    ] {
        assert!(!is_taken(
            &mut bench,
            error_v4(V4, frag_needed(600), &packet)
        ));
    }
    for packet in [
        changed(&v6, 39, 8),
        changed(&v6, 43, 54),
        changed(&v6, 6, 6),
        changed(&v6, 6, 253),
        changed(&v6, 6, 58),
    ] {
        assert!(!is_taken(&mut bench, error_v6(V6, too_big(1280), &packet)));
    }
    // A worker's echo replies go by the MTU of the NIC.
    let ping = [ping(PEER_V4, V4, &[0; 1400]), ping(PEER_V6, V6, &[0; 1400])];
    let replies = bench.run(&ping).1;
    let packet = replies[0][14..].to_vec();
    assert!(!is_taken(
        &mut bench,
        error_v4(V4, frag_needed(600), &packet)
    ));
    let packet = replies[1][14..].to_vec();
    assert!(!is_taken(&mut bench, error_v6(V6, too_big(1280), &packet)));
    assert!(stack.path_mtus().is_empty());
    // Believed for a minute at most.
    hand.advance(Duration::from_secs(59));
    assert!(is_taken(&mut bench, error_v4(V4, frag_needed(1400), &v4)));
    hand.advance(Duration::from_secs(1));
    assert!(!is_taken(&mut bench, error_v4(V4, frag_needed(1300), &v4)));
    assert!(!is_taken(&mut bench, error_v6(V6, too_big(1280), &v6)));
    assert_eq!(stack.path_mtu(ip(PEER_V4)), Some(1400));
    assert_eq!(stack.path_mtu(ip(PEER_V6)), None);
}

/// An ICMPv4 message to this host; its checksum is put right.
fn icmp_v4(message: &[u8], hop_limit: u8) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (ip(PEER_V4), ip(V4)) else {
        panic!("IPv4");
    };
    let mut message = message.to_vec();
    if message.len() >= 4 {
        message[2..4].fill(0);
        let sum = checksum::sum(&message).checksum();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let fields = Ipv4Fields::new(from, to, IpProtocol::ICMPV4, hop_limit);
    let mut buffer = vec![0; 64 + message.len()];
    let len = build_ipv4(&mut buffer, PEER, HOST, &fields, &message);
    buffer.truncate(len.expect("room"));
    buffer
}

/// An ICMPv6 message to this host from `from`, behind a router alert if it is of MLD.
fn icmp_v6(from: &str, message: &[u8], hop_limit: u8) -> Vec<u8> {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (ip(from), ip(V6)) else {
        panic!("IPv6");
    };
    let mut message = message.to_vec();
    if message.len() >= 4 {
        message[2..4].fill(0);
        let len = message.len() as u32;
        let pseudo = checksum::pseudo_header_ipv6(from, to, IpProtocol::ICMPV6, len);
        let sum = (pseudo + checksum::sum(&message)).checksum();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let is_mld = matches!(message.first(), Some(130..=132 | 143));
    let protocol = if is_mld {
        message.splice(0..0, [58, 0, 5, 2, 0, 0, 1, 0]);
        IpProtocol::HOP_BY_HOP
    } else {
        IpProtocol::ICMPV6
    };
    let fields = Ipv6Fields::new(from, to, protocol, hop_limit);
    let mut buffer = vec![0; 64 + message.len()];
    let len = build_ipv6(&mut buffer, PEER, HOST, &fields, &message);
    buffer.truncate(len.expect("room"));
    buffer
}

#[test]
fn l5_echo_requests_are_answered_if_their_checksum_is_right_and_shown_to_raw_sockets() {
    let mut bench = bench();
    let stack = bench.nic.stack().clone();
    let raws = [
        (Family::V4, IpProtocol::ICMPV4),
        (Family::V6, IpProtocol::ICMPV6),
    ]
    .map(|(family, protocol)| stack.raw_socket(RawBind::new(family, protocol)).unwrap());
    let mut frames = vec![ping(PEER_V4, V4, b"echo"), ping(PEER_V6, V6, b"echo")];
    let (totals, replies) = bench.run(&frames);
    assert_eq!((totals.consumed, replies.len()), (2, 2));
    assert_eq!((replies[0][34], replies[1][54]), (0, 129), "replies");
    for frame in &mut frames {
        let last = frame.len() - 1;
        frame[last] ^= 1;
    }
    let (totals, replies) = bench.run(&frames);
    assert_eq!(only_drop(&totals, DropReason::IcmpChecksum), 2);
    assert_eq!(replies.len(), 0, "of both families");
    assert_eq!(totals.icmp_of(IcmpCounter::V4InvalidReceived), 1);
    assert_eq!(totals.icmp_of(IcmpCounter::V6InvalidReceived), 1);
    for (raw, mut queues) in raws {
        assert_eq!(raw.stats().received, 2);
        let kinds = std::iter::from_fn(|| queues[0].recv());
        let kinds: Vec<_> = kinds.map(|it| it.transport()[0]).collect();
        assert!(
            kinds == [8, 8] || kinds == [128, 128],
            "as they came: {kinds:?}"
        );
    }
    bench.assert_no_leak();
}

/// Which one counter moved.
fn counted(bench: &mut Bench, frame: Vec<u8>) -> IcmpCounter {
    let (totals, _) = bench.run(&[frame]);
    let received = |counter: &IcmpCounter| counter.label().ends_with("_received");
    let moved: Vec<_> = totals
        .icmp()
        .filter(|(counter, count)| *count > 0 && received(counter))
        .collect();
    let [(counter, 1)] = moved[..] else {
        panic!("{moved:?}");
    };
    counter
}

#[test]
fn l6_each_known_icmpv4_type_has_a_counter_and_the_rest_is_invalid() {
    use IcmpCounter as C;
    let mut bench = bench();
    for kind in 0..=u8::MAX {
        let mut message = [0; 28];
        message[0] = kind;
        let expected = match kind {
            0 => C::V4EchoReplyReceived,
            3 => C::V4DestinationUnreachableReceived,
            4 => C::V4SourceQuenchReceived,
            5 => C::V4RedirectReceived,
            8 => C::V4EchoRequestReceived,
            11 => C::V4TimeExceededReceived,
            12 => C::V4ParameterProblemReceived,
            13 => C::V4TimestampReceived,
            14 => C::V4TimestampReplyReceived,
            15 => C::V4InfoRequestReceived,
            16 => C::V4InfoReplyReceived,
            _ => C::V4InvalidReceived,
        };
        assert_eq!(
            counted(&mut bench, icmp_v4(&message, 64)),
            expected,
            "{kind}"
        );
    }
    for len in 0..8 {
        let short = icmp_v4(&[8, 0, 0, 0, 0, 0, 0, 0][..len], 64);
        assert_eq!(
            counted(&mut bench, short),
            C::V4InvalidReceived,
            "{len} bytes"
        );
    }
    bench.assert_no_leak();
}

#[test]
fn l6_each_known_icmpv6_type_has_a_counter_and_the_rest_is_invalid() {
    use IcmpCounter as C;
    let mut bench = bench();
    let router = "fe80::1";
    for kind in 0..=u8::MAX {
        // Where the types have rules of their own, one that keeps them.
        let (from, hop_limit, len) = match kind {
            133 => (PEER_V6, 255, 8),
            134 => (router, 255, 16),
            135 | 136 => (PEER_V6, 255, 24),
            137 => (router, 255, 40),
            130..=132 => (router, 1, 24),
            143 => (router, 1, 8),
            _ => (PEER_V6, 64, 48),
        };
        let mut message = vec![0; len];
        message[0] = kind;
        match kind {
            // A target that is another's.
            135 | 136 => message[8..12].copy_from_slice(&[0x20, 1, 0xd, 0xb8]),
            131 | 132 => message[8..10].copy_from_slice(&[0xff, 2]),
            _ => {}
        }
        let expected = match kind {
            1 => C::V6DestinationUnreachableReceived,
            2 => C::V6PacketTooBigReceived,
            3 => C::V6TimeExceededReceived,
            4 => C::V6ParameterProblemReceived,
            128 => C::V6EchoRequestReceived,
            129 => C::V6EchoReplyReceived,
            130..=132 | 143 => C::V6MldReceived,
            133 => C::V6RouterSolicitReceived,
            134 => C::V6RouterAdvertReceived,
            135 => C::V6NeighborSolicitReceived,
            136 => C::V6NeighborAdvertReceived,
            137 => C::V6RedirectReceived,
            _ => C::V6InvalidReceived,
        };
        let frame = icmp_v6(from, &message, hop_limit);
        assert_eq!(counted(&mut bench, frame), expected, "{kind}");
    }
    for len in 0..8 {
        let short = icmp_v6(PEER_V6, &[128, 0, 0, 0, 0, 0, 0, 0][..len], 64);
        let expected = C::V6InvalidReceived;
        assert_eq!(counted(&mut bench, short), expected, "{len} bytes");
    }
    // Without a router alert, or through a router.
    let through_router = icmp_v6(PEER_V6, &[135; 24], 254);
    assert_eq!(counted(&mut bench, through_router), C::V6InvalidReceived);
    bench.assert_no_leak();
}

#[test]
fn l6_an_icmp_message_that_nobody_asked_for_is_dropped_without_a_word() {
    let mut bench = bench();
    let frames = [
        icmp_v4(&[0; 8], 64),
        icmp_v6(PEER_V6, &[129, 0, 0, 0, 0, 0, 0, 0], 64),
        icmp_v4(&[77, 0, 0, 0, 0, 0, 0, 0], 64),
    ];
    let (totals, replies) = bench.run(&frames);
    assert_eq!(only_drop(&totals, DropReason::IcmpUnwanted), 3);
    assert!(replies.is_empty());
    // A raw socket asks for them.
    let stack = bench.nic.stack().clone();
    let bind = RawBind::new(Family::V4, IpProtocol::ICMPV4);
    let (_raw, mut queues) = stack.raw_socket(bind).unwrap();
    let (totals, _) = bench.run(&frames);
    assert_eq!(totals.delivered, 2);
    assert_eq!(only_drop(&totals, DropReason::IcmpUnwanted), 1);
    assert_eq!(std::iter::from_fn(|| queues[0].recv()).count(), 2);
    bench.assert_no_leak();
}
