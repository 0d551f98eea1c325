//! `bench` on real links.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::bench::{beside, flags, layout, streams};
use super::frames_kept::FramesKept;
use super::link_report::{LinkConditions, assemble, check_sent, flags_on_links};
use super::{finish, outputs};
use crate::cli::{BenchArgs, LinkEnds};
use crate::exit::Exit;
use crate::generator::Pace;
use crate::interrupt::Interrupt;
use crate::links::{LinkBed, Ports};
use crate::progress::Progress;
use crate::report::scaled;
use crate::run::{Failure, Layout, Trial};
use crate::selftest::SelfCheck;
use crate::unit::{Arrival, Rate};

/// How long the link is asked what it takes, for a rate in percent.
const CALIBRATION: Duration = Duration::from_secs(1);

/// When frames are due.
struct Plan {
    planned_pps: Option<f64>,
    arrival: Arrival,
}

pub(super) fn bench(
    args: &BenchArgs,
    ends: &LinkEnds,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let streams = streams(args)?;
    let (output, latencies) = outputs(&args.engine, beside(args, streams.as_ref())?)?;
    let progress = Progress::new(args.engine.json_to_stdout());
    progress.stage("links", None);
    let kept = FramesKept::of(&args.keep)?;
    let mut ports = Ports::open(&args.links, ends, &FramesKept::between(kept.as_ref()))?;
    progress.stage("frames", None);
    let layout = layout(args, streams.as_ref(), Some(ports.device().mac))?;
    let arrival = args.arrival.unwrap_or(Arrival::Cbr);
    progress.stage("self-test", None);
    let pace = match args.rate {
        Rate::Max if args.profile.is_none() => Pace::Max,
        _ => layout.ceiling(arrival),
    };
    let self_check = SelfCheck::run(layout.frames().clone(), pace)?;

    let mut bed = LinkBed::start(&mut ports, &layout)?;
    interrupt.begin();
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
        arrival,
        ..Trial::new(planned_pps, duration)
    };
    if !args.warmup.is_zero() {
        run("warm-up", trial(args.warmup))?;
    }
    kept.iter().for_each(FramesKept::begin);
    let result = run("measuring", trial(args.duration))?;
    progress.clear();
    bed.finish()?;
    check_sent(&result, ends, interrupt)?;
    let plan = Plan {
        planned_pps,
        arrival,
    };
    let conditions = LinkConditions {
        verb: "bench",
        seed: args.load.seed,
        flags: flags_of(args, &layout, &plan),
        lines: lines(args, ends, &ports, &layout, &plan),
        interrupted: interrupt.is_raised(),
        planned_pps,
        calibrated_pps,
        frames_s: layout.frames_s(),
        streams: layout.profile_streams(),
        captures: None,
        warnings: layout.one_sided(args.load.family).into_iter().collect(),
        self_check: self_check.used(result.offered_pps()),
        slo: args.engine.slo.as_ref(),
    };
    let mut report = assemble(conditions, &args.links, &ports, &result);
    // Its queues are.
    drop(ports);
    if let Some(kept) = kept {
        report.conditions.push(kept.write()?);
    }
    let measured = &result.measured;
    latencies.write(measured.latency.as_ref(), &measured.intervals)?;
    finish(&report, output)
}

/// The options.
fn flags_of(args: &BenchArgs, layout: &Layout, plan: &Plan) -> BTreeMap<&'static str, Value> {
    let mut flags = flags_on_links(flags(args, layout), &args.links);
    flags.insert("smallest_ipv6_frame", json!(layout.smallest_v6()));
    flags.insert(
        "arrival",
        json!(plan.planned_pps.map(|_| plan.arrival.to_string())),
    );
    flags
}

fn lines(
    args: &BenchArgs,
    ends: &LinkEnds,
    ports: &Ports,
    layout: &Layout,
    plan: &Plan,
) -> Vec<String> {
    let rate = match (layout.describe_streams(), plan.planned_pps) {
        (Some(streams), _) => streams,
        (None, None) => "as fast as the link takes them".to_owned(),
        (None, Some(pps)) => format!("{} {}", scaled(pps, "pps"), plan.arrival),
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
            "{}, {} flows, seed {}, {rate}, {:.2} s measured after {:.2} s",
            layout.describe_frames(args.frame_size),
            args.load.flows,
            args.load.seed,
            args.duration.as_secs_f64(),
            args.warmup.as_secs_f64(),
        ),
    ]
}
