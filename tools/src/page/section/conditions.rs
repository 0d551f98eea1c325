//! Under what conditions it was measured.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::input::{Head, Inputs};
use super::table::or_dash;
use crate::report::condition;

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let heads = inputs.heads();
    let options: BTreeSet<&str> = heads
        .iter()
        .flat_map(|(_, head)| head.flags.keys().map(String::as_str))
        .collect();
    let mut rows: Vec<(&str, Vec<Option<String>>)> = vec![
        (
            "version",
            each(&heads, |head| Some(head.versions.describe())),
        ),
        (
            "machine",
            each(&heads, |head| Some(head.machine.describe())),
        ),
        (
            "what ran",
            each(&heads, |head| {
                let said = !head.conditions.is_empty();
                said.then(|| head.conditions.join("; "))
            }),
        ),
        (
            "seed",
            each(&heads, |head| head.seed.map(|seed| seed.to_string())),
        ),
    ];
    let flags = options.into_iter().filter(|option| *option != "seed");
    rows.extend(flags.map(|option| {
        let of = |head: &Head| head.flags.get(option).and_then(condition);
        (option, each(&heads, of))
    }));
    let is_same = |values: &[Option<String>]| values.windows(2).all(|pair| pair[0] == pair[1]);
    let (same, different): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, values)| is_same(values));
    let same: Vec<_> = same
        .into_iter()
        .filter_map(|(name, values)| Some((name, values.into_iter().next()??)))
        .collect();
    Some(html! {
        @if !different.is_empty() {
            h3 { "What differs" }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "condition" }
                            @for (name, _) in &heads { th scope="col" { (name) } }
                        }
                    }
                    tbody {
                        @for (name, values) in different {
                            tr {
                                th scope="row" { (name) }
                                @for value in values { td { (or_dash(value)) } }
                            }
                        }
                    }
                }
            }
            h3 { "What is the same" }
        }
        dl.conditions {
            @for (name, value) in same {
                div { dt { (name) } dd { (value) } }
            }
        }
        p.note { "Options are named as in the results; those that were not in effect are left out." }
    })
}

fn each(heads: &[(&str, &Head)], of: impl Fn(&Head) -> Option<String>) -> Vec<Option<String>> {
    heads.iter().map(|(_, head)| of(head)).collect()
}
