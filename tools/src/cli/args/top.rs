//! `top`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::interval;

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
