//! What happened, as a stream for the embedder.
#![expect(
    clippy::disallowed_types,
    reason = "events are rare, and their sender never waits"
)]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corelane_wire::MacAddr;
use crossbeam::channel::{Receiver, Select, Sender, bounded};

use crate::neighbor::NeighborChange;
use crate::nic::NicId;

/// Something the embedder may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An endpoint's last reference is gone and the last handler that could see it has returned.
    /// Happens once for each endpoint that was in the table or held: of a NIC that was removed too,
    /// when what is held of it is let go.
    EndpointClosed {
        /// The NIC.
        nic: NicId,
        /// The address it had.
        address: IpAddr,
    },
    /// A tentative address is unique as far as can be told, and is in use from now on.
    AddressAssigned {
        /// The NIC.
        nic: NicId,
        /// The address.
        address: IpAddr,
    },
    /// Somebody else has a tentative address, or probes for it too: it was removed.
    DuplicateAddress {
        /// The NIC.
        nic: NicId,
        /// The address.
        address: IpAddr,
        /// The link address of the other side; None if the embedder said so.
        offender: Option<MacAddr>,
    },
    /// Probing an address ended without a result.
    DadAborted {
        /// The NIC.
        nic: NicId,
        /// The address.
        address: IpAddr,
        /// Why.
        reason: AbortReason,
    },
    /// Somebody else says that an address in use is his. Nothing was changed. Told once a second for
    /// each NIC at most; the counter `address_conflicts` has them all.
    AddressConflict {
        /// The NIC.
        nic: NicId,
        /// The address.
        address: IpAddr,
        /// His link address.
        offender: MacAddr,
    },
    /// A neighbor answers, has another link address, does not answer any more, or is forgotten.
    NeighborChanged {
        /// The NIC.
        nic: NicId,
        /// The neighbor's address.
        address: IpAddr,
        /// Its link address, if one is known.
        mac: Option<MacAddr>,
        /// What changed.
        change: NeighborChange,
    },
    /// A NIC was enabled.
    NicEnabled {
        /// The NIC.
        nic: NicId,
    },
    /// A NIC was disabled.
    NicDisabled {
        /// The NIC.
        nic: NicId,
    },
    /// A NIC was removed, its link is closed, and no worker has anything of it any more.
    NicRemoved {
        /// The NIC.
        nic: NicId,
    },
    /// A handler panicked; the frame it had is lost and counted, and the worker goes on.
    HandlerPanicked {
        /// The worker's number.
        worker: usize,
        /// What the panic said, where it was text.
        message: String,
    },
    /// A thread could not be pinned to its core and runs where the system puts it.
    NotPinned {
        /// The thread's name.
        thread: String,
        /// The core it was to have.
        core: usize,
    },
    /// A queue ended with an error: the NIC receives, or sends, through it no more.
    LinkFailed {
        /// The NIC.
        nic: NicId,
        /// What the link said.
        error: String,
    },
}

/// Why probing an address ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortReason {
    /// The address was removed.
    AddressRemoved,
    /// The NIC was disabled; the address is probed anew when it is enabled again.
    NicDisabled,
}

/// How many events that tell of something wrong are kept for a reader that is slow, at least: beside
/// those that belong to normal life, so that they are not crowded out.
const RARE: usize = 1024;

/// The sending end, held by whatever has something to report.
#[derive(Clone)]
pub struct EventSender {
    usual: Sender<Event>,
    rare: Sender<Event>,
    lost: Arc<AtomicU64>,
}

impl EventSender {
    /// Reports an event. If the stream is full, or nobody reads it, the event is lost and
    /// counted: a slow reader holds up nothing.
    pub fn send(&self, event: Event) {
        let stream = match event {
            // A million addresses may bring a million of these at once.
            Event::EndpointClosed { .. }
            | Event::AddressAssigned { .. }
            | Event::DadAborted { .. }
            | Event::AddressConflict { .. }
            | Event::NeighborChanged { .. } => &self.usual,
            Event::DuplicateAddress { .. }
            | Event::NicEnabled { .. }
            | Event::NicDisabled { .. }
            | Event::NicRemoved { .. }
            | Event::HandlerPanicked { .. }
            | Event::LinkFailed { .. }
            | Event::NotPinned { .. } => &self.rare,
        };
        if stream.try_send(event).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The stream of events. Clones read the same stream: each event is given out once. A clone taken
/// before an engine stops can be read after.
#[derive(Clone)]
pub struct Events {
    usual: Receiver<Event>,
    rare: Receiver<Event>,
    lost: Arc<AtomicU64>,
}

impl Events {
    /// The next event, if there is one now. Those that tell of something wrong come first.
    pub fn try_next(&self) -> Option<Event> {
        self.rare.try_recv().or_else(|_| self.usual.try_recv()).ok()
    }

    /// The next event, waiting up to `timeout` for it.
    pub fn next_within(&self, timeout: Duration) -> Option<Event> {
        if let Some(event) = self.try_next() {
            return Some(event);
        }
        let mut select = Select::new();
        select.recv(&self.rare);
        select.recv(&self.usual);
        // Another reader may be faster; then this one has waited for nothing.
        select
            .ready_timeout(timeout)
            .ok()
            .and_then(|_| self.try_next())
    }

    /// How many events were lost because the stream was full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A stream that holds up to `capacity` events of normal life, and as many, but 1,024 at least, that
/// tell of something wrong or of the life of NICs.
pub fn events(capacity: usize) -> (EventSender, Events) {
    let (usual, usual_receiver) = bounded(capacity);
    let (rare, rare_receiver) = bounded(capacity.max(RARE));
    let lost = Arc::new(AtomicU64::new(0));
    let sender = EventSender {
        usual,
        rare,
        lost: Arc::clone(&lost),
    };
    let events = Events {
        usual: usual_receiver,
        rare: rare_receiver,
        lost,
    };
    (sender, events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let (sender, events) = events(2);
        let event = |n: u8| Event::EndpointClosed {
            nic: NicId(0),
            address: [10, 0, 0, n].into(),
        };
        (0..5).for_each(|n| sender.send(event(n)));
        assert_eq!(events.lost(), 3);
        assert_eq!(events.try_next(), Some(event(0)));
        assert_eq!(events.next_within(Duration::ZERO), Some(event(1)));
        assert_eq!(events.try_next(), None);
        assert_eq!(events.next_within(Duration::from_millis(1)), None);
    }

    #[test]
    fn what_went_wrong_is_not_crowded_out() {
        let (sender, events) = events(1);
        let usual = Event::EndpointClosed {
            nic: NicId(0),
            address: [10, 0, 0, 1].into(),
        };
        sender.send(usual.clone());
        sender.send(usual.clone());
        let wrong = Event::LinkFailed {
            nic: NicId(0),
            error: "unplugged".to_owned(),
        };
        sender.send(wrong.clone());
        assert_eq!(events.clone().next_within(Duration::ZERO), Some(wrong));
        assert_eq!(events.try_next(), Some(usual));
        assert_eq!(events.lost(), 1);
    }
}
