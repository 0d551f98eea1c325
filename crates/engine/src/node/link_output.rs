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
        let before = self.staged.len();
        let bytes: usize = self.staged.iter().map(Frame::len).sum();
        let mut result = Ok(());
        let by_us = match &mut self.outlet {
            Outlet::Queue(queue) => {
                result = queue.tx_burst(cache, &mut self.staged).map(drop);
                true
            }
            // Whoever sends them counts them.
            Outlet::Ring(ring, doorbell) => {
                ring.push_burst(&mut self.staged);
                if let Some(doorbell) = doorbell {
                    doorbell.ring();
                }
                false
            }
            Outlet::None => false,
        };
        let left = self.staged.len();
        if by_us {
            let left_bytes: usize = self.staged.iter().map(Frame::len).sum();
            counters.add(NicCounter::Sent, before.saturating_sub(left) as u64);
            counters.add(
                NicCounter::SentBytes,
                bytes.saturating_sub(left_bytes) as u64,
            );
        }
        counters.add(NicCounter::SendDropped, left as u64);
        cache.recycle_burst(&mut self.staged);
        if result.is_err() {
            self.outlet = Outlet::None;
        }
        result
    }
}
