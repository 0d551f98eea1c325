//! Raw sockets: copies of all packets of a transport protocol, before anybody looks at it.

use std::fmt;

use corelane_sync::doorbell::Doorbell;
use corelane_wire::IpProtocol;

use super::error::{BindError, SocketStats};
use super::queue::SocketQueue;
use super::shared::{Socket, SocketParts};
use crate::address::Family;
use crate::nic::NicId;
use crate::stack::Stack;

/// What a raw socket is to be shown.
#[derive(Clone, Debug)]
pub struct RawBind {
    /// Packets of this family.
    pub family: Family,
    /// Of this protocol.
    pub protocol: IpProtocol,
    /// That arrive on this NIC, or on any.
    pub nic: Option<NicId>,
    /// How many wait for the reader, of each worker.
    pub queue: usize,
    /// Rung when something came: once for all that came with a burst.
    pub bell: Option<Doorbell>,
}

impl RawBind {
    /// All packets to this host of a family and a protocol, 64 of each worker waiting.
    pub fn new(family: Family, protocol: IpProtocol) -> Self {
        Self {
            family,
            protocol,
            nic: None,
            queue: 64,
            bell: None,
        }
    }
}

/// A raw socket: the handle. Dropping it closes it.
///
/// It gets a copy of each packet to this host, whole, whatever else becomes of the packet (BEHAVIOURS
/// K2).
pub struct RawSocket {
    stack: Stack,
    socket: Socket,
}

impl Stack {
    /// Opens a raw socket.
    ///
    /// # Errors
    /// [`BindError`].
    #[expect(clippy::needless_pass_by_value, reason = "as udp_socket takes its own")]
    pub fn raw_socket(&self, bind: RawBind) -> Result<(RawSocket, Vec<SocketQueue>), BindError> {
        self.check_local(None, bind.nic)?;
        let (socket, queues) = self.make_socket(SocketParts {
            queue: bind.queue,
            nic: bind.nic,
            reuse: true,
            bell: bind.bell.as_ref(),
        })?;
        self.demux().add_raw(bind.family, bind.protocol, &socket);
        let handle = RawSocket {
            stack: self.clone(),
            socket,
        };
        Ok((handle, queues))
    }
}

impl RawSocket {
    /// What it counted.
    pub fn stats(&self) -> SocketStats {
        self.socket.stats()
    }
}

impl Drop for RawSocket {
    fn drop(&mut self) {
        self.socket.close();
        self.stack.demux().remove_raw(&self.socket);
    }
}

impl fmt::Debug for RawSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSocket")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
