//! A receive queue on a ring: what links in memory have in common.

use std::sync::{Arc, OnceLock};

use corelane_engine::link::{LinkError, RxQueue, RxStatus};
use corelane_frame::{Burst, Frame, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::Consumer;

/// Receives what is put into a ring.
pub(crate) struct RingRx {
    pub(crate) ring: Consumer<Frame>,
    /// What the sender rings, once the engine has hung it there.
    pub(crate) doorbell: Arc<OnceLock<Doorbell>>,
}

impl RxQueue for RingRx {
    fn rx_burst(&mut self, _cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        // Asked before popping: what was sent before the sender left is in the ring by now.
        let closed = self.ring.is_closed();
        let got = self.ring.pop_burst(out);
        Ok(if closed && self.ring.is_empty() {
            RxStatus::Finished
        } else if got == 0 && !out.is_full() {
            RxStatus::Idle
        } else {
            RxStatus::Ready
        })
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.doorbell.set(doorbell).is_ok()
    }

    fn has_frames(&mut self) -> bool {
        !self.ring.is_empty() || self.ring.is_closed()
    }
}
