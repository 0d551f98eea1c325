//! One of two results.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

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
    /// It is none.
    pub fn of(result: &Value) -> Result<Self, NotAResult> {
        if result["schema"] != SCHEMA {
            return Err(NotAResult::Schema(result["schema"].to_string()));
        }
        let verb = result["verb"].as_str().unwrap_or_default();
        let figures = match verb {
            "bench" | "replay" => of_bench(result),
            "search" => of_search(result),
            other => return Err(NotAResult::Kind(other.to_owned())),
        };
        if figures.is_empty() {
            return Err(why_empty(result));
        }
        Ok(Self {
            verb: verb.to_owned(),
            conditions: conditions(result, verb),
            derived: derived(result),
            problems: problems(result),
            figures,
        })
    }
}

fn conditions(result: &Value, verb: &str) -> BTreeMap<String, Value> {
    let mut conditions = BTreeMap::from([
        ("verb".to_owned(), Value::from(verb)),
        ("build".to_owned(), result["versions"]["profile"].clone()),
    ]);
    for (group, prefix) in [("machine", "machine."), ("flags", "")] {
        for (name, value) in result[group].as_object().into_iter().flatten() {
            conditions.insert(format!("{prefix}{name}"), value.clone());
        }
    }
    conditions
}

fn derived(result: &Value) -> BTreeSet<String> {
    let names = result["derived"].as_array().into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// Why a result has no figure.
fn why_empty(result: &Value) -> NotAResult {
    let ended_by = |why: &str| goals(result).any(|(_, goal)| goal["irregular_because"] == why);
    if result["verb"] == "search" && result["interrupted"] == true {
        NotAResult::NoRate("was interrupted")
    } else if ended_by("not_finished") {
        NotAResult::NoRate("did not converge")
    } else if ended_by("no_lower_bound") {
        NotAResult::NoRate("found no load that meets them")
    } else {
        NotAResult::Empty
    }
}

fn problems(result: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    if result["interrupted"] == true {
        problems.push("it was interrupted".to_owned());
    }
    if result["accounting"]["holds"] == false || result["accounting_holds"] == false {
        problems.push("its books do not balance".to_owned());
    }
    let unfinished = |goal: &Value| goal["irregular_because"] == "not_finished";
    if goals(result).any(|(_, goal)| unfinished(goal)) {
        problems.push("a search of it did not converge".to_owned());
    }
    if result["tester_limited"] == true || result["generator"]["limit"] == "generator" {
        problems.push("the generator was its limit".to_owned());
    }
    problems
}

fn of_bench(result: &Value) -> Vec<Figure> {
    let forwards = result["egress"].is_object();
    let rate = if forwards {
        "forwarded_pps"
    } else {
        "delivered_pps"
    };
    let figure = |name: &str, better, unit, whole: &Value, samples: Vec<f64>| {
        let whole = whole.as_f64().filter(|value| *value > 0.0)?;
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
    let latency = &result["latency_ns"];
    let of_intervals = |name: &str| -> Vec<f64> {
        let intervals = result["intervals"].as_array().into_iter().flatten();
        intervals
            .filter_map(|interval| interval[name].as_f64())
            .collect()
    };
    [
        figure(
            rate,
            Better::Higher,
            "pps",
            &result[rate],
            interval_rates(result),
        ),
        figure(
            "ns_per_packet",
            Better::Lower,
            "ns",
            &result["ns_per_packet"],
            Vec::new(),
        ),
        figure(
            "latency p50",
            Better::Lower,
            "ns",
            &latency["p50"],
            of_intervals("p50_ns"),
        ),
        figure(
            "latency p99",
            Better::Lower,
            "ns",
            &latency["p99"],
            of_intervals("p99_ns"),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The rate in each interval of the window, those in which nothing came among them: somebody stood still then. Not in
/// the last one if it is but a rest. None at all if nothing came in half of them, as between long bursts: then there is
/// no median to make a ratio of, and the whole stands for them.
fn interval_rates(result: &Value) -> Vec<f64> {
    const REST_MS: f64 = 50.0;
    let mut before = 0.0;
    let intervals = result["intervals"].as_array().into_iter().flatten();
    let rates: Vec<f64> = intervals
        .filter_map(|interval| {
            let (at, received) = (interval["at_ms"].as_f64()?, interval["received"].as_f64()?);
            let ms = at - std::mem::replace(&mut before, at);
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

fn of_search(result: &Value) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (size, goal) in goals(result) {
        let (Some(size), Some(name)) = (size["frame_size"].as_str(), goal["name"].as_str()) else {
            continue;
        };
        let repeats = goal["repeats"].as_array().into_iter().flatten();
        // Of a search that did not converge: what is known by then, for who reads it.
        let found = |conditional: &Value, known: &Value| conditional.as_f64().or(known.as_f64());
        let samples: Vec<f64> = repeats
            .filter_map(|it| found(&it["conditional_throughput_pps"], &it["lower"]["load_pps"]))
            .filter(|pps| *pps > 0.0)
            .collect();
        let whole = found(
            &goal["conditional_throughput_pps"],
            &goal["known_lower_pps"],
        );
        if let (Some(whole), false) = (whole, samples.is_empty()) {
            figures.push(Figure {
                name: format!("{name} of {size}"),
                better: Better::Higher,
                unit: "pps",
                whole,
                samples,
            });
        }
    }
    figures
}

/// The goals of a search, with the sizes that they are of; of other results none.
fn goals(result: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let sizes = result["sizes"].as_array().into_iter().flatten();
    sizes.flat_map(move |size| {
        let goals = size["goals"].as_array().into_iter().flatten();
        goals.map(move |goal| (size, goal))
    })
}
