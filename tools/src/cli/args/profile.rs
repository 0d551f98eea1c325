//! `profile`.

use std::path::PathBuf;

use clap::Args;

use super::BenchArgs;
use super::values::frequency;
use crate::cli::Usage;
use crate::profile;

/// The options of `profile`.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// The flame graph [default: profile.svg in --out]
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Where profile.folded (the stacks, for --diff) and the flame graphs go; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "corelane-profile")]
    pub out: PathBuf,

    /// Samples of each thread per second on a core, 10 to 10000; the sampler in the process takes no more
    /// than the kernel has ticks, 100 to 1000, of all threads together
    #[arg(long, value_name = "HZ", default_value = "499", value_parser = frequency)]
    pub frequency: u32,

    /// perf, in-process (a timer's signal), or auto: perf if it works, otherwise in-process
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    pub sampler: profile::Choice,

    /// An earlier profile.folded: what is another since then, as a table and in difference.svg
    #[arg(long, value_name = "OLD.folded")]
    pub diff: Option<PathBuf>,

    /// Options that `bench` has too.
    #[command(flatten)]
    pub bench: BenchArgs,
}

impl ProfileArgs {
    /// What no single option shows.
    pub(in crate::cli) fn check(&self) -> Result<(), Usage> {
        match self.bench.links.ends() {
            Some(_) => Err(Usage::new(
                "profile: not on real links: the engine is what has stages; perf record -g shows a tester's threads",
            )),
            None if self.bench.pcap_out.is_some() => Err(Usage::new(
                "--pcap-out: not with profile: bench writes frames and sends none, and so takes no time",
            )),
            None => self.bench.check(),
        }
    }
}
