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
    /// any), protocol, whether there is a remote address, and family.
    rest: u64,
}

const LOCAL_PORT: u32 = 48;
const REMOTE_PORT: u32 = 32;
/// In a [`FlowWord`] only.
const NIC: u32 = 16;
const PROTOCOL: u32 = 8;
/// Of what is bound to a remote address, and what is looked for there: a packet may be from `::` and port 0,
/// which is not any sender.
const HAS_REMOTE: u64 = 1 << 1;

impl Identity {
    /// Of no socket and no packet.
    pub(super) const NOBODYS: Self = Self {
        local: ANY,
        remote: ANY,
        rest: 0,
    };

    #[inline]
    fn rest(protocol: IpProtocol, family: Family, local_port: u16, remote_port: u16) -> u64 {
        u64::from(local_port) << LOCAL_PORT
            | u64::from(remote_port) << REMOTE_PORT
            | u64::from(protocol.0) << PROTOCOL
            | u64::from(family == Family::V6)
    }

    /// What a UDP socket is bound to.
    pub(super) fn of(binding: &Binding, port: u16) -> Self {
        let remote = key_or_any(binding.remote.map(|remote| remote.ip()));
        let remote_port = binding.remote.map_or(0, |remote| remote.port());
        let has_remote = binding.remote.map_or(0, |_| HAS_REMOTE);
        Self {
            local: key_or_any(binding.local),
            remote,
            rest: Self::rest(IpProtocol::UDP, binding.family, port, remote_port) | has_remote,
        }
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

/// What of a flow is not an address: in one word, ports, protocol and family as an [`Identity`] has
/// them, and the NIC.
#[derive(Clone, Copy, Debug)]
pub struct FlowWord(u64);

impl FlowWord {
    /// Of a packet that no socket is for.
    pub const NONE: Self = Self(0);

    /// Of a UDP packet of a family that arrived on `nic`, with ports as they stand in its header: the
    /// source's, then the destination's.
    #[inline]
    pub fn udp(family: Family, ports: [u8; 4], nic: NicId) -> Self {
        // The destination's in the upper half: one turn, of what are two fields of the word.
        let ports = u32::from_be_bytes(ports).rotate_left(16);
        let rest = Identity::rest(IpProtocol::UDP, family, 0, 0);
        Self(rest | u64::from(ports) << REMOTE_PORT | u64::from(nic.0) << NIC)
    }

    #[inline]
    fn new(protocol: IpProtocol, family: Family, local: u16, remote: u16, nic: NicId) -> Self {
        Self(Identity::rest(protocol, family, local, remote) | u64::from(nic.0) << NIC)
    }

    /// Whether a socket can be found by it.
    #[inline]
    pub(super) fn is_some(self) -> bool {
        self.0 != 0
    }

    /// The NIC that the packet arrived on.
    #[inline]
    pub(super) fn nic(self) -> NicId {
        NicId((self.0 >> NIC) as u16)
    }

    /// A number that is the same for a local port and a NIC, and seldom for others.
    #[inline]
    pub(super) fn spread(self) -> u32 {
        let own = self.0 & (0xffff << LOCAL_PORT | 0xffff << NIC);
        (own.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32
    }

    /// What of it a socket is bound to that is found in this way.
    #[inline(always)]
    const fn rest(self, way: Way) -> u64 {
        match way {
            Way::Exact | Way::AnyLocal => self.0 & !(0xffff << NIC) | HAS_REMOTE,
            Way::AnyRemote | Way::PortOnly => self.0 & !(0xffff << NIC | 0xffff << REMOTE_PORT),
        }
    }
}

/// The addresses and ports of a packet, as its receiver sees them.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    local: Key,
    remote: Key,
    word: FlowWord,
}

impl Flow {
    /// Of a UDP packet of a family that arrived on `nic`: destination and source, with their ports.
    #[inline]
    pub fn udp(family: Family, local: (Key, u16), remote: (Key, u16), nic: NicId) -> Self {
        Self::new(IpProtocol::UDP, family, local, remote, nic)
    }

    #[inline]
    pub(crate) fn new(
        protocol: IpProtocol,
        family: Family,
        (local, local_port): (Key, u16),
        (remote, remote_port): (Key, u16),
        nic: NicId,
    ) -> Self {
        let word = FlowWord::new(protocol, family, local_port, remote_port, nic);
        Self::of(local, remote, word)
    }

    /// Of a packet with this destination and source.
    pub fn of(local: Key, remote: Key, word: FlowWord) -> Self {
        Self {
            local,
            remote,
            word,
        }
    }

    /// The NIC it arrived on.
    #[inline]
    pub(super) fn nic(&self) -> NicId {
        self.word.nic()
    }

    /// All that tells it from others, the NIC aside.
    pub(super) fn words(&self) -> [u64; 5] {
        let Self {
            local,
            remote,
            word,
        } = self;
        let rest = word.rest(Way::Exact);
        [local.high, local.low, remote.high, remote.low, rest]
    }

    /// What a socket is bound to that is found in this way.
    pub(super) fn identity(&self, way: Way) -> Identity {
        identity(std::slice::from_ref(self), 0, self.word, way)
    }
}

/// The flows of a burst of packets. An address is asked for only where some socket is bound to one of
/// its kind: that of the sender rarely is, and need not be dug out of each packet.
pub trait Flows {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ports and NIC of one of them.
    fn word(&self, at: usize) -> FlowWord;

    /// A number that tells destinations from one another, as far as it may: the smaller those in use
    /// are, and the nearer to one another, the better. What is found does not depend on it.
    fn hint(&self, at: usize) -> u32;

    /// Its destination.
    fn local(&self, at: usize) -> Key;

    /// Its source.
    fn remote(&self, at: usize) -> Key;

    /// All of it.
    fn flow(&self, at: usize) -> Flow {
        Flow::of(self.local(at), self.remote(at), self.word(at))
    }
}

/// What a socket is bound to that one of `flows`, of which this is the word, finds in a way.
#[inline(always)]
pub(super) fn identity<F: Flows + ?Sized>(
    flows: &F,
    at: usize,
    word: FlowWord,
    way: Way,
) -> Identity {
    let (mut local, mut remote) = (ANY, ANY);
    if matches!(way, Way::Exact | Way::AnyRemote) {
        local = flows.local(at);
    }
    if matches!(way, Way::Exact | Way::AnyLocal) {
        remote = flows.remote(at);
    }
    Identity {
        local,
        remote,
        rest: word.rest(way),
    }
}

impl Flows for [Flow] {
    #[inline]
    fn len(&self) -> usize {
        <[Flow]>::len(self)
    }

    #[inline]
    fn word(&self, at: usize) -> FlowWord {
        self[at].word
    }

    #[inline]
    fn hint(&self, at: usize) -> u32 {
        let Key { high, low } = self[at].local;
        (low ^ low >> 32 ^ high >> 32) as u32
    }

    #[inline]
    fn local(&self, at: usize) -> Key {
        self[at].local
    }

    #[inline]
    fn remote(&self, at: usize) -> Key {
        self[at].remote
    }
}
