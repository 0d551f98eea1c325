//! How sure a bound is.

use serde::Serialize;

use super::classify::counted;
use super::target::Target;
use super::trial::{Load, Trial};

/// What trials say about a load: the ground on which it is a bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The load, in frames per second.
    #[serde(rename = "load_pps")]
    pub load: Load,
    /// Full-length trials that counted.
    pub trials: usize,
    /// Of these, the ones that lost no larger share than the goal allows.
    pub met: usize,
    /// Trials with a loss that something else than the system may have caused: they were done again.
    pub set_aside: usize,
    /// The probability that the load is the bound that it is taken for, after these trials; none where no
    /// trial may miss the goal, because then one alone decides.
    pub confidence: Option<f64>,
}

/// Which bound a load is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Lower,
    Upper,
}

impl Evidence {
    /// For a load to be such a bound of a target.
    pub(super) fn of(target: &Target, load: Load, at: &[Trial], side: Side) -> Self {
        let full = |trial: &&Trial| trial.duration >= target.trial;
        let all = at.iter().filter(full).count();
        let trials = counted(target, at).filter(full).count();
        let met = counted(target, at)
            .filter(full)
            .filter(|trial| trial.loss_ratio <= target.loss_ratio)
            .count();
        let holds = upheld(trials - met, met, target.exceed_ratio);
        Self {
            load,
            trials,
            met,
            set_aside: all - trials,
            confidence: match side {
                _ if target.exceed_ratio <= 0.0 => None,
                Side::Lower => Some(holds),
                Side::Upper => Some(1.0 - holds),
            },
        }
    }
}

/// The probability that trials miss the goal no more often than in `exceed` of all cases, after so many have
/// missed and met it: trials independent of each other, and before them every probability as likely as any
/// other. That is the distribution function of the beta distribution with `missed + 1` and `met + 1`; for
/// whole numbers it is a sum of binomial probabilities.
fn upheld(missed: usize, met: usize, exceed: f64) -> f64 {
    let draws = missed + met + 1;
    // That of 0 misses, then each by the one before it: in logarithms, as they are small.
    let mut log = draws as f64 * (1.0 - exceed).ln();
    let step = exceed.ln() - (1.0 - exceed).ln();
    let mut below = 0.0;
    for misses in 0..=missed {
        below += log.exp();
        log += step + ((draws - misses) as f64 / (misses + 1) as f64).ln();
    }
    (1.0 - below).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beta distribution function by its density, summed up in small steps.
    fn by_integral(missed: usize, met: usize, exceed: f64) -> f64 {
        const STEPS: usize = 200_000;
        let density = |p: f64| p.powi(missed as i32) * (1.0 - p).powi(met as i32);
        let sum = |to: f64| -> f64 {
            let step = to / STEPS as f64;
            let at = |i| density((i as f64 + 0.5) * step) * step;
            (0..STEPS).map(at).sum()
        };
        sum(exceed) / sum(1.0)
    }

    #[test]
    fn the_probability_is_that_of_the_beta_distribution() {
        for (missed, met, exceed) in [
            (0, 0, 0.5),
            (0, 11, 0.5),
            (11, 0, 0.5),
            (10, 11, 0.5),
            (3, 17, 0.2),
            (1, 1, 0.9),
        ] {
            let (found, expected) = (
                upheld(missed, met, exceed),
                by_integral(missed, met, exceed),
            );
            assert!(
                (found - expected).abs() < 1e-6,
                "{missed} {met} {exceed}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn it_stays_a_probability_after_very_many_trials() {
        assert!(upheld(0, 100_000, 0.5) > 0.999_999);
        assert!(upheld(100_000, 0, 0.5) < 1e-6);
        assert!((upheld(50_000, 50_000, 0.5) - 0.5).abs() < 1e-3);
    }
}
