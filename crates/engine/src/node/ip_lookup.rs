//! Packets for other hosts, on a NIC that forwards: where they go by the routes of the stack.

use corelane_frame::{BURST, Burst, Frame};
use corelane_stack::{
    DropReason, Forwarding, Found, Hop, Inbound, Key, NicView, PacketBurst, PacketFlags,
};
use corelane_wire::ETHERNET_HEADER_LEN;

use super::context::Context;
use super::icmp_error::Error;
use super::ip_forward::{self, Out};
use super::local_deliver::Local;
use super::observer::Observer;
use crate::trace::{self, Outcome};

/// Packets for other hosts, between bursts: kept so that they need not be made anew.
pub(crate) struct Transit {
    pub(super) packets: Box<PacketBurst>,
    /// The hop of each.
    hops: [Hop; BURST],
    /// Those of them that leave by one NIC, and their hops, where they leave by several.
    group: PacketBurst,
    group_hops: [Hop; BURST],
}

impl Default for Transit {
    fn default() -> Self {
        Self {
            packets: Box::default(),
            hops: [Hop::NOWHERE; BURST],
            group: PacketBurst::default(),
            group_hops: [Hop::NOWHERE; BURST],
        }
    }
}

/// What of the packets of a burst may be sent on.
#[derive(Clone, Copy)]
pub(super) struct Eligible {
    pub(super) forwarding: Forwarding,
    /// The places of frames for many stations: these are not sent on (RFC 1812 section 5.3.4).
    pub(super) for_many: u64,
}

impl Eligible {
    /// Whether all packets are: no need to ask for each.
    #[inline]
    const fn has_all(self) -> bool {
        self.forwarding.v4 & self.forwarding.v6 & (self.for_many == 0)
    }

    /// Whether a packet is of a family that is sent on, and in a frame for one station.
    #[inline]
    fn has(self, packet: &Inbound) -> bool {
        let is_v4 = packet.flags.has(PacketFlags::V4);
        let is_on = if is_v4 {
            self.forwarding.v4
        } else {
            self.forwarding.v6
        };
        is_on & (self.for_many >> (packet.frame % 64) & 1 == 0)
    }
}

/// Takes out of `packets`, before they are looked up, those whose destinations are so far from all
/// addresses of the NIC that they need not be looked up: on a router that is nearly all. Those that may
/// be for many hosts stay. Only for a NIC that [takes only its own](NicView::takes_only_own).
#[inline(never)]
pub(super) fn pick_distant(
    view: &NicView<'_>,
    eligible: Eligible,
    packets: &mut Box<PacketBurst>,
    transit: &mut Box<PacketBurst>,
) {
    let spans = view.own_spans();
    let is_distant = |key: Key, is_v4: bool| {
        if is_v4 {
            // From 224.0.0.0 on are groups, what is reserved, and the broadcast.
            let address = key.low as u32;
            (address >> 29 < 7) & !spans.may_contain_v4(address)
        } else {
            (key.high >> 56 < 0xff) & !spans.may_contain_v6(key)
        }
    };
    let mut picked = 0_u64;
    let inbound = packets.inbound().iter();
    for (at, (packet, key)) in inbound.zip(packets.destinations()).enumerate() {
        let is_v4 = packet.flags.has(PacketFlags::V4);
        picked |= u64::from(is_distant(*key, is_v4)) << (at % 64);
    }
    if !eligible.has_all() {
        for (at, packet) in packets.inbound().iter().enumerate() {
            picked &= !(u64::from(!eligible.has(packet)) << (at % 64));
        }
    }
    if picked.count_ones() as usize == packets.len() {
        std::mem::swap(packets, transit);
    } else {
        packets.split_off(transit, |at, _, _| picked >> (at % 64) & 1 == 1);
    }
    transit.find_nothing();
}

/// Takes out of `packets` those that are to be forwarded: not the NIC's, of a family that it forwards,
/// to one host, and in a frame for one station.
#[inline(never)]
pub(super) fn pick(eligible: Eligible, packets: &mut PacketBurst, transit: &mut PacketBurst) {
    let mut for_groups = 0_u64;
    for (at, key) in packets.destinations().iter().enumerate() {
        for_groups |= u64::from(key.is_multicast()) << (at % 64);
    }
    packets.split_off(transit, |at, packet, found| {
        (found == Found::NOTHING) & eligible.has(packet) & (for_groups >> (at % 64) & 1 == 0)
    });
}

/// Looks the destinations up and hands the packets on, those of one NIC together.
#[inline(never)]
pub(super) fn ip_lookup<O: Observer>(
    context: &mut Context<'_, O>,
    burst: &mut Box<Burst>,
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
    let all_have_routes = context.stack.fib.lookup(packets.destinations(), hops);
    if O::WATCHES || !all_have_routes {
        drop_routeless(context, burst, packets, hops);
    }
    while !packets.is_empty() {
        let nic = hops[0].nic();
        let others = hops.get(..packets.len()).unwrap_or_default().iter();
        if others.fold(true, |all, hop| all & (hop.nic() == nic)) {
            // As nearly always: no need to sort them.
            ip_forward::ip_forward(context, burst, nic, packets, hops, locals, local, &mut out);
            return;
        }
        group.clear();
        let (mut taken, mut kept) = (0, 0);
        packets.split_off(group, |at, _, _| {
            let hop = hops[at % BURST];
            let is_of_group = hop.nic() == nic;
            if is_of_group {
                group_hops[taken % BURST] = hop;
                taken += 1;
            } else {
                hops[kept % BURST] = hop;
                kept += 1;
            }
            is_of_group
        });
        ip_forward::ip_forward(
            context, burst, nic, group, group_hops, locals, local, &mut out,
        );
    }
}

/// Drops those that no route leads on.
fn drop_routeless<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &[Frame],
    packets: &mut PacketBurst,
    hops: &mut [Hop; BURST],
) {
    let (mut at, mut kept) = (0, 0);
    packets.retain(|packet, _| {
        let hop = hops[at % BURST];
        at += 1;
        if hop.is_nowhere() {
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
