//! Memory.

use super::{Finding, System};

/// Whether a pool could be of large pages.
pub(super) fn huge_pages(system: &System) -> Finding {
    let field = |name| system.field("/proc/meminfo", name);
    let count = |name| field(name).and_then(|text| text.parse::<u64>().ok());
    let transparent = system
        .read("/sys/kernel/mm/transparent_hugepage/enabled")
        .and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned()));
    let thp = transparent.as_deref().unwrap_or("unknown");
    match (count("HugePages_Total"), count("HugePages_Free")) {
        (None, _) => Finding::missing("huge_pages", "the kernel has none"),
        (Some(0), _) => Finding::limited(
            "huge_pages",
            format!("none reserved; transparent ones: {thp}"),
        )
        .advise("the engine does without; for other dataplanes: sysctl vm.nr_hugepages=512"),
        (Some(total), free) => {
            let size = field("Hugepagesize").unwrap_or_else(|| "unknown size".to_owned());
            let free = free.map_or_else(|| "?".to_owned(), |free| free.to_string());
            let found = format!("{free} of {total} free, of {size}; transparent ones: {thp}");
            Finding::ok("huge_pages", found)
        }
    }
}

/// Whether as much may be locked as AF_XDP and others ask for.
pub(super) fn locked(system: &System) -> Finding {
    const NAME: &str = "locked_memory";
    const ENOUGH: u64 = 64 << 20;
    let limits = system.read("/proc/self/limits").unwrap_or_default();
    let soft = limits.lines().find_map(|line| {
        let rest = line.strip_prefix("Max locked memory")?;
        rest.split_whitespace().next()
    });
    let may_anyway = super::rights::has(system, super::rights::IPC_LOCK);
    match soft {
        Some("unlimited") => Finding::ok(NAME, "unlimited"),
        Some(text) => match text.parse::<u64>() {
            Ok(bytes) if bytes >= ENOUGH => Finding::ok(NAME, format!("{} MiB", bytes >> 20)),
            Ok(bytes) if may_anyway => Finding::ok(
                NAME,
                format!("{} MiB, which CAP_IPC_LOCK lifts", bytes >> 20),
            ),
            Ok(bytes) => Finding::limited(NAME, format!("{} MiB", bytes >> 20))
                .advise("ulimit -l unlimited, or LimitMEMLOCK=infinity of a service"),
            Err(_) => Finding::limited(NAME, format!("a limit that is no number: {text}")),
        },
        None => Finding::limited(NAME, "the system does not say how much may be locked"),
    }
}
