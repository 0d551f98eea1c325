//! UDP sockets.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use corelane_sync::doorbell::Doorbell;
use corelane_wire::udp::{Ports, write_udp_ipv4, write_udp_ipv6};
use corelane_wire::{IpProtocol, UDP_HEADER_LEN};

use super::error::{BindError, SocketError, SocketStats, UdpSendError};
use super::queue::SocketQueue;
use super::shared::Socket;
use crate::address::Family;
use crate::demux::{Binding, Identity};
use crate::nic::{Nic, NicId};
use crate::route::{Route, SendOptions};
use crate::stack::Stack;

/// What a UDP socket is to be bound to.
#[derive(Clone, Debug)]
pub struct UdpBind {
    local: Option<IpAddr>,
    port: u16,
    family: Option<Family>,
    remote: Option<SocketAddr>,
    nic: Option<NicId>,
    reuse: bool,
    queue: usize,
    bell: Option<Doorbell>,
}

impl UdpBind {
    /// A port of every address, of both families; 0 for one that is free.
    pub fn new(port: u16) -> Self {
        Self {
            local: None,
            port,
            family: None,
            remote: None,
            nic: None,
            reuse: false,
            queue: 64,
            bell: None,
        }
    }

    /// Of this address alone: one of a NIC's, a group or a broadcast.
    pub fn local(mut self, address: IpAddr) -> Self {
        self.local = Some(address).filter(|address| !address.is_unspecified());
        self.family = Some(Family::of(address));
        self
    }

    /// Of every address of one family.
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Only what comes from there; and what is sent goes there.
    pub fn remote(mut self, remote: SocketAddr) -> Self {
        self.remote = Some(remote);
        self
    }

    /// Only what arrives on this NIC; and what is sent leaves by it.
    pub fn nic(mut self, nic: NicId) -> Self {
        self.nic = Some(nic);
        self
    }

    /// Shares addresses and port with other sockets that do: each flow sticks to one of them. Without
    /// effect with a [`remote`](Self::remote) (BEHAVIOURS K14).
    pub fn reuse(mut self) -> Self {
        self.reuse = true;
        self
    }

    /// Datagrams that wait for the reader, of each worker: 64 unless said.
    pub fn queue(mut self, datagrams: usize) -> Self {
        self.queue = datagrams;
        self
    }

    /// Has this bell rung when something comes.
    pub fn bell(mut self, bell: Doorbell) -> Self {
        self.bell = Some(bell);
        self
    }
}

/// A UDP socket: the handle. Datagrams come out of the [`SocketQueue`]s that were made with it, one for
/// each worker, their checksums verified. Dropping it unbinds it.
pub struct UdpSocket {
    stack: Stack,
    socket: Arc<Socket>,
    /// One, or one for each family.
    identities: Vec<Identity>,
    local: Option<IpAddr>,
    port: u16,
    remote: Option<SocketAddr>,
    nic: Option<NicId>,
}

impl Stack {
    /// Binds a UDP socket. It gets what arrives from each worker's next burst on.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn udp_socket(&self, bind: UdpBind) -> Result<(UdpSocket, Vec<SocketQueue>), BindError> {
        let UdpBind {
            local,
            port,
            family,
            remote,
            nic,
            reuse,
            queue,
            bell,
        } = bind;
        let family = match (local, remote.map(|remote| remote.ip())) {
            (Some(local), Some(remote)) if Family::of(local) != Family::of(remote) => {
                return Err(BindError::FamilyMismatch { local, remote });
            }
            (_, Some(remote)) => Some(Family::of(remote)),
            _ => family,
        };
        self.check_local(local, nic)?;
        let seats = &self.shared().seat_plan;
        let reuse = reuse && remote.is_none();
        let (socket, queues) = Socket::new(seats, queue, nic, reuse, bell.as_ref())?;
        let socket = Arc::new(socket);
        let families = match family {
            Some(family) => vec![family],
            None => vec![Family::V4, Family::V6],
        };
        let bindings: Vec<_> = families
            .into_iter()
            .map(|family| Binding {
                protocol: IpProtocol::UDP,
                family,
                local,
                remote,
            })
            .collect();
        let identities = self.demux().bind(&bindings, port, &socket)?;
        let port = identities.first().map_or(port, Identity::local_port);
        let handle = UdpSocket {
            stack: self.clone(),
            socket,
            identities,
            local,
            port,
            remote,
            nic,
        };
        Ok((handle, queues))
    }

    /// Whether a socket may be bound to an address (BEHAVIOURS K17): one of a NIC's, or of the NIC that
    /// is named, a group or a broadcast.
    pub(super) fn check_local(
        &self,
        local: Option<IpAddr>,
        nic: Option<NicId>,
    ) -> Result<(), BindError> {
        let nics = match nic {
            Some(id) => vec![self.shared().nic(id).ok_or(BindError::UnknownNic(id))?],
            None => self.shared().nics(),
        };
        let Some(local) = local else {
            return Ok(());
        };
        let is_broadcast = matches!(local, IpAddr::V4(local) if local.is_broadcast());
        let is_ours = local.is_multicast()
            || is_broadcast
            || nics
                .into_iter()
                .map(Nic::from_shared)
                .any(|nic| nic.is_local(local));
        if is_ours {
            Ok(())
        } else {
            Err(BindError::BadLocalAddress(local))
        }
    }
}

impl UdpSocket {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address it is bound to, if it is to one.
    pub fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// What it counted.
    pub fn stats(&self) -> SocketStats {
        self.socket.stats()
    }

    /// The oldest error about what it sent that was not taken yet.
    pub fn take_error(&self) -> Option<SocketError> {
        self.socket.take_error()
    }

    /// Sends a datagram, as [`send_with`](Self::send_with) with the defaults.
    ///
    /// # Errors
    /// [`UdpSendError`].
    pub fn send_to(&self, payload: &[u8], remote: SocketAddr) -> Result<(), UdpSendError> {
        self.send_with(payload, remote, SendOptions::default())
    }

    /// Sends a datagram by the routes of the stack, from the address it is bound to or from the best
    /// one. For what is rare: through the queue of the NIC, see [`Route::write_packet`].
    ///
    /// # Errors
    /// [`UdpSendError`].
    pub fn send_with(
        &self,
        payload: &[u8],
        remote: SocketAddr,
        options: SendOptions,
    ) -> Result<(), UdpSendError> {
        let route = self.route_to(remote)?;
        self.write(&route, payload, remote.port(), options)
    }

    /// Sends several datagrams; looks for a route only where the remote address changes. Returns how many
    /// were sent, and why not the next one.
    pub fn send_burst(&self, datagrams: &[(SocketAddr, &[u8])]) -> (usize, Option<UdpSendError>) {
        let mut last: Option<Route> = None;
        for (sent, (remote, payload)) in datagrams.iter().enumerate() {
            let route = match last.take().filter(|route| route.remote() == remote.ip()) {
                Some(route) => Ok(route),
                None => self.route_to(*remote),
            };
            let result = route.and_then(|route| {
                self.write(&route, payload, remote.port(), SendOptions::default())?;
                Ok(route)
            });
            match result {
                Ok(route) => last = Some(route),
                Err(error) => return (sent, Some(error)),
            }
        }
        (datagrams.len(), None)
    }

    fn route_to(&self, remote: SocketAddr) -> Result<Route, UdpSendError> {
        let family = Family::of(remote.ip());
        let is_bound_elsewhere = self.remote.is_some_and(|bound| bound != remote)
            || !self.identities.iter().any(|it| it.family() == family);
        if is_bound_elsewhere {
            return Err(UdpSendError::BadRemote(remote));
        }
        // From a group or a broadcast nothing is sent.
        let local = self.local.filter(|local| {
            let is_broadcast = matches!(local, IpAddr::V4(local) if local.is_broadcast());
            !local.is_multicast() && !is_broadcast
        });
        Ok(self.stack.find_route(self.nic, local, remote.ip())?)
    }

    fn write(
        &self,
        route: &Route,
        payload: &[u8],
        port: u16,
        options: SendOptions,
    ) -> Result<(), UdpSendError> {
        let len = UDP_HEADER_LEN + payload.len();
        let ports = Ports {
            source: self.port,
            destination: port,
        };
        let mut datagram = vec![0; len];
        let too_long = |_| UdpSendError::TooLong(payload.len());
        match (route.local(), route.remote()) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                write_udp_ipv4(&mut datagram, local, remote, ports, payload).map_err(too_long)?
            }
            (IpAddr::V6(local), IpAddr::V6(remote)) => {
                write_udp_ipv6(&mut datagram, local, remote, ports, payload).map_err(too_long)?
            }
            // A route has one family.
            _ => 0,
        };
        Ok(route.write_packet_with(IpProtocol::UDP, &datagram, options)?)
    }
}

impl Drop for UdpSocket {
    /// Nothing that is looked up later is queued; what is in the queues can still be read.
    fn drop(&mut self) {
        self.socket.close();
        self.stack.demux().unbind(&self.identities, &self.socket);
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local)
            .field("port", &self.port)
            .field("remote", &self.remote)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
