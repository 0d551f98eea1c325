//! `replay`.

use std::path::PathBuf;

use clap::Args;

use super::values::repeat;
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

    /// Give the NIC the unicast destination addresses of the capture. Without this or
    /// --promiscuous every IP packet is dropped as invalid_address
    #[arg(long, conflicts_with_all = ["tx", "link"])]
    pub own: bool,

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
