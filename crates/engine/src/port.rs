//! One NIC as one worker serves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::{DropReason, NicCounter, NicDatapath, NicId, QueuedFrames, StackDatapath};
use corelane_sync::ring::Consumer;

use crate::link::{LinkError, Queues, RxQueue, RxStatus};
use crate::node::{LinkOutput, Observer, Outlet};

/// Where a worker's frames come from.
pub(crate) enum Source {
    /// From a distributor.
    Ring(Consumer<Frame>),
    /// From a receive queue of the worker's own.
    Queue {
        queue: Box<dyn RxQueue>,
        /// Whether it rings the worker when frames arrive.
        rings: bool,
    },
    /// At its end.
    Ended,
}

/// The NIC's own frames, on the one worker that serves them.
pub(crate) struct Queued {
    /// To be taken as if received.
    pub(crate) looped: QueuedFrames,
    /// To be sent; where a distributor has the transmit queue, it is the one that sends them.
    pub(crate) outbound: Option<QueuedFrames>,
}

impl Queued {
    #[inline]
    fn is_empty(&self) -> bool {
        self.looped.is_empty() && self.outbound.as_ref().is_none_or(QueuedFrames::is_empty)
    }
}

/// Ports, in a list that can grow and change hands without moving them.
pub(crate) type Ports = Vec<Box<Port>>;

/// A worker's ports beside one of them.
pub(crate) struct Others<'p> {
    before: &'p mut [Box<Port>],
    after: &'p mut [Box<Port>],
}

impl<'p> Others<'p> {
    /// The port at `at`, and the others; None if there is none there.
    pub(crate) fn around(ports: &'p mut [Box<Port>], at: usize) -> Option<(&'p mut Port, Self)> {
        let (before, rest) = ports.split_at_mut_checked(at)?;
        let (port, after) = rest.split_first_mut()?;
        Some((port, Self { before, after }))
    }

    /// The port of a NIC, with its number, if it is one of the others.
    pub(crate) fn of(&mut self, nic: NicId) -> Option<(usize, &mut Port)> {
        let behind = self.before.len() + 1;
        let before = self.before.iter_mut().enumerate();
        let after = self.after.iter_mut().enumerate();
        before
            .chain(after.map(|(at, port)| (behind + at, port)))
            .find(|(_, port)| port.id() == nic)
            .map(|(at, port)| (at, &mut **port))
    }
}

/// One NIC as one worker serves it.
pub(crate) struct Port {
    source: Source,
    pub(crate) nic: NicDatapath,
    pub(crate) output: LinkOutput,
    queued: Option<Queued>,
    /// Whether the receive queue, if it is the worker's own, is at its end and everything from it
    /// is accounted for.
    ended: Arc<AtomicBool>,
    /// Whether the transmit queue may hold frames back, and has to be polled for them.
    holds_back: bool,
}

impl Port {
    pub(crate) fn new(
        source: Source,
        nic: NicDatapath,
        outlet: Outlet,
        queued: Option<Queued>,
        ended: Arc<AtomicBool>,
    ) -> Self {
        let output = LinkOutput::new(outlet);
        let holds_back = output.holds_back();
        Self {
            source,
            nic,
            output,
            queued,
            ended,
            holds_back,
        }
    }

    pub(crate) fn id(&self) -> NicId {
        self.nic.id()
    }

    /// Takes what there is, up to a burst.
    pub(crate) fn receive(
        &mut self,
        cache: &mut PoolCache,
        burst: &mut Burst,
    ) -> Result<(), LinkError> {
        match &mut self.source {
            Source::Ring(ring) => {
                if ring.pop_burst(burst) == 0 && ring.is_closed() && ring.is_empty() {
                    self.source = Source::Ended;
                }
                Ok(())
            }
            Source::Queue { queue, .. } => {
                let status = queue.rx_burst(cache, burst);
                let nic = self.nic.id();
                burst.iter_mut().for_each(|frame| frame.set_nic(nic.0));
                if status
                    .as_ref()
                    .map_or(true, |status| *status == RxStatus::Finished)
                {
                    self.source = Source::Ended;
                }
                status.map(drop)
            }
            Source::Ended => Ok(()),
        }
    }

    /// Everything that was received is accounted for: tells, if it was the last.
    #[inline]
    pub(crate) fn settle(&self) {
        if self.is_ended() && !self.ended.load(Ordering::Relaxed) {
            self.ended.store(true, Ordering::Release);
        }
    }

    /// Whether the NIC's own queues have frames: some loads on one worker, none on the others.
    #[inline]
    fn has_queued(&self) -> bool {
        self.queued
            .as_ref()
            .is_some_and(|queued| !queued.is_empty())
    }

    /// Whether there may be something to send or to take that no burst brings.
    #[inline]
    pub(crate) fn wants_poll(&self) -> bool {
        self.has_queued() | self.holds_back
    }

    /// Sends what the transmit queue held back and is due.
    pub(crate) fn send_held_back(&mut self, cache: &mut PoolCache) -> Result<(), LinkError> {
        if !self.holds_back {
            return Ok(());
        }
        let sent = self.output.poll(cache);
        self.holds_back &= sent.is_ok();
        sent
    }

    /// How long until a queue has something to do though nothing arrives.
    pub(crate) fn due_in(&mut self) -> Option<Duration> {
        let received = match &mut self.source {
            Source::Queue { queue, .. } => queue.due_in(),
            Source::Ring(_) | Source::Ended => None,
        };
        received.into_iter().chain(self.output.due_in()).min()
    }

    /// Puts frames of the NIC's own in line to be sent; returns how many.
    pub(crate) fn take_outbound(&mut self) -> usize {
        let outbound = self.queued.as_ref().and_then(|q| q.outbound.as_ref());
        outbound.map_or(0, |queue| self.output.take_queued(queue))
    }

    /// Takes frames that the NIC sent to itself, up to a burst.
    pub(crate) fn take_looped(&mut self, burst: &mut Burst) {
        let Some(queued) = &self.queued else { return };
        let frames = queued.looped.pop_burst(burst);
        if frames > 0 {
            let nic = self.nic.id();
            burst.iter_mut().for_each(|frame| frame.set_nic(nic.0));
            self.nic.counters.add(NicCounter::Looped, frames as u64);
            self.output.begin_loop();
        }
    }

    /// Puts the answers to such frames in line with them.
    pub(crate) fn loop_answers(&mut self, cache: &mut PoolCache) {
        let (view, counters) = self.nic.load();
        self.output.end_loop(&view, cache, counters);
    }

    /// Sends what is in line.
    pub(crate) fn flush<O: Observer>(
        &mut self,
        cache: &mut PoolCache,
        stack: &mut StackDatapath,
        observer: &mut O,
    ) -> Result<(), LinkError> {
        let (view, counters) = self.nic.load();
        self.output
            .flush(&view, stack.seat(), cache, counters, observer)
    }

    /// Whether nothing will come from the link any more.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.source, Source::Ended)
    }

    /// Polls no receive queue of the worker's own any more; a ring ends when its distributor lets
    /// go.
    pub(crate) fn end_queue(&mut self) {
        if matches!(self.source, Source::Queue { .. }) {
            self.source = Source::Ended;
        }
    }

    /// Whether the worker is rung when there is work.
    pub(crate) fn rings(&self) -> bool {
        match self.source {
            Source::Ring(_) | Source::Ended => true,
            Source::Queue { rings, .. } => rings,
        }
    }

    /// Whether frames wait.
    pub(crate) fn has_work(&mut self) -> bool {
        let from_link = match &mut self.source {
            Source::Ring(ring) => !ring.is_empty() || ring.is_closed(),
            Source::Queue { queue, .. } => queue.has_frames(),
            Source::Ended => false,
        };
        from_link || self.has_queued()
    }

    /// Of a removed NIC: drops what a distributor has handed over, and counts it.
    pub(crate) fn discard(&mut self) {
        let Source::Ring(ring) = &mut self.source else {
            return;
        };
        let mut burst = Burst::new();
        while ring.pop_burst(&mut burst) > 0 {
            let frames = burst.len() as u64;
            let bytes: usize = burst.iter().map(Frame::len).sum();
            let counters = &mut self.nic.counters;
            counters.add(NicCounter::Drop(DropReason::NicDisabled), frames);
            counters.add(NicCounter::ReceivedBytes, bytes as u64);
            counters.add(NicCounter::Received, frames);
            burst.clear();
        }
    }

    /// Gives back its own queues, if it has any.
    pub(crate) fn into_queues(self, queues: &mut Queues) {
        if let Source::Queue { queue, .. } = self.source {
            queues.rx.push(queue);
        }
        queues.tx.extend(self.output.into_queue());
    }
}
