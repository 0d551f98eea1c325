//! Shows frames to packet endpoints, before anything is checked (BEHAVIOURS H3, H4).

use corelane_frame::Frame;
use corelane_stack::{NicView, TapWriter};

use super::ethernet_input::Sorted;

/// Shows the frames of a burst that somebody asked for. Where only some protocols are asked for, the
/// frames of others are not looked at.
// Not inlined: the path without packet endpoints stays small.
#[inline(never)]
pub(super) fn show_received(
    view: NicView<'_>,
    frames: &[Frame],
    sorted: &Sorted<'_>,
    writer: &mut TapWriter<'_>,
) {
    if view.shows_all_received() {
        for frame in frames {
            view.show_received(frame, writer);
        }
        return;
    }
    for ethertype in view.shown_protocols() {
        for place in sorted.places_of(ethertype) {
            if let Some(frame) = frames.get(usize::from(place)) {
                view.show_received(frame, writer);
            }
        }
    }
}
