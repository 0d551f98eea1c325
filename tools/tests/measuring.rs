//! The verbs `search`, `compare` and `doctor` of the built binary, run for as short as it goes: what they
//! find, how they end. These are checks of what is said, not of speed.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Scratch, corelane, stderr, stdout};
use serde_json::{Value, json};

/// Trials that decide something in a moment. The largest load is one that any machine sends.
const SHORT: [&str; 9] = [
    "search",
    "--goal",
    "name=P,loss=40%,width=20%,trial=20ms,sum=60ms",
    "--max-rate",
    "200kpps",
    "--warmup",
    "20ms",
    "--json",
    "-",
];

/// Whether two figures are the same but for what JSON makes of their last digits.
fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs()
}

/// Runs a search and checks what any has to say. A machine that is taken away from the generator, or bounds
/// that are not close enough when time is up, make for status 5, which is no failure.
fn search(args: &[&str]) -> Value {
    let output = corelane(&[&SHORT[..], args].concat());
    let code = output.status.code();
    assert!(
        matches!(code, Some(0 | 5)),
        "{args:?}: {code:?} {}",
        stderr(&output)
    );
    let json: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(
        (&json["schema"], &json["kind"]),
        (&json!(1), &json!("search"))
    );
    assert_eq!(json["accounting_holds"], true);
    let sizes = json["sizes"].as_array().unwrap();
    let goals = sizes
        .iter()
        .flat_map(|size| size["goals"].as_array().unwrap());
    let is_unfinished = |goal: &Value| {
        let repeats = goal["repeats"].as_array().unwrap();
        let unfinished = |repeat: &&Value| repeat["irregular_because"] == "not_finished";
        2 * repeats.iter().filter(unfinished).count() > repeats.len()
    };
    let is_valid = json["tester_limited"] == false && !goals.clone().any(is_unfinished);
    assert_eq!(is_valid, code == Some(0), "{json:#}");
    for size in json["sizes"].as_array().unwrap() {
        check_trials(size, json["flags"]["arrival"] == "poisson");
    }
    json
}

/// Bounds, from the trials.
fn check_trials(size: &Value, by_chance: bool) {
    let trials = size["trials"].as_array().unwrap();
    assert!(!trials.is_empty());
    for trial in trials {
        let n = |name: &str| trial[name].as_u64().unwrap();
        let planned = n("offered_pps") as f64 * trial["duration_s"].as_f64().unwrap();
        // Two streams may each be short of a whole frame; a Poisson process varies by the root.
        let slack = if by_chance { 6.0 * planned.sqrt() } else { 2.0 };
        assert!((n("intended") as f64 - planned).abs() <= slack, "{trial}");
        assert!(n("received") <= n("sent") && n("sent") <= n("intended"));
        let lost = 1.0 - n("received") as f64 / n("intended") as f64;
        assert!(
            (trial["loss_ratio"].as_f64().unwrap() - lost).abs() < 1e-9,
            "{trial}"
        );
    }
    for goal in size["goals"].as_array().unwrap() {
        for repeat in goal["repeats"].as_array().unwrap() {
            check_evidence(repeat);
        }
        let load = |name: &str| goal[name].as_u64();
        if goal["irregular_because"] == "no_upper_bound" {
            assert_eq!(goal["lower_pps"], size["max_load_pps"]);
        }
        if goal["irregular"] == false && goal["repeats"].as_array().unwrap().len() == 1 {
            let (lower, upper) = (load("lower_pps").unwrap(), load("upper_pps").unwrap());
            let width = (upper - lower) as f64 / upper as f64;
            assert!(lower < upper && width <= 0.2001, "{goal}");
        }
        if let (Some(lower), Some(rate)) = (
            load("lower_pps"),
            goal["conditional_throughput_pps"].as_f64(),
        ) {
            assert!(
                rate <= lower as f64 && rate >= lower as f64 * 0.59,
                "{goal}"
            );
        }
    }
}

/// What speaks for a bound that is known is said with it.
fn check_evidence(repeat: &Value) {
    for side in ["lower", "upper"] {
        let (evidence, bound) = (&repeat[side], &repeat[format!("{side}_pps")]);
        if !bound.is_null() {
            assert_eq!(&evidence["load_pps"], bound);
        }
        if !evidence.is_null() {
            let n = |name: &str| evidence[name].as_u64().unwrap();
            assert!(n("trials") > 0 && n("met") <= n("trials"), "{evidence}");
            let confidence = evidence["confidence"].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&confidence), "{evidence}");
        }
    }
}

#[test]
fn a_search_tells_whether_its_targets_are_met() {
    let slo = ["--slo", "P>=1pps,p99<100s,p>=1Gpps"];
    let output = corelane(&[&SHORT[..], &slo].concat());
    let json: Value = serde_json::from_str(stdout(&output)).unwrap();
    let found = &json["sizes"][0];
    let reached = |i: usize| found["slo"]["goals"][i]["reached"].as_f64().unwrap();
    let (goal, latencies) = (&found["goals"][0], found["latency"].as_array().unwrap());
    assert!(is_near(
        reached(0),
        goal["conditional_throughput_pps"].as_f64().unwrap()
    ));
    assert_eq!(latencies[3]["fraction"], json!(0.9));
    assert_eq!(
        json!(reached(1)),
        json!(latencies[3]["latency_ns"]["p99"].as_f64())
    );
    let goals = found["slo"]["goals"].as_array().unwrap();
    let met: Vec<_> = goals.iter().map(|goal| goal["met"] == true).collect();
    assert_eq!(
        (met, &found["slo"]["met"]),
        (vec![true, true, false], &json!(false))
    );
    // A machine that is taken away from the tester comes before.
    let is_valid = json["tester_limited"] == false && goal["irregular_because"] != "not_finished";
    let expected = if is_valid { 4 } else { 5 };
    assert_eq!(output.status.code(), Some(expected), "{json:#}");

    let output = corelane(&[&SHORT[..], &["--slo", "q>1pps"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("'q' is neither a latency nor a goal of this search (P)"),
        "{said}"
    );
}

#[test]
fn a_search_ends_at_its_time_limit_and_says_so() {
    let time = ["--time-limit", "100ms"];
    let json = search(&[&time[..], &["--goal", "width=0.001%,sum=10s"]].concat());
    let goal = &json["sizes"][0]["goals"][1];
    assert_eq!(json["flags"]["time_limit_s"], json!(0.1));
    assert_eq!(goal["irregular_because"], "not_finished");
    // The first trials are done in any case: 3 of 20 ms at most for one goal, and as long for another.
    let elapsed = goal["repeats"][0]["elapsed_s"].as_f64().unwrap();
    assert!(elapsed < 30.0, "{elapsed} s");
}

#[test]
fn a_search_takes_the_arrivals_and_the_streams_of_bench() {
    let json = search(&["--arrival", "poisson"]);
    assert_eq!(json["flags"]["arrival"], "poisson");
    let scratch = Scratch::new("streams");
    let file = scratch.path("streams.toml");
    let one = "[[stream]]\nname = \"a\"\nrate = \"100kpps\"\nframe_size = \"64\"\n";
    let other = "[[stream]]\nname = \"b\"\nrate = \"300kpps\"\nframe_size = \"512\"\n";
    fs::write(&file, format!("{one}{other}")).unwrap();
    let path = file.to_str().unwrap();
    let json = search(&["--profile", path, "--family", "v4", "--latency"]);
    assert_eq!(json["flags"]["profile"], path);
    for under in json["sizes"][0]["latency"].as_array().unwrap() {
        let streams = under["streams"].as_array().unwrap();
        let of = |what: &str| -> Vec<_> { streams.iter().map(|it| &it[what]).collect() };
        assert_eq!(of("name"), ["a", "b"]);
        let counts = of("latency_ns").into_iter().map(|it| it["count"].as_u64());
        assert_eq!(
            counts.sum::<Option<u64>>(),
            under["latency_ns"]["count"].as_u64()
        );
        let lost = |of: &Value| of["loss_ratio"].as_f64().unwrap();
        let (a, b) = (lost(&streams[0]), lost(&streams[1]));
        let all = (a + 3.0 * b) / 4.0;
        assert!((all - lost(under)).abs() < 0.02, "{under}");
    }
    assert_eq!(json["sizes"][0]["frame_size"], "profile");
    // A quarter of 64 and three of 512.
    assert_eq!(json["sizes"][0]["mean_bytes"], json!(400.0));
    fs::write(&file, format!("{one}start = \"1s\"\n{other}")).unwrap();
    let output = corelane(&["search", "--profile", path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("a has a start or a stop"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_search_for_each_size_in_one_run() {
    let json = search(&[
        "--frame-size",
        "64,512,imix",
        "--family",
        "v4",
        "--workers",
        "1",
    ]);
    let sizes = json["sizes"].as_array().unwrap();
    let names: Vec<_> = sizes.iter().map(|size| &size["frame_size"]).collect();
    assert_eq!(names, ["64", "512", "imix"]);
    for size in sizes {
        assert_eq!(size["max_load_pps"], 200_000);
        let goal = &size["goals"][0];
        assert_eq!(goal["name"], "P");
        assert_eq!(
            (&goal["loss_ratio"], &goal["width"]),
            (&json!(0.4), &json!(0.2))
        );
        assert_eq!(
            (&goal["final_trial_s"], &goal["duration_sum_s"]),
            (&json!(0.02), &json!(0.06))
        );
    }
    assert_eq!(json["flags"]["endpoints"], 1000);
    assert_eq!(json["flags"]["frame_size"], json!(["64", "512", "imix"]));
    assert_eq!(json["seed"], 1);
    assert!(!json["deviations"].as_array().unwrap().is_empty());
    assert_eq!(json["scaling"], json!([]));
}

#[test]
fn latency_bursts_and_scaling_by_request() {
    let json = search(&[
        "--latency",
        "--back-to-back",
        "--scale-workers",
        "--workers",
        "2",
    ]);
    let size = &json["sizes"][0];
    let rate = size["goals"][0]["conditional_throughput_pps"].as_f64();
    let latency = size["latency"].as_array().unwrap();
    let loads: Vec<_> = latency
        .iter()
        .map(|it| {
            (
                it["fraction"].as_f64().unwrap(),
                it["offered_pps"].as_f64().unwrap(),
            )
        })
        .collect();
    // Where the machine had no time for any load, there is no rate to take shares of.
    let mut expected = vec![(0.0, 1000.0)];
    expected.extend(
        rate.into_iter()
            .flat_map(|rate| [0.1, 0.5, 0.9].map(|of| (of, rate * of))),
    );
    assert_eq!(loads.len(), expected.len());
    for (load, expected) in loads.iter().zip(&expected) {
        assert_eq!(load.0, expected.0);
        assert!(is_near(load.1, expected.1), "{load:?} {expected:?}");
    }
    for under in latency {
        let frames =
            under["offered_pps"].as_f64().unwrap() * (1.0 - under["loss_ratio"].as_f64().unwrap());
        let measured = under["latency_ns"]["count"].as_f64().unwrap();
        assert!(
            (measured - frames).abs() <= 2.0,
            "{measured} of a second: {under}"
        );
    }
    let bursts = &size["back_to_back"];
    let of = |name: &str| bursts[name].as_f64().unwrap();
    assert!(
        of("min_frames") <= of("mean_frames") && of("mean_frames") <= of("max_frames"),
        "{bursts}"
    );
    let implied = of("mean_frames") / of("max_rate_pps");
    assert!((of("implied_buffer_s") - implied).abs() < 1e-12);
    if let Some(rate) = rate {
        let corrected = implied * (1.0 - rate / of("max_rate_pps")).max(0.0);
        assert!(
            (of("corrected_buffer_s") - corrected).abs() < 1e-12,
            "{bursts}"
        );
    }
    let scaling = json["scaling"].as_array().unwrap();
    let workers: Vec<_> = scaling.iter().map(|it| &it["workers"]).collect();
    assert_eq!(workers, [1, 2]);
    assert_eq!(scaling[1]["ndr_pps"].as_f64(), rate);
}

#[test]
fn repeated_searches_have_their_median_and_are_compared() {
    let scratch = Scratch::new("repeat");
    let json = search(&["--repeat", "5", "--forward", "--routes", "10"]);
    let goal = &json["sizes"][0]["goals"][0];
    let repeats = goal["repeats"].as_array().unwrap();
    assert_eq!(repeats.len(), 5);
    let mut rates: Vec<f64> = repeats
        .iter()
        .filter_map(|repeat| repeat["conditional_throughput_pps"].as_f64())
        .collect();
    rates.sort_by(f64::total_cmp);
    let lower = rates.len().saturating_sub(1) / 2;
    let (low, high) = (rates.get(lower), rates.get(rates.len() / 2));
    let median = low.zip(high).map(|(low, high)| f64::midpoint(*low, *high));
    let reported = goal["conditional_throughput_pps"].as_f64();
    assert_eq!(reported.is_some(), median.is_some());
    assert!(
        reported
            .zip(median)
            .is_none_or(|(reported, median)| is_near(reported, median))
    );
    let trials = json["sizes"][0]["trials"].as_array().unwrap();
    assert_eq!(trials.last().unwrap()["repeat"], 4);
    assert_eq!(json["derived"], json!(["pool_slots", "time_limit_s"]));

    // With itself, it is the same; half as fast, it is worse. Whatever the machine did meanwhile.
    let rated = |scale: f64| {
        let mut result = json.clone();
        result["tester_limited"] = json!(false);
        let goal = &mut result["sizes"][0]["goals"][0];
        goal["conditional_throughput_pps"] = json!(1e5 * scale);
        for (i, repeat) in (0u32..).zip(goal["repeats"].as_array_mut().unwrap()) {
            repeat["conditional_throughput_pps"] = json!((1e5 + f64::from(i)) * scale);
        }
        result
    };
    let (valid, worse) = (rated(1.0), rated(0.5));
    let one = scratch.file("one.json", &valid.to_string());
    let other = scratch.file("other.json", &worse.to_string());
    let of = |a: &std::path::Path, b: &std::path::Path| {
        let output = corelane(&[OsStr::new("compare"), a.as_os_str(), b.as_os_str()]);
        (output.status.code(), stdout(&output).to_owned())
    };
    assert_eq!(of(&one, &one).0, Some(0));
    let (code, text) = of(&one, &other);
    assert_eq!(code, Some(4), "{text}");
    assert!(
        text.contains("0.500  real: WORSE by more than 2%"),
        "{text}"
    );
    assert_eq!(of(&other, &one).0, Some(0));
}

#[test]
fn a_largest_load_below_the_least_is_bad_usage() {
    let output = corelane(&["search", "--quick", "--warmup", "0", "--max-rate", "1pps"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("corelane: --max-rate: no search from 100 to 1 frames per second"),
        "{said}"
    );
}

#[test]
fn an_interrupted_search_says_what_it_has() {
    let scratch = Scratch::new("interrupted");
    let file = scratch.path("search.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args([
            "search",
            "--duration",
            "60s",
            "--max-rate",
            "1kpps",
            "--json",
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says what it is going to do, and then how far it is: it is in a trial then.
    let mut said = String::new();
    let mut progress = BufReader::new(child.stderr.take().unwrap());
    progress.read_line(&mut said).unwrap();
    assert!(said.starts_with("1 search of 2 goals: "), "{said}");
    while !said.starts_with("search: 64, trial ") {
        said.clear();
        assert!(progress.read_line(&mut said).unwrap() > 0, "it ended");
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let json: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(json["interrupted"], true);
    assert_eq!(json["sizes"][0]["frame_size"], "64");
}

#[test]
fn rounds_of_the_same_take_turns() {
    let output = corelane(&[
        "compare",
        "--a",
        "--endpoints 10",
        "--b",
        "--endpoints 20",
        "--rounds",
        "2",
        "--duration",
        "50ms",
        "--json",
        "-",
    ]);
    // Whether they are the same is not for two rounds to say.
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let json: Value = serde_json::from_str(stdout(&output)).unwrap();
    let figures = json["figures"].as_array().unwrap();
    let names: Vec<_> = figures.iter().map(|figure| &figure["name"]).collect();
    assert_eq!(names, ["delivered_pps", "ns_per_packet"]);
    // On a busy machine the tester may have spoiled more rounds than are done again.
    let set_aside = json["set_aside"].as_array().unwrap().len();
    for figure in figures {
        let samples = &figure["a"]["samples"];
        assert_eq!(samples, &figure["b"]["samples"]);
        assert!(samples == 2 || samples == 1 && set_aside == 4, "{json}");
        assert!(figure["p_value"].is_null());
        // On a busy machine it is not even comparable.
        let is_spoiled = figure["verdict"] == "not_comparable";
        assert!(
            is_spoiled || figure["verdict"] == "too_few_rounds",
            "{json}"
        );
        assert_eq!(figure["enough"], 7);
    }
    assert_eq!(json["test"], "sign_flip");
    assert!(
        json["a"]
            .as_str()
            .unwrap()
            .ends_with("bench --endpoints 10")
    );
}

#[test]
fn rounds_that_are_none_are_refused_or_end_in_order() {
    let refused = |a: &str| {
        let output = corelane(&["compare", "--a", a, "--b", ""]);
        assert_eq!(output.status.code(), Some(2), "{a}");
        stderr(&output).to_owned()
    };
    for (a, told) in [
        (
            "--json x",
            "--a: --json of a run is not for others: the comparison has one",
        ),
        ("--slo=loss=0", "--a: --slo of a run is not for others"),
        (
            "--pcap-out x --rate 1kpps",
            "--a: --pcap-out of a run is not for others",
        ),
        ("--help", "--a: that runs nothing"),
    ] {
        let said = refused(a);
        assert!(said.contains(told), "{a}: {said}");
    }
    // Long ones, so that the first has not ended.
    let mut child = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(["compare", "--a", "", "--b", "", "--duration", "1min"])
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    progress.read_line(&mut said).unwrap();
    assert!(said.starts_with("rounds: 0 of 10"), "{said}");
    // As a terminal has it: to the group, with the run in it.
    let interrupt = Command::new("kill")
        .args(["-INT", "--", &format!("-{}", child.id())])
        .status()
        .unwrap();
    assert!(interrupt.success());
    let began = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let waited = began.elapsed();
    assert!(
        waited < Duration::from_secs(50),
        "no run goes on, or begins: {waited:?}"
    );
}

/// Whether a process is there, and not waited for.
fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind its name, which is in brackets.
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !(state.is_empty() || state.starts_with('Z') || state.starts_with('X'))
}

/// Waits until something is so, for as long as a busy machine may take.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A signal to `compare` alone, as a service manager sends it: whatever the runs are, they end with it.
#[test]
fn rounds_that_are_interrupted_leave_nobody_behind() {
    let scratch = Scratch::new("alone");
    let pids = scratch.path("pids");
    let written = || fs::read_to_string(&pids).unwrap_or_default();
    let program = |name: &str, then: &str| {
        let file = scratch.path(name);
        let text = format!("#!/bin/sh\n{then}\n");
        fs::write(&file, text.replace("PIDS", pids.to_str().unwrap())).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    };
    let bench = env!("CARGO_BIN_EXE_corelane");
    for (file, processes) in [
        // In order.
        (
            program("bench", &format!("echo $$ >> PIDS; exec {bench} \"$@\"")),
            1,
        ),
        // It waits for another one.
        (
            program(
                "waits",
                "echo $$ >> PIDS; sh -c 'echo $$ >> PIDS; exec sleep 1000'",
            ),
            2,
        ),
        // It does not want to.
        (
            program("deaf", "trap '' INT; echo $$ >> PIDS; sleep 1000"),
            1,
        ),
    ] {
        let _ = fs::remove_file(&pids);
        let mut child = Command::new(bench)
            .args([
                "compare",
                "--a",
                "",
                "--b",
                "",
                "--duration",
                "10min",
                "--binary-a",
            ])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("it starts", || written().lines().count() == processes);
        let interrupt = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(interrupt.success());
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                panic!("{} does not end", file.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(130), "{}", file.display());
        for pid in written().lines() {
            wait_until("nobody is left", || !is_running(pid));
        }
    }
}

#[test]
fn too_few_rounds_are_told_after_the_first() {
    let output = corelane(&[
        "compare",
        "--a",
        "",
        "--b",
        "",
        "--rounds",
        "2",
        "--duration",
        "50ms",
    ]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let is_spoiled = stdout(&output).contains("NOT COMPARABLE");
    let warning = "warning: --rounds 2 cannot tell a difference of 2 figures from chance, 7 can";
    assert!(
        is_spoiled || stderr(&output).contains(warning),
        "{}",
        stderr(&output)
    );
    let verdict = "too few rounds: 2 pairs cannot tell, 7 can";
    // More may be spoiled than are done again.
    let one = "too few rounds: 1 pair cannot tell, 7 can";
    let text = stdout(&output);
    assert!(
        is_spoiled || text.contains(verdict) || text.contains(one),
        "{text}"
    );
}

#[test]
fn results_of_other_workers_are_comparable_where_that_is_said() {
    let scratch = Scratch::new("workers");
    let run = |name: &str, options: &[&str]| {
        let file = scratch.path(name);
        let short = ["bench", "--duration", "300ms", "--warmup", "20ms", "--json"];
        let short = short.into_iter().chain([file.to_str().unwrap()]);
        let args: Vec<_> = short.chain(options.iter().copied()).collect();
        let output = corelane(&args);
        assert!(
            matches!(output.status.code(), Some(0 | 5)),
            "{}",
            stderr(&output)
        );
        file
    };
    let compared = |a: &std::path::Path, b: &std::path::Path, differing: &str| {
        let files = [a, b].map(std::path::Path::as_os_str);
        let rest = ["--differing", differing].map(OsStr::new);
        let verb = OsStr::new("compare");
        let output = corelane(&[&[verb][..], &files, &rest].concat());
        stdout(&output).to_owned()
    };
    let one = run("one.json", &["--workers", "1"]);
    let two = run("two.json", &["--workers", "2"]);
    let small = run("small.json", &["--workers", "1", "--ring", "256"]);
    let chosen = run("chosen.json", &["--workers", "2", "--pool-slots", "20000"]);
    for (a, b, differing) in [(&one, &two, "workers"), (&one, &small, "ring")] {
        let text = compared(a, b, differing);
        assert!(!text.contains("the conditions differ"), "{text}");
    }
    let text = compared(&one, &chosen, "workers");
    assert!(text.contains("pool_slots: "), "{text}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let scratch = Scratch::new("refused");
    let text = scratch.file("text.json", "not json");
    let other = scratch.file("other.json", "{\"schema\": 1, \"verb\": \"up\"}");
    let missing = scratch.path("missing.json");
    let infinite = scratch.file(
        "infinite.json",
        "{\"schema\": 1, \"verb\": \"bench\", \"delivered_pps\": 1e400}",
    );
    let negative = scratch.file(
        "negative.json",
        "{\"schema\": 1, \"verb\": \"bench\", \"delivered_pps\": 1, \"ns_per_packet\": -1}",
    );
    for (file, expected) in [
        (&text, "not JSON"),
        (&other, "a result of 'up'"),
        (
            &infinite,
            "infinite.json: delivered_pps: number out of range",
        ),
        (
            &negative,
            "negative.json: ns_per_packet: invalid value: integer `-1`",
        ),
        (&missing, "cannot read"),
    ] {
        let output = corelane(&[OsStr::new("compare"), file.as_os_str(), file.as_os_str()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    for (args, expected) in [
        (
            &["compare", "--a", "--endpoints 0", "--b", ""][..],
            "--a: --endpoints: '0' is not",
        ),
        (
            &["compare", "--a", "", "--b", "'"],
            "--b: a quote is missing",
        ),
        (
            &["compare", "--a", "", "--b", "--json x"],
            "--b: --json of a run",
        ),
    ] {
        let output = corelane(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    let output = corelane(&[
        "compare",
        "--a",
        "",
        "--b",
        "",
        "--binary-a",
        "/nowhere/corelane",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("A: cannot run /nowhere/corelane"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn doctor_has_a_line_for_everything() {
    let output = corelane(&["doctor", "--json", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: Value = serde_json::from_str(stdout(&output)).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let names: Vec<_> = findings
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, corelane_tools::doctor::NAMES);
    let text = corelane(&["doctor"]);
    for name in names {
        assert!(stdout(&text).contains(&name.replace('_', " ")), "{name}");
    }
    // What is missing is a failure to who requires it, and to nobody else.
    for finding in findings {
        let name = finding["name"].as_str().unwrap();
        let output = corelane(&["doctor", "--require", name]);
        let missing = finding["status"] == "missing";
        assert_eq!(output.status.code(), Some(i32::from(missing)), "{name}");
        assert_eq!(
            stderr(&output).contains(&format!("missing: {name}")),
            missing
        );
    }
    let output = corelane(&["doctor", "--require", "tab"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean 'tap'?"),
        "{}",
        stderr(&output)
    );
}
