//! The reader's side of a packet endpoint.

use corelane_sync::ring::Consumer;

use super::Shown;

/// The copies that one thread made for an endpoint, in the order of the frames. To be read by one
/// thread at a time; dropping it has what comes later counted as `closed`.
pub struct PacketQueue {
    ring: Consumer<Shown>,
}

impl PacketQueue {
    pub(super) fn new(ring: Consumer<Shown>) -> Self {
        Self { ring }
    }

    /// The next copy, if there is one now.
    pub fn try_next(&mut self) -> Option<Shown> {
        self.ring.pop()
    }

    /// Whether there is none now.
    pub fn is_empty(&mut self) -> bool {
        self.ring.is_empty()
    }
}
