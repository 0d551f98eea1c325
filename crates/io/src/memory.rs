//! A link in memory: the other end is in this process.
//!
//! ```text
//!            MemoryPeer                            MemoryLink (in the engine)
//!  PeerSender ──── ring of frames, one per queue ────► receive queue
//!  PeerReceiver ◄─ ring of frames, one per queue ───── transmit queue
//! ```
//!
//! Frames move; nothing is copied, and a frame may be of any pool: it returns to its own. A frame
//! keeps what its sender set on it: receive time, RSS hash and what is left to do with it arrive as they
//! were sent.
//!
//! **Full is an outcome.** Neither side waits: what does not fit stays in the burst of the caller,
//! who tries again, or drops and counts.
//!
//! **Ends.** When a [`PeerSender`] is dropped, its receive queue delivers what is still in the ring
//! and is then finished. When a [`PeerReceiver`] is dropped, its transmit queue accepts no more:
//! frames stay with the caller, as with a ring that is full. When the engine is gone, a sender's
//! and a receiver's `is_closed` says so. Frames left in a ring go back to their pools when both of
//! its ends are gone.
//!
//! ```
//! use corelane_engine::link::{Link, RxStatus};
//! use corelane_frame::{Burst, Pool, PoolConfig};
//! use corelane_io::memory::{MemoryConfig, memory_link};
//!
//! let pool = Pool::new(PoolConfig { slots: 256, ..PoolConfig::default() })?;
//! let (mut link, mut peer) = memory_link(MemoryConfig::default())?;
//! let mut queues = link.open(&pool)?;
//!
//! let mut cache = pool.cache();
//! let mut burst = Burst::new();
//! cache.alloc_burst(&mut burst, 3);
//! assert_eq!(peer.send(0, &mut burst), 3);
//!
//! // The engine's side of it:
//! let status = queues.rx[0].rx_burst(&mut cache, &mut burst)?;
//! assert_eq!((status, burst.len()), (RxStatus::Ready, 3));
//! # cache.recycle_burst(&mut burst);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod link;
mod peer;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use corelane_frame::Frame;
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Consumer, Producer, RingError, ring};
use corelane_wire::{MacAddr, Offloads};
use thiserror::Error;

pub use link::MemoryLink;
pub use peer::{MemoryPeer, PeerReceiver, PeerSender};

/// The most queues of a memory link.
pub const MAX_QUEUES: usize = 1024;

/// What a memory link is like.
#[derive(Clone, Debug)]
pub struct MemoryConfig {
    /// The name for messages and reports.
    pub name: String,
    /// Queues in each direction: 1 to [`MAX_QUEUES`].
    pub queues: usize,
    /// Frames that the ring of a queue holds, in each direction; rounded up to a power of two.
    pub ring: usize,
    /// The link address.
    pub mac: Option<MacAddr>,
    /// The largest network packet, in bytes without the Ethernet header. It is what the link tells
    /// the engine; frames are not measured against it.
    pub mtu: usize,
    /// What the peer takes undone of the frames that it receives. (Frames that it sends may say that
    /// anything is left to do: [`Frame::set_offload`].)
    pub offloads: Offloads,
}

impl Default for MemoryConfig {
    /// One queue of 1024 frames, no link address, an MTU of 1500, a peer that takes frames when they are
    /// done.
    fn default() -> Self {
        Self {
            name: "memory".to_owned(),
            queues: 1,
            ring: 1024,
            mac: None,
            mtu: 1500,
            offloads: Offloads::NONE,
        }
    }
}

/// A memory link that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// No queue, or too many.
    #[error("a memory link has 1 to {MAX_QUEUES} queues, not {queues}")]
    Queues {
        /// The number asked for.
        queues: usize,
    },
    /// A ring size that cannot be had.
    #[error("a ring of {frames} frames cannot be made: {source}")]
    Ring {
        /// The frames asked for.
        frames: usize,
        /// Why.
        #[source]
        source: RingError,
    },
}

/// Makes a link and its other end.
///
/// # Errors
/// The number of queues or the size of the rings is out of range.
pub fn memory_link(config: MemoryConfig) -> Result<(MemoryLink, MemoryPeer), MemoryError> {
    let MemoryConfig {
        name,
        queues,
        ring: frames,
        mac,
        mtu,
        offloads,
    } = config;
    if !(1..=MAX_QUEUES).contains(&queues) {
        return Err(MemoryError::Queues { queues });
    }
    let make = || -> Result<(Producer<Frame>, Consumer<Frame>), MemoryError> {
        ring(frames).map_err(|source| MemoryError::Ring { frames, source })
    };
    let mut link = MemoryLink {
        name,
        mac,
        mtu,
        offloads,
        rx: Vec::new(),
        tx: Vec::new(),
    };
    let mut peer = MemoryPeer {
        senders: Vec::new(),
        receivers: Vec::new(),
        next: 0,
    };
    for _ in 0..queues {
        let (into_engine, from_peer) = make()?;
        let doorbell = Arc::<OnceLock<Doorbell>>::default();
        peer.senders.push(PeerSender {
            ring: Some(into_engine),
            doorbell: Arc::clone(&doorbell),
        });
        link.rx.push((from_peer, doorbell));
        let (into_peer, from_engine) = make()?;
        link.tx.push(into_peer);
        peer.receivers.push(PeerReceiver(from_engine));
    }
    Ok((link, peer))
}
