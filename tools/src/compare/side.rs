//! One of two results.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fields::{Head, Run, Search};
use crate::figures::{self, Interval};
use crate::report::SCHEMA;

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The higher.
    Higher,
    /// The lower.
    Lower,
}

/// A figure of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Which of two is better.
    pub better: Better,
    /// Its unit: `pps` or `ns`.
    pub unit: &'static str,
    /// It, of the whole result.
    pub whole: f64,
    /// It, as often as it was measured; one at least.
    pub samples: Vec<f64>,
}

/// A result to be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Which verb's it is.
    pub verb: String,
    /// Under which conditions it was measured, by name.
    pub conditions: BTreeMap<String, Value>,
    /// Those of them that nobody said and that follow from others.
    pub derived: BTreeSet<String>,
    /// What makes it a result that nothing can be concluded from.
    pub problems: Vec<String>,
    /// Its figures: of a search each as often as it was repeated, of other verbs one for each interval
    /// of the window where the result has them.
    pub figures: Vec<Figure>,
}

/// Why there is nothing to compare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAResult {
    /// Another program's, or another version's.
    #[error("not a result of this version: its schema is {0}, not {SCHEMA}")]
    Schema(String),
    /// A verb whose results are not compared.
    #[error("a result of '{0}': what is compared are those of bench, replay and search")]
    Kind(String),
    /// A field that is not what it has to be.
    #[error("{0}")]
    Field(String),
    /// There is no figure in it.
    #[error("no figure in it")]
    Empty,
    /// A search ended before it knew anything.
    #[error("no figure in it: its goals have no rate, because the search {0}")]
    NoRate(&'static str),
}

impl Side {
    /// What is to be compared of a result.
    ///
    /// # Errors
    /// It is none, or something in it is not what it has to be.
    pub fn of(result: &Value) -> Result<Self, NotAResult> {
        if result["schema"] != SCHEMA {
            return Err(NotAResult::Schema(result["schema"].to_string()));
        }
        let verb = result["verb"].as_str().unwrap_or_default();
        let head: Head = fields(result)?;
        let (figures, problems) = match verb {
            "bench" | "replay" => {
                let run: Run = fields(result)?;
                let is_limited = run.generator.limit.as_deref() == Some("generator");
                let problems = problems(&head, run.accounting.holds, true, is_limited);
                (of_run(&run)?, problems)
            }
            "search" => {
                let search: Search = fields(result)?;
                let figures = of_search(&search);
                if figures.is_empty() {
                    return Err(why_empty(&head, &search));
                }
                let converged = !search.has_ended(UNFINISHED);
                let problems = problems(&head, search.accounting_holds, converged, false);
                (figures, problems)
            }
            other => return Err(NotAResult::Kind(other.to_owned())),
        };
        if figures.is_empty() {
            return Err(NotAResult::Empty);
        }
        Ok(Self {
            verb: verb.to_owned(),
            conditions: conditions(&head, verb),
            derived: head.derived,
            problems,
            figures,
        })
    }
}

fn fields<T: DeserializeOwned>(result: &Value) -> Result<T, NotAResult> {
    figures::of_value(result).map_err(NotAResult::Field)
}

fn conditions(head: &Head, verb: &str) -> BTreeMap<String, Value> {
    let build = head.versions.profile.clone();
    let mut conditions = BTreeMap::from([
        ("verb".to_owned(), Value::from(verb)),
        ("build".to_owned(), Value::from(build)),
    ]);
    for (group, prefix) in [(&head.machine, "machine."), (&head.flags, "")] {
        for (name, value) in group {
            conditions.insert(format!("{prefix}{name}"), value.clone());
        }
    }
    conditions
}

/// Why a search has no figure.
fn why_empty(head: &Head, search: &Search) -> NotAResult {
    if head.interrupted {
        NotAResult::NoRate("was interrupted")
    } else if search.has_ended(UNFINISHED) {
        NotAResult::NoRate("did not converge")
    } else if search.has_ended("no_lower_bound") {
        NotAResult::NoRate("found no load that meets them")
    } else {
        NotAResult::Empty
    }
}

/// A search that ended before its bounds were close enough.
const UNFINISHED: &str = "not_finished";

/// What makes it a result that nothing can be concluded from.
fn problems(head: &Head, balances: Option<bool>, converged: bool, limited: bool) -> Vec<String> {
    let problems = [
        (head.interrupted, "it was interrupted"),
        (balances == Some(false), "its books do not balance"),
        (!converged, "a search of it did not converge"),
        (
            limited || head.tester_limited,
            "the generator was its limit",
        ),
    ];
    let those = problems.into_iter().filter(|(is_one, _)| *is_one);
    those.map(|(_, problem)| problem.to_owned()).collect()
}

fn of_run(run: &Run) -> Result<Vec<Figure>, NotAResult> {
    let figure = |name: &str, better, unit, whole: Option<f64>, samples: Vec<f64>| {
        // There is no ratio to nothing.
        let whole = whole.filter(|value| *value > 0.0)?;
        let samples = if samples.is_empty() {
            vec![whole]
        } else {
            samples
        };
        Some(Figure {
            name: name.to_owned(),
            better,
            unit,
            whole,
            samples,
        })
    };
    let (rate, pps) = match (&run.egress, run.forwarded_pps) {
        (None, _) => ("delivered_pps", run.delivered_pps),
        (Some(_), Some(pps)) => ("forwarded_pps", pps),
        (Some(_), None) => {
            let why = "forwarded_pps: missing, of a result with egress";
            return Err(NotAResult::Field(why.to_owned()));
        }
    };
    let of_intervals = |of: fn(&Interval) -> Option<f64>| run.intervals.iter().filter_map(of);
    let figures = [
        figure(
            rate,
            Better::Higher,
            "pps",
            Some(pps),
            interval_rates(&run.intervals),
        ),
        figure(
            "ns_per_packet",
            Better::Lower,
            "ns",
            run.ns_per_packet,
            Vec::new(),
        ),
        figure(
            "latency p50",
            Better::Lower,
            "ns",
            run.latency_ns.p50,
            of_intervals(|it| it.p50_ns).collect(),
        ),
        figure(
            "latency p99",
            Better::Lower,
            "ns",
            run.latency_ns.p99,
            of_intervals(|it| it.p99_ns).collect(),
        ),
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// The rate in each interval of the window, those in which nothing came among them: somebody stood still then. Not in
/// the last one if it is but a rest. None at all if nothing came in half of them, as between long bursts: then there is
/// no median to make a ratio of, and the whole stands for them.
fn interval_rates(intervals: &[Interval]) -> Vec<f64> {
    const REST_MS: f64 = 50.0;
    let mut before = 0.0;
    let rates: Vec<f64> = intervals
        .iter()
        .filter_map(|interval| {
            let ms = interval.at_ms - std::mem::replace(&mut before, interval.at_ms);
            let received = interval.received? as f64;
            (ms >= REST_MS).then(|| received / ms * 1e3)
        })
        .collect();
    let idle = rates.iter().filter(|rate| **rate <= 0.0).count();
    if 2 * idle < rates.len() {
        rates
    } else {
        Vec::new()
    }
}

fn of_search(search: &Search) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (size, goal) in search.goals() {
        let repeats = goal.repeats.iter();
        let samples: Vec<f64> = repeats
            .filter_map(|it| it.conditional_throughput_pps.or(it.lower.load_pps))
            .filter(|pps| *pps > 0.0)
            .collect();
        let whole = goal.conditional_throughput_pps.or(goal.known_lower_pps);
        if let (Some(whole), false) = (whole, samples.is_empty()) {
            figures.push(Figure {
                name: format!("{} of {size}", goal.name),
                better: Better::Higher,
                unit: "pps",
                whole,
                samples,
            });
        }
    }
    figures
}
