//! A trial, and what came of it.

use std::time::Duration;

use super::{Failure, Measured};
use crate::generator::Lateness;
use crate::interrupt::Interrupt;
use crate::latency::Percentiles;
use crate::progress::Progress;
use crate::report::{Accounting, GeneratorDrops, Limit, StreamShare, Unsent};
use crate::threads::Waited;
use crate::unit::Arrival;

/// A stretch of load on a [`TestBed`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Frames per second; none to send as fast as the generator can (on a bed where a full ring means a
    /// drop), or as the workers take them (where it means to wait). Streams of a profile have them in the
    /// proportion of their rates.
    pub pps: Option<f64>,
    /// How they come, at a rate, unless a profile says so.
    pub arrival: Arrival,
    /// For how long.
    pub duration: Duration,
    /// Whether frames that came due while the generator was not polled wait until there is room for them, where the
    /// bed [can tell](TestBed::knows_room) whether there is. Without, they are all sent at once, and what runs over is
    /// lost by the generator's fault.
    pub patient: bool,
}

impl Trial {
    /// At constant gaps, or as fast as can be.
    pub fn new(pps: Option<f64>, duration: Duration) -> Self {
        Self {
            pps,
            arrival: Arrival::Cbr,
            duration,
            patient: false,
        }
    }
}

/// What any bed says of a trial: by stream of a profile what became of it, nothing more without one.
pub type LoadResult = TrialResult<Vec<StreamShare>>;

/// Where trials can be run, one after the other: an engine in this process, or a device on real links.
pub trait TestBed {
    /// Runs a trial: from nothing in flight to nothing in flight. It prints nothing.
    ///
    /// # Errors
    /// A link failed, or the window does not end. That frames were lost, late or not accounted for is no
    /// error, but a result.
    fn try_load(
        &mut self,
        trial: &Trial,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<LoadResult, Failure>;

    /// Frames that may come at once and not be lost, because there is room for them to wait: as far as that
    /// is known.
    fn room(&self) -> u64;

    /// Whether it is known at any time how much of that is left, so that a generator can wait for it.
    fn knows_room(&self) -> bool;
}

/// What came of a trial. Counts are frames, from its start until nothing was in flight.
#[derive(Clone, Debug)]
pub struct TrialResult<M = Measured> {
    /// How long it was, in seconds: less than asked for if it was interrupted.
    pub seconds: f64,
    /// Planned; without a rate, those sent.
    pub intended: u64,
    /// Sent.
    pub offered: u64,
    /// Planned and not sent.
    pub unsent: Unsent,
    /// Received and dealt with: delivered, consumed, or taken by the peer of the second NIC.
    pub received: u64,
    /// Sent and lost before the NIC.
    pub drops: GeneratorDrops,
    /// Dropped by the NIC.
    pub dropped: u64,
    /// Neither dealt with nor dropped at the end.
    pub in_flight: u64,
    /// Latencies from the planned send time, in nanoseconds; none if they were not measured.
    pub latency: Option<Percentiles>,
    /// How late the generator sent.
    pub lateness: Lateness,
    /// How late it sent what did not come due while it was not polled, and did not wait behind that.
    pub lateness_polled: Lateness,
    /// How long the workers waited for their cores; nothing is known of a device on real links.
    pub waited: Waited,
    /// What kept the rate from being higher, or from being what was planned.
    pub limit: Limit,
    /// Whether the generator was so late that the latencies say little about the engine; none if they were not
    /// measured.
    pub tester_limited: Option<bool>,
    /// Whether the books balance.
    pub accounting: Accounting,
    /// Frames that the tester itself lost on their way back, which says nothing about who sent them.
    pub lost_by_tester: u64,
    /// All that was counted, or what is made of it.
    pub measured: M,
}

impl TrialResult {
    pub(super) fn of(trial: &Trial, measured: Measured, room: u64) -> Self {
        let ledger = measured.ledger(0);
        let latency = measured.latency();
        let lateness = measured.totals.lateness;
        debug_assert_eq!(measured.at_max, trial.pps.is_none());
        Self {
            seconds: measured.seconds(),
            intended: ledger.intended,
            offered: ledger.sent,
            unsent: ledger.unsent,
            received: measured.dealt_with(),
            drops: ledger.drops,
            dropped: ledger.dropped,
            in_flight: ledger.in_flight,
            latency,
            lateness,
            lateness_polled: measured.totals.lateness_polled,
            waited: measured.waited,
            limit: measured.limit(room),
            tester_limited: latency.map(|latency| lateness.spoils(&latency)),
            accounting: ledger.check(),
            lost_by_tester: 0,
            measured,
        }
    }
}

impl<M> TrialResult<M> {
    /// With what `derive` makes of all that was counted, in its place.
    pub fn map<N>(self, derive: impl FnOnce(M) -> N) -> TrialResult<N> {
        TrialResult {
            seconds: self.seconds,
            intended: self.intended,
            offered: self.offered,
            unsent: self.unsent,
            received: self.received,
            drops: self.drops,
            dropped: self.dropped,
            in_flight: self.in_flight,
            latency: self.latency,
            lateness: self.lateness,
            lateness_polled: self.lateness_polled,
            waited: self.waited,
            limit: self.limit,
            tester_limited: self.tester_limited,
            accounting: self.accounting,
            lost_by_tester: self.lost_by_tester,
            measured: derive(self.measured),
        }
    }

    /// Frames that were intended and not received: what was not sent counts as lost, because a generator
    /// that is behind must not make a device look better.
    pub fn lost(&self) -> u64 {
        self.intended.saturating_sub(self.received)
    }

    /// Their share, from 0 to 1; 0 of nothing.
    pub fn loss_ratio(&self) -> f64 {
        self.lost() as f64 / self.intended.max(1) as f64
    }

    /// Frames sent per second.
    pub fn offered_pps(&self) -> f64 {
        self.offered as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// Frames received per second.
    pub fn received_pps(&self) -> f64 {
        self.received as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}
