//! The sockets of a run, and the thread that reads them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use corelane::frame::PoolCache;
use corelane::stack::{BindError, DatagramBurst, Nic, SocketQueue, UdpBind, UdpSocket};

use crate::generator::AddressPlan;
use crate::report::SocketShare;

/// The port of all sockets.
pub const PORT: u16 = 4789;

/// Datagrams that a socket's queue holds, for each worker.
pub const QUEUE: usize = 16;

/// How long the thread rests when there was nothing to read.
const REST: Duration = Duration::from_micros(20);

/// UDP sockets and their queues.
#[derive(Default)]
pub struct Sockets {
    sockets: Vec<UdpSocket>,
    queues: Vec<SocketQueue>,
}

impl Sockets {
    /// Binds a socket for each endpoint.
    ///
    /// # Errors
    /// One cannot be bound.
    pub fn bind(nic: &Nic, plan: AddressPlan) -> Result<Self, BindError> {
        let mut all = Self::default();
        for address in plan.iter() {
            let bind = UdpBind::new(PORT).local(address).queue(QUEUE);
            let (socket, queues) = nic.stack().udp_socket(bind)?;
            all.sockets.push(socket);
            all.queues.extend(queues);
        }
        Ok(all)
    }

    /// Reads them from a thread of its own.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn read(self, cache: PoolCache) -> io::Result<SocketReader> {
        let Self { sockets, queues } = self;
        let shared = Arc::<Shared>::default();
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sockets".to_owned())
            .spawn(move || run(queues, cache, &for_thread))?;
        Ok(SocketReader {
            sockets,
            shared,
            thread,
            before: SocketShare::default(),
        })
    }
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    datagrams: AtomicU64,
    bytes: AtomicU64,
}

impl Shared {
    fn datagrams(&self) -> u64 {
        self.datagrams.load(Ordering::Acquire)
    }
}

/// The thread that reads.
pub struct SocketReader {
    sockets: Vec<UdpSocket>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    /// What was counted before the window.
    before: SocketShare,
}

impl SocketReader {
    /// Counts from here.
    pub fn start_window(&mut self) {
        self.before = count(&self.sockets, &self.shared);
    }

    /// What was counted in the window.
    pub fn counted(&self) -> SocketShare {
        count(&self.sockets, &self.shared).since(&self.before)
    }

    /// Datagrams read so far, in all windows.
    pub fn read_so_far(&self) -> u64 {
        self.shared.datagrams()
    }

    /// Ends the thread and closes the sockets.
    pub fn finish(self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // If it panicked, the books do not balance.
        let _ = self.thread.join();
    }
}

/// What the sockets counted, and who reads them.
fn count(sockets: &[UdpSocket], shared: &Shared) -> SocketShare {
    let mut share = SocketShare {
        // Bytes are added first, so that they are there when the datagrams are.
        read: shared.datagrams(),
        read_bytes: shared.bytes.load(Ordering::Relaxed),
        ..SocketShare::default()
    };
    for stats in sockets.iter().map(UdpSocket::stats) {
        share.queued += stats.received;
        share.full += stats.overflow;
        share.closed += stats.closed;
    }
    share
}

fn run(mut queues: Vec<SocketQueue>, mut cache: PoolCache, shared: &Shared) {
    let mut burst = DatagramBurst::new();
    loop {
        // Before the last round, so that it finds what was there.
        let stop = shared.stop.load(Ordering::Relaxed);
        let mut read = 0;
        for queue in &mut queues {
            while queue.recv_burst(&mut burst) > 0 {
                let (mut datagrams, mut bytes) = (0, 0);
                for datagram in burst.drain(..) {
                    let frame = datagram.into_frame();
                    datagrams += 1;
                    bytes += frame.len() as u64;
                    cache.recycle(frame);
                }
                shared.bytes.fetch_add(bytes, Ordering::Relaxed);
                shared.datagrams.fetch_add(datagrams, Ordering::Release);
                read += datagrams;
            }
        }
        if stop {
            return;
        }
        if read == 0 {
            thread::sleep(REST);
        }
    }
}
