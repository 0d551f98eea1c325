//! What an independent implementation says: `oracle.json`, made by `oracle.py`.

use std::time::Duration;

use serde::Deserialize;

use super::super::classify::{Class, conditional_throughput};
use super::super::controller::{Limits, search};
use super::super::goal::Goal;
use super::super::target::Target;
use super::super::trial::{Trial, TrialInput};
use super::sut::Simulated;

#[derive(Deserialize)]
struct Oracle {
    classifications: Vec<Classification>,
    searches: Vec<Search>,
}

#[derive(Deserialize)]
struct Classification {
    trial_s: f64,
    duration_sum_s: f64,
    loss_ratio: f64,
    exceed_ratio: f64,
    /// Seconds, and frames lost of [`FRAMES`].
    trials: Vec<(f64, u64)>,
    optimistic: bool,
    pessimistic: bool,
    loss_at_quantile: Option<f64>,
}

#[derive(Deserialize)]
struct Search {
    capacity: f64,
    trials: usize,
    elapsed_s: f64,
    goals: Vec<Result>,
}

#[derive(Deserialize)]
struct Result {
    name: String,
    lower: f64,
    upper: f64,
    conditional_throughput: f64,
}

const FRAMES: u64 = 10_000;

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("oracle.json")).unwrap()
}

#[test]
fn loads_are_classified_as_elsewhere() {
    let cases = oracle().classifications;
    let mut classes = [0; 3];
    for case in &cases {
        let target = Target::last(&Goal {
            name: String::new(),
            loss_ratio: case.loss_ratio,
            exceed_ratio: case.exceed_ratio,
            initial_trial: Duration::from_secs_f64(case.trial_s),
            final_trial: Duration::from_secs_f64(case.trial_s),
            duration_sum: Duration::from_secs_f64(case.duration_sum_s),
            width: 0.005,
        });
        let trials: Vec<Trial> = case
            .trials
            .iter()
            .map(|&(seconds, lost)| {
                let duration = Duration::from_secs_f64(seconds);
                let input = TrialInput { load: 1, duration };
                Trial::new(input, FRAMES, FRAMES, FRAMES - lost, None)
            })
            .collect();
        let expected = match (case.optimistic, case.pessimistic) {
            (true, true) => Class::LowerBound,
            (false, false) => Class::UpperBound,
            _ => Class::Undecided,
        };
        assert_eq!(
            Class::of(&target, &trials),
            expected,
            "{target:?} {:?}",
            case.trials
        );
        classes[expected as usize] += 1;
        if let Some(loss) = case.loss_at_quantile {
            let found = conditional_throughput(&target, 1.0, &trials);
            assert!(
                (found - (1.0 - loss)).abs() < 1e-12,
                "{target:?} {:?}",
                case.trials
            );
        }
    }
    assert!(classes.into_iter().all(|count| count > 50), "{classes:?}");
}

/// The order of loads is each implementation's own: the bounds need not be the same, but both have to be
/// around the same rate, and a search that takes much longer would be a bad one.
#[test]
fn searches_find_what_is_found_elsewhere_in_as_many_trials() {
    let limits = Limits {
        min_load: 9_001,
        max_load: 20_000_000,
        warmup: None,
        max_time: Duration::from_secs(1200),
        fail_fast: false,
    };
    let second = Duration::from_secs(1);
    let (mut ours, mut theirs) = (0.0, 0.0);
    for expected in oracle().searches {
        let mut system = Simulated::new(expected.capacity);
        let found = search(
            &[Goal::ndr(second), Goal::pdr(second)],
            &limits,
            &mut system,
        )
        .unwrap();
        for (found, expected) in found.goals.iter().zip(&expected.goals) {
            let (lower, upper) = (found.lower.unwrap() as f64, found.upper.unwrap() as f64);
            assert_eq!(found.goal.name, expected.name);
            assert!(lower <= expected.upper + 2.0 && expected.lower <= upper + 2.0);
            let throughput = found.conditional_throughput.unwrap();
            let ratio = throughput / expected.conditional_throughput;
            assert!((ratio - 1.0).abs() <= found.goal.width, "{ratio}");
        }
        assert!(
            found.trials.len() <= expected.trials * 3 / 2,
            "{} trials, not {}",
            found.trials.len(),
            expected.trials
        );
        ours += found.elapsed.as_secs_f64();
        theirs += expected.elapsed_s;
    }
    assert!(ours <= 1.1 * theirs, "{ours} s, not {theirs}");
}
