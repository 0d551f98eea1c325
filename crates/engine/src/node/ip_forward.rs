//! Sends packets for other hosts on: TTL, MTU, the next hop's link address (RFC 1812 section 5, RFC
//! 8200, RFC 4861).

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Frame};
use corelane_stack::{
    Adjacency, DropReason, Hop, Inbound, Key, NicCounter, NicId, NicView, PacketBurst, PacketFlags,
};
use corelane_sync::counters::CounterWriter;
use corelane_wire::fragment::{Fragment, plan_ipv4_fragments, write_ipv4_fragment_header};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::ipv4_options::{self, Ipv4OptionPolicy};
use corelane_wire::ipv6::ipv6_header_mut;
use corelane_wire::{Ipv4Packet, MacAddr, parse_ipv4};

use super::context::Context;
use super::icmp_error::Error;
use super::ip_lookup::NETWORK;
use super::link_output::LinkOutput;
use super::local_deliver::{self, Local};
use super::observer::Observer;
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
    port: Option<(&'e mut LinkOutput, &'e mut CounterWriter<NicCounter>)>,
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
    frames: &mut [Frame],
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
        send_on(context, frames, egress, group, hops);
        return;
    }
    let Some((number, port)) = out.others.of(nic) else {
        return drop_all(context, frames, group);
    };
    let (view, counters) = port.nic.load();
    if !view.is_enabled() {
        return drop_all(context, frames, group);
    }
    view.lookup(group);
    if group.found().iter().any(|found| found.is_endpoint()) {
        take_local(context, frames, &view, group, hops, locals, local);
    }
    if group.is_empty() {
        return;
    }
    if !out.touched.contains(&number) && !out.touched.is_full() {
        out.touched.push(number);
    }
    let egress = Egress {
        nic,
        mac: view.mac(),
        mtu: view.mtu(),
        port: Some((&mut port.output, counters)),
    };
    send_on(context, frames, egress, group, hops);
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
    frames: &mut [Frame],
    mut egress: Egress<'_>,
    group: &PacketBurst,
    hops: &[Hop; BURST],
) {
    let mut adjacencies = [Adjacency::Unresolved; BURST];
    let keys = group.destinations();
    context
        .stack
        .fib
        .adjacencies(egress.nic, keys, hops, &mut adjacencies);
    let packets = group.inbound().iter().zip(keys).zip(hops);
    for (((packet, destination), hop), adjacency) in packets.zip(adjacencies) {
        let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
            continue;
        };
        let prepared = prepare(frame, packet, egress.mtu);
        let mac = match (prepared, adjacency) {
            (Ok(()), Adjacency::Usable(mac)) => mac,
            (Ok(()), Adjacency::Stale(mac, neighbor)) => {
                if context
                    .punt
                    .push_neighbor(NeighborPunt::Used(neighbor))
                    .is_err()
                {
                    // Whoever sends to it next tells it.
                    context.stack.fib.unmark(neighbor);
                }
                mac
            }
            (prepared, adjacency) => {
                let next_hop = context.stack.fib.next_hop(*hop, *destination);
                odd(
                    context,
                    frames,
                    packet,
                    prepared,
                    adjacency,
                    next_hop,
                    &mut egress,
                );
                continue;
            }
        };
        let mut frame = std::mem::take(frame);
        finish(&mut frame, packet, egress.mac, mac);
        context.tally.forwarded(1);
        forward(context, &mut egress, frame);
    }
}

/// Puts a frame in line on the way out.
#[inline]
fn forward<O: Observer>(context: &mut Context<'_, O>, egress: &mut Egress<'_>, frame: Frame) {
    context
        .observer
        .step(&frame, Outcome::IpForward(trace::IpForward::Forwarded));
    match &mut egress.port {
        Some((output, counters)) => {
            output.stage(frame, context.cache, counters, context.observer);
        }
        None => context.stage(frame),
    }
}

/// What keeps a packet from being sent on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// One of its addresses, or its source route, keeps it here.
    NotForwarded,
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

/// Checks that a packet may be sent on, and counts this hop.
#[inline]
fn prepare(frame: &mut Frame, packet: &Inbound, mtu: usize) -> Result<(), Obstacle> {
    let len = packet.end as usize - usize::from(packet.network);
    if packet.flags.has(PacketFlags::V4) {
        let extended = packet.flags.has(PacketFlags::EXTENDED);
        let data = frame.data_mut().get_mut(NETWORK..).unwrap_or_default();
        let Some(header) = ipv4_header_mut(data) else {
            return Err(Obstacle::NotForwarded);
        };
        if stays_v4(header.source().to_bits()) | stays_v4(header.destination().to_bits()) {
            return Err(Obstacle::NotForwarded);
        }
        if extended {
            return prepare_with_options(data, mtu, len);
        }
        if header.ttl <= 1 {
            return Err(Obstacle::HopLimit);
        }
        if len > mtu {
            return Err(if header.dont_fragment() {
                Obstacle::TooBig
            } else {
                Obstacle::Fragment
            });
        }
        header.decrement_ttl();
    } else {
        let data = frame.data_mut().get_mut(NETWORK..).unwrap_or_default();
        let Some(header) = ipv6_header_mut(data) else {
            return Err(Obstacle::NotForwarded);
        };
        let (source, destination) = (header.source(), header.destination());
        if stays_v6(Key::v6(source.to_bits())) | stays_v6(Key::v6(destination.to_bits())) {
            return Err(Obstacle::NotForwarded);
        }
        if header.hop_limit <= 1 {
            return Err(Obstacle::HopLimit);
        }
        if len > mtu {
            return Err(Obstacle::TooBig);
        }
        header.decrement_hop_limit();
    }
    Ok(())
}

#[cold]
fn prepare_with_options(data: &mut [u8], mtu: usize, len: usize) -> Result<(), Obstacle> {
    match parse_ipv4(data).map(|packet| ipv4_options::policy(packet.options)) {
        Ok(Ipv4OptionPolicy::Accept) => {}
        Ok(Ipv4OptionPolicy::Malformed { pointer }) => {
            return Err(Obstacle::Malformed { pointer });
        }
        Ok(Ipv4OptionPolicy::Drop(_)) | Err(_) => return Err(Obstacle::Options),
    }
    let Some(header) = ipv4_header_mut(data) else {
        return Err(Obstacle::NotForwarded);
    };
    if header.ttl <= 1 {
        return Err(Obstacle::HopLimit);
    }
    if len > mtu {
        return Err(if header.dont_fragment() {
            Obstacle::TooBig
        } else {
            Obstacle::Fragment
        });
    }
    header.decrement_ttl();
    Ok(())
}

/// Whether an IPv4 address, in host order, is of no other link's concern: this host's network, a
/// loopback, a link-local one (RFC 3927 section 7) or one that nobody has (RFC 6890).
#[inline]
fn stays_v4(address: u32) -> bool {
    let first = address >> 24;
    (first == 0) | (first == 127) | (address >> 16 == 0xa9fe) | (first >= 224)
}

/// Whether an IPv6 address is: unspecified, loopback, link-local (RFC 4291 section 2.5.6) or a group.
#[inline]
fn stays_v6(key: Key) -> bool {
    let nobody = (key.high == 0) & (key.low <= 1);
    nobody | (key.high >> 54 == 0x3fa) | key.is_multicast()
}

/// Whether one of the addresses of a packet keeps it on its link.
pub(super) fn stays_on_link(frame: &Frame, packet: &Inbound) -> bool {
    let stays = |address| match address {
        std::net::IpAddr::V4(address) => stays_v4(std::net::Ipv4Addr::to_bits(address)),
        std::net::IpAddr::V6(address) => stays_v6(Key::v6(address.to_bits())),
    };
    let addresses = [
        packet.source(frame.data()),
        packet.destination(frame.data()),
    ];
    addresses.into_iter().any(|it| it.is_none_or(stays))
}

/// Addresses the frame to the next hop; padding of the link it came from is cut.
#[inline]
fn finish(frame: &mut Frame, packet: &Inbound, source: MacAddr, destination: MacAddr) {
    frame.truncate(packet.end as usize);
    if let Some(header) = frame.data_mut().first_chunk_mut::<12>() {
        header[..6].copy_from_slice(&destination.octets());
        header[6..].copy_from_slice(&source.octets());
    }
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
        (Err(Obstacle::Fragment), adjacency) => {
            return cut(context, frames, packet, adjacency, next_hop, egress);
        }
        (Ok(()), Adjacency::Full) => (DropReason::NeighborFull, None),
        (Ok(()), Adjacency::Unreachable) => (
            DropReason::NeighborUnreachable,
            Some(Error::AddressUnreachable),
        ),
        (Ok(()), _) => {
            let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
                return;
            };
            let mut frame = std::mem::take(frame);
            frame.truncate(packet.end as usize);
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
/// none is sent.
#[cold]
fn cut<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packet: &Inbound,
    adjacency: Adjacency,
    next_hop: Key,
    egress: &mut Egress<'_>,
) {
    let mac = match adjacency {
        Adjacency::Usable(mac) | Adjacency::Stale(mac, _) => Some(mac),
        Adjacency::Unresolved => None,
        Adjacency::Full | Adjacency::Unreachable => {
            return odd(context, frames, packet, Ok(()), adjacency, next_hop, egress);
        }
    };
    if let Adjacency::Stale(_, neighbor) = adjacency {
        if context
            .punt
            .push_neighbor(NeighborPunt::Used(neighbor))
            .is_err()
        {
            context.stack.fib.unmark(neighbor);
        }
    }
    let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
        return;
    };
    frame.truncate(packet.end as usize);
    if let Some(header) = ipv4_header_mut(frame.data_mut().get_mut(NETWORK..).unwrap_or_default()) {
        header.decrement_ttl();
    }
    let mut pieces = ArrayVec::<Frame, BURST>::new();
    if cut_into(context, frame, egress.mtu, &mut pieces).is_none() {
        for piece in pieces {
            context.cache.recycle(piece);
        }
        context.drop(frames, packet, DropReason::PacketTooBig, |reason| {
            Outcome::IpForward(trace::IpForward::Dropped(reason))
        });
        return;
    }
    context.observe(frames, packet, || {
        Outcome::IpForward(trace::IpForward::Fragmented)
    });
    context.tally.forwarded(1);
    for mut piece in pieces {
        match mac {
            Some(mac) => {
                if let Some(header) = piece.data_mut().first_chunk_mut::<12>() {
                    header[..6].copy_from_slice(&mac.octets());
                    header[6..].copy_from_slice(&egress.mac.octets());
                }
                forward(context, egress, piece);
            }
            None => {
                // What finds no room is missing at the other end, as on any link.
                if let Some(back) = wait(context, piece, next_hop, egress.nic) {
                    context.cache.recycle(back);
                }
            }
        }
    }
}

/// The fragments of a packet, each in a frame of its own; None if there are not enough frames.
pub(super) fn cut_into<O>(
    context: &mut Context<'_, O>,
    whole: &Frame,
    mtu: usize,
    pieces: &mut ArrayVec<Frame, BURST>,
) -> Option<()> {
    let packet = parse_ipv4(whole.data().get(NETWORK..)?).ok()?;
    for fragment in plan_ipv4_fragments(&packet, mtu).ok()? {
        let mut frame = context.cache.alloc()?;
        let written = write_fragment(&mut frame, whole, &packet, &fragment);
        frame.set_nic(whole.nic());
        frame.set_rx_time(whole.rx_time());
        frame.set_rss_hash(whole.rss_hash());
        pieces.try_push(frame).ok()?;
        written?;
    }
    Some(())
}

fn write_fragment(
    frame: &mut Frame,
    whole: &Frame,
    packet: &Ipv4Packet<'_>,
    fragment: &Fragment,
) -> Option<()> {
    let (ethernet, rest) = frame.spare_mut().split_at_mut_checked(NETWORK)?;
    ethernet.copy_from_slice(whole.data().get(..NETWORK)?);
    let header = write_ipv4_fragment_header(rest, packet, fragment).ok()?;
    let payload = packet.payload.get(fragment.range.clone())?;
    rest.get_mut(header..header + payload.len())?
        .copy_from_slice(payload);
    frame.set_len(NETWORK + header + payload.len()).ok()
}
