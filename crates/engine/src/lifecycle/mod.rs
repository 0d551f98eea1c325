//! NICs that come and go while the engine runs.
//!
//! ```text
//!  create, enable   link opens ─► rings ─► distributor (a thread, or handed out) ─► a port to each
//!                                                                                   worker
//!  disable, enable  a flag in the NIC's snapshot: workers drop what arrives
//!  remove           NIC dead at once ─► ports come back ─► distributor lets go ─► link closed,
//!                                       `Event::NicRemoved`
//! ```
//!
//! A removal takes as long as the workers need to their next poll, and whoever asked for it does not
//! wait: the [`Control`](crate::Control) sees it through. Two locks are taken, one inside the other,
//! neither by a worker nor by a distributor: `opening` makes calls wait for each other, also while
//! a link opens; `roster` guards the list and is held for moments only.
#![expect(
    clippy::disallowed_types,
    reason = "serialises the control plane; neither workers nor distributors take these locks"
)]

mod error;
mod removal;
mod roster;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_stack::{Event, Nic, NicConfig, NicId};

use crate::distributor::{Distributor, Removal as DistributorRemoval};
use crate::link::Link;
use crate::trace::{Actor, Tracer};
use crate::wiring::{Connection, Placed, Wiring};

pub use error::{CreateNicError, EnableNicError, UnknownNic};
pub(crate) use removal::{Removal, clear_queues};
use roster::LinkNotOpen;
pub(crate) use roster::{Entry, LinkState, Roster, Threading, spawn_distributor};

/// Makes the tracer of each thread.
pub(crate) type Tracers = Box<dyn FnMut(Actor) -> Box<dyn Tracer> + Send>;

/// What all handles to an engine share.
pub(crate) struct Shared {
    pub(crate) wiring: Wiring,
    /// The cores that there are, and whether busy threads share them from the beginning.
    pub(crate) cores: usize,
    pub(crate) crowded: bool,
    opening: Mutex<Opening>,
    roster: Mutex<Roster>,
}

/// What is needed to bring a NIC up, by one call at a time.
pub(crate) struct Opening {
    pub(crate) tracers: Option<Tracers>,
}

impl Shared {
    pub(crate) fn new(
        wiring: Wiring,
        cores: usize,
        crowded: bool,
        tracers: Option<Tracers>,
        roster: Roster,
    ) -> Self {
        Self {
            wiring,
            cores,
            crowded,
            opening: Mutex::new(Opening { tracers }),
            roster: Mutex::new(roster),
        }
    }

    /// The list of NICs. To be held for moments, and while nothing of an embedder's is called.
    pub(crate) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opening(&self) -> MutexGuard<'_, Opening> {
        // A link that panics while it opens leaves nothing half done in here.
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates, enables, disables and removes NICs, also while the engine runs: from any thread, but
/// not from inside [`Link::open`], which would wait for itself for ever.
///
/// Calls are serialised; one that opens a link holds up the others meanwhile. Neither workers nor
/// distributors wait for any of them. Nothing here is for handlers: it takes locks and allocates.
#[derive(Clone)]
pub struct Lifecycle {
    shared: Arc<Shared>,
}

impl Lifecycle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The NIC of this number.
    pub fn nic(&self, id: NicId) -> Option<Nic> {
        self.shared.roster().nic(id)
    }

    /// All NICs, by number.
    pub fn nics(&self) -> Vec<Nic> {
        self.shared.roster().nics()
    }

    /// Creates a NIC, and enables it unless its configuration says otherwise: opens its link, and
    /// has the workers serve it. The next free number is its own.
    ///
    /// Frames come from the pool that the engine was built with: build it large enough for what is
    /// to come.
    ///
    /// # Errors
    /// [`CreateNicError`]. There is no such NIC then, and the link is dropped: to be able to try
    /// again, create the NIC disabled and enable it.
    pub fn create_nic(
        &self,
        config: NicConfig,
        link: Box<dyn Link>,
    ) -> Result<Nic, CreateNicError> {
        let mut opening = self.shared.opening();
        let id = {
            let mut roster = self.shared.roster();
            if roster.is_stopped() {
                return Err(CreateNicError::Stopped);
            }
            if roster.has_name(config.name()) {
                return Err(CreateNicError::DuplicateName(config.name().to_owned()));
            }
            roster.next_id().ok_or(CreateNicError::TooManyNics)?
        };
        let enabled = config.is_enabled();
        let nic = self.shared.wiring.nic(id, config, &*link);
        let mut entry = Entry::new(nic.clone(), link);
        if enabled && let Err(error) = self.bring_up(&mut opening, &mut entry) {
            // Nobody has a handle to it yet.
            let _ = nic.remove();
            return Err(CreateNicError::Enable(error));
        }
        self.shared.roster().insert(entry);
        self.shared.wiring.stack.call_control();
        Ok(nic)
    }

    /// Enables a NIC: opens its link if that has not happened yet, and takes what arrives. Nothing
    /// happens to one that is enabled.
    ///
    /// # Errors
    /// [`EnableNicError`]. The NIC is as disabled as before, and may be tried again.
    pub fn enable_nic(&self, id: NicId) -> Result<(), EnableNicError> {
        let mut opening = self.shared.opening();
        let mut entry = {
            let mut roster = self.shared.roster();
            let entry = roster.entry(id)?;
            // The link is out of the list while it opens; no other call looks at it meanwhile.
            entry.take_link()
        };
        let result = self.bring_up(&mut opening, &mut entry);
        if matches!(result, Err(EnableNicError::Stopped)) {
            // The links were closed without it.
            entry.close();
        }
        let mut roster = self.shared.roster();
        if let Ok(present) = roster.entry(id) {
            *present = entry;
        }
        drop(roster);
        self.shared.wiring.stack.call_control();
        result
    }

    /// Disables a NIC: what arrives from now on is dropped and counted as `nic_disabled`, and it
    /// sends nothing more. Its link stays open and its addresses stay (BEHAVIOURS M3). Nothing
    /// happens to one that is disabled.
    ///
    /// # Errors
    /// There is no such NIC.
    pub fn disable_nic(&self, id: NicId) -> Result<(), UnknownNic> {
        let _serial = self.shared.opening();
        let nic = self.nic(id).ok_or(UnknownNic(id))?;
        nic.disable().map_err(|gone| UnknownNic(gone.0))?;
        self.shared.wiring.stack.call_control();
        Ok(())
    }

    /// Removes a NIC. When this returns, it accepts and sends nothing more, every control call on it
    /// fails, and its name is free; references to its addresses stay valid. Its number is free, and
    /// its link closed, when [`Event::NicRemoved`] tells so.
    ///
    /// # Errors
    /// There is no such NIC.
    pub fn remove_nic(&self, id: NicId) -> Result<(), UnknownNic> {
        let _serial = self.shared.opening();
        let nic = self.nic(id).ok_or(UnknownNic(id))?;
        // It may have been removed by its own handle already.
        let _ = nic.remove();
        let removal = self.shared.roster().remove(id)?;
        if let Some(removal) = removal {
            // Nobody is left to see it through.
            removal.finish();
            self.shared
                .wiring
                .events
                .send(Event::NicRemoved { nic: id });
        }
        self.shared.wiring.stack.call_control();
        Ok(())
    }

    /// Whether the NIC of this number is on its way out: its link is not closed yet.
    pub fn is_leaving(&self, id: NicId) -> bool {
        self.shared.roster().is_leaving(id)
    }

    /// Has every thread of the engine show frames to a tracer of its own from its next poll on, which
    /// `make` makes: of the workers, of the control plane, and of the distributors, those to come
    /// included. It takes the place of the one that was there, and nobody waits for it.
    pub fn trace<T: Tracer + 'static>(&self, mut make: impl FnMut(Actor) -> T + Send + 'static) {
        self.set_tracers(Some(Box::new(move |actor| Box::new(make(actor)))));
    }

    /// Has nobody watch any more, from the next poll of each thread on.
    pub fn stop_tracing(&self) {
        self.set_tracers(None);
    }

    fn set_tracers(&self, tracers: Option<Tracers>) {
        // A NIC that comes up meanwhile has either the ones before and is told, or these.
        let mut opening = self.shared.opening();
        opening.tracers = tracers;
        let Opening { tracers } = &mut *opening;
        self.shared
            .roster()
            .set_tracers(|actor| tracers.as_mut().map(|make| make(actor)));
        self.shared.wiring.stack.call_control();
    }

    /// The distributors of NICs that were enabled since the last call, for an embedder that polls
    /// them from threads of its own. An engine that [runs](crate::Engine::start) has none to give:
    /// it starts a thread for each itself.
    pub fn take_distributors(&self) -> Vec<Distributor> {
        self.shared.roster().take_distributors()
    }

    /// Opens the link if it is closed, enables the NIC, and connects the two if they are not.
    fn bring_up(&self, opening: &mut Opening, entry: &mut Entry) -> Result<(), EnableNicError> {
        if self.shared.roster().is_stopped() {
            return Err(EnableNicError::Stopped);
        }
        entry.open(&self.shared.wiring.pool)?;
        let was_enabled = entry.nic.is_enabled();
        entry.nic.enable()?;
        if let Err(error) = self.connect(opening, entry) {
            if !was_enabled {
                let _ = entry.nic.disable();
            }
            return Err(error);
        }
        Ok(())
    }

    /// Connects an open link to the workers.
    fn connect(&self, opening: &mut Opening, entry: &mut Entry) -> Result<(), EnableNicError> {
        let Some(queues) = entry.take_queues() else {
            return Ok(());
        };
        let Shared { wiring, .. } = &*self.shared;
        let has_distributor = wiring.needs_distributor(&queues);
        let threads = wiring.bells.len() + self.shared.roster().distributors() + 1;
        let placed = Placed {
            core: None,
            crowded: self.shared.crowded || threads > self.shared.cores,
            tracer: opening
                .tracers
                .as_mut()
                .filter(|_| has_distributor)
                .map(|make| make(Actor::Distributor(entry.nic.id()))),
        };
        let connection = match wiring.connect(&entry.nic, queues, placed) {
            Ok(connection) => connection,
            Err((error, queues)) => {
                entry.put_back(queues);
                return Err(error.into());
            }
        };
        self.serve(entry, connection).map_err(|failed| {
            let (error, connection) = *failed;
            entry.put_back(connection.into_queues());
            error
        })
    }

    /// Has the distributor polled and the workers serve their ports.
    fn serve(
        &self,
        entry: &mut Entry,
        mut connection: Connection,
    ) -> Result<(), Box<(EnableNicError, Connection)>> {
        let mut roster = self.shared.roster();
        if roster.is_stopped() {
            return Err(Box::new((EnableNicError::Stopped, connection)));
        }
        if let Some(distributor) = connection.distributor.take()
            && let Err(failed) = roster.start_distributor(distributor)
        {
            let (error, distributor) = *failed;
            connection.distributor = Some(distributor);
            return Err(Box::new((error.into(), connection)));
        }
        roster.add_ports(connection.ports);
        entry.connected(connection.handle, connection.tracers, connection.ends);
        Ok(())
    }
}

/// Tells the distributor of a NIC that is removed how far that has come.
fn tell(handle: &crate::wiring::DistributorHandle, removal: DistributorRemoval) {
    handle.monitor.status.remove(removal);
    handle.bell.ring();
}
