//! Packet endpoints (BEHAVIOURS H): who is shown which frame, once, in which order.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use common::net::{Lan, Net, host_mac, nic_mac, unlimited};
use common::packets::{between, cut, packet, set};
use common::*;
use corelane::engine::{Engine, Idle, NicConfig, WhenFull};
use corelane::frame::{Burst, Frame, PoolConfig};
use corelane::io::loopback::{LoopbackConfig, loopback_link};
use corelane::io::memory::{MemoryConfig, memory_link};
use corelane::stack::{
    Direction, DropReason, Handler, Nic, Packet, PacketEndpoint, PacketEndpointConfig,
    PacketEndpointStats, PacketKind, PacketProtocol, PacketQueue, Protocols,
    RegisterPacketEndpointError, Shown, ShownBurst, Stack, Time,
};
use corelane::sync::doorbell::{Woken, doorbell};
use corelane::wire::arp::ArpPacket;
use corelane::wire::build::build_arp;
use corelane::wire::{EtherType, IpProtocol, MacAddr, PacketFilter};

use PacketProtocol::{All, One};

const LLDP: EtherType = EtherType(0x88cc);

/// An endpoint and its queues.
struct Tap {
    endpoint: PacketEndpoint,
    queues: Vec<PacketQueue>,
}

impl Tap {
    fn new(stack: &Stack, config: PacketEndpointConfig) -> Self {
        let (endpoint, queues) = stack.packet_endpoint(config).unwrap();
        Self { endpoint, queues }
    }

    /// One that is shown what arrives.
    fn inbound(stack: &Stack) -> Self {
        Self::new(stack, PacketEndpointConfig::default())
    }

    /// One that is shown what is sent too.
    fn both(stack: &Stack) -> Self {
        let config = PacketEndpointConfig {
            outbound: true,
            capacity: 1024,
            ..PacketEndpointConfig::default()
        };
        Self::new(stack, config)
    }

    fn on(self, nic: &Nic, protocol: PacketProtocol) -> Self {
        nic.register_packet_endpoint(protocol, &self.endpoint)
            .unwrap();
        self
    }

    fn take(&mut self) -> Vec<Shown> {
        self.queues
            .iter_mut()
            .flat_map(PacketQueue::try_iter)
            .collect()
    }

    fn bytes(&mut self) -> Vec<Vec<u8>> {
        let shown = self.take();
        shown.iter().map(|it| it.frame.data().to_vec()).collect()
    }

    /// What was shown of one direction.
    fn of(&mut self, direction: Direction) -> Vec<Vec<u8>> {
        let mut shown = self.take();
        shown.retain(|it| it.direction == direction);
        shown.iter().map(|it| it.frame.data().to_vec()).collect()
    }
}

/// A frame of a protocol that the stack does not speak.
fn lldp() -> Vec<u8> {
    let mut frame = between(vec![0; 60], PEER, MacAddr([1, 0x80, 0xc2, 0, 0, 0x0e]));
    frame[12..14].copy_from_slice(&LLDP.0.to_be_bytes());
    frame
}

fn arp_request(sender: (MacAddr, &str), target: &str) -> Vec<u8> {
    let v4 = |text: &str| text.parse().unwrap();
    let request = ArpPacket::request((sender.0, v4(sender.1)), v4(target));
    let mut buffer = vec![0; 64];
    let len = build_arp(&mut buffer, MacAddr::BROADCAST, &request).unwrap();
    buffer.truncate(len);
    buffer
}

fn sorted(mut frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    frames.sort_unstable();
    frames
}

#[test]
fn h1_h6_bug14_frames_of_every_protocol_are_shown_whether_the_nic_speaks_it_or_not() {
    let lan = Lan {
        config: NicConfig::new("v6").protocols(Protocols::V6),
        ..Lan::new(0)
    };
    let mut net = Net::build(vec![lan], unlimited(), |_| {});
    let nic = net.nics[0].clone();
    let v4 = udp("192.0.2.9", "192.0.2.1", (1, 2), b"four");
    let v6 = udp("2001:db8::9", "2001:db8::1", (1, 2), b"six");
    let short = vec![7; 13];
    let frames = [v4.clone(), lldp(), v6.clone(), short, lldp()];
    let mut all = Tap::inbound(net.stack()).on(&nic, All);
    let mut ipv4 = Tap::inbound(net.stack()).on(&nic, One(EtherType::IPV4));
    let mut ipv6 = Tap::inbound(net.stack()).on(&nic, One(EtherType::IPV6));
    let mut unknown = Tap::inbound(net.stack()).on(&nic, One(LLDP));
    let ran = net.run(0, &frames);
    assert_eq!(all.bytes(), frames);
    assert_eq!(ipv4.bytes(), [v4]);
    assert_eq!(ipv6.bytes(), [v6]);
    assert_eq!(unknown.bytes(), [lldp(), lldp()]);
    let dropped = |reason| ran.totals[0].dropped_for(reason);
    assert_eq!(dropped(DropReason::UnknownProtocol), 3, "all the same");
    assert_eq!(dropped(DropReason::EthernetTruncated), 1);
    drop((all, ipv4, ipv6, unknown));
    net.assert_no_leak();
}

#[test]
fn h2_each_registration_shows_a_frame_once_and_is_taken_back_by_itself() {
    let mut bench = Bench::new(|_| {});
    let (nic, frame) = (
        bench.nic.clone(),
        udp("192.0.2.9", "192.0.2.1", (1, 2), b""),
    );
    let mut tap = Tap::inbound(nic.stack());
    let endpoint = tap.endpoint.clone();
    let mut shown = |bench: &mut Bench| {
        bench.run(std::slice::from_ref(&frame));
        tap.take().len()
    };
    let register = |protocol| nic.register_packet_endpoint(protocol, &endpoint).unwrap();
    let unregister = |protocol| nic.unregister_packet_endpoint(protocol, &endpoint).unwrap();
    unregister(All);
    assert_eq!(shown(&mut bench), 0);
    register(One(EtherType::IPV4));
    register(One(EtherType::IPV4));
    register(All);
    register(One(EtherType::IPV6));
    assert_eq!(shown(&mut bench), 3);
    unregister(One(EtherType::IPV4));
    assert_eq!(shown(&mut bench), 2);
    unregister(One(LLDP));
    assert_eq!(shown(&mut bench), 2, "not registered for that");
    unregister(All);
    assert_eq!(shown(&mut bench), 1);
    unregister(One(EtherType::IPV4));
    unregister(One(EtherType::IPV4));
    unregister(One(EtherType::IPV6));
    assert_eq!(shown(&mut bench), 0);
    bench.assert_no_leak();
}

#[test]
fn h3_those_of_the_protocol_come_first_and_then_those_of_all() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    // Registered last, and shown first: there is a frame for one copy only.
    let all = Tap::inbound(nic.stack()).on(&nic, All);
    let second = Tap::inbound(nic.stack()).on(&nic, One(EtherType::IPV4));
    let third = Tap::inbound(nic.stack()).on(&nic, One(EtherType::IPV4));
    bench.poll();
    bench
        .parts
        .workers
        .iter_mut()
        .for_each(corelane::prelude::Worker::quiesce);
    let mut held: Vec<Frame> = std::iter::from_fn(|| bench.cache.alloc()).collect();
    let mut frame = held.pop().unwrap();
    frame
        .set_data(&udp("192.0.2.9", "192.0.2.1", (1, 2), b""))
        .unwrap();
    bench.cache.recycle(held.pop().unwrap());
    bench.cache.flush();
    let mut burst = Burst::new();
    burst.push(frame);
    assert_eq!(bench.peer.send(0, &mut burst), 1);
    bench.poll();
    let stats = |tap: &Tap| {
        let stats = tap.endpoint.stats();
        (stats.shown, stats.no_buffer)
    };
    assert_eq!(stats(&second), (1, 0));
    assert_eq!(stats(&third), (0, 1));
    assert_eq!(stats(&all), (0, 1));
    drop((all, second, third, held));
    bench.assert_no_leak();
}

#[test]
fn h3_an_endpoint_of_several_protocols_is_shown_frames_in_the_order_they_came() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    let mut tap = Tap::inbound(nic.stack())
        .on(&nic, One(LLDP))
        .on(&nic, One(EtherType::IPV6))
        .on(&nic, One(EtherType::IPV4));
    let numbered = |n: u8| match n % 4 {
        0 => udp("192.0.2.9", "192.0.2.1", (1, 2), &[n]),
        1 => udp("2001:db8::9", "2001:db8::1", (1, 2), &[n]),
        2 => set(lldp(), 20, n),
        _ => set(arp_request((PEER, "192.0.2.9"), "192.0.2.77"), 21, n),
    };
    let frames: Vec<_> = (0..64).map(numbered).collect();
    bench.run(&frames);
    let wanted: Vec<_> = (0..64).filter(|n| n % 4 != 3).map(numbered).collect();
    assert_eq!(tap.bytes(), wanted);
}

#[test]
fn h4_h5_frames_are_shown_before_anything_is_checked_and_whatever_becomes_of_them() {
    let mut net = Net::router(2);
    let mut tap = Tap::inbound(net.stack()).on(&net.nics[0], All);
    let other = MacAddr([2, 9, 9, 9, 9, 9]);
    let frames = [
        net.udp(0, "10.0.0.1"),
        net.udp(0, "10.0.0.77"),
        net.udp(0, "10.0.1.9"),
        net.udp(0, "203.0.113.1"),
        set(net.udp(0, "10.0.0.1"), 24, 0xff),
        set(net.udp(0, "10.0.0.1"), 14, 0x41),
        cut(net.udp(0, "10.0.0.1"), 20),
        between(net.udp(0, "10.0.0.1"), host_mac(0), other),
        net.host_sends(0, udp("127.0.0.1", "10.0.0.1", (1, 2), b"martian")),
        net.host_sends(0, ping("10.0.0.9", "10.0.0.1", b"echo")),
        net.host_sends(0, packet("10.0.0.9", "10.0.0.1", 99, b"what")),
        arp_request((host_mac(0), "10.0.0.9"), "10.0.0.1"),
    ];
    net.run(0, &frames);
    // What waits for a neighbor ends here.
    net.stack().flush_neighbors(net.nics[0].id());
    let shown = tap.take();
    let bytes: Vec<_> = shown.iter().map(|it| it.frame.data().to_vec()).collect();
    assert_eq!(bytes, frames);
    for (it, frame) in shown.iter().zip(&frames) {
        assert_eq!(it.frame.nic(), 0);
        assert_eq!(it.direction, Direction::Inbound);
        assert_eq!((it.original_len, it.is_cut()), (frame.len(), false));
        assert_eq!(it.source(), Some(host_mac(0)));
        let destination = MacAddr(*frame.first_chunk().unwrap());
        assert_eq!(it.destination(), Some(destination));
    }
    drop((shown, tap));
    net.assert_no_leak();
}

#[test]
fn h4_what_a_nic_that_is_disabled_drops_is_not_shown() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    let mut tap = Tap::inbound(nic.stack()).on(&nic, All);
    let frame = [udp("192.0.2.9", "192.0.2.1", (1, 2), b"")];
    nic.disable().unwrap();
    bench.run(&frame);
    assert!(tap.take().is_empty());
    nic.enable().unwrap();
    bench.run(&frame);
    assert_eq!(tap.bytes(), frame, "it stayed registered");
}

#[test]
fn h4_h6_short_and_tagged_frames_are_shown_once_to_each_who_asked() {
    let mut net = Net::plain(2);
    let tagged = {
        let inner = net.udp(0, "10.0.0.1");
        [&inner[..12], &[0x81, 0, 0, 5], &inner[12..]].concat()
    };
    let mut all = Tap::inbound(net.stack()).on(&net.nics[0], All);
    let mut vlan = Tap::inbound(net.stack()).on(&net.nics[0], One(EtherType::VLAN));
    let mut zero = Tap::inbound(net.stack()).on(&net.nics[0], One(EtherType(0)));
    let mut elsewhere = Tap::inbound(net.stack()).on(&net.nics[1], All);
    let bare = vec![0; 14];
    let frames = [
        vec![0; 13],
        bare.clone(),
        tagged.clone(),
        vec![3],
        net.udp(0, "10.0.0.1")[..20].to_vec(),
    ];
    net.run(0, &frames);
    assert_eq!(all.bytes(), frames);
    assert_eq!(vlan.bytes(), [tagged]);
    // A frame without a whole header is of no protocol, not even of 0.
    assert_eq!(zero.bytes(), [bare]);
    assert!(elsewhere.take().is_empty());
    drop((all, vlan, zero, elsewhere));
    net.assert_no_leak();
}

#[test]
fn h7_from_the_next_burst_on_nothing_is_shown_to_one_that_is_not_registered() {
    let mut bench = Bench::new(|builder| {
        builder.workers(3);
    });
    let nic = bench.nic.clone();
    let frames: Vec<_> = (0..96)
        .map(|n| udp("192.0.2.9", "192.0.2.1", (n, 2), b""))
        .collect();
    let mut tap = Tap::inbound(nic.stack()).on(&nic, All);
    bench.run(&frames);
    nic.unregister_packet_endpoint(All, &tap.endpoint).unwrap();
    bench.run(&frames);
    assert_eq!(sorted(tap.bytes()), sorted(frames.clone()), "the first");
    // It can be registered anew, with the queues it has.
    let mut tap = tap.on(&nic, All);
    bench.run(&frames);
    assert_eq!(tap.take().len(), 96);
    bench.assert_no_leak();
}

#[test]
fn h8_a_frame_counts_as_what_became_of_it_whether_it_was_shown_or_not() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    let frames = [
        udp("192.0.2.9", "192.0.2.77", (1, 2), b""),
        udp("2001:db8::9", "2001:db8::77", (1, 2), b""),
    ];
    let (before, _) = bench.run(&frames);
    let mut tap = Tap::inbound(nic.stack()).on(&nic, All);
    let (after, _) = bench.run(&frames);
    assert_eq!(tap.take().len(), 2);
    for totals in [before, after] {
        assert_eq!(only_drop(&totals, DropReason::InvalidAddress), 2);
    }
}

/// Fills the line with frames for one packet, and refuses the others.
struct Flood {
    cache: corelane::frame::PoolCache,
}

impl Handler for Flood {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        if packet.payload().get(8..) != Some(b"flood") {
            return packet.refuse();
        }
        for n in 0..80_u8 {
            let Some(mut frame) = self.cache.alloc() else {
                return;
            };
            frame.set_data(&set(lldp(), 20, n)).unwrap();
            if let Err(back) = packet.send(frame) {
                self.cache.recycle(back);
            }
        }
    }
}

/// An engine whose frames leave through a distributor, or by each worker's own queue.
fn flooding(workers: usize, queues: usize) -> Bench {
    let link = MemoryConfig {
        queues,
        ring: 4096,
        ..MemoryConfig::default()
    };
    let mut bench = Bench::with_link(link, |builder| {
        let pool = corelane::frame::Pool::new(PoolConfig {
            slots: 1024,
            ..PoolConfig::default()
        });
        let pool = pool.unwrap();
        builder
            .workers(workers)
            .stack(unlimited())
            .handler(move |_| Flood {
                cache: pool.cache(),
            });
    });
    bench
        .nic
        .add_address(common::net::prefix("192.0.2.1/24"))
        .unwrap();
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    bench.poll();
    bench
}

#[test]
fn h9_what_is_sent_is_shown_once_to_those_who_asked_for_it() {
    for (workers, queues) in [(1, 1), (2, 1), (2, 2)] {
        let case = format!("{workers} workers, {queues} queues");
        let mut bench = flooding(workers, queues);
        let nic = bench.nic.clone();
        let mut inbound = Tap::inbound(nic.stack()).on(&nic, All);
        let mut outbound = Tap::both(nic.stack()).on(&nic, All);
        let mut arp = Tap::both(nic.stack()).on(&nic, One(EtherType::ARP));
        let mut frames = vec![udp("192.0.2.9", "192.0.2.1", (1, 2), b"flood")];
        for n in 0..60 {
            frames.push(udp("192.0.2.9", "192.0.2.1", (n, 2), b"refuse"));
            frames.push(ping("2001:db8::9", "2001:db8::1", &n.to_be_bytes()));
        }
        frames.push(arp_request((PEER, "192.0.2.9"), "192.0.2.1"));
        // Asks, waits, and is sent once the answer is there.
        let route = nic.route(None, ip("192.0.2.50")).unwrap();
        route.write_packet(IpProtocol::UDP, b"waits", None).unwrap();
        let reply = ArpPacket::reply(
            (PEER, "192.0.2.50".parse().unwrap()),
            (nic.mac(), "192.0.2.1".parse().unwrap()),
        );
        let mut buffer = vec![0; 42];
        build_arp(&mut buffer, nic.mac(), &reply).unwrap();
        frames.push(buffer);
        let (totals, mut sent) = bench.run(&frames);
        bench.poll();
        sent.extend(bench.run(&[]).1);
        // Answers to all, and more frames from one burst than a line holds.
        assert!(sent.len() > 60 + 60 + 10, "{case}: {}", sent.len());
        assert_eq!(totals.send_dropped, 0);
        let shown = outbound.take();
        let (mut out, mut seen) = (Vec::new(), Vec::new());
        for it in &shown {
            let list = match it.direction {
                Direction::Inbound => &mut seen,
                Direction::Outbound => &mut out,
            };
            list.push(it.frame.data().to_vec());
            let is_outgoing = it.kind == PacketKind::Outgoing;
            assert_eq!(is_outgoing, it.direction == Direction::Outbound);
        }
        let (is_arp, all_in) = (|frame: &Vec<u8>| frame[12..14] == [8, 6], sorted(frames));
        let of_arp = sorted(
            sent.iter()
                .chain(&all_in)
                .filter(|it| is_arp(it))
                .cloned()
                .collect(),
        );
        assert_eq!(
            of_arp.len(),
            4,
            "{case}: a question each way, and its answer"
        );
        assert!(sorted(arp.bytes()) == of_arp, "{case}");
        assert!(sorted(out) == sorted(sent), "{case}");
        assert!(sorted(seen) == all_in, "{case}");
        assert_eq!(sorted(inbound.bytes()), all_in, "{case}: not asked for");
        drop((shown, inbound, outbound, arp));
        bench.assert_no_leak();
    }
}

#[test]
fn h9_a_forwarded_frame_is_shown_as_it_came_on_one_nic_and_as_it_goes_on_the_other() {
    let mut net = Net::router(2);
    let mut ingress = Tap::both(net.stack()).on(&net.nics[0], All);
    let mut egress = Tap::both(net.stack()).on(&net.nics[1], All);
    let frames = vec![net.udp(0, "10.0.1.9"); 100];
    let ran = net.run(0, &frames);
    assert_eq!(ran.out[1].len(), 100);
    assert_eq!(ingress.of(Direction::Inbound), frames);
    assert_eq!(egress.of(Direction::Outbound), ran.out[1]);
    // What waits for its next hop is shown when it is sent, and so is the question.
    net.run(0, &[net.udp(0, "10.0.1.77")]);
    assert_eq!(egress.of(Direction::Outbound).len(), 1, "the question");
    let stack = net.stack().clone();
    stack
        .add_neighbor(net.nics[1].id(), ip("10.0.1.77"), host_mac(1))
        .unwrap();
    net.poll();
    assert_eq!(egress.of(Direction::Outbound), net.take(1));
    assert_eq!(ingress.take().len(), 1);
    drop((ingress, egress));
    net.assert_no_leak();
}

#[test]
fn h9_what_a_nic_sends_to_itself_is_shown_on_its_way_out_alone() {
    let config = NicConfig::new("loops").seed(7).multicast_loop(true);
    let mut net = Net::build(
        vec![Lan {
            config,
            ..Lan::new(0)
        }],
        unlimited(),
        |_| {},
    );
    let nic = net.nics[0].clone();
    nic.add_address(common::net::prefix("10.0.0.1/24")).unwrap();
    let mut tap = Tap::both(net.stack()).on(&nic, All);
    for (remote, sent) in [("255.255.255.255", 1), ("224.0.0.1", 1), ("10.0.0.1", 0)] {
        let route = nic.route(None, ip(remote)).unwrap();
        let udp = [0, 1, 0, 2, 0, 8, 0, 0];
        route.write_packet(IpProtocol::UDP, &udp, None).unwrap();
        net.poll();
        assert_eq!(net.got().len(), 1, "{remote} came back");
        assert_eq!(net.take(0).len(), sent, "{remote}");
        let shown = tap.take();
        assert_eq!(shown.len(), sent, "{remote}");
        assert!(shown.iter().all(|it| it.kind == PacketKind::Outgoing));
    }
}

#[test]
fn h9_a_loopback_link_shows_frames_on_the_way_in() {
    let link = loopback_link(LoopbackConfig::default()).unwrap();
    let mut bench = Bench::new(|_| {});
    let lifecycle = bench.parts.lifecycle.clone();
    let nic = lifecycle
        .create_nic(NicConfig::new("lo"), Box::new(link))
        .unwrap();
    let distributors = lifecycle.take_distributors();
    bench.parts.distributors.extend(distributors);
    nic.add_address(ip("127.0.0.1")).unwrap();
    let mut inbound = Tap::inbound(nic.stack()).on(&nic, All);
    let mut both = Tap::both(nic.stack()).on(&nic, All);
    let route = nic.route(None, ip("127.0.0.1")).unwrap();
    route.write_packet(IpProtocol::UDP, &[0; 8], None).unwrap();
    bench.poll();
    let kinds = |tap: &mut Tap| -> Vec<_> { tap.take().iter().map(|it| it.kind).collect() };
    assert_eq!(kinds(&mut inbound), [PacketKind::Host]);
    let mut shown = kinds(&mut both);
    shown.sort_by_key(|kind| *kind as u8);
    assert_eq!(shown, [PacketKind::Host, PacketKind::Outgoing]);
}

#[test]
fn h10_bug14_an_endpoint_of_the_stack_is_registered_with_every_nic_those_to_come_included() {
    let mut net = Net::plain(2);
    let stack = net.stack().clone();
    let mut tap = Tap::inbound(&stack);
    stack.register_packet_endpoint(All, &tap.endpoint).unwrap();
    let (link, mut peer) = memory_link(MemoryConfig::default()).unwrap();
    let lifecycle = net.parts.lifecycle.clone();
    let later = lifecycle
        .create_nic(NicConfig::new("later"), Box::new(link))
        .unwrap();
    net.parts.distributors.extend(lifecycle.take_distributors());
    let shown_on = |net: &mut Net, tap: &mut Tap, peer: &mut corelane::io::memory::MemoryPeer| {
        net.inject(0, &lldp());
        net.inject(1, &lldp());
        let mut frame = net.cache.alloc().unwrap();
        frame.set_data(&lldp()).unwrap();
        let mut burst = Burst::new();
        burst.push(frame);
        peer.send(0, &mut burst);
        net.poll();
        let mut nics: Vec<_> = tap.take().iter().map(|it| it.frame.nic()).collect();
        nics.sort_unstable();
        nics
    };
    assert_eq!(shown_on(&mut net, &mut tap, &mut peer), [0, 1, 2]);
    // Taken back on one NIC, and then on all.
    net.nics[1]
        .unregister_packet_endpoint(All, &tap.endpoint)
        .unwrap();
    assert_eq!(shown_on(&mut net, &mut tap, &mut peer), [0, 2]);
    stack.unregister_packet_endpoint(All, &tap.endpoint);
    assert!(shown_on(&mut net, &mut tap, &mut peer).is_empty());
    stack.unregister_packet_endpoint(All, &tap.endpoint);
    // A NIC that is gone takes no registration, and is none that all are registered with.
    lifecycle.remove_nic(later.id()).unwrap();
    net.poll();
    assert!(matches!(
        later.register_packet_endpoint(All, &tap.endpoint),
        Err(RegisterPacketEndpointError::NicGone(_))
    ));
    stack.register_packet_endpoint(All, &tap.endpoint).unwrap();
    assert_eq!(shown_on(&mut net, &mut tap, &mut peer), [0, 1]);
    // One of another engine has no queues here.
    let stranger = Tap::inbound(Net::plain(1).stack());
    for error in [
        stack.register_packet_endpoint(All, &stranger.endpoint),
        net.nics[0].register_packet_endpoint(All, &stranger.endpoint),
    ] {
        assert!(matches!(
            error,
            Err(RegisterPacketEndpointError::OtherStack)
        ));
    }
}

#[test]
fn h10_a_nic_that_is_made_meanwhile_is_registered_with_once() {
    for round in 0..30 {
        let mut net = Net::plain(1);
        let stack = net.stack().clone();
        let mut tap = Tap::inbound(&stack);
        let start = Arc::new(Barrier::new(2));
        let registering = std::thread::spawn({
            let (stack, endpoint, start) = (stack.clone(), tap.endpoint.clone(), start.clone());
            move || {
                start.wait();
                (0..round * 20).for_each(|_| std::hint::spin_loop());
                stack.register_packet_endpoint(All, &endpoint).unwrap();
            }
        });
        start.wait();
        let lifecycle = net.parts.lifecycle.clone();
        let mut peers = Vec::new();
        for n in 0..4 {
            let (link, peer) = memory_link(MemoryConfig::default()).unwrap();
            let config = NicConfig::new(format!("later{n}"));
            lifecycle.create_nic(config, Box::new(link)).unwrap();
            peers.push(peer);
        }
        registering.join().unwrap();
        net.parts.distributors.extend(lifecycle.take_distributors());
        net.poll();
        for peer in &mut peers {
            let mut frame = net.cache.alloc().unwrap();
            frame.set_data(&lldp()).unwrap();
            let mut burst = Burst::new();
            burst.push(frame);
            assert_eq!(peer.send(0, &mut burst), 1);
        }
        net.poll();
        let mut nics: Vec<_> = tap.take().iter().map(|it| it.frame.nic()).collect();
        nics.sort_unstable();
        assert_eq!(nics, [1, 2, 3, 4], "round {round}");
    }
}

#[test]
fn a_removed_nic_lets_go_of_the_endpoint() {
    let mut net = Net::plain(2);
    let mut tap = Tap::both(net.stack()).on(&net.nics[1], All);
    assert!(!tap.queues[0].is_closed());
    let endpoint = std::mem::replace(&mut tap.endpoint, Tap::inbound(net.stack()).endpoint);
    drop(endpoint);
    net.parts.lifecycle.remove_nic(net.nics[1].id()).unwrap();
    net.poll();
    net.nics.truncate(1);
    net.poll();
    assert!(tap.queues.iter().all(PacketQueue::is_closed));
}

#[test]
fn h11_making_an_endpoint_asks_for_no_permission() {
    let net = Net::plain(1);
    let config = |capacity| PacketEndpointConfig {
        capacity,
        ..PacketEndpointConfig::default()
    };
    let (_, queues) = net.stack().packet_endpoint(config(1)).unwrap();
    assert_eq!(queues.len(), 2, "one worker's, and one for other threads");
    assert!(net.stack().packet_endpoint(config(0)).is_err());
}

#[test]
fn h12_a_copy_has_what_raw_and_cooked_packet_sockets_read() {
    let mut net = Net::router(1);
    let group = MacAddr([1, 0, 0x5e, 0, 0, 1]);
    let mut tap = Tap::both(net.stack()).on(&net.nics[0], All);
    let bytes = net.udp(0, "10.0.0.1");
    for (to, kind) in [
        (nic_mac(0), PacketKind::Host),
        (MacAddr::BROADCAST, PacketKind::Broadcast),
        (group, PacketKind::Multicast),
        (host_mac(7), PacketKind::OtherHost),
    ] {
        let frame = between(bytes.clone(), host_mac(0), to);
        net.run(0, std::slice::from_ref(&frame));
        let shown = tap.take();
        let it = &shown[0];
        assert_eq!(shown.len(), 1);
        assert_eq!(it.kind, kind, "{to}");
        assert_eq!(it.frame.data(), frame, "raw");
        assert_eq!(it.network_packet(), &frame[14..], "cooked");
        assert_eq!(it.protocol(), Some(EtherType::IPV4));
        assert_eq!(it.source(), Some(host_mac(0)));
        assert_eq!(it.destination(), Some(to));
    }
    net.run(0, &[vec![1; 9]]);
    let shown = tap.take();
    assert_eq!(shown[0].kind, PacketKind::OtherHost);
    assert_eq!(shown[0].frame.data(), [1; 9]);
    assert!(shown[0].network_packet().is_empty());
    assert_eq!((shown[0].protocol(), shown[0].source()), (None, None));
    net.run(0, &[net.host_sends(0, ping("10.0.0.9", "10.0.0.1", b""))]);
    let kinds: Vec<_> = tap.take().iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [PacketKind::Host, PacketKind::Outgoing]);
}

#[test]
fn h12_a_copy_is_cut_to_what_was_asked_for_and_never_into_the_link_header() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    let frame = udp("192.0.2.9", "192.0.2.1", (1, 2), &[7; 500]);
    for (snap_len, len) in [(0, 14), (14, 14), (96, 96), (542, 542), (9999, 542)] {
        let config = PacketEndpointConfig {
            snap_len,
            ..PacketEndpointConfig::default()
        };
        let mut tap = Tap::new(nic.stack(), config).on(&nic, All);
        bench.run(std::slice::from_ref(&frame));
        let shown = tap.take();
        assert_eq!(shown[0].frame.data(), &frame[..len]);
        assert_eq!((shown[0].original_len, shown[0].is_cut()), (542, len < 542));
        nic.unregister_packet_endpoint(All, &tap.endpoint).unwrap();
    }
}

#[test]
fn a_filter_is_asked_before_a_copy_is_made() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    let config = PacketEndpointConfig {
        capacity: 4,
        filter: PacketFilter {
            address: Some(ip("192.0.2.9")),
            port: Some(7),
        },
        ..PacketEndpointConfig::default()
    };
    let mut tap = Tap::new(nic.stack(), config).on(&nic, All);
    let wanted = udp("192.0.2.9", "192.0.2.1", (4000, 7), b"");
    let mut frames = vec![udp("192.0.2.8", "192.0.2.1", (4000, 7), b""); 30];
    frames.extend([lldp(), udp("192.0.2.9", "192.0.2.1", (4000, 8), b"")]);
    frames.push(wanted.clone());
    bench.run(&frames);
    assert_eq!(tap.bytes(), [wanted]);
    let stats = tap.endpoint.stats();
    assert_eq!((stats.shown, stats.overflow), (1, 0), "others take no room");
}

#[test]
fn copies_in_a_pool_of_their_own_keep_no_frame_from_the_links() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    let config = |own_pool| PacketEndpointConfig {
        capacity: 32,
        own_pool,
        ..PacketEndpointConfig::default()
    };
    for (own_pool, kept) in [(true, 0), (false, 32)] {
        let mut tap = Tap::new(nic.stack(), config(own_pool)).on(&nic, All);
        let frames = vec![udp("192.0.2.9", "192.0.2.1", (1, 2), &[7; 1000]); 40];
        bench.run(&frames);
        assert_eq!(bench.pool.out(), kept, "nobody has read them");
        let stats = tap.endpoint.stats();
        assert_eq!((stats.shown, stats.overflow, stats.no_buffer), (32, 8, 0));
        let shown = tap.take();
        assert!(shown.iter().all(|it| it.frame.data() == frames[0]));
        assert!(shown.is_sorted_by_key(|it| it.time) && shown[0].time > Time::ZERO);
        nic.unregister_packet_endpoint(All, &tap.endpoint).unwrap();
    }
    bench.assert_no_leak();
}

#[test]
fn h12_what_finds_no_room_or_no_reader_is_counted_and_holds_up_nothing() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    nic.add_address(ip("192.0.2.1")).unwrap();
    let config = PacketEndpointConfig {
        capacity: 8,
        ..PacketEndpointConfig::default()
    };
    let mut tap = Tap::new(nic.stack(), config).on(&nic, All);
    let frames: Vec<_> = (0..20)
        .map(|n| udp("192.0.2.9", "192.0.2.1", (n, 2), b""))
        .collect();
    let expected = |shown, overflow, closed| PacketEndpointStats {
        shown,
        overflow,
        closed,
        no_buffer: 0,
    };
    assert_eq!(bench.run(&frames).0.delivered, 20);
    assert_eq!(tap.endpoint.stats(), expected(8, 12, 0));
    assert_eq!(tap.bytes(), frames[..8], "the first are kept");
    // Burst by burst.
    bench.run(&frames[..5]);
    let mut burst = ShownBurst::new();
    assert_eq!(tap.queues[0].next_burst(&mut burst), 5);
    assert_eq!(tap.queues[0].next_burst(&mut burst), 0);
    assert!(tap.queues[0].is_empty());
    let numbers = burst.iter().map(|it| it.frame.data()[35]);
    assert!(numbers.eq(0..5), "source ports, in order");
    burst.clear();
    tap.queues.clear();
    assert_eq!(bench.run(&frames).0.delivered, 20);
    assert_eq!(tap.endpoint.stats(), expected(13, 12, 20));
    bench.assert_no_leak();
}

#[test]
fn h12_a_reader_that_sleeps_is_woken_when_there_is_something() {
    let (link, mut peer) = memory_link(MemoryConfig::default()).unwrap();
    let mut builder = Engine::builder();
    builder.workers(2).idle(Idle::Interrupt);
    builder.nic(NicConfig::new("bell"), Box::new(link));
    let engine = builder.build().unwrap();
    let nic = engine.nics()[0].clone();
    let mut cache = engine.pool().cache();
    let running = engine.start().unwrap();
    let mut tap = Tap::inbound(nic.stack()).on(&nic, All);
    let (bell, mut sleeper) = doorbell();
    tap.endpoint.ring_on_arrival(bell);
    let reader = std::thread::spawn(move || {
        let (mut read, mut woken) = (0, 0);
        while read < 20 {
            read += tap.take().len();
            let long = Some(Duration::from_secs(20));
            let queues = &mut tap.queues;
            let mut is_there = || queues.iter_mut().any(|it| !it.is_empty());
            match sleeper.sleep(long, || read == 20 || is_there()) {
                Woken::Rung => woken += 1,
                Woken::HadWork => {}
                Woken::TimedOut => return (read, woken),
            }
        }
        (read, woken)
    });
    for n in 0..20 {
        let mut burst = Burst::new();
        let mut frame = cache.alloc().unwrap();
        frame
            .set_data(&udp("192.0.2.9", "192.0.2.1", (n, 2), b""))
            .unwrap();
        burst.push(frame);
        while peer.send(0, &mut burst) == 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let (read, woken) = reader.join().unwrap();
    assert_eq!(read, 20, "woken {woken} times");
    assert!(woken > 0);
    running.stop();
}

#[test]
fn h13_an_empty_queue_says_so_and_a_closed_one_after_its_last_copy() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    let mut tap = Tap::inbound(nic.stack()).on(&nic, All);
    assert!(tap.queues[0].try_next().is_none() && !tap.queues[0].is_closed());
    bench.run(&[lldp()]);
    nic.unregister_packet_endpoint(All, &tap.endpoint).unwrap();
    let mut queues = tap.queues;
    bench.poll();
    assert!(!queues[0].is_closed(), "it can be registered again");
    drop(tap.endpoint);
    bench.poll();
    nic.reclaim();
    assert!(queues[0].is_closed());
    assert!(
        queues[0].try_next().is_some(),
        "what is there is read first"
    );
    assert!(queues[0].try_next().is_none());
    drop(queues);
    bench.assert_no_leak();
}

/// Writes the numbers of its frames down, and tells how far it is.
struct Log {
    numbers: Arc<Mutex<Vec<u64>>>,
    /// One more than the last number.
    done: Arc<AtomicU64>,
}

impl Handler for Log {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let number = packet.payload().get(8..).and_then(<[u8]>::first_chunk);
        let number = u64::from_be_bytes(*number.unwrap());
        self.numbers.lock().unwrap().push(number);
        self.done.store(number + 1, Ordering::Release);
    }
}

/// While a registration is known to be in effect, each worker shows each of its frames once, in order.
///
/// A frame's number tells when it was sent. What a worker has given its handler it has shown before: so
/// of a worker that is `done` with number n when a registration is taken back, all frames from the one
/// that was next to be sent when the registration returned, up to n, are to be there.
#[test]
fn bug23_h7_registration_under_traffic_loses_and_duplicates_nothing() {
    const FRAMES: u64 = 30_000;
    const WORKERS: usize = 2;
    let seed = std::env::var("CORELANE_STRESS_SEED").map_or(23, |seed| seed.parse().unwrap());
    println!("CORELANE_STRESS_SEED={seed}");
    let (link, mut peer) = memory_link(MemoryConfig::default()).unwrap();
    let logs: Vec<_> = (0..WORKERS)
        .map(|_| (Arc::default(), Arc::default()))
        .collect();
    let mut builder = Engine::builder();
    let of_workers = logs.clone();
    builder
        .workers(WORKERS)
        .when_full(WhenFull::Wait)
        .idle(Idle::Interrupt)
        .pool(PoolConfig {
            slots: 16_384,
            ..PoolConfig::default()
        })
        .handler(move |worker| {
            let (numbers, done) = &of_workers[worker.0];
            Log {
                numbers: Arc::clone(numbers),
                done: Arc::clone(done),
            }
        });
    builder.nic(NicConfig::new("stress"), Box::new(link));
    let engine = builder.build().unwrap();
    let (nic, pool) = (engine.nics()[0].clone(), engine.pool().clone());
    nic.add_address(ip("192.0.2.1")).unwrap();
    let running = engine.start().unwrap();
    let config = PacketEndpointConfig {
        capacity: 8192,
        ..PacketEndpointConfig::default()
    };
    let mut tap = Tap::new(nic.stack(), config);
    let endpoint = tap.endpoint.clone();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (intervals, seen) = std::thread::scope(|scope| {
        let (next, stop, nic, logs, endpoint) = (&next, &stop, &nic, &logs, &endpoint);
        let registrar = scope.spawn(move || {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut intervals = Vec::new();
            while !stop.load(Ordering::Acquire) {
                let protocol = if rng.bool() {
                    All
                } else {
                    One(EtherType::IPV4)
                };
                nic.register_packet_endpoint(protocol, endpoint).unwrap();
                let from = next.load(Ordering::Acquire);
                std::thread::sleep(Duration::from_micros(rng.u64(0..3000)));
                let to: Vec<u64> = logs.iter().map(|it| it.1.load(Ordering::Acquire)).collect();
                nic.unregister_packet_endpoint(protocol, endpoint).unwrap();
                intervals.push((from, to));
                std::thread::sleep(Duration::from_micros(rng.u64(0..300)));
            }
            intervals
        });
        // Others come and go beside it, for both lists.
        let others = scope.spawn(move || {
            while !stop.load(Ordering::Acquire) {
                let config = PacketEndpointConfig {
                    capacity: 16,
                    ..PacketEndpointConfig::default()
                };
                let other = Tap::new(nic.stack(), config)
                    .on(nic, All)
                    .on(nic, One(EtherType::IPV4));
                std::thread::sleep(Duration::from_micros(200));
                for protocol in [All, One(EtherType::IPV4)] {
                    nic.unregister_packet_endpoint(protocol, &other.endpoint)
                        .unwrap();
                }
            }
        });
        let reader = scope.spawn(move || {
            let mut seen = vec![Vec::new(); WORKERS];
            let mut is_last = false;
            while !is_last {
                // Asked first: after the last copy, there is one more look.
                is_last = stop.load(Ordering::Acquire);
                for (queue, seen) in tap.queues.iter_mut().zip(&mut seen) {
                    seen.extend(queue.try_iter().map(|it| {
                        let number = it.frame.data().last_chunk().unwrap();
                        u64::from_be_bytes(*number)
                    }));
                }
                std::thread::yield_now();
            }
            seen
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut cache = pool.cache();
        let mut number = 0;
        while number < FRAMES && Instant::now() < deadline {
            // Copies wait for their reader, and so does this.
            if pool.out() > 6000 {
                std::thread::yield_now();
                continue;
            }
            let mut burst = Burst::new();
            let count = cache.alloc_burst(&mut burst, 32);
            for (n, frame) in (number..).zip(&mut burst) {
                let ports = (1000 + (n % 61) as u16, 7);
                let bytes = udp("192.0.2.9", "192.0.2.1", ports, &n.to_be_bytes());
                frame.set_data(&bytes).unwrap();
            }
            // Said before it is sent: what is sent after a registration has a number from then.
            next.store(number + count as u64, Ordering::Release);
            while !burst.is_empty() {
                if peer.send(0, &mut burst) == 0 {
                    std::thread::yield_now();
                }
            }
            number += count as u64;
        }
        // What is still on the link is not the engine's yet: `drain` does not wait for it.
        while nic.counters().received < number && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let drained = running.drain(Duration::from_secs(30));
        // Before anything is asserted: the others go on until then.
        stop.store(true, Ordering::Release);
        assert!(drained && number >= FRAMES, "at frame {number}");
        let intervals = registrar.join().unwrap();
        others.join().unwrap();
        (intervals, reader.join().unwrap())
    });
    let stats = endpoint.stats();
    assert_eq!((stats.overflow, stats.closed, stats.no_buffer), (0, 0, 0));
    assert!(intervals.len() > 3, "{} registrations", intervals.len());
    let mut sure = 0;
    for (worker, seen) in seen.iter().enumerate() {
        let log = logs[worker].0.lock().unwrap();
        assert!(log.is_sorted_by(|a, b| a < b), "frames keep their order");
        assert!(
            seen.is_sorted_by(|a, b| a < b),
            "none twice, none out of order"
        );
        assert!(seen.iter().all(|number| log.binary_search(number).is_ok()));
        for (from, to) in &intervals {
            for number in log.iter().filter(|it| (*from..to[worker]).contains(it)) {
                sure += 1;
                assert!(
                    seen.binary_search(number).is_ok(),
                    "{number} of worker {worker}"
                );
            }
        }
    }
    assert!(sure > 0, "some intervals had frames");
    running.stop();
}
