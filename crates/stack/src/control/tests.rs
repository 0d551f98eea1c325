//! The life of addresses, through the control plane alone.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use corelane_sync::refs::AddressKind;
use proptest::prelude::*;

use crate::*;

fn nic() -> (Nic, Events) {
    let (sender, events) = events(4096);
    (Nic::new(NicId(1), "test", 42, sender), events)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn listed(nic: &Nic) -> Vec<String> {
    let mut list: Vec<_> = nic
        .addresses()
        .iter()
        .map(|a| a.prefix.to_string())
        .collect();
    list.sort();
    list
}

fn primary(nic: &Nic, family: Family) -> Vec<String> {
    nic.primary_addresses(family)
        .iter()
        .map(|a| a.prefix.address().to_string())
        .collect()
}

fn closed(events: &Events) -> Vec<String> {
    std::iter::from_fn(|| events.try_next())
        .map(|event| match event {
            Event::EndpointClosed { address, .. } => address.to_string(),
            other => panic!("unexpected {other:?}"),
        })
        .collect()
}

#[test]
fn an_address_is_added_once_and_removed_once() {
    let (nic, events) = nic();
    nic.add_address(prefix("192.0.2.1/24")).unwrap();
    nic.add_address(prefix("2001:db8::1/64")).unwrap();
    assert!(matches!(
        nic.add_address(ip("192.0.2.1")),
        Err(AddAddressError::DuplicateAddress(a)) if a == ip("192.0.2.1")
    ));
    assert_eq!(listed(&nic), ["192.0.2.1/24", "2001:db8::1/64"]);
    nic.remove_address(ip("192.0.2.1")).unwrap();
    assert_eq!(
        nic.remove_address(ip("192.0.2.1")),
        Err(RemoveAddressError::BadLocalAddress(ip("192.0.2.1")))
    );
    assert_eq!(listed(&nic), ["2001:db8::1/64"]);
    assert_eq!(
        closed(&events),
        ["192.0.2.1"],
        "no worker, so closed at once"
    );
}

#[test]
fn addresses_that_no_host_can_have_are_refused() {
    let (nic, _events) = nic();
    for (text, expected) in [
        ("0.0.0.0", BadAddress::Unspecified),
        ("::", BadAddress::Unspecified),
        ("224.0.0.1", BadAddress::Multicast),
        ("ff02::1", BadAddress::Multicast),
        ("255.255.255.255", BadAddress::Broadcast),
        ("::ffff:192.0.2.1", BadAddress::Mapped),
    ] {
        match nic.add_address(ip(text)) {
            Err(AddAddressError::BadAddress { address, reason }) => {
                assert_eq!((address, reason), (ip(text), expected));
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(nic.endpoint_count(), 0);
}

#[test]
fn a_held_address_outlives_its_removal_and_is_revived() {
    let (nic, events) = nic();
    nic.add_address(prefix("192.0.2.1/24")).unwrap();
    let held = nic.hold(ip("192.0.2.1")).unwrap();
    assert_eq!(held.kind(), AddressKind::Permanent);
    nic.remove_address(ip("192.0.2.1")).unwrap();
    assert_eq!(held.kind(), AddressKind::PermanentExpired);
    assert!(
        nic.addresses().is_empty(),
        "expired addresses are not listed"
    );
    assert!(
        nic.hold(ip("192.0.2.1")).is_err(),
        "no new reference without spoofing"
    );
    assert!(
        nic.remove_address(ip("192.0.2.1")).is_err(),
        "not a second time"
    );
    // Revived: the same endpoint, with the new configuration.
    nic.add_address(AddressConfig::from(prefix("192.0.2.1/28")))
        .unwrap();
    assert_eq!(held.kind(), AddressKind::Permanent);
    assert!(held.is_same(&nic.hold(ip("192.0.2.1")).unwrap()));
    assert_eq!(listed(&nic), ["192.0.2.1/28"]);
    drop(held);
    nic.reclaim();
    assert_eq!(
        listed(&nic),
        ["192.0.2.1/28"],
        "the last reference of a revived one frees nothing"
    );
    assert_eq!(closed(&events), [""; 0]);
}

#[test]
fn the_last_reference_of_a_removed_address_closes_it_once() {
    let (nic, events) = nic();
    nic.add_address(ip("2001:db8::1")).unwrap();
    let held = nic.hold(ip("2001:db8::1")).unwrap();
    let again = held.clone();
    nic.remove_address(ip("2001:db8::1")).unwrap();
    drop(held);
    nic.reclaim();
    assert_eq!(nic.endpoint_count(), 1, "still held");
    drop(again);
    assert_eq!(nic.reclaim(), 0);
    assert_eq!(nic.endpoint_count(), 0);
    assert_eq!(closed(&events), ["2001:db8::1"]);
    nic.reclaim();
    assert_eq!(closed(&events), [""; 0]);
}

#[test]
fn an_address_added_before_its_death_is_buried_is_a_new_endpoint() {
    let (nic, events) = nic();
    nic.add_address(ip("192.0.2.1")).unwrap();
    let held = nic.hold(ip("192.0.2.1")).unwrap();
    nic.remove_address(ip("192.0.2.1")).unwrap();
    nic.transaction(|tx| {
        // Dies inside the transaction, after it buried the dead.
        drop(held);
        tx.add_address(ip("192.0.2.1")).unwrap();
    });
    assert_eq!(nic.endpoint_count(), 1);
    assert_eq!(nic.reclaim(), 0);
    assert_eq!(closed(&events), ["192.0.2.1"], "the old one, once");
    assert_eq!(
        nic.hold(ip("192.0.2.1")).unwrap().kind(),
        AddressKind::Permanent
    );
}

#[test]
fn late_word_of_a_death_harms_no_later_life() {
    let (nic, events) = nic();
    nic.add_address(ip("192.0.2.1")).unwrap();
    let held = nic.hold(ip("192.0.2.1")).unwrap();
    nic.remove_address(ip("192.0.2.1")).unwrap();
    // The last reference goes, and before its word is sent everything below happens.
    let word = held.release_without_word();
    nic.add_address(ip("192.0.2.1")).unwrap();
    assert_eq!(closed(&events), ["192.0.2.1"], "the old life is over");
    nic.set_spoofing(true);
    let other = nic.hold(ip("203.0.113.5")).unwrap();
    word();
    nic.reclaim();
    assert_eq!(closed(&events), [""; 0], "the slot's new life goes on");
    let again = nic.hold(ip("203.0.113.5")).unwrap();
    assert!(again.is_same(&other));
    let third = nic.hold(ip("198.51.100.77")).unwrap();
    assert_eq!(other.address(), ip("203.0.113.5"));
    drop((other, again, third));
    nic.reclaim();
    assert_eq!(closed(&events).len(), 2);
}

#[test]
fn mapped_addresses_do_not_reach_the_ipv4_ones() {
    let (nic, _events) = nic();
    nic.add_address(ip("192.0.2.1")).unwrap();
    assert!(nic.remove_address(ip("::ffff:192.0.2.1")).is_err());
    assert!(nic.hold(ip("::ffff:192.0.2.1")).is_err());
    assert_eq!(listed(&nic), ["192.0.2.1/32"]);
}

#[test]
#[should_panic(expected = "use the transaction")]
fn a_nested_control_call_is_refused_and_not_a_deadlock() {
    let (nic, _events) = nic();
    nic.transaction(|_| nic.addresses());
}

#[test]
fn transactions_of_different_nics_nest() {
    let ((one, _a), (two, _b)) = (nic(), nic());
    one.transaction(|tx| {
        two.add_address(ip("192.0.2.2")).unwrap();
        tx.add_address(ip("192.0.2.1")).unwrap();
    });
    assert_eq!((listed(&one).len(), listed(&two).len()), (1, 1));
}

#[test]
fn temporary_endpoints_live_as_long_as_they_are_held() {
    let (nic, events) = nic();
    assert!(nic.hold(ip("198.51.100.7")).is_err());
    nic.set_spoofing(true);
    let one = nic.hold(ip("198.51.100.7")).unwrap();
    let two = nic.hold(ip("198.51.100.7")).unwrap();
    assert!(one.is_same(&two), "one endpoint per address");
    assert_eq!(one.kind(), AddressKind::Temporary);
    assert_eq!(
        (nic.held_temporaries(), nic.endpoint_count()),
        (1, 0),
        "not in the table"
    );
    nic.set_spoofing(false);
    let three = nic.hold(ip("198.51.100.7")).unwrap();
    assert!(three.is_same(&one), "what is held can be held again");
    drop((one, two, three));
    nic.reclaim();
    assert_eq!(nic.held_temporaries(), 0);
    assert_eq!(closed(&events), ["198.51.100.7"]);
    assert!(nic.hold(ip("198.51.100.7")).is_err());
}

#[test]
fn a_held_temporary_becomes_the_permanent_one() {
    let (nic, events) = nic();
    nic.add_range(prefix("198.51.100.0/24"));
    let held = nic.hold(ip("198.51.100.7")).unwrap();
    nic.add_address(AddressConfig::from(prefix("198.51.100.7/24")))
        .unwrap();
    assert_eq!(held.kind(), AddressKind::Permanent);
    assert!(held.is_same(&nic.hold(ip("198.51.100.7")).unwrap()));
    assert_eq!((nic.held_temporaries(), nic.endpoint_count()), (0, 1));
    assert_eq!(listed(&nic), ["198.51.100.7/24"]);
    assert_eq!(primary(&nic, Family::V4), ["198.51.100.7"]);
    drop(held);
    nic.remove_address(ip("198.51.100.7")).unwrap();
    assert_eq!(closed(&events), ["198.51.100.7"]);
}

#[test]
fn the_primary_order_is_as_configured() {
    let (nic, _events) = nic();
    let add = |text: &str, behavior| {
        nic.add_address(AddressConfig::from(ip(text)).primary(behavior))
            .unwrap();
    };
    use PrimaryEndpointBehavior::*;
    add("10.0.0.1", CanBePrimary);
    add("10.0.0.2", CanBePrimary);
    add("10.0.0.3", FirstPrimary);
    add("10.0.0.4", NeverPrimary);
    add("10.0.0.5", FirstPrimary);
    add("fd00::1", CanBePrimary);
    assert_eq!(
        primary(&nic, Family::V4),
        ["10.0.0.5", "10.0.0.3", "10.0.0.1", "10.0.0.2"]
    );
    assert_eq!(primary(&nic, Family::V6), ["fd00::1"]);
    nic.remove_address(ip("10.0.0.5")).unwrap();
    nic.remove_address(ip("10.0.0.1")).unwrap();
    nic.remove_address(ip("10.0.0.4")).unwrap();
    add("10.0.0.1", CanBePrimary);
    assert_eq!(
        primary(&nic, Family::V4),
        ["10.0.0.3", "10.0.0.2", "10.0.0.1"]
    );
    nic.remove_address(ip("10.0.0.1")).unwrap();
    nic.remove_address(ip("10.0.0.3")).unwrap();
    nic.remove_address(ip("10.0.0.2")).unwrap();
    assert_eq!(nic.primary_address(Family::V4), None);
    assert_eq!(primary(&nic, Family::V6), ["fd00::1"]);
}

#[test]
fn promotion_takes_the_new_place_in_the_primary_order() {
    let (nic, _events) = nic();
    nic.add_address(ip("10.0.0.1")).unwrap();
    nic.add_address(ip("10.0.0.2")).unwrap();
    let _held = nic.hold(ip("10.0.0.2")).unwrap();
    nic.remove_address(ip("10.0.0.2")).unwrap();
    let first = AddressConfig::from(prefix("10.0.0.2/8"));
    nic.add_address(first.primary(PrimaryEndpointBehavior::FirstPrimary))
        .unwrap();
    assert_eq!(primary(&nic, Family::V4), ["10.0.0.2", "10.0.0.1"]);
}

#[test]
fn ranges_are_listed_as_added_and_removed_together() {
    let (nic, _events) = nic();
    for text in ["192.0.2.0/24", "198.51.100.0/24", "192.0.2.0/24"] {
        nic.add_range(prefix(text));
    }
    assert_eq!(nic.ranges().len(), 3);
    nic.remove_range(prefix("192.0.2.0/24"));
    assert_eq!(nic.ranges(), [prefix("198.51.100.0/24")]);
    assert!(nic.hold(ip("192.0.2.7")).is_err());
    assert!(nic.hold(ip("198.51.100.7")).is_ok());
    nic.remove_range(prefix("203.0.113.0/24"));
    assert_eq!(nic.ranges().len(), 1);
}

#[derive(Clone, Debug)]
enum Op {
    Add(u8),
    Remove(u8),
    Hold(u8),
    Release(prop::sample::Index),
    Reclaim,
    Spoof(bool),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0u8..12).prop_map(Op::Add),
        (0u8..12).prop_map(Op::Remove),
        (0u8..12).prop_map(Op::Hold),
        any::<prop::sample::Index>().prop_map(Op::Release),
        Just(Op::Reclaim),
        any::<bool>().prop_map(Op::Spoof),
    ]
}

proptest! {
    /// The sequential model: an address is owned or not; it has some holders. What must follow:
    /// errors, kinds, one endpoint per address, one close per endpoint.
    #[test]
    fn behaves_like_the_model(ops in proptest::collection::vec(op(), 1..200)) {
        let (nic, events) = nic();
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut owned = [false; 12];
        let mut spoofing = false;
        let mut held: Vec<(u8, EndpointRef)> = Vec::new();
        for op in ops {
            match op {
                Op::Add(n) => {
                    prop_assert_eq!(nic.add_address(address(n)).is_ok(), !owned[n as usize]);
                    owned[n as usize] = true;
                }
                Op::Remove(n) => {
                    prop_assert_eq!(nic.remove_address(address(n)).is_ok(), owned[n as usize]);
                    owned[n as usize] = false;
                }
                Op::Hold(n) => match nic.hold(address(n)) {
                    Ok(endpoint) => {
                        let others = held.iter().filter(|(m, _)| *m == n);
                        for (_, other) in others {
                            prop_assert!(endpoint.is_same(other), "one endpoint per address");
                        }
                        held.push((n, endpoint));
                    }
                    Err(_) => prop_assert!(!owned[n as usize] && !spoofing),
                },
                Op::Release(index) if !held.is_empty() => {
                    held.swap_remove(index.index(held.len()));
                }
                Op::Release(_) => {}
                Op::Reclaim => prop_assert_eq!(nic.reclaim(), 0),
                Op::Spoof(on) => {
                    nic.set_spoofing(on);
                    spoofing = on;
                }
            }
            for (n, endpoint) in &held {
                prop_assert_eq!(endpoint.address(), address(*n));
                let permanent = endpoint.kind() == AddressKind::Permanent;
                prop_assert_eq!(permanent, owned[*n as usize]);
            }
            prop_assert_eq!(nic.addresses().len(), owned.iter().filter(|o| **o).count());
        }
        held.clear();
        for (n, owned) in owned.iter().enumerate() {
            if *owned {
                nic.remove_address(address(n as u8)).unwrap();
            }
        }
        prop_assert_eq!(nic.reclaim(), 0);
        prop_assert_eq!((nic.endpoint_count(), nic.held_temporaries()), (0, 0));
        prop_assert_eq!(events.lost(), 0);
    }
}

/// Holders and an adder race for a few addresses; what must hold at every step does, and at the
/// end nothing is left (BEHAVIOURS P3, P4).
#[test]
fn adding_and_holding_race_to_one_endpoint() {
    const ROUNDS: u32 = 4_000;
    let (nic, events) = nic();
    nic.set_spoofing(true);
    let address = |n: u32| IpAddr::from([10, 0, 0, (n % 3) as u8 + 1]);
    // Also if the adder panics: the others are not to wait for it.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _done = Done(&done);
            for round in 0..ROUNDS {
                nic.add_address(address(round)).unwrap();
                let held = nic.hold(address(round)).unwrap();
                assert_eq!(
                    held.kind(),
                    AddressKind::Permanent,
                    "the added one is what is found"
                );
                assert!(held.is_same(&nic.hold(address(round)).unwrap()));
                nic.remove_address(address(round)).unwrap();
                assert_eq!(held.kind(), AddressKind::PermanentExpired);
                if round % 2 == 0 {
                    nic.add_address(address(round)).unwrap();
                    assert_eq!(held.kind(), AddressKind::Permanent, "revived, while held");
                    nic.remove_address(address(round)).unwrap();
                }
            }
        });
        for seed in 1..3 {
            let (nic, done) = (&nic, &done);
            scope.spawn(move || {
                let mut kept = Vec::new();
                let mut n = seed;
                while !done.load(Ordering::Relaxed) {
                    n = (n * 5 + 1) & 0xffff;
                    // On a spoofing NIC this fails only while a removed one is dying.
                    if let Ok(endpoint) = nic.hold(address(n)) {
                        assert_eq!(endpoint.address(), address(n));
                        kept.push(endpoint);
                    }
                    if kept.len() > 4 {
                        kept.swap_remove(n as usize % 4);
                    }
                }
                assert!(
                    kept.iter()
                        .all(|endpoint| endpoint.address() != ip("0.0.0.0"))
                );
            });
        }
    });
    assert_eq!(nic.reclaim(), 0);
    assert_eq!((nic.endpoint_count(), nic.held_temporaries()), (0, 0));
    let closed = closed(&events).len() as u64 + events.lost();
    assert!(closed >= 1, "endpoints were closed");
    // Every slot is free again: the storage has room for as many addresses as it has slots.
    let storage = nic.endpoint_bytes();
    for n in 0..(storage / 64) as u32 {
        nic.add_address(IpAddr::from((0x0b00_0000 + n).to_be_bytes()))
            .unwrap();
    }
    assert_eq!(nic.endpoint_bytes(), storage);
}
