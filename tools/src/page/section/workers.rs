//! How packets were spread over workers.

use maud::{Markup, html};

use super::super::input::Inputs;
use super::table::{bar, count, duration, or_dash, percent};

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    if inputs.runs.iter().all(|run| run.result.workers.is_empty()) {
        return None;
    }
    Some(html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "run" }
                        th.n scope="col" { "worker" }
                        th.n scope="col" { "core" }
                        th.n scope="col" { "packets" }
                        th.n scope="col" { "share" }
                        th.wide scope="col" { span.unseen { "share" } }
                        th.n scope="col" { "busy" }
                        th.n scope="col" { "per packet" }
                    }
                }
                tbody {
                    @for (i, run) in inputs.runs.iter().enumerate() {
                        @let workers = &run.result.workers;
                        @let all = workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(worker.packets));
                        @for (j, worker) in workers.iter().enumerate() {
                            @let share = worker.packets as f64 / all.max(1) as f64;
                            tr {
                                @if j == 0 { th scope="rowgroup" rowspan=(workers.len()) { (run.name) } }
                                td.n { (worker.id) }
                                td.n { (or_dash(worker.core.map(|core| core.to_string()))) }
                                td.n { (count(worker.packets)) }
                                td.n { (percent(share)) }
                                td { (bar(share, i)) }
                                td.n { (percent(worker.busy_ratio)) }
                                td.n { (or_dash(worker.ns_per_packet.map(duration))) }
                            }
                        }
                    }
                }
            }
        }
    })
}
