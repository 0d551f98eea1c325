use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::selftest::{ClockCheck, RssCheck};

fn sockets() -> SocketShare {
    SocketShare {
        queued: 30,
        read: 30,
        read_bytes: 1_800,
        full: 3,
        closed: 2,
    }
}

fn egress() -> EgressShare {
    EgressShare {
        sent: 4,
        sent_bytes: 240,
        send_dropped: 1,
        taken: 4,
    }
}

/// Of a run that has it all: no run has both sockets and a second NIC.
fn ledger() -> Ledger {
    Ledger {
        intended: 113,
        sent: 110,
        unsent: Unsent {
            late: 2,
            too_large: 1,
            ..Unsent::default()
        },
        drops: GeneratorDrops {
            ring_full: 6,
            pool_empty: 4,
        },
        received: 100,
        delivered: 70,
        forwarded: 5,
        consumed: 10,
        dropped: 15,
        socket_full: 3,
        socket_closed: 2,
        received_by_worker: vec![60, 40],
        delivered_by_worker: vec![30, 40],
        handled_by_worker: vec![10, 30],
        sockets: Some(sockets()),
        egress: Some(egress()),
        order: OrderShare {
            in_order: 40,
            unchecked: 4,
            ..OrderShare::default()
        },
        streams: Some(StreamSums {
            sent: 110,
            unique: 40,
        }),
        in_flight: 0,
        frames_out: Some(0),
    }
}

#[test]
fn books_that_balance() {
    let accounting = ledger().check();
    assert!(accounting.holds);
    assert_eq!(accounting.identities.len(), 19);
    let to_handlers = Ledger {
        handled_by_worker: vec![30, 40],
        order: OrderShare {
            in_order: 70,
            ..OrderShare::default()
        },
        streams: Some(StreamSums {
            sent: 110,
            unique: 70,
        }),
        forwarded: 0,
        dropped: 20,
        sockets: None,
        egress: None,
        ..ledger()
    };
    let accounting = to_handlers.check();
    assert!(accounting.holds);
    assert_eq!(accounting.identities.len(), 15);
    // Their sum is right, but not each of them.
    let exchanged = Ledger {
        handled_by_worker: vec![40, 30],
        ..to_handlers
    };
    assert!(!exchanged.check().holds);
}

#[test]
fn each_count_that_is_off_by_one_is_found() {
    fn of_sockets(ledger: &mut Ledger) -> &mut SocketShare {
        ledger.sockets.as_mut().unwrap()
    }
    fn of_egress(ledger: &mut Ledger) -> &mut EgressShare {
        ledger.egress.as_mut().unwrap()
    }
    fn of_streams(ledger: &mut Ledger) -> &mut StreamSums {
        ledger.streams.as_mut().unwrap()
    }
    let spoilers: [fn(&mut Ledger); 31] = [
        |l| l.intended += 1,
        |l| l.sent += 1,
        |l| l.unsent.late += 1,
        |l| l.unsent.too_large += 1,
        |l| l.drops.ring_full += 1,
        |l| l.drops.pool_empty += 1,
        |l| l.received += 1,
        |l| l.delivered += 1,
        |l| l.forwarded += 1,
        |l| l.consumed += 1,
        |l| l.dropped += 1,
        |l| l.received_by_worker[1] += 1,
        |l| l.in_flight += 1,
        |l| l.frames_out = Some(1),
        |l| l.socket_full += 1,
        |l| l.socket_closed += 1,
        |l| l.order.in_order += 1,
        |l| l.order.reordered += 1,
        |l| l.order.duplicates += 1,
        |l| l.order.too_late += 1,
        |l| l.order.corrupt += 1,
        |l| l.order.unchecked += 1,
        |l| of_sockets(l).queued += 1,
        |l| of_sockets(l).read += 1,
        |l| of_sockets(l).full += 1,
        |l| of_sockets(l).closed += 1,
        |l| of_egress(l).sent += 1,
        |l| of_egress(l).send_dropped += 1,
        |l| of_egress(l).taken += 1,
        |l| of_streams(l).sent += 1,
        |l| of_streams(l).unique += 1,
    ];
    for (i, spoil) in spoilers.iter().enumerate() {
        let mut ledger = ledger();
        spoil(&mut ledger);
        assert!(!ledger.check().holds, "spoiler {i}");
    }
    // One that is lost at the end of its way spoils the identity of that end.
    type Lose = fn(&mut Ledger);
    let losses: [(Lose, &str, u64); 3] = [
        (
            |l| l.handled_by_worker[0] -= 1,
            "delivered = sum over handlers + read from sockets",
            70,
        ),
        (
            |l| of_sockets(l).full -= 1,
            "socket_full = sum over sockets",
            3,
        ),
        (
            |l| of_egress(l).taken -= 1,
            "egress sent = taken by its peer",
            4,
        ),
    ];
    for (lose, claim, left) in losses {
        let mut ledger = ledger();
        lose(&mut ledger);
        let accounting = ledger.check();
        let wrong: Vec<_> = accounting.identities.iter().filter(|i| !i.holds).collect();
        // That of what arrived may be another one.
        assert!(wrong.len() <= 2, "{wrong:?}");
        let of_end = wrong.iter().find(|identity| identity.claim == claim);
        let of_end = of_end.unwrap_or_else(|| panic!("{claim}: {wrong:?}"));
        assert_eq!((of_end.left, of_end.right), (left, left - 1));
    }
}

#[test]
fn the_limit_is_what_the_evidence_says() {
    let at_max = Evidence {
        at_max: true,
        intended: 1_000_000,
        productive: 20_000,
        idle: 0.3,
        ..Evidence::default()
    };
    assert_eq!(Limit::of(&at_max), Limit::Generator);
    assert_eq!(
        Limit::of(&Evidence {
            waiting: 90_000,
            ..at_max
        }),
        Limit::Workers
    );
    assert_eq!(
        Limit::of(&Evidence {
            idle: 0.02,
            ..at_max
        }),
        Limit::Workers
    );
    assert_eq!(
        Limit::of(&Evidence {
            waiting: 10,
            ..at_max
        }),
        Limit::Generator
    );
    assert_eq!(
        Limit::of(&Evidence {
            starved: 9_000,
            waiting: 10,
            ..at_max
        }),
        Limit::Pool
    );
    let few = Evidence {
        intended: 1_000,
        room: 1_024,
        ..at_max
    };
    assert_eq!(Limit::of(&few), Limit::None, "all of it fits the rings");

    let fixed = Evidence {
        intended: 1_000_000,
        productive: 20_000,
        waiting: 5,
        ..Evidence::default()
    };
    assert_eq!(Limit::of(&fixed), Limit::None);
    assert_eq!(
        Limit::of(&Evidence {
            ring_full: 1,
            ..fixed
        }),
        Limit::Workers
    );
    assert_eq!(
        Limit::of(&Evidence { late: 3, ..fixed }),
        Limit::None,
        "a few at the end"
    );
    assert_eq!(
        Limit::of(&Evidence {
            late: 50_000,
            ring_full: 5,
            ..fixed
        }),
        Limit::Generator
    );
    assert_eq!(
        Limit::of(&Evidence {
            pool_empty: 50,
            ring_full: 5,
            ..fixed
        }),
        Limit::Pool
    );
}

fn report() -> Report {
    let lateness = LatenessShare {
        p50: 100,
        p99: 200,
        p999: 300,
        max: 400,
    };
    let latency = Percentiles {
        min: 800,
        p50: 900,
        p90: Some(1_000),
        p99: Some(12_000),
        p999: Some(3_000_000),
        p9999: Some(4_000_000),
        p99999: None,
        max: 5_000_000_000,
        count: 70,
    };
    Report {
        schema: SCHEMA,
        verb: "bench",
        versions: Versions {
            corelane: "1.2.3",
            profile: "release",
        },
        machine: Machine {
            cpu: "A CPU".to_owned(),
            cores: 2,
            os: "linux",
            kernel: "6.0".to_owned(),
            arch: "x86_64",
        },
        seed: 7,
        flags: BTreeMap::from([("workers", serde_json::json!(1))]),
        derived: vec!["pool_slots"],
        interrupted: false,
        warnings: vec!["a warning".to_owned()],
        window_s: 2.0,
        offered_pps: 56.5,
        achieved_pps: 55.0,
        delivered_pps: 35.0,
        forwarded_pps: 2.5,
        ns_per_packet: Some(25.04),
        sent: 110,
        received: 100,
        received_bytes: 6_000,
        delivered: 70,
        forwarded: 5,
        consumed: 10,
        drops: BTreeMap::from([("invalid_address", 15), ("martian", 0)]),
        sockets: Some(sockets()),
        egress: Some(egress()),
        order: OrderReport {
            numbered: 45,
            missing: 5,
            found: ledger().order,
        },
        streams: Some(vec![StreamShare {
            name: "voice".to_owned(),
            planned_pps: 56.5,
            arrival: Some("cbr".to_owned()),
            intended: 113,
            sent: 110,
            unsent: Unsent {
                late: 3,
                ..Unsent::default()
            },
            pool_empty: 4,
            received_bytes: 4_000,
            order: OrderReport::new(
                45,
                OrderShare {
                    in_order: 40,
                    ..OrderShare::default()
                },
            ),
            latency_ns: Some(latency),
        }]),
        in_flight_at_end: 0,
        workers: vec![WorkerShare {
            id: 0,
            core: Some(1),
            packets: 100,
            bytes: 6_000,
            busy_ratio: 0.5,
            ns_per_packet: Some(25.04),
            empty_polls: 3,
            polls: 10,
            allocations: Some(0),
        }],
        spread: None,
        latency_ns: Some(latency),
        intervals: Vec::new(),
        latency_limited_by_generator: Some(false),
        tester_limited: false,
        self_check: Some(SelfCheck {
            ceiling_pps: 220.0,
            ceiling_used: 0.25,
            clock: ClockCheck {
                read_ns: 20.0,
                step_ns: 10,
                longest_gap_ns: 3000,
                monotonic: true,
                source: "tsc".to_owned(),
                invariant_tsc: Some(true),
            },
            rss: RssCheck {
                right: 32,
                wrong: 0,
            },
        }),
        slo: Some(SloShare {
            met: false,
            goals: vec![GoalShare {
                goal: "loss=0".to_owned(),
                reached: Some(0.25),
                unit: "ratio",
                met: false,
            }],
        }),
        datapath_allocations: Some(0),
        generator: GeneratorShare {
            core: Some(0),
            planned_pps: Some(56.5),
            calibrated_pps: None,
            intended: 113,
            sent: 110,
            unsent: Unsent {
                late: 2,
                too_large: 1,
                ..Unsent::default()
            },
            drops: GeneratorDrops {
                ring_full: 6,
                pool_empty: 4,
            },
            polls: Polls {
                productive: 5,
                idle: 3,
                starved: 1,
                waiting: 1,
            },
            busy_share: 0.5,
            limit: Limit::Workers,
            lateness_ns: lateness,
            lateness_polled_ns: LatenessShare {
                p99: 150,
                ..lateness
            },
            gone: Gone {
                times: 3,
                ns: 75_000,
            },
            allocations: Some(0),
        },
        churn: None,
        setup: Setup {
            endpoints: 1000,
            endpoints_s: 0.1,
            routes: 10,
            neighbors: 2,
            routes_s: 0.3,
            frames_s: 0.2,
        },
        captures: None,
        links: None,
        accounting: ledger().check(),
        conditions: vec!["what ran".to_owned()],
    }
}

/// The fields of an object.
fn names(object: &serde_json::Value) -> BTreeSet<&str> {
    let fields = object.as_object().unwrap();
    fields.keys().map(String::as_str).collect()
}

#[test]
fn json_has_the_fields_of_the_schema_and_no_other() {
    let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
    let written = names(&json);
    let schema = include_str!("schema.rs");
    let (top, rest) = schema.split_once("`generator`:\n").unwrap();
    let (generator, rest) = rest.split_once("`streams`, of each").unwrap();
    let (streams, links) = rest.split_once("`links`, of a run").unwrap();
    // The names in the first cell of each row.
    let documented = |table: &'static str| -> BTreeSet<&'static str> {
        table
            .lines()
            .filter_map(|line| line.strip_prefix("//! | "))
            .filter_map(|row| row.split(" | ").next())
            .flat_map(|cell| cell.split(", "))
            .filter_map(|name| name.strip_prefix('`')?.strip_suffix('`'))
            .map(|name| name.trim_end_matches("[]"))
            .collect()
    };
    assert_eq!(written, documented(top));
    let written = names(&json["generator"]);
    assert_eq!(written, documented(generator));
    let written = names(&json["streams"][0]);
    assert_eq!(written, documented(streams));
    let json = serde_json::to_value(links_share()).unwrap();
    let written = names(&json);
    assert_eq!(written, documented(links));
}

/// Of 70 frames sent, one was lost, and one was somebody else's.
fn links_share() -> LinkShare {
    let end = |link: &str| LinkEnd {
        link: link.to_owned(),
        mtu: 1500,
        counters: BTreeMap::from([
            ("kernel_received".to_owned(), 70),
            ("kernel_dropped".to_owned(), 0),
        ]),
    };
    LinkShare {
        tx: end("af_packet:eth1"),
        rx: end("af_packet:eth2"),
        destination_mac: "02:00:00:00:00:09".to_owned(),
        resolved_from: None,
        timestamps: "link",
        lost: 1,
        loss_ratio: 1.0 / 70.0,
        frames: 70,
        strays: 0,
        foreign: 1,
        answered: 1,
        lost_by_tester: 0,
        longest_poll_gap_ns: 1_500,
    }
}

#[test]
fn text_of_links_says_what_came_back_and_nothing_of_an_engine() {
    let mut report = Report {
        links: Some(links_share()),
        ..report()
    };
    report.generator.limit = Limit::Link;
    let text = report.text();
    for line in [
        "lost         1              1.4286% of what was sent",
        "times        of the kernel, when af_packet:eth2 had a frame",
        "af_packet:eth1 kernel_received 70",
        "+ strays 0 + foreign 1",
        "of the foreign ones, 1 were answered",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for word in ["worker", "allocations", "ring full"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let polled = LinkShare {
        timestamps: "poll",
        lost_by_tester: 3,
        ..links_share()
    };
    let report = Report {
        links: Some(polled),
        tester_limited: true,
        latency_limited_by_generator: None,
        ..report
    };
    let text = report.text();
    assert!(text.contains("when it polled af_packet:eth2, which gives none"));
    assert!(
        text.contains("NOT VALID: the tester was the limit, it had no room for 3 frames that came")
    );
}

#[test]
fn json_fields_have_their_names_and_values() {
    let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["drops"]["invalid_address"], 15);
    assert_eq!(json["drops"]["martian"], 0);
    assert_eq!(json["latency_ns"]["p99.99"], 4_000_000);
    assert_eq!(json["latency_ns"]["count"], 70);
    assert_eq!(json["sockets"]["read"], 30);
    assert_eq!(json["egress"]["send_dropped"], 1);
    assert_eq!(json["generator"]["unsent"]["late"], 2);
    assert_eq!(json["generator"]["drops"]["ring_full"], 6);
    assert_eq!(json["generator"]["limit"], "workers");
    assert_eq!(json["workers"][0]["ns_per_packet"], 25.04);
    assert_eq!(json["accounting"]["holds"], true);
    assert_eq!(json["machine"]["cpu"], "A CPU");
    assert!(json["churn"].is_null());
}

#[test]
fn text_fits_a_screen_and_says_what_matters() {
    let text = report().text();
    assert!(text.lines().count() <= 47, "{text}");
    for line in [
        "corelane bench 1.2.3 (release build) on A CPU, 2 cores, linux 6.0",
        "what ran",
        "warning: a warning",
        "offered      56.50 pps      planned 56.50 pps",
        "forwarded    2.50 pps       960.00 bit/s sent",
        "per packet   25.0 ns of a busy worker",
        "latency, from the planned send time",
        "allocations  0 on the datapath",
        "dropped                 6 ring_full, before a worker (5.5%)",
        "                        4 pool_empty, before a worker (3.6%)",
        "                       15 invalid_address (15.0%)",
        "pace         the workers could not take the planned rate",
        "  intended 113 = sent 110 + late 2 + too large 1",
        "  sent 110 = received 100 + ring full 6 + pool empty 4",
        "  received 100 = delivered 70 + forwarded 5 + consumed 10 + dropped 15",
        "ceiling      220.00 pps     the generator alone; the run used 25.0% of it",
        "delivered    35.00 pps      of 50.00 pps received, 24.00 kbit/s",
        "sent late    p50 100 ns, p99 200 ns, p99.9 300 ns",
        "  but for the 3 times, 75.00 us in all, that its core was gone for over 20 us: p50 100 ns, p99 150 ns, p99.9 300 ns",
        "goal         loss=0         UNMET: 25.0000%",
        "  received unique 40 = in order 40 + reordered 0; duplicates 0, corrupt 0, too late 0",
        "  numbered 45 = received unique 40 + missing 5",
        "  queued 30 = read from sockets 30; full 3, closed 2; order and duplicates not checked there",
        "  forwarded 5 = egress sent 4 + send dropped 1; taken 4",
        "  in flight at the end 0: holds",
    ] {
        assert!(
            text.lines().any(|written| written == line),
            "{line:?} in\n{text}"
        );
    }
    for part in ["900 ns", "1.00 us", "3.00 ms", "5.00 s", "50.0%"] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert!(!text.contains("martian"), "{text}");
}

#[test]
fn text_says_when_the_generator_was_the_limit_or_the_books_are_wrong() {
    let mut report = report();
    report.generator.limit = Limit::Generator;
    assert!(report.text().contains("THE GENERATOR WAS THE LIMIT"));
    report.accounting = Ledger {
        sent: 111,
        ..ledger()
    }
    .check();
    let text = report.text();
    assert!(
        text.contains("  in flight at the end 0: VIOLATED"),
        "{text}"
    );
    assert!(
        text.contains("VIOLATED: intended = sent + unsent: 113 is not 114"),
        "{text}"
    );
    assert!(!text.contains("NOT VALID"));
    report.tester_limited = true;
    assert!(
        report
            .text()
            .contains("NOT VALID: the tester was the limit")
    );
    report.generator.planned_pps = None;
    assert!(report.text().contains("time in the rings, from emission"));
}

#[test]
fn a_late_generator_spoils_a_latency() {
    let latency = |p999| Percentiles {
        p999: Some(p999),
        ..Percentiles::default()
    };
    let lateness = |p999| Lateness {
        p999,
        ..Lateness::default()
    };
    assert!(!lateness(9_000).spoils(&latency(5_000)));
    assert!(lateness(11_000).spoils(&latency(50_000)));
    assert!(!lateness(11_000).spoils(&latency(5_000_000)));
    // Of few frames the latest counts.
    let few = |max| Percentiles {
        max,
        ..Percentiles::default()
    };
    assert!(lateness(11_000).spoils(&few(50_000)));
    assert!(!lateness(11_000).spoils(&few(5_000_000)));
}

#[test]
fn figures_are_scaled() {
    assert_eq!(scaled(12_345_678.0, "pps"), "12.35 Mpps");
    assert_eq!(scaled(999.0, "pps"), "999.00 pps");
    assert_eq!(scaled(2.5e9, "bit/s"), "2.50 Gbit/s");
    assert_eq!((per(1, 0), per(6, 4)), (None, Some(1.5)));
}

#[test]
fn text_says_what_became_of_each_stream() {
    let text = report().text();
    let line = "voice     56.50 pps          110           40            5     900 ns   12.00 us    3.00 ms     5.00 s";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains("\n  61 of them have no number that anybody looks at: "),
        "{text}"
    );
    let mut report = report();
    let of_streams = report.streams.as_mut().unwrap();
    of_streams[0].order = OrderReport::default();
    of_streams[0].latency_ns = None;
    let text = report.text();
    let line = "voice     56.50 pps          110            -            -          -          -          -          -";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains("\n  no frame has a number that anybody looks at: "),
        "{text}"
    );
    report.streams = None;
    assert!(!report.text().contains("stream"), "{}", report.text());
}
