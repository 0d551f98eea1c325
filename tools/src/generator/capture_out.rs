//! What would be sent, as a capture.

use std::io::Write;

use corelane::frame::{Burst, LINE, Pool, PoolConfig, PoolError};
use corelane::io::pcap::{PcapWriteError, PcapWriter};

use super::{Plan, Source};
use crate::interrupt::Interrupt;

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureOutError {
    /// There is no memory for frames.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] PcapWriteError),
}

/// Writes the frames that are due before `end` nanoseconds, at most so many, each at its planned time, until somebody
/// interrupts, and says how many they are. They are those that the generator sends first.
///
/// # Errors
/// There is no memory, or the capture cannot be written.
pub fn write_capture<W: Write>(
    source: &mut impl Source,
    mut plan: Plan,
    end: u64,
    most: u64,
    interrupt: &Interrupt,
    out: &mut PcapWriter<W>,
) -> Result<u64, CaptureOutError> {
    let default = PoolConfig::default();
    let needed = (default.headroom + source.longest()).next_multiple_of(LINE);
    let pool = Pool::new(PoolConfig {
        slot_size: default.slot_size.max(needed),
        ..default
    })?;
    let mut cache = pool.cache();
    let mut burst = Burst::new();
    let mut written = 0;
    while written < most
        && !interrupt.is_raised()
        && let Some((time, stream)) = plan.next_before(end)
    {
        cache.alloc_burst(&mut burst, 1);
        source.fill(stream, &mut burst);
        for frame in &burst {
            out.write(time, frame.data())?;
            written += 1;
        }
        cache.recycle_burst(&mut burst);
    }
    out.flush()?;
    Ok(written)
}
