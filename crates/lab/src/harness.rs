//! A test program that runs itself again in a network namespace, where anyone may make devices and
//! nobody else is disturbed, and the cases it runs there.

use std::env;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// `require`: what cannot run has failed.
const MODE: &str = "CORELANE_REAL_LINKS";

/// Whether what cannot run has failed.
pub fn is_required() -> bool {
    env::var(MODE).is_ok_and(|mode| mode == "require")
}

/// Says that cases did not run, where nobody can miss it. Whether that is a failure.
pub fn cannot_run(what: &str, why: &str) -> bool {
    eprintln!("\n!!! {what} DID NOT RUN: {}\n", why.trim());
    is_required()
}

/// The first of these kinds of namespaces (options of `unshare`) that is to be had here.
///
/// # Errors
/// None is, and why.
pub fn namespace<'k>(kinds: &[&'k str]) -> Result<&'k str, String> {
    let mut why = String::new();
    for &kind in kinds {
        match Command::new("unshare").args([kind, "ip", "link"]).output() {
            Ok(output) if output.status.success() => return Ok(kind),
            Ok(output) => why += &String::from_utf8_lossy(&output.stderr),
            Err(error) => why = format!("`unshare {kind} ip link`: {error}"),
        }
    }
    Err(format!("no network namespace is to be had: {}", why.trim()))
}

/// Runs this program again in a namespace of that kind, with a variable set that says so.
///
/// # Errors
/// It cannot be run.
pub fn run_again(
    kind: &str,
    arguments: &[String],
    (variable, value): (&str, &str),
) -> Result<ExitStatus, String> {
    let again = env::current_exe().and_then(|program| {
        let mut command = Command::new("unshare");
        command.arg(kind).arg(program).args(arguments);
        command.env(variable, value).status()
    });
    again.map_err(|error| format!("cannot run `unshare`: {error}"))
}

/// Whether the TAP driver is to be had.
///
/// # Errors
/// It is not, and why.
pub fn has_tap() -> Result<(), String> {
    let mut options = std::fs::File::options();
    let tap = options.read(true).write(true).open("/dev/net/tun");
    tap.map(drop)
        .map_err(|error| format!("/dev/net/tun: {error}"))
}

/// Whether a case was asked for: by a part of its name, or all by none.
pub fn is_wanted(name: &str, arguments: &[String]) -> bool {
    let mut filters = arguments.iter().filter(|it| !it.starts_with('-'));
    let mut any = false;
    filters.any(|filter| {
        any = true;
        name.contains(&**filter)
    }) || !any
}

/// Runs a case; how long it took. One that panics has failed.
///
/// # Errors
/// Of the case.
pub fn attempt<T>(
    run: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> (Result<T, Box<dyn Error>>, Duration) {
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(run));
    // What it was, the panic has printed.
    let outcome = outcome.unwrap_or_else(|_| Err("it panicked".into()));
    (outcome, begin.elapsed())
}
