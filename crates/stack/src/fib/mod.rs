//! The forwarding information base: which NIC and neighbour a destination goes to.
//!
//! Three layers. [`RouteTable`] is the control plane's: rows, several for one destination, in order.
//! The best usable row of each destination stands in the tries of [`LpmEditor`], which are the control
//! plane's too. When a version is made ([`Lpm`], a few words, which go into snapshots), what changed in
//! them is written down as lines of the cache, copy-on-write:
//!
//! ```text
//!  control plane                                      worker
//!  RouteTable ─► LpmEditor ── version() ─► snapshot ─► Lpm::lookup_burst(store, keys, out)
//!                   │  ▲                                   │
//!    take_garbage() ▼  │ reuse()                           ▼
//!              what the publisher keeps until       LpmStore: nodes, routes and hops, shared
//!              no worker can see it any more
//! ```
//!
//! # Shape
//!
//! One trie for each family, over addresses aligned to the left. The first 40 bits are taken in
//! steps of 8, the rest in steps of 4. A node stands at a *level*, the number of bits before its
//! own, and has for each value of its bits a *slot*; levels at which nothing branches are left out,
//! and where only one route is under a slot, the slot leads to it at once. The root stands at level 0;
//! any other node has at least two things in it, or had, so there are hardly more nodes than routes.
//!
//! A slot with nothing under it repeats the best of the routes that end in the node's bits and cover it,
//! so most lookups read one line for each node and then the route, which has what the packet needs. Since
//! levels were left out, the route has to be compared with the address; if it is another's, the
//! deepest node with such a route over the address is asked (slots say that there is one), and if
//! that is another's too, the ones above, without haste.
//!
//! # Lines
//!
//! ```text
//!  dense        256 slots                               wide nodes: the line of the slot is read
//!  short        the ends of up to 12 runs of 8 bits,    IPv6's, at level 24, with little in them: one line
//!               and their entries
//!  pair         two of these, one for each half         those with more: one of two lines
//!  sparse       the ends of up to 32 runs of 16 bits,   wide nodes from level 24 on with little below
//!               and their entries                       them: two of three lines are read
//!  short leaf   up to 32 runs of 8 bits and their hops  IPv4's, at level 16, in which all ends: one line
//!  pair leaf    two of these, one for each half         those with more: one of two lines
//!  dense leaf   256 hops of 8 bits                      those with more yet: one of four lines
//!  sparse leaf  up to 21 runs of 16 bits and their      sparse nodes in which all ends: one line
//!  long leaf    hops of 8 bits; up to 42                two lines
//!  narrow       16 slots                                below the first 40 bits
//!  route        network, mask, hop                      32 bytes
//!  hop          NIC, neighbor                           8 bytes, each once: a handful of lines
//! ```
//!
//! A sparse node or leaf has all nodes within its 16 bits in it, which then have no line of their own: most of
//! the networks that a registry gives out, 32 bits long with a dozen routes of up to 48 bits in them, are one.
//!
//! Leaves and short nodes are for what caches hold, of lines and of the places of pages: with a million routes, the
//! nodes that lookups read are 10 MB instead of 30. Of more than 255 hops, nodes with one of a larger number are no
//! leaves. Level 24 of IPv6 is not left out above a node: that takes one line, and searches end at hops. Routes that
//! are longer than leaves go, at which most of the other searches end, lie together.
//!
//! What a lookup costs with a million routes is instructions and lines, about as much of both. So the first steps of a
//! search, which almost all searches take, three of IPv4 and four of IPv6, are made without asking whether, each for
//! the whole burst, while the lines of the next are on their way; where IPv4 ends and IPv6 goes on, the one is
//! finished while the other's lines come, and what a step ends with is read behind what the next one asks for; what
//! only few lookups need, the routes that cover a slot, lies apart; and where no level is left out from the root on,
//! and so all bits of a route were looked at, the slot leads to the hop and not to the route. That is 99 % of IPv4
//! addresses in a table like the Internet's, and nine in ten of IPv6's. A node is not sparse where that would end at a
//! route and nodes below it would end at a hop.
//!
//! Small tables are *plain*: only dense and narrow nodes, and routes. They fit the cache, and a lookup
//! in them takes fewer instructions.
//!
//! # Cost
//!
//! A lookup or a change costs the depth, at most 4 nodes for IPv4 and 27 for IPv6, however many
//! routes there are: a default route over a million others is written into one node. What
//! a version writes anew is the nodes on the paths of its changes, each once, and the few below a node that
//! has become too much for a sparse one.
//!
//! # Who may read what
//!
//! A line is written completely before the version that leads to it is published, and not
//! again before it came back through [`LpmEditor::reuse`], so its fields are read relaxed: the
//! publish orders them (see [`corelane_sync::snapshot`]).

mod arena;
mod compile;
mod editor;
mod entry;
mod hop;
mod leaf;
mod line;
mod lookup;
mod path;
mod route_table;
mod runs;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod trie;

pub use editor::{Garbage, LpmEditor, LpmError};
pub use hop::Hop;
pub use lookup::Lpm;
pub use route_table::{RouteTable, RouteTableError, Row, Via};
pub use store::LpmStore;

/// No neighbour: what an on-link route has, whose packets go to the destination itself.
pub const NO_NEIGHBOR: u32 = u32::MAX;
