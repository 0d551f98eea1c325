//! What the threads of a round do: a function of the round's seed.

use corelane::stack::PrimaryEndpointBehavior;

/// The addresses of a round: few, so that threads meet at them. Two of them share their
/// solicited-node group.
pub const ADDRESSES: [&str; 5] = [
    "192.0.2.1",
    "192.0.2.2",
    "2001:db8::1:1",
    "2001:db8:0:1::1:1",
    "2001:db8::2",
];

/// The number of addresses.
pub const KEYS: usize = ADDRESSES.len();

/// The groups: one that only users join, and the solicited-node groups of the addresses.
pub const GROUPS: [&str; 3] = ["239.1.2.3", "ff02::1:ff01:1", "ff02::1:ff00:2"];

/// The ranges.
pub const RANGES: [&str; 2] = ["192.0.2.0/24", "2001:db8::/64"];

/// The broadcast of the IPv4 addresses' subnet, where they are added with a prefix of 24.
pub const BROADCAST: &str = "192.0.2.255";

/// Never added or held; in the first range.
pub const STRANGER: &str = "192.0.2.77";

/// The slots for references that each thread has.
pub const SLOTS: usize = 2;

pub fn is_v6(key: u8) -> bool {
    key >= 2
}

/// The range that an address is in.
pub fn range_of(key: u8) -> Option<usize> {
    match key {
        0 | 1 => Some(0),
        2 | 4 => Some(1),
        _ => None,
    }
}

/// The solicited-node group of an address.
pub fn group_of(key: u8) -> Option<usize> {
    match key {
        2 | 3 => Some(1),
        4 => Some(2),
        _ => None,
    }
}

/// splitmix64: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn flip(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A destination of a worker's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    Address(u8),
    Group(u8),
    Broadcast,
    Stranger,
}

impl Destination {
    pub fn text(self) -> &'static str {
        match self {
            Self::Address(key) => ADDRESSES[usize::from(key)],
            Self::Group(group) => GROUPS[usize::from(group)],
            Self::Broadcast => BROADCAST,
            Self::Stranger => STRANGER,
        }
    }
}

/// An operation. Keys, groups, ranges and slots are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Add {
        key: u8,
        prefix: u8,
        primary: PrimaryEndpointBehavior,
    },
    Remove(u8),
    Hold {
        key: u8,
        slot: u8,
    },
    /// From an address, or from whichever is the best of the family.
    Route {
        local: Option<u8>,
        v6: bool,
        slot: u8,
    },
    Clone {
        from: u8,
        to: u8,
    },
    Drop(u8),
    Kind(u8),
    Same(u8, u8),
    Check(u8),
    Join(u8),
    Leave(u8),
    Promiscuous(bool),
    Spoofing(bool),
    AddRange(u8),
    RemoveRange(u8),
    /// The embedder says that somebody else has the address.
    Duplicate(u8),
    /// Another host's probe for the address.
    Probe(u8),
    /// Another host's advertisement of it.
    Advertise(u8),
    /// A retransmit timer's time passes, and the timers are run. One thread of a round does this.
    Advance,
    Enable,
    Disable,
    RemoveNic,
    Addresses,
    Groups,
    Reclaim,
    /// A worker's burst.
    Burst(Vec<Destination>),
    /// A frame through an engine.
    Frame(Destination),
    /// Everything is over: what was told as events.
    Events,
}

/// What a kind of round is made of.
pub struct Mix {
    pub name: &'static str,
    pub keys: &'static [u8],
    pub groups: &'static [u8],
    /// Operations are drawn from these.
    pub verbs: &'static [Verb],
    /// Threads with operations, threads with bursts, and whether one lets time pass.
    pub shapes: &'static [(usize, usize, bool)],
    pub operations: usize,
    /// Whether addresses are probed: sometimes, always or never.
    pub probing: &'static [bool],
}

/// The operations by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Add,
    Remove,
    Hold,
    Route,
    RouteFrom,
    Clone,
    Drop,
    Kind,
    Same,
    Check,
    Join,
    Leave,
    Promiscuous,
    Spoofing,
    AddRange,
    RemoveRange,
    Duplicate,
    Probe,
    Advertise,
    Enable,
    Disable,
    RemoveNic,
    Addresses,
    Groups,
    Reclaim,
}

pub const PRIMARIES: [PrimaryEndpointBehavior; 3] = [
    PrimaryEndpointBehavior::CanBePrimary,
    PrimaryEndpointBehavior::FirstPrimary,
    PrimaryEndpointBehavior::NeverPrimary,
];

/// The plan of a round.
#[derive(Debug)]
pub struct Plan {
    pub probing: bool,
    /// By the one thread that begins and ends the round.
    pub first: Vec<Op>,
    /// By one thread each: with slots if they are its own.
    pub threads: Vec<Vec<Step>>,
    /// Whether the NIC is removed at the end, or its addresses one by one.
    pub ends_with_nic: bool,
}

/// An operation, and how long its thread dawdles before it and in the middle of it: between a change
/// and its publish, between a burst's beginning and its lookups.
#[derive(Debug)]
pub struct Step {
    pub before: Pause,
    pub within: Pause,
    pub op: Op,
}

#[derive(Clone, Copy, Debug)]
pub enum Pause {
    None,
    Spin(u32),
    Yield,
}

impl Mix {
    pub fn plan(&self, seed: u64) -> Plan {
        let mut random = Random::new(seed);
        let random = &mut random;
        let (callers, workers, clock) = random.pick(self.shapes);
        let mut first = vec![Op::Enable];
        for _ in 0..random.below(4) {
            let verb = random.pick(self.verbs);
            let op = self.op(verb, random, 0);
            // The thread that begins has no slots.
            let is_simple = matches!(
                op,
                Op::Add { .. }
                    | Op::Join(_)
                    | Op::Spoofing(_)
                    | Op::Promiscuous(_)
                    | Op::AddRange(_)
            );
            if is_simple {
                first.push(op);
            }
        }
        let mut threads = Vec::new();
        for number in 0..callers {
            let ops = (0..self.operations).map(|_| {
                let verb = random.pick(self.verbs);
                self.op(verb, random, (number * SLOTS) as u8)
            });
            threads.push(ops.collect::<Vec<_>>());
        }
        if clock {
            threads.push(vec![Op::Advance; self.operations / 2]);
        }
        for _ in 0..workers {
            let bursts = (0..self.operations).map(|_| Op::Burst(self.destinations(random)));
            threads.push(bursts.collect());
        }
        let threads = threads
            .into_iter()
            .map(|ops| {
                let with_pause = |op| Step {
                    before: pause(random),
                    within: pause(random),
                    op,
                };
                ops.into_iter().map(with_pause).collect()
            })
            .collect();
        Plan {
            probing: random.pick(self.probing),
            first,
            threads,
            ends_with_nic: random.flip(),
        }
    }

    fn destinations(&self, random: &mut Random) -> Vec<Destination> {
        (0..2)
            .map(|_| match random.below(8) {
                0 if !self.groups.is_empty() => Destination::Group(random.pick(self.groups)),
                1 => Destination::Broadcast,
                2 => Destination::Stranger,
                _ => Destination::Address(random.pick(self.keys)),
            })
            .collect()
    }

    fn op(&self, verb: Verb, random: &mut Random, slots: u8) -> Op {
        let key = random.pick(self.keys);
        let slot = slots + random.below(SLOTS) as u8;
        let group = || -> u8 { self.groups.first().copied().unwrap_or(0) };
        let some_group = |random: &mut Random| match self.groups {
            [] => group(),
            groups => random.pick(groups),
        };
        match verb {
            Verb::Add => Op::Add {
                key,
                prefix: match (is_v6(key), random.flip()) {
                    (true, true) => 64,
                    (true, false) => 128,
                    (false, true) => 24,
                    (false, false) => 32,
                },
                primary: random.pick(&PRIMARIES),
            },
            Verb::Remove => Op::Remove(key),
            Verb::Hold => Op::Hold { key, slot },
            Verb::Route => Op::Route {
                local: None,
                v6: is_v6(key),
                slot,
            },
            Verb::RouteFrom => Op::Route {
                local: Some(key),
                v6: is_v6(key),
                slot,
            },
            Verb::Clone => Op::Clone {
                from: slot,
                to: slots + (slot - slots + 1) % SLOTS as u8,
            },
            Verb::Drop => Op::Drop(slot),
            Verb::Kind => Op::Kind(slot),
            Verb::Same => Op::Same(slots, slots + 1),
            Verb::Check => Op::Check(slot),
            Verb::Join => Op::Join(some_group(random)),
            Verb::Leave => Op::Leave(some_group(random)),
            Verb::Promiscuous => Op::Promiscuous(random.flip()),
            Verb::Spoofing => Op::Spoofing(random.flip()),
            Verb::AddRange => Op::AddRange(random.below(RANGES.len()) as u8),
            Verb::RemoveRange => Op::RemoveRange(random.below(RANGES.len()) as u8),
            Verb::Duplicate => Op::Duplicate(key),
            Verb::Probe => Op::Probe(v6_of(key)),
            Verb::Advertise => Op::Advertise(v6_of(key)),
            Verb::Enable => Op::Enable,
            Verb::Disable => Op::Disable,
            Verb::RemoveNic => Op::RemoveNic,
            Verb::Addresses => Op::Addresses,
            Verb::Groups => Op::Groups,
            Verb::Reclaim => Op::Reclaim,
        }
    }
}

/// Neighbor discovery is about IPv6 addresses.
fn v6_of(key: u8) -> u8 {
    if is_v6(key) { key } else { 2 }
}

fn pause(random: &mut Random) -> Pause {
    match random.below(8) {
        0 | 7 => Pause::Yield,
        1..3 => Pause::Spin(random.below(400) as u32),
        _ => Pause::None,
    }
}
