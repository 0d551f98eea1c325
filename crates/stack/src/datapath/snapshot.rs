//! One version of a NIC.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use corelane_sync::refs::AddressKind;

use crate::address::Key;
use crate::broadcast::BroadcastSet;
use crate::config::Forwarding;
use crate::endpoint::Endpoints;
use crate::group::GroupSet;
use crate::packet_endpoint::Taps;
use crate::range::RangeSet;
use crate::source_filter::SourceFilter;
use crate::table::Table;

/// Everything of a NIC that the datapath reads, as it was when the control plane published it.
pub(crate) struct NicSnapshot {
    pub(crate) table: Table,
    pub(crate) ranges: Arc<RangeSet>,
    pub(crate) groups: GroupSet,
    pub(crate) broadcasts: BroadcastSet,
    /// Which sources may be the NIC's own addresses or broadcasts.
    pub(crate) own: SourceFilter,
    pub(crate) error_sources: ErrorSources,
    /// The packet endpoints, if there are any.
    pub(crate) taps: Option<Arc<Taps>>,
    pub(crate) promiscuous: bool,
    pub(crate) spoofing: bool,
    /// What arrives for other hosts is sent on.
    pub(crate) forwarding: Forwarding,
    /// Frames are taken.
    pub(crate) enabled: bool,
}

/// The addresses that errors about packets for other hosts are sent from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorSources {
    /// The IPv4 address, if there is one.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address, if there is one.
    pub v6: Option<Ipv6Addr>,
}

impl ErrorSources {
    /// These, and in place of what there is none of, or one that is good on its own link only, those of `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        let wide = self.wide();
        Self {
            v4: wide.v4.or(others.v4).or(self.v4),
            v6: wide.v6.or(others.v6).or(self.v6),
        }
    }

    /// Those that are good beyond their own link.
    #[must_use]
    pub(crate) fn wide(self) -> Self {
        Self {
            v4: self.v4.filter(|it| is_wide(&(*it).into())),
            v6: self.v6.filter(|it| is_wide(&(*it).into())),
        }
    }
}

/// Whether an address is good beyond its own link (RFC 3927 section 2.7, RFC 4291 section 2.5.6) and host.
pub(crate) fn is_wide(address: &IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !is_link_local && !address.is_loopback()
}

impl NicSnapshot {
    /// The endpoint under `key`, of any kind, dead or alive.
    pub(crate) fn find(&self, endpoints: &Endpoints, key: Key) -> Option<u32> {
        self.table.find(endpoints, key)
    }

    /// What the endpoint under `key` is, if there is one that lives.
    pub(crate) fn kind(&self, endpoints: &Endpoints, key: Key) -> Option<AddressKind> {
        endpoints.at(self.find(endpoints, key)?).kind()
    }

    /// Whether `key` is the broadcast address of a subnet that the NIC has an address in.
    pub(crate) fn is_directed_broadcast(&self, key: Key) -> bool {
        key.is_v4() && self.broadcasts.contains(key.low as u32)
    }
}
