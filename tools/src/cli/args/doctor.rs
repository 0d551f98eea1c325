//! `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::values::finding;

/// The options of `doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Exit with status 1 if this is missing. May be given again
    #[arg(long, value_name = "NAME", value_parser = finding)]
    pub require: Vec<String>,

    /// Write the findings as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Try the links here, for another process of this program.
    #[arg(long, hide = true)]
    pub probe_links: bool,
}
