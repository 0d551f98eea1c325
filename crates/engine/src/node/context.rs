//! What the stages of one burst share.

use corelane_frame::{Frame, PoolCache};
use corelane_stack::{DropReason, Inbound, NicView, StackDatapath};

use super::ip_lookup::NETWORK;
use super::observer::Observer;
use super::tally::Tally;
use super::{LinkOutput, icmp_error, source_fragments};
use crate::punt::Punt;
use crate::trace::Outcome;

/// A burst's surroundings: the NIC it arrived on, and what a stage may use of its worker.
pub(super) struct Context<'p, O> {
    /// The NIC the burst arrived on.
    pub(super) arrival: NicView<'p>,
    /// The way out on that NIC.
    pub(super) output: &'p mut LinkOutput,
    /// Whether something is left to do with some of its frames.
    pub(super) has_offloads: bool,
    pub(super) cache: &'p mut PoolCache,
    pub(super) punt: &'p mut Punt,
    pub(super) stack: &'p mut StackDatapath,
    pub(super) tally: Tally<'p>,
    pub(super) observer: &'p mut O,
}

impl<O: Observer> Context<'_, O> {
    /// Sends a frame on the NIC that the burst arrived on, in fragments if the link does not take it
    /// whole; returns whether it was put in line.
    #[inline]
    pub(super) fn reply(&mut self, frame: Frame) -> bool {
        if frame.len() > NETWORK + self.arrival.mtu() {
            return source_fragments::send_in_fragments(self, frame);
        }
        self.stage(frame);
        true
    }

    /// Sends a frame that the link takes.
    #[inline]
    pub(super) fn stage(&mut self, frame: Frame) {
        let counters = self.tally.counters();
        let seat = self.stack.seat();
        self.output.stage(
            frame,
            &self.arrival,
            seat,
            self.cache,
            counters,
            self.observer,
        );
    }

    /// Sends what is in line, so that there is room.
    pub(super) fn make_room(&mut self) {
        let counters = self.tally.counters();
        let seat = self.stack.seat();
        self.output
            .make_room(&self.arrival, seat, self.cache, counters, self.observer);
    }

    /// Tells an observer what came of a packet.
    #[inline]
    pub(super) fn observe(
        &mut self,
        frames: &[Frame],
        packet: &Inbound,
        outcome: impl FnOnce() -> Outcome,
    ) {
        if O::WATCHES
            && let Some(frame) = frames.get(usize::from(packet.frame))
        {
            self.observer.step(frame, outcome());
        }
    }

    /// Hands a frame over to the control plane, and counts that.
    ///
    /// # Errors
    /// There is no room: it is dropped, and still where it was.
    pub(super) fn hand_to_control(&mut self, frame: &mut Frame) -> Result<(), DropReason> {
        match self.punt.push(std::mem::take(frame)) {
            Ok(()) => {
                self.tally.consumed();
                Ok(())
            }
            Err(back) => {
                *frame = back;
                self.tally.dropped(DropReason::PuntFull, 1);
                Err(DropReason::PuntFull)
            }
        }
    }

    /// Counts a packet that ends here.
    #[inline]
    pub(super) fn drop(
        &mut self,
        frames: &[Frame],
        packet: &Inbound,
        reason: DropReason,
        outcome: impl FnOnce(DropReason) -> Outcome,
    ) {
        self.tally.dropped(reason, 1);
        self.observe(frames, packet, || outcome(reason));
    }

    /// Tells the sender of a packet why it ends here, if he may be told.
    #[cold]
    pub(super) fn answer(
        &mut self,
        local: &NicView<'_>,
        frames: &[Frame],
        packet: &Inbound,
        error: icmp_error::Error,
    ) {
        if let Some(frame) = frames.get(usize::from(packet.frame)) {
            icmp_error::icmp_error(self, local, frame, packet, error);
        }
    }
}
