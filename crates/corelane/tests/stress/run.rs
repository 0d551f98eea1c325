//! Runs the plan of a round on a NIC, with a thread for each part, and writes down what happened.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corelane::engine::{EnableNicError, Lifecycle};
use corelane::frame::{Burst, Pool, PoolConfig};
use corelane::stack::{
    AddAddressError, AddressConfig, Clock, DuplicateDetectedError, EndpointRef, Event, Events,
    Found, HoldError, Inbound, JoinGroupError, LeaveGroupError, LinkInfo, ManualClock, NdpConfig,
    Nic, NicConfig, NicDatapath, NicGone, NicId, NicParts, NicView, PacketBurst, PacketFlags,
    Prefix, RemoveAddressError, Route, RouteError, SendError, Stack, StackConfig, StackParts,
    Transaction, events,
};
use corelane::wire::ndp::{
    ALL_NODES, AdvertisementSpec, SolicitationSpec, build_neighbor_advertisement,
    build_neighbor_solicitation,
};
use corelane::wire::{IpProtocol, MacAddr};

use crate::check::{Call, History};
use crate::engine::Frames;
use crate::model::{Ret, Seen};
use crate::plan::{
    ADDRESSES, Destination, GROUPS, KEYS, Op, Pause, Plan, RANGES, SLOTS, Step, is_v6,
};

/// The NIC's link address, and another host's.
pub const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

/// The retransmit timer of the NICs here.
pub const TIMER: Duration = Duration::from_secs(1);

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn address(key: u8) -> IpAddr {
    ip(ADDRESSES[usize::from(key)])
}

fn group(number: u8) -> IpAddr {
    ip(GROUPS[usize::from(number)])
}

fn range(number: u8) -> Prefix {
    RANGES[usize::from(number)].parse().expect("a prefix")
}

/// A NIC without an engine, and all around it.
pub struct Bed {
    pub nic: Nic,
    pub events: Events,
    pub clock: ManualClock,
    pub pool: Pool,
    /// Of the engine that the NIC is in, if it is in one.
    pub lifecycle: Option<Lifecycle>,
}

/// What workers look up through.
pub enum Worker {
    /// A worker's own view.
    View(NicDatapath),
    /// Frames, to a worker of an engine.
    Frames(Box<Frames>),
}

pub fn pool() -> Pool {
    Pool::new(PoolConfig {
        slots: 1024,
        ..PoolConfig::default()
    })
    .expect("memory")
}

impl Bed {
    /// A NIC that is disabled.
    pub fn new(pool: &Pool, number: u16, probing: bool) -> Self {
        let (sender, events) = events(4096);
        let (clock, hand) = Clock::manual();
        let ndp = NdpConfig {
            transmits: u8::from(probing),
            retransmit_timer: TIMER,
            nonce: true,
        };
        let stack = Stack::new(StackParts {
            config: StackConfig::default(),
            workers: 1,
            clock,
            events: sender,
            pool: pool.clone(),
        })
        .expect("a stack");
        let nic = Nic::new(NicParts {
            id: NicId(number),
            config: NicConfig::new(format!("stress{number}")).seed(7).ndp(ndp),
            link: LinkInfo {
                mac: Some(MAC),
                mtu: 1500,
                is_loopback: false,
            },
            stack,
        });
        Self {
            nic,
            events,
            clock: hand,
            pool: pool.clone(),
            lifecycle: None,
        }
    }

    fn view(&self) -> Worker {
        Worker::View(self.nic.datapath())
    }
}

/// What a worker finds.
pub fn look_up(worker: &mut NicDatapath, destinations: &[IpAddr]) -> (bool, Vec<Found>) {
    look_up_slowly(worker, destinations, Pause::None)
}

/// The same, with a pause after the burst has begun.
fn look_up_slowly(
    worker: &mut NicDatapath,
    destinations: &[IpAddr],
    within: Pause,
) -> (bool, Vec<Found>) {
    let (view, _) = worker.load();
    pause(within);
    (view.is_enabled(), found_in(&view, destinations))
}

/// What a worker that has loaded this finds.
pub fn found_in(view: &NicView<'_>, destinations: &[IpAddr]) -> Vec<Found> {
    let mut packets = PacketBurst::default();
    for (place, destination) in destinations.iter().enumerate() {
        let packet = Inbound {
            frame: place as u8,
            ports: [0; 4],
            protocol: IpProtocol::UDP,
            flags: PacketFlags::default(),
            network: 14,
            transport: 34,
            end: 42,
        };
        packets.push((*destination).into(), packet);
    }
    view.lookup(&mut packets);
    let mut found = Vec::new();
    packets.retain(|_, it| {
        found.push(it);
        true
    });
    found
}

pub fn seen(found: Found) -> Seen {
    match found {
        Found::NOTHING => Seen::Nothing,
        Found::TEMPORARY => Seen::Temporary,
        Found::GROUP => Seen::Group,
        Found::BROADCAST => Seen::Broadcast,
        _ => Seen::Endpoint,
    }
}

/// Another host's probe, or its advertisement, as a frame.
pub fn message(target: IpAddr, is_probe: bool) -> Vec<u8> {
    let IpAddr::V6(target) = target else {
        panic!("neighbor discovery is about IPv6");
    };
    let mut buffer = [0; 128];
    let len = if is_probe {
        let spec = SolicitationSpec::probe(OTHER, target, None);
        build_neighbor_solicitation(&mut buffer, &spec)
    } else {
        let spec = AdvertisementSpec {
            source_mac: OTHER,
            source: target,
            destination: ALL_NODES,
            destination_mac: MacAddr::from_ipv6_multicast(ALL_NODES),
            target,
            router: false,
            solicited: false,
            override_: true,
            target_link: Some(OTHER),
        };
        build_neighbor_advertisement(&mut buffer, &spec)
    };
    buffer[..len.expect("room")].to_vec()
}

/// What a slot has.
#[derive(Debug)]
pub enum Held {
    Endpoint(EndpointRef),
    Route(Route),
}

impl Held {
    fn endpoint(&self) -> &EndpointRef {
        match self {
            Self::Endpoint(endpoint) => endpoint,
            Self::Route(route) => route.endpoint(),
        }
    }
}

/// One thread of a round.
struct Actor<'r> {
    bed: &'r Bed,
    worker: Option<Worker>,
    stamps: &'r AtomicU64,
    /// The number of its first slot.
    base: u8,
    slots: Vec<Option<Held>>,
    /// For the middle of the next call.
    within: Pause,
    calls: Vec<Call>,
}

fn unit<E>(result: Result<(), E>, refused: impl FnOnce(E) -> Ret) -> Ret {
    result.map_or_else(refused, |()| Ret::Ok)
}

/// What the calls of [`Nic`] do, with a pause between the change and its publish.
fn changed<E: From<NicGone>>(
    nic: &Nic,
    within: Pause,
    change: impl FnOnce(&mut Transaction<'_>) -> Result<(), E>,
) -> Result<(), E> {
    nic.transaction(|transaction| {
        let result = change(transaction);
        pause(within);
        result
    })?
}

fn gone(result: Result<(), NicGone>) -> Ret {
    unit(result, |NicGone(_)| Ret::Gone)
}

impl Actor<'_> {
    fn slot(&self, slot: u8) -> Option<&Held> {
        self.slots.get(usize::from(slot - self.base))?.as_ref()
    }

    fn slot_mut(&mut self, slot: u8) -> &mut Option<Held> {
        &mut self.slots[usize::from(slot - self.base)]
    }

    /// What can be done with the slots as they are.
    fn adapted(&self, op: &Op) -> Option<Op> {
        let is_full = |slot: u8| self.slot(slot).is_some();
        match *op {
            Op::Hold { slot, .. } | Op::Route { slot, .. } if is_full(slot) => Some(Op::Drop(slot)),
            Op::Clone { from, to } if !is_full(from) || is_full(to) => None,
            Op::Drop(slot) | Op::Kind(slot) if !is_full(slot) => None,
            Op::Same(one, other) if !is_full(one) || !is_full(other) => None,
            Op::Check(slot) => match self.slot(slot)? {
                Held::Endpoint(_) => Some(Op::Kind(slot)),
                Held::Route(_) => Some(op.clone()),
            },
            Op::Burst(ref destinations) if matches!(self.worker, Some(Worker::Frames(_))) => {
                destinations.first().copied().map(Op::Frame)
            }
            _ => Some(op.clone()),
        }
    }

    fn run(&mut self, op: &Op) -> Option<&Ret> {
        let op = self.adapted(op)?;
        let start = self.stamps.fetch_add(1, Ordering::SeqCst);
        let ret = match op {
            // Nobody knows what becomes of a frame under way when the NIC goes.
            Op::Frame(destination) => self.send(destination)?,
            _ => self.call(&op),
        };
        let end = self.stamps.fetch_add(1, Ordering::SeqCst);
        self.calls.push(Call {
            op,
            ret,
            start,
            end,
        });
        self.calls.last().map(|call| &call.ret)
    }

    fn call(&mut self, op: &Op) -> Ret {
        let nic = &self.bed.nic;
        let within = self.within;
        match *op {
            Op::Add {
                key,
                prefix,
                primary,
            } => {
                let prefix = Prefix::new(address(key), prefix).expect("a prefix");
                let config = AddressConfig::from(prefix).primary(primary);
                unit(
                    changed(nic, within, |tx| tx.add_address(config)),
                    |error| match error {
                        AddAddressError::NicGone(_) => Ret::Gone,
                        AddAddressError::DuplicateAddress(_) => Ret::Duplicate,
                        other => panic!("{other}"),
                    },
                )
            }
            Op::Remove(key) => unit(
                changed(nic, within, |tx| tx.remove_address(address(key))),
                |error| match error {
                    RemoveAddressError::NicGone(_) => Ret::Gone,
                    RemoveAddressError::BadLocalAddress(_) => Ret::Bad,
                },
            ),
            Op::Hold { key, slot } => match nic.hold(address(key)) {
                Ok(endpoint) => {
                    assert_eq!(endpoint.address(), address(key));
                    *self.slot_mut(slot) = Some(Held::Endpoint(endpoint));
                    Ret::Ok
                }
                Err(HoldError::NicGone(_)) => Ret::Gone,
                Err(HoldError::BadLocalAddress(_)) => Ret::Bad,
                Err(other) => panic!("{other}"),
            },
            Op::Route { local, v6, slot } => {
                let remote = ip(if v6 { "2001:db8::99" } else { "192.0.2.99" });
                match nic.route(local.map(address), remote) {
                    Ok(route) => {
                        let local = route.local();
                        *self.slot_mut(slot) = Some(Held::Route(route));
                        let key = (0..KEYS as u8).find(|key| address(*key) == local);
                        Ret::Local(key.expect("one of ours"))
                    }
                    Err(RouteError::NicGone(_)) => Ret::Gone,
                    Err(RouteError::NicDisabled) => Ret::Down,
                    Err(RouteError::NoRoute(_)) => Ret::NoRoute,
                    Err(RouteError::BadLocalAddress(_)) => Ret::Bad,
                    Err(other) => panic!("{other}"),
                }
            }
            Op::Clone { from, to } => {
                let clone = match self.slot(from) {
                    Some(Held::Endpoint(endpoint)) => Held::Endpoint(endpoint.clone()),
                    Some(Held::Route(route)) => Held::Route(route.clone()),
                    None => panic!("an empty slot"),
                };
                *self.slot_mut(to) = Some(clone);
                Ret::Ok
            }
            Op::Drop(slot) => {
                drop(self.slot_mut(slot).take());
                Ret::Ok
            }
            Op::Kind(slot) => Ret::Kind(self.slot(slot).expect("full").endpoint().kind()),
            Op::Same(one, other) => {
                let (one, other) = (self.slot(one), self.slot(other));
                let (one, other) = (one.expect("full"), other.expect("full"));
                Ret::Is(one.endpoint().is_same(other.endpoint()))
            }
            Op::Check(slot) => match self.slot(slot) {
                Some(Held::Route(route)) => unit(route.check(), |error| match error {
                    SendError::NicGone(_) => Ret::Gone,
                    SendError::NicDisabled => Ret::Down,
                    SendError::InvalidEndpointState(_) => Ret::Invalid,
                    other => panic!("{other}"),
                }),
                other => panic!("no route: {other:?}"),
            },
            Op::Join(number) => unit(
                changed(nic, within, |tx| tx.join_group(group(number))),
                |error| match error {
                    JoinGroupError::NicGone(_) => Ret::Gone,
                    other => panic!("{other}"),
                },
            ),
            Op::Leave(number) => unit(
                changed(nic, within, |tx| tx.leave_group(group(number))),
                |error| match error {
                    LeaveGroupError::NicGone(_) => Ret::Gone,
                    LeaveGroupError::NotJoined(_) => Ret::Bad,
                },
            ),
            Op::Promiscuous(on) => gone(nic.set_promiscuous(on)),
            Op::Spoofing(on) => gone(nic.set_spoofing(on)),
            Op::AddRange(number) => gone(nic.add_range(range(number))),
            Op::RemoveRange(number) => gone(nic.remove_range(range(number))),
            Op::Duplicate(key) => {
                let result = nic.duplicate_detected(address(key), Some(OTHER));
                unit(result, |error| match error {
                    DuplicateDetectedError::NicGone(_) => Ret::Gone,
                    DuplicateDetectedError::BadAddress(_) => Ret::Bad,
                    DuplicateDetectedError::InvalidEndpointState(_) => Ret::Invalid,
                })
            }
            Op::Probe(key) => self.hear(key, true),
            Op::Advertise(key) => self.hear(key, false),
            Op::Advance => {
                self.bed.clock.advance(TIMER);
                Ret::Is(nic.poll().is_none())
            }
            Op::Enable => match &self.bed.lifecycle {
                None => unit(nic.enable(), |_| Ret::Gone),
                Some(lifecycle) => unit(lifecycle.enable_nic(nic.id()), |error| {
                    assert!(matches!(error, EnableNicError::UnknownNic(_)), "{error}");
                    Ret::Gone
                }),
            },
            Op::Disable => match &self.bed.lifecycle {
                None => gone(nic.disable()),
                Some(lifecycle) => unit(lifecycle.disable_nic(nic.id()), |_| Ret::Gone),
            },
            Op::RemoveNic => match &self.bed.lifecycle {
                None => gone(nic.remove()),
                Some(lifecycle) => unit(lifecycle.remove_nic(nic.id()), |_| Ret::Gone),
            },
            Op::Addresses => {
                let mut list = Vec::new();
                for info in nic.addresses() {
                    let at = info.prefix.address();
                    let key = (0..KEYS as u8).find(|key| address(*key) == at);
                    list.push((key.expect("one of ours"), info.prefix.len(), info.primary));
                }
                list.sort_by_key(|(key, ..)| *key);
                Ret::Addresses(list)
            }
            Op::Groups => {
                let list = nic.groups();
                let counts = (0..GROUPS.len() as u8).map(|number| {
                    let info = list.iter().find(|info| info.group == group(number));
                    info.map_or((0, 0), |info| (info.joins, info.own))
                });
                Ret::Groups(counts.collect())
            }
            Op::Reclaim => {
                nic.reclaim();
                Ret::Ok
            }
            Op::Frame(_) => panic!("sent, not called"),
            Op::Burst(ref destinations) => {
                let texts = destinations.iter().map(|it: &Destination| ip(it.text()));
                let Some(Worker::View(worker)) = &mut self.worker else {
                    panic!("no worker");
                };
                let (enabled, found) = look_up_slowly(worker, &texts.collect::<Vec<_>>(), within);
                let found = found.into_iter().map(seen).collect();
                Ret::Burst { enabled, found }
            }
            Op::Events => {
                let mut counts = vec![[0; 4]; KEYS];
                let mut count = |address: IpAddr, which: usize| {
                    let key = ADDRESSES.iter().position(|text| ip(text) == address);
                    counts[key.expect("one of ours")][which] += 1;
                };
                while let Some(event) = self.bed.events.try_next() {
                    match event {
                        Event::EndpointClosed { address, .. } => count(address, 0),
                        Event::AddressAssigned { address, .. } => count(address, 1),
                        Event::DuplicateAddress { address, .. } => count(address, 2),
                        Event::DadAborted { address, .. } => count(address, 3),
                        _ => {}
                    }
                }
                assert_eq!(self.bed.events.lost(), 0);
                Ret::Events(counts)
            }
        }
    }

    fn send(&mut self, destination: Destination) -> Option<Ret> {
        match &mut self.worker {
            Some(Worker::Frames(frames)) => frames.send(&self.bed.nic, destination).map(Ret::Frame),
            _ => panic!("no engine"),
        }
    }

    fn hear(&self, key: u8, is_probe: bool) -> Ret {
        let mut frame = self.bed.pool.cache().alloc().expect("a free frame");
        frame
            .set_data(&message(address(key), is_probe))
            .expect("room");
        Ret::Verdict(self.bed.nic.control_input(&frame))
    }
}

fn pause(pause: Pause) {
    match pause {
        Pause::None => {}
        Pause::Spin(turns) => (0..turns).for_each(|_| std::hint::spin_loop()),
        Pause::Yield => std::thread::yield_now(),
    }
}

/// Runs a plan on a new NIC. All threads begin together, between what one thread does before and
/// what it does after; then everything is taken back, and nothing may be left.
pub fn run(pool: &Pool, plan: &Plan) -> History {
    let bed = Bed::new(pool, 1, plan.probing);
    let (history, _) = run_on(&bed, plan, |_| bed.view());
    let frames = (bed.nic.outbound(), bed.nic.looped());
    for queue in [frames.0, frames.1] {
        let mut burst = Burst::new();
        while queue.pop_burst(&mut burst) > 0 {
            burst.clear();
        }
    }
    assert!(bed.events.try_next().is_none(), "closed once, not twice");
    assert_eq!(pool.out(), 0, "no frame is missing");
    history
}

/// The same on a NIC that is there, with workers that `worker` makes by number, after the NIC was
/// enabled; gives them back.
pub fn run_on(
    bed: &Bed,
    plan: &Plan,
    mut worker: impl FnMut(usize) -> Worker,
) -> (History, Vec<Worker>) {
    let stamps = AtomicU64::new(0);
    let actor = |base: usize, slots: usize| Actor {
        bed,
        worker: None,
        stamps: &stamps,
        base: base as u8,
        slots: (0..slots).map(|_| None).collect(),
        within: Pause::None,
        calls: Vec::new(),
    };
    let mut main = actor(0, 0);
    for op in &plan.first {
        main.run(op);
    }
    let ready = AtomicUsize::new(0);
    let count = plan.threads.len();
    let work = |mut actor: Actor<'_>, steps: &[Step]| {
        ready.fetch_add(1, Ordering::SeqCst);
        while ready.load(Ordering::SeqCst) < count {
            std::thread::yield_now();
        }
        for step in steps {
            pause(step.before);
            actor.within = step.within;
            actor.run(&step.op);
        }
        let slots = std::mem::take(&mut actor.slots);
        if let Some(Worker::View(worker)) = &mut actor.worker {
            // Nothing is held up by one that has gone.
            worker.quiesce();
        }
        (slots, actor.calls, actor.worker)
    };
    let mut history = History::default();
    let mut slots = Vec::new();
    let mut workers = Vec::new();
    let mut made = 0;
    std::thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = plan
            .threads
            .iter()
            .enumerate()
            .map(|(number, steps)| {
                let mut actor = actor(number * SLOTS, SLOTS);
                if steps.iter().any(|step| matches!(step.op, Op::Burst(_))) {
                    actor.worker = Some(worker(made));
                    made += 1;
                }
                scope.spawn(move || work(actor, steps))
            })
            .collect();
        for handle in handles {
            let (held, calls, worker) = handle.join().expect("no thread panics");
            slots.extend(held);
            workers.extend(worker);
            history.threads.push(calls);
        }
    });
    main.slots = slots;
    finish(&mut main, plan);
    history.threads.push(main.calls);
    assert_eq!(bed.nic.reclaim(), 0, "all snapshots are free");
    assert_eq!(bed.nic.endpoint_count(), 0);
    assert_eq!(bed.nic.held_temporaries(), 0);
    assert!(bed.nic.endpoints().is_empty());
    assert_eq!(bed.nic.poll(), None, "no timer runs");
    assert!(bed.nic.ranges().is_empty());
    let groups: Vec<_> = bed.nic.groups().iter().map(|info| info.group).collect();
    assert!(!bed.nic.is_enabled() && groups.is_empty(), "{groups:?}");
    (history, workers)
}

/// Compares what is left, takes it all back, and compares what was told.
fn finish(main: &mut Actor<'_>, plan: &Plan) {
    let slots = main.slots.len() as u8;
    main.run(&Op::Addresses);
    main.run(&Op::Groups);
    for slot in 0..slots {
        main.run(&Op::Kind(slot));
        main.run(&Op::Check(slot));
        for other in 0..slot {
            main.run(&Op::Same(other, slot));
        }
    }
    main.run(&Op::Advance);
    main.run(&Op::Addresses);
    if plan.ends_with_nic {
        main.run(&Op::RemoveNic);
    }
    for slot in 0..slots {
        main.run(&Op::Drop(slot));
    }
    for key in 0..KEYS as u8 {
        main.run(&Op::Remove(key));
    }
    for number in 0..GROUPS.len() as u8 {
        while main.run(&Op::Leave(number)) == Some(&Ret::Ok) {}
    }
    for number in 0..RANGES.len() as u8 {
        main.run(&Op::RemoveRange(number));
    }
    main.run(&Op::Promiscuous(false));
    main.run(&Op::Spoofing(false));
    for key in 0..KEYS as u8 {
        // Nobody's any more, whatever came before.
        assert!(main.bed.nic.hold(address(key)).is_err());
        assert!(!main.bed.nic.is_local(address(key)));
        let tentative = main.bed.nic.is_tentative(address(key));
        assert!(is_v6(key) || tentative != Ok(true));
    }
    main.run(&Op::Disable);
    main.run(&Op::Groups);
    main.run(&Op::Reclaim);
    if main.bed.lifecycle.is_some() {
        let deadline = Instant::now() + Duration::from_secs(30);
        while main.bed.nic.reclaim() > 0 {
            assert!(
                Instant::now() < deadline,
                "a worker holds on to what is gone"
            );
            std::thread::yield_now();
        }
        if main.bed.nic.is_gone() {
            // What is left is gone with the NIC, and not told.
            return;
        }
    }
    main.run(&Op::Events);
}
