//! The simulator and `check-config` as programs: what they write, how they end, and that they write
//! the same again.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Scratch, corelane, read_capture, stderr, stdout, write_capture};
use corelane_tools::sim::frame_text::{TimedFrame, build, parse_frames, write_frames};
use serde_json::Value;

const CONFIG: &str = r#"
[[nic]]
name = "wan"
addresses = ["192.0.2.1/24", "2001:db8::1/64"]

[[nic]]
name = "lan"
addresses = ["198.51.100.1/24"]

[[service]]
kind = "udp_echo"
bind = "any:7"
"#;

/// Datagrams of several flows for port 7 of the first NIC.
fn datagrams(count: u64) -> Vec<TimedFrame> {
    (0..count)
        .map(|number| {
            let (port, at_ns) = (4000 + number % 50, number * 1_000_000);
            let line = format!(
                "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 / udp {port} \
                 > 7 / \"{number}\""
            );
            TimedFrame {
                at_ns,
                frame: build(&line).unwrap(),
            }
        })
        .collect()
}

struct Run {
    scratch: Scratch,
}

impl Run {
    fn new(name: &str, config: &str, frames: &[TimedFrame]) -> Self {
        let scratch = Scratch::new(name);
        scratch.file("lab.toml", config);
        write_capture(&scratch.path("in.pcap"), frames);
        Self { scratch }
    }

    fn path(&self, name: &str) -> String {
        self.scratch.path(name).to_str().unwrap().to_owned()
    }

    /// The arguments of a run that writes to `out`, and those beside.
    fn args(&self, out: &str, more: &[&str]) -> Vec<String> {
        let mut args: Vec<_> = ["sim", "--config"].map(str::to_owned).to_vec();
        args.push(self.path("lab.toml"));
        args.extend(["--out".to_owned(), self.path(out)]);
        args.extend(["--in".to_owned(), format!("wan={}", self.path("in.pcap"))]);
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// The report of such a run, which has to be done.
    fn report(&self, out: &str, more: &[&str]) -> Value {
        let output = corelane(&self.args(out, &[more, &["--json", "-"]].concat()));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_str(stdout(&output)).unwrap()
    }
}

#[test]
fn the_same_bytes_again_whatever_the_workers() {
    let frames = datagrams(300);
    let mut first: Option<Vec<Vec<u8>>> = None;
    for workers in [
        "",
        "workers = 1\n",
        "workers = 2\n",
        "workers = 7\n",
        "workers = 2\n",
    ] {
        let run = Run::new("same", &format!("{workers}{CONFIG}"), &frames);
        let output = corelane(&run.args("out", &["--json", &run.path("report.json")]));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let files = ["out/wan.pcap", "out/lan.pcap", "report.json"];
        let bytes: Vec<_> = files.map(|file| fs::read(run.path(file)).unwrap()).into();
        match &first {
            None => first = Some(bytes),
            Some(first) => assert!(*first == bytes, "{workers} makes a difference"),
        }
    }
}

#[test]
fn another_seed_draws_other_nonces() {
    let sent = |seed: u64| {
        let run = Run::new("seed", &format!("seed = {seed}\n{CONFIG}"), &datagrams(1));
        run.report("out", &[]);
        write_frames(&read_capture(Path::new(&run.path("out/wan.pcap"))))
    };
    assert!(sent(1).contains("nonce="));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn every_nic_has_a_capture_of_nanoseconds() {
    let run = Run::new("captures", CONFIG, &datagrams(3));
    let report = run.report("deep/out", &[]);
    let wan = fs::read(run.path("deep/out/wan.pcap")).unwrap();
    assert_eq!(wan[..4], 0xa1b2_3c4d_u32.to_le_bytes());
    // The lan tells of its groups, and nothing else.
    let lan = read_capture(Path::new(&run.path("deep/out/lan.pcap")));
    assert!(lan.is_empty(), "{}", write_frames(&lan));
    let wan = read_capture(Path::new(&run.path("deep/out/wan.pcap")));
    assert_eq!(report["nics"]["wan"]["counters"]["sent"], wan.len());
    let replies = wan
        .iter()
        .filter(|frame| frame.frame.ends_with(b"2"))
        .count();
    assert_eq!(replies, 1);
    assert_eq!(report["services"][0]["received"], 3);
    assert_eq!(report["services"][0]["answered"], 3);
}

#[test]
fn the_keys_of_the_report_are_in_order() {
    fn check(value: &Value) {
        match value {
            Value::Object(fields) => {
                assert!(fields.keys().is_sorted(), "{:?}", fields.keys());
                fields.values().for_each(check);
            }
            Value::Array(items) => items.iter().for_each(check),
            _ => {}
        }
    }
    let run = Run::new("keys", CONFIG, &datagrams(1));
    let output = corelane(&run.args("out", &["--json", "-"]));
    let text = stdout(&output);
    let report: Value = serde_json::from_str(text).unwrap();
    check(&report);
    // Read back, keys are in order even if they were not written so.
    assert_eq!(text, format!("{report:#}\n"));
    for key in [
        "nics",
        "stack",
        "services",
        "events",
        "errors",
        "warnings",
        "accounting",
    ] {
        assert!(!report[key].is_null(), "{key}");
    }
    assert_eq!((&report["schema"], &report["seed"]), (&1.into(), &1.into()));
    let wan = &report["nics"]["wan"];
    for key in [
        "counters",
        "drops",
        "addresses",
        "primary",
        "groups",
        "neighbors",
    ] {
        assert!(!wan[key].is_null(), "{key}");
    }
    let sum = |key: &str| {
        let of = |nic: &str| report["nics"][nic]["counters"][key].as_u64().unwrap();
        of("wan") + of("lan")
    };
    for key in ["received", "sent", "delivered"] {
        assert_eq!(report["stack"]["counters"][key], sum(key), "{key}");
    }
}

#[test]
fn captures_of_other_link_types_are_read() {
    let run = Run::new("raw", CONFIG, &[]);
    let packets: Vec<_> = datagrams(2)
        .into_iter()
        .map(|frame| TimedFrame {
            frame: frame.frame[14..].to_vec(),
            ..frame
        })
        .collect();
    let capture = run.scratch.path("in.pcap");
    write_capture(&capture, &packets);
    let mut bytes = fs::read(&capture).unwrap();
    // Raw IP.
    bytes[20] = 101;
    fs::write(&capture, bytes).unwrap();
    let report = run.report("out", &[]);
    assert_eq!(report["services"][0]["received"], 2);
}

#[test]
fn several_captures_share_one_time() {
    let run = Run::new("several", CONFIG, &datagrams(1));
    let later = parse_frames(
        "5s eth 02:00:00:00:00:09 > 02:00:00:00:00:02 / ip4 198.51.100.9 > 198.51.100.1 / udp 1 > 7\n",
    );
    write_capture(&run.scratch.path("lan.pcap"), &later.unwrap());
    let lan = format!("lan={}", run.path("lan.pcap"));
    let again = format!("wan={}", run.path("in.pcap"));
    let report = run.report("out", &["--in", &lan, "--in", &again]);
    assert_eq!(report["nics"]["wan"]["counters"]["delivered"], 2);
    let sent = read_capture(Path::new(&run.path("out/lan.pcap")));
    assert_eq!(sent.last().unwrap().at_ns, 5_000_000_000);
    assert_eq!(report["ended_at_ns"], 5_000_000_000_u64);
}

#[test]
fn a_run_ends_at_an_hour_or_where_it_is_told() {
    let events = "\n[[event]]\nat = \"1h\"\nnic = \"wan\"\ndo = \"remove_address\"\naddress = \
                  \"192.0.2.1\"\n\n[[event]]\nat = \"2h\"\nnic = \"lan\"\ndo = \
                  \"remove_address\"\naddress = \"198.51.100.1\"\n";
    let run = Run::new("hour", &format!("{CONFIG}{events}"), &datagrams(1));
    let report = run.report("out", &[]);
    assert_eq!(report["end"], "limit");
    assert_eq!(report["ended_at_ns"], 3_600_000_000_000_u64);
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("cut at 3600s of virtual time"),
        "{warnings}"
    );
    assert_eq!(report["nics"]["lan"]["primary"][0], "198.51.100.1");
    // The end is the hour, not what happened last.
    let late = Run::new(
        "hours",
        &format!("{CONFIG}{}", events.replace("1h", "3h")),
        &[],
    );
    let report = late.report("out", &[]);
    assert_eq!(
        (&report["end"], &report["ended_at_ns"]),
        (&"limit".into(), &3_600_000_000_000_u64.into())
    );
    let report = run.report("out", &["--until", "3h"]);
    assert_eq!(
        (&report["end"], &report["nics"]["lan"]["primary"]),
        (&"complete".into(), &Value::Array(vec![]))
    );
    let report = run.report("out", &["--until", "90min"]);
    assert_eq!(
        (&report["end"], &report["ended_at_ns"]),
        (&"until".into(), &5_400_000_000_000_u64.into())
    );
}

#[test]
fn a_trace_shows_the_way_of_each_frame() {
    let run = Run::new("trace", CONFIG, &datagrams(1));
    let output = corelane(&run.args("out", &["--trace"]));
    let text = stdout(&output);
    let way: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("0s wan receives eth "))
        .skip(1)
        .take(7)
        .map(str::trim)
        .collect();
    assert_eq!(
        way,
        [
            "ethernet_input: ip4",
            "ip4_input: valid",
            "lookup: permanent",
            "local_deliver: transport",
            "handler: delivered",
            "link_output: queued",
            "0s wan sends eth 02:00:00:00:00:01 > 02:00:00:00:00:09 / ip4 192.0.2.1 > 192.0.2.9 df / \
             udp 7 > 4000 / \"0\"",
        ],
        "{text}"
    );
    assert!(text.contains("\nsim: "), "the report follows: {text}");
    // With JSON on standard output, the trace is elsewhere.
    let output = corelane(&run.args("out", &["--trace", "--json", "-"]));
    assert!(stderr(&output).contains("    lookup: permanent\n"));
    serde_json::from_str::<Value>(stdout(&output)).unwrap();
}

const ROUTER: &str = "
forwarding = true
dad_transmits = 0
[[nic]]
name = 'wan'
igmp = 'off'
mld = 'off'
addresses = ['192.0.2.1/24']
[[nic]]
name = 'lan'
forwarding = false
igmp = 'off'
mld = 'off'
addresses = ['198.51.100.1/24']
[[route]]
to = '198.51.100.0/24'
nic = 'lan'
[[route]]
to = '0.0.0.0/0'
via = '192.0.2.254'
nic = 'wan'
[[neighbor]]
nic = 'wan'
address = '192.0.2.254'
mac = '02:00:00:00:00:fe'
[[event]]
at = '1s'
do = 'set_forwarding'
on = false
";

#[test]
fn packets_that_wait_at_the_end_are_accounted_for() {
    let frames = parse_frames(
        "0s eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 198.51.100.9 / udp 1 > 7\n\
         1s eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 mf / fill 64\n",
    );
    let run = Run::new("waits", ROUTER, &frames.unwrap());
    let report = run.report("out", &["--until", "1.5s"]);
    assert_eq!(report["end"], "until");
    assert_eq!(report["accounting"]["holds"], true);
    let neighbor = &report["nics"]["lan"]["neighbors"][0];
    assert_eq!(neighbor["address"], "198.51.100.9");
    assert_eq!(neighbor["state"], "incomplete");
    assert_eq!(neighbor["mac"], Value::Null);
    assert_eq!(report["nics"]["wan"]["forwarding"], false, "switched off");
    let routes = &report["stack"]["routes"];
    assert_eq!(routes.as_array().map(Vec::len), Some(2));
    assert_eq!(routes[0]["via"], "192.0.2.254");

    let report = run.report("out", &[]);
    let icmp = &report["stack"]["icmp"];
    assert_eq!(icmp["v4_time_exceeded_sent"], 1, "of the fragment: {icmp}");
    let stack = &report["stack"]["counters"];
    assert_eq!((&stack["received"], &stack["sent"]), (&2.into(), &5.into()));
}

#[test]
fn a_trace_shows_what_comes_of_waiting() {
    let frames = parse_frames(
        "0s eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 198.51.100.9 / udp 1 > 7\n\
         1s eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 mf / fill 64\n",
    );
    let run = Run::new("waiting", ROUTER, &frames.unwrap());
    let output = corelane(&run.args("out", &["--trace"]));
    let text = stdout(&output);
    for part in [
        "    ip_forward: waits\n    control: resolving\n0s lan sends ",
        "3s wan sends eth 02:00:00:00:00:01 > 02:00:00:00:00:09 / ip4 192.0.2.1 > 192.0.2.9 tos=192 / \
         unreachable host / ",
        "31s the time of a datagram is over, fragments of which are missing\n    icmp_error: sent\n    \
         link_output: queued\n31s wan sends ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_trace_says_why_a_frame_was_dropped() {
    let frames = parse_frames(
        "0s eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 203.0.113.1 / udp 1 > 7\n",
    );
    let run = Run::new("dropped", CONFIG, &frames.unwrap());
    let output = corelane(&run.args("out", &["--trace"]));
    let text = stdout(&output);
    assert!(
        text.contains("dropped, invalid_address: The destination is not an address of the NIC."),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_the_files_is_said_before_anything_is_done() {
    let run = Run::new("wrong", CONFIG, &datagrams(1));
    let path = |name: &str| run.path(name);
    run.scratch
        .file("bad.toml", "[[nic]]\nname = \"wan\"\nmtuu = 1500\n");
    run.scratch.file("no.pcap", "this is no capture");
    let (lab, bad, out) = (path("lab.toml"), path("bad.toml"), path("out"));
    let (good, no) = (
        format!("wan={}", path("in.pcap")),
        format!("wan={}", path("no.pcap")),
    );
    let wrong_nic = format!("wann={}", path("in.pcap"));
    for (args, message) in [
        (
            ["--config", &bad, "--out", &out, "--in", &good],
            format!("{bad}:3:1: nic[0].mtuu: no such key; did you mean 'mtu'?"),
        ),
        (
            [
                "--config",
                "/nonexistent.toml",
                "--out",
                &out,
                "--in",
                &good,
            ],
            "/nonexistent.toml: cannot read the configuration: ".to_owned(),
        ),
        (
            ["--config", &lab, "--out", &out, "--in", &wrong_nic],
            format!("--in: {lab} has no NIC 'wann'; did you mean 'wan'?"),
        ),
        (
            ["--config", &lab, "--out", &out, "--in", &no],
            format!("--in wan: {}: ", path("no.pcap")),
        ),
        (
            [
                "--config",
                &lab,
                "--out",
                &out,
                "--in",
                "wan=/nonexistent.pcap",
            ],
            "--in wan: /nonexistent.pcap: ".to_owned(),
        ),
        (
            ["--config", &lab, "--out", &path("in.pcap"), "--in", &good],
            format!("--out: cannot make {}: ", path("in.pcap")),
        ),
    ] {
        let output = corelane(&[&["sim"], &args[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(said.starts_with(&format!("corelane: {message}")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!Path::new(&out).exists(), "{args:?}");
    }
}

#[test]
fn a_capture_is_not_written_over() {
    let run = Run::new("over", CONFIG, &datagrams(1));
    fs::rename(run.path("in.pcap"), run.path("wan.pcap")).unwrap();
    let before = fs::read(run.path("wan.pcap")).unwrap();
    let input = format!("wan={}", run.path("wan.pcap"));
    let (config, out) = (run.path("lab.toml"), run.path("."));
    let output = corelane(&["sim", "--config", &config, "--out", &out, "--in", &input]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("would be written over the capture of --in wan"),
        "{said}"
    );
    assert_eq!(fs::read(run.path("wan.pcap")).unwrap(), before);
}

#[test]
fn a_report_is_not_written_over_what_is_read_or_sent() {
    let run = Run::new("report-over", CONFIG, &datagrams(1));
    let kept = |name: &str| fs::read(run.path(name)).unwrap();
    let (config, capture) = (kept("lab.toml"), kept("in.pcap"));
    // A link to it is it.
    #[cfg(unix)]
    std::os::unix::fs::symlink(run.path("in.pcap"), run.path("link")).unwrap();
    #[cfg(not(unix))]
    fs::hard_link(run.path("in.pcap"), run.path("link")).unwrap();
    let sim = |json: &str| run.args("out", &["--json", &run.path(json)]);
    let strings = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let (lab, input) = (run.path("lab.toml"), run.path("in.pcap"));
    for (args, holds) in [
        (sim("lab.toml"), "the configuration"),
        (sim("in.pcap"), "the capture of --in wan"),
        (sim("link"), "the capture of --in wan"),
        // It is not there before the run.
        (sim("out/lan.pcap"), "what lan sends"),
        (
            strings(&["check-config", &lab, "--json", &lab]),
            "the configuration",
        ),
        (
            strings(&["replay", &input, "--json", &input]),
            "a capture that is replayed",
        ),
    ] {
        let output = corelane(&args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        let message = format!(" would be written over {holds}; name another\n");
        assert!(said.starts_with("corelane: --json: "), "{said}");
        assert!(said.ends_with(&message), "{said}");
        assert_eq!(
            (kept("lab.toml"), kept("in.pcap")),
            (config.clone(), capture.clone())
        );
    }
}

#[test]
fn a_report_outlives_a_run_that_does_not_begin() {
    let run = Run::new("report-kept", CONFIG, &datagrams(1));
    run.scratch.file("report.json", "the one before");
    let mut args = run.args("out", &["--json", &run.path("report.json")]);
    args.extend(["--in".to_owned(), "wan=/nonexistent.pcap".to_owned()]);
    assert_eq!(corelane(&args).status.code(), Some(2));
    let report = fs::read_to_string(run.path("report.json")).unwrap();
    assert_eq!(report, "the one before");
}

#[test]
fn a_broken_capture_is_used_as_far_as_it_goes() {
    let run = Run::new("broken", CONFIG, &datagrams(3));
    let capture = run.path("in.pcap");
    let bytes = fs::read(&capture).unwrap();
    fs::write(&capture, &bytes[..bytes.len() - 5]).unwrap();
    let report = run.report("out", &[]);
    assert_eq!(report["services"][0]["received"], 2);
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("the rest could not be used, after packet 2"),
        "{warnings}"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_still_writes_its_report() {
    let run = Run::new("interrupted", CONFIG, &datagrams(1));
    let fifo = run.path("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let mut args = run.args("out", &["--json", &run.path("report.json")]);
    args.extend(["--in".to_owned(), format!("wan={fifo}")]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It waits for the capture; opening the other end waits for it.
    let capture = fs::read(run.path("in.pcap")).unwrap();
    let mut pipe = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    // The signal is dealt with on a thread of its own.
    std::thread::sleep(Duration::from_millis(300));
    std::io::Write::write_all(&mut pipe, &capture).unwrap();
    drop(pipe);
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(130));
    let report = fs::read_to_string(run.path("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["end"], "interrupted");
    assert_eq!(report["accounting"]["holds"], true);
}

#[test]
fn check_config_explains() {
    let run = Run::new("check", CONFIG, &[]);
    let output = corelane(&["check-config", &run.path("lab.toml")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for words in [
        "NIC wan",
        "NIC lan",
        "192.0.2.1/24: in use at once",
        "udp_echo on any:7",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    run.scratch.file("router.toml", ROUTER);
    let output = corelane(&["check-config", &run.path("router.toml")]);
    let text = stdout(&output);
    for words in [
        "nothing is wrong with it",
        "on: packets for others are sent on by the routes",
        "off, for what it receives",
        "0.0.0.0/0 through 192.0.2.254 on wan",
        "192.0.2.254 on wan has the link address 02:00:00:00:00:fe",
        "every NIC turns forwarding off",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let output = corelane(&["check-config", &run.path("lab.toml"), "--json", "-"]);
    let json: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["verb"], "check-config");
    assert_eq!(json["nics"][1]["mac"], "02:00:00:00:00:02");
    assert_eq!(json["dad_retransmit_timer"], "1s");

    run.scratch
        .file("lab.toml", "[[nic]]\nname = \"wan\"\nmac = \"02:00\"\n");
    let output = corelane(&["check-config", &run.path("lab.toml")]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    let place = format!(
        "corelane: {}:3:7: nic[0].mac: '02:00' is not a link address",
        run.path("lab.toml")
    );
    assert!(stderr(&output).starts_with(&place), "{}", stderr(&output));
}

#[test]
fn frames_may_be_given_as_text() {
    let frames = datagrams(20);
    let run = Run::new("text", CONFIG, &frames);
    let report = run.report("from-capture", &[]);
    run.scratch.file("in.txt", &write_frames(&frames));
    let text = format!("wan={}", run.path("in.txt"));
    let args = |out: &str, input: &str| {
        [
            "sim",
            "--config",
            &run.path("lab.toml"),
            "--out",
            &run.path(out),
        ]
        .into_iter()
        .chain(["--in", input, "--json", "-"])
        .map(str::to_owned)
        .collect::<Vec<_>>()
    };
    let output = corelane(&args("from-text", &text));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let same: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(same["nics"], report["nics"]);
    let sent = |out: &str| fs::read(run.scratch.path(out).join("wan.pcap")).unwrap();
    assert_eq!(sent("from-text"), sent("from-capture"));

    run.scratch.file("bad.txt", "0s eth nonsense\n");
    let bad = format!("wan={}", run.path("bad.txt"));
    let output = corelane(&args("bad", &bad));
    assert_eq!(output.status.code(), Some(2));
    let message = stderr(&output);
    assert!(
        message.contains("bad.txt") && message.contains("line 1"),
        "{message}"
    );
    let none = format!("wan={}", run.path("none.txt"));
    assert_eq!(corelane(&args("none", &none)).status.code(), Some(2));
}

#[test]
fn faults_are_the_same_in_every_run_and_the_books_balance() {
    let faults = |seed: u32| {
        CONFIG.replace(
            "[[nic]]\nname = \"lan\"",
            &format!(
                "[nic.faults]\nseed = {seed}\n\
                 rx = {{ drop = \"10%\", duplicate = \"1/10\", delay = \"5ms\", jitter = \"2ms\" }}\n\
                 tx = {{ reorder = \"20%\", delay = \"1ms\" }}\n\n[[nic]]\nname = \"lan\""
            ),
        )
    };
    let frames = datagrams(200);
    let run = Run::new("faults", &faults(3), &frames);
    let first = run.report("a", &[]);
    let second = run.report("b", &[]);
    assert_eq!(first, second);
    let sent = |out: &str| fs::read(Path::new(&run.path(out)).join("wan.pcap")).unwrap();
    assert_eq!(sent("a"), sent("b"));
    let other = Run::new("faults-other", &faults(4), &frames);
    assert_ne!(
        other.report("a", &[])["nics"]["wan"]["counters"],
        first["nics"]["wan"]["counters"]
    );

    // An answer is as late as both ways are, and held back to the end of the run it is not.
    let answers = read_capture(&run.scratch.path("a").join("wan.pcap"));
    let udp: Vec<_> = answers
        .iter()
        .filter(|it| it.frame.get(23) == Some(&17))
        .collect();
    assert!((150..=220).contains(&udp.len()), "{}", udp.len());
    assert!(
        udp.iter().all(|it| it.at_ns >= 6_000_000),
        "5 ms in and 1 ms out"
    );
    let last = udp.last().unwrap().at_ns;
    assert!(
        last >= 199_000_000,
        "{last}: what is held back is waited for"
    );
}
