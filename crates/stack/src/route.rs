//! Routes: from a local address to a remote one, on one NIC.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use corelane_frame::Frame;
use corelane_sync::refs::AddressKind;
use corelane_wire::ethernet::ethernet_header_mut;
use corelane_wire::extension::skip_extensions;
use corelane_wire::fragment::{
    plan_ipv4_fragments, plan_ipv6_fragments, write_ipv4_fragment_header,
    write_ipv6_fragment_headers,
};
use corelane_wire::ipv4::{Fragmentation, Ipv4Fields, write_ipv4};
use corelane_wire::ipv6::{Ipv6Fields, write_ipv6};
use corelane_wire::{
    ETHERNET_HEADER_LEN, EtherType, EthernetHeader, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol,
    MacAddr, parse_ipv4, parse_ipv6,
};
use zerocopy::IntoBytes;

use crate::address::{Family, Key, is_mapped};
use crate::endpoint::EndpointRef;
use crate::error::{BadAddress, HoldError, NicGone, RouteError, SendError};
use crate::neighbor::static_link_address;
use crate::nic::{Nic, NicId, NicShared};
use crate::protocol_counters::ProtocolCounter;
use crate::sent_packets::SentKind;
use crate::stack::{Pending, Resolution, longest_packet};

/// Hops a route's packets may take unless said otherwise.
const HOP_LIMIT: u8 = 64;

/// A way from a local address to a remote one (netstack's `Route`). It keeps a reference to the
/// local address' endpoint: while it is held, the address may be removed, and then nothing can be
/// sent, and added again, and then it can.
///
/// A clone is another reference; dropping gives it back.
#[derive(Clone)]
pub struct Route {
    local: EndpointRef,
    remote: IpAddr,
    /// Whose link address packets go to.
    next_hop: IpAddr,
    /// That link address, where it is not to be looked for.
    remote_mac: Option<MacAddr>,
    goes: Goes,
}

/// Where what is sent goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    ToLink,
    /// It also comes back to the NIC.
    ToLinkAndBack,
    /// It is for the NIC itself.
    Back,
}

/// What is known of the way to the remote address.
#[derive(Clone, Copy)]
struct Path {
    mtu: usize,
    /// A router reported less than is believed: IPv4 packets have to leave it to routers to cut them.
    may_be_less: bool,
}

/// How a packet is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// Hops that it may take: 64 unless said. With none it stays in this host.
    pub hop_limit: Option<u8>,
    /// What happens to one that is larger than the path takes.
    pub fragmentation: SourceFragmentation,
}

/// What happens to a packet that is larger than the path takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceFragmentation {
    /// IPv4 packets are sent in fragments, IPv6 packets are refused (BEHAVIOURS J18).
    #[default]
    OfFamily,
    /// It is sent in fragments.
    Requested,
    /// It is refused.
    Forbidden,
}

impl Nic {
    /// A route to `remote`, from `local` or, if none is named, from the best source address
    /// (BEHAVIOURS C3; RFC 6724 for IPv6). On a spoofing NIC any `local` will do (D8).
    ///
    /// What is not on every link goes to the gateway that the stack's routes name for this NIC; without
    /// one it is taken to be on the link.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn route(&self, local: Option<IpAddr>, remote: IpAddr) -> Result<Route, RouteError> {
        let gateway = self.stack().shared().gateway(self.id(), remote);
        self.route_via(local, remote, gateway)
    }

    /// As [`route`](Self::route), by this gateway.
    pub(crate) fn route_via(
        &self,
        local: Option<IpAddr>,
        remote: IpAddr,
        gateway: Option<IpAddr>,
    ) -> Result<Route, RouteError> {
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
        let remote_mac = if shared.settings.is_loopback {
            Some(MacAddr::UNSPECIFIED)
        } else if is_broadcast {
            Some(MacAddr::BROADCAST)
        } else {
            static_link_address(key)
        };
        let loops = !shared.settings.is_loopback
            && (is_broadcast || key.is_multicast() && shared.settings.multicast_loop);
        let goes = if !shared.settings.is_loopback && is_of_interface(remote) {
            Goes::Back
        } else if loops {
            Goes::ToLinkAndBack
        } else if !shared.settings.is_loopback && self.has_address(remote) {
            Goes::Back
        } else if !shared.settings.is_loopback && remote.is_loopback() {
            // Not for any wire (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3).
            return Err(RouteError::BadRemoteAddress {
                address: remote,
                reason: BadAddress::Loopback,
            });
        } else {
            Goes::ToLink
        };
        Ok(Route {
            local,
            remote,
            next_hop: gateway.unwrap_or(remote),
            remote_mac,
            goes,
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

    /// The NIC that it leaves by.
    pub fn nic(&self) -> NicId {
        self.local.nic().id()
    }

    /// Whose link address packets are sent to: the gateway's, or the remote address' own.
    pub fn next_hop(&self) -> IpAddr {
        self.next_hop
    }

    /// The link address it sends to, where that is not to be looked for: of groups, of broadcasts,
    /// and where it was set.
    pub fn remote_link_address(&self) -> Option<MacAddr> {
        self.remote_mac
    }

    /// Sends to this link address from now on, whatever the NIC knows of the next hop; also what is for
    /// the NIC itself.
    pub fn set_remote_link_address(&mut self, mac: MacAddr) {
        self.remote_mac = Some(mac);
        if self.goes == Goes::Back {
            self.goes = Goes::ToLink;
        }
    }

    /// Sees to it that the link address of the next hop is known (BEHAVIOURS J19).
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn resolve(&self) -> Result<Resolution, SendError> {
        self.check()?;
        let nic = self.local.nic();
        if let Some(mac) = self.remote_mac {
            return Ok(Resolution::Ready(mac));
        }
        if self.goes == Goes::Back {
            return Ok(Resolution::Ready(nic.settings.mac));
        }
        let (stack, next_hop) = (nic.stack.shared(), Key::from(self.next_hop));
        let known = stack.link_address(nic.id(), next_hop);
        if known == Resolution::InProgress {
            stack.resolve(nic.id(), next_hop, None);
            return Ok(stack.link_address(nic.id(), next_hop));
        }
        Ok(known)
    }

    /// The largest packet that the path takes, in bytes: what the NIC sends, or less if a router on the
    /// way has reported so.
    pub fn path_mtu(&self) -> usize {
        self.path().mtu
    }

    fn path(&self) -> Path {
        let nic = self.local.nic();
        let mtu = nic.settings.mtu;
        let reported = nic.stack.shared().path(self.remote);
        reported.map_or(
            Path {
                mtu,
                may_be_less: false,
            },
            |it| Path {
                mtu: mtu.min(it.mtu),
                may_be_less: it.may_be_less,
            },
        )
    }

    /// The reference to the local address' endpoint.
    pub fn endpoint(&self) -> &EndpointRef {
        &self.local
    }

    /// Whether what is sent also comes back to the NIC, as something received (BEHAVIOURS F3).
    pub fn loops(&self) -> bool {
        self.goes == Goes::ToLinkAndBack
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

    /// Sends a packet with these bytes behind its IP header, as
    /// [`write_packet_with`](Self::write_packet_with). `hop_limit` is 64 unless said; with 0 it stays in
    /// this host.
    ///
    /// # Errors
    /// [`SendError`]; no counter of frames has moved then.
    pub fn write_packet(
        &self,
        protocol: IpProtocol,
        payload: &[u8],
        hop_limit: Option<u8>,
    ) -> Result<(), SendError> {
        let options = SendOptions {
            hop_limit,
            ..SendOptions::default()
        };
        self.write_packet_with(protocol, payload, options)
    }

    /// Sends a packet with these bytes behind its IP header, through the NIC's queue: whether the
    /// link takes it shows in the NIC's counters. While the link address of the next hop is not known, it
    /// waits with the NIC's neighbors.
    ///
    /// # Errors
    /// [`SendError`]; no counter of frames has moved then, except that of a packet in fragments some
    /// may have been sent if there is no room for all.
    pub fn write_packet_with(
        &self,
        protocol: IpProtocol,
        payload: &[u8],
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.check()?;
        let nic = self.local.nic();
        let goes = self.goes_with(options)?;
        // Once: it may be lowered meanwhile.
        let path = self.path();
        let packet = self.build(protocol, payload, options, path)?;
        let link = match self.resolve()? {
            Resolution::Ready(mac) => Some(mac),
            Resolution::InProgress => None,
            Resolution::Unreachable => return Err(SendError::NoLinkAddress(self.next_hop)),
        };
        let frames = self.frames(&packet, path.mtu)?;
        // First: routers may be quick.
        let stack = nic.stack.shared();
        stack.note_sent(self.kind(protocol, payload), packet.len());
        for frame in frames {
            self.send_frame(nic, frame, link, goes)?;
        }
        Ok(())
    }

    /// Where a packet goes: without a hop left, on no link (RFC 1122 section 3.2.1.7).
    fn goes_with(&self, options: SendOptions) -> Result<Goes, SendError> {
        match self.goes {
            goes if options.hop_limit != Some(0) => Ok(goes),
            Goes::Back | Goes::ToLinkAndBack => Ok(Goes::Back),
            // It leads back here.
            Goes::ToLink if self.local.nic().settings.is_loopback => Ok(Goes::ToLink),
            Goes::ToLink => Err(SendError::NoHops),
        }
    }

    /// What an error about a packet with these bytes behind its IP header will say of it.
    fn kind(&self, protocol: IpProtocol, payload: &[u8]) -> SentKind {
        let (protocol, transport) = match self.family() {
            Family::V4 => (protocol, payload),
            Family::V6 => {
                let chain = skip_extensions(protocol, payload);
                let transport = payload.get(chain.offset - IPV6_HEADER_LEN..);
                (chain.next_header, transport.unwrap_or_default())
            }
        };
        let ports = match transport {
            &[a, b, c, d, ..] if protocol.has_ports() => {
                Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
            }
            _ => None,
        };
        SentKind {
            source: self.local(),
            destination: self.remote,
            protocol,
            ports,
        }
    }

    /// The packet, network header first.
    fn build(
        &self,
        protocol: IpProtocol,
        payload: &[u8],
        options: SendOptions,
        path: Path,
    ) -> Result<Vec<u8>, SendError> {
        let mtu = path.mtu;
        let hop_limit = options.hop_limit.unwrap_or(HOP_LIMIT);
        let family = Family::of(self.remote);
        let header_len = match family {
            Family::V4 => IPV4_HEADER_LEN,
            Family::V6 => IPV6_HEADER_LEN,
        };
        let len = header_len + payload.len();
        let too_long = |mtu| SendError::MessageTooLong { len, mtu };
        if len > longest_packet(family) {
            return Err(too_long(longest_packet(family)));
        }
        let may_cut = match options.fragmentation {
            SourceFragmentation::OfFamily => family == Family::V4,
            SourceFragmentation::Requested => true,
            SourceFragmentation::Forbidden => false,
        };
        if len > mtu && !may_cut {
            return Err(too_long(mtu));
        }
        let mut packet = vec![0; len];
        let (front, behind) = packet.split_at_mut(header_len);
        behind.copy_from_slice(payload);
        let written = match (self.local(), self.remote) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                let mut fields = Ipv4Fields::new(local, remote, protocol, hop_limit);
                let routers_may_cut =
                    path.may_be_less && options.fragmentation != SourceFragmentation::Forbidden;
                if len > mtu || routers_may_cut {
                    // All fragments have it, and no other packet of these addresses for a while (RFC
                    // 6864 section 5.1).
                    fields.identification = fastrand::u16(1..);
                    fields.fragmentation = Fragmentation::Allowed;
                }
                write_ipv4(front, &fields, payload.len())
            }
            (local, remote) => {
                let fields = Ipv6Fields::new(v6(local), v6(remote), protocol, hop_limit);
                write_ipv6(front, &fields, payload.len())
            }
        };
        written.map(|_| packet).map_err(|_| too_long(mtu))
    }

    /// The frames of a packet: one, or one for each fragment.
    fn frames(&self, packet: &[u8], mtu: usize) -> Result<Vec<Frame>, SendError> {
        let nic = self.local.nic();
        // Link addresses are to be filled in.
        let nobody = MacAddr::UNSPECIFIED;
        let ethertype = match self.family() {
            Family::V4 => EtherType::IPV4,
            Family::V6 => EtherType::IPV6,
        };
        let ethernet = EthernetHeader::new(nobody, nobody, ethertype);
        let make = |headers: &[u8], payload: &[u8]| {
            let frame = nic.frame_of(&[ethernet.as_bytes(), headers, payload]);
            frame.ok_or_else(|| nic.no_room())
        };
        if packet.len() <= mtu {
            return Ok(vec![make(&[], packet)?]);
        }
        let too_long = |_| SendError::MessageTooLong {
            len: packet.len(),
            mtu,
        };
        let mut frames = Vec::new();
        let mut headers = [0; MAX_HEADERS];
        match self.family() {
            Family::V4 => {
                let packet = parse_ipv4(packet).map_err(|_| nic.no_room())?;
                for fragment in plan_ipv4_fragments(&packet, mtu).map_err(too_long)? {
                    let len = write_ipv4_fragment_header(&mut headers, &packet, &fragment)
                        .map_err(|_| nic.no_room())?;
                    let payload = packet.payload.get(fragment.range).unwrap_or_default();
                    frames.push(make(headers.get(..len).unwrap_or_default(), payload)?);
                }
            }
            Family::V6 => {
                let packet = parse_ipv6(packet).map_err(|_| nic.no_room())?;
                let identification = fastrand::u32(..);
                let plan = plan_ipv6_fragments(&packet, mtu).map_err(too_long)?;
                for fragment in plan.clone() {
                    let len = write_ipv6_fragment_headers(
                        &mut headers,
                        &packet,
                        &plan,
                        &fragment,
                        identification,
                    )
                    .map_err(|_| nic.no_room())?;
                    let payload = packet.payload.get(fragment.range).unwrap_or_default();
                    frames.push(make(headers.get(..len).unwrap_or_default(), payload)?);
                }
            }
        }
        Ok(frames)
    }

    fn family(&self) -> Family {
        Family::of(self.remote)
    }

    /// Sends a frame, or has it wait for its link address.
    fn send_frame(
        &self,
        nic: &NicShared,
        mut frame: Frame,
        link: Option<MacAddr>,
        goes: Goes,
    ) -> Result<(), SendError> {
        let Some(mac) = link else {
            let packet = Pending {
                frame,
                arrived_on: None,
            };
            let stack = nic.stack.shared();
            stack.resolve(nic.id(), Key::from(self.next_hop), Some(packet));
            return Ok(());
        };
        if let Some(header) = ethernet_header_mut(frame.data_mut()) {
            header.source = nic.settings.mac;
            header.destination = mac;
        }
        match goes {
            Goes::ToLink => nic.push_outbound(frame).map_err(|_| nic.no_room()),
            Goes::Back => nic.push_looped(frame).map_err(|_| nic.no_room()),
            Goes::ToLinkAndBack => {
                // The copy first: it is made from the same bytes, before they are the link's.
                let copy = nic.copy_frame(&frame).ok_or_else(|| nic.no_room())?;
                nic.push_outbound(frame).map_err(|_| nic.no_room())?;
                // It is on the link by now: that no copy came back is counted, and no error.
                if nic.push_looped(copy).is_err() {
                    nic.count(ProtocolCounter::Unsent);
                }
                Ok(())
            }
        }
    }
}

/// Whether it is a group that no link has (RFC 4291 section 2.7).
fn is_of_interface(address: IpAddr) -> bool {
    const INTERFACE_LOCAL: u8 = 1;
    matches!(address, IpAddr::V6(v6) if v6.is_multicast() && v6.octets()[1] & 0xf <= INTERFACE_LOCAL)
}

/// The longest headers in front of a fragment: IPv4's with options.
pub(crate) const MAX_HEADERS: usize = 60;

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
            .field("next_hop", &self.next_hop)
            .field("goes", &self.goes)
            .finish()
    }
}
