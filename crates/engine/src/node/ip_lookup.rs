//! Packets for other hosts, on a NIC that forwards: where they go by the routes of the stack.

use corelane_frame::{BURST, Frame};
use corelane_stack::{DropReason, Found, Hop, Inbound, PacketBurst, PacketFlags};
use corelane_wire::ETHERNET_HEADER_LEN;

use super::context::Context;
use super::icmp_error::Error;
use super::ip_forward::{self, Out};
use super::local_deliver::Local;
use super::observer::Observer;
use crate::trace::{self, Outcome};

/// Packets for other hosts, between bursts: kept so that they need not be made anew.
pub(crate) struct Transit {
    pub(super) packets: PacketBurst,
    /// The hop of each.
    hops: [Option<Hop>; BURST],
    /// Those of them that leave by one NIC, and their hops.
    pub(super) group: PacketBurst,
    pub(super) group_hops: [Hop; BURST],
}

impl Default for Transit {
    fn default() -> Self {
        Self {
            packets: PacketBurst::default(),
            hops: [None; BURST],
            group: PacketBurst::default(),
            group_hops: [Hop::NOWHERE; BURST],
        }
    }
}

/// Takes out of `packets` those that are to be forwarded: not the NIC's, of a family that it forwards,
/// to one host, and in a frame for one station (RFC 1812 section 5.3.4).
#[inline(never)]
pub(super) fn pick<O>(
    context: &Context<'_, O>,
    frames: &[Frame],
    packets: &mut PacketBurst,
    transit: &mut PacketBurst,
) {
    let forwarding = context.arrival.forwarding();
    transit.clear();
    let destinations = *packets.all_destinations();
    packets.split_off(transit, |at, packet, found| {
        let is_v4 = packet.flags.has(PacketFlags::V4);
        let is_on = if is_v4 { forwarding.v4 } else { forwarding.v6 };
        (found == Found::NOTHING)
            & is_on
            & !destinations[at % BURST].is_multicast()
            // The bit of an address of many stations (IEEE 802).
            && frames
                .get(usize::from(packet.frame))
                .and_then(|frame| frame.data().first())
                .is_some_and(|first| first & 1 == 0)
    });
}

/// Looks the destinations up and hands the packets on, those of one NIC together.
#[inline(never)]
pub(super) fn ip_lookup<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    transit: &mut Transit,
    locals: &mut PacketBurst,
    local: &mut Local<'_>,
    mut out: Out<'_, '_>,
) {
    let Transit {
        packets,
        hops,
        group,
        group_hops,
    } = transit;
    context.stack.fib.lookup(packets.destinations(), hops);
    drop_routeless(context, frames, packets, hops);
    while let Some(nic) = hops[0].filter(|_| !packets.is_empty()).map(|hop| hop.nic) {
        group.clear();
        let (mut taken, mut kept) = (0, 0);
        packets.split_off(group, |at, _, _| {
            let Some(hop) = hops[at % BURST] else {
                return false;
            };
            let is_of_group = hop.nic == nic;
            if is_of_group {
                group_hops[taken % BURST] = hop;
                taken += 1;
            } else {
                hops[kept % BURST] = Some(hop);
                kept += 1;
            }
            is_of_group
        });
        ip_forward::ip_forward(
            context, frames, nic, group, group_hops, locals, local, &mut out,
        );
    }
}

/// Drops those that no route leads on.
fn drop_routeless<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &[Frame],
    packets: &mut PacketBurst,
    hops: &mut [Option<Hop>; BURST],
) {
    let (mut at, mut kept) = (0, 0);
    packets.retain(|packet, _| {
        let hop = hops[at % BURST];
        at += 1;
        if hop.is_none() {
            no_route(context, frames, packet);
            return false;
        }
        hops[kept % BURST] = hop;
        kept += 1;
        context.observe(frames, packet, || {
            Outcome::IpLookup(trace::IpLookup::Routed)
        });
        true
    });
}

#[cold]
fn no_route<O: Observer>(context: &mut Context<'_, O>, frames: &[Frame], packet: &Inbound) {
    let is_local = frames
        .get(usize::from(packet.frame))
        .is_none_or(|frame| ip_forward::stays_on_link(frame, packet));
    let (reason, error) = if is_local {
        (DropReason::NotForwarded, None)
    } else {
        (DropReason::NoRoute, Some(Error::NoRoute))
    };
    let arrival = context.arrival;
    if let Some(error) = error {
        context.answer(&arrival, frames, packet, error);
    }
    context.drop(frames, packet, reason, |reason| {
        Outcome::IpLookup(trace::IpLookup::Dropped(reason))
    });
}

/// Where the network header of a packet begins.
pub(super) const NETWORK: usize = ETHERNET_HEADER_LEN;
