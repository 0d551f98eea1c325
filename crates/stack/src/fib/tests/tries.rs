//! The tries, their versions and their storage.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::editor::Used;
use super::super::entry::Shape;
use super::super::{Garbage, Hop, Lpm, LpmEditor, NO_NEIGHBOR};
use super::{address, ip, prefix};
use crate::address::{Key, Prefix};
use crate::nic::NicId;

impl Used {
    /// Nodes of runs.
    fn sparse_like(&self) -> usize {
        self.nodes(Shape::Sparse) + self.nodes(Shape::SparseLeaf) + self.nodes(Shape::LongLeaf)
    }
}

/// Routes in no order.
type Model = Vec<(Prefix, Hop)>;

fn longest(model: &Model, address: IpAddr) -> Option<Hop> {
    let matches = model.iter().filter(|(prefix, _)| prefix.contains(address));
    matches
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, hop)| *hop)
}

fn hop(neighbor: u32) -> Hop {
    Hop::new(neighbor, NicId(neighbor as u16))
}

/// Inserts, and returns what was there.
fn insert(editor: &mut LpmEditor, prefix: Prefix, neighbor: u32) -> Option<Hop> {
    let nic = NicId(neighbor as u16);
    editor.insert(prefix, nic, neighbor).unwrap()
}

/// Publishes to nobody, and takes back all that is garbage.
fn publish(editor: &mut LpmEditor) -> Lpm {
    let version = editor.version();
    let garbage = editor.take_garbage();
    garbage.into_iter().for_each(|it| editor.reuse(it));
    version
}

/// Compares both ways to look up in a version with a search of the model.
fn compare(editor: &LpmEditor, version: Lpm, model: &Model, addresses: &[IpAddr]) {
    let store = editor.store();
    let keys: Vec<Key> = addresses.iter().map(|address| (*address).into()).collect();
    let mut found = vec![Hop::NOWHERE; keys.len()];
    version.lookup_burst(store, &keys, &mut found);
    for ((address, key), found) in addresses.iter().zip(&keys).zip(found) {
        let expected = longest(model, *address);
        assert_eq!(version.lookup(store, *key), expected, "{address}");
        assert_eq!(found.found(), expected, "{address} in a burst");
    }
}

/// Compares what the editor says of the routes as they are with a search of the model.
fn compare_matches(editor: &LpmEditor, model: &Model, addresses: &[IpAddr]) {
    for address in addresses {
        let matches = model.iter().filter(|(prefix, _)| prefix.contains(*address));
        let mut all: Vec<(u8, Hop)> = matches.map(|(it, hop)| (it.len(), *hop)).collect();
        all.sort_by_key(|(len, _)| std::cmp::Reverse(*len));
        let key = (*address).into();
        assert_eq!(editor.matches(key).as_slice(), all, "{address}");
    }
}

/// The first and the last address of a prefix, and those beside it.
fn edges(prefix: Prefix) -> Vec<IpAddr> {
    let first = prefix.network().address();
    let bits = |a: IpAddr| Key::from(a).bits();
    let hosts = crate::address::host_mask(prefix.mapped_len());
    let of = |bits: u128| {
        match first {
            IpAddr::V4(_) => Some(IpAddr::from(std::net::Ipv4Addr::from_bits(bits as u32))),
            IpAddr::V6(_) => Some(IpAddr::from(std::net::Ipv6Addr::from_bits(bits))),
        }
        .filter(|it| !crate::address::is_mapped(*it))
    };
    [
        Some(bits(first)),
        Some(bits(first) | hosts),
        bits(first).checked_sub(1),
        (bits(first) | hosts).checked_add(1),
    ]
    .into_iter()
    .flatten()
    .filter_map(of)
    .collect()
}

#[test]
fn every_length_by_itself_covers_what_it_should() {
    for text in ["172.165.90.165", "2001:db8:a5a5:5a5a:f00f:ff:5a5a:a5a5"] {
        let address = ip(text);
        let bits = crate::address::Family::of(address).bits();
        for len in 0..=bits {
            let prefix = Prefix::new(address, len).unwrap();
            let mut editor = LpmEditor::new();
            assert_eq!(insert(&mut editor, prefix, 7), None);
            assert_eq!(editor.exact(prefix), Some(hop(7)));
            let version = publish(&mut editor);
            let model = vec![(prefix, hop(7))];
            compare(&editor, version, &model, &edges(prefix));
            compare_matches(&editor, &model, &edges(prefix));
        }
    }
}

#[test]
fn all_lengths_of_one_address_in_either_order() {
    for text in ["172.165.90.165", "2001:db8:a5a5:5a5a:f00f:ff:5a5a:a5a5"] {
        let address = ip(text);
        let bits = crate::address::Family::of(address).bits();
        let all: Vec<Prefix> = (0..=bits)
            .map(|len| Prefix::new(address, len).unwrap())
            .collect();
        let probes: Vec<IpAddr> = all.iter().flat_map(|prefix| edges(*prefix)).collect();
        for reversed in [false, true] {
            let mut order = all.clone();
            if reversed {
                order.reverse();
            }
            let mut editor = LpmEditor::plain_up_to(3);
            let mut model = Model::new();
            for prefix in &order {
                let neighbor = u32::from(prefix.len()) + 1;
                assert_eq!(insert(&mut editor, *prefix, neighbor), None);
                model.push((*prefix, hop(neighbor)));
                let version = publish(&mut editor);
                compare(&editor, version, &model, &probes);
                compare_matches(&editor, &model, &probes);
            }
            while let Some((prefix, hop)) = model.pop() {
                assert_eq!(editor.remove(prefix).unwrap(), Some(hop));
                assert_eq!(editor.remove(prefix).unwrap(), None);
                let version = publish(&mut editor);
                compare(&editor, version, &model, &probes);
                compare_matches(&editor, &model, &probes);
            }
            assert_eq!(editor.used(), Used::default());
        }
    }
}

#[test]
fn the_families_do_not_meet() {
    let mut editor = LpmEditor::new();
    let (v4, v6) = (prefix("0.0.0.0/0"), prefix("::/0"));
    insert(&mut editor, v6, 6);
    let version = editor.version();
    let store = editor.store();
    assert_eq!(version.lookup(store, ip("192.0.2.1").into()), None);
    assert_eq!(version.lookup(store, ip("::1").into()), Some(hop(6)));
    insert(&mut editor, v4, 4);
    assert_eq!(editor.remove(v6).unwrap(), Some(hop(6)));
    let version = editor.version();
    let store = editor.store();
    assert_eq!(version.lookup(store, ip("192.0.2.1").into()), Some(hop(4)));
    assert_eq!(version.lookup(store, ip("::1").into()), None);
}

#[test]
fn an_on_link_route_has_no_neighbor() {
    let mut editor = LpmEditor::new();
    editor
        .insert(prefix("192.0.2.0/24"), NicId(u16::MAX), NO_NEIGHBOR)
        .unwrap();
    let version = editor.version();
    let found = version.lookup(editor.store(), ip("192.0.2.9").into());
    assert_eq!(found, Some(Hop::new(NO_NEIGHBOR, NicId(u16::MAX))));
}

#[test]
fn a_burst_of_any_size_is_looked_up_and_no_more() {
    let mut editor = LpmEditor::new();
    let route = prefix("10.0.0.0/8");
    insert(&mut editor, route, 3);
    insert(&mut editor, prefix("10.1.2.0/24"), 4);
    let version = editor.version();
    let mark = hop(99);
    for len in [0, 1, 63, 64, 65, 200] {
        let keys = vec![Key::v4(0x0a00_0001); len];
        let mut out = vec![mark; len + 1];
        version.lookup_burst(editor.store(), &keys, &mut out);
        assert!(out[..len].iter().all(|it| *it == hop(3)));
        assert_eq!(out[len], mark);
        let mut short = vec![mark; len / 2];
        version.lookup_burst(editor.store(), &keys, &mut short);
        assert!(short.iter().all(|it| *it == hop(3)));
    }
}

#[test]
fn a_default_route_over_many_others_changes_one_line() {
    let mut editor = LpmEditor::new();
    for n in 0..20_000_u32 {
        let prefix = Prefix::new(IpAddr::from((n << 12).to_be_bytes()), 24).unwrap();
        insert(&mut editor, prefix, n);
    }
    publish(&mut editor);
    let before = editor.used();
    insert(&mut editor, prefix("0.0.0.0/0"), 20_000);
    editor.version();
    assert_eq!(editor.take_garbage().len(), 1, "the root's line");
    let mut after = before;
    after.nodes[Shape::Dense as usize] += 1;
    after.routes += 1;
    after.hops += 1;
    assert_eq!(editor.used(), after);
    assert!(editor.remove(prefix("0.0.0.0/0")).unwrap().is_some());
    editor.version();
    assert_eq!(
        editor.take_garbage().len(),
        3,
        "the line, the route, the hop"
    );
}

#[test]
fn changes_of_one_version_are_made_in_place() {
    let mut editor = LpmEditor::new();
    let prefixes: Vec<Prefix> = (0..2_000_u32)
        .map(|n| Prefix::new(address(n % 2 == 0, n as u16), 24).unwrap())
        .collect();
    for _ in 0..3 {
        prefixes.iter().for_each(|prefix| {
            insert(&mut editor, *prefix, 1);
        });
        prefixes.iter().for_each(|prefix| {
            editor.remove(*prefix).unwrap();
        });
    }
    assert!(editor.is_empty());
    assert_eq!(editor.used(), Used::default());
    editor.version();
    assert_eq!(editor.take_garbage(), []);
}

/// As its routes become more, a provider's network is a sparse node with all below in it, then a dense one
/// with nodes below it, and back.
#[test]
fn a_network_grows_out_of_a_sparse_node_and_back_into_it() {
    let mut editor = LpmEditor::plain_up_to(0);
    let mut model = Model::new();
    let lens = [48, 44, 40, 46, 32, 56, 64, 36, 33, 128, 47, 66];
    let all: Vec<Prefix> = (0..300_u16)
        .map(|n| {
            let address = in_provider(n.wrapping_mul(40_503));
            let prefix = Prefix::new(address, lens[usize::from(n) % lens.len()]).unwrap();
            prefix.network()
        })
        .collect();
    let probes: Vec<IpAddr> = all.iter().flat_map(|prefix| edges(*prefix)).collect();
    let mut shapes = Vec::new();
    for (n, prefix) in all.iter().enumerate() {
        let before = model.iter().position(|(it, _)| it == prefix);
        let before = before.map(|at| model.swap_remove(at).1);
        assert_eq!(insert(&mut editor, *prefix, n as u32), before);
        model.push((*prefix, hop(n as u32)));
        let version = publish(&mut editor);
        compare(&editor, version, &model, &probes);
        shapes.push(editor.used());
    }
    // The roots are dense: one, and no more, as long as the network is in a sparse node.
    assert!(shapes.iter().any(|it| (
        it.nodes(Shape::Dense),
        it.sparse_like(),
        it.nodes(Shape::Narrow)
    ) == (1, 1, 0)));
    let last = shapes[all.len() - 1];
    assert!(
        last.nodes(Shape::Dense) > 1 && last.nodes(Shape::Narrow) > 1,
        "{last:?}"
    );
    while let Some((prefix, hop)) = model.pop() {
        assert_eq!(editor.remove(prefix).unwrap(), Some(hop));
        let version = publish(&mut editor);
        compare(&editor, version, &model, &probes);
        if let 5..10 = model.len() {
            let used = editor.used();
            assert!(used.sparse_like() > 0, "{used:?}");
        }
    }
    assert_eq!(editor.used(), Used::default());
}

/// A /16 of IPv4 and a provider of IPv6 with so many routes, and no level left out above them.
fn networks(routes: u16) -> Vec<Prefix> {
    let above = ["10.0.0.0/8", "2a00::/8", "2a00::/16", "2a00:1200::/24"];
    let mut all: Vec<Prefix> = above.map(prefix).into();
    for n in 1..=routes {
        let apart = (n as u8).wrapping_mul(9);
        all.push(Prefix::new(IpAddr::from([10, 1, apart, 0]), 24).unwrap());
        all.push(Prefix::new(in_provider(n.wrapping_mul(2600)), 48).unwrap());
    }
    all
}

#[test]
fn what_ends_in_a_node_of_few_hops_is_a_leaf() {
    // Hops that are there before have the small numbers.
    for hops_before in [0, 256] {
        for routes in [5, 15, 25, 80] {
            let mut editor = LpmEditor::plain_up_to(0);
            let mut model = Model::new();
            let before = (0..hops_before).map(|n| {
                let address = IpAddr::from([192, 0, 2, n as u8]);
                (Prefix::new(address, 32).unwrap(), 1000 + n)
            });
            let networks = networks(routes);
            let networks = networks.iter().enumerate();
            for (prefix, neighbor) in before.chain(networks.map(|(n, it)| (*it, n as u32 % 7))) {
                insert(&mut editor, prefix, neighbor);
                model.push((prefix, hop(neighbor)));
            }
            let version = publish(&mut editor);
            let probes: Vec<IpAddr> = model.iter().flat_map(|(it, _)| edges(*it)).collect();
            compare(&editor, version, &model, &probes);
            let used = editor.used();
            let leaves: Vec<Shape> = Shape::ALL
                .into_iter()
                .filter(|shape| shape.is_leaf() && used.nodes(*shape) > 0)
                .collect();
            let expected: &[Shape] = match (hops_before, routes) {
                (0, 5) => &[Shape::ShortLeaf, Shape::SparseLeaf],
                (0, 15) => &[Shape::ShortLeaf, Shape::LongLeaf],
                (0, 25) => &[Shape::PairLeaf],
                (0, _) => &[Shape::DenseLeaf],
                _ => &[],
            };
            assert_eq!(leaves, expected, "{routes} beside {hops_before} hops");
        }
    }
}

/// Providers of one /24 of IPv6, each with a network apart in it, and routes over some of them.
#[test]
fn a_node_of_few_providers_is_short() {
    for (providers, shape) in [(4, Shape::Short), (9, Shape::Pair), (60, Shape::Dense)] {
        let mut editor = LpmEditor::plain_up_to(0);
        let mut model = Model::new();
        let mut all = ["2a00::/8", "2a00::/16", "2a00:1280::/25"]
            .map(prefix)
            .to_vec();
        for n in 0..providers {
            let provider = 0x2a00_1200_u128 + (n * 27) % 256;
            let inside = [(provider << 96, 32), (provider << 96 | 7 << 80, 48)];
            let longer = (provider << 96 | 7 << 80 | 5 << 64, 64);
            all.extend(inside.into_iter().chain([longer]).map(|(bits, len)| {
                Prefix::new(std::net::Ipv6Addr::from_bits(bits).into(), len).unwrap()
            }));
        }
        let probes: Vec<IpAddr> = all.iter().flat_map(|it| edges(*it)).collect();
        for (n, prefix) in all.iter().enumerate() {
            insert(&mut editor, *prefix, n as u32);
            model.push((*prefix, hop(n as u32)));
            let version = publish(&mut editor);
            compare(&editor, version, &model, &probes);
        }
        let used = editor.used();
        // The root and the nodes at levels 8 and 16 are dense.
        let at_level = [Shape::Dense, Shape::Short, Shape::Pair].map(|it| used.nodes(it));
        let expected = match shape {
            Shape::Short => [3, 1, 0],
            Shape::Pair => [3, 0, 1],
            _ => [4, 0, 0],
        };
        assert_eq!(at_level, expected, "{providers} providers: {used:?}");
        while let Some((prefix, hop)) = model.pop() {
            assert_eq!(editor.remove(prefix).unwrap(), Some(hop));
            let version = publish(&mut editor);
            compare(&editor, version, &model, &probes);
        }
        assert_eq!(editor.used(), Used::default());
    }
}

#[test]
fn removing_everything_leaves_nothing() {
    let mut editor = LpmEditor::new();
    let prefixes: Vec<Prefix> = (0..3_000_u16)
        .map(|n| {
            let v4 = n % 2 == 0;
            let len = n % if v4 { 33 } else { 129 };
            Prefix::new(address(v4, n.wrapping_mul(40_503)), len as u8).unwrap()
        })
        .collect();
    for (n, prefix) in prefixes.iter().enumerate() {
        insert(&mut editor, *prefix, n as u32);
        if n % 7 == 0 {
            publish(&mut editor);
        }
    }
    assert!(editor.bytes() > 0);
    for (n, prefix) in prefixes.iter().rev().enumerate() {
        editor.remove(*prefix).unwrap();
        if n % 5 == 0 {
            publish(&mut editor);
        }
    }
    let version = publish(&mut editor);
    assert_eq!(version, Lpm::EMPTY);
    assert_eq!((editor.len(), editor.used()), (0, Used::default()));
}

/// What addresses a step is about.
#[derive(Clone, Copy, Debug)]
enum Where {
    V4,
    V6,
    /// All in one network of 32 bits, closely.
    Provider,
}

impl Where {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![Just(Self::V4), Just(Self::V6), Just(Self::Provider)]
    }

    fn address(self, n: u16) -> IpAddr {
        match self {
            Self::V4 => address(true, n),
            Self::V6 => address(false, n),
            Self::Provider => in_provider(n),
        }
    }
}

/// 2a00:1234::/32, then the bits of `n`, and some of them again.
fn in_provider(n: u16) -> IpAddr {
    let n = u128::from(n);
    std::net::Ipv6Addr::from_bits(0x2a00_1234 << 96 | n << 80 | (n & 0x303) << 68).into()
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Where, u16, Index, u32),
    Remove(Index),
    /// Of one that is not there, probably.
    RemoveAny(Where, u16, Index),
    Publish,
    /// Lets go of the oldest version, so that its garbage comes back.
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (Where::any(), any::<u16>(), any::<Index>(), prop_oneof![0..4_u32, any::<u32>()])
            .prop_map(|(at, n, len, to)| Step::Insert(at, n, len, to)),
        3 => any::<Index>().prop_map(Step::Remove),
        1 => (Where::any(), any::<u16>(), any::<Index>())
            .prop_map(|(at, n, len)| Step::RemoveAny(at, n, len)),
        2 => Just(Step::Publish),
        1 => Just(Step::Release),
    ]
}

fn any_prefix(at: Where, n: u16, len: Index) -> Prefix {
    let (least, lens) = match at {
        Where::V4 => (0, 33),
        Where::V6 => (0, 129),
        Where::Provider => (30, 37),
    };
    let len = least + len.index(lens) as u8;
    Prefix::new(at.address(n), len).unwrap()
}

/// A version, what was in it, and what may be used again when it and those before it are gone.
struct Kept {
    version: Lpm,
    model: Model,
    garbage: Vec<Garbage>,
}

proptest! {
    #[test]
    fn versions_agree_with_a_linear_search_and_do_not_change(
        steps in proptest::collection::vec(step(), 1..160),
        probes in proptest::collection::vec((Where::any(), any::<u16>()), 70),
        plain in prop_oneof![Just(0), Just(5), Just(usize::MAX)],
    ) {
        let mut editor = LpmEditor::plain_up_to(plain);
        let mut model = Model::new();
        let mut kept = std::collections::VecDeque::from([Kept {
            version: editor.version(),
            model: Model::new(),
            garbage: Vec::new(),
        }]);
        let mut addresses: Vec<IpAddr> = probes.iter().map(|(at, n)| at.address(*n)).collect();
        for step in steps {
            match step {
                Step::Insert(at, n, len, neighbor) => {
                    let prefix = any_prefix(at, n, len);
                    addresses.extend(edges(prefix));
                    let at = model.iter().position(|(it, _)| it.network() == prefix.network());
                    let before = at.map(|at| model.swap_remove(at).1);
                    prop_assert_eq!(insert(&mut editor, prefix, neighbor), before);
                    model.push((prefix, hop(neighbor)));
                }
                Step::Remove(at) if !model.is_empty() => {
                    let (prefix, hop) = model.swap_remove(at.index(model.len()));
                    prop_assert_eq!(editor.exact(prefix), Some(hop));
                    prop_assert_eq!(editor.remove(prefix).unwrap(), Some(hop));
                }
                Step::Remove(_) => {}
                Step::RemoveAny(at, n, len) => {
                    let prefix = any_prefix(at, n, len);
                    let at = model.iter().position(|(it, _)| it.network() == prefix.network());
                    let before = at.map(|at| model.swap_remove(at).1);
                    prop_assert_eq!(editor.exact(prefix), before);
                    prop_assert_eq!(editor.remove(prefix).unwrap(), before);
                }
                Step::Publish => {
                    let version = editor.version();
                    // It waits for the version before the new one, and all before that.
                    let garbage = editor.take_garbage();
                    kept.back_mut().unwrap().garbage = garbage;
                    kept.push_back(Kept { version, model: model.clone(), garbage: Vec::new() });
                }
                Step::Release if kept.len() > 1 => {
                    let gone = kept.pop_front().unwrap();
                    compare(&editor, gone.version, &gone.model, &addresses);
                    gone.garbage.into_iter().for_each(|it| editor.reuse(it));
                }
                Step::Release => {}
            }
            prop_assert_eq!(editor.len(), model.len());
        }
        let version = editor.version();
        compare(&editor, version, &model, &addresses);
        compare_matches(&editor, &model, &addresses);
        for kept in kept {
            compare(&editor, kept.version, &kept.model, &addresses);
            kept.garbage.into_iter().for_each(|it| editor.reuse(it));
        }
        for (prefix, hop) in model {
            prop_assert_eq!(editor.remove(prefix).unwrap(), Some(hop));
        }
        publish(&mut editor);
        prop_assert_eq!(editor.used(), Used::default());
    }
}
