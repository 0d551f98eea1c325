//! Cuts packets that a link does not take whole into fragments (RFC 791 section 3.2, RFC 8200
//! section 4.5).

use corelane_frame::{Frame, PoolCache};
use corelane_wire::fragment::{plan_ipv4_fragments, write_ipv4_fragment_header};
use corelane_wire::{NoRoom, parse_ipv4};

use super::context::Context;
use super::ip_lookup::NETWORK;

/// Cuts an IPv4 packet into pieces, each in a frame of its own, which `take` is given in order. None if there are
/// not enough frames, or `take` has no use for more.
pub(super) fn cut_v4<O>(
    context: &mut Context<'_, O>,
    whole: &Frame,
    mtu: usize,
    mut take: impl FnMut(&mut Context<'_, O>, Frame) -> Option<()>,
) -> Option<()> {
    let packet = parse_ipv4(whole.data().get(NETWORK..)?).ok()?;
    for fragment in plan_ipv4_fragments(&packet, mtu).ok()? {
        let payload = packet.payload.get(fragment.range.clone())?;
        let piece = piece(context.cache, whole, payload, |buffer| {
            write_ipv4_fragment_header(buffer, &packet, &fragment)
        })?;
        take(context, piece)?;
    }
    Some(())
}

/// A piece in a frame of its own: the link header of `whole`, network headers, and a part of the payload.
/// None if there is no frame for it.
pub(super) fn piece(
    cache: &mut PoolCache,
    whole: &Frame,
    payload: &[u8],
    headers: impl FnOnce(&mut [u8]) -> Result<usize, NoRoom>,
) -> Option<Frame> {
    let mut frame = cache.alloc()?;
    match write(&mut frame, whole, payload, headers) {
        Some(()) => Some(frame),
        None => {
            cache.recycle(frame);
            None
        }
    }
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
