//! The built binary, run for fractions of a second: what it prints, how it ends, and whether its
//! books balance.

use std::io::{BufRead, BufReader, Write};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use corelane::io::pcap::{Capture, PcapWriter};
use corelane::wire::MacAddr;
use corelane::wire::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};
use serde_json::{Value, json};

/// Runs are short: these are checks of the books, not of speed.
const SHORT: [&str; 4] = ["--duration", "200ms", "--warmup", "50ms"];

fn corelane(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs with `--json -`, checks exit status and identities, and returns the result.
fn result(args: &[&str]) -> Value {
    let output = corelane(&[args, &["--json", "-"]].concat());
    let json: Value = serde_json::from_str(text(&output.stdout))
        .unwrap_or_else(|_| panic!("{args:?}: {}", text(&output.stderr)));
    check_identities(&json);
    // On a machine that has much else to do, the generator is late.
    let status = if json["tester_limited"] == true { 5 } else { 0 };
    assert_eq!(output.status.code(), Some(status), "{args:?}: {json}");
    json
}

fn bench(args: &[&str]) -> Value {
    result(&[&["bench"], &SHORT[..], args].concat())
}

fn n(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no count"))
}

fn sum(object: &Value) -> u64 {
    object.as_object().unwrap().values().map(n).sum()
}

/// The identities, computed here from the raw figures.
fn check_identities(json: &Value) {
    let generator = &json["generator"];
    assert_eq!(json["schema"], 1);
    assert_eq!(
        n(&generator["intended"]),
        n(&generator["sent"]) + sum(&generator["unsent"])
    );
    assert_eq!(n(&json["sent"]), n(&generator["sent"]));
    assert_eq!(
        n(&json["sent"]),
        n(&json["received"]) + sum(&generator["drops"])
    );
    let order = &json["order"];
    let unique = n(&order["in_order"]) + n(&order["reordered"]);
    assert_eq!(
        n(&order["numbered"]),
        unique + n(&order["missing"]),
        "each number is there or missing"
    );
    for wrong in ["reordered", "duplicates", "corrupt", "too_late"] {
        assert_eq!(n(&order[wrong]), 0, "{wrong}: {order}");
    }
    let ended = n(&json["delivered"]) + n(&json["forwarded"]) + n(&json["consumed"]);
    assert_eq!(n(&json["received"]), ended + sum(&json["drops"]));
    assert_eq!(n(&json["in_flight_at_end"]), 0);
    let egress = &json["egress"];
    if !egress.is_null() {
        assert_eq!(
            n(&json["forwarded"]),
            n(&egress["sent"]) + n(&egress["send_dropped"])
        );
        assert_eq!(egress["sent"], egress["taken"]);
    }
    let sockets = &json["sockets"];
    if !sockets.is_null() {
        assert_eq!(json["delivered"], sockets["read"]);
        assert_eq!(sockets["queued"], sockets["read"]);
        assert_eq!(json["drops"]["socket_full"], sockets["full"]);
        assert_eq!(json["drops"]["socket_closed"], sockets["closed"]);
    }
    let workers = json["workers"].as_array().unwrap();
    assert_eq!(
        n(&json["received"]),
        workers.iter().map(|w| n(&w["packets"])).sum::<u64>()
    );
    assert_eq!(
        n(&json["received_bytes"]),
        workers.iter().map(|w| n(&w["bytes"])).sum::<u64>()
    );
    assert_eq!(json["accounting"]["holds"], true);
    assert_eq!(json["datapath_allocations"], 0);
    for worker in workers {
        let busy = worker["busy_ratio"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&busy), "{busy}");
    }
}

#[test]
fn bench_delivers_everything_it_sends() {
    let json = bench(&[]);
    assert!(n(&json["delivered"]) > 1000, "{json}");
    assert_eq!(json["delivered"], json["sent"]);
    assert_eq!(json["generator"]["unsent"]["late"], 0);
    assert_eq!(sum(&json["drops"]), 0);
    // Half of the frames are 60 bytes, half 62.
    let mean = json["received_bytes"].as_f64().unwrap() / json["received"].as_f64().unwrap();
    assert!((mean - 61.0).abs() < 0.1, "{mean}");
    assert_eq!(json["verb"], "bench");
    assert_eq!(json["flags"]["rate"], "max");
    assert_eq!(json["seed"], 1);
    assert!(json["latency_ns"].is_null() && json["churn"].is_null());
    assert!(json["egress"].is_null() && json["sockets"].is_null());
    assert!(!json["machine"]["cpu"].as_str().unwrap().is_empty());
    let rate = json["delivered_pps"].as_f64().unwrap();
    let window = json["window_s"].as_f64().unwrap();
    assert!((rate * window / json["delivered"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!(window >= 0.2);
}

#[test]
fn bench_with_many_endpoints() {
    let json = bench(&["--endpoints", "100k", "--destinations", "zipf:1"]);
    assert_eq!(json["delivered"], json["sent"]);
    assert_eq!(json["setup"]["endpoints"], 100_000);
}

#[test]
fn bench_with_a_thread_for_each_of_more_workers_than_cores() {
    let json = bench(&["--workers", "5", "--family", "v4"]);
    let workers = json["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 5);
    assert!(
        workers.iter().all(|worker| n(&worker["packets"]) > 0),
        "{json}"
    );
    if std::thread::available_parallelism().unwrap().get() < 6 {
        let warning = json["warnings"][0].as_str().unwrap();
        assert!(warning.contains("6 polling threads share"), "{warning}");
    }
}

#[test]
fn misses_are_delivered_in_promiscuous_mode_and_dropped_otherwise() {
    let json = bench(&["--promiscuous", "--hit-ratio", "0"]);
    assert_eq!(json["delivered"], json["received"]);
    let json = bench(&["--hit-ratio", "0"]);
    assert_eq!(json["drops"]["invalid_address"], json["received"]);
    assert_eq!(json["delivered"], 0);
    let json = bench(&["--hit-ratio", "25%", "--family", "v6"]);
    let hits = json["delivered"].as_f64().unwrap() / json["received"].as_f64().unwrap();
    assert!((0.23..0.27).contains(&hits), "{hits}");
}

#[test]
fn addresses_churn_beside_the_traffic() {
    let json = bench(&["--churn", "10k"]);
    assert_eq!(
        json["delivered"], json["sent"],
        "no endpoint of the traffic is touched"
    );
    let churn = &json["churn"];
    assert_eq!(
        (n(&churn["failed"]), &churn["asked_per_s"]),
        (0, &Value::from(10_000.0))
    );
    assert!(n(&churn["changes"]) > 0);
    assert_eq!(churn["changes"], churn["publish_ns"]["count"]);
    assert!(n(&churn["publish_ns"]["p99"]) >= n(&churn["publish_ns"]["p50"]));
}

#[test]
fn forwarding_sends_everything_on_by_the_routes() {
    for args in [
        &["--routes", "1"][..],
        &["--routes", "10k", "--neighbors", "3", "--family", "v4"],
        &["--family", "v6", "--frame-size", "imix", "--workers", "2"],
        &["--frame-size", "9218", "--destinations", "zipf:1"],
    ] {
        let json = bench(&[&["--forward"], args].concat());
        assert!(n(&json["forwarded"]) > 0, "{args:?}");
        assert_eq!(json["forwarded"], json["sent"], "{args:?}: nothing is lost");
        let egress = &json["egress"];
        assert_eq!(egress["taken"], json["forwarded"], "{args:?}");
        assert_eq!(
            egress["sent_bytes"], json["received_bytes"],
            "{args:?}: no packet is cut"
        );
        let rate = json["forwarded_pps"].as_f64().unwrap();
        let window = json["window_s"].as_f64().unwrap();
        assert!((rate * window / json["forwarded"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn routes_churn_beside_the_traffic() {
    let json = bench(&["--forward", "--routes", "500", "--churn", "10k"]);
    assert_eq!(
        json["forwarded"], json["sent"],
        "a route that goes has another behind it"
    );
    let churn = &json["churn"];
    assert_eq!(n(&churn["failed"]), 0);
    assert!(n(&churn["changes"]) > 0);
    assert_eq!(churn["changes"], churn["publish_ns"]["count"]);
    let setup = &json["setup"];
    assert_eq!((n(&setup["routes"]), n(&setup["neighbors"])), (500, 128));
    assert_eq!(n(&setup["endpoints"]), 0);
    assert_eq!(n(&json["flags"]["routes"]), 500);
}

#[test]
fn the_latency_of_what_is_forwarded_is_measured_where_it_leaves() {
    let json = bench(&["--forward", "--rate", "100kpps", "--latency"]);
    assert!(n(&json["forwarded"]) > 0);
    assert_eq!(json["latency_ns"]["count"], json["egress"]["taken"]);
    assert!(n(&json["latency_ns"]["p50"]) > 0);
    assert_eq!(n(&json["delivered"]), 0);
}

#[test]
fn sockets_deliver_what_their_reader_takes() {
    for args in [
        &["--sockets", "100", "--rate", "100kpps"][..],
        &["--sockets", "1", "--family", "v6", "--workers", "2"],
        &["--sockets", "10", "--hit-ratio", "50%", "--churn", "5k"],
    ] {
        let json = bench(args);
        let sockets = &json["sockets"];
        assert!(n(&sockets["read"]) > 0, "{args:?}");
        assert!(n(&sockets["read_bytes"]) >= 60 * n(&sockets["read"]));
        assert_eq!(n(&sockets["closed"]), 0, "{args:?}");
        assert_eq!(
            json["setup"]["endpoints"], json["flags"]["sockets"],
            "{args:?}"
        );
        let dropped = n(&sockets["full"]) + n(&json["drops"]["invalid_address"]);
        assert_eq!(dropped, sum(&json["drops"]), "{args:?}");
    }
}

#[test]
fn a_fixed_rate_is_planned_and_its_latency_measured() {
    for (rate, arrival) in [
        ("200kpps", "cbr"),
        ("134.4mbps", "poisson"),
        ("0.2Mpps", "burst:16"),
    ] {
        let json = bench(&[
            "--rate",
            rate,
            "--arrival",
            arrival,
            "--latency",
            "--family",
            "v4",
        ]);
        let planned = json["generator"]["planned_pps"].as_f64().unwrap();
        assert!((planned - 200_000.0).abs() < 1.0, "{planned}");
        let intended = n(&json["generator"]["intended"]);
        let tolerance = if arrival == "poisson" { 2_000 } else { 16 };
        assert!(
            intended.abs_diff(40_000) <= tolerance,
            "{arrival}: {intended}"
        );
        assert!((json["window_s"].as_f64().unwrap() - 0.2).abs() < 1e-9);
        let latency = &json["latency_ns"];
        assert_eq!(latency["count"], json["delivered"]);
        // On a busy machine too few may come for those far out.
        let percentiles: Vec<u64> = ["p50", "p90", "p99", "p99.9", "p99.99", "max"]
            .iter()
            .filter_map(|p| latency[p].as_u64())
            .collect();
        assert!(
            percentiles.len() >= 2 && percentiles.is_sorted() && percentiles[0] > 0,
            "{percentiles:?}"
        );
        assert!(json["latency_limited_by_generator"].is_boolean());
    }
}

#[test]
fn a_rate_in_percent_is_calibrated_first() {
    let json = bench(&["--rate", "10%"]);
    let calibrated = json["generator"]["calibrated_pps"].as_f64().unwrap();
    let planned = json["generator"]["planned_pps"].as_f64().unwrap();
    assert!(calibrated > 0.0 && (planned / calibrated - 0.1).abs() < 1e-9);
}

#[test]
fn what_is_too_fast_is_not_sent_and_said() {
    let json = bench(&["--rate", "500Mpps", "--frame-size", "1518"]);
    assert!(n(&json["generator"]["unsent"]["late"]) > 0);
    assert!(json["achieved_pps"].as_f64() < json["offered_pps"].as_f64());
}

#[test]
fn a_pool_that_is_too_small_is_said() {
    let json = bench(&["--pool-slots", "64"]);
    assert!(n(&json["generator"]["polls"]["starved"]) > 0, "{json}");
}

#[test]
fn large_frames_and_mixes() {
    let json = bench(&["--frame-size", "9218", "--family", "v4"]);
    assert_eq!(n(&json["received_bytes"]), 9214 * n(&json["received"]));
    let json = bench(&["--frame-size", "imix", "--family", "v4"]);
    let mean = json["received_bytes"].as_f64().unwrap() / json["received"].as_f64().unwrap();
    // 353.83 with the check sequence.
    assert!((mean - 349.8).abs() < 5.0, "{mean}");
}

#[test]
fn the_report_is_one_screen_and_nothing_else() {
    let output = corelane(
        &[
            &["bench"],
            &SHORT[..],
            &["--latency", "--rate", "100kpps", "--workers", "1"],
        ]
        .concat(),
    );
    assert!(matches!(output.status.code(), Some(0 | 5)));
    assert_eq!(
        text(&output.stderr),
        "",
        "no progress line where there is no terminal"
    );
    let report = text(&output.stdout);
    assert!(report.starts_with("corelane bench "));
    assert!(report.lines().count() <= 36, "{report}");
    assert!(report.contains("in flight at the end 0: holds"), "{report}");
    assert!(
        report.contains("allocations  0 on the datapath"),
        "{report}"
    );
}

#[test]
fn json_goes_to_a_file_beside_the_text() {
    let path = scratch("result.json");
    let file = path.to_str().unwrap();
    let output = corelane(&[&["bench"], &SHORT[..], &["--json", file]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("corelane bench "));
    check_identities(&serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap());
}

#[test]
fn bad_usage_is_one_message_and_status_2() {
    for (args, message) in [
        (
            &["bench", "--frame-size", "imx"][..],
            "corelane: --frame-size: 'imx' is not a frame size: bytes from 64 to 9218, a mix (imix, trex, csit, csit-v6, tolly, \
             rpr-tri, rpr-quad, rfc2544) or genome:LETTERS; did you mean 'imix'?\n",
        ),
        (
            &["bench", "--endpoints", "10000001"],
            "corelane: --endpoints: '10000001' is not a number of endpoints: a whole number from 1 \
             to 10000000; did you mean '10000000'?\n",
        ),
        (
            &[
                "bench",
                "--capture",
                "5",
                "--capture-file",
                "/nonexistent/x.pcapng",
            ],
            "corelane: --capture-file: cannot write /nonexistent/x.pcapng: No such file or directory (os \
             error 2)\n",
        ),
        (
            &["bench", "--forward", "--sockets", "10"],
            "corelane: --forward: not together with --sockets\n",
        ),
        (
            &["bench", "--sockets", "10", "--latency"],
            "corelane: --sockets: not together with --latency\n",
        ),
        (
            &["bench", "--routes", "10"],
            "corelane: --forward is missing, which --routes is about\n",
        ),
        (
            &["bench", "--json", "/nonexistent/x.json"],
            "corelane: --json: cannot write /nonexistent/x.json: No such file or directory (os \
             error 2)\n",
        ),
        (
            &["replay", "/nonexistent.pcap"],
            "corelane: /nonexistent.pcap: No such file or directory (os error 2)\n",
        ),
    ] {
        let output = corelane(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!((text(&output.stderr), text(&output.stdout)), (message, ""));
    }
}

#[test]
fn a_core_that_is_not_ours_is_refused() {
    let output = corelane(&["bench", "--cores", "8000"]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(
        message.starts_with("corelane: --cores: core 8000 is not one this process may run on"),
        "{message}"
    );
}

#[test]
fn help_and_version_end_well() {
    for args in [
        &["--help"][..],
        &["bench", "--help"],
        &["replay", "--help"],
        &["--version"],
    ] {
        let output = corelane(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
    assert_eq!(corelane(&[]).status.code(), Some(2));
}

/// Interrupts a run, and waits until it has ended.
fn end_in_order(child: &mut Child) {
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let deadline = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[cfg(unix)]
fn what_measures_nothing_ends_in_order_too() {
    let frames = scratch("endless.pcap");
    let name = frames.to_str().unwrap();
    // A hundred frames a second, so that the file stays small: they are written as fast as can be, for a day.
    let line = format!("bench --pcap-out {name} --rate 100pps --endpoints 1 --duration 24h");
    let mut child = start(&line);
    while std::fs::metadata(&frames).is_ok_and(|file| file.len() < 100_000) || !frames.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    end_in_order(&mut child);
    let output = child.wait_with_output().unwrap();
    let capture = Capture::open(&frames).unwrap();
    let n = capture.packets().count();
    // A machine may be so fast that it has written all of it.
    if n < 8_640_000 {
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
        let said = format!("{n} frames written to {name}, none sent; interrupted\n");
        assert_eq!(text(&output.stdout), said);
    }
    std::fs::remove_file(&frames).unwrap();

    let mut child = start("selftest --duration 1h --json -");
    std::thread::sleep(Duration::from_secs(2));
    end_in_order(&mut child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let json: Value = serde_json::from_str(text(&output.stdout)).unwrap();
    assert_eq!(
        (&json["interrupted"], &json["passed"], &json["ledger"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    assert_eq!(
        json["ceilings"],
        json!([]),
        "what was cut short is no ceiling"
    );
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_reports_and_ends_with_130() {
    let file = scratch("interrupted.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(["bench", "--duration", "1h", "--warmup", "50ms", "--json"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says how far it is.
    let mut progress = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.starts_with("measuring: ") {
        said.clear();
        assert!(progress.read_line(&mut said).unwrap() > 0, "it ended");
    }
    end_in_order(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    check_identities(&json);
    assert_eq!(json["interrupted"], true);
    assert!(n(&json["delivered"]) > 0);
}

/// Interrupts what has measured nothing yet, and checks that it ends without a report.
#[cfg(unix)]
fn end_before_it_began(line: &str, mut child: Child) {
    end_in_order(&mut child);
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{line}: {said}");
    assert!(
        said.ends_with("corelane: interrupted before there was anything to report\n"),
        "{line}: {said}"
    );
    assert_eq!(text(&output.stdout), "", "{line}");
}

#[cfg(unix)]
fn start(line: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
    let child = command.args(line.split(' ')).stdout(Stdio::piped());
    child.stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
#[cfg(unix)]
fn what_large_tables_take_is_not_waited_for_by_who_interrupts() {
    let [file, streams, out] = ["large.json", "large.toml", "profile"].map(scratch);
    let [json, streams, out] = [&file, &streams, &out].map(|it| it.to_str().unwrap());
    // So many that no machine has drawn the frames for all of them before it is told to end.
    std::fs::write(streams, "[[stream]]\nrate = \"1kpps\"\n".repeat(16)).unwrap();
    let sizes: Vec<_> = (64..94).map(|size| size.to_string()).collect();
    let sizes = sizes.join(",");
    for load in [
        format!("bench --endpoints 10m --profile {streams}"),
        format!("profile --out {out} --sampler in-process --endpoints 10m --profile {streams}"),
        format!("search --endpoints 10m --frame-size {sizes}"),
        format!("search --forward --routes 1m --frame-size {sizes}"),
    ] {
        let line = format!("{load} --json {json}");
        let child = start(&line);
        // Made before all that takes long.
        while !file.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        end_before_it_began(&line, child);
        std::fs::remove_file(&file).unwrap();
    }
}

/// A pipe into which nothing comes is the longest file that there is.
#[test]
#[cfg(unix)]
fn what_large_files_take_is_not_waited_for_by_who_interrupts() {
    let pipe = scratch("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let name = pipe.to_str().unwrap();
    for line in [
        format!("replay {name}"),
        format!("bench --profile {name}"),
        format!("search --profile {name}"),
        format!("profile --profile {name}"),
        format!("compare {name} {name}"),
    ] {
        let mut child = start(&line);
        let mut options = std::fs::OpenOptions::new();
        options
            .write(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
        // It opens once there is somebody who reads.
        let writer = loop {
            match options.open(&pipe) {
                Ok(writer) => break writer,
                Err(_) => assert!(child.try_wait().unwrap().is_none(), "{line}: it ended"),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        end_before_it_began(&line, child);
        drop(writer);
    }
}

/// A file of this test's own, in the directory for such files.
fn scratch(name: &str) -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("test").replace("::", "-");
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{test}-{name}", std::process::id()))
}

/// UDP frames to 192.0.2.1 and 2001:db8::1 in turn, a multicast one, and one cut short.
fn packets() -> Vec<Vec<u8>> {
    let (source_mac, destination_mac) = (MacAddr([2, 0, 0, 0, 0, 9]), MacAddr([2, 0, 0, 0, 0, 8]));
    let v4 = |destination: &str| {
        let (source, destination) = (
            "198.51.100.7".parse().unwrap(),
            destination.parse().unwrap(),
        );
        let spec = FrameSpec {
            source_mac,
            destination_mac,
            source,
            destination,
            ttl: 9,
        };
        let mut frame = vec![0; 128];
        let ports = Ports {
            source: 5000,
            destination: 6000,
        };
        let len = build_udp_ipv4(&mut frame, &spec, ports, b"some payload").unwrap();
        frame.truncate(len);
        frame
    };
    let v6 = {
        let (source, destination) = (
            "2001:db8::7".parse().unwrap(),
            "2001:db8::1".parse().unwrap(),
        );
        let spec = FrameSpec {
            source_mac,
            destination_mac,
            source,
            destination,
            ttl: 9,
        };
        let mut frame = vec![0; 128];
        let ports = Ports {
            source: 5000,
            destination: 6000,
        };
        let len = build_udp_ipv6(&mut frame, &spec, ports, b"some payload").unwrap();
        frame.truncate(len);
        frame
    };
    let cut = v6[..30].to_vec();
    let mut packets = Vec::new();
    for _ in 0..10 {
        packets.extend([v4("192.0.2.1"), v6.clone()]);
    }
    packets.extend([v4("224.0.0.251"), cut]);
    packets
}

/// A classic pcap file with packets 100 us apart.
fn pcap(magic: u32, link_type: u32, big_endian: bool, packets: &[Vec<u8>]) -> Vec<u8> {
    let u32s = |values: &[u32]| -> Vec<u8> {
        let bytes = |v: &u32| {
            if big_endian {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        values.iter().flat_map(bytes).collect()
    };
    let version = if big_endian { 0x0002_0004 } else { 0x0004_0002 };
    let mut file = u32s(&[magic, version, 0, 0, 262_144, link_type]);
    let per_100_us = if magic == 0xa1b2_3c4d { 100_000 } else { 100 };
    for (i, packet) in packets.iter().enumerate() {
        let len = packet.len() as u32;
        file.extend(u32s(&[1_000, i as u32 * per_100_us, len, len]));
        file.extend_from_slice(packet);
    }
    file
}

/// A pcapng file of one section and one Ethernet interface with microseconds.
fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let len = (12 + padded) as u32;
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&len.to_le_bytes());
        file.extend_from_slice(body);
        file.resize(file.len() + padded - body.len(), 0);
        file.extend_from_slice(&len.to_le_bytes());
    };
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend_from_slice(&[1, 0, 0, 0]);
    section.extend_from_slice(&[0xff; 8]);
    block(0x0a0d_0d0a, &section);
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    for (i, packet) in packets.iter().enumerate() {
        let mut body = Vec::new();
        for field in [
            0,
            0,
            i as u32 * 100,
            packet.len() as u32,
            packet.len() as u32,
        ] {
            body.extend_from_slice(&field.to_le_bytes());
        }
        body.extend_from_slice(packet);
        block(6, &body);
    }
    file
}

fn file(name: &str, bytes: &[u8]) -> String {
    let path = scratch(name);
    std::fs::File::create(&path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
    path.to_str().unwrap().to_owned()
}

/// Every format and link type that is read, by name.
fn captures() -> Vec<(&'static str, Vec<u8>)> {
    let ethernet = packets();
    let raw: Vec<Vec<u8>> = ethernet
        .iter()
        .map(|packet| packet[14..].to_vec())
        .collect();
    let with_header = |header: fn(bool) -> Vec<u8>| -> Vec<Vec<u8>> {
        let is_v4 = |packet: &[u8]| packet[0] >> 4 == 4;
        raw.iter()
            .map(|packet| [header(is_v4(packet)), packet.clone()].concat())
            .collect()
    };
    let loopback = with_header(|is_v4| {
        if is_v4 {
            vec![2, 0, 0, 0]
        } else {
            vec![30, 0, 0, 0]
        }
    });
    let cooked = with_header(|is_v4| {
        let mut header = vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0];
        header.extend_from_slice(if is_v4 { &[0x08, 0] } else { &[0x86, 0xdd] });
        header
    });
    let mut written = PcapWriter::new(Vec::new()).unwrap();
    for (i, packet) in ethernet.iter().enumerate() {
        written
            .write(1_000_000_000 + 100_000 * i as u64, packet)
            .unwrap();
    }
    vec![
        ("micro.pcap", pcap(0xa1b2_c3d4, 1, false, &ethernet)),
        ("nano.pcap", pcap(0xa1b2_3c4d, 1, false, &ethernet)),
        ("big.pcap", pcap(0xa1b2_c3d4, 1, true, &ethernet)),
        ("written.pcap", written.into_inner().unwrap()),
        ("ng.pcapng", pcapng(&ethernet)),
        ("raw.pcap", pcap(0xa1b2_c3d4, 101, false, &raw)),
        ("loopback.pcap", pcap(0xa1b2_c3d4, 0, false, &loopback)),
        ("cooked.pcap", pcap(0xa1b2_c3d4, 113, false, &cooked)),
    ]
}

#[test]
fn every_format_replays_alike() {
    for (name, bytes) in captures() {
        let path = file(name, &bytes);
        let json = result(&["replay", &path, "--own", "--repeat", "3"]);
        assert_eq!((n(&json["sent"]), n(&json["received"])), (66, 66), "{name}");
        assert_eq!(n(&json["delivered"]), 60, "{name}: {json}");
        assert_eq!(
            json["drops"]["invalid_address"], 3,
            "{name}: the multicast packet"
        );
        assert_eq!(n(&json["setup"]["endpoints"]), 2, "{name}");
        assert_eq!(json["verb"], "replay");
        let capture = &json["captures"][0];
        assert_eq!(
            (n(&capture["packets"]), n(&capture["skipped"])),
            (22, 0),
            "{name}"
        );
        assert!(capture["broken"].is_null());
    }
}

#[test]
fn without_addresses_a_replay_is_dropped_and_says_what_to_do() {
    let path = file("a.pcap", &pcap(0xa1b2_c3d4, 1, false, &packets()));
    let json = result(&["replay", &path]);
    assert_eq!(
        (n(&json["delivered"]), &json["drops"]["invalid_address"]),
        (0, &Value::from(21))
    );
    let json = result(&["replay", &path, "--promiscuous"]);
    assert!(n(&json["delivered"]) >= 20, "{json}");
    let output = corelane(&["replay", &path]);
    let report = text(&output.stdout);
    assert!(report.contains("--own gives it the"), "{report}");
}

#[test]
fn a_replay_keeps_the_pace_it_is_told() {
    // 22 packets, 100 us apart, three rounds: 66 gaps are 6.6 ms.
    let path = file("pace.pcap", &pcap(0xa1b2_c3d4, 1, false, &packets()));
    for (speed, least_s) in [("1", 0.0065), ("0.1x", 0.065), ("100", 0.00006)] {
        let args = [
            "replay",
            &path,
            "--own",
            "--repeat",
            "3",
            "--speed",
            speed,
            "--latency",
        ];
        let json = result(&args);
        let window = json["window_s"].as_f64().unwrap();
        assert!(window >= least_s, "{speed}: {window}");
        assert_eq!(n(&json["generator"]["intended"]), 66);
        assert_eq!(json["latency_ns"]["count"], json["delivered"]);
    }
}

#[test]
fn a_replay_goes_on_for_its_time_and_sends_on() {
    // 22 packets, 100 us apart.
    let path = file("on.pcap", &pcap(0xa1b2_c3d4, 1, false, &packets()));
    let timed = ["replay", &path, "--speed", "1", "--latency"];
    let json = result(&[&timed[..], &["--own", "--duration", "100ms"]].concat());
    assert_eq!(n(&json["generator"]["intended"]), 1000);
    assert!(json["flags"]["repeat"].is_null());
    let one = file("one.pcap", &pcap(0xa1b2_c3d4, 1, false, &packets()[..1]));
    let output = corelane(&["replay", &one, "--speed", "1", "--duration", "100ms"]);
    assert_eq!(output.status.code(), Some(2));
    let message = "--duration: all packets of the capture have one time, so that it has no pace to go on at; did you \
                   mean '--speed max'?";
    assert!(
        text(&output.stderr).contains(message),
        "{}",
        text(&output.stderr)
    );
    let on = ["--forward", "--duration", "300ms", "--churn", "1000"];
    let json = result(&[&timed[..], &on].concat());
    assert_eq!(n(&json["generator"]["intended"]), 3000);
    // All but the multicast packet and what is no IP packet.
    let forwarded = n(&json["forwarded"]);
    let rounds = n(&json["received"]) / 22;
    assert!(
        (20 * rounds..=20 * rounds + 20).contains(&forwarded),
        "{json}"
    );
    assert_eq!(json["egress"]["taken"], json["forwarded"]);
    assert_eq!(json["latency_ns"]["count"], json["forwarded"]);
    assert_eq!(n(&json["setup"]["routes"]), 2);
    let churn = &json["churn"];
    assert!(n(&churn["changes"]) > 30 && churn["failed"] == 0, "{churn}");
}

#[test]
fn several_files_follow_each_other() {
    let a = file("a.pcap", &pcap(0xa1b2_c3d4, 1, false, &packets()));
    let b = file("b.pcapng", &pcapng(&packets()));
    let json = result(&["replay", &a, &b, "--own"]);
    assert_eq!((n(&json["sent"]), n(&json["delivered"])), (44, 40));
    assert_eq!(json["captures"].as_array().unwrap().len(), 2);
}

#[test]
fn a_broken_capture_is_replayed_as_far_as_it_goes() {
    let empty = file("empty.pcap", &pcap(0xa1b2_c3d4, 1, false, &[]));
    for args in [
        &["replay", &empty][..],
        &["replay", &empty, "--speed", "1", "--latency"],
    ] {
        let output = corelane(args);
        assert_eq!(output.status.code(), Some(2), "there is nothing to measure");
        assert!(text(&output.stderr).starts_with("corelane: no packets in "));
    }
    let mut bytes = pcap(0xa1b2_c3d4, 1, false, &packets());
    bytes.truncate(bytes.len() - 10);
    let broken = file("broken.pcap", &bytes);
    let json = result(&["replay", &broken, "--own"]);
    assert_eq!(n(&json["sent"]), 21);
    let why = json["captures"][0]["broken"].as_str().unwrap();
    assert!(why.contains("the file ends inside a packet"), "{why}");
    assert!(
        json["warnings"][0]
            .as_str()
            .unwrap()
            .contains("the rest could not be used")
    );
}

#[test]
fn files_that_are_no_use_are_refused_with_status_2() {
    let wireless = file("wireless.pcap", &pcap(0xa1b2_c3d4, 105, false, &packets()));
    let text_file = file("text.txt", b"hello, this is no capture");
    let nothing = file("nothing.pcap", b"");
    let directory = env!("CARGO_TARGET_TMPDIR").to_owned();
    for (path, what) in [
        (wireless, "link type "),
        (text_file, "not a pcap or pcapng file"),
        (nothing, "the file is empty"),
        (directory, "directory"),
    ] {
        let output = corelane(&["replay", &path]);
        assert_eq!(output.status.code(), Some(2), "{path}");
        let message = text(&output.stderr);
        assert!(
            message.starts_with(&format!("corelane: {path}: ")),
            "{message}"
        );
        assert!(message.contains(what), "{message}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn targets_are_met_or_end_with_status_4() {
    let json = bench(&["--slo", "loss=0,rate>=1pps"]);
    assert_eq!(json["slo"]["met"], true);
    let args = ["bench", "--slo", "loss=0,rate>900Mpps", "--json", "-"];
    let output = corelane(&[&args[..], &SHORT[..]].concat());
    assert_eq!(output.status.code(), Some(4));
    let json: Value = serde_json::from_str(text(&output.stdout)).unwrap();
    let goals = &json["slo"]["goals"];
    assert_eq!(
        (&goals[0]["met"], &goals[1]["met"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(json["slo"]["met"], false);
    // A target of latency has it measured.
    let json = bench(&["--slo", "max<100s", "--rate", "10kpps"]);
    assert_eq!(json["slo"]["met"], true);
    assert!(n(&json["latency_ns"]["count"]) > 0);
}

#[test]
fn a_series_adds_up_to_the_whole() {
    let json = result(&[
        "bench",
        "--latency",
        "--rate",
        "50kpps",
        "--duration",
        "350ms",
    ]);
    let intervals = json["intervals"].as_array().unwrap();
    assert!(intervals.len() >= 3, "{intervals:?}");
    let sum = |field: &str| {
        intervals
            .iter()
            .map(|interval| n(&interval[field]))
            .sum::<u64>()
    };
    assert_eq!(sum("sent"), n(&json["sent"]));
    assert_eq!(sum("received"), n(&json["received"]));
    assert_eq!(sum("dropped"), sum_of_drops(&json));
    let ends: Vec<u64> = intervals
        .iter()
        .map(|interval| n(&interval["at_ms"]))
        .collect();
    assert!(ends.is_sorted(), "{ends:?}");
}

fn sum_of_drops(json: &Value) -> u64 {
    sum(&json["drops"]) + n(&json["generator"]["drops"]["ring_full"])
}

#[test]
fn latencies_are_written_for_the_plotters() {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    let (hgrm, hlog) = (scratch("out.hgrm"), scratch("out.hlog"));
    let json = result(&[
        "bench",
        "--rate",
        "50kpps",
        "--duration",
        "350ms",
        "--hgrm",
        hgrm.to_str().unwrap(),
        "--hlog",
        hlog.to_str().unwrap(),
    ]);
    let count = n(&json["latency_ns"]["count"]);
    assert_eq!(count, n(&json["delivered"]));
    let text = std::fs::read_to_string(hgrm).unwrap();
    assert!(
        text.lines()
            .any(|line| line.contains("Total count") && line.contains(&count.to_string())),
        "{text}"
    );

    let log = std::fs::read(hlog).unwrap();
    // What is in them, ci/histograms has an independent reader say.
    let mut ends = Vec::new();
    for entry in IntervalLogIterator::new(&log) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            assert!(!interval.encoded_histogram().is_empty());
            ends.push(interval.start_timestamp() + interval.duration());
        }
    }
    assert!(ends.len() >= 3 && ends.is_sorted(), "{ends:?}");
    assert!(
        ends.last().unwrap() >= &Duration::from_millis(340),
        "{ends:?}"
    );
}

#[test]
fn what_would_be_sent_is_written_and_not_sent() {
    let file = scratch("out.pcap");
    let name = file.to_str().unwrap();
    let args = [
        "bench",
        "--pcap-out",
        name,
        "--duration",
        "100ms",
        "--frame-size",
        "imix",
    ];
    let write = |more: &[&str]| corelane(&[&args[..], more].concat());
    let output = write(&["--rate", "10kpps"]);
    assert_eq!(
        text(&output.stdout),
        format!("1000 frames written to {name}, none sent\n")
    );
    let first = std::fs::read(&file).unwrap();
    write(&["--rate", "10kpps"]);
    assert_eq!(
        std::fs::read(&file).unwrap(),
        first,
        "the same seed, the same frames"
    );
    write(&["--rate", "10kpps", "--seed", "2"]);
    assert_ne!(std::fs::read(&file).unwrap(), first);
    let received = scratch("received.pcapng");
    let line =
        "bench --rate 10kpps --warmup 0s --duration 100ms --frame-size imix --seed 2 --capture 20";
    let line = line
        .split(' ')
        .chain(["--capture-file", received.to_str().unwrap()]);
    let output = corelane(&line.collect::<Vec<_>>());
    assert!(
        matches!(output.status.code(), Some(0 | 5)),
        "{}",
        text(&output.stderr)
    );
    let said = format!(
        "20 frames kept in {}, the first ones received\n",
        received.display()
    );
    assert!(
        text(&output.stdout).contains(&said),
        "{}",
        text(&output.stdout)
    );
    let frames = |file| {
        let capture = Capture::open(file).unwrap();
        let frames = capture.packets().take(20);
        frames.map(|it| it.payload().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(frames(&received).len(), 20);
    assert_eq!(
        frames(&received),
        frames(&file),
        "those that were to be sent"
    );
    // They are a capture as any other: what is kept of a replay is what is in it.
    let again = scratch("again.pcapng");
    let kept = ["--own", "--capture", "20", "--capture-file"];
    let replay = [&["replay", file.to_str().unwrap()][..], &kept].concat();
    let output = corelane(&[&replay[..], &[again.to_str().unwrap()]].concat());
    assert!(text(&output.stdout).contains("20 frames kept in "));
    assert_eq!(frames(&again), frames(&file));
    for rate in [&["--rate", "50%"][..], &[]] {
        let output = write(rate);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("have no times; did you mean '--rate 1Mpps'?"));
    }
}

#[test]
fn what_would_be_sent_goes_to_standard_output() {
    let file = scratch("out.pcap");
    let name = file.to_str().unwrap();
    let write = |to| {
        let load = ["--rate", "10kpps", "--duration", "50ms"];
        corelane(&[&["bench", "--pcap-out", to], &load[..]].concat())
    };
    assert_eq!(write(name).status.code(), Some(0));
    let output = write("-");
    assert_eq!(output.stdout, std::fs::read(&file).unwrap());
    let said = "corelane: 500 frames written, none sent\n";
    assert_eq!(
        (text(&output.stderr), output.status.code()),
        (said, Some(0))
    );
}

#[test]
fn nothing_is_written_over_what_a_load_is_made_of() {
    let (profile, capture, named) = (
        scratch("load.toml"),
        scratch("load.pcap"),
        scratch("named.toml"),
    );
    let [p, c, n] = [&profile, &capture, &named].map(|file| file.to_str().unwrap());
    std::fs::write(&profile, "[[stream]]\nrate = \"10kpps\"\n").unwrap();
    let line = |line: &str| corelane(&line.split(' ').collect::<Vec<_>>());
    let made = line(&format!(
        "bench --rate 10kpps --duration 50ms --pcap-out {c}"
    ));
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    std::fs::write(
        &named,
        format!("[[stream]]\nname = \"a\"\nrate = \"10kpps\"\nprotocols = \"capture:{c}\"\n"),
    )
    .unwrap();
    let before = [&profile, &capture, &named].map(|file| std::fs::read(file).unwrap());
    for (args, option) in [
        (format!("bench --profile {p} --json {p}"), "--json"),
        (format!("bench --profile {p} --hgrm {p}"), "--hgrm"),
        (format!("bench --profile {p} --pcap-out {p}"), "--pcap-out"),
        (
            format!("bench --profile {p} --capture 5 --capture-file {p}"),
            "--capture-file",
        ),
        (format!("search --profile {p} --json {p}"), "--json"),
        (format!("profile --profile {p} --svg {p}"), "--svg"),
        (
            format!("bench --protocols capture:{c} --json {c}"),
            "--json",
        ),
        (
            format!("bench --protocols capture:{c} --rate 1kpps --pcap-out {c}"),
            "--pcap-out",
        ),
        (
            format!("replay --capture 5 --capture-file {c} {c}"),
            "--capture-file",
        ),
        // What a profile names.
        (format!("bench --profile {n} --json {c}"), "--json"),
        (format!("bench --profile {n} --hgrm {c}"), "--hgrm"),
        (format!("bench --profile {n} --hlog {c}"), "--hlog"),
        (format!("bench --profile {n} --pcap-out {c}"), "--pcap-out"),
        (
            format!("bench --profile {n} --capture 5 --capture-file {c}"),
            "--capture-file",
        ),
        (format!("search --profile {n} --json {c}"), "--json"),
        (format!("profile --profile {n} --svg {c}"), "--svg"),
        // What the runs of a comparison do.
        (
            format!("compare --a=--profile={n} --b --workers=1 --json {n}"),
            "--json",
        ),
        (
            format!("compare --a --workers=1 --b=--profile={n} --json {c}"),
            "--json",
        ),
        (
            format!("compare --a --hgrm={c} --b --workers=1 --json {c}"),
            "--json",
        ),
        (
            format!("compare --a --workers=1 --b --workers=1 --binary-b {c} --json {c}"),
            "--json",
        ),
    ] {
        let output = line(&args);
        assert_eq!(output.status.code(), Some(2), "{args}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with(&format!("corelane: {option}: "))
                && said.contains("would be written over"),
            "{args}: {said}"
        );
        let after = [&profile, &capture, &named].map(|file| std::fs::read(file).unwrap());
        assert_eq!(after, before, "{args}");
    }
}

#[test]
#[cfg(unix)]
fn a_profile_may_have_a_name_that_is_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let mut file = scratch("no-text-").into_os_string();
    file.push(OsStr::from_bytes(b"\xff.toml"));
    std::fs::write(&file, "[[stream]]\nrate = \"10kpps\"\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
    let load = [
        "bench",
        "--duration",
        "50ms",
        "--warmup",
        "0",
        "--json",
        "-",
    ];
    let output = command.args(load).arg("--profile").arg(&file).output();
    let output = output.unwrap();
    let said = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 5)), "{said}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = json["flags"]["profile"].as_str().unwrap();
    assert!(name.ends_with("no-text-\u{fffd}.toml"), "{name}");
}

#[test]
fn streams_of_a_profile_have_their_rates_and_times() {
    let file = scratch("load.toml");
    let profile = "[[stream]]\nname = \"small\"\nrate = \"10kpps\"\nfamily = \"v4\"\n\
                   [[stream]]\nrate = \"5kpps\"\nframe_size = \"128\"\nstart = \"50ms\"\n";
    std::fs::write(&file, profile).unwrap();
    let json = bench(&["--profile", file.to_str().unwrap()]);
    // 200 ms of the one and 150 ms of the other.
    assert_eq!(n(&json["generator"]["intended"]), 2000 + 750);
    assert_eq!(json["generator"]["planned_pps"], 15_000.0);
    assert!(json["flags"]["rate"].is_null());
    assert_eq!(json["streams"].as_array().unwrap().len(), 2);
    // What the generator can do, though the second one begins after that is found out.
    let ceiling = json["self_check"]["ceiling_pps"].as_f64().unwrap();
    assert!(ceiling > 100_000.0, "{ceiling}");
    let flags = &json["flags"]["streams"];
    assert!(flags[0]["protocols_of"].is_null());
    assert_eq!(
        (&flags[0]["family"], &flags[1]["family"]),
        (&"v4".into(), &"mixed".into())
    );
    assert!(json["flags"]["frame_size"].is_null());
    // It is as the profile says.
    let warnings = json["warnings"].to_string();
    assert!(!warnings.contains("were due in this window"), "{warnings}");
    assert!(json["streams"][0]["latency_ns"].is_null());

    let args = ["--profile", file.to_str().unwrap(), "--family", "v6"];
    let output = corelane(&[&["bench"], &args[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    let message = "corelane: --profile: small has frames of family v4, and --family v6 gives nothing such an \
                   address; did you mean '--family mixed'?\n";
    assert_eq!(text(&output.stderr), message);
    std::fs::write(&file, "[[stream]]\nrat = 1\n").unwrap();
    let output = corelane(&["bench", "--profile", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains(":2:1: stream[0].rat: no such key; did you mean 'rate'?")
    );
}

/// One stream goes where nobody is, and one where sockets are not asked: each has figures of its own.
#[test]
fn each_stream_of_a_profile_has_results_of_its_own() {
    let file = scratch("apart.toml");
    let profile = "[[stream]]\nname = \"good\"\nrate = \"10kpps\"\nfamily = \"v4\"\n\
                   [[stream]]\nname = \"lost\"\nrate = \"5kpps\"\nfamily = \"v4\"\nhit_ratio = \"0%\"\n\
                   [[stream]]\nname = \"small\"\nrate = \"2kpps\"\nfamily = \"v6\"\n";
    std::fs::write(&file, profile).unwrap();
    let profile = ["--profile", file.to_str().unwrap()];
    for forward in [&[][..], &["--forward"]] {
        let json = bench(&[&profile[..], &["--latency"], forward].concat());
        let [good, lost, small] = &json["streams"].as_array().unwrap()[..] else {
            panic!("{json:#}");
        };
        assert_eq!(good["name"], "good");
        let sent = [good, lost, small].map(|stream| n(&stream["sent"]));
        assert_eq!(sent.iter().sum::<u64>(), n(&json["sent"]));
        assert!(
            sent[0] > sent[1] && sent[1] > sent[2] && sent[2] > 0,
            "{sent:?}"
        );
        // A worker may have had no core for longer than its ring holds.
        let arrived = n(&good["order"]["in_order"]);
        assert_eq!(arrived + n(&good["order"]["missing"]), sent[0]);
        let is_whole = sum(&json["generator"]["drops"]) == 0;
        assert!(arrived == sent[0] || arrived > 0 && !is_whole, "{json:#}");
        assert_eq!(n(&good["latency_ns"]["count"]), arrived);
        // IPv6 frames of 64 bytes have no room for a number.
        assert_eq!(n(&small["order"]["numbered"]), 0);
        assert!(small["latency_ns"].is_null());
        assert_eq!(n(&lost["order"]["numbered"]), sent[1]);
        assert_eq!(n(&lost["order"]["missing"]), sent[1]);
        assert!(lost["latency_ns"].is_null());
    }
}

#[test]
fn a_replay_is_written_at_its_pace_and_not_sent() {
    let [once, thrice] = ["once.pcap", "thrice.pcap"].map(scratch);
    let [once, thrice] = [&once, &thrice].map(|it| it.to_str().unwrap());
    let line = |line: &str| corelane(&line.split(' ').collect::<Vec<_>>());
    let made = "bench --rate 1kpps --arrival poisson --duration 50ms --pcap-out";
    assert_eq!(line(&format!("{made} {once}")).status.code(), Some(0));
    let times = |file| -> Vec<u64> {
        let capture = Capture::open(file).unwrap();
        let times = capture.packets().map(|packet| packet.offset_ns());
        times.collect()
    };
    let before = times(once);
    let n = before.len();
    let output = line(&format!(
        "replay --speed 2 --repeat 3 --pcap-out {thrice} {once}"
    ));
    assert_eq!(
        text(&output.stdout),
        format!("{} frames written to {thrice}, none sent\n", 3 * n)
    );
    let after = times(thrice);
    assert!(after.iter().zip(&before).all(|(a, b)| *a == b / 2));
    // And so the next round, a mean gap after the last packet.
    let round = after[n];
    let gap = (before[n - 1] - before[0]) / (n as u64 - 1);
    assert_eq!(round, (before[n - 1] + gap) / 2);
    let next = after.iter().skip(n).map(|time| time - round);
    assert!(next.zip(&after).all(|(a, b)| a == *b));

    let output = line(&format!(
        "replay --speed 1 --duration 20ms --pcap-out {thrice} {once}"
    ));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let within = before.iter().filter(|time| **time < 20_000_000);
    assert_eq!(times(thrice).len(), within.count());
    for (more, message) in [
        (
            format!("--pcap-out {thrice}"),
            "--pcap-out: at --speed max frames have no times; did you mean '--speed 1'?",
        ),
        (
            format!("--speed 1 --pcap-out {once}"),
            "would be written over a capture that is replayed",
        ),
        (
            format!("--speed 1 --latency --pcap-out {thrice}"),
            "not together with",
        ),
    ] {
        let output = line(&format!("replay {more} {once}"));
        assert_eq!(output.status.code(), Some(2), "{more}");
        let said = text(&output.stderr);
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn frames_carry_what_those_of_a_capture_do() {
    let file = scratch("mix.pcap");
    let path = file.to_str().unwrap();
    // A datagram in ten is two frames: these are 1000.
    for family in ["v4", "v6"] {
        let mix = ["--protocols", "udp:7,tcp-syn:2,fragments:1", "--vlan", "7"];
        let load = [
            "--family",
            family,
            "--rate",
            "11kpps",
            "--duration",
            "100ms",
        ];
        let out = ["--pcap-out", path];
        let output = corelane(&[&["bench"], &mix[..], &load, &out].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let json = bench(&["--protocols", &format!("capture:{path}")]);
        assert_eq!(
            json["flags"]["protocols"],
            "udp:700,tcp-syn:200,fragments:100"
        );
        assert_eq!(json["flags"]["protocols_of"], path);
    }
    let output = corelane(&["bench", "--protocols", "capture:/nonexistent.pcap"]);
    assert_eq!(output.status.code(), Some(2));
    let message =
        "corelane: --protocols: /nonexistent.pcap: No such file or directory (os error 2)\n";
    assert_eq!(text(&output.stderr), message);
}

#[test]
fn all_kinds_of_frames_are_accounted_for() {
    for args in [
        &["--protocols", "udp:4,tcp-syn:2,icmp-echo:1,fragments:1"][..],
        &["--malformed", "10%", "--family", "v4"],
        &["--vlan", "10,100", "--frame-size", "128"],
        &[
            "--destinations",
            "hot:4:100",
            "--flow-law",
            "zipf:1",
            "--flows",
            "64",
        ],
        &["--check", "full", "--frame-size", "rpr-quad"],
        &["--check", "off"],
        &[
            "--frame-size",
            "genome:7a4dg",
            "--arrival",
            "onoff:1ms:3ms",
            "--rate",
            "50kpps",
        ],
    ] {
        let json = bench(args);
        assert!(n(&json["received"]) > 100, "{args:?}");
    }
    let json = bench(&["--malformed", "10%", "--family", "v4"]);
    let share = sum(&json["drops"]) as f64 / n(&json["received"]) as f64;
    assert!((0.09..0.11).contains(&share), "{share}");
    let said = corelane(&[
        "bench",
        "--check",
        "off",
        "--duration",
        "50ms",
        "--warmup",
        "0s",
    ]);
    assert!(text(&said.stdout).contains(" frames without a number (--check off): "));
    let json = bench(&["--check", "off"]);
    assert_eq!(
        (
            n(&json["order"]["numbered"]),
            n(&json["order"]["unchecked"])
        ),
        (0, n(&json["delivered"]))
    );
}

#[test]
fn the_tester_tests_itself() {
    let output = corelane(&["selftest", "--duration", "10ms", "--json", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: Value = serde_json::from_str(text(&output.stdout)).unwrap();
    assert_eq!(
        (&json["verb"], &json["passed"]),
        (&json!("selftest"), &json!(true))
    );
    assert_eq!(json["rss"], json!({ "right": 32, "wrong": 0 }));
    assert_eq!(json["ledger"]["found"], json["ledger"]["spoiled"]);
    let ceilings = json["ceilings"].as_array().unwrap();
    assert!(
        ceilings
            .iter()
            .all(|ceiling| ceiling["pps"].as_f64().unwrap() > 1000.0)
    );
    let output = corelane(&["selftest", "--duration", "10ms"]);
    assert!(text(&output.stdout).ends_with("\npassed\n"));
}

#[test]
fn who_reads_standard_error_may_be_gone() {
    // An error, what goes on while it runs, and the line that says that it is up.
    let started = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
        let output = command.args(args).stderr(writer).output().unwrap();
        (output.status.code(), output.stdout.len())
    };
    assert_eq!(started(&["up", "--config", "/no/such/file"]), (Some(2), 0));
    let bench = [
        "bench",
        "--duration",
        "2500ms",
        "--warmup",
        "50ms",
        "--json",
        "-",
    ];
    let (status, printed) = started(&bench);
    assert!(matches!(status, Some(0 | 5)), "{status:?}");
    assert!(printed > 0);
}
