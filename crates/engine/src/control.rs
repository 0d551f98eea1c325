//! The control thread: it takes what workers punt, runs the NICs' timers, and unlinks, closes and
//! frees what no worker can see any more, so that no worker ever frees what another thread made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corelane_frame::{BURST, Burst, Frame};
use corelane_stack::{Event, Nic, NicId, Time};
use corelane_sync::doorbell::Sleeper;
use corelane_sync::ring::Consumer;

use crate::command::Returned;
use crate::lifecycle::{Removal, Shared};
use crate::node::{Observer, Quiet, Traced};
use crate::punt::{NeighborPunt, PUNT_RING};
use crate::trace::{self, Actor, Outcome, Tracer};

/// Between two rounds while something waits for a worker to move on.
const SOON: Duration = Duration::from_millis(1);

/// Between two rounds otherwise, for who polls without a bell: how late what another thread has
/// changed may be noticed.
const LATER: Duration = Duration::from_millis(10);

/// The longest sleep of the engine's own thread, which is called when there is something to look at:
/// a bound on what a socket that was closed keeps.
const NAP: Duration = Duration::from_secs(1);

/// Bursts taken of what one worker punts in one round: a flood does not hold up the timers.
const PUNTED_BURSTS: usize = PUNT_RING / BURST;

/// The control plane's share of the work, as an object that one thread polls.
pub struct Control {
    shared: Arc<Shared>,
    /// By number, as of `generation`.
    nics: Vec<Nic>,
    generation: Option<u64>,
    workers: Vec<FromWorker>,
    removals: Vec<Removal>,
    /// Removed NICs whose endpoints somebody still holds: they are closed when they are let go.
    departed: Vec<Nic>,
    deadline: Option<Time>,
    sleeper: Sleeper,
    tracer: Option<Box<dyn Tracer>>,
}

/// What comes from one worker.
pub(crate) struct FromWorker {
    pub(crate) punted: Consumer<Frame>,
    pub(crate) unresolved: Consumer<NeighborPunt>,
    pub(crate) returned: Consumer<Returned>,
}

impl FromWorker {
    fn has_work(&mut self) -> bool {
        !self.punted.is_empty() || !self.unresolved.is_empty() || !self.returned.is_empty()
    }
}

impl Control {
    pub(crate) fn new(
        shared: Arc<Shared>,
        workers: Vec<FromWorker>,
        sleeper: Sleeper,
        tracer: Option<Box<dyn Tracer>>,
    ) -> Self {
        Self {
            shared,
            nics: Vec::new(),
            generation: None,
            workers,
            removals: Vec::new(),
            departed: Vec::new(),
            deadline: None,
            sleeper,
            tracer,
        }
    }

    /// One round: deals with what workers have punted, runs the timers that are due, goes on with
    /// the removal of NICs, and frees what can be freed. Returns how long the next one can wait, by
    /// the system's clock.
    pub fn poll(&mut self) -> Duration {
        self.round().min(LATER)
    }

    /// A round. Returns how long the next one can wait for whoever is called by [the
    /// stack](corelane_stack::Stack::ring_control).
    fn round(&mut self) -> Duration {
        let mut returned = Vec::new();
        let mut gone = Vec::new();
        for (worker, from) in self.workers.iter_mut().enumerate() {
            // Asked first: what it gave up before it went is in the ring by now.
            if from.returned.is_closed() {
                gone.push(worker);
            }
            while let Some(item) = from.returned.pop() {
                if let Returned::Port(port) = item {
                    returned.push((worker, port));
                }
            }
        }
        // After that: the removal of what came back is known by now.
        let tracer = {
            let mut roster = self.shared.roster();
            roster.catch_up(&mut self.generation, &mut self.nics, &mut self.removals);
            roster.take_control_tracer()
        };
        if let Some(tracer) = tracer {
            self.tracer = tracer;
        }
        for (worker, port) in returned {
            let id = port.id();
            if let Some(removal) = self.removals.iter_mut().find(|removal| removal.id() == id) {
                removal.take_back(worker, port);
            }
        }
        for removal in &mut self.removals {
            gone.iter().for_each(|worker| removal.gone(*worker));
        }
        // After ports came back: all that they have punted is in the rings by now, and dealt with
        // before their NIC's number can be another one's.
        self.take_punted();
        self.take_unresolved();
        self.deadline = self.shared.wiring.stack.poll();
        let mut waiting = self.shared.wiring.stack.reclaim();
        for nic in &self.nics {
            let deadlines = [self.deadline, nic.poll()];
            self.deadline = deadlines.into_iter().flatten().min();
            waiting += nic.reclaim();
        }
        self.go_on_with_removals();
        self.departed.retain(|nic| {
            nic.reclaim() > 0 || nic.endpoint_count() > 0 || nic.held_temporaries() > 0
        });
        let pause = if waiting > 0 || !self.removals.is_empty() {
            SOON
        } else if self.shared.wiring.stack.has_manual_clock() {
            // Whoever sets it rings nobody.
            LATER
        } else {
            NAP
        };
        let now = self.shared.wiring.stack.now();
        self.deadline
            .map_or(pause, |deadline| pause.min(deadline.saturating_since(now)))
    }

    /// When the next timer is due, by the engine's clock, as of the last round. None if there is no
    /// timer.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    fn take_punted(&mut self) {
        let mut burst = Burst::new();
        for from in &mut self.workers {
            for _ in 0..PUNTED_BURSTS {
                if from.punted.pop_burst(&mut burst) == 0 {
                    break;
                }
                for frame in burst.drain(..) {
                    let id = NicId(frame.nic());
                    match &mut self.tracer {
                        None => control_input(&self.nics, id, &frame, &mut Quiet),
                        Some(tracer) => {
                            let mut traced = Traced::new(&mut **tracer, Actor::Control, id);
                            control_input(&self.nics, id, &frame, &mut traced);
                        }
                    }
                }
            }
        }
    }

    /// What waits for a neighbor, and who was sent to.
    fn take_unresolved(&mut self) {
        let stack = &self.shared.wiring.stack;
        let tracer = &mut self.tracer;
        for from in &mut self.workers {
            for _ in 0..PUNT_RING {
                match from.unresolved.pop() {
                    None => break,
                    Some(NeighborPunt::Used(neighbor)) => stack.neighbor_used(neighbor),
                    Some(NeighborPunt::Unresolved {
                        frame,
                        nic,
                        next_hop,
                    }) => {
                        if let Some(tracer) = tracer {
                            let nic = NicId(frame.nic());
                            let mut traced = Traced::new(&mut **tracer, Actor::Control, nic);
                            traced.step(&frame, Outcome::Control(trace::Control::Resolving));
                        }
                        stack.resolve_for(frame, nic, next_hop);
                    }
                }
            }
        }
    }

    fn go_on_with_removals(&mut self) {
        let done: Vec<Removal> = self.removals.extract_if(.., Removal::advance).collect();
        for removal in done {
            self.join_distributor(&removal);
            let nic = removal.id();
            self.departed.push(removal.finish());
            self.shared.roster().left(nic);
            self.shared.wiring.events.send(Event::NicRemoved { nic });
        }
    }

    /// Waits for the thread of a distributor that has let go: it has nothing left to do.
    fn join_distributor(&self, removal: &Removal) {
        let Some(handle) = &removal.distributor else {
            return;
        };
        let thread = self.shared.roster().take_thread(&handle.monitor.status);
        if let Some(thread) = thread
            && let Err(panic) = thread.join()
        {
            // Whoever stops the engine is to know.
            self.shared.roster().panics.push(panic);
        }
    }

    /// Rounds until `stop` is set, and a last one.
    pub(crate) fn run(mut self, stop: &Arc<AtomicBool>) {
        while !stop.load(Ordering::Acquire) {
            let calls = self.shared.wiring.stack.control_calls();
            let pause = self.round();
            let Self {
                sleeper,
                workers,
                shared,
                ..
            } = &mut self;
            sleeper.sleep(Some(pause), || {
                stop.load(Ordering::Acquire)
                    || shared.wiring.stack.control_calls() != calls
                    || workers.iter_mut().any(FromWorker::has_work)
            });
        }
        self.round();
    }
}

impl Drop for Control {
    /// Nobody sees removals through any more: those that are open end here.
    fn drop(&mut self) {
        let late = self.shared.roster().end();
        for removal in self.removals.drain(..).chain(late) {
            let nic = removal.id();
            removal.finish();
            self.shared.roster().left(nic);
            self.shared.wiring.events.send(Event::NicRemoved { nic });
        }
    }
}

/// Gives a punted frame to its NIC; it goes back to its pool.
fn control_input<O: Observer>(nics: &[Nic], id: NicId, frame: &Frame, observer: &mut O) {
    let nic = nics.binary_search_by_key(&id, Nic::id).ok();
    let outcome = match nic.and_then(|at| nics.get(at)) {
        Some(nic) => trace::Control::Verdict(nic.control_input(frame)),
        None => trace::Control::NicGone,
    };
    observer.step(frame, Outcome::Control(outcome));
}
