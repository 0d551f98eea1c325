//! From counters to a report.

use std::collections::BTreeMap;

use corelane::engine::{DistributorReport, EngineReport, NicReport, WorkerReport};
use corelane::stack::{DropReason, NicTotals};

use super::Outcome;
use crate::generator::Totals;
use crate::latency::{self, Percentiles};
use crate::machine::{Machine, Versions};
use crate::report::{
    CaptureShare, ChurnShare, EgressShare, Evidence, GeneratorDrops, GeneratorShare, Ledger, Limit,
    Polls, Report, SCHEMA, Setup, Unsent, WorkerShare, per,
};

/// What was counted in a window: the generator's word, and the engine's before and after.
pub struct Measured {
    /// What the generator says.
    pub totals: Totals,
    /// The engine before, with nothing in flight.
    pub before: EngineReport,
    /// The engine after, with nothing in flight unless something is wrong.
    pub after: EngineReport,
}

impl Measured {
    /// The seconds of the window.
    pub fn seconds(&self) -> f64 {
        self.totals.elapsed_ns as f64 / 1e9
    }

    /// Frames per second that were sent.
    pub fn achieved_pps(&self) -> f64 {
        rate(self.totals.emitted + self.totals.pool_empty, self.seconds())
    }

    fn nics(&self) -> Option<(&NicReport, &NicReport)> {
        Some((self.before.nics.first()?, self.after.nics.first()?))
    }

    /// What the NIC counted in the window.
    fn nic(&self) -> NicTotals {
        self.nics()
            .map_or_else(NicTotals::default, |(before, after)| {
                after.totals.since(&before.totals)
            })
    }

    /// What the second NIC counted in the window, if there is one.
    fn egress(&self) -> Option<NicTotals> {
        let (before, after) = (self.before.nics.get(1)?, self.after.nics.get(1)?);
        Some(after.totals.since(&before.totals))
    }

    /// What the NIC counted in the window on each worker.
    fn nic_by_worker(&self) -> Vec<NicTotals> {
        self.nics().map_or_else(Vec::new, |(before, after)| {
            after
                .per_worker
                .iter()
                .zip(&before.per_worker)
                .map(|(after, before)| after.since(before))
                .collect()
        })
    }

    fn distributor(&self) -> Option<(&DistributorReport, &DistributorReport)> {
        Some((
            self.before.distributors.first()?,
            self.after.distributors.first()?,
        ))
    }
}

/// What a run was, beside what it counted.
pub struct Conditions {
    /// `bench` or `replay`.
    pub verb: &'static str,
    /// What random draws started from.
    pub seed: u64,
    /// The options in effect.
    pub flags: BTreeMap<&'static str, serde_json::Value>,
    /// Lines for people.
    pub lines: Vec<String>,
    /// Whether it was ended early.
    pub interrupted: bool,
    /// The rate asked for; none at `max`.
    pub planned_pps: Option<f64>,
    /// What the calibration achieved.
    pub calibrated_pps: Option<f64>,
    /// Frames that all rings together hold.
    pub room: u64,
    /// Packets that fit no slot.
    pub too_large: u64,
    /// What the churn thread did.
    pub churn: Option<ChurnShare>,
    /// What came before the traffic.
    pub setup: Setup,
    /// What the captures held.
    pub captures: Option<Vec<CaptureShare>>,
    /// What may make the result mean less.
    pub warnings: Vec<String>,
}

/// Puts a report together.
pub fn assemble(conditions: Conditions, measured: &Measured, outcome: Outcome) -> Report {
    let totals = &measured.totals;
    let seconds = measured.seconds();
    let nic = measured.nic();
    let by_worker = measured.nic_by_worker();
    let (ring_full, waiting, generator_allocations, generator_core) = measured
        .distributor()
        .map_or((0, 0, None, None), |(before, after)| {
            (
                after.ring_full.saturating_sub(before.ring_full),
                after.wait_polls.saturating_sub(before.wait_polls),
                since(after.allocations, before.allocations),
                after.core,
            )
        });

    let workers: Vec<WorkerShare> = measured
        .after
        .workers
        .iter()
        .zip(&measured.before.workers)
        .zip(&by_worker)
        .map(|((after, before), nic)| worker_share(after, before, nic))
        .collect();
    let busy_ns: u64 = measured
        .after
        .workers
        .iter()
        .zip(&measured.before.workers)
        .map(|(after, before)| after.busy_ns.saturating_sub(before.busy_ns))
        .sum();
    let datapath_allocations = workers
        .iter()
        .map(|worker| worker.allocations)
        .chain([generator_allocations])
        .sum::<Option<u64>>();

    let unsent = Unsent {
        late: totals.late,
        too_large: conditions.too_large,
    };
    let drops = GeneratorDrops {
        ring_full,
        pool_empty: totals.pool_empty,
    };
    let sent = totals.emitted + totals.pool_empty;
    let intended = totals.intended + conditions.too_large;
    let egress = measured.egress().map(|egress| EgressShare {
        sent: egress.sent,
        sent_bytes: egress.sent_bytes,
        send_dropped: egress.send_dropped,
        taken: outcome.taken.iter().map(|taken| taken.packets).sum(),
    });
    let ledger = Ledger {
        intended,
        sent,
        unsent,
        drops,
        received: nic.received,
        delivered: nic.delivered,
        forwarded: nic.forwarded,
        consumed: nic.consumed,
        dropped: nic.dropped(),
        socket_full: nic.dropped_for(DropReason::SocketFull),
        socket_closed: nic.dropped_for(DropReason::SocketClosed),
        received_by_worker: by_worker.iter().map(|worker| worker.received).collect(),
        delivered_to_handlers: outcome.handled.iter().map(|handled| handled.packets).sum(),
        sockets: outcome.sockets,
        egress,
        in_flight: measured.after.in_flight,
        frames_out: outcome.last.pool.out as u64,
    };
    let polls = Polls::new(totals.polls, waiting);
    let limit = Limit::of(&Evidence {
        at_max: conditions.planned_pps.is_none(),
        room: conditions.room,
        intended,
        late: totals.late,
        ring_full,
        pool_empty: totals.pool_empty,
        productive: polls.productive,
        starved: polls.starved,
        waiting,
        idle: workers
            .iter()
            .map(|worker| 1.0 - worker.busy_ratio)
            .fold(1.0, f64::min),
    });
    let latency_ns = latency_of(&outcome);
    let mut warnings = outcome.warnings;
    warnings.extend(conditions.warnings);
    if cfg!(debug_assertions) {
        warnings.push("built with debug assertions: the figures mean little".to_owned());
    }

    Report {
        schema: SCHEMA,
        verb: conditions.verb,
        versions: Versions::here(),
        machine: Machine::here(),
        seed: conditions.seed,
        flags: conditions.flags,
        interrupted: conditions.interrupted,
        warnings,
        window_s: seconds,
        offered_pps: rate(intended, seconds),
        achieved_pps: rate(sent, seconds),
        delivered_pps: rate(nic.delivered, seconds),
        forwarded_pps: rate(nic.forwarded, seconds),
        ns_per_packet: per(busy_ns, nic.received),
        sent,
        received: nic.received,
        received_bytes: nic.received_bytes,
        delivered: nic.delivered,
        forwarded: nic.forwarded,
        consumed: nic.consumed,
        drops: nic
            .drops()
            .map(|(reason, count)| (reason.label(), count))
            .collect(),
        sockets: outcome.sockets,
        egress,
        in_flight_at_end: measured.after.in_flight,
        workers,
        latency_ns,
        latency_limited_by_generator: latency_ns
            .map(|latency| Report::limited_by_generator(&latency, &totals.lateness)),
        datapath_allocations,
        generator: GeneratorShare {
            core: generator_core,
            planned_pps: conditions.planned_pps,
            calibrated_pps: conditions.calibrated_pps,
            intended,
            sent,
            unsent,
            drops,
            polls,
            busy_share: polls.busy_share(),
            limit,
            lateness_ns: totals.lateness.into(),
            allocations: generator_allocations,
        },
        churn: conditions.churn,
        setup: conditions.setup,
        captures: conditions.captures,
        accounting: ledger.check(),
        conditions: conditions.lines,
    }
}

fn worker_share(after: &WorkerReport, before: &WorkerReport, nic: &NicTotals) -> WorkerShare {
    let busy = after.busy_ns.saturating_sub(before.busy_ns);
    let idle = after.idle_ns.saturating_sub(before.idle_ns);
    WorkerShare {
        id: after.id.0,
        core: after.core,
        packets: nic.received,
        bytes: nic.received_bytes,
        busy_ratio: per(busy, busy + idle).unwrap_or(0.0),
        ns_per_packet: per(busy, nic.received),
        empty_polls: after.empty_polls.saturating_sub(before.empty_polls),
        polls: after.polls.saturating_sub(before.polls),
        allocations: since(after.allocations, before.allocations),
    }
}

/// The latencies of all that was delivered or sent on in one; none if they were not measured.
fn latency_of(outcome: &Outcome) -> Option<Percentiles> {
    let mut merged = None;
    for handled in outcome.handled.iter().chain(&outcome.taken) {
        let Some(of_worker) = &handled.latency else {
            continue;
        };
        let all = merged.get_or_insert_with(latency::histogram);
        // They have the same bounds: adding one to the other does not fail.
        let added = all.add(of_worker);
        debug_assert!(added.is_ok());
    }
    merged.as_ref().map(Percentiles::of)
}

fn since(after: Option<u64>, before: Option<u64>) -> Option<u64> {
    Some(after?.saturating_sub(before?))
}

fn rate(frames: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        frames as f64 / seconds
    } else {
        0.0
    }
}
