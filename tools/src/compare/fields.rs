//! What of a result is compared, as files have it: what is something else than it has to be is an error, and nothing is
//! left out for it.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::figures::{Interval, figure, figure_if_any, intervals, or_default};

/// What results of all verbs have.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Head {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) versions: Versions,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) machine: Map<String, Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) flags: Map<String, Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) derived: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) interrupted: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tester_limited: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Versions {
    #[serde(default)]
    pub(super) profile: Option<String>,
}

/// A result of `bench` or `replay`.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    #[serde(deserialize_with = "figure")]
    pub(super) delivered_pps: f64,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) forwarded_pps: Option<f64>,
    /// Not there where nothing is forwarded.
    #[serde(default)]
    pub(super) egress: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) ns_per_packet: Option<f64>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) latency_ns: Latency,
    #[serde(default, deserialize_with = "intervals")]
    pub(super) intervals: Vec<Interval>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) accounting: Accounting,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) generator: Generator,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Latency {
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) p50: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) p99: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Accounting {
    #[serde(default)]
    pub(super) holds: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Generator {
    #[serde(default)]
    pub(super) limit: Option<String>,
}

/// A result of `search`.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    pub(super) accounting_holds: Option<bool>,
    pub(super) sizes: Vec<Size>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Size {
    pub(super) frame_size: String,
    pub(super) goals: Vec<Goal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Goal {
    pub(super) name: String,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) conditional_throughput_pps: Option<f64>,
    /// Of a search that did not converge: what is known by then, for who reads it.
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) known_lower_pps: Option<f64>,
    #[serde(default)]
    pub(super) irregular_because: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) repeats: Vec<Repeat>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repeat {
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) conditional_throughput_pps: Option<f64>,
    /// What is known, likewise.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) lower: Bound,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Bound {
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(super) load_pps: Option<f64>,
}

impl Search {
    /// The goals, with the sizes that they are of.
    pub(super) fn goals(&self) -> impl Iterator<Item = (&str, &Goal)> {
        let sizes = self.sizes.iter();
        sizes.flat_map(|size| size.goals.iter().map(|goal| (&*size.frame_size, goal)))
    }

    /// Whether some goal ended so.
    pub(super) fn has_ended(&self, because: &str) -> bool {
        self.goals()
            .any(|(_, goal)| goal.irregular_because.as_deref() == Some(because))
    }
}
