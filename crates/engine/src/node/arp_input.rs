//! Frames that are neither IPv4 nor IPv6: ARP is validated and handed to the control plane, others
//! are dropped.

use corelane_frame::Frame;
use corelane_stack::DropReason;
use corelane_wire::arp::parse_arp_message;
use corelane_wire::{EtherType, parse_ethernet};

use super::context::Context;
use super::observer::Observer;
use crate::places::Places;
use crate::trace::{self, Outcome};

/// Ends the frames at these places.
#[inline(never)]
pub(super) fn arp_input<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    places: &Places,
) {
    for place in places.iter() {
        let Some(frame) = frames.get_mut(usize::from(place)) else {
            continue;
        };
        let sights = context.observer.look(std::slice::from_ref(frame));
        let taken = match examine(context, frame) {
            Ok(()) => context.hand_to_control(frame),
            Err(reason) => {
                context.tally.dropped(reason, 1);
                Err(reason)
            }
        };
        let outcome = match taken {
            Ok(()) => trace::ArpInput::Punted,
            Err(reason) => trace::ArpInput::Dropped(reason),
        };
        for sight in &sights {
            context.observer.step_of(sight, Outcome::ArpInput(outcome));
        }
    }
}

fn examine<O>(context: &Context<'_, O>, frame: &Frame) -> Result<(), DropReason> {
    let is_arp = |it: &corelane_wire::EthernetFrame<'_>| it.header.ethertype() == EtherType::ARP;
    let ethernet = parse_ethernet(frame.data())
        .ok()
        .filter(|it| is_arp(it) && context.arrival.accepts_v4())
        .ok_or(DropReason::UnknownProtocol)?;
    parse_arp_message(ethernet.payload)
        .map(drop)
        .map_err(|_| DropReason::ArpInvalid)
}
