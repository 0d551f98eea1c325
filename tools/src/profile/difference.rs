//! Two profiles, stage by stage.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::by_stage;
use super::folded::Folded;
use crate::report::per;
use crate::threads::Group;

/// What is another since an earlier profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The earlier profile's file.
    pub against: String,
    /// The stages, the greatest change first.
    pub stages: Vec<StageDifference>,
}

/// A stage's share of the samples of its group, before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageDifference {
    /// Whose threads.
    pub group: &'static str,
    /// The stage.
    pub stage: String,
    /// None if the earlier profile has no samples of the group.
    pub before: Option<f64>,
    /// None if this one has none.
    pub after: Option<f64>,
}

impl StageDifference {
    fn change(&self) -> f64 {
        (self.after.unwrap_or(0.0) - self.before.unwrap_or(0.0)).abs()
    }
}

impl Difference {
    /// That of two profiles.
    pub fn new(against: String, before: &Folded, after: &Folded) -> Self {
        let (before, after) = (by_stage(before), by_stage(after));
        let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let mut stages: Vec<_> = all
            .into_iter()
            .map(|(group, stage)| StageDifference {
                group: group.name(),
                stage: stage.clone(),
                before: share(&before, *group, stage),
                after: share(&after, *group, stage),
            })
            .collect();
        stages.sort_by(|a, b| b.change().total_cmp(&a.change()));
        Self { against, stages }
    }
}

fn share(stages: &BTreeMap<(Group, String), u64>, group: Group, stage: &str) -> Option<f64> {
    let of_group = stages.iter().filter(|((of, _), _)| *of == group);
    let samples = stages.get(&(group, stage.to_owned())).copied();
    per(
        samples.unwrap_or(0),
        of_group.map(|(_, samples)| samples).sum(),
    )
}
