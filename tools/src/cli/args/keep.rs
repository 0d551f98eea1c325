//! Frames that are kept.

use std::path::PathBuf;

use clap::Args;

use super::values::capture;

/// The options about them.
#[derive(Clone, Debug, Args)]
pub struct KeepArgs {
    /// Keep the first N frames (up to 65536) that are received in the measured time, by the engine or from
    /// the device under test, and write them to --capture-file
    #[arg(long, value_name = "N", value_parser = capture)]
    pub capture: Option<u32>,

    /// The file of --capture: pcapng
    #[arg(
        long,
        value_name = "FILE",
        default_value = "capture.pcapng",
        requires = "capture"
    )]
    pub capture_file: PathBuf,
}
