//! Routes: from a local address to a remote one, on one NIC.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use corelane_frame::Frame;
use corelane_sync::refs::AddressKind;
use corelane_wire::build::{build_ipv4, build_ipv6};
use corelane_wire::ipv4::Ipv4Fields;
use corelane_wire::ipv6::Ipv6Fields;
use corelane_wire::{ETHERNET_HEADER_LEN, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol, MacAddr};

use crate::address::{Family, Key, is_mapped};
use crate::endpoint::EndpointRef;
use crate::error::{BadAddress, HoldError, NicGone, RouteError, SendError};
use crate::nic::{Nic, NicShared};
use crate::protocol_counters::ProtocolCounter;

/// Hops a route's packets may take unless said otherwise.
const HOP_LIMIT: u8 = 64;

/// The most that the length field of an IP header tells.
const LENGTH_FIELD: usize = u16::MAX as usize;

/// A way from a local address to a remote one (netstack's `Route`). It keeps a reference to the
/// local address' endpoint: while it is held, the address may be removed, and then nothing can be
/// sent, and added again, and then it can.
///
/// A clone is another reference; dropping gives it back.
#[derive(Clone)]
pub struct Route {
    local: EndpointRef,
    remote: IpAddr,
    remote_mac: Option<MacAddr>,
    /// What is sent also comes back to the NIC.
    loops: bool,
}

impl Nic {
    /// A route to `remote`, from `local` or, if none is named, from the best source address
    /// (BEHAVIOURS C3; RFC 6724 for IPv6). On a spoofing NIC any `local` will do (D8).
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn route(&self, local: Option<IpAddr>, remote: IpAddr) -> Result<Route, RouteError> {
        let shared = self.shared();
        if self.is_gone() {
            return Err(NicGone(self.id()).into());
        }
        let family = Family::of(remote);
        if !shared.settings.protocols.has(family) {
            return Err(RouteError::UnknownProtocol(family));
        }
        if is_mapped(remote) || remote.is_unspecified() {
            let reason = if remote.is_unspecified() {
                BadAddress::Unspecified
            } else {
                BadAddress::Mapped
            };
            return Err(RouteError::BadRemoteAddress {
                address: remote,
                reason,
            });
        }
        let snapshot = shared.snapshots.load();
        if !snapshot.enabled {
            return Err(RouteError::NicDisabled);
        }
        let local = match local {
            Some(local) if Family::of(local) != family => {
                return Err(RouteError::FamilyMismatch { local, remote });
            }
            Some(local) => self.hold(local).map_err(|error| match error {
                HoldError::NicGone(gone) => RouteError::NicGone(gone),
                HoldError::BadLocalAddress(address) => RouteError::BadLocalAddress(address),
                HoldError::OutOfMemory(error) => RouteError::OutOfMemory(error),
            })?,
            None => self.hold_source(remote)?,
        };
        let key = Key::from(remote);
        let is_broadcast = key.is_limited_broadcast() || snapshot.is_directed_broadcast(key);
        let remote_mac = match remote {
            _ if shared.settings.is_loopback => Some(MacAddr::UNSPECIFIED),
            _ if is_broadcast => Some(MacAddr::BROADCAST),
            IpAddr::V4(a) if key.is_multicast() => Some(MacAddr::from_ipv4_multicast(a)),
            IpAddr::V6(a) if key.is_multicast() => Some(MacAddr::from_ipv6_multicast(a)),
            _ => None,
        };
        let loops = !shared.settings.is_loopback
            && (is_broadcast || key.is_multicast() && shared.settings.multicast_loop);
        Ok(Route {
            local,
            remote,
            remote_mac,
            loops,
        })
    }

    /// Holds the endpoint to send from. One that is removed in between is not taken for it.
    fn hold_source(&self, remote: IpAddr) -> Result<EndpointRef, RouteError> {
        let shared = self.shared();
        let control = shared.control();
        if control.is_gone() {
            return Err(NicGone(self.id()).into());
        }
        let mut control = control;
        let index = control
            .source_for(&shared.endpoints, remote)
            .filter(|index| shared.endpoints.at(*index).refs.try_acquire())
            .ok_or(RouteError::NoRoute(remote))?;
        drop(control);
        Ok(EndpointRef::from_counted(
            std::sync::Arc::clone(shared),
            index,
        ))
    }
}

impl Route {
    /// The address it sends from.
    pub fn local(&self) -> IpAddr {
        self.local.address()
    }

    /// The address it sends to.
    pub fn remote(&self) -> IpAddr {
        self.remote
    }

    /// The link address it sends to: known from the beginning for groups and broadcasts.
    pub fn remote_link_address(&self) -> Option<MacAddr> {
        self.remote_mac
    }

    /// Sends to this link address from now on.
    pub fn set_remote_link_address(&mut self, mac: MacAddr) {
        self.remote_mac = Some(mac);
    }

    /// The reference to the local address' endpoint.
    pub fn endpoint(&self) -> &EndpointRef {
        &self.local
    }

    /// Whether what is sent also comes back to the NIC, as something received (BEHAVIOURS F3).
    pub fn loops(&self) -> bool {
        self.loops
    }

    /// Whether something could be sent now (BEHAVIOURS B8, D9).
    ///
    /// # Errors
    /// [`SendError::NicGone`], [`SendError::NicDisabled`], [`SendError::InvalidEndpointState`].
    pub fn check(&self) -> Result<(), SendError> {
        let nic = self.local.nic();
        nic.check_up()?;
        match self.local.kind() {
            AddressKind::Permanent | AddressKind::Temporary => Ok(()),
            AddressKind::PermanentExpired if nic.snapshots.load().spoofing => Ok(()),
            AddressKind::PermanentExpired | AddressKind::PermanentTentative => {
                Err(SendError::InvalidEndpointState(self.local()))
            }
        }
    }

    /// Sends a packet with these bytes behind its IP header, through the NIC's queue: whether the
    /// link takes it shows in the NIC's counters. `hop_limit` is 64 unless said.
    ///
    /// # Errors
    /// [`SendError`]; no counter of frames has moved then.
    pub fn write_packet(
        &self,
        protocol: IpProtocol,
        payload: &[u8],
        hop_limit: Option<u8>,
    ) -> Result<(), SendError> {
        self.check()?;
        let nic = self.local.nic();
        let remote_mac = self
            .remote_mac
            .ok_or(SendError::NoLinkAddress(self.remote))?;
        let hop_limit = hop_limit.unwrap_or(HOP_LIMIT);
        // The length field of IPv4 counts the header too, that of IPv6 does not.
        let (header_len, most) = match self.remote {
            IpAddr::V4(_) => (IPV4_HEADER_LEN, LENGTH_FIELD),
            IpAddr::V6(_) => (IPV6_HEADER_LEN, IPV6_HEADER_LEN + LENGTH_FIELD),
        };
        let (len, mtu) = (header_len + payload.len(), nic.settings.mtu.min(most));
        if len > mtu {
            return Err(SendError::MessageTooLong { len, mtu });
        }
        let addresses = (self.local(), self.remote);
        let mac = nic.settings.mac;
        let frame = nic.make_frame(|buffer| match addresses {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                let fields = Ipv4Fields::new(local, remote, protocol, hop_limit);
                build_ipv4(buffer, mac, remote_mac, &fields, payload)
            }
            (local, remote) => {
                let fields = Ipv6Fields::new(v6(local), v6(remote), protocol, hop_limit);
                build_ipv6(buffer, mac, remote_mac, &fields, payload)
            }
        });
        let room = || nic.no_room();
        let frame = frame.ok_or_else(room)?;
        // The copy first: it is made from the same bytes, before they are the link's.
        let copy = if self.loops {
            Some(nic.copy_frame(&frame).ok_or_else(room)?)
        } else {
            None
        };
        nic.push_outbound(frame).map_err(|_| nic.no_room())?;
        if let Some(copy) = copy {
            // It is on the link by now: that no copy came back is counted, and no error.
            if nic.push_looped(copy).is_err() {
                nic.count(ProtocolCounter::Unsent);
            }
        }
        Ok(())
    }
}

/// An address of a route between IPv6 addresses, which has no other.
fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V6(address) => address,
        IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED,
    }
}

impl NicShared {
    pub(crate) fn check_up(&self) -> Result<(), SendError> {
        if self.is_gone() {
            return Err(NicGone(self.id()).into());
        }
        if !self.snapshots.load().enabled {
            return Err(SendError::NicDisabled);
        }
        Ok(())
    }

    fn no_room(&self) -> SendError {
        self.count(ProtocolCounter::Unsent);
        SendError::NoBufferSpace
    }
}

impl Nic {
    /// Sends a frame as it is, Ethernet header first, through the NIC's queue.
    ///
    /// # Errors
    /// [`SendError`]; the frame is dropped.
    pub fn send(&self, frame: Frame) -> Result<(), SendError> {
        let shared = self.shared();
        shared.check_up()?;
        if frame.is_vacant() || frame.len() < ETHERNET_HEADER_LEN {
            let len = if frame.is_vacant() { 0 } else { frame.len() };
            return Err(SendError::NotAFrame(len));
        }
        let (len, mtu) = (frame.len() - ETHERNET_HEADER_LEN, shared.settings.mtu);
        if len > mtu {
            return Err(SendError::MessageTooLong { len, mtu });
        }
        shared.push_outbound(frame).map_err(|_| shared.no_room())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("local", &self.local)
            .field("remote", &self.remote)
            .field("remote_mac", &self.remote_mac)
            .field("loops", &self.loops)
            .finish()
    }
}
