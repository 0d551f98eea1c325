//! Where what an engine forwards goes.

use corelane::engine::link::{Link, LinkError, Queues, TxQueue};
use corelane::frame::{Burst, Pool, PoolCache};

/// A link that takes what it is sent, and from which nothing comes.
#[derive(Debug)]
pub struct DrainLink {
    queues: usize,
    open: bool,
}

impl DrainLink {
    /// One with so many transmit queues: as many as there are workers, so that each has its own.
    pub fn new(queues: usize) -> Self {
        Self {
            queues,
            open: false,
        }
    }
}

impl Link for DrainLink {
    fn name(&self) -> &str {
        "drain"
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        if std::mem::replace(&mut self.open, true) {
            return Err(LinkError::already_open(self.name()));
        }
        let queue = |_| Box::new(Drain) as Box<dyn TxQueue>;
        Ok(Queues {
            rx: Vec::new(),
            tx: (0..self.queues).map(queue).collect(),
        })
    }
}

/// Its transmit queue.
struct Drain;

impl TxQueue for Drain {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let sent = frames.len();
        cache.recycle_burst(frames);
        Ok(sent)
    }
}
