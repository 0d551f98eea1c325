//! The simulator on each case of `cases/`: frames in; frames and a report out. `cases/README.md`
//! says how a case is read and added. With `CORELANE_BLESS=1` what is expected is written anew.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use common::{Scratch, corelane, read_capture, stderr, write_capture};
use corelane_tools::config::Config;
use corelane_tools::sim::frame_text::{TimedFrame, parse_frames, write_frames};
use serde_json::{Map, Value};

/// Maps of counters: what is not listed in them is 0.
const COUNTS: [&str; 4] = ["counters", "drops", "icmp", "protocols"];

/// What a new case expects of a report, of each NIC in it, and of each service.
const REPORT: [&str; 6] = ["end", "ended_at_ns", "errors", "events", "nics", "services"];
const NIC: [&str; 9] = [
    "addresses",
    "counters",
    "drops",
    "enabled",
    "groups",
    "icmp",
    "neighbors",
    "primary",
    "protocols",
];

/// A test for each case: `g2_dad_resolves` is the folder `g2-dad-resolves`.
macro_rules! cases {
    ($($name:ident)*) => {
        $(#[test] fn $name() { case(stringify!($name)); })*

        const CASES: &[&str] = &[$(stringify!($name)),*];
    };
}

cases! {
    a15_remove_twice
    a16_held_address_at_the_end
    a16_held_address_expires
    a18_remove_stops_dad
    a3_duplicate_address
    a4_expired_address_revived
    a4_temporary_address_promoted
    a5_expired_address_is_probed_again
    a_frames_way
    bug12_address_of_another_nic
    bug17_own_source
    c1_primary_order
    d1_promiscuous_tentative
    d2_ranges
    d6_promiscuous
    d8_spoofing
    e1_groups_counted
    e6_all_routers
    e7_solicited_node_groups
    e9_igmpv2_host
    e9_igmpv3
    e9_igmpv3_older_querier
    e9_mldv1_host
    e9_mldv2
    e9_mldv2_older_querier
    f1_limited_broadcast
    f2_directed_broadcast
    f4_broadcast_source
    g10_solicitations_answered
    g11_address_conflict
    g12_solicitations_malformed
    g15_link_local
    g15_link_local_stable
    g1_dad_off
    g2_dad_resolves
    g7_dad_fails_by_solicitation
    g7_dad_looped_back
    g8_dad_fails_by_advertisement
    i11_options
    i12_answers_in_fragments
    i12_fragments_ipv4
    i12_fragments_ipv6
    i14_extension_headers
    i_malformed_packets
    j10_not_forwarded
    j12_hold_route
    j13_route_change
    j1_forwarding_ipv4
    j1_forwarding_ipv6
    j1_forwarding_switched
    j2_promiscuous
    j3_no_route
    j6_fragmentation
    j6_fragments_wait
    j6_hop_limit
    j8_gateway
    j8_untold_take_no_token
    k11_tcp_reset
    k12_rate_limit
    k12_rate_limit_of_all
    k12_unknown_destination
    k5_services
    kitchen_sink
    l4_errors_received
    l5_echo_replies
    m2_nic_down_up
    m3_disabled_from_the_start
    o1_neighbor_states
    o1_neighbors_age
    o1_nobody_answers
    o1_pending_bounded
    o1_static_neighbor
    o5_arp
    o5_gratuitous_arp
    until
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

#[test]
fn every_folder_is_a_test() {
    let mut folders: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .replace('-', "_")
        })
        .collect();
    folders.sort();
    let mut cases = CASES.to_vec();
    cases.sort_unstable();
    assert_eq!(folders, cases);
}

fn case(name: &str) {
    let bless = std::env::var_os("CORELANE_BLESS").is_some_and(|value| value == "1");
    let case = folder().join(name.replace('_', "-"));
    if let Err(why) = run(&case, bless) {
        panic!("{}:\n{why}", case.display());
    }
}

/// Runs a case and compares, or writes down what came of it.
fn run(case: &Path, bless: bool) -> Result<(), String> {
    let config_file = case.join("case.toml");
    let config = Config::load(&config_file).map_err(|error| error.to_string())?;
    let setting = config.case.clone().ok_or("case.toml has no [case]")?;
    if setting.description.is_empty() {
        return Err("[case] has no description".to_owned());
    }
    let scratch = Scratch::new(&format!("case-{}", case.file_name().unwrap().display()));
    let mut first = None;
    let mut args = vec!["sim".to_owned(), "--config".to_owned(), text(&config_file)];
    for nic in &config.nics {
        let source = case.join("in").join(format!("{}.txt", nic.name));
        let Ok(frames) = std::fs::read_to_string(&source) else {
            continue;
        };
        let frames = parse_frames(&frames).map_err(|error| format!("in/{}: {error}", nic.name))?;
        first = first
            .into_iter()
            .chain(frames.iter().map(|f| f.at_ns))
            .min();
        let capture = scratch.path(&format!("{}-in.pcap", nic.name));
        write_capture(&capture, &frames);
        args.extend([
            "--in".to_owned(),
            format!("{}={}", nic.name, text(&capture)),
        ]);
    }
    if first.is_some_and(|first| first > 0) {
        return Err("the first frame is at time 0 whatever the text says: say 0s".to_owned());
    }
    args.extend(setting.arguments);
    let nics: Vec<_> = config.nics.iter().map(|nic| nic.name.as_str()).collect();
    let (report, sent) = simulate(&args, &nics, &scratch)?;
    // However many workers there are.
    let file = std::fs::read_to_string(&config_file).unwrap();
    for workers in [1, 2, 7].iter().filter(|_| config.workers.is_none()) {
        let config = scratch.path(&format!("{workers}.toml"));
        std::fs::write(&config, format!("workers = {workers}\n{file}")).unwrap();
        args[2] = text(&config);
        let (other_report, other_sent) = simulate(&args, &nics, &scratch)?;
        if other_sent != sent || other_report != report {
            return Err(format!("{workers} workers make a difference"));
        }
    }
    if bless {
        std::fs::create_dir_all(case.join("out")).unwrap();
        for (nic, frames) in &sent {
            let file = case.join("out").join(format!("{nic}.txt"));
            std::fs::write(file, write_frames(frames)).unwrap();
        }
        let file = case.join("report.json");
        let before = std::fs::read_to_string(&file).ok();
        let before = before.map(|before| serde_json::from_str(&before).unwrap());
        std::fs::write(file, pretty(&listed(&report, before.as_ref()))).unwrap();
        return Ok(());
    }
    let mut wrong = String::new();
    for (nic, frames) in &sent {
        let file = case.join("out").join(format!("{nic}.txt"));
        let expected = std::fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let expected = parse_frames(&expected).map_err(|error| format!("out/{nic}: {error}"))?;
        if *frames != expected {
            writeln!(wrong, "{nic} sent:{}", difference(&expected, frames)).unwrap();
        }
    }
    let expected = std::fs::read_to_string(case.join("report.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    compare("report", &expected, &report, &mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What each NIC sent.
type Sent<'n> = Vec<(&'n str, Vec<TimedFrame>)>;

/// A run: its report, but for warnings, which name places in files; and what each NIC sent.
fn simulate<'n>(
    args: &[String],
    nics: &[&'n str],
    scratch: &Scratch,
) -> Result<(Value, Sent<'n>), String> {
    let (out, json) = (scratch.path("out"), scratch.path("report.json"));
    let mut args = args.to_vec();
    let files = [
        "--out".to_owned(),
        text(&out),
        "--json".to_owned(),
        text(&json),
    ];
    args.extend(files);
    let output = corelane(&args);
    if output.status.code() != Some(0) {
        return Err(format!("{}: {}", output.status, stderr(&output)));
    }
    let report = std::fs::read_to_string(json).unwrap();
    let mut report: Value = serde_json::from_str(&report).unwrap();
    report.as_object_mut().unwrap().remove("warnings");
    let sent = nics
        .iter()
        .map(|nic| (*nic, read_capture(&out.join(format!("{nic}.pcap")))));
    Ok((report, sent.collect()))
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The lines that are not in both, with the sign of the side they are in.
fn difference(expected: &[TimedFrame], sent: &[TimedFrame]) -> String {
    let lines = |frames| {
        write_frames(frames)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (expected, sent) = (lines(expected), lines(sent));
    let missing = expected.iter().filter(|line| !sent.contains(line));
    let surplus = sent.iter().filter(|line| !expected.contains(line));
    let lines: Vec<_> = missing
        .map(|line| format!("\n  - {line}"))
        .chain(surplus.map(|line| format!("\n  + {line}")))
        .collect();
    if lines.is_empty() {
        return " the same frames in another order".to_owned();
    }
    lines.concat()
}

/// Notes where `actual` does not have what `expected` lists.
fn compare(path: &str, expected: &Value, actual: &Value, wrong: &mut String) {
    match (expected, actual) {
        (Value::Object(listed), Value::Object(all)) => {
            for (key, value) in listed {
                let actual = all.get(key).unwrap_or(&Value::Null);
                compare(&format!("{path}.{key}"), value, actual, wrong);
            }
            if COUNTS
                .iter()
                .any(|counts| path.ends_with(&format!(".{counts}")))
            {
                for (key, value) in all.iter().filter(|(key, _)| !listed.contains_key(*key)) {
                    if *value != 0 {
                        writeln!(wrong, "{path}.{key} is {value}, and is not listed").unwrap();
                    }
                }
            }
        }
        (Value::Array(listed), Value::Array(all)) if listed.len() == all.len() => {
            for (number, (expected, actual)) in listed.iter().zip(all).enumerate() {
                compare(&format!("{path}[{number}]"), expected, actual, wrong);
            }
        }
        _ if expected == actual => {}
        _ => writeln!(wrong, "{path} is {actual}, not {expected}").unwrap(),
    }
}

/// Of a report, the fields that a case lists: those of `before`, or for a new one the usual ones.
fn listed(report: &Value, before: Option<&Value>) -> Value {
    let keys = |before: Option<&Value>, usual: &[&str]| -> BTreeSet<String> {
        match before.and_then(Value::as_object) {
            Some(before) => before.keys().cloned().collect(),
            None => usual.iter().map(|key| (*key).to_owned()).collect(),
        }
    };
    let take = |from: &Value, keys: &BTreeSet<String>| -> Map<String, Value> {
        let listed = keys.iter().map(|key| (key.clone(), from[key].clone()));
        listed.collect()
    };
    let mut result = take(report, &keys(before, &REPORT));
    let nics = report["nics"].as_object().unwrap();
    if result.contains_key("nics") {
        let listed = nics.iter().map(|(name, nic)| {
            let before = before.map(|before| &before["nics"][name]);
            let mut nic = take(nic, &keys(before, &NIC));
            for counts in COUNTS {
                if let Some(Value::Object(counts)) = nic.get_mut(counts) {
                    counts.retain(|_, count| *count != 0);
                }
            }
            (name.clone(), Value::Object(nic))
        });
        result.insert("nics".to_owned(), Value::Object(listed.collect()));
    }
    Value::Object(result)
}

/// JSON with a line for each thing that is one.
fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write_pretty(&mut text, value, 0);
    text.push('\n');
    text
}

fn write_pretty(text: &mut String, value: &Value, depth: usize) {
    let is_flat = |value: &Value| match value {
        Value::Object(fields) => {
            depth > 2 || fields.values().all(|v| !v.is_object() && !v.is_array())
        }
        Value::Array(items) => items.iter().all(Value::is_string),
        _ => true,
    };
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Object(fields) if !(depth > 0 && is_flat(value)) => {
            text.push_str("{\n");
            for (number, (key, value)) in fields.iter().enumerate() {
                let comma = if number == 0 { "" } else { ",\n" };
                write!(text, "{comma}{indent}\"{key}\": ").unwrap();
                write_pretty(text, value, depth + 1);
            }
            write!(text, "\n{}}}", "  ".repeat(depth)).unwrap();
        }
        Value::Array(items) if !is_flat(value) => {
            text.push_str("[\n");
            for (number, value) in items.iter().enumerate() {
                let comma = if number == 0 { "" } else { ",\n" };
                write!(text, "{comma}{indent}{value}").unwrap();
            }
            write!(text, "\n{}]", "  ".repeat(depth)).unwrap();
        }
        flat => write!(text, "{flat}").unwrap(),
    }
}
