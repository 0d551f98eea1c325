//! The search: trials, until every goal is reached.

use std::time::Duration;

use super::classify::{conditional_throughput, counted};
use super::evidence::{Evidence, Side};
use super::goal::{Goal, GoalError};
use super::pursuit::{Pursuit, is_narrow, scaled};
use super::record::{Bounds, Record};
use super::target::Target;
use super::trial::{Load, Measurer, Trial, TrialInput};

/// Where a search may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The smallest load that is tried, more than 0.
    pub min_load: Load,
    /// The largest, more than the smallest.
    pub max_load: Load,
    /// How long a trial at the largest load comes first, whose result is ignored.
    pub warmup: Option<Duration>,
    /// How long the search may take, by the measurer's clock: when it is over, or the next trial would not
    /// fit, the search ends, its goals reached or not. The first trials are done in any case.
    pub max_time: Duration,
    /// Whether the whole search ends when a goal is missed at the smallest load.
    pub fail_fast: bool,
}

/// Why there was no search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError<E> {
    /// There is a goal that is none.
    #[error(transparent)]
    Goal(GoalError),
    /// There is no goal.
    #[error("there is no goal")]
    NoGoal,
    /// The loads are in no order.
    #[error("loads go from more than 0 to more than the least")]
    Limits,
    /// A trial could not be performed.
    #[error(transparent)]
    Measurer(E),
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was left to measure.
    Done,
    /// A goal was missed at the smallest load, and the search was to end then.
    FailedFast,
    /// Its time was up.
    TimeUp,
    /// Somebody wanted it to end.
    Stopped,
}

/// Why a result is irregular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Irregular {
    /// The largest load is a lower bound: the system can do more than was offered.
    NoUpperBound,
    /// The smallest load is an upper bound: the system cannot do what was asked at any load offered.
    NoLowerBound,
    /// The search ended before the bounds were close enough.
    NotFinished,
}

/// What a search found for one goal.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalResult {
    /// The goal.
    pub goal: Goal,
    /// The Relevant Lower Bound, in frames per second; without an upper bound, the largest load that
    /// upheld the goal.
    pub lower: Option<Load>,
    /// The Relevant Upper Bound.
    pub upper: Option<Load>,
    /// The Conditional Throughput at the lower bound, in frames per second.
    pub conditional_throughput: Option<f64>,
    /// The bounds that are known, with what speaks for them: those above; where one of them is missing because
    /// the search ended before, that of the finest of the coarser steps that has one and does not contradict.
    pub known: [Option<Evidence>; 2],
    /// What keeps it from being a regular result.
    pub irregular: Option<Irregular>,
    /// Whether the upper bound says something about the tester rather than about the system: most of
    /// the time in which too much was lost there was in trials that are not valid.
    pub tester_limited: bool,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// For each goal, in their order.
    pub goals: Vec<GoalResult>,
    /// Every trial that counted, the first one first.
    pub trials: Vec<Trial>,
    /// How it ended.
    pub ended: Ended,
    /// How long it took, by the measurer's clock.
    pub elapsed: Duration,
}

/// Searches for all goals at once: a trial counts for each of them.
///
/// The load with the smallest figure is measured first, of what the goals ask for: what is found there
/// can upset what is found above it, not the other way round. But each goal has its share of the time, so
/// that one which does not come to an end leaves some to the others.
///
/// # Errors
/// What was asked for is no search, or a trial could not be performed.
pub fn search<M: Measurer>(
    goals: &[Goal],
    limits: &Limits,
    measurer: &mut M,
) -> Result<Found, SearchError<M::Error>> {
    if goals.is_empty() {
        return Err(SearchError::NoGoal);
    }
    for goal in goals {
        goal.check().map_err(SearchError::Goal)?;
    }
    if limits.min_load == 0 || limits.min_load >= limits.max_load {
        return Err(SearchError::Limits);
    }
    let started = measurer.elapsed();
    let mut run = Run {
        goals,
        limits,
        measurer,
        record: Record::default(),
        started,
    };
    let (ended, reached) = run.all()?;
    let elapsed = run.elapsed();
    let record = run.record;
    let goals = goals
        .iter()
        .zip(reached)
        .map(|(goal, reached)| GoalResult::new(goal, &record, reached))
        .collect();
    Ok(Found {
        goals,
        trials: record.into_trials(),
        ended,
        elapsed,
    })
}

struct Run<'a, M> {
    goals: &'a [Goal],
    limits: &'a Limits,
    measurer: &'a mut M,
    record: Record,
    started: Duration,
}

impl<M: Measurer> Run<'_, M> {
    /// Measures to the end. The flags say which goals were reached.
    fn all(&mut self) -> Result<(Ended, Vec<bool>), SearchError<M::Error>> {
        let none = vec![false; self.goals.len()];
        if let Some(duration) = self.limits.warmup {
            let load = self.limits.max_load;
            if self.perform(TrialInput { load, duration })?.is_none() {
                return Ok((Ended::Stopped, none));
            }
        }
        let Some(hint) = self.first_trials()? else {
            return Ok((Ended::Stopped, none));
        };
        let mut pursuits: Vec<Pursuit> = self
            .goals
            .iter()
            .map(|goal| Pursuit::new(goal, hint))
            .collect();
        // No goal takes the time of another: one that has had its share comes after those that have not.
        let share = self.limits.max_time / self.goals.len() as u32;
        let mut spent = vec![Duration::ZERO; self.goals.len()];
        let ended = loop {
            let next = pursuits
                .iter_mut()
                .zip(&mut spent)
                .filter_map(|(pursuit, spent)| {
                    Some((pursuit.next(&self.record, self.limits)?, spent))
                })
                .min_by_key(|(input, spent)| {
                    (
                        **spent >= share,
                        input.load,
                        std::cmp::Reverse(input.duration),
                    )
                });
            let Some((input, spent)) = next else {
                break Ended::Done;
            };
            *spent += input.duration;
            if self.limits.fail_fast && self.is_hopeless() {
                break Ended::FailedFast;
            }
            if self.elapsed().saturating_add(input.duration) > self.limits.max_time {
                break Ended::TimeUp;
            }
            match self.perform(input)? {
                Some(trial) => self.record.add(trial),
                None => break Ended::Stopped,
            }
        };
        let reached = pursuits.iter().map(Pursuit::is_reached).collect();
        Ok((ended, reached))
    }

    /// The largest load, then what came through of it, then what came through of that, or a little
    /// more if it all did. None if it was stopped.
    fn first_trials(&mut self) -> Result<Option<Bounds>, SearchError<M::Error>> {
        let Limits {
            min_load, max_load, ..
        } = *self.limits;
        let by = |duration: fn(&Goal) -> Duration| self.goals.iter().map(duration).max();
        let duration = by(|goal| goal.initial_trial).unwrap_or_default();
        let loss = self
            .goals
            .iter()
            .map(|goal| goal.loss_ratio)
            .fold(1.0, f64::min);
        let width = self
            .goals
            .iter()
            .filter_map(|goal| Some(Target::chain(goal).first()?.log_width))
            .fold(0.0, f64::max);
        // The load at which what came through would have met the strictest goal, were it all there is.
        let meets = |trial: &Trial| {
            let load = (trial.forwarding_rate() / (1.0 - loss)) as Load;
            load.clamp(min_load, max_load)
        };
        let mut measure = |load| {
            let trial = self.perform(TrialInput { load, duration })?;
            if let Some(trial) = trial {
                self.record.add(trial);
            }
            Ok(trial)
        };

        let Some(first) = measure(max_load)? else {
            return Ok(None);
        };
        let mut hint = Bounds {
            lower: Some(meets(&first)),
            upper: Some(max_load),
        };
        if hint.lower == hint.upper {
            hint.upper = None;
            return Ok(Some(hint));
        }
        let Some(second) = measure(meets(&first))? else {
            return Ok(None);
        };
        let (low, high) = if second.loss_ratio > loss {
            (meets(&second), second.offered_pps)
        } else {
            let above = scaled(second.offered_pps, width).max(second.offered_pps + 1);
            (second.offered_pps, above.min(max_load))
        };
        hint = Bounds {
            lower: Some(low),
            upper: (low < high).then_some(high),
        };
        let other = if low == second.offered_pps { high } else { low };
        if other != max_load && !is_narrow(low, high, 0.0) && measure(other)?.is_none() {
            return Ok(None);
        }
        Ok(Some(hint))
    }

    fn perform(&mut self, input: TrialInput) -> Result<Option<Trial>, SearchError<M::Error>> {
        self.measurer.measure(input).map_err(SearchError::Measurer)
    }

    fn elapsed(&self) -> Duration {
        self.measurer.elapsed().saturating_sub(self.started)
    }

    /// Whether a goal is missed at the smallest load.
    fn is_hopeless(&self) -> bool {
        self.goals.iter().any(|goal| {
            let bounds = self.record.bounds(&Target::last(goal));
            bounds.upper == Some(self.limits.min_load)
        })
    }
}

impl GoalResult {
    fn new(goal: &Goal, record: &Record, reached: bool) -> Self {
        let target = Target::last(goal);
        let Bounds { lower, upper } = record.bounds(&target);
        let irregular = match (lower, upper) {
            _ if !reached => Some(Irregular::NotFinished),
            (Some(_), Some(_)) => None,
            (_, None) => Some(Irregular::NoUpperBound),
            (None, _) => Some(Irregular::NoLowerBound),
        };
        let time = |is_counted: fn(&Trial) -> bool| -> Duration {
            counted(&target, upper.map_or(&[][..], |upper| record.at(upper)))
                .filter(|trial| trial.loss_ratio > goal.loss_ratio && is_counted(trial))
                .map(|trial| trial.duration)
                .sum()
        };
        Self {
            goal: goal.clone(),
            lower,
            upper,
            conditional_throughput: lower
                .map(|load| conditional_throughput(&target, load as f64, record.at(load))),
            known: known(goal, record),
            irregular,
            tester_limited: time(|trial| !trial.is_valid()) > time(Trial::is_valid),
        }
    }
}

/// The bounds by the goal itself; what is missing by the finest of the coarser steps that has it and agrees.
fn known(goal: &Goal, record: &Record) -> [Option<Evidence>; 2] {
    let mut bounds = Bounds::default();
    let mut known = [None, None];
    for target in Target::chain(goal).iter().rev() {
        let filled = record.complete(target, bounds);
        let evidence = |load: Load, side| Evidence::of(target, load, record.at(load), side);
        if bounds.lower.is_none() {
            known[0] = filled.lower.map(|load| evidence(load, Side::Lower));
        }
        if bounds.upper.is_none() {
            known[1] = filled.upper.map(|load| evidence(load, Side::Upper));
        }
        bounds = filled;
    }
    known
}
