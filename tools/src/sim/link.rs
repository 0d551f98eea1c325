//! The link of a NIC in virtual time: it receives what the simulation gives it, and writes down
//! what it is given to send.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corelane::engine::link::{Link, LinkError, Queues, RxQueue, RxStatus, TxQueue};
use corelane::frame::{Burst, Pool, PoolCache};
use corelane::io::pcap::{PcapWriteError, PcapWriter};
use corelane::stack::Clock;
use corelane::wire::MacAddr;

use super::frame_text;
use super::inputs::Arrival;
use super::trace::Trace;
use crate::config::seconds;

/// What the link of a simulated NIC is made from.
pub(super) struct SimLink {
    name: String,
    mac: MacAddr,
    mtu: usize,
    port: SimPort,
    clock: Clock,
    trace: Trace,
}

/// The simulation's side of a link.
#[derive(Clone)]
pub(super) struct SimPort {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    open: bool,
    /// What arrives next.
    inbox: Option<Arrival>,
    counts: LinkCounts,
    writer: PcapWriter<BufWriter<File>>,
}

/// What a link counts, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkCounts {
    /// Came from the captures.
    pub(super) arrived: u64,
    /// Were received.
    pub(super) received: u64,
    /// Came before the link was open: its NIC had never been enabled.
    pub(super) closed: u64,
    /// Fit no buffer.
    pub(super) too_large: u64,
    /// Were sent.
    pub(super) sent: u64,
}

impl SimLink {
    /// A link of this name that writes to `file`, which is made or emptied.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn create(
        name: &str,
        mac: MacAddr,
        mtu: usize,
        file: &Path,
        clock: Clock,
        trace: Trace,
    ) -> Result<(Self, SimPort), PcapWriteError> {
        let shared = Shared {
            open: false,
            inbox: None,
            counts: LinkCounts::default(),
            writer: PcapWriter::create(file)?,
        };
        let port = SimPort {
            shared: Arc::new(Mutex::new(shared)),
        };
        let link = Self {
            name: name.to_owned(),
            mac,
            mtu,
            port: port.clone(),
            clock,
            trace,
        };
        Ok((link, port))
    }
}

impl SimPort {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the link receive a frame when it is polled next. Returns whether it is open.
    pub(super) fn deliver(&self, arrival: Arrival) -> bool {
        let mut shared = self.shared();
        shared.counts.arrived += 1;
        if shared.open {
            shared.inbox = Some(arrival);
        } else {
            shared.counts.closed += 1;
        }
        shared.open
    }

    /// Whether the last frame has not been received, for want of a buffer.
    pub(super) fn is_waiting(&self) -> bool {
        self.shared().inbox.is_some()
    }

    /// What it counted.
    pub(super) fn counts(&self) -> LinkCounts {
        self.shared().counts
    }

    /// Hands what was written to the system.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn flush(&self) -> Result<(), PcapWriteError> {
        self.shared().writer.flush()
    }
}

impl Link for SimLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn mac(&self) -> Option<MacAddr> {
        Some(self.mac)
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        if std::mem::replace(&mut self.port.shared().open, true) {
            return Err(LinkError::already_open(&self.name));
        }
        Ok(Queues {
            rx: vec![Box::new(SimRx {
                port: self.port.clone(),
            })],
            tx: vec![Box::new(SimTx {
                name: self.name.clone(),
                port: self.port.clone(),
                clock: self.clock.clone(),
                trace: self.trace.clone(),
            })],
        })
    }
}

struct SimRx {
    port: SimPort,
}

impl RxQueue for SimRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let mut shared = self.port.shared();
        if shared.inbox.is_none() || out.is_full() {
            return Ok(RxStatus::Idle);
        }
        let Some(mut frame) = cache.alloc() else {
            return Ok(RxStatus::Idle);
        };
        let arrival = shared.inbox.take();
        let written = arrival
            .as_ref()
            .and_then(|arrival| Some((arrival, arrival.packet()?)))
            .is_some_and(|(arrival, packet)| {
                let written = packet.write_to(&mut frame).is_ok();
                frame.set_rx_time(arrival.at_ns);
                written
            });
        if written {
            shared.counts.received += 1;
            out.push(frame);
        } else {
            shared.counts.too_large += 1;
            cache.recycle(frame);
        }
        Ok(RxStatus::Idle)
    }

    fn has_frames(&mut self) -> bool {
        self.port.is_waiting()
    }
}

struct SimTx {
    name: String,
    port: SimPort,
    clock: Clock,
    trace: Trace,
}

impl TxQueue for SimTx {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let now = self.clock.now().as_nanos();
        let mut shared = self.port.shared();
        let mut sent = 0;
        let mut result = Ok(());
        for frame in frames.iter() {
            result = shared.writer.write(now, frame.data());
            if result.is_err() {
                break;
            }
            sent += 1;
            self.trace.line(|| {
                let time = seconds(Duration::from_nanos(now));
                format!(
                    "{time} {} sends {}",
                    self.name,
                    frame_text::describe(frame.data())
                )
            });
        }
        shared.counts.sent += sent as u64;
        drop(shared);
        for frame in frames.drain(..sent) {
            cache.recycle(frame);
        }
        match result {
            Ok(()) => Ok(sent),
            Err(error) => Err(LinkError::new(self.name.clone(), error)),
        }
    }
}
