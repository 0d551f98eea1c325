//! What a NIC is, told sequentially: plain values, no atomics, no locks.
//!
//! An operation is a few steps, each of which happens at one instant between the operation's call
//! and its return. There is more than one where what users may see is more than one instant:
//!
//! * A change of addresses first changes what their endpoints *are* (at once for everybody), then
//!   *publishes* the rest: which endpoint is under an address, ranges, groups, broadcasts, modes,
//!   whether the NIC is enabled. No other change comes in between; lookups and holders may.
//! * A burst answers from what was published at one instant after it began, and from what the
//!   endpoints are when it looks at them. So do solicited-node groups: whether the NIC is in one
//!   follows its addresses at once.
//! * Taking a reference reads what is published, counts, and looks at what it has counted. Of an
//!   address that is being added it may count the endpoint before workers find it.
//! * Removing the NIC, or disabling it, changes one address after the other.
//!
//! Two operations that do not overlap are never exchanged, so that all that this allows is over
//! when the calls have returned: what starts later sees all of it.

use corelane::stack::{AddressKind, PrimaryEndpointBehavior, Verdict};

use crate::plan::{GROUPS, KEYS, RANGES, group_of, is_v6};

/// No life.
pub const NONE: u8 = u8::MAX;

/// What an operation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ret {
    Ok,
    Gone,
    /// The address is there.
    Duplicate,
    /// The address, the group, is not there.
    Bad,
    /// It is not tentative; it cannot be sent from now.
    Invalid,
    /// The NIC is disabled.
    Down,
    NoRoute,
    /// A route from this address.
    Local(u8),
    Kind(AddressKind),
    Is(bool),
    Verdict(Verdict),
    /// Those in use: key, prefix length, primary behaviour; sorted.
    Addresses(Vec<(u8, u8, PrimaryEndpointBehavior)>),
    /// Of each group: the users' joins, and the NIC's own.
    Groups(Vec<(u32, u32)>),
    Burst {
        enabled: bool,
        found: Vec<Seen>,
    },
    /// What the handler got; None if it got nothing.
    Frame(Option<Seen>),
    /// For each address: how often closed, assigned, a duplicate, aborted.
    Events(Vec<[u32; 4]>),
}

/// What a destination was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seen {
    Nothing,
    Temporary,
    Group,
    Broadcast,
    Endpoint,
}

/// One life of an endpoint.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Life {
    pub key: u8,
    pub kind: AddressKind,
    /// Without the table's own.
    pub holders: u8,
    pub prefix: u8,
    pub primary: Primary,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primary {
    Can,
    First,
    Never,
}

impl Primary {
    pub fn of(behaviour: PrimaryEndpointBehavior) -> Self {
        match behaviour {
            PrimaryEndpointBehavior::CanBePrimary => Self::Can,
            PrimaryEndpointBehavior::FirstPrimary => Self::First,
            PrimaryEndpointBehavior::NeverPrimary => Self::Never,
        }
    }

    pub fn behaviour(self) -> PrimaryEndpointBehavior {
        match self {
            Self::Can => PrimaryEndpointBehavior::CanBePrimary,
            Self::First => PrimaryEndpointBehavior::FirstPrimary,
            Self::Never => PrimaryEndpointBehavior::NeverPrimary,
        }
    }
}

impl Life {
    pub fn is_alive(&self) -> bool {
        self.kind.is_permanent() || self.holders > 0
    }

    pub fn is_configured(&self) -> bool {
        self.kind.is_permanent()
    }

    pub fn is_assigned(&self) -> bool {
        self.kind == AddressKind::Permanent
    }

    pub fn is_tentative(&self) -> bool {
        self.kind == AddressKind::PermanentTentative
    }
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    pub table: [u8; KEYS],
    pub ranges: [bool; RANGES.len()],
    pub groups: [bool; GROUPS.len()],
    pub broadcast: bool,
    pub promiscuous: bool,
    pub spoofing: bool,
    pub enabled: bool,
}

/// Detection that is under way for an address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Dad {
    /// When it began, in timers.
    pub since: u8,
    /// The operation that began it, and that sends the probe before it returns.
    pub by: u16,
    /// When the probe was sent at the latest, once that operation is over.
    pub sent: Option<u8>,
}

/// A NIC.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Model {
    pub probing: bool,
    pub lives: Vec<Life>,
    /// The endpoint under an address; it may be dead.
    pub table: [u8; KEYS],
    /// The temporary one that somebody holds; it may be dead.
    pub held: [u8; KEYS],
    /// The IPv4 addresses in primary order.
    pub order: Vec<u8>,
    pub ranges: [bool; RANGES.len()],
    pub joins: [u8; GROUPS.len()],
    pub promiscuous: bool,
    pub spoofing: bool,
    pub enabled: bool,
    /// Removed, as the next change will find; and as everybody does.
    pub removed: bool,
    pub gone: bool,
    pub published: View,
    /// Whether a change is under way.
    pub changing: bool,
    /// In retransmit timers.
    pub clock: u8,
    pub dads: [Option<Dad>; KEYS],
    pub assigned: [u8; KEYS],
    pub duplicates: [u8; KEYS],
    pub aborted: [u8; KEYS],
    /// What the threads hold.
    pub slots: Vec<u8>,
}

/// How far an operation has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Start,
    /// A change is made and not published.
    Publish {
        added: u8,
    },
    /// Published; the temporary endpoint under `added` is not taken out yet.
    Yield {
        added: u8,
    },
    /// Over, but for the probes that it sends.
    Probes,
    /// Time has passed, and the timers run.
    Polling,
    /// The NIC goes down: these addresses become tentative, in any order.
    Unsettle {
        left: u8,
        remove: bool,
    },
    /// It is removed: these addresses go, in any order.
    TakeOut {
        left: u8,
    },
    /// It is removed, and not everybody knows.
    Gone,
    /// Holding: what was published was read.
    Read {
        life: u8,
        any: bool,
        range: bool,
    },
    /// The one that somebody holds was found, and not counted.
    FoundHeld {
        life: u8,
        any: bool,
    },
    /// A temporary one is counted; whether there is a better one by now is not known.
    Temporary {
        life: u8,
        any: bool,
    },
    /// Counted, not looked at.
    Counted {
        life: u8,
        any: bool,
        spare: u8,
    },
    /// To be given back, before the operation succeeds with `life`.
    Spare {
        life: u8,
        spare: u8,
    },
    /// To be given back, before the operation is refused.
    Refused {
        life: u8,
        spare: u8,
    },
    /// Routing: the local address is held.
    Local {
        life: u8,
    },
    /// Routing: the NIC is there.
    Route,
    /// Routing: and it is enabled.
    RouteUp,
    /// Checking a route: its address was removed.
    Expired,
    /// A message about an address: the NIC is up.
    Up,
    /// The address is tentative.
    Tentative,
    /// A burst with the destinations that are left, and what was found held for one of them.
    Burst {
        view: View,
        left: u8,
        looked: Option<(u8, u8)>,
    },
}

/// What may be next: the NIC, and how far the operation is then; None if it is over.
pub type Next = (Model, Option<Phase>);

impl Model {
    /// A new NIC, disabled, and threads with so many slots.
    pub fn new(probing: bool, slots: usize) -> Self {
        let published = View {
            table: [NONE; KEYS],
            ranges: [false; RANGES.len()],
            groups: [false; GROUPS.len()],
            broadcast: false,
            promiscuous: false,
            spoofing: false,
            enabled: false,
        };
        Self {
            probing,
            lives: Vec::new(),
            table: [NONE; KEYS],
            held: [NONE; KEYS],
            order: Vec::new(),
            ranges: [false; RANGES.len()],
            joins: [0; GROUPS.len()],
            promiscuous: false,
            spoofing: false,
            enabled: false,
            removed: false,
            gone: false,
            published,
            changing: false,
            clock: 0,
            dads: [const { None }; KEYS],
            assigned: [0; KEYS],
            duplicates: [0; KEYS],
            aborted: [0; KEYS],
            slots: vec![NONE; slots],
        }
    }

    pub fn life(&self, index: u8) -> Option<&Life> {
        self.lives.get(usize::from(index))
    }

    pub fn living(&self, index: u8) -> Option<&Life> {
        self.life(index).filter(|life| life.is_alive())
    }

    pub fn kind(&self, index: u8) -> Option<AddressKind> {
        self.living(index).map(|life| life.kind)
    }

    pub fn at(&mut self, index: u8) -> &mut Life {
        &mut self.lives[usize::from(index)]
    }

    /// The endpoint of an address that the NIC has, tentative or not.
    pub fn configured(&self, key: u8) -> Option<u8> {
        let index = self.table[usize::from(key)];
        self.life(index)
            .is_some_and(Life::is_configured)
            .then_some(index)
    }

    pub fn begin(&mut self, key: u8, kind: AddressKind, holders: u8) -> u8 {
        let prefix = if is_v6(key) { 128 } else { 32 };
        self.lives.push(Life {
            key,
            kind,
            holders,
            prefix,
            primary: Primary::Never,
        });
        (self.lives.len() - 1) as u8
    }

    pub fn release(&mut self, index: u8) {
        if index != NONE {
            self.at(index).holders -= 1;
        }
    }

    /// How many addresses of the NIC need a solicited-node group.
    pub fn own_joins(&self, group: usize) -> u32 {
        let keys = (0..KEYS as u8).filter(|key| group_of(*key) == Some(group));
        keys.filter(|key| self.configured(*key).is_some()).count() as u32
    }

    /// Whether the NIC is in a solicited-node group, by what its addresses are now; None for other
    /// groups.
    pub fn own_group(&self, group: u8) -> Option<bool> {
        let group = usize::from(group);
        let of_addresses = (0..KEYS as u8).any(|key| group_of(key) == Some(group));
        of_addresses.then(|| self.joins[group] > 0 || self.own_joins(group) > 0)
    }

    pub fn view(&self) -> View {
        let mut groups = [false; GROUPS.len()];
        for (group, is_in) in groups.iter_mut().enumerate() {
            *is_in = self.joins[group] > 0 || self.own_joins(group) > 0;
        }
        let broadcast = (0..KEYS as u8).any(|key| {
            let life = self.configured(key).and_then(|index| self.life(index));
            !is_v6(key) && life.is_some_and(|life| life.prefix == 24)
        });
        View {
            table: self.table,
            ranges: self.ranges,
            groups,
            broadcast,
            promiscuous: self.promiscuous,
            spoofing: self.spoofing,
            enabled: self.enabled,
        }
    }

    pub fn publish(&mut self) {
        self.published = self.view();
    }

    /// Takes an address from the NIC; it is configured.
    pub fn take_out(&mut self, key: u8) {
        let index = self.table[usize::from(key)];
        self.at(index).kind = AddressKind::PermanentExpired;
        if self.living(index).is_none() {
            self.table[usize::from(key)] = NONE;
        }
        self.order.retain(|other| *other != key);
    }

    pub fn has_nothing_due(&self) -> bool {
        let due = |dad: &Dad| dad.sent.is_some_and(|sent| self.clock > sent);
        !self.dads.iter().flatten().any(due)
    }

    /// What may happen at any time: a tentative address whose timer is over is assigned.
    pub fn timers(&self) -> Vec<Self> {
        let mut next = Vec::new();
        if self.changing {
            return next;
        }
        for key in 0..KEYS {
            if self.dads[key]
                .as_ref()
                .is_some_and(|dad| self.clock > dad.since)
            {
                let mut model = self.clone();
                model.dads[key] = None;
                let index = model.table[key];
                model.at(index).kind = AddressKind::Permanent;
                model.assigned[key] += 1;
                next.push(model);
            }
        }
        next
    }

    pub fn probe(&mut self, key: u8, by: u16) {
        self.dads[usize::from(key)] = Some(Dad {
            since: self.clock,
            by,
            sent: None,
        });
    }

    /// Somebody else has a tentative address.
    pub fn give_up(&mut self, key: u8) {
        self.dads[usize::from(key)] = None;
        self.duplicates[usize::from(key)] += 1;
        self.take_out(key);
    }
}
