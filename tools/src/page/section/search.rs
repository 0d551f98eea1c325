//! What searches found.

use maud::{Markup, html};

use super::super::chart::{Axis, Chart, Point, Series, Unit};
use super::super::input::{Inputs, SizeResult};
use super::table::{count, duration, or_dash, percent, rate};

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    if inputs.searches.is_empty() {
        return None;
    }
    let sizes = || {
        inputs
            .searches
            .iter()
            .flat_map(|search| &search.result.sizes)
    };
    let has_bursts = sizes().any(|size| size.back_to_back.is_some());
    Some(html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "search" }
                        th.n scope="col" { "frame" }
                        th scope="col" { "goal" }
                        th.n scope="col" { "rate" }
                        th.n scope="col" { "not below" }
                        th.n scope="col" { "not above" }
                        th.n scope="col" { "loss allowed" }
                        th.n scope="col" { "of trials beyond" }
                        th.n scope="col" { "trials" }
                        th.n scope="col" { "width" }
                        th scope="col" { "result" }
                    }
                }
                tbody {
                    @for search in &inputs.searches {
                        @for size in &search.result.sizes {
                            (rows(&search.name, size))
                        }
                    }
                }
            }
        }
        @if has_bursts {
            h3 { "Back-to-back bursts" }
            (bursts(inputs))
        }
        @for search in &inputs.searches {
            @if !search.result.deviations.is_empty() {
                details {
                    summary { "How the trials of " (search.name) " differ from those of RFC 2544" }
                    ul { @for text in &search.result.deviations { li { (text) } } }
                }
            }
        }
        p.note {
            "NDR is the highest rate without loss, PDR that with the loss allowed. Rate is the conditional throughput (RFC 9971) "
            "at the lower of its bounds, the median of the searches."
        }
    })
}

fn rows(name: &str, size: &SizeResult) -> Markup {
    html! {
        @for goal in &size.goals {
            tr {
                th scope="row" { (name) }
                td.n { (size.frame_size) }
                td { (goal.name) }
                td.n {
                    strong { (or_dash(goal.pps().map(rate))) }
                    @if let Some((low, high)) = goal.spread() { span.sub { (rate(low)) " to " (rate(high)) } }
                }
                td.n { (or_dash(goal.lower().map(rate))) }
                td.n { (or_dash(goal.upper().map(rate))) }
                td.n { (or_dash(goal.loss_ratio.map(percent))) }
                td.n { (or_dash(goal.exceed_ratio.map(percent))) }
                td.n {
                    @match (goal.final_trial_s, goal.duration_sum_s) {
                        (Some(each), Some(sum)) => { (each) " s, " (sum) " s in sum" },
                        _ => (or_dash(None)),
                    }
                }
                td.n { (or_dash(goal.width.map(percent))) }
                td {
                    @if goal.tester_limited { span.bad { "tester-limited" } }
                    @else if goal.irregular_because.as_deref() == Some("not_finished") { span.bad { "not converged" } }
                    @else if goal.irregular { span.bad { "irregular" } }
                    @else { span.good { "regular" } }
                }
            }
        }
    }
}

fn bursts(inputs: &Inputs) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "search" }
                        th.n scope="col" { "frame" }
                        th.n scope="col" { "longest burst without loss" }
                        th.n scope="col" { "deviation" }
                        th.n scope="col" { "buffer, corrected" }
                    }
                }
                tbody {
                    @for search in &inputs.searches {
                        @for size in &search.result.sizes {
                            @if let Some(burst) = &size.back_to_back {
                                tr {
                                    th scope="row" { (search.name) }
                                    td.n { (size.frame_size) }
                                    td.n {
                                        (count(burst.mean_frames.max(0.0).round() as u64)) " frames"
                                        @if burst.unlimited { span.sub { "as long as was tried" } }
                                    }
                                    td.n { (or_dash(burst.stddev_frames.map(|it| format!("{it:.1} frames")))) }
                                    td.n { (or_dash(burst.corrected_buffer_s.map(|s| duration(s * 1e9)))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn scaling(inputs: &Inputs) -> Option<Markup> {
    let series = inputs.searches.iter().map(|search| {
        let points = search.result.scaling.iter();
        let points = points.filter_map(|it| Some(Point::new(it.workers as f64, it.ndr_pps?)));
        Series::line(search.name.clone(), points)
    });
    Chart {
        title: "Rate without loss, by workers",
        places: None,
        x: Axis::linear("workers", Unit::Count),
        y: Axis::linear("rate", Unit::Rate),
        series: series.collect(),
    }
    .render()
}
