//! Transactions, and the life of addresses against a model and under a race; the rest is in
//! `crate::tests`, number by number.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use corelane_sync::refs::AddressKind;
use proptest::prelude::*;

use crate::testing::{bed, ip};
use crate::*;

fn nic() -> (Nic, Events) {
    let bed = bed();
    (bed.nic, bed.events)
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

fn closed(events: &Events) -> Vec<String> {
    std::iter::from_fn(|| events.try_next())
        .map(|event| match event {
            Event::EndpointClosed { address, .. } => address.to_string(),
            other => panic!("unexpected {other:?}"),
        })
        .collect()
}

#[test]
#[should_panic(expected = "use the transaction")]
fn a_nested_control_call_is_refused_and_not_a_deadlock() {
    let (nic, _events) = nic();
    let _ = nic.transaction(|_| nic.addresses());
}

#[test]
fn transactions_of_different_nics_nest() {
    let ((one, _a), (two, _b)) = (nic(), nic());
    one.transaction(|tx| {
        two.add_address(ip("192.0.2.2")).unwrap();
        tx.add_address(ip("192.0.2.1")).unwrap();
    })
    .unwrap();
    assert_eq!((listed(&one).len(), listed(&two).len()), (1, 1));
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
                    nic.set_spoofing(on).unwrap();
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
/// end nothing is left.
#[test]
fn p3_p4_adding_and_holding_race_to_one_endpoint() {
    const ROUNDS: u32 = 4_000;
    let (nic, events) = nic();
    nic.set_spoofing(true).unwrap();
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
