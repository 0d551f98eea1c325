//! Waiting for a neighbor's link address (BEHAVIOURS O3).
#![expect(
    clippy::disallowed_types,
    reason = "for callers that are no workers; who answers never waits"
)]

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use corelane_wire::MacAddr;
use crossbeam::channel::{Receiver, Sender, bounded};

use super::{Stack, StackShared, lock};
use crate::address::Key;
use crate::neighbor::{NeighborAnswer, Wait, WaitToken};
use crate::nic::{Nic, NicId};

/// Somebody who waits for a neighbor's link address, and is given one answer. Dropped, it waits no
/// more (netstack's `RemoveWaker`, BUG 22).
pub struct NeighborWait {
    stack: Stack,
    nic: NicId,
    key: Key,
    token: WaitToken,
    answers: Receiver<NeighborAnswer>,
}

/// Those who wait, by token.
#[derive(Default)]
pub(super) struct Waiters {
    next: u64,
    waiting: HashMap<WaitToken, Sender<NeighborAnswer>>,
}

impl Stack {
    /// Finds the link address of a neighbor, for whoever wants to wait for it rather than to follow
    /// [`Event::NeighborChanged`](crate::Event::NeighborChanged). If it is known, the answer is there
    /// at once; otherwise all who wait share one resolution, and are answered when it succeeds, when
    /// it fails, and when the neighbor is forgotten.
    pub fn wait_for_neighbor(&self, nic: NicId, address: impl Into<IpAddr>) -> NeighborWait {
        let (address, shared) = (address.into(), self.shared());
        let key = Key::from(address);
        let (sender, answers) = bounded(1);
        let token = lock(&shared.waiters).add(sender);
        let fixed = shared.nic(nic).and_then(|nic| {
            let is_broadcast = nic.snapshots.load().is_directed_broadcast(key);
            let own = nic.settings.mac;
            let is_own = Nic::from_shared(nic).has_address(address);
            is_own
                .then_some(own)
                .or(is_broadcast.then_some(MacAddr::BROADCAST))
        });
        let begun = match fixed {
            Some(mac) => Some(Wait::Ready(mac)),
            None => shared.on_link(nic, |cache, turn| cache.wait(key, token, turn)),
        };
        let at_once = match begun {
            Some(Wait::Waiting) => None,
            Some(Wait::Ready(mac)) => Some(NeighborAnswer::Resolved(mac)),
            Some(Wait::NoLinkAddress) => Some(NeighborAnswer::Failed),
            None => Some(NeighborAnswer::Gone),
        };
        if let Some(answer) = at_once {
            shared.answer(token, answer);
        }
        NeighborWait {
            stack: self.clone(),
            nic,
            key,
            token,
            answers,
        }
    }
}

impl NeighborWait {
    /// The NIC.
    pub fn nic(&self) -> NicId {
        self.nic
    }

    /// The neighbor's address.
    pub fn address(&self) -> IpAddr {
        self.key.address()
    }

    /// The answer, if it is there by now. It is given out once.
    pub fn try_answer(&self) -> Option<NeighborAnswer> {
        self.answers.try_recv().ok()
    }

    /// The answer, waiting up to `timeout` for it. It is given out once.
    pub fn answer_within(&self, timeout: Duration) -> Option<NeighborAnswer> {
        self.answers.recv_timeout(timeout).ok()
    }
}

impl Drop for NeighborWait {
    fn drop(&mut self) {
        let shared = self.stack.shared();
        // Answered, it waits no more as it is.
        if lock(&shared.waiters).waiting.remove(&self.token).is_some() {
            shared.on_cache(self.nic, |cache, _| cache.cancel(self.key, self.token));
        }
    }
}

impl fmt::Debug for NeighborWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NeighborWait")
            .field("nic", &self.nic)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Waiters {
    fn add(&mut self, sender: Sender<NeighborAnswer>) -> WaitToken {
        let token = WaitToken(self.next);
        self.next += 1;
        self.waiting.insert(token, sender);
        token
    }
}

impl StackShared {
    /// Answers one who waits, if he still does.
    pub(super) fn answer(&self, token: WaitToken, answer: NeighborAnswer) {
        let sender = lock(&self.waiters).waiting.remove(&token);
        if let Some(sender) = sender {
            // There is room: it is the only answer. Without a receiver nobody wants it.
            let _ = sender.try_send(answer);
        }
    }
}
