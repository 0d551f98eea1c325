//! The stages of a frame's way through a worker, one file each.
//!
//! ```text
//! deliver_network_packets
//!    ethernet_input ─┬─► ip4_input ─┐
//!                    └─► ip6_input ─┴─► endpoint_lookup ─► local_deliver ─┬─► handler
//!                                                                         └─► icmp_echo ─► link_output
//! ```
//!
//! A stage takes a burst and sorts it into the next stages' bursts. What ends in a stage is
//! counted there, by a [`DropReason`](corelane_stack::DropReason) or as consumed, and its frame
//! stays where it is in the burst: the worker recycles the burst as a whole at the end.

mod ethernet_input;
mod icmp_echo;
mod ip4_input;
mod ip6_input;
mod link_output;
mod local_deliver;
mod tally;
#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Burst};
use corelane_stack::{Found, Handler, Inbound, Key, NicDatapath};

pub(crate) use link_output::{LinkOutput, Outlet};
pub(crate) use local_deliver::HandlerPanic;
use tally::Tally;

/// The packets of a burst whose network header is valid, with their destinations: entry i of one
/// is packet i of the other.
#[derive(Default)]
struct Parsed {
    packets: ArrayVec<Inbound, BURST>,
    destinations: ArrayVec<Key, BURST>,
}

/// Takes a burst of frames that arrived on one NIC through all stages (netstack's
/// `DeliverNetworkPacket`, by burst). On return each frame is accounted for; those that nobody
/// took are still in `burst`. Replies are in `output`.
pub(crate) fn deliver_network_packets(
    burst: &mut Burst,
    nic: &mut NicDatapath,
    handler: &mut dyn Handler,
    output: &mut LinkOutput,
    panics: &mut Vec<HandlerPanic>,
) {
    let (view, counters) = nic.load();
    let mut tally = Tally::new(counters);
    let families = ethernet_input::ethernet_input(burst, &mut tally);
    let mut parsed = Parsed::default();
    ip4_input::ip4_input(burst, families.v4(), &mut parsed, &mut tally);
    ip6_input::ip6_input(burst, families.v6(), &mut parsed, &mut tally);
    let mut found = ArrayVec::<Found, BURST>::new();
    view.lookup(&parsed.destinations, &mut found);
    let local = local_deliver::local_deliver(burst, &parsed.packets, &found, output, &mut tally);
    local_deliver::call_handler(view, burst, &local, handler, panics, &mut tally);
    tally.finish();
}
