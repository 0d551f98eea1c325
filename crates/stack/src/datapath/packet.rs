//! Packets on their way to a handler.

use std::net::IpAddr;

use corelane_frame::Frame;
use corelane_wire::IpProtocol;

use super::{Found, NicView};
use crate::endpoint::EndpointRef;
use crate::error::HoldError;
use crate::nic::NicId;

/// What the input stages found out about one packet of a burst: where its parts are.
///
/// All offsets are in bytes from the start of the frame's data.
#[derive(Clone, Copy, Debug)]
pub struct Inbound {
    /// The frame's place in the burst.
    pub frame: u8,
    /// The transport protocol.
    pub protocol: IpProtocol,
    /// Whether the network header is IPv4's; otherwise it is IPv6's.
    pub is_v4: bool,
    /// Whether the packet is a fragment.
    pub is_fragment: bool,
    /// Where the network header starts.
    pub network: u16,
    /// Where the transport header starts.
    pub transport: u16,
    /// Where the network packet ends: what follows is padding of the link.
    pub end: u32,
}

impl Inbound {
    /// The source and the destination address.
    fn addresses(&self, data: &[u8]) -> Option<(IpAddr, IpAddr)> {
        let header = data.get(usize::from(self.network)..)?;
        Some(if self.is_v4 {
            let source = header.get(12..)?.first_chunk::<4>()?;
            let destination = header.get(16..)?.first_chunk::<4>()?;
            ((*source).into(), (*destination).into())
        } else {
            let source = header.get(8..)?.first_chunk::<16>()?;
            let destination = header.get(24..)?.first_chunk::<16>()?;
            ((*source).into(), (*destination).into())
        })
    }
}

/// The packets of a burst that are for a handler, given out one by one.
pub struct Delivery<'b> {
    view: NicView<'b>,
    frames: &'b mut [Frame],
    packets: &'b [(Inbound, Found)],
    /// The next packet to give out.
    next: usize,
}

impl<'b> Delivery<'b> {
    /// The packets of `frames` that `packets` describes.
    pub fn new(
        view: NicView<'b>,
        frames: &'b mut [Frame],
        packets: &'b [(Inbound, Found)],
    ) -> Self {
        Self {
            view,
            frames,
            packets,
            next: 0,
        }
    }

    /// How many packets are left.
    pub fn len(&self) -> usize {
        self.packets.len() - self.next
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many packets were given out.
    pub fn given_out(&self) -> usize {
        self.next
    }

    /// The next packet.
    #[inline]
    #[allow(
        clippy::should_implement_trait,
        reason = "the packet borrows the delivery"
    )]
    pub fn next(&mut self) -> Option<Packet<'_>> {
        let (inbound, found) = self.packets.get(self.next)?;
        self.next += 1;
        let frame = self.frames.get_mut(usize::from(inbound.frame))?;
        Some(Packet {
            view: self.view,
            frame,
            inbound: *inbound,
            found: *found,
        })
    }
}

/// A packet for this host, whose headers have been checked.
pub struct Packet<'b> {
    view: NicView<'b>,
    frame: &'b mut Frame,
    inbound: Inbound,
    found: Found,
}

/// What the address accessors return when the handler has changed the frame so that there is no
/// address left in it.
const NO_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

impl Packet<'_> {
    /// The NIC it arrived on.
    pub fn nic(&self) -> NicId {
        self.view.id()
    }

    /// The source address.
    pub fn source(&self) -> IpAddr {
        self.inbound
            .addresses(self.frame.data())
            .map_or(NO_ADDRESS, |(source, _)| source)
    }

    /// The destination address.
    pub fn destination(&self) -> IpAddr {
        self.inbound
            .addresses(self.frame.data())
            .map_or(NO_ADDRESS, |(_, destination)| destination)
    }

    /// The transport protocol.
    pub fn protocol(&self) -> IpProtocol {
        self.inbound.protocol
    }

    /// What follows the network header, the transport header first; padding of the link is cut.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        let range = usize::from(self.inbound.transport)..self.inbound.end as usize;
        self.frame.data().get(range).unwrap_or_default()
    }

    /// The UDP header and what it carries; None if it is another protocol. The checksum is not
    /// verified yet: see [`corelane_wire::udp`].
    pub fn udp(&self) -> Option<corelane_wire::udp::UdpDatagram<'_>> {
        if self.inbound.protocol != IpProtocol::UDP {
            return None;
        }
        corelane_wire::udp::parse_udp(self.payload()).ok()
    }

    /// When the frame was received, in nanoseconds on its link's clock.
    #[inline]
    pub fn rx_time(&self) -> u64 {
        self.frame.rx_time()
    }

    /// The length of the frame in bytes, the Ethernet header included.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "a packet is never empty")]
    pub fn len(&self) -> usize {
        self.frame.len()
    }

    /// The whole frame.
    pub fn frame(&self) -> &Frame {
        self.frame
    }

    /// Whether the destination is an address of the NIC; otherwise it was accepted because the
    /// NIC is promiscuous or a range has it.
    pub fn is_for_endpoint(&self) -> bool {
        matches!(self.found, Found::Endpoint(_))
    }

    /// Takes a reference to the endpoint of the destination, to outlive the burst. For an address
    /// that nobody owns this makes the temporary endpoint visible to all workers.
    ///
    /// This is for what stays (a flow, a socket), not for every packet: it writes to lines that
    /// other workers write, and may allocate.
    ///
    /// # Errors
    /// [`HoldError`]: the address was removed, or the mode that accepted it switched off, since
    /// the lookup.
    pub fn hold(&self) -> Result<EndpointRef, HoldError> {
        self.view.hold(self.found, self.destination())
    }

    /// Takes the frame, to keep it or send it: what stays behind is an empty handle.
    pub fn take(&mut self) -> Frame {
        std::mem::take(self.frame)
    }
}
