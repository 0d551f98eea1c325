//! What makes results mean less, first of all.

use maud::{Markup, html};

use super::super::input::{Inputs, Run};

/// How much a warning says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// The result is wrong.
    Error,
    /// It means less than it seems.
    Warning,
}

struct Warning {
    level: Level,
    name: String,
    text: String,
}

pub(super) fn body(inputs: &Inputs) -> Markup {
    let mut warnings = Vec::new();
    for (name, head) in inputs.heads() {
        if head.interrupted {
            warn(
                &mut warnings,
                name,
                "It was interrupted: it is shorter than planned.",
            );
        }
        if head.tester_limited == Some(true) {
            warn(&mut warnings, name, TESTER_LIMITED);
        }
        if head.versions.profile == "debug" && !head.warnings.iter().any(|w| w.contains("debug")) {
            warn(
                &mut warnings,
                name,
                "A build with debug assertions: the figures mean little.",
            );
        }
        for text in &head.warnings {
            warn(&mut warnings, name, text);
        }
    }
    for run in &inputs.runs {
        of_run(&mut warnings, &run.name, &run.result);
    }
    for search in &inputs.searches {
        if search.result.accounting_holds == Some(false) {
            error(
                &mut warnings,
                &search.name,
                "The books of a trial do not balance.".to_owned(),
            );
        }
        for size in &search.result.sizes {
            for goal in &size.goals {
                let which = format!("{} of {}", goal.name, size.frame_size);
                if goal.irregular {
                    let because = goal
                        .irregular_because
                        .as_deref()
                        .unwrap_or("no reason given");
                    let because = because.replace('_', " ");
                    warn(
                        &mut warnings,
                        &search.name,
                        &format!("{which}: an irregular result ({because})."),
                    );
                }
                if goal.tester_limited {
                    let text = format!("{which}: tester-limited, the engine can do more.");
                    warn(&mut warnings, &search.name, &text);
                }
            }
        }
    }
    for profile in &inputs.profiles {
        of_run(&mut warnings, &profile.name, &profile.result.bench);
        for text in &profile.result.warnings {
            if !profile.result.bench.head.warnings.contains(text) {
                warn(&mut warnings, &profile.name, text);
            }
        }
    }
    // Those of one level stay in their order.
    warnings.sort_by_key(|warning| warning.level);
    html! {
        @if warnings.is_empty() {
            p.notice.good {
                strong { "Nothing stands against these results." }
                " The books of each balance to the frame, and none was limited by the generator."
            }
        } @else {
            ul.notices {
                @for warning in &warnings {
                    li.notice.error[warning.level == Level::Error].warning[warning.level == Level::Warning] {
                        strong { @if warning.level == Level::Error { "Wrong: " } @else { "Careful: " } (warning.name) ". " }
                        (warning.text)
                    }
                }
            }
        }
    }
}

const TESTER_LIMITED: &str = "Tester-limited: the figures are those of the generator and not of the engine, which can do more.";

fn of_run(warnings: &mut Vec<Warning>, name: &str, run: &Run) {
    if !run.accounting.holds {
        let broken = run
            .accounting
            .identities
            .iter()
            .filter(|identity| !identity.holds);
        let claims: Vec<_> = broken
            .map(|it| format!("{}: {} is not {}", it.claim, it.left, it.right))
            .collect();
        error(
            warnings,
            name,
            format!("The books do not balance. {}", claims.join("; ")),
        );
    }
    for goal in run
        .slo
        .iter()
        .flat_map(|slo| &slo.goals)
        .filter(|goal| !goal.met)
    {
        warn(
            warnings,
            name,
            &format!("a target is not met: {}", goal.goal),
        );
    }
    match run.generator.limit.as_str() {
        "generator" if run.head.tester_limited != Some(true) => {
            let text = if run.generator.planned_pps.is_none() {
                "The generator was the limit: the workers can do more."
            } else {
                "The generator was the limit: it could not send at the planned rate."
            };
            warn(warnings, name, text);
        }
        "pool" => warn(
            warnings,
            name,
            "The frame pool was the limit (--pool-slots).",
        ),
        _ => {}
    }
    if run.latency_limited_by_generator == Some(true) {
        let text = "Tester-limited latency: the generator was late itself, so that the latency says little about the engine.";
        warn(warnings, name, text);
    }
}

fn warn(warnings: &mut Vec<Warning>, name: &str, text: &str) {
    add(warnings, Level::Warning, name, text.to_owned());
}

fn error(warnings: &mut Vec<Warning>, name: &str, text: String) {
    add(warnings, Level::Error, name, text);
}

fn add(warnings: &mut Vec<Warning>, level: Level, name: &str, text: String) {
    let mut text = text;
    if let Some(first) = text.get(..1) {
        text.replace_range(..1, &first.to_uppercase());
    }
    warnings.push(Warning {
        level,
        name: name.to_owned(),
        text,
    });
}
