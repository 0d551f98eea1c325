//! Which of its addresses a NIC sends from.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;

use super::Control;
use crate::address::{Family, PrimaryEndpointBehavior};
use crate::datapath::{ErrorSources, is_wide};
use crate::endpoint::{Endpoint, Endpoints};
use crate::source::SourceIndex;

impl Control {
    /// The endpoint to send from to `destination`, if any address can be a source: permanent, not
    /// tentative, and not `NeverPrimary`.
    ///
    /// For IPv4 the first in primary order; for IPv6 what RFC 6724 says, and the primary order
    /// where it leaves several. O(1) in the number of addresses; the index behind the IPv6 rule is
    /// made by the first call, which is O(addresses).
    pub(crate) fn source_for(&mut self, endpoints: &Endpoints, destination: IpAddr) -> Option<u32> {
        match destination {
            IpAddr::V4(_) => self
                .primary
                .iter(endpoints, Family::V4)
                .find(|index| endpoints.at(*index).refs.load().is_assigned()),
            IpAddr::V6(destination) => {
                if self.sources.is_none() {
                    self.sources = Some(SourceIndex::default());
                    for index in self.primary.iter(endpoints, Family::V6) {
                        if endpoints.at(index).refs.load().is_assigned() {
                            self.offer_source(endpoints, index);
                        }
                    }
                }
                self.sources.as_ref()?.best(destination.to_bits())
            }
        }
    }

    /// The addresses that errors about packets for others are sent from: the first in primary order
    /// that is in use, one that is good beyond its link before one that is not.
    ///
    /// Only so many are looked at, that a change costs the same however many addresses there are.
    pub(super) fn error_sources(&self, endpoints: &Endpoints) -> ErrorSources {
        const LOOKED_AT: usize = 16;
        let in_use = |family| {
            self.primary
                .iter(endpoints, family)
                .take(LOOKED_AT)
                .map(|index| endpoints.at(index))
                .filter(|endpoint| endpoint.refs.load().is_assigned())
                .map(Endpoint::address)
        };
        let best = |family| {
            in_use(family)
                .find(is_wide)
                .or_else(|| in_use(family).next())
        };
        ErrorSources {
            v4: match best(Family::V4) {
                Some(IpAddr::V4(address)) => Some(address),
                _ => None,
            },
            v6: match best(Family::V6) {
                Some(IpAddr::V6(address)) => Some(address),
                _ => None,
            },
        }
    }

    /// An IPv6 address is in use, and can be a source, from now on.
    pub(super) fn offer_source(&mut self, endpoints: &Endpoints, index: u32) {
        let endpoint = endpoints.at(index);
        if let IpAddr::V6(address) = endpoint.address()
            && address.is_unicast_link_local()
        {
            self.link_locals.insert(address);
        }
        if let Some(sources) = &mut self.sources
            && endpoint.primary() != PrimaryEndpointBehavior::NeverPrimary
        {
            let rank = endpoint.rank.load(Ordering::Relaxed);
            let address = endpoint.key().bits();
            sources.insert(address, endpoint.prefix_len(), rank, index);
        }
    }

    /// It cannot any more.
    pub(super) fn withdraw_source(&mut self, address: Ipv6Addr) {
        self.link_locals.remove(&address);
        if let Some(sources) = &mut self.sources {
            sources.remove(address.to_bits());
        }
    }

    /// A link-local source for messages to multicast routers (RFC 3810 section 5.1.14).
    pub(super) fn link_local_source(&self) -> Option<Ipv6Addr> {
        self.link_locals.first().copied()
    }
}
