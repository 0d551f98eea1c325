//! Runs side by side.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::group::{Basis, Figure, Group, Verdict, groups, interval_rates};
use super::super::input::{Inputs, Run};
use super::table::{duration, or_dash, percent, rate};

/// A figure to compare.
struct Metric {
    title: &'static str,
    is_better_higher: bool,
    write: fn(f64) -> String,
    of: fn(&Run) -> Option<f64>,
    parts: fn(&Run) -> Vec<f64>,
}

const METRICS: [Metric; 5] = [
    Metric {
        title: "arrived",
        is_better_higher: true,
        write: rate,
        of: |run| Some(run.rate()),
        parts: |run| {
            interval_rates(run)
                .into_iter()
                .map(|(_, rate)| rate)
                .collect()
        },
    },
    Metric {
        title: "per packet",
        is_better_higher: false,
        write: duration,
        of: |run| run.ns_per_packet,
        parts: |_| Vec::new(),
    },
    Metric {
        title: "lost",
        is_better_higher: false,
        write: percent,
        of: |run| Some(run.loss()),
        parts: |_| Vec::new(),
    },
    Metric {
        title: "latency p50",
        is_better_higher: false,
        write: duration,
        of: |run| run.latency_ns.as_ref()?.get("p50"),
        parts: |run| run.intervals.iter().filter_map(|it| it.p50_ns).collect(),
    },
    Metric {
        title: "latency p99",
        is_better_higher: false,
        write: duration,
        of: |run| run.latency_ns.as_ref()?.get("p99"),
        parts: |run| run.intervals.iter().filter_map(|it| it.p99_ns).collect(),
    },
];

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let groups = groups(inputs);
    let (first, others) = groups.split_first()?;
    if others.is_empty() {
        return None;
    }
    let has = |metric: &&Metric| {
        groups
            .iter()
            .any(|group| figure(group, metric).is_some_and(|it| it.median > 0.0))
    };
    let metrics: Vec<_> = METRICS.iter().filter(has).collect();
    Some(html! {
        div.scroll {
            table.compared {
                thead {
                    tr {
                        th scope="col" { "run" }
                        th scope="col" { "differs in" }
                        @for metric in &metrics { th.n scope="col" { (metric.title) } }
                    }
                }
                tbody {
                    @for (i, group) in groups.iter().enumerate() {
                        tr {
                            th scope="row" {
                                (group.name)
                                @if group.runs.len() > 1 { span.sub { "median of " (group.runs.len()) " runs" } }
                            }
                            td.differs { @if i == 0 { "the others are compared with this" } @else { (differences(first, group)) } }
                            @for metric in &metrics {
                                td.n { (cell(metric, group, (i > 0).then_some(first))) }
                            }
                        }
                    }
                }
            }
        }
        p.note {
            "A ratio is " em { "beyond" } " the spread if the ranges of the two, from the least to the most, have nothing in common. "
            "The spread is that of repeated runs (NAME=FILE more than once), or else of the intervals of the one run: that says how much "
            "it went up and down, but not what another run would give. Runs at different rates have ratios, but none is the better one."
        }
    })
}

fn figure(group: &Group<'_>, metric: &Metric) -> Option<Figure> {
    group.figure(metric.of, metric.parts)
}

fn cell(metric: &Metric, group: &Group<'_>, first: Option<&Group<'_>>) -> Markup {
    let Some(value) = figure(group, metric) else {
        return html! { (or_dash(None)) };
    };
    let write = metric.write;
    // The line may break between two figures, and not within one.
    let whole = |value| write(value).replace(' ', "\u{a0}");
    let spread = value.spread.map(|(low, high)| (whole(low), whole(high)));
    let with = first.and_then(|first| Some((first, figure(first, metric)?)));
    html! {
        strong { (write(value.median)) }
        @if let Some((low, high)) = spread.filter(|(low, high)| low != high) {
            span.sub {
                @if value.basis == Basis::Intervals { "in the run " }
                (low) " to " (high)
            }
        }
        @if let Some((first, was)) = with.filter(|(_, was)| was.median > 0.0) {
            @let ratio = value.median / was.median;
            @if has_same_rate(first, group) {
                (verdict(metric, ratio, was.against(&value)))
            } @else {
                span.sub { "\u{d7}" (format!("{ratio:.2}")) ", at another rate" }
            }
        }
    }
}

/// Whether as much was asked of both: what arrives of another rate is not better or worse.
fn has_same_rate(a: &Group<'_>, b: &Group<'_>) -> bool {
    let rates = |group: &Group<'_>| {
        let run = &group.runs.first()?.result;
        Some(["rate", "speed", "arrival"].map(|name| run.flag(name)))
    };
    rates(a) == rates(b)
}

fn verdict(metric: &Metric, ratio: f64, verdict: Verdict) -> Markup {
    let is_better = (ratio > 1.0) == metric.is_better_higher;
    let beyond = verdict == Verdict::Beyond;
    html! {
        span.sub.good[beyond && is_better].bad[beyond && !is_better] {
            "\u{d7}" (format!("{ratio:.2}"))
            @match verdict {
                Verdict::Beyond if is_better => ", better, beyond the spread",
                Verdict::Beyond => ", worse, beyond the spread",
                Verdict::Within => ", within the spread",
                Verdict::Unknown => ", spread unknown",
            }
        }
    }
}

/// The options and the like that are others than those of `first`, but for those that follow from others, and of
/// another kind of result those that only one of the kinds has.
fn differences(first: &Group<'_>, group: &Group<'_>) -> String {
    let (Some(a), Some(b)) = (first.runs.first(), group.runs.first()) else {
        return String::new();
    };
    let (a, b) = (&a.result, &b.result);
    let mut names: BTreeSet<_> = a.head.flags.keys().chain(b.head.flags.keys()).collect();
    names.retain(|name| !(a.head.is_derived(name) && b.head.is_derived(name)));
    let mut parts = Vec::new();
    if a.kind() != b.kind() {
        names.retain(|name| a.head.flags.contains_key(*name) && b.head.flags.contains_key(*name));
        parts.push(b.kind());
    }
    for name in names {
        let (was, is) = (a.flag(name), b.flag(name));
        if was != is {
            parts.push(format!("{name} {}", or_dash(is)));
        } else if is.is_some() && a.head.flags.get(name) != b.head.flags.get(name) {
            parts.push(format!("{name}, by less than is shown"));
        }
    }
    if a.head.versions.describe() != b.head.versions.describe() {
        parts.push(b.head.versions.describe());
    }
    if a.head.machine.describe() != b.head.machine.describe() {
        parts.push(b.head.machine.describe());
    }
    if parts.is_empty() {
        "nothing: the same conditions".to_owned()
    } else {
        parts.join(", ")
    }
}
