//! `compare`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{rounds, window};
use crate::cli::Usage;
use crate::unit::ratio;

/// The options of `compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// Two results of bench, replay or search, written with --json
    #[arg(value_name = "FILE", num_args = 1.., required_unless_present = "a")]
    pub files: Vec<PathBuf>,

    /// Run instead of read: the options of bench for A, in quotes
    #[arg(
        long,
        value_name = "FLAGS",
        requires = "b",
        conflicts_with = "files",
        allow_hyphen_values = true
    )]
    pub a: Option<String>,

    /// The options of bench for B
    #[arg(
        long,
        value_name = "FLAGS",
        requires = "a",
        conflicts_with = "files",
        allow_hyphen_values = true
    )]
    pub b: Option<String>,

    /// The program that A is run with [default: this one]
    #[arg(long, value_name = "PATH", requires = "a", conflicts_with = "files")]
    pub binary_a: Option<PathBuf>,

    /// The program that B is run with [default: this one]
    #[arg(long, value_name = "PATH", requires = "a", conflicts_with = "files")]
    pub binary_b: Option<PathBuf>,

    /// How often A and B take turns
    #[arg(
        long,
        value_name = "N",
        default_value = "10",
        requires = "a",
        conflicts_with = "files",
        value_parser = rounds
    )]
    pub rounds: usize,

    /// How long each run measures, where its options do not say
    #[arg(
        long,
        value_name = "TIME",
        default_value = "500ms",
        requires = "a",
        conflicts_with = "files",
        value_parser = window
    )]
    pub duration: Duration,

    /// How much worse B may be
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = ratio)]
    pub tolerance: f64,

    /// Options whose difference is what is compared, by their names in the JSON: workers,ring
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "a")]
    pub differing: Vec<String>,

    /// Write the comparison as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl CompareArgs {
    /// What no single option shows.
    pub(in crate::cli) fn check(&self) -> Result<(), Usage> {
        match &self.files[..] {
            [] | [_, _] => Ok(()),
            [one] => Err(Usage::new(format!(
                "<FILE>: two results are compared, and {} is one",
                one.display()
            ))),
            [_, _, surplus, ..] => Err(Usage::new(format!(
                "{}: one argument too many",
                surplus.display()
            ))),
        }
    }
}
