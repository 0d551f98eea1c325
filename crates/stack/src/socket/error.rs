//! What a socket is told, and why there is none.

use std::net::{IpAddr, SocketAddr};

use corelane_sync::ring::RingError;
use thiserror::Error;

use crate::error::{RouteError, SendError};
use crate::nic::NicId;

/// What became of a packet that a socket sent, as an ICMP error tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketError {
    /// What.
    pub kind: SocketErrorKind,
    /// To whom the packet was.
    pub remote: SocketAddr,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketErrorKind {
    /// Nobody has the port.
    PortUnreachable,
    /// The host does not answer.
    HostUnreachable,
    /// No route leads to the host.
    NetworkUnreachable,
    /// It was larger than the path takes, which is remembered.
    MessageTooBig {
        /// What the path takes, in bytes of packet.
        mtu: usize,
    },
}

/// Why a packet was not put into a socket's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketDrop {
    /// The queue is full (netstack's `ReceiveBufferOverflow`).
    Overflow,
    /// The socket is closed, or nobody reads the queue any more (`ClosedReceiver`).
    Closed,
}

/// What a socket counted, over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketStats {
    /// Packets put into its queues.
    pub received: u64,
    /// Packets dropped because a queue was full, or had as many long datagrams from fragments as may
    /// wait, or there was no frame for a copy.
    pub overflow: u64,
    /// Packets dropped because the socket was closed, or nobody reads any more.
    pub closed: u64,
    /// Packets dropped for their checksum.
    pub checksum_errors: u64,
    /// Errors that came when as many as it keeps were unread.
    pub errors_lost: u64,
}

/// Why a socket was not bound.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another socket is bound to the same addresses and port, and to the same NIC or to none as this
    /// one, and one of the two does not share them.
    #[error("port {0} is in use")]
    PortInUse(u16),
    /// All ports of the range for such are in use.
    #[error("no port is left")]
    NoPortLeft,
    /// No NIC has the local address.
    #[error("{0} is not an address of a NIC")]
    BadLocalAddress(IpAddr),
    /// Local and remote address are of two families.
    #[error("{local} and {remote} are of two families")]
    FamilyMismatch {
        /// The local address.
        local: IpAddr,
        /// The remote one.
        remote: IpAddr,
    },
    /// Nothing can come from there.
    #[error("{0} cannot be a remote address and port")]
    BadRemote(SocketAddr),
    /// There is no such NIC.
    #[error("there is no NIC {0}")]
    UnknownNic(NicId),
    /// The queues cannot be had.
    #[error("the queues: {0}")]
    Queue(#[from] RingError),
    /// The table of sockets has no room.
    #[error("there is no room for another socket")]
    TableFull,
}

/// Why a datagram was not sent.
#[derive(Debug, Error)]
pub enum UdpSendError {
    /// No route leads there.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The route does not take it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// It is larger than UDP can tell.
    #[error("a payload of {0} bytes is more than UDP has")]
    TooLong(usize),
    /// The socket is bound to another remote address, or to another family; or nothing can be sent
    /// there.
    #[error("the socket does not send to {0}")]
    BadRemote(SocketAddr),
}
