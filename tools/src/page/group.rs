//! Runs of one name: repetitions of one measurement.

use super::input::{Inputs, Named, Run};

/// Runs that are one entry of a table: those of a name that was given, or a run of its own.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) runs: Vec<&'a Named<Run>>,
}

/// A figure of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) median: f64,
    /// The least and the most, of runs or of the parts of one; none if there is only one value.
    pub(super) spread: Option<(f64, f64)>,
    /// What the spread is of.
    pub(super) basis: Basis,
}

/// What a spread is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// Repeated runs.
    Runs(usize),
    /// The intervals of one run: how it went up and down, but not what the next run would give.
    Intervals,
    /// There is none.
    Nothing,
}

/// Whether two figures differ by more than they spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Their ranges have nothing in common.
    Beyond,
    /// They have.
    Within,
    /// One of them has no spread.
    Unknown,
}

/// The groups, in the order of their first run.
pub(super) fn groups(inputs: &Inputs) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in &inputs.runs {
        let is_same = |group: &&mut Group<'_>| {
            let first = group.runs.first().and_then(|first| first.group.as_ref());
            run.group.is_some() && first == run.group.as_ref()
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group {
                name: run.group.as_deref().unwrap_or(&run.name),
                runs: vec![run],
            }),
        }
    }
    groups
}

impl Group<'_> {
    /// A figure that each run has, with its spread: of the runs, or of the intervals of a single one if `parts` has them.
    pub(super) fn figure(
        &self,
        of: impl Fn(&Run) -> Option<f64>,
        parts: impl Fn(&Run) -> Vec<f64>,
    ) -> Option<Figure> {
        let values: Vec<f64> = self.runs.iter().filter_map(|run| of(&run.result)).collect();
        let median = median(&values)?;
        let parts = match self.runs.as_slice() {
            [one] => parts(&one.result),
            _ => Vec::new(),
        };
        let (spread, basis) = if values.len() > 1 {
            (range(&values), Basis::Runs(values.len()))
        } else if parts.len() > 2 {
            (range(&parts), Basis::Intervals)
        } else {
            (None, Basis::Nothing)
        };
        Some(Figure {
            median,
            spread,
            basis,
        })
    }
}

impl Figure {
    /// Whether it differs from `other` by more than either spreads.
    pub(super) fn against(&self, other: &Self) -> Verdict {
        match (self.spread, other.spread) {
            (Some((low, high)), Some((other_low, other_high))) => {
                if high < other_low || other_high < low {
                    Verdict::Beyond
                } else {
                    Verdict::Within
                }
            }
            _ => Verdict::Unknown,
        }
    }
}

/// The end of each interval of a run, in seconds, and frames received per second in it. Not of one that is much
/// shorter than the first: the last may be the rest of the window.
pub(super) fn interval_rates(run: &Run) -> Vec<(f64, f64)> {
    let mut began = 0.0;
    let mut first = None;
    let mut rates = Vec::new();
    for interval in &run.intervals {
        let ms = interval.at_ms - began;
        began = interval.at_ms;
        let usual = *first.get_or_insert(ms);
        if let Some(received) = interval.received
            && ms > 0.5 * usual
            && ms > 0.0
        {
            rates.push((interval.at_ms / 1e3, received as f64 / ms * 1e3));
        }
    }
    rates
}

pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let high = *sorted.get(sorted.len() / 2)?;
    let low = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(low, high))
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    Some((least, values.iter().copied().reduce(f64::max)?))
}
