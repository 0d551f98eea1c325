//! What a link counts, and what the kernel counts for it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use corelane_sys::packet::PacketSocket;

use crate::device::QueueCounters;

/// Reads what an [`AfPacketLink`](super::AfPacketLink) and the kernel count, from any thread.
#[derive(Clone, Debug)]
pub struct AfPacketCounters {
    queues: QueueCounters,
    kernel: Arc<Kernel>,
}

/// What the kernel counted, as far as it was asked: it forgets what it tells.
#[derive(Default)]
struct Kernel {
    /// Those of the open link. Who counts does not keep them open.
    sockets: OnceLock<Vec<Weak<PacketSocket>>>,
    received: AtomicU64,
    dropped: AtomicU64,
}

impl AfPacketCounters {
    pub(super) fn new(queues: QueueCounters) -> Self {
        Self {
            queues,
            kernel: Arc::default(),
        }
    }

    /// The link is open, with these sockets.
    pub(super) fn opened(&self, sockets: &[Arc<PacketSocket>]) {
        let sockets = sockets.iter().map(Arc::downgrade).collect();
        // A link opens once.
        let _ = self.kernel.sockets.set(sockets);
    }

    /// Asks the kernel what a socket received since it was last asked.
    pub(super) fn gather(&self, socket: &PacketSocket) {
        if let Ok(since) = socket.statistics() {
            let Kernel {
                received, dropped, ..
            } = &*self.kernel;
            received.fetch_add(since.received.into(), Ordering::Relaxed);
            dropped.fetch_add(since.dropped.into(), Ordering::Relaxed);
        }
    }

    /// The counters by name:
    /// - of the kernel: `kernel_received` for the link's sockets, and of these `kernel_dropped` since
    ///   the ring was full;
    /// - received and dropped: `too_long` for a slot of the ring or a buffer of the pool,
    ///   `super_frames_dropped`: super-frames that are too long for a buffer, or that the kernel had no
    ///   memory to keep, `offload_invalid`: not what the kernel said of them;
    /// - received undone: `super_frames_received`, and `partial_checksums` of other frames;
    /// - received and mended: `vlan_tags_restored`;
    /// - sent undone: `super_frames_sent`;
    /// - `buffer_waits`: bursts cut short because the pool had no more buffers;
    /// - `send_waits`: bursts cut short because the device had no room or was down, `send_refused`:
    ///   frames that it does not take. The engine counts both as `send_dropped`.
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        let sockets = self.kernel.sockets.get().into_iter().flatten();
        for socket in sockets.filter_map(Weak::upgrade) {
            self.gather(&socket);
        }
        let Kernel {
            received, dropped, ..
        } = &*self.kernel;
        let mut all = vec![
            ("kernel_received", received.load(Ordering::Relaxed)),
            ("kernel_dropped", dropped.load(Ordering::Relaxed)),
        ];
        all.extend(self.queues.read());
        all
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("received", &self.received)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}
