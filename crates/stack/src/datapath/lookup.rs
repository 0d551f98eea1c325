//! The lookup of a burst's destinations, in stages that overlap their cache misses.

use std::net::IpAddr;
use std::sync::Arc;

use arrayvec::ArrayVec;
use corelane_frame::BURST;
use corelane_sync::counters::CounterWriter;
use corelane_sync::refs::AddressKind;
use corelane_sync::snapshot::Reader;

use super::NicSnapshot;
use crate::address::Key;
use crate::control;
use crate::counters::NicCounter;
use crate::endpoint::{EndpointRef, Endpoints};
use crate::error::HoldError;
use crate::nic::{NicId, NicShared};

/// What a destination is to the NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An endpoint: the number is its place, for [`Packet`](super::Packet)'s use.
    Endpoint(u32),
    /// Nobody's address, accepted because the NIC is promiscuous or a range has it: a temporary
    /// endpoint that lives for this packet, unless somebody holds it.
    Temporary,
    /// Not the NIC's.
    Nothing,
}

/// A NIC as one worker sees it.
pub struct NicDatapath {
    nic: Arc<NicShared>,
    snapshots: Reader<NicSnapshot>,
    /// What this worker counts for the NIC.
    pub counters: CounterWriter<NicCounter>,
}

impl NicDatapath {
    pub(crate) fn new(nic: Arc<NicShared>, counters: CounterWriter<NicCounter>) -> Self {
        let snapshots = nic.snapshots.reader();
        Self {
            nic,
            snapshots,
            counters,
        }
    }

    /// The number of the NIC.
    pub fn id(&self) -> NicId {
        self.nic.id
    }

    /// The newest version of the NIC, and the counters: once per burst.
    #[inline]
    pub fn load(&mut self) -> (NicView<'_>, &mut CounterWriter<NicCounter>) {
        (
            NicView {
                nic: &self.nic,
                snapshot: self.snapshots.load(),
            },
            &mut self.counters,
        )
    }

    /// Holds no version until the next [`load`](Self::load): before the worker sleeps, so that
    /// nothing waits for it.
    pub fn quiesce(&mut self) {
        self.snapshots.quiesce();
    }
}

/// A NIC as it is for the length of a burst.
#[derive(Clone, Copy)]
pub struct NicView<'w> {
    nic: &'w Arc<NicShared>,
    snapshot: &'w NicSnapshot,
}

impl NicView<'_> {
    /// The number of the NIC.
    pub fn id(&self) -> NicId {
        self.nic.id
    }

    /// Looks every key up, in order, and appends what each is to `found`.
    ///
    /// Three passes, so that the misses of a burst overlap: hash and ask for the bucket; match the
    /// tags and ask for the endpoint; compare the key and read kind and count.
    pub fn lookup(&self, keys: &ArrayVec<Key, BURST>, found: &mut ArrayVec<Found, BURST>) {
        let endpoints = &self.nic.endpoints;
        let mut homes = ArrayVec::<_, BURST>::new();
        for key in keys {
            let home = self.snapshot.table.home(*key);
            home.prefetch();
            homes.push(home);
        }
        let mut candidates = ArrayVec::<_, BURST>::new();
        for home in &homes {
            let candidate = home.candidate();
            if let Some(index) = candidate {
                endpoints.prefetch(index);
            }
            candidates.push(candidate);
        }
        for ((key, home), candidate) in keys.iter().zip(&homes).zip(&candidates) {
            let index = match candidate {
                Some(index) if endpoints.at(*index).key() == *key => Some(*index),
                None if home.ends_here() => None,
                _ => home.find(endpoints, *key),
            };
            found.push(match index {
                Some(index) if endpoints.at(index).refs.load().is_assigned() => {
                    Found::Endpoint(index)
                }
                index => self.unassigned(endpoints, *key, index),
            });
        }
    }

    /// The rest of the rule (BEHAVIOURS D1–D3) for a destination that is no assigned address;
    /// `index` is what the table has under it.
    #[inline]
    fn unassigned(&self, endpoints: &Endpoints, key: Key, index: Option<u32>) -> Found {
        if let Some(index) = index {
            let state = endpoints.at(index).refs.load();
            match state.kind() {
                // Unlinked any moment: as if it were not there.
                _ if state.is_dead() => {}
                // Settled, or added again, since the caller looked.
                AddressKind::Permanent | AddressKind::Temporary => return Found::Endpoint(index),
                AddressKind::PermanentExpired if self.snapshot.promiscuous => {
                    return Found::Endpoint(index);
                }
                // A tentative address receives nothing whatever the mode (RFC 4862 section 5.4),
                // and a removed one is not for the ranges to give back.
                AddressKind::PermanentExpired | AddressKind::PermanentTentative => {
                    return Found::Nothing;
                }
            }
        }
        match endpoints.held(key) {
            Some(index) if !endpoints.at(index).refs.load().is_dead() => Found::Endpoint(index),
            _ if self.snapshot.promiscuous || self.snapshot.ranges.contains(key) => {
                Found::Temporary
            }
            _ => Found::Nothing,
        }
    }

    /// A reference to what a packet's destination was found to be.
    pub(crate) fn hold(&self, found: Found, address: IpAddr) -> Result<EndpointRef, HoldError> {
        if let Found::Endpoint(index) = found
            && self.nic.endpoints.at(index).refs.try_acquire()
        {
            return Ok(EndpointRef::from_counted(Arc::clone(self.nic), index));
        }
        // A temporary one, or one that died since: what the packet's acceptance was based on
        // still holds for it.
        control::hold(self.nic, address, |newest| {
            newest.spoofing || newest.promiscuous
        })
    }
}
