//! The reader's side of a socket.

use arrayvec::ArrayVec;
use corelane_frame::BURST;

use super::datagram::Datagram;
use super::shared::QueueRing;

/// What a reader takes at a time.
pub type DatagramBurst = ArrayVec<Datagram, BURST>;

/// What one worker put into a socket, in the order of arrival. To be read by one thread at a time;
/// dropping it gives what there is back to its pools, and has what comes later dropped as `closed`.
pub struct SocketQueue {
    ring: QueueRing,
}

impl SocketQueue {
    pub(super) fn new(ring: QueueRing) -> Self {
        Self { ring }
    }

    /// Appends what there is, up to the capacity of `out`; returns how many that were. What is dropped
    /// goes back to its pool.
    pub fn recv_burst(&mut self, out: &mut DatagramBurst) -> usize {
        self.ring.pop_burst(out)
    }

    /// The next one, if there is one now.
    pub fn recv(&mut self) -> Option<Datagram> {
        self.ring.pop()
    }

    /// Whether there is none now.
    pub fn is_empty(&mut self) -> bool {
        self.ring.is_empty()
    }

    /// Whether none will come any more: the socket is closed, and no worker can find it.
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }
}

impl Drop for SocketQueue {
    fn drop(&mut self) {
        // The ring lives as long as the socket: its frames need not.
        while self.ring.pop().is_some() {}
    }
}
