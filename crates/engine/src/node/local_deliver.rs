//! Packets for this host: to the stack itself or to the handler.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Frame};
use corelane_stack::{Delivery, DropReason, Found, Handler, Inbound, NicView};
use corelane_wire::IpProtocol;

use super::icmp_echo::{self, Echoed};
use super::link_output::LinkOutput;
use super::tally::Tally;

/// What a handler's panic said.
pub(crate) type HandlerPanic = String;

/// The packets of a burst that are the handler's.
pub(super) type Local = ArrayVec<(Inbound, Found), BURST>;

/// Sorts packets by what their destination was found to be: drops what is not ours, answers echo
/// requests, and returns what is for the handler.
pub(super) fn local_deliver(
    frames: &mut [Frame],
    packets: &[Inbound],
    found: &[Found],
    output: &mut LinkOutput,
    tally: &mut Tally<'_>,
) -> Local {
    let mut local = Local::new();
    for (inbound, found) in packets.iter().zip(found) {
        if *found == Found::Nothing {
            tally.dropped(DropReason::InvalidAddress);
            continue;
        }
        if inbound.is_fragment {
            tally.dropped(DropReason::FragmentUnsupported);
            continue;
        }
        match check_transport(frames, inbound) {
            Transport::Ok => local.push((*inbound, *found)),
            Transport::Truncated => tally.dropped(DropReason::TransportTruncated),
            Transport::Icmp => {
                match icmp_echo::icmp_echo(&mut frames[usize::from(inbound.frame)], inbound) {
                    Echoed::Reply => {
                        let reply = std::mem::take(&mut frames[usize::from(inbound.frame)]);
                        output.stage(reply);
                        tally.consumed();
                    }
                    Echoed::NotARequest => local.push((*inbound, *found)),
                    Echoed::Dropped(reason) => tally.dropped(reason),
                }
            }
        }
    }
    local
}

/// What follows the network header.
enum Transport {
    Ok,
    Truncated,
    Icmp,
}

/// Whether the transport header is there whole, with a length that fits (BEHAVIOURS K3).
#[inline]
fn check_transport(frames: &[Frame], inbound: &Inbound) -> Transport {
    let data = frames[usize::from(inbound.frame)].data();
    let payload = &data[usize::from(inbound.transport)..inbound.end as usize];
    let fits = match inbound.protocol {
        IpProtocol::UDP => payload.first_chunk::<8>().is_some_and(|header| {
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            length >= 8 && length <= payload.len()
        }),
        IpProtocol::TCP => payload.first_chunk::<20>().is_some_and(|header| {
            let length = usize::from(header[12] >> 4) * 4;
            length >= 20 && length <= payload.len()
        }),
        IpProtocol::ICMPV4 if inbound.is_v4 => return Transport::Icmp,
        IpProtocol::ICMPV6 if !inbound.is_v4 => return Transport::Icmp,
        _ => true,
    };
    if fits {
        Transport::Ok
    } else {
        Transport::Truncated
    }
}

/// Gives the handler its packets. A panic costs the packet it happened over; the handler is
/// called again with the rest.
pub(super) fn call_handler(
    view: NicView<'_>,
    frames: &mut [Frame],
    local: &Local,
    handler: &mut dyn Handler,
    panics: &mut Vec<HandlerPanic>,
    tally: &mut Tally<'_>,
) {
    let mut from = 0;
    while from < local.len() {
        let mut delivery = Delivery::new(view, frames, &local[from..]);
        // Unwind safe: what the closure could leave half changed is the handler, whose contract
        // says so, and the frame the panic happened over, which is dropped.
        let result = catch_unwind(AssertUnwindSafe(|| handler.burst(&mut delivery)));
        let given_out = delivery.given_out();
        match result {
            Ok(()) => {
                // Packets the handler did not ask for count as delivered too.
                tally.delivered(local.len() - from);
                return;
            }
            Err(panic) => {
                // At least one packet is lost to it, so that a handler that panics before it asks
                // for one is not called forever.
                let reached = given_out.max(1);
                tally.delivered(reached - 1);
                tally.dropped(DropReason::HandlerPanicked);
                panics.push(message(&*panic));
                from += reached;
            }
        }
    }
}

/// What a panic said, where it was text.
fn message(panic: &(dyn Any + Send)) -> HandlerPanic {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
