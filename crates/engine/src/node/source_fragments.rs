//! What this host sends and a link does not take whole: cut into fragments (RFC 791 section 3.2, RFC 8200
//! section 4.5). Datagrams that came in fragments have answers as long.

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Burst, Frame};
use corelane_stack::NicCounter;
use corelane_wire::ipv4::ipv4_header_mut;

use super::context::Context;
use super::ip_lookup::NETWORK;
use super::observer::Observer;
use super::{fragment, ip_forward, segment};
use crate::trace::{LinkOutput, Outcome};

/// Sends a frame that is longer than the link takes, by the NIC that the burst arrived on. One that may
/// not be cut, that would be more pieces than a burst has, or for which there are not enough frames is
/// dropped as one that finds no room.
#[cold]
pub(super) fn send_in_fragments<O: Observer>(context: &mut Context<'_, O>, mut frame: Frame) {
    let mtu = context.arrival.mtu();
    if ip_forward::fits_in_segments(&frame, mtu) {
        return context.stage(frame);
    }
    segment::complete(&mut frame, context.tally.counters());
    let mut pieces = ArrayVec::new();
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
    for piece in pieces {
        match cut {
            Some(()) => context.stage(piece),
            // What is left of it is of no use.
            None => context.cache.recycle(piece),
        }
    }
    if cut.is_none() {
        context.tally.counters().add(NicCounter::SendDropped, 1);
    }
    context.cache.recycle(frame);
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

fn cut_v4<O>(
    context: &mut Context<'_, O>,
    frame: &mut Frame,
    mtu: usize,
    pieces: &mut ArrayVec<Frame, BURST>,
) -> Option<()> {
    let identification = context.stack.identification(frame.data().get(NETWORK..)?);
    let header = ipv4_header_mut(frame.data_mut().get_mut(NETWORK..)?)?;
    if header.dont_fragment() {
        return None;
    }
    // Not zero, which packets that are in one piece have.
    header.set_identification((identification >> 16) as u16 | 1);
    fragment::cut_v4(context.cache, frame, mtu, pieces)
}

fn cut_v6<O>(
    context: &mut Context<'_, O>,
    whole: &Frame,
    mtu: usize,
    pieces: &mut ArrayVec<Frame, BURST>,
) -> Option<()> {
    let identification = context.stack.identification(whole.data().get(NETWORK..)?);
    fragment::cut_v6(context.cache, whole, mtu, identification, pieces)
}
