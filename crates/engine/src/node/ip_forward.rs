//! Sends packets for other hosts on: TTL, MTU, the next hop's link address (RFC 1812 section 5, RFC
//! 8200, RFC 4861).

use std::net::{IpAddr, Ipv6Addr};

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Burst, Frame};
use corelane_stack::{
    Adjacency, DropReason, Found, Hop, Inbound, Key, LinkWord, NeighborId, NicCounter, NicId,
    NicView, PacketBurst, PacketFlags,
};
use corelane_sync::counters::CounterWriter;
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::ipv4_options::{self, Ipv4OptionPolicy};
use corelane_wire::ipv6::ipv6_header_mut;
use corelane_wire::{Ipv4Header, Ipv6Header, MacAddr, Segmentation, parse_ipv4};

use super::context::Context;
use super::icmp_error::Error;
use super::ip_lookup::NETWORK;
use super::link_output::LinkOutput;
use super::local_deliver::{self, Local};
use super::observer::Observer;
use super::tally::Tally;
use super::{fragment, segment};
use crate::port::Others;
use crate::punt::NeighborPunt;
use crate::trace::{self, Outcome};

/// The ways out of a worker beside that of the NIC a burst arrived on.
pub(super) struct Out<'a, 'p> {
    pub(super) others: &'a mut Others<'p>,
    /// Those that have something to send now.
    pub(super) touched: &'a mut ArrayVec<usize, BURST>,
}

/// Where a group of packets leaves.
struct Egress<'e> {
    nic: NicId,
    mac: MacAddr,
    mtu: usize,
    /// None: by the NIC that the burst arrived on.
    port: Option<(
        &'e mut LinkOutput,
        NicView<'e>,
        &'e mut CounterWriter<NicCounter>,
    )>,
}

impl Egress<'_> {
    /// What the NIC counts, of which `tally` has those of the NIC the burst arrived on.
    fn counters<'c>(&'c mut self, tally: &'c mut Tally<'_>) -> &'c mut CounterWriter<NicCounter> {
        match &mut self.port {
            Some((_, _, counters)) => counters,
            None => tally.counters(),
        }
    }
}

/// Sends the packets of `group` out by one NIC; those that are for an address of that NIC are for this
/// host (BEHAVIOURS J4, and J5: to that address itself).
#[inline(never)]
#[expect(
    clippy::too_many_arguments,
    reason = "what a worker keeps between bursts is many things"
)]
pub(super) fn ip_forward<O: Observer>(
    context: &mut Context<'_, O>,
    burst: &mut Box<Burst>,
    nic: NicId,
    group: &mut PacketBurst,
    hops: &mut [Hop; BURST],
    locals: &mut PacketBurst,
    local: &mut Local<'_>,
    out: &mut Out<'_, '_>,
) {
    if nic == context.arrival.id() {
        let egress = Egress {
            nic,
            mac: context.arrival.mac(),
            mtu: context.arrival.mtu(),
            port: None,
        };
        send_on(context, burst, egress, group, hops);
        return;
    }
    let Some((number, port)) = out.others.of(nic) else {
        return drop_all(context, burst, group);
    };
    let (view, counters) = port.nic.load();
    if !view.is_enabled() {
        return drop_all(context, burst, group);
    }
    if view.may_have_any(group.destinations()) {
        view.lookup(group);
        // Neither nobody's, nor taken because the NIC takes what is: known to it.
        let is_known = |found: &Found| found.is_endpoint() | found.is_for_many();
        if group.found().iter().any(is_known) {
            take_local(context, burst, &view, group, hops, locals, local);
            drop_broadcasts(context, burst, group, hops);
        }
        if group.is_empty() {
            return;
        }
    }
    if !out.touched.contains(&number) && !out.touched.is_full() {
        out.touched.push(number);
    }
    let egress = Egress {
        nic,
        mac: view.mac(),
        mtu: view.mtu(),
        port: Some((&mut port.output, view, counters)),
    };
    send_on(context, burst, egress, group, hops);
}

/// Delivers those that are for an address of the NIC they would leave by.
#[cold]
fn take_local<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    view: &NicView<'_>,
    group: &mut PacketBurst,
    hops: &mut [Hop; BURST],
    locals: &mut PacketBurst,
    local: &mut Local<'_>,
) {
    locals.clear();
    let mut kept = 0;
    group.split_off(locals, |at, _, found| {
        let is_local = found.is_endpoint();
        if !is_local {
            hops[kept % BURST] = hops[at % BURST];
            kept += 1;
        }
        is_local
    });
    for packet in locals.inbound() {
        context.observe(frames, packet, || {
            Outcome::IpForward(trace::IpForward::Local)
        });
    }
    local_deliver::deliver(context, view, frames, locals, local);
}

/// Drops those for all hosts of a subnet that the NIC they would leave by is in: from elsewhere, they
/// are an amplifier's (RFC 2644).
#[cold]
fn drop_broadcasts<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &[Frame],
    group: &mut PacketBurst,
    hops: &mut [Hop; BURST],
) {
    let (mut at, mut kept) = (0, 0);
    group.retain(|packet, found| {
        let hop = hops[at % BURST];
        at += 1;
        if found.is_for_many() {
            context.drop(frames, packet, DropReason::NotForwarded, |reason| {
                Outcome::IpForward(trace::IpForward::Dropped(reason))
            });
            return false;
        }
        hops[kept % BURST] = hop;
        kept += 1;
        true
    });
}

/// Nothing leaves by that NIC.
#[cold]
fn drop_all<O: Observer>(context: &mut Context<'_, O>, frames: &[Frame], group: &PacketBurst) {
    let arrival = context.arrival;
    for packet in group.inbound() {
        context.answer(&arrival, frames, packet, Error::NoRoute);
        context.drop(frames, packet, DropReason::EgressDown, |reason| {
            Outcome::IpForward(trace::IpForward::Dropped(reason))
        });
    }
}

fn send_on<O: Observer>(
    context: &mut Context<'_, O>,
    burst: &mut Box<Burst>,
    mut egress: Egress<'_>,
    group: &PacketBurst,
    hops: &[Hop; BURST],
) {
    let mut links = [LinkWord::UNKNOWN; BURST];
    let keys = group.destinations();
    context.stack.fib.links(egress.nic, keys, hops, &mut links);
    // The places of the frames that are ready to leave.
    let mut ready = 0_u64;
    let mut from = 0;
    while let Some(odd) = address_all(burst, group, &links, from, &egress, &mut ready) {
        from = odd.at + 1;
        let (Some(packet), Some(key)) = (group.inbound().get(odd.at), keys.get(odd.at)) else {
            continue;
        };
        let hop = hops[odd.at % BURST];
        // Packets leave in the order they came.
        hand_over(context, burst, std::mem::take(&mut ready), &mut egress);
        if send_odd(context, burst, packet, odd.obstacle, hop, *key, &mut egress) {
            ready |= 1 << (packet.frame % 64);
        }
    }
    hand_over(context, burst, ready, &mut egress);
}

/// A packet that is not simply sent on.
struct Odd {
    /// Its number in its group.
    at: usize,
    /// None if it is its next hop that is odd: the packet itself has not been looked at yet.
    obstacle: Option<Obstacle>,
}

/// Makes packets ready to leave and notes the places of their frames, until one of them is odd.
// On its own: what the odd ones need would take the registers from this loop.
#[inline(never)]
fn address_all(
    frames: &mut [Frame],
    group: &PacketBurst,
    links: &[LinkWord; BURST],
    from: usize,
    egress: &Egress<'_>,
    ready: &mut u64,
) -> Option<Odd> {
    let (mtu, source) = (egress.mtu, egress.mac);
    let mut done = *ready;
    let mut odd = None;
    let packets = group.inbound().get(from..).unwrap_or_default();
    let keys = group.destinations().get(from..).unwrap_or_default();
    let links = links.get(from..).unwrap_or_default();
    let packets = packets.iter().zip(keys).zip(links);
    for (at, ((packet, key), link)) in (from..).zip(packets) {
        let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
            break;
        };
        let Some(mac) = link.usable() else {
            let obstacle = None;
            odd = Some(Odd { at, obstacle });
            break;
        };
        match prepare(frame, packet, *key, mtu) {
            Ok(ethernet) => address(ethernet, mac, source),
            Err(obstacle) => {
                let obstacle = Some(obstacle);
                odd = Some(Odd { at, obstacle });
                break;
            }
        }
        done |= 1 << (packet.frame % 64);
    }
    *ready = done;
    odd
}

/// Puts the frames at these places in line on the way out.
fn hand_over<O: Observer>(
    context: &mut Context<'_, O>,
    burst: &mut Box<Burst>,
    ready: u64,
    egress: &mut Egress<'_>,
) {
    context.tally.forwarded(ready.count_ones() as usize);
    if O::WATCHES {
        for (place, frame) in burst.iter().enumerate() {
            if ready >> (place % 64) & 1 == 1 {
                let outcome = Outcome::IpForward(trace::IpForward::Forwarded);
                context.observer.step(frame, outcome);
            }
        }
    }
    let Context {
        arrival,
        output,
        cache,
        stack,
        tally,
        observer,
        ..
    } = context;
    match &mut egress.port {
        Some((output, view, counters)) => {
            output.stage_places(burst, ready, view, stack.seat(), cache, counters, *observer);
        }
        None => {
            let counters = tally.counters();
            output.stage_places(
                burst,
                ready,
                arrival,
                stack.seat(),
                cache,
                counters,
                *observer,
            );
        }
    }
}

/// What is not simply sent on. True if it is after all: the neighbor is known, and the control plane is
/// told that it was used.
fn send_odd<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packet: &Inbound,
    obstacle: Option<Obstacle>,
    hop: Hop,
    destination: Key,
    egress: &mut Egress<'_>,
) -> bool {
    let adjacency = context.stack.fib.adjacency(hop, destination);
    let prepared = match obstacle {
        Some(obstacle) => Err(obstacle),
        None => prepare_odd(frames, packet, destination, egress.mtu),
    };
    let prepared = prepared.or_else(|obstacle| pass_whole(frames, packet, egress.mtu, obstacle));
    let mac = match (prepared, adjacency) {
        (Ok(()), Adjacency::Usable(mac)) => mac,
        (Ok(()), Adjacency::Stale(mac, neighbor)) => {
            tell_used(context, neighbor);
            mac
        }
        (prepared, adjacency) => {
            let next_hop = context.stack.fib.next_hop(hop, destination);
            odd(
                context, frames, packet, prepared, adjacency, next_hop, egress,
            );
            return false;
        }
    };
    let frame = frames.get_mut(usize::from(packet.frame));
    let ethernet = frame.and_then(|frame| frame.data_mut().first_chunk_mut());
    if let Some(ethernet) = ethernet {
        address(ethernet, mac, egress.mac);
    }
    true
}

/// As [`prepare`], of a packet whose next hop is odd.
#[inline(never)]
fn prepare_odd(
    frames: &mut [Frame],
    packet: &Inbound,
    destination: Key,
    mtu: usize,
) -> Result<(), Obstacle> {
    let frame = frames.get_mut(usize::from(packet.frame));
    let frame = frame.ok_or(Obstacle::NotForwarded)?;
    prepare(frame, packet, destination, mtu).map(|_| ())
}

/// A super-frame is not too big if its segments are not: makes it ready to leave.
fn pass_whole(
    frames: &mut [Frame],
    packet: &Inbound,
    mtu: usize,
    obstacle: Obstacle,
) -> Result<(), Obstacle> {
    if !matches!(obstacle, Obstacle::TooBig | Obstacle::Fragment) {
        return Err(obstacle);
    }
    let frame = frames.get_mut(usize::from(packet.frame));
    let frame = frame
        .filter(|frame| fits_in_segments(frame, mtu))
        .ok_or(obstacle)?;
    count_hop(frame, packet);
    Ok(())
}

/// Whether a frame is a super-frame whose segments a link takes.
pub(super) fn fits_in_segments(frame: &Frame, mtu: usize) -> bool {
    let segmentation = frame.offload().and_then(|it| it.segmentation);
    segmentation.is_some_and(|it| it.longest_segment() <= NETWORK + mtu)
}

/// Counts this hop of a packet that has some left.
fn count_hop(frame: &mut Frame, packet: &Inbound) {
    let data = frame.data_mut().get_mut(NETWORK..).unwrap_or_default();
    if packet.flags.has(PacketFlags::V4) {
        let _ = ipv4_header_mut(data).map(Ipv4Header::decrement_ttl);
    } else {
        let _ = ipv6_header_mut(data).map(Ipv6Header::decrement_hop_limit);
    }
}

/// Tells the control plane that a neighbor was sent to that nobody has heard of for a while, or that
/// does not answer: once, and by the next packet if there is no room now.
#[cold]
fn tell_used<O>(context: &mut Context<'_, O>, neighbor: NeighborId) {
    let Context { punt, stack, .. } = context;
    if stack.fib.mark_used(neighbor) && punt.push_neighbor(NeighborPunt::Used(neighbor)).is_err() {
        stack.fib.unmark_used(neighbor);
    }
}

/// Puts a frame in line on the way out.
#[inline]
fn forward<O: Observer>(context: &mut Context<'_, O>, egress: &mut Egress<'_>, frame: Frame) {
    context
        .observer
        .step(&frame, Outcome::IpForward(trace::IpForward::Forwarded));
    match &mut egress.port {
        Some((output, view, counters)) => {
            let seat = context.stack.seat();
            output.stage(frame, view, seat, context.cache, counters, context.observer);
        }
        None => context.stage(frame),
    }
}

/// What keeps a packet from being sent on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// One of its addresses keeps it here.
    NotForwarded,
    /// Its source does, which is a link-local IPv6 address.
    BeyondScope,
    /// Its IPv4 options tell a route.
    Options,
    /// Its IPv4 options are broken at this byte of the header.
    Malformed { pointer: u8 },
    /// It has been through as many routers as it may.
    HopLimit,
    /// It is larger than the link takes, and may not be cut.
    TooBig,
    /// It is larger than the link takes, and may be cut.
    Fragment,
}

/// Checks that a packet may be sent on, counts this hop, and cuts the padding of the link it came from.
/// Returns the Ethernet header.
///
/// One test tells that nothing is in a packet's way, as nearly always; what it cannot tell is looked into
/// elsewhere.
// In the loop over the packets of a burst, which is most of what a hop costs.
#[inline(always)]
fn prepare<'f>(
    frame: &'f mut Frame,
    packet: &Inbound,
    destination: Key,
    mtu: usize,
) -> Result<&'f mut [u8; NETWORK], Obstacle> {
    let len = packet.end as usize - NETWORK;
    frame.truncate(packet.end as usize);
    let data = frame.data_mut().split_first_chunk_mut::<NETWORK>();
    let (ethernet, data) = data.ok_or(Obstacle::NotForwarded)?;
    if packet.flags.has(PacketFlags::V4) {
        let header = ipv4_header_mut(data).ok_or(Obstacle::NotForwarded)?;
        let doubtful = stays_v4(header.source().to_bits())
            | stays_v4(destination.low as u32)
            | packet.flags.has(PacketFlags::EXTENDED)
            | (len > mtu);
        if doubtful || !header.decrement_ttl() {
            prepare_doubtful_v4(data, packet.flags.has(PacketFlags::EXTENDED), mtu, len)?;
        }
    } else {
        let header = ipv6_header_mut(data).ok_or(Obstacle::NotForwarded)?;
        let doubtful = may_stay_v6(Key::v6(header.source().to_bits()))
            | may_stay_v6(destination)
            | (len > mtu);
        if doubtful || !header.decrement_hop_limit() {
            prepare_doubtful_v6(data, mtu, len)?;
        }
    }
    Ok(ethernet)
}

#[cold]
fn prepare_doubtful_v4(
    data: &mut [u8],
    extended: bool,
    mtu: usize,
    len: usize,
) -> Result<(), Obstacle> {
    let header = ipv4_header_mut(data).ok_or(Obstacle::NotForwarded)?;
    if stays_v4(header.source().to_bits()) || stays_v4(header.destination().to_bits()) {
        return Err(Obstacle::NotForwarded);
    }
    if extended {
        match parse_ipv4(data).map(|packet| ipv4_options::policy(packet.options)) {
            Ok(Ipv4OptionPolicy::Accept) => {}
            Ok(Ipv4OptionPolicy::Malformed { pointer }) => {
                return Err(Obstacle::Malformed { pointer });
            }
            Ok(Ipv4OptionPolicy::Drop(_)) | Err(_) => return Err(Obstacle::Options),
        }
    }
    let header = ipv4_header_mut(data).ok_or(Obstacle::NotForwarded)?;
    if header.ttl > 1 && len > mtu {
        return Err(if header.dont_fragment() {
            Obstacle::TooBig
        } else {
            Obstacle::Fragment
        });
    }
    if header.decrement_ttl() {
        Ok(())
    } else {
        Err(Obstacle::HopLimit)
    }
}

#[cold]
fn prepare_doubtful_v6(data: &mut [u8], mtu: usize, len: usize) -> Result<(), Obstacle> {
    let header = ipv6_header_mut(data).ok_or(Obstacle::NotForwarded)?;
    if stays_v6(header.destination()) {
        return Err(Obstacle::NotForwarded);
    }
    if header.source().is_unicast_link_local() {
        return Err(Obstacle::BeyondScope);
    }
    if stays_v6(header.source()) {
        return Err(Obstacle::NotForwarded);
    }
    if header.hop_limit > 1 && len > mtu {
        return Err(Obstacle::TooBig);
    }
    if header.decrement_hop_limit() {
        Ok(())
    } else {
        Err(Obstacle::HopLimit)
    }
}

/// Whether an IPv4 address, in host order, is of no other link's concern: this host's network, a loopback, a
/// link-local one (RFC 3927 section 7) or one that nobody has (RFC 6890).
#[inline]
const fn stays_v4(bits: u32) -> bool {
    // Below 1.0.0.0 or from 224.0.0.0 on, in one comparison.
    let is_unicast = bits.wrapping_sub(0x0100_0000) < 0xdf00_0000;
    !is_unicast | (bits >> 24 == 127) | (bits >> 16 == 0xa9fe)
}

/// Whether an IPv6 address may be: hardly any other begins with as many zeros or ones.
#[inline]
const fn may_stay_v6(address: Key) -> bool {
    // Zero, or from the link-local ones on, in one comparison.
    address.high.wrapping_sub(1) >= (LINK_LOCAL << 54) - 1
}

/// Whether an IPv6 address is: unspecified, loopback, link-local (RFC 4291 section 2.5.6) or a group.
fn stays_v6(address: Ipv6Addr) -> bool {
    let key = Key::v6(address.to_bits());
    let nobody = (key.high == 0) & (key.low <= 1);
    nobody | (key.high >> 54 == LINK_LOCAL) | key.is_multicast()
}

/// The first ten bits of a link-local address.
const LINK_LOCAL: u64 = 0x3fa;

/// Whether one of the addresses of a packet keeps it on its link.
pub(super) fn stays_on_link(frame: &Frame, packet: &Inbound) -> bool {
    let stays = |address| match address {
        IpAddr::V4(address) => stays_v4(address.to_bits()),
        IpAddr::V6(address) => stays_v6(address),
    };
    let addresses = [
        packet.source(frame.data()),
        packet.destination(frame.data()),
    ];
    addresses.into_iter().any(|it| it.is_none_or(stays))
}

/// Addresses a frame to the next hop.
#[inline]
fn address(ethernet: &mut [u8; NETWORK], destination: MacAddr, source: MacAddr) {
    ethernet[..6].copy_from_slice(&destination.octets());
    ethernet[6..12].copy_from_slice(&source.octets());
}

/// All that is not simply sent on.
// Not inlined: the loop over the others stays small.
#[inline(never)]
fn odd<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packet: &Inbound,
    prepared: Result<(), Obstacle>,
    adjacency: Adjacency,
    next_hop: Key,
    egress: &mut Egress<'_>,
) {
    let arrival = context.arrival;
    let (reason, error) = match (prepared, adjacency) {
        (Err(Obstacle::NotForwarded), _) => (DropReason::NotForwarded, None),
        // Back out of the NIC it came by, it would be in scope (RFC 4007 section 9); as it is, it does not
        // go there either.
        (Err(Obstacle::BeyondScope), _) => {
            let leaves = egress.nic != arrival.id();
            let error = leaves.then_some(Error::BeyondScope);
            (DropReason::NotForwarded, error)
        }
        (Err(Obstacle::Options), _) => (DropReason::Ip4Options, None),
        (Err(Obstacle::Malformed { pointer }), _) => {
            let pointer = pointer.into();
            (
                DropReason::Ip4Options,
                Some(Error::OptionProblem { pointer }),
            )
        }
        (Err(Obstacle::HopLimit), _) => (DropReason::HopLimit, Some(Error::HopLimit)),
        (Err(Obstacle::TooBig), _) => {
            let mtu = egress.mtu as u32;
            (DropReason::PacketTooBig, Some(Error::TooBig { mtu }))
        }
        (Err(Obstacle::Fragment), Adjacency::Usable(mac)) => {
            return cut(context, frames, packet, mac, egress);
        }
        (Err(Obstacle::Fragment), Adjacency::Stale(mac, neighbor)) => {
            tell_used(context, neighbor);
            return cut(context, frames, packet, mac, egress);
        }
        // It waits whole, and is cut when its next hop is known: if that does not answer, its sender is
        // told of what he sent, and of what finds no room no part is sent.
        (Err(Obstacle::Fragment), adjacency) => {
            if let Some(frame) = frames.get_mut(usize::from(packet.frame)) {
                count_hop(frame, packet);
            }
            return odd(context, frames, packet, Ok(()), adjacency, next_hop, egress);
        }
        (Ok(()), Adjacency::Full) => (DropReason::NeighborFull, None),
        (Ok(()), Adjacency::Unreachable) => (
            DropReason::NeighborUnreachable,
            Some(Error::AddressUnreachable),
        ),
        (Ok(()), Adjacency::Retry(neighbor)) => {
            tell_used(context, neighbor);
            (
                DropReason::NeighborUnreachable,
                Some(Error::AddressUnreachable),
            )
        }
        (Ok(()), _) => {
            let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
                return;
            };
            let frame = std::mem::take(frame);
            let refused = wait(context, frame, next_hop, egress.nic);
            if let Some(back) = refused {
                context.tally.dropped(DropReason::NeighborFull, 1);
                context.observer.step(
                    &back,
                    Outcome::IpForward(trace::IpForward::Dropped(DropReason::NeighborFull)),
                );
                context.cache.recycle(back);
            } else {
                context.tally.consumed();
            }
            return;
        }
    };
    if let Some(error) = error {
        context.answer(&arrival, frames, packet, error);
    }
    context.drop(frames, packet, reason, |reason| {
        Outcome::IpForward(trace::IpForward::Dropped(reason))
    });
}

/// Has a packet wait for its next hop's link address; gives it back if there is no room.
fn wait<O: Observer>(
    context: &mut Context<'_, O>,
    frame: Frame,
    next_hop: Key,
    nic: NicId,
) -> Option<Frame> {
    context
        .observer
        .step(&frame, Outcome::IpForward(trace::IpForward::Waits));
    let punt = NeighborPunt::Unresolved {
        frame,
        nic,
        next_hop,
    };
    match context.punt.push_neighbor(punt) {
        Ok(()) => None,
        Err(NeighborPunt::Unresolved { frame, .. }) => Some(frame),
        Err(NeighborPunt::Used(_)) => None,
    }
}

/// Cuts a packet into fragments that the link takes (RFC 791 section 3.2), and sends them on. The
/// packet counts as forwarded if all of them had a frame; otherwise what is left of it is of no use, and
/// none is sent. A super-frame is cut into its segments first, and each of these is a packet of its own.
#[cold]
fn cut<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packet: &Inbound,
    mac: MacAddr,
    egress: &mut Egress<'_>,
) {
    let Some(whole) = frames.get_mut(usize::from(packet.frame)) else {
        return;
    };
    count_hop(whole, packet);
    let mut whole = std::mem::take(whole);
    let done = match whole.offload().and_then(|it| it.segmentation) {
        None => {
            segment::complete(&mut whole, egress.counters(&mut context.tally));
            let sent = send_in_fragments(context, &whole, mac, egress);
            sent.ok_or(DropReason::PacketTooBig)
        }
        Some(segmentation) => send_segments(context, &whole, segmentation, mac, egress)
            .ok_or(DropReason::SuperFrameInvalid),
    };
    let outcome = match done {
        Ok(()) => {
            context.tally.forwarded(1);
            trace::IpForward::Fragmented
        }
        Err(reason) => {
            context.tally.dropped(reason, 1);
            trace::IpForward::Dropped(reason)
        }
    };
    context.observer.step(&whole, Outcome::IpForward(outcome));
    context.cache.recycle(whole);
}

/// Sends the segments of a super-frame, each in fragments; what there is no buffer for is dropped, and
/// counted as others that are not sent. None if it is no super-frame.
fn send_segments<O: Observer>(
    context: &mut Context<'_, O>,
    whole: &Frame,
    segmentation: Segmentation,
    mac: MacAddr,
    egress: &mut Egress<'_>,
) -> Option<()> {
    let parts = segment::parse(whole, segmentation)?;
    let counters = egress.counters(&mut context.tally);
    counters.add(NicCounter::Segmented, 1);
    counters.add(NicCounter::Segments, parts.count() as u64);
    for index in 0..parts.count() {
        let made = segment::segment(context.cache, whole, &parts, index);
        let sent = made.and_then(|part| {
            let sent = send_in_fragments(context, &part, mac, egress);
            context.cache.recycle(part);
            sent
        });
        if sent.is_none() {
            let counters = egress.counters(&mut context.tally);
            counters.add(NicCounter::SendDropped, 1);
        }
    }
    Some(())
}

/// Sends the fragments of a packet, all of them or none.
fn send_in_fragments<O: Observer>(
    context: &mut Context<'_, O>,
    whole: &Frame,
    mac: MacAddr,
    egress: &mut Egress<'_>,
) -> Option<()> {
    let mut pieces = ArrayVec::<Frame, BURST>::new();
    let cut = fragment::cut_v4(context, whole, egress.mtu, |context, piece| {
        let pushed = pieces.try_push(piece);
        pushed
            .map_err(|full| context.cache.recycle(full.element()))
            .ok()
    });
    if cut.is_none() {
        for piece in pieces {
            context.cache.recycle(piece);
        }
        return None;
    }
    for mut piece in pieces {
        if let Some(ethernet) = piece.data_mut().first_chunk_mut() {
            address(ethernet, mac, egress.mac);
        }
        forward(context, egress, piece);
    }
    Some(())
}
