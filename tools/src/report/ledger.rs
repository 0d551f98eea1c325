//! The books of a run.

use serde::Serialize;

use super::{GeneratorDrops, Unsent};

/// What three independent counts say of one window: the generator's, the engine's and the
/// handlers'.
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
    /// Received, by each worker.
    pub received_by_worker: Vec<u64>,
    /// Delivered, by each handler.
    pub delivered_to_handlers: u64,
    /// Handed to a worker and not accounted for.
    pub in_flight: u64,
    /// Frames of the pool that are out.
    pub frames_out: u64,
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

impl Ledger {
    /// Checks every identity.
    pub fn check(&self) -> Accounting {
        let ended = self.delivered + self.forwarded + self.consumed + self.dropped;
        let identity = |claim, left, right| Identity {
            claim,
            left,
            right,
            holds: left == right,
        };
        let identities = vec![
            identity(
                "intended = sent + unsent",
                self.intended,
                self.sent + self.unsent.late + self.unsent.too_large,
            ),
            identity(
                "sent = received + ring_full + pool_empty",
                self.sent,
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
                "delivered = sum over handlers",
                self.delivered,
                self.delivered_to_handlers,
            ),
            identity("in_flight_at_end = 0", self.in_flight, 0),
            identity("frames_out_at_end = 0", self.frames_out, 0),
        ];
        Accounting {
            holds: identities.iter().all(|identity| identity.holds),
            identities,
        }
    }
}
