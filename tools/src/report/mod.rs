//! What a run found: for people and for machines.

mod condition;
mod ledger;
mod limit;
mod link_text;
pub mod schema;
mod slo;
mod streams;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::generator::{Emission, Gone, Lateness, Spread};
use crate::latency::Percentiles;
use crate::machine::{Machine, Versions};
use crate::run::Interval;
use crate::selftest::SelfCheck;
use crate::sink::OrderShare;

pub use condition::{condition, difference};
pub use ledger::{Accounting, Identity, Ledger, StreamSums};
pub use limit::{Evidence, Limit};
pub use slo::{GoalShare, SloShare};
pub use streams::StreamShare;
pub use text::{duration, latencies, per_second, scaled, time, time_if_any, verdict};

/// The version of the JSON layout: it changes when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The result of a run; as JSON its fields are those of [`schema`].
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct Report {
    pub schema: u32,
    pub verb: &'static str,
    pub versions: Versions,
    pub machine: Machine,
    pub seed: u64,
    pub flags: BTreeMap<&'static str, serde_json::Value>,
    pub derived: Vec<&'static str>,
    pub interrupted: bool,
    pub conditions: Vec<String>,
    pub warnings: Vec<String>,
    pub window_s: f64,
    pub offered_pps: f64,
    pub achieved_pps: f64,
    pub delivered_pps: f64,
    pub forwarded_pps: f64,
    pub ns_per_packet: Option<f64>,
    pub sent: u64,
    pub received: u64,
    pub received_bytes: u64,
    pub delivered: u64,
    pub forwarded: u64,
    pub consumed: u64,
    pub drops: BTreeMap<&'static str, u64>,
    pub sockets: Option<SocketShare>,
    pub egress: Option<EgressShare>,
    pub order: OrderReport,
    pub streams: Option<Vec<StreamShare>>,
    pub in_flight_at_end: u64,
    pub workers: Vec<WorkerShare>,
    pub spread: Option<Spread>,
    pub latency_ns: Option<Percentiles>,
    pub intervals: Vec<Interval>,
    pub latency_limited_by_generator: Option<bool>,
    pub tester_limited: bool,
    pub self_check: Option<SelfCheck>,
    pub slo: Option<SloShare>,
    pub datapath_allocations: Option<u64>,
    pub generator: GeneratorShare,
    pub churn: Option<ChurnShare>,
    pub setup: Setup,
    pub captures: Option<Vec<CaptureShare>>,
    pub links: Option<LinkShare>,
    pub accounting: Accounting,
}

/// What became of the packets that were for sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct SocketShare {
    pub queued: u64,
    pub read: u64,
    pub read_bytes: u64,
    pub full: u64,
    pub closed: u64,
}

impl SocketShare {
    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            queued: self.queued - earlier.queued,
            read: self.read - earlier.read,
            read_bytes: self.read_bytes - earlier.read_bytes,
            full: self.full - earlier.full,
            closed: self.closed - earlier.closed,
        }
    }
}

/// What became of the packets that were sent on, out of the second NIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct EgressShare {
    pub sent: u64,
    pub sent_bytes: u64,
    pub send_dropped: u64,
    pub taken: u64,
}

/// What became of frames on real links.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct LinkShare {
    pub tx: LinkEnd,
    pub rx: LinkEnd,
    pub destination_mac: String,
    pub resolved_from: Option<String>,
    pub timestamps: &'static str,
    pub lost: u64,
    pub loss_ratio: f64,
    pub frames: u64,
    pub strays: u64,
    pub foreign: u64,
    pub answered: u64,
    pub lost_by_tester: u64,
    pub longest_poll_gap_ns: u64,
}

/// A link, and what it counted.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct LinkEnd {
    pub link: String,
    pub mtu: usize,
    pub counters: BTreeMap<String, u64>,
}

/// What was found of the frames that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct OrderReport {
    pub numbered: u64,
    pub missing: u64,
    #[serde(flatten)]
    pub found: OrderShare,
}

impl OrderReport {
    /// Of so many frames that were sent with a number to who looks at it.
    pub fn new(numbered: u64, found: OrderShare) -> Self {
        Self {
            numbered,
            missing: numbered.saturating_sub(found.unique()),
            found,
        }
    }
}

/// What one worker did in the window.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct WorkerShare {
    pub id: usize,
    pub core: Option<usize>,
    pub packets: u64,
    pub bytes: u64,
    pub busy_ratio: f64,
    pub ns_per_packet: Option<f64>,
    pub empty_polls: u64,
    pub polls: u64,
    pub allocations: Option<u64>,
}

/// What the generator did in the window.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct GeneratorShare {
    pub core: Option<usize>,
    pub planned_pps: Option<f64>,
    pub calibrated_pps: Option<f64>,
    pub intended: u64,
    pub sent: u64,
    pub unsent: Unsent,
    pub drops: GeneratorDrops,
    pub polls: Polls,
    pub busy_share: f64,
    pub limit: Limit,
    pub lateness_ns: LatenessShare,
    pub lateness_polled_ns: LatenessShare,
    pub gone: Gone,
    pub allocations: Option<u64>,
}

/// Frames that were planned and not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct Unsent {
    pub late: u64,
    pub too_large: u64,
    pub no_buffer: u64,
    pub not_taken: u64,
}

impl Unsent {
    /// All of them.
    pub fn all(&self) -> u64 {
        let Self {
            late,
            too_large,
            no_buffer,
            not_taken,
        } = self;
        late + too_large + no_buffer + not_taken
    }
}

/// Frames that were sent and did not reach the NIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct GeneratorDrops {
    pub ring_full: u64,
    pub pool_empty: u64,
}

/// What polls of the generator came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct Polls {
    pub productive: u64,
    pub idle: u64,
    pub starved: u64,
    pub waiting: u64,
}

impl Polls {
    /// Those of the generator, and those when it was not polled because a ring was full.
    pub fn new(emission: Emission, not_polled: u64) -> Self {
        let Emission {
            productive,
            idle,
            starved,
            waiting,
        } = emission;
        Self {
            productive,
            idle,
            starved,
            waiting: waiting + not_polled,
        }
    }

    /// The share of polls that gave frames.
    pub fn busy_share(&self) -> f64 {
        let all = self.productive + self.idle + self.starved + self.waiting;
        self.productive as f64 / all.max(1) as f64
    }
}

/// How late frames were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct LatenessShare {
    pub p50: u64,
    pub p99: u64,
    #[serde(rename = "p99.9")]
    pub p999: u64,
    pub max: u64,
}

impl From<Lateness> for LatenessShare {
    fn from(
        Lateness {
            p50,
            p99,
            p999,
            max,
        }: Lateness,
    ) -> Self {
        Self {
            p50,
            p99,
            p999,
            max,
        }
    }
}

/// What the thread that adds and removes addresses or routes did in the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct ChurnShare {
    pub asked_per_s: f64,
    pub achieved_per_s: f64,
    pub changes: u64,
    pub failed: u64,
    pub publish_ns: Percentiles,
}

/// What came before the traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct Setup {
    pub endpoints: u64,
    pub endpoints_s: f64,
    pub routes: u64,
    pub neighbors: u64,
    pub routes_s: f64,
    pub frames_s: f64,
}

/// What a capture held.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct CaptureShare {
    pub file: String,
    pub packets: u64,
    pub skipped: u64,
    pub snap_truncated: u64,
    pub broken: Option<String>,
}

impl Report {
    /// As JSON, without the end of a line.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// Whether the clock went back before the run.
    pub fn has_bad_clock(&self) -> bool {
        let check = self.self_check.as_ref();
        check.is_some_and(|check| !check.clock.monotonic)
    }

    /// Whether nothing was due: there is nothing that the result could be of.
    pub fn is_empty(&self) -> bool {
        self.generator.intended == 0
    }

    /// For people: one screen.
    pub fn text(&self) -> String {
        text::write(self)
    }
}

/// `part` for each of `whole`; none if there is none.
pub fn per(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
