//! What a link counts, and what the kernel counts for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use corelane_sys::xdp::{XdpProbe, XdpStatistics};

use crate::device::{DeviceCounter, QueueCounters};

/// Reads what an [`AfXdpLink`](super::AfXdpLink) and the kernel count, from any thread.
#[derive(Clone, Debug)]
pub struct AfXdpCounters {
    queues: QueueCounters,
    kernel: Arc<OnceLock<Kernel>>,
}

/// The sockets of the open link.
#[derive(Debug)]
struct Kernel {
    zero_copy: bool,
    sockets: Vec<Socket>,
}

/// What the kernel counted of a socket when it was last asked.
#[derive(Debug)]
struct Socket {
    probe: XdpProbe,
    dropped: AtomicU64,
    ring_full: AtomicU64,
    fill_empty: AtomicU64,
    invalid: AtomicU64,
}

impl Socket {
    /// Asks the kernel, as long as the socket is open.
    fn ask(&self) {
        if let Some(XdpStatistics {
            dropped,
            ring_full,
            fill_empty,
            invalid,
        }) = self.probe.read()
        {
            // They only grow: who was asked later wins.
            self.dropped.fetch_max(dropped, Ordering::Relaxed);
            self.ring_full.fetch_max(ring_full, Ordering::Relaxed);
            self.fill_empty.fetch_max(fill_empty, Ordering::Relaxed);
            self.invalid.fetch_max(invalid, Ordering::Relaxed);
        }
    }
}

impl AfXdpCounters {
    pub(super) fn new(queues: QueueCounters) -> Self {
        Self {
            queues,
            kernel: Arc::default(),
        }
    }

    /// The link is open, with these sockets.
    pub(super) fn opened(&self, probes: impl Iterator<Item = XdpProbe>, zero_copy: bool) {
        let sockets = probes.map(|probe| Socket {
            probe,
            dropped: AtomicU64::new(0),
            ring_full: AtomicU64::new(0),
            fill_empty: AtomicU64::new(0),
            invalid: AtomicU64::new(0),
        });
        let sockets = sockets.collect();
        // A link opens once.
        let _ = self.kernel.set(Kernel { zero_copy, sockets });
    }

    /// Asks the kernel once more, before a queue is closed.
    pub(super) fn gather(&self, queue: usize) {
        let kernel = self.kernel.get();
        if let Some(socket) = kernel.and_then(|kernel| kernel.sockets.get(queue)) {
            socket.ask();
        }
    }

    /// Whether the driver works on the pool itself, without copies. None before the link is open.
    pub fn is_zero_copy(&self) -> Option<bool> {
        self.kernel.get().map(|kernel| kernel.zero_copy)
    }

    /// The counters by name:
    /// - of the kernel, received and dropped: `kernel_dropped`, too long or without a buffer, and
    ///   `kernel_ring_full`. How often it found no buffer: `kernel_fill_empty`. What it did not
    ///   understand: `kernel_invalid`;
    /// - `partial_checksums`: frames received whose transport checksum was left to hardware, of those that were
    ///   looked at. They are as they came, and will be dropped: the [module](super) tells which line is
    ///   missing;
    /// - `buffer_waits`: bursts after which the pool had too few buffers for the kernel;
    /// - `send_waits`: bursts cut short because the ring had no room or the device was down,
    ///   `send_refused`: frames that the device does not take, which are longer than its MTU of now. The engine
    ///   counts both as `send_dropped`;
    /// - `send_lost`: frames sent that the driver dropped, as a veth does if they are longer than its peer's MTU, or
    ///   its peer has no room. The kernel tells it where it copies (of a veth since Linux 6.6);
    /// - `copied`: frames sent that were of another pool.
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        let sockets = self.kernel.get().map_or(&[][..], |kernel| &kernel.sockets);
        for socket in sockets {
            socket.ask();
        }
        let kernel = |count: fn(&Socket) -> &AtomicU64| {
            let each = sockets.iter().map(|it| count(it).load(Ordering::Relaxed));
            each.sum::<u64>()
        };
        let queues = |key| self.queues.total(key);
        vec![
            ("kernel_dropped", kernel(|it| &it.dropped)),
            ("kernel_ring_full", kernel(|it| &it.ring_full)),
            ("kernel_fill_empty", kernel(|it| &it.fill_empty)),
            ("kernel_invalid", kernel(|it| &it.invalid)),
            ("partial_checksums", queues(DeviceCounter::PartialChecksums)),
            ("buffer_waits", queues(DeviceCounter::BufferWaits)),
            ("send_waits", queues(DeviceCounter::SendWaits)),
            ("send_refused", queues(DeviceCounter::SendRefused)),
            ("send_lost", queues(DeviceCounter::SendLost)),
            ("copied", queues(DeviceCounter::Copied)),
        ]
    }
}
