//! Links of network devices, with the kernel's own stack at their other end.
//!
//! The cases need devices to make and to take away. So the program runs itself again in a user and
//! network namespace of its own (`unshare -rn`), where anyone may do that, and where nobody else is
//! disturbed. `cargo test -p corelane-io --test real_links -- NAME` runs the cases whose names have
//! NAME in them.
//!
//! Where no namespace is to be had, the cases cannot run, and this says so; with
//! `CORELANE_REAL_LINKS=require`, as `ci/links` has it, that is a failure.

mod cases;
mod errors;
mod host;
mod kernel;
mod raw;
mod wire;

use std::alloc::System;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::time::Instant;

use corelane_sync::alloc_count::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Case {
    name: &'static str,
    needs_tap: bool,
    run: fn() -> Outcome,
}

/// Set in the namespace.
const INSIDE: &str = "CORELANE_REAL_LINKS_INSIDE";

/// `require`: what cannot run has failed.
const MODE: &str = "CORELANE_REAL_LINKS";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if let Some(kind) = env::var_os(errors::TRY) {
        return errors::try_without_privilege(&kind);
    }
    if env::var_os(INSIDE).is_some() {
        return inside(&arguments);
    }
    let kind = match namespace() {
        Ok(kind) => kind,
        Err(why) => return cannot_run(&format!("no network namespace is to be had: {why}")),
    };
    let again = env::current_exe().and_then(|program| {
        let mut command = Command::new("unshare");
        command.arg(kind).arg(program).args(arguments);
        command.env(INSIDE, "1").status()
    });
    match again {
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(error) => cannot_run(&format!("cannot run `unshare`: {error}")),
    }
}

/// How a namespace can be had: with a user namespace, which anyone may make on most systems, or
/// without, as root.
fn namespace() -> Result<&'static str, String> {
    let mut why = String::new();
    for kind in ["-rn", "-n"] {
        match Command::new("unshare").args([kind, "ip", "link"]).output() {
            Ok(output) if output.status.success() => return Ok(kind),
            Ok(output) => why += &String::from_utf8_lossy(&output.stderr),
            Err(error) => why = format!("`unshare {kind} ip link`: {error}"),
        }
    }
    Err(why)
}

fn is_required() -> bool {
    env::var(MODE).is_ok_and(|mode| mode == "require")
}

/// Says so where nobody can miss it.
fn cannot_run(why: &str) -> ExitCode {
    eprintln!("\n!!! THE CASES OF REAL LINKS DID NOT RUN: {why}\n");
    ExitCode::from(u8::from(is_required()))
}

fn inside(arguments: &[String]) -> ExitCode {
    if let Err(error) = kernel::ip("link set lo up") {
        return cannot_run(&error.to_string());
    }
    let filters: Vec<_> = arguments.iter().filter(|it| !it.starts_with('-')).collect();
    let wanted =
        |case: &Case| filters.is_empty() || filters.iter().any(|it| case.name.contains(&***it));
    let tap = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    let (mut failed, mut missing, mut passed) = (Vec::new(), 0, 0);
    for case in cases::all().into_iter().filter(wanted) {
        if let (true, Err(error)) = (case.needs_tap, &tap) {
            eprintln!("!!! {} DID NOT RUN: /dev/net/tun: {error}", case.name);
            missing += 1;
            continue;
        }
        let begin = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(case.run));
        let outcome = outcome.unwrap_or_else(|_| Err("it panicked".into()));
        let took = begin.elapsed().as_millis();
        match outcome {
            Ok(()) => {
                println!("test {} ... ok ({took} ms)", case.name);
                passed += 1;
            }
            Err(error) => {
                println!("test {} ... FAILED ({took} ms): {error}", case.name);
                failed.push(case.name);
            }
        }
    }
    let count = failed.len();
    println!("\nreal links: {passed} passed; {count} failed {failed:?}; {missing} did not run\n");
    let bad = count > 0 || (missing > 0 && is_required());
    ExitCode::from(u8::from(bad))
}
