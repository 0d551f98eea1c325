//! One version of a NIC.

use std::sync::Arc;

use crate::address::Key;
use crate::endpoint::Endpoints;
use crate::range::RangeSet;
use crate::table::Table;

/// Everything of a NIC that the datapath reads, as it was when the control plane published it.
pub(crate) struct NicSnapshot {
    pub(crate) table: Table,
    pub(crate) ranges: Arc<RangeSet>,
    pub(crate) promiscuous: bool,
    pub(crate) spoofing: bool,
}

impl NicSnapshot {
    /// The endpoint under `key`, of any kind, dead or alive.
    pub(crate) fn find(&self, endpoints: &Endpoints, key: Key) -> Option<u32> {
        self.table.find(endpoints, key)
    }
}
