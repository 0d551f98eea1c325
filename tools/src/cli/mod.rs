//! The command line: what can be written, and what is said to what cannot.

mod args;
mod links;
mod usage;

use clap::Parser;
use clap::error::ErrorKind;

pub use args::{
    BenchArgs, CheckConfigArgs, CompareArgs, CtlArgs, DoctorArgs, EngineArgs, Input, KeepArgs,
    LoadArgs, ProfileArgs, ReplayArgs, ReportArgs, SearchArgs, SelfTestArgs, SimArgs, TopArgs,
    UpArgs,
};
pub use links::{LinkArgs, LinkEnds};
pub use usage::Usage;

use args::Command;

/// A dataplane engine's workbench.
#[derive(Debug, Parser)]
#[command(
    name = "corelane",
    version,
    about = "corelane: a lock-free sharded dataplane engine, under load",
    after_help = usage::PLANNED_VERBS,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    /// A synthetic load.
    Bench(BenchArgs),
    /// The highest load.
    Search(SearchArgs),
    /// Two results side by side.
    Compare(CompareArgs),
    /// What the machine can do.
    Doctor(DoctorArgs),
    /// Captures as the load.
    Replay(ReplayArgs),
    /// What the tester can do.
    SelfTest(SelfTestArgs),
    /// A synthetic load under a sampler.
    Profile(ProfileArgs),
    /// A page of results.
    Report(ReportArgs),
    /// Captures in virtual time.
    Sim(SimArgs),
    /// A host on real links.
    Up(UpArgs),
    /// To show or change one that is up.
    Ctl(CtlArgs),
    /// To watch one that is up.
    Top(TopArgs),
    /// An explanation of a configuration.
    CheckConfig(CheckConfigArgs),
    /// A text, for standard output: help or the version.
    Text(String),
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// What is wrong with it, in one message.
pub fn parse<A>(args: impl IntoIterator<Item = A>) -> Result<Asked, Usage>
where
    A: Into<std::ffi::OsString> + Clone,
{
    match Cli::try_parse_from(args) {
        Ok(Cli {
            command: Command::Bench(args),
        }) => {
            args.check()?;
            Ok(Asked::Bench(args))
        }
        Ok(Cli {
            command: Command::Replay(args),
        }) => {
            args.engine.check()?;
            args.links.check(&args.engine)?;
            Ok(Asked::Replay(args))
        }
        Ok(Cli {
            command: Command::Selftest(args),
        }) => Ok(Asked::SelfTest(args)),
        Ok(Cli {
            command: Command::Search(args),
        }) => {
            args.check()?;
            Ok(Asked::Search(args))
        }
        Ok(Cli {
            command: Command::Compare(args),
        }) => {
            args.check()?;
            Ok(Asked::Compare(args))
        }
        Ok(Cli {
            command: Command::Doctor(args),
        }) => Ok(Asked::Doctor(args)),
        Ok(Cli {
            command: Command::Profile(args),
        }) => {
            args.check()?;
            Ok(Asked::Profile(args))
        }
        Ok(Cli {
            command: Command::Report(args),
        }) => Ok(Asked::Report(args)),
        Ok(Cli {
            command: Command::Sim(args),
        }) => Ok(Asked::Sim(args)),
        Ok(Cli {
            command: Command::Up(args),
        }) => Ok(Asked::Up(args)),
        Ok(Cli {
            command: Command::Ctl(args),
        }) => Ok(Asked::Ctl(args)),
        Ok(Cli {
            command: Command::Top(args),
        }) => Ok(Asked::Top(args)),
        Ok(Cli {
            command: Command::CheckConfig(args),
        }) => Ok(Asked::CheckConfig(args)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Asked::Text(error.render().to_string()))
            }
            _ => Err(Usage::of(&error)),
        },
    }
}

#[cfg(test)]
mod tests;
