//! Where the frames of a run end: handlers, or the peer of the link that they are forwarded to. Each
//! worker's is counted by a recorder of its own, which others may read at any time.

mod arrival;
mod order;
mod recorder;
mod streams;

use std::sync::{Arc, Mutex, PoisonError};

pub use arrival::Arrived;
pub use order::{Arrival, OrderCheck, OrderShare};
pub use recorder::{CountingHandler, Mark, Recorder, RecorderReader, Seen};
pub use streams::{StreamCounts, StreamMark, StreamReaders, StreamSeen, stream_counts};

use crate::clock::Clock;
use crate::latency::{Latencies, Snapshot};
use crate::unit::Check;

/// What one recorder counted in a window.
#[derive(Clone, Debug)]
pub struct Handled {
    /// The worker's number.
    pub worker: usize,
    /// Packets it was given.
    pub packets: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// What was found of them.
    pub order: OrderShare,
    /// Nanoseconds from planned send time to here, if measured.
    pub latency: Option<Latencies>,
    /// What it was given of each stream, if they are counted apart.
    pub streams: Vec<StreamSeen>,
}

/// What ends do with frames.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// What they read to measure latency: that of the generator's link.
    pub clock: Clock,
    /// Whether they measure it.
    pub latency: bool,
    /// What they check.
    pub check: Check,
    /// Streams that they count apart; 0 if they do not.
    pub streams: usize,
}

/// The recorders of one kind of end.
pub struct Sinks {
    maker: SinkMaker,
    /// What had been counted when the window began, by worker.
    before: Vec<Mark>,
}

impl Sinks {
    /// Ends of this kind.
    pub fn new(ends: Ends) -> Self {
        Self {
            maker: SinkMaker {
                ends,
                readers: Arc::default(),
            },
            before: Vec::new(),
        }
    }

    /// What makes the recorders.
    pub fn maker(&self) -> SinkMaker {
        self.maker.clone()
    }

    /// Counts from here. Only while nothing is in flight: what is, may be in either window.
    pub fn start_window(&mut self) {
        let readers = self.maker.readers();
        self.before = readers.iter().map(RecorderReader::mark).collect();
    }

    /// Packets that all of them were given so far, in all windows.
    pub fn packets(&self) -> u64 {
        let readers = self.maker.readers();
        readers.iter().map(|reader| reader.seen().packets).sum()
    }

    /// What each was given so far, in all windows.
    pub fn seen(&self) -> Vec<(Seen, Snapshot)> {
        let readers = self.maker.readers();
        readers
            .iter()
            .map(|reader| (reader.seen(), reader.latency()))
            .collect()
    }

    /// What each counted since the window began, by worker.
    pub fn handled(&self) -> Vec<Handled> {
        let nothing = Mark::default();
        let readers = self.maker.readers();
        let befores = self.before.iter().chain(std::iter::repeat(&nothing));
        let mut handled: Vec<Handled> = readers
            .iter()
            .zip(befores)
            .map(|(reader, before)| reader.since(before))
            .collect();
        handled.sort_unstable_by_key(|handled| handled.worker);
        handled
    }
}

/// Makes recorders.
#[derive(Clone)]
pub struct SinkMaker {
    ends: Ends,
    readers: Arc<Mutex<Vec<RecorderReader>>>,
}

impl SinkMaker {
    /// The handler of a worker.
    pub fn handler(&self, worker: usize) -> CountingHandler {
        CountingHandler::new(self.recorder(worker))
    }

    /// What counts for a worker.
    pub fn recorder(&self, worker: usize) -> Recorder {
        let (recorder, reader) = Recorder::new(worker, self.ends);
        self.lock().push(reader);
        recorder
    }

    fn readers(&self) -> Vec<RecorderReader> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<RecorderReader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
