//! Section F: broadcasts, and what comes back of what is sent to many.

use corelane_wire::{IpProtocol, MacAddr, parse_ethernet, parse_ipv4, parse_ipv6};

use crate::testing::*;
use crate::*;

const LIMITED: &str = "255.255.255.255";

#[test]
fn f1_the_limited_broadcast_is_a_rule_and_no_address() {
    let bed = bed_of(NicConfig::new("test").disabled());
    let mut worker = bed.nic.datapath();
    for enabled in [false, true, false] {
        if enabled {
            bed.nic.enable().unwrap();
        } else {
            bed.nic.disable().unwrap();
        }
        // What arrives on a NIC that is not enabled is dropped before it is looked up.
        assert_eq!(worker.load().0.is_enabled(), enabled);
        assert_eq!(lookup(&mut worker, &[LIMITED]), [Found::BROADCAST]);
        assert!(bed.nic.endpoints().is_empty() && bed.nic.addresses().is_empty());
        for _ in 0..2 {
            assert_eq!(
                bed.nic.remove_address(ip(LIMITED)),
                Err(RemoveAddressError::BadLocalAddress(ip(LIMITED)))
            );
        }
        assert!(matches!(
            bed.nic.add_address(ip(LIMITED)),
            Err(AddAddressError::BadAddress {
                reason: BadAddress::Broadcast,
                ..
            })
        ));
    }
    bed.nic.set_promiscuous(true).unwrap();
    assert_eq!(lookup(&mut worker, &[LIMITED]), [Found::BROADCAST]);
    // Whoever does not speak IPv4 has no broadcast: its packets end as of an unknown protocol.
    let bed = bed_of(NicConfig::new("test").protocols(Protocols::V6));
    let mut worker = bed.nic.datapath();
    let (view, _) = worker.load();
    assert_eq!((view.accepts_v4(), view.accepts_v6()), (false, true));
}

#[test]
fn f2_directed_broadcasts_are_those_of_the_nics_subnets() {
    let cases: [(&str, &[&str], &[&str]); 7] = [
        (
            "192.0.2.1/24",
            &["192.0.2.255"],
            &["192.0.2.0", "192.0.2.127", "192.0.255.255"],
        ),
        ("192.0.2.129/25", &["192.0.2.255"], &["192.0.2.127"]),
        (
            "192.0.2.5/30",
            &["192.0.2.7"],
            &["192.0.2.255", "192.0.2.3"],
        ),
        ("192.0.2.4/31", &[], &["192.0.2.5", "192.0.2.255"]),
        ("192.0.2.1/32", &[], &["192.0.2.255"]),
        (
            "10.1.2.3/8",
            &["10.255.255.255"],
            &["10.1.255.255", "10.1.2.255"],
        ),
        ("2001:db8::1/64", &[], &["2001:db8::ffff:ffff:ffff:ffff"]),
    ];
    for (address, broadcasts, others) in cases {
        for primary in [
            PrimaryEndpointBehavior::CanBePrimary,
            PrimaryEndpointBehavior::NeverPrimary,
        ] {
            let bed = bed();
            let local = prefix(address).address();
            bed.add(placed(address, primary));
            let is_broadcast = |remote: &str| {
                let mut route = bed.nic.route(Some(local), ip(remote)).unwrap();
                let is_broadcast = route.remote_link_address() == Some(MacAddr::BROADCAST);
                assert_eq!(route.loops(), is_broadcast);
                route.set_remote_link_address(OTHER);
                is_broadcast
            };
            for it in broadcasts {
                assert_eq!(bed.lookup(&[it]), [Found::BROADCAST], "{address} {it}");
                assert!(is_broadcast(it), "{address} {it}");
            }
            for it in others {
                assert_eq!(bed.lookup(&[it]), [Found::NOTHING], "{address} {it}");
                assert!(!is_broadcast(it), "{address} {it}");
            }
            let held = bed.nic.hold(local).unwrap();
            bed.remove(&local.to_string());
            for it in broadcasts {
                assert!(!bed.accepts(it), "not for one that is only held");
            }
            drop(held);
        }
    }
}

#[test]
fn f2_a_subnets_broadcast_lasts_as_long_as_the_last_address_in_it() {
    let bed = bed();
    let broadcast = "192.0.2.255";
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("192.0.2.2/24"));
    // Another length, the same broadcast.
    bed.add(prefix("192.0.2.200/25"));
    for address in ["192.0.2.1", "192.0.2.200", "192.0.2.2"] {
        assert_eq!(bed.lookup(&[broadcast]), [Found::BROADCAST]);
        bed.remove(address);
    }
    assert!(!bed.accepts(broadcast));
    // Promoted with another length, its old broadcast is no more.
    bed.add(prefix("192.0.2.1/24"));
    let _held = bed.nic.hold(ip("192.0.2.1")).unwrap();
    bed.remove("192.0.2.1");
    bed.add(prefix("192.0.2.1/28"));
    assert_eq!(
        bed.lookup(&[broadcast, "192.0.2.15"]),
        [Found::NOTHING, Found::BROADCAST]
    );
    // Under the modes it is a broadcast all the same, and nobody's address.
    bed.nic.set_promiscuous(true).unwrap();
    bed.nic.add_range(prefix("192.0.0.0/16")).unwrap();
    assert_eq!(bed.lookup(&["192.0.2.15"]), [Found::BROADCAST]);
    let held = bed.nic.hold(ip("192.0.2.15"));
    assert!(matches!(held, Err(HoldError::BadLocalAddress(_))));
    assert!(!bed.nic.is_local(ip("192.0.2.15")));
    bed.nic.remove().unwrap();
    assert!(!bed.accepts("192.0.2.15"));
}

/// What is sent to many, from a NIC with or without the loop of groups, on either link.
#[test]
fn f3_what_is_sent_to_all_comes_back_and_to_groups_if_asked() {
    // (remote, comes back always, comes back if asked)
    // (what is for the NIC itself only comes back: J15)
    let remotes = [
        (LIMITED, true, true),
        ("192.0.2.255", true, true),
        ("239.1.2.3", false, true),
        ("224.0.0.1", false, true),
        ("ff02::1", false, true),
        ("ff05::1:3", false, true),
        ("192.0.2.9", false, false),
        ("2001:db8::9", false, false),
    ];
    for multicast_loop in [false, true] {
        for loopback in [false, true] {
            let config = NicConfig::new("test").multicast_loop(multicast_loop);
            let bed = bed_on(config, loopback);
            bed.add(prefix("192.0.2.1/24"));
            bed.add(prefix("2001:db8::1/64"));
            for (remote, always, asked) in remotes {
                let case = (remote, multicast_loop, loopback);
                let mut route = bed.nic.route(None, ip(remote)).unwrap();
                if route.remote_link_address().is_none() {
                    route.set_remote_link_address(OTHER);
                }
                let loops = !loopback && (always || multicast_loop && asked);
                assert_eq!(route.loops(), loops, "{case:?}");
                for clone in [route.clone(), route] {
                    clone
                        .write_packet(IpProtocol::UDP, &[9; 30], Some(3))
                        .unwrap();
                    let (sent, looped) = (bed.sent(), bed.looped());
                    // Out it goes anyhow, once; on a loopback link that is what brings it back.
                    assert_eq!(sent.len(), 1, "{case:?}");
                    if loops {
                        assert_eq!(looped, sent, "{case:?}: the same frame");
                    } else {
                        assert!(looped.is_empty(), "{case:?}");
                    }
                    let ethernet = parse_ethernet(&sent[0]).unwrap();
                    let expected = match ip(remote) {
                        _ if loopback => MacAddr::UNSPECIFIED,
                        _ if always => MacAddr::BROADCAST,
                        std::net::IpAddr::V4(a) if asked => MacAddr::from_ipv4_multicast(a),
                        std::net::IpAddr::V6(a) if asked => MacAddr::from_ipv6_multicast(a),
                        _ => OTHER,
                    };
                    assert_eq!(ethernet.header.destination, expected, "{case:?}");
                    assert_eq!(ethernet.header.source, MAC);
                    match ip(remote) {
                        std::net::IpAddr::V4(remote) => {
                            let packet = parse_ipv4(ethernet.payload).unwrap();
                            assert_eq!(packet.source(), std::net::Ipv4Addr::new(192, 0, 2, 1));
                            assert_eq!((packet.destination(), packet.header.ttl), (remote, 3));
                            assert_eq!(packet.payload, [9; 30]);
                        }
                        std::net::IpAddr::V6(remote) => {
                            let packet = parse_ipv6(ethernet.payload).unwrap();
                            assert_eq!(packet.source(), v6("2001:db8::1"));
                            assert_eq!(packet.destination(), remote);
                            assert_eq!(
                                (packet.header.hop_limit, packet.payload),
                                (3, &[9; 30][..])
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn f3_a_copy_without_room_is_counted_and_the_packet_sent() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    let route = bed.nic.route(None, ip(LIMITED)).unwrap();
    let send = || route.write_packet(IpProtocol::UDP, &[0; 8], None);
    let unsent = || bed.nic.protocol_counter(ProtocolCounter::Unsent);
    // The queues take 256 frames each; only the way out is emptied.
    let mut sent = 0;
    for _ in 0..256 {
        send().unwrap();
        sent += bed.sent().len();
    }
    assert_eq!((sent, unsent()), (256, 0));
    send().unwrap();
    assert_eq!((bed.sent().len(), unsent()), (1, 1));
    assert_eq!(bed.looped().len(), 256);
    // Now the way out is full, and nothing comes back of what did not go.
    for _ in 0..256 {
        send().unwrap();
        bed.looped();
    }
    assert!(matches!(send(), Err(SendError::NoBufferSpace)));
    assert!(bed.looped().is_empty());
    assert_eq!(bed.sent().len(), 256);
}

/// That packets from there are dropped as they arrive is a worker's to do.
#[test]
fn f4_nothing_is_sent_from_a_broadcast_address() {
    for spoofing in [false, true] {
        let bed = bed();
        bed.add(prefix("192.0.2.1/24"));
        bed.nic.set_spoofing(spoofing).unwrap();
        bed.nic.set_promiscuous(spoofing).unwrap();
        for broadcast in [LIMITED, "192.0.2.255"] {
            assert!(
                matches!(
                    bed.nic.route(Some(ip(broadcast)), ip("192.0.2.9")),
                    Err(RouteError::BadLocalAddress(_))
                ),
                "{broadcast}"
            );
            let mut worker = bed.nic.datapath();
            let found = lookup(&mut worker, &[broadcast])[0];
            assert!(found.is_for_many());
            let key = ip(broadcast).into();
            assert!(
                worker.load().0.hold(found, key).is_err(),
                "no reply starts there"
            );
        }
    }
    assert_eq!(DropReason::Martian.label(), "martian");
}
