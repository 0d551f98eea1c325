//! A query as a host sees it.

use std::net::IpAddr;
use std::time::Duration;

/// A valid query of either protocol, its codes turned into what they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// IGMP 1 to 3, MLD 1 to 2. Others are ignored.
    pub(crate) version: u8,
    /// The group asked about; None in a general query.
    pub(crate) group: Option<IpAddr>,
    /// The longest delay of an answer. Ignored in IGMPv1, where it is 10 s.
    pub(crate) max_response: Duration,
    /// The querier's robustness variable (QRV), 0 if it does not say. IGMPv3 and MLDv2 only.
    pub(crate) robustness: u8,
    /// The querier's query interval (QQIC). IGMPv3 and MLDv2 only.
    pub(crate) interval: Duration,
    /// The sources asked about; empty in a group-specific query. IGMPv3 and MLDv2 only.
    pub(crate) sources: Vec<IpAddr>,
}
