//! One version of a NIC.

use std::net::{Ipv4Addr, Ipv6Addr};
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
