//! The forwarding information base: routes and neighbors behind one lock, published together.

use std::collections::BTreeMap;
use std::sync::Arc;

use corelane_frame::Frame;
use corelane_sync::snapshot::{Handle, Publisher};

use crate::clock::Time;
use crate::datapath::ErrorSources;
use crate::fib::{Garbage, Lpm, LpmStore, RouteTable};
use crate::neighbor::{NeighborAction, NeighborCache, NeighborLines, Turn};
use crate::nic::{NicId, NicShared, Settings};
use crate::table::Table;

use super::{StackShared, lock};

/// A packet that waits for the link address of its next hop.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Ethernet header first, its addresses to be filled in.
    pub(crate) frame: Frame,
    /// The NIC that it arrived on, if it is another host's.
    pub(crate) arrived_on: Option<NicId>,
}

/// What is to be done once the lock is released, and on which NIC.
pub(crate) type Action = (NicId, NeighborAction<Pending>);

/// Routes and neighbors as workers see them.
pub(crate) struct FibSnapshot {
    pub(crate) lpm: Lpm,
    pub(crate) store: Arc<LpmStore>,
    /// By number.
    pub(crate) interfaces: Arc<[Option<InterfaceView>]>,
    /// What a NIC sends errors from that has no address for it: another's.
    pub(crate) error_sources: ErrorSources,
}

/// The neighbors of one NIC.
#[derive(Clone)]
pub(crate) struct InterfaceView {
    pub(crate) table: Table,
    pub(crate) lines: Arc<NeighborLines>,
}

impl FibSnapshot {
    pub(crate) fn interface(&self, nic: NicId) -> Option<&InterfaceView> {
        self.interfaces.get(usize::from(nic.0))?.as_ref()
    }
}

/// What a snapshot was the last to lead to.
enum Retired {
    Route(Garbage),
    /// Of the NIC that has these lines; by now another one may have its number.
    Neighbor(NicId, Arc<NeighborLines>, u32),
}

/// The neighbors of one NIC as the control plane has them.
struct Interface {
    cache: NeighborCache<Pending>,
    error_sources: ErrorSources,
}

/// What stands behind the lock.
pub(crate) struct Fib {
    pub(super) routes: RouteTable,
    interfaces: BTreeMap<NicId, Interface>,
    publisher: Publisher<FibSnapshot, Retired>,
    changed: bool,
    collected: Vec<Retired>,
    pub(super) rng: fastrand::Rng,
    actions: Vec<Action>,
}

impl Fib {
    pub(super) fn new(seed: u64) -> Self {
        let mut routes = RouteTable::new();
        let first = FibSnapshot {
            lpm: routes.version(),
            store: Arc::clone(routes.trie().store()),
            interfaces: Arc::from([]),
            error_sources: ErrorSources::default(),
        };
        Self {
            routes,
            interfaces: BTreeMap::new(),
            publisher: Publisher::new(first),
            changed: false,
            collected: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            actions: Vec::new(),
        }
    }

    pub(super) fn handle(&self) -> Handle<FibSnapshot> {
        self.publisher.handle()
    }

    /// Versions that wait for a worker to go on.
    pub(super) fn pending(&self) -> usize {
        self.publisher.pending()
    }

    /// Routes are other than they are published.
    pub(super) fn mark_changed(&mut self) {
        self.changed = true;
    }

    pub(super) fn add_interface(&mut self, settings: &Settings) {
        let cache = NeighborCache::new(settings.neighbors, self.rng.u64(..));
        let interface = Interface {
            cache,
            error_sources: ErrorSources::default(),
        };
        self.interfaces.insert(settings.id, interface);
        self.changed = true;
    }

    pub(super) fn has_interface(&self, nic: NicId) -> bool {
        self.interfaces.contains_key(&nic)
    }

    /// A NIC is gone: so are its neighbors, and its rows.
    pub(super) fn remove_interface(&mut self, nic: NicId) {
        self.interfaces.remove(&nic);
        self.changed = true;
    }

    /// Addresses of NICs that errors can be sent from on any link: of each family, the first NIC's that has one (RFC 1812
    /// section 4.3.2.4, RFC 4443 section 2.2).
    fn error_sources(&self) -> ErrorSources {
        let all = self.interfaces.values().map(|it| it.error_sources.wide());
        all.fold(ErrorSources::default(), ErrorSources::or)
    }

    pub(super) fn cache(&self, nic: NicId) -> Option<&NeighborCache<Pending>> {
        Some(&self.interfaces.get(&nic)?.cache)
    }

    /// Runs `act` on the neighbors of a NIC; None if it has none.
    pub(super) fn on_neighbors<R>(
        &mut self,
        nic: NicId,
        now: Time,
        act: impl FnOnce(&mut NeighborCache<Pending>, &mut Turn<'_, Pending>) -> R,
    ) -> Option<R> {
        let interface = self.interfaces.get_mut(&nic)?;
        let mut actions = Vec::new();
        let mut turn = Turn {
            now,
            rng: &mut self.rng,
            actions: &mut actions,
        };
        let result = act(&mut interface.cache, &mut turn);
        self.actions
            .extend(actions.into_iter().map(|action| (nic, action)));
        Some(result)
    }

    /// As [`on_neighbors`](Self::on_neighbors), for what comes from a link or goes to one: None too if
    /// the NIC is not enabled.
    pub(super) fn on_link<R>(
        &mut self,
        nic: NicId,
        now: Time,
        act: impl FnOnce(&mut NeighborCache<Pending>, &mut Turn<'_, Pending>) -> R,
    ) -> Option<R> {
        let is_up = self.routes.is_nic_usable(nic);
        is_up.then(|| self.on_neighbors(nic, now, act)).flatten()
    }

    /// Takes the steps of neighbors that are due.
    pub(super) fn poll(&mut self, now: Time) -> Option<Time> {
        let due = |interface: &Interface| {
            let deadline = interface.cache.next_deadline();
            deadline.is_some_and(|deadline| deadline <= now)
        };
        let nics: Vec<_> = self.interfaces.iter().filter(|(_, it)| due(it)).collect();
        let nics: Vec<_> = nics.into_iter().map(|(nic, _)| *nic).collect();
        for nic in nics {
            self.on_neighbors(nic, now, NeighborCache::poll);
        }
        let deadlines = self.interfaces.values().map(|it| it.cache.next_deadline());
        deadlines.flatten().min()
    }

    /// Publishes what changed and takes back what no worker can see any more.
    fn publish(&mut self) {
        let mut retired = Vec::new();
        for (nic, interface) in &mut self.interfaces {
            self.changed |= interface.cache.take_changed();
            let unlinked = interface.cache.take_unlinked();
            let lines = interface.cache.lines();
            retired.extend(
                unlinked
                    .into_iter()
                    .map(|line| Retired::Neighbor(*nic, Arc::clone(lines), line)),
            );
        }
        if self.changed || !retired.is_empty() {
            self.changed = false;
            let last = self.interfaces.keys().next_back();
            let mut views = vec![None; last.map_or(0, |nic| usize::from(nic.0) + 1)];
            for (nic, interface) in &self.interfaces {
                views[usize::from(nic.0)] = Some(InterfaceView {
                    table: interface.cache.table().clone(),
                    lines: Arc::clone(interface.cache.lines()),
                });
            }
            let next = FibSnapshot {
                lpm: self.routes.version(),
                store: Arc::clone(self.routes.trie().store()),
                interfaces: views.into(),
                error_sources: self.error_sources(),
            };
            retired.extend(self.routes.take_garbage().into_iter().map(Retired::Route));
            self.publisher.publish(next, retired);
        }
        self.publisher.collect(&mut self.collected);
        for retired in self.collected.drain(..) {
            match retired {
                Retired::Route(garbage) => self.routes.reuse(garbage),
                Retired::Neighbor(nic, lines, line) => {
                    // Those of a NIC that is gone went with it.
                    if let Some(interface) = self.interfaces.get_mut(&nic)
                        && Arc::ptr_eq(interface.cache.lines(), &lines)
                    {
                        interface.cache.reuse(line);
                    }
                }
            }
        }
    }
}

impl StackShared {
    /// Makes a change to routes or neighbors under the lock, publishes it, and does what it brings
    /// about after the lock is released. The control plane is called: a timer may be due earlier.
    pub(crate) fn with_fib<R>(&self, change: impl FnOnce(&mut Fib, Time) -> R) -> R {
        let result = self.look_at_fib(change);
        self.call.call();
        result
    }

    /// Likewise, where it is the control plane itself that looks.
    pub(super) fn look_at_fib<R>(&self, change: impl FnOnce(&mut Fib, Time) -> R) -> R {
        let now = self.clock.now();
        let mut fib = lock(&self.fib);
        let result = change(&mut fib, now);
        fib.publish();
        let actions = std::mem::take(&mut fib.actions);
        drop(fib);
        if !actions.is_empty() {
            self.carry_out(actions);
        }
        result
    }

    /// A NIC sends errors from other addresses than before.
    pub(crate) fn note_error_sources(&self, nic: &NicShared) {
        self.look_at_fib(|fib, _| {
            // What is published is looked at under the lock: of two that tell of changes, the last tells of both.
            let sources = nic.snapshots.load().error_sources;
            if let Some(interface) = fib.interfaces.get_mut(&nic.id()) {
                interface.error_sources = sources;
                fib.changed = true;
            }
        });
    }

    /// Routes and neighbors as they are published.
    pub(crate) fn fib_snapshot(&self) -> Arc<FibSnapshot> {
        self.fibs.load()
    }
}
