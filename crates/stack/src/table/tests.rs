//! The table against a map, under random operations, with versions kept and compared.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

impl Keys for Vec<Key> {
    fn key(&self, index: u32) -> Key {
        self[index as usize]
    }
}

fn key(n: u64) -> Key {
    // Half IPv4, half IPv6.
    if n.is_multiple_of(2) {
        Key::v4(n as u32)
    } else {
        Key::v6(0xfd00_u128 << 112 | u128::from(n))
    }
}

/// What is at each key, read through the table in both ways.
fn check(table: &Table, keys: &Vec<Key>, model: &HashMap<Key, u32>) {
    assert_eq!(table.len(), model.len());
    for (key, index) in model {
        assert_eq!(table.find(keys, *key), Some(*index));
    }
    let mut entries: Vec<_> = table.entries().collect();
    let mut expected: Vec<_> = model.values().copied().collect();
    entries.sort_unstable();
    expected.sort_unstable();
    assert_eq!(entries, expected, "the listing has each entry once");
}

#[test]
fn grows_to_a_hundred_thousand_and_empties() {
    let count = 100_000u32;
    let keys: Vec<Key> = (0..u64::from(count)).map(key).collect();
    let mut model = HashMap::new();
    let mut table = Table::new(7);
    for index in 0..count {
        table.insert(&keys, keys[index as usize], index).unwrap();
        model.insert(keys[index as usize], index);
    }
    check(&table, &keys, &model);
    for n in count..2 * count {
        assert_eq!(table.find(&keys, key(u64::from(n))), None);
    }
    let full = table.clone();
    for key in &keys {
        assert_eq!(table.remove(&keys, *key), model.get(key).copied());
        assert_eq!(table.remove(&keys, *key), None);
    }
    assert_eq!(table.len(), 0);
    assert_eq!(table.entries().count(), 0);
    check(&full, &keys, &model);
}

#[test]
fn pages_fill_to_half_on_the_average() {
    // What the memory per address in the docs rests on.
    let count = 300_000u32;
    let keys: Vec<Key> = (0..u64::from(count)).map(key).collect();
    let mut table = Table::new(1);
    for index in 0..count {
        table.insert(&keys, keys[index as usize], index).unwrap();
    }
    let mut pages: Vec<*const Page> = table
        .root
        .iter()
        .flat_map(|l| l.iter())
        .map(Arc::as_ptr)
        .collect();
    pages.dedup();
    let bytes = pages.len() * 4096;
    assert!(
        bytes / (count as usize) < 24,
        "{} bytes per entry",
        bytes / count as usize
    );
}

#[test]
fn a_change_copies_one_page_and_a_transaction_none_twice() {
    let count = 50_000u32;
    let keys: Vec<Key> = (0..u64::from(count) + 2).map(key).collect();
    let mut table = Table::new(3);
    for index in 0..count {
        table.insert(&keys, keys[index as usize], index).unwrap();
    }
    let published = table.clone();
    let differing = |a: &Table, b: &Table| {
        let pages = |t: &Table| -> Vec<*const Page> {
            t.root
                .iter()
                .flat_map(|l| l.iter())
                .map(Arc::as_ptr)
                .collect()
        };
        pages(a)
            .iter()
            .zip(pages(b))
            .filter(|(a, b)| **a != *b)
            .count()
    };
    let spans = |t: &Table, key: Key| 1usize << (t.bits - t.page(t.hash(key)).depth());
    table.replace(&keys, keys[5], count);
    assert_eq!(differing(&table, &published), spans(&table, keys[5]));
    let after_first: Vec<_> = table.root.iter().map(Arc::as_ptr).collect();
    table.replace(&keys, keys[5], count + 1);
    let after_second: Vec<_> = table.root.iter().map(Arc::as_ptr).collect();
    assert_eq!(
        after_first, after_second,
        "what is unshared is edited in place"
    );
    assert_eq!(
        published.find(&keys, keys[5]),
        Some(5),
        "the published version is as it was"
    );
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u64),
    Remove(u64),
    Replace(u64),
    Keep,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0u64..3_000).prop_map(Op::Insert),
        3 => (0u64..3_000).prop_map(Op::Remove),
        2 => (0u64..3_000).prop_map(Op::Replace),
        1 => Just(Op::Keep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map_in_every_version(
        seed: u64,
        ops in proptest::collection::vec(op(), 1..3_000),
    ) {
        let mut keys: Vec<Key> = Vec::new();
        let mut table = Table::new(seed);
        let mut model: HashMap<Key, u32> = HashMap::new();
        let mut kept = Vec::new();
        for op in ops {
            match op {
                Op::Insert(n) if !model.contains_key(&key(n)) => {
                    let index = keys.len() as u32;
                    keys.push(key(n));
                    table.insert(&keys, key(n), index).unwrap();
                    model.insert(key(n), index);
                }
                Op::Insert(n) | Op::Replace(n) => {
                    let index = keys.len() as u32;
                    keys.push(key(n));
                    let there = table.replace(&keys, key(n), index);
                    prop_assert_eq!(there, model.contains_key(&key(n)));
                    if there {
                        model.insert(key(n), index);
                    }
                }
                Op::Remove(n) => {
                    prop_assert_eq!(table.remove(&keys, key(n)), model.remove(&key(n)));
                }
                Op::Keep if kept.len() < 4 => kept.push((table.clone(), model.clone())),
                Op::Keep => {}
            }
        }
        check(&table, &keys, &model);
        for (table, model) in &kept {
            check(table, &keys, model);
        }
    }
}
