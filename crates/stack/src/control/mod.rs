//! The control plane of a NIC: changes, one at a time, and what they publish.
//!
//! One [`Control`] per NIC stands behind the NIC's lock. It edits its own version of the table,
//! publishes a snapshot at the end of a transaction, and later collects what no worker can see
//! any more. Workers take no part in any of it: they load a snapshot per burst and look.
//!
//! # Two that race for one address
//!
//! A worker (or a route) may hold an address that nobody owns, which makes a temporary endpoint
//! without asking the control plane, while the control plane adds the same address. Each side
//! first makes its own endpoint visible and then looks for the other's:
//!
//! ```text
//!   add_address                          hold
//!   1. publish the permanent endpoint    1. put the temporary one into `held`
//!   2. look into `held`; found: take     2. load the newest snapshot; permanent endpoint
//!      it out                               found: refer to that one instead
//! ```
//!
//! At least one of them finds the other, so that at most one endpoint is left under the key.
//! Whoever already holds the temporary one keeps it, unlinked.

mod list;
mod primary;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use corelane_sync::snapshot::{Handle, Publisher};

use crate::address::{Key, Prefix};
use crate::datapath::NicSnapshot;
use crate::endpoint::{EndpointRef, Endpoints, Life};
use crate::error::HoldError;
use crate::event::{Event, EventSender};
use crate::nic::{NicId, NicShared};
use crate::range::RangeSet;
use crate::table::Table;
use primary::PrimaryLists;

pub use list::AddressInfo;
pub use transaction::Transaction;

/// What stands behind a NIC's lock.
pub(crate) struct Control {
    nic: NicId,
    /// The next snapshot, as far as it is made.
    table: Table,
    ranges: Arc<RangeSet>,
    promiscuous: bool,
    spoofing: bool,
    /// The ranges as they were added, for the listing.
    range_list: Vec<Prefix>,
    primary: PrimaryLists,
    publisher: Publisher<NicSnapshot, Life>,
    /// Whether `table` and the rest differ from what is published.
    changed: bool,
    /// Unlinked since the last publish.
    unlinked: Vec<Life>,
    /// Given a permanent endpoint since the last publish.
    added: Vec<Key>,
    /// What a collection handed back; kept for its memory.
    collected: Vec<Life>,
    events: EventSender,
}

impl Control {
    pub(crate) fn new(nic: NicId, seed: u64, events: EventSender) -> Self {
        let table = Table::new(seed);
        let ranges = Arc::<RangeSet>::default();
        let first = NicSnapshot {
            table: table.clone(),
            ranges: Arc::clone(&ranges),
            promiscuous: false,
            spoofing: false,
        };
        Self {
            nic,
            table,
            ranges,
            promiscuous: false,
            spoofing: false,
            range_list: Vec::new(),
            primary: PrimaryLists::default(),
            publisher: Publisher::new(first),
            changed: false,
            unlinked: Vec::new(),
            added: Vec::new(),
            collected: Vec::new(),
            events,
        }
    }

    pub(crate) fn handle(&self) -> Handle<NicSnapshot> {
        self.publisher.handle()
    }

    /// Publishes the changes, if there are any, and collects what became free.
    fn publish(&mut self, endpoints: &Endpoints) {
        if self.changed {
            self.changed = false;
            let next = NicSnapshot {
                table: self.table.clone(),
                ranges: Arc::clone(&self.ranges),
                promiscuous: self.promiscuous,
                spoofing: self.spoofing,
            };
            self.publisher.publish(next, self.unlinked.drain(..));
            self.yield_to_permanent(endpoints);
        }
        self.collect(endpoints);
    }

    /// Step 2 of adding (see the module): temporary endpoints give way to what was added.
    fn yield_to_permanent(&mut self, endpoints: &Endpoints) {
        // Between the publish and the look; its counterpart is in `hold`.
        fence(Ordering::SeqCst);
        for key in self.added.drain(..) {
            if let Some(held) = endpoints.held(key) {
                endpoints.unhold(key, held);
            }
        }
        // A transaction of millions is rare: do not keep its memory.
        self.added.shrink_to(1024);
    }

    /// Takes an endpoint that died out of where it can be found, and has it closed once nobody
    /// looks at it any more.
    fn unlink(&mut self, endpoints: &Endpoints, index: u32) {
        if endpoints.at(index).unlink() {
            self.unlinked.push(endpoints.life(index));
            // Even if nothing else changed: the publish is what tells when all workers are past.
            self.changed = true;
        }
    }

    /// Unlinks what died elsewhere.
    fn bury(&mut self, endpoints: &Endpoints) {
        while let Some(life) = endpoints.next_death() {
            if !endpoints.is_current(life) {
                continue; // replaced, closed and used again before its word came
            }
            let key = endpoints.at(life.index).key();
            if self.table.find(endpoints, key) == Some(life.index) {
                self.table.remove(endpoints, key);
            }
            endpoints.unhold(key, life.index);
            self.unlink(endpoints, life.index);
        }
    }

    /// Closes what no worker can see any more.
    fn collect(&mut self, endpoints: &Endpoints) {
        self.publisher.collect(&mut self.collected);
        for life in self.collected.drain(..) {
            let address = endpoints.at(life.index).address();
            self.events.send(Event::EndpointClosed {
                nic: self.nic,
                address,
            });
            endpoints.reuse(life.index);
        }
    }

    /// Buries, publishes and collects; returns what still waits for a worker.
    pub(crate) fn reclaim(&mut self, endpoints: &Endpoints) -> usize {
        self.bury(endpoints);
        self.publish(endpoints);
        self.publisher.pending()
    }
}

/// Takes a reference to the endpoint under `key`; if there is none and `any` or a range says so,
/// to a temporary one.
pub(crate) fn hold(
    nic: &Arc<NicShared>,
    key: Key,
    any: impl Fn(&NicSnapshot) -> bool,
) -> Result<EndpointRef, HoldError> {
    let not_ours = || Err(HoldError::BadLocalAddress(key.address()));
    let endpoints = &nic.endpoints;
    let refer = |index| Ok(EndpointRef::from_counted(Arc::clone(nic), index));
    let before = nic.snapshots.load();
    let any = any(&before);
    if let Some(index) = before.find(endpoints, key) {
        let refs = &endpoints.at(index).refs;
        let state = refs.load();
        let expired = !state.is_dead() && !state.kind().is_permanent();
        if (state.is_assigned() || expired && any) && refs.try_acquire() {
            return refer(index);
        }
        if !refs.load().is_dead() {
            return not_ours();
        }
    }
    if !any && !before.ranges.contains(key) {
        // Held before, perhaps under a mode that is off now: it can be shared while it lives.
        return match endpoints.held(key) {
            Some(index) if endpoints.at(index).refs.try_acquire() => refer(index),
            _ => not_ours(),
        };
    }
    let temporary = endpoints
        .hold_temporary(key)
        .map_err(HoldError::OutOfMemory)?;
    // Between the insertion and the look: of the two sides' fences one is first, and the other
    // side then finds what was made visible before it.
    fence(Ordering::SeqCst);
    let after = nic.snapshots.load();
    match after.find(endpoints, key) {
        Some(index) if index != temporary && endpoints.at(index).refs.try_acquire() => {
            drop(EndpointRef::from_counted(Arc::clone(nic), temporary));
            refer(index)
        }
        _ => refer(temporary),
    }
}
