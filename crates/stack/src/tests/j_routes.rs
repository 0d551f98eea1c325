//! Section J on the control plane: the route table, routes for what this host sends, and how it is sent.
//! What is sent on is tested in `corelane`, the facade.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use corelane_wire::icmp_error::{
    Icmpv4Problem, Icmpv4Unreachable, Icmpv6Problem, build_icmp_error_ipv4, build_icmp_error_ipv6,
};
use corelane_wire::{
    ETHERNET_HEADER_LEN, IpProtocol, MacAddr, parse_arp, parse_ethernet, parse_ipv4, parse_ipv6,
};

use crate::sent_packets::SentPackets;
use crate::testing::*;
use crate::*;

/// A transport of which nobody keeps count.
const PROTOCOL: IpProtocol = IpProtocol(200);

/// A second NIC of the same stack, with number 2.
struct Second {
    nic: Nic,
    outbound: QueuedFrames,
}

impl Second {
    fn of(bed: &Bed) -> Self {
        Self::with(bed, 1500, false)
    }

    fn with(bed: &Bed, mtu: usize, is_loopback: bool) -> Self {
        let nic = Nic::new(NicParts {
            id: NicId(2),
            config: NicConfig::new("second").seed(43),
            link: LinkInfo {
                mac: Some(MacAddr([2, 0, 0, 0, 0, 2])),
                mtu,
                is_loopback,
            },
            stack: bed.nic.stack().clone(),
        });
        nic.enable().unwrap();
        Self {
            outbound: nic.outbound(),
            nic,
        }
    }
}

fn row(to: &str, via: Option<&str>, nic: u16, metric: u32) -> RouteSpec {
    RouteSpec {
        to: prefix(to),
        via: via.map(ip),
        nic: NicId(nic),
        metric,
    }
}

/// Two NICs with an address of each family, and routes to their networks.
fn two() -> (Bed, Second) {
    let bed = bed();
    let second = Second::of(&bed);
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("2001:db8:1::1/64"));
    second.nic.add_address(prefix("198.51.100.1/24")).unwrap();
    second.nic.add_address(prefix("2001:db8:2::1/64")).unwrap();
    let stack = bed.nic.stack();
    for route in [
        row("192.0.2.0/24", None, 1, 0),
        row("2001:db8:1::/64", None, 1, 0),
        row("198.51.100.0/24", None, 2, 0),
        row("2001:db8:2::/64", None, 2, 0),
    ] {
        stack.add_route(route).unwrap();
    }
    (bed, second)
}

/// Where a route goes: NIC, local address, next hop.
fn way(route: Result<Route, RouteError>) -> (u16, String, String) {
    let route = route.unwrap();
    (
        route.nic().0,
        route.local().to_string(),
        route.next_hop().to_string(),
    )
}

fn expect(nic: u16, local: &str, next_hop: &str) -> (u16, String, String) {
    (nic, local.into(), next_hop.into())
}

#[test]
fn j12_what_is_on_every_link_needs_no_row_but_a_nic() {
    let bed = bed();
    let second = Second::of(&bed);
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("fe80::1/64"));
    let stack = bed.nic.stack();
    let every = [
        "255.255.255.255",
        "224.0.0.1",
        "239.1.2.3",
        "169.254.7.7",
        "ff02::1",
        "ff0e::99",
        "fe80::9",
    ];
    for remote in every {
        let local = if remote.contains(':') {
            "fe80::1"
        } else {
            "192.0.2.1"
        };
        let route = stack.find_route(Some(NicId(1)), None, ip(remote));
        assert_eq!(way(route), expect(1, local, remote));
        let named = stack.find_route(Some(NicId(1)), Some(ip(local)), ip(remote));
        assert_eq!(way(named), expect(1, local, remote));
        // No NIC of that number, one without an address, and none named.
        for nic in [Some(NicId(7)), Some(NicId(2)), None] {
            let route = stack.find_route(nic, None, ip(remote));
            assert!(
                matches!(route, Err(RouteError::NoRoute(it)) if it == ip(remote)),
                "{nic:?} {remote}: {route:?}"
            );
        }
    }
    bed.nic.disable().unwrap();
    let route = stack.find_route(Some(NicId(1)), None, ip("ff02::1"));
    assert!(matches!(route, Err(RouteError::NicDisabled)));
    second.nic.remove().unwrap();
    let route = stack.find_route(Some(NicId(2)), None, ip("ff02::1"));
    assert!(matches!(route, Err(RouteError::NoRoute(_))), "{route:?}");
}

#[test]
fn j13_the_longest_prefix_then_the_metric_then_the_first() {
    let (bed, _second) = two();
    let stack = bed.nic.stack();
    for route in [
        row("0.0.0.0/0", Some("192.0.2.254"), 1, 0),
        row("203.0.113.0/24", Some("198.51.100.254"), 2, 5),
        row("203.0.113.0/24", Some("192.0.2.253"), 1, 9),
        row("203.0.113.128/25", Some("192.0.2.252"), 1, 100),
        row("::/0", Some("2001:db8:2::fe"), 2, 0),
    ] {
        stack.add_route(route).unwrap();
    }
    let find = |nic: Option<u16>, remote: &str| stack.find_route(nic.map(NicId), None, ip(remote));
    let (first, second) = ("192.0.2.1", "198.51.100.1");
    for (nic, remote, expected) in [
        (None, "192.0.2.9", expect(1, first, "192.0.2.9")),
        (None, "198.51.100.9", expect(2, second, "198.51.100.9")),
        (None, "8.8.8.8", expect(1, first, "192.0.2.254")),
        (None, "203.0.113.5", expect(2, second, "198.51.100.254")),
        (None, "203.0.113.200", expect(1, first, "192.0.2.252")),
        // The NIC that is named; on it the longest prefix.
        (Some(1), "203.0.113.5", expect(1, first, "192.0.2.253")),
        (
            Some(2),
            "203.0.113.200",
            expect(2, second, "198.51.100.254"),
        ),
        (
            None,
            "2001:db8:9::9",
            expect(2, "2001:db8:2::1", "2001:db8:2::fe"),
        ),
    ] {
        assert_eq!(way(find(nic, remote)), expected, "{nic:?} {remote}");
    }
    // No row of that NIC.
    assert!(matches!(
        find(Some(2), "8.8.8.8"),
        Err(RouteError::NoRoute(_))
    ));
    assert!(matches!(
        find(Some(7), "192.0.2.9"),
        Err(RouteError::NoRoute(_))
    ));
    assert!(matches!(
        find(Some(1), "2001:db8:9::9"),
        Err(RouteError::NoRoute(_))
    ));
}

#[test]
fn j13_rows_without_a_source_are_passed_over() {
    let (bed, second) = two();
    let stack = bed.nic.stack();
    stack.add_route(row("203.0.113.0/24", None, 2, 0)).unwrap();
    stack
        .add_route(row("0.0.0.0/0", Some("192.0.2.254"), 1, 0))
        .unwrap();
    let remote = ip("203.0.113.5");
    let find = |local: Option<&str>| stack.find_route(None, local.map(ip), remote);
    assert_eq!(way(find(None)), expect(2, "198.51.100.1", "203.0.113.5"));
    // The one that has the local address that is named.
    let by_first = expect(1, "192.0.2.1", "192.0.2.254");
    assert_eq!(way(find(Some("192.0.2.1"))), by_first);
    // Nobody has it: the row that came nearest says why.
    let nobodys = find(Some("192.0.2.77"));
    assert!(matches!(nobodys, Err(RouteError::BadLocalAddress(it)) if it == ip("192.0.2.77")));
    second.nic.set_spoofing(true).unwrap();
    let any = expect(2, "192.0.2.77", "203.0.113.5");
    assert_eq!(way(find(Some("192.0.2.77"))), any, "D8");
    second.nic.set_spoofing(false).unwrap();
    second.nic.remove_address(ip("198.51.100.1")).unwrap();
    assert_eq!(way(find(None)), by_first);
    second.nic.add_address(prefix("198.51.100.1/24")).unwrap();
    // A NIC that is down has no rows, one that is gone neither.
    second.nic.disable().unwrap();
    assert_eq!(way(find(None)), by_first);
    second.nic.enable().unwrap();
    assert_eq!(way(find(None)).0, 2);
    second.nic.remove().unwrap();
    assert_eq!(way(find(None)), by_first);
    assert!(stack.routes().iter().all(|it| it.nic == NicId(1)));
    let gone = stack.add_route(row("203.0.113.0/24", None, 2, 0));
    assert!(matches!(gone, Err(RoutesError::UnknownNic(NicId(2)))));
}

#[test]
fn j14_the_gateway_is_for_what_needs_a_route() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("2001:db8::1/64"));
    let stack = bed.nic.stack();
    stack
        .add_route(row("0.0.0.0/0", Some("192.0.2.254"), 1, 0))
        .unwrap();
    stack
        .add_route(row("::/0", Some("2001:db8::fe"), 1, 0))
        .unwrap();
    for nic in [None, Some(NicId(1))] {
        for (remote, next_hop) in [
            ("203.0.113.5", "192.0.2.254"),
            ("2001:db8:9::9", "2001:db8::fe"),
            // These are on the link, though the rows are for all.
            ("224.0.0.9", "224.0.0.9"),
            ("255.255.255.255", "255.255.255.255"),
            ("169.254.1.1", "169.254.1.1"),
            ("ff0e::9", "ff0e::9"),
            ("fe80::9", "fe80::9"),
        ] {
            let route = stack.find_route(nic, None, ip(remote)).unwrap();
            assert_eq!(route.next_hop(), ip(next_hop), "{nic:?} {remote}");
            assert_eq!(route.remote(), ip(remote));
        }
    }
    // A NIC's own routes go by the rows too.
    let route = bed.nic.route(None, ip("203.0.113.5")).unwrap();
    assert_eq!(route.next_hop(), ip("192.0.2.254"));
    // There is no route to nobody.
    for nobody in ["0.0.0.0", "::"] {
        for nic in [None, Some(NicId(1))] {
            let route = stack.find_route(nic, None, ip(nobody));
            assert!(
                matches!(route, Err(RouteError::BadRemoteAddress { .. })),
                "{nobody}"
            );
        }
    }
}

#[test]
fn j14_a_packet_goes_to_the_gateways_link_address() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    let stack = bed.nic.stack();
    stack
        .add_route(row("0.0.0.0/0", Some("192.0.2.254"), 1, 0))
        .unwrap();
    stack
        .add_neighbor(NicId(1), ip("192.0.2.254"), OTHER)
        .unwrap();
    let route = stack.find_route(None, None, ip("203.0.113.5")).unwrap();
    assert_eq!(route.resolve().unwrap(), Resolution::Ready(OTHER));
    route.write_packet(PROTOCOL, b"hello", None).unwrap();
    let sent = bed.sent().remove(0);
    let ethernet = parse_ethernet(&sent).unwrap();
    assert_eq!(ethernet.header.destination, OTHER);
    let packet = parse_ipv4(ethernet.payload).unwrap();
    assert_eq!(packet.destination(), ip("203.0.113.5"));
}

#[test]
fn j15_what_is_for_the_nic_itself_is_not_sent() {
    let (bed, second) = two();
    bed.add(prefix("192.0.2.2/24"));
    let stack = bed.nic.stack();
    for (local, remote) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.2", "192.0.2.1"),
        ("2001:db8:1::1", "2001:db8:1::1"),
    ] {
        let route = stack.find_route(None, Some(ip(local)), ip(remote)).unwrap();
        assert!(!route.loops(), "it is not sent as well");
        assert_eq!(route.resolve().unwrap(), Resolution::Ready(MAC));
        route.write_packet(PROTOCOL, b"to myself", None).unwrap();
        assert!(bed.sent().is_empty(), "{remote}");
        let looped = bed.looped().remove(0);
        let ethernet = parse_ethernet(&looped).unwrap();
        assert_eq!(
            (ethernet.header.source, ethernet.header.destination),
            (MAC, MAC)
        );
    }
    // On a loopback link, the link does it.
    second.nic.remove().unwrap();
    let loopback = Second::with(&bed, 1500, true);
    loopback.nic.add_address(prefix("198.51.100.1/24")).unwrap();
    let own = ip("198.51.100.1");
    let route = loopback.nic.route(None, own).unwrap();
    route.write_packet(PROTOCOL, b"to myself", None).unwrap();
    assert_eq!(take(&loopback.outbound).len(), 1);
    assert!(take(&loopback.nic.looped()).is_empty());
}

#[test]
fn j16_the_table_is_changed_by_its_calls_alone() {
    let (bed, _second) = two();
    let stack = bed.nic.stack();
    let mut rows = stack.routes();
    assert_eq!((rows.len(), stack.route_count()), (4, 4));
    rows.clear();
    assert_eq!(stack.routes().len(), 4, "that was a copy");
    // By family, network, length; those of one network in the order of use.
    stack
        .add_route(row("192.0.2.0/24", Some("198.51.100.7"), 2, 3))
        .unwrap();
    stack
        .add_route(row("192.0.2.0/24", Some("198.51.100.8"), 2, 0))
        .unwrap();
    let of_first: Vec<_> = stack
        .routes()
        .into_iter()
        .filter(|it| it.to == prefix("192.0.2.0/24"))
        .map(|it| it.via.map(|via| via.to_string()))
        .collect();
    let (seven, eight) = ("198.51.100.7".to_owned(), "198.51.100.8".to_owned());
    assert_eq!(of_first, [None, Some(eight), Some(seven)]);
    // What is refused changes nothing.
    let before = stack.routes();
    for (route, why) in [
        (row("192.0.2.77/24", None, 1, 7), "twice"),
        (row("224.0.0.0/4", None, 1, 0), "groups"),
        (row("ff02::/16", None, 1, 0), "groups"),
        (
            row("10.0.0.0/8", Some("2001:db8::1"), 1, 0),
            "the other family",
        ),
        (
            row("10.0.0.0/8", Some("192.0.2.1"), 1, 0),
            "its own address",
        ),
        (
            row("10.0.0.0/8", Some("198.51.100.1"), 1, 0),
            "another NIC's",
        ),
        (row("10.0.0.0/8", Some("224.0.0.1"), 1, 0), "a group"),
        (row("10.0.0.0/8", Some("0.0.0.0"), 1, 0), "nobody"),
        (row("10.0.0.0/8", None, 9, 0), "no such NIC"),
    ] {
        assert!(stack.add_route(route).is_err(), "{why}");
    }
    let absent = stack.remove_route(prefix("10.0.0.0/8"), None, NicId(1));
    assert!(absent.is_err());
    assert_eq!(stack.routes(), before);
    // Changes that are seen together.
    stack
        .change_routes(|routes| {
            routes.remove(prefix("192.0.2.0/24"), None, NicId(1))?;
            routes.add(row("10.0.0.0/8", Some("192.0.2.254"), 1, 0))
        })
        .unwrap();
    assert_eq!(stack.routes().len(), before.len());
    assert!(stack.find_route(None, None, ip("10.9.9.9")).is_ok());
}

#[test]
fn j17_errors_of_sending_move_no_counter_of_frames() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    let mut route = bed.nic.route(None, ip("192.0.2.9")).unwrap();
    route.set_remote_link_address(OTHER);
    let send = || route.write_packet(PROTOCOL, b"hello", None);
    let unsent = || bed.nic.protocol_counter(ProtocolCounter::Unsent);
    bed.remove("192.0.2.1");
    assert!(matches!(send(), Err(SendError::InvalidEndpointState(_))));
    bed.add(prefix("192.0.2.1/24"));
    bed.nic.disable().unwrap();
    assert!(matches!(send(), Err(SendError::NicDisabled)));
    bed.nic.enable().unwrap();
    let too_long = route.write_packet(PROTOCOL, &[0; 65_516], None);
    assert!(matches!(
        too_long,
        Err(SendError::MessageTooLong {
            len: 65_536,
            mtu: 65_535
        })
    ));
    assert_eq!((unsent(), bed.sent().len()), (0, 0));
    // Without room it is counted as not sent, and an error.
    let sent = (0..1000).take_while(|_| send().is_ok()).count();
    assert_eq!(sent, 256);
    assert!(matches!(send(), Err(SendError::NoBufferSpace)));
    assert_eq!(unsent(), 2);
    assert_eq!(bed.sent().len(), 256);
    assert_eq!(
        bed.nic.counters(),
        NicTotals::default(),
        "the worker's to count"
    );
    bed.nic.remove().unwrap();
    assert!(matches!(send(), Err(SendError::NicGone(_))));
}

/// The payloads of fragments put together, by offset, and whether there are no gaps.
fn joined(parts: BTreeMap<usize, Vec<u8>>) -> Vec<u8> {
    let mut whole = Vec::new();
    for (offset, part) in parts {
        assert_eq!(offset, whole.len());
        whole.extend(part);
    }
    whole
}

#[test]
fn j18_ipv4_over_the_mtu_goes_in_fragments() {
    for mtu in [576, 1280, 1500] {
        let bed = bed_with_mtu(mtu);
        bed.add(prefix("192.0.2.1/24"));
        let mut route = bed.nic.route(None, ip("192.0.2.9")).unwrap();
        route.set_remote_link_address(OTHER);
        assert_eq!(route.path_mtu(), mtu);
        let payload: Vec<u8> = (0..9000u32).map(|n| (n * 3) as u8).collect();
        // As much as fits is a packet of its own, not to be cut.
        let fits = &payload[..mtu - 20];
        route.write_packet(PROTOCOL, fits, Some(9)).unwrap();
        let whole = bed.sent().remove(0);
        assert_eq!(whole.len(), ETHERNET_HEADER_LEN + mtu);
        let packet = parse_ipv4(&whole[ETHERNET_HEADER_LEN..]).unwrap();
        assert!(packet.header.dont_fragment() && !packet.is_fragment());
        route.write_packet(PROTOCOL, &payload, Some(9)).unwrap();
        let sent = bed.sent();
        assert_eq!(sent.len(), payload.len().div_ceil((mtu - 20) / 8 * 8));
        let mut parts = BTreeMap::new();
        let mut identifications = Vec::new();
        for (at, frame) in sent.iter().enumerate() {
            assert!(frame.len() <= ETHERNET_HEADER_LEN + mtu);
            let ethernet = parse_ethernet(frame).unwrap();
            assert_eq!(ethernet.header.destination, OTHER);
            let packet = parse_ipv4(ethernet.payload).unwrap();
            assert_eq!((packet.header.ttl, packet.protocol()), (9, PROTOCOL));
            assert_eq!(packet.more_fragments(), at + 1 < sent.len());
            identifications.push(packet.header.identification.get());
            parts.insert(packet.fragment_offset(), packet.payload.to_vec());
        }
        assert_eq!(joined(parts), payload);
        identifications.dedup();
        assert_eq!(identifications.len(), 1);
        // Where that is forbidden, it is refused.
        let options = SendOptions {
            fragmentation: SourceFragmentation::Forbidden,
            ..SendOptions::default()
        };
        let refused = route.write_packet_with(PROTOCOL, &payload, options);
        assert!(
            matches!(refused, Err(SendError::MessageTooLong { len: 9020, mtu: it }) if it == mtu)
        );
        assert!(bed.sent().is_empty());
    }
}

#[test]
fn j18_ipv6_over_the_mtu_goes_in_fragments_on_request() {
    let bed = bed();
    bed.add(prefix("2001:db8::1/64"));
    let mut route = bed.nic.route(None, ip("2001:db8::9")).unwrap();
    route.set_remote_link_address(OTHER);
    let payload: Vec<u8> = (0..5000u32).map(|n| (n * 3) as u8).collect();
    for fragmentation in [
        SourceFragmentation::OfFamily,
        SourceFragmentation::Forbidden,
    ] {
        let options = SendOptions {
            fragmentation,
            ..SendOptions::default()
        };
        let refused = route.write_packet_with(PROTOCOL, &payload, options);
        assert!(matches!(
            refused,
            Err(SendError::MessageTooLong {
                len: 5040,
                mtu: 1500
            })
        ));
        let fits = route.write_packet_with(PROTOCOL, &payload[..1460], options);
        fits.unwrap();
        assert_eq!(bed.sent().len(), 1);
    }
    let options = SendOptions {
        fragmentation: SourceFragmentation::Requested,
        hop_limit: Some(9),
    };
    route
        .write_packet_with(PROTOCOL, &payload, options)
        .unwrap();
    let mut parts = BTreeMap::new();
    for frame in bed.sent() {
        assert!(frame.len() <= ETHERNET_HEADER_LEN + 1500);
        let packet = parse_ipv6(&frame[ETHERNET_HEADER_LEN..]).unwrap();
        assert_eq!(packet.header.hop_limit, 9);
        let (header, part) = packet.fragment().unwrap();
        assert_eq!(header.next_header, PROTOCOL);
        parts.insert(header.fragment_offset(), part.to_vec());
    }
    assert_eq!(parts.len(), 4);
    assert_eq!(joined(parts), payload);
    // One that fits has no fragment header.
    route
        .write_packet_with(PROTOCOL, &payload[..9], options)
        .unwrap();
    let frame = bed.sent().remove(0);
    let packet = parse_ipv6(&frame[ETHERNET_HEADER_LEN..]).unwrap();
    assert_eq!(packet.next_header(), PROTOCOL);
}

/// Sends a packet of so many bytes.
fn send(bed: &Bed, local: &str, remote: &str, protocol: IpProtocol, len: usize) {
    let mut route = match bed.nic.route(Some(ip(local)), ip(remote)) {
        Ok(route) => route,
        // Of that nothing is on any link.
        Err(RouteError::BadRemoteAddress { .. }) if ip(remote).is_loopback() => return,
        Err(error) => panic!("{remote}: {error}"),
    };
    if route.remote_link_address().is_none() {
        route.set_remote_link_address(OTHER);
    }
    let headers = if route.remote().is_ipv4() { 20 } else { 40 };
    let payload = vec![7; len - headers];
    route.write_packet(protocol, &payload, None).unwrap();
    bed.sent();
}

/// What the NIC makes of "too big", about a packet of this length from `local`, to its sender.
fn too_big(bed: &Bed, local: &str, remote: &str, len: usize, mtu: u16) -> Verdict {
    let mut buffer = vec![0; 2048];
    let len = match (ip(local), ip(remote)) {
        (IpAddr::V4(local), IpAddr::V4(remote)) => {
            let fields = corelane_wire::ipv4::Ipv4Fields::new(local, remote, PROTOCOL, 3);
            let mut original = vec![0; len];
            corelane_wire::ipv4::write_ipv4(&mut original, &fields, len - 20).unwrap();
            build_icmp_error_ipv4(
                &mut buffer,
                OTHER,
                MAC,
                Ipv4Addr::new(192, 0, 2, 254),
                local,
                Icmpv4Problem::Unreachable(Icmpv4Unreachable::FragmentationNeeded { mtu }),
                &original,
            )
        }
        (IpAddr::V6(local), IpAddr::V6(remote)) => {
            let fields = corelane_wire::ipv6::Ipv6Fields::new(local, remote, PROTOCOL, 3);
            let mut original = vec![0; len];
            corelane_wire::ipv6::write_ipv6(&mut original, &fields, len - 40).unwrap();
            build_icmp_error_ipv6(
                &mut buffer,
                OTHER,
                MAC,
                v6("2001:db8::fe"),
                local,
                Icmpv6Problem::PacketTooBig { mtu: mtu.into() },
                &original,
            )
        }
        _ => panic!("one family"),
    }
    .unwrap();
    bed.input(&buffer[..len])
}

#[test]
fn j18_a_report_lowers_the_path_mtu_and_packets_follow() {
    for (local, remote, headers) in [
        ("192.0.2.1", "203.0.113.5", 20),
        ("2001:db8::1", "2001:db8:9::5", 40),
    ] {
        let bed = bed();
        bed.add(prefix(&format!("{local}/24")));
        let mut route = bed.nic.route(None, ip(remote)).unwrap();
        route.set_remote_link_address(OTHER);
        assert_eq!(route.path_mtu(), 1500);
        let payload = vec![7; 1500 - headers];
        route.write_packet(PROTOCOL, &payload, None).unwrap();
        assert_eq!(bed.sent().len(), 1);
        assert_eq!(too_big(&bed, local, remote, 1500, 1400), Verdict::Noted);
        assert_eq!(route.path_mtu(), 1400);
        assert_eq!(bed.nic.stack().path_mtu(ip(remote)), Some(1400));
        assert_eq!(bed.nic.protocol_counter(ProtocolCounter::PathMtuReports), 1);
        let options = SendOptions {
            fragmentation: SourceFragmentation::Requested,
            ..SendOptions::default()
        };
        route
            .write_packet_with(PROTOCOL, &payload, options)
            .unwrap();
        let sent = bed.sent();
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|it| it.len() <= ETHERNET_HEADER_LEN + 1400));
        let refused = route.write_packet_with(
            PROTOCOL,
            &payload,
            SendOptions {
                fragmentation: SourceFragmentation::Forbidden,
                ..SendOptions::default()
            },
        );
        assert!(matches!(
            refused,
            Err(SendError::MessageTooLong { mtu: 1400, .. })
        ));
        // Other paths are as they were; a larger MTU is no news; after a while it is forgotten.
        let other = if headers == 20 {
            "203.0.113.6"
        } else {
            "2001:db8:9::6"
        };
        assert_eq!(bed.nic.route(None, ip(other)).unwrap().path_mtu(), 1500);
        too_big(&bed, local, remote, 1500, 1450);
        assert_eq!(route.path_mtu(), 1400);
        assert_eq!(bed.nic.stack().path_mtus().len(), 1);
        bed.clock.advance(PathMtuCache::LIFETIME);
        assert_eq!(route.path_mtu(), 1500);
    }
}

#[test]
fn j18_reports_about_what_was_not_sent_are_ignored() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("192.0.2.2/24"));
    bed.add(prefix("2001:db8::1/64"));
    for (local, remote, len) in [
        ("192.0.2.1", "203.0.113.5", 1450),
        ("2001:db8::1", "2001:db8:9::5", 1450),
        ("192.0.2.1", "203.0.113.6", 60),
        ("2001:db8::1", "2001:db8:9::6", 1280),
    ] {
        send(&bed, local, remote, PROTOCOL, len);
    }
    send(&bed, "192.0.2.1", "203.0.113.7", IpProtocol::TCP, 1450);
    for (local, remote, len, mtu) in [
        // Not from here; not larger than what it says the link takes.
        ("192.0.2.77", "203.0.113.5", 1450, 1400),
        ("2001:db8::77", "2001:db8:9::5", 1450, 1400),
        ("192.0.2.1", "203.0.113.5", 1400, 1400),
        ("2001:db8::1", "2001:db8:9::5", 1300, 1400),
        // Nothing as long, from another address, to another one, of another protocol.
        ("192.0.2.1", "203.0.113.5", 1451, 1400),
        ("2001:db8::1", "2001:db8:9::5", 1451, 1400),
        ("192.0.2.1", "203.0.113.6", 1450, 1400),
        ("2001:db8::1", "2001:db8:9::6", 1281, 1280),
        ("192.0.2.2", "203.0.113.5", 1450, 1400),
        ("192.0.2.1", "203.0.113.7", 1450, 1400),
        ("192.0.2.1", "203.0.113.8", 1450, 1400),
        ("2001:db8::1", "2001:db8:9::8", 1450, 1400),
        // Less than any IPv6 link has.
        ("2001:db8::1", "2001:db8:9::5", 1450, 1000),
    ] {
        let verdict = too_big(&bed, local, remote, len, mtu);
        assert_eq!(verdict, Verdict::Ignored, "{local} > {remote} {len}");
    }
    // Too long ago.
    bed.clock.advance(SentPackets::LIFETIME);
    for (local, remote) in [
        ("192.0.2.1", "203.0.113.5"),
        ("2001:db8::1", "2001:db8:9::5"),
    ] {
        let verdict = too_big(&bed, local, remote, 1450, 1400);
        assert_eq!(verdict, Verdict::Ignored, "{local}");
    }
    assert!(bed.nic.stack().path_mtus().is_empty());
}

/// No router says that of IPv4 packets for many, nor of what stays here; of IPv6 groups' they do.
#[test]
fn j18_l4_reports_about_what_no_router_cuts_are_ignored() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("192.0.2.2/24"));
    bed.add(prefix("2001:db8::1/64"));
    bed.add(prefix("2001:db8::2/64"));
    for (local, remote, verdict) in [
        ("192.0.2.1", "224.1.1.1", Verdict::Ignored),
        ("192.0.2.1", "255.255.255.255", Verdict::Ignored),
        ("192.0.2.1", "192.0.2.255", Verdict::Ignored),
        ("192.0.2.1", "192.0.2.2", Verdict::Ignored),
        ("192.0.2.1", "127.0.0.1", Verdict::Ignored),
        ("2001:db8::1", "2001:db8::2", Verdict::Ignored),
        ("2001:db8::1", "::1", Verdict::Ignored),
        ("2001:db8::1", "ff0e::1234", Verdict::Noted),
    ] {
        send(&bed, local, remote, PROTOCOL, 1450);
        assert_eq!(
            too_big(&bed, local, remote, 1450, 1400),
            verdict,
            "{remote}"
        );
    }
    for (local, remote) in [("192.0.2.1", "0.0.0.0"), ("2001:db8::1", "::")] {
        let verdict = too_big(&bed, local, remote, 1450, 1400);
        assert_eq!(verdict, Verdict::Ignored, "{remote}");
    }
}

/// A router reported less than what is believed: packets must leave it to others to cut them.
#[test]
fn j18_where_a_path_may_be_narrower_routers_may_cut() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    let mut route = bed.nic.route(None, ip("203.0.113.5")).unwrap();
    route.set_remote_link_address(OTHER);
    let forbids = |fragmentation| {
        let options = SendOptions {
            fragmentation,
            ..SendOptions::default()
        };
        let payload = [0; 400];
        route
            .write_packet_with(PROTOCOL, &payload, options)
            .unwrap();
        let sent = bed.sent().remove(0);
        let packet = parse_ipv4(&sent[ETHERNET_HEADER_LEN..]).unwrap();
        packet.header.dont_fragment()
    };
    assert!(forbids(SourceFragmentation::OfFamily));
    too_big(&bed, "192.0.2.1", "203.0.113.5", 420, 300);
    assert_eq!(route.path_mtu(), PathMtuCache::MIN_IPV4);
    assert!(!forbids(SourceFragmentation::OfFamily));
    assert!(forbids(SourceFragmentation::Forbidden), "as it says");
}

#[test]
fn j19_resolve_tells_what_is_known_and_asks_once() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    let stack = bed.nic.stack();
    let route = bed.nic.route(None, ip("192.0.2.9")).unwrap();
    for _ in 0..3 {
        assert_eq!(route.resolve().unwrap(), Resolution::InProgress);
    }
    let asked = |bed: &Bed| {
        let targets = bed.sent().into_iter().map(|frame| {
            let ethernet = parse_ethernet(&frame).unwrap();
            parse_arp(ethernet.payload).unwrap().target_ip().to_string()
        });
        targets.collect::<Vec<_>>()
    };
    assert_eq!(asked(&bed), ["192.0.2.9"], "once");
    // What is sent meanwhile waits, and goes in order.
    for n in 0..3 {
        route.write_packet(PROTOCOL, &[n], None).unwrap();
    }
    assert!(bed.sent().is_empty());
    stack
        .add_neighbor(NicId(1), ip("192.0.2.9"), OTHER)
        .unwrap();
    assert_eq!(route.resolve().unwrap(), Resolution::Ready(OTHER));
    let payloads: Vec<_> = bed
        .sent()
        .iter()
        .map(|frame| {
            let ethernet = parse_ethernet(frame).unwrap();
            assert_eq!(ethernet.header.destination, OTHER);
            parse_ipv4(ethernet.payload).unwrap().payload.to_vec()
        })
        .collect();
    assert_eq!(payloads, [[0], [1], [2]]);
    // Nobody answers: three questions, then it is known.
    let silent = bed.nic.route(None, ip("192.0.2.8")).unwrap();
    silent.write_packet(PROTOCOL, b"lost", None).unwrap();
    let mut questions = asked(&bed);
    for _ in 0..5 {
        bed.clock.advance(Duration::from_secs(1));
        stack.poll();
        questions.extend(asked(&bed));
    }
    assert_eq!(questions, ["192.0.2.8"; 3]);
    assert_eq!(silent.resolve().unwrap(), Resolution::Unreachable);
    let sent = silent.write_packet(PROTOCOL, b"no", None);
    assert!(matches!(sent, Err(SendError::NoLinkAddress(it)) if it == ip("192.0.2.8")));
    let failed = ProtocolCounter::NeighborPacketsFailed;
    assert_eq!(bed.nic.protocol_counter(failed), 1);
}

#[test]
fn j19_some_need_no_resolution() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("2001:db8::1/64"));
    for (remote, mac) in [
        ("255.255.255.255", MacAddr::BROADCAST),
        ("192.0.2.255", MacAddr::BROADCAST),
        ("224.1.2.3", MacAddr([1, 0, 0x5e, 1, 2, 3])),
        ("ff02::1:2", MacAddr([0x33, 0x33, 0, 1, 0, 2])),
        // The NIC's own.
        ("192.0.2.1", MAC),
        ("2001:db8::1", MAC),
    ] {
        let route = bed.nic.route(None, ip(remote)).unwrap();
        assert_eq!(route.resolve().unwrap(), Resolution::Ready(mac), "{remote}");
    }
    let mut route = bed.nic.route(None, ip("192.0.2.9")).unwrap();
    route.set_remote_link_address(OTHER);
    assert_eq!(route.resolve().unwrap(), Resolution::Ready(OTHER));
    assert!(bed.sent().is_empty(), "nobody was asked");
    bed.nic.disable().unwrap();
    assert!(matches!(route.resolve(), Err(SendError::NicDisabled)));
    bed.nic.remove().unwrap();
    assert!(matches!(route.resolve(), Err(SendError::NicGone(_))));
}

/// There is no sending of half a header: a whole frame is sent as it is.
#[test]
fn j20_a_frame_is_sent_with_the_headers_its_maker_gave_it() {
    let bed = bed();
    let mut cache = bed.pool.cache();
    let mut odd = vec![0xff; 60];
    odd[12..14].copy_from_slice(&[0x08, 0x00]);
    let mut send = |bytes: &[u8]| {
        let mut frame = cache.alloc().unwrap();
        frame.set_data(bytes).unwrap();
        bed.nic.send(frame)
    };
    send(&odd).unwrap();
    assert_eq!(bed.sent(), [odd], "not a byte changed");
    assert!(matches!(send(&[0; 13]), Err(SendError::NotAFrame(13))));
    assert!(matches!(
        send(&[0; 14 + 1501]),
        Err(SendError::MessageTooLong {
            len: 1501,
            mtu: 1500
        })
    ));
    assert!(bed.sent().is_empty());
}
