//! Ethernet headers and VLAN tags.

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::ethertype::EtherType;
use crate::mac::MacAddr;
use crate::room::{NoRoom, take};

/// Bytes of an Ethernet header without tags.
pub const ETHERNET_HEADER_LEN: usize = 14;
/// Bytes of a VLAN tag.
pub const VLAN_TAG_LEN: usize = 4;
/// The least length of an Ethernet frame without its check sequence: senders pad to it.
pub const ETHERNET_MIN_FRAME_LEN: usize = 60;

/// The header of an Ethernet frame.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct EthernetHeader {
    /// To whom.
    pub destination: MacAddr,
    /// From whom.
    pub source: MacAddr,
    /// Type, or the length of an IEEE 802.3 frame.
    pub ethertype: U16,
}

impl EthernetHeader {
    /// A header for a frame.
    #[inline]
    pub fn new(destination: MacAddr, source: MacAddr, ethertype: EtherType) -> Self {
        Self {
            destination,
            source,
            ethertype: U16::new(ethertype.0),
        }
    }

    /// The type.
    #[inline]
    pub fn ethertype(&self) -> EtherType {
        EtherType(self.ethertype.get())
    }

    /// Exchanges source and destination, as for a reply.
    #[inline]
    pub fn swap_addresses(&mut self) {
        std::mem::swap(&mut self.source, &mut self.destination);
    }
}

/// A VLAN tag as it follows a type field of [`EtherType::VLAN`] or [`EtherType::SERVICE_VLAN`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct VlanTag {
    /// Priority (3 bits), drop eligibility (1 bit), VLAN identifier (12 bits).
    pub control: U16,
    /// The type of what follows the tag.
    pub ethertype: U16,
}

impl VlanTag {
    /// The VLAN identifier, 0 to 4095.
    #[inline]
    pub fn vlan_id(&self) -> u16 {
        self.control.get() & 0x0fff
    }

    /// The priority, 0 to 7.
    #[inline]
    pub fn priority(&self) -> u8 {
        (self.control.get() >> 13) as u8
    }

    /// The type of what follows the tag.
    #[inline]
    pub fn ethertype(&self) -> EtherType {
        EtherType(self.ethertype.get())
    }
}

/// An Ethernet frame: its header and all that follows, padding included.
#[derive(Clone, Copy, Debug)]
pub struct EthernetFrame<'a> {
    /// The header.
    pub header: &'a EthernetHeader,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Bytes that are not an Ethernet frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EthernetError {
    /// Shorter than a header.
    #[error("shorter than an Ethernet header")]
    Truncated,
}

/// Splits a frame into its header and the rest.
///
/// # Errors
/// [`EthernetError::Truncated`] for less than 14 bytes.
#[inline]
pub fn parse_ethernet(bytes: &[u8]) -> Result<EthernetFrame<'_>, EthernetError> {
    match EthernetHeader::ref_from_prefix(bytes) {
        Ok((header, payload)) => Ok(EthernetFrame { header, payload }),
        Err(_) => Err(EthernetError::Truncated),
    }
}

/// The header at the front of a frame, to be changed in place; `None` for less than 14 bytes.
#[inline]
pub fn ethernet_header_mut(bytes: &mut [u8]) -> Option<&mut EthernetHeader> {
    EthernetHeader::mut_from_prefix(bytes)
        .ok()
        .map(|(header, _)| header)
}

/// Writes a header at the front of `buffer` and returns its length, 14.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
#[inline]
pub fn write_ethernet(buffer: &mut [u8], header: &EthernetHeader) -> Result<usize, NoRoom> {
    take(buffer, ETHERNET_HEADER_LEN, usize::MAX)?.copy_from_slice(header.as_bytes());
    Ok(ETHERNET_HEADER_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let a = MacAddr([2, 0, 0, 0, 0, 1]);
        let b = MacAddr([2, 0, 0, 0, 0, 2]);
        let mut buffer = [0xee; 16];
        let header = EthernetHeader::new(a, b, EtherType::IPV6);
        assert_eq!(write_ethernet(&mut buffer, &header), Ok(14));
        let frame = parse_ethernet(&buffer).unwrap();
        assert_eq!(*frame.header, header);
        assert_eq!(frame.header.ethertype(), EtherType::IPV6);
        assert_eq!(frame.payload, [0xee; 2]);

        ethernet_header_mut(&mut buffer).unwrap().swap_addresses();
        let swapped = parse_ethernet(&buffer).unwrap();
        assert_eq!((swapped.header.destination, swapped.header.source), (b, a));
    }

    #[test]
    fn short_is_an_error() {
        assert_eq!(
            parse_ethernet(&[0; 13]).unwrap_err(),
            EthernetError::Truncated
        );
        assert!(ethernet_header_mut(&mut [0; 13]).is_none());
        let header = EthernetHeader::new(MacAddr::BROADCAST, MacAddr::BROADCAST, EtherType::ARP);
        assert_eq!(
            write_ethernet(&mut [0; 13], &header),
            Err(NoRoom {
                needed: 14,
                room: 13
            })
        );
    }

    #[test]
    fn reads_the_parts_of_a_tag() {
        let tag = VlanTag::read_from_bytes(&[0xb0, 0x2a, 0x86, 0xdd]).unwrap();
        assert_eq!((tag.vlan_id(), tag.priority()), (42, 5));
        assert_eq!(tag.ethertype(), EtherType::IPV6);
    }
}
