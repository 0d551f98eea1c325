//! The link that a generator is to the engine.

use corelane::engine::link::{Link, LinkError, Queues, TxQueue};
use corelane::frame::{Burst, Pool, PoolCache};
use corelane::wire::MacAddr;

use super::build::DESTINATION_MAC;
use super::control;
use super::{GeneratorHandle, GeneratorQueue, Source};
use crate::clock::Clock;

/// A link with one receive queue, the generator, and a transmit queue into nothing.
pub struct GeneratorLink<S> {
    longest: usize,
    /// Gone once the link is open.
    queue: Option<GeneratorQueue<S>>,
}

impl<S: Source> GeneratorLink<S> {
    /// A link that emits the frames of `source` by this clock, and the handle that
    /// starts and ends windows.
    pub fn new(source: S, clock: Clock) -> (Self, GeneratorHandle) {
        let (handle, control) = control::ends(source.streams());
        (
            Self {
                longest: source.longest(),
                queue: Some(GeneratorQueue::new(source, clock, control)),
            },
            handle,
        )
    }

    /// The receive queue alone, for whoever polls it without an engine. The caches it is polled
    /// with are of a pool whose slots have room for the source's longest frame.
    ///
    /// # Panics
    /// If the link was opened: the queue is the engine's then.
    pub fn into_queue(self) -> GeneratorQueue<S> {
        self.queue.expect("a link that was not opened")
    }
}

impl<S: Source> Link for GeneratorLink<S> {
    fn name(&self) -> &str {
        "generator"
    }

    fn mac(&self) -> Option<MacAddr> {
        Some(DESTINATION_MAC)
    }

    fn mtu(&self) -> usize {
        mtu_for(self.longest)
    }

    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError> {
        let longest = self.longest;
        let room = pool
            .config()
            .slot_size
            .saturating_sub(pool.config().headroom);
        if longest > room {
            let what = format!("frames of {longest} bytes do not fit the pool's {room}-byte slots");
            return Err(LinkError::new(self.name(), what));
        }
        let Some(queue) = self.queue.take() else {
            return Err(LinkError::already_open(self.name()));
        };
        Ok(Queues {
            rx: vec![Box::new(queue)],
            tx: vec![Box::new(Discard)],
        })
    }
}

/// The MTU of a link for frames of up to `longest` bytes.
pub(super) fn mtu_for(longest: usize) -> usize {
    longest.saturating_sub(14).max(1500)
}

/// Takes what the stack sends (replies to echo requests of a capture) and sends it nowhere.
struct Discard;

impl TxQueue for Discard {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let sent = frames.len();
        cache.recycle_burst(frames);
        Ok(sent)
    }
}
