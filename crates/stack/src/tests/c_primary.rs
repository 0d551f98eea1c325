//! Section C: the primary order, and which address a NIC sends from.

use PrimaryEndpointBehavior::{CanBePrimary, FirstPrimary, NeverPrimary};

use crate::testing::*;
use crate::*;

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

#[test]
fn c1_c2_a23_the_primary_order_is_as_configured() {
    for (family, net, other) in [
        (Family::V4, "10.0.0.", "fd00::1"),
        (Family::V6, "fd00::", "10.0.0.1"),
    ] {
        let bed = bed();
        let at = |n: u8| format!("{net}{n}");
        let all = |numbers: &[u8]| numbers.iter().map(|n| at(*n)).collect::<Vec<_>>();
        let add = |n, behavior| bed.add(placed(&at(n), behavior));
        bed.add(ip(other));
        bed.add(ip(&at(1)));
        add(2, CanBePrimary);
        add(3, FirstPrimary);
        add(4, NeverPrimary);
        add(5, FirstPrimary);
        assert_eq!(bed.primary(family), all(&[5, 3, 1, 2]));
        let remove = |n| bed.remove(&at(n));
        remove(5);
        remove(1);
        remove(4);
        assert_eq!(bed.primary(family), all(&[3, 2]));
        add(1, CanBePrimary);
        assert_eq!(
            bed.primary(family),
            all(&[3, 2, 1]),
            "at the end, not where it was"
        );
        add(5, FirstPrimary);
        add(4, NeverPrimary);
        assert_eq!(bed.primary(family), all(&[5, 3, 2, 1]));
        for n in [2, 5, 1, 3] {
            remove(n);
        }
        assert_eq!(bed.nic.primary_address(family), None);
        assert_eq!(
            bed.listed().len(),
            2,
            "the other family's, and the one that is never primary"
        );
        let other_family = Family::of(ip(other));
        assert_eq!(bed.primary(other_family), [other]);
    }
}

#[test]
fn c2_c6_while_it_is_held_a_removed_address_is_out_of_the_order_too() {
    for net in ["10.0.0.", "fd00::"] {
        let bed = bed();
        let at = |n: u8| format!("{net}{n}");
        let family = Family::of(ip(&at(1)));
        for n in 1..=3 {
            bed.add(ip(&at(n)));
        }
        let _held = [1, 2].map(|n| bed.nic.hold(ip(&at(n))).unwrap());
        bed.remove(&at(1));
        bed.remove(&at(2));
        assert_eq!(bed.primary(family), [at(3)]);
        assert_eq!(bed.source(&at(9)), Some(at(3)));
        // Added again they go where they are put now.
        bed.add(placed(&at(2), FirstPrimary));
        bed.add(ip(&at(1)));
        assert_eq!(bed.primary(family), [at(2), at(3), at(1)]);
        bed.remove(&at(2));
        bed.add(placed(&at(2), NeverPrimary));
        assert_eq!(bed.primary(family), [at(3), at(1)]);
        bed.remove(&at(2));
        bed.add(placed(&at(2), CanBePrimary));
        assert_eq!(bed.primary(family), [at(3), at(1), at(2)]);
    }
}

#[test]
fn c3_an_ipv4_source_is_the_first_in_primary_order() {
    let bed = bed();
    assert_eq!(bed.source("203.0.113.9"), None);
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("203.0.113.1/24"));
    for remote in [
        "203.0.113.9",
        "192.0.2.9",
        "203.0.113.1",
        "239.1.2.3",
        "255.255.255.255",
    ] {
        assert_eq!(
            bed.source(remote).unwrap(),
            "192.0.2.1",
            "whatever it is sent to"
        );
    }
    bed.add(placed("198.51.100.1/24", FirstPrimary));
    bed.add(placed("198.51.100.2/24", NeverPrimary));
    assert_eq!(bed.source("203.0.113.9").unwrap(), "198.51.100.1");
    bed.remove("198.51.100.1");
    bed.remove("192.0.2.1");
    assert_eq!(bed.source("192.0.2.9").unwrap(), "203.0.113.1");
    bed.remove("203.0.113.1");
    assert_eq!(bed.source("192.0.2.9"), None);
}

/// A destination and the source for it.
type Choice = (&'static str, &'static str);

/// What RFC 6724 says of these addresses, in this primary order, as sources for a destination.
#[test]
fn c3_an_ipv6_source_is_what_rfc_6724_says() {
    let table: &[(&[&str], &[Choice])] = &[
        // Section 10.1, as far as the rules go.
        (
            &["fe80::1/64", "2001:db8:3::1/64"],
            &[
                ("2001:db8:1::1", "2001:db8:3::1"),
                ("ff05::1", "2001:db8:3::1"),
                ("fe80::2", "fe80::1"),
                ("ff02::1", "fe80::1"),
            ],
        ),
        (
            &["2001:db8:2::1/64", "2001:db8:1::1/64", "fe80::1/64"],
            &[
                // Rule 1: the destination itself, also where the order says otherwise.
                ("2001:db8:1::1", "2001:db8:1::1"),
                ("2001:db8:2::1", "2001:db8:2::1"),
                ("fe80::1", "fe80::1"),
                // Rule 8, then the order.
                ("2001:db8:1::9", "2001:db8:1::1"),
                ("2001:db8:2::9", "2001:db8:2::1"),
                ("2a00::9", "2001:db8:2::1"),
            ],
        ),
        // Rule 2: scopes, the smallest that reaches; else the largest.
        (
            &["fe80::1/64", "fec0::1/64", "2001:db8::1/64"],
            &[
                ("ff01::9", "fe80::1"),
                ("ff02::9", "fe80::1"),
                ("fe80::9", "fe80::1"),
                ("fec0::9", "fec0::1"),
                ("ff05::9", "fec0::1"),
                ("ff08::9", "2001:db8::1"),
                ("ff0e::9", "2001:db8::1"),
                ("2a00::9", "2001:db8::1"),
            ],
        ),
        (
            &["fe80::1/64", "fec0::1/64"],
            &[("2a00::9", "fec0::1"), ("ff0e::1", "fec0::1")],
        ),
        (
            &["fe80::1/64"],
            &[("2a00::9", "fe80::1"), ("ff0e::1", "fe80::1")],
        ),
        // Rule 6: labels. Unique local, 6to4, Teredo and all others.
        (
            &[
                "2001:db8::1/64",
                "fd00::1/64",
                "2002:c000:201::1/64",
                "2001:0:1::1/64",
            ],
            &[
                ("fd12::9", "fd00::1"),
                ("fc00::9", "fd00::1"),
                ("2002:c633:6401::1", "2002:c000:201::1"),
                ("2001:0:5::1", "2001:0:1::1"),
                ("2a00::9", "2001:db8::1"),
                // The longer common prefix is Teredo's, but the label comes first.
                ("2001:4000::9", "2001:db8::1"),
            ],
        ),
        // No label matches: rule 8 among all of them, then the order.
        (
            &["fd00::1/64", "2002:c000:201::1/64"],
            &[
                ("2a00::9", "2002:c000:201::1"),
                ("8000::9", "fd00::1"),
                ("4000::9", "2002:c000:201::1"),
            ],
        ),
        // Rule 8: no further than the candidate's own prefix, so that these two are alike and the
        // order decides.
        (
            &["2001:db8::2/32", "2001:db8:1::2/32"],
            &[
                ("2001:db8:1::9", "2001:db8::2"),
                ("2001:db8::9", "2001:db8::2"),
            ],
        ),
        (
            &["2001:db8::2/32", "2001:db8:1::2/48"],
            &[
                ("2001:db8:1::9", "2001:db8:1::2"),
                ("2001:db8:8000::9", "2001:db8::2"),
            ],
        ),
        // Whole addresses are prefixes too.
        (
            &["2001:db8::10", "2001:db8::20", "2001:db8::40"],
            &[
                ("2001:db8::21", "2001:db8::20"),
                ("2001:db8::11", "2001:db8::10"),
                ("2001:db8::4f", "2001:db8::40"),
                ("2001:db8::80", "2001:db8::10"),
            ],
        ),
    ];
    for (addresses, choices) in table {
        // The index is made by the first choice and kept by all changes after that, so the addresses
        // come before it in one NIC and after it in the other.
        for asked_before in [false, true] {
            let bed = bed();
            if asked_before {
                assert_eq!(bed.source("2a00::9"), None);
            }
            bed.add(placed("2001:db8:ffff::1/16", NeverPrimary));
            for address in *addresses {
                bed.add(prefix(address));
            }
            for (remote, expected) in *choices {
                assert_eq!(
                    bed.source(remote).as_deref(),
                    Some(*expected),
                    "{addresses:?} to {remote}"
                );
            }
        }
    }
}

#[test]
fn c3_where_no_rule_of_rfc_6724_tells_the_primary_order_does() {
    let bed = bed();
    let remote = "2a00::9";
    for (address, primary, expected) in [
        ("2001:db8::3/64", CanBePrimary, "2001:db8::3"),
        ("2001:db8::1/64", CanBePrimary, "2001:db8::3"),
        ("2001:db8::4/64", FirstPrimary, "2001:db8::4"),
        ("2001:db8::2/64", FirstPrimary, "2001:db8::2"),
        ("2001:db8::5/64", NeverPrimary, "2001:db8::2"),
    ] {
        bed.add(placed(address, primary));
        assert_eq!(
            bed.source(remote).as_deref(),
            Some(expected),
            "with {address}"
        );
        assert_eq!(bed.primary(Family::V6)[0], expected);
    }
    let _held = bed.nic.hold(ip("2001:db8::2")).unwrap();
    for (removed, expected) in [
        ("2001:db8::2", Some("2001:db8::4")),
        ("2001:db8::5", Some("2001:db8::4")),
        ("2001:db8::4", Some("2001:db8::3")),
        ("2001:db8::3", Some("2001:db8::1")),
        ("2001:db8::1", None),
    ] {
        bed.remove(removed);
        assert_eq!(bed.source(remote).as_deref(), expected, "without {removed}");
    }
    // With another prefix length, it is another candidate.
    bed.add(prefix("2001:db8::1/64"));
    bed.add(prefix("2001:db8::2/32"));
    assert_eq!(bed.source("2001:db8::9").as_deref(), Some("2001:db8::1"));
    bed.remove("2001:db8::2");
    bed.add(prefix("2001:db8::2/127"));
    assert_eq!(bed.source("2001:db8::3").as_deref(), Some("2001:db8::2"));
}

#[test]
fn c4_bug07_a_tentative_address_is_never_a_source() {
    for first in [CanBePrimary, FirstPrimary] {
        let bed = probing_bed();
        bed.add(prefix("2001:db8:1::1/64"));
        bed.add(ip("192.0.2.1"));
        assert_eq!(bed.source("2001:db8:1::9"), None);
        assert_eq!(bed.source("192.0.2.9").unwrap(), "192.0.2.1", "not probed");
        bed.advance(SECOND);
        // Better in every way, but not in use yet.
        bed.add(placed("2001:db8::1/64", first));
        let remote = "2001:db8::9";
        for modes in [false, true] {
            bed.nic.set_spoofing(modes).unwrap();
            bed.nic.set_promiscuous(modes).unwrap();
            assert_eq!(bed.source(remote).unwrap(), "2001:db8:1::1");
            assert_eq!(bed.source("2001:db8::1").unwrap(), "2001:db8:1::1");
            assert!(bed.nic.route(Some(ip("2001:db8::1")), ip(remote)).is_err());
        }
        bed.advance(SECOND);
        assert_eq!(bed.source(remote).unwrap(), "2001:db8::1");
        // Tentative again, all of them.
        bed.nic.disable().unwrap();
        bed.nic.enable().unwrap();
        assert_eq!(bed.source(remote), None);
        bed.advance(SECOND);
        assert_eq!(bed.source(remote).unwrap(), "2001:db8::1");
    }
}

#[test]
fn c5_bug10_temporary_endpoints_are_no_sources_of_other_traffic() {
    for (address, remote, own) in [
        ("198.51.100.7", "198.51.100.9", "192.0.2.1"),
        ("2001:db8:5::7", "2001:db8:5::9", "fe80::1"),
    ] {
        let bed = bed();
        let family = Family::of(ip(address));
        bed.nic.set_promiscuous(true).unwrap();
        bed.nic.set_spoofing(true).unwrap();
        bed.nic.add_range(prefix("198.51.100.0/24")).unwrap();
        let mut worker = bed.nic.datapath();
        assert_eq!(lookup(&mut worker, &[address]), [Found::TEMPORARY]);
        let packets = worker
            .load()
            .0
            .hold(Found::TEMPORARY, ip(address).into())
            .unwrap();
        let spoofed = bed.nic.route(Some(ip(address)), ip(remote)).unwrap();
        assert!(packets.is_same(spoofed.endpoint()));
        assert_eq!(bed.source(remote), None);
        assert!(bed.primary(family).is_empty());
        bed.add(ip(own));
        assert_eq!(bed.source(remote).unwrap(), own);
        assert_eq!(bed.primary(family), [own]);
        // Only if it is added itself.
        bed.add(placed(address, FirstPrimary));
        assert_eq!(bed.source(remote).unwrap(), address);
    }
}

#[test]
fn c6_a5_promotion_takes_the_new_place_in_the_primary_order() {
    for (one, two, again) in [
        ("10.0.0.1", "10.0.0.2", "10.0.0.2/8"),
        ("fd00::1", "fd00::2", "fd00::2/64"),
    ] {
        let bed = bed();
        let family = Family::of(ip(one));
        bed.add(ip(one));
        bed.add(ip(two));
        let _held = bed.nic.hold(ip(two)).unwrap();
        bed.remove(two);
        assert_eq!(bed.primary(family), [one]);
        bed.add(placed(again, FirstPrimary));
        assert_eq!(bed.primary(family), [two, one]);
        let main = bed.nic.primary_address(family).unwrap();
        assert_eq!((main.prefix, main.primary), (prefix(again), FirstPrimary));
    }
}

#[test]
fn c7_groups_and_the_broadcast_are_never_primary_and_the_link_local_address_can_be() {
    let bed = bed_of(NicConfig::new("test").link_local(LinkLocal::Eui64));
    bed.nic.join_group(ip("239.1.2.3")).unwrap();
    bed.nic.join_group(ip("ff05::3")).unwrap();
    assert!(bed.primary(Family::V4).is_empty());
    assert_eq!(bed.source("192.0.2.9"), None);
    let link_local = "fe80::ff:fe00:1";
    assert_eq!(bed.primary(Family::V6), [link_local]);
    assert_eq!(bed.source("ff05::3").unwrap(), link_local);
    for group in ["239.1.2.3", "255.255.255.255", "ff05::3", "ff02::1"] {
        let remote = if group.contains(':') {
            "2001:db8::9"
        } else {
            "192.0.2.9"
        };
        for spoofing in [false, true] {
            bed.nic.set_spoofing(spoofing).unwrap();
            assert!(matches!(
                bed.nic.route(Some(ip(group)), ip(remote)),
                Err(RouteError::BadLocalAddress(_))
            ));
        }
    }
}

#[test]
fn c8_a_never_primary_address_can_be_named() {
    for (address, remote) in [
        ("192.0.2.1/24", "192.0.2.9"),
        ("2001:db8::1/64", "2001:db8::9"),
    ] {
        let bed = bed();
        let local = prefix(address).address();
        bed.add(placed(address, NeverPrimary));
        assert_eq!(bed.source(remote), None);
        let mut route = bed.nic.route(Some(local), ip(remote)).unwrap();
        route.set_remote_link_address(OTHER);
        route
            .write_packet(corelane_wire::IpProtocol::UDP, &[1], None)
            .unwrap();
        assert_eq!(route.local(), local);
        assert_eq!(bed.sent().len(), 1);
        let mut worker = bed.nic.datapath();
        let found = lookup(&mut worker, &[&local.to_string()])[0];
        assert_eq!(
            worker.load().0.kind(found),
            Some(AddressKind::Permanent),
            "and it receives"
        );
    }
}
