//! The engine's end.

use std::sync::{Arc, OnceLock};

use corelane_engine::link::{Link, LinkError, Queues, TxQueue};
use corelane_frame::{Burst, Frame, Pool, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Consumer, Producer};
use corelane_wire::{MacAddr, Offloads};

use crate::queue::RingRx;

/// The end of a memory link that a NIC is built on: see [`memory_link`](super::memory_link).
#[derive(Debug)]
pub struct MemoryLink {
    pub(super) name: String,
    pub(super) mac: Option<MacAddr>,
    pub(super) mtu: usize,
    pub(super) offloads: Offloads,
    pub(super) rx: Vec<(Consumer<Frame>, Arc<OnceLock<Doorbell>>)>,
    pub(super) tx: Vec<Producer<Frame>>,
}

impl Link for MemoryLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn mac(&self) -> Option<MacAddr> {
        self.mac
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        // A link has at least one queue until it is opened.
        if self.rx.is_empty() {
            return Err(LinkError::already_open(&self.name));
        }
        Ok(Queues {
            rx: std::mem::take(&mut self.rx)
                .into_iter()
                .map(|(ring, doorbell)| Box::new(RingRx { ring, doorbell }) as _)
                .collect(),
            tx: std::mem::take(&mut self.tx)
                .into_iter()
                .map(|ring| {
                    Box::new(MemoryTx {
                        ring,
                        offloads: self.offloads,
                    }) as _
                })
                .collect(),
        })
    }
}

struct MemoryTx {
    ring: Producer<Frame>,
    offloads: Offloads,
}

impl TxQueue for MemoryTx {
    /// The frames move to the peer: none returns to the cache here.
    fn tx_burst(&mut self, _cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        // Nobody will take them out: they stay with the caller.
        if self.ring.is_closed() {
            return Ok(0);
        }
        Ok(self.ring.push_burst(frames))
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }
}
