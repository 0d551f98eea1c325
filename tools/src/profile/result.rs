//! A profile: what was sampled, and of what run.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::difference::Difference;
use super::figures::{GroupFigures, Load, StageFigures, figures};
use super::folded::Folded;
use super::sampler::{Sampled, SamplerShare};
use super::text;
use crate::machine::{Machine, Versions};
use crate::report::{Report, SCHEMA};
use crate::threads::{Group, OnCore};

/// The result of `profile`; as JSON its fields are those of [the module](super).
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `profile`")]
pub struct Profile {
    pub schema: u32,
    pub kind: &'static str,
    pub versions: Versions,
    pub machine: Machine,
    pub warnings: Vec<String>,
    pub sampler: SamplerShare,
    pub samples: u64,
    pub lost: Option<u64>,
    pub threads: Vec<GroupFigures>,
    pub stages: Vec<StageFigures>,
    pub difference: Option<Difference>,
    pub folded: String,
    pub flamegraph: String,
    pub difference_flamegraph: Option<String>,
    pub bench: Report,
}

/// Files that a profile is written to.
#[derive(Clone, Debug)]
pub struct Files {
    /// Folded stacks.
    pub folded: PathBuf,
    /// The flame graph.
    pub flamegraph: PathBuf,
    /// That of the difference to an earlier profile.
    pub difference: Option<PathBuf>,
}

/// Samples that tell shares apart: the error of a tenth is a tenth of it.
const ENOUGH: u64 = 1000;

impl Profile {
    /// Puts one together. `before` is an earlier profile, with its name.
    pub(crate) fn new(
        sampled: &Sampled,
        on_core: impl Fn(Group) -> OnCore,
        bench: Report,
        before: Option<(String, &Folded)>,
        files: &Files,
        notes: Vec<String>,
    ) -> Self {
        // JSON has no room for a name that is no text.
        let name = |file: &Path| file.display().to_string();
        let samples = sampled.folded.samples();
        let (threads, stages) = figures(&sampled.folded, &Load::of(&bench), on_core);
        let mut warnings = notes;
        warnings.extend(bench.warnings.iter().cloned());
        if samples < ENOUGH {
            warnings.push(format!(
                "{samples} samples are few: --duration or --frequency gets more"
            ));
        }
        if let Some(lost @ 1..) = sampled.lost {
            warnings.push(format!(
                "{lost} samples were lost: a lower --frequency loses fewer"
            ));
        }
        Self {
            schema: SCHEMA,
            kind: "profile",
            versions: bench.versions.clone(),
            machine: bench.machine.clone(),
            warnings,
            sampler: sampled.sampler.clone(),
            samples,
            lost: sampled.lost,
            threads,
            stages,
            difference: before
                .map(|(against, before)| Difference::new(against, before, &sampled.folded)),
            folded: name(&files.folded),
            flamegraph: name(&files.flamegraph),
            difference_flamegraph: files.difference.as_deref().map(name),
            bench,
        }
    }

    /// As JSON, without the end of a line.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people: the table of stages.
    pub fn text(&self) -> String {
        text::write(self)
    }
}
