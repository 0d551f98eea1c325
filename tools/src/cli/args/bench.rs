//! `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{churn, warmup, window};
use super::{EngineArgs, KeepArgs, LoadArgs};
use crate::cli::{LinkArgs, Usage};
use crate::unit::{Arrival, FrameSize, Rate};

/// The options of `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// Options that `replay` has too.
    #[command(flatten)]
    pub engine: EngineArgs,

    /// What the frames are and where they go.
    #[command(flatten)]
    pub load: LoadArgs,

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
    /// none; - is standard output
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["tx", "link", "json", "latency", "hgrm", "hlog", "slo", "churn", "capture"]
    )]
    pub pcap_out: Option<PathBuf>,

    /// Frames that are kept.
    #[command(flatten)]
    pub keep: KeepArgs,

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

    /// Real links instead of an engine. The last: what is behind it is in its part of the help.
    #[command(flatten)]
    pub links: LinkArgs,
}

impl BenchArgs {
    /// What no single option shows.
    pub(in crate::cli) fn check(&self) -> Result<(), Usage> {
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
        self.load.check(&self.engine)?;
        self.engine.check()
    }
}
