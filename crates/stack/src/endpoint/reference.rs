//! References to endpoints that outlive a burst.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use corelane_sync::refs::{AddressKind, Release};

use super::Life;
use crate::nic::NicShared;

/// A counted reference to an endpoint: what a route, a socket or a stored handle keeps.
///
/// While it is held, the endpoint is not closed and its address not forgotten; when the address
/// is removed meanwhile, the endpoint becomes [`AddressKind::PermanentExpired`], and adding the
/// address again before the last reference is gone revives the same endpoint. It may be dropped
/// on any thread; the control thread does the unlinking and closing.
pub struct EndpointRef {
    nic: Arc<NicShared>,
    index: u32,
}

impl EndpointRef {
    /// Wraps a reference that the caller has already counted.
    pub(crate) fn from_counted(nic: Arc<NicShared>, index: u32) -> Self {
        Self { nic, index }
    }

    pub(crate) fn nic(&self) -> &NicShared {
        &self.nic
    }

    /// Whether the NIC is still there. If it was removed, the reference is all that is left of the
    /// endpoint.
    pub fn is_nic_gone(&self) -> bool {
        self.nic.is_gone()
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.nic.endpoints.at(self.index).address()
    }

    /// What the endpoint is now; another thread may change it at any time.
    pub fn kind(&self) -> AddressKind {
        self.nic.endpoints.at(self.index).refs.load().kind()
    }

    /// Whether `other` refers to the same endpoint, not only the same address.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.nic, &other.nic) && self.index == other.index
    }
}

impl Clone for EndpointRef {
    /// # Panics
    /// If there are 2³⁰ references to one endpoint.
    fn clone(&self) -> Self {
        let counted = self.nic.endpoints.at(self.index).refs.try_acquire();
        assert!(
            counted,
            "a held endpoint can be held once more, up to 2^30 times"
        );
        Self {
            nic: Arc::clone(&self.nic),
            index: self.index,
        }
    }
}

impl EndpointRef {
    /// Gives the reference back; true if it was the last one, whose word is then to be sent.
    fn release(&self) -> Option<Life> {
        let endpoints = &self.nic.endpoints;
        // Which life this is must be known before the reference is gone: after that the slot may
        // be given to another.
        let life = endpoints.life(self.index);
        (endpoints.at(self.index).refs.release() == Release::Last).then_some(life)
    }

    /// What dropping does, with the word of the death held back until the returned function is
    /// called: for a test to put something in between.
    #[cfg(test)]
    pub(crate) fn release_without_word(self) -> impl FnOnce() {
        let this = std::mem::ManuallyDrop::new(self);
        let (nic, life) = (Arc::clone(&this.nic), this.release());
        let life = life.expect("the last reference");
        move || nic.endpoints.report_death(life)
    }
}

impl Drop for EndpointRef {
    fn drop(&mut self) {
        if let Some(life) = self.release() {
            self.nic.endpoints.report_death(life);
            self.nic.stack.shared().call.call();
        }
    }
}

impl fmt::Debug for EndpointRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointRef")
            .field("nic", &self.nic.id())
            .field("address", &self.address())
            .field("state", &self.nic.endpoints.at(self.index).refs.load())
            .finish()
    }
}
