//! An address has one living endpoint at any time, also for whoever holds it while it is being
//! added: between an addition and its publish, whoever does not wait for the lock may come, here
//! from inside the transaction.

use corelane::stack::{AddressKind, SendError};

use crate::run::{Bed, ip, pool};

const ADDRESS: &str = "192.0.2.1";

fn spoofing() -> Bed {
    let bed = Bed::new(&pool(), 1, false);
    bed.nic.enable().expect("it can be enabled");
    bed.nic.set_spoofing(true).expect("it is there");
    bed
}

/// Who holds an address after it was added, and before that is published, has its endpoint: it
/// expires with the address, and sends no more.
#[test]
fn a4_p4_whoever_holds_an_address_while_it_is_added_has_its_endpoint() {
    let bed = spoofing();
    let nic = &bed.nic;
    let (held, route) = nic
        .transaction(|tx| {
            tx.add_address(ip(ADDRESS)).expect("not there");
            let held = nic.hold(ip(ADDRESS)).expect("spoofing");
            let route = nic.route(Some(ip(ADDRESS)), ip("192.0.2.9"));
            (held, route.expect("spoofing"))
        })
        .expect("it is there");
    let later = nic.hold(ip(ADDRESS)).expect("there");
    assert!(held.is_same(&later), "two endpoints under one address");
    assert_eq!(held.kind(), AddressKind::Permanent);
    drop(later);
    nic.set_spoofing(false).expect("it is there");
    nic.remove_address(ip(ADDRESS)).expect("there");
    assert_eq!(held.kind(), AddressKind::PermanentExpired);
    assert!(matches!(
        route.check(),
        Err(SendError::InvalidEndpointState(_))
    ));
}

/// Who holds an address that was added and removed in one transaction shares it with whoever holds
/// it later.
#[test]
fn p3_an_address_that_was_added_and_removed_at_once_is_shared_by_its_holders() {
    let bed = spoofing();
    let nic = &bed.nic;
    let held = nic
        .transaction(|tx| {
            tx.add_address(ip(ADDRESS)).expect("not there");
            tx.remove_address(ip(ADDRESS)).expect("there");
            nic.hold(ip(ADDRESS)).expect("spoofing")
        })
        .expect("it is there");
    let later = nic.hold(ip(ADDRESS)).expect("spoofing");
    assert!(held.is_same(&later), "two endpoints under one address");
    assert_eq!(nic.held_temporaries(), 1);
    drop((held, later));
    assert_eq!(nic.reclaim(), 0);
    assert_eq!((nic.held_temporaries(), nic.endpoint_count()), (0, 0));
}

/// What is added in one transaction is seen together: a worker sees none of it before the publish,
/// though holders may.
#[test]
fn workers_see_what_is_added_with_the_publish() {
    let bed = spoofing();
    let nic = &bed.nic;
    let mut worker = nic.datapath();
    nic.transaction(|tx| {
        tx.add_address(ip(ADDRESS)).expect("not there");
        let held = nic.hold(ip(ADDRESS)).expect("spoofing");
        let (_, found) = crate::run::look_up(&mut worker, &[ip(ADDRESS)]);
        assert_eq!(found, [corelane::stack::Found::NOTHING]);
        drop(held);
    })
    .expect("it is there");
    let (_, found) = crate::run::look_up(&mut worker, &[ip(ADDRESS)]);
    assert_eq!(found.len(), 1);
    assert_ne!(found, [corelane::stack::Found::NOTHING]);
}
