//! Frames on their way out of a worker.

use std::time::Duration;

use corelane_frame::{Burst, Frame, Marks, PoolCache};
use corelane_stack::{NicCounter, NicView, QueuedFrames, TapWriter};
use corelane_sync::counters::CounterWriter;
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::Producer;
use corelane_sync::seat::Seat;
use corelane_wire::parse_ethernet;

use super::observer::Observer;
use super::segment;
use crate::link::{LinkError, TxQueue};
use crate::trace::{LinkOutput as LinkOutcome, Outcome};

/// Where a worker's frames for one NIC go.
pub(crate) enum Outlet {
    /// A transmit queue of the worker's own.
    Queue(Box<dyn TxQueue>),
    /// To the distributor, which has the NIC's transmit queue; it is rung if it sleeps.
    Ring(Producer<Frame>, Option<Doorbell>),
    /// The link cannot send.
    None,
}

/// The frames a worker is sending on one NIC, and where to.
pub(crate) struct LinkOutput {
    outlet: Outlet,
    staged: Box<Burst>,
    /// How many at its front packet endpoints have been shown.
    shown: usize,
    /// Whether what is put in line answers what the NIC sent to itself.
    is_looping: bool,
    /// How the transmit queue ended, until somebody is told.
    failed: Option<LinkError>,
}

impl LinkOutput {
    pub(crate) fn new(outlet: Outlet) -> Self {
        Self {
            outlet,
            staged: Box::default(),
            shown: 0,
            is_looping: false,
            failed: None,
        }
    }

    /// The line itself, for a handler to put frames in.
    pub(crate) fn outbox(&mut self) -> &mut Burst {
        &mut self.staged
    }

    /// Whether nothing is in line.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    /// Puts frames of the NIC's own in line, which packet endpoints were shown when they were queued;
    /// returns how many. To be called while nothing else is in line.
    pub(crate) fn take_queued(&mut self, queue: &QueuedFrames) -> usize {
        debug_assert!(self.is_empty(), "each burst is sent at its end");
        self.shown = queue.pop_burst(&mut self.staged);
        self.shown
    }

    /// Before a burst that the NIC sent to itself: what is for the NIC itself goes back to it, until
    /// [`end_loop`](Self::end_loop).
    pub(crate) fn begin_loop(&mut self) {
        self.is_looping = true;
    }

    /// After such a burst.
    pub(crate) fn end_loop(
        &mut self,
        view: &NicView<'_>,
        cache: &mut PoolCache,
        counters: &mut CounterWriter<NicCounter>,
    ) {
        self.turn_back(view, cache, counters);
        self.is_looping = false;
    }

    /// Takes what is for the NIC itself out of the line: its answers to itself are on no link, as what they
    /// answer was on none.
    #[cold]
    fn turn_back(
        &mut self,
        view: &NicView<'_>,
        cache: &mut PoolCache,
        counters: &mut CounterWriter<NicCounter>,
    ) {
        let mac = view.mac();
        for frame in self.staged.iter_mut() {
            let link = parse_ethernet(frame.data());
            if link.is_ok_and(|link| link.header.destination == mac) {
                loop_back(std::mem::take(frame), view, cache, counters);
            }
        }
        self.staged.retain(|frame| !frame.is_vacant());
    }

    /// Puts a frame in line: a reply of the stack, or a packet that is sent on. A full line is sent
    /// first. `view` is of the NIC that it leaves by.
    #[inline]
    pub(crate) fn stage<O: Observer>(
        &mut self,
        frame: Frame,
        view: &NicView<'_>,
        seat: &mut Seat,
        cache: &mut PoolCache,
        counters: &mut CounterWriter<NicCounter>,
        observer: &mut O,
    ) {
        if self.staged.is_full() {
            self.make_room(view, seat, cache, counters, observer);
        }
        self.staged.push(frame);
    }

    /// Puts the frames of a burst in line that stand at these places, a bit each.
    #[expect(
        clippy::too_many_arguments,
        reason = "what a worker keeps between bursts is many things"
    )]
    pub(crate) fn stage_places<O: Observer>(
        &mut self,
        frames: &mut Box<Burst>,
        places: u64,
        view: &NicView<'_>,
        seat: &mut Seat,
        cache: &mut PoolCache,
        counters: &mut CounterWriter<NicCounter>,
        observer: &mut O,
    ) {
        if self.staged.is_empty() && places.count_ones() as usize == frames.len() {
            // All of them: no need to take one by one out, and to look for what stayed.
            std::mem::swap(&mut self.staged, frames);
            return;
        }
        let mut left = places;
        while let Some(frame) = frames.get_mut(left.trailing_zeros() as usize) {
            left &= left - 1;
            let frame = std::mem::take(frame);
            self.stage(frame, view, seat, cache, counters, observer);
        }
    }

    /// One burst in makes several out: fragments, or replies beside what a handler sends.
    #[cold]
    pub(super) fn make_room<O: Observer>(
        &mut self,
        view: &NicView<'_>,
        seat: &mut Seat,
        cache: &mut PoolCache,
        counters: &mut CounterWriter<NicCounter>,
        observer: &mut O,
    ) {
        if self.is_looping {
            self.turn_back(view, cache, counters);
        }
        let result = self.flush(view, seat, cache, counters, observer);
        // Told when the rest is sent: the outlet is closed by now.
        self.failed = self.failed.take().or(result.err());
    }

    /// Sends what is in line, and shows it to the packet endpoints that asked for that; what finds no
    /// room is dropped and counted.
    pub(crate) fn flush<O: Observer>(
        &mut self,
        view: &NicView<'_>,
        seat: &mut Seat,
        cache: &mut PoolCache,
        counters: &mut CounterWriter<NicCounter>,
        observer: &mut O,
    ) -> Result<(), LinkError> {
        let mut result = self.failed.take().map_or(Ok(()), Err);
        if self.staged.is_empty() {
            return result;
        }
        let shown = std::mem::take(&mut self.shown);
        if view.shows_sent() {
            let unseen = self.staged.get(shown..).unwrap_or_default();
            view.show_sent(unseen, &mut TapWriter::new(seat, cache));
        }
        match &mut self.outlet {
            Outlet::Queue(queue) => {
                let sent = transmit(&mut **queue, cache, &mut self.staged, counters, observer);
                result = result.and(sent);
            }
            // Whoever sends them counts them.
            Outlet::Ring(ring, doorbell) => {
                watch(&mut self.staged, observer, LinkOutcome::Queued, |staged| {
                    ring.push_burst(staged);
                });
                if let Some(doorbell) = doorbell {
                    doorbell.ring();
                }
            }
            Outlet::None => {}
        }
        drop_unsent(cache, &mut self.staged, counters, observer);
        if result.is_err() {
            self.outlet = Outlet::None;
        }
        result
    }

    /// Whether there is a transmit queue that may hold frames back.
    pub(crate) fn holds_back(&self) -> bool {
        match &self.outlet {
            Outlet::Queue(queue) => queue.holds_back(),
            Outlet::Ring(..) | Outlet::None => false,
        }
    }

    /// Sends what the transmit queue held back and is due.
    pub(crate) fn poll(&mut self, cache: &mut PoolCache) -> Result<(), LinkError> {
        let Outlet::Queue(queue) = &mut self.outlet else {
            return Ok(());
        };
        let sent = queue.poll(cache);
        if sent.is_err() {
            self.outlet = Outlet::None;
        }
        sent
    }

    /// How long until it has something held back to send.
    pub(crate) fn due_in(&mut self) -> Option<Duration> {
        match &mut self.outlet {
            Outlet::Queue(queue) => queue.due_in(),
            Outlet::Ring(..) | Outlet::None => None,
        }
    }

    /// The transmit queue, if it is the worker's own.
    pub(crate) fn into_queue(self) -> Option<Box<dyn TxQueue>> {
        match self.outlet {
            Outlet::Queue(queue) => Some(queue),
            Outlet::Ring(..) | Outlet::None => None,
        }
    }
}

/// Gives a frame that a NIC sends to itself back to it; what finds no room is dropped and counted.
pub(super) fn loop_back(
    frame: Frame,
    view: &NicView<'_>,
    cache: &mut PoolCache,
    counters: &mut CounterWriter<NicCounter>,
) {
    if let Err(frame) = view.loop_back(frame) {
        counters.add(NicCounter::SendDropped, 1);
        cache.recycle(frame);
    }
}

/// Sends from the front of `frames` and counts what went; the rest stays. What is left to do with them
/// and may not be left to the link is done before.
pub(crate) fn transmit<O: Observer>(
    queue: &mut dyn TxQueue,
    cache: &mut PoolCache,
    frames: &mut Burst,
    counters: &mut CounterWriter<NicCounter>,
    observer: &mut O,
) -> Result<(), LinkError> {
    let (bytes, marks) = measure(frames);
    if marks.has_offload() && segment::is_for_software(frames, queue.offloads()) {
        return segment::transmit_in_segments(queue, cache, frames, counters, observer);
    }
    transmit_done(queue, cache, frames, bytes, counters, observer)
}

/// The bytes of frames, and what these are marked with.
pub(super) fn measure(frames: &[Frame]) -> (usize, Marks) {
    let none = (0, Marks::default());
    let add = |(bytes, marks), frame: &Frame| (bytes + frame.len(), marks | frame.marks());
    frames.iter().fold(none, add)
}

/// As [`transmit`], of frames of so many bytes that the link takes as they are.
pub(super) fn transmit_done<O: Observer>(
    queue: &mut dyn TxQueue,
    cache: &mut PoolCache,
    frames: &mut Burst,
    bytes: usize,
    counters: &mut CounterWriter<NicCounter>,
    observer: &mut O,
) -> Result<(), LinkError> {
    let before = frames.len();
    let mut result = Ok(());
    watch(frames, observer, LinkOutcome::Sent, |frames| {
        result = queue.tx_burst(cache, frames).map(drop);
    });
    let sent = before.saturating_sub(frames.len());
    let sent_bytes = bytes.saturating_sub(measure(frames).0);
    counters.add(NicCounter::Sent, sent as u64);
    counters.add(NicCounter::SentBytes, sent_bytes as u64);
    result
}

/// Runs what takes frames from the front of `frames`, and tells that this came of those it took.
fn watch<O: Observer>(
    frames: &mut Burst,
    observer: &mut O,
    outcome: LinkOutcome,
    take: impl FnOnce(&mut Burst),
) {
    let sights = observer.look(frames);
    take(frames);
    let taken = sights.len().saturating_sub(frames.len());
    for sight in sights.iter().take(taken) {
        observer.step_of(sight, Outcome::LinkOutput(outcome));
    }
}

/// Drops and counts what found no room.
pub(crate) fn drop_unsent<O: Observer>(
    cache: &mut PoolCache,
    frames: &mut Burst,
    counters: &mut CounterWriter<NicCounter>,
    observer: &mut O,
) {
    if O::WATCHES {
        for frame in frames.iter() {
            observer.step(frame, Outcome::LinkOutput(LinkOutcome::NoRoom));
        }
    }
    counters.add(NicCounter::SendDropped, frames.len() as u64);
    cache.recycle_burst(frames);
}
