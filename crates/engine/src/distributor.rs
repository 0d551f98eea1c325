//! A distributor: it polls a link that has one receive queue and spreads the frames over the
//! workers by RSS; the workers' frames for that link pass through it on their way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::{Event, EventSender, NicCounter, NicId, QueuedFrames};
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::{Doorbell, Sleeper};
use corelane_sync::ring::{Consumer, Producer};

use crate::allocations::Allocations;
use crate::command::TracerEnd;
use crate::cores;
use crate::idle::{self, Idle, Idler, Next};
use crate::link::{LinkError, Queues, RxQueue, RxStatus, TxQueue};
use crate::node::{self, Observer, Quiet, Traced};
use crate::rss::{IndirectionTable, Toeplitz, hash_frames};
use crate::trace::{Actor, Tracer};

/// What a distributor does with a frame whose worker's ring is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Drops it and counts it.
    #[default]
    Drop,
    /// Holds it, and takes nothing more from the link until there is room.
    Wait,
}

/// What a distributor counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DistributorCounter {
    Taken,
    HandedOver,
    RingFull,
    WaitPolls,
    Polls,
    EmptyPolls,
    Allocations,
    Frees,
}

impl CounterKey for DistributorCounter {
    const COUNT: usize = 8;

    #[inline]
    fn index(self) -> usize {
        self as usize
    }
}

/// The way to one worker.
pub(crate) struct Lane {
    pub(crate) ring: Producer<Frame>,
    /// Rung after frames were handed over, where workers sleep.
    pub(crate) doorbell: Option<Doorbell>,
    /// Frames for this worker that have not been handed over: waiting for company, or for room.
    pub(crate) pending: Burst,
    /// Polls since the first of them came.
    pub(crate) age: u32,
}

impl Lane {
    pub(crate) fn new(ring: Producer<Frame>, doorbell: Option<Doorbell>) -> Self {
        Self {
            ring,
            doorbell,
            pending: Burst::new(),
            age: 0,
        }
    }
}

/// Frames that are worth a hand-over. One at a time the ring between two cores collapses.
const WORTHWHILE: usize = 32;

/// Polls after which fewer are handed over too: the bound on what the wait for company costs.
const PATIENCE: u32 = 4;

/// Bursts of one worker's frames that are sent before the next one's turn: as many as the worker
/// can have made of what one poll took from the link, and some to catch up.
const BURSTS_OUT: usize = 4;

/// What one poll of a distributor came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There was something to do.
    Worked,
    /// There was nothing.
    Idle,
    /// A ring is full and the link has to wait.
    Waiting,
    /// The link is at its end and everything is handed over; or the NIC is removed, and the link is
    /// closed.
    Finished,
}

/// Everything a distributor is made from.
pub(crate) struct DistributorParts {
    pub(crate) nic: NicId,
    pub(crate) core: Option<usize>,
    pub(crate) rx: Vec<Box<dyn RxQueue>>,
    pub(crate) tx: Option<Box<dyn TxQueue>>,
    pub(crate) lanes: Vec<Lane>,
    /// The workers' frames for this link.
    pub(crate) outgoing: Vec<Consumer<Frame>>,
    /// The NIC's own.
    pub(crate) queued: QueuedFrames,
    pub(crate) toeplitz: Toeplitz,
    pub(crate) indirection: IndirectionTable,
    pub(crate) cache: PoolCache,
    pub(crate) when_full: WhenFull,
    pub(crate) sleeper: Sleeper,
    pub(crate) rings: bool,
    pub(crate) idle: Idle,
    pub(crate) crowded: bool,
    pub(crate) events: EventSender,
    pub(crate) status: Arc<DistributorStatus>,
    /// The NIC's count of what is sent here.
    pub(crate) sent: CounterWriter<NicCounter>,
    pub(crate) tracer: Option<Box<dyn Tracer>>,
    pub(crate) tracers: TracerEnd,
}

/// What others may know of a distributor.
#[derive(Default)]
pub(crate) struct DistributorStatus {
    /// The link is at its end and everything from it is handed over.
    pub(crate) finished: Arc<AtomicBool>,
    /// A [`Removal`], as a number; 0 if nobody has asked for it.
    removal: AtomicU8,
    /// It has let go of link and rings.
    gone: AtomicBool,
}

/// How far the removal of a distributor's NIC has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Removal {
    /// Take nothing more from the link. Workers may still have something to send.
    Begun = 1,
    /// The workers have let go: send what they left, and let go too.
    LastOfIt = 2,
}

impl DistributorStatus {
    /// Tells the distributor. It has to be rung for if it may sleep.
    pub(crate) fn remove(&self, removal: Removal) {
        self.removal.store(removal as u8, Ordering::Release);
    }

    /// Whether the distributor has let go of everything.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Whether the removal has come this far.
    #[inline]
    fn has_come(&self, removal: Removal) -> bool {
        self.removal.load(Ordering::Acquire) >= removal as u8
    }
}

/// Spreads the frames of one link over the workers.
///
/// Like a [`Worker`](crate::Worker) it is an object that one thread polls.
pub struct Distributor {
    parts: DistributorParts,
    idler: Idler,
    counters: CounterWriter<DistributorCounter>,
    inbound: Burst,
    outbound: Burst,
    /// No frame will come from the link any more.
    ended: bool,
    /// Whether the transmit queue may hold frames back, and has to be polled for them.
    holds_back: bool,
    /// The receive queue, and the worker's ring, whose turn it is.
    next_rx: usize,
    next_outgoing: usize,
}

impl Distributor {
    pub(crate) fn new(parts: DistributorParts) -> (Self, CounterReader<DistributorCounter>) {
        let (writer, reader) = counters();
        let distributor = Self {
            idler: Idler::new(parts.idle, parts.crowded),
            holds_back: parts.tx.as_ref().is_some_and(|queue| queue.holds_back()),
            parts,
            counters: writer,
            inbound: Burst::new(),
            outbound: Burst::new(),
            ended: false,
            next_rx: 0,
            next_outgoing: 0,
        };
        (distributor, reader)
    }

    /// The NIC whose link it polls.
    pub fn nic(&self) -> NicId {
        self.parts.nic
    }

    pub(crate) fn status(&self) -> Arc<DistributorStatus> {
        Arc::clone(&self.parts.status)
    }

    /// The core it is to run on, if any.
    pub fn core(&self) -> Option<usize> {
        self.parts.core
    }

    /// Takes a burst from the link, spreads it, and sends what the workers have for the link.
    #[inline(never)]
    pub fn poll(&mut self) -> Polled {
        let before = Allocations::begin();
        let polled = self.work();
        before.end(
            &mut self.counters,
            DistributorCounter::Allocations,
            DistributorCounter::Frees,
        );
        polled
    }

    fn work(&mut self) -> Polled {
        self.counters.add(DistributorCounter::Polls, 1);
        self.parts.tracers.refresh(&mut self.parts.tracer);
        self.ended |= self.parts.status.has_come(Removal::Begun);
        // Asked before what the workers left is sent: if they have let go, that is all of it.
        let is_last = self.ended && self.parts.status.has_come(Removal::LastOfIt);
        let mut worked = self.transmit();
        worked += self.spread();
        if !self.inbound.is_empty() {
            // A ring is full and its frames wait for room: so does the link, and with it what is
            // behind them, so that no flow is reordered.
            worked += self.hand_over(true);
            self.counters.add(DistributorCounter::WaitPolls, 1);
            return if worked > 0 {
                Polled::Worked
            } else {
                Polled::Waiting
            };
        }
        worked += self.receive();
        if worked > 0 {
            return Polled::Worked;
        }
        self.counters.add(DistributorCounter::EmptyPolls, 1);
        if !self.ended || !self.is_empty() {
            return Polled::Idle;
        }
        self.parts.status.finished.store(true, Ordering::Release);
        if is_last {
            self.let_go();
        } else if self.parts.status.has_come(Removal::Begun) {
            return Polled::Idle;
        }
        Polled::Finished
    }

    /// Gives back the link's queues, before anything was taken from them.
    pub(crate) fn into_queues(mut self, queues: &mut Queues) {
        queues.rx.append(&mut self.parts.rx);
        queues.tx.extend(self.parts.tx.take());
    }

    /// Closes the link and the rings, and says so.
    fn let_go(&mut self) {
        self.count_left();
        self.parts.tx = None;
        // What the workers left for the link goes nowhere any more, and is counted.
        while self.transmit() > 0 {}
        let parts = &mut self.parts;
        parts.rx.clear();
        parts.outgoing.clear();
        self.close_lanes();
        self.parts.status.gone.store(true, Ordering::Release);
    }

    /// Closes the rings, and wakes the workers to see that.
    fn close_lanes(&mut self) {
        for Lane { ring, doorbell, .. } in self.parts.lanes.drain(..) {
            drop(ring);
            if let Some(doorbell) = doorbell {
                doorbell.ring();
            }
        }
    }

    /// Frames that were never handed over are counted as if their ring were full.
    fn count_left(&mut self) {
        let pending = self.parts.lanes.iter_mut().map(|lane| &mut lane.pending);
        let mut left = 0;
        for burst in pending.chain([&mut self.inbound]) {
            left += burst.len() as u64;
            self.parts.cache.recycle_burst(burst);
        }
        self.counters.add(DistributorCounter::RingFull, left);
    }

    /// Whether it has let go because its NIC is removed: there is nothing more to poll for.
    fn is_gone(&self) -> bool {
        self.parts.status.is_gone()
    }

    /// Whether no frame waits to be handed over.
    fn is_empty(&self) -> bool {
        self.inbound.is_empty() && self.parts.lanes.iter().all(|lane| lane.pending.is_empty())
    }

    /// Polls the receive queues in turn until one burst cannot be spread whole; returns how many
    /// frames moved.
    fn receive(&mut self) -> usize {
        let mut moved = 0;
        let mut quiet = true;
        // In turn, beginning where the last poll had to stop.
        for _ in 0..self.parts.rx.len() {
            if self.ended || !self.inbound.is_empty() || self.parts.rx.is_empty() {
                break;
            }
            self.next_rx %= self.parts.rx.len();
            let queue = &mut self.parts.rx[self.next_rx];
            let status = queue.rx_burst(&mut self.parts.cache, &mut self.inbound);
            self.identify();
            moved += self.spread();
            match status {
                Ok(RxStatus::Finished) => drop(self.parts.rx.swap_remove(self.next_rx)),
                Ok(status) => {
                    quiet &= status == RxStatus::Idle;
                    self.next_rx += 1;
                }
                Err(error) => {
                    self.report(&error);
                    drop(self.parts.rx.swap_remove(self.next_rx));
                }
            }
        }
        self.ended |= self.parts.rx.is_empty();
        // If nothing more will come soon, what is there goes without waiting for company.
        moved + self.hand_over(quiet || self.ended)
    }

    /// Marks a burst from the link with its NIC and RSS hash.
    fn identify(&mut self) {
        if self.inbound.is_empty() {
            return;
        }
        self.counters
            .add(DistributorCounter::Taken, self.inbound.len() as u64);
        let DistributorParts { nic, toeplitz, .. } = &self.parts;
        for frame in &mut self.inbound {
            frame.set_nic(nic.0);
        }
        hash_frames(toeplitz, &mut self.inbound);
    }

    /// Sorts the burst into the lanes, as far as there is room; returns how many frames went.
    fn spread(&mut self) -> usize {
        let DistributorParts {
            lanes,
            indirection,
            when_full,
            cache,
            ..
        } = &mut self.parts;
        let arrived = self.inbound.len();
        if let [lane] = &mut lanes[..]
            && lane.pending.is_empty()
            && arrived >= WORTHWHILE
        {
            // One worker and a burst that is worth it: straight into the ring.
            std::mem::swap(&mut lane.pending, &mut self.inbound);
            push(lane, *when_full, cache, &mut self.counters);
            return arrived;
        }
        let mut went = 0;
        for frame in &mut self.inbound {
            let Some(lane) = lanes.get_mut(indirection.worker(frame.rss_hash())) else {
                break;
            };
            if lane.pending.is_full() {
                push(lane, *when_full, cache, &mut self.counters);
                if lane.pending.is_full() {
                    break;
                }
            }
            lane.pending.push(std::mem::take(frame));
            went += 1;
        }
        // Only empty handles are dropped here.
        drop(self.inbound.drain(..went));
        went
    }

    /// Hands pending frames over where there are enough of them, or all if `now`; returns how many.
    fn hand_over(&mut self, now: bool) -> usize {
        let mut moved = 0;
        let DistributorParts {
            lanes,
            when_full,
            cache,
            ..
        } = &mut self.parts;
        for lane in lanes.iter_mut().filter(|lane| !lane.pending.is_empty()) {
            lane.age += 1;
            if now || lane.pending.len() >= WORTHWHILE || lane.age >= PATIENCE {
                moved += push(lane, *when_full, cache, &mut self.counters);
            }
        }
        moved
    }

    /// Sends what the workers handed over: of each, in turn, up to some bursts.
    fn transmit(&mut self) -> usize {
        if self.holds_back {
            self.send_held_back();
        }
        let workers = self.parts.outgoing.len();
        let mut taken = 0;
        for turn in 0..workers {
            let ring = (self.next_outgoing + turn) % workers;
            for _ in 0..BURSTS_OUT {
                let popped = self.parts.outgoing[ring].pop_burst(&mut self.outbound);
                if popped == 0 {
                    break;
                }
                taken += popped;
                self.send();
            }
        }
        self.next_outgoing = (self.next_outgoing + 1) % workers.max(1);
        if !self.parts.queued.is_empty() {
            taken += self.parts.queued.pop_burst(&mut self.outbound);
            self.send();
        }
        taken
    }

    /// Sends what the transmit queue held back and is due.
    #[inline(never)]
    fn send_held_back(&mut self) {
        let DistributorParts { tx, cache, .. } = &mut self.parts;
        let sent = tx.as_mut().map_or(Ok(()), |queue| queue.poll(cache));
        if let Err(error) = sent {
            self.parts.tx = None;
            self.report(&error);
        }
        self.holds_back = self.parts.tx.is_some();
    }

    /// Sends a burst; what the link has no room for is dropped and counted.
    fn send(&mut self) {
        let nic = self.parts.nic;
        let result = match self.parts.tracer.take() {
            None => self.send_watched(&mut Quiet),
            Some(mut tracer) => {
                let actor = Actor::Distributor(nic);
                let result = self.send_watched(&mut Traced::new(&mut *tracer, actor, nic));
                self.parts.tracer = Some(tracer);
                result
            }
        };
        if let Err(error) = result {
            self.parts.tx = None;
            self.report(&error);
        }
    }

    fn send_watched<O: Observer>(&mut self, observer: &mut O) -> Result<(), LinkError> {
        let DistributorParts {
            tx, cache, sent, ..
        } = &mut self.parts;
        let frames = &mut self.outbound;
        let result = match tx {
            Some(queue) => node::transmit(&mut **queue, cache, frames, sent, observer),
            None => Ok(()),
        };
        node::drop_unsent(cache, frames, sent, observer);
        result
    }

    /// Takes nothing more from the link; further polls hand over what is there and are then
    /// [`Polled::Finished`].
    pub fn end(&mut self) {
        self.ended = true;
    }

    fn report(&self, error: &LinkError) {
        let event = Event::LinkFailed {
            nic: self.parts.nic,
            error: error.to_string(),
        };
        self.parts.events.send(event);
    }

    /// Polls until the link is at its end, or `stop` is set; then hands over what it still holds
    /// and lets go of the rings, which tells the workers.
    pub(crate) fn run(mut self, stop: &Arc<AtomicBool>, workers_gone: &Arc<AtomicBool>) {
        let name = format!("distributor-{}", self.parts.nic);
        cores::pin(name, self.parts.core, &self.parts.events);
        let mut lanes_closed = false;
        loop {
            if !lanes_closed && stop.load(Ordering::Acquire) {
                self.end();
            }
            match self.poll() {
                Polled::Worked => self.idler.worked(),
                Polled::Finished if self.is_gone() => return,
                Polled::Finished if !lanes_closed => {
                    // The workers' replies still have to go out.
                    self.close_lanes();
                    lanes_closed = true;
                }
                Polled::Finished if workers_gone.load(Ordering::Acquire) => {
                    // They are gone, so that what this finds is all there is.
                    while self.transmit() > 0 {}
                    return;
                }
                polled @ (Polled::Waiting | Polled::Idle | Polled::Finished) => {
                    // At its end it has no reason to be busy.
                    if self.idler.wait() == Next::Sleep || polled == Polled::Finished {
                        // Nobody rings when a ring has room again, nor where nobody is to sleep.
                        let rings = self.parts.rings && self.is_empty() && self.parts.idle.sleeps();
                        let Self { parts, ended, .. } = &mut self;
                        let DistributorParts {
                            sleeper,
                            outgoing,
                            queued,
                            rx,
                            tx,
                            tracers,
                            status,
                            ..
                        } = parts;
                        // What it is told by a flag and a bell.
                        let is_told = || {
                            (!lanes_closed && !*ended && stop.load(Ordering::Acquire))
                                || (lanes_closed && workers_gone.load(Ordering::Acquire))
                                || (!*ended && status.has_come(Removal::Begun))
                                || status.has_come(Removal::LastOfIt)
                        };
                        let due = rx.iter_mut().filter_map(|queue| queue.due_in());
                        let due = due.chain(tx.as_mut().and_then(|queue| queue.due_in()));
                        idle::sleep(sleeper, rings, due.min(), || {
                            outgoing.iter_mut().any(|ring| !ring.is_empty())
                                || !queued.is_empty()
                                || rx.iter_mut().any(|queue| queue.has_frames())
                                || tracers.is_ready()
                                || is_told()
                        });
                    }
                }
            }
        }
    }
}

impl Drop for Distributor {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Moves pending frames into the ring; what finds no room stays or is dropped, as `when_full`
/// says. Returns how many left the lane.
fn push(
    lane: &mut Lane,
    when_full: WhenFull,
    cache: &mut PoolCache,
    counters: &mut CounterWriter<DistributorCounter>,
) -> usize {
    let before = lane.pending.len();
    // The worker of a closed ring is gone: what went in would never come out.
    let closed = lane.ring.is_closed();
    let moved = if closed {
        0
    } else {
        lane.ring.push_burst(&mut lane.pending)
    };
    if moved > 0 {
        counters.add(DistributorCounter::HandedOver, moved as u64);
        if let Some(doorbell) = &lane.doorbell {
            doorbell.ring();
        }
    }
    if !lane.pending.is_empty() && (when_full == WhenFull::Drop || closed) {
        counters.add(DistributorCounter::RingFull, lane.pending.len() as u64);
        cache.recycle_burst(&mut lane.pending);
    }
    if lane.pending.is_empty() {
        lane.age = 0;
    }
    before - lane.pending.len()
}
