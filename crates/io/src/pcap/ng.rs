//! pcapng: sections of blocks.

use pcap_parser::pcapng::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, OptionCode, SimplePacketBlock,
    parse_enhancedpacketblock_be, parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_sectionheaderblock, parse_simplepacketblock_be,
    parse_simplepacketblock_le, parse_unknownblock_be, parse_unknownblock_le,
};
use pcap_parser::traits::PcapNGPacketBlock;

use super::error::PcapBreak;
use super::load::{Loader, MAX_CAPTURED, RawPacket};
use super::{Format, LinkKind, LinkType, PcapEnd, PcapError};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// The least section header: its fixed fields and no option.
const SECTION_HEADER_LEN: usize = 28;
/// From the start of a packet block to its data: enhanced and obsolete, and simple.
const PACKET_DATA: usize = 28;
const SIMPLE_PACKET_DATA: usize = 12;
/// The fixed fields of an obsolete packet block after its type and length.
const OBSOLETE_FIELDS: usize = 20;

/// Reads a file whose first block says that it is a section header.
pub(super) fn read(
    file: &str,
    bytes: &[u8],
    loader: &mut Loader,
) -> Result<(Format, PcapEnd), PcapError> {
    let reader = Reader {
        file,
        bytes,
        big_endian: false,
        interfaces: Vec::new(),
        first_refused: None,
        any_accepted: false,
    };
    reader.read(loader).map(|end| (Format::Pcapng, end))
}

struct Reader<'a> {
    file: &'a str,
    bytes: &'a [u8],
    /// Of the section.
    big_endian: bool,
    /// Of the section.
    interfaces: Vec<Interface>,
    /// Of the file.
    first_refused: Option<(u32, LinkType)>,
    any_accepted: bool,
}

/// What an interface description says about its packets.
#[derive(Clone, Copy)]
struct Interface {
    link_type: LinkType,
    snap_len: u32,
    resolution: u8,
    offset_s: i64,
}

/// Why reading stops at a block.
enum Stop {
    Break(PcapBreak),
    Refuse(PcapError),
}

impl<'a> Reader<'a> {
    fn read(mut self, loader: &mut Loader) -> Result<PcapEnd, PcapError> {
        let mut rest = self
            .section(self.bytes)
            .map_err(|stop| self.refuse_section(&stop))?;
        let mut end = PcapEnd::Complete;
        while !rest.is_empty() {
            match self.block(rest, loader) {
                Ok(next) => rest = next,
                Err(Stop::Break(why)) => {
                    end = loader.broken(self.bytes.len() - rest.len(), why);
                    break;
                }
                Err(Stop::Refuse(error)) => return Err(error),
            }
        }
        match self.first_refused {
            Some((interface, link_type)) if !self.any_accepted => {
                Err(self.refuse_link_type(interface, link_type))
            }
            _ => Ok(end),
        }
    }

    /// Reads the block at the start of `rest`; what follows it is returned.
    fn block(&mut self, rest: &'a [u8], loader: &mut Loader) -> Result<&'a [u8], Stop> {
        let big_endian = self.big_endian;
        let block_type = self
            .u32_at(rest, 0)
            .ok_or(Stop::Break(PcapBreak::HeaderCut))?;
        if block_type != SECTION_HEADER {
            let len = self
                .u32_at(rest, 4)
                .ok_or(Stop::Break(PcapBreak::HeaderCut))?;
            if rest.len() < len as usize {
                return Err(Stop::Break(PcapBreak::HeaderCut));
            }
        }
        // From here on the block is whole: what fails to parse is malformed.
        let malformed = Stop::Break(PcapBreak::Block { block_type });
        let at = self.bytes.len() - rest.len();
        match block_type {
            SECTION_HEADER => self.section(rest),
            INTERFACE => {
                let parse = if big_endian {
                    parse_interfacedescriptionblock_be
                } else {
                    parse_interfacedescriptionblock_le
                };
                let (next, block) = parse(rest).map_err(|_| malformed)?;
                self.interface(&block);
                Ok(next)
            }
            ENHANCED_PACKET => {
                let parse = if big_endian {
                    parse_enhancedpacketblock_be
                } else {
                    parse_enhancedpacketblock_le
                };
                let (next, block) = parse(rest).map_err(|_| malformed)?;
                self.enhanced_packet(&block, at, loader)?;
                Ok(next)
            }
            SIMPLE_PACKET => {
                let parse = if big_endian {
                    parse_simplepacketblock_be
                } else {
                    parse_simplepacketblock_le
                };
                let (next, block) = parse(rest).map_err(|_| malformed)?;
                self.simple_packet(&block, at, loader)?;
                Ok(next)
            }
            _ => {
                let parse = if big_endian {
                    parse_unknownblock_be
                } else {
                    parse_unknownblock_le
                };
                let (next, block) = parse(rest).map_err(|_| malformed)?;
                if block_type == OBSOLETE_PACKET {
                    self.obsolete_packet(block.data, at, loader)?;
                }
                Ok(next)
            }
        }
    }

    /// Starts a section: its header gives the byte order and forgets the interfaces.
    fn section(&mut self, rest: &'a [u8]) -> Result<&'a [u8], Stop> {
        let Ok((next, header)) = parse_sectionheaderblock(rest) else {
            let cut = section_len(rest).is_none_or(|len| rest.len() < len);
            let why = if cut {
                PcapBreak::HeaderCut
            } else {
                PcapBreak::Block {
                    block_type: SECTION_HEADER,
                }
            };
            return Err(Stop::Break(why));
        };
        // 1.2 was written by mistake for 1.0 and reads the same.
        let version = (header.major_version, header.minor_version);
        if !matches!(version, (1, 0 | 2)) {
            let (major, minor) = version;
            return Err(Stop::Break(PcapBreak::Version { major, minor }));
        }
        self.big_endian = header.big_endian();
        self.interfaces.clear();
        Ok(next)
    }

    fn interface(&mut self, block: &InterfaceDescriptionBlock<'_>) {
        let link_type = LinkType(block.linktype.0 as u32);
        if LinkKind::of(link_type).is_some() {
            self.any_accepted = true;
        } else if self.first_refused.is_none() {
            self.first_refused = Some((self.interfaces.len() as u32, link_type));
        }
        let offset = block
            .options
            .iter()
            .find(|option| option.code == OptionCode::IfTsoffset)
            .and_then(|option| option.as_bytes().ok()?.first_chunk::<8>())
            .map_or(0, |&bytes| {
                if self.big_endian {
                    i64::from_be_bytes(bytes)
                } else {
                    i64::from_le_bytes(bytes)
                }
            });
        self.interfaces.push(Interface {
            link_type,
            snap_len: block.snaplen,
            resolution: block.if_tsresol,
            offset_s: offset,
        });
    }

    fn enhanced_packet(
        &self,
        block: &EnhancedPacketBlock<'_>,
        at: usize,
        loader: &mut Loader,
    ) -> Result<(), Stop> {
        let (interface, kind) = self.interface_of(block.if_id)?;
        if block.caplen > MAX_CAPTURED {
            let captured = block.caplen;
            return Err(Stop::Break(PcapBreak::CapturedLength { captured }));
        }
        loader.packet(&RawPacket {
            time: Some(interface.time_ns(block.ts_high, block.ts_low)),
            kind,
            offset: at + PACKET_DATA,
            data: block.packet_data(),
            original_len: block.origlen,
        });
        Ok(())
    }

    /// A simple packet is of interface 0, has no time, and its captured length follows from the
    /// interface's snap length.
    fn simple_packet(
        &self,
        block: &SimplePacketBlock<'_>,
        at: usize,
        loader: &mut Loader,
    ) -> Result<(), Stop> {
        let (interface, kind) = self.interface_of(0)?;
        let snap_len = if interface.snap_len == 0 {
            u32::MAX
        } else {
            interface.snap_len
        };
        let captured = block.origlen.min(snap_len);
        let data = block.data.get(..captured as usize).unwrap_or(block.data);
        if data.len() > MAX_CAPTURED as usize {
            return Err(Stop::Break(PcapBreak::CapturedLength { captured }));
        }
        loader.packet(&RawPacket {
            time: None,
            kind,
            offset: at + SIMPLE_PACKET_DATA,
            data,
            original_len: block.origlen,
        });
        Ok(())
    }

    fn obsolete_packet(&self, body: &[u8], at: usize, loader: &mut Loader) -> Result<(), Stop> {
        let malformed = || {
            Stop::Break(PcapBreak::Block {
                block_type: OBSOLETE_PACKET,
            })
        };
        let field = |offset| self.u32_at(body, offset).ok_or_else(malformed);
        let &id = body.first_chunk::<2>().ok_or_else(malformed)?;
        let id = if self.big_endian {
            u16::from_be_bytes(id)
        } else {
            u16::from_le_bytes(id)
        };
        let (interface, kind) = self.interface_of(id.into())?;
        let (high, low, captured, original_len) = (field(4)?, field(8)?, field(12)?, field(16)?);
        if captured > MAX_CAPTURED {
            return Err(Stop::Break(PcapBreak::CapturedLength { captured }));
        }
        let data = body
            .get(OBSOLETE_FIELDS..OBSOLETE_FIELDS + captured as usize)
            .ok_or_else(malformed)?;
        loader.packet(&RawPacket {
            time: Some(interface.time_ns(high, low)),
            kind,
            offset: at + PACKET_DATA,
            data,
            original_len,
        });
        Ok(())
    }

    fn interface_of(&self, id: u32) -> Result<(Interface, LinkKind), Stop> {
        let interface = self
            .interfaces
            .get(id as usize)
            .ok_or(Stop::Break(PcapBreak::Interface { interface: id }))?;
        let kind = LinkKind::of(interface.link_type)
            .ok_or_else(|| Stop::Refuse(self.refuse_link_type(id, interface.link_type)))?;
        Ok((*interface, kind))
    }

    fn refuse_link_type(&self, interface: u32, link_type: LinkType) -> PcapError {
        PcapError::LinkType {
            file: self.file.to_owned(),
            link_type,
            interface: Some(interface),
        }
    }

    /// The error of a file whose first section header is of no use.
    fn refuse_section(&self, stop: &Stop) -> PcapError {
        let file = self.file.to_owned();
        match *stop {
            Stop::Break(PcapBreak::HeaderCut) => {
                let needs = section_len(self.bytes).unwrap_or(SECTION_HEADER_LEN);
                PcapError::TooShort {
                    file,
                    len: self.bytes.len(),
                    needs,
                }
            }
            Stop::Break(PcapBreak::Version { major, minor }) => PcapError::Version {
                file,
                format: "pcapng",
                major,
                minor,
            },
            _ => PcapError::SectionHeader { file },
        }
    }

    fn u32_at(&self, bytes: &[u8], offset: usize) -> Option<u32> {
        let &field = bytes.get(offset..)?.first_chunk::<4>()?;
        Some(if self.big_endian {
            u32::from_be_bytes(field)
        } else {
            u32::from_le_bytes(field)
        })
    }
}

/// The length that a section header gives itself, in the byte order that it declares; none if it is
/// too short to say, or declares no byte order.
fn section_len(rest: &[u8]) -> Option<usize> {
    let fields = rest.first_chunk::<12>()?;
    let len = [fields[4], fields[5], fields[6], fields[7]];
    let len = match [fields[8], fields[9], fields[10], fields[11]] {
        [0x1a, 0x2b, 0x3c, 0x4d] => u32::from_be_bytes(len),
        [0x4d, 0x3c, 0x2b, 0x1a] => u32::from_le_bytes(len),
        // Whole enough to be wrong.
        _ => 0,
    };
    Some((len as usize).max(SECTION_HEADER_LEN))
}

impl Interface {
    /// Nanoseconds since 1970, at the bounds of `i64` (the years 1677 and 2262) if beyond them.
    fn time_ns(&self, high: u32, low: u32) -> i64 {
        const NS_PER_S: u128 = 1_000_000_000;
        let ticks = u128::from(u64::from(high) << 32 | u64::from(low));
        let exponent = u32::from(self.resolution & 0x7f);
        let ns = if self.resolution & 0x80 != 0 {
            // Units of 2^-n s. The product is below 2^94, the shift below 128.
            (ticks * NS_PER_S) >> exponent
        } else if let Some(coarser) = 9u32.checked_sub(exponent) {
            ticks * 10u128.pow(coarser)
        } else {
            // Units finer than anything a 64-bit count of them can add up to a nanosecond of.
            10u128
                .checked_pow(exponent - 9)
                .map_or(0, |finer| ticks / finer)
        };
        let ns = i128::try_from(ns).unwrap_or(i128::MAX);
        let ns = ns.saturating_add(i128::from(self.offset_s) * 1_000_000_000);
        ns.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}
