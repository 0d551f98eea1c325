//! An engine, before and while it runs.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use corelane_frame::Pool;
use corelane_stack::{Events, Nic, NicId};
use corelane_sync::doorbell::Doorbell;
use thiserror::Error;

use crate::builder::Builder;
use crate::control::Control;
use crate::distributor::Distributor;
use crate::report::{EngineReport, Monitor};
use crate::worker::Worker;

/// Something that works, but not as well as it could.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// There are more polling threads than cores for them.
    Crowded {
        /// Workers and distributors.
        threads: usize,
        /// Cores in the affinity mask.
        cores: usize,
    },
    /// The frame pool has fewer slots than the threads may keep in their caches: a link may find
    /// none for a while.
    SmallPool {
        /// Slots there are.
        slots: usize,
        /// Slots from which on that cannot happen.
        enough: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crowded { threads, cores } => write!(
                f,
                "{threads} polling threads share {cores} cores: they take turns, and rates and \
                 latencies are those of the scheduler"
            ),
            Self::SmallPool { slots, enough } => write!(
                f,
                "the frame pool has {slots} slots: threads may keep all of them in their caches \
                 for a while; {enough} are enough"
            ),
        }
    }
}

/// Why an engine did not start.
#[derive(Debug, Error)]
#[error("no thread for {name}: {source}")]
pub struct StartError {
    name: String,
    source: io::Error,
}

/// An engine that is built and does not run yet.
pub struct Engine {
    pub(crate) workers: Vec<Worker>,
    pub(crate) distributors: Vec<Distributor>,
    pub(crate) control: Control,
    pub(crate) doorbells: Vec<Doorbell>,
    pub(crate) monitor: Monitor,
    pub(crate) events: Events,
    pub(crate) warnings: Vec<Warning>,
}

/// An engine's objects, for an embedder that polls them from threads of its own.
///
/// Each [`Worker`] and each [`Distributor`] is polled by one thread at a time; [`Control`] every
/// few milliseconds.
pub struct Parts {
    /// The workers.
    pub workers: Vec<Worker>,
    /// The distributors.
    pub distributors: Vec<Distributor>,
    /// The control plane's share.
    pub control: Control,
    /// Reads the counters.
    pub monitor: Monitor,
    /// What happened.
    pub events: Events,
}

impl Engine {
    /// Begins to build one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The NIC of this number.
    pub fn nic(&self, id: NicId) -> Option<&Nic> {
        self.monitor.nics.get(usize::from(id.0))
    }

    /// All NICs, by number.
    pub fn nics(&self) -> &[Nic] {
        &self.monitor.nics
    }

    /// The frame pool: frames that an embedder sends in come from here best.
    pub fn pool(&self) -> &Pool {
        &self.monitor.pool
    }

    /// What works, but not as well as it could.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Starts a thread for each distributor and each worker, pinned to its core, and one for the
    /// control plane.
    ///
    /// # Errors
    /// [`StartError`] if the system has no thread; those already started are stopped again.
    pub fn start(self) -> Result<Running, StartError> {
        let mut running = Running {
            monitor: self.monitor,
            events: self.events,
            doorbells: self.doorbells,
            stop: Arc::default(),
            workers_gone: Arc::default(),
            control_stop: Arc::default(),
            workers: Vec::new(),
            distributors: Vec::new(),
            control: None,
        };
        spawn_all(&mut running, self.control, self.workers, self.distributors)?;
        Ok(running)
    }

    /// Hands the engine's objects over to be polled.
    pub fn into_workers(self) -> Parts {
        Parts {
            workers: self.workers,
            distributors: self.distributors,
            control: self.control,
            monitor: self.monitor,
            events: self.events,
        }
    }
}

/// Starts all threads. On an error what has no thread yet is dropped on return, before the caller
/// stops the others: these must not wait for it.
fn spawn_all(
    running: &mut Running,
    control: Control,
    workers: Vec<Worker>,
    distributors: Vec<Distributor>,
) -> Result<(), StartError> {
    let stop = Arc::clone(&running.control_stop);
    running.control = Some(spawn("control".to_owned(), move || control.run(&stop))?);
    for worker in workers {
        let stop = Arc::clone(&running.stop);
        let name = format!("worker-{}", worker.id().0);
        running
            .workers
            .push(spawn(name, move || worker.run(&stop))?);
    }
    for distributor in distributors {
        let (stop, gone) = (Arc::clone(&running.stop), Arc::clone(&running.workers_gone));
        let name = format!("distributor-{}", distributor.nic());
        running
            .distributors
            .push(spawn(name, move || distributor.run(&stop, &gone))?);
    }
    Ok(())
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    thread::Builder::new()
        .name(name.clone())
        .spawn(run)
        .map_err(|source| StartError { name, source })
}

/// An engine that runs. Dropping it stops it.
pub struct Running {
    monitor: Monitor,
    events: Events,
    doorbells: Vec<Doorbell>,
    /// Distributors take nothing more from their links; workers end with their rings.
    stop: Arc<AtomicBool>,
    /// Distributors have nothing more to send.
    workers_gone: Arc<AtomicBool>,
    control_stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    distributors: Vec<JoinHandle<()>>,
    control: Option<JoinHandle<()>>,
}

impl Running {
    /// The NIC of this number.
    pub fn nic(&self, id: NicId) -> Option<&Nic> {
        self.monitor.nics.get(usize::from(id.0))
    }

    /// What happened. A clone can be read after the engine has stopped.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The counters as they are now.
    pub fn report(&self) -> EngineReport {
        self.monitor.report()
    }

    /// Reads the counters, from any thread.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Whether every link is at its end, and everything from it handed over.
    pub fn finished(&self) -> bool {
        self.monitor.links_finished()
    }

    /// Waits until every frame that was taken from a link is accounted for. Returns false if that
    /// is not so within `timeout`, as while links keep delivering.
    pub fn drain(&self, timeout: Duration) -> bool {
        // Beyond what the clock can say is for ever.
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let report = self.report();
            let settled = report.nics.iter().all(|nic| nic.totals.balance() == 0);
            if settled && report.in_flight == 0 {
                return true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Stops: distributors take nothing more from their links and hand over what they have,
    /// workers finish what is in the rings, replies are sent. Returns the last counters.
    pub fn stop(mut self) -> EngineReport {
        self.halt();
        self.monitor.report()
    }

    fn halt(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.doorbells.iter().for_each(Doorbell::ring);
        join(&mut self.workers);
        self.workers_gone.store(true, Ordering::Release);
        join(&mut self.distributors);
        self.control_stop.store(true, Ordering::Release);
        if let Some(control) = &self.control {
            control.thread().unpark();
        }
        join(&mut self.control.take().into_iter().collect());
    }
}

/// Waits for threads. If one has panicked it is not a handler's doing (that is caught) but a link's
/// or ours, and is passed on unless we are unwinding already.
fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        if let Err(panic) = thread.join()
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.halt();
    }
}
