//! A distributor: it polls a link that has one receive queue and spreads the frames over the
//! workers by RSS; the workers' frames for that link pass through it on their way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::{Event, EventSender, NicCounter, NicId};
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::{Doorbell, Sleeper};
use corelane_sync::ring::{Consumer, Producer};

use crate::allocations::Allocations;
use crate::cores;
use crate::idle::{self, Idle, Idler, Next};
use crate::link::{LinkError, RxQueue, RxStatus, TxQueue};
use crate::node;
use crate::rss::{IndirectionTable, Toeplitz, hash_frames};

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
    /// The link is at its end and everything is handed over.
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
}

/// What others may know of a distributor.
#[derive(Default)]
pub(crate) struct DistributorStatus {
    pub(crate) finished: AtomicBool,
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
    /// The receive queue, and the worker's ring, whose turn it is.
    next_rx: usize,
    next_outgoing: usize,
}

impl Distributor {
    pub(crate) fn new(parts: DistributorParts) -> (Self, CounterReader<DistributorCounter>) {
        let (writer, reader) = counters();
        let distributor = Self {
            idler: Idler::new(parts.idle, parts.crowded),
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
        if self.ended && self.is_empty() {
            self.parts.status.finished.store(true, Ordering::Release);
            return Polled::Finished;
        }
        Polled::Idle
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
        taken
    }

    /// Sends a burst; what the link has no room for is dropped and counted.
    fn send(&mut self) {
        let DistributorParts {
            tx, cache, sent, ..
        } = &mut self.parts;
        let result = match tx {
            Some(queue) => node::transmit(&mut **queue, cache, &mut self.outbound, sent),
            None => Ok(()),
        };
        node::drop_unsent(cache, &mut self.outbound, sent);
        if let Err(error) = result {
            self.parts.tx = None;
            self.report(&error);
        }
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
                Polled::Finished if !lanes_closed => {
                    // Closes the rings. The workers' replies still have to go out.
                    self.parts.lanes.clear();
                    lanes_closed = true;
                }
                Polled::Finished if workers_gone.load(Ordering::Acquire) => {
                    // They are gone, so that what this finds is all there is.
                    while self.transmit() > 0 {}
                    return;
                }
                Polled::Waiting | Polled::Idle | Polled::Finished => {
                    if self.idler.wait() == Next::Sleep {
                        // Nobody rings when a ring has room again.
                        let rings = self.parts.rings && self.is_empty();
                        let Self { parts, .. } = &mut self;
                        let DistributorParts {
                            sleeper,
                            outgoing,
                            rx,
                            ..
                        } = parts;
                        idle::sleep(sleeper, rings, || {
                            outgoing.iter_mut().any(|ring| !ring.is_empty())
                                || rx.iter_mut().any(|queue| queue.has_frames())
                        });
                    }
                }
            }
        }
    }
}

impl Drop for Distributor {
    /// Frames that were never handed over are counted as if their ring were full.
    fn drop(&mut self) {
        let pending: usize = self.parts.lanes.iter().map(|lane| lane.pending.len()).sum();
        let left = pending + self.inbound.len();
        self.counters.add(DistributorCounter::RingFull, left as u64);
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
