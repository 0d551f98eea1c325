//! The way of a control packet from a worker to the control plane.

use corelane_frame::Frame;
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::Producer;

/// Frames on their way from one worker.
pub(crate) const PUNT_RING: usize = 256;

/// A worker's end.
pub(crate) struct Punt {
    ring: Producer<Frame>,
    bell: Doorbell,
    /// Whether frames went in since the bell was last rung.
    pushed: bool,
}

impl Punt {
    pub(crate) fn new(ring: Producer<Frame>, bell: Doorbell) -> Self {
        Self {
            ring,
            bell,
            pushed: false,
        }
    }

    /// Hands a frame over; gives it back if the ring is full or nobody is at its other end.
    pub(crate) fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        if self.ring.is_closed() {
            return Err(frame);
        }
        self.ring.push(frame).map_err(|full| full.0)?;
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
        let (bell, mut sleeper) = doorbell();
        let mut punt = Punt::new(producer, bell);
        assert!(punt.push(frame()).is_ok() && punt.push(frame()).is_ok());
        assert!(punt.push(frame()).is_err(), "full");
        assert!(consumer.pop().is_some());
        assert!(punt.push(frame()).is_ok());
        let rung = sleeper.sleep(None, || {
            punt.flush();
            false
        });
        assert_eq!(rung, corelane_sync::doorbell::Woken::Rung);
        drop(consumer);
        assert!(punt.push(frame()).is_err(), "nobody takes it");
        drop(punt);
        assert_eq!(pool.out(), 0);
    }
}
