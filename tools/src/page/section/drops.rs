//! What was lost, and why.

use maud::{Markup, html};

use super::super::input::Inputs;
use super::table::{bar, count, percent};

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let with: Vec<_> = inputs
        .runs
        .iter()
        .enumerate()
        .map(|(i, run)| (i, run, run.result.losses()))
        .filter(|(.., losses)| !losses.is_empty())
        .collect();
    if with.is_empty() {
        return None;
    }
    Some(html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "run" }
                        th scope="col" { "reason" }
                        th.n scope="col" { "frames" }
                        th.n scope="col" { "of those intended" }
                        th.wide scope="col" { span.unseen { "share" } }
                    }
                }
                tbody {
                    @for (i, run, losses) in with {
                        @for (j, (reason, frames)) in losses.iter().enumerate() {
                            @let share = *frames as f64 / run.result.generator.intended.max(1) as f64;
                            tr {
                                @if j == 0 { th scope="rowgroup" rowspan=(losses.len()) { (run.name) } }
                                td { code { (reason) } }
                                td.n { (count(*frames)) }
                                td.n { (percent(share)) }
                                td { (bar(share, i)) }
                            }
                        }
                    }
                }
            }
        }
    })
}
