//! What takes packets, or frames that were sent on: it counts them and, if asked to, measures their
//! latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corelane::stack::{Delivery, Handler, Packet};
use crossbeam::channel::{Receiver, Sender, unbounded};
use hdrhistogram::Histogram;

use crate::clock::Clock;
use crate::latency;

/// What one recorder counted in the last window that was recorded.
#[derive(Clone, Debug)]
pub struct Handled {
    /// The worker's number.
    pub worker: usize,
    /// Packets it was given.
    pub packets: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// Nanoseconds from planned send time to here, if measured.
    pub latency: Option<Histogram<u64>>,
}

/// The handlers of a run, or other ends of the frames' way, and what they counted.
pub struct Handlers {
    maker: HandlerMaker,
    collected: Receiver<Handled>,
}

impl Handlers {
    /// Handlers that read this clock, if they measure latency.
    pub fn new(clock: Clock, latency: bool) -> Self {
        let (results, collected) = unbounded();
        let maker = HandlerMaker {
            clock,
            latency,
            window: Arc::default(),
            results,
        };
        Self { maker, collected }
    }

    /// What makes them.
    pub fn maker(&self) -> HandlerMaker {
        self.maker.clone()
    }

    /// Makes every recorder start from zero with its next burst. Only while nothing is in flight:
    /// what is, would be in neither window.
    pub fn start_window(&self) {
        self.maker.window.fetch_add(1, Ordering::Relaxed);
    }

    /// What recorders that are gone counted, by worker. A recorder answers when it is dropped.
    pub fn collect(&self) -> Vec<Handled> {
        let mut handled: Vec<Handled> = self.collected.try_iter().collect();
        handled.sort_unstable_by_key(|handled| handled.worker);
        handled
    }
}

/// Makes handlers and recorders.
#[derive(Clone)]
pub struct HandlerMaker {
    clock: Clock,
    latency: bool,
    window: Arc<AtomicU64>,
    results: Sender<Handled>,
}

impl HandlerMaker {
    /// The handler of a worker.
    pub fn handler(&self, worker: usize) -> CountingHandler {
        CountingHandler(self.recorder(worker))
    }

    /// What counts for a worker.
    pub fn recorder(&self, worker: usize) -> Recorder {
        let latency = self.latency.then(latency::histogram);
        Recorder {
            clock: self.clock,
            window: Arc::clone(&self.window),
            of_window: 0,
            handled: Handled {
                worker,
                packets: 0,
                bytes: 0,
                latency,
            },
            results: self.results.clone(),
        }
    }
}

/// Counts packets and bytes, burst by burst. The clock is read once per burst, before its first packet.
pub struct Recorder {
    clock: Clock,
    /// The number of the window: a line that changes between windows only.
    window: Arc<AtomicU64>,
    of_window: u64,
    handled: Handled,
    results: Sender<Handled>,
}

impl Recorder {
    #[cold]
    fn restart(&mut self, window: u64) {
        self.of_window = window;
        self.handled.packets = 0;
        self.handled.bytes = 0;
        if let Some(latency) = &mut self.handled.latency {
            latency.reset();
        }
    }

    /// Records a burst: `next` gives the length of the next frame, in bytes, and its planned time.
    #[inline]
    pub fn record(&mut self, mut next: impl FnMut() -> Option<(usize, u64)>) {
        let window = self.window.load(Ordering::Relaxed);
        if window != self.of_window {
            self.restart(window);
        }
        let mut packets = 0;
        let mut bytes = 0;
        match &mut self.handled.latency {
            None => {
                while let Some((len, _)) = next() {
                    packets += 1;
                    bytes += len as u64;
                }
            }
            Some(latency) => {
                let now = self.clock.now();
                while let Some((len, planned)) = next() {
                    packets += 1;
                    bytes += len as u64;
                    latency.saturating_record(now.saturating_sub(planned));
                }
            }
        }
        self.handled.packets += packets;
        self.handled.bytes += bytes;
    }
}

/// Counts what is delivered.
pub struct CountingHandler(Recorder);

impl Handler for CountingHandler {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let mut packet = Some((packet.len(), packet.rx_time()));
        self.0.record(|| packet.take());
    }

    fn burst(&mut self, delivery: &mut Delivery<'_>) {
        self.0.record(|| {
            let packet = delivery.next()?;
            Some((packet.len(), packet.rx_time()))
        });
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let nothing = Handled {
            worker: 0,
            packets: 0,
            bytes: 0,
            latency: None,
        };
        let mut handled = std::mem::replace(&mut self.handled, nothing);
        if self.of_window != self.window.load(Ordering::Relaxed) {
            // It saw no packet of the last window.
            handled.packets = 0;
            handled.bytes = 0;
            if let Some(latency) = &mut handled.latency {
                latency.reset();
            }
        }
        // Nobody collects from a run that was given up.
        let _ = self.results.send(handled);
    }
}
