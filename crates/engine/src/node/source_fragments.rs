//! What this host sends and a link does not take whole: cut into fragments (RFC 791 section 3.2, RFC 8200
//! section 4.5). Datagrams that came in fragments have answers as long.

use corelane_frame::{Burst, Frame};
use corelane_stack::NicCounter;
use corelane_wire::fragment::{plan_ipv6_fragments, write_ipv6_fragment_headers};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::parse_ipv6;

use super::context::Context;
use super::ip_lookup::NETWORK;
use super::observer::Observer;
use super::{fragment, ip_forward, segment};
use crate::trace::{LinkOutput, Outcome};

/// Sends a frame that is longer than the link takes, by the NIC that the burst arrived on; returns whether
/// there was room for all of it. One that may not be cut, or for which there are not enough frames, is
/// dropped as one that finds no room.
#[cold]
pub(super) fn send_in_fragments<O: Observer>(
    context: &mut Context<'_, O>,
    mut frame: Frame,
) -> bool {
    let mtu = context.arrival.mtu();
    if ip_forward::fits_in_segments(&frame, mtu) {
        context.stage(frame);
        return true;
    }
    segment::complete(&mut frame, context.tally.counters());
    let mut pieces = Burst::new();
    let cut = match frame.data().get(NETWORK).map(|byte| byte >> 4) {
        Some(4) => cut_v4(context, &mut frame, mtu, &mut pieces),
        Some(6) => cut_v6(context, &frame, mtu, &mut pieces),
        _ => None,
    };
    let outcome = match cut {
        Some(()) => LinkOutput::Fragmented,
        None => LinkOutput::NoRoom,
    };
    context.observer.step(&frame, Outcome::LinkOutput(outcome));
    if cut.is_none() {
        // What is left of it is of no use.
        context.cache.recycle_burst(&mut pieces);
        context.tally.counters().add(NicCounter::SendDropped, 1);
    }
    let sent = cut.and_then(|()| stage_all(context, &mut pieces));
    context.cache.recycle(frame);
    sent.is_some()
}

/// Adds a piece. Those of a burst are sent when there are more: None if there was no room for them, which
/// makes the others useless.
fn add<O: Observer>(context: &mut Context<'_, O>, pieces: &mut Burst, piece: Frame) -> Option<()> {
    let sent = if pieces.is_full() {
        stage_all(context, pieces)
    } else {
        Some(())
    };
    pieces.push(piece);
    sent
}

/// Puts pieces in line; None if something in it found no room.
fn stage_all<O: Observer>(context: &mut Context<'_, O>, pieces: &mut Burst) -> Option<()> {
    let dropped = |context: &mut Context<'_, O>| {
        let counters = context.tally.counters();
        counters.value(NicCounter::SendDropped)
    };
    let before = dropped(context);
    for piece in pieces.drain(..) {
        context.stage(piece);
    }
    (dropped(context) == before).then_some(())
}

/// Cuts what a handler put in line, from place `from` on, where it is too long.
#[inline]
pub(super) fn cut_outbox<O: Observer>(context: &mut Context<'_, O>, from: usize) {
    let longest = NETWORK + context.arrival.mtu();
    let sent = context.output.outbox().get(from..).unwrap_or_default();
    if sent.iter().any(|frame| frame.len() > longest) {
        send_again(context, from);
    }
}

#[cold]
fn send_again<O: Observer>(context: &mut Context<'_, O>, from: usize) {
    let sent: Burst = context.output.outbox().drain(from..).collect();
    for frame in sent {
        context.reply(frame);
    }
}

fn cut_v4<O: Observer>(
    context: &mut Context<'_, O>,
    whole: &mut Frame,
    mtu: usize,
    pieces: &mut Burst,
) -> Option<()> {
    let identification = context.stack.identification(whole.data().get(NETWORK..)?);
    let header = ipv4_header_mut(whole.data_mut().get_mut(NETWORK..)?)?;
    if header.dont_fragment() {
        return None;
    }
    // Not zero, which packets that are in one piece have.
    header.set_identification((identification >> 16) as u16 | 1);
    fragment::cut_v4(context, whole, mtu, |context, piece| {
        add(context, pieces, piece)
    })
}

fn cut_v6<O: Observer>(
    context: &mut Context<'_, O>,
    whole: &Frame,
    mtu: usize,
    pieces: &mut Burst,
) -> Option<()> {
    let identification = context.stack.identification(whole.data().get(NETWORK..)?);
    let packet = parse_ipv6(whole.data().get(NETWORK..)?).ok()?;
    let plan = plan_ipv6_fragments(&packet, mtu).ok()?;
    for fragment in plan.clone() {
        let payload = packet.payload.get(fragment.range.clone())?;
        let piece = fragment::piece(context.cache, whole, payload, |buffer| {
            write_ipv6_fragment_headers(buffer, &packet, &plan, &fragment, identification)
        })?;
        add(context, pieces, piece)?;
    }
    Some(())
}
