//! Frames on their way out of a worker.

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::NicCounter;
use corelane_sync::counters::CounterWriter;
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::Producer;

use crate::link::{LinkError, TxQueue};

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
    staged: Burst,
}

impl LinkOutput {
    pub(crate) fn new(outlet: Outlet) -> Self {
        Self {
            outlet,
            staged: Burst::new(),
        }
    }

    /// The line itself, for a handler to put frames in.
    pub(crate) fn outbox(&mut self) -> &mut Burst {
        &mut self.staged
    }

    /// Puts a frame in line: a reply of the stack, made before the handler is asked. One burst in
    /// makes one burst of these at most, so there is room.
    pub(crate) fn stage(&mut self, frame: Frame) {
        debug_assert!(!self.staged.is_full());
        // A full line would drop the frame, which returns it to its pool.
        drop(self.staged.try_push(frame));
    }

    /// Sends what is in line; what finds no room is dropped and counted.
    pub(crate) fn flush(
        &mut self,
        cache: &mut PoolCache,
        counters: &mut CounterWriter<NicCounter>,
    ) -> Result<(), LinkError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let mut result = Ok(());
        match &mut self.outlet {
            Outlet::Queue(queue) => {
                result = transmit(&mut **queue, cache, &mut self.staged, counters);
            }
            // Whoever sends them counts them.
            Outlet::Ring(ring, doorbell) => {
                ring.push_burst(&mut self.staged);
                if let Some(doorbell) = doorbell {
                    doorbell.ring();
                }
            }
            Outlet::None => {}
        }
        drop_unsent(cache, &mut self.staged, counters);
        if result.is_err() {
            self.outlet = Outlet::None;
        }
        result
    }
}

/// Sends from the front of `frames` and counts what went; the rest stays.
pub(crate) fn transmit(
    queue: &mut dyn TxQueue,
    cache: &mut PoolCache,
    frames: &mut Burst,
    counters: &mut CounterWriter<NicCounter>,
) -> Result<(), LinkError> {
    let bytes_of = |frames: &Burst| frames.iter().map(Frame::len).sum::<usize>();
    let (before, bytes) = (frames.len(), bytes_of(frames));
    let result = queue.tx_burst(cache, frames).map(drop);
    let sent = before.saturating_sub(frames.len());
    let sent_bytes = bytes.saturating_sub(bytes_of(frames));
    counters.add(NicCounter::Sent, sent as u64);
    counters.add(NicCounter::SentBytes, sent_bytes as u64);
    result
}

/// Drops and counts what found no room.
pub(crate) fn drop_unsent(
    cache: &mut PoolCache,
    frames: &mut Burst,
    counters: &mut CounterWriter<NicCounter>,
) {
    counters.add(NicCounter::SendDropped, frames.len() as u64);
    cache.recycle_burst(frames);
}
