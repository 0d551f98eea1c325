//! What became of each stream of a profile.

use maud::{Markup, html};

use super::super::input::{Inputs, Percentiles, Stream};
use super::latency::share_of_rate;
use super::table::{count, duration, or_dash, percent, rate};

const PERCENTILES: [&str; 4] = ["p50", "p99", "p99.9", "max"];

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let parts = [of_runs(inputs), of_searches(inputs)];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| html! { @for part in parts { (part) } })
}

fn of_runs(inputs: &Inputs) -> Option<Markup> {
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

/// Those that a search knows apart: under the loads at which it measured latency.
fn of_searches(inputs: &Inputs) -> Option<Markup> {
    let sizes = inputs.searches.iter().flat_map(|search| {
        let sizes = search.result.sizes.iter();
        sizes.map(move |size| (&search.name, size))
    });
    let loads = sizes.flat_map(|(name, size)| {
        let loads = size.latency.iter();
        loads.map(move |load| (name, &size.frame_size, load))
    });
    let loads: Vec<_> = loads
        .filter(|(.., load)| !load.streams.is_empty())
        .collect();
    (!loads.is_empty()).then(|| {
        html! {
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "search" }
                            th.n scope="col" { "frame" }
                            th.n scope="col" { "load" }
                            th scope="col" { "stream" }
                            th.n scope="col" { "lost" }
                            @for name in PERCENTILES { th.n scope="col" { (name) } }
                        }
                    }
                    tbody {
                        @for (name, frame_size, load) in loads {
                            @for (i, stream) in load.streams.iter().enumerate() {
                                tr {
                                    @if i == 0 {
                                        @let rows = load.streams.len();
                                        th scope="rowgroup" rowspan=(rows) { (name) }
                                        td.n rowspan=(rows) { (frame_size) }
                                        td.n rowspan=(rows) { (share_of_rate(load.fraction)) }
                                    }
                                    td { (stream.name) }
                                    td.n { (or_dash(stream.loss_ratio.map(percent))) }
                                    (percentiles(stream.latency_ns.as_ref()))
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn percentiles(latency: Option<&Percentiles>) -> Markup {
    html! {
        @for name in PERCENTILES {
            td.n { (or_dash(latency.and_then(|latency| latency.get(name)).map(duration))) }
        }
    }
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
        (percentiles(stream.latency_ns.as_ref()))
    }
}
