//! Packet endpoints (netstack's `PacketEndpoint`, AF_PACKET's idea): they are shown copies of frames
//! before anything is checked, whatever becomes of the frames themselves.
//!
//! ```text
//!   worker ─ethernet_input─► taps of the NIC's snapshot ─► ring of this worker ─► PacketQueue
//!                            one look per burst, none per packet if nobody is registered
//! ```
//!
//! An endpoint has a ring for each thread that shows it frames, so that none waits for another. It is
//! registered with NICs, once or several times, and is part of their snapshots: a burst is shown whole
//! or not at all, so that a registration under traffic loses and duplicates nothing.
//!
//! What is sent is shown once: by the worker that sends it, or where it is queued, if that is another
//! thread. What a NIC sends to itself (copies of broadcasts, packets to its own address) is never on
//! the link and not shown on its way in; what a loopback link brings back is.

mod queue;
mod shown;
mod taps;

use std::fmt;
use std::sync::{Arc, OnceLock};

use corelane_frame::{BURST, Frame, HugePages, LINE, Pool, PoolCache, PoolConfig, PoolError};
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Producer, RingError, ring};
use corelane_sync::seat::{PerSeat, Seat, SeatPlan};
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType, MacAddr, PacketFilter};
use thiserror::Error;

use crate::clock::Clock;
use crate::error::NicGone;
pub use queue::{PacketQueue, ShownBurst};
pub use shown::{Direction, PacketKind, Shown};
pub(crate) use taps::Taps;

/// Which frames an endpoint is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketProtocol {
    /// All, those too short for an Ethernet header included (`ETH_P_ALL`).
    All,
    /// Those of one protocol, whether the stack speaks it or not.
    One(EtherType),
}

/// What an endpoint is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketEndpointConfig {
    /// Copies that wait for the reader, of each thread that shows frames: 256 unless said. What
    /// comes when they are so many is lost to the endpoint, and counted.
    pub capacity: usize,
    /// Whether frames that are sent are shown too: not unless said (BEHAVIOURS H9).
    pub outbound: bool,
    /// Bytes copied of each frame at most: all unless said, and never less than the link header.
    pub snap_len: usize,
    /// Which of the frames are copied: all unless said.
    pub filter: PacketFilter,
    /// Whether copies are made into a pool of the endpoint's own, which is as large as its queues: a
    /// reader that is slow then keeps no frame from the links. Not unless said.
    pub own_pool: bool,
}

impl Default for PacketEndpointConfig {
    fn default() -> Self {
        Self {
            capacity: 256,
            outbound: false,
            snap_len: usize::MAX,
            filter: PacketFilter::ALL,
            own_pool: false,
        }
    }
}

/// The longest frame: a header with a tag, and a datagram.
const LONGEST: usize = ETHERNET_HEADER_LEN + 4 + 65_535;

/// Why an endpoint was not made.
#[derive(Debug, Error)]
pub enum PacketEndpointError {
    /// There is no room for its queues.
    #[error("no room for the queues of a packet endpoint: {0}")]
    Ring(#[from] RingError),
    /// There is none for its pool.
    #[error("no room for the copies of a packet endpoint: {0}")]
    Pool(#[from] PoolError),
}

/// Why an endpoint was not registered.
#[derive(Debug, Error)]
pub enum RegisterPacketEndpointError {
    /// The NIC is gone.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// Its queues are those of another stack's workers.
    #[error("the packet endpoint is of another stack")]
    OtherStack,
}

/// What an endpoint counted, over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketEndpointStats {
    /// Copies put into its queues.
    pub shown: u64,
    /// Frames lost because a queue was full (netstack's `ReceiveBufferOverflow`).
    pub overflow: u64,
    /// Frames lost because nobody reads any more (`ClosedReceiver`).
    pub closed: u64,
    /// Frames lost because there was no free frame for a copy, or none large enough.
    pub no_buffer: u64,
}

#[derive(Clone, Copy)]
enum Counted {
    Shown,
    Overflow,
    Closed,
    NoBuffer,
}

impl CounterKey for Counted {
    const COUNT: usize = 4;

    #[inline]
    fn index(self) -> usize {
        self as usize
    }
}

/// A packet endpoint: a handle that can be cloned. To be registered with NICs by
/// [`Nic::register_packet_endpoint`](crate::Nic::register_packet_endpoint), or with all of them, those
/// to come included, by [`Stack::register_packet_endpoint`](crate::Stack::register_packet_endpoint).
///
/// Frames come out of the [`PacketQueue`]s that were made with it, one for each thread that shows
/// frames: those of the workers, in their order, and a last one for what other threads send.
///
/// It stays registered until that is taken back, whether there are handles and queues or not.
#[derive(Clone)]
pub struct PacketEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    config: PacketEndpointConfig,
    clock: Clock,
    plan: SeatPlan,
    /// Rung when there is something to read.
    bell: OnceLock<Doorbell>,
    seats: PerSeat<AtSeat>,
    counters: Vec<CounterReader<Counted>>,
}

/// One thread's end of an endpoint.
struct AtSeat {
    ring: Producer<Shown>,
    counters: CounterWriter<Counted>,
    /// Something was put in since the bell was last rung.
    is_new: bool,
    /// Of the endpoint's own pool, if it has one.
    cache: Option<PoolCache>,
}

impl PacketEndpoint {
    pub(crate) fn new(
        config: PacketEndpointConfig,
        seats: &SeatPlan,
        clock: &Clock,
    ) -> Result<(Self, Vec<PacketQueue>), PacketEndpointError> {
        let longest = if config.own_pool { LONGEST } else { usize::MAX };
        let config = PacketEndpointConfig {
            snap_len: config.snap_len.clamp(ETHERNET_HEADER_LEN, longest),
            ..config
        };
        let pool = config.own_pool.then(|| own_pool(&config, seats.len()));
        let pool = pool.transpose()?;
        let mut ends = Vec::new();
        let mut queues = Vec::new();
        let mut readers = Vec::new();
        for _ in 0..seats.len() {
            let (producer, consumer) = ring(config.capacity)?;
            let (writer, reader) = counters();
            ends.push(AtSeat {
                ring: producer,
                counters: writer,
                is_new: false,
                cache: pool.as_ref().map(Pool::cache),
            });
            queues.push(PacketQueue::new(consumer));
            readers.push(reader);
        }
        let shared = Shared {
            config,
            clock: clock.clone(),
            plan: *seats,
            bell: OnceLock::new(),
            seats: PerSeat::new(seats, ends),
            counters: readers,
        };
        let endpoint = Self {
            shared: Arc::new(shared),
        };
        Ok((endpoint, queues))
    }

    /// What it counted.
    pub fn stats(&self) -> PacketEndpointStats {
        let sum = |counter| {
            self.shared
                .counters
                .iter()
                .map(|it| it.value(counter))
                .sum()
        };
        PacketEndpointStats {
            shown: sum(Counted::Shown),
            overflow: sum(Counted::Overflow),
            closed: sum(Counted::Closed),
            no_buffer: sum(Counted::NoBuffer),
        }
    }

    /// Has `bell` rung when copies were put into a queue, once for a burst: for a reader that sleeps
    /// while all of its queues are empty. The first bell stays.
    pub fn ring_on_arrival(&self, bell: Doorbell) {
        // A second one could only be for another reader, which the queues do not have.
        let _ = self.shared.bell.set(bell);
    }

    /// Whether its queues are of these threads.
    pub(crate) fn is_of(&self, seats: &SeatPlan) -> bool {
        self.shared.plan == *seats
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn wants_outbound(&self) -> bool {
        self.shared.config.outbound
    }

    /// Puts a copy of `frame` into the queue of this seat.
    fn show(
        &self,
        frame: &Frame,
        direction: Direction,
        local: MacAddr,
        writer: &mut TapWriter<'_>,
    ) {
        let Some(end) = self.shared.seats.get(writer.seat) else {
            return;
        };
        let PacketEndpointConfig {
            filter, snap_len, ..
        } = self.shared.config;
        if !filter.matches(frame.data()) {
            return;
        }
        let cache = end.cache.as_mut().unwrap_or(writer.cache);
        let counted = if end.ring.is_closed() {
            Counted::Closed
        } else if end.ring.free() == 0 {
            // First, so that a full queue costs no copy.
            Counted::Overflow
        } else {
            match copy(frame, snap_len, cache) {
                None => Counted::NoBuffer,
                Some(copy) => {
                    let shown = Shown {
                        frame: copy,
                        direction,
                        kind: PacketKind::of(frame.data(), direction, local),
                        original_len: frame.len(),
                        time: self.shared.clock.now(),
                    };
                    match end.ring.push(shown) {
                        Ok(()) => {
                            end.is_new = true;
                            Counted::Shown
                        }
                        Err(full) => {
                            cache.recycle(full.0.frame);
                            Counted::Overflow
                        }
                    }
                }
            }
        };
        end.counters.add(counted, 1);
    }

    /// Wakes the reader if there is something new for it.
    fn ring(&self, writer: &mut TapWriter<'_>) {
        if let (Some(bell), Some(end)) =
            (self.shared.bell.get(), self.shared.seats.get(writer.seat))
            && std::mem::take(&mut end.is_new)
        {
            bell.ring();
        }
    }
}

impl fmt::Debug for PacketEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketEndpoint")
            .field("config", &self.shared.config)
            .field("stats", &self.stats())
            .finish()
    }
}

/// What a thread shows frames with: its seat, and where copies come from.
pub struct TapWriter<'w> {
    seat: &'w mut Seat,
    cache: &'w mut PoolCache,
}

impl<'w> TapWriter<'w> {
    /// Of the thread that has this seat.
    pub fn new(seat: &'w mut Seat, cache: &'w mut PoolCache) -> Self {
        Self { seat, cache }
    }
}

/// A pool that all queues can be full of.
fn own_pool(config: &PacketEndpointConfig, threads: usize) -> Result<Pool, PoolError> {
    Pool::new(PoolConfig {
        slots: PoolConfig::slots_for(threads.saturating_mul(config.capacity + BURST), threads),
        slot_size: config.snap_len.next_multiple_of(LINE),
        headroom: 0,
        huge_pages: HugePages::Off,
        ..PoolConfig::default()
    })
}

fn copy(frame: &Frame, snap_len: usize, cache: &mut PoolCache) -> Option<Frame> {
    let mut copy = cache.alloc()?;
    let data = frame.data();
    if copy.set_data(&data[..data.len().min(snap_len)]).is_err() {
        cache.recycle(copy);
        return None;
    }
    copy.set_nic(frame.nic());
    copy.set_rx_time(frame.rx_time());
    copy.set_rss_hash(frame.rss_hash());
    if copy.len() == data.len() {
        copy.set_offload(frame.offload());
    }
    Some(copy)
}
