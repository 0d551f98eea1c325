//! The engine under it.

use std::path::PathBuf;

use clap::Args;

use super::values::{pool_slots, ring, workers};
use crate::cli::Usage;
use crate::unit::{CoreList, Slo};

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

impl EngineArgs {
    /// What no single option shows.
    pub(in crate::cli) fn check(&self) -> Result<(), Usage> {
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
