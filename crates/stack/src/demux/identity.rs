//! What sockets are found by.

use std::hash::Hash;

use corelane_wire::IpProtocol;

use super::{ANY, Binding, key_or_any};
use crate::address::{Family, Key};
use crate::nic::NicId;
use crate::table::TableKey;

/// How much of a packet's addresses a socket is bound to: the more, the earlier it is looked for
/// (BEHAVIOURS K5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Exact,
    AnyLocal,
    AnyRemote,
    PortOnly,
}

/// How many there are.
pub(crate) const WAYS: usize = 4;

impl Way {
    /// In the order of the search.
    pub(crate) const ALL: [Self; WAYS] =
        [Self::Exact, Self::AnyLocal, Self::AnyRemote, Self::PortOnly];
}

/// What a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `::` for any.
    local: Key,
    /// `::` for any.
    remote: Key,
    /// In one word, so that comparing and hashing is that of five: local port, remote port (0 for
    /// any), protocol and family.
    rest: u64,
}

const LOCAL_PORT: u32 = 48;
const REMOTE_PORT: u32 = 32;
const PROTOCOL: u32 = 8;

impl Identity {
    /// Of no socket and no packet.
    pub(super) const NOBODYS: Self = Self {
        local: ANY,
        remote: ANY,
        rest: 0,
    };

    /// Of what has these addresses and ports. The family is that of the local address, unless that is
    /// any.
    #[inline]
    fn new(
        protocol: IpProtocol,
        family: Family,
        (local, local_port): (Key, u16),
        (remote, remote_port): (Key, u16),
    ) -> Self {
        let rest = u64::from(local_port) << LOCAL_PORT
            | u64::from(remote_port) << REMOTE_PORT
            | u64::from(protocol.0) << PROTOCOL
            | u64::from(family == Family::V6);
        Self {
            local,
            remote,
            rest,
        }
    }

    /// What a UDP socket is bound to.
    pub(super) fn of(binding: &Binding, port: u16) -> Self {
        let remote = key_or_any(binding.remote.map(|remote| remote.ip()));
        let remote_port = binding.remote.map_or(0, |remote| remote.port());
        Self::new(
            IpProtocol::UDP,
            binding.family,
            (key_or_any(binding.local), port),
            (remote, remote_port),
        )
    }

    /// Whether it is this one: as `==`, in one branch.
    #[inline]
    pub(super) const fn is(&self, other: Self) -> bool {
        let local = (self.local.high ^ other.local.high) | (self.local.low ^ other.local.low);
        let remote = (self.remote.high ^ other.remote.high) | (self.remote.low ^ other.remote.low);
        local | remote | (self.rest ^ other.rest) == 0
    }

    /// The local address; `::` for any.
    pub(super) fn local(&self) -> Key {
        self.local
    }

    /// The local port.
    pub fn local_port(&self) -> u16 {
        (self.rest >> LOCAL_PORT) as u16
    }

    /// The family.
    pub fn family(&self) -> Family {
        if self.rest & 1 == 0 {
            Family::V4
        } else {
            Family::V6
        }
    }

    pub(super) fn way(&self) -> Way {
        match (self.local == ANY, self.remote == ANY) {
            (false, false) => Way::Exact,
            (true, false) => Way::AnyLocal,
            (false, true) => Way::AnyRemote,
            (true, true) => Way::PortOnly,
        }
    }
}

impl TableKey for Identity {
    #[inline]
    fn words(self) -> impl Hash {
        (self.local.bits(), self.remote.bits(), self.rest)
    }
}

/// The addresses and ports of a packet, as its receiver sees them.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    exact: Identity,
    nic: NicId,
}

impl Flow {
    /// Of a packet that no socket is for.
    pub const NONE: Self = Self {
        exact: Identity::NOBODYS,
        nic: NicId(0),
    };

    /// Of a UDP packet of a family that arrived on `nic`: destination and source, with their ports.
    #[inline]
    pub fn udp(family: Family, local: (Key, u16), remote: (Key, u16), nic: NicId) -> Self {
        Self::new(IpProtocol::UDP, family, local, remote, nic)
    }

    #[inline]
    pub(crate) fn new(
        protocol: IpProtocol,
        family: Family,
        local: (Key, u16),
        remote: (Key, u16),
        nic: NicId,
    ) -> Self {
        Self {
            exact: Identity::new(protocol, family, local, remote),
            nic,
        }
    }

    /// The NIC it arrived on.
    #[inline]
    pub(super) fn nic(&self) -> NicId {
        self.nic
    }

    /// All that tells it from others.
    pub(super) fn words(&self) -> [u64; 5] {
        let Identity {
            local,
            remote,
            rest,
        } = self.exact;
        [local.high, local.low, remote.high, remote.low, rest]
    }

    /// Whether a socket can be found by it.
    #[inline]
    pub(super) fn is_some(&self) -> bool {
        self.exact.rest != 0
    }

    /// What a socket is bound to that is found in this way.
    #[inline(always)]
    pub(super) fn identity(&self, way: Way) -> Identity {
        let mut identity = self.exact;
        if matches!(way, Way::AnyLocal | Way::PortOnly) {
            identity.local = ANY;
        }
        if matches!(way, Way::AnyRemote | Way::PortOnly) {
            identity.remote = ANY;
            identity.rest &= !(0xffff << REMOTE_PORT);
        }
        identity
    }
}
