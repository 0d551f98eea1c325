//! The demux against a linear search, under random binds, closes and flows; and what it costs.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

use corelane_sync::seat::SeatPlan;
use proptest::prelude::*;

use super::*;
use crate::socket::SocketQueue;
use crate::table::Keys;

/// A few of everything, so that random ones meet.
const LOCALS: [&str; 4] = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
const REMOTES: [&str; 4] = [
    "198.51.100.1",
    "198.51.100.2",
    "2001:db8:9::1",
    "2001:db8:9::2",
];
const PORTS: std::ops::Range<u16> = 1..3;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A socket, as the model knows it.
#[derive(Clone)]
struct Bound {
    binding: Binding,
    port: u16,
    identities: Vec<Identity>,
    socket: Socket,
}

/// A packet, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Packet {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    nic: NicId,
}

impl Packet {
    fn flow(&self) -> Flow {
        let key = |(address, port): (IpAddr, u16)| (Key::from(address), port);
        {
            let (local, remote) = (key(self.local), key(self.remote));
            Flow::udp(local.0.family(), local, remote, self.nic)
        }
    }

    /// Whether a socket would be found in a way, its NIC left aside.
    fn is_for(&self, bound: &Bound, way: Way) -> bool {
        let Binding {
            family,
            local,
            remote,
        } = bound.binding;
        let wants = |any_local: bool, any_remote: bool| {
            local == (!any_local).then_some(self.local.0)
                && remote.map(|it| (it.ip(), it.port())) == (!any_remote).then_some(self.remote)
        };
        family == Family::of(self.local.0)
            && bound.port == self.local.1
            && match way {
                Way::Exact => wants(false, false),
                Way::AnyLocal => wants(true, false),
                Way::AnyRemote => wants(false, true),
                Way::PortOnly => wants(true, true),
            }
    }
}

/// All sockets, and a search through them as BEHAVIOURS K5 to K7 have it.
#[derive(Default)]
struct Model {
    bound: Vec<Bound>,
    made: u64,
    /// Whom each packet was for last, of how many made by then.
    last: HashMap<Packet, (u64, u64)>,
}

impl Model {
    /// Those that may have a packet in a way: those bound to its NIC, or where there is none those
    /// bound to none.
    fn eligible(&self, packet: &Packet, way: Way) -> Vec<&Bound> {
        let here = || self.bound.iter().filter(|it| packet.is_for(it, way));
        let on = |nic| here().filter(move |it| it.socket.nic() == nic);
        let own: Vec<_> = on(Some(packet.nic)).collect();
        if own.is_empty() {
            on(None).collect()
        } else {
            own
        }
    }

    /// Checks what the demux found for a packet, if it is to one.
    fn check(&mut self, packet: &Packet, found: Option<&Socket>) {
        let mut ways = Way::ALL.into_iter().map(|way| self.eligible(packet, way));
        let eligible = ways.find(|it| !it.is_empty()).unwrap_or_default();
        let numbers: BTreeSet<_> = eligible.iter().map(|it| it.socket.number()).collect();
        let Some(found) = found.map(Socket::number) else {
            assert!(numbers.is_empty(), "{packet:?} is for one of {numbers:?}");
            return;
        };
        assert!(numbers.contains(&found), "{packet:?}: {found}");
        if let Some((before, made)) = self.last.insert(*packet, (found, self.made)) {
            // It stays where it was, unless that one is gone or a new one has drawn it.
            let stays = found == before || !numbers.contains(&before) || found >= made;
            assert!(
                stays,
                "{packet:?} moved from {before} to {found} of {numbers:?}"
            );
        }
    }

    /// Checks to whom a packet for many goes.
    fn check_all(&self, packet: &Packet, found: &[u64]) {
        let ways = Way::ALL.into_iter();
        let expected = ways.flat_map(|way| self.eligible(packet, way));
        let mut expected: Vec<_> = expected.map(|it| it.socket.number()).collect();
        let mut found = found.to_vec();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "each once");
    }

    /// Whether a socket may be bound (BEHAVIOURS K14).
    fn may_bind(&self, bindings: &[Binding], port: u16, nic: Option<NicId>, reuse: bool) -> bool {
        let same = |bound: &&Bound| {
            let is_same = |it: &Binding| Identity::of(it, port);
            bound.socket.nic() == nic
                && bindings
                    .iter()
                    .any(|it| bound.identities.contains(&is_same(it)))
        };
        self.bound
            .iter()
            .filter(same)
            .all(|it| it.socket.reuse() && reuse)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Bind {
        local: Option<usize>,
        remote: Option<(usize, u16)>,
        is_v4: bool,
        is_both: bool,
        port: u16,
        nic: Option<u16>,
        reuse: bool,
    },
    Close(usize),
    Look(Vec<Packet>),
}

fn packet() -> impl Strategy<Value = Packet> {
    (any::<bool>(), 0..2usize, 0..2usize, PORTS, PORTS, 1..4u16).prop_map(
        |(is_v4, local, remote, to, from, nic)| {
            let family = if is_v4 { 0 } else { 2 };
            Packet {
                local: (address(LOCALS[family + local]), to),
                remote: (address(REMOTES[family + remote]), from),
                nic: NicId(nic),
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (
            proptest::option::of(0..2usize),
            proptest::option::of((0..2usize, PORTS)),
            any::<bool>(),
            any::<bool>(),
            PORTS,
            proptest::option::of(1..3u16),
            any::<bool>(),
        )
            .prop_map(|(local, remote, is_v4, is_both, port, nic, reuse)| Step::Bind {
                local, remote, is_v4, is_both, port, nic, reuse,
            }),
        2 => (0..64usize).prop_map(Step::Close),
        4 => proptest::collection::vec(packet(), 1..64).prop_map(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn k5_k6_k7_k14_it_finds_what_a_linear_search_does(
        seed: u64,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let demux = Demux::new(seed);
        let mut datapath = demux.datapath();
        let (_, seats) = SeatPlan::mint(1);
        let mut queues = Vec::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Bind { local, remote, is_v4, is_both, port, nic, reuse } => {
                    let family = if is_v4 { 0 } else { 2 };
                    let local = local.map(|it| address(LOCALS[family + it]));
                    let remote = remote
                        .map(|(it, port)| SocketAddr::new(address(REMOTES[family + it]), port));
                    let reuse = reuse && remote.is_none();
                    let both = is_both && local.is_none() && remote.is_none();
                    let families = [Family::V4, Family::V6].into_iter();
                    let bindings: Vec<_> = families
                        .filter(|it| both || (*it == Family::V4) == is_v4)
                        .map(|family| Binding { family, local, remote })
                        .collect();
                    let nic = nic.map(NicId);
                    let (socket, made) = Socket::bare_with_queues(model.made, nic, reuse);
                    queues.extend(made);
                    model.made += 1;
                    let may_bind = model.may_bind(&bindings, port, nic, reuse);
                    let result = demux.bind(&bindings, port, &socket);
                    prop_assert_eq!(result.is_ok(), may_bind);
                    let Ok(identities) = result else {
                        continue;
                    };
                    for binding in &bindings {
                        model.bound.push(Bound {
                            binding: *binding,
                            port,
                            identities: identities.clone(),
                            socket: socket.clone(),
                        });
                    }
                }
                Step::Close(at) => {
                    if let Some(bound) = model.bound.get(at).cloned() {
                        demux.unbind(&bound.identities, &bound.socket);
                        model.bound.retain(|it| !it.socket.is(&bound.socket));
                    }
                }
                Step::Look(packets) => {
                    datapath.load();
                    let flows: Vec<_> = packets.iter().map(Packet::flow).collect();
                    let found = datapath.lookup(&seats[0], &flows[..]);
                    for ((packet, flow), found) in packets.iter().zip(&flows).zip(found) {
                        model.check(packet, found);
                        let for_error = demux.find_for_error(flow);
                        prop_assert_eq!(for_error.as_ref().map(Socket::number), found.map(Socket::number));
                        let mut all = Vec::new();
                        datapath.for_each(flow, |socket| all.push(socket.number()));
                        model.check_all(packet, &all);
                    }
                }
            }
            prop_assert_eq!(demux.len(), {
                let identities = model.bound.iter().flat_map(|it| &it.identities);
                identities.collect::<std::collections::HashSet<_>>().len()
            });
        }
        // Everything goes when it is closed.
        for bound in std::mem::take(&mut model.bound) {
            demux.unbind(&bound.identities, &bound.socket);
        }
        prop_assert!(demux.is_empty());
        prop_assert!(demux.control().ports.is_empty());
        prop_assert_eq!(demux.control().ways, [0; WAYS]);
        datapath.load();
        prop_assert_eq!(demux.reclaim(), 0);
        prop_assert!(queues.iter().all(SocketQueue::is_closed));
    }
}

#[test]
fn k5_k6_what_was_found_before_is_found_only_while_it_is_right() {
    let demux = Demux::new(1);
    let mut datapath = demux.datapath();
    let (_, seats) = SeatPlan::mint(1);
    let packet = |local: &str, port, nic| {
        let remote = (address("198.51.100.1"), 9);
        let local = (address(local), port);
        Packet {
            local,
            remote,
            nic: NicId(nic),
        }
        .flow()
    };
    // To two hosts' worth of ports, and on another NIC.
    let flows = [
        packet("192.0.2.1", 7, 1),
        packet("192.0.2.2", 7, 1),
        packet("192.0.2.1", 8, 1),
        packet("192.0.2.1", 7, 2),
    ];
    let mut found = |demux: &Demux| {
        datapath.load();
        // Twice: what the second finds, it guesses.
        let [first, second] = [(); 2].map(|()| {
            let out = datapath.lookup(&seats[0], &flows[..]);
            assert!(out[flows.len()..].iter().all(Option::is_none));
            [0, 1, 2, 3].map(|at| out[at].map(Socket::number))
        });
        assert_eq!(first, second);
        let linear = flows.map(|flow| demux.find_for_error(&flow).as_ref().map(Socket::number));
        assert_eq!(first, linear);
        first
    };
    let sockets = [None, None, Some(NicId(1)), None, None];
    let sockets: Vec<_> = sockets
        .into_iter()
        .zip(0..)
        .map(|(nic, number)| Socket::bare(number, nic, false))
        .collect();
    let bind = |binding, port, number: usize| {
        demux
            .bind(&[binding], port, &sockets[number])
            .expect("it is free")
    };
    assert_eq!(found(&demux), [None; 4]);
    let first = bind(at("192.0.2.1"), 7, 0);
    assert_eq!(found(&demux), [Some(0), None, None, Some(0)]);
    // Its number is another's now.
    demux.unbind(&first, &sockets[0]);
    bind(at("192.0.2.2"), 7, 1);
    assert_eq!(found(&demux), [None, Some(1), None, None]);
    // Bound to a NIC; with one of any address behind it.
    let on_nic = bind(at("192.0.2.1"), 7, 2);
    assert_eq!(found(&demux), [Some(2), Some(1), None, None]);
    bind(ANY_V4, 7, 3);
    assert_eq!(found(&demux), [Some(2), Some(1), None, Some(3)]);
    // One that is bound to the sender comes before what was found without it.
    let connected = Binding {
        remote: Some(SocketAddr::new(address("198.51.100.1"), 9)),
        ..at("192.0.2.2")
    };
    let connected = bind(connected, 7, 4);
    assert_eq!(found(&demux), [Some(2), Some(4), None, Some(3)]);
    demux.unbind(&connected, &sockets[4]);
    demux.unbind(&on_nic, &sockets[2]);
    assert_eq!(found(&demux), [Some(3), Some(1), None, Some(3)]);
}

const ANY_V4: Binding = Binding {
    family: Family::V4,
    local: None,
    remote: None,
};

fn at(local: &str) -> Binding {
    Binding {
        local: Some(address(local)),
        ..ANY_V4
    }
}

#[test]
fn k14_a_failure_undoes_what_was_done() {
    let demux = Demux::new(1);
    let (first, second) = (Socket::bare(0, None, false), Socket::bare(1, None, false));
    let v6 = Binding {
        family: Family::V6,
        ..ANY_V4
    };
    demux.bind(&[v6], 7, &first).expect("it is free");
    let error = demux.bind(&[ANY_V4, v6], 7, &second);
    assert!(matches!(error, Err(BindError::PortInUse(7))), "{error:?}");
    assert_eq!(demux.len(), 1, "the first family was not left bound");
    assert_eq!(second.clones(), 1);
}

#[test]
fn ephemeral_ports_are_nobody_elses() {
    let demux = Demux::new(1);
    let mut sockets = Vec::new();
    let mut bind = |binding: Binding| {
        let socket = Socket::bare(sockets.len() as u64, None, true);
        let bound = demux.bind(&[binding], 0, &socket);
        sockets.push(socket);
        bound.map(|identities| identities[0].local_port())
    };
    // One address' are not those of any, and the other way round.
    let any: BTreeSet<_> = (0..4000).map(|_| bind(ANY_V4).unwrap()).collect();
    let mut left: BTreeSet<_> = (49152..=65535).collect();
    left.retain(|port| !any.contains(port));
    assert_eq!(left.len(), 16384 - 4000);
    for local in ["192.0.2.1", "192.0.2.2"] {
        let chosen: BTreeSet<_> = (0..left.len()).map(|_| bind(at(local)).unwrap()).collect();
        assert_eq!(chosen, left);
        assert!(matches!(bind(at(local)), Err(BindError::NoPortLeft)));
    }
    assert!(matches!(bind(ANY_V4), Err(BindError::NoPortLeft)));
    // The other family's are its own.
    let v6 = Binding {
        family: Family::V6,
        ..ANY_V4
    };
    assert!(bind(v6).is_ok());
}

#[test]
fn ephemeral_ports_are_hard_to_guess() {
    let chosen = |seed| {
        let demux = Demux::new(seed);
        let socket = Socket::bare(0, None, false);
        let next = || demux.bind(&[ANY_V4], 0, &socket).unwrap()[0].local_port();
        [next(), next(), next()]
    };
    let [a, b, c] = chosen(1);
    assert!(a.abs_diff(b) > 1 || b.abs_diff(c) > 1);
    assert_ne!(chosen(1), chosen(2));
    assert_eq!(chosen(1), chosen(1), "a seed repeats");
}

/// The table's keys, and how often it asked for one.
struct Asked<'e>(&'e Entries, Cell<usize>);

impl Keys<Identity> for Asked<'_> {
    fn key(&self, at: u32) -> Identity {
        self.1.set(self.1.get() + 1);
        self.0.key(at)
    }
}

#[test]
fn a_lookup_looks_at_as_much_among_a_hundred_thousand_sockets_as_among_a_thousand() {
    let demux = Demux::new(3);
    let mut control = demux.control();
    let binding = |n: u32| Binding {
        local: Some(Ipv4Addr::from_bits(0x0a00_0000 + n / 1000).into()),
        ..ANY_V4
    };
    let identity = |n: u32| Identity::of(&binding(n), (n % 1000) as u16 + 1);
    let mut added = 0;
    let mut measured = Vec::new();
    for count in [1_000, 100_000] {
        for n in added..count {
            let socket = Socket::bare(n.into(), None, false);
            control.add(identity(n), &socket).unwrap();
        }
        added = count;
        let Control { table, entries, .. } = &*control;
        let asked = Asked(entries, Cell::new(0));
        let mut longer = 0;
        for n in 0..count {
            assert!(table.find(&asked, identity(n)).is_some());
            longer += u32::from(!table.home(identity(n)).ends_here());
        }
        let hits = asked.1.replace(0) as f64 / f64::from(count);
        for n in count..2 * count {
            assert!(table.find(&asked, identity(n + 1_000_000)).is_none());
        }
        let misses = asked.1.get() as f64 / f64::from(count);
        measured.push((hits, misses, f64::from(longer) / f64::from(count)));
    }
    for (hits, misses, longer) in measured {
        // Entries that have the tag of the one looked for, but are not it; and buckets beyond the first.
        assert!(hits < 1.1, "{hits} entries for a socket that is there");
        assert!(misses < 0.1, "{misses} entries for one that is not");
        assert!(longer < 0.25, "{longer} searches beyond one bucket");
    }
}

#[test]
fn a_change_copies_as_much_among_a_hundred_thousand_sockets_as_among_a_thousand() {
    let mut entries = Entries::default();
    let mut free = Vec::new();
    let socket = Socket::bare(0, None, false);
    let entry = || Entry::new(Identity::of(&ANY_V4, 7), &socket);
    for _ in 0..100_000 {
        entries.insert(&mut free, entry()).unwrap();
    }
    let before = socket.clones();
    let published = entries.clone();
    entries.set(50_000, Some(entry()));
    let copied = socket.clones() - before;
    assert!(copied <= 16, "{copied} entries");
    drop(published);
    assert_eq!(socket.clones(), before);
}
