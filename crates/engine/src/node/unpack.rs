//! Packets for this host that somebody left work with: checksums are completed, and the datagrams of a
//! UDP super-frame are delivered one by one. Super-frames of TCP stay as they are, and say so
//! ([`Frame::offload`]).

use corelane_frame::{BURST, Burst, Frame};
use corelane_stack::{DropReason, Found, Inbound, Key, NicView, PacketBurst};
use corelane_wire::{SegmentKind, Segmentation};

use super::context::Context;
use super::local_deliver::{self, Local};
use super::observer::Observer;
use super::segment;
use crate::trace::{self, Outcome};

/// As [`local_deliver::deliver`], of packets of which some are not done.
#[cold]
pub(super) fn deliver_unpacked<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
    local: &mut Local<'_>,
) {
    for packet in packets.inbound() {
        if let Some(frame) = frames.get_mut(usize::from(packet.frame))
            && frame.offload().is_some_and(|it| it.segmentation.is_none())
        {
            // What it covers ends where the packet does.
            frame.truncate(packet.end as usize);
            segment::complete(frame, context.tally.counters());
        }
    }
    // Packets are delivered in the order they came.
    while let Some((at, segmentation)) = first_of_udp(frames, packets) {
        let mut front = PacketBurst::default();
        packets.split_off(&mut front, |number, _, _| number < at);
        if !front.is_empty() {
            local_deliver::deliver_done(context, view, frames, &mut front, local);
        }
        let mut whole = PacketBurst::default();
        packets.split_off(&mut whole, |number, _, _| number == 0);
        let of_whole = whole.inbound().iter();
        let of_whole = of_whole.zip(whole.destinations()).zip(whole.found());
        for ((packet, destination), found) in of_whole {
            let packet = (packet, *destination, *found);
            unpack(context, view, frames, packet, segmentation, local);
        }
    }
    if !packets.is_empty() {
        local_deliver::deliver_done(context, view, frames, packets, local);
    }
}

/// The first super-frame of UDP: its number, and how it is cut.
fn first_of_udp(frames: &[Frame], packets: &PacketBurst) -> Option<(usize, Segmentation)> {
    let segmentation = |packet: &Inbound| {
        let offload = frames.get(usize::from(packet.frame))?.offload()?;
        let segmentation = offload.segmentation?;
        (segmentation.kind == SegmentKind::Udp).then_some(segmentation)
    };
    let mut packets = packets.inbound().iter().enumerate();
    packets.find_map(|(at, packet)| Some((at, segmentation(packet)?)))
}

/// Delivers the datagrams of a super-frame, which are received too: what is left of it is consumed.
fn unpack<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    (packet, destination, found): (&Inbound, Key, Found),
    segmentation: Segmentation,
    local: &mut Local<'_>,
) {
    let place = usize::from(packet.frame);
    let Some(whole) = frames.get_mut(place).map(std::mem::take) else {
        return;
    };
    let dropped = |reason| Outcome::LocalDeliver(trace::LocalDeliver::Dropped(reason));
    let Some(parts) = segment::parse(&whole, segmentation) else {
        let reason = DropReason::SuperFrameInvalid;
        context.tally.dropped(reason, 1);
        context.observer.step(&whole, dropped(reason));
        return context.cache.recycle(whole);
    };
    context.tally.consumed();
    context.tally.unpacked(parts.count());
    let (mut datagrams, mut packets) = (Burst::new(), PacketBurst::default());
    let mut deliver =
        |context: &mut Context<'_, O>, datagrams: &mut Burst, packets: &mut PacketBurst| {
            // A handler may send as many.
            context.make_room();
            local_deliver::deliver_done(context, view, datagrams, packets, local);
            context.cache.recycle_burst(datagrams);
            packets.clear();
        };
    for index in 0..parts.count() {
        let Some(datagram) = segment::segment(context.cache, &whole, &parts, index) else {
            let reason = DropReason::SuperFrameFull;
            context.tally.dropped(reason, 1);
            context.observer.step(&whole, dropped(reason));
            continue;
        };
        let inbound = Inbound {
            frame: datagrams.len() as u8,
            end: datagram.len() as u32,
            ..*packet
        };
        packets.push_found(destination, inbound, found);
        datagrams.push(datagram);
        if datagrams.len() == BURST {
            deliver(context, &mut datagrams, &mut packets);
        }
    }
    if !datagrams.is_empty() {
        deliver(context, &mut datagrams, &mut packets);
    }
    context.cache.recycle(whole);
}
