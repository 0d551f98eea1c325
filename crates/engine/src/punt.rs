//! The way from a worker to the control plane.
//!
//! Two rings, so that neither crowds out the other: one for messages of the control protocols, one
//! for what waits for a neighbor. Whoever floods the one leaves the other alone.

use corelane_frame::Frame;
use corelane_stack::{Key, NeighborId, NicId};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::Producer;

/// Items of each kind on their way from one worker.
pub(crate) const PUNT_RING: usize = 256;

/// What has to do with a neighbor.
pub(crate) enum NeighborPunt {
    /// A packet whose next hop on a NIC has no link address yet: all is done with it but that, and that
    /// it is cut if the NIC does not take it whole.
    Unresolved {
        /// The packet, in the frame it came in.
        frame: Frame,
        /// Where it is to leave.
        nic: NicId,
        /// Whose link address is wanted.
        next_hop: Key,
    },
    /// A neighbor that nobody has heard of for a while was sent to.
    Used(NeighborId),
}

/// A worker's end.
pub(crate) struct Punt {
    messages: Producer<Frame>,
    neighbors: Producer<NeighborPunt>,
    bell: Doorbell,
    /// Whether something went in since the bell was last rung.
    pushed: bool,
}

impl Punt {
    pub(crate) fn new(
        messages: Producer<Frame>,
        neighbors: Producer<NeighborPunt>,
        bell: Doorbell,
    ) -> Self {
        Self {
            messages,
            neighbors,
            bell,
            pushed: false,
        }
    }

    /// Hands over a message; gives it back if the ring is full or nobody is at its other end.
    pub(crate) fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        if self.messages.is_closed() {
            return Err(frame);
        }
        self.messages.push(frame).map_err(|full| full.0)?;
        self.pushed = true;
        Ok(())
    }

    /// Hands over what has to do with a neighbor, likewise.
    pub(crate) fn push_neighbor(&mut self, punt: NeighborPunt) -> Result<(), NeighborPunt> {
        if self.neighbors.is_closed() {
            return Err(punt);
        }
        self.neighbors.push(punt).map_err(|full| full.0)?;
        self.pushed = true;
        Ok(())
    }

    /// Wakes the control plane if there is something for it: once per burst.
    #[inline]
    pub(crate) fn flush(&mut self) {
        if std::mem::take(&mut self.pushed) {
            self.bell.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_frame::{HugePages, Pool, PoolConfig};
    use corelane_sync::doorbell::doorbell;
    use corelane_sync::ring::ring;

    #[test]
    fn what_finds_no_room_or_nobody_comes_back() {
        let pool = Pool::new(PoolConfig {
            slots: 64,
            huge_pages: HugePages::Off,
            ..PoolConfig::default()
        })
        .unwrap();
        let mut cache = pool.cache();
        let mut frame = || cache.alloc().unwrap();
        let (producer, mut consumer) = ring(2).unwrap();
        let (neighbors, mut unresolved) = ring(2).unwrap();
        let (bell, mut sleeper) = doorbell();
        let mut punt = Punt::new(producer, neighbors, bell);
        assert!(punt.push(frame()).is_ok() && punt.push(frame()).is_ok());
        assert!(punt.push(frame()).is_err(), "full");
        let packet = |frame| NeighborPunt::Unresolved {
            frame,
            nic: NicId(0),
            next_hop: Key::v4(7),
        };
        assert!(
            punt.push_neighbor(packet(frame())).is_ok(),
            "the other ring has room"
        );
        assert!(consumer.pop().is_some() && unresolved.pop().is_some());
        assert!(punt.push(frame()).is_ok());
        let rung = sleeper.sleep(None, || {
            punt.flush();
            false
        });
        assert_eq!(rung, corelane_sync::doorbell::Woken::Rung);
        drop((consumer, unresolved));
        assert!(punt.push(frame()).is_err(), "nobody takes it");
        assert!(punt.push_neighbor(packet(frame())).is_err(), "nor that");
        drop(punt);
        assert_eq!(pool.out(), 0);
    }
}
