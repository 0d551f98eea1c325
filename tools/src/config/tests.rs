use std::time::Duration;

use corelane::io::af_xdp::XdpMode;

use super::*;

const NIC: &str = "[[nic]]\nname = \"wan\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("lab.toml", text)
}

/// With a NIC in front, on lines 1 and 2.
fn with_nic(text: &str) -> Result<Config, ConfigError> {
    parse(&format!("{NIC}{text}"))
}

fn good(text: &str) -> Config {
    with_nic(text).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(result: Result<Config, ConfigError>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(config) => panic!("not refused: {config:?}"),
    }
}

#[test]
fn defaults_are_filled_in() {
    let config = good("");
    assert_eq!((config.workers, config.seed), (None, 1));
    assert_eq!((config.icmp_rate, config.icmp_burst), (1000, 50));
    assert_eq!(config.dad_transmits, 1);
    assert_eq!(config.dad_retransmit_timer, Duration::from_secs(1));
    assert!(!config.forwarding && !config.auto_link_local && !config.multicast_loop);
    assert!(config.warnings.is_empty());
    let nic = config.nic("wan").unwrap();
    assert_eq!(nic.mac.to_string(), "02:00:00:00:00:01");
    assert!(!nic.mac_given && nic.enabled && !nic.promiscuous && !nic.spoofing);
    assert_eq!((nic.mtu, nic.link.kind), (1500, LinkKind::Pcap));
    assert_eq!((nic.igmp, nic.mld), (IgmpSetting::V3, MldSetting::V2));
    let second = &good("[[nic]]\nname = \"lan\"").nics[1];
    assert_eq!(second.mac.to_string(), "02:00:00:00:00:02");
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
workers = 2
forwarding = true
icmp_rate = 10
icmp_burst = 2
seed = 0x10
dad_transmits = 3
dad_retransmit_timer = "250ms"
auto_link_local = true
stable_secret = "00112233445566778899aabbccddeeFF"
multicast_loop = true
user = "nobody"
socket = "/run/lab.sock"
socket_mode = "0660"

[[nic]]
name = "wan"
link = { kind = "af_xdp", name = "veth0", queues = 4, mode = "generic" }
mac = "02:00:00:00:00:aa"
mtu = 9000
promiscuous = true
spoofing = true
forwarding = false
enabled = false
igmp = "v2"
mld = "off"
addresses = ["192.0.2.1/24", { address = "2001:db8::1/64", primary = "first" }]
ranges = ["198.51.100.0/24", "2001:db8:1::/48"]
groups = ["239.1.2.3", "ff02::1234"]

[[route]]
to = "0.0.0.0/0"
via = "192.0.2.254"
nic = "wan"

[[neighbor]]
nic = "wan"
address = "192.0.2.254"
mac = "02:00:00:00:00:fe"

[[service]]
kind = "udp_sink"
bind = "[2001:db8::1]:53"
nic = "wan"
reuse_port = true

[[service]]
kind = "raw_sink"
bind = "any"

[case]
description = "Everything."
arguments = ["--until", "3s"]
"#,
    )
    .unwrap();
    assert_eq!((config.workers, config.seed), (Some(2), 16));
    assert_eq!(config.dad_retransmit_timer, Duration::from_millis(250));
    assert_eq!(config.stable_secret.unwrap()[15], 0xff);
    assert!(config.forwarding && config.auto_link_local && config.multicast_loop);
    assert_eq!(
        (config.user.as_deref(), config.socket_mode),
        (Some("nobody"), 0o660)
    );
    assert_eq!(config.socket, Some("/run/lab.sock".into()));
    let nic = &config.nics[0];
    assert_eq!((nic.link.name.as_str(), nic.link.queues), ("veth0", 4));
    assert_eq!(nic.link.mode, XdpMode::Generic);
    assert!(nic.promiscuous && nic.spoofing && !nic.enabled && nic.mac_given);
    assert_eq!((nic.igmp, nic.mld), (IgmpSetting::V2, MldSetting::Off));
    assert_eq!(primary_label(nic.addresses[1].primary), "first");
    assert_eq!((nic.ranges.len(), nic.groups.len()), (2, 2));
    assert_eq!(config.routes[0].via, Some("192.0.2.254".parse().unwrap()));
    assert_eq!(config.neighbors[0].mac.to_string(), "02:00:00:00:00:fe");
    assert_eq!(config.services[0].bind.to_string(), "[2001:db8::1]:53");
    assert_eq!(config.services[1].bind.address, BindAddress::Any);
    assert_eq!(config.case.unwrap().arguments, ["--until", "3s"]);
    assert_eq!((config.icmp_rate, config.icmp_burst), (10, 2));
    assert!(!nic.forwarding, "it says otherwise");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn every_event_is_read_and_they_are_in_the_order_of_time() {
    let event = |at: &str, rest: &str| format!("[[event]]\nat = \"{at}\"\nnic = \"wan\"\n{rest}\n");
    let config = good(
        &[
            event(
                "9s",
                "do = 'add_address'\naddress = '192.0.2.7/24'\nprimary = 'never'",
            ),
            event("8s", "do = 'remove_address'\naddress = '192.0.2.7'"),
            event("7s", "do = 'add_range'\nrange = '10.0.0.0/8'"),
            event("7s", "do = 'remove_range'\nrange = '10.0.0.0/8'"),
            event("6s", "do = 'join_group'\ngroup = '239.0.0.1'"),
            event("5s", "do = 'leave_group'\ngroup = '239.0.0.1'"),
            event("4s", "do = 'set_promiscuous'\non = true"),
            event("3s", "do = 'set_spoofing'\non = false"),
            event("2.5s", "do = 'set_link'\non = true"),
            event("2.25s", "do = 'set_link'\nstate = 'down'"),
            event(
                "2.125s",
                "do = 'add_neighbor'\naddress = '192.0.2.9'\nmac = '02:00:00:00:00:09'",
            ),
            event("2.125s", "do = 'remove_neighbor'\naddress = '192.0.2.9'"),
            event("2s", "do = 'hold_route'\nname = 'r'\nlocal = '192.0.2.1'"),
            event("2s", "do = 'release_route'\nname = 'r'"),
            event("1s", "do = 'add_route'\nto = '::/0'\nvia = '2001:db8::fe'"),
            event("1ms", "do = 'remove_route'\nto = '::/0'"),
            "[[event]]\nat = '0s'\ndo = 'set_forwarding'\non = true".to_owned(),
        ]
        .concat(),
    );
    let order: Vec<_> = config
        .events
        .iter()
        .map(|event| event.change.action.label())
        .collect();
    assert_eq!(
        order,
        [
            "set_forwarding",
            "remove_route",
            "add_route",
            "hold_route",
            "release_route",
            "add_neighbor",
            "remove_neighbor",
            "set_link",
            "set_link",
            "set_spoofing",
            "set_promiscuous",
            "leave_group",
            "join_group",
            "add_range",
            "remove_range",
            "remove_address",
            "add_address",
        ]
    );
    assert_eq!(config.events[0].change.nic, None);
    assert_eq!(config.events[7].change.action, Action::SetLink(false));
    let local: std::net::IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(
        config.events[3].change.action,
        Action::HoldRoute {
            name: "r".to_owned(),
            local: Some(local),
            remote: local
        }
    );
    // Every one of them is explained.
    let text = explain(&config);
    assert!(text.contains("0.001s  removes the route ::/0"), "{text}");
    assert_eq!(config.json()["events"][16]["address"], "192.0.2.7/24");
}

/// What comes of a JSON object that asks for a change, where there is a NIC 'wan'.
fn change(fields: &str) -> Result<Change, String> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(fields) else {
        panic!("no object: {fields}");
    };
    Change::parse(&fields, &good("").nics)
}

#[test]
fn what_an_event_can_do_can_be_asked_for() {
    let on_wan = |action| {
        let nic = Some("wan".to_owned());
        Ok(Change { action, nic })
    };
    let prefix = "192.0.2.7/24".parse().unwrap();
    let primary = corelane::stack::PrimaryEndpointBehavior::FirstPrimary;
    for fields in [
        r#"{"do":"add_address","nic":"wan","address":"192.0.2.7/24","primary":"first"}"#,
        r#"{"do":"add_address","nic":"wan","address":{"address":"192.0.2.7/24","primary":"first"}}"#,
    ] {
        let setting = AddressSetting { prefix, primary };
        assert_eq!(change(fields), on_wan(Action::AddAddress(setting)));
    }
    assert_eq!(
        change(r#"{"do":"set_link","nic":"wan","state":"down"}"#),
        on_wan(Action::SetLink(false))
    );
    assert_eq!(
        change(r#"{"do":"set_forwarding","on":true}"#),
        Ok(Change {
            action: Action::SetForwarding(true),
            nic: None
        })
    );
    for word in change_words() {
        let refused = change(&format!(r#"{{"do":"{word}","nic":"wan"}}"#)).unwrap_err();
        assert!(
            refused.contains(&format!("missing, {word} needs it")),
            "{refused}"
        );
    }
    for (fields, refused) in [
        ("{}", "do: missing; write for example: do=add_address"),
        (
            r#"{"do":"add_address","nic":"wan"}"#,
            "address: missing, add_address needs it; write for example: address=192.0.2.7/24",
        ),
        (
            r#"{"do":"add_address"}"#,
            "nic: missing, add_address needs it; write for example: nic=wan",
        ),
        (
            r#"{"do":"add_adress"}"#,
            "do: 'add_adress' is not something to do: ",
        ),
        (
            r#"{"do":"add_range","nic":"lan","range":"10.0.0.0/8"}"#,
            "nic: there is no NIC 'lan'; did you mean 'wan'?",
        ),
        (
            r#"{"do":"add_range","nic":"wan","range":"10.0.0.1/8"}"#,
            "range: '10.0.0.1/8' is an address in a subnet; did you mean '10.0.0.0/8'?",
        ),
        (
            r#"{"do":"add_range","nic":"wan","range":7}"#,
            "range: a text, true or false is wanted",
        ),
        (
            r#"{"do":"add_range","nic":"wan","range":"10.0.0.0/8","group":"239.0.0.1"}"#,
            "group: it does not belong to add_range, which has: range",
        ),
        (
            r#"{"do":"set_spoofing","nic":"wan","on":"yes"}"#,
            "on: true or false is wanted, this is a string",
        ),
        (
            r#"{"do":"add_range","nic":"wan","rnage":"10.0.0.0/8"}"#,
            "rnage: no such key; did you mean 'range'?",
        ),
        (r#"{"do":"add_range","at":"1s"}"#, "at: no such key"),
        (
            r#"{"do":"add_neighbor","nic":"wan","address":"239.0.0.1","mac":"02:00:00:00:00:09"}"#,
            "address: 239.0.0.1 cannot be a neighbor",
        ),
    ] {
        let told = change(fields).unwrap_err();
        assert!(told.starts_with(refused), "{fields}: {told}");
    }
}

/// What is wrong with a file with a NIC on its first two lines.
const WRONG: &[(&str, &str)] = &[
    ("name = 5", "3:1: this is not TOML: duplicate key"),
    ("x = ", "3:5: this is not TOML: "),
    (
        "[[event]]\nat = '0s'\nnic = 'wan'\ndo = 'add_neighbor'\naddress = '::'\nmac = \
         '02:00:00:00:00:09'",
        "7:11: event[0].address: :: cannot be a neighbor: it is no host's address",
    ),
    (
        "mtuu = 5",
        "3:1: nic[0].mtuu: no such key; did you mean 'mtu'?",
    ),
    (
        "colour = 5",
        "3:1: nic[0].colour: no such key; there are: name, link, mac",
    ),
    (
        "mtu = 67",
        "3:7: nic[0].mtu: '67' is not an MTU: a whole number from 68 to 65535; did you mean '68'?",
    ),
    (
        "mtu = 99999999999999999999",
        "3:7: nic[0].mtu: '99999999999999999999' is not an MTU: a whole number from 68 to 65535; \
         did you mean '65535'?",
    ),
    (
        "mtu = '1500'",
        "3:7: nic[0].mtu: an MTU (a whole number) is wanted, this is a string",
    ),
    (
        "mtu = 1500.0",
        "3:7: nic[0].mtu: an MTU (a whole number) is wanted, this is a float",
    ),
    (
        "promiscuous = 1",
        "3:15: nic[0].promiscuous: true or false is wanted, this is an integer",
    ),
    (
        "mac = '02:00:00:00:01'",
        "3:7: nic[0].mac: '02:00:00:00:01' is not a link address: a link address is six pairs",
    ),
    (
        "mac = '33:33:00:00:00:01'",
        "3:7: nic[0].mac: '33:33:00:00:00:01' cannot be a station's link address: it is a group's",
    ),
    (
        "igmp = 'v1'",
        "3:8: nic[0].igmp: 'v1' is not a version of IGMP: v3, v2, off; did you mean 'v3'?",
    ),
    (
        "link = { kind = 'pcapng' }",
        "3:17: nic[0].link.kind: 'pcapng' is not a kind of link: pcap, tap, af_packet, af_xdp; did \
         you mean 'pcap'?",
    ),
    (
        "link = { kind = 'tap' }",
        "3:8: nic[0].link.name: missing; write for example: name = \"veth0\"",
    ),
    (
        "link = { kind = 'pcap', name = 'x' }",
        "3:32: nic[0].link.name: a pcap link has no device: it has nothing but a kind",
    ),
    (
        "link = { kind = 'pcap', super_frames = false }",
        "3:40: nic[0].link.super_frames: a pcap link has no device: it has nothing but a kind",
    ),
    (
        "link = { kind = 'tap', name = 'x', super_frames = 1 }",
        "3:51: nic[0].link.super_frames: ",
    ),
    (
        "link = { kind = 'af_xdp', name = 'x', super_frames = true }",
        "3:54: nic[0].link.super_frames: an af_xdp link has no super-frames: they are cut in \
         software",
    ),
    (
        "link = { kind = 'tap', name = 'x', receive_only = true }",
        "3:51: nic[0].link.receive_only: only an af_packet link can be there to receive only",
    ),
    (
        "link = { kind = 'af_packet', name = 'x', receiveonly = true }",
        "3:42: nic[0].link.receiveonly: no such key; did you mean 'receive_only'?",
    ),
    (
        "link = { kind = 'tap', name = 'x', mode = 'native' }",
        "3:43: nic[0].link.mode: only an af_xdp link has a mode",
    ),
    (
        "link = { kind = 'af_xdp', name = 'x', mode = 'generik' }",
        "3:46: nic[0].link.mode: 'generik' is not where the XDP program runs: auto, native, \
         generic; did you mean 'generic'?",
    ),
    (
        "addresses = '192.0.2.1/24'",
        "3:13: nic[0].addresses: an array of addresses, such as [\"192.0.2.1/24\"], is wanted, \
         this is a string",
    ),
    (
        "addresses = ['192.0.2.1/24', '192.0.2/24']",
        "3:30: nic[0].addresses[1]: '192.0.2/24' is not an address with its prefix length: \
         '192.0.2' is not an IP address",
    ),
    (
        "addresses = ['192.0.2.1/33']",
        "3:14: nic[0].addresses[0]: '192.0.2.1/33' is not an address with its prefix length: '33' \
         is not a prefix length of 0 to 32",
    ),
    (
        "addresses = ['192.0.2.1/24', '192.0.2.1/16']",
        "3:30: nic[0].addresses[1]: nic[0].addresses[0] is 192.0.2.1 already",
    ),
    (
        "addresses = ['ff02::1/128']",
        "3:14: nic[0].addresses[0]: 'ff02::1' cannot be an address of a NIC: it is a group: write \
         it under groups",
    ),
    (
        "addresses = ['::/128']",
        "3:14: nic[0].addresses[0]: '::' cannot be an address of a NIC",
    ),
    (
        "addresses = [{ address = '192.0.2.1/24', primary = 'frist' }]",
        "3:52: nic[0].addresses[0].primary: 'frist' is not a place among source addresses: can, \
         first, never; did you mean 'first'?",
    ),
    (
        "addresses = [{ addres = '192.0.2.1/24' }]",
        "3:16: nic[0].addresses[0].addres: no such key; did you mean 'address'?",
    ),
    (
        "ranges = ['198.51.100.7/24']",
        "3:11: nic[0].ranges[0]: '198.51.100.7/24' is an address in a subnet; did you mean \
         '198.51.100.0/24'?",
    ),
    (
        "groups = ['192.0.2.1']",
        "3:11: nic[0].groups[0]: '192.0.2.1' is not a group: those are in 224.0.0.0/4 and ff00::/8",
    ),
    (
        "[[nic]]\nname = 'wan'",
        "4:8: nic[1].name: nic[0] has the name 'wan' already",
    ),
    (
        "link = { kind = 'tap', name = 'tap%d' }",
        "3:31: nic[0].link.name: 'tap%d' is a pattern to the kernel, which would make a device of \
         another name: a TAP has no '%'",
    ),
    (
        "link = { kind = 'tap', name = 'tap0' }\n[[nic]]\nname = 'lan'\n\
         link = { kind = 'tap', name = 'tap0' }",
        "6:8: nic[1].link: nic 'lan' and nic 'wan' are on one device, 'tap0': each tap link needs \
         its own",
    ),
    (
        "link = { kind = 'af_xdp', name = 'eth0' }\n[[nic]]\nname = 'lan'\n\
         link = { kind = 'af_xdp', name = 'eth0', queues = 2 }",
        "6:8: nic[1].link: nic 'lan' and nic 'wan' are on one device, 'eth0': each af_xdp link needs",
    ),
    (
        "[[nic]]\nname = '../wan'",
        "4:8: nic[1].name: '../wan' is not a name of a NIC",
    ),
    (
        "[[nic]]\nmtu = 1500",
        "3:1: nic[1].name: missing; write for example: name = \"wan\"",
    ),
    (
        "[[route]]\nto = '0.0.0.0/0'\nnic = 'lan'",
        "5:7: route[0].nic: there is no NIC 'lan'; did you mean 'wan'?",
    ),
    (
        "[[route]]\nto = '0.0.0.0/0'\nnic = 'wan'\nvia = 'fe80::1'",
        "6:7: route[0].via: fe80::1 cannot be the gateway to 0.0.0.0/0: one is IPv4, the other IPv6",
    ),
    (
        "[[route]]\nto = '10.0.0.1/8'\nnic = 'wan'",
        "4:6: route[0].to: '10.0.0.1/8' is an address in a subnet; did you mean '10.0.0.0/8'?",
    ),
    (
        "[[neighbor]]\nnic = 'wan'\naddress = '192.0.2.1/24'\nmac = '02:00:00:00:00:01'",
        "5:11: neighbor[0].address: '192.0.2.1/24' is not an address: ",
    ),
    (
        "[[neighbor]]\nnic = 'wan'\naddress = '::ffff:192.0.2.1'\nmac = '02:00:00:00:00:01'",
        "5:11: neighbor[0].address: '::ffff:192.0.2.1' is an IPv4-mapped IPv6 address; did you \
         mean '192.0.2.1'?",
    ),
    (
        "[[service]]\nkind = 'udp-echo'\nbind = 'any:7'",
        "4:8: service[0].kind: 'udp-echo' is not a kind of service: udp_echo, udp_sink, raw_sink; \
         did you mean 'udp_echo'?",
    ),
    (
        "[[service]]\nkind = 'udp_echo'\nbind = '192.0.2.1'",
        "5:8: service[0].bind: '192.0.2.1' has no port, and UDP needs one; did you mean \
         '192.0.2.1:7'?",
    ),
    (
        "[[service]]\nkind = 'udp_echo'\nbind = '2001:db8::1:7:'",
        "5:8: service[0].bind: '2001:db8::1:7:' is not what a service binds to: write ADDRESS:PORT",
    ),
    (
        "[[service]]\nkind = 'raw_sink'\nbind = '0.0.0.0:7'",
        "5:8: service[0].bind: '0.0.0.0:7' has a port, and raw_sink takes every protocol; did you \
         mean '0.0.0.0'?",
    ),
    (
        "[[service]]\nkind = 'udp_echo'\nbind = 'any:7'\n[[service]]\nkind = 'udp_sink'\nbind = \
         '0.0.0.0:7'\nreuse_port = true",
        "8:8: service[1].bind: service[0] takes the same: 0.0.0.0:7; give both reuse_port = true",
    ),
    (
        "[[service]]\nkind = 'udp_echo'\nbind = 'any:7'\nnic = 'wann'",
        "6:7: service[0].nic: there is no NIC 'wann'; did you mean 'wan'?",
    ),
    (
        "[[event]]\nnic = 'wan'\ndo = 'set_link'\non = true",
        "3:1: event[0].at: missing; write for example: at = \"1.5s\"",
    ),
    (
        "[[event]]\nat = '1x'\nnic = 'wan'\ndo = 'set_link'\non = true",
        "4:6: event[0].at: '1x' is not a time: a number with ns, us, ms, s, min or h, from 0s to \
         8760h; did you mean '1s'?",
    ),
    (
        "[[event]]\nat = 1.5\nnic = 'wan'\ndo = 'set_link'\non = true",
        "4:6: event[0].at: a time as a text, such as \"1.5s\", is wanted, this is a float",
    ),
    (
        "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'add_adress'",
        "6:6: event[0].do: 'add_adress' is not something to do: add_address, remove_address, ",
    ),
    (
        "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'add_address'",
        "3:1: event[0].address: missing, add_address needs it; write for example: address = \
         \"192.0.2.7/24\"",
    ),
    (
        "[[event]]\nat = '1s'\ndo = 'join_group'\ngroup = '239.0.0.1'",
        "3:1: event[0].nic: missing, join_group needs it; write for example: nic = \"wan\"",
    ),
    (
        "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'join_group'\naddress = '239.0.0.1'",
        "7:11: event[0].address: it does not belong to join_group, which has: group",
    ),
    (
        "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'set_link'\nstate = 'sideways'",
        "7:9: event[0].state: 'sideways' is not a state of a link: up, down",
    ),
    (
        "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'set_link'\nstate = 'up'\non = true",
        "7:9: event[0].state: on says it already",
    ),
    (
        "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'hold_route'\nname = 'r'\nlocal = '192.0.2.1'\n\
         remote = '::1'",
        "9:10: event[0].remote: there is no route from 192.0.2.1 to ::1: one is IPv4, the other \
         IPv6",
    ),
    (
        "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'hold_route'\nname = 'r'",
        "3:1: event[0].local: missing, hold_route needs it; write for example: local = \
         \"192.0.2.1\"",
    ),
    (
        "[[event]]\nat = '1s'\ndo = 'release_route'\nname = 'r1'\n[[event]]\nat = '0s'\nnic = \
         'wan'\ndo = 'hold_route'\nname = 'r2'\nremote = '192.0.2.9'",
        "6:8: event[0].name: no hold_route has the name 'r1'; did you mean 'r2'?",
    ),
    (
        "[[neighbor]]\nnic = 'wan'\naddress = '192.0.2.9'\nmac = '02:00:00:00:00:09'\n[[neighbor]]\n\
         nic = 'wan'\naddress = '192.0.2.9'\nmac = '02:00:00:00:00:0a'",
        "9:11: neighbor[1].address: neighbor[0] is 192.0.2.9 on wan already",
    ),
    (
        "[[service]]\nkind = 'udp_sink'\nbind = '[::ffff:192.0.2.1]:7'",
        "5:8: service[0].bind: '[::ffff:192.0.2.1]:7' is an IPv4-mapped IPv6 address; did you mean \
         '192.0.2.1:7'?",
    ),
];

#[test]
fn refusals_name_file_line_column_field_and_what_would_do() {
    for (text, message) in WRONG {
        let said = refusal(with_nic(text));
        assert!(
            said.starts_with(&format!("lab.toml:{message}")),
            "{text}\n said: {said}\n want: {message}"
        );
        assert_eq!(said.lines().count(), 1, "one message, one line: {said}");
    }
}

#[test]
fn refusals_of_the_whole_file() {
    for (text, message) in [
        (
            "",
            "1:1: nic: missing; there has to be a NIC: [[nic]] with a name",
        ),
        (
            "[nic]\nname = 'wan'",
            "1:1: nic: an array of tables, [[nic]], is wanted, this is a table",
        ),
        (
            "worker = 2",
            "1:1: worker: no such key; did you mean 'workers'?",
        ),
        ("é = 1", "1:1: this is not TOML: "),
        ("# é\n  \"é\" = 1", "2:3: é: no such key; "),
        (
            "workers = 0",
            "1:11: workers: '0' is not a number of workers: a whole number from 1 to",
        ),
        (
            "dad_transmits = 256",
            "1:17: dad_transmits: '256' is not a number of solicitations",
        ),
        (
            "seed = -1",
            "1:8: seed: '-1' is not a seed: a whole number from 0 to 9223372036854775807",
        ),
        (
            "stable_secret = '0011'",
            "1:17: stable_secret: a secret is 32 hexadecimal digits; this has 4 characters",
        ),
        (
            "service = [1]",
            "1:12: service[0]: a table, [[service]], is wanted, this is an integer",
        ),
    ] {
        // The NIC comes behind, but where the file is to have none.
        let whole = if text.contains("nic") || text.is_empty() {
            text.to_owned()
        } else {
            format!("{text}\n{NIC}")
        };
        let said = refusal(parse(&whole));
        assert!(
            said.starts_with(&format!("lab.toml:{message}")),
            "{text}\n said: {said}\n want: {message}"
        );
    }
    let missing = Config::load(Path::new("/nonexistent/lab.toml")).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("/nonexistent/lab.toml: cannot read the configuration: "),
        "{missing}"
    );
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_are() {
    let bytes = [NIC.as_bytes(), "mac = \"é".as_bytes(), b"\xff\"\n"].concat();
    assert_eq!(
        refusal(read_bytes("lab.toml", &bytes, parse::parse)),
        "lab.toml:3:9: this is not TOML: it is not UTF-8 from here on"
    );
    assert!(read_bytes("lab.toml", NIC.as_bytes(), parse::parse).is_ok());
}

#[test]
fn what_is_odd_is_a_warning() {
    for (text, warning) in [
        (
            "mtu = 1000",
            "lab.toml:3:7: nic[0].mtu: IPv6 wants 1280 bytes on every link",
        ),
        (
            "ranges = ['10.0.0.4/31']",
            "lab.toml:3:11: nic[0].ranges[0]: its first and its last address are not taken: \
             nothing is left of it",
        ),
    ] {
        assert_eq!(good(text).warnings, [warning]);
    }
    let config = parse(&format!("dad_retransmit_timer = '1us'\n{NIC}")).unwrap();
    assert_eq!(config.dad_retransmit_timer, Duration::from_secs(1));
    assert_eq!(
        config.warnings,
        ["lab.toml:1:24: dad_retransmit_timer: a time under 1ms becomes 1s"]
    );
}

#[test]
fn several_services_may_share_a_port_if_all_say_so() {
    let service = |kind: &str, bind: &str, rest: &str| {
        format!("[[service]]\nkind = '{kind}'\nbind = '{bind}'\n{rest}\n")
    };
    let shared = service("udp_echo", "any:7", "reuse_port = true");
    assert_eq!(good(&shared.repeat(3)).services.len(), 3);
    // The specific one comes before the other, and raw sinks take nothing away.
    let apart = [
        service("udp_echo", "any:7", ""),
        service("udp_sink", "192.0.2.1:7", ""),
        service("udp_sink", "any:8", ""),
        service("udp_sink", "any:7", "nic = 'wan'"),
        service("raw_sink", "any", ""),
        service("raw_sink", "any", ""),
    ];
    assert_eq!(good(&apart.concat()).services.len(), 6);
    let families = [
        service("udp_echo", "0.0.0.0:7", ""),
        service("udp_echo", "[::]:7", ""),
    ];
    assert_eq!(good(&families.concat()).services.len(), 2);
}

#[test]
fn a_bind_prints_as_it_is_written() {
    for text in [
        "any",
        "any:7",
        "0.0.0.0:7",
        "[::]:7",
        "::",
        "192.0.2.1",
        "192.0.2.1:65535",
        "[2001:db8::1]:7",
    ] {
        assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "any:",
        "any:+7",
        "any:65536",
        "7",
        ":7",
        "192.0.2.1:",
        "[::]",
        "any7",
    ] {
        assert_eq!(text.parse::<Bind>(), Err(ParseBindError), "{text}");
    }
}

#[test]
fn an_explanation_shows_what_becomes_of_addresses() {
    let config = good(
        "addresses = ['192.0.2.1/24', '2001:db8::1/64']\nranges = ['10.0.0.0/8', '::/0']\n\
         groups = ['239.1.2.3']",
    );
    let text = explain(&config);
    for line in [
        "  seed                   1\n",
        "192.0.2.1/24: in use at once; ",
        "2001:db8::1/64: joins ff02::1:ff00:1; in use after 1s if nobody has it; ",
        "10.0.0.0/8: packets for 10.0.0.1 to 10.255.255.254 are taken",
        "::/0: packets for ::1 to ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe are taken",
        "239.1.2.3: joined",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(config.json()["schema"], 1);
    assert!(text.starts_with("lab.toml: a configuration, nothing is wrong with it\n"));
    let text = explain(&good("mtu = 1000\nranges = ['10.0.0.4/31']"));
    assert!(text.starts_with("lab.toml: a configuration, there are 2 warnings below\n"));
}

#[test]
fn texts_of_the_file_stay_on_the_line_of_the_message() {
    let said = refusal(with_nic("mac = \"\\u001b[2J\\n02\""));
    assert!(
        said.starts_with(r"lab.toml:3:7: nic[0].mac: '\u{1b}[2J\n02' is not a link address"),
        "{said}"
    );
    let said = refusal(with_nic("\"a\\nb\" = 1"));
    assert!(
        said.starts_with(r"lab.toml:3:1: nic[0].a\nb: no such key"),
        "{said}"
    );
}

#[test]
fn any_change_to_a_file_is_read_or_refused_in_one_line() {
    const WHOLE: &str = r#"
workers = 2
dad_retransmit_timer = "250ms"
stable_secret = "00112233445566778899aabbccddeeff"
[[nic]]
name = "wan"
link = { kind = "tap", name = "tap0", queues = 4 }
mac = "02:00:00:00:00:aa"
mtu = 9000
addresses = ["192.0.2.1/24", { address = "2001:db8::1/64", primary = "first" }]
ranges = ["198.51.100.0/24", "::/0"]
groups = ["239.1.2.3"]
[[route]]
to = "0.0.0.0/0"
via = "192.0.2.254"
nic = "wan"
[[service]]
kind = "udp_sink"
bind = "[2001:db8::1]:53"
[[event]]
at = "1.5s"
nic = "wan"
do = "hold_route"
name = "r"
local = "192.0.2.1"
"#;
    let check = |text: &str| match parse(text) {
        Ok(config) => assert!(!explain(&config).is_empty()),
        Err(error) => {
            let place = error.place.unwrap();
            assert!(place.line <= text.lines().count() + 1, "{error}");
            let said = error.to_string();
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    };
    check(WHOLE);
    for (at, c) in WHOLE.char_indices() {
        let (before, behind) = WHOLE.split_at(at);
        let behind = &behind[c.len_utf8()..];
        check(before);
        for other in ["", "\n", "\"", "=", "[", "{", ".", "9", "-", "é", "\u{1}"] {
            check(&format!("{before}{other}{behind}"));
        }
    }
}

#[test]
fn the_mode_of_an_af_xdp_link_is_explained() {
    for (mode, told) in [
        (
            "",
            "AF_XDP (native where its driver can, otherwise generic) 'x'",
        ),
        (", mode = 'native'", "native AF_XDP 'x'"),
        (", mode = 'generic'", "generic AF_XDP 'x'"),
    ] {
        let link = format!("{{ kind = 'af_xdp', name = 'x'{mode} }}");
        let text = format!("[[nic]]\nname = 'wan'\nlink = {link}");
        let explained = explain(&Config::parse("host.toml", &text).unwrap());
        assert!(explained.contains(told), "{explained}");
    }
}

#[test]
fn a_link_that_is_to_receive_only_is_explained_and_answers_nobody() {
    let config = |link: &str, more: &str| {
        let text = format!("[[nic]]\nname = 'wan'\nlink = {{ {link} }}\n{more}");
        Config::parse("host.toml", &text).unwrap()
    };
    let listens = "kind = 'af_packet', name = 'x', receive_only = true";
    let only = config(listens, "");
    assert!(only.nics[0].link.receive_only && only.warnings.is_empty());
    assert_eq!(only.json()["nics"][0]["link"]["receive_only"], true);
    let explained = explain(&only);
    let told =
        "device through AF_PACKET, to receive only (what it is to send is dropped), 'x', 1 queue";
    assert!(explained.contains(told), "{explained}");
    let addresses = config(listens, "addresses = ['192.0.2.1/24']");
    let [warning] = &addresses.warnings[..] else {
        panic!("{:?}", addresses.warnings);
    };
    assert!(warning.contains("is not answered"), "{warning}");
    let route = config(listens, "[[route]]\nto = '0.0.0.0/0'\nnic = 'wan'");
    let [warning] = &route.warnings[..] else {
        panic!("{:?}", route.warnings);
    };
    assert!(warning.contains("counted, and not sent"), "{warning}");
    for link in [
        "kind = 'af_packet', name = 'x'",
        "kind = 'tap', name = 'x', receive_only = false",
    ] {
        let config = config(link, "addresses = ['192.0.2.1/24']");
        assert!(!config.nics[0].link.receive_only && config.warnings.is_empty());
        assert!(!explain(&config).contains("receive only"));
    }
}

#[test]
fn what_no_device_can_be_called_is_told_with_its_place() {
    for name in ["", ".", "..", "a b", "a/b", "eth0:1", "sixteen--letters"] {
        let text =
            format!("[[nic]]\nname = 'wan'\nlink = {{ kind = 'af_packet', name = '{name}' }}");
        let error = Config::parse("lab.toml", &text).unwrap_err().to_string();
        let told =
            format!("lab.toml:3:37: nic[0].link.name: '{name}' is not the name of a device: ");
        assert!(error.starts_with(&told), "{error}");
    }
}

#[test]
fn links_that_can_have_super_frames_unless_told() {
    let link = |link: &str| {
        let text = format!("[[nic]]\nname = 'wan'\nlink = {{ {link} }}");
        let config = Config::parse("host.toml", &text).unwrap();
        let explained = explain(&config).contains(", with super-frames");
        let has = config.nics[0].link.super_frames;
        assert_eq!(
            (explained, &config.json()["nics"][0]["link"]["super_frames"]),
            (has, &has.into())
        );
        has
    };
    assert!(link("kind = 'tap', name = 'x'"));
    assert!(link("kind = 'af_packet', name = 'x', super_frames = true"));
    assert!(!link(
        "kind = 'af_packet', name = 'x', super_frames = false"
    ));
    assert!(!link("kind = 'af_xdp', name = 'x'"));
    assert!(!link("kind = 'pcap'"));
}

#[test]
fn the_example_of_a_router_is_one() {
    let config = Config::parse("router.toml", include_str!("../../examples/router.toml")).unwrap();
    assert!(config.forwarding && config.warnings.is_empty());
    assert_eq!((config.nics.len(), config.routes.len()), (2, 4));
}

#[test]
fn faults_and_captures_are_read_and_explained() {
    use corelane::io::middleware::{FaultPlan, Share, Stall};
    let config = good(
        r#"
[nic.faults]
seed = 7
rx = { drop = "1/1000", corrupt = "0.1%", corrupt_bits = 2, duplicate = "0.5", reorder = "1/4", reorder_by = 3, reorder_wait = "20ms" }
tx = { delay = "3ms", jitter = "1ms", stall = { lasts = "100ms", every = "1s" }, queue = 512 }
[nic.capture]
file = "wan.pcapng"
snap_len = 96
address = "192.0.2.9"
port = 7
"#,
    );
    let nic = &config.nics[0];
    let faults = nic.faults.clone().unwrap();
    assert_eq!(faults.seed, 7);
    let rx = FaultPlan {
        drop: Share::one_in(1000),
        corrupt: Share::Ratio(0.001),
        corrupt_bits: 2,
        duplicate: Share::Ratio(0.5),
        reorder: Share::one_in(4),
        reorder_by: 3,
        reorder_wait: Duration::from_millis(20),
        ..FaultPlan::default()
    };
    let tx = FaultPlan {
        delay: Duration::from_millis(3),
        jitter: Duration::from_millis(1),
        stall: Some(Stall {
            lasts: Duration::from_millis(100),
            every: Duration::from_secs(1),
        }),
        queue: 512,
        ..FaultPlan::default()
    };
    assert_eq!((&faults.rx, &faults.tx), (&rx, &tx));
    let capture = nic.capture.clone().unwrap();
    assert_eq!((capture.snap_len, capture.filter.port), (Some(96), Some(7)));
    let text = explain(&config);
    for words in [
        "1/1000 dropped, 0.1% with 2 bits flipped, 50% doubled, 1/4 overtaken by 3 frames",
        "0.003s late, up to 0.001s later, a stall of 0.1s every 1s",
        "wan.pcapng (up), of 192.0.2.9, of port 7, 96 bytes of each frame",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(config.json()["nics"][0]["faults"]["rx"]["drop"], "1/1000");
    assert_eq!(config.json()["nics"][0]["capture"]["port"], 7);

    // Each NIC draws its own, and nothing is nothing.
    let config = good(
        "faults = { rx = { drop = \"1%\" } }\n[[nic]]\nname = 'lan'\nfaults = { rx = { drop = '1%' } }",
    );
    let seeds: Vec<_> = config
        .nics
        .iter()
        .map(|nic| nic.faults.as_ref().map(|it| it.seed))
        .collect();
    assert_eq!(seeds, [Some(1), Some(2)]);
    let config = good("faults = { rx = {} }");
    assert!(config.nics[0].faults.is_none() && config.warnings.len() == 1);

    for (text, told) in [
        (
            "faults = { rx = { drop = '2/3' } }",
            "lab.toml:3:26: nic[0].faults.rx.drop: '2/3' is not one in so many; did you mean '1/1000'?",
        ),
        (
            "faults = { rx = { drop = '1/0' } }",
            "did you mean '1/1000'?",
        ),
        (
            "faults = { rx = { drop = '101%' } }",
            "nic[0].faults.rx.drop: ",
        ),
        ("faults = { rx = { drop = 0.1 } }", "a share as a text"),
        (
            "faults = { rx = { droop = '1/2' } }",
            "did you mean 'drop'?",
        ),
        (
            "faults = { rx = { delay = '2h' } }",
            "nic[0].faults.rx.delay: ",
        ),
        (
            "faults = { rx = { stall = { lasts = '1s', every = '1s' } } }",
            "never ends",
        ),
        (
            "faults = { rx = { stall = { lasts = '1s' } } }",
            "every: missing",
        ),
        ("faults = { rx = { queue = 1 } }", "did you mean '256'?"),
        ("capture = { snap_len = 64 }", "file: missing"),
        ("capture = { file = '' }", "this is not the path of a file"),
        (
            "capture = { file = 'a' }\n[[nic]]\nname = 'lan'\ncapture = { file = 'a' }",
            "nic[1].capture: nic[0] writes to 'a' already",
        ),
        (
            "capture = { file = 'a', snap_len = 3 }",
            "did you mean '14'?",
        ),
    ] {
        let refused = refusal(with_nic(text));
        assert!(refused.contains(told), "{text}: {refused}");
    }
}
