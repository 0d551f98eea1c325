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
mod listener;
mod raw;
mod through;
mod wire;
mod xdp;

use std::alloc::System;
use std::env;
use std::process::ExitCode;

use corelane_lab::harness;
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
    let mut all = cases::all();
    all.retain(|case| harness::is_wanted(case.name, arguments));
    all
}

/// Runs a group of cases in a namespace. Whether that is a failure.
fn run(group: &str, kinds: &[&str], arguments: &[String]) -> bool {
    let again = harness::namespace(kinds)
        .and_then(|kind| harness::run_again(kind, arguments, (INSIDE, group)));
    match again {
        Ok(status) => !status.success(),
        Err(why) => cannot_run(group, &why),
    }
}

/// Says so where nobody can miss it. Whether that is a failure.
fn cannot_run(group: &str, why: &str) -> bool {
    let which = if group == "root" { " OF AF_XDP" } else { "" };
    harness::cannot_run(&format!("THE CASES OF REAL LINKS{which}"), why)
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
    let tap = harness::has_tap();
    let (mut failed, mut missing, mut passed) = (Vec::new(), 0, 0);
    for case in wanted {
        if let (Needs::Tap, Err(error)) = (case.needs, &tap) {
            harness::cannot_run(case.name, error);
            missing += 1;
            continue;
        }
        let (outcome, took) = harness::attempt(case.run);
        let took = took.as_millis();
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
    let bad = count > 0 || (missing > 0 && harness::is_required());
    ExitCode::from(u8::from(bad))
}
