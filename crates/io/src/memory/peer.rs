//! The end outside the engine.

use std::sync::{Arc, OnceLock};

use corelane_frame::{Burst, Frame};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Consumer, Producer};

/// The end of a memory link that test code, a load generator or an embedder holds.
#[derive(Debug)]
pub struct MemoryPeer {
    pub(super) senders: Vec<PeerSender>,
    pub(super) receivers: Vec<PeerReceiver>,
    /// The receiver that is asked first next time.
    pub(super) next: usize,
}

impl MemoryPeer {
    /// Queues in each direction.
    pub fn queues(&self) -> usize {
        self.senders.len()
    }

    /// Sends from the front of `frames` to the engine's receive queue of this index and returns how
    /// many; the rest stay. 0 if there is no such queue, or the engine has dropped it.
    pub fn send(&mut self, queue: usize, frames: &mut Burst) -> usize {
        self.senders
            .get_mut(queue)
            .map_or(0, |sender| sender.send(frames))
    }

    /// Appends to `frames` what the engine sent, as much as it has room for, from all queues in
    /// turn, and returns how many. The frames of a queue come in its order.
    pub fn recv(&mut self, frames: &mut Burst) -> usize {
        let count = self.receivers.len();
        let mut got = 0;
        for turn in 0..count {
            let queue = (self.next + turn) % count;
            got += self
                .receivers
                .get_mut(queue)
                .map_or(0, |receiver| receiver.recv(frames));
        }
        self.next = (self.next + 1) % count.max(1);
        got
    }

    /// The senders and the receivers, by queue: each can go to a thread of its own.
    pub fn split(self) -> (Vec<PeerSender>, Vec<PeerReceiver>) {
        (self.senders, self.receivers)
    }
}

/// Sends to one receive queue of the engine. Dropping it ends the queue.
///
/// Where the engine's thread sleeps when it has nothing to do, it is woken.
#[derive(Debug)]
pub struct PeerSender {
    /// Gone when the sender is dropped, so that the ring is closed before the bell is rung.
    pub(super) ring: Option<Producer<Frame>>,
    pub(super) doorbell: Arc<OnceLock<Doorbell>>,
}

impl PeerSender {
    /// Sends from the front of `frames` and returns how many; the rest stay: the ring is full, or
    /// the engine has dropped the queue.
    pub fn send(&mut self, frames: &mut Burst) -> usize {
        let Some(ring) = &mut self.ring else { return 0 };
        if ring.is_closed() {
            return 0;
        }
        let sent = ring.push_burst(frames);
        self.wake();
        sent
    }

    fn wake(&self) {
        if let Some(doorbell) = self.doorbell.get() {
            doorbell.ring();
        }
    }

    /// How many frames the ring takes now. May be less than there is room for while that is at
    /// least half of the ring.
    pub fn free(&mut self) -> usize {
        self.ring.as_mut().map_or(0, Producer::free)
    }

    /// How many frames the ring holds.
    pub fn capacity(&self) -> usize {
        self.ring.as_ref().map_or(0, Producer::capacity)
    }

    /// Whether the engine has dropped the queue: it will take no more.
    pub fn is_closed(&self) -> bool {
        self.ring.as_ref().is_none_or(Producer::is_closed)
    }
}

impl Drop for PeerSender {
    fn drop(&mut self) {
        self.ring = None;
        self.wake();
    }
}

/// Receives what the engine sends to one transmit queue.
#[derive(Debug)]
pub struct PeerReceiver(pub(super) Consumer<Frame>);

impl PeerReceiver {
    /// Appends to `frames` what the engine sent, as much as it has room for, and returns how many.
    pub fn recv(&mut self, frames: &mut Burst) -> usize {
        self.0.pop_burst(frames)
    }

    /// How many frames wait.
    pub fn len(&mut self) -> usize {
        self.0.len()
    }

    /// Whether no frame waits.
    pub fn is_empty(&mut self) -> bool {
        self.0.is_empty()
    }

    /// Whether the engine has dropped the queue: what waits is all there will be. Ask this first,
    /// then receive until nothing is left.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}
