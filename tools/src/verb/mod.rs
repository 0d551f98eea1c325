//! What each verb does.

mod bench;
mod check_config;
mod ctl;
mod profile;
mod replay;
mod report;
mod sim;
mod up;

use std::process::ExitCode;

use crate::cli::{self, Asked};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::report::Report;
use crate::run::{Failure, Output, print};

/// Does what the command line (the program's name first) asks for; errors go to standard error.
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let exit = match run(args) {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("corelane: {failure}");
            failure.exit()
        }
    };
    exit.code().into()
}

fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Exit, Failure> {
    let interrupt = || {
        Interrupt::of_process()
            .map_err(|error| Failure::Run(format!("cannot catch Ctrl-C: {error}")))
    };
    match cli::parse(args)? {
        Asked::Bench(args) => bench::bench(&args, &interrupt()?),
        Asked::Replay(args) => replay::replay(&args, &interrupt()?),
        Asked::Profile(args) => profile::profile(&args, &interrupt()?),
        // It waits for nothing: Ctrl-C ends it.
        Asked::Report(args) => report::report(&args),
        Asked::Sim(args) => sim::sim(&args, &interrupt()?),
        // It has signals of its own.
        Asked::Up(args) => up::up(&args),
        // It waits for nothing but an answer: Ctrl-C ends it.
        Asked::Ctl(args) => ctl::ctl(&args),
        Asked::CheckConfig(args) => check_config::check_config(&args),
        Asked::Text(text) => print(&text).map(|()| Exit::Done),
    }
}

/// Writes the report of a run.
fn finish(report: &Report, output: Output) -> Result<Exit, Failure> {
    let json = report
        .json()
        .map_err(|error| Failure::Run(format!("no JSON: {error}")))?;
    output.write(&report.text(), &json)?;
    Ok(exit_of(report))
}

/// How a run that has a report ends.
fn exit_of(report: &Report) -> Exit {
    if !report.accounting.holds {
        Exit::Accounting
    } else if report.interrupted {
        Exit::Interrupted
    } else {
        Exit::Done
    }
}
