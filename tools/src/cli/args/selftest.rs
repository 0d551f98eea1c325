//! `selftest`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::window;

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
