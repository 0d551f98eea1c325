//! A NIC as a worker sees it: the snapshot, the lookup by burst, and what handlers are given.
//!
//! Nothing here locks, allocates, or writes to a line that another worker writes, with one named
//! exception: while somebody holds temporary endpoints, a packet whose address is not in the table
//! takes a shared lock on a part of the map they are in.

mod handler;
mod lookup;
mod packet;
mod snapshot;

pub use handler::{Handler, Sink};
pub use lookup::{Found, NicDatapath, NicView};
pub use packet::{Delivery, Inbound, Packet, PacketBurst, PacketFlags};
pub use snapshot::ErrorSources;
pub(crate) use snapshot::NicSnapshot;
pub(crate) use snapshot::is_wide;
