//! Neighbors through a whole engine (BEHAVIOURS O): ARP and NDP, from routes and from forwarding.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::net::{Lan, Net, gateway_mac, host_mac, nic_mac, prefix, unlimited};
use common::packets::{between, fragment_v4, hop_limit, icmp, ttl};
use common::*;
use corelane::engine::{Engine, Idle, NicConfig, WhenFull};
use corelane::frame::{Burst, PoolConfig};
use corelane::io::memory::{MemoryConfig, PeerSender, memory_link};
use corelane::stack::{
    DropReason, Event, Forwarding, IcmpCounter, NeighborAnswer, NeighborChange, NeighborConfig,
    NeighborCounts, NeighborInfo, NeighborState, NicId, ProtocolCounter, Resolution, RouteSpec,
    SendError, StackConfig,
};
use corelane::wire::arp::{ArpMessage, ArpPacket, parse_arp_message};
use corelane::wire::build::build_arp;
use corelane::wire::ndp::{
    AdvertisementSpec, SolicitationSpec, build_neighbor_advertisement, build_neighbor_solicitation,
};
use corelane::wire::{
    EtherType, IpProtocol, MacAddr, NdpMessage, parse_ethernet, parse_ipv4, parse_ipv6, parse_ndp,
};

use NeighborState::{Delay, Incomplete, Probe, Reachable, Stale, Static, Unreachable};

const SECOND: Duration = Duration::from_secs(1);

/// Beyond the time that an answer counts, whatever was drawn for it.
const LONG: Duration = Duration::from_secs(46);

const NEW: MacAddr = MacAddr([2, 0, 0, 0, 7, 7]);

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn arp(destination: MacAddr, packet: &ArpPacket) -> Vec<u8> {
    let mut buffer = vec![0; 42];
    build_arp(&mut buffer, destination, packet).unwrap();
    buffer
}

/// The host on the link of NIC `n` that has this address, as it answers.
fn arp_reply(n: usize, sender: (MacAddr, &str), target: &str) -> Vec<u8> {
    let reply = ArpPacket::reply((sender.0, v4(sender.1)), (nic_mac(n), v4(target)));
    arp(nic_mac(n), &reply)
}

fn arp_request(sender: (MacAddr, &str), target: &str) -> Vec<u8> {
    let request = ArpPacket::request((sender.0, v4(sender.1)), v4(target));
    arp(MacAddr::BROADCAST, &request)
}

fn advertisement(n: usize, mac: MacAddr, target: &str, solicited: bool) -> Vec<u8> {
    let spec = AdvertisementSpec {
        source_mac: mac,
        source: target.parse().unwrap(),
        destination: format!("2001:db8:{n}::1").parse().unwrap(),
        destination_mac: nic_mac(n),
        target: target.parse().unwrap(),
        router: false,
        solicited,
        override_: true,
        target_link: Some(mac),
    };
    let mut buffer = vec![0; 128];
    let len = build_neighbor_advertisement(&mut buffer, &spec).unwrap();
    buffer.truncate(len);
    buffer
}

/// What a frame asks for, if it is an ARP request or a neighbor solicitation, and where it goes.
fn question(frame: &[u8]) -> Option<(IpAddr, MacAddr)> {
    let ethernet = parse_ethernet(frame).unwrap();
    let to = ethernet.header.destination;
    match ethernet.header.ethertype() {
        EtherType::ARP => match parse_arp_message(ethernet.payload).unwrap() {
            ArpMessage::Request(packet) => Some((packet.target_ip().into(), to)),
            ArpMessage::Reply(_) => None,
        },
        EtherType::IPV6 => {
            let packet = parse_ipv6(ethernet.payload).unwrap();
            let (source, destination) = (packet.source(), packet.destination());
            let hop_limit = packet.header.hop_limit;
            match parse_ndp(source, destination, hop_limit, packet.payload) {
                Ok(NdpMessage::NeighborSolicitation(message)) => Some((message.target.into(), to)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn questions(frames: &[Vec<u8>]) -> Vec<(IpAddr, MacAddr)> {
    frames.iter().filter_map(|frame| question(frame)).collect()
}

/// Whether a frame is an ICMP error that the host cannot be reached.
fn is_host_unreachable(frame: &[u8]) -> bool {
    let ethernet = parse_ethernet(frame).unwrap();
    match ethernet.header.ethertype() {
        EtherType::IPV4 => {
            let packet = parse_ipv4(ethernet.payload).unwrap();
            packet.protocol() == IpProtocol::ICMPV4 && packet.payload[..2] == [3, 1]
        }
        EtherType::IPV6 => {
            let packet = parse_ipv6(ethernet.payload).unwrap();
            packet.next_header() == IpProtocol::ICMPV6 && packet.payload[..2] == [1, 3]
        }
        _ => false,
    }
}

fn link_destination(frame: &[u8]) -> MacAddr {
    parse_ethernet(frame).unwrap().header.destination
}

/// A neighbor in both families, as NIC 1 of [`Net::router`] sees it.
struct Case {
    host: &'static str,
    local: &'static str,
    /// Where questions to everybody go.
    all: MacAddr,
}

const CASES: [Case; 2] = [
    Case {
        host: "10.0.1.77",
        local: "10.0.1.1",
        all: MacAddr::BROADCAST,
    },
    Case {
        host: "2001:db8:1::77",
        local: "2001:db8:1::1",
        all: MacAddr([0x33, 0x33, 0xff, 0, 0, 0x77]),
    },
];

impl Case {
    /// The answer of the host, from this link address.
    fn answer(&self, mac: MacAddr) -> Vec<u8> {
        if self.host.contains(':') {
            advertisement(1, mac, self.host, true)
        } else {
            arp_reply(1, (mac, self.host), self.local)
        }
    }

    /// It has another link address, says the host unasked.
    fn announcement(&self, mac: MacAddr) -> Vec<u8> {
        if self.host.contains(':') {
            advertisement(1, mac, self.host, false)
        } else {
            arp(
                MacAddr::BROADCAST,
                &ArpPacket::announcement(mac, v4(self.host)),
            )
        }
    }
}

trait Neighbors {
    fn neighbor(&self, n: usize, address: &str) -> Option<NeighborInfo>;
    fn state(&self, n: usize, address: &str) -> Option<NeighborState>;
    fn changes(&self) -> Vec<(String, Option<MacAddr>, NeighborChange)>;
}

impl Neighbors for Net {
    fn neighbor(&self, n: usize, address: &str) -> Option<NeighborInfo> {
        let all = self.stack().neighbors(self.nics[n].id());
        all.into_iter().find(|it| it.address == ip(address))
    }

    fn state(&self, n: usize, address: &str) -> Option<NeighborState> {
        Some(self.neighbor(n, address)?.state)
    }

    /// What was told of neighbors since the last call.
    fn changes(&self) -> Vec<(String, Option<MacAddr>, NeighborChange)> {
        let told = self.events().into_iter().filter_map(|event| match event {
            Event::NeighborChanged {
                address,
                mac,
                change,
                ..
            } => Some((address.to_string(), mac, change)),
            _ => None,
        });
        told.collect()
    }
}

/// Two NICs that forward, without the static neighbors' events.
fn router() -> Net {
    let net = Net::router(2);
    net.events();
    net
}

/// The host of a case, reachable at `mac`.
fn make_reachable(net: &mut Net, case: &Case, mac: MacAddr) {
    net.run(0, &[net.udp(0, case.host)]);
    net.run(1, &[case.answer(mac)]);
    assert_eq!(net.state(1, case.host), Some(Reachable));
    net.events();
}

#[test]
fn o1_a_packet_for_another_host_waits_until_its_next_hop_has_answered() {
    for case in CASES {
        let mut net = router();
        let frames: Vec<_> = (0..5).map(|_| net.udp(0, case.host)).collect();
        let ran = net.run(0, &frames);
        assert_eq!(ran.totals[0].consumed, 5);
        assert_eq!(questions(&ran.out[1]), [(ip(case.host), case.all)], "once");
        assert_eq!(ran.out[1].len(), 1);
        let waits = net.neighbor(1, case.host).unwrap();
        assert_eq!((waits.state, waits.pending), (Incomplete, 5));
        let ran = net.run(1, &[case.answer(host_mac(5))]);
        assert_eq!(ran.out[1].len(), 5);
        for frame in &ran.out[1] {
            let header = parse_ethernet(frame).unwrap().header;
            assert_eq!(
                (header.source, header.destination),
                (nic_mac(1), host_mac(5))
            );
            assert_eq!(frame[14..].len(), frames[0][14..].len());
        }
        assert_eq!(net.state(1, case.host), Some(Reachable));
        let reachable = (
            case.host.to_owned(),
            Some(host_mac(5)),
            NeighborChange::Reachable,
        );
        assert_eq!(net.changes(), [reachable]);
        let sent = net.nics[1].protocol_counter(ProtocolCounter::NeighborPacketsSent);
        assert_eq!(sent, 5);
        // From now on workers send by themselves.
        let ran = net.run(0, &frames);
        assert_eq!((ran.totals[0].forwarded, ran.out[1].len()), (5, 5));
        net.assert_no_leak();
    }
}

#[test]
fn o1_a_packet_of_a_route_waits_too() {
    for case in CASES {
        let mut net = router();
        let route = net.nics[1].route(None, ip(case.host)).unwrap();
        assert_eq!(route.resolve().unwrap(), Resolution::InProgress);
        net.poll();
        assert_eq!(questions(&net.take(1)), [(ip(case.host), case.all)]);
        for n in 0..3 {
            route.write_packet(IpProtocol::UDP, &[n; 8], None).unwrap();
        }
        let ran = net.run(1, &[case.answer(host_mac(5))]);
        let payloads: Vec<_> = ran.out[1].iter().map(|it| *it.last().unwrap()).collect();
        assert_eq!(payloads, [0, 1, 2], "in their order");
        assert!(
            ran.out[1]
                .iter()
                .all(|it| link_destination(it) == host_mac(5))
        );
        assert_eq!(route.resolve().unwrap(), Resolution::Ready(host_mac(5)));
    }
}

#[test]
fn o1_the_wait_is_bounded_for_each_neighbor() {
    let mut net = router();
    let host = "10.0.1.77";
    let numbered = |net: &Net, n: u16| {
        let frame = udp("10.0.0.9", host, (n, 7), b"");
        net.host_sends(0, frame)
    };
    // One burst: the control plane drops the oldest. Then workers see that it is full.
    let frames: Vec<_> = (0..40).map(|n| numbered(&net, n)).collect();
    let ran = net.run(0, &frames);
    assert_eq!(ran.totals[0].consumed, 40);
    assert_eq!(net.neighbor(1, host).unwrap().pending, 16);
    let dropped = net.nics[1].protocol_counter(ProtocolCounter::NeighborPacketsDropped);
    assert_eq!(dropped, 24);
    let ran = net.run(0, &[numbered(&net, 99)]);
    assert_eq!(ran.only_drop(0, DropReason::NeighborFull), 1);
    let ran = net.run(1, &[CASES[0].answer(host_mac(5))]);
    let ports: Vec<_> = ran.out[1].iter().map(|it| u16::from(it[35])).collect();
    assert!(ports.into_iter().eq(24..40), "the newest, in order");
    net.assert_no_leak();
}

/// A router that sends so many ICMP errors in a burst, and one more in an hour.
fn router_with_burst(burst: u32) -> Net {
    let config = StackConfig {
        seed: Some(7),
        icmp_rate: Some(1),
        icmp_burst: burst,
        ..StackConfig::default()
    };
    let mut net = Net::build(vec![Lan::new(0), Lan::new(1)], config, |_| {});
    net.furnish();
    net.events();
    net
}

/// Has time pass until nobody has answered; what NIC 0 sent then.
fn nobody_answers(net: &mut Net) -> Vec<Vec<u8>> {
    net.poll();
    for _ in 0..3 {
        assert!(net.take(0).is_empty());
        net.advance(SECOND);
    }
    net.take(0)
}

#[test]
fn j8_k12_what_may_not_be_told_takes_nothing_of_what_may() {
    // A burst of at most two: a packet takes a quarter of one, or seven.
    let mut net = router_with_burst(2);
    for case in &CASES {
        let is_v4 = case.local.contains('.');
        let source = if is_v4 { "10.0.0.9" } else { "2001:db8:0::9" };
        let silent = |net: &Net, n: u32| {
            let host = case.host.replace("77", &format!("{}", 100 + n));
            if is_v4 {
                let error = icmp(source, &host, 3, 3, &[0; 28]);
                let part = fragment_v4(source, &host, 64, false, &[1; 16]);
                [error, part].map(|it| net.host_sends(0, it)).to_vec()
            } else {
                let error = icmp(source, &host, 1, 4, &[0; 60]);
                vec![net.host_sends(0, error)]
            }
        };
        let mut frames: Vec<_> = (0..10).flat_map(|n| silent(&net, n)).collect();
        let waits = frames.len() as u64 + 1;
        frames.push(net.udp(0, case.host));
        assert_eq!(net.run(0, &frames).totals[0].consumed, waits);
        let told = nobody_answers(&mut net);
        assert_eq!(told.len(), 1, "about the datagram");
        assert!(is_host_unreachable(&told[0]));
        net.advance(3600 * SECOND);
        net.take(0);
        net.take(1);
    }
    let totals = net.nics[0].counters();
    for (counter, expected) in [
        (IcmpCounter::V4DestinationUnreachableSent, 1),
        (IcmpCounter::V6DestinationUnreachableSent, 1),
        (IcmpCounter::V4RateLimited, 0),
        (IcmpCounter::V6RateLimited, 0),
        (IcmpCounter::V4Unsent, 0),
        (IcmpCounter::V6Unsent, 0),
    ] {
        assert_eq!(totals.icmp_of(counter), expected, "{}", counter.label());
    }
    assert_eq!(net.nics[0].protocol_counter(ProtocolCounter::Unsent), 0);
    net.assert_no_leak();
}

#[test]
fn k12_l6_errors_of_workers_and_control_plane_are_limited_together_and_counted() {
    let mut net = router_with_burst(50);
    let waiting: Vec<_> = (0..256)
        .map(|n| net.udp(0, &format!("10.0.1.{}", 100 + n % 16)))
        .collect();
    assert_eq!(net.run(0, &waiting).totals[0].consumed, 256);
    // In the instant in which these fail, the worker has errors to send too.
    let routeless: Vec<_> = (0..20).map(|_| net.udp(0, "203.0.113.7")).collect();
    for _ in 0..2 {
        net.advance(SECOND);
    }
    net.clock.advance(SECOND);
    for frame in &routeless {
        net.inject(0, frame);
    }
    net.poll_datapath();
    let by_worker = net.take(0).len() as u64;
    net.poll();
    let by_control = net.take(0).len() as u64;
    let more = net.run(0, &routeless).out[0].len() as u64;
    let told = by_worker + by_control + more;
    assert!(by_worker > 0 && by_control > 0, "{by_worker} {by_control}");
    assert!((28..100).contains(&told), "{told}: one burst");
    let totals = net.nics[0].counters();
    let of = |counter| totals.icmp_of(counter);
    assert_eq!(of(IcmpCounter::V4DestinationUnreachableSent), told);
    assert_eq!(of(IcmpCounter::V4RateLimited), 256 + 40 - told);
    assert_eq!(of(IcmpCounter::V4Unsent), 0);
    let unreachables = ProtocolCounter::UnreachablesSent;
    assert_eq!(net.nics[0].protocol_counter(unreachables), by_control);
    net.assert_no_leak();
}

#[test]
fn l6_errors_about_what_waited_without_an_address_to_send_from_are_counted() {
    for (case, addresses, counter) in [
        (&CASES[0], ["10.0.0.1", "10.0.1.1"], IcmpCounter::V4Unsent),
        (
            &CASES[1],
            ["2001:db8:0::1", "2001:db8:1::1"],
            IcmpCounter::V6Unsent,
        ),
    ] {
        let mut net = router();
        let frame = net.udp(0, case.host);
        net.run(0, &[frame]);
        for (nic, address) in net.nics.iter().zip(addresses) {
            nic.remove_address(ip(address)).unwrap();
        }
        net.take(0);
        for _ in 0..3 {
            net.advance(SECOND);
        }
        assert!(!net.take(0).iter().any(|it| is_host_unreachable(it)));
        assert_eq!(net.nics[0].counters().icmp_of(counter), 1);
        let unsent = net.nics[0].protocol_counter(ProtocolCounter::Unsent);
        assert_eq!(unsent, 0);
    }
}

#[test]
fn o1_who_does_not_answer_is_unreachable_and_asked_again_with_growing_pauses() {
    for case in CASES {
        let mut net = router();
        let frame = net.udp(0, case.host);
        let ran = net.run(0, &[frame.clone(), frame.clone()]);
        let mut asked = questions(&ran.out[1]).len();
        for _ in 0..2 {
            assert!(net.take(0).is_empty());
            net.advance(SECOND);
            asked += questions(&net.take(1)).len();
        }
        assert_eq!(asked, 3, "a second apart");
        net.advance(SECOND);
        let told = net.take(0);
        assert_eq!(told.len(), 2, "each packet's sender is told");
        assert!(told.iter().all(|it| is_host_unreachable(it)));
        assert!(told.iter().all(|it| link_destination(it) == host_mac(0)));
        assert_eq!(net.state(1, case.host), Some(Unreachable));
        let change = (case.host.to_owned(), None, NeighborChange::Unreachable);
        assert_eq!(net.changes(), [change]);
        let count = |net: &Net, n: usize, it| net.nics[n].protocol_counter(it);
        assert_eq!(count(&net, 1, ProtocolCounter::NeighborPacketsFailed), 2);
        assert_eq!(count(&net, 0, ProtocolCounter::UnreachablesSent), 2);
        // Under traffic: each packet fails at once, and now and then it is asked for.
        let mut asked = Vec::new();
        for second in 0..58 {
            let ran = net.run(0, &[frame.clone(), frame.clone()]);
            let dropped = ran.only_drop(0, DropReason::NeighborUnreachable);
            assert_eq!((dropped, ran.out[0].len()), (2, 2), "second {second}");
            assert!(ran.out[0].iter().all(|it| is_host_unreachable(it)));
            let questions = questions(&ran.out[1]);
            asked.extend(questions.iter().map(|_| second));
            net.advance(SECOND);
        }
        assert_eq!(asked, [0, 3, 12, 39]);
        // It answers the last one, and is back.
        net.run(1, &[case.answer(host_mac(5))]);
        assert_eq!(net.run(0, &[frame]).totals[0].forwarded, 1);
        let change = (
            case.host.to_owned(),
            Some(host_mac(5)),
            NeighborChange::Reachable,
        );
        assert_eq!(net.changes(), [change]);
        net.assert_no_leak();
    }
}

#[test]
fn o1_a_failure_is_forgotten_after_a_minute() {
    let mut net = router();
    let host = "10.0.1.77";
    net.run(0, &[net.udp(0, host)]);
    (0..3).for_each(|_| net.advance(SECOND));
    net.take(1);
    assert_eq!(net.state(1, host), Some(Unreachable));
    let route = net.nics[1].route(None, ip(host)).unwrap();
    assert!(matches!(
        route.write_packet(IpProtocol::UDP, &[], None),
        Err(SendError::NoLinkAddress(it)) if it == ip(host)
    ));
    net.poll();
    assert_eq!(
        questions(&net.take(1)).len(),
        1,
        "a route's use asks again too"
    );
    net.advance(60 * SECOND);
    assert_eq!(net.state(1, host), None);
    route.write_packet(IpProtocol::UDP, &[], None).unwrap();
    assert_eq!(net.state(1, host), Some(Incomplete));
    net.stack().flush_neighbors(net.nics[1].id());
    net.assert_no_leak();
}

#[test]
fn a_stale_neighbor_that_is_used_is_asked_whether_it_is_there() {
    for case in CASES {
        let mut net = router();
        make_reachable(&mut net, &case, host_mac(5));
        net.advance(LONG);
        assert_eq!(net.state(1, case.host), Some(Stale));
        net.advance(LONG);
        assert_eq!(net.state(1, case.host), Some(Stale), "nobody used it");
        let frames = vec![net.udp(0, case.host); 20];
        let ran = net.run(0, &frames);
        assert_eq!(ran.out[1].len(), 20, "sent at once");
        assert_eq!(net.state(1, case.host), Some(Delay));
        net.advance(4 * SECOND);
        assert!(net.take(1).is_empty());
        net.advance(SECOND);
        assert_eq!(net.state(1, case.host), Some(Probe));
        let asked = questions(&net.take(1));
        assert_eq!(asked, [(ip(case.host), host_mac(5))], "it alone is asked");
        net.run(1, &[case.answer(host_mac(5))]);
        assert_eq!(net.state(1, case.host), Some(Reachable));
        assert!(net.changes().is_empty(), "nothing changed for anybody");
        net.assert_no_leak();
    }
}

#[test]
fn a_stale_neighbor_that_is_gone_becomes_unreachable() {
    for case in CASES {
        let mut net = router();
        make_reachable(&mut net, &case, host_mac(5));
        net.advance(LONG);
        let frame = net.udp(0, case.host);
        net.run(0, std::slice::from_ref(&frame));
        for _ in 0..8 {
            assert_eq!(
                net.run(0, std::slice::from_ref(&frame)).totals[0].forwarded,
                1
            );
            net.advance(SECOND);
        }
        assert_eq!(net.state(1, case.host), Some(Unreachable));
        let change = (
            case.host.to_owned(),
            Some(host_mac(5)),
            NeighborChange::Unreachable,
        );
        assert_eq!(net.changes(), [change]);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::NeighborUnreachable), 1);
        assert!(is_host_unreachable(&ran.out[0][0]));
        net.assert_no_leak();
    }
}

#[test]
fn a_packet_that_is_not_sent_on_does_not_use_up_the_word_that_a_neighbor_is_used() {
    for case in CASES {
        let mut net = router();
        make_reachable(&mut net, &case, host_mac(5));
        net.advance(LONG);
        let frame = net.udp(0, case.host);
        let last_hop = if case.host.contains(':') {
            hop_limit(frame.clone(), 1)
        } else {
            ttl(frame.clone(), 1)
        };
        let ran = net.run(0, &[last_hop]);
        assert_eq!(ran.only_drop(0, DropReason::HopLimit), 1);
        assert_eq!(net.state(1, case.host), Some(Stale));
        net.run(0, &[frame]);
        assert_eq!(net.state(1, case.host), Some(Delay));
    }
}

#[test]
fn what_finds_no_room_on_the_way_to_the_control_plane_is_told_by_the_next_packet() {
    let mut net = router();
    let case = &CASES[0];
    make_reachable(&mut net, case, host_mac(5));
    net.advance(LONG);
    // Fills the way, and then some.
    for n in 0..300_u16 {
        let address = format!("10.0.1.{}", 100 + n % 100);
        net.inject(0, &net.udp(0, &address));
        if n % 64 == 63 {
            net.poll_datapath();
        }
    }
    net.poll_datapath();
    net.inject(0, &net.udp(0, case.host));
    net.poll_datapath();
    let out = net.take(1);
    assert!(
        out.iter().any(|it| link_destination(it) == host_mac(5)),
        "sent all the same"
    );
    net.poll();
    assert_eq!(net.state(1, case.host), Some(Stale), "nobody could be told");
    let full = net.nics[0].counters().dropped_for(DropReason::NeighborFull);
    assert_eq!(full, 300 - 256);
    net.run(0, &[net.udp(0, case.host)]);
    assert_eq!(net.state(1, case.host), Some(Delay));
    net.stack().flush_neighbors(net.nics[1].id());
    net.assert_no_leak();
}

#[test]
fn g11_o5_another_link_address_counts_from_the_next_burst_on() {
    for case in CASES {
        let mut net = router();
        make_reachable(&mut net, &case, host_mac(5));
        let frame = [net.udp(0, case.host)];
        assert_eq!(link_destination(&net.run(0, &frame).out[1][0]), host_mac(5));
        net.run(1, &[case.announcement(NEW)]);
        assert_eq!(link_destination(&net.run(0, &frame).out[1][0]), NEW);
        let change = (case.host.to_owned(), Some(NEW), NeighborChange::LinkAddress);
        assert_eq!(net.changes(), [change]);
        // It proved nothing: it is checked, now that it is used.
        assert_eq!(net.state(1, case.host), Some(Delay));
        // Of somebody nobody knows it is nothing to remember.
        let stranger = Case {
            host: if case.host.contains(':') {
                "2001:db8:1::5"
            } else {
                "10.0.1.5"
            },
            ..case
        };
        net.run(1, &[stranger.announcement(NEW), stranger.answer(NEW)]);
        assert_eq!(net.state(1, stranger.host), None);
    }
}

#[test]
fn g10_o5_who_asks_for_an_own_address_is_answered_and_remembered() {
    let mut net = Net::router(2);
    let ran = net.run(0, &[arp_request((NEW, "10.0.0.33"), "10.0.0.1")]);
    let reply = ran.only(0);
    let ethernet = parse_ethernet(reply).unwrap();
    assert_eq!(
        (ethernet.header.source, ethernet.header.destination),
        (nic_mac(0), NEW)
    );
    let expected = ArpPacket::reply((nic_mac(0), v4("10.0.0.1")), (NEW, v4("10.0.0.33")));
    assert_eq!(
        parse_arp_message(ethernet.payload),
        Ok(ArpMessage::Reply(&expected))
    );
    let heard = net.neighbor(0, "10.0.0.33").unwrap();
    assert_eq!(
        (heard.state, heard.mac),
        (Stale, Some(NEW)),
        "heard of, not proven"
    );
    // Solicitations do the same.
    let (source, target) = ("2001:db8::33", "2001:db8::1");
    let spec = SolicitationSpec::resolution(NEW, source.parse().unwrap(), target.parse().unwrap());
    let mut buffer = vec![0; 128];
    let len = build_neighbor_solicitation(&mut buffer, &spec).unwrap();
    buffer.truncate(len);
    let ran = net.run(0, &[buffer]);
    assert_eq!(link_destination(ran.only(0)), NEW);
    assert_eq!(net.state(0, source), Some(Stale));
    // For an address of another NIC, or of nobody here, nothing is answered or learnt.
    let ran = net.run(
        0,
        &[
            arp_request((NEW, "10.0.0.34"), "10.0.1.1"),
            arp_request((NEW, "10.0.0.34"), "10.0.0.77"),
        ],
    );
    ran.nothing_sent();
    assert_eq!(net.state(0, "10.0.0.34"), None);
    // What is known of the sender is brought up to date, whomever it asks for (RFC 826).
    net.run(0, &[arp_request((host_mac(9), "10.0.0.33"), "10.0.0.77")]);
    assert_eq!(net.neighbor(0, "10.0.0.33").unwrap().mac, Some(host_mac(9)));
    let counters = net.protocols(0);
    assert_eq!(counters["arp_requests_received"], 4);
    assert_eq!(counters["arp_replies_sent"], 1);
    net.assert_no_leak();
}

#[test]
fn o5_a_probe_for_an_own_address_is_answered_and_a_claim_of_it_is_told() {
    let mut net = Net::router(1);
    net.events();
    let probe = ArpPacket::probe(NEW, v4("10.0.0.1"));
    let ran = net.run(0, &[arp(MacAddr::BROADCAST, &probe)]);
    let reply = parse_ethernet(ran.only(0)).unwrap();
    let expected = ArpPacket::reply((nic_mac(0), v4("10.0.0.1")), (NEW, v4("0.0.0.0")));
    assert_eq!(
        parse_arp_message(reply.payload),
        Ok(ArpMessage::Reply(&expected))
    );
    assert_eq!(net.state(0, "0.0.0.0"), None);
    let claim = ArpPacket::announcement(NEW, v4("10.0.0.1"));
    let ran = net.run(0, &[arp(MacAddr::BROADCAST, &claim)]);
    ran.nothing_sent();
    let conflict = Event::AddressConflict {
        nic: NicId(0),
        address: ip("10.0.0.1"),
        offender: NEW,
    };
    assert!(net.events().contains(&conflict));
    // One of our own that came back is no claim.
    let own = ArpPacket::announcement(nic_mac(0), v4("10.0.0.1"));
    net.run(0, &[arp(MacAddr::BROADCAST, &own)]);
    assert!(net.events().is_empty());
    assert_eq!(net.protocols(0)["address_conflicts"], 1);
}

#[test]
fn o5_a_reply_to_somebody_else_proves_nothing() {
    let mut net = router();
    let host = "10.0.1.77";
    net.run(0, &[net.udp(0, host)]);
    let (sender, target) = ((host_mac(5), v4(host)), (host_mac(9), v4("10.0.1.9")));
    let overheard = arp(host_mac(9), &ArpPacket::reply(sender, target));
    let ran = net.run(1, &[overheard]);
    assert_eq!(ran.out[1].len(), 1, "the packet is sent there");
    assert_eq!(net.state(1, host), Some(Stale));
}

#[test]
fn o5_addresses_that_come_into_use_are_announced_if_that_is_asked_for() {
    for announces in [false, true] {
        let config = NicConfig::new("n0").seed(7).arp_announcements(announces);
        let mut net = Net::build(
            vec![Lan {
                config,
                ..Lan::new(0)
            }],
            unlimited(),
            |_| {},
        );
        let nic = net.nics[0].clone();
        let announced = |net: &mut Net| -> Vec<String> {
            net.poll();
            let sent = net.take(0);
            let addresses = sent.iter().map(|frame| {
                let ethernet = parse_ethernet(frame).unwrap();
                assert_eq!(ethernet.header.destination, MacAddr::BROADCAST);
                let message = parse_arp_message(ethernet.payload).unwrap();
                let ArpMessage::Request(packet) = message else {
                    panic!("{message:?}");
                };
                assert!(packet.is_announcement() && packet.sender_mac == nic_mac(0));
                packet.sender_ip().to_string()
            });
            addresses.collect()
        };
        let expected = |addresses: &[&str]| -> Vec<String> {
            let addresses = addresses.iter().filter(|_| announces);
            addresses.map(ToString::to_string).collect()
        };
        nic.add_address(ip("192.0.2.1")).unwrap();
        nic.add_address(ip("192.0.2.2")).unwrap();
        nic.add_address(ip("2001:db8::1")).unwrap();
        assert_eq!(announced(&mut net), expected(&["192.0.2.1", "192.0.2.2"]));
        net.clock.advance(SECOND);
        assert_eq!(announced(&mut net), expected(&[]));
        nic.remove_address(ip("192.0.2.2")).unwrap();
        net.clock.advance(SECOND);
        assert_eq!(announced(&mut net), expected(&["192.0.2.1"]), "once more");
        net.clock.advance(60 * SECOND);
        assert_eq!(announced(&mut net), expected(&[]));
        // A NIC that comes back tells of what it has, and one that is down of nothing.
        nic.disable().unwrap();
        nic.add_address(ip("192.0.2.3")).unwrap();
        assert_eq!(announced(&mut net), expected(&[]));
        nic.enable().unwrap();
        assert_eq!(announced(&mut net), expected(&["192.0.2.1", "192.0.2.3"]));
        nic.disable().unwrap();
        net.clock.advance(60 * SECOND);
        assert_eq!(announced(&mut net), expected(&[]));
        net.assert_no_leak();
    }
}

#[test]
fn o2_groups_and_broadcasts_are_sent_to_without_asking() {
    let mut net = Net::router(1);
    for (remote, mac) in [
        ("255.255.255.255", MacAddr::BROADCAST),
        ("10.0.0.255", MacAddr::BROADCAST),
        ("239.129.2.3", MacAddr([1, 0, 0x5e, 1, 2, 3])),
        (
            "ff02::1:ff28:9c5a",
            MacAddr([0x33, 0x33, 0xff, 0x28, 0x9c, 0x5a]),
        ),
    ] {
        let route = net.nics[0].route(None, ip(remote)).unwrap();
        assert_eq!(route.resolve().unwrap(), Resolution::Ready(mac));
        route.write_packet(IpProtocol::UDP, &[0; 8], None).unwrap();
        net.poll();
        let sent = net.take(0);
        assert_eq!(
            (sent.len(), link_destination(&sent[0])),
            (1, mac),
            "{remote}"
        );
        let waits = net.stack().wait_for_neighbor(NicId(0), ip(remote));
        let expected = Some(NeighborAnswer::Resolved(mac));
        assert_eq!(waits.try_answer(), expected, "{remote}");
    }
}

#[test]
fn o3_all_who_wait_share_one_resolution_and_are_answered_once() {
    let mut net = router();
    let nic = net.nics[1].id();
    let stack = net.stack().clone();
    let wait = |address: &str| stack.wait_for_neighbor(nic, ip(address));
    let case = &CASES[0];
    let (one, two) = (wait(case.host), wait(case.host));
    assert_eq!((one.address(), one.nic()), (ip(case.host), nic));
    net.poll();
    assert_eq!(questions(&net.take(1)).len(), 1);
    assert_eq!(net.neighbor(1, case.host).unwrap().waiting, 2);
    assert_eq!((one.try_answer(), two.try_answer()), (None, None));
    net.run(1, &[case.answer(host_mac(5))]);
    let resolved = Some(NeighborAnswer::Resolved(host_mac(5)));
    assert_eq!((one.try_answer(), two.try_answer()), (resolved, resolved));
    assert_eq!(one.answer_within(Duration::ZERO), None, "once");
    // Known, it is there at once; so is the NIC's own.
    assert_eq!(wait(case.host).try_answer(), resolved);
    let own = Some(NeighborAnswer::Resolved(nic_mac(1)));
    assert_eq!(wait("10.0.1.1").try_answer(), own);
    // Nobody answers.
    let nobody = wait("10.0.1.78");
    for _ in 0..3 {
        assert_eq!(nobody.try_answer(), None);
        net.advance(SECOND);
    }
    assert_eq!(nobody.try_answer(), Some(NeighborAnswer::Failed));
    assert_eq!(
        wait("10.0.1.78").try_answer(),
        Some(NeighborAnswer::Failed),
        "still"
    );
    assert_eq!(wait("0.0.0.0").try_answer(), Some(NeighborAnswer::Failed));
    // The neighbor is forgotten, or its NIC is down or unknown.
    let removed = wait("10.0.1.79");
    assert!(stack.remove_neighbor(nic, ip("10.0.1.79")));
    assert_eq!(removed.try_answer(), Some(NeighborAnswer::Gone));
    let down = wait("10.0.1.79");
    net.nics[1].disable().unwrap();
    assert_eq!(down.try_answer(), Some(NeighborAnswer::Gone));
    assert_eq!(wait("10.0.1.79").try_answer(), Some(NeighborAnswer::Gone));
    let unknown = stack.wait_for_neighbor(NicId(77), ip("10.0.1.79"));
    assert_eq!(unknown.try_answer(), Some(NeighborAnswer::Gone));
    // Those that could not be kept.
    net.nics[1].enable().unwrap();
    let waits: Vec<_> = (0..200).map(|n| wait(&format!("10.0.2.{n}"))).collect();
    let gone = waits
        .iter()
        .filter(|it| it.try_answer() == Some(NeighborAnswer::Gone));
    assert_eq!(gone.count(), 200 - 128, "evicted");
    // Another thread's.
    let far = wait("10.0.1.80");
    let answer = std::thread::spawn(move || far.answer_within(Duration::from_secs(20)));
    stack.add_neighbor(nic, ip("10.0.1.80"), NEW).unwrap();
    assert_eq!(answer.join().unwrap(), Some(NeighborAnswer::Resolved(NEW)));
}

#[test]
fn o4_bug22_who_waits_no_more_is_forgotten() {
    let mut net = router();
    let stack = net.stack().clone();
    let (nic, case) = (net.nics[1].id(), &CASES[0]);
    let one = stack.wait_for_neighbor(nic, ip(case.host));
    let two = stack.wait_for_neighbor(nic, ip(case.host));
    drop(one);
    assert_eq!(
        net.neighbor(1, case.host).unwrap().waiting,
        1,
        "the other one stays"
    );
    net.run(1, &[case.answer(host_mac(5))]);
    assert_eq!(
        two.try_answer(),
        Some(NeighborAnswer::Resolved(host_mac(5)))
    );
    drop(two);
    // For thousands, nothing is left.
    for _ in 0..10_000 {
        drop(stack.wait_for_neighbor(nic, ip("10.0.1.90")));
    }
    assert_eq!(net.neighbor(1, "10.0.1.90").unwrap().waiting, 0);
}

#[test]
fn static_neighbors_stay_when_a_nic_goes_down_and_others_do_not() {
    let mut net = router();
    let case = &CASES[0];
    make_reachable(&mut net, case, host_mac(5));
    net.run(0, &[net.udp(0, "10.0.1.88")]);
    assert_eq!(net.neighbor(1, "10.0.1.88").unwrap().pending, 1);
    net.nics[1].disable().unwrap();
    let left = net.stack().neighbors(net.nics[1].id());
    assert!(left.iter().all(|it| it.state == Static), "{left:?}");
    assert_eq!(left.len(), 4);
    let dropped = net.nics[1].protocol_counter(ProtocolCounter::NeighborPacketsDropped);
    assert_eq!(dropped, 1);
    assert!(net.take(0).is_empty(), "its sender is not told");
    assert_eq!(net.pool.out(), net.take(1).len());
    net.nics[1].enable().unwrap();
    assert_eq!(net.run(0, &[net.udp(0, "10.0.1.9")]).out[1].len(), 1);
    // What is heard while it is down counts for nothing, also what is on its way.
    net.inject(1, &arp_request((NEW, "10.0.1.60"), "10.0.1.1"));
    net.poll_datapath();
    net.nics[1].disable().unwrap();
    net.poll();
    assert_eq!(net.state(1, "10.0.1.60"), None);
    net.assert_no_leak();
}

#[test]
fn a_nic_that_is_removed_takes_what_waits_with_it() {
    let mut net = router();
    let stack = net.stack().clone();
    let id = net.nics[1].id();
    net.run(0, &vec![net.udp(0, "10.0.1.77"); 10]);
    let wait = stack.wait_for_neighbor(id, ip("10.0.1.78"));
    // Some more, on their way when it goes.
    net.inject(0, &net.udp(0, "10.0.1.79"));
    net.poll_datapath();
    net.parts.lifecycle.remove_nic(id).unwrap();
    assert_eq!(wait.try_answer(), Some(NeighborAnswer::Gone));
    net.poll();
    assert!(stack.neighbors(id).is_empty());
    assert_eq!(stack.neighbor_counts(id), None);
    assert!(stack.routes().iter().all(|it| it.nic != id));
    net.nics.truncate(1);
    net.peers.truncate(1);
    net.poll();
    let events = net.events();
    assert!(
        events.contains(&Event::NicRemoved { nic: id }),
        "{events:?}"
    );
    net.assert_no_leak();
}

#[test]
fn a_scan_through_the_engine_costs_no_neighbor_and_stops_nothing() {
    const LIVE: u8 = 100;
    const SCANNED: u32 = 100_000;
    let mut net = router();
    let id = net.nics[1].id();
    net.route("10.64.0.0/10", None, 1);
    let live = |n: u8| format!("10.64.0.{n}");
    let mac = |n: u8| MacAddr([2, 0, 0, 9, 9, n]);
    let learn = |net: &mut Net| {
        for n in 0..LIVE {
            net.inject(0, &net.udp(0, &live(n)));
            net.poll();
            net.inject(1, &arp_reply(1, (mac(n), &live(n)), "10.0.1.1"));
        }
        net.poll();
        net.take(1);
    };
    learn(&mut net);
    let route = net.nics[1].route(None, ip("10.0.1.9")).unwrap();
    let mut most = 0;
    let mut forwarded = 0;
    for round in 0..SCANNED / 50 {
        for n in 0..50 {
            let address = Ipv4Addr::from_bits(0x0a48_0000 + round * 50 + n);
            net.inject(0, &net.udp(0, &address.to_string()));
        }
        let n = (round % u32::from(LIVE)) as u8;
        net.inject(0, &net.udp(0, &live(n)));
        net.clock.advance(Duration::from_micros(500));
        net.poll_datapath();
        net.parts.control.poll();
        let out = net.take(1);
        forwarded += out
            .iter()
            .filter(|it| link_destination(it) == mac(n))
            .count();
        net.take(0);
        most = most.max(net.pool.out());
        if round % 500 == 0 {
            // The control plane has time for others.
            net.inject(1, &arp_request((NEW, "10.0.1.5"), "10.0.1.1"));
            route.write_packet(IpProtocol::UDP, &[0; 8], None).unwrap();
            net.poll();
            let out = net.take(1);
            let to = |mac| out.iter().any(|it| link_destination(it) == mac);
            assert!(to(NEW) && to(host_mac(1)), "round {round}");
        }
    }
    assert_eq!(forwarded as u32, SCANNED / 50, "no live neighbor was lost");
    assert!(most < 1500, "{most} frames out");
    let all = net.stack().neighbors(id);
    assert!(all.len() <= 512 + 4, "{} neighbors", all.len());
    for n in 0..LIVE {
        let info = net.neighbor(1, &live(n)).unwrap();
        assert_eq!(info.mac, Some(mac(n)));
    }
    let counts = net.stack().neighbor_counts(id).unwrap();
    assert!(counts.limited > u64::from(SCANNED) * 9 / 10, "{counts:?}");
    assert!(counts.evicted > 0);
    assert_eq!(NeighborCounts::default().refused, 0);
    net.stack().flush_neighbors(id);
    net.assert_no_leak();
}

#[test]
fn a_gateway_is_asked_for_and_its_hosts_share_it() {
    let mut net = router();
    net.route("203.0.113.0/24", Some("10.0.1.200"), 1);
    let ran = net.run(0, &[net.udp(0, "203.0.113.1"), net.udp(0, "203.0.113.2")]);
    assert_eq!(
        questions(&ran.out[1]),
        [(ip("10.0.1.200"), MacAddr::BROADCAST)]
    );
    let gateway = net.neighbor(1, "10.0.1.200").unwrap();
    assert_eq!((gateway.pinned, gateway.pending), (true, 2));
    let answer = arp_reply(1, (gateway_mac(7), "10.0.1.200"), "10.0.1.1");
    let ran = net.run(1, &[answer]);
    assert_eq!(ran.out[1].len(), 2);
    assert!(
        ran.out[1]
            .iter()
            .all(|it| link_destination(it) == gateway_mac(7))
    );
    assert_eq!(net.state(1, "203.0.113.1"), None);
}

/// Hosts that come, go and change, while workers forward to them: each frame carries a link address
/// that its host has had, whole.
///
/// A host's link address tells the host and a version, each twice: half of one and half of another
/// shows, and so does another host's.
#[test]
fn neighbors_that_change_under_traffic_never_lend_each_other_their_link_address() {
    const HOSTS: u8 = 60;
    const FRAMES: usize = 40_000;
    let seed = std::env::var("CORELANE_STRESS_SEED").map_or(5, |seed| seed.parse().unwrap());
    println!("CORELANE_STRESS_SEED={seed}");
    let mac = |host: u8, version: u8| MacAddr([2, host, version, version, host, !version]);
    let link = || memory_link(MemoryConfig::default()).unwrap();
    let ((link0, peer0), (link1, peer1)) = (link(), link());
    let mut builder = Engine::builder();
    builder
        .workers(2)
        .when_full(WhenFull::Wait)
        .idle(Idle::Interrupt)
        .pool(PoolConfig {
            slots: 16_384,
            ..PoolConfig::default()
        });
    let config = |n: usize| {
        NicConfig::new(format!("n{n}"))
            .mac(nic_mac(n))
            .forwarding(Forwarding::ON)
            // Fewer than there are hosts: they push each other out, and slots are used again.
            .neighbors(NeighborConfig {
                capacity: 32,
                resolutions_per_second: 1_000_000,
                ..NeighborConfig::default()
            })
    };
    builder.nic(config(0), Box::new(link0));
    builder.nic(config(1), Box::new(link1));
    let engine = builder.build().unwrap();
    let (nics, pool) = (engine.nics(), engine.pool().clone());
    nics[0].add_address(prefix("10.0.0.1/24")).unwrap();
    nics[1].add_address(prefix("10.0.1.1/24")).unwrap();
    let stack = nics[0].stack().clone();
    stack
        .add_route(RouteSpec {
            to: prefix("10.0.1.0/24"),
            via: None,
            nic: nics[1].id(),
            metric: 0,
        })
        .unwrap();
    let running = engine.start().unwrap();
    let address = |host: u8| format!("10.0.1.{}", 100 + host);
    let stop = AtomicBool::new(false);
    let (mut into0, _) = peer0.split();
    let (mut into1, mut from1) = peer1.split();
    let send = |sender: &mut PeerSender, bytes: &[u8]| {
        let mut frame = pool.cache().alloc()?;
        frame.set_data(bytes).unwrap();
        let mut burst = Burst::new();
        burst.push(frame);
        while !burst.is_empty() && !sender.is_closed() {
            if sender.send(&mut burst) == 0 {
                std::thread::yield_now();
            }
        }
        Some(())
    };
    let (forwarded, seen) = std::thread::scope(|scope| {
        let (stop, stack, nics, send) = (&stop, &stack, &nics, &send);
        // What hosts say of themselves.
        scope.spawn(move || {
            let mut rng = fastrand::Rng::with_seed(seed);
            while !stop.load(Ordering::Acquire) {
                let (host, version) = (rng.u8(0..HOSTS), rng.u8(..));
                let sender = (mac(host, version), &*address(host));
                let frame = match rng.u8(0..3) {
                    0 => arp_reply(1, sender, "10.0.1.1"),
                    1 => arp_request(sender, "10.0.1.1"),
                    _ => arp(
                        MacAddr::BROADCAST,
                        &ArpPacket::announcement(sender.0, v4(sender.1)),
                    ),
                };
                send(&mut into1[0], &frame);
                std::thread::yield_now();
            }
        });
        // What is set by hand.
        scope.spawn(move || {
            let mut rng = fastrand::Rng::with_seed(!seed);
            let nic = nics[1].id();
            while !stop.load(Ordering::Acquire) {
                let (host, version) = (rng.u8(0..HOSTS), rng.u8(..));
                let neighbor = ip(&address(host));
                match rng.u8(0..40) {
                    0 => stack.flush_neighbors(nic),
                    1..20 => {
                        stack.remove_neighbor(nic, neighbor);
                    }
                    _ => stack
                        .add_neighbor(nic, neighbor, mac(host, version))
                        .unwrap(),
                }
                std::thread::sleep(Duration::from_micros(20));
            }
        });
        let receiver = scope.spawn(move || {
            let (mut forwarded, mut seen) = (0, BTreeSet::new());
            let mut burst = Burst::new();
            let mut is_last = false;
            while !is_last {
                is_last = stop.load(Ordering::Acquire);
                while from1[0].recv(&mut burst) > 0 {
                    for frame in burst.drain(..) {
                        let ethernet = parse_ethernet(frame.data()).unwrap();
                        if ethernet.header.ethertype() != EtherType::IPV4 {
                            continue;
                        }
                        let packet = parse_ipv4(ethernet.payload).unwrap();
                        let host = packet.destination().octets()[3] - 100;
                        let MacAddr([_, _, version, ..]) = ethernet.header.destination;
                        let expected = mac(host, version);
                        if ethernet.header.destination != expected {
                            return Err((host, ethernet.header.destination));
                        }
                        forwarded += 1;
                        seen.insert((host, version));
                    }
                }
                std::thread::yield_now();
            }
            Ok((forwarded, seen))
        });
        let mut rng = fastrand::Rng::with_seed(seed ^ 77);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut sent = 0;
        while sent < FRAMES && Instant::now() < deadline && !receiver.is_finished() {
            if pool.out() > 8000 {
                std::thread::yield_now();
                continue;
            }
            let host = rng.u8(0..HOSTS);
            let frame = udp("10.0.0.9", &address(host), (rng.u16(..), 7), b"forward");
            let frame = between(frame, host_mac(0), nic_mac(0));
            send(&mut into0[0], &frame);
            sent += 1;
        }
        // What is still on the link is not the engine's yet: `drain` does not wait for it.
        while nics[0].counters().received < sent as u64 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let drained = running.drain(Duration::from_secs(30));
        stop.store(true, Ordering::Release);
        let result = receiver.join().unwrap();
        assert!(
            drained && sent == FRAMES || result.is_err(),
            "{sent} frames"
        );
        result.unwrap_or_else(|(host, mac)| panic!("host {host} got a frame at {mac}"))
    });
    assert!(forwarded > FRAMES / 20, "{forwarded} forwarded");
    assert!(seen.len() > 100, "{} link addresses", seen.len());
    let counts = stack.neighbor_counts(nics[1].id()).unwrap();
    assert!(counts.evicted > 0, "{counts:?}");
    let report = running.stop();
    assert!(report.nics.iter().all(|it| it.totals.balance() == 0));
}
