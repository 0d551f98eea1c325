//! Links of network devices, with the kernel's own stack at their other end.
//!
//! The cases need devices to make and to take away. So the program runs itself again in a user and
//! network namespace of its own (`unshare -rn`), where anyone may do that, and where nobody else is
//! disturbed. `cargo test -p corelane-io --test real_links -- NAME` runs the cases whose names have
//! NAME in them.
//!
//! AF_XDP takes a privilege that a user namespace cannot give: its cases run in a network namespace
//! alone (`unshare -n`), which takes root.
//!
//! Where no namespace is to be had, the cases cannot run, and this says so; with
//! `CORELANE_REAL_LINKS=require`, as `ci/links` has it, that is a failure.

mod cases;
mod errors;
mod host;
mod kernel;
mod raw;
mod through;
mod wire;
mod xdp;

use std::alloc::System;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::time::Instant;

use corelane_sync::alloc_count::CountingAllocator;
use corelane_sys::bpf::XskMap;

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Case {
    name: &'static str,
    needs: Needs,
    run: fn() -> Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// A network namespace.
    Nothing,
    /// And the TAP driver.
    Tap,
    /// Root, with all capabilities.
    Root,
}

/// Set in the namespace: `root` in that of the cases that need it.
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
    if env::var_os(through::PEER).is_some() {
        return through::peer();
    }
    if let Some(inside_of) = env::var_os(INSIDE) {
        return inside(&arguments, inside_of == "root");
    }
    let (mut bad, mut known) = (false, false);
    for (group, kinds, needs) in [
        ("any", &["-rn", "-n"][..], |needs| needs != Needs::Root),
        ("root", &["-n"][..], |needs| needs == Needs::Root),
    ] as [(_, _, fn(Needs) -> bool); 2]
    {
        let mut wanted = wanted(&arguments).into_iter();
        if !wanted.any(|case| needs(case.needs)) {
            continue;
        }
        known = true;
        bad |= run(group, kinds, &arguments);
    }
    if !known {
        println!("no case has such a name");
    }
    ExitCode::from(u8::from(bad))
}

/// The cases that were asked for.
fn wanted(arguments: &[String]) -> Vec<Case> {
    let filters: Vec<_> = arguments.iter().filter(|it| !it.starts_with('-')).collect();
    let mut all = cases::all();
    all.retain(|case| filters.is_empty() || filters.iter().any(|it| case.name.contains(&***it)));
    all
}

/// Runs a group of cases in a namespace. Whether that is a failure.
fn run(group: &str, kinds: &[&str], arguments: &[String]) -> bool {
    let kind = match namespace(kinds) {
        Ok(kind) => kind,
        Err(why) => {
            return cannot_run(
                group,
                &format!("no network namespace is to be had: {}", why.trim()),
            );
        }
    };
    let again = env::current_exe().and_then(|program| {
        let mut command = Command::new("unshare");
        command.arg(kind).arg(program).args(arguments);
        command.env(INSIDE, group).status()
    });
    match again {
        Ok(status) => !status.success(),
        Err(error) => cannot_run(group, &format!("cannot run `unshare`: {error}")),
    }
}

/// How a namespace can be had: with a user namespace, which anyone may make on most systems, or
/// without, as root.
fn namespace<'k>(kinds: &[&'k str]) -> Result<&'k str, String> {
    let mut why = String::new();
    for &kind in kinds {
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

/// Says so where nobody can miss it. Whether that is a failure.
fn cannot_run(group: &str, why: &str) -> bool {
    let which = if group == "root" { " OF AF_XDP" } else { "" };
    eprintln!("\n!!! THE CASES OF REAL LINKS{which} DID NOT RUN: {why}\n");
    is_required()
}

fn inside(arguments: &[String], root: bool) -> ExitCode {
    if let Err(error) = kernel::ip("link set lo up") {
        return ExitCode::from(u8::from(cannot_run("any", &error.to_string())));
    }
    if root && let Err(error) = XskMap::new(1) {
        let why = format!("this root may not use the bpf system call: {error}");
        return ExitCode::from(u8::from(cannot_run("root", &why)));
    }
    let mut wanted = wanted(arguments);
    wanted.retain(|case| (case.needs == Needs::Root) == root);
    let tap = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    let (mut failed, mut missing, mut passed) = (Vec::new(), 0, 0);
    for case in wanted {
        if let (Needs::Tap, Err(error)) = (case.needs, &tap) {
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
