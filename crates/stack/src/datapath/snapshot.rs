//! One version of a NIC.

use std::sync::Arc;

use corelane_sync::refs::AddressKind;

use crate::address::Key;
use crate::broadcast::BroadcastSet;
use crate::endpoint::Endpoints;
use crate::group::GroupSet;
use crate::range::RangeSet;
use crate::table::Table;

/// Everything of a NIC that the datapath reads, as it was when the control plane published it.
pub(crate) struct NicSnapshot {
    pub(crate) table: Table,
    pub(crate) ranges: Arc<RangeSet>,
    pub(crate) groups: GroupSet,
    pub(crate) broadcasts: BroadcastSet,
    pub(crate) promiscuous: bool,
    pub(crate) spoofing: bool,
    /// Frames are taken.
    pub(crate) enabled: bool,
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
