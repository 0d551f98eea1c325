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
//!
//! Stages are called once per burst and not inlined, so that a profile shows them by name.

mod ethernet_input;
mod icmp_echo;
mod ip4_input;
mod ip6_input;
mod link_output;
mod local_deliver;
mod tally;
#[cfg(test)]
mod tests;
mod transport;

use corelane_frame::{Burst, Frame};
use corelane_stack::{Handler, NicDatapath, PacketBurst};

use ethernet_input::Sorted;
pub(crate) use link_output::{LinkOutput, Outlet, drop_unsent, transmit};
pub(crate) use local_deliver::{HandlerPanic, catch_panic};
use tally::Tally;

/// The input stages, which only read.
fn input(frames: &[Frame], packets: &mut PacketBurst, tally: &mut Tally<'_>) {
    packets.clear();
    let mut sorted = Sorted::new();
    ethernet_input::ethernet_input(frames, &mut sorted, tally);
    ip4_input::ip4_input(sorted.v4(), packets, tally);
    ip6_input::ip6_input(sorted.v6(), packets, tally);
}

/// Takes a burst of frames that arrived on one NIC through all stages (netstack's
/// `DeliverNetworkPacket`, by burst). On return each frame is accounted for; those that nobody
/// took are still in `burst`. Replies are in `output`. Returns the bytes received.
pub(crate) fn deliver_network_packets(
    burst: &mut Burst,
    packets: &mut PacketBurst,
    nic: &mut NicDatapath,
    handler: &mut dyn Handler,
    output: &mut LinkOutput,
    panics: &mut Vec<HandlerPanic>,
) -> u64 {
    let (view, counters) = nic.load();
    let mut tally = Tally::new(counters);
    input(burst, packets, &mut tally);
    view.lookup(packets);
    local_deliver::local_deliver(burst, packets, output, &mut tally);
    local_deliver::call_handler(view, burst, packets, handler, output, panics, &mut tally);
    tally.finish()
}
