//! pcap: a header and records.

use pcap_parser::pcap::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use super::error::PcapBreak;
use super::load::{Loader, MAX_CAPTURED, RawPacket};
use super::{Format, LinkKind, LinkType, PcapEnd, PcapError};

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// The link type field: the number, and above it whether a frame check sequence was captured and of
/// which length (26 and up). The bits between are reserved: a number with one of them is unknown.
const LINK_TYPE_MASK: u32 = 0x03ff_ffff;

/// Reads a file whose magic number was recognised.
pub(super) fn read(
    file: &str,
    bytes: &[u8],
    loader: &mut Loader,
) -> Result<(Format, PcapEnd), PcapError> {
    let Ok((mut rest, header)) = parse_pcap_header(bytes) else {
        let file = file.to_owned();
        return Err(PcapError::TooShort {
            file,
            len: bytes.len(),
            needs: FILE_HEADER,
        });
    };
    if (header.version_major, header.version_minor) != (2, 4) {
        return Err(PcapError::Version {
            file: file.to_owned(),
            format: "pcap",
            major: header.version_major,
            minor: header.version_minor,
        });
    }
    let link_type = LinkType(header.network.0 as u32 & LINK_TYPE_MASK);
    let kind = LinkKind::of(link_type).ok_or_else(|| PcapError::LinkType {
        file: file.to_owned(),
        link_type,
        interface: None,
    })?;
    let big_endian = header.is_bigendian();
    let nanoseconds = header.is_nanosecond_precision();
    let format = if nanoseconds {
        Format::PcapNanoseconds
    } else {
        Format::PcapMicroseconds
    };
    let fraction_ns = if nanoseconds { 1 } else { 1_000 };

    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let captured = captured_len(rest, big_endian);
        let parsed = match captured {
            Some(captured) if captured > MAX_CAPTURED => {
                return Ok((
                    format,
                    loader.broken(at, PcapBreak::CapturedLength { captured }),
                ));
            }
            _ if big_endian => parse_pcap_frame_be(rest),
            _ => parse_pcap_frame(rest),
        };
        let Ok((next, record)) = parsed else {
            let there = rest.len().saturating_sub(RECORD_HEADER) as u32;
            let why = captured.map_or(PcapBreak::HeaderCut, |captured| PcapBreak::PacketCut {
                captured,
                missing: captured.saturating_sub(there),
            });
            return Ok((format, loader.broken(at, why)));
        };
        // Cannot overflow. A fraction of a second or more is read as it stands.
        let time =
            i64::from(record.ts_sec) * 1_000_000_000 + i64::from(record.ts_usec) * fraction_ns;
        loader.packet(&RawPacket {
            time: Some(time),
            kind,
            offset: at + RECORD_HEADER,
            data: record.data,
            original_len: record.origlen,
        });
        rest = next;
    }
    Ok((format, PcapEnd::Complete))
}

/// The captured length in the record header at the start of `rest`, if the header is whole.
fn captured_len(rest: &[u8], big_endian: bool) -> Option<u32> {
    let header = rest.first_chunk::<RECORD_HEADER>()?;
    let field = [header[8], header[9], header[10], header[11]];
    Some(if big_endian {
        u32::from_be_bytes(field)
    } else {
        u32::from_le_bytes(field)
    })
}
