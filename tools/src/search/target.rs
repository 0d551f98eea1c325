//! From coarse to fine: the steps to a goal.

use std::time::Duration;

use super::goal::Goal;

/// What a load is classified by: a goal, or a coarser step on the way to it, with shorter trials, a
/// shorter sum and a wider interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) loss_ratio: f64,
    pub(super) exceed_ratio: f64,
    /// Of its trials: longer ones are full-length as well.
    pub(super) trial: Duration,
    pub(super) duration_sum: Duration,
    /// The width as a difference of logarithms: loads are compared by ratio.
    pub(super) log_width: f64,
}

impl Target {
    /// The goal itself.
    pub(super) fn last(goal: &Goal) -> Self {
        Self {
            loss_ratio: goal.loss_ratio,
            exceed_ratio: goal.exceed_ratio,
            trial: goal.final_trial,
            duration_sum: goal.duration_sum,
            log_width: -(1.0 - goal.width).ln(),
        }
    }

    /// The steps to the goal, the goal last. The sum of durations falls by about 4 from step to step
    /// backwards, to one initial trial at the first; the width doubles.
    pub(super) fn chain(goal: &Goal) -> Vec<Self> {
        let last = Self::last(goal);
        let ratio = last.duration_sum.as_secs_f64() / goal.initial_trial.as_secs_f64();
        let steps = ratio.log(4.0).round().clamp(0.0, 8.0) as i32;
        let mut chain: Vec<Self> = (1..=steps)
            .rev()
            .map(|back| {
                let part = ratio.powf(-f64::from(back) / f64::from(steps));
                let duration_sum = if back == steps {
                    goal.initial_trial
                } else {
                    last.duration_sum.mul_f64(part)
                };
                Self {
                    trial: last.trial.min(duration_sum),
                    duration_sum,
                    log_width: last.log_width * 2f64.powi(back),
                    ..last
                }
            })
            .collect();
        chain.push(last);
        chain
    }
}
