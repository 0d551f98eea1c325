use super::group::{Basis, Verdict, groups, interval_rates};
use super::input::Inputs;
use super::{BadResult, Page, Source};

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A result as `bench` writes it, with what a test is about changed in it.
fn run(change: impl FnOnce(&mut Value)) -> Value {
    let mut run = json!({
        "schema": 1,
        "verb": "bench",
        "versions": { "corelane": "0.1.0", "profile": "release" },
        "machine": { "cpu": "a CPU", "cores": 2, "os": "linux", "kernel": "6.1", "arch": "x86_64" },
        "seed": 1,
        "flags": { "frame_size": "64", "endpoints": 1000, "rate": "max", "family": "mixed", "churn": null },
        "conditions": ["2 workers, to 1000 addresses", "64-byte frames"],
        "interrupted": false,
        "warnings": [],
        "window_s": 1.0,
        "offered_pps": 1000.0,
        "achieved_pps": 1000.0,
        "delivered_pps": 990.0,
        "forwarded_pps": 0.0,
        "ns_per_packet": 25.0,
        "sent": 1000,
        "received": 1000,
        "delivered": 990,
        "forwarded": 0,
        "consumed": 0,
        "drops": { "invalid_address": 10, "socket_full": 0 },
        "workers": [
            { "id": 0, "core": 1, "packets": 600, "busy_ratio": 0.9, "ns_per_packet": 25.0 },
            { "id": 1, "core": null, "packets": 400, "busy_ratio": 0.5, "ns_per_packet": null }
        ],
        "latency_ns": null,
        "generator": {
            "planned_pps": null, "intended": 1000, "unsent": { "late": 0 }, "drops": { "ring_full": 0 }, "limit": "workers"
        },
        "accounting": {
            "holds": true,
            "identities": [ { "claim": "intended = sent + unsent", "left": 1000, "right": 1000, "holds": true } ]
        }
    });
    change(&mut run);
    run
}

/// Of a profile: one stream with numbers, one without.
fn streams() -> Value {
    let order = |numbered: u64, in_order: u64| json!({ "numbered": numbered, "missing": numbered - in_order, "in_order": in_order, "reordered": 0 });
    json!([
        { "name": "voice", "planned_pps": 60e3, "sent": 600, "order": order(600, 594),
          "latency_ns": { "p50": 1500, "p99": 2500, "max": 9000, "count": 594 } },
        { "name": "bulk", "planned_pps": 40e3, "sent": 400, "order": order(0, 0), "latency_ns": null }
    ])
}

fn with_latency(run: &mut Value) {
    run["latency_ns"] =
        json!({ "p50": 900, "p90": 2000, "p99": 9000, "p99.9": null, "max": 50000, "count": 990 });
    run["generator"]["planned_pps"] = json!(1000.0);
    run["intervals"] = json!([
        { "at_ms": 100, "sent": 100, "received": 100, "dropped": 0, "p50_ns": 900, "p99_ns": 8000 },
        { "at_ms": 200, "sent": 100, "received": 90, "dropped": 10, "p50_ns": 950, "p99_ns": 9000 },
        { "at_ms": 300, "sent": 100, "received": 110, "dropped": 0, "p50_ns": 800, "p99_ns": 7000 },
        { "at_ms": 310, "sent": 10, "received": 10, "dropped": 0, "p50_ns": null, "p99_ns": null }
    ]);
}

fn search() -> Value {
    let size = |size: &str, pps: f64| {
        json!({
            "frame_size": size,
            "goals": [{
                "name": "NDR", "loss_ratio": 0.0, "exceed_ratio": 0.5, "initial_trial_s": 0.1, "final_trial_s": 1.0,
                "duration_sum_s": 21.0, "width": 0.005, "lower_pps": pps, "upper_pps": pps * 1.004,
                "conditional_throughput_pps": pps, "irregular": false
            }],
            "trials": [
                { "offered_pps": pps * 2.0, "duration_s": 1.0, "sent": 100, "received": 50, "loss_ratio": 0.5, "valid": true },
                { "offered_pps": pps, "duration_s": 1.0, "sent": 100, "received": 100, "loss_ratio": 0.0, "valid": true }
            ],
            "latency": [{ "fraction": 0.5, "offered_pps": pps / 2.0, "latency_ns": { "p50": 700, "p99": 4000, "max": 9000, "count": 100 } }],
            "back_to_back": { "mean_frames": 1500.5, "stddev_frames": 3.0, "corrected_buffer_s": 0.0001, "unlimited": false }
        })
    };
    json!({
        "schema": 1, "kind": "search", "verb": "search",
        "versions": { "corelane": "0.1.0", "profile": "release" },
        "machine": { "cpu": "a CPU", "cores": 2, "os": "linux", "kernel": "6.1", "arch": "x86_64" },
        "seed": 1, "flags": {}, "warnings": [],
        "sizes": [size("64", 5e6), size("imix", 3e6)],
        "scaling": [{ "workers": 1, "ndr_pps": 5e6 }, { "workers": 2, "ndr_pps": 9e6 }]
    })
}

fn profile() -> Value {
    json!({
        "schema": 1, "kind": "profile", "warnings": ["few samples"],
        "sampler": { "name": "perf", "event": "cpu-clock:u", "unwinding": "DWARF", "frequency_hz": 499 },
        "samples": 100, "lost": 0,
        "stages": [
            { "group": "worker", "stage": "lookup", "samples": 60, "share": 0.6, "share_of_group": 1.0, "ns_per_packet": 9.5, "packets_per_call": 32.0 },
            { "group": "other threads", "stage": "(unattributed)", "samples": 40, "share": 0.4, "share_of_group": 1.0, "ns_per_packet": null, "packets_per_call": null }
        ],
        "difference": { "against": "old.folded", "stages": [{ "group": "worker", "stage": "lookup", "before": 0.5, "after": 0.6 }] },
        "bench": run(|_| {})
    })
}

/// A directory of a test's own.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Source {
        std::fs::write(self.path(name), text).unwrap();
        Source {
            name: None,
            file: self.path(name),
        }
    }

    fn json(&self, name: &str, result: &Value) -> Source {
        self.write(name, &result.to_string())
    }
}

fn page(results: &[(&str, Value)], flamegraph: Option<&str>) -> String {
    let files = Files::new();
    let sources: Vec<_> = results
        .iter()
        .map(|(name, result)| files.json(name, result))
        .collect();
    let svg = files.path("graph.svg");
    if let Some(text) = flamegraph {
        std::fs::write(&svg, text).unwrap();
    }
    let flamegraph = flamegraph.map(|_| svg.as_path());
    Page::read(&sources, flamegraph).unwrap().html()
}

fn refusal(text: &str) -> String {
    let files = Files::new();
    let source = files.write("bad.json", text);
    let error = Page::read(&[source], None).unwrap_err();
    let said = error.to_string();
    let file = files.path("bad.json").display().to_string();
    said.strip_prefix(&format!("{file}: "))
        .unwrap_or_else(|| panic!("{said}"))
        .to_owned()
}

fn sections(html: &str) -> Vec<&str> {
    html.split("<section id=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .collect()
}

#[test]
fn only_what_there_is_data_for_has_a_section() {
    let html = page(&[("a.json", run(|_| {}))], None);
    assert_eq!(
        sections(&html),
        [
            "warnings",
            "runs",
            "drops",
            "workers",
            "ledger",
            "conditions"
        ]
    );
    assert!(
        html.contains("Nothing stands against these results"),
        "{html}"
    );
    let html = page(
        &[(
            "a.json",
            run(|run| run["drops"]["invalid_address"] = json!(0)),
        )],
        None,
    );
    assert!(!sections(&html).contains(&"drops"));
}

#[test]
fn every_section_there_is() {
    let results = [
        ("a.json", run(with_latency)),
        (
            "b.json",
            run(|run| {
                with_latency(run);
                run["flags"]["frame_size"] = json!("512");
                run["streams"] = streams();
            }),
        ),
        (
            "c.json",
            run(|run| run["flags"]["endpoints"] = json!(1_000_000)),
        ),
        ("s.json", search()),
        ("p.json", profile()),
    ];
    let html = page(&results, Some("<svg height=\"300\"></svg>"));
    assert_eq!(
        sections(&html),
        [
            "warnings",
            "runs",
            "comparison",
            "search",
            "frame-size",
            "endpoints",
            "scaling",
            "loss",
            "latency",
            "latency-over-time",
            "rate-over-time",
            "streams",
            "drops",
            "workers",
            "profile",
            "flamegraph",
            "ledger",
            "conditions",
        ]
    );
    // Figures arrive where they belong: 0.01 of 1000 frames, the 32 packets of a call, 5 Mpps by the search.
    for text in [
        "1.0%",
        "32.0",
        "5.00 Mpps",
        "1\u{202f}501 frames",
        "Few samples",
        "9.5 ns",
        "<td>voice</td><td class=\"n\">60.00 kpps</td><td class=\"n\">600</td><td class=\"n\">594</td>\
         <td class=\"n\">6</td><td class=\"n\">1.0%</td><td class=\"n\">1.50 us</td>",
        "<td>bulk</td><td class=\"n\">40.00 kpps</td><td class=\"n\">400</td><td class=\"n\">\u{2013}</td>",
    ] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn streams_of_a_search_are_shown_under_its_loads() {
    let mut result = search();
    result["sizes"][0]["latency"][0]["streams"] = json!([
        { "name": "voice", "loss_ratio": 0.25, "latency_ns": { "p50": 1500, "p99": 2500, "max": 9000, "count": 3 } },
        { "name": "<bulk>", "loss_ratio": null, "latency_ns": null }
    ]);
    let html = page(&[("s.json", result)], None);
    assert!(sections(&html).contains(&"streams"));
    for text in [
        "<td class=\"n\" rowspan=\"2\">64</td><td class=\"n\" rowspan=\"2\">50.0% of its rate</td><td>voice</td>\
         <td class=\"n\">25.0%</td><td class=\"n\">1.50 us</td><td class=\"n\">2.50 us</td>\
         <td class=\"n\">\u{2013}</td><td class=\"n\">9.00 us</td>",
        "<td>&lt;bulk&gt;</td><td class=\"n\">\u{2013}</td><td class=\"n\">\u{2013}</td>",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!sections(&page(&[("s.json", search())], None)).contains(&"streams"));
}

#[test]
fn nothing_in_a_result_becomes_markup() {
    let hostile =
        "</style></title></table><script>alert(1)</script><img src=x onerror=alert(2)>\"'&";
    let mut results: Vec<(&str, Value)> = vec![
        (
            "a.json",
            run(|run| {
                with_latency(run);
                run["flags"]["frame_size"] = json!(hostile);
                run["flags"][hostile] = json!(hostile);
                run["warnings"] = json!([hostile]);
                run["drops"][hostile] = json!(7);
                run["generator"]["limit"] = json!(hostile);
                run["generator"]["unsent"][hostile] = json!(7);
                run["machine"]["cpu"] = json!(hostile);
                run["versions"]["corelane"] = json!(hostile);
                run["accounting"]["holds"] = json!(false);
                run["accounting"]["identities"][0]["claim"] = json!(hostile);
                run["accounting"]["identities"][0]["holds"] = json!(false);
                run["latency_ns"][hostile] = json!(5);
            }),
        ),
        ("<script>alert(3)<&>.json", run(|_| {})),
        ("s.json", search()),
        ("p.json", profile()),
    ];
    results[2].1["sizes"][0]["frame_size"] = json!(hostile);
    results[2].1["sizes"][0]["goals"][0]["name"] = json!(hostile);
    results[2].1["sizes"][0]["goals"][0]["irregular"] = json!(true);
    results[2].1["sizes"][0]["goals"][0]["irregular_because"] = json!(hostile);
    results[2].1["deviations"] = json!([hostile]);
    results[3].1["sampler"]["name"] = json!(hostile);
    results[3].1["stages"][0]["stage"] = json!(hostile);
    results[3].1["stages"][0]["group"] = json!(hostile);
    results[3].1["difference"]["against"] = json!(hostile);
    let svg = "<svg><script>alert(4)</script></svg>\"></iframe><script>alert(5)</script>";
    let html = page(&results, Some(svg));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for markup in [
        "<script",
        "<img src=x",
        "onerror=alert(2)>\"",
        "alert(4)",
        "alert(5)",
    ] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert_eq!(html.matches("</style>").count(), 1);
    assert_eq!(
        html.matches("</title></head>").count() + html.matches("</title><style>").count(),
        1
    );
    assert_eq!(html.matches("<iframe").count(), 1);
    // The flame graph for print.
    assert_eq!(html.matches("<img").count(), 1);
    assert!(html.contains("sandbox=\"allow-scripts\""));
    assert!(html.contains("default-src 'none'"));
    for outside in ["http://", "https://", "//cdn", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn a_figure_that_is_none_is_refused_with_its_field() {
    let refused = |result: &Value, field: &str| {
        let said = refusal(&result.to_string());
        assert!(said.starts_with(&format!("{field}: ")), "{field}: {said}");
    };
    let bad = [json!(-1.5), json!("5"), json!(1e19), json!([])];
    let with = |path: &str, value: &Value| {
        let mut result = run(with_latency);
        *result.pointer_mut(path).unwrap() = value.clone();
        result
    };
    for (path, field) in [
        ("/offered_pps", "offered_pps"),
        ("/delivered_pps", "delivered_pps"),
        ("/window_s", "window_s"),
        ("/ns_per_packet", "ns_per_packet"),
        ("/generator/planned_pps", "generator.planned_pps"),
        ("/workers/1/busy_ratio", "workers[1].busy_ratio"),
        ("/latency_ns/p99", "latency_ns.p99"),
        ("/intervals/2/p50_ns", "intervals[2].p50_ns"),
        ("/intervals/2/received", "intervals[2].received"),
        ("/flags/endpoints", "flags.endpoints"),
    ] {
        bad.iter()
            .for_each(|value| refused(&with(path, value), field));
        // A number that JSON has and nobody else.
        let text = with(path, &json!("HERE")).to_string();
        let said = refusal(&text.replace("\"HERE\"", "1e400"));
        assert!(
            said.starts_with(&format!("{field}: number out of range")),
            "{said}"
        );
    }
    // What a result always has is not there, or was no number.
    refused(&with("/offered_pps", &Value::Null), "offered_pps");
    refused(
        &with("/intervals/1/at_ms", &Value::Null),
        "intervals[1].at_ms",
    );
    refused(&with("/intervals/1/at_ms", &json!(99)), "intervals");
    let mut searched = search();
    searched["sizes"][0]["trials"][1]["loss_ratio"] = json!(1.5);
    refused(&searched, "sizes[0].trials[1].loss_ratio");
    let mut searched = search();
    searched["sizes"][1]["goals"][0]["lower_pps"] = json!("5e6");
    refused(&searched, "sizes[1].goals[0].lower_pps");
    // What it may have may be null, whatever it is.
    let html = page(
        &[(
            "a.json",
            run(|run| {
                for field in [
                    "warnings",
                    "conditions",
                    "intervals",
                    "streams",
                    "interrupted",
                    "flags",
                ] {
                    run[field] = Value::Null;
                }
            }),
        )],
        None,
    );
    assert!(html.contains("Nothing stands against these results"));
}

#[test]
fn streams_and_goals_are_conditions_in_words() {
    let stream = |name: &str, pps: f64| {
        json!({
            "name": name, "pps": pps, "arrival": "poisson", "start_s": 0.0, "stop_s": null, "frame_size": "214",
            "mean_bytes": 214.0, "family": "mixed", "flows": 4096, "protocols": "udp", "vlan": [],
        })
    };
    let with = |streams: Value| run(|run| run["flags"]["streams"] = streams);
    let (one, other) = (
        json!([stream("voice", 5e4)]),
        json!([stream("<bulk>", 6e4)]),
    );
    let html = page(&[("a.json", with(one)), ("b.json", with(other))], None);
    for text in [
        "<td>voice 50.00 kpps, poisson, 214 bytes</td>",
        "<td>&lt;bulk&gt; 60.00 kpps, poisson, 214 bytes</td>",
        "streams &lt;bulk&gt; 60.00 kpps, poisson, 214 bytes",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("pps&quot;"), "no JSON");
}

#[test]
fn warnings_come_first_and_the_worst_of_them_before_the_others() {
    let html = page(
        &[
            (
                "a.json",
                run(|run| {
                    run["generator"]["limit"] = json!("generator");
                    run["latency_limited_by_generator"] = json!(true);
                    run["warnings"] = json!(["two threads share a core"]);
                    run["interrupted"] = json!(true);
                    run["slo"] = json!({ "met": false, "goals": [
                    { "goal": "p99<50us", "reached": 9e4, "met": false }, { "goal": "loss=0", "reached": 0.0, "met": true }
                ] });
                }),
            ),
            (
                "b.json",
                run(|run| {
                    run["accounting"]["holds"] = json!(false);
                    run["accounting"]["identities"][0]["right"] = json!(999);
                    run["accounting"]["identities"][0]["holds"] = json!(false);
                }),
            ),
        ],
        None,
    );
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at("intended = sent + unsent: 1000 is not 999") < at("Tester-limited"));
    assert!(at("Two threads share a core") < at("<section id=\"runs\""));
    at("It was interrupted");
    at("A target is not met: p99&lt;50us");
    assert!(!html.contains("loss=0"));
    at("the generator was late itself");
    assert!(!html.contains("Nothing stands against"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    assert_eq!(
        refusal("{\n  \"schema\": 1,\n  oops }"),
        "not JSON: key must be a string at line 3 column 3"
    );
    assert_eq!(
        refusal(""),
        "not JSON: EOF while parsing a value at line 1 column 0"
    );
    assert!(refusal("[]").contains("line 1"), "{}", refusal("[]"));
    let text =
        serde_json::to_string_pretty(&run(|run| run["workers"][1]["packets"] = json!("many")))
            .unwrap();
    let said = refusal(&text);
    assert!(
        said.starts_with("workers[1].packets: invalid type: string \"many\""),
        "{said}"
    );
    assert!(said.contains("line "), "{said}");
    let said = refusal(&run(|run| run["flags"] = json!(7)).to_string());
    assert!(said.starts_with("flags: invalid type"), "{said}");
    let said = refusal(
        &run(|run| {
            run.as_object_mut().unwrap().remove("accounting");
        })
        .to_string(),
    );
    assert!(said.contains("missing field `accounting`"), "{said}");
    let said = refusal(&run(|run| run["schema"] = json!(2)).to_string());
    assert!(said.contains("schema is 2, newer than 1"), "{said}");
    let said = refusal(&run(|run| run["verb"] = json!("sim")).to_string());
    assert!(said.contains("'sim'"), "{said}");
    assert!(refusal("{\"schema\":1}").contains("neither kind nor verb"));
    assert!(refusal("{\"kind\":\"search\"}").contains("missing field `schema`"));
    let said = refusal(&format!("{} trailing", run(|_| {})));
    assert!(said.contains("trailing"), "{said}");
    let mut of_profile = profile();
    of_profile["bench"]["drops"]["x"] = json!(-1);
    assert!(refusal(&of_profile.to_string()).starts_with("bench.drops.x: "));
    let files = Files::new();
    std::fs::write(files.path("bytes"), b"\xff").unwrap();
    let source = |file: &Path| Source {
        name: None,
        file: file.to_owned(),
    };
    let said = |file: &Path| -> BadResult { Page::read(&[source(file)], None).unwrap_err() };
    assert!(said(&files.path("bytes")).to_string().contains("not UTF-8"));
    assert!(
        said(&files.path("none"))
            .to_string()
            .contains("No such file")
    );
    let good = files.json("good.json", &run(|_| {}));
    let svg = files.write("no.svg", "hello");
    let error = Page::read(&[good], Some(&svg.file)).unwrap_err();
    assert!(error.to_string().contains("no SVG"), "{error}");
}

#[test]
fn a_page_of_extreme_figures_is_still_a_page() {
    let html = page(
        &[
            (
                "a.json",
                run(|run| {
                    with_latency(run);
                    run["offered_pps"] = json!(1e18);
                    run["delivered_pps"] = json!(5e-324);
                    run["sent"] = json!(u64::MAX);
                    run["workers"][0]["packets"] = json!(u64::MAX);
                    run["workers"][1]["packets"] = json!(u64::MAX);
                    run["generator"]["intended"] = json!(0);
                    run["latency_ns"] = json!({ "p50": 0, "p99": 1e18, "max": 0, "count": 0, "pNaN": 3, "p100": 4 });
                    run["intervals"] = json!([{ "at_ms": 0, "received": u64::MAX }, { "at_ms": 1e18, "p50_ns": 0 }]);
                }),
            ),
            (
                "b.json",
                run(|run| {
                    run["flags"]["endpoints"] = json!(u64::MAX);
                    run["workers"] = json!([]);
                    run["accounting"]["identities"] = json!([]);
                }),
            ),
        ],
        None,
    );
    assert!(!html.contains("NaN") && !html.contains("inf\""), "{html}");
}

#[test]
fn many_points_are_thinned_and_the_greatest_stay() {
    let html = page(
        &[(
            "a.json",
            run(|run| {
                with_latency(run);
                let intervals: Vec<Value> = (0..100_000)
                .map(|i| json!({ "at_ms": i, "p50_ns": 1000, "p99_ns": if i == 77_777 { 123_000_000 } else { 5000 } }))
                .collect();
                run["intervals"] = json!(intervals);
            }),
        )],
        None,
    );
    assert!(html.len() < 1_000_000, "{}", html.len());
    assert!(html.contains("123 ms"));
}

#[test]
fn the_rate_of_an_interval_is_by_its_own_length() {
    let files = Files::new();
    let source = files.json("a.json", &run(with_latency));
    let inputs = Inputs::read(&[source]).unwrap();
    let rates = interval_rates(&inputs.runs[0].result);
    // The last 10 ms are no interval.
    assert_eq!(rates, [(0.1, 1000.0), (0.2, 900.0), (0.3, 1100.0)]);
}

/// Runs with these rates, of these names.
fn of_rates(rates: &[(&str, f64)]) -> Inputs {
    let files = Files::new();
    let sources: Vec<_> = rates
        .iter()
        .enumerate()
        .map(|(i, (name, pps))| Source {
            name: (!name.is_empty()).then(|| (*name).to_owned()),
            ..files.json(
                &format!("{i}.json"),
                &run(|run| run["delivered_pps"] = json!(pps)),
            )
        })
        .collect();
    Inputs::read(&sources).unwrap()
}

#[test]
fn runs_of_a_name_are_repetitions_and_their_range_is_the_spread() {
    let inputs = of_rates(&[
        ("a", 10.0),
        ("b", 20.0),
        ("a", 12.0),
        ("b", 22.0),
        ("c", 11.0),
        ("c", 30.0),
        ("", 9.0),
    ]);
    let groups = groups(&inputs);
    let names: Vec<_> = groups
        .iter()
        .map(|group| (group.name, group.runs.len()))
        .collect();
    assert_eq!(names, [("a", 2), ("b", 2), ("c", 2), ("6", 1)]);
    let rate = |i: usize| {
        groups[i]
            .figure(|run| Some(run.rate()), |_| Vec::new())
            .unwrap()
    };
    assert_eq!(
        (rate(0).median, rate(0).spread, rate(0).basis),
        (11.0, Some((10.0, 12.0)), Basis::Runs(2))
    );
    assert_eq!(rate(1).against(&rate(0)), Verdict::Beyond);
    assert_eq!(rate(2).against(&rate(0)), Verdict::Within);
    assert_eq!(rate(3).against(&rate(0)), Verdict::Unknown);
}

#[test]
fn the_comparison_says_the_ratio_and_whether_it_is_more_than_the_spread() {
    let files = Files::new();
    let one = |i: usize, name: &str, pps: f64| Source {
        name: Some(name.to_owned()),
        ..files.json(
            &format!("{i}.json"),
            &run(|run| run["delivered_pps"] = json!(pps)),
        )
    };
    let sources = [
        one(0, "old", 10.0),
        one(1, "old", 12.0),
        one(2, "new", 33.0),
        one(3, "new", 33.0),
    ];
    let html = Page::read(&sources, None).unwrap().html();
    assert!(
        html.contains("\u{d7}3.00, better, beyond the spread"),
        "{html}"
    );
    assert!(
        html.contains("\u{d7}1.00, within the spread"),
        "the same nanoseconds per packet"
    );
    assert!(html.contains("nothing: the same conditions"));
    assert!(html.contains("median of 2 runs"));
}

#[test]
fn runs_at_other_rates_are_not_better_or_worse() {
    let slow = run(|run| {
        run["flags"]["rate"] = json!("10pps");
        run["delivered_pps"] = json!(10.0);
    });
    let html = page(&[("a.json", run(|_| {})), ("b.json", slow)], None);
    assert!(html.contains("\u{d7}0.01, at another rate"), "{html}");
    assert!(!html.contains("worse"));
}

/// The lines of the chart of that name, by the names in its legend or in its text.
fn chart<'a>(html: &'a str, title: &str) -> Option<&'a str> {
    let (_, chart) = html.split_once(&format!("<figcaption>{title}</figcaption>"))?;
    chart.split("</figure>").next()
}

#[test]
fn a_line_is_of_runs_that_differ_in_nothing_else() {
    let sized = |size: &str| run(|run| run["flags"]["frame_size"] = json!(size));
    let by_size = "Frames per second that arrived, by frame size";
    let one = [
        ("a.json", sized("64")),
        ("b.json", sized("512")),
        ("c.json", sized("imix")),
    ];
    let html = page(&one, None);
    let figure = chart(&html, by_size).unwrap();
    assert_eq!(figure.matches("<polyline").count(), 1);
    assert_eq!(figure.matches("<circle").count(), 3);
    // From 64 to 512: a mix is not between two sizes.
    let (_, points) = figure.split_once("points=\"").unwrap();
    let points = points.split('"').next().unwrap();
    assert_eq!(points.split(' ').count(), 2, "{points}");
    // Runs of another load are no part of it, and a run alone is no line.
    let other = run(|run| run["flags"]["family"] = json!("v6"));
    let html = page(&[one.to_vec(), vec![("d.json", other)]].concat(), None);
    assert_eq!(chart(&html, by_size).unwrap().matches("<circle").count(), 3);
    let html = page(&[("a.json", sized("64"))], None);
    assert_eq!(chart(&html, by_size), None);
    // Runs of the same load and other names are two lines.
    let files = Files::new();
    let mut sources = Vec::new();
    for (i, (name, size)) in [("old", "64"), ("old", "512"), ("new", "64"), ("new", "512")]
        .iter()
        .enumerate()
    {
        sources.push(Source {
            name: Some((*name).to_owned()),
            ..files.json(&format!("{i}.json"), &sized(size))
        });
    }
    let html = Page::read(&sources, None).unwrap().html();
    let figure = chart(&html, by_size).unwrap();
    assert_eq!(figure.matches("<polyline").count(), 2);
    assert!(
        figure.contains("as old") && figure.contains("as new"),
        "{figure}"
    );
}

#[test]
fn sources_have_names_or_not() {
    let source = |text: &str| text.parse::<Source>().map(|it| (it.name, it.file));
    assert_eq!(source("a.json"), Ok((None, "a.json".into())));
    assert_eq!(
        source("before=a=b.json"),
        Ok((Some("before".to_owned()), "a=b.json".into()))
    );
    assert_eq!(source("dir/a=b.json"), Ok((None, "dir/a=b.json".into())));
    for text in ["=a.json", "a="] {
        let error = source(text).unwrap_err().to_string();
        assert!(error.contains("NAME=FILE"), "{error}");
    }
}

#[test]
fn the_least_load_of_a_search_is_none_and_not_a_share_of_its_rate() {
    let mut result = search();
    let trickle = json!({ "fraction": 0.0, "offered_pps": 1000.0, "latency_ns": { "p50": 500, "p99": 900, "max": 950, "count": 100 } });
    let latency = result["sizes"][0]["latency"].as_array_mut().unwrap();
    latency.push(trickle);
    let html = page(&[("s2.json", result)], None);
    assert!(html.contains("s2, 64 at no load"), "{html}");
    assert!(html.contains("s2, 64 at 50.0% of its rate"));
    assert!(!html.contains("at 0.0%"));
}

#[test]
fn the_deviation_of_bursts_is_in_frames() {
    assert!(page(&[("s.json", search())], None).contains("3.0 frames"));
}

/// What the comparison says that a second run differs in from `run`.
fn differs_in(first: Value, second: Value) -> String {
    let html = page(&[("a.json", first), ("b.json", second)], None);
    let cells: Vec<_> = html.split("<td class=\"differs\">").skip(1).collect();
    let (text, _) = cells[1].split_once("</td>").unwrap();
    text.to_owned()
}

#[test]
fn options_of_one_kind_of_result_only_are_no_difference() {
    let replay = |link: Value| {
        run(|run| {
            run["verb"] = json!("replay");
            run["flags"] = json!({ "workers": 2, "speed": "1", "own": true, "link": link });
        })
    };
    let bench = || run(|run| run["flags"]["workers"] = json!(1));
    let engine = replay(Value::Null);
    assert_eq!(differs_in(bench(), engine.clone()), "replay, workers 2");
    let on_links = replay(json!("tap:t0"));
    assert_eq!(
        differs_in(bench(), on_links),
        "replay on real links, workers 2"
    );
    // Of the same kind, one that is not in effect is another condition.
    let churned = run(|run| run["flags"]["rate"] = Value::Null);
    assert_eq!(differs_in(run(|_| {}), churned), "rate \u{2013}");
}

#[test]
fn what_follows_from_other_options_is_no_difference() {
    let with = |slots: u32, derived: &[&str]| {
        run(|run| {
            run["flags"]["pool_slots"] = json!(slots);
            run["derived"] = json!(derived);
        })
    };
    let derived = || with(1000, &["pool_slots"]);
    assert_eq!(
        differs_in(derived(), with(2000, &["pool_slots"])),
        "nothing: the same conditions"
    );
    assert_eq!(differs_in(derived(), with(2000, &[])), "pool_slots 2000");
}

#[test]
fn the_comparison_has_room_in_a_window_of_the_usual_width() {
    let html = page(
        &[("a.json", run(with_latency)), ("b.json", run(with_latency))],
        None,
    );
    assert!(html.contains("<table class=\"compared\">"));
    // What is below a figure may take several lines, which break between figures and not within one.
    assert!(html.contains(".compared .sub { white-space: normal; }"));
    assert!(
        html.contains("in the run 900.00\u{a0}pps to 1.10\u{a0}kpps"),
        "{html}"
    );
}
