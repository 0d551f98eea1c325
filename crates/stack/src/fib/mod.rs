//! The forwarding information base: which NIC and neighbour a destination goes to.
//!
//! Two layers. [`RouteTable`] is the control plane's: rows, several for one destination, in order.
//! The best usable row of each destination stands in a longest-prefix trie, which
//! [`LpmEditor`] changes copy-on-write and whose versions ([`Lpm`], two words) go into snapshots:
//!
//! ```text
//!  control plane                                      worker
//!  RouteTable ─► LpmEditor ── version() ─► snapshot ─► Lpm::lookup_burst(store, keys, out)
//!                   │  ▲                                   │
//!    take_garbage() ▼  │ reuse()                           ▼
//!              what the publisher keeps until       LpmStore: nodes and routes, shared
//!              no worker can see it any more
//! ```
//!
//! # Shape
//!
//! One trie for each family, over addresses aligned to the left. The first 40 bits are taken in
//! steps of 8, the rest in steps of 4. A node stands at a *level*, the number of bits before its
//! own, and has for each value of its bits a *slot*; levels at which nothing branches are left out,
//! and where only one route is under a slot, the slot leads to it at once. The root stands at level 0;
//! any other node has at least two things in it, so there are hardly more nodes than routes.
//!
//! ```text
//!  node at level 40:  slots  [ route | node at 44 | route | – | … ]   the line a lookup reads
//!                     own    [ /40 | /41 /41 | /42 /42 /42 /42 | … ]   routes that end in its bits,
//!                                                                      as a heap
//! ```
//!
//! A slot with nothing under it repeats the best of the node's own routes that cover it, so most
//! lookups read one line for each node and then the route, which has what the packet needs. Since
//! levels were left out, the route has to be compared with the address; if it is another's, the
//! deepest node with an own route over the address is asked (slots say that there is one), and if
//! that is another's too, the ones above, without haste.
//!
//! # Cost
//!
//! A lookup or a change costs the depth, at most 4 nodes for IPv4 and 27 for IPv6, however many
//! routes there are: a default route over a million others is written into one node. What
//! a change copies is the nodes on its path, once for each version.
//!
//! # Who may read what
//!
//! A node or route is written completely before the version that leads to it is published, and not
//! again before it came back through [`LpmEditor::reuse`], so its fields are read relaxed: the
//! publish orders them (see [`corelane_sync::snapshot`]).

mod arena;
mod editor;
mod lookup;
mod path;
mod route_table;
mod store;
#[cfg(test)]
mod tests;

pub use editor::{Garbage, LpmEditor, LpmError};
pub use lookup::Lpm;
pub use route_table::{RouteTable, RouteTableError, Row, Via};
pub use store::{Hop, LpmStore};

/// No neighbour: what an on-link route has, whose packets go to the destination itself.
pub const NO_NEIGHBOR: u32 = u32::MAX;
