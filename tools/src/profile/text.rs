//! The profile for people.

use std::fmt::Write;

use super::difference::Difference;
use super::figures::{GroupFigures, StageFigures};
use super::result::Profile;
use crate::report::{latencies, per_second, scaled, time, verdict};

pub(super) fn write(profile: &Profile) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = profile_lines(&mut out, profile);
    out
}

fn profile_lines(out: &mut String, profile: &Profile) -> std::fmt::Result {
    let bench = &profile.bench;
    writeln!(
        out,
        "corelane profile {} ({} build) on {}, {} {}",
        profile.versions.corelane,
        profile.versions.profile,
        profile.machine.cpu,
        profile.machine.os,
        profile.machine.kernel,
    )?;
    for line in &bench.conditions {
        writeln!(out, "{line}")?;
    }
    let sampler = &profile.sampler;
    writeln!(
        out,
        "sampled by {}: {}, {} Hz asked for, stacks unwound by {}",
        sampler.name, sampler.event, sampler.frequency_hz, sampler.unwinding,
    )?;
    for warning in &profile.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    writeln!(out)?;
    let each = bench
        .ns_per_packet
        .map_or_else(|| "-".to_owned(), |ns| format!("{ns:.1} ns"));
    writeln!(
        out,
        "received     {} of {} sent, {each} of a busy worker each",
        scaled(per_second(bench.received, bench), "pps"),
        scaled(bench.achieved_pps, "pps"),
    )?;
    writeln!(out, "samples      {}", profile.samples)?;
    latencies(out, bench)?;
    verdict(out, bench)?;
    writeln!(out)?;
    writeln!(
        out,
        "{:<28} {:>8} {:>7} {:>10} {:>13}",
        "stage", "samples", "share", "ns/packet", "packets/call"
    )?;
    for group in &profile.threads {
        group_line(out, profile, group)?;
        let of_group = |stage: &&StageFigures| stage.group == group.group;
        for stage in profile.stages.iter().filter(of_group) {
            writeln!(
                out,
                "  {:<26} {:>8} {:>6.1}% {:>10} {:>13}",
                stage.stage,
                stage.samples,
                100.0 * stage.share,
                figure(stage.ns_per_packet),
                figure(stage.packets_per_call),
            )?;
        }
    }
    if let Some(difference) = &profile.difference {
        writeln!(out)?;
        difference_lines(out, difference)?;
    }
    writeln!(out)?;
    writeln!(out, "flame graph  {}", profile.flamegraph)?;
    if let Some(file) = &profile.difference_flamegraph {
        writeln!(out, "difference   {file}")?;
    }
    writeln!(out, "stacks       {}", profile.folded)
}

fn group_line(out: &mut String, profile: &Profile, group: &GroupFigures) -> std::fmt::Result {
    let plural = if group.threads == 1 { "" } else { "s" };
    let on_core = group
        .cpu_ns
        .map_or_else(String::new, |ns| format!(", {} on a core", time(ns)));
    writeln!(
        out,
        "{:<28} {:>8} {:>6.1}% {:>10}   {} thread{plural}{on_core}",
        group.group,
        group.samples,
        100.0 * group.samples as f64 / profile.samples.max(1) as f64,
        figure(group.ns_per_packet()),
        group.threads,
    )
}

fn difference_lines(out: &mut String, difference: &Difference) -> std::fmt::Result {
    writeln!(out, "since {}", difference.against)?;
    writeln!(
        out,
        "{:<14} {:<26} {:>7} {:>7} {:>8}",
        "group", "stage", "before", "after", "change"
    )?;
    for stage in &difference.stages {
        let percent = |share: Option<f64>| match share {
            Some(share) => format!("{:.1}%", 100.0 * share),
            None => "-".to_owned(),
        };
        let change = match (stage.before, stage.after) {
            (Some(before), Some(after)) => format!("{:+.1}%", 100.0 * (after - before)),
            _ => "-".to_owned(),
        };
        writeln!(
            out,
            "{:<14} {:<26} {:>7} {:>7} {change:>8}",
            stage.group,
            stage.stage,
            percent(stage.before),
            percent(stage.after),
        )?;
    }
    writeln!(out, "shares are of the samples of the group")
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}
