//! The stages of a frame's way through a worker, one file each.
//!
//! ```text
//! deliver_network_packets
//!    ethernet_input ─┬─► ip4_input ─┐
//!                    └─► ip6_input ─┴─► lookup ─► local_deliver ─┬─► handler
//!                                                                ├─► icmp_echo ─► link_output
//!                                                                └─► control_input ─► punt
//! ```
//!
//! A stage takes a burst and sorts it into the next stages' bursts. What ends in a stage is
//! counted there, by a [`DropReason`](corelane_stack::DropReason) or as consumed, and its frame
//! stays where it is in the burst: the worker recycles the burst as a whole at the end.
//!
//! Stages are called once per burst and not inlined, so that a profile shows them by name.

mod control_input;
mod ethernet_input;
mod icmp_echo;
mod ip4_input;
mod ip6_input;
mod link_output;
mod local_deliver;
mod observer;
mod tally;
#[cfg(test)]
mod tests;
mod transport;

use corelane_frame::{Burst, Frame};
use corelane_stack::{AddressKind, DropReason, Found, Handler, NicDatapath, NicView, PacketBurst};

use crate::punt::Punt;
use crate::trace::{self, Outcome};
use ethernet_input::Sorted;
pub(crate) use link_output::{LinkOutput, Outlet, drop_unsent, transmit};
pub(crate) use local_deliver::{HandlerPanic, catch_panic};
pub(crate) use observer::{Observer, Quiet, Traced};
use tally::Tally;

/// What the stages of one worker have between bursts, kept so that it need not be made anew.
pub(crate) struct Stages {
    pub(crate) packets: Box<PacketBurst>,
    pub(crate) handler: Box<dyn Handler>,
    pub(crate) punt: Punt,
    pub(crate) panics: Vec<HandlerPanic>,
}

/// The input stages, which only read.
fn input<O: Observer>(
    view: NicView<'_>,
    frames: &[Frame],
    packets: &mut PacketBurst,
    tally: &mut Tally<'_>,
    observer: &mut O,
) {
    packets.clear();
    let mut sorted = Sorted::new();
    ethernet_input::ethernet_input(view, frames, &mut sorted, tally, observer);
    ip4_input::ip4_input(frames, sorted.v4(), packets, tally, observer);
    ip6_input::ip6_input(frames, sorted.v6(), packets, tally, observer);
}

/// Takes a burst of frames that arrived on one NIC through all stages (netstack's
/// `DeliverNetworkPacket`, by burst). On return each frame is accounted for; those that nobody
/// took are still in `burst`. Replies are in `output`. Returns the bytes received.
pub(crate) fn deliver_network_packets<O: Observer>(
    burst: &mut Burst,
    stages: &mut Stages,
    nic: &mut NicDatapath,
    output: &mut LinkOutput,
    observer: &mut O,
) -> u64 {
    let (view, counters) = nic.load();
    let mut tally = Tally::new(counters);
    if !view.is_enabled() {
        drop_disabled(burst, &mut tally, observer);
        return tally.finish();
    }
    input(view, burst, &mut stages.packets, &mut tally, observer);
    view.lookup(&mut stages.packets);
    if O::WATCHES {
        observe_lookup(view, burst, &mut stages.packets, observer);
    }
    local_deliver::local_deliver(&view, burst, stages, output, &mut tally, observer);
    local_deliver::call_handler(view, burst, stages, output, &mut tally, observer);
    tally.finish()
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
    packets: &mut PacketBurst,
    observer: &mut O,
) {
    packets.retain(|packet, found| {
        let outcome = match found {
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
        true
    });
}
