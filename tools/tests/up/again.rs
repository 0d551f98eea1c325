//! SIGHUP: what failed before is tried again, and what cannot be is told while all else goes on.

use super::bed::{ECHO, has_no_xdp, ip, kernel_end, nic, users, with_echoes};
use super::common::up::{Up, eventually};

/// The state of a NIC's link.
fn state(up: &Up, nic: &str) -> String {
    let nics = up.show("nics");
    let row = nics.iter().find(|row| row["nic"] == nic).unwrap();
    row["state"].as_str().unwrap_or("-").to_owned()
}

/// A pair of devices, of so many queues each way.
fn plug(device: &str, queues: usize) {
    let each = format!("numtxqueues {queues} numrxqueues {queues}");
    ip(&format!(
        "link add {device} {each} type veth peer name {device}p {each}"
    ));
    ip(&format!("link set {device} up"));
    ip(&format!("link set {device}p up"));
}

fn unplug(up: &Up, device: &str, nic: &str) {
    ip(&format!("link del {device}"));
    eventually("it is seen", || state(up, nic) == "failed");
}

pub(crate) fn changes() {
    let base = |more: &str| nic("cl46", &format!("'192.0.46.2/24'{more}"));
    let up = Up::start("again", &base(""));
    // What the file asks for later is in its way.
    up.change("add_address nic=wan address=192.0.46.3/24");
    up.change("add_address nic=wan address=192.0.46.9/24");
    let route = "[[route]]\nto = '10.0.0.0/8'\nvia = '192.0.46.9'\nnic = 'wan'\n";
    let file = base(", '192.0.46.3/24', '192.0.46.4/24'") + route;
    let told =
        |changes: usize| format!("another SIGHUP tries that again changes={changes} failed=2");
    up.reload(&file, &told(1));
    assert!(up.has("192.0.46.4") && up.show("routes").is_empty());
    // As long as it is.
    up.reload(&file, &told(0));
    up.change("remove_address nic=wan address=192.0.46.3");
    up.change("remove_address nic=wan address=192.0.46.9");
    assert!(!up.has("192.0.46.3"));
    up.reload(&file, "was read again changes=2");
    assert!(up.has("192.0.46.3"));
    assert_eq!(up.column("routes", "to"), ["10.0.0.0/8"]);
    up.reload(&file, "is the same");
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");

    // So is what failed at the beginning.
    let own = route.replace("192.0.46.9", "192.0.46.2");
    let file = base("") + &own;
    let up = Up::start("again-from-the-beginning", &file);
    up.reload(&file, "another SIGHUP tries that again changes=0 failed=1");
    assert!(up.show("routes").is_empty());
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("wan add_route: OwnGateway: "), "{text}");
}

/// Its device is back, and whoever could open it is gone.
pub(crate) fn unprivileged() {
    if users() < 2 {
        eprintln!(
            "\n!!! NO LINK WAS OPENED AGAIN WITHOUT PRIVILEGES: only root has a number here\n"
        );
        return;
    }
    plug("cl47", 1);
    let config = |more: &str| {
        format!(
            "user = 'nobody'\n{}[[nic]]\nname = 'lan'\nlink = {{ kind = 'af_packet', name = 'cl47' }}\n\
             addresses = ['192.0.47.2/24']\n{more}{ECHO}",
            nic("cl48", "'192.0.48.2/24'")
        )
    };
    let up = Up::start("again-unprivileged", &config(""));
    kernel_end("cl48", 48);
    let why = "it takes CAP_NET_RAW";
    let advice = "privileges were given up when it became 'nobody': it takes a restart";
    with_echoes("192.0.48.2", || {
        unplug(&up, "cl47", "lan");
        plug("cl47", 1);
        for round in 1..=2 {
            up.reload(
                &config(""),
                "another SIGHUP tries that again changes=0 failed=1",
            );
            let log = up.log();
            let told = "ERROR SIGHUP: its link cannot be opened again nic=\"lan\" error=";
            let told: Vec<_> = log.lines().filter(|line| line.contains(told)).collect();
            assert_eq!(told.len(), round, "{log}");
            let told = told
                .iter()
                .all(|it| it.contains(why) && it.contains(advice));
            assert!(told, "{log}");
        }
        // Nor can it be another NIC's.
        let other = "[[nic]]\nname = 'dmz'\nlink = { kind = 'tap', name = 'cl49' }\n";
        up.reload(&config(other), advice);
        assert_eq!(up.column("nics", "nic"), ["wan", "lan"]);
        // What takes none can be changed.
        let route = "[[route]]\nto = '10.0.0.0/8'\nnic = 'wan'\n";
        up.reload(&config(route), "changes=1 failed=1");
        assert_eq!(up.column("routes", "to"), ["10.0.0.0/8"]);
    });
    assert_eq!(state(&up, "lan"), "failed");
    assert!(up.has("192.0.47.2"));
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    ip("link del cl47");
}

/// Its device is back as one that has fewer queues and does not say so, which shows when the NIC before is gone.
pub(crate) fn lost() {
    plug("cl50", 2);
    if has_no_xdp("cl50") {
        return;
    }
    let config = format!(
        "{}[[nic]]\nname = 'lan'\naddresses = ['192.0.50.2/24']\n\
         link = {{ kind = 'af_xdp', name = 'cl50', queues = 2, mode = 'generic' }}\n\
         [[route]]\nto = '10.0.0.0/8'\nnic = 'lan'\n\
         [[service]]\nkind = 'udp_echo'\nbind = 'any:8'\nnic = 'lan'\n{ECHO}",
        nic("cl51", "'192.0.51.2/24'")
    );
    let up = Up::start("again-lost", &config);
    kernel_end("cl51", 51);
    with_echoes("192.0.51.2", || {
        unplug(&up, "cl50", "lan");
        ip("link add cl50 type bridge");
        up.reload(
            &config,
            "another SIGHUP tries that again changes=0 failed=1",
        );
        let told =
            "the NIC could not be made: it is gone, and the next SIGHUP adds it nic=\"lan\" error=";
        let log = up.log();
        let line = log.lines().find(|line| line.contains(told));
        assert!(
            line.is_some_and(|it| it.contains("'cl50' has no queue 1")),
            "{log}"
        );
        for _ in 0..2 {
            // With all that was its own.
            assert_eq!(up.column("nics", "nic"), ["wan"]);
            assert!(up.show("routes").is_empty());
            assert_eq!(up.column("sockets", "bind"), ["any:7"]);
            up.reload(&config, "nothing was changed: nic 'lan': ");
        }
        ip("link del cl50");
        plug("cl50", 2);
        up.reload(&config, "was read again changes=");
        assert_eq!(state(&up, "lan"), "up");
        assert!(up.has("192.0.50.2"));
        assert_eq!(up.column("routes", "nic"), ["lan"]);
        assert_eq!(up.column("sockets", "bind").len(), 2);
        up.reload(&config, "is the same");
    });
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("every frame is accounted for"), "{text}");
    ip("link del cl50");
}
