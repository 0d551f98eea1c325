//! The sockets of a run, and the thread that reads them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use corelane::frame::PoolCache;
use corelane::stack::{BindError, DatagramBurst, Nic, SocketQueue, UdpBind, UdpSocket};

use crate::generator::AddressPlan;

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
        let shared = Arc::<Shared>::default();
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sockets".to_owned())
            .spawn(move || run(self, cache, &for_thread))?;
        Ok(SocketReader {
            shared,
            thread,
            before: (0, 0),
        })
    }
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    datagrams: AtomicU64,
    bytes: AtomicU64,
}

/// The thread that reads.
pub struct SocketReader {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    /// What it had read when the window began.
    before: (u64, u64),
}

impl SocketReader {
    fn read(&self) -> (u64, u64) {
        // Bytes are counted first, so that they are there when the datagrams are.
        let datagrams = self.shared.datagrams.load(Ordering::Acquire);
        (datagrams, self.shared.bytes.load(Ordering::Relaxed))
    }

    /// Waits until it has read as many datagrams as were put into queues; false after `at_most`.
    pub fn settle(&self, delivered: u64, at_most: Duration) -> bool {
        let start = Instant::now();
        while self.read().0 < delivered {
            if start.elapsed() > at_most {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Counts from here.
    pub fn start_window(&mut self) {
        self.before = self.read();
    }

    /// Ends the thread and closes the sockets; returns the datagrams and bytes of the window.
    pub fn finish(self) -> (u64, u64) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // What it counted is there even if it panicked; then the books do not balance.
        let _ = self.thread.join();
        let datagrams = self.shared.datagrams.load(Ordering::Acquire);
        let bytes = self.shared.bytes.load(Ordering::Relaxed);
        (datagrams - self.before.0, bytes - self.before.1)
    }
}

fn run(mut all: Sockets, mut cache: PoolCache, shared: &Shared) {
    let mut burst = DatagramBurst::new();
    loop {
        // Before the last round, so that it finds what was there.
        let stop = shared.stop.load(Ordering::Relaxed);
        let mut read = 0;
        for queue in &mut all.queues {
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
