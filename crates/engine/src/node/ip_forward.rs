//! Sends packets for other hosts on: TTL, MTU, the next hop's link address (RFC 1812 section 5, RFC
//! 8200, RFC 4861).

mod cut;
mod odd;
mod prepare;

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Burst, Frame};
use corelane_stack::{DropReason, Found, Hop, LinkWord, NicCounter, NicId, NicView, PacketBurst};
use corelane_sync::counters::CounterWriter;
use corelane_wire::MacAddr;

use super::context::Context;
use super::icmp_error::Error;
use super::ip_lookup::NETWORK;
use super::link_output::LinkOutput;
use super::local_deliver::{self, Local};
use super::observer::Observer;
use super::tally::Tally;
use crate::port::Others;
use crate::trace::{self, Outcome};
use odd::send_odd;
use prepare::prepare_plain;

pub(super) use odd::fits_in_segments;
pub(super) use prepare::stays_on_link;

/// The ways out of a worker beside that of the NIC a burst arrived on.
pub(super) struct Out<'a, 'p> {
    pub(super) others: &'a mut Others<'p>,
    /// Those that have something to send now.
    pub(super) touched: &'a mut ArrayVec<usize, BURST>,
}

/// Where a group of packets leaves.
struct Egress<'e> {
    nic: NicId,
    mac: MacAddr,
    mtu: usize,
    /// None: by the NIC that the burst arrived on.
    port: Option<(
        &'e mut LinkOutput,
        NicView<'e>,
        &'e mut CounterWriter<NicCounter>,
    )>,
}

impl Egress<'_> {
    /// What the NIC counts, of which `tally` has those of the NIC the burst arrived on.
    fn counters<'c>(&'c mut self, tally: &'c mut Tally<'_>) -> &'c mut CounterWriter<NicCounter> {
        match &mut self.port {
            Some((_, _, counters)) => counters,
            None => tally.counters(),
        }
    }
}

/// Sends the packets of `group` out by one NIC; those that are for an address of that NIC are for this
/// host (BEHAVIOURS J4, and J5: to that address itself).
#[inline(never)]
#[expect(
    clippy::too_many_arguments,
    reason = "what a worker keeps between bursts is many things"
)]
pub(super) fn ip_forward<O: Observer>(
    context: &mut Context<'_, O>,
    burst: &mut Box<Burst>,
    nic: NicId,
    group: &mut PacketBurst,
    hops: &mut [Hop; BURST],
    locals: &mut PacketBurst,
    local: &mut Local<'_>,
    out: &mut Out<'_, '_>,
) {
    if nic == context.arrival.id() {
        let egress = Egress {
            nic,
            mac: context.arrival.mac(),
            mtu: context.arrival.mtu(),
            port: None,
        };
        send_on(context, burst, egress, group, hops);
        return;
    }
    let Some((number, port)) = out.others.of(nic) else {
        return drop_all(context, burst, group);
    };
    let (view, counters) = port.nic.load();
    if !view.is_enabled() {
        return drop_all(context, burst, group);
    }
    if view.may_have_any(group.destinations()) {
        view.lookup(group);
        // Neither nobody's, nor taken because the NIC takes what is: known to it.
        let is_known = |found: &Found| found.is_endpoint() | found.is_for_many();
        if group.found().iter().any(is_known) {
            take_local(context, burst, &view, group, hops, locals, local);
            drop_broadcasts(context, burst, group, hops);
        }
        if group.is_empty() {
            return;
        }
    }
    if !out.touched.contains(&number) && !out.touched.is_full() {
        out.touched.push(number);
    }
    let egress = Egress {
        nic,
        mac: view.mac(),
        mtu: view.mtu(),
        port: Some((&mut port.output, view, counters)),
    };
    send_on(context, burst, egress, group, hops);
}

/// Delivers those that are for an address of the NIC they would leave by.
#[cold]
fn take_local<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &mut [Frame],
    view: &NicView<'_>,
    group: &mut PacketBurst,
    hops: &mut [Hop; BURST],
    locals: &mut PacketBurst,
    local: &mut Local<'_>,
) {
    locals.clear();
    let mut kept = 0;
    group.split_off(locals, |at, _, found| {
        let is_local = found.is_endpoint();
        if !is_local {
            hops[kept % BURST] = hops[at % BURST];
            kept += 1;
        }
        is_local
    });
    for packet in locals.inbound() {
        context.observe(frames, packet, || {
            Outcome::IpForward(trace::IpForward::Local)
        });
    }
    local_deliver::deliver(context, view, frames, locals, local);
}

/// Drops those for all hosts of a subnet that the NIC they would leave by is in: from elsewhere, they
/// are an amplifier's (RFC 2644).
#[cold]
fn drop_broadcasts<O: Observer>(
    context: &mut Context<'_, O>,
    frames: &[Frame],
    group: &mut PacketBurst,
    hops: &mut [Hop; BURST],
) {
    let (mut at, mut kept) = (0, 0);
    group.retain(|packet, found| {
        let hop = hops[at % BURST];
        at += 1;
        if found.is_for_many() {
            context.drop(frames, packet, DropReason::NotForwarded, |reason| {
                Outcome::IpForward(trace::IpForward::Dropped(reason))
            });
            return false;
        }
        hops[kept % BURST] = hop;
        kept += 1;
        true
    });
}

/// Nothing leaves by that NIC.
#[cold]
fn drop_all<O: Observer>(context: &mut Context<'_, O>, frames: &[Frame], group: &PacketBurst) {
    let arrival = context.arrival;
    for packet in group.inbound() {
        context.answer(&arrival, frames, packet, Error::NoRoute);
        context.drop(frames, packet, DropReason::EgressDown, |reason| {
            Outcome::IpForward(trace::IpForward::Dropped(reason))
        });
    }
}

fn send_on<O: Observer>(
    context: &mut Context<'_, O>,
    burst: &mut Box<Burst>,
    mut egress: Egress<'_>,
    group: &PacketBurst,
    hops: &[Hop; BURST],
) {
    let mut links = [LinkWord::UNKNOWN; BURST];
    let keys = group.destinations();
    context.stack.fib.links(egress.nic, keys, hops, &mut links);
    // The places of the frames that are ready to leave.
    let mut ready = 0_u64;
    let mut from = 0;
    while let Some(odd) = address_all(burst, group, &links, from, &egress, &mut ready) {
        from = odd + 1;
        let (Some(packet), Some(key)) = (group.inbound().get(odd), keys.get(odd)) else {
            continue;
        };
        let hop = hops[odd % BURST];
        // Packets leave in the order they came.
        hand_over(context, burst, std::mem::take(&mut ready), &mut egress);
        if send_odd(context, burst, packet, hop, *key, &mut egress) {
            ready |= 1 << (packet.frame % 64);
        }
    }
    hand_over(context, burst, ready, &mut egress);
}

/// Makes packets ready to leave and notes the places of their frames, until one of them is odd: returns its number.
// On its own: what the odd ones need would take the registers from this loop.
#[inline(never)]
fn address_all(
    frames: &mut [Frame],
    group: &PacketBurst,
    links: &[LinkWord; BURST],
    from: usize,
    egress: &Egress<'_>,
    ready: &mut u64,
) -> Option<usize> {
    let (mtu, source) = (egress.mtu, egress.mac);
    let mut done = *ready;
    let packets = group.inbound().get(from..).unwrap_or_default();
    let keys = group.destinations().get(from..).unwrap_or_default();
    let links = links.get(from..).unwrap_or_default();
    let mut packets = packets.iter().zip(keys).zip(links);
    let odd = packets.position(|((packet, key), link)| {
        let frame = frames.get_mut(usize::from(packet.frame));
        let Some((frame, mac)) = frame.zip(link.usable()) else {
            return true;
        };
        let is_plain = prepare_plain(frame, packet, *key, mtu, |ethernet| {
            address(ethernet, mac, source);
        });
        done |= u64::from(is_plain) << (packet.frame % 64);
        !is_plain
    });
    *ready = done;
    odd.map(|odd| from + odd)
}

/// Puts the frames at these places in line on the way out.
fn hand_over<O: Observer>(
    context: &mut Context<'_, O>,
    burst: &mut Box<Burst>,
    ready: u64,
    egress: &mut Egress<'_>,
) {
    context.tally.forwarded(ready.count_ones() as usize);
    if O::WATCHES {
        for (place, frame) in burst.iter().enumerate() {
            if ready >> (place % 64) & 1 == 1 {
                let outcome = Outcome::IpForward(trace::IpForward::Forwarded);
                context.observer.step(frame, outcome);
            }
        }
    }
    let Context {
        arrival,
        output,
        cache,
        stack,
        tally,
        observer,
        ..
    } = context;
    match &mut egress.port {
        Some((output, view, counters)) => {
            output.stage_places(burst, ready, view, stack.seat(), cache, counters, *observer);
        }
        None => {
            let counters = tally.counters();
            output.stage_places(
                burst,
                ready,
                arrival,
                stack.seat(),
                cache,
                counters,
                *observer,
            );
        }
    }
}

/// Addresses a frame to the next hop. Both addresses in two stores, of which the part that is the same for all frames is
/// made once for a loop.
#[inline(always)]
fn address(ethernet: &mut [u8; NETWORK], destination: MacAddr, source: MacAddr) {
    let [a, b, c, d, e, f] = destination.octets();
    let [g, h, back @ ..] = source.octets();
    // As words: put together byte by byte they would be moved byte by byte.
    let front =
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) | u64::from_le_bytes([0, 0, 0, 0, 0, 0, g, h]);
    ethernet[..8].copy_from_slice(&front.to_le_bytes());
    ethernet[8..12].copy_from_slice(&back);
}
