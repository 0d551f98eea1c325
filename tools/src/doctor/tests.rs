use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// A machine made of files, removed at the end.
struct Fake(PathBuf);

impl Fake {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root =
            std::env::temp_dir().join(format!("corelane-doctor-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("bin")).unwrap();
        for (path, text) in files {
            write(&root.join(path.trim_start_matches('/')), text.as_bytes());
        }
        Self(root)
    }

    fn system(&self) -> System {
        System::at(&self.0, [self.0.join("bin")])
    }

    fn program(&self, name: &str, script: &str) {
        // Another process writes it: what this one has open to write, while another test forks, cannot be
        // run.
        let path = self.0.join("bin").join(name);
        let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod +x "$1""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", write, "sh"]).arg(&path).arg(script);
        assert!(shell.status().unwrap().success());
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What is there to be read, with something else in each.
const READ: [&str; 15] = [
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self/limits",
    "/proc/self/status",
    "/proc/sys/kernel/perf_event_paranoid",
    "/proc/sys/kernel/sched_autogroup_enabled",
    "/sys/fs/cgroup/cpu.max",
    "/sys/devices/system/cpu/isolated",
    "/sys/devices/system/cpu/smt/active",
    "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/cpufreq/boost",
    "/sys/devices/system/cpu/intel_pstate/no_turbo",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/kernel/mm/transparent_hugepage/enabled",
];

#[test]
fn an_odd_machine_has_a_finding_for_everything() {
    let odd: [&[u8]; 7] = [
        b"",
        b"\xff\xfe\0\x01",
        b"flags",
        b"flags\t:\nHugePages_Total: x kB\nCapEff: zz\nMax locked memory",
        b"18446744073709551616 -1",
        b"max 0",
        b"[[]]: : ,-\n:\n",
    ];
    for (i, bytes) in odd.iter().enumerate() {
        let fake = Fake::new(&format!("odd{i}"), &[]);
        for path in READ {
            write(&fake.0.join(path.trim_start_matches('/')), bytes);
        }
        let diagnosis = examine(&fake.system());
        let names: Vec<_> = diagnosis.findings().iter().map(|it| it.name).collect();
        assert_eq!(names, NAMES, "{i}");
        diagnosis.json().unwrap();
    }
}

#[test]
fn a_machine_without_files_or_programs_has_them_too() {
    let diagnosis = examine(&System::at("/nowhere/at/all", []));
    let names: Vec<_> = diagnosis.findings().iter().map(|it| it.name).collect();
    assert_eq!(names, NAMES);
    let missing: Vec<_> = diagnosis
        .findings()
        .iter()
        .filter(|it| it.status == Status::Missing)
        .map(|it| it.name)
        .collect();
    assert_eq!(
        missing,
        [
            "huge_pages",
            "perf",
            "hardware_events",
            "valgrind",
            "namespaces"
        ]
    );
    for name in missing {
        assert_eq!(diagnosis.lacks(&[name.to_owned()]), [name]);
    }
    assert!(
        diagnosis
            .lacks(&["cores".to_owned(), "af_xdp".to_owned()])
            .is_empty()
    );
}

#[test]
fn directories_where_files_should_be() {
    let fake = Fake::new("directories", &[]);
    for path in READ {
        fs::create_dir_all(fake.0.join(path.trim_start_matches('/'))).unwrap();
    }
    assert_eq!(examine(&fake.system()).findings().len(), NAMES.len());
}

#[test]
fn cores_are_what_the_control_group_leaves_of_them() {
    let quota = |text| {
        let fake = Fake::new("quota", &[("/sys/fs/cgroup/cpu.max", text)]);
        cores::cores(&fake.system())
    };
    let throttled = quota("50000 100000\n");
    assert_eq!(throttled.status, Status::Limited);
    assert!(
        throttled.found.contains("throttled to 0.50"),
        "{throttled:?}"
    );
    assert!(!quota("max 100000\n").found.contains("throttled"));
}

#[test]
fn threads_of_a_core_are_found() {
    const ACTIVE: &str = "/sys/devices/system/cpu/smt/active";
    let core = corelane::engine::allowed_cores()[0];
    let list = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let fake = Fake::new("smt", &[(ACTIVE, "1\n"), (&list, "0,4\n")]);
    let found = cores::smt(&fake.system());
    assert_eq!(found.status, Status::Limited);
    assert!(found.found.ends_with(": 0,4"), "{found:?}");
    let fake = Fake::new("no-smt", &[(ACTIVE, "0\n")]);
    assert_eq!(cores::smt(&fake.system()).status, Status::Ok);
}

#[test]
fn nice_counts_for_little_where_sessions_are_grouped() {
    const GROUPED: &str = "/proc/sys/kernel/sched_autogroup_enabled";
    let of =
        |files: &[(&str, &str)]| cores::priority(&Fake::new("priority", files).system()).status;
    assert_eq!(of(&[(GROUPED, "1\n")]), Status::Limited);
    assert_eq!(of(&[(GROUPED, "0\n")]), Status::Ok);
    assert_eq!(of(&[]), Status::Ok);
}

#[test]
fn frequency_is_steady_without_governor_or_boost() {
    let core = corelane::engine::allowed_cores()[0];
    let governor = format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
    const BOOST: &str = "/sys/devices/system/cpu/cpufreq/boost";
    for (text, boost, status) in [
        ("performance\n", "0\n", Status::Ok),
        ("performance\n", "1\n", Status::Limited),
        ("powersave\n", "0\n", Status::Limited),
    ] {
        let fake = Fake::new("governor", &[(&governor, text), (BOOST, boost)]);
        let found = cores::frequency(&fake.system());
        assert_eq!(found.status, status, "{found:?}");
    }
    let virtual_machine = [("/proc/cpuinfo", "flags\t: fpu hypervisor lahf_lm\n")];
    let fake = Fake::new("virtual", &virtual_machine);
    assert!(
        cores::frequency(&fake.system())
            .found
            .starts_with("a virtual machine")
    );
}

#[test]
fn memory_that_may_be_locked() {
    let locked = |limit: &str, capabilities: &str| {
        let limits = format!(
            "Limit  Soft Limit  Hard Limit  Units\nMax locked memory  {limit}  {limit}  bytes\n"
        );
        let status = format!("Name:\tx\nCapEff:\t{capabilities}\n");
        let files = [
            ("/proc/self/limits", &*limits),
            ("/proc/self/status", &*status),
        ];
        memory::locked(&Fake::new("locked", &files).system()).status
    };
    assert_eq!(locked("unlimited", "0"), Status::Ok);
    assert_eq!(locked("8388608", "0"), Status::Limited);
    assert_eq!(locked("8388608", "0000000000004000"), Status::Ok);
    assert_eq!(locked("67108864", "0"), Status::Ok);
}

#[test]
fn huge_pages_reserved_or_not() {
    let of = |text| memory::huge_pages(&Fake::new("huge", &[("/proc/meminfo", text)]).system());
    let some =
        of("HugePages_Total:     512\nHugePages_Free:      500\nHugepagesize:       2048 kB\n");
    assert_eq!(some.status, Status::Ok);
    assert!(
        some.found.starts_with("500 of 512 free, of 2048 kB"),
        "{some:?}"
    );
    assert_eq!(of("HugePages_Total:       0\n").status, Status::Limited);
    assert_eq!(of("MemTotal: 1 kB\n").status, Status::Missing);
}

#[test]
fn capabilities_by_name() {
    let of = |set| {
        let status = format!("CapEff:\t{set}\n");
        rights::capabilities(&Fake::new("rights", &[("/proc/self/status", &status)]).system())
    };
    assert_eq!(of("000001ffffffffff").status, Status::Ok);
    assert_eq!(of("0000000000000000").status, Status::Missing);
    let some = of("0000000000003000");
    assert_eq!(some.status, Status::Limited);
    assert!(
        some.found.starts_with("net_admin net_raw; not ipc_lock"),
        "{some:?}"
    );
}

#[test]
fn perf_is_what_it_can_count() {
    let paranoid = [("/proc/sys/kernel/perf_event_paranoid", "2\n")];
    // It says what the real one does: a count, or why there is none, before the name of the event.
    let perf = |script: &str| {
        let fake = Fake::new("perf", &paranoid);
        fake.program("perf", script);
        programs::perf(&fake.system())
    };
    let [clock, hardware] = perf(
        r#"case $5 in cycles*) c='<not supported>';; *) c=12.5;; esac; echo "$c,msec,$5,1,100" >&2"#,
    );
    assert_eq!(
        (clock.status, hardware.status),
        (Status::Ok, Status::Missing)
    );
    assert!(clock.found.ends_with("perf_event_paranoid 2"));
    assert!(hardware.found.ends_with("the kernel has no such event"));
    let [clock, hardware] = perf(
        r#"case $5 in *:u) echo "7,,$5,1,100" >&2;; *) echo "No permission to enable $5 event." >&2; exit 1;; esac"#,
    );
    assert_eq!(
        (clock.status, hardware.status),
        (Status::Limited, Status::Ok)
    );
    let [clock, hardware] = perf("exit 1");
    assert_eq!(
        (clock.status, hardware.status),
        (Status::Missing, Status::Missing)
    );
}

#[test]
fn the_text_has_a_line_for_each() {
    let finding = Finding::missing("huge_pages", "none").advise("reserve some");
    let text = Diagnosis::new(vec![finding, Finding::ok("clock", "tsc")]).text();
    assert!(text.ends_with(
        "\n\nmissing  huge pages       none\n                          -> reserve some\nok       clock            tsc\n"
    ), "{text}");
}
