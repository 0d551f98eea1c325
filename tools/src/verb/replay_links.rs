//! `replay` on real links.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::frames_kept::FramesKept;
use super::link_report::{LinkConditions, assemble, check_sent, flags_on_links};
use super::replay::{
    SEED, captures, check_not_empty, check_pace, expected, flags, pace, say_if_long, shares, taken,
    warnings, window,
};
use super::{finish, outputs};
use crate::cli::{LinkEnds, ReplayArgs, Usage};
use crate::exit::Exit;
use crate::generator::{CaptureFrames, CaptureSet, Pace};
use crate::interrupt::Interrupt;
use crate::links::{LinkReplay, Ports};
use crate::progress::Progress;
use crate::run::{Failure, Setting};
use crate::selftest::SelfCheck;

pub(super) fn replay(
    args: &ReplayArgs,
    ends: &LinkEnds,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let progress = Progress::new(args.engine.json_to_stdout());
    progress.stage("captures", None);
    let before = Instant::now();
    let captures = captures(args)?;
    let (output, latencies) = outputs(&args.engine, taken(args)?)?;
    let kept = FramesKept::of(&args.keep)?;
    progress.stage("links", None);
    let mut ports = Ports::open(&args.links, ends, &FramesKept::between(kept.as_ref()))?;
    let set = Arc::new(CaptureSet::of_links(captures, ports.longest()));
    let frames_s = before.elapsed().as_secs_f64();
    let left_out = left_out(&set);
    check_not_empty(args, set.len() as u64 + left_out.len() as u64)?;
    if set.is_empty() {
        let left_out = left_out.join(", ");
        return Err(Usage::new(format!("there is nothing to send: {left_out}")).into());
    }
    check_pace(args, &set)?;
    let (pace, when_full, planned_pps) = pace(args.speed, &set);
    let setting = Setting::new(&args.engine, when_full, SEED);
    progress.stage("self-test", None);
    let self_check = SelfCheck::run(CaptureFrames::new(Arc::clone(&set)), Pace::Max)?;

    let readdressed = args.links.dst_mac.is_some();
    let replay = LinkReplay::start(&mut ports, &setting, &set, readdressed)?;
    interrupt.begin();
    let expected = expected(args, &set);
    say_if_long(expected);
    progress.stage("replaying", expected);
    kept.iter().for_each(FramesKept::begin);
    let result = replay.run(window(args, pace, &set), &progress, interrupt)?;
    progress.clear();
    check_sent(&result, ends, interrupt)?;

    let mut warnings = warnings(&set);
    let not_sent = |left_out: String| format!("{left_out}, and were not sent");
    warnings.extend(left_out.into_iter().map(not_sent));
    let conditions = LinkConditions {
        verb: "replay",
        seed: SEED,
        flags: flags_of(args, &setting),
        lines: lines(args, ends, &set),
        interrupted: interrupt.is_raised(),
        planned_pps,
        calibrated_pps: None,
        frames_s,
        streams: &[],
        captures: Some(shares(&set)),
        warnings,
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

/// What the links do not take, in words.
fn left_out(set: &CaptureSet) -> Vec<String> {
    [
        (set.too_large(), "are longer than the links take"),
        (set.too_short(), "are shorter than a link's header"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, are)| format!("{count} packets {are}"))
    .collect()
}

/// The options.
fn flags_of(args: &ReplayArgs, setting: &Setting) -> BTreeMap<&'static str, Value> {
    let mut flags = flags_on_links(flags(args, setting), &args.links);
    flags.insert("readdressed", json!(args.links.dst_mac.is_some()));
    flags
}

fn lines(args: &ReplayArgs, ends: &LinkEnds, set: &CaptureSet) -> Vec<String> {
    let addresses = if args.links.dst_mac.is_some() {
        "to the device's link address"
    } else {
        "to the link addresses of the capture"
    };
    vec![
        format!("{ends}, {addresses}"),
        super::replay::load_line(args, set),
    ]
}
