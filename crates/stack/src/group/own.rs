//! The groups that a NIC is in on its own account, beside the solicited-node groups of its addresses.

use crate::address::{Family, Key};

/// 224.0.0.1.
pub(super) const ALL_SYSTEMS: Key = Key::v4(0xe000_0001);
/// ff02::1.
pub(super) const ALL_NODES: Key = Key::v6(0xff02 << 112 | 1);

/// 224.0.0.2. No RFC has a router join it; to IANA it is that of all routers on a subnet.
const ALL_ROUTERS_V4: [Key; 1] = [Key::v4(0xe000_0002)];
/// ff01::2, ff02::2 and ff05::2: those of the interface, the link and the site (RFC 4291 sections
/// 2.7.1 and 2.8).
const ALL_ROUTERS_V6: [Key; 3] = [
    Key::v6(0xff01 << 112 | 2),
    Key::v6(0xff02 << 112 | 2),
    Key::v6(0xff05 << 112 | 2),
];

/// The group of all hosts of a family, which a NIC is in while it is enabled. Never reported.
pub(super) const fn all_hosts(family: Family) -> Key {
    match family {
        Family::V4 => ALL_SYSTEMS,
        Family::V6 => ALL_NODES,
    }
}

/// The groups of all routers of a family, which a NIC is in while it forwards that.
pub(super) const fn all_routers(family: Family) -> &'static [Key] {
    match family {
        Family::V4 => &ALL_ROUTERS_V4,
        Family::V6 => &ALL_ROUTERS_V6,
    }
}
