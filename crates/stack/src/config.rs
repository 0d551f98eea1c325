//! What a NIC is made from.

use std::time::Duration;

use corelane_wire::MacAddr;

use crate::address::Family;
use crate::group::{IgmpVersion, MldVersion};
use crate::interface_id::LinkLocal;
use crate::neighbor::NeighborConfig;
use crate::nic::NicId;
use crate::stack::Stack;

/// What a NIC is to be: its name, and what differs from the defaults, which are those of netstack's
/// `Options`: no duplicate address detection, no reports to multicast routers, no link-local
/// address of its own making.
#[derive(Clone, Debug)]
pub struct NicConfig {
    pub(crate) name: String,
    pub(crate) seed: Option<u64>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: Option<usize>,
    pub(crate) protocols: Protocols,
    pub(crate) ndp: NdpConfig,
    pub(crate) igmp: Option<IgmpVersion>,
    pub(crate) mld: Option<MldVersion>,
    pub(crate) link_local: LinkLocal,
    pub(crate) multicast_loop: bool,
    pub(crate) arp_announcements: bool,
    pub(crate) forwarding: Forwarding,
    pub(crate) neighbors: NeighborConfig,
    pub(crate) enabled: bool,
}

impl NicConfig {
    /// A NIC of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            seed: None,
            mac: None,
            mtu: None,
            protocols: Protocols::Both,
            ndp: NdpConfig::OFF,
            igmp: None,
            mld: None,
            link_local: LinkLocal::None,
            multicast_loop: false,
            arp_announcements: false,
            forwarding: Forwarding::OFF,
            neighbors: NeighborConfig::default(),
            enabled: true,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fixes the seed of the endpoint table's hash and of all that is random in the NIC's protocols
    /// (delays, nonces), so that runs repeat exactly. Without it, it is random: nobody can then aim
    /// traffic at one bucket.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The link address: the link's own unless said; if it has none either, one is made up from the
    /// seed (locally administered).
    pub fn mac(mut self, mac: MacAddr) -> Self {
        self.mac = Some(mac);
        self
    }

    /// The largest network packet to send, in bytes: what the link takes unless said, and never
    /// more than that, nor than what fits a frame of the pool.
    pub fn mtu(mut self, mtu: usize) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// The network protocols it speaks: both unless said. Packets of others are dropped as
    /// `unknown_protocol`.
    pub fn protocols(mut self, protocols: Protocols) -> Self {
        self.protocols = protocols;
        self
    }

    /// Duplicate address detection for IPv6 addresses: off unless said.
    pub fn ndp(mut self, ndp: NdpConfig) -> Self {
        self.ndp = ndp.normalized();
        self
    }

    /// Reports groups to IPv4 multicast routers: off unless said.
    pub fn igmp(mut self, version: Option<IgmpVersion>) -> Self {
        self.igmp = version;
        self
    }

    /// Reports groups to IPv6 multicast routers: off unless said.
    pub fn mld(mut self, version: Option<MldVersion>) -> Self {
        self.mld = version;
        self
    }

    /// Gives itself a link-local IPv6 address when it is enabled: none unless said.
    pub fn link_local(mut self, link_local: LinkLocal) -> Self {
        self.link_local = link_local;
        self
    }

    /// Whether what a route sends to a group comes back to the NIC too, if it is a member: not
    /// unless said. (Broadcasts always do.)
    pub fn multicast_loop(mut self, on: bool) -> Self {
        self.multicast_loop = on;
        self
    }

    /// Whether it announces an IPv4 address that comes into use, so that neighbors who knew it elsewhere
    /// learn of it at once: twice, two seconds apart (RFC 5227 section 2.3). Not unless said.
    pub fn arp_announcements(mut self, on: bool) -> Self {
        self.arp_announcements = on;
        self
    }

    /// Whether it sends on what arrives for other hosts, and is in the groups of all routers
    /// ([`Nic::set_forwarding`](crate::Nic::set_forwarding)): not unless said.
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// How it finds the link addresses of its neighbors, and how many it remembers.
    pub fn neighbors(mut self, neighbors: NeighborConfig) -> Self {
        self.neighbors = neighbors;
        self
    }

    /// Leaves the NIC disabled until somebody enables it.
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Whether it is to be enabled as soon as it is made.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }
}

/// The network protocols of a NIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocols {
    /// IPv4 and IPv6.
    #[default]
    Both,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Protocols {
    /// Whether `family` is among them.
    #[inline]
    pub const fn has(self, family: Family) -> bool {
        matches!(
            (self, family),
            (Self::Both, _) | (Self::V4, Family::V4) | (Self::V6, Family::V6)
        )
    }
}

/// Of which protocols a NIC forwards what arrives for other hosts (netstack has had it by NIC and
/// protocol since 2021; before, BEHAVIOURS J1, it was one switch).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Forwarding {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Forwarding {
    /// Of none.
    pub const OFF: Self = Self {
        v4: false,
        v6: false,
    };

    /// Of both.
    pub const ON: Self = Self { v4: true, v6: true };

    /// Whether `family` is forwarded.
    pub const fn of(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

/// Duplicate address detection (RFC 4862 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NdpConfig {
    /// Solicitations sent for each address; 0 turns detection off.
    pub transmits: u8,
    /// Between two of them, and from the last one to the address being assigned. Below 1 ms it
    /// counts as 1 s (BEHAVIOURS G1).
    pub retransmit_timer: Duration,
    /// Solicitations carry a nonce, so that one of ours that a link loops back is not taken for a
    /// duplicate (RFC 7527).
    pub nonce: bool,
}

impl NdpConfig {
    /// No detection: addresses are assigned as they are added.
    pub const OFF: Self = Self {
        transmits: 0,
        retransmit_timer: RETRANSMIT_TIMER,
        nonce: true,
    };

    fn normalized(mut self) -> Self {
        if self.retransmit_timer < Duration::from_millis(1) {
            self.retransmit_timer = RETRANSMIT_TIMER;
        }
        self
    }
}

const RETRANSMIT_TIMER: Duration = Duration::from_secs(1);

impl Default for NdpConfig {
    /// One solicitation, a second, with a nonce.
    fn default() -> Self {
        Self {
            transmits: 1,
            ..Self::OFF
        }
    }
}

/// What a NIC has to know of its link.
#[derive(Clone, Copy, Debug)]
pub struct LinkInfo {
    /// The link address, if it has one.
    pub mac: Option<MacAddr>,
    /// The largest network packet it takes, in bytes.
    pub mtu: usize,
    /// What is sent comes back, to nobody else.
    pub is_loopback: bool,
}

/// All that a NIC is put together from.
pub struct NicParts {
    /// Its number.
    pub id: NicId,
    /// What it is to be.
    pub config: NicConfig,
    /// Its link.
    pub link: LinkInfo,
    /// What it shares with the other NICs.
    pub stack: Stack,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_a_retransmit_timer_below_a_millisecond_is_a_second() {
        let timer = |timer| {
            let ndp = NdpConfig {
                retransmit_timer: timer,
                ..NdpConfig::default()
            };
            NicConfig::new("n").ndp(ndp).ndp.retransmit_timer
        };
        assert_eq!(timer(Duration::from_micros(999)), Duration::from_secs(1));
        assert_eq!(timer(Duration::ZERO), Duration::from_secs(1));
        assert_eq!(timer(Duration::from_millis(1)), Duration::from_millis(1));
        assert_eq!(NdpConfig::default().transmits, 1);
        assert_eq!(NicConfig::new("n").ndp.transmits, 0, "off unless said");
    }
}
