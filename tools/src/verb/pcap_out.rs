//! `--pcap-out`: what would be sent, written and not sent.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use corelane::io::pcap::{PcapWriteError, PcapWriter};

use crate::cli::Usage;
use crate::exit::Exit;
use crate::generator::{CaptureOutError, Pace, Source, Window, write_capture};
use crate::interrupt::Interrupt;
use crate::run::{Failure, print, say};

/// Writes the frames of a window, each at its planned time; `-` is standard output.
///
/// # Errors
/// They have no times, as `at` says, for which there is something else to say (wrong usage); the file cannot be made
/// (likewise) or not be written.
pub(super) fn write(
    file: &Path,
    source: &mut impl Source,
    window: Window,
    (at, instead): (&str, &str),
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let Pace::Planned(plan) = window.pace else {
        let why = format!("at {at} frames have no times");
        return Err(Usage::value("--pcap-out", &why, instead).into());
    };
    let is_stdout = file == Path::new("-");
    let name = file.display();
    let end = window.duration.and_then(|it| it.as_nanos().try_into().ok());
    let (end, most) = (end.unwrap_or(u64::MAX), window.frames.unwrap_or(u64::MAX));
    let out: Box<dyn Write> = if is_stdout {
        Box::new(io::stdout().lock())
    } else {
        let made = File::create(file);
        Box::new(
            made.map_err(|error| Usage::new(format!("--pcap-out: cannot write {name}: {error}")))?,
        )
    };
    interrupt.begin();
    let written = PcapWriter::new(BufWriter::new(out))
        .map_err(CaptureOutError::from)
        .and_then(|mut out| write_capture(source, plan, end, most, interrupt, &mut out));
    let frames = match written {
        Ok(frames) => frames,
        // Whoever read it has enough.
        Err(CaptureOutError::Write(PcapWriteError::Io(error)))
            if is_stdout && error.kind() == ErrorKind::BrokenPipe =>
        {
            return Ok(Exit::Done);
        }
        Err(error) => return Err(Failure::Run(format!("--pcap-out: {name}: {error}"))),
    };
    let (exit, why) = if interrupt.is_raised() {
        (Exit::Interrupted, "; interrupted")
    } else {
        (Exit::Done, "")
    };
    if is_stdout {
        say(&format!(
            "corelane: {frames} frames written, none sent{why}"
        ));
    } else {
        print(&format!(
            "{frames} frames written to {name}, none sent{why}\n"
        ))?;
    }
    Ok(exit)
}
