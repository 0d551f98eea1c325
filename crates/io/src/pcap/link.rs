//! A link made of capture files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use corelane_engine::link::{Link, LinkError, Queues, RxQueue, RxStatus, TxQueue};
use corelane_frame::{Burst, Pool, PoolCache};
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_wire::MacAddr;

use super::{Capture, PcapWriteError, PcapWriter};

/// A link that receives the packets of a capture and sends into a pcap file, or into nothing.
///
/// It has one receive queue, which delivers as fast as it is polled and marks each frame with its
/// time in the capture, counted from the capture's first packet; whoever wants the capture's own
/// pace, or another, sends from [`Capture::packets`] over a [memory link](crate::memory) by a clock
/// of their own. After the last packet the queue is
/// [finished](corelane_engine::link::RxStatus::Finished). Whether that was the end of the file or
/// a break in it, [`Capture::end`] says.
pub struct PcapLink {
    name: String,
    capture: Arc<Capture>,
    output: Option<PcapTx>,
    mac: Option<MacAddr>,
    mtu: usize,
    counter: CounterReader<PcapCounter>,
    /// What the receive queue counts with; gone once the link is open.
    counts: Option<CounterWriter<PcapCounter>>,
}

impl PcapLink {
    /// A link with this capture as its input, named after it; it discards what it is given to send.
    pub fn new(capture: impl Into<Arc<Capture>>) -> Self {
        let capture = capture.into();
        let (writer, reader) = counters();
        Self {
            name: capture.name().to_owned(),
            capture,
            output: None,
            mac: None,
            mtu: 1500,
            counter: reader,
            counts: Some(writer),
        }
    }

    /// Reads what the link counts, also while an engine has it.
    pub fn counters(&self) -> PcapCounters {
        PcapCounters {
            capture: Arc::clone(&self.capture),
            counts: self.counter.clone(),
        }
    }

    /// With another name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With a file for what it sends.
    #[must_use]
    pub fn with_output(mut self, output: PcapTx) -> Self {
        self.output = Some(output);
        self
    }

    /// With a link address.
    #[must_use]
    pub fn with_mac(mut self, mac: MacAddr) -> Self {
        self.mac = Some(mac);
        self
    }

    /// With an MTU, in bytes without the Ethernet header, instead of 1500. It limits nothing here:
    /// it is what [`Link::mtu`] answers.
    #[must_use]
    pub fn with_mtu(mut self, mtu: usize) -> Self {
        self.mtu = mtu;
        self
    }
}

impl Link for PcapLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn mac(&self) -> Option<MacAddr> {
        self.mac
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        let Some(counts) = self.counts.take() else {
            return Err(LinkError::already_open(&self.name));
        };
        let tx: Box<dyn TxQueue> = match self.output.take() {
            Some(output) => Box::new(output),
            None => Box::new(Discard),
        };
        Ok(Queues {
            rx: vec![Box::new(PcapRx {
                capture: Arc::clone(&self.capture),
                next: 0,
                counts,
            })],
            tx: vec![tx],
        })
    }
}

/// What a receive queue counts beyond what the capture knows of itself.
#[derive(Clone, Copy)]
enum PcapCounter {
    TooLarge,
    BufferWaits,
}

impl CounterKey for PcapCounter {
    const COUNT: usize = 2;

    fn index(self) -> usize {
        self as usize
    }
}

/// Reads what a [`PcapLink`] counts, from any thread.
#[derive(Clone)]
pub struct PcapCounters {
    capture: Arc<Capture>,
    counts: CounterReader<PcapCounter>,
}

impl PcapCounters {
    /// The counters by name:
    /// - `packets`: in the file, up to its break if it has one;
    /// - of these, not delivered: `zero_length`, `header_too_short`, `unknown_protocol` (see
    ///   [`CaptureCounts`](super::CaptureCounts)), and `too_large` for a buffer of the pool;
    /// - of the others: `snap_truncated`, `out_of_order`;
    /// - `buffer_waits`: bursts cut short because the pool had no more buffers.
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        let counts = self.capture.counts();
        vec![
            ("packets", counts.in_file()),
            ("zero_length", counts.zero_length),
            ("header_too_short", counts.header_too_short),
            ("unknown_protocol", counts.unknown_protocol),
            ("too_large", self.counts.value(PcapCounter::TooLarge)),
            ("snap_truncated", counts.snap_truncated),
            ("out_of_order", counts.out_of_order),
            ("buffer_waits", self.counts.value(PcapCounter::BufferWaits)),
        ]
    }
}

/// Receives the packets of a capture.
struct PcapRx {
    capture: Arc<Capture>,
    /// The index of the packet that comes next.
    next: usize,
    counts: CounterWriter<PcapCounter>,
}

impl RxQueue for PcapRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let wanted = out.remaining_capacity().min(self.capture.len() - self.next);
        let mut frames = Burst::new();
        let got = cache.alloc_burst(&mut frames, wanted);
        if got < wanted {
            // Nothing is lost: the packets stay until there are buffers.
            self.counts.add(PcapCounter::BufferWaits, 1);
        }
        let mut received = false;
        let mut frames = frames.into_iter();
        'frame: for mut frame in frames.by_ref() {
            while let Some(packet) = self.capture.get(self.next) {
                self.next += 1;
                if packet.write_to(&mut frame).is_ok() {
                    out.push(frame);
                    received = true;
                    continue 'frame;
                }
                self.counts.add(PcapCounter::TooLarge, 1);
            }
            cache.recycle(frame);
            break;
        }
        for frame in frames {
            cache.recycle(frame);
        }
        Ok(if self.next == self.capture.len() {
            RxStatus::Finished
        } else if received || wanted == 0 {
            RxStatus::Ready
        } else {
            RxStatus::Idle
        })
    }
}

/// Sends into a pcap file: each frame with its receive time as the time stamp.
///
/// A burst is written to the end before the call returns, so that an error is this call's and a
/// dropped queue loses nothing. That costs at least one system call for each burst.
pub struct PcapTx {
    name: String,
    writer: PcapWriter<Box<dyn Write + Send>>,
}

impl PcapTx {
    /// Makes a file, or empties it if it is there.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, LinkError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Self::new(name, BufWriter::new(file)),
            Err(error) => Err(LinkError::new(name, PcapWriteError::Io(error))),
        }
    }

    /// Sends into `out`; `name` stands for it in errors. Many small writes follow: `out` should
    /// buffer them.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn new(
        name: impl Into<String>,
        out: impl Write + Send + 'static,
    ) -> Result<Self, LinkError> {
        let name = name.into();
        let out: Box<dyn Write + Send> = Box::new(out);
        match PcapWriter::new(out).and_then(|mut writer| writer.flush().map(|()| writer)) {
            Ok(writer) => Ok(Self { name, writer }),
            Err(error) => Err(LinkError::new(name, error)),
        }
    }
}

impl TxQueue for PcapTx {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let mut sent = 0;
        let mut result = Ok(());
        for frame in frames.iter() {
            result = self.writer.write(frame.rx_time(), frame.data());
            if result.is_err() {
                break;
            }
            sent += 1;
        }
        let result = result.and(self.writer.flush());
        for frame in frames.drain(..sent) {
            cache.recycle(frame);
        }
        match result {
            Ok(()) => Ok(sent),
            Err(error) => Err(LinkError::new(self.name.clone(), error)),
        }
    }
}

/// Sends into nothing.
struct Discard;

impl TxQueue for Discard {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let sent = frames.len();
        cache.recycle_burst(frames);
        Ok(sent)
    }
}
