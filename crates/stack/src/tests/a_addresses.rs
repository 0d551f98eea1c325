//! Section A: what can be added to a NIC and taken from it again, and what the listings say.

use AddressKind::{Permanent, PermanentExpired, PermanentTentative, Temporary};
use PrimaryEndpointBehavior::{CanBePrimary, FirstPrimary, NeverPrimary};

use crate::testing::*;
use crate::*;

/// An address of each family with everything that is said about it here.
struct Case {
    address: &'static str,
    with_prefix: &'static str,
    other_prefix: &'static str,
    remote: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        address: "192.0.2.1",
        with_prefix: "192.0.2.1/24",
        other_prefix: "192.0.2.1/28",
        remote: "192.0.2.9",
    },
    Case {
        address: "2001:db8::1",
        with_prefix: "2001:db8::1/64",
        other_prefix: "2001:db8::1/48",
        remote: "2001:db8::9",
    },
];

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

fn is_duplicate(result: Result<(), AddAddressError>, address: &str) -> bool {
    result.is_err_and(
        |error| matches!(error, AddAddressError::DuplicateAddress(it) if it == ip(address)),
    )
}

fn bad_local(address: &str) -> Result<(), RemoveAddressError> {
    Err(RemoveAddressError::BadLocalAddress(ip(address)))
}

#[test]
fn a1_one_endpoint_per_address_whatever_prefix_it_is_added_with() {
    for case in CASES {
        let bed = bed();
        bed.add(prefix(case.with_prefix));
        for config in [
            AddressConfig::from(ip(case.address)),
            prefix(case.with_prefix).into(),
            prefix(case.other_prefix).into(),
            placed(case.other_prefix, FirstPrimary),
            placed(case.other_prefix, NeverPrimary),
        ] {
            assert!(is_duplicate(bed.nic.add_address(config), case.address));
        }
        bed.nic.set_spoofing(true).unwrap();
        bed.nic.add_range(prefix(case.with_prefix)).unwrap();
        let one = bed.nic.hold(ip(case.address)).unwrap();
        let two = bed.nic.hold(ip(case.address)).unwrap();
        assert!(one.is_same(&two));
        let endpoints = bed.nic.endpoints();
        assert_eq!(endpoints.len(), 1);
        assert_eq!(endpoints[0].prefix, prefix(case.with_prefix));
        assert_eq!(
            (bed.nic.endpoint_count(), bed.nic.held_temporaries()),
            (1, 0)
        );
    }
    // The two families do not meet: these are the same 32 bits, at either end of the 128.
    let bed = bed();
    for address in ["192.0.2.1", "::c000:201", "c000:201::"] {
        bed.add(ip(address));
    }
    assert_eq!(bed.nic.endpoint_count(), 3);
}

#[test]
fn a2_the_kinds_and_the_ways_between_them() {
    for case in CASES {
        let (address, is_v6) = (ip(case.address), case.address.contains(':'));
        let bed = probing_bed();
        let first = if is_v6 { PermanentTentative } else { Permanent };
        // New to tentative or permanent, tentative to permanent.
        bed.add(address);
        assert_eq!(bed.kind(case.address), Some(first));
        bed.advance(SECOND);
        assert_eq!(bed.kind(case.address), Some(Permanent));
        // Permanent to tentative, where it is probed anew; IPv4 is not.
        bed.nic.disable().unwrap();
        assert_eq!(bed.kind(case.address), Some(first));
        bed.nic.enable().unwrap();
        bed.advance(SECOND);
        // Permanent to expired, and back.
        let held = bed.nic.hold(address).unwrap();
        bed.remove(case.address);
        assert_eq!(held.kind(), PermanentExpired);
        bed.add(address);
        assert_eq!(held.kind(), first);
        // Tentative to expired.
        bed.remove(case.address);
        assert_eq!(bed.kind(case.address), Some(PermanentExpired));
        // Expired to gone.
        drop(held);
        bed.nic.reclaim();
        assert_eq!(bed.kind(case.address), None);
        // New to temporary, temporary to permanent and to gone.
        bed.nic.set_spoofing(true).unwrap();
        let held = bed.nic.hold(address).unwrap();
        assert_eq!(bed.kind(case.address), Some(Temporary));
        drop(held);
        bed.nic.reclaim();
        assert_eq!(bed.kind(case.address), None);
        let held = bed.nic.hold(address).unwrap();
        bed.add(address);
        assert_eq!(held.kind(), first);
        bed.advance(SECOND);
        assert_eq!(held.kind(), Permanent);
    }
}

#[test]
fn a3_an_address_that_is_there_is_a_duplicate() {
    for bed in [bed(), probing_bed()] {
        for case in CASES {
            bed.add(prefix(case.with_prefix));
            let before = bed.state();
            assert!(is_duplicate(
                bed.nic.add_address(ip(case.address)),
                case.address
            ));
            assert!(is_duplicate(
                bed.nic.add_address(placed(case.other_prefix, FirstPrimary)),
                case.address
            ));
            assert_eq!(bed.state(), before, "tentative or not, it is as it was");
            bed.advance(SECOND);
            let held = bed.nic.hold(ip(case.address)).unwrap();
            let result = bed
                .nic
                .transaction(|tx| tx.add_address(prefix(case.other_prefix)));
            assert!(is_duplicate(result.unwrap(), case.address), "held");
            assert_eq!(held.kind(), Permanent);
        }
        assert_eq!(bed.listed(), ["192.0.2.1/24", "2001:db8::1/64"]);
    }
}

#[test]
fn a4_a15_a16_a17_b9_a_held_address_outlives_its_removal_and_is_revived() {
    for case in CASES {
        let bed = bed();
        bed.add(prefix(case.with_prefix));
        let held = bed.nic.hold(ip(case.address)).unwrap();
        assert_eq!(held.kind(), Permanent);
        bed.remove(case.address);
        assert_eq!(held.kind(), PermanentExpired);
        assert!(bed.listed().is_empty(), "expired addresses are not listed");
        assert!(
            bed.nic.hold(ip(case.address)).is_err(),
            "no new reference without spoofing"
        );
        assert_eq!(
            bed.nic.remove_address(ip(case.address)),
            bad_local(case.address),
            "not a second time"
        );
        // Revived: the same endpoint, with the new configuration.
        bed.add(prefix(case.other_prefix));
        assert_eq!(held.kind(), Permanent);
        assert!(held.is_same(&bed.nic.hold(ip(case.address)).unwrap()));
        assert_eq!(bed.listed(), [case.other_prefix]);
        assert_eq!(bed.nic.endpoint_count(), 1);
        drop(held);
        bed.nic.reclaim();
        assert_eq!(
            bed.listed(),
            [case.other_prefix],
            "the last reference of a revived one frees nothing"
        );
        assert!(bed.closed().is_empty());
    }
}

#[test]
fn a4_b9_a_held_temporary_becomes_the_permanent_one() {
    for case in CASES {
        for spoofing in [false, true] {
            let bed = bed();
            bed.nic.set_spoofing(spoofing).unwrap();
            if !spoofing {
                bed.nic.add_range(prefix(case.with_prefix)).unwrap();
            }
            let held = bed.nic.hold(ip(case.address)).unwrap();
            let again = held.clone();
            bed.add(prefix(case.with_prefix));
            assert_eq!(held.kind(), Permanent);
            assert!(held.is_same(&bed.nic.hold(ip(case.address)).unwrap()));
            assert_eq!(
                (bed.nic.held_temporaries(), bed.nic.endpoint_count()),
                (0, 1)
            );
            assert_eq!(bed.listed(), [case.with_prefix]);
            let family = Family::of(ip(case.address));
            assert_eq!(bed.primary(family), [case.address]);
            drop((held, again));
            bed.nic.reclaim();
            assert_eq!(
                bed.listed(),
                [case.with_prefix],
                "its own reference is left"
            );
            bed.remove(case.address);
            assert_eq!(bed.closed(), [case.address], "one endpoint, closed once");
        }
    }
}

#[test]
fn a6_b4_an_address_added_before_its_death_is_buried_is_a_new_endpoint() {
    for case in CASES {
        let bed = bed();
        bed.add(ip(case.address));
        let held = bed.nic.hold(ip(case.address)).unwrap();
        bed.remove(case.address);
        bed.nic
            .transaction(|tx| {
                // Dies inside the transaction, after it buried the dead.
                drop(held);
                tx.add_address(prefix(case.other_prefix)).unwrap();
            })
            .unwrap();
        assert_eq!(bed.nic.endpoint_count(), 1);
        assert_eq!(bed.nic.reclaim(), 0);
        assert_eq!(bed.closed(), [case.address], "the old one, once");
        assert_eq!(bed.listed(), [case.other_prefix]);
        assert_eq!(bed.nic.hold(ip(case.address)).unwrap().kind(), Permanent);
    }
}

#[test]
fn a7_an_unknown_protocol_is_told_before_anything_else_about_the_address() {
    let only = |protocols| bed_of(NicConfig::new("test").protocols(protocols));
    for (protocols, known, unknown, family) in [
        (Protocols::V4, "192.0.2.1", "2001:db8::1", Family::V6),
        (Protocols::V6, "2001:db8::1", "192.0.2.1", Family::V4),
    ] {
        let bed = only(protocols);
        let before = bed.state();
        let mut wrong = vec![unknown];
        // No host could have these, but that is not even asked.
        wrong.extend(match family {
            Family::V4 => ["0.0.0.0", "224.0.0.1", "255.255.255.255"],
            Family::V6 => ["::", "ff02::1", "::ffff:192.0.2.1"],
        });
        for address in wrong {
            for _ in 0..2 {
                match bed.nic.add_address(ip(address)) {
                    Err(AddAddressError::UnknownProtocol(it)) => assert_eq!(it, family),
                    other => panic!("{address}: {other:?}"),
                }
            }
        }
        assert_eq!(bed.state(), before);
        bed.add(ip(known));
        assert!(is_duplicate(bed.nic.add_address(ip(known)), known));
    }
}

#[test]
fn a8_a_removed_nic_says_so_before_anything_else() {
    let bed = bed_of(NicConfig::new("test").protocols(Protocols::V4));
    bed.add(ip("192.0.2.1"));
    bed.nic.remove().unwrap();
    for address in [
        "192.0.2.1",
        "192.0.2.2",
        "0.0.0.0",
        "2001:db8::1",
        "ff02::1",
    ] {
        match bed.nic.add_address(ip(address)) {
            Err(AddAddressError::NicGone(gone)) => assert_eq!(gone, NicGone(NicId(1))),
            other => panic!("{address}: {other:?}"),
        }
    }
}

#[test]
fn a9_the_prefix_length_is_the_families_unless_given() {
    let bed = bed();
    let texts = [
        "192.0.2.1/32",
        "192.0.2.2/0",
        "192.0.2.3/25",
        "2001:db8::1/128",
    ];
    let more = ["2001:db8::2/64", "2001:db8::3/0"];
    bed.add(ip("192.0.2.1"));
    bed.add(ip("2001:db8::1"));
    for text in [
        "192.0.2.2/0",
        "192.0.2.3/25",
        "2001:db8::2/64",
        "2001:db8::3/0",
    ] {
        bed.add(prefix(text));
    }
    let mut all: Vec<&str> = texts.into_iter().chain(more).collect();
    all.sort_unstable();
    assert_eq!(bed.listed(), all);
    let mut endpoints: Vec<String> = bed
        .nic
        .endpoints()
        .iter()
        .map(|info| info.prefix.to_string())
        .collect();
    endpoints.sort();
    assert_eq!(endpoints, all);
    let primary = |family| {
        let infos = bed.nic.primary_addresses(family);
        let texts: Vec<String> = infos.iter().map(|info| info.prefix.to_string()).collect();
        texts
    };
    assert_eq!(
        primary(Family::V4),
        ["192.0.2.1/32", "192.0.2.2/0", "192.0.2.3/25"]
    );
    assert_eq!(
        primary(Family::V6),
        ["2001:db8::1/128", "2001:db8::2/64", "2001:db8::3/0"]
    );
    let main = bed.nic.primary_address(Family::V4).unwrap();
    assert_eq!(main.prefix, prefix("192.0.2.1/32"));
    // What nobody added is known by the whole address.
    bed.nic.add_range(prefix("198.51.100.0/24")).unwrap();
    let _held = bed.nic.hold(ip("198.51.100.7")).unwrap();
    let endpoints = bed.nic.endpoints();
    let temporary = endpoints.iter().find(|info| info.kind == Temporary);
    assert_eq!(temporary.unwrap().prefix, prefix("198.51.100.7/32"));
}

/// Out of memory cannot be forced here: the operating system decides.
#[test]
fn a10_an_error_leaves_no_trace() {
    let bed = bed_of(
        NicConfig::new("test")
            .protocols(Protocols::V4)
            .igmp(Some(IgmpVersion::V3)),
    );
    bed.add(prefix("192.0.2.1/24"));
    bed.nic.set_spoofing(true).unwrap();
    let _held = bed.nic.hold(ip("192.0.2.77")).unwrap();
    bed.sent();
    let before = bed.state();
    let wrong = [
        "192.0.2.1",
        "2001:db8::1",
        "224.0.0.5",
        "0.0.0.0",
        "255.255.255.255",
    ];
    for address in wrong {
        assert!(bed.nic.add_address(ip(address)).is_err());
        assert_eq!(bed.state(), before, "{address}");
    }
    assert!(bed.nic.join_group(ip("192.0.2.1")).is_err());
    assert!(bed.nic.leave_group(ip("239.0.0.1")).is_err());
    assert!(bed.nic.remove_address(ip("192.0.2.77")).is_err());
    assert_eq!(bed.state(), before);
    // Among changes that are right, in one transaction: the right ones are made, whole.
    bed.nic
        .transaction(|tx| {
            for address in wrong {
                tx.add_address(ip(address)).unwrap_err();
            }
            tx.add_address(prefix("192.0.2.2/24")).unwrap();
            for address in wrong {
                tx.add_address(ip(address)).unwrap_err();
            }
            tx.add_address(placed("192.0.2.2/16", FirstPrimary))
                .unwrap_err();
        })
        .unwrap();
    assert_eq!(bed.listed(), ["192.0.2.1/24", "192.0.2.2/24"]);
    assert_eq!(bed.primary(Family::V4), ["192.0.2.1", "192.0.2.2"]);
    bed.remove("192.0.2.2");
    assert_eq!(bed.state(), before);
    assert_eq!(bed.closed(), ["192.0.2.2"]);
    assert!(bed.sent().is_empty(), "nor is anything said on the link");
}

#[test]
fn a10_a_full_table_leaves_no_trace() {
    let bed = bed();
    bed.add(ip("192.0.2.1"));
    bed.nic.set_spoofing(true).unwrap();
    let held = ["192.0.2.7", "2001:db8::7"].map(|address| bed.nic.hold(ip(address)).unwrap());
    let shared = bed.nic.shared();
    let index = shared
        .snapshots
        .load()
        .find(&shared.endpoints, ip("192.0.2.1").into());
    shared.control().fill_table(index.unwrap());
    let before = bed.state();
    for address in ["192.0.2.7", "2001:db8::7", "192.0.2.8", "2001:db8::8"] {
        for _ in 0..2 {
            let result = bed.nic.add_address(placed(address, FirstPrimary));
            assert!(
                matches!(result, Err(AddAddressError::TableFull)),
                "{address}"
            );
            assert_eq!(bed.state(), before, "{address}");
        }
    }
    for held in &held {
        assert_eq!(
            held.kind(),
            Temporary,
            "whoever holds it sees nothing of it"
        );
        assert!(held.is_same(&bed.nic.hold(held.address()).unwrap()));
        assert!(bed.accepts(&held.address().to_string()));
    }
    drop(held);
    bed.nic.reclaim();
    assert_eq!(bed.closed().len(), 2);
}

#[test]
fn a11_addresses_that_no_host_can_have_are_refused() {
    for bed in [bed(), probing_bed()] {
        bed.nic.set_promiscuous(true).unwrap();
        bed.nic.set_spoofing(true).unwrap();
        for (text, expected) in [
            ("0.0.0.0", BadAddress::Unspecified),
            ("::", BadAddress::Unspecified),
            ("224.0.0.1", BadAddress::Multicast),
            ("239.255.255.255", BadAddress::Multicast),
            ("ff02::1", BadAddress::Multicast),
            ("ff02::1:ff00:1", BadAddress::Multicast),
            ("255.255.255.255", BadAddress::Broadcast),
            ("::ffff:192.0.2.1", BadAddress::Mapped),
            ("::ffff:0:0", BadAddress::Mapped),
        ] {
            match bed.nic.add_address(ip(text)) {
                Err(AddAddressError::BadAddress { address, reason }) => {
                    assert_eq!((address, reason), (ip(text), expected));
                }
                other => panic!("{text}: {other:?}"),
            }
            assert_eq!(bed.nic.remove_address(ip(text)), bad_local(text));
        }
        assert_eq!(bed.nic.endpoint_count(), 0);
        // What is only unusual is taken.
        for text in [
            "127.0.0.1",
            "0.0.0.1",
            "240.0.0.1",
            "255.255.255.254",
            "223.255.255.255",
            "::1",
            "::2",
            "fe80::1",
            "fec0::1",
            "2002::1",
            "::192.0.2.1",
            "fe00::1",
            "64:ff9b::192.0.2.1",
        ] {
            bed.add(ip(text));
        }
        assert_eq!(bed.nic.endpoint_count(), 13);
    }
}

#[test]
fn a11_mapped_addresses_do_not_reach_the_ipv4_ones() {
    let bed = bed();
    bed.add(ip("192.0.2.1"));
    let mapped = "::ffff:192.0.2.1";
    assert_eq!(bed.nic.remove_address(ip(mapped)), bad_local(mapped));
    for spoofing in [false, true] {
        bed.nic.set_spoofing(spoofing).unwrap();
        assert!(matches!(
            bed.nic.hold(ip(mapped)),
            Err(HoldError::BadLocalAddress(_))
        ));
        assert!(!bed.nic.is_local(ip(mapped)));
        assert!(bed.nic.route(Some(ip(mapped)), ip("2001:db8::1")).is_err());
    }
    assert_eq!(bed.nic.is_tentative(ip(mapped)), Ok(false));
    assert_eq!(bed.listed(), ["192.0.2.1/32"]);
}

#[test]
fn a12_ipv6_addresses_start_tentative_where_they_are_probed() {
    let probing = || NicConfig::new("test").ndp(NdpConfig::default());
    for (bed, v6_kind) in [
        (bed(), Permanent),
        (probing_bed(), PermanentTentative),
        (bed_of(probing().disabled()), PermanentTentative),
        (bed_on(probing(), true), Permanent),
    ] {
        for text in ["2001:db8::1", "fe80::1", "fd00::1", "::1"] {
            bed.add(ip(text));
            assert_eq!(bed.kind(text), Some(v6_kind), "{text}");
        }
        bed.add(ip("192.0.2.1"));
        assert_eq!(bed.kind("192.0.2.1"), Some(Permanent));
        bed.nic.set_spoofing(true).unwrap();
        let _held = bed.nic.hold(ip("2001:db8::99")).unwrap();
        assert_eq!(bed.kind("2001:db8::99"), Some(Temporary));
        assert_eq!(bed.nic.is_tentative(ip("2001:db8::99")), Ok(false));
    }
}

#[test]
fn a13_bug04_permanent_ipv6_addresses_join_their_group_and_temporary_ones_do_not() {
    let bed = bed();
    let alone = bed.nic.groups();
    bed.nic.set_spoofing(true).unwrap();
    bed.nic.set_promiscuous(true).unwrap();
    bed.nic.add_range(prefix("2001:db8:1::/64")).unwrap();
    let mut worker = bed.nic.datapath();
    let mut held = Vec::new();
    for n in 1..=300 {
        let address = format!("2001:db8:1::{n:x}");
        lookup(&mut worker, &[&address]);
        assert!(bed.nic.is_local(ip(&address)));
        held.push(
            bed.nic
                .route(Some(ip(&address)), ip("2001:db8::9"))
                .unwrap(),
        );
        let key = Key::from(ip(&address));
        let found = worker.load().0.hold(Found::TEMPORARY, key).unwrap();
        assert!(found.is_same(held.last().unwrap().endpoint()));
    }
    assert_eq!(bed.nic.groups(), alone, "none of 300 joined anything");
    drop(held);
    drop(worker);
    bed.nic.reclaim();
    assert_eq!(bed.nic.held_temporaries(), 0);
    assert_eq!(bed.nic.groups(), alone);
    // A permanent one joins, from the moment it is added, also if a temporary one becomes it; and
    // nothing that a user does before can make that fail.
    let group = ip("ff02::1:ff00:7");
    assert!(bed.nic.add_address(group).is_err());
    bed.nic.join_group(group).unwrap();
    let held = bed.nic.hold(ip("2001:db8:1::7")).unwrap();
    bed.add(ip("2001:db8:1::7"));
    assert_eq!(held.kind(), Permanent);
    let joined = |group| {
        bed.nic
            .groups()
            .into_iter()
            .find(|info| info.group == group)
    };
    let expected = GroupInfo {
        group,
        joins: 1,
        own: 1,
    };
    assert_eq!(joined(group), Some(expected));
    bed.add(ip("192.0.2.7"));
    assert_eq!(
        bed.nic.groups().len(),
        alone.len() + 1,
        "IPv4 has no such thing"
    );
}

#[test]
fn a14_an_address_whose_first_probe_cannot_be_sent_is_added_and_not_stuck() {
    for transaction in [false, true] {
        let bed = probing_bed();
        let address = "2001:db8::1";
        let mut cache = bed.pool.cache();
        let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
        if transaction {
            let added = bed.nic.transaction(|tx| tx.add_address(ip(address)));
            added.unwrap().unwrap();
        } else {
            bed.add(ip(address));
        }
        assert!(bed.sent().is_empty());
        assert_eq!(bed.kind(address), Some(PermanentTentative));
        assert!(bed.nic.protocol_counter(ProtocolCounter::Unsent) > 0);
        // It can be taken back and added again while nothing can be sent.
        assert!(is_duplicate(bed.nic.add_address(ip(address)), address));
        bed.remove(address);
        assert_eq!(bed.kind(address), None);
        bed.add(ip(address));
        drop(all);
        cache.flush();
        bed.advance(std::time::Duration::from_millis(1));
        assert_eq!(bed.probes(), [v6(address)]);
        bed.advance(SECOND);
        assert_eq!(bed.kind(address), Some(Permanent));
    }
}

#[test]
fn a15_what_cannot_be_removed() {
    for case in CASES {
        let bed = bed();
        let remove = |address: &str| bed.nic.remove_address(ip(address));
        assert_eq!(remove(case.address), bad_local(case.address), "absent");
        bed.add(prefix(case.with_prefix));
        assert_eq!(remove(case.remote), bad_local(case.remote), "its neighbour");
        let held = bed.nic.hold(ip(case.address)).unwrap();
        assert_eq!(remove(case.address), Ok(()));
        assert_eq!(remove(case.address), bad_local(case.address), "expired");
        assert_eq!(held.kind(), PermanentExpired);
        drop(held);
        assert_eq!(remove(case.address), bad_local(case.address), "dead");
        bed.nic.reclaim();
        assert_eq!(remove(case.address), bad_local(case.address), "gone");
        bed.nic.set_spoofing(true).unwrap();
        let held = bed.nic.hold(ip(case.address)).unwrap();
        assert_eq!(remove(case.address), bad_local(case.address), "temporary");
        assert_eq!(held.kind(), Temporary);
        bed.nic.set_promiscuous(true).unwrap();
        bed.nic.add_range(prefix(case.with_prefix)).unwrap();
        assert_eq!(remove(case.remote), bad_local(case.remote), "only accepted");
    }
    let bed = bed();
    bed.nic.join_group(ip("239.1.2.3")).unwrap();
    bed.add(prefix("192.0.2.1/24"));
    for text in [
        "239.1.2.3",
        "ff02::1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.255",
    ] {
        assert_eq!(bed.nic.remove_address(ip(text)), bad_local(text));
        assert!(bed.accepts(text), "groups and broadcasts are no addresses");
    }
}

#[test]
fn a15_a16_an_address_is_added_once_and_removed_once() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("2001:db8::1/64"));
    assert!(is_duplicate(
        bed.nic.add_address(ip("192.0.2.1")),
        "192.0.2.1"
    ));
    assert_eq!(bed.listed(), ["192.0.2.1/24", "2001:db8::1/64"]);
    bed.remove("192.0.2.1");
    assert_eq!(
        bed.nic.remove_address(ip("192.0.2.1")),
        bad_local("192.0.2.1")
    );
    assert_eq!(bed.listed(), ["2001:db8::1/64"]);
    assert_eq!(bed.closed(), ["192.0.2.1"], "no worker, so closed at once");
}

#[test]
fn a16_a_removed_address_is_closed_when_nobody_holds_and_no_worker_sees_it() {
    for case in CASES {
        for tentative in [false, true] {
            let bed = if tentative { probing_bed() } else { bed() };
            let is_v6 = case.address.contains(':');
            bed.add(ip(case.address));
            let mut worker = bed.nic.datapath();
            worker.load();
            bed.remove(case.address);
            assert_eq!(bed.kind(case.address), None, "not in the table any more");
            let closed = || {
                let mut happened = bed.happened();
                happened.retain(|event| matches!(event, Event::EndpointClosed { .. }));
                happened.len()
            };
            assert_eq!(
                (bed.nic.reclaim(), closed()),
                (1, 0),
                "the worker may look at it"
            );
            worker.refresh();
            assert_eq!((bed.nic.reclaim(), closed()), (0, 1));
            // Held: expired, in the table, until the last reference is gone.
            bed.add(ip(case.address));
            if tentative && is_v6 {
                bed.advance(SECOND);
            }
            let held = bed.nic.hold(ip(case.address)).unwrap();
            let again = held.clone();
            bed.remove(case.address);
            worker.quiesce();
            drop(held);
            bed.nic.reclaim();
            assert_eq!(bed.kind(case.address), Some(PermanentExpired));
            assert_eq!((bed.nic.endpoint_count(), closed()), (1, 0));
            drop(again);
            assert_eq!(bed.nic.reclaim(), 0);
            assert_eq!((bed.nic.endpoint_count(), closed()), (0, 1));
        }
    }
}

#[test]
fn a17_after_the_removal_nothing_is_accepted_or_sent_even_while_held() {
    for case in CASES {
        for held in [false, true] {
            let bed = bed();
            bed.add(prefix(case.with_prefix));
            let mut worker = bed.nic.datapath();
            worker.load();
            let endpoint = held.then(|| bed.nic.hold(ip(case.address)).unwrap());
            bed.remove(case.address);
            let lookup = |worker: &mut NicDatapath| lookup(worker, &[case.address])[0];
            assert_eq!(lookup(&mut worker), Found::NOTHING);
            assert!(!bed.nic.is_local(ip(case.address)));
            assert!(bed.nic.hold(ip(case.address)).is_err());
            assert!(matches!(
                bed.nic.route(Some(ip(case.address)), ip(case.remote)),
                Err(RouteError::BadLocalAddress(_))
            ));
            assert_eq!(bed.source(case.remote), None);
            // A mode may still take it; a range does so only when nobody holds it any more.
            bed.nic.add_range(prefix(case.with_prefix)).unwrap();
            assert_eq!(lookup(&mut worker) == Found::NOTHING, held);
            bed.nic.set_promiscuous(true).unwrap();
            assert_ne!(lookup(&mut worker), Found::NOTHING);
            bed.nic.set_spoofing(true).unwrap();
            bed.nic
                .route(Some(ip(case.address)), ip(case.remote))
                .unwrap();
            drop(endpoint);
        }
    }
}

#[test]
fn a17_a_worker_that_has_an_older_version_accepts_it_no_more_either() {
    for case in CASES {
        let bed = bed();
        bed.add(ip(case.address));
        let mut worker = bed.nic.datapath();
        let mut packets = PacketBurst::default();
        let packet = Inbound {
            frame: 0,
            ports: [0; 4],
            protocol: corelane_wire::IpProtocol::UDP,
            flags: PacketFlags::default(),
            network: 14,
            transport: 34,
            end: 42,
        };
        packets.push(ip(case.address).into(), packet);
        let (view, _) = worker.load();
        view.lookup(&mut packets);
        packets.retain(|_, found| {
            assert_eq!(view.kind(found), Some(Permanent));
            true
        });
        bed.remove(case.address);
        view.lookup(&mut packets);
        packets.retain(|_, found| {
            assert_eq!(found, Found::NOTHING);
            true
        });
    }
}

#[test]
fn a19_bug03_the_group_of_an_address_cannot_be_left_before_it() {
    for probing in [false, true] {
        let bed = if probing { probing_bed() } else { bed() };
        let (address, group) = ("2001:db8::1", ip("ff02::1:ff00:1"));
        bed.add(ip(address));
        let not_joined = Err(LeaveGroupError::NotJoined(group));
        assert_eq!(bed.nic.leave_group(group), not_joined);
        assert_eq!(bed.nic.remove_address(group), bad_local("ff02::1:ff00:1"));
        assert_eq!(bed.nic.remove_address(ip(address)), Ok(()), "and no error");
        assert!(!bed.nic.is_in_group(group));
        // A user's join is not the address'; each goes by itself.
        bed.nic.join_group(group).unwrap();
        bed.add(ip(address));
        assert_eq!(bed.nic.leave_group(group), Ok(()));
        assert!(bed.accepts("ff02::1:ff00:1"));
        assert_eq!(bed.nic.leave_group(group), not_joined);
        bed.nic.join_group(group).unwrap();
        bed.remove(address);
        assert!(bed.accepts("ff02::1:ff00:1"), "the user's");
        assert_eq!(bed.nic.leave_group(group), Ok(()));
        assert!(!bed.accepts("ff02::1:ff00:1"));
    }
}

#[test]
fn a20_bug05_the_group_of_a_held_address_is_left_at_its_removal() {
    let bed = bed();
    let (address, group) = ("2001:db8::1", ip("ff02::1:ff00:1"));
    let alone = bed.nic.groups();
    for _ in 0..2 {
        bed.add(ip(address));
        let held = bed.nic.hold(ip(address)).unwrap();
        assert!(bed.nic.is_in_group(group));
        bed.remove(address);
        assert!(!bed.nic.is_in_group(group), "although it is held");
        assert!(!bed.accepts("ff02::1:ff00:1"));
        // Joined again with it, once.
        bed.add(ip(address));
        assert!(bed.nic.is_in_group(group));
        bed.remove(address);
        drop(held);
        bed.nic.reclaim();
        assert_eq!(bed.nic.groups(), alone);
    }
}

#[test]
fn a21_every_call_on_a_removed_nic_fails() {
    for enabled in [false, true] {
        let config = NicConfig::new("test").protocols(Protocols::Both);
        let bed = bed_of(if enabled { config } else { config.disabled() });
        bed.add(prefix("192.0.2.1/24"));
        bed.nic.join_group(ip("239.1.2.3")).unwrap();
        bed.nic.add_range(prefix("198.51.100.0/24")).unwrap();
        bed.nic.set_promiscuous(true).unwrap();
        bed.nic.set_spoofing(true).unwrap();
        bed.nic.remove().unwrap();
        let gone = NicGone(NicId(1));
        let nic = &bed.nic;
        assert!(nic.is_gone());
        assert_eq!(nic.remove(), Err(gone));
        assert_eq!(nic.disable(), Err(gone));
        assert!(matches!(nic.enable(), Err(EnableError::NicGone(_))));
        assert_eq!(nic.transaction(|_| ()), Err(gone));
        assert_eq!(nic.add_range(prefix("10.0.0.0/8")), Err(gone));
        assert_eq!(nic.remove_range(prefix("198.51.100.0/24")), Err(gone));
        assert_eq!(nic.set_promiscuous(true), Err(gone));
        assert_eq!(nic.set_spoofing(true), Err(gone));
        // Whatever is wrong with the address beside.
        for text in [
            "192.0.2.1",
            "239.1.2.3",
            "0.0.0.0",
            "::",
            "::ffff:192.0.2.1",
            "2001:db8::1",
        ] {
            let address = ip(text);
            assert!(matches!(
                nic.add_address(address),
                Err(AddAddressError::NicGone(_))
            ));
            assert_eq!(
                nic.remove_address(address),
                Err(RemoveAddressError::NicGone(gone))
            );
            assert_eq!(nic.join_group(address), Err(JoinGroupError::NicGone(gone)));
            assert_eq!(
                nic.leave_group(address),
                Err(LeaveGroupError::NicGone(gone))
            );
            assert!(
                matches!(nic.hold(address), Err(HoldError::NicGone(_))),
                "{text}"
            );
            assert!(
                matches!(nic.route(None, address), Err(RouteError::NicGone(_))),
                "{text}"
            );
            assert!(matches!(
                nic.route(Some(address), ip("192.0.2.9")),
                Err(RouteError::NicGone(_))
            ));
            assert_eq!(nic.is_tentative(address), Err(gone));
            assert_eq!(
                nic.duplicate_detected(address, None),
                Err(DuplicateDetectedError::NicGone(gone))
            );
            assert!(!nic.is_local(address));
        }
        let mut frame = bed.pool.cache().alloc().unwrap();
        frame.set_data(&[0; 60]).unwrap();
        assert!(matches!(nic.send(frame), Err(SendError::NicGone(_))));
        // Nothing is left of what it had, and its listings can be asked for all the same.
        assert!(nic.endpoints().is_empty() && nic.groups().is_empty() && nic.ranges().is_empty());
        assert!(!nic.is_promiscuous() && !nic.is_spoofing() && !nic.is_enabled());
        assert!(!bed.accepts("192.0.2.1"));
    }
}

/// A NIC with an address of each kind, the references that keep them so, and the permanent ones'
/// listing.
fn every_kind() -> (Bed, Vec<EndpointRef>) {
    let bed = probing_bed();
    bed.add(prefix("192.0.2.1/24"));
    bed.add(placed("192.0.2.2/24", NeverPrimary));
    bed.add(placed("192.0.2.3/24", FirstPrimary));
    bed.add(placed("2001:db8::1/64", CanBePrimary));
    bed.advance(SECOND);
    let mut held = Vec::new();
    bed.add(ip("192.0.2.4"));
    held.push(bed.nic.hold(ip("192.0.2.4")).unwrap());
    bed.remove("192.0.2.4");
    bed.nic.set_spoofing(true).unwrap();
    held.push(bed.nic.hold(ip("192.0.2.5")).unwrap());
    held.push(bed.nic.hold(ip("2001:db8::5")).unwrap());
    bed.add(prefix("2001:db8::6/64"));
    bed.nic.join_group(ip("239.1.2.3")).unwrap();
    bed.nic.add_range(prefix("198.51.100.0/24")).unwrap();
    (bed, held)
}

#[test]
fn a22_the_listing_has_the_permanent_addresses_and_another_one_every_kind() {
    let (bed, held) = every_kind();
    let permanent = [
        "192.0.2.1/24",
        "192.0.2.2/24",
        "192.0.2.3/24",
        "2001:db8::1/64",
    ];
    assert_eq!(bed.listed(), permanent);
    assert!(
        bed.nic
            .addresses()
            .iter()
            .all(|info| info.kind == Permanent)
    );
    let mut endpoints: Vec<(String, AddressKind)> = bed
        .nic
        .endpoints()
        .iter()
        .map(|info| (info.prefix.to_string(), info.kind))
        .collect();
    endpoints.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        ("192.0.2.1/24", Permanent),
        ("192.0.2.2/24", Permanent),
        ("192.0.2.3/24", Permanent),
        ("192.0.2.4/32", PermanentExpired),
        ("192.0.2.5/32", Temporary),
        ("2001:db8::1/64", Permanent),
        ("2001:db8::5/128", Temporary),
        ("2001:db8::6/64", PermanentTentative),
    ];
    assert_eq!(
        endpoints,
        expected.map(|(text, kind)| (text.to_owned(), kind))
    );
    let info = |text| {
        let infos = bed.nic.addresses();
        infos.into_iter().find(|info| info.prefix == prefix(text))
    };
    assert_eq!(info("192.0.2.2/24").unwrap().primary, NeverPrimary);
    assert_eq!(info("192.0.2.3/24").unwrap().primary, FirstPrimary);
    // Settled, it is listed; what nobody holds any more is nowhere.
    bed.advance(SECOND);
    drop(held);
    bed.nic.reclaim();
    assert_eq!(bed.listed().len(), 5);
    assert_eq!(bed.nic.endpoints().len(), 5);
}

#[test]
fn a23_a24_primary_addresses_are_the_permanent_ones_in_their_order() {
    let (bed, _held) = every_kind();
    assert_eq!(bed.primary(Family::V4), ["192.0.2.3", "192.0.2.1"]);
    assert_eq!(bed.primary(Family::V6), ["2001:db8::1"]);
    let main = |family| bed.nic.primary_address(family).map(|info| info.prefix);
    assert_eq!(main(Family::V4), Some(prefix("192.0.2.3/24")));
    assert_eq!(main(Family::V6), Some(prefix("2001:db8::1/64")));
    bed.advance(SECOND);
    assert_eq!(bed.primary(Family::V6), ["2001:db8::1", "2001:db8::6"]);
    bed.remove("2001:db8::1");
    assert_eq!(main(Family::V6), Some(prefix("2001:db8::6/64")));
}

#[test]
fn a24_no_main_address_is_no_error() {
    let bed = probing_bed();
    assert_eq!(bed.nic.primary_address(Family::V4), None);
    assert_eq!(bed.nic.primary_address(Family::V6), None);
    bed.add(placed("192.0.2.1/24", NeverPrimary));
    bed.add(ip("2001:db8::1"));
    assert_eq!(bed.nic.primary_address(Family::V4), None);
    assert_eq!(bed.nic.primary_address(Family::V6), None, "tentative");
    bed.nic.remove().unwrap();
    assert_eq!(bed.nic.primary_address(Family::V4), None);
}

#[test]
fn a25_the_listing_of_ranges_has_ranges_only() {
    let (bed, _held) = every_kind();
    assert_eq!(bed.nic.ranges(), [prefix("198.51.100.0/24")]);
    bed.nic.add_range(prefix("2001:db8:1::/48")).unwrap();
    bed.nic.add_range(prefix("10.0.0.0/8")).unwrap();
    let expected = ["198.51.100.0/24", "2001:db8:1::/48", "10.0.0.0/8"];
    assert_eq!(bed.nic.ranges(), expected.map(prefix), "in the order added");
}
