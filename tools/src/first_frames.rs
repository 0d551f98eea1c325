//! The first frames of a measurement, kept as they come in, for `--capture`.
//!
//! A layer between a link and whoever reads it. It is armed when the measured time begins, copies as many
//! frames as were asked for into memory that it has had from the start, and from then on passes bursts on: no
//! thread and no file has a part in it until the measurement is over.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use corelane::engine::link::{LinkError, Queues, RxQueue, RxStatus};
use corelane::frame::{Burst, Frame, Pool, PoolCache};
use corelane::io::middleware::{Direction, Layer};
use corelane::io::pcap::{Interface, InterfaceCounts, PcapngWriter};
use corelane::sync::doorbell::Doorbell;
use crossbeam::channel::{Receiver, Sender, bounded};

/// The most frames that are kept: there is memory for each from the start.
pub const MOST_KEPT: u32 = 1 << 16;

/// The layer around a link, which has one queue to receive by.
pub struct FirstFrames {
    most: usize,
    armed: Arc<AtomicBool>,
    kept: Sender<Kept>,
}

/// Has what was kept, when the link's queues are gone.
pub struct FirstFramesHandle {
    armed: Arc<AtomicBool>,
    kept: Receiver<Kept>,
}

/// Frames, one behind the other.
#[derive(Default)]
struct Kept {
    /// The link's name.
    link: String,
    bytes: Vec<u8>,
    /// When each came, in nanoseconds since 1970, and where it ends.
    ends: Vec<(u64, usize)>,
}

impl FirstFrames {
    /// One that keeps up to `most` frames, [`MOST_KEPT`] at most.
    pub fn new(most: u32) -> (Self, FirstFramesHandle) {
        let armed = Arc::new(AtomicBool::new(false));
        let (sender, kept) = bounded(1);
        let handle = FirstFramesHandle {
            armed: Arc::clone(&armed),
            kept,
        };
        let layer = Self {
            most: most.min(MOST_KEPT) as usize,
            armed,
            kept: sender,
        };
        (layer, handle)
    }
}

impl FirstFramesHandle {
    /// From now on frames are kept.
    pub fn begin(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    /// Writes what was kept to a file, as pcapng, and says how many frames that is. The link's queues are gone:
    /// what is still open has nothing to give.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(self, file: File) -> io::Result<u64> {
        let kept = self.kept.try_recv().unwrap_or_default();
        let interface = Interface {
            name: kept.link,
            description: "the first frames of the measured time".to_owned(),
            snap_len: 0,
        };
        let first = kept.ends.first().map_or(0, |&(time, _)| time);
        let mut out = PcapngWriter::new(BufWriter::new(file), &interface, first)?;
        let mut start = 0;
        for &(time, end) in &kept.ends {
            let frame = kept.bytes.get(start..end).unwrap_or_default();
            out.write(time, Direction::Inbound, frame, frame.len())?;
            start = end;
        }
        let seen = kept.ends.len() as u64;
        out.finish(InterfaceCounts { seen, lost: 0 })?;
        Ok(seen)
    }
}

impl Layer for FirstFrames {
    fn wrap(&mut self, link: &str, queues: Queues, pool: &Pool) -> Result<Queues, LinkError> {
        let Queues { mut rx, tx } = queues;
        let (Some(queue), true) = (rx.pop(), rx.is_empty()) else {
            return Err(LinkError::new(
                link,
                "frames are kept of a link with one queue".to_owned(),
            ));
        };
        let config = pool.config();
        let longest = config.slot_size.saturating_sub(config.headroom);
        let kept = Kept::with_room(link, self.most, longest).ok_or_else(|| {
            let what = format!("no memory to keep {} frames", self.most);
            LinkError::new(link, what)
        })?;
        let queue = Keeping {
            queue,
            armed: Arc::clone(&self.armed),
            most: self.most,
            kept,
            done: self.kept.clone(),
        };
        Ok(Queues {
            rx: vec![Box::new(queue)],
            tx,
        })
    }
}

impl Kept {
    /// Room for so many frames of up to `longest` bytes.
    fn with_room(link: &str, most: usize, longest: usize) -> Option<Self> {
        let mut kept = Self {
            link: link.to_owned(),
            ..Self::default()
        };
        kept.ends.try_reserve_exact(most).ok()?;
        let bytes = most.checked_mul(longest)?;
        kept.bytes.try_reserve_exact(bytes).ok()?;
        Some(kept)
    }

    /// Takes a copy. There is room for it: none is longer than a slot.
    fn keep(&mut self, frame: &Frame, time_ns: u64) {
        self.bytes.extend_from_slice(frame.data());
        self.ends.push((time_ns, self.bytes.len()));
    }
}

struct Keeping {
    queue: Box<dyn RxQueue>,
    armed: Arc<AtomicBool>,
    most: usize,
    kept: Kept,
    done: Sender<Kept>,
}

impl RxQueue for Keeping {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let before = out.len();
        let result = self.queue.rx_burst(cache, out);
        let room = self.most - self.kept.ends.len();
        if room > 0 && out.len() > before && self.armed.load(Ordering::Relaxed) {
            let time_ns = now_ns();
            for frame in out.iter().skip(before).take(room) {
                self.kept.keep(frame, time_ns);
            }
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

impl Drop for Keeping {
    fn drop(&mut self) {
        // There is room for the one queue's.
        let _ = self.done.try_send(std::mem::take(&mut self.kept));
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane::engine::link::Link;
    use corelane::frame::PoolConfig;
    use corelane::io::memory::{MemoryConfig, memory_link};
    use corelane::io::middleware::Layered;
    use corelane::io::pcap::Capture;

    /// What is in the file when so many frames came before the measured time and in it, in bursts of ten.
    fn kept(most: u32, before: u8, in_it: u8) -> Vec<Vec<u8>> {
        let pool = Pool::new(PoolConfig::default()).unwrap();
        let mut cache = pool.cache();
        let (link, mut peer) = memory_link(MemoryConfig::default()).unwrap();
        let (layer, handle) = FirstFrames::new(most);
        let mut queues = Layered::new(Box::new(link), layer).open(&pool).unwrap();
        let (mut sent, mut burst) = (Burst::new(), Burst::new());
        let numbers: Vec<u8> = (0..before + in_it).collect();
        let (unmeasured, measured) = numbers.split_at(before.into());
        for (numbers, is_measured) in [(unmeasured, false), (measured, true)] {
            if is_measured {
                handle.begin();
            }
            for numbers in numbers.chunks(10) {
                for number in numbers {
                    let mut frame = cache.alloc().unwrap();
                    frame.set_data(&[*number; 60]).unwrap();
                    sent.push(frame);
                }
                peer.send(0, &mut sent);
                queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
                assert_eq!(burst.len(), numbers.len(), "they go on");
                cache.recycle_burst(&mut burst);
            }
        }
        drop(queues);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.pcapng");
        let written = handle.write(File::create(&path).unwrap()).unwrap();
        let capture = Capture::open(&path).unwrap();
        let frames: Vec<_> = capture.packets().map(|it| it.payload().to_vec()).collect();
        assert_eq!(written, frames.len() as u64);
        frames
    }

    #[test]
    fn the_first_frames_of_the_measured_time_are_kept() {
        let numbers = |from: u8, to: u8| (from..to).map(|it| vec![it; 60]).collect::<Vec<_>>();
        assert_eq!(kept(15, 7, 40), numbers(7, 22));
        assert_eq!(kept(1, 0, 3), numbers(0, 1));
        assert_eq!(kept(10, 20, 10), numbers(20, 30));
        assert_eq!(kept(50, 3, 20), numbers(3, 23), "all there were");
        assert_eq!(kept(50, 3, 0), numbers(0, 0));
    }
}
