//! What is not simply sent on: it is in the way of itself, or its next hop is not known, does not answer, or has not been
//! heard of for a while.

use corelane_frame::Frame;
use corelane_stack::{Adjacency, DropReason, Hop, Inbound, Key, NeighborId, NicId};

use super::super::context::Context;
use super::super::icmp_error::Error;
use super::super::ip_lookup::NETWORK;
use super::super::observer::Observer;
use super::cut::cut;
use super::prepare::{Obstacle, count_hop, prepare};
use super::{Egress, address};
use crate::punt::NeighborPunt;
use crate::trace::{self, Outcome};

/// What is not simply sent on. True if it is after all: the neighbor is known, and the control plane is
/// told that it was used.
pub(super) fn send_odd<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    packet: &Inbound,
    hop: Hop,
    destination: Key,
    egress: &mut Egress<'_>,
) -> bool {
    let adjacency = context.stack.fib.adjacency(hop, destination);
    let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
        return false;
    };
    let prepared = prepare(frame, packet, egress.mtu)
        .or_else(|obstacle| pass_whole(frame, packet, egress.mtu, obstacle));
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

/// A super-frame is not too big if its segments are not: makes it ready to leave.
fn pass_whole(
    frame: &mut Frame,
    packet: &Inbound,
    mtu: usize,
    obstacle: Obstacle,
) -> Result<(), Obstacle> {
    let is_too_big = matches!(obstacle, Obstacle::TooBig | Obstacle::Fragment);
    if !is_too_big || !fits_in_segments(frame, mtu) {
        return Err(obstacle);
    }
    count_hop(frame, packet);
    Ok(())
}

/// Whether a frame is a super-frame whose segments a link takes.
pub(in crate::node) fn fits_in_segments(frame: &Frame, mtu: usize) -> bool {
    let segmentation = frame.offload().and_then(|it| it.segmentation);
    segmentation.is_some_and(|it| it.longest_segment() <= NETWORK + mtu)
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
