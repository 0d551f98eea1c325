//! The versions of IGMP and MLD, and what they amount to.

use crate::address::Family;

/// The newest IGMP version a NIC speaks. It falls back to what an older querier understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IgmpVersion {
    /// IGMPv2 (RFC 2236).
    V2,
    /// IGMPv3 (RFC 3376).
    V3,
}

/// The newest MLD version a NIC speaks. It falls back to what an older querier understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MldVersion {
    /// MLDv1 (RFC 2710).
    V1,
    /// MLDv2 (RFC 3810).
    V2,
}

/// What a protocol version can do: the two protocols are one and the same from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// IGMPv1: a report per group, no leave.
    ReportsOnly,
    /// IGMPv2, MLDv1: a report per group, leave.
    Reports,
    /// IGMPv3, MLDv2: group records.
    Records,
}

impl Mode {
    /// The mode of a numbered version; None if there is no such version.
    pub(super) fn of(family: Family, version: u8) -> Option<Self> {
        match (family, version) {
            (Family::V4, 1) => Some(Self::ReportsOnly),
            (Family::V4, 2) | (Family::V6, 1) => Some(Self::Reports),
            (Family::V4, 3) | (Family::V6, 2) => Some(Self::Records),
            _ => None,
        }
    }
}

impl From<IgmpVersion> for Mode {
    fn from(version: IgmpVersion) -> Self {
        match version {
            IgmpVersion::V2 => Self::Reports,
            IgmpVersion::V3 => Self::Records,
        }
    }
}

impl From<MldVersion> for Mode {
    fn from(version: MldVersion) -> Self {
        match version {
            MldVersion::V1 => Self::Reports,
            MldVersion::V2 => Self::Records,
        }
    }
}
