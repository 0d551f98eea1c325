//! Where and under which conditions this was measured.

use std::fmt;
use std::fs;

use serde::Serialize;

use super::cores;
use super::probe::Taken;

/// The machine as far as it matters to a result.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name for itself.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The core of the measured thread, if it is pinned.
    pub pinned_to: Option<usize>,
    /// Whether the kernel gives huge pages: the choice in brackets; empty if unknown.
    pub transparent_huge_pages: String,
    /// Runnable threads of the last minute when the bench started: above the bench's own, others
    /// were using the machine.
    pub load_before: Option<f64>,
    /// Nanoseconds for a cache line to the other core and back, at the start; None on one core.
    pub round_trip_ns: Option<f64>,
    /// What was taken of the core at the start; None if that was not looked at.
    pub taken: Option<Taken>,
    /// Whether the build is optimised.
    pub optimised: bool,
}

impl Machine {
    /// This one.
    pub(super) fn here(
        pinned_to: Option<usize>,
        round_trip_ns: Option<f64>,
        taken: Option<Taken>,
    ) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo")
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == "model name")
            .map_or_else(
                || std::env::consts::ARCH.to_owned(),
                |(_, v)| v.trim().to_owned(),
            );
        let thp = read("/sys/kernel/mm/transparent_hugepage/enabled");
        let thp = thp.split(['[', ']']).nth(1).unwrap_or_default();
        Self {
            cpu,
            cores: cores::count(),
            pinned_to,
            transparent_huge_pages: thp.to_owned(),
            load_before: load(),
            round_trip_ns,
            taken,
            optimised: !cfg!(debug_assertions),
        }
    }
}

/// Runnable threads, over the last minute.
pub(super) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores", self.cpu, self.cores)?;
        match self.pinned_to {
            Some(core) => write!(f, ", pinned to core {core}")?,
            None => write!(f, ", not pinned")?,
        }
        let thp = self.transparent_huge_pages.as_str();
        write!(f, ", THP {}", if thp.is_empty() { "unknown" } else { thp })?;
        if let Some(ns) = self.round_trip_ns {
            write!(f, ", core to core and back {ns:.0} ns")?;
        }
        if let Some(taken) = self.taken {
            write!(f, ", {taken}")?;
        }
        if let Some(load) = self.load_before {
            write!(f, ", load {load:.2} before")?;
        }
        if !self.optimised {
            write!(f, ", NOT OPTIMISED")?;
        }
        Ok(())
    }
}

/// Whether there is a second core to measure with.
pub(super) fn distance() -> Option<f64> {
    cores::have_two_cores().then(super::probe::round_trip)
}
