//! A neighbor as the control plane has it.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use corelane_wire::MacAddr;

use super::action::WaitToken;
use super::lines::NeighborView;
use super::room::{Place, Standing, Worth};
use crate::address::Key;
use crate::clock::Time;

/// The state of a neighbor (RFC 4861 section 7.3.2, RFC 7048).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NeighborState {
    /// A gateway nothing was sent to yet, and nothing is known of.
    Idle,
    /// Its link address is being looked for.
    Incomplete,
    /// It answered a short while ago.
    Reachable,
    /// Its answer is too old to count; its link address is used all the same.
    Stale,
    /// Used while stale: it is checked in a moment, unless an upper layer tells that it is there.
    Delay,
    /// It is being checked.
    Probe,
    /// It did not answer.
    Unreachable,
    /// Its link address was set by hand.
    Static,
}

impl NeighborState {
    /// The name, in lower case.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Incomplete => "incomplete",
            Self::Reachable => "reachable",
            Self::Stale => "stale",
            Self::Delay => "delay",
            Self::Probe => "probe",
            Self::Unreachable => "unreachable",
            Self::Static => "static",
        }
    }
}

impl fmt::Display for NeighborState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A state and what belongs to it. The link address goes with those that use one, and is kept with
/// an unreachable neighbor that had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Incomplete {
        /// Requests sent.
        sent: u32,
    },
    Reachable(MacAddr),
    Stale(MacAddr),
    Delay(MacAddr),
    Probe {
        mac: MacAddr,
        /// Requests sent.
        sent: u32,
    },
    Unreachable {
        mac: Option<MacAddr>,
        /// When that is forgotten.
        until: Time,
        /// When it may be asked for again.
        next_request: Time,
        /// The pause after that request.
        pause: Duration,
    },
    Static(MacAddr),
}

impl State {
    pub(super) fn name(self) -> NeighborState {
        match self {
            Self::Idle => NeighborState::Idle,
            Self::Incomplete { .. } => NeighborState::Incomplete,
            Self::Reachable(_) => NeighborState::Reachable,
            Self::Stale(_) => NeighborState::Stale,
            Self::Delay(_) => NeighborState::Delay,
            Self::Probe { .. } => NeighborState::Probe,
            Self::Unreachable { .. } => NeighborState::Unreachable,
            Self::Static(_) => NeighborState::Static,
        }
    }

    /// The link address known.
    pub(super) fn mac(self) -> Option<MacAddr> {
        match self {
            Self::Unreachable { mac, .. } => mac,
            _ => self.usable(),
        }
    }

    /// The link address to send to.
    pub(super) fn usable(self) -> Option<MacAddr> {
        match self {
            Self::Reachable(mac)
            | Self::Stale(mac)
            | Self::Delay(mac)
            | Self::Probe { mac, .. }
            | Self::Static(mac) => Some(mac),
            Self::Idle | Self::Incomplete { .. } | Self::Unreachable { .. } => None,
        }
    }
}

/// What the embedder was told of a neighbor last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Reachable,
    Unreachable,
}

/// A neighbor.
pub(super) struct Entry<P> {
    pub(super) key: Key,
    pub(super) state: State,
    /// When the state began.
    pub(super) since: Time,
    /// When its timer is due.
    pub(super) deadline: Option<Time>,
    pub(super) told: Told,
    pub(super) is_router: bool,
    /// Routes that have it as their gateway.
    pub(super) pins: usize,
    pub(super) place: Place,
    /// Packets that wait for the link address, and their numbers.
    pub(super) pending: VecDeque<(u64, P)>,
    pub(super) waiters: BTreeSet<WaitToken>,
}

impl<P> Entry<P> {
    /// Idle, and pinned by nobody yet.
    pub(super) fn new(key: Key, now: Time) -> Self {
        Self {
            key,
            state: State::Idle,
            since: now,
            deadline: None,
            told: Told::Nothing,
            is_router: false,
            pins: 0,
            place: Place::EXEMPT,
            pending: VecDeque::new(),
            waiters: BTreeSet::new(),
        }
    }

    /// What it counts as. It is proven from its first answer on, until it fails to give one.
    pub(super) fn standing(&self) -> Standing {
        if self.pins > 0 {
            return Standing::Exempt;
        }
        let proven = self.told == Told::Reachable;
        match self.state {
            // Idle ones are pinned, but for the moment in which they are made or removed.
            State::Static(_) | State::Idle => Standing::Exempt,
            State::Incomplete { .. } => Standing::Unproven(Worth::Wanted),
            State::Unreachable { .. } => Standing::Unproven(Worth::Failed),
            State::Stale(_) if proven => Standing::Stale,
            State::Stale(_) => Standing::Unproven(Worth::Heard),
            State::Reachable(_) => Standing::Fresh,
            State::Delay(_) | State::Probe { .. } if proven => Standing::Fresh,
            State::Delay(_) | State::Probe { .. } => Standing::Unproven(Worth::Wanted),
        }
    }

    /// What workers are to do with its packets.
    pub(super) fn view(&self, pending_per_neighbor: usize) -> NeighborView {
        match self.state {
            State::Incomplete { .. } if self.pending.len() >= pending_per_neighbor => {
                NeighborView::Full
            }
            State::Idle | State::Incomplete { .. } => NeighborView::Incomplete,
            State::Unreachable { .. } => NeighborView::Unreachable,
            State::Stale(mac) => NeighborView::Stale(mac),
            State::Reachable(mac)
            | State::Delay(mac)
            | State::Probe { mac, .. }
            | State::Static(mac) => NeighborView::Usable(mac),
        }
    }
}
