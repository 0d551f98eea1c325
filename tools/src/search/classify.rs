//! Is a load a lower bound? The logic of RFC 9971, appendices A and B.

use std::time::Duration;

use super::target::Target;
use super::trial::{Spoiler, Trial};

/// What the trials at one load say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The goal is upheld, whatever the trials still missing would say.
    LowerBound,
    /// The goal is missed, whatever they would say.
    UpperBound,
    /// It depends on them.
    Undecided,
}

/// The trials at one load that count: all but those that missed the target by something that is not the
/// system's, and may not be there the next time. They are done again; but where twice the time that decides has
/// been spent on such trials, and three trials at least, it is no chance, and the further ones count as they are.
/// That is for cores that were taken away. A load that the tester does not send is one that it cannot send, as
/// likely as not: three trials are enough there. Where it is chance all the same, fewer than half of them, a goal
/// that half may miss is upheld with them.
pub(super) fn counted<'a>(
    target: &'a Target,
    trials: &'a [Trial],
) -> impl Iterator<Item = &'a Trial> {
    let few = 3 * target.trial;
    let (mut for_cores, mut for_tester) = ((2 * target.duration_sum).max(few), few);
    trials.iter().filter(move |trial| {
        let left = match trial.spoiled_by {
            _ if trial.loss_ratio <= target.loss_ratio => return true,
            None => return true,
            Some(Spoiler::Tester) => &mut for_tester,
            Some(Spoiler::TesterCore | Spoiler::WorkerCore) => &mut for_cores,
        };
        let is_aside = *left >= trial.duration;
        if is_aside {
            *left -= trial.duration;
        }
        !is_aside
    })
}

/// The sums of durations that a classification is made from, to the nanosecond: so many trials of a tenth of
/// a second are so many tenths.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    full_low: Duration,
    full_high: Duration,
    short_low: Duration,
    short_high: Duration,
}

impl Sums {
    fn of(target: &Target, trials: &[Trial]) -> Self {
        let mut sums = Self::default();
        for trial in counted(target, trials) {
            let is_full = trial.duration >= target.trial;
            let is_high = trial.loss_ratio > target.loss_ratio;
            let sum = match (is_full, is_high) {
                (true, false) => &mut sums.full_low,
                (true, true) => &mut sums.full_high,
                (false, false) => &mut sums.short_low,
                (false, true) => &mut sums.short_high,
            };
            *sum += trial.duration;
        }
        sums
    }
}

impl Class {
    /// The class of a load with these trials.
    pub(super) fn of(target: &Target, trials: &[Trial]) -> Self {
        let sums = Sums::of(target, trials);
        let [full_low, full_high, short_low, short_high] = [
            sums.full_low,
            sums.full_high,
            sums.short_low,
            sums.short_high,
        ]
        .map(|sum| sum.as_secs_f64());
        let exceed = target.exceed_ratio;
        // Short trials decide nothing by being good, but good ones make up for bad ones.
        let balance = short_low * exceed / (1.0 - exceed);
        let high = full_high + (short_high - balance).max(0.0);
        let whole = (full_low + high).max(target.duration_sum.as_secs_f64());
        let tolerated = whole * exceed;
        // With all that is missing bad; with all of it good.
        let pessimistic = whole - full_low <= tolerated;
        let optimistic = high <= tolerated;
        match (pessimistic, optimistic) {
            (true, true) => Self::LowerBound,
            (false, false) => Self::UpperBound,
            _ => Self::Undecided,
        }
    }
}

/// The Conditional Throughput at a load, in frames per second: its forwarding rate in the trial that
/// stands, in the order of loss, where the exceed ratio begins; trials that are missing count as lost
/// altogether.
pub(super) fn conditional_throughput(target: &Target, load: f64, trials: &[Trial]) -> f64 {
    let mut full: Vec<&Trial> = counted(target, trials)
        .filter(|trial| trial.duration >= target.trial)
        .collect();
    full.sort_by(|a, b| a.loss_ratio.total_cmp(&b.loss_ratio));
    let measured: Duration = full.iter().map(|trial| trial.duration).sum();
    let whole = measured.max(target.duration_sum);
    let mut remaining = whole.as_secs_f64() * (1.0 - target.exceed_ratio);
    let mut loss = None;
    for trial in full {
        if loss.is_some() && remaining <= 0.0 {
            break;
        }
        loss = Some(trial.loss_ratio);
        remaining -= trial.duration.as_secs_f64();
    }
    let loss = loss.filter(|_| remaining <= 0.0).unwrap_or(1.0);
    load * (1.0 - loss)
}
