//! Whether a packet may be sent on, and this hop counted in it.

use std::net::{IpAddr, Ipv6Addr};

use corelane_frame::Frame;
use corelane_stack::{Inbound, Key, PacketFlags};
use corelane_wire::ipv4::ipv4_header_mut;
use corelane_wire::ipv4_options::{self, Ipv4OptionPolicy};
use corelane_wire::ipv6::ipv6_header_mut;
use corelane_wire::{Ipv4Header, Ipv6Header, parse_ipv4};

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

/// Checks that a packet may be sent on, counts this hop, and cuts the padding of the link it came from.
/// Returns the Ethernet header.
///
/// One test tells that nothing is in a packet's way, as nearly always; what it cannot tell is looked into
/// elsewhere.
// In the loop over the packets of a burst, which is most of what a hop costs.
#[inline(always)]
pub(super) fn prepare<'f>(
    frame: &'f mut Frame,
    packet: &Inbound,
    destination: Key,
    mtu: usize,
) -> Result<&'f mut [u8; NETWORK], Obstacle> {
    let len = packet.end as usize - NETWORK;
    frame.truncate(packet.end as usize);
    let data = frame.data_mut().split_first_chunk_mut::<NETWORK>();
    let (ethernet, data) = data.ok_or(Obstacle::NotForwarded)?;
    if packet.flags.has(PacketFlags::V4) {
        let header = ipv4_header_mut(data).ok_or(Obstacle::NotForwarded)?;
        let doubtful = stays_v4(header.source().to_bits())
            | stays_v4(destination.low as u32)
            | packet.flags.has(PacketFlags::EXTENDED)
            | (len > mtu);
        if doubtful || !header.decrement_ttl() {
            prepare_doubtful_v4(data, packet.flags.has(PacketFlags::EXTENDED), mtu, len)?;
        }
    } else {
        let header = ipv6_header_mut(data).ok_or(Obstacle::NotForwarded)?;
        let doubtful = may_stay_v6(Key::v6(header.source().to_bits()))
            | may_stay_v6(destination)
            | (len > mtu);
        if doubtful || !header.decrement_hop_limit() {
            prepare_doubtful_v6(data, mtu, len)?;
        }
    }
    Ok(ethernet)
}

#[cold]
fn prepare_doubtful_v4(
    data: &mut [u8],
    extended: bool,
    mtu: usize,
    len: usize,
) -> Result<(), Obstacle> {
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
    if header.ttl > 1 && len > mtu {
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

#[cold]
fn prepare_doubtful_v6(data: &mut [u8], mtu: usize, len: usize) -> Result<(), Obstacle> {
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
    if header.hop_limit > 1 && len > mtu {
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

/// Whether an IPv4 address, in host order, is of no other link's concern: this host's network, a loopback, a
/// link-local one (RFC 3927 section 7) or one that nobody has (RFC 6890).
#[inline]
const fn stays_v4(bits: u32) -> bool {
    // Below 1.0.0.0 or from 224.0.0.0 on, in one comparison.
    let is_unicast = bits.wrapping_sub(0x0100_0000) < 0xdf00_0000;
    !is_unicast | (bits >> 24 == 127) | (bits >> 16 == 0xa9fe)
}

/// Whether an IPv6 address may be: hardly any other begins with as many zeros or ones.
#[inline]
const fn may_stay_v6(address: Key) -> bool {
    // Zero, or from the link-local ones on, in one comparison.
    address.high.wrapping_sub(1) >= (LINK_LOCAL << 54) - 1
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
