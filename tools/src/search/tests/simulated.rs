//! Searches on systems whose throughput is known.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::controller::{Ended, Found, GoalResult, Irregular, Limits, SearchError, search};
use super::super::goal::{Goal, GoalError};
use super::super::trial::Load;
use super::sut::Simulated;

const LIMITS: Limits = Limits {
    min_load: 9_001,
    max_load: 20_000_000,
    warmup: None,
    max_time: Duration::from_secs(10_000),
    fail_fast: false,
};

fn goals(trial: Duration) -> [Goal; 2] {
    [Goal::ndr(trial), Goal::pdr(trial)]
}

fn found(system: &mut Simulated, limits: &Limits) -> Found {
    search(&goals(Duration::from_secs(1)), limits, system).unwrap()
}

/// Bounds around the highest load at which so much is lost, no wider than the goal.
fn assert_around(found: &Found, goal: usize, truth: f64) {
    let result = &found.goals[goal];
    let (lower, upper) = (result.lower.unwrap() as f64, result.upper.unwrap() as f64);
    let name = &result.goal.name;
    // A whole frame in a trial may round either way.
    assert!(
        lower <= truth + 2.0 && truth - 2.0 <= upper,
        "{name}: {lower} to {upper}, not {truth}"
    );
    assert!(
        (upper - lower) / upper <= result.goal.width * 1.001,
        "{name}: {lower} to {upper}"
    );
    assert_eq!(result.irregular, None, "{name}");
    assert!(!result.tester_limited, "{name}");
}

#[test]
fn a_known_rate_is_found_within_the_width() {
    for capacity in [10_000.0, 123_456.0, 1e6, 8e6, 14_880_952.0, 19_500_000.0] {
        let mut system = Simulated::new(capacity);
        let found = found(&mut system, &LIMITS);
        assert_eq!(found.ended, Ended::Done);
        assert_around(&found, 0, capacity);
        assert_around(&found, 1, capacity / (1.0 - 0.005));
        for result in &found.goals {
            // Half a percent more is offered for the PDR, and comes through all the same.
            let throughput = result.conditional_throughput.unwrap();
            assert!(throughput <= capacity + 1.0 && throughput > capacity * 0.99);
        }
        assert!(found.trials.len() < 60, "{} trials", found.trials.len());
        assert_eq!(found.elapsed, system.elapsed);
    }
}

#[test]
fn a_noisy_system_reads_the_same_within_a_percent() {
    for noise in [0.005, 0.02] {
        let mut rates = [Vec::new(), Vec::new()];
        for seed in 0..50 {
            let mut system = Simulated::noisy(8e6, noise, 0.1, seed);
            let found = found(&mut system, &LIMITS);
            assert_eq!(found.ended, Ended::Done);
            for (rates, result) in rates.iter_mut().zip(&found.goals) {
                assert_eq!(result.irregular, None);
                rates.push(result.conditional_throughput.unwrap());
            }
        }
        for rates in &mut rates {
            rates.sort_by(f64::total_cmp);
            let median = rates[rates.len() / 2];
            // Half of the trials, less the tenth with a hiccup, do better than the middle of the noise.
            assert!(median < 8e6 && median > 8e6 * (1.0 - noise), "{median}");
            let within = rates
                .iter()
                .filter(|rate| (*rate / median - 1.0).abs() < 0.01)
                .count();
            assert!(
                within >= 48,
                "{within} of 50 with a noise of {noise}: {rates:?}"
            );
        }
    }
}

#[test]
fn the_first_loads_are_the_largest_and_what_came_through() {
    let mut system = Simulated::new(8e6);
    found(&mut system, &LIMITS);
    let loads: Vec<Load> = system.loads().take(3).collect();
    // All of the second came through: the third is wider by the width of the first target, a step of
    // four times the goal's.
    assert_eq!(loads[..2], [20_000_000, 8_000_000]);
    let wider = 8e6 / 0.995f64.powi(4);
    assert!((loads[2] as f64 - wider).abs() < 1.0, "{}", loads[2]);
}

#[test]
fn the_warm_up_is_ignored() {
    let warmup = Duration::from_millis(100);
    let mut system = Simulated::new(8e6);
    let found = found(
        &mut system,
        &Limits {
            warmup: Some(warmup),
            ..LIMITS
        },
    );
    assert_eq!(
        (system.inputs[0].load, system.inputs[0].duration),
        (20_000_000, warmup)
    );
    assert_eq!(found.trials.len(), system.inputs.len() - 1);
    assert_eq!(found.trials[0].duration, Duration::from_secs(1));
}

#[test]
fn a_system_that_takes_all_there_is_has_no_upper_bound() {
    let mut system = Simulated::new(30e6);
    let found = found(&mut system, &LIMITS);
    for result in &found.goals {
        assert_eq!(result.irregular, Some(Irregular::NoUpperBound));
        assert_eq!((result.lower, result.upper), (Some(20_000_000), None));
        assert_eq!(result.conditional_throughput, Some(20e6));
    }
    assert_eq!(found.ended, Ended::Done);
    assert!(system.loads().all(|load| load == 20_000_000));
}

#[test]
fn a_system_that_always_loses_has_no_lower_bound() {
    let mut system = Simulated::noisy(9_000.0, 0.001, 0.0, 1);
    let found = found(&mut system, &LIMITS);
    let ndr = &found.goals[0];
    assert_eq!(ndr.irregular, Some(Irregular::NoLowerBound));
    assert_eq!((ndr.lower, ndr.upper), (None, Some(9_001)));
    assert_eq!(ndr.conditional_throughput, None);
    assert_eq!(found.ended, Ended::Done);
    assert_eq!(found.goals[1].irregular, None);
}

#[test]
fn such_a_system_ends_the_search_of_who_wants_it_to_fail_fast() {
    let limits = Limits {
        fail_fast: true,
        ..LIMITS
    };
    let mut system = Simulated::noisy(9_000.0, 0.001, 0.0, 1);
    let found = found(&mut system, &limits);
    assert_eq!(found.ended, Ended::FailedFast);
    let patient = super::simulated::found(&mut Simulated::noisy(9_000.0, 0.001, 0.0, 1), &LIMITS);
    assert!(found.trials.len() < patient.trials.len());
}

#[test]
fn a_search_ends_when_its_time_is_up() {
    let limits = Limits {
        max_time: Duration::from_secs(10),
        ..LIMITS
    };
    let found = found(&mut Simulated::new(8e6), &limits);
    assert_eq!(found.ended, Ended::TimeUp);
    assert_eq!(found.elapsed, Duration::from_secs(10));
    assert!(
        found
            .goals
            .iter()
            .all(|goal| goal.irregular == Some(Irregular::NotFinished))
    );
}

#[test]
fn a_search_that_is_interrupted_says_what_it_has() {
    for until in 0..30 {
        let mut system = Simulated {
            until: Some(until),
            ..Simulated::new(8e6)
        };
        let found = found(&mut system, &LIMITS);
        assert_eq!(found.ended, Ended::Stopped);
        assert_eq!(found.trials.len(), until);
        assert!(
            found
                .goals
                .iter()
                .any(|goal| goal.irregular == Some(Irregular::NotFinished))
        );
    }
}

#[test]
fn a_tester_that_falls_short_is_told_from_a_system_that_does() {
    let mut system = Simulated {
        tester: 5e6,
        ..Simulated::new(8e6)
    };
    let found = found(&mut system, &LIMITS);
    for result in &found.goals {
        assert!(result.tester_limited);
        assert!(result.upper.unwrap() as f64 > 5e6 && result.lower.unwrap() as f64 <= 5.03e6);
    }
}

/// By default, too: a tester that cannot send more does not take all the time that a search may take.
#[test]
fn a_search_whose_limit_is_the_tester_ends() {
    let goals = goals(Duration::from_secs(1));
    let limits = Limits {
        max_time: Goal::patience(&goals),
        ..LIMITS
    };
    let mut system = Simulated {
        tester: 5e6,
        ..Simulated::new(8e6)
    };
    let found = search(&goals, &limits, &mut system).unwrap();
    assert_eq!(found.ended, Ended::Done);
    for result in &found.goals {
        assert_eq!(result.irregular, None);
        assert!(result.tester_limited);
    }
}

/// Cores taken away in most trials, at any load: what is set aside leaves the rate of the system, where
/// counting it would leave none.
#[test]
fn a_machine_that_is_busy_most_of_the_time_does_not_hide_the_rate() {
    for seed in 0..20 {
        let mut system = Simulated {
            stolen: 0.6,
            ..Simulated::noisy(8e6, 0.0, 0.0, seed)
        };
        let found = found(&mut system, &LIMITS);
        assert_eq!(found.ended, Ended::Done);
        assert_around(&found, 0, 8e6);
        let [lower, upper] = found.goals[0].known.map(Option::unwrap);
        assert!(lower.set_aside > 0, "{seed}");
        assert_eq!(Some(lower.load), found.goals[0].lower);
        assert_eq!(Some(upper.load), found.goals[0].upper);
        assert!(lower.confidence.unwrap() > 0.5 && upper.confidence.unwrap() > 0.5);
    }
}

/// One that is busy all the time is no chance: it limits the result, and the result says so.
#[test]
fn a_machine_that_is_always_busy_is_the_limit() {
    let mut system = Simulated {
        stolen: 1.0,
        ..Simulated::new(8e6)
    };
    let found = found(&mut system, &LIMITS);
    assert_eq!(found.ended, Ended::Done);
    for result in &found.goals {
        assert_eq!(result.irregular, Some(Irregular::NoLowerBound));
        assert!(result.tester_limited);
    }
}

#[test]
fn a_search_that_ends_early_knows_the_bounds_of_its_coarser_steps() {
    for seconds in [10, 20, 30, 40] {
        let limits = Limits {
            max_time: Duration::from_secs(seconds),
            ..LIMITS
        };
        let found = found(&mut Simulated::new(8e6), &limits);
        for result in &found.goals {
            let truth = 8e6 / (1.0 - result.goal.loss_ratio);
            let [lower, upper] = result.known.map(Option::unwrap);
            assert!(lower.load as f64 <= truth + 2.0 && truth - 2.0 <= upper.load as f64);
            assert!(lower.met == lower.trials && upper.met == 0);
            // A few percent, with trials that are few.
            assert!(upper.load as f64 / (lower.load as f64) < 1.1, "{seconds}");
        }
    }
}

/// However noisy: by default a search for the usual goals takes less than three minutes, and says something.
#[test]
fn no_search_takes_longer_than_its_patience() {
    let goals = goals(Duration::from_secs(1));
    let limits = Limits {
        max_time: Goal::patience(&goals),
        ..LIMITS
    };
    assert!(limits.max_time < Duration::from_secs(180));
    let mut unfinished = 0;
    for (noise, hiccups, stolen) in [
        (0.0, 0.0, 0.9),
        (0.9, 0.0, 0.0),
        (0.3, 0.5, 0.5),
        (0.0, 0.49, 0.0),
    ] {
        for seed in 0..20 {
            let mut system = Simulated {
                stolen,
                ..Simulated::noisy(8e6, noise, hiccups, seed)
            };
            let found = search(&goals, &limits, &mut system).unwrap();
            assert!(found.elapsed <= limits.max_time);
            unfinished += usize::from(found.ended == Ended::TimeUp);
            let is_known = |result: &GoalResult| result.known.iter().any(Option::is_some);
            assert!(found.goals.iter().all(is_known));
        }
    }
    assert!(unfinished > 0, "none of these was noisy enough");
}

#[test]
fn a_goal_that_comes_to_no_end_leaves_time_to_the_others() {
    let goals = goals(Duration::from_secs(1));
    let limits = Limits {
        max_time: Goal::patience(&goals),
        ..LIMITS
    };
    let mut unfinished = 0;
    for seed in 0..20 {
        // Nothing without loss can be found: three of four trials lose a frame in a thousand at any load.
        let mut system = Simulated {
            lossy: 0.75,
            ..Simulated::noisy(8e6, 0.0, 0.0, seed)
        };
        let found = search(&goals, &limits, &mut system).unwrap();
        unfinished += usize::from(found.ended == Ended::TimeUp);
        assert_around(&found, 1, 8e6 / (1.0 - goals[1].loss_ratio));
    }
    assert!(unfinished > 0, "all came to an end");
}

#[test]
fn full_length_trials_only_where_the_answer_is() {
    let goal = Goal::throughput(Duration::from_secs(60));
    let mut system = Simulated::new(8e6);
    let found = search(&[goal], &LIMITS, &mut system).unwrap();
    assert_around(&found, 0, 8e6);
    let long = system
        .inputs
        .iter()
        .filter(|input| input.duration.as_secs() == 60)
        .count();
    assert!((2..=5).contains(&long), "{long} of {}", system.inputs.len());
    // Without loss allowed, what is measured at the lower bound is the throughput.
    assert_eq!(
        found.goals[0].conditional_throughput,
        found.goals[0].lower.map(|load| load as f64)
    );
}

#[test]
fn what_is_no_search_is_refused() {
    let mut system = Simulated::new(8e6);
    let second = Duration::from_secs(1);
    let ndr = || Goal::ndr(second);
    let refused = [
        (
            Goal {
                loss_ratio: 1.0,
                ..ndr()
            },
            GoalError::LossRatio,
        ),
        (
            Goal {
                loss_ratio: f64::NAN,
                ..ndr()
            },
            GoalError::LossRatio,
        ),
        (
            Goal {
                exceed_ratio: -0.1,
                ..ndr()
            },
            GoalError::ExceedRatio,
        ),
        (
            Goal {
                width: 0.0,
                ..ndr()
            },
            GoalError::Width,
        ),
        (
            Goal {
                initial_trial: Duration::ZERO,
                ..ndr()
            },
            GoalError::Durations,
        ),
        (
            Goal {
                initial_trial: 2 * second,
                ..ndr()
            },
            GoalError::Durations,
        ),
        (
            Goal {
                duration_sum: second / 2,
                ..ndr()
            },
            GoalError::Durations,
        ),
    ];
    for (goal, error) in refused {
        assert_eq!(
            search(&[goal], &LIMITS, &mut system),
            Err(SearchError::Goal(error))
        );
    }
    assert_eq!(search(&[], &LIMITS, &mut system), Err(SearchError::NoGoal));
    for (min_load, max_load) in [(0, 10), (10, 10), (11, 10)] {
        let limits = Limits {
            min_load,
            max_load,
            ..LIMITS
        };
        assert_eq!(
            search(&[ndr()], &limits, &mut system),
            Err(SearchError::Limits)
        );
    }
    assert!(system.inputs.is_empty());
}

#[test]
fn small_loads_end_at_whole_frames() {
    let limits = Limits {
        min_load: 1,
        max_load: 100,
        ..LIMITS
    };
    let mut system = Simulated::new(7.0);
    let found = found(&mut system, &limits);
    assert_eq!(
        (found.goals[0].lower, found.goals[0].upper),
        (Some(7), Some(8))
    );
    assert_eq!(found.goals[0].irregular, None);
}

/// Of whatever durations, ratios and widths the goals are, and however the system is: a search ends because
/// nothing is left to measure, with a regular result or none that there could be.
#[test]
fn every_search_comes_to_an_end() {
    let mut random = SmallRng::seed_from_u64(9971);
    for case in 0..500 {
        let mut goal = || {
            let final_trial = Duration::from_secs_f64(0.001 + 9.0 * random.random::<f64>());
            Goal {
                name: String::new(),
                loss_ratio: [0.0, 0.005, 0.3][random.random_range(0..3)],
                exceed_ratio: [0.0, 0.5, 0.9][random.random_range(0..3)],
                initial_trial: final_trial.mul_f64(0.01 + 0.99 * random.random::<f64>()),
                final_trial,
                duration_sum: final_trial.mul_f64(1.0 + 30.0 * random.random::<f64>()),
                width: [0.0001, 0.005, 0.5][random.random_range(0..3)],
            }
        };
        let goals = [goal(), goal(), goal()];
        let limits = Limits {
            max_time: Duration::MAX,
            ..LIMITS
        };
        let capacity = 10f64.powf(2.0 + 6.0 * random.random::<f64>());
        let noise = [0.0, 0.01, 0.5][random.random_range(0..3)];
        let mut system = Simulated::noisy(capacity, noise, noise / 2.0, case);
        let found = search(&goals, &limits, &mut system).unwrap();
        assert_eq!(found.ended, Ended::Done, "{case}");
        for result in &found.goals {
            match (result.lower, result.upper, result.irregular) {
                (Some(lower), Some(upper), None) => {
                    let width = (upper - lower) as f64 / upper as f64;
                    let is_narrow = width <= result.goal.width * 1.001 || upper - lower == 1;
                    assert!(is_narrow, "{case}: {result:?}");
                }
                (Some(lower), None, Some(Irregular::NoUpperBound)) => {
                    assert_eq!(lower, LIMITS.max_load, "{case}");
                }
                (None, Some(upper), Some(Irregular::NoLowerBound)) => {
                    assert_eq!(upper, LIMITS.min_load, "{case}");
                }
                other => panic!("{case}: {other:?}"),
            }
        }
        // With noise that no number of trials sees through, it takes many.
        assert!(found.trials.len() < 3_000, "{case}: {}", found.trials.len());
    }
}
