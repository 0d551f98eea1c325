//! Why a capture is refused, and how one that was read ended.

use std::io;

use thiserror::Error;

use super::LinkType;

/// A capture file that cannot be used at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PcapError {
    /// The file could not be opened or read.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is larger than [`MAX_FILE`](super::MAX_FILE), or than memory.
    #[error("{file}: larger than {limit} bytes, the most that is read into memory")]
    TooLarge {
        /// The file.
        file: String,
        /// The most bytes there was room for.
        limit: u64,
    },
    /// The file has no bytes.
    #[error("{file}: the file is empty")]
    Empty {
        /// The file.
        file: String,
    },
    /// The file ends inside its header.
    #[error("{file}: {len} bytes, too short for the {needs}-byte header of a capture file")]
    TooShort {
        /// The file.
        file: String,
        /// The bytes it has.
        len: usize,
        /// The bytes the header needs.
        needs: usize,
    },
    /// The file does not start like a capture.
    #[error(
        "{file}: not a pcap or pcapng file (it starts with {:02x} {:02x} {:02x} {:02x}{})",
        .magic[0], .magic[1], .magic[2], .magic[3],
        .looks_like.map(|what| format!(": {what}")).unwrap_or_default()
    )]
    NotACapture {
        /// The file.
        file: String,
        /// Its first bytes.
        magic: [u8; 4],
        /// What such a file is, if known.
        looks_like: Option<&'static str>,
    },
    /// A version of the format that is not supported.
    #[error("{file}: {format} version {major}.{minor} is not supported")]
    Version {
        /// The file.
        file: String,
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// The major version.
        major: u16,
        /// The minor version.
        minor: u16,
    },
    /// The first block of a pcapng file makes no sense.
    #[error("{file}: the section header of the pcapng file is malformed")]
    SectionHeader {
        /// The file.
        file: String,
    },
    /// A link type that cannot be made Ethernet of.
    #[error(
        "{file}: link type {link_type}{} is not supported; Ethernet, raw IP, BSD loopback and Linux cooked captures are",
        .interface.map(|index| format!(" of interface {index}")).unwrap_or_default()
    )]
    LinkType {
        /// The file.
        file: String,
        /// The link type.
        link_type: LinkType,
        /// The interface that has it, numbered in its section from 0 (pcapng only).
        interface: Option<u32>,
    },
}

/// How a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcapEnd {
    /// At the end of the file, between two packets.
    Complete,
    /// Before the end of the file or inside a packet; what came before was used.
    Truncated {
        /// The packets of the file before the break, those counted as skipped included.
        after_packets: u64,
        /// The byte of the file at which the record or block starts that could not be used.
        at_byte: u64,
        /// Why.
        why: PcapBreak,
    },
}

/// Why the rest of a capture could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PcapBreak {
    /// The file ends inside a packet's header or inside a block.
    #[error("the file ends inside a header or block")]
    HeaderCut,
    /// The file ends inside a packet.
    #[error("the file ends inside a packet of {captured} bytes, {missing} bytes are missing")]
    PacketCut {
        /// The bytes its header promises.
        captured: u32,
        /// How many of them are not there.
        missing: u32,
    },
    /// A header promises more bytes than any capture tool stores for a packet.
    #[error("a packet header says {captured} captured bytes, which is not credible")]
    CapturedLength {
        /// The bytes promised.
        captured: u32,
    },
    /// A pcapng block whose lengths contradict each other or its content.
    #[error("a block of type {block_type:#x} is malformed")]
    Block {
        /// The block's type.
        block_type: u32,
    },
    /// A packet of an interface that its section does not describe.
    #[error("a packet belongs to interface {interface}, which the file does not describe")]
    Interface {
        /// The interface's number.
        interface: u32,
    },
    /// A later section of a version that is not supported.
    #[error("a section of pcapng version {major}.{minor} is not supported")]
    Version {
        /// The major version.
        major: u16,
        /// The minor version.
        minor: u16,
    },
}
