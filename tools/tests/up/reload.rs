//! SIGHUP: what is another is changed, beside traffic.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::bed::{Client, ECHO, Stop, frames_of, ip, kernel_end, nic, with_echoes};
use super::common::Scratch;
use super::common::up::{Up, eventually};

pub(crate) fn sighup() {
    let config = |addresses: &str, more: &str| nic("cl6", addresses) + more + ECHO;
    let first = "'192.0.7.2/24', '2001:db8:7::2/64'";
    let up = Up::start("sighup", &config(first, ""));
    kernel_end("cl6", 7);
    eventually("the address is nobody else's", || up.has("2001:db8:7::2"));
    let (stop, lost, came) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        // Also when something below fails.
        let stopping = Stop(&stop);
        for address in ["192.0.7.2", "2001:db8:7::2"] {
            let (stop, lost, came) = (&stop, &lost, &came);
            scope.spawn(move || {
                let client = Client::new(address, 7);
                let mut number = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    match client.try_echo(&number.to_be_bytes()) {
                        Ok(()) => came.fetch_add(1, Ordering::Relaxed),
                        Err(why) => {
                            eprintln!("{address}, number {number}: {why:#}");
                            lost.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                    number += 1;
                }
            });
        }
        let route = "[[route]]\nto = '10.0.0.0/8'\nvia = '192.0.7.1'\nnic = 'wan'\n\
                     [[neighbor]]\nnic = 'wan'\naddress = '192.0.7.77'\nmac = '02:00:00:00:00:77'\n\
                     [[service]]\nkind = 'udp_echo'\nbind = 'any:8'\n";
        let more = format!(
            "groups = ['239.1.2.3']\nranges = ['198.51.100.0/24']\nspoofing = true\n{route}"
        );
        let second = format!("{first}, '192.0.7.3/24', '192.0.7.4/24'");
        for _ in 0..10 {
            up.reload(&config(&second, &more), "was read again");
            assert!(up.has("192.0.7.3") && up.has("192.0.7.4"));
            assert_eq!(up.column("routes", "to"), ["10.0.0.0/8"]);
            assert!(
                up.column("neighbors", "address")
                    .contains(&"192.0.7.77".to_owned())
            );
            assert!(Client::new("192.0.7.3", 8).echo(b"the new service"));
            up.reload(&config(first, ""), "was read again");
            assert!(!up.has("192.0.7.3") && up.show("routes").is_empty());
            assert_eq!(up.show("nics")[0]["spoofing"], false);
            assert_eq!(up.column("sockets", "bind"), ["any:7"]);
        }
        up.reload(&config(first, ""), "is the same");
        drop(stopping);
    });
    let (lost, came) = (lost.into_inner(), came.into_inner());
    assert!(came > 100, "{came}");
    assert_eq!(lost, 0, "of {came}");
    // The service of before has counted on.
    let echoed = up.show("sockets")[0]["answered"].as_u64().unwrap();
    assert_eq!(echoed, came);
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

pub(crate) fn sighup_refused() {
    let config = nic("cl7", "'192.0.8.2/24'");
    let up = Up::start("sighup-refused", &config);
    let other = nic("cl8", "'192.0.8.2/24', '192.0.8.3/24'") + "mtu = 1400\n";
    up.reload(
        &other,
        "link was tap 'cl7' of 1 queue and is tap 'cl8' of 1 queue; nic 'wan': mtu",
    );
    up.reload("workers = 'many'\n", "lab.toml:2:11: workers: ");
    assert!(up.has("192.0.8.2") && !up.has("192.0.8.3"));
    // What it goes on from is the old one.
    let added = nic("cl7", "'192.0.8.2/24', '192.0.8.3/24'");
    up.reload(&added, "was read again");
    assert!(up.has("192.0.8.3"));
    // What fails is told with what was done.
    up.change("remove_address nic=wan address=192.0.8.3");
    let other = nic("cl7", "'192.0.8.2/24', '192.0.8.4/24'") + "spoofing = true\n";
    up.reload(&other, "another SIGHUP tries that again changes=2 failed=1");
    assert!(up.has("192.0.8.4"));
    // What was to go and was not there is not missed.
    up.reload(&other, "is the same");
    let told = "ERROR SIGHUP: remove_address failed nic=\"wan\" address=192.0.8.3 error=";
    assert!(up.log().contains(told), "{}", up.log());
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

pub(crate) fn sighup_nics() {
    // Frames are as long as the MTU asks for, and no longer.
    let wan = nic("cl30", "'192.0.30.2/24'");
    let wan = wan.replace("'cl30'", "'cl30', super_frames = false");
    let lan = |name: &str, device: &str, more: &str| {
        format!(
            "[[nic]]\nname = '{name}'\nlink = {{ kind = 'tap', name = '{device}' }}\n\
             addresses = ['192.0.31.2/24']\n{more}[[route]]\nto = '10.0.0.0/8'\nnic = '{name}'\n"
        )
    };
    let top = "spare_nics = 1\n";
    let up = Up::start("sighup-nics", &format!("{top}{wan}{ECHO}"));
    kernel_end("cl30", 30);
    // It comes and goes beside traffic, again and again, and its device with it.
    with_echoes("192.0.30.2", || {
        for _ in 0..5 {
            let with = format!("{top}{wan}{}{ECHO}", lan("lan", "cl31", ""));
            up.reload(&with, "was read again");
            ip("addr add 192.0.31.1/24 dev cl31");
            assert_eq!(up.column("nics", "nic"), ["wan", "lan"]);
            assert_eq!(up.column("routes", "nic"), ["lan"]);
            assert!(Client::new("192.0.31.2", 7).echo(b"the new one"));
            up.change("add_address nic=lan address=192.0.31.3/24");
            assert!(Client::new("192.0.31.3", 7).echo(b"and what ctl gave it"));
            up.reload(&format!("{top}{wan}{ECHO}"), "was read again");
            assert_eq!(up.column("nics", "nic"), ["wan"]);
            assert!(up.show("routes").is_empty());
            let there = Path::new("/sys/class/net/cl31").exists();
            assert!(!there, "its device is gone with it");
        }
    });
    for told in ["nic_enabled", "nic_disabled", "nic_removed"] {
        let log = up.log();
        let of = |nic: &str| log.matches(&format!("{told} nic=\"{nic}\"")).count();
        assert!(of("lan") > 0, "{told}: {log}");
        assert_eq!(
            of("lan") + of("wan"),
            log.matches(told).count(),
            "{told}: {log}"
        );
    }
    // What cannot be added is told, and nothing is changed, whatever else is another.
    let other = wan.replace("'192.0.30.2/24'", "'192.0.30.2/24', '192.0.30.3/24'");
    let kept = up.dir().file("kept.pcapng", "another's");
    let captured = format!("mtu = 9000\n[nic.capture]\nfile = '{}'\n", kept.display());
    for (config, told) in [
        (
            format!("{top}{other}{}", lan("lan", "lo", "")),
            "nothing was changed: nic 'lan': ",
        ),
        (
            format!("{top}{other}{}", lan("lan", "cl31", &captured)),
            "the MTU of a new NIC is more",
        ),
        (
            format!(
                "{top}{other}{}{}",
                lan("lan", "cl31", ""),
                lan("dmz", "cl32", "")
                    .replace("192.0.31", "192.0.32")
                    .replace("10.0", "11.0")
            ),
            "there are frames for 2 NICs, not for 3",
        ),
        (
            format!("{top}{}", lan("lan", "cl30", "")),
            "the device of nic 'wan': take that out first",
        ),
    ] {
        up.reload(&config, told);
        assert_eq!(up.column("nics", "nic"), ["wan"], "{told}");
        assert!(!up.has("192.0.30.3"), "{told}");
    }
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "another's");
    // The one that was there from the beginning can go too.
    let only = format!("dad_retransmit_timer = '100ms'\n{}", lan("lan", "cl31", ""));
    up.reload(&format!("{top}{only}{ECHO}"), "was read again");
    ip("addr add 192.0.31.1/24 dev cl31");
    assert_eq!(up.column("nics", "nic"), ["lan"]);
    assert!(Client::new("192.0.31.2", 7).echo(b"alone"));
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    // Those that are gone are in the report with what they counted, each name once.
    for told in [
        "\nNIC lan\n",
        "\nNIC lan, removed\n",
        "\nNIC wan, removed\n",
    ] {
        assert_eq!(text.matches(told).count(), 1, "{told:?}: {text}");
    }
}

/// A device that went and is there again is opened again, without a restart and beside the traffic of others.
pub(crate) fn sighup_failed() {
    let dir = Scratch::new("sighup-failed");
    let file = dir.path("wan.pcapng");
    let config = |more: &str| {
        format!(
            "spare_nics = 0\n[[nic]]\nname = 'wan'\nlink = {{ kind = 'af_packet', name = 'cl44' }}\n\
             addresses = ['192.0.44.2/24'{more}]\n[nic.capture]\nfile = '{}'\nport = 8\n\
             [[nic]]\nname = 'lan'\nlink = {{ kind = 'tap', name = 'cl45' }}\naddresses = ['192.0.45.2/24']\n\
             [[route]]\nto = '10.0.0.0/8'\nvia = '192.0.44.1'\nnic = 'wan'\n\
             [[neighbor]]\nnic = 'wan'\naddress = '192.0.44.77'\nmac = '02:00:00:00:00:77'\n\
             [[service]]\nkind = 'udp_echo'\nbind = 'any:8'\nnic = 'wan'\n{ECHO}",
            file.display()
        )
    };
    let plug = || {
        ip("link add cl44 type veth peer name cl44p");
        ip("link set cl44 up");
        ip("link set cl44p up");
        kernel_end("cl44p", 44);
    };
    plug();
    let up = Up::start_in(dir, &config(""), &[], &[]);
    kernel_end("cl45", 45);
    let state = |nic: &str| {
        let nics = up.show("nics");
        let row = nics.iter().find(|row| row["nic"] == nic).unwrap();
        row["state"].as_str().unwrap_or("-").to_owned()
    };
    let unplug = || {
        ip("link del cl44");
        eventually("it is seen", || state("wan") == "failed");
    };
    let echoes = |address: &str| {
        let client = Client::new(address, 8);
        eventually("an echo", || client.echo(b"over wan"));
    };
    let answered = || {
        let sockets = up.show("sockets");
        let row = sockets.iter().find(|row| row["bind"] == "any:8").unwrap();
        row["answered"].as_u64().unwrap()
    };
    echoes("192.0.44.2");
    let before = answered();
    with_echoes("192.0.45.2", || {
        unplug();
        // It cannot be: that is told each time, and nothing is lost by it.
        for _ in 0..2 {
            up.reload(
                &config(""),
                "another SIGHUP tries that again changes=0 failed=1",
            );
        }
        let told = "ERROR SIGHUP: its link cannot be opened again nic=\"wan\" error=";
        assert_eq!(up.log().matches(told).count(), 2, "{}", up.log());
        assert_eq!(state("wan"), "failed");
        assert!(up.has("192.0.44.2"));
        assert_eq!(up.column("routes", "to"), ["10.0.0.0/8"]);
        for more in ["", ", '192.0.44.3/24'"] {
            plug();
            up.reload(&config(more), "the configuration was read again changes=");
            assert_eq!(state("wan"), "up");
            assert_eq!(up.column("routes", "nic"), ["wan"]);
            let neighbors = up.column("neighbors", "address");
            assert!(
                neighbors.contains(&"192.0.44.77".to_owned()),
                "{neighbors:?}"
            );
            assert_eq!(up.has("192.0.44.3"), !more.is_empty());
            echoes("192.0.44.2");
            up.reload(&config(more), "the configuration is the same");
            if more.is_empty() {
                unplug();
            }
        }
        echoes("192.0.44.3");
    });
    // The service of before has counted on.
    assert!(answered() >= before + 3);
    let log = up.log();
    assert_eq!(log.matches(" link nic=\"wan\"").count(), 3, "{log}");
    assert_eq!(log.matches(" link nic=\"lan\"").count(), 1, "{log}");
    // The last capture is whole, and none before it writes on.
    let kept = std::env::temp_dir().join(format!("corelane-{}-again.pcapng", std::process::id()));
    std::fs::hard_link(&file, &kept).unwrap();
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    assert!(frames_of(&kept).len() >= 4);
    std::fs::remove_file(kept).unwrap();
    assert_eq!(text.matches("frames captured").count(), 1, "{text}");
    for told in ["\nNIC wan\n", "\nNIC wan, removed\n", "\nNIC lan\n"] {
        assert_eq!(text.matches(told).count(), 1, "{told:?}: {text}");
    }
    assert!(text.contains("every frame is accounted for"), "{text}");
    ip("link del cl44");
}

pub(crate) fn sighup_capture() {
    let dir = Scratch::new("sighup-capture");
    let file = dir.path("lan.pcapng");
    let base = format!("spare_nics = 1\n{}{ECHO}", nic("cl40", "'192.0.40.2/24'"));
    let with = format!(
        "{base}[[nic]]\nname = 'lan'\nlink = {{ kind = 'tap', name = 'cl41' }}\naddresses = ['192.0.41.2/24']\n\
         [nic.capture]\nfile = '{}'\nport = 7\n",
        file.display()
    );
    let up = Up::start_in(dir, &base, &[], &[]);
    let threads = || {
        std::fs::read_dir(format!("/proc/{}/task", up.id()))
            .unwrap()
            .count()
    };
    let before = threads();
    for round in 1..=3 {
        up.reload(&with, "was read again");
        ip("addr add 192.0.41.1/24 dev cl41");
        let client = Client::new("192.0.41.2", 7);
        eventually("an echo", || client.echo(b"captured"));
        assert!(threads() > before);
        up.reload(&base, "was read again");
        // It has been written to its end, and its thread is no more.
        assert!(frames_of(&file).len() >= 2);
        let told = up.log().matches("frames captured, 0 lost").count();
        assert_eq!(told, round, "{}", up.log());
        eventually("its threads end", || threads() == before);
    }
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    // The file has the last of them only.
    assert_eq!(text.matches("frames captured").count(), 1, "{text}");
}
