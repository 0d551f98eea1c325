//! The load generator: a link with one receive queue whose frames are made up, or taken from
//! captures, and due at planned times.
//!
//! ```text
//!                      GeneratorHandle
//!   main thread ──────── run, stop, finish ───────► GeneratorQueue ◄── rx_burst, by the engine's
//!               ◄─── ended, counts, lateness ──────      │              distributor thread
//!                                                        │
//!             Plan:   when is the next frame due? ───────┤
//!             Source: what is in it?  ───────────────────┴─► frames with rx_time = planned time
//! ```
//!
//! # Open loop
//!
//! At a fixed rate every frame has a planned time, a function of its number alone
//! ([`Schedule::at`]; a [`Plan`] has those of several streams in order). A frame is due when its time has passed, and whoever receives it measures
//! its latency from the *planned* time: a stall anywhere, of the generator too, shows up in the
//! latency of all frames that were due meanwhile. Nothing that is due waits for anything but the
//! generator's own turn:
//!
//! - no buffer free: the frame is dropped and counted (`pool_empty`);
//! - a worker's ring full: the engine's distributor drops and counts it (`ring_full`);
//! - the generator is behind at the end of the window, by more than [`GRACE`]: what was due and has
//!   not been sent is counted as not sent (`late`).
//!
//! At the rate `max` there is no plan: the receiver's back-pressure sets the pace, a frame's planned
//! time is the time of its emission, and latency says how long frames sat in the rings.
//!
//! # What it costs
//!
//! Frames are drawn before the run: the first 64 bytes of each frame of a [`Sequence`] are laid out
//! in memory, destination, source, ports and checksums included, and sending is a copy of them (and
//! of a shared tail, for larger frames) into a fresh slot, and a [`Signature`] with the frame's number. The
//! clock is read once per burst.

mod address;
mod build;
mod capture_out;
mod capture_protocols;
mod captures;
mod control;
mod destination;
mod drain;
mod flow;
mod frame;
mod link;
mod networks;
mod overdue;
mod plan;
mod queue;
mod random;
mod routes;
mod schedule;
mod sequence;
mod signature;
mod size;
mod source;
mod spread;
mod untag;

pub use address::{AddressPlan, MAX_ENDPOINTS};
pub use build::{DESTINATION_MAC, Defect, FrameBuilder, MAX_TAGS, SOURCE_MAC};
pub use capture_out::{CaptureOutError, write_capture};
pub use capture_protocols::{Carried, ProtocolsError, protocols};
pub use captures::{CaptureFrames, CaptureSet};
pub use control::{
    Emission, GeneratorHandle, Gone, Lateness, Pace, Stage, StreamTotals, Totals, Window,
};
pub use destination::DestinationPicker;
pub use drain::DrainLink;
pub use flow::{Flow, draw_flows};
pub use frame::{LINE, LaidOut, Line, Shape, Tail};
pub use link::GeneratorLink;
pub use networks::Networks;
pub use overdue::Room;
pub use plan::Plan;
pub use queue::{GRACE, GeneratorQueue};
pub use random::stream;
pub(crate) use routes::route;
pub use routes::{InstallError, MAX_NEIGHBORS, MAX_ROUTES, RoutePlan};
pub use schedule::Schedule;
pub use sequence::{Sequence, Traffic};
pub use signature::{CLASSES, Corrupt, SIGNATURE, STREAMS, Signature, class, is_v6};
pub use size::{CHECK_SEQUENCE, Deck, size_deck, size_on_wire};
pub use source::Source;
pub use spread::Spread;
pub(crate) use untag::network_packet;

#[cfg(test)]
mod tests;
