//! The cases.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::again;
use super::bed::{
    Client, ECHO, frames_of, has_no_ethtool, has_no_xdp, ip, kernel_end, mode, nic, users,
};
use super::common::Scratch;
use super::common::up::{Up, eventually, refused};
use super::idle::{idle, wakes};
use super::log_reader::{log_read_late, log_reader_gone, log_unread};
use super::measure;
use super::reload::{sighup, sighup_capture, sighup_failed, sighup_nics, sighup_refused};
use super::top::top;
use super::watch::{capture, capture_slow, trace};

/// A case and its name.
type Case = (&'static str, fn());

pub(crate) const ALL: &[Case] = &[
    ("comes_up_answers_and_ends_with_its_counters", comes_up),
    ("several_workers_on_a_queue_each", several_workers),
    ("a_device_through_af_packet", af_packet),
    ("a_device_that_is_listened_to", listener),
    ("a_device_through_af_xdp_and_how", af_xdp),
    ("a_router_to_another_host", router),
    ("ctl_shows_and_changes", ctl),
    ("ctl_says_what_is_wrong", ctl_refusals),
    (
        "sighup_changes_what_is_another_without_a_lost_packet",
        sighup,
    ),
    ("sighup_is_refused_as_a_whole", sighup_refused),
    ("sighup_adds_and_removes_nics", sighup_nics),
    (
        "sighup_opens_a_link_again_whose_device_was_gone",
        sighup_failed,
    ),
    ("sighup_tries_again_what_failed", again::changes),
    (
        "sighup_opens_no_link_without_its_privilege",
        again::unprivileged,
    ),
    (
        "sighup_loses_a_nic_that_cannot_be_made_and_adds_it_later",
        again::lost,
    ),
    ("a_capture_to_a_file_ends_with_its_nic", sighup_capture),
    ("the_timeline_runs", timeline),
    ("the_control_socket_is_its_owner_s_alone", control_socket),
    ("privileges_are_dropped", privileges),
    ("what_cannot_be_up_is_told", not_up),
    ("a_device_that_is_taken_away_is_told", taken_away),
    ("a_device_without_carrier_is_told", no_carrier),
    (
        "a_device_that_is_renamed_is_known_and_told_of_when_its_mtu_is_too_small",
        renamed,
    ),
    ("a_log_that_nobody_reads_holds_up_nothing", log_unread),
    ("a_log_that_is_read_late_tells_what_it_lost", log_read_late),
    ("a_log_whose_reader_is_gone_ends_nothing", log_reader_gone),
    ("capture_shows_what_goes_by", capture),
    ("capture_loses_copies_and_no_traffic", capture_slow),
    ("trace_shows_the_way_of_the_next_frames", trace),
    ("faults_are_exact_and_captured", faults),
    ("top_tells_the_rates", top),
    ("a_host_that_is_idle_sleeps", idle),
    ("who_sleeps_wakes_at_once", wakes),
    (
        "a_router_under_test_loses_nothing_at_a_modest_rate",
        measure::kernel_router,
    ),
    (
        "what_a_device_under_test_drops_is_found_to_the_frame",
        measure::dropping,
    ),
    (
        "a_device_under_test_with_networks_of_its_own",
        measure::own_networks,
    ),
    (
        "a_device_under_test_with_several_queues",
        measure::several_queues,
    ),
    (
        "a_device_under_test_that_is_listened_to",
        measure::listened_to,
    ),
    ("a_device_under_test_that_sends_back", measure::echo),
    ("a_device_under_test_that_answers_pings", measure::pinged),
    ("a_capture_through_a_router_under_test", measure::replayed),
    (
        "the_highest_rate_of_a_router_is_searched_for",
        measure::searched,
    ),
    ("links_that_are_not_to_be_measured_on", measure::refusals),
];

fn comes_up() {
    let dir = Scratch::new("comes-up");
    let manager = UnixDatagram::bind(dir.path("notify")).unwrap();
    let notify = dir.path("notify").display().to_string();
    let config = nic("cl1", "'192.0.2.2/24', '2001:db8:2::2/64'") + ECHO;
    let json = dir.path("report.json").display().to_string();
    let arguments = ["--json", &json, "--json-logs"];
    let up = Up::start_in(dir, &config, &arguments, &[("NOTIFY_SOCKET", &notify)]);
    let mut told = [0; 64];
    let len = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..len], b"READY=1");

    kernel_end("cl1", 2);
    eventually("the address is nobody else's", || up.has("2001:db8:2::2"));
    let mut sent = 0;
    for address in ["192.0.2.2", "2001:db8:2::2"] {
        let client = Client::new(address, 7);
        for len in [0, 1, 100, 1472, 4000, 20_000] {
            assert!(client.echo(&vec![7; len]), "{address}: {len}");
            sent += 1;
        }
    }
    for line in up.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["timestamp"].is_string());
    }
    assert!(up.log().contains("address_assigned"));
    assert!(
        up.log()
            .contains(r#""nic":"wan","kind":"tap","device":"cl1","queues":1"#)
    );

    let socket = up.socket();
    assert!(socket.exists());
    let report = up.dir().path("report.json");
    // The directory goes with the host.
    let kept = std::env::temp_dir().join(format!("corelane-{}-kept.json", std::process::id()));
    std::fs::hard_link(&report, &kept).unwrap();
    let (status, text) = up.end("TERM");
    let json: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    std::fs::remove_file(kept).unwrap();
    assert_eq!(status, Some(0), "{text}");
    assert!(!socket.exists());
    assert!(text.contains("NIC wan"), "{text}");
    // What the kernel asked, apart from what was dropped.
    let protocols = text.split_once("  Protocols:\n").unwrap().1;
    assert!(protocols.contains(" arp_requests_received: "), "{text}");
    assert!(!protocols.contains("       0 "), "{text}");
    assert!(text.contains("every frame is accounted for"), "{text}");
    assert_eq!((&json["schema"], &json["verb"]), (&1.into(), &"up".into()));
    assert_eq!(json["accounting"]["holds"], true);
    assert_eq!(json["services"][0]["answered"], sent);
}

fn several_workers() {
    let config = "workers = 2\n[[nic]]\nname = 'wan'\naddresses = ['192.0.3.2/24']\n\
                  link = { kind = 'tap', name = 'cl2', queues = 2 }\n";
    let up = Up::start("several-workers", &format!("{config}{ECHO}"));
    kernel_end("cl2", 3);
    for flow in 0..64_u32 {
        assert!(Client::new("192.0.3.2", 7).echo(&flow.to_be_bytes()));
    }
    let workers = up.show("workers");
    assert_eq!(workers.len(), 2, "no distributor: {workers:?}");
    let (status, text) = up.end("INT");
    assert_eq!(status, Some(0), "{text}");
}

fn af_packet() {
    ip("link add cl3 type veth peer name cl3p");
    ip("link set cl3 up");
    ip("link set cl3p up");
    kernel_end("cl3p", 4);
    let config = "dad_transmits = 0\n[[nic]]\nname = 'wan'\n\
                  addresses = ['192.0.4.2/24', '2001:db8:4::2/64']\n\
                  link = { kind = 'af_packet', name = 'cl3' }\n";
    let up = Up::start("af-packet", &format!("{config}{ECHO}"));
    for address in ["192.0.4.2", "2001:db8:4::2"] {
        let client = Client::new(address, 7);
        assert!(
            (0..100_u32).all(|n| client.echo(&n.to_be_bytes())),
            "{address}"
        );
    }
    let counters = up.show("counters");
    let received = counters
        .iter()
        .find(|row| row["counter"] == "kernel_received");
    assert!(
        received.unwrap()["value"].as_u64() >= Some(200),
        "{counters:?}"
    );
    let nics = up.show("nics");
    assert_eq!(
        (&nics[0]["link"], &nics[0]["device"]),
        (&"af_packet".into(), &"cl3".into())
    );
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    ip("link del cl3");
}

/// Frames are captured and counted by a NIC that answers nobody; another one beside it routes to nowhere through it.
fn listener() {
    ip("link add cl34 type veth peer name cl34p");
    ip("link set cl34 up");
    ip("link set cl34p up");
    kernel_end("cl34p", 34);
    let config = "[[nic]]\nname = 'tap'\n\
                  link = { kind = 'af_packet', name = 'cl34', receive_only = true }\n\
                  [[service]]\nkind = 'raw_sink'\nbind = 'any'\n";
    let up = Up::start("listener", config);
    let nics = up.show("nics");
    assert_eq!(
        (&nics[0]["link"], &nics[0]["mode"], &nics[0]["zero_copy"]),
        (&"af_packet".into(), &"receive_only".into(), &Value::Null)
    );
    assert!(up.log().contains("receive_only"), "{}", up.log());
    // To somebody else, whom the kernel believes in.
    ip("neigh replace 192.0.34.9 lladdr 02:00:00:00:00:09 dev cl34p");
    let file = up.dir().path("heard.pcapng");
    let line = format!(
        "capture tap --address 192.0.34.9 --count 20 -w {}",
        file.display()
    );
    let mut capture = up.ctl_command(&line).spawn().unwrap();
    let socket = UdpSocket::bind("192.0.34.1:0").unwrap();
    eventually("the capture has its frames", || {
        socket.send_to(&[7; 15], "192.0.34.9:7").unwrap();
        capture.try_wait().unwrap().is_some()
    });
    assert_eq!(capture.wait().unwrap().code(), Some(0));
    assert_eq!(frames_of(&file), [(57, false); 20]);
    let counter = |name: &str| {
        let counters = up.show("counters");
        let row = counters.iter().find(|row| row["counter"] == name);
        row.unwrap()["value"].as_u64().unwrap()
    };
    assert!(counter("kernel_received") >= 20);
    assert_eq!((counter("kernel_dropped"), counter("sent")), (0, 0));
    // An address that it is given is nobody's for the others.
    let before = counter("send_dropped");
    up.change("add_address nic=tap address=192.0.34.2/24");
    assert!(Client::new("192.0.34.2", 7).try_echo(b"anybody?").is_err());
    assert!(counter("send_dropped") > before && counter("sent") == 0);
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    ip("link del cl34");
}

/// The kernel, a router on two kinds of links, and a host behind it.
fn router() {
    ip("link add cl15 type veth peer name cl15p");
    ip("link set cl15 up");
    ip("link set cl15p up");
    let route = |to: &str, via: &str, nic: &str| {
        let via = if via.is_empty() {
            String::new()
        } else {
            format!("via = '{via}'\n")
        };
        format!("[[route]]\nto = '{to}'\n{via}nic = '{nic}'\n")
    };
    let nic = |name: &str, kind: &str, device: &str, addresses: &str| {
        format!(
            "[[nic]]\nname = '{name}'\nlink = {{ kind = '{kind}', name = '{device}' }}\n\
             addresses = [{addresses}]\n"
        )
    };
    let router = [
        "forwarding = true\ndad_transmits = 0\n",
        &nic(
            "left",
            "tap",
            "cl16",
            "'192.0.16.2/24', '2001:db8:16::2/64'",
        ),
        &nic(
            "right",
            "af_packet",
            "cl15",
            "'198.51.100.1/24', '2001:db8:ff::1/64'",
        ),
        &route("192.0.16.0/24", "", "left"),
        &route("2001:db8:16::/64", "", "left"),
        &route("198.51.100.0/24", "", "right"),
        &route("2001:db8:ff::/64", "", "right"),
    ];
    let host = [
        "dad_transmits = 0\n",
        &nic(
            "lan",
            "af_packet",
            "cl15p",
            "'198.51.100.2/24', '2001:db8:ff::2/64'",
        ),
        &route("0.0.0.0/0", "198.51.100.1", "lan"),
        &route("::/0", "2001:db8:ff::1", "lan"),
        ECHO,
    ];
    let router = Up::start("router", &router.concat());
    let host = Up::start("behind", &host.concat());
    kernel_end("cl16", 16);
    ip("route add 198.51.100.0/24 via 192.0.16.2");
    ip("route add 2001:db8:ff::/64 via 2001:db8:16::2");
    for address in ["198.51.100.2", "2001:db8:ff::2"] {
        let client = Client::new(address, 7);
        assert!(
            (0..200_u32).all(|n| client.echo(&n.to_be_bytes())),
            "{address}"
        );
        assert!(client.echo(&[7; 4000]), "{address}: in fragments");
    }
    let client = Client::new("198.51.100.2", 7);
    for (off, on) in [
        (
            "remove_route nic=right to=198.51.100.0/24",
            "add_route nic=right to=198.51.100.0/24",
        ),
        ("set_forwarding on=false", "set_forwarding on=true"),
        (
            "set_link nic=right state=down",
            "set_link nic=right state=up",
        ),
    ] {
        router.change(off);
        assert!(client.try_echo(off.as_bytes()).is_err(), "{off}");
        router.change(on);
        // The kernel may hold an error against the destination for a moment.
        eventually(on, || client.echo(on.as_bytes()));
    }
    for up in [router, host] {
        let (status, text) = up.end("TERM");
        assert_eq!(status, Some(0), "{text}");
    }
    ip("link del cl15");
}

fn ctl() {
    let config = nic("cl4", "'192.0.5.2/24'") + ECHO;
    let up = Up::start("ctl", &config);
    kernel_end("cl4", 5);
    let mode = |key: &str| up.show("nics")[0][key].clone();
    let table = |what: &str| String::from_utf8(up.ctl(&format!("show {what}")).stdout).unwrap();

    let client = Client::new("192.0.5.9", 7);
    up.change("add_address nic=wan address=192.0.5.9/24 primary=never");
    assert!(client.echo(b"added"));
    assert!(
        up.column("addresses", "primary")
            .contains(&"never".to_owned())
    );
    up.change("remove_address nic=wan address=192.0.5.9");
    assert!(!up.has("192.0.5.9"));

    up.change("add_range nic=wan range=192.0.5.128/25");
    assert_eq!(mode("ranges"), serde_json::json!(["192.0.5.128/25"]));
    assert_eq!(table("ranges"), "nic  range\nwan  192.0.5.128/25\n");
    up.change("remove_range nic=wan range=192.0.5.128/25");
    assert_eq!(mode("ranges"), serde_json::json!([]));
    assert!(up.show("ranges").is_empty());

    up.change("join_group nic=wan group=239.1.2.3");
    assert!(
        up.column("groups", "group")
            .contains(&"239.1.2.3".to_owned())
    );
    up.change("leave_group nic=wan group=239.1.2.3");
    assert!(
        !up.column("groups", "group")
            .contains(&"239.1.2.3".to_owned())
    );

    for which in ["promiscuous", "spoofing", "forwarding"] {
        for on in [true, false] {
            up.change(&format!("set_{which} nic=wan on={on}"));
            assert_eq!(mode(which), on, "{which}");
        }
    }
    up.change("set_forwarding on=true");
    assert_eq!(mode("forwarding"), true);

    up.change("add_route nic=wan to=0.0.0.0/0 via=192.0.5.1");
    assert_eq!(up.column("routes", "via"), ["192.0.5.1"]);
    up.change("remove_route nic=wan to=0.0.0.0/0 via=192.0.5.1");
    assert!(up.show("routes").is_empty());

    up.change("add_neighbor nic=wan address=192.0.5.77 mac=02:00:00:00:00:77");
    let neighbors = up.show("neighbors");
    let added = neighbors.iter().find(|row| row["address"] == "192.0.5.77");
    assert_eq!(added.unwrap()["state"], "static");
    up.change("remove_neighbor nic=wan address=192.0.5.77");
    assert!(
        !up.column("neighbors", "address")
            .contains(&"192.0.5.77".to_owned())
    );

    up.change("hold_route name=r1 nic=wan local=192.0.5.2 remote=192.0.5.1");
    assert_eq!(
        table("holds"),
        "name  nic  local      remote     next_hop\n\
         r1    wan  192.0.5.2  192.0.5.1  192.0.5.1\n"
    );
    up.change("remove_address nic=wan address=192.0.5.2");
    assert_eq!(up.column("addresses", "kind"), ["permanent_expired"]);
    up.change("release_route name=r1");
    eventually("the endpoint is gone", || up.show("addresses").is_empty());
    assert!(up.show("holds").is_empty());

    up.change("set_link nic=wan state=down");
    assert_eq!(mode("enabled"), false);
    up.change("set_link nic=wan on=true");
    assert_eq!(mode("enabled"), true);

    let counters = up.show("counters");
    let delivered = counters.iter().find(|row| row["counter"] == "delivered");
    assert_eq!(delivered.unwrap()["value"], 1);
    assert_eq!(up.show("sockets")[0]["received"], 1);
    assert!(
        up.column("workers", "thread")
            .contains(&"worker-0".to_owned())
    );
    for told in [
        "INFO ctl: add_address nic=\"wan\" address=192.0.5.9/24 primary=never",
        "INFO ctl: add_route nic=\"wan\" to=0.0.0.0/0 via=192.0.5.1",
        "INFO ctl: set_forwarding on=true",
        "INFO ctl: set_link nic=\"wan\" on=false",
        "INFO ctl: release_route name=\"r1\"",
    ] {
        assert!(up.log().contains(told), "{told}: {}", up.log());
    }
    let table = table("nics");
    assert!(table.starts_with("nic  link  device"), "{table}");
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

fn ctl_refusals() {
    let up = Up::start("ctl-refusals", &nic("cl5", "'192.0.6.2/24'"));
    for (line, status, told) in [
        (
            "add_address nic=wan address=192.0.6.2/24",
            1,
            "the NIC has the address 192.0.6.2 already",
        ),
        ("remove_address nic=wan address=192.0.6.3", 1, "192.0.6.3"),
        (
            "add_route nic=wan to=0.0.0.0/0 via=192.0.6.2",
            1,
            "192.0.6.2",
        ),
        ("release_route name=r1", 1, "no route is kept as 'r1'"),
        (
            "remove_neighbor nic=wan address=192.0.6.9",
            1,
            "nothing is known of 192.0.6.9 on wan",
        ),
        (
            "add_address nic=lan address=192.0.6.3/24",
            2,
            "there is no NIC 'lan'",
        ),
        (
            "add_address nic=wan address=192.0.6",
            2,
            "address: '192.0.6' is not an IP address",
        ),
        (
            "add_address nic=wan",
            2,
            "address: missing, add_address needs it; write for example: address=192.0.2.7/24\n",
        ),
        (
            "set_spoofing nic=wan on=maybe",
            2,
            "on: true or false is wanted",
        ),
    ] {
        let output = up.ctl(line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {stderr}");
        assert!(stderr.contains(told), "{line}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let told = "WARN ctl: remove_address failed nic=\"wan\" address=192.0.6.3 error=";
    assert!(up.log().contains(told), "{}", up.log());
    up.end("TERM");
}

fn timeline() {
    let event =
        "[[event]]\nat = '50ms'\nnic = 'wan'\ndo = 'add_address'\naddress = '192.0.9.3/24'\n";
    let later = "[[event]]\nat = '1h'\nnic = 'wan'\ndo = 'set_link'\non = false\n";
    let config = nic("cl9", "'192.0.9.2/24'");
    let up = Up::start("timeline", &format!("{config}{later}{event}"));
    eventually("the address of the timeline", || up.has("192.0.9.3"));
    // What has happened does not happen again.
    up.change("remove_address nic=wan address=192.0.9.3");
    up.reload(&format!("{config}{event}"), "was read again changes=1");
    assert!(!up.has("192.0.9.3"));
    // Nor does what is new and too late, which is told.
    let late = "[[event]]\nat = '1ms'\nnic = 'wan'\ndo = 'join_group'\ngroup = '239.1.2.3'\n";
    up.reload(
        &format!("{config}{event}{late}{later}"),
        "was read again changes=1",
    );
    for told in [
        "INFO timeline: add_address nic=\"wan\" address=192.0.9.3/24",
        "WARN SIGHUP: join_group is skipped: its time has passed nic=\"wan\" group=239.1.2.3 at=0.001s",
    ] {
        assert!(up.log().contains(told), "{told}: {}", up.log());
    }
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");

    // What was not done is in the report.
    let gone =
        "[[event]]\nat = '1ms'\nnic = 'wan'\ndo = 'remove_address'\naddress = '192.0.9.77'\n";
    let up = Up::start("timeline-failed", &format!("{config}{gone}"));
    eventually("the failure", || up.log().contains("remove_address failed"));
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    let errors = text.split("Errors\n").nth(1).unwrap_or_default();
    assert!(
        errors.contains("wan remove_address: BadLocalAddress: "),
        "{text}"
    );
}

fn control_socket() {
    let config = nic("cl10", "'192.0.10.2/24'");
    let up = Up::start("control-socket", &config);
    assert_eq!(mode(&up.socket()), 0o600);
    let kept = up.dir().file("kept.pcapng", "the first one's");
    let second = nic("cl11", "'192.0.10.3/24'");
    let capture = format!("[nic.capture]\nfile = '{}'\n", kept.display());
    let (status, told) = refused(up.dir(), &(second + &capture));
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("somebody listens at"), "{told}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "the first one's");
    assert!(up.has("192.0.10.2"), "the first one has its socket still");

    // One that is gone leaves its socket behind, and the next one takes its place.
    let dir = up.kill();
    assert!(dir.path("control.sock").exists());
    let up = Up::start_in(dir, &format!("socket_mode = '0660'\n{config}"), &[], &[]);
    assert_eq!(mode(&up.socket()), 0o660);
    let socket = up.socket();
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    assert!(!socket.exists());
}

fn privileges() {
    let config = format!("user = 'nobody'\n{}{ECHO}", nic("cl12", "'192.0.12.2/24'"));
    if users() < 2 {
        let (status, told) = refused(&Scratch::new("privileges"), &config);
        assert_eq!(status, Some(1), "{told}");
        assert!(told.contains("only root can"), "{told}");
        eprintln!("\n!!! THAT PRIVILEGES ARE DROPPED WAS NOT TRIED: only root has a number here\n");
        return;
    }
    let up = Up::start("privileges", &config);
    let threads = std::fs::read_dir(format!("/proc/{}/task", up.id())).unwrap();
    for thread in threads {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let line = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace()
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(line("Uid:"), ["65534"; 4], "{status}");
        assert_ne!(line("Gid:")[0], "0", "{status}");
        assert_eq!(line("CapEff:"), ["0000000000000000"], "{status}");
    }
    kernel_end("cl12", 12);
    assert!(Client::new("192.0.12.2", 7).echo(b"without a privilege"));
    up.change("add_address nic=wan address=192.0.12.3/24");
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

fn not_up() {
    let dir = Scratch::new("not-up");
    let link = |link: &str| format!("[[nic]]\nname = 'wan'\nlink = {link}\n");
    // A capture has begun when every link is open.
    let kept = dir.file("kept.pcapng", "another's");
    let capture = format!("[nic.capture]\nfile = '{}'\n", kept.display());
    let last = "[[nic]]\nname = 'lan'\nlink = { kind = 'af_packet', name = 'no-such' }\n";
    for (config, status, told) in [
        (nic("cl13", "") + &capture + last, 1, "no-such"),
        (link("{ kind = 'pcap' }"), 2, "corelane sim plays captures"),
        (link("{ kind = 'af_xdp', name = 'no-such' }"), 1, "no-such"),
        (
            link("{ kind = 'af_packet', name = 'no-such' }"),
            1,
            "no-such",
        ),
        (
            link("{ kind = 'tap', name = 'lo' }"),
            1,
            "there is a device 'lo', and it is no TAP",
        ),
        (
            format!("user = 'no-such-user'\n{}", nic("cl13", "")),
            2,
            "there is no user 'no-such-user'",
        ),
        (
            link("{ kind = 'tapp', name = 'a' }"),
            2,
            "did you mean 'tap'?",
        ),
    ] {
        let (code, said) = refused(&dir, &config);
        assert_eq!(code, Some(status), "{config}: {said}");
        assert!(said.contains(told), "{config}: {said}");
    }
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "another's");
}

/// Its peer goes down and comes back; then it does itself.
fn no_carrier() {
    ip("link add cl35 type veth peer name cl35p");
    ip("link set cl35 up");
    let config = "[[nic]]\nname = 'wan'\nlink = { kind = 'af_packet', name = 'cl35' }\n";
    let up = Up::start("no-carrier", config);
    let log = |line: &str| eventually(line, || up.log().contains(line));
    log("device=\"cl35\" queues=1 state=\"no-carrier\"");
    let mut told = 0;
    for (change, state, level) in [
        ("cl35p up", "up", "INFO"),
        ("cl35p down", "no-carrier", "WARN"),
        ("cl35 down", "down", "WARN"),
        ("cl35p up", "down", ""),
        ("cl35 up", "up", "INFO"),
    ] {
        ip(&format!("link set {change}"));
        assert_eq!(up.column("nics", "state"), [state], "{change}");
        if !level.is_empty() {
            let line = format!("{level} link_state nic=\"wan\" device=\"cl35\" state=\"{state}\"");
            told += 1;
            eventually(change, || up.log().matches("link_state").count() == told);
            // Lines of other events (`nic_enabled`) may follow it at once.
            let log = up.log();
            let last = log.lines().rfind(|said| said.contains("link_state"));
            assert!(last.is_some_and(|last| last.ends_with(&line)), "{log}");
        }
    }
    ip("link del cl35");
    eventually("it is told", || up.log().contains("link_failed"));
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

/// Under its new name, while its old one is another device's.
fn renamed() {
    ip("link add cl36 type veth peer name cl36p");
    ip("link set cl36 up");
    ip("link set cl36p up");
    let config = "[[nic]]\nname = 'wan'\nlink = { kind = 'af_packet', name = 'cl36' }\n";
    let up = Up::start("renamed", config);
    let log = |line: &str| eventually(line, || up.log().contains(line));
    // Not every kernel renames a device that is up.
    ip("link set cl36 down");
    log("link_state nic=\"wan\" device=\"cl36\" state=\"down\"");
    ip("link set cl36 name cl36x");
    ip("link set cl36x up");
    eventually("it is up", || up.column("nics", "state") == ["up"]);
    log("link_state nic=\"wan\" device=\"cl36\" state=\"up\"");
    ip("link add cl36 type veth peer name cl36q");
    assert_eq!(up.column("nics", "state"), ["up"]);
    ip("link set cl36x mtu 1600");
    ip("link set cl36x mtu 1400");
    log("mtu=1500 takes=1400");
    ip("link set cl36x down");
    eventually("it is down", || up.column("nics", "state") == ["down"]);
    assert_eq!(up.log().matches("mtu=").count(), 1, "{}", up.log());
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    for device in ["cl36", "cl36x"] {
        ip(&format!("link del {device}"));
    }
}

fn taken_away() {
    let config = nic("cl14", "'192.0.14.2/24'") + ECHO;
    let up = Up::start("taken-away", &config);
    kernel_end("cl14", 14);
    let state = || up.column("nics", "state");
    assert_eq!(state(), ["up"]);
    ip("link set cl14 down");
    assert_eq!(state(), ["down"]);
    ip("link set cl14 up");
    assert_eq!(state(), ["up"]);
    ip("link del cl14");
    eventually("it is told", || up.log().contains("link_failed"));
    assert_eq!(state(), ["failed"]);
    // It goes on, for its other NICs.
    assert!(up.has("192.0.14.2"));
    // A TAP is made again with its link.
    up.reload(&config, "was read again changes=1");
    assert_eq!(state(), ["up"]);
    kernel_end("cl14", 14);
    let client = Client::new("192.0.14.2", 7);
    eventually("an echo", || client.echo(b"back again"));
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

fn set_receive_queues(device: &str, queues: u32) {
    let mut ethtool = Command::new("ethtool");
    let output = ethtool
        .args(["-L", device, "rx", &queues.to_string()])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // It says so where it has as many already.
    assert!(
        output.status.success() || told.contains("unmodified"),
        "{told}"
    );
}

fn af_xdp() {
    ip("link add cl33 numrxqueues 2 type veth peer name cl33p");
    ip("link set cl33 up");
    ip("link set cl33p up");
    kernel_end("cl33p", 33);
    if has_no_xdp("cl33") || has_no_ethtool() {
        ip("link del cl33");
        return;
    }
    set_receive_queues("cl33", 1);
    let config = "dad_transmits = 0\n[[nic]]\nname = 'wan'\naddresses = ['192.0.33.2/24']\n\
                  link = { kind = 'af_xdp', name = 'cl33', mode = 'generic' }\n";
    let up = Up::start("af-xdp", config);
    let nics = up.show("nics");
    assert_eq!(nics[0]["mode"], "generic");
    assert_eq!(nics[0]["zero_copy"], false);
    assert_eq!(nics[0]["state"], "up");
    let told = "INFO link nic=\"wan\" kind=\"af_xdp\" device=\"cl33\" queues=1 mode=\"generic\" \
                zero_copy=false";
    assert!(up.log().contains(told), "{}", up.log());
    // The kernel leaves checksums to its end of the link: that such frames are lost is told, and what to do.
    let socket = UdpSocket::bind("192.0.33.1:0").unwrap();
    eventually("advice", || {
        // While the neighbor is asked for there is nothing to look at.
        let _ = socket.send_to(b"hello", "192.0.33.2:7");
        up.log().contains("ethtool -K PEER tx off")
    });
    // What comes by another queue goes past it.
    set_receive_queues("cl33", 2);
    let told = || up.log().matches("queues=1 has=2").count();
    eventually("another queue is told", || told() == 1);
    ip("link del cl33");
    eventually("it is told", || up.log().contains("link_failed"));
    assert_eq!(up.column("nics", "state"), ["failed"]);
    assert_eq!(told(), 1, "{}", up.log());
    // One of the name is opened again, once it has the queues of the link.
    ip("link add cl33 numrxqueues 2 type veth peer name cl33p");
    ip("link set cl33 up");
    ip("link set cl33p up");
    set_receive_queues("cl33", 1);
    up.reload(config, "was read again changes=1");
    assert_eq!(up.column("nics", "state"), ["up"]);
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    ip("link del cl33");
}

fn faults() {
    let dir = Scratch::new("faults");
    let file = dir.path("wan.pcapng");
    let config = format!(
        "{}[nic.faults]\nrx = {{ drop = '1/10' }}\ntx = {{ delay = '5ms' }}\n\
         [nic.capture]\nfile = '{}'\nport = 7\n{ECHO}",
        nic("cl23", "'192.0.23.2/24'"),
        file.display()
    );
    let json = dir.path("report.json");
    let argument = json.display().to_string();
    let up = Up::start_in(dir, &config, &["--json", &argument], &[]);
    kernel_end("cl23", 23);
    let client = Client::new("192.0.23.2", 7);
    let mut slow = 0;
    for number in 0..30_u64 {
        let start = Instant::now();
        if client.echo(&number.to_be_bytes()) {
            slow += u64::from(start.elapsed().as_millis() >= 5);
        }
    }
    let counters = up.show("counters");
    let count = |name: &str| {
        let row = counters.iter().find(|row| row["counter"] == name);
        row.unwrap()["value"].as_u64().unwrap()
    };
    let (seen, dropped) = (count("faults_rx_seen"), count("faults_rx_dropped"));
    assert!(seen >= 30, "{seen}");
    assert_eq!(dropped, seen / 10);
    assert_eq!(count("faults_tx_delayed"), count("faults_tx_seen"));
    assert!(slow >= 24, "{slow} of the answers took 5 ms");
    let answered = up.show("sockets")[0]["answered"].as_u64().unwrap();
    assert_eq!(answered, slow, "each answer was late");
    let kept = std::env::temp_dir().join(format!("corelane-{}-faults.pcapng", std::process::id()));
    // The directory goes with the host.
    std::fs::hard_link(&file, &kept).unwrap();
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("frames captured, 0 lost"), "{text}");
    assert_eq!(frames_of(&kept).len() as u64, 2 * answered);
    std::fs::remove_file(kept).unwrap();
}
