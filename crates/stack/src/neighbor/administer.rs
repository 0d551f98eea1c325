//! What is said by hand: gateways, static entries, removing; and what there is.

use std::net::IpAddr;

use corelane_sync::slab::SlabError;
use corelane_wire::MacAddr;
use thiserror::Error;

use super::action::Dropped;
use super::cache::{NeighborCache, NoSlot, Turn};
use super::entry::{NeighborState, State};
use crate::address::Key;
use crate::clock::Time;

/// Why an entry was not made.
#[derive(Debug, Error)]
pub enum NeighborError {
    /// A group, a broadcast or the unspecified address.
    #[error("{0} cannot be the address of a neighbor")]
    Address(IpAddr),
    /// All zeros.
    #[error("{0} is no link address to send to")]
    LinkAddress(MacAddr),
    /// There is no memory for it.
    #[error("no memory for another neighbor")]
    Memory(#[from] SlabError),
    /// The table has no place for it.
    #[error("the neighbor table is full")]
    Full,
}

impl From<NoSlot> for NeighborError {
    fn from(no_slot: NoSlot) -> Self {
        match no_slot {
            NoSlot::Memory(error) => Self::Memory(error),
            NoSlot::Table(_) => Self::Full,
        }
    }
}

/// A neighbor, as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborInfo {
    /// Its address.
    pub address: IpAddr,
    /// Its link address, if one is known.
    pub mac: Option<MacAddr>,
    /// Its state.
    pub state: NeighborState,
    /// When the state began.
    pub since: Time,
    /// It says that it is a router.
    pub is_router: bool,
    /// It is the gateway of a route, and never forgotten.
    pub pinned: bool,
    /// Packets that wait for its link address.
    pub pending: usize,
    /// Callers that wait for it.
    pub waiting: usize,
}

impl<P> NeighborCache<P> {
    /// Keeps the neighbor that has `key`, known or not, and its index for as long as it is pinned:
    /// for a route's gateway. To be undone as often as it was done. Nothing is sent for it before it
    /// is used.
    ///
    /// # Errors
    ///
    /// [`NeighborError`], but for [`LinkAddress`](NeighborError::LinkAddress).
    pub(crate) fn pin(&mut self, key: Key, turn: &mut Turn<'_, P>) -> Result<u32, NeighborError> {
        let index = self.find_or_create(key, turn.now)?;
        if let Some(entry) = self.entry_mut(index) {
            entry.pins += 1;
        }
        self.settle(index, turn);
        Ok(index)
    }

    /// Undoes a pin; false if there is none. The last one undone, the neighbor is one like others,
    /// and forgotten if there is no room for it.
    pub(crate) fn unpin(&mut self, index: u32, turn: &mut Turn<'_, P>) -> bool {
        let Some(entry) = self.entry_mut(index).filter(|entry| entry.pins > 0) else {
            return false;
        };
        entry.pins -= 1;
        if entry.pins == 0 && entry.state == State::Idle {
            self.unlink(index, Dropped::NeighborGone, turn);
        } else {
            self.settle(index, turn);
        }
        true
    }

    /// Sets a neighbor's link address for good: neither requests nor what is heard change it. A group
    /// address is taken, as clusters of hosts that share an IPv4 address need.
    ///
    /// # Errors
    ///
    /// [`NeighborError`]; then nothing has changed.
    pub(crate) fn add_static(
        &mut self,
        key: Key,
        mac: MacAddr,
        turn: &mut Turn<'_, P>,
    ) -> Result<(), NeighborError> {
        if mac == MacAddr::UNSPECIFIED {
            return Err(NeighborError::LinkAddress(mac));
        }
        let index = self.find_or_create(key, turn.now)?;
        self.know(index, State::Static(mac), None, turn);
        Ok(())
    }

    /// Forgets a neighbor, static or not; false if nothing is known of it. One that is pinned becomes
    /// idle.
    pub(crate) fn remove(&mut self, key: Key, turn: &mut Turn<'_, P>) -> bool {
        let index = self.find(key);
        let Some(index) = index.filter(|index| self.is_known(*index)) else {
            return false;
        };
        self.unlink(index, Dropped::NeighborGone, turn);
        true
    }

    /// Forgets all neighbors but static ones; pinned ones become idle.
    pub(crate) fn flush(&mut self, turn: &mut Turn<'_, P>) {
        self.forget_all(Dropped::NeighborGone, turn);
    }

    /// Forgets all neighbors but static ones because the NIC goes down; pinned ones become idle.
    pub(crate) fn clear(&mut self, turn: &mut Turn<'_, P>) {
        self.forget_all(Dropped::NicDown, turn);
    }

    /// All neighbors, in the order of their addresses.
    pub(crate) fn list(&self) -> Vec<NeighborInfo> {
        let mut list: Vec<_> = self
            .entries
            .iter()
            .flatten()
            .map(|entry| NeighborInfo {
                address: entry.key.address(),
                mac: entry.state.mac(),
                state: entry.state.name(),
                since: entry.since,
                is_router: entry.is_router,
                pinned: entry.pins > 0,
                pending: entry.pending.len(),
                waiting: entry.waiters.len(),
            })
            .collect();
        list.sort_unstable_by_key(|info| info.address);
        list
    }

    fn find_or_create(&mut self, key: Key, now: Time) -> Result<u32, NeighborError> {
        if !key.can_be_local() {
            return Err(NeighborError::Address(key.address()));
        }
        match self.find(key) {
            Some(index) => Ok(index),
            None => Ok(self.create(key, now)?),
        }
    }

    fn is_known(&self, index: u32) -> bool {
        self.entry(index)
            .is_some_and(|entry| entry.state != State::Idle)
    }

    fn forget_all(&mut self, why: Dropped, turn: &mut Turn<'_, P>) {
        for index in (0..).take(self.entries.len()) {
            let state = self.entry(index).map(|entry| entry.state);
            if !matches!(state, None | Some(State::Idle | State::Static(_))) {
                self.unlink(index, why, turn);
            }
        }
    }
}
