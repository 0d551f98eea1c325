//! `sim`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::values::until;
use crate::unit::ValueError;

/// The options of `sim`.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// The configuration: NICs, services and what happens when. check-config explains it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// A capture that a NIC receives, each frame at its time; the first frame of all captures is at
    /// time 0. May be given again, for the same NIC too. A file whose name ends in .txt has its frames
    /// as text, as tools/cases has them
    #[arg(long = "in", value_name = "NIC=FILE")]
    pub inputs: Vec<Input>,

    /// Where NIC.pcap with what each NIC sent goes, times in nanoseconds; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The virtual time of the end [default: when nothing is left to happen but that neighbors grow
    /// old, 1h at most]
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub until: Option<Duration>,

    /// Write the report as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Print the way of each frame, stage by stage (to standard error with --json -)
    #[arg(long)]
    pub trace: bool,
}

/// A capture and the NIC that receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The NIC's name.
    pub nic: String,
    /// The capture file.
    pub file: PathBuf,
}

impl FromStr for Input {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            Some((nic, file)) if !nic.is_empty() && !file.is_empty() => Ok(Self {
                nic: nic.to_owned(),
                file: file.into(),
            }),
            split => {
                let (nic, file) = split.unwrap_or(("", text));
                let nic = if nic.is_empty() { "wan" } else { nic };
                let file = if file.is_empty() { "in.pcap" } else { file };
                Err(ValueError::new(
                    text,
                    "is not NIC=FILE",
                    format!("{nic}={file}"),
                ))
            }
        }
    }
}
