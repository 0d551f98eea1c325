//! Addresses that no packet from a link may have where it has them (RFC 1122 section 3.2.1.3, RFC 1812
//! section 5.3.7, RFC 4291 section 2.5).

use std::net::Ipv4Addr;

use corelane_stack::{Key, NicView, Spans};

use super::Origin;

/// What sources are refused on the NIC that a burst arrived on.
///
/// Every packet is asked about, and nearly none is refused: one test, without a branch in it, tells
/// that a packet is harmless, and what it cannot tell is looked into elsewhere.
#[derive(Clone, Copy)]
pub(super) struct Sources<'w> {
    view: NicView<'w>,
    own: Spans,
    /// Packets come from the NIC itself: it may send from its own addresses, and to loopback ones.
    own_allowed: bool,
}

impl<'w> Sources<'w> {
    pub(super) fn new(view: NicView<'w>, origin: Origin) -> Self {
        Self {
            view,
            own: view.own_spans(),
            own_allowed: origin == Origin::Looped || view.is_loopback(),
        }
    }

    /// Whether no IPv4 packet may be from `source`, or to `destination`.
    #[inline]
    pub(super) fn is_martian_v4(self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        let doubtful = is_nobody_v4(source)
            | is_loopback_v4(source)
            | is_loopback_v4(destination)
            | self.own.may_contain_v4(source.to_bits());
        doubtful && self.is_refused_v4(source, destination)
    }

    /// Whether no IPv6 packet may be from `source`, or to `destination`. Neighbor discovery may be from
    /// one of the NIC's own addresses: that is how another host that has it too is found out.
    #[inline]
    pub(super) fn is_martian_v6(
        self,
        source: Key,
        destination: Key,
        is_ndp: impl FnOnce() -> bool,
    ) -> bool {
        // Mapped and loopback addresses begin with 64 zeros, and hardly any others do.
        let doubtful = (source.high == 0)
            | (destination.high == 0)
            | is_group_v6(source)
            | self.own.may_contain_v6(source);
        doubtful && self.is_refused_v6(source, destination, is_ndp)
    }

    #[inline(never)]
    fn is_refused_v4(self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        let loopback = is_loopback_v4(source) || is_loopback_v4(destination);
        is_nobody_v4(source)
            || (loopback && !self.own_allowed)
            || self.is_own(Key::v4(source.to_bits()))
    }

    #[inline(never)]
    fn is_refused_v6(self, source: Key, destination: Key, is_ndp: impl FnOnce() -> bool) -> bool {
        const LOOPBACK: Key = Key { high: 0, low: 1 };
        // Mapped addresses are not for the wire (RFC 4291 section 2.5.5.2), and in the tables they
        // would be IPv4 addresses; a group is nobody's source (section 2.7).
        let mapped = destination.is_v4() || source.is_v4();
        let loopback = source == LOOPBACK || destination == LOOPBACK;
        mapped
            || is_group_v6(source)
            || (loopback && !self.own_allowed)
            || (self.is_own(source) && !is_ndp())
    }

    /// Whether it is the NIC's own, or a broadcast of its subnets.
    fn is_own(self, source: Key) -> bool {
        !self.own_allowed && self.view.is_own_source(source)
    }
}

/// Groups, reserved addresses and the broadcast: nobody's.
#[inline]
const fn is_nobody_v4(address: Ipv4Addr) -> bool {
    address.octets()[0] >= 0xe0
}

#[inline]
const fn is_loopback_v4(address: Ipv4Addr) -> bool {
    address.octets()[0] == 127
}

#[inline]
const fn is_group_v6(key: Key) -> bool {
    key.high >> 56 == 0xff
}
