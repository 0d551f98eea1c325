//! What the control plane refuses.

use std::net::IpAddr;

use corelane_sync::slab::SlabError;
use thiserror::Error;

/// Why an address was not added.
#[derive(Debug, Error)]
pub enum AddAddressError {
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

/// Why an address cannot be a host's own.
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
}

/// Why an address was not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RemoveAddressError {
    /// The NIC does not have it (netstack's `ErrBadLocalAddress`): never had, or it is removed
    /// already and only held by someone.
    #[error("the NIC does not have the address {0}")]
    BadLocalAddress(IpAddr),
}

/// Why no reference to an endpoint was taken.
#[derive(Debug, Error)]
pub enum HoldError {
    /// The address is not the NIC's, and the NIC does not take others (netstack's
    /// `ErrBadLocalAddress`).
    #[error("{0} is not an address of the NIC")]
    BadLocalAddress(IpAddr),
    /// There is no memory for a temporary endpoint.
    #[error("no memory for another endpoint")]
    OutOfMemory(#[source] SlabError),
}
