//! Writes the fragments of packets that a link does not take whole (RFC 791 section 3.2, RFC 8200
//! section 4.5).

use corelane_frame::Frame;
use corelane_wire::checksum::update_u16;
use corelane_wire::fragment::{
    Fragment, Ipv6FragmentPlan, write_ipv4_fragment_header, write_ipv6_fragment_headers,
};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::{Ipv4Packet, Ipv6Packet, NoRoom};

use super::ip_lookup::NETWORK;

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

/// As [`write_v4`], of an IPv6 packet that is sent from here in fragments of this plan.
pub(super) fn write_v6(
    frame: &mut Frame,
    whole: &Frame,
    packet: &Ipv6Packet<'_>,
    (plan, fragment): (&Ipv6FragmentPlan, &Fragment),
    identification: u32,
) -> Option<()> {
    let payload = packet.payload.get(fragment.range.clone())?;
    write(frame, whole, payload, |buffer| {
        write_ipv6_fragment_headers(buffer, packet, plan, fragment, identification)
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

/// Clears the bit that forbids to cut a reply: it was the request's.
#[cold]
pub(super) fn may_be_cut(whole: &mut Frame) {
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
