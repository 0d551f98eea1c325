//! Packets for this host: to the stack itself or to the handler.

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane_frame::Frame;
use corelane_stack::{
    Delivery, DropReason, Found, Handler, Inbound, NicView, PacketBurst, PacketFlags,
};

use super::icmp_echo::{self, Echoed};
use super::link_output::LinkOutput;
use super::tally::Tally;

/// What a handler's panic said.
pub(crate) type HandlerPanic = String;

/// Keeps the packets that are for the handler; the others it drops, or answers itself.
#[inline(never)]
pub(super) fn local_deliver(
    frames: &mut [Frame],
    packets: &mut PacketBurst,
    output: &mut LinkOutput,
    tally: &mut Tally<'_>,
) {
    packets.retain(|packet, found| {
        if found == Found::NOTHING {
            tally.dropped(DropReason::InvalidAddress, 1);
            return false;
        }
        packet.flags.is_plain() || is_for_handler(frames, packet, output, tally)
    });
}

/// What there is to do about a packet that is not simply the handler's.
fn is_for_handler(
    frames: &mut [Frame],
    packet: &Inbound,
    output: &mut LinkOutput,
    tally: &mut Tally<'_>,
) -> bool {
    if packet.flags.has(PacketFlags::FRAGMENT) {
        tally.dropped(DropReason::FragmentUnsupported, 1);
        return false;
    }
    if packet.flags.has(PacketFlags::TRUNCATED) {
        tally.dropped(DropReason::TransportTruncated, 1);
        return false;
    }
    let frame = &mut frames[usize::from(packet.frame)];
    match icmp_echo::icmp_echo(frame, packet) {
        Echoed::Reply => {
            output.stage(std::mem::take(frame));
            tally.consumed();
            false
        }
        Echoed::NotARequest => true,
        Echoed::Dropped(reason) => {
            tally.dropped(reason, 1);
            false
        }
    }
}

/// Gives the handler its packets. A panic costs the packet it happened over; the handler is
/// called again with the rest.
#[inline(never)]
pub(super) fn call_handler(
    view: NicView<'_>,
    frames: &mut [Frame],
    packets: &PacketBurst,
    handler: &mut dyn Handler,
    output: &mut LinkOutput,
    panics: &mut Vec<HandlerPanic>,
    tally: &mut Tally<'_>,
) {
    let mut from = 0;
    while from < packets.len() {
        let mut delivery = Delivery::new(view, frames, packets, from, output.outbox());
        let result = catch_panic(|| handler.burst(&mut delivery));
        let position = delivery.position();
        let Err(message) = result else {
            // Packets the handler did not ask for count as delivered too.
            tally.delivered(packets.len() - from);
            return;
        };
        // At least one packet is lost to it, so that a handler that panics before it asks for one
        // is not called forever.
        let reached = position.max(from + 1);
        tally.delivered(reached - from - 1);
        tally.dropped(DropReason::HandlerPanicked, 1);
        panics.push(message);
        from = reached;
    }
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
