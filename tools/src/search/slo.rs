//! Whether what a search found reaches what was asked of it.

use super::goal::Goal;
use super::report::{GoalReport, SizeReport, UnderLoad};
use super::suite::FRACTIONS;
use crate::report::SloShare;
use crate::unit::{Metric, Slo, ValueError, nearest};

/// Checks that the rates that targets are about are of goals that are searched for.
///
/// # Errors
/// One that is not.
pub fn check_targets(slo: &Slo, goals: &[Goal]) -> Result<(), ValueError> {
    let names = || goals.iter().map(|goal| goal.name.as_str());
    for target in slo.goals() {
        let is_known = names().any(|name| name.eq_ignore_ascii_case(&target.word));
        if target.metric == Metric::Found && !is_known {
            let all: Vec<_> = names().collect();
            let meant = nearest(&target.word, names()).or(names().next());
            return Err(ValueError::new(
                &target.to_string(),
                format!(
                    "is not a target: '{}' is neither a latency nor a goal of this search ({})",
                    target.word,
                    all.join(", ")
                ),
                meant.unwrap_or("ndr"),
            ));
        }
    }
    Ok(())
}

/// Latency under the largest share of the first goal's rate; none if no rate was found.
pub fn under_most(size: &SizeReport) -> Option<&UnderLoad> {
    let is_most = |under: &&UnderLoad| FRACTIONS.last() == Some(&under.fraction);
    size.latency.iter().find(is_most)
}

/// What of its targets was reached for one size: rates as the table has them, latencies under the largest share of the
/// first goal's rate that they are measured at.
pub fn reached(slo: &Slo, size: &SizeReport) -> SloShare {
    SloShare::by(slo, |target| match target.metric {
        Metric::Latency(millionths) => {
            let latency = under_most(size)?.latency_ns.at(millionths);
            latency.map(|ns| ns as f64)
        }
        Metric::Found => {
            let mut goals = size.goals.iter();
            let goal = goals.find(|it| it.goal.name.eq_ignore_ascii_case(&target.word));
            goal.and_then(GoalReport::rate)
        }
        // Goals say what may be lost; there is no rate but theirs.
        Metric::Loss | Metric::Rate => None,
    })
}
