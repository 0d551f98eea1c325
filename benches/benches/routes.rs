//! What does it cost to find a packet's route, beside a linear search, a hash table for each prefix
//! length and DPDK's two arrays (DIR-24-8, IPv4 alone)? And what to change a route, with a million
//! present?
//!
//! Lengths are distributed like the Internet's, networks within blocks like those of the
//! registries. A destination is a random address of a route drawn at random, so it may well be in a
//! more specific one.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Instant;

use corelane::frame::BURST;
use corelane::stack::fib::{Garbage, Hop, Lpm, LpmEditor};
use corelane::stack::{Family, Key, NicId, Prefix};
use corelane::sync::snapshot::Publisher;
use corelane_benches::harness::{Average, Bench, Bound, Budget, Sample, in_rounds, median};
use corelane_benches::random::Random;
use corelane_tools::generator::RoutePlan;
use corelane_tools::unit::Family as TrafficFamily;
use foldhash::fast::RandomState;

/// As in the binaries: the rivals get the same good allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lookups of one round.
const LOOKUPS: usize = 16 * BURST;

/// Changes of one round.
const CHANGES: usize = 256;

fn main() -> ExitCode {
    Bench::main("routes", |bench| {
        add_all(bench);
        change_one(bench);
        for (name, full, tiny) in [
            ("1k", 1_000, 100),
            ("100k", 100_000, 300),
            ("1m", 1_000_000, 500),
        ] {
            lookup(bench, name, bench.size().pick(full, tiny));
        }
        lookup_v4(bench);
        lookup_v6(bench);
    })
}

fn lookup(bench: &mut Bench, name: &str, len: usize) {
    let both = [Family::V4, Family::V6];
    let group = bench
        .group(format!("routes-lookup-{name}"))
        .case("ours-by-burst", move |_| ours(Routes::new(len, &both)))
        .case("ours-one-by-one", move |_| {
            one_by_one(Routes::new(len, &both))
        })
        .case("hash-per-length", move |_| {
            let routes = Routes::new(len, &both);
            let hashes = HashPerLength::new(&routes);
            rival(routes, move |key| hashes.lookup(key))
        });
    let group = if len > 1_000 {
        group
    } else {
        group.case("linear", move |_| {
            let routes = Routes::new(len, &both);
            let linear = Linear::new(&routes);
            rival(routes, move |key| linear.lookup(key))
        })
    };
    group.run();
}

/// With what only IPv4 can have: half of a table of 1,000,000 routes.
fn lookup_v4(bench: &mut Bench) {
    let len = bench.size().pick(500_000, 300);
    let v4 = [Family::V4];
    bench
        .group("routes-lookup-v4-500k")
        .case("ours-by-burst", move |_| ours(Routes::new(len, &v4)))
        .case("hash-per-length", move |_| {
            let routes = Routes::new(len, &v4);
            let hashes = HashPerLength::new(&routes);
            rival(routes, move |key| hashes.lookup(key))
        })
        .case("dir-24-8", move |_| {
            let routes = Routes::new(len, &v4);
            let dir = Dir248::new(&routes);
            rival(routes, move |key| dir.lookup(key))
        })
        .run();
}

/// The other half.
fn lookup_v6(bench: &mut Bench) {
    let len = bench.size().pick(500_000, 300);
    let v6 = [Family::V6];
    bench
        .group("routes-lookup-v6-500k")
        .case("ours-by-burst", move |_| ours(Routes::new(len, &v6)))
        .case("hash-per-length", move |_| {
            let routes = Routes::new(len, &v6);
            let hashes = HashPerLength::new(&routes);
            rival(routes, move |key| hashes.lookup(key))
        })
        .run();
}

/// Adds all routes one by one, as one version.
fn add_all(bench: &mut Bench) {
    if !bench.wants("routes-add-all/ours") {
        return;
    }
    let len = bench.size().pick(1_000_000, 500);
    let routes = Routes::new(len, &[Family::V4, Family::V6]);
    let (mut seconds, mut bytes) = (Vec::new(), 0);
    for _ in 0..bench.rounds().min(3) {
        let mut editor = LpmEditor::new();
        let start = Instant::now();
        routes.insert_into(&mut editor);
        seconds.push(start.elapsed().as_secs_f64());
        assert_eq!(editor.len(), len);
        bytes = editor.bytes();
    }
    let seconds = median(&mut seconds);
    bench.value("routes-add-all/ours", seconds, "s");
    bench.value(
        "routes-add-all/ours bytes each",
        bytes as f64 / len as f64,
        "B",
    );
    bench.figure(
        "adding 1,000,000 routes one by one",
        &[("s", Some(seconds), Bound::AtMost(2.0))],
    );
}

/// Takes a route out or puts it back, and publishes, every single time.
fn change_one(bench: &mut Bench) {
    let len = bench.size().pick(1_000_000, 500);
    let measured = bench
        .group("routes-change-one-1m")
        .case("ours", move |_| {
            changes(Routes::new(len, &[Family::V4, Family::V6]))
        })
        .case("ours-default-route", move |_| {
            let routes = Routes::new(len, &[Family::V4, Family::V6]);
            let default = Prefix::new(Ipv4Addr::UNSPECIFIED.into(), 0).expect("a prefix");
            let mut editor = LpmEditor::new();
            routes.insert_into(&mut editor);
            let mut published = Published::new(editor);
            move |budget| published.measure(budget, || default)
        })
        .run();
    bench.figure(
        "publishing one changed route, 1,000,000 present",
        &[(
            "µs, median",
            measured.ns("ours").map(|ns| ns / 1e3),
            Bound::AtMost(5.0),
        )],
    );
}

fn changes(routes: Routes) -> impl FnMut(Budget) -> Sample {
    let mut editor = LpmEditor::new();
    routes.insert_into(&mut editor);
    let mut published = Published::new(editor);
    let mut random = Random::new(5);
    move |budget| published.measure(budget, || routes.draw(&mut random))
}

/// An editor and where it publishes.
struct Published {
    editor: LpmEditor,
    publisher: Publisher<Lpm, Garbage>,
    collected: Vec<Garbage>,
}

impl Published {
    fn new(mut editor: LpmEditor) -> Self {
        let publisher = Publisher::new(editor.version());
        Self {
            editor,
            publisher,
            collected: Vec::new(),
        }
    }

    fn measure(&mut self, budget: Budget, mut draw: impl FnMut() -> Prefix) -> Sample {
        in_rounds(budget.by(Average::Median), || {
            let prefixes: Vec<Prefix> = (0..CHANGES).map(|_| draw()).collect();
            let start = Instant::now();
            prefixes.iter().for_each(|prefix| self.toggle(*prefix));
            let time = start.elapsed();
            // All are as they were, for the next round.
            prefixes.iter().for_each(|prefix| self.toggle(*prefix));
            (CHANGES as u64, time)
        })
    }

    fn toggle(&mut self, prefix: Prefix) {
        let editor = &mut self.editor;
        if editor.remove(prefix).expect("room").is_none() {
            let inserted = editor.insert(prefix, NicId(1), 1);
            assert!(inserted.expect("room").is_none());
        }
        let version = editor.version();
        self.publisher.publish(version, editor.take_garbage());
        self.publisher.collect(&mut self.collected);
        self.collected.drain(..).for_each(|it| editor.reuse(it));
    }
}

/// Neighbours that the routes lead to: many for a router, few beside its routes.
const NEIGHBORS: u32 = 1000;

/// Prefixes, each once; the neighbour of each is told by its number.
struct Routes {
    prefixes: Vec<Prefix>,
}

impl Routes {
    fn new(len: usize, families: &[Family]) -> Self {
        let family = match families {
            [Family::V4] => TrafficFamily::V4,
            [Family::V6] => TrafficFamily::V6,
            _ => TrafficFamily::Mixed,
        };
        let plan = RoutePlan::draw(family, len as u32, 1, 1);
        Self {
            prefixes: plan.iter().map(|(prefix, _)| prefix).collect(),
        }
    }

    fn insert_into(&self, editor: &mut LpmEditor) {
        for (prefix, number) in self.prefixes.iter().zip(0..) {
            let inserted = editor.insert(*prefix, NicId(1), number % NEIGHBORS);
            assert!(inserted.expect("room").is_none());
        }
    }

    fn draw(&self, random: &mut Random) -> Prefix {
        self.prefixes[random.below(self.prefixes.len() as u32) as usize]
    }

    /// A random address of a random route.
    fn destination(&self, random: &mut Random) -> Key {
        let prefix = self.draw(random);
        let bits = random.bits();
        let hosts = !mask(prefix);
        let low = Key::from(prefix.address()).bits();
        Key::v6(low | (u128::from(bits) << 64 | u128::from(bits)) & hosts)
    }

    fn keys(&self, random: &mut Random, keys: &mut Vec<Key>) {
        keys.clear();
        keys.extend((0..LOOKUPS).map(|_| self.destination(random)));
    }
}

/// The length of a prefix in the 128 bits of a key.
fn key_len(prefix: Prefix) -> u32 {
    u32::from(prefix.len()) + if prefix.address().is_ipv4() { 96 } else { 0 }
}

fn mask(prefix: Prefix) -> u128 {
    u128::MAX.unbounded_shl(128 - key_len(prefix))
}

fn ours(routes: Routes) -> impl FnMut(Budget) -> Sample {
    let mut found = vec![Hop::NOWHERE; LOOKUPS];
    looked_up(routes, move |editor, version, keys| {
        for (keys, found) in keys.chunks(BURST).zip(found.chunks_mut(BURST)) {
            version.lookup_burst(editor.store(), keys, found);
        }
        found.iter().filter(|hop| !hop.is_nowhere()).count()
    })
}

fn one_by_one(routes: Routes) -> impl FnMut(Budget) -> Sample {
    looked_up(routes, |editor, version, keys| {
        let look = |key: &&Key| black_box(version.lookup(editor.store(), **key)).is_some();
        keys.iter().filter(look).count()
    })
}

/// Measures `look`, which returns how many it found, in a trie of ours.
fn looked_up(
    routes: Routes,
    mut look: impl FnMut(&LpmEditor, Lpm, &[Key]) -> usize,
) -> impl FnMut(Budget) -> Sample {
    let mut editor = LpmEditor::new();
    routes.insert_into(&mut editor);
    let version = editor.version();
    let mut random = Random::new(3);
    let mut keys = Vec::with_capacity(LOOKUPS);
    move |budget| {
        in_rounds(budget, || {
            routes.keys(&mut random, &mut keys);
            let start = Instant::now();
            let found = look(&editor, version, &keys);
            let time = start.elapsed();
            assert_eq!(found, LOOKUPS);
            (LOOKUPS as u64, time)
        })
    }
}

/// Measures a rival, after asking it for what ours finds.
fn rival(routes: Routes, look: impl Fn(Key) -> Option<u32>) -> impl FnMut(Budget) -> Sample {
    let mut random = Random::new(3);
    let mut keys = Vec::with_capacity(LOOKUPS);
    {
        let mut editor = LpmEditor::new();
        routes.insert_into(&mut editor);
        let version = editor.version();
        routes.keys(&mut random, &mut keys);
        for key in &keys {
            let hop: Option<Hop> = version.lookup(editor.store(), *key);
            let neighbor = look(*key).map(|number| number % NEIGHBORS);
            assert_eq!(neighbor, hop.map(Hop::neighbor));
        }
    }
    move |budget| {
        in_rounds(budget, || {
            routes.keys(&mut random, &mut keys);
            let start = Instant::now();
            let found = keys
                .iter()
                .filter(|key| black_box(look(**key)).is_some())
                .count();
            let time = start.elapsed();
            assert_eq!(found, LOOKUPS);
            (LOOKUPS as u64, time)
        })
    }
}

/// Looks at one route after the other, the longest first.
struct Linear(Vec<(u128, u128, u32)>);

impl Linear {
    fn new(routes: &Routes) -> Self {
        let numbered = routes.prefixes.iter().zip(0..);
        let mut rows: Vec<_> = numbered
            .map(|(prefix, number)| (Key::from(prefix.address()).bits(), mask(*prefix), number))
            .collect();
        rows.sort_by_key(|(_, mask, _)| std::cmp::Reverse(*mask));
        Self(rows)
    }

    fn lookup(&self, key: Key) -> Option<u32> {
        let bits = key.bits();
        let row = self
            .0
            .iter()
            .find(|(network, mask, _)| bits & mask == *network)?;
        Some(row.2)
    }
}

/// A hash table for each length, asked from the longest on, as the ranges of a NIC are.
struct HashPerLength(Vec<(u128, HashMap<u128, u32, RandomState>)>);

impl HashPerLength {
    fn new(routes: &Routes) -> Self {
        let mut by_length = HashMap::<u128, HashMap<u128, u32, RandomState>>::new();
        for (prefix, number) in routes.prefixes.iter().zip(0..) {
            let network = Key::from(prefix.address()).bits();
            by_length
                .entry(mask(*prefix))
                .or_default()
                .insert(network, number);
        }
        let mut tables: Vec<_> = by_length.into_iter().collect();
        tables.sort_by_key(|(mask, _)| std::cmp::Reverse(*mask));
        Self(tables)
    }

    fn lookup(&self, key: Key) -> Option<u32> {
        let bits = key.bits();
        self.0
            .iter()
            .find_map(|(mask, table)| table.get(&(bits & mask)).copied())
    }
}

/// Gupta, Lin, McKeown, "Routing lookups in hardware at memory access speeds" (1998), as DPDK's
/// `rte_lpm` has it: an array for the first 24 bits, and one of 256 for each of their values that
/// has longer routes. A route of 8 bits is written 65,536 times.
struct Dir248 {
    first: Vec<u32>,
    second: Vec<u32>,
}

/// The entry leads to 256 of the second array.
const EXTENDED: u32 = 1 << 31;

impl Dir248 {
    fn new(routes: &Routes) -> Self {
        let mut numbered: Vec<(Prefix, u32)> = routes.prefixes.iter().copied().zip(1..).collect();
        numbered.sort_by_key(|(prefix, _)| prefix.len());
        let mut dir = Self {
            first: vec![0; 1 << 24],
            second: Vec::new(),
        };
        for (prefix, entry) in numbered {
            let address = Key::from(prefix.address()).low as u32;
            let len = u32::from(prefix.len());
            let at = (address >> 8) as usize;
            if len <= 24 {
                dir.first[at..][..1 << (24 - len)].fill(entry);
                continue;
            }
            if dir.first[at] & EXTENDED == 0 {
                let group = (dir.second.len() / 256) as u32;
                dir.second.resize(dir.second.len() + 256, dir.first[at]);
                dir.first[at] = EXTENDED | group;
            }
            let group = (dir.first[at] & !EXTENDED) as usize * 256;
            dir.second[group + (address & 0xff) as usize..][..1 << (32 - len)].fill(entry);
        }
        dir
    }

    #[inline]
    fn lookup(&self, key: Key) -> Option<u32> {
        let address = key.low as u32;
        let mut entry = self.first[(address >> 8) as usize];
        if entry & EXTENDED != 0 {
            let group = (entry & !EXTENDED) as usize * 256;
            entry = self.second[group + (address & 0xff) as usize];
        }
        entry.checked_sub(1)
    }
}
