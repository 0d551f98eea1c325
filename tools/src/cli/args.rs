//! The options of each verb.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use corelane::engine::Idle;
use serde_json::{Map, Value, json};

use super::Usage;
use crate::config::change_words;
use crate::control::Request;
use crate::generator::{MAX_ENDPOINTS, MAX_NEIGHBORS, MAX_ROUTES};
use crate::page::Source;
use crate::profile;
use crate::unit::{
    Arrival, CoreList, Destinations, Family, FrameSize, Rate, Speed, ValueError, count, duration,
    nearest, ratio,
};
use crate::up::Level;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Synthetic traffic through the engine, in memory
    #[command(after_help = super::usage::BENCH_NOTES, allow_negative_numbers = true)]
    Bench(BenchArgs),
    /// Captures as the traffic
    #[command(after_help = super::usage::REPLAY_NOTES, allow_negative_numbers = true)]
    Replay(ReplayArgs),
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

    /// Addresses of the NIC, up to 10 million: 1000, 64k, 1_000_000, 10m
    #[arg(long, value_name = "N", default_value = "1000", value_parser = endpoints)]
    pub endpoints: u32,

    /// How destinations are drawn from them: uniform, zipf:S or one
    #[arg(long, value_name = "LAW", default_value = "uniform")]
    pub destinations: Destinations,

    /// v4, v6 or mixed (half of each)
    #[arg(long, value_name = "FAMILY", default_value = "mixed")]
    pub family: Family,

    /// Bytes of a frame, its check sequence (4 bytes that are not in memory) included: 64 to 9018,
    /// or imix (64, 570 and 1518 as 7:4:1). An IPv6/UDP frame has at least 66
    #[arg(long, value_name = "BYTES", default_value = "64")]
    pub frame_size: FrameSize,

    /// Pairs of source address and ports, pseudorandom, independent of destinations
    #[arg(long, value_name = "N", default_value = "4096", value_parser = flows)]
    pub flows: u32,

    /// max (as fast as the workers take it), frames or bits per second on the wire (5Mpps,
    /// 2.5gbps, 10g), or a share of what a calibration of one second at max achieves (50%)
    #[arg(long, value_name = "RATE", default_value = "max")]
    pub rate: Rate,

    /// When frames are due, at a fixed rate: cbr, poisson or burst:N (trains of N frames due at
    /// once) [default: cbr]
    #[arg(long, value_name = "MODEL")]
    pub arrival: Option<Arrival>,

    /// How long to measure: 10s, 500ms, 2min
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = window)]
    pub duration: Duration,

    /// How long to run before, unmeasured
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = warmup)]
    pub warmup: Duration,

    /// Addresses (beside the endpoints), or with --forward routes, added and removed per second
    /// meanwhile, by another thread
    #[arg(long, value_name = "OPS_PER_S", value_parser = churn)]
    pub churn: Option<u32>,

    /// The share of frames for an endpoint; the others go to random addresses that are none's
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = ratio)]
    pub hit_ratio: f64,

    /// Forward the frames: they go to random addresses of routes, to a second NIC that takes them all,
    /// with neighbors whose link addresses are known. There are no endpoints
    #[arg(
        long,
        conflicts_with_all = ["endpoints", "hit_ratio", "promiscuous", "sockets"]
    )]
    pub forward: bool,

    /// Routes to forward by, up to 1 million, of lengths as the Internet's
    #[arg(long, value_name = "N", default_value = "1000", requires = "forward", value_parser = routes)]
    pub routes: u32,

    /// Neighbors that the routes lead to, of each family
    #[arg(long, value_name = "N", default_value = "64", requires = "forward", value_parser = neighbors)]
    pub neighbors: u32,

    /// Deliver to N UDP sockets instead of a handler, one for each endpoint (so it sets their number),
    /// which another thread reads
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["endpoints", "promiscuous", "latency"],
        value_parser = sockets
    )]
    pub sockets: Option<u32>,

    /// What all random draws start from: the same seed, the same frames at the same planned times
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub seed: u64,
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
    #[arg(long)]
    pub own: bool,

    /// Options that `bench` has too.
    #[command(flatten)]
    pub engine: EngineArgs,
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
    /// Results of bench, replay, search and profile, written with --json. Those of the same NAME are
    /// repetitions of one measurement
    #[arg(value_name = "[NAME=]FILE", required = true)]
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
    /// show, or what to do: add_address and so on
    #[arg(value_name = "DO")]
    pub what: String,

    /// What to show, or the keys that belong to what is done, as KEY=VALUE
    #[arg(value_name = "ARG")]
    pub args: Vec<String>,

    /// The control socket [default: corelane/control.sock in $XDG_RUNTIME_DIR or /run]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Write the answer as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl CtlArgs {
    /// What they ask for.
    ///
    /// # Errors
    /// There is no such thing to do or to show, or an argument is no KEY=VALUE.
    pub fn request(&self) -> Result<Request, Usage> {
        if self.what == "show" {
            let [what] = self.args.as_slice() else {
                return Err(Usage::new("show: what? write for example: show addresses"));
            };
            let fields = Map::from_iter([("what".to_owned(), json!(what))]);
            return Request::show(&fields).map_err(|problem| Usage::new(problem.message));
        }
        let words = || std::iter::once("show").chain(change_words());
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
        self.engine.check()
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

fn churn(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of changes per second", 1..=10_000_000).map(|n| n as u32)
}

fn ring(text: &str) -> Result<usize, ValueError> {
    count(text, "a ring size", 64..=1 << 16).map(|n| n as usize)
}

fn pool_slots(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of slots", 64..=1 << 20).map(|n| n as usize)
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
