//! Results, as files have them.

mod profile;
mod read;
mod run;
mod search;
mod source;

pub(super) use profile::{Difference, Profile};
pub(super) use read::{read_svg, svg_height};
pub(super) use run::{Percentiles, Run, Slo, Stream};
pub(super) use search::{Goal, Search, SizeResult};

pub use read::BadResult;
pub use source::Source;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::figures::or_default;

/// All that a page is made of, in the order of the command line. Every result has a name.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    pub(super) runs: Vec<Named<Run>>,
    pub(super) searches: Vec<Named<Search>>,
    pub(super) profiles: Vec<Named<Profile>>,
}

/// A result, its name and its file.
#[derive(Debug)]
pub(super) struct Named<T> {
    /// No other's.
    pub(super) name: String,
    /// The name that was given, if one was: results with the same one are repetitions.
    pub(super) group: Option<String>,
    pub(super) file: String,
    pub(super) result: T,
}

impl<T> Named<T> {
    fn new(name: String, group: Option<String>, file: String, result: T) -> Self {
        Self {
            name,
            group,
            file,
            result,
        }
    }
}

/// What every result has.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Head {
    pub(super) versions: Versions,
    pub(super) machine: Machine,
    #[serde(default)]
    pub(super) seed: Option<u64>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) flags: BTreeMap<String, serde_json::Value>,
    /// Flags that nobody said and that follow from others.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) derived: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) conditions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) interrupted: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) warnings: Vec<String>,
    #[serde(default)]
    pub(super) tester_limited: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Versions {
    pub(super) corelane: String,
    pub(super) profile: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: u64,
    pub(super) os: String,
    pub(super) kernel: String,
    pub(super) arch: String,
}

impl Head {
    /// Whether a flag follows from others.
    pub(super) fn is_derived(&self, name: &str) -> bool {
        self.derived.iter().any(|derived| derived == name)
    }
}

impl Machine {
    pub(super) fn describe(&self) -> String {
        let plural = if self.cores == 1 { "" } else { "s" };
        format!(
            "{}, {} core{plural}, {} {} {}",
            self.cpu, self.cores, self.os, self.kernel, self.arch
        )
    }
}

impl Versions {
    pub(super) fn describe(&self) -> String {
        format!("corelane {} ({} build)", self.corelane, self.profile)
    }
}

impl Inputs {
    /// How many results there are.
    pub(super) fn count(&self) -> usize {
        self.runs.len() + self.searches.len() + self.profiles.len()
    }

    /// The heads of all results, with their names.
    pub(super) fn heads(&self) -> Vec<(&str, &Head)> {
        let runs = self.runs.iter().map(|run| (&*run.name, &run.result.head));
        let searches = self
            .searches
            .iter()
            .map(|search| (&*search.name, &search.result.head));
        let profiles = self
            .profiles
            .iter()
            .map(|profile| (&*profile.name, &profile.result.bench.head));
        runs.chain(searches).chain(profiles).collect()
    }

    /// What results these are.
    pub(super) fn title(&self) -> String {
        let counted = [
            (self.runs.len(), "run", "runs"),
            (self.searches.len(), "search", "searches"),
            (self.profiles.len(), "profile", "profiles"),
        ];
        let parts: Vec<_> = counted
            .into_iter()
            .filter(|(n, ..)| *n > 0)
            .map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many }))
            .collect();
        parts.join(", ")
    }

    /// Of what and where.
    pub(super) fn subtitle(&self) -> String {
        let mut all: Vec<String> = self
            .heads()
            .into_iter()
            .map(|(_, head)| {
                format!(
                    "{} on {}",
                    head.versions.describe(),
                    head.machine.describe()
                )
            })
            .collect();
        all.sort();
        all.dedup();
        all.join("; ")
    }
}
