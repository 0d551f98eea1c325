//! Section B: references to endpoints, and what a route keeps.

use std::sync::atomic::{AtomicUsize, Ordering};

use AddressKind::{Permanent, PermanentExpired, Temporary};
use corelane_wire::{EtherType, IpProtocol, MacAddr, parse_ethernet, parse_ipv4, parse_ipv6};

use crate::testing::*;
use crate::*;

const ADDRESSES: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

fn remote(address: &str) -> &'static str {
    if address.contains(':') {
        "2001:db8::9"
    } else {
        "192.0.2.9"
    }
}

/// A route whose other side's link address is known.
fn route(bed: &Bed, local: &str) -> Route {
    let mut route = bed.nic.route(Some(ip(local)), ip(remote(local))).unwrap();
    route.set_remote_link_address(OTHER);
    route
}

fn is_invalid_state(result: Result<(), SendError>, address: &str) -> bool {
    result.is_err_and(
        |error| matches!(error, SendError::InvalidEndpointState(it) if it == ip(address)),
    )
}

#[test]
fn b1_a_permanent_endpoint_keeps_itself_and_a_temporary_one_is_its_makers() {
    for address in ADDRESSES {
        let bed = bed();
        bed.add(ip(address));
        for _ in 0..3 {
            drop(bed.nic.hold(ip(address)).unwrap());
            bed.nic.reclaim();
            assert_eq!(bed.kind(address), Some(Permanent));
        }
        bed.remove(address);
        assert_eq!(
            bed.closed(),
            [address],
            "the table's reference was the only one"
        );
        bed.nic.set_spoofing(true).unwrap();
        for _ in 0..3 {
            let held = bed.nic.hold(ip(address)).unwrap();
            bed.nic.reclaim();
            assert_eq!(held.kind(), Temporary);
            drop(held);
            bed.nic.reclaim();
            assert_eq!(bed.closed(), [address], "the maker's was the only one");
        }
    }
}

#[test]
fn b2_b4_what_is_dead_is_never_held_again() {
    for address in ADDRESSES {
        let bed = bed();
        bed.add(ip(address));
        let held = bed.nic.hold(ip(address)).unwrap();
        bed.remove(address);
        // The last reference goes, and the control plane has not heard of it.
        let word = held.release_without_word();
        assert!(bed.nic.hold(ip(address)).is_err());
        assert!(!bed.accepts(address));
        assert!(!bed.nic.is_local(ip(address)));
        bed.nic.set_promiscuous(true).unwrap();
        assert_eq!(
            bed.lookup(&[address]),
            [Found::TEMPORARY],
            "as if it were not there"
        );
        bed.nic.set_spoofing(true).unwrap();
        let other = bed.nic.hold(ip(address)).unwrap();
        assert_eq!(other.kind(), Temporary, "another endpoint");
        word();
        bed.nic.reclaim();
        assert_eq!(bed.closed(), [address], "the dead one, once");
        assert!(
            other.is_same(&bed.nic.hold(ip(address)).unwrap()),
            "this one lives on"
        );
        drop(other);
        bed.nic.reclaim();
        assert_eq!(bed.closed(), [address]);
    }
}

#[test]
fn b3_b9_the_last_reference_of_a_removed_address_closes_it_once() {
    for address in ADDRESSES {
        let bed = bed();
        bed.add(ip(address));
        let held = bed.nic.hold(ip(address)).unwrap();
        let again = held.clone();
        bed.remove(address);
        drop(held);
        bed.nic.reclaim();
        assert_eq!(bed.nic.endpoint_count(), 1, "still held");
        drop(again);
        assert_eq!(bed.nic.reclaim(), 0);
        assert_eq!(bed.nic.endpoint_count(), 0);
        assert_eq!(bed.closed(), [address]);
        bed.nic.reclaim();
        assert!(bed.closed().is_empty());
    }
}

#[test]
fn b3_every_endpoint_of_a_removed_nic_is_closed_once() {
    let bed = bed();
    for address in ADDRESSES {
        bed.add(ip(address));
    }
    bed.nic.set_spoofing(true).unwrap();
    let held = [ADDRESSES[0], "198.51.100.7"].map(|address| bed.nic.hold(ip(address)).unwrap());
    bed.nic.remove().unwrap();
    let mut closed = Vec::new();
    let mut collect = || {
        closed.extend(bed.happened().into_iter().filter_map(|event| match event {
            Event::EndpointClosed { address, .. } => Some(address.to_string()),
            _ => None,
        }));
        closed.sort();
        closed.clone()
    };
    assert_eq!(collect(), [ADDRESSES[1]]);
    assert!(held.iter().all(EndpointRef::is_nic_gone));
    assert_eq!(held[0].kind(), PermanentExpired);
    drop(held);
    bed.nic.reclaim();
    assert_eq!(collect(), [ADDRESSES[0], "198.51.100.7", ADDRESSES[1]]);
}

#[test]
fn b4_late_word_of_a_death_harms_no_later_life() {
    let bed = bed();
    bed.add(ip("192.0.2.1"));
    let held = bed.nic.hold(ip("192.0.2.1")).unwrap();
    bed.remove("192.0.2.1");
    // The last reference goes, and before its word is sent everything below happens.
    let word = held.release_without_word();
    bed.add(ip("192.0.2.1"));
    assert_eq!(bed.closed(), ["192.0.2.1"], "the old life is over");
    bed.nic.set_spoofing(true).unwrap();
    let other = bed.nic.hold(ip("203.0.113.5")).unwrap();
    word();
    bed.nic.reclaim();
    assert!(bed.closed().is_empty(), "the slot's new life goes on");
    let again = bed.nic.hold(ip("203.0.113.5")).unwrap();
    assert!(again.is_same(&other));
    let third = bed.nic.hold(ip("198.51.100.77")).unwrap();
    assert_eq!(other.address(), ip("203.0.113.5"));
    drop((other, again, third));
    bed.nic.reclaim();
    assert_eq!(bed.closed().len(), 2);
}

#[test]
fn b5_no_number_of_references_given_back_kills_a_permanent_endpoint() {
    for address in ADDRESSES {
        let bed = bed();
        bed.add(ip(address));
        let turn = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let first = bed.nic.hold(ip(address)).unwrap();
                        let clones: Vec<_> = (0..5).map(|_| first.clone()).collect();
                        drop(first);
                        drop(clones);
                        turn.fetch_add(1, Ordering::Relaxed);
                        bed.nic.reclaim();
                    }
                });
            }
        });
        assert_eq!(turn.into_inner(), 600);
        assert_eq!(bed.kind(address), Some(Permanent));
        assert!(bed.accepts(address));
        assert!(bed.closed().is_empty());
        bed.remove(address);
        assert_eq!(bed.closed(), [address]);
    }
}

#[test]
fn b6_bug28_a_burst_keeps_what_it_found_without_counting() {
    for address in ADDRESSES {
        let bed = bed();
        bed.add(ip(address));
        bed.nic.set_promiscuous(true).unwrap();
        let storage = bed.nic.endpoint_bytes();
        let shared = bed.nic.shared();
        let index = shared
            .snapshots
            .load()
            .find(&shared.endpoints, ip(address).into());
        let count = || shared.endpoints.at(index.unwrap()).refs.load().count();
        let before = count();
        let mut worker = bed.nic.datapath();
        let mut packets = PacketBurst::default();
        let packet = |frame| Inbound {
            frame,
            ports: [0; 4],
            protocol: IpProtocol::UDP,
            flags: PacketFlags::default(),
            network: 14,
            transport: 34,
            end: 42,
        };
        packets.push(ip(address).into(), packet(0));
        for n in 1..60 {
            packets.push(ip(&format!("198.51.100.{n}")).into(), packet(n));
        }
        let (view, _) = worker.load();
        view.lookup(&mut packets);
        assert_eq!(count(), before, "nothing is counted for a packet");
        assert_eq!(bed.nic.held_temporaries(), 0, "and nothing is made for one");
        assert_eq!(bed.nic.endpoint_bytes(), storage);
        // The address goes while the burst is handled: nothing is closed under the handler's feet.
        bed.remove(address);
        assert_eq!(bed.nic.reclaim(), 1);
        assert!(bed.closed().is_empty());
        packets.retain(|_, found| {
            assert_eq!(view.kind(found), None);
            true
        });
        worker.load();
        assert_eq!(bed.nic.reclaim(), 0);
        assert_eq!(bed.closed(), [address]);
    }
}

#[test]
fn b6_bug28_a_packet_that_is_to_stay_takes_a_reference_and_is_told_if_it_cannot() {
    for address in ADDRESSES {
        let bed = bed();
        bed.nic.set_promiscuous(true).unwrap();
        let mut worker = bed.nic.datapath();
        let key = Key::from(ip(address));
        let (view, _) = worker.load();
        let held = view.hold(Found::TEMPORARY, key).unwrap();
        assert_eq!(held.kind(), Temporary);
        assert!(
            bed.nic.hold(ip(address)).unwrap().is_same(&held),
            "held, it is there"
        );
        drop(held);
        bed.nic.reclaim();
        bed.nic.set_promiscuous(false).unwrap();
        match worker.load().0.hold(Found::TEMPORARY, key) {
            Err(HoldError::BadLocalAddress(it)) => assert_eq!(it, ip(address)),
            other => panic!("{other:?}"),
        }
        // Nothing is to be sent from what is for many.
        for found in [Found::GROUP, Found::BROADCAST] {
            bed.nic.set_promiscuous(true).unwrap();
            assert!(worker.load().0.hold(found, key).is_err());
        }
        bed.nic.remove().unwrap();
        let held = worker.load().0.hold(Found::TEMPORARY, key);
        assert!(matches!(held, Err(HoldError::NicGone(_))));
    }
}

#[test]
fn b7_a_route_is_one_reference_and_its_clone_another() {
    for address in ADDRESSES {
        for spoofed in [false, true] {
            let bed = bed();
            if spoofed {
                bed.nic.set_spoofing(true).unwrap();
            } else {
                bed.add(ip(address));
            }
            let route = route(&bed, address);
            let clone = route.clone();
            assert!(clone.endpoint().is_same(route.endpoint()));
            assert_eq!(
                (clone.local(), clone.remote()),
                (route.local(), route.remote())
            );
            assert_eq!(clone.remote_link_address(), Some(OTHER));
            if !spoofed {
                bed.remove(address);
            }
            drop(route);
            bed.nic.reclaim();
            assert!(bed.closed().is_empty(), "the clone holds it");
            drop(clone);
            bed.nic.reclaim();
            assert_eq!(bed.closed(), [address], "released once, and once only");
        }
    }
}

#[test]
fn b7_looping_is_a_property_of_the_route() {
    let bed = bed_of(NicConfig::new("test").multicast_loop(true));
    for address in ADDRESSES {
        bed.add(ip(address));
    }
    for (remote, loops) in [
        ("255.255.255.255", true),
        ("239.1.2.3", true),
        ("ff02::5", true),
        ("192.0.2.9", false),
        ("2001:db8::9", false),
        ("192.0.2.1", false),
    ] {
        let route = bed.nic.route(None, ip(remote)).unwrap();
        assert_eq!(route.loops(), loops, "{remote}");
        assert_eq!(route.clone().loops(), loops);
        assert_eq!(
            route.remote(),
            ip(remote),
            "and the addresses are not swapped"
        );
    }
}

#[test]
fn b7_a_disabled_nic_has_no_route_and_holds_nothing_for_one() {
    for config in [
        NicConfig::new("test"),
        NicConfig::new("test").ndp(NdpConfig::default()),
    ] {
        let bed = bed_of(config.disabled());
        bed.nic.set_spoofing(true).unwrap();
        for address in ADDRESSES {
            bed.add(ip(address));
            for local in [None, Some(ip(address)), Some(ip(remote(address)))] {
                let route = bed.nic.route(local, ip(remote(address)));
                assert!(matches!(route, Err(RouteError::NicDisabled)), "{route:?}");
            }
        }
        assert!(bed.happened().is_empty(), "no endpoint came and went");
    }
}

#[test]
fn b7_what_no_frame_can_hold_is_too_long_and_not_for_trying_again() {
    let bed = bed_with_mtu(65_536);
    let mtu = bed.nic.mtu();
    assert_eq!(mtu, 2048 - 128 - 14);
    for (address, header) in ADDRESSES.into_iter().zip([20, 40]) {
        bed.add(ip(address));
        let route = route(&bed, address);
        let options = SendOptions {
            fragmentation: SourceFragmentation::Forbidden,
            ..SendOptions::default()
        };
        let send = |len| route.write_packet_with(IpProtocol::UDP, &vec![0; len], options);
        send(mtu - header).unwrap();
        assert_eq!(bed.sent()[0].len(), mtu + 14);
        let too_long = send(mtu - header + 1);
        assert!(
            matches!(too_long, Err(SendError::MessageTooLong { len, mtu: most })
                if (len, most) == (mtu + 1, mtu)),
            "{too_long:?}"
        );
    }
    assert_eq!(bed.nic.protocol_counter(ProtocolCounter::Unsent), 0);
}

#[test]
fn b8_sending_from_an_expired_address_fails_until_it_is_added_again() {
    for address in ADDRESSES {
        let bed = bed();
        bed.add(ip(address));
        let route = route(&bed, address);
        let send = || route.write_packet(IpProtocol::UDP, &[7; 20], None);
        send().unwrap();
        assert_eq!(bed.sent().len(), 1);
        bed.remove(address);
        for _ in 0..2 {
            assert!(is_invalid_state(send(), address));
            assert!(is_invalid_state(route.check(), address));
        }
        assert!(bed.sent().is_empty());
        assert_eq!(bed.nic.counters(), NicTotals::default());
        assert_eq!(bed.nic.protocol_counter(ProtocolCounter::Unsent), 0);
        bed.add(ip(address));
        send().unwrap();
        let sent = bed.sent();
        let payload = parse_ethernet(&sent[0]).unwrap().payload;
        let addresses = match ip(address) {
            std::net::IpAddr::V4(_) => {
                let packet = parse_ipv4(payload).unwrap();
                (packet.source().into(), packet.destination().into())
            }
            std::net::IpAddr::V6(_) => {
                let packet = parse_ipv6(payload).unwrap();
                (packet.source().into(), packet.destination().into())
            }
        };
        assert_eq!(addresses, (ip(address), ip(remote(address))));
        // On a disabled or removed NIC nothing is sent either.
        bed.nic.disable().unwrap();
        assert!(matches!(send(), Err(SendError::NicDisabled)));
        bed.nic.enable().unwrap();
        send().unwrap();
        bed.nic.remove().unwrap();
        assert!(matches!(send(), Err(SendError::NicGone(_))));
    }
}

#[test]
fn b8_sending_from_a_tentative_address_fails_too() {
    let bed = probing_bed();
    let address = ADDRESSES[1];
    bed.add(ip(address));
    bed.advance(std::time::Duration::from_secs(1));
    let route = route(&bed, address);
    bed.nic.disable().unwrap();
    bed.nic.enable().unwrap();
    bed.sent();
    let send = || route.write_packet(IpProtocol::UDP, &[], None);
    assert!(is_invalid_state(send(), address), "probed anew");
    assert!(bed.sent().is_empty());
    bed.advance(std::time::Duration::from_secs(1));
    send().unwrap();
    assert_eq!(bed.sent().len(), 1);
}

#[test]
fn b9_the_last_route_of_an_expired_endpoint_frees_it_and_of_a_promoted_one_does_not() {
    for address in ADDRESSES {
        for promoted in [false, true] {
            let bed = bed();
            bed.add(ip(address));
            let routes = [route(&bed, address), route(&bed, address)];
            bed.remove(address);
            if promoted {
                bed.add(ip(address));
            }
            for route in routes {
                assert!(bed.closed().is_empty());
                drop(route);
                bed.nic.reclaim();
            }
            assert_eq!(bed.closed().is_empty(), promoted);
            assert_eq!(bed.nic.endpoint_count(), usize::from(promoted));
            assert_eq!(bed.accepts(address), promoted);
        }
    }
}

#[test]
fn b10_d10_temporary_endpoints_live_as_long_as_they_are_held() {
    for address in ["198.51.100.7", "2001:db8:5::7"] {
        let bed = bed();
        assert!(bed.nic.hold(ip(address)).is_err());
        bed.nic.set_spoofing(true).unwrap();
        let one = bed.nic.hold(ip(address)).unwrap();
        let two = bed.nic.hold(ip(address)).unwrap();
        assert!(one.is_same(&two), "one endpoint per address");
        assert_eq!(one.kind(), Temporary);
        assert_eq!(
            (bed.nic.held_temporaries(), bed.nic.endpoint_count()),
            (1, 0),
            "not in the table"
        );
        bed.nic.set_spoofing(false).unwrap();
        let three = bed.nic.hold(ip(address)).unwrap();
        assert!(three.is_same(&one), "what is held can be held again");
        assert!(bed.accepts(address));
        drop((one, two, three));
        assert!(
            !bed.accepts(address),
            "from this moment on, as if it had never been"
        );
        assert!(bed.nic.hold(ip(address)).is_err());
        bed.nic.reclaim();
        assert_eq!(bed.nic.held_temporaries(), 0);
        assert_eq!(bed.closed(), [address]);
        assert!(bed.nic.endpoints().is_empty());
        bed.add(ip(address));
        assert_eq!(bed.kind(address), Some(Permanent));
    }
}

#[test]
fn b11_whether_the_other_side_has_to_be_resolved_is_the_links() {
    let broadcast = Some(MacAddr::BROADCAST);
    let cases = [
        ("192.0.2.9", None),
        ("2001:db8::9", None),
        ("fe80::9", None),
        ("255.255.255.255", broadcast),
        ("192.0.2.255", broadcast),
        ("239.129.2.3", Some(MacAddr([1, 0, 0x5e, 1, 2, 3]))),
        ("ff02::1:ff00:1", Some(MacAddr([0x33, 0x33, 0xff, 0, 0, 1]))),
    ];
    for loopback in [false, true] {
        let bed = bed_on(NicConfig::new("test"), loopback);
        bed.add(prefix("192.0.2.1/24"));
        bed.add(prefix("2001:db8::1/64"));
        for (remote, mac) in cases {
            let mut route = bed.nic.route(None, ip(remote)).unwrap();
            let expected = if loopback {
                Some(MacAddr::UNSPECIFIED)
            } else {
                mac
            };
            assert_eq!(route.remote_link_address(), expected, "{remote}");
            let sent = route.write_packet(IpProtocol::UDP, &[], None);
            if expected.is_some() {
                sent.unwrap();
                assert_eq!(bed.sent().len(), 1);
                continue;
            }
            // The packet waits, and somebody is asked.
            sent.unwrap();
            let asked = bed.sent();
            assert_eq!(asked.len(), 1, "{remote}");
            match parse_ethernet(&asked[0]).unwrap().header.ethertype() {
                EtherType::ARP => assert!(ip(remote).is_ipv4()),
                other => assert_eq!((other, ip(remote).is_ipv6()), (EtherType::IPV6, true)),
            }
            // By hand, and for this route alone.
            route.set_remote_link_address(OTHER);
            route.write_packet(IpProtocol::UDP, &[], None).unwrap();
            let sent = bed.sent();
            let header = parse_ethernet(&sent[0]).unwrap().header;
            assert_eq!((header.source, header.destination), (MAC, OTHER));
            let another = bed.nic.route(None, ip(remote)).unwrap();
            assert_eq!(another.remote_link_address(), None);
        }
    }
}
