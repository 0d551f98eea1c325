//! Routes, neighbors and NICs that change, go down and go away while packets are sent on, from a thread
//! each.
//!
//! Every packet has a number and is written down where it comes out: at the handler, on a link, or
//! quoted in an ICMP error. Changes are written down with the stamps of one counter, from before the call
//! to after its return. In the end:
//!
//! - no packet has two fates, and the counters know of each;
//! - a packet that left went to a next hop, and a link address, that were valid at some time between
//!   the poll in which it was taken up, at the earliest, and its arrival on the link;
//! - nothing left by a NIC after its removal had returned and the workers had polled;
//! - every frame is back in its pool.
//!
//! What the threads do is a function of the seed, which every failure prints; how they meet is the
//! machine's:
//!
//! ```text
//! CORELANE_STRESS_SEED=7 CORELANE_STRESS_ROUNDS=100 cargo test -p corelane --test forwarding_stress
//! ```

mod common;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use common::net::prefix;
use common::packets::{between, problem};
use common::*;
use corelane::engine::{Builder, Engine, Lifecycle, NicConfig, Parts, Polled, Worker};
use corelane::frame::{Burst, Frame, Pool, PoolCache, PoolConfig};
use corelane::io::memory::{MemoryConfig, MemoryLink, MemoryPeer, memory_link};
use corelane::stack::{
    DropReason, Forwarding, Handler, IcmpCounter, NeighborConfig, Nic, NicId, Packet,
    ProtocolCounter, RouteSpec, Stack, StackConfig,
};
use corelane::wire::arp::ArpPacket;
use corelane::wire::build::build_arp;
use corelane::wire::{
    ArpMessage, IpProtocol, MacAddr, parse_arp_message, parse_ethernet, parse_ipv4,
};

/// Frames of a round.
const FRAMES: usize = 12_000;
/// Destinations whose routes change: 10.100.k.9.
const NETWORKS: u8 = 4;
/// One that has no route, and one that is an address of NIC 1.
const ROUTELESS: u8 = NETWORKS;
const LOCAL: u8 = NETWORKS + 1;
/// Routers on each link, beside the destinations themselves.
const GATEWAYS: u8 = 2;
const LONG: Duration = Duration::from_secs(60);

fn random(state: &mut u64, below: u64) -> u64 {
    // SplitMix64.
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % below
}

fn destination(k: u8) -> Ipv4Addr {
    match k {
        ROUTELESS => Ipv4Addr::new(203, 0, 113, 9),
        LOCAL => Ipv4Addr::new(10, 0, 1, 1),
        k => Ipv4Addr::new(10, 100, k, 9),
    }
}

/// The next hop number `hop`: a gateway, or a destination itself.
fn hop_address(hop: u8) -> IpAddr {
    if hop < GATEWAYS {
        Ipv4Addr::new(10, 0, 9, 200 + hop).into()
    } else {
        destination(hop - GATEWAYS).into()
    }
}

fn hop_of(address: Ipv4Addr) -> Option<u8> {
    (0..GATEWAYS + NETWORKS).find(|hop| hop_address(*hop) == IpAddr::V4(address))
}

/// Something that was so for a while.
#[derive(Clone, Copy, Debug)]
struct Span {
    began: u64,
    /// After the call that ended it returned; `u64::MAX` while it lasts.
    ended: u64,
}

const OPEN: u64 = u64::MAX;

/// What was valid when: by destination, NIC and hop; and by link address.
#[derive(Default)]
struct Record {
    ways: HashMap<(u8, u16, u8), Vec<Span>>,
    macs: HashMap<MacAddr, Span>,
    /// The link address that was set last for a NIC's hop.
    fixed: HashMap<(u16, u8), MacAddr>,
}

impl Record {
    fn was(spans: &[Span], from: u64, to: u64) -> bool {
        spans.iter().any(|it| it.began <= to && it.ended >= from)
    }
}

/// What the threads share.
struct World {
    stamps: AtomicU64,
    /// The stamp that each worker's poll began at, and how many it has ended.
    began: [AtomicU64; 2],
    polls: [AtomicU64; 2],
    record: Mutex<Record>,
    versions: AtomicUsize,
    /// The NIC that comes and goes.
    changing: Mutex<Option<NicId>>,
    /// The packets are in.
    done: AtomicBool,
    control_stops: AtomicBool,
    control_stopped: AtomicBool,
    stop: AtomicBool,
}

impl World {
    fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::SeqCst)
    }

    /// A link address that is like no other: of a hop on a NIC.
    fn mac(&self, nic: NicId, hop: u8) -> MacAddr {
        let version = self.versions.fetch_add(1, Ordering::SeqCst) as u32;
        let [_, a, b, c] = version.to_be_bytes();
        MacAddr([2, nic.0 as u8, hop, a, b, c])
    }

    /// A thread that panics does not leave the others running.
    fn guard(&self) -> Guard<'_> {
        Guard(self)
    }

    fn any_nic(&self, rng: &mut u64) -> NicId {
        let changing = *self.changing.lock().unwrap();
        match changing.filter(|_| random(rng, 2) == 0) {
            Some(nic) => nic,
            None => NicId(1),
        }
    }
}

struct Guard<'w>(&'w World);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.done.store(true, Ordering::SeqCst);
            self.0.stop.store(true, Ordering::SeqCst);
        }
    }
}

/// One thing that came out of a link.
struct Out {
    nic: NicId,
    mac: MacAddr,
    id: u64,
    at: u64,
}

#[derive(Default)]
struct Seen {
    out: Vec<Out>,
    told: Vec<u64>,
    frames: usize,
    late: Vec<String>,
}

/// A link's other end, as the reader has it.
struct End {
    nic: NicId,
    peer: MemoryPeer,
    /// Nothing may come any more.
    silent: bool,
}

enum ToReader {
    New(NicId, MemoryPeer),
    /// What is still in the ring is the last.
    Silent(NicId),
}

struct Local(mpsc::Sender<u64>);

impl Handler for Local {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let id = packet.payload().get(8..16).expect("one of ours");
        let id = u64::from_be_bytes(id.try_into().expect("eight bytes"));
        self.0.send(id).expect("the test listens");
    }
}

fn link(queues: usize) -> (Box<MemoryLink>, MemoryPeer) {
    let (link, peer) = memory_link(MemoryConfig {
        queues,
        ring: 8192,
        ..MemoryConfig::default()
    })
    .expect("a link");
    (Box::new(link), peer)
}

fn config(name: &str) -> NicConfig {
    NicConfig::new(name)
        .forwarding(Forwarding::ON)
        .neighbors(NeighborConfig {
            retransmit_timer: Duration::from_millis(2),
            max_multicast_probes: 2,
            unreachable_hold: Duration::from_millis(5),
            base_reachable_time: Duration::from_millis(20),
            delay_first_probe: Duration::from_millis(2),
            ..NeighborConfig::default()
        })
}

fn frame(id: u64, k: u8) -> Vec<u8> {
    let to = destination(k).to_string();
    let frame = udp("10.0.0.9", &to, (id as u16, 7), &id.to_be_bytes());
    between(frame, PEER, HOST)
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn j_what_changes_while_packets_are_sent_on_loses_and_doubles_none() {
    let seed = environment("CORELANE_STRESS_SEED").unwrap_or(20_260_301);
    let rounds = environment("CORELANE_STRESS_ROUNDS").unwrap_or(24);
    let mut sent_on = 0;
    for round in 0..rounds {
        println!("seed {seed}, round {round}");
        sent_on += Round::new(seed.wrapping_add(round * 1001)).run();
    }
    assert!(sent_on > 1000 * rounds, "{sent_on} of {rounds} rounds");
}

struct Round {
    seed: u64,
    world: World,
    parts: Parts,
    pool: Pool,
    stack: Stack,
    ingress: (Nic, MemoryPeer),
    first: (Nic, MemoryPeer),
    local: mpsc::Receiver<u64>,
    /// Queues of each link: as many as workers, or one behind a distributor.
    queues: usize,
}

impl Round {
    fn new(seed: u64) -> Self {
        let queues = if seed.is_multiple_of(2) { 2 } else { 1 };
        let (sender, local) = mpsc::channel();
        let mut builder: Builder = Engine::builder();
        builder
            .workers(2)
            .ring_capacity(2048)
            .pool(PoolConfig {
                slots: 65_536,
                ..PoolConfig::default()
            })
            .when_full(corelane::engine::WhenFull::Wait)
            .stack(StackConfig {
                seed: Some(seed),
                icmp_rate: None,
                ..StackConfig::default()
            })
            .handler(move |_| Local(sender.clone()));
        let (in_link, in_peer) = link(queues);
        let (first_link, first_peer) = link(queues);
        builder.nic(config("in"), in_link);
        builder.nic(config("first"), first_link);
        let engine = builder.build().expect("an engine");
        let pool = engine.pool().clone();
        let nics = engine.nics();
        nics[0].add_address(prefix("10.0.0.1/24")).unwrap();
        nics[1].add_address(prefix("10.0.1.1/24")).unwrap();
        let stack = nics[0].stack().clone();
        stack
            .add_route(RouteSpec {
                to: prefix("10.0.1.0/24"),
                via: None,
                nic: NicId(1),
                metric: 0,
            })
            .unwrap();
        Self {
            seed,
            world: World {
                stamps: AtomicU64::new(1),
                began: Default::default(),
                polls: Default::default(),
                record: Mutex::default(),
                versions: AtomicUsize::new(0),
                changing: Mutex::new(None),
                done: AtomicBool::new(false),
                control_stops: AtomicBool::new(false),
                control_stopped: AtomicBool::new(false),
                stop: AtomicBool::new(false),
            },
            parts: engine.into_workers(),
            pool,
            stack,
            ingress: (nics[0].clone(), in_peer),
            first: (nics[1].clone(), first_peer),
            local,
            queues,
        }
    }

    /// Returns how many packets were sent on.
    fn run(self) -> u64 {
        let Self {
            seed,
            world,
            parts,
            pool,
            stack,
            ingress: (ingress, in_peer),
            first: (first, first_peer),
            local,
            queues,
        } = self;
        let Parts {
            workers,
            distributors,
            mut control,
            lifecycle,
            events,
            ..
        } = parts;
        let (to_reader, from_others) = mpsc::channel();
        let (mut senders, receivers) = in_peer.split();
        let ends = vec![End {
            nic: NicId(1),
            peer: first_peer,
            silent: false,
        }];
        let world = &world;
        let mut sent: Vec<(u8, u64)> = Vec::with_capacity(FRAMES);
        let mut seen = Seen::default();
        let mut gone = Vec::new();
        std::thread::scope(|scope| {
            for (number, worker) in workers.into_iter().enumerate() {
                scope.spawn(move || work(worker, number, world));
            }
            let service = lifecycle.clone();
            let control = scope.spawn(move || {
                let mut distributors = distributors;
                while !world.stop.load(Ordering::SeqCst) {
                    if world.control_stops.load(Ordering::SeqCst) {
                        world.control_stopped.store(true, Ordering::SeqCst);
                    } else {
                        control.poll();
                    }
                    distributors.extend(service.take_distributors());
                    distributors.retain_mut(|it| it.poll() != Polled::Finished);
                    std::thread::yield_now();
                }
                drop((distributors, control));
            });
            let reader_pool = pool.clone();
            let reader =
                scope.spawn(move || read(world, ends, receivers, &from_others, &reader_pool, seed));
            let stack = &stack;
            let routes = scope.spawn(move || change_routes(world, stack, seed ^ 1));
            let neighbors = scope.spawn(move || change_neighbors(world, stack, seed ^ 2));
            let to_reader = &to_reader;
            let nics = &lifecycle;
            let events = &events;
            let (first, in_id) = (&first, ingress.id());
            let life = scope.spawn(move || {
                change_nics(world, nics, first, events, to_reader, queues, seed ^ 3)
            });
            let _guard = world.guard();
            // The packets.
            let mut cache = pool.cache();
            let mut rng = seed ^ 4;
            let deadline = Instant::now() + LONG;
            for id in 0..FRAMES as u64 {
                let k = random(&mut rng, u64::from(LOCAL) + 1) as u8;
                let mut packet = loop {
                    if let Some(packet) = cache.alloc() {
                        break packet;
                    }
                    std::thread::yield_now();
                };
                packet.set_data(&frame(id, k)).unwrap();
                let began = world.began.iter().map(|it| it.load(Ordering::SeqCst));
                sent.push((k, began.min().unwrap_or(0)));
                let mut burst = Burst::new();
                burst.push(packet);
                let queue = id as usize % senders.len();
                while senders[queue].send(&mut burst) == 0 {
                    assert!(
                        Instant::now() < deadline,
                        "seed {seed}: the engine takes nothing"
                    );
                    std::thread::yield_now();
                }
            }
            world.done.store(true, Ordering::SeqCst);
            routes.join().unwrap();
            neighbors.join().unwrap();
            gone = life.join().unwrap();
            while ingress.counters().received < FRAMES as u64 {
                assert!(
                    Instant::now() < deadline,
                    "seed {seed}: {:?}",
                    ingress.counters()
                );
                std::thread::yield_now();
            }
            // What still waits is given up.
            settle(world);
            for nic in lifecycle.nics() {
                if nic.id() != in_id {
                    lifecycle.disable_nic(nic.id()).unwrap();
                }
            }
            settle(world);
            // Everything that was to be sent is on its link, or counted as dropped there: also what the
            // control plane was about to send.
            let are_sent = || {
                let deadline = Instant::now() + Duration::from_secs(10);
                let is_sent = |(put, sent)| put == sent;
                while Instant::now() < deadline
                    && !ways_out(&ingress, first, &gone).into_iter().all(is_sent)
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
            };
            are_sent();
            world.control_stops.store(true, Ordering::SeqCst);
            while !world.control_stopped.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            are_sent();
            world.stop.store(true, Ordering::SeqCst);
            control.join().unwrap();
            seen = reader.join().unwrap();
        });
        let context = format!("seed {seed}, {queues} queues");
        let mut nics = vec![first];
        nics.extend(gone);
        check(&context, world, &sent, &seen, &local, &ingress, &nics);
        drop((lifecycle, senders));
        let deadline = Instant::now() + LONG;
        while pool.out() > 0 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(pool.out(), 0, "{context}: frames that nobody returned");
        ingress.counters().forwarded
    }
}

fn work(mut worker: Worker, number: usize, world: &World) {
    let _guard = world.guard();
    while !world.stop.load(Ordering::SeqCst) {
        world.began[number].store(world.stamp(), Ordering::SeqCst);
        if worker.poll() == 0 {
            std::thread::yield_now();
        }
        world.polls[number].fetch_add(1, Ordering::SeqCst);
    }
    for _ in 0..100 {
        worker.poll();
    }
    worker.quiesce();
}

/// Waits until every worker has ended a poll that began after this call.
fn settle(world: &World) {
    let targets: Vec<_> = world
        .polls
        .iter()
        .map(|it| it.load(Ordering::SeqCst) + 2)
        .collect();
    for (polls, target) in world.polls.iter().zip(targets) {
        while polls.load(Ordering::SeqCst) < target && !world.stop.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }
}

/// Between two changes of one thread.
fn pause(rng: &mut u64) {
    match random(rng, 4) {
        0 => std::thread::sleep(Duration::from_micros(random(rng, 300))),
        1 => {}
        _ => std::thread::yield_now(),
    }
}

fn change_routes(world: &World, stack: &Stack, mut rng: u64) {
    let _guard = world.guard();
    // The way that each network has now.
    let mut ways: [Option<(NicId, u8)>; NETWORKS as usize] = [None; NETWORKS as usize];
    while !world.done.load(Ordering::SeqCst) {
        let k = random(&mut rng, NETWORKS.into()) as u8;
        let to = prefix(&format!("10.100.{k}.0/24"));
        let via = |hop| (hop < GATEWAYS).then(|| hop_address(hop));
        let old = ways[usize::from(k)];
        let new = (random(&mut rng, 8) > 0).then(|| {
            let hop = random(&mut rng, u64::from(GATEWAYS) + 1) as u8;
            let hop = if hop == GATEWAYS { GATEWAYS + k } else { hop };
            (world.any_nic(&mut rng), hop)
        });
        if old == new {
            continue;
        }
        if let Some((nic, hop)) = new {
            let span = Span {
                began: world.stamp(),
                ended: OPEN,
            };
            let mut record = world.record.lock().unwrap();
            record.ways.entry((k, nic.0, hop)).or_default().push(span);
        }
        let added = stack.change_routes(|routes| {
            if let Some((nic, hop)) = old {
                // The NIC may be gone, and the row with it.
                let _ = routes.remove(to, via(hop), nic);
            }
            new.map(|(nic, hop)| {
                routes.add(RouteSpec {
                    to,
                    via: via(hop),
                    nic,
                    metric: 0,
                })
            })
        });
        let after = world.stamp();
        let is_added = matches!(added, Some(Ok(())));
        let mut record = world.record.lock().unwrap();
        if let Some((nic, hop)) = new {
            let spans = record.ways.get_mut(&(k, nic.0, hop)).expect("pushed");
            let last = spans.last_mut().expect("pushed");
            // Ended with its NIC, or added to the next of that number: who knows.
            last.ended = if is_added { OPEN } else { after };
        }
        if let Some((nic, hop)) = old {
            let spans = record.ways.get_mut(&(k, nic.0, hop)).expect("it was there");
            for span in spans.iter_mut().filter(|it| it.ended == OPEN) {
                if new != old {
                    span.ended = after;
                }
            }
        }
        drop(record);
        ways[usize::from(k)] = new.filter(|_| is_added);
        pause(&mut rng);
    }
}

fn change_neighbors(world: &World, stack: &Stack, mut rng: u64) {
    let _guard = world.guard();
    while !world.done.load(Ordering::SeqCst) {
        let nic = world.any_nic(&mut rng);
        let hop = random(&mut rng, u64::from(GATEWAYS + NETWORKS)) as u8;
        let address = hop_address(hop);
        let end = |world: &World| {
            let after = world.stamp();
            let mut record = world.record.lock().unwrap();
            if let Some(mac) = record.fixed.remove(&(nic.0, hop))
                && let Some(span) = record.macs.get_mut(&mac)
            {
                span.ended = span.ended.min(after);
            }
        };
        match random(&mut rng, 8) {
            0..5 => {
                let mac = world.mac(nic, hop);
                let span = Span {
                    began: world.stamp(),
                    ended: OPEN,
                };
                world.record.lock().unwrap().macs.insert(mac, span);
                let added = stack.add_neighbor(nic, address, mac);
                end(world);
                let mut record = world.record.lock().unwrap();
                if added.is_ok() {
                    record.fixed.insert((nic.0, hop), mac);
                } else {
                    record.macs.remove(&mac);
                }
            }
            5 | 6 => {
                stack.remove_neighbor(nic, address);
                end(world);
            }
            _ => stack.flush_neighbors(nic),
        }
        pause(&mut rng);
    }
}

/// Returns the NICs that came and went.
fn change_nics(
    world: &World,
    lifecycle: &Lifecycle,
    first: &Nic,
    events: &corelane::stack::Events,
    to_reader: &mpsc::Sender<ToReader>,
    queues: usize,
    mut rng: u64,
) -> Vec<Nic> {
    let _guard = world.guard();
    let mut nics: Vec<Nic> = Vec::new();
    let deadline = Instant::now() + LONG;
    while !world.done.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "no end of it");
        let there = *world.changing.lock().unwrap();
        match (random(&mut rng, 6), there) {
            (0 | 1, _) => {
                lifecycle.disable_nic(first.id()).unwrap();
                pause(&mut rng);
                lifecycle.enable_nic(first.id()).unwrap();
            }
            (2 | 3, Some(id)) => {
                lifecycle.disable_nic(id).unwrap();
                pause(&mut rng);
                lifecycle.enable_nic(id).unwrap();
            }
            (_, Some(id)) => {
                lifecycle.remove_nic(id).unwrap();
                *world.changing.lock().unwrap() = None;
                let after = world.stamp();
                {
                    let mut record = world.record.lock().unwrap();
                    for (_, spans) in record
                        .ways
                        .iter_mut()
                        .filter(|((_, nic, _), _)| *nic == id.0)
                    {
                        spans
                            .iter_mut()
                            .for_each(|it| it.ended = it.ended.min(after));
                    }
                }
                settle(world);
                if queues == 1 {
                    // A distributor has the link: until it has let go.
                    loop {
                        let event = events.next_within(Duration::from_millis(100));
                        if event == Some(corelane::stack::Event::NicRemoved { nic: id }) {
                            break;
                        }
                        assert!(Instant::now() < deadline, "not removed");
                    }
                }
                to_reader.send(ToReader::Silent(id)).unwrap();
            }
            (_, None) => {
                let (link, peer) = link(queues);
                let name = format!("changing{}", nics.len());
                let nic = lifecycle.create_nic(config(&name), link).unwrap();
                nic.add_address(prefix("10.0.2.1/24")).unwrap();
                to_reader.send(ToReader::New(nic.id(), peer)).unwrap();
                *world.changing.lock().unwrap() = Some(nic.id());
                nics.push(nic);
            }
        }
        std::thread::sleep(Duration::from_micros(random(&mut rng, 1500)));
    }
    nics
}

/// Takes everything out of the links, answers some who ask for link addresses, and writes down what it
/// saw.
fn read(
    world: &World,
    mut ends: Vec<End>,
    mut ingress: Vec<corelane::io::memory::PeerReceiver>,
    changes: &mpsc::Receiver<ToReader>,
    pool: &Pool,
    seed: u64,
) -> Seen {
    let _guard = world.guard();
    let mut seen = Seen::default();
    let mut rng = seed ^ 5;
    let mut cache = pool.cache();
    let (mut last, mut quiet) = (false, 0);
    loop {
        last |= world.stop.load(Ordering::SeqCst);
        for change in changes.try_iter() {
            match change {
                ToReader::New(nic, peer) => ends.push(End {
                    nic,
                    peer,
                    silent: false,
                }),
                ToReader::Silent(nic) => {
                    let end = ends.iter_mut().rfind(|it| it.nic == nic && !it.silent);
                    let end = end.expect("it was there");
                    drain(world, end, &mut seen, &mut cache, &mut rng);
                    end.silent = true;
                }
            }
        }
        let mut moved = 0;
        for end in &mut ends {
            moved += drain(world, end, &mut seen, &mut cache, &mut rng);
        }
        let mut burst = Burst::new();
        for receiver in &mut ingress {
            while receiver.recv(&mut burst) > 0 {
                moved += burst.len();
                for frame in burst.drain(..) {
                    seen.told.push(id_in(&problem(frame.data()).quoted));
                }
            }
        }
        cache.flush();
        quiet = if moved == 0 { quiet + 1 } else { 0 };
        if last && quiet > 2 {
            return seen;
        }
        if quiet > 0 {
            std::thread::yield_now();
        }
    }
}

/// The number in an IPv4 packet of ours.
fn id_in(packet: &[u8]) -> u64 {
    let id = packet.get(28..36).expect("all of it is quoted");
    u64::from_be_bytes(id.try_into().expect("eight bytes"))
}

fn drain(
    world: &World,
    end: &mut End,
    seen: &mut Seen,
    cache: &mut PoolCache,
    rng: &mut u64,
) -> usize {
    let mut frames = 0;
    let mut burst = Burst::new();
    while end.peer.recv(&mut burst) > 0 {
        let at = world.stamp();
        for frame in burst.drain(..) {
            frames += 1;
            if end.silent {
                seen.late
                    .push(format!("NIC {}: {:02x?}", end.nic, frame.data()));
            }
            let ethernet = parse_ethernet(frame.data()).expect("a frame");
            if let Ok(ArpMessage::Request(request)) = parse_arp_message(ethernet.payload) {
                if random(rng, 2) == 0 {
                    let request = *request;
                    answer(world, end, cache, &request);
                }
                continue;
            }
            let packet = parse_ipv4(ethernet.payload).expect("a packet");
            if packet.protocol() != IpProtocol::UDP {
                continue;
            }
            seen.frames += 1;
            seen.out.push(Out {
                nic: end.nic,
                mac: ethernet.header.destination,
                id: id_in(ethernet.payload),
                at,
            });
        }
    }
    frames
}

/// Answers an ARP request for one of the hops.
fn answer(world: &World, end: &mut End, cache: &mut PoolCache, request: &ArpPacket) {
    let Some(hop) = hop_of(request.target_ip()) else {
        return;
    };
    let mac = world.mac(end.nic, hop);
    let span = Span {
        began: world.stamp(),
        // Nobody can say until when it counts.
        ended: OPEN,
    };
    world.record.lock().unwrap().macs.insert(mac, span);
    let reply = ArpPacket::reply(
        (mac, request.target_ip()),
        (request.sender_mac, request.sender_ip()),
    );
    let Some(mut frame): Option<Frame> = cache.alloc() else {
        return;
    };
    let len = build_arp(frame.spare_mut(), request.sender_mac, &reply).expect("room");
    frame.set_len(len).expect("room");
    let mut burst = Burst::new();
    burst.push(frame);
    end.peer.send(0, &mut burst);
}

/// What was put in line to be sent, and what was sent or dropped: on the first NIC, and on the others
/// together.
fn ways_out(ingress: &Nic, first: &Nic, gone: &[Nic]) -> [(u64, u64); 2] {
    let totals = ingress.counters();
    let errors = totals.icmp_of(IcmpCounter::V4DestinationUnreachableSent);
    let (mut put, mut sent) = (totals.forwarded, 0);
    for nic in gone.iter().chain([first]) {
        put += nic.protocol_counter(ProtocolCounter::NeighborPacketsSent)
            + nic.protocol_counter(ProtocolCounter::ArpRequestsSent);
        sent += nic.counters().sent + nic.counters().send_dropped;
    }
    [(errors, totals.sent + totals.send_dropped), (put, sent)]
}

fn check(
    context: &str,
    world: &World,
    sent: &[(u8, u64)],
    seen: &Seen,
    local: &mpsc::Receiver<u64>,
    ingress: &Nic,
    egress: &[Nic],
) {
    assert!(
        seen.late.is_empty(),
        "{context}: left by a NIC that is gone: {:#?}",
        seen.late
    );
    let totals = ingress.counters();
    assert_eq!(totals.balance(), 0, "{context}: {totals:?}");
    assert_eq!(totals.received, sent.len() as u64, "{context}");
    // One fate each.
    let delivered: Vec<_> = local.try_iter().collect();
    let mut fates = vec![None; sent.len()];
    let out = seen.out.iter().map(|it| (it.id, "sent"));
    let told = seen.told.iter().map(|id| (*id, "told"));
    let taken = delivered.iter().map(|id| (*id, "delivered"));
    for (id, fate) in out.chain(told).chain(taken) {
        let before = fates[id as usize].replace(fate);
        assert_eq!(before, None, "{context}: packet {id} was {fate}");
    }
    let mut untold = 0;
    for (id, (k, _)) in sent.iter().enumerate() {
        match (*k, fates[id]) {
            // An error finds no room where a distributor lags behind.
            (ROUTELESS, None) => untold += 1,
            (ROUTELESS, fate) => assert_eq!(fate, Some("told"), "{context}: packet {id}"),
            (LOCAL, fate) => assert_ne!(fate, Some("sent"), "{context}: packet {id}"),
            (_, fate) => assert_ne!(fate, Some("delivered"), "{context}: packet {id}"),
        }
    }
    assert!(
        untold <= totals.send_dropped,
        "{context}: {untold} untold, {totals:?}"
    );
    // The counters know of each.
    assert_eq!(totals.delivered, delivered.len() as u64, "{context}");
    for (reason, count) in totals.drops() {
        let expected = [
            DropReason::NoRoute,
            DropReason::EgressDown,
            DropReason::NeighborFull,
            DropReason::NeighborUnreachable,
            DropReason::NotForwarded,
        ];
        assert!(
            count == 0 || expected.contains(&reason),
            "{context}: {}",
            reason.label()
        );
    }
    let sum = |counter| -> u64 { egress.iter().map(|it| it.protocol_counter(counter)).sum() };
    let after_waiting = sum(ProtocolCounter::NeighborPacketsSent);
    let waited = after_waiting
        + sum(ProtocolCounter::NeighborPacketsFailed)
        + sum(ProtocolCounter::NeighborPacketsDropped);
    assert!(
        waited <= totals.consumed,
        "{context}: {waited} of {} that waited",
        totals.consumed
    );
    // Of those on their way to wait for a NIC that was gone by then, nobody is left to count.
    let uncounted = totals.consumed - waited;
    let is_any_gone = egress.len() > 1;
    assert!(
        is_any_gone || uncounted <= sum(ProtocolCounter::Unsent),
        "{context}: {uncounted} waited and did not end"
    );
    for (put, sent) in ways_out(ingress, &egress[0], &egress[1..]) {
        assert_eq!(put, sent, "{context}: put in line, and sent or dropped");
    }
    let left = seen.out.len() as u64;
    let lost: u64 = egress.iter().map(|it| it.counters().send_dropped).sum();
    let put_in_line = totals.forwarded + after_waiting;
    assert!(
        left <= put_in_line,
        "{context}: {left} left of {put_in_line}"
    );
    // What was in line when its NIC went is counted there, with its questions.
    assert!(
        put_in_line - left <= lost,
        "{context}: {left} left of {put_in_line}, {lost} counted as dropped"
    );
    // Next hops that were valid when it counted.
    let record = world.record.lock().unwrap();
    for out in &seen.out {
        let (k, from) = sent[out.id as usize];
        let what = || format!("{context}: packet {} at {from}..{}", out.id, out.at);
        let [_, nic, hop, ..] = out.mac.octets();
        assert_eq!(nic, out.nic.0 as u8, "{}", what());
        let ways = record.ways.get(&(k, out.nic.0, hop));
        let ways = ways.unwrap_or_else(|| panic!("{}: by NIC {} to {hop}", what(), out.nic));
        assert!(
            Record::was(ways, from, out.at),
            "{}: by NIC {} to hop {hop}, {ways:?}",
            what(),
            out.nic
        );
        let mac = record.macs.get(&out.mac);
        let mac = mac.unwrap_or_else(|| panic!("{}: to {}", what(), out.mac));
        assert!(Record::was(&[*mac], from, out.at), "{}: {mac:?}", what());
    }
    println!(
        "{context}: {left} sent on, {after_waiting} of them waited, {} told, {} delivered, {} NICs, {lost} lost, {uncounted} uncounted",
        seen.told.len(),
        delivered.len(),
        egress.len() - 1,
    );
}
