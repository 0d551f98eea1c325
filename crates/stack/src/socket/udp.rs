//! UDP sockets.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use corelane_sync::doorbell::Doorbell;
use corelane_wire::udp::{Ports, write_udp_ipv4, write_udp_ipv6};
use corelane_wire::{IpProtocol, UDP_HEADER_LEN};

use super::error::{BindError, SocketError, SocketStats, UdpSendError};
use super::queue::SocketQueue;
use super::shared::{Socket, SocketParts};
use crate::address::{Family, Key, is_mapped};
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

    /// Of this address alone: one of a NIC's, a group or a broadcast. The unspecified one stands for
    /// every address of its family.
    pub fn local(mut self, address: IpAddr) -> Self {
        self.local = Some(address);
        self
    }

    /// Of every address of one family, if none is named.
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

    /// Datagrams that wait for the reader, of each worker: 64 unless said. Each has a frame of the pool,
    /// and room for each takes 40 bytes. Of those that came in fragments and are longer than such a frame
    /// 16 wait at most.
    pub fn queue(mut self, datagrams: usize) -> Self {
        self.queue = datagrams;
        self
    }

    /// Has this bell rung when something came: once for all that came with a burst.
    pub fn bell(mut self, bell: Doorbell) -> Self {
        self.bell = Some(bell);
        self
    }
}

/// A UDP socket: the handle. Datagrams come out of the [`SocketQueue`]s that were made with it, one for
/// each worker, their checksums verified. Dropping it unbinds it.
pub struct UdpSocket {
    stack: Stack,
    socket: Socket,
    /// One, or one for each family.
    identities: Vec<Identity>,
    local: Option<IpAddr>,
    /// Whether that is what it sends from: not if it is a group or a broadcast.
    sends_from_local: bool,
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
        if let Some(remote) = remote.filter(|remote| !can_be_remote(*remote)) {
            return Err(BindError::BadRemote(remote));
        }
        let family = match (local, remote.map(|remote| remote.ip())) {
            (Some(local), Some(remote)) if Family::of(local) != Family::of(remote) => {
                return Err(BindError::FamilyMismatch { local, remote });
            }
            (Some(address), _) | (_, Some(address)) => Some(Family::of(address)),
            (None, None) => family,
        };
        let local = local.filter(|local| !local.is_unspecified());
        let kind = self.check_local(local, nic)?;
        let (socket, queues) = self.make_socket(SocketParts {
            queue,
            nic,
            // With a remote address there is nothing to share (BEHAVIOURS K14).
            reuse: reuse && remote.is_none(),
            bell: bell.as_ref(),
        })?;
        let bindings: Vec<_> = [Family::V4, Family::V6]
            .into_iter()
            .filter(|it| family.is_none_or(|family| family == *it))
            .map(|family| Binding {
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
            sends_from_local: kind == LocalKind::OneHost,
            port,
            remote,
            nic,
        };
        Ok((handle, queues))
    }

    /// A socket that nobody finds yet.
    pub(super) fn make_socket(
        &self,
        parts: SocketParts<'_>,
    ) -> Result<(Socket, Vec<SocketQueue>), BindError> {
        let number = self.demux().next_number();
        let (socket, queues) = Socket::new(&self.shared().seat_plan, number, parts)?;
        Ok((socket, queues))
    }

    /// What the address is that a socket is to be bound to (BEHAVIOURS K17): it has to be one of a
    /// NIC's, or of the NIC that is named, a group or a broadcast.
    pub(super) fn check_local(
        &self,
        local: Option<IpAddr>,
        nic: Option<NicId>,
    ) -> Result<LocalKind, BindError> {
        let nics = match nic {
            Some(id) => vec![self.shared().nic(id).ok_or(BindError::UnknownNic(id))?],
            None => self.shared().nics(),
        };
        let Some(local) = local else {
            return Ok(LocalKind::Any);
        };
        let key = Key::from(local);
        let is_broadcast = || {
            let mut nics = nics.iter();
            nics.any(|nic| nic.snapshots.load().is_directed_broadcast(key))
        };
        let is_own = || {
            let mut nics = nics.iter().cloned().map(Nic::from_shared);
            nics.any(|nic| nic.is_local(local))
        };
        if is_mapped(local) {
            Err(BindError::BadLocalAddress(local))
        } else if key.is_multicast() || key.is_limited_broadcast() {
            Ok(LocalKind::ForMany)
        } else if is_own() {
            Ok(LocalKind::OneHost)
        } else if is_broadcast() {
            Ok(LocalKind::ForMany)
        } else {
            Err(BindError::BadLocalAddress(local))
        }
    }
}

/// What a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalKind {
    /// Whatever is there.
    Any,
    /// An address of this host.
    OneHost,
    /// A group or a broadcast: nothing is sent from it.
    ForMany,
}

/// Whether a packet can come from there, and go there.
fn can_be_remote(remote: SocketAddr) -> bool {
    remote.port() != 0 && !remote.ip().is_unspecified() && !is_mapped(remote.ip())
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
    /// one. For what is rare: through the queue of the NIC, see [`Route::write_packet`]. What is sent to
    /// a group takes one hop unless said.
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
        if is_bound_elsewhere || !can_be_remote(remote) {
            return Err(UdpSendError::BadRemote(remote));
        }
        let local = self.local.filter(|_| self.sends_from_local);
        Ok(self.stack.find_route(self.nic, local, remote.ip())?)
    }

    fn write(
        &self,
        route: &Route,
        payload: &[u8],
        port: u16,
        mut options: SendOptions,
    ) -> Result<(), UdpSendError> {
        if route.remote().is_multicast() {
            // To groups of other networks only if asked to (RFC 1112 section 6.1).
            options.hop_limit = options.hop_limit.or(Some(1));
        }
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
