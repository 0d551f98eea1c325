//! What became of each stream of a profile.

use maud::{Markup, html};

use super::super::input::{Inputs, Stream};
use super::table::{count, duration, or_dash, percent, rate};

const PERCENTILES: [&str; 4] = ["p50", "p99", "p99.9", "max"];

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let runs = inputs.runs.iter();
    let of_runs: Vec<_> = runs
        .filter_map(|run| Some((&run.name, run.result.streams.as_ref()?)))
        .collect();
    if of_runs.is_empty() {
        return None;
    }
    Some(html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "run" }
                        th scope="col" { "stream" }
                        th.n scope="col" { "planned" }
                        th.n scope="col" { "sent" }
                        th.n scope="col" { "arrived" }
                        th.n scope="col" { "missing" }
                        th.n scope="col" { "of it" }
                        @for name in PERCENTILES { th.n scope="col" { (name) } }
                    }
                }
                tbody {
                    @for (name, streams) in of_runs {
                        @for (i, stream) in streams.iter().enumerate() {
                            tr {
                                @if i == 0 { th scope="rowgroup" rowspan=(streams.len()) { (name) } }
                                (cells(stream))
                            }
                        }
                    }
                }
            }
        }
    })
}

fn cells(stream: &Stream) -> Markup {
    let order = &stream.order;
    // Nobody looks at frames without a number.
    let seen = |n: u64| or_dash((order.numbered > 0).then(|| count(n)));
    let missing = order.missing as f64 / order.numbered.max(1) as f64;
    html! {
        td { (stream.name) }
        td.n { (rate(stream.planned_pps)) }
        td.n { (count(stream.sent)) }
        td.n { (seen(order.in_order.saturating_add(order.reordered))) }
        td.n { (seen(order.missing)) }
        td.n { (or_dash((order.numbered > 0).then(|| percent(missing)))) }
        @for name in PERCENTILES {
            @let ns = stream.latency_ns.as_ref().and_then(|latency| latency.get(name));
            td.n { (or_dash(ns.map(duration))) }
        }
    }
}
