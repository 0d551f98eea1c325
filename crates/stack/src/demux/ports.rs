//! Which ports are in use, and how one is chosen where none is named.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::identity::Identity;
use super::{ANY, Binding, key_or_any};
use crate::address::{Family, Key};

/// The ports that are chosen from (RFC 6335 section 6).
const DYNAMIC: RangeInclusive<u16> = 49152..=65535;

/// How many sockets there are at each port.
#[derive(Default)]
pub(super) struct Ports {
    /// Of a family and a local address, or any.
    at_address: Counts<(Family, Key, u16)>,
    /// Of a family.
    at_port: Counts<(Family, u16)>,
}

type Counts<K> = HashMap<K, u32, foldhash::fast::RandomState>;

impl Ports {
    /// A socket was bound.
    pub(super) fn take(&mut self, identity: Identity) {
        let (family, port) = (identity.family(), identity.local_port());
        let at_address = (family, identity.local(), port);
        *self.at_address.entry(at_address).or_default() += 1;
        *self.at_port.entry((family, port)).or_default() += 1;
    }

    /// One that was bound is no more.
    pub(super) fn give_back(&mut self, identity: Identity) {
        let (family, port) = (identity.family(), identity.local_port());
        count_down(&mut self.at_address, (family, identity.local(), port));
        count_down(&mut self.at_port, (family, port));
    }

    /// A port at random (RFC 6056 section 3.3.1) that is nobody else's in any of these ways: what is
    /// sent from it is answered to whoever sent it, however the others are bound.
    pub(super) fn choose(&self, bindings: &[Binding], rng: &mut fastrand::Rng) -> Option<u16> {
        let count = u32::from(*DYNAMIC.end() - *DYNAMIC.start()) + 1;
        let first = rng.u32(..count);
        (0..count)
            .map(|n| *DYNAMIC.start() + ((first + n) % count) as u16)
            .find(|port| bindings.iter().all(|it| self.is_free(it, *port)))
    }

    /// Whether somebody has a port, at whatever address.
    pub(super) fn is_taken(&self, family: Family, port: u16) -> bool {
        self.at_port.contains_key(&(family, port))
    }

    fn is_free(&self, binding: &Binding, port: u16) -> bool {
        let family = binding.family;
        match key_or_any(binding.local) {
            ANY => !self.is_taken(family, port),
            local => {
                let is_taken = |local| self.at_address.contains_key(&(family, local, port));
                !is_taken(local) && !is_taken(ANY)
            }
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "keys are small, and taken as count_up takes them"
)]
fn count_down<K: Eq + std::hash::Hash>(counts: &mut Counts<K>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
impl Ports {
    /// Whether no port is in use.
    pub(super) fn is_empty(&self) -> bool {
        self.at_address.is_empty() && self.at_port.is_empty()
    }
}
