//! The report for people.

use std::fmt::{self, Write};

use super::evidence::Evidence;
use super::ledger::Books;
use super::report::{GoalReport, RepeatReport, SearchReport, SizeReport};
use super::suite::FRACTIONS;
use super::trial::Spoiler;
use crate::latency::Percentiles;
use crate::report::{scaled, time, time_if_any};
use crate::selftest::{CoreStalls, LEAST};

pub(super) fn write(report: &SearchReport) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_all(&mut out, report);
    out
}

fn write_all(out: &mut String, report: &SearchReport) -> fmt::Result {
    let machine = &report.machine;
    writeln!(
        out,
        "corelane search {} ({} build) on {}, {} cores, {} {}",
        report.versions.corelane,
        report.versions.profile,
        machine.cpu,
        machine.cores,
        machine.os,
        machine.kernel,
    )?;
    for line in &report.conditions {
        writeln!(out, "{line}")?;
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    stalls(out, report)?;
    if report.interrupted {
        writeln!(out, "interrupted: this is what there is")?;
    }
    writeln!(out)?;
    table(out, report)?;
    targets(out, report)?;
    certainty(out, report)?;
    for size in &report.sizes {
        latency(out, size)?;
        bursts(out, size)?;
    }
    scaling(out, report)?;
    writeln!(out)?;
    if let Some(size) = report.sizes.first() {
        writeln!(
            out,
            "goals, in frames per second of one direction of one interface"
        )?;
        for GoalReport { goal, .. } in &size.goals {
            writeln!(
                out,
                "  {}: at most {} of the frames lost, more in at most {} of the time; trials of {}, {} in sum (coarse ones from {}); bounds at most {} apart, relative to the upper",
                goal.name,
                percent(goal.loss_ratio),
                percent(goal.exceed_ratio),
                seconds(goal.final_trial_s),
                seconds(goal.duration_sum_s),
                seconds(goal.initial_trial_s),
                percent(goal.width),
            )?;
        }
    }
    self_checks(out, report)?;
    books(out, report)?;
    writeln!(out, "other than RFC 2544")?;
    for line in &report.deviations {
        writeln!(out, "  {line}")?;
    }
    if !report.accounting_holds {
        writeln!(
            out,
            "VIOLATED: the books of a trial did not balance; corelane bench shows which"
        )?;
    }
    Ok(())
}

/// What the tester can do alone.
fn self_checks(out: &mut String, report: &SearchReport) -> fmt::Result {
    for size in &report.sizes {
        let check = &size.self_check;
        writeln!(
            out,
            "the generator alone, {}: {}; the largest load was {:.0}% of it",
            size.frame_size,
            scaled(check.ceiling_pps, "pps"),
            100.0 * check.ceiling_used,
        )?;
    }
    Ok(())
}

/// The books of all trials.
fn books(out: &mut String, report: &SearchReport) -> fmt::Result {
    let Books {
        trials,
        intended,
        sent,
        received,
        lost,
        sent_late_p999_ns,
    } = report.books;
    writeln!(
        out,
        "books of {trials} trials
  intended {intended} = sent {sent} + not sent in time {}
  sent {sent} = received {received} + ring full {} + no buffer {} + dropped {} + lost on the way {}
  sent late by p99.9: {} in the worst trial",
        lost.unsent,
        lost.ring_full,
        lost.pool_empty,
        lost.dropped,
        lost.on_way,
        time(sent_late_p999_ns),
    )
}

fn table(out: &mut String, report: &SearchReport) -> fmt::Result {
    let goals = report.sizes.iter().flat_map(|size| &size.goals);
    let name = goals.map(|goal| goal.goal.name.chars().count()).max();
    let sizes = report.sizes.iter();
    let size = sizes.map(|size| size.frame_size.chars().count()).max();
    let (wide, size_wide) = (name.unwrap_or(0).max(4), size.unwrap_or(0).max(4));
    writeln!(
        out,
        "{:>size_wide$}  {:<wide$} {:>13}  {:>29}  {:>12}  {:>6}  note",
        "size", "goal", "throughput", "between", "on a link", "trials",
    )?;
    for size in &report.sizes {
        for (i, goal) in size.goals.iter().enumerate() {
            let rate =
                |pps: Option<f64>| pps.map_or_else(|| "-".to_owned(), |pps| scaled(pps, "pps"));
            let bits = goal
                .conditional_throughput_pps
                .map(|pps| scaled(pps * (size.mean_bytes + 20.0) * 8.0, "bit/s"));
            let trials = if i == 0 {
                size.trials.len().to_string()
            } else {
                "same".to_owned()
            };
            writeln!(
                out,
                "{:>size_wide$}  {:<wide$} {:>13}  {:>13} - {:>13}  {:>12}  {:>6}  {}",
                size.frame_size,
                goal.goal.name,
                rate(goal.conditional_throughput_pps),
                rate(goal.known_lower_pps.map(|load| load as f64)),
                rate(goal.known_upper_pps.map(|load| load as f64)),
                bits.unwrap_or_else(|| "-".to_owned()),
                trials,
                note(goal, size),
            )?;
        }
    }
    Ok(())
}

/// What is to be known about a result beside its figures.
fn note(goal: &GoalReport, size: &SizeReport) -> String {
    let mut notes = Vec::new();
    let rates = || {
        let of = |repeat: &RepeatReport| repeat.conditional_throughput_pps;
        goal.repeats.iter().filter_map(of)
    };
    if goal.repeats.len() > 1 {
        let (least, most) = (
            rates().fold(f64::INFINITY, f64::min),
            rates().fold(0.0, f64::max),
        );
        if most >= least {
            notes.push(format!(
                "median of {}, {} to {}",
                goal.repeats.len(),
                scaled(least, "pps"),
                scaled(most, "pps")
            ));
        }
    }
    if let Some(because) = goal.irregular_because {
        let count = goal
            .repeats
            .iter()
            .filter(|repeat| repeat.irregular)
            .count();
        let why = match because {
            "no_upper_bound" => format!(
                "all of the largest load, {}, was taken",
                scaled(size.max_load_pps as f64, "pps")
            ),
            "no_lower_bound" => "missed at the smallest load as well".to_owned(),
            _ => "did not converge, the bounds are those known by then".to_owned(),
        };
        notes.push(match goal.repeats.len() {
            1 => format!("IRREGULAR: {why}"),
            all => format!("IRREGULAR in {count} of {all}: {why}"),
        });
    }
    if goal.tester_limited {
        notes.push("THE TESTER OR THE MACHINE WAS THE LIMIT".to_owned());
    }
    notes.join("; ")
}

/// What the machine did when nothing of this ran on it.
fn stalls(out: &mut String, report: &SearchReport) -> fmt::Result {
    let cores = || report.core_stalls.iter();
    let Some(longest) = cores().map(|core| core.longest_ns).max() else {
        return Ok(());
    };
    if longest == 0 {
        return writeln!(
            out,
            "before it, no core was gone for as long as {}",
            time(LEAST.as_nanos() as u64)
        );
    }
    let often = cores().map(CoreStalls::per_second).fold(0.0, f64::max);
    writeln!(
        out,
        "before it, idle cores were gone up to {often:.0} times a second, for up to {} at once: a load of which \
         more comes in that time than rings hold (--ring) loses frames then, whatever the engine does",
        time(longest),
    )
}

/// What was asked for, and what was reached.
fn targets(out: &mut String, report: &SearchReport) -> fmt::Result {
    let of_size = |size: &SizeReport| Some((size.frame_size.clone(), size.slo.clone()?));
    let sizes = report.sizes.iter().filter_map(of_size);
    for (i, (size, slo)) in sizes.enumerate() {
        if i == 0 {
            let most = FRACTIONS.last().copied().unwrap_or_default();
            writeln!(
                out,
                "\ntargets (latencies at {:.0}% of the first goal's rate)",
                100.0 * most
            )?;
        }
        for goal in &slo.goals {
            writeln!(out, "  {size} {} {}", goal.goal, goal.outcome())?;
        }
    }
    Ok(())
}

/// What speaks for the bounds.
fn certainty(out: &mut String, report: &SearchReport) -> fmt::Result {
    writeln!(
        out,
        "\nhow sure (confidence: trials taken as independent of each other)"
    )?;
    for size in &report.sizes {
        for goal in &size.goals {
            for (i, repeat) in goal.repeats.iter().enumerate() {
                let number = match goal.repeats.len() {
                    1 => String::new(),
                    _ => format!(" {}", i + 1),
                };
                writeln!(
                    out,
                    "  {} {}{number}: {}",
                    size.frame_size,
                    goal.goal.name,
                    evidence(repeat)
                )?;
            }
        }
        spoiled(out, size)?;
    }
    Ok(())
}

fn evidence(repeat: &RepeatReport) -> String {
    let bound = |evidence: &Evidence| {
        let Evidence {
            load, trials, met, ..
        } = evidence;
        let plural = if *trials == 1 { "" } else { "s" };
        format!(
            "at {} in {met} of {trials} trial{plural}",
            scaled(*load as f64, "pps")
        )
    };
    let mut text = match (&repeat.lower, &repeat.upper) {
        (None, None) => "no load was tried often enough to say anything".to_owned(),
        (Some(lower), None) => format!("upheld {}", bound(lower)),
        (None, Some(upper)) => format!("upheld {} only", bound(upper)),
        (Some(lower), Some(upper)) => {
            format!("upheld {}, {} only", bound(lower), bound(upper))
        }
    };
    let bounds = || repeat.lower.iter().chain(&repeat.upper);
    let confidence: Option<f64> = bounds().map(|bound| bound.confidence).product();
    if let Some(confidence) = confidence.filter(|_| bounds().next().is_some()) {
        text += &format!(", confidence {:.1} %", 100.0 * confidence);
    }
    let aside: usize = bounds().map(|bound| bound.set_aside).sum();
    if aside > 0 {
        text += &format!(", {aside} more there set aside");
    }
    if repeat.irregular_because == Some("not_finished") {
        text += &format!("; NOT CONVERGED in {}", seconds(repeat.elapsed_s));
    }
    text
}

/// How many trials were spoiled, and by what.
fn spoiled(out: &mut String, size: &SizeReport) -> fmt::Result {
    let by = |spoiler: Spoiler| {
        let trials = size.trials.iter();
        let spoiled = trials.filter(|trial| trial.trial.spoiled_by == Some(spoiler));
        spoiled.count()
    };
    for (spoiler, what) in [
        (
            Spoiler::WorkerCore,
            "a worker's core was taken by something else that ran",
        ),
        (
            Spoiler::TesterCore,
            "the generator's core was taken by something else that ran",
        ),
        (
            Spoiler::Tester,
            "the tester did not send them, or had no room for what came",
        ),
    ] {
        let (count, all) = (by(spoiler), size.trials.len());
        if count > 0 {
            writeln!(
                out,
                "  {}: {count} of {all} trials lost frames while {what}",
                size.frame_size
            )?;
        }
    }
    Ok(())
}

fn latency(out: &mut String, size: &SizeReport) -> fmt::Result {
    if size.latency.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nlatency of {}, from the planned send time",
        size.frame_size
    )?;
    writeln!(
        out,
        "  {:>7}  {:>12} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "load", "offered", "lost", "p50", "p90", "p99", "p99.9", "max"
    )?;
    for under in &size.latency {
        let load = match under.fraction {
            0.0 => "none".to_owned(),
            fraction => percent(fraction),
        };
        let offered = scaled(under.offered_pps, "pps");
        let lost = Some(under.loss_ratio);
        let late = match under.tester_limited {
            true => "  the generator was late itself",
            false => "",
        };
        latency_row(out, (&load, &offered, late), lost, Some(&under.latency_ns))?;
        for stream in &under.streams {
            let columns = ("", &*stream.name, "");
            latency_row(out, columns, stream.loss_ratio, stream.latency_ns.as_ref())?;
        }
    }
    Ok(())
}

/// A row of the table of latencies: a load, or a stream under it; `-` stands where nothing is known.
fn latency_row(
    out: &mut String,
    (load, of, remark): (&str, &str, &str),
    lost: Option<f64>,
    latency: Option<&Percentiles>,
) -> fmt::Result {
    let ns = |of: fn(&Percentiles) -> Option<u64>| time_if_any(latency.and_then(of));
    writeln!(
        out,
        "  {load:>7}  {of:>12} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10}{remark}",
        lost.map_or("-".to_owned(), percent),
        ns(|it| Some(it.p50)),
        ns(|it| it.p90),
        ns(|it| it.p99),
        ns(|it| it.p999),
        ns(|it| Some(it.max)),
    )
}

fn bursts(out: &mut String, size: &SizeReport) -> fmt::Result {
    let Some(bursts) = &size.back_to_back else {
        return Ok(());
    };
    writeln!(
        out,
        "\nback-to-back of {} at {}: {:.0} frames (mean of {}, {} to {}, standard deviation {:.0})",
        size.frame_size,
        scaled(bursts.max_rate_pps, "pps"),
        bursts.mean_frames,
        bursts.repeats,
        bursts.min_frames,
        bursts.max_frames,
        bursts.stddev_frames,
    )?;
    if bursts.unlimited {
        return writeln!(out, "  not limited: all of the largest rate is taken");
    }
    let ns = |seconds: f64| time((seconds * 1e9) as u64);
    write!(out, "  buffer time implied {}", ns(bursts.implied_buffer_s))?;
    match bursts.corrected_buffer_s {
        Some(corrected) => writeln!(out, ", corrected {}", ns(corrected)),
        None => writeln!(out),
    }
}

fn scaling(out: &mut String, report: &SearchReport) -> fmt::Result {
    if report.scaling.is_empty() {
        return Ok(());
    }
    let first = report.sizes.first();
    let size = first.map_or("", |size| &size.frame_size);
    let goal = first.and_then(|size| size.goals.first());
    let name = goal.map_or("", |goal| &goal.goal.name);
    writeln!(out, "\n{name} of {size} by workers")?;
    let one = report.scaling.first().and_then(|point| point.ndr_pps);
    for point in &report.scaling {
        let rate = point
            .ndr_pps
            .map_or_else(|| "-".to_owned(), |pps| scaled(pps, "pps"));
        let times = match (point.ndr_pps, one) {
            (Some(pps), Some(one)) if one > 0.0 => format!("{:.2} times", pps / one),
            _ => String::new(),
        };
        let irregular = if point.irregular { "  irregular" } else { "" };
        writeln!(
            out,
            "  {:>3}  {rate:>13}  {times}{irregular}",
            point.workers
        )?;
    }
    Ok(())
}

/// As short as can be: `0.5 %`.
fn percent(share: f64) -> String {
    // What a share times 100 has in its last digits is nobody's.
    let text = format!("{:.4}", 100.0 * share);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{short} %")
}

fn seconds(seconds: f64) -> String {
    time((seconds * 1e9).round() as u64)
}
