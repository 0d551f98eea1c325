//! What the two readers fill: the index of a capture's packets.

use super::capture::{CaptureCounts, Record};
use super::error::PcapBreak;
use super::framing::Unframed;
use super::{LinkKind, PcapEnd};

/// More captured bytes than this in a packet are a damaged header: capture tools have the same
/// bound, and without it one damaged length can swallow the packets after it.
pub(super) const MAX_CAPTURED: u32 = 262_144;

/// A packet as the file has it.
pub(super) struct RawPacket<'a> {
    /// Nanoseconds since 1970; none in a pcapng simple packet block.
    pub(super) time: Option<i64>,
    pub(super) kind: LinkKind,
    /// Where `data` starts in the file.
    pub(super) offset: usize,
    pub(super) data: &'a [u8],
    pub(super) original_len: u32,
}

/// Collects the packets of a file.
#[derive(Default)]
pub(super) struct Loader {
    pub(super) records: Vec<Record>,
    pub(super) counts: CaptureCounts,
    /// The records at the start that had no time and wait for the first one.
    untimed: usize,
    timed: bool,
}

impl Loader {
    pub(super) fn packet(&mut self, packet: &RawPacket<'_>) {
        if packet.data.is_empty() {
            self.counts.zero_length += 1;
            return;
        }
        let framing = match packet.kind.framing(packet.data) {
            Ok(framing) => framing,
            Err(Unframed::TooShort) => {
                self.counts.header_too_short += 1;
                return;
            }
            Err(Unframed::UnknownProtocol) => {
                self.counts.unknown_protocol += 1;
                return;
            }
        };
        let previous = self.records.last().map_or(0, |record| record.time);
        let time = packet.time.unwrap_or(previous);
        if packet.time.is_some() && !self.timed {
            self.timed = true;
            for record in &mut self.records[..self.untimed] {
                record.time = time;
            }
        } else if !self.timed {
            self.untimed += 1;
        } else if time < previous {
            self.counts.out_of_order += 1;
        }
        // Lossless: a file is at most u32::MAX bytes long.
        let len = packet.data.len() as u32;
        let original_len = packet.original_len.max(len);
        if original_len > len {
            self.counts.snap_truncated += 1;
        }
        self.counts.packets += 1;
        let strip = u32::from(framing.strip);
        self.records.push(Record {
            time,
            offset: packet.offset as u32 + strip,
            len: len - strip,
            original_len: original_len - strip,
            kind: packet.kind,
            header: framing.header,
        });
    }

    /// The end of a file whose record or block at `at_byte` could not be used.
    pub(super) fn broken(&self, at_byte: usize, why: PcapBreak) -> PcapEnd {
        PcapEnd::Truncated {
            after_packets: self.counts.in_file(),
            at_byte: at_byte as u64,
            why,
        }
    }
}
