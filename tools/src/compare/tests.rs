use serde_json::{Value, json};

use super::permutation::{least_rank_sum, least_sign_flip, rank_sum, sign_flip};
use super::*;
use crate::exit::Exit;

fn bench(pps: f64) -> Value {
    json!({
        "schema": 1,
        "verb": "bench",
        "versions": {"corelane": "0.1.0", "profile": "release"},
        "machine": {"cpu": "x", "cores": 2},
        "flags": {"workers": 1, "seed": 1},
        "interrupted": false,
        "delivered_pps": pps,
        "ns_per_packet": 25.0,
        "egress": null,
        "latency_ns": null,
        "accounting": {"holds": true},
        "generator": {"limit": "workers"},
    })
}

fn search(rates: &[f64]) -> Value {
    let repeats: Vec<_> = rates
        .iter()
        .map(|pps| json!({"conditional_throughput_pps": pps}))
        .collect();
    json!({
        "schema": 1,
        "verb": "search",
        "flags": {"workers": 1},
        "accounting_holds": true,
        "tester_limited": false,
        "sizes": [{"frame_size": "64", "goals": [{
            "name": "NDR",
            "conditional_throughput_pps": rates.first(),
            "repeats": repeats,
        }]}],
    })
}

fn judge(paired: bool) -> Judge {
    Judge {
        paired,
        tolerance: 0.02,
        comparable: true,
    }
}

fn compare(a: &Value, b: &Value, allowed: &[&str]) -> Comparison {
    let sides = [Side::of(a).unwrap(), Side::of(b).unwrap()];
    let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
    let differences = Difference::between(&sides[0], &sides[1], &allowed);
    let names = ["a.json".to_owned(), "b.json".to_owned()];
    Comparison::new(&sides, names, differences, judge(false), false)
}

fn figure(samples: &[f64], better: Better) -> Vec<Figure> {
    vec![Figure {
        name: "rate".to_owned(),
        better,
        unit: "pps",
        whole: samples[0],
        samples: samples.to_vec(),
    }]
}

/// So many samples, one in a hundred apart.
fn around(middle: f64, count: usize) -> Vec<f64> {
    let offset = |i| (i as f64 - (count - 1) as f64 / 2.0) / count as f64;
    (0..count)
        .map(|i| middle * (1.0 + 0.01 * offset(i)))
        .collect()
}

#[test]
fn a_shift_beyond_the_spread_is_real_and_one_within_it_may_be_chance() {
    for paired in [false, true] {
        let judge = judge(paired);
        let verdict = |b: &[f64]| {
            let a = figure(&around(100.0, 10), Better::Higher);
            let compared = judge.compare(&a, &figure(b, Better::Higher));
            (compared[0].verdict, compared[0].regression)
        };
        assert_eq!(verdict(&around(110.0, 10)), (Verdict::Better, false));
        assert_eq!(verdict(&around(98.5, 10)), (Verdict::Worse, false));
        assert_eq!(verdict(&around(97.0, 10)), (Verdict::Worse, true));
        assert_eq!(verdict(&around(100.0, 10)), (Verdict::NoDifference, false));
        let mut turned = around(100.01, 10);
        turned.reverse();
        assert_eq!(verdict(&turned), (Verdict::NoDifference, false));
    }
}

#[test]
fn lower_is_better_of_times() {
    let a = figure(&around(100.0, 10), Better::Lower);
    let compared = judge(true).compare(&a, &figure(&around(110.0, 10), Better::Lower));
    assert_eq!(
        (compared[0].verdict, compared[0].regression),
        (Verdict::Worse, true)
    );
    assert!((compared[0].ratio - 1.1).abs() < 1e-9);
}

#[test]
fn pairs_see_through_a_machine_that_grows_slower() {
    let drifting: Vec<f64> = (0..10).map(|i| 100.0 - 5.0 * f64::from(i)).collect();
    let slower: Vec<f64> = drifting.iter().map(|pps| pps * 0.97).collect();
    let a = figure(&drifting, Better::Higher);
    let b = figure(&slower, Better::Higher);
    assert_eq!(
        judge(false).compare(&a, &b)[0].verdict,
        Verdict::NoDifference
    );
    assert_eq!(judge(true).compare(&a, &b)[0].verdict, Verdict::Worse);
}

#[test]
fn probabilities_are_those_of_the_tests() {
    let p = |paired, a: &[f64], b: &[f64]| {
        let ratios = || -> Vec<f64> { a.iter().zip(b).map(|(a, b)| b / a).collect() };
        if paired {
            sign_flip(&ratios())
        } else {
            rank_sum(a, b)
        }
    };
    // All of one side below all of the other: 2 of the 70 ways to choose 4 of 8.
    let apart = p(false, &[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0]);
    assert!((apart - 2.0 / 70.0).abs() < 1e-12, "{apart}");
    // SciPy's example, exact, in either order; with ties as many as this.
    let male = [19.0, 22.0, 16.0, 29.0, 24.0];
    let female = [20.0, 11.0, 17.0, 12.0];
    for (a, b) in [(&male[..], &female[..]), (&female, &male)] {
        assert!((p(false, a, b) - 1.0 / 9.0).abs() < 1e-12);
    }
    assert_eq!(p(false, &[1.0; 5], &[1.0; 5]), 1.0);
    let ties = p(false, &[1.0, 1.0, 1.0, 2.0], &[2.0, 2.0, 2.0, 2.0]);
    // Of the 70 ways to choose four of the eight, those with all three that are low, and those with none.
    assert!((ties - 10.0 / 70.0).abs() < 1e-12, "{ties}");
    // As good as never, of more than are gone through one by one.
    let far = p(false, &around(1.0, 50), &around(2.0, 50));
    assert!(far < 1e-4, "{far}");
    // All signs the same: 2 of 2^5; one against four: 2 + 2 * 5 as far or farther, were the logs equal.
    let same = p(true, &[1.0; 5], &[2.0; 5]);
    assert!((same - 2.0 / 32.0).abs() < 1e-12, "{same}");
    let mixed = p(true, &[1.0, 1.0, 1.0, 1.0, 2.0], &[2.0, 2.0, 2.0, 2.0, 1.0]);
    assert!((mixed - 12.0 / 32.0).abs() < 1e-12, "{mixed}");
    // Of more pairs than are gone through one by one, as good as never.
    let many = p(true, &[1.0; 20], &[2.0; 20]);
    assert!(many < 1e-4, "{many}");
}

#[test]
fn no_probability_is_smaller_than_the_least() {
    for n in 1..8 {
        let (low, high) = (around(1.0, n), around(2.0, n + 2));
        let apart = rank_sum(&low, &high);
        let least = least_rank_sum(n, n + 2);
        assert!((apart - least).abs() < 1e-12, "{n}: {apart}, {least}");
        let same = sign_flip(&vec![2.0; n]);
        let least = least_sign_flip(n);
        assert!((same - least).abs() < 1e-12, "{n}: {same}, {least}");
    }
    assert_eq!((least_rank_sum(0, 5), least_sign_flip(0)), (1.0, 1.0));
}

/// So many figures of so many samples each, of which those of B are worse by far.
fn worse(judge: Judge, figures: usize, samples: usize) -> Vec<Compared> {
    let side = |middle| -> Vec<Figure> {
        let named = |i: usize| Figure {
            name: i.to_string(),
            ..figure(&around(middle, samples), Better::Higher).remove(0)
        };
        (0..figures).map(named).collect()
    };
    judge.compare(&side(1.6e7), &side(1e6))
}

#[test]
fn what_so_few_samples_cannot_tell_has_a_verdict_of_its_own() {
    // The smallest probabilities are 2/2^n of n pairs, and 2/C(2n, n) of n samples of each side.
    for (paired, figures, enough) in [
        (true, 1, 6),
        (true, 2, 7),
        (true, 4, 8),
        (false, 1, 4),
        (false, 2, 5),
        (false, 14, 6),
    ] {
        let too_few = match paired {
            true => Verdict::TooFewRounds,
            false => Verdict::TooFew,
        };
        for compared in worse(judge(paired), figures, enough - 1) {
            assert_eq!(compared.verdict, too_few, "{paired}, {figures}");
            assert_eq!((compared.p_value, compared.enough), (None, Some(enough)));
            assert!(!compared.regression);
        }
        for compared in worse(judge(paired), figures, enough) {
            assert_eq!(compared.verdict, Verdict::Worse, "{paired}, {figures}");
            assert!(compared.p_value.is_some() && compared.enough.is_none());
            assert!(compared.regression);
        }
    }
}

/// What so many rounds come to of which B is 16 times slower.
fn slower_rounds(rounds: usize) -> Comparison {
    let side = |pps, ns: f64| {
        let mut side = Side::of(&bench(pps)).unwrap();
        side.figures[0].samples = around(pps, rounds);
        side.figures[1].samples = around(ns, rounds);
        side
    };
    let sides = [side(1.6e7, 25.0), side(1e6, 400.0)];
    let names = ["a".to_owned(), "b".to_owned()];
    Comparison::new(&sides, names, Vec::new(), judge(true), false)
}

#[test]
fn too_few_rounds_are_not_taken_for_no_difference() {
    let few = slower_rounds(6);
    assert_eq!(few.exit(), Exit::Invalid);
    let text = few.text();
    for said in [
        "0.062  too few rounds: 6 pairs cannot tell, 7 can",
        "16.000  too few rounds: 6 pairs cannot tell, 7 can",
        "NOT VALID: too few rounds for any difference to be more than chance; --rounds 7 has enough",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let json: Value = serde_json::from_str(&few.json().unwrap()).unwrap();
    let figure = &json["figures"][0];
    assert_eq!(
        (&figure["verdict"], &figure["enough"], &figure["p_value"]),
        (&json!("too_few_rounds"), &json!(7), &json!(null))
    );
    let enough = slower_rounds(7);
    assert_eq!(enough.exit(), Exit::Unmet);
    assert!(!enough.text().contains("too few"), "{}", enough.text());
}

#[test]
fn a_regression_that_is_certain_is_one_whatever_else_has_too_few_samples() {
    let two_goals = |pps: f64, other: &[f64]| {
        let mut result = search(&around(pps, 9));
        let mut goal = search(other)["sizes"][0]["goals"][0].clone();
        goal["name"] = json!("PDR");
        let goals = result["sizes"][0]["goals"].as_array_mut().unwrap();
        goals.push(goal);
        result
    };
    let exit = |pps, other: &[f64]| {
        let comparison = compare(&two_goals(30e6, other), &two_goals(pps, other), &[]);
        comparison.exit()
    };
    assert_eq!(exit(20e6, &[1e6, 1e6]), Exit::Unmet);
    assert_eq!(exit(30e6, &[1e6, 1e6]), Exit::Invalid);
    // What is there once, beside what is there often, is for nobody to judge.
    assert_eq!(exit(30e6, &[1e6]), Exit::Done);
}

#[test]
fn of_rounds_it_is_said_what_the_ratio_is_of() {
    let said = "B by A is the median of the ratios of the pairs, not the ratio of the medians";
    assert!(slower_rounds(7).text().contains(said));
    let samples = around(30e6, 5);
    let text = compare(&search(&samples), &search(&samples), &[]).text();
    assert!(!text.contains("of the pairs"), "{text}");
}

#[test]
fn times_are_in_the_unit_that_fits() {
    let mut result = bench(30e6);
    result["latency_ns"] = json!({"p50": 850, "p99": 2_277_375});
    let text = compare(&result, &result, &[]).text();
    for time in ["25.0 ns (1)", "850 ns (1)", "2.28 ms (1)"] {
        assert!(text.contains(time), "{time}: {text}");
    }
}

#[test]
fn what_follows_from_other_options_on_both_sides_is_no_difference() {
    let with = |slots: u32, derived: &[&str]| {
        let mut result = search(&around(30e6, 5));
        result["flags"]["pool_slots"] = json!(slots);
        result["derived"] = json!(derived);
        result
    };
    let differ = |a: &Value, b: &Value| compare(a, b, &[]).text().contains("pool_slots");
    let (small, large) = (with(1000, &["pool_slots"]), with(2000, &["pool_slots"]));
    assert!(!differ(&small, &large));
    // Somebody chose one of them, or the result does not say.
    assert!(differ(&small, &with(2000, &[])));
    let mut old = large.clone();
    old.as_object_mut().unwrap().remove("derived");
    assert!(differ(&old, &small));
}

#[test]
fn a_search_without_a_rate_says_why() {
    let refusal = |change: fn(&mut Value)| {
        let mut result = search(&[]);
        change(&mut result);
        Side::of(&result).unwrap_err().to_string()
    };
    let because =
        |why: &str| format!("no figure in it: its goals have no rate, because the search {why}");
    let unfinished: fn(&mut Value) =
        |it| it["sizes"][0]["goals"][0]["irregular_because"] = "not_finished".into();
    assert_eq!(refusal(unfinished), because("did not converge"));
    assert_eq!(
        refusal(|it| it["interrupted"] = true.into()),
        because("was interrupted")
    );
    assert_eq!(
        refusal(|it| it["sizes"][0]["goals"][0]["irregular_because"] = "no_lower_bound".into()),
        because("found no load that meets them")
    );
    assert_eq!(refusal(|it| it["sizes"] = json!([])), "no figure in it");
}

#[test]
fn what_is_the_same_is_called_real_as_seldom_as_promised() {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    let mut random = SmallRng::seed_from_u64(7);
    for paired in [false, true] {
        let mut draw = || -> Vec<f64> { (0..8).map(|_| 1.0 + random.random::<f64>()).collect() };
        let real = (0..1000).filter(|_| {
            let (a, b) = (
                figure(&draw(), Better::Higher),
                figure(&draw(), Better::Higher),
            );
            judge(paired).compare(&a, &b)[0].verdict != Verdict::NoDifference
        });
        let real = real.count();
        // 50 are to be expected at most; 75 would be three and a half standard deviations more.
        assert!((10..75).contains(&real), "{real} of 1000");
    }
}

#[test]
fn two_runs_are_too_few_to_tell() {
    let comparison = compare(&bench(30e6), &bench(20e6), &[]);
    assert_eq!(comparison.exit(), Exit::Invalid);
    let text = comparison.text();
    for said in [
        "30.00 Mpps (1)",
        "0.667  too few samples: 1 and 1 cannot tell, 5 of each can (search --repeat, or rounds)",
        "NOT VALID: too few samples for any difference to be more than chance; 5 of each side are enough",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn intervals_of_a_run_are_its_samples() {
    let with_intervals = |pps: f64| {
        let mut result = bench(pps);
        let received = |i: u32| (pps / 10.0) as u64 + u64::from(i);
        let interval = |i: u32| json!({"at_ms": 100 * i, "received": received(i)});
        let mut intervals: Vec<_> = (1..=10).map(interval).collect();
        // A rest that is too short to tell a rate from.
        intervals.push(json!({"at_ms": 1003, "received": 5}));
        result["intervals"] = json!(intervals);
        result
    };
    let side = Side::of(&with_intervals(30e6)).unwrap();
    assert_eq!(side.figures[0].samples.len(), 10);
    assert!((side.figures[0].samples[0] - 30_000_010.0).abs() < 1e-3);
    let comparison = compare(&with_intervals(30e6), &with_intervals(29e6), &[]);
    assert_eq!(comparison.exit(), Exit::Unmet);
    assert!(
        comparison.text().contains("of those two runs"),
        "{}",
        comparison.text()
    );
}

#[test]
fn intervals_in_which_nothing_came_count() {
    let standing = |still: usize| {
        let mut result = bench(1e6);
        let received = |i: usize| if i < still { 0 } else { 100_000 };
        let interval = |i: usize| json!({ "at_ms": 100 * (i + 1), "received": received(i) });
        result["intervals"] = (0..10).map(interval).collect();
        let figure = Side::of(&result).unwrap().figures.swap_remove(0);
        assert_eq!(figure.name, "delivered_pps");
        figure.samples
    };
    let samples = standing(4);
    assert_eq!(samples.len(), 10);
    assert_eq!(samples.iter().filter(|rate| **rate == 0.0).count(), 4);
    // No ratio can be made of a median of nothing.
    assert_eq!(standing(5), [1e6]);
}

#[test]
fn repeated_searches_are_compared() {
    let comparison = compare(&search(&around(30e6, 5)), &search(&around(20e6, 5)), &[]);
    assert_eq!(comparison.exit(), Exit::Unmet);
    assert!(comparison.text().contains("NDR of 64") && comparison.text().contains("real: WORSE"));
    let json: Value = serde_json::from_str(&comparison.json().unwrap()).unwrap();
    assert_eq!(
        (&json["schema"], &json["kind"]),
        (&json!(1), &json!("compare"))
    );
    let figure = &json["figures"][0];
    assert_eq!(
        (&figure["verdict"], &figure["regression"]),
        (&json!("worse"), &json!(true))
    );
    assert_eq!(figure["a"]["samples"], 5);
}

#[test]
fn other_conditions_are_named_and_nothing_is_concluded() {
    let mut other = search(&around(20e6, 5));
    other["flags"]["workers"] = json!(2);
    let comparison = compare(&search(&around(30e6, 5)), &other, &[]);
    assert_eq!(comparison.exit(), Exit::Invalid);
    let text = comparison.text();
    assert!(
        text.contains("workers: 1 in A, 2 in B") && text.contains("not comparable"),
        "{text}"
    );
    assert!(!text.contains("real:"));
    // Unless that is what is compared.
    let comparison = compare(&search(&around(30e6, 5)), &other, &["workers"]);
    assert_eq!(comparison.exit(), Exit::Unmet);
    // A machine is a condition too, and so is a flag that only one of them has.
    let mut elsewhere = bench(30e6);
    elsewhere["machine"]["cpu"] = json!("y");
    elsewhere["flags"]["vlan"] = json!(7);
    let text = compare(&bench(30e6), &elsewhere, &[]).text();
    assert!(
        text.contains("machine.cpu: x in A, y in B") && text.contains("vlan: none in A, 7 in B"),
        "{text}"
    );
}

#[test]
fn results_that_are_not_valid_are_not_compared() {
    for (field, value) in [
        ("interrupted", json!(true)),
        ("accounting", json!({"holds": false})),
        ("generator", json!({"limit": "generator"})),
        ("tester_limited", json!(true)),
    ] {
        let mut spoiled = bench(30e6);
        spoiled[field] = value;
        let comparison = compare(&bench(30e6), &spoiled, &[]);
        assert_eq!(comparison.exit(), Exit::Invalid, "{field}");
        assert!(
            comparison.text().contains("\n  B: "),
            "{}",
            comparison.text()
        );
    }
}

#[test]
fn what_is_no_result_is_refused() {
    let of = |value: Value| Side::of(&value).unwrap_err();
    assert_eq!(of(json!({})), NotAResult::Schema("null".to_owned()));
    assert_eq!(of(json!([1, 2])), NotAResult::Schema("null".to_owned()));
    assert_eq!(of(json!({"schema": 2})), NotAResult::Schema("2".to_owned()));
    assert_eq!(of(json!({"schema": 1})), NotAResult::Kind(String::new()));
    assert_eq!(
        of(json!({"schema": 1, "verb": "sim"})),
        NotAResult::Kind("sim".to_owned())
    );
    assert_eq!(
        of(json!({"schema": 1, "verb": "search", "sizes": []})),
        NotAResult::Empty
    );
    let nothing = json!({"schema": 1, "verb": "search", "sizes": [{"frame_size": "64", "goals": [{"name": "NDR"}]}]});
    assert_eq!(of(nothing), NotAResult::Empty);
}

#[test]
fn a_figure_that_is_none_is_refused_with_its_field() {
    let refused = |result: &Value, field: &str| match Side::of(result) {
        Err(NotAResult::Field(said)) => {
            assert!(said.starts_with(&format!("{field}: ")), "{field}: {said}");
        }
        other => panic!("{field}: {other:?}"),
    };
    let bad = [json!(-1), json!("30"), json!(1e19), json!(true)];
    for (path, field) in [
        ("/delivered_pps", "delivered_pps"),
        ("/ns_per_packet", "ns_per_packet"),
        ("/latency_ns/p99", "latency_ns.p99"),
        ("/intervals/1/received", "intervals[1].received"),
        ("/intervals/1/at_ms", "intervals[1].at_ms"),
        ("/intervals/0/p50_ns", "intervals[0].p50_ns"),
    ] {
        for value in &bad {
            let mut result = bench(30e6);
            result["latency_ns"] = json!({"p50": 1, "p99": 2});
            result["intervals"] = json!([
                {"at_ms": 100, "received": 5, "p50_ns": 1, "p99_ns": 2},
                {"at_ms": 200, "received": 5, "p50_ns": null},
            ]);
            assert!(Side::of(&result).is_ok());
            *result.pointer_mut(path).unwrap() = value.clone();
            refused(&result, field);
        }
    }
    for (path, field) in [
        (
            "/sizes/0/goals/0/conditional_throughput_pps",
            "sizes[0].goals[0].conditional_throughput_pps",
        ),
        (
            "/sizes/0/goals/0/repeats/1/conditional_throughput_pps",
            "sizes[0].goals[0].repeats[1].conditional_throughput_pps",
        ),
        ("/sizes/0/goals/0/name", "sizes[0].goals[0].name"),
        ("/sizes/0/frame_size", "sizes[0].frame_size"),
        ("/sizes", "sizes"),
    ] {
        let mut result = search(&[30e6, 31e6]);
        *result.pointer_mut(path).unwrap() = json!(-3);
        refused(&result, field);
    }
    for (field, value) in [
        ("interrupted", json!("no")),
        ("flags", json!([])),
        ("derived", json!("pool_slots")),
        ("egress", json!(5)),
        ("intervals", json!({})),
    ] {
        let mut result = bench(30e6);
        result[field] = value;
        refused(&result, field);
    }
    // What is always there is missing; what may be null is.
    let mut result = bench(30e6);
    result["delivered_pps"] = Value::Null;
    refused(&result, "delivered_pps");
    result.as_object_mut().unwrap().remove("delivered_pps");
    let said = Side::of(&result).unwrap_err().to_string();
    assert!(said.contains("missing field `delivered_pps`"), "{said}");
    let mut result = bench(30e6);
    for field in [
        "ns_per_packet",
        "intervals",
        "derived",
        "flags",
        "interrupted",
    ] {
        result[field] = Value::Null;
    }
    assert_eq!(Side::of(&result).unwrap().figures.len(), 1);
    // The rate of a result that forwards is that.
    result["egress"] = json!({"sent": 1});
    refused(&result, "forwarded_pps");
    result["forwarded_pps"] = json!(7.0);
    assert_eq!(Side::of(&result).unwrap().figures[0].whole, 7.0);
    result["intervals"] = json!([{"at_ms": 200, "received": 1}, {"at_ms": 100, "received": 1}]);
    refused(&result, "intervals");
}

#[test]
fn conditions_that_differ_are_said_in_words() {
    let with = |pps: f64, size: &str| {
        let mut result = search(&around(30e6, 5));
        result["flags"]["streams"] = json!([[
            {"name": "voice", "pps": pps, "arrival": "poisson", "frame_size": "214", "mean_bytes": 214.0},
            {"name": "bulk", "pps": 1e5, "arrival": "cbr", "frame_size": "1518", "mean_bytes": 1518.0},
        ]]);
        result["flags"]["frame_size"] = json!([size]);
        result["flags"]["goals"] = json!([{"name": "NDR", "loss_ratio": 0.0}]);
        result
    };
    let comparison = compare(&with(5e4, "64"), &with(6e4, "imix"), &[]);
    assert_eq!(comparison.exit(), Exit::Invalid);
    let text = comparison.text();
    let expected = "NOT COMPARABLE: the conditions differ\n  frame_size: 64 in A, imix in B\n  \
                    streams: voice: 50.00 kpps in A, 60.00 kpps in B\nWhat is meant to differ";
    assert!(text.contains(expected), "{text}");
    let mut other = with(5e4, "64");
    other["flags"]["goals"][0]["loss_ratio"] = json!(0.005);
    let text = compare(&with(5e4, "64"), &other, &[]).text();
    assert!(
        text.contains("  goals: NDR: loss 0% in A, loss 0.5% in B\n"),
        "{text}"
    );
}

#[test]
fn figures_of_one_side_alone_are_named() {
    let mut with_latency = bench(30e6);
    with_latency["latency_ns"] = json!({"p50": 1000, "p99": 2000});
    let text = compare(&bench(30e6), &with_latency, &[]).text();
    assert!(
        text.contains("latency p50: only in B\nlatency p99: only in B"),
        "{text}"
    );
    let comparison = compare(
        &bench(30e6),
        &search(&[1.0]),
        &["verb", "build", "machine.cpu", "machine.cores", "seed"],
    );
    assert_eq!(comparison.exit(), Exit::Invalid);
}

/// A program that answers as `bench` would: its calls have these answers and exit statuses in turn, and the
/// last one from then on.
#[cfg(unix)]
fn program(dir: &std::path::Path, name: &str, answers: &[(Value, u8)]) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let path = dir.join(name);
    let mut script = format!(
        "#!/bin/sh\nn=$(cat {0}.n 2>/dev/null || echo 0)\necho $((n+1)) > {0}.n\ncase $n in\n",
        path.display()
    );
    for (i, (answer, status)) in answers.iter().enumerate() {
        let which = if i + 1 == answers.len() {
            "*".to_owned()
        } else {
            i.to_string()
        };
        script += &format!("{which}) echo '{answer}'; exit {status};;\n");
    }
    script += "esac\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[cfg(unix)]
fn turns(a: &[(Value, u8)], b: &[(Value, u8)], rounds: usize) -> Turns {
    let dir = tempfile::tempdir().unwrap();
    let sides = [
        (program(dir.path(), "a", a), Vec::new()),
        (program(dir.path(), "b", b), Vec::new()),
    ];
    let rounds = Rounds {
        sides,
        rounds,
        duration: std::time::Duration::from_millis(1),
    };
    let quiet = crate::progress::Progress::new(true);
    rounds
        .run(&quiet, &crate::interrupt::Interrupt::default())
        .unwrap()
}

#[test]
#[cfg(unix)]
fn a_round_that_the_tester_spoiled_is_done_again() {
    let mut late = bench(1.0);
    late["tester_limited"] = true.into();
    let well = |pps| (bench(pps), 0);
    // The second run of B is not valid; the third of A has the generator as its limit.
    let mut generator = bench(2.0);
    generator["generator"]["limit"] = "generator".into();
    let a = [well(10.0), well(11.0), (generator, 0), well(13.0)];
    let b = [well(20.0), (late, 5), well(22.0)];
    let Turns { sides, set_aside } = turns(&a, &b, 7);
    let limit = "the generator was its limit";
    assert_eq!(set_aside, [format!("B: {limit}"), format!("A: {limit}")]);
    let samples = |side: usize| sides[side].figures[0].samples.clone();
    assert_eq!(samples(0), [10.0, 13.0, 13.0, 13.0, 13.0, 13.0, 13.0]);
    assert_eq!(samples(1), [20.0, 22.0, 22.0, 22.0, 22.0, 22.0, 22.0]);
    assert!(sides.iter().all(|side| side.problems.is_empty()));
    let names = [String::new(), String::new()];
    let comparison =
        Comparison::new(&sides, names, Vec::new(), judge(true), false).without(set_aside);
    assert_ne!(comparison.exit(), Exit::Invalid);
    let text = comparison.text();
    assert!(text.contains("1 round was left out: B: the generator was its limit"));
}

#[test]
#[cfg(unix)]
fn rounds_that_are_all_spoiled_come_to_an_end_and_to_nothing() {
    let mut late = bench(1.0);
    late["tester_limited"] = true.into();
    let Turns { sides, set_aside } = turns(&[(bench(1.0), 0)], &[(late, 5)], 10);
    assert_eq!(set_aside.len(), 6);
    let names = [String::new(), String::new()];
    let comparison = Comparison::new(&sides, names, Vec::new(), judge(true), false);
    assert_eq!(comparison.exit(), Exit::Invalid);
}

#[test]
fn a_search_that_did_not_converge_is_shown_and_not_judged() {
    let mut unfinished = search(&[]);
    let goal = &mut unfinished["sizes"][0]["goals"][0];
    goal["irregular_because"] = "not_finished".into();
    goal["known_lower_pps"] = 9e6.into();
    goal["repeats"] = json!([{"lower": {"load_pps": 9e6}}]);
    let comparison = compare(&search(&[1e7; 5]), &unfinished, &[]);
    assert_eq!(comparison.exit(), Exit::Invalid);
    let text = comparison.text();
    assert!(
        text.contains("B: a search of it did not converge"),
        "{text}"
    );
    assert!(text.contains("9.00 Mpps"), "{text}");
}
