//! What an endpoint is shown of a frame.

use corelane_frame::Frame;
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType, EthernetHeader, MacAddr, parse_ethernet};

use crate::clock::Time;

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It arrived.
    Inbound,
    /// It is being sent.
    Outbound,
}

/// Whom a frame was for, by its link address (`sll_pkttype` of Linux).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// For this NIC.
    Host,
    /// For all.
    Broadcast,
    /// For a group.
    Multicast,
    /// For somebody else on the link, or too short to say.
    OtherHost,
    /// Sent from here.
    Outgoing,
}

impl PacketKind {
    /// Of a frame on a NIC whose frames go to `local`.
    pub(super) fn of(frame: &[u8], direction: Direction, local: MacAddr) -> Self {
        if direction == Direction::Outbound {
            return Self::Outgoing;
        }
        let destination = frame
            .first_chunk::<ETHERNET_HEADER_LEN>()
            .and_then(|header| header.first_chunk::<6>());
        match destination.map(|octets| MacAddr(*octets)) {
            Some(MacAddr::BROADCAST) => Self::Broadcast,
            Some(mac) if mac.is_multicast() => Self::Multicast,
            Some(mac) if mac == local => Self::Host,
            _ => Self::OtherHost,
        }
    }
}

/// A copy of a frame, for a packet socket of either kind: [`frame`](Self::frame) is what a raw one
/// reads, [`network_packet`](Self::network_packet) what a cooked one does, the other methods tell the
/// address it came from (BEHAVIOURS H12).
#[derive(Debug)]
pub struct Shown {
    /// The copy, Ethernet header first; its NIC and receive time are the original's, and so is what is
    /// [left to do](corelane_frame::Frame::offload) with it, unless it was cut.
    pub frame: Frame,
    /// Which way the original went.
    pub direction: Direction,
    /// Whom it was for.
    pub kind: PacketKind,
    /// The length of the original in bytes: more than the copy's where that was cut.
    pub original_len: usize,
    /// When it was copied, by the stack's clock.
    pub time: Time,
}

impl Shown {
    /// The link header; None if the frame is too short for one.
    pub fn link_header(&self) -> Option<&EthernetHeader> {
        Some(parse_ethernet(self.frame.data()).ok()?.header)
    }

    /// What follows the link header, as far as it was copied, padding of the link included; nothing if
    /// there is no header.
    pub fn network_packet(&self) -> &[u8] {
        parse_ethernet(self.frame.data()).map_or(&[], |ethernet| ethernet.payload)
    }

    /// The link address it was sent from.
    pub fn source(&self) -> Option<MacAddr> {
        self.link_header().map(|header| header.source)
    }

    /// The link address it was sent to (BEHAVIOURS H5).
    pub fn destination(&self) -> Option<MacAddr> {
        self.link_header().map(|header| header.destination)
    }

    /// The network protocol.
    pub fn protocol(&self) -> Option<EtherType> {
        self.link_header().map(EthernetHeader::ethertype)
    }

    /// Whether the copy was cut.
    pub fn is_cut(&self) -> bool {
        self.frame.len() < self.original_len
    }
}
