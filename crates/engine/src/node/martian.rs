//! Addresses that no packet from a link may have where it has them (RFC 1122 section 3.2.1.3, RFC 1812
//! section 5.3.7, RFC 4291 section 2.5).

use corelane_stack::{Key, NicView};

use super::Origin;

/// What sources are refused on the NIC that a burst arrived on.
#[derive(Clone, Copy)]
pub(super) struct Sources<'w> {
    view: NicView<'w>,
    /// Packets come from the NIC itself: it may send from its own addresses, and to loopback ones.
    own_allowed: bool,
}

impl<'w> Sources<'w> {
    pub(super) fn new(view: NicView<'w>, origin: Origin) -> Self {
        Self {
            view,
            own_allowed: origin == Origin::Looped || view.is_loopback(),
        }
    }

    /// Whether no IPv4 packet may be from `source`, or to `destination`, both in host order.
    #[inline]
    pub(super) fn is_martian_v4(&self, source: u32, destination: u32) -> bool {
        // Groups, reserved addresses and the broadcast: one comparison.
        let nobody = source >> 28 >= 0xe;
        let loopback = (source >> 24 == 127) | (destination >> 24 == 127);
        nobody | (loopback & !self.own_allowed) || self.is_own(Key::v4(source))
    }

    /// Whether no IPv6 packet may be from `source`, or to `destination`. Neighbor discovery may be from
    /// one of the NIC's own addresses: that is how another host that has it too is found out.
    #[inline]
    pub(super) fn is_martian_v6(
        &self,
        source: Key,
        destination: Key,
        is_ndp: impl FnOnce() -> bool,
    ) -> bool {
        const LOOPBACK: Key = Key { high: 0, low: 1 };
        // Mapped addresses are not for the wire (RFC 4291 section 2.5.5.2), and in the tables they
        // would be IPv4 addresses; a group is nobody's source (section 2.7).
        let mapped = destination.is_v4() | source.is_v4();
        let loopback = (source == LOOPBACK) | (destination == LOOPBACK);
        mapped | source.is_multicast() | (loopback & !self.own_allowed)
            || (self.is_own(source) && !is_ndp())
    }

    /// Whether it is the NIC's own, or a broadcast of its subnets.
    #[inline]
    fn is_own(&self, source: Key) -> bool {
        self.view.may_be_own_source(source) && !self.own_allowed && self.view.is_own_source(source)
    }
}
