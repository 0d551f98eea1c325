//! The generator on real links, and a device under test between them that may be anything: the kernel, a
//! switch, `corelane up`.
//!
//! ```text
//!               ┌─ sender ──────────────┐   --tx    ┌────────┐   --rx    ┌─ receiver ─────────────┐
//!   plan ──────►│ GeneratorQueue ──► TX │ ────────► │ device │ ────────► │ RX ──► Arrival ──► books│
//!               └──────────┬────────────┘           └────────┘           └───────────▲────────────┘
//!                          │      Flight: number ─► planned time, come back or not    │
//!                          └──────────────────────────────────────────────────────────┘
//! ```
//!
//! A thread sends and another receives; there is no engine. Frames are those of a run in memory, each with
//! a number in its payload, which no device has a reason to change: link addresses, hop limits and header
//! checksums it may. Those of captures have none, and are known by what is in them. [`Flight`] knows which numbers are out, since when, and which came back, so that what
//! is received is one of: in order, reordered, a duplicate, corrupt (a number or a checksum that is wrong), a
//! stray (a number that is none of this trial's), or foreign (no number: ARP, neighbor discovery, and what
//! else the link carries). What was sent and did not come back is lost.
//!
//! | module | holds |
//! |---|---|
//! | `ports` | the links, open |
//! | `neighbor` | asking for the device's link address, and answering when the device asks |
//! | `guard` | what links are not to be measured on |
//! | `sender`, `receiver` | the threads |
//! | `flight`, `stamps` | what is out, and when it came |
//! | `identity`, `arrival`, `content` | how frames are known again: by their numbers, by what is in them |
//! | `order` | whether the frames of a flow come in order |
//! | `session`, `measured` | windows of load, and what was counted |
//! | `bed`, `replay` | trials of synthetic frames; captures |

mod arrival;
mod bed;
mod content;
mod flight;
mod guard;
mod identity;
mod measured;
mod neighbor;
mod order;
mod ports;
mod receiver;
mod replay;
mod sender;
mod session;
mod stamps;
mod streams;

pub use bed::LinkBed;
pub use flight::{Flight, Landing};
pub use measured::LinkMeasured;
pub use ports::{Device, Ports};
pub use replay::LinkReplay;
