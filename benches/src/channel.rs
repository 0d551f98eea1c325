//! How frames come to the rivals: a bounded channel of `Vec<u8>`, one per frame.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::traffic::Frames;

/// A generator and the channel that it fills.
pub struct Channel {
    /// What it sends.
    pub frames: Frames,
    /// Its end.
    pub sender: SyncSender<Vec<u8>>,
    /// The other one's.
    pub receiver: Receiver<Vec<u8>>,
    capacity: usize,
}

impl Channel {
    /// One for so many frames.
    pub fn new(frames: Frames, capacity: usize) -> Self {
        let (sender, receiver) = sync_channel(capacity);
        Self {
            frames,
            sender,
            receiver,
            capacity,
        }
    }

    /// How many frames it is for.
    pub fn capacity(&self) -> u64 {
        self.capacity as u64
    }

    /// Fills it.
    ///
    /// # Panics
    /// If it is not empty.
    pub fn fill(&mut self) {
        for _ in 0..self.capacity {
            let frame = self.frames.next(|line| line.to_vec());
            assert!(self.sender.try_send(frame).is_ok(), "there is room");
        }
    }

    /// Takes out what is in it; returns how many frames that were.
    #[inline]
    pub fn drain(&self, mut each: impl FnMut(Vec<u8>)) -> u64 {
        let mut frames = 0;
        while let Ok(frame) = self.receiver.try_recv() {
            each(frame);
            frames += 1;
        }
        frames
    }
}
