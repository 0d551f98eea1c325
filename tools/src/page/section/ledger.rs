//! The books of each run.

use maud::{Markup, html};

use super::super::input::{Inputs, Run};
use super::table::count;

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let of_profiles = inputs
        .profiles
        .iter()
        .map(|it| (&it.name, &it.result.bench));
    let runs: Vec<_> = inputs
        .runs
        .iter()
        .map(|run| (&run.name, &run.result))
        .chain(of_profiles)
        .collect();
    if runs.is_empty() {
        return None;
    }
    Some(html! {
        p { "Generator, engine and those who take the packets count on their own; each of these has to hold to the frame." }
        @for (name, run) in runs {
            details open[!run.accounting.holds || inputs.runs.len() == 1] {
                summary {
                    (name) ": "
                    @if run.accounting.holds { span.good { "balances" } } @else { span.bad { "VIOLATED" } }
                    ", " (count(run.sent)) " sent, " (count(run.received)) " received"
                }
                (identities(run))
            }
        }
    })
}

fn identities(run: &Run) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "claim" }
                        th.n scope="col" { "left" }
                        th.n scope="col" { "right" }
                        th scope="col" { "holds" }
                    }
                }
                tbody {
                    @for identity in &run.accounting.identities {
                        tr {
                            td { (identity.claim) }
                            td.n { (count(identity.left)) }
                            td.n { (count(identity.right)) }
                            td { @if identity.holds { span.good { "yes" } } @else { span.bad { "NO" } } }
                        }
                    }
                }
            }
        }
    }
}
