//! `up`, and `check-config`.

use std::path::PathBuf;

use clap::Args;
use corelane::engine::Idle;

use super::values::idle;
use crate::up::Level;

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
