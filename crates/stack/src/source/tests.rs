use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;

use super::*;

fn bits(text: &str) -> u128 {
    text.parse::<Ipv6Addr>().unwrap().to_bits()
}

/// The best of `candidates`, which are `ADDRESS/LENGTH` in the primary order.
fn choose<'a>(candidates: &[&'a str], destination: &str) -> Option<&'a str> {
    let mut index = SourceIndex::default();
    for (at, candidate) in candidates.iter().enumerate() {
        let (address, len) = candidate.split_once('/').unwrap();
        index.insert(bits(address), len.parse().unwrap(), at as i64, at as u32);
    }
    index
        .best(bits(destination))
        .map(|at| candidates[at as usize])
}

/// Asserts that `best` is chosen among itself and `other`, whichever is first in the order.
#[track_caller]
fn prefers(best: &str, other: &str, destination: &str) {
    assert_eq!(choose(&[best, other], destination), Some(best));
    assert_eq!(choose(&[other, best], destination), Some(best));
}

#[test]
fn no_candidates_no_source() {
    assert_eq!(choose(&[], "2001:db8::1"), None);
    // Neither groups nor the unspecified address are candidates, be they the destination itself.
    for address in ["::/64", "ff02::1/128", "ff0e::7/64"] {
        assert_eq!(choose(&[address], "ff02::1"), None);
        assert_eq!(choose(&[address], "::"), None);
    }
}

/// Those of RFC 6724 section 10.1 that this selection has the rules for.
#[test]
fn the_examples_of_the_rfc() {
    prefers("2001:db8:3::1/64", "fe80::1/64", "2001:db8:1::1");
    prefers("2001:db8:3::1/64", "fe80::1/64", "ff05::1");
    prefers("2001:db8:1::1/64", "2001:db8:2::1/64", "2001:db8:1::1");
    prefers("fe80::1/64", "2001:db8:2::1/64", "fe80::2");
    prefers("2001:db8:1::2/64", "2001:db8:3::2/64", "2001:db8:1::1");
    prefers(
        "2002:c633:6401::2/64",
        "2001:db8:1::2/64",
        "2002:c633:6401::1",
    );
    prefers(
        "2002:c633:6401::d5e3:7953:13eb:22e8/64",
        "2001:db8:1::2/64",
        "2002:c633:6401::1",
    );
}

#[test]
fn rule_1_prefers_the_destination_itself() {
    prefers("2001:db8::1/0", "2001:db8::2/128", "2001:db8::1");
    prefers("::1/128", "2001:db8::2/128", "::1");
}

#[test]
fn rule_2_prefers_the_smallest_scope_that_reaches() {
    let (link, site, global) = ("fe80::1/64", "fec0::1/64", "2001:db8::1/64");
    // From the best scope to the worst, for each scope of a destination.
    let orders = [
        ("ff01::9", [link, site, global]),
        ("ff02::9", [link, site, global]),
        ("fe80::9", [link, site, global]),
        ("ff03::9", [site, global, link]),
        ("ff04::9", [site, global, link]),
        ("ff05::9", [site, global, link]),
        ("fec0::9", [site, global, link]),
        ("ff08::9", [global, site, link]),
        ("ff0e::9", [global, site, link]),
        ("2a00::9", [global, site, link]),
        ("ff0f::9", [global, site, link]),
        // Flags are no part of the scope.
        ("ff32::9", [link, site, global]),
    ];
    for (destination, [first, second, third]) in orders {
        prefers(first, second, destination);
        prefers(first, third, destination);
        prefers(second, third, destination);
    }
    // Unique local addresses are global, the loopback address is link-local.
    prefers("fd00::1/64", "fe80::1/64", "2001:db8::1");
    prefers("2001:db8::1/64", "::1/128", "2a00::9");
    prefers("::1/128", "2001:db8::1/64", "fe80::9");
}

#[test]
fn rule_6_prefers_the_label_of_the_destination() {
    let lines = [
        ("2a00::1/64", "2a00::9"),
        ("::ffff:192.0.2.1/128", "::ffff:198.51.100.1"),
        ("2002:1::1/64", "2002:ffff::9"),
        ("2001:0:1::1/64", "2001:0:ffff::9"),
        ("fd00::1/64", "fcff::9"),
        ("::192.0.2.1/128", "::198.51.100.1"),
        ("3ffe::1/64", "3ffe:ffff::9"),
    ];
    for (best, destination) in lines {
        for (other, _) in lines {
            if other != best {
                prefers(best, other, destination);
            }
        }
    }
    // Before rule 8: the longer prefix is the other one's.
    prefers("2a00::1/64", "2001::1/64", "2001:4000::9");
    // Link-local and loopback have two labels in one scope.
    prefers("fe80::1/64", "::1/128", "fe80::9");
    assert_eq!(
        choose(&["fe80::1/64", "::2/128"], "::1"),
        Some("fe80::1/64")
    );
}

#[test]
fn rule_8_prefers_the_longest_common_prefix() {
    prefers("2001:db8:1::1/64", "2001:db8:2::1/64", "2001:db8:1:5::9");
    // As far as the candidate's own prefix goes, whatever the addresses have in common.
    prefers("2001:db8:1::1/64", "2001:db8:1::9/32", "2001:db8:1::8");
    let order = ["2001:db8::9/32", "2001:db8::1/32"];
    assert_eq!(choose(&order, "2001:db8::8"), Some(order[0]));
    // They tie where the longer one parts from the destination at the end of the shorter.
    let order = ["2001:db8::1/32", "2001:db8:8000::1/64"];
    assert_eq!(choose(&order, "2001:db8::9"), Some(order[0]));
    let order = ["2001:db8:8000::1/64", "2001:db8::1/32"];
    assert_eq!(choose(&order, "2001:db8::9"), Some(order[0]));
    // A bit more decides.
    prefers("2001:db8:4000::1/64", "2001:db8::1/32", "2001:db8::9");
    prefers("2001:db8::1/33", "2001:db8::2/32", "2001:db8::9");
    // Two labels, neither the destination's.
    prefers("2001:db8::1/64", "fd00::1/64", "2002::9");
    // A prefix of no bits has none in common with anything.
    prefers("2001:db8::1/1", "2a00::9/0", "2a00::8");
}

#[test]
fn the_primary_order_decides_the_rest() {
    let mut index = SourceIndex::default();
    let subnet = bits("2001:db8::");
    for (host, rank) in [(1, 5), (2, -3), (3, 0), (4, i64::MAX), (5, i64::MIN)] {
        index.insert(subnet | host, 64, rank, host as u32);
    }
    for (best, removed) in [(5, 5), (2, 3), (2, 2), (1, 1), (4, 4)] {
        assert_eq!(index.best(subnet | 0x99), Some(best));
        index.remove(subnet | removed);
    }
    assert_eq!(index.best(subnet | 0x99), None);
}

#[test]
fn an_address_is_replaced() {
    let mut index = SourceIndex::default();
    let (a, b) = (bits("2001:db8::1"), bits("2001:db8::2"));
    index.insert(a, 64, 0, 1);
    index.insert(b, 64, 1, 2);
    let destination = bits("2001:db8::9");
    assert_eq!(index.best(destination), Some(1));
    index.insert(a, 48, 0, 3);
    assert_eq!(index.best(destination), Some(2));
    index.insert(a, 255, 2, 4);
    assert_eq!(index.best(destination), Some(4), "128 bits at most");
    assert_eq!(index.len(), 2);
    index.remove(bits("2001:db8::3"));
    assert_eq!(index.len(), 2);
}

/// The rules for a pair, as the RFC writes them: how a source compares to another, the better one
/// being less. The primary order is left to the caller.
fn compare(a: (u128, u8), b: (u128, u8), destination: u128) -> Ordering {
    let prefer = |a: bool, b: bool| b.cmp(&a);
    let rule_1 = prefer(a.0 == destination, b.0 == destination);
    let (scope_a, scope_b) = (oracle_scope(a.0), oracle_scope(b.0));
    let rule_2 = match scope_a.cmp(&scope_b) {
        Ordering::Less if scope_a < oracle_scope(destination) => Ordering::Greater,
        Ordering::Less => Ordering::Less,
        Ordering::Greater if scope_b < oracle_scope(destination) => Ordering::Less,
        other => other,
    };
    let label = oracle_label(destination);
    let rule_6 = prefer(oracle_label(a.0) == label, oracle_label(b.0) == label);
    let common = |(address, len): (u128, u8)| {
        (0..len)
            .take_while(|at| (address ^ destination) >> (127 - at) & 1 == 0)
            .count()
    };
    let rule_8 = common(b).cmp(&common(a));
    rule_1.then(rule_2).then(rule_6).then(rule_8)
}

fn oracle_scope(address: u128) -> u8 {
    let octets = address.to_be_bytes();
    match octets {
        [0xff, scope, ..] => scope & 0xf,
        [0xfe, second, ..] if second & 0xc0 == 0x80 => 2,
        [0xfe, second, ..] if second & 0xc0 == 0xc0 => 5,
        _ if address == 1 => 2,
        _ => 14,
    }
}

/// The label with its number, of the longest line that matches.
fn oracle_label(address: u128) -> u8 {
    let policy = [
        ("::1", 128, 0),
        ("::", 0, 1),
        ("::ffff:0:0", 96, 4),
        ("2002::", 16, 2),
        ("2001::", 32, 5),
        ("fc00::", 7, 13),
        ("::", 96, 3),
        ("fec0::", 10, 11),
        ("3ffe::", 16, 12),
    ];
    let matches =
        |prefix: &str, len: u32| len == 0 || bits(prefix) >> (128 - len) == address >> (128 - len);
    let lines = policy
        .iter()
        .filter(|(prefix, len, _)| matches(prefix, *len));
    lines.max_by_key(|(_, len, _)| *len).unwrap().2
}

/// Addresses that are near each other: few beginnings, and few bits that differ.
fn address() -> impl Strategy<Value = u128> {
    let beginnings = [
        "fe80::",
        "fec0::",
        "fc00::",
        "fd00::",
        "2001:db8::",
        "2001::",
        "2002::",
        "3ffe::",
        "::",
        "::ffff:0:0",
        "2a00::",
        "ff01::",
        "ff02::",
        "ff05::",
        "ff08::",
        "ff0e::",
    ];
    let beginning = prop::sample::select(beginnings.map(bits).to_vec());
    // Bits at places where prefixes end, and at the very end.
    let places = prop::sample::subsequence(vec![0_u8, 1, 2, 3, 63, 64, 65, 79, 80, 94, 95], 0..4);
    (beginning, places).prop_map(|(beginning, places)| {
        places
            .iter()
            .fold(beginning, |address, at| address ^ 1 << at)
    })
}

fn prefix_len() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(vec![0_u8, 1, 16, 31, 32, 33, 47, 48, 49, 62, 63, 64, 65, 127, 128]),
        1 => 0..=128_u8,
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u128, u8, i64),
    Remove(u128),
    /// Of those that are there, so that removal is not rare.
    RemoveNth(usize),
    Best(u128),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (address(), prefix_len(), -4..4_i64).prop_map(|(a, len, rank)| Step::Insert(a, len, rank)),
        1 => address().prop_map(Step::Remove),
        1 => any::<usize>().prop_map(Step::RemoveNth),
        3 => address().prop_map(Step::Best),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// The index against the pairwise rules over all candidates.
    #[test]
    fn chooses_what_the_rules_choose(steps in proptest::collection::vec(step(), 0..200)) {
        let mut index = SourceIndex::default();
        let mut candidates = BTreeMap::new();
        for (value, step) in steps.into_iter().enumerate() {
            let value = value as u32;
            match step {
                Step::Insert(address, len, rank) => {
                    index.insert(address, len, rank, value);
                    if address != 0 && address >> 120 != 0xff {
                        candidates.insert(address, (len, rank, value));
                    }
                }
                Step::Remove(address) => {
                    index.remove(address);
                    candidates.remove(&address);
                }
                Step::RemoveNth(n) if !candidates.is_empty() => {
                    let address = *candidates.keys().nth(n % candidates.len()).unwrap();
                    index.remove(address);
                    candidates.remove(&address);
                }
                Step::RemoveNth(_) => {}
                Step::Best(destination) => {
                    let order = |a: &(&u128, &(u8, i64, u32)), b: &(&u128, &(u8, i64, u32))| {
                        compare((*a.0, a.1.0), (*b.0, b.1.0), destination).then(a.1.1.cmp(&b.1.1))
                    };
                    let best = candidates.iter().min_by(order);
                    let found = index.best(destination);
                    prop_assert_eq!(found.is_some(), best.is_some());
                    if let (Some(best), Some(found)) = (best, found) {
                        let found = candidates.iter().find(|candidate| candidate.1.2 == found);
                        let found = found.expect("one of those that are there");
                        // Equal ranks are the only choice there is.
                        prop_assert_eq!(
                            order(&found, &best), Ordering::Equal,
                            "{:x?} instead of {:x?} for {:x}", found, best, destination
                        );
                    }
                }
            }
            prop_assert_eq!(index.len(), candidates.len());
            let (nodes, _) = index.trie.nodes();
            let owners = candidates.len() - index.trie.others();
            prop_assert!(nodes <= 2 * owners, "no node that parts nothing");
        }
        for address in candidates.keys() {
            index.remove(*address);
        }
        prop_assert_eq!(index.trie.nodes(), (0, 0), "the memory returns");
        prop_assert_eq!(index.trie.others(), 0);
        prop_assert!(index.roots.iter().flatten().all(|root| *root == NIL));
    }
}

/// The most visits one call of `operation` takes, of one for each address.
fn most_visits(
    index: &mut SourceIndex,
    addresses: impl Iterator<Item = u128>,
    mut operation: impl FnMut(&mut SourceIndex, u128),
) -> usize {
    let mut most = 0;
    for address in addresses {
        let before = index.trie.visits.load(Relaxed);
        operation(index, address);
        most = most.max(index.trie.visits.load(Relaxed) - before);
    }
    most
}

const MILLION: u32 = 1_000_000;

/// The nodes on one path, and what an update looks at for each: itself and two children.
const PATH: usize = 129;
const UPDATE: usize = 4 * PATH;

#[test]
fn a_million_addresses_cost_a_path_each() {
    // Scattered by a multiplication that maps no two to one.
    let scattered = |n: u32| bits("2001:db8::") | u128::from(n.wrapping_mul(0x9e37_79b1)) << 32;
    let subnets = |n: u32| scattered(n) | 1;
    let hosts = |n: u32| bits("2001:db8:1:1::") + u128::from(n) + 1;
    let mut index = SourceIndex::default();
    let ranked = |len: u8| {
        move |index: &mut SourceIndex, address: u128| {
            // Later ones are better: each has to be made known up to the root.
            let before = index.len() as u32;
            index.insert(address, len, -i64::from(before), before);
        }
    };
    // Full prefixes (a node each), and one subnet (all in one node).
    let half = MILLION / 2;
    let insert = most_visits(&mut index, (0..half).map(subnets), ranked(128)).max(most_visits(
        &mut index,
        (0..half).map(hosts),
        ranked(64),
    ));
    assert!(insert <= UPDATE, "{insert}");
    assert_eq!(index.len(), MILLION as usize);
    let near = (0..half).flat_map(|n| [subnets(n) ^ 2, hosts(n) ^ 1 << 40]);
    let best = most_visits(&mut index, near, |index, destination| {
        assert!(index.best(destination).is_some());
    });
    assert!(best <= PATH, "{best}");
    // None has the destination's label, so every class is asked.
    let other = most_visits(
        &mut index,
        (0..half).map(|n| scattered(n) ^ 0x3 << 112),
        |index, d| {
            assert!(index.best(d).is_some());
        },
    );
    assert!(other <= LABELS * PATH, "{other}");
    let remove = |index: &mut SourceIndex, address| index.remove(address);
    let removal = most_visits(&mut index, (0..half).map(subnets), remove).max(most_visits(
        &mut index,
        (0..half).rev().map(hosts),
        remove,
    ));
    assert!(removal <= UPDATE, "{removal}");
    assert_eq!(index.len(), 0);
    assert_eq!(index.trie.nodes(), (0, 0));
}

#[test]
fn nested_prefixes_cost_a_path_at_most() {
    // One candidate for every length: the longest path there is.
    let mut index = SourceIndex::default();
    let all = bits("2a00::");
    let addresses = (1..=128_u32).map(|n| all ^ 1 << (128 - n.max(9)) ^ u128::from(n & 7));
    for (len, address) in addresses.clone().enumerate() {
        index.insert(address, len as u8 + 1, 0, len as u32);
    }
    let most = most_visits(
        &mut index,
        addresses.map(|a| a ^ 8),
        |index, destination| {
            assert!(index.best(destination).is_some());
        },
    );
    assert!(most <= PATH, "{most}");
}

#[test]
fn freed_nodes_are_used_again() {
    let mut index = SourceIndex::default();
    let address = |n: u128| bits("2001:db8::") | n << 64;
    index.insert(address(0), 64, 0, 0);
    for n in 1..10_000 {
        index.insert(address(n), 64, 0, 0);
        index.remove(address(n));
    }
    let (used, capacity) = index.trie.nodes();
    assert_eq!(used, 1);
    assert!(capacity <= 1 << 10, "{capacity}");
}
