//! `bench` and `search` on links, with a device under test between them.

use std::fs;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use corelane::io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane::io::af_xdp::queues_of;
use corelane::io::pcap::Capture;
use corelane_lab::kernel;
use corelane_lab::raw::Raw;
use serde_json::{Value, json};

use super::bed::has_no_xdp;
use super::common::{corelane, stderr, stdout};

fn ip(words: &str) {
    kernel::ip(words).unwrap();
}

/// The kernel as a router between `NAMEt1` and `NAMEr1`, whose other ends are the tester's; one hop behind
/// it is where all of 10.0.0.0/8 and fd00::/16 is. Gone with the case.
struct Router {
    name: &'static str,
    /// Of the tester's links.
    kind: &'static str,
}

impl Router {
    fn new(name: &'static str) -> Self {
        Self::between(name, "af_packet", 1)
    }

    /// Between links of a kind, on devices with so many queues.
    fn between(name: &'static str, kind: &'static str, queues: usize) -> Self {
        let each = format!("numtxqueues {queues} numrxqueues {queues}");
        // The kernel asks for neighbors from a link-local address, which is to be there at once.
        fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        for (side, network) in [("t", "1"), ("r", "2")] {
            ip(&format!(
                "link add {name}{side}0 {each} type veth peer name {name}{side}1 {each}"
            ));
            ip(&format!("link set {name}{side}0 up"));
            ip(&format!("link set {name}{side}1 up"));
            ip(&format!(
                "addr add 198.51.10{network}.1/24 dev {name}{side}1"
            ));
            ip(&format!(
                "addr add 2001:db8:10{network}::1/64 dev {name}{side}1 nodad"
            ));
        }
        ip(&format!(
            "route add 10.0.0.0/8 via 198.51.102.2 dev {name}r1"
        ));
        ip(&format!(
            "route add fd00::/16 via 2001:db8:102::2 dev {name}r1"
        ));
        let filter = format!("ipv4/conf/{name}t1/rp_filter");
        for (setting, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            (&*filter, "0"),
            ("ipv6/conf/all/forwarding", "1"),
        ] {
            fs::write(format!("/proc/sys/net/{setting}"), value).unwrap();
        }
        Self { name, kind }
    }

    /// Runs a verb through it.
    fn run(&self, verb: &str, more: &str) -> Output {
        let Self { name, kind } = self;
        let line = format!(
            "{verb} --tx {kind}:{name}t0 --rx {kind}:{name}r0 --dst-mac 198.51.101.1 \
             --answer 198.51.102.2 --answer 2001:db8:102::2 --json - {more}"
        );
        corelane(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Likewise, while it drops what is for 10.0.0.0/25: a loss that the options allow none of.
    fn run_with_blackhole(&self, verb: &str, more: &str) -> Value {
        ip("route add blackhole 10.0.0.0/25");
        let output = self.run(verb, more);
        ip("route del blackhole 10.0.0.0/25");
        assert!(matches!(output.status.code(), Some(4 | 5)), "{output:?}");
        let result: Value = serde_json::from_str(stdout(&output)).unwrap();
        balanced(&result);
        result
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        for side in ["t0", "r0"] {
            // With its peer, and the routes over that.
            let _ = kernel::ip(&format!("link del {}{side}", self.name));
        }
    }
}

/// The result of a run whose books balance: a tester that lost its core on a busy machine has a result too,
/// with a status of its own.
fn result(output: &Output) -> Value {
    let told = stderr(output);
    assert!(matches!(output.status.code(), Some(0 | 5)), "{told}");
    let result: Value = serde_json::from_str(stdout(output)).expect(told);
    result
}

fn count(result: &Value, pointer: &str) -> u64 {
    let found = result.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no {pointer} in {result:#}"))
}

/// What has to be so of any run.
fn balanced(result: &Value) {
    assert_eq!(result["accounting"]["holds"], true, "{result:#}");
    let of = |pointer: &str| count(result, pointer);
    let sent = of("/sent");
    let unsent: u64 = ["late", "no_buffer", "not_taken"]
        .iter()
        .map(|cause| of(&format!("/generator/unsent/{cause}")))
        .sum();
    assert_eq!(of("/generator/intended"), sent + unsent);
    let unique = of("/order/in_order") + of("/order/reordered");
    assert_eq!(sent, unique + of("/links/lost"));
}

pub(crate) fn kernel_router() {
    let router = Router::new("ma");
    let output = router.run(
        "bench",
        "--rate 2kpps --duration 1s --warmup 300ms --latency",
    );
    let result = result(&output);
    balanced(&result);
    let of = |pointer: &str| count(&result, pointer);
    let sent = of("/sent");
    assert!((1_900..=2_000).contains(&sent), "{sent}");
    // Hop limits, checksums and link addresses are other ones by now: that is nobody's corruption.
    assert_eq!((of("/links/lost"), of("/order/corrupt")), (0, 0));
    assert_eq!(of("/latency_ns/count"), sent);
    assert!(of("/latency_ns/p50") > 0);
    assert_eq!(result["links"]["timestamps"], "link");
    assert_eq!(result["links"]["resolved_from"], "198.51.101.1");
    assert_eq!(result["links"]["tx"]["link"], "af_packet:mat0");
    // IPv6 frames have to be larger to have a number.
    assert_eq!(result["flags"]["smallest_ipv6_frame"], 82);
}

/// What comes by any queue of a device is received: a veth spreads flows over all that it has.
pub(crate) fn several_queues() {
    let router = Router::between("mq", "af_xdp", 4);
    assert_eq!(queues_of("mqr0").unwrap(), 4);
    if has_no_xdp("mqr0") {
        return;
    }
    let output = router.run("bench", "--rate 2kpps --duration 1s --warmup 300ms");
    let result = result(&output);
    balanced(&result);
    let of = |pointer: &str| count(&result, pointer);
    assert!(of("/sent") > 1_000);
    assert_eq!((of("/links/lost"), of("/order/reordered")), (0, 0));
}

/// A router whose routes are its own: the load goes where they lead, from where it lets it come.
pub(crate) fn own_networks() {
    let router = Router::new("mw");
    for (before, instead) in [
        ("10.0.0.0/8", "203.0.113.0/24 via 198.51.102.2 dev mwr1"),
        ("fd00::/16", "2001:db8:7::/48 via 2001:db8:102::2 dev mwr1"),
    ] {
        ip(&format!("route del {before}"));
        ip(&format!("route add {instead}"));
    }
    ip("rule add from 198.18.0.0/15 blackhole");
    ip("-6 rule add from 2001:2::/48 blackhole");
    let output = router.run(
        "bench",
        "--rate 2kpps --duration 300ms --warmup 100ms --protocols udp,tcp-syn,icmp-echo \
         --endpoints 400 --dst-net 203.0.113.0/24 \
         --dst-net 2001:db8:7::/48 --src-net 192.0.2.128/25 --src-net 2001:db8:9::/48",
    );
    ip("rule del from 198.18.0.0/15");
    ip("-6 rule del from 2001:2::/48");
    let result = result(&output);
    balanced(&result);
    assert_eq!(count(&result, "/links/lost"), 0);
    assert_eq!(
        result["flags"]["dst_net"],
        json!(["203.0.113.0/24", "2001:db8:7::/48"])
    );
}

/// A wire under test, listened to at its far end: all that comes is counted, to the frame.
pub(crate) fn listened_to() {
    ip("link add ml0 type veth peer name ml1");
    ip("link set ml0 up");
    ip("link set ml1 up");
    let line = "bench --tx af_packet:ml0 --rx af_packet:ml1:receive_only --rate 2kpps --duration 1s --warmup 300ms \
                --latency --json -";
    let output = corelane(&line.split_whitespace().collect::<Vec<_>>());
    let result = result(&output);
    balanced(&result);
    let of = |pointer: &str| count(&result, pointer);
    assert!(of("/sent") > 1_900, "{result:#}");
    assert_eq!((of("/links/lost"), of("/order/reordered")), (0, 0));
    assert_eq!(of("/latency_ns/count"), of("/sent"));
    // It ends when the kernel had the frame, and not when its block was full.
    assert_eq!(result["links"]["timestamps"], "link");
    assert_eq!(result["links"]["rx"]["link"], "af_packet:ml1:receive_only");
    ip("link del ml0");
}

/// A host that answers pings is a device that sends back.
pub(crate) fn pinged() {
    ip("link add mp0 type veth peer name mp1");
    ip("link set mp0 up");
    ip("link set mp1 up");
    ip("addr add 192.0.2.1/24 dev mp1");
    let line = "bench --link af_packet:mp0 --dst-mac 192.0.2.1 --answer 192.0.2.9 --protocols icmp-echo \
                --family v4 --dst-net 192.0.2.1 --endpoints 1 --src-net 192.0.2.9 --rate 1kpps \
                --duration 500ms --warmup 100ms --latency --json -";
    let output = corelane(&line.split_whitespace().collect::<Vec<_>>());
    let result = result(&output);
    balanced(&result);
    let of = |pointer: &str| count(&result, pointer);
    assert!(of("/sent") > 400, "{result:#}");
    assert_eq!((of("/links/lost"), of("/order/corrupt")), (0, 0));
    ip("link del mp0");
}

pub(crate) fn dropping() {
    let router = Router::new("mb");
    // 127 of the 256 addresses.
    let result = router.run_with_blackhole(
        "bench",
        "--rate 2560pps --duration 1s --warmup 300ms --family v4 --endpoints 256 \
         --destinations sequential --slo loss=0",
    );
    let sent = count(&result, "/sent");
    assert!(sent >= 2_400, "{sent}");
    // Frames go to the addresses in turn.
    let lost = (0..sent).filter(|number| number % 256 < 127).count();
    assert_eq!(count(&result, "/links/lost"), lost as u64);
}

pub(crate) fn echo() {
    ip("link add mc0 type veth peer name mc1");
    ip("link set mc0 up");
    ip("link set mc1 up");
    let mut link = AfPacketLink::new(AfPacketConfig {
        name: "mc1".to_owned(),
        super_frames: false,
        ..AfPacketConfig::default()
    })
    .unwrap();
    let mut raw = Raw::of(&mut link, 1920).unwrap();
    let done = AtomicBool::new(false);
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept.pcapng");
    let output = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for frame in raw.receive(0).unwrap() {
                    raw.send(&frame).unwrap();
                    // A numbered frame whose number was there, and one that is nobody's.
                    if frame[frame.len() - 1] % 16 == 0 {
                        raw.send(&[0xff; 60]).unwrap();
                    }
                }
            }
        });
        let line = "bench --link af_packet:mc0 --rate 1kpps --duration 500ms --warmup 100ms --family v4 \
                    --frame-size imix --vlan 7 --capture 100 --json - --capture-file";
        let line = line.split_whitespace().chain([kept.to_str().unwrap()]);
        let output = corelane(&line.collect::<Vec<_>>());
        done.store(true, Ordering::Relaxed);
        output
    });
    let result = result(&output);
    balanced(&result);
    assert_eq!(count(&result, "/links/lost"), 0);
    assert!(count(&result, "/sent") >= 450);
    assert!(count(&result, "/links/foreign") > 0);
    assert_eq!(result["links"]["tx"]["link"], "af_packet:mc0");
    assert_eq!(result["links"]["rx"]["link"], "af_packet:mc0");
    // What came back is kept, the others' too.
    let kept = Capture::open(&kept).unwrap();
    let lens: Vec<_> = kept.packets().map(|packet| packet.len()).collect();
    assert_eq!(lens.len(), 100);
    assert!(lens.contains(&60) && lens.contains(&1514), "{lens:?}");
    ip("link del mc0");
}

/// Frames of a capture have no numbers: they are known by what is in them.
pub(crate) fn replayed() {
    let router = Router::new("mf");
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("mixed.pcap");
    let capture = capture.to_str().unwrap();
    let made = |options: &str| {
        let line = format!("bench --pcap-out {capture} --endpoints 256 --duration 500ms {options}");
        let output = corelane(&line.split_whitespace().collect::<Vec<_>>());
        assert!(output.status.success(), "{}", stderr(&output));
    };
    made("--rate 2kpps --frame-size imix --protocols udp:5,tcp-syn:2,icmp-echo:1,fragments:2");
    let output = router.run(
        "replay",
        &format!("{capture} --speed 1 --repeat 2 --latency"),
    );
    let result = result(&output);
    balanced(&result);
    let of = |pointer: &str| count(&result, pointer);
    assert_eq!((of("/generator/intended"), of("/links/lost")), (2_000, 0));
    assert!(of("/latency_ns/count") > 1_900);
    assert_eq!(result["flags"]["readdressed"], true);
    assert_eq!(result["captures"][0]["packets"], 1_000);
    // 127 of the 256 addresses, and each of the packets four times.
    made("--rate 2560pps --family v4 --destinations sequential");
    let result = router.run_with_blackhole(
        "replay",
        &format!("{capture} --speed 2 --repeat 4 --slo loss=0"),
    );
    let sent = count(&result, "/sent");
    assert!(sent >= 5_000, "{sent}");
    let lost = (0..sent)
        .filter(|number| number % 1_280 % 256 < 127)
        .count();
    assert_eq!(count(&result, "/links/lost"), lost as u64);
}

pub(crate) fn searched() {
    let router = Router::new("md");
    let output = router.run(
        "search",
        "--quick --max-rate 2kpps --goal ndr --family v4 --time-limit 20s",
    );
    let result = result(&output);
    assert_eq!(result["accounting_holds"], true);
    assert_eq!(result["flags"]["tx"], "af_packet:mdt0");
    let goal = &result["sizes"][0]["goals"][0];
    assert!(goal["lower_pps"].as_u64() > Some(0), "{goal:#}");
    let trials = result["sizes"][0]["trials"].as_array().unwrap();
    assert!(trials.iter().any(|trial| trial["loss_ratio"] == 0.0));
}

pub(crate) fn refusals() {
    ip("link add me0 type veth peer name me1");
    ip("link set me0 up");
    ip("link set me1 up");
    for (line, status, told) in [
        (
            "--tx af_packet:no-such --rx af_packet:me0",
            1,
            "--tx af_packet:no-such: ",
        ),
        (
            "--link af_packet:me0 --frame-size 9000",
            2,
            "has an MTU of 1500",
        ),
        (
            "--link af_packet:me0 --dst-mac 192.0.2.77",
            1,
            "nobody on af_packet:me0 answers for 192.0.2.77",
        ),
        ("--link af_packet:me0 --cores 0", 2, "there are two threads"),
    ] {
        let line = format!("bench --duration 50ms --warmup 0s --rate 1kpps {line}");
        let output = corelane(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(status), "{line}: {output:?}");
        assert!(stderr(&output).contains(told), "{line}: {output:?}");
    }
    ip("addr add 192.0.2.1/24 dev me0");
    ip("route add default via 192.0.2.2 dev me0");
    let line = ["bench", "--link", "af_packet:me0", "--duration", "50ms"];
    let output = corelane(&line);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("--i-own-this-link"));
    // Nobody sends back: all is lost, and it is said what to do.
    let mut line = line.to_vec();
    line.extend(["--i-own-this-link", "--warmup", "0s", "--rate", "1kpps"]);
    let output = corelane(&line);
    assert!(matches!(output.status.code(), Some(0 | 5)), "{output:?}");
    assert!(
        stdout(&output).contains("nothing came back: --dst-mac"),
        "{output:?}"
    );
    ip("link del me0");
}
