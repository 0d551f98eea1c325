//! Packets on their way to a handler.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::CapacityError;
use corelane_frame::{BURST, Burst, Frame};
use corelane_wire::IpProtocol;

use super::{Found, NicView};
use crate::address::Key;
use crate::endpoint::EndpointRef;
use crate::error::HoldError;
use crate::nic::NicId;

/// What the input stages found out about one packet of a burst: where its parts are.
// The first four as a socket's queue keeps them, a word to be copied.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Inbound {
    /// Where the network packet ends: what follows is padding of the link.
    pub end: u32,
    /// Where the transport header starts.
    pub transport: u16,
    /// Where the network header starts, in bytes from the start of the frame's data.
    pub network: u8,
    /// The transport protocol.
    pub protocol: IpProtocol,
    /// What else there is to know.
    pub flags: PacketFlags,
    /// The frame's place in the burst.
    pub frame: u8,
    /// The ports as they stand in the transport header: two bytes of the source's, two of the
    /// destination's. Zeros where the protocol is not UDP or TCP, or they are not there.
    pub ports: [u8; 4],
}

const _: () = assert!(size_of::<Inbound>() == 16);

/// Facts about a packet, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketFlags(u8);

impl PacketFlags {
    /// The network header is IPv4's; otherwise it is IPv6's.
    pub const V4: Self = Self(1);
    /// The packet is a fragment.
    pub const FRAGMENT: Self = Self(2);
    /// It ends before its transport header does, or before what that header says.
    pub const TRUNCATED: Self = Self(4);
    /// ICMP of the packet's family, not looked into.
    pub const ICMP: Self = Self(8);
    /// IGMP: may be for the control plane, not looked into.
    pub const CONTROL: Self = Self(16);
    /// IPv6 extension headers or IPv4 options, not looked into.
    pub const EXTENDED: Self = Self(32);

    /// These flags and `other`, if `it_is`. No branch.
    #[inline]
    pub fn with(self, other: Self, it_is: bool) -> Self {
        Self(self.0 | (other.0 * u8::from(it_is)))
    }

    /// Whether all flags of `other` are set.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is nothing but the family to know: a whole packet for the handler.
    #[inline]
    pub const fn is_plain(self) -> bool {
        self.0 & !Self::V4.0 == 0
    }
}

impl Inbound {
    const NONE: Self = Self {
        frame: 0,
        ports: [0; 4],
        protocol: IpProtocol(0),
        flags: PacketFlags(0),
        network: 0,
        transport: 0,
        end: 0,
    };

    /// The destination address, in a frame with this data; None if the data is not there.
    pub fn destination(&self, data: &[u8]) -> Option<IpAddr> {
        let header = data.get(usize::from(self.network)..)?;
        Some(if self.flags.has(PacketFlags::V4) {
            (*header.get(16..)?.first_chunk::<4>()?).into()
        } else {
            (*header.get(24..)?.first_chunk::<16>()?).into()
        })
    }

    /// The source address, in a frame with this data; None if the data is not there.
    pub fn source(&self, data: &[u8]) -> Option<IpAddr> {
        let header = data.get(usize::from(self.network)..)?;
        Some(if self.flags.has(PacketFlags::V4) {
            (*header.get(12..)?.first_chunk::<4>()?).into()
        } else {
            (*header.get(8..)?.first_chunk::<16>()?).into()
        })
    }
}

/// The packets of a burst on their way through the stages: where each has its parts, its
/// destination, and what that was found to be. A worker has one and uses it again and again.
#[derive(Clone)]
pub struct PacketBurst {
    len: usize,
    destinations: [Key; BURST],
    packets: [Inbound; BURST],
    found: [Found; BURST],
    /// Those that the handler refused, a bit each.
    refused: Cell<u64>,
}

impl Default for PacketBurst {
    fn default() -> Self {
        Self {
            len: 0,
            destinations: [Key::v4(0); BURST],
            packets: [Inbound::NONE; BURST],
            found: [Found::NOTHING; BURST],
            refused: Cell::new(0),
        }
    }
}

impl PacketBurst {
    /// How many packets there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all packets.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
        self.refused.set(0);
    }

    /// The packets.
    #[inline]
    pub fn inbound(&self) -> &[Inbound] {
        &self.packets[..self.len.min(BURST)]
    }

    /// The destination of each packet.
    #[inline]
    pub fn destinations(&self) -> &[Key] {
        &self.destinations[..self.len.min(BURST)]
    }

    /// Adds a packet whose destination was found to be this.
    pub fn push_found(&mut self, destination: Key, packet: Inbound, found: Found) {
        let at = self.len;
        self.push(destination, packet);
        if let Some(place) = self.found.get_mut(at) {
            *place = found;
        }
    }

    /// What each destination was found to be.
    #[inline]
    pub fn found(&self) -> &[Found] {
        &self.found[..self.len.min(BURST)]
    }

    /// Adds a packet. A burst of frames has as many packets at most, so there is room; beyond it
    /// the packet would be forgotten.
    #[inline]
    pub fn push(&mut self, destination: Key, packet: Inbound) {
        let at = self.len;
        if at < BURST {
            self.destinations[at] = destination;
            self.packets[at] = packet;
            self.len = at + 1;
        }
    }

    /// The destinations, and where to write what each is found to be.
    #[inline]
    pub(super) fn lookups(&mut self) -> (&[Key], &mut [Found]) {
        let len = self.len.min(BURST);
        (&self.destinations[..len], &mut self.found[..len])
    }

    /// Keeps the packets for which `keep` says so, in order. `keep` may change what is known of
    /// them.
    #[inline]
    pub fn retain(&mut self, mut keep: impl FnMut(&mut Inbound, Found) -> bool) {
        let mut kept = 0;
        for at in 0..self.len.min(BURST) {
            if keep(&mut self.packets[at], self.found[at]) {
                self.move_to(at, kept);
                kept += 1;
            }
        }
        self.len = kept;
    }

    /// Moves the packets for which `pick` says so to the end of `other`, in order.
    #[inline]
    pub fn split_off(
        &mut self,
        other: &mut Self,
        mut pick: impl FnMut(usize, &Inbound, Found) -> bool,
    ) {
        let mut kept = 0;
        for at in 0..self.len.min(BURST) {
            if pick(at, &self.packets[at], self.found[at]) {
                other.push_found(self.destinations[at], self.packets[at], self.found[at]);
            } else {
                self.move_to(at, kept);
                kept += 1;
            }
        }
        self.len = kept;
    }

    /// The packets that are not looked up yet, as nothing of the NIC's.
    pub fn find_nothing(&mut self) {
        self.found = [Found::NOTHING; BURST];
    }

    #[inline]
    fn move_to(&mut self, from: usize, to: usize) {
        if from != to {
            self.destinations[to] = self.destinations[from];
            self.packets[to] = self.packets[from];
            self.found[to] = self.found[from];
        }
    }

    /// Keeps the packets that the handler refused; returns how many there are.
    pub fn retain_refused(&mut self) -> usize {
        let refused = self.refused.take();
        let mut at = 0;
        self.retain(|_, _| {
            at += 1;
            refused >> (at - 1) & 1 == 1
        });
        self.len
    }

    /// How many packets the handler refused.
    #[inline]
    pub fn refused(&self) -> usize {
        self.refused.get().count_ones() as usize
    }

    /// Whether the handler refused the packet at a place.
    pub fn is_refused(&self, at: usize) -> bool {
        self.refused.get() >> (at % BURST) & 1 == 1
    }

    /// Counts all packets as refused, where there is no handler.
    pub fn refuse_all(&mut self) {
        let all = u64::MAX.checked_shr((BURST - self.len) as u32);
        self.refused.set(all.unwrap_or(0));
    }

    /// Counts the packet at a place as not refused.
    pub fn forgive(&self, at: usize) {
        self.refused.set(self.refused.get() & !(1 << (at % BURST)));
    }

    /// What the destination of the packet at a place was found to be.
    #[inline]
    pub fn found_at(&self, at: usize) -> Found {
        self.found[at % BURST]
    }

    /// The destination of the packet at a place.
    #[inline]
    pub fn destination(&self, at: usize) -> Key {
        self.destinations[at % BURST]
    }
}

/// The packets of a burst that are for a handler, given out one by one, and the way out for what it
/// sends in return.
pub struct Delivery<'b> {
    view: NicView<'b>,
    frames: &'b mut [Frame],
    packets: &'b PacketBurst,
    /// The next packet to give out.
    next: usize,
    outbox: &'b mut Burst,
}

impl<'b> Delivery<'b> {
    /// The packets of `frames` that `packets` describes, from number `first` on. What the handler
    /// sends is put into `outbox`.
    pub fn new(
        view: NicView<'b>,
        frames: &'b mut [Frame],
        packets: &'b PacketBurst,
        first: usize,
        outbox: &'b mut Burst,
    ) -> Self {
        Self {
            view,
            frames,
            packets,
            next: first,
            outbox,
        }
    }

    /// Sends a frame, Ethernet header first, on the NIC the packets came from; it goes out after
    /// the burst. There is room for as many frames as the burst has.
    ///
    /// # Errors
    /// The frame, if there is no room or it is an empty handle.
    pub fn send(&mut self, frame: Frame) -> Result<(), Frame> {
        send(self.outbox, frame)
    }

    /// How many packets are left.
    pub fn len(&self) -> usize {
        self.packets.len().saturating_sub(self.next)
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the next packet in its burst.
    pub fn position(&self) -> usize {
        self.next
    }

    /// The next packet.
    #[inline]
    #[allow(
        clippy::should_implement_trait,
        reason = "the packet borrows the delivery"
    )]
    pub fn next(&mut self) -> Option<Packet<'_>> {
        let (packets, at) = (self.packets, self.next);
        if at >= packets.len().min(BURST) {
            return None;
        }
        self.next += 1;
        let frame = self
            .frames
            .get_mut(usize::from(packets.packets[at].frame))?;
        Some(Packet {
            view: self.view,
            arrived_on: NicId(frame.nic()),
            frame,
            packets,
            at,
            outbox: self.outbox,
        })
    }
}

fn send(outbox: &mut Burst, frame: Frame) -> Result<(), Frame> {
    if frame.is_vacant() {
        return Err(frame);
    }
    outbox.try_push(frame).map_err(CapacityError::element)
}

/// A packet for this host, whose headers have been checked.
pub struct Packet<'b> {
    /// Of the NIC whose address it is for.
    view: NicView<'b>,
    arrived_on: NicId,
    frame: &'b mut Frame,
    /// What is known of it stands in its burst, at this place: under [`BURST`].
    packets: &'b PacketBurst,
    at: usize,
    outbox: &'b mut Burst,
}

impl Packet<'_> {
    #[inline]
    fn inbound(&self) -> &Inbound {
        &self.packets.packets[self.at]
    }

    #[inline]
    fn found(&self) -> Found {
        self.packets.found[self.at]
    }

    /// The NIC it arrived on.
    pub fn nic(&self) -> NicId {
        self.arrived_on
    }

    /// The NIC whose address it is for. It is the one it arrived on, unless that one forwards and the
    /// destination is another's.
    pub fn local_nic(&self) -> NicId {
        self.view.id()
    }

    /// The source address. Of a packet whose frame was [taken](Self::take), the unspecified one.
    pub fn source(&self) -> IpAddr {
        let unspecified = if self.inbound().flags.has(PacketFlags::V4) {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        self.inbound()
            .source(self.frame.data())
            .unwrap_or(unspecified)
    }

    /// The destination address.
    pub fn destination(&self) -> IpAddr {
        self.packets.destinations[self.at].address()
    }

    /// The transport protocol.
    pub fn protocol(&self) -> IpProtocol {
        self.inbound().protocol
    }

    /// What follows the network header, the transport header first; padding of the link is cut.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        let range = usize::from(self.inbound().transport)..self.inbound().end as usize;
        self.frame.data().get(range).unwrap_or_default()
    }

    /// The UDP header and what it carries; None if it is another protocol. The checksum is not
    /// verified yet: see [`corelane_wire::udp`].
    pub fn udp(&self) -> Option<corelane_wire::udp::UdpDatagram<'_>> {
        if self.inbound().protocol != IpProtocol::UDP {
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

    /// Whether the destination is an address of the NIC; otherwise it is a group or a broadcast, or
    /// was accepted because the NIC is promiscuous or a range has it.
    pub fn is_for_endpoint(&self) -> bool {
        self.found().endpoint().is_some()
    }

    /// Whether the destination is a group or a broadcast: nothing is to be sent from it.
    pub fn is_for_many(&self) -> bool {
        self.found().is_for_many()
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
        self.view
            .hold(self.found(), self.packets.destinations[self.at])
    }

    /// Takes the frame, to keep it or send it: what stays behind is a packet without content, and not
    /// [refused](Self::refuse) any more.
    pub fn take(&mut self) -> Frame {
        self.packets.forgive(self.at);
        std::mem::take(self.frame)
    }

    /// Leaves the packet to the stack: nobody here takes it. Its sender is told so, as for a port that
    /// nobody has, unless its frame was [taken](Self::take). A handler that refuses is what netstack
    /// calls a default handler that returns false (BEHAVIOURS K10).
    pub fn refuse(&mut self) {
        if !self.frame.is_vacant() {
            let refused = &self.packets.refused;
            refused.set(refused.get() | 1 << (self.at % BURST));
        }
    }

    /// Sends a frame, as [`Delivery::send`]: this packet's, changed, after [`take`](Self::take), or
    /// another.
    ///
    /// # Errors
    /// The frame, if there is no room or it is an empty handle.
    pub fn send(&mut self, frame: Frame) -> Result<(), Frame> {
        send(self.outbox, frame)
    }
}
