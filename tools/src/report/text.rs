//! The report for people.

use std::fmt::Write;

use super::{GeneratorShare, LatenessShare, Limit, Report, SloShare, StreamShare, link_text};
use crate::generator::Gone;
use crate::latency::Percentiles;

/// A figure with three or four digits and its unit scaled: `12.35 Mpps`.
pub fn scaled(value: f64, unit: &str) -> String {
    let (value, prefix) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    format!("{value:.2} {prefix}{unit}")
}

/// Nanoseconds in the unit that fits: `12.35 us`.
pub fn time(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.2} us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// Likewise, of what may not be known.
pub fn time_if_any(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), time)
}

/// Nanoseconds in the unit that fits, a few of them with a digit after the point: `25.0 ns`.
pub fn duration(ns: f64) -> String {
    if ns < 100.0 {
        format!("{ns:.1} ns")
    } else {
        time(ns.round() as u64)
    }
}

pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_all(&mut out, report);
    out
}

fn write_all(out: &mut String, report: &Report) -> std::fmt::Result {
    let machine = &report.machine;
    writeln!(
        out,
        "corelane {} {} ({} build) on {}, {} core{}, {} {}",
        report.verb,
        report.versions.corelane,
        report.versions.profile,
        machine.cpu,
        machine.cores,
        plural(machine.cores),
        machine.os,
        machine.kernel,
    )?;
    for line in &report.conditions {
        writeln!(out, "{line}")?;
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if report.interrupted {
        writeln!(out, "interrupted after {:.2} s", report.window_s)?;
    }
    writeln!(out)?;
    rates(out, report)?;
    if report.links.is_none() {
        writeln!(out)?;
        workers(out, report)?;
    }
    writeln!(out)?;
    latencies(out, report)?;
    if let Some(of_streams) = &report.streams {
        streams(out, of_streams)?;
    }
    match &report.links {
        Some(links) => link_text::counters(out, links)?,
        None => {
            match report.datapath_allocations {
                Some(n) => writeln!(out, "allocations  {n} on the datapath")?,
                None => writeln!(out, "allocations  not counted in this build")?,
            }
            drops(out, report)?;
        }
    }
    writeln!(out, "pace         {}", pace(report))?;
    if let Some(check) = &report.self_check {
        writeln!(
            out,
            "ceiling      {:<14} the generator alone{}; the run used {:.1}% of it",
            scaled(check.ceiling_pps, "pps"),
            if report.links.is_some() {
                ", without a link"
            } else {
                ""
            },
            100.0 * check.ceiling_used,
        )?;
    }
    if report.generator.planned_pps.is_some() {
        lateness(out, &report.generator)?;
    }
    verdict(out, report)?;
    writeln!(out)?;
    ledger(out, report)
}

/// Whether the figures are worth anything, and what was asked of them: what the exit status is made of, beside the books.
pub fn verdict(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.is_empty() {
        writeln!(
            out,
            "NOT VALID: no frame was due in the window, so nothing was measured"
        )?;
    }
    if report.tester_limited {
        let why = limited(report);
        writeln!(out, "NOT VALID: the tester was the limit, {why}")?;
    }
    report.slo.iter().try_for_each(|slo| goals(out, slo))
}

/// Latencies, and what changes took meanwhile, where they were measured.
pub fn latencies(out: &mut String, report: &Report) -> std::fmt::Result {
    if let Some(latency) = &report.latency_ns {
        percentiles(out, latency_title(report), latency)?;
    }
    if let Some(churn) = &report.churn {
        writeln!(
            out,
            "churn        {:.0} changes/s of {:.0} asked for{}",
            churn.achieved_per_s,
            churn.asked_per_s,
            if churn.failed > 0 {
                format!(", {} FAILED", churn.failed)
            } else {
                String::new()
            },
        )?;
        percentiles(out, "a change", &churn.publish_ns)?;
    }
    Ok(())
}

/// How late frames were sent, and how late those that its core was there for.
fn lateness(out: &mut String, generator: &GeneratorShare) -> std::fmt::Result {
    let line = |late: &LatenessShare| {
        format!(
            "p50 {}, p99 {}, p99.9 {}",
            time(late.p50),
            time(late.p99),
            time(late.p999)
        )
    };
    writeln!(out, "sent late    {}", line(&generator.lateness_ns))?;
    let Gone { times, ns } = generator.gone;
    if times == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "  but for the {times} time{}, {} in all, that its core was gone for over {} us: {}",
        if times == 1 { "" } else { "s" },
        time(ns),
        Gone::LEAST_NS / 1_000,
        line(&generator.lateness_polled_ns),
    )
}

/// By what the tester was the limit.
fn limited(report: &Report) -> String {
    let lost = report.links.as_ref().map_or(0, |it| it.lost_by_tester);
    if lost > 0 {
        format!("it had no room for {lost} frames that came")
    } else if report.latency_limited_by_generator == Some(true) {
        "it sent too late for what the latencies say".to_owned()
    } else {
        "it could not send at the planned rate".to_owned()
    }
}

/// So many in the window, in a second of it.
pub fn per_second(count: u64, report: &Report) -> f64 {
    count as f64 / report.window_s.max(f64::MIN_POSITIVE)
}

/// So many bytes in the window, as bits of a second.
pub(super) fn bit_rate(bytes: u64, report: &Report) -> String {
    scaled(8.0 * per_second(bytes, report), "bit/s")
}

fn rates(out: &mut String, report: &Report) -> std::fmt::Result {
    let generator = &report.generator;
    let planned = match (generator.planned_pps, generator.calibrated_pps) {
        (None, _) => "as fast as it is taken".to_owned(),
        (Some(pps), None) => format!("planned {}", scaled(pps, "pps")),
        (Some(pps), Some(max)) => {
            format!(
                "planned {}, the maximum being {}",
                scaled(pps, "pps"),
                scaled(max, "pps")
            )
        }
    };
    writeln!(
        out,
        "offered      {:<14} {planned}",
        scaled(report.offered_pps, "pps")
    )?;
    writeln!(
        out,
        "achieved     {:<14} sent",
        scaled(report.achieved_pps, "pps")
    )?;
    if let Some(links) = &report.links {
        return link_text::rates(out, report, links);
    }
    let received = bit_rate(report.received_bytes, report);
    let delivered = scaled(report.delivered_pps, "pps");
    let of_all = scaled(per_second(report.received, report), "pps");
    writeln!(
        out,
        "delivered    {delivered:<14} of {of_all} received, {received}"
    )?;
    if let Some(egress) = report.egress {
        let sent = bit_rate(egress.sent_bytes, report);
        let forwarded = scaled(report.forwarded_pps, "pps");
        writeln!(out, "forwarded    {forwarded:<14} {sent} sent")?;
    }
    match report.ns_per_packet {
        Some(ns) => writeln!(out, "per packet   {ns:.1} ns of a busy worker"),
        None => writeln!(out, "per packet   -"),
    }
}

fn workers(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "worker  core       packets    share          rate    busy  ns/packet"
    )?;
    for worker in &report.workers {
        let share = 100.0 * worker.packets as f64 / report.received.max(1) as f64;
        let rate = per_second(worker.packets, report);
        let each = worker
            .ns_per_packet
            .map_or_else(|| "-".to_owned(), |ns| format!("{ns:.1}"));
        writeln!(
            out,
            "{:>6}  {:>4}  {:>12}  {share:>6.1}%  {:>12}  {:>5.1}%  {each:>9}",
            worker.id,
            core(worker.core),
            worker.packets,
            scaled(rate, "pps"),
            100.0 * worker.busy_ratio,
        )?;
    }
    let generator = &report.generator;
    writeln!(
        out,
        "   gen  {:>4}  {:>12}  {:>7}  {:>12}  {:>5.1}%  of polls",
        core(generator.core),
        generator.sent,
        "",
        scaled(report.achieved_pps, "pps"),
        100.0 * generator.busy_share,
    )
}

fn core(core: Option<usize>) -> String {
    core.map_or_else(|| "-".to_owned(), |core| core.to_string())
}

fn latency_title(report: &Report) -> &'static str {
    if report.generator.planned_pps.is_some() {
        "latency, from the planned send time"
    } else {
        "time in the rings, from emission (no plan at max: no latency under load)"
    }
}

fn percentiles(out: &mut String, title: &str, p: &Percentiles) -> std::fmt::Result {
    writeln!(out, "{title}")?;
    writeln!(
        out,
        "  {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12}",
        "p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "max", "count"
    )?;
    writeln!(
        out,
        "  {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12}",
        time(p.p50),
        time_if_any(p.p90),
        time_if_any(p.p99),
        time_if_any(p.p999),
        time_if_any(p.p9999),
        time_if_any(p.p99999),
        time(p.max),
        p.count,
    )
}

/// What became of each stream of a profile.
fn streams(out: &mut String, streams: &[StreamShare]) -> std::fmt::Result {
    let name_of = |stream: &StreamShare| stream.name.chars().count();
    let width = streams.iter().map(name_of).max().unwrap_or(0).max(6);
    writeln!(
        out,
        "{:<width$} {:>12} {:>12} {:>12} {:>12} {:>10} {:>10} {:>10} {:>10}",
        "stream", "planned", "sent", "arrived", "missing", "p50", "p99", "p99.9", "max"
    )?;
    let any_numbered = streams.iter().any(|stream| stream.order.numbered > 0);
    for stream in streams {
        let order = &stream.order;
        // Nobody looks at those without a number.
        let seen = |count: u64| match order.numbered {
            0 => "-".to_owned(),
            _ => count.to_string(),
        };
        let latency = stream.latency_ns.as_ref();
        writeln!(
            out,
            "{:<width$} {:>12} {:>12} {:>12} {:>12} {:>10} {:>10} {:>10} {:>10}",
            stream.name,
            scaled(stream.planned_pps, "pps"),
            stream.sent,
            seen(order.found.unique()),
            seen(order.missing),
            time_if_any(latency.map(|it| it.p50)),
            time_if_any(latency.and_then(|it| it.p99)),
            time_if_any(latency.and_then(|it| it.p999)),
            time_if_any(latency.map(|it| it.max)),
        )?;
        let unnumbered = stream
            .sent
            .saturating_sub(order.numbered + stream.pool_empty);
        if unnumbered > 0 && any_numbered {
            writeln!(
                out,
                "  {unnumbered} of them have no number that anybody looks at: what became of these is not known"
            )?;
        }
    }
    if !any_numbered {
        writeln!(
            out,
            "  no frame has a number that anybody looks at: what became of each stream is not known"
        )?;
    }
    Ok(())
}

/// Drops by reason: the engine's by share of what it received, the generator's by share of what it
/// sent.
fn drops(out: &mut String, report: &Report) -> std::fmt::Result {
    let generator = &report.generator.drops;
    let before = [
        ("ring_full, before a worker", generator.ring_full),
        ("pool_empty, before a worker", generator.pool_empty),
    ];
    let engine = report
        .drops
        .iter()
        .map(|(reason, &count)| (*reason, count, report.received));
    let all = before
        .into_iter()
        .map(|(reason, count)| (reason, count, report.sent))
        .chain(engine);
    let mut title = "dropped";
    for (reason, count, of) in all.filter(|(_, count, _)| *count > 0) {
        let share = 100.0 * count as f64 / of.max(1) as f64;
        writeln!(out, "{title:<12} {count:>12} {reason} ({share:.1}%)")?;
        title = "";
    }
    if title.is_empty() {
        Ok(())
    } else {
        writeln!(out, "dropped      none")
    }
}

fn pace(report: &Report) -> String {
    let polls = &report.generator.polls;
    let busy = 100.0 * report.generator.busy_share;
    match report.generator.limit {
        Limit::Workers if report.generator.planned_pps.is_none() => format!(
            "set by the workers: the generator found a ring full {} times",
            polls.waiting
        ),
        Limit::Workers => "the workers could not take the planned rate".to_owned(),
        Limit::Generator if report.generator.planned_pps.is_none() => format!(
            "THE GENERATOR WAS THE LIMIT ({busy:.0}% of its polls gave frames): the workers can do more"
        ),
        Limit::Generator => {
            "THE GENERATOR WAS THE LIMIT: it could not send at the planned rate".to_owned()
        }
        Limit::Link => "set by the link and the system calls: it took no more".to_owned(),
        Limit::Pool => "THE FRAME POOL WAS THE LIMIT: see --pool-slots".to_owned(),
        Limit::None if report.generator.planned_pps.is_none() => {
            "no limit was met: all of it fits the rings".to_owned()
        }
        Limit::None => format!("as planned ({busy:.0}% of the generator's polls gave frames)"),
    }
}

fn ledger(out: &mut String, report: &Report) -> std::fmt::Result {
    match &report.links {
        Some(links) => link_text::ledger(out, report, links)?,
        None => engine_ledger(out, report)?,
    }
    if report.accounting.holds {
        return writeln!(out, "holds");
    }
    writeln!(out, "VIOLATED")?;
    for identity in report
        .accounting
        .identities
        .iter()
        .filter(|identity| !identity.holds)
    {
        writeln!(
            out,
            "  VIOLATED: {}: {} is not {}",
            identity.claim, identity.left, identity.right
        )?;
    }
    Ok(())
}

fn engine_ledger(out: &mut String, report: &Report) -> std::fmt::Result {
    let generator = &report.generator;
    let dropped: u64 = report.drops.values().sum();
    writeln!(out, "ledger")?;
    writeln!(
        out,
        "  intended {} = sent {} + late {}{}",
        generator.intended,
        generator.sent,
        generator.unsent.late,
        match generator.unsent.too_large {
            0 => String::new(),
            n => format!(" + too large {n}"),
        },
    )?;
    writeln!(
        out,
        "  sent {} = received {} + ring full {} + pool empty {}",
        generator.sent, report.received, generator.drops.ring_full, generator.drops.pool_empty,
    )?;
    writeln!(
        out,
        "  received {} = delivered {} + forwarded {} + consumed {} + dropped {dropped}",
        report.received, report.delivered, report.forwarded, report.consumed,
    )?;
    order(out, report)?;
    if let Some(sockets) = report.sockets {
        writeln!(
            out,
            "  queued {} = read from sockets {}; full {}, closed {}; order and duplicates not checked there",
            sockets.queued, sockets.read, sockets.full, sockets.closed,
        )?;
    }
    if let Some(egress) = report.egress {
        writeln!(
            out,
            "  forwarded {} = egress sent {} + send dropped {}; taken {}",
            report.forwarded, egress.sent, egress.send_dropped, egress.taken,
        )?;
    }
    write!(out, "  in flight at the end {}: ", report.in_flight_at_end)
}

/// Targets, and what was reached.
fn goals(out: &mut String, slo: &SloShare) -> std::fmt::Result {
    for goal in &slo.goals {
        writeln!(out, "goal         {:<14} {}", goal.goal, goal.outcome())?;
    }
    Ok(())
}

/// Order, duplicates and corruption, as the numbers of frames tell.
fn order(out: &mut String, report: &Report) -> std::fmt::Result {
    let order = &report.order;
    let found = &order.found;
    if order.numbered > 0 {
        writeln!(
            out,
            "  received unique {} = in order {} + reordered {}; duplicates {}, corrupt {}, too late {}",
            found.unique(),
            found.in_order,
            found.reordered,
            found.duplicates,
            found.corrupt,
            found.too_late,
        )?;
        writeln!(
            out,
            "  numbered {} = received unique {} + missing {}",
            order.numbered,
            found.unique(),
            order.missing,
        )?;
    }
    match found.unchecked {
        0 => Ok(()),
        n => {
            let why = match report.flags.get("check") {
                Some(check) if check == "off" => "--check off",
                _ => "IPv6 under 82 bytes, or no UDP",
            };
            writeln!(
                out,
                "  {n} frames without a number ({why}): order and duplicates not checked"
            )
        }
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
