//! What the engine asks of a link: queues that receive and send bursts.
//!
//! The engine sees Ethernet frames only: a link whose medium has another header (raw IP, Linux
//! cooked, loopback) puts an Ethernet header in front on receive and takes it off on send.

use std::fmt;
use std::time::Duration;

use corelane_frame::{Burst, Pool, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_wire::{MacAddr, Offloads};

/// What a NIC is built on.
pub trait Link: Send {
    /// The name for messages and reports (a device or file name).
    fn name(&self) -> &str;

    /// The link address, if the link has one.
    fn mac(&self) -> Option<MacAddr> {
        None
    }

    /// The largest network packet the link takes, in bytes, without the Ethernet header.
    fn mtu(&self) -> usize;

    /// Whether the link gives back what it is sent, and has nobody at its other end.
    fn is_loopback(&self) -> bool {
        false
    }

    /// The longest frame that the link may receive, in bytes with its Ethernet header, if it is to be
    /// given room for it; 0 if any slot will do. The engine makes the slots of its pool that large,
    /// unless it is given one. In smaller ones a link does without: what super-frames it would take
    /// ([`TxQueue::offloads`] tells what they are), it leaves to the sender to cut, or drops and counts.
    fn longest_frame(&self) -> usize {
        0
    }

    /// How many frames the link keeps while it is open (a device's rings, if frames arrive right in
    /// the pool), beside bursts on their way. The engine makes its pool that much larger, unless it
    /// is given one.
    fn holds(&self) -> usize {
        0
    }

    /// Opens the link and returns its queues, at least one. The engine polls each receive queue
    /// from one thread and each transmit queue from one thread.
    ///
    /// A link is opened when its NIC is first enabled, and stays open until the NIC is removed;
    /// then the queues are dropped first and the link last.
    ///
    /// # Errors
    /// What went wrong and with what, in words for the user. The link is then as it was before and
    /// may be tried again. To open an open link is an error ([`LinkError::already_open`]).
    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError>;
}

/// The two halves of an open link.
pub struct Queues {
    /// Receive queues. If there is one for each of several workers, and a transmit queue for each
    /// (or none at all), each worker polls its own and the link is taken to have spread the frames.
    /// So does an only worker that is to
    /// [run to completion](crate::Builder::run_to_completion). Otherwise one thread polls them all
    /// and spreads the frames by RSS.
    pub rx: Vec<Box<dyn RxQueue>>,
    /// Transmit queues. Where one thread polls the link, it sends through the first one, and the
    /// others are closed.
    pub tx: Vec<Box<dyn TxQueue>>,
}

/// A receive queue.
pub trait RxQueue: Send {
    /// Takes frames from `cache`, fills them and appends them to `out` (up to its capacity), each
    /// with its length, receive time and, if the link knows it, RSS hash set; and what is left to do
    /// with it ([`Frame::set_offload`](corelane_frame::Frame::set_offload)), if its sender left
    /// something. It does not block, and neither locks nor allocates: it runs on the datapath.
    ///
    /// # Errors
    /// An error ends the queue: the engine reports it and polls no more.
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError>;

    /// Takes the bell of the thread that polls this queue. Returns whether the queue rings it when
    /// frames arrive, or its end is reached; if not, a thread that sleeps looks every now and then.
    /// A queue that rings also implements [`has_frames`](Self::has_frames).
    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        drop(doorbell);
        false
    }

    /// Whether there is something to receive: asked before the thread sleeps, so that no bell is
    /// missed.
    fn has_frames(&mut self) -> bool {
        false
    }

    /// How long from now until there is something to receive though nothing arrives: a queue that
    /// holds frames back has it. None if there is no such time. Asked before the thread sleeps.
    fn due_in(&mut self) -> Option<Duration> {
        None
    }
}

/// What a receive queue says after a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxStatus {
    /// There may be more at once.
    Ready,
    /// Nothing now.
    Idle,
    /// Nothing now or later: the input is at its end (frames of this last burst still count).
    Finished,
}

/// A transmit queue.
pub trait TxQueue: Send {
    /// Sends from the front of `frames` and returns sent frames to `cache`; what stays in `frames`
    /// could not be sent now, and the caller decides (drop and count, or try again).
    ///
    /// # Errors
    /// An error ends the queue: what stays in `frames` is the caller's.
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError>;

    /// What may be left to do with frames that are sent
    /// ([`Frame::offload`](corelane_frame::Frame::offload)). What may not is done in software first:
    /// nothing unless said.
    fn offloads(&self) -> Offloads {
        Offloads::NONE
    }

    /// Whether it may hold back frames that it has taken. Only such a queue is
    /// [polled](Self::poll); asked once, when the queue is connected.
    fn holds_back(&self) -> bool {
        false
    }

    /// Sends what it held back and is due.
    ///
    /// # Errors
    /// An error ends the queue, and what it still holds back is lost.
    fn poll(&mut self, cache: &mut PoolCache) -> Result<(), LinkError> {
        let _ = cache;
        Ok(())
    }

    /// How long from now until [`poll`](Self::poll) has something to do; None if it has not.
    fn due_in(&mut self) -> Option<Duration> {
        None
    }
}

/// A link that could not be opened, or broke.
#[derive(Debug)]
pub struct LinkError {
    link: String,
    what: Box<dyn std::error::Error + Send + Sync>,
}

impl LinkError {
    /// An error of the link of this name.
    pub fn new(
        link: impl Into<String>,
        what: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            link: link.into(),
            what: what.into(),
        }
    }

    /// The link of this name is open, and can be opened only once.
    pub fn already_open(link: impl Into<String>) -> Self {
        Self::new(link, "it is open already")
    }

    /// The name of the link.
    pub fn link(&self) -> &str {
        &self.link
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.link, self.what)
    }
}

impl std::error::Error for LinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.what.source()
    }
}
