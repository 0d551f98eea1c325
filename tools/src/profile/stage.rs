//! Which stage a function belongs to.

use std::borrow::Cow;

use crate::threads::Group;

/// What is in none of the stages.
pub const UNATTRIBUTED: &str = "(unattributed)";

/// Where the nodes are; the stage is the module below.
const NODES: &str = "corelane_engine::node::";

/// Beginnings of functions' paths, and the stages they are. The first that fits counts.
const RULES: &[(&str, &str)] = &[
    ("corelane_tools::generator::", "generator"),
    ("corelane_engine::rss::", "rss"),
    ("corelane_engine::distributor::push", "ring"),
    ("corelane_sync::ring::", "ring"),
    ("corelane_engine::distributor::", "distributor"),
    ("corelane_engine::punt::", "punt"),
    ("corelane_engine::worker::", "worker_poll"),
    ("corelane_engine::port::", "worker_poll"),
    ("corelane_stack::datapath::lookup::", "lookup"),
    ("corelane_stack::fib::lookup::", "ip_lookup"),
    ("corelane_stack::demux::", "transport_demux"),
    ("corelane_stack::socket::", "socket"),
    ("corelane_frame::cache::", "frame_pool"),
    ("corelane_frame::pool::", "frame_pool"),
    ("corelane_tools::handler::", "handler"),
    ("corelane_tools::sink::", "handler"),
    ("corelane_tools::latency::", "handler"),
    // The loops of workers and distributors are inlined into what starts their threads.
    (
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "poll_loop",
    ),
];

/// The stage of a stack, its frames from the outermost with the thread first: that of its innermost frame that is
/// part of one. Threads that have no stages are their own.
pub fn of_stack(stack: &str) -> (Group, Cow<'_, str>) {
    let (thread, frames) = stack.split_once(';').unwrap_or((stack, ""));
    let group = Group::of_thread(thread);
    let stage = match group {
        Group::Other => Cow::Borrowed(thread),
        Group::Generator | Group::Worker => frames
            .rsplit(';')
            .find_map(of_function)
            .map_or(Cow::Borrowed(UNATTRIBUTED), Cow::Owned),
    };
    (group, stage)
}

/// The stage that a function is part of, if it is of any.
fn of_function(name: &str) -> Option<String> {
    // An implementation is that of its type: `<Type as Trait>::function`.
    let path = name.trim_start_matches(['<', '&', '*']);
    if let Some(node) = path.strip_prefix(NODES) {
        return Some(match node.split_once("::") {
            Some((module, _)) => module.to_owned(),
            // What calls the stages.
            None => "deliver_network_packets".to_owned(),
        });
    }
    RULES
        .iter()
        .find(|(beginning, _)| path.starts_with(beginning))
        .map(|(_, stage)| (*stage).to_owned())
}
