//! Copies of what goes by, to a thread that writes them down.
//!
//! Each half of a queue has a ring, and slots of a pool that is the mirror's own: the engine's frames
//! are not touched. The datapath copies, and rings once per burst; what finds the ring or the pool
//! full, or nobody who writes any more, is counted as lost and goes its way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use corelane_engine::link::{LinkError, Queues, RxQueue, RxStatus, TxQueue};
use corelane_frame::{
    BURST, Burst, Frame, HugePages, LINE, Pool, PoolCache, PoolConfig, PoolError,
};
use corelane_stack::Clock;
use corelane_sync::counters::{self, CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::{Doorbell, Sleeper, doorbell};
use corelane_sync::ring::{Consumer, Producer, RingError, ring};
use corelane_wire::{ETHERNET_HEADER_LEN, Offloads, PacketFilter};
use thiserror::Error;

use super::{FrameSink, Layer};
pub use crate::pcap::FrameDirection as Direction;

/// How long the thread sleeps at most: what was written down is handed to the system by then.
const NAP: Duration = Duration::from_millis(100);

/// The longest frame.
const LONGEST: usize = ETHERNET_HEADER_LEN + 4 + 65_535;

/// What is mirrored.
#[derive(Clone, Debug)]
pub struct MirrorConfig {
    /// Which frames.
    pub filter: PacketFilter,
    /// Bytes copied of each frame at most; no less than an Ethernet header's.
    pub snap_len: usize,
    /// Copies on their way to the thread at most, of each half of each queue; rounded up to a power
    /// of two. Each takes a slot of `snap_len` bytes.
    pub ring: usize,
    /// What the times are told by.
    pub clock: Clock,
    /// The nanoseconds since 1970 at that clock's zero: those of the system unless said.
    pub epoch_ns: Option<u64>,
}

impl Default for MirrorConfig {
    /// All frames, 2048 bytes of each, 1024 on their way.
    fn default() -> Self {
        Self {
            filter: PacketFilter::ALL,
            snap_len: 2048,
            ring: 1024,
            clock: Clock::system(),
            epoch_ns: None,
        }
    }
}

/// A mirror that cannot be put up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// There is no memory for the copies.
    #[error("no room for copies: {0}")]
    Pool(#[from] PoolError),
    /// Nor for the rings.
    #[error("no room for copies: {0}")]
    Ring(#[from] RingError),
    /// There is no thread.
    #[error("no thread to write them down: {0}")]
    Thread(#[source] io::Error),
}

/// What came of the frames that the filter lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorCounts {
    /// Copied, or to be.
    pub seen: u64,
    /// Lost: there was no room for the copy, or nobody wrote it down any more.
    pub lost: u64,
    /// Written down.
    pub written: u64,
}

/// A copy of a frame that went by.
#[derive(Debug)]
pub struct Mirrored {
    /// The copy.
    frame: Frame,
    /// Which way it went.
    pub direction: Direction,
    /// When, in nanoseconds since 1970.
    pub time_ns: u64,
    /// How long the frame was, in bytes.
    pub original_len: usize,
}

impl Mirrored {
    /// Its bytes, as far as they were copied.
    pub fn data(&self) -> &[u8] {
        self.frame.data()
    }
}

/// What a lane counts.
#[derive(Clone, Copy)]
enum Counted {
    Seen,
    Lost,
}

impl CounterKey for Counted {
    const COUNT: usize = 2;

    fn index(self) -> usize {
        self as usize
    }
}

/// The [layer](Layer) that copies frames to a [sink](FrameSink), on a thread that it starts and that
/// ends when the queues of the link are gone.
pub struct Mirror {
    filter: PacketFilter,
    lanes: Vec<Lane>,
}

/// Tells what came of a [`Mirror`].
pub struct MirrorHandle {
    counters: Vec<CounterReader<Counted>>,
    written: Arc<AtomicU64>,
    thread: JoinHandle<io::Result<()>>,
}

impl Mirror {
    /// For a link of up to `queues` queues in each direction; `name` is that of the thread.
    ///
    /// # Errors
    /// There is no memory or no thread for it.
    pub fn new(
        name: &str,
        config: MirrorConfig,
        queues: usize,
        sink: impl FrameSink + 'static,
    ) -> Result<(Self, MirrorHandle), MirrorError> {
        let MirrorConfig {
            filter,
            snap_len,
            ring: copies,
            clock,
            epoch_ns,
        } = config;
        let halves = queues.saturating_mul(2).max(2);
        let snap_len = snap_len.clamp(ETHERNET_HEADER_LEN, LONGEST);
        let pool = Pool::new(PoolConfig {
            // Those in the rings, and what caches keep.
            slots: PoolConfig::slots_for(
                halves.saturating_mul(copies.saturating_add(BURST)),
                halves + 1,
            ),
            slot_size: snap_len.next_multiple_of(LINE),
            headroom: 0,
            huge_pages: HugePages::Off,
            ..PoolConfig::default()
        })?;
        let epoch_ns = epoch_ns.unwrap_or_else(|| epoch_of(&clock));
        let (bell, sleeper) = doorbell();
        let (mut lanes, mut rings, mut readers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..halves {
            let (producer, consumer) = ring(copies)?;
            let (writer, reader) = counters();
            lanes.push(Lane {
                ring: producer,
                cache: pool.cache(),
                counters: writer,
                bell: bell.clone(),
                clock: clock.clone(),
                epoch_ns,
                snap_len,
            });
            rings.push(consumer);
            readers.push(reader);
        }
        let written = Arc::<AtomicU64>::default();
        let writer = Writer {
            rings,
            cache: pool.cache(),
            sleeper,
            written: Arc::clone(&written),
            counters: readers.clone(),
            sink: Box::new(sink),
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || writer.run())
            .map_err(MirrorError::Thread)?;
        let handle = MirrorHandle {
            counters: readers,
            written,
            thread,
        };
        Ok((Self { filter, lanes }, handle))
    }
}

/// The time since 1970 at the zero of a clock that runs with the system's.
fn epoch_of(clock: &Clock) -> u64 {
    let now = clock.now();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default().as_nanos();
    u64::try_from(since)
        .unwrap_or(u64::MAX)
        .saturating_sub(now.as_nanos())
}

impl MirrorHandle {
    /// What came of the frames until now.
    pub fn counts(&self) -> MirrorCounts {
        counts(&self.written, &self.counters)
    }

    /// Waits until the queues of the link are gone and all is written down.
    ///
    /// # Errors
    /// The sink failed; what came after that is counted as lost.
    pub fn join(self) -> io::Result<MirrorCounts> {
        let Self {
            counters,
            written,
            thread,
        } = self;
        match thread.join() {
            Ok(result) => result.map(|()| counts(&written, &counters)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn counts(written: &AtomicU64, counters: &[CounterReader<Counted>]) -> MirrorCounts {
    // What was written was seen before.
    let written = written.load(Ordering::Acquire);
    MirrorCounts {
        written,
        lost: counters::sum(counters, Counted::Lost),
        seen: counters::sum(counters, Counted::Seen),
    }
}

impl Layer for Mirror {
    fn wrap(&mut self, link: &str, queues: Queues, _pool: &Pool) -> Result<Queues, LinkError> {
        let Queues { rx, tx } = queues;
        let needed = rx.len() + tx.len();
        if needed > self.lanes.len() {
            let there = self.lanes.len();
            return Err(LinkError::new(
                link,
                format!("it has {needed} queues to mirror, and the mirror is for {there}"),
            ));
        }
        // What is too much goes: the thread ends when all of them are gone.
        let mut lanes = std::mem::take(&mut self.lanes).into_iter();
        let filter = self.filter;
        let rx = rx.into_iter().zip(&mut lanes);
        let rx = rx.map(|(queue, lane)| {
            Box::new(MirroredRx {
                queue,
                lane,
                filter,
            }) as _
        });
        let rx = rx.collect();
        let tx = tx.into_iter().zip(&mut lanes);
        let tx = tx.map(|(queue, lane)| {
            let line = Vec::with_capacity(BURST);
            Box::new(MirroredTx {
                queue,
                lane,
                filter,
                line,
            }) as _
        });
        let tx = tx.collect();
        Ok(Queues { rx, tx })
    }
}

/// The way of one half of a queue to the thread.
struct Lane {
    ring: Producer<Mirrored>,
    cache: PoolCache,
    counters: CounterWriter<Counted>,
    bell: Doorbell,
    clock: Clock,
    epoch_ns: u64,
    snap_len: usize,
}

impl Lane {
    fn now_ns(&self) -> u64 {
        self.epoch_ns.saturating_add(self.clock.now().as_nanos())
    }

    /// A copy of a frame; None if there is no room for it.
    fn copy(&mut self, frame: &Frame, direction: Direction, time_ns: u64) -> Option<Mirrored> {
        if self.ring.is_closed() || self.ring.free() == 0 {
            return None;
        }
        let mut copy = self.cache.alloc()?;
        let data = frame.data();
        if copy
            .set_data(&data[..data.len().min(self.snap_len)])
            .is_err()
        {
            self.cache.recycle(copy);
            return None;
        }
        Some(Mirrored {
            frame: copy,
            direction,
            time_ns,
            original_len: data.len(),
        })
    }

    /// Hands a copy over, and counts what came of it.
    fn hand_over(&mut self, copy: Option<Mirrored>) {
        self.counters.add(Counted::Seen, 1);
        let lost = match copy.map(|copy| self.ring.push(copy)) {
            Some(Ok(())) => return,
            Some(Err(full)) => Some(full.0.frame),
            None => None,
        };
        if let Some(frame) = lost {
            self.cache.recycle(frame);
        }
        self.counters.add(Counted::Lost, 1);
    }
}

impl Drop for Lane {
    /// The thread may wait for the last one to go. It looks again soon enough if it wakes too early.
    fn drop(&mut self) {
        self.bell.ring();
    }
}

struct MirroredRx {
    queue: Box<dyn RxQueue>,
    lane: Lane,
    filter: PacketFilter,
}

impl RxQueue for MirroredRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let before = out.len();
        let result = self.queue.rx_burst(cache, out);
        let new = out.get(before..).unwrap_or_default();
        if !new.is_empty() {
            let time_ns = self.lane.now_ns();
            for frame in new.iter().filter(|frame| self.filter.matches(frame.data())) {
                let copy = self.lane.copy(frame, Direction::Inbound, time_ns);
                self.lane.hand_over(copy);
            }
            self.lane.bell.ring();
        }
        result
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.queue.ring_on_arrival(doorbell)
    }

    fn has_frames(&mut self) -> bool {
        self.queue.has_frames()
    }

    fn due_in(&mut self) -> Option<Duration> {
        self.queue.due_in()
    }
}

struct MirroredTx {
    queue: Box<dyn TxQueue>,
    lane: Lane,
    filter: PacketFilter,
    /// The copies of a burst, with the place of each in it, until it is known how many went.
    line: Vec<(usize, Option<Mirrored>)>,
}

impl TxQueue for MirroredTx {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        // Copied before they are given away.
        let time_ns = self.lane.now_ns();
        for (place, frame) in frames.iter().enumerate() {
            if self.filter.matches(frame.data()) {
                let copy = self.lane.copy(frame, Direction::Outbound, time_ns);
                self.line.push((place, copy));
            }
        }
        let before = frames.len();
        let result = self.queue.tx_burst(cache, frames);
        let sent = before.saturating_sub(frames.len());
        for (place, copy) in self.line.drain(..) {
            if place < sent {
                self.lane.hand_over(copy);
            } else if let Some(copy) = copy {
                self.lane.cache.recycle(copy.frame);
            }
        }
        if sent > 0 {
            self.lane.bell.ring();
        }
        result
    }

    fn offloads(&self) -> Offloads {
        self.queue.offloads()
    }

    fn holds_back(&self) -> bool {
        self.queue.holds_back()
    }

    fn poll(&mut self, cache: &mut PoolCache) -> Result<(), LinkError> {
        self.queue.poll(cache)
    }

    fn due_in(&mut self) -> Option<Duration> {
        self.queue.due_in()
    }
}

/// The thread.
struct Writer {
    rings: Vec<Consumer<Mirrored>>,
    cache: PoolCache,
    sleeper: Sleeper,
    written: Arc<AtomicU64>,
    counters: Vec<CounterReader<Counted>>,
    sink: Box<dyn FrameSink>,
}

impl Writer {
    fn run(mut self) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            // Asked before: what the last one put in is there by then.
            let is_end = self.rings.iter().all(Consumer::is_closed);
            for ring in &mut self.rings {
                batch.extend(std::iter::from_fn(|| ring.pop()));
            }
            if batch.is_empty() {
                if is_end {
                    break;
                }
                self.sink.flush()?;
                let Self { rings, sleeper, .. } = &mut self;
                sleeper.sleep(Some(NAP), || {
                    rings.iter_mut().any(|ring| !ring.is_empty())
                        || rings.iter().all(Consumer::is_closed)
                });
                continue;
            }
            batch.sort_by_key(|copy| copy.time_ns);
            for copy in batch.drain(..) {
                self.sink.frame(&copy)?;
                self.written.fetch_add(1, Ordering::Release);
                self.cache.recycle(copy.frame);
            }
        }
        let counts = counts(&self.written, &self.counters);
        self.sink.end(counts)
    }
}
