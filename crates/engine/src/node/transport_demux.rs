//! Packets for this host whose port somebody has: into the queues of sockets (BEHAVIOURS section K).

use corelane_frame::{BURST, Frame, PoolCache};
use corelane_stack::{
    Datagram, DemuxDatapath, DropReason, Family, Flow, Inbound, Key, NicId, PacketBurst,
    PacketFlags, Socket, SocketDrop,
};
use corelane_sync::seat::Seat;
use corelane_wire::IpProtocol;

use super::context::Context;
use super::observer::Observer;
use super::transport;
use crate::trace::{self, Outcome};

/// Takes the packets out of `packets` that a socket has.
#[inline(never)]
pub(super) fn transport_demux<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
) {
    let mut flows = [Flow::NONE; BURST];
    let count = packets.len();
    describe(frames, packets, &mut flows);
    let (demux, seat) = context.stack.sockets();
    let mut sockets: [Option<&Socket>; BURST] = [None; BURST];
    demux.lookup(&flows[..count.min(BURST)], &mut sockets);
    let mut at = 0;
    // What became of the packets, for an observer and the counters: the context is not to be had
    // while sockets are borrowed of it.
    let mut ends = [End::NoSocket; BURST];
    for (packet, found) in packets.inbound().iter().zip(packets.found()) {
        let (socket, flow, end) = (
            sockets[at % BURST],
            &flows[at % BURST],
            &mut ends[at % BURST],
        );
        at += 1;
        let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
            continue;
        };
        if packet.protocol == IpProtocol::UDP && found.is_for_many() {
            let valid = || transport::is_checksum_right(frame, packet);
            *end = to_many(demux, seat, context.cache, flow, frame, packet, valid());
            continue;
        }
        let Some(socket) = socket else {
            continue;
        };
        if !transport::is_checksum_right(frame, packet) {
            socket.count_checksum_error(seat);
            *end = End::Dropped(DropReason::TransportChecksum);
            continue;
        }
        let datagram = Datagram::new(std::mem::take(frame), *packet);
        *end = match socket.deliver(seat, datagram) {
            Ok(()) => End::Delivered,
            Err((why, back)) => {
                *frame = back.into_frame();
                End::Dropped(match why {
                    SocketDrop::Overflow => DropReason::SocketFull,
                    SocketDrop::Closed => DropReason::SocketClosed,
                })
            }
        };
    }
    let mut at = 0;
    let mut delivered = 0;
    packets.retain(|packet, _| {
        let end = ends[at % BURST];
        at += 1;
        match end {
            End::NoSocket => {
                context.observe(frames, packet, || {
                    Outcome::TransportDemux(trace::TransportDemux::NoSocket)
                });
                return true;
            }
            End::Delivered => {
                delivered += 1;
                context.observe(frames, packet, || {
                    Outcome::TransportDemux(trace::TransportDemux::Delivered)
                });
            }
            End::Copied => {
                delivered += 1;
                context.observe(frames, packet, || {
                    Outcome::TransportDemux(trace::TransportDemux::Copied)
                });
            }
            End::Dropped(reason) => context.drop(frames, packet, reason, |reason| {
                Outcome::TransportDemux(trace::TransportDemux::Dropped(reason))
            }),
        }
        false
    });
    context.tally.delivered(delivered);
}

/// What became of a packet.
#[derive(Clone, Copy)]
enum End {
    NoSocket,
    Delivered,
    Copied,
    Dropped(DropReason),
}

/// The flow of each packet.
fn describe(frames: &[Frame], packets: &PacketBurst, flows: &mut [Flow; BURST]) {
    let described = packets.inbound().iter().zip(packets.destinations());
    for ((packet, destination), flow) in described.zip(flows) {
        let Some(frame) = frames.get(usize::from(packet.frame)) else {
            continue;
        };
        let data = frame.data();
        let network = data.get(usize::from(packet.network)..).unwrap_or_default();
        let remote = if packet.flags.has(PacketFlags::V4) {
            let source = network.get(12..).and_then(|it| it.first_chunk::<4>());
            source.map(|source| Key::v4(u32::from_be_bytes(*source)))
        } else {
            let source = network.get(8..).and_then(|it| it.first_chunk::<16>());
            source.map(|source| Key::v6(u128::from_be_bytes(*source)))
        };
        let transport = data
            .get(usize::from(packet.transport)..)
            .unwrap_or_default();
        let has_ports = matches!(packet.protocol, IpProtocol::UDP | IpProtocol::TCP);
        if let (Some(remote), Some([a, b, c, d]), true) =
            (remote, transport.first_chunk::<4>(), has_ports)
        {
            *flow = Flow {
                protocol: packet.protocol,
                local: *destination,
                local_port: u16::from_be_bytes([*c, *d]),
                remote,
                remote_port: u16::from_be_bytes([*a, *b]),
                nic: NicId(frame.nic()),
            };
        }
    }
}

/// Gives every socket that a datagram for many is for a copy of its own.
#[cold]
fn to_many(
    demux: &DemuxDatapath,
    seat: &mut Seat,
    cache: &mut PoolCache,
    flow: &Flow,
    frame: &Frame,
    packet: &Inbound,
    is_valid: bool,
) -> End {
    let mut end = End::NoSocket;
    demux.for_each(flow, |socket| {
        if !is_valid {
            socket.count_checksum_error(seat);
            end = End::Dropped(DropReason::TransportChecksum);
            return;
        }
        let reason = match give_copy(socket, seat, cache, frame, packet) {
            Ok(()) => {
                end = End::Copied;
                return;
            }
            Err(reason) => reason,
        };
        // One that had room is enough for it to be delivered.
        if matches!(end, End::NoSocket) {
            end = End::Dropped(reason);
        }
    });
    end
}

/// Puts a copy of a packet into a socket's queue.
fn give_copy(
    socket: &Socket,
    seat: &mut Seat,
    cache: &mut PoolCache,
    frame: &Frame,
    packet: &Inbound,
) -> Result<(), DropReason> {
    let Some(mut copy) = cache.alloc() else {
        return Err(DropReason::SocketFull);
    };
    if copy.set_data(frame.data()).is_err() {
        cache.recycle(copy);
        return Err(DropReason::SocketFull);
    }
    copy.set_nic(frame.nic());
    copy.set_rx_time(frame.rx_time());
    copy.set_rss_hash(frame.rss_hash());
    socket
        .deliver(seat, Datagram::new(copy, *packet))
        .map_err(|(why, back)| {
            cache.recycle(back.into_frame());
            match why {
                SocketDrop::Overflow => DropReason::SocketFull,
                SocketDrop::Closed => DropReason::SocketClosed,
            }
        })
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
    let family = if packet.flags.has(PacketFlags::V4) {
        Family::V4
    } else {
        Family::V6
    };
    let (cache, nic) = (&mut *context.cache, NicId(frame.nic()));
    let (demux, seat) = context.stack.sockets();
    let mut copies = 0;
    demux.for_each_raw(family, packet.protocol, nic, |socket| {
        // Its own counters tell what it lost.
        copies += usize::from(give_copy(socket, seat, cache, frame, packet).is_ok());
    });
    if copies > 0 {
        context.observe(frames, packet, || {
            Outcome::TransportDemux(trace::TransportDemux::Copied)
        });
    }
}
