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

    /// Asks who has `target`. It goes to all; sent to one link address, it asks whether that one
    /// still has it, see [`Self::unicast_request`].
    pub fn request(sender: (MacAddr, Ipv4Addr), target: Ipv4Addr) -> Self {
        Self::new(
            ArpOperation::REQUEST,
            sender,
            (MacAddr::UNSPECIFIED, target),
        )
    }

    /// Asks `target` alone whether it still has its address (RFC 1122 section 2.3.2.1): it goes to
    /// its link address.
    pub fn unicast_request(sender: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr)) -> Self {
        Self::new(ArpOperation::REQUEST, sender, target)
    }

    /// Tells `target`, who asked, that the sender has the sender address.
    pub fn reply(sender: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr)) -> Self {
        Self::new(ArpOperation::REPLY, sender, target)
    }

    /// Asks whether anyone has `target`, which the sender wants to have (RFC 5227 section 1.1): it
    /// names no sender address, so that nobody's cache changes. It goes to all.
    pub fn probe(sender_mac: MacAddr, target: Ipv4Addr) -> Self {
        Self::request((sender_mac, Ipv4Addr::UNSPECIFIED), target)
    }

    /// Tells all that the sender has the address (RFC 5227 section 3: a request, which old caches
    /// take too). It goes to all.
    pub fn announcement(sender_mac: MacAddr, address: Ipv4Addr) -> Self {
        Self::request((sender_mac, address), address)
    }

    /// Whether it only asks about an address, for someone who wants to have it (RFC 5227).
    pub fn is_probe(&self) -> bool {
        self.operation() == ArpOperation::REQUEST && self.sender_ip().is_unspecified()
    }

    /// Whether its sender tells of its own address, unasked: request or reply (RFC 5944 section 4.6).
    pub fn is_announcement(&self) -> bool {
        self.sender_ip == self.target_ip && !self.sender_ip().is_unspecified()
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
    /// Neither a request nor a reply; only [`parse_arp_message`] looks.
    #[error("an ARP operation other than request and reply")]
    Operation,
    /// The sender's link address is a group's or zero; only [`parse_arp_message`] looks.
    #[error("an ARP sender whose link address is not one station's")]
    SenderMac,
    /// The sender's address is a group's, loopback or reserved; only [`parse_arp_message`] looks.
    #[error("an ARP sender whose address is no host's")]
    SenderIp,
}

/// An ARP packet that may be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpMessage<'a> {
    /// Who has the target address?
    Request(&'a ArpPacket),
    /// The sender has the sender address.
    Reply(&'a ArpPacket),
}

/// As [`parse_arp`], and checks what its receiver relies on: the operation is known, the sender's
/// link address is that of one station, so that nobody is sent to a group (RFC 1812 section 3.3.2), and its address
/// one that a host can have on a link, or none.
///
/// # Errors
/// The first rule the bytes break, see [`ArpError`].
#[inline]
pub fn parse_arp_message(bytes: &[u8]) -> Result<ArpMessage<'_>, ArpError> {
    let packet = parse_arp(bytes)?;
    let message = match packet.operation() {
        ArpOperation::REQUEST => ArpMessage::Request(packet),
        ArpOperation::REPLY => ArpMessage::Reply(packet),
        _ => return Err(ArpError::Operation),
    };
    if !packet.sender_mac.is_unicast() {
        return Err(ArpError::SenderMac);
    }
    // Groups, what is reserved and the broadcast are at the end.
    let sender = packet.sender_ip();
    if sender.is_loopback() || sender.octets()[0] >= 0xe0 {
        return Err(ArpError::SenderIp);
    }
    Ok(message)
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
    fn each_kind_says_what_it_is_for() {
        let (mac, ip) = (MacAddr([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(192, 0, 2, 1));
        let other = (MacAddr([2, 0, 0, 0, 0, 2]), Ipv4Addr::new(192, 0, 2, 2));
        let parts = |packet: ArpPacket| {
            let mut bytes = [0; 28];
            write_arp(&mut bytes, &packet).unwrap();
            let message = parse_arp_message(&bytes).unwrap();
            assert!(
                matches!(message, ArpMessage::Request(read) | ArpMessage::Reply(read) if *read == packet)
            );
            (
                matches!(message, ArpMessage::Request(_)),
                packet.sender_ip(),
                (packet.target_mac, packet.target_ip()),
                (packet.is_probe(), packet.is_announcement()),
            )
        };
        let zero = MacAddr::UNSPECIFIED;
        let request = ArpPacket::request((mac, ip), other.1);
        assert_eq!(request, packet());
        assert_eq!(parts(request), (true, ip, (zero, other.1), (false, false)));
        let unicast = ArpPacket::unicast_request((mac, ip), other);
        assert_eq!(parts(unicast), (true, ip, other, (false, false)));
        let reply = ArpPacket::reply((mac, ip), other);
        assert_eq!(parts(reply), (false, ip, other, (false, false)));
        let probe = ArpPacket::probe(mac, ip);
        let none = Ipv4Addr::UNSPECIFIED;
        assert_eq!(parts(probe), (true, none, (zero, ip), (true, false)));
        let announcement = ArpPacket::announcement(mac, ip);
        assert_eq!(parts(announcement), (true, ip, (zero, ip), (false, true)));
    }

    #[test]
    fn messages_to_act_on_are_of_a_station_and_known() {
        let error_of = |change: fn(&mut ArpPacket)| {
            let mut packet = packet();
            change(&mut packet);
            parse_arp_message(packet.as_bytes()).err()
        };
        assert_eq!(error_of(|_| {}), None);
        for operation in [0, 3, 9, 0x0100] {
            let mut packet = packet();
            packet.operation.set(operation);
            let error = parse_arp_message(packet.as_bytes()).err();
            assert_eq!(error, Some(ArpError::Operation), "{operation}");
        }
        let wrong = Some(ArpError::SenderMac);
        assert_eq!(error_of(|p| p.sender_mac = MacAddr::BROADCAST), wrong);
        assert_eq!(error_of(|p| p.sender_mac = MacAddr::UNSPECIFIED), wrong);
        assert_eq!(error_of(|p| p.sender_mac.0[0] |= 1), wrong);
        for sender in [[127, 0, 0, 1], [224, 0, 0, 5], [240, 0, 0, 1], [255; 4]] {
            let mut packet = packet();
            packet.sender_ip = sender;
            let error = parse_arp_message(packet.as_bytes()).err();
            assert_eq!(error, Some(ArpError::SenderIp), "{sender:?}");
        }
        assert_eq!(error_of(|p| p.sender_ip = [0; 4]), None, "a probe");
        assert_eq!(
            error_of(|p| p.hardware_len = 8),
            Some(ArpError::AddressLength)
        );
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
