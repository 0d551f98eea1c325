//! The packet endpoints of one NIC, as its snapshot has them.

use corelane_frame::Frame;
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType, MacAddr};

use super::{Direction, PacketEndpoint, PacketProtocol, TapWriter};

/// The endpoints in the order they were registered.
#[derive(Clone, Default)]
pub(crate) struct Taps {
    by_protocol: Vec<(EtherType, Vec<PacketEndpoint>)>,
    all: Vec<PacketEndpoint>,
    /// Whether one of them is shown what is sent.
    outbound: bool,
    /// Whether one of them is shown IPv4 or IPv6: if not, those frames need not be looked at.
    ip: bool,
}

impl Taps {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_protocol.is_empty() && self.all.is_empty()
    }

    /// Registers an endpoint, once more if it is there (BEHAVIOURS H2).
    pub(crate) fn register(&mut self, protocol: PacketProtocol, endpoint: &PacketEndpoint) {
        self.outbound |= endpoint.wants_outbound();
        self.list(protocol).push(endpoint.clone());
        self.note_ip();
    }

    /// Takes the first of its registrations for this protocol back; false if there is none.
    pub(crate) fn unregister(
        &mut self,
        protocol: PacketProtocol,
        endpoint: &PacketEndpoint,
    ) -> bool {
        let list = self.list(protocol);
        let at = list.iter().position(|other| other.is(endpoint));
        if let Some(at) = at {
            list.remove(at);
        }
        self.by_protocol.retain(|(_, list)| !list.is_empty());
        let outbound = self.endpoints().any(PacketEndpoint::wants_outbound);
        self.outbound = outbound;
        self.note_ip();
        at.is_some()
    }

    fn note_ip(&mut self) {
        let is_ip = |it: EtherType| it == EtherType::IPV4 || it == EtherType::IPV6;
        self.ip = self.has_all() || self.protocols().any(is_ip);
    }

    fn list(&mut self, protocol: PacketProtocol) -> &mut Vec<PacketEndpoint> {
        let PacketProtocol::One(ethertype) = protocol else {
            return &mut self.all;
        };
        let at = self.by_protocol.iter().position(|(it, _)| *it == ethertype);
        let at = at.unwrap_or_else(|| {
            self.by_protocol.push((ethertype, Vec::new()));
            self.by_protocol.len() - 1
        });
        &mut self.by_protocol[at].1
    }

    fn endpoints(&self) -> impl Iterator<Item = &PacketEndpoint> {
        let named = self.by_protocol.iter().flat_map(|(_, list)| list);
        named.chain(&self.all)
    }

    /// The protocols that somebody is registered for by name.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = EtherType> {
        self.by_protocol.iter().map(|(ethertype, _)| *ethertype)
    }

    /// Whether somebody is registered for all.
    pub(crate) fn has_all(&self) -> bool {
        !self.all.is_empty()
    }

    /// Whether somebody is shown IPv4 or IPv6.
    pub(crate) fn shows_ip(&self) -> bool {
        self.ip
    }

    /// Whether somebody is shown what is sent.
    pub(crate) fn shows_sent(&self) -> bool {
        self.outbound
    }

    /// Shows frames, each to the endpoints of its protocol first, then to those of all (BEHAVIOURS H3).
    /// `local` is the link address of the NIC.
    pub(crate) fn show<'f>(
        &self,
        frames: impl Iterator<Item = &'f Frame>,
        direction: Direction,
        local: MacAddr,
        writer: &mut TapWriter<'_>,
    ) {
        for frame in frames {
            self.show_one(frame, direction, local, writer);
        }
        for endpoint in self.endpoints() {
            endpoint.ring(writer);
        }
    }

    fn show_one(
        &self,
        frame: &Frame,
        direction: Direction,
        local: MacAddr,
        writer: &mut TapWriter<'_>,
    ) {
        let header = frame.data().first_chunk::<ETHERNET_HEADER_LEN>();
        let ethertype =
            header.map(|header| EtherType(u16::from_be_bytes([header[12], header[13]])));
        let own = self
            .by_protocol
            .iter()
            .filter(|(it, _)| Some(*it) == ethertype)
            .flat_map(|(_, list)| list);
        for endpoint in own.chain(&self.all) {
            if direction == Direction::Inbound || endpoint.wants_outbound() {
                endpoint.show(frame, direction, local, writer);
            }
        }
    }
}
