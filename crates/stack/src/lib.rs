//! A NIC's addresses, endpoints and delivery: the behaviour of gVisor netstack's `nic.go`, without
//! its locks.
//!
//! The two sides are apart. [`Nic`] is the control plane: ordinary calls from any thread,
//! serialised by one lock per NIC, each publishing a snapshot. [`NicDatapath`] is what a worker
//! has: it loads a snapshot per burst and looks destinations up in it. What outlives a burst is an
//! [`EndpointRef`]. What happened comes as [`Event`]s.
//!
//! | module | holds |
//! |---|---|
//! | `address`, `range` | addresses, prefixes, the subnets a NIC accepts |
//! | `endpoint` | the endpoint line, its life, references, held temporaries |
//! | `table` | addresses to endpoints, copy-on-write by page |
//! | `control` | transactions, source address order, publishing, reclamation |
//! | `datapath` | snapshot, lookup by burst, handlers and packets |
//! | `drop_reason`, `counters`, `event`, `error` | what is counted, told and refused |
#![forbid(unsafe_code)]

mod address;
mod control;
mod counters;
mod datapath;
mod drop_reason;
mod endpoint;
mod error;
mod event;
mod nic;
mod range;
mod table;

pub use address::{AddressConfig, Family, Key, Prefix, PrefixError, PrimaryEndpointBehavior};
pub use control::{AddressInfo, Transaction};
pub use corelane_sync::refs::AddressKind;
pub use counters::{NicCounter, NicTotals};
pub use datapath::{
    Delivery, Found, Handler, Inbound, NicDatapath, NicView, Packet, PacketBurst, PacketFlags,
};
pub use drop_reason::DropReason;
pub use endpoint::EndpointRef;
pub use error::{AddAddressError, BadAddress, HoldError, RemoveAddressError};
pub use event::{Event, EventSender, Events, events};
pub use nic::{Nic, NicId};
