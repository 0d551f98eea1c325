use super::difference::Difference;
use super::figures::{Load, figures};
use super::folded::Folded;
use super::perf::{event, explain, fold, lost};
use super::stage::{UNATTRIBUTED, of_stack};
use super::{draw, draw_difference};
use crate::threads::{Group, OnCore};

/// What `perf script` printed of a run: two stacks of each thread and one of the main thread.
const RECORDED: &str = include_str!("recorded/perf-script.txt");

#[test]
fn a_recording_is_folded_with_its_threads_and_demangled_names() {
    let folded = fold(RECORDED).unwrap();
    assert_eq!(folded.samples(), 8);
    let stacks: Vec<_> = folded.iter().collect();
    let lookup = stacks
        .iter()
        .find(|(stack, _)| stack.ends_with("NicView::lookup"))
        .unwrap();
    assert!(lookup.0.starts_with("worker-0;"), "{}", lookup.0);
    assert_eq!(lookup.1, 2);
    assert!(
        stacks
            .iter()
            .all(|(stack, _)| !stack.contains("_RN") && !stack.contains("17h")),
        "{stacks:?}"
    );
    assert_eq!(event(RECORDED), Some("cpu-clock:uH"));
    assert_eq!(lost(RECORDED), 3);
    assert_eq!(event(""), None);
    assert_eq!(fold("").unwrap().samples(), 0);
}

#[test]
fn a_recording_by_stage() {
    let folded = fold(RECORDED).unwrap();
    let load = Load {
        sent: 1000,
        sent_bursts: 50,
        received: 800,
        received_bursts: 100,
        whole_burst: &["ethernet_input", "lookup"],
    };
    let on_core = |group| OnCore {
        threads: 1,
        cpu_ns: match group {
            Group::Generator => Some(30_000),
            Group::Worker => Some(40_000),
            Group::Other => None,
        },
    };
    let (groups, stages) = figures(&folded, &load, on_core);
    let samples: Vec<_> = groups.iter().map(|it| (it.group, it.samples)).collect();
    assert_eq!(
        samples,
        [("generator", 3), ("worker", 4), ("other threads", 1)]
    );
    let by_name: Vec<_> = stages
        .iter()
        .map(|it| (it.stage.as_str(), it.samples))
        .collect();
    assert_eq!(
        by_name,
        [
            ("generator", 1),
            ("ring", 1),
            ("rss", 1),
            ("lookup", 2),
            (UNATTRIBUTED, 1),
            ("worker_poll", 1),
            ("corelane", 1),
        ]
    );
    let lookup = stages.iter().find(|it| it.stage == "lookup").unwrap();
    assert_eq!((lookup.share, lookup.share_of_group), (0.25, 0.5));
    // Half of 40 us for 800 packets; 800 packets in 100 bursts.
    assert_eq!(lookup.ns_per_packet, Some(25.0));
    assert_eq!(lookup.packets_per_call, Some(8.0));
    let generator = &stages[0];
    assert_eq!(
        (generator.ns_per_packet, generator.packets_per_call),
        (Some(10.0), Some(20.0))
    );
    let main = stages.last().unwrap();
    assert_eq!((main.ns_per_packet, main.packets_per_call), (None, None));
    // Nothing is hidden.
    let sum: u64 = stages.iter().map(|it| it.samples).sum();
    assert_eq!(sum, folded.samples());
}

#[test]
fn the_stage_is_that_of_the_innermost_function_that_has_one() {
    let stage = |stack| of_stack(stack).1.into_owned();
    let cases = [
        (
            "worker-3;run;corelane_engine::worker::Worker::poll;corelane_engine::node::deliver_network_packets;corelane_engine::node::local_deliver::deliver;memmove",
            "local_deliver",
        ),
        (
            "worker-0;corelane_engine::worker::Worker::poll;corelane_engine::node::deliver_network_packets",
            "deliver_network_packets",
        ),
        (
            "worker-0;corelane_engine::worker::Worker::poll;clock_gettime",
            "worker_poll",
        ),
        (
            "worker-0;x;<corelane_tools::handler::CountingHandler as corelane_stack::datapath::handler::Handler>::burst",
            "handler",
        ),
        (
            "worker-0;corelane_engine::node::transport_demux::transport_demux;corelane_stack::demux::datapath::DemuxDatapath::lookup",
            "transport_demux",
        ),
        (
            "distributor-0;corelane_engine::distributor::Distributor::poll;corelane_engine::rss::flow::hash_frames;corelane_sync::clmul::products_pclmulqdq",
            "rss",
        ),
        (
            "distributor-0;corelane_engine::distributor::Distributor::poll;corelane_engine::distributor::push",
            "ring",
        ),
        (
            "distributor-0;corelane_engine::distributor::Distributor::poll;<corelane_tools::generator::sequence::Sequence as corelane_tools::generator::source::Source>::fill",
            "generator",
        ),
        (
            "worker-0;std::sys::backtrace::__rust_begin_short_backtrace",
            "poll_loop",
        ),
        // A type's mention in another's path is no stage.
        (
            "worker-0;core::ptr::drop_in_place<corelane_engine::node::stages::Stages>",
            UNATTRIBUTED,
        ),
        ("worker-0;[unknown]", UNATTRIBUTED),
        ("worker-0", UNATTRIBUTED),
        ("control;corelane_engine::worker::Worker::poll", "control"),
        ("", ""),
    ];
    for (stack, expected) in cases {
        assert_eq!(stage(stack), expected, "{stack}");
    }
    assert_eq!(of_stack("distributor-1;a").0, Group::Generator);
    assert_eq!(of_stack("sockets;a").0, Group::Other);
}

#[test]
fn folded_stacks_read_as_they_were_written() {
    let text = "a;b c;d 3\na;b 2\n\na;b 1\n";
    let folded: Folded = text.parse().unwrap();
    assert_eq!(folded.samples(), 6);
    assert_eq!(folded.to_string(), "a;b 3\na;b c;d 3\n");
    assert_eq!(folded.to_string().parse::<Folded>().unwrap(), folded);
    for (text, line, why) in [
        ("a;b 1\nalone\n", 2, "no count"),
        ("a;b 1x\n", 1, "no count"),
        ("a;b -1\n", 1, "no count"),
        (" 5\n", 1, "no stack"),
        ("a 99999999999999999999999\n", 1, "no count"),
    ] {
        let error = text.parse::<Folded>().unwrap_err();
        assert_eq!(error.line, line, "{text:?}");
        assert!(error.why.contains(why), "{text:?}: {error}");
    }
    let huge: Folded = format!("a {0}\na {0}\nb 1\n", u64::MAX).parse().unwrap();
    assert_eq!(huge.samples(), u64::MAX);
}

#[test]
fn a_difference_is_of_the_shares_of_a_group() {
    let before: Folded = "worker-0;corelane_engine::worker::a 75\nworker-0;corelane_stack::datapath::lookup::b 25\nmain 7\n".parse().unwrap();
    let after: Folded =
        "worker-0;corelane_engine::worker::a 10\nworker-1;corelane_stack::datapath::lookup::b 10\n"
            .parse()
            .unwrap();
    let difference = Difference::new("old".to_owned(), &before, &after);
    let stages: Vec<_> = difference
        .stages
        .iter()
        .map(|it| (it.stage.as_str(), it.before, it.after))
        .collect();
    assert_eq!(
        stages,
        [
            ("main", Some(1.0), None),
            ("lookup", Some(0.25), Some(0.5)),
            ("worker_poll", Some(0.75), Some(0.5)),
        ]
    );
}

#[test]
fn flame_graphs_have_the_functions_and_hide_no_markup() {
    let folded: Folded = "worker-0;<a as b>::c&d 3\nworker-0;lookup 2\n"
        .parse()
        .unwrap();
    let svg = String::from_utf8(draw(&folded, "a <title>").unwrap()).unwrap();
    assert!(svg.contains("&lt;a as b&gt;::c&amp;d"), "{svg}");
    assert!(svg.contains("lookup (2 samples, 40.00%)"), "{svg}");
    assert_eq!(draw(&folded, "a <title>").unwrap(), svg.as_bytes());
    let after: Folded = "worker-0;lookup 8\nworker-0;other 2\n".parse().unwrap();
    let svg = String::from_utf8(draw_difference(&folded, &after, "t").unwrap()).unwrap();
    assert!(svg.contains("lookup (8 samples, 80.00%; +40.00%)"), "{svg}");
    assert!(draw(&Folded::default(), "t").is_err());
}

#[test]
fn what_is_said_when_perf_gives_up() {
    let access =
        "Error:\nAccess to performance monitoring and observability operations is limited.\n";
    let text = explain(access, Some(4));
    assert!(text.contains("kernel.perf_event_paranoid is 4"), "{text}");
    assert!(
        text.contains("sysctl kernel.perf_event_paranoid=2"),
        "{text}"
    );
    // It is not the level: something else in between refuses.
    let text = explain("Error: perf_event_open: Operation not permitted\n", Some(1));
    assert!(
        text.contains("CAP_PERFMON") && text.contains("seccomp"),
        "{text}"
    );
    assert!(explain("Error: unknown option `control'\n", Some(1)).contains("5.10"));
    assert!(explain("", None).contains("did not say why"));
    assert!(explain("the disk is full\n", Some(2)).contains("the disk is full"));
}
