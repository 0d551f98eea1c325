//! The control plane of a NIC: changes, one at a time, and what they publish.
//!
//! One [`Control`] per NIC stands behind the NIC's lock. It edits its own version of the table,
//! publishes a snapshot at the end of a transaction, and later collects what no worker can see
//! any more. Workers take no part in any of it: they load a snapshot per burst and look.
//!
//! # Two that race for one address
//!
//! A worker (or a route) may hold an address that nobody owns, which makes a temporary endpoint
//! without asking the control plane, while the control plane adds the same address. Both ask for an
//! endpoint in `held`, one after the other; the second gets the first's:
//!
//! ```text
//!   add_address                          hold
//!   1. `held`: a temporary one becomes   1. `held`: a temporary one or a claim is shared;
//!      permanent; none: claim               none: put a temporary one in
//!   2. publish                           2. load the newest snapshot; another endpoint found:
//!   3. take the claim, and what is in       refer to that one instead
//!      `held`, out
//! ```
//!
//! The second step of `hold` is for one that decided to make a temporary endpoint by a snapshot
//! from before the address, and came to do so when the claim was gone: then the address is
//! published. So whoever is given an endpoint is given the one that the address has.

mod announce;
mod dad;
mod input;
mod life;
mod list;
mod message;
mod primary;
mod source;
#[cfg(test)]
mod tests;
mod timers;
mod transaction;

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use corelane_sync::refs::AddressKind;
use corelane_sync::snapshot::{Handle, Publisher};

use crate::address::{Key, Prefix};
use crate::broadcast::BroadcastSet;
use crate::clock::Time;
use crate::datapath::{ErrorSources, NicSnapshot};
use crate::endpoint::{EndpointRef, Endpoints, Life};
use crate::error::{HoldError, NicGone};
use crate::event::{Event, EventSender};
use crate::group::{GroupMessage, Groups};
use crate::nic::{GroupInfo, NicShared, Settings};
use crate::packet_endpoint::Taps;
use crate::protocol_counters::ProtocolCounters;
use crate::range::RangeSet;
use crate::source::SourceIndex;
use crate::source_filter::SourceFilterEditor;
use crate::table::Table;
use announce::Announcements;
use dad::Dads;
use primary::PrimaryLists;

pub use input::Verdict;
pub(crate) use input::control_input;
pub use list::AddressInfo;
pub(crate) use message::Message;
pub(crate) use timers::Progress;
pub use transaction::Transaction;

/// What stands behind a NIC's lock.
pub(crate) struct Control {
    settings: Arc<Settings>,
    /// The next snapshot, as far as it is made.
    table: Table,
    ranges: Arc<RangeSet>,
    groups: Groups,
    broadcasts: BroadcastSet,
    /// The addresses of the table and the broadcasts.
    own: SourceFilterEditor,
    /// The packet endpoints, if there are any.
    taps: Option<Arc<Taps>>,
    promiscuous: bool,
    spoofing: bool,
    /// Whether there ever was a mode or a range: before, nobody makes temporary endpoints.
    had_modes: bool,
    enabled: bool,
    /// Removed: nothing changes any more.
    gone: bool,
    /// The ranges as they were added, for the listing.
    range_list: Vec<Prefix>,
    primary: PrimaryLists,
    /// The usable IPv6 source addresses by what they are good for; made when first asked for.
    sources: Option<SourceIndex>,
    /// The link-local IPv6 addresses in use.
    link_locals: BTreeSet<Ipv6Addr>,
    dads: Dads,
    announcements: Announcements,
    /// The link-local address that the NIC gave itself, and the number of the
    /// attempt that made it.
    link_local: Option<Key>,
    link_local_attempt: u32,
    /// When the next conflict may be told.
    next_conflict: Time,
    rng: fastrand::Rng,
    publisher: Publisher<NicSnapshot, Life>,
    /// As they are published, and whether the stack has yet to be told.
    error_sources: ErrorSources,
    error_sources_changed: bool,
    /// Whether `table` and the rest differ from what is published.
    changed: bool,
    /// Unlinked since the last publish.
    unlinked: Vec<Life>,
    /// Given a permanent endpoint since the last publish.
    added: Vec<Key>,
    /// What a collection handed back; kept for its memory.
    collected: Vec<Life>,
    /// What the groups' protocols have to say, to be made into messages.
    reports: Vec<GroupMessage>,
    /// To be sent once the lock is released.
    messages: Vec<Message>,
    /// Reports that found no room, and when they are tried again.
    backlog: VecDeque<Message>,
    retry: Time,
    counts: Arc<ProtocolCounters>,
    events: EventSender,
}

impl Control {
    pub(crate) fn new(
        settings: Arc<Settings>,
        seed: u64,
        events: EventSender,
        counts: Arc<ProtocolCounters>,
    ) -> Self {
        let table = Table::new(seed);
        let ranges = Arc::<RangeSet>::default();
        let mut groups = settings.groups();
        let broadcasts = BroadcastSet::default();
        let own = SourceFilterEditor::new();
        let forwarding = settings.forwarding;
        // Another stream than the hash's.
        let mut rng = fastrand::Rng::with_seed(!seed);
        let mut reports = Vec::new();
        // Disabled as yet, it has nothing to say of them.
        groups.set_forwarding(forwarding, Time::ZERO, &mut rng, &mut reports);
        let first = NicSnapshot {
            table: table.clone(),
            ranges: Arc::clone(&ranges),
            groups: groups.set().clone(),
            broadcasts: broadcasts.clone(),
            own: own.filter().clone(),
            error_sources: ErrorSources::default(),
            taps: None,
            promiscuous: false,
            spoofing: false,
            forwarding,
            enabled: false,
        };
        Self {
            settings,
            table,
            ranges,
            groups,
            broadcasts,
            own,
            taps: None,
            promiscuous: false,
            spoofing: false,
            had_modes: false,
            enabled: false,
            gone: false,
            range_list: Vec::new(),
            primary: PrimaryLists::default(),
            sources: None,
            link_locals: BTreeSet::new(),
            dads: Dads::default(),
            announcements: Announcements::default(),
            link_local: None,
            link_local_attempt: 0,
            next_conflict: Time::ZERO,
            rng,
            publisher: Publisher::new(first),
            error_sources: ErrorSources::default(),
            error_sources_changed: false,
            changed: false,
            unlinked: Vec::new(),
            added: Vec::new(),
            collected: Vec::new(),
            reports,
            messages: Vec::new(),
            backlog: VecDeque::new(),
            retry: Time::ZERO,
            counts,
            events,
        }
    }

    pub(crate) fn handle(&self) -> Handle<NicSnapshot> {
        self.publisher.handle()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(crate) fn group_list(&self) -> Vec<GroupInfo> {
        self.groups
            .list()
            .map(|(group, joins)| GroupInfo {
                group,
                joins: joins.by_user,
                own: joins.by_nic,
            })
            .collect()
    }

    /// Leaves the table without room for any other address than that at `index`.
    #[cfg(test)]
    pub(crate) fn fill_table(&mut self, index: u32) {
        self.table = Table::full(42, index);
    }

    /// Publishes the changes, if there are any, and collects what became free.
    fn publish(&mut self, endpoints: &Endpoints) {
        if self.changed {
            self.changed = false;
            let error_sources = self.error_sources(endpoints);
            self.error_sources_changed |= self.error_sources != error_sources;
            self.error_sources = error_sources;
            let next = NicSnapshot {
                table: self.table.clone(),
                ranges: Arc::clone(&self.ranges),
                groups: self.groups.set().clone(),
                broadcasts: self.broadcasts.clone(),
                own: self.own.filter().clone(),
                error_sources,
                taps: self.taps.clone(),
                promiscuous: self.promiscuous,
                spoofing: self.spoofing,
                forwarding: self.groups.forwarding(),
                enabled: self.enabled,
            };
            self.publisher.publish(next, self.unlinked.drain(..));
            self.yield_to_permanent(endpoints);
        }
        self.collect(endpoints);
    }

    /// Whether the NIC sends errors from other addresses than when this was asked last.
    pub(crate) fn take_error_sources_changed(&mut self) -> bool {
        std::mem::take(&mut self.error_sources_changed)
    }

    /// Step 2 of adding (see the module): temporary endpoints give way to what was added.
    fn yield_to_permanent(&mut self, endpoints: &Endpoints) {
        // Between the publish and the look; its counterpart is in `hold`.
        fence(Ordering::SeqCst);
        for key in self.added.drain(..) {
            endpoints.unclaim(key);
            let own = self.table.find(endpoints, key);
            let lives = own.is_some_and(|own| !endpoints.at(own).refs.load().is_dead());
            // Removed again in the same transaction, the address leaves the temporary one alone.
            if let Some(held) = endpoints.held(key)
                && (lives || own == Some(held))
            {
                endpoints.unhold(key, held);
            }
        }
        // A transaction of millions is rare: do not keep its memory.
        self.added.shrink_to(1024);
    }

    /// Takes an address out of the table.
    fn remove_from_table(&mut self, endpoints: &Endpoints, key: Key) {
        if self.table.remove(endpoints, key).is_some() {
            self.own.remove(key);
        }
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
                self.remove_from_table(endpoints, key);
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
                nic: self.settings.id,
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
    if nic.is_gone() {
        return Err(NicGone(nic.id()).into());
    }
    let not_ours = || Err(HoldError::BadLocalAddress(key.address()));
    if !key.can_be_local() {
        return not_ours();
    }
    let endpoints = &nic.endpoints;
    let refer = |index| EndpointRef::from_counted(Arc::clone(nic), index);
    let before = nic.snapshots.load();
    let any = any(&before);
    // Looked at once it is counted, so that what is given out was usable at that moment.
    let usable = |endpoint: EndpointRef| match endpoint.kind() {
        AddressKind::Permanent | AddressKind::Temporary => Ok(endpoint),
        AddressKind::PermanentExpired if any => Ok(endpoint),
        AddressKind::PermanentExpired | AddressKind::PermanentTentative => not_ours(),
    };
    if let Some(index) = before.find(endpoints, key) {
        let refs = &endpoints.at(index).refs;
        if refs.try_acquire() {
            return usable(refer(index));
        }
        if !refs.load().is_dead() {
            return not_ours(); // held 2^30 times
        }
    }
    let anyone = any || before.ranges.contains(key);
    if !anyone || before.is_directed_broadcast(key) {
        // Held before, perhaps under a mode that is off now: it can be shared while it lives.
        return match endpoints.held(key) {
            Some(index) if endpoints.at(index).refs.try_acquire() => usable(refer(index)),
            _ => not_ours(),
        };
    }
    let temporary = endpoints
        .hold_temporary(key)
        .map_err(HoldError::OutOfMemory)?;
    let temporary_ref = refer(temporary);
    // Between the insertion and the look: of the two sides' fences one is first, and the other
    // side then finds what was made visible before it.
    fence(Ordering::SeqCst);
    let after = nic.snapshots.load();
    match after.find(endpoints, key) {
        Some(index) if index != temporary && endpoints.at(index).refs.try_acquire() => {
            usable(refer(index))
        }
        _ => usable(temporary_ref),
    }
}

/// Whether the NIC takes packets for an address, or could send from it; see
/// [`Nic::is_local`](crate::Nic::is_local).
pub(crate) fn is_local(nic: &NicShared, key: Key) -> bool {
    if nic.is_gone() || !key.can_be_local() {
        return false;
    }
    let snapshot = nic.snapshots.load();
    let endpoints = &nic.endpoints;
    let held = || endpoints.at(endpoints.held(key)?).kind();
    match snapshot.kind(endpoints, key).or_else(held) {
        Some(AddressKind::Permanent | AddressKind::Temporary) => true,
        Some(AddressKind::PermanentTentative) => false,
        Some(AddressKind::PermanentExpired) => snapshot.spoofing,
        None => {
            let anyone = snapshot.spoofing || snapshot.ranges.contains(key);
            anyone && !snapshot.is_directed_broadcast(key)
        }
    }
}
