//! What the control plane refuses.

use std::net::IpAddr;

use corelane_sync::slab::SlabError;
use thiserror::Error;

use crate::address::Family;
use crate::nic::NicId;

/// The NIC was removed (netstack's `ErrUnknownNICID`): handles to it stay valid, and everything
/// that would change it fails with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("NIC {0} was removed")]
pub struct NicGone(pub NicId);

/// Why an address was not added.
#[derive(Debug, Error)]
pub enum AddAddressError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// The NIC does not speak the protocol (netstack's `ErrUnknownProtocol`).
    #[error("the NIC does not speak {0}")]
    UnknownProtocol(Family),
    /// The NIC has it (netstack's `ErrDuplicateAddress`).
    #[error("the NIC has the address {0} already")]
    DuplicateAddress(IpAddr),
    /// No host can have it (netstack's `ErrBadAddress`).
    #[error("{address} cannot be an address of a NIC: {reason}")]
    BadAddress {
        /// The address.
        address: IpAddr,
        /// What is wrong with it.
        reason: BadAddress,
    },
    /// There is no room for another address.
    #[error("the NIC's endpoint table is full")]
    TableFull,
    /// There is no memory for another address.
    #[error("no memory for another endpoint")]
    OutOfMemory(#[source] SlabError),
}

/// Why an address cannot be a host's own, or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadAddress {
    /// `0.0.0.0` or `::`.
    #[error("it is the unspecified address")]
    Unspecified,
    /// A group: those are joined.
    #[error("it is a multicast address")]
    Multicast,
    /// `255.255.255.255`.
    #[error("it is the limited broadcast address")]
    Broadcast,
    /// An IPv4 address written as an IPv6 one (`::ffff:a.b.c.d`).
    #[error("it is an IPv4-mapped IPv6 address")]
    Mapped,
    /// Not a group.
    #[error("it is not a multicast address")]
    NotMulticast,
    /// `127.0.0.0/8` or `::1`.
    #[error("it is a loopback address")]
    Loopback,
}

/// Why an address was not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RemoveAddressError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// The NIC does not have it (netstack's `ErrBadLocalAddress`): never had, or it is removed
    /// already and only held by someone.
    #[error("the NIC does not have the address {0}")]
    BadLocalAddress(IpAddr),
}

/// Why no reference to an endpoint was taken.
#[derive(Debug, Error)]
pub enum HoldError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// The address is not the NIC's, and the NIC does not take others (netstack's
    /// `ErrBadLocalAddress`).
    #[error("{0} is not an address of the NIC")]
    BadLocalAddress(IpAddr),
    /// There is no memory for a temporary endpoint.
    #[error("no memory for another endpoint")]
    OutOfMemory(#[source] SlabError),
}

/// Why a group was not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JoinGroupError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// The NIC does not speak the protocol (netstack's `ErrUnknownProtocol`).
    #[error("the NIC does not speak {0}")]
    UnknownProtocol(Family),
    /// It is no group (netstack's `ErrBadAddress`).
    #[error("{address} cannot be joined: {reason}")]
    BadAddress {
        /// The address.
        address: IpAddr,
        /// What is wrong with it.
        reason: BadAddress,
    },
    /// It was joined four billion times and not left.
    #[error("the group {0} is joined too often")]
    TooManyJoins(IpAddr),
}

/// Why a group was not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LeaveGroupError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// Nobody has joined it (netstack's `ErrBadLocalAddress`), or only the NIC itself, for one of
    /// its addresses.
    #[error("the group {0} is not joined")]
    NotJoined(IpAddr),
}

/// Why a NIC was not enabled. Nothing was changed.
#[derive(Debug, Error)]
pub enum EnableError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// Its link-local address could not be added.
    #[error("its link-local address: {0}")]
    LinkLocal(#[source] AddAddressError),
}

/// Why an address is not given up as a duplicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DuplicateDetectedError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// The NIC does not have it (netstack's `ErrBadAddress`).
    #[error("the NIC does not have the address {0}")]
    BadAddress(IpAddr),
    /// It is not being probed (netstack's `ErrInvalidEndpointState`).
    #[error("the address {0} is not tentative")]
    InvalidEndpointState(IpAddr),
}

/// Why there is no route.
#[derive(Debug, Error)]
pub enum RouteError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// The NIC is disabled.
    #[error("the NIC is disabled")]
    NicDisabled,
    /// The NIC does not speak the protocol (netstack's `ErrUnknownProtocol`).
    #[error("the NIC does not speak {0}")]
    UnknownProtocol(Family),
    /// The local and the remote address are of different families.
    #[error("{local} and {remote} are of different families")]
    FamilyMismatch {
        /// The local address.
        local: IpAddr,
        /// The remote address.
        remote: IpAddr,
    },
    /// No local address was named, and the NIC has none that can be a source (netstack's
    /// `ErrNoRoute`).
    #[error("no usable source address for {0}")]
    NoRoute(IpAddr),
    /// The local address cannot be used (netstack's `ErrBadLocalAddress`).
    #[error("{0} is not an address of the NIC")]
    BadLocalAddress(IpAddr),
    /// Nothing can be sent there.
    #[error("{address} cannot be sent to: {reason}")]
    BadRemoteAddress {
        /// The remote address.
        address: IpAddr,
        /// What is wrong with it.
        reason: BadAddress,
    },
    /// There is no memory for a temporary endpoint.
    #[error("no memory for another endpoint")]
    OutOfMemory(#[source] SlabError),
}

/// Why nothing was sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The NIC was removed.
    #[error(transparent)]
    NicGone(#[from] NicGone),
    /// The NIC is disabled.
    #[error("the NIC is disabled")]
    NicDisabled,
    /// The route's local address was removed, or is being probed (netstack's
    /// `ErrInvalidEndpointState`).
    #[error("the local address {0} is not in use")]
    InvalidEndpointState(IpAddr),
    /// The link address of the other side is not known (netstack's `ErrNoLinkAddress`).
    #[error("the link address of {0} is not known")]
    NoLinkAddress(IpAddr),
    /// The packet is larger than the NIC's MTU (netstack's `ErrMessageTooLong`).
    #[error("a packet of {len} bytes is over the MTU of {mtu}")]
    MessageTooLong {
        /// Its length in bytes, network header included.
        len: usize,
        /// The largest the NIC sends.
        mtu: usize,
    },
    /// The packet may take no hop, and is for another host.
    #[error("a packet without a hop does not leave this host")]
    NoHops,
    /// The frame is shorter than an Ethernet header, or an empty handle.
    #[error("a frame of {0} bytes has no Ethernet header")]
    NotAFrame(usize),
    /// The NIC's queue is full, or there is no free frame (netstack's `ErrNoBufferSpace`): try
    /// again.
    #[error("no room to send")]
    NoBufferSpace,
}
