//! What happens to packets: addresses, modes, drops, echo, handlers.

mod common;

use std::sync::mpsc;

use common::net::prefix;
use common::*;
use corelane::io::memory::MemoryConfig;
use corelane::stack::{AddressConfig, DropReason, Event, Handler, Packet};
use corelane::wire::{
    EchoKind, EtherType, IpProtocol, parse_ethernet, parse_icmpv4, parse_icmpv6, parse_ipv4,
    parse_ipv6,
};

/// What a handler was given.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    source: String,
    destination: String,
    port: u16,
    payload: Vec<u8>,
    is_for_endpoint: bool,
}

/// Tells the test what it was given.
struct Tell(mpsc::Sender<Seen>);

impl Handler for Tell {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let datagram = packet.udp().expect("a UDP datagram");
        let seen = Seen {
            source: packet.source().to_string(),
            destination: packet.destination().to_string(),
            port: datagram.destination_port(),
            payload: datagram.payload.to_vec(),
            is_for_endpoint: packet.is_for_endpoint(),
        };
        self.0.send(seen).expect("the test listens");
    }
}

fn telling() -> (Bench, mpsc::Receiver<Seen>) {
    let (sender, receiver) = mpsc::channel();
    let bench = Bench::new(|b| {
        b.handler(move |_| Tell(sender.clone()));
    });
    (bench, receiver)
}

#[test]
fn a_handler_sees_the_payload_sent_to_an_owned_address() {
    let (mut bench, seen) = telling();
    bench.nic.add_address(prefix("192.0.2.1/24")).unwrap();
    bench.nic.add_address(prefix("2001:db8::1/64")).unwrap();
    let (totals, _) = bench.run(&[
        udp("192.0.2.9", "192.0.2.1", (1000, 7), b"four"),
        udp("2001:db8::9", "2001:db8::1", (1000, 8), b"six"),
        udp("192.0.2.9", "192.0.2.2", (1000, 7), b"not ours"),
        udp("2001:db8::9", "2001:db8::2", (1000, 8), b"not ours"),
    ]);
    assert_eq!(totals.delivered, 2);
    assert_eq!(only_drop(&totals, DropReason::InvalidAddress), 2);
    let seen: Vec<_> = seen.try_iter().collect();
    let of = |source: &str, destination: &str, port, payload: &[u8]| Seen {
        source: source.into(),
        destination: destination.into(),
        port,
        payload: payload.into(),
        is_for_endpoint: true,
    };
    assert_eq!(
        seen,
        [
            of("192.0.2.9", "192.0.2.1", 7, b"four"),
            of("2001:db8::9", "2001:db8::1", 8, b"six"),
        ]
    );
    bench.assert_no_leak();
}

#[test]
fn padding_of_the_link_is_cut() {
    let (mut bench, seen) = telling();
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let mut frame = udp("192.0.2.9", "192.0.2.1", (1, 2), b"x");
    frame.resize(60, 0xaa);
    bench.run(&[frame]);
    assert_eq!(seen.try_recv().unwrap().payload, b"x");
}

#[test]
fn a_removed_address_takes_nothing_more_and_an_added_one_at_once() {
    let mut bench = Bench::new(|_| {});
    let frame = || udp("192.0.2.9", "192.0.2.1", (1, 2), b"x");
    for _ in 0..3 {
        bench.nic.add_address(ip("192.0.2.1")).unwrap();
        assert_eq!(bench.run(&[frame()]).0.delivered, 1);
        bench.nic.remove_address(ip("192.0.2.1")).unwrap();
        assert_eq!(
            only_drop(&bench.run(&[frame()]).0, DropReason::InvalidAddress),
            1
        );
    }
}

#[test]
fn a_removed_address_that_is_held_takes_nothing_unless_promiscuous() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let held = bench.nic.hold(ip("192.0.2.1")).unwrap();
    bench.nic.remove_address(ip("192.0.2.1")).unwrap();
    // Ranges do not give it back (BEHAVIOURS D1).
    bench.nic.add_range(prefix("192.0.2.0/24")).unwrap();
    let frame = || udp("192.0.2.9", "192.0.2.1", (1, 2), b"x");
    assert_eq!(
        only_drop(&bench.run(&[frame()]).0, DropReason::InvalidAddress),
        1
    );
    bench.nic.set_promiscuous(true).unwrap();
    assert_eq!(bench.run(&[frame()]).0.delivered, 1);
    bench.nic.set_promiscuous(false).unwrap();
    drop(held);
    bench.poll();
    assert_eq!(
        bench.run(&[frame()]).0.delivered,
        1,
        "now it is the range's"
    );
}

#[test]
fn promiscuous_mode_takes_every_address_and_makes_no_endpoint() {
    let (mut bench, seen) = telling();
    bench.nic.set_promiscuous(true).unwrap();
    let frames: Vec<_> = (0..1000u16)
        .map(|n| {
            udp(
                "192.0.2.9",
                &format!("10.{}.{}.1", n >> 8, n & 255),
                (1, n),
                b"any",
            )
        })
        .collect();
    let (totals, _) = bench.run(&frames);
    assert_eq!(totals.delivered, 1000);
    let seen: Vec<_> = seen.try_iter().collect();
    assert!(seen.iter().all(|s| !s.is_for_endpoint));
    assert!(seen.iter().map(|s| s.port).eq(0..1000), "in order");
    assert_eq!(
        (bench.nic.endpoint_count(), bench.nic.held_temporaries()),
        (0, 0)
    );
    bench.nic.set_promiscuous(false).unwrap();
    assert_eq!(bench.run(&frames).0.dropped(), 1000);
}

#[test]
fn a_range_takes_its_hosts() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_range(prefix("198.51.100.0/24")).unwrap();
    bench.nic.add_range(prefix("2001:db8:1::/64")).unwrap();
    let v4 = |n: u8| udp("192.0.2.9", &format!("198.51.100.{n}"), (1, 2), b"x");
    let (totals, _) = bench.run(&[v4(0), v4(1), v4(254), v4(255)]);
    assert_eq!((totals.delivered, totals.dropped()), (2, 2));
    let (totals, _) = bench.run(&[
        udp("2001:db8::9", "2001:db8:1::5", (1, 2), b"x"),
        udp("2001:db8::9", "2001:db8:2::5", (1, 2), b"x"),
    ]);
    assert_eq!((totals.delivered, totals.dropped()), (1, 1));
    bench.nic.remove_range(prefix("198.51.100.0/24")).unwrap();
    assert_eq!(bench.run(&[v4(1)]).0.dropped(), 1);
}

/// Takes a reference to the first packet's endpoint.
struct Holder(mpsc::Sender<corelane::stack::EndpointRef>);

impl Handler for Holder {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        self.0
            .send(packet.hold().expect("it was accepted"))
            .expect("the test listens");
    }
}

#[test]
fn a_held_temporary_endpoint_receives_after_the_mode_is_off() {
    let (sender, held) = mpsc::channel();
    let mut bench = Bench::new(|b| {
        b.handler(move |_| Holder(sender.clone()));
    });
    bench.nic.set_promiscuous(true).unwrap();
    let frame = || udp("192.0.2.9", "203.0.113.5", (1, 2), b"x");
    bench.run(&[frame()]);
    bench.nic.set_promiscuous(false).unwrap();
    let endpoint = held.try_recv().unwrap();
    assert_eq!(endpoint.kind(), corelane::stack::AddressKind::Temporary);
    assert_eq!(bench.nic.held_temporaries(), 1);
    assert_eq!(bench.run(&[frame()]).0.delivered, 1, "BEHAVIOURS D10");
    assert!(held.try_recv().unwrap().is_same(&endpoint));
    // Added for good: the same endpoint.
    bench
        .nic
        .add_address(AddressConfig::from(prefix("203.0.113.5/24")))
        .unwrap();
    assert_eq!(bench.run(&[frame()]).0.delivered, 1);
    assert!(held.try_recv().unwrap().is_same(&endpoint));
    bench.nic.remove_address(ip("203.0.113.5")).unwrap();
    assert_eq!(bench.run(&[frame()]).0.dropped(), 1);
    drop(endpoint);
    bench.poll();
    assert_eq!(
        (bench.nic.endpoint_count(), bench.nic.held_temporaries()),
        (0, 0)
    );
    bench.assert_no_leak();
}

#[test]
fn a_packet_whose_frame_was_taken_still_has_its_destination() {
    struct TakeFirst(mpsc::Sender<(String, String)>);
    impl Handler for TakeFirst {
        fn packet(&mut self, packet: &mut Packet<'_>) {
            drop(packet.take());
            let held = packet.hold().expect("it was accepted");
            let told = (held.address().to_string(), packet.destination().to_string());
            self.0.send(told).expect("the test listens");
        }
    }
    let (sender, told) = mpsc::channel();
    let mut bench = Bench::new(|b| {
        b.handler(move |_| TakeFirst(sender.clone()));
    });
    bench.nic.set_promiscuous(true).unwrap();
    // The first one is not the handler's: what is behind it moves up.
    bench.run(&[
        ping("192.0.2.9", "192.0.2.1", b""),
        udp("192.0.2.9", "203.0.113.5", (1, 2), b"x"),
    ]);
    assert_eq!(
        told.try_recv().unwrap(),
        ("203.0.113.5".into(), "203.0.113.5".into())
    );
    bench.assert_no_leak();
}

#[test]
fn an_echo_request_to_a_group_of_the_link_is_not_answered() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let mut frame = ping("192.0.2.9", "192.0.2.1", b"");
    frame[..6].fill(0xff);
    let (totals, replies) = bench.run(&[frame]);
    assert_eq!(
        (totals.consumed, totals.delivered, replies.len()),
        (0, 1, 0)
    );
}

#[test]
fn what_is_sent_is_counted_where_it_is_sent() {
    // The link takes two frames and no more.
    let link = MemoryConfig {
        ring: 2,
        ..MemoryConfig::default()
    };
    let mut bench = Bench::with_link(link, |_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let request = ping("192.0.2.9", "192.0.2.1", b"");
    for _ in 0..5 {
        bench.send(std::slice::from_ref(&request));
        bench.poll();
    }
    let totals = bench.nic.counters();
    assert_eq!(
        (totals.consumed, totals.sent, totals.send_dropped),
        (5, 2, 3)
    );
    assert_eq!(totals.sent_bytes, 2 * request.len() as u64);
}

#[test]
fn echo_requests_are_answered_in_place() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    let (totals, replies) = bench.run(&[
        ping("192.0.2.9", "192.0.2.1", b"payload of four"),
        ping("2001:db8::9", "2001:db8::1", b"payload of six"),
        ping("192.0.2.9", "192.0.2.200", b"not ours"),
    ]);
    assert_eq!((totals.consumed, totals.dropped(), totals.sent), (2, 1, 2));
    let v4 = parse_ethernet(&replies[0]).unwrap();
    let link = (v4.header.source, v4.header.destination);
    assert_eq!(link, (bench.nic.mac(), PEER), "whatever it was sent to");
    assert_ne!(bench.nic.mac(), HOST);
    assert_eq!(v4.header.ethertype(), EtherType::IPV4);
    let packet = parse_ipv4(v4.payload).expect("a valid header, checksum included");
    assert_eq!(packet.source().to_string(), "192.0.2.1");
    assert_eq!(packet.destination().to_string(), "192.0.2.9");
    assert_eq!(packet.header.ttl, 64);
    let echo = parse_icmpv4(packet.payload)
        .expect("a valid checksum")
        .echo()
        .unwrap();
    assert_eq!(
        (echo.kind, echo.identifier, echo.sequence),
        (EchoKind::Reply, 7, 9)
    );
    assert_eq!(echo.data, b"payload of four");
    let v6 = parse_ethernet(&replies[1]).unwrap();
    let packet = parse_ipv6(v6.payload).unwrap();
    let message = parse_icmpv6(packet.payload, packet.source(), packet.destination()).unwrap();
    assert_eq!(message.echo().unwrap().data, b"payload of six");
    assert_eq!(packet.destination().to_string(), "2001:db8::9");
    bench.assert_no_leak();
}

/// Sends each datagram back where it came from, but the first of a burst as it is, at the end.
struct SendBack;

impl Handler for SendBack {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let mut frame = packet.take();
        let data = frame.data_mut();
        let (destination, source) = data[..12].split_at_mut(6);
        destination.swap_with_slice(source);
        let (source, destination) = data[26..34].split_at_mut(4);
        source.swap_with_slice(destination);
        packet
            .send(frame)
            .expect("room for one frame of each packet");
    }

    fn burst(&mut self, delivery: &mut corelane::stack::Delivery<'_>) {
        assert_eq!(delivery.len(), 64, "the test sends whole bursts");
        let spare = delivery
            .next()
            .map(|mut packet| packet.take())
            .expect("a packet");
        while let Some(mut packet) = delivery.next() {
            self.packet(&mut packet);
        }
        let empty = corelane::frame::Frame::default();
        assert!(delivery.send(empty).is_err(), "nothing to send");
        // 63 are in line: there is room for one more, and then no more.
        assert!(delivery.send(spare).is_ok());
    }
}

#[test]
fn a_handler_sends() {
    let mut bench = Bench::new(|b| {
        b.handler(|_| SendBack);
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let request = udp("192.0.2.9", "192.0.2.1", (1000, 7), b"there and back");
    let frames = vec![request.clone(); 64];
    let (totals, replies) = bench.run(&frames);
    assert_eq!((totals.delivered, totals.sent), (64, 64));
    assert_eq!(replies.len(), 64);
    let packet = parse_ipv4(parse_ethernet(&replies[0]).unwrap().payload).unwrap();
    assert_eq!(packet.source(), ip("192.0.2.1"));
    assert_eq!(packet.destination(), ip("192.0.2.9"));
    assert_eq!(&replies[0][..6], PEER.octets());
    assert_eq!(replies[63], request, "the spare one");
    assert_eq!(bench.parts.monitor.report().workers[0].handler_panics, 0);
    bench.assert_no_leak();
}

#[test]
fn no_echo_from_or_to_a_group() {
    let mut bench = Bench::new(|_| {});
    bench.nic.set_promiscuous(true).unwrap();
    let (totals, replies) = bench.run(&[
        ping("192.0.2.9", "224.0.0.1", b""),
        ping("192.0.2.9", "255.255.255.255", b""),
        ping("0.0.0.0", "192.0.2.1", b""),
        ping("2001:db8::9", "ff02::1", b""),
        ping("::", "2001:db8::1", b""),
    ]);
    assert_eq!(
        (totals.consumed, totals.delivered),
        (0, 5),
        "they are the handler's"
    );
    assert!(replies.is_empty());
}

/// Whatever the link address: the reply would come from the broadcast address, or go there.
#[test]
fn f2_no_echo_from_or_to_a_directed_broadcast() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(prefix("192.0.2.1/24")).unwrap();
    let (totals, replies) = bench.run(&[
        ping("192.0.2.9", "192.0.2.255", b""),
        ping("192.0.2.255", "192.0.2.1", b""),
        ping("192.0.2.9", "192.0.2.1", b""),
    ]);
    assert_eq!(
        (totals.delivered, totals.consumed, replies.len()),
        (1, 1, 1)
    );
    assert_eq!(only_drop(&totals, DropReason::Martian), 1, "from it");
    let reply = parse_ipv4(parse_ethernet(&replies[0]).unwrap().payload).unwrap();
    assert_eq!(reply.source().to_string(), "192.0.2.1");
    // An address of the NIC's own is one host's, whatever subnet it is the last of.
    bench.nic.add_address(ip("192.0.2.255")).unwrap();
    let (_, replies) = bench.run(&[ping("192.0.2.9", "192.0.2.255", b"")]);
    assert_eq!(replies.len(), 1);
}

#[test]
fn f4_bug15_what_claims_to_come_from_many_is_martian() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    // Such a source is nobody's, and what it sends is not looked at at all.
    let (totals, replies) = bench.run(&[
        ping("224.0.0.1", "192.0.2.1", b""),
        ping("255.255.255.255", "192.0.2.1", b""),
        ping("ff02::1", "2001:db8::1", b""),
    ]);
    assert_eq!(only_drop(&totals, DropReason::Martian), 3);
    assert!(replies.is_empty());
}

#[test]
fn malformed_packets_are_dropped_by_reason() {
    let mut bench = Bench::new(|_| {});
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    let v4 = || udp("192.0.2.9", "192.0.2.1", (1, 2), b"payload");
    let v6 = || udp("2001:db8::9", "2001:db8::1", (1, 2), b"payload");
    let echo = || ping("192.0.2.9", "192.0.2.1", b"payload");
    // Changes a byte and makes the IPv4 header checksum right again.
    let patched = |mut frame: Vec<u8>, at: usize, value: u8| {
        frame[at] = value;
        frame[24..26].fill(0);
        let sum: u32 = frame[14..34]
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        frame
    };
    let set = |mut frame: Vec<u8>, at: usize, value: u8| {
        frame[at] = value;
        frame
    };
    let cut = |mut frame: Vec<u8>, len: usize| {
        frame.truncate(len);
        frame
    };
    let cases = [
        (cut(v4(), 0), DropReason::EthernetTruncated),
        (cut(v4(), 13), DropReason::EthernetTruncated),
        (set(v4(), 13, 0x06), DropReason::ArpInvalid),
        (set(v4(), 13, 0x07), DropReason::UnknownProtocol),
        (cut(v4(), 14), DropReason::Ip4Truncated),
        (cut(v4(), 33), DropReason::Ip4Truncated),
        (patched(v4(), 14, 0x55), DropReason::Ip4Version),
        (patched(v4(), 14, 0x44), DropReason::Ip4HeaderLength),
        (patched(v4(), 17, 19), DropReason::Ip4TotalLength),
        (patched(v4(), 17, 255), DropReason::Ip4TotalLength),
        (set(v4(), 24, 0), DropReason::Ip4Checksum),
        (set(v4(), 22, 1), DropReason::Ip4Checksum),
        (cut(v6(), 53), DropReason::Ip6Truncated),
        (set(v6(), 14, 0x50), DropReason::Ip6Version),
        (set(v6(), 19, 255), DropReason::Ip6PayloadLength),
        (
            udp("2001:db8::9", "::ffff:192.0.2.1", (1, 2), b""),
            DropReason::Martian,
        ),
        (set(v4(), 39, 7), DropReason::TransportTruncated),
        (set(v4(), 39, 200), DropReason::TransportTruncated),
        (
            patched(v4(), 23, IpProtocol::TCP.0),
            DropReason::TransportTruncated,
        ),
        (set(echo(), 36, 1), DropReason::IcmpChecksum),
        (patched(cut(echo(), 38), 17, 24), DropReason::IcmpTruncated),
    ];
    for (frame, reason) in cases {
        let (totals, _) = bench.run(std::slice::from_ref(&frame));
        assert_eq!(
            only_drop(&totals, reason),
            1,
            "{} {frame:02x?}",
            reason.label()
        );
    }
    bench.assert_no_leak();
}

/// Panics when a payload says so.
struct Touchy;

impl Handler for Touchy {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let payload = packet.udp().expect("UDP").payload.to_vec();
        if payload == b"take" {
            let _frame = packet.take();
            panic!("with the frame in hand");
        }
        assert_ne!(payload, b"bad", "a bad packet");
    }
}

#[test]
fn a_panic_costs_its_packet_only() {
    let mut bench = Bench::new(|b| {
        b.handler(|_| Touchy);
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let payloads: [&[u8]; 8] = [b"a", b"bad", b"b", b"take", b"bad", b"c", b"d", b"bad"];
    let frames: Vec<_> = payloads
        .iter()
        .map(|p| udp("192.0.2.9", "192.0.2.1", (1, 2), p))
        .collect();
    let (totals, _) = bench.run(&frames);
    assert_eq!(totals.delivered, 4);
    assert_eq!(only_drop(&totals, DropReason::HandlerPanicked), 4);
    assert_eq!(bench.run(&frames[..1]).0.delivered, 1, "the worker goes on");
    assert_eq!(bench.parts.monitor.report().workers[0].handler_panics, 4);
    let messages = std::iter::from_fn(|| bench.parts.events.try_next())
        .filter(|event| matches!(event, Event::HandlerPanicked { .. }))
        .count();
    assert_eq!(messages, 4, "an event for each");
    bench.assert_no_leak();
}

/// Panics before it asks for a packet.
struct Hopeless;

impl Handler for Hopeless {
    fn packet(&mut self, _packet: &mut Packet<'_>) {}

    fn burst(&mut self, _delivery: &mut corelane::stack::Delivery<'_>) {
        panic!("no use");
    }
}

#[test]
fn a_handler_that_always_panics_loses_its_packets_and_ends() {
    let mut bench = Bench::new(|b| {
        b.handler(|_| Hopeless);
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let frames: Vec<_> = (0..5)
        .map(|n| udp("192.0.2.9", "192.0.2.1", (1, n), b"x"))
        .collect();
    assert_eq!(
        only_drop(&bench.run(&frames).0, DropReason::HandlerPanicked),
        5
    );
    bench.assert_no_leak();
}

#[test]
fn frames_carry_what_was_learnt_on_receipt() {
    struct Check(mpsc::Sender<(u16, u64, bool, u32)>);
    impl Handler for Check {
        fn packet(&mut self, packet: &mut Packet<'_>) {
            let frame = packet.frame();
            let meta = (
                frame.nic(),
                frame.rx_time(),
                frame.trace(),
                frame.rss_hash(),
            );
            self.0.send(meta).expect("the test listens");
        }
    }
    let (sender, seen) = mpsc::channel();
    let mut bench = Bench::new(|b| {
        b.handler(move |_| Check(sender.clone()));
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    let mut frame = bench.frame(&udp("192.0.2.9", "192.0.2.1", (1, 2), b"x"));
    frame.set_rx_time(123_456_789);
    frame.set_trace(true);
    let mut burst = corelane::frame::Burst::new();
    burst.push(frame);
    assert_eq!(bench.peer.send(0, &mut burst), 1);
    bench.poll();
    let (nic, time, trace, hash) = seen.try_recv().unwrap();
    assert_eq!((nic, time, trace), (bench.nic.id().0, 123_456_789, true));
    assert_ne!(hash, 0, "the software RSS hash");
}

proptest::proptest! {
    #[test]
    fn random_bytes_are_accounted_for(
        frames in proptest::collection::vec(
            proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), 1..80),
        ethertype in 0usize..4,
    ) {
        let mut bench = Bench::new(|_| {});
        bench.nic.set_promiscuous(true).unwrap();
        let frames: Vec<_> = frames
            .into_iter()
            .map(|mut frame| {
                let kind = [0x0800u16, 0x86dd, 0x0806, 0][ethertype].to_be_bytes();
                if frame.len() >= 14 && ethertype < 3 {
                    frame[12..14].copy_from_slice(&kind);
                }
                frame
            })
            .collect();
        // `run` asserts the identity.
        bench.run(&frames);
        bench.assert_no_leak();
    }

    #[test]
    fn broken_packets_are_accounted_for(
        at in 0usize..80,
        value: u8,
        cut in 0usize..100,
        kind in 0usize..4,
    ) {
        let mut bench = Bench::new(|_| {});
        bench.nic.set_promiscuous(true).unwrap();
        let mut frame = match kind {
            0 => udp("192.0.2.9", "192.0.2.1", (1, 2), b"payload"),
            1 => udp("2001:db8::9", "2001:db8::1", (1, 2), b"payload"),
            2 => ping("192.0.2.9", "192.0.2.1", b"payload"),
            _ => ping("2001:db8::9", "2001:db8::1", b"payload"),
        };
        if let Some(byte) = frame.get_mut(at) {
            *byte = value;
        }
        frame.truncate(cut.max(1));
        bench.run(&[frame]);
        bench.assert_no_leak();
    }
}
