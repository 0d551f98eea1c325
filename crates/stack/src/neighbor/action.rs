//! What the cache wants done, and what it answers.

use std::net::IpAddr;

use corelane_wire::MacAddr;

use crate::address::Key;

/// Something to be done by whoever runs the cache, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NeighborAction<P> {
    /// Send an ARP request or a neighbor solicitation for `target`.
    Request {
        target: Key,
        /// The link address to ask there; None: broadcast, or the solicited-node group.
        to: Option<MacAddr>,
    },
    /// Send a packet to a link address.
    Send { packet: P, mac: MacAddr },
    /// Nobody answers at this address: drop the packet and tell its sender (RFC 4861 section 7.2.2).
    Failed { packet: P, address: IpAddr },
    /// Drop a packet; its sender is not told.
    Dropped { packet: P, why: Dropped },
    /// Tell whoever waits.
    Waited {
        token: WaitToken,
        outcome: NeighborAnswer,
    },
    /// Tell the embedder.
    Event(NeighborEvent),
}

/// Why a packet was dropped that waited for a link address, or was to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Newer ones took its place.
    Superseded,
    /// Its neighbor was evicted, removed or flushed.
    NeighborGone,
    /// The NIC went down.
    NicDown,
    /// Too many resolutions began at once.
    TooManyResolutions,
    /// There is no room for another neighbor.
    NoRoom,
    /// No neighbor can have the address: unspecified.
    NotUnicast,
}

/// Who waits for a link address. The caller tells his tokens apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WaitToken(pub(crate) u64);

/// How waiting for a link address ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighborAnswer {
    /// The link address.
    Resolved(MacAddr),
    /// Nobody answers, there is no room for another neighbor, or nobody can have the address.
    Failed,
    /// The neighbor was evicted, removed or flushed, or the NIC is disabled or gone.
    Gone,
}

/// The answer to who asks for a link address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Here it is.
    Ready(MacAddr),
    /// It is being looked for; the token comes back.
    Waiting,
    /// Nobody answers there, or nobody can.
    NoLinkAddress,
}

/// A change of a neighbor worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NeighborEvent {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Its link address, if one is known.
    pub(crate) mac: Option<MacAddr>,
    /// What changed.
    pub(crate) change: NeighborChange,
}

/// What changed about a neighbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NeighborChange {
    /// It answered, or was given a link address by hand: the first time, or after it was
    /// unreachable.
    Reachable,
    /// It has another link address than was told before.
    LinkAddress,
    /// It does not answer.
    Unreachable,
    /// It advertises that it is a router no more (RFC 4861 section 7.3.3).
    NoLongerRouter,
    /// What was told of it is forgotten.
    Removed,
}
