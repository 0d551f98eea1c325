//! What the packets of a capture carry, for frames that are made up to carry the same.

use std::path::Path;

use corelane::io::pcap::{Capture, PcapError};
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
    /// There is nothing in it that the generator makes.
    #[error("{0} has no UDP, TCP or ICMP packet, nor fragments")]
    None(String),
}

/// What frames carry: a mix of protocols, or `capture:FILE` for that of a capture.
///
/// # Errors
/// It is no mix, or the capture cannot be read or has none of what there is in a mix.
pub fn protocols(text: &str) -> Result<Protocols, ProtocolsError> {
    let Some(file) = text.trim().strip_prefix(CAPTURE) else {
        return Ok(text.parse()?);
    };
    let capture = Capture::open(Path::new(file))?;
    let frames = CaptureSet::new(vec![capture], 0);
    let carried = frames.frames().filter_map(|frame| carried(&frame));
    Protocols::of(carried).ok_or_else(|| ProtocolsError::None(file.to_owned()))
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
            if ip.header.next_header == IpProtocol::IPV6_FRAGMENT {
                // RFC 8200 section 4.5: offset, reserved bits, whether there are more.
                let &[_, _, a, b, ..] = ip.payload else {
                    return None;
                };
                let offset = u16::from_be_bytes([a, b]) >> 3;
                return (offset == 0).then_some(Protocol::Fragments);
            }
            ip.header.next_header
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
