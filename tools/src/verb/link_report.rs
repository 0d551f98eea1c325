//! The report of a run on real links.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::{LinkArgs, LinkEnds};
use crate::interrupt::Interrupt;
use crate::links::{LinkMeasured, Ports};
use crate::machine::{Machine, Versions};
use crate::report::{
    CaptureShare, GeneratorDrops, GeneratorShare, Polls, Report, SCHEMA, Setup, SloShare,
};
use crate::run::{Failure, Stream, TrialResult};
use crate::selftest::SelfCheck;
use crate::unit::Slo;

/// What a report says beside what was measured.
pub(super) struct LinkConditions<'a> {
    pub(super) verb: &'static str,
    pub(super) seed: u64,
    pub(super) flags: BTreeMap<&'static str, Value>,
    pub(super) lines: Vec<String>,
    pub(super) interrupted: bool,
    /// The rate of the plan, if there is one, in frames per second.
    pub(super) planned_pps: Option<f64>,
    /// What the link took before, if it was asked.
    pub(super) calibrated_pps: Option<f64>,
    /// How long it took to make the frames, in seconds.
    pub(super) frames_s: f64,
    /// The streams of a profile, if there is one.
    pub(super) streams: &'a [Stream],
    pub(super) captures: Option<Vec<CaptureShare>>,
    pub(super) warnings: Vec<String>,
    pub(super) self_check: SelfCheck,
    pub(super) slo: Option<&'a Slo>,
}

/// What of an engine in this process is said of it, and there is none.
const OF_AN_ENGINE: [&str; 6] = [
    "workers",
    "ring",
    "pool_slots",
    "promiscuous",
    "check",
    "own",
];

/// The options in effect on real links.
pub(super) fn flags_on_links(
    mut flags: BTreeMap<&'static str, Value>,
    links: &LinkArgs,
) -> BTreeMap<&'static str, Value> {
    flags.retain(|option, _| !OF_AN_ENGINE.contains(option));
    flags.extend(links.flags());
    flags
}

/// Puts a report together.
pub(super) fn assemble(
    conditions: LinkConditions<'_>,
    links: &LinkArgs,
    ports: &Ports,
    result: &TrialResult<LinkMeasured>,
) -> Report {
    let measured = &result.measured;
    let totals = &measured.totals;
    let seconds = measured.seconds();
    let rate = |frames: u64| frames as f64 / seconds.max(f64::MIN_POSITIVE);
    let unique = measured.unique();
    let order = measured.order();
    let polls = Polls::new(totals.polls, 0);
    let slo = conditions.slo.map(|slo| {
        let latencies = measured.latency.as_ref();
        SloShare::of(slo, latencies, result.intended, unique, seconds)
    });
    let mut warnings = conditions.warnings;
    warnings.extend(self::warnings(links, result));
    Report {
        schema: SCHEMA,
        verb: conditions.verb,
        versions: Versions::here(),
        machine: Machine::here(),
        seed: conditions.seed,
        flags: conditions.flags,
        // Those are the engine's.
        derived: Vec::new(),
        interrupted: conditions.interrupted,
        warnings,
        window_s: seconds,
        offered_pps: rate(result.intended),
        achieved_pps: rate(result.offered),
        delivered_pps: rate(unique),
        forwarded_pps: 0.0,
        ns_per_packet: None,
        sent: result.offered,
        received: unique + order.found.duplicates,
        received_bytes: measured.seen.bytes,
        delivered: unique,
        forwarded: 0,
        consumed: 0,
        drops: BTreeMap::new(),
        sockets: None,
        egress: None,
        order,
        streams: measured.stream_shares(conditions.streams),
        in_flight_at_end: 0,
        workers: Vec::new(),
        spread: None,
        latency_ns: result.latency,
        intervals: measured.intervals.clone(),
        latency_limited_by_generator: result.tester_limited,
        tester_limited: measured.is_testers() || result.tester_limited == Some(true),
        self_check: Some(conditions.self_check),
        slo,
        datapath_allocations: None,
        generator: GeneratorShare {
            core: None,
            planned_pps: conditions.planned_pps,
            calibrated_pps: conditions.calibrated_pps,
            intended: result.intended,
            sent: result.offered,
            unsent: result.unsent,
            drops: GeneratorDrops::default(),
            polls,
            busy_share: polls.busy_share(),
            limit: result.limit,
            lateness_ns: totals.lateness.into(),
            lateness_polled_ns: totals.lateness_polled.into(),
            gone: totals.gone,
            allocations: None,
        },
        churn: None,
        setup: Setup {
            frames_s: conditions.frames_s,
            ..Setup::default()
        },
        captures: conditions.captures,
        links: Some(measured.share(ports)),
        accounting: result.accounting.clone(),
        conditions: conditions.lines,
    }
}

/// What may make the result mean less.
fn warnings(links: &LinkArgs, result: &TrialResult<LinkMeasured>) -> Vec<String> {
    let mut warnings = Vec::new();
    let measured = &result.measured;
    if measured.unique() == 0 && result.offered > 0 {
        let mac = if links.dst_mac.is_none() {
            "--dst-mac says which link address the device has (a router drops what is for another); "
        } else {
            ""
        };
        warnings.push(format!(
            "nothing came back: {mac}--answer has us answer for the next hop of its routes; {} other frames came",
            measured.seen.foreign
        ));
    }
    if measured.seen.strays > 0 {
        warnings.push(format!(
            "{} numbered frames came that are none of this trial's: more than two seconds late, or another \
             tester's",
            measured.seen.strays
        ));
    }
    warnings.extend(Versions::warning());
    warnings
}

/// Something was sent, if it was to be.
///
/// # Errors
/// Nothing was.
pub(super) fn check_sent(
    result: &TrialResult<LinkMeasured>,
    ends: &LinkEnds,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    if result.offered > 0 || result.intended == 0 || interrupt.is_raised() {
        return Ok(());
    }
    Err(Failure::Run(format!(
        "nothing could be sent: is the link up, and is somebody at its other end? ({ends})"
    )))
}
