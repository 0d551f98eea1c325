//! Packets of other link types as Ethernet frames.

use super::LinkType;

/// A link type that can be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkKind {
    /// Ethernet, delivered as it is.
    Ethernet,
    /// IPv4 or IPv6 without a link header.
    RawIp,
    /// IPv4 without a link header.
    RawIpv4,
    /// IPv6 without a link header.
    RawIpv6,
    /// BSD loopback: a four-byte address family, in either byte order.
    Loopback,
    /// Linux cooked, version 1: 16 bytes.
    LinuxSll,
    /// Linux cooked, version 2: 20 bytes.
    LinuxSll2,
}

/// The link header to take off a packet, and the Ethernet header to put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    /// The bytes to take off.
    pub(super) strip: u8,
    /// What the Ethernet header says; none if the packet has one.
    pub(super) header: Option<Substitute>,
}

/// The fields of a substituted Ethernet header; its destination is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Substitute {
    pub(super) source: [u8; 6],
    /// EtherType, or length where the packet is an 802.3 one.
    pub(super) ethertype: [u8; 2],
}

/// Why a packet cannot be made an Ethernet frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unframed {
    TooShort,
    UnknownProtocol,
}

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// Linux's protocol numbers for 802.3 frames: with no LLC header, and with one.
const ETH_P_802_3: u16 = 1;
const ETH_P_802_2: u16 = 4;
const MAX_802_3_LENGTH: usize = 1500;

impl LinkKind {
    /// The kind of this link type; none if it is not supported.
    pub fn of(link_type: LinkType) -> Option<Self> {
        Some(match link_type.0 {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            // 12 and 14 are what some systems wrote before 101 was assigned.
            12 | 14 | 101 => Self::RawIp,
            113 => Self::LinuxSll,
            228 => Self::RawIpv4,
            229 => Self::RawIpv6,
            276 => Self::LinuxSll2,
            _ => return None,
        })
    }

    /// How to make an Ethernet frame of a packet of this kind.
    pub(super) fn framing(self, packet: &[u8]) -> Result<Framing, Unframed> {
        let substitute = |strip, source, ethertype| {
            Ok(Framing {
                strip,
                header: Some(Substitute { source, ethertype }),
            })
        };
        match self {
            Self::Ethernet => Ok(Framing {
                strip: 0,
                header: None,
            }),
            Self::RawIpv4 => substitute(0, [0; 6], IPV4),
            Self::RawIpv6 => substitute(0, [0; 6], IPV6),
            Self::RawIp => match packet.first().ok_or(Unframed::TooShort)? >> 4 {
                4 => substitute(0, [0; 6], IPV4),
                6 => substitute(0, [0; 6], IPV6),
                _ => Err(Unframed::UnknownProtocol),
            },
            Self::Loopback => {
                let family = packet.first_chunk::<4>().ok_or(Unframed::TooShort)?;
                // Written in the byte order of the captured host, which need not be the file's. No
                // number here is another one's mirror image.
                let family = u32::from_be_bytes(*family).min(u32::from_le_bytes(*family));
                match family {
                    2 => substitute(4, [0; 6], IPV4),
                    // Linux, NetBSD and OpenBSD, FreeBSD, macOS.
                    10 | 24 | 28 | 30 => substitute(4, [0; 6], IPV6),
                    _ => Err(Unframed::UnknownProtocol),
                }
            }
            Self::LinuxSll => {
                let h = packet.first_chunk::<16>().ok_or(Unframed::TooShort)?;
                let source = cooked_source(u16::from_be_bytes([h[4], h[5]]), &h[6..14]);
                substitute(
                    16,
                    source,
                    cooked_ethertype([h[14], h[15]], packet.len() - 16),
                )
            }
            Self::LinuxSll2 => {
                let h = packet.first_chunk::<20>().ok_or(Unframed::TooShort)?;
                let source = cooked_source(h[11].into(), &h[12..20]);
                substitute(
                    20,
                    source,
                    cooked_ethertype([h[0], h[1]], packet.len() - 20),
                )
            }
        }
    }
}

fn cooked_source(len: u16, address: &[u8]) -> [u8; 6] {
    match (len, address.first_chunk::<6>()) {
        (6, Some(mac)) => *mac,
        _ => [0; 6],
    }
}

/// An EtherType is passed on. Linux's own small numbers are not EtherTypes: those for 802.3 stand
/// for a length, and any other stays what it is, which no receiver takes for IP.
fn cooked_ethertype(protocol: [u8; 2], payload: usize) -> [u8; 2] {
    match u16::from_be_bytes(protocol) {
        ETH_P_802_3 | ETH_P_802_2 => (payload.min(MAX_802_3_LENGTH) as u16).to_be_bytes(),
        _ => protocol,
    }
}

impl Substitute {
    pub(super) fn bytes(self) -> [u8; 14] {
        let mut header = [0; 14];
        header[6..12].copy_from_slice(&self.source);
        header[12..14].copy_from_slice(&self.ethertype);
        header
    }
}
