//! `--pcap-out`: what would be sent, written and not sent.

use std::fmt::Display;
use std::path::Path;

use corelane::io::pcap::PcapWriter;

use crate::cli::Usage;
use crate::exit::Exit;
use crate::generator::{Pace, Source, Window, write_capture};
use crate::run::{Failure, print};

/// Writes the frames of a window, each at its planned time.
///
/// # Errors
/// They have no times, as `at` says, for which there is something else to say (wrong usage); the file cannot be made
/// (likewise) or not be written.
pub(super) fn write(
    file: &Path,
    source: &mut impl Source,
    window: Window,
    (at, instead): (&str, &str),
) -> Result<Exit, Failure> {
    let Pace::Planned(plan) = window.pace else {
        let why = format!("at {at} frames have no times");
        return Err(Usage::value("--pcap-out", &why, instead).into());
    };
    let name = file.display();
    let fail = |error: &dyn Display| Failure::Run(format!("cannot write {name}: {error}"));
    let end = window.duration.and_then(|it| it.as_nanos().try_into().ok());
    let (end, most) = (end.unwrap_or(u64::MAX), window.frames.unwrap_or(u64::MAX));
    let mut out = PcapWriter::create(file)
        .map_err(|error| Usage::new(format!("--pcap-out: {name}: {error}")))?;
    let frames = write_capture(source, plan, end, most, &mut out).map_err(|error| fail(&error))?;
    print(&format!("{frames} frames written to {name}, none sent\n"))?;
    Ok(Exit::Done)
}
