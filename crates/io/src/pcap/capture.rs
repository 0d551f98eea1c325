//! A capture file in memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use corelane_frame::{Frame, NoRoom};

use super::framing::Substitute;
use super::load::Loader;
use super::{LinkKind, PcapEnd, PcapError, legacy, ng};

/// The largest file that is read, in bytes: 4 GiB less one.
pub const MAX_FILE: u64 = u32::MAX as u64;

const ETHERNET_HEADER: usize = corelane_wire::ETHERNET_HEADER_LEN;

/// A capture file, read whole and indexed: replaying it reads no file.
pub struct Capture {
    name: String,
    bytes: Vec<u8>,
    records: Vec<Record>,
    format: Format,
    end: PcapEnd,
    counts: CaptureCounts,
}

/// The format of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// pcap with time stamps in microseconds.
    PcapMicroseconds,
    /// pcap with time stamps in nanoseconds.
    PcapNanoseconds,
    /// pcapng.
    Pcapng,
}

/// What a capture holds, and what of it is not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureCounts {
    /// Packets that are delivered.
    pub packets: u64,
    /// Of `packets`: captured with fewer bytes than they had.
    pub snap_truncated: u64,
    /// Of `packets`: stamped earlier than the one before.
    pub out_of_order: u64,
    /// Skipped: no byte was captured.
    pub zero_length: u64,
    /// Skipped: shorter than the header of their link type.
    pub header_too_short: u64,
    /// Skipped: raw IP of no known version, or a loopback header of an address family not IP.
    pub unknown_protocol: u64,
}

impl CaptureCounts {
    /// Packets in the file, up to its break if it has one: delivered and skipped.
    pub fn in_file(&self) -> u64 {
        self.packets + self.skipped()
    }

    /// Packets that are not delivered.
    pub fn skipped(&self) -> u64 {
        self.zero_length + self.header_too_short + self.unknown_protocol
    }
}

/// A packet in the index: 32 bytes.
pub(super) struct Record {
    /// Nanoseconds since 1970.
    pub(super) time: i64,
    /// Where the data starts in the file, behind a link header that is replaced.
    pub(super) offset: u32,
    pub(super) len: u32,
    pub(super) original_len: u32,
    pub(super) kind: LinkKind,
    pub(super) header: Option<Substitute>,
}

impl Capture {
    /// Reads a capture file.
    ///
    /// # Errors
    /// The file cannot be read, is no capture, or is of a link type that is not supported. A file
    /// that breaks off is no error: see [`end`](Self::end).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PcapError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let fail = |source| PcapError::Io {
            file: name.clone(),
            source,
        };
        let too_large = |limit| PcapError::TooLarge {
            file: name.clone(),
            limit,
        };
        let mut file = File::open(path).map_err(fail)?;

        // The first bytes alone decide whether the rest is worth reading.
        let mut bytes = Vec::new();
        (&mut file).take(4).read_to_end(&mut bytes).map_err(fail)?;
        recognise(&name, &bytes)?;

        let len = file.metadata().map_err(fail)?.len();
        if len > MAX_FILE {
            return Err(too_large(MAX_FILE));
        }
        // The length is a hint: a pipe has none, and a file may be growing.
        bytes
            .try_reserve_exact(len as usize)
            .map_err(|_| too_large(len.saturating_sub(1)))?;
        let room = MAX_FILE - bytes.len() as u64;
        match file.take(room + 1).read_to_end(&mut bytes) {
            Ok(read) if read as u64 > room => return Err(too_large(MAX_FILE)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                return Err(too_large(bytes.len() as u64));
            }
            Err(error) => return Err(fail(error)),
        }
        Self::from_bytes(name, bytes)
    }

    /// Reads a capture file that is in memory; `name` stands for it in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, PcapError> {
        let name = name.into();
        if bytes.len() as u64 > MAX_FILE {
            return Err(PcapError::TooLarge {
                file: name,
                limit: MAX_FILE,
            });
        }
        let read = match recognise(&name, &bytes)? {
            Magic::Pcap => legacy::read,
            Magic::Pcapng => ng::read,
        };
        let mut loader = Loader::default();
        let (format, end) = read(&name, &bytes, &mut loader)?;
        let Loader {
            mut records,
            counts,
            ..
        } = loader;
        records.shrink_to_fit();
        Ok(Self {
            name,
            bytes,
            records,
            format,
            end,
            counts,
        })
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How the file ended: whether all of it could be used.
    pub fn end(&self) -> PcapEnd {
        self.end
    }

    /// What the file holds, and what of it is not delivered.
    pub fn counts(&self) -> CaptureCounts {
        self.counts
    }

    /// Packets that are delivered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no packet to deliver.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The time stamp of the first packet, in nanoseconds since 1970: what
    /// [`Packet::offset_ns`] counts from. 0 if there is none.
    pub fn first_time_ns(&self) -> i64 {
        self.records.first().map_or(0, |record| record.time)
    }

    /// The packet of this index, from 0.
    pub fn get(&self, index: usize) -> Option<Packet<'_>> {
        self.records.get(index).map(|record| self.packet(record))
    }

    /// The packets, in the order of the file.
    pub fn packets(
        &self,
    ) -> impl ExactSizeIterator<Item = Packet<'_>> + DoubleEndedIterator + Clone + '_ {
        self.records.iter().map(|record| self.packet(record))
    }

    fn packet<'a>(&'a self, record: &'a Record) -> Packet<'a> {
        let start = record.offset as usize;
        // In bounds by construction: the loader made the record of a slice of these bytes.
        let payload = self
            .bytes
            .get(start..start + record.len as usize)
            .unwrap_or_default();
        Packet {
            record,
            payload,
            first_time: self.first_time_ns(),
        }
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture")
            .field("name", &self.name)
            .field("format", &self.format)
            .field("counts", &self.counts)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// A packet of a [`Capture`], as an Ethernet frame.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    record: &'a Record,
    payload: &'a [u8],
    first_time: i64,
}

impl<'a> Packet<'a> {
    /// The time stamp, in nanoseconds since 1970. It may be before that of the packet before.
    pub fn time_ns(&self) -> i64 {
        self.record.time
    }

    /// The time stamp, in nanoseconds since the capture's first packet; 0 if it is before that.
    pub fn offset_ns(&self) -> u64 {
        // The difference of two i64 fits u64 where it is not negative.
        if self.record.time < self.first_time {
            0
        } else {
            self.record.time.abs_diff(self.first_time)
        }
    }

    /// The kind of link that the packet was captured on.
    pub fn link(&self) -> LinkKind {
        self.record.kind
    }

    /// The Ethernet header that stands for another link's: to be put in front of
    /// [`payload`](Self::payload). None if the payload has its own.
    pub fn substitute_header(&self) -> Option<[u8; ETHERNET_HEADER]> {
        self.record.header.map(Substitute::bytes)
    }

    /// The captured bytes, without a link header that is replaced.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The length of the frame, in bytes.
    pub fn len(&self) -> usize {
        self.header_len() + self.payload.len()
    }

    /// Whether the frame has no byte. Never: such packets are skipped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length that the frame would have had the capture kept all of it, in bytes.
    pub fn original_len(&self) -> usize {
        self.header_len() + self.record.original_len as usize
    }

    /// Whether the capture kept only the first bytes of the packet.
    pub fn is_snap_truncated(&self) -> bool {
        self.original_len() > self.len()
    }

    /// Makes `frame` this packet: its data, and as its receive time [`offset_ns`](Self::offset_ns).
    ///
    /// # Errors
    /// The packet is larger than the frame's slot has room for; the frame is left empty.
    pub fn write_to(&self, frame: &mut Frame) -> Result<(), NoRoom> {
        let written = match self.substitute_header() {
            Some(header) => frame
                .set_data(&header)
                .and_then(|()| frame.append(self.payload)),
            None => frame.set_data(self.payload),
        };
        match written {
            Ok(()) => frame.set_rx_time(self.offset_ns()),
            Err(_) => frame.truncate(0),
        }
        written
    }

    fn header_len(&self) -> usize {
        if self.record.header.is_some() {
            ETHERNET_HEADER
        } else {
            0
        }
    }
}

impl std::fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packet")
            .field("time_ns", &self.time_ns())
            .field("link", &self.link())
            .field("len", &self.len())
            .field("original_len", &self.original_len())
            .finish()
    }
}

enum Magic {
    Pcap,
    Pcapng,
}

/// What the first bytes of a file say it is.
fn recognise(file: &str, bytes: &[u8]) -> Result<Magic, PcapError> {
    let Some(&magic) = bytes.first_chunk::<4>() else {
        let file = file.to_owned();
        return Err(match bytes.len() {
            0 => PcapError::Empty { file },
            len => PcapError::TooShort {
                file,
                len,
                needs: 24,
            },
        });
    };
    let looks_like = match magic {
        [0xa1, 0xb2, 0xc3, 0xd4]
        | [0xd4, 0xc3, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0x3c, 0x4d]
        | [0x4d, 0x3c, 0xb2, 0xa1] => return Ok(Magic::Pcap),
        [0x0a, 0x0d, 0x0d, 0x0a] => return Ok(Magic::Pcapng),
        [0xa1, 0xb2, 0xcd, 0x34] | [0x34, 0xcd, 0xb2, 0xa1] => Some("a modified pcap format"),
        [b's', b'n', b'o', b'o'] => Some("snoop"),
        [0x1f, 0x8b, _, _] => Some("gzip, decompress it first"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd, decompress it first"),
        [0xfd, b'7', b'z', b'X'] => Some("xz, decompress it first"),
        [0x04, 0x22, 0x4d, 0x18] => Some("lz4, decompress it first"),
        [b'B', b'Z', b'h', _] => Some("bzip2, decompress it first"),
        _ => None,
    };
    Err(PcapError::NotACapture {
        file: file.to_owned(),
        magic,
        looks_like,
    })
}
