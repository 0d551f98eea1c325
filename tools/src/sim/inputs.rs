//! The captures of a run, as one sequence of frames in the order of their times.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use corelane::io::pcap::{Capture, Packet, PcapEnd, PcapWriter};

use super::frame_text::{parse_frames, write_capture};
use crate::cli::{Input, Usage};
use crate::config::Config;
use crate::unit::nearest;

/// What arrives when, and where.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// The time, in nanoseconds from the first frame of all captures.
    pub(super) at_ns: u64,
    /// The index of the NIC in the configuration.
    pub(super) nic: usize,
    capture: Arc<Capture>,
    /// The frame's index in its capture.
    packet: usize,
}

impl Arrival {
    /// The frame; None never, as arrivals are made of what is there.
    pub(super) fn packet(&self) -> Option<Packet<'_>> {
        self.capture.get(self.packet)
    }
}

/// The captures.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// All frames: by time, those of the same time in the order of `--in`, then of their file.
    pub(super) arrivals: Vec<Arrival>,
    /// The length of the longest frame, in bytes.
    pub(super) longest: usize,
    /// What could not be used.
    pub(super) warnings: Vec<String>,
}

impl Inputs {
    /// Reads the captures.
    ///
    /// # Errors
    /// One of them cannot be read, or is for a NIC that is not in the configuration.
    pub(super) fn open(inputs: &[Input], config: &Config) -> Result<Self, Usage> {
        let captures = inputs
            .iter()
            .map(|input| {
                let nic = nic_of(input, config)?;
                let capture = capture_of(&input.file)
                    .map_err(|error| Usage::new(format!("--in {}: {error}", input.nic)))?;
                Ok((nic, Arc::new(capture)))
            })
            .collect::<Result<Vec<_>, Usage>>()?;
        Ok(Self::of(&captures))
    }

    fn of(captures: &[(usize, Arc<Capture>)]) -> Self {
        let packets = || captures.iter().flat_map(|(_, capture)| capture.packets());
        let zero = packets().map(|packet| packet.time_ns()).min().unwrap_or(0);
        let mut arrivals = Vec::new();
        for (nic, capture) in captures {
            arrivals.extend(
                capture
                    .packets()
                    .enumerate()
                    .map(|(number, packet)| Arrival {
                        // None is before the first.
                        at_ns: packet.time_ns().abs_diff(zero),
                        nic: *nic,
                        capture: Arc::clone(capture),
                        packet: number,
                    }),
            );
        }
        arrivals.sort_by_key(|arrival| arrival.at_ns);
        Self {
            arrivals,
            longest: packets().map(|packet| packet.len()).max().unwrap_or(0),
            warnings: captures.iter().flat_map(|(_, c)| warnings(c)).collect(),
        }
    }
}

/// Reads a capture; a file whose name ends in `.txt` has its frames as [text](frame_text).
fn capture_of(path: &Path) -> Result<Capture, String> {
    if path.extension().is_none_or(|extension| extension != "txt") {
        return Capture::open(path).map_err(|error| error.to_string());
    }
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let frames = parse_frames(&text).map_err(|error| format!("{name}: {error}"))?;
    let bytes = PcapWriter::new(Vec::new())
        .and_then(|writer| write_capture(writer, &frames))
        .map_err(|error| format!("{name}: {error}"))?;
    Capture::from_bytes(name, bytes).map_err(|error| error.to_string())
}

fn nic_of(input: &Input, config: &Config) -> Result<usize, Usage> {
    let found = config.nics.iter().position(|nic| nic.name == input.nic);
    found.ok_or_else(|| {
        let names = || config.nics.iter().map(|nic| nic.name.as_str());
        let name = &input.nic;
        Usage::new(match nearest(name, names()) {
            Some(meant) => {
                format!(
                    "--in: {} has no NIC '{name}'; did you mean '{meant}'?",
                    config.file
                )
            }
            None => format!(
                "--in: {} has no NIC '{name}'; there are: {}",
                config.file,
                names().collect::<Vec<_>>().join(", ")
            ),
        })
    })
}

fn warnings(capture: &Capture) -> Vec<String> {
    let mut warnings = Vec::new();
    let (name, counts) = (capture.name(), capture.counts());
    if let PcapEnd::Truncated {
        after_packets,
        at_byte,
        why,
    } = capture.end()
    {
        warnings.push(format!(
            "{name}: the rest could not be used, after packet {after_packets}, at byte {at_byte}: \
             {why}"
        ));
    }
    if counts.skipped() > 0 {
        let skipped = counts.skipped();
        warnings.push(format!(
            "{name}: no frame could be made of {skipped} packets"
        ));
    }
    if counts.snap_truncated > 0 {
        let cut = counts.snap_truncated;
        warnings.push(format!(
            "{name}: {cut} packets were cut short when they were captured"
        ));
    }
    if counts.out_of_order > 0 {
        let late = counts.out_of_order;
        warnings.push(format!(
            "{name}: {late} packets have a time before the one in front of them"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(name: &str, packets: &[(u64, u8)]) -> Arc<Capture> {
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        for (time, byte) in packets {
            writer.write(*time, &[*byte; 20]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        Arc::new(Capture::from_bytes(name, bytes).unwrap())
    }

    #[test]
    fn the_first_frame_of_all_is_at_time_0_and_ties_are_in_the_order_given() {
        let captures = [
            (1, capture("a", &[(500, 1), (700, 2)])),
            (0, capture("b", &[(700, 3), (100, 4), (700, 5)])),
        ];
        let inputs = Inputs::of(&captures);
        let order: Vec<_> = inputs
            .arrivals
            .iter()
            .map(|a| (a.at_ns, a.nic, a.packet().unwrap().payload()[0]))
            .collect();
        assert_eq!(
            order,
            [
                (0, 0, 4),
                (400, 1, 1),
                (600, 1, 2),
                (600, 0, 3),
                (600, 0, 5)
            ]
        );
        assert_eq!(inputs.longest, 20);
        let warning = "b: 1 packets have a time before the one in front of them";
        assert_eq!(inputs.warnings, [warning]);
    }
}
