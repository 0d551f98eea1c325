//! Each run in a line.

use maud::{Markup, html};

use super::super::input::{Inputs, Named, Run};
use super::table::{duration, or_dash, percent, rate};

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let of_profiles = inputs.profiles.iter().map(|profile| Named {
        name: profile.name.clone(),
        group: None,
        file: profile.file.clone(),
        result: profile.result.bench.clone(),
    });
    let of_profiles: Vec<_> = of_profiles.collect();
    let runs: Vec<&Named<Run>> = inputs.runs.iter().chain(&of_profiles).collect();
    if runs.is_empty() {
        return None;
    }
    let has_latency = runs.iter().any(|run| run.result.latency_ns.is_some());
    let has_ceiling = runs.iter().any(|run| ceiling_used(&run.result).is_some());
    Some(html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "run" }
                        th.n scope="col" { "offered" }
                        th.n scope="col" { "achieved" }
                        th.n scope="col" { "arrived" }
                        th.n scope="col" { "lost" }
                        th.n scope="col" { "per packet" }
                        @if has_latency {
                            th.n scope="col" { "p50" }
                            th.n scope="col" { "p99" }
                            th.n scope="col" { "max" }
                        }
                        @if has_ceiling { th.n scope="col" { "of ceiling" } }
                        th scope="col" { "pace set by" }
                        th scope="col" { "books" }
                    }
                }
                tbody {
                    @for run in runs { (row(run, has_latency, has_ceiling)) }
                }
            }
        }
        p.note {
            "Offered is what the plan had for the time, achieved what was sent of it, arrived what was delivered or forwarded. "
            "Lost is the share of what was offered that did not arrive. Per packet is the time that workers were busy."
            @if has_ceiling { " The ceiling is what the generator can send alone, measured before the run." }
        }
    })
}

fn row(run: &Named<Run>, has_latency: bool, has_ceiling: bool) -> Markup {
    let result = &run.result;
    let latency = |name: &str| {
        or_dash(
            result
                .latency_ns
                .as_ref()
                .and_then(|p| p.get(name))
                .map(duration),
        )
    };
    html! {
        tr {
            th.run scope="row" title=(run.file) {
                (run.name)
                span.sub { (load(result)) }
            }
            td.n { (rate(result.offered_pps)) }
            td.n { (rate(result.achieved_pps)) }
            td.n { strong { (rate(result.rate())) } }
            td.n { (percent(result.loss())) }
            td.n { (or_dash(result.ns_per_packet.map(duration))) }
            @if has_latency {
                td.n { (latency("p50")) }
                td.n { (latency("p99")) }
                td.n { (latency("max")) }
            }
            @if has_ceiling { td.n { (or_dash(ceiling_used(result).map(percent))) } }
            td { (pace(result)) }
            td {
                @if result.accounting.holds { span.good { "balance" } } @else { span.bad { "VIOLATED" } }
            }
        }
    }
}

/// The share of what the generator can send alone that the run sent.
fn ceiling_used(run: &Run) -> Option<f64> {
    run.self_check.as_ref()?.ceiling_used
}

/// What the run was, in a few words.
fn load(run: &Run) -> String {
    let mut parts = Vec::new();
    if run.verb != "bench" {
        parts.push(run.verb.clone());
    }
    if let Some(size) = run.flag("frame_size") {
        parts.push(match size.parse::<u32>() {
            Ok(bytes) => format!("{bytes} B"),
            Err(_) => size,
        });
    }
    match run.flag("profile") {
        Some(file) => parts.push(format!("streams of {file}")),
        None => parts.extend(run.flag("family")),
    }
    let is_on = |name: &str| run.flag(name).is_some_and(|value| value != "false");
    if is_on("forward") {
        let routes = run.flag("routes").unwrap_or_default();
        parts.push(format!("forwarded by {routes} routes"));
    } else if let Some(sockets) = run.flag("sockets") {
        parts.push(format!("{sockets} sockets"));
    } else if let Some(endpoints) = run.flag("endpoints") {
        parts.push(format!("{endpoints} endpoints"));
    }
    if let Some(rate) = run.flag("rate").or(run.flag("speed")) {
        parts.push(format!("rate {rate}"));
    }
    let workers = run.workers.len();
    parts.push(format!(
        "{workers} worker{}",
        if workers == 1 { "" } else { "s" }
    ));
    parts.push(format!("{:.1} s", run.window_s));
    parts.join(", ")
}

fn pace(run: &Run) -> &str {
    match (run.generator.limit.as_str(), run.generator.planned_pps) {
        ("none", Some(_)) => "the plan",
        ("none", None) => "nothing",
        ("workers", _) => "workers",
        ("generator", _) => "generator",
        ("pool", _) => "frame pool",
        (other, _) => other,
    }
}
