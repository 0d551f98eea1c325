//! Which NICs there are, and the way to the workers.
#![expect(
    clippy::disallowed_types,
    reason = "the lock holds a distributor while its thread starts; nobody waits for it"
)]

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use corelane_frame::Pool;
use corelane_stack::{Nic, NicId};
use corelane_sync::doorbell::Doorbell;

use super::{Removal, UnknownNic, tell};
use crate::command::{CommandLane, TracerLane};
use crate::distributor::{Distributor, DistributorStatus, Removal as DistributorRemoval};
use crate::engine::{self, StartError};
use crate::link::{Link, LinkError, Queues};
use crate::port::Ports;
use crate::report::DistributorMonitor;
use crate::trace::{Actor, Tracer};
use crate::wiring::DistributorHandle;
use crate::worker::WorkerId;

/// The link of the NIC of this name did not open.
pub(crate) struct LinkNotOpen {
    pub(crate) nic: String,
    pub(crate) error: LinkError,
}

/// How far a NIC's link has come.
pub(crate) enum LinkState {
    /// It was never opened.
    Closed(Box<dyn Link>),
    /// It is open, and nobody polls it yet.
    Open(Box<dyn Link>, Queues),
    /// Its queues are polled.
    Connected(Box<dyn Link>),
    /// A call has it, or the engine is over.
    Away,
}

/// A NIC that is present.
pub(crate) struct Entry {
    pub(crate) nic: Nic,
    pub(crate) link: LinkState,
    /// All set once the link is at its end. Empty as long as it was never opened.
    ends: Vec<Arc<AtomicBool>>,
    pub(crate) distributor: Option<DistributorHandle>,
    /// The way of tracers to it.
    tracers: Option<TracerLane>,
}

impl Entry {
    /// A NIC whose link is closed.
    pub(crate) fn new(nic: Nic, link: Box<dyn Link>) -> Self {
        Self {
            nic,
            link: LinkState::Closed(link),
            ends: Vec::new(),
            distributor: None,
            tracers: None,
        }
    }

    /// The entry with its link, whose place stays empty until it is put back.
    pub(super) fn take_link(&mut self) -> Self {
        Self {
            nic: self.nic.clone(),
            link: std::mem::replace(&mut self.link, LinkState::Away),
            ends: self.ends.clone(),
            distributor: self.distributor.clone(),
            tracers: self.tracers.take(),
        }
    }

    /// Opens the link, if it is closed. If it does not open, it stays closed.
    pub(crate) fn open(&mut self, pool: &Pool) -> Result<(), LinkNotOpen> {
        self.link = match std::mem::replace(&mut self.link, LinkState::Away) {
            LinkState::Closed(mut link) => match link.open(pool) {
                Ok(queues) => LinkState::Open(link, queues),
                Err(error) => {
                    self.link = LinkState::Closed(link);
                    return Err(LinkNotOpen {
                        nic: self.nic.name().to_owned(),
                        error,
                    });
                }
            },
            LinkState::Away => {
                return Err(LinkNotOpen {
                    nic: self.nic.name().to_owned(),
                    error: LinkError::new(
                        self.nic.name(),
                        "it is gone: it panicked when it opened",
                    ),
                });
            }
            open => open,
        };
        Ok(())
    }

    /// Closes a link that nobody polls.
    pub(super) fn close(&mut self) {
        if !matches!(self.link, LinkState::Connected(_)) {
            self.link = LinkState::Away;
        }
    }

    /// The queues of a link that is open and not polled.
    pub(crate) fn queues(&self) -> Option<&Queues> {
        match &self.link {
            LinkState::Open(_, queues) => Some(queues),
            _ => None,
        }
    }

    /// Takes those queues, to be connected.
    pub(crate) fn take_queues(&mut self) -> Option<Queues> {
        match std::mem::replace(&mut self.link, LinkState::Away) {
            LinkState::Open(link, queues) => {
                self.link = LinkState::Connected(link);
                Some(queues)
            }
            other => {
                self.link = other;
                None
            }
        }
    }

    /// Puts queues back that were taken and not connected.
    pub(super) fn put_back(&mut self, queues: Queues) {
        self.link = match std::mem::replace(&mut self.link, LinkState::Away) {
            LinkState::Connected(link) => LinkState::Open(link, queues),
            other => other,
        };
    }

    /// The queues are polled from now on.
    pub(crate) fn connected(
        &mut self,
        distributor: Option<DistributorHandle>,
        tracers: Option<TracerLane>,
        ends: Vec<Arc<AtomicBool>>,
    ) {
        self.distributor = distributor;
        self.tracers = tracers;
        self.ends = ends;
    }

    /// Whether nothing will come from the link any more, or it was never opened.
    fn is_ended(&self) -> bool {
        self.ends.iter().all(|end| end.load(Ordering::Acquire))
    }
}

/// What threads of distributors have to know.
#[derive(Clone)]
pub(crate) struct Threading {
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) workers_gone: Arc<AtomicBool>,
}

/// A distributor on a thread of the engine's own.
pub(crate) struct DistributorThread {
    pub(crate) status: Arc<DistributorStatus>,
    pub(crate) handle: JoinHandle<()>,
}

/// The list of NICs, and the way to the workers.
pub(crate) struct Roster {
    entries: BTreeMap<NicId, Entry>,
    /// The number that is given out next, unless it is in use.
    next: u16,
    /// The numbers of NICs that are being removed.
    leaving: BTreeSet<NicId>,
    /// The bells of their distributors.
    leaving_bells: BTreeMap<NicId, Doorbell>,
    lanes: Vec<CommandLane>,
    /// Removals that [`Control`](crate::Control) has not taken up yet.
    removals: Vec<Removal>,
    /// How distributors are run. None: by whoever takes them.
    threading: Option<Threading>,
    pub(crate) threads: Vec<DistributorThread>,
    untaken: Vec<Distributor>,
    /// What threads that have ended meanwhile have panicked with.
    pub(crate) panics: Vec<Box<dyn Any + Send>>,
    /// Changes with the list.
    generation: u64,
    /// No NIC comes up any more.
    stopped: bool,
    /// Nobody sees removals through any more.
    over: bool,
    /// What the control plane is to show frames to, if that is another.
    control_tracer: Option<Option<Box<dyn Tracer>>>,
}

impl Roster {
    pub(crate) fn new(lanes: Vec<CommandLane>) -> Self {
        Self {
            entries: BTreeMap::new(),
            next: 0,
            leaving: BTreeSet::new(),
            leaving_bells: BTreeMap::new(),
            lanes,
            removals: Vec::new(),
            threading: None,
            threads: Vec::new(),
            untaken: Vec::new(),
            panics: Vec::new(),
            generation: 0,
            stopped: false,
            over: false,
            control_tracer: None,
        }
    }

    pub(crate) fn nic(&self, id: NicId) -> Option<Nic> {
        self.entries.get(&id).map(|entry| entry.nic.clone())
    }

    pub(crate) fn nics(&self) -> Vec<Nic> {
        self.entries.values().map(|e| e.nic.clone()).collect()
    }

    pub(super) fn entry(&mut self, id: NicId) -> Result<&mut Entry, UnknownNic> {
        self.entries.get_mut(&id).ok_or(UnknownNic(id))
    }

    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.entries.values().any(|entry| entry.nic.name() == name)
    }

    /// The monitors of the distributors, by NIC.
    pub(crate) fn monitors(&self) -> Vec<DistributorMonitor> {
        let handles = self.entries.values().filter_map(|e| e.distributor.as_ref());
        handles.map(|handle| handle.monitor.clone()).collect()
    }

    /// How many distributors there are.
    pub(super) fn distributors(&self) -> usize {
        let with_one = |entry: &&Entry| entry.distributor.is_some();
        self.entries.values().filter(with_one).count()
    }

    /// Wakes every distributor, those of NICs that are being removed too.
    pub(crate) fn ring_distributors(&self) {
        let present = self.entries.values().filter_map(|e| e.distributor.as_ref());
        present.for_each(|handle| handle.bell.ring());
        // Those of NICs on their way out.
        self.leaving_bells.values().for_each(Doorbell::ring);
    }

    /// Whether every link is at its end.
    pub(crate) fn links_finished(&self) -> bool {
        self.entries.values().all(Entry::is_ended)
    }

    /// The next number that is not in use.
    pub(crate) fn next_id(&mut self) -> Option<NicId> {
        let first = self.next;
        let numbers = (0..=u16::MAX).map(|step| NicId(first.wrapping_add(step)));
        let free = |id: &NicId| !self.entries.contains_key(id) && !self.leaving.contains(id);
        let id = numbers.into_iter().find(free)?;
        self.next = id.0.wrapping_add(1);
        Some(id)
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        self.generation += 1;
        self.entries.insert(entry.nic.id(), entry);
    }

    /// A NIC that was there before the engine.
    pub(crate) fn begin_with(&mut self, entry: Entry) {
        self.next = entry.nic.id().0.wrapping_add(1);
        self.insert(entry);
    }

    pub(super) fn add_ports(&mut self, ports: Ports) {
        for (lane, port) in self.lanes.iter_mut().zip(ports) {
            lane.add_port(port);
        }
    }

    /// Begins the removal of a NIC. Returns its removal if nobody else is left to see it through,
    /// and its distributor if that was never taken.
    pub(super) fn remove(&mut self, id: NicId) -> Result<Option<Removal>, UnknownNic> {
        let entry = self.entries.remove(&id).ok_or(UnknownNic(id))?;
        self.generation += 1;
        let untaken = self.untaken.extract_if(.., |d| d.nic() == id).collect();
        if let Some(handle) = &entry.distributor {
            tell(handle, DistributorRemoval::Begun);
            self.leaving_bells.insert(id, handle.bell.clone());
        }
        let is_connected = matches!(entry.link, LinkState::Connected(_));
        if is_connected {
            for lane in &mut self.lanes {
                lane.remove_port(id);
            }
        }
        let workers = if is_connected { self.lanes.len() } else { 0 };
        let removal = Removal::new(entry, workers, untaken);
        if self.over {
            return Ok(Some(removal));
        }
        self.leaving.insert(id);
        self.removals.push(removal);
        Ok(None)
    }

    /// Whether it is being removed.
    pub(super) fn is_leaving(&self, id: NicId) -> bool {
        self.leaving.contains(&id)
    }

    /// A number can be given out again.
    pub(crate) fn left(&mut self, id: NicId) {
        self.leaving.remove(&id);
        self.leaving_bells.remove(&id);
    }

    /// What the control plane does each round: sends on what waits for the workers, takes up
    /// removals, and, if the list has changed since `generation`, learns it.
    pub(crate) fn catch_up(
        &mut self,
        generation: &mut Option<u64>,
        nics: &mut Vec<Nic>,
        removals: &mut Vec<Removal>,
    ) {
        self.lanes.iter_mut().for_each(CommandLane::flush);
        for entry in self.entries.values_mut() {
            if let (Some(lane), Some(handle)) = (&mut entry.tracers, &entry.distributor)
                && lane.flush()
            {
                handle.bell.ring();
            }
        }
        removals.append(&mut self.removals);
        if *generation != Some(self.generation) {
            *generation = Some(self.generation);
            *nics = self.nics();
        }
    }

    /// Has every thread show frames to another tracer, which `make` makes for each, or to none.
    pub(super) fn set_tracers(&mut self, mut make: impl FnMut(Actor) -> Option<Box<dyn Tracer>>) {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            lane.set_tracer(make(Actor::Worker(WorkerId(number))));
        }
        for (id, entry) in &mut self.entries {
            if let (Some(lane), Some(handle)) = (&mut entry.tracers, &entry.distributor) {
                lane.set(make(Actor::Distributor(*id)));
                handle.bell.ring();
            }
        }
        self.control_tracer = Some(make(Actor::Control));
    }

    /// The tracer of the control plane, if it is to have another.
    pub(crate) fn take_control_tracer(&mut self) -> Option<Option<Box<dyn Tracer>>> {
        self.control_tracer.take()
    }

    /// Starts a thread for the distributor, or keeps it until somebody takes it.
    pub(super) fn start_distributor(
        &mut self,
        distributor: Distributor,
    ) -> Result<(), Box<(StartError, Distributor)>> {
        match self.threading.clone() {
            None => self.untaken.push(distributor),
            Some(threading) => self
                .threads
                .push(spawn_distributor(distributor, threading)?),
        }
        Ok(())
    }

    /// From now on distributors get threads. Returns those that have none yet.
    pub(crate) fn run_threads(&mut self, threading: Threading) -> Vec<Distributor> {
        self.threading = Some(threading);
        self.take_distributors()
    }

    pub(crate) fn take_distributors(&mut self) -> Vec<Distributor> {
        std::mem::take(&mut self.untaken)
    }

    /// The thread of a distributor that is removed.
    pub(crate) fn take_thread(
        &mut self,
        status: &Arc<DistributorStatus>,
    ) -> Option<JoinHandle<()>> {
        let at = self
            .threads
            .iter()
            .position(|thread| Arc::ptr_eq(&thread.status, status))?;
        Some(self.threads.swap_remove(at).handle)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// No NIC comes up any more.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Nobody sees removals through any more. Returns those that are open.
    pub(crate) fn end(&mut self) -> Vec<Removal> {
        self.stopped = true;
        self.over = true;
        std::mem::take(&mut self.removals)
    }

    /// Gives up the links, whose queues are closed.
    pub(crate) fn close_links(&mut self) -> Vec<LinkState> {
        self.entries
            .values_mut()
            .map(|entry| std::mem::replace(&mut entry.link, LinkState::Away))
            .collect()
    }
}

/// Starts the thread of a distributor. If there is none, the distributor comes back.
pub(crate) fn spawn_distributor(
    distributor: Distributor,
    threading: Threading,
) -> Result<DistributorThread, Box<(StartError, Distributor)>> {
    let name = format!("distributor-{}", distributor.nic());
    let status = distributor.status();
    // What a thread that does not start was given is dropped with it: so it finds it here.
    let slot = Arc::new(Mutex::new(Some(distributor)));
    let take = |slot: &Mutex<Option<Distributor>>| {
        slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    };
    let at_start = Arc::clone(&slot);
    let run = move || {
        if let Some(distributor) = take(&at_start) {
            distributor.run(&threading.stop, &threading.workers_gone);
        }
    };
    match engine::spawn(name, run) {
        Ok(handle) => Ok(DistributorThread { status, handle }),
        Err(error) => match take(&slot) {
            Some(distributor) => Err(Box::new((error, distributor))),
            None => unreachable!("a thread that did not start has taken nothing"),
        },
    }
}
