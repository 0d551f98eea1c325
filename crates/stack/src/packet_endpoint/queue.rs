//! The reader's side of a packet endpoint.

use arrayvec::ArrayVec;
use corelane_frame::BURST;
use corelane_sync::ring::Consumer;

use super::Shown;

/// A burst of copies.
pub type ShownBurst = ArrayVec<Shown, BURST>;

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

    /// Appends what there is now to `burst`, as much as it has room for; returns how many copies that
    /// were. Cheaper than one at a time.
    pub fn next_burst(&mut self, burst: &mut ShownBurst) -> usize {
        self.ring.pop_burst(burst)
    }

    /// What there is now, one after the other.
    pub fn try_iter(&mut self) -> impl Iterator<Item = Shown> {
        std::iter::from_fn(|| self.try_next())
    }

    /// Whether there is none now.
    pub fn is_empty(&mut self) -> bool {
        self.ring.is_empty()
    }

    /// Whether nothing will come any more: the last handle to the endpoint is gone, and it is
    /// registered nowhere.
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }
}

impl Drop for PacketQueue {
    /// The frames go back now, and not when the endpoint is taken back.
    fn drop(&mut self) {
        self.try_iter().for_each(drop);
    }
}
