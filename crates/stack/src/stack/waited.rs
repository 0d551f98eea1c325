//! Packets that waited for the link address of their next hop: sent, or their senders told that nobody
//! answers.

use std::net::IpAddr;

use corelane_frame::Frame;
use corelane_wire::ethernet::ethernet_header_mut;
use corelane_wire::fragment::{plan_ipv4_fragments, write_ipv4_fragment_header};
use corelane_wire::icmp_error::{
    Icmpv4Problem, Icmpv4Unreachable, Icmpv6Problem, Icmpv6Unreachable, build_icmp_error_ipv4,
    build_icmp_error_ipv6, may_answer_with_error_ipv4, may_answer_with_error_ipv6,
};
use corelane_wire::{
    ETHERNET_HEADER_LEN, MacAddr, Segmentation, SuperFrame, parse_ethernet, parse_ipv4, parse_ipv6,
};

use super::fib::Pending;
use super::{StackShared, lock};
use crate::address::Key;
use crate::counters::NicCounter;
use crate::datapath::ErrorSources;
use crate::icmp_counter::IcmpCounter;
use crate::nic::NicShared;
use crate::protocol_counters::ProtocolCounter;
use crate::route::MAX_HEADERS;

/// Sends a packet whose next hop is known now. It waited whole: one that is longer than the link takes
/// is cut here, and all of its fragments are sent or none.
pub(super) fn send(nic: &NicShared, packet: Pending, mac: MacAddr) {
    let mut frame = packet.frame;
    if let Some(header) = ethernet_header_mut(frame.data_mut()) {
        header.destination = mac;
        header.source = nic.settings.mac;
    }
    frame.set_nic(nic.id().0);
    let is_sent = if fits(&frame, nic) {
        nic.push_outbound(frame).is_ok()
    } else {
        send_in_pieces(nic, frame).is_some()
    };
    nic.count(if is_sent {
        ProtocolCounter::NeighborPacketsSent
    } else {
        ProtocolCounter::Unsent
    });
}

/// Whether the link takes a frame whole, or the segments that a super-frame is cut into.
fn fits(frame: &Frame, nic: &NicShared) -> bool {
    let longest = ETHERNET_HEADER_LEN + nic.settings.mtu;
    let segmentation = frame.offload().and_then(|it| it.segmentation);
    frame.len() <= longest || segmentation.is_some_and(|it| it.longest_segment() <= longest)
}

/// None if there are not enough frames, or there is no room for all of them.
fn send_in_pieces(nic: &NicShared, mut whole: Frame) -> Option<()> {
    let mut pieces = Vec::new();
    let offload = whole.offload().unwrap_or_default();
    if let Some(segmentation) = offload.segmentation {
        let segments = cut_super_frame(nic, &whole, segmentation, &mut pieces)?;
        nic.has_room_for(pieces.len()).then_some(())?;
        nic.count_frames(NicCounter::Segmented, 1);
        nic.count_frames(NicCounter::Segments, segments as u64);
    } else {
        let checksum = offload.checksum;
        let completed = checksum.is_some_and(|it| it.complete(whole.data_mut()).is_ok());
        cut(nic, &whole, &mut pieces)?;
        nic.has_room_for(pieces.len()).then_some(())?;
        nic.count_frames(NicCounter::ChecksumsCompleted, completed.into());
    }
    for piece in pieces {
        // Another thread was faster: missing at the other end, as what a link has no room for.
        if nic.push_outbound(piece).is_err() {
            nic.count_frames(NicCounter::SendDropped, 1);
        }
    }
    Some(())
}

/// Cuts each segment of a super-frame into fragments; returns how many segments there are.
fn cut_super_frame(
    nic: &NicShared,
    whole: &Frame,
    segmentation: Segmentation,
    pieces: &mut Vec<Frame>,
) -> Option<usize> {
    let (kind, size) = (segmentation.kind, segmentation.segment_size);
    let parts = SuperFrame::parse(whole.data(), kind, size).ok()?;
    for index in 0..parts.count() {
        let segment = nic.make_frame(|buffer| parts.write(index, buffer))?;
        let segment = part_of(whole, segment);
        cut(nic, &segment, pieces)?;
    }
    Some(parts.count())
}

/// Cuts a packet into fragments that the link takes (RFC 791 section 3.2). Those of IPv6 only their
/// source cuts.
fn cut(nic: &NicShared, whole: &Frame, pieces: &mut Vec<Frame>) -> Option<()> {
    let (ethernet, packet) = whole.data().split_at_checked(ETHERNET_HEADER_LEN)?;
    let packet = parse_ipv4(packet).ok()?;
    let mut headers = [0; MAX_HEADERS];
    for fragment in plan_ipv4_fragments(&packet, nic.settings.mtu).ok()? {
        let payload = packet.payload.get(fragment.range.clone())?;
        let len = write_ipv4_fragment_header(&mut headers, &packet, &fragment).ok()?;
        let frame = nic.frame_of(&[ethernet, headers.get(..len)?, payload])?;
        pieces.push(part_of(whole, frame));
    }
    Some(())
}

/// What of a frame goes along with a part of it.
fn part_of(whole: &Frame, mut part: Frame) -> Frame {
    part.set_rx_time(whole.rx_time());
    part.set_rss_hash(whole.rss_hash());
    part.set_trace(whole.trace());
    part
}

/// What the sender of a packet is told, back the way it came.
struct Unreachable<'p> {
    /// His link address.
    to: MacAddr,
    /// There may be no address to send from.
    source: Option<IpAddr>,
    destination: IpAddr,
    packet: &'p [u8],
}

impl StackShared {
    /// Nobody answers where a packet was to go: its sender is told, if it is another host, and he may be
    /// told. Those who may not take nothing of what may be sent.
    pub(super) fn tell_unreachable(&self, packet: &Pending) {
        let ingress = packet.arrived_on.and_then(|nic| self.nic(nic));
        // What is down tells nothing.
        let Some(ingress) = ingress.filter(|nic| nic.check_up().is_ok()) else {
            return;
        };
        let others = self.fib_snapshot().error_sources;
        let Some(unreachable) = Unreachable::about(packet.frame.data(), &ingress, others) else {
            return;
        };
        let [sent, rate_limited, unsent] = unreachable.counters();
        let counter = if !lock(&self.limiter).allow(self.clock.now()) {
            rate_limited
        } else if unreachable.send(&ingress).is_some() {
            ingress.count(ProtocolCounter::UnreachablesSent);
            sent
        } else {
            unsent
        };
        ingress.count_frames(NicCounter::Icmp(counter), 1);
    }
}

impl<'p> Unreachable<'p> {
    /// About a frame as it came; None if its sender may not be told. `others` are what other NICs send errors from.
    fn about(frame: &'p [u8], ingress: &NicShared, others: ErrorSources) -> Option<Self> {
        let ethernet = parse_ethernet(frame).ok()?;
        let (to, packet) = (ethernet.header.source, ethernet.payload);
        let to_many = ethernet.header.destination.is_multicast();
        let snapshot = ingress.snapshots.load();
        let sources = snapshot.error_sources.or(others);
        let (source, destination) = match packet.first()? >> 4 {
            4 => {
                let packet = parse_ipv4(packet).ok()?;
                let from_many = snapshot.is_directed_broadcast(Key::v4(packet.source().to_bits()));
                may_answer_with_error_ipv4(&packet, to_many || from_many).then_some(())?;
                (sources.v4.map(IpAddr::V4), packet.source().into())
            }
            6 => {
                let packet = parse_ipv6(packet).ok()?;
                may_answer_with_error_ipv6(&packet, V6_PROBLEM, to_many).then_some(())?;
                (sources.v6.map(IpAddr::V6), packet.source().into())
            }
            _ => return None,
        };
        (!to.is_multicast()).then_some(Self {
            to,
            source,
            destination,
            packet,
        })
    }

    /// Of such a message that is sent, that is one too many, or that cannot be sent.
    fn counters(&self) -> [IcmpCounter; 3] {
        use IcmpCounter as C;
        if self.destination.is_ipv4() {
            [
                C::V4DestinationUnreachableSent,
                C::V4RateLimited,
                C::V4Unsent,
            ]
        } else {
            [
                C::V6DestinationUnreachableSent,
                C::V6RateLimited,
                C::V6Unsent,
            ]
        }
    }

    /// Puts it in line; None without an address, a frame or room.
    fn send(&self, nic: &NicShared) -> Option<()> {
        let (mac, to, packet) = (nic.settings.mac, self.to, self.packet);
        let frame = match (self.source?, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => nic.make_frame(|buffer| {
                build_icmp_error_ipv4(buffer, mac, to, source, destination, V4_PROBLEM, packet)
            }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => nic.make_frame(|buffer| {
                build_icmp_error_ipv6(buffer, mac, to, source, destination, V6_PROBLEM, packet)
            }),
            _ => None,
        };
        nic.push_outbound(frame?).ok()
    }
}

const V4_PROBLEM: Icmpv4Problem = Icmpv4Problem::Unreachable(Icmpv4Unreachable::Host);
const V6_PROBLEM: Icmpv6Problem = Icmpv6Problem::Unreachable(Icmpv6Unreachable::Address);
