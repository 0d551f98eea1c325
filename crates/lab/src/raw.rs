//! A link without an engine: its queues as an engine has them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use corelane_engine::link::{Link, Queues, RxStatus};
use corelane_frame::{Burst, Frame, Pool, PoolCache, PoolConfig};

use crate::kernel::PATIENCE;

/// The queues, and frames for them.
pub struct Raw {
    /// Frames of its own pool.
    pub cache: PoolCache,
    /// The queues.
    pub queues: Queues,
}

impl Raw {
    /// Opens a link, with slots of so many bytes behind the headroom.
    ///
    /// # Errors
    /// It does not open.
    pub fn of(link: &mut dyn Link, room: usize) -> Result<Self> {
        let default = PoolConfig::default();
        let pool = Pool::new(PoolConfig {
            slots: 1 << 13,
            slot_size: default.headroom + room,
            ..default
        })?;
        let queues = link.open(&pool)?;
        let cache = pool.cache();
        Ok(Self { cache, queues })
    }

    /// What a queue has now.
    ///
    /// # Errors
    /// The link broke, or has no such queue.
    pub fn receive(&mut self, queue: usize) -> Result<Vec<Vec<u8>>> {
        let rx = self.queues.rx.get_mut(queue).context("no such queue")?;
        let mut frames = Vec::new();
        let mut burst = Burst::new();
        loop {
            let status = rx.rx_burst(&mut self.cache, &mut burst)?;
            for frame in &burst {
                frames.push(completed(frame)?);
            }
            self.cache.recycle_burst(&mut burst);
            if status != RxStatus::Ready {
                return Ok(frames);
            }
        }
    }

    /// What is found in the first frame of the first queue that has it.
    ///
    /// # Errors
    /// None arrives.
    pub fn find<T>(&mut self, find: impl FnMut(&[u8]) -> Option<T>) -> Result<T> {
        self.find_within(PATIENCE, find)?
            .context("it did not arrive")
    }

    /// Likewise, within a time.
    ///
    /// # Errors
    /// The link broke.
    pub fn find_within<T>(
        &mut self,
        patience: Duration,
        mut find: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<T>> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(found) = self.receive(0)?.iter().find_map(|frame| find(frame)) {
                return Ok(Some(found));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(None)
    }

    /// Puts frames of these bytes into a burst.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn burst(&mut self, frames: &[&[u8]]) -> Result<Burst> {
        let mut burst = Burst::new();
        self.cache.alloc_burst(&mut burst, frames.len());
        for (frame, bytes) in burst.iter_mut().zip(frames) {
            frame.set_data(bytes)?;
        }
        Ok(burst)
    }

    /// Sends a frame by the first queue.
    ///
    /// # Errors
    /// The link does not take it.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        let mut burst = self.burst(&[frame])?;
        let Some(tx) = self.queues.tx.first_mut() else {
            bail!("no queue to send by");
        };
        let sent = tx.tx_burst(&mut self.cache, &mut burst)?;
        self.cache.recycle_burst(&mut burst);
        ensure!(sent == 1, "the link did not take {frame:02x?}");
        Ok(())
    }
}

/// The bytes of a frame, its checksum completed if that was left to do.
fn completed(frame: &Frame) -> Result<Vec<u8>> {
    let mut bytes = frame.data().to_vec();
    if let Some(partial) = frame.offload().and_then(|it| it.checksum) {
        partial
            .complete(&mut bytes)
            .context("the checksum's place is not in the frame")?;
    }
    Ok(bytes)
}
