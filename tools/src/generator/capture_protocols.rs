//! What the packets of a capture carry, for frames that are made up to carry the same.

use std::path::{Path, PathBuf};

use corelane::io::pcap::{Capture, PcapEnd, PcapError};
use corelane::wire::extension::{ExtensionEnd, ExtensionWalk};
use corelane::wire::{EtherType, IpProtocol, parse_ipv4, parse_ipv6};
use thiserror::Error;

use super::{CaptureSet, network_packet};
use crate::unit::{Protocol, Protocols, ValueError};

/// What says that protocols are those of a capture.
const CAPTURE: &str = "capture:";

/// Why frames cannot carry that.
#[derive(Debug, Error)]
pub enum ProtocolsError {
    /// It is no mix of protocols.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] PcapError),
    /// It is broken before there is anything of use.
    #[error("{file} is broken at byte {at_byte}: {why}")]
    Broken {
        /// Its file.
        file: String,
        /// Where.
        at_byte: u64,
        /// What is wrong there.
        why: String,
    },
    /// There is nothing in it that the generator makes.
    #[error("{0} has no UDP, TCP or ICMP packet, nor fragments")]
    None(String),
}

/// What frames carry, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The mix.
    pub mix: Protocols,
    /// The capture that it is of, if it is.
    pub of: Option<PathBuf>,
}

impl Carried {
    /// The capture's name.
    pub fn of_name(&self) -> Option<String> {
        self.of.as_ref().map(|file| file.display().to_string())
    }
}

/// What frames carry: a mix of protocols, or `capture:FILE` for that of a capture.
///
/// # Errors
/// It is no mix, or the capture cannot be read or has none of what there is in a mix.
pub fn protocols(text: &str) -> Result<Carried, ProtocolsError> {
    let Some(file) = text.trim().strip_prefix(CAPTURE) else {
        let mix = text.parse()?;
        return Ok(Carried { mix, of: None });
    };
    if file.is_empty() {
        let why = "has no file behind it";
        return Err(ValueError::new(text, why, "capture:trace.pcap").into());
    }
    let capture = Capture::open(Path::new(file))?;
    let end = capture.end();
    let frames = CaptureSet::new(vec![capture], 0);
    let carried = frames.frames().filter_map(|frame| carried(&frame));
    let mix = Protocols::of(carried).ok_or_else(|| {
        let file = file.to_owned();
        match end {
            PcapEnd::Complete => ProtocolsError::None(file),
            PcapEnd::Truncated { at_byte, why, .. } => ProtocolsError::Broken {
                file,
                at_byte,
                why: why.to_string(),
            },
        }
    })?;
    let of = Some(file.into());
    Ok(Carried { mix, of })
}

/// What a frame carries; none if that is nothing the generator makes. All TCP counts as its first segment, all ICMP as
/// an echo request, and a fragmented datagram by its first fragment.
fn carried(frame: &[u8]) -> Option<Protocol> {
    let (ethertype, packet) = network_packet(frame)?;
    let protocol = match ethertype {
        EtherType::IPV4 => {
            let ip = parse_ipv4(packet).ok()?;
            if ip.header.is_fragment() {
                return (ip.header.fragment_offset() == 0).then_some(Protocol::Fragments);
            }
            ip.header.protocol
        }
        EtherType::IPV6 => {
            let ip = parse_ipv6(packet).ok()?;
            match ExtensionWalk::new(&ip).end().ok()? {
                ExtensionEnd::Fragment(fragment) => {
                    let is_first = fragment.header.fragment_offset() == 0;
                    return is_first.then_some(Protocol::Fragments);
                }
                ExtensionEnd::UpperLayer(upper) => upper.protocol,
            }
        }
        _ => return None,
    };
    match protocol {
        IpProtocol::UDP => Some(Protocol::Udp),
        IpProtocol::TCP => Some(Protocol::TcpSyn),
        IpProtocol::ICMPV4 | IpProtocol::ICMPV6 => Some(Protocol::IcmpEcho),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv6 packet of these bytes behind its header, the first of which is one of this number.
    fn v6(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend([
            0x86,
            0xdd,
            0x60,
            0,
            0,
            0,
            0,
            payload.len() as u8,
            next_header,
            64,
        ]);
        frame.extend([0x20; 32]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn what_is_behind_extension_headers_counts() {
        let udp = [0, 7, 0, 7, 0, 8, 0, 0];
        let hop_by_hop = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
        let fragment = |offset: u8| [17, 0, 0, offset << 3 | 1, 0, 0, 0, 9];
        let first = [fragment(0), udp].concat();
        for (frame, carries) in [
            (v6(17, &udp), Some(Protocol::Udp)),
            (v6(0, &[hop_by_hop(17), udp].concat()), Some(Protocol::Udp)),
            (v6(44, &first), Some(Protocol::Fragments)),
            (
                v6(0, &[&hop_by_hop(44)[..], &first].concat()),
                Some(Protocol::Fragments),
            ),
            (v6(44, &[fragment(1), udp].concat()), None),
            (v6(59, &[]), None),
            (vec![0xff; 13], None),
        ] {
            assert_eq!(carried(&frame), carries, "{frame:02x?}");
        }
    }
}
