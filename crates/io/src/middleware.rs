//! What stands between a link and the engine: a layer around any link is a link again.
//!
//! ```text
//!   engine ◄──► Mirror ◄──► Faults ◄──► link
//!                 │ copies
//!                 ▼
//!              thread ──► pcapng file, lines of text
//! ```
//!
//! - [`Faults`] drops, duplicates, reorders, corrupts, delays and stalls frames, each direction by a
//!   plan of its own, the same with the same seed.
//! - [`Mirror`] copies frames to a thread that writes them down: as pcapng ([`PcapngSink`]) or as
//!   lines of text ([`TextSink`]).
//!
//! ```
//! use corelane_engine::link::Link;
//! use corelane_io::memory::{MemoryConfig, memory_link};
//! use corelane_io::middleware::{FaultPlan, Faults, FaultsConfig, Layered, Share};
//!
//! let (link, _peer) = memory_link(MemoryConfig::default())?;
//! let faults = Faults::new(FaultsConfig {
//!     rx: FaultPlan { drop: Share::one_in(1000), ..FaultPlan::default() },
//!     ..FaultsConfig::default()
//! })?;
//! let counters = faults.counters();
//! let link = Layered::new(Box::new(link), faults);
//! assert_eq!((link.name(), counters.rx().dropped), ("memory", 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod faults;
mod mirror;
mod sink;

use corelane_engine::link::{Link, LinkError, Queues};
use corelane_frame::Pool;
use corelane_wire::MacAddr;

pub use faults::{
    DirectionCounts, FaultPlan, Faults, FaultsConfig, FaultsCounters, FaultsError, Share, Stall,
};
pub use mirror::{
    Direction, Mirror, MirrorConfig, MirrorCounts, MirrorError, MirrorHandle, Mirrored,
};
pub use sink::{FrameSink, PcapngSink, TextSink, summary};

/// What is put around a link.
pub trait Layer: Send {
    /// Frames of the engine's pool that it holds at most, beside those of the link.
    fn holds(&self) -> usize {
        0
    }

    /// Puts itself around the queues of the link of this name, which has just been opened.
    ///
    /// # Errors
    /// It cannot; the link is closed then.
    fn wrap(&mut self, link: &str, queues: Queues, pool: &Pool) -> Result<Queues, LinkError>;
}

/// A link with something around it.
pub struct Layered<L> {
    link: Box<dyn Link>,
    layer: L,
}

impl<L: Layer> Layered<L> {
    /// `layer` around `link`: the layer is between the link and whoever opens this.
    pub fn new(link: Box<dyn Link>, layer: L) -> Self {
        Self { link, layer }
    }
}

impl<L: Layer> Link for Layered<L> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn mac(&self) -> Option<MacAddr> {
        self.link.mac()
    }

    fn mtu(&self) -> usize {
        self.link.mtu()
    }

    fn is_loopback(&self) -> bool {
        self.link.is_loopback()
    }

    fn longest_frame(&self) -> usize {
        self.link.longest_frame()
    }

    fn holds(&self) -> usize {
        self.link.holds().saturating_add(self.layer.holds())
    }

    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError> {
        let queues = self.link.open(pool)?;
        self.layer.wrap(self.link.name(), queues, pool)
    }
}

#[cfg(test)]
mod tests;
