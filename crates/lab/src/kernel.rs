//! The kernel's side: devices by `ip`, and what it counts of them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process;

/// How long anything may take that should take no time.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Runs `ip` with these words.
///
/// # Errors
/// What it says.
pub fn ip(words: &str) -> Result<String> {
    let mut ip = Command::new("ip");
    let output = process::output(ip.args(words.split_whitespace()), Duration::from_secs(10))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`ip {words}`: {}", said.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// What the kernel counts of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    /// Packets that arrived.
    pub received: u64,
    /// Packets that arrived and were dropped.
    pub receive_dropped: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that could not be sent.
    pub send_dropped: u64,
}

impl DeviceCounts {
    /// Of a device of this thread's namespace.
    ///
    /// # Errors
    /// There is no such device.
    pub fn of(device: &str) -> Result<Self> {
        let table = fs::read_to_string("/proc/thread-self/net/dev")?;
        let counts = |line: &str| {
            let counts = line.trim().strip_prefix(device)?.strip_prefix(':')?;
            Some(counts.to_owned())
        };
        let line = table.lines().find_map(counts).context("no such device")?;
        let counts: Vec<u64> = line
            .split_whitespace()
            .map_while(|it| it.parse().ok())
            .collect();
        let at = |column: usize| counts.get(column).copied().context("a short line");
        Ok(Self {
            received: at(1)?,
            receive_dropped: at(3)?,
            sent: at(9)?,
            send_dropped: at(11)?,
        })
    }
}
