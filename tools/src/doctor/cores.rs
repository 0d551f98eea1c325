//! Cores.

use std::collections::BTreeSet;

use corelane::engine::allowed_cores;

use super::{Finding, System};

const CPUS: &str = "/sys/devices/system/cpu";

/// How many there are for a generator and workers.
pub(super) fn cores(system: &System) -> Finding {
    let allowed = allowed_cores().len();
    // What a container may use of them in the time that passes.
    let quota = system.read("/sys/fs/cgroup/cpu.max").and_then(|text| {
        let (quota, period) = text.split_once(' ')?;
        let (quota, period) = (
            quota.parse::<f64>().ok()?,
            period.trim().parse::<f64>().ok()?,
        );
        (period > 0.0).then_some(quota / period)
    });
    let isolated = system
        .read(&format!("{CPUS}/isolated"))
        .filter(|list| !list.is_empty());
    let mut found = match allowed {
        0 => "the affinity mask cannot be read".to_owned(),
        1 => "1 core for this process".to_owned(),
        n => format!("{n} cores for this process"),
    };
    if let Some(list) = isolated {
        found += &format!(", isolated: {list}");
    }
    if let Some(quota) = quota.filter(|quota| *quota < allowed as f64) {
        found += &format!(", throttled to {quota:.2} of them by the control group");
        return Finding::limited("cores", found).advise(
            "raise cpu.max of the control group: threads that poll are put to sleep by it",
        );
    }
    match allowed {
        0 => Finding::limited("cores", found),
        1 => Finding::limited("cores", found)
            .advise("two or more: generator and worker take turns on one, and rates mean little"),
        _ => Finding::ok("cores", found),
    }
}

/// Whether threads stay where they are put.
pub(super) fn pinning() -> Finding {
    let Some(&id) = allowed_cores().first() else {
        return Finding::limited("pinning", "the affinity mask cannot be read");
    };
    let pinned =
        std::thread::spawn(move || core_affinity::set_for_current(core_affinity::CoreId { id }));
    if pinned.join().unwrap_or(false) {
        Finding::ok("pinning", "threads can be pinned to cores")
    } else {
        Finding::limited("pinning", format!("a thread cannot be pinned to core {id}"))
            .advise("allow sched_setaffinity (a sandbox forbids it): threads wander between cores")
    }
}

/// Whether `nice` puts a measurement before what else runs: where the scheduler groups sessions, it does not.
pub(super) fn priority(system: &System) -> Finding {
    const NAME: &str = "priority";
    match system.number("/proc/sys/kernel/sched_autogroup_enabled") {
        Some(1) => Finding::limited(
            NAME,
            "the scheduler groups sessions: nice counts within one, and each gets as much as the others",
        )
        .advise(
            "as root, in the shell that measures, echo -19 > /proc/self/autogroup (or echo 0 > \
             /proc/sys/kernel/sched_autogroup_enabled), and then nice -n -19 corelane ...",
        ),
        _ => Finding::ok(NAME, "nice puts a process before all others"),
    }
}

/// Whether two threads share a core.
pub(super) fn smt(system: &System) -> Finding {
    let siblings: BTreeSet<String> = allowed_cores()
        .iter()
        .filter_map(|core| system.read(&format!("{CPUS}/cpu{core}/topology/thread_siblings_list")))
        .filter(|list| list.contains([',', '-']))
        .collect();
    match system.number(&format!("{CPUS}/smt/active")) {
        Some(0) => Finding::ok("smt", "no two cores of the list are threads of one"),
        Some(_) => {
            let pairs: Vec<_> = siblings.into_iter().collect();
            Finding::limited("smt", format!("cores share an execution unit: {}", pairs.join(" | ")))
                .advise("give generator and workers cores that do not (--cores), or echo off > /sys/devices/system/cpu/smt/control")
        }
        None => Finding::limited(
            "smt",
            "the system does not say which cores are threads of one",
        ),
    }
}

/// Whether the frequency is steady.
pub(super) fn frequency(system: &System) -> Finding {
    let governors: BTreeSet<String> = allowed_cores()
        .iter()
        .filter_map(|core| system.read(&format!("{CPUS}/cpu{core}/cpufreq/scaling_governor")))
        .collect();
    let is_virtual = system
        .field("/proc/cpuinfo", "flags")
        .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"));
    if governors.is_empty() {
        let why = if is_virtual {
            "a virtual machine: frequency, and whose turn it is on a core, are the host's"
        } else {
            "the system does not say how the frequency is set"
        };
        return Finding::limited("frequency", why)
            .advise("compare within a run, interleaved (corelane compare --a ... --b ...)");
    }
    let list = governors.iter().cloned().collect::<Vec<_>>().join(", ");
    let boosts = system.number(&format!("{CPUS}/intel_pstate/no_turbo")) == Some(0)
        || system.number(&format!("{CPUS}/cpufreq/boost")) == Some(1);
    let found = format!(
        "governor {list}{}",
        if boosts { ", with boost" } else { "" }
    );
    if governors.iter().any(|governor| governor != "performance") {
        Finding::limited("frequency", found).advise("cpupower frequency-set -g performance")
    } else if boosts {
        Finding::limited("frequency", found)
            .advise("turn boost off where figures have to repeat: it falls as the machine warms")
    } else {
        Finding::ok("frequency", found)
    }
}
