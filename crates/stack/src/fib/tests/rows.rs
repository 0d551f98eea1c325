//! The table's rows, and which of them stand in the trie.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::editor::Used;
use super::super::{NO_NEIGHBOR, RouteTable, RouteTableError, Row, Via};
use super::{address, ip, prefix};
use crate::address::Prefix;
use crate::nic::NicId;

fn on_link(nic: u16) -> Via {
    Via {
        nic: NicId(nic),
        gateway: None,
        metric: 0,
        neighbor: NO_NEIGHBOR,
    }
}

fn by(nic: u16, gateway: &str, metric: u32, neighbor: u32) -> Via {
    Via {
        gateway: Some(ip(gateway)),
        metric,
        neighbor,
        ..on_link(nic)
    }
}

fn table(nics: &[u16]) -> RouteTable {
    let mut table = RouteTable::new();
    for nic in nics {
        table.set_nic_usable(NicId(*nic), true).unwrap();
    }
    table
}

fn add(table: &mut RouteTable, destination: &str, via: Via) -> Result<(), RouteTableError> {
    table.add(prefix(destination), via, |it| it == ip("10.0.0.1"))
}

/// Where the trie sends an address: the NIC and the neighbour.
fn way(table: &mut RouteTable, address: &str) -> Option<(u16, u32)> {
    let version = table.version();
    let hop = version.lookup(table.trie().store(), ip(address).into())?;
    Some((hop.nic().0, hop.neighbor()))
}

fn candidates(table: &RouteTable, address: &str) -> Vec<(u8, u16)> {
    table
        .lookup_candidates(ip(address))
        .map(|row| (row.destination.len(), row.via.nic.0))
        .collect()
}

#[test]
fn j13_longest_prefix_first_and_rows_of_one_destination_in_order() {
    let mut table = table(&[1, 2, 3]);
    add(&mut table, "0.0.0.0/0", by(1, "192.0.2.1", 0, 10)).unwrap();
    add(&mut table, "10.0.0.0/8", by(3, "192.0.2.3", 5, 30)).unwrap();
    add(&mut table, "10.0.0.0/8", by(2, "192.0.2.2", 5, 20)).unwrap();
    add(&mut table, "10.1.0.0/16", on_link(2)).unwrap();
    assert_eq!(way(&mut table, "10.1.2.3"), Some((2, NO_NEIGHBOR)));
    assert_eq!(way(&mut table, "10.2.0.1"), Some((3, 30)), "added first");
    assert_eq!(way(&mut table, "11.0.0.1"), Some((1, 10)));
    assert_eq!(
        candidates(&table, "10.1.2.3"),
        [(16, 2), (8, 3), (8, 2), (0, 1)]
    );
    add(&mut table, "10.0.0.0/8", by(1, "192.0.2.4", 4, 40)).unwrap();
    assert_eq!(
        way(&mut table, "10.2.0.1"),
        Some((1, 40)),
        "the better metric"
    );
}

#[test]
fn j13_rows_of_nics_that_cannot_be_used_are_skipped() {
    let mut table = table(&[1]);
    add(&mut table, "10.0.0.0/8", by(2, "192.0.2.2", 0, 20)).unwrap();
    add(&mut table, "10.0.0.0/8", by(1, "192.0.2.1", 9, 10)).unwrap();
    add(&mut table, "10.1.0.0/16", on_link(2)).unwrap();
    assert_eq!(way(&mut table, "10.1.2.3"), Some((1, 10)));
    assert_eq!(candidates(&table, "10.1.2.3"), [(8, 1)]);
    table.set_nic_usable(NicId(2), true).unwrap();
    assert_eq!(way(&mut table, "10.1.2.3"), Some((2, NO_NEIGHBOR)));
    assert_eq!(way(&mut table, "10.2.0.1"), Some((2, 20)));
    assert_eq!(candidates(&table, "10.1.2.3"), [(16, 2), (8, 2), (8, 1)]);
    table.set_nic_usable(NicId(1), false).unwrap();
    assert_eq!(candidates(&table, "10.1.2.3"), [(16, 2), (8, 2)]);
    table.set_nic_usable(NicId(2), false).unwrap();
    assert_eq!(way(&mut table, "10.1.2.3"), None);
    assert_eq!(table.len(), 3, "the rows stay");
}

#[test]
fn a_row_is_there_once() {
    let mut table = table(&[1]);
    add(&mut table, "10.0.0.0/8", by(1, "192.0.2.1", 0, 1)).unwrap();
    assert!(matches!(
        // The same network, whatever the host part and the metric.
        add(&mut table, "10.9.0.0/8", by(1, "192.0.2.1", 7, 2)),
        Err(RouteTableError::DuplicateRoute(it)) if it == prefix("10.0.0.0/8")
    ));
    assert_eq!(table.len(), 1);
    let mut remove = |gateway| table.remove(prefix("10.1.1.1/8"), NicId(1), gateway);
    assert!(matches!(
        remove(None),
        Err(RouteTableError::NoSuchRoute(it)) if it == prefix("10.0.0.0/8")
    ));
    let removed = remove(Some(ip("192.0.2.1"))).unwrap();
    assert_eq!(removed, by(1, "192.0.2.1", 0, 1));
    assert!(remove(Some(ip("192.0.2.1"))).is_err());
    assert!(table.is_empty() && table.trie().is_empty());
}

#[test]
fn what_cannot_be_a_route_is_refused() {
    let mut table = table(&[1]);
    let mut refused = |destination, gateway| {
        let error = add(&mut table, destination, by(1, gateway, 0, 1)).unwrap_err();
        assert!(table.is_empty() && table.rows().count() == 0);
        error
    };
    use RouteTableError as E;
    let net = "198.51.100.0/24";
    assert!(matches!(
        refused(net, "2001:db8::1"),
        E::GatewayFamily { .. }
    ));
    assert!(matches!(
        refused("2001:db8::/32", "192.0.2.1"),
        E::GatewayFamily { .. }
    ));
    for gateway in [
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "127.0.0.1",
        "::ffff:192.0.2.1",
    ] {
        assert!(
            matches!(refused(net, gateway), E::BadGateway { .. }),
            "{gateway}"
        );
    }
    for gateway in ["::", "::1", "ff02::1"] {
        assert!(
            matches!(refused("::/0", gateway), E::BadGateway { .. }),
            "{gateway}"
        );
    }
    assert!(matches!(refused(net, "10.0.0.1"), E::OwnGateway(_)));
    for groups in ["224.0.0.0/4", "239.1.2.3/32"] {
        assert!(matches!(
            refused(groups, "192.0.2.1"),
            E::MulticastDestination(_)
        ));
    }
    for groups in ["ff00::/8", "ff02::1/128"] {
        assert!(matches!(
            refused(groups, "fe80::1"),
            E::MulticastDestination(_)
        ));
    }
    // More than groups.
    add(&mut table, "224.0.0.0/3", on_link(1)).unwrap();
    add(&mut table, "fe00::/7", on_link(1)).unwrap();
}

#[test]
fn rows_are_listed_in_order() {
    let mut table = table(&[1]);
    add(&mut table, "2001:db8::/32", on_link(3)).unwrap();
    add(&mut table, "10.0.0.0/8", by(2, "192.0.2.2", 8, 1)).unwrap();
    add(&mut table, "10.0.0.0/8", by(1, "192.0.2.1", 8, 1)).unwrap();
    add(&mut table, "10.0.0.0/8", on_link(5)).unwrap();
    add(&mut table, "0.0.0.0/0", by(9, "192.0.2.9", 8, 1)).unwrap();
    add(&mut table, "10.0.0.0/9", on_link(4)).unwrap();
    let listed: Vec<(String, u16)> = table
        .rows()
        .map(|row| (row.destination.to_string(), row.via.nic.0))
        .collect();
    let expected = [
        ("0.0.0.0/0", 9),
        ("10.0.0.0/8", 5),
        ("10.0.0.0/8", 2),
        ("10.0.0.0/8", 1),
        ("10.0.0.0/9", 4),
        ("2001:db8::/32", 3),
    ];
    assert_eq!(listed, expected.map(|(to, nic)| (to.to_owned(), nic)));
}

#[derive(Clone, Debug)]
enum Step {
    Add(bool, u16, Index, u16, Option<u8>, u32),
    Remove(Index),
    Usable(u16, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let nic = || 0..4_u16;
    prop_oneof![
        5 => (any::<bool>(), 0..64_u16, any::<Index>(), nic(), proptest::option::of(1..3_u8), 0..3_u32)
            .prop_map(|(v4, n, len, nic, gateway, metric)| Step::Add(v4, n, len, nic, gateway, metric)),
        2 => any::<Index>().prop_map(Step::Remove),
        2 => (nic(), any::<bool>()).prop_map(|(nic, usable)| Step::Usable(nic, usable)),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_list_of_rows(
        steps in proptest::collection::vec(step(), 1..80),
        probes in proptest::collection::vec((any::<bool>(), 0..64_u16), 20),
    ) {
        let mut table = RouteTable::new();
        // In order of being added.
        let mut model: Vec<Row> = Vec::new();
        let mut usable = [false; 4];
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Add(v4, n, len, nic, gateway, metric) => {
                    let gateway: Option<IpAddr> = gateway.map(|host| match v4 {
                        true => std::net::Ipv4Addr::new(192, 0, 2, host).into(),
                        false => std::net::Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(host)).into(),
                    });
                    let len = len.index(if v4 { 33 } else { 129 }) as u8;
                    let destination = Prefix::new(address(v4, n), len).unwrap().network();
                    let via = Via { nic: NicId(nic), gateway, metric, neighbor: number as u32 };
                    let there = model.iter().any(|row| {
                        row.destination == destination && row.via.nic == via.nic && row.via.gateway == gateway
                    });
                    match table.add(destination, via, |_| false) {
                        Ok(()) => {
                            prop_assert!(!there);
                            model.push(Row { destination, via });
                        }
                        Err(error) => prop_assert!(
                            there && matches!(error, RouteTableError::DuplicateRoute(_)), "{}", error
                        ),
                    }
                }
                Step::Remove(at) if !model.is_empty() => {
                    let row = model.remove(at.index(model.len()));
                    let removed = table.remove(row.destination, row.via.nic, row.via.gateway);
                    prop_assert_eq!(removed.unwrap(), row.via);
                }
                Step::Remove(_) => {}
                Step::Usable(nic, is) => {
                    table.set_nic_usable(NicId(nic), is).unwrap();
                    usable[usize::from(nic)] = is;
                }
            }
            prop_assert_eq!(table.len(), model.len());
            if number % 8 == 0 {
                table.version();
                table.take_garbage().into_iter().for_each(|it| table.reuse(it));
            }
        }
        prop_assert_eq!(table.rows().count(), model.len());
        for (v4, n) in probes {
            let address = address(v4, n);
            let mut expected: Vec<Row> = model
                .iter()
                .filter(|row| row.destination.contains(address) && usable[usize::from(row.via.nic.0)])
                .copied()
                .collect();
            expected.sort_by_key(|row| (std::cmp::Reverse(row.destination.len()), row.via.metric));
            let version = table.version();
            let found = version.lookup(table.trie().store(), address.into());
            let first = expected.first().map(|row| (row.via.nic, row.via.neighbor));
            prop_assert_eq!(found.map(|hop| (hop.nic(), hop.neighbor())), first);
            prop_assert_eq!(table.lookup_candidates(address).collect::<Vec<_>>(), expected);
        }
        for row in model {
            table.remove(row.destination, row.via.nic, row.via.gateway).unwrap();
        }
        table.version();
        table.take_garbage().into_iter().for_each(|it| table.reuse(it));
        prop_assert_eq!(table.trie().used(), Used::default());
    }
}
