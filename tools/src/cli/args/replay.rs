//! `replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{churn, repeat, window};
use super::{EngineArgs, KeepArgs};
use crate::cli::LinkArgs;
use crate::unit::Speed;

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

    /// How long to send it, over and over, instead of --repeat: 10s, 500ms, 2min
    #[arg(long, value_name = "TIME", conflicts_with = "repeat", value_parser = window)]
    pub duration: Option<Duration>,

    /// Give the NIC the unicast destination addresses of the capture. Without this or
    /// --promiscuous every IP packet is dropped as invalid_address
    #[arg(long, conflicts_with_all = ["tx", "link"])]
    pub own: bool,

    /// Forward the packets, by a default route of each family to a neighbor whose link address is known, to a
    /// second NIC that takes them all
    #[arg(long, conflicts_with_all = ["own", "promiscuous", "tx", "link"])]
    pub forward: bool,

    /// Addresses, or with --forward routes, added and removed per second meanwhile, by another thread
    #[arg(
        long,
        value_name = "OPS_PER_S",
        conflicts_with_all = ["tx", "link"],
        value_parser = churn
    )]
    pub churn: Option<u32>,

    /// Send nothing, but write what would be sent to this pcap file: each packet at its planned time, so often or
    /// for so long; - is standard output
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "tx", "link", "json", "latency", "hgrm", "hlog", "slo", "churn", "capture", "own", "forward", "promiscuous"
        ]
    )]
    pub pcap_out: Option<PathBuf>,

    /// Frames that are kept.
    #[command(flatten)]
    pub keep: KeepArgs,

    /// Options that `bench` has too.
    #[command(flatten)]
    pub engine: EngineArgs,

    /// Real links instead of an engine.
    #[command(flatten)]
    pub links: LinkArgs,
}
