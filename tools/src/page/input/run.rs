//! A result of `bench` or `replay`; [`schema`](crate::report::schema) says what its fields are.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Head;
use crate::figures::{
    Interval, figure, figure_if_any, figures_by_name, intervals, or_default, share,
};
use crate::report::condition;

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Run {
    /// Read on its own: what is read into both at once has no place in an error.
    #[serde(skip)]
    pub(in crate::page) head: Head,
    pub(in crate::page) verb: String,
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) window_s: f64,
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) offered_pps: f64,
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) achieved_pps: f64,
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) delivered_pps: f64,
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) forwarded_pps: f64,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) ns_per_packet: Option<f64>,
    pub(in crate::page) sent: u64,
    pub(in crate::page) received: u64,
    pub(in crate::page) delivered: u64,
    pub(in crate::page) forwarded: u64,
    pub(in crate::page) consumed: u64,
    pub(in crate::page) drops: BTreeMap<String, u64>,
    pub(in crate::page) workers: Vec<Worker>,
    #[serde(default)]
    pub(in crate::page) streams: Option<Vec<Stream>>,
    #[serde(default)]
    pub(in crate::page) latency_ns: Option<Percentiles>,
    #[serde(default)]
    pub(in crate::page) latency_limited_by_generator: Option<bool>,
    pub(in crate::page) generator: Generator,
    #[serde(default, deserialize_with = "intervals")]
    pub(in crate::page) intervals: Vec<Interval>,
    #[serde(default)]
    pub(in crate::page) self_check: Option<SelfCheck>,
    #[serde(default)]
    pub(in crate::page) slo: Option<Slo>,
    pub(in crate::page) accounting: Accounting,
}

/// What the generator could do alone.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct SelfCheck {
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) ceiling_used: Option<f64>,
}

/// Targets.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Slo {
    goals: Vec<SloGoal>,
}

#[derive(Clone, Debug, Deserialize)]
struct SloGoal {
    goal: String,
    met: bool,
}

impl Slo {
    /// Those that are not met, as they were asked for.
    pub(in crate::page) fn unmet(&self) -> impl Iterator<Item = &str> {
        let unmet = self.goals.iter().filter(|goal| !goal.met);
        unmet.map(|goal| goal.goal.as_str())
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Worker {
    pub(in crate::page) id: u64,
    #[serde(default)]
    pub(in crate::page) core: Option<u64>,
    pub(in crate::page) packets: u64,
    #[serde(deserialize_with = "share")]
    pub(in crate::page) busy_ratio: f64,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) ns_per_packet: Option<f64>,
}

/// A stream of a profile.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Stream {
    pub(in crate::page) name: String,
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) planned_pps: f64,
    pub(in crate::page) sent: u64,
    pub(in crate::page) order: StreamOrder,
    #[serde(default)]
    pub(in crate::page) latency_ns: Option<Percentiles>,
}

/// What was found of those of its frames that have numbers.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct StreamOrder {
    pub(in crate::page) numbered: u64,
    pub(in crate::page) missing: u64,
    pub(in crate::page) in_order: u64,
    pub(in crate::page) reordered: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Generator {
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) planned_pps: Option<f64>,
    pub(in crate::page) intended: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) unsent: BTreeMap<String, u64>,
    pub(in crate::page) drops: BTreeMap<String, u64>,
    pub(in crate::page) limit: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Accounting {
    pub(in crate::page) holds: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) identities: Vec<Identity>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Identity {
    pub(in crate::page) claim: String,
    pub(in crate::page) left: u64,
    pub(in crate::page) right: u64,
    pub(in crate::page) holds: bool,
}

/// Nanoseconds by percentile, and `max` and `count`; one that there were too few frames for is null or not there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(in crate::page) struct Percentiles(
    #[serde(deserialize_with = "figures_by_name")] BTreeMap<String, Option<f64>>,
);

impl Percentiles {
    /// The nanoseconds that so many percent of the frames took at most, from the smallest.
    pub(in crate::page) fn points(&self) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = self
            .0
            .iter()
            .filter_map(|(name, ns)| {
                let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
                (0.0..100.0).contains(&percent).then_some((percent, (*ns)?))
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    }

    /// The value of this name: `p99.9`, `max`.
    pub(in crate::page) fn get(&self, name: &str) -> Option<f64> {
        *self.0.get(name)?
    }
}

impl Run {
    /// Frames per second that arrived where they were to.
    pub(in crate::page) fn rate(&self) -> f64 {
        self.delivered_pps + self.forwarded_pps
    }

    /// Frames that were intended and did not arrive or were not dealt with, as a share.
    pub(in crate::page) fn loss(&self) -> f64 {
        let arrived = self.delivered as f64 + self.forwarded as f64 + self.consumed as f64;
        if self.generator.intended == 0 {
            return 0.0;
        }
        (1.0 - arrived / self.generator.intended as f64).clamp(0.0, 1.0)
    }

    /// What became of the frames that did not arrive: reason and count, those that are not 0.
    pub(in crate::page) fn losses(&self) -> Vec<(String, u64)> {
        let of = |kind: &str, from: &BTreeMap<String, u64>| -> Vec<(String, u64)> {
            from.iter()
                .filter(|(_, count)| **count > 0)
                .map(|(reason, count)| (format!("{kind}{reason}"), *count))
                .collect()
        };
        [
            of("not sent: ", &self.generator.unsent),
            of("before the NIC: ", &self.generator.drops),
            of("", &self.drops),
        ]
        .concat()
    }

    /// What kind of result it is: those of another kind have other options.
    pub(in crate::page) fn kind(&self) -> String {
        let is_on_links = self.flag("tx").or(self.flag("link")).is_some();
        let links = if is_on_links { " on real links" } else { "" };
        format!("{}{links}", self.verb)
    }

    /// An option, in words; none if it was not in effect.
    pub(in crate::page) fn flag(&self, name: &str) -> Option<String> {
        self.head.flags.get(name).and_then(condition)
    }
}
