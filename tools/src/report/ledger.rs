//! The books of a run.

use serde::Serialize;

use super::{EgressShare, GeneratorDrops, SocketShare, Unsent};
use crate::sink::OrderShare;

/// What independent counts say of one window: the generator's, the engine's, and those of who takes the
/// packets at the end of their way: handlers, sockets and their reader, the peer of the second NIC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Planned, by the generator's schedule.
    pub intended: u64,
    /// Sent, by the generator: emitted, and lost for want of a buffer.
    pub sent: u64,
    /// Planned and not sent.
    pub unsent: Unsent,
    /// Lost before the NIC.
    pub drops: GeneratorDrops,
    /// Received, by the NIC.
    pub received: u64,
    /// Delivered, by the NIC.
    pub delivered: u64,
    /// Forwarded, by the NIC.
    pub forwarded: u64,
    /// Consumed, by the NIC.
    pub consumed: u64,
    /// Dropped, by the NIC.
    pub dropped: u64,
    /// Of them, those whose socket's queue was full.
    pub socket_full: u64,
    /// Of them, those whose socket was closed.
    pub socket_closed: u64,
    /// Received, by each worker.
    pub received_by_worker: Vec<u64>,
    /// Delivered, by each worker.
    pub delivered_by_worker: Vec<u64>,
    /// What the handler of each worker was given.
    pub handled_by_worker: Vec<u64>,
    /// Of the sockets and who reads them; none if there are none.
    pub sockets: Option<SocketShare>,
    /// Of the second NIC and its peer; none if there is none.
    pub egress: Option<EgressShare>,
    /// What was found of the frames at the end of their way.
    pub order: OrderShare,
    /// Over the streams of a profile; none without one.
    pub streams: Option<StreamSums>,
    /// Handed to a worker and not accounted for.
    pub in_flight: u64,
    /// Frames of the pool that are out when the engine has stopped; none if it has not.
    pub frames_out: Option<u64>,
}

/// Sums over the streams of a profile, each of which is counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSums {
    /// Frames sent.
    pub sent: u64,
    /// Frames received, each once, as far as they say which stream they are of.
    pub unique: u64,
}

impl StreamSums {
    /// What these have to be, of all frames.
    pub fn identities(&self, sent: u64, unique: u64) -> [Identity; 2] {
        [
            Identity::of("sent = sum over streams", sent, self.sent),
            Identity::of("received unique = sum over streams", unique, self.unique),
        ]
    }
}

/// Two figures that have to be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// What is claimed: `sent = received + ring_full + pool_empty`.
    pub claim: &'static str,
    /// The left side.
    pub left: u64,
    /// The right side.
    pub right: u64,
    /// Whether they are the same.
    pub holds: bool,
}

/// Whether the books balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accounting {
    /// Whether every identity holds.
    pub holds: bool,
    /// The identities.
    pub identities: Vec<Identity>,
}

impl Identity {
    /// A claim, and what it comes to.
    pub fn of(claim: &'static str, left: u64, right: u64) -> Self {
        Self {
            claim,
            left,
            right,
            holds: left == right,
        }
    }
}

impl Accounting {
    /// What these come to.
    pub fn of(identities: Vec<Identity>) -> Self {
        Self {
            holds: identities.iter().all(|identity| identity.holds),
            identities,
        }
    }
}

impl Ledger {
    /// Checks every identity.
    pub fn check(&self) -> Accounting {
        let ended = self.delivered + self.forwarded + self.consumed + self.dropped;
        let identity = Identity::of;
        let read = self.sockets.map_or(0, |sockets| sockets.read);
        let taken = self.egress.map_or(0, |egress| egress.taken);
        let send_dropped = self.egress.map_or(0, |egress| egress.send_dropped);
        let order = &self.order;
        let lost = self.drops.ring_full + self.drops.pool_empty + self.dropped + send_dropped;
        let mut identities = vec![
            identity(
                "intended = sent + unsent",
                self.intended,
                self.sent + self.unsent.all(),
            ),
            identity(
                "sent + duplicates = received + ring_full + pool_empty",
                self.sent + self.order.duplicates,
                self.received + self.drops.ring_full + self.drops.pool_empty,
            ),
            identity(
                "received = delivered + forwarded + consumed + drops",
                self.received,
                ended,
            ),
            identity(
                "received = sum over workers",
                self.received,
                self.received_by_worker.iter().sum(),
            ),
            identity(
                "delivered = sum over handlers + read from sockets",
                self.delivered,
                self.handled_by_worker.iter().sum::<u64>() + read,
            ),
            identity(
                "sent = received unique + without number + read from sockets + corrupt + consumed + all drops \
                 + in flight",
                self.sent,
                order.unique()
                    + order.too_late
                    + order.unchecked
                    + read
                    + order.corrupt
                    + self.consumed
                    + lost
                    + self.in_flight,
            ),
            identity(
                "given to handlers + taken = received unique + duplicates + corrupt + without number",
                self.handled_by_worker.iter().sum::<u64>() + taken,
                order.all(),
            ),
            identity("reordered = 0", order.reordered + order.too_late, 0),
            identity("duplicates = 0", order.duplicates, 0),
            identity("corrupt = 0", order.corrupt, 0),
            identity("in_flight_at_end = 0", self.in_flight, 0),
        ];
        if let Some(streams) = &self.streams {
            identities.extend(streams.identities(self.sent, order.unique()));
        }
        if let Some(out) = self.frames_out {
            identities.push(identity("frames_out_at_end = 0", out, 0));
        }
        if self.sockets.is_none() {
            let pairs = self.delivered_by_worker.iter().zip(&self.handled_by_worker);
            let agreeing = pairs.filter(|(nic, handler)| nic == handler).count();
            identities.push(identity(
                "workers whose handler was given what the NIC says = workers",
                agreeing as u64,
                self.delivered_by_worker.len() as u64,
            ));
        }
        if let Some(sockets) = self.sockets {
            identities.extend([
                identity(
                    "queued by sockets = read from them",
                    sockets.queued,
                    sockets.read,
                ),
                identity(
                    "socket_full = sum over sockets",
                    self.socket_full,
                    sockets.full,
                ),
                identity(
                    "socket_closed = sum over sockets",
                    self.socket_closed,
                    sockets.closed,
                ),
            ]);
        }
        if let Some(egress) = self.egress {
            identities.extend([
                identity(
                    "forwarded = egress sent + send_dropped",
                    self.forwarded,
                    egress.sent + egress.send_dropped,
                ),
                identity("egress sent = taken by its peer", egress.sent, egress.taken),
            ]);
        }
        Accounting::of(identities)
    }
}
