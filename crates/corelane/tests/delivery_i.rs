//! Section I: what becomes of a frame that arrives, and which counters move; and the table of
//! `docs::delivery`, row by row.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use common::net::*;
use common::packets::*;
use common::*;
use corelane::engine::NicConfig;
use corelane::frame::PoolConfig;
use corelane::stack::{
    DropReason, Event, Forwarding, Handler, IcmpCounter, NdpConfig, Nic, NicTotals, Packet,
    PacketEndpointConfig, PacketProtocol, SendError, SendOptions, UdpBind, UdpSendError, UdpSocket,
};
use corelane::wire::arp::ArpPacket;
use corelane::wire::build::build_arp;
use corelane::wire::ndp::{
    AdvertisementSpec, SolicitationSpec, build_neighbor_advertisement, build_neighbor_solicitation,
};
use corelane::wire::{IpProtocol, MacAddr};

/// The page.
const PAGE: &str = include_str!("../src/docs/delivery.rs");

/// A NIC with 10.0.0.1/24 and 2001:db8:0::1/64 that forwards nothing.
fn host() -> Net {
    let net = Net::router(1);
    net.nics[0].set_forwarding(Forwarding::OFF).unwrap();
    net
}

fn arp_request(target: &str) -> Vec<u8> {
    let mut buffer = vec![0; 64];
    let request = ArpPacket::request((host_mac(0), v4("10.0.0.9")), v4(target));
    let len = build_arp(&mut buffer, MacAddr::BROADCAST, &request).unwrap();
    cut(buffer, len)
}

fn solicitation(target: &str) -> Vec<u8> {
    let mut buffer = vec![0; 128];
    let spec = SolicitationSpec::resolution(host_mac(0), v6("2001:db8:0::9"), v6(target));
    let len = build_neighbor_solicitation(&mut buffer, &spec).unwrap();
    cut(buffer, len)
}

fn advertisement(target: &str, source: &str) -> Vec<u8> {
    let mut buffer = vec![0; 128];
    let all = v6("ff02::1");
    let spec = AdvertisementSpec {
        source_mac: host_mac(0),
        source: v6(source),
        destination: all,
        destination_mac: MacAddr::from_ipv6_multicast(all),
        target: v6(target),
        router: false,
        solicited: false,
        override_: true,
        target_link: Some(host_mac(0)),
    };
    let len = build_neighbor_advertisement(&mut buffer, &spec).unwrap();
    cut(buffer, len)
}

/// A destination-options or hop-by-hop header of eight bytes with an option of this type.
fn option(kind: u8) -> [u8; 8] {
    [0, 0, kind, 4, 0, 0, 0, 0]
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;

/// UDP from the host on the link of NIC 0.
fn datagram(destination: &str) -> Vec<u8> {
    let source = if destination.contains(':') {
        "2001:db8:0::9"
    } else {
        "10.0.0.9"
    };
    between(
        udp(source, destination, (1000, 7), b"payload"),
        host_mac(0),
        nic_mac(0),
    )
}

mod table {
    use super::*;

    struct Row {
        frame: &'static str,
        of_arrival: BTreeSet<String>,
        of_egress: BTreeSet<String>,
    }

    fn counters(cell: &str) -> BTreeSet<String> {
        let names = cell.split(", ").filter(|name| !name.is_empty());
        names.map(|it| it.trim_matches('`').to_owned()).collect()
    }

    fn rows() -> Vec<Row> {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("//! | "));
        let rows: Vec<Vec<_>> = rows
            .map(|row| {
                let cells = row.trim_end().trim_end_matches('|').split('|');
                cells.map(str::trim).collect()
            })
            .skip(1)
            .collect();
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), 6, "{row:?}");
            assert_eq!(row[0], (at + 1).to_string(), "steps are numbered");
        }
        rows.iter()
            .map(|row| Row {
                frame: row[2],
                of_arrival: counters(row[3]),
                of_egress: counters(row[4]),
            })
            .collect()
    }

    /// Every counter of NIC `n` by its name.
    fn values(net: &Net, n: usize) -> BTreeMap<String, u64> {
        let totals = net.nics[n].counters();
        let drops = totals.drops().map(|(it, count)| (it.label(), count));
        let icmp = totals.icmp().map(|(it, count)| (it.label(), count));
        let fixed = [
            ("received", totals.received),
            ("received_bytes", totals.received_bytes),
            ("delivered", totals.delivered),
            ("forwarded", totals.forwarded),
            ("consumed", totals.consumed),
            ("sent", totals.sent),
            ("sent_bytes", totals.sent_bytes),
            ("send_dropped", totals.send_dropped),
            ("looped", totals.looped),
            ("resets_sent", totals.resets_sent),
        ];
        fixed
            .into_iter()
            .chain(drops)
            .chain(icmp)
            .chain(net.protocols(n))
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    fn moved(
        before: &BTreeMap<String, u64>,
        after: &BTreeMap<String, u64>,
    ) -> BTreeMap<String, u64> {
        after
            .iter()
            .filter(|(name, count)| before[*name] != **count)
            .map(|(name, count)| (name.clone(), count - before[name]))
            .collect()
    }

    /// What a row does.
    enum Act {
        Frame(Vec<u8>),
        /// Sends to all.
        Broadcast,
    }

    /// Sets up what the row is about, and makes its frame.
    fn act(net: &mut Net, row: &str) -> Act {
        let good = || datagram("10.0.0.1");
        let six = || datagram("2001:db8:0::1");
        let far = || datagram("10.0.1.9");
        let host = |frame| between(frame, host_mac(0), nic_mac(0));
        let echo_reply = |body: &[u8]| host(icmp("10.0.0.9", "10.0.0.1", 0, 0, body));
        let ports = |port| host(udp("10.0.0.9", "10.0.0.1", (1000, port), b"payload"));
        let large = || {
            let frame = udp("10.0.0.9", "10.0.1.9", (1000, 7), &[7; 1400]);
            host(frame)
        };
        let part = |offset, more, len: usize| {
            let payload = vec![0; len];
            host(fragment_v4("10.0.0.9", "10.0.0.1", offset, more, &payload))
        };
        let parts = fragments(&host(udp("10.0.0.9", "10.0.0.1", (1, 7), &[5; 90])), 68, 9);
        Act::Frame(match row {
            "any, on a NIC that is disabled" => {
                net.parts.lifecycle.disable_nic(net.nics[0].id()).unwrap();
                net.poll();
                good()
            }
            "shorter than an Ethernet header" => cut(good(), 13),
            "of a protocol that the NIC does not speak" => set(good(), 13, 7),
            "to nobody's address, shown to a packet endpoint" => {
                let config = PacketEndpointConfig::default();
                let (endpoint, queues) = net.stack().packet_endpoint(config).unwrap();
                let registered =
                    net.nics[0].register_packet_endpoint(PacketProtocol::All, &endpoint);
                registered.unwrap();
                // Kept until the engine is gone: the copies may wait there.
                std::mem::forget(queues);
                datagram("10.0.0.77")
            }
            "ARP that is malformed" => set(arp_request("10.0.0.1"), 15, 9),
            "an ARP request for an address of the NIC" => arp_request("10.0.0.1"),
            "IPv4, shorter than the header" => cut(good(), 33),
            "IPv4 of another version" => patched(good(), |it| it[0] = 0x55),
            "IPv4 with a header length under 20 bytes" => set(good(), 14, 0x44),
            "IPv4 with a total length over the frame's" => patched(good(), |it| it[3] = 200),
            "IPv4 with a wrong header checksum" => {
                let wrong = good()[24] ^ 1;
                set(good(), 24, wrong)
            }
            "IPv4 from an address of the NIC itself" => {
                host(udp("10.0.0.1", "10.0.0.1", (1, 7), b"payload"))
            }
            "IPv6, shorter than the header" => cut(six(), 53),
            "IPv6 of another version" => set(six(), 14, 0x50),
            "IPv6 with a payload length over the frame's" => set(six(), 19, 255),
            "IPv6 from a group" => host(udp("ff02::1", "2001:db8:0::1", (1, 7), b"payload")),
            "to nobody's address" => datagram("10.0.0.77"),
            "IPv4 with a source route" => with_options(good(), &[131, 3, 4, 0]),
            "IPv4 with malformed options" => with_options(good(), &[7, 1, 4, 0]),
            "IPv6 with an option that says to discard" => {
                extended(six(), DESTINATION, &[&option(0x5e)])
            }
            "IPv6 with an option that says to tell the sender" => {
                extended(six(), DESTINATION, &[&option(0x9e)])
            }
            "IPv6 with nothing behind its headers" => set(six(), 20, NO_NEXT),
            "a fragment without a payload" => part(8, true, 0),
            "the first fragment of a datagram" => part(0, true, 16),
            "a fragment that overlaps another" => {
                net.run(0, &[part(0, true, 32)]);
                part(16, true, 32)
            }
            "the last fragment of a datagram" => {
                let (last, others) = parts.split_last().unwrap();
                net.run(0, others);
                last.clone()
            }
            "UDP with a length over the packet's" => set(good(), 39, 200),
            "ICMP shorter than its header" => host(packet("10.0.0.9", "10.0.0.1", 1, &[8, 0, 1])),
            "ICMP with a wrong checksum" => {
                let frame = echo_reply(b"data");
                let wrong = frame[36] ^ 1;
                set(frame, 36, wrong)
            }
            "an echo request" => host(ping("10.0.0.9", "10.0.0.1", b"data")),
            "an echo reply" => echo_reply(b"data"),
            "a neighbor solicitation with a hop limit under 255" => {
                hop_limit(solicitation("2001:db8:0::1"), 254)
            }
            "a neighbor solicitation for an address of the NIC" => solicitation("2001:db8:0::1"),
            "an ICMP error about what was never sent" => {
                let quoted = &udp("10.0.0.1", "10.0.0.9", (5, 6), b"")[NETWORK..];
                host(icmp("10.0.0.9", "10.0.0.1", 3, 3, quoted))
            }
            "IGMP with a wrong checksum" => {
                let message = [0x11, 0, 0, 1, 0, 0, 0, 0];
                ttl(host(packet("10.0.0.9", "10.0.0.1", 2, &message)), 1)
            }
            "MLD without a router alert" => {
                let frame = icmp("fe80::9", "2001:db8:0::1", 130, 0, &[0; 16]);
                hop_limit(host(frame), 1)
            }
            "UDP to an address of the NIC" => good(),
            "one that the handler panics over" => {
                host(udp("10.0.0.9", "10.0.0.1", (1000, 7), PANIC))
            }
            "UDP that the handler refuses" => ports(REFUSED),
            "TCP that the handler refuses" => host(syn("10.0.0.9", "10.0.0.1", REFUSED)),
            "refused, with a wrong checksum" => {
                let frame = ports(REFUSED);
                let wrong = frame[40] ^ 1;
                set(frame, 40, wrong)
            }
            "of a transport that the handler refuses" => {
                host(packet("10.0.0.9", "10.0.0.1", REFUSED as u8, b"whatever"))
            }
            "an echo reply that the handler refuses" => echo_reply(REFUSE),
            "what the NIC sent to all, as it comes back" => return Act::Broadcast,
            "for another host, without a route" => datagram("203.0.113.1"),
            "to a link-local address" => datagram("169.254.1.1"),
            "for an address of another NIC" => datagram("10.0.1.1"),
            "for all hosts of another NIC's subnet" => datagram("10.0.1.255"),
            "from a link-local address, for a host on another link" => {
                host(udp("fe80::9", "2001:db8:1::9", (1000, 7), b"payload"))
            }
            "for another host, with a TTL of 1" => ttl(far(), 1),
            "for another host, larger than the next link takes, not to be cut" => large(),
            "for another host, larger than the next link takes" => may_be_cut(large()),
            "for another host whose link address is not known" => datagram("10.0.1.77"),
            "for another host whose link address is not known, larger than the next link takes" => {
                let frame = udp("10.0.0.9", "10.0.1.77", (1000, 7), &[7; 1400]);
                may_be_cut(host(frame))
            }
            "for another host who does not answer" => {
                let frame = datagram("10.0.1.77");
                net.run(0, std::slice::from_ref(&frame));
                for _ in 0..5 {
                    net.advance(Duration::from_secs(1));
                }
                // Now and then one is asked about again.
                net.run(0, std::slice::from_ref(&frame));
                frame
            }
            "for another host" => far(),
            other => panic!("no frame for the row '{other}'"),
        })
    }

    #[test]
    fn exactly_the_counters_that_a_row_names_move() {
        let rows = rows();
        assert!(rows.len() > 50, "{} rows", rows.len());
        let mut failed = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let mut lans = vec![Lan::new(0), Lan::new(1)];
            lans[1].mtu = 1000;
            let mut net = Net::build(lans, unlimited(), |_| {});
            net.furnish();
            if at + 1 < 45 {
                net.nics[0].set_forwarding(Forwarding::OFF).unwrap();
            }
            let act = act(&mut net, row.frame);
            net.run(0, &[]);
            let before = [values(&net, 0), values(&net, 1)];
            let len = match act {
                Act::Frame(frame) => {
                    net.inject(0, &frame);
                    frame.len() as u64
                }
                Act::Broadcast => {
                    let route = net.nics[0].route(None, ip("255.255.255.255")).unwrap();
                    let options = SendOptions::default();
                    let sent = route.write_packet_with(IpProtocol(200), &[0; 12], options);
                    sent.unwrap();
                    14 + 20 + 12
                }
            };
            net.poll();
            let mut of_arrival = moved(&before[0], &values(&net, 0));
            let of_egress = moved(&before[1], &values(&net, 1));
            let received = of_arrival.remove("received");
            let bytes = of_arrival.remove("received_bytes");
            let is_right = (received, bytes) == (Some(1), Some(len))
                && of_arrival.keys().eq(&row.of_arrival)
                && of_egress.keys().eq(&row.of_egress);
            if !is_right {
                failed.push(format!(
                    "{} {}: {received:?} {bytes:?} of {len} {of_arrival:?} {of_egress:?}",
                    at + 1,
                    row.frame
                ));
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn every_drop_reason_is_in_the_table_or_said_to_have_no_row() {
        let named: BTreeSet<_> = rows().into_iter().flat_map(|row| row.of_arrival).collect();
        let (_, prose) = PAGE.split_once("has no row: ").unwrap();
        let prose = prose.split("\n//!\n").next().unwrap();
        for reason in DropReason::ALL {
            let label = format!("`{}`", reason.label());
            let is_in_row = named.contains(reason.label());
            assert_ne!(is_in_row, prose.contains(&label), "{label}");
        }
    }

    #[test]
    fn numbers_of_section_i_and_the_stages_are_there() {
        let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/src/node");
        for line in PAGE
            .lines()
            .filter(|line| line.starts_with("//! | "))
            .skip(1)
        {
            let stage = line.split('|').nth(2).unwrap().trim().trim_matches('`');
            let file = format!("{nodes}/{stage}.rs");
            assert!(std::path::Path::new(&file).exists(), "{file}");
        }
    }
}

#[test]
fn i1_every_frame_counts_with_all_of_its_bytes() {
    let mut net = host();
    let mut padded = datagram("10.0.0.1");
    padded.resize(90, 0);
    let frames = [
        datagram("10.0.0.1"),
        padded,
        datagram("10.0.0.77"),
        cut(datagram("10.0.0.1"), 5),
        arp_request("10.0.0.1"),
        set(datagram("10.0.0.1"), 12, 0x99),
    ];
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let ran = net.run(0, &frames);
    let totals = &ran.totals[0];
    assert_eq!((totals.received, totals.received_bytes), (6, bytes as u64));
    net.parts.lifecycle.disable_nic(net.nics[0].id()).unwrap();
    let ran = net.run(0, &frames);
    let totals = &ran.totals[0];
    assert_eq!((totals.received, totals.received_bytes), (6, bytes as u64));
    assert_eq!(ran.only_drop(0, DropReason::NicDisabled), 6);
    net.assert_no_leak();
}

#[test]
fn i2_an_unknown_protocol_goes_no_further() {
    let mut net = host();
    net.nics[0].set_promiscuous(true).unwrap();
    // LLDP, 802.1Q, a length of IEEE 802.3, and 0.
    let frames: Vec<_> = [0x88cc_u16, 0x8100, 60, 0]
        .into_iter()
        .map(|ethertype| {
            let mut frame = datagram("10.0.0.1");
            frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
            frame
        })
        .collect();
    let ran = net.run(0, &frames);
    assert_eq!(ran.only_drop(0, DropReason::UnknownProtocol), 4);
    assert!(net.got().is_empty());
    // A protocol that the stack has and the NIC does not is unknown to it too.
    let mut lan = Lan::new(0);
    lan.config = NicConfig::new("six").protocols(corelane::stack::Protocols::V6);
    let mut net = Net::build(vec![lan], unlimited(), |_| {});
    let ran = net.run(0, &[datagram("10.0.0.1"), arp_request("10.0.0.1")]);
    assert_eq!(ran.only_drop(0, DropReason::UnknownProtocol), 2);
}

#[test]
fn i3_i8_packet_endpoints_come_before_every_check_and_change_no_fate() {
    let mut net = host();
    let (endpoint, mut queues) = net
        .stack()
        .packet_endpoint(PacketEndpointConfig::default())
        .unwrap();
    net.nics[0]
        .register_packet_endpoint(PacketProtocol::All, &endpoint)
        .unwrap();
    let wrong = patched(datagram("10.0.0.1"), |header| header[0] = 0x65);
    let frames = [
        cut(datagram("10.0.0.1"), 9),
        set(datagram("10.0.0.1"), 13, 7),
        wrong,
        datagram("10.0.0.77"),
        datagram("10.0.0.1"),
    ];
    let ran = net.run(0, &frames);
    let shown: Vec<_> = std::iter::from_fn(|| queues[0].try_next())
        .map(|shown| shown.frame.data().to_vec())
        .collect();
    assert_eq!(shown, frames);
    let totals = &ran.totals[0];
    for reason in [
        DropReason::EthernetTruncated,
        DropReason::UnknownProtocol,
        DropReason::Ip4Version,
        // Also of one that was shown to somebody.
        DropReason::InvalidAddress,
    ] {
        assert_eq!(totals.dropped_for(reason), 1, "{}", reason.label());
    }
    assert_eq!(totals.delivered, 1);
    drop(queues);
    net.assert_no_leak();
}

#[test]
fn i4_ip_packets_are_the_received_ones_without_the_others() {
    let mut net = host();
    let frames = [
        datagram("10.0.0.1"),
        datagram("2001:db8:0::1"),
        datagram("10.0.0.77"),
        set(datagram("10.0.0.1"), 24, 0),
        arp_request("10.0.0.77"),
        set(arp_request("10.0.0.1"), 15, 9),
        cut(datagram("10.0.0.1"), 5),
        set(datagram("10.0.0.1"), 12, 0x99),
    ];
    let ran = net.run(0, &frames);
    let totals = &ran.totals[0];
    let arp = net.protocols(0)["arp_requests_received"];
    let others = [
        DropReason::EthernetTruncated,
        DropReason::UnknownProtocol,
        DropReason::ArpInvalid,
    ];
    let others: u64 = others.map(|it| totals.dropped_for(it)).iter().sum();
    assert_eq!((arp, others), (1, 3));
    assert_eq!(totals.received - arp - others, 4);
}

#[test]
fn i5_headers_that_are_cut_short_are_counted_by_protocol() {
    for len in 14..34 {
        let mut net = host();
        let frame = cut(datagram("10.0.0.1"), len);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::Ip4Truncated), 1, "{len}");
    }
    for len in 14..54 {
        let mut net = host();
        let ran = net.run(0, &[cut(datagram("2001:db8:0::1"), len)]);
        assert_eq!(ran.only_drop(0, DropReason::Ip6Truncated), 1, "{len}");
    }
    for len in 14..42 {
        let mut net = host();
        let ran = net.run(0, &[cut(arp_request("10.0.0.1"), len)]);
        assert_eq!(ran.only_drop(0, DropReason::ArpInvalid), 1, "{len}");
        ran.nothing_sent();
    }
}

#[test]
fn i6_i11_bug17_no_broken_header_gets_through() {
    let mut net = host();
    net.nics[0].set_promiscuous(true).unwrap();
    // Each bit of an IPv4 header turned over: either the checksum shows it, or a length or version.
    for bit in 0..160 {
        let mut frame = datagram("10.0.0.1");
        frame[NETWORK + bit / 8] ^= 1 << (bit % 8);
        let ran = net.run(0, &[frame]);
        let drops: Vec<_> = ran.totals[0].drops().filter(|(_, n)| *n > 0).collect();
        assert_eq!(drops.len(), 1, "bit {bit}");
        let expected = [
            DropReason::Ip4Checksum,
            DropReason::Ip4Version,
            DropReason::Ip4HeaderLength,
            DropReason::Ip4TotalLength,
        ];
        assert!(expected.contains(&drops[0].0), "bit {bit}: {drops:?}");
    }
    assert!(net.got().is_empty());
    for version in (0..16).filter(|it| *it != 4) {
        let frame = patched(datagram("10.0.0.1"), |header| header[0] = version << 4 | 5);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::Ip4Version), 1, "{version}");
    }
    for version in (0..16).filter(|it| *it != 6) {
        let frame = set(datagram("2001:db8:0::1"), NETWORK, version << 4);
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::Ip6Version), 1, "{version}");
    }
}

/// Whoever they are for, and whatever the NIC takes.
#[test]
fn i6_bug17_martians_are_refused() {
    let martians = [
        // Groups, the broadcast, class E.
        ("224.0.0.1", "10.0.0.1"),
        ("239.255.255.255", "10.0.0.1"),
        ("255.255.255.255", "10.0.0.1"),
        ("240.0.0.1", "10.0.0.1"),
        // Loopback on the wire, either side.
        ("127.0.0.1", "10.0.0.1"),
        ("127.255.0.9", "10.0.0.1"),
        ("10.0.0.9", "127.0.0.1"),
        // The NIC's own, and the broadcast of its subnet.
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "224.0.0.1"),
        ("10.0.0.1", "255.255.255.255"),
        ("10.0.0.255", "10.0.0.1"),
        ("ff02::1", "2001:db8:0::1"),
        ("ff0e::99", "2001:db8:0::1"),
        ("::1", "2001:db8:0::1"),
        ("2001:db8:0::9", "::1"),
        ("::ffff:10.0.0.9", "2001:db8:0::1"),
        ("2001:db8:0::9", "::ffff:10.0.0.1"),
        ("2001:db8:0::1", "2001:db8:0::1"),
        ("2001:db8:0::1", "ff02::1"),
    ];
    for promiscuous in [false, true] {
        for forwarding in [Forwarding::OFF, Forwarding::ON] {
            let mut net = host();
            net.nics[0].set_promiscuous(promiscuous).unwrap();
            net.nics[0].set_forwarding(forwarding).unwrap();
            net.route("0.0.0.0/0", Some("10.0.0.254"), 0);
            net.route("::/0", Some("2001:db8:0::fe"), 0);
            for (source, destination) in martians {
                let frames = [
                    udp(source, destination, (1, 7), b"payload"),
                    ping(source, destination, b"payload"),
                ];
                let ran = net.run(0, &frames);
                let dropped = ran.only_drop(0, DropReason::Martian);
                assert_eq!(dropped, 2, "{source} {destination}");
                ran.nothing_sent();
            }
            assert!(net.got().is_empty());
            net.assert_no_leak();
        }
    }
}

#[test]
fn i6_an_own_source_is_one_for_as_long_as_the_address_is_there() {
    let mut net = host();
    let own = || udp("10.0.0.2", "10.0.0.1", (1, 7), b"payload");
    let broadcast = || udp("10.0.0.255", "10.0.0.1", (1, 7), b"payload");
    assert_eq!(net.run(0, &[own()]).totals[0].delivered, 1);
    net.nics[0].add_address(prefix("10.0.0.2/24")).unwrap();
    assert_eq!(net.run(0, &[own()]).only_drop(0, DropReason::Martian), 1);
    let held = net.nics[0].hold(ip("10.0.0.2")).unwrap();
    net.nics[0].remove_address(ip("10.0.0.2")).unwrap();
    assert_eq!(
        net.run(0, &[own()]).totals[0].delivered,
        1,
        "by now another's"
    );
    drop(held);
    let ran = net.run(0, &[broadcast()]);
    assert_eq!(ran.only_drop(0, DropReason::Martian), 1);
    net.nics[0].remove_address(ip("10.0.0.1")).unwrap();
    net.nics[0].add_address(prefix("10.0.0.1/32")).unwrap();
    assert_eq!(net.run(0, &[broadcast()]).totals[0].delivered, 1);
}

#[test]
fn i6_sources_that_may_be_are_taken() {
    let mut net = host();
    let frames = [
        // DHCP, and hosts without an address.
        udp("0.0.0.0", "255.255.255.255", (68, 67), b"payload"),
        udp("169.254.7.7", "10.0.0.1", (1, 7), b"payload"),
        udp("fe80::7", "2001:db8:0::1", (1, 7), b"payload"),
        udp("fc00::7", "2001:db8:0::1", (1, 7), b"payload"),
        // From a host of the same name in another subnet.
        udp("10.0.1.1", "10.0.0.1", (1, 7), b"payload"),
    ];
    assert_eq!(net.run(0, &frames).totals[0].delivered, 5);
}

/// What the NIC itself sent, from its own address.
#[test]
fn i6_what_comes_back_of_what_was_sent_to_many_is_taken() {
    let mut lan = Lan::new(0);
    lan.config = NicConfig::new("n0").seed(7).multicast_loop(true);
    let mut net = Net::build(vec![lan], unlimited(), |_| {});
    net.furnish();
    net.nics[0].join_group(ip("239.1.2.3")).unwrap();
    for group in ["239.1.2.3", "255.255.255.255", "10.0.0.255", "ff02::1"] {
        let before: Vec<_> = net.nics.iter().map(Nic::counters).collect();
        let route = net.nics[0].route(None, ip(group)).unwrap();
        route
            .write_packet(IpProtocol(200), b"to you all", None)
            .unwrap();
        let ran = net.ran(&before);
        let totals = &ran.totals[0];
        assert_eq!((totals.looped, totals.delivered, totals.sent), (1, 1, 1));
        let got = net.got();
        assert_eq!(got[0].source, route.local(), "{group}");
        // The same frame from the wire is somebody else's.
        let ran = net.run(0, &[ran.only(0).to_vec()]);
        assert_eq!(ran.only_drop(0, DropReason::Martian), 1, "{group}");
    }
    net.assert_no_leak();
}

#[test]
fn i6_neighbor_discovery_may_come_from_an_own_address() {
    let mut lan = Lan::new(0);
    lan.config = NicConfig::new("n0").seed(7).ndp(NdpConfig::default());
    let mut net = Net::build(vec![lan], unlimited(), |_| {});
    let address = ip("2001:db8:0::1");
    net.nics[0].add_address(address).unwrap();
    net.poll();
    // While it is probed: a duplicate.
    let claim = || advertisement("2001:db8:0::1", "2001:db8:0::1");
    let ran = net.run(0, &[claim()]);
    assert_eq!(ran.totals[0].consumed, 1, "{ran:?}");
    assert!(!net.nics[0].has_address(address), "given up");
    let duplicate = |it: &Event| matches!(it, Event::DuplicateAddress { .. });
    assert!(net.events().iter().any(duplicate));
    // In use: a conflict.
    net.nics[0].add_address(address).unwrap();
    net.advance(Duration::from_secs(2));
    assert!(!net.nics[0].is_tentative(address).unwrap());
    net.run(0, &[claim()]);
    let conflict = |it: &Event| matches!(it, Event::AddressConflict { .. });
    assert!(net.events().iter().any(conflict));
    assert_eq!(net.protocols(0)["address_conflicts"], 1);
    // Anything else from there is not.
    let ran = net.run(0, &[udp("2001:db8:0::1", "2001:db8:0::1", (1, 7), b"x")]);
    assert_eq!(ran.only_drop(0, DropReason::Martian), 1);
}

#[test]
fn i7_a_packet_for_an_address_is_delivered_and_answered_where_it_came_from() {
    let mut net = host();
    let ran = net.run(0, &[datagram("10.0.0.1"), datagram("2001:db8:0::1")]);
    let totals = NicTotals {
        received: 2,
        received_bytes: ran.totals[0].received_bytes,
        delivered: 2,
        ..NicTotals::default()
    };
    assert_eq!(ran.totals[0], totals, "nothing else moves");
    let got = net.got();
    assert_eq!(got[0].source, ip("10.0.0.9"));
    assert_eq!(got[0].destination, ip("10.0.0.1"));
    assert_eq!(&got[0].payload[8..], b"payload");
    // From the NIC's link address to the frame's source, whatever the neighbor is known by.
    let stranger = MacAddr([2, 0, 0, 0, 0, 0x77]);
    let request = between(ping("10.0.0.9", "10.0.0.1", b"x"), stranger, nic_mac(0));
    let ran = net.run(0, &[request]);
    let reply = read(ran.only(0));
    assert_eq!(
        (reply.source_mac, reply.destination_mac),
        (nic_mac(0), stranger)
    );
    assert_eq!(
        (reply.source, reply.destination),
        (ip("10.0.0.1"), ip("10.0.0.9"))
    );
}

#[test]
fn i8_i9_i10_not_found_forwarding_decides() {
    let mut net = Net::router(2);
    let frames = || [datagram("203.0.113.1"), datagram("10.0.1.9")];
    net.nics[0].set_forwarding(Forwarding::OFF).unwrap();
    let ran = net.run(0, &frames());
    assert_eq!(ran.only_drop(0, DropReason::InvalidAddress), 2);
    ran.nothing_sent();
    net.nics[0].set_forwarding(Forwarding::ON).unwrap();
    let ran = net.run(0, &frames());
    assert_eq!(ran.only_drop(0, DropReason::NoRoute), 1);
    assert_eq!((ran.totals[0].forwarded, ran.totals[1].sent), (1, 1));
    assert_eq!(ran.out[1].len(), 1);
    assert_eq!(problem(&ran.out[0][0]).kind, 3);
}

#[test]
fn i11_padding_is_cut_and_options_are_looked_at() {
    let mut net = host();
    let good = || datagram("10.0.0.1");
    let mut padded = with_options(good(), &[148, 4, 0, 0]);
    padded.resize(120, 0xaa);
    // Accepted: router alert, record route, time stamp, no operations, the end of the list.
    let accepted = [
        padded,
        with_options(good(), &[7, 7, 4, 0, 0, 0, 0, 0]),
        with_options(good(), &[68, 8, 5, 0, 0, 0, 0, 0]),
        with_options(good(), &[1, 1, 1, 0]),
        with_options(good(), &[0, 0, 0, 0]),
        // Of no kind that anybody knows.
        with_options(good(), &[0x5d, 4, 1, 2]),
    ];
    let ran = net.run(0, &accepted);
    assert_eq!(ran.totals[0].delivered, 6, "{ran:?}");
    assert!(net.got().iter().all(|it| &it.payload[8..] == b"payload"));
    for route in [[131, 7, 4, 1, 2, 3, 4, 0], [137, 7, 8, 1, 2, 3, 4, 0]] {
        let ran = net.run(0, &[with_options(good(), &route)]);
        assert_eq!(ran.only_drop(0, DropReason::Ip4Options), 1);
        ran.nothing_sent();
    }
    // Malformed, and which byte it is.
    for (options, pointer) in [
        ([7, 1, 4, 0], 21),
        ([7, 9, 4, 0], 21),
        ([7, 3, 3, 0], 22),
        ([1, 1, 1, 68], 23),
        ([148, 3, 0, 0], 21),
    ] {
        let frame = net.host_sends(0, with_options(good(), &options));
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_eq!(ran.only_drop(0, DropReason::Ip4Options), 1);
        let told = problem(ran.only(0));
        assert_eq!((told.kind, told.code, told.rest >> 24), (12, 0, pointer));
        assert_eq!((told.from, told.to), (ip("10.0.0.1"), ip("10.0.0.9")));
        assert_eq!(told.quoted, frame[NETWORK..]);
        assert_eq!(told.mac, host_mac(0));
    }
    assert!(net.got().is_empty());
    net.assert_no_leak();
}

/// Sends fragments in this order and returns what the handler got.
fn put_together(net: &mut Net, parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let ran = net.run(0, parts);
    let totals = &ran.totals[0];
    assert_eq!(totals.consumed, parts.len() as u64 - totals.delivered);
    assert_eq!(totals.dropped(), 0, "{totals:?}");
    ran.nothing_sent();
    let got = net.got();
    got.into_iter().map(|it| it.payload[8..].to_vec()).collect()
}

#[test]
fn i12_fragments_in_any_order_come_out_whole() {
    let mut net = host();
    let payload: Vec<u8> = (0..2000u32).map(|n| n as u8).collect();
    for (source, destination, mtu) in [
        ("10.0.0.9", "10.0.0.1", 300),
        ("2001:db8:0::9", "2001:db8:0::1", 1280),
    ] {
        let whole = udp(source, destination, (1, 7), &payload);
        for order in 0..3 {
            let mut parts = fragments(&whole, mtu, 100 + order);
            assert!(parts.len() > 1);
            match order {
                0 => {}
                1 => parts.reverse(),
                _ => parts.rotate_left(1),
            }
            let got = put_together(&mut net, &parts);
            assert_eq!(got, std::slice::from_ref(&payload), "{destination} {order}");
        }
    }
    net.assert_no_leak();
}

#[test]
fn i12_datagrams_interleave_and_repetitions_do_no_harm() {
    let mut net = host();
    let of = |id: u16| {
        let payload = vec![id as u8; 500];
        fragments(&udp("10.0.0.9", "10.0.0.1", (1, 7), &payload), 300, id)
    };
    let (one, two) = (of(1), of(2));
    let mut parts = Vec::new();
    for (one, two) in one.iter().zip(&two) {
        parts.extend([one.clone(), two.clone()]);
    }
    assert_eq!(put_together(&mut net, &parts).len(), 2);
    let mut twice = vec![one[0].clone()];
    twice.extend(one);
    assert_eq!(put_together(&mut net, &twice).len(), 1);
    net.assert_no_leak();
}

#[test]
fn i12_bug13_fragments_to_addresses_that_nobody_has_come_out_whole() {
    let payload = vec![3; 900];
    for mode in ["promiscuous", "range", "held"] {
        let mut net = host();
        let nic = &net.nics[0];
        let mut held = None;
        match mode {
            "promiscuous" => nic.set_promiscuous(true).unwrap(),
            "range" => {
                nic.add_range(prefix("198.51.100.0/24")).unwrap();
                nic.add_range(prefix("2001:db8:9::/64")).unwrap();
            }
            _ => {
                nic.set_spoofing(true).unwrap();
                held = Some([
                    nic.hold(ip("198.51.100.7")).unwrap(),
                    nic.hold(ip("2001:db8:9::7")).unwrap(),
                ]);
                nic.set_spoofing(false).unwrap();
            }
        }
        for (source, destination, mtu) in [
            ("10.0.0.9", "198.51.100.7", 300),
            ("2001:db8:0::9", "2001:db8:9::7", 1280),
        ] {
            let payload = [&payload[..], &payload[..]].concat();
            let whole = udp(source, destination, (1, 7), &payload);
            let parts = fragments(&whole, mtu, 77);
            assert!(parts.len() > 1);
            let got = put_together(&mut net, &parts);
            assert_eq!(got, [payload], "{mode} {destination}");
        }
        drop(held);
        net.assert_no_leak();
    }
}

#[test]
fn i12_the_longest_datagrams_come_out_whole_and_their_echo_goes_back_in_fragments() {
    let mut net = host();
    let data: Vec<u8> = (0..65_507u32).map(|n| (n * 7) as u8).collect();
    let whole = udp("10.0.0.9", "10.0.0.1", (1, 7), &data);
    let got = put_together(&mut net, &fragments(&whole, 1500, 1));
    assert!(got == [data.clone()], "65,535 bytes of IPv4");
    let six = [&data[..], &data[..20]].concat();
    let whole = udp("2001:db8:0::9", "2001:db8:0::1", (1, 7), &six);
    let got = put_together(&mut net, &fragments(&whole, 1500, 2));
    assert!(got == [six], "65,535 bytes behind an IPv6 header");
    // What comes back is put together by another host.
    for (source, destination) in [("10.0.0.9", "10.0.0.1"), ("2001:db8:0::9", "2001:db8:0::1")] {
        let data = &data[..60_000];
        let request = between(ping(source, destination, data), host_mac(0), nic_mac(0));
        let parts = fragments(&request, 1400, 3);
        let ran = net.run(0, &parts);
        assert_eq!(ran.totals[0].consumed, parts.len() as u64);
        let replies = &ran.out[0];
        assert!(replies.len() > 40, "{} {ran:?}", replies.len());
        assert_eq!(ran.totals[0].sent, replies.len() as u64);
        for frame in replies {
            assert!(frame.len() <= 14 + 1500, "{}", frame.len());
            assert_eq!(read(frame).destination_mac, host_mac(0));
        }
        let mut other = Net::plain(1);
        other.nics[0].add_address(ip(source)).unwrap();
        let ran = other.run(0, replies);
        assert_eq!(ran.totals[0].delivered, 1, "{:?}", ran.totals);
        let got = other.got();
        assert_eq!(got[0].source, ip(destination));
        assert!(got[0].payload[8..] == *data, "{source}");
        let counter = if source.contains(':') {
            IcmpCounter::V6EchoReplyReceived
        } else {
            IcmpCounter::V4EchoReplyReceived
        };
        assert_eq!(ran.totals[0].icmp_of(counter), 1, "its checksum is right");
        other.assert_no_leak();
    }
    net.assert_no_leak();
}

/// A host on a link of this MTU, with so many frames, and room for so many on their way to the link.
fn narrow_host(mtu: usize, slots: usize, room: usize) -> Net {
    let lan = Lan { mtu, ..Lan::new(0) };
    let net = Net::build(vec![lan], unlimited(), |builder| {
        builder.pool(PoolConfig {
            slots,
            ..PoolConfig::default()
        });
        builder.ring_capacity(room);
    });
    net.nics[0].add_address(prefix("10.0.0.1/24")).unwrap();
    net.nics[0].add_address(prefix("2001:db8:0::1/64")).unwrap();
    net
}

#[test]
fn j18_l5_echo_replies_of_more_fragments_than_a_burst_has_are_sent_whole() {
    for (mtu, source, destination) in [
        (276, "10.0.0.9", "10.0.0.1"),
        (800, "10.0.0.9", "10.0.0.1"),
        (1280, "2001:db8:0::9", "2001:db8:0::1"),
    ] {
        let mut net = narrow_host(mtu, 16_384, 256);
        let data = [0x5a; 60_000];
        let request = between(ping(source, destination, &data), host_mac(0), nic_mac(0));
        let ran = net.run(0, &fragments(&request, 1400, 3));
        let (totals, replies) = (&ran.totals[0], &ran.out[0]);
        assert_eq!(
            (totals.sent, totals.send_dropped),
            (replies.len() as u64, 0)
        );
        assert!(replies.iter().all(|frame| frame.len() <= 14 + mtu));
        let counter = match destination.contains(':') {
            true => IcmpCounter::V6EchoReplySent,
            false => IcmpCounter::V4EchoReplySent,
        };
        assert_eq!(totals.icmp_of(counter), 1);
        let mut other = Net::plain(1);
        other.nics[0].add_address(ip(source)).unwrap();
        other.run(0, replies);
        assert!(other.got()[0].payload[8..] == data, "{mtu}");
        net.assert_no_leak();
        other.assert_no_leak();
    }
}

#[test]
fn j18_l5_an_echo_reply_for_which_there_is_no_room_is_not_counted_as_sent() {
    // It is 1,250 fragments: there are too few frames, or is too little room for them.
    for (slots, room) in [(512, 4096), (16_384, 256)] {
        let mut net = narrow_host(68, slots, room);
        let request = ping("10.0.0.9", "10.0.0.1", &[0x5a; 60_000]);
        let request = between(request, host_mac(0), nic_mac(0));
        let ran = net.run(0, &fragments(&request, 1400, 3));
        let totals = &ran.totals[0];
        assert!((1..=129).contains(&totals.send_dropped), "{totals:?}");
        assert_eq!(totals.sent, ran.out[0].len() as u64);
        assert_eq!(totals.icmp_of(IcmpCounter::V4EchoRequestReceived), 1);
        assert_eq!(totals.icmp_of(IcmpCounter::V4EchoReplySent), 0);
        net.assert_no_leak();
    }
}

#[test]
fn i12_malformed_fragments_are_counted_and_end_their_datagram() {
    let mut net = host();
    let part =
        |offset, more, len: usize| fragment_v4("10.0.0.9", "10.0.0.1", offset, more, &vec![1; len]);
    let invalid = DropReason::FragmentInvalid;
    for frame in [
        part(0, true, 0),
        part(8, false, 0),
        // Not the last one, of 9 bytes; beyond 65,535.
        part(0, true, 9),
        part(65_528, false, 100),
    ] {
        assert_eq!(net.run(0, &[frame]).only_drop(0, invalid), 1);
    }
    // Overlap: the datagram is given up, and what comes later of it.
    let ran = net.run(
        0,
        &[part(0, true, 32), part(24, true, 32), part(56, false, 8)],
    );
    assert_eq!(ran.only_drop(0, DropReason::FragmentOverlap), 2);
    assert_eq!(ran.totals[0].consumed, 1);
    assert!(net.got().is_empty());
    net.advance(Duration::from_secs(31));
    net.assert_no_leak();
}

/// RFC 8200 section 4.5: what the sender is told.
#[test]
fn i12_i14_a_malformed_ipv6_fragment_is_answered() {
    let mut net = host();
    let whole = net.host_sends(0, udp("2001:db8:0::9", "2001:db8:0::1", (1, 7), &[1; 2000]));
    let first = fragments(&whole, 1280, 7).swap_remove(0);
    let mut odd = cut(first, 14 + 40 + 8 + 9);
    odd[18..20].copy_from_slice(&17u16.to_be_bytes());
    let ran = net.run(0, &[odd]);
    assert_eq!(ran.totals[0].dropped(), 1, "{ran:?}");
    let told = problem(ran.only(0));
    assert_eq!((told.kind, told.code, told.rest), (4, 0, 4), "the length");
    net.assert_no_leak();
}

#[test]
fn i12_a_datagram_whose_time_is_over_is_told_of_and_forgotten() {
    for (source, destination, mtu, seconds, kind) in [
        ("10.0.0.9", "10.0.0.1", 300, 30, (11, 1)),
        ("2001:db8:0::9", "2001:db8:0::1", 1280, 60, (3, 1)),
    ] {
        let mut net = host();
        let whole = net.host_sends(0, udp(source, destination, (1, 7), &[1; 2000]));
        let parts = fragments(&whole, mtu, 7);
        net.run(0, &parts[..1]);
        assert_eq!(net.stack().reassembly_pool().out(), 1);
        net.advance(Duration::from_secs(seconds - 1));
        assert!(net.take(0).is_empty());
        assert!(net.parts.workers[0].next_deadline().is_some());
        let before = net.nics[0].counters();
        net.advance(Duration::from_secs(2));
        let out = net.take(0);
        assert_eq!(out.len(), 1, "{source}");
        let told = problem(&out[0]);
        assert_eq!((told.kind, told.code), kind);
        assert_eq!((told.from, told.to), (ip(destination), ip(source)));
        assert!(
            parts[0][NETWORK..].starts_with(&told.quoted),
            "the first fragment"
        );
        let totals = net.nics[0].counters().since(&before);
        assert_eq!((totals.sent, totals.received), (1, 0));
        let counter = if source.contains(':') {
            IcmpCounter::V6TimeExceededSent
        } else {
            IcmpCounter::V4TimeExceededSent
        };
        assert_eq!(totals.icmp_of(counter), 1);
        assert_eq!(net.parts.workers[0].next_deadline(), None);
        // The rest begins a new one, which has no first fragment to tell about.
        net.run(0, &parts[1..]);
        net.advance(Duration::from_secs(seconds + 1));
        assert!(net.take(0).is_empty() && net.got().is_empty());
        net.assert_no_leak();
    }
}

/// Has the NIC send itself a datagram of which the last fragment finds no room.
fn send_to_oneself_in_part(net: &mut Net, socket: &UdpSocket, to: SocketAddr) {
    // The queue of what a NIC sends to itself has 256 places.
    for _ in 0..255 {
        socket.send_to(b"whole", to).unwrap();
    }
    let sent = socket.send_to(&[1; 2000], to);
    assert!(matches!(
        sent,
        Err(UdpSendError::Send(SendError::NoBufferSpace))
    ));
    net.poll();
    assert_eq!(net.stack().reassembly_pool().out(), 1);
}

#[test]
fn i12_j15_what_a_nic_tells_itself_of_a_datagram_whose_time_is_over_is_on_no_link() {
    let mut net = host();
    let (socket, queues) = net.stack().udp_socket(UdpBind::new(7)).unwrap();
    let to = SocketAddr::new(ip("10.0.0.1"), 7);
    send_to_oneself_in_part(&mut net, &socket, to);
    let before = net.nics[0].counters();
    net.advance(Duration::from_secs(31));
    assert!(net.take(0).is_empty());
    let totals = net.nics[0].counters().since(&before);
    assert_eq!((totals.sent, totals.looped), (0, 1));
    assert_eq!(totals.icmp_of(IcmpCounter::V4TimeExceededSent), 1);
    assert_eq!(totals.icmp_of(IcmpCounter::V4TimeExceededReceived), 1);
    // When the address has gone meanwhile, there is nobody to be told.
    send_to_oneself_in_part(&mut net, &socket, to);
    let before = net.nics[0].counters();
    net.nics[0].remove_address(to.ip()).unwrap();
    net.advance(Duration::from_secs(31));
    assert!(net.take(0).is_empty());
    let totals = net.nics[0].counters().since(&before);
    assert_eq!((totals.sent, totals.looped), (0, 0));
    assert_eq!(totals.icmp_of(IcmpCounter::V4TimeExceededSent), 0);
    drop((socket, queues));
    net.assert_no_leak();
}

#[test]
fn i12_nothing_is_told_of_a_datagram_on_a_nic_that_went_down() {
    let mut net = host();
    let part = |id| {
        let whole = udp("10.0.0.9", "10.0.0.1", (1, 7), &[1; 2000]);
        fragments(&whole, 300, id).swap_remove(0)
    };
    net.run(0, &[part(1)]);
    net.parts.lifecycle.disable_nic(net.nics[0].id()).unwrap();
    net.advance(Duration::from_secs(31));
    assert!(net.take(0).is_empty());
    net.assert_no_leak();
    net.parts.lifecycle.enable_nic(net.nics[0].id()).unwrap();
    net.run(0, &[part(2)]);
    net.parts.lifecycle.remove_nic(net.nics[0].id()).unwrap();
    net.poll();
    assert_eq!(net.stack().reassembly_pool().out(), 0, "forgotten with it");
}

#[test]
fn i12_a_flood_of_first_fragments_is_bounded() {
    let mut net = host();
    let parts: Vec<_> = (0..1000u16)
        .map(|id| {
            let frame = fragment_v4("10.0.0.9", "10.0.0.1", 0, true, &[0; 64]);
            patched(frame, |header| {
                header[4..6].copy_from_slice(&id.to_be_bytes());
            })
        })
        .collect();
    let ran = net.run(0, &parts);
    assert_eq!(ran.totals[0].consumed, 1000);
    assert_eq!(net.stack().reassembly_pool().out(), 64);
    assert_eq!(net.pool.out(), 0, "no frame of the links is held");
    // The newest have their place.
    let whole = udp("10.0.0.9", "10.0.0.1", (1, 7), &[1; 500]);
    assert_eq!(
        put_together(&mut net, &fragments(&whole, 300, 5000)).len(),
        1
    );
    net.advance(Duration::from_secs(31));
    net.assert_no_leak();
}

#[test]
fn i13_delivered_counts_what_the_handler_is_given_and_icmp_by_its_types() {
    let mut net = host();
    let frames = [
        datagram("10.0.0.1"),
        packet("10.0.0.9", "10.0.0.1", 132, b"any transport"),
        icmp("10.0.0.9", "10.0.0.1", 0, 0, b"reply"),
        icmp("2001:db8:0::9", "2001:db8:0::1", 129, 0, b"reply"),
        ping("10.0.0.9", "10.0.0.1", b"request"),
        ping("2001:db8:0::9", "2001:db8:0::1", b"request"),
    ];
    let totals = net.run(0, &frames).totals.remove(0);
    // An echo reply that nobody here handles is somebody's.
    assert_eq!((totals.delivered, totals.consumed), (4, 2));
    for counter in [
        IcmpCounter::V4EchoReplyReceived,
        IcmpCounter::V6EchoReplyReceived,
        IcmpCounter::V4EchoRequestReceived,
        IcmpCounter::V6EchoRequestReceived,
        IcmpCounter::V4EchoReplySent,
        IcmpCounter::V6EchoReplySent,
    ] {
        assert_eq!(totals.icmp_of(counter), 1, "{}", counter.label());
    }
    assert_eq!(totals.icmp().map(|(_, n)| n).sum::<u64>(), 6);
}

#[test]
fn i14_extension_headers_are_walked() {
    let mut net = host();
    let six = || datagram("2001:db8:0::1");
    let done = [0, 0, 0, 0, 0, 0, 0, 0];
    let accepted = [
        extended(six(), HOP_BY_HOP, &[&option(0x1e)]),
        extended(six(), DESTINATION, &[&option(1)]),
        // At the end of a route of any type; one behind the other.
        extended(six(), ROUTING, &[&done]),
        extended(
            six(),
            HOP_BY_HOP,
            &[&[DESTINATION, 0, 1, 4, 0, 0, 0, 0], &[0; 8]],
        ),
        extended(
            six(),
            DESTINATION,
            &[
                &[ROUTING, 0, 1, 4, 0, 0, 0, 0],
                &[DESTINATION, 0, 9, 0, 0, 0, 0, 0],
                &option(0x1e),
            ],
        ),
        // A fragment that is the whole packet.
        extended(six(), 44, &[&[0, 0, 0, 0, 1, 2, 3, 4]]),
    ];
    for frame in accepted {
        let ran = net.run(0, std::slice::from_ref(&frame));
        assert_eq!(ran.totals[0].delivered, 1, "{frame:02x?}");
        let got = net.got();
        assert_eq!(
            (got[0].protocol, &got[0].payload[8..]),
            (17, &b"payload"[..])
        );
    }
    let no_next = |frame| set(frame, 20, NO_NEXT);
    let ran = net.run(0, &[no_next(six())]);
    assert_eq!(ran.only_drop(0, DropReason::Ip6NoNextHeader), 1);
    ran.nothing_sent();
    net.assert_no_leak();
}

#[test]
fn i14_what_rfc_8200_says_of_unknown_options_and_headers() {
    let mut net = host();
    net.nics[0].join_group(ip("ff05::7")).unwrap();
    let extension = DropReason::Ip6Extension;
    // (the two high bits of the option, told about one to a host, about one to a group)
    for (bits, told, told_group) in [
        (0x40, false, false),
        (0x80, true, true),
        (0xc0, true, false),
    ] {
        for header in [HOP_BY_HOP, DESTINATION] {
            for (destination, told) in [("2001:db8:0::1", told), ("ff05::7", told_group)] {
                let frame = extended(datagram(destination), header, &[&option(bits | 0x1e)]);
                let ran = net.run(0, &[frame]);
                assert_eq!(ran.only_drop(0, extension), 1, "{bits:x} {destination}");
                if !told {
                    ran.nothing_sent();
                    continue;
                }
                let told = problem(ran.only(0));
                // The option's type, behind the header and two bytes.
                assert_eq!((told.kind, told.code, told.rest), (4, 2, 42));
                assert_eq!(told.from, ip("2001:db8:0::1"), "also about a group");
            }
        }
    }
    let six = || datagram("2001:db8:0::1");
    for (frame, code, pointer) in [
        // A route with segments left: its type, which nobody knows.
        (
            extended(six(), ROUTING, &[&[0, 0, 0, 1, 0, 0, 0, 0]]),
            0,
            42,
        ),
        // A hop-by-hop header that is not the first.
        (
            extended(
                six(),
                DESTINATION,
                &[&[HOP_BY_HOP, 0, 1, 4, 0, 0, 0, 0], &[0; 8]],
            ),
            1,
            40,
        ),
    ] {
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, extension), 1);
        let told = problem(ran.only(0));
        assert_eq!((told.kind, told.code, told.rest), (4, code, pointer));
    }
    // A header that ends beyond the packet says nothing that could be answered.
    let ran = net.run(
        0,
        &[extended(six(), DESTINATION, &[&[0, 200, 1, 4, 0, 0, 0, 0]])],
    );
    assert_eq!(ran.only_drop(0, extension), 1);
    ran.nothing_sent();
    // A transport that nobody takes, by itself and behind a header: where it is named.
    let refused = REFUSED as u8;
    let plain = || {
        net_frame(packet(
            "2001:db8:0::9",
            "2001:db8:0::1",
            refused,
            b"whatever",
        ))
    };
    for (frame, pointer) in [
        (plain(), 6),
        (extended(plain(), DESTINATION, &[&option(1)]), 40),
    ] {
        let ran = net.run(0, &[frame]);
        assert_eq!(ran.only_drop(0, DropReason::UnknownTransport), 1);
        let told = problem(ran.only(0));
        assert_eq!((told.kind, told.code, told.rest), (4, 1, pointer));
    }
    net.assert_no_leak();
}

fn net_frame(frame: Vec<u8>) -> Vec<u8> {
    between(frame, host_mac(0), nic_mac(0))
}

#[test]
fn i14_lengths_and_headers_are_checked_and_counted() {
    let mut net = host();
    let six = datagram("2001:db8:0::1");
    let mut padded = six.clone();
    padded.resize(six.len() + 9, 0xaa);
    let ran = net.run(
        0,
        &[
            padded,
            set(six.clone(), 19, 255),
            cut(six.clone(), six.len() - 1),
        ],
    );
    assert_eq!(ran.only_drop(0, DropReason::Ip6PayloadLength), 2);
    assert_eq!(ran.totals[0].delivered, 1);
    assert_eq!(&net.got()[0].payload[8..], b"payload", "padding is cut");
}

/// Keeps the first frame it is given.
struct Keep(Option<corelane::frame::Frame>, mpsc::Sender<Vec<u8>>);

impl Handler for Keep {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        match &self.0 {
            None => self.0 = Some(packet.take()),
            Some(kept) => self.1.send(kept.data().to_vec()).expect("the test listens"),
        }
    }
}

#[test]
fn i15_a_frame_that_is_kept_is_the_keepers_alone() {
    let (sender, kept) = mpsc::channel();
    let mut net = Net::build(vec![Lan::new(0)], unlimited(), |b| {
        b.handler(move |_| Keep(None, sender.clone()));
    });
    net.furnish();
    let first = datagram("10.0.0.1");
    let others: Vec<_> = (0..500u16)
        .map(|n| udp("10.0.0.9", "10.0.0.1", (1, n), &[n as u8; 300]))
        .collect();
    net.run(0, std::slice::from_ref(&first));
    let ran = net.run(0, &others);
    assert_eq!(ran.totals[0].delivered, 500);
    let seen: Vec<_> = kept.try_iter().collect();
    assert_eq!(seen.len(), 500);
    assert!(seen.iter().all(|it| *it == first));
    assert_eq!(net.pool.out(), 1, "the one that is kept");
    net.parts.workers.clear();
    assert_eq!(net.pool.out(), 0);
}
