//! Where what an engine forwards goes.

use corelane::engine::link::{Link, LinkError, Queues, TxQueue};
use corelane::frame::{Burst, Pool, PoolCache};

use super::link::mtu_for;
use crate::sink::{Arrived, Recorder};

/// A link that takes what it is sent, and from which nothing comes.
pub struct DrainLink {
    mtu: usize,
    /// Gone once the link is open.
    queues: Option<Vec<Drain>>,
}

impl DrainLink {
    /// One with so many transmit queues: as many as there are workers, so that each has its own.
    pub fn new(queues: usize) -> Self {
        Self {
            mtu: 1500,
            queues: Some((0..queues).map(|_| Drain(None)).collect()),
        }
    }

    /// One for frames of up to `longest` bytes, with a transmit queue for each recorder, which is told
    /// what the peer takes.
    pub fn recorded(longest: usize, recorders: impl IntoIterator<Item = Recorder>) -> Self {
        let queue = |recorder| Drain(Some(recorder));
        Self {
            mtu: mtu_for(longest),
            queues: Some(recorders.into_iter().map(queue).collect()),
        }
    }
}

impl Link for DrainLink {
    fn name(&self) -> &str {
        "drain"
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        let Some(queues) = self.queues.take() else {
            return Err(LinkError::already_open(self.name()));
        };
        let queue = |queue| Box::new(queue) as Box<dyn TxQueue>;
        Ok(Queues {
            rx: Vec::new(),
            tx: queues.into_iter().map(queue).collect(),
        })
    }
}

/// The peer of one of its transmit queues.
struct Drain(Option<Recorder>);

impl TxQueue for Drain {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        if let Some(recorder) = &mut self.0 {
            let check = recorder.check();
            let mut left = frames.iter();
            recorder.record(|| left.next().map(|frame| Arrived::frame(frame, check)));
        }
        let sent = frames.len();
        cache.recycle_burst(frames);
        Ok(sent)
    }
}
