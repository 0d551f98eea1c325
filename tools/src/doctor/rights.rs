//! What this process may do.

use super::{Finding, System};

/// Capabilities by their numbers (capability.h of Linux).
const WANTED: [(u32, &str); 7] = [
    (NET_ADMIN, "net_admin"),
    (NET_RAW, "net_raw"),
    (IPC_LOCK, "ipc_lock"),
    (SYS_ADMIN, "sys_admin"),
    (23, "sys_nice"),
    (38, "perfmon"),
    (39, "bpf"),
];
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
pub(super) const IPC_LOCK: u32 = 14;
const SYS_ADMIN: u32 = 21;

/// Whether it has a capability.
pub(super) fn has(system: &System, capability: u32) -> bool {
    effective(system).is_some_and(|set| set & (1 << capability) != 0)
}

fn effective(system: &System) -> Option<u64> {
    u64::from_str_radix(&system.field("/proc/self/status", "CapEff")?, 16).ok()
}

/// Which of the capabilities that links and measuring want.
pub(super) fn capabilities(system: &System) -> Finding {
    const NAME: &str = "capabilities";
    let Some(set) = effective(system) else {
        return Finding::limited(NAME, "the system does not say which this process has");
    };
    let (has, lacks): (Vec<_>, Vec<_>) = WANTED
        .iter()
        .partition(|(number, _)| set & (1 << number) != 0);
    let list = |of: &[&(u32, &str)]| {
        let names: Vec<_> = of.iter().map(|(_, name)| *name).collect();
        names.join(" ")
    };
    if lacks.is_empty() {
        Finding::ok(NAME, list(&has))
    } else if has.is_empty() {
        Finding::missing(NAME, "none of those that real links want").advise(
            "root, setcap cap_net_admin,cap_net_raw+ep on the program, or a namespace: unshare -rn",
        )
    } else {
        Finding::limited(NAME, format!("{}; not {}", list(&has), list(&lacks)))
    }
}
