//! What is to be sent.

use std::net::IpAddr;

use corelane_wire::RecordKind;

use crate::address::Family;

/// A message of IGMP or MLD, to be put in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupMessage {
    /// An IGMPv1 report (IPv4) or an MLDv1 report (IPv6), to the group itself.
    V1Report {
        /// The group.
        group: IpAddr,
    },
    /// An IGMPv2 report, to the group itself. IPv4 only.
    V2Report {
        /// The group.
        group: IpAddr,
    },
    /// An IGMPv2 leave or an MLDv1 done, to all routers.
    Leave {
        /// The group.
        group: IpAddr,
    },
    /// An IGMPv3 or MLDv2 report, to the routers that speak it.
    Report {
        /// Which protocol.
        family: Family,
        /// At least one, no more than fit a message.
        records: Vec<Record>,
    },
}

/// A group record of an IGMPv3 or MLDv2 report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// What it says about the group.
    pub(crate) kind: RecordKind,
    /// The group.
    pub(crate) group: IpAddr,
    /// The sources it says it about; empty but in answers to queries for sources.
    pub(crate) sources: Vec<IpAddr>,
}
