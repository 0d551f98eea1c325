//! What an engine counted, put together from its workers', NICs' and distributors' counters.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use corelane_frame::{Pool, PoolStats};
use corelane_stack::{Nic, NicCounter, NicId, NicTotals, Stack};
use corelane_sync::alloc_count;
use corelane_sync::counters::{self, CounterReader};

use crate::distributor::{DistributorCounter, DistributorStatus};
use crate::lifecycle::Shared;
use crate::worker::{WorkerCounter, WorkerId};

/// The state of an engine's counters. Read while frames are moving, its parts are from slightly
/// different moments.
#[derive(Clone, Debug)]
pub struct EngineReport {
    /// Each NIC that is there, by number.
    pub nics: Vec<NicReport>,
    /// Each worker.
    pub workers: Vec<WorkerReport>,
    /// Each distributor.
    pub distributors: Vec<DistributorReport>,
    /// The frame pool.
    pub pool: PoolStats,
    /// Frames that distributors took from their links and no worker has accounted for yet.
    pub in_flight: u64,
}

/// What one NIC counted.
#[derive(Clone, Debug)]
pub struct NicReport {
    /// Its number.
    pub id: NicId,
    /// Its name.
    pub name: String,
    /// Over all workers, and what was sent for them.
    pub totals: NicTotals,
    /// On each worker.
    pub per_worker: Vec<NicTotals>,
}

/// What one worker counted.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Its number.
    pub id: WorkerId,
    /// The core it is pinned to.
    pub core: Option<usize>,
    /// Frames taken up, on all NICs.
    pub packets: u64,
    /// Bytes of those frames, Ethernet headers included.
    pub bytes: u64,
    /// Polls.
    pub polls: u64,
    /// Polls that found nothing.
    pub empty_polls: u64,
    /// Nanoseconds spent in polls that found something.
    pub busy_ns: u64,
    /// Nanoseconds spent otherwise.
    pub idle_ns: u64,
    /// Panics of its handler.
    pub handler_panics: u64,
    /// Blocks allocated while polling, the handler's included. None if the program's allocator
    /// does not count ([`alloc_count`]).
    pub allocations: Option<u64>,
    /// Blocks freed while polling.
    pub frees: Option<u64>,
}

/// What one distributor counted.
#[derive(Clone, Debug)]
pub struct DistributorReport {
    /// The NIC whose link it polls.
    pub nic: NicId,
    /// The core it is pinned to.
    pub core: Option<usize>,
    /// Frames taken from the link.
    pub taken: u64,
    /// Frames handed to workers.
    pub handed_over: u64,
    /// Frames dropped because a worker's ring was full, or the worker gone.
    pub ring_full: u64,
    /// Polls in which the link had to wait for room in a ring.
    pub wait_polls: u64,
    /// Polls.
    pub polls: u64,
    /// Polls that found nothing.
    pub empty_polls: u64,
    /// Workers' frames that the link took for sending.
    pub sent: u64,
    /// Workers' frames that the link had no room for.
    pub send_dropped: u64,
    /// Whether the link is at its end and everything is handed over.
    pub finished: bool,
    /// Blocks allocated while polling. None if the program's allocator does not count.
    pub allocations: Option<u64>,
    /// Blocks freed while polling.
    pub frees: Option<u64>,
}

/// Reads an engine's counters, from any thread.
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
    workers: Arc<[WorkerMonitor]>,
    counts_allocations: bool,
}

#[derive(Clone)]
pub(crate) struct WorkerMonitor {
    pub(crate) id: WorkerId,
    pub(crate) core: Option<usize>,
    pub(crate) counters: CounterReader<WorkerCounter>,
}

#[derive(Clone)]
pub(crate) struct DistributorMonitor {
    pub(crate) nic: NicId,
    pub(crate) core: Option<usize>,
    pub(crate) counters: CounterReader<DistributorCounter>,
    /// The NIC's count of what the distributor sends.
    pub(crate) sent: CounterReader<NicCounter>,
    pub(crate) status: Arc<DistributorStatus>,
}

/// How many frames of one NIC's link wait for its workers, or are in their hands: those in rings, as good as. To be
/// asked from any thread and as often as one likes: a few loads for each worker, no lock.
#[derive(Clone)]
pub struct Backlog {
    distributor: CounterReader<DistributorCounter>,
    workers: Vec<CounterReader<NicCounter>>,
}

impl Backlog {
    /// So many are it now; while frames are moving, as of slightly different moments.
    pub fn frames(&self) -> u64 {
        let of_workers = |counter| counters::sum(&self.workers, counter);
        // What comes later on a frame's way first: see `Monitor::report`.
        let received = of_workers(NicCounter::Received);
        let others = of_workers(NicCounter::Looped) + of_workers(NicCounter::Unpacked);
        let ring_full = self.distributor.value(DistributorCounter::RingFull);
        let taken = self.distributor.value(DistributorCounter::Taken);
        in_flight((taken, others), ring_full, received)
    }
}

/// Frames that were taken from a link, or came from the NIC itself, and are neither dropped nor accounted for.
fn in_flight((taken, others): (u64, u64), ring_full: u64, received: u64) -> u64 {
    taken
        .saturating_add(others)
        .saturating_sub(ring_full)
        .saturating_sub(received)
}

impl Monitor {
    pub(crate) fn new(shared: Arc<Shared>, workers: Vec<WorkerMonitor>) -> Self {
        Self {
            shared,
            workers: workers.into(),
            counts_allocations: alloc_count::installed(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.shared.wiring.pool
    }

    /// What the NICs share: routes, neighbors, sockets.
    pub fn stack(&self) -> &Stack {
        &self.shared.wiring.stack
    }

    /// The counters as they are now.
    pub fn report(&self) -> EngineReport {
        let (nics, distributors) = {
            let roster = self.shared.roster();
            (roster.nics(), roster.monitors())
        };
        // What comes later on a frame's way is read first, so that nothing seems to have arrived
        // that was not sent.
        let nics: Vec<NicReport> = nics.iter().map(nic_report).collect();
        let workers = self
            .workers
            .iter()
            .map(|worker| self.worker_report(worker))
            .collect();
        let distributors: Vec<DistributorReport> = distributors
            .iter()
            .map(|d| self.distributor_report(d))
            .collect();
        let in_flight = distributors
            .iter()
            .map(|distributor| {
                let nic = nics.iter().find(|nic| nic.id == distributor.nic);
                // What the NIC looped back to itself, or cut, did not come from the link.
                let (received, others) = nic.map_or((0, 0), |nic| {
                    let totals = &nic.totals;
                    (totals.received, totals.looped + totals.unpacked)
                });
                in_flight((distributor.taken, others), distributor.ring_full, received)
            })
            .sum();
        EngineReport {
            nics,
            workers,
            distributors,
            pool: self.pool().stats(),
            in_flight,
        }
    }

    /// Asks how many frames of a NIC's link wait for the workers there are now; None if there is no such NIC, or its
    /// link is not open.
    pub fn backlog(&self, nic: NicId) -> Option<Backlog> {
        let roster = self.shared.roster();
        let mut distributors = roster.monitors().into_iter();
        let distributor = distributors.find(|monitor| monitor.nic == nic)?.counters;
        let nics = roster.nics();
        let workers = nics.iter().find(|it| it.id() == nic)?.worker_readers();
        Some(Backlog {
            distributor,
            workers,
        })
    }

    /// Whether the link of every NIC that is there now is at its end, and everything from it handed
    /// over; a link that was never opened is at its end.
    pub fn links_finished(&self) -> bool {
        self.shared.roster().links_finished()
    }

    /// `value` if allocations are counted at all.
    fn counted(&self, value: u64) -> Option<u64> {
        self.counts_allocations.then_some(value)
    }

    fn worker_report(&self, worker: &WorkerMonitor) -> WorkerReport {
        let value = |counter| worker.counters.value(counter);
        WorkerReport {
            id: worker.id,
            core: worker.core,
            packets: value(WorkerCounter::Packets),
            bytes: value(WorkerCounter::Bytes),
            polls: value(WorkerCounter::Polls),
            empty_polls: value(WorkerCounter::EmptyPolls),
            busy_ns: value(WorkerCounter::BusyNs),
            idle_ns: value(WorkerCounter::IdleNs),
            handler_panics: value(WorkerCounter::HandlerPanics),
            allocations: self.counted(value(WorkerCounter::Allocations)),
            frees: self.counted(value(WorkerCounter::Frees)),
        }
    }

    fn distributor_report(&self, distributor: &DistributorMonitor) -> DistributorReport {
        let value = |counter| distributor.counters.value(counter);
        DistributorReport {
            nic: distributor.nic,
            core: distributor.core,
            taken: value(DistributorCounter::Taken),
            handed_over: value(DistributorCounter::HandedOver),
            ring_full: value(DistributorCounter::RingFull),
            wait_polls: value(DistributorCounter::WaitPolls),
            polls: value(DistributorCounter::Polls),
            empty_polls: value(DistributorCounter::EmptyPolls),
            sent: distributor.sent.value(NicCounter::Sent),
            send_dropped: distributor.sent.value(NicCounter::SendDropped),
            finished: distributor.status.finished.load(Ordering::Acquire),
            allocations: self.counted(value(DistributorCounter::Allocations)),
            frees: self.counted(value(DistributorCounter::Frees)),
        }
    }
}

fn nic_report(nic: &Nic) -> NicReport {
    let per_worker = nic.worker_counters();
    NicReport {
        id: nic.id(),
        name: nic.name().to_owned(),
        totals: nic.counters(),
        per_worker,
    }
}
