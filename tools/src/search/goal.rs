//! What a search looks for.

use std::time::Duration;

use serde::Serialize;

/// A search goal (RFC 9971): which share of frames may be lost, how often more of them, how long it
/// is measured, and how exact the answer has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What it is called in a report.
    pub name: String,
    /// Goal Loss Ratio: a trial that loses a larger share of its frames is a high-loss trial. From 0
    /// to less than 1.
    pub loss_ratio: f64,
    /// Goal Exceed Ratio: the share of the time measured at a load in which trials may be high-loss.
    /// From 0 to less than 1.
    pub exceed_ratio: f64,
    /// Goal Initial Trial Duration: of the first, coarse trials.
    pub initial_trial: Duration,
    /// Goal Final Trial Duration: of the trials that decide; shorter ones count less.
    pub final_trial: Duration,
    /// Goal Duration Sum: so much time of full-length trials decides about a load.
    pub duration_sum: Duration,
    /// Goal Width: the bounds are close enough when their difference, relative to the upper one, is not
    /// larger. More than 0, less than 1.
    pub width: f64,
}

/// Why a goal is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoalError {
    /// Loss ratio out of range.
    #[error("the loss ratio is from 0 to less than 1")]
    LossRatio,
    /// Exceed ratio out of range.
    #[error("the exceed ratio is from 0 to less than 1")]
    ExceedRatio,
    /// Width out of range.
    #[error("the width is more than 0 and less than 1")]
    Width,
    /// A duration is zero, or they are in no order.
    #[error(
        "trials last longer than nothing, the initial no longer than the final, the final no longer than the sum"
    )]
    Durations,
}

impl Goal {
    /// The NDR (non-drop rate): nothing lost in half the trials at least, as FD.io CSIT defines it. The
    /// width is half a percent; trials are of `trial`, 21 of them decide.
    pub fn ndr(trial: Duration) -> Self {
        Self {
            name: "NDR".to_owned(),
            loss_ratio: 0.0,
            exceed_ratio: 0.5,
            initial_trial: trial,
            final_trial: trial,
            duration_sum: trial * 21,
            width: 0.005,
        }
    }

    /// The PDR (partial drop rate): as [`Goal::ndr`], but half a percent may be lost.
    pub fn pdr(trial: Duration) -> Self {
        Self {
            name: "PDR".to_owned(),
            loss_ratio: 0.005,
            ..Self::ndr(trial)
        }
    }

    /// The throughput of RFC 2544, sections 24 and 26.1: nothing lost in one trial of `trial` (60 s by
    /// the letter). Trials before the last ones may be shorter.
    pub fn throughput(trial: Duration) -> Self {
        Self {
            name: "throughput".to_owned(),
            exceed_ratio: 0.0,
            initial_trial: trial.min(Duration::from_secs(1)),
            duration_sum: trial,
            ..Self::ndr(trial)
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// What is out of range.
    pub fn check(&self) -> Result<(), GoalError> {
        let share = |ratio: f64| (0.0..1.0).contains(&ratio);
        if !share(self.loss_ratio) {
            return Err(GoalError::LossRatio);
        }
        if !share(self.exceed_ratio) {
            return Err(GoalError::ExceedRatio);
        }
        if !share(self.width) || self.width <= 0.0 {
            return Err(GoalError::Width);
        }
        if self.initial_trial.is_zero()
            || self.initial_trial > self.final_trial
            || self.final_trial > self.duration_sum
        {
            return Err(GoalError::Durations);
        }
        Ok(())
    }

    /// About how long a search for such goals takes where no trial contradicts another, of sending alone: what
    /// decides about a lower and an upper bound of each, and the coarse steps there.
    pub fn expectation(goals: &[Self]) -> Duration {
        Self::time(goals, 1, 10)
    }

    /// How long a search for such goals may take where nothing else is said: three times what decides, and four
    /// times what coarse steps take.
    pub fn patience(goals: &[Self]) -> Duration {
        Self::time(goals, 3, 40)
    }

    /// Of deciding so many times about a lower and an upper bound for each goal, and so many coarse trials.
    fn time(goals: &[Self], decisions: u32, coarse: u32) -> Duration {
        let decisive = |goal: &Self| {
            let missed = goal.duration_sum.mul_f64(goal.exceed_ratio);
            goal.duration_sum - missed + missed.max(goal.final_trial)
        };
        let initial = goals.iter().map(|goal| goal.initial_trial).max();
        decisions * goals.iter().map(decisive).sum::<Duration>()
            + coarse * initial.unwrap_or_default()
    }

    /// The attributes as they are reported, in seconds and shares.
    pub fn attributes(&self) -> Attributes {
        Attributes {
            name: self.name.clone(),
            loss_ratio: self.loss_ratio,
            exceed_ratio: self.exceed_ratio,
            initial_trial_s: self.initial_trial.as_secs_f64(),
            final_trial_s: self.final_trial.as_secs_f64(),
            duration_sum_s: self.duration_sum.as_secs_f64(),
            width: self.width,
        }
    }
}

/// What a report says of a goal.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Goal`")]
pub struct Attributes {
    pub name: String,
    pub loss_ratio: f64,
    pub exceed_ratio: f64,
    pub initial_trial_s: f64,
    pub final_trial_s: f64,
    pub duration_sum_s: f64,
    pub width: f64,
}
