//! Whether a packet may be sent on, and this hop counted in it.

use std::net::{IpAddr, Ipv6Addr};

use corelane_frame::Frame;
use corelane_stack::{Inbound, Key, PacketFlags};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::ipv4_options::{self, Ipv4OptionPolicy};
use corelane_wire::ipv6::ipv6_header_mut;
use corelane_wire::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, Ipv4Header, Ipv6Header, parse_ipv4};

use super::super::ip_lookup::NETWORK;

/// What keeps a packet from being sent on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// One of its addresses keeps it here.
    NotForwarded,
    /// Its source does, which is a link-local IPv6 address.
    BeyondScope,
    /// Its IPv4 options tell a route.
    Options,
    /// Its IPv4 options are broken at this byte of the header.
    Malformed { pointer: u8 },
    /// It has been through as many routers as it may.
    HopLimit,
    /// It is larger than the link takes, and may not be cut.
    TooBig,
    /// It is larger than the link takes, and may be cut.
    Fragment,
}

/// Makes a packet ready to leave if nothing is in its way, as nearly always: counts this hop, cuts the padding of the
/// link it came from, and has `address` write the Ethernet header. False if something may be, which one test tells:
/// [`prepare`] looks into it.
// In the loop over the packets of a burst, which is most of what a hop costs.
#[inline(always)]
pub(super) fn prepare_plain(
    frame: &mut Frame,
    packet: &Inbound,
    destination: Key,
    mtu: usize,
    address: impl FnOnce(&mut [u8; NETWORK]),
) -> bool {
    let too_big = packet.end as usize - NETWORK > mtu;
    frame.truncate(packet.end as usize);
    let ethernet = if packet.flags.has(PacketFlags::V4) {
        headers_v4(frame.data_mut()).and_then(|(ethernet, header)| {
            let doubtful = stays_v4(header.source().to_bits())
                || stays_v4(destination.low as u32)
                || packet.flags.has(PacketFlags::EXTENDED)
                || too_big;
            (!doubtful && header.decrement_ttl()).then_some(ethernet)
        })
    } else {
        headers_v6(frame.data_mut()).and_then(|(ethernet, header)| {
            let doubtful = may_stay_v6((header.source().to_bits() >> 96) as u32)
                || may_stay_v6((destination.high >> 32) as u32)
                || too_big;
            (!doubtful && header.decrement_hop_limit()).then_some(ethernet)
        })
    };
    ethernet.map(address).is_some()
}

/// Checks that a packet may be sent on, counts this hop, and cuts the padding of the link it came from.
pub(super) fn prepare(frame: &mut Frame, packet: &Inbound, mtu: usize) -> Result<(), Obstacle> {
    let end = packet.end as usize;
    frame.truncate(end);
    let data = frame.data_mut().get_mut(NETWORK..).unwrap_or_default();
    let too_big = end - NETWORK > mtu;
    if packet.flags.has(PacketFlags::V4) {
        prepare_v4(data, packet.flags.has(PacketFlags::EXTENDED), too_big)
    } else {
        prepare_v6(data, too_big)
    }
}

/// The Ethernet and the IPv4 header of a frame.
#[inline]
fn headers_v4(data: &mut [u8]) -> Option<(&mut [u8; NETWORK], &mut Ipv4Header)> {
    let headers = data.first_chunk_mut::<{ NETWORK + IPV4_HEADER_LEN }>()?;
    let (ethernet, header) = headers.split_first_chunk_mut()?;
    Some((ethernet, ipv4_header_mut(header)?))
}

/// The Ethernet and the IPv6 header of a frame.
#[inline]
fn headers_v6(data: &mut [u8]) -> Option<(&mut [u8; NETWORK], &mut Ipv6Header)> {
    let headers = data.first_chunk_mut::<{ NETWORK + IPV6_HEADER_LEN }>()?;
    let (ethernet, header) = headers.split_first_chunk_mut()?;
    Some((ethernet, ipv6_header_mut(header)?))
}

fn prepare_v4(data: &mut [u8], extended: bool, too_big: bool) -> Result<(), Obstacle> {
    let header = ipv4_header_mut(data).ok_or(Obstacle::NotForwarded)?;
    if stays_v4(header.source().to_bits()) || stays_v4(header.destination().to_bits()) {
        return Err(Obstacle::NotForwarded);
    }
    if extended {
        match parse_ipv4(data).map(|packet| ipv4_options::policy(packet.options)) {
            Ok(Ipv4OptionPolicy::Accept) => {}
            Ok(Ipv4OptionPolicy::Malformed { pointer }) => {
                return Err(Obstacle::Malformed { pointer });
            }
            Ok(Ipv4OptionPolicy::Drop(_)) | Err(_) => return Err(Obstacle::Options),
        }
    }
    let header = ipv4_header_mut(data).ok_or(Obstacle::NotForwarded)?;
    if header.ttl > 1 && too_big {
        return Err(if header.dont_fragment() {
            Obstacle::TooBig
        } else {
            Obstacle::Fragment
        });
    }
    if header.decrement_ttl() {
        Ok(())
    } else {
        Err(Obstacle::HopLimit)
    }
}

fn prepare_v6(data: &mut [u8], too_big: bool) -> Result<(), Obstacle> {
    let header = ipv6_header_mut(data).ok_or(Obstacle::NotForwarded)?;
    if stays_v6(header.destination()) {
        return Err(Obstacle::NotForwarded);
    }
    if header.source().is_unicast_link_local() {
        return Err(Obstacle::BeyondScope);
    }
    if stays_v6(header.source()) {
        return Err(Obstacle::NotForwarded);
    }
    if header.hop_limit > 1 && too_big {
        return Err(Obstacle::TooBig);
    }
    if header.decrement_hop_limit() {
        Ok(())
    } else {
        Err(Obstacle::HopLimit)
    }
}

/// Counts this hop of a packet that has some left.
pub(super) fn count_hop(frame: &mut Frame, packet: &Inbound) {
    let data = frame.data_mut().get_mut(NETWORK..).unwrap_or_default();
    if packet.flags.has(PacketFlags::V4) {
        let _ = ipv4_header_mut(data).map(Ipv4Header::decrement_ttl);
    } else {
        let _ = ipv6_header_mut(data).map(Ipv6Header::decrement_hop_limit);
    }
}

/// Whether an IPv4 address, in host order, is of no other link's concern: this host's network, a loopback, a link-local
/// one (RFC 3927 section 7) or one that nobody has (RFC 6890).
#[inline]
fn stays_v4(bits: u32) -> bool {
    /// By the first byte: with what is not link-local of 169.0.0.0/8.
    static MAY_STAY: [bool; 256] = {
        let mut may_stay = [false; 256];
        let mut first = 0;
        while first < 256 {
            may_stay[first] = matches!(first, 0 | 127 | 169 | 224..);
            first += 1;
        }
        may_stay
    };
    MAY_STAY[(bits >> 24) as usize] && (bits >> 24 != 169 || bits >> 16 == 0xa9fe)
}

/// Whether an IPv6 address with these first 32 bits may be of no other link's concern: few do.
#[inline]
const fn may_stay_v6(first: u32) -> bool {
    // Zero, or from the link-local ones on, in one comparison.
    first.wrapping_sub(1) >= 0xfe7f_ffff
}

/// Whether an IPv6 address is: unspecified, loopback, link-local (RFC 4291 section 2.5.6) or a group.
fn stays_v6(address: Ipv6Addr) -> bool {
    let key = Key::v6(address.to_bits());
    let nobody = (key.high == 0) & (key.low <= 1);
    nobody | (key.high >> 54 == LINK_LOCAL) | key.is_multicast()
}

/// The first ten bits of a link-local address.
const LINK_LOCAL: u64 = 0x3fa;

/// Whether one of the addresses of a packet keeps it on its link.
pub(in crate::node) fn stays_on_link(frame: &Frame, packet: &Inbound) -> bool {
    let stays = |address| match address {
        IpAddr::V4(address) => stays_v4(address.to_bits()),
        IpAddr::V6(address) => stays_v6(address),
    };
    let addresses = [
        packet.source(frame.data()),
        packet.destination(frame.data()),
    ];
    addresses.into_iter().any(|it| it.is_none_or(stays))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn what_stays_is_told_by_the_first_bytes() {
        for network in 0..=u16::MAX {
            let address = Ipv4Addr::from_bits(u32::from(network) << 16 | 1);
            let [first, ..] = address.octets();
            let stays = address.is_loopback() | address.is_link_local() | (first == 0);
            let nobodys = first >= 224;
            assert_eq!(stays_v4(address.to_bits()), stays | nobodys, "{address}");
            let address = Ipv6Addr::from_bits(u128::from(network) << 112 | 1);
            let stays =
                address.is_loopback() | address.is_unicast_link_local() | address.is_multicast();
            assert_eq!(stays_v6(address), stays, "{address}");
            let may_stay = may_stay_v6((address.to_bits() >> 96) as u32);
            // Of what does not, only what begins with zeros and what is next to the link-local ones is looked at twice.
            assert_eq!(may_stay, (network == 0) | (network >= 0xfe80), "{address}");
            assert!(may_stay | !stays, "{address}");
        }
        assert!(may_stay_v6(0) && stays_v6(Ipv6Addr::UNSPECIFIED));
    }
}
