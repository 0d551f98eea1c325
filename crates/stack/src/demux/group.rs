//! Several sockets under one identity, and which of them a flow is for.

use super::identity::Flow;
use crate::nic::NicId;
use crate::socket::Socket;

/// A socket under an identity.
#[derive(Clone)]
pub(super) struct Member {
    /// The NIC it is bound to: beside the pointer, so that its cells need not be looked at.
    nic: Option<NicId>,
    socket: Socket,
}

impl Member {
    pub(super) fn new(socket: &Socket) -> Self {
        Self {
            nic: socket.nic(),
            socket: socket.clone(),
        }
    }

    pub(super) fn nic(&self) -> Option<NicId> {
        self.nic
    }

    #[inline]
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn is(&self, socket: &Socket) -> bool {
        self.socket.is(socket)
    }

    /// Whether it may take what arrives on a NIC.
    #[inline]
    pub(super) fn is_on(&self, nic: NicId) -> bool {
        self.nic.is_none_or(|own| own == nic)
    }
}

/// Those that may take what arrives on a NIC: the ones bound to it, or where there is none the ones
/// bound to none (BEHAVIOURS K6).
pub(super) fn eligible(members: &[Member], nic: NicId) -> impl Iterator<Item = &Member> {
    let is_bound = members.iter().any(|it| it.nic == Some(nic));
    let wanted = is_bound.then_some(nic);
    members.iter().filter(move |it| it.nic == wanted)
}

/// Two sockets or more. It does not change: another one takes its place.
pub(super) struct Group {
    members: Box<[Member]>,
}

impl Group {
    pub(super) fn new(members: impl Iterator<Item = Member>) -> Self {
        Self {
            members: members.collect(),
        }
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The socket that a flow sticks to: the one that draws the highest number for it (rendezvous
    /// hashing). One that goes takes along only its own flows, one that comes takes its share of each
    /// other's (BEHAVIOURS K7).
    #[inline(never)]
    pub(super) fn choose(&self, flow: &Flow, seed: u64) -> Option<&Member> {
        let words = flow.words();
        let hash = words.iter().fold(seed, |state, word| mix(state ^ word));
        eligible(&self.members, flow.nic()).max_by_key(|it| mix(hash ^ it.socket.number()))
    }
}

/// The finalizer of SplitMix64.
#[inline]
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}
