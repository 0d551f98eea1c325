//! The kernel's side: devices by `ip`, sockets, what it counts.

use std::fs;
use std::time::Duration;

use corelane_lab::kernel::DeviceCounts;

pub(crate) use corelane_lab::echo::{echo, udp};
pub(crate) use corelane_lab::kernel::{PATIENCE, ip};
pub(crate) use corelane_lab::ping::Pinger;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long what has to happen may take where machines are loaded: nobody waits in vain for it.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Packets received and sent by a device, as the kernel counts them.
pub(crate) fn packets(device: &str) -> Result<(u64, u64)> {
    let counts = DeviceCounts::of(device)?;
    Ok((counts.received, counts.sent))
}

/// Packets that the kernel could not send on a device.
pub(crate) fn dropped(device: &str) -> Result<u64> {
    Ok(DeviceCounts::of(device)?.send_dropped)
}

/// Tries until it holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let mut error = None;
    let held = corelane_lab::eventually(what, LONG, || {
        Ok(holds().unwrap_or_else(|it| {
            error = Some(it);
            true
        }))
    });
    error.map_or(Ok(held?), Err)
}

/// Processor time of this process.
pub(crate) fn processor_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("a strange /proc/self/stat")?.1;
    let fields: Vec<_> = after.split_whitespace().collect();
    // utime and stime, in hundredths of a second.
    let ticks: u64 = fields
        .get(11..13)
        .ok_or("too short")?
        .iter()
        .map_while(|it| it.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}
