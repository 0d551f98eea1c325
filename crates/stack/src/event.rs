//! What happened, as a stream for the embedder.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[expect(
    clippy::disallowed_types,
    reason = "events come from the control plane"
)]
use crossbeam::channel::{Receiver, Sender};

use crate::nic::NicId;

/// Something the embedder may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An endpoint's last reference is gone and the last handler that could see it has returned.
    /// Comes exactly once for each endpoint that was in the table or held.
    EndpointClosed {
        /// The NIC.
        nic: NicId,
        /// The address it had.
        address: IpAddr,
    },
    /// A handler panicked; the frame it had is lost and counted, and the worker goes on.
    HandlerPanicked {
        /// The worker's number.
        worker: usize,
        /// What the panic said, where it was text.
        message: String,
    },
    /// A receive queue ended with an error.
    LinkFailed {
        /// The NIC.
        nic: NicId,
        /// What the link said.
        error: String,
    },
}

/// The sending end, held by whatever has something to report.
#[derive(Clone)]
#[expect(
    clippy::disallowed_types,
    reason = "events come from the control plane"
)]
pub struct EventSender {
    sender: Sender<Event>,
    lost: Arc<AtomicU64>,
}

impl EventSender {
    /// Reports an event. If the stream is full, or nobody reads it, the event is lost and
    /// counted: a slow reader holds up nothing.
    pub fn send(&self, event: Event) {
        if self.sender.try_send(event).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The stream of events.
#[expect(
    clippy::disallowed_types,
    reason = "events are for the embedder's own threads"
)]
pub struct Events {
    receiver: Receiver<Event>,
    lost: Arc<AtomicU64>,
}

impl Events {
    /// The next event, if there is one now.
    pub fn try_next(&self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// The next event, waiting up to `timeout` for it.
    pub fn next_within(&self, timeout: Duration) -> Option<Event> {
        self.receiver.recv_timeout(timeout).ok()
    }

    /// How many events were lost because the stream was full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A stream that holds up to `capacity` events.
pub fn events(capacity: usize) -> (EventSender, Events) {
    let (sender, receiver) = crossbeam::channel::bounded(capacity);
    let lost = Arc::new(AtomicU64::new(0));
    (
        EventSender {
            sender,
            lost: Arc::clone(&lost),
        },
        Events { receiver, lost },
    )
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
    }
}
