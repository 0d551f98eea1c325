//! What sockets are found by.

use std::hash::Hash;

use corelane_wire::IpProtocol;

use super::{Binding, key_or_any};
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
    local_port: u16,
    /// 0 for any.
    remote_port: u16,
    protocol: u8,
    family: Family,
}

impl Identity {
    pub(crate) fn of(binding: &Binding, port: u16) -> Self {
        Self {
            local: key_or_any(binding.local),
            remote: key_or_any(binding.remote.map(|remote| remote.ip())),
            local_port: port,
            remote_port: binding.remote.map_or(0, |remote| remote.port()),
            protocol: binding.protocol.0,
            family: binding.family,
        }
    }

    /// The local port.
    pub fn local_port(&self) -> u16 {
        self.local_port
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    pub(super) fn way(&self) -> Way {
        let any = Key { high: 0, low: 0 };
        match (self.local == any, self.remote == any) {
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
        let ports = u64::from(self.local_port) << 32 | u64::from(self.remote_port) << 16;
        let kind = u64::from(self.protocol) << 1 | u64::from(self.family == Family::V6);
        (self.local.bits(), self.remote.bits(), ports | kind)
    }
}

/// The addresses and ports of a packet, as its receiver sees them.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// The transport protocol.
    pub protocol: IpProtocol,
    /// The destination.
    pub local: Key,
    /// The destination port.
    pub local_port: u16,
    /// The source.
    pub remote: Key,
    /// The source port.
    pub remote_port: u16,
    /// The NIC it arrived on.
    pub nic: NicId,
}

impl Flow {
    /// Of no packet, to fill a place with.
    pub const NONE: Self = Self {
        protocol: IpProtocol(0),
        local: Key { high: 0, low: 0 },
        local_port: 0,
        remote: Key { high: 0, low: 0 },
        remote_port: 0,
        nic: NicId(0),
    };

    /// What a socket is bound to that is found in this way.
    #[inline]
    pub(crate) fn identity(&self, way: Way) -> Identity {
        let any = Key { high: 0, low: 0 };
        let (local, remote, remote_port) = match way {
            Way::Exact => (self.local, self.remote, self.remote_port),
            Way::AnyLocal => (any, self.remote, self.remote_port),
            Way::AnyRemote => (self.local, any, 0),
            Way::PortOnly => (any, any, 0),
        };
        Identity {
            local,
            remote,
            local_port: self.local_port,
            remote_port,
            protocol: self.protocol.0,
            family: self.local.family(),
        }
    }
}
