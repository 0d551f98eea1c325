//! The queues of a faulty link.

use std::time::Duration;

use corelane_engine::link::{LinkError, RxQueue, RxStatus, TxQueue};
use corelane_frame::{Burst, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_wire::Offloads;

use super::lane::Lane;

/// Receives through a lane.
pub(super) struct FaultyRx {
    queue: Box<dyn RxQueue>,
    lane: Lane,
    incoming: Burst,
    /// How the queue ended. What the lane holds back comes first.
    end: Option<Result<RxStatus, LinkError>>,
}

impl FaultyRx {
    pub(super) fn new(queue: Box<dyn RxQueue>, lane: Lane) -> Self {
        Self {
            queue,
            lane,
            incoming: Burst::new(),
            end: None,
        }
    }
}

impl RxQueue for FaultyRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let now = self.lane.now();
        self.lane.release(now, cache, out);
        let mut status = RxStatus::Idle;
        // What is due and finds no room waits here; the queue then waits behind it.
        if self.end.is_none() && !out.is_full() {
            match self.queue.rx_burst(cache, &mut self.incoming) {
                Ok(RxStatus::Finished) => self.end = Some(Ok(RxStatus::Finished)),
                Ok(ready) => status = ready,
                Err(error) => self.end = Some(Err(error)),
            }
            self.lane.admit(&mut self.incoming, now, cache);
            self.lane.release(now, cache, out);
        }
        if self.lane.is_empty()
            && let Some(end) = self.end.take()
        {
            return end;
        }
        if out.is_full() || self.lane.next_due().is_some_and(|due| due <= now) {
            status = RxStatus::Ready;
        }
        Ok(status)
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.queue.ring_on_arrival(doorbell)
    }

    fn has_frames(&mut self) -> bool {
        self.lane.is_due() || (self.end.is_none() && self.queue.has_frames())
    }

    fn due_in(&mut self) -> Option<Duration> {
        let own = self.lane.due_in();
        own.into_iter().chain(self.queue.due_in()).min()
    }
}

/// Sends through a lane.
pub(super) struct FaultyTx {
    queue: Box<dyn TxQueue>,
    lane: Lane,
    /// What the lane has let go and the queue had no room for yet.
    outgoing: Burst,
}

impl FaultyTx {
    pub(super) fn new(queue: Box<dyn TxQueue>, lane: Lane) -> Self {
        Self {
            queue,
            lane,
            outgoing: Burst::new(),
        }
    }

    /// Sends what is due; returns whether the queue took all of it.
    fn send_due(&mut self, cache: &mut PoolCache) -> Result<bool, LinkError> {
        let now = self.lane.now();
        loop {
            self.lane.release(now, cache, &mut self.outgoing);
            if self.outgoing.is_empty() {
                return Ok(true);
            }
            let before = self.outgoing.len();
            self.queue.tx_burst(cache, &mut self.outgoing)?;
            if self.outgoing.len() == before {
                return Ok(false);
            }
        }
    }
}

impl TxQueue for FaultyTx {
    /// Takes all or nothing. What is taken counts as sent, whatever becomes of it.
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        // Nothing overtakes what the queue has no room for.
        if !self.send_due(cache)? {
            return Ok(0);
        }
        let (now, taken) = (self.lane.now(), frames.len());
        self.lane.admit(frames, now, cache);
        self.send_due(cache)?;
        Ok(taken)
    }

    fn offloads(&self) -> Offloads {
        self.queue.offloads()
    }

    fn holds_back(&self) -> bool {
        true
    }

    fn poll(&mut self, cache: &mut PoolCache) -> Result<(), LinkError> {
        if !self.outgoing.is_empty() || self.lane.is_due() {
            self.send_due(cache)?;
        }
        if self.queue.holds_back() {
            self.queue.poll(cache)?;
        }
        Ok(())
    }

    fn due_in(&mut self) -> Option<Duration> {
        // The queue has no room: nobody tells when it has.
        let stuck = (!self.outgoing.is_empty()).then_some(Duration::from_micros(100));
        let times = [stuck, self.lane.due_in(), self.queue.due_in()];
        times.into_iter().flatten().min()
    }
}
