//! The sockets under one identity.

use std::sync::Arc;

use super::identity::{Flow, Identity};
use crate::nic::NicId;
use crate::socket::Socket;
use crate::table::Keys;

/// One socket, or several that share an identity. It does not change: another one takes its place.
pub(super) struct Group {
    identity: Identity,
    /// Of the choice among several: nobody can tell beforehand where a flow goes.
    seed: u64,
    sockets: Box<[Arc<Socket>]>,
}

impl Group {
    pub(super) fn new(identity: Identity, seed: u64, socket: &Arc<Socket>) -> Self {
        Self {
            identity,
            seed,
            sockets: [Arc::clone(socket)].into(),
        }
    }

    #[inline]
    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    pub(super) fn with(&self, socket: &Arc<Socket>) -> Self {
        let sockets = self.sockets.iter().chain([socket]);
        Self {
            identity: self.identity,
            seed: self.seed,
            sockets: sockets.cloned().collect(),
        }
    }

    /// None if nothing is left.
    pub(super) fn without(&self, socket: &Arc<Socket>) -> Option<Self> {
        let left = self.sockets.iter().filter(|it| !Arc::ptr_eq(it, socket));
        let sockets: Box<[_]> = left.cloned().collect();
        (!sockets.is_empty()).then_some(Self {
            identity: self.identity,
            seed: self.seed,
            sockets,
        })
    }

    /// Whether a socket may not be among these: one of the two does not share, and they are bound to
    /// the same NIC, or both to none.
    pub(super) fn clashes(&self, socket: &Socket) -> bool {
        let same = self.sockets.iter().filter(|it| it.nic == socket.nic);
        same.into_iter().any(|it| !it.reuse || !socket.reuse)
    }

    /// The socket that a flow sticks to; None if all are bound to other NICs.
    ///
    /// Those bound to the NIC come before those bound to none (BEHAVIOURS K6). Among several the one
    /// that draws the highest number for the flow (rendezvous hashing): one that goes takes along only
    /// its own flows, one that comes takes its share of each other's (K7).
    #[inline]
    pub(super) fn choose(&self, flow: &Flow) -> Option<&Arc<Socket>> {
        if let [socket] = &*self.sockets {
            return socket.is_on(flow.nic).then_some(socket);
        }
        let bound = self.eligible(flow.nic);
        let hash = self.hash(flow);
        bound
            .max_by_key(|(number, _)| mix(hash ^ number))
            .map(|(_, it)| it)
    }

    /// The sockets that may take what arrives on a NIC, each with a number of its own.
    pub(super) fn eligible(&self, nic: NicId) -> impl Iterator<Item = (u64, &Arc<Socket>)> {
        let is_bound = self.sockets.iter().any(|it| it.nic == Some(nic));
        self.sockets
            .iter()
            .filter(move |it| it.nic == is_bound.then_some(nic))
            // Its place in memory: as long as it is here, nobody else has that.
            .map(|it| (Arc::as_ptr(it) as u64, it))
    }

    fn hash(&self, flow: &Flow) -> u64 {
        let ports = u64::from(flow.local_port) << 16 | u64::from(flow.remote_port);
        [
            flow.local.high,
            flow.local.low,
            flow.remote.high,
            flow.remote.low,
            ports,
        ]
        .into_iter()
        .fold(self.seed, |state, word| mix(state ^ word))
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

/// Groups in a leaf.
const LEAF: usize = 64;

type Leaf = Arc<[Option<Arc<Group>>; LEAF]>;

/// The groups by number, copy-on-write by leaf. A clone shares all.
#[derive(Clone, Default)]
pub(super) struct Groups {
    root: Arc<Vec<Leaf>>,
}

impl Groups {
    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&Arc<Group>> {
        let at = at as usize;
        self.root.get(at / LEAF)?[at % LEAF].as_ref()
    }

    /// Puts one at a number from `free`, or at a new one; None if there is none left.
    pub(super) fn insert(&mut self, free: &mut Vec<u32>, group: Arc<Group>) -> Option<u32> {
        if free.is_empty() {
            let first = u32::try_from(self.root.len() * LEAF).ok()?;
            let end = first.checked_add(LEAF as u32)?;
            let leaf: Leaf = Arc::new([const { None }; LEAF]);
            Arc::make_mut(&mut self.root).push(leaf);
            free.extend((first..end).rev());
        }
        let at = free.pop()?;
        self.set(at, Some(group));
        Some(at)
    }

    /// Replaces the group at a number, or takes it out.
    pub(super) fn set(&mut self, at: u32, group: Option<Arc<Group>>) {
        let at = at as usize;
        let leaf = Arc::make_mut(&mut self.root).get_mut(at / LEAF);
        if let Some(leaf) = leaf {
            Arc::make_mut(leaf)[at % LEAF] = group;
        }
    }
}

impl Keys<Identity> for Groups {
    /// # Panics
    /// If there is no group: the table leads to groups that are there.
    #[inline]
    fn key(&self, at: u32) -> Identity {
        self.get(at)
            .expect("the table leads to groups that are there")
            .identity()
    }
}
