//! The stages of a frame's way through a worker, one file each.
//!
//! ```text
//! deliver_network_packets
//!    ethernet_input ─┬─► packet_endpoints (copies)
//!                    ├─► arp_input ─► punt
//!                    ├─► ip4_input ─┐
//!                    └─► ip6_input ─┴─► lookup ─┬─► local_deliver ─┬─► extension, reassemble
//!                                               │                  ├─► control_input ─► punt
//!                                               │                  ├─► icmp_input ─► link_output
//!                                               │                  └─► transport_demux ─┬─► socket
//!                                               │                                       └─► handler
//!                                               │                  unknown_destination ◄────┘
//!                                               └─► ip_lookup ─► ip_forward ─┬─► link_output
//!                                                                            ├─► punt (neighbor)
//!                                     icmp_error ◄── whatever is dropped ────┘
//! ```
//!
//! A stage takes a burst and sorts it into the next stages' bursts. What ends in a stage is
//! counted there, by a [`DropReason`](corelane_stack::DropReason), as forwarded or as consumed, and its
//! frame stays where it is in the burst, unless it is given away: the worker recycles the burst as a
//! whole at the end.
//!
//! Stages are called once per burst and not inlined, so that a profile shows them by name.

mod arp_input;
mod context;
mod control_input;
mod ethernet_input;
mod extension;
mod fragment;
mod icmp_error;
mod icmp_input;
mod ip4_input;
mod ip6_input;
mod ip_forward;
mod ip_lookup;
mod link_output;
mod local_deliver;
mod martian;
mod observer;
mod packet_endpoints;
mod reassemble;
mod segment;
mod source_fragments;
mod stages;
mod tally;
#[cfg(test)]
mod tests;
mod transport;
mod transport_demux;
mod unknown_destination;
mod unpack;

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::{AddressKind, DropReason, Forwarding, Found, NicView, PacketBurst, TapWriter};

use crate::port::{Others, Port};
use crate::trace::{self, Outcome};
use context::Context;
use ethernet_input::Sorted;
use ip_lookup::Eligible;
pub(crate) use link_output::{LinkOutput, Outlet, drop_unsent, transmit};
pub(crate) use local_deliver::{HandlerPanic, catch_panic};
use martian::Sources;
pub(crate) use observer::{Observer, Quiet, Traced};
pub(crate) use reassemble::expire;
pub(crate) use stages::{Stages, StagesParts};
use tally::Tally;

/// Where a burst comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the link.
    Link,
    /// From the NIC itself: what it sent to an address of its own, or to a group or a broadcast.
    Looped,
}

/// Takes a burst of frames that arrived on the NIC of one port through all stages (netstack's
/// `DeliverNetworkPacket`, by burst). On return each frame is accounted for; those that nobody
/// took are still in `burst`. What is to be sent is in the outputs of that port, and of those that
/// `stages` names as touched. Returns the bytes received.
pub(crate) fn deliver_network_packets<O: Observer>(
    burst: &mut Box<Burst>,
    stages: &mut Stages,
    cache: &mut PoolCache,
    ports: &mut [Box<Port>],
    at: usize,
    origin: Origin,
    observer: &mut O,
) -> u64 {
    let Some((port, mut others)) = Others::around(ports, at) else {
        return 0;
    };
    let (view, counters) = port.nic.load();
    let mut tally = Tally::new(counters);
    if !view.is_enabled() {
        drop_disabled(burst, &mut tally, observer);
        return tally.finish();
    }
    let Stages {
        packets,
        locals,
        transit,
        handler,
        punt,
        panics,
        stack,
        touched,
    } = stages;
    let forwarding = view.forwarding();
    let forwards = forwarding != Forwarding::OFF;
    let (other_protocols, for_many, has_offloads) = {
        let mut sorted = Sorted::new();
        ethernet_input::ethernet_input(view, burst, &mut sorted, &mut tally, observer);
        // What comes back from itself was never on the link (BEHAVIOURS H9).
        let is_seen = view.shows_received() && origin == Origin::Link;
        if is_seen && (view.shows_received_ip() || sorted.has_others()) {
            let mut writer = TapWriter::new(stack.seat(), cache);
            packet_endpoints::show_received(&view, burst, &sorted, &mut writer);
        }
        ip_input(view, origin, burst, &sorted, packets, &mut tally, observer);
        let for_many = if forwards { sorted.for_many() } else { 0 };
        let has_offloads = sorted.has_offloads();
        (sorted.into_others(), for_many, has_offloads)
    };
    let eligible = Eligible {
        forwarding,
        for_many,
    };
    transit.packets.clear();
    if forwards && view.takes_only_own() {
        ip_lookup::pick_distant(&view, eligible, packets, &mut transit.packets);
    }
    if !packets.is_empty() {
        view.lookup(packets);
    }
    if O::WATCHES {
        observe_lookup(view, burst, packets, observer);
        observe_lookup(view, burst, &transit.packets, observer);
    }
    let mut context = Context {
        arrival: view,
        output: &mut port.output,
        has_offloads,
        cache,
        punt,
        stack,
        tally,
        observer,
    };
    if other_protocols.len() > 0 {
        arp_input::arp_input(&mut context, burst, &other_protocols);
    }
    let mut local = local_deliver::Local { handler, panics };
    if forwards {
        if !packets.is_empty() {
            ip_lookup::pick(eligible, packets, &mut transit.packets);
        }
        if !transit.packets.is_empty() {
            let out = ip_forward::Out {
                others: &mut others,
                touched,
            };
            ip_lookup::ip_lookup(&mut context, burst, transit, locals, &mut local, out);
        }
    }
    if !packets.is_empty() {
        local_deliver::deliver(&mut context, &view, burst, packets, &mut local);
    }
    context.punt.flush();
    context.tally.finish()
}

/// The stages that validate network headers; they only read.
fn ip_input<O: Observer>(
    view: NicView<'_>,
    origin: Origin,
    frames: &[Frame],
    sorted: &Sorted<'_>,
    packets: &mut PacketBurst,
    tally: &mut Tally<'_>,
    observer: &mut O,
) {
    packets.clear();
    let sources = Sources::new(view, origin);
    ip4_input::ip4_input(sources, frames, sorted.v4(), packets, tally, observer);
    ip6_input::ip6_input(sources, frames, sorted.v6(), packets, tally, observer);
}

/// What arrives on a disabled NIC.
#[cold]
fn drop_disabled<O: Observer>(frames: &[Frame], tally: &mut Tally<'_>, observer: &mut O) {
    let reason = DropReason::NicDisabled;
    for frame in frames {
        let outcome = trace::EthernetInput::Dropped(reason);
        observer.step(frame, Outcome::EthernetInput(outcome));
    }
    tally.dropped(reason, frames.len() as u64);
    tally.received(frames.len(), frames.iter().map(Frame::len).sum());
}

/// The stage is the stack's, and does not know of observers.
fn observe_lookup<O: Observer>(
    view: NicView<'_>,
    frames: &[Frame],
    packets: &PacketBurst,
    observer: &mut O,
) {
    for (packet, found) in packets.inbound().iter().zip(packets.found()) {
        let outcome = match *found {
            Found::NOTHING => trace::Lookup::Nothing,
            Found::TEMPORARY => trace::Lookup::Temporary,
            Found::GROUP => trace::Lookup::Group,
            Found::BROADCAST => trace::Lookup::Broadcast,
            endpoint => match view.kind(endpoint) {
                Some(AddressKind::PermanentExpired) => trace::Lookup::PermanentExpired,
                Some(AddressKind::Temporary) => trace::Lookup::Held,
                _ => trace::Lookup::Permanent,
            },
        };
        if let Some(frame) = frames.get(usize::from(packet.frame)) {
            observer.step(frame, Outcome::Lookup(outcome));
        }
    }
}
