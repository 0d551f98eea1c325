//! A packet in a socket's queue.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use corelane_frame::Frame;
use corelane_wire::{IpProtocol, UDP_HEADER_LEN};

use crate::datapath::Inbound;
use crate::nic::NicId;

/// A packet that a socket got: its frame, and where in it the parts are.
#[derive(Debug)]
pub struct Datagram {
    frame: Frame,
    packet: Inbound,
}

impl Datagram {
    /// Of a frame and what the input stages found out about it.
    #[inline]
    pub fn new(frame: Frame, packet: Inbound) -> Self {
        Self { frame, packet }
    }

    /// The transport protocol.
    pub fn protocol(&self) -> IpProtocol {
        self.packet.protocol
    }

    /// The NIC it arrived on.
    pub fn nic(&self) -> NicId {
        NicId(self.frame.nic())
    }

    /// When it arrived, in nanoseconds on its link's clock.
    pub fn rx_time(&self) -> u64 {
        self.frame.rx_time()
    }

    /// From whom; the port is 0 where the protocol has none.
    pub fn source(&self) -> SocketAddr {
        let source = self.packet.source(self.frame.data());
        SocketAddr::new(source.unwrap_or(NOBODY), self.port(0))
    }

    /// To whom; the port is 0 where the protocol has none.
    pub fn destination(&self) -> SocketAddr {
        let destination = self.packet.destination(self.frame.data());
        SocketAddr::new(destination.unwrap_or(NOBODY), self.port(2))
    }

    fn port(&self, at: usize) -> u16 {
        let port = self
            .transport()
            .get(at..)
            .and_then(|it| it.first_chunk::<2>());
        match port {
            Some(port) if self.protocol().has_ports() => u16::from_be_bytes(*port),
            _ => 0,
        }
    }

    /// What follows the network header, the transport header first; padding of the link is cut.
    pub fn transport(&self) -> &[u8] {
        let range = usize::from(self.packet.transport)..self.packet.end as usize;
        self.frame.data().get(range).unwrap_or_default()
    }

    /// The packet, network header first.
    pub fn packet(&self) -> &[u8] {
        let range = usize::from(self.packet.network)..self.packet.end as usize;
        self.frame.data().get(range).unwrap_or_default()
    }

    /// What UDP carries, by its length field; of another protocol, what follows the network header.
    pub fn payload(&self) -> &[u8] {
        let transport = self.transport();
        match transport {
            [_, _, _, _, high, low, ..] if self.protocol() == IpProtocol::UDP => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                transport.get(UDP_HEADER_LEN..len).unwrap_or_default()
            }
            _ => transport,
        }
    }

    /// The frame, Ethernet header first.
    pub fn into_frame(self) -> Frame {
        self.frame
    }
}

/// Of a frame that is too short to have addresses: the demux hands none such over.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
