//! From counters to a report.

use std::collections::BTreeMap;

use corelane::engine::{DistributorReport, EngineReport, NicReport, WorkerReport};
use corelane::stack::{DropReason, NicTotals};

use super::{Interval, Outcome, Stream};
use crate::generator::{Spread, StreamTotals, Totals};
use crate::latency::{Latencies, Percentiles};
use crate::machine::{Machine, Versions};
use crate::report::{
    CaptureShare, ChurnShare, EgressShare, Evidence, GeneratorDrops, GeneratorShare, Ledger, Limit,
    OrderReport, Polls, Report, SCHEMA, Setup, SloShare, SocketShare, Unsent, WorkerShare, per,
};
use crate::selftest::SelfCheck;
use crate::sink::{Handled, OrderShare};
use crate::threads::Waited;
use crate::unit::Slo;

/// What was counted in a window: the generator's word, the engine's before and after, and that of who takes
/// the packets at the end.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Whether there was no plan.
    pub at_max: bool,
    /// What the generator says.
    pub totals: Totals,
    /// The engine before, with nothing in flight.
    pub before: EngineReport,
    /// The engine after, with nothing in flight unless something is wrong.
    pub after: EngineReport,
    /// What each handler counted.
    pub handled: Vec<Handled>,
    /// What the sockets counted, and who reads them, if there are any.
    pub sockets: Option<SocketShare>,
    /// What the peer of the second NIC counted, by transmit queue.
    pub taken: Vec<Handled>,
    /// What happened when.
    pub intervals: Vec<Interval>,
    /// How long the workers waited for their cores.
    pub waited: Waited,
    /// What the generator says of each stream of a profile; nothing without one.
    pub streams: Vec<StreamTotals>,
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

    /// A warning, if workers waited for their cores so long that the figures are not theirs.
    fn busy_machine(&self) -> Option<String> {
        /// The share of a window that does not matter.
        const LITTLE: f64 = 0.01;
        let share = self.waited.longest_ns as f64 / self.waited.of_ns.max(1) as f64;
        (share > LITTLE).then(|| {
            format!(
                "a worker waited {} of the time for its core, which something else had: the figures are of \
                 this machine, busy as it was, and not of the engine",
                format_args!("{:.0}%", 100.0 * share)
            )
        })
    }

    /// A warning, if the plan of this window is not that of the rate, at which so many frames are due: it has a part of a
    /// cycle or of a burst. None if it is a matter of chance.
    fn uneven_plan(&self, planned: f64) -> Option<String> {
        /// Times the root of the frames: more is no chance.
        const CHANCE: f64 = 6.0;
        const LITTLE: f64 = 0.02;
        let intended = self.totals.intended as f64;
        // The first frame is due at once, however low the rate is.
        let slack = 1.0 + LITTLE * planned + CHANCE * planned.sqrt();
        ((intended - planned).abs() > slack).then(|| {
            format!(
                "{} frames were due in this window, where the rate comes to {planned:.0}: it cuts a burst or an on/off \
                 cycle",
                self.totals.intended
            )
        })
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

    /// Frames that were received and dealt with, each once and as it was sent: delivered, consumed, or taken
    /// by the peer of the second NIC.
    pub fn dealt_with(&self) -> u64 {
        let order = self.order();
        let read = self.sockets.map_or(0, |sockets| sockets.read);
        order.unique() + order.too_late + order.unchecked + read + self.nic().consumed
    }

    /// Frames lost before the NIC, and polls in which the generator was not asked because a ring was full.
    fn rings(&self) -> (u64, u64) {
        self.distributor().map_or((0, 0), |(before, after)| {
            (
                after.ring_full.saturating_sub(before.ring_full),
                after.wait_polls.saturating_sub(before.wait_polls),
            )
        })
    }

    /// The books; `too_large` packets were planned and fit no slot.
    pub fn ledger(&self, too_large: u64) -> Ledger {
        let totals = &self.totals;
        let nic = self.nic();
        let by_worker = self.nic_by_worker();
        Ledger {
            intended: totals.intended + too_large,
            sent: totals.emitted + totals.pool_empty,
            unsent: Unsent {
                late: totals.late,
                too_large,
                ..Unsent::default()
            },
            drops: GeneratorDrops {
                ring_full: self.rings().0,
                pool_empty: totals.pool_empty,
            },
            received: nic.received,
            delivered: nic.delivered,
            forwarded: nic.forwarded,
            consumed: nic.consumed,
            dropped: nic.dropped(),
            socket_full: nic.dropped_for(DropReason::SocketFull),
            socket_closed: nic.dropped_for(DropReason::SocketClosed),
            received_by_worker: by_worker.iter().map(|worker| worker.received).collect(),
            delivered_by_worker: by_worker.iter().map(|worker| worker.delivered).collect(),
            handled_by_worker: self.handled.iter().map(|handled| handled.packets).collect(),
            sockets: self.sockets,
            egress: self.egress_share(),
            order: self.order(),
            streams: self.stream_sums(),
            in_flight: self.after.in_flight,
            frames_out: None,
        }
    }

    /// What was found of all frames that arrived.
    pub fn order(&self) -> OrderShare {
        let ends = self.handled.iter().chain(&self.taken);
        ends.fold(OrderShare::default(), |all, end| all.and(&end.order))
    }

    fn egress_share(&self) -> Option<EgressShare> {
        self.egress().map(|egress| EgressShare {
            sent: egress.sent,
            sent_bytes: egress.sent_bytes,
            send_dropped: egress.send_dropped,
            taken: self.taken.iter().map(|taken| taken.packets).sum(),
        })
    }

    /// Polls of the generator.
    fn polls(&self) -> Polls {
        Polls::new(self.totals.polls, self.rings().1)
    }

    /// What kept the rate from being higher, or from being what was planned; all rings together hold
    /// `room` frames.
    pub fn limit(&self, room: u64) -> Limit {
        let totals = &self.totals;
        let polls = self.polls();
        let idle = self.workers().map(|(after, before)| {
            let busy = after.busy_ns.saturating_sub(before.busy_ns);
            let idle = after.idle_ns.saturating_sub(before.idle_ns);
            1.0 - per(busy, busy + idle).unwrap_or(0.0)
        });
        Limit::of(&Evidence {
            at_max: self.at_max,
            room,
            intended: totals.intended,
            late: totals.late,
            ring_full: self.rings().0,
            pool_empty: totals.pool_empty,
            productive: polls.productive,
            starved: polls.starved,
            waiting: polls.waiting,
            idle: idle.fold(1.0, f64::min),
        })
    }

    /// The workers after and before.
    fn workers(&self) -> impl Iterator<Item = (&WorkerReport, &WorkerReport)> {
        self.after.workers.iter().zip(&self.before.workers)
    }

    /// The latencies of all that was delivered or sent on; none if they were not measured.
    pub fn latencies(&self) -> Option<Latencies> {
        let mut ends = self.handled.iter().chain(&self.taken);
        let mut all = ends.by_ref().find_map(|end| end.latency.clone())?;
        ends.filter_map(|end| end.latency.as_ref())
            .for_each(|latency| all.add(latency));
        Some(all)
    }

    /// Their percentiles.
    pub fn latency(&self) -> Option<Percentiles> {
        self.latencies().as_ref().map(Percentiles::of_latencies)
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
    /// Those that nobody said and that follow from others.
    pub derived: Vec<&'static str>,
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
    /// The streams of a profile, if there is one.
    pub streams: Vec<Stream>,
    /// How frames spread over workers, if that is known beforehand.
    pub spread: Option<Spread>,
    /// What the tester found out about itself.
    pub self_check: Option<SelfCheck>,
    /// What the result has to reach.
    pub slo: Option<Slo>,
}

impl Conditions {
    /// Frames that are due in a window by their rate; none if there is none, or a capture has times of its own.
    fn planned_frames(&self, seconds: f64) -> Option<f64> {
        let pps = self.planned_pps.filter(|_| self.captures.is_none())?;
        Some(match &self.streams[..] {
            [] => pps * seconds,
            streams => streams.iter().map(|it| it.frames_within(seconds)).sum(),
        })
    }
}

/// Puts a report together.
pub fn assemble(conditions: Conditions, measured: &Measured, outcome: Outcome) -> Report {
    let totals = &measured.totals;
    let seconds = measured.seconds();
    let nic = measured.nic();
    let by_worker = measured.nic_by_worker();
    let (generator_allocations, generator_core) = measured
        .distributor()
        .map_or((None, None), |(before, after)| {
            (since(after.allocations, before.allocations), after.core)
        });
    let workers: Vec<WorkerShare> = measured
        .workers()
        .zip(&by_worker)
        .map(|((after, before), nic)| worker_share(after, before, nic))
        .collect();
    let busy_ns: u64 = measured
        .workers()
        .map(|(after, before)| after.busy_ns.saturating_sub(before.busy_ns))
        .sum();
    let datapath_allocations = workers
        .iter()
        .map(|worker| worker.allocations)
        .chain([generator_allocations])
        .sum::<Option<u64>>();
    let ledger = Ledger {
        frames_out: Some(outcome.last.pool.out as u64),
        ..measured.ledger(conditions.too_large)
    };
    let Ledger {
        intended,
        sent,
        unsent,
        drops,
        egress,
        order,
        ..
    } = ledger;
    let polls = measured.polls();
    let latency_ns = measured.latency();
    let mut warnings = outcome.warnings;
    let planned = conditions.planned_frames(seconds);
    warnings.extend(conditions.warnings);
    warnings.extend(measured.busy_machine());
    warnings.extend(planned.and_then(|planned| measured.uneven_plan(planned)));
    warnings.extend(Versions::warning());

    let limit = measured.limit(conditions.room);
    let latency_limited = latency_ns.map(|latency| totals.lateness.spoils(&latency));
    // At a rate that the generator did not keep, what was lost is not the engine's.
    let is_behind = conditions.planned_pps.is_some() && limit == Limit::Generator;
    let slo = conditions.slo.as_ref().map(|slo| {
        let latencies = measured.latencies();
        let received = measured.dealt_with();
        SloShare::of(slo, latencies.as_ref(), intended, received, seconds)
    });

    Report {
        schema: SCHEMA,
        verb: conditions.verb,
        versions: Versions::here(),
        machine: Machine::here(),
        seed: conditions.seed,
        flags: conditions.flags,
        derived: conditions.derived,
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
        sockets: measured.sockets,
        egress,
        order: OrderReport::new(measured.looked_at(totals.numbered), order),
        streams: measured.stream_shares(&conditions.streams),
        in_flight_at_end: measured.after.in_flight,
        workers,
        spread: conditions.spread,
        latency_ns,
        intervals: measured.intervals.clone(),
        latency_limited_by_generator: latency_limited,
        tester_limited: is_behind || latency_limited == Some(true),
        self_check: conditions.self_check,
        slo,
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
            lateness_polled_ns: totals.lateness_polled.into(),
            gone: totals.gone,
            allocations: generator_allocations,
        },
        churn: conditions.churn,
        setup: conditions.setup,
        captures: conditions.captures,
        links: None,
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
