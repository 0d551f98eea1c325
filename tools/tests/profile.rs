//! `profile` and `report`, the built binary: with the samplers that this machine has, without perf, and with one that is
//! refused.

mod common;

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use common::{Scratch, corelane, stderr, stdout};
use corelane_tools::profile::Folded;
use serde_json::Value;

const SHORT: [&str; 6] = [
    "--duration",
    "400ms",
    "--warmup",
    "20ms",
    "--frequency",
    "999",
];

fn profile(out: &Path, args: &[&str]) -> Output {
    let out = out.to_str().unwrap();
    corelane(&[&["profile", "--out", out, "--json", "-"], &SHORT[..], args].concat())
}

/// The same, with only this on the path.
fn profile_with_path(path: impl AsRef<OsStr>, out: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corelane"))
        .env("PATH", path)
        .args(["profile", "--json", "-", "--out"])
        .arg(out)
        .args(SHORT)
        .args(args)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_str(stdout(output)).unwrap()
}

/// Every sample is in the stages, in the groups and in the stacks that were written.
fn check(result: &Value, out: &Path) {
    assert_eq!(
        (&result["schema"], &result["kind"]),
        (&1.into(), &"profile".into())
    );
    assert_eq!(result["bench"]["accounting"]["holds"], true);
    let samples = result["samples"].as_u64().unwrap();
    let sum = |of: &str| -> u64 {
        let parts = result[of].as_array().unwrap().iter();
        parts.map(|part| part["samples"].as_u64().unwrap()).sum()
    };
    assert!(samples > 0);
    assert_eq!((sum("threads"), sum("stages")), (samples, samples));
    let folded = std::fs::read_to_string(out.join("profile.folded")).unwrap();
    assert_eq!(folded.parse::<Folded>().unwrap().samples(), samples);
    let shares = result["stages"].as_array().unwrap().iter();
    let all: f64 = shares.map(|stage| stage["share"].as_f64().unwrap()).sum();
    assert!((all - 1.0).abs() < 1e-9, "{all}");
    let svg = std::fs::read_to_string(out.join("profile.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("worker-0"), "{svg}");
}

/// The engine's own functions are found, on workers and on the generator's thread.
fn has_stages(result: &Value) {
    let stages = result["stages"].as_array().unwrap();
    for group in ["generator", "worker"] {
        let known: Vec<_> = stages
            .iter()
            .filter(|stage| stage["group"] == group && stage["stage"] != "(unattributed)")
            .collect();
        assert!(!known.is_empty(), "{group}: {stages:?}");
        assert!(
            known
                .iter()
                .all(|stage| stage["ns_per_packet"].as_f64().unwrap() > 0.0),
            "{known:?}"
        );
    }
}

#[test]
fn a_profile_by_what_this_machine_has_and_its_difference_to_an_earlier_one() {
    let scratch = Scratch::new("profile");
    let (first, second) = (scratch.path("first"), scratch.path("second"));
    let result = json(&profile(&first, &[]));
    check(&result, &first);
    has_stages(&result);
    assert!(result["difference"].is_null());
    // Perf if it is there and allowed; if not, the reason is given.
    let fell_back = result["sampler"]["name"] == "in-process";
    let warnings = result["warnings"].to_string();
    assert_eq!(
        fell_back,
        warnings.contains("sampler in the process was used"),
        "{result}"
    );

    let old = first.join("profile.folded");
    let result = json(&profile(&second, &["--diff", old.to_str().unwrap()]));
    check(&result, &second);
    let difference = &result["difference"];
    assert_eq!(difference["against"], old.to_str().unwrap());
    assert!(!difference["stages"].as_array().unwrap().is_empty());
    let svg = std::fs::read_to_string(second.join("difference.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("worker-0"));
    // Not over what it is compared with.
    let refused = profile(&first, &["--diff", old.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--out: "), "{}", stderr(&refused));
}

#[test]
fn a_profile_from_inside_where_there_is_no_perf() {
    let scratch = Scratch::new("profile-inside");
    let out = scratch.path("out");
    let result = json(&profile_with_path("", &out, &[]));
    check(&result, &out);
    has_stages(&result);
    assert_eq!(result["sampler"]["name"], "in-process");
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("perf is not installed"), "{warnings}");
    assert!(
        warnings.contains("apt-get install linux-perf"),
        "{warnings}"
    );

    let refused = profile_with_path("", &out, &["--sampler", "perf"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("perf is not installed"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_profile_from_inside_where_the_kernel_refuses_perf() {
    let scratch = Scratch::new("profile-refused");
    let bin = scratch.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let perf = bin.join("perf");
    let said = "#!/bin/sh\necho 'Error: perf_event_open: Operation not permitted' >&2\nexit 255\n";
    std::fs::write(&perf, said).unwrap();
    std::fs::set_permissions(&perf, PermissionsExt::from_mode(0o755)).unwrap();
    let out = scratch.path("out");
    let result = json(&profile_with_path(&bin, &out, &[]));
    check(&result, &out);
    assert_eq!(result["sampler"]["name"], "in-process");
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("the kernel refuses perf"), "{warnings}");
    let refused = profile_with_path(&bin, &out, &["--sampler", "perf"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("the kernel refuses perf"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn an_earlier_profile_that_is_none_is_refused_before_the_run() {
    let scratch = Scratch::new("profile-diff");
    let old = scratch.file("old.folded", "worker-0;poll 3\nworker-0;lookup\n");
    let refused = profile(&scratch.path("out"), &["--diff", old.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(
        said.contains("old.folded: line 2: it has no count"),
        "{said}"
    );
    let empty = scratch.file("empty.folded", "");
    let refused = profile(&scratch.path("out"), &["--diff", empty.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("has no samples"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn what_bench_and_profile_write_becomes_a_page() {
    let scratch = Scratch::new("report");
    let out = scratch.path("out");
    let profiled = profile(&out, &["--sampler", "in-process"]);
    let profile = scratch.file("profile.json", stdout(&profiled));
    let run = scratch.path("run.json");
    let short = [
        "--duration",
        "200ms",
        "--warmup",
        "20ms",
        "--rate",
        "100kpps",
        "--latency",
    ];
    let run_name = run.to_str().unwrap();
    let bench = corelane(&[&["bench", "--json", run_name], &short[..]].concat());
    // On a busy machine the generator is late: the result says so, and is one.
    let status = bench.status.code();
    assert!(
        matches!(status, Some(0 | 5)),
        "{status:?}: {}",
        stderr(&bench)
    );
    let page = scratch.path("page.html");
    let (page_name, profile_name) = (page.to_str().unwrap(), profile.to_str().unwrap());
    let svg = out.join("profile.svg");
    let results = [
        run_name,
        profile_name,
        "--flamegraph",
        svg.to_str().unwrap(),
    ];
    let report = corelane(&[&["report", "-o", page_name], &results[..]].concat());
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
    assert_eq!(stdout(&report), format!("wrote {page_name}: 2 results\n"));
    let html = std::fs::read_to_string(&page).unwrap();
    for section in [
        "warnings",
        "runs",
        "latency",
        "workers",
        "profile",
        "flamegraph",
        "ledger",
        "conditions",
    ] {
        assert!(
            html.contains(&format!("<section id=\"{section}\">")),
            "{section}"
        );
    }
    // To standard output, the same.
    let report = corelane(&[&["report", "-o", "-"], &results[..]].concat());
    assert_eq!(stdout(&report), html);
    // Not over a result.
    let refused = corelane(&["report", run_name, "-o", run_name]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("would be written over"),
        "{}",
        stderr(&refused)
    );
    // A sequel that this version does not know.
    let newer = stdout(&profiled).replacen("\"schema\": 1", "\"schema\": 9", 1);
    let newer = scratch.file("newer.json", &newer);
    let refused = corelane(&["report", newer.to_str().unwrap(), "-o", page_name]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("schema is 9, newer than 1"),
        "{}",
        stderr(&refused)
    );
}
