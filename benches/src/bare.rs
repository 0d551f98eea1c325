//! The floors: what it costs to pass frames through a ring, with one line of each written and
//! read, and nothing else.

use std::hint::black_box;
use std::time::{Duration, Instant};

use corelane::frame::{BURST, Burst, Frame, Pool, PoolCache};
use corelane::sync::ring::{Consumer, Producer};

use crate::bed::pool_for;
use crate::harness::{Budget, Sample, Stop, beside, in_rounds, in_windows};
use crate::rings::{self, Ours, Pop, Push};
use crate::traffic::Frames;

/// A ring of frames between two pool caches.
pub struct Bare<P = Ours<Producer<Frame>>, C = Ours<Consumer<Frame>>> {
    frames: Frames,
    sender: PoolCache,
    receiver: PoolCache,
    producer: P,
    consumer: C,
    ring: usize,
    /// Frames that a drain took out and has not returned yet.
    taken: Vec<Burst>,
    _pool: Pool,
}

/// Whether a drain returns the frames to the pool within the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// They do, by the cache.
    Measured,
    /// They are put aside: the ring and one line of each, nothing else.
    Afterwards,
}

/// Reads one line of the frame: a word at each end of it.
#[inline]
fn read_line(frame: &Frame) -> u64 {
    let data = frame.data();
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    word(data.first_chunk()) ^ word(data.last_chunk())
}

impl Bare {
    /// Our ring of `capacity` frames, filled with these.
    pub fn ours(frames: Frames, capacity: usize) -> Self {
        Self::new(frames, capacity, rings::ours)
    }
}

impl<P: Push<Frame, BURST>, C: Pop<Frame, BURST>> Bare<P, C> {
    /// A ring of `capacity` frames, filled with these.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn new(frames: Frames, capacity: usize, ring: impl FnOnce(usize) -> (P, C)) -> Self {
        let pool = Pool::new(pool_for(capacity)).expect("a pool");
        let (producer, consumer) = ring(capacity);
        Self {
            frames,
            sender: pool.cache(),
            receiver: pool.cache(),
            producer,
            consumer,
            ring: capacity,
            taken: (0..capacity.div_ceil(BURST))
                .map(|_| Burst::new())
                .collect(),
            _pool: pool,
        }
    }

    fn fill(&mut self) {
        let mut burst = Burst::new();
        let mut sent = 0;
        while sent < self.ring {
            self.sender
                .alloc_burst(&mut burst, BURST.min(self.ring - sent));
            self.frames.fill(&mut burst);
            let pushed = self.producer.push(&mut burst);
            assert!(
                pushed > 0 && burst.is_empty(),
                "the pool and the ring have room"
            );
            sent += pushed;
        }
    }

    /// One round: fills the ring, and then takes the time of taking everything out and reading
    /// one line of each frame.
    pub fn round(&mut self, returned: Return) -> (u64, Duration) {
        self.fill();
        let mut sum = 0;
        let mut frames = 0;
        let mut burst = Burst::new();
        let start = Instant::now();
        match returned {
            Return::Measured => {
                while self.consumer.pop(&mut burst) > 0 {
                    sum = burst.iter().fold(sum, |sum, frame| sum ^ read_line(frame));
                    frames += burst.len() as u64;
                    self.receiver.recycle_burst(&mut burst);
                }
            }
            Return::Afterwards => {
                for taken in &mut self.taken {
                    frames += self.consumer.pop(taken) as u64;
                    sum = taken.iter().fold(sum, |sum, frame| sum ^ read_line(frame));
                }
            }
        }
        black_box(sum);
        let time = start.elapsed();
        self.taken
            .iter_mut()
            .for_each(|taken| self.receiver.recycle_burst(taken));
        assert_eq!(frames, self.ring as u64);
        (frames, time)
    }

    /// A sample on one core.
    pub fn sample_alone(&mut self, budget: Budget, returned: Return) -> Sample {
        in_rounds(budget, || self.round(returned))
    }

    /// A sample on two cores: one takes frames from the pool, writes a line of each and pushes
    /// them by bursts; the other pops them, reads the line and returns them.
    pub fn sample_handover(&mut self, budget: Budget) -> Sample {
        let Self {
            frames,
            sender,
            receiver,
            producer,
            consumer,
            ..
        } = self;
        let send = |stop: &mut Stop<'_>| {
            let mut burst = Burst::new();
            let mut sent = 0;
            while !stop.requested() {
                if burst.is_empty() {
                    sender.alloc_burst(&mut burst, BURST);
                    frames.fill(&mut burst);
                }
                sent += producer.push(&mut burst) as u64;
            }
            sender.recycle_burst(&mut burst);
            sent
        };
        let mut received = 0;
        let mut sum = 0;
        let mut burst = Burst::new();
        let mut take = || {
            let n = consumer.pop(&mut burst) as u64;
            sum = burst.iter().fold(sum, |sum, frame| sum ^ read_line(frame));
            receiver.recycle_burst(&mut burst);
            received += n;
            n
        };
        let (sent, sample) = beside(send, || in_windows(budget, &mut take));
        while take() > 0 {}
        black_box(sum);
        assert_eq!(sent, received);
        sample
    }
}
