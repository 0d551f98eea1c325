//! What this machine can do for a dataplane and for measuring one, and what to change.
//!
//! | module | looks at |
//! |---|---|
//! | `cores` | the cores of this process, pinning, threads that share a core, frequency |
//! | `clock` | the clock source, and what reading it costs |
//! | `memory` | huge pages, memory that may be locked |
//! | `programs` | perf with what the kernel lets it count, valgrind |
//! | `rights` | capabilities, namespaces |
//! | `links` | TAP, AF_PACKET and AF_XDP, by trying: in a network namespace of their own, so that nothing of the machine is touched |
//! | `system` | the files under `/proc` and `/sys`, and programs |
//!
//! Every file may be missing, unreadable or full of something else: that is a finding, never an error.

mod clock;
mod cores;
mod links;
mod memory;
mod programs;
mod report;
mod rights;
mod system;

use serde::Serialize;

pub use links::{PROBE, probe};
pub use report::Diagnosis;
pub use system::System;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, with less precision, speed or comfort than it could.
    Limited,
    /// It is not to be had.
    Missing,
}

impl Status {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

/// What was found out about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: one of [`NAMES`].
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// What was seen.
    pub found: String,
    /// What to change; nothing where all is well, or nothing can be done.
    pub advice: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            advice: None,
        }
    }

    fn limited(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            status: Status::Limited,
            ..Self::ok(name, found)
        }
    }

    fn missing(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            status: Status::Missing,
            ..Self::ok(name, found)
        }
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }
}

/// What is looked at, in the order of the report.
pub const NAMES: [&str; 16] = [
    "cores",
    "pinning",
    "priority",
    "smt",
    "frequency",
    "clock",
    "huge_pages",
    "locked_memory",
    "perf",
    "hardware_events",
    "valgrind",
    "capabilities",
    "namespaces",
    "tap",
    "af_packet",
    "af_xdp",
];

/// Looks at everything. The links are tried by a process of this program: see [`probe`].
pub fn examine(system: &System) -> Diagnosis {
    let mut findings = vec![
        cores::cores(system),
        cores::pinning(),
        cores::priority(system),
        cores::smt(system),
        cores::frequency(system),
        clock::clock(system),
        memory::huge_pages(system),
        memory::locked(system),
    ];
    findings.extend(programs::perf(system));
    findings.extend([programs::valgrind(system), rights::capabilities(system)]);
    findings.extend(links::examine(system));
    Diagnosis::new(findings)
}

#[cfg(test)]
mod tests;
