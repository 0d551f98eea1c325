//! `report`.

use std::path::PathBuf;

use clap::Args;

use crate::page::Source;

/// The options of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Results of bench, replay, search and profile, written with --json. NAME=FILE gives one a name;
    /// those of the same name are repetitions of one measurement
    #[arg(value_name = "FILE", required = true)]
    pub results: Vec<Source>,

    /// The page; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// A flame graph to show, as profile writes it
    #[arg(long, value_name = "FILE")]
    pub flamegraph: Option<PathBuf>,
}
