//! `up`, `ctl`, and measuring on links: the built binary on devices, with the kernel's own stack at their other end.
//!
//! The cases need devices to make and to take away. So the program runs itself again in a network
//! namespace of its own: as root, or by a user namespace (`unshare -rn`), where anyone may do that.
//! `cargo test -p corelane-tools --test up -- NAME` runs the cases whose names have NAME in them.
//!
//! Where no namespace is to be had, the cases cannot run, and this says so; with
//! `CORELANE_REAL_LINKS=require`, as `ci/links` has it, that is a failure.

mod again;
mod bed;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod idle;
mod log_reader;
mod measure;
mod reload;
mod top;
mod watch;

use std::env;
use std::process::ExitCode;

use corelane_lab::harness;
use corelane_lab::kernel::ip;

/// Set in the namespace.
const INSIDE: &str = "CORELANE_UP_INSIDE";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if env::var_os(INSIDE).is_some() {
        return inside(&arguments);
    }
    // As root, where all users are there, or as anyone.
    let again = harness::namespace(&["-n", "-rn"])
        .and_then(|kind| harness::run_again(kind, &arguments, (INSIDE, "1")));
    match again {
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(why) => cannot_run(&why),
    }
}

fn cannot_run(why: &str) -> ExitCode {
    ExitCode::from(u8::from(harness::cannot_run("THE CASES OF `up`", why)))
}

fn inside(arguments: &[String]) -> ExitCode {
    if let Err(why) = harness::has_tap() {
        return cannot_run(&why);
    }
    if let Err(error) = ip("link set lo up") {
        return cannot_run(&error.to_string());
    }
    let (mut failed, mut passed) = (Vec::new(), 0);
    let wanted = cases::ALL.iter();
    for (name, run) in wanted.filter(|(name, _)| harness::is_wanted(name, arguments)) {
        let (outcome, took) = harness::attempt(|| {
            run();
            Ok(())
        });
        match outcome {
            Ok(()) => {
                println!("test {name} ... ok ({} ms)", took.as_millis());
                passed += 1;
            }
            Err(error) => {
                println!("test {name} ... FAILED: {error}");
                failed.push(*name);
            }
        }
    }
    let count = failed.len();
    println!("\nup: {passed} passed; {count} failed {failed:?}\n");
    ExitCode::from(u8::from(count > 0))
}
