//! A NIC's neighbors: which link address an on-link address has, and whether anybody still answers
//! there (ARP: RFC 826, RFC 5227; NDP: RFC 4861 sections 7.2 and 7.3, RFC 7048; bounds: RFC 6583).
//!
//! [`NeighborCache`] is pure: it is told the time, draws from the generator it is handed, and pushes
//! what is to be done as [`NeighborAction`]s. Whoever owns it runs it under the control lock and
//! sends afterwards. One machine serves both protocols: an ARP reply is an advertisement, an ARP
//! request a solicitation.
//!
//! Workers see two things of it, both without a lock: a version of the [`Table`](crate::table::Table)
//! that leads from an address to an index, and the [`NeighborLine`] there, where link address and
//! state are one word. A change of state is one store, and nothing is published for it; only a
//! neighbor that comes or goes makes a new version.
//!
//! ```text
//!          resolve ┌────────────┐ answer                      ┌───────────┐
//!   absent ───────►│ INCOMPLETE ├────────────────────────────►│ REACHABLE │◄─ answer, confirm
//!     │            └─────┬──────┘                             └─────┬─────┘   (from any with a
//!     │                  │ no answer                       30 s     │          link address)
//!     │                  ▼                              ┌───────┐◄──┘
//!     │            ┌─────────────┐   no answer          │ STALE │◄─ other link address heard
//!     │            │ UNREACHABLE │◄───────┐             └──┬────┘
//!     │            └─────────────┘     ┌──┴────┐  5 s  ┌───▼───┐
//!     │ solicited                      │ PROBE │◄──────┤ DELAY │ used
//!     └─────────────────► STALE        └───────┘       └───────┘
//! ```
//!
//! Who may push out whom is in [`room`]: in short, what was never confirmed competes among itself.
//!
//! | file | holds |
//! |---|---|
//! | `lines` | what workers read |
//! | `cache` | the cache: looking for a link address, making and removing entries |
//! | `entry` | a neighbor as the control plane has it, its states |
//! | `heard` | what solicitations, advertisements, ARP and upper layers say |
//! | `timers` | what is due when |
//! | `pending` | packets that wait for a link address |
//! | `administer` | pins, static entries, removing, listing |
//! | `room` | who may be evicted for whom |
//! | `rate` | how many resolutions may begin in a second |
//! | `fixed` | link addresses that need no resolution |
//! | `action`, `config` | what is to be done; bounds and timers |

mod action;
mod administer;
mod cache;
mod config;
mod entry;
mod fixed;
mod heard;
mod lines;
mod pending;
mod rate;
mod room;
mod timers;

#[cfg(test)]
mod tests;

pub(crate) use action::{NeighborAction, Wait, WaitToken};
pub use action::{NeighborAnswer, NeighborChange};
pub use administer::{NeighborError, NeighborInfo};
pub use cache::NeighborCounts;
pub(crate) use cache::{NeighborCache, Turn};
pub use config::NeighborConfig;
pub use entry::NeighborState;
pub(crate) use fixed::static_link_address;
pub(crate) use heard::Advertisement;
pub use lines::LinkWord;
pub(crate) use lines::{NeighborLine, NeighborLines, NeighborView};
