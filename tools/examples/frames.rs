//! Frames as text to a capture, and back.
//!
//! ```text
//! cargo run -p corelane-tools --example frames -- in.txt in.pcap
//! cargo run -p corelane-tools --example frames -- out.pcap out.txt
//! cargo run -p corelane-tools --example frames -- out.pcap
//! ```
//!
//! Times of a capture that does not begin in 1970, as those of a simulation do, count from its first
//! frame.
//!
//! A file whose name ends in `.txt` is text (`corelane_tools::sim::frame_text` says how it is
//! written); any other is a capture, pcap or, to be read, pcapng. Without a second file the text goes
//! to standard output.

use std::error::Error;
use std::path::Path;

use corelane::io::pcap::{Capture, PcapWriter};
use corelane_tools::sim::frame_text::{TimedFrame, parse_frames, write_capture, write_frames};

const YEAR_NS: i64 = 365 * 24 * 3600 * 1_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(from), to, None) = (args.next(), args.next(), args.next()) else {
        return Err("usage: frames FROM.txt TO.pcap, or frames FROM.pcap [TO.txt]".into());
    };
    let frames = read(Path::new(&from))?;
    match to {
        None => print!("{}", write_frames(&frames)),
        Some(to) => write(Path::new(&to), &frames)?,
    }
    Ok(())
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "txt")
}

fn read(path: &Path) -> Result<Vec<TimedFrame>, Box<dyn Error>> {
    let name = path.display();
    if is_text(path) {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        return Ok(parse_frames(&text).map_err(|error| format!("{name}: {error}"))?);
    }
    let capture = Capture::open(path)?;
    let first = capture
        .packets()
        .map(|packet| packet.time_ns())
        .min()
        .unwrap_or(0);
    let zero = if (0..YEAR_NS).contains(&first) {
        0
    } else {
        first
    };
    let frame = |packet: corelane::io::pcap::Packet<'_>| TimedFrame {
        at_ns: packet.time_ns().abs_diff(zero),
        frame: [
            packet
                .substitute_header()
                .map_or(Vec::new(), |header| header.to_vec()),
            packet.payload().to_vec(),
        ]
        .concat(),
    };
    Ok(capture.packets().map(frame).collect())
}

fn write(path: &Path, frames: &[TimedFrame]) -> Result<(), Box<dyn Error>> {
    if is_text(path) {
        std::fs::write(path, write_frames(frames))?;
        return Ok(());
    }
    write_capture(PcapWriter::create(path)?, frames)?;
    Ok(())
}
