//! TEMPORARY
use super::context::Context;
use super::observer::Observer;
use corelane_frame::Frame;
use corelane_stack::{Inbound, NicView, PacketBurst};
pub(super) fn transport_demux<O: Observer>(
    _: &mut Context<'_, O>,
    _: &NicView<'_>,
    _: &mut [Frame],
    _: &mut PacketBurst,
) {
}
pub(super) fn show_raw<O: Observer>(_: &mut Context<'_, O>, _: &[Frame], _: &Inbound) {}
