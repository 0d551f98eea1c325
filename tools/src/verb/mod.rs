//! What each verb does.

mod bench;
mod bench_links;
mod check_config;
mod compare;
mod ctl;
mod doctor;
mod frames_kept;
mod latency_files;
mod link_report;
mod pcap_out;
mod profile;
mod replay;
mod replay_links;
mod report;
mod search;
mod selftest;
mod sim;
mod top;
mod up;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use crate::cli::{self, Asked, EngineArgs, LoadArgs, Usage};
use crate::config::LoadProfile;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::report::Report;
use crate::run::{Failure, Output, Taken, print, say};
use latency_files::LatencyFiles;

/// Does what the command line (the program's name first) asks for; errors go to standard error.
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let exit = match run(args) {
        Ok(exit) => exit,
        Err(failure) => {
            say(&format!("corelane: {failure}"));
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
        Asked::Search(args) => search::search(&args, &interrupt()?),
        Asked::Compare(args) => compare::compare(&args, &interrupt()?),
        Asked::Doctor(args) => doctor::doctor(&args),
        Asked::Replay(args) => replay::replay(&args, &interrupt()?),
        Asked::SelfTest(args) => selftest::selftest(&args, &interrupt()?),
        Asked::Profile(args) => profile::profile(&args, &interrupt()?),
        // It waits for nothing: Ctrl-C ends it.
        Asked::Report(args) => report::report(&args),
        Asked::Sim(args) => sim::sim(&args, &interrupt()?),
        // It has signals of its own.
        Asked::Up(args) => up::up(&args),
        // It waits for nothing but an answer: Ctrl-C ends it.
        Asked::Ctl(args) => ctl::ctl(&args),
        Asked::Top(args) => top::top(&args, &interrupt()?),
        Asked::CheckConfig(args) => check_config::check_config(&args),
        Asked::Text(text) => print(&text).map(|()| Exit::Done),
    }
}

/// The streams of a profile.
fn streams_of(file: &Path) -> Result<LoadProfile, Usage> {
    LoadProfile::load(file).map_err(|error| Usage::new(error.to_string()))
}

/// Files that a load is made from, with those that its profile, which has these streams, names itself, so that nothing is
/// written over them.
fn read_by<'a>(
    load: &'a LoadArgs,
    profile: Option<&'a Path>,
    streams: Option<&'a LoadProfile>,
) -> Vec<Taken<'a>> {
    let profile = profile.map(|file| (file, "the profile of the load".to_owned()));
    let capture = load.protocols.of.as_deref();
    let capture = capture.map(|file| (file, "the capture of --protocols".to_owned()));
    let named = streams.into_iter().flat_map(LoadProfile::captures);
    let named = named.map(|(stream, file)| (file, format!("the capture of stream '{stream}'")));
    let all = profile.into_iter().chain(capture).chain(named);
    all.map(|(file, holds)| Taken { file, holds }).collect()
}

/// Where the results of a run go: the report, and its latencies. Into none of the files `taken`, which it reads or
/// writes too.
fn outputs<'a>(
    args: &'a EngineArgs,
    mut taken: Vec<Taken<'a>>,
) -> Result<(Output, LatencyFiles), Failure> {
    let latencies = LatencyFiles::make(args, &taken)?;
    taken.extend(LatencyFiles::taken(args));
    let report = Output::new(args.json.as_deref(), &taken)?;
    Ok((report, latencies))
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
    } else if report.tester_limited || report.has_bad_clock() || report.is_empty() {
        Exit::Invalid
    } else if report.slo.as_ref().is_some_and(|slo| !slo.met) {
        Exit::Unmet
    } else {
        Exit::Done
    }
}
