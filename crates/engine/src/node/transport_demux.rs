//! Packets for this host whose port somebody has: into the queues of sockets (BEHAVIOURS section K).

use corelane_frame::{BURST, Frame, PoolCache};
use corelane_stack::{
    DropReason, Family, Flow, FlowWord, Flows, Inbound, Key, NicId, PacketBurst, PacketFlags,
    Queued, Socket, SocketDrop, SocketWriter, Sockets,
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
    if context.stack.reassembly.take_completed() {
        demux_large(context, frames, packets);
    } else {
        demux::<O, false>(context, frames, packets);
    }
}

/// Where a datagram came in fragments. Apart, so that other bursts are not asked for each packet.
#[cold]
#[inline(never)]
fn demux_large<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
) {
    demux::<O, true>(context, frames, packets);
}

/// `LARGE`: there may be frames among them that have slots of reassembly.
#[inline(always)]
fn demux<O: Observer, const LARGE: bool>(
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
    let arrived_on = context.arrival.id();
    let Context {
        stack,
        cache,
        tally,
        observer,
        ..
    } = context;
    let mut kept = 0_u64;
    let mut dropped = 0;
    let count = packets.len();
    let described = Described {
        frames,
        packets,
        arrived_on,
    };
    let mut writer = stack.sockets();
    let sockets = writer.demux.lookup(writer.seat, &described);
    let ended = |at: usize, end: End| {
        match end {
            End::NoSocket => kept |= 1 << (at % BURST),
            End::Delivered | End::Copied => {}
            End::Dropped(reason) => {
                dropped += 1;
                tally.dropped(reason, 1);
            }
        }
        if let Some(sight) = sights.get(at) {
            observer.step_of(sight, Outcome::TransportDemux(end.outcome()));
        }
    };
    deliver::<LARGE>(&mut writer, cache, frames, packets, &sockets, ended);
    let left = kept.count_ones() as usize;
    tally.delivered(count - left - dropped);
    if kept == 0 {
        packets.clear();
    } else if left != count {
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
///
/// In one pass: the line that a socket is looked at by is on its way since the lookup, and to ask for that
/// of its slot as well costs more instructions than it saves waiting where sockets are some thousands.
#[inline(always)]
fn deliver<const LARGE: bool>(
    writer: &mut SocketWriter<'_>,
    cache: &mut PoolCache,
    frames: &mut [Frame],
    packets: &PacketBurst,
    sockets: &Sockets<'_>,
    mut ended: impl FnMut(usize, End),
) {
    // The sockets whose bell is to be rung, by the packet that was the first for them.
    let mut bells = 0_u64;
    for (at, (packet, socket)) in packets.inbound().iter().zip(sockets).enumerate() {
        let end = match (frames.get_mut(usize::from(packet.frame)), socket) {
            (Some(frame), Some(socket)) => {
                if transport::is_udp_checksum_right(frame.data(), packet) {
                    let given = if LARGE {
                        give_any(writer, cache, socket, frame, packet)
                    } else {
                        give(writer, socket, frame, packet)
                    };
                    match given {
                        Ok(queued) => {
                            if queued.bell {
                                add(&mut bells, at);
                            }
                            End::Delivered
                        }
                        Err(reason) => End::Dropped(reason),
                    }
                } else {
                    socket.count_checksum_error(writer.seat);
                    End::Dropped(DropReason::TransportChecksum)
                }
            }
            // For all sockets that have its port, in whatever way (BEHAVIOURS K5).
            (Some(frame), None)
                if packet.protocol == IpProtocol::UDP && packets.found_at(at).is_for_many() =>
            {
                to_many(writer, cache, frame, packet, packets.destination(at))
            }
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

/// The flows of a burst, of which one socket each is looked for: of packets for one host.
struct Described<'p> {
    frames: &'p [Frame],
    packets: &'p PacketBurst,
    arrived_on: NicId,
}

impl Flows for Described<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.packets.len()
    }

    #[inline]
    fn word(&self, at: usize) -> FlowWord {
        let packet = self.packets.inbound().get(at);
        packet
            .filter(|it| it.protocol == IpProtocol::UDP && !self.packets.found_at(at).is_for_many())
            .map_or(FlowWord::NONE, |packet| word_of(packet, self.arrived_on))
    }

    #[inline]
    fn hint(&self, at: usize) -> u32 {
        self.packets.found_at(at).number()
    }

    #[inline]
    fn local(&self, at: usize) -> Key {
        self.packets.destination(at)
    }

    #[inline]
    fn remote(&self, at: usize) -> Key {
        let packet = self.packets.inbound().get(at);
        let frame = packet.and_then(|packet| self.frames.get(usize::from(packet.frame)));
        let source = frame
            .zip(packet)
            .and_then(|(frame, packet)| source_of(frame.data(), packet));
        // The stages have seen a whole network header.
        source.unwrap_or(Key::v4(0))
    }
}

/// Ports and NIC of a UDP packet.
#[inline(always)]
fn word_of(packet: &Inbound, arrived_on: NicId) -> FlowWord {
    FlowWord::udp(family(packet), packet.ports, arrived_on)
}

#[inline]
fn source_of(data: &[u8], packet: &Inbound) -> Option<Key> {
    let header = data.get(usize::from(packet.network)..)?;
    Some(if packet.flags.has(PacketFlags::V4) {
        Key::v4(u32::from_be_bytes(*header.get(12..)?.first_chunk()?))
    } else {
        Key::v6(u128::from_be_bytes(*header.get(8..)?.first_chunk()?))
    })
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
    queued.map_err(drop_reason)
}

#[inline(always)]
fn drop_reason(why: SocketDrop) -> DropReason {
    match why {
        SocketDrop::Overflow => DropReason::SocketFull,
        SocketDrop::Closed => DropReason::SocketClosed,
    }
}

/// As [`give`], of a packet that may have a slot of reassembly. Those are few, and are for all sockets:
/// what fits into an ordinary frame waits in one, and of the rest so many as leave the others room.
fn give_any(
    writer: &mut SocketWriter<'_>,
    cache: &mut PoolCache,
    socket: &Socket,
    frame: &mut Frame,
    packet: &Inbound,
) -> Result<Queued, DropReason> {
    if !writer.reassembly.owns(frame) {
        return give(writer, socket, frame, packet);
    }
    if let Some(ordinary) = cache.alloc() {
        match copied(ordinary, frame) {
            Ok(copy) => writer.reassembly.recycle(std::mem::replace(frame, copy)),
            Err(ordinary) => cache.recycle(ordinary),
        }
    }
    if !writer.reassembly.owns(frame) {
        return give(writer, socket, frame, packet);
    }
    if !writer.reassembly.has_reserve() {
        socket.count_overflow(writer.seat);
        return Err(DropReason::SocketFull);
    }
    let queued = socket.deliver_large(writer.seat, frame, packet);
    queued.map_err(drop_reason)
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
    let given = give_any(writer, cache, socket, &mut copy, packet);
    if writer.reassembly.owns(&copy) {
        writer.reassembly.recycle(copy);
    } else if !copy.is_vacant() {
        cache.recycle(copy);
    }
    if given?.bell {
        socket.ring_bell(writer.seat);
    }
    Ok(())
}

/// None if there is no frame for it.
fn copy(writer: &mut SocketWriter<'_>, cache: &mut PoolCache, frame: &Frame) -> Option<Frame> {
    let ordinary = cache.alloc()?;
    let ordinary = match copied(ordinary, frame) {
        Ok(copy) => return Some(copy),
        Err(ordinary) => ordinary,
    };
    // A datagram that came in fragments.
    cache.recycle(ordinary);
    copied(writer.reassembly.alloc()?, frame).ok()
}

/// A copy of a frame in the slot of this one, which comes back if there is no room in it.
fn copied(mut into: Frame, frame: &Frame) -> Result<Frame, Frame> {
    if into.set_data(frame.data()).is_err() {
        return Err(into);
    }
    into.set_nic(frame.nic());
    into.set_rx_time(frame.rx_time());
    into.set_rss_hash(frame.rss_hash());
    into.set_offload(frame.offload());
    Ok(into)
}

/// Gives a datagram to every socket that it is for, to each its own (BEHAVIOURS K7, K8).
#[cold]
#[inline(never)]
fn to_many(
    writer: &mut SocketWriter<'_>,
    cache: &mut PoolCache,
    frame: &mut Frame,
    packet: &Inbound,
    destination: Key,
) -> End {
    let Some(source) = source_of(frame.data(), packet) else {
        return End::NoSocket;
    };
    let word = word_of(packet, NicId(frame.nic()));
    let demux = writer.demux;
    let mut last = None;
    let mut copies = 0;
    let mut dropped = None;
    let mut is_valid = true;
    demux.for_each(&Flow::of(destination, source, word), |socket| {
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
    match give_any(writer, cache, last, frame, packet) {
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

/// Not inlined: as part of the loop it would be done for every packet, by instructions without a jump.
#[cold]
#[inline(never)]
fn add(places: &mut u64, at: usize) {
    *places |= 1 << (at % BURST);
}
