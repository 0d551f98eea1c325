//! What makes results mean less, first of all.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::input::{Goal, Head, Inputs, Run, Search, Slo};

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
    for run in &inputs.runs {
        of_head(&mut warnings, &run.name, &run.result.head);
        of_run(&mut warnings, &run.name, &run.result);
    }
    for search in &inputs.searches {
        of_head(&mut warnings, &search.name, &search.result.head);
        of_search(&mut warnings, &search.name, &search.result);
    }
    for profile in &inputs.profiles {
        let bench = &profile.result.bench;
        of_head(&mut warnings, &profile.name, &bench.head);
        of_run(&mut warnings, &profile.name, bench);
        let own = profile.result.warnings.iter();
        for text in own.filter(|text| !bench.head.warnings.contains(text)) {
            warn(&mut warnings, &profile.name, text);
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

/// What any result may have against it.
fn of_head(warnings: &mut Vec<Warning>, name: &str, head: &Head) {
    if head.interrupted {
        let text = "It was interrupted: it is shorter than planned.";
        warn(warnings, name, text);
    }
    if head.versions.profile == "debug" && !head.warnings.iter().any(|w| w.contains("debug")) {
        let text = "A build with debug assertions: the figures mean little.";
        warn(warnings, name, text);
    }
    for text in &head.warnings {
        warn(warnings, name, text);
    }
}

fn of_run(warnings: &mut Vec<Warning>, name: &str, run: &Run) {
    if !run.accounting.holds {
        let identities = run.accounting.identities.iter();
        let claims: Vec<_> = identities
            .filter(|identity| !identity.holds)
            .map(|it| format!("{}: {} is not {}", it.claim, it.left, it.right))
            .collect();
        let text = format!("The books do not balance. {}", claims.join("; "));
        add(warnings, Level::Error, name, &text);
    }
    for goal in run.slo.iter().flat_map(Slo::unmet) {
        warn(warnings, name, &format!("a target is not met: {goal}"));
    }
    if let Some(text) = limit(run) {
        warn(warnings, name, text);
    }
}

/// What of the tester, and not of the engine, the figures say.
fn limit(run: &Run) -> Option<&'static str> {
    let at_max = run.generator.planned_pps.is_none();
    match run.generator.limit.as_str() {
        _ if run.latency_limited_by_generator == Some(true) => Some(
            "Tester-limited: the generator was late itself, so that the latency says little about the engine.",
        ),
        "generator" if at_max => {
            Some("Tester-limited: the generator was the limit, and the workers can do more.")
        }
        "generator" => Some(
            "Tester-limited: the generator was the limit, it could not send at the planned rate.",
        ),
        "pool" => Some("The frame pool was the limit: --pool-slots gives it more."),
        _ if run.head.tester_limited == Some(true) => {
            Some("Tester-limited: the result is not valid for the engine.")
        }
        _ => None,
    }
}

fn of_search(warnings: &mut Vec<Warning>, name: &str, search: &Search) {
    if search.accounting_holds == Some(false) {
        add(
            warnings,
            Level::Error,
            name,
            "The books of a trial do not balance.",
        );
    }
    for size in &search.sizes {
        for goal in size.slo.iter().flat_map(Slo::unmet) {
            let text = format!("a target is not met by {}: {goal}", size.frame_size);
            warn(warnings, name, &text);
        }
    }
    let goals = search.sizes.iter().flat_map(|size| {
        let which = |goal: &Goal| format!("{} of {}", goal.name, size.frame_size);
        size.goals.iter().map(move |goal| (goal, which(goal)))
    });
    let goals: Vec<_> = goals.collect();
    let limited = goals.iter().filter(|(goal, _)| goal.tester_limited);
    let limited: Vec<_> = limited.map(|(_, which)| which.as_str()).collect();
    if !limited.is_empty() {
        let text = format!(
            "Tester-limited, the engine can do more: {}.",
            limited.join(", ")
        );
        warn(warnings, name, &text);
    } else if search.head.tester_limited == Some(true) {
        let text = "Tester-limited: some result says more about the tester than about the engine.";
        warn(warnings, name, text);
    }
    let because = |goal: &Goal| match goal.irregular_because.as_deref() {
        Some("not_finished") => {
            "The search ended before it converged; the bounds are those that were known by then"
                .to_owned()
        }
        because => format!(
            "An irregular result ({})",
            because.unwrap_or("no reason given").replace('_', " ")
        ),
    };
    let mut by_reason = BTreeMap::<String, Vec<&str>>::new();
    for (goal, which) in goals.iter().filter(|(goal, _)| goal.irregular) {
        by_reason.entry(because(goal)).or_default().push(which);
    }
    for (reason, which) in by_reason {
        warn(warnings, name, &format!("{reason}: {}.", which.join(", ")));
    }
}

fn warn(warnings: &mut Vec<Warning>, name: &str, text: &str) {
    add(warnings, Level::Warning, name, text);
}

fn add(warnings: &mut Vec<Warning>, level: Level, name: &str, text: &str) {
    let mut text = text.to_owned();
    if let Some(first) = text.get(..1) {
        text.replace_range(..1, &first.to_uppercase());
    }
    warnings.push(Warning {
        level,
        name: name.to_owned(),
        text,
    });
}
