//! Section J on the datapath: what a NIC sends on, by which NIC, to whom, and what becomes of what it
//! does not.

mod common;

use std::time::Duration;

use common::net::*;
use common::packets::*;
use common::*;
use corelane::engine::{Lifecycle, NicConfig};
use corelane::frame::Burst;
use corelane::io::memory::{MemoryConfig, memory_link};
use corelane::stack::{
    DropReason, Event, Forwarding, Handler, IcmpCounter, IcmpLimiter, NdpConfig, NeighborChange,
    Nic, NicId, NicTotals, Packet, ProtocolCounter, RouteSpec, StackConfig,
};
use corelane::wire::arp::ArpPacket;
use corelane::wire::build::build_arp;
use corelane::wire::ndp::{AdvertisementSpec, build_neighbor_advertisement};
use corelane::wire::{
    ArpMessage, IpProtocol, MacAddr, NdpMessage, parse_arp_message, parse_ethernet, parse_ndp,
};
use corelane::wire::{parse_ipv6, solicited_node};

/// The destinations of a packet out of NIC `n`, one of each family.
fn hosts(n: usize) -> [String; 2] {
    [format!("10.0.{n}.9"), format!("2001:db8:{n}::9")]
}

/// Asserts that a run sent these frames on: forwarded where they arrived, sent where they left, and
/// nothing else.
fn assert_forwarded(ran: &Ran, from: usize, to: usize, frames: usize) {
    for (n, totals) in ran.totals.iter().enumerate() {
        let arrived = if n == from { frames as u64 } else { 0 };
        let left = if n == to { frames as u64 } else { 0 };
        let bytes: usize = ran.out[n].iter().map(Vec::len).sum();
        let expected = NicTotals {
            received: arrived,
            received_bytes: totals.received_bytes,
            forwarded: arrived,
            sent: left,
            sent_bytes: bytes as u64,
            ..NicTotals::default()
        };
        assert_eq!(*totals, expected, "NIC {n}");
        assert_eq!(ran.out[n].len() as u64, left, "NIC {n}");
    }
}

fn sent_on(frame: &[u8], source: MacAddr, destination: MacAddr) -> Sent {
    let mut sent = read(frame);
    sent.ttl -= 1;
    sent.source_mac = source;
    sent.destination_mac = destination;
    sent
}

#[test]
fn j1_forwarding_is_off_unless_said() {
    let mut net = Net::plain(2);
    assert_eq!(net.nics[0].forwarding(), Forwarding::OFF);
    net.furnish();
    net.nics[0].set_forwarding(Forwarding::OFF).unwrap();
    for destination in hosts(1) {
        let frame = net.udp(0, &destination);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::InvalidAddress), 1);
        ran.nothing_sent();
    }
    // It may be configured.
    let mut lan = Lan::new(0);
    lan.config = NicConfig::new("n0").forwarding(Forwarding::ON);
    let net = Net::build(vec![lan], unlimited(), |_| {});
    assert_eq!(net.nics[0].forwarding(), Forwarding::ON);
}

#[test]
fn j1_it_is_of_each_nic_and_each_family() {
    let mut net = Net::router(2);
    for v4 in [false, true] {
        for v6 in [false, true] {
            net.nics[0].set_forwarding(Forwarding { v4, v6 }).unwrap();
            net.nics[1].set_forwarding(Forwarding::OFF).unwrap();
            for (destination, on) in hosts(1).iter().zip([v4, v6]) {
                let frame = net.udp(0, destination);
                let ran = net.run(0, &[frame]);
                if on {
                    // The NIC that it arrives on decides.
                    assert_forwarded(&ran, 0, 1, 1);
                } else {
                    assert_eq!(ran.only_drop(0, DropReason::InvalidAddress), 1);
                }
            }
            // The other way nothing goes.
            let back = net.udp(1, "10.0.0.9");
            let ran = net.run(1, &[back]);
            assert_eq!(ran.only_drop(1, DropReason::InvalidAddress), 1);
        }
    }
    net.assert_no_leak();
}

#[test]
fn j1_e6_what_is_for_all_routers_is_for_a_nic_that_forwards() {
    let mut net = Net::router(2);
    // There is a route for everything, by which none of it goes.
    net.route("0.0.0.0/0", Some("10.0.1.254"), 1);
    net.route("::/0", Some("2001:db8:1::fe"), 1);
    for (v4, v6) in [(false, true), (true, false), (false, false), (true, true)] {
        net.nics[0].set_forwarding(Forwarding { v4, v6 }).unwrap();
        for (destination, on) in [("224.0.0.2", v4), ("ff02::2", v6), ("ff05::2", v6)] {
            let frame = net.udp(0, destination);
            let ran = net.run(0, &[frame]);
            if on {
                assert_eq!(ran.totals[0].delivered, 1, "{destination}");
                assert_eq!(net.got()[0].destination, ip(destination));
            } else {
                assert_eq!(ran.only_drop(0, DropReason::InvalidAddress), 1);
            }
            ran.nothing_sent();
        }
    }
    // An echo request for many is whoever listens' to answer, as those to other groups are.
    for (source, destination, kind) in [
        ("10.0.0.9", "224.0.0.2", 8),
        ("2001:db8:0::9", "ff02::2", 128),
    ] {
        let frame = net.host_sends(0, icmp(source, destination, kind, 0, b"ping"));
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.totals[0].delivered, 1, "{destination}");
        ran.nothing_sent();
    }
    net.assert_no_leak();
}

#[test]
fn j2_what_the_nic_accepts_is_not_sent_on() {
    let mut net = Net::router(2);
    net.nics[0].set_promiscuous(true).unwrap();
    for destination in hosts(1) {
        let frame = net.udp(0, &destination);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.totals[0].delivered, 1);
        ran.nothing_sent();
        assert_eq!(net.got()[0].destination, ip(&destination));
    }
    net.nics[0].set_promiscuous(false).unwrap();
    net.nics[0].add_range(prefix("10.0.1.0/24")).unwrap();
    let frame = net.udp(0, "10.0.1.9");
    assert_eq!(net.run(0, &[frame]).totals[0].delivered, 1);
}

#[test]
fn j3_without_a_route_the_sender_is_told() {
    let mut net = Net::router(2);
    for (destination, kind) in [("203.0.113.7", (3, 0)), ("2001:db8:77::7", (1, 0))] {
        let frame = net.udp(0, destination);
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_eq!(ran.only_drop(0, DropReason::NoRoute), 1);
        let told = problem(ran.only(0));
        assert_eq!((told.kind, told.code), kind);
        let source = read(&frame).source;
        assert_eq!(told.to, source);
        assert_eq!(told.mac, host_mac(0));
        // From the router's address on the link that the packet came by.
        let own = if source.is_ipv4() {
            "10.0.0.1"
        } else {
            "2001:db8:0::1"
        };
        assert_eq!(told.from, ip(own));
        assert_eq!(told.quoted, frame[NETWORK..], "as it came");
    }
    net.assert_no_leak();
}

#[test]
fn j3_only_so_many_are_told_and_the_rest_is_counted() {
    let config = StackConfig {
        seed: Some(7),
        ..StackConfig::default()
    };
    let lans = vec![Lan::new(0), Lan::new(1)];
    let mut net = Net::build(lans, config, |_| {});
    net.furnish();
    let frames = vec![net.udp(0, "203.0.113.7"); 1000];
    let ran = net.run(0, &frames);
    assert_eq!(ran.only_drop(0, DropReason::NoRoute), 1000);
    let totals = &ran.totals[0];
    let sent = totals.icmp_of(IcmpCounter::V4DestinationUnreachableSent);
    let limited = totals.icmp_of(IcmpCounter::V4RateLimited);
    assert_eq!(sent + limited, 1000);
    assert_eq!((sent, ran.out[0].len() as u64), (totals.sent, sent));
    let burst = u64::from(IcmpLimiter::BURST);
    assert!((burst / 2..burst * 2).contains(&sent), "{sent}");
    net.clock.advance(Duration::from_secs(1));
    let ran = net.run(0, &frames[..10]);
    assert_eq!(ran.out[0].len(), 10, "it fills again");
}

#[test]
fn j3_no_error_is_told_about_some() {
    let mut net = Net::router(2);
    let far = "203.0.113.7";
    let quoted = &udp("10.0.0.9", far, (1, 2), b"")[NETWORK..];
    let untold = [
        // Errors themselves, of either family.
        icmp("10.0.0.9", far, 3, 1, quoted),
        icmp("10.0.0.9", far, 11, 0, quoted),
        icmp("2001:db8:0::9", "2001:db8:77::7", 1, 0, &[0; 60]),
        // A fragment that is not the first.
        fragment_v4("10.0.0.9", far, 64, false, &[1; 16]),
        // From nobody that could be told.
        udp("0.0.0.0", far, (1, 2), b"payload"),
        udp("::", "2001:db8:77::7", (1, 2), b"payload"),
    ];
    for frame in untold {
        let frame = net.host_sends(0, frame);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.totals[0].dropped(), 1);
        ran.nothing_sent();
    }
    let told = [
        // Its first fragment, and a question.
        fragment_v4("10.0.0.9", far, 0, true, &[1; 16]),
        ping("10.0.0.9", far, b"data"),
        ping("2001:db8:0::9", "2001:db8:77::7", b"data"),
    ];
    for frame in told {
        let frame = net.host_sends(0, frame);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::NoRoute), 1);
        problem(ran.only(0));
    }
    // Without an address to tell from, nothing is.
    for (n, nic) in net.nics.iter().enumerate() {
        nic.remove_address(ip(&format!("10.0.{n}.1"))).unwrap();
    }
    let frame = net.udp(0, far);
    let ran = net.run(0, &[frame]);
    assert_eq!(ran.only_drop(0, DropReason::NoRoute), 1);
    assert_eq!(ran.totals[0].icmp_of(IcmpCounter::V4Unsent), 1);
    ran.nothing_sent();
    net.assert_no_leak();
}

#[test]
fn j3_a_nic_without_an_address_tells_from_anothers() {
    let mut net = Net::router(3);
    let own = |n: usize| [format!("10.0.{n}.1"), format!("2001:db8:{n}::1")];
    let from = |net: &mut Net| {
        ["203.0.113.7", "2001:db8:77::7"].map(|destination| {
            let frame = net.udp(0, destination);
            problem(net.run(0, &[frame]).only(0)).from.to_string()
        })
    };
    let without = |net: &Net, n: usize| {
        own(n)
            .iter()
            .for_each(|it| net.nics[n].remove_address(ip(it)).unwrap());
    };
    let readable = |n| own(n).map(|it| ip(&it).to_string());
    without(&net, 0);
    assert_eq!(from(&mut net), readable(1));
    // One that is good on its link only is none for what comes from beyond it.
    let local = ["169.254.1.1", "fe80::1"];
    for address in local {
        net.nics[0].add_address(ip(address)).unwrap();
    }
    net.poll();
    assert_eq!(from(&mut net), readable(1));
    without(&net, 1);
    assert_eq!(from(&mut net), readable(2));
    without(&net, 2);
    assert_eq!(from(&mut net), local);
    for network in ["10.0.0.1/24", "2001:db8::1/64"] {
        net.nics[0].add_address(prefix(network)).unwrap();
    }
    assert_eq!(from(&mut net), readable(0));
    net.assert_no_leak();
}

#[test]
fn j4_j11_an_address_of_another_nic_is_this_hosts() {
    let mut net = Net::router(3);
    for destination in ["10.0.1.1", "2001:db8:1::1"] {
        let frame = net.udp(0, destination);
        // A hop limit of 1 takes it as far as here.
        let frame = if destination.contains(':') {
            hop_limit(frame, 1)
        } else {
            ttl(frame, 1)
        };
        let ran = net.run(0, std::slice::from_ref(&frame));
        let expected = NicTotals {
            received: 1,
            received_bytes: frame.len() as u64,
            delivered: 1,
            ..NicTotals::default()
        };
        assert_eq!(ran.totals[0], expected);
        assert_eq!(ran.totals[1], NicTotals::default());
        let got = net.got().remove(0);
        assert_eq!(got.destination, ip(destination));
        assert_eq!(got.nics, (0, 1), "arrived on, for an address of");
        assert_eq!(got.source, read(&frame).source);
    }
    net.assert_no_leak();
}

/// Whatever address of that NIC it is, and whatever the others are.
#[test]
fn j5_bug12_the_packet_is_for_the_address_it_names() {
    let mut net = Net::router(2);
    let (v4, v6) = ("10.0.1.77", "2001:db8:1::77");
    net.nics[1].add_address(prefix("10.0.1.77/24")).unwrap();
    net.nics[1]
        .add_address(prefix("2001:db8:1::77/64"))
        .unwrap();
    for destination in [v4, v6] {
        let frames = [net.udp(0, destination), {
            let source = read(&net.udp(0, destination)).source.to_string();
            net.host_sends(0, ping(&source, destination, b"echo"))
        }];
        let ran = net.run(0, &frames);
        assert_eq!(net.got()[0].destination, ip(destination));
        assert_eq!((ran.totals[0].delivered, ran.totals[0].consumed), (1, 1));
        let reply = read(ran.only(0));
        assert_eq!(reply.source, ip(destination), "from that address");
        assert_eq!(
            (reply.source_mac, reply.destination_mac),
            (nic_mac(0), host_mac(0))
        );
    }
    // An error about it comes from there too.
    let refused = net.host_sends(0, udp("10.0.0.9", v4, (1, REFUSED), b"payload"));
    let told = net.run(0, &[refused]);
    assert_eq!(problem(told.only(0)).from, ip(v4));
    // Fragments too: for an address of another NIC.
    let whole = net.host_sends(0, udp("10.0.0.9", v4, (1, 7), &[4; 900]));
    let ran = net.run(0, &fragments(&whole, 300, 3));
    assert_eq!(ran.totals[0].delivered, 1);
    assert_eq!(net.got()[0].payload[8..], [4; 900]);
    net.assert_no_leak();
}

#[test]
fn j4_a_removed_address_is_another_hosts() {
    let mut net = Net::router(2);
    let held = net.nics[1].hold(ip("10.0.1.1")).unwrap();
    net.nics[1].remove_address(ip("10.0.1.1")).unwrap();
    let added = net
        .stack()
        .add_neighbor(NicId(1), ip("10.0.1.1"), host_mac(7));
    added.unwrap();
    for _ in 0..2 {
        let frame = net.udp(0, "10.0.1.1");
        let ran = net.run(0, &[frame]);
        assert_forwarded(&ran, 0, 1, 1);
        assert_eq!(read(ran.only(1)).destination_mac, host_mac(7));
    }
    drop(held);
    net.nics[1].add_address(prefix("10.0.1.1/24")).unwrap();
    let frame = net.udp(0, "10.0.1.1");
    assert_eq!(net.run(0, &[frame]).totals[0].delivered, 1);
}

/// What that NIC takes without having it is others' too: it may live on the link.
#[test]
fn j4_what_another_nic_merely_accepts_is_sent_on() {
    let mut net = Net::router(2);
    net.nics[1].set_promiscuous(true).unwrap();
    net.nics[1].add_range(prefix("10.0.1.0/24")).unwrap();
    let frame = net.udp(0, "10.0.1.9");
    let ran = net.run(0, &[frame]);
    assert_forwarded(&ran, 0, 1, 1);
}

#[test]
fn j7_bug06_a_tentative_address_is_not_owned() {
    let mut lans = vec![Lan::new(0), Lan::new(1)];
    lans[1].config = NicConfig::new("n1").seed(7).ndp(NdpConfig::default());
    let mut net = Net::build(lans, unlimited(), |_| {});
    net.furnish();
    net.advance(Duration::from_secs(2));
    let tentative = ip("2001:db8:1::77");
    net.nics[1]
        .add_address(prefix("2001:db8:1::77/64"))
        .unwrap();
    assert!(net.nics[1].is_tentative(tentative).unwrap());
    let frame = net.udp(0, "2001:db8:1::77");
    let ran = net.run(0, std::slice::from_ref(&frame));
    assert_eq!((ran.totals[0].delivered, ran.totals[0].consumed), (0, 1));
    assert!(net.got().is_empty(), "it waits for whoever has it");
    net.advance(Duration::from_secs(2));
    assert!(!net.nics[1].is_tentative(tentative).unwrap());
    assert_eq!(net.run(0, &[frame]).totals[0].delivered, 1);
    net.parts.lifecycle.disable_nic(NicId(1)).unwrap();
    net.assert_no_leak();
}

#[test]
fn j6_j8_j9_bug16_bug18_a_packet_goes_on_with_a_hop_less_to_the_next_hop() {
    let mut net = Net::router(3);
    for (n, destination) in (1..3).flat_map(|n| hosts(n).map(|it| (n, it))) {
        let frame = net.udp(0, &destination);
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_forwarded(&ran, 0, n, 1);
        let out = ran.only(n);
        // `read` looks at the header checksum; all else is as it came.
        assert_eq!(read(out), sent_on(&frame, nic_mac(n), host_mac(n)));
        assert_eq!(out.len(), frame.len(), "bytes count whole frames");
        assert_eq!(ran.totals[n].sent_bytes, out.len() as u64);
        assert_eq!(
            net.protocols(n).values().sum::<u64>(),
            0,
            "nobody was asked"
        );
    }
    net.assert_no_leak();
}

#[test]
fn j6_padding_of_the_link_does_not_go_on() {
    let mut net = Net::router(2);
    let frame = net.udp(0, "10.0.1.9");
    let mut padded = frame.clone();
    padded.resize(60 + frame.len(), 0xaa);
    let ran = net.run(0, &[padded]);
    assert_eq!(ran.only(1).len(), frame.len());
}

#[test]
fn j6_bug16_every_ttl_is_counted_down_with_a_right_checksum() {
    let mut net = Net::router(2);
    let frames: Vec<_> = (2..=255)
        .map(|hops| {
            // Odd identifications make for every kind of checksum.
            let frame = ttl(net.udp(0, "10.0.1.9"), hops);
            patched(frame, |header| {
                header[4..6].copy_from_slice(&[hops, hops ^ 0x5a]);
            })
        })
        .collect();
    let ran = net.run(0, &frames);
    assert_eq!(ran.out[1].len(), 254);
    for (out, frame) in ran.out[1].iter().zip(&frames) {
        assert_eq!(
            *out,
            between(
                patched(frame.clone(), |it| it[8] -= 1),
                nic_mac(1),
                host_mac(1)
            )
        );
    }
    let frames: Vec<_> = (2..=255)
        .map(|hops| hop_limit(net.udp(0, "2001:db8:1::9"), hops))
        .collect();
    let ran = net.run(0, &frames);
    let hops: Vec<_> = ran.out[1].iter().map(|it| read(it).ttl).collect();
    assert_eq!(hops, (1..=254).collect::<Vec<u8>>());
}

#[test]
fn j6_bug16_the_last_hop_is_told() {
    let mut net = Net::router(2);
    for hops in [0, 1] {
        let frames = [
            ttl(net.udp(0, "10.0.1.9"), hops),
            hop_limit(net.udp(0, "2001:db8:1::9"), hops),
        ];
        for (frame, kind) in frames.into_iter().zip([11, 3]) {
            let ran = net.run(0, std::slice::from_ref(&frame));
            assert_eq!(ran.only_drop(0, DropReason::HopLimit), 1);
            let told = problem(ran.only(0));
            assert_eq!((told.kind, told.code), (kind, 0));
            assert_eq!(told.quoted, frame[NETWORK..], "as it came");
        }
    }
}

/// Three NICs, of which the third takes packets of 1,300 bytes.
fn narrow() -> Net {
    let mut lans = vec![Lan::new(0), Lan::new(1), Lan::new(2)];
    lans[2].mtu = 1300;
    let mut net = Net::build(lans, unlimited(), |_| {});
    net.furnish();
    net
}

#[test]
fn j6_bug16_what_is_too_big_is_told_with_the_mtu() {
    let mut net = narrow();
    let large = |source: &str, destination: &str, len: usize| {
        let headers = if source.contains(':') { 48 } else { 28 };
        udp(source, destination, (1, 7), &vec![7; len - headers])
    };
    for (source, destination, kind) in [
        ("10.0.0.9", "10.0.2.9", (3, 4)),
        ("2001:db8:0::9", "2001:db8:2::9", (2, 0)),
    ] {
        let fits = net.host_sends(0, large(source, destination, 1300));
        let ran = net.run(0, &[fits]);
        assert_forwarded(&ran, 0, 2, 1);
        let frame = net.host_sends(0, large(source, destination, 1301));
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_eq!(ran.only_drop(0, DropReason::PacketTooBig), 1);
        let told = problem(ran.only(0));
        assert_eq!((told.kind, told.code, told.rest), (kind.0, kind.1, 1300));
        assert_eq!(told.to, ip(source));
        assert!(frame[NETWORK..].starts_with(&told.quoted));
    }
    net.assert_no_leak();
}

#[test]
fn j6_bug16_what_may_be_cut_is_cut() {
    let mut net = narrow();
    let payload: Vec<u8> = (0..1400u32).map(|n| n as u8).collect();
    let whole = net.host_sends(0, udp("10.0.0.9", "10.0.2.9", (1, 7), &payload));
    let whole = patched(may_be_cut(whole), |header| {
        header[4..6].copy_from_slice(&[7, 7]);
    });
    // With options of which one is copied into every fragment.
    let optional = with_options(whole.clone(), &[148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0]);
    for frame in [whole, optional] {
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_eq!((ran.totals[0].forwarded, ran.totals[2].sent), (1, 2));
        assert_eq!(ran.totals[0].dropped(), 0);
        let bytes: usize = ran.out[2].iter().map(Vec::len).sum();
        assert_eq!(ran.totals[2].sent_bytes, bytes as u64);
        for out in &ran.out[2] {
            assert!(out.len() <= 14 + 1300);
            let sent = read(out);
            assert_eq!(sent.ttl, 2);
            assert_eq!(
                (sent.source_mac, sent.destination_mac),
                (nic_mac(2), host_mac(2))
            );
        }
        // Its receiver puts it together.
        let mut other = Net::plain(1);
        other.nics[0].add_address(ip("10.0.2.9")).unwrap();
        other.run(0, &ran.out[2]);
        assert_eq!(other.got()[0].payload[8..], payload);
    }
    // A fragment of a fragment.
    let part = may_be_cut(fragment_v4("10.0.0.9", "10.0.2.9", 0, true, &payload));
    let part = patched(part, |header| header[6] = 0x20);
    let part = net.host_sends(0, part);
    let ran = net.run(0, &[part]);
    assert_eq!(ran.totals[2].sent, 2);
    net.assert_no_leak();
}

/// A packet for 10.0.2.77 that the narrow link does not take whole.
fn large(net: &Net, identification: u8) -> Vec<u8> {
    let payload: Vec<u8> = (0..1400u32).map(|n| n as u8 ^ identification).collect();
    let whole = net.host_sends(0, udp("10.0.0.9", "10.0.2.77", (1, 7), &payload));
    patched(may_be_cut(whole), |header| {
        header[4..6].copy_from_slice(&[7, identification]);
    })
}

#[test]
fn j6_j9_a_packet_that_is_too_big_waits_whole_and_is_cut_then() {
    let mut net = narrow();
    let frames: Vec<_> = (0..10).map(|n| large(&net, n)).collect();
    let ran = net.run(0, &frames);
    let totals = &ran.totals[0];
    assert_eq!(
        (totals.consumed, totals.forwarded),
        (10, 0),
        "none has left"
    );
    assert_eq!(ran.out[2].len(), 1, "a question");
    let known = net.stack().neighbors(NicId(2));
    let waits = known.iter().map(|it| it.pending).sum::<usize>();
    assert_eq!(waits, 10, "packets");
    let mac = MacAddr([2, 9, 9, 9, 9, 9]);
    let reply = arp_reply((mac, "10.0.2.77"), (nic_mac(2), "10.0.2.1"));
    let ran = net.run(2, &[reply]);
    assert_eq!((ran.totals[2].sent, ran.out[2].len()), (20, 20));
    let of = |counter| net.nics[2].protocol_counter(counter);
    assert_eq!(of(ProtocolCounter::NeighborPacketsSent), 10, "packets");
    assert_eq!(of(ProtocolCounter::NeighborPacketsDropped), 0);
    for out in &ran.out[2] {
        assert!(out.len() <= 14 + 1300);
        let sent = read(out);
        assert_eq!((sent.ttl, sent.destination_mac), (2, mac));
        assert_eq!(sent.source_mac, nic_mac(2));
    }
    // Its receiver puts each together, in order.
    let mut other = Net::plain(1);
    other.nics[0].add_address(ip("10.0.2.77")).unwrap();
    other.run(0, &ran.out[2]);
    let got: Vec<_> = other.got().into_iter().map(|it| it.payload).collect();
    let expected: Vec<_> = frames.iter().map(|it| read(it).payload).collect();
    assert_eq!(got, expected);
    net.assert_no_leak();
}

#[test]
fn j6_j9_all_fragments_of_what_waited_leave_or_none() {
    let mut lans = vec![Lan::new(0), Lan::new(1)];
    lans[1].mtu = 100;
    let mut net = Net::build(lans, unlimited(), |_| {});
    net.furnish();
    let frames: Vec<_> = (0..16)
        .map(|n| {
            let whole = udp("10.0.0.9", "10.0.1.77", (1, 7), &[n; 1400]);
            let whole = net.host_sends(0, whole);
            patched(may_be_cut(whole), |header| {
                header[4..6].copy_from_slice(&[7, n]);
            })
        })
        .collect();
    assert_eq!(net.run(0, &frames).totals[0].consumed, 16);
    // 18 fragments of each, and room for 256.
    let mac = MacAddr([2, 9, 9, 9, 9, 9]);
    let before: Vec<_> = net.nics.iter().map(Nic::counters).collect();
    let stack = net.stack().clone();
    stack.add_neighbor(NicId(1), ip("10.0.1.77"), mac).unwrap();
    let ran = net.ran(&before);
    assert_eq!(ran.out[1].len(), 14 * 18);
    assert_eq!(ran.totals[1].send_dropped, 0);
    let of = |counter| net.nics[1].protocol_counter(counter);
    assert_eq!(of(ProtocolCounter::NeighborPacketsSent), 14);
    assert_eq!(of(ProtocolCounter::Unsent), 2);
    let mut other = Net::plain(1);
    other.nics[0].add_address(ip("10.0.1.77")).unwrap();
    other.run(0, &ran.out[1]);
    assert_eq!(other.got().len(), 14);
    net.assert_no_leak();
}

#[test]
fn j8_who_sent_what_was_to_be_cut_is_told_of_it_as_it_came() {
    let mut net = narrow();
    let frame = large(&net, 1);
    let mut told = net.run(0, std::slice::from_ref(&frame)).out[0].clone();
    for _ in 0..3 {
        net.advance(Duration::from_secs(1));
        told.extend(net.take(0));
    }
    // Of two fragments there would have been two errors, or one about half of it.
    let [told] = told.as_slice() else {
        panic!("{told:?}");
    };
    let told = problem(told);
    assert_eq!((told.kind, told.code), (3, 1));
    let quoted = patched([&frame[..NETWORK], &told.quoted].concat(), |header| {
        header[8] += 1;
    });
    assert_eq!(quoted[NETWORK..], frame[NETWORK..][..told.quoted.len()]);
    // And at once, while it does not answer.
    let ran = net.run(0, std::slice::from_ref(&frame));
    assert_eq!(ran.only_drop(0, DropReason::NeighborUnreachable), 1);
    assert_eq!(problem(&ran.out[0][0]).quoted, told.quoted);
    net.assert_no_leak();
}

#[test]
fn j6_options_of_what_is_sent_on() {
    let mut net = Net::router(2);
    let frame = |net: &Net, options: &[u8]| {
        let frame = with_options(net.udp(0, "10.0.1.9"), options);
        net.host_sends(0, frame)
    };
    for accepted in [[148, 4, 0, 0], [1, 1, 1, 0], [0x5d, 4, 1, 2]] {
        let frame = frame(&net, &accepted);
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_forwarded(&ran, 0, 1, 1);
        let out = ran.only(1);
        assert_eq!(out[34..38], accepted, "as they came");
        assert_eq!(read(out).ttl, 2);
    }
    for route in [[131, 3, 4, 0], [137, 3, 4, 0]] {
        let frame = frame(&net, &route);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::Ip4Options), 1);
        ran.nothing_sent();
    }
    // The router tells, not the host it was for (RFC 1812 section 4.3.3.5).
    let frame = frame(&net, &[7, 1, 4, 0]);
    let ran = net.run(0, std::slice::from_ref(&frame));
    assert_eq!(ran.only_drop(0, DropReason::Ip4Options), 1);
    let told = problem(ran.only(0));
    assert_eq!((told.kind, told.code, told.rest >> 24), (12, 0, 21));
    assert_eq!((told.from, told.to), (ip("10.0.0.1"), ip("10.0.0.9")));
    assert_eq!(told.quoted, frame[NETWORK..]);
    // Spent hops count before options that are right.
    let frame = ttl(with_options(net.udp(0, "10.0.1.9"), &[1, 1, 1, 0]), 1);
    let ran = net.run(0, &[frame]);
    assert_eq!(ran.only_drop(0, DropReason::HopLimit), 1);
    // Extension headers are the receiver's (RFC 8200 section 4).
    let odd = extended(
        net.udp(0, "2001:db8:1::9"),
        0,
        &[&[0, 0, 0x9e, 4, 0, 0, 0, 0]],
    );
    let ran = net.run(0, std::slice::from_ref(&odd));
    assert_forwarded(&ran, 0, 1, 1);
    net.assert_no_leak();
}

fn arp_reply(sender: (MacAddr, &str), target: (MacAddr, &str)) -> Vec<u8> {
    let mut buffer = vec![0; 64];
    let packet = ArpPacket::reply((sender.0, v4(sender.1)), (target.0, v4(target.1)));
    let len = build_arp(&mut buffer, target.0, &packet).unwrap();
    cut(buffer, len)
}

fn advertisement(target: &str, mac: MacAddr, to: (MacAddr, &str)) -> Vec<u8> {
    let mut buffer = vec![0; 128];
    let spec = AdvertisementSpec {
        source_mac: mac,
        source: v6(target),
        destination: v6(to.1),
        destination_mac: to.0,
        target: v6(target),
        router: false,
        solicited: true,
        override_: true,
        target_link: Some(mac),
    };
    let len = build_neighbor_advertisement(&mut buffer, &spec).unwrap();
    cut(buffer, len)
}

/// Who an ARP request, or a neighbor solicitation, asks for.
fn asked_for(frame: &[u8]) -> std::net::IpAddr {
    let ethernet = parse_ethernet(frame).unwrap();
    if let Ok(message) = parse_arp_message(ethernet.payload) {
        let ArpMessage::Request(packet) = message else {
            panic!("no request");
        };
        assert_eq!(ethernet.header.destination, MacAddr::BROADCAST);
        return packet.target_ip().into();
    }
    let packet = parse_ipv6(ethernet.payload).unwrap();
    let (source, destination) = (packet.source(), packet.destination());
    match parse_ndp(source, destination, packet.header.hop_limit, packet.payload) {
        Ok(NdpMessage::NeighborSolicitation(message)) => {
            assert_eq!(destination, solicited_node(message.target));
            message.target.into()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn j8_bug16_an_unknown_next_hop_is_asked_for_and_the_packet_waits() {
    let mut net = Net::router(2);
    let mac = MacAddr([2, 9, 9, 9, 9, 9]);
    for (destination, own) in [
        ("10.0.1.77", "10.0.1.1"),
        ("2001:db8:1::77", "2001:db8:1::1"),
    ] {
        let frames: Vec<_> = (0..5).map(|_| net.udp(0, destination)).collect();
        let ran = net.run(0, &frames);
        assert_eq!((ran.totals[0].consumed, ran.totals[0].forwarded), (5, 0));
        assert_eq!(asked_for(ran.only(1)), ip(destination), "once");
        assert_eq!(net.pool.out(), 5, "they wait");
        let answer = if destination.contains(':') {
            advertisement(destination, mac, (nic_mac(1), own))
        } else {
            arp_reply((mac, destination), (nic_mac(1), own))
        };
        let ran = net.run(1, &[answer]);
        assert_eq!(ran.out[1].len(), 5);
        for (out, frame) in ran.out[1].iter().zip(&frames) {
            assert_eq!(read(out), sent_on(frame, nic_mac(1), mac));
        }
        assert_eq!(ran.totals[1].sent, 5);
        // From now on it goes straight.
        let ran = net.run(0, &frames);
        assert_forwarded(&ran, 0, 1, 5);
        assert_eq!(read(&ran.out[1][0]).destination_mac, mac);
    }
    assert_eq!(net.protocols(1)["neighbor_packets_sent"], 10);
    net.assert_no_leak();
}

#[test]
fn j8_a_next_hop_that_does_not_answer_is_told_of() {
    let mut net = Net::router(2);
    for (destination, kind, own) in [
        ("10.0.1.77", (3, 1), "10.0.0.1"),
        ("2001:db8:1::77", (1, 3), "2001:db8:0::1"),
    ] {
        let frames = vec![net.udp(0, destination); 2];
        net.run(0, &frames);
        let mut questions = 0;
        for _ in 0..5 {
            net.advance(Duration::from_secs(1));
            questions += net.take(1).len();
        }
        assert_eq!(questions, 2, "three with the first");
        let out = net.take(0);
        assert_eq!(out.len(), 2);
        for frame in &out {
            let told = problem(frame);
            assert_eq!((told.kind, told.code), kind);
            assert_eq!((told.from, told.mac), (ip(own), host_mac(0)));
            assert_eq!(told.to, read(&frames[0]).source);
        }
        // Known to be silent: from now on at once.
        net.run(0, &frames[..1]);
        let ran = net.run(0, &frames[..1]);
        assert_eq!(ran.only_drop(0, DropReason::NeighborUnreachable), 1);
        let told = problem(ran.only(0));
        assert_eq!((told.kind, told.code, told.from), (kind.0, kind.1, ip(own)));
        let silent = |event: &Event| {
            matches!(
                event,
                Event::NeighborChanged {
                    change: NeighborChange::Unreachable,
                    ..
                }
            )
        };
        assert!(net.events().iter().any(silent));
    }
    assert_eq!(net.pool.out(), 0);
    net.assert_no_leak();
}

#[test]
fn j8_a_nic_without_an_address_tells_of_it_from_anothers() {
    let mut net = Net::router(2);
    net.nics[0].remove_address(ip("10.0.0.1")).unwrap();
    let frame = net.udp(0, "10.0.1.77");
    net.run(0, &[frame]);
    for _ in 0..5 {
        net.advance(Duration::from_secs(1));
    }
    let out = net.take(0);
    assert_eq!(out.len(), 1);
    assert_eq!(problem(&out[0]).from, ip("10.0.1.1"));
}

#[test]
fn j8_only_so_many_packets_wait() {
    let mut net = Net::router(2);
    let frames = vec![net.udp(0, "10.0.1.77"); 200];
    let ran = net.run(0, &frames);
    let full = ran.totals[0].dropped_for(DropReason::NeighborFull);
    assert_eq!(ran.totals[0].consumed + full, 200);
    assert!(full > 0, "{ran:?}");
    assert!(net.pool.out() <= 16, "{}", net.pool.out());
    let dropped = net.protocols(1)["neighbor_packets_dropped"];
    assert_eq!(net.pool.out() as u64 + dropped + full, 200);
    net.parts.lifecycle.disable_nic(NicId(1)).unwrap();
    net.assert_no_leak();
}

/// What was on its way to be resolved when the NIC went down.
#[test]
fn j8_nobody_is_asked_on_a_nic_that_is_down() {
    let mut net = Net::router(2);
    let frame = net.udp(0, "10.0.1.77");
    net.inject(0, &frame);
    // The worker hands it over; the control plane comes to it later.
    for _ in 0..8 {
        for distributor in &mut net.parts.distributors {
            distributor.poll();
        }
        net.parts.workers[0].poll();
    }
    assert_eq!(net.nics[0].counters().consumed, 1);
    net.parts.lifecycle.disable_nic(NicId(1)).unwrap();
    net.poll();
    assert!(net.take(1).is_empty());
    let protocols = net.protocols(1);
    assert_eq!(protocols["arp_requests_sent"], 0);
    assert_eq!(protocols["neighbor_packets_dropped"], 1);
    assert!(
        net.stack()
            .neighbors(NicId(1))
            .iter()
            .all(|it| it.address != ip("10.0.1.77"))
    );
    net.assert_no_leak();
}

#[test]
fn j8_m2_nobody_is_told_by_a_nic_that_went_down_while_his_packet_waited() {
    for is_removed in [false, true] {
        let mut net = Net::router(2);
        for destination in ["10.0.1.77", "2001:db8:1::77"] {
            let frame = net.udp(0, destination);
            net.run(0, &[frame]);
        }
        let lifecycle = &mut net.parts.lifecycle;
        if is_removed {
            lifecycle.remove_nic(NicId(0)).unwrap();
        } else {
            lifecycle.disable_nic(NicId(0)).unwrap();
        }
        net.take(0);
        let before = net.nics[0].counters();
        for _ in 0..5 {
            net.advance(Duration::from_secs(1));
        }
        assert!(net.take(0).is_empty(), "removed: {is_removed}");
        let totals = net.nics[0].counters().since(&before);
        assert_eq!(totals.sent, 0);
        for counter in [
            IcmpCounter::V4DestinationUnreachableSent,
            IcmpCounter::V6DestinationUnreachableSent,
        ] {
            assert_eq!(totals.icmp_of(counter), 0);
        }
        assert_eq!(net.protocols(0)["unreachables_sent"], 0);
        assert_eq!(net.protocols(1)["neighbor_packets_failed"], 2);
        net.assert_no_leak();
    }
}

#[test]
fn j8_j14_what_waits_for_a_gateway_goes_by_it_though_the_route_has_another_meanwhile() {
    let mut net = Net::router(2);
    let stack = net.stack().clone();
    let (old, new) = ("10.0.1.200", "10.0.1.201");
    net.route("203.0.113.0/24", Some(old), 1);
    let frame = net.udp(0, "203.0.113.5");
    let ran = net.run(0, std::slice::from_ref(&frame));
    assert_eq!(asked_for(ran.only(1)), ip(old));
    net.route("203.0.113.0/24", Some(new), 1);
    let removed = stack.remove_route(prefix("203.0.113.0/24"), Some(ip(old)), NicId(1));
    removed.unwrap();
    let ran = net.run(0, std::slice::from_ref(&frame));
    assert_eq!(asked_for(ran.only(1)), ip(new));
    for (n, gateway) in [(1, old), (2, new)] {
        let mac = MacAddr([2, 9, 9, 9, 9, n]);
        let ran = net.run(1, &[arp_reply((mac, gateway), (nic_mac(1), "10.0.1.1"))]);
        assert_eq!(read(ran.only(1)), sent_on(&frame, nic_mac(1), mac));
    }
    // One whose row is gone and that does not answer is told of as any other.
    net.route("198.51.100.0/24", Some("10.0.1.202"), 1);
    let frame = net.udp(0, "198.51.100.5");
    net.run(0, std::slice::from_ref(&frame));
    let removed = stack.remove_route(prefix("198.51.100.0/24"), Some(ip("10.0.1.202")), NicId(1));
    removed.unwrap();
    for _ in 0..5 {
        net.advance(Duration::from_secs(1));
    }
    let out = net.take(0);
    assert_eq!(out.len(), 1);
    assert_eq!((problem(&out[0]).kind, problem(&out[0]).code), (3, 1));
    net.assert_no_leak();
}

#[test]
fn j8_j14_bug16_a_gateway_is_the_next_hop() {
    let mut net = Net::router(3);
    net.route("203.0.113.0/24", Some("10.0.1.254"), 1);
    net.route("0.0.0.0/0", Some("10.0.2.254"), 2);
    net.route("2001:db8:77::/48", Some("2001:db8:1::fe"), 1);
    net.route("::/0", Some("2001:db8:2::fe"), 2);
    for (destination, n) in [
        ("203.0.113.5", 1),
        ("203.0.114.5", 2),
        ("8.8.8.8", 2),
        ("2001:db8:77::5", 1),
        ("2001:db8:78::5", 2),
    ] {
        let frame = net.udp(0, destination);
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_forwarded(&ran, 0, n, 1);
        assert_eq!(
            read(ran.only(n)),
            sent_on(&frame, nic_mac(n), gateway_mac(n))
        );
    }
    // The longer prefix counts, and the row that is taken out no more.
    net.stack()
        .remove_route(prefix("203.0.113.0/24"), Some(ip("10.0.1.254")), NicId(1))
        .unwrap();
    let frame = net.udp(0, "203.0.113.5");
    let ran = net.run(0, &[frame]);
    assert_eq!(read(ran.only(2)).destination_mac, gateway_mac(2));
    // A gateway that nobody knows is asked for, not the destination.
    net.route("198.51.100.0/24", Some("10.0.1.200"), 1);
    let frame = net.udp(0, "198.51.100.5");
    let ran = net.run(0, &[frame]);
    assert_eq!(asked_for(ran.only(1)), ip("10.0.1.200"));
    net.parts.lifecycle.disable_nic(NicId(1)).unwrap();
    net.assert_no_leak();
}

#[test]
fn j10_a_packet_may_go_back_out_of_the_nic_it_came_by() {
    let mut net = Net::router(2);
    net.route("203.0.113.0/24", Some("10.0.0.254"), 0);
    for (destination, mac) in [("203.0.113.5", gateway_mac(0)), ("10.0.0.9", host_mac(0))] {
        let frame = net.udp(0, destination);
        let frame = patched(frame, |header| {
            header[12..16].copy_from_slice(&[10, 0, 0, 33]);
        });
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_forwarded(&ran, 0, 0, 1);
        assert_eq!(read(ran.only(0)), sent_on(&frame, nic_mac(0), mac));
    }
    net.assert_no_leak();
}

#[test]
fn j10_bug16_what_is_of_one_link_stays_there() {
    let mut net = Net::router(2);
    // There is a route for everything.
    net.route("0.0.0.0/0", Some("10.0.1.254"), 1);
    net.route("::/0", Some("2001:db8:1::fe"), 1);
    for (source, destination) in [
        ("10.0.0.9", "169.254.3.4"),
        ("169.254.3.4", "10.0.1.9"),
        ("0.0.0.0", "10.0.1.9"),
        ("10.0.0.9", "0.0.0.0"),
        ("10.0.0.9", "240.0.0.9"),
        ("2001:db8:0::9", "fe80::5"),
        ("fe80::5", "fe80::9"),
        ("::", "2001:db8:1::9"),
        ("2001:db8:0::9", "::"),
    ] {
        let frame = net.host_sends(0, udp(source, destination, (1, 7), b"payload"));
        let ran = net.run(0, &[frame]);
        assert_eq!(
            ran.only_drop(0, DropReason::NotForwarded),
            1,
            "{source} {destination}"
        );
        ran.nothing_sent();
    }
    // Groups are not looked up at all: neither the NIC's nor sent on.
    for (source, destination) in [
        ("10.0.0.9", "224.0.0.77"),
        ("10.0.0.9", "239.1.2.3"),
        ("2001:db8:0::9", "ff02::77"),
        ("2001:db8:0::9", "ff0e::77"),
    ] {
        let frame = net.host_sends(0, udp(source, destination, (1, 7), b"payload"));
        let ran = net.run(0, &[frame]);
        assert_eq!(
            ran.only_drop(0, DropReason::InvalidAddress),
            1,
            "{destination}"
        );
        ran.nothing_sent();
    }
    for (source, destination) in [
        ("10.0.0.9", "127.0.0.1"),
        ("127.0.0.1", "10.0.1.9"),
        ("2001:db8:0::9", "::1"),
        ("224.0.0.1", "10.0.1.9"),
        ("10.0.0.255", "10.0.1.9"),
        ("10.0.0.1", "10.0.1.9"),
        ("2001:db8:0::1", "2001:db8:1::9"),
    ] {
        let frame = net.host_sends(0, udp(source, destination, (1, 7), b"payload"));
        let ran = net.run(0, &[frame]);
        assert_eq!(
            ran.only_drop(0, DropReason::Martian),
            1,
            "{source} {destination}"
        );
        ran.nothing_sent();
    }
    net.assert_no_leak();
}

/// What is looked at twice, as it may stay and does not, goes on as all else, and in its turn.
#[test]
fn j6_j10_addresses_beside_those_that_stay_go_on() {
    let mut net = Net::router(2);
    net.route("0.0.0.0/0", Some("10.0.1.254"), 1);
    net.route("::/0", Some("2001:db8:1::fe"), 1);
    let v4 = [
        "1.0.0.1",
        "126.9.9.9",
        "128.0.0.1",
        "169.1.2.3",
        "169.253.1.1",
        "169.255.0.1",
    ];
    let v6 = ["::9:9", "0:1::1", "64:ff9b::1", "fdff::1", "fec0::1"];
    let of = |all: &[&str], from: &str, to: &str| {
        let ways = all.iter().flat_map(|it| [(*it, to), (from, *it)]);
        let frame = |(source, destination)| udp(source, destination, (1, 7), b"payload");
        ways.map(frame).collect::<Vec<_>>()
    };
    let v4 = of(&v4, "10.0.0.9", "10.0.1.9");
    let v6 = of(&v6, "2001:db8:0::9", "2001:db8:1::9");
    let frames = [v4, v6].concat();
    let frames = frames.into_iter().map(|it| net.host_sends(0, it));
    let frames: Vec<_> = frames
        .flat_map(|it| [it, net.udp(0, "10.0.1.9"), net.udp(0, "2001:db8:1::9")])
        .collect();
    let ran = net.run(0, &frames);
    assert_forwarded(&ran, 0, 1, frames.len());
    // The families of a burst one after the other, each in order.
    for is_v4 in [true, false] {
        let told = |frame: &Vec<u8>| {
            let sent = read(frame);
            (sent.source, sent.destination)
        };
        let of_family = |frames: &[Vec<u8>]| -> Vec<_> {
            let all = frames.iter().map(told);
            all.filter(|(source, _)| source.is_ipv4() == is_v4)
                .collect()
        };
        assert_eq!(of_family(&ran.out[1]), of_family(&frames));
    }
    net.assert_no_leak();
}

#[test]
fn j10_who_sends_beyond_the_scope_of_his_address_is_told() {
    let mut net = Net::router(2);
    let far = udp("fe80::5", "2001:db8:1::9", (1, 7), b"payload");
    let frame = net.host_sends(0, far.clone());
    let ran = net.run(0, std::slice::from_ref(&frame));
    assert_eq!(ran.only_drop(0, DropReason::NotForwarded), 1);
    let told = problem(ran.only(0));
    assert_eq!((told.kind, told.code), (1, 2));
    assert_eq!((told.from, told.to), (ip("2001:db8:0::1"), ip("fe80::5")));
    assert_eq!(told.mac, host_mac(0));
    assert_eq!(told.quoted, frame[NETWORK..], "as it came");
    let counter = IcmpCounter::V6DestinationUnreachableSent;
    assert_eq!(ran.totals[0].icmp_of(counter), 1);
    // Whether its next hop is known or not, or it has a hop left.
    for (destination, hops) in [("2001:db8:1::77", 3), ("2001:db8:1::9", 1)] {
        let frame = udp("fe80::5", destination, (1, 7), b"payload");
        let ran = net.run(0, &[hop_limit(net.host_sends(0, frame), hops)]);
        assert_eq!(ran.only_drop(0, DropReason::NotForwarded), 1);
        assert_eq!(problem(ran.only(0)).code, 2);
    }
    // Not about an error, nor of what would stay on the link.
    let error = hop_limit(
        net.host_sends(0, icmp("fe80::5", "2001:db8:1::9", 1, 4, &far)),
        64,
    );
    let on_link = net.host_sends(0, udp("fe80::5", "2001:db8:0::9", (1, 7), b"payload"));
    for frame in [error, on_link] {
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::NotForwarded), 1);
        ran.nothing_sent();
    }
    // An address of this host is in scope, whatever NIC has it.
    let own = net.host_sends(0, udp("fe80::5", "2001:db8:1::1", (1, 7), b"payload"));
    assert_eq!(net.run(0, &[own]).totals[0].delivered, 1);
    net.assert_no_leak();
}

#[test]
fn j10_what_came_in_a_frame_for_many_is_not_sent_on() {
    let mut net = Net::router(2);
    for mac in [
        MacAddr::BROADCAST,
        MacAddr::from_ipv4_multicast(v4("224.0.0.1")),
        MacAddr::from_ipv6_multicast(v6("ff02::1")),
    ] {
        for destination in hosts(1) {
            let frame = between(net.udp(0, &destination), host_mac(0), mac);
            let ran = net.run(0, &[frame]);
            assert_eq!(ran.only_drop(0, DropReason::InvalidAddress), 1);
            ran.nothing_sent();
        }
    }
}

/// RFC 2644: not by default, and there is no other.
#[test]
fn j10_a_broadcast_into_another_subnet_is_not_sent_on() {
    let mut net = Net::router(2);
    net.nics[1].add_address(prefix("10.0.1.130/25")).unwrap();
    let frames: Vec<_> = ["10.0.1.255", "10.0.1.9", "10.0.1.255"]
        .map(|it| net.udp(0, it))
        .into();
    let ran = net.run(0, &frames);
    assert_eq!(ran.only_drop(0, DropReason::NotForwarded), 2);
    assert_eq!(ran.totals[0].forwarded, 1, "beside those it goes on");
    assert_eq!(read(ran.only(1)).destination, ip("10.0.1.9"));
    // Of a subnet that no NIC here is in, nobody here knows the broadcast.
    net.route("203.0.113.0/24", Some("10.0.1.254"), 1);
    let frame = net.udp(0, "203.0.113.255");
    let ran = net.run(0, &[frame]);
    assert_forwarded(&ran, 0, 1, 1);
    // The one of the link it came by is for this host.
    let frame = net.udp(0, "10.0.0.255");
    assert_eq!(net.run(0, &[frame]).totals[0].delivered, 1);
}

#[test]
fn j9_a_link_without_room_drops_and_counts() {
    let mut lans = vec![Lan::new(0), Lan::new(1)];
    lans[0].config = NicConfig::new("n0").seed(7);
    let mut net = Net::build(lans, unlimited(), |_| {});
    net.furnish();
    // The other end of NIC 1 takes nothing out: its ring has 4,096 places.
    let frames = vec![net.udp(0, "10.0.1.9"); 64];
    for _ in 0..80 {
        for frame in &frames {
            net.inject(0, frame);
        }
        net.poll();
    }
    let (a, b) = (net.nics[0].counters(), net.nics[1].counters());
    assert_eq!(a.forwarded, 80 * 64);
    assert_eq!(b.sent + b.send_dropped, 80 * 64);
    assert!(b.sent >= 4096 && b.send_dropped > 0, "{b:?}");
    assert_eq!(net.take(1).len() as u64, b.sent);
    net.assert_no_leak();
}

#[test]
fn j3_j9_a_nic_that_is_disabled_or_gone_is_no_way_out() {
    let mut net = Net::router(3);
    let lifecycle = net.parts.lifecycle.clone();
    // A second way, not as good.
    for (to, via) in [
        ("10.0.1.0/24", "10.0.2.254"),
        ("2001:db8:1::/64", "2001:db8:2::fe"),
    ] {
        let route = RouteSpec {
            to: prefix(to),
            via: Some(ip(via)),
            nic: NicId(2),
            metric: 10,
        };
        net.stack().add_route(route).unwrap();
    }
    let run = |net: &mut Net| {
        let frames = hosts(1).map(|it| net.udp(0, &it));
        let ran = net.run(0, &frames);
        let left: Vec<_> = ran.out.iter().map(Vec::len).collect();
        (left, ran)
    };
    assert_eq!(run(&mut net).0, [0, 2, 0]);
    lifecycle.disable_nic(NicId(1)).unwrap();
    let (left, ran) = run(&mut net);
    assert_eq!(left, [0, 0, 2]);
    assert_eq!(read(&ran.out[2][0]).destination_mac, gateway_mac(2));
    lifecycle.disable_nic(NicId(2)).unwrap();
    let (left, ran) = run(&mut net);
    assert_eq!(left, [2, 0, 0], "told");
    assert_eq!(ran.only_drop(0, DropReason::NoRoute), 2);
    lifecycle.enable_nic(NicId(1)).unwrap();
    net.poll();
    assert_eq!(
        run(&mut net).0,
        [0, 2, 0],
        "routes and static neighbors stayed"
    );
    lifecycle.remove_nic(NicId(1)).unwrap();
    let (left, ran) = run(&mut net);
    assert_eq!(left, [2, 0, 0]);
    assert_eq!(ran.only_drop(0, DropReason::NoRoute), 2);
    assert!(net.stack().routes().iter().all(|it| it.nic != NicId(1)));
    net.assert_no_leak();
}

/// Between a worker and the link, where nobody has taken the distributor yet.
#[test]
fn j9_what_was_on_its_way_out_when_its_nic_went_is_counted() {
    let mut net = Net::router(1);
    let lifecycle = net.parts.lifecycle.clone();
    let (link, mut peer) = memory_link(MemoryConfig::default()).unwrap();
    let nic = lifecycle
        .create_nic(NicConfig::new("later"), Box::new(link))
        .unwrap();
    nic.add_address(prefix("10.0.1.1/24")).unwrap();
    let id = nic.id();
    net.nics.push(nic.clone());
    net.route("10.0.1.0/24", None, 1);
    net.stack()
        .add_neighbor(id, ip("10.0.1.9"), host_mac(1))
        .unwrap();
    let frames = vec![net.udp(0, "10.0.1.9"); 5];
    let ran = net.run(0, &frames);
    assert_eq!(ran.totals[0].forwarded, 5);
    lifecycle.remove_nic(id).unwrap();
    net.poll();
    let totals = nic.counters();
    assert_eq!((totals.sent, totals.send_dropped), (0, 5));
    assert_eq!(peer.recv(&mut Burst::new()), 0);
    net.assert_no_leak();
}

/// Disables a NIC over its first packet.
struct Disable(Lifecycle, NicId);

impl Handler for Disable {
    fn packet(&mut self, _packet: &mut Packet<'_>) {
        self.0.disable_nic(self.1).expect("it is there");
    }
}

/// Whoever goes by routes that were good when the poll began.
#[test]
fn j9_a_nic_that_goes_down_within_a_poll_is_told_as_no_way_out() {
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None::<Lifecycle>));
    let lans = vec![Lan::new(0), Lan::new(1), Lan::new(2)];
    let handed = slot.clone();
    struct Late(std::sync::Arc<std::sync::Mutex<Option<Lifecycle>>>);
    impl Handler for Late {
        fn packet(&mut self, packet: &mut Packet<'_>) {
            let lifecycle = self.0.lock().unwrap().clone().expect("set by now");
            Disable(lifecycle, NicId(2)).packet(packet);
        }
    }
    let mut net = Net::build(lans, unlimited(), |b| {
        b.handler(move |_| Late(handed.clone()));
    });
    net.furnish();
    *slot.lock().unwrap() = Some(net.parts.lifecycle.clone());
    // NIC 0 is polled first: its handler disables NIC 2, to which NIC 1 sends on.
    let (to_handler, far) = (net.udp(0, "10.0.0.1"), net.udp(1, "10.0.2.9"));
    net.inject(0, &to_handler);
    net.inject(1, &far);
    for distributor in &mut net.parts.distributors {
        distributor.poll();
    }
    net.parts.workers[0].poll();
    net.poll();
    let totals = net.nics[1].counters();
    assert_eq!(only_drop(&totals, DropReason::EgressDown), 1, "{totals:?}");
    assert!(net.take(2).is_empty());
    let out = net.take(1);
    assert_eq!((out.len(), problem(&out[0]).kind), (1, 3));
    net.assert_no_leak();
}

/// A burst for many next hops at once, local ones and bad ones between them.
#[test]
fn j6_j13_a_mixed_burst_is_sorted_right() {
    let mut net = Net::router(4);
    net.route("203.0.113.0/24", Some("10.0.3.254"), 3);
    let mut expected = vec![Vec::new(); 4];
    let mut frames = Vec::new();
    let mut locals = 0;
    for n in 0..640usize {
        let destination = match n % 9 {
            0 => "10.0.1.9",
            1 => "2001:db8:2::9",
            2 => "203.0.113.77",
            3 => "10.0.1.1",
            4 => "10.0.0.1",
            5 => "192.0.2.77",
            6 => "10.0.2.254",
            7 => "2001:db8:3::1",
            _ => "169.254.0.1",
        };
        let payload = (n as u32).to_be_bytes();
        let source = if destination.contains(':') {
            "2001:db8:0::9"
        } else {
            "10.0.0.9"
        };
        let frame = net.host_sends(0, udp(source, destination, (1, 7), &payload));
        let out = match n % 9 {
            0 => Some((1, host_mac(1))),
            1 => Some((2, host_mac(2))),
            2 => Some((3, gateway_mac(3))),
            6 => Some((2, gateway_mac(2))),
            3 | 4 | 7 => {
                locals += 1;
                None
            }
            _ => None,
        };
        if let Some((nic, mac)) = out {
            expected[nic].push(sent_on(&frame, nic_mac(nic), mac));
        }
        frames.push(frame);
    }
    let ran = net.run(0, &frames);
    for (n, expected) in expected.iter_mut().enumerate().skip(1) {
        // In the order they came, within each family.
        let mut out: Vec<_> = ran.out[n].iter().map(|it| read(it)).collect();
        out.sort_by_key(|it| it.source.is_ipv6());
        expected.sort_by_key(|it| it.source.is_ipv6());
        assert!(out == *expected, "NIC {n}");
        assert_eq!(ran.totals[n].sent, out.len() as u64);
    }
    let totals = &ran.totals[0];
    let sent: u64 = ran.totals[1..].iter().map(|it| it.sent).sum();
    assert_eq!(totals.forwarded, sent);
    assert_eq!(totals.delivered, locals);
    assert_eq!(net.got().len() as u64, locals);
    net.assert_no_leak();
}

/// Over a distributor and several workers too, where frames pass through rings on their way out.
#[test]
fn j6_bug18_workers_behind_distributors_send_on() {
    let lans = vec![Lan::new(0), Lan::new(1)];
    let mut net = Net::build(lans, unlimited(), |b| {
        b.workers(3);
    });
    net.furnish();
    let frames: Vec<_> = (0..500u16)
        .map(|n| {
            let frame = udp("10.0.0.9", "10.0.1.9", (n, 7), b"payload");
            net.host_sends(0, frame)
        })
        .collect();
    let ran = net.run(0, &frames);
    assert_forwarded(&ran, 0, 1, 500);
    net.assert_no_leak();
}

/// On every path: bytes sent are those of the frames, Ethernet header first.
#[test]
fn j17_j18_bug18_sent_bytes_are_those_of_whole_frames() {
    let mut net = narrow();
    let mut all = [0; 3];
    let mut check = |net: &mut Net, what: &str, frames: [usize; 3]| {
        net.poll();
        for (n, frames) in frames.into_iter().enumerate() {
            let out = net.take(n);
            assert_eq!(out.len(), frames, "{what}, NIC {n}");
            all[n] += out.iter().map(Vec::len).sum::<usize>();
            let totals = net.nics[n].counters();
            assert_eq!(totals.sent_bytes, all[n] as u64, "{what}, NIC {n}");
        }
    };
    let route = |net: &Net, remote: &str| net.stack().find_route(None, None, ip(remote)).unwrap();
    let protocol = IpProtocol(200);
    check(&mut net, "nothing", [0, 0, 0]);
    let way = route(&net, "10.0.1.9");
    way.write_packet(protocol, &[1; 77], None).unwrap();
    check(&mut net, "a route", [0, 1, 0]);
    let way = route(&net, "10.0.2.9");
    way.write_packet(protocol, &[1; 3000], None).unwrap();
    check(&mut net, "fragments", [0, 0, 3]);
    route(&net, "10.0.1.1")
        .write_packet(protocol, &[1; 77], None)
        .unwrap();
    check(&mut net, "what only loops", [0, 0, 0]);
    let broadcast = net.nics[1].route(None, ip("255.255.255.255")).unwrap();
    broadcast.write_packet(protocol, &[1; 77], None).unwrap();
    check(&mut net, "what also loops", [0, 1, 0]);
    let frame = net.udp(0, "10.0.1.9");
    net.inject(0, &frame);
    check(&mut net, "sent on", [0, 1, 0]);
    let large = net.host_sends(0, udp("10.0.0.9", "10.0.2.9", (1, 7), &[1; 1400]));
    net.inject(0, &may_be_cut(large));
    check(&mut net, "sent on in fragments", [0, 0, 2]);
    let echo = net.host_sends(0, ping("10.0.0.9", "10.0.0.1", &[1; 50]));
    net.inject(0, &echo);
    check(&mut net, "an echo", [1, 0, 0]);
    let error = net.udp(0, "203.0.113.1");
    net.inject(0, &error);
    check(&mut net, "an error", [1, 0, 0]);
    let waits = net.udp(0, "10.0.1.77");
    net.inject(0, &waits);
    check(&mut net, "a question", [0, 1, 0]);
    let reply = arp_reply((host_mac(7), "10.0.1.77"), (nic_mac(1), "10.0.1.1"));
    net.inject(1, &reply);
    check(&mut net, "what waited", [0, 1, 0]);
    net.assert_no_leak();
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever is broken in a packet for another host, it has one fate, and what leaves is valid.
    #[test]
    fn j6_broken_packets_have_one_fate(
        at in 14usize..80,
        value: u8,
        repaired: bool,
        kind in 0usize..4,
    ) {
        let mut net = narrow();
        let frame = match kind {
            0 => net.udp(0, "10.0.1.9"),
            1 => net.udp(0, "2001:db8:1::9"),
            2 => with_options(net.udp(0, "10.0.1.9"), &[7, 7, 4, 0, 0, 0, 0, 0]),
            _ => may_be_cut(net.host_sends(0, udp("10.0.0.9", "10.0.2.9", (1, 7), &[1; 1400]))),
        };
        let mut frame = frame;
        if let Some(byte) = frame.get_mut(at) {
            *byte = value;
        }
        let header = usize::from(frame[14] & 15) * 4;
        if repaired && kind != 1 && frame.len() > 14 + header && header >= 20 {
            frame = patched(frame, |_| {});
        }
        let ran = net.run(0, &[frame]);
        for n in 1..3 {
            for out in &ran.out[n] {
                // Questions for neighbors aside.
                if parse_arp_message(&out[14..]).is_err() {
                    read(out);
                }
            }
        }
        for n in 0..3 {
            net.parts.lifecycle.disable_nic(NicId(n)).unwrap();
        }
        net.clock.advance(Duration::from_secs(100));
        net.assert_no_leak();
    }
}
