//! `up` and `ctl`: the built binary on devices, with the kernel's own stack at their other end.
//!
//! The cases need devices to make and to take away. So the program runs itself again in a network
//! namespace of its own: as root, or by a user namespace (`unshare -rn`), where anyone may do that.
//! `cargo test -p corelane-tools --test up -- NAME` runs the cases whose names have NAME in them.
//!
//! Where no namespace is to be had, the cases cannot run, and this says so; with
//! `CORELANE_REAL_LINKS=require`, as `ci/links` has it, that is a failure.

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod host;

use std::env;
use std::panic::catch_unwind;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Set in the namespace.
const INSIDE: &str = "CORELANE_UP_INSIDE";

/// `require`: what cannot run has failed.
const MODE: &str = "CORELANE_REAL_LINKS";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
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

/// How a namespace can be had: as root, where all users are there, or as anyone.
fn namespace() -> Result<&'static str, String> {
    let mut why = String::new();
    for kind in ["-n", "-rn"] {
        match Command::new("unshare").args([kind, "ip", "link"]).output() {
            Ok(output) if output.status.success() => return Ok(kind),
            Ok(output) => why += &String::from_utf8_lossy(&output.stderr),
            Err(error) => why = format!("`unshare {kind} ip link`: {error}"),
        }
    }
    Err(why)
}

/// Says so where nobody can miss it.
fn cannot_run(why: &str) -> ExitCode {
    eprintln!("\n!!! THE CASES OF `up` DID NOT RUN: {why}\n");
    ExitCode::from(u8::from(is_required()))
}

fn is_required() -> bool {
    env::var(MODE).is_ok_and(|mode| mode == "require")
}

fn inside(arguments: &[String]) -> ExitCode {
    let tap = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    if let Err(error) = tap {
        return cannot_run(&format!("/dev/net/tun: {error}"));
    }
    host::ip("link set lo up");
    let filters: Vec<_> = arguments.iter().filter(|it| !it.starts_with('-')).collect();
    let is_wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|it| name.contains(&***it));
    let (mut failed, mut passed) = (Vec::new(), 0);
    for (name, run) in cases::ALL.iter().filter(|(name, _)| is_wanted(name)) {
        let begin = Instant::now();
        match catch_unwind(run) {
            Ok(()) => {
                println!("test {name} ... ok ({} ms)", begin.elapsed().as_millis());
                passed += 1;
            }
            // What it was, the panic has printed.
            Err(_) => {
                println!("test {name} ... FAILED");
                failed.push(*name);
            }
        }
    }
    let count = failed.len();
    println!("\nup: {passed} passed; {count} failed {failed:?}\n");
    ExitCode::from(u8::from(count > 0))
}
