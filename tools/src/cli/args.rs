//! The options of each verb.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use corelane::engine::Idle;
use corelane::stack::{Prefix, PrefixError};
use corelane::wire::PacketFilter;
use serde_json::{Map, Value, json};

use super::links::LINKS;
use super::{LinkArgs, Usage};
use crate::config::change_words;
use crate::control::{MAX_SNAP_LEN, Request, Watch, WatchKind};
use crate::doctor::NAMES;
use crate::first_frames::MOST_KEPT;
use crate::generator::{MAX_ENDPOINTS, MAX_NEIGHBORS, MAX_ROUTES, Networks, size_on_wire};
use crate::page::Source;
use crate::profile;
use crate::search::GoalText;
use crate::unit::{
    Arrival, Check, CoreList, Destinations, Family, FrameSize, Protocols, Rate, Slo, Speed,
    ValueError, count, duration, nearest, ratio,
};
use crate::up::Level;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Synthetic traffic through the engine, in memory
    #[command(after_help = super::usage::BENCH_NOTES, allow_negative_numbers = true)]
    Bench(BenchArgs),
    /// The highest rate without loss, and with some, by frame size
    #[command(
        after_help = super::usage::SEARCH_NOTES,
        allow_negative_numbers = true,
        mut_arg("hgrm", |arg| arg.hide(true)),
        mut_arg("hlog", |arg| arg.hide(true)),
        mut_arg("slo", |arg| arg.hide(true))
    )]
    Search(SearchArgs),
    /// Captures as the traffic
    #[command(after_help = super::usage::REPLAY_NOTES, allow_negative_numbers = true)]
    Replay(ReplayArgs),
    /// What the tester itself can do: clock, RSS, books, and the generator alone
    #[command(after_help = super::usage::SELFTEST_NOTES)]
    Selftest(SelfTestArgs),
    /// A bench under a sampler: where the time goes, as a table of stages and a flame graph
    #[command(after_help = super::usage::PROFILE_NOTES, allow_negative_numbers = true)]
    Profile(ProfileArgs),
    /// Results as a page: one HTML file, with plots and nothing outside it
    #[command(after_help = super::usage::REPORT_NOTES)]
    Report(ReportArgs),
    /// Captures through the engine in virtual time: what happens to these packets?
    #[command(after_help = super::usage::SIM_NOTES, allow_negative_numbers = true)]
    Sim(SimArgs),
    /// A host or router on real links, until a signal
    #[command(after_help = super::usage::UP_NOTES, allow_negative_numbers = true)]
    Up(UpArgs),
    /// Shows and changes a host that is up
    #[command(after_help = super::usage::CTL_NOTES)]
    Ctl(CtlArgs),
    /// Watches a host that is up: rates, drops, threads
    #[command(after_help = super::usage::TOP_NOTES)]
    Top(TopArgs),
    /// Two results side by side: is the difference real?
    #[command(after_help = super::usage::COMPARE_NOTES, allow_negative_numbers = true)]
    Compare(CompareArgs),
    /// What this machine can do, and what to change
    #[command(after_help = super::usage::DOCTOR_NOTES)]
    Doctor(DoctorArgs),
    /// Checks a configuration and explains it
    #[command(after_help = super::usage::CHECK_CONFIG_NOTES)]
    CheckConfig(CheckConfigArgs),
}

/// The options of `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// Options that `replay` has too.
    #[command(flatten)]
    pub engine: EngineArgs,

    /// What the frames are and where they go.
    #[command(flatten)]
    pub load: LoadArgs,

    /// Real links instead of an engine.
    #[command(flatten)]
    pub links: LinkArgs,

    /// Bytes of a frame, its check sequence (4 bytes that are not in memory) included: 64 to 9218; a
    /// mix by name: imix (64, 570 and 1518 as 7:4:1), trex, csit, csit-v6, tolly, rpr-tri, rpr-quad,
    /// rfc2544 (its seven sizes); or the genome of one as in RFC 6985 (genome:7a4dg). An IPv6/UDP frame
    /// has at least 66
    #[arg(long, value_name = "BYTES", default_value = "64")]
    pub frame_size: FrameSize,

    /// max (as fast as the workers take it), frames or bits per second on the wire (5Mpps,
    /// 2.5gbps, 10g), or a share of what a calibration of one second at max achieves (50%)
    #[arg(long, value_name = "RATE", default_value = "max")]
    pub rate: Rate,

    /// When frames are due, at a fixed rate: cbr, poisson, burst:N (trains of N frames due at once) or
    /// onoff:ON:OFF (cbr for a time, nothing for another: onoff:10ms:90ms) [default: cbr]
    #[arg(long, value_name = "MODEL")]
    pub arrival: Option<Arrival>,

    /// Streams of frames instead of one load, from a TOML file: each with its rate, arrival, size, fields,
    /// start and stop (corelane_tools::config::LoadProfile); what it leaves out is as the other options
    /// say
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "arrival"])]
    pub profile: Option<PathBuf>,

    /// Write the frames that would be sent in --duration to a capture, each at its planned time, and send
    /// none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tx", "link"])]
    pub pcap_out: Option<PathBuf>,

    /// Keep the first N frames (up to 65536) that are received in the measured time, by the engine or from
    /// the device under test, and write them to --capture-file
    #[arg(long, value_name = "N", conflicts_with = "pcap_out", value_parser = capture)]
    pub capture: Option<u32>,

    /// The file of --capture: pcapng
    #[arg(
        long,
        value_name = "FILE",
        default_value = "capture.pcapng",
        requires = "capture"
    )]
    pub capture_file: PathBuf,

    /// How long to measure: 10s, 500ms, 2min
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = window)]
    pub duration: Duration,

    /// How long to run before, unmeasured
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = warmup)]
    pub warmup: Duration,

    /// Addresses (beside the endpoints), or with --forward routes, added and removed per second
    /// meanwhile, by another thread
    #[arg(
        long,
        value_name = "OPS_PER_S",
        conflicts_with_all = ["tx", "link"],
        value_parser = churn
    )]
    pub churn: Option<u32>,
}

/// The options that say what the frames of a load are and where they go, but for their size.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Addresses of the NIC, up to 10 million: 1000, 64k, 1_000_000, 10m
    #[arg(long, value_name = "N", default_value = "1000", value_parser = endpoints)]
    pub endpoints: u32,

    /// How destinations are drawn from them: uniform, zipf:S, one, sequential, or hot:N:FRAMES (N of
    /// them at a time, the next ones after so many frames)
    #[arg(long, value_name = "LAW", default_value = "uniform")]
    pub destinations: Destinations,

    /// v4, v6 or mixed (half of each)
    #[arg(long, value_name = "FAMILY", default_value = "mixed")]
    pub family: Family,

    /// Pairs of source address and ports, pseudorandom, independent of destinations
    #[arg(long, value_name = "N", default_value = "4096", value_parser = flows)]
    pub flows: u32,

    /// How flows are drawn, as destinations are
    #[arg(long, value_name = "LAW", default_value = "uniform")]
    pub flow_law: Destinations,

    /// What frames carry, with parts: udp, tcp-syn, icmp-echo, fragments (udp:90,tcp-syn:10). Datagrams of
    /// fragments have two of them
    #[arg(long, value_name = "MIX", default_value = "udp")]
    pub protocols: Protocols,

    /// The share of frames that are malformed, in three ways in turn by chance
    #[arg(long, value_name = "SHARE", default_value = "0", conflicts_with_all = ["tx", "link"], value_parser = ratio)]
    pub malformed: f64,

    /// VLAN tags of all frames, outermost first: 100 or 10,100. The engine drops tagged frames
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = vlan)]
    pub vlan: Vec<u16>,

    /// What is checked of each frame received: off, order (its number: order, duplicates, and whether it
    /// came with the addresses and ports it was sent with), full (its checksum too)
    #[arg(long, value_name = "HOW", default_value = "order", conflicts_with_all = ["tx", "link"])]
    pub check: Check,

    /// The share of frames for an endpoint; the others go to random addresses that are none's
    #[arg(long, value_name = "SHARE", default_value = "1", conflicts_with_all = ["tx", "link"], value_parser = ratio)]
    pub hit_ratio: f64,

    /// Forward the frames: they go to random addresses of routes, to a second NIC that takes them all,
    /// with neighbors whose link addresses are known. There are no endpoints
    #[arg(
        long,
        conflicts_with_all = ["endpoints", "hit_ratio", "promiscuous", "sockets", "tx", "link"]
    )]
    pub forward: bool,

    /// Routes to forward by, up to 1 million, of lengths as the Internet's
    #[arg(long, value_name = "N", default_value = "1000", requires = "forward", conflicts_with_all = ["tx", "link"], value_parser = routes)]
    pub routes: u32,

    /// Neighbors that the routes lead to, of each family
    #[arg(long, value_name = "N", default_value = "64", requires = "forward", conflicts_with_all = ["tx", "link"], value_parser = neighbors)]
    pub neighbors: u32,

    /// Deliver to N UDP sockets instead of a handler, one for each endpoint (so it sets their number),
    /// which another thread reads
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["endpoints", "promiscuous", "latency", "tx", "link"],
        value_parser = sockets
    )]
    pub sockets: Option<u32>,

    /// Where the addresses are that frames go to: a network that the device's routes lead on, of each family;
    /// --endpoints of its hosts [default: 10.0.0.0/8 and fd00::/64]
    #[arg(long, value_name = "NETWORK", help_heading = LINKS, value_parser = network)]
    pub dst_net: Vec<Prefix>,

    /// Where the addresses are that they come from, likewise [default: 198.18.0.0/15 and 2001:2::/48]
    #[arg(long, value_name = "NETWORK", help_heading = LINKS, value_parser = network)]
    pub src_net: Vec<Prefix>,

    /// What all random draws start from: the same seed, the same frames at the same planned times
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub seed: u64,
}

impl LoadArgs {
    /// Where the frames go.
    pub fn destination_networks(&self) -> Networks {
        Networks::DESTINATIONS.with(&self.dst_net)
    }

    /// Where they come from.
    pub fn source_networks(&self) -> Networks {
        Networks::SOURCES.with(&self.src_net)
    }

    /// As they are in effect, by their names.
    pub fn flags(&self) -> [(&'static str, Value); 17] {
        let texts =
            |networks: &[Prefix]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
        let endpoints = self.sockets.unwrap_or(self.endpoints);
        [
            ("endpoints", json!((!self.forward).then_some(endpoints))),
            ("forward", json!(self.forward)),
            ("routes", json!(self.forward.then_some(self.routes))),
            ("neighbors", json!(self.forward.then_some(self.neighbors))),
            ("sockets", json!(self.sockets)),
            ("destinations", json!(self.destinations.to_string())),
            ("family", json!(self.family.to_string())),
            ("smallest_ipv6_frame", json!(size_on_wire(0, true))),
            ("flows", json!(self.flows)),
            ("flow_law", json!(self.flow_law.to_string())),
            ("protocols", json!(self.protocols.to_string())),
            ("malformed", json!(self.malformed)),
            ("vlan", json!(self.vlan)),
            ("hit_ratio", json!(self.hit_ratio)),
            ("dst_net", json!(texts(&self.dst_net))),
            ("src_net", json!(texts(&self.src_net))),
            ("seed", json!(self.seed)),
        ]
    }
}

/// The options of `search`.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// Options that `bench` has too; --latency is at 0, 10, 50 and 90% of the first goal's rate.
    #[command(flatten)]
    pub engine: EngineArgs,

    /// What the frames are and where they go.
    #[command(flatten)]
    pub load: LoadArgs,

    /// Real links instead of an engine.
    #[command(flatten)]
    pub links: LinkArgs,

    /// Sizes of frames, as those of bench: 64,512,imix [default: 64, or with --rfc2544 its seven]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub frame_size: Vec<FrameSize>,

    /// When frames are due: cbr, poisson, burst:N or onoff:ON:OFF, as with bench [default: cbr]
    #[arg(long, value_name = "MODEL")]
    pub arrival: Option<Arrival>,

    /// Streams of frames from a TOML file, as with bench: loads are shared out in proportion to their
    /// rates; --frame-size is of streams that say none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["arrival", "back_to_back"])]
    pub profile: Option<PathBuf>,

    /// What to search for: ndr (nothing lost), pdr (at most 0.5%), throughput (RFC 2544), or
    /// KEY=VALUE,... with loss, exceed, width, trial, initial, sum and name. May be given again
    /// [default: ndr and pdr]
    #[arg(long, value_name = "GOAL", conflicts_with = "rfc2544")]
    pub goal: Vec<GoalText>,

    /// Trials of 100ms: an answer in seconds
    #[arg(long, conflicts_with_all = ["rfc2544", "duration"])]
    pub quick: bool,

    /// As RFC 2544 has it: trials of 60s, no loss in any, seven sizes of frames
    #[arg(long)]
    pub rfc2544: bool,

    /// How long the trials are that decide; 21 of them do, half of which may miss the goal
    /// [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = window)]
    pub duration: Option<Duration>,

    /// How long to run before each search, at the largest load, unmeasured
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = warmup)]
    pub warmup: Duration,

    /// The largest load, in frames or bits per second [default: what the generator can send]
    #[arg(long, value_name = "RATE")]
    pub max_rate: Option<Rate>,

    /// When a search ends, with the bounds that it has by then [default: about three times what it takes
    /// where no trial contradicts another: 166 trials of ndr and pdr]
    #[arg(long, value_name = "TIME", value_parser = window)]
    pub time_limit: Option<Duration>,

    /// End a search when a goal is missed at the smallest load, a thousandth of the largest
    #[arg(long)]
    pub fail_fast: bool,

    /// How often to search, the sizes taking turns; the report has the medians
    #[arg(long, value_name = "N", default_value = "1", value_parser = searches)]
    pub repeat: usize,

    /// Search for the longest burst at full speed as well (RFC 9004)
    #[arg(long)]
    pub back_to_back: bool,

    /// Search with 1, 2, 4 ... workers as well, for the first size
    #[arg(long, conflicts_with_all = ["cores", "tx", "link"])]
    pub scale_workers: bool,
}

impl SearchArgs {
    /// What no single option shows.
    pub(super) fn check(&self) -> Result<(), Usage> {
        let EngineArgs {
            hgrm, hlog, slo, ..
        } = &self.engine;
        // They are of one run at one load.
        let others = [
            ("--hgrm", hgrm.is_some()),
            ("--hlog", hlog.is_some()),
            ("--slo", slo.is_some()),
        ];
        if let Some((option, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(Usage::new(format!(
                "{option}: not for a search, but for bench"
            )));
        }
        self.links.check(&self.engine)?;
        self.links.check_load(&self.load)?;
        self.engine.check()
    }
}

/// The options of `compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// Two results of bench, replay or search, written with --json
    #[arg(value_name = "FILE", num_args = 2, required_unless_present = "a")]
    pub files: Vec<PathBuf>,

    /// Run instead of read: the options of bench for A, in quotes
    #[arg(
        long,
        value_name = "FLAGS",
        requires = "b",
        conflicts_with = "files",
        allow_hyphen_values = true
    )]
    pub a: Option<String>,

    /// The options of bench for B
    #[arg(long, value_name = "FLAGS", requires = "a", allow_hyphen_values = true)]
    pub b: Option<String>,

    /// The program that A is run with [default: this one]
    #[arg(long, value_name = "PATH", requires = "a")]
    pub binary_a: Option<PathBuf>,

    /// The program that B is run with [default: this one]
    #[arg(long, value_name = "PATH", requires = "a")]
    pub binary_b: Option<PathBuf>,

    /// How often A and B take turns
    #[arg(long, value_name = "N", default_value = "10", requires = "a", value_parser = rounds)]
    pub rounds: usize,

    /// How long each run measures, where its options do not say
    #[arg(long, value_name = "TIME", default_value = "500ms", requires = "a", value_parser = window)]
    pub duration: Duration,

    /// How much worse B may be
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = ratio)]
    pub tolerance: f64,

    /// Options whose difference is what is compared, by their names in the JSON: workers,ring
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "a")]
    pub differing: Vec<String>,

    /// Write the comparison as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The options of `doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Exit with status 1 if this is missing. May be given again
    #[arg(long, value_name = "NAME", value_parser = finding)]
    pub require: Vec<String>,

    /// Write the findings as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Try the links here, for another process of this program.
    #[arg(long, hide = true)]
    pub probe_links: bool,
}

/// The options of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// pcap and pcapng files, sent one after the other
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// max (as fast as the workers take it), or a multiple of the capture's own pace: 1, 0.5, 10x
    #[arg(long, value_name = "SPEED", default_value = "max")]
    pub speed: Speed,

    /// How often to send it all
    #[arg(long, value_name = "N", default_value = "1", value_parser = repeat)]
    pub repeat: u32,

    /// Give the NIC the unicast destination addresses of the capture. Without this or
    /// --promiscuous every IP packet is dropped as invalid_address
    #[arg(long, conflicts_with_all = ["tx", "link"])]
    pub own: bool,

    /// Options that `bench` has too.
    #[command(flatten)]
    pub engine: EngineArgs,

    /// Real links instead of an engine.
    #[command(flatten)]
    pub links: LinkArgs,
}

/// The options of `selftest`.
#[derive(Clone, Debug, Args)]
pub struct SelfTestArgs {
    /// How long each load of the generator is tried
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = window)]
    pub duration: Duration,

    /// Write the result as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The options of `profile`.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// The flame graph [default: profile.svg in --out]
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Where profile.folded (the stacks, for --diff) and the flame graphs go; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "corelane-profile")]
    pub out: PathBuf,

    /// Samples of each thread per second on a core, 10 to 10000; the sampler in the process takes no more
    /// than the kernel has ticks, 100 to 1000, of all threads together
    #[arg(long, value_name = "HZ", default_value = "499", value_parser = frequency)]
    pub frequency: u32,

    /// perf, in-process (a timer's signal), or auto: perf if it works, otherwise in-process
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    pub sampler: profile::Choice,

    /// An earlier profile.folded: what is another since then, as a table and in difference.svg
    #[arg(long, value_name = "OLD.folded")]
    pub diff: Option<PathBuf>,

    /// Options that `bench` has too.
    #[command(flatten)]
    pub bench: BenchArgs,
}

/// The options of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Results of bench, replay, search and profile, written with --json. NAME=FILE gives one a name;
    /// those of the same name are repetitions of one measurement
    #[arg(value_name = "FILE", required = true)]
    pub results: Vec<Source>,

    /// The page; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// A flame graph to show, as profile writes it
    #[arg(long, value_name = "FILE")]
    pub flamegraph: Option<PathBuf>,
}

/// The options of `sim`.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// The configuration: NICs, services and what happens when. check-config explains it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// A capture that a NIC receives, each frame at its time; the first frame of all captures is at
    /// time 0. May be given again, for the same NIC too. A file whose name ends in .txt has its frames
    /// as text, as tools/cases has them
    #[arg(long = "in", value_name = "NIC=FILE")]
    pub inputs: Vec<Input>,

    /// Where NIC.pcap with what each NIC sent goes, times in nanoseconds; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The virtual time of the end [default: when nothing is left to happen but that neighbors grow
    /// old, 1h at most]
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub until: Option<Duration>,

    /// Write the report as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Print the way of each frame, stage by stage (to standard error with --json -)
    #[arg(long)]
    pub trace: bool,
}

/// A capture and the NIC that receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The NIC's name.
    pub nic: String,
    /// The capture file.
    pub file: PathBuf,
}

impl FromStr for Input {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            Some((nic, file)) if !nic.is_empty() && !file.is_empty() => Ok(Self {
                nic: nic.to_owned(),
                file: file.into(),
            }),
            split => {
                let (nic, file) = split.unwrap_or(("", text));
                let nic = if nic.is_empty() { "wan" } else { nic };
                let file = if file.is_empty() { "in.pcap" } else { file };
                Err(ValueError::new(
                    text,
                    "is not NIC=FILE",
                    format!("{nic}={file}"),
                ))
            }
        }
    }
}

/// The options of `up`.
#[derive(Clone, Debug, Args)]
pub struct UpArgs {
    /// The configuration: NICs and their links, routes, services. check-config explains it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The control socket [default: as the configuration says, or corelane/control.sock in
    /// $XDG_RUNTIME_DIR or /run]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Whom to run as once the links are open [default: as the configuration says]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// What threads do that have nothing to do: poll, adaptive (poll on for some microseconds, then
    /// sleep) or interrupt (sleep at once)
    #[arg(long, value_name = "HOW", default_value = "adaptive", value_parser = idle)]
    pub idle: Idle,

    /// What is logged to standard error: off, error, warn, info, debug or trace
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "CORELANE_LOG"
    )]
    pub log: Level,

    /// Log a JSON object on each line
    #[arg(long)]
    pub json_logs: bool,

    /// Write the report of the end as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The options of `ctl`.
#[derive(Clone, Debug, Args)]
pub struct CtlArgs {
    /// show, capture, trace, or what to do: add_address and so on
    #[arg(value_name = "DO")]
    pub what: String,

    /// What to show, the NIC to capture on, or the keys that belong to what is done, as KEY=VALUE
    #[arg(value_name = "ARG")]
    pub args: Vec<String>,

    /// The control socket [default: corelane/control.sock in $XDG_RUNTIME_DIR or /run]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Write the answer as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// capture, trace: frames from or to this address
    #[arg(long, value_name = "A")]
    pub address: Option<IpAddr>,

    /// capture, trace: frames from or to this port of TCP, UDP or SCTP
    #[arg(long, value_name = "P")]
    pub port: Option<u16>,

    /// capture, trace: so many frames
    #[arg(long, value_name = "N", value_parser = watch_count)]
    pub count: Option<u64>,

    /// capture, trace: for so long
    #[arg(long, value_name = "TIME", value_parser = watch_duration)]
    pub duration: Option<Duration>,

    /// capture: bytes kept of each frame [default: all of it]
    #[arg(long, value_name = "N", value_parser = snap_len)]
    pub snaplen: Option<usize>,

    /// capture: where the frames go, as pcapng; - is standard output
    #[arg(short = 'w', long = "write", value_name = "FILE")]
    pub write: Option<PathBuf>,
}

impl CtlArgs {
    /// What they ask for.
    ///
    /// # Errors
    /// There is no such thing to do or to show, an argument is no KEY=VALUE, or an option belongs to
    /// something else.
    pub fn request(&self) -> Result<Request, Usage> {
        let kinds = WatchKind::WORDS.iter();
        let kind = kinds.clone().find(|(word, _)| *word == self.what);
        if let Some((_, kind)) = kind {
            return self.watch(*kind).map(Request::Watch);
        }
        self.only_of(
            "capture and trace have",
            &[
                ("--address", self.address.is_some()),
                ("--port", self.port.is_some()),
                ("--count", self.count.is_some()),
                ("--duration", self.duration.is_some()),
            ],
        )?;
        self.only_of("capture has", &self.of_captures())?;
        self.request_in_words()
    }

    /// The options of captures alone.
    fn of_captures(&self) -> [(&'static str, bool); 2] {
        [
            ("--snaplen", self.snaplen.is_some()),
            ("--write", self.write.is_some()),
        ]
    }

    fn only_of(&self, whose: &str, options: &[(&str, bool)]) -> Result<(), Usage> {
        match options.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(Usage::new(format!(
                "{option}: only {whose} it, not {}",
                self.what
            ))),
        }
    }

    fn watch(&self, kind: WatchKind) -> Result<Watch, Usage> {
        let nic = match (self.args.as_slice(), kind) {
            ([nic], _) => Some(nic.strip_prefix("nic=").unwrap_or(nic).to_owned()),
            ([], WatchKind::Trace) => None,
            ([], WatchKind::Capture) => {
                return Err(Usage::new(
                    "capture: on which NIC? write for example: capture wan -w wan.pcapng",
                ));
            }
            ([_, surplus, ..], _) => {
                return Err(Usage::new(format!("{surplus}: one argument too many")));
            }
        };
        match kind {
            WatchKind::Capture if self.json.is_some() => {
                return Err(Usage::new(
                    "--json: a capture is no JSON; -w says where it goes",
                ));
            }
            WatchKind::Capture if self.write.is_none() => {
                return Err(Usage::new(
                    "--write is missing; write for example: -w wan.pcapng, or -w - | tshark -r -",
                ));
            }
            WatchKind::Trace if self.json.is_some() => {
                return Err(Usage::new("--json: a trace is text, and no JSON"));
            }
            WatchKind::Trace if self.count.is_none() => {
                return Err(Usage::new(
                    "--count is missing; write for example: trace --count 10",
                ));
            }
            WatchKind::Trace => self.only_of("capture has", &self.of_captures())?,
            WatchKind::Capture => {}
        }
        Ok(Watch {
            kind,
            nic,
            filter: PacketFilter {
                address: self.address,
                port: self.port,
            },
            count: self.count,
            duration: self.duration,
            snap_len: self.snaplen,
        })
    }

    fn request_in_words(&self) -> Result<Request, Usage> {
        if self.what == "show" {
            let [what] = self.args.as_slice() else {
                return Err(Usage::new("show: what? write for example: show addresses"));
            };
            let fields = Map::from_iter([("what".to_owned(), json!(what))]);
            return Request::show(&fields).map_err(|problem| Usage::new(problem.message));
        }
        let watches = || WatchKind::WORDS.iter().map(|(word, _)| *word);
        let words = || {
            std::iter::once("show")
                .chain(watches())
                .chain(change_words())
        };
        if !words().any(|word| word == self.what) {
            let meant = nearest(&self.what, words());
            let meant = meant.map(|meant| format!("; did you mean '{meant}'?"));
            let list: Vec<_> = words().collect();
            return Err(Usage::new(format!(
                "'{}' is nothing to do; there are: {}{}",
                self.what,
                list.join(", "),
                meant.unwrap_or_default()
            )));
        }
        let mut fields = Map::from_iter([("do".to_owned(), json!(self.what))]);
        for arg in &self.args {
            let (key, value) = arg.split_once('=').ok_or_else(|| {
                let what = format!("is not KEY=VALUE, as {} has it", self.what);
                Usage::new(ValueError::new(arg, what, "nic=wan").to_string())
            })?;
            // Every other key has a text.
            let value = match (key, value.parse()) {
                ("on", Ok(flag)) => Value::Bool(flag),
                _ => json!(value),
            };
            if fields.insert(key.to_owned(), value).is_some() {
                return Err(Usage::new(format!("{key}: given more than once")));
            }
        }
        Ok(Request::Change(fields))
    }
}

/// The options of `top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// The control socket [default: corelane/control.sock in $XDG_RUNTIME_DIR or /run]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// From one look to the next, 100 ms to an hour
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,

    /// One interval, in lines
    #[arg(long)]
    pub once: bool,

    /// A line of JSON for each interval, beside lines of text; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The options of `check-config`.
#[derive(Clone, Debug, Args)]
pub struct CheckConfigArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write what the file says, defaults filled in, as JSON; - is standard output, with nothing
    /// else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The options that set up the engine and its report.
#[derive(Clone, Debug, Args)]
pub struct EngineArgs {
    /// Worker threads [default: one per core but the generator's, or one per core of --cores]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// The cores of the workers, in order: 1,3-5 [default: the allowed ones but the generator's]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<CoreList>,

    /// Frames that a worker's ring holds; rounded up to a power of two
    #[arg(long, value_name = "N", default_value = "1024", value_parser = ring)]
    pub ring: usize,

    /// Slots of the frame pool [default: enough for all rings to be full]
    #[arg(long, value_name = "N", value_parser = pool_slots)]
    pub pool_slots: Option<usize>,

    /// Let the NIC take packets for any address
    #[arg(long)]
    pub promiscuous: bool,

    /// Measure the time from each frame's planned send time to its handler, or to the link it is
    /// forwarded to
    #[arg(long)]
    pub latency: bool,

    /// Write the distribution of latencies to a file as text (HdrHistogram's); measures them
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,

    /// Write the latencies of each 100 ms to a file (HdrHistogram's log); measures them
    #[arg(long, value_name = "FILE")]
    pub hlog: Option<PathBuf>,

    /// What the result has to reach, exit status 4 if it does not: p99<50us,loss=0 (p50 p90 p99 p99.9
    /// p99.99 p99.999 max, loss as a share, rate in frames received per second; < <= = >= >)
    #[arg(long, value_name = "GOALS")]
    pub slo: Option<Slo>,

    /// Write the result as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl BenchArgs {
    /// What no single option shows.
    pub(super) fn check(&self) -> Result<(), Usage> {
        if self.rate == Rate::Max
            && let Some(arrival) = self.arrival
        {
            return Err(Usage::value(
                "--arrival",
                &format!("'{arrival}' needs a fixed --rate: at max the workers set the pace"),
                "--rate 90%",
            ));
        }
        self.links.check(&self.engine)?;
        self.links.check_load(&self.load)?;
        if self.load.sockets.is_some() && self.engine.measures_latency() {
            return Err(Usage::new(
                "--sockets: no latency is measured to who reads them; leave out --hgrm, --hlog and goals of \
                 latency",
            ));
        }
        self.engine.check()
    }
}

impl ProfileArgs {
    /// What no single option shows.
    pub(super) fn check(&self) -> Result<(), Usage> {
        match self.bench.links.ends() {
            Some(_) => Err(Usage::new(
                "profile: not on real links: the engine is what has stages; perf record -g shows a tester's threads",
            )),
            None => self.bench.check(),
        }
    }
}

impl EngineArgs {
    /// What no single option shows.
    pub(super) fn check(&self) -> Result<(), Usage> {
        match (self.workers, &self.cores) {
            (Some(workers), Some(cores)) if workers != cores.cores().len() => Err(Usage::value(
                "--workers",
                &format!("'{workers}' is not the number of --cores: {cores}"),
                &cores.cores().len().to_string(),
            )),
            _ => Ok(()),
        }
    }

    /// Whether latency is measured, for its own sake or for what needs it.
    pub fn measures_latency(&self) -> bool {
        let needed = self.slo.as_ref().is_some_and(Slo::needs_latency);
        self.latency || needed || self.hgrm.is_some() || self.hlog.is_some()
    }

    /// Whether nothing but JSON may go to standard output.
    pub fn json_to_stdout(&self) -> bool {
        self.json
            .as_deref()
            .is_some_and(|path| path.as_os_str() == "-")
    }
}

/// RSS spreads over 128 entries: more workers would have none.
const MAX_WORKERS: u64 = 128;

fn workers(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of workers", 1..=MAX_WORKERS).map(|n| n as usize)
}

fn endpoints(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of endpoints", 1..=MAX_ENDPOINTS.into()).map(|n| n as u32)
}

/// A network that hosts can be in.
fn network(text: &str) -> Result<Prefix, ValueError> {
    let prefix: Prefix = text.parse().map_err(|error: PrefixError| {
        ValueError::new(text, format!("is no network: {error}"), "192.0.2.0/24")
    })?;
    let (network, meant) = (prefix.network(), "192.0.2.0/24");
    let address = network.address();
    if network != prefix {
        let what = "has bits of a host: no network's own address";
        return Err(ValueError::new(text, what, network.to_string()));
    }
    if network.len() < 8 {
        let what =
            "is larger than networks are: groups and loopback addresses would be among its hosts";
        return Err(ValueError::new(text, what, meant));
    }
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Err(ValueError::new(text, "is no network of hosts", meant));
    }
    Ok(network)
}

fn capture(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of frames", 1..=MOST_KEPT.into()).map(|n| n as u32)
}

fn routes(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of routes", 1..=MAX_ROUTES.into()).map(|n| n as u32)
}

fn neighbors(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of neighbors", 1..=MAX_NEIGHBORS.into()).map(|n| n as u32)
}

/// Each has a queue for each worker.
const MAX_SOCKETS: u64 = 100_000;

fn sockets(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of sockets", 1..=MAX_SOCKETS).map(|n| n as u32)
}

fn flows(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of flows", 1..=1 << 20).map(|n| n as u32)
}

/// 0 and 4095 are nobody's (IEEE 802.1Q).
fn vlan(text: &str) -> Result<u16, ValueError> {
    count(text, "a VLAN", 1..=4094).map(|id| id as u16)
}

fn churn(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of changes per second", 1..=10_000_000).map(|n| n as u32)
}

fn ring(text: &str) -> Result<usize, ValueError> {
    count(text, "a ring size", 64..=1 << 16).map(|n| n as usize)
}

fn pool_slots(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of slots", 64..=1 << 20).map(|n| n as usize)
}

fn searches(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of searches", 1..=1000).map(|n| n as usize)
}

fn rounds(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of rounds", 1..=1000).map(|n| n as usize)
}

/// A name of what `doctor` looks at.
fn finding(text: &str) -> Result<String, ValueError> {
    let name = text.replace('-', "_");
    if NAMES.contains(&&*name) {
        return Ok(name);
    }
    let what = format!("is nothing that is looked at: {}", NAMES.join(", "));
    let meant = nearest(&name, NAMES).unwrap_or("perf");
    Err(ValueError::new(text, what, meant))
}

fn frequency(text: &str) -> Result<u32, ValueError> {
    count(text, "a frequency", 10..=10_000).map(|n| n as u32)
}

fn repeat(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of rounds", 1..=u32::MAX.into()).map(|n| n as u32)
}

fn seed(text: &str) -> Result<u64, ValueError> {
    count(text, "a seed", 0..=u64::MAX)
}

const DAY: Duration = Duration::from_secs(86_400);

fn window(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::from_millis(10)..=DAY)
}

fn warmup(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::ZERO..=DAY)
}

fn until(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::ZERO..=365 * DAY)
}

fn watch_count(text: &str) -> Result<u64, ValueError> {
    count(text, "a number of frames", 1..=u64::MAX)
}

fn watch_duration(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::from_millis(1)..=DAY)
}

fn interval(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::from_millis(100)..=Duration::from_secs(3600))
}

fn snap_len(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of bytes", 14..=MAX_SNAP_LEN).map(|n| n as usize)
}

fn idle(text: &str) -> Result<Idle, ValueError> {
    const WORDS: [(&str, Idle); 3] = [
        ("poll", Idle::BusyPoll),
        ("adaptive", Idle::ADAPTIVE),
        ("interrupt", Idle::Interrupt),
    ];
    let found = WORDS.iter().find(|(word, _)| *word == text);
    found.map(|(_, idle)| *idle).ok_or_else(|| {
        let meant = nearest(text, WORDS.map(|(word, _)| word)).unwrap_or("adaptive");
        ValueError::new(text, "is not poll, adaptive or interrupt", meant)
    })
}
