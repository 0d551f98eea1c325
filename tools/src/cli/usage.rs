//! What is said to a command line that is wrong.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::unit::nearest;

/// The verbs.
pub(super) const VERBS: [&str; 13] = [
    "bench",
    "search",
    "replay",
    "selftest",
    "profile",
    "report",
    "sim",
    "up",
    "ctl",
    "top",
    "compare",
    "doctor",
    "check-config",
];

pub(super) const PLANNED_VERBS: &str = "\
Examples:
  corelane bench
  corelane bench --endpoints 1m --rate 5Mpps --latency --json -
  corelane search --frame-size 64,512,imix --quick
  corelane compare --a '--ring 256' --b '--ring 1024'
  corelane doctor
  corelane replay --own --speed 1 trace.pcapng
  corelane profile --endpoints 1m
  corelane report before.json after.json --output report.html
  corelane check-config lab.toml
  corelane sim --config lab.toml --in wan=in.pcap --out out
  corelane up --config lab.toml
  corelane ctl show addresses
  corelane top

Exit status: 0 done; 1 run-time error; 2 bad usage, configuration or input; 3 accounting, order or \
corruption violated; 4 a target unmet (a regression); 5 the measurement is not valid (the tester was \
the limit, the conditions differ); 130 interrupted, the report still written if there is anything to report.";

pub(super) const BENCH_NOTES: &str = "\
Examples:
  corelane bench --endpoints 1m --frame-size imix --rate 2Mpps --arrival poisson --latency
  corelane bench --forward --routes 1m --neighbors 64 --churn 1000
  corelane bench --sockets 1000 --rate 50%
  corelane bench --rate 1Mpps --slo 'p99<50us,loss=0' --hgrm out.hgrm --hlog out.hlog
  corelane bench --frame-size rpr-quad --destinations hot:16:1000 --protocols udp:9,tcp-syn:1
  corelane bench --profile load.toml --duration 10s --pcap-out frames.pcap
  corelane bench --forward --rate 10kpps --capture 100 --capture-file first.pcapng
  corelane bench --tx af_packet:eth1 --rx af_packet:eth2 --dst-mac 192.0.2.1 --rate 100kpps --latency
  corelane bench --link af_packet:eth1 --dst-mac 192.0.2.1 --answer 192.0.2.9 --protocols icmp-echo \
      --family v4 --endpoints 1 --dst-net 192.0.2.1 --src-net 192.0.2.9 --rate 1kpps --latency

Runs a generator, RSS, rings, workers, address lookup and delivery in this process: no root, no \
NIC. Latency counts from each frame's planned send time; at --rate max, from its emission.

With --forward the frames go on by a second NIC, and --latency counts to its link. With --sockets a \
thread reads the sockets, which shares the machine with the workers: at --rate max on few cores it \
may fall behind, and what finds no room is dropped as socket_full. The books cover either.

Frames are numbered, where they have room for it (IPv4 from 64 bytes, IPv6 from 82, UDP only), and order, \
duplicates and corruption are told apart. A result that the generator itself spoiled, having sent too late, \
ends with status 5; unmet --slo with 4.

On real links (--tx and --rx, or --link) a thread sends and another receives, and what is between them is \
the device under test: no engine runs here. Frames go to 10.0.0.0/8 and fd00::/64 (--dst-net) from 198.18.0.0/15 \
and 2001:2::/48 (--src-net), to --endpoints addresses from the first up, which the device has to have routes to; all \
have a number, so IPv6 frames are 82 bytes at least, TCP segments 74 and 94; a host that answers pings is a device \
too. What does not come back is lost; what has no number is foreign. Latency \
counts to when the kernel had the frame (af_packet) or the receiver found it (tap, af_xdp). --cores R,S are those \
of the two threads. It takes root or CAP_NET_RAW (af_xdp: CAP_NET_ADMIN and CAP_BPF, too).";

/// The help of `search --slo`, which is about other things than that of the others.
pub(super) const SEARCH_SLO: &str = "What has to be found for each size, exit status 4 if it is not: ndr>=10Mpps,p99<50us (the \
    rates of goals by name, and p50 p90 p99 p99.9 p99.99 p99.999 max of latency at 90% of the first goal's; < <= = \
    >= >)";

pub(super) const SEARCH_NOTES: &str = "\
Examples:
  corelane search --frame-size 64,512,imix --duration 1s
  corelane search --quick --repeat 5 --latency --back-to-back --json search.json
  corelane search --goal ndr --goal pdr,loss=0.1%,name=P1 --forward --routes 100k
  corelane search --rfc2544
  corelane search --rfc2544 --duration 5s --frame-size 64,1518 --time-limit 2min
  corelane search --quick --slo 'ndr>=10Mpps,p99<50us'
  corelane search --tx af_packet:eth1 --rx af_packet:eth2 --dst-mac 192.0.2.1 --answer 198.51.100.2

Finds, for each size of frames, the highest load at which a goal is upheld: MLRsearch (RFC 9971), all \
goals in one search. A load is a lower bound if in half of 21 trials, or what else the goal says, no \
more than the goal's share of the frames is lost; the result lies between a lower and an upper bound \
half a percent apart. The throughput printed is what came through at the lower bound (RFC 9971's \
Conditional Throughput; with --rfc2544 the throughput of RFC 1242 and 2544).

Lost is every frame that was due and not delivered: a worker's ring was full, there was no buffer, the \
engine dropped it, or the generator could not send it in time. There is no back-pressure, as bench has \
it at --rate max: the two rates are not the same thing.

Frames that came due while the generator had no core wait until there is room for them in the rings. A trial whose \
loss may come from elsewhere all the same (a worker lost its core to something else for longer than its ring holds, or \
the generator did not send it all; over real links the generator's core, too) is set aside and done again, for twice \
the time that decides, or three times where the generator did not send; if it is so even then, such trials \
count, the result is marked as the tester's or the machine's, and the exit status is 5. Rings are larger than \
those of bench, a millisecond of 16 Mpps, since a hypervisor takes cores away for as long. Nothing else should \
run, or, as root, nice -n -19 corelane search puts it before the rest, and where the scheduler groups sessions, \
echo -19 > /proc/self/autogroup before (corelane doctor says so). Before it all the cores are watched for \
half a second: how often and how long they are gone is in the report.

A search ends, whatever the noise: when its bounds are close enough, or at --time-limit, which follows \
from the goals (166 s for ndr and pdr with trials of 1s, 17 s with --quick) and is said beforehand. What \
has not converged by then is marked, with the bounds that are known, and the exit status is 5; a goal that \
does not converge leaves the others their share of the time. How sure each bound is, is said as the trials \
that met the goal there, and as the probability that this makes.

Latency is at no load and at 10, 50 and 90% of the first goal's rate. A burst (RFC 9004) is sent as \
fast as the generator can; the mean of 50 searches is reported.";

pub(super) const COMPARE_NOTES: &str = "\
Examples:
  corelane compare before.json after.json --tolerance 5%
  corelane compare one.json two.json --differing workers
  corelane compare --a '--ring 256' --b '--ring 1024' --rounds 20
  corelane compare --a '' --b '' --binary-a old/corelane --binary-b new/corelane

Says by which ratio two results differ and whether that is more than chance: by the Mann-Whitney U test \
over the samples of two files, and over rounds, in which A and B run side by side and take turns being \
first, by flipping signs of the pairs' ratios. Neither takes a distribution for granted. Samples of two \
files are, of a search, its repeats (search --repeat), and of bench and replay the intervals of 100 ms for \
the rate and for the latencies, so that what is found is so of those two runs; their nanoseconds per packet \
are one sample, which is too few.

B by A is the ratio of the medians; of rounds, it is the median of the ratios of the pairs, which may be \
another number than the medians beside it make.

A difference is real if chance would make one as large in less than 5% of all cases, which the figures share. \
Few samples cannot be that improbable: it takes 7 rounds for two figures, and 8 for the four that --latency \
makes. With fewer the report says how many are enough.

Nothing is concluded from results of other machines or options: they are listed, and the exit status is 5. \
Options that nobody chose and that follow from others, as --pool-slots does from --workers and --ring, are \
none of them. A round that the tester spoiled is left out and done again, up to half as often as there are \
rounds, and the report says so.

Exit status 4: B is worse than A, by more than --tolerance, and not by chance. 5: nothing can be concluded, \
the conditions differ, or there are too few rounds or samples.";

pub(super) const DOCTOR_NOTES: &str = "\
Examples:
  corelane doctor
  corelane doctor --require tap --require perf --json -

ok: as it should be. limited: it works, with less precision or speed. missing: it is not to be had. \
An arrow leads to what to change. Links are tried on a device of a network namespace that is made for \
it, and gone afterwards; nothing of the machine is changed.

The exit status is 0, whatever is found, unless something required is missing.";

pub(super) const REPLAY_NOTES: &str = "\
Examples:
  corelane replay --promiscuous --speed 1 --latency trace.pcapng
  corelane replay --forward --duration 10s --churn 1000 trace.pcapng
  corelane replay --speed 2 --repeat 3 --pcap-out faster.pcap trace.pcapng
  corelane replay --tx af_packet:eth1 --rx af_packet:eth2 --dst-mac 192.0.2.1 --speed 1 trace.pcapng

One round, of up to 65,536 packets, goes through unmeasured first, at full speed.

Link types: Ethernet, raw IP, BSD loopback, Linux cooked. At --speed max latency counts from a \
frame's emission, otherwise from its planned send time.

On real links (--tx and --rx, or --link) there is no engine, and no round before. The frames have no numbers: they \
are known again by what is in them, but for what a router changes (link addresses, tags, class of traffic, hop \
limit, header checksum). What a NAT or a proxy changes comes back as foreign, and is lost. With --dst-mac frames \
go to the device's link address, without to those in the capture. Packets longer than the links take are not \
sent. Of several packets with the same content that are out at once, the first that keeps the order of its flow \
is taken to be the one that came.";

pub(super) const SELFTEST_NOTES: &str = "\
Example:
  corelane selftest --json -

Reads the clock, computes the published hashes of receive side scaling, runs the engine and checks that \
its books balance and that changed ones are found out, and has the generator send into a sink in its own \
thread: what it makes there no measurement can exceed. bench and replay do a short one before each run \
and say what share of the ceiling the run used.";

pub(super) const PROFILE_NOTES: &str = "\
Examples:
  corelane profile --duration 5s
  corelane profile --endpoints 1m --svg before.svg --out before
  corelane profile --endpoints 1m --out after --diff before/profile.folded

Runs a bench, samples its threads in the measured window, and says what each stage took: its share of \
the samples, nanoseconds of each packet, and how many packets one call of it had, where that is known. \
Writes the stacks, folded, and a flame graph to open in a browser.

perf attaches to the process; it needs no root where kernel.perf_event_paranoid is 2 or less. Where it \
is missing or refused, the report says what to install or to set, and a sampler in the process is used. \
Stacks are unwound by DWARF; cargo profile makes a build with frame pointers, of which perf disturbs \
the run less.";

pub(super) const REPORT_NOTES: &str = "\
Examples:
  corelane report result.json --output report.html
  corelane report before=a1.json before=a2.json after=b1.json after=b2.json -o report.html
  corelane report run.json profile.json --flamegraph corelane-profile/profile.svg -o report.html

The page has the parts that there is data for: runs side by side, what searches found, throughput by frame \
size and by endpoints (of runs that differ in that) and by workers, loss against the offered rate, latency by \
percentile and over time, streams of a profile, drops, workers, stages; and always warnings, the ledger and \
the conditions. It needs no network, has a light and a dark scheme, and prints.

A file that is no result, or has a figure that is none, is told with the field, and no page is written.

Runs that differ by more than they spread are marked. The spread is that of the runs of a NAME; of a \
single run, that of its intervals.";

pub(super) const SIM_NOTES: &str = "\
Example:
  corelane sim --config lab.toml --in wan=in.pcap --out out --json -

Runs the engine over the captures in virtual time: no root, no NIC, no waiting. The same input and \
seed give the same bytes out, however many workers there are and wherever it runs.

At each instant come the events of the configuration, then timers, then frames, in the order of \
--in. The run ends when nothing is left to happen, at --until, or at Ctrl-C, the report still \
written. That neighbors grow old, for 20 minutes and more, it waits for only with --until; probes, \
questions for neighbors that packets wait for, reports of groups and datagrams of which fragments \
are missing it waits for.

How many ICMP errors are sent is limited, each worker having its share (icmp_rate, icmp_burst): only \
what is beyond it may differ with the number of workers.

Link types: Ethernet, raw IP, BSD loopback, Linux cooked.";

pub(super) const UP_NOTES: &str = "\
Example:
  corelane up --config lab.toml --user nobody --json report.json

Opens the links of the configuration (TAP, AF_PACKET and AF_XDP devices), is a host or router on them, and \
prints a line when everything is up; a service manager is told by NOTIFY_SOCKET. corelane ctl shows \
and changes it meanwhile.

SIGHUP has it read the configuration again: what is another is changed, NICs that are new are added and \
those that are gone removed, what is the same is not touched; what it takes a restart for is refused, \
and nothing changed. A NIC whose link has failed, as when its device went away, is made anew if its link \
opens by now, and stays as it is if not. What fails is logged, and another SIGHUP tries it again. A new \
NIC takes the privileges that its link takes, and frames, which are kept for as many as spare_nics says; one that is made \
anew takes the privileges too, which whoever has --user or user has given up. SIGTERM and SIGINT end it in \
order, with its counters and exit status 0; a second one ends it at once, with 130.

To listen, and to send nothing, an AF_PACKET link is given receive_only = true: it holds more frames in the same \
memory, and ctl capture shows them.

A TAP or AF_PACKET device takes root, CAP_NET_ADMIN or CAP_NET_RAW, or a namespace of one's own:
  unshare -rn corelane up --config lab.toml";

pub(super) const CTL_NOTES: &str = "\
Examples:
  corelane ctl show addresses
  corelane ctl show counters --json -
  corelane ctl add_address nic=wan address=192.0.2.7/24 primary=first
  corelane ctl add_route nic=wan to=0.0.0.0/0 via=192.0.2.254
  corelane ctl add_neighbor nic=wan address=192.0.2.254 mac=02:00:00:00:00:fe
  corelane ctl set_link nic=wan state=down
  corelane ctl hold_route name=r1 local=192.0.2.1
  corelane ctl capture wan --port 7 --count 100 -w - | tshark -r -
  corelane ctl trace wan --address 192.0.2.9 --count 3

Shown: nics, addresses, routes, neighbors, groups, ranges, holds (routes that hold_route keeps), counters \
(those that are not 0; the JSON has all), workers, sockets (the services). The state of a NIC is its link's: up; down, \
as its device is; no-carrier, where that is up and the other end of its wire is not; or failed, as after its device was taken away, until the NIC is removed. mode and zero_copy are those \
of an AF_XDP link; an AF_PACKET link that sends nothing has the mode receive_only.

Done, by the keys of an event of a configuration:
  add_address      nic, address, primary (can, first, never; optional)
  remove_address   nic, address
  add_range        nic, range                    also remove_range
  join_group       nic, group                    also leave_group
  set_promiscuous  nic, on (true, false)         also set_spoofing
  set_forwarding   on, nic (optional: all of them without)
  add_route        nic, to, via (optional)       also remove_route
  add_neighbor     nic, address, mac
  remove_neighbor  nic, address
  set_link         nic, state (up, down)
  hold_route       name, local or remote or both, nic (optional)
  release_route    name

capture NIC writes what the NIC receives, before any check, and what it sends, as pcapng; trace [NIC] \
prints the way of the next frames, stage by stage. Both end at --count, at --duration, or at Ctrl-C. \
Traffic waits for neither: what finds no room on its way here is lost to the capture, counted, and \
told at the end. While there is none the engine does nothing for them.

What cannot be done is told in the words of its error, with exit status 1; what cannot be asked for, \
with 2.";

pub(super) const TOP_NOTES: &str = "\
Examples:
  corelane top
  corelane top --once
  corelane top --interval 5s --json - | jq .nics

Shows, for each interval, the state and the rates of each NIC, what is dropped and why, and how busy the threads are: \
on a terminal as a view that q or Ctrl-C ends, otherwise in lines. It asks over the control socket, and \
the host does nothing for it between.";

pub(super) const CHECK_CONFIG_NOTES: &str = "\
Example:
  corelane check-config lab.toml

Says what each NIC will be, what happens to its addresses, what answers and what happens when, with \
every default filled in; or, with exit status 2, what is wrong and where: file, line, column, field \
and the nearest key that would do.";

/// A command line, configuration or input that is wrong: exit status 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

impl Usage {
    /// With this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// An option's value that is wrong: `--option: what; did you mean 'nearest'?`
    pub fn value(option: &str, what: &str, nearest: &str) -> Self {
        Self(format!("{option}: {what}; did you mean '{nearest}'?"))
    }

    /// What clap found, in one message.
    pub(super) fn of(error: &clap::Error) -> Self {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
            _ => None,
        };
        let argument = || text(ContextKind::InvalidArg).map(name).unwrap_or_default();
        match error.kind() {
            ErrorKind::ValueValidation => {
                let why = std::error::Error::source(error).map(ToString::to_string);
                Self(format!("{}: {}", argument(), why.unwrap_or_default()))
            }
            ErrorKind::InvalidValue if text(ContextKind::InvalidValue) == Some("") => {
                Self(format!("{}: a value is missing", argument()))
            }
            ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg).map(name) {
                Some(prior) if prior != argument() => Self(format!(
                    "{}: not together with {}",
                    needed(argument()),
                    needed(prior)
                )),
                _ => Self(format!("{}: given more than once", argument())),
            },
            ErrorKind::UnknownArgument => match argument() {
                surplus if !surplus.starts_with('-') => {
                    Self(format!("{surplus}: one argument too many"))
                }
                unknown => Self(format!(
                    "{unknown}: no such option{}",
                    did_you_mean(text(ContextKind::SuggestedArg).map(name))
                )),
            },
            ErrorKind::InvalidSubcommand => {
                let verb = text(ContextKind::InvalidSubcommand).unwrap_or_default();
                let meant = nearest(verb, VERBS);
                Self(format!(
                    "'{verb}' is no verb; corelane --help lists them{}",
                    did_you_mean(meant)
                ))
            }
            ErrorKind::MissingRequiredArgument => {
                let used = match error.get(ContextKind::Usage) {
                    Some(ContextValue::StyledStr(usage)) => usage.to_string(),
                    _ => String::new(),
                };
                let (missing, by) = (argument(), needed_by(argument(), &used));
                Self(format!("{missing} is missing{by}"))
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                Self(error.render().to_string().trim_end().to_owned())
            }
            // The first paragraph says what; the rest is how to get help.
            _ => {
                let text = error.render().to_string();
                let first = text.split("\n\n").next().unwrap_or_default();
                Self(first.trim_start_matches("error: ").trim_end().to_owned())
            }
        }
    }
}

/// `--rate <RATE>` without its value's name.
fn name(argument: &str) -> &str {
    argument
        .split([' ', '='])
        .next()
        .unwrap_or(argument)
        .trim_end_matches("...")
}

/// `<FILE>`, where clap has `[FILE]` because a command line can do without.
fn needed(argument: &str) -> String {
    let bare = argument
        .strip_prefix('[')
        .and_then(|bare| bare.strip_suffix(']'));
    bare.map_or_else(|| argument.to_owned(), |bare| format!("<{bare}>"))
}

/// What one that is missing is for, where one of the options used has no meaning without it and that is not plain to see.
fn needed_by(missing: &str, used: &str) -> String {
    const NEED: [(&str, &str, &str); 5] = [
        ("--routes", "--forward", "which --routes is about"),
        ("--neighbors", "--forward", "which --neighbors is about"),
        (
            "--capture-file",
            "--capture",
            "which --capture-file is about",
        ),
        ("--tx", "--rx", "to receive by; --link is for both"),
        ("--rx", "--tx", "to send by; --link is for both"),
    ];
    let is_used = |option| used.split_whitespace().any(|word| word == option);
    let by = NEED
        .iter()
        .find(|(option, needs, _)| *needs == missing && is_used(*option));
    by.map(|(.., why)| format!(", {why}")).unwrap_or_default()
}

fn did_you_mean(meant: Option<&str>) -> String {
    meant
        .map(|meant| format!("; did you mean '{meant}'?"))
        .unwrap_or_default()
}
