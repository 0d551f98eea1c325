//! The cache: looking for a link address, and how neighbors come and go.

use std::collections::BTreeSet;
use std::sync::Arc;

use corelane_sync::slab::SlabError;
use corelane_wire::MacAddr;

use super::action::{Dropped, NeighborAction, NeighborChange, NeighborEvent};
use super::action::{NeighborAnswer, Wait, WaitToken};
use super::config::NeighborConfig;
use super::entry::{Entry, State, Told};
use super::fixed::static_link_address;
use super::lines::{NeighborLines, NeighborView};
use super::pending::Pending;
use super::rate::Rate;
use super::room::{Admission, Place, Room, Standing, Worth};
use crate::address::Key;
use crate::clock::Time;
use crate::table::{Table, TableFull};

/// The neighbors of a NIC. `P` is a packet that waits for a link address.
///
/// No call costs more than O(log neighbors), but for those that concern all of them: flushing,
/// clearing, listing. Every packet handed over comes out once, as an action.
pub(crate) struct NeighborCache<P> {
    pub(super) config: NeighborConfig,
    pub(super) lines: Arc<NeighborLines>,
    table: Table,
    changed: bool,
    pub(super) entries: Vec<Option<Entry<P>>>,
    /// Slots whose life is over and that nobody can find any more.
    free: Vec<u32>,
    /// Slots that left the table since somebody asked.
    unlinked: Vec<u32>,
    /// Slots that left the table and are not given back yet.
    unreclaimed: usize,
    /// What is due when, for the entry at which index.
    pub(super) timers: BTreeSet<(Time, u32)>,
    pub(super) pending: Pending,
    pub(super) room: Room,
    rate: Rate,
    counts: NeighborCounts,
}

/// What happened to a NIC's neighbors for want of room, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeighborCounts {
    /// Resolutions not begun because too many were.
    pub limited: u64,
    /// Neighbors that made room for another.
    pub evicted: u64,
    /// Neighbors not remembered because all that might have made room is worth more.
    pub refused: u64,
}

/// What a call of the cache works with: the time, chance, and where it puts what is to be done.
pub(crate) struct Turn<'a, P> {
    pub(crate) now: Time,
    pub(crate) rng: &'a mut fastrand::Rng,
    pub(crate) actions: &'a mut Vec<NeighborAction<P>>,
}

impl<P> Turn<'_, P> {
    pub(super) fn push(&mut self, action: NeighborAction<P>) {
        self.actions.push(action);
    }

    pub(super) fn drop(&mut self, packet: P, why: Dropped) {
        self.push(NeighborAction::Dropped { packet, why });
    }
}

/// There is no memory for a neighbor, or no place in the table.
#[derive(Debug)]
pub(super) enum NoSlot {
    Memory(SlabError),
    Table(TableFull),
}

impl<P> NeighborCache<P> {
    /// A cache without neighbors; `seed` is that of its table's hash.
    pub(crate) fn new(config: NeighborConfig, seed: u64) -> Self {
        let config = config.normalized();
        let unproven = config.unproven_capacity();
        Self {
            config,
            lines: Arc::default(),
            table: Table::new(seed),
            changed: false,
            entries: Vec::new(),
            free: Vec::new(),
            unlinked: Vec::new(),
            unreclaimed: 0,
            timers: BTreeSet::new(),
            pending: Pending::default(),
            room: Room::new(unproven, config.capacity - unproven),
            rate: Rate::per_second(config.resolutions_per_second),
            counts: NeighborCounts::default(),
        }
    }

    /// The lines the table leads to.
    pub(crate) fn lines(&self) -> &Arc<NeighborLines> {
        &self.lines
    }

    /// The version of the table to publish.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Whether the table changed since it was asked for the last time.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The slots that left the table since it was asked for the last time. Each is to be given back
    /// by [`reuse`](Self::reuse) once a version without them is published and no reader has an
    /// older one.
    pub(crate) fn take_unlinked(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.unlinked)
    }

    /// Gives a slot back that nobody can find any more. Its life ends here, so that late word of it
    /// is not taken for word of the next.
    pub(crate) fn reuse(&mut self, index: u32) {
        self.lines.end(index);
        self.unreclaimed = self.unreclaimed.saturating_sub(1);
        self.free.push(index);
    }

    /// What happened for want of room so far.
    pub(crate) fn counts(&self) -> NeighborCounts {
        self.counts
    }

    /// Finds a link address for a packet: sends it there if it is known, keeps it while it is looked
    /// for. Without a packet, just sees to it that it is looked for.
    pub(crate) fn resolve(&mut self, key: Key, packet: Option<P>, turn: &mut Turn<'_, P>) {
        if let Some(mac) = static_link_address(key) {
            turn.actions
                .extend(packet.map(|packet| NeighborAction::Send { packet, mac }));
            return;
        }
        let index = match self.find_or_begin(key, Ask::ForPacket, turn) {
            Ok(index) => index,
            Err(why) => {
                turn.actions
                    .extend(packet.map(|packet| NeighborAction::Dropped { packet, why }));
                return;
            }
        };
        let Some(state) = self.entry(index).map(|entry| entry.state) else {
            return;
        };
        if let Some(packet) = packet {
            match state {
                State::Idle | State::Incomplete { .. } => self.queue(index, packet, turn),
                State::Unreachable { .. } => turn.push(NeighborAction::Failed {
                    packet,
                    address: key.address(),
                }),
                State::Reachable(mac)
                | State::Stale(mac)
                | State::Delay(mac)
                | State::Probe { mac, .. }
                | State::Static(mac) => turn.push(NeighborAction::Send { packet, mac }),
            }
        }
        self.touch(index, turn);
    }

    /// Asks for a link address on behalf of `token`, which comes back as
    /// [`NeighborAction::Waited`] if the answer is [`Wait::Waiting`]. All who ask share one
    /// resolution (BEHAVIOURS O3).
    pub(crate) fn wait(&mut self, key: Key, token: WaitToken, turn: &mut Turn<'_, P>) -> Wait {
        if let Some(mac) = static_link_address(key) {
            return Wait::Ready(mac);
        }
        let Ok(index) = self.find_or_begin(key, Ask::ForCaller, turn) else {
            return Wait::NoLinkAddress;
        };
        let Some(Some(entry)) = self.entries.get_mut(index as usize) else {
            return Wait::NoLinkAddress;
        };
        let state = entry.state;
        if let State::Incomplete { .. } = state {
            entry.waiters.insert(token);
            return Wait::Waiting;
        }
        self.touch(index, turn);
        state.usable().map_or(Wait::NoLinkAddress, Wait::Ready)
    }

    /// `token` waits no more for `key` and will not come back; false if it did not wait.
    pub(crate) fn cancel(&mut self, key: Key, token: WaitToken) -> bool {
        self.find(key)
            .and_then(|index| self.entries.get_mut(index as usize)?.as_mut())
            .is_some_and(|entry| entry.waiters.remove(&token))
    }

    /// A worker used the neighbor at `index`, which was stale or unreachable, in that life.
    pub(crate) fn used(&mut self, index: u32, life: u32, turn: &mut Turn<'_, P>) {
        if self.entry(index).is_some() && self.lines.at(index).life() == life {
            self.touch(index, turn);
        }
    }

    pub(super) fn find(&self, key: Key) -> Option<u32> {
        self.table.find(&*self.lines, key)
    }

    pub(super) fn entry(&self, index: u32) -> Option<&Entry<P>> {
        self.entries.get(index as usize)?.as_ref()
    }

    pub(super) fn entry_mut(&mut self, index: u32) -> Option<&mut Entry<P>> {
        self.entries.get_mut(index as usize)?.as_mut()
    }
}

/// For whom a link address is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Whoever sends may send many, to made-up addresses.
    ForPacket,
    ForCaller,
}

/// How neighbors come, change and go.
impl<P> NeighborCache<P> {
    /// The neighbor that has `key`; if there is none, or nothing was sent to it yet, its link address
    /// is looked for from now on.
    fn find_or_begin(
        &mut self,
        key: Key,
        ask: Ask,
        turn: &mut Turn<'_, P>,
    ) -> Result<u32, Dropped> {
        if !key.can_be_local() {
            return Err(Dropped::NotUnicast);
        }
        let index = match self.find(key) {
            Some(index) => index,
            None => {
                if ask == Ask::ForPacket && !self.rate.take(turn.now) {
                    self.counts.limited += 1;
                    return Err(Dropped::TooManyResolutions);
                }
                self.admit(key, Worth::Wanted, turn)
                    .ok_or(Dropped::NoRoom)?
            }
        };
        if self.entry(index).map(|entry| entry.state) == Some(State::Idle) {
            turn.push(NeighborAction::Request {
                target: key,
                to: None,
            });
            let deadline = turn.now + self.config.retransmit_timer;
            self.enter(index, State::Incomplete { sent: 1 }, Some(deadline), turn);
        }
        Ok(index)
    }

    /// A new neighbor for which room was found. It is idle, and to be given a state at once.
    pub(super) fn admit(&mut self, key: Key, worth: Worth, turn: &mut Turn<'_, P>) -> Option<u32> {
        // Slots that wait for readers are bounded too, whoever is slow to give them back.
        let is_crowded = self.unreclaimed >= self.config.capacity;
        if is_crowded || !self.make_room(Place::EXEMPT, Standing::Unproven(worth), turn) {
            self.counts.refused += 1;
            return None;
        }
        self.create(key, turn.now).ok()
    }

    /// A new neighbor, idle and exempt.
    pub(super) fn create(&mut self, key: Key, now: Time) -> Result<u32, NoSlot> {
        let (index, is_fresh) = match self.free.last() {
            Some(&index) => (index, false),
            None => {
                let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
                self.lines.reserve(index).map_err(NoSlot::Memory)?;
                (index, true)
            }
        };
        self.lines.begin(index, key);
        self.table
            .insert(&*self.lines, key, index)
            .map_err(NoSlot::Table)?;
        self.changed = true;
        let entry = Some(Entry::new(key, now));
        if is_fresh {
            self.entries.push(entry);
        } else {
            self.free.pop();
            self.entries[index as usize] = entry;
        }
        Ok(index)
    }

    /// Gives a neighbor a state, shows it to workers, sets its timer, and finds a place for it. If
    /// there is none, it is gone after this.
    pub(super) fn enter(
        &mut self,
        index: u32,
        state: State,
        deadline: Option<Time>,
        turn: &mut Turn<'_, P>,
    ) {
        let Some(Some(entry)) = self.entries.get_mut(index as usize) else {
            return;
        };
        let line = self.lines.at(index);
        if entry.state.name() != state.name() {
            entry.since = turn.now;
            // Before workers see the state that has them mark it.
            line.unmark_used();
        }
        entry.state = state;
        line.show(entry.view(self.config.pending_per_neighbor));
        if let Some(old) = std::mem::replace(&mut entry.deadline, deadline) {
            self.timers.remove(&(old, index));
        }
        self.timers
            .extend(deadline.map(|deadline| (deadline, index)));
        self.settle(index, turn);
    }

    /// Gives a neighbor a state with a link address, tells of it, and serves those who waited.
    pub(super) fn know(
        &mut self,
        index: u32,
        state: State,
        deadline: Option<Time>,
        turn: &mut Turn<'_, P>,
    ) {
        let (Some(mac), Some(entry)) = (state.usable(), self.entry_mut(index)) else {
            return;
        };
        let is_proof = matches!(state, State::Reachable(_) | State::Static(_));
        let change = if is_proof && entry.told != Told::Reachable {
            entry.told = Told::Reachable;
            Some(NeighborChange::Reachable)
        } else if entry.told == Told::Reachable && entry.state.mac() != Some(mac) {
            Some(NeighborChange::LinkAddress)
        } else {
            None
        };
        let address = entry.key.address();
        let waiters = std::mem::take(&mut entry.waiters);
        turn.actions.extend(change.map(|change| {
            NeighborAction::Event(NeighborEvent {
                address,
                mac: Some(mac),
                change,
            })
        }));
        for (_, packet) in self.take_pending(index) {
            turn.push(NeighborAction::Send { packet, mac });
        }
        for token in waiters {
            let outcome = NeighborAnswer::Resolved(mac);
            turn.push(NeighborAction::Waited { token, outcome });
        }
        self.enter(index, state, deadline, turn);
    }

    /// It answered: what it says counts for a while.
    pub(super) fn reached(&mut self, index: u32, mac: MacAddr, turn: &mut Turn<'_, P>) {
        let deadline = turn.now + self.config.reachable_time(turn.rng);
        self.know(index, State::Reachable(mac), Some(deadline), turn);
    }

    /// It has this link address, as far as is known.
    pub(super) fn heard(&mut self, index: u32, mac: MacAddr, turn: &mut Turn<'_, P>) {
        let deadline = turn.now + self.config.stale_lifetime;
        self.know(index, State::Stale(mac), Some(deadline), turn);
    }

    /// Something was sent to it, or was to be.
    pub(super) fn touch(&mut self, index: u32, turn: &mut Turn<'_, P>) {
        let Some((key, state)) = self.entry(index).map(|entry| (entry.key, entry.state)) else {
            return;
        };
        match state {
            State::Stale(mac) => {
                let deadline = turn.now + self.config.delay_first_probe;
                self.enter(index, State::Delay(mac), Some(deadline), turn);
            }
            State::Unreachable {
                mac,
                until,
                next_request,
                pause,
            } if next_request <= turn.now => {
                turn.push(NeighborAction::Request {
                    target: key,
                    to: None,
                });
                let next_request = turn.now + pause;
                let state = State::Unreachable {
                    mac,
                    until,
                    next_request,
                    pause: super::timers::longer(pause),
                };
                self.enter(index, state, Some(until.min(next_request)), turn);
            }
            _ => {}
        }
    }

    /// Finds the place for a neighbor that its state asks for, at the cost of another if need be; if
    /// there is none, forgets it.
    pub(super) fn settle(&mut self, index: u32, turn: &mut Turn<'_, P>) {
        let Some((place, standing)) = self.entry(index).map(|e| (e.place, e.standing())) else {
            return;
        };
        if !self.make_room(place, standing, turn) {
            self.counts.refused += 1;
            self.unlink(index, Dropped::NeighborGone, turn);
            return;
        }
        let place = self.room.place(index, place, standing);
        if let Some(entry) = self.entry_mut(index) {
            entry.place = place;
        }
    }

    /// Makes room for somebody who has `place` and wants `standing`; false if nobody can be evicted
    /// for it.
    fn make_room(&mut self, place: Place, standing: Standing, turn: &mut Turn<'_, P>) -> bool {
        loop {
            match self.room.admission(place, standing) {
                Admission::Free => return true,
                Admission::Refused => return false,
                // Word that it was used is on its way: it is stale no more.
                Admission::InsteadOf(index)
                    if standing.is_proven() && self.lines.at(index).is_used() =>
                {
                    self.touch(index, turn);
                }
                Admission::InsteadOf(index) => {
                    self.counts.evicted += 1;
                    self.unlink(index, Dropped::NeighborGone, turn);
                }
            }
        }
    }

    /// Forgets a neighbor: takes it out of the table, or makes it idle if it is pinned.
    pub(super) fn unlink(&mut self, index: u32, why: Dropped, turn: &mut Turn<'_, P>) {
        for (_, packet) in self.take_pending(index) {
            turn.drop(packet, why);
        }
        let Some(slot) = self.entries.get_mut(index as usize) else {
            return;
        };
        let Some(entry) = slot.take() else {
            return;
        };
        if entry.pins > 0 {
            *slot = Some(Entry {
                pins: entry.pins,
                ..Entry::new(entry.key, turn.now)
            });
        } else {
            self.table.remove(&*self.lines, entry.key);
            self.changed = true;
            self.unlinked.push(index);
            self.unreclaimed += 1;
        }
        // Whoever finds it by an old snapshot has it looked for again.
        self.lines.at(index).show(NeighborView::Incomplete);
        self.room.leave(index, entry.place);
        if let Some(deadline) = entry.deadline {
            self.timers.remove(&(deadline, index));
        }
        for token in entry.waiters {
            let outcome = NeighborAnswer::Gone;
            turn.push(NeighborAction::Waited { token, outcome });
        }
        // That the NIC went down is told once, for all of them.
        if entry.told != Told::Nothing && why != Dropped::NicDown {
            turn.push(NeighborAction::Event(NeighborEvent {
                address: entry.key.address(),
                mac: entry.state.mac(),
                change: NeighborChange::Removed,
            }));
        }
    }
}
