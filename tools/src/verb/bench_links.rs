//! `bench` on real links.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::bench::{flags, layout};
use super::frames_kept::FramesKept;
use super::{finish, write_latencies_of};
use crate::cli::{BenchArgs, LinkEnds};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::links::{LinkBed, LinkMeasured, Ports};
use crate::machine::{Machine, Versions};
use crate::progress::Progress;
use crate::report::{
    GeneratorDrops, GeneratorShare, Polls, Report, SCHEMA, Setup, SloShare, scaled,
};
use crate::run::{Failure, Layout, Output, Trial, TrialResult};
use crate::selftest::SelfCheck;
use crate::unit::{Arrival, Rate};

/// How long the link is asked what it takes, for a rate in percent.
const CALIBRATION: Duration = Duration::from_secs(1);

/// What was asked for, and what it came to before the run.
struct Plan {
    planned_pps: Option<f64>,
    calibrated_pps: Option<f64>,
    arrival: Arrival,
}

pub(super) fn bench(
    args: &BenchArgs,
    ends: &LinkEnds,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let output = Output::new(args.engine.json.as_deref(), &FramesKept::taken(args))?;
    let progress = Progress::new(args.engine.json_to_stdout());
    progress.stage("links", None);
    let kept = FramesKept::of(args)?;
    let mut ports = Ports::open(&args.links, ends, &|link| match &kept {
        Some(kept) => kept.around(link),
        None => link,
    })?;
    progress.stage("frames", None);
    let layout = layout(args, Some(ports.device().mac))?;
    let arrival = args.arrival.unwrap_or(Arrival::Cbr);
    progress.stage("self-test", None);
    let pace = layout.window(&Trial::new(
        (args.rate != Rate::Max || args.profile.is_some()).then_some(1e9),
        CALIBRATION,
    ));
    let self_check = SelfCheck::run(layout.frames().clone(), pace.pace)?;

    let mut bed = LinkBed::start(&mut ports, &layout)?;
    let mut run = |stage, trial: Trial| {
        progress.stage(stage, Some(trial.duration));
        bed.trial(&trial, &progress, interrupt)
    };
    let calibrated_pps = match args.rate {
        Rate::Percent(_) => Some(run("calibration", Trial::new(None, CALIBRATION))?.offered_pps()),
        _ => None,
    };
    let planned_pps = match args.profile {
        Some(_) => Some(layout.pps()),
        None => args
            .rate
            .pps(layout.frames().mean_size(0), calibrated_pps.unwrap_or(0.0)),
    };
    let trial = |duration| Trial {
        pps: planned_pps,
        arrival,
        duration,
    };
    if !args.warmup.is_zero() {
        run("warm-up", trial(args.warmup))?;
    }
    kept.iter().for_each(FramesKept::begin);
    let result = run("measuring", trial(args.duration))?;
    progress.clear();
    bed.finish()?;
    if result.offered == 0 && result.intended > 0 && !interrupt.is_raised() {
        return Err(Failure::Run(format!(
            "nothing could be sent: is the link up, and is somebody at its other end? ({ends})"
        )));
    }
    let plan = Plan {
        planned_pps,
        calibrated_pps,
        arrival,
    };
    let self_check = self_check.used(result.offered_pps());
    let mut report = assemble(args, ends, &ports, &layout, &plan, &result, self_check);
    report.interrupted = interrupt.is_raised();
    // Its queues are.
    drop(ports);
    if let Some(kept) = kept {
        report.conditions.push(kept.write()?);
    }
    let measured = &result.measured;
    write_latencies_of(&args.engine, measured.latency.as_ref(), &measured.intervals)?;
    finish(&report, output)
}

fn assemble(
    args: &BenchArgs,
    ends: &LinkEnds,
    ports: &Ports,
    layout: &Layout,
    plan: &Plan,
    result: &TrialResult<LinkMeasured>,
    self_check: SelfCheck,
) -> Report {
    let measured = &result.measured;
    let totals = &measured.totals;
    let seconds = measured.seconds();
    let rate = |frames: u64| frames as f64 / seconds.max(f64::MIN_POSITIVE);
    let unique = measured.unique();
    let order = measured.order();
    let polls = Polls::new(totals.polls, 0);
    let slo = args.engine.slo.as_ref().map(|slo| {
        let latencies = measured.latency.as_ref();
        SloShare::of(slo, latencies, result.intended, unique, seconds)
    });
    Report {
        schema: SCHEMA,
        verb: "bench",
        versions: Versions::here(),
        machine: Machine::here(),
        seed: args.load.seed,
        flags: flags_of(args, layout, plan),
        interrupted: false,
        warnings: warnings(args, result),
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
        in_flight_at_end: 0,
        workers: Vec::new(),
        spread: None,
        latency_ns: result.latency,
        intervals: measured.intervals.clone(),
        latency_limited_by_generator: result.tester_limited,
        tester_limited: measured.is_testers() || result.tester_limited == Some(true),
        self_check: Some(self_check),
        slo,
        datapath_allocations: None,
        generator: GeneratorShare {
            core: None,
            planned_pps: plan.planned_pps,
            calibrated_pps: plan.calibrated_pps,
            intended: result.intended,
            sent: result.offered,
            unsent: result.unsent,
            drops: GeneratorDrops::default(),
            polls,
            busy_share: polls.busy_share(),
            limit: result.limit,
            lateness_ns: totals.lateness.into(),
            allocations: None,
        },
        churn: None,
        setup: Setup {
            frames_s: layout.frames_s(),
            ..Setup::default()
        },
        captures: None,
        links: Some(measured.share(ports)),
        accounting: result.accounting.clone(),
        conditions: lines(args, ends, ports, layout, plan),
    }
}

/// The options, but for those of the engine that there is not.
fn flags_of(args: &BenchArgs, layout: &Layout, plan: &Plan) -> BTreeMap<&'static str, Value> {
    let mut flags = flags(args, layout.setting());
    for option in ["workers", "ring", "pool_slots", "promiscuous", "check"] {
        flags.remove(option);
    }
    flags.extend(args.links.flags());
    flags.insert("smallest_ipv6_frame", json!(layout.smallest_v6()));
    flags.insert(
        "arrival",
        json!(plan.planned_pps.map(|_| plan.arrival.to_string())),
    );
    flags
}

fn warnings(args: &BenchArgs, result: &TrialResult<LinkMeasured>) -> Vec<String> {
    let mut warnings = Vec::new();
    let measured = &result.measured;
    if measured.unique() == 0 && result.offered > 0 {
        let mac = if args.links.dst_mac.is_none() {
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
    if cfg!(debug_assertions) {
        warnings.push("built with debug assertions: the figures mean little".to_owned());
    }
    warnings
}

fn lines(
    args: &BenchArgs,
    ends: &LinkEnds,
    ports: &Ports,
    layout: &Layout,
    plan: &Plan,
) -> Vec<String> {
    let rate = match plan.planned_pps {
        None => "as fast as the link takes them".to_owned(),
        Some(pps) => format!("{} {}", scaled(pps, "pps"), plan.arrival),
    };
    let resolved = ports.device().resolved;
    let resolved = resolved.map_or_else(String::new, |address| format!(" (told by {address})"));
    vec![
        format!(
            "{ends}, {}{resolved}, destinations {}, family {}",
            layout.target().describe(),
            args.load.destinations,
            args.load.family,
        ),
        format!(
            "{}-byte frames{}, {} flows, seed {}, {rate}, {:.2} s measured after {:.2} s",
            args.frame_size,
            layout
                .smallest_v6()
                .map_or_else(String::new, |len| format!(" (IPv6 {len} at least)")),
            args.load.flows,
            args.load.seed,
            args.duration.as_secs_f64(),
            args.warmup.as_secs_f64(),
        ),
    ]
}
