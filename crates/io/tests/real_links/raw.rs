//! Links without an engine, as far as these tests alone need them.

use corelane_wire::{IpProtocol, checksum, parse_ipv4};

use crate::kernel::ip;
use crate::wire::Wire;

pub(crate) use corelane_lab::raw::Raw;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Who the kernel takes for the engine.
pub(crate) const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// Opens the link of a wire; the kernel knows [`MAC`] as the engine's.
pub(crate) fn open(wire: &mut Wire, room: usize) -> Result<Raw> {
    let raw = Raw::of(&mut **wire.link.as_mut().ok_or("no link")?, room)?;
    wire.up()?;
    neighbor(&wire.engine_v4().to_string(), &wire.kernel)?;
    Ok(raw)
}

/// Tells the kernel that this address is the engine's.
pub(crate) fn neighbor(address: &str, device: &str) -> Result<()> {
    let [a, b, c, d, e, f] = MAC;
    let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    ip(&format!(
        "neigh replace {address} lladdr {mac} dev {device}"
    ))?;
    Ok(())
}

/// The payload of an IPv4 packet that is a UDP datagram to this port, with the right checksum.
pub(crate) fn udp_payload(packet: &[u8], port: u16) -> Option<Vec<u8>> {
    let packet = parse_ipv4(packet).ok()?;
    let header = packet.payload.get(..8)?;
    if packet.header.protocol != IpProtocol::UDP || header[2..4] != port.to_be_bytes() {
        return None;
    }
    let (source, destination) = (packet.header.source(), packet.header.destination());
    let len = u16::try_from(packet.payload.len()).ok()?;
    let pseudo = checksum::pseudo_header_ipv4(source, destination, IpProtocol::UDP, len);
    let sum = pseudo + checksum::sum(packet.payload);
    assert!(
        sum.is_valid(),
        "a datagram to port {port} has a wrong checksum"
    );
    Some(packet.payload.get(8..)?.to_vec())
}
