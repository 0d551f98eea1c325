use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use corelane::engine::Idle;
use serde_json::json;

use super::*;
use crate::control::{Listing, Request};
use crate::generator::AddressPlan;
use crate::profile::{Choice, Sampler};
use crate::search::Goal;
use crate::unit::{Arrival, Destinations, Family, FrameSize, Rate, Speed};

fn asked(line: &str) -> Result<Asked, Usage> {
    parse(["corelane"].into_iter().chain(line.split_whitespace()))
}

fn bench(line: &str) -> BenchArgs {
    match asked(line) {
        Ok(Asked::Bench(args)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

fn refusal(line: &str) -> String {
    match asked(line) {
        Err(usage) => usage.to_string(),
        Ok(asked) => panic!("{line}: {asked:?}"),
    }
}

#[test]
fn defaults_of_bench() {
    let args = bench("bench");
    assert_eq!(
        (args.load.endpoints, args.load.flows, args.load.seed),
        (1000, 4096, 1)
    );
    assert_eq!(
        (args.load.destinations, args.load.family),
        (Destinations::Uniform, Family::Mixed)
    );
    assert_eq!(
        (args.frame_size, args.rate),
        (FrameSize::Fixed(64), Rate::Max)
    );
    assert_eq!(
        (args.duration, args.warmup),
        (Duration::from_secs(10), Duration::from_secs(1))
    );
    assert_eq!(
        (args.arrival, args.churn, args.load.hit_ratio),
        (None, None, 1.0)
    );
    assert!(!args.engine.promiscuous && !args.engine.latency && args.engine.json.is_none());
    assert_eq!((args.engine.workers, args.engine.ring), (None, 1024));
}

#[test]
fn links_of_bench_search_and_replay() {
    let args = bench(
        "bench --tx af_packet:eth1 --rx af_xdp:eth2 --dst-mac 192.0.2.1 --answer 198.51.100.2 \
         --answer 2001:db8::2 --i-own-this-link --cores 0,1 --vlan 7",
    );
    let ends = args.links.ends().unwrap();
    assert_eq!(ends.to_string(), "af_packet:eth1 to af_xdp:eth2");
    assert_eq!(args.links.answer.len(), 2);
    let back = bench("bench --link tap:t0").links.ends().unwrap();
    assert_eq!(back.to_string(), "tap:t0 and back");
    let only = bench("bench --tx af_packet:a --rx af_packet:b:receive_only").links;
    let told = "af_packet:a to af_packet:b:receive_only";
    assert_eq!(only.ends().unwrap().to_string(), told);
    // One device twice is opened once.
    let same = bench("bench --tx tap:t0 --rx tap:t0").links.ends();
    assert_eq!(same, Some(back));
    assert_eq!(bench("bench").links.ends(), None);
    assert!(matches!(
        asked("search --tx af_packet:a --rx af_packet:b --quick"),
        Ok(Asked::Search(args)) if args.links.ends().is_some()
    ));
    assert!(matches!(
        asked("replay --link tap:t0 --dst-mac 192.0.2.1 --speed 1 a.pcap"),
        Ok(Asked::Replay(args)) if args.links.ends().is_some()
    ));
    let pair = "--tx af_packet:a --rx af_packet:b";
    for (line, told) in [
        (
            "bench --tx af_packet:a".to_owned(),
            "--rx is missing, to receive by; --link is for both",
        ),
        (
            "bench --rx af_packet:a".to_owned(),
            "--tx is missing, to send by; --link is for both",
        ),
        (
            format!("bench {pair} --link af_packet:c"),
            "not together with",
        ),
        (
            "bench --dst-mac 192.0.2.1".to_owned(),
            "--dst-mac: of no use without real links",
        ),
        (
            "search --answer 192.0.2.1".to_owned(),
            "--answer: of no use without real links",
        ),
        (
            format!("bench {pair} --dst-mac x"),
            "--dst-mac: 'x' is no link address",
        ),
        (
            format!("bench {pair} --answer 224.0.0.1"),
            "is nobody's address",
        ),
        (
            "bench --tx af_packet:a:receive_only --rx af_packet:b".to_owned(),
            "--tx: 'af_packet:a:receive_only' is to receive only, and has to send; did you mean 'af_packet:a'?",
        ),
        (
            "replay --link af_packet:a:receive_only f.pcap".to_owned(),
            "--link: 'af_packet:a:receive_only' is to receive only",
        ),
        (
            "bench --tx af_packet:a --rx af_packet:b:receive_only --answer 192.0.2.1".to_owned(),
            "--answer: 'af_packet:b:receive_only' is to receive only, and answers nobody",
        ),
        (format!("bench {pair} --workers 1"), "not together with"),
        (format!("bench {pair} --forward"), "not together with"),
        (format!("bench {pair} --churn 5"), "not together with"),
        (format!("bench {pair} --pcap-out f"), "not together with"),
        (
            "bench --capture 5 --rate 1kpps --pcap-out f".to_owned(),
            "not together with",
        ),
        (
            "bench --capture-file f".to_owned(),
            "--capture is missing, which --capture-file is about",
        ),
        (
            "bench --vlan 1,2,3".to_owned(),
            "--vlan: '1,2,3' are more than the two tags that a frame has; did you mean '1,2'?",
        ),
        ("search --vlan 1,2,3".to_owned(), "more than the two tags"),
        (
            "bench --sockets 5 --slo p99<5us".to_owned(),
            "--sockets: no latency is measured to who reads them",
        ),
        (
            "search --sockets 5 --slo p99<5us".to_owned(),
            "--sockets: no latency is measured to who reads them",
        ),
        (
            format!("search {pair} --scale-workers"),
            "not together with",
        ),
        (
            format!("bench {pair} --protocols tcp-syn,fragments"),
            "frames without a number",
        ),
        (
            "bench --dst-net 192.0.2.0/24".to_owned(),
            "--dst-net: of no use without real links",
        ),
        (
            format!("bench {pair} --dst-net 192.0.2.1/24"),
            "did you mean '192.0.2.0/24'",
        ),
        (
            format!("bench {pair} --dst-net 224.0.0.0/24"),
            "is no network of hosts",
        ),
        (
            format!("bench {pair} --dst-net 128.0.0.0/1"),
            "is larger than networks are",
        ),
        (
            format!("bench {pair} --src-net x"),
            "--src-net: 'x' is no network",
        ),
        (
            format!("bench {pair} --dst-net 192.0.2.0/24"),
            "IPv6 has none, and --family mixed",
        ),
        (
            format!("bench {pair} --family v6 --src-net 192.0.2.0/24"),
            "--src-net: '192.0.2.0/24' is of IPv4",
        ),
        (
            format!("search {pair} --family v4 --dst-net 192.0.2.0/24 --dst-net 2001:db8::/64"),
            "--dst-net: '2001:db8::/64' is of IPv6",
        ),
        (
            format!("bench {pair} --family v4 --dst-net 192.0.2.0/25 --dst-net 192.0.3.0/25"),
            "more than one network of IPv4",
        ),
        (
            format!("bench {pair} --family v4 --dst-net 192.0.2.0/24"),
            "did you mean '--endpoints 254'",
        ),
        (
            format!("bench {pair} --family v4 --dst-net 198.19.0.0/16"),
            "go to addresses that they come from",
        ),
        (format!("bench {pair} --cores 1"), "there are two threads"),
        (format!("profile {pair}"), "profile: not on real links"),
        (format!("replay {pair} --own f.pcap"), "not together with"),
        (
            format!("replay {pair} --ring 64 f.pcap"),
            "not together with",
        ),
        (
            "replay --tx af_packet:a f.pcap".to_owned(),
            "--rx is missing",
        ),
    ] {
        let refused = refusal(&line);
        assert!(refused.contains(told), "{line}: {refused}");
    }
}

#[test]
fn networks_of_a_device_on_links() {
    let args = bench(
        "bench --tx af_packet:a --rx af_packet:b --endpoints 100 --src-net 198.18.0.0/16 --src-net 2001:2::/64 \
         --dst-net 198.19.0.0/16 --dst-net 2001:db8:7::/48",
    );
    let plan = AddressPlan::new(args.load.family, 2).within(args.load.destination_networks());
    let first: Vec<_> = plan.iter().map(|address| address.to_string()).collect();
    assert_eq!(first, ["198.19.0.1", "2001:db8:7::1"]);
    let flags = BTreeMap::from(args.load.flags());
    assert_eq!(flags["src_net"], json!(["198.18.0.0/16", "2001:2::/64"]));
    let one = bench("bench --link af_packet:a --family v4 --endpoints 1 --dst-net 192.0.2.9");
    let plan = AddressPlan::new(one.load.family, 1).within(one.load.destination_networks());
    assert_eq!(plan.endpoint(0).to_string(), "192.0.2.9");
}

#[test]
fn every_option_of_bench() {
    let args = bench(
        "bench --workers 2 --cores 1,2 --endpoints 1m --destinations zipf:0.9 --family v6 \
         --frame-size imix --flows 10k --rate 2.5gbps --arrival burst:32 --duration 500ms \
         --warmup 0s --churn 100k --promiscuous --hit-ratio 25% --latency --seed 99 --json - \
         --ring 256 --pool-slots 2048",
    );
    assert_eq!(
        (args.load.endpoints, args.load.flows, args.load.seed),
        (1_000_000, 10_000, 99)
    );
    assert_eq!(
        (args.load.destinations, args.load.family),
        (Destinations::Zipf(0.9), Family::V6)
    );
    assert_eq!(
        (args.frame_size, args.rate),
        ("imix".parse().unwrap(), Rate::Bps(2.5e9))
    );
    assert_eq!(
        (args.duration, args.warmup),
        (Duration::from_millis(500), Duration::ZERO)
    );
    assert_eq!(
        (args.arrival, args.churn),
        (Some(Arrival::Burst(32)), Some(100_000))
    );
    assert_eq!(args.load.hit_ratio, 0.25);
    let engine = args.engine;
    assert_eq!(
        (engine.workers, engine.ring, engine.pool_slots),
        (Some(2), 256, Some(2048))
    );
    assert_eq!(engine.cores.as_ref().unwrap().cores(), [1, 2]);
    assert!(engine.promiscuous && engine.latency && engine.json_to_stdout());
}

#[test]
fn bench_forwards_or_has_sockets() {
    let args = bench("bench --forward");
    assert_eq!(
        (args.load.forward, args.load.routes, args.load.neighbors),
        (true, 1000, 64)
    );
    let args = bench("bench --forward --routes 1m --neighbors 16 --churn 100 --latency");
    assert_eq!((args.load.routes, args.load.neighbors), (1_000_000, 16));
    assert_eq!((args.churn, args.engine.latency), (Some(100), true));
    let args = bench("bench --sockets 10k --churn 100 --hit-ratio 0.5");
    assert_eq!(
        (args.load.sockets, args.load.forward),
        (Some(10_000), false)
    );
}

#[test]
fn profile_takes_what_bench_takes() {
    let profile = |line| match asked(line) {
        Ok(Asked::Profile(args)) => args,
        other => panic!("{line}: {other:?}"),
    };
    let args = profile("profile");
    assert_eq!((args.sampler, args.frequency), (Choice::Auto, 499));
    assert_eq!((args.svg, args.diff), (None, None));
    assert_eq!(args.out, Path::new("corelane-profile"));
    let args = profile(
        "profile --endpoints 1m --duration 2s --sampler in-process --frequency 1k --out a --svg b.svg \
         --diff old.folded --json -",
    );
    assert_eq!(args.bench.load.endpoints, 1_000_000);
    assert_eq!(args.bench.duration, Duration::from_secs(2));
    assert!(args.bench.engine.json_to_stdout());
    assert_eq!(
        (args.sampler, args.frequency),
        (Choice::Only(Sampler::InProcess), 1000)
    );
    assert_eq!(args.svg.as_deref(), Some(Path::new("b.svg")));
    assert_eq!(args.diff.as_deref(), Some(Path::new("old.folded")));
}

#[test]
fn report_takes_results_with_names_or_without() {
    let Ok(Asked::Report(args)) = asked("report a.json new=b.json --flamegraph c.svg -o d.html")
    else {
        panic!("refused");
    };
    let names: Vec<_> = args.results.iter().map(|it| it.name.as_deref()).collect();
    assert_eq!(names, [None, Some("new")]);
    assert_eq!(args.results[1].file, Path::new("b.json"));
    assert_eq!(args.output, Path::new("d.html"));
    assert_eq!(args.flamegraph.as_deref(), Some(Path::new("c.svg")));
}

#[test]
fn replay_takes_files_and_a_speed() {
    let Ok(Asked::Replay(args)) = asked("replay --own a.pcap b.pcapng --speed 10x --repeat 3")
    else {
        panic!("refused");
    };
    assert_eq!(args.files.len(), 2);
    assert_eq!(
        (args.speed, args.repeat, args.own),
        (Speed::Times(10.0), 3, true)
    );
    assert!(!args.engine.json_to_stdout());
    for together in [
        "--duration 1s --repeat 2",
        "--forward --own",
        "--forward --promiscuous",
    ] {
        let message = asked(&format!("replay {together} a.pcap"))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("not together with"),
            "{together}: {message}"
        );
    }
}

#[test]
fn sim_takes_a_configuration_and_captures() {
    let line = "sim --config a.toml --in wan=b=c.pcap --in lan=d --out out --until 10s --trace";
    let Ok(Asked::Sim(args)) = asked(line) else {
        panic!("refused");
    };
    let input = |nic: &str, file: &str| Input {
        nic: nic.to_owned(),
        file: file.into(),
    };
    assert_eq!(args.inputs, [input("wan", "b=c.pcap"), input("lan", "d")]);
    assert_eq!(args.until, Some(Duration::from_secs(10)));
    assert!(args.trace && args.json.is_none());
    let Ok(Asked::CheckConfig(args)) = asked("check-config a.toml --json -") else {
        panic!("refused");
    };
    assert_eq!(args.json, Some("-".into()));
}

#[test]
fn up_takes_a_configuration_and_ctl_what_to_do() {
    let Ok(Asked::Up(args)) = asked("up --config a.toml") else {
        panic!("refused");
    };
    assert_eq!((args.config, args.idle), ("a.toml".into(), Idle::ADAPTIVE));
    assert!(args.socket.is_none() && args.user.is_none() && !args.json_logs);
    let request = |line: &str| match asked(line) {
        Ok(Asked::Ctl(args)) => args.request(),
        other => panic!("{line}: {other:?}"),
    };
    let show = Request::Show(Listing::Nics);
    assert_eq!(request("ctl show nics --json -"), Ok(show));
    let Ok(Request::Change(fields)) = request("ctl set_spoofing nic=wan on=true") else {
        panic!("refused");
    };
    assert_eq!(fields["do"], "set_spoofing");
    assert_eq!(
        (&fields["nic"], &fields["on"]),
        (&"wan".into(), &true.into())
    );
    // A name is a text, whatever it says.
    let Ok(Request::Change(fields)) = request("ctl release_route name=true") else {
        panic!("refused");
    };
    assert_eq!(fields["name"], "true");
    let Ok(Request::Watch(watch)) = request("ctl trace --duration 100ms") else {
        panic!("refused");
    };
    assert_eq!(watch.count, None);
    for (line, told) in [
        ("ctl show", "show: what? write for example: show addresses"),
        ("ctl show nics routes", "routes: one argument too many"),
        ("ctl show adresses", "what: 'adresses' cannot be shown"),
        ("ctl show bogus", "did you mean 'nics'?"),
        ("ctl add_adress nic=wan", "did you mean 'add_address'?"),
        ("ctl hold r1", "did you mean 'hold_route'?"),
        ("ctl foo", "did you mean 'show'?"),
        (
            "ctl add_address wan",
            "'wan' is not KEY=VALUE, as add_address has it; did you mean 'nic=wan'?",
        ),
        ("ctl add_address left", "did you mean 'nic=left'?"),
        (
            "ctl add_address nic=left 192.0.2.7/24",
            "did you mean 'address=192.0.2.7/24'?",
        ),
        (
            "ctl add_neighbor 02:00:00:00:00:fe",
            "did you mean 'mac=02:00:00:00:00:fe'?",
        ),
        ("ctl add_route ::/0", "did you mean 'to=::/0'?"),
        ("ctl set_spoofing true", "did you mean 'on=true'?"),
        ("ctl set_link down", "did you mean 'state=down'?"),
        ("ctl release_route r1", "did you mean 'name=r1'?"),
        ("ctl add_address nic=a nic=b", "nic: given more than once"),
    ] {
        let refused = request(line).unwrap_err().to_string();
        assert!(refused.contains(told), "{line}: {refused}");
    }
}

#[test]
fn refusals_name_the_option_the_value_and_what_would_do() {
    for (line, message) in [
        (
            "bench --frame-size imx",
            "--frame-size: 'imx' is not a frame size: bytes from 64 to 9218, a mix (imix, trex, csit, csit-v6, tolly, \
             rpr-tri, rpr-quad, rfc2544) or genome:LETTERS; did you mean 'imix'?",
        ),
        (
            "bench --endpoints 20m",
            "--endpoints: '20m' is not a number of endpoints: a whole number from 1 to 10000000; \
             did you mean '10000000'?",
        ),
        (
            "bench --forward --routes 2m",
            "--routes: '2m' is not a number of routes: a whole number from 1 to 1000000; did you mean \
             '1000000'?",
        ),
        (
            "bench --forward --neighbors 0",
            "--neighbors: '0' is not a number of neighbors: a whole number from 1 to 65536; did you \
             mean '1'?",
        ),
        (
            "bench --sockets 0",
            "--sockets: '0' is not a number of sockets: a whole number from 1 to 100000; did you mean \
             '1'?",
        ),
        (
            "bench --rate 1kpps --routes 10",
            "--forward is missing, which --routes is about",
        ),
        (
            "bench --neighbors 10",
            "--forward is missing, which --neighbors is about",
        ),
        (
            "bench --forward --endpoints 5",
            "--forward: not together with --endpoints",
        ),
        (
            "bench --forward --hit-ratio 0.5",
            "--forward: not together with --hit-ratio",
        ),
        (
            "bench --forward --promiscuous",
            "--forward: not together with --promiscuous",
        ),
        (
            "bench --forward --sockets 5",
            "--forward: not together with --sockets",
        ),
        (
            "bench --sockets 5 --endpoints 5",
            "--sockets: not together with --endpoints",
        ),
        (
            "bench --sockets 5 --promiscuous",
            "--sockets: not together with --promiscuous",
        ),
        (
            "bench --sockets 5 --latency",
            "--sockets: not together with --latency",
        ),
        (
            "bench --workers 0",
            "--workers: '0' is not a number of workers: a whole number from 1 to 128; did you mean \
             '1'?",
        ),
        (
            "bench --duration=10x",
            "--duration: '10x' is not a time: a number with ns, us, ms, s, min or h, from 10ms to \
             24h; did you mean '10s'?",
        ),
        (
            "bench --rate 5m",
            "--rate: '5m' may be frames or bits per second: write 5mpps or 5mbps; did you mean \
             '5mpps'?",
        ),
        (
            "bench --rate -5",
            "--rate: '-5' is not a rate: max, frames per second (5Mpps, 200kpps, 1_000_000), bits \
             per second (2.5gbps, 10g) or a share of max (50%); did you mean '1Mpps'?",
        ),
        (
            "bench --hit-ratio 2",
            "--hit-ratio: '2' is not a share: a number from 0 to 1, or from 0% to 100%; did you \
             mean '2%'?",
        ),
        (
            "bench --arrival poisson",
            "--arrival: 'poisson' needs a fixed --rate: at max the workers set the pace; did you \
             mean '--rate 90%'?",
        ),
        (
            "bench --workers 2 --cores 0",
            "--workers: '2' is not the number of --cores: 0; did you mean '1'?",
        ),
        ("bench --rate", "--rate: a value is missing"),
        (
            "bench --rate max --rate max",
            "--rate: given more than once",
        ),
        (
            "bench --endpoint 5",
            "--endpoint: no such option; did you mean '--endpoints'?",
        ),
        ("bench --xyzzy", "--xyzzy: no such option"),
        ("bench surplus", "surplus: one argument too many"),
        (
            "bench --capture 65537",
            "--capture: '65537' is not a number of frames: a whole number from 1 to 65536; did you mean '65536'?",
        ),
        (
            "bench --profile x.toml --rate 1kpps",
            "--profile: not together with --rate",
        ),
        (
            "bnech",
            "'bnech' is no verb; corelane --help lists them; did you mean 'bench'?",
        ),
        (
            "frobnicate",
            "'frobnicate' is no verb; corelane --help lists them",
        ),
        (
            "up --config x --idle pol",
            "--idle: 'pol' is not poll, adaptive or interrupt; did you mean 'poll'?",
        ),
        (
            "up --config x --log loud",
            "--log: 'loud' is no level: off, error, warn, info, debug, trace; did you mean 'info'?",
        ),
        (
            "search --goal pdr,los=1",
            "--goal: 'pdr,los=1' is no goal: its keys are name, loss, exceed, width, initial, trial, \
             sum; did you mean 'loss=...'?",
        ),
        (
            "search --goal pdx",
            "--goal: 'pdx' is no goal: ndr, pdr, throughput, or KEY=VALUE,...; did you mean 'pdr'?",
        ),
        (
            "search --goal trial=2s,initial=3s",
            "--goal: 'trial=2s,initial=3s' is no goal: trials last longer than nothing, the initial no \
             longer than the final, the final no longer than the sum; did you mean 'ndr'?",
        ),
        (
            "search --goal loss=100%",
            "--goal: 'loss=100%' is no goal: the loss ratio is from 0 to less than 1; did you mean 'ndr'?",
        ),
        (
            "search --quick --duration 1s",
            "--quick: not together with --duration",
        ),
        (
            "search --rfc2544 --goal ndr",
            "--rfc2544: not together with --goal",
        ),
        (
            "search --slo loss=0",
            "--slo: 'loss=0' is not a target: 'loss' is what a goal of a search may lose, for which --goal is; a \
             target is its rate, by its name; did you mean 'ndr>=10Mpps'?",
        ),
        (
            "search --frame-size 64,imx",
            "--frame-size: 'imx' is not a frame size: bytes from 64 to 9218, a mix (imix, trex, csit, \
             csit-v6, tolly, rpr-tri, rpr-quad, rfc2544) or genome:LETTERS; did you mean 'imix'?",
        ),
        ("compare", "<FILE> is missing"),
        ("compare --a x", "--b is missing"),
        (
            "compare one.json",
            "<FILE>: two results are compared, and one.json is one",
        ),
        ("compare a b c", "c: one argument too many"),
        (
            "compare --a x --b y one.json",
            "--a: not together with <FILE>",
        ),
        ("compare --b y a b", "--b: not together with <FILE>"),
        (
            "compare a.json b.json --rounds 3",
            "<FILE>: not together with --rounds",
        ),
        ("compare --rounds 3", "--b is missing"),
        ("up", "--config is missing"),
        ("ctl", "<DO> is missing"),
        (
            "ctl trace --address 1.2.3",
            "--address: '1.2.3' is not an IP address; did you mean '1.2.3.1'?",
        ),
        (
            "ctl trace --address 192.0.2.7/24",
            "--address: '192.0.2.7/24' is not an IP address; did you mean '192.0.2.7'?",
        ),
        (
            "ctl trace --address fe80::zz",
            "--address: 'fe80::zz' is not an IP address; did you mean '2001:db8::1'?",
        ),
        (
            "ctl trace --port 99999",
            "--port: '99999' is not a port: a whole number from 0 to 65535; did you mean '65535'?",
        ),
        ("replay", "<FILE> is missing"),
        ("check-config", "<FILE> is missing"),
        ("report -o x.html", "<FILE> is missing"),
        ("report x.json", "--output is missing"),
        (
            "report =x.json -o y",
            "<FILE>: '=x.json' is not FILE or NAME=FILE; did you mean 'before=x.json'?",
        ),
        (
            "profile --sampler pref",
            "--sampler: 'pref' is not auto, perf or in-process; did you mean 'perf'?",
        ),
        (
            "profile --frequency 5",
            "--frequency: '5' is not a frequency: a whole number from 10 to 10000; did you mean '10'?",
        ),
        ("sim --out x", "--config is missing"),
        ("sim --config x", "--out is missing"),
        (
            "sim --config x --out y --in in.pcap",
            "--in: 'in.pcap' is not NIC=FILE; did you mean 'wan=in.pcap'?",
        ),
        (
            "sim --config x --out y --in wan=",
            "--in: 'wan=' is not NIC=FILE; did you mean 'wan=in.pcap'?",
        ),
        (
            "sim --config x --out y --until soon",
            "--until: 'soon' is not a time: a number with ns, us, ms, s, min or h, from 0s to \
             8760h; did you mean '1s'?",
        ),
        (
            "replay --speed fast x.pcap",
            "--speed: 'fast' is not a speed: max, or a multiple of the capture's own pace (1, 0.5, \
             10x); did you mean '1'?",
        ),
    ] {
        assert_eq!(refusal(line), message, "{line}");
    }
}

#[test]
fn help_lists_what_is() {
    let help = |line| match asked(line) {
        Ok(Asked::Text(text)) => text,
        other => panic!("{line}: {other:?}"),
    };
    let main = help("--help");
    for verb in usage::VERBS {
        assert!(main.contains(&format!("\n  {verb} ")), "{verb}");
    }
    let bench = help("bench --help");
    for option in [
        "--workers",
        "--cores",
        "--endpoints",
        "--destinations",
        "--family",
        "--frame-size",
        "--flows",
        "--rate",
        "--arrival",
        "--duration",
        "--warmup",
        "--churn",
        "--forward",
        "--routes",
        "--neighbors",
        "--sockets",
        "--promiscuous",
        "--hit-ratio",
        "--latency",
        "--seed",
        "--json",
        "--ring",
        "--pool-slots",
        "--capture",
    ] {
        assert!(bench.contains(&format!("\n      {option}")), "{option}");
    }
    assert!(
        bench.contains("at least 66"),
        "says what becomes of a 64-byte IPv6 frame"
    );
    assert!(bench.contains("Examples:"));
    let replay = help("replay --help");
    assert!(replay.contains("Examples:") && replay.contains("--own"));
    // Among the options of real links there are no others.
    for help in [
        &bench,
        &replay,
        &help("search --help"),
        &help("profile --help"),
    ] {
        let (others, links) = help.split_once("\nReal links:").unwrap();
        let has = |text: &str, option| text.contains(&format!("\n      {option} "));
        for (option, is_of_links) in [
            ("--duration", false),
            ("--json", false),
            ("--latency", false),
            ("--tx", true),
            ("--dst-mac", true),
        ] {
            assert_eq!(has(links, option), is_of_links, "{option}: {help}");
            assert_eq!(has(others, option), !is_of_links, "{option}: {help}");
        }
    }
    let sim = help("sim --help");
    for option in ["--config", "--in", "--out", "--until", "--json", "--trace"] {
        assert!(sim.contains(&format!("\n      {option}")), "{option}");
    }
    assert!(help("up --help").contains("Example:") && help("ctl --help").contains("Examples:"));
    assert!(sim.contains("Example:") && help("check-config --help").contains("Example:"));
    assert!(help("--version").starts_with("corelane "));
    assert_eq!(help("help bench"), bench);
}

#[test]
fn no_verb_is_answered_with_the_help() {
    assert!(refusal("").contains("Usage: corelane"));
}

#[test]
fn a_search_by_its_options() {
    let search = |line: &str| match asked(line) {
        Ok(Asked::Search(args)) => args,
        other => panic!("{line}: {other:?}"),
    };
    let args = search("search");
    assert!(args.frame_size.is_empty() && args.goal.is_empty() && args.duration.is_none());
    assert_eq!((args.repeat, args.warmup), (1, Duration::from_millis(500)));
    assert_eq!(args.engine.ring, 65_536);
    let args = search(
        "search --frame-size 64,imix --frame-size 1518 --goal ndr --goal pdr,loss=0.1%,name=P --repeat 3 \
         --max-rate 10g --endpoints 10k --latency",
    );
    let sizes: Vec<_> = args.frame_size.iter().map(ToString::to_string).collect();
    assert_eq!(sizes, ["64", "imix", "1518"]);
    assert_eq!(args.max_rate, Some(Rate::Bps(10e9)));
    assert_eq!(
        (args.load.endpoints, args.repeat, args.engine.latency),
        (10_000, 3, true)
    );
    let second = Duration::from_secs(1);
    let [ndr, pdr] = &args.goal[..] else {
        panic!("{:?}", args.goal);
    };
    assert_eq!(ndr.goal(second), Goal::ndr(second));
    let expected = Goal {
        name: "P".to_owned(),
        loss_ratio: 0.001,
        ..Goal::pdr(second)
    };
    assert_eq!(pdr.goal(second), expected);
    let own = search("search --goal trial=2s,sum=3s,initial=1s,width=1%,exceed=0.25").goal;
    let own = own[0].goal(second);
    assert_eq!(
        (own.final_trial, own.duration_sum),
        (2 * second, 3 * second)
    );
    assert_eq!(
        (own.initial_trial, own.width, own.exceed_ratio),
        (second, 0.01, 0.25)
    );
    assert_eq!(own.name, "trial=2s,sum=3s,initial=1s,width=1%,exceed=0.25");
}
