//! Super-frames and partial checksums: whole through the router where the link takes them, done in
//! software elsewhere, and what hosts are given of them.

mod common;

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::mpsc;

use common::net::*;
use common::packets::*;
use common::*;
use corelane::engine::Builder;
use corelane::frame::{Burst, Frame, PoolConfig};
use corelane::stack::{
    DropReason, Family, Handler, Nic, NicTotals, Packet, PacketEndpointConfig, PacketProtocol,
    PacketQueue, ProtocolCounter, RawBind, SocketQueue, UdpBind,
};
use corelane::wire::{
    IpProtocol, Offload, Offloads, PartialChecksum, SegmentKind, Segmentation, SuperFrame,
    checksum, parse_tcp, parse_udp,
};

const ALL: Offloads = Offloads {
    checksum: true,
    tcp_v4: true,
    tcp_v6: true,
    udp: true,
};

/// The longest frame there is.
const LONGEST: usize = 65_549;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 256) as u8).collect()
}

/// The sum of the pseudo header: what stands in the place of a checksum that is left to do.
fn pseudo(source: &str, destination: &str, protocol: IpProtocol, len: usize) -> [u8; 2] {
    let sum = match (ip(source), ip(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            checksum::pseudo_header_ipv4(source, destination, protocol, len as u16)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            checksum::pseudo_header_ipv6(source, destination, protocol, len as u32)
        }
        _ => panic!("one family"),
    };
    sum.fold().to_be_bytes()
}

/// A frame with a partial checksum, and what is left to do with it: to be cut, if there is a size.
fn undone(source: &str, destination: &str, segment: Vec<u8>, size: u16) -> (Vec<u8>, Offload) {
    let is_tcp = segment.len() >= 20 && segment[12] == 0x50 && segment[13] != 0;
    let (protocol, offset, header) = if is_tcp {
        (IpProtocol::TCP, 16, 20)
    } else {
        (IpProtocol::UDP, 6, 8)
    };
    let mut segment = segment;
    let place = usize::from(offset);
    let sum = pseudo(source, destination, protocol, segment.len());
    segment[place..place + 2].copy_from_slice(&sum);
    let start: u16 = if source.contains(':') { 54 } else { 34 };
    let kind = match (is_tcp, start) {
        (true, 34) => SegmentKind::TcpV4,
        (true, _) => SegmentKind::TcpV6,
        (false, _) => SegmentKind::Udp,
    };
    let left = Offload {
        checksum: Some(PartialChecksum { start, offset }),
        segmentation: NonZeroU16::new(size).map(|segment_size| Segmentation {
            kind,
            segment_size,
            header_len: start + header,
            has_cwr: false,
        }),
    };
    (packet(source, destination, protocol.0, &segment), left)
}

/// A TCP segment of this payload, without a checksum.
fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x0f, 0xa0, 0, 81, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x19, 1, 0];
    segment.extend([0; 4]);
    segment.extend(payload);
    segment
}

/// A UDP datagram of this payload, without a checksum.
fn udp_to(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x03, 0xe8];
    segment.extend(port.to_be_bytes());
    segment.extend((payload.len() as u16 + 8).to_be_bytes());
    segment.extend([0; 2]);
    segment.extend(payload);
    segment
}

fn roomy(builder: &mut Builder) {
    builder.pool(PoolConfig {
        slots: 2048,
        ..PoolConfig::for_frames(LONGEST)
    });
}

/// A router whose second link takes this undone, with frames of 1500 bytes.
fn router(offloads: Offloads) -> Net {
    router_of(offloads, 1500, roomy)
}

fn router_of(offloads: Offloads, mtu: usize, configure: impl FnOnce(&mut Builder)) -> Net {
    let egress = Lan {
        offloads,
        mtu,
        ..Lan::new(1)
    };
    let mut net = Net::build(vec![Lan::new(0), egress], unlimited(), configure);
    net.furnish();
    net
}

/// Puts a frame on the link of a NIC, with what is left to do.
fn inject(net: &mut Net, n: usize, frame: &[u8], left: Option<Offload>) {
    let mut put = net.cache.alloc().expect("a free slot");
    put.set_data(frame).expect("room");
    put.set_offload(left);
    let mut burst = Burst::from_iter([put]);
    assert_eq!(net.peers[n].send(0, &mut burst), 1, "room on the link");
}

/// What a NIC has sent.
fn sent(net: &mut Net, n: usize) -> Vec<Frame> {
    let (mut all, mut burst) = (Vec::new(), Burst::new());
    while net.peers[n].recv(&mut burst) > 0 {
        all.extend(burst.drain(..));
    }
    all
}

/// What both NICs of a router counted for a frame from the first one's link; and what it sent.
fn run(net: &mut Net, frame: &[u8], left: Offload) -> ([NicTotals; 2], Vec<Frame>) {
    let before: Vec<_> = net.nics.iter().map(Nic::counters).collect();
    let frame = net.host_sends(0, frame.to_vec());
    inject(net, 0, &frame, Some(left));
    net.poll();
    let since = |n: usize| net.nics[n].counters().since(&before[n]);
    let totals = [since(0), since(1)];
    let out = sent(net, 1);
    // Each that left, or did not, was forwarded, or is a segment of such.
    assert_eq!(
        totals[0].forwarded + totals[1].segments - totals[1].segmented,
        totals[1].sent + totals[1].send_dropped,
        "{totals:?}"
    );
    assert_eq!(totals[1].sent, out.len() as u64);
    (totals, out)
}

/// From the host on the first link to that on the second, by family.
fn hosts() -> [(&'static str, &'static str); 2] {
    [("10.0.0.9", "10.0.1.9"), ("2001:db8:0::9", "2001:db8:1::9")]
}

/// All kinds of super-frames, with their payloads.
fn super_frames(len: usize, size: u16) -> Vec<(Vec<u8>, Offload, Vec<u8>)> {
    let payload = bytes(len);
    let mut all = Vec::new();
    for (source, destination) in hosts() {
        for segment in [tcp(&payload), udp_to(7, &payload)] {
            let (frame, left) = undone(source, destination, segment, size);
            all.push((frame, left, payload.clone()));
        }
    }
    all
}

/// The payload of a TCP segment or datagram whose checksum is right.
fn checked(frame: &[u8]) -> Vec<u8> {
    let sent = read(frame);
    match (sent.source, sent.destination, sent.protocol) {
        (IpAddr::V4(from), IpAddr::V4(to), 6) => {
            let segment = parse_tcp(&sent.payload).unwrap();
            segment.verify_checksum_ipv4(from, to).unwrap();
            segment.payload.to_vec()
        }
        (IpAddr::V6(from), IpAddr::V6(to), 6) => {
            let segment = parse_tcp(&sent.payload).unwrap();
            segment.verify_checksum_ipv6(from, to).unwrap();
            segment.payload.to_vec()
        }
        (IpAddr::V4(from), IpAddr::V4(to), 17) => {
            let datagram = parse_udp(&sent.payload).unwrap();
            datagram.verify_checksum_ipv4(from, to).unwrap();
            datagram.payload.to_vec()
        }
        (IpAddr::V6(from), IpAddr::V6(to), 17) => {
            let datagram = parse_udp(&sent.payload).unwrap();
            datagram.verify_checksum_ipv6(from, to).unwrap();
            datagram.payload.to_vec()
        }
        _ => panic!("one family, TCP or UDP"),
    }
}

#[test]
fn super_frames_go_on_whole_where_the_link_takes_them() {
    let mut net = router(ALL);
    for (frame, left, _) in super_frames(60_000, 1400) {
        let (totals, out) = run(&mut net, &frame, left);
        let [out] = &out[..] else {
            panic!("{} frames", out.len());
        };
        assert_eq!(out.offload(), Some(left));
        let (before, after) = (read(&frame), read(out.data()));
        assert_eq!((after.ttl, &after.payload), (2, &before.payload));
        assert_eq!(after.destination_mac, host_mac(1));
        assert_eq!((totals[0].received, totals[0].forwarded), (1, 1));
        assert_eq!((totals[1].segmented, totals[1].checksums_completed), (0, 0));
    }
    net.assert_no_leak();
}

#[test]
fn super_frames_are_cut_where_the_link_does_not_take_them() {
    let udp_only = Offloads {
        checksum: true,
        udp: true,
        ..Offloads::NONE
    };
    for (offloads, workers) in [(Offloads::NONE, 1), (udp_only, 1), (Offloads::NONE, 2)] {
        let mut net = router_of(offloads, 1500, |builder| {
            roomy(builder);
            builder.workers(workers);
        });
        // More segments than a burst has, and one.
        for (len, size) in [(60_000, 1400), (60_000, 500), (1401, 1400)] {
            for (frame, left, payload) in super_frames(len, size) {
                if offloads.take(&left) {
                    continue;
                }
                let (totals, out) = run(&mut net, &frame, left);
                let count = len.div_ceil(size.into());
                assert_eq!(out.len(), count);
                assert!(out.iter().all(|it| !it.has_offload() && it.len() <= 1514));
                let joined: Vec<u8> = out.iter().flat_map(|it| checked(it.data())).collect();
                assert_eq!(joined, payload);
                assert!(out.iter().all(|it| read(it.data()).ttl == 2));
                assert_eq!((totals[0].received, totals[0].forwarded), (1, 1));
                let cut = (totals[1].segmented, totals[1].segments);
                assert_eq!(cut, (1, count as u64));
            }
        }
        net.assert_no_leak();
    }
}

#[test]
fn checksums_are_left_to_links_that_take_them() {
    for offloads in [ALL, Offloads::NONE] {
        let mut net = router(offloads);
        for (source, destination) in hosts() {
            for segment in [tcp(b"payload"), udp_to(7, b"payload")] {
                let (frame, left) = undone(source, destination, segment, 0);
                // With padding of the link it came from.
                let padded = [&frame[..], &[0xff; 10]].concat();
                let (totals, out) = run(&mut net, &padded, left);
                let [out] = &out[..] else {
                    panic!("{} frames", out.len());
                };
                assert_eq!(out.len(), frame.len());
                if offloads == ALL {
                    assert_eq!(out.offload(), Some(left));
                    assert_eq!(read(out.data()).payload, read(&frame).payload);
                } else {
                    assert!(!out.has_offload());
                    assert_eq!(checked(out.data()), b"payload");
                }
                let completed = u64::from(offloads == Offloads::NONE);
                assert_eq!(totals[1].checksums_completed, completed);
            }
        }
        net.assert_no_leak();
    }
}

#[test]
fn others_of_the_burst_stay_in_order() {
    let mut net = router(Offloads::NONE);
    let (frame, left) = undone("10.0.0.9", "10.0.1.9", udp_to(7, &bytes(5000)), 1400);
    let frame = net.host_sends(0, frame);
    let plain = net.udp(0, "10.0.1.9");
    for (frame, left) in [(&plain, None), (&frame, Some(left)), (&plain, None)] {
        inject(&mut net, 0, frame, left);
    }
    net.poll();
    let lens: Vec<_> = sent(&mut net, 1).iter().map(Frame::len).collect();
    assert_eq!(lens, [plain.len(), 1442, 1442, 1442, 842, plain.len()]);
}

#[test]
fn segments_that_do_not_fit_are_too_big() {
    let mut net = router_of(ALL, 1300, roomy);
    for (frame, left, _) in super_frames(5000, 1400) {
        let (totals, out) = run(&mut net, &frame, left);
        assert!(out.is_empty());
        assert_eq!(totals[0].dropped_for(DropReason::PacketTooBig), 1);
        let told = sent(&mut net, 0);
        let problem = problem(told[0].data());
        let is_v4 = problem.to.is_ipv4();
        let expected = if is_v4 { (3, 4) } else { (2, 0) };
        assert_eq!((problem.kind, problem.code), expected);
        assert_eq!(problem.rest, 1300, "the MTU");
        // As it came.
        assert_eq!(problem.quoted, frame[14..][..problem.quoted.len()]);
    }
    net.assert_no_leak();
}

#[test]
fn segments_that_do_not_fit_are_cut_into_fragments_if_they_may_be() {
    for offloads in [ALL, Offloads::NONE] {
        let mut net = router_of(offloads, 1300, roomy);
        let payload = bytes(60_000);
        for segment in [tcp(&payload), udp_to(7, &payload)] {
            let (frame, left) = undone("10.0.0.9", "10.0.1.9", segment, 1400);
            let (frame, count) = (may_be_cut(frame), 60_000usize.div_ceil(1400));
            let before = net.nics[1].counters();
            let frame = net.host_sends(0, frame);
            inject(&mut net, 0, &frame, Some(left));
            net.poll();
            let totals = net.nics[1].counters().since(&before);
            assert_eq!((totals.segmented, totals.segments), (1, count as u64));
            // All but the last, which is short, are two pieces.
            let out = sent(&mut net, 1);
            assert_eq!(out.len(), 2 * count - 1);
            assert!(out.iter().all(|it| it.len() <= 1314 && !it.has_offload()));
            let host = joined(&out, "10.0.1.9", left_protocol(&left));
            assert_eq!(host, payload);
        }
        // An ordinary one that is not done.
        let (frame, left) = undone("10.0.0.9", "10.0.1.9", udp_to(7, &bytes(1400)), 0);
        let frame = net.host_sends(0, may_be_cut(frame));
        inject(&mut net, 0, &frame, Some(left));
        net.poll();
        let parts: Vec<_> = sent(&mut net, 1)
            .iter()
            .map(|it| read(it.data()).payload)
            .collect();
        assert_eq!(parts.len(), 2);
        let whole = packet("10.0.0.9", "10.0.1.9", 17, &parts.concat());
        assert_eq!(checked(&whole), bytes(1400));
        net.assert_no_leak();
    }
}

/// The payloads of packets of two fragments each.
fn joined(out: &[Frame], destination: &str, protocol: u8) -> Vec<u8> {
    let packets = out.chunks(2).flat_map(|pair| {
        let parts: Vec<_> = pair.iter().map(|it| read(it.data()).payload).collect();
        checked(&packet("10.0.0.9", destination, protocol, &parts.concat()))
    });
    packets.collect()
}

#[test]
fn what_waits_for_its_next_hop_is_cut_when_that_is_known() {
    for offloads in [ALL, Offloads::NONE] {
        let mut net = router_of(offloads, 1300, roomy);
        let payload = bytes(20_000);
        let mut added = net.nics[1].counters();
        for (host, segment) in [
            ("10.0.1.77", tcp(&payload)),
            ("10.0.1.78", udp_to(7, &payload)),
        ] {
            let (frame, left) = undone("10.0.0.9", host, segment, 1400);
            let frame = net.host_sends(0, may_be_cut(frame));
            inject(&mut net, 0, &frame, Some(left));
            net.poll();
            assert_eq!(sent(&mut net, 1).len(), 1, "who has it");
            let stack = net.nics[1].stack();
            let known = stack.add_neighbor(net.nics[1].id(), ip(host), host_mac(7));
            known.unwrap();
            net.poll();
            let out = sent(&mut net, 1);
            let totals = net.nics[1].counters().since(&added);
            let count = 20_000usize.div_ceil(1400);
            assert_eq!((totals.segmented, totals.segments), (1, count as u64));
            assert_eq!(out.len(), 2 * count - 1);
            assert!(out.iter().all(|it| it.len() <= 1314 && !it.has_offload()));
            assert_eq!(joined(&out, host, left_protocol(&left)), payload);
            added = net.nics[1].counters();
        }
        // An ordinary one that is not done.
        let host = "10.0.1.79";
        let (frame, left) = undone("10.0.0.9", host, udp_to(7, &bytes(1400)), 0);
        let frame = net.host_sends(0, may_be_cut(frame));
        inject(&mut net, 0, &frame, Some(left));
        net.poll();
        sent(&mut net, 1);
        let stack = net.nics[1].stack();
        let known = stack.add_neighbor(net.nics[1].id(), ip(host), host_mac(7));
        known.unwrap();
        net.poll();
        let out = sent(&mut net, 1);
        assert_eq!(out.len(), 2);
        assert_eq!(joined(&out, host, 17), bytes(1400));
        let totals = net.nics[1].counters().since(&added);
        assert_eq!(totals.checksums_completed, 1);
        let waited = ProtocolCounter::NeighborPacketsSent;
        assert_eq!(net.nics[1].protocol_counter(waited), 3);
        drop(out);
        net.assert_no_leak();
    }
}

fn left_protocol(left: &Offload) -> u8 {
    match left.segmentation.map(|it| it.kind) {
        Some(SegmentKind::Udp) | None => 17,
        Some(_) => 6,
    }
}

#[test]
fn a_super_frame_at_its_last_hop_is_told_once() {
    let mut net = router(ALL);
    let (frame, left) = undone("10.0.0.9", "10.0.1.9", tcp(&bytes(60_000)), 1400);
    let frame = ttl(frame, 1);
    let (totals, out) = run(&mut net, &frame, left);
    assert!(out.is_empty());
    assert_eq!(totals[0].dropped_for(DropReason::HopLimit), 1);
    let told = sent(&mut net, 0);
    assert_eq!(told.len(), 1);
    let problem = problem(told[0].data());
    assert_eq!((problem.kind, problem.code), (11, 0));
    assert!(told[0].len() <= 14 + 576 && !told[0].has_offload());
}

#[test]
fn a_super_frame_waits_for_its_next_hop_and_goes_whole() {
    for offloads in [ALL, Offloads::NONE] {
        let mut net = router(offloads);
        let payload = bytes(10_000);
        let (frame, left) = undone("10.0.0.9", "10.0.1.77", tcp(&payload), 1400);
        let frame = net.host_sends(0, frame);
        inject(&mut net, 0, &frame, Some(left));
        net.poll();
        assert_eq!(net.nics[0].counters().consumed, 1);
        let asked = sent(&mut net, 1);
        assert_eq!(asked.len(), 1, "who has it");
        let stack = net.nics[1].stack();
        let added = stack.add_neighbor(net.nics[1].id(), ip("10.0.1.77"), host_mac(7));
        added.unwrap();
        net.poll();
        let out = sent(&mut net, 1);
        assert!(
            out.iter()
                .all(|it| read(it.data()).destination_mac == host_mac(7))
        );
        if offloads == ALL {
            assert_eq!(out.len(), 1);
            assert_eq!(out[0].offload(), Some(left));
        } else {
            let joined: Vec<u8> = out.iter().flat_map(|it| checked(it.data())).collect();
            assert_eq!(joined, payload);
        }
    }
}

#[test]
fn segments_without_a_buffer_are_counted() {
    let mut net = router(Offloads::NONE);
    let (frame, left) = undone("10.0.0.9", "10.0.1.9", tcp(&bytes(60_000)), 1400);
    let count = 60_000u64.div_ceil(1400);
    let frame_to = net.host_sends(0, frame.clone());
    inject(&mut net, 0, &frame_to, Some(left));
    for worker in &mut net.parts.workers {
        worker.quiesce();
    }
    // All but ten are out.
    let mut held: Vec<_> = std::iter::from_fn(|| net.cache.alloc()).collect();
    held.truncate(held.len() - 10);
    net.cache.flush();
    let before = net.nics[1].counters();
    net.poll();
    let totals = net.nics[1].counters().since(&before);
    assert_eq!((totals.segmented, totals.segments), (1, count));
    assert_eq!(totals.sent + totals.send_dropped, count);
    assert!(totals.sent <= 10 && totals.send_dropped > 0, "{totals:?}");
    drop(held);
    // And then there are some again.
    sent(&mut net, 1);
    let (totals, out) = run(&mut net, &frame, left);
    assert_eq!((out.len() as u64, totals[1].send_dropped), (count, 0));
    drop(out);
    net.assert_no_leak();
}

#[test]
fn what_is_no_super_frame_is_counted() {
    let size = NonZeroU16::new(100).unwrap();
    let wrong = |kind, header_len| Offload {
        checksum: None,
        segmentation: Some(Segmentation {
            kind,
            segment_size: size,
            header_len,
            has_cwr: false,
        }),
    };
    let mut net = router(Offloads::NONE);
    // What it is said to be, it is not.
    let (frame, _) = undone("10.0.0.9", "10.0.1.9", tcp(&bytes(1000)), 100);
    for kind in [SegmentKind::TcpV6, SegmentKind::Udp] {
        let (totals, out) = run(&mut net, &frame, wrong(kind, 54));
        assert!(out.is_empty());
        assert_eq!((totals[1].segmented, totals[1].send_dropped), (0, 1));
    }
    // To this host, and in fragments.
    let (frame, _) = undone("10.0.0.9", "10.0.0.1", tcp(&bytes(1000)), 100);
    let (totals, _) = run(&mut net, &frame, wrong(SegmentKind::Udp, 42));
    assert_eq!(totals[0].dropped_for(DropReason::SuperFrameInvalid), 1);
    let (frame, _) = undone("10.0.0.9", "10.0.1.9", tcp(&bytes(2000)), 100);
    let (totals, _) = run(&mut net, &may_be_cut(frame), wrong(SegmentKind::Udp, 2000));
    assert_eq!(totals[0].dropped_for(DropReason::SuperFrameInvalid), 1);
    // A checksum that has no place.
    let (frame, mut left) = undone("10.0.0.9", "10.0.0.1", udp_to(7, b"payload"), 0);
    left.checksum = Some(PartialChecksum {
        start: 1000,
        offset: u16::MAX,
    });
    let (totals, _) = run(&mut net, &frame, left);
    assert_eq!((totals[0].delivered, totals[0].checksums_completed), (1, 0));
    net.assert_no_leak();
}

#[test]
fn a_handler_is_given_each_datagram_of_a_super_frame() {
    let mut net = router(Offloads::NONE);
    for (local, remote) in [("10.0.0.1", "10.0.0.9"), ("2001:db8:0::1", "2001:db8:0::9")] {
        for (len, size) in [(5000, 1400), (60_000, 400)] {
            let payload = bytes(len);
            let count = len.div_ceil(size.into()) as u64;
            let (frame, left) = undone(remote, local, udp_to(7, &payload), size);
            let frame = net.host_sends(0, frame);
            let plain = net.udp(0, local);
            let before = net.nics[0].counters();
            for (frame, left) in [(&plain, None), (&frame, Some(left)), (&plain, None)] {
                inject(&mut net, 0, frame, left);
            }
            net.poll();
            let totals = net.nics[0].counters().since(&before);
            assert_eq!(totals.received, 3 + count);
            assert_eq!((totals.consumed, totals.delivered), (1, 2 + count));
            assert_eq!(totals.unpacked, count);
            let frames = frame.len() + 2 * plain.len();
            assert_eq!(totals.received_bytes, frames as u64);
            let got = net.got();
            assert_eq!(got.len() as u64, 2 + count);
            let (first, last) = (&got[0], &got[got.len() - 1]);
            assert_eq!(
                (&first.payload[8..], &last.payload[8..]),
                (&b"payload"[..], &b"payload"[..])
            );
            let mut joined = Vec::new();
            for one in &got[1..got.len() - 1] {
                let whole = packet(remote, local, 17, &one.payload);
                joined.extend(checked(&whole));
            }
            assert_eq!(joined, payload);
        }
    }
    let report = net.parts.monitor.report();
    assert_eq!(report.in_flight, 0);
    net.assert_no_leak();
}

#[test]
fn a_socket_is_given_each_datagram_of_a_super_frame() {
    let mut net = router(Offloads::NONE);
    let bind = UdpBind::new(4000).queue(64);
    let (_socket, mut queues) = net.stack().udp_socket(bind).unwrap();
    let payload = bytes(5000);
    // By the address of another NIC, too.
    for local in ["10.0.0.1", "10.0.1.1"] {
        let (frame, left) = undone("10.0.0.9", local, udp_to(4000, &payload), 1400);
        let (totals, _) = run(&mut net, &frame, left);
        assert_eq!((totals[0].delivered, totals[0].unpacked), (4, 4));
        let mut joined: Vec<u8> = Vec::new();
        while let Some(datagram) = queues.iter_mut().find_map(SocketQueue::recv) {
            joined.extend(datagram.payload());
        }
        assert_eq!(joined, payload);
    }
    // More than its queue holds.
    let (frame, left) = undone("10.0.0.9", "10.0.0.1", udp_to(4000, &bytes(1000)), 10);
    let (totals, _) = run(&mut net, &frame, left);
    assert_eq!((totals[0].delivered, totals[0].unpacked), (64, 100));
    assert_eq!(totals[0].dropped_for(DropReason::SocketFull), 36);
    drop(queues);
    net.assert_no_leak();
}

#[test]
fn ordinary_packets_are_done_before_they_are_delivered() {
    let mut net = router(Offloads::NONE);
    for (local, remote) in [("10.0.0.1", "10.0.0.9"), ("2001:db8:0::1", "2001:db8:0::9")] {
        for segment in [tcp(b"payload"), udp_to(7, b"payload")] {
            let (frame, left) = undone(remote, local, segment, 0);
            let frame = [&frame[..], &[0xff; 6]].concat();
            let (totals, _) = run(&mut net, &frame, left);
            assert_eq!((totals[0].delivered, totals[0].checksums_completed), (1, 1));
            let got = net.got().remove(0);
            let whole = packet(remote, local, got.protocol, &got.payload);
            assert_eq!(checked(&whole), b"payload");
        }
    }
    net.assert_no_leak();
}

/// Tells what is left to do with what it is given, and sends it back.
struct Mirror(mpsc::Sender<(usize, Option<Offload>)>);

impl Handler for Mirror {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let left = packet.frame().offload();
        self.0.send((packet.len(), left)).expect("the test listens");
        if packet.payload().get(2..4) == Some(&[0, 81]) && packet.len() < 6000 {
            return packet.refuse();
        }
        let frame = packet.take();
        assert!(packet.send(frame).is_ok());
    }
}

#[test]
fn super_frames_of_tcp_are_given_whole_and_may_be_sent_so() {
    let (sender, given) = mpsc::channel();
    let mut net = Net::build(vec![Lan::new(0), Lan::new(1)], unlimited(), |builder| {
        roomy(builder);
        builder.handler(move |_| Mirror(sender.clone()));
    });
    net.furnish();
    let config = PacketEndpointConfig::default();
    let (endpoint, mut shown) = net.stack().packet_endpoint(config).unwrap();
    let nic = net.nics[0].clone();
    nic.register_packet_endpoint(PacketProtocol::All, &endpoint)
        .unwrap();
    let (_raw, mut raw) = net
        .stack()
        .raw_socket(RawBind::new(Family::V4, IpProtocol::TCP))
        .unwrap();
    let payload = bytes(6000);
    let (frame, left) = undone("10.0.0.9", "10.0.0.1", tcp(&payload), 1400);
    let (totals, _) = run(&mut net, &frame, left);
    assert_eq!((totals[0].received, totals[0].delivered), (1, 1));
    assert_eq!(
        given.try_iter().collect::<Vec<_>>(),
        [(frame.len(), Some(left))]
    );
    let copy = shown
        .iter_mut()
        .find_map(PacketQueue::try_next)
        .expect("shown");
    assert_eq!(
        (copy.frame.len(), copy.frame.offload()),
        (frame.len(), Some(left))
    );
    let copy = raw.iter_mut().find_map(SocketQueue::recv).expect("a copy");
    assert_eq!(copy.into_frame().offload(), Some(left));
    // It is not longer than the link takes: its segments are not.
    let out = sent(&mut net, 0);
    assert_eq!(out.len(), 5);
    let joined: Vec<u8> = out.iter().flat_map(|it| checked(it.data())).collect();
    assert_eq!(joined, payload);
    // Nobody has verified a checksum that is not there: a reset acknowledges all of it.
    let (frame, left) = undone("10.0.0.9", "10.0.0.1", tcp(&bytes(5000)), 1400);
    let (totals, _) = run(&mut net, &frame, left);
    assert_eq!(totals[0].resets_sent, 1);
    assert_eq!(totals[0].dropped_for(DropReason::UnknownPort), 1);
    let reset = sent(&mut net, 0);
    assert_eq!(checked(reset[0].data()), b"");
}

#[test]
fn a_pool_of_small_slots_cuts_what_fits_them() {
    let mut net = router_of(Offloads::NONE, 1500, |_| {});
    let payload = bytes(1800);
    let (frame, left) = undone("10.0.0.9", "10.0.1.9", tcp(&payload), 900);
    let whole = SuperFrame::parse(&frame, SegmentKind::TcpV4, NonZeroU16::new(900).unwrap());
    assert_eq!(whole.unwrap().count(), 2);
    let (_, out) = run(&mut net, &frame, left);
    let joined: Vec<u8> = out.iter().flat_map(|it| checked(it.data())).collect();
    assert_eq!(joined, payload);
}
