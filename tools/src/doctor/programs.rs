//! Programs that look into a run.

use super::system::first_line;
use super::{Finding, System};

/// perf, and what it may count.
pub(super) fn perf(system: &System) -> [Finding; 2] {
    const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";
    const LOWER: &str = "sysctl kernel.perf_event_paranoid=1, or root";
    let paranoid = system.number(PARANOID);
    let level = paranoid.map_or_else(
        || "no perf_event_paranoid".to_owned(),
        |level| format!("perf_event_paranoid {level}"),
    );
    let Some(program) = system.program("perf") else {
        let missing = |name| {
            Finding::missing(name, format!("perf is not installed; {level}"))
                .advise("apt-get install linux-perf, or the package of your system's kernel")
        };
        return ["perf", "hardware_events"].map(missing);
    };
    let counts = |event: &str| {
        let args = ["stat", "-x", ",", "-e", event, "--", "true"];
        let output = System::run(&program, &args).ok_or("perf does not run")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = said
            .lines()
            .find(|line| line.contains(event.trim_end_matches(":u")));
        let count = line
            .and_then(|line| line.split(',').next())
            .unwrap_or_default();
        match count.parse::<f64>() {
            Ok(_) => Ok(()),
            Err(_) if count.starts_with("<not supported>") => Err("the kernel has no such event"),
            Err(_) => Err("the kernel refuses it"),
        }
    };
    // What counts in user space alone needs the least rights.
    let clock = match (counts("cpu-clock"), counts("cpu-clock:u")) {
        (Ok(()), _) => Finding::ok("perf", format!("samples by cpu-clock; {level}")),
        (Err(why), Ok(())) => Finding::limited(
            "perf",
            format!("samples user space alone ({why} in the kernel); {level}"),
        )
        .advise(LOWER),
        (Err(_), Err(why)) => {
            Finding::missing("perf", format!("{why}: cpu-clock; {level}")).advise(LOWER)
        }
    };
    let hardware = match counts("cycles:u") {
        Ok(()) => Finding::ok("hardware_events", "cycles are counted"),
        Err(why) => Finding::missing("hardware_events", format!("cycles are not counted: {why}")).advise(
            "a machine with a PMU (a virtual machine whose host passes it on): until then profiles are \
             by cpu-clock, and instructions by valgrind",
        ),
    };
    [clock, hardware]
}

/// valgrind, which counts instructions anywhere.
pub(super) fn valgrind(system: &System) -> Finding {
    let version = system
        .program("valgrind")
        .and_then(|program| System::run(&program, &["--version"]))
        .filter(|output| output.status.success());
    match version {
        Some(output) => Finding::ok("valgrind", first_line(&output)),
        None => Finding::missing("valgrind", "not installed, or it does not run")
            .advise("apt-get install valgrind: ci/instructions counts with it"),
    }
}
