//! Endpoints: what the table points at, one cache line each, and the references that outlive a
//! burst.

mod held;
mod reference;

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use corelane_sync::refs::{AddressKind, Promote, Refs};
use corelane_sync::slab::{Slab, SlabError};
use crossbeam::queue::SegQueue;
use zerocopy::FromZeros;

use crate::address::{Key, PrimaryEndpointBehavior};
use crate::table::Keys;
use held::Held;

pub use reference::EndpointRef;

/// No endpoint: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

/// The endpoint cannot be found any more and waits for the readers that found it before.
const UNLINKED: u32 = 1 << 31;

/// An endpoint: everything the datapath compares or counts is in this one line.
///
/// All fields are atomics because a worker may look at an endpoint through an old snapshot while
/// the control plane changes it. Only `refs` orders anything; the key and the configuration are
/// written before the endpoint can be found, and not again until nobody can find it any more
/// (configuration: under the control plane's lock at any time, read by whoever does not mind).
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(crate) struct Endpoint {
    key_high: AtomicU64,
    key_low: AtomicU64,
    pub(crate) refs: Refs,
    /// Prefix length in the low byte, primary behaviour in the next, [`UNLINKED`].
    config: AtomicU32,
    /// Counts the lives of this slot, so that word of a death is not taken for a later one's.
    life: AtomicU32,
    /// The neighbours in the list of source addresses; written by the control plane alone.
    pub(crate) previous: AtomicU32,
    pub(crate) next: AtomicU32,
    /// The place in that list as a number: the smaller, the better. Control plane alone.
    pub(crate) rank: AtomicI64,
}

impl Endpoint {
    #[inline]
    pub(crate) fn key(&self) -> Key {
        Key {
            high: self.key_high.load(Ordering::Relaxed),
            low: self.key_low.load(Ordering::Relaxed),
        }
    }

    /// What it is, if it lives.
    pub(crate) fn kind(&self) -> Option<AddressKind> {
        let state = self.refs.load();
        (!state.is_dead()).then(|| state.kind())
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.key().address()
    }

    pub(crate) fn life(&self) -> u32 {
        self.life.load(Ordering::Relaxed)
    }

    pub(crate) fn prefix_len(&self) -> u8 {
        self.config.load(Ordering::Relaxed) as u8
    }

    pub(crate) fn primary(&self) -> PrimaryEndpointBehavior {
        match self.config.load(Ordering::Relaxed) >> 8 & 0xff {
            0 => PrimaryEndpointBehavior::CanBePrimary,
            1 => PrimaryEndpointBehavior::FirstPrimary,
            _ => PrimaryEndpointBehavior::NeverPrimary,
        }
    }

    pub(crate) fn configure(&self, prefix_len: u8, primary: PrimaryEndpointBehavior) {
        let primary = match primary {
            PrimaryEndpointBehavior::CanBePrimary => 0,
            PrimaryEndpointBehavior::FirstPrimary => 1,
            PrimaryEndpointBehavior::NeverPrimary => 2,
        };
        self.config
            .store(primary << 8 | u32::from(prefix_len), Ordering::Relaxed);
    }

    /// Marks the endpoint as unlinked; false if it was already. Only the control plane calls it.
    pub(crate) fn unlink(&self) -> bool {
        let config = self.config.load(Ordering::Relaxed);
        self.config.store(config | UNLINKED, Ordering::Relaxed);
        config & UNLINKED == 0
    }
}

/// One life of one endpoint slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) index: u32,
    life: u32,
}

/// A NIC's endpoints: their storage, the queue of those that died, and the temporary ones that
/// somebody holds.
pub(crate) struct Endpoints {
    slab: Slab<Endpoint>,
    /// Slots never used yet begin here.
    fresh: AtomicU32,
    /// Slots whose life is over and that nobody can find any more.
    free: SegQueue<u32>,
    /// Endpoints whose last reference was given back outside the control plane, which is to
    /// unlink and close them.
    dead: SegQueue<Life>,
    /// Temporary endpoints that somebody holds.
    held: Held,
}

impl Endpoints {
    pub(crate) fn new() -> Self {
        Self {
            slab: Slab::new(),
            fresh: AtomicU32::new(0),
            free: SegQueue::new(),
            dead: SegQueue::new(),
            held: Held::default(),
        }
    }

    /// The endpoint at an index that a table, a list or a reference holds.
    ///
    /// # Panics
    /// If no endpoint was ever made there: such an index exists nowhere.
    #[inline]
    pub(crate) fn at(&self, index: u32) -> &Endpoint {
        self.slab
            .get(index)
            .expect("an index in use is in the slab")
    }

    /// Bytes of storage.
    pub(crate) fn bytes(&self) -> usize {
        self.slab.bytes()
    }

    /// Begins a life of `kind` with count 1. Nobody can find it yet.
    pub(crate) fn create(
        &self,
        key: Key,
        kind: AddressKind,
        prefix_len: u8,
        primary: PrimaryEndpointBehavior,
    ) -> Result<u32, SlabError> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.claim_fresh()?,
        };
        let endpoint = self.at(index);
        endpoint.key_high.store(key.high, Ordering::Relaxed);
        endpoint.key_low.store(key.low, Ordering::Relaxed);
        endpoint.configure(prefix_len, primary);
        endpoint.previous.store(NONE, Ordering::Relaxed);
        endpoint.next.store(NONE, Ordering::Relaxed);
        endpoint.refs.reset(kind);
        Ok(index)
    }

    /// A slot that was never used. It is there before anybody claims it, so that running out of
    /// memory costs nothing.
    fn claim_fresh(&self) -> Result<u32, SlabError> {
        let mut index = self.fresh.load(Ordering::Relaxed);
        loop {
            self.slab.grow_to(index.saturating_add(1))?;
            let claimed = self.fresh.compare_exchange_weak(
                index,
                index + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match claimed {
                Ok(_) => return Ok(index),
                Err(now) => index = now,
            }
        }
    }

    /// Gives a slot back for the next life. Only for one that no reader can find any more, and
    /// only by the control plane: the old life ends here, and not when the next one begins, so
    /// that word of a death which comes in between is known to be stale.
    pub(crate) fn reuse(&self, index: u32) {
        self.at(index).life.fetch_add(1, Ordering::Relaxed);
        self.free.push(index);
    }

    pub(crate) fn life(&self, index: u32) -> Life {
        Life {
            index,
            life: self.at(index).life(),
        }
    }

    /// Whether the slot is still in this life.
    pub(crate) fn is_current(&self, life: Life) -> bool {
        self.at(life.index).life() == life.life
    }

    /// Tells the control plane that an endpoint's last reference is gone.
    pub(crate) fn report_death(&self, life: Life) {
        self.dead.push(life);
    }

    /// An endpoint that died and is not unlinked yet.
    pub(crate) fn next_death(&self) -> Option<Life> {
        self.dead.pop()
    }

    /// The temporary endpoint under `key` that somebody holds or held a moment ago, of any kind by
    /// now. Costs one load while nobody holds
    /// any; otherwise a shared lock on a part of the map.
    #[inline]
    pub(crate) fn held(&self, key: Key) -> Option<u32> {
        self.held.find(key)
    }

    /// A reference to the temporary endpoint under `key`, made if there is none alive.
    ///
    /// The caller then looks whether a permanent one was published meanwhile, and if so gives
    /// this one back: of two that race one sees the other (see [`crate::control`]).
    pub(crate) fn hold_temporary(&self, key: Key) -> Result<u32, SlabError> {
        let bits = key.family().bits();
        let never = PrimaryEndpointBehavior::NeverPrimary;
        self.held.find_or_insert(
            key,
            |index| self.at(index).refs.try_acquire(),
            || self.create(key, AddressKind::Temporary, bits, never),
        )
    }

    /// A permanent endpoint for `key`: the temporary one that somebody holds, made permanent, or a new
    /// one, which holders find from now on, and workers once it is published.
    pub(crate) fn claim(
        &self,
        key: Key,
        kind: AddressKind,
        prefix_len: u8,
        primary: PrimaryEndpointBehavior,
    ) -> Result<u32, SlabError> {
        let index = self.held.claim(
            key,
            |index| self.at(index).refs.promote(kind) == Promote::Done,
            || self.create(key, kind, prefix_len, primary),
        )?;
        self.at(index).configure(prefix_len, primary);
        Ok(index)
    }

    /// What was claimed under `key` is published, or will not be.
    pub(crate) fn unclaim(&self, key: Key) {
        self.held.unclaim(key);
    }

    /// Takes `index` out of the held ones if it is what stands under `key`.
    pub(crate) fn unhold(&self, key: Key, index: u32) {
        self.held.remove(key, index);
    }

    /// The temporary endpoints that somebody holds or held a moment ago.
    pub(crate) fn all_held(&self) -> Vec<u32> {
        self.held.all()
    }

    /// How many temporary endpoints are held.
    pub(crate) fn held_count(&self) -> usize {
        self.held.len()
    }
}

impl Keys for Endpoints {
    #[inline]
    fn key(&self, index: u32) -> Key {
        self.at(index).key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_one_cache_line() {
        assert_eq!(size_of::<Endpoint>(), 64);
        assert_eq!(align_of::<Endpoint>(), 64);
    }

    #[test]
    fn a_slot_is_used_again_in_a_new_life() {
        let endpoints = Endpoints::new();
        let create = |n| {
            endpoints
                .create(
                    Key::v4(n),
                    AddressKind::Temporary,
                    24,
                    PrimaryEndpointBehavior::FirstPrimary,
                )
                .unwrap()
        };
        let first = create(1);
        let life = endpoints.life(first);
        assert!(endpoints.is_current(life));
        assert_eq!(endpoints.at(first).prefix_len(), 24);
        assert_eq!(
            endpoints.at(first).primary(),
            PrimaryEndpointBehavior::FirstPrimary
        );
        let _ = endpoints.at(first).refs.release();
        endpoints.reuse(first);
        let second = create(2);
        assert_eq!(second, first);
        assert!(
            !endpoints.is_current(life),
            "word of the first life is stale"
        );
        assert_eq!(endpoints.at(second).address().to_string(), "0.0.0.2");
    }

    #[test]
    fn a_dead_held_endpoint_is_replaced() {
        let endpoints = Endpoints::new();
        let key = Key::v4(9);
        let first = endpoints.hold_temporary(key).unwrap();
        assert_eq!(
            endpoints.hold_temporary(key).unwrap(),
            first,
            "shared while it lives"
        );
        assert_eq!(endpoints.held_count(), 1);
        let _ = endpoints.at(first).refs.release_many(2);
        let second = endpoints.hold_temporary(key).unwrap();
        assert_ne!(second, first);
        assert_eq!(endpoints.held(key), Some(second));
        endpoints.unhold(key, first);
        assert_eq!(
            endpoints.held(key),
            Some(second),
            "the late word of a death unlinks nothing"
        );
        endpoints.unhold(key, second);
        assert_eq!(endpoints.held(key), None);
        assert_eq!(endpoints.held_count(), 0);
    }
}
