//! ARP for IPv4 on Ethernet: RFC 826.

use std::fmt;
use std::net::Ipv4Addr;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::ethertype::EtherType;
use crate::mac::MacAddr;
use crate::room::{NoRoom, take};

/// Bytes of an ARP packet for IPv4 on Ethernet.
pub const ARP_PACKET_LEN: usize = 28;

const HARDWARE_ETHERNET: u16 = 1;

/// What an ARP packet does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArpOperation(pub u16);

impl ArpOperation {
    /// Who has the target address?
    pub const REQUEST: Self = Self(1);
    /// The sender has the sender address.
    pub const REPLY: Self = Self(2);
}

impl fmt::Debug for ArpOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::REQUEST => f.write_str("REQUEST"),
            Self::REPLY => f.write_str("REPLY"),
            Self(other) => write!(f, "ArpOperation({other})"),
        }
    }
}

/// An ARP packet for IPv4 on Ethernet.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct ArpPacket {
    /// 1: Ethernet.
    pub hardware_type: U16,
    /// The EtherType of IPv4.
    pub protocol_type: U16,
    /// 6: bytes of a link address.
    pub hardware_len: u8,
    /// 4: bytes of an IPv4 address.
    pub protocol_len: u8,
    /// What it does.
    pub operation: U16,
    /// Who sends it.
    pub sender_mac: MacAddr,
    /// The address the sender has, or asks about having (zeros in a probe, RFC 5227).
    pub sender_ip: [u8; 4],
    /// Whom it is about; of no meaning in a request.
    pub target_mac: MacAddr,
    /// The address it is about.
    pub target_ip: [u8; 4],
}

impl ArpPacket {
    /// A packet with the constant fields filled in.
    pub fn new(
        operation: ArpOperation,
        (sender_mac, sender_ip): (MacAddr, Ipv4Addr),
        (target_mac, target_ip): (MacAddr, Ipv4Addr),
    ) -> Self {
        Self {
            hardware_type: U16::new(HARDWARE_ETHERNET),
            protocol_type: U16::new(EtherType::IPV4.0),
            hardware_len: 6,
            protocol_len: 4,
            operation: U16::new(operation.0),
            sender_mac,
            sender_ip: sender_ip.octets(),
            target_mac,
            target_ip: target_ip.octets(),
        }
    }

    /// What it does.
    #[inline]
    pub fn operation(&self) -> ArpOperation {
        ArpOperation(self.operation.get())
    }

    /// The sender's address.
    #[inline]
    pub const fn sender_ip(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.sender_ip)
    }

    /// The address it is about.
    #[inline]
    pub const fn target_ip(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.target_ip)
    }
}

/// Why bytes are not an ARP packet for IPv4 on Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ArpError {
    /// Shorter than such a packet.
    #[error("shorter than an ARP packet for IPv4 on Ethernet")]
    Truncated,
    /// Not for Ethernet.
    #[error("ARP for another link than Ethernet")]
    HardwareType,
    /// Not for IPv4.
    #[error("ARP for another protocol than IPv4")]
    ProtocolType,
    /// Link addresses not of 6 bytes or protocol addresses not of 4.
    #[error("bad ARP address length")]
    AddressLength,
}

/// Checks that bytes start with an ARP packet for IPv4 on Ethernet; what follows is padding. The
/// operation and the addresses may have any value.
///
/// # Errors
/// The first rule the bytes break, see [`ArpError`].
#[inline]
pub fn parse_arp(bytes: &[u8]) -> Result<&ArpPacket, ArpError> {
    let Ok((packet, _)) = ArpPacket::ref_from_prefix(bytes) else {
        return Err(ArpError::Truncated);
    };
    if packet.hardware_type.get() != HARDWARE_ETHERNET {
        return Err(ArpError::HardwareType);
    }
    if packet.protocol_type.get() != EtherType::IPV4.0 {
        return Err(ArpError::ProtocolType);
    }
    if (packet.hardware_len, packet.protocol_len) != (6, 4) {
        return Err(ArpError::AddressLength);
    }
    Ok(packet)
}

/// Writes a packet at the front of `buffer` and returns its length, 28.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
#[inline]
pub fn write_arp(buffer: &mut [u8], packet: &ArpPacket) -> Result<usize, NoRoom> {
    take(buffer, ARP_PACKET_LEN, usize::MAX)?.copy_from_slice(packet.as_bytes());
    Ok(ARP_PACKET_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> ArpPacket {
        ArpPacket::new(
            ArpOperation::REQUEST,
            (MacAddr([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(192, 0, 2, 1)),
            (MacAddr::UNSPECIFIED, Ipv4Addr::new(192, 0, 2, 2)),
        )
    }

    #[test]
    fn reads_what_it_wrote() {
        let mut buffer = [0xee; 46];
        assert_eq!(write_arp(&mut buffer, &packet()), Ok(28));
        let read = parse_arp(&buffer).unwrap();
        assert_eq!(*read, packet());
        assert_eq!(read.operation(), ArpOperation::REQUEST);
        assert_eq!(read.sender_ip(), Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(read.target_ip(), Ipv4Addr::new(192, 0, 2, 2));
        assert_eq!(buffer[28..], [0xee; 18]);
    }

    #[test]
    fn rejects_what_is_not_for_ipv4_on_ethernet() {
        let mut bytes = [0; 28];
        write_arp(&mut bytes, &packet()).unwrap();
        let with = |at: usize, value| {
            let mut bytes = bytes;
            bytes[at] = value;
            parse_arp(&bytes).map(ArpPacket::operation)
        };
        assert_eq!(parse_arp(&bytes[..27]), Err(ArpError::Truncated));
        assert_eq!(with(1, 6), Err(ArpError::HardwareType));
        assert_eq!(with(2, 0x86), Err(ArpError::ProtocolType));
        assert_eq!(with(4, 8), Err(ArpError::AddressLength));
        assert_eq!(with(5, 16), Err(ArpError::AddressLength));
        assert_eq!(with(7, 9), Ok(ArpOperation(9)));
        assert_eq!(
            write_arp(&mut bytes[..27], &packet()),
            Err(NoRoom {
                needed: 28,
                room: 27
            })
        );
    }
}
