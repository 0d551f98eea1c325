//! Writing pcapng.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};

/// Ten to the minus nine.
const NANOSECONDS: u8 = 9;

/// What is captured on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name, as the NIC's.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Bytes kept of each frame at most; 0 for all.
    pub snap_len: u32,
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameDirection {
    /// It was received.
    Inbound,
    /// It was sent.
    Outbound,
}

/// What came of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounts {
    /// Frames that were to be captured: those in the file, and those lost.
    pub seen: u64,
    /// Frames that were lost to the capture.
    pub lost: u64,
}

/// Writes Ethernet frames of one interface to a pcapng file: little-endian, time stamps in
/// nanoseconds, with the direction of each frame, and at the end how many were lost.
///
/// The blocks are those of pcap-file, whose interface statistics have the halves of their times the
/// wrong way round: they are given to it turned.
pub struct PcapngWriter<W: Write> {
    out: PcapNgWriter<W>,
    started_ns: u64,
    /// The last time that was written.
    now_ns: u64,
}

impl<W: Write> PcapngWriter<W> {
    /// Writes the headers. `started_ns`, and all times, are nanoseconds since 1970. Many small writes
    /// follow: `out` should buffer them.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn new(out: W, interface: &Interface, started_ns: u64) -> io::Result<Self> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![SectionHeaderOption::UserApplication(Cow::Borrowed(
                concat!("corelane ", env!("CARGO_PKG_VERSION")),
            ))],
            ..SectionHeaderBlock::default()
        };
        let mut out = PcapNgWriter::with_section_header(out, section).map_err(io_error)?;
        let mut options = Vec::new();
        if !interface.name.is_empty() {
            options.push(InterfaceDescriptionOption::IfName(Cow::Owned(
                interface.name.clone(),
            )));
        }
        if !interface.description.is_empty() {
            options.push(InterfaceDescriptionOption::IfDescription(Cow::Owned(
                interface.description.clone(),
            )));
        }
        options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
        let description = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: interface.snap_len,
            options,
        };
        out.write_block(&description.into_block())
            .map_err(io_error)?;
        Ok(Self {
            out,
            started_ns,
            now_ns: started_ns,
        })
    }

    /// Writes a frame, or the beginning of one that had `original_len` bytes.
    ///
    /// # Errors
    /// `out` cannot be written: what is in it may end in the middle of this frame.
    pub fn write(
        &mut self,
        time_ns: u64,
        direction: FrameDirection,
        frame: &[u8],
        original_len: usize,
    ) -> io::Result<()> {
        self.now_ns = self.now_ns.max(time_ns);
        // The lowest two bits of the flags: 1 inbound, 2 outbound.
        let flags = match direction {
            FrameDirection::Inbound => 1,
            FrameDirection::Outbound => 2,
        };
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(time_ns),
            original_len: u32::try_from(original_len.max(frame.len())).unwrap_or(u32::MAX),
            data: Cow::Borrowed(frame),
            options: vec![EnhancedPacketOption::Flags(flags)],
        };
        self.out
            .write_block(&block.into_block())
            .map(drop)
            .map_err(io_error)
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// The write failed.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.get_mut().flush()
    }

    /// Writes what came of it, and hands everything to the system.
    ///
    /// # Errors
    /// The write failed.
    pub fn finish(mut self, counts: InterfaceCounts) -> io::Result<W> {
        let turned = |time: u64| time.rotate_left(32);
        let block = InterfaceStatisticsBlock {
            interface_id: 0,
            timestamp: turned(self.now_ns),
            options: vec![
                InterfaceStatisticsOption::IsbStartTime(turned(self.started_ns)),
                InterfaceStatisticsOption::IsbEndTime(turned(self.now_ns)),
                InterfaceStatisticsOption::IsbIfRecv(counts.seen),
                InterfaceStatisticsOption::IsbIfDrop(counts.lost),
            ],
        };
        self.out
            .write_block(&block.into_block())
            .map_err(io_error)?;
        self.flush()?;
        Ok(self.out.into_inner())
    }

    /// What is written to.
    pub fn get_mut(&mut self) -> &mut W {
        self.out.get_mut()
    }
}

/// Writing goes wrong in the writer underneath, and in no other way.
fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
