//! Writing pcap files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use thiserror::Error;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const VERSION: (u16, u16) = (2, 4);
const SNAP_LEN: u32 = 262_144;
const ETHERNET: u32 = 1;

/// Writes Ethernet frames to a pcap file: little-endian, time stamps in nanoseconds.
///
/// The same calls write the same bytes on every machine. What is written is in the hands of the
/// writer underneath after [`flush`](Self::flush).
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
}

/// A frame that was not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PcapWriteError {
    /// The file could not be written.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
    /// The time does not fit the format: 32 bits of seconds, which is 136 years.
    #[error("a time of {time_ns} ns is too late for a pcap file")]
    Time {
        /// The time, in nanoseconds.
        time_ns: u64,
    },
    /// The frame is longer than the file's header allows.
    #[error("a frame of {len} bytes is too long for a pcap file, {SNAP_LEN} is the most")]
    TooLong {
        /// The frame's length, in bytes.
        len: usize,
    },
}

impl PcapWriter<BufWriter<File>> {
    /// Makes a file, or empties it if it is there.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, PcapWriteError> {
        Self::new(BufWriter::new(File::create(path)?))
    }
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header to `out`. Many small writes follow: `out` should buffer them.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn new(mut out: W) -> Result<Self, PcapWriteError> {
        let mut header = [0; 24];
        header[0..4].copy_from_slice(&MAGIC_NANOSECONDS.to_le_bytes());
        header[4..6].copy_from_slice(&VERSION.0.to_le_bytes());
        header[6..8].copy_from_slice(&VERSION.1.to_le_bytes());
        // Time zone and accuracy stay 0, as in every file.
        header[16..20].copy_from_slice(&SNAP_LEN.to_le_bytes());
        header[20..24].copy_from_slice(&ETHERNET.to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out })
    }

    /// Writes a frame with its time, in nanoseconds from the clock's zero (1970 for the tools that
    /// read such files).
    ///
    /// # Errors
    /// The time or the length does not fit the format, and nothing was written; or the write failed,
    /// and what follows in the file is undefined.
    pub fn write(&mut self, time_ns: u64, frame: &[u8]) -> Result<(), PcapWriteError> {
        let seconds =
            u32::try_from(time_ns / 1_000_000_000).map_err(|_| PcapWriteError::Time { time_ns })?;
        let nanoseconds = (time_ns % 1_000_000_000) as u32;
        let len = u32::try_from(frame.len())
            .ok()
            .filter(|&len| len <= SNAP_LEN)
            .ok_or(PcapWriteError::TooLong { len: frame.len() })?;
        let mut header = [0; 16];
        header[0..4].copy_from_slice(&seconds.to_le_bytes());
        header[4..8].copy_from_slice(&nanoseconds.to_le_bytes());
        header[8..12].copy_from_slice(&len.to_le_bytes());
        header[12..16].copy_from_slice(&len.to_le_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(frame)?;
        Ok(())
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// The write failed.
    pub fn flush(&mut self) -> Result<(), PcapWriteError> {
        Ok(self.out.flush()?)
    }

    /// The writer underneath, flushed.
    ///
    /// # Errors
    /// The write failed.
    pub fn into_inner(mut self) -> Result<W, PcapWriteError> {
        self.flush()?;
        Ok(self.out)
    }
}
