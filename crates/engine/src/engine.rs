//! An engine, before and while it runs.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use corelane_frame::Pool;
use corelane_stack::{Events, Nic, NicId, Stack};
use corelane_sync::doorbell::Doorbell;
use thiserror::Error;

use crate::builder::Builder;
use crate::control::Control;
use crate::distributor::Distributor;
use crate::lifecycle::{Lifecycle, Shared, Threading, clear_queues, spawn_distributor};
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
    pub(crate) lifecycle: Lifecycle,
    pub(crate) monitor: Monitor,
    pub(crate) events: Events,
    pub(crate) warnings: Vec<Warning>,
}

/// An engine's objects, for an embedder that polls them from threads of its own.
///
/// Each [`Worker`] and each [`Distributor`] is polled by one thread at a time; [`Control`] every
/// few milliseconds, or when it says. The distributors of NICs that are created or enabled later
/// come from [`Lifecycle::take_distributors`]; that of a NIC that is removed is
/// [finished](crate::Polled::Finished), and then dropped.
pub struct Parts {
    /// The workers.
    pub workers: Vec<Worker>,
    /// The distributors.
    pub distributors: Vec<Distributor>,
    /// The control plane's share. Without it no NIC can be created any more, and none is seen
    /// through its removal.
    pub control: Control,
    /// Creates and removes NICs.
    pub lifecycle: Lifecycle,
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
    pub fn nic(&self, id: NicId) -> Option<Nic> {
        self.lifecycle.nic(id)
    }

    /// All NICs, by number.
    pub fn nics(&self) -> Vec<Nic> {
        self.lifecycle.nics()
    }

    /// Creates and removes NICs, now and while the engine runs.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// What the NICs share: routes, neighbors, sockets.
    pub fn stack(&self) -> &Stack {
        self.monitor.stack()
    }

    /// The frame pool: frames that an embedder sends in come from here best.
    pub fn pool(&self) -> &Pool {
        self.monitor.pool()
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
        let Self {
            workers,
            mut distributors,
            control,
            lifecycle,
            monitor,
            events,
            warnings: _,
        } = self;
        let mut running = Running {
            shared: Arc::clone(monitor.shared()),
            lifecycle,
            monitor,
            events,
            threading: Threading {
                stop: Arc::default(),
                workers_gone: Arc::default(),
            },
            control_stop: Arc::default(),
            workers: Vec::new(),
            control: None,
        };
        let threading = running.threading.clone();
        distributors.extend(running.shared.roster().run_threads(threading));
        spawn_all(&mut running, control, workers, distributors)?;
        Ok(running)
    }

    /// Hands the engine's objects over to be polled.
    pub fn into_workers(self) -> Parts {
        Parts {
            workers: self.workers,
            distributors: self.distributors,
            control: self.control,
            lifecycle: self.lifecycle,
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
        let stop = Arc::clone(&running.threading.stop);
        let name = format!("worker-{}", worker.id().0);
        running
            .workers
            .push(spawn(name, move || worker.run(&stop))?);
    }
    for distributor in distributors {
        let thread = spawn_distributor(distributor, running.threading.clone());
        // The distributor goes with the error.
        let thread = thread.map_err(|failed| failed.0)?;
        running.shared.roster().threads.push(thread);
    }
    Ok(())
}

pub(crate) fn spawn(
    name: String,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    thread::Builder::new()
        .name(name.clone())
        .spawn(run)
        .map_err(|source| StartError { name, source })
}

/// An engine that runs. Dropping it stops it.
pub struct Running {
    shared: Arc<Shared>,
    lifecycle: Lifecycle,
    monitor: Monitor,
    events: Events,
    threading: Threading,
    control_stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    control: Option<JoinHandle<()>>,
}

impl Running {
    /// The NIC of this number.
    pub fn nic(&self, id: NicId) -> Option<Nic> {
        self.lifecycle.nic(id)
    }

    /// Creates and removes NICs. A clone can be used from any thread; once the engine has stopped,
    /// no NIC can be created or enabled.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// What the NICs share: routes, neighbors, sockets.
    pub fn stack(&self) -> &Stack {
        self.monitor.stack()
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

    /// Whether the link of every NIC that is there now is at its end, and everything from it handed
    /// over; a link that was never opened is at its end. The engine goes on until it is stopped.
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
        self.shared.roster().stop();
        self.threading.stop.store(true, Ordering::Release);
        self.shared.wiring.bells.iter().for_each(Doorbell::ring);
        self.shared.roster().ring_distributors();
        let mut panics = join(self.workers.drain(..));
        self.threading.workers_gone.store(true, Ordering::Release);
        self.shared.roster().ring_distributors();
        let threads = std::mem::take(&mut self.shared.roster().threads);
        panics.extend(join(threads.into_iter().map(|thread| thread.handle)));
        self.control_stop.store(true, Ordering::Release);
        self.shared.wiring.stack.call_control();
        panics.extend(join(self.control.take()));
        // What a link or a frame does when it is dropped is not done under the lock.
        let links = self.shared.roster().close_links();
        drop(links);
        self.lifecycle.nics().iter().for_each(clear_queues);
        panics.append(&mut self.shared.roster().panics);
        // A panic is not a handler's doing (that is caught) but a link's or ours: it is passed on,
        // unless we are unwinding already.
        if let Some(panic) = panics.into_iter().next()
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Waits for threads; returns what they panicked with.
fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) -> Vec<Box<dyn Any + Send>> {
    threads
        .into_iter()
        .filter_map(|thread| thread.join().err())
        .collect()
}

impl Drop for Running {
    fn drop(&mut self) {
        self.halt();
    }
}
