//! A packet in a socket's queue.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use corelane_frame::Frame;
use corelane_wire::{IpProtocol, UDP_HEADER_LEN};

use crate::datapath::Inbound;
use crate::nic::NicId;

/// A packet that a socket got: its frame, and where in it the parts are.
// Sockets have many places for these, so they are kept small.
#[derive(Debug)]
#[repr(C)]
pub struct Datagram {
    frame: Frame,
    /// Where the network packet ends.
    end: u32,
    transport: u16,
    network: u8,
    protocol: IpProtocol,
}

const _: () = assert!(size_of::<Datagram>() == 40);

impl Datagram {
    /// Of a frame and what the input stages found out about it.
    #[inline]
    pub(super) fn new(frame: Frame, packet: &Inbound) -> Self {
        Self {
            frame,
            end: packet.end,
            transport: packet.transport,
            network: packet.network,
            protocol: packet.protocol,
        }
    }

    /// The transport protocol.
    pub fn protocol(&self) -> IpProtocol {
        self.protocol
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
        self.address(12, 8, 0)
    }

    /// To whom; the port is 0 where the protocol has none.
    pub fn destination(&self) -> SocketAddr {
        self.address(16, 24, 2)
    }

    /// The address that is here in an IPv4 or IPv6 header, and the port here in the transport's.
    fn address(&self, v4: usize, v6: usize, port: usize) -> SocketAddr {
        let header = self.packet();
        let is_v4 = header.first().is_some_and(|byte| byte >> 4 == 4);
        let address = if is_v4 {
            let bytes = header.get(v4..).and_then(|it| it.first_chunk::<4>());
            bytes.map(|bytes| IpAddr::from(*bytes))
        } else {
            let bytes = header.get(v6..).and_then(|it| it.first_chunk::<16>());
            bytes.map(|bytes| IpAddr::from(*bytes))
        };
        let bytes = self.transport();
        let bytes = bytes.get(port..).and_then(|it| it.first_chunk::<2>());
        let port = match bytes {
            Some(port) if self.protocol.has_ports() => u16::from_be_bytes(*port),
            _ => 0,
        };
        // The stages have seen a whole network header.
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        SocketAddr::new(address, port)
    }

    /// What follows the network header, the transport header first; padding of the link is cut.
    pub fn transport(&self) -> &[u8] {
        self.from(self.transport.into())
    }

    /// The packet, network header first.
    pub fn packet(&self) -> &[u8] {
        self.from(self.network.into())
    }

    fn from(&self, start: usize) -> &[u8] {
        let data = self.frame.data();
        data.get(start..self.end as usize).unwrap_or_default()
    }

    /// What UDP carries, by its length field; of another protocol, what follows the network header.
    pub fn payload(&self) -> &[u8] {
        let transport = self.transport();
        match transport {
            [_, _, _, _, high, low, ..] if self.protocol == IpProtocol::UDP => {
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
