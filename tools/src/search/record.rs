//! What has been measured.

use std::collections::BTreeMap;

use super::classify::Class;
use super::target::Target;
use super::trial::{Load, Trial};

/// All trials of a search, by load and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    by_load: BTreeMap<Load, Vec<Trial>>,
    in_order: Vec<Trial>,
}

/// The relevant bounds for a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The largest lower bound below the relevant upper bound.
    pub(super) lower: Option<Load>,
    /// The smallest upper bound.
    pub(super) upper: Option<Load>,
}

impl Record {
    pub(super) fn add(&mut self, trial: Trial) {
        self.by_load
            .entry(trial.offered_pps)
            .or_default()
            .push(trial);
        self.in_order.push(trial);
    }

    /// The trials at a load.
    pub(super) fn at(&self, load: Load) -> &[Trial] {
        self.by_load.get(&load).map_or(&[], Vec::as_slice)
    }

    /// A higher load that does well where a lower one does not is a fluke: what counts is the smallest
    /// upper bound.
    pub(super) fn bounds(&self, target: &Target) -> Bounds {
        let mut bounds = Bounds::default();
        for (&load, trials) in &self.by_load {
            match Class::of(target, trials) {
                Class::LowerBound => bounds.lower = Some(load),
                Class::UpperBound => {
                    bounds.upper = Some(load);
                    break;
                }
                Class::Undecided => {}
            }
        }
        bounds
    }

    /// These bounds with what is missing of them by a target: the smallest upper bound above the lower one, the
    /// largest lower bound below the upper one.
    pub(super) fn complete(&self, target: &Target, bounds: Bounds) -> Bounds {
        let of = |class: Class| {
            let is = move |trials: &[Trial]| Class::of(target, trials) == class;
            let loads = self.by_load.iter().filter(move |(_, trials)| is(trials));
            loads.map(|(load, _)| *load)
        };
        let is_above = |load: Load| bounds.lower.is_none_or(|lower| load > lower);
        let above = of(Class::UpperBound).find(|&load| is_above(load));
        let upper = bounds.upper.or(above);
        let is_below = |load: Load| upper.is_none_or(|upper| load < upper);
        let below = of(Class::LowerBound).rev().find(|&load| is_below(load));
        let lower = bounds.lower.or(below);
        Bounds { lower, upper }
    }

    /// The trials, the first one first.
    pub(super) fn into_trials(self) -> Vec<Trial> {
        self.in_order
    }
}

impl Bounds {
    /// Whether a trial at a load could change them.
    pub(super) fn admit(&self, load: Load) -> bool {
        self.lower.is_none_or(|lower| load > lower) && self.upper.is_none_or(|upper| load < upper)
    }
}
