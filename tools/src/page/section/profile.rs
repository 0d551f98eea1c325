//! The stages of profiles.

use maud::{Markup, html};

use super::super::input::{Difference, Inputs, Profile};
use super::table::{bar, count, duration, or_dash, percent};

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    if inputs.profiles.is_empty() {
        return None;
    }
    Some(html! {
        @for profile in &inputs.profiles {
            h3 { (profile.name) }
            (stages(&profile.result))
            @if let Some(difference) = &profile.result.difference {
                h3 { "Since " (difference.against) }
                (changes(difference))
            }
        }
    })
}

fn stages(profile: &Profile) -> Markup {
    let sampler = &profile.sampler;
    let largest = profile
        .stages
        .iter()
        .map(|stage| stage.share)
        .fold(0.0, f64::max);
    html! {
        p {
            (count(profile.samples)) " samples by " (sampler.name) " (" (sampler.event) ", " (sampler.frequency_hz)
            " Hz asked for), stacks unwound by " (sampler.unwinding) "."
        }
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "threads" }
                        th scope="col" { "stage" }
                        th.n scope="col" { "samples" }
                        th.n scope="col" { "share" }
                        th.wide scope="col" { span.unseen { "share" } }
                        th.n scope="col" { "per packet" }
                        th.n scope="col" { "packets per call" }
                    }
                }
                tbody {
                    @for stages in profile.stages.chunk_by(|a, b| a.group == b.group) {
                        @for (j, stage) in stages.iter().enumerate() {
                            tr {
                                @if j == 0 { th scope="rowgroup" rowspan=(stages.len()) { (stage.group) } }
                                td { code { (stage.stage) } }
                                td.n { (count(stage.samples)) }
                                td.n { (percent(stage.share)) }
                                td { (bar(stage.share / largest, 0)) }
                                td.n { (or_dash(stage.ns_per_packet.map(duration))) }
                                td.n { (or_dash(stage.packets_per_call.map(|it| format!("{it:.1}")))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn changes(difference: &Difference) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "threads" }
                        th scope="col" { "stage" }
                        th.n scope="col" { "before" }
                        th.n scope="col" { "after" }
                        th.n scope="col" { "change" }
                    }
                }
                tbody {
                    @for stage in &difference.stages {
                        tr {
                            td { (stage.group) }
                            td { code { (stage.stage) } }
                            td.n { (or_dash(stage.before.map(percent))) }
                            td.n { (or_dash(stage.after.map(percent))) }
                            td.n {
                                @if let (Some(before), Some(after)) = (stage.before, stage.after) {
                                    (format!("{:+.1}%", 100.0 * (after - before)))
                                } @else { (or_dash(None)) }
                            }
                        }
                    }
                }
            }
        }
        p.note { "Shares of the samples of the group's threads." }
    }
}
