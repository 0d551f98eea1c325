//! Packets for this host: to the stack itself or to the handler.

use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane_frame::Frame;
use corelane_stack::{Delivery, DropReason, Found, Inbound, NicView, PacketFlags};

use super::Stages;
use super::control_input::{Examined, control_input};
use super::icmp_echo::{self, Echoed};
use super::link_output::LinkOutput;
use super::observer::{Observer, Sight};
use super::tally::Tally;
use crate::punt::Punt;
use crate::trace::{self, Outcome};

/// What a handler's panic said.
pub(crate) type HandlerPanic = String;

/// Keeps the packets that are for the handler; the others it drops, answers itself, or hands to the
/// control plane.
#[inline(never)]
pub(super) fn local_deliver<O: Observer>(
    view: &NicView<'_>,
    frames: &mut [Frame],
    stages: &mut Stages,
    output: &mut LinkOutput,
    tally: &mut Tally<'_>,
    observer: &mut O,
) {
    let Stages { packets, punt, .. } = stages;
    packets.retain(|packet, found| {
        if found == Found::NOTHING {
            let reason = DropReason::InvalidAddress;
            tally.dropped(reason, 1);
            observe(
                frames,
                packet,
                trace::LocalDeliver::Dropped(reason),
                observer,
            );
            return false;
        }
        if packet.flags.is_plain() {
            observe(frames, packet, trace::LocalDeliver::Handler, observer);
            return true;
        }
        is_for_handler(view, frames, packet, output, punt, tally, observer)
    });
    punt.flush();
}

#[inline]
fn observe<O: Observer>(
    frames: &[Frame],
    packet: &Inbound,
    outcome: trace::LocalDeliver,
    observer: &mut O,
) {
    if O::WATCHES
        && let Some(frame) = frames.get(usize::from(packet.frame))
    {
        observer.step(frame, Outcome::LocalDeliver(outcome));
    }
}

/// What there is to do about a packet that is not simply the handler's.
// Not inlined: the loop over the others stays small.
#[inline(never)]
fn is_for_handler<O: Observer>(
    view: &NicView<'_>,
    frames: &mut [Frame],
    packet: &Inbound,
    output: &mut LinkOutput,
    punt: &mut Punt,
    tally: &mut Tally<'_>,
    observer: &mut O,
) -> bool {
    let unusable = if packet.flags.has(PacketFlags::FRAGMENT) {
        Some(DropReason::FragmentUnsupported)
    } else if packet.flags.has(PacketFlags::TRUNCATED) {
        Some(DropReason::TransportTruncated)
    } else {
        None
    };
    if let Some(reason) = unusable {
        tally.dropped(reason, 1);
        observe(
            frames,
            packet,
            trace::LocalDeliver::Dropped(reason),
            observer,
        );
        return false;
    }
    observe(frames, packet, trace::LocalDeliver::ControlInput, observer);
    let frame = &mut frames[usize::from(packet.frame)];
    let outcome = match control_input(frame.data(), packet) {
        Examined::Punt => {
            let sights = observer.look(std::slice::from_ref(frame));
            let outcome = match punt.push(std::mem::take(frame)) {
                Ok(()) => {
                    tally.consumed();
                    trace::ControlInput::Punted
                }
                Err(back) => {
                    *frame = back;
                    tally.dropped(DropReason::PuntFull, 1);
                    trace::ControlInput::Dropped(DropReason::PuntFull)
                }
            };
            for sight in &sights {
                observer.step_of(sight, Outcome::ControlInput(outcome));
            }
            return false;
        }
        Examined::Dropped(reason) => {
            tally.dropped(reason, 1);
            trace::ControlInput::Dropped(reason)
        }
        Examined::PassOn => trace::ControlInput::PassedOn,
    };
    observer.step(frame, Outcome::ControlInput(outcome));
    if outcome != trace::ControlInput::PassedOn {
        return false;
    }
    if !packet.flags.has(PacketFlags::ICMP) {
        observer.step(frame, Outcome::LocalDeliver(trace::LocalDeliver::Handler));
        return true;
    }
    observer.step(frame, Outcome::LocalDeliver(trace::LocalDeliver::IcmpEcho));
    let (outcome, to_handler) = match icmp_echo::icmp_echo(view, frame, packet) {
        Echoed::Reply => (trace::IcmpEcho::Replied, false),
        Echoed::NotARequest => (trace::IcmpEcho::PassedOn, true),
        Echoed::Dropped(reason) => {
            tally.dropped(reason, 1);
            (trace::IcmpEcho::Dropped(reason), false)
        }
    };
    observer.step(frame, Outcome::IcmpEcho(outcome));
    if outcome == trace::IcmpEcho::Replied {
        output.stage(std::mem::take(frame));
        tally.consumed();
    }
    to_handler
}

/// Gives the handler its packets. A panic costs the packet it happened over; the handler is
/// called again with the rest.
#[inline(never)]
pub(super) fn call_handler<O: Observer>(
    view: NicView<'_>,
    frames: &mut [Frame],
    stages: &mut Stages,
    output: &mut LinkOutput,
    tally: &mut Tally<'_>,
    observer: &mut O,
) {
    let Stages {
        packets,
        handler,
        panics,
        ..
    } = stages;
    // What the handler is given, as it was before: it may take the frames.
    let mut sights = Vec::new();
    if O::WATCHES {
        packets.retain(|packet, _| {
            sights.extend(frames.get(usize::from(packet.frame)).map(Sight::of));
            true
        });
    }
    let mut sights = sights.iter();
    let mut observe = |packets: usize, outcome| {
        for sight in sights.by_ref().take(packets) {
            observer.step_of(sight, Outcome::Handler(outcome));
        }
    };
    let packets = &**packets;
    let mut from = 0;
    while from < packets.len() {
        let mut delivery = Delivery::new(view, frames, packets, from, output.outbox());
        let result = catch_panic(|| handler.burst(&mut delivery));
        let position = delivery.position();
        let Err(message) = result else {
            // Packets the handler did not ask for count as delivered too.
            tally.delivered(packets.len() - from);
            observe(packets.len() - from, trace::Handler::Delivered);
            return;
        };
        // At least one packet is lost to it, so that a handler that panics before it asks for one
        // is not called forever.
        let reached = position.max(from + 1);
        tally.delivered(reached - from - 1);
        tally.dropped(DropReason::HandlerPanicked, 1);
        observe(reached - from - 1, trace::Handler::Delivered);
        observe(1, trace::Handler::Dropped(DropReason::HandlerPanicked));
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
