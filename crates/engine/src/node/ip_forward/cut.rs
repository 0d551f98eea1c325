//! Packets that are larger than the next link takes, in pieces.

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Frame};
use corelane_stack::{DropReason, Inbound, NicCounter};
use corelane_wire::{MacAddr, Segmentation};

use super::super::context::Context;
use super::super::observer::Observer;
use super::super::{fragment, segment};
use super::prepare::count_hop;
use super::{Egress, address};
use crate::trace::{self, Outcome};

/// Cuts a packet into fragments that the link takes (RFC 791 section 3.2), and sends them on. The
/// packet counts as forwarded if all of them had a frame; otherwise what is left of it is of no use, and
/// none is sent. A super-frame is cut into its segments first, and each of these is a packet of its own.
#[cold]
pub(super) fn cut<O: Observer>(
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
