//! Frames that come from outside the workers: a NIC's own messages, and what routes send.

use std::sync::{Arc, OnceLock};

use corelane_frame::{Burst, Frame};
use corelane_sync::doorbell::Doorbell;
use crossbeam::queue::ArrayQueue;

use crate::nic::NicShared;

/// Frames a queue holds.
const CAPACITY: usize = 256;

/// A bounded queue that any thread puts frames into; one thread of the datapath empties it.
///
/// Lock-free at both ends. What goes through it is rare beside what workers send themselves: a
/// worker puts nothing in but answers to what came out, where the NIC sent to itself.
pub(crate) struct FrameQueue {
    frames: ArrayQueue<Frame>,
    bell: OnceLock<Doorbell>,
}

impl FrameQueue {
    pub(crate) fn new() -> Self {
        Self {
            frames: ArrayQueue::new(CAPACITY),
            bell: OnceLock::new(),
        }
    }

    /// Puts a frame in and wakes whoever is to take it out.
    pub(crate) fn push(&self, frame: Frame) -> Result<(), Frame> {
        self.frames.push(frame)?;
        if let Some(bell) = self.bell.get() {
            bell.ring();
        }
        Ok(())
    }

    /// How many more it takes, as of now.
    pub(crate) fn room(&self) -> usize {
        self.frames.capacity() - self.frames.len()
    }

    /// Drops what is in it; returns how many frames that were.
    pub(crate) fn clear(&self) -> usize {
        std::iter::from_fn(|| self.frames.pop()).count()
    }
}

/// Which of a NIC's queues.
#[derive(Clone, Copy)]
pub(crate) enum Queue {
    Outbound,
    Looped,
}

/// The end of one of a NIC's queues at which one thread of the datapath takes frames out.
pub struct QueuedFrames {
    nic: Arc<NicShared>,
    queue: Queue,
}

impl QueuedFrames {
    pub(crate) fn new(nic: Arc<NicShared>, queue: Queue) -> Self {
        Self { nic, queue }
    }

    #[inline]
    fn queue(&self) -> &FrameQueue {
        match self.queue {
            Queue::Outbound => &self.nic.outbound,
            Queue::Looped => &self.nic.looped,
        }
    }

    /// Whether there is nothing in it: two loads.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queue().frames.is_empty()
    }

    /// Takes out what there is room for in `burst`; returns how many frames that were.
    pub fn pop_burst(&self, burst: &mut Burst) -> usize {
        let before = burst.len();
        while !burst.is_full()
            && let Some(frame) = self.queue().frames.pop()
        {
            burst.push(frame);
        }
        burst.len() - before
    }

    /// Has `bell` rung whenever a frame is put in. The first bell stays.
    pub fn ring_on_arrival(&self, bell: Doorbell) {
        // A second bell could only be that of the same thread.
        let _ = self.queue().bell.set(bell);
    }
}
