//! Packets for this host whose port somebody has: into the queues of sockets (BEHAVIOURS section K).

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Frame, PoolCache};
use corelane_stack::{
    DropReason, Family, Flow, Inbound, Key, NicId, PacketBurst, PacketFlags, Queued, Socket,
    SocketDrop, SocketWriter,
};
use corelane_wire::IpProtocol;

use super::context::Context;
use super::observer::{Observer, Sight};
use super::transport;
use crate::trace::{self, Outcome};

/// Takes the packets out of `packets` that a socket has.
#[inline(never)]
pub(super) fn transport_demux<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
) {
    let mut sights = Vec::new();
    if O::WATCHES {
        // What packets look like before their frames are given away.
        let seen = |packet: &Inbound| frames.get(usize::from(packet.frame)).map(Sight::of);
        sights.extend(packets.inbound().iter().filter_map(seen));
    }
    let Context {
        stack,
        cache,
        tally,
        observer,
        ..
    } = context;
    let mut kept = 0_u64;
    let mut delivered = 0;
    let count = packets.len();
    deliver(&mut stack.sockets(), cache, frames, packets, |at, end| {
        match end {
            End::NoSocket => kept |= 1 << (at % BURST),
            End::Delivered | End::Copied => delivered += 1,
            End::Dropped(reason) => tally.dropped(reason, 1),
        }
        if let Some(sight) = sights.get(at) {
            observer.step_of(sight, Outcome::TransportDemux(end.outcome()));
        }
    });
    tally.delivered(delivered);
    if kept == 0 {
        packets.clear();
    } else if kept.count_ones() as usize != count {
        let mut at = 0;
        packets.retain(|_, _| {
            at += 1;
            kept >> (at - 1) & 1 == 1
        });
    }
}

/// What became of a packet.
#[derive(Clone, Copy)]
enum End {
    NoSocket,
    Delivered,
    Copied,
    Dropped(DropReason),
}

impl End {
    fn outcome(self) -> trace::TransportDemux {
        match self {
            Self::NoSocket => trace::TransportDemux::NoSocket,
            Self::Delivered => trace::TransportDemux::Delivered,
            Self::Copied => trace::TransportDemux::Copied,
            Self::Dropped(reason) => trace::TransportDemux::Dropped(reason),
        }
    }
}

/// Puts each packet into the queue of its socket, if it has one; tells `ended` what became of each.
#[inline(always)]
fn deliver(
    writer: &mut SocketWriter<'_>,
    cache: &mut PoolCache,
    frames: &mut [Frame],
    packets: &PacketBurst,
    mut ended: impl FnMut(usize, End),
) {
    let mut flows = ArrayVec::new();
    describe(frames, packets, &mut flows);
    let mut sockets: [Option<&Socket>; BURST] = [None; BURST];
    writer.demux.lookup(&flows, &mut sockets);
    let sockets = &sockets[..flows.len()];
    // What they touch, step by step, so that the misses of a burst overlap.
    for socket in sockets.iter().flatten() {
        socket.prefetch(writer.seat);
    }
    for socket in sockets.iter().flatten() {
        socket.prefetch_queue(writer.seat);
    }
    // The sockets whose bell is to be rung, by the packet that was the first for them.
    let mut bells = 0_u64;
    let found = packets.inbound().iter().zip(packets.found());
    for (at, ((packet, found), socket)) in found.zip(sockets).enumerate() {
        let end = match (frames.get_mut(usize::from(packet.frame)), socket) {
            // For all sockets that have its port, in whatever way (BEHAVIOURS K5).
            (Some(frame), _) if found.is_for_many() && packet.protocol == IpProtocol::UDP => {
                to_many(writer, cache, &flows[at % BURST], frame, packet)
            }
            (Some(frame), Some(socket)) => give_checked(writer, socket, frame, packet, |queued| {
                bells |= u64::from(queued.bell) << (at % BURST);
            }),
            _ => End::NoSocket,
        };
        ended(at, end);
    }
    while bells != 0 {
        if let Some(Some(socket)) = sockets.get(bells.trailing_zeros() as usize) {
            socket.ring_bell(writer.seat);
        }
        bells &= bells - 1;
    }
}

/// The flow of each packet; of what is not UDP, none.
#[inline(never)]
fn describe(frames: &[Frame], packets: &PacketBurst, flows: &mut ArrayVec<Flow, BURST>) {
    for (packet, destination) in packets.inbound().iter().zip(packets.destinations()) {
        let frame = frames.get(usize::from(packet.frame));
        let frame = frame.filter(|_| packet.protocol == IpProtocol::UDP);
        let flow = frame.and_then(|frame| describe_one(frame, packet, *destination));
        flows.push(flow.unwrap_or(Flow::NONE));
    }
}

#[inline(always)]
fn describe_one(frame: &Frame, packet: &Inbound, destination: Key) -> Option<Flow> {
    let data = frame.data();
    let ports = data.get(usize::from(packet.transport)..)?.first_chunk()?;
    let network = usize::from(packet.network);
    let (family, source) = if packet.flags.has(PacketFlags::V4) {
        let source = data.get(network + 12..)?.first_chunk()?;
        (Family::V4, Key::v4(u32::from_be_bytes(*source)))
    } else {
        let source = data.get(network + 8..)?.first_chunk()?;
        (Family::V6, Key::v6(u128::from_be_bytes(*source)))
    };
    let ports = u32::from_be_bytes(*ports);
    let local = (destination, ports as u16);
    let remote = (source, (ports >> 16) as u16);
    Some(Flow::udp(family, local, remote, NicId(frame.nic())))
}

/// Puts a packet into a socket's queue if its checksum is right.
#[inline(always)]
fn give_checked(
    writer: &mut SocketWriter<'_>,
    socket: &Socket,
    frame: &mut Frame,
    packet: &Inbound,
    queued: impl FnOnce(Queued),
) -> End {
    if transport::is_udp_checksum_right(frame.data(), packet) != Some(true) {
        socket.count_checksum_error(writer.seat);
        return End::Dropped(DropReason::TransportChecksum);
    }
    match give(writer, socket, frame, packet) {
        Ok(it) => {
            queued(it);
            End::Delivered
        }
        Err(reason) => End::Dropped(reason),
    }
}

/// Puts a packet into a socket's queue.
#[inline(always)]
fn give(
    writer: &mut SocketWriter<'_>,
    socket: &Socket,
    frame: &mut Frame,
    packet: &Inbound,
) -> Result<Queued, DropReason> {
    let queued = socket.deliver(writer.seat, frame, packet);
    queued.map_err(|why| match why {
        SocketDrop::Overflow => DropReason::SocketFull,
        SocketDrop::Closed => DropReason::SocketClosed,
    })
}

/// Puts a copy of a packet into a socket's queue, and rings for it.
fn give_copy(
    writer: &mut SocketWriter<'_>,
    cache: &mut PoolCache,
    socket: &Socket,
    frame: &Frame,
    packet: &Inbound,
) -> Result<(), DropReason> {
    let Some(mut copy) = copy(writer, cache, frame) else {
        socket.count_overflow(writer.seat);
        return Err(DropReason::SocketFull);
    };
    let given = give(writer, socket, &mut copy, packet);
    if !copy.is_vacant() {
        cache.recycle(copy);
    }
    if given?.bell {
        socket.ring_bell(writer.seat);
    }
    Ok(())
}

/// None if there is no frame for it.
fn copy(writer: &mut SocketWriter<'_>, cache: &mut PoolCache, frame: &Frame) -> Option<Frame> {
    let mut copy = cache.alloc()?;
    if copy.set_data(frame.data()).is_err() {
        // A datagram that came in fragments.
        cache.recycle(copy);
        copy = writer.reassembly.alloc()?;
        copy.set_data(frame.data()).ok()?;
    }
    copy.set_nic(frame.nic());
    copy.set_rx_time(frame.rx_time());
    copy.set_rss_hash(frame.rss_hash());
    copy.set_offload(frame.offload());
    Some(copy)
}

/// Gives a datagram to every socket that it is for, to each its own (BEHAVIOURS K7, K8).
#[cold]
#[inline(never)]
fn to_many(
    writer: &mut SocketWriter<'_>,
    cache: &mut PoolCache,
    flow: &Flow,
    frame: &mut Frame,
    packet: &Inbound,
) -> End {
    let demux = writer.demux;
    let mut last = None;
    let mut copies = 0;
    let mut dropped = None;
    let mut is_valid = true;
    demux.for_each(flow, |socket| {
        if last.is_none() {
            is_valid = transport::is_checksum_right(frame, packet);
        }
        if !is_valid {
            socket.count_checksum_error(writer.seat);
        } else if let Some(before) = last {
            match give_copy(writer, cache, before, frame, packet) {
                Ok(()) => copies += 1,
                Err(reason) => dropped = Some(reason),
            }
        }
        last = Some(socket);
    });
    let Some(last) = last else {
        return End::NoSocket;
    };
    if !is_valid {
        return End::Dropped(DropReason::TransportChecksum);
    }
    // The last one has no need of a copy.
    match give(writer, last, frame, packet) {
        Ok(queued) => {
            if queued.bell {
                last.ring_bell(writer.seat);
            }
            if copies > 0 {
                End::Copied
            } else {
                End::Delivered
            }
        }
        // One that had room is enough for it to be delivered.
        Err(_) if copies > 0 => End::Copied,
        Err(reason) => End::Dropped(dropped.unwrap_or(reason)),
    }
}

/// Gives every raw socket of a packet's protocol a copy (BEHAVIOURS K2).
#[cold]
pub(super) fn show_raw<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &[Frame],
    packet: &Inbound,
) {
    let Some(frame) = frames.get(usize::from(packet.frame)) else {
        return;
    };
    let nic = NicId(frame.nic());
    let (writer, cache) = (&mut context.stack.sockets(), &mut *context.cache);
    let mut copies = 0;
    let demux = writer.demux;
    demux.for_each_raw(family(packet), packet.protocol, nic, |socket| {
        // Its own counters tell what it lost.
        copies += usize::from(give_copy(writer, cache, socket, frame, packet).is_ok());
    });
    if copies > 0 {
        context.observe(frames, packet, || {
            Outcome::TransportDemux(trace::TransportDemux::Copied)
        });
    }
}

/// Whether a raw socket is shown packets like this.
#[cold]
pub(super) fn has_raw<O>(context: &Context<'_, O>, frame: &Frame, packet: &Inbound) -> bool {
    let nic = NicId(frame.nic());
    let demux = &context.stack.demux;
    demux.has_raw() && demux.has_raw_for(family(packet), packet.protocol, nic)
}

fn family(packet: &Inbound) -> Family {
    if packet.flags.has(PacketFlags::V4) {
        Family::V4
    } else {
        Family::V6
    }
}
