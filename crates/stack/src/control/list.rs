//! Listings of a NIC's addresses.

use corelane_sync::refs::AddressKind;

use super::Control;
use crate::address::{Family, Prefix, PrimaryEndpointBehavior};
use crate::endpoint::{Endpoint, Endpoints};

/// An address of a NIC as a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressInfo {
    /// The address and the prefix length it was added with.
    pub prefix: Prefix,
    /// What its endpoint is.
    pub kind: AddressKind,
    /// Where it stands among the source addresses.
    pub primary: PrimaryEndpointBehavior,
}

impl AddressInfo {
    /// None if the endpoint is not an assigned address.
    fn of_assigned(endpoint: &Endpoint) -> Option<Self> {
        Self::of(endpoint).filter(|info| info.kind == AddressKind::Permanent)
    }

    /// None if the endpoint is dead.
    fn of(endpoint: &Endpoint) -> Option<Self> {
        let state = endpoint.refs.load();
        if state.is_dead() {
            return None;
        }
        let prefix = Prefix::new(endpoint.address(), endpoint.prefix_len()).ok()?;
        Some(Self {
            prefix,
            kind: state.kind(),
            primary: endpoint.primary(),
        })
    }
}

impl Control {
    pub(crate) fn addresses(&self, endpoints: &Endpoints) -> Vec<AddressInfo> {
        self.table
            .entries()
            .filter_map(|index| AddressInfo::of_assigned(endpoints.at(index)))
            .collect()
    }

    /// The endpoints of every kind: those of the table, then the temporary ones that are held.
    pub(crate) fn endpoints(&self, endpoints: &Endpoints) -> Vec<AddressInfo> {
        let mut held = endpoints.all_held();
        held.retain(|index| endpoints.at(*index).refs.load().kind() == AddressKind::Temporary);
        self.table
            .entries()
            .chain(held)
            .filter_map(|index| AddressInfo::of(endpoints.at(index)))
            .collect()
    }

    pub(crate) fn endpoint_count(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn primary_addresses(
        &self,
        endpoints: &Endpoints,
        family: Family,
    ) -> Vec<AddressInfo> {
        let primary = self.primary.iter(endpoints, family);
        primary
            .filter_map(|index| AddressInfo::of_assigned(endpoints.at(index)))
            .collect()
    }

    pub(crate) fn primary_address(
        &self,
        endpoints: &Endpoints,
        family: Family,
    ) -> Option<AddressInfo> {
        let mut primary = self.primary.iter(endpoints, family);
        primary.find_map(|index| AddressInfo::of_assigned(endpoints.at(index)))
    }

    pub(crate) fn ranges(&self) -> &[Prefix] {
        &self.range_list
    }
}
