//! A NIC on its way out.

use corelane_stack::{Nic, NicCounter, NicId};

use super::{Entry, LinkState, tell};
use crate::distributor::{Distributor, Removal as DistributorRemoval};
use crate::port::{Port, Ports};
use crate::wiring::DistributorHandle;

/// What is left to do until a NIC is gone. The control plane goes on with it at each round.
pub(crate) struct Removal {
    nic: Nic,
    /// Dropped last.
    link: LinkState,
    /// The workers that have not given up their ports.
    awaited: Vec<bool>,
    ports: Ports,
    /// A distributor that nobody has taken is nobody's to poll. It goes after the workers have let go,
    /// so that it counts all that they left it.
    untaken: Vec<Distributor>,
    pub(crate) distributor: Option<DistributorHandle>,
    /// Whether the distributor knows that the workers have let go.
    told: bool,
}

impl Removal {
    /// Of a NIC that `workers` workers serve.
    pub(super) fn new(entry: Entry, workers: usize, untaken: Vec<Distributor>) -> Self {
        Self {
            nic: entry.nic,
            link: entry.link,
            awaited: vec![true; workers],
            ports: Vec::new(),
            untaken,
            distributor: entry.distributor,
            told: false,
        }
    }

    pub(crate) fn id(&self) -> NicId {
        self.nic.id()
    }

    /// A worker has given up its port.
    pub(crate) fn take_back(&mut self, worker: usize, port: Box<Port>) {
        self.ports.push(port);
        self.gone(worker);
    }

    /// A worker is gone, and with it its port.
    pub(crate) fn gone(&mut self, worker: usize) {
        if let Some(awaited) = self.awaited.get_mut(worker) {
            *awaited = false;
        }
    }

    /// Goes on. Returns whether everybody has let go.
    pub(crate) fn advance(&mut self) -> bool {
        // The distributor may wait for room in its rings.
        self.ports.iter_mut().for_each(|port| port.discard());
        if self.awaited.contains(&true) {
            return false;
        }
        self.untaken.clear();
        let Some(handle) = &self.distributor else {
            return true;
        };
        if !self.told {
            self.told = true;
            tell(handle, DistributorRemoval::LastOfIt);
        }
        handle.monitor.status.is_gone()
    }

    /// Drops what is left of it: queues first, the link last. The NIC itself is there for as long as
    /// somebody holds its endpoints.
    pub(crate) fn finish(mut self) -> Nic {
        self.untaken.clear();
        // What the distributor has handed over since.
        self.ports.iter_mut().for_each(|port| port.discard());
        self.ports.clear();
        clear_queues(&self.nic);
        self.nic.reclaim();
        drop(self.link);
        self.nic
    }
}

/// Drops frames of the NIC's own that nobody will take any more, and counts them.
pub(crate) fn clear_queues(nic: &Nic) {
    let dropped = nic.clear_queues() as u64;
    if dropped > 0 {
        let (mut counters, _) = nic.sender_counters();
        counters.add(NicCounter::SendDropped, dropped);
    }
}
