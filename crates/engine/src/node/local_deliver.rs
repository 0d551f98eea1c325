//! Packets for this host: to the stack itself, to sockets, or to the handler.

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane_frame::{BURST, Frame};
use corelane_stack::{
    Delivery, DropReason, Found, FragmentPlace, Handler, Inbound, NicView, PacketBurst, PacketFlags,
};

use super::context::Context;
use super::extension::{Behind, extension};
use super::observer::{Observer, Sight};
use super::reassemble::reassemble;
use super::transport_demux;
use super::{control_input, icmp_input, source_fragments, unknown_destination, unpack};
use crate::trace::{self, Outcome};

/// What a handler's panic said.
pub(crate) type HandlerPanic = String;

/// Who takes what no socket has.
pub(super) struct Local<'s> {
    /// Nobody, if there is none.
    pub(super) handler: &'s mut Option<Box<dyn Handler>>,
    pub(super) panics: &'s mut Vec<HandlerPanic>,
}

/// Takes packets through the rest of their way. `view` is of the NIC whose addresses they are for,
/// which need not be the one they arrived on.
pub(super) fn deliver<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
    local: &mut Local<'_>,
) {
    if context.has_offloads {
        unpack::deliver_unpacked(context, view, frames, packets, local);
    } else {
        deliver_done(context, view, frames, packets, local);
    }
}

/// As [`deliver`], of packets with which nothing is left to do that is not left to whom they are for.
pub(super) fn deliver_done<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
    local: &mut Local<'_>,
) {
    local_deliver(context, view, frames, packets);
    if context.stack.demux.has_sockets() {
        transport_demux::transport_demux(context, frames, packets);
    }
    match local.handler {
        Some(handler) => {
            call_handler(context, view, frames, packets, &mut **handler, local.panics);
        }
        None => packets.refuse_all(),
    }
    if packets.refused() > 0 {
        unknown_destination::unknown_destination(context, view, frames, packets);
    }
}

/// Keeps the packets that are for sockets and handler; the others it drops, answers itself, or hands
/// to the control plane.
#[inline(never)]
fn local_deliver<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
) {
    let has_raw = context.stack.demux.has_raw();
    packets.retain(|packet, found| {
        if found == Found::NOTHING {
            let reason = DropReason::InvalidAddress;
            context.drop(frames, packet, reason, |reason| {
                Outcome::LocalDeliver(trace::LocalDeliver::Dropped(reason))
            });
            return false;
        }
        if packet.flags.is_plain() & !has_raw {
            context.observe(frames, packet, || {
                Outcome::LocalDeliver(trace::LocalDeliver::Transport)
            });
            return true;
        }
        is_for_transport(context, view, frames, packet)
    });
}

/// What there is to do about a packet that does not simply go on to its transport.
// Not inlined: the loop over the others stays small.
#[inline(never)]
fn is_for_transport<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packet: &mut Inbound,
) -> bool {
    let Some(reassembled) = make_whole(context, view, frames, packet) else {
        return false;
    };
    if context.stack.demux.has_raw() {
        // Before any look at the transport, and whatever comes of it (BEHAVIOURS K2).
        transport_demux::show_raw(context, frames, packet);
    }
    if packet.flags.has(PacketFlags::TRUNCATED) {
        let reason = DropReason::TransportTruncated;
        context.drop(frames, packet, reason, |reason| {
            Outcome::LocalDeliver(trace::LocalDeliver::Dropped(reason))
        });
        return false;
    }
    let is_icmp = packet.flags.has(PacketFlags::ICMP);
    let is_igmp = packet.flags.has(PacketFlags::CONTROL);
    context.observe(frames, packet, || {
        Outcome::LocalDeliver(if is_icmp {
            trace::LocalDeliver::IcmpInput
        } else if is_igmp {
            trace::LocalDeliver::ControlInput
        } else {
            trace::LocalDeliver::Transport
        })
    });
    if is_icmp {
        icmp_input::icmp_input(context, view, frames, packet, reassembled)
    } else if is_igmp {
        control_input::igmp_input(context, frames, packet)
    } else {
        true
    }
}

/// Walks what is in front of the transport and puts fragments together. None if the packet ends here;
/// otherwise whether it came in fragments.
fn make_whole<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packet: &mut Inbound,
) -> Option<bool> {
    let mut reassembled = false;
    // A datagram that is put together may have headers behind the fragment header, but is a fragment
    // no more.
    for _ in 0..2 {
        let place = if packet.flags.has(PacketFlags::EXTENDED) {
            match extension(context, view, frames, packet)? {
                Behind::Transport => return Some(reassembled),
                Behind::Fragment(place) => place,
            }
        } else if packet.flags.has(PacketFlags::FRAGMENT) {
            FragmentPlace::V4 {
                network: usize::from(packet.network),
            }
        } else {
            return Some(reassembled);
        };
        context.observe(frames, packet, || {
            Outcome::LocalDeliver(trace::LocalDeliver::Reassemble)
        });
        if !reassemble(context, view, frames, packet, place) {
            return None;
        }
        reassembled = true;
    }
    let needs_more =
        packet.flags.has(PacketFlags::EXTENDED) || packet.flags.has(PacketFlags::FRAGMENT);
    if needs_more {
        // A fragment inside a datagram of fragments.
        let reason = DropReason::FragmentInvalid;
        context.drop(frames, packet, reason, |reason| {
            Outcome::LocalDeliver(trace::LocalDeliver::Dropped(reason))
        });
        return None;
    }
    Some(reassembled)
}

/// Gives the handler its packets. A panic costs the packet it happened over; the handler is
/// called again with the rest.
#[inline(never)]
fn call_handler<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packets: &mut PacketBurst,
    handler: &mut dyn Handler,
    panics: &mut Vec<HandlerPanic>,
) {
    // What the handler is given, as it was before: it may take the frames.
    let mut sights = Vec::new();
    if O::WATCHES {
        let seen = |packet: &Inbound| frames.get(usize::from(packet.frame)).map(Sight::of);
        sights.extend(packets.inbound().iter().filter_map(seen));
    }
    let mut panicked = 0_u64;
    let mut from = 0;
    let sent = context.output.outbox().len();
    while from < packets.len() {
        let outbox = context.output.outbox();
        let mut delivery = Delivery::new(*view, frames, packets, from, outbox);
        let result = catch_panic(|| handler.burst(&mut delivery));
        let position = delivery.position();
        let Err(message) = result else {
            // Packets the handler did not ask for count as delivered too.
            break;
        };
        // At least one packet is lost to it, so that a handler that panics before it asks for one
        // is not called forever.
        from = position.max(from + 1);
        panicked |= 1 << ((from - 1) % BURST);
        packets.forgive(from - 1);
        panics.push(message);
    }
    let lost = panicked.count_ones() as usize;
    if lost > 0 {
        context
            .tally
            .dropped(DropReason::HandlerPanicked, lost as u64);
    }
    context
        .tally
        .delivered(packets.len() - lost - packets.refused());
    for (at, sight) in sights.iter().enumerate() {
        let outcome = if panicked >> (at % BURST) & 1 == 1 {
            trace::Handler::Dropped(DropReason::HandlerPanicked)
        } else if packets.is_refused(at) {
            trace::Handler::Refused
        } else {
            trace::Handler::Delivered
        };
        context.observer.step_of(sight, Outcome::Handler(outcome));
    }
    source_fragments::cut_outbox(context, sent);
}

/// Runs the embedder's code; if it panics, says what the panic said.
///
/// What `run` could leave half changed is the handler, whose contract says so, and the frame the
/// panic happened over, which is dropped: that is why it may be taken as unwind safe.
pub(crate) fn catch_panic(run: impl FnOnce()) -> Result<(), HandlerPanic> {
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else {
        return Ok(());
    };
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    // What was thrown may panic in turn when it is dropped, and so may what that throws.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    Err(message)
}
