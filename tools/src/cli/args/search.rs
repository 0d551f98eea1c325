//! `search`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{searches, warmup, window};
use super::{EngineArgs, LoadArgs};
use crate::cli::{LinkArgs, Usage};
use crate::search::GoalText;
use crate::unit::{Arrival, FrameSize, Rate};

/// The options of `search`.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// Options that `bench` has too; --latency and --slo's latencies are at 0, 10, 50 and 90% of the first goal's rate.
    #[command(flatten)]
    pub engine: EngineArgs,

    /// What the frames are and where they go.
    #[command(flatten)]
    pub load: LoadArgs,

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

    /// The largest load, in frames or bits per second [default: more than the generator can send]
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

    /// Real links instead of an engine. The last: what is behind it is in its part of the help.
    #[command(flatten)]
    pub links: LinkArgs,
}

impl SearchArgs {
    /// What no single option shows.
    pub(in crate::cli) fn check(&self) -> Result<(), Usage> {
        let EngineArgs { hgrm, hlog, .. } = &self.engine;
        // They are of one run at one load.
        let others = [("--hgrm", hgrm.is_some()), ("--hlog", hlog.is_some())];
        if let Some((option, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(Usage::new(format!(
                "{option}: not for a search, but for bench"
            )));
        }
        self.links.check(&self.engine)?;
        self.links.check_load(&self.load)?;
        self.load.check(&self.engine)?;
        self.engine.check()
    }
}
