//! Shows frames to packet endpoints, before anything is checked (BEHAVIOURS H3, H4).

use corelane_frame::{BURST, Frame};
use corelane_stack::{NicView, TapWriter};
use corelane_wire::EtherType;

use super::ethernet_input::Sorted;

/// Shows the frames of a burst that somebody asked for, in the order they came. Where only some
/// protocols are asked for, the frames of others are not looked at.
// Not inlined: the path without packet endpoints stays small.
#[inline(never)]
pub(super) fn show_received(
    view: &NicView<'_>,
    frames: &[Frame],
    sorted: &Sorted<'_>,
    writer: &mut TapWriter<'_>,
) {
    // A bit for each place: who asked for several protocols gets them in one order.
    let mut wanted = if view.shows_all_received() {
        u64::MAX
    } else {
        view.shown_protocols()
            .flat_map(|ethertype| places_of(view, frames, sorted, ethertype))
            .fold(0, |wanted, place| {
                wanted | 1 << (usize::from(place) % BURST)
            })
    };
    if wanted == 0 {
        return;
    }
    let shown = frames.iter().filter(|_| {
        let is_wanted = wanted & 1 == 1;
        wanted >>= 1;
        is_wanted
    });
    view.show_received(shown, writer);
}

/// The places of the frames of a protocol.
fn places_of(
    view: &NicView<'_>,
    frames: &[Frame],
    sorted: &Sorted<'_>,
    ethertype: EtherType,
) -> impl Iterator<Item = u8> {
    // Those of a protocol that the NIC does not speak are not sorted any more (BUG 14).
    let is_sorted = match ethertype {
        EtherType::IPV4 => view.accepts_v4(),
        EtherType::IPV6 => view.accepts_v6(),
        _ => true,
    };
    let unsorted =
        (0..frames.len() as u8).filter(move |place| !is_sorted && sorted.is_of(*place, ethertype));
    sorted.places_of(ethertype).chain(unsorted)
}
