//! What a NIC is and stays.

use corelane_wire::MacAddr;

use crate::address::Family;
use crate::config::{Forwarding, NdpConfig, Protocols};
use crate::group::{Groups, GroupsConfig, IgmpVersion, MldVersion, records_per_message};
use crate::interface_id::LinkLocal;
use crate::neighbor::NeighborConfig;
use crate::nic::NicId;

/// What a NIC is and stays.
pub(crate) struct Settings {
    pub(crate) id: NicId,
    pub(crate) name: String,
    pub(crate) mac: MacAddr,
    pub(crate) mtu: usize,
    pub(crate) is_loopback: bool,
    pub(crate) protocols: Protocols,
    /// None if addresses are not probed.
    pub(crate) ndp: Option<NdpConfig>,
    pub(crate) link_local: LinkLocal,
    pub(crate) multicast_loop: bool,
    /// Whether it announces its IPv4 addresses.
    pub(crate) announces: bool,
    /// What it forwards to begin with.
    pub(crate) forwarding: Forwarding,
    pub(crate) neighbors: NeighborConfig,
    pub(super) igmp: Option<IgmpVersion>,
    pub(super) mld: Option<MldVersion>,
    pub(super) seed: u64,
}

impl Settings {
    /// The link address that frames for this NIC are sent to.
    pub(crate) fn station(&self) -> MacAddr {
        if self.is_loopback {
            // What a route sends there has none.
            MacAddr::UNSPECIFIED
        } else {
            self.mac
        }
    }

    /// A NIC's groups, before it has any.
    pub(crate) fn groups(&self) -> Groups {
        Groups::new(&GroupsConfig {
            ipv4: self.protocols.has(Family::V4),
            ipv6: self.protocols.has(Family::V6),
            igmp: self.igmp,
            mld: self.mld,
            igmp_records: records_per_message(Family::V4, self.mtu),
            mld_records: records_per_message(Family::V6, self.mtu),
            seed: self.seed,
        })
    }
}
