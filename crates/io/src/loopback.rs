//! A link that gives back what it is sent.
//!
//! ```text
//!   NIC ──► transmit queue ──► ring of frames ──► receive queue ──► NIC
//! ```
//!
//! Frames move; nothing is copied. What does not fit the ring stays with the sender, who drops and
//! counts it.

use std::sync::{Arc, OnceLock};

use corelane_engine::link::{Link, LinkError, Queues, RxQueue, RxStatus, TxQueue};
use corelane_frame::{Burst, Frame, Pool, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Consumer, Producer, RingError, ring};

use crate::queue::RingRx;

/// What a loopback link is like.
#[derive(Clone, Debug)]
pub struct LoopbackConfig {
    /// The name for messages and reports.
    pub name: String,
    /// Frames that are on their way back at most; rounded up to a power of two.
    pub ring: usize,
    /// The largest network packet, in bytes without the Ethernet header. It is what the link tells
    /// the engine; frames are not measured against it.
    pub mtu: usize,
}

impl Default for LoopbackConfig {
    /// 1024 frames, an MTU of 65,536.
    fn default() -> Self {
        Self {
            name: "loopback".to_owned(),
            ring: 1024,
            mtu: 65_536,
        }
    }
}

/// A link with one receive queue, which delivers what its one transmit queue is given. It has no
/// link address.
#[derive(Debug)]
pub struct LoopbackLink {
    name: String,
    mtu: usize,
    /// Both ends; gone once the link is open.
    ends: Option<(Producer<Frame>, Consumer<Frame>)>,
}

/// Makes a loopback link.
///
/// # Errors
/// The size of the ring cannot be had.
pub fn loopback_link(config: LoopbackConfig) -> Result<LoopbackLink, RingError> {
    let LoopbackConfig {
        name,
        ring: frames,
        mtu,
    } = config;
    Ok(LoopbackLink {
        name,
        mtu,
        ends: Some(ring(frames)?),
    })
}

impl Link for LoopbackLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn is_loopback(&self) -> bool {
        true
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        let Some((producer, consumer)) = self.ends.take() else {
            return Err(LinkError::already_open(&self.name));
        };
        let doorbell = Arc::<OnceLock<Doorbell>>::default();
        Ok(Queues {
            rx: vec![Box::new(LoopbackRx(RingRx {
                ring: consumer,
                doorbell: Arc::clone(&doorbell),
            }))],
            tx: vec![Box::new(LoopbackTx {
                ring: producer,
                doorbell,
            })],
        })
    }
}

struct LoopbackRx(RingRx);

impl RxQueue for LoopbackRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let first = out.len();
        let status = self.0.rx_burst(cache, out);
        // The hash may be that of the packet a reply was made of.
        let received = out.get_mut(first..).unwrap_or_default();
        received.iter_mut().for_each(|frame| frame.set_rss_hash(0));
        status
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.0.ring_on_arrival(doorbell)
    }

    fn has_frames(&mut self) -> bool {
        self.0.has_frames()
    }
}

struct LoopbackTx {
    ring: Producer<Frame>,
    doorbell: Arc<OnceLock<Doorbell>>,
}

impl LoopbackTx {
    fn wake(&self) {
        if let Some(doorbell) = self.doorbell.get() {
            doorbell.ring();
        }
    }
}

impl TxQueue for LoopbackTx {
    /// The frames move to the receive queue: none returns to the cache here.
    fn tx_burst(&mut self, _cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        // The receive queue ended: they stay with the caller.
        if self.ring.is_closed() {
            return Ok(0);
        }
        let sent = self.ring.push_burst(frames);
        self.wake();
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_frame::{HugePages, PoolConfig};
    use corelane_sync::doorbell::doorbell;
    use std::time::Duration;

    fn pool() -> Pool {
        let config = PoolConfig {
            slots: 128,
            huge_pages: HugePages::Off,
            ..PoolConfig::default()
        };
        Pool::new(config).expect("a pool")
    }

    fn link(ring: usize) -> LoopbackLink {
        let config = LoopbackConfig {
            ring,
            ..LoopbackConfig::default()
        };
        loopback_link(config).expect("a link")
    }

    #[test]
    fn what_is_sent_comes_back_in_order() {
        let pool = pool();
        let mut cache = pool.cache();
        let mut queues = link(64).open(&pool).expect("open");
        let mut burst = Burst::new();
        assert_eq!(cache.alloc_burst(&mut burst, 40), 40);
        for (number, frame) in (0..).zip(&mut burst) {
            frame.set_data(&[number]).expect("room");
            frame.set_rss_hash(77);
        }
        assert_eq!(queues.tx[0].tx_burst(&mut cache, &mut burst).ok(), Some(40));
        assert!(burst.is_empty() && queues.rx[0].has_frames());
        let status = queues.rx[0].rx_burst(&mut cache, &mut burst);
        assert_eq!(status.ok(), Some(RxStatus::Ready));
        let numbers: Vec<u8> = burst.iter().map(|frame| frame.data()[0]).collect();
        assert_eq!(numbers, (0..40).collect::<Vec<_>>());
        assert!(burst.iter().all(|frame| frame.rss_hash() == 0));
        cache.recycle_burst(&mut burst);
        let status = queues.rx[0].rx_burst(&mut cache, &mut burst);
        assert_eq!(status.ok(), Some(RxStatus::Idle));
    }

    #[test]
    fn what_does_not_fit_stays_with_the_sender() {
        let pool = pool();
        let mut cache = pool.cache();
        let mut queues = link(16).open(&pool).expect("open");
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, 40);
        assert_eq!(queues.tx[0].tx_burst(&mut cache, &mut burst).ok(), Some(16));
        assert_eq!(burst.len(), 24);
        // Nobody receives any more.
        queues.rx.clear();
        assert_eq!(queues.tx[0].tx_burst(&mut cache, &mut burst).ok(), Some(0));
        cache.recycle_burst(&mut burst);
        drop(queues);
        assert_eq!(pool.out(), 0, "the ring returns what was left in it");
    }

    #[test]
    fn the_end_of_the_sender_is_the_end_of_the_input() {
        let pool = pool();
        let mut cache = pool.cache();
        let mut queues = link(16).open(&pool).expect("open");
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, 3);
        queues.tx[0].tx_burst(&mut cache, &mut burst).expect("room");
        queues.tx.clear();
        let status = queues.rx[0].rx_burst(&mut cache, &mut burst);
        assert_eq!((status.ok(), burst.len()), (Some(RxStatus::Finished), 3));
    }

    #[test]
    fn a_sleeping_receiver_is_woken() {
        let pool = pool();
        let mut cache = pool.cache();
        let mut queues = link(16).open(&pool).expect("open");
        let (bell, mut sleeper) = doorbell();
        assert!(queues.rx[0].ring_on_arrival(bell));
        let mut burst = Burst::new();
        cache.alloc_burst(&mut burst, 1);
        let mut send = || {
            queues.tx[0].tx_burst(&mut cache, &mut burst).expect("room");
            false
        };
        let woken = sleeper.sleep(Some(Duration::from_secs(60)), &mut send);
        assert_eq!(woken, corelane_sync::doorbell::Woken::Rung);
    }

    #[test]
    fn it_says_what_it_is_and_opens_once() {
        let mut link = link(16);
        assert!(link.is_loopback());
        assert_eq!(
            (link.name(), link.mac(), link.mtu()),
            ("loopback", None, 65_536)
        );
        let pool = pool();
        let queues = link.open(&pool).expect("open");
        assert_eq!((queues.rx.len(), queues.tx.len()), (1, 1));
        assert!(link.open(&pool).is_err());
        assert_eq!(
            loopback_link(LoopbackConfig {
                ring: 0,
                ..LoopbackConfig::default()
            })
            .err(),
            Some(RingError::Zero)
        );
    }
}
