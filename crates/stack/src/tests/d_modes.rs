//! Section D: promiscuous, spoofing and address ranges.

use AddressKind::{Permanent, PermanentExpired, PermanentTentative, Temporary};
use corelane_wire::IpProtocol;
use corelane_wire::ndp::{SolicitationSpec, solicited_node};

use crate::testing::*;
use crate::*;

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

/// An address of each family, and a subnet that has it.
const ADDRESSES: [(&str, &str); 2] = [
    ("192.0.2.7", "192.0.2.0/24"),
    ("2001:db8::7", "2001:db8::/64"),
];

/// What an address is to a NIC, before any mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Is(AddressKind),
}

/// A NIC to which `address` is this, and the reference that keeps it so.
fn made(address: &str, state: State) -> (Bed, Option<EndpointRef>) {
    let bed = probing_bed();
    let local = ip(address);
    let held = match state {
        State::Absent => None,
        State::Is(PermanentTentative) => {
            bed.add(local);
            None
        }
        State::Is(Permanent) => {
            bed.add(local);
            bed.advance(SECOND);
            None
        }
        State::Is(PermanentExpired) => {
            bed.add(local);
            bed.advance(SECOND);
            let held = bed.nic.hold(local).unwrap();
            bed.remove(address);
            Some(held)
        }
        State::Is(Temporary) => {
            bed.nic.set_spoofing(true).unwrap();
            let held = bed.nic.hold(local).unwrap();
            bed.nic.set_spoofing(false).unwrap();
            Some(held)
        }
    };
    let kind = match state {
        State::Absent => None,
        State::Is(kind) => Some(kind),
    };
    assert_eq!(bed.kind(address), kind);
    (bed, held)
}

const STATES: [State; 5] = [
    State::Absent,
    State::Is(PermanentTentative),
    State::Is(Permanent),
    State::Is(PermanentExpired),
    State::Is(Temporary),
];

/// What the rule gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    Nothing,
    TheEndpoint,
    ANewOne,
}

/// The rule: `mode` is promiscuous for packets, spoofing for local addresses.
fn rule(state: State, mode: bool, in_range: bool) -> Gives {
    match state {
        State::Is(Permanent | Temporary) => Gives::TheEndpoint,
        State::Is(PermanentExpired) if mode => Gives::TheEndpoint,
        State::Is(PermanentExpired | PermanentTentative) => Gives::Nothing,
        State::Absent if mode || in_range => Gives::ANewOne,
        State::Absent => Gives::Nothing,
    }
}

/// Every state under every combination of the mode and a range.
fn every_case(mut check: impl FnMut(&str, State, bool, bool, Gives)) {
    for (address, subnet) in ADDRESSES {
        for state in STATES {
            if !address.contains(':') && state == State::Is(PermanentTentative) {
                continue; // IPv4 addresses are not probed
            }
            for mode in [false, true] {
                for in_range in [false, true] {
                    let expected = rule(state, mode, in_range);
                    check(subnet, state, mode, in_range, expected);
                }
            }
        }
    }
}

fn address_in(subnet: &str) -> &'static str {
    let of = |it: &&(&'static str, &'static str)| it.1 == subnet;
    ADDRESSES.iter().find(of).unwrap().0
}

#[test]
fn d1_d2_d3_bug06_what_a_packet_finds() {
    every_case(|subnet, state, promiscuous, in_range, expected| {
        let address = address_in(subnet);
        let (bed, held) = made(address, state);
        bed.nic.set_promiscuous(promiscuous).unwrap();
        if in_range {
            bed.nic.add_range(prefix(subnet)).unwrap();
        }
        let mut worker = bed.nic.datapath();
        let found = lookup(&mut worker, &[address])[0];
        let kind = worker.load().0.kind(found);
        let what = match (found, kind) {
            (Found::NOTHING, None) => Gives::Nothing,
            (Found::TEMPORARY, None) => Gives::ANewOne,
            (_, Some(kind)) => {
                assert_eq!(State::Is(kind), state);
                Gives::TheEndpoint
            }
            other => panic!("{other:?}"),
        };
        let case = (address, state, promiscuous, in_range);
        assert_eq!(what, expected, "{case:?}");
        let temporaries = usize::from(state == State::Is(Temporary));
        assert_eq!(
            bed.nic.held_temporaries(),
            temporaries,
            "none is made for a packet"
        );
        // Spoofing is not asked.
        bed.nic.set_spoofing(true).unwrap();
        assert_eq!(lookup(&mut worker, &[address]), [found], "{case:?}");
        drop(held);
    });
}

#[test]
fn d1_d2_d3_bug06_what_is_held_as_a_local_address() {
    every_case(|subnet, state, spoofing, in_range, expected| {
        let address = address_in(subnet);
        let (bed, held) = made(address, state);
        bed.nic.set_spoofing(spoofing).unwrap();
        // Promiscuous mode is not asked.
        bed.nic.set_promiscuous(!spoofing).unwrap();
        if in_range {
            bed.nic.add_range(prefix(subnet)).unwrap();
        }
        let case = (address, state, spoofing, in_range);
        let is_local = bed.nic.is_local(ip(address));
        assert_eq!(is_local, expected != Gives::Nothing, "{case:?}");
        let route = bed.nic.route(Some(ip(address)), ip(address)).is_ok();
        assert_eq!(route, is_local, "{case:?}");
        let what = match bed.nic.hold(ip(address)) {
            Err(HoldError::BadLocalAddress(it)) => {
                assert_eq!(it, ip(address));
                Gives::Nothing
            }
            Ok(endpoint) if held.as_ref().is_some_and(|held| held.is_same(&endpoint)) => {
                Gives::TheEndpoint
            }
            Ok(endpoint) if endpoint.kind() == Temporary => Gives::ANewOne,
            Ok(endpoint) => {
                assert_eq!(endpoint.kind(), Permanent);
                Gives::TheEndpoint
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(what, expected, "{case:?}");
    });
}

#[test]
fn d2_d4_ranges_have_their_hosts_but_not_their_ends() {
    let bed = bed();
    // (range, what it has, what it does not have)
    let cases: [(&str, &[&str], &[&str]); 9] = [
        (
            "192.0.2.0/24",
            &["192.0.2.1", "192.0.2.128", "192.0.2.254"],
            &["192.0.2.0", "192.0.2.255", "192.0.3.1", "::c000:201"],
        ),
        (
            "192.0.2.77/24",
            &["192.0.2.1"],
            &["192.0.2.0", "192.0.2.255"],
        ),
        (
            "192.0.2.4/30",
            &["192.0.2.5", "192.0.2.6"],
            &["192.0.2.4", "192.0.2.7"],
        ),
        ("192.0.2.4/31", &[], &["192.0.2.4", "192.0.2.5"]),
        ("192.0.2.4/32", &[], &["192.0.2.4"]),
        ("0.0.0.0/0", &["192.0.2.1", "10.0.0.1"], &["2001:db8::1"]),
        (
            "2001:db8::/64",
            &["2001:db8::1", "2001:db8::ffff:ffff:ffff:fffe"],
            &[
                "2001:db8::",
                "2001:db8::ffff:ffff:ffff:ffff",
                "2001:db8:0:1::1",
            ],
        ),
        ("2001:db8::1/128", &[], &["2001:db8::1"]),
        ("::/0", &["2001:db8::1", "fe80::1"], &["192.0.2.1"]),
    ];
    for (range, has, has_not) in cases {
        bed.nic.add_range(prefix(range)).unwrap();
        for address in has {
            assert_eq!(
                bed.lookup(&[address]),
                [Found::TEMPORARY],
                "{range} {address}"
            );
            assert!(bed.nic.is_local(ip(address)));
            assert_eq!(bed.nic.hold(ip(address)).unwrap().kind(), Temporary);
        }
        for address in has_not {
            assert_eq!(
                bed.lookup(&[address]),
                [Found::NOTHING],
                "{range} {address}"
            );
            assert!(!bed.nic.is_local(ip(address)));
            assert!(bed.nic.hold(ip(address)).is_err());
        }
        bed.nic.remove_range(prefix(range)).unwrap();
        bed.nic.reclaim();
        for address in has {
            assert!(!bed.accepts(address), "{range} {address}");
        }
    }
    // An end of one range may be inside another.
    bed.nic.add_range(prefix("192.0.2.0/24")).unwrap();
    bed.nic.add_range(prefix("192.0.0.0/16")).unwrap();
    assert!(bed.accepts("192.0.2.0") && bed.accepts("192.0.2.255"));
    assert!(!bed.accepts("192.0.0.0") && !bed.accepts("192.0.255.255"));
}

#[test]
fn d3_a_tentative_address_is_not_made_temporary_by_any_mode() {
    let bed = probing_bed();
    let (address, subnet) = ADDRESSES[1];
    bed.add(ip(address));
    bed.nic.set_promiscuous(true).unwrap();
    bed.nic.set_spoofing(true).unwrap();
    bed.nic.add_range(prefix(subnet)).unwrap();
    let mut worker = bed.nic.datapath();
    assert_eq!(lookup(&mut worker, &[address]), [Found::NOTHING]);
    let key = ip(address).into();
    assert!(worker.load().0.hold(Found::TEMPORARY, key).is_err());
    assert!(bed.nic.hold(ip(address)).is_err());
    assert_eq!(
        (bed.nic.held_temporaries(), bed.nic.endpoint_count()),
        (0, 1)
    );
    bed.remove(address);
    assert_eq!(lookup(&mut worker, &[address]), [Found::TEMPORARY]);
}

#[test]
fn d5_ranges_are_listed_as_added_and_removed_together() {
    let bed = bed();
    for text in [
        "192.0.2.0/24",
        "198.51.100.0/24",
        "192.0.2.0/24",
        "2001:db8::/64",
    ] {
        bed.nic.add_range(prefix(text)).unwrap();
    }
    assert_eq!(bed.nic.ranges().len(), 4);
    bed.nic.remove_range(prefix("192.0.2.0/24")).unwrap();
    assert_eq!(
        bed.nic.ranges(),
        ["198.51.100.0/24", "2001:db8::/64"].map(prefix)
    );
    assert!(bed.nic.hold(ip("192.0.2.7")).is_err());
    assert!(bed.nic.hold(ip("198.51.100.7")).is_ok());
    assert!(bed.nic.hold(ip("2001:db8::7")).is_ok());
    // One that is not there is no error; another length is another range.
    bed.nic.remove_range(prefix("203.0.113.0/24")).unwrap();
    bed.nic.remove_range(prefix("198.51.100.0/25")).unwrap();
    bed.nic.remove_range(prefix("2001:db8::/63")).unwrap();
    assert_eq!(bed.nic.ranges().len(), 2);
    bed.nic.add_range(prefix("192.0.2.0/24")).unwrap();
    bed.nic.remove_range(prefix("192.0.2.99/24")).unwrap();
    assert_eq!(bed.nic.ranges().len(), 2, "the host part does not count");
    bed.nic
        .transaction(|tx| {
            tx.add_range(prefix("192.0.2.0/24"));
            tx.remove_range(prefix("192.0.2.0/24"));
        })
        .unwrap();
    assert!(!bed.accepts("192.0.2.7"));
}

#[test]
fn d5_d10_a_held_endpoint_outlives_its_range() {
    for (address, subnet) in ADDRESSES {
        let bed = bed();
        bed.nic.add_range(prefix(subnet)).unwrap();
        let held = bed.nic.hold(ip(address)).unwrap();
        bed.nic.remove_range(prefix(subnet)).unwrap();
        assert_eq!(held.kind(), Temporary);
        assert!(bed.accepts(address));
        assert!(bed.nic.hold(ip(address)).unwrap().is_same(&held));
        drop(held);
        bed.nic.reclaim();
        assert!(!bed.accepts(address));
    }
}

#[test]
fn d6_a_promiscuous_nic_takes_packets_to_any_address_and_may_answer_from_it() {
    let bed = bed();
    let unicast = ["203.0.113.5", "0.0.0.1", "2001:db8:9::5", "fe80::5"];
    let groups = ["239.9.9.9", "224.0.0.251", "ff02::fb", "ff0e::1"];
    let mut worker = bed.nic.datapath();
    for address in unicast.into_iter().chain(groups) {
        assert_eq!(lookup(&mut worker, &[address]), [Found::NOTHING]);
    }
    bed.nic.set_promiscuous(true).unwrap();
    assert!(bed.nic.is_promiscuous());
    assert_eq!(lookup(&mut worker, &unicast), [Found::TEMPORARY; 4]);
    assert_eq!(lookup(&mut worker, &groups), [Found::GROUP; 4]);
    for address in unicast {
        let found = worker.load().0.hold(Found::TEMPORARY, ip(address).into());
        assert_eq!(found.unwrap().address(), ip(address));
    }
    // For an address of its own nothing changes.
    bed.add(ip(unicast[0]));
    let found = lookup(&mut worker, &unicast[..1])[0];
    assert_eq!(worker.load().0.kind(found), Some(Permanent));
}

#[test]
fn d7_promiscuous_mode_gives_no_source_address() {
    let bed = bed();
    bed.nic.set_promiscuous(true).unwrap();
    for (address, _) in ADDRESSES {
        assert_eq!(bed.source(address), None);
        assert!(matches!(
            bed.nic.route(Some(ip(address)), ip(address)),
            Err(RouteError::BadLocalAddress(_))
        ));
        assert!(bed.nic.hold(ip(address)).is_err());
        assert!(!bed.nic.is_local(ip(address)));
    }
}

#[test]
fn d8_spoofing_lets_a_route_start_anywhere_a_host_can_be() {
    for primary in [false, true] {
        let bed = bed();
        bed.add(prefix("192.0.2.1/24"));
        bed.add(prefix("2001:db8::1/64"));
        if !primary {
            bed.remove("192.0.2.1");
            bed.remove("2001:db8::1");
        }
        bed.nic.set_spoofing(true).unwrap();
        assert!(bed.nic.is_spoofing());
        for (address, remote) in [
            ("203.0.113.5", "198.51.100.1"),
            ("203.0.113.5", "239.1.2.3"),
            ("2001:db8:9::5", "2a00::1"),
            ("fe80::5", "ff02::1"),
        ] {
            let mut route = bed.nic.route(Some(ip(address)), ip(remote)).unwrap();
            route.set_remote_link_address(OTHER);
            assert_eq!(route.local(), ip(address));
            route.write_packet(IpProtocol::UDP, &[], None).unwrap();
            assert_eq!(bed.sent().len(), 1);
            // Without a name it is an address of the NIC's, or none.
            assert_eq!(bed.source(remote).is_some(), primary);
        }
        let mut nowhere = vec![
            "0.0.0.0",
            "255.255.255.255",
            "239.1.2.3",
            "::",
            "ff02::1",
            "::ffff:192.0.2.1",
        ];
        if primary {
            nowhere.push("192.0.2.255");
        }
        for address in nowhere {
            let remote = if address.contains(':') {
                "2001:db8::9"
            } else {
                "192.0.2.9"
            };
            assert!(
                matches!(
                    bed.nic.route(Some(ip(address)), ip(remote)),
                    Err(RouteError::BadLocalAddress(_))
                ),
                "{address}"
            );
            assert!(bed.nic.hold(ip(address)).is_err(), "{address}");
            assert!(!bed.nic.is_local(ip(address)), "{address}");
        }
    }
}

#[test]
fn d9_spoofing_keeps_routes_of_removed_addresses_usable() {
    for (address, _) in ADDRESSES {
        let bed = bed();
        bed.add(ip(address));
        let remote = if address.contains(':') {
            "2001:db8:9::9"
        } else {
            "203.0.113.9"
        };
        let mut route = bed.nic.route(Some(ip(address)), ip(remote)).unwrap();
        route.set_remote_link_address(OTHER);
        bed.remove(address);
        assert!(route.check().is_err());
        bed.nic.set_spoofing(true).unwrap();
        route.write_packet(IpProtocol::UDP, &[], None).unwrap();
        assert_eq!(bed.sent().len(), 1);
        let another = bed.nic.route(Some(ip(address)), ip(remote)).unwrap();
        assert!(another.endpoint().is_same(route.endpoint()));
        assert_eq!(another.endpoint().kind(), PermanentExpired);
        assert_eq!(
            bed.source(address),
            None,
            "it is no source of its own accord"
        );
        bed.nic.set_spoofing(false).unwrap();
        assert!(matches!(
            route.check(),
            Err(SendError::InvalidEndpointState(_))
        ));
        assert!(bed.sent().is_empty());
        // A route that started from nobody's address stays usable while it is held.
        bed.nic.set_spoofing(true).unwrap();
        let other = if address.contains(':') {
            "2001:db8:5::5"
        } else {
            "198.51.100.5"
        };
        let spoofed = bed.nic.route(Some(ip(other)), ip(address)).unwrap();
        bed.nic.set_spoofing(false).unwrap();
        spoofed.check().unwrap();
    }
}

#[test]
fn d11_with_spoofing_every_address_is_local() {
    let bed = bed();
    let solicit = |target: &str, probe: bool| {
        let target = v6(target);
        let group = solicited_node(target);
        let mut spec = SolicitationSpec::probe(OTHER, target, None);
        if !probe {
            spec.source = v6("2001:db8::99");
            spec.destination = group;
        }
        bed.solicit(&spec)
    };
    let everywhere = ["203.0.113.5", "10.0.0.1", "2001:db8:9::5", "fe80::5"];
    for spoofing in [false, true, false] {
        bed.nic.set_spoofing(spoofing).unwrap();
        for address in everywhere {
            assert_eq!(bed.nic.is_local(ip(address)), spoofing, "{address}");
        }
        let expected = if spoofing {
            Verdict::Answered
        } else {
            Verdict::Ignored
        };
        assert_eq!(solicit("2001:db8:9::5", false), expected);
        assert_eq!(bed.sent().len(), usize::from(spoofing));
        assert_eq!(
            solicit("2001:db8:9::5", true),
            Verdict::Ignored,
            "a neighbor may have it"
        );
    }
    bed.add(ip("2001:db8:9::5"));
    bed.nic.set_spoofing(true).unwrap();
    assert_eq!(
        solicit("2001:db8:9::5", true),
        Verdict::Answered,
        "in use here"
    );
}

#[test]
fn d12_asking_makes_nothing() {
    let bed = bed();
    bed.nic.set_spoofing(true).unwrap();
    bed.nic.set_promiscuous(true).unwrap();
    bed.nic.add_range(prefix("198.51.100.0/24")).unwrap();
    let (before, storage) = (bed.state(), bed.nic.endpoint_bytes());
    let mut worker = bed.nic.datapath();
    for n in 0..500u32 {
        for address in [
            std::net::IpAddr::from((0xc633_6401 + n % 250).to_be_bytes()),
            std::net::IpAddr::from((0x2001_0db8_u128 << 96 | u128::from(n + 1)).to_be_bytes()),
        ] {
            assert!(bed.nic.is_local(address));
            assert_eq!(bed.nic.is_tentative(address), Ok(false));
            lookup(&mut worker, &[&address.to_string()]);
        }
    }
    bed.nic.reclaim();
    assert_eq!((bed.state(), bed.nic.endpoint_bytes()), (before, storage));
    assert!(bed.happened().is_empty());
}

#[test]
fn d13_a_mode_takes_effect_for_the_next_burst() {
    type Switch = fn(&Nic, bool);
    let promiscuous: Switch = |nic, on| nic.set_promiscuous(on).unwrap();
    let range: Switch = |nic, on| {
        let ranges = ADDRESSES.map(|(_, subnet)| prefix(subnet));
        for subnet in ranges {
            if on {
                nic.add_range(subnet)
            } else {
                nic.remove_range(subnet)
            }
            .unwrap();
        }
    };
    for (address, _) in ADDRESSES {
        for switch in [promiscuous, range] {
            let bed = bed();
            let mut worker = bed.nic.datapath();
            let mut packets = PacketBurst::default();
            packets.push(
                ip(address).into(),
                Inbound {
                    frame: 0,
                    ports: [0; 4],
                    protocol: IpProtocol::UDP,
                    flags: PacketFlags::default(),
                    network: 14,
                    transport: 34,
                    end: 42,
                },
            );
            let mut find = |view: NicView<'_>| {
                view.lookup(&mut packets);
                let mut found = None;
                packets.retain(|_, it| {
                    found = Some(it);
                    true
                });
                found.unwrap()
            };
            for on in [true, false] {
                let (before, after) = match on {
                    true => (Found::NOTHING, Found::TEMPORARY),
                    false => (Found::TEMPORARY, Found::NOTHING),
                };
                let (view, _) = worker.load();
                assert_eq!(find(view), before);
                switch(&bed.nic, on);
                assert_eq!(find(view), before, "the burst that was under way");
                assert_eq!(find(worker.load().0), after, "the next one");
            }
            // Spoofing, for references from the moment the call returns.
            assert!(bed.nic.hold(ip(address)).is_err());
            bed.nic.set_spoofing(true).unwrap();
            drop(bed.nic.hold(ip(address)).unwrap());
            bed.nic.set_spoofing(false).unwrap();
            bed.nic.reclaim();
            assert!(bed.nic.hold(ip(address)).is_err());
        }
    }
}

#[test]
fn d13_several_modes_change_together_in_a_transaction() {
    let bed = bed();
    let mut worker = bed.nic.datapath();
    bed.nic
        .transaction(|tx| {
            tx.set_promiscuous(true);
            tx.set_spoofing(true);
            tx.add_address(ip("192.0.2.1")).unwrap();
            tx.set_promiscuous(false);
        })
        .unwrap();
    let found = lookup(&mut worker, &["192.0.2.1", "192.0.2.2"]);
    assert_ne!(found[0], Found::NOTHING);
    assert_eq!(found[1], Found::NOTHING, "it was never on for anybody");
    assert!(bed.nic.is_spoofing());
}
