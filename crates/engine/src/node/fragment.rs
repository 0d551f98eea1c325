//! Cuts packets into fragments that a link takes (RFC 791 section 3.2, RFC 8200 section 4.5): what is
//! sent on, and what the stack itself replies.

use corelane_frame::Frame;
use corelane_wire::checksum::update_u16;
use corelane_wire::fragment::{
    Fragment, plan_ipv4_fragments, plan_ipv6_fragments, write_ipv4_fragment_header,
    write_ipv6_fragment_headers,
};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::{Ipv4Packet, NoRoom, parse_ipv4, parse_ipv6};

use super::context::Context;
use super::ip_lookup::NETWORK;
use super::observer::Observer;

/// Writes a fragment of an IPv4 packet into `frame`, with the link header of `whole`. None if it has no
/// room.
pub(super) fn write_v4(
    frame: &mut Frame,
    whole: &Frame,
    packet: &Ipv4Packet<'_>,
    fragment: &Fragment,
) -> Option<()> {
    let payload = packet.payload.get(fragment.range.clone())?;
    write(frame, whole, payload, |buffer| {
        write_ipv4_fragment_header(buffer, packet, fragment)
    })
}

/// The link header of `whole`, network headers, and the part of the payload.
fn write(
    frame: &mut Frame,
    whole: &Frame,
    payload: &[u8],
    headers: impl FnOnce(&mut [u8]) -> Result<usize, NoRoom>,
) -> Option<()> {
    let (ethernet, rest) = frame.spare_mut().split_at_mut_checked(NETWORK)?;
    ethernet.copy_from_slice(whole.data().get(..NETWORK)?);
    let len = headers(rest).ok()?;
    rest.get_mut(len..len + payload.len())?
        .copy_from_slice(payload);
    frame.set_len(NETWORK + len + payload.len()).ok()?;
    frame.set_nic(whole.nic());
    frame.set_rx_time(whole.rx_time());
    frame.set_rss_hash(whole.rss_hash());
    frame.set_trace(whole.trace());
    Some(())
}

/// Sends a reply on the NIC that its burst arrived on: an echo is as large as its request, which may
/// have come in fragments (RFC 1122 section 3.2.2.6). Fragments for which there is no frame are missing
/// at the other end, as on any link.
#[cold]
pub(super) fn reply_in_fragments<O: Observer>(
    context: &mut Context<'_, O>,
    mut whole: Frame,
    is_v4: bool,
) {
    if is_v4 {
        may_be_cut(&mut whole);
        reply_v4(context, &whole);
    } else {
        reply_v6(context, &whole);
    }
    context.cache.recycle(whole);
}

/// Clears the bit that forbids it: it was the request's. The identification stays the request's,
/// which its sender has used for no other of late.
fn may_be_cut(whole: &mut Frame) {
    if let Some(header) = whole
        .data_mut()
        .get_mut(NETWORK..)
        .and_then(ipv4_header_mut)
    {
        let checksum = update_u16(header.checksum.get(), header.flags_offset.get(), 0);
        header.flags_offset.set(0);
        header.checksum.set(checksum);
    }
}

fn reply_v4<O: Observer>(context: &mut Context<'_, O>, whole: &Frame) -> Option<()> {
    let packet = parse_ipv4(whole.data().get(NETWORK..)?).ok()?;
    for fragment in plan_ipv4_fragments(&packet, context.arrival.mtu()).ok()? {
        let mut frame = context.cache.alloc()?;
        match write_v4(&mut frame, whole, &packet, &fragment) {
            Some(()) => context.reply(frame),
            None => context.cache.recycle(frame),
        }
    }
    Some(())
}

fn reply_v6<O: Observer>(context: &mut Context<'_, O>, whole: &Frame) -> Option<()> {
    let packet = parse_ipv6(whole.data().get(NETWORK..)?).ok()?;
    let plan = plan_ipv6_fragments(&packet, context.arrival.mtu()).ok()?;
    let identification = context.stack.fragment_identification();
    for fragment in plan.clone() {
        let mut frame = context.cache.alloc()?;
        let payload = packet.payload.get(fragment.range.clone())?;
        let written = write(&mut frame, whole, payload, |buffer| {
            write_ipv6_fragment_headers(buffer, &packet, &plan, &fragment, identification)
        });
        match written {
            Some(()) => context.reply(frame),
            None => context.cache.recycle(frame),
        }
    }
    Some(())
}
